//! The extended format: arithmetic against exact numbers, the instructions' special cases by example. The examples, and
//! five million random cases beside them, were seen on hardware.

use core::cmp::Ordering;

use super::exact::{Natural, Real};
use super::operands::Random;
use crate::softfloat::x80::*;
use crate::softfloat::{F32, F64, Flags, Relation, Rounding};

const EMIN: i64 = -16382;

fn x(head: u16, sig: u64) -> X80 {
    X80 { head, sig }
}

const ONE: X80 = X80 { head: 0x3fff, sig: 1 << 63 };
const INF: X80 = X80 { head: 0x7fff, sig: 1 << 63 };
const ZERO: X80 = X80 { head: 0, sig: 0 };
const DENORMAL: X80 = X80 { head: 0, sig: 1 };
const QNAN: X80 = X80 { head: 0x7fff, sig: 0xc000_0000_0000_0001 };
const SNAN: X80 = X80 { head: 0xffff, sig: 0x8000_0000_0000_0009 };

fn negated(a: X80) -> X80 {
    X80 { head: a.head ^ 0x8000, ..a }
}

/// A finite number: corners of exponent and significand are common.
fn finite(random: &mut Random, near: u16) -> X80 {
    let exp = match random.below(8) {
        0 => 0,
        1 => 0x7ffe - random.below(3),
        2 => 1 + random.below(70),
        3 => 0x3fff - 40 + random.below(80),
        4 | 5 => (u64::from(near & 0x7fff) + random.below(9)).wrapping_sub(4) % 0x7fff,
        _ => random.below(0x7fff),
    };
    let shift = random.below(64);
    let fraction = match random.below(6) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => u64::MAX << shift,
        4 => 1 << shift,
        _ => random.next(),
    };
    let integer = u64::from(exp != 0 || random.below(8) == 0) << 63;
    let sign = (random.below(2) << 15) as u16;
    x(sign | exp as u16, (fraction & (u64::MAX >> 1)) | integer)
}

fn real(a: X80) -> Real {
    Real::new(a.sign(), u128::from(a.sig), i64::from(a.head & 0x7fff).max(1) - 16383 - 63)
}

/// Rounds to the format, as section 4.8 of the SDM words it. The number is not zero.
fn rounded(r: &Real, bits: i64, mode: Rounding) -> (X80, Flags) {
    let exponent = r.exp + r.mantissa.bits() - 1;
    let top = 1u128 << bits;
    let tiny = exponent < EMIN && !(exponent == EMIN - 1 && r.quantise(exponent + 1 - bits, mode).0 == top);
    let mut quantum = exponent.max(EMIN) + 1 - bits;
    let (mut n, inexact) = r.quantise(quantum, mode);
    if n == top {
        n >>= 1;
        quantum += 1;
    }
    let sign = u16::from(r.negative) << 15;
    if quantum + bits - 1 > 16383 {
        let infinite = match mode {
            Rounding::TowardPlus => !r.negative,
            Rounding::TowardMinus => r.negative,
            Rounding::TowardZero => false,
            _ => true,
        };
        let result =
            if infinite { x(sign | 0x7fff, 1 << 63) } else { x(sign | 0x7ffe, u64::MAX << (64 - bits)) };
        return (result, Flags::OVERFLOW | Flags::INEXACT);
    }
    let sig = (n as u64) << (64 - bits);
    let field = if sig >> 63 != 0 { (quantum + bits - 1 + 16383) as u16 } else { 0 };
    let flags = match (inexact, tiny) {
        (true, true) => Flags::INEXACT | Flags::UNDERFLOW,
        (true, false) => Flags::INEXACT,
        _ => Flags::NONE,
    };
    (x(sign | field, sig), flags)
}

/// `numerator / denominator` to at least 70 bits, by long division.
fn quotient(a: &Real, b: &Real) -> Real {
    let mut rest = Natural::new(0);
    let mut bits = Real::new(a.negative ^ b.negative, 0, a.exp - b.exp - 134);
    let numerator = a.mantissa.shl(134);
    let one = Natural::new(1);
    for i in (0..numerator.bits()).rev() {
        rest = rest.shl(1);
        if numerator.bit(i) {
            rest = rest.add(&one);
        }
        bits.mantissa = bits.mantissa.shl(1);
        if rest.cmp(&b.mantissa) != Ordering::Less {
            rest = rest.sub(&b.mantissa);
            bits.mantissa = bits.mantissa.add(&one);
        }
    }
    bits.more = !rest.is_zero();
    bits
}

