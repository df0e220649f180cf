//! The instance of [`Emitter`] that records: a value is a typed IR name.
//!
//! Constants are folded and trivial identities removed while recording, so that what never existed needs no pass.

use super::{Inst, Ir, NONE, Op, Ty, Val, VecForm, pack_access, pack_targets, pack_transfer};
use lyrebird_cpu::core::Arch;
use lyrebird_cpu::emit::{Access, Cx, Emit, Emitter, Exception, Exec, Fence, Flow, Helper, Transfer};
use lyrebird_cpu::op::{Bin, Cmp, Cond, FlagOp, Un};
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::vec::{Lanes, VecOp};
use lyrebird_cpu::width::{Int, W1, W32, W64, W128, Width};
use lyrebird_cpu::x86::flags::Update;
use lyrebird_ram::AtomicOp;
use std::convert::Infallible;
use std::marker::PhantomData;

/// A typed IR name.
#[derive(Debug)]
pub struct Ref<W>(pub Val, PhantomData<W>);
impl<W> Clone for Ref<W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Ref<W> {}

/// Semantics as they are recorded.
type Recorder<E, A> = fn(&mut E, <A as Arch>::Insn) -> Exec<E>;

/// Records semantics into an [`Ir`].
pub struct Lift<A: Arch> {
    /// What is recorded.
    pub ir: Ir<A>,
    /// Features of the model.
    pub features: u64,
    /// The instructions: byte of the page and length.
    pub places: Vec<(u32, u32)>,
    /// Their bytes.
    bytes: Vec<u8>,
    /// Byte of the page where the current instruction is.
    at: i64,
    /// Its length.
    len: i64,
    /// The rest of the instruction is unreachable: nothing is recorded.
    dead: bool,
    /// A terminal has been recorded.
    ended: bool,
    /// Between `If` and `EndIf`.
    inside: bool,
}

impl<A: Arch> Default for Lift<A> {
    fn default() -> Self {
        Self {
            ir: Ir::default(),
            features: 0,
            places: Vec::new(),
            bytes: Vec::new(),
            at: 0,
            len: 0,
            dead: false,
            ended: false,
            inside: false,
        }
    }
}

impl<A: Arch> Lift<A> {
    /// Begins a recording for code that runs in `mode`.
    pub fn begin(&mut self, mode: u32) {
        self.ir.clear(mode);
        self.places.clear();
        self.bytes.clear();
    }

    /// The instructions that were recorded: byte of the page, and their own bytes.
    pub fn instructions(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let mut rest = &self.bytes[..];
        self.places.iter().map(move |&(at, len)| {
            let bytes;
            (bytes, rest) = rest.split_at(len as usize);
            (at, bytes)
        })
    }

    /// Records one instruction at byte `at` of the page with its semantics: `bytes` are its own. True if it ended the
    /// block.
    pub fn instruction(&mut self, at: i64, bytes: &[u8], insn: A::Insn, run: Recorder<Self, A>) -> bool {
        (self.at, self.len, self.dead, self.ended) = (at, bytes.len() as i64, false, false);
        self.places.push((at as u32, bytes.len() as u32));
        self.bytes.extend_from_slice(bytes);
        self.push(Op::At, Ty::I64, 0, [NONE; 3], at as u64);
        let Ok(flow) = run(self, insn);
        match flow {
            Flow::Next | Flow::Jump => {}
            Flow::Sync if !self.ended => self.end(Op::Sync, 0, NONE, (at + self.len) as u64),
            Flow::Leave if !self.ended => self.end(Op::Leave, 0, NONE, 0),
            Flow::Sync | Flow::Leave => {}
        }
        self.ended
    }

    /// Ends a block that stops before the instruction at byte `at`.
    pub fn fall_through(&mut self, at: i64) {
        self.dead = false;
        self.end(Op::Jump, 0, NONE, at as u64);
    }

    fn push(&mut self, op: Op, ty: Ty, sub: u16, [a, b, c]: [Val; 3], imm: u64) -> Val {
        if self.dead {
            return NONE;
        }
        self.ir.code.push(Inst { op, ty, sub, a, b, c, imm });
        self.ir.code.len() as Val - 1
    }

    fn make<W: Width>(&mut self, op: Op, sub: u16, args: [Val; 3], imm: u64) -> Ref<W> {
        Ref(self.push(op, W::TY, sub, args, imm), PhantomData)
    }

