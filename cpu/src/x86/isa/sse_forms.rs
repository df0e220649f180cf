//! What rows of SSE and AVX share: encodings, operands, and the shapes of instructions.
//!
//! An SSE row and its VEX form are one line of [`crate::simd_rows`] and one semantics function, generic over [`Enc`]. A
//! YMM register is two values of 128 bits, and an operation runs on each half.

use crate::emit::{Access, Emit, Exec, Flow};
use crate::op::{Bin, Cmp};
use crate::slot::Slot;
use crate::vec::{Lanes, VecOp};
use crate::width::{W32, W64, W128};
use crate::x86::emit::{Want, X86, fault, plain};
use crate::x86::insn::Insn;
use crate::x86::{mode, state};

/// A value of 128 bits.
pub type V<E> = <E as crate::emit::Emitter>::Val<W128>;

/// How an instruction is encoded.
pub trait Enc {
    /// With VEX: three operands, unaligned memory operands, zeros above the result.
    const VEX: bool;
}
/// The legacy encoding.
pub struct Sse;
/// The VEX encoding.
pub struct Vex;
impl Enc for Sse {
    const VEX: bool = false;
}
impl Enc for Vex {
    const VEX: bool = true;
}

/// What an instruction computes from up to two vector operands and its immediate.
pub trait Op {
    /// Its elements.
    const LANES: Lanes = Lanes::full(0);
    /// Its constant.
    const IMM: u32 = 0;

    /// The result. A shape with one operand passes it as both.
    ///
    /// # Errors
    /// Aborts with an unmasked floating-point exception.
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128>;
}

/// A table operation on all elements of `1 << LOG2` bytes, with constant `IMM`.
pub struct Full<const OP: u16, const LOG2: u32, const IMM: u32>;
/// The same with the operands in the other order.
pub struct Swapped<const OP: u16, const LOG2: u32>;
/// A table operation with the instruction's immediate as its constant.
pub struct WithImm<const OP: u16, const LOG2: u32>;
/// A table operation on the lowest element; the others are those of the first operand.
pub struct Low<const OP: u16, const LOG2: u32>;
/// [`Low`] with the instruction's immediate.
pub struct LowImm<const OP: u16, const LOG2: u32>;
/// A table operation on the even and the odd elements of both operands (PHADD, HADDPS).
pub struct Neighbours<const OP: u16, const LOG2: u32>;

/// The operation that a constant parameter names.
const fn named(op: u16) -> VecOp {
    VecOp::ALL[op as usize]
}

impl<const OP: u16, const LOG2: u32, const IMM: u32> Op for Full<OP, LOG2, IMM> {
    const LANES: Lanes = Lanes::full(LOG2);
    const IMM: u32 = IMM;
    #[inline(always)]
    fn run<E: X86>(e: &mut E, _: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        fp(e, const { named(OP) }, Lanes::full(LOG2), IMM, [a, b, b])
    }
}
impl<const OP: u16, const LOG2: u32> Op for Swapped<OP, LOG2> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, _: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        fp(e, const { named(OP) }, Lanes::full(LOG2), 0, [b, a, a])
    }
}
impl<const OP: u16, const LOG2: u32> Op for WithImm<OP, LOG2> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        fp(e, const { named(OP) }, Lanes::full(LOG2), i.imm8() as u32, [a, b, b])
    }
}
impl<const OP: u16, const LOG2: u32> Op for Low<OP, LOG2> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, _: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        let l = Lanes::scalar(LOG2);
        let op = const { named(OP) };
        let r = if matches!(op, VecOp::FSqrt | VecOp::FRecipX | VecOp::FRsqrtX) {
            fp(e, op, l, 0, [b, b, b])?
        } else {
            fp(e, op, l, 0, [a, b, b])?
        };
        Ok(e.v2(VecOp::Merge, l, a, r))
    }
}
impl<const OP: u16, const LOG2: u32> Op for LowImm<OP, LOG2> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, i: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        let l = Lanes::scalar(LOG2);
        let r = fp(e, const { named(OP) }, l, i.imm8() as u32, [a, b, b])?;
        Ok(e.v2(VecOp::Merge, l, a, r))
    }
}
impl<const OP: u16, const LOG2: u32> Op for Neighbours<OP, LOG2> {
    #[inline(always)]
    fn run<E: X86>(e: &mut E, _: &Insn, a: V<E>, b: V<E>) -> Emit<E, W128> {
        let l = Lanes::full(LOG2);
        let even = e.v2(VecOp::Unzip1, l, a, b);
        let odd = e.v2(VecOp::Unzip2, l, a, b);
        fp(e, const { named(OP) }, l, 0, [even, odd, odd])
    }
}

