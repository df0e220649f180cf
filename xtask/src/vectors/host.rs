//! `cargo xtask vectors host`: records what x86 instructions of user programs do on the host's processor, for
//! `tests/vectors/x86`.

use anyhow::{Result, ensure};
use clap::Parser;
use indicatif::ProgressBar;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::x86::X64;
use lyrebird_cpu::x86::isa::chapters;
use lyrebird_cpu::x86::table::Row;
use lyrebird_tests::hostx86;
use lyrebird_tests::vectors::x86::file::{self, Host, pattern};
use lyrebird_tests::vectors::x86::{Shape, between, defined, forms, shape};
use std::path::PathBuf;

/// Arguments of the command.
#[derive(Parser)]
pub(super) struct Args {
    /// Only the chapters with these names, as the modules of cpu/src/x86/isa are called.
    chapters: Vec<String>,
    /// Record rows again that have a recording.
    #[arg(long)]
    again: bool,
    /// Cases of a row, at least.
    #[arg(long, default_value_t = 200)]
    cases: usize,
}

/// How often more states are tried for cases that cannot be run.
const ROUNDS: usize = 8;

/// Where recordings are kept.
fn directory() -> PathBuf {
    crate::paths::workspace().join("tests/vectors/x86")
}

/// The host's processor.
fn host() -> Host {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find(|l| l.split(':').next().is_some_and(|n| n.trim() == name));
        line.and_then(|l| l.split_once(':')).map_or(String::new(), |(_, v)| v.trim().to_owned())
    };
    let numbers = ["cpu family", "model", "stepping"].map(field).join("/");
    Host { vendor: field("vendor_id"), model: format!("{} {numbers}", field("model name")) }
}

/// A number that depends on a row alone.
fn seed(row: &Row<Core<X64>>) -> u64 {
    let text = format!("{} {}", row.name, pattern(row));
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ b as u64).wrapping_mul(0x100_0000_01B3))
}

/// Records a row.
fn one(chapter: &str, row: &Row<Core<X64>>, cases: usize) -> Result<file::Row> {
    let (seed, shape) = (seed(row), shape(chapter, row));
    let mut forms: Vec<_> = forms(chapter, row).into_iter().filter(|f| !defined::left_out(row, f)).collect();
    let mask = defined::flags(row.name);
    let (mut done, mut from) = (Vec::new(), 0u16);
    for _ in 0..ROUNDS {
        let missing = cases.saturating_sub(done.len());
        if missing == 0 || forms.is_empty() {
            break;
        }
        let each = missing.div_ceil(forms.len());
        let (mut alive, mut next) = (Vec::new(), Vec::new());
        for form in forms {
            let found = hostx86::cases(&form, shape, seed, from, each)?;
            let Some((last, ..)) = found.last() else { continue };
            from = from.max(*last) + 1;
            next.extend(
                found.into_iter().map(|(offset, b, a)| (form.clone(), offset, between(&b, &a, mask))),
            );
            alive.push(form);
        }
        done.extend(next);
        forms = alive;
    }
    ensure!(done.len() >= cases, "only {} of {cases} cases could be run", done.len());
    let mut recorded = file::Row {
        name: row.name.into(),
        pattern: pattern(row),
        shape: Shape::ALL.iter().position(|s| *s == shape).unwrap_or_default() as u8,
        seed,
        forms: Vec::new(),
        cases: Vec::new(),
        outcomes: Vec::new(),
    };
    // Cases of one encoding stand together.
    done.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    for (form, offset, changes) in done {
        if recorded.forms.last() != Some(&form) {
            recorded.forms.push(form);
        }
        recorded.cases.push((recorded.forms.len() as u16 - 1, offset));
        recorded.outcomes.push(changes);
    }
    Ok(recorded)
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    std::fs::create_dir_all(directory())?;
    let mut failed = Vec::new();
    let bar = ProgressBar::new(chapters::<Core<X64>>().iter().map(|(_, rows)| rows.len() as u64).sum());
    for (chapter, rows) in chapters::<Core<X64>>() {
        bar.inc(rows.len() as u64);
        if !args.chapters.is_empty() && !args.chapters.iter().any(|c| c == chapter) {
            continue;
        }
        let path = directory().join(format!("{chapter}.vec"));
        let old = if path.exists() && !args.again { file::read(&path)?.1 } else { Vec::new() };
        let mut new = Vec::new();
        for row in rows.iter().filter(|row| defined::skipped(chapter, row).is_none()) {
            let current = old.iter().find(|r| r.name == row.name && r.pattern == pattern(row));
            match current.cloned().map_or_else(|| one(chapter, row, args.cases), Ok) {
                Ok(row) => new.push(row),
                Err(e) => failed.push(format!("{chapter}: {} {}: {e:#}", row.name, pattern(row))),
            }
        }
        if new != old && !new.is_empty() {
            file::write(&path, &host(), &new)?;
        }
        if !new.is_empty() {
            bar.println(format!("{chapter}: {} rows", new.len()));
        }
    }
    bar.finish_and_clear();
    ensure!(failed.is_empty(), "These rows could not be recorded:\n    {}", failed.join("\n    "));
    Ok(())
}
