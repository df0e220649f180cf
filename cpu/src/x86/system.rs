//! Accesses of the processor itself: descriptor tables, task state segments, and the stacks that it pushes to.

use super::control::{cr4, efer};
use super::segment::Segment;
use super::{X64, mode, segment, state};
use crate::core::{Core, Raised};
use crate::emit::{Access, Emitter};
use crate::width::{W16, W32, W64, Width};
use crate::x86::emit::{fault, outside_stack};

/// With the supervisor's rights whatever the level, and never against SMAP.
const SYSTEM: Access = Access { unprivileged: true, ..Access::PLAIN };

/// Runs `body` without alignment checks.
fn unaligned<T>(core: &mut Core<X64>, body: impl FnOnce(&mut Core<X64>) -> T) -> T {
    let aligned = core.mode & mode::ALIGN;
    core.mode &= !mode::ALIGN;
    let result = body(core);
    core.mode |= aligned;
    result
}

fn wrap(core: &Core<X64>, at: u64) -> u64 {
    if core.reg(state::EFER) & efer::LMA != 0 { at } else { at & 0xFFFF_FFFF }
}

/// Reads a system table at a linear address.
///
/// # Errors
/// When the access faults.
pub fn read<W: Width>(core: &mut Core<X64>, at: u64) -> Result<W::Prim, Raised> {
    let at = wrap(core, at);
    unaligned(core, |core| core.load::<W>(SYSTEM, at))
}

/// Writes to one.
///
/// # Errors
/// When the access faults.
pub fn write<W: Width>(core: &mut Core<X64>, at: u64, x: W::Prim) -> Result<(), Raised> {
    let at = wrap(core, at);
    unaligned(core, |core| core.store::<W>(SYSTEM, at, x))
}

/// Whether a linear address has as many meaningful bits as paging translates.
pub fn is_canonical(core: &Core<X64>, at: u64) -> bool {
    let bits = if core.reg(state::CR4) & cr4::LA57 != 0 { 57 } else { 48 };
    let unused = 64 - bits;
    ((at << unused) as i64 >> unused) as u64 == at
}

/// A stack that the processor itself pushes to or pops from: nothing is changed in the registers until it is known
/// that all of it worked.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// The segment.
    pub segment: Segment,
    /// The stack pointer.
    pub sp: u64,
    /// Bits of it that count.
    pub mask: u64,
    /// With the supervisor's rights although the level is still 3.
    pub inner: bool,
    long: bool,
    real: bool,
}

impl Stack {
    /// The current stack.
    pub fn current(core: &Core<X64>) -> Self {
        let segment = segment::get(core, super::insn::seg::SS);
        Self::new(core, segment, core.reg(state::RSP), false)
    }

    /// A stack in a segment. `inner`: of a more privileged level than the current one.
    pub fn new(core: &Core<X64>, segment: Segment, sp: u64, inner: bool) -> Self {
        let mask = if mode::is_64(core.mode) {
            u64::MAX
        } else if segment.is_big() {
            0xFFFF_FFFF
        } else {
            0xFFFF
        };
        let real = !mode::is_protected(core.mode);
        Self { segment, sp, mask, inner, long: mode::is_64(core.mode), real }
    }

    /// A stack of 64-bit mode.
    pub fn long(sp: u64, inner: bool) -> Self {
        Self { segment: Segment::null(0), sp, mask: u64::MAX, inner, long: true, real: false }
    }

    fn access(&self) -> Access {
        Access { unprivileged: self.inner, stack: true, ..Access::PLAIN }
    }

    fn linear(&self, core: &mut Core<X64>, sp: u64, size: u64, write: bool) -> Result<u64, Raised> {
        if self.long {
            return Ok(sp);
        }
        let (low, high, write_high) = self.segment.bounds(self.real);
        let offset = sp & self.mask;
        if offset < low || offset + size > if write { write_high } else { high } {
            let x = if self.inner {
                // A stack that is being switched to is named.
                fault::with_code(segment::SS, (self.segment.selector & !3) as u64)
            } else {
                outside_stack(core.mode, core.features)
            };
            return Err(core.raise_now(x, 0));
        }
        Ok(wrap(core, self.segment.base.wrapping_add(offset)))
    }

    /// Pushes `1 << log2` bytes.
    ///
    /// # Errors
    /// When the access faults.
    pub fn push(&mut self, core: &mut Core<X64>, log2: u32, x: u64) -> Result<(), Raised> {
        let sp = self.sp.wrapping_sub(1 << log2);
        let sp = self.sp & !self.mask | sp & self.mask;
        let at = self.linear(core, sp, 1 << log2, true)?;
        unaligned(core, |core| match log2 {
            1 => core.store::<W16>(self.access(), at, x as u16),
            2 => core.store::<W32>(self.access(), at, x as u32),
            _ => core.store::<W64>(self.access(), at, x),
        })?;
        self.sp = sp;
        Ok(())
    }

    /// Pops `1 << log2` bytes.
    ///
    /// # Errors
    /// When the access faults.
    pub fn pop(&mut self, core: &mut Core<X64>, log2: u32) -> Result<u64, Raised> {
        let at = self.linear(core, self.sp, 1 << log2, false)?;
        let k = self.access();
        let x = unaligned(core, |core| {
            Ok(match log2 {
                1 => core.load::<W16>(k, at)? as u64,
                2 => core.load::<W32>(k, at)? as u64,
                _ => core.load::<W64>(k, at)?,
            })
        })?;
        self.skip(1 << log2);
        Ok(x)
    }

    /// Moves the stack pointer up.
    pub fn skip(&mut self, bytes: u64) {
        self.sp = self.sp & !self.mask | self.sp.wrapping_add(bytes) & self.mask;
    }

    /// Makes it the stack pointer.
    pub fn commit(&self, core: &mut Core<X64>) {
        let old = core.reg(state::RSP);
        let sp = match self.mask {
            0xFFFF => old & !0xFFFF | self.sp & 0xFFFF,
            0xFFFF_FFFF => self.sp & 0xFFFF_FFFF,
            _ => self.sp,
        };
        core.set(state::RSP, sp);
    }
}
