//! What drivers of a PC's old chips do, with values that no driver would use.

use crate::board::{Pc, RAM};
use crate::value;
use lyrebird_devices::bus::device::Size::{self, B1, B2, B4, B8};
use lyrebird_devices::bus::rng::Rng;

fn one_of<T: Copy>(of: &[T], rng: &mut Rng) -> T {
    of[rng.below(of.len() as u64) as usize]
}

/// A transfer of a diskette: DMA channel 2, then a command with its parameters, and its result. Three in four are set up as
/// a driver does it.
pub fn floppy(pc: &Pc, rng: &mut Rng) {
    let wild = rng.below(4) == 0;
    let command = |bytes: &[u64]| bytes.iter().for_each(|byte| pc.out(0x3F5, B1, *byte));
    let read = |count: u64| (0..count).for_each(|_| _ = pc.inp(0x3F5, B1));
    let (cylinder, head) = (rng.below(80), rng.below(2));
    if wild {
        pc.out(0x3F2, B1, value(rng));
    } else {
        pc.out(0x3F2, B1, 0);
        pc.out(0x3F2, B1, 0x1C);
        pc.out(0x3F7, B1, 0);
        pc.pass(1_000_000);
        for _ in 0..4 {
            command(&[8]);
            read(2);
        }
        command(&[3, 0xDF, 2]);
        for seek in [&[7, 0][..], &[0xF, head << 2, cylinder]] {
            command(seek);
            pc.pass(2_000_000_000);
            command(&[8]);
            read(2);
        }
    }
    let modes = [0x46, 0x4A, 0x56, 0x5A, 0x02, 0xC6, rng.below(256)];
    let writes = rng.below(2) == 0;
    pc.out(0xD4, B1, 0);
    pc.out(0x0A, B1, 6);
    pc.out(0x0B, B1, if wild { one_of(&modes, rng) } else { [0x46, 0x4A][usize::from(writes)] });
    pc.out(0x0C, B1, 0);
    for (port, byte) in [(4, 0), (4, 0), (5, 0xFF), (5, rng.below(0x20)), (0x81, rng.below(16))] {
        pc.out(port, B1, if wild { value(rng) } else { byte });
    }
    pc.out(0x0A, B1, 2);
    let commands =
        [0xE6, 0x46, 0xC5, 0x4D, 7, 0xF, 8, 3, 0x13, 0xE, 0x94, 0x4A, 0x56, 0x51, 0x12, rng.below(256)];
    let code = [0xE6, 0xC5][usize::from(writes)];
    pc.out(0x3F5, B1, if wild { one_of(&commands, rng) } else { code });
    for parameter in [head << 2, cylinder, head, 1 + rng.below(18), 2, 18, 0x1B, 0xFF] {
        let odd = value(rng);
        pc.out(0x3F5, B1, if rng.below(64) == 0 { odd } else { parameter });
        let _ = pc.inp(0x3F4, B1);
    }
    pc.pass(rng.below(1_000_000_000));
    for _ in 0..rng.below(if wild { 600 } else { 12 }) {
        let _ = pc.inp(0x3F5, B1);
        if wild && rng.below(64) == 0 {
            pc.out(0x3F5, B1, rng.below(256));
        }
    }
}

/// Registers of the VGA and its extensions, and a look at what comes of it.
pub fn screen(pc: &Pc, rng: &mut Rng) {
    for _ in 0..rng.below(40) {
        let (index, last) = one_of(&[(0x3C4, 8), (0x3CE, 16), (0x3D4, 32), (0x3B4, 32)], rng);
        pc.out(index, B1, rng.below(last));
        pc.out(index + 1, B1, value(rng));
    }
    for _ in 0..rng.below(8) {
        let _ = pc.inp(0x3DA, B1);
        pc.out(0x3C0, B1, rng.below(0x40));
        pc.out(0x3C0, B1, value(rng));
        pc.out(0x3C2, B1, value(rng));
    }
    if rng.below(2) == 0 {
        for _ in 0..rng.below(12) {
            let sizes = [0, 1, 7, 640, 800, 1600, 2560, 0xFFFF, rng.below(0x1_0000)];
            let depths = [4, 8, 15, 16, 24, 32, 0];
            let index = rng.below(12);
            pc.out(0x1CE, B2, index);
            let value = match index {
                3 => one_of(&depths, rng),
                4 => rng.below(0x100),
                _ => one_of(&sizes, rng),
            };
            pc.out(0x1CF, B2, value);
        }
    }
    for _ in 0..rng.below(64) {
        let at = 0xA_0000 + rng.below(0x2_0000);
        let size = one_of(&Size::ALL, rng);
        pc.store(at, size, value(rng));
        let _ = pc.load(at, size);
    }
    pc.draw();
}

