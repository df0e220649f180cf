//! MMX and the MMX forms of SSE to SSSE3 (SDM vol. 1, chapter 9; vol. 2).
//!
//! MMX register n is the significand of x87 register n, physically. Every instruction but EMMS makes TOP zero and all
//! tags valid, and one that writes a register sets its exponent to ones.

use super::sse_forms::{V, fp, small, write_low};
use super::x87_state::Fpu;
use crate::core::Core;
use crate::emit::{Effects, Emit, Exec, Flow, Helper};
use crate::op::Cmp;
use crate::slot::Slot;
use crate::vec::fp::{Fixed, rounding};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::{Int, W16, W32, W64, W128};
use crate::x86::emit::{Want, X86, fault, plain};
use crate::x86::insn::Insn;
use crate::x86::{X64, mode, state};

macro_rules! mmx_rows {
    ($($name:literal $opcode:literal $operands:literal $feature:ident => $f:ident $(<$op:ident $log2:literal>)?;)*) => {
        /// The rows of this chapter.
        pub fn rows<E: X86>() -> Vec<crate::x86::table::Row<E>> {
            vec![$( crate::x86::table::Row {
                name: $name,
                opcode: $opcode,
                operands: $operands,
                attributes: "",
                features: crate::x86::features::$feature,
                choose: |_| crate::step!(E, mmx_rows!(@f E $f $($op $log2)?)),
                pattern: crate::x86::table::Pattern::parse($opcode, $operands, ""),
            } ),*]
        }
    };
    (@f $E:ident $f:ident) => { $f::<$E> };
    (@f $E:ident $f:ident $op:ident $log2:literal) => { $f::<$E, { VecOp::$op as u16 }, $log2> };
}
mmx_rows! {
    "EMMS" "NP 0F 77" "" MMX => emms;
    "MOVD" "NP 0F 6E" "Pd,Ey" MMX => movd;
    "MOVD" "NP 0F 7E" "Ey,Pd" MMX => movd_to;
    "MOVQ" "NP 0F 6F" "Pq,Qq" MMX => movq;
    "MOVQ" "NP 0F 7F" "Qq,Pq" MMX => movq_to;
    "MOVNTQ" "NP 0F E7" "Mq,Pq" SSE => movq_to;
    "PUNPCKLBW" "NP 0F 60" "Pq,Qd" MMX => binary<Zip1 0>;
    "PUNPCKLWD" "NP 0F 61" "Pq,Qd" MMX => binary<Zip1 1>;
    "PUNPCKLDQ" "NP 0F 62" "Pq,Qd" MMX => binary<Zip1 2>;
    "PACKSSWB" "NP 0F 63" "Pq,Qq" MMX => binary<PackS 0>;
    "PCMPGTB" "NP 0F 64" "Pq,Qq" MMX => binary<GtS 0>;
    "PCMPGTW" "NP 0F 65" "Pq,Qq" MMX => binary<GtS 1>;
    "PCMPGTD" "NP 0F 66" "Pq,Qq" MMX => binary<GtS 2>;
    "PACKUSWB" "NP 0F 67" "Pq,Qq" MMX => binary<PackU 0>;
    "PUNPCKHBW" "NP 0F 68" "Pq,Qq" MMX => binary<Zip2 0>;
    "PUNPCKHWD" "NP 0F 69" "Pq,Qq" MMX => binary<Zip2 1>;
    "PUNPCKHDQ" "NP 0F 6A" "Pq,Qq" MMX => binary<Zip2 2>;
    "PACKSSDW" "NP 0F 6B" "Pq,Qq" MMX => binary<PackS 1>;
    "PSHUFW" "NP 0F 70" "Pq,Qq,Ib" SSE => with_imm<ShuffleLow 1>;
    "PSRLW" "NP 0F 71 /2" "Nq,Ib" MMX => shift_imm<ShrU 1>;
    "PSRAW" "NP 0F 71 /4" "Nq,Ib" MMX => shift_imm<ShrS 1>;
    "PSLLW" "NP 0F 71 /6" "Nq,Ib" MMX => shift_imm<Shl 1>;
    "PSRLD" "NP 0F 72 /2" "Nq,Ib" MMX => shift_imm<ShrU 2>;
    "PSRAD" "NP 0F 72 /4" "Nq,Ib" MMX => shift_imm<ShrS 2>;
    "PSLLD" "NP 0F 72 /6" "Nq,Ib" MMX => shift_imm<Shl 2>;
    "PSRLQ" "NP 0F 73 /2" "Nq,Ib" MMX => shift_imm<ShrU 3>;
    "PSLLQ" "NP 0F 73 /6" "Nq,Ib" MMX => shift_imm<Shl 3>;
    "PCMPEQB" "NP 0F 74" "Pq,Qq" MMX => binary<Eq 0>;
    "PCMPEQW" "NP 0F 75" "Pq,Qq" MMX => binary<Eq 1>;
    "PCMPEQD" "NP 0F 76" "Pq,Qq" MMX => binary<Eq 2>;
    "PINSRW" "NP 0F C4" "Pq,Ew,Ib" SSE => pinsrw;
    "PEXTRW" "NP 0F C5" "Gd,Nq,Ib" SSE => pextrw;
    "PSRLW" "NP 0F D1" "Pq,Qq" MMX => binary<ShrAllU 1>;
    "PSRLD" "NP 0F D2" "Pq,Qq" MMX => binary<ShrAllU 2>;
    "PSRLQ" "NP 0F D3" "Pq,Qq" MMX => binary<ShrAllU 3>;
    "PADDQ" "NP 0F D4" "Pq,Qq" SSE2 => binary<Add 3>;
    "PMULLW" "NP 0F D5" "Pq,Qq" MMX => binary<Mul 1>;
    "PMOVMSKB" "NP 0F D7" "Gd,Nq" SSE => pmovmskb;
    "PSUBUSB" "NP 0F D8" "Pq,Qq" MMX => binary<SatSubU 0>;
    "PSUBUSW" "NP 0F D9" "Pq,Qq" MMX => binary<SatSubU 1>;
    "PMINUB" "NP 0F DA" "Pq,Qq" SSE => binary<MinU 0>;
    "PAND" "NP 0F DB" "Pq,Qq" MMX => binary<And 3>;
    "PADDUSB" "NP 0F DC" "Pq,Qq" MMX => binary<SatAddU 0>;
    "PADDUSW" "NP 0F DD" "Pq,Qq" MMX => binary<SatAddU 1>;
    "PMAXUB" "NP 0F DE" "Pq,Qq" SSE => binary<MaxU 0>;
    "PANDN" "NP 0F DF" "Pq,Qq" MMX => swapped<AndNot 3>;
    "PAVGB" "NP 0F E0" "Pq,Qq" SSE => binary<AvgUpU 0>;
    "PSRAW" "NP 0F E1" "Pq,Qq" MMX => binary<ShrAllS 1>;
    "PSRAD" "NP 0F E2" "Pq,Qq" MMX => binary<ShrAllS 2>;
    "PAVGW" "NP 0F E3" "Pq,Qq" SSE => binary<AvgUpU 1>;
    "PMULHUW" "NP 0F E4" "Pq,Qq" SSE => binary<MulHighU 1>;
    "PMULHW" "NP 0F E5" "Pq,Qq" MMX => binary<MulHighS 1>;
    "PSUBSB" "NP 0F E8" "Pq,Qq" MMX => binary<SatSubS 0>;
    "PSUBSW" "NP 0F E9" "Pq,Qq" MMX => binary<SatSubS 1>;
    "PMINSW" "NP 0F EA" "Pq,Qq" SSE => binary<MinS 1>;
    "POR" "NP 0F EB" "Pq,Qq" MMX => binary<Or 3>;
    "PADDSB" "NP 0F EC" "Pq,Qq" MMX => binary<SatAddS 0>;
    "PADDSW" "NP 0F ED" "Pq,Qq" MMX => binary<SatAddS 1>;
    "PMAXSW" "NP 0F EE" "Pq,Qq" SSE => binary<MaxS 1>;
    "PXOR" "NP 0F EF" "Pq,Qq" MMX => binary<Xor 3>;
    "PSLLW" "NP 0F F1" "Pq,Qq" MMX => binary<ShlAll 1>;
    "PSLLD" "NP 0F F2" "Pq,Qq" MMX => binary<ShlAll 2>;
    "PSLLQ" "NP 0F F3" "Pq,Qq" MMX => binary<ShlAll 3>;
    "PMULUDQ" "NP 0F F4" "Pq,Qq" SSE2 => binary<MulEvenU 2>;
    "PMADDWD" "NP 0F F5" "Pq,Qq" MMX => binary<MulAddPairs 1>;
    "PSADBW" "NP 0F F6" "Pq,Qq" SSE => binary<SumDiffU 0>;
    "MASKMOVQ" "NP 0F F7" "Pq,Nq" SSE => maskmovq;
    "PSUBB" "NP 0F F8" "Pq,Qq" MMX => binary<Sub 0>;
    "PSUBW" "NP 0F F9" "Pq,Qq" MMX => binary<Sub 1>;
    "PSUBD" "NP 0F FA" "Pq,Qq" MMX => binary<Sub 2>;
    "PSUBQ" "NP 0F FB" "Pq,Qq" SSE2 => binary<Sub 3>;
    "PADDB" "NP 0F FC" "Pq,Qq" MMX => binary<Add 0>;
    "PADDW" "NP 0F FD" "Pq,Qq" MMX => binary<Add 1>;
    "PADDD" "NP 0F FE" "Pq,Qq" MMX => binary<Add 2>;
    "PSHUFB" "NP 0F 38 00" "Pq,Qq" SSSE3 => binary<ShuffleBytes 0>;
    "PHADDW" "NP 0F 38 01" "Pq,Qq" SSSE3 => neighbours<Add 1>;
    "PHADDD" "NP 0F 38 02" "Pq,Qq" SSSE3 => neighbours<Add 2>;
    "PHADDSW" "NP 0F 38 03" "Pq,Qq" SSSE3 => neighbours<SatAddS 1>;
    "PMADDUBSW" "NP 0F 38 04" "Pq,Qq" SSSE3 => binary<MulAddPairsUS 0>;
    "PHSUBW" "NP 0F 38 05" "Pq,Qq" SSSE3 => neighbours<Sub 1>;
    "PHSUBD" "NP 0F 38 06" "Pq,Qq" SSSE3 => neighbours<Sub 2>;
    "PHSUBSW" "NP 0F 38 07" "Pq,Qq" SSSE3 => neighbours<SatSubS 1>;
    "PSIGNB" "NP 0F 38 08" "Pq,Qq" SSSE3 => binary<Sign 0>;
    "PSIGNW" "NP 0F 38 09" "Pq,Qq" SSSE3 => binary<Sign 1>;
    "PSIGND" "NP 0F 38 0A" "Pq,Qq" SSSE3 => binary<Sign 2>;
    "PMULHRSW" "NP 0F 38 0B" "Pq,Qq" SSSE3 => binary<MulHighRound 1>;
    "PABSB" "NP 0F 38 1C" "Pq,Qq" SSSE3 => unary<Abs 0>;
    "PABSW" "NP 0F 38 1D" "Pq,Qq" SSSE3 => unary<Abs 1>;
    "PABSD" "NP 0F 38 1E" "Pq,Qq" SSSE3 => unary<Abs 2>;
    "PALIGNR" "NP 0F 3A 0F" "Pq,Qq,Ib" SSSE3 => palignr;
    "MOVQ2DQ" "F3 0F D6" "Vdq,Nq" SSE2 => movq2dq;
    "MOVDQ2Q" "F2 0F D6" "Pq,Uq" SSE2 => movdq2q;
    "CVTPI2PS" "NP 0F 2A" "Vps,Qq" SSE => cvtpi2ps;
    "CVTPI2PD" "66 0F 2A" "Vpd,Qq" SSE2 => cvtpi2pd;
    "CVTTPS2PI" "NP 0F 2C" "Pq,Wq" SSE => from_single<FToInt 0>;
    "CVTPS2PI" "NP 0F 2D" "Pq,Wq" SSE => from_single<FToInt 1>;
    "CVTTPD2PI" "66 0F 2C" "Pq,Wdq" SSE2 => from_double<FToInt 0>;
    "CVTPD2PI" "66 0F 2D" "Pq,Wdq" SSE2 => from_double<FToInt 1>;
}

