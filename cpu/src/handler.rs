//! Handlers: an instruction's semantics as the interpreter runs them.
//!
//! A handler does its instruction and then goes on with the one that follows, by a call in tail position. Where the
//! compiler makes a jump of that call, which optimised builds do nearly always, the host predicts each guest
//! instruction's successor by itself and nothing is saved between them; where it does not, handlers pile up on the host's
//! stack, about [`MOST`] of them at most. A jump in the page goes on likewise where the last one from there went, if that is
//! where it goes; all else that ends the straight line comes back to the loop in [`crate::run`].
//!
//! Two things keep the jump possible and handlers short: nothing that a handler calls is passed in memory of its own, and
//! slow paths have a calling convention that keeps the registers in which a handler has the core and its place.

use crate::core::{Arch, Core, Raised};
use crate::emit::{Access, Exec, Flow, Step};
use lyrebird_chain::At;
use std::hint::cold_path;

/// A decoded instruction: what semantics take besides the state.
#[allow(clippy::len_without_is_empty, reason = "no instruction is empty")]
pub trait Insn: Copy + Default + PartialEq + std::fmt::Debug + Send + 'static {
    /// Its length in bytes.
    fn len(self) -> u32;
}

/// An instruction's semantics, run by the interpreter: it goes on with what follows.
pub type Handler<A> = Step<Core<A>>;

/// A decoded instruction with its handler.
pub struct Op<A: Arch> {
    pub(crate) run: Handler<A>,
    pub(crate) insn: A::Insn,
}
impl<A: Arch> Clone for Op<A> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A: Arch> Copy for Op<A> {}

/// Why handlers do not go on although the guest does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stop(u8);

impl Stop {
    const CODE: u8 = 1 << 0;
    const STEP: u8 = 1 << 1;

    /// A store hit code on this processor: engines leave what they run.
    #[inline(always)]
    pub fn code_hit(self) -> bool {
        self.0 & Self::CODE != 0
    }
    /// Says whether one did.
    #[inline(always)]
    pub fn set_code_hit(&mut self, hit: bool) {
        self.0 = (self.0 & !Self::CODE) | if hit { Self::CODE } else { 0 };
    }
    /// Says whether the interpreter looks after every instruction.
    #[inline(always)]
    pub(crate) fn set_stepping(&mut self, stepping: bool) {
        self.0 = (self.0 & !Self::STEP) | if stepping { Self::STEP } else { 0 };
    }
}

/// Handlers do at most about so many instructions before they come back.
pub(crate) const MOST: u64 = 1024;

impl<A: Arch> Core<A> {
    /// What handlers do: the instruction, and what follows. `last` tells where they came to an end.
    #[inline(always)]
    pub(crate) fn handle(
        &mut self,
        at: At<'_, Op<A>>,
        semantics: impl FnOnce(&mut Self, &A::Insn) -> Exec<Self>,
    ) -> Exec<Self> {
        let done = semantics(self, &at.value().insn);
        if done == Ok(Flow::Jump)
            && let Some(to) = self.follow(at, 1)
        {
            return (to.value().run)(self, to);
        }
        if done != Ok(Flow::Next) {
            cold_path();
            self.last = at.mark();
            return done;
        }
        self.set_pc(self.pc().wrapping_add(at.value().insn.len() as u64));
        match at.next_unless(self.stop.0) {
            Some(next) => (next.value().run)(self, next),
            None => {
                cold_path();
                self.last = at.mark();
                done
            }
        }
    }

    /// What the PC leads to from `at`, if handlers may go on there: what it led to the last time, if it is that again.
    /// `done` instructions were done at `at`.
    #[inline(always)]
    pub(crate) fn follow<'a>(&mut self, at: At<'a, Op<A>>, done: i32) -> Option<At<'a, Op<A>>> {
        let to = at.target()?;
        let start = (to.mark().note as u64).wrapping_sub(to.value().insn.len() as u64);
        let left = self.jumps - at.mark().index as i32 - done;
        // Code that was hit is a request, too.
        if self.pc() != self.page.wrapping_add(start) || left < 0 || self.requests() != 0 {
            return None;
        }
        self.jumps = left + to.mark().index as i32;
        Some(to)
    }

    /// [`Core::load_slow`] for handlers: false if the access faults, else the value is in `loaded`. `k` is
    /// [`Access::bits`].
    #[cold]
    #[inline(never)]
    pub(crate) extern "win64-unwind" fn load_for_handler(&mut self, at: u64, size: u64, k: u16) -> bool {
        self.load_slow(at, size, Access::of(k)).map(|x| self.loaded = x).is_ok()
    }

    /// [`Core::store_slow`] of up to 8 bytes, likewise; `k` is the size in bits 31:16 and [`Access::bits`].
    #[cold]
    #[inline(never)]
    pub(crate) extern "win64-unwind" fn store_for_handler(&mut self, at: u64, k: u32, value: u64) -> bool {
        self.store_slow(at, (k >> 16) as u64, Access::of(k as u16), value as u128).is_ok()
    }

    /// The same of 16 bytes.
    #[cold]
    #[inline(never)]
    pub(crate) extern "win64-unwind" fn store_vector_for_handler(
        &mut self,
        at: u64,
        k: u32,
        low: u64,
        high: u64,
    ) -> bool {
        let value = low as u128 | (high as u128) << 64;
        self.store_slow(at, (k >> 16) as u64, Access::of(k as u16), value).is_ok()
    }

    /// What [`Emitter::aside`](crate::emit::Emitter::aside) calls, likewise: `f` is known to the compiler, which need not
    /// keep what it does not touch.
    #[cold]
    #[inline(never)]
    pub(crate) extern "win64-unwind" fn aside_for_handler(
        &mut self,
        i: &A::Insn,
        n: u32,
        f: impl Fn(&mut Self, &A::Insn, u32) -> Result<u64, Raised>,
    ) -> bool {
        f(self, i, n).map(|x| self.loaded = x as u128).is_ok()
    }
}
