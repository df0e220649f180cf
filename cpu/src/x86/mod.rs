//! x86 processors from the 8086 to x86-64-v3: 16-, 32- and 64-bit modes.
//!
//! The PC slot holds the *linear* address of the instruction, so that pages of code are found by it; the instruction
//! pointer is its offset in CS, which is the same wherever CS is flat.

pub mod context;
pub mod control;
pub mod cpuid;
pub mod debug;
pub mod decode;
pub mod describe;
pub mod eflags;
pub mod emit;
pub mod exception;
pub mod far;
pub mod fast;
pub mod features;
pub mod flags;
pub mod gate;
pub mod insn;
pub mod iret;
pub mod isa;
pub mod maintenance;
pub mod mode;
pub mod model;
pub mod msr;
pub mod place;
pub mod port;
mod runs;
pub mod segment;
pub mod smm;
pub mod state;
pub mod string;
pub mod system;
pub mod table;
pub mod task;
#[cfg(test)]
mod tests;
pub mod walk;

use crate::core::{Arch, Core, Handler, Mapping, Raised, Want};
use crate::emit::{Access, Cx};
use crate::slot::Slot;
use crate::width::{W32, W64};
use std::sync::Arc;

/// What a processor asks of its board.
pub trait Platform: Send + Sync {
    /// Nanoseconds of virtual time.
    fn nanoseconds(&self) -> u64 {
        0
    }
    /// Reads `size` (1, 2, 4) bytes from an I/O port.
    fn port_read(&self, _cpu: usize, _port: u16, size: u32) -> u32 {
        u32::MAX >> (32 - 8 * size.clamp(1, 4))
    }
    /// Writes `size` bytes to an I/O port.
    fn port_write(&self, _cpu: usize, _port: u16, _size: u32, _value: u32) {}
    /// Takes the vector of the interrupt that the local APIC or the 8259 announces; `None` if it is gone.
    fn acknowledge(&self, _cpu: usize) -> Option<u8> {
        None
    }
    /// Reads an MSR of the local APIC (IA32_APIC_BASE, IA32_TSC_DEADLINE, x2APIC); `None` if there is none.
    fn read_msr(&self, _cpu: usize, _msr: u32) -> Option<u64> {
        None
    }
    /// Writes one.
    fn write_msr(&self, _cpu: usize, _msr: u32, _value: u64) -> Option<()> {
        None
    }
    /// The task priority that CR8 shows: bits 7:4 of the local APIC's TPR.
    fn task_priority(&self, _cpu: usize) -> u8 {
        0
    }
    /// Sets it.
    fn set_task_priority(&self, _cpu: usize, _priority: u8) {}
    /// 64 random bits.
    fn random(&self) -> u64 {
        0
    }
    /// The processor comes from INIT: so does its local APIC.
    fn init(&self, _cpu: usize) {}
    /// FERR#: an x87 exception is pending while CR0.NE is clear.
    fn fpu_error(&self, _cpu: usize) {}
    /// The processor shuts down after a triple fault: the board resets.
    fn triple_fault(&self, _cpu: usize) {}
    /// Whether address line 20 reaches the bus. After a change that no port access of this processor made, the board
    /// mails [`maintenance::Forget::All`].
    fn a20(&self) -> bool {
        true
    }
    /// Sends maintenance to all other processors and waits until all have done it. While waiting it calls `meanwhile`,
    /// which handles the sender's own mail.
    fn broadcast(&self, _from: usize, _what: maintenance::Forget, _meanwhile: &mut dyn FnMut()) {}
    /// Waits until no other processor executes anything, and keeps it so until [`Platform::together`]. Meanwhile as for
    /// [`Platform::broadcast`].
    fn alone(&self, _cpu: usize, _meanwhile: &mut dyn FnMut()) {}
    /// Ends it.
    fn together(&self, _cpu: usize) {}
    /// What was sent to a processor since it last looked. Does not come back while another processor is alone.
    fn mail(&self, _cpu: usize) -> Vec<maintenance::Forget> {
        Vec::new()
    }
}

