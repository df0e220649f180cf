//! All PCI functions of a PC at once, used at random by several processors while they move through its address spaces,
//! are saved, loaded and reset: nothing may panic or hang. `LYREBIRD_HAMMER_SEEDS` asks for more rounds.

#[allow(dead_code, reason = "each test uses a part of it")]
mod pc_board;

use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::bus::rng::Rng;
use lyrebird_devices::pci::bus::Devfn;
use pc_board::{Board, pc, q35};
use std::sync::mpsc;
use std::time::Duration;

const CPUS: u16 = 4;
const ACCESSES: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// Where functions are put: few places, so that they meet.
fn place(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => 0xE000_0000 + (rng.below(8) << 12),
        1 => 0xC000 + (rng.below(8) << 5),
        2 => rng.below(16) << 12, // over RAM
        _ => rng.draw(),
    }
}

fn step(board: &Board, slots: &[Devfn], cpu: u16, rng: &mut Rng) {
    let by = Initiator::Cpu(cpu);
    let size = Size::ALL[rng.below(4) as usize];
    let at = slots[rng.below(slots.len() as u64) as usize];
    let value = match rng.below(3) {
        0 => rng.below(16),
        1 => place(rng),
        _ => rng.draw(),
    };
    let find = |id| slots.iter().find(|&&slot| board.bus.config_read(0, slot, 0, Size::B4) == id);
    if rng.below(64) == 0 {
        match (find(0x2922_8086), find(0x7010_8086)) {
            (Some(&ahci), _) => drive_ahci(board, ahci, by, rng),
            (_, Some(&ide)) => drive_ide(board, ide, by, rng),
            _ => {}
        }
    }
    match rng.below(8) {
        0 => board.bus.config_write(0, at, 0x10 + 4 * rng.below(6) as usize, Size::B4, place(rng)),
        1 => board.bus.config_write(0, at, 4, Size::B2, 7),
        2 => board.bus.config_write(0, at, rng.below(0x100) as usize, size, value),
        3 => drop(board.bus.config_read(0, at, rng.below(0x100) as usize, size)),
        4 => {
            let port = [0x1F0, 0x170, 0xC000, 0xC020, 0xCF8, 0xB2, 0x600][rng.below(7) as usize];
            let port = port + rng.below(8);
            // Not the sleep states' and the reset's wires, which end nowhere here anyway.
            let _ = board.io.write(port, size, value, by);
            let _ = board.io.read(port, size, by);
        }
        5 | 6 => {
            let at = 0xE000_0000 + rng.below(0x8000);
            let _ = board.memory.write(at & !7, size, value, by);
            let _ = board.memory.read(at, size, by);
        }
        _ => {
            let _ = board.memory.dma().write(rng.below(0x1_0000) & !7, value);
        }
    }
}

/// Gives an AHCI port a list over whatever is in RAM, with commands that begin well, and issues some.
fn drive_ahci(board: &Board, at: Devfn, by: Initiator, rng: &mut Rng) {
    let dma = board.memory.dma();
    let abar = 0xF000_0000;
    board.bus.config_write(0, at, 0x24, Size::B4, abar);
    board.bus.config_write(0, at, 4, Size::B2, 6);
    let port = abar + 0x100 + 0x80 * [0, 2][rng.below(2) as usize];
    let (list, table) = (0x1000 * rng.below(8), 0x1000 * (8 + rng.below(8)));
    for slot in 0..4 {
        let header = u64::from(rng.draw() as u32 & 0x40 | 5) | (1 + rng.below(3)) << 16;
        let _ = dma.write(list + 32 * slot, header);
        let _ = dma.write(list + 32 * slot + 8, table + 0x100 * slot);
        let command = [0x25, 0x35, 0x60, 0x61, 0xA0, 0xA1, 0xC4, 0xC8, 0xEC, 0xEF, rng.below(256)]
            [rng.below(11) as usize];
        let fis = 0x8027 | command << 16 | rng.below(8) << 24 | rng.below(512) << 32 | 0x40 << 56;
        let _ = dma.write(table + 0x100 * slot, fis);
        let _ = dma.write(table + 0x100 * slot + 8, rng.below(4) << 32);
        let packet =
            [0x12, 0x25, 0x28, 0x43, 0x46, 0x4A, 0x5A, 0xA8, 0xBE, rng.below(256)][rng.below(10) as usize];
        let _ = dma.write(table + 0x100 * slot + 0x40, packet | rng.below(4) << 8 | rng.below(64) << 40);
        let _ = dma.write(table + 0x100 * slot + 0x48, rng.draw());
        for region in 0..3 {
            let entry = table + 0x100 * slot + 0x80 + 16 * region;
            let _ = dma.write(entry, rng.below(0x1_0000));
            let _ = dma.write(entry + 8, (rng.below(0x2000) | 1) << 32);
        }
    }
    for (reg, value) in [
        (0x18, 0),
        (0, list),
        (4, 0),
        (8, 0xF000),
        (0xC, 0),
        (0x18, 0x11),
        (0x14, u64::MAX),
        (0x34, rng.below(16)),
        (0x38, rng.below(16)),
    ] {
        let _ = board.memory.write(port + reg, Size::B4, value & 0xFFFF_FFFF, by);
    }
}

