//! Faults on purpose, for testing that verification finds and names them.
//!
//! Each is a row: a name, the mistake, and a rule that rewrites one operation of the IR as a translator with that
//! mistake would have recorded or compiled it. Every place that the rule fits is rewritten, after the state of slots was
//! forwarded and before what is dead is removed, so that everything behind works on the mistake in earnest.

use crate::guest::Guest;
use crate::ir::lift::cmp_of;
use crate::ir::{Inst, Ir, NONE, Op, Ty, Val, VecForm, pack_targets};
use lyrebird_cpu::emit::Transfer;
use lyrebird_cpu::op::{Bin, Cmp, FlagOp, Un};
use lyrebird_cpu::vec::{Lanes, VecOp};

/// A mistake.
pub struct Fault {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The mistake in words.
    pub what: &'static str,
    rule: Rule,
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Rewrites an operation whose operands are in the draft already. The value to use in its place, or `None` where the
/// rule does not fit.
type Rule = fn(&mut Draft, Inst) -> Option<Val>;

/// A block as it is rewritten.
#[derive(Default)]
pub struct Draft {
    code: Vec<Inst>,
    block: usize,
    /// Where the current guest instruction starts.
    at: usize,
    flags: u64,
    pinnable: u64,
}

impl Draft {
    fn push(&mut self, inst: Inst) -> Val {
        self.code.push(inst);
        self.code.len() as Val - 1
    }

    fn make(&mut self, op: Op, ty: Ty, sub: u16, [a, b, c]: [Val; 3], imm: u64) -> Val {
        self.push(Inst { op, ty, sub, a, b, c, imm })
    }

    fn lit(&mut self, ty: Ty, x: u64) -> Val {
        self.make(Op::Lit, ty, 0, [NONE; 3], x & ty.mask())
    }

    fn bin(&mut self, op: Bin, ty: Ty, a: Val, b: Val) -> Val {
        self.make(Op::Bin, ty, op as u16, [a, b, NONE], 0)
    }

    fn cmp(&mut self, op: Cmp, a: Val, b: Val) -> Val {
        self.make(Op::Cmp, Ty::I1, op as u16, [a, b, NONE], 0)
    }

    fn zext(&mut self, ty: Ty, a: Val) -> Val {
        self.make(Op::Zext, ty, 0, [a, NONE, NONE], 0)
    }

    fn of(&self, v: Val) -> Option<&Inst> {
        self.code.get(v as usize)
    }

    fn known(&self, v: Val) -> Option<u64> {
        self.of(v).filter(|i| i.op == Op::Lit).map(|i| i.imm)
    }

    fn is_bin(&self, v: Val, op: Bin) -> bool {
        self.of(v).is_some_and(|i| i.op == Op::Bin && i.sub == op as u16)
    }

    /// Whether the current guest instruction has done `op`.
    fn did(&self, ops: &[Op]) -> bool {
        self.code.iter().skip(self.at).any(|i| ops.contains(&i.op))
    }

    /// Whether a slot is a general register or the stack pointer.
    fn general(&self, offset: u64) -> bool {
        offset < self.pinnable * 8
    }
}

fn bin(i: &Inst, op: Bin) -> bool {
    i.op == Op::Bin && i.sub == op as u16
}

fn vec(i: &Inst, op: VecOp) -> Option<VecForm> {
    VecForm::unpack(i.imm).filter(|v| i.op == Op::Vec && v.op == op)
}

/// Rewrites the region.
pub fn apply<A: Guest>(fault: &Fault, ir: &mut Ir<A>) {
    let mut draft = Draft {
        flags: A::FLAGS.offset() as u64,
        pinnable: A::GENERAL as u64,
        code: Vec::with_capacity(ir.code.len()),
        ..Draft::default()
    };
    let mut renumbered = vec![NONE; ir.code.len()];
    for block in &mut ir.blocks {
        let range = block.first as usize..block.end as usize;
        draft.block = draft.code.len();
        block.first = draft.code.len() as u32;
        for i in range {
            let mut inst = ir.code[i];
            for v in [&mut inst.a, &mut inst.b, &mut inst.c].into_iter().take(inst.op.args()) {
                *v = renumbered[*v as usize];
            }
            if inst.op == Op::At {
                draft.at = draft.code.len();
            }
            renumbered[i] = match (fault.rule)(&mut draft, inst) {
                Some(v) => v,
                None => draft.push(inst),
            };
        }
        block.end = draft.code.len() as u32;
    }
    ir.code = draft.code;
}

/// The fault of that name.
pub fn find(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|f| f.name == name)
}

