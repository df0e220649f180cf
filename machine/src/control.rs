//! The one interface of a running machine: command line, monitor and debugger speak to nothing else.
//!
//! A [`Control`] may be called from any thread but a vCPU's own. Calls that look at or change guest state take the
//! machine at an instruction boundary: when it runs, they stop it for their duration. What concerns everybody (a stop,
//! a reset, the end) is told to all subscribers through [`Control::subscribe`]; a call that causes an event returns
//! without waiting for it. [`Control::pause`], [`Control::reset`], [`Control::powerdown`] and [`Control::quit`] only
//! leave a request: they may be called from everywhere, under a device's lock on a vCPU's thread too.
//!
//! Left out on purpose: snapshots, record and replay, pictures. They become further traits, reached from here.

use lyrebird_devices::display::Screen;
use lyrebird_devices::input::{KeySink, PointerSink};
use std::sync::Arc;

use crossbeam::channel::{Receiver, RecvTimeoutError};

use crate::config::DebugItems;

/// A processor by its number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuId(pub u32);

/// What the machine does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Built with `start_paused`, not yet resumed.
    Prelaunch,
    /// The guest runs.
    Running,
    /// The guest stands still and can go on.
    Paused(StopReason),
    /// The guest is at its end and only reset revives it (with `no_shutdown`), or the program is about to end.
    Shutdown(Shutdown),
}

impl Status {
    /// Whether guest instructions are being executed.
    pub fn is_running(&self) -> bool {
        matches!(self, Status::Running)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Prelaunch => f.write_str("paused (prelaunch)"),
            Status::Running => f.write_str("running"),
            Status::Paused(StopReason::Requested) => f.write_str("paused"),
            Status::Paused(reason) => write!(f, "paused ({reason})"),
            Status::Shutdown(end) => write!(f, "shutdown ({end})"),
        }
    }
}

/// Why the guest stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// [`Control::pause`].
    Requested,
    /// An execution breakpoint; the instruction has not been executed.
    Breakpoint {
        /// Which.
        id: BreakpointId,
        /// The guest virtual address.
        address: u64,
    },
    /// A data watchpoint, stopped where gdb expects it of the architecture. On Arm the access has not been made and the PC
    /// is at the instruction, which the next resume or step executes without stopping again; on x86 the PC is behind the
    /// instruction, which is done.
    Watchpoint {
        /// Which.
        id: BreakpointId,
        /// The guest virtual address of the access.
        address: u64,
        /// Whether it wrote.
        write: bool,
    },
    /// The one instruction of [`Control::step`] is done.
    StepDone,
    /// The engine gave up on the guest or on itself; the text says where and why.
    Panic(String),
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StopReason::Requested => f.write_str("on request"),
            StopReason::Breakpoint { address, .. } => write!(f, "breakpoint at {address:#x}"),
            StopReason::Watchpoint { address, write, .. } => {
                write!(f, "watchpoint: {} at {address:#x}", if *write { "write" } else { "read" })
            }
            StopReason::StepDone => f.write_str("step"),
            StopReason::Panic(why) => f.write_str(why),
        }
    }
}

/// Why the guest is at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// The guest switched itself off (PSCI SYSTEM_OFF, power button handled).
    PowerOff,
    /// The guest reset itself and `no_reboot` was given.
    Reset,
    /// [`Control::quit`].
    Quit(i32),
    /// A test device or semihosting asked to end with this exit code, used as is.
    Exit(i32),
    /// The guest cannot go on: it faults for ever in its own exception vectors, or all processors are off.
    GuestPanic(String),
    /// `verify` found engines that disagree; the text names instruction and report file.
    Divergence(String),
    /// A defect of ours; the text says where.
    EngineBug(String),
}

