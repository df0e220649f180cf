//! Makes a mismatch small: the fewest instructions and the simplest state that still show it.

use super::{CODE, RAM, TABLES, VECTORS, WORDS, core};
use lyrebird_cpu::arm::{Arm64, context, state};
use lyrebird_cpu::core::Core;
use lyrebird_jit::disasm;
use std::fmt::Write;

const NOP: u32 = 0xD503_201F;
/// A branch to itself: ends a block, and spends what is left of the steps.
const HERE: u32 = 0x1400_0000;
const PAGE: usize = 4096;
/// Words of registers that programs use.
const REGISTERS: usize = state::SYSREGS as usize;

/// Where a comparison starts, and for how many instructions it goes on.
#[derive(Clone)]
pub struct Case {
    file: Vec<u64>,
    memory: Vec<u8>,
    smp: bool,
    pub steps: u64,
    /// The instructions that are left, once they follow each other from `CODE` on.
    trace: Option<Vec<u32>>,
}

impl Case {
    /// The processor as it is.
    pub fn of(c: &Core<Arm64>, smp: bool, steps: u64) -> Self {
        let mut memory = vec![0; RAM as usize];
        c.ram.read_bytes(0, &mut memory).unwrap();
        Case { file: c.file.words().to_vec(), memory, smp, steps, trace: None }
    }

    /// A processor in this state.
    pub fn start(&self) -> Core<Arm64> {
        let mut c = core(self.smp);
        c.ram.write_bytes(0, &self.memory).unwrap();
        c.file.words_mut().copy_from_slice(&self.file);
        context::refresh(&mut c);
        c
    }

    /// The same for another number of instructions.
    pub fn of_steps(&self, steps: u64) -> Self {
        Case { steps, ..self.clone() }
    }

    /// How many instructions are left, those of vectors aside.
    pub fn instructions(&self) -> usize {
        self.trace.as_ref().map_or_else(|| self.executed().len(), Vec::len)
    }

    /// The case after its first `skip` instructions.
    fn later(&self, skip: u64) -> Self {
        let mut c = self.start();
        c.run(skip);
        Case { trace: self.trace.clone(), ..Case::of(&c, self.smp, self.steps - skip) }
    }

    /// Addresses of the instructions that run, in the order in which they first do. Vectors are left out.
    fn executed(&self) -> Vec<u64> {
        let mut c = self.start();
        let mut all: Vec<u64> = Vec::new();
        for _ in 0..self.steps {
            let pa = c.pc() & 0x3FFF_FFFF;
            if pa + 4 <= RAM && !(VECTORS..VECTORS + 0x1000).contains(&pa) && !all.contains(&pa) {
                all.push(pa);
            }
            c.run(1);
        }
        all
    }

