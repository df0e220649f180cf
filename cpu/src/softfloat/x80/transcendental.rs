//! F2XM1, FYL2X, FYL2XP1, FPATAN, FSIN, FCOS, FPTAN, and the constants that FLD1 and its kin load.
//!
//! Results are those of 128 significant bits rounded once: real processors differ from them and from each other in the
//! last bit. Angles are reduced by the π of 66 bits that processors have (SDM vol. 1, 8.3.8).

use super::big::{Big, L2E, L2T, LG2, LN2, PI, odd_series, series};
use super::{BIAS, INTEGER, X80, X87, note_denormals, unpack1, unpack2};
use crate::softfloat::unpack::{Kind, Num, Unpacked};
use crate::softfloat::{Flags, Rounding};

/// 1.0.
pub const ONE: X80 = X80 { head: BIAS as u16, sig: INTEGER };

/// The constant of D9 E8 to D9 EE, by its number: 1, log2 10, log2 e, π, log10 2, ln 2, 0; rounded as `rounding` says.
pub fn constant(number: u8, rounding: Rounding) -> X80 {
    let mut quiet = X87 { rounding, ..X87::default() };
    let big = match number {
        0 => return ONE,
        1 => L2T,
        2 => L2E,
        3 => PI,
        4 => LG2,
        5 => LN2,
        _ => return X80::zero(false),
    };
    big.rounded(&mut quiet)
}

/// 2^a - 1, for a in [-1, 1]; outside of it a itself, where the manual leaves the result undefined.
pub fn exp2_minus_1(a: X80, env: &mut X87) -> X80 {
    let x = match unpack1(a, env) {
        Ok(x) => x,
        Err(special) => return special,
    };
    match x.kind {
        Kind::Zero => a,
        Kind::Finite => {
            note_denormals(&[&x], env);
            if x.num.exp >= 0 {
                // 2^1 - 1 and 2^-1 - 1 are exact.
                return match (x.num.exp, x.num.sig, x.num.sign) {
                    (0, INTEGER, false) => ONE,
                    (0, INTEGER, true) => X80 { head: 0x8000 | (BIAS - 1) as u16, sig: INTEGER },
                    _ => a,
                };
            }
            let y = Big::from_num(x.num) * LN2;
            series(y, y, |k| (k + 1, 1)).rounded(env)
        }
        _ if x.num.sign => X80 { head: 0x8000 | BIAS as u16, sig: INTEGER },
        _ => X80::infinity(false),
    }
}

/// The natural logarithm of a significand in [√½, √2), as 2 atanh((m - 1) / (m + 1)).
fn ln_near_one(minus: Big, plus: Big) -> Big {
    let s = minus.divided_by(plus);
    odd_series(s, s * s).scaled(1)
}

/// The binary logarithm of a positive number.
fn log2(x: Num) -> Big {
    const SQRT2: u64 = 0xB504_F333_F9DE_6484;
    let (m, e) = if x.sig >= SQRT2 { (-1, x.exp + 1) } else { (0, x.exp) };
    let one = Big::new(1, 0);
    let m = Big::from_num(Num { sign: false, exp: m, sig: x.sig });
    ln_near_one(m - one, m + one) * L2E + Big::new(e as i128, 0)
}

