//! What drivers of disks and CD-ROMs do, with lists and commands of their own.

use crate::board::{Kind, Pc, RAM};
use crate::value;
use lyrebird_devices::bus::device::Size::{self, B1, B2, B4};
use lyrebird_devices::bus::rng::Rng;

/// Commands that drives have, and one of any kind.
fn command(rng: &mut Rng) -> u64 {
    const KNOWN: [u64; 27] = [
        0x08, 0x10, 0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39, 0x40, 0x60, 0x61, 0x90, 0x91, 0xA0, 0xA1,
        0xC4, 0xC5, 0xC6, 0xC8, 0xCA, 0xE7, 0xEA, 0xEC, 0xEF, 0xF8,
    ];
    let any = rng.below(256);
    KNOWN.get(rng.below(28) as usize).copied().unwrap_or(any)
}

/// The first bytes of a packet command.
fn packet(rng: &mut Rng) -> u64 {
    const KNOWN: [u64; 14] =
        [0x00, 0x03, 0x12, 0x1B, 0x1E, 0x25, 0x28, 0x43, 0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xBE];
    let any = rng.below(256);
    KNOWN.get(rng.below(15) as usize).copied().unwrap_or(any) | rng.below(4) << 8 | value(rng) << 16
}

/// A command by the task file, and its data by ports or by the bus master.
pub fn ide(pc: &Pc, rng: &mut Rng) {
    let base = [0x1F0, 0x170][rng.below(2) as usize];
    let odd = rng.below(8) == 0;
    if !odd {
        pc.out(base + 0x206, B1, 0);
    }
    let regs = [
        (6, 0xE0 | rng.below(2) << 4),
        (1, rng.below(4)),
        (2, rng.below(20)),
        (3, rng.below(256)),
        (4, rng.below(9)),
    ];
    for (reg, mut content) in regs {
        if odd {
            content = value(rng);
        }
        pc.out(base + reg, B1, content);
    }
    pc.out(base + 5, B1, if odd { value(rng) } else { 0 });
    let command = command(rng);
    pc.out(base + 7, B1, command);
    if command == 0xA0 {
        let (low, high) = (packet(rng), value(rng));
        for n in 0..6 {
            pc.out(base, B2, if n < 4 { low >> (16 * n) } else { high >> (16 * (n - 4)) } & 0xFFFF);
        }
    }
    let size = [B1, B2, B2, B4][rng.below(4) as usize];
    let writes = matches!(command, 0x30 | 0x34 | 0x39 | 0xC5);
    for _ in 0..rng.below(600) {
        match rng.below(64) {
            0 => pc.out(base, size, value(rng)),
            1 => _ = pc.inp(base + rng.below(8), B1),
            _ if writes => pc.out(base, size, value(rng)),
            _ => _ = pc.inp(base, size),
        }
    }
    if pc.kind == Kind::Pc {
        const FUNCTION: u8 = 9;
        pc.configure(FUNCTION, 0x20, 0xD000);
        pc.configure(FUNCTION, 0x40, 0x8000_8000);
        pc.configure(FUNCTION, 4, 7);
        let master = 0xD000 + if base == 0x1F0 { 0 } else { 8 };
        let lists = [RAM - 8, RAM, 0xFFFF_FFF8, 0xFFF8];
        let list = if rng.below(4) == 0 { lists[rng.below(4) as usize] } else { 0x2000 };
        for n in 0..rng.below(6) {
            let (at, count) = match rng.below(4) {
                0 => (value(rng), value(rng)),
                _ => (rng.below(0x10_0000) & !1, 512 | rng.below(2) << 31),
            };
            pc.poke(list + 8 * n, at & 0xFFFF_FFFF | count << 32);
        }
        pc.out(master + 4, B4, list);
        for command in [0, 8 * rng.below(2), (8 * rng.below(2)) | 1] {
            pc.out(master, B1, command);
        }
        let _ = pc.inp(master + 2, B1);
        pc.out(master + 2, B1, value(rng));
    }
    if rng.below(8) == 0 {
        pc.out(base + 0x206, B1, [4, 0, 2][rng.below(3) as usize]);
    }
}

/// Command lists for the ports of the AHCI controller.
pub fn ahci(pc: &Pc, rng: &mut Rng) {
    if pc.kind != Kind::Q35 {
        return;
    }
    const FUNCTION: u8 = 0xFA;
    const ABAR: u64 = 0xF000_0000;
    pc.configure(FUNCTION, 0x24, ABAR);
    pc.configure(FUNCTION, 4, 7);
    pc.store(ABAR + 4, B4, 0x8000_0002);
    let port = ABAR + 0x100 + 0x80 * [0, 1, rng.below(6)][rng.below(3) as usize];
    let list = [0x1000 * rng.below(8), RAM - 0x400, RAM, 0xFFFF_FC00][(rng.below(16) / 5) as usize];
    let table = 0x1000 * (8 + rng.below(8));
    for slot in 0..4 {
        let header = rng.below(0x800) & !0x1F | if rng.below(4) == 0 { rng.below(32) } else { 5 };
        let entries = [1 + rng.below(3), rng.below(0x1_0000)][(rng.below(8) / 7) as usize];
        pc.poke(list + 32 * slot, header | entries << 16);
        pc.poke(list + 32 * slot + 8, if rng.below(8) == 0 { value(rng) } else { table + 0x100 * slot });
        let command = command(rng);
        let fis = 0x8027 | command << 16 | rng.below(8) << 24 | rng.below(0x900) << 32 | 0x40 << 56;
        let at = table + 0x100 * slot;
        pc.poke(at, fis);
        pc.poke(at + 8, value(rng) & 0xFF_FFFF_FFFF);
        pc.poke(at + 0x40, packet(rng));
        pc.poke(at + 0x48, value(rng));
        for region in 0..4 {
            let to = [rng.below(0x1_0000), RAM - rng.below(0x1000), value(rng)];
            pc.poke(at + 0x80 + 16 * region, to[rng.below(3) as usize]);
            let len = [rng.below(0x2000) | 1, 0x3F_FFFF, value(rng)];
            pc.poke(at + 0x88 + 16 * region, len[rng.below(3) as usize] << 32);
        }
    }
    let start = [0x11, 0x10, 1, rng.draw()][(rng.below(16) / 5) as usize];
    for (reg, value) in [
        (0x18, 0),
        (0, list),
        (4, rng.below(16) / 15),
        (8, [0xF000, RAM, 0xFFFF_FF00][(rng.below(16) / 7) as usize]),
        (0xC, 0),
        (0x2C, rng.below(16) / 12),
        (0x2C, 0),
        (0x18, start),
        (0x14, u64::MAX),
        (0x34, rng.below(16)),
        (0x38, rng.below(16)),
    ] {
        pc.store(port + reg, Size::B4, value);
    }
    for reg in [0x10, 0x20, 0x24, 0x28, 0x30, 0x38] {
        let _ = pc.load(port + reg, B4);
    }
    pc.store(port + 0x10, B4, u64::MAX);
    pc.store(port + 0x30, B4, u64::MAX);
}
