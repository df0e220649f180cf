//! Element-wise comparisons: all ones where they hold.

super::functions! {
    eq = |l, _, a, b, _, _| !l.nonzero(a ^ b) & l.used();
    gt_s = |l, _, a, b, _, _| l.test(a, b, |x, y| l.signed(x) > l.signed(y));
    ge_s = |l, _, a, b, _, _| l.test(a, b, |x, y| l.signed(x) >= l.signed(y));
    gt_u = |l, _, a, b, _, _| l.test(a, b, |x, y| x > y);
    ge_u = |l, _, a, b, _, _| l.test(a, b, |x, y| x >= y);
    any = |l, _, a, b, _, _| l.nonzero(a & b) & l.used();
}