/// The square root to at least 68 bits, bit by bit.
fn root(a: &Real) -> Real {
    let up = 140 + (a.exp & 1);
    let radicand = a.mantissa.shl(up as u64);
    let mut root = Natural::new(0);
    for bit in (0..104u64).rev() {
        let more = root.add(&Natural::new(1).shl(bit));
        if more.mul(&more).cmp(&radicand) != Ordering::Greater {
            root = more;
        }
    }
    let more = root.mul(&root) != radicand;
    Real { negative: false, mantissa: root, exp: (a.exp - up) / 2, more }
}

fn check(what: &str, a: X80, b: X80, env: X87, ours: impl FnOnce(&mut X87) -> X80, want: (X80, Flags)) {
    let denormal = |v: X80| v.head & 0x7fff == 0 && v.sig != 0;
    let noted = if denormal(a) || denormal(b) { Flags::INPUT_DENORMAL } else { Flags::NONE };
    let mut after = env;
    let got = ours(&mut after);
    assert!(
        (got, after.flags) == (want.0, want.1 | noted),
        "{what} {a:x?} {b:x?}: {got:x?} {:?}, expected {want:x?}; {env:?}",
        after.flags
    );
}

#[test]
fn arithmetic() {
    let modes = [Rounding::NearestEven, Rounding::TowardPlus, Rounding::TowardMinus, Rounding::TowardZero];
    let precisions = [(Precision::Single, 24), (Precision::Double, 53), (Precision::Extended, 64)];
    let mut random = Random(80);
    for i in 0..16_000 {
        let mode = modes[random.below(4) as usize];
        let (precision, bits) = precisions[random.below(3) as usize];
        let env = X87 { rounding: mode, precision, ..X87::default() };
        let a = finite(&mut random, 0x3fff);
        let b = finite(&mut random, a.head);
        let (ra, rb) = (real(a), real(b));
        let expect = |r: Real, zero: bool| match r.is_zero() {
            true => (x(u16::from(zero) << 15, 0), Flags::NONE),
            false => rounded(&r, bits, mode),
        };
        let down = mode == Rounding::TowardMinus;
        let zeros = ra.is_zero() && rb.is_zero();
        let sum_sign = |s: bool| if zeros && a.sign() == s { s } else { down };
        check("add", a, b, env, |e| add(a, b, e), expect(ra.add(&rb), sum_sign(b.sign())));
        let minus = Real { negative: !rb.negative, ..rb.clone() };
        check("sub", a, b, env, |e| sub(a, b, e), expect(ra.add(&minus), sum_sign(!b.sign())));
        let sign = a.sign() ^ b.sign();
        let product = Real::new(sign, u128::from(a.sig) * u128::from(b.sig), ra.exp + rb.exp);
        check("mul", a, b, env, |e| mul(a, b, e), expect(product, sign));
        if i % 4 == 0 && !ra.is_zero() && !rb.is_zero() {
            check("div", a, b, env, |e| div(a, b, e), expect(quotient(&ra, &rb), sign));
            let positive = x(a.head & 0x7fff, a.sig);
            check("sqrt", a, a, env, |e| sqrt(positive, e), expect(root(&real(positive)), false));
        }
    }
}

