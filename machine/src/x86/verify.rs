//! x86 processors under `-accel verify`: the names of their words, and their board behind a tape. What a processor asks
//! of its board is recorded, and answered from the tape when it asks again.

use crate::verify::Verified;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::journal::{self, SharedTape};
use lyrebird_cpu::x86::maintenance::Forget;
use lyrebird_cpu::x86::{Platform, X64, context, model, state};
use std::sync::Arc;

/// What a report says of the model, before its name and switches.
const MODEL: &str = "model=";
/// Address line 20 is masked.
const A20_OFF: &str = "a20=off";

const GENERAL: [&str; 8] = ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI"];
const SEGMENTS: [&str; 8] = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"];

/// Words with a name of their own.
const NAMED: &[(u16, &str)] = &[
    (state::PC.offset(), "PC"),
    (state::FLAGS.offset(), "FLAGS"),
    (state::EFLAGS.offset(), "EFLAGS"),
    (state::POLL_MASK.offset(), "admitted requests"),
    (state::MXCSR.offset(), "MXCSR"),
    (state::FP_CONTROL.offset(), "vector control"),
    (state::FP_STATUS.offset(), "MXCSR's flags"),
    (state::CPL.offset(), "CPL"),
    (state::SHADOW.offset(), "interrupt shadow"),
    (state::BLOCKED.offset(), "blocked"),
    (state::DEBUG_PENDING.offset(), "pending debug conditions"),
    (state::CR0.offset(), "CR0"),
    (state::CR2.offset(), "CR2"),
    (state::CR3.offset(), "CR3"),
    (state::CR4.offset(), "CR4"),
    (state::EFER.offset(), "EFER"),
    (state::XCR0.offset(), "XCR0"),
    (state::FCW.offset(), "FCW"),
    (state::FSW.offset(), "FSW"),
    (state::FTW.offset(), "FTW"),
    (state::FOP.offset(), "FOP"),
    (state::FIP.offset(), "FIP"),
    (state::FDP.offset(), "FDP"),
    (state::DR6.offset(), "DR6"),
    (state::DR7.offset(), "DR7"),
    (state::GDT_BASE.offset(), "GDTR base"),
    (state::IDT_BASE.offset(), "IDTR base"),
    (state::KERNEL_GS_BASE.offset(), "KERNEL_GS_BASE"),
];

impl Verified for X64 {
    const WORDS: usize = state::ENGINE as usize;

    fn word_name(word: usize) -> String {
        let part = |from: usize| SEGMENTS.get((word - from) % 8).copied().unwrap_or_default();
        let half = if word.is_multiple_of(2) { "low" } else { "high" };
        match word {
            0..=7 => GENERAL.get(word).copied().unwrap_or_default().into(),
            8..=15 => format!("R{word}"),
            32..=39 => part(32).into(),
            40..=47 => format!("{} base", part(40)),
            48..=55 => format!("{} limit", part(48)),
            56..=63 => format!("{} attributes", part(56)),
            64..=79 | 88..=95 => format!("{} bounds", part(64)),
            96..=111 => format!("x87 register {} {half}", (word - 96) / 2),
            128..=159 => format!("XMM{} {half}", (word - 128) / 2),
            160..=191 => format!("YMM{} upper half, {half}", (word - 160) / 2),
            _ => NAMED
                .iter()
                .find(|(offset, _)| usize::from(*offset) == word * 8)
                .map_or_else(|| format!("word {word}"), |(_, name)| (*name).into()),
        }
    }

    fn tape(core: &mut Core<Self>, tape: &SharedTape) {
        let board = Arc::clone(&core.arch.platform);
        core.arch.platform = Arc::new(Taped { tape: Arc::clone(tape), board });
    }

    fn bare(tape: &SharedTape) -> Self {
        let platform = Arc::new(Taped { tape: Arc::clone(tape), board: Arc::new(Nowhere) });
        let mut arch = Self::new(platform, 1);
        arch.cpuid = model::Configured::default().cpuid;
        arch
    }

    fn refresh(core: &mut Core<Self>) {
        context::replaced(core);
    }

