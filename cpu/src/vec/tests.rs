//! Operations against plain arithmetic on wide integers, and against samples worked out by hand.

use super::{FpEnv, Lanes, Part, VecOp};

/// Pseudo-random vectors (xorshift), with corner elements among them.
struct Vectors(u64);

impl Vectors {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn next(&mut self, l: Lanes) -> u128 {
        let (random, which) = ((self.word() as u128) << 64 | self.word() as u128, self.word());
        Lanes::full(l.log2 as u32).build(|i| match which >> (4 * (i & 15)) & 7 {
            0 => 0,
            1 => l.mask(),
            2 => l.mask() >> 1,
            3 => (l.mask() >> 1) + 1,
            _ => l.get(random, i),
        })
    }
}

/// An element as plain arithmetic sees it.
#[derive(Clone, Copy)]
struct Element {
    signed: i128,
    unsigned: i128,
    bits: u32,
}

impl Element {
    fn of(l: Lanes, x: u128) -> Self {
        let sign = (x >> (l.bits() - 1) & 1) as i128;
        Element { signed: x as i128 - (sign << l.bits()), unsigned: x as i128, bits: l.bits() }
    }

    /// The shift count in the low byte.
    fn count(self) -> i32 {
        (self.unsigned & 0xFF) as u8 as i8 as i32
    }
}

/// `x * 2^n`, rounded down or to nearest; the elements' shift counts reach from -128 to 127.
fn scaled(x: i128, n: i32, round: bool) -> i128 {
    match n {
        0.. => x << n.min(127),
        // One place fewer is lost to the rounding bit.
        _ if round => (x + (1 << (-n - 1).min(100))) >> (-n).min(101),
        _ => x >> (-n).min(100),
    }
}

fn all_ones(yes: bool) -> i128 {
    -(yes as i128)
}

type Plain = fn(Element, Element) -> i128;

const PLAIN: &[(VecOp, Plain)] = &[
    (VecOp::And, |x, y| x.signed & y.signed),
    (VecOp::AndNot, |x, y| x.signed & !y.signed),
    (VecOp::Or, |x, y| x.signed | y.signed),
    (VecOp::OrNot, |x, y| x.signed | !y.signed),
    (VecOp::Xor, |x, y| x.signed ^ y.signed),
    (VecOp::Add, |x, y| x.signed + y.signed),
    (VecOp::Sub, |x, y| x.signed - y.signed),
    (VecOp::Mul, |x, y| x.signed.wrapping_mul(y.signed)),
    (VecOp::Neg, |x, _| -x.signed),
    (VecOp::Abs, |x, _| x.signed.abs()),
    (VecOp::MinS, |x, y| x.signed.min(y.signed)),
    (VecOp::MaxS, |x, y| x.signed.max(y.signed)),
    (VecOp::MinU, |x, y| x.unsigned.min(y.unsigned)),
    (VecOp::MaxU, |x, y| x.unsigned.max(y.unsigned)),
    (VecOp::AvgS, |x, y| (x.signed + y.signed) >> 1),
    (VecOp::AvgU, |x, y| (x.unsigned + y.unsigned) >> 1),
    (VecOp::AvgUpS, |x, y| (x.signed + y.signed + 1) >> 1),
    (VecOp::AvgUpU, |x, y| (x.unsigned + y.unsigned + 1) >> 1),
    (VecOp::HalfSubS, |x, y| (x.signed - y.signed) >> 1),
    (VecOp::HalfSubU, |x, y| (x.unsigned - y.unsigned) >> 1),
    (VecOp::DiffS, |x, y| (x.signed - y.signed).abs()),
    (VecOp::DiffU, |x, y| (x.unsigned - y.unsigned).abs()),
    (VecOp::Popcnt, |x, _| x.unsigned.count_ones() as i128),
    (VecOp::Clz, |x, _| (x.unsigned.leading_zeros() + x.bits - 128) as i128),
    (VecOp::Cls, |x, _| (x.signed ^ x.signed >> 1).leading_zeros() as i128 - 129 + x.bits as i128),
    (VecOp::Rbit, |x, _| (x.unsigned as u128).reverse_bits() as i128 >> (128 - x.bits)),
    (VecOp::Eq, |x, y| all_ones(x.unsigned == y.unsigned)),
    (VecOp::GtS, |x, y| all_ones(x.signed > y.signed)),
    (VecOp::GeS, |x, y| all_ones(x.signed >= y.signed)),
    (VecOp::GtU, |x, y| all_ones(x.unsigned > y.unsigned)),
    (VecOp::GeU, |x, y| all_ones(x.unsigned >= y.unsigned)),
    (VecOp::Any, |x, y| all_ones(x.unsigned & y.unsigned != 0)),
];

