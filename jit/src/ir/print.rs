//! The text form of IR: one instruction a line, `%12 = bin.add i64 %3 %4`.
//!
//! Numbers of slots, places and constants are hexadecimal after `#`; operation numbers have their names.

use super::flags::{flag_of, update_of};
use super::lift::cmp_of;
use super::{Inst, Ir, Op, VecForm};
use lyrebird_cpu::core::Arch;
use lyrebird_cpu::op::{Bin, Cond, Un};
use std::fmt::{Display, Formatter, Result};

/// The text of `sub` for operations where it is a name.
pub(super) fn sub_name(inst: &Inst) -> Option<String> {
    let i = inst.sub as usize;
    match inst.op {
        Op::Un => Un::ALL.get(i).map(|x| format!("{x:?}")),
        Op::Bin => Bin::ALL.get(i).map(|x| format!("{x:?}")),
        Op::Cmp => Some(format!("{:?}", cmp_of(inst.sub))),
        Op::Flags => Some(format!("{:?}", flag_of(inst.sub))),
        Op::Update => Some(format!("{:?}", update_of(inst.sub))),
        Op::Holds => Some(format!("{:?}", Cond::number(inst.sub as u32))),
        _ => None,
    }
    .map(|s| s.to_lowercase())
}

/// Writes one instruction, numbered `n`.
pub fn inst<A: Arch>(f: &mut Formatter<'_>, ir: &Ir<A>, n: usize, i: &Inst) -> Result {
    if i.op.makes_value() {
        write!(f, "  %{n} = {}", i.op.name())?;
    } else {
        write!(f, "  {}", i.op.name())?;
    }
    match sub_name(i) {
        Some(name) => write!(f, ".{name}")?,
        None if i.sub != 0 => write!(f, ".{}", i.sub)?,
        None => {}
    }
    write!(f, " {:?}", i.ty)?;
    for a in i.args() {
        write!(f, " %{a}")?;
    }
    if i.op == Op::Lit && i.wide() >> 64 != 0 {
        write!(f, " #{:#x}", i.wide())?;
    } else if i.imm != 0 || matches!(i.op, Op::Lit | Op::At | Op::Get | Op::Put | Op::Page) {
        write!(f, " #{:#x}", i.imm)?;
    }
    match i.op {
        Op::Vec => {
            if let Some(v) = VecForm::unpack(i.imm) {
                write!(f, " ; {:?} {}x{}", v.op, v.lanes.count(), v.lanes.bits())?;
            }
        }
        Op::Call => {
            if let Some(h) = ir.helpers.get(i.imm as usize) {
                write!(f, " ; {}", h.name)?;
            }
        }
        _ => {}
    }
    writeln!(f)
}

impl<A: Arch> Display for Ir<A> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "region mode {:#x}", self.mode)?;
        for (n, b) in self.blocks.iter().enumerate() {
            writeln!(f, "block {n} at {:#x} count {}", b.at, b.count)?;
            for i in b.first..b.end {
                inst(f, self, i as usize, &self.code[i as usize])?;
            }
        }
        Ok(())
    }
}
