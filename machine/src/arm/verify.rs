//! Arm processors under `-accel verify`: the names of their words, and their board behind a tape. What a processor asks
//! of its board is recorded, and answered from the tape when it asks again.

use crate::verify::Verified;
use lyrebird_cpu::arm::{Arm64, Platform, Timer, context, exclusive, state, sysreg};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::journal::{self, SharedTape};
use std::sync::Arc;

/// The page of the branch's target is guarded.
const GUARDED: &str = "guarded";

impl Verified for Arm64 {
    const WORDS: usize = state::ENGINE as usize;

    fn word_name(word: usize) -> String {
        match word {
            0..=30 => format!("X{word}"),
            31 => "SP".into(),
            32 => "PC".into(),
            33 => "NZCV".into(),
            37 => "PSTATE".into(),
            38 => "MODE".into(),
            40 => "FPCR".into(),
            41 => "FPSR".into(),
            64..=127 => {
                format!("V{}{}", (word - 64) / 2, if word.is_multiple_of(2) { " low" } else { " high" })
            }
            _ => sysreg::ROWS
                .iter()
                .find(|r| r.slot.offset() as usize == word * 8)
                .map_or_else(|| format!("word {word}"), |r| r.name.to_string()),
        }
    }

    fn tape(core: &mut Core<Self>, tape: &SharedTape) {
        let board = Arc::clone(&core.arch.platform);
        core.arch.platform = Arc::new(Taped { tape: Arc::clone(tape), board });
    }

    fn bare(tape: &SharedTape) -> Self {
        let platform = Arc::new(Taped { tape: Arc::clone(tape), board: Arc::new(Nowhere) });
        Self::new(platform, Arc::new(exclusive::Versions::default()), false)
    }

    fn refresh(core: &mut Core<Self>) {
        context::refresh(core);
    }

    fn forget_fetches(core: &mut Core<Self>) {
        context::new_spaces(core);
    }

    fn table_changes(core: &Core<Self>) -> u64 {
        core.arch.spaces.walks
    }

    fn extras(core: &Core<Self>) -> Vec<String> {
        core.arch.guarded.then(|| GUARDED.to_owned()).into_iter().collect()
    }

    fn is_extra(word: &str) -> bool {
        word == GUARDED
    }

    fn set_extra(core: &mut Core<Self>, _: &str) {
        core.arch.guarded = true;
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
}

impl Platform for Taped {
    fn counter(&self) -> u64 {
        self.ask([2, 0, 0, 0], || Some(self.board.counter())).unwrap_or(0)
    }
    fn nanoseconds(&self) -> u64 {
        self.ask([10, 0, 0, 0], || Some(self.board.nanoseconds())).unwrap_or(0)
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
    fn random(&self) -> u64 {
        self.ask([7, 0, 0, 0], || Some(self.board.random())).unwrap_or(0)
    }
    fn time(&self) -> u64 {
        self.ask([11, 0, 0, 0], || Some(self.board.time())).unwrap_or(0)
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
