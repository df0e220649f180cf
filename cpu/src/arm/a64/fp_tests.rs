//! Floating-point instructions against values that follow from the manual's pseudocode by hand.

use super::{interp_table, undefined};
use crate::arm::emit::{FP_ACCESS, UNDEFINED};
use crate::arm::{Arm64, Platform, context, features, mode, state, sysreg as sr};
use crate::code::CodeMap;
use crate::core::{Core, Physical, Raised};
use crate::emit::Flow;
use crate::op::nzcv;
use lyrebird_ram::GuestRam;
use std::sync::Arc;

struct Nothing;

impl Physical for Nothing {
    fn ram(&self, _: u64) -> Option<(u64, bool)> {
        None
    }
}

impl Platform for Nothing {}

/// A processor with every feature, V0 all ones, and V1 to V3 as given.
fn core(v: [u128; 3]) -> Core<Arm64> {
    let all = features::ALL.iter().fold(0, |bits, (_, bit)| bits | bit);
    let arch = Arm64::new(Arc::new(Nothing), Arc::default(), false);
    let ram = GuestRam::new(0x1000).unwrap();
    let mut core = Core::new(arch, all, 0, ram, Arc::new(Nothing), Arc::new(CodeMap::new(0x1000)));
    for (n, v) in [u128::MAX, v[0], v[1], v[2]].into_iter().enumerate() {
        core.set(state::v(n as u32), v);
    }
    core
}

fn step(core: &mut Core<Arm64>, word: u32) -> Result<Flow, Raised> {
    match interp_table().find(word, core.features) {
        Some((_, row)) => core.execute(row.run, word.into()),
        None => undefined(core, &word.into()),
    }
}

/// V0 and FPSR after `word` under `fpcr`.
fn vector(word: u32, fpcr: u32, v: [u128; 3]) -> (u128, u32) {
    let mut core = core(v);
    core.set(state::FPCR, fpcr);
    assert_eq!(step(&mut core, word), Ok(Flow::Next), "{word:08x}");
    (core.reg(state::v(0)), core.reg(state::FPSR))
}

fn d(x: f64) -> u128 {
    x.to_bits().into()
}

fn s(x: f32) -> u128 {
    x.to_bits().into()
}

/// Four single-precision elements, lowest first.
fn s4(x: [f32; 4]) -> u128 {
    x.iter().rev().fold(0, |v, x| v << 32 | s(*x))
}

const IOC: u32 = 1;
const DZC: u32 = 2;
const OFC: u32 = 4;
const IXC: u32 = 16;
const IDC: u32 = 128;
const FZ: u32 = 1 << 24;
const DN: u32 = 1 << 25;
const TO_ZERO: u32 = 3 << 22;

#[test]
fn scalar_arithmetic() {
    // A result's neighbours are zeroed, whatever was above the operands.
    let dirty = u128::MAX << 64;
    assert_eq!(vector(0x1E62_2820, 0, [d(1.5) | dirty, d(2.25), 0]), (d(3.75), 0)); // FADD D0, D1, D2
    assert_eq!(vector(0x1E22_2820, 0, [s(1.0) | dirty, s(2f32.powi(-24)), 0]), (s(1.0), IXC)); // FADD S
    assert_eq!(vector(0x1EE2_2820, 0, [0x3C00, 0x4000, 0]), (0x4200, 0)); // FADD H: 1 + 2
    assert_eq!(vector(0x1E62_1820, 0, [d(1.0), d(-0.0), 0]), (d(f64::NEG_INFINITY), DZC)); // FDIV D
    assert_eq!(vector(0x1E62_2820, 0, [d(f64::MAX), d(f64::MAX), 0]), (d(f64::INFINITY), OFC | IXC));
    assert_eq!(vector(0x1E62_2820, TO_ZERO, [d(f64::MAX), d(f64::MAX), 0]), (d(f64::MAX), OFC | IXC));
    // Denormal operands count as zero under FZ, and FPSR says so.
    assert_eq!(vector(0x1E62_2820, FZ, [1, d(2.0), 0]), (d(2.0), IDC));
    assert_eq!(vector(0x1F42_8C20, 0, [d(2.0), d(3.0), d(10.0)]), (d(4.0), 0)); // FMSUB: 10 - 2 * 3
    assert_eq!(vector(0x1F22_0C20, 0, [s(2.0), s(3.0), s(10.0)]), (s(-16.0), 0)); // FNMADD: -10 - 2 * 3
    assert_eq!(vector(0x5E62_DC20, 0, [d(f64::INFINITY), d(-0.0), 0]), (d(-2.0), 0)); // FMULX D
    assert_eq!(vector(0x5E22_FC20, 0, [s(1.5), s(0.5), 0]), (s(1.25), 0)); // FRECPS S
}