const fn half(log2: u32) -> Lanes {
    Lanes::new(log2, Part::Half)
}

/// Raises a pending x87 exception.
static WAIT: Helper<X64> = Helper {
    name: "mmx_wait",
    effects: Effects { writes: false, ..Effects::FAULTS },
    run: |core: &mut Core<X64>, _, _, _| core.wait().map(|()| 0),
};

/// Checks that MMX instructions may run, a pending x87 exception included.
fn ready<E: X86>(e: &mut E) -> Result<(), E::Abort> {
    let m = e.mode();
    if m & mode::MMX_UD != 0 {
        return e.always(fault::UD);
    }
    if m & mode::X87_TRAP != 0 {
        return e.always(fault::NM);
    }
    let fsw = e.get(state::FSW);
    let summary = e.lit::<W16>(super::x87_state::ES);
    let pending = e.and(fsw, summary);
    let none = e.lit::<W16>(0);
    let pending = e.cmp(Cmp::Ne, pending, none);
    e.when(pending, |e| {
        let zero = e.lit::<W64>(0);
        e.call(&WAIT, [zero, zero, zero])?;
        Ok(())
    })
}

/// TOP becomes zero and all registers valid.
fn enter<E: X86>(e: &mut E) {
    let fsw = e.get(state::FSW);
    let keep = e.lit::<W16>(!(7 << 11));
    let fsw = e.and(fsw, keep);
    e.put(state::FSW, fsw);
    let all = e.lit::<W16>(0xFF);
    e.put(state::FTW, all);
}

