//! Get and put forwarding: inside a block, a slot that was read or written before is not read again.
//!
//! What a slot holds is known from the last `Put` or `Get` of it; a narrower read of a known value becomes a
//! truncation, the low half of a known vector becomes a lane. Helpers that write state forget everything. What an
//! `If` body reads or writes is forgotten at its end, because the body may not have run.

use crate::guest::Guest;
use crate::ir::{Inst, Ir, NONE, Op, Ty, Val, VecForm};
use lyrebird_cpu::slot::WORDS;

#[derive(Clone, Copy)]
struct Known {
    stamp: u32,
    value: Val,
    ty: Ty,
}

/// Whether two vectors are one value, or the same constant.
fn same(code: &[Inst], a: Val, b: Val) -> bool {
    let (x, y) = (&code[a as usize], &code[b as usize]);
    a == b || x.op == Op::Lit && y.op == Op::Lit && x.wide() == y.wide()
}

/// The pass and its memory.
pub struct State {
    known: Vec<Known>,
    replaced: Vec<Val>,
    touched: Vec<usize>,
    stamp: u32,
}

impl Default for State {
    fn default() -> Self {
        let nothing = Known { stamp: 0, value: NONE, ty: Ty::I1 };
        Self { known: vec![nothing; WORDS + 1], replaced: Vec::new(), touched: Vec::new(), stamp: 0 }
    }
}

impl State {
    /// Runs over all blocks.
    pub fn run<A: Guest>(&mut self, ir: &mut Ir<A>) {
        self.replaced.clear();
        self.replaced.extend(0..ir.code.len() as Val);
        for b in 0..ir.blocks.len() {
            self.forget();
            self.block(ir, b);
        }
    }

    fn forget(&mut self) {
        self.stamp = self.stamp.wrapping_add(1);
    }

    fn set(&mut self, offset: u64, value: Val, ty: Ty, inside: bool) {
        let word = (offset >> 3) as usize % WORDS;
        let now = |value| Known { stamp: self.stamp, value, ty };
        // Whatever overlaps is no longer known: this word, a vector that began a word earlier.
        if word > 0 && self.known[word - 1].ty == Ty::V128 {
            self.known[word - 1].stamp = self.stamp.wrapping_sub(1);
        }
        self.known[word] = now(if offset & 7 == 0 { value } else { NONE });
        if ty == Ty::V128 {
            self.known[word + 1] = now(NONE);
        }
        if inside {
            self.touched.push(word);
        }
    }

    fn lookup(&self, offset: u64) -> Option<(Val, Ty)> {
        let k = self.known[(offset >> 3) as usize % WORDS];
        (offset & 7 == 0 && k.stamp == self.stamp && k.value != NONE).then_some((k.value, k.ty))
    }

    fn block<A: Guest>(&mut self, ir: &mut Ir<A>, b: usize) {
        let mut inside = false;
        for i in ir.blocks[b].first..ir.blocks[b].end {
            let inst = &mut ir.code[i as usize];
            for v in [&mut inst.a, &mut inst.b, &mut inst.c].into_iter().take(inst.op.args()) {
                *v = self.replaced[*v as usize];
            }
            match inst.op {
                Op::Get => match self.lookup(inst.imm) {
                    Some((v, ty)) if ty == inst.ty => self.replaced[i as usize] = v,
                    Some((v, Ty::V128)) if inst.ty != Ty::V128 => {
                        (inst.op, inst.a, inst.imm, inst.sub) = (Op::Lane, v, 0, 0);
                    }
                    Some((v, ty)) if ty.bits() > inst.ty.bits() && inst.ty != Ty::I1 => {
                        (inst.op, inst.a, inst.imm) = (Op::Zext, v, 0);
                    }
                    _ => {
                        let (offset, ty) = (inst.imm, inst.ty);
                        self.set(offset, i, ty, inside);
                    }
                },
                Op::Put => {
                    let (offset, v, ty) = (inst.imm, inst.a, inst.ty);
                    let known = self.lookup(offset).filter(|k| ty == Ty::V128 && k.1 == ty);
                    if known.is_some_and(|(k, _)| same(&ir.code, k, v)) {
                        // A vector that is there already: nobody uses the constant in its place.
                        let (a, b, c) = (NONE, NONE, NONE);
                        ir.code[i as usize] = Inst { op: Op::Lit, ty: Ty::I64, sub: 0, a, b, c, imm: 0 };
                        continue;
                    }
                    self.set(offset, v, ty, inside);
                }
                Op::If => {
                    inside = true;
                    self.touched.clear();
                }
                Op::EndIf => {
                    inside = false;
                    for word in std::mem::take(&mut self.touched) {
                        for w in [word, word + 1] {
                            self.known[w].stamp = self.stamp.wrapping_sub(1);
                        }
                    }
                }
                Op::Call if ir.helpers[inst.imm as usize].effects.writes => {
                    self.forget();
                    if inside {
                        // What was known before is also unknown after the body.
                        self.touched.clear();
                    }
                }
                Op::Vec if VecForm::unpack(inst.imm).is_some_and(|v| v.op.touches_env()) => {
                    self.set(A::FP_STATUS.offset() as u64, NONE, Ty::I32, inside);
                }
                _ => {}
            }
        }
    }
}
