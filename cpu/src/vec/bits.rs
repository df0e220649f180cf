//! Bitwise operations: the arrangement does not matter, all 128 bits take part.

super::functions! {
    and = |_, _, a, b, _, _| a & b;
    and_not = |_, _, a, b, _, _| a & !b;
    or = |_, _, a, b, _, _| a | b;
    or_not = |_, _, a, b, _, _| a | !b;
    xor = |_, _, a, b, _, _| a ^ b;
    select = |_, _, a, b, c, _| a & c | b & !c;
    low = |_, _, a, _, _, _| a as u64 as u128;
}
