//! The exclusive monitor with several processors, and of pairs; and atomic instructions, as far as it must notice them.
//!
//! A table of cells, indexed by a hash of the address, stands in for the global monitor. A cell holds a version and the
//! number of atomic instructions under way. A load-exclusive notes the cell; a store-exclusive succeeds only if the cell
//! is the same, nothing is under way, and memory still holds what was loaded. The first catches values that went away
//! and came back through exclusives and atomics of any processor, however they overlap; the last catches plain stores
//! of other values. A plain store that puts the loaded value back is not seen.

use super::{Arm64, state};
use crate::core::{Core, Raised};
use crate::emit::{Access, Effects, Emitter, Helper};
use crate::width::{W8, W16, W32, W64, W128};
use lyrebird_ram::AtomicOp;
use std::sync::atomic::{AtomicU64, Ordering};

const CELLS: usize = 256;
/// In a cell: a store-exclusive is under way.
const HELD: u64 = 1 << 15;
/// In a cell: what is under way.
const BUSY: u64 = 0xFFFF;
/// In a cell: one version.
const VERSION: u64 = 1 << 16;
/// What no cell holds that a store-exclusive may take.
const LOST: u64 = BUSY;

/// A cell, alone in its line of the host's cache.
#[derive(Default)]
#[repr(align(64))]
struct Cell(AtomicU64);

/// The cells of all addresses, by hash.
pub struct Versions(Box<[Cell]>);

impl Default for Versions {
    fn default() -> Self {
        Self((0..CELLS).map(|_| Cell::default()).collect())
    }
}

impl Versions {
    fn cell(&self, at: u64) -> &AtomicU64 {
        // Pages are mapped anywhere, but an address keeps its offset in the page, and that alone spreads well enough:
        // processors may reach one place through different virtual addresses.
        &self.0[(at >> 4) as usize & (CELLS - 1)].0
    }

    /// What a load-exclusive notes.
    fn note(&self, at: u64) -> u64 {
        let v = self.cell(at).load(Ordering::SeqCst);
        if v & BUSY == 0 { v } else { LOST }
    }

    /// Does something atomic to what is at an address.
    fn during<T>(&self, at: u64, act: impl FnOnce() -> T) -> T {
        let cell = self.cell(at);
        let mut v = cell.load(Ordering::Relaxed);
        let mut tries = 0u32;
        loop {
            if v & HELD == 0 {
                match cell.compare_exchange_weak(v, v + 1, Ordering::SeqCst, Ordering::Relaxed) {
                    Ok(_) => break,
                    Err(now) => v = now,
                }
                continue;
            }
            // Its thread may have lost the host's processor.
            tries += 1;
            if tries.is_multiple_of(64) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
            v = cell.load(Ordering::Relaxed);
        }
        let result = act();
        cell.fetch_add(VERSION - 1, Ordering::SeqCst);
        result
    }

    /// Does the exchange of a store-exclusive if the cell is as noted; `None` if it is not.
    fn hold<T>(&self, at: u64, noted: u64, exchange: impl FnOnce() -> T) -> Option<T> {
        let cell = self.cell(at);
        if noted & BUSY != 0 {
            return None;
        }
        cell.compare_exchange(noted, noted | HELD, Ordering::SeqCst, Ordering::SeqCst).ok()?;
        let result = exchange();
        // Whatever happened, the version moves on: another processor's reservation of this cell is lost.
        cell.store(noted.wrapping_add(VERSION), Ordering::SeqCst);
        Some(result)
    }
}

/// Loads `1 << size` bytes (0 to 4) exclusively: the low half is the result, the high half goes to `EXCL_HIGH`.
pub static LOAD: Helper<Arm64> = Helper { name: "load_exclusive", effects: Effects::FAULTS, run: load };
/// Stores `1 << size` bytes exclusively: 0 when it succeeded, else 1.
pub static STORE: Helper<Arm64> = Helper { name: "store_exclusive", effects: Effects::FAULTS, run: store };
/// Updates memory where other processors have monitors: arguments are address, operand, and as [`update_code`] packs
/// them, operation and log2 of the size (0 to 3).
pub static UPDATE: Helper<Arm64> = Helper { name: "atomic_update", effects: Effects::FAULTS, run: update };
/// Compares and exchanges where other processors have monitors: arguments are address, expected value (low half; the
/// high one is in `SWAP_HIGH`), and log2 of the size (0 to 4). The new value is in `SWAP_LOW` and `EXCL_NEW_HIGH`. The
/// low half of the old value is the result, the high half goes to `SWAP_HIGH`.
pub static EXCHANGE: Helper<Arm64> =
    Helper { name: "atomic_exchange", effects: Effects::FAULTS, run: exchange };

