//! The rules by example: NaN precedence, minimum and maximum, comparison flags, estimates, control registers.

use crate::softfloat::*;

const QNAN: u64 = 0x7ff8_0000_0000_0001;
const QNAN2: u64 = 0xfff8_0000_0000_0002;
const SNAN: u64 = 0x7ff0_0000_0000_0003;
const SNAN2: u64 = 0xfff0_0000_0000_0004;
const QUIET: u64 = 1 << 51;
const INF: u64 = 0x7ff0_0000_0000_0000;
const NEG: u64 = 1 << 63;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const TINY: u64 = 1;

/// The result and the flags of `f` under `env`.
fn with<T>(mut env: Env, f: impl FnOnce(&mut Env) -> T) -> (T, Flags) {
    let r = f(&mut env);
    (r, env.flags)
}

const NONE: Flags = Flags::NONE;
const INVALID: Flags = Flags::INVALID;
const DENORMAL: Flags = Flags::INPUT_DENORMAL;

#[test]
fn nan_precedence() {
    let (arm, x86) = (Env::arm(), Env::x86());
    assert_eq!(with(arm, |e| add::<F64>(QNAN, SNAN, e)), (SNAN | QUIET, INVALID));
    assert_eq!(with(x86, |e| add::<F64>(QNAN, SNAN, e)), (QNAN, INVALID));
    assert_eq!(with(arm, |e| add::<F64>(QNAN, QNAN2, e)), (QNAN, NONE));
    assert_eq!(with(arm, |e| sub::<F64>(ONE, QNAN2, e)), (QNAN2, NONE));
    assert_eq!(with(arm, |e| mul::<F64>(SNAN2, SNAN, e)), (SNAN2 | QUIET, INVALID));
    // The addend comes first on Arm, and a quiet one loses to an undefined product.
    assert_eq!(with(arm, |e| fma::<F64>(QNAN, ONE, QNAN2, e)), (QNAN2, NONE));
    assert_eq!(with(x86, |e| fma::<F64>(QNAN, ONE, QNAN2, e)), (QNAN, NONE));
    assert_eq!(with(arm, |e| fma::<F64>(INF, 0, QNAN2, e)), (INF | QUIET, INVALID));
    assert_eq!(with(x86, |e| fma::<F64>(INF, 0, QNAN2, e)), (QNAN2, NONE));
    assert_eq!(with(arm, |e| fma::<F64>(SNAN, ONE, QNAN2, e)), (SNAN | QUIET, INVALID));
    // Default NaNs.
    assert_eq!(with(arm, |e| sqrt::<F64>(NEG | ONE, e)), (INF | QUIET, INVALID));
    assert_eq!(with(x86, |e| sqrt::<F64>(NEG | ONE, e)), (NEG | INF | QUIET, INVALID));
    let dn = Env { default_nan: true, ..arm };
    assert_eq!(with(dn, |e| add::<F64>(QNAN2, ONE, e)), (INF | QUIET, NONE));
    assert_eq!(with(dn, |e| convert::<F64, F32>(SNAN, e)), (0x7fc0_0000, INVALID));
    assert_eq!(with(arm, |e| convert::<F64, F32>(NEG | SNAN | 5 << 29, e)), (0xffc0_0005, INVALID));
    // The widening multiply-add looks at the addend first, and quiets halves on the way.
    assert_eq!(with(arm, |e| fma_widen(0x7c01, 0x7e00, 0x7fc0_0009, e)), (0x7fc0_2000, INVALID));
    assert_eq!(with(arm, |e| fma_widen(0xfe01, 0x7e00, 0x3f80_0000, e)), (0xffc0_2000, NONE));
    assert_eq!(with(arm, |e| fma_widen(0x7c01, 0x7e00, 0xff80_0009, e)), (0xffc0_0009, INVALID));
    assert_eq!(with(arm, |e| fma_widen(0x7c00, 0x8000, 0x7fc0_0009, e)), (0x7fc0_0000, INVALID));
    // A step negates its first operand, NaN or not.
    assert_eq!(with(arm, |e| recip_step::<F64>(QNAN, ONE, e)), (NEG | QNAN, NONE));
}

