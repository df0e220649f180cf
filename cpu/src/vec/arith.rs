//! Element-wise integer arithmetic that wraps.

super::functions! {
    add = |l, _, a, b, _, _| l.map2(a, b, u64::wrapping_add);
    sub = |l, _, a, b, _, _| l.map2(a, b, u64::wrapping_sub);
}
