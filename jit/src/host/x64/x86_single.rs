//! Which operations of x86 guests are one instruction of the host: the guest's own, VEX-encoded.
//!
//! Floating point runs under the guest's MXCSR (see [`super::x86_mxcsr`]), so that results, NaNs and exception flags are
//! what the processor makes them.
//!
//! Left to the evaluator: DPPS and DPPD, whose result among several NaNs is the processor's maker's own.

use super::vex::*;
use super::{Config, Lower};
use crate::ir::VecForm;
use lyrebird_cpu::vec::fp::{EXACT, Fixed, ROUNDING, TO, rounding};
use lyrebird_cpu::vec::{Part, VecOp};

/// How an instruction takes its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `d = a op b`
    Binary,
    /// `d = b op a`
    Swapped,
    /// `d = op a`; of a scalar, the elements above come from another operand
    Unary,
    /// `d = op a`, where the manual's destination is the r/m operand
    Reversed,
    /// `d = a op b` by the mask `c`
    Masked,
    /// `d = a × b + c`, by the low digit of the opcode
    Fused(u8),
    /// `d = a` shifted by the immediate, by the digit that goes on the opcode
    Shift(u8),
}

/// One instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Single {
    pub vex: Vex,
    pub shape: Shape,
    /// Its immediate byte.
    pub imm: Option<u8>,
}

const fn single(vex: Vex, shape: Shape, imm: Option<u8>) -> Option<Single> {
    Some(Single { vex, shape, imm })
}
const fn binary(vex: Vex) -> Option<Single> {
    single(vex, Shape::Binary, None)
}
const fn unary(vex: Vex) -> Option<Single> {
    single(vex, Shape::Unary, None)
}

/// An element of a list by log2 of the size, the list beginning with `first`.
fn of(list: &[Vex], n: usize, first: usize) -> Option<Single> {
    binary(*list.get(n.checked_sub(first)?)?)
}

/// Scalar and packed floating point, whose status and control are in the host's MXCSR.
pub(super) fn floating(config: &Config, form: VecForm) -> Option<Single> {
    let (l, n, imm) = (form.lanes, form.lanes.log2, form.imm);
    let (scalar, full) = (l.part == Part::Scalar, l.part == Part::Full);
    if form.op == VecOp::FCvt {
        return conversion(config, form);
    }
    if !matches!(n, 2 | 3) || !scalar && !full {
        return None;
    }
    let prefix = Lower::prefix(form);
    let plain = |opcode| binary(coded(1, prefix, opcode, false));
    let wide = n == 3;
    match form.op {
        VecOp::FAdd => plain(0x58),
        VecOp::FMul => plain(0x59),
        VecOp::FSub => plain(0x5C),
        VecOp::FMin => plain(0x5D),
        VecOp::FDiv => plain(0x5E),
        VecOp::FMax => plain(0x5F),
        VecOp::FSqrt => unary(coded(1, prefix, 0x51, false)),
        VecOp::FAddSub if full => binary(coded(1, if wide { 0x66 } else { 0xF2 }, 0xD0, false)),
        VecOp::FCmpX => single(coded(1, prefix, 0xC2, false), Shape::Binary, Some(imm as u8)),
        VecOp::FRound => {
            let mode = round_control(imm & rounding::MASK)? | if imm & EXACT == 0 { 8 } else { 0 };
            let opcode = 0x08 | (scalar as u8) << 1 | wide as u8;
            single(coded(3, 0x66, opcode, false), Shape::Unary, Some(mode))
        }
        VecOp::FMulAddX if config.fma => {
            let digit = match imm & 7 {
                0 => 0x8,
                1 => 0xC,
                2 => 0x6,
                4 => 0x7,
                6 => 0xA,
                7 => 0xE,
                _ => return None,
            };
            if scalar && digit < 8 {
                return None;
            }
            single(coded(2, 0x66, 0, wide), Shape::Fused(digit | scalar as u8), None)
        }
        VecOp::FToInt if full => {
            let f = Fixed::unpack(imm);
            let truncate = match f.rounding {
                rounding::ZERO => true,
                rounding::CURRENT => false,
                _ => return None,
            };
            let prefix = match (wide, truncate) {
                (false, true) => 0xF3,
                (true, false) => 0xF2,
                _ => 0x66,
            };
            let plain = f.signed && f.log2 == 2 && f.fbits == 0;
            unary(coded(1, prefix, if wide { 0xE6 } else { 0x5B }, false)).filter(|_| plain)
        }
        VecOp::IntToF if full => {
            let f = Fixed::unpack(imm);
            let plain = f.signed && f.log2 == 2 && f.fbits == 0;
            let vex = if wide { coded(1, 0xF3, 0xE6, false) } else { coded(1, 0, 0x5B, false) };
            unary(vex).filter(|_| plain)
        }
        _ => None,
    }
}