#[test]
fn bits_above_the_format_are_ignored() {
    let dirt = 0xdead_beef_0000_0000;
    let env = Env::arm();
    for x in [0x3f80_0000, 0xff80_0001, 1, 0x8000_0000, 0x7f80_0000] {
        let one = 0x3f80_0000;
        assert_eq!(with(env, |e| add::<F32>(x | dirt, one, e)), with(env, |e| add::<F32>(x, one, e)));
        assert_eq!(with(env, |e| max::<F32>(x | dirt, one, e)), with(env, |e| max::<F32>(x, one, e)));
        assert_eq!(with(env, |e| sqrt::<F32>(x | dirt, e)), with(env, |e| sqrt::<F32>(x, e)));
        assert_eq!(with(env, |e| to_int_js::<F32>(x | dirt, e)), with(env, |e| to_int_js::<F32>(x, e)));
        assert_eq!(
            with(env, |e| recip_estimate::<F32>(x | dirt, e)),
            with(env, |e| recip_estimate::<F32>(x, e))
        );
        assert_eq!(
            with(env, |e| recip_exponent::<F32>(x | dirt, e)),
            with(env, |e| recip_exponent::<F32>(x, e))
        );
        let up = Rounding::TowardPlus;
        assert_eq!(
            with(env, |e| round_int::<F32>(x | dirt, up, true, e)),
            with(env, |e| round_int::<F32>(x, up, true, e))
        );
        assert_eq!(with(env, |e| convert::<F32, F64>(x | dirt, e)), with(env, |e| convert::<F32, F64>(x, e)));
    }
}

#[test]
fn minimum_and_maximum() {
    let (arm, x86) = (Env::arm(), Env::x86());
    assert_eq!(with(arm, |e| max::<F64>(NEG, 0, e)), (0, NONE));
    assert_eq!(with(arm, |e| max::<F64>(0, NEG, e)), (0, NONE));
    assert_eq!(with(arm, |e| min::<F64>(NEG, 0, e)), (NEG, NONE));
    assert_eq!(with(arm, |e| min::<F64>(0, NEG, e)), (NEG, NONE));
    assert_eq!(with(x86, |e| max::<F64>(0, NEG, e)), (NEG, NONE));
    assert_eq!(with(x86, |e| min::<F64>(NEG, 0, e)), (0, NONE));
    assert_eq!(with(arm, |e| max::<F64>(QNAN, ONE, e)), (QNAN, NONE));
    assert_eq!(with(x86, |e| max::<F64>(QNAN, ONE, e)), (ONE, INVALID));
    assert_eq!(with(x86, |e| max::<F64>(ONE, SNAN, e)), (SNAN, INVALID));
    assert_eq!(with(arm, |e| max_num::<F64>(QNAN, NEG | ONE, e)), (NEG | ONE, NONE));
    assert_eq!(with(arm, |e| min_num::<F64>(ONE, QNAN, e)), (ONE, NONE));
    assert_eq!(with(arm, |e| min_num::<F64>(INF, QNAN, e)), (INF, NONE));
    assert_eq!(with(arm, |e| min_num::<F64>(QNAN2, QNAN, e)), (QNAN2, NONE));
    assert_eq!(with(arm, |e| max_num::<F64>(QNAN, SNAN, e)), (SNAN | QUIET, INVALID));
    assert_eq!(with(arm, |e| max::<F64>(TINY, NEG | ONE, e)), (TINY, NONE));
    let flush = Env { flush_in: true, flush_out: true, ..arm };
    assert_eq!(with(flush, |e| max::<F64>(TINY, NEG | ONE, e)), (0, DENORMAL));
    assert_eq!(with(flush, |e| max_num::<F64>(QNAN, NEG | TINY, e)), (NEG, DENORMAL));
    assert_eq!(with(x86, |e| max::<F64>(TINY, ONE, e)), (ONE, DENORMAL));
    // Halves are flushed by their own control, and silently.
    assert_eq!(with(flush, |e| max::<F16>(1, 0x8000, e)), (1, NONE));
    assert_eq!(with(Env { flush16: true, ..arm }, |e| max::<F16>(1, 0x8000, e)), (0, NONE));
}

#[test]
fn comparison_flags() {
    let arm = Env::arm();
    assert_eq!(with(arm, |e| compare::<F64>(QNAN, ONE, false, e)), (Relation::Unordered, NONE));
    assert_eq!(with(arm, |e| compare::<F64>(QNAN, ONE, true, e)), (Relation::Unordered, INVALID));
    assert_eq!(with(arm, |e| compare::<F64>(ONE, SNAN, false, e)), (Relation::Unordered, INVALID));
    assert_eq!(with(arm, |e| eq::<F64>(QNAN, QNAN, e)), (false, NONE));
    assert_eq!(with(arm, |e| ge::<F64>(QNAN, ONE, e)), (false, INVALID));
    assert_eq!(with(arm, |e| gt::<F64>(INF, ONE, e)), (true, NONE));
    assert_eq!(with(arm, |e| ge::<F64>(0, NEG, e)), (true, NONE));
    let flush = Env { flush_in: true, ..arm };
    assert_eq!(with(flush, |e| compare::<F64>(TINY, NEG, false, e)), (Relation::Equal, DENORMAL));
    assert_eq!(with(Env::x86(), |e| compare::<F64>(TINY, 0, false, e)), (Relation::Greater, DENORMAL));
    let nzcv = [Relation::Less, Relation::Equal, Relation::Greater, Relation::Unordered].map(Relation::nzcv);
    assert_eq!(nzcv, [0b1000, 0b0110, 0b0010, 0b0011]);
}

