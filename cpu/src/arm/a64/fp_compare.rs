//! Scalar floating-point comparison (DDI 0487 C4.1.96: compare, conditional compare).

use super::fp_ops::scalar;
use crate::arm::emit::Arm;
use crate::arm::state;
use crate::emit::{Exec, Flow};
use crate::op::nzcv;
use crate::vec::{Lanes, VecOp};
use crate::width::{W32, W128};

crate::rows! { Arm;
    "FCMP (register)"  "0 0 0 11110 pp 1 mmmmm 00 1000 nnnnn 00 000" (p, m, n) => fcmp::<_, false>;
    "FCMP (zero)"      "0 0 0 11110 pp 1 xxxxx 00 1000 nnnnn 01 000" (p, n) => fcmp_zero::<_, false>;
    "FCMPE (register)" "0 0 0 11110 pp 1 mmmmm 00 1000 nnnnn 10 000" (p, m, n) => fcmp::<_, true>;
    "FCMPE (zero)"     "0 0 0 11110 pp 1 xxxxx 00 1000 nnnnn 11 000" (p, n) => fcmp_zero::<_, true>;
    "FCCMP"  "0 0 0 11110 pp 1 mmmmm cccc 01 nnnnn 0 ffff" (p, m, c, n, f) => fccmp::<_, false>;
    "FCCMPE" "0 0 0 11110 pp 1 mmmmm cccc 01 nnnnn 1 ffff" (p, m, c, n, f) => fccmp::<_, true>;
}

/// `FPCompare` into the flags; with `signal` quiet NaNs are invalid too.
fn compare<E: Arm>(e: &mut E, l: Lanes, a: E::Val<W128>, b: E::Val<W128>, signal: bool) {
    let r = e.vec(VecOp::FCmp, l, signal.into(), a, b, b);
    let flags = e.lane::<W32>(r, 0);
    e.write_flags(state::NZCV, flags);
}

/// FCMP, FCMPE.
fn fcmp<E: Arm, const SIGNAL: bool>(e: &mut E, p: u32, m: u32, n: u32) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    e.check_fp()?;
    let (a, b) = (e.v(n), e.v(m));
    compare(e, l, a, b, SIGNAL);
    Ok(Flow::Next)
}

/// FCMP, FCMPE with zero; the second operand's field is ignored.
fn fcmp_zero<E: Arm, const SIGNAL: bool>(e: &mut E, p: u32, n: u32) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    e.check_fp()?;
    let (a, zero) = (e.v(n), e.lit::<W128>(0));
    compare(e, l, a, zero, SIGNAL);
    Ok(Flow::Next)
}

/// FCCMP, FCCMPE: compares only if the condition holds, else the flags are a constant.
fn fccmp<E: Arm, const SIGNAL: bool>(e: &mut E, p: u32, m: u32, c: u32, n: u32, f: u32) -> Exec<E> {
    let Some(l) = scalar(e, p) else { return e.undefined() };
    e.check_fp()?;
    let holds = e.cond(c);
    let constant = e.lit::<W32>(nzcv::from_psr(f << 28));
    e.write_flags(state::NZCV, constant);
    // The comparison raises exceptions, so it must not run otherwise.
    e.when(holds, |e| {
        let (a, b) = (e.v(n), e.v(m));
        compare(e, l, a, b, SIGNAL);
        Ok(())
    })?;
    Ok(Flow::Next)
}
