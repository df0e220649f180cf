//! `-accel verify` with seeded faults: the report names the instruction that the fault is in, and running the report again
//! shows the difference again.

mod arm;
mod x86;

use anyhow::{Result, ensure};
use lyrebird_machine::config::{Accel, Boot, Config, CpuConfig, EngineKind};
use lyrebird_machine::control::Shutdown;
use lyrebird_machine::verify::replay;
use lyrebird_tests::guest::Guest;
use std::path::PathBuf;
use std::time::Duration;

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A guest that powers off at its end.
struct Program {
    name: &'static str,
    image: fn() -> Vec<u8>,
    /// The board.
    config: fn() -> Config,
}

impl Program {
    fn run(&self, fault: Option<&str>) -> Result<(Shutdown, PathBuf)> {
        let name = format!("seeded-{}-{}", self.name, fault.unwrap_or("none"));
        let (kernel, report) = (scratch(&format!("{name}.image")), scratch(&format!("{name}.txt")));
        std::fs::write(&kernel, (self.image)())?;
        let _ = std::fs::remove_file(&report);
        let mut options = vec![("report".to_owned(), report.display().to_string())];
        options.extend(fault.map(|name| ("fault".to_owned(), name.to_owned())));
        let config = Config {
            cpu: CpuConfig { model: "max".into(), features: Vec::new() },
            ram: 16 << 20,
            boot: Boot { kernel: Some(kernel), ..Boot::default() },
            accel: Accel { engine: EngineKind::Verify, options, ..Accel::default() },
            no_reboot: true,
            ..(self.config)()
        };
        Ok((Guest::start(config)?.end(Duration::from_secs(60))?, report))
    }

    /// Fails unless it comes to its end without a report.
    fn agrees(&self) -> Result<()> {
        let (end, report) = self.run(None)?;
        ensure!(end == Shutdown::PowerOff, "{end:?}");
        ensure!(!report.exists(), "a report of nothing");
        Ok(())
    }

    /// Fails unless a fault is found in the instruction whose line in the report begins with `expected`.
    fn differs(&self, fault: &str, expected: &str) -> Result<()> {
        let (end, report) = self.run(Some(fault))?;
        let Shutdown::Divergence(why) = end else { anyhow::bail!("the machine ended with {end:?}") };
        ensure!(why.starts_with(expected), "not {expected}, but {why}");
        let text = std::fs::read_to_string(report)?;
        for part in ["Differences:", "State before:", "IR:\n", "Host code:\n"] {
            ensure!(text.contains(part), "the report lacks {part:?}");
        }
        let again = replay::replay(&text).map_err(anyhow::Error::msg)?;
        ensure!(again.differs, "does not repeat: {}", again.text);
        let healed = text.replace(&format!("\nfault {fault}\n"), "\n");
        let again = replay::replay(&healed).map_err(anyhow::Error::msg)?;
        ensure!(!again.differs, "repeats without the fault: {}", again.text);
        Ok(())
    }
}