macro_rules! faults { ($($name:literal $what:literal |$d:ident, $i:ident| $rule:expr;)*) => {
    /// Every fault.
    pub static FAULTS: &[Fault] = &[$(Fault { name: $name, what: $what, rule: |$d, $i| $rule }),*];
} }

/// Goes on if the rule fits.
macro_rules! need {
    ($e:expr) => {
        if !$e {
            return None;
        }
    };
}

faults! {
    "adcs-carry" "the flags of an addition with carry leave the carry out" |d, i| {
        need!(i.op == Op::Flags && i.sub == FlagOp::Add as u16 && d.known(i.c).is_none());
        let c = d.lit(Ty::I1, 0);
        Some(d.push(Inst { c, ..i }))
    };
    "sxtw-lost" "a 32-bit value that should be sign extended is zero extended" |d, i| {
        need!(i.op == Op::Sext && i.ty == Ty::I64 && d.of(i.a).is_some_and(|a| a.ty == Ty::I32));
        Some(d.zext(Ty::I64, i.a))
    };
    "load-sign-lost" "a byte or half-word that is loaded is zero extended, not sign extended" |d, i| {
        need!(i.op == Op::Sext && d.of(i.a).is_some_and(|a| matches!(a.ty, Ty::I8 | Ty::I16)));
        Some(d.zext(i.ty, i.a))
    };
    "shift-unmasked" "a shift by a register is not modulo the width" |d, i| {
        need!(bin(&i, Bin::Shl) && d.known(i.b).is_none());
        let width = d.lit(i.ty, i.ty.bits() as u64);
        let inside = d.cmp(Cmp::Ltu, i.b, width);
        let (shifted, zero) = (d.push(i), d.lit(i.ty, 0));
        Some(d.make(Op::Select, i.ty, 0, [inside, shifted, zero], 0))
    };
    "select-inverted" "a conditional select takes the other value" |d, i| {
        need!(i.op == Op::Select && i.ty == Ty::I64 && d.of(i.a).is_some_and(|a| a.op == Op::Holds));
        Some(d.push(Inst { b: i.c, c: i.b, ..i }))
    };
    "pair-second-lost" "both registers of a load pair get the first value" |_d, i| {
        need!(i.op == Op::Second);
        Some(i.a)
    };
    "pair-swapped" "the two values of a store pair change places" |d, i| {
        need!(i.op == Op::StorePair);
        Some(d.push(Inst { b: i.c, c: i.b, ..i }))
    };
    "writeback-lost" "a load or store does not write its base back" |d, i| {
        need!(i.op == Op::Put && d.general(i.imm) && d.is_bin(i.a, Bin::Add));
        need!(d.did(&[Op::Load, Op::Store, Op::LoadPair, Op::StorePair]));
        Some(NONE)
    };
    "flags-dropped" "the flags of a logical operation are taken for dead" |d, i| {
        need!(i.op == Op::Put && i.imm == d.flags);
        need!(d.of(i.a).is_some_and(|a| a.op == Op::Flags && a.sub == FlagOp::Logic as u16));
        Some(NONE)
    };
    "rotate-width" "a 32-bit rotation rotates 64 bits" |d, i| {
        need!(bin(&i, Bin::Ror) && i.ty == Ty::I32);
        let (a, b) = (d.zext(Ty::I64, i.a), d.zext(Ty::I64, i.b));
        let wide = d.bin(Bin::Ror, Ty::I64, a, b);
        Some(d.zext(Ty::I32, wide))
    };
    "clz-as-bsr" "leading zeros are counted from the other end, as by BSR" |d, i| {
        need!(i.op == Op::Un && i.sub == Un::Clz as u16);
        let (count, top) = (d.push(i), d.lit(i.ty, i.ty.bits() as u64 - 1));
        Some(d.bin(Bin::Xor, i.ty, count, top))
    };
    "udiv-by-zero" "an unsigned division by zero gives all ones" |d, i| {
        need!(bin(&i, Bin::UDiv));
        let (quotient, zero, ones) = (d.push(i), d.lit(i.ty, 0), d.lit(i.ty, u64::MAX));
        let none = d.cmp(Cmp::Eq, i.b, zero);
        Some(d.make(Op::Select, i.ty, 0, [none, ones, quotient], 0))
    };
    "sdiv-unsigned" "a signed division is unsigned" |d, i| {
        need!(bin(&i, Bin::SDiv));
        Some(d.bin(Bin::UDiv, i.ty, i.a, i.b))
    };
    "smulh-unsigned" "the high half of a signed product is that of the unsigned one" |d, i| {
        need!(bin(&i, Bin::MulHiS));
        Some(d.bin(Bin::MulHiU, i.ty, i.a, i.b))
    };
    "msub-as-madd" "a product is added, not subtracted" |d, i| {
        need!(bin(&i, Bin::Sub) && d.is_bin(i.b, Bin::Mul));
        Some(d.bin(Bin::Add, i.ty, i.a, i.b))
    };
    "rev-width" "bytes are reversed within words only" |d, i| {
        need!(i.op == Op::Un && i.sub == Un::Bswap as u16 && i.ty == Ty::I64);
        Some(d.push(Inst { sub: Un::Rev32 as u16, ..i }))
    };
    "rbit-as-rev" "bits are reversed by bytes only" |d, i| {
        need!(i.op == Op::Un && i.sub == Un::Rbit as u16);
        Some(d.push(Inst { sub: Un::Bswap as u16, ..i }))
    };
    "bitfield-msb" "an extracted bit field lacks its highest bit" |d, i| {
        need!(bin(&i, Bin::And) && d.is_bin(i.a, Bin::Shr));
        let mask = d.known(i.b).filter(|x| x & x.wrapping_add(1) == 0)?;
        let b = d.lit(i.ty, mask >> 1);
        Some(d.push(Inst { b, ..i }))
    };
    "bitfield-place" "a bit field is inserted one bit too high" |d, i| {
        need!(bin(&i, Bin::And) && d.is_bin(i.a, Bin::Shl));
        let mask = d.known(i.b)?;
        let b = d.lit(i.ty, mask << 1);
        Some(d.push(Inst { b, ..i }))
    };
    "arithmetic-shift-lost" "an arithmetic shift right shifts zeros in" |d, i| {
        need!(bin(&i, Bin::Sar));
        Some(d.bin(Bin::Shr, i.ty, i.a, i.b))
    };
    "test-bit" "the next higher bit is tested" |d, i| {
        need!(bin(&i, Bin::And) && d.of(i.a).is_some_and(|a| a.op == Op::Get));
        let bit = d.known(i.b).filter(|x| x.is_power_of_two())?;
        let b = d.lit(i.ty, bit << 1);
        Some(d.push(Inst { b, ..i }))
    };
    "compare-width" "a 32-bit register is compared with zero at 64 bits" |d, i| {
        need!(i.op == Op::Cmp && matches!(cmp_of(i.sub), Cmp::Eq | Cmp::Ne) && d.known(i.b) == Some(0));
        let narrow = *d.of(i.a).filter(|a| matches!(a.op, Op::Get | Op::Zext) && a.ty == Ty::I32)?;
        let a = match narrow.op {
            Op::Get => d.push(Inst { ty: Ty::I64, ..narrow }),
            _ => d.of(narrow.a).is_some_and(|x| x.ty == Ty::I64).then_some(narrow.a)?,
        };
        let b = d.lit(Ty::I64, 0);
        Some(d.push(Inst { a, b, ..i }))
    };
    "upper-half-kept" "a 32-bit subtraction leaves the upper half of its register" |d, i| {
        need!(i.op == Op::Put && d.general(i.imm));
        let low = *d.of(i.a).filter(|a| a.op == Op::Zext && a.ty == Ty::I64 && d.is_bin(a.a, Bin::Sub))?;
        need!(d.of(low.a).is_some_and(|x| x.ty == Ty::I32));
        let (old, mask) = (d.make(Op::Get, Ty::I64, 0, [NONE; 3], i.imm), d.lit(Ty::I64, 0xFFFF_FFFF << 32));
        let high = d.bin(Bin::And, Ty::I64, old, mask);
        let a = d.bin(Bin::Or, Ty::I64, high, i.a);
        Some(d.push(Inst { a, ..i }))
    };
    "negation-as-not" "a negation is a complement" |d, i| {
        need!(i.op == Op::Un && i.sub == Un::Neg as u16);
        Some(d.push(Inst { sub: Un::Not as u16, ..i }))
    };
    "ccmp-nzcv" "the flags that a conditional compare gives otherwise have the wrong sign" |d, i| {
        need!(i.op == Op::Select && i.ty == Ty::I32 && d.of(i.b).is_some_and(|b| b.op == Op::Flags));
        let flags = d.known(i.c)?;
        let c = d.lit(i.ty, flags ^ lyrebird_cpu::op::nzcv::from_psr(1 << 31) as u64);
        Some(d.push(Inst { c, ..i }))
    };
    "store-narrow" "a half-word store stores a byte" |d, i| {
        need!(i.op == Op::Store && i.ty == Ty::I16);
        let b = d.zext(Ty::I8, i.b);
        Some(d.push(Inst { ty: Ty::I8, b, ..i }))
    };
    "stale-constant" "a constant folded for another shift is inserted" |d, i| {
        need!(bin(&i, Bin::Or) && d.is_bin(i.a, Bin::And));
        let x = d.known(i.b)?;
        let b = d.lit(i.ty, x >> 16);
        Some(d.push(Inst { b, ..i }))
    };
    "exclusive-status" "a store-exclusive reports the opposite" |d, i| {
        need!(i.op == Op::Cmp && cmp_of(i.sub) == Cmp::Ne && d.of(i.a).is_some_and(|a| a.op == Op::Cas));
        Some(d.push(Inst { sub: Cmp::Eq as u16, ..i }))
    };
    "cas-swapped" "compare-and-swap compares with the new value" |d, i| {
        need!(i.op == Op::Cas && !d.did(&[Op::If]));
        Some(d.push(Inst { b: i.c, c: i.b, ..i }))
    };
    "atomic-new-value" "an atomic addition gives the new value" |d, i| {
        need!(i.op == Op::Rmw && i.imm == lyrebird_ram::AtomicOp::Add as u64);
        let old = d.push(i);
        Some(d.bin(Bin::Add, i.ty, old, i.b))
    };
    "link-target" "a direct call is linked to the instruction behind its target" |d, i| {
        need!(i.op == Op::Jump && i.sub == crate::ir::pack_transfer(Transfer::Call));
        Some(d.push(Inst { imm: i.imm.wrapping_add(4), ..i }))
    };
    "branch-next" "a conditional branch that is not taken skips an instruction" |d, i| {
        need!(i.op == Op::Branch && d.of(i.a).is_some_and(|a| a.op == Op::Holds));
        let (taken, next) = i.targets();
        Some(d.push(Inst { imm: pack_targets(taken, next + 4), ..i }))
    };
    "page-address" "an address relative to the PC is one page too high" |d, i| {
        need!(i.op == Op::Page);
        Some(d.push(Inst { imm: i.imm.wrapping_add(0x1000), ..i }))
    };
    "fma-rounds-twice" "a fused multiplication and addition rounds in between" |d, i| {
        let v = vec(&i, VecOp::FMulAdd)?;
        let mul = VecForm { op: VecOp::FMul, ..v }.pack();
        let a = d.push(Inst { imm: mul, c: i.b, ..i });
        let add = VecForm { op: VecOp::FAdd, ..v }.pack();
        Some(d.push(Inst { imm: add, a, b: i.c, ..i }))
    };
    "fmax-nan" "a maximum prefers a number to a NaN" |d, i| {
        let v = vec(&i, VecOp::FMax)?;
        Some(d.push(Inst { imm: VecForm { op: VecOp::FMaxNm, ..v }.pack(), ..i }))
    };
    "saturation-lost" "a saturating addition wraps" |d, i| {
        let v = vec(&i, VecOp::SatAddU)?;
        Some(d.push(Inst { imm: VecForm { op: VecOp::Add, ..v }.pack(), ..i }))
    };
    "lane-width" "a vector addition works on elements of half the size" |d, i| {
        let v = vec(&i, VecOp::Add).filter(|v| v.lanes.log2 > 0)?;
        let lanes = Lanes { log2: v.lanes.log2 - 1, ..v.lanes };
        Some(d.push(Inst { imm: VecForm { lanes, ..v }.pack(), ..i }))
    };
    "vector-shift-amount" "a vector shift right is by one bit too many" |d, i| {
        let v = vec(&i, VecOp::ShrS)?;
        Some(d.push(Inst { imm: VecForm { imm: v.imm + 1, ..v }.pack(), ..i }))
    };
    "lane-number" "the neighbour of an element is taken" |d, i| {
        need!(i.op == Op::Lane && i.sub != 0);
        Some(d.push(Inst { sub: i.sub ^ 1, ..i }))
    };
    "dup-half" "an element is repeated in the lower half only" |d, i| {
        need!(i.op == Op::Dup && i.sub == 1);
        Some(d.push(Inst { sub: 0, ..i }))
    };
    "stale-value" "an addition reads a register as it was before the last instruction that wrote it" |d, i| {
        need!(bin(&i, Bin::Add));
        // The slot that the operand was put into by an earlier instruction, and what an instruction before put there.
        let block = d.code.get(d.block..d.at)?;
        let slot = block.iter().rev().find(|p| p.op == Op::Put && p.a == i.a)?.imm;
        let a = block.iter().rev().filter(|p| p.op == Op::Put && p.imm == slot).nth(1)?.a;
        need!(d.of(a).is_some_and(|x| x.ty == i.ty));
        Some(d.push(Inst { a, ..i }))
    };
}