    fn forget_fetches(core: &mut Core<Self>) {
        context::new_spaces(core);
    }

    fn table_changes(core: &Core<Self>) -> u64 {
        core.arch.spaces.walks
    }

    fn extras(core: &Core<Self>) -> Vec<String> {
        let mut extras = vec![format!("{MODEL}{}", core.arch.cpuid.spec)];
        if !core.arch.a20 {
            extras.push(A20_OFF.into());
        }
        extras
    }

    fn is_extra(word: &str) -> bool {
        word == A20_OFF || word.strip_prefix(MODEL).is_some_and(|spec| model::configure(spec).is_ok())
    }

    fn set_extra(core: &mut Core<Self>, word: &str) {
        if word == A20_OFF {
            core.arch.a20 = false;
        }
        if let Some(Ok(what)) = word.strip_prefix(MODEL).map(model::configure) {
            core.arch.cpuid = what.cpuid;
        }
    }
}

/// A board behind a tape that answers everything.
struct Nowhere;

impl Platform for Nowhere {}

/// The board behind a tape.
struct Taped {
    tape: SharedTape,
    board: Arc<dyn Platform>,
}

impl Taped {
    fn ask(&self, question: [u64; 4], ask: impl FnOnce() -> Option<u64>) -> Option<u64> {
        journal::lock(&self.tape).ask(question, ask)
    }

    fn tell(&self, question: [u64; 4], tell: impl FnOnce()) {
        self.ask(question, || {
            tell();
            None
        });
    }
}

impl Platform for Taped {
    fn nanoseconds(&self) -> u64 {
        self.ask([10, 0, 0, 0], || Some(self.board.nanoseconds())).unwrap_or(0)
    }
    fn port_read(&self, cpu: usize, port: u16, size: u32) -> u32 {
        let read = || Some(self.board.port_read(cpu, port, size).into());
        self.ask([2, port.into(), size.into(), 0], read).unwrap_or(0) as u32
    }
    fn port_write(&self, cpu: usize, port: u16, size: u32, value: u32) {
        let question = [3, port.into(), size.into(), value.into()];
        self.tell(question, || self.board.port_write(cpu, port, size, value));
    }
    fn acknowledge(&self, cpu: usize) -> Option<u8> {
        // Interrupts are taken between runs.
        self.board.acknowledge(cpu)
    }
    fn read_msr(&self, cpu: usize, msr: u32) -> Option<u64> {
        self.ask([4, msr.into(), 0, 0], || self.board.read_msr(cpu, msr))
    }
    fn write_msr(&self, cpu: usize, msr: u32, value: u64) -> Option<()> {
        let write = || self.board.write_msr(cpu, msr, value).map(|()| 0);
        self.ask([5, msr.into(), value, 0], write).map(drop)
    }
    fn task_priority(&self, cpu: usize) -> u8 {
        self.ask([6, 0, 0, 0], || Some(self.board.task_priority(cpu).into())).unwrap_or(0) as u8
    }
    fn set_task_priority(&self, cpu: usize, priority: u8) {
        self.tell([8, priority.into(), 0, 0], || self.board.set_task_priority(cpu, priority));
    }
    fn random(&self) -> u64 {
        self.ask([7, 0, 0, 0], || Some(self.board.random())).unwrap_or(0)
    }
    fn init(&self, cpu: usize) {
        self.board.init(cpu);
    }
    fn fpu_error(&self, cpu: usize) {
        self.tell([9, 0, 0, 0], || self.board.fpu_error(cpu));
    }
    fn triple_fault(&self, cpu: usize) {
        self.tell([11, 0, 0, 0], || self.board.triple_fault(cpu));
    }
    fn a20(&self) -> bool {
        self.board.a20()
    }
    fn broadcast(&self, from: usize, what: Forget, meanwhile: &mut dyn FnMut()) {
        self.board.broadcast(from, what, meanwhile);
    }
    fn mail(&self, cpu: usize) -> Vec<Forget> {
        self.board.mail(cpu)
    }
}
