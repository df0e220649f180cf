//! The vocabulary of instruction semantics: a semantics function is generic over [`Emitter`] and is written once.
//!
//! Run with the interpreter ([`crate::core::Core`]) a value is the number itself and the instruction happens; run with
//! the JIT's lifter a value is a typed IR name and the instruction is recorded. The rules that make it safe:
//!
//! - no method turns an opaque value into a host number; guest conditions go through `select`, `when`, `raise_if`;
//! - everything that may fault comes before the first write of state, so that a fault restarts cleanly;
//! - fields of the encoding and the mode are host values and may be branched on; the PC is *not*: blocks are keyed by
//!   physical address and run at any virtual one, so addresses come from [`Emitter::pc_plus`];
//! - rare and large behaviour is a [`Helper`], called with declared effects.

use crate::core::{Arch, Core, Raised};
use crate::op::{Bin, Cmp, Cond, FlagOp, Un};
use crate::slot::Slot;
use crate::vec::{Lanes, VecOp};
use crate::width::{Int, W1, W8, W16, W32, W64, W128, Width};
use crate::x86::flags::Update;
use lyrebird_ram::AtomicOp;

/// What is known of the processor when an instruction is decoded: blocks are compiled for one mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cx {
    /// The architecture's mode bits: everything besides the encoding that semantics may branch on.
    pub mode: u32,
    /// The processor model's feature bits.
    pub features: u64,
}

/// How a memory access differs from a plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Access {
    /// An address that is not a multiple of the size raises an alignment fault.
    pub aligned: bool,
    /// Later accesses stay behind it (load-acquire).
    pub acquire: bool,
    /// Earlier accesses stay before it (store-release).
    pub release: bool,
    /// Permissions are not those of the current level: those of the unprivileged one (Arm's LDTR, STTR), or of the
    /// system (x86's descriptor tables).
    pub unprivileged: bool,
    /// A store-exclusive: its faults are a store's, even where a load would fault, too.
    pub exclusive: bool,
    /// An access to a stack, whose faults may be others.
    pub stack: bool,
}

impl Access {
    /// A plain access.
    pub const PLAIN: Access = Access {
        aligned: false,
        acquire: false,
        release: false,
        unprivileged: false,
        exclusive: false,
        stack: false,
    };
    /// An atomic or exclusive access without ordering: aligned.
    pub const ATOMIC: Access = Access { aligned: true, ..Access::PLAIN };
    /// Load-acquire.
    pub const ACQUIRE: Access = Access { acquire: true, ..Access::ATOMIC };
    /// Store-release.
    pub const RELEASE: Access = Access { release: true, ..Access::ATOMIC };
    /// A store-exclusive in helpers, which order everything.
    pub const EXCLUSIVE: Access = Access { exclusive: true, ..Access::RELEASE };
    /// An access with unprivileged permissions.
    pub const USER: Access = Access { unprivileged: true, ..Access::PLAIN };

    /// As one number.
    #[inline(always)]
    pub const fn bits(self) -> u16 {
        self.aligned as u16
            | (self.acquire as u16) << 1
            | (self.release as u16) << 2
            | (self.unprivileged as u16) << 3
            | (self.exclusive as u16) << 4
            | (self.stack as u16) << 5
    }

    /// The access that a number stands for.
    #[inline(always)]
    pub const fn of(bits: u16) -> Access {
        Access {
            aligned: bits & 1 != 0,
            acquire: bits & 2 != 0,
            release: bits & 4 != 0,
            unprivileged: bits & 8 != 0,
            exclusive: bits & 16 != 0,
            stack: bits & 32 != 0,
        }
    }
}

/// A memory barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fence {
    /// Orders everything before against everything after (DMB SY, MFENCE).
    Full,
    /// Orders loads before against everything after (DMB LD): free on hosts with total store order.
    Load,
    /// Orders stores against stores (DMB ST): free on hosts with total store order.
    Store,
}

/// A synchronous exception that semantics raise; the encoding belongs to the architecture (Arm: an ESR value).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exception(pub u64);

/// What kind of control transfer a computed jump is, for return prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// a plain jump
    Jump,
    /// a call; the return address is the next instruction
    Call,
    /// a return
    Return,
    /// a plain jump at which engines look at requests, because more may interrupt the guest now
    Poll,
}

/// What a [`Helper`] may do, besides computing its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effects {
    /// It reads guest registers: they must be in the register file.
    pub reads: bool,
    /// It writes guest registers: copies of them are stale afterwards.
    pub writes: bool,
    /// It may raise an exception.
    pub raises: bool,
    /// It may change the mode, the translation regime, or the PC: the block ends after it.
    pub ends: bool,
}

