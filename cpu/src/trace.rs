//! What the debug log shows of running processors: which items are on, and where in the guest's address space.
//!
//! Each item is the `log` target of the same name in lower case. Items can change while the guest runs, so engines look
//! at them at every block, not at every instruction.

use crate::core::{Arch, Core};
use crate::run::Exit;
use bitflags::bitflags;
use std::sync::atomic::{AtomicU32, Ordering};

bitflags! {
    /// The classes of debug log lines. Each is the `log` target of the same name in lower case, at level debug or
    /// finer; engines test the set once per block instead of asking `log`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct DebugItems: u32 {
        /// Guest code as blocks are formed.
        const IN_ASM = 1 << 0;
        /// The intermediate representation of each block.
        const IR = 1 << 1;
        /// Host code of each block.
        const OUT_ASM = 1 << 2;
        /// Exceptions and interrupts as they are taken.
        const INT = 1 << 3;
        /// Each block before it runs.
        const EXEC = 1 << 4;
        /// Processor state before each block.
        const CPU = 1 << 5;
        /// Translation table walks and TLB maintenance.
        const MMU = 1 << 6;
        /// What the guest asked for that is not implemented.
        const UNIMP = 1 << 7;
        /// What the guest did that is wrong.
        const GUEST_ERRORS = 1 << 8;
        /// Processor resets.
        const CPU_RESET = 1 << 9;
        /// No direct links between blocks, so that `exec` sees every one.
        const NOCHAIN = 1 << 10;
    }
}

impl DebugItems {
    /// The items: `-d` name (and log target), the flag, and a line about it.
    pub const TABLE: &[(&str, DebugItems, &str)] = &[
        ("in_asm", DebugItems::IN_ASM, "guest code as each block is formed"),
        ("ir", DebugItems::IR, "intermediate representation of each block"),
        ("out_asm", DebugItems::OUT_ASM, "host code of each block"),
        ("int", DebugItems::INT, "exceptions and interrupts"),
        ("exec", DebugItems::EXEC, "each block before it runs"),
        ("cpu", DebugItems::CPU, "processor state before each block"),
        ("mmu", DebugItems::MMU, "translation table walks and TLB maintenance"),
        ("unimp", DebugItems::UNIMP, "what the guest uses that is not implemented"),
        ("guest_errors", DebugItems::GUEST_ERRORS, "what the guest does wrong"),
        ("cpu_reset", DebugItems::CPU_RESET, "processor resets"),
        ("nochain", DebugItems::NOCHAIN, "do not link blocks, so that exec is complete"),
    ];
}

/// What is shown of processors.
pub struct Trace {
    items: AtomicU32,
    ranges: Vec<(u64, u64)>,
    disassemble: Disassemble,
}

/// Makes text of the instruction that bytes begin with, at an address, in a mode: its encoding and its mnemonic.
pub type Disassemble = fn(&[u8], u64, u32) -> String;

impl Default for Trace {
    fn default() -> Self {
        Self::new(DebugItems::empty(), Vec::new(), |bytes, _, _| format!(".inst {bytes:02x?}"))
    }
}

impl Trace {
    /// Shows `items`; `in_asm`, `ir`, `out_asm`, `exec` and `cpu` only where `ranges`, inclusive virtual addresses, are;
    /// none means everywhere. `disassemble` makes text of an instruction at an address.
    pub fn new(items: DebugItems, ranges: Vec<(u64, u64)>, disassemble: Disassemble) -> Self {
        Self { items: AtomicU32::new(items.bits()), ranges, disassemble }
    }

    /// What is shown.
    pub fn items(&self) -> DebugItems {
        DebugItems::from_bits_truncate(self.items.load(Ordering::Relaxed))
    }

    /// Changes what is shown.
    pub fn set_items(&self, items: DebugItems) {
        self.items.store(items.bits(), Ordering::Relaxed);
    }

    /// Whether any of `items` is shown.
    #[inline]
    pub fn shows(&self, items: DebugItems) -> bool {
        self.items.load(Ordering::Relaxed) & items.bits() != 0
    }

    /// Whether the ranges let something from `first` to `last` through.
    pub fn covers(&self, first: u64, last: u64) -> bool {
        self.ranges.is_empty() || self.ranges.iter().any(|&(low, high)| first <= high && low <= last)
    }

    /// A line of `in_asm`.
    pub fn instruction(&self, bytes: &[u8], at: u64, mode: u32) -> String {
        format!("{at:#018x}: {}", (self.disassemble)(bytes, at, mode))
    }
}

/// The items that are about blocks that run.
pub const BLOCKS: DebugItems = DebugItems::EXEC.union(DebugItems::CPU);

impl<A: Arch> Core<A> {
    /// Shows the block at the PC, which runs next; `how` says how.
    #[cold]
    #[inline(never)]
    pub fn show_block(&self, how: &str) {
        let pc = self.pc();
        if !self.trace.covers(pc, pc) {
            return;
        }
        if self.trace.shows(DebugItems::EXEC) {
            log::debug!(target: "exec", "cpu {} exec {pc:#018x} mode {:#x} {how}", self.index, self.mode);
        }
        if self.trace.shows(DebugItems::CPU) {
            log::debug!(target: "cpu", "cpu {} state\n{}", self.index, A::describe(self));
        }
    }

    /// Shows an instruction that was decoded.
    #[cold]
    #[inline(never)]
    pub(crate) fn show_decoded(&self, bytes: &[u8]) {
        let pc = self.pc();
        if self.trace.covers(pc, pc) {
            log::debug!(target: "in_asm", "{}", self.trace.instruction(bytes, pc, self.mode));
        }
    }

    /// Interprets as [`Core::run`] does, showing each straight run of instructions before it begins.
    pub fn run_shown(&mut self, budget: u64) -> Exit {
        let end = self.icount.saturating_add(budget);
        loop {
            // An interrupt comes first, and has its own block.
            let before = self.icount;
            self.show_block("interpreted");
            let exit = self.run_to_branch(end.saturating_sub(before));
            if exit != Exit::Budget || self.icount >= end || !self.trace.shows(BLOCKS) {
                return exit;
            }
        }
    }
}