/// The significand of a register.
fn low(n: u8) -> Slot<W64> {
    state::fpr(n & 7).cast::<W64>()
}

fn get<E: X86>(e: &mut E, n: u8) -> V<E> {
    let x = e.get(low(n));
    e.to_vec::<W64>(x)
}

fn put<E: X86>(e: &mut E, n: u8, v: V<E>) {
    let x = e.lane::<W64>(v, 0);
    let v = e.to_vec::<W64>(x);
    let ones = e.lit::<W16>(0xFFFF);
    let v = e.set_lane::<W16>(v, 4, ones);
    e.put(state::fpr(n & 7), v);
}

/// The operand Q: a register or 64 bits of memory.
fn source<E: X86>(e: &mut E, i: &Insn) -> Emit<E, W128> {
    if !i.is_mem() {
        return Ok(get(e, i.rm()));
    }
    let ea = e.ea(i);
    let x = e.load_at::<W64>(i.seg(), ea)?;
    Ok(e.to_vec::<W64>(x))
}

/// `op P, Q`.
fn on_both<E: X86>(e: &mut E, i: &Insn, f: impl FnOnce(&mut E, V<E>, V<E>) -> V<E>) -> Exec<E> {
    ready(e)?;
    let b = source(e, i)?;
    let a = get(e, i.reg());
    let r = f(e, a, b);
    enter(e);
    put(e, i.reg(), r);
    Ok(Flow::Next)
}