/// The type of a table operation, for rows: shape, operation, log2 of the element size, constant.
#[macro_export]
macro_rules! vop {
    ($op:ident $log2:literal) => { $crate::x86::isa::sse_forms::Full<{ $crate::vec::VecOp::$op as u16 }, $log2, 0> };
    ($op:ident $log2:literal $imm:expr) => {
        $crate::x86::isa::sse_forms::Full<{ $crate::vec::VecOp::$op as u16 }, $log2, { $imm }>
    };
    ($shape:ident $op:ident $log2:literal) => {
        $crate::x86::isa::sse_forms::$shape<{ $crate::vec::VecOp::$op as u16 }, $log2>
    };
}

/// A vector operation. If an exception that MXCSR does not mask is found it is raised, after its flag was set and
/// before there is a result.
///
/// # Errors
/// With #XM.
#[inline(always)]
pub fn fp<E: X86>(e: &mut E, op: VecOp, l: Lanes, imm: u32, [a, b, c]: [V<E>; 3]) -> Emit<E, W128> {
    if !op.touches_env() || e.mode() & mode::SSE_UNMASKED == 0 {
        return Ok(e.vec(op, l, imm, a, b, c));
    }
    /// IE, DE and ZE are found before there is a result, and then there is none that could overflow.
    const BEFORE: u32 = 7;
    let old = e.get(state::FP_STATUS);
    let none = e.lit::<W32>(0);
    e.put(state::FP_STATUS, none);
    let r = e.vec(op, l, imm, a, b, c);
    let new = e.get(state::FP_STATUS);
    let masks = e.get(state::MXCSR);
    let masks = e.shift(Bin::Shr, masks, 7);
    let all = e.lit::<W32>(0x3F);
    let open = e.bin(Bin::AndNot, all, masks);
    let trapped = e.and(new, open);
    let before = e.lit::<W32>(BEFORE);
    let early = e.and(trapped, before);
    let is_early = e.cmp(Cmp::Ne, early, none);
    let new_early = e.and(new, before);
    let new = e.select::<W32>(is_early, new_early, new);
    let status = e.or(old, new);
    e.put(state::FP_STATUS, status);
    let trap = e.cmp(Cmp::Ne, trapped, none);
    e.raise_if(trap, fault::XM)?;
    Ok(r)
}

/// Checks that vector instructions may run; `free` says that VEX.vvvv names no operand.
///
/// # Errors
/// With #UD or #NM.
#[inline(always)]
pub fn ready<E: X86, X: Enc>(e: &mut E, i: &Insn, free: bool) -> Result<(), E::Abort> {
    let m = e.mode();
    let off = if X::VEX { mode::AVX_UD } else { mode::SSE_UD };
    let reserved = X::VEX && free && i.vvvv() != 0;
    if m & (off | mode::SSE_NM) == 0 && !reserved {
        return Ok(());
    }
    e.always(if m & off != 0 || reserved { fault::UD } else { fault::NM })
}

/// Whether the operand is 64 bits wide where W says so.
#[inline(always)]
pub fn wide<E: X86>(e: &E, i: &Insn) -> bool {
    i.w() && mode::is_64(e.mode())
}

/// How many halves an operation has.
#[inline(always)]
pub const fn halves<X: Enc>(i: &Insn) -> usize {
    if X::VEX && i.l() { 2 } else { 1 }
}

/// Half `h` of vector register `n`.
#[inline(always)]
pub const fn half(n: u8, h: usize) -> Slot<W128> {
    if h == 0 { state::xmm(n) } else { state::ymm_high(n) }
}

/// Both halves of a vector register; the upper one is zero where the operation has one half.
#[inline(always)]
pub fn read<E: X86, X: Enc>(e: &mut E, i: &Insn, n: u8) -> [V<E>; 2] {
    let low = e.get(state::xmm(n));
    [low, if halves::<X>(i) == 2 { e.get(state::ymm_high(n)) } else { low }]
}

/// Writes a vector register; VEX clears what is above the result.
#[inline(always)]
pub fn write<E: X86, X: Enc>(e: &mut E, i: &Insn, n: u8, r: [V<E>; 2]) {
    e.put(state::xmm(n), r[0]);
    if X::VEX {
        let high = if i.l() { r[1] } else { e.lit::<W128>(0) };
        e.put(state::ymm_high(n), high);
    }
}

/// Writes a vector register of which 128 bits are the result.
#[inline(always)]
pub fn write_low<E: X86, X: Enc>(e: &mut E, n: u8, r: V<E>) {
    e.put(state::xmm(n), r);
    if X::VEX {
        let zero = e.lit::<W128>(0);
        e.put(state::ymm_high(n), zero);
    }
}

/// The first operand: VEX.vvvv, or the destination.
#[inline(always)]
pub const fn first<X: Enc>(i: &Insn) -> u8 {
    if X::VEX { i.vvvv() } else { i.reg() }
}