/// `y * log2(x)` (FYL2X); `x` is ST(0), `y` ST(1).
pub fn y_log2_x(x: X80, y: X80, env: &mut X87) -> X80 {
    let (a, b) = match unpack2(x, y, env) {
        Ok(operands) => operands,
        Err(special) => return special,
    };
    let negative = a.num.sign && !a.is_zero();
    let below_one = a.is_zero() || a.kind == Kind::Finite && a.num.exp < 0;
    let is_one = a.kind == Kind::Finite && a.num.exp == 0 && a.num.sig == INTEGER && !a.num.sign;
    match (a.kind, b.kind) {
        _ if negative => env.invalid(),
        (Kind::Zero, Kind::Zero) => env.invalid(),
        (Kind::Infinity, Kind::Zero) => env.invalid(),
        (_, Kind::Infinity) if is_one => env.invalid(),
        (Kind::Zero, Kind::Infinity) => X80::infinity(!b.num.sign),
        (Kind::Zero, _) => {
            env.raise(Flags::DIVZERO);
            X80::infinity(!b.num.sign)
        }
        (Kind::Infinity, _) | (_, Kind::Infinity) => {
            note_denormals(&[&a, &b], env);
            X80::infinity(b.num.sign ^ below_one)
        }
        (_, Kind::Zero) => {
            note_denormals(&[&a], env);
            X80::zero(b.num.sign ^ below_one)
        }
        _ => {
            note_denormals(&[&a, &b], env);
            let log = log2(a.num);
            if log.is_zero() {
                return X80::zero(b.num.sign);
            }
            if a.num.sig == INTEGER {
                // A power of two: the product may be exact.
                let exponent = super::convert::from_int(i64::from(a.num.exp), env);
                let mut full = X87 { precision: super::Precision::Extended, ..*env };
                let r = super::mul(exponent, y, &mut full);
                full.flags.raise(Flags::INEXACT);
                *env = X87 { precision: env.precision, ..full };
                return r;
            }
            (log * Big::from_num(b.num)).rounded(env)
        }
    }
}

/// `y * log2(x + 1)` (FYL2XP1), for |x| below 1 - √½; beyond, as long as there is a result.
pub fn y_log2_x_plus_1(x: X80, y: X80, env: &mut X87) -> X80 {
    let (a, b) = match unpack2(x, y, env) {
        Ok(operands) => operands,
        Err(special) => return special,
    };
    match (a.kind, b.kind) {
        (Kind::Zero, Kind::Infinity) | (Kind::Infinity, Kind::Zero) => env.invalid(),
        (Kind::Infinity, _) if a.num.sign => env.invalid(),
        (Kind::Infinity, _) | (_, Kind::Infinity) => {
            note_denormals(&[&a, &b], env);
            X80::infinity(a.num.sign ^ b.num.sign)
        }
        (Kind::Zero, _) | (_, Kind::Zero) => {
            note_denormals(&[&a, &b], env);
            X80::zero(a.num.sign ^ b.num.sign)
        }
        _ => {
            note_denormals(&[&a, &b], env);
            let v = Big::from_num(a.num);
            let one = Big::new(1, 0);
            if a.num.sign && a.num.exp >= 0 {
                // There is no logarithm; the manual leaves the result undefined.
                return x;
            }
            let log = if a.num.exp < -1 {
                ln_near_one(v, v + one.scaled(1)) * L2E
            } else {
                let sum = v + one;
                let n = sum.rounded(&mut X87::default());
                match unpack1(n, &mut X87::default()) {
                    Ok(u) if u.kind == Kind::Finite => log2(u.num),
                    _ => Big::ZERO,
                }
            };
            (log * Big::from_num(b.num)).rounded(env)
        }
    }
}

/// The arctangent of `t` in [0, 1].
fn arctangent(t: Big) -> Big {
    let one = Big::new(1, 0);
    // Beyond tan(π/8) it is π/4 and the arctangent of something small.
    let turned = Big::new(53, -7).less_than(t);
    let s = if turned { (t - one).divided_by(t + one) } else { t };
    let r = odd_series(s, -(s * s));
    if turned { PI.scaled(-2) + r } else { r }
}