/// The remainder `r` of `a` by `b` satisfies `a = q * b + r` with a `q` that has the reported low bits.
#[test]
fn remainders() {
    let mut random = Random(81);
    for _ in 0..40_000 {
        // Small exponents, so that the whole computation fits in 128 bits.
        let head = |random: &mut Random| (0x3fff + random.below(36)) as u16;
        let (ha, hb) = (head(&mut random), head(&mut random));
        let (sa, sb) = (random.next() >> 40 | 1 << 23, random.next() >> 40 | 1 << 23);
        let (a, b) = (x(ha, sa << 40), x(hb, sb << 40));
        let (na, nb) = (u128::from(sa) << (ha - 0x3fff), u128::from(sb) << (hb - 0x3fff));
        for kind in [Quotient::Truncated, Quotient::Nearest] {
            let (mut q, mut r) = (na / nb, (na % nb) as i128);
            if kind == Quotient::Nearest && (2 * r > nb as i128 || (2 * r == nb as i128 && q % 2 == 1)) {
                q += 1;
                r -= nb as i128;
            }
            let mut env = X87::default();
            let got = rem(a, b, kind, &mut env);
            let want = match r {
                0 => ZERO,
                _ => rounded(&Real::new(r < 0, r.unsigned_abs(), -23), 64, Rounding::NearestEven).0,
            };
            assert_eq!(
                got,
                Remainder { value: want, quotient: q as u8 & 7, partial: false },
                "{a:x?} {b:x?} {kind:?}"
            );
            assert!(env.flags.is_empty());
        }
    }
    // 2^200 by 3: one incomplete step leaves a multiple of a power of two, and steps end.
    let mut env = X87::default();
    let (mut value, three) = (x(0x3fff + 200, 1 << 63), x(0x4000, 3 << 62));
    let mut steps = 0;
    loop {
        let r = rem(value, three, Quotient::Truncated, &mut env);
        value = r.value;
        steps += 1;
        if !r.partial {
            break;
        }
        assert_eq!(r.quotient, 0);
    }
    assert_eq!((value, steps), (ONE, 4));
}

#[test]
fn special_operands() {
    let run = |f: &dyn Fn(&mut X87) -> X80| {
        let mut env = X87::default();
        (f(&mut env), env.flags)
    };
    let quiet = x(0xffff, 0xc000_0000_0000_0009);
    let (none, invalid) = (Flags::NONE, Flags::INVALID);
    // A quiet NaN beats a signalling one, the larger significand the smaller, plus minus.
    assert_eq!(run(&|e| add(SNAN, QNAN, e)), (QNAN, invalid));
    assert_eq!(run(&|e| add(SNAN, ONE, e)), (quiet, invalid));
    assert_eq!(run(&|e| mul(QNAN, quiet, e)), (quiet, none));
    assert_eq!(run(&|e| mul(negated(QNAN), QNAN, e)), (QNAN, none));
    assert_eq!(run(&|e| sub(INF, INF, e)), (X80::INDEFINITE, invalid));
    assert_eq!(run(&|e| div(ONE, ZERO, e)), (INF, Flags::DIVZERO));
    assert_eq!(run(&|e| div(DENORMAL, ZERO, e)), (INF, Flags::DIVZERO));
    assert_eq!(run(&|e| sqrt(negated(ONE), e)), (X80::INDEFINITE, invalid));
    // Unsupported encodings: an unnormal, a pseudo-infinity. A pseudo-denormal is a number.
    assert_eq!(run(&|e| add(x(0x3fff, 1), ONE, e)), (X80::INDEFINITE, invalid));
    assert_eq!(run(&|e| add(x(0x7fff, 0), ONE, e)), (X80::INDEFINITE, invalid));
    assert_eq!(run(&|e| mul(x(0, 1 << 63), ONE, e)), (x(1, 1 << 63), Flags::INPUT_DENORMAL));
    // Scaling.
    assert_eq!(run(&|e| scale(ONE, x(0x4000, 0xe << 60), e)), (x(0x4002, 1 << 63), none));
    assert_eq!(run(&|e| scale(ZERO, INF, e)), (X80::INDEFINITE, invalid));
    assert_eq!(run(&|e| scale(ONE, negated(INF), e)), (ZERO, none));
    assert_eq!(run(&|e| scale(ONE, x(0x400e, 1 << 63), e)), (INF, Flags::OVERFLOW | Flags::INEXACT));
    let mut env = X87::default();
    assert_eq!(extract(x(0xc002, 0xa << 60), &mut env), (x(0x4000, 0xc << 60), x(0xbfff, 0xa << 60)));
    assert_eq!(extract(negated(ZERO), &mut env), (negated(INF), negated(ZERO)));
    assert_eq!(env.flags, Flags::DIVZERO);
}

#[test]
fn unmasked_overflow_and_underflow_wrap() {
    let mut env = X87::from_control(0x0367);
    let huge = x(0x7ffe, 1 << 63);
    assert_eq!(mul(huge, huge, &mut env), x((0x7ffe + 0x3fff - 24576) as u16, 1 << 63));
    assert_eq!(env.flags, Flags::OVERFLOW);
    let mut env = X87::from_control(0x0367);
    let small = x(1, 1 << 63);
    assert_eq!(mul(small, small, &mut env), x((1 + 1 - 0x3fff + 24576) as u16, 1 << 63));
    assert_eq!(env.flags, Flags::UNDERFLOW);
}

