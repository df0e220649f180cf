//! The seam between Rust and compiled code: entering it, and the functions that it calls.
#![allow(unsafe_code, reason = "the entry thunk, and pointers that compiled code passes")]

use crate::engine::Jit;
use crate::guest::Guest;
use crate::host::x64::asm::BIAS;
use crate::host::{Site, Why};
use crate::ir::{VecForm, access};
use crate::words;
use lyrebird_cpu::core::{Core, Raised};
use lyrebird_cpu::emit::{Access, Emitter, Exception, Helper};
use lyrebird_cpu::width::W128;

/// Enters compiled code at `code` through the entry routine at `entry`.
///
/// Both addresses must come from the code buffer that compiled for this guest, and the code must not be released
/// before this returns; [`crate::cache::Cache`] sees to that.
pub(crate) fn enter<A: Guest>(core: &mut Core<A>, entry: u64, code: u64) -> Why {
    type Entry = extern "sysv64" fn(*mut u8, u64) -> u64;
    // SAFETY: `entry` is the entry routine's address in the executable mapping, which has this signature.
    let entry = unsafe { std::mem::transmute::<usize, Entry>(entry as usize) };
    let file = std::ptr::from_mut(core).cast::<u8>().wrapping_add(BIAS as usize);
    Why::of(entry(file, code))
}

/// A load that missed the TLB. Gives 0, or why to leave.
pub(crate) extern "sysv64" fn load<A: Guest>(core: &mut Core<A>, _: u64) -> u64 {
    let site = Site::unpack(core.reg(words::SITE) as u32);
    let (at, size, k) = (core.reg(words::ADDRESS), 1u64 << site.log2, access(site.access));
    match loads(core, site, at, size, k) {
        Ok(()) => 0,
        Err(Raised) => Why::Fault as u64,
    }
}

fn loads<A: Guest>(core: &mut Core<A>, site: Site, at: u64, size: u64, k: Access) -> Result<(), Raised> {
    let first = core.load_slow(at, size, k)?;
    if site.pair {
        let second = core.load_slow(at.wrapping_add(size), size, k)?;
        core.set(words::VALUE2.cast::<W128>(), second);
    }
    core.set(words::VALUE.cast::<W128>(), first);
    Ok(())
}

/// A store that missed the TLB. A store that would hit code is not done: its instruction is interpreted, so that the
/// engine sees the code change between two instructions.
pub(crate) extern "sysv64" fn store<A: Guest>(core: &mut Core<A>, _: u64) -> u64 {
    let site = Site::unpack(core.reg(words::SITE) as u32);
    let (at, size, k) = (core.reg(words::ADDRESS), 1u64 << site.log2, access(site.access));
    let total = if site.pair { 2 * size } else { size };
    match core.store_hits_code(at, size, total, k) {
        Ok(true) => return Why::Interpret as u64,
        Ok(false) => {}
        Err(Raised) => return Why::Fault as u64,
    }
    let mask = if size == 16 { u128::MAX } else { (1 << (8 * size)) - 1 };
    let value = core.reg(words::VALUE.cast::<W128>()) & mask;
    let mut done = core.store_slow(at, size, k, value);
    if site.pair && done.is_ok() {
        let value = core.reg(words::VALUE2.cast::<W128>()) & mask;
        done = core.store_slow(at.wrapping_add(size), size, k, value);
    }
    match done {
        Ok(()) => 0,
        Err(Raised) => Why::Fault as u64,
    }
}

/// An atomic access that missed the TLB: finds what to add to its address. One that would hit code, or is not to RAM, is
/// interpreted.
pub(crate) extern "sysv64" fn atomic<A: Guest>(core: &mut Core<A>, _: u64) -> u64 {
    let site = Site::unpack(core.reg(words::SITE) as u32);
    let (at, size) = (core.reg(words::ADDRESS), 1u64 << site.log2);
    let k = access(site.access);
    if at & (size - 1) != 0 && !k.aligned && !A::strict(core.mode) {
        return Why::Interpret as u64;
    }
    let k = Access { aligned: true, ..k };
    match core.atomic_place(k, at, size) {
        // Code beside it may be marked before the store: only the interpreter looks behind it.
        Ok(Some(ram)) if core.code.any(ram) => Why::Interpret as u64,
        Ok(Some(ram)) => {
            core.storing(ram, size, |_| ());
            core.set(words::VALUE, core.ram.host_base().wrapping_add(ram).wrapping_sub(at));
            0
        }
        Ok(None) => Why::Interpret as u64,
        Err(Raised) => Why::Fault as u64,
    }
}

/// Calls the helper at address `helper`.
pub(crate) extern "sysv64" fn helper<A: Guest>(core: &mut Core<A>, helper: u64) -> u64 {
    // SAFETY: the back end got the address from a `&'static Helper<A>` of this guest.
    let helper = unsafe { &*std::ptr::with_exposed_provenance::<Helper<A>>(helper as usize) };
    let args = [core.reg(words::ADDRESS), core.reg(words::ARG1), core.reg(words::ARG2)];
    match (helper.run)(core, args[0], args[1], args[2]) {
        Ok(x) => {
            core.set(words::VALUE, x);
            0
        }
        Err(Raised) => Why::Raised as u64,
    }
}

/// Calls the helper at address `helper`, which is one of the x87's. What would store to code is interpreted, as
/// [`store`] has it.
pub(crate) extern "sysv64" fn x87<A: Guest>(core: &mut Core<A>, at: u64) -> u64 {
    let [what, operand] = [words::ADDRESS, words::ARG1].map(|w| core.reg(w));
    if A::x87_hits_code(core, what, operand) { Why::Interpret as u64 } else { helper(core, at) }
}

/// The translator that runs `core`; none runs code that a test compiled by itself.
fn engine<A: Guest>(core: &Core<A>) -> Option<&'static mut Jit<A>> {
    let engine = std::ptr::with_exposed_provenance_mut::<Jit<A>>(core.reg(words::ENGINE) as usize);
    // SAFETY: `Jit::execute` sets the word to itself, enters compiled code, and does nothing with itself until that
    // comes back; each function here that asks for it is called by compiled code and drops it before it returns.
    unsafe { engine.as_mut() }
}

/// Goes on where the PC slot says, mode and translation having changed. Gives the code to go to, or 0 to leave.
pub(crate) extern "sysv64" fn resume<A: Guest>(core: &mut Core<A>, _: u64) -> u64 {
    engine(core).map_or(0, |jit| jit.resume(core))
}

/// Takes exception `x` of the instruction at the PC slot, and goes on as [`resume`] does.
pub(crate) extern "sysv64" fn raise<A: Guest>(core: &mut Core<A>, x: u64) -> u64 {
    engine(core).map_or(0, |jit| jit.raise(core, Exception(x)))
}

/// Evaluates a vector operation.
pub(crate) extern "sysv64" fn vec<A: Guest>(core: &mut Core<A>, packed: u64) -> u64 {
    if let Some(v) = VecForm::unpack(packed) {
        let [a, b, c] = [0, 1, 2].map(|i| core.reg(words::vector(i)));
        let r = core.vec(v.op, v.lanes, v.imm, a, b, c);
        core.set(words::vector(3), r);
    }
    0
}

/// Reads the clock.
pub(crate) extern "sysv64" fn clock<A: Guest>(core: &mut Core<A>, _: u64) -> u64 {
    let now = A::clock(core);
    core.set(words::VALUE, now);
    0
}