impl Effects {
    /// No effect but the result.
    pub const NONE: Effects = Effects { reads: false, writes: false, raises: false, ends: false };
    /// Reads registers.
    pub const READ: Effects = Effects { reads: true, ..Effects::NONE };
    /// Reads and writes registers.
    pub const STATE: Effects = Effects { reads: true, writes: true, ..Effects::NONE };
    /// Reads and writes registers and may raise.
    pub const FAULTS: Effects = Effects { raises: true, ..Effects::STATE };
    /// May do anything, and the block ends after it.
    pub const ENDS: Effects = Effects { ends: true, ..Effects::FAULTS };
}

/// Rare or large behaviour as an ordinary function on the processor, the same from every engine. It is called with
/// the PC slot holding the address of the instruction.
pub struct Helper<A: Arch> {
    /// Its name, for IR text and logs.
    pub name: &'static str,
    /// What it may do.
    pub effects: Effects,
    /// The function: up to three arguments, one result.
    pub run: fn(&mut Core<A>, u64, u64, u64) -> Result<u64, Raised>,
}

impl<A: Arch> std::fmt::Debug for Helper<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// How an instruction leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// to the next instruction
    Next,
    /// to where a terminal method (`jump`, `branch`, `jump_to`) said
    Jump,
    /// to the next instruction, after the mode or translation may have changed: engines re-read both
    Sync,
    /// to where the PC slot says, after a helper set it; engines re-read mode and translation
    Leave,
}

/// What semantics return: how the instruction leaves, or that it was aborted.
pub type Exec<E> = Result<Flow, <E as Emitter>::Abort>;

/// The decoded form of an emitter's instructions.
pub type InsnOf<E> = <<E as Emitter>::Arch as Arch>::Insn;

/// An instruction's semantics as an engine keeps them in its table; [`crate::step!`] makes one.
pub type Step<E> = for<'a> fn(&mut E, <E as Emitter>::At<'a>) -> Exec<E>;

/// The [`Step`] of semantics: `step!(E, semantics)`.
#[macro_export]
macro_rules! step {
    ($E:ty, $semantics:expr) => {
        |e, at| <$E as $crate::emit::Emitter>::step(e, at, $semantics)
    };
}

/// Shorthand for a fallible value.
pub type Emit<E, W> = Result<<E as Emitter>::Val<W>, <E as Emitter>::Abort>;

/// Anything that instruction semantics can be run against.
pub trait Emitter: Sized {
    /// The guest architecture.
    type Arch: Arch;
    /// A guest value: the number itself when interpreting, a typed IR name when lifting.
    type Val<W: Width>: Copy;
    /// [`Raised`] when interpreting, `Infallible` when lifting.
    type Abort;
    /// Where a [`Step`] finds the instruction.
    type At<'a>
    where
        Self: 'a;

    /// Takes the instruction through its semantics, and whatever else the engine does in a [`Step`].
    fn step(
        &mut self,
        at: Self::At<'_>,
        semantics: impl FnOnce(&mut Self, &InsnOf<Self>) -> Exec<Self>,
    ) -> Exec<Self>;

    /// Rare semantics that only give a value, called for an instruction and with a number.
    ///
    /// # Errors
    /// When they abort.
    fn aside(
        &mut self,
        i: &InsnOf<Self>,
        n: u32,
        semantics: impl Fn(&mut Self, &InsnOf<Self>, u32) -> Emit<Self, W64>,
    ) -> Emit<Self, W64> {
        semantics(self, i, n)
    }

    /// Mode and features: host values in every instance.
    fn cx(&self) -> Cx;

    /// A known constant.
    fn lit<W: Width>(&mut self, x: W::Prim) -> Self::Val<W>;
    /// Reads a slot.
    fn get<W: Width>(&mut self, s: Slot<W>) -> Self::Val<W>;
    /// Writes a slot.
    fn put<W: Width>(&mut self, s: Slot<W>, v: Self::Val<W>);
    /// A base plus an index shifted left by `scale` (0 to 3); [`Arch::ZERO`] stands for what is not there.
    #[inline(always)]
    fn sum(&mut self, base: Slot<W64>, index: Slot<W64>, scale: u32) -> Self::Val<W64> {
        let at = self.get(base);
        if Self::Arch::ZERO.is_some_and(|zero| zero.offset() == index.offset()) {
            return at;
        }
        let index = self.get(index);
        let index = self.shift(Bin::Shl, index, scale);
        self.add(at, index)
    }
    /// The address of this instruction plus `offset`.
    fn pc_plus(&mut self, offset: i64) -> Self::Val<W64>;
    /// The 4 KiB page of this instruction plus `offset` bytes.
    fn page_plus(&mut self, offset: i64) -> Self::Val<W64>;