const SATURATING: &[(VecOp, bool, Plain)] = &[
    (VecOp::SatAddU, false, |x, y| x.unsigned + y.unsigned),
    (VecOp::SatAddS, true, |x, y| x.signed + y.signed),
    (VecOp::SatSubU, false, |x, y| x.unsigned - y.unsigned),
    (VecOp::SatSubS, true, |x, y| x.signed - y.signed),
    (VecOp::SatAddSU, true, |x, y| x.signed + y.unsigned),
    (VecOp::SatAddUS, false, |x, y| x.unsigned + y.signed),
    (VecOp::SatAbs, true, |x, _| x.signed.abs()),
    (VecOp::SatNeg, true, |x, _| -x.signed),
    (VecOp::SatMulHigh, true, |x, y| (2 * x.signed * y.signed) >> x.bits),
];

/// Every arrangement of elements of up to 64 bits.
fn arrangements() -> impl Iterator<Item = Lanes> {
    let parts = [Part::Scalar, Part::Half, Part::Full];
    (0..4).flat_map(move |log2| parts.map(|part| Lanes::new(log2, part)))
}

/// The result of a plain meaning, element by element.
fn expected(l: Lanes, a: u128, b: u128, f: impl Fn(Element, Element) -> i128) -> u128 {
    l.build(|i| f(Element::of(l, l.get(a, i)), Element::of(l, l.get(b, i))) as u128)
}

#[test]
fn elements_follow_plain_arithmetic() {
    let mut vectors = Vectors(0x1234_5678_9ABC_DEF1);
    for l in arrangements() {
        for _ in 0..200 {
            let (a, b) = (vectors.next(l), vectors.next(l));
            let mut env = FpEnv::default();
            for &(op, f) in PLAIN {
                assert_eq!(
                    op.eval(l, 0, a, b, b, &mut env),
                    expected(l, a, b, f),
                    "{op:?} {l:?} {a:x} {b:x}"
                );
            }
            assert_eq!(env, FpEnv::default(), "nothing here touches the environment");
        }
    }
}

#[test]
fn saturation_is_exact_and_recorded() {
    let mut vectors = Vectors(0xDEAD_BEEF_0BAD_CAFE);
    for l in arrangements() {
        for _ in 0..200 {
            let (a, b) = (vectors.next(l), vectors.next(l));
            // Doubled products of 64-bit elements are no operation of any guest.
            for &(op, signed, f) in SATURATING.iter().filter(|r| r.0 != VecOp::SatMulHigh || l.log2 < 3) {
                let (min, max) = match signed {
                    true => (-1 - (l.mask() >> 1) as i128, (l.mask() >> 1) as i128),
                    false => (0, l.mask() as i128),
                };
                let clamped = expected(l, a, b, |x, y| f(x, y).clamp(min, max));
                let any = (0..l.count()).any(|i| {
                    let r = f(Element::of(l, l.get(a, i)), Element::of(l, l.get(b, i)));
                    r < min || r > max
                });
                let mut env = FpEnv::default();
                assert!(op.touches_env());
                assert_eq!(op.eval(l, 0, a, b, b, &mut env), clamped, "{op:?} {l:?} {a:x} {b:x}");
                assert_eq!(env.status, if any { FpEnv::QC } else { 0 }, "{op:?} {l:?} {a:x} {b:x}");
            }
        }
    }
}