/// The linear address of a memory operand.
///
/// # Errors
/// With the segment's faults.
#[inline(always)]
pub fn address<E: X86>(e: &mut E, i: &Insn, size: u64, want: Want) -> Emit<E, W64> {
    e.address(i, size, want)
}

/// An access to a vector operand in memory: one that must be aligned raises #GP(0), which engines find with the access.
/// With alignment checking on, theirs is #AC, and so the address is looked at before.
///
/// # Errors
/// With #GP(0).
#[inline(always)]
fn access<E: X86>(
    e: &mut E,
    i: &Insn,
    at: E::Val<W64>,
    size: u64,
    aligned: bool,
) -> Result<Access, E::Abort> {
    if aligned && (size > 16 || e.mode() & mode::ALIGN != 0) {
        let mask = e.lit::<W64>(size - 1);
        let low = e.and(at, mask);
        let zero = e.lit::<W64>(0);
        let off = e.cmp(Cmp::Ne, low, zero);
        e.raise_if(off, fault::GP0)?;
    }
    Ok(Access { aligned: aligned && size == 16, ..plain(i.seg()) })
}

/// Loads 16 or 32 bytes from the memory operand.
///
/// # Errors
/// With the access's faults.
#[inline(always)]
pub fn load<E: X86>(e: &mut E, i: &Insn, halves: usize, aligned: bool) -> Result<[V<E>; 2], E::Abort> {
    let size = 16 * halves as u64;
    let at = address(e, i, size, Want::Read)?;
    let k = access(e, i, at, size, aligned)?;
    if halves == 2 {
        let (low, high) = e.load_pair::<W128>(k, at)?;
        return Ok([low, high]);
    }
    let v = e.load::<W128>(k, at)?;
    Ok([v, v])
}

/// Stores 16 or 32 bytes to the memory operand.
///
/// # Errors
/// With the access's faults.
#[inline(always)]
pub fn store<E: X86>(
    e: &mut E,
    i: &Insn,
    halves: usize,
    aligned: bool,
    v: [V<E>; 2],
) -> Result<(), E::Abort> {
    let size = 16 * halves as u64;
    let at = address(e, i, size, Want::Write)?;
    let k = access(e, i, at, size, aligned)?;
    if halves == 2 { e.store_pair::<W128>(k, at, (v[0], v[1])) } else { e.store::<W128>(k, at, v[0]) }
}

/// The operand `W`: a register or memory of the operation's size.
///
/// # Errors
/// With the access's faults.
#[inline(always)]
pub fn source<E: X86, X: Enc>(e: &mut E, i: &Insn) -> Result<[V<E>; 2], E::Abort> {
    if i.is_mem() { load(e, i, halves::<X>(i), !X::VEX) } else { Ok(read::<E, X>(e, i, i.rm())) }
}

/// The operand `W` of `1 << log2` bytes: a register, all of it, or memory, with zeros above.
///
/// # Errors
/// With the access's faults.
#[inline(always)]
pub fn small<E: X86>(e: &mut E, i: &Insn, log2: u32) -> Emit<E, W128> {
    if !i.is_mem() {
        return Ok(e.get(state::xmm(i.rm())));
    }
    let at = address(e, i, 1 << log2, Want::Read)?;
    if log2 == 4 {
        return e.load::<W128>(plain(i.seg()), at);
    }
    let x = e.load_zext(plain(i.seg()), log2, at)?;
    Ok(e.to_vec::<W64>(x))
}

/// The result of an operation on each half.
///
/// # Errors
/// Aborts when the operation does.
#[inline(always)]
pub fn each<E: X86, O: Op>(
    e: &mut E,
    i: &Insn,
    halves: usize,
    a: [V<E>; 2],
    b: [V<E>; 2],
) -> Result<[V<E>; 2], E::Abort> {
    let low = O::run(e, i, a[0], b[0])?;
    Ok([low, if halves == 2 { O::run(e, i, a[1], b[1])? } else { low }])
}

/// `op V, W`; `vop V, H, W`.
#[inline(always)]
pub fn binary<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = source::<E, X>(e, i)?;
    let a = read::<E, X>(e, i, first::<X>(i));
    let r = each::<E, O>(e, i, halves::<X>(i), a, b)?;
    write::<E, X>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// `op V, W` where the old value of V does not matter.
#[inline(always)]
pub fn unary<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, true)?;
    let b = source::<E, X>(e, i)?;
    let r = each::<E, O>(e, i, halves::<X>(i), b, b)?;
    write::<E, X>(e, i, i.reg(), r);
    Ok(Flow::Next)
}

/// `op V, W` on an element of 32 or 64 bits of W; the rest of the result is V's or H's.
fn scalar<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn, log2: u32) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = small(e, i, log2)?;
    let a = e.get(state::xmm(first::<X>(i)));
    let r = O::run(e, i, a, b)?;
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// [`scalar`] of 32 bits.
#[inline(always)]
pub fn scalar_ss<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    scalar::<E, X, O>(e, i, 2)
}

