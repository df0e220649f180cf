//! Running a report's instructions again, on both engines and on nothing but what the report holds.

use super::lockstep::{Place, probe};
use super::report::MARK;
use super::{Verified, translator};
use crate::target::Target;
use lyrebird_cpu::arm::Arm64;
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Core, Physical};
use lyrebird_cpu::journal::{Event, Journal, Tape};
use lyrebird_cpu::slot::RegFile;
use lyrebird_cpu::x86::X64;
use lyrebird_jit::cache::Options;
use lyrebird_jit::opt::seeded;
use lyrebird_jit::region::Limits;
use lyrebird_ram::GuestRam;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

/// Pages that a report may have.
const PAGES: usize = 16384;

/// What came of it.
pub struct Replayed {
    /// For people.
    pub text: String,
    /// Whether the engines differ.
    pub differs: bool,
}

/// What a report holds.
#[derive(Default)]
struct Case {
    features: u64,
    count: u64,
    limits: Limits,
    fault: Option<&'static seeded::Fault>,
    file: RegFile,
    /// Of [`Verified::extras`].
    extras: Vec<String>,
    /// Physical address, whether it is writable, bytes.
    pages: Vec<(u64, bool, Vec<u8>)>,
    tape: Vec<Event>,
}

/// Runs the instructions of a report again.
///
/// # Errors
/// When the text is no report, with its line, or the host cannot.
pub fn replay(report: &str) -> Result<Replayed, String> {
    let mut lines = report.lines().skip_while(|line| *line != MARK);
    // Reports of old do not say whose they are.
    match lines.find_map(|line| line.strip_prefix("guest ")).unwrap_or(Arm64::NAME) {
        Arm64::NAME => replay_on::<Arm64>(report),
        X64::NAME => replay_on::<X64>(report),
        other => Err(format!("it is about a guest that is not known here: `{other}`")),
    }
}

fn replay_on<T: Verified>(report: &str) -> Result<Replayed, String> {
    let case = parse::<T>(report)?;
    let host = |e: std::io::Error| format!("the host cannot: {e}");
    let ram = GuestRam::new((case.pages.len().max(1) as u64) << 12).map_err(|e| e.to_string())?;
    let mut windows = HashMap::new();
    for (n, (pa, writable, bytes)) in case.pages.iter().enumerate() {
        let at = (n as u64) << 12;
        ram.write_bytes(at, bytes).map_err(|e| e.to_string())?;
        windows.insert(*pa, (at, *writable));
    }
    let tape = Arc::new(Mutex::new(Tape::of(case.tape)));
    let code = Arc::new(CodeMap::new(ram.len()));
    let mut core = Core::new(T::bare(&tape), case.features, 0, ram, Arc::new(Windows(windows)), code);
    for name in &case.extras {
        T::set_extra(&mut core, name);
    }
    core.journal = Some(Box::new(Journal::with(tape)));
    let options = Options { size: 4 << 20, fault: case.fault, ..Options::default() };
    let mut engine = translator(&options, case.limits, case.features).map_err(host)?;
    let pc = case.file.word(T::PC.offset() / 8);
    let place = Place { file: case.file, stores: 0, asked: 0 };
    let found = probe(&mut core, &mut engine, &place, case.count);
    let mut text = format!("{} instructions from {pc:#x} on", case.count);
    if let Some(fault) = case.fault {
        let _ = write!(text, ", with the seeded fault {}", fault.name);
    }
    if found.is_empty() {
        text.push_str(": the engines agree; the difference does not repeat\n");
    } else {
        text.push_str(": the engines disagree\n");
        for line in &found {
            let _ = writeln!(text, "  {line}");
        }
    }
    Ok(Replayed { text, differs: !found.is_empty() })
}

fn parse<T: Verified>(report: &str) -> Result<Case, String> {
    let mut lines = report.lines().enumerate().skip_while(|(_, line)| *line != MARK);
    if lines.next().is_none() {
        return Err(format!("no report of -accel verify: there is no line `{MARK}`"));
    }
    let mut case = Case::default();
    for (n, line) in lines {
        entry::<T>(&mut case, line).ok_or_else(|| format!("line {}: `{line}` is damaged", n + 1))?;
    }
    Ok(case)
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// Adds a line. `None` if it means nothing.
fn entry<T: Verified>(case: &mut Case, line: &str) -> Option<()> {
    let mut words = line.split(' ');
    match words.next()? {
        "features" => case.features = number(words.next()?)?,
        "count" => case.count = number(words.next()?).filter(|n| (1..=1 << 20).contains(n))?,
        "limits" => {
            let (blocks, instructions) = (number(words.next()?)?, number(words.next()?)?);
            let small = |x: u64| (1..=4096).contains(&x).then_some(x);
            let (blocks, instructions) = (small(blocks)? as usize, small(instructions)? as u32);
            case.limits = Limits { blocks, instructions, overlap: false };
        }
        "fault" => case.fault = Some(seeded::find(words.next()?)?),
        "guest" => {}
        extra if T::is_extra(extra) => case.extras.push(extra.into()),
        "word" => {
            let at = number(words.next()?).filter(|at| *at < T::WORDS as u64)?;
            case.file.set_word(at as u16, number(words.next()?)?);
        }
        "page" => {
            let pa = number(words.next()?).filter(|pa| pa & 0xFFF == 0 && case.pages.len() < PAGES)?;
            case.pages.push((pa, words.next()? == "rw", vec![0; 4096]));
        }
        "at" => {
            let at = number(words.next()?).filter(|at| *at <= 4096 - 32)? as usize;
            let hex = words.next()?;
            let into = case.pages.last_mut()?.2.get_mut(at..at + 32)?;
            for (i, byte) in into.iter_mut().enumerate() {
                *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
            }
        }
        "asked" => {
            let mut question = [0; 4];
            for q in &mut question {
                *q = number(words.next()?)?;
            }
            let answer = match words.next()? {
                "none" => None,
                x => Some(number(x)?),
            };
            case.tape.push(Event { question, answer });
        }
        _ => return None,
    }
    Some(())
}

/// The pages of the report.
struct Windows(HashMap<u64, (u64, bool)>);

impl Physical for Windows {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        self.0.get(&pa).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_reports_are_refused() {
        for (text, says) in [
            ("nothing", "no line `Replay:`"),
            ("Replay:\ncount 0", "line 2"),
            ("Replay:\nat 0 00", "line 2"),
            ("Replay:\nfeatures 1\npage 123 rw", "line 3"),
            ("Replay:\nword 1c0 1", "line 2"),
            ("Replay:\nfault none-such", "line 2"),
            ("Replay:\nlimits 0 0", "line 2"),
        ] {
            let error = replay(text).map(|r| r.text).expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_case_runs_on_its_own() {
        // mov x0, #1; b .-4 at physical address 0x1000 with the MMU off.
        let mut bytes = vec![0x20, 0x00, 0x80, 0xD2, 0xFF, 0xFF, 0xFF, 0x17];
        bytes.resize(32, 0);
        let hex = bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let report = format!(
            "Replay:\nfeatures 0\ncount 5\nlimits 18 80\nword 20 1000\nword 26 5\npage 1000 rw\nat 0 {hex}\n"
        );
        let done = replay(&report).expect("a report");
        assert!(!done.differs && done.text.contains("agree"), "{}", done.text);
    }
}
