//! FMA and F16C.

use super::sse_forms::{Op, V, Vex, fp, halves, read, ready, small, source, store, write, write_low};
use crate::emit::{Emit, Exec, Flow};
use crate::vec::fp::{ROUNDING, rounding, sign};
use crate::vec::{Lanes, Part, VecOp};
use crate::width::{W64, W128};
use crate::x86::emit::{Want, X86, plain};
use crate::x86::features as f;
use crate::x86::insn::Insn;
use crate::x86::state;
use crate::x86::table::{Pattern, Row};

/// Rows of FMA: what follows VF in the mnemonic, the low digit of the opcode, signs, scalar or packed.
macro_rules! fma_rows {
    ($rows:ident; $($name:literal $low:literal $signs:expr, $scalar:literal $single:literal $double:literal;)*) => { $(
        fma_rows!(@one $rows $name "132" "9" $low $signs, $scalar, 132, $single "W0" 2);
        fma_rows!(@one $rows $name "132" "9" $low $signs, $scalar, 132, $double "W1" 3);
        fma_rows!(@one $rows $name "213" "A" $low $signs, $scalar, 213, $single "W0" 2);
        fma_rows!(@one $rows $name "213" "A" $low $signs, $scalar, 213, $double "W1" 3);
        fma_rows!(@one $rows $name "231" "B" $low $signs, $scalar, 231, $single "W0" 2);
        fma_rows!(@one $rows $name "231" "B" $low $signs, $scalar, 231, $double "W1" 3);
    )* };
    (@one $rows:ident $name:literal $order:literal $high:literal $low:literal $signs:expr, $scalar:literal, $n:literal, $kind:literal $w:literal $log2:literal) => {
        $rows.push(Row {
            name: concat!("VF", $name, $order, $kind),
            opcode: concat!("VEX.66.0F38.", $w, " ", $high, $low),
            operands: "Vx,Hx,Wx",
            attributes: "",
            features: f::FMA,
            choose: |_| crate::step!(E, fma::<E, $n, { $signs }, $log2, $scalar>),
            pattern: Pattern::parse(concat!("VEX.66.0F38.", $w, " ", $high, $low), "Vx,Hx,Wx", ""),
        });
    };
}

/// The rows of this chapter.
pub fn rows<E: X86>() -> Vec<Row<E>> {
    let mut rows = half_precision::rows();
    fma_rows! { rows;
        "MADDSUB" "6" sign::EVEN, false "PS" "PD";
        "MSUBADD" "7" sign::ODD, false "PS" "PD";
        "MADD" "8" 0, false "PS" "PD";
        "MADD" "9" 0, true "SS" "SD";
        "MSUB" "A" sign::EVEN | sign::ODD, false "PS" "PD";
        "MSUB" "B" sign::EVEN | sign::ODD, true "SS" "SD";
        "NMADD" "C" sign::PRODUCT, false "PS" "PD";
        "NMADD" "D" sign::PRODUCT, true "SS" "SD";
        "NMSUB" "E" sign::PRODUCT | sign::EVEN | sign::ODD, false "PS" "PD";
        "NMSUB" "F" sign::PRODUCT | sign::EVEN | sign::ODD, true "SS" "SD";
    }
    rows
}

/// One of the family: the order of operands, changed signs, element size.
#[inline(always)]
fn fma<E: X86, const ORDER: u32, const SIGNS: u32, const LOG2: u32, const SCALAR: bool>(
    e: &mut E,
    i: &Insn,
) -> Exec<E> {
    ready::<E, Vex>(e, i, false)?;
    let order = |[v1, v2, v3]: [V<E>; 3]| match ORDER {
        132 => [v1, v3, v2],
        213 => [v2, v1, v3],
        _ => [v2, v3, v1],
    };
    if SCALAR {
        let third = small(e, i, LOG2)?;
        let (first, second) = (e.get(state::xmm(i.reg())), e.get(state::xmm(i.vvvv())));
        let l = Lanes::scalar(LOG2);
        let r = fp(e, VecOp::FMulAddX, l, SIGNS, order([first, second, third]))?;
        let r = e.v2(VecOp::Merge, l, first, r);
        write_low::<E, Vex>(e, i.reg(), r);
        return Ok(Flow::Next);
    }
    let third = source::<E, Vex>(e, i)?;
    let (first, second) = (read::<E, Vex>(e, i, i.reg()), read::<E, Vex>(e, i, i.vvvv()));
    let l = Lanes::full(LOG2);
    let low = fp(e, VecOp::FMulAddX, l, SIGNS, order([first[0], second[0], third[0]]))?;
    let high = if halves::<Vex>(i) == 2 {
        fp(e, VecOp::FMulAddX, l, SIGNS, order([first[1], second[1], third[1]]))?
    } else {
        low
    };
    write::<E, Vex>(e, i, i.reg(), [low, high]);
    Ok(Flow::Next)
}

mod half_precision {
    use super::*;

    crate::x86_rows! {
        "VCVTPH2PS" "VEX.66.0F38.W0 13" "Vx,Wx" "" if f::F16C => [plain to_single];
        "VCVTPS2PH" "VEX.66.0F3A.W0 1D" "Wx,Vx,Ib" "" if f::F16C => [plain from_single];
    }

    /// Four halves to single precision.
    struct ToSingle;
    impl Op for ToSingle {
        #[inline(always)]
        fn run<E: X86>(e: &mut E, _: &Insn, a: V<E>, _: V<E>) -> Emit<E, W128> {
            fp(e, VecOp::FCvt, Lanes::new(1, Part::Half), 2, [a, a, a])
        }
    }

    #[inline(always)]
    fn to_single<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
        super::super::sse_convert::widening::<E, Vex, ToSingle>(e, i)
    }

    #[inline(always)]
    fn from_single<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
        ready::<E, Vex>(e, i, true)?;
        let r = match i.imm8() & 7 {
            0 => rounding::NEAREST,
            1 => rounding::MINUS,
            2 => rounding::PLUS,
            3 => rounding::ZERO,
            _ => rounding::CURRENT,
        };
        let imm = 1 | (r + 1) << ROUNDING;
        let v = read::<E, Vex>(e, i, i.reg());
        let l = Lanes::full(2);
        let mut result = fp(e, VecOp::FCvt, l, imm, [v[0], v[0], v[0]])?;
        let two = halves::<Vex>(i) == 2;
        if two {
            let high = fp(e, VecOp::FCvt, l, imm, [v[1], v[1], v[1]])?;
            result = e.v2(VecOp::Zip1, Lanes::full(3), result, high);
        }
        if !i.is_mem() {
            write_low::<E, Vex>(e, i.rm(), result);
        } else if two {
            store(e, i, 1, false, [result, result])?;
        } else {
            let at = super::super::sse_forms::address(e, i, 8, Want::Write)?;
            let x = e.lane::<W64>(result, 0);
            e.store::<W64>(plain(i.seg()), at, x)?;
        }
        Ok(Flow::Next)
    }
}
