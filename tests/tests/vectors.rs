//! Replays the recorded instruction vectors of A64 and of x86 on every engine.

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

mod x86 {
    use super::CASES;
    use lyrebird_cpu::core::Core;
    use lyrebird_cpu::x86::X64;
    use lyrebird_cpu::x86::isa::chapters;
    use lyrebird_machine::config::EngineKind;
    use lyrebird_tests::vectors::x86::file::{self, pattern};
    use lyrebird_tests::vectors::x86::{User, defined, replay};
    use std::path::PathBuf;

    fn path(chapter: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("vectors/x86/{chapter}.vec"))
    }

    #[test]
    fn every_row_is_recorded_or_skipped_for_a_reason() {
        for (chapter, rows) in chapters::<Core<X64>>() {
            let recorded = file::read(&path(chapter)).unwrap_or_default().1;
            for row in rows {
                let found = recorded.iter().find(|r| r.name == row.name && r.pattern == pattern(&row));
                let (cases, name) = (found.map_or(0, |r| r.cases.len()), row.name);
                match defined::skipped(chapter, &row) {
                    // It may be called as the one of 64-bit mode is.
                    Some(_) if row.pattern.i64 => {}
                    Some(_) => assert_eq!(cases, 0, "{chapter}: {name} is recorded and skipped"),
                    None => assert!(
                        cases >= CASES,
                        "{chapter}: {name} {} has {cases} current cases; run `cargo xtask vectors host {chapter}`",
                        pattern(&row)
                    ),
                }
            }
        }
    }

    /// Replays everything; fails with the first mismatch of every row that has any.
    fn replay_all(subject: &mut User) -> anyhow::Result<usize> {
        let (mut all, mut report) = (0, String::new());
        for (chapter, _) in chapters::<Core<X64>>() {
            if !path(chapter).exists() {
                continue;
            }
            for row in file::read(&path(chapter))?.1 {
                let (mut bad, count) = (0, row.cases.len());
                all += count;
                for n in 0..count {
                    let Some(wrong) = replay(&row, n, subject)? else { continue };
                    bad += 1;
                    if bad == 1 {
                        let (insn, differs) = (wrong.insn, wrong.differs);
                        report += &format!(
                            "{chapter}: {} {} case {n} {insn:02x?}: {differs:?}\n",
                            row.name, row.pattern
                        );
                    }
                }
                if bad > 0 {
                    report += &format!("    {bad} of {count} cases differ\n");
                }
            }
        }
        assert!(all > 0, "no vectors are recorded");
        assert!(report.is_empty(), "{report}");
        Ok(all)
    }

    #[test]
    fn the_interpreter_agrees() -> anyhow::Result<()> {
        replay_all(&mut User::new(EngineKind::Interp)?)?;
        Ok(())
    }

    #[test]
    fn compiled_code_agrees() -> anyhow::Result<()> {
        let mut subject = User::new(EngineKind::Jit)?;
        let cases = replay_all(&mut subject)?;
        assert!(subject.compiled() > 5000, "{} pieces for {cases} cases were compiled", subject.compiled());
        Ok(())
    }
}