/// The rounding field of ROUNDPS and VCVTPS2PH.
fn round_control(r: u32) -> Option<u8> {
    match r {
        rounding::NEAREST => Some(0),
        rounding::MINUS => Some(1),
        rounding::PLUS => Some(2),
        rounding::ZERO => Some(3),
        rounding::CURRENT => Some(4),
        _ => None,
    }
}

fn conversion(config: &Config, form: VecForm) -> Option<Single> {
    match (form.lanes.part, form.lanes.log2, form.imm) {
        (Part::Scalar, 2, 3) => unary(coded(1, 0xF3, 0x5A, false)),
        (Part::Scalar, 3, 2) => unary(coded(1, 0xF2, 0x5A, false)),
        (Part::Half, 2, 3) => unary(coded(1, 0, 0x5A, false)),
        (Part::Full, 3, 2) => unary(coded(1, 0x66, 0x5A, false)),
        (Part::Half, 1, 2) if config.f16c => unary(CVTPH2PS),
        (Part::Full, 2, imm) if config.f16c && imm & TO == 1 && imm >> ROUNDING != 0 => {
            single(CVTPS2PH, Shape::Reversed, Some(round_control((imm >> ROUNDING) - 1)?))
        }
        _ => None,
    }
}

/// Operations on whole vectors that have no status; `same`: both operands are one.
pub(super) fn integer(config: &Config, form: VecForm, same: bool) -> Option<Single> {
    if form.lanes.part != Part::Full || form.lanes.log2 > 3 {
        return None;
    }
    let (n, imm) = (form.lanes.log2 as usize, form.imm as u8);
    let with = |vex| single(vex, Shape::Binary, Some(imm));
    let shift = |digit: u8| {
        let vex = coded(1, 0x66, 0x70 + n as u8, false);
        (n > 0 && form.imm < form.lanes.bits()).then_some(Single {
            vex,
            shape: Shape::Shift(digit),
            imm: Some(imm),
        })
    };
    match form.op {
        VecOp::And => binary(PAND),
        VecOp::AndNot => single(PANDN, Shape::Swapped, None),
        VecOp::Or => binary(POR),
        VecOp::Xor => binary(PXOR),
        VecOp::Add => of(PADD, n, 0),
        VecOp::Sub => of(PSUB, n, 0),
        VecOp::Mul if n == 1 => binary(PMULLW),
        VecOp::Mul if n == 2 => binary(PMULLD),
        VecOp::Abs => unary(*PABS.get(n)?),
        VecOp::MinS => of(PMINS, n, 0),
        VecOp::MaxS => of(PMAXS, n, 0),
        VecOp::MinU => of(PMINU, n, 0),
        VecOp::MaxU => of(PMAXU, n, 0),
        VecOp::AvgUpU => of(PAVG, n, 0),
        VecOp::Eq => of(PCMPEQ, n, 0),
        VecOp::GtS => of(PCMPGT, n, 0),
        VecOp::SatAddS => of(PADDS, n, 0),
        VecOp::SatAddU => of(PADDUS, n, 0),
        VecOp::SatSubS => of(PSUBS, n, 0),
        VecOp::SatSubU => of(PSUBUS, n, 0),
        VecOp::ShrU => shift(2),
        VecOp::ShrS if n < 3 => shift(4),
        VecOp::Shl => shift(6),
        VecOp::ShlAll => of(PSLL, n, 1),
        VecOp::ShrAllU => of(PSRL, n, 1),
        VecOp::ShrAllS => of(PSRA, n, 1),
        VecOp::ShlBy => of(PSLLV, n, 2),
        VecOp::ShrByU => of(PSRLV, n, 2),
        VecOp::ShrByS if n == 2 => binary(PSRAVD),
        VecOp::MulHighS if n == 1 => binary(PMULHW),
        VecOp::MulHighU if n == 1 => binary(PMULHUW),
        VecOp::MulHighRound if n == 1 => binary(PMULHRSW),
        VecOp::MulEvenS if n == 2 => binary(PMULDQ),
        VecOp::MulEvenU if n == 2 => binary(PMULUDQ),
        VecOp::MulAddPairs if n == 1 => binary(PMADDWD),
        VecOp::MulAddPairsUS if n == 0 => binary(PMADDUBSW),
        VecOp::SumDiffU => binary(PSADBW),
        VecOp::SumDiffBlocks => with(MPSADBW),
        VecOp::MinPosition => unary(PHMINPOSUW),
        VecOp::Sign => of(PSIGN, n, 0),
        VecOp::Zip1 => of(PUNPCKL, n, 0),
        VecOp::Zip2 => of(PUNPCKH, n, 0),
        VecOp::Unzip1 | VecOp::Unzip2 if n == 2 => {
            single(SHUFPS, Shape::Binary, Some(if form.op == VecOp::Unzip1 { 0x88 } else { 0xDD }))
        }
        VecOp::Unzip1 if n == 3 => binary(PUNPCKL[3]),
        VecOp::Unzip2 if n == 3 => binary(PUNPCKH[3]),
        VecOp::Transpose1 if n == 2 && same => single(PSHUFD, Shape::Unary, Some(0xA0)),
        VecOp::Transpose2 if n == 2 && same => single(PSHUFD, Shape::Unary, Some(0xF5)),
        VecOp::DupLane if n == 3 && imm < 2 => {
            single(PSHUFD, Shape::Unary, Some(if imm == 0 { 0x44 } else { 0xEE }))
        }
        VecOp::DupLane if n == 2 && imm < 4 => single(PSHUFD, Shape::Unary, Some(imm * 0x55)),
        VecOp::Extract if form.imm < 16 => single(PALIGNR, Shape::Swapped, Some(imm)),
        VecOp::Shuffle if n == 2 && same => single(PSHUFD, Shape::Unary, Some(imm)),
        VecOp::Shuffle if n == 2 => with(SHUFPS),
        VecOp::Shuffle if n == 3 => single(SHUFPD, Shape::Binary, Some(imm & 3)),
        VecOp::ShuffleLow if n == 1 => single(PSHUFLW, Shape::Unary, Some(imm)),
        VecOp::ShuffleHigh if n == 1 => single(PSHUFHW, Shape::Unary, Some(imm)),
        VecOp::ShuffleBytes => binary(PSHUFB),
        VecOp::ShuffleBy if n == 2 => binary(PERMILPS),
        VecOp::ShuffleBy if n == 3 => binary(PERMILPD),
        VecOp::PackS if n < 2 => binary([PACKSSWB, PACKSSDW][n]),
        VecOp::PackU if n < 2 => binary([PACKUSWB, PACKUSDW][n]),
        VecOp::WidenS => unary(widening(0x20, n, imm)?),
        VecOp::WidenU => unary(widening(0x30, n, imm)?),
        VecOp::Blend if n != 1 => single([PBLENDVB, PBLENDVB, BLENDVPS, BLENDVPD][n], Shape::Masked, None),
        VecOp::AesRound if config.aes => binary(if imm & 1 != 0 { AESENCLAST } else { AESENC }),
        VecOp::AesUnround if config.aes => binary(if imm & 1 != 0 { AESDECLAST } else { AESDEC }),
        VecOp::AesUnmix if config.aes => unary(AESIMC),
        VecOp::AesKeyAssist if config.aes => single(AESKEYGENASSIST, Shape::Unary, Some(imm)),
        VecOp::MulPolyHalves if config.pclmul => with(PCLMULQDQ),
        _ => None,
    }
}

/// PMOVSX or PMOVZX, which begin at `base`, from elements of one size to another.
fn widening(base: u8, from: usize, to: u8) -> Option<Vex> {
    let to = to as usize;
    (from < to && to <= 3).then(|| coded(2, 0x66, base + [0, 3, 5][from] + (to - from - 1) as u8, false))
}
