//! Branches (DDI 0487 C4.1.93).

use crate::arm::emit::Arm;
use crate::arm::features as feat;
use crate::arm::{mode, pauth, state};
use crate::by_sf;
use crate::emit::{Exec, Flow, Transfer};
use crate::op::{Bin, Cmp};
use crate::width::W64;
use std::hint::cold_path;

crate::rows! { Arm;
    "B"  "0 00101 iiiiiiiiiiiiiiiiiiiiiiiiii" (i) => b;
    "BL" "1 00101 iiiiiiiiiiiiiiiiiiiiiiiiii" (i) => bl;
    "B.cond" "0101010 0 iiiiiiiiiiiiiiiiiii 0 cccc" (i, c) => b_cond {c=0} {c=1} {c=2} {c=3} {c=4} {c=5} {c=6} {c=7} {c=8} {c=9} {c=10} {c=11} {c=12} {c=13};
    "CBZ"  "z 011010 0 iiiiiiiiiiiiiiiiiii ttttt" (z, i, t) => cbz {z=1} {z=0};
    "CBNZ" "z 011010 1 iiiiiiiiiiiiiiiiiii ttttt" (z, i, t) => cbnz {z=1} {z=0};
    "TBZ"  "h 011011 0 bbbbb iiiiiiiiiiiiii ttttt" (h, b, i, t) => tbz;
    "TBNZ" "h 011011 1 bbbbb iiiiiiiiiiiiii ttttt" (h, b, i, t) => tbnz;
    "BR"   "1101011 0000 11111 000000 nnnnn 00000" (n) => br;
    "BLR"  "1101011 0001 11111 000000 nnnnn 00000" (n) => blr;
    "RET"  "1101011 0010 11111 000000 nnnnn 00000" (n) => ret;
    "BRAAZ/BRABZ"   "1101011 0000 11111 00001 k nnnnn 11111" (k, n) if feat::PAUTH => bra_zero;
    "BLRAAZ/BLRABZ" "1101011 0001 11111 00001 k nnnnn 11111" (k, n) if feat::PAUTH => blra_zero;
    "RETAA/RETAB"   "1101011 0010 11111 00001 k 11111 11111" (k) if feat::PAUTH => reta;
    "BRAA/BRAB"     "1101011 1000 11111 00001 k nnnnn mmmmm" (k, n, m) if feat::PAUTH => bra;
    "BLRAA/BLRAB"   "1101011 1001 11111 00001 k nnnnn mmmmm" (k, n, m) if feat::PAUTH => blra;
}

/// A signed field of `bits` bits, counted in instructions, as a byte offset.
pub(crate) const fn offset(x: u32, bits: u32) -> i64 {
    (((x << (32 - bits)) as i32) >> (32 - bits)) as i64 * 4
}

/// B. [C6.2.24]
fn b<E: Arm>(e: &mut E, i: u32) -> Exec<E> {
    e.jump(offset(i, 26), Transfer::Jump)
}

/// X30 = the next instruction.
fn link<E: Arm>(e: &mut E) {
    let next = e.pc_plus(4);
    e.put(state::x(30), next);
}

/// BL. [C6.2.41]
fn bl<E: Arm>(e: &mut E, i: u32) -> Exec<E> {
    link(e);
    e.jump(offset(i, 26), Transfer::Call)
}

/// B.cond. [C6.2.25]
#[inline(always)]
fn b_cond<E: Arm>(e: &mut E, i: u32, c: u32) -> Exec<E> {
    if c >= 14 {
        return e.jump(offset(i, 19), Transfer::Jump);
    }
    let holds = e.cond(c);
    e.branch(holds, offset(i, 19))
}

#[inline(always)]
fn compare_branch<E: Arm>(e: &mut E, op: Cmp, sf: u32, i: u32, t: u32) -> Exec<E> {
    by_sf!(sf, W => {
        let (v, zero) = (e.x::<W>(t), e.lit::<W>(0));
        let c = e.cmp(op, v, zero);
        e.branch(c, offset(i, 19))
    })
}

/// CBZ. [C6.2.56]
#[inline(always)]
fn cbz<E: Arm>(e: &mut E, sf: u32, i: u32, t: u32) -> Exec<E> {
    compare_branch(e, Cmp::Eq, sf, i, t)
}

/// CBNZ. [C6.2.55]
#[inline(always)]
fn cbnz<E: Arm>(e: &mut E, sf: u32, i: u32, t: u32) -> Exec<E> {
    compare_branch(e, Cmp::Ne, sf, i, t)
}

#[inline(always)]
fn test_branch<E: Arm>(e: &mut E, op: Cmp, bit: u32, i: u32, t: u32) -> Exec<E> {
    let (v, mask, zero) = (e.x::<W64>(t), e.lit::<W64>(1 << bit), e.lit::<W64>(0));
    let v = e.bin(Bin::And, v, mask);
    let c = e.cmp(op, v, zero);
    e.branch(c, offset(i, 14))
}