    fn end(&mut self, op: Op, sub: u16, a: Val, imm: u64) {
        self.push(op, Ty::I64, sub, [a, NONE, NONE], imm);
        self.dead = true;
        self.ended = true;
    }

    #[inline(always)]
    fn known<W: Int>(&self, v: Ref<W>) -> Option<u64> {
        self.ir.code.get(v.0 as usize).filter(|i| i.op == Op::Lit).map(|i| i.imm)
    }

    #[inline(always)]
    fn inst(&self, v: Val) -> Option<&Inst> {
        self.ir.code.get(v as usize)
    }

    fn number<W: Int>(&mut self, x: u64) -> Ref<W> {
        self.make(Op::Lit, 0, [NONE; 3], x & W::TY.mask())
    }

    fn place(&mut self, offset: i64) -> Ref<W64> {
        self.make(Op::Page, 0, [NONE; 3], offset as u64)
    }
}

/// What `a op b` is if one of them is a known constant that makes it trivial: the other, or a constant.
enum Trivial {
    Left,
    Right,
    Number(u64),
    No,
}

fn trivial(op: Bin, a: Option<u64>, b: Option<u64>, same: bool, mask: u64) -> Trivial {
    match (op, a, b) {
        (Bin::Add | Bin::Or | Bin::Xor, Some(0), _) => Trivial::Right,
        (
            Bin::Add
            | Bin::Or
            | Bin::Xor
            | Bin::Sub
            | Bin::Shl
            | Bin::Shr
            | Bin::Sar
            | Bin::Ror
            | Bin::AndNot,
            _,
            Some(0),
        ) => Trivial::Left,
        (Bin::And | Bin::Mul, Some(0), _) | (Bin::And | Bin::Mul, _, Some(0)) => Trivial::Number(0),
        (Bin::And, _, Some(x)) if x == mask => Trivial::Left,
        (Bin::And, Some(x), _) if x == mask => Trivial::Right,
        (Bin::Mul, _, Some(1)) => Trivial::Left,
        (Bin::And | Bin::Or, _, _) if same => Trivial::Left,
        (Bin::Xor | Bin::Sub | Bin::AndNot, _, _) if same => Trivial::Number(0),
        _ => Trivial::No,
    }
}

impl<A: Arch> Emitter for Lift<A> {
    type Arch = A;
    type Val<W: Width> = Ref<W>;
    type Abort = Infallible;
    type At<'a> = A::Insn;

    #[inline(always)]
    fn step(
        &mut self,
        insn: A::Insn,
        semantics: impl FnOnce(&mut Self, &A::Insn) -> Exec<Self>,
    ) -> Exec<Self> {
        semantics(self, &insn)
    }

