//! Every device at once, used at random from several processors, while time passes, people type and press buttons, and
//! the machine is saved, restored and reset. Nothing may panic, hang, or leave a state that cannot be saved.

mod common;

use common::{Board, Gic};
use lyrebird_devices::block::{ImageOptions, open};
use lyrebird_devices::bus::clock::{Clock, VTime};
use lyrebird_devices::bus::device::{Initiator, Size, share};
use lyrebird_devices::bus::dma::Dma;
use lyrebird_devices::bus::rng::Rng;
use lyrebird_devices::cfi_flash::{CfiFlash, Medium, SECTOR};
use lyrebird_devices::char::{CharPort, Null};
use lyrebird_devices::fw_cfg::FwCfg;
use lyrebird_devices::intc::gicv3::icc::Icc;
use lyrebird_devices::virtio::blk::{Blk, BlkOptions};
use lyrebird_devices::virtio::console::{Console, Port};
use lyrebird_devices::virtio::device::VirtioDevice;
use lyrebird_devices::virtio::mmio::{LEN as VIRTIO_LEN, VirtioMmio};
use lyrebird_devices::virtio::rng::{Rng as Entropy, RngOptions};
use lyrebird_ram::GuestRam;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const CPUS: u64 = 4;
const ACCESSES: usize = 60_000;
const RAM: u64 = 0x4000_0000;
const RAM_LEN: u64 = 0x10_0000;
/// Long enough for a loaded machine; the test takes a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// Four sectors.
const FLASH_LEN: u64 = 4 * SECTOR;

/// Devices of the board with their address and length.
const SPANS: [(u64, u64); 10] = [
    (0x400_0000, FLASH_LEN),
    (0x800_0000, 0x1_0000),
    (0x801_0000, 0x2000),
    (0x80a_0000, 0x10_0000),
    (0x900_0000, 0x1000),
    (0x901_0000, 0x1000),
    (0x902_0000, FwCfg::LEN),
    (0x903_0000, 0x1000),
    (0xa00_0000, 4 * VIRTIO_LEN),
    (RAM, 0x4000),
];

fn board(gic: Gic, clock: &Clock, disk: &std::path::Path) -> Board {
    let board = Board::new(gic, clock);
    let ram = GuestRam::new(RAM_LEN).unwrap();
    board.space.add_ram("ram", RAM, ram).unwrap();
    let dma = board.space.dma();
    let mut cfg = FwCfg::new(dma.clone());
    cfg.add_file("opt/test", vec![1; 3000]).unwrap();
    cfg.add_writable("opt/written", vec![0; 64], Box::new(|_| {})).unwrap();
    board.space.add_device(0x902_0000, FwCfg::LEN, share(cfg)).unwrap();

    let flash = CfiFlash::new(FLASH_LEN, Medium::blank());
    board.space.add_device(0x400_0000, FLASH_LEN, share(flash)).unwrap();

    let image = open(&ImageOptions::new(disk)).unwrap();
    let mut console = Console::new(2);
    console
        .add_port(Some(0), Port { console: true, name: String::new(), chardev: Some(Arc::new(Null)) })
        .unwrap();
    let devices: [Box<dyn VirtioDevice>; 3] = [
        Box::new(Blk::new(image, BlkOptions::default())),
        Box::new(console),
        Box::new(Entropy::new(RngOptions { seed: Some(1), limit: None })),
    ];
    for (i, device) in (0u32..).zip(devices) {
        let wire = board.gic.spi(16 + i, "virtio");
        let transport = VirtioMmio::new(device, dma.clone(), wire, i == 1);
        board.space.add_device(0xa00_0000 + u64::from(i) * VIRTIO_LEN, VIRTIO_LEN, share(transport)).unwrap();
    }
    board
}