/// Gives an IDE drive a command and some of its data, by whatever means.
fn drive_ide(board: &Board, at: Devfn, by: Initiator, rng: &mut Rng) {
    let base = [0x1F0, 0x170][rng.below(2) as usize];
    let command =
        [0x20, 0x24, 0x30, 0x34, 0xC4, 0xC5, 0xC6, 0xC8, 0xCA, 0x25, 0x35, 0xA0, 0xA1, 0xEC, rng.below(256)];
    let put = |port: u64, size: Size, value: u64| {
        let _ = board.io.write(port, size, value, by);
    };
    for (reg, value) in
        [(6, 0xE0), (1, rng.below(4)), (2, rng.below(20)), (3, rng.below(256)), (4, rng.below(8)), (5, 0)]
    {
        put(base + reg, Size::B1, value);
    }
    put(base + 7, Size::B1, command[rng.below(command.len() as u64) as usize]);
    for _ in 0..rng.below(2000) {
        match rng.below(2) {
            0 => put(base, Size::B2, [0x28, 0x12, 0, 0x43, rng.draw() & 0xFFFF][rng.below(5) as usize]),
            _ => {
                let _ = board.io.read(base, Size::B2, by);
            }
        }
    }
    board.bus.config_write(0, at, 0x20, Size::B4, 0xD000);
    board.bus.config_write(0, at, 4, Size::B2, 5);
    let master = 0xD000 + if base == 0x1F0 { 0 } else { 8 };
    let _ = board.memory.dma().write(0x2000, rng.below(0x1_0000) | rng.below(0x1000) << 32);
    put(master + 4, Size::B4, 0x2000);
    for command in [0, 8 * rng.below(2), (8 * rng.below(2)) | 1] {
        put(master, Size::B1, command);
    }
}

fn hammer(board: &Board, seed: u64) {
    let functions = board.bus.functions();
    let slots: Vec<Devfn> = functions.iter().map(|f| f.0).collect();
    std::thread::scope(|scope| {
        for cpu in 0..CPUS {
            let slots = &slots;
            scope.spawn(move || {
                let mut rng = Rng::new(seed ^ u64::from(cpu) << 32);
                (0..ACCESSES).for_each(|_| step(board, slots, cpu, &mut rng));
            });
        }
        scope.spawn(|| {
            let mut rng = Rng::new(seed);
            for _ in 0..400 {
                for (_, function) in &functions {
                    let state = function.save().unwrap();
                    match rng.below(16) {
                        0 => function.reset(),
                        1..4 => function.load(&state).unwrap(),
                        _ => {}
                    }
                }
                assert!(board.bus.info().contains("PCI device 8086"));
                assert!(board.memory.mtree().contains("ram"));
                std::thread::yield_now();
            }
        });
    });
    for (_, function) in &functions {
        function.reset();
    }
    let moved: Vec<String> =
        board.memory.mtree().lines().filter(|line| line.contains("region")).map(String::from).collect();
    assert!(moved.is_empty(), "windows are left after a reset: {moved:?}");
}

#[test]
fn functions_move_while_they_are_used() {
    let seeds: u64 = std::env::var("LYREBIRD_HAMMER_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (finished, wait) = mpsc::channel();
    let run = std::thread::spawn(move || {
        for seed in (0..2 * seeds).step_by(2) {
            hammer(&pc(), seed + 1);
            hammer(&q35(), seed + 2);
        }
        let _ = finished.send(());
    });
    let outcome = wait.recv_timeout(PATIENCE);
    assert!(outcome != Err(mpsc::RecvTimeoutError::Timeout), "the functions hang");
    run.join().unwrap();
}