#[test]
fn comparisons() {
    let run = |a, b, signal| {
        let mut env = X87::default();
        (compare(a, b, signal, &mut env), env.flags)
    };
    assert_eq!(run(ONE, ZERO, true), (Relation::Greater, Flags::NONE));
    assert_eq!(run(negated(INF), negated(ONE), true), (Relation::Less, Flags::NONE));
    assert_eq!(run(negated(ZERO), ZERO, true), (Relation::Equal, Flags::NONE));
    assert_eq!(run(x(0, 1 << 63), x(1, 1 << 63), true), (Relation::Equal, Flags::INPUT_DENORMAL));
    assert_eq!(run(QNAN, ONE, true), (Relation::Unordered, Flags::INVALID));
    assert_eq!(run(QNAN, ONE, false), (Relation::Unordered, Flags::NONE));
    assert_eq!(run(SNAN, ONE, false), (Relation::Unordered, Flags::INVALID));
    assert_eq!(run(x(0x4000, 1), ONE, false), (Relation::Unordered, Flags::INVALID));
}

#[test]
fn loads_and_stores() {
    let mut random = Random(82);
    for _ in 0..200_000 {
        let mut env = X87::default();
        let (d, s) = (random.value::<F64>(), random.value::<F32>());
        let (wide, single) = (from_format::<F64>(d, &mut env), from_format::<F32>(s, &mut env));
        let nan = f64::from_bits(d).is_nan();
        assert_eq!(to_format::<F64>(wide, &mut env), if nan { d | 1 << 51 } else { d });
        let nan = f32::from_bits(s as u32).is_nan();
        assert_eq!(to_format::<F32>(single, &mut env), if nan { s | 1 << 22 } else { s });
        assert!(!env.rounded_up && !env.flags.contains(Flags::INEXACT));
        // By way of the extended format a double reaches single precision in one rounding.
        if !f64::from_bits(d).is_nan() {
            let want = u64::from((f64::from_bits(d) as f32).to_bits());
            assert_eq!(to_format::<F32>(wide, &mut env), want, "{d:#x}");
        }
        let n = random.integer() as i64;
        let integer = from_int(n, &mut env);
        assert_eq!(to_int::<i64>(integer, Rounding::NearestEven, &mut env), n);
        let mut env = X87::default();
        let want = f64::from_bits(d).round_ties_even();
        let got = to_int::<i32>(wide, Rounding::NearestEven, &mut env);
        if (-2147483648.0..=2147483647.0).contains(&want) {
            assert_eq!(got, want as i32);
            assert_eq!(env.flags.contains(Flags::INEXACT), want != f64::from_bits(d));
            assert_eq!(env.rounded_up, want.abs() > f64::from_bits(d).abs());
        } else {
            assert_eq!((got, env.flags), (i32::MIN, Flags::INVALID));
        }
        let mut env = X87::default();
        let integral = round_int(wide, &mut env);
        if !f64::from_bits(d).is_nan() {
            assert_eq!(to_format::<F64>(integral, &mut env), want.to_bits(), "{d:#x}");
        }
    }
    let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
    assert_eq!(X80::from_bytes(bytes), x(0x0a09, 0x0807_0605_0403_0201));
    assert_eq!(X80::from_bytes(bytes).to_bytes(), bytes);
}

#[test]
fn packed_decimal() {
    let mut env = X87::default();
    let bytes = [0x21, 0x43, 0x65, 0x87, 0x09, 0x21, 0x43, 0x65, 0x87, 0x80];
    let value = from_bcd(bytes, &mut env);
    assert_eq!(to_int::<i64>(value, Rounding::NearestEven, &mut env), -876_543_210_987_654_321);
    assert_eq!(to_bcd(value, &mut env), bytes);
    let minus_zero = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
    assert_eq!(from_bcd(minus_zero, &mut env), negated(ZERO));
    assert_eq!(to_bcd(negated(ZERO), &mut env), minus_zero);
    assert!(env.flags.is_empty());
    let limit = from_int(1_000_000_000_000_000_000, &mut env);
    assert_eq!(to_bcd(limit, &mut env), [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff]);
    assert_eq!(env.flags, Flags::INVALID);
}