/// Registers and values that a driver would use are more likely than others, so that the run gets somewhere.
fn use_devices(board: &Board, dma: &Dma, cpu: u16, rng: &mut Rng) {
    let (base, len) = SPANS[rng.below(SPANS.len() as u64) as usize];
    let size = Size::ALL[rng.below(4) as usize];
    let address = match rng.below(4) {
        0 => base + rng.below(len),
        _ => base + (rng.below(len.min(0x400)) & !3),
    };
    let value = match rng.below(5) {
        0 => rng.below(16),
        1 => u64::MAX,
        2 => 1 << rng.below(64),
        3 => RAM + (rng.below(RAM_LEN) & !0xfff),
        _ => rng.draw(),
    };
    let by = Initiator::Cpu(cpu);
    match rng.below(8) {
        0..=2 => {
            let _ = board.space.read(address, size, by);
        }
        3 => {
            let _ = dma.write(RAM + (rng.below(0x4000) & !7), value);
        }
        4 => drive_virtio(board, by, rng),
        5 => {
            if let Gic::V3(gic) = &board.gic {
                let reg = Icc::from_encoding(12, rng.below(16) as u8, rng.below(8) as u8).unwrap_or(Icc::Pmr);
                let _ = gic.icc_read(cpu.into(), reg);
                let _ = gic.icc_write(cpu.into(), reg, value);
            }
        }
        _ => {
            let _ = board.space.write(address, size, value, by);
        }
    }
}

/// Sets a queue up over whatever is in RAM, and rings its bell.
fn drive_virtio(board: &Board, by: Initiator, rng: &mut Rng) {
    let base = 0xa00_0000 + rng.below(3) * VIRTIO_LEN;
    let w = |reg: u64, value: u64| {
        let _ = board.space.write(base + reg, Size::B4, value, by);
    };
    let page = |rng: &mut Rng| RAM + (rng.below(0x4000) & !0xf);
    w(0x70, 0);
    for status in [1, 3] {
        w(0x70, status);
    }
    w(0x24, 1);
    w(0x20, 1);
    w(0x70, 11);
    w(0x30, rng.below(3));
    w(0x38, 1 << rng.below(8));
    w(0x40, page(rng) >> 12);
    for reg in [0x80, 0x90, 0xa0] {
        w(reg, page(rng));
        w(reg + 4, 0);
    }
    w(0x44, 1);
    w(0x70, 15);
    w(0x50, rng.below(3));
}

/// Runs one board to the end.
fn hammer(gic: Gic, seed: u64, disk: &std::path::Path) {
    let clock = Clock::stepped();
    let board = board(gic, &clock, disk);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (board, done, clock) = (&board, &done, &clock);
        let people = scope.spawn(move || {
            let mut rng = Rng::new(seed);
            while !done.load(Ordering::Relaxed) {
                clock.advance_to(VTime(clock.now().0 + rng.below(VTime::SECOND)));
                clock.run_expired(clock.now());
                match rng.below(8) {
                    0 => board.button.lock().press(),
                    1 => board.uart.receive_break(),
                    2 => {
                        assert!(board.gic.intc().info().contains("gic"));
                        assert!(
                            board.space.mtree().contains("pl011") && board.space.qtree().contains("pl011")
                        );
                    }
                    3 => {
                        for socket in board.space.sockets() {
                            let state = socket.save().unwrap();
                            if rng.below(2) == 0 {
                                socket.load(&state).unwrap();
                            }
                        }
                    }
                    4 if rng.below(16) == 0 => board.space.sockets().iter().for_each(|s| s.reset()),
                    _ => drop(board.uart.receive(b"typed")),
                }
                std::thread::yield_now();
            }
        });
        let cpus: Vec<_> = (0..CPUS as u16)
            .map(|cpu| {
                scope.spawn(move || {
                    let dma = board.space.dma();
                    let mut rng = Rng::new(seed ^ u64::from(cpu) << 32);
                    (0..ACCESSES).for_each(|_| use_devices(board, &dma, cpu, &mut rng));
                })
            })
            .collect();
        cpus.into_iter().for_each(|cpu| cpu.join().unwrap());
        done.store(true, Ordering::Relaxed);
        people.join().unwrap();
    });
    for socket in board.space.sockets() {
        socket.reset();
        let state = socket.save().unwrap();
        socket.load(&state).unwrap();
    }
}

#[test]
fn all_devices_at_random_from_several_processors() {
    let disk = std::env::temp_dir().join(format!("lyrebird-hammer-{}.img", std::process::id()));
    std::fs::write(&disk, vec![0; 1 << 20]).unwrap();
    let (finished, wait) = mpsc::channel();
    let path = disk.clone();
    let run = std::thread::spawn(move || {
        hammer(Gic::v2(CPUS as usize), 1, &path);
        hammer(Gic::v3(CPUS), 2, &path);
        let _ = finished.send(());
    });
    let outcome = wait.recv_timeout(PATIENCE);
    let _ = std::fs::remove_file(&disk);
    assert!(outcome != Err(mpsc::RecvTimeoutError::Timeout), "the devices hang");
    run.join().unwrap();
}