    /// A unary operation.
    fn un<W: Int>(&mut self, op: Un, a: Self::Val<W>) -> Self::Val<W>;
    /// A binary operation.
    fn bin<W: Int>(&mut self, op: Bin, a: Self::Val<W>, b: Self::Val<W>) -> Self::Val<W>;
    /// A comparison.
    fn cmp<W: Int>(&mut self, op: Cmp, a: Self::Val<W>, b: Self::Val<W>) -> Self::Val<W1>;
    /// The value zero extended or truncated to `To`.
    fn zext<W: Int, To: Int>(&mut self, a: Self::Val<W>) -> Self::Val<To>;
    /// The value sign extended or truncated to `To`.
    fn sext<W: Int, To: Int>(&mut self, a: Self::Val<W>) -> Self::Val<To>;
    /// `t` where `c` holds, else `f`; both are computed.
    fn select<W: Width>(&mut self, c: Self::Val<W1>, t: Self::Val<W>, f: Self::Val<W>) -> Self::Val<W>;
    /// Arm's condition flags of an operation, in the form of [`crate::op::nzcv`].
    fn flags<W: Int>(
        &mut self,
        op: FlagOp,
        a: Self::Val<W>,
        b: Self::Val<W>,
        carry: Self::Val<W1>,
    ) -> Self::Val<W32>;
    /// x86's condition flags after an operation that may leave some as they were, in the form of [`crate::x86::flags`].
    fn update_flags<W: Int>(
        &mut self,
        op: Update,
        a: Self::Val<W>,
        b: Self::Val<W>,
        old: Self::Val<W32>,
    ) -> Self::Val<W32>;
    /// Whether an Arm condition holds for flags in [`crate::op::nzcv`] form.
    fn holds(&mut self, c: Cond, flags: Self::Val<W32>) -> Self::Val<W1>;

    /// Reads the condition flags, which an architecture keeps in slot `s`. They have methods of their own because an
    /// engine may compute them late.
    #[inline(always)]
    fn read_flags(&mut self, s: Slot<W32>) -> Self::Val<W32> {
        self.get(s)
    }
    /// Writes the condition flags in slot `s`.
    #[inline(always)]
    fn write_flags(&mut self, s: Slot<W32>, f: Self::Val<W32>) {
        self.put(s, f);
    }
    /// Whether a condition, which the semantics know when they are compiled, holds for the flags in slot `s`.
    #[inline(always)]
    fn flags_hold(&mut self, s: Slot<W32>, c: Cond) -> Self::Val<W1> {
        let f = self.read_flags(s);
        self.holds(c, f)
    }
    /// Sets the flags in slot `s` to [`Emitter::flags`] of an operation.
    #[inline(always)]
    fn set_flags_of<W: Int>(
        &mut self,
        s: Slot<W32>,
        op: FlagOp,
        a: Self::Val<W>,
        b: Self::Val<W>,
        carry: Self::Val<W1>,
    ) {
        let f = self.flags(op, a, b, carry);
        self.write_flags(s, f);
    }
    /// The same if `c` holds, else sets them to a constant.
    #[inline(always)]
    fn set_flags_of_if<W: Int>(
        &mut self,
        s: Slot<W32>,
        c: Self::Val<W1>,
        (op, a, b, carry): (FlagOp, Self::Val<W>, Self::Val<W>, Self::Val<W1>),
        otherwise: u32,
    ) {
        let flags = self.flags(op, a, b, carry);
        let otherwise = self.lit::<W32>(otherwise);
        let f = self.select(c, flags, otherwise);
        self.write_flags(s, f);
    }
    /// Changes the flags in slot `s` by [`Emitter::update_flags`].
    #[inline(always)]
    fn update_flags_of<W: Int>(&mut self, s: Slot<W32>, op: Update, a: Self::Val<W>, b: Self::Val<W>) {
        let old = self.read_flags(s);
        let new = self.update_flags(op, a, b, old);
        self.write_flags(s, new);
    }