fn load(core: &mut Core<Arm64>, at: u64, size: u64, _: u64) -> Result<u64, Raised> {
    // One processor sees its own stores: address and value are enough.
    let version = if core.arch.smp { core.arch.versions.note(at) } else { 0 };
    let k = Access::ACQUIRE;
    let v = match size {
        0 => core.load::<W8>(k, at)? as u128,
        1 => core.load::<W16>(k, at)? as u128,
        2 => core.load::<W32>(k, at)? as u128,
        3 => core.load::<W64>(k, at)? as u128,
        // A pair is loaded in one piece only if the store-exclusive succeeds, which compares it.
        _ => core.load::<W128>(k, at)?,
    };
    core.set(state::EXCL_ADDR, at);
    core.set(state::EXCL_LOW, v as u64);
    core.set(state::EXCL_HIGH, (v >> 64) as u64);
    core.set(state::EXCL_VERSION, version);
    Ok(v as u64)
}

fn compare_and_swap(
    core: &mut Core<Arm64>,
    at: u64,
    size: u64,
    seen: u128,
    new: u128,
    k: Access,
) -> Result<u128, Raised> {
    match size {
        0 => core.cas::<W8>(k, at, seen as u8, new as u8).map(u128::from),
        1 => core.cas::<W16>(k, at, seen as u16, new as u16).map(u128::from),
        2 => core.cas::<W32>(k, at, seen as u32, new as u32).map(u128::from),
        3 => core.cas::<W64>(k, at, seen as u64, new as u64).map(u128::from),
        _ => core.cas::<W128>(k, at, seen, new),
    }
}

fn join(low: u64, high: u64) -> u128 {
    low as u128 | (high as u128) << 64
}

fn store(core: &mut Core<Arm64>, at: u64, size: u64, low: u64) -> Result<u64, Raised> {
    if core.reg(state::EXCL_ADDR) != at {
        core.set(state::EXCL_ADDR, state::NO_MONITOR);
        return Ok(1);
    }
    let bits = 8u32 << size;
    let mask = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
    let seen = join(core.reg(state::EXCL_LOW), core.reg(state::EXCL_HIGH)) & mask;
    let new = join(low, core.reg(state::EXCL_NEW_HIGH));
    let swap = |core: &mut Core<Arm64>| compare_and_swap(core, at, size, seen, new, Access::EXCLUSIVE);
    let done = if core.arch.smp {
        let versions = std::sync::Arc::clone(&core.arch.versions);
        versions.hold(at, core.reg(state::EXCL_VERSION), || swap(core))
    } else {
        Some(swap(core))
    };
    let stored = done.transpose()?.is_some_and(|old| old == seen);
    core.set(state::EXCL_ADDR, state::NO_MONITOR);
    Ok(!stored as u64)
}

/// The last argument of [`UPDATE`].
pub const fn update_code(op: AtomicOp, size: u32) -> u64 {
    (op as u64) << 8 | size as u64
}

fn update(core: &mut Core<Arm64>, at: u64, v: u64, code: u64) -> Result<u64, Raised> {
    const OPS: [AtomicOp; 9] = [
        AtomicOp::Add,
        AtomicOp::And,
        AtomicOp::Or,
        AtomicOp::Xor,
        AtomicOp::Smax,
        AtomicOp::Smin,
        AtomicOp::Umax,
        AtomicOp::Umin,
        AtomicOp::Swap,
    ];
    let op = OPS.into_iter().find(|&op| op as u64 == code >> 8).unwrap_or(AtomicOp::Swap);
    let versions = std::sync::Arc::clone(&core.arch.versions);
    let k = Access::ATOMIC;
    versions.during(at, || match code & 3 {
        0 => core.rmw::<W8>(k, op, at, v as u8).map(u64::from),
        1 => core.rmw::<W16>(k, op, at, v as u16).map(u64::from),
        2 => core.rmw::<W32>(k, op, at, v as u32).map(u64::from),
        _ => core.rmw::<W64>(k, op, at, v),
    })
}

fn exchange(core: &mut Core<Arm64>, at: u64, low: u64, size: u64) -> Result<u64, Raised> {
    let expected = join(low, core.reg(state::SWAP_HIGH));
    let new = join(core.reg(state::SWAP_LOW), core.reg(state::EXCL_NEW_HIGH));
    let versions = std::sync::Arc::clone(&core.arch.versions);
    let old = versions.during(at, || compare_and_swap(core, at, size, expected, new, Access::ATOMIC))?;
    core.set(state::SWAP_HIGH, (old >> 64) as u64);
    Ok(old as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_atomic_ends_a_reservation() {
        let cells = Versions::default();
        let noted = cells.note(0x1230);
        assert_eq!(cells.hold(0x1230, noted, || 5), Some(5));
        assert_eq!(cells.hold(0x1230, noted, || 5), None, "a store-exclusive came between");
        let noted = cells.note(0x1230);
        cells.during(0x9238, || {
            assert_eq!(cells.note(0x1230), LOST, "an update is under way");
            assert_eq!(cells.hold(0x1230, noted, || 5), None);
            // Updates do not wait for each other.
            cells.during(0x1230, || ());
        });
        assert_eq!(cells.hold(0x1230, noted, || 5), None, "an update came between");
        let noted = cells.note(0x1230);
        assert_eq!(noted & BUSY, 0);
        cells.during(0x1240, || assert_eq!(cells.hold(0x1230, noted, || 5), Some(5), "it is another's"));
        assert_eq!(cells.hold(0x1230, LOST, || 5), None);
    }
}