    #[inline(always)]
    fn cx(&self) -> Cx {
        Cx { mode: self.ir.mode, features: self.features }
    }
    fn lit<W: Width>(&mut self, x: W::Prim) -> Ref<W> {
        let x = W::wide(x);
        let (hi, top) = ((x >> 64) as u32, (x >> 96) as u32);
        let args = if W::TY == Ty::V128 { [hi, top, NONE] } else { [NONE; 3] };
        self.make(Op::Lit, 0, args, x as u64)
    }
    fn get<W: Width>(&mut self, s: Slot<W>) -> Ref<W> {
        if A::ZERO.is_some_and(|zero| zero.offset() == s.offset()) {
            return self.make(Op::Lit, 0, [NONE; 3], 0);
        }
        let (word, byte) = (s.offset() >> 3, s.offset() & 7);
        if word < A::GENERAL && byte != 0 {
            // A part above the lowest is shifted down.
            let whole: Ref<W64> = self.make(Op::Get, 0, [NONE; 3], word as u64 * 8);
            let part = self.shift(Bin::Shr, whole, byte as u32 * 8);
            return self.make(Op::Zext, 0, [part.0, NONE, NONE], 0);
        }
        self.make(Op::Get, 0, [NONE; 3], s.offset() as u64)
    }
    fn put<W: Width>(&mut self, s: Slot<W>, v: Ref<W>) {
        let (word, byte) = (s.offset() >> 3, s.offset() & 7);
        if word < A::GENERAL && W::TY.bits() < 64 {
            // General registers are written whole.
            let (old, shift) = (self.get(Slot::<W64>::word(word)), byte as u32 * 8);
            let keep = self.lit::<W64>(!(W::TY.mask() << shift));
            let old = self.and(old, keep);
            let new: Ref<W64> = self.make(Op::Zext, 0, [v.0, NONE, NONE], 0);
            let new = self.shift(Bin::Shl, new, shift);
            let whole = self.or(old, new);
            self.push(Op::Put, Ty::I64, 0, [whole.0, NONE, NONE], word as u64 * 8);
            return;
        }
        self.push(Op::Put, W::TY, 0, [v.0, NONE, NONE], s.offset() as u64);
    }
    fn pc_plus(&mut self, offset: i64) -> Ref<W64> {
        self.place(self.at + offset)
    }
    fn page_plus(&mut self, offset: i64) -> Ref<W64> {
        self.place(offset)
    }
    fn un<W: Int>(&mut self, op: Un, a: Ref<W>) -> Ref<W> {
        if let Some(x) = self.known(a) {
            return self.number(op.apply(x, W::TY.bits()));
        }
        if op == Un::Not && W::TY == Ty::I1 {
            let one = self.number(1);
            return self.bin(Bin::Xor, a, one);
        }
        self.make(Op::Un, op as u16, [a.0, NONE, NONE], 0)
    }
    fn bin<W: Int>(&mut self, op: Bin, a: Ref<W>, b: Ref<W>) -> Ref<W> {
        let (x, y) = (self.known(a), self.known(b));
        if let (Some(x), Some(y)) = (x, y) {
            return self.number(op.apply(x, y, W::TY.bits()));
        }
        match trivial(op, x, y, a.0 == b.0, W::TY.mask()) {
            Trivial::Left => return a,
            Trivial::Right => return b,
            Trivial::Number(n) => return self.number(n),
            Trivial::No => {}
        }
        // The opposite of a condition is a condition.
        if let (Ty::I1, Bin::Xor, Some(1), Some(&i)) = (W::TY, op, y, self.inst(a.0)) {
            match i.op {
                Op::Holds => {
                    let inverse = Cond::number(i.sub as u32).invert();
                    if inverse as u16 != i.sub {
                        return self.make(Op::Holds, inverse as u16, [i.a, NONE, NONE], 0);
                    }
                }
                Op::Cmp => {
                    let inverse = match cmp_of(i.sub) {
                        Cmp::Eq => Some((Cmp::Ne, i.a, i.b)),
                        Cmp::Ne => Some((Cmp::Eq, i.a, i.b)),
                        Cmp::Ltu => Some((Cmp::Leu, i.b, i.a)),
                        Cmp::Leu => Some((Cmp::Ltu, i.b, i.a)),
                        Cmp::Lts => Some((Cmp::Les, i.b, i.a)),
                        Cmp::Les => Some((Cmp::Lts, i.b, i.a)),
                    };
                    if let Some((op, a, b)) = inverse {
                        return self.make(Op::Cmp, op as u16, [a, b, NONE], 0);
                    }
                }
                _ => {}
            }
        }
        // Constants go right where the operation commutes.
        let swap = x.is_some() && matches!(op, Bin::Add | Bin::And | Bin::Or | Bin::Xor | Bin::Mul);
        let (a, b) = if swap { (b, a) } else { (a, b) };
        // Sums of constants are folded, so that address arithmetic stays one addition.
        if let (Bin::Add | Bin::Sub, Some(k), Some(&i)) = (op, self.known(b), self.inst(a.0)) {
            let k = if op == Bin::Sub { k.wrapping_neg() } else { k };
            if i.op == Op::Page {
                return self.make(Op::Page, 0, [NONE; 3], i.imm.wrapping_add(k));
            }
            if i.op == Op::Bin
                && i.sub == Bin::Add as u16
                && i.ty == W::TY
                && let Some(j) = self.known::<W>(Ref(i.b, PhantomData))
            {
                let sum = self.number::<W>(j.wrapping_add(k));
                return self.bin(Bin::Add, Ref(i.a, PhantomData), sum);
            }
        }
        self.make(Op::Bin, op as u16, [a.0, b.0, NONE], 0)
    }
    fn cmp<W: Int>(&mut self, op: Cmp, a: Ref<W>, b: Ref<W>) -> Ref<W1> {
        if let (Some(x), Some(y)) = (self.known(a), self.known(b)) {
            return self.number(op.apply(x, y, W::TY.bits()) as u64);
        }
        self.make(Op::Cmp, op as u16, [a.0, b.0, NONE], 0)
    }
    fn zext<W: Int, To: Int>(&mut self, a: Ref<W>) -> Ref<To> {
        if W::TY == To::TY {
            return Ref(a.0, PhantomData);
        }
        if let Some(x) = self.known(a) {
            return self.number(x);
        }
        if To::TY == Ty::I1 {
            // A condition is 0 or 1 in whatever holds it.
            let one = self.number(1);
            let (bit, zero) = (self.and(a, one), self.number(0));
            let bit = self.cmp(Cmp::Ne, bit, zero);
            return Ref(bit.0, PhantomData);
        }
        self.make(Op::Zext, 0, [a.0, NONE, NONE], 0)
    }
    fn sext<W: Int, To: Int>(&mut self, a: Ref<W>) -> Ref<To> {
        if W::TY == To::TY {
            return Ref(a.0, PhantomData);
        }
        if let Some(x) = self.known(a) {
            return self.number(lyrebird_cpu::op::sext(x, W::TY.bits()) as u64);
        }
        if To::TY.bits() < W::TY.bits() {
            return self.zext(a);
        }
        self.make(Op::Sext, 0, [a.0, NONE, NONE], 0)
    }
    fn select<W: Width>(&mut self, c: Ref<W1>, t: Ref<W>, f: Ref<W>) -> Ref<W> {
        if let Some(c) = self.known(c) {
            return if c != 0 { t } else { f };
        }
        if t.0 == f.0 {
            return t;
        }
        self.make(Op::Select, 0, [c.0, t.0, f.0], 0)
    }
    fn flags<W: Int>(&mut self, op: FlagOp, a: Ref<W>, b: Ref<W>, carry: Ref<W1>) -> Ref<W32> {
        if let (Some(x), Some(y), Some(c)) = (self.known(a), self.known(b), self.known(carry)) {
            return self.number(op.apply(x, y, c != 0, W::TY.bits()) as u64);
        }
        self.make(Op::Flags, op as u16, [a.0, b.0, carry.0], 0)
    }
    fn update_flags<W: Int>(&mut self, op: Update, a: Ref<W>, b: Ref<W>, old: Ref<W32>) -> Ref<W32> {
        if let (Some(x), Some(y), Some(f)) = (self.known(a), self.known(b), self.known(old)) {
            return self.number(op.apply(x, y, f as u32, W::TY.bits()) as u64);
        }
        self.make(Op::Update, op as u16, [a.0, b.0, old.0], 0)
    }
    fn holds(&mut self, c: Cond, flags: Ref<W32>) -> Ref<W1> {
        if matches!(c, Cond::AL | Cond::NV) {
            return self.number(1);
        }
        if let Some(f) = self.known(flags) {
            return self.number(c.holds(f as u32) as u64);
        }
        self.make(Op::Holds, c as u16, [flags.0, NONE, NONE], 0)
    }

