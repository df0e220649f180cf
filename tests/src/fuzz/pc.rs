//! PCs: what they start without firmware, and their old chips, used through ports.

use super::Scratch;
use super::devices::{Op, ops};
use super::loaders::put;
use lyrebird_devices::block::{Format, ImageOptions, open};
use lyrebird_devices::bus::clock::{Clock, VTime};
use lyrebird_devices::bus::device::{Initiator, Size, Socket, share};
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::uart16550::Uart16550;
use lyrebird_devices::char::{CharPort, Null};
use lyrebird_devices::display::Screen;
use lyrebird_devices::display::vga::Vga;
use lyrebird_devices::dma::i8237::{I8237, Line};
use lyrebird_devices::input::i8042::I8042;
use lyrebird_devices::input::keys::Key;
use lyrebird_devices::input::{KeySink, PointerSink};
use lyrebird_devices::intc::i8259::I8259;
use lyrebird_devices::storage::fdc::Fdc;
use lyrebird_devices::time::i8254::I8254;
use lyrebird_devices::time::mc146818::Mc146818;
use lyrebird_machine::loader::Files;
use lyrebird_machine::loader::x86::{self, LinuxEntry, MemoryMap, Request};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

const RAM: u64 = 64 << 20;

/// A kernel file of any kind: loaded, for each way into a Linux kernel; its pieces lie in RAM.
pub fn kernel(bytes: &[u8]) {
    let Ok(file) = Scratch::new("pc-kernel", bytes) else { return };
    let map = MemoryMap::pc(RAM);
    for (linux, long_mode) in [(LinuxEntry::Best, true), (LinuxEntry::Best, false), (LinuxEntry::Real, false)]
    {
        let request = Request {
            kernel: &file.0,
            initrd: None,
            append: "console=ttyS0",
            map: &map,
            long_mode,
            rsdp: Some(0xE_0000),
            vga_text: true,
            linux,
        };
        let Ok(program) = x86::load(&mut Files::default(), &request) else { continue };
        for piece in &program.pieces {
            let end = piece.at.checked_add(piece.content.size());
            assert!(end.is_some_and(|end| map.holds(piece.at, end)), "a piece lies outside of RAM");
        }
    }
}

/// A Linux kernel by its boot protocol 2.15.
fn linux() -> Vec<u8> {
    let mut bytes = vec![0; 5 * 512 + 1024];
    bytes[0x1F1] = 4;
    put(&mut bytes, 0x1F4, 64u32.to_le_bytes());
    put(&mut bytes, 0x1FE, [0x55, 0xAA, 0xEB, 0x6A]);
    put(&mut bytes, 0x202, *b"HdrS\x0F\x02");
    bytes[0x211] = 1;
    put(&mut bytes, 0x22C, 0x7FFF_FFFFu32.to_le_bytes());
    put(&mut bytes, 0x230, 0x20_0000u32.to_le_bytes());
    bytes[0x234] = 1;
    put(&mut bytes, 0x236, 3u16.to_le_bytes());
    put(&mut bytes, 0x238, 2047u32.to_le_bytes());
    put(&mut bytes, 0x258, 0x100_0000u64.to_le_bytes());
    put(&mut bytes, 0x260, 0x10_0000u32.to_le_bytes());
    bytes
}

fn words(words: &[u32]) -> Vec<u8> {
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(512, 0xF4);
    bytes
}

