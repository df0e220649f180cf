//! Drivers of virtio devices whose queues are made of garbage.

use crate::board::{Kind, Pc, RAM};
use crate::value;
use lyrebird_devices::bus::device::Size::{B1, B2, B4};
use lyrebird_devices::bus::rng::Rng;

/// ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK.
const STATUS: [u64; 4] = [1, 3, 11, 15];

/// A page of descriptors, and rings behind it that name some: where, and how many entries the queue has. One in four is
/// garbage from the start; the others begin with a good request to a disk, whose data may lie anywhere.
fn queue(pc: &Pc, rng: &mut Rng) -> (u64, u64) {
    let wild = rng.below(4) == 0;
    let bases = [RAM - 0x1000, RAM, value(rng) & !0xFFF];
    let base = if wild { bases[rng.below(3) as usize] } else { 0x4_0000 + 0x4000 * rng.below(16) };
    let lengths = [1, 4, 16, 128, rng.below(0x1_0000)];
    let len = if wild { lengths[rng.below(5) as usize] } else { 256 };
    for n in 0..16 {
        let at = [rng.below(0x10_0000), 0x3_0000, RAM - rng.below(64), value(rng)][rng.below(4) as usize];
        let bytes = [16, 1, 0, 512, 0x1000, 0xFFFF_FFFF, rng.below(0x10_0000)][rng.below(7) as usize];
        let flags = [0, 1, 2, 3, 3, 1, 4, rng.below(8)][rng.below(8) as usize];
        let next = [n + 1, rng.below(16), rng.below(0x1_0000)][rng.below(3) as usize];
        pc.poke(base.wrapping_add(16 * n), at);
        pc.poke(base.wrapping_add(16 * n + 8), bytes | flags << 32 | next << 48);
    }
    if !wild {
        (0..8).for_each(|n| pc.poke(0x8_0000 + 512 * n, rng.draw()));
        const NEXT: u64 = 1 << 32;
        const WRITE: u64 = 2 << 32;
        let data = if rng.below(4) == 0 { value(rng) } else { 0x8_0000 };
        let size = if rng.below(4) == 0 { value(rng) & 0xFFFF_FFFF } else { 512 * rng.below(8) };
        let chain = [
            (0x3_0000, 16 | NEXT | 1 << 48),
            (data, size | NEXT | (WRITE * rng.below(2)) | 2 << 48),
            (0x3_0100, 1 | WRITE),
        ];
        for (n, (at, rest)) in (0..).zip(chain) {
            pc.poke(base + 16 * n, at);
            pc.poke(base + 16 * n + 8, rest);
        }
    }
    // The head of a request for a disk.
    pc.poke(0x3_0000, [0, 1, 1, 4, 8, 11, 13, rng.below(32)][rng.below(8) as usize]);
    pc.poke(0x3_0008, [0, 1, 2047, rng.below(2048), value(rng)][rng.below(5) as usize]);
    let heads = (0..4).fold(0, |all, n| all | (rng.below(18) * u64::from(wild || n > 0)) << (16 * n));
    let index = [1, 2, 4, 256, rng.below(0x1_0000)][rng.below(5) as usize];
    // The available ring of a legacy queue is right behind the descriptors, and of ours as well.
    let available = base.wrapping_add(16 * len);
    pc.poke(available & !7, index << 16 | heads << 32);
    pc.poke((available & !7).wrapping_add(8), heads);
    (base, len)
}

/// The queue that is meant: mostly the first, the one of disks.
fn chosen(rng: &mut Rng) -> u64 {
    [0, 0, 0, 1, 2, 3, rng.below(0x100)][rng.below(7) as usize]
}

/// Where the BAR of a function that the guest has moved is now.
fn bar(pc: &Pc, function: u8, n: u64) -> u64 {
    pc.config(function, 0x10 + 4 * n) & !0xF
}