    fn load<W: Width>(&mut self, k: Access, at: Ref<W64>) -> Emit<Self, W> {
        Ok(self.make(Op::Load, pack_access(k), [at.0, NONE, NONE], 0))
    }
    fn store<W: Width>(&mut self, k: Access, at: Ref<W64>, v: Ref<W>) -> Result<(), Infallible> {
        self.push(Op::Store, W::TY, pack_access(k), [at.0, v.0, NONE], 0);
        Ok(())
    }
    fn load_pair<W: Width>(&mut self, k: Access, at: Ref<W64>) -> Result<(Ref<W>, Ref<W>), Infallible> {
        let first: Ref<W> = self.make(Op::LoadPair, pack_access(k), [at.0, NONE, NONE], 0);
        let second = self.make(Op::Second, 0, [first.0, NONE, NONE], 0);
        Ok((first, second))
    }
    fn store_pair<W: Width>(
        &mut self,
        k: Access,
        at: Ref<W64>,
        v: (Ref<W>, Ref<W>),
    ) -> Result<(), Infallible> {
        self.push(Op::StorePair, W::TY, pack_access(k), [at.0, v.0.0, v.1.0], 0);
        Ok(())
    }
    fn rmw<W: Int>(&mut self, k: Access, op: AtomicOp, at: Ref<W64>, v: Ref<W>) -> Emit<Self, W> {
        Ok(self.make(Op::Rmw, pack_access(k), [at.0, v.0, NONE], op as u64))
    }
    fn cas<W: Width>(&mut self, k: Access, at: Ref<W64>, expected: Ref<W>, new: Ref<W>) -> Emit<Self, W> {
        Ok(self.make(Op::Cas, pack_access(k), [at.0, expected.0, new.0], 0))
    }
    fn fence(&mut self, k: Fence) {
        self.push(Op::Fence, Ty::I64, k as u16, [NONE; 3], 0);
    }

