//! Checks that IR is well formed: what every pass may assume and must keep.

use super::{Ir, Op, Ty};
use lyrebird_cpu::core::Arch;

/// Says what is wrong with a region, if anything is.
pub fn check<A: Arch>(ir: &Ir<A>) -> Result<(), String> {
    let mut expected = 0;
    for (n, b) in ir.blocks.iter().enumerate() {
        if b.first != expected || b.end <= b.first {
            return Err(format!("block {n} does not follow its predecessor"));
        }
        expected = b.end;
        let mut inside: Option<u32> = None;
        let mut scopes: Vec<(u32, u32)> = Vec::new();
        for i in b.first..b.end {
            let inst = &ir.code[i as usize];
            let wrong = |what: &str| Err(format!("%{i} {}: {what}", inst.op.name()));
            if inst.op.terminal() != (i + 1 == b.end) {
                return wrong("a terminal ends a block and nothing else does");
            }
            for a in inst.args() {
                if a < b.first || a >= i {
                    return wrong("an operand is not an earlier value of the block");
                }
                if !ir.code[a as usize].op.makes_value() {
                    return wrong("an operand makes no value");
                }
                if scopes.iter().any(|&(from, to)| a > from && a < to) {
                    return wrong("an operand was made inside an if that has ended");
                }
            }
            let ty = |v: u32| ir.code[v as usize].ty;
            let fine = match inst.op {
                Op::Bin => ty(inst.a) == inst.ty && ty(inst.b) == inst.ty,
                Op::Un => ty(inst.a) == inst.ty,
                Op::Cmp => ty(inst.a) == ty(inst.b) && inst.ty == Ty::I1,
                Op::Select => ty(inst.a) == Ty::I1 && ty(inst.b) == inst.ty && ty(inst.c) == inst.ty,
                Op::Flags => ty(inst.a) == ty(inst.b) && ty(inst.c) == Ty::I1 && inst.ty == Ty::I32,
                Op::Update => ty(inst.a) == ty(inst.b) && ty(inst.c) == Ty::I32 && inst.ty == Ty::I32,
                Op::Holds => ty(inst.a) == Ty::I32 && inst.ty == Ty::I1,
                Op::Load | Op::LoadPair => ty(inst.a) == Ty::I64,
                Op::Store => ty(inst.a) == Ty::I64 && ty(inst.b) == inst.ty,
                Op::StorePair => ty(inst.a) == Ty::I64 && ty(inst.b) == inst.ty && ty(inst.c) == inst.ty,
                Op::Second => ir.code[inst.a as usize].op == Op::LoadPair && ty(inst.a) == inst.ty,
                Op::Put => ty(inst.a) == inst.ty,
                Op::If | Op::RaiseIf | Op::Branch => ty(inst.a) == Ty::I1,
                Op::JumpTo => ty(inst.a) == Ty::I64,
                Op::Vec => [inst.a, inst.b, inst.c].iter().all(|&v| ty(v) == Ty::V128),
                Op::Lane | Op::SetLane => ty(inst.a) == Ty::V128,
                _ => true,
            };
            if !fine {
                return wrong("operand types do not fit");
            }
            match (inst.op, inside) {
                (Op::If, None) => inside = Some(i),
                (Op::EndIf, Some(from)) => {
                    scopes.push((from, i));
                    inside = None;
                }
                (Op::If | Op::EndIf, _) => return wrong("if and endif do not pair"),
                _ => {}
            }
        }
        if inside.is_some() {
            return Err(format!("block {n} ends inside an if"));
        }
    }
    if expected as usize != ir.code.len() {
        return Err("instructions outside of blocks".into());
    }
    Ok(())
}