const fn named(op: u16) -> VecOp {
    VecOp::ALL[op as usize]
}

#[inline(always)]
fn binary<E: X86, const OP: u16, const LOG2: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    on_both(e, i, |e, a, b| e.v2(const { named(OP) }, half(LOG2), a, b))
}

#[inline(always)]
fn swapped<E: X86, const OP: u16, const LOG2: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    on_both(e, i, |e, a, b| e.v2(const { named(OP) }, half(LOG2), b, a))
}

#[inline(always)]
fn unary<E: X86, const OP: u16, const LOG2: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    on_both(e, i, |e, _, b| e.v1(const { named(OP) }, half(LOG2), b))
}

#[inline(always)]
fn with_imm<E: X86, const OP: u16, const LOG2: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    on_both(e, i, |e, _, b| e.vi(const { named(OP) }, half(LOG2), i.imm8() as u32, b))
}

#[inline(always)]
fn neighbours<E: X86, const OP: u16, const LOG2: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    on_both(e, i, |e, a, b| {
        let even = e.v2(VecOp::Unzip1, half(LOG2), a, b);
        let odd = e.v2(VecOp::Unzip2, half(LOG2), a, b);
        e.v2(const { named(OP) }, half(LOG2), even, odd)
    })
}

#[inline(always)]
fn palignr<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    on_both(e, i, |e, a, b| {
        let zero = e.lit::<W128>(0);
        match i.imm8() as u32 {
            n @ 0..8 => e.vec(VecOp::Extract, half(0), n, b, a, a),
            n @ 8..16 => e.vec(VecOp::Extract, half(0), n - 8, a, zero, zero),
            _ => zero,
        }
    })
}