/// [`scalar`] of 64 bits.
#[inline(always)]
pub fn scalar_sd<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    scalar::<E, X, O>(e, i, 3)
}

/// `op V, W` whose W has 16 bytes and whose result 128 bits, whatever the length; memory need not be aligned with VEX.
#[inline(always)]
pub fn binary_128<E: X86, X: Enc, O: Op>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, X>(e, i, false)?;
    let b = if i.is_mem() { load(e, i, 1, !X::VEX)?[0] } else { e.get(state::xmm(i.rm())) };
    let a = e.get(state::xmm(first::<X>(i)));
    let r = O::run(e, i, a, b)?;
    write_low::<E, X>(e, i.reg(), r);
    Ok(Flow::Next)
}

/// Rows of instructions that SSE and AVX share: class, mnemonic, prefix, map, opcode, destination, sources, attributes,
/// feature of the SSE form, semantics.
///
/// The class says what the VEX form is like. `int` and `int1`: 128 bits by AVX and 256 by AVX2; `fp` and `fp1`: both by
/// AVX; `lig` and `lig1`: the length is ignored; `l0` and `l01`: 128 bits only; `sse`: there is none. A 1 says that
/// VEX.vvvv names no operand. `vaes` and `vpclmul` have 256 bits with that feature, `gf0` and `gf1` both lengths with
/// the one of the SSE form, and the W that the name ends with.
#[macro_export]
macro_rules! simd_rows {
    ($($class:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident
        => $f:ident $(<$($t:ty),*>)?;)*) => {
        /// The rows of this chapter.
        #[allow(clippy::vec_init_then_push, reason = "a line of rows makes up to three")]
        pub fn rows<E: $crate::x86::emit::X86>() -> Vec<$crate::x86::table::Row<E>> {
            let mut rows = Vec::new();
            $( $crate::simd_rows!(@$class rows $name $pp $map $op $d $s $attr $feature $f [$($($t),*)?]); )*
            rows
        }
    };
    (@map "0F") => { "0F" };
    (@map "0F38") => { "0F 38" };
    (@map "0F3A") => { "0F 3A" };
    (@row $rows:ident $name:expr, $opcode:expr, $operands:expr, $attr:literal, $features:expr, $choose:expr) => {
        $rows.push($crate::x86::table::Row {
            name: $name,
            opcode: $opcode,
            operands: $operands,
            attributes: $attr,
            features: $features,
            choose: $choose,
            pattern: $crate::x86::table::Pattern::parse($opcode, $operands, $attr),
        });
    };
    (@sse $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident [$($t:ty),*]) => {
        $crate::simd_rows!(@row $rows $name, concat!($pp, " ", $crate::simd_rows!(@map $map), " ", $op),
            concat!($d, ",", $s), $attr, $crate::x86::features::$feature,
            |_| $crate::step!(E, $f::<E, $crate::x86::isa::sse_forms::Sse, $($t),*>));
    };
    (@vex $len:literal $feature:ident $h:literal $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $f:ident [$($t:ty),*]) => {
        $crate::simd_rows!(@row $rows concat!("V", $name), concat!("VEX.", $len, ".", $pp, ".", $map, " ", $op),
            concat!($d, $h, $s), $attr, $crate::x86::features::$feature,
            |_| $crate::step!(E, $f::<E, $crate::x86::isa::sse_forms::Vex, $($t),*>));
    };
    (@int $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "128" AVX ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
        $crate::simd_rows!(@vex "256" AVX2 ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@int1 $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "128" AVX "," $rows $name $pp $map $op $d $s $attr $f $t);
        $crate::simd_rows!(@vex "256" AVX2 "," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@fp $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "WIG" AVX ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@fp1 $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "WIG" AVX "," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@lig $($rest:tt)*) => { $crate::simd_rows!(@fp $($rest)*); };
    (@lig1 $($rest:tt)*) => { $crate::simd_rows!(@fp1 $($rest)*); };
    (@l0 $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "128" AVX ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@vaes $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@l0 $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "256" VAES ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@vpclmul $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@l0 $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "256" VPCLMUL ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@gf0 $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "W0" GFNI ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@gf1 $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "W1" GFNI ",Hx," $rows $name $pp $map $op $d $s $attr $f $t);
    };
    (@l01 $rows:ident $name:literal $pp:tt $map:tt $op:literal $d:literal $s:literal $attr:literal $feature:ident $f:ident $t:tt) => {
        $crate::simd_rows!(@sse $rows $name $pp $map $op $d $s $attr $feature $f $t);
        $crate::simd_rows!(@vex "128" AVX "," $rows $name $pp $map $op $d $s $attr $f $t);
    };
}
