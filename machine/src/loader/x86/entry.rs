//! The state that a program starts with, as plain data.

use super::super::{Content, Piece};
use super::layout::{PAGE, Placer};
use super::put;

/// How the processor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryMode {
    /// Real mode.
    Real16,
    /// Protected mode with flat segments of 32 bits, no paging.
    Protected32,
    /// 64-bit mode; page tables map the first 4 GiB to themselves.
    Long64,
}

/// A segment register with what the processor caches of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Segment {
    /// Visible part.
    pub selector: u16,
    /// First address.
    pub base: u64,
    /// Last offset, in bytes.
    pub limit: u32,
    /// Bits 23:8 of the descriptor's high word, from bit 0 on: type, S, DPL, P in 7:0; AVL, L, D/B, G in 15:12.
    pub attributes: u16,
}

/// GDTR or IDTR.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableRegister {
    /// First address.
    pub base: u64,
    /// Last offset.
    pub limit: u16,
}

/// Registers by their encoding.
pub mod reg {
    /// EAX or RAX.
    pub const AX: usize = 0;
    /// ECX or RCX.
    pub const CX: usize = 1;
    /// EDX or RDX.
    pub const DX: usize = 2;
    /// EBX or RBX.
    pub const BX: usize = 3;
    /// ESP or RSP.
    pub const SP: usize = 4;
    /// ESI or RSI.
    pub const SI: usize = 6;
}

/// The state of the boot processor. What is not named here is as after a reset; interrupts are off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct X86Entry {
    /// How it runs.
    pub mode: EntryMode,
    /// Instruction pointer, relative to CS.
    pub ip: u64,
    /// General registers by their encoding.
    pub regs: [u64; 16],
    /// ES, CS, SS, DS, FS, GS: by their encoding.
    pub segments: [Segment; 6],
    /// Task register.
    pub tr: Segment,
    /// GDTR.
    pub gdtr: TableRegister,
    /// IDTR.
    pub idtr: TableRegister,
    /// CR0.
    pub cr0: u64,
    /// CR3.
    pub cr3: u64,
    /// CR4.
    pub cr4: u64,
    /// IA32_EFER.
    pub efer: u64,
}

/// Index of CS among segments.
const CS: usize = 1;
/// Selectors of the table that goes with protected and long mode, as Linux asks for them.
const CODE: u16 = 0x10;
const DATA: u16 = 0x18;
/// PE and ET.
const CR0_PROTECTED: u64 = 0x11;
const CR0_REAL: u64 = 0x10;
const CR0_PG: u64 = 1 << 31;
const CR4_PAE: u64 = 1 << 5;
/// LME and LMA.
const EFER_LONG: u64 = 1 << 8 | 1 << 10;
/// Attributes: accessed code and data, flat; busy task of 32 bits.
const CODE32: u16 = 0xc09b;
const CODE64: u16 = 0xa09b;
const FLAT_DATA: u16 = 0xc093;
const REAL_SEGMENT: u16 = 0x93;
const TASK: u16 = 0x8b;

/// A descriptor of a flat segment.
fn descriptor(attributes: u16) -> [u8; 8] {
    let a = u64::from(attributes);
    (0xffff | (a & 0xff) << 40 | 0xf << 48 | (a >> 12) << 52).to_le_bytes()
}

fn gdt(code: u16) -> Vec<u8> {
    [[0; 8], [0; 8], descriptor(code), descriptor(FLAT_DATA)].concat()
}

impl X86Entry {
    fn flat(mode: EntryMode, code: u16, ip: u64, gdt: u64) -> X86Entry {
        let data = Segment { selector: DATA, base: 0, limit: u32::MAX, attributes: FLAT_DATA };
        let mut segments = [data; 6];
        segments[CS] = Segment { selector: CODE, attributes: code, ..data };
        X86Entry {
            mode,
            ip,
            regs: [0; 16],
            segments,
            tr: Segment { selector: 0, base: 0, limit: 0x67, attributes: TASK },
            gdtr: TableRegister { base: gdt, limit: 31 },
            idtr: TableRegister::default(),
            cr0: CR0_PROTECTED,
            cr3: 0,
            cr4: 0,
            efer: 0,
        }
    }

    /// Protected mode at `ip`, with flat segments.
    pub(super) fn protected(
        ip: u64,
        pieces: &mut Vec<Piece>,
        placer: &mut Placer,
    ) -> Result<X86Entry, String> {
        let gdt = put(pieces, placer, gdt(CODE32), 16, 0)?;
        Ok(X86Entry::flat(EntryMode::Protected32, CODE32, ip, gdt))
    }