/// `op N, Ib`.
#[inline(always)]
fn shift_imm<E: X86, const OP: u16, const LOG2: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let (op, l, n) = (const { named(OP) }, half(LOG2), i.imm8() as u32);
    let a = get(e, i.rm());
    let signs = op as u16 == VecOp::ShrS as u16;
    let r = if n < l.bits() {
        e.vi(op, l, n, a)
    } else if signs {
        e.vi(op, l, l.bits() - 1, a)
    } else {
        e.lit::<W128>(0)
    };
    enter(e);
    put(e, i.rm(), r);
    Ok(Flow::Next)
}

#[inline(always)]
fn emms<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    ready(e)?;
    enter(e);
    let none = e.lit::<W16>(0);
    e.put(state::FTW, none);
    Ok(Flow::Next)
}

fn wide<E: X86>(e: &E, i: &Insn) -> u32 {
    if super::sse_forms::wide(e, i) { 3 } else { 2 }
}

#[inline(always)]
fn movd<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let log2 = wide(e, i);
    let x = if i.is_mem() {
        let at = super::sse_forms::address(e, i, 1 << log2, Want::Read)?;
        e.load_zext(plain(i.seg()), log2, at)?
    } else {
        let x = e.get(state::gpr(i.rm()));
        e.trunc(x, log2)
    };
    let v = e.to_vec::<W64>(x);
    enter(e);
    put(e, i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn movd_to<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let log2 = wide(e, i);
    let x = e.get(low(i.reg()));
    if i.is_mem() {
        let at = super::sse_forms::address(e, i, 1 << log2, Want::Write)?;
        e.store_low(plain(i.seg()), log2, at, x)?;
    } else {
        let x = e.trunc(x, log2);
        e.put(state::gpr(i.rm()), x);
    }
    enter(e);
    Ok(Flow::Next)
}

#[inline(always)]
fn movq<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    on_both(e, i, |_, _, b| b)
}

#[inline(always)]
fn movq_to<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    if i.is_mem() {
        let x = e.get(low(i.reg()));
        let ea = e.ea(i);
        e.store_at::<W64>(i.seg(), ea, x)?;
        enter(e);
    } else {
        let v = get(e, i.reg());
        enter(e);
        put(e, i.rm(), v);
    }
    Ok(Flow::Next)
}

#[inline(always)]
fn pinsrw<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let x = if i.is_mem() {
        let ea = e.ea(i);
        e.load_at::<W16>(i.seg(), ea)?
    } else {
        e.r::<W16>(i.rm())
    };
    let a = get(e, i.reg());
    let r = e.set_lane::<W16>(a, i.imm8() as u32 & 3, x);
    enter(e);
    put(e, i.reg(), r);
    Ok(Flow::Next)
}

/// Writes a general register from the low 32 bits of an element.
fn to_general<E: X86, W: Int>(e: &mut E, n: u8, v: V<E>, at: u32) {
    let x = e.lane::<W>(v, at);
    let x = e.zext::<W, W64>(x);
    e.put(state::gpr(n), x);
}

#[inline(always)]
fn pextrw<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let v = get(e, i.rm());
    to_general::<E, W16>(e, i.reg(), v, i.imm8() as u32 & 3);
    enter(e);
    Ok(Flow::Next)
}

#[inline(always)]
fn pmovmskb<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let v = get(e, i.rm());
    let mask = e.v1(VecOp::MoveMask, half(0), v);
    to_general::<E, W32>(e, i.reg(), mask, 0);
    enter(e);
    Ok(Flow::Next)
}