/// A 64-bit ELF file with a segment and a note of its PVH entry.
fn pvh() -> Vec<u8> {
    let mut bytes = vec![0; 0x200];
    put(&mut bytes, 0, *b"\x7fELF\x02\x01\x01");
    put(&mut bytes, 16, [2, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut bytes, 24, 0x20_0000u64.to_le_bytes());
    put(&mut bytes, 32, 64u64.to_le_bytes());
    put(&mut bytes, 52, [64, 0, 56, 0, 2, 0, 64, 0]);
    for (at, kind, offset, len) in [(64, 1u32, 0x100u64, 0x80u64), (120, 4, 0x180, 20)] {
        put(&mut bytes, at, kind.to_le_bytes());
        put(&mut bytes, at + 4, 5u32.to_le_bytes());
        put(&mut bytes, at + 8, offset.to_le_bytes());
        put(&mut bytes, at + 16, 0x20_0000u64.to_le_bytes());
        put(&mut bytes, at + 24, 0x20_0000u64.to_le_bytes());
        put(&mut bytes, at + 32, len.to_le_bytes());
        put(&mut bytes, at + 40, len.to_le_bytes());
        put(&mut bytes, at + 48, 4u64.to_le_bytes());
    }
    let note: Vec<u8> = [4u32, 4, 18].iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes[0x180..0x18C].copy_from_slice(&note);
    put(&mut bytes, 0x18C, *b"Xen\0");
    put(&mut bytes, 0x190, 0x20_0000u32.to_le_bytes());
    bytes
}

/// One of each kind: Linux, Multiboot 1 and 2, PVH.
pub fn kernel_seeds() -> Vec<Vec<u8>> {
    let sum = |words: &[u32]| words.iter().fold(0u32, |sum, word| sum.wrapping_sub(*word));
    let one = [0x1BAD_B002, 1 << 16, sum(&[0x1BAD_B002, 1 << 16])];
    let addresses = [0x10_0000, 0x10_0000, 0x10_0200, 0x10_1000, 0x10_0020];
    let two =
        [0xE852_50D6, 0, 48, sum(&[0xE852_50D6, 48]), 2, 24, 0x10_0000, 0x10_0000, 0x10_0200, 0x10_1000];
    let entry = [3, 12, 0x10_0040, 0, 0, 8];
    vec![linux(), words(&[&one[..], &addresses].concat()), words(&[&two[..], &entry].concat()), pvh()]
}

/// Ports of the chips: the first and how many, and the first register there.
const PORTS: [(u64, u64); 16] = [
    (0x00, 0x10),
    (0x20, 2),
    (0x40, 4),
    (0x60, 2),
    (0x64, 1),
    (0x70, 2),
    (0x80, 0x10),
    (0xA0, 2),
    (0xC0, 0x20),
    (0x1CE, 4),
    (0x3B4, 2),
    (0x3C0, 0x10),
    (0x3D4, 2),
    (0x3F0, 8),
    (0x3F8, 8),
    (0x4D0, 2),
];

/// Interrupt, timer, clock, keyboard, DMA and diskette controllers, a serial port and a VGA at their ports.
pub fn chips(bytes: &[u8]) {
    let (memory, ports, clock) = (AddressSpace::new(), AddressSpace::ports(), Clock::stepped());
    let (Ok(ram), Ok(vram)) = (GuestRam::new(0x10_0000), GuestRam::new(Vga::VRAM)) else { return };
    let Ok(file) = Scratch::new("diskette", &[0; 0x1_0000]) else { return };
    let options = ImageOptions { format: Some(Format::Raw), locking: false, ..ImageOptions::new(&file.0) };
    let Ok(disk) = open(&options) else { return };
    assert!(memory.add_ram("ram", 0, ram).is_ok(), "the map is consistent");
    let wire = Wire::open;
    let at = |name: &str, port: u64, len: u64, reg: u64, chip: Arc<dyn Socket>| {
        assert!(ports.add_registers(name, port, len, reg, chip).is_ok(), "{name} has its ports");
    };
    let pic = share(I8259::new(wire()));
    for (port, reg) in [(0x20, 0), (0xA0, I8259::SLAVE), (0x4D0, I8259::ELCR)] {
        at("pic", port, 2, reg, pic.clone());
    }
    let pit = share(I8254::new(Wire::new("pit", pic.clone(), 0), clock.clone()));
    at("pit", 0x40, 4, 0, pit.clone());
    at("port b", 0x61, 1, I8254::PORT_B, pit);
    let rtc = Mc146818::new(Wire::new("rtc", pic.clone(), 8), clock.clone(), 0);
    at("rtc", 0x70, Mc146818::LEN, 0, share(rtc));
    let line = |n| Wire::new("line", pic.clone(), n);
    let keyboard = share(I8042::new(line(1), line(12), wire(), wire()));
    at("i8042", 0x60, 1, 0, keyboard.clone());
    at("i8042", 0x64, 1, 1, keyboard.clone());
    let dma = share(I8237::new(memory.dma()));
    for (port, len, reg) in [(0, 0x10, 0), (0xC0, 0x20, 0x10), (0x80, 0x10, 0x30)] {
        at("dma", port, len, reg, dma.clone());
    }
    let mut fdc = Fdc::new(line(6), Arc::new(Line(dma, 2)));
    fdc.set_disk(0, Some(disk));
    let fdc = share(fdc);
    Fdc::PORTS.iter().for_each(|piece| at("fdc", piece.at, piece.len, piece.reg, fdc.clone()));
    let uart = share(Uart16550::new(line(4), Arc::new(Null), clock.clone()));
    at("uart", 0x3F8, Uart16550::LEN, 0, uart.clone());
    let vga = share(Vga::new(vram, clock.clone()));
    Vga::PORTS.iter().for_each(|piece| at("vga", piece.at, piece.len, piece.reg, vga.clone()));
    let keys: Vec<Key> = Key::all().collect();
    for Op { kind, size, at, value, .. } in ops(bytes) {
        let (first, len) = PORTS[at as usize % PORTS.len()];
        let (port, by) = (first + (at >> 4) % len, Initiator::Cpu(0));
        // Chips are eight bits wide.
        let size = if kind & 0x40 == 0 { Size::B1 } else { size.min(Size::B4) };
        match kind % 16 {
            0..=4 => drop(ports.read(port, size, by)),
            5..=11 => drop(ports.write(port, size, value, by)),
            12 => {
                clock.advance_to(VTime(clock.now().0.saturating_add(value >> 24)));
                clock.run_expired(clock.now());
            }
            13 => {
                keyboard.key(keys[value as usize % keys.len()], value >> 8 & 1 != 0);
                keyboard.motion(value as i32, (value >> 8) as i32, (value >> 16) as i32);
                uart.receive(&value.to_le_bytes());
            }
            14 if value & 7 == 0 => drop((vga.frame(), vga.text())),
            _ => ports.sockets().iter().for_each(|socket| {
                let state = socket.save().expect("a state that can be saved");
                socket.load(&state).expect("and restored");
            }),
        }
    }
    let _ = vga.frame();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_good() {
        let map = MemoryMap::pc(RAM);
        for seed in kernel_seeds() {
            let file = Scratch::new("seed", &seed).unwrap();
            let request = Request {
                kernel: &file.0,
                initrd: None,
                append: "",
                map: &map,
                long_mode: true,
                rsdp: None,
                vga_text: false,
                linux: LinuxEntry::Best,
            };
            x86::load(&mut Files::default(), &request).unwrap();
        }
    }
}