/// The angle of the point (x, y) (FPATAN); `x` is ST(0), `y` ST(1).
pub fn angle(x: X80, y: X80, env: &mut X87) -> X80 {
    let (a, b) = match unpack2(x, y, env) {
        Ok(operands) => operands,
        Err(special) => return special,
    };
    note_denormals(&[&a, &b], env);
    let (left, down) = (a.num.sign, b.num.sign);
    let signed = |r: Big| if down { -r } else { r };
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Infinity) if left => signed(PI.scaled(-2) + PI.scaled(-1)).rounded(env),
        (Kind::Infinity, Kind::Infinity) => signed(PI.scaled(-2)).rounded(env),
        (_, Kind::Zero) | (Kind::Infinity, _) if left => signed(PI).rounded(env),
        (_, Kind::Zero) | (Kind::Infinity, _) => X80::zero(down),
        (Kind::Zero, _) | (_, Kind::Infinity) => signed(PI.scaled(-1)).rounded(env),
        _ => {
            let (x, y) = (Big::from_num(a.num).abs(), Big::from_num(b.num).abs());
            let r = if x.less_than(y) {
                PI.scaled(-1) - arctangent(x.divided_by(y))
            } else {
                arctangent(y.divided_by(x))
            };
            signed(if left { PI - r } else { r }).rounded(env)
        }
    }
}

/// An angle in [-π/4, π/4], and in which quarter it was, counted from there.
fn reduced(x: Num) -> (Big, u32) {
    /// π/2 in units of 2^-67.
    const HALF_PI: u128 = 0xC_90FD_AA22_168C_234C;
    if x.exp < -4 {
        return (Big::from_num(x), 0);
    }
    let (mut rest, mut quarter) = (u128::from(x.sig), 0u32);
    // The significand counts 2^(exp - 63).
    for n in 0..=x.exp + 4 {
        if n > 0 {
            (rest, quarter) = (rest << 1, quarter << 1);
        }
        if rest >= HALF_PI {
            (rest, quarter) = (rest - HALF_PI, quarter + 1);
        }
    }
    let (rest, quarter) = if rest > HALF_PI / 2 {
        (rest as i128 - HALF_PI as i128, quarter + 1)
    } else {
        (rest as i128, quarter)
    };
    let (rest, quarter) = if x.sign { (-rest, quarter.wrapping_neg()) } else { (rest, quarter) };
    (Big::new(rest, -67), quarter & 3)
}

/// Sine and cosine of a reduced angle.
fn sine_cosine((r, quarter): (Big, u32)) -> (Big, Big) {
    let square = -(r * r);
    let sine = series(r, square, |k| (2 * k, 2 * k + 1));
    let cosine = series(Big::new(1, 0), square, |k| (2 * k - 1, 2 * k));
    match quarter {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// What FSIN, FCOS, FSINCOS and FPTAN do with their operand.
pub enum Angle {
    /// The operand is too large: C2 is set, and nothing else happens.
    TooLarge,
    /// The results: sine and cosine, or tangent and one.
    Results(X80, X80),
}

/// Which of the results rounding and flags follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigonometric {
    /// FSIN
    Sine,
    /// FCOS
    Cosine,
    /// FSINCOS
    Both,
    /// FPTAN
    Tangent,
}

/// FSIN, FCOS, FSINCOS, FPTAN of `a`.
pub fn trigonometric(a: X80, which: Trigonometric, env: &mut X87) -> Angle {
    use Trigonometric::*;
    let x: Unpacked = match unpack1(a, env) {
        Ok(x) => x,
        Err(special) => return Angle::Results(special, special),
    };
    match x.kind {
        Kind::Zero => Angle::Results(a, ONE),
        Kind::Finite if x.num.exp >= 63 => Angle::TooLarge,
        Kind::Finite => {
            note_denormals(&[&x], env);
            let (sine, cosine) = sine_cosine(reduced(x.num));
            match which {
                Sine => {
                    let r = sine.rounded(env);
                    Angle::Results(r, r)
                }
                Cosine => {
                    let r = cosine.rounded(env);
                    Angle::Results(r, r)
                }
                Both => {
                    let s = sine.rounded(env);
                    Angle::Results(s, cosine.rounded(env))
                }
                Tangent => {
                    debug_assert!(!cosine.is_zero() || sine.is_negative() || !sine.is_zero());
                    Angle::Results(sine.divided_by(cosine).rounded(env), ONE)
                }
            }
        }
        _ => {
            let r = env.invalid();
            Angle::Results(r, r)
        }
    }
}