#[test]
fn nans_take_precedence_as_the_manual_says() {
    let (quiet, signalling) = (0x7FF8_0000_0000_0001, 0xFFF0_0000_0000_0002);
    assert_eq!(vector(0x1E62_2820, 0, [quiet, signalling, 0]), (signalling | 1 << 51, IOC));
    assert_eq!(vector(0x1E62_2820, DN, [quiet, d(1.0), 0]), (0x7FF8 << 48, 0));
    assert_eq!(vector(0x1E62_6820, 0, [quiet, d(1.0), 0]), (d(1.0), 0)); // FMAXNM
    // A fused product of infinity and zero is invalid even when the addend is a quiet NaN.
    assert_eq!(vector(0x1F42_8C20, 0, [d(f64::INFINITY), 0, quiet]), (0x7FF8 << 48, IOC));
}

#[test]
fn comparisons_set_flags() {
    let run = |word, a, b, before: u32| {
        let mut core = core([a, b, 0]);
        core.set(state::NZCV, nzcv::from_psr(before << 28));
        assert_eq!(step(&mut core, word), Ok(Flow::Next));
        (nzcv::to_psr(core.reg(state::NZCV)) >> 28, core.reg(state::FPSR))
    };
    let quiet = 0x7FF8 << 48;
    assert_eq!(run(0x1E62_2020, d(1.0), d(2.0), 0), (0b1000, 0)); // FCMP D1, D2
    assert_eq!(run(0x1E62_2020, d(0.0), d(-0.0), 0), (0b0110, 0));
    assert_eq!(run(0x1E62_2020, quiet, d(1.0), 0), (0b0011, 0));
    assert_eq!(run(0x1E60_2038, quiet, 0, 0), (0b0011, IOC)); // FCMPE D1, #0.0
    assert_eq!(run(0x1E60_2038, d(1.0), 0, 0), (0b0010, 0));
    // FCCMPE D1, D2, #5, NE: the comparison, and its exception, happen only if Z is clear.
    assert_eq!(run(0x1E62_1435, quiet, d(1.0), 0b0100), (0b0101, 0));
    assert_eq!(run(0x1E62_1435, quiet, d(1.0), 0), (0b0011, IOC));
    // FCSEL D0, D1, D2, EQ
    assert_eq!(vector(0x1E62_0C20, 0, [d(1.0), d(2.0) | 1 << 100, 0]), (d(2.0), 0));
}

#[test]
fn moves_and_conversions() {
    let general = |word, v, x: u64| {
        let mut core = core([v, 0, 0]);
        core.set(state::x(0), u64::MAX);
        core.set(state::x(1), x);
        assert_eq!(step(&mut core, word), Ok(Flow::Next));
        (core.reg(state::x(0)), core.reg(state::v(0)), core.reg(state::FPSR))
    };
    let x0 = |word, v| {
        let (x, _, fpsr) = general(word, v, 0);
        (x, fpsr)
    };
    let v0 = |word, x| {
        let (_, v, fpsr) = general(word, 0, x);
        (v, fpsr)
    };
    assert_eq!(vector(0x1E6F_1000, 0, [0; 3]), (d(1.5), 0)); // FMOV D0, #1.5
    assert_eq!(v0(0x9EAF_0020, 7), (7 << 64 | u128::from(u64::MAX), 0)); // FMOV V0.D[1], X1
    assert_eq!(x0(0x9EAE_0020, 9 << 64 | 1), (9, 0)); // FMOV X0, V1.D[1]
    assert_eq!(x0(0x1E78_0020, d(-1.5)), (0xFFFF_FFFF, IXC)); // FCVTZS W0, D1
    assert_eq!(x0(0x1E78_0020, d(1e10)), (0x7FFF_FFFF, IOC));
    assert_eq!(x0(0x9E39_0020, s(-1.0)), (0, IOC)); // FCVTZU X0, S1
    assert_eq!(x0(0x1E58_F020, d(1.5)), (24, 0)); // FCVTZS W0, D1, #4
    assert_eq!(v0(0x1E22_0020, 0xF_FFFF_FFFF), (s(-1.0), 0)); // SCVTF S0, W1
    assert_eq!(v0(0x9E43_F420, 12), (d(1.5), 0)); // UCVTF D0, X1, #3
    assert_eq!(vector(0x1E63_C020, 0, [d(65520.0), 0, 0]), (0x7C00, OFC | IXC)); // FCVT H0, D1
    assert_eq!(vector(0x1E63_C020, 1 << 26, [d(65536.0), 0, 0]), (0x7C00, 0)); // and under AHP
    assert_eq!(vector(0x1E67_4020, 0, [d(2.5), 0, 0]), (d(2.0), IXC)); // FRINTX D0, D1
    assert_eq!(vector(0x1E28_4020, 0, [s(3e9), 0, 0]), (s(-2147483648.0), IOC)); // FRINT32Z S0, S1
    assert_eq!(x0(0x1E7E_0020, d(4294967297.0)), (1, IOC)); // FJCVTZS W0, D1
    assert_eq!(vector(0x7E61_6820, 0, [d(1.0 + f64::EPSILON), 0, 0]), (s(1.0 + f32::EPSILON), IXC)); // FCVTXN
}

