//! Runs from the same state, and what differs after them.

use super::Verified;
use crate::engine::Engine;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::journal::{self, Tape};
use lyrebird_cpu::slot::RegFile;
use std::collections::BTreeMap;
use std::sync::Arc;

/// State after a run.
pub(super) struct After {
    pub(super) file: RegFile,
    mode: u32,
    halted: bool,
    /// What was stored, by RAM offset of 8-byte words.
    words: BTreeMap<u64, u64>,
}

/// Where runs start: the register file, and how much of journal and tape lies before.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) file: RegFile,
    pub(super) stores: usize,
    pub(super) asked: usize,
}

/// One run of the interpreter, or of an engine, from `from` on.
pub(super) fn go<T: Verified>(
    core: &mut Core<T>,
    engine: Option<&mut dyn Engine<T>>,
    from: &RegFile,
    stores: usize,
    count: u64,
) -> After {
    core.file = from.clone();
    T::refresh(core);
    core.tlb.flush(|_| true);
    core.halted = false;
    // What ended an earlier run.
    core.attention.clear(u32::MAX);
    match engine {
        Some(engine) => engine.run(core, count),
        None => core.run(count),
    };
    core.stop.set_code_hit(false);
    let mut words = BTreeMap::new();
    if let Some(j) = &core.journal {
        for (at, len) in j.places(stores) {
            for word in (at & !7..at + len).step_by(8) {
                words.entry(word).or_insert_with(|| core.ram.read::<u64>(word).unwrap_or(0));
            }
        }
    }
    After { file: core.file.clone(), mode: core.mode, halted: core.halted, words }
}

/// Takes back what was stored, but for the first `keep` stores.
pub(super) fn take_back<T: Verified>(core: &mut Core<T>, keep: usize) {
    let Some(mut j) = core.journal.take() else { return };
    let code = Arc::clone(&core.code);
    j.take_back(&core.ram, keep, |at, len| {
        for word in (at & !7..at + len).step_by(8) {
            code.stored(word, 8);
        }
    });
    core.journal = Some(j);
}

/// Runs interpreter and engine for `count` instructions from `from` on the recorded tape, and takes both back: what
/// differs.
pub(super) fn probe<T: Verified>(
    core: &mut Core<T>,
    engine: &mut dyn Engine<T>,
    from: &Place,
    count: u64,
) -> Vec<String> {
    let Some(tape) = core.journal.as_ref().map(|j| Arc::clone(&j.tape)) else { return Vec::new() };
    let mut run = |engine: Option<&mut dyn Engine<T>>| {
        journal::lock(&tape).replay(from.asked);
        // What was fetched after a change of the tables must not be known before it.
        T::forget_fetches(core);
        let after = go(core, engine, &from.file, from.stores, count);
        take_back(core, from.stores);
        after
    };
    let a = run(None);
    let b = run(Some(engine));
    let tape = journal::lock(&tape);
    differences::<T>(&a, &b, &tape)
}

/// Goes on to the place `count` instructions after the start of the tape, keeping what is stored on the way.
pub(super) fn advance<T: Verified>(core: &mut Core<T>, start: &RegFile, count: u64) -> Place {
    take_back(core, 0);
    let tape = core.journal.as_ref().map(|j| Arc::clone(&j.tape)).unwrap_or_default();
    journal::lock(&tape).replay(0);
    T::forget_fetches(core);
    let file = go(core, None, start, 0, count).file;
    let stores = core.journal.as_ref().map_or(0, |j| j.len());
    let asked = journal::lock(&tape).position();
    Place { file, stores, asked }
}

/// What differs between the interpreter's state `a` and that of compiled code, `b`, in words.
pub(super) fn differences<T: Verified>(a: &After, b: &After, tape: &Tape) -> Vec<String> {
    let mut found = Vec::new();
    let pairs = a.file.words()[..T::WORDS].iter().zip(&b.file.words()[..T::WORDS]);
    for (i, (x, y)) in pairs.enumerate().filter(|(_, (x, y))| x != y) {
        found.push(format!("{}: interpreter {x:#x}, compiled {y:#x}", T::word_name(i)));
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
                found.push(format!("RAM+{at:#x}: interpreter stored {x:#x}, compiled nothing"));
            }
            (None, Some(y)) => {
                found.push(format!("RAM+{at:#x}: compiled stored {y:#x}, interpreter nothing"));
            }
            (None, None) => {}
        }
    }
    if let Some((asked, expected)) = &tape.strayed {
        found.push(format!("outside: compiled asked {asked:x?}, interpreter {expected:x?}"));
    }
    found
}