    fn raise_if(&mut self, c: Ref<W1>, x: Exception) -> Result<(), Infallible> {
        match self.known(c) {
            Some(0) => {}
            Some(_) if !self.dead && !self.inside => self.end(Op::Raise, 0, NONE, x.0),
            _ => {
                self.push(Op::RaiseIf, Ty::I1, 0, [c.0, NONE, NONE], x.0);
            }
        }
        Ok(())
    }
    fn raise(&mut self, x: Exception) -> Exec<Self> {
        if !self.dead {
            self.end(Op::Raise, 0, NONE, x.0);
        }
        Ok(Flow::Jump)
    }
    fn when(
        &mut self,
        c: Ref<W1>,
        body: impl FnOnce(&mut Self) -> Result<(), Infallible>,
    ) -> Result<(), Infallible> {
        match self.known(c) {
            Some(0) => Ok(()),
            Some(_) => body(self),
            None => {
                self.push(Op::If, Ty::I1, 0, [c.0, NONE, NONE], 0);
                self.inside = true;
                body(self)?;
                self.inside = false;
                self.push(Op::EndIf, Ty::I1, 0, [NONE; 3], 0);
                Ok(())
            }
        }
    }
    fn call(&mut self, h: &'static Helper<A>, args: [Ref<W64>; 3]) -> Emit<Self, W64> {
        let known = self.ir.helpers.iter().position(|k| std::ptr::eq(*k, h));
        let number = known.unwrap_or_else(|| {
            self.ir.helpers.push(h);
            self.ir.helpers.len() - 1
        });
        Ok(self.make(Op::Call, 0, args.map(|a| a.0), number as u64))
    }
    fn clock(&mut self) -> Ref<W64> {
        self.make(Op::Clock, 0, [NONE; 3], 0)
    }

    fn jump(&mut self, offset: i64, kind: Transfer) -> Exec<Self> {
        if !self.dead {
            self.end(Op::Jump, pack_transfer(kind), NONE, (self.at + offset) as u64);
        }
        Ok(Flow::Jump)
    }
    fn branch(&mut self, c: Ref<W1>, offset: i64) -> Exec<Self> {
        match self.known(c) {
            Some(0) => Ok(Flow::Next),
            Some(_) => self.jump(offset, Transfer::Jump),
            None => {
                if !self.dead {
                    self.end(Op::Branch, 0, c.0, pack_targets(self.at + offset, self.at + self.len));
                }
                Ok(Flow::Jump)
            }
        }
    }
    fn jump_to(&mut self, to: Ref<W64>, kind: Transfer) -> Exec<Self> {
        if !self.dead {
            self.end(Op::JumpTo, pack_transfer(kind), to.0, 0);
        }
        Ok(Flow::Jump)
    }

    fn vec(&mut self, op: VecOp, l: Lanes, imm: u32, a: Ref<W128>, b: Ref<W128>, c: Ref<W128>) -> Ref<W128> {
        self.make(Op::Vec, 0, [a.0, b.0, c.0], VecForm { op, lanes: l, imm }.pack())
    }
    fn lane<W: Int>(&mut self, v: Ref<W128>, i: u32) -> Ref<W> {
        self.make(Op::Lane, i as u16, [v.0, NONE, NONE], 0)
    }
    fn set_lane<W: Int>(&mut self, v: Ref<W128>, i: u32, x: Ref<W>) -> Ref<W128> {
        self.make(Op::SetLane, i as u16, [v.0, x.0, NONE], 0)
    }
    fn to_vec<W: Int>(&mut self, x: Ref<W>) -> Ref<W128> {
        self.make(Op::ToVec, 0, [x.0, NONE, NONE], 0)
    }
    fn dup<W: Int>(&mut self, x: Ref<W>, full: bool) -> Ref<W128> {
        self.make(Op::Dup, full as u16, [x.0, NONE, NONE], 0)
    }
}

/// The comparison with number `sub`.
pub fn cmp_of(sub: u16) -> Cmp {
    [Cmp::Eq, Cmp::Ne, Cmp::Ltu, Cmp::Leu, Cmp::Lts, Cmp::Les][sub as usize % 6]
}
