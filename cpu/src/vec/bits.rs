//! Bitwise operations: only the arrangement's part matters, not its element size.

super::functions! {
    and = |l, _, a, b, _, _| a & b & l.used();
    and_not = |l, _, a, b, _, _| a & !b & l.used();
    or = |l, _, a, b, _, _| (a | b) & l.used();
    or_not = |l, _, a, b, _, _| (a | !b) & l.used();
    xor = |l, _, a, b, _, _| (a ^ b) & l.used();
    select = |l, _, a, b, c, _| (a & c | b & !c) & l.used();
    low = |_, _, a, _, _, _| a as u64 as u128;
    merge = |l, _, a, b, _, _| b & l.used() | a & !l.used();
}
