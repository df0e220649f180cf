//! The exclusive monitor with several processors, and of pairs.
//!
//! A table of versions, indexed by a hash of the physical address, stands in for the global monitor: a load-exclusive
//! notes the version, a store-exclusive or atomic of any processor advances it, and a store-exclusive succeeds only if
//! the version is still the noted one and memory still holds what was loaded. The first catches values that went away
//! and came back through exclusives and atomics; the second catches plain stores of other values. A plain store that
//! puts the loaded value back is not seen.

use super::{Arm64, state};
use crate::core::{Core, Raised};
use crate::emit::{Access, Effects, Emitter, Helper};
use crate::width::{W8, W16, W32, W64, W128};
use std::sync::atomic::{AtomicU32, Ordering};

const CELLS: usize = 256;

/// Versions of all addresses, by hash; an odd version is held by a store-exclusive in progress.
pub struct Versions(Box<[AtomicU32]>);

impl Default for Versions {
    fn default() -> Self {
        Self((0..CELLS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl Versions {
    fn cell(&self, at: u64) -> &AtomicU32 {
        // Pages are mapped anywhere, but an address keeps its offset in the page, and that alone spreads well enough:
        // processors may reach one place through different virtual addresses.
        &self.0[(at >> 4) as usize & 0xFF]
    }

    /// The version once no store-exclusive holds it.
    fn settled(&self, at: u64) -> u32 {
        loop {
            let v = self.cell(at).load(Ordering::SeqCst);
            if v & 1 == 0 {
                return v;
            }
            std::hint::spin_loop();
        }
    }
}

/// Loads `1 << size` bytes (0 to 4) exclusively: the low half is the result, the high half goes to `EXCL_HIGH`.
pub static LOAD: Helper<Arm64> = Helper { name: "load_exclusive", effects: Effects::FAULTS, run: load };
/// Stores `1 << size` bytes exclusively: 0 when it succeeded, else 1.
pub static STORE: Helper<Arm64> = Helper { name: "store_exclusive", effects: Effects::FAULTS, run: store };
/// Says that an atomic instruction wrote to an address.
pub static NOTICE: Helper<Arm64> = Helper { name: "notice_atomic", effects: Effects::NONE, run: notice };

fn load(core: &mut Core<Arm64>, at: u64, size: u64, _: u64) -> Result<u64, Raised> {
    // One processor sees its own stores: address and value are enough.
    let version = if core.arch.smp { core.arch.versions.settled(at) } else { 0 };
    let k = Access::ACQUIRE;
    let v = match size {
        0 => core.load::<W8>(k, at)? as u128,
        1 => core.load::<W16>(k, at)? as u128,
        2 => core.load::<W32>(k, at)? as u128,
        3 => core.load::<W64>(k, at)? as u128,
        // A compare-and-exchange of equal values is how the host reads 16 bytes at once; where the page is read-only
        // the pair is read plainly.
        _ => core.load::<W128>(k, at)?,
    };
    core.set(state::EXCL_ADDR, at);
    core.set(state::EXCL_LOW, v as u64);
    core.set(state::EXCL_HIGH, (v >> 64) as u64);
    core.set(state::EXCL_VERSION, version);
    Ok(v as u64)
}

fn store(core: &mut Core<Arm64>, at: u64, size: u64, low: u64) -> Result<u64, Raised> {
    if core.reg(state::EXCL_ADDR) != at {
        core.set(state::EXCL_ADDR, state::NO_MONITOR);
        return Ok(1);
    }
    let version = core.reg(state::EXCL_VERSION);
    let versions = std::sync::Arc::clone(&core.arch.versions);
    let cell = versions.cell(at);
    let smp = core.arch.smp;
    if smp && cell.compare_exchange(version, version | 1, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        core.set(state::EXCL_ADDR, state::NO_MONITOR);
        return Ok(1);
    }
    let seen = core.reg(state::EXCL_LOW) as u128 | (core.reg(state::EXCL_HIGH) as u128) << 64;
    let new = low as u128 | (core.reg(state::EXCL_NEW_HIGH) as u128) << 64;
    let k = Access::RELEASE;
    let done = match size {
        0 => core.cas::<W8>(k, at, seen as u8, new as u8).map(|old| old == seen as u8),
        1 => core.cas::<W16>(k, at, seen as u16, new as u16).map(|old| old == seen as u16),
        2 => core.cas::<W32>(k, at, seen as u32, new as u32).map(|old| old == seen as u32),
        3 => core.cas::<W64>(k, at, seen as u64, low).map(|old| old == seen as u64),
        _ => core.cas::<W128>(k, at, seen, new).map(|old| old == seen),
    };
    // Whatever happened, the version moves on: another processor's reservation of this cell is lost.
    if smp {
        cell.store((version | 1).wrapping_add(1), Ordering::SeqCst);
    }
    let done = done?;
    core.set(state::EXCL_ADDR, state::NO_MONITOR);
    Ok(!done as u64)
}

fn notice(core: &mut Core<Arm64>, at: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let versions = &core.arch.versions;
    loop {
        let v = versions.settled(at);
        let moved =
            versions.cell(at).compare_exchange(v, v.wrapping_add(2), Ordering::SeqCst, Ordering::SeqCst);
        if moved.is_ok() {
            return Ok(0);
        }
    }
}
