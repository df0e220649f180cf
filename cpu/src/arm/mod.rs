//! Arm processors. AArch64 at EL0 and EL1; EL2, EL3 and AArch32 have their place (the mode word, `a32/`) and are not
//! there yet.

pub mod a64;
pub mod calls;
pub mod context;
pub mod debug;
pub mod describe;
pub mod emit;
pub mod exception;
pub mod exclusive;
pub mod features;
pub mod maintenance;
pub mod masks;
pub mod mode;
pub mod model;
pub mod pauth;
pub mod pmu;
pub mod qarma;
pub mod regs;
pub mod semihosting;
pub mod state;
pub mod sysreg;
pub mod walk;

use crate::core::{Arch, Core, Handler, Mapping, Raised, Want};
use crate::emit::{Access, Cx};
use crate::op::nzcv;
use crate::places::Even;
use crate::slot::Slot;
use crate::table::Word;
use crate::width::{W32, W64};
use std::sync::Arc;

/// The generic timers of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// EL1 physical timer
    Physical,
    /// EL1 virtual timer
    Virtual,
    /// performance monitors: the time of the next overflow that interrupts
    Monitors,
}

/// Frequency of the system counter in Hz (CNTFRQ_EL0).
pub const FREQUENCY: u64 = 62_500_000;

/// What a processor asks of its board.
pub trait Platform: Send + Sync {
    /// The system counter, in ticks of [`FREQUENCY`].
    fn counter(&self) -> u64 {
        0
    }
    /// Nanoseconds of virtual time, at a finer grain than the counter's if there is one.
    fn nanoseconds(&self) -> u64 {
        self.counter().wrapping_mul(1_000_000_000 / FREQUENCY)
    }
    /// A timer's control (ENABLE, IMASK) or compare value changed.
    fn timer(&self, _cpu: usize, _which: Timer, _control: u32, _compare: u64) {}
    /// Reads a register of the interrupt controller; `None` if there is none of that encoding.
    fn read_register(&self, _cpu: usize, _code: u32) -> Option<u64> {
        None
    }
    /// Writes one.
    fn write_register(&self, _cpu: usize, _code: u32, _value: u64) -> Option<()> {
        None
    }
    /// A firmware call by HVC or SMC with X0 to X3: the value for X0, or `None` where that conduit is undefined.
    fn firmware(&self, _cpu: usize, _smc: bool, _args: [u64; 4]) -> Option<u64> {
        None
    }
    /// Sends maintenance to all other processors and waits until none can use what it removes. While waiting it calls
    /// `meanwhile`, which handles the sender's own mail.
    fn broadcast(&self, _from: usize, _what: maintenance::Forget, _meanwhile: &mut dyn FnMut()) {}
    /// A processor waits for another one: lets others run.
    fn give_way(&self, _cpu: usize) {
        std::thread::yield_now();
    }
    /// What was sent to a processor since it last looked.
    fn mail(&self, _cpu: usize) -> Vec<maintenance::Forget> {
        Vec::new()
    }
    /// 64 random bits.
    fn random(&self) -> u64 {
        0
    }
    /// Seconds since 1970-01-01T00:00:00Z.
    fn time(&self) -> u64 {
        std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs())
    }
    /// Whether semihosting calls are served.
    fn semihosting(&self) -> bool {
        false
    }
    /// Prints what semihosting prints.
    fn console(&self, _text: &[u8]) {}
    /// Ends the machine with an exit code.
    fn exit(&self, _code: i32) {}
}

/// The AArch64 architecture: what a processor has besides its register file.
pub struct Arm64 {
    /// The board.
    pub platform: Arc<dyn Platform>,
    /// Versions behind the exclusive monitors of all processors.
    pub versions: Arc<exclusive::Versions>,
    /// There are other processors.
    pub smp: bool,
    /// The address space that the TLB's kernel banks hold non-global entries of.
    pub asid: u32,
    /// Names of fetch translations.
    pub spaces: context::Spaces,
    /// Guarded pages have been executed.
    pub guarded: bool,
    /// The page that was last translated for execution is guarded.
    pub guarded_page: bool,
    /// Exceptions in a row that their vector's own first instruction took to the same vector: see
    /// [`exception::FOR_EVER`].
    pub stuck: u32,
}

impl Arm64 {
    /// An architecture state on a board.
    pub fn new(platform: Arc<dyn Platform>, versions: Arc<exclusive::Versions>, smp: bool) -> Self {
        Self {
            platform,
            versions,
            smp,
            asid: 0,
            spaces: context::Spaces::default(),
            guarded: false,
            guarded_page: false,
            stuck: 0,
        }
    }
}

impl Arch for Arm64 {
    type Insn = Word;
    type Places<T: Copy + Send> = Even<T, 1024>;
    const PC: Slot<W64> = state::PC;
    const GENERAL: u16 = 32;
    const ALIGN: u64 = 4;
    const FLOATING_BUS: bool = false;
    const POLL_MASK: Slot<W32> = state::POLL_MASK;
    const FP_CONTROL: Slot<W32> = state::FPCR;
    const FP_STATUS: Slot<W32> = state::FPSR;
    const FLAGS: Slot<W32> = state::NZCV;
    const FLAG_BITS: u32 = nzcv::ALL;

    fn translate(core: &mut Core<Self>, va: u64, want: Want, k: Access) -> Result<Mapping, Raised> {
        walk::translate(core, va, want, k.unprivileged)
    }
    fn misaligned(core: &mut Core<Self>, va: u64, want: Want) -> Raised {
        exception::misaligned(core, va, want)
    }
    fn unanswered(core: &mut Core<Self>, va: u64, want: Want) -> Raised {
        exception::unanswered(core, va, want)
    }
    fn strict(mode: u32) -> bool {
        mode & mode::STRICT != 0
    }
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
    fn before_fetch(core: &mut Core<Self>) -> Result<(), Raised> {
        debug::before_fetch(core)
    }
    fn before(core: &mut Core<Self>) -> Result<(), Raised> {
        debug::before(core)
    }
    fn after(core: &mut Core<Self>) {
        debug::after(core);
    }
    fn access(
        core: &mut Core<Self>,
        at: u64,
        size: u64,
        how: [bool; 2],
        unprivileged: bool,
    ) -> Result<(), Raised> {
        debug::access(core, at, size, how, unprivileged)
    }
    fn mail(core: &mut Core<Self>) {
        maintenance::receive(core);
    }
    fn describe(core: &Core<Self>) -> String {
        describe::registers(core)
    }
    fn clock(core: &Core<Self>) -> u64 {
        core.arch.platform.counter()
    }
    fn decode(bytes: &[u8], cx: Cx) -> Option<(Handler<Self>, Word)> {
        let word = u32::from_le_bytes(*bytes.first_chunk()?);
        let row = a64::interp_table().find(word, cx.features);
        Some((
            row.map_or(crate::step!(Core<Self>, a64::undefined::<Core<Self>>), |(_, row)| row.handler(word)),
            Word::from(word),
        ))
    }
}
