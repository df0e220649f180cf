//! The report of a difference: for people, and behind the line `Replay:` everything that running it again takes.

use super::lockstep::{Place, advance, probe, take_back};
use super::narrow::Culprit;
use super::witness::Witness;
use super::{Verified, translator};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::journal::{self, Event};
use lyrebird_cpu::slot::RegFile;
use lyrebird_jit::cache::Options;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Instructions before the one that differs that are shown.
const TRAIL: u64 = 64;
/// Differences that are shown.
const SHOWN: usize = 40;
/// The line behind which the replayable part begins.
pub(super) const MARK: &str = "Replay:";

/// A report.
pub(super) struct Report {
    /// The instruction.
    pub(super) what: String,
    /// What is logged.
    pub(super) summary: String,
    /// The file.
    pub(super) text: String,
}

/// The instruction at the PC.
fn here<T: Verified>(core: &mut Core<T>) -> String {
    let pc = core.pc();
    let Ok(ram) = core.fetch(pc) else { return format!("{pc:#x}: not fetched") };
    let page = (ram | 0xFFF) + 1;
    let bytes: Vec<u8> = (ram..page).take(T::LONGEST).map_while(|at| core.ram.read::<u8>(at).ok()).collect();
    let Some((len, text)) = T::disassemble(core, &bytes, pc) else {
        return format!("{pc:#x}: ends behind its page");
    };
    let mut line = format!("{pc:#x}: ");
    for unit in bytes[..len.min(bytes.len())].chunks(T::LISTED) {
        unit.iter().rev().for_each(|byte| line += &format!("{byte:02x}"));
    }
    line + " " + &text
}

/// The next `count` instructions, which are run.
fn listing<T: Verified>(core: &mut Core<T>, count: u64) -> Vec<String> {
    (0..count)
        .map(|_| {
            let line = here(core);
            core.run(1);
            line
        })
        .collect()
}

/// Writes the report of a culprit in the run from `before`, before which `earlier` instructions were compared.
pub(super) fn write<T: Verified>(
    culprit: &Culprit,
    core: &mut Core<T>,
    before: &RegFile,
    options: &Options,
    earlier: u64,
) -> Report {
    let lead = culprit.skipped.min(TRAIL);
    advance(core, before, culprit.skipped - lead);
    let trail = listing(core, lead);
    let mut run = listing(core, culprit.needed);
    let what = run.last().cloned().unwrap_or_default();
    let place = advance(core, before, culprit.skipped);
    let (pages, ir, host) = gather(culprit, core, &place, options);
    let mut summary = String::new();
    let number = earlier + culprit.skipped + culprit.needed;
    let _ = writeln!(summary, "Engines disagree after instruction {number} of this run at\n  {what}");
    if !culprit.repeats {
        let _ = writeln!(
            summary,
            "(the difference did not show again: it depends on what was compiled when; what differs, differs at the \
             end of {} instructions)",
            culprit.needed
        );
    } else if culprit.needed > 1 {
        let _ = writeln!(summary, "(when {} instructions are compiled together)", culprit.needed);
    }
    let _ = writeln!(summary, "Differences:");
    for line in culprit.found.iter().take(SHOWN) {
        let _ = writeln!(summary, "  {line}");
    }
    let mut text = summary.clone();
    for (title, lines) in [("Instructions before", trail), ("Instructions run", std::mem::take(&mut run))] {
        let _ = writeln!(text, "{title}:");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = writeln!(text, "State before:");
    let state = place.file.words()[..T::WORDS].iter().enumerate();
    for (i, x) in state.filter(|(_, x)| **x != 0) {
        let _ = writeln!(text, "  {} = {x:#x}", T::word_name(i));
    }
    let _ = writeln!(text, "IR:\n{ir}Host code:\n{host}");
    replayable(&mut text, culprit, core, &place, &pages, options);
    Report { what, summary, text }
}

/// The pages of RAM that the run touches on either engine, and what its start is compiled to.
fn gather<T: Verified>(
    culprit: &Culprit,
    core: &mut Core<T>,
    place: &Place,
    options: &Options,
) -> (BTreeMap<u64, (u64, bool)>, String, String) {
    let witness = Arc::new(Witness::new(Arc::clone(&core.bus)));
    let bus = std::mem::replace(&mut core.bus, witness.clone());
    let (mut ir, mut host) = Default::default();
    if let Ok(mut engine) = translator(options, culprit.limits, core.features) {
        probe(core, &mut engine, place, culprit.needed);
        core.file = place.file.clone();
        T::refresh(core);
        (ir, host) = engine.explain(core);
        take_back(core, place.stores);
    }
    core.bus = bus;
    (witness.pages(), ir, host)
}

fn replayable<T: Verified>(
    text: &mut String,
    culprit: &Culprit,
    core: &Core<T>,
    place: &Place,
    pages: &BTreeMap<u64, (u64, bool)>,
    options: &Options,
) {
    let limits = culprit.limits;
    let _ = writeln!(text, "{MARK}");
    let _ = writeln!(text, "guest {}", T::NAME);
    let _ = writeln!(text, "features {:x}", core.features);
    let _ = writeln!(text, "count {:x}", culprit.needed);
    let _ = writeln!(text, "limits {:x} {:x}", limits.blocks, limits.instructions);
    if let Some(fault) = options.fault {
        let _ = writeln!(text, "fault {}", fault.name);
    }
    for name in T::extras(core) {
        let _ = writeln!(text, "{name}");
    }
    for (i, x) in place.file.words()[..T::WORDS].iter().enumerate().filter(|(_, x)| **x != 0) {
        let _ = writeln!(text, "word {i:x} {x:x}");
    }
    for (&pa, &(ram, writable)) in pages {
        let _ = writeln!(text, "page {pa:x} {}", if writable { "rw" } else { "ro" });
        let mut bytes = [0; 4096];
        if core.ram.read_bytes(ram, &mut bytes).is_ok() {
            for (n, line) in bytes.chunks(32).enumerate().filter(|(_, line)| line.iter().any(|b| *b != 0)) {
                let hex = line.iter().fold(String::new(), |s, b| s + &format!("{b:02x}"));
                let _ = writeln!(text, "at {:x} {hex}", n * 32);
            }
        }
    }
    if let Some(j) = &core.journal {
        for Event { question: [a, b, c, d], answer } in journal::lock(&j.tape).events(place.asked) {
            let answer = answer.map_or("none".to_owned(), |x| format!("{x:x}"));
            let _ = writeln!(text, "asked {a:x} {b:x} {c:x} {d:x} {answer}");
        }
    }
}
