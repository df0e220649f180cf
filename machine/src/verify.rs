//! `-accel verify`: interpreter and compiled code in lockstep on the real guest.
//!
//! Both run the same number of instructions from the same state; what the first asked of devices and board is on a tape
//! that answers the second, and what it stored is taken back in between. The register files and all that was stored are
//! then compared. On a difference the run is halved until the first instruction after which the two differ is found, with
//! blocks of one instruction if the difference shows with those.
//!
//! Interrupts are taken between runs only. One processor only: others would change RAM in the middle of a run.

use crate::control::Shutdown;
use crate::engine::Engine;
use crate::shared::{Request, Shared};
use lyrebird_cpu::arm::{Arm64, Platform, Timer, context, exception, maintenance::Forget};
use lyrebird_cpu::core::{Attention, Core};
use lyrebird_cpu::journal::{self, Journal, SharedTape};
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::slot::RegFile;
use lyrebird_jit::disasm;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Instructions of one run.
const RUN: u64 = 4096;
/// Instructions before the one that differs that a report shows.
const TRAIL: u64 = 64;
/// First word of the register file that belongs to engines.
const ENGINE_WORDS: usize = lyrebird_cpu::arm::state::ENGINE as usize;

/// The board behind a tape.
struct Taped {
    tape: SharedTape,
    board: Arc<dyn Platform>,
}

impl Taped {
    fn ask(&self, question: [u64; 4], ask: impl FnOnce() -> Option<u64>) -> Option<u64> {
        journal::lock(&self.tape).ask(question, ask)
    }
}

impl Platform for Taped {
    fn counter(&self) -> u64 {
        self.ask([2, 0, 0, 0], || Some(self.board.counter())).unwrap_or(0)
    }
    fn timer(&self, cpu: usize, which: Timer, control: u32, compare: u64) {
        self.ask([3, which as u64, control as u64, compare], || {
            self.board.timer(cpu, which, control, compare);
            None
        });
    }
    fn read_register(&self, cpu: usize, code: u32) -> Option<u64> {
        self.ask([4, code as u64, 0, 0], || self.board.read_register(cpu, code))
    }
    fn write_register(&self, cpu: usize, code: u32, value: u64) -> Option<()> {
        self.ask([5, code as u64, value, 0], || self.board.write_register(cpu, code, value).map(|()| 0))
            .map(|_| ())
    }
    fn firmware(&self, cpu: usize, smc: bool, args: [u64; 4]) -> Option<u64> {
        self.ask([6, args[0], args[1], args[2]], || self.board.firmware(cpu, smc, args))
    }
    fn broadcast(&self, _: usize, _: Forget, _: &mut dyn FnMut()) {}
    fn mail(&self, _: usize) -> Vec<Forget> {
        Vec::new()
    }
    fn random(&self) -> u64 {
        self.ask([7, 0, 0, 0], || Some(self.board.random())).unwrap_or(0)
    }
    fn semihosting(&self) -> bool {
        self.board.semihosting()
    }
    fn console(&self, text: &[u8]) {
        self.ask([8, text.len() as u64, 0, 0], || {
            self.board.console(text);
            None
        });
    }
    fn exit(&self, code: i32) {
        self.ask([9, code as u64, 0, 0], || {
            self.board.exit(code);
            None
        });
    }
}

/// State after a run.
struct After {
    file: RegFile,
    mode: u32,
    halted: bool,
    /// Bytes stored, by RAM offset of 8-byte words.
    words: BTreeMap<u64, u64>,
}

/// The lockstep engine.
pub struct Verify {
    compiled: Box<dyn Engine>,
    single: Box<dyn Engine>,
    shared: Arc<Shared>,
    tape: SharedTape,
    outside: Option<Arc<Attention>>,
    instructions: u64,
    runs: u64,
}

impl Verify {
    /// Compares the interpreter with `compiled`; `single` is the same engine with blocks of one instruction.
    pub fn new(compiled: Box<dyn Engine>, single: Box<dyn Engine>, shared: &Arc<Shared>) -> Self {
        Self {
            compiled,
            single,
            shared: Arc::clone(shared),
            tape: SharedTape::default(),
            outside: None,
            instructions: 0,
            runs: 0,
        }
    }

    /// Puts tape and journal between the core and the outside.
    fn isolate(&mut self, core: &mut Core<Arm64>) -> Arc<Attention> {
        if let Some(outside) = &self.outside {
            return Arc::clone(outside);
        }
        let outside = std::mem::take(&mut core.attention);
        let board = Arc::clone(&core.arch.platform);
        core.arch.platform = Arc::new(Taped { tape: Arc::clone(&self.tape), board });
        core.journal = Some(Box::new(Journal::with(Arc::clone(&self.tape))));
        self.outside = Some(Arc::clone(&outside));
        outside
    }