    /// Loads a value; `V128` loads are 16 bytes.
    ///
    /// # Errors
    /// Aborts when the access faults.
    fn load<W: Width>(&mut self, k: Access, at: Self::Val<W64>) -> Emit<Self, W>;
    /// Stores a value.
    ///
    /// # Errors
    /// Aborts when the access faults.
    fn store<W: Width>(&mut self, k: Access, at: Self::Val<W64>, v: Self::Val<W>) -> Result<(), Self::Abort>;
    /// Loads two values from adjacent places; each is single-copy atomic by itself.
    ///
    /// # Errors
    /// Aborts when either access faults.
    #[inline(always)]
    fn load_pair<W: Width>(
        &mut self,
        k: Access,
        at: Self::Val<W64>,
    ) -> Result<(Self::Val<W>, Self::Val<W>), Self::Abort> {
        let lo = self.load::<W>(k, at)?;
        let size = self.lit::<W64>(W::TY.bytes());
        let next = self.add(at, size);
        Ok((lo, self.load::<W>(k, next)?))
    }
    /// Stores two values to adjacent places.
    ///
    /// # Errors
    /// Aborts when either access faults; engines store nothing then.
    #[inline(always)]
    fn store_pair<W: Width>(
        &mut self,
        k: Access,
        at: Self::Val<W64>,
        v: (Self::Val<W>, Self::Val<W>),
    ) -> Result<(), Self::Abort> {
        self.store::<W>(k, at, v.0)?;
        let size = self.lit::<W64>(W::TY.bytes());
        let next = self.add(at, size);
        self.store::<W>(k, next, v.1)
    }
    /// Updates memory atomically and gives the old value; sequentially consistent whatever `k` says.
    ///
    /// # Errors
    /// Aborts when the access faults.
    fn rmw<W: Int>(&mut self, k: Access, op: AtomicOp, at: Self::Val<W64>, v: Self::Val<W>) -> Emit<Self, W>;
    /// Stores `new` if memory holds `expected`, atomically, and gives the old value. A read-write access for faults.
    ///
    /// # Errors
    /// Aborts when the access faults.
    fn cas<W: Width>(
        &mut self,
        k: Access,
        at: Self::Val<W64>,
        expected: Self::Val<W>,
        new: Self::Val<W>,
    ) -> Emit<Self, W>;
    /// A memory barrier.
    fn fence(&mut self, k: Fence);