#[test]
fn javascript() {
    let js = |x: f64| with(Env::arm(), |e| to_int_js::<F64>(x.to_bits(), e));
    assert_eq!(js(0.0), ((0, true), NONE));
    assert_eq!(js(-0.0), ((0, false), NONE));
    assert_eq!(js(-7.0), ((-7, true), NONE));
    assert_eq!(js(-7.5), ((-7, false), Flags::INEXACT));
    assert_eq!(js(2147483647.0), ((i32::MAX, true), NONE));
    assert_eq!(js(2147483648.0), ((i32::MIN, false), INVALID));
    assert_eq!(js(-2147483648.0), ((i32::MIN, true), NONE));
    assert_eq!(js(-2147483648.5), ((i32::MIN, false), Flags::INEXACT));
    assert_eq!(js(-2147483649.0), ((i32::MAX, false), INVALID));
    assert_eq!(js(4294967301.75), ((5, false), INVALID));
    assert_eq!(js(-1e300), ((0, false), INVALID));
    assert_eq!(js((1u64 << 52) as f64 * 4096.0 + 8192.0), ((8192, false), INVALID));
    assert_eq!(js(f64::INFINITY), ((0, false), INVALID));
    assert_eq!(js(f64::NAN), ((0, false), INVALID));
    let flush = Env { flush_in: true, ..Env::arm() };
    assert_eq!(with(flush, |e| to_int_js::<F64>(TINY, e)), ((0, false), DENORMAL));
}

/// When a result that rounds up to the smallest normal number is tiny, and what flushing makes of tiny results.
#[test]
fn underflow() {
    let smallest = 1u64 << 52;
    let (below, half) = (smallest - 1, ONE - (1 << 52));
    // 2^-1022 - 2^-1126: less than the smallest normal number, but rounded to 53 bits equal to it.
    let almost = |e: &mut Env| mul::<F64>(below, ONE | 1, e);
    let inexact = Flags::INEXACT;
    let underflow = Flags::UNDERFLOW;
    assert_eq!(with(Env::arm(), almost), (smallest, underflow | inexact));
    assert_eq!(with(Env::x86(), almost), (smallest, inexact | DENORMAL));
    let flush = |env| Env { flush_out: true, ..env };
    assert_eq!(with(flush(Env::arm()), almost), (0, underflow));
    assert_eq!(with(flush(Env::x86()), almost), (smallest, inexact | DENORMAL));
    // An exact tiny result raises nothing, unless flushed or unmasked.
    let exact = |e: &mut Env| mul::<F64>(smallest, half, e);
    assert_eq!(with(Env::arm(), exact), (smallest / 2, NONE));
    assert_eq!(with(flush(Env::arm()), exact), (0, underflow));
    assert_eq!(with(flush(Env::x86()), exact), (0, underflow | inexact));
    assert_eq!(with(Env { underflow_unmasked: true, ..Env::x86() }, exact), (smallest / 2, underflow));
}

