//! What the translator must know of a guest architecture.

use crate::ir::lift::Lift;
use lyrebird_cpu::arm::{Arm64, a64, mode};
use lyrebird_cpu::core::{Arch, Core};
use lyrebird_cpu::emit::{Access, Cx, Exec, Helper};
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::table::{Table, Word};
use lyrebird_cpu::width::W32;
use lyrebird_cpu::x86::{self, X64, insn::Insn, isa};
use std::sync::OnceLock;

/// Records one instruction.
pub type Recorder<A> = fn(&mut Lift<A>, <A as Arch>::Insn) -> Exec<Lift<A>>;

/// Helpers of x87 instructions that the back end has forms of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum X87 {
    /// those of the stack: opcode and segment, linear address, offset
    Stack,
    /// FLDCW, likewise
    Fldcw,
    /// FWAIT
    Wait,
    /// FNCLEX and FNINIT, by number
    Control,
}

/// A guest architecture that can be translated.
pub trait Guest: Arch {
    /// Whether flags may be computed late: they are in x86's form.
    const LATE_FLAGS: bool;
    /// What records the instruction that `bytes` begin with; `None` if they are too few to tell.
    fn recorder(bytes: &[u8], cx: Cx) -> Option<(Recorder<Self>, Self::Insn)>;
    /// Modes whose code is always interpreted, because they watch every instruction or access.
    fn interpret_only(mode: u32) -> bool;
    /// MXCSR without its exception flags, which are [`Arch::FP_STATUS`], if the guest has one.
    const MXCSR: Option<Slot<W32>>;
    /// Whether the host's floating point serves the mode: it rounds to nearest, or all is as in the host's MXCSR.
    fn plain_fp(mode: u32) -> bool;
    /// Whether floating point may flush denormal numbers.
    fn flushing_fp(mode: u32) -> bool;
    /// Whether an inexact result changes no status in this mode.
    fn inexact_fp(_mode: u32) -> bool {
        false
    }
    /// Whether the guest has an x87.
    const X87: bool = false;
    /// Whether the x87 is the host's where it can be, in a mode.
    fn inline_x87(_mode: u32) -> bool {
        false
    }
    /// Which of the x87's instructions a helper does.
    fn x87(_helper: &'static Helper<Self>) -> Option<X87> {
        None
    }
    /// Whether a helper that [`Guest::x87`] knows, with two arguments, stores to code.
    fn x87_hits_code(_core: &mut Core<Self>, _what: u64, _at: u64) -> bool {
        false
    }
    /// Whether a helper never looks at the x87.
    fn spares_x87(_helper: &'static Helper<Self>) -> bool {
        false
    }
    /// Whether a helper that [`Guest::x87`] knows, with a first argument, leaves condition flags alone.
    fn spares_flags(_helper: &'static Helper<Self>, _what: u64) -> bool {
        false
    }
    /// Whether several processors run, so that atomics must be locked on the host.
    fn shared(mode: u32) -> bool;
}

impl Guest for Arm64 {
    const LATE_FLAGS: bool = false;
    const MXCSR: Option<Slot<W32>> = None;

    fn recorder(bytes: &[u8], cx: Cx) -> Option<(Recorder<Self>, Word)> {
        static TABLE: OnceLock<Table<Lift<Arm64>>> = OnceLock::new();
        let word = u32::from_le_bytes(*bytes.first_chunk()?);
        let row = TABLE.get_or_init(a64::table).find(word, cx.features);
        Some((
            row.map_or(lyrebird_cpu::step!(Lift<Arm64>, a64::undefined::<Lift<Arm64>>), |(_, row)| row.run),
            Word::from(word),
        ))
    }

    fn interpret_only(mode: u32) -> bool {
        mode & (mode::STEP | mode::WATCH | mode::BIG_ENDIAN) != 0
    }

    fn plain_fp(mode: u32) -> bool {
        mode & 3 << mode::FP_RMODE_LOW == 0
    }

    fn flushing_fp(mode: u32) -> bool {
        mode & mode::FP_ODD != 0
    }

    fn inexact_fp(mode: u32) -> bool {
        mode & mode::FP_INEXACT != 0
    }

    fn shared(mode: u32) -> bool {
        mode & mode::SMP != 0
    }
}

impl Guest for X64 {
    const LATE_FLAGS: bool = true;
    const MXCSR: Option<Slot<W32>> = Some(x86::state::MXCSR);

    fn recorder(bytes: &[u8], cx: Cx) -> Option<(Recorder<Self>, Insn)> {
        static TABLE: OnceLock<x86::decode::Table<Lift<X64>>> = OnceLock::new();
        let table = TABLE.get_or_init(isa::table);
        Some(table.semantics(table.decode(bytes, cx)?))
    }

    fn interpret_only(mode: u32) -> bool {
        mode & (x86::mode::STEP | x86::mode::WATCH) != 0
    }

    fn plain_fp(mode: u32) -> bool {
        // The host's exceptions stay masked: who wants one asks the evaluator for the flags of each operation.
        mode & x86::mode::SSE_UNMASKED == 0
    }

    fn flushing_fp(mode: u32) -> bool {
        mode & x86::mode::FLUSH != 0
    }

    const X87: bool = true;

    fn inline_x87(mode: u32) -> bool {
        // The instruction pointer is the linear address.
        x86::mode::is_64(mode) || mode & (x86::mode::FLAT | x86::mode::CS_FLAT) != 0
    }

    fn x87(helper: &'static Helper<X64>) -> Option<X87> {
        use isa::x87_ops::{CONTROL, FLDCW, WAIT};
        let known = [
            (&isa::x87_ops::X87, X87::Stack),
            (&FLDCW, X87::Fldcw),
            (&WAIT, X87::Wait),
            (&CONTROL, X87::Control),
        ];
        known.into_iter().find(|(h, _)| std::ptr::eq(*h, helper)).map(|(_, what)| what)
    }

    fn x87_hits_code(core: &mut Core<X64>, what: u64, at: u64) -> bool {
        let (bytes, writes) = isa::x87_memory::operand((what >> 8) as u8 & 7, (what >> 3) as u8 & 7);
        let stores = writes && what & isa::x87_ops::HAS_MEMORY != 0;
        // A fault is the helper's to find, which may find another one before.
        stores && matches!(core.store_hits_code(at, 1, bytes, Access::PLAIN), Ok(true))
    }

    fn spares_x87(helper: &'static Helper<X64>) -> bool {
        std::ptr::eq(helper, &x86::string::REPEAT)
    }

    fn spares_flags(helper: &'static Helper<X64>, what: u64) -> bool {
        match Self::x87(helper) {
            Some(X87::Stack) => !isa::x87_ops::uses_flags(what),
            known => known.is_some(),
        }
    }

    fn shared(mode: u32) -> bool {
        mode & x86::mode::SMP != 0
    }
}
