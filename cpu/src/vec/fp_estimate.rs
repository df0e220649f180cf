//! Arm's reciprocal estimates and the steps of Newton's iteration that refine them.

use super::fp_env::{by_format, map1, map2};
use crate::softfloat as soft;

super::functions! {
    frecip_estimate = |l, _, a, _, _, env| by_format!(l, F => map1(l, a, env, soft::recip_estimate::<F>));
    frsqrt_estimate = |l, _, a, _, _, env| by_format!(l, F => map1(l, a, env, soft::rsqrt_estimate::<F>));
    frecip_exponent = |l, _, a, _, _, env| by_format!(l, F => map1(l, a, env, soft::recip_exponent::<F>));
    frecip_step = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::recip_step::<F>));
    frsqrt_step = |l, _, a, b, _, env| by_format!(l, F => map2(l, a, b, env, soft::rsqrt_step::<F>));
}
