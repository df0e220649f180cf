//! Floating-point comparison: masks, and Arm's condition flags.

use super::fp_env::{by_format, map2, within};
use crate::op::nzcv;
use crate::softfloat::{Env, Format, compare, compare_normal, eq, ge, gt};

/// A comparison as a mask: all ones where it holds.
#[inline(always)]
fn mask<F: Format>(holds: impl Fn(u64, u64, &mut Env) -> bool) -> impl Fn(u64, u64, &mut Env) -> u64 {
    move |x, y, e| if holds(x, y, e) { F::MASK } else { 0 }
}

super::functions! {
    fcmp_eq = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, mask::<F>(eq::<F>)));
    fcmp_ge = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, mask::<F>(ge::<F>)));
    fcmp_gt = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, mask::<F>(gt::<F>)));
    fcmp = |l, imm, a, b, _, env| {
        let (a, b) = (a as u64, b as u64);
        let relation = by_format!(l, F => {
            compare_normal::<F>(a, b).unwrap_or_else(|| within(env, |e| compare::<F>(a, b, imm != 0, e)))
        });
        nzcv::from_psr(relation.nzcv() << 28).into()
    };
}