#[test]
fn shifts_scale_by_powers_of_two() {
    let mut vectors = Vectors(0x0123_4567_89AB_CDEF);
    for l in arrangements() {
        for _ in 0..100 {
            let (a, b) = (vectors.next(l), vectors.next(l));
            let env = &mut FpEnv::default();
            for (op, signed, round) in [
                (VecOp::ShiftS, true, false),
                (VecOp::ShiftU, false, false),
                (VecOp::RoundShiftS, true, true),
                (VecOp::RoundShiftU, false, true),
            ] {
                let f = |x: Element, y: Element| {
                    let n = y.count();
                    // From the width on, nothing is left of a left shift.
                    if n >= x.bits as i32 {
                        return 0;
                    }
                    let value = if signed { x.signed } else { x.unsigned };
                    scaled(value, n, round)
                };
                assert_eq!(op.eval(l, 0, a, b, b, env), expected(l, a, b, f), "{op:?} {l:?} {a:x} {b:x}");
            }
            for n in 1..=l.bits() {
                for (op, signed, round) in [
                    (VecOp::ShrS, true, false),
                    (VecOp::ShrU, false, false),
                    (VecOp::RoundShrS, true, true),
                    (VecOp::RoundShrU, false, true),
                ] {
                    let f = |x: Element, _| {
                        scaled(if signed { x.signed } else { x.unsigned }, -(n as i32), round)
                    };
                    assert_eq!(op.eval(l, n, a, b, b, env), expected(l, a, b, f), "{op:?} {l:?} {n} {a:x}");
                }
                let left = |x: Element, _| (x.unsigned as u128).wrapping_shl(n - 1) as i128;
                assert_eq!(VecOp::Shl.eval(l, n - 1, a, b, b, env), expected(l, a, b, left));
            }
        }
    }
}

/// Evaluates on all 128 bits without an environment.
fn full(op: VecOp, log2: u32, imm: u32, a: u128, b: u128) -> u128 {
    op.eval(Lanes::full(log2), imm, a, b, b, &mut FpEnv::default())
}

const A: u128 = 0x0F0E_0D0C_0B0A_0908_0706_0504_0302_0100;
const B: u128 = 0x1F1E_1D1C_1B1A_1918_1716_1514_1312_1110;

#[test]
fn elements_move_as_named() {
    assert_eq!(full(VecOp::Zip1, 0, 0, A, B), 0x1707_1606_1505_1404_1303_1202_1101_1000);
    assert_eq!(full(VecOp::Zip2, 2, 0, A, B), 0x1F1E_1D1C_0F0E_0D0C_1B1A_1918_0B0A_0908);
    assert_eq!(full(VecOp::Unzip1, 0, 0, A, B), 0x1E1C_1A18_1614_1210_0E0C_0A08_0604_0200);
    assert_eq!(full(VecOp::Unzip2, 3, 0, A, B), 0x1F1E_1D1C_1B1A_1918_0F0E_0D0C_0B0A_0908);
    assert_eq!(full(VecOp::Transpose1, 1, 0, A, B), 0x1D1C_0D0C_1918_0908_1514_0504_1110_0100);
    assert_eq!(full(VecOp::Transpose2, 1, 0, A, B), 0x1F1E_0F0E_1B1A_0B0A_1716_0706_1312_0302);
    assert_eq!(full(VecOp::Extract, 0, 3, A, B), 0x1211_100F_0E0D_0C0B_0A09_0807_0605_0403);
    assert_eq!(full(VecOp::Extract, 0, 0, A, B), A);
    assert_eq!(full(VecOp::Reverse, 0, 2, A, A), 0x0C0D_0E0F_0809_0A0B_0405_0607_0001_0203);
    assert_eq!(full(VecOp::Reverse, 1, 3, A, A), 0x0908_0B0A_0D0C_0F0E_0100_0302_0504_0706);
    assert_eq!(full(VecOp::DupLane, 2, 2, A, A), 0x0B0A_0908_0B0A_0908_0B0A_0908_0B0A_0908);
    assert_eq!(full(VecOp::Table, 0, 0, B, 0xFF10_0F00), 0x1010_1010_1010_1010_1010_1010_0000_1F10);
    let or = VecOp::TableOr.eval(Lanes::full(0), 0, B, 0xFF10_0F00, A, &mut FpEnv::default());
    assert_eq!(or, 0x1010_1010_1010_1010_1010_1010_0302_1F10);
}

