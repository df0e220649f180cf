//! Sums of bfloat16 products by the manual's own rules (`BFDotAdd`, `BFRound`): rounding to odd but overflow to
//! infinity, denormals flushed, every NaN the default one, no flags, whatever FPCR says. FPCR.EBF is left out.

use crate::softfloat::{Env, F32, Flags, Format, Rounding, add, mul};

/// An operation under those rules.
#[inline(always)]
fn rounded(f: impl FnOnce(&mut Env) -> u64) -> u64 {
    let env =
        Env { rounding: Rounding::Odd, flush_in: true, flush_out: true, default_nan: true, ..Env::arm() };
    let mut env = env;
    let r = f(&mut env);
    if env.flags.contains(Flags::OVERFLOW) { F32::signed(r & F32::SIGN != 0, F32::INFINITY) } else { r }
}

super::functions! {
    bf_dot = |l, _, a, b, c, _| l.build(|i| {
        let element = |v: u128, j: u32| ((v >> (32 * i + 16 * j)) as u64 & 0xFFFF) << 16;
        let product = |j| rounded(|e| mul::<F32>(element(a, j), element(b, j), e));
        let (low, high) = (product(0), product(1));
        let sum = rounded(|e| add::<F32>(low, high, e));
        rounded(|e| add::<F32>(l.get(c, i) as u64, sum, e)).into()
    });
}
