//! SMBIOS tables: what the machine says it is.
//!
//! After DSP0134 (SMBIOS 3.7), with the structures that QEMU's boards have: 0, 1, 3, 4, 16, 17, 19, 32, 127. Firmware gets
//! them by fw_cfg and writes the address into the entry point; a kernel that starts without firmware finds the 64-bit
//! entry point by its scan of F_0000h to F_FFFFh.
//!
//! Left out on purpose: base boards, slots, on-board devices, error records.

mod structure;
#[cfg(test)]
mod tests;

use super::loader::{Content, Piece};
use structure::Structure;

/// Names of the fw_cfg files.
pub const TABLES_FILE: &str = "etc/smbios/smbios-tables";
/// The entry point.
pub const ANCHOR_FILE: &str = "etc/smbios/smbios-anchor";
/// Where a kernel that starts without firmware finds the entry point; tables follow.
pub const DIRECT: u64 = 0xf_0000;

const VERSION: (u8, u8) = (3, 0);
const ANCHOR_LEN: usize = 24;
/// Offset of the tables' address in the entry point, and of its checksum.
const ANCHOR_ADDRESS: usize = 16;
const ANCHOR_CHECKSUM: usize = 5;
/// Alignment of what [`Smbios::place`] places.
const ALIGN: u64 = 16;

/// Handles of structures that others refer to.
mod handle {
    pub const BIOS: u16 = 0x0000;
    pub const SYSTEM: u16 = 0x0100;
    pub const CHASSIS: u16 = 0x0300;
    pub const PROCESSOR: u16 = 0x0400;
    pub const MEMORY_ARRAY: u16 = 0x1000;
    pub const MEMORY_DEVICE: u16 = 0x1100;
    pub const MAPPED_ADDRESS: u16 = 0x1300;
    pub const BOOT: u16 = 0x2000;
    pub const END: u16 = 0x7f00;
    /// No such structure.
    pub const NONE: u16 = 0xffff;
}

/// What the tables tell the guest of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The board: `Standard PC (Q35 + ICH9, 2009)`.
    pub product: String,
    /// Its version, which QEMU derives from the machine type: `pc-q35-10.0`.
    pub version: String,
    /// The machine's UUID, in the order in which it is written.
    pub uuid: [u8; 16],
    /// Processors.
    pub cpus: u16,
    /// Their model's name.
    pub cpu: String,
    /// CPUID leaf 1: EAX and EDX.
    pub cpuid: (u32, u32),
    /// Bytes of RAM below 4 GiB, and above.
    pub ram: (u64, u64),
}

/// Tables and entry point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smbios {
    tables: Vec<u8>,
    anchor: Vec<u8>,
}

impl Smbios {
    /// Makes the tables.
    pub fn new(machine: &Machine) -> Smbios {
        let structures = structures(machine);
        let tables: Vec<u8> = structures.into_iter().flat_map(Structure::into_bytes).collect();
        let mut anchor = b"_SM3_\0".to_vec();
        // Length; version; document revision; revision of the entry point; reserved.
        anchor.extend([ANCHOR_LEN as u8, VERSION.0, VERSION.1, 0, 1, 0]);
        anchor.extend((tables.len() as u32).to_le_bytes());
        anchor.extend([0; 8]);
        let mut smbios = Smbios { tables, anchor };
        smbios.point(0);
        smbios
    }

    /// Writes the tables' address into the entry point.
    fn point(&mut self, tables: u64) {
        let field = self.anchor.iter_mut().skip(ANCHOR_ADDRESS);
        field.zip(tables.to_le_bytes()).for_each(|(to, from)| *to = from);
        let sum = self.anchor.iter().fold(0u8, |sum, b| sum.wrapping_add(*b));
        if let Some(byte) = self.anchor.get_mut(ANCHOR_CHECKSUM) {
            *byte = byte.wrapping_sub(sum);
        }
    }