    fn word(&self, pa: u64) -> u32 {
        let at = pa as usize;
        self.memory.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn put(&mut self, pa: u64, word: u32) {
        if let Some(to) = self.memory.get_mut(pa as usize..pa as usize + 4) {
            to.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// The case with these instructions one behind the other, and nothing else.
    fn straight(&self, trace: Vec<u32>, steps: u64) -> Self {
        let mut case = self.clone();
        for i in 0..WORDS + 64 {
            case.put(CODE + i * 4, trace.get(i as usize).copied().unwrap_or(HERE));
        }
        case.file[state::PC.offset() as usize / 8] = CODE;
        (case.trace, case.steps) = (Some(trace), steps);
        case
    }

    /// What is needed to repeat it by hand.
    pub fn text(&self) -> String {
        let mut text = format!("reproduction, {} steps:\n", self.steps);
        let addresses = match &self.trace {
            Some(trace) => (0..trace.len() as u64).map(|i| CODE + i * 4).collect(),
            None => self.executed(),
        };
        for at in addresses {
            let word = self.word(at);
            let _ = writeln!(text, "  {at:#x}: {word:08x}  {}", disasm::a64(word, at));
        }
        for (n, x) in self.file[..REGISTERS].iter().enumerate().filter(|(_, x)| **x != 0) {
            let name = match n {
                0..=30 => format!("x{n}"),
                31 => "sp".into(),
                32 => "pc".into(),
                64.. => format!("v{}[{}]", (n - 64) / 2, n & 1),
                _ => format!("word {n}"),
            };
            let _ = writeln!(text, "  {name} = {x:#x}");
        }
        let words = self.memory.chunks_exact(8).map(|b| b.iter().rev().fold(0u64, |x, b| x << 8 | *b as u64));
        for (at, x) in words.enumerate().map(|(i, x)| (i as u64 * 8, x)).filter(|(_, x)| *x != 0) {
            if !kept(at) {
                let _ = writeln!(text, "  [{at:#x}] = {x:#x}");
            }
        }
        text
    }
}

/// Memory that is no data: code, vectors and tables.
fn kept(at: u64) -> bool {
    let within = |from: u64, len: u64| (from..from + len).contains(&at);
    within(CODE, (WORDS + 64) * 4) || within(VECTORS, 0x1000) || within(TABLES, 0x1000)
}

/// Asks a comparison about candidates.
struct Search<'a> {
    case: Case,
    differs: &'a mut dyn FnMut(&Case) -> bool,
}

impl Search<'_> {
    /// Takes the candidate if it still shows the difference.
    fn accept(&mut self, candidate: Case) -> bool {
        let yes = (self.differs)(&candidate);
        if yes {
            self.case = candidate;
        }
        yes
    }

    /// Starts as late as possible.
    fn late(&mut self) {
        let mut length = 1;
        while length < self.case.steps {
            let candidate = self.case.later(self.case.steps - length);
            if self.accept(candidate) {
                return;
            }
            length *= 2;
        }
    }

    /// Puts what runs in a straight line, then leaves out whatever can be.
    fn straighten(&mut self) {
        let trace: Vec<u32> = self.case.executed().into_iter().map(|at| self.case.word(at)).collect();
        // Exceptions take a few more.
        let steps = trace.len() as u64 * 5 + 1;
        let candidate = self.case.straight(trace, steps);
        if !self.accept(candidate) {
            return self.blank();
        }
        let mut size = self.case.instructions().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.case.instructions() {
                let mut trace = self.case.trace.clone().unwrap_or_default();
                trace.drain(at..(at + size).min(trace.len()));
                let candidate = self.case.straight(trace, self.case.steps);
                if !self.accept(candidate) {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    /// Where a straight line does not show it: leaves addresses alone, and puts NOP wherever it can.
    fn blank(&mut self) {
        for at in self.case.executed() {
            let mut candidate = self.case.clone();
            candidate.put(at, NOP);
            self.accept(candidate);
        }
    }

    fn shorten(&mut self) {
        for by in [64, 16, 4, 1] {
            while self.case.steps > by {
                let candidate = self.case.of_steps(self.case.steps - by);
                if !self.accept(candidate) {
                    break;
                }
            }
        }
    }

    fn registers(&mut self) {
        let needed =
            [state::PC.offset(), state::PSTATE.offset(), state::MODE.offset()].map(|o| o as usize / 8);
        for i in (0..REGISTERS).filter(|i| !needed.contains(i)) {
            let old = self.case.file[i];
            for simple in [0, 1, old & 0xFF, old & 0xFFFF, old & 0xFFFF_FFFF] {
                if simple >= self.case.file[i] {
                    continue;
                }
                let mut candidate = self.case.clone();
                candidate.file[i] = simple;
                if self.accept(candidate) {
                    break;
                }
            }
        }
    }

    /// Clears the data, in ever smaller pieces where something is needed.
    fn data(&mut self) {
        let mut pieces = vec![(0, RAM as usize)];
        for size in [PAGE, 256, 8] {
            let mut left = Vec::new();
            for (at, len) in pieces {
                if !self.clear(at, len) {
                    left.extend((at..at + len).step_by(size).map(|at| (at, size)));
                }
            }
            pieces = left;
        }
        for (at, len) in pieces {
            self.clear(at, len);
        }
    }

    fn clear(&mut self, at: usize, len: usize) -> bool {
        let mut candidate = self.case.clone();
        let mut changed = false;
        for (i, byte) in candidate.memory[at..at + len].iter_mut().enumerate() {
            if *byte != 0 && !kept((at + i) as u64) {
                (*byte, changed) = (0, true);
            }
        }
        !changed || self.accept(candidate)
    }
}

/// The smallest case that can be found from one that `differs`.
pub fn minimise(case: Case, differs: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut search = Search { case, differs };
    search.late();
    search.straighten();
    search.registers();
    search.data();
    // What is simple now may make more instructions needless.
    if search.case.trace.is_some() {
        search.straighten();
    }
    search.shorten();
    search.case
}
