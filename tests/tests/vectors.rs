//! Replays the recorded instruction vectors on every engine.

use lyrebird_cpu::arm::{Arm64, a64};
use lyrebird_cpu::core::Core;
use lyrebird_tests::vectors::{Interp, Jitted, Subject, file, replay, skipped};
use std::path::PathBuf;

/// The recording of a chapter.
fn path(chapter: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/{chapter}.vec"))
}

/// Cases that every row has at least.
const CASES: usize = 200;

#[test]
fn every_row_is_recorded_or_skipped_for_a_reason() -> anyhow::Result<()> {
    for (chapter, rows) in a64::chapters::<Core<Arm64>>() {
        let recorded = file::read(&path(chapter)).unwrap_or_default();
        for row in rows {
            let found = recorded.iter().find(|r| r.name == row.name && r.pattern == row.pattern);
            let cases = found.map_or(0, |r| r.words.len());
            match skipped::reason(row.name) {
                Some(_) => assert_eq!(cases, 0, "{chapter}: {} is recorded and skipped", row.name),
                None => assert!(
                    cases >= CASES,
                    "{chapter}: {} has {cases} current cases; run `cargo xtask vectors record {chapter}`",
                    row.name
                ),
            }
        }
    }
    Ok(())
}

/// Replays everything; fails with the first mismatches of every row that has any.
fn replay_all(subject: &mut dyn Subject) -> anyhow::Result<()> {
    let (mut cases, mut report) = (0, String::new());
    for (chapter, _) in a64::chapters::<Core<Arm64>>() {
        if !path(chapter).exists() {
            continue;
        }
        for row in file::read(&path(chapter))? {
            let wrong = replay(&row, subject)?;
            cases += row.words.len();
            if let Some(first) = wrong.first() {
                report +=
                    &format!("{chapter}: {} of {} cases differ: {first}\n", wrong.len(), row.words.len());
            }
        }
    }
    assert!(cases > 0, "no vectors are recorded");
    assert!(report.is_empty(), "{report}");
    Ok(())
}

#[test]
fn the_interpreter_agrees() -> anyhow::Result<()> {
    replay_all(&mut Interp::new()?)
}

#[test]
fn compiled_code_agrees() -> anyhow::Result<()> {
    let mut subject = Jitted::new()?;
    replay_all(&mut subject)?;
    assert!(subject.compiled() > 100_000, "{} regions were compiled", subject.compiled());
    Ok(())
}
