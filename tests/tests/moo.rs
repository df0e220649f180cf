//! What the 80286 does, instruction by instruction, as hardware was seen to do it.
//!
//! The tests are not part of the repository: 130,000 take 14 MB. `LYREBIRD_80286` names the directory where they are.

use lyrebird_machine::config::EngineKind;
use lyrebird_machine::suite::{Suite, Tester};
use std::fmt::Write;
use std::path::PathBuf;

/// Mismatches of an opcode that are reported in full.
const SHOWN: usize = 3;

fn all(engine: EngineKind) -> anyhow::Result<()> {
    let Some(path) = std::env::var_os("LYREBIRD_80286").map(PathBuf::from) else {
        eprintln!("Skipped: LYREBIRD_80286 does not name the directory of the SingleStepTests of the 80286.");
        return Ok(());
    };
    let suite = Suite::open(&path)?;
    let mut tester = Tester::new(engine, None)?;
    let (mut run, mut failed, mut report) = (0, 0, String::new());
    for file in suite.files() {
        let tests = suite.load(file)?;
        let list = tests.list();
        let mut bad = 0;
        for (n, test) in list.iter().enumerate() {
            let Some(f) = tester.run(&tests, n)? else { continue };
            bad += 1;
            if bad <= SHOWN {
                let what: Vec<_> =
                    f.differs.iter().map(|d| format!("{} is {}, not {}", d.field, d.got, d.want)).collect();
                writeln!(report, "{}:{} {}: {}", file.name, test.0, f.instruction, what.join(", "))?;
            }
        }
        if bad > 0 {
            writeln!(report, "{}: {bad} of {} tests fail", file.name, list.len())?;
        }
        run += list.len();
        failed += bad;
    }
    assert!(failed == 0, "{failed} of {run} tests fail:\n{report}");
    eprintln!("{run} tests pass");
    Ok(())
}

#[test]
fn the_80286_in_real_mode() -> anyhow::Result<()> {
    all(EngineKind::Interp)
}

#[test]
fn the_80286_in_real_mode_compiled() -> anyhow::Result<()> {
    all(EngineKind::Jit)
}