/// By PCI: the legacy interface's ports, or the modern one's memory.
pub fn pci(pc: &Pc, rng: &mut Rng) {
    let function = match pc.kind {
        Kind::Pc => 24 + 8 * rng.below(3) as u8,
        Kind::Q35 => 16 + 8 * rng.below(3) as u8,
        _ => return,
    };
    pc.configure(function, 0x10, 0xC100);
    pc.configure(function, 0x20, 0xF800_0000);
    pc.configure(function, 0x24, 0);
    pc.configure(function, 0x14, 0xF810_0000);
    pc.configure(function, 4, 7);
    if rng.below(8) == 0 {
        // MSI-X on, with a table of garbage.
        (0..16).for_each(|n| pc.store(0xF810_0000 + 4 * n, B4, value(rng)));
        for reg in (0x40..0x100).step_by(4).filter(|_| rng.below(16) == 0) {
            pc.configure(function, reg, 0x8000_0011);
        }
    }
    let (base, len) = queue(pc, rng);
    let select = chosen(rng);
    if rng.below(2) == 0 {
        let io = bar(pc, function, 0);
        pc.out(io + 18, B1, 0);
        (0..2).for_each(|n| pc.out(io + 18, B1, STATUS[n]));
        pc.out(io + 4, B4, value(rng));
        pc.out(io + 14, B2, select);
        pc.out(io + 8, B4, base >> 12);
        pc.out(io + 18, B1, 7);
        (0..rng.below(4)).for_each(|_| pc.out(io + 16, B2, select));
        let _ = (pc.inp(io + 19, B1), pc.inp(io + 12, B2));
        (0..rng.below(16)).for_each(|n| _ = pc.inp(io + 20 + n, B1));
        return;
    }
    let at = bar(pc, function, 4);
    pc.store(at + 20, B1, 0);
    (0..2).for_each(|n| pc.store(at + 20, B1, STATUS[n]));
    for half in 0..2 {
        pc.store(at + 8, B4, half);
        let word = [u64::from(half == 1), value(rng)];
        pc.store(at + 12, B4, word[(rng.below(8) / 7) as usize]);
    }
    pc.store(at + 20, B1, STATUS[2]);
    pc.store(at + 22, B2, select);
    pc.store(at + 24, B2, len);
    pc.store(at + 26, B2, rng.below(4));
    let (available, used) = (base.wrapping_add(16 * len), base.wrapping_add(16 * len + 0x1000));
    for (reg, to) in [(32, base), (40, available), (48, used)] {
        pc.store(at + reg, B4, to & 0xFFFF_FFFF);
        pc.store(at + reg + 4, B4, to >> 32);
    }
    pc.store(at + 28, B2, 1);
    pc.store(at + 20, B1, STATUS[3]);
    // Notifications, wherever they are: 3000h, as QEMU has it.
    (0..rng.below(4)).for_each(|_| pc.store(at + 0x3000 + 4 * select, B2, select));
    (0..rng.below(16)).for_each(|n| _ = pc.load(at + 0x2000 + n, B1));
    let _ = (pc.load(at + 0x1000, B1), pc.load(at + 20, B1));
}

/// By registers in memory, of a microvm.
pub fn mmio(pc: &Pc, rng: &mut Rng) {
    if pc.kind != Kind::Microvm {
        return;
    }
    let at = 0xFEB0_0000 + 0x200 * rng.below(8);
    let (base, len) = queue(pc, rng);
    pc.store(at + 0x70, B4, 0);
    (0..2).for_each(|n| pc.store(at + 0x70, B4, STATUS[n]));
    for half in 0..2 {
        pc.store(at + 0x24, B4, half);
        pc.store(at + 0x20, B4, [u64::from(half == 1), value(rng)][(rng.below(8) / 7) as usize]);
    }
    pc.store(at + 0x70, B4, STATUS[2]);
    let select = chosen(rng);
    pc.store(at + 0x30, B4, select);
    pc.store(at + 0x38, B4, len);
    let (available, used) = (base.wrapping_add(16 * len), base.wrapping_add(16 * len + 0x1000));
    for (reg, to) in [(0x80, base), (0x90, available), (0xA0, used)] {
        pc.store(at + reg, B4, to & 0xFFFF_FFFF);
        pc.store(at + reg + 4, B4, to >> 32);
    }
    // A legacy transport's page, and a modern one's switch.
    pc.store(at + 0x28, B4, 0x1000);
    pc.store(at + 0x40, B4, base >> 12);
    pc.store(at + 0x44, B4, 1);
    pc.store(at + 0x70, B4, STATUS[3]);
    (0..rng.below(4)).for_each(|_| pc.store(at + 0x50, B4, select));
    (0..rng.below(64)).for_each(|n| _ = pc.load(at + 0x100 + n, B1));
    pc.store(at + 0x64, B4, pc.load(at + 0x60, B4));
}