#[test]
fn sizes_change_as_named() {
    assert_eq!(full(VecOp::ExtendU, 0, 1, A << 4, A), 0x00F0_00E0_00D0_00C0_00B0_00A0_0090_0080);
    assert_eq!(full(VecOp::ExtendS, 0, 1, A << 4, A), 0xFFF0_FFE0_FFD0_FFC0_FFB0_FFA0_FF90_FF80);
    assert_eq!(full(VecOp::MulWideS, 2, 0, 0xFFFF_FFFF, 5), 0xFFFF_FFFF_FFFF_FFFB);
    assert_eq!(full(VecOp::MulWideU, 2, 1, 0xFFFF_FFFF << 64, 5 << 64), 0x4_FFFF_FFFB);
    assert_eq!(full(VecOp::MulWidePoly, 3, 0, 3 | 7 << 64, u64::MAX as u128), 0x1_0000_0000_0000_0001);
    assert_eq!(full(VecOp::MulWidePoly, 0, 0, 0xFF03, 0x03FF), 0x0101_0101);
    assert_eq!(full(VecOp::Narrow, 0, 0, A, A), 0x0E0C_0A08_0604_0200);
    let mut env = FpEnv::default();
    let wide = 0x0080_FF80_FF7F_0000_0100_00FF_8000_007F;
    assert_eq!(VecOp::SatNarrowS.eval(Lanes::full(0), 0, wide, 0, 0, &mut env), 0x7F80_8000_7F7F_807F);
    assert_eq!(env.status, FpEnv::QC);
    assert_eq!(VecOp::SatNarrowU.eval(Lanes::full(0), 0, wide, 0, 0, &mut env), 0x80FF_FF00_FFFF_FF7F);
    assert_eq!(VecOp::SatNarrowSU.eval(Lanes::full(0), 0, wide, 0, 0, &mut env), 0x8000_0000_FFFF_007F);
    let product = VecOp::SatMulWide.eval(Lanes::scalar(1), 0, 0x8000, 0x8000, 0, &mut env);
    assert_eq!(product, 0x7FFF_FFFF);
}

#[test]
fn vectors_fold_into_one_element() {
    assert_eq!(full(VecOp::SumV, 0, 0, A, A), 120);
    assert_eq!(full(VecOp::MaxSV, 0, 0, A ^ 0x80, A), 0x0F);
    assert_eq!(full(VecOp::MinSV, 0, 0, A ^ 0x80, A), 0x80);
    assert_eq!(full(VecOp::MaxUV, 0, 0, A ^ 0x80, A), 0x80);
    assert_eq!(full(VecOp::MinUV, 1, 0, A, A), 0x0100);
    let env = &mut FpEnv::default();
    // 1·(-1) + 2·2 + 3·3 + 4·4 + 100, the first byte of the second operand signed or not.
    let (a, b) = (0x0403_0201, 0x0403_02FF);
    assert_eq!(VecOp::DotS.eval(Lanes::scalar(2), 0, a, b, 100, env), 128);
    assert_eq!(VecOp::DotU.eval(Lanes::scalar(2), 0, a, b, 100, env), 384);
    assert_eq!(VecOp::DotUS.eval(Lanes::scalar(2), 0, b, a, 100, env), 384);
    // Rows of a: 0..8 and 8..16; columns are the rows of b.
    let squares = [140, 364, 364, 1100];
    let r = VecOp::MatrixU.eval(Lanes::full(2), 0, A, A, 0, env);
    assert_eq!([0, 1, 2, 3].map(|i| Lanes::full(2).get(r, i)), squares);
}