    /// One run of the interpreter or an engine from `before`.
    fn go(core: &mut Core<Arm64>, engine: Option<&mut dyn Engine>, before: &RegFile, count: u64) -> After {
        core.file = before.clone();
        context::refresh(core);
        core.tlb.flush(|_| true);
        core.halted = false;
        match engine {
            Some(engine) => engine.run(core, count),
            None => core.run(count),
        };
        core.code_hit = false;
        let mut words = BTreeMap::new();
        if let Some(j) = &core.journal {
            for (at, len) in j.places() {
                for word in (at & !7..at + len).step_by(8) {
                    words.entry(word).or_insert_with(|| core.ram.read::<u64>(word).unwrap_or(0));
                }
            }
        }
        After { file: core.file.clone(), mode: core.mode, halted: core.halted, words }
    }

    fn take_back(core: &mut Core<Arm64>) {
        let Some(mut j) = core.journal.take() else { return };
        let code = Arc::clone(&core.code);
        j.take_back(&core.ram, |at, len| {
            for word in (at & !7..at + len).step_by(8) {
                code.stored(word, 8);
            }
        });
        core.journal = Some(j);
    }

    /// What differs, in words.
    fn differences(&self, a: &After, b: &After) -> Vec<String> {
        let mut found = Vec::new();
        let pairs = a.file.words()[..ENGINE_WORDS].iter().zip(&b.file.words()[..ENGINE_WORDS]);
        for (i, (x, y)) in pairs.enumerate().filter(|(_, (x, y))| x != y) {
            found.push(format!("{}: interpreter {x:#x}, compiled {y:#x}", word_name(i)));
        }
        if a.mode != b.mode {
            found.push(format!("mode word: interpreter {:#x}, compiled {:#x}", a.mode, b.mode));
        }
        if a.halted != b.halted {
            found.push(format!("waiting: interpreter {}, compiled {}", a.halted, b.halted));
        }
        for at in a.words.keys().chain(b.words.keys().filter(|k| !a.words.contains_key(k))) {
            match (a.words.get(at), b.words.get(at)) {
                (x, y) if x == y => {}
                (Some(x), Some(y)) => found.push(format!("RAM+{at:#x}: interpreter {x:#x}, compiled {y:#x}")),
                (Some(x), None) => {
                    found.push(format!("RAM+{at:#x}: interpreter stored {x:#x}, compiled nothing"))
                }
                (None, Some(y)) => {
                    found.push(format!("RAM+{at:#x}: compiled stored {y:#x}, interpreter nothing"))
                }
                (None, None) => {}
            }
        }
        let tape = journal::lock(&self.tape);
        if let Some((asked, expected)) = &tape.strayed {
            found.push(format!("outside: compiled asked {asked:x?}, interpreter {expected:x?}"));
        }
        found
    }

    /// Runs both for `count` instructions from `before` on the recorded tape; what differs.
    fn probe(
        &mut self,
        core: &mut Core<Arm64>,
        before: &RegFile,
        count: u64,
        single: bool,
    ) -> (After, After, Vec<String>) {
        journal::lock(&self.tape).replay();
        let a = Self::go(core, None, before, count);
        Self::take_back(core);
        journal::lock(&self.tape).replay();
        let engine = if single { &mut *self.single } else { &mut *self.compiled };
        let b = Self::go(core, Some(engine), before, count);
        Self::take_back(core);
        let found = self.differences(&a, &b);
        (a, b, found)
    }

