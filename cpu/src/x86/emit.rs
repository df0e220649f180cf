//! What x86 semantics say over and over: registers by width, effective and linear addresses, operands in a register or
//! in memory, flags, the stack, exceptions.

use super::X64;
use super::flags::{self, Update};
use super::insn::{Insn, seg};
use super::mode;
pub use super::place::{Mem, Place, Reg};
use super::state;
use crate::emit::{Access, Emit, Emitter, Exception, Exec};
use crate::op::{Bin, Cmp, Cond, FlagOp};
use crate::slot::Slot;
use crate::width::{Int, Ty, W1, W16, W32, W64};

/// Exceptions that semantics raise: the vector in bits 7:0, bit 8 says that an error code is pushed, which stands in
/// bits 31:16 (SDM vol. 3, 7.3).
pub mod fault {
    #![expect(missing_docs, reason = "the manual's names")]
    use crate::emit::Exception;
    pub const DE: Exception = Exception(0);
    pub const DB: Exception = Exception(1);
    pub const BP: Exception = Exception(3);
    pub const OF: Exception = Exception(4);
    pub const BR: Exception = Exception(5);
    pub const UD: Exception = Exception(6);
    pub const NM: Exception = Exception(7);
    pub const DF: Exception = with_code(8, 0);
    pub const GP0: Exception = with_code(13, 0);
    pub const SS0: Exception = with_code(12, 0);
    pub const MF: Exception = Exception(16);
    pub const AC0: Exception = with_code(17, 0);
    pub const XM: Exception = Exception(19);

    /// An exception with an error code.
    pub const fn with_code(vector: u64, code: u64) -> Exception {
        Exception(vector | 1 << 8 | (code & 0xFFFF) << 16)
    }
}

/// Which accesses a memory operand is checked for before the instruction changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// it is read
    Read,
    /// it is written, and perhaps read
    Write,
}

/// The linear address of any memory operand of some bytes, which bits 15:0 of `k` number; bit 16 says that it is written.
#[inline(always)]
fn odd_linear<E: X86>(e: &mut E, i: &Insn, k: u32) -> Emit<E, W64> {
    let ea = e.odd_ea(i);
    let want = if k >> 16 != 0 { Want::Write } else { Want::Read };
    e.linear(i.seg(), ea, k as u64 & 0xFFFF, want)
}

/// Emitters that x86 semantics run against.
pub trait X86: Emitter<Arch = X64> {
    /// The mode word.
    #[inline(always)]
    fn mode(&self) -> u32 {
        self.cx().mode
    }

    /// Reads a general register; byte registers are numbered as in [`Insn::reg`].
    #[inline(always)]
    fn r<W: Int>(&mut self, n: u8) -> Self::Val<W> {
        self.get(place::<W>(n))
    }

    /// Writes a general register: 32 bits clear the upper half, 8 and 16 bits leave the rest.
    #[inline(always)]
    fn set_r<W: Int>(&mut self, n: u8, v: Self::Val<W>) {
        if W::TY == Ty::I32 {
            let v = self.zext::<W, W64>(v);
            self.put(state::gpr(n), v);
        } else {
            self.put(place::<W>(n), v);
        }
    }

    /// The address of the next instruction: linear, which is the offset in CS where that is flat.
    #[inline(always)]
    fn next_pc(&mut self, i: &Insn) -> Self::Val<W64> {
        self.pc_plus(i.len() as i64)
    }

    /// The instruction pointer after this instruction: offset in CS.
    #[inline(always)]
    fn next_ip(&mut self, i: &Insn) -> Self::Val<W64> {
        let pc = self.next_pc(i);
        self.offset_in_cs(pc)
    }

    /// The offset in CS of a linear address.
    #[inline(always)]
    fn offset_in_cs(&mut self, pc: Self::Val<W64>) -> Self::Val<W64> {
        let m = self.mode();
        if mode::is_64(m) {
            return pc;
        }
        let ip = if m & (mode::FLAT | mode::CS_FLAT) != 0 {
            pc
        } else {
            let base = self.get(state::base(seg::CS));
            self.sub(pc, base)
        };
        self.trunc(ip, 2)
    }

    /// The low `1 << log2` bytes of a value (log2 1, 2 or 3).
    #[inline(always)]
    fn trunc(&mut self, v: Self::Val<W64>, log2: u32) -> Self::Val<W64> {
        if log2 == 3 {
            return v;
        }
        let mask = self.lit::<W64>(if log2 == 2 { 0xFFFF_FFFF } else { 0xFFFF });
        self.and(v, mask)
    }

    /// The effective address of the memory operand: the offset in its segment.
    #[inline(always)]
    fn ea(&mut self, i: &Insn) -> Self::Val<W64> {
        if i.is_plain() {
            return self.plain_ea(i);
        }
        if i.is_near() { self.pc_plus(i.disp() as i64 + i.len() as i64) } else { self.odd_ea(i) }
    }

