//! `cargo xtask bench`: our C guest programs on Lyrebird and on another emulator, in turns.
//!
//! In each run both boot the cloud kernel with the same initrd and command line, one after the other, and then do one
//! program after the other, each while the other emulator waits to be asked for it: hosts change their speed within
//! minutes, and both are to find theirs alike. The programs measure themselves by the guest's clock, the boot is
//! measured by the host's. Ratios, like times, are the medians of the runs. Checksums must agree with a native run of
//! the same sources. With `--interp` the interpreter alone is measured, in instructions a second, and
//! compared with Debian's Bochs.

mod bochs;
mod interp;
mod programs;
mod report;
mod run;

use crate::paths;
use crate::shell::Tool;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use programs::{Architecture, Programs};
use std::path::PathBuf;
use std::time::Duration;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// What the guest is.
    #[arg(long, value_enum, default_value = "arm64", value_name = "ARCH")]
    arch: Architecture,
    /// Only programs whose name or group is one of these, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAME|GROUP")]
    filter: Vec<String>,
    /// How often each emulator runs everything.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Multiplies the amount of work of every program.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    scale: u32,
    /// The emulator under test, a command line to which QEMU's options are appended. The default is built first.
    #[arg(long, value_name = "COMMAND")]
    subject: Option<String>,
    /// The emulator to compare with; `none` runs the subject alone. The default is QEMU.
    #[arg(long, value_name = "COMMAND", default_value = "qemu")]
    against: String,
    /// More options for both emulators; a later -cpu or -smp wins over the default.
    #[arg(long, value_name = "OPTIONS", allow_hyphen_values = true, default_value = "")]
    options: String,
    /// Longest that a boot, or a program, may take, seconds.
    #[arg(long, default_value_t = 600)]
    patience: u64,
    /// Also write the results as JSON to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Count the instructions a second of the interpreter alone, on the integer programs unless others are named.
    #[arg(long)]
    interp: bool,
    /// List the programs and end.
    #[arg(long)]
    list: bool,
}

/// Runs everything and prints the table. An error if a checksum is wrong or a program did not end.
pub fn run(args: &Args) -> Result<()> {
    let folder = paths::target().join("bench");
    let programs = Programs::build(&folder, args.arch)?;
    let integer = ["integer".to_owned()];
    let filter: &[String] = if args.interp && args.filter.is_empty() { &integer } else { &args.filter };
    let wanted = programs.matching(filter)?;
    if args.list {
        wanted.iter().for_each(|program| println!("{:>10}  {}", program.name, program.group));
        return Ok(());
    }
    let native = programs.run_natively(&wanted, args.scale)?;
    let initrd = run::initrd(&folder, &programs)?;
    let subject = match &args.subject {
        Some(command) => command.clone(),
        None => built_subject(args.arch)?,
    };
    let job = run::Job {
        architecture: args.arch,
        initrd: &initrd,
        names: wanted.iter().map(|program| program.name.as_str()).collect(),
        scale: args.scale,
        runs: args.runs,
        options: &args.options,
        patience: Duration::from_secs(args.patience),
    };
    if args.interp {
        return match interp::run(&folder, &subject, &job, &wanted, &native)? {
            0 => Ok(()),
            count => bail!("{count} results are wrong; see above"),
        };
    }
    let against = if args.against == "qemu" { args.arch.qemu() } else { &args.against };
    let mut sides = vec![run::Side::new("subject", &subject)];
    if against != "none" {
        sides.push(run::Side::new("against", against));
    }
    let bar = ProgressBar::new(u64::from(args.runs) * (1 + job.names.len() as u64));
    bar.set_style(ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {elapsed}")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    for number in 1..=args.runs {
        bar.set_prefix(format!("run {number}/{}", args.runs));
        // Each run begins with the other emulator, so that neither always has the warmer host.
        sides.rotate_left(1);
        bar.set_message("boot");
        sides.iter_mut().try_for_each(|side| side.boot(&job))?;
        bar.inc(1);
        for name in &job.names {
            bar.set_message((*name).to_owned());
            sides.iter_mut().try_for_each(|side| side.run(&job, name))?;
            bar.inc(1);
        }
        sides.iter_mut().try_for_each(|side| side.end(&job))?;
    }
    bar.finish_and_clear();
    sides.sort_by_key(|side| side.role != "subject");
    let report = report::Report::new(&wanted, &native, &sides);
    print!("\n{report}");
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("Cannot write {}", file.display()))?;
    }
    match report.failures() {
        0 => Ok(()),
        count => bail!("{count} results are missing or wrong; see above"),
    }
}

/// Builds the release binary and returns how to run it.
fn built_subject(architecture: Architecture) -> Result<String> {
    Tool::new("cargo", "cargo")
        .args(["build", "--release", "--quiet", "--package", "lyrebird"])
        .dir(paths::workspace())
        .run()?;
    Ok(format!("{} {}", paths::target().join("release/lyrebird").display(), architecture.emulator()))
}
