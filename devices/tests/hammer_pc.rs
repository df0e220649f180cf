//! All PCI functions of a PC at once, used at random by several processors while they move through its address spaces,
//! are saved, loaded and reset: nothing may panic or hang.

#[allow(dead_code, reason = "each test uses a part of it")]
mod pc_board;

use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::bus::rng::Rng;
use lyrebird_devices::pci::bus::Devfn;
use pc_board::{Board, pc, q35};
use std::sync::mpsc;
use std::time::Duration;

const CPUS: u16 = 4;
const ACCESSES: u64 = 30_000;
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
    let (finished, wait) = mpsc::channel();
    let run = std::thread::spawn(move || {
        hammer(&pc(), 1);
        hammer(&q35(), 2);
        let _ = finished.send(());
    });
    let outcome = wait.recv_timeout(PATIENCE);
    assert!(outcome != Err(mpsc::RecvTimeoutError::Timeout), "the functions hang");
    run.join().unwrap();
}