impl std::fmt::Display for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shutdown::PowerOff => f.write_str("guest power-off"),
            Shutdown::Reset => f.write_str("guest reset"),
            Shutdown::Quit(_) => f.write_str("quit"),
            Shutdown::Exit(code) => write!(f, "guest exit with code {code}"),
            Shutdown::GuestPanic(why) => write!(f, "guest cannot go on: {why}"),
            Shutdown::Divergence(why) => write!(f, "engines disagree: {why}"),
            Shutdown::EngineBug(why) => write!(f, "internal error: {why}"),
        }
    }
}

/// What subscribers hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// All processors stand still; `cpu` is the one that caused it.
    Stopped {
        /// The processor that reached the reason; 0 for a requested pause.
        cpu: CpuId,
        /// Why.
        reason: StopReason,
    },
    /// The guest runs again.
    Resumed,
    /// The machine was reset.
    Reset,
    /// The end. Sent once; without `no_shutdown` the machine's `run` returns after it.
    Shutdown(Shutdown),
}

/// What one processor is and does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuInfo {
    /// Its number.
    pub id: CpuId,
    /// Its model.
    pub model: String,
    /// The address of its next instruction.
    pub pc: u64,
    /// Powered on; false before CPU_ON and after CPU_OFF.
    pub powered: bool,
    /// Waiting in WFI or WFE.
    pub halted: bool,
    /// The host thread that runs it, if it has one of its own.
    pub thread: Option<u32>,
}

/// What front ends must know of the guest's architecture; the same for the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    /// What gdb calls it: `aarch64`.
    pub gdb_name: &'static str,
    /// How many bytes of an encoding are listed as one little-endian number: 4 where instructions are words, else 1.
    pub listed: usize,
}

/// Registers that belong together; the order is the order of every list of values.
///
/// An AArch64 processor has `core` (x0 to x30, sp, pc, cpsr), `fpu` (v0 to v31, fpsr, fpcr) and `system` (each system
/// register that can be read, by the manual's name in upper case).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterGroup {
    /// Lower case, unique.
    pub name: &'static str,
    /// In presentation order.
    pub registers: Vec<RegisterInfo>,
    /// The feature of gdb's target description that the registers belong to. Groups that follow each other may share one.
    pub feature: &'static str,
    /// In which of its lists gdb shows them, if not among the general ones.
    pub list: Option<&'static str>,
    /// Debuggers want all of them at each stop, and save and restore them around calls; the others they read one by one.
    pub whole: bool,
    /// The types that the registers' `format` may name; each uses only those before it.
    pub types: Vec<RegisterType>,
}

/// One register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterInfo {
    /// Unique among all groups.
    pub name: String,
    /// Width, 128 at most.
    pub bits: u16,
    /// How to show it.
    pub kind: RegisterKind,
    /// Whether [`Control::write_register`] takes it.
    pub writable: bool,
    /// Its parts: a type of its group, or one that debuggers know (`i387_ext`).
    pub format: Option<&'static str>,
}

impl RegisterInfo {
    /// A register that can be written.
    pub fn new(name: impl Into<String>, bits: u16, kind: RegisterKind) -> Self {
        Self { name: name.into(), bits, kind, writable: true, format: None }
    }

    /// The same with a format.
    pub fn with(self, format: &'static str) -> Self {
        Self { format: Some(format), ..self }
    }
}

/// How a register can be taken apart, in terms of gdb's target descriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterType {
    /// Unique in the guest.
    pub id: &'static str,
    /// What it is.
    pub shape: Shape,
}

/// What a [`RegisterType`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many elements of a type.
    Vector(&'static str, usize),
    /// Several ways to see the same bits: name and type of each.
    Union(Vec<(&'static str, &'static str)>),
    /// Bit fields of so many bytes: name, lowest and highest bit of each.
    Flags(usize, Vec<(&'static str, u8, u8)>),
}

/// What a register's bits mean to a debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterKind {
    /// A number.
    Int,
    /// The program counter; the only one of its kind.
    Pc,
    /// The stack pointer; the only one of its kind.
    Sp,
    /// A pointer to code.
    Code,
    /// A pointer to data.
    Data,
    /// A SIMD vector.
    Vector,
    /// A floating-point number.
    Float,
    /// Bit fields.
    Fields,
}

/// A register by position in [`Control::register_groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterId {
    /// Index of the group.
    pub group: usize,
    /// Index in the group.
    pub index: usize,
}

