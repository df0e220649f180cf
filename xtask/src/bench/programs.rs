//! The guest programs: their sources in `tests/guests/bench`, built for the guest and for this host. Those in `pc` are
//! for amd64 only, which is also what this host runs.

use crate::console::Console;
use crate::paths;
use crate::shell::Tool;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What the guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Architecture {
    /// on `virt`
    Arm64,
    /// on `microvm`
    Amd64,
}

impl Architecture {
    /// As Debian names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::Amd64 => "amd64",
        }
    }

    /// How QEMU is called. Without ACPI, since Linux does not find the timer of QEMU's microvm with it.
    pub fn qemu(self) -> &'static str {
        match self {
            Self::Arm64 => "qemu-system-aarch64",
            Self::Amd64 => "qemu-system-x86_64 -M microvm,acpi=off",
        }
    }

    /// The program that emulates it, QEMU's or ours by that name.
    pub fn emulator(self) -> &'static str {
        match self {
            Self::Arm64 => "qemu-system-aarch64",
            Self::Amd64 => "qemu-system-x86_64",
        }
    }
}

/// The built programs.
pub struct Programs {
    /// What they are built for.
    pub architecture: Architecture,
    /// The static executable that holds all programs.
    pub guest: PathBuf,
    native: PathBuf,
    table: Vec<Program>,
}

/// One program, as the executable lists it.
#[derive(Clone)]
pub struct Program {
    /// Name on the command line and in results.
    pub name: String,
    /// What its result is averaged with.
    pub group: String,
}

/// What a program prints about one run of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Name of the program.
    pub name: String,
    /// Hexadecimal checksum of what it computed.
    pub checksum: String,
    /// By the clock of the machine it ran on.
    pub seconds: f64,
}

impl Outcome {
    /// Reads a line `NAME checksum seconds`; other lines are none of ours.
    pub fn parse(line: &str) -> Option<Outcome> {
        let mut words = line.split(' ');
        let (name, checksum, seconds) = (words.next()?, words.next()?, words.next()?);
        let hexadecimal = checksum.len() == 16 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hexadecimal || words.next().is_some() {
            return None;
        }
        let seconds = seconds.parse().ok()?;
        Some(Outcome { name: name.to_owned(), checksum: checksum.to_owned(), seconds })
    }

    /// Waits for what `program` prints.
    pub fn of(program: &Program, console: &mut Console) -> Result<Outcome> {
        while let Some(line) = console.line()? {
            if let Some(outcome) = Outcome::parse(&line).filter(|o| o.name == program.name) {
                return Ok(outcome);
            }
        }
        bail!("The machine ended during {}", program.name)
    }
}

impl Programs {
    /// Compiles what has changed into `folder`.
    pub fn build(folder: &Path, architecture: Architecture) -> Result<Programs> {
        let sources = paths::workspace().join("tests/guests/bench");
        fs::create_dir_all(folder)?;
        let guest = folder.join(format!("bench-{}", architecture.name()));
        let native = match architecture {
            Architecture::Arm64 => {
                compile("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", &[&sources], &guest)?;
                let native = folder.join("bench-native");
                compile("gcc", "gcc", &[&sources], &native)?;
                native
            }
            Architecture::Amd64 => {
                compile("gcc", "gcc", &[&sources, &sources.join("pc")], &guest)?;
                guest.clone()
            }
        };
        let list = program_output(&native, &["-l".to_owned()])?;
        let table = list.lines().filter_map(|line| line.split_once(' '));
        let table = table.map(|(name, group)| Program { name: name.to_owned(), group: group.to_owned() });
        Ok(Programs { architecture, guest, native, table: table.collect() })
    }

    /// The programs whose name or group is in `filter`, all if it is empty.
    pub fn matching(&self, filter: &[String]) -> Result<Vec<Program>> {
        for word in filter {
            if !self.table.iter().any(|program| program.name == *word || program.group == *word) {
                bail!("No program or group is named `{word}`; `cargo xtask bench --list` shows them");
            }
        }
        let wanted =
            |p: &&Program| filter.is_empty() || filter.contains(&p.name) || filter.contains(&p.group);
        Ok(self.table.iter().filter(wanted).cloned().collect())
    }

    /// Runs `wanted` on this host.
    pub fn run_natively(&self, wanted: &[Program], scale: u32) -> Result<BTreeMap<String, Outcome>> {
        let mut args = vec!["-s".to_owned(), scale.to_string()];
        args.extend(wanted.iter().map(|program| program.name.clone()));
        let output = program_output(&self.native, &args)?;
        let outcomes = output.lines().filter_map(Outcome::parse);
        Ok(outcomes.map(|outcome| (outcome.name.clone(), outcome)).collect())
    }
}

/// Compiles all sources of some folders with `compiler`, unless `executable` is newer than they are.
fn compile(
    compiler: &'static str,
    package: &'static str,
    folders: &[&Path],
    executable: &Path,
) -> Result<()> {
    let mut files = Vec::new();
    let mut latest = None;
    for sources in folders {
        for entry in fs::read_dir(sources).with_context(|| format!("Cannot read {}", sources.display()))? {
            let path = entry?.path();
            latest = latest.max(Some(fs::metadata(&path)?.modified()?));
            if path.extension().is_some_and(|extension| extension == "c") {
                files.push(path);
            }
        }
    }
    if fs::metadata(executable).and_then(|meta| meta.modified()).ok() > latest {
        return Ok(());
    }
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let object = executable.with_extension(format!("{name}.o"));
        // Contraction would change results between architectures; only the vector programs gain from -O3.
        let mut options: Vec<&str> = match name.as_str() {
            "simd" => vec!["-O3"],
            "avx" => vec!["-O3", "-mavx2", "-mfma"],
            _ => vec!["-O2"],
        };
        if folders.len() > 1 {
            options.push("-DBENCH_PC");
        }
        Tool::new(compiler, package)
            .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"])
            .args(options)
            .args(["-c", "-o"])
            .args([&object, &file])
            .run()?;
        objects.push(object);
    }
    let link = Tool::new(compiler, package).args(["-static", "-o"]).arg(executable);
    link.args(&objects).args(["-lm", "-lpthread"]).run()?;
    objects.iter().try_for_each(|object| Ok(fs::remove_file(object)?))
}

fn program_output(program: &Path, args: &[String]) -> Result<String> {
    let output = std::process::Command::new(program).args(args).output();
    let output = output.with_context(|| format!("Cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("{} ended with {}", program.display(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn only_result_lines_are_outcomes() {
        let outcome = Outcome::parse("fib 00000000004e27fb 0.251000").unwrap();
        assert_eq!((outcome.name.as_str(), outcome.seconds), ("fib", 0.251));
        for line in ["", "fib 4e27fb 0.2", "fib 00000000004e27fb", "fib 00000000004e27fb 0.2 s", "a b c"] {
            assert_eq!(Outcome::parse(line), None, "{line}");
        }
    }
}