    /// The linear address of the memory operand of an instruction that [`Insn::is_plain`], or [`Insn::is_plain_32`] but
    /// for the bits above.
    #[inline(always)]
    fn plain_ea(&mut self, i: &Insn) -> Self::Val<W64> {
        let at = self.sum(state::gpr(i.rm()), state::gpr(i.index()), i.scale());
        self.add_lit(at, i.disp() as i64 as u64)
    }

    /// The linear address of `size` bytes of the memory operand, checked for what is wanted.
    ///
    /// # Errors
    /// With the segment's faults.
    #[inline(always)]
    fn address(&mut self, i: &Insn, size: u64, want: Want) -> Emit<Self, W64> {
        Ok(if i.is_plain() {
            self.plain_ea(i)
        } else if i.is_plain_32() {
            let at = self.plain_ea(i);
            self.trunc(at, 2)
        } else if i.is_near() {
            self.pc_plus(i.disp() as i64 + i.len() as i64)
        } else {
            self.aside(i, size as u32 | ((want == Want::Write) as u32) << 16, odd_linear::<Self>)?
        })
    }

    /// The effective address of any memory operand.
    #[inline(always)]
    fn odd_ea(&mut self, i: &Insn) -> Self::Val<W64> {
        if i.is_relative() {
            let at = self.pc_plus(i.disp() as i64 + i.len() as i64);
            return self.trunc(at, i.asize());
        }
        let disp = i.disp() as i64 as u64;
        let at = self.sum(state::gpr(i.rm()), state::gpr(i.index()), i.scale());
        let at = self.add_lit(at, disp);
        self.trunc(at, i.asize())
    }

    /// The linear address of `size` bytes at an offset in a segment, checked for what is wanted.
    ///
    /// # Errors
    /// With #GP or #SS outside of the segment's limit or against its type.
    #[inline(always)]
    fn linear(&mut self, s: u8, offset: Self::Val<W64>, size: u64, want: Want) -> Emit<Self, W64> {
        let m = self.mode();
        if mode::is_64(m) {
            if s < seg::FS {
                return Ok(offset);
            }
            let base = self.get(state::base(s));
            return Ok(self.add(offset, base));
        }
        if m & mode::FLAT != 0 && s < seg::FS {
            return Ok(offset);
        }
        let low = self.get(state::low(s));
        let high = self.get(if want == Want::Write { state::write_high(s) } else { state::high(s) });
        let end = self.add_lit(offset, size);
        let below = self.cmp::<W64>(Cmp::Ltu, offset, low);
        let above = self.cmp::<W64>(Cmp::Ltu, high, end);
        let outside = self.or::<W1>(below, above);
        let x = if s == seg::SS { outside_stack(m, self.cx().features) } else { fault::GP0 };
        self.raise_if(outside, x)?;
        let base = self.get(state::base(s));
        let at = self.add(offset, base);
        Ok(self.trunc(at, 2))
    }

