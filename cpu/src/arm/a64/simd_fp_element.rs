//! Advanced SIMD floating point by element (DDI 0487 C4.1.96: vector x indexed element, and scalar; meanings in C7.2).

use super::fp_ops::*;
use crate::arm::emit::Arm;
use crate::arm::features::FP16;

crate::rows! { Arm;
    "FMLA (by element)" "0 q 0 01111 1s l mmmmm 0001 h 0 nnnnn ddddd" (q, s, l, m, h, n, d) => vector_by::<_, Fmla>;
    "FMLS (by element)" "0 q 0 01111 1s l mmmmm 0101 h 0 nnnnn ddddd" (q, s, l, m, h, n, d) => vector_by::<_, Fmls>;
    "FMUL (by element)" "0 q 0 01111 1s l mmmmm 1001 h 0 nnnnn ddddd" (q, s, l, m, h, n, d) => vector_by::<_, Fmul>;
    "FMULX (by element)" "0 q 1 01111 1s l mmmmm 1001 h 0 nnnnn ddddd" (q, s, l, m, h, n, d) => vector_by::<_, Fmulx>;
    "FMLA (by element, half)" "0 q 0 01111 00 l mmmmm 0001 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FP16 => vector_by_half::<_, Fmla>;
    "FMLS (by element, half)" "0 q 0 01111 00 l mmmmm 0101 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FP16 => vector_by_half::<_, Fmls>;
    "FMUL (by element, half)" "0 q 0 01111 00 l mmmmm 1001 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FP16 => vector_by_half::<_, Fmul>;
    "FMULX (by element, half)" "0 q 1 01111 00 l mmmmm 1001 h 0 nnnnn ddddd" (q, l, m, h, n, d) if FP16 => vector_by_half::<_, Fmulx>;
    "FMLA (scalar, by element)" "01 0 11111 1s l mmmmm 0001 h 0 nnnnn ddddd" (s, l, m, h, n, d) => scalar_by::<_, Fmla>;
    "FMLS (scalar, by element)" "01 0 11111 1s l mmmmm 0101 h 0 nnnnn ddddd" (s, l, m, h, n, d) => scalar_by::<_, Fmls>;
    "FMUL (scalar, by element)" "01 0 11111 1s l mmmmm 1001 h 0 nnnnn ddddd" (s, l, m, h, n, d) => scalar_by::<_, Fmul>;
    "FMULX (scalar, by element)" "01 1 11111 1s l mmmmm 1001 h 0 nnnnn ddddd" (s, l, m, h, n, d) => scalar_by::<_, Fmulx>;
    "FMLA (scalar, by element, half)" "01 0 11111 00 l mmmmm 0001 h 0 nnnnn ddddd" (l, m, h, n, d) if FP16 => scalar_by_half::<_, Fmla>;
    "FMLS (scalar, by element, half)" "01 0 11111 00 l mmmmm 0101 h 0 nnnnn ddddd" (l, m, h, n, d) if FP16 => scalar_by_half::<_, Fmls>;
    "FMUL (scalar, by element, half)" "01 0 11111 00 l mmmmm 1001 h 0 nnnnn ddddd" (l, m, h, n, d) if FP16 => scalar_by_half::<_, Fmul>;
    "FMULX (scalar, by element, half)" "01 1 11111 00 l mmmmm 1001 h 0 nnnnn ddddd" (l, m, h, n, d) if FP16 => scalar_by_half::<_, Fmulx>;
}
