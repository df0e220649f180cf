//! What the 80286 does, instruction by instruction, as hardware was seen to do it.
//!
//! The tests are not part of the repository: 130,000 take 14 MB. `LYREBIRD_80286` names the directory where they are.

use lyrebird_tests::moo::{Real, Suite};
use std::fmt::Write;
use std::path::PathBuf;

/// Mismatches of an opcode that are reported in full.
const SHOWN: usize = 3;

/// Opcodes whose exceptions leave registers of the 80286 as no later processor leaves them: index registers and the
/// stack pointer have moved already. The model restarts such instructions like the later ones.
const MOVED: &[&str] = &["6D", "6F", "8F", "A5", "A7", "AB", "AD", "AF", "CA", "CB"];

#[test]
fn the_80286_in_real_mode() -> anyhow::Result<()> {
    let Some(path) = std::env::var_os("LYREBIRD_80286").map(PathBuf::from) else {
        eprintln!("Skipped: LYREBIRD_80286 does not name the directory of the SingleStepTests of the 80286.");
        return Ok(());
    };
    let only = std::env::var("LYREBIRD_80286_ONLY").ok();
    let suite = Suite::open(&path)?;
    let mut processor = Real::new("80286")?;
    let (mut tests, mut failed, mut report) = (0, 0, String::new());
    for n in 0..suite.len() {
        let opcode = suite.opcode(n)?;
        if only.as_ref().is_some_and(|o| *o != opcode.name) {
            continue;
        }
        let mut shown = 0;
        let moved = MOVED.contains(&opcode.name.as_str());
        for test in opcode.tests.iter().filter(|t| !moved || t.exception.is_none()) {
            let wrong = processor.run(test, opcode.flags)?;
            tests += 1;
            if wrong.is_empty() {
                continue;
            }
            shown += 1;
            if shown <= SHOWN {
                let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
                let exception = test.exception.map_or(String::new(), |(v, _)| format!(" (exception {v})"));
                writeln!(
                    report,
                    "{} {:02x?} {}{exception}: {}",
                    opcode.name,
                    test.bytes,
                    test.name,
                    wrong.join(", ")
                )?;
            }
        }
        if shown > 0 {
            writeln!(report, "{}: {shown} of {} tests fail", opcode.name, opcode.tests.len())?;
        }
        failed += shown;
    }
    assert!(failed == 0, "{failed} of {tests} tests fail:\n{report}");
    eprintln!("{tests} tests pass");
    Ok(())
}