#[test]
fn fjcvtzs_says_in_z_whether_it_was_exact() {
    for (x, z) in [(5.0, true), (-0.0, false), (0.5, false), (4294967297.0, false)] {
        let mut core = core([d(x), 0, 0]);
        core.set(state::NZCV, nzcv::from_psr(0xB << 28));
        assert_eq!(step(&mut core, 0x1E7E_0020), Ok(Flow::Next));
        assert_eq!(core.reg(state::NZCV), if z { nzcv::Z } else { 0 }, "{x}");
    }
}

/// V0 after `word`, where it held `d`.
fn accumulate(word: u32, d: u128, v: [u128; 3]) -> u128 {
    let mut core = core(v);
    core.set(state::v(0), d);
    assert_eq!(step(&mut core, word), Ok(Flow::Next), "{word:08x}");
    core.reg(state::v(0))
}

#[test]
fn vectors() {
    let (a, b) = (s4([1.0, 2.0, 3.0, 4.0]), s4([10.0, 20.0, 30.0, 40.0]));
    assert_eq!(vector(0x4E22_D420, 0, [a, b, 0]).0, s4([11.0, 22.0, 33.0, 44.0])); // FADD 4S
    assert_eq!(vector(0x0E22_D420, 0, [a, b, 0]).0, s4([11.0, 22.0, 0.0, 0.0])); // FADD 2S
    assert_eq!(vector(0x6E22_D420, 0, [a, b, 0]).0, s4([3.0, 7.0, 30.0, 70.0])); // FADDP 4S
    assert_eq!(vector(0x7E70_D820, 0, [d(2.5) << 64 | d(1.0), 0, 0]).0, d(3.5)); // FADDP D0, V1.2D
    assert_eq!(vector(0x6E30_C820, 0, [s4([1.0, f32::NAN, -2.0, 7.0]), 0, 0]).0, s(7.0)); // FMAXNMV
    assert_eq!(vector(0x6EE2_E420, 0, [d(1.0) << 64 | d(3.0), d(2.0) << 64 | d(2.0), 0]).0, u64::MAX.into());
    assert_eq!(vector(0x4E61_7820, 0, [a, 0, 0]).0, d(4.0) << 64 | d(3.0)); // FCVTL2 2D, 4S
    // FCVTN2 V0.4S, V1.2D keeps the lower half.
    let low = u128::from(u64::MAX);
    assert_eq!(vector(0x4E61_6820, 0, [d(4.0) << 64 | d(3.0), 0, 0]).0, s(4.0) << 96 | s(3.0) << 64 | low);
    let ints = 4 << 96 | 3 << 64 | 2 << 32 | 0xFFFF_FF00;
    assert_eq!(vector(0x4F38_E420, 0, [ints, 0, 0]).0, s4([-1.0, 2.0 / 256.0, 3.0 / 256.0, 4.0 / 256.0]));

    let ones = s4([1.0; 4]);
    assert_eq!(accumulate(0x4FA2_1820, ones, [a, b, 0]), s4([41.0, 81.0, 121.0, 161.0])); // FMLA by S[3]
    // (1 + 2i), (10 + 20i): FCMLA #90 adds -2*20 and 2*10.
    assert_eq!(accumulate(0x2E82_CC20, ones, [a, b, 0]), s4([-39.0, 21.0, 0.0, 0.0]));
    assert_eq!(vector(0x2E82_F420, 0, [a, b, 0]).0, s4([21.0, -8.0, 0.0, 0.0])); // FCADD #270: a - i * b
    let halves = 0x4400_4200_4000_3C00; // 1, 2, 3, 4
    assert_eq!(accumulate(0x2E22_CC20, ones, [halves, halves, 0]), s4([10.0, 17.0, 0.0, 0.0])); // FMLAL2 2S
}