/// Names a breakpoint or watchpoint; never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakpointId(pub u32);

/// A place at which all processors stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breakpoint {
    /// What triggers it.
    pub kind: BreakpointKind,
    /// Guest virtual address, in any address space.
    pub address: u64,
    /// Bytes covered; ignored for [`BreakpointKind::Execute`].
    pub len: u64,
}

/// What triggers a breakpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakpointKind {
    /// The instruction at the address is about to run.
    Execute,
    /// A load touches the bytes.
    Read,
    /// A store touches the bytes.
    Write,
    /// Either touches the bytes.
    Access,
}

/// What other processors do while one steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They stand still.
    Hold,
    /// They run; a breakpoint of theirs ends the step too.
    Run,
}

/// Guest memory seen from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressSpace {
    /// The current translation of a processor, with its current privileges but without side effects on flags and TLB.
    Virtual(CpuId),
    /// Physical addresses. Device registers are not touched: they read as an error.
    Physical,
}

/// A virtual address translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The physical address; `None` if the address is not mapped.
    pub physical: Option<u64>,
    /// One line a walk step: table address, descriptor, meaning, attributes; the last says the result or the fault.
    pub steps: Vec<String>,
}

/// One instruction as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisasmLine {
    /// Guest virtual (or physical) address.
    pub address: u64,
    /// The encoding, in memory order; see [`Guest::listed`].
    pub bytes: Vec<u8>,
    /// Mnemonic and operands.
    pub text: String,
}

/// A report about the machine as text for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Valid TLB entries of a processor.
    Tlb(CpuId),
    /// The mappings of a processor's current tables, joined to ranges.
    Mem(CpuId),
    /// The physical address map.
    Mtree,
    /// Devices by bus, with their properties.
    Qtree,
    /// Interrupt lines and controllers.
    Irq,
    /// Counters of the engine: blocks, cache use, exits, time.
    Jit,
    /// Drives and their images.
    Block,
    /// PCI functions and their regions.
    Pci,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No processor of that number.
    #[error("there is no CPU {0}")]
    NoCpu(u32),
    /// Memory that is not there; the address is the first byte that failed.
    #[error("cannot access memory at address {0:#x}")]
    Memory(u64),
    /// No such register, or it cannot be written.
    #[error("register {0} cannot be written")]
    Register(String),
    /// Not in this state: a step while the guest runs, a resume after the end.
    #[error("{0}")]
    State(String),
    /// The engine or board cannot do this.
    #[error("not supported: {0}")]
    Unsupported(String),
}

/// Where a person would sit: screen, keyboard and mouse, as far as the board has them.
#[derive(Clone, Default)]
pub struct Seat {
    /// The display adapter.
    pub screen: Option<Arc<dyn Screen>>,
    /// The keyboard.
    pub keys: Option<Arc<dyn KeySink>>,
    /// The mouse.
    pub pointer: Option<Arc<dyn PointerSink>>,
}

/// What front ends may do with a machine.
pub trait Control: Send + Sync {
    /// What it does now.
    fn status(&self) -> Status;

    /// Stops the guest; one [`Event::Stopped`] follows, with another reason if that came first. Nothing happens when it
    /// stands still already.
    fn pause(&self);

    /// Lets all processors run; [`Event::Resumed`] follows. A breakpoint at a processor's PC, or a watchpoint of its
    /// instruction there, does not stop it again at once. Refused after the end.
    fn resume(&self) -> Result<(), ControlError>;

    /// Lets `cpu` execute one instruction (an exception taken counts as one); [`Event::Stopped`] follows.
    /// Refused while the guest runs.
    fn step(&self, cpu: CpuId, others: Others) -> Result<(), ControlError>;

