//! Flags as a chain of operations, the last first, each of which sets some of them: what it takes to compute them late.

use super::{Inst, NONE, Op, Val};
use lyrebird_cpu::op::FlagOp;
use lyrebird_cpu::x86::flags::Update;

/// Operations of a chain at most.
pub const LONGEST: usize = 4;

/// The update with number `sub`.
pub fn update_of(sub: u16) -> Update {
    Update::ALL[sub as usize % Update::ALL.len()]
}

/// The flag operation with number `sub`.
pub fn flag_of(sub: u16) -> FlagOp {
    use FlagOp::*;
    [Add, Sub, Logic, AddX, SubX, LogicX, MulX][sub as usize % 7]
}

/// The constant that `v` is.
pub fn known(code: &[Inst], v: Val) -> Option<u64> {
    code.get(v as usize).filter(|i| i.op == Op::Lit).map(|i| i.imm)
}

/// Whether update `i` sets all flags, whatever they were.
pub fn sets_all(code: &[Inst], i: &Inst) -> bool {
    matches!(update_of(i.sub), Update::Shl | Update::Shr | Update::Sar)
        && known(code, i.b).is_some_and(|k| k & 63 != 0)
}

/// The operations that make flags `v`, the last first, up to one that sets all or starts with what the slot at byte
/// `slot` holds. `None` if they are made in another way, or the chain is too long.
pub fn chain(code: &[Inst], v: Val, slot: u64) -> Option<([Val; LONGEST], usize)> {
    let (mut all, mut v) = ([NONE; LONGEST], v);
    for n in 0..LONGEST {
        let i = code.get(v as usize)?;
        all[n] = v;
        match i.op {
            Op::Flags => return (flag_of(i.sub) as u8 >= FlagOp::AddX as u8).then_some((all, n + 1)),
            Op::Update if sets_all(code, i) => return Some((all, n + 1)),
            Op::Update => v = i.c,
            Op::Get => return (i.imm == slot && n > 0).then_some((all, n)),
            _ => return None,
        }
    }
    let last = code.get(v as usize)?;
    (last.op == Op::Get && last.imm == slot).then_some((all, LONGEST))
}