    /// Raises `x` if `c` holds.
    ///
    /// # Errors
    /// Aborts when it does.
    fn raise_if(&mut self, c: Self::Val<W1>, x: Exception) -> Result<(), Self::Abort>;
    /// Raises `x`.
    ///
    /// # Errors
    /// Aborts always, when interpreting.
    fn raise(&mut self, x: Exception) -> Exec<Self>;
    /// Runs `body` only if `c` holds; values made inside must not be used outside.
    ///
    /// # Errors
    /// Aborts when the body does.
    fn when(
        &mut self,
        c: Self::Val<W1>,
        body: impl FnOnce(&mut Self) -> Result<(), Self::Abort>,
    ) -> Result<(), Self::Abort>;
    /// Calls a helper. After one whose effects say `ends`, semantics return [`Flow::Sync`] or [`Flow::Leave`].
    ///
    /// # Errors
    /// Aborts when the helper raises.
    fn call(&mut self, h: &'static Helper<Self::Arch>, args: [Self::Val<W64>; 3]) -> Emit<Self, W64>;
    /// The guest's virtual counter, in its ticks.
    fn clock(&mut self) -> Self::Val<W64>;

    /// Terminal: continues at this instruction plus `offset`. `call` says that it is a call.
    fn jump(&mut self, offset: i64, kind: Transfer) -> Exec<Self>;
    /// Terminal: continues at this instruction plus `offset` if `c` holds, else at the next one.
    fn branch(&mut self, c: Self::Val<W1>, offset: i64) -> Exec<Self>;
    /// Terminal: continues at a computed address.
    fn jump_to(&mut self, to: Self::Val<W64>, kind: Transfer) -> Exec<Self>;

    /// A vector operation on up to three values; unused ones are any value, by custom the first again.
    fn vec(
        &mut self,
        op: VecOp,
        l: Lanes,
        imm: u32,
        a: Self::Val<W128>,
        b: Self::Val<W128>,
        c: Self::Val<W128>,
    ) -> Self::Val<W128>;
    /// Element `i` of width `W`.
    fn lane<W: Int>(&mut self, v: Self::Val<W128>, i: u32) -> Self::Val<W>;
    /// `v` with element `i` of width `W` replaced.
    fn set_lane<W: Int>(&mut self, v: Self::Val<W128>, i: u32, x: Self::Val<W>) -> Self::Val<W128>;
    /// `x` in lane 0, zeros above.
    fn to_vec<W: Int>(&mut self, x: Self::Val<W>) -> Self::Val<W128>;
    /// `x` in every element of 64 or 128 bits.
    fn dup<W: Int>(&mut self, x: Self::Val<W>, full: bool) -> Self::Val<W128>;

    // ---- sugar: everything below is made of the above ----

    /// a + b
    #[inline(always)]
    fn add<W: Int>(&mut self, a: Self::Val<W>, b: Self::Val<W>) -> Self::Val<W> {
        self.bin(Bin::Add, a, b)
    }
    /// a - b
    #[inline(always)]
    fn sub<W: Int>(&mut self, a: Self::Val<W>, b: Self::Val<W>) -> Self::Val<W> {
        self.bin(Bin::Sub, a, b)
    }
    /// a and b
    #[inline(always)]
    fn and<W: Int>(&mut self, a: Self::Val<W>, b: Self::Val<W>) -> Self::Val<W> {
        self.bin(Bin::And, a, b)
    }
    /// a or b
    #[inline(always)]
    fn or<W: Int>(&mut self, a: Self::Val<W>, b: Self::Val<W>) -> Self::Val<W> {
        self.bin(Bin::Or, a, b)
    }
    /// a exclusive-or b
    #[inline(always)]
    fn xor<W: Int>(&mut self, a: Self::Val<W>, b: Self::Val<W>) -> Self::Val<W> {
        self.bin(Bin::Xor, a, b)
    }
    /// a plus the constant `k`
    #[inline(always)]
    fn add_lit(&mut self, a: Self::Val<W64>, k: u64) -> Self::Val<W64> {
        if k == 0 {
            return a;
        }
        let k = self.lit::<W64>(k);
        self.bin(Bin::Add, a, k)
    }
    /// a shifted by the constant `k`
    #[inline(always)]
    fn shift<W: Int>(&mut self, op: Bin, a: Self::Val<W>, k: u32) -> Self::Val<W> {
        if k == 0 {
            return a;
        }
        let k = self.lit::<W>(W::dec(k as u64));
        self.bin(op, a, k)
    }
    /// not c
    #[inline(always)]
    fn not1(&mut self, c: Self::Val<W1>) -> Self::Val<W1> {
        let one = self.lit::<W1>(true);
        self.bin(Bin::Xor, c, one)
    }
    /// A vector operation on one value.
    #[inline(always)]
    fn v1(&mut self, op: VecOp, l: Lanes, a: Self::Val<W128>) -> Self::Val<W128> {
        self.vec(op, l, 0, a, a, a)
    }
    /// A vector operation on two values.
    #[inline(always)]
    fn v2(&mut self, op: VecOp, l: Lanes, a: Self::Val<W128>, b: Self::Val<W128>) -> Self::Val<W128> {
        self.vec(op, l, 0, a, b, b)
    }
    /// A vector operation on one value and a constant.
    #[inline(always)]
    fn vi(&mut self, op: VecOp, l: Lanes, imm: u32, a: Self::Val<W128>) -> Self::Val<W128> {
        self.vec(op, l, imm, a, a, a)
    }
    /// Loads a value of `1 << log2` bytes (0 to 3), zero extended to 64 bits.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn load_zext(&mut self, k: Access, log2: u32, at: Self::Val<W64>) -> Emit<Self, W64> {
        match log2 {
            0 => {
                let v = self.load::<W8>(k, at)?;
                Ok(self.zext(v))
            }
            1 => {
                let v = self.load::<W16>(k, at)?;
                Ok(self.zext(v))
            }
            2 => {
                let v = self.load::<W32>(k, at)?;
                Ok(self.zext(v))
            }
            _ => self.load::<W64>(k, at),
        }
    }
    /// Stores the low `1 << log2` bytes (0 to 3) of a value.
    ///
    /// # Errors
    /// Aborts when the access faults.
    #[inline(always)]
    fn store_low(
        &mut self,
        k: Access,
        log2: u32,
        at: Self::Val<W64>,
        v: Self::Val<W64>,
    ) -> Result<(), Self::Abort> {
        match log2 {
            0 => {
                let v = self.zext::<W64, W8>(v);
                self.store::<W8>(k, at, v)
            }
            1 => {
                let v = self.zext::<W64, W16>(v);
                self.store::<W16>(k, at, v)
            }
            2 => {
                let v = self.zext::<W64, W32>(v);
                self.store::<W32>(k, at, v)
            }
            _ => self.store::<W64>(k, at, v),
        }
    }
}