/// TBZ. [C6.2.422]
fn tbz<E: Arm>(e: &mut E, h: u32, b: u32, i: u32, t: u32) -> Exec<E> {
    test_branch(e, Cmp::Eq, h << 5 | b, i, t)
}

/// TBNZ. [C6.2.421]
fn tbnz<E: Arm>(e: &mut E, h: u32, b: u32, i: u32, t: u32) -> Exec<E> {
    test_branch(e, Cmp::Ne, h << 5 | b, i, t)
}

/// `BranchTo(target)`: strips an ignored top byte as `BranchAddr` does, and checks the landing pad where guarded pages
/// are in use. `n` is the register, which decides the branch type.
fn branch_to<E: Arm>(e: &mut E, to: E::Val<W64>, n: u32, kind: Transfer) -> Exec<E> {
    let to = branch_addr(e, to);
    if e.cx().mode & mode::BTI != 0 && kind != Transfer::Return {
        if kind == Transfer::Call {
            link(e);
        }
        let btype = match kind {
            Transfer::Call => 2,
            _ if n == 16 || n == 17 => 1,
            _ => 3,
        };
        let (btype, zero) = (e.lit::<W64>(btype), e.lit::<W64>(0));
        e.call(&super::super::exception::GUARDED_BRANCH, [to, btype, zero])?;
        return Ok(Flow::Leave);
    }
    if kind == Transfer::Call {
        link(e);
    }
    e.jump_to(to, kind)
}

/// `BranchAddr`: where the top byte is ignored, it is replaced by copies of bit 55.
#[inline(always)]
fn branch_addr<E: Arm>(e: &mut E, to: E::Val<W64>) -> E::Val<W64> {
    let ignored = e.cx().mode & (mode::TBI0 | mode::TBI1);
    if ignored == 0 {
        return to;
    }
    let up = e.shift(Bin::Shl, to, 8);
    let extended = e.shift(Bin::Sar, up, 8);
    // With one half only: kernel addresses get their ones by OR, user addresses lose their tag by AND.
    if ignored == mode::TBI0 {
        return e.and(to, extended);
    }
    cold_path();
    if ignored == mode::TBI1 { e.or(to, extended) } else { extended }
}

/// BR. [C6.2.42]
fn br<E: Arm>(e: &mut E, n: u32) -> Exec<E> {
    let to = e.x::<W64>(n);
    branch_to(e, to, n, Transfer::Jump)
}

/// BLR. [C6.2.43]
fn blr<E: Arm>(e: &mut E, n: u32) -> Exec<E> {
    let to = e.x::<W64>(n);
    branch_to(e, to, n, Transfer::Call)
}

/// RET. [C6.2.278]
fn ret<E: Arm>(e: &mut E, n: u32) -> Exec<E> {
    let to = e.x::<W64>(n);
    branch_to(e, to, n, Transfer::Return)
}

/// Authenticates Xn with key A or B and a modifier, and goes there.
fn authenticated<E: Arm>(e: &mut E, k: u32, n: u32, modifier: E::Val<W64>, kind: Transfer) -> Exec<E> {
    let to = e.x::<W64>(n);
    let to = pauth::auth(e, if k == 0 { pauth::Key::IA } else { pauth::Key::IB }, to, modifier)?;
    branch_to(e, to, n, kind)
}

/// BRAAZ, BRABZ. [C6.2.44]
fn bra_zero<E: Arm>(e: &mut E, k: u32, n: u32) -> Exec<E> {
    let zero = e.lit::<W64>(0);
    authenticated(e, k, n, zero, Transfer::Jump)
}

/// BLRAAZ, BLRABZ. [C6.2.44]
fn blra_zero<E: Arm>(e: &mut E, k: u32, n: u32) -> Exec<E> {
    let zero = e.lit::<W64>(0);
    authenticated(e, k, n, zero, Transfer::Call)
}

/// RETAA, RETAB. [C6.2.279]
fn reta<E: Arm>(e: &mut E, k: u32) -> Exec<E> {
    let sp = e.get(state::SP);
    authenticated(e, k, 30, sp, Transfer::Return)
}

/// BRAA, BRAB. [C6.2.44]
fn bra<E: Arm>(e: &mut E, k: u32, n: u32, m: u32) -> Exec<E> {
    let modifier = e.x_or_sp::<W64>(m);
    authenticated(e, k, n, modifier, Transfer::Jump)
}

/// BLRAA, BLRAB. [C6.2.44]
fn blra<E: Arm>(e: &mut E, k: u32, n: u32, m: u32) -> Exec<E> {
    let modifier = e.x_or_sp::<W64>(m);
    authenticated(e, k, n, modifier, Transfer::Call)
}