#[test]
fn estimates() {
    // The definitions of RecipEstimate and RecipSqrtEstimate, searched for instead of computed.
    for a in 256..512u32 {
        let mut b = 512u64;
        while u64::from(2 * a + 1) * (b + 1) <= 1 << 19 {
            b += 1;
        }
        assert_eq!(recip_estimate_u32(a << 23), (b.div_ceil(2) as u32) << 23, "{a}");
    }
    for a in 128..512u32 {
        let middle = u64::from(if a < 256 { 2 * a + 1 } else { (a / 2 * 2 + 1) * 2 });
        let mut b = 512u64;
        while middle * (b + 1) * (b + 1) < 1 << 28 {
            b += 1;
        }
        assert_eq!(rsqrt_estimate_u32(a << 23), (b.div_ceil(2) as u32) << 23, "{a}");
    }
    assert_eq!(recip_estimate_u32(0x7fff_ffff), u32::MAX);
    assert_eq!(rsqrt_estimate_u32(0x3fff_ffff), u32::MAX);

    let arm = Env::arm();
    for x in 1..0x7c00u64 {
        let value = f64::from_bits(convert::<F16, F64>(x, &mut Env::arm()));
        let (recip, flags) = with(arm, |e| recip_estimate::<F16>(x, e));
        if x < 0x100 {
            assert_eq!((recip, flags), (0x7c00, Flags::OVERFLOW | Flags::INEXACT), "{x:#x}");
        } else {
            let estimate = f64::from_bits(convert::<F16, F64>(recip, &mut Env::arm()));
            assert!((estimate * value - 1.0).abs() < 1.0 / 256.0 && flags.is_empty(), "{x:#x}: {recip:#x}");
        }
        let (rsqrt, flags) = with(arm, |e| rsqrt_estimate::<F16>(x, e));
        let estimate = f64::from_bits(convert::<F16, F64>(rsqrt, &mut Env::arm()));
        assert!(
            (estimate * estimate * value - 1.0).abs() < 1.0 / 128.0 && flags.is_empty(),
            "{x:#x}: {rsqrt:#x}"
        );
    }
    let zero = Env { rounding: Rounding::TowardZero, ..arm };
    assert_eq!(with(zero, |e| recip_estimate::<F64>(NEG | TINY, e)).0, NEG | (INF - 1));
    assert_eq!(with(arm, |e| recip_estimate::<F64>(NEG, e)), (NEG | INF, Flags::DIVZERO));
    assert_eq!(with(arm, |e| recip_estimate::<F64>(NEG | INF, e)), (NEG, NONE));
    assert_eq!(with(arm, |e| rsqrt_estimate::<F64>(NEG, e)), (NEG | INF, Flags::DIVZERO));
    assert_eq!(with(arm, |e| rsqrt_estimate::<F64>(NEG | ONE, e)), (INF | QUIET, INVALID));
    assert_eq!(with(arm, |e| rsqrt_estimate::<F64>(INF, e)), (0, NONE));
    let flush = Env { flush_in: true, flush_out: true, ..arm };
    let huge = 0x7fd0_0000_0000_0000;
    assert_eq!(with(flush, |e| recip_estimate::<F64>(NEG | huge, e)), (NEG, Flags::UNDERFLOW));
    assert_eq!(with(arm, |e| recip_estimate::<F64>(huge, e)), (0x000f_f800_0000_0000, NONE));
    assert_eq!(with(arm, |e| recip_exponent::<F64>(ONE | 5, e)), (0x4000_0000_0000_0000, NONE));
    assert_eq!(with(arm, |e| recip_exponent::<F64>(NEG, e)), (NEG | 0x7fe0_0000_0000_0000, NONE));
    assert_eq!(with(arm, |e| recip_exponent::<F64>(INF, e)), (0, NONE));
}

#[test]
fn alternative_half_precision() {
    let arm = Env::arm();
    let to = |x: f32| with(arm, |e| convert::<F32, F16Alt>(u64::from(x.to_bits()), e));
    assert_eq!(to(131008.0), (0x7fff, NONE));
    assert_eq!(to(131072.0), (0x7fff, INVALID));
    assert_eq!(to(f32::NEG_INFINITY), (0xffff, INVALID));
    assert_eq!(to(-f32::NAN), (0x8000, INVALID));
    assert_eq!(with(arm, |e| convert::<F16Alt, F32>(0x7fff, e)), (u64::from(131008f32.to_bits()), NONE));
}

#[test]
fn control_registers() {
    let env = Env::from_fpcr(0b10 << 22 | 1 << 24 | 1 << 25);
    assert_eq!(env.rounding, Rounding::TowardMinus);
    assert!(env.flush_in && env.flush_out && env.default_nan && !env.flush16);
    assert!(Env::from_fpcr(1 << 19).flush16);
    let env = Env::from_mxcsr(0xffc0);
    assert_eq!(env.rounding, Rounding::TowardZero);
    assert!(env.flush_in && env.flush_out && !env.underflow_unmasked);
    // Flush-to-zero needs the underflow exception masked.
    assert!(!Env::from_mxcsr(0x8000).flush_out);
    assert_eq!(Env::from_mxcsr(0x1f80), Env::x86());
    assert_eq!(Flags::INPUT_DENORMAL.to_fpsr(), 1 << 7);
    let all = [INVALID, DENORMAL, Flags::DIVZERO, Flags::OVERFLOW, Flags::UNDERFLOW, Flags::INEXACT];
    assert_eq!(all.map(Flags::to_x86), [1, 2, 4, 8, 16, 32]);
    assert_eq!(all.map(Flags::to_fpsr), [1, 128, 2, 4, 8, 16]);
    assert!(INVALID.contains(NONE) && !NONE.contains(INVALID));
}
