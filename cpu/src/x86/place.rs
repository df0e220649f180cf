//! Operands in a register or in memory, as types.

use super::emit::{Want, X86, locked, plain};
use super::insn::Insn;
use super::mode;
use crate::emit::Emit;
use crate::width::{Int, W64};
use lyrebird_ram::AtomicOp;

/// Where an `E` operand is, as a type: semantics are compiled for each.
pub trait Place {
    /// Its address, if it has one.
    type At<E: X86>: Copy;
    /// Whether it is memory.
    const MEM: bool;

    /// Its linear address, if it has one.
    fn address<E: X86>(at: Self::At<E>) -> Option<E::Val<W64>>;
    /// The operand at a linear address, for a place in memory.
    fn from_address<E: X86>(at: E::Val<W64>) -> Self::At<E>;

    /// Finds the operand and checks what is wanted of it.
    ///
    /// # Errors
    /// With the segment's faults.
    fn at<E: X86, W: Int>(e: &mut E, i: &Insn, want: Want) -> Result<Self::At<E>, E::Abort>;
    /// Reads it.
    ///
    /// # Errors
    /// Aborts when the access faults.
    fn read<E: X86, W: Int>(e: &mut E, i: &Insn, at: Self::At<E>) -> Emit<E, W>;
    /// Writes it.
    ///
    /// # Errors
    /// Aborts when the access faults.
    fn write<E: X86, W: Int>(e: &mut E, i: &Insn, at: Self::At<E>, v: E::Val<W>) -> Result<(), E::Abort>;

    /// Finds and reads an operand that is not written.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn get<E: X86, W: Int>(e: &mut E, i: &Insn) -> Emit<E, W> {
        let at = Self::at::<E, W>(e, i, Want::Read)?;
        Self::read::<E, W>(e, i, at)
    }

    /// Reads an operand, computes and writes it back, and gives the old and the new value. With a LOCK prefix it is
    /// atomic: `atomic` says how memory does it.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn update<E: X86, W: Int>(
        e: &mut E,
        i: &Insn,
        atomic: impl FnOnce(&mut E) -> (AtomicOp, E::Val<W>),
        result: impl FnOnce(&mut E, E::Val<W>) -> E::Val<W>,
    ) -> Result<(E::Val<W>, E::Val<W>), E::Abort> {
        let at = Self::at::<E, W>(e, i, Want::Write)?;
        if Self::MEM && i.has_lock() && e.mode() & mode::SMP != 0 {
            let (op, v) = atomic(e);
            let old = Self::rmw::<E, W>(e, i, at, op, v)?;
            let new = result(e, old);
            return Ok((old, new));
        }
        let old = Self::read::<E, W>(e, i, at)?;
        let new = result(e, old);
        Self::write::<E, W>(e, i, at, new)?;
        Ok((old, new))
    }

    /// Updates memory atomically and gives the old value; registers are nobody else's.
    ///
    /// # Errors
    /// Aborts when the access faults.
    fn rmw<E: X86, W: Int>(e: &mut E, i: &Insn, at: Self::At<E>, op: AtomicOp, v: E::Val<W>) -> Emit<E, W>;

    /// Finds and writes an operand that is not read.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn put<E: X86, W: Int>(e: &mut E, i: &Insn, v: E::Val<W>) -> Result<(), E::Abort> {
        let at = Self::at::<E, W>(e, i, Want::Write)?;
        Self::write::<E, W>(e, i, at, v)
    }
}

/// The operand is a register.
#[derive(Clone, Copy, Debug)]
pub struct Reg;

impl Place for Reg {
    type At<E: X86> = ();
    const MEM: bool = false;
    #[inline(always)]
    fn address<E: X86>((): ()) -> Option<E::Val<W64>> {
        None
    }
    #[inline(always)]
    fn from_address<E: X86>(_: E::Val<W64>) {}
    #[inline(always)]
    fn at<E: X86, W: Int>(_: &mut E, _: &Insn, _: Want) -> Result<(), E::Abort> {
        Ok(())
    }
    #[inline(always)]
    fn read<E: X86, W: Int>(e: &mut E, i: &Insn, (): ()) -> Emit<E, W> {
        Ok(e.r::<W>(i.rm()))
    }
    #[inline(always)]
    fn write<E: X86, W: Int>(e: &mut E, i: &Insn, (): (), v: E::Val<W>) -> Result<(), E::Abort> {
        e.set_r::<W>(i.rm(), v);
        Ok(())
    }
    #[inline(always)]
    fn rmw<E: X86, W: Int>(e: &mut E, i: &Insn, (): (), _: AtomicOp, _: E::Val<W>) -> Emit<E, W> {
        // The decoder admits LOCK with memory only.
        Ok(e.r::<W>(i.rm()))
    }
}

/// The operand is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Mem;

impl Place for Mem {
    type At<E: X86> = E::Val<W64>;
    const MEM: bool = true;
    #[inline(always)]
    fn address<E: X86>(at: E::Val<W64>) -> Option<E::Val<W64>> {
        Some(at)
    }
    #[inline(always)]
    fn from_address<E: X86>(at: E::Val<W64>) -> E::Val<W64> {
        at
    }
    #[inline(always)]
    fn at<E: X86, W: Int>(e: &mut E, i: &Insn, want: Want) -> Emit<E, W64> {
        e.address(i, W::TY.bytes(), want)
    }
    #[inline(always)]
    fn read<E: X86, W: Int>(e: &mut E, i: &Insn, at: E::Val<W64>) -> Emit<E, W> {
        e.load::<W>(plain(i.seg()), at)
    }
    #[inline(always)]
    fn write<E: X86, W: Int>(e: &mut E, i: &Insn, at: E::Val<W64>, v: E::Val<W>) -> Result<(), E::Abort> {
        e.store::<W>(plain(i.seg()), at, v)
    }
    #[inline(always)]
    fn rmw<E: X86, W: Int>(e: &mut E, i: &Insn, at: E::Val<W64>, op: AtomicOp, v: E::Val<W>) -> Emit<E, W> {
        e.rmw::<W>(locked(i.seg()), op, at, v)
    }
}