    /// 64-bit mode at `ip`, with the first 4 GiB mapped to themselves.
    pub(super) fn long(ip: u64, pieces: &mut Vec<Piece>, placer: &mut Placer) -> Result<X86Entry, String> {
        let gdt = put(pieces, placer, gdt(CODE64), 16, 0)?;
        let entry = X86Entry::flat(EntryMode::Long64, CODE64, ip, gdt);
        let cr3 = identity(pieces, placer)?;
        Ok(X86Entry { cr0: CR0_PROTECTED | CR0_PG, cr3, cr4: CR4_PAE, efer: EFER_LONG, ..entry })
    }

    /// Real mode at `cs`:`ip`, with the other segments at `ds`.
    pub fn real(cs: u16, ip: u16, ds: u16, sp: u16) -> X86Entry {
        let segment = |selector: u16| Segment {
            selector,
            base: u64::from(selector) << 4,
            limit: 0xffff,
            attributes: REAL_SEGMENT,
        };
        let mut segments = [segment(ds); 6];
        segments[CS] = Segment { attributes: REAL_SEGMENT | 8, ..segment(cs) };
        let mut entry = X86Entry::flat(EntryMode::Real16, CODE32, ip.into(), 0);
        entry.regs[reg::SP] = sp.into();
        X86Entry {
            segments,
            gdtr: TableRegister { base: 0, limit: 0xffff },
            idtr: TableRegister { base: 0, limit: 0x3ff },
            cr0: CR0_REAL,
            ..entry
        }
    }
}

/// Page tables of four levels that map the first 4 GiB to themselves with pages of 2 MiB; where they are.
fn identity(pieces: &mut Vec<Piece>, placer: &mut Placer) -> Result<u64, String> {
    /// Present, writable; and a large page.
    const TABLE: u64 = 0x3;
    const LARGE: u64 = 0x83;
    let at = placer.low(6 * PAGE, PAGE, 0)?;
    let mut words = vec![0u64; 6 * 512];
    words[0] = (at + PAGE) | TABLE;
    for (n, word) in words.iter_mut().skip(512).take(4).enumerate() {
        *word = (at + (2 + n as u64) * PAGE) | TABLE;
    }
    for (n, word) in words.iter_mut().skip(1024).enumerate() {
        *word = (n as u64) << 21 | LARGE;
    }
    let bytes = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    pieces.push(Piece { at, content: Content::Bytes(bytes) });
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::super::layout::MemoryMap;
    use super::super::testing::Image;
    use super::*;

    #[test]
    fn descriptors_say_what_the_segments_cache() {
        assert_eq!(u64::from_le_bytes(descriptor(CODE32)), 0x00cf_9b00_0000_ffff);
        assert_eq!(u64::from_le_bytes(descriptor(CODE64)), 0x00af_9b00_0000_ffff);
        assert_eq!(u64::from_le_bytes(descriptor(FLAT_DATA)), 0x00cf_9300_0000_ffff);
    }

    #[test]
    fn page_tables_map_4_gib() {
        let map = MemoryMap::pc(16 << 20);
        let (mut pieces, mut placer) = (Vec::new(), Placer::new(&map));
        let entry = X86Entry::long(0x10_0200, &mut pieces, &mut placer).unwrap();
        let image = Image(&pieces);
        for address in [0u64, 0x10_0000, 0x7fff_ffff, 0xffff_ffff] {
            let next = |table: u64, shift: u32| image.u64(table + (address >> shift & 511) * 8);
            let pdpt = next(entry.cr3, 39) & !0xfff;
            let pd = next(pdpt, 30) & !0xfff;
            assert_eq!(next(pd, 21), address & !0x1f_ffff | 0x83);
        }
        assert_eq!(image.u64(entry.gdtr.base + 16), 0x00af_9b00_0000_ffff);
    }

    #[test]
    fn real_mode() {
        let entry = X86Entry::real(0x1020, 0, 0x1000, 0xe000);
        assert_eq!((entry.segments[1].base, entry.segments[3].base), (0x1_0200, 0x1_0000));
        assert_eq!((entry.mode, entry.cr0 & 1, entry.regs[reg::SP]), (EntryMode::Real16, 0, 0xe000));
    }
}
