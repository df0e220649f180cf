//! What every device must satisfy, whatever it models. Each device's tests call [`check`].

use super::device::{Device, Initiator, Size, Socket};
use super::rng::Rng;
use parking_lot::Mutex;

/// Accesses of the random run.
const RANDOM_ACCESSES: usize = 20_000;
/// The sweep visits every byte offset of register files up to this size, and a prime stride of larger ones.
const SWEEP: u64 = 0x2000;

/// Runs all checks on devices made by `make`, whose register file is `len` bytes:
///
/// 1. reset equals new, whatever happened before;
/// 2. save and load round-trip, and cut or altered snapshots do no harm;
/// 3. every register offset takes every width, aligned or not, without a panic;
/// 4. so do random accesses, from a fixed seed.
///
/// # Panics
/// When a check fails: this is for tests.
pub fn check<D: Device>(make: impl Fn() -> D, len: u64) {
    check_socket(|| Mutex::new(make()), len);
}

/// [`check`] for devices that bring their own lock.
///
/// # Panics
/// When a check fails: this is for tests.
pub fn check_socket<S: Socket>(make: impl Fn() -> S, len: u64) {
    let fresh = saved(&make());
    let device = make();
    sweep(&device, len);
    device.reset();
    assert_eq!(
        saved(&device),
        fresh,
        "{}: reset after a sweep of the registers differs from new",
        device.name()
    );
    for seed in 0..4 {
        hammer(&device, len, seed, RANDOM_ACCESSES);
        round_trip(&device, &make);
        damage(&device, &make, len, seed);
        device.reset();
        assert_eq!(saved(&device), fresh, "{}: reset after random accesses differs from new", device.name());
    }
}

fn saved(device: &impl Socket) -> Vec<u8> {
    match device.save() {
        Ok(bytes) => bytes,
        Err(e) => panic!("{}: cannot be saved: {e}", device.name()),
    }
}

fn sweep(device: &impl Socket, len: u64) {
    let stride = if len <= SWEEP { 1 } else { 3 };
    for reg in (0..len.saturating_add(8)).step_by(stride) {
        for size in Size::ALL {
            for value in [0, u64::MAX] {
                let _ = device.write(reg, size, value & size.mask(), Initiator::Cpu(0));
                let _ = device.read(reg, size, Initiator::Cpu(0));
            }
        }
    }
    for reg in [u64::MAX, u64::MAX - 7, 1 << 63, 1 << 32] {
        for size in Size::ALL {
            let _ = device.read(reg, size, Initiator::Debugger);
            let _ = device.write(reg, size, 0, Initiator::Debugger);
        }
    }
}

/// `count` random accesses: mostly to whole registers, values often small or all ones, from several processors, some
/// of which do not exist.
pub fn hammer(device: &(impl Socket + ?Sized), len: u64, seed: u64, count: usize) {
    let mut rng = Rng::new(seed);
    for _ in 0..count {
        let size = Size::ALL[rng.below(4) as usize];
        let reg = match rng.below(8) {
            0 => rng.below(len),
            1 => rng.below(len.min(0x100)) & !3,
            _ => rng.below(len) & !(size.bytes() - 1),
        };
        let value = match rng.below(4) {
            0 => rng.below(16),
            1 => u64::MAX,
            2 => 1 << rng.below(64),
            _ => rng.draw(),
        };
        let by = match rng.below(16) {
            0 => Initiator::Cpu(rng.draw() as u16),
            1 => Initiator::Debugger,
            _ => Initiator::Cpu(rng.below(8) as u16),
        };
        if rng.below(2) == 0 {
            let _ = device.read(reg, size, by);
        } else {
            let _ = device.write(reg, size, value & size.mask(), by);
        }
    }
}

fn round_trip<S: Socket>(device: &S, make: &impl Fn() -> S) {
    let bytes = saved(device);
    let copy = make();
    if let Err(e) = copy.load(&bytes) {
        panic!("{}: refuses its own state: {e}", device.name());
    }
    assert_eq!(saved(&copy), bytes, "{}: a loaded state differs from the saved one", device.name());
}

fn damage<S: Socket>(device: &S, make: &impl Fn() -> S, len: u64, seed: u64) {
    let bytes = saved(device);
    let mut rng = Rng::new(seed);
    for _ in 0..32 {
        let mut bad = bytes.clone();
        if rng.below(4) == 0 {
            bad.truncate(rng.below(bytes.len() as u64) as usize);
        } else {
            for _ in 0..=rng.below(4) {
                let at = rng.below(bad.len() as u64) as usize;
                if let Some(byte) = bad.get_mut(at) {
                    *byte = rng.draw() as u8;
                }
            }
        }
        let copy = make();
        let before = saved(&copy);
        if copy.load(&bad).is_err() {
            assert_eq!(saved(&copy), before, "{}: a refused state changed the device", copy.name());
        }
        hammer(&copy, len, seed, 200);
    }
}