/// Stores bytes of an MMX register at a linear address where the highest bits of another's say so.
static MASKED_BYTES: Helper<X64> = Helper {
    name: "mmx_masked_bytes",
    effects: Effects { writes: false, ..Effects::FAULTS },
    run: |core: &mut Core<X64>, at, value, mask| {
        let [value, mask] = [value, mask].map(|n| core.reg(low(n as u8)).into());
        super::sse_move::store_masked(core, at, value, mask, 8)?;
        Ok(0)
    },
};

#[inline(always)]
fn maskmovq<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    const DI: u8 = 7;
    ready(e)?;
    let offset = e.get(state::gpr(DI));
    let offset = e.trunc(offset, i.asize());
    let at = e.linear(i.seg(), offset, 8, Want::Write)?;
    let (value, mask) = (e.lit::<W64>(i.reg() as u64), e.lit::<W64>(i.rm() as u64));
    e.call(&MASKED_BYTES, [at, value, mask])?;
    enter(e);
    // What was stored may be code, the code that follows even.
    Ok(Flow::Sync)
}

#[inline(always)]
fn movq2dq<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    sse_too(e)?;
    let v = get(e, i.rm());
    enter(e);
    write_low::<E, super::sse_forms::Sse>(e, i.reg(), v);
    Ok(Flow::Next)
}

#[inline(always)]
fn movdq2q<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    sse_too(e)?;
    let v = e.get(state::xmm(i.rm()));
    enter(e);
    put(e, i.reg(), v);
    Ok(Flow::Next)
}

/// Checks for instructions that touch both register files.
fn sse_too<E: X86>(e: &mut E) -> Result<(), E::Abort> {
    if e.mode() & mode::SSE_UD != 0 {
        return e.always(fault::UD);
    }
    ready(e)
}

const fn fixed(rounding: u32) -> u32 {
    Fixed { rounding, signed: true, log2: 2, fbits: 0 }.pack()
}

/// CVTPI2PS: from memory it leaves the x87 alone, as on AMD's processors.
#[inline(always)]
fn cvtpi2ps<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    sse_too(e)?;
    let b = source(e, i)?;
    let r = fp(e, VecOp::IntToF, half(2), fixed(rounding::CURRENT), [b, b, b])?;
    let a = e.get(state::xmm(i.reg()));
    let r = e.v2(VecOp::Merge, half(3), a, r);
    if !i.is_mem() {
        enter(e);
    }
    e.put(state::xmm(i.reg()), r);
    Ok(Flow::Next)
}

/// CVTPI2PD: from memory it leaves the x87 alone.
#[inline(always)]
fn cvtpi2pd<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    sse_too(e)?;
    let b = source(e, i)?;
    let r = fp(e, VecOp::IntToF, Lanes::full(3), fixed(rounding::CURRENT), [b, b, b])?;
    if !i.is_mem() {
        enter(e);
    }
    e.put(state::xmm(i.reg()), r);
    Ok(Flow::Next)
}

/// CVTPS2PI, and CVTTPS2PI with `CURRENT` 0.
#[inline(always)]
fn from_single<E: X86, const OP: u16, const CURRENT: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    sse_too(e)?;
    let b = small(e, i, 3)?;
    to_integers::<E, OP>(e, i, half(2), CURRENT, b)
}

/// CVTPD2PI, and CVTTPD2PI with `CURRENT` 0.
#[inline(always)]
fn from_double<E: X86, const OP: u16, const CURRENT: u32>(e: &mut E, i: &Insn) -> Exec<E> {
    sse_too(e)?;
    let b = if i.is_mem() { super::sse_forms::load(e, i, 1, true)?[0] } else { e.get(state::xmm(i.rm())) };
    to_integers::<E, OP>(e, i, Lanes::full(3), CURRENT, b)
}

fn to_integers<E: X86, const OP: u16>(e: &mut E, i: &Insn, l: Lanes, current: u32, b: V<E>) -> Exec<E> {
    let rounding = if current != 0 { rounding::CURRENT } else { rounding::ZERO };
    let r = fp(e, const { named(OP) }, l, fixed(rounding), [b, b, b])?;
    enter(e);
    put(e, i.reg(), r);
    Ok(Flow::Next)
}