    /// Finds the first instruction after which the two differ, and reports it.
    fn report_divergence(
        &mut self,
        core: &mut Core<Arm64>,
        before: &RegFile,
        count: u64,
        first: Vec<String>,
    ) {
        let single = !self.probe(core, before, count, true).2.is_empty();
        let (mut same, mut differ) = (0, count);
        while differ - same > 1 {
            let middle = (same + differ) / 2;
            if self.probe(core, before, middle, single).2.is_empty() {
                same = middle;
            } else {
                differ = middle;
            }
        }
        let (_, _, mut found) = self.probe(core, before, differ, single);
        let repeats = !found.is_empty();
        if !repeats {
            found = first;
        }
        journal::lock(&self.tape).replay();
        let lead = (differ - 1).min(TRAIL);
        let mut at = Self::go(core, None, before, differ - 1 - lead);
        let mut trail = Vec::new();
        for _ in 0..lead {
            let pc = core.pc();
            let word = core.fetch(pc).ok().and_then(|ram| core.ram.read::<u32>(ram).ok()).unwrap_or(0);
            trail.push(format!("{pc:#x}: {word:08x} {}", disasm::a64(word, pc)));
            core.run(1);
        }
        at.file = core.file.clone();
        let pc = core.pc();
        let word = core.fetch(pc).ok().and_then(|ram| core.ram.read::<u32>(ram).ok());
        Self::take_back(core);
        let mut text = String::new();
        let what = match word {
            Some(w) => format!("{pc:#x}: {w:08x} {}", disasm::a64(w, pc)),
            None => format!("{pc:#x}: not fetched"),
        };
        let _ = writeln!(
            text,
            "Engines disagree after instruction {} of this run at",
            self.instructions + differ
        );
        let _ = writeln!(text, "  {what}");
        if !repeats {
            let _ = writeln!(
                text,
                "(the difference did not show again: it depends on what was compiled when; the differences are those \
                 at the end of the run of {count} instructions)"
            );
        } else if !single {
            let _ = writeln!(
                text,
                "(the difference needs whole blocks: the instruction is the last of the block that differs)"
            );
        }
        let _ = writeln!(text, "Differences:");
        for line in found.iter().take(40) {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text, "Instructions before it:");
        for line in trail {
            let _ = writeln!(text, "  {line}");
        }
        let _ = writeln!(text, "State before it:");
        for (i, x) in at.file.words()[..ENGINE_WORDS].iter().enumerate().filter(|(_, x)| **x != 0) {
            let _ = writeln!(text, "  {} = {x:#x}", word_name(i));
        }
        let path = PathBuf::from(format!("lyrebird-divergence-{}.txt", std::process::id()));
        let place = match std::fs::write(&path, &text) {
            Ok(()) => format!("; report in {}", path.display()),
            Err(e) => format!("; the report could not be written to {}: {e}", path.display()),
        };
        log::error!("{text}");
        let first = found.first().cloned().unwrap_or_default();
        self.shared.request(Request::Shutdown(Shutdown::Divergence(format!("{what}: {first}{place}"))));
    }
}

/// The name of a word of the register file.
fn word_name(i: usize) -> String {
    use lyrebird_cpu::arm::sysreg::ROWS;
    match i {
        0..=30 => format!("X{i}"),
        31 => "SP".into(),
        32 => "PC".into(),
        33 => "NZCV".into(),
        40 => "FPCR".into(),
        41 => "FPSR".into(),
        64..=127 => format!("V{}{}", (i - 64) / 2, if i.is_multiple_of(2) { " low" } else { " high" }),
        _ => ROWS
            .iter()
            .find(|r| r.slot.offset() as usize == i * 8)
            .map_or_else(|| format!("word {i}"), |r| r.name.to_string()),
    }
}

impl Engine for Verify {
    fn run(&mut self, core: &mut Core<Arm64>, budget: u64) -> Exit {
        let outside = self.isolate(core);
        let mut left = budget;
        while left > 0 {
            let bits = outside.bits();
            if bits & Attention::STOP != 0 {
                return Exit::Attention;
            }
            if bits & core.poll_mask & (Attention::IRQ | Attention::FIQ) != 0 {
                let inside = std::mem::replace(&mut core.attention, Arc::clone(&outside));
                exception::interrupt(core);
                core.attention = inside;
            }
            core.attention.clear(u32::MAX);
            let before = core.file.clone();
            let icount = core.icount;
            journal::lock(&self.tape).record();
            let a = Self::go(core, None, &before, RUN.min(left));
            let count = core.icount - icount;
            Self::take_back(core);
            core.attention.clear(u32::MAX);
            journal::lock(&self.tape).replay();
            let b = Self::go(core, Some(&mut *self.compiled), &before, count);
            let found = self.differences(&a, &b);
            if !found.is_empty() {
                Self::take_back(core);
                self.report_divergence(core, &before, count, found);
                return Exit::Attention;
            }
            if let Some(j) = &mut core.journal {
                j.keep();
            }
            core.icount = icount + count;
            self.instructions += count;
            self.runs += 1;
            left -= count.min(left);
            if core.halted && outside.bits() & (Attention::IRQ | Attention::FIQ) == 0 {
                return Exit::Halted;
            }
            core.halted = false;
        }
        Exit::Budget
    }

    fn report(&self) -> String {
        format!(
            "Verified: {} instructions in {} runs\n{}",
            self.instructions,
            self.runs,
            self.compiled.report()
        )
    }

    fn summary(&self) -> Option<String> {
        Some(format!("verify: {} instructions compared, no divergence", self.instructions))
    }
}
