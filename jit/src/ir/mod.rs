//! The intermediate representation: guest blocks as straight lines of typed operations.
//!
//! A value is the number of the instruction that made it; values live inside their block and never change. What
//! crosses blocks is the guest's state: slots, read by `Get` and written by `Put`. The operations are the vocabulary
//! of [`lyrebird_cpu::emit::Emitter`], one to one, so that an evaluator is a page long.
//!
//! Addresses of code are relative to the start of the 4 KiB page that holds the region: a region is compiled once and
//! runs at whatever virtual address its page is mapped.

pub mod eval;
pub mod flags;
pub mod lift;
pub mod parse;
pub mod print;
pub mod verify;

use lyrebird_cpu::core::Arch;
use lyrebird_cpu::emit::{Access, Helper, Transfer};
use lyrebird_cpu::vec::{Lanes, Part, VecOp};
pub use lyrebird_cpu::width::Ty;

/// A value: the number of the instruction that makes it.
pub type Val = u32;

/// `sub` of a `Put` of flags that only those ways out of the block want that an exception, a request or a jump out of
/// the region takes: they are computed there, and the slot holds nothing of use until the next `Put`.
pub const LAZY: u16 = 1;

/// No value.
pub const NONE: Val = u32::MAX;

macro_rules! ops { ($($(#[$doc:meta])* $op:ident $name:literal $args:literal;)*) => {
    /// What an instruction does. `a`, `b`, `c` are its operands, `ty` the type of its result.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[repr(u8)]
    pub enum Op { $($(#[$doc])* $op),* }

    impl Op {
        /// Every operation.
        pub const ALL: &[Op] = &[$(Op::$op),*];
        /// Its name in text.
        pub const fn name(self) -> &'static str {
            match self { $(Op::$op => $name),* }
        }
        /// How many of `a`, `b`, `c` are values.
        #[inline(always)]
        pub const fn args(self) -> usize {
            match self { $(Op::$op => $args),* }
        }
    }
} }

ops! {
    /// Start of the guest instruction at byte `imm` of the page. What faults until the next `At` restarts there.
    At "at" 0;
    /// The constant `imm`; for `V128` the high half is in `a` (low 32 bits) and `b`.
    Lit "lit" 0;
    /// The slot at byte `imm` of the register file.
    Get "get" 0;
    /// Writes `a` to the slot at byte `imm`; `ty` is the width written. `sub` is [`LAZY`] for flags that are only wanted
    /// when the code is left.
    Put "put" 1;
    /// The virtual address of the page plus `imm`.
    Page "page" 0;
    /// [`lyrebird_cpu::op::Un`] number `sub`.
    Un "un" 1;
    /// [`lyrebird_cpu::op::Bin`] number `sub`.
    Bin "bin" 2;
    /// [`lyrebird_cpu::op::Cmp`] number `sub`, on the operands' type.
    Cmp "cmp" 2;
    /// `a` zero extended or truncated.
    Zext "zext" 1;
    /// `a` sign extended or truncated.
    Sext "sext" 1;
    /// `b` where `a` holds, else `c`.
    Select "select" 3;
    /// Flags of [`lyrebird_cpu::op::FlagOp`] number `sub` on `a`, `b` and carry `c`.
    Flags "flags" 3;
    /// Flags after [`lyrebird_cpu::x86::flags::Update`] number `sub` on `a` and `b`, where they were `c`.
    Update "update" 3;
    /// Whether condition `sub` holds for flags `a`.
    Holds "holds" 1;
    /// Loads from address `a`; `sub` is the packed access.
    Load "load" 1;
    /// Stores `b` at address `a`; `ty` is the width stored.
    Store "store" 2;
    /// Loads two values from address `a`; this is the first.
    LoadPair "loadpair" 1;
    /// The second value of the `LoadPair` `a`.
    Second "second" 1;
    /// Stores `b` and `c` at address `a`.
    StorePair "storepair" 3;
    /// Updates memory at `a` with `b`; `imm` is the operation; the old value.
    Rmw "rmw" 2;
    /// Compares memory at `a` with `b` and stores `c` if equal; the old value.
    Cas "cas" 3;
    /// A barrier; `sub` is its kind.
    Fence "fence" 0;
    /// Raises exception `imm` if `a` holds.
    RaiseIf "raiseif" 1;
    /// Runs what follows, up to `EndIf`, only if `a` holds. Not nested.
    If "if" 1;
    /// End of `If`.
    EndIf "endif" 0;
    /// Calls helper number `imm`.
    Call "call" 3;
    /// The guest's virtual counter.
    Clock "clock" 0;
    /// A vector operation; `imm` is the packed operation.
    Vec "vec" 3;
    /// Element `sub` of vector `a`.
    Lane "lane" 1;
    /// Vector `a` with element `sub` replaced by `b`.
    SetLane "setlane" 2;
    /// `a` in lane 0, zeros above.
    ToVec "tovec" 1;
    /// `a` in every element; `sub` is 1 for 128 bits, 0 for 64.
    Dup "dup" 1;
    /// Terminal: continues at byte `imm` of the page, signed. `sub` is the packed transfer.
    Jump "jump" 0;
    /// Terminal: continues at the low half of `imm` if `a` holds, else at the high half; both signed bytes of the page.
    Branch "branch" 1;
    /// Terminal: continues at address `a`. `sub` is the packed transfer.
    JumpTo "jumpto" 1;
    /// Terminal: raises exception `imm`.
    Raise "raise" 0;
    /// Terminal: continues at byte `imm` of the page after the engine re-read mode and translation.
    Sync "sync" 0;
    /// Terminal: continues where the PC slot says, after the engine re-read mode and translation.
    Leave "leave" 0;
}

impl Op {
    /// Whether it ends a block.
    #[inline(always)]
    pub const fn terminal(self) -> bool {
        self as u8 >= Op::Jump as u8
    }

    /// Whether it may leave for an exception that restarts the instruction, so that guest state must be recoverable.
    #[inline(always)]
    pub const fn may_fault(self) -> bool {
        matches!(
            self,
            Op::Load | Op::Store | Op::LoadPair | Op::StorePair | Op::Rmw | Op::Cas | Op::RaiseIf | Op::Raise
        )
    }

    /// Whether it does something besides making a value.
    #[inline(always)]
    pub const fn effect(self) -> bool {
        self.terminal()
            || self.may_fault()
            || matches!(self, Op::At | Op::Put | Op::Fence | Op::If | Op::EndIf | Op::Call)
    }

    /// Whether it makes a value.
    #[inline(always)]
    pub const fn makes_value(self) -> bool {
        !self.terminal()
            && !matches!(
                self,
                Op::At | Op::Put | Op::Store | Op::StorePair | Op::Fence | Op::RaiseIf | Op::If | Op::EndIf
            )
    }
}

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inst {
    /// What it does.
    pub op: Op,
    /// Type of its value, or of what it stores.
    pub ty: Ty,
    /// A small constant: operation number, condition, element, access.
    pub sub: u16,
    /// First operand.
    pub a: Val,
    /// Second operand.
    pub b: Val,
    /// Third operand.
    pub c: Val,
    /// A large constant.
    pub imm: u64,
}

impl Inst {
    /// The operands that are values.
    #[inline(always)]
    pub fn args(&self) -> impl Iterator<Item = Val> {
        [self.a, self.b, self.c].into_iter().take(self.op.args())
    }

    /// The 128-bit constant of a `Lit`.
    pub fn wide(&self) -> u128 {
        self.imm as u128
            | if self.ty == Ty::V128 { (self.b as u128) << 96 | (self.a as u128) << 64 } else { 0 }
    }

    /// The targets of a `Branch`: taken, not taken.
    pub fn targets(&self) -> (i64, i64) {
        (self.imm as i32 as i64, (self.imm >> 32) as i32 as i64)
    }
}

/// Packs two page-relative targets.
pub const fn pack_targets(taken: i64, next: i64) -> u64 {
    taken as u32 as u64 | (next as u32 as u64) << 32
}

/// Packs an access into `sub`.
pub const fn pack_access(k: Access) -> u16 {
    k.bits()
}

/// The access in `sub`.
pub const fn access(sub: u16) -> Access {
    Access::of(sub)
}

/// The transfer in `sub`.
pub const fn transfer(sub: u16) -> Transfer {
    match sub {
        1 => Transfer::Call,
        2 => Transfer::Return,
        3 => Transfer::Poll,
        _ => Transfer::Jump,
    }
}

/// Packs a transfer into `sub`.
pub const fn pack_transfer(t: Transfer) -> u16 {
    match t {
        Transfer::Jump => 0,
        Transfer::Call => 1,
        Transfer::Return => 2,
        Transfer::Poll => 3,
    }
}

/// A vector operation with its arrangement and constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VecForm {
    /// The operation.
    pub op: VecOp,
    /// What it works on.
    pub lanes: Lanes,
    /// Its constant.
    pub imm: u32,
}

impl VecForm {
    /// In 64 bits.
    pub fn pack(self) -> u64 {
        let part = match self.lanes.part {
            Part::Scalar => 0u64,
            Part::Half => 1,
            Part::Full => 2,
        };
        self.imm as u64 | (self.op as u16 as u64) << 32 | (self.lanes.log2 as u64) << 48 | part << 56
    }

    /// From [`VecForm::pack`]; `None` if it is not one.
    pub fn unpack(x: u64) -> Option<Self> {
        let part = [Part::Scalar, Part::Half, Part::Full].get((x >> 56) as usize).copied()?;
        let op = VecOp::ALL.get((x >> 32) as usize & 0xFFFF).copied()?;
        Some(Self { op, lanes: Lanes::new((x >> 48) as u32 & 0xFF, part), imm: x as u32 })
    }
}

/// A run of instructions with one entry, its first, and one exit, its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Byte of the page where it starts in the guest.
    pub at: u32,
    /// Its first instruction.
    pub first: u32,
    /// One past its terminal.
    pub end: u32,
    /// Guest instructions in it.
    pub count: u32,
    /// Bytes of guest code in it.
    pub len: u32,
}

/// A region: blocks of one guest page, entered at the first.
pub struct Ir<A: Arch> {
    /// All instructions, block after block.
    pub code: Vec<Inst>,
    /// The blocks; block 0 is the entry.
    pub blocks: Vec<Block>,
    /// Helpers that `Call` names by number.
    pub helpers: Vec<&'static Helper<A>>,
    /// Mode it is compiled for.
    pub mode: u32,
}

impl<A: Arch> Default for Ir<A> {
    fn default() -> Self {
        Self { code: Vec::new(), blocks: Vec::new(), helpers: Vec::new(), mode: 0 }
    }
}

impl<A: Arch> Ir<A> {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self, mode: u32) {
        self.code.clear();
        self.blocks.clear();
        self.helpers.clear();
        self.mode = mode;
    }

    /// The block that starts at byte `at` of the page.
    pub fn block_at(&self, at: i64) -> Option<usize> {
        self.blocks.iter().position(|b| b.at as i64 == at)
    }

    /// Where a block goes inside the page by direct transfers that are not calls.
    pub fn successors(&self, block: &Block) -> [Option<i64>; 2] {
        let t = &self.code[block.end as usize - 1];
        let inside = |x: i64| (0..4096).contains(&x).then_some(x);
        match t.op {
            Op::Jump if transfer(t.sub) == Transfer::Jump => [inside(t.imm as i64), None],
            Op::Branch => {
                let (taken, next) = t.targets();
                [inside(taken), inside(next)]
            }
            _ => [None, None],
        }
    }
}