    /// The contents of the two fw_cfg files, each with its name.
    pub fn files(&self) -> [(&'static str, Vec<u8>); 2] {
        [(TABLES_FILE, self.tables.clone()), (ANCHOR_FILE, self.anchor.clone())]
    }

    /// Everything in place for an entry point at `at`, as firmware would leave it.
    pub fn place(&self, at: u64) -> Vec<Piece> {
        let mut placed = self.clone();
        let tables = (at + ANCHOR_LEN as u64).next_multiple_of(ALIGN);
        placed.point(tables);
        let piece = |at, bytes| Piece { at, content: Content::Bytes(bytes) };
        vec![piece(at, placed.anchor), piece(tables, placed.tables)]
    }
}

fn structures(machine: &Machine) -> Vec<Structure> {
    let mut all = vec![bios(), system(machine), chassis()];
    all.extend((0..machine.cpus).map(|n| processor(machine, n)));
    all.extend(memory(machine));
    // System boot: no error. End of table.
    all.push(Structure::new(32, handle::BOOT).bytes(&[0; 6]).bytes(&[0]));
    all.push(Structure::new(127, handle::END));
    all
}

/// BIOS information (7.1).
fn bios() -> Structure {
    /// Characteristics are not supported; in the extension: a virtual machine, targeted content distribution.
    const CHARACTERISTICS: u64 = 1 << 3;
    const EXTENSION: [u8; 2] = [0, 1 << 4 | 1 << 2];
    Structure::new(0, handle::BIOS)
        .string("Lyrebird")
        .string(env!("CARGO_PKG_VERSION"))
        .word(0xe800)
        .string("01/01/2026")
        // 64 KiB of ROM.
        .bytes(&[0])
        .bytes(&CHARACTERISTICS.to_le_bytes())
        .bytes(&EXTENSION)
        // Releases of BIOS and embedded controller; extended size of the ROM.
        .bytes(&[0, 0, 0xff, 0xff])
        .word(0)
}

/// System information (7.2).
fn system(machine: &Machine) -> Structure {
    // The first three fields of a UUID are little-endian here.
    let [a, b, c, d, e, f, g, h, rest @ ..] = machine.uuid;
    Structure::new(1, handle::SYSTEM)
        .string("Lyrebird")
        .string(&machine.product)
        .string(&machine.version)
        .string("")
        .bytes(&[d, c, b, a, f, e, h, g])
        .bytes(&rest)
        // Woken by the power switch.
        .bytes(&[6])
        .string("")
        .string("")
}

/// System enclosure (7.4).
fn chassis() -> Structure {
    Structure::new(3, handle::CHASSIS)
        .string("Lyrebird")
        // Other.
        .bytes(&[1])
        .string("")
        .string("")
        .string("")
        // Boot-up, power supply, thermal state: safe; security: unknown.
        .bytes(&[3, 3, 3, 2])
        .bytes(&[0; 4])
        // Height, power cords, contained elements and their length, number.
        .bytes(&[0; 4])
        .string("")
}

/// Processor information (7.5).
fn processor(machine: &Machine, n: u16) -> Structure {
    Structure::new(4, handle::PROCESSOR.wrapping_add(n))
        .string(&format!("CPU {n}"))
        // Central processor of another family.
        .bytes(&[3, 1])
        .string("Lyrebird")
        .bytes(&machine.cpuid.0.to_le_bytes())
        .bytes(&machine.cpuid.1.to_le_bytes())
        .string(&machine.cpu)
        // Voltage, clocks: unknown; greatest and present speed in MHz.
        .bytes(&[0])
        .word(0)
        .word(2000)
        .word(2000)
        // Socket populated, processor enabled; another upgrade.
        .bytes(&[0x41, 1])
        .word(handle::NONE)
        .word(handle::NONE)
        .word(handle::NONE)
        .string("")
        .string("")
        .string("")
        // Cores, of which enabled, threads; 64-bit capable.
        .bytes(&[1, 1, 1])
        .word(1 << 2)
        .word(1)
        .word(1)
        .word(1)
        .word(1)
}

/// Physical memory array (7.17), memory device (7.18) and mapped addresses (7.20).
fn memory(machine: &Machine) -> Vec<Structure> {
    /// A size in KiB that is given elsewhere.
    const EXTENDED_KIB: u32 = 0x8000_0000;
    const EXTENDED_MIB: u16 = 0x7fff;
    const FOUR_GIB: u64 = 1 << 32;
    let (low, high) = machine.ram;
    let total = low.saturating_add(high);
    let kib = total >> 10;
    let array = Structure::new(16, handle::MEMORY_ARRAY)
        // In the system, as system memory, with multi-bit error correction.
        .bytes(&[1, 3, 6])
        .bytes(&u32::try_from(kib).ok().filter(|k| *k < EXTENDED_KIB).unwrap_or(EXTENDED_KIB).to_le_bytes())
        .word(0xfffe)
        .word(1)
        .bytes(&if kib < u64::from(EXTENDED_KIB) { 0 } else { total }.to_le_bytes());
    let mib = total >> 20;
    let size = u16::try_from(mib).ok().filter(|m| *m < EXTENDED_MIB).unwrap_or(EXTENDED_MIB);
    let device = Structure::new(17, handle::MEMORY_DEVICE)
        .word(handle::MEMORY_ARRAY)
        .word(0xfffe)
        // Widths: unknown.
        .word(0xffff)
        .word(0xffff)
        .word(size)
        // DIMM, in no set.
        .bytes(&[9, 0])
        .string("DIMM 0")
        .string("")
        // RAM of another kind.
        .bytes(&[7])
        .word(1 << 1)
        .word(0)
        .string("Lyrebird")
        .string("")
        .string("")
        .string("")
        .bytes(&[0])
        .bytes(&if size == EXTENDED_MIB { mib as u32 } else { 0 }.to_le_bytes())
        // Configured speed, voltages: unknown.
        .word(0)
        .bytes(&[0; 6]);
    let mut all = vec![array, device];
    let ranges = [(0, low), (FOUR_GIB, high)].into_iter().filter(|(_, len)| *len != 0);
    for ((start, len), n) in ranges.zip(handle::MAPPED_ADDRESS..) {
        let last = start + len - 1;
        // Addresses in KiB, or in bytes below if these are too small for them.
        let words = match (u32::try_from(start >> 10), u32::try_from(last >> 10)) {
            (Ok(start), Ok(last)) if last != u32::MAX => [start, last],
            _ => [u32::MAX; 2],
        };
        let wide = if words == [u32::MAX; 2] { [start, last] } else { [0; 2] };
        all.push(
            Structure::new(19, n)
                .bytes(&words.map(u32::to_le_bytes).concat())
                .word(handle::MEMORY_ARRAY)
                .bytes(&[1])
                .bytes(&wide.map(u64::to_le_bytes).concat()),
        );
    }
    all
}