#[test]
fn bfloat16() {
    let bf = |x: [f32; 8]| x.iter().rev().fold(0, |v, x| v << 16 | s(*x) >> 16);
    let a = bf([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let b = bf([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0]);
    let ones = s4([1.0; 4]);
    assert_eq!(accumulate(0x6E42_FC20, ones, [a, b, 0]), s4([51.0, 251.0, 611.0, 1131.0])); // BFDOT 4S
    assert_eq!(accumulate(0x0F62_F820, ones, [a, b, 0]), s4([231.0, 531.0, 0.0, 0.0])); // BFDOT 2S by 2H[3]
    assert_eq!(accumulate(0x6E42_EC20, ones, [a, b, 0]), s4([301.0, 701.0, 701.0, 1741.0])); // BFMMLA
    assert_eq!(accumulate(0x2EC2_FC20, ones, [a, b, 0]), s4([11.0, 91.0, 251.0, 491.0])); // BFMLALB
    assert_eq!(accumulate(0x4FF2_F820, ones, [a, b, 0]), s4([161.0, 321.0, 481.0, 641.0])); // BFMLALT by H[7]
    // Dot products overflow to infinity, round to odd and leave FPSR alone.
    let huge = bf([f32::MAX; 8]);
    assert_eq!(vector(0x6E42_EC20, 0, [huge, huge, 0]).1, 0);
    assert_eq!(accumulate(0x0F62_F820, 0, [huge, huge, 0]), s4([f32::INFINITY, f32::INFINITY, 0.0, 0.0]));
    let tiny = bf([2f32.powi(-30), 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(accumulate(0x0F62_F820, ones, [tiny, tiny, 0]), s4([1.0 + f32::EPSILON, 1.0, 0.0, 0.0]));
}

#[test]
fn reserved_encodings_and_traps() {
    let fault = |word, mode, features| {
        let mut core = core([0; 3]);
        core.mode = mode;
        core.features &= features;
        assert_eq!(step(&mut core, word), Err(Raised), "{word:08x}");
        core.raised
    };
    for word in [
        0x1EA2_2820, // FADD with ptype 2
        0x1E22_4020, // FCVT S from S
        0x0E62_D420, // FADD 1D
        0x4FE2_1820, // FMLA 2D by element with L set
        0x1E42_7C20, // SCVTF W with 65 - 32 fraction bits or more
        0x0F41_E420, // SCVTF 1D, fixed-point
        0x2FA0_1020, // FCMLA S by element with L set
        0x2F82_1020, // FCMLA 2S by element
        0x1E72_0020, // rmode 2 of what only rmode 0 has
    ] {
        assert_eq!(fault(word, 0, u64::MAX), UNDEFINED, "{word:08x}");
    }
    for word in [0x1EE2_2820, 0x0E42_1420, 0x5E42_3C20, 0x0E79_D820, 0x1EE6_0020] {
        assert_eq!(fault(word, 0, !features::FP16), UNDEFINED, "{word:08x}");
    }
    assert_eq!(fault(0x1E7E_0020, 0, !features::JSCVT), UNDEFINED);
    assert_eq!(fault(0x2E82_CC20, 0, !features::FCMA), UNDEFINED);
    // The order is the manual's: decode, then the access trap.
    assert_eq!(fault(0x1E62_2820, mode::FP_TRAP, u64::MAX), FP_ACCESS);
    assert_eq!(fault(0x1EA2_2820, mode::FP_TRAP, u64::MAX), UNDEFINED);
    // FCVT between half and single needs no FEAT_FP16.
    let mut core = core([0x3C00, 0, 0]);
    core.features &= !features::FP16;
    assert_eq!(step(&mut core, 0x1EE2_4020), Ok(Flow::Next));
    assert_eq!(core.reg(state::v(0)), s(1.0));
}

/// At EL0 the mode says that FPSR.IXC is set, at EL1 it does not.
#[test]
fn the_mode_follows_fpsr_at_el0() {
    const MSR_FPSR_X0: u32 = 0xD51B_4420;
    let mut core = core([0; 3]);
    core.set(sr::CPACR_EL1, 3 << 20);
    for (el, known) in [(0, mode::FP_INEXACT), (1, 0)] {
        core.set(state::MODE, el << 2);
        context::refresh(&mut core);
        for (fpsr, mode) in [(IXC, known), (0, 0), (IXC | IOC, known), (IOC, 0)] {
            core.set(state::x(0), fpsr.into());
            assert!(step(&mut core, MSR_FPSR_X0).is_ok());
            assert_eq!(core.mode & mode::FP_INEXACT, mode, "EL{el}, FPSR {fpsr:#x}");
        }
    }
}

#[test]
fn immediates_expand() {
    use super::fp_arith::expand_imm;
    for imm in 0..256u32 {
        // The manual's table: (-1)^a * (16 + efgh) / 16 * 2^(NOT(b):cd - 3).
        let exp = (imm >> 4 & 7 ^ 4) as i32 - 3;
        let x =
            f64::from(16 + (imm & 15)) / 16.0 * f64::powi(2.0, exp) * if imm >> 7 == 1 { -1.0 } else { 1.0 };
        assert_eq!(expand_imm(imm, 3), x.to_bits());
        assert_eq!(expand_imm(imm, 2), (x as f32).to_bits().into());
    }
    assert_eq!(expand_imm(0x70, 1), 0x3C00);
    assert_eq!(expand_imm(0x00, 1), 0x4000);
}