/// The x86 architecture: what a processor has besides its register file.
pub struct X64 {
    /// The board.
    pub platform: Arc<dyn Platform>,
    /// There are other processors.
    pub smp: bool,
    /// How many processors there are.
    pub cpus: u32,
    /// What the processor says of itself.
    pub cpuid: cpuid::Cpuid,
    /// Address line 20 reaches the bus.
    pub a20: bool,
    /// The address space that the supervisor's TLB banks hold non-global entries of.
    pub pcid: u32,
    /// Names of fetch translations.
    pub spaces: context::Spaces,
    /// Where large pages were used.
    pub large: walk::Large,
    /// Protection keys of user pages that were entered into the TLB, a bit each.
    pub keys: u16,
    /// The instruction in progress is stepped: a debug trap follows it.
    pub trap: bool,
    /// It began with EFLAGS.RF set.
    pub resumed: bool,
}

impl X64 {
    /// An architecture state on a board with so many processors. [`model::reset`] follows.
    pub fn new(platform: Arc<dyn Platform>, cpus: usize) -> Self {
        Self {
            platform,
            smp: cpus > 1,
            cpus: cpus as u32,
            cpuid: cpuid::Cpuid::new("", 0, ""),
            a20: true,
            pcid: 0,
            spaces: context::Spaces::default(),
            large: walk::Large::default(),
            keys: 0,
            trap: false,
            resumed: false,
        }
    }
}

impl Arch for X64 {
    type Insn = insn::Insn;
    type Places<T: Copy + Send> = runs::Runs<T>;
    const PC: Slot<W64> = state::PC;
    const GENERAL: u16 = 16;
    const ZERO: Option<Slot<W64>> = Some(state::ZERO);
    const ALIGN: u64 = 1;
    const FLOATING_BUS: bool = true;
    const POLL_MASK: Slot<W32> = state::POLL_MASK;
    const FP_CONTROL: Slot<W32> = state::FP_CONTROL;
    const FP_STATUS: Slot<W32> = state::FP_STATUS;
    const FLAGS: Slot<W32> = state::FLAGS;
    const FLAG_BITS: u32 = flags::ALL;

    fn translate(core: &mut Core<Self>, va: u64, want: Want, k: Access) -> Result<Mapping, Raised> {
        walk::translate(core, va, want, k)
    }
    fn misaligned(core: &mut Core<Self>, va: u64, _: Want) -> Raised {
        // Without alignment checking only vector operands insist on it.
        let strict = core.mode & mode::ALIGN != 0;
        core.raise_now(if strict { emit::fault::AC0 } else { emit::fault::GP0 }, va)
    }
    fn unanswered(core: &mut Core<Self>, va: u64, _: Want) -> Raised {
        core.raise_now(emit::fault::GP0, va)
    }
    fn strict(mode: u32) -> bool {
        mode & mode::ALIGN != 0
    }
    const STRICT_MISSES: bool = true;
    fn deliver(core: &mut Core<Self>) {
        exception::deliver(core);
    }
    fn interrupt(core: &mut Core<Self>) -> bool {
        exception::interrupt(core)
    }
    fn watched(mode: u32) -> bool {
        mode & (mode::STEP | mode::WATCH) != 0
    }
    fn guarded(mode: u32) -> bool {
        mode & mode::WATCH != 0
    }
    fn before_fetch(_: &mut Core<Self>) -> Result<(), Raised> {
        Ok(())
    }
    fn before(core: &mut Core<Self>) -> Result<(), Raised> {
        debug::before(core)
    }
    fn after(core: &mut Core<Self>) {
        exception::after(core);
    }
    fn access(core: &mut Core<Self>, at: u64, size: u64, how: [bool; 2], _: bool) -> Result<(), Raised> {
        debug::access(core, at, size, how);
        Ok(())
    }
    fn mail(core: &mut Core<Self>) {
        maintenance::receive(core);
    }
    fn marked(core: &mut Core<Self>, ram: u64, version: u32) {
        maintenance::marked(core, ram, version);
    }
    fn settled(core: &Core<Self>, ram: u64) -> bool {
        maintenance::settled(core, ram)
    }
    fn alone(core: &mut Core<Self>) {
        maintenance::alone(core);
    }
    fn together(core: &mut Core<Self>) {
        maintenance::together(core);
    }
    fn describe(core: &Core<Self>) -> String {
        describe::registers(core)
    }
    fn clock(core: &Core<Self>) -> u64 {
        core.arch.platform.nanoseconds()
    }
    fn decode(bytes: &[u8], cx: Cx) -> Option<(Handler<Self>, insn::Insn)> {
        let table = isa::interp_table();
        let decoded = table.decode(bytes, cx)?;
        Some(table.semantics(decoded))
    }
}