    /// Loads from an offset in a segment.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn load_at<W: crate::width::Width>(&mut self, s: u8, offset: Self::Val<W64>) -> Emit<Self, W> {
        let at = self.linear(s, offset, W::TY.bytes(), Want::Read)?;
        self.load::<W>(plain(s), at)
    }

    /// Stores to an offset in a segment.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn store_at<W: crate::width::Width>(
        &mut self,
        s: u8,
        offset: Self::Val<W64>,
        v: Self::Val<W>,
    ) -> Result<(), Self::Abort> {
        let at = self.linear(s, offset, W::TY.bytes(), Want::Write)?;
        self.store::<W>(plain(s), at, v)
    }

    /// Whether condition code `cc` (the low four bits of Jcc's opcode) holds.
    #[inline(always)]
    fn cc(&mut self, cc: u8) -> Self::Val<W1> {
        let f = self.read_flags(state::FLAGS);
        self.holds(cond(cc), f)
    }

    /// Sets all arithmetic flags from an operation: [`FlagOp::AddX`], [`FlagOp::SubX`] with borrow, [`FlagOp::LogicX`].
    #[inline(always)]
    fn set_flags<W: Int>(&mut self, op: FlagOp, a: Self::Val<W>, b: Self::Val<W>, carry: Self::Val<W1>) {
        self.set_flags_of::<W>(state::FLAGS, op, a, b, carry);
    }

    /// Sets those flags that an operation sets.
    #[inline(always)]
    fn change_flags<W: Int>(&mut self, op: Update, a: Self::Val<W>, b: Self::Val<W>) {
        self.update_flags_of::<W>(state::FLAGS, op, a, b);
    }

    /// Replaces the flags in `mask`, which are in stored form.
    #[inline(always)]
    fn merge_flags(&mut self, new: Self::Val<W32>, mask: u32) {
        let old = self.read_flags(state::FLAGS);
        let keep = self.lit::<W32>(flags::ALL & !mask);
        let take = self.lit::<W32>(mask);
        let (old, new) = (self.and(old, keep), self.and(new, take));
        let f = self.or(old, new);
        self.write_flags(state::FLAGS, f);
    }

    /// One arithmetic flag.
    #[inline(always)]
    fn flag(&mut self, bit: u32) -> Self::Val<W1> {
        if bit == flags::CF {
            return self.flags_hold(state::FLAGS, Cond::CS);
        }
        let f = self.read_flags(state::FLAGS);
        let bit = self.lit::<W32>(bit);
        let f = self.and(f, bit);
        let zero = self.lit::<W32>(0);
        self.cmp(Cmp::Ne, f, zero)
    }

    /// A condition as a flag in stored form.
    #[inline(always)]
    fn as_flag(&mut self, c: Self::Val<W1>, bit: u32) -> Self::Val<W32> {
        let c = self.zext::<W1, W32>(c);
        self.shift(Bin::Shl, c, bit.trailing_zeros())
    }

    /// Whether an instruction of some operand size runs in 64-bit mode.
    #[inline(always)]
    fn is_long<W: Int>(&self) -> bool {
        matches!(W::TY, Ty::I64) || mode::is_64(self.mode())
    }

    /// The stack pointer, as far as it counts.
    #[inline(always)]
    fn sp(&mut self) -> Self::Val<W64> {
        let sp = self.get(state::RSP);
        let size = mode::stack(self.mode());
        self.trunc(sp, size)
    }

    /// Sets the stack pointer, as far as it counts.
    #[inline(always)]
    fn set_sp(&mut self, v: Self::Val<W64>) {
        match mode::stack(self.mode()) {
            1 => {
                let v = self.zext::<W64, W16>(v);
                self.set_r::<W16>(4, v);
            }
            2 => {
                let v = self.zext::<W64, W32>(v);
                self.set_r::<W32>(4, v);
            }
            _ => self.put(state::RSP, v),
        }
    }

    /// Pushes a value.
    ///
    /// # Errors
    /// Aborts when the access faults; the stack pointer is then as before.
    #[inline(always)]
    fn push<W: Int>(&mut self, v: Self::Val<W>) -> Result<(), Self::Abort> {
        if self.is_long::<W>() {
            let sp = self.get(state::RSP);
            let sp = self.add_lit(sp, (W::TY.bytes()).wrapping_neg());
            self.store::<W>(plain(seg::SS), sp, v)?;
            self.put(state::RSP, sp);
            return Ok(());
        }
        let sp = self.sp();
        let sp = self.add_lit(sp, (W::TY.bytes()).wrapping_neg());
        let sp = self.trunc(sp, mode::stack(self.mode()));
        self.store_at::<W>(seg::SS, sp, v)?;
        self.set_sp(sp);
        Ok(())
    }

    /// Reads the top of the stack; [`X86::drop_top`] removes it.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn top<W: Int>(&mut self) -> Emit<Self, W> {
        if self.is_long::<W>() {
            let sp = self.get(state::RSP);
            return self.load::<W>(plain(seg::SS), sp);
        }
        let sp = self.sp();
        self.load_at::<W>(seg::SS, sp)
    }

    /// Removes `bytes` from the stack, for an instruction of some operand size.
    #[inline(always)]
    fn drop_top<W: Int>(&mut self, bytes: u64) {
        if self.is_long::<W>() {
            let sp = self.get(state::RSP);
            let sp = self.add_lit(sp, bytes);
            return self.put(state::RSP, sp);
        }
        let sp = self.sp();
        let sp = self.add_lit(sp, bytes);
        self.set_sp(sp);
    }

    /// Continues at an offset in CS, of an operand size.
    ///
    /// # Errors
    /// With #GP outside of the limit of CS, or if the address is not canonical.
    #[inline(always)]
    fn jump_ip<W: Int>(&mut self, ip: Self::Val<W>, kind: crate::emit::Transfer) -> Exec<Self> {
        let to = self.target::<W>(ip)?;
        self.jump_to(to, kind)
    }

    /// The linear address of an offset in CS, of an operand size, to jump to.
    ///
    /// # Errors
    /// With #GP outside of the limit of CS, or if the address is not canonical.
    #[inline(always)]
    fn target<W: Int>(&mut self, ip: Self::Val<W>) -> Emit<Self, W64> {
        let m = self.mode();
        let ip = self.zext::<W, W64>(ip);
        if self.is_long::<W>() {
            let top = self.shift(Bin::Sar, ip, 47);
            let top = self.add_lit(top, 1);
            let two = self.lit::<W64>(2);
            let bad = self.cmp(Cmp::Leu, two, top);
            self.raise_if(bad, fault::GP0)?;
            return Ok(ip);
        }
        if m & mode::FLAT != 0 {
            return Ok(ip);
        }
        let limit = self.get(state::limit(seg::CS));
        let limit = self.zext::<W32, W64>(limit);
        let outside = self.cmp(Cmp::Ltu, limit, ip);
        self.raise_if(outside, fault::GP0)?;
        let base = self.get(state::base(seg::CS));
        let to = self.add(ip, base);
        Ok(self.trunc(to, 2))
    }

    /// Continues at the next instruction plus a displacement, if `c` holds; operand size as the instruction says. What
    /// `before` does happens in any case, after the target is checked.
    ///
    /// # Errors
    /// With #GP outside of the limit of CS, or when `before` aborts.
    #[inline(always)]
    fn jump_near(
        &mut self,
        i: &Insn,
        c: Option<Self::Val<W1>>,
        kind: crate::emit::Transfer,
        before: impl FnOnce(&mut Self) -> Result<(), Self::Abort>,
    ) -> Exec<Self> {
        // Where nothing wraps and nothing is checked the target is a place in the code; that a 32-bit address wraps at
        // 4 GiB is seen when it is fetched.
        if i.is_near() {
            before(self)?;
            let offset = i.imm() as i64 + i.len() as i64;
            return match c {
                Some(c) => self.branch(c, offset),
                None => self.jump(offset, kind),
            };
        }
        let next = self.next_pc(i);
        let ip = self.offset_in_cs(next);
        let ip = self.add_lit(ip, i.simm());
        let ip = self.trunc(ip, i.osize());
        let limit = self.get(state::limit(seg::CS));
        let limit = self.zext::<W32, W64>(limit);
        let mut outside = self.cmp(Cmp::Ltu, limit, ip);
        if let Some(c) = c {
            // The limit matters only if the jump is taken.
            outside = self.and::<W1>(outside, c);
        }
        self.raise_if(outside, fault::GP0)?;
        before(self)?;
        let base = self.get(state::base(seg::CS));
        let to = self.add(ip, base);
        let to = match c {
            Some(c) => self.select(c, to, next),
            None => to,
        };
        let to = self.trunc(to, 2);
        self.jump_to(to, kind)
    }

    /// The undefined-opcode exception.
    ///
    /// # Errors
    /// Aborts always, when interpreting.
    #[inline(always)]
    fn undefined(&mut self) -> Exec<Self> {
        self.raise(fault::UD)
    }

    /// Raises an exception.
    ///
    /// # Errors
    /// Aborts always, when interpreting.
    #[inline(always)]
    fn always(&mut self, x: Exception) -> Result<(), Self::Abort> {
        let always = self.lit::<W1>(true);
        self.raise_if(always, x)
    }

    /// The general-protection exception above a privilege level.
    ///
    /// # Errors
    /// Aborts if CPL is above `level`.
    #[inline(always)]
    fn check_cpl(&mut self, level: u32) -> Result<(), Self::Abort> {
        if mode::cpl(self.mode()) > level { self.always(fault::GP0) } else { Ok(()) }
    }
}