    /// Resets the whole machine; running or not stays as it was.
    fn reset(&self);

    /// Presses the power button: the guest is asked to switch itself off.
    fn powerdown(&self);

    /// Ends the run with an exit code, at once and without asking the guest. Images are flushed and closed.
    fn quit(&self, code: i32);

    /// A new queue of all events from now on. Drop it to unsubscribe.
    fn subscribe(&self) -> Receiver<Event>;

    /// All processors in order of their numbers.
    fn cpus(&self) -> Vec<CpuInfo>;

    /// What the guest's architecture is.
    fn guest(&self) -> Guest;

    /// The registers that every processor has; the same for the whole run. The first group is the one to show.
    fn register_groups(&self) -> Arc<[RegisterGroup]>;

    /// The values of a group, in its order.
    fn read_group(&self, cpu: CpuId, group: usize) -> Result<Vec<u128>, ControlError>;

    /// Sets a register; bits beyond its width are ignored.
    fn write_register(&self, cpu: CpuId, register: RegisterId, value: u128) -> Result<(), ControlError>;

    /// Fills `out` from memory. Fails at the first byte that is not RAM or ROM; `out` is valid up to there.
    fn read_memory(&self, space: AddressSpace, address: u64, out: &mut [u8]) -> Result<(), ControlError>;

    /// Writes `data`, through write protection of ROM and of translation tables; code caches notice.
    fn write_memory(&self, space: AddressSpace, address: u64, data: &[u8]) -> Result<(), ControlError>;

    /// Walks the tables for `address` as a read at the processor's current exception level.
    fn translate(&self, cpu: CpuId, address: u64) -> Result<Translation, ControlError>;

    /// `count` instructions from `address`; ends early where memory does.
    fn disassemble(
        &self,
        space: AddressSpace,
        address: u64,
        count: usize,
    ) -> Result<Vec<DisasmLine>, ControlError>;

    /// Adds a breakpoint or watchpoint for all processors.
    fn add_breakpoint(&self, breakpoint: Breakpoint) -> Result<BreakpointId, ControlError>;

    /// Removes one; false if there was none of that id.
    fn remove_breakpoint(&self, id: BreakpointId) -> bool;

    /// All that are set.
    fn breakpoints(&self) -> Vec<(BreakpointId, Breakpoint)>;

    /// A report as text, lines ended by `\n`.
    fn report(&self, report: Report) -> Result<String, ControlError>;

    /// What the machine shows and takes, where people sit before it.
    fn seat(&self) -> Seat;

    /// Changes what engines write to the debug log.
    fn set_debug_items(&self, items: DebugItems);

    /// What engines write to the debug log.
    fn debug_items(&self) -> DebugItems;
}

/// Takes events off `events` until the guest stops or ends, for `timeout` at most; `None` on timeout or when the
/// machine is gone.
pub fn wait_for_stop(events: &Receiver<Event>, timeout: std::time::Duration) -> Option<Event> {
    let deadline = std::time::Instant::now() + timeout;
    loop {
        match events.recv_deadline(deadline) {
            Ok(event @ (Event::Stopped { .. } | Event::Shutdown(_))) => return Some(event),
            Ok(Event::Resumed | Event::Reset) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn wait_for_stop_skips_what_is_no_stop() {
        let (tx, rx) = crossbeam::channel::unbounded();
        let stop = Event::Stopped { cpu: CpuId(1), reason: StopReason::StepDone };
        for event in [Event::Resumed, Event::Reset, stop.clone()] {
            tx.send(event).expect("the receiver lives");
        }
        assert_eq!(wait_for_stop(&rx, Duration::from_secs(1)), Some(stop));
        assert_eq!(wait_for_stop(&rx, Duration::ZERO), None);
        drop(tx);
        assert_eq!(wait_for_stop(&rx, Duration::from_secs(60)), None);
    }
}