/// Timers that fire as often as they can, and time.
pub fn timers(pc: &Pc, rng: &mut Rng) {
    // 8254: a mode and a count that is often short.
    let channel = rng.below(3);
    pc.out(0x43, B1, channel << 6 | 0x30 | rng.below(16));
    let count = one_of(&[0, 1, 2, 3, 0x100, 0xFFFF, rng.below(0x1_0000)], rng);
    pc.out(0x40 + channel, B1, count);
    pc.out(0x40 + channel, B1, count >> 8);
    pc.out(0x61, B1, rng.below(16));
    // MC146818: rates and alarms.
    for _ in 0..rng.below(8) {
        pc.out(0x70, B1, rng.below(0x80));
        pc.out(0x71, B1, value(rng));
    }
    // HPET.
    let hpet = 0xFED0_0000;
    if rng.below(2) == 0 {
        for _ in 0..rng.below(8) {
            let timer = hpet + 0x100 + 0x20 * rng.below(3);
            pc.store(timer, B4, rng.below(0x8000) | 4);
            pc.store(timer + 8, one_of(&[B4, B8], rng), value(rng));
            pc.store(timer + 0x10, B8, value(rng));
        }
        pc.store(hpet + 0xF0, B8, value(rng));
        pc.store(hpet + 0x10, B8, rng.below(4));
    }
    // The local APIC's.
    pc.store(0xFEE0_0320, B4, one_of(&[0x2_0030, 0x30, 0x4_0030, value(rng)], rng));
    pc.store(0xFEE0_03E0, B4, rng.below(16));
    pc.store(0xFEE0_0380, B4, one_of(&[0, 1, 2, 0xFFFF_FFFF, value(rng)], rng));
    // The timer of power management.
    for port in [0x608, 0x600, 0x602] {
        let _ = pc.inp(port, B4);
    }
    for _ in 0..rng.below(40) {
        pc.pass(rng.below(2_000_000));
        let _ = (pc.inp(0x40 + channel, B1), pc.load(hpet + 0xF0, B8), pc.load(0xFEE0_0390, B4));
    }
}

/// Interrupt controllers: routes, commands, messages.
pub fn interrupts(pc: &Pc, rng: &mut Rng) {
    for port in [0x20, 0xA0] {
        if rng.below(2) == 0 {
            pc.out(port, B1, 0x10 | rng.below(16));
            (0..4).for_each(|_| pc.out(port + 1, B1, value(rng)));
        }
        (0..rng.below(8)).for_each(|_| pc.out(port, B1, value(rng)));
        let _ = (pc.inp(port, B1), pc.inp(port + 1, B1));
    }
    pc.out(0x4D0, B2, value(rng));
    let io_apic = 0xFEC0_0000;
    for _ in 0..rng.below(32) {
        pc.store(io_apic, B4, rng.below(0x50));
        pc.store(io_apic + 0x10, B4, value(rng));
        pc.store(io_apic + 0x40, B4, value(rng));
    }
    for _ in 0..rng.below(32) {
        let reg = 0xFEE0_0000 + 16 * rng.below(0x40);
        pc.store(reg, B4, value(rng));
        let _ = pc.load(reg, B4);
    }
    pc.store(0xFEE0_0310, B4, value(rng));
    pc.store(0xFEE0_0300, B4, value(rng));
    // Lines of the test device.
    (0..rng.below(16)).for_each(|_| pc.out(0x2000 + rng.below(24), B1, rng.below(2)));
}

/// fw_cfg by its ports and by DMA with garbage for a descriptor.
pub fn fw_cfg(pc: &Pc, rng: &mut Rng) {
    pc.out(0x510, B2, one_of(&[0, 1, 0x19, 0x20 + rng.below(32), value(rng)], rng));
    (0..rng.below(64)).for_each(|_| _ = pc.inp(0x511, B1));
    let at = one_of(&[0x1000, 0x1004, RAM - 8, RAM - 16, RAM, 0xA_0000, 0xFFFF_FFF8, u64::MAX - 3], rng);
    let control = one_of(&[2, 4, 8, 0x10, 0xA, 0xE, 0x1A, rng.below(0x40)], rng) | rng.below(0x60) << 16;
    let len = one_of(&[0, 1, 8, 0x1000, 0x10_0000, 0xFFFF_FFFF, rng.draw() & 0xFFFF_FFFF], rng);
    let to = one_of(&[0x2000, 0, RAM - 4, RAM, 0xFEE0_0000, 0xA_0000, u64::MAX - 0xFFF, rng.draw()], rng);
    pc.poke(at, (control << 32 | len).swap_bytes());
    pc.poke(at.wrapping_add(8), to.swap_bytes());
    pc.out(0x514, B4, u64::from(((at >> 32) as u32).swap_bytes()));
    pc.out(0x518, B4, u64::from((at as u32).swap_bytes()));
}

/// The keyboard controller with keys and a mouse.
pub fn keyboard(pc: &Pc, rng: &mut Rng) {
    for _ in 0..rng.below(12) {
        let commands = [0x20, 0x60, 0xA7, 0xA8, 0xAA, 0xAB, 0xAD, 0xAE, 0xC0, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4];
        pc.out(0x64, B1, if rng.below(4) == 0 { value(rng) } else { one_of(&commands, rng) });
        let bytes = [0xED, 0xEE, 0xF0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xFF, 0xE8, 0xE9, 0xEB, 0xEC, 0xF8];
        pc.out(0x60, B1, if rng.below(4) == 0 { value(rng) } else { one_of(&bytes, rng) });
        pc.touch(rng);
        let _ = (pc.inp(0x64, B1), pc.inp(0x60, B1));
    }
    pc.out(0x92, B1, rng.below(4));
}

/// Serial lines at all speeds, with input.
pub fn serial(pc: &Pc, rng: &mut Rng) {
    let base = one_of(&[0x3F8, 0x2F8], rng);
    pc.out(base + 3, B1, 0x80);
    pc.out(base, B2, value(rng));
    pc.out(base + 3, B1, value(rng) & 0x7F);
    pc.out(base + 2, B1, value(rng));
    pc.out(base + 1, B1, rng.below(16));
    pc.out(base + 4, B1, rng.below(32));
    for _ in 0..rng.below(40) {
        pc.receive(rng);
        pc.out(base, B1, value(rng));
        pc.pass(rng.below(1_000_000));
        let _ = pc.inp(base + rng.below(8), B1);
    }
}