impl<E: Emitter<Arch = X64>> X86 for E {}

/// The slot of a general register at a width.
#[inline(always)]
pub const fn place<W: Int>(n: u8) -> Slot<W> {
    if matches!(W::TY, Ty::I8) { state::gpr8(n).cast::<W>() } else { state::gpr(n).cast::<W>() }
}

/// The exception of an access outside of the current stack: the 80286 knows no stack fault in real mode.
#[inline(always)]
pub const fn outside_stack(mode: u32, features: u64) -> Exception {
    if mode & mode::PE != 0 || features & super::features::I386 != 0 { fault::SS0 } else { fault::GP0 }
}

/// Whether an instruction that faults keeps what it has already done to index registers, counter and stack pointer, as
/// the 80286 does, so that it cannot be restarted.
#[inline(always)]
pub const fn keeps_moves(features: u64) -> bool {
    features & super::features::I386 == 0
}

/// The access of a segment: faults of stack accesses differ.
#[inline(always)]
pub const fn plain(s: u8) -> Access {
    Access { stack: s == seg::SS, ..Access::PLAIN }
}

/// A locked access of a segment: its faults are those of a write, and it need not be aligned.
#[inline(always)]
pub const fn locked(s: u8) -> Access {
    Access { exclusive: true, ..plain(s) }
}

/// The condition of the low four bits of Jcc's opcode (SDM vol. 1, appendix B).
#[inline(always)]
pub const fn cond(cc: u8) -> Cond {
    use Cond::*;
    [VS, VC, CS, CC, EQ, NE, BE, A, MI, PL, PE, PO, LT, GE, LE, GT][cc as usize & 15]
}
