//! Loads and stores in the modes that no recording has: with strict alignment, and with big-endian data.

use lyrebird_cpu::arm::mode;
use lyrebird_tests::vectors::{Interp, Outcome, State, Subject, file, input};
use std::path::PathBuf;

/// The recorded loads and stores: word, seed and outcome.
fn recorded() -> anyhow::Result<Vec<(u32, u64, Outcome)>> {
    let mut all = Vec::new();
    for chapter in ["load_store", "simd_memory", "simd_structure"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/{chapter}.vec"));
        for row in file::read(&path)? {
            let seeds = row.seed..;
            all.extend(row.words.into_iter().zip(seeds).zip(row.outcomes).map(|((w, s), o)| (w, s, o)));
        }
    }
    Ok(all)
}

#[test]
fn strict_alignment_changes_nothing_that_is_aligned() -> anyhow::Result<()> {
    let mut strict = Interp::with_mode(mode::STRICT)?;
    let (mut agreed, mut faulted) = (0, 0);
    for (word, seed, expected) in recorded()? {
        let before = input(seed, word);
        let mut after = before.clone();
        let Ok(defined) = strict.run(word, &mut after) else {
            faulted += 1;
            continue;
        };
        let got = if defined { Outcome::between(&before, &after) } else { Outcome::Undefined };
        assert_eq!(got, expected, "{word:08x} seed {seed:#x}");
        agreed += 1;
    }
    assert!(agreed > faulted && faulted > 1000, "{agreed} agreed, {faulted} faulted");
    Ok(())
}

/// log2 of the size of what a load or store moves as one number (DDI 0487 C4.1.94).
fn unit(word: u32) -> u32 {
    let (vector, top) = (word >> 26 & 1 == 1, word >> 30);
    match word >> 27 & 7 {
        // Structures: multiple, then single.
        0b001 if word >> 24 & 1 == 0 => word >> 10 & 3,
        0b001 => match word >> 14 & 3 {
            0 => 0,
            1 => 1,
            2 => 2 + (word >> 10 & 1),
            _ => word >> 10 & 3,
        },
        0b011 if word >> 24 & 1 == 1 => top,
        0b011 if vector => top + 2,
        0b011 => [2, 3, 2, 0][top as usize],
        0b101 if vector => top + 2,
        0b101 => 2 + (top >> 1),
        _ if vector && word >> 23 & 1 == 1 => 4,
        _ => top,
    }
}

/// Memory with the bytes of every unit in reverse order.
fn swapped(state: &State, log2: u32) -> State {
    let mut state = state.clone();
    state.memory.chunks_mut(1 << log2).for_each(<[u8]>::reverse);
    state
}

#[test]
fn big_endian_data_is_little_endian_data_with_its_bytes_reversed() -> anyhow::Result<()> {
    let (mut big, mut little) = (Interp::with_mode(mode::BIG_ENDIAN | mode::STRICT)?, Interp::new()?);
    let mut compared = 0;
    for (word, seed, _) in recorded()? {
        let log2 = unit(word);
        let mut ours = input(seed, word);
        let mut theirs = swapped(&ours, log2);
        // Strict alignment makes units coincide with those that were swapped.
        match big.run(word, &mut ours) {
            Ok(true) => {}
            Ok(false) | Err(_) => continue,
        }
        assert!(little.run(word, &mut theirs)?);
        assert_eq!(ours, swapped(&theirs, log2), "{word:08x} seed {seed:#x}");
        compared += 1;
    }
    assert!(compared > 10_000, "{compared} compared");
    Ok(())
}
