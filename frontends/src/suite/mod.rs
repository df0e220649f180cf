//! `lyrebird test`: runs test suites and reports.
//!
//! Suites of single instructions run in this process, on bare processors, file by file on several threads. Tests that
//! are programs, kvm-unit-tests' and images that say by a port or their serial port how they fared, each run in a process
//! of their own, which is this program with QEMU's command line.

mod bare;
mod guests;
mod judge;
mod report;
mod unittests;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use lyrebird_machine::config::{ENGINES, EngineKind};
use parking_lot::Mutex;

use crate::cli::args::TestArgs;
use crate::exit::{ExitClass, Failure};
use report::{Format, Outcome, Record};

/// Failures that are printed in full.
const SHOWN: usize = 20;

/// A piece of work for one thread: the tests of a file, or one program.
trait Work: Send + Sync {
    /// How many tests it has, as far as that is known before it runs.
    fn tests(&self) -> u64;
    /// Runs them, and tells of each.
    ///
    /// # Errors
    /// When they cannot be run at all.
    fn run(&self, each: &mut dyn FnMut(Record)) -> Result<(), Failure>;
}

/// What all tests share.
#[derive(Clone, Debug)]
struct Common {
    engine: EngineKind,
    engine_name: &'static str,
    /// The words before the path in a command line that reproduces a test.
    command: String,
    filter: Option<String>,
    timeout: Option<Duration>,
}

impl Common {
    /// Whether a test is chosen: by its whole name, by its file's, or by a part of what it is about.
    fn chosen(&self, file: &str, id: &str, about: &str) -> bool {
        let Some(filter) = &self.filter else { return true };
        match filter.split_once(':') {
            Some((f, i)) => f == file && i == id,
            None => filter == file || about.contains(filter.as_str()),
        }
    }
}

/// The engine of `--accel`.
fn engine(name: Option<&str>) -> Result<(EngineKind, &'static str), Failure> {
    let name = match name {
        None => "jit",
        Some("tcg") => "jit",
        Some(name) => name,
    };
    let found = ENGINES.iter().find(|e| e.0 == name).ok_or_else(|| {
        let names: Vec<&str> = ENGINES.iter().map(|e| e.0).collect();
        Failure::usage(format!("test -accel {name}: no such engine\nvalid here: {}", names.join(", ")))
    })?;
    if found.1 == EngineKind::Verify {
        return Err(Failure::new(
            ExitClass::Impossible,
            "test -accel verify: tests run on one engine; use jit or interp",
        ));
    }
    Ok((found.1, found.0))
}

fn reports(texts: &[String]) -> Result<Vec<(Format, String)>, Failure> {
    let one = |text: &String| {
        let (format, file) = text.split_once(':').or_else(|| text.split_once('=')).ok_or_else(|| {
            Failure::usage(format!("test -report {text}: write FORMAT:FILE, such as junit:results.xml"))
        })?;
        let format = Format::named(format).ok_or_else(|| {
            Failure::usage(format!(
                "test -report {text}: no such format\nvalid here: {}",
                Format::NAMES.join(", ")
            ))
        })?;
        // A file that cannot be written is found before hours of tests.
        std::fs::write(file, "").map_err(|e| cannot_write(file, &e))?;
        Ok((format, file.to_owned()))
    };
    texts.iter().map(one).collect()
}

fn cannot_write(file: &str, e: &std::io::Error) -> Failure {
    Failure::new(ExitClass::Runtime, format!("test -report: cannot write '{file}': {e}"))
}

/// A path that cannot be used.
fn unusable(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(ExitClass::GuestFile, format!("test '{}': {why}", path.display()))
}

/// Runs the command; the exit code.
pub fn run(args: &TestArgs) -> Result<u8, Failure> {
    let (engine, engine_name) = engine(args.accel.as_deref())?;
    let jobs = match args.jobs {
        Some(0) => return Err(Failure::usage("test -jobs 0: at least one test runs at a time")),
        Some(n) => n,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let timeout = match args.timeout.as_deref().map(str::parse::<f64>) {
        None => None,
        Some(Ok(s)) if s > 0.0 && s < 1e9 => Some(Duration::from_secs_f64(s)),
        Some(_) => return Err(Failure::usage("test -timeout: a number of seconds above 0")),
    };
    let cpu = args.cpu.as_ref().map_or(String::new(), |cpu| format!(" -cpu {cpu}"));
    let common = Common {
        engine,
        engine_name,
        command: format!("lyrebird test -accel {engine_name}{cpu}"),
        filter: args.filter.clone(),
        timeout,
    };
    let reports = reports(&args.report)?;
    let judge = judge::Judge::read(args)?;
    let mut work: Vec<Box<dyn Work>> = Vec::new();
    for path in &args.paths {
        if judge.is_some() {
            work.push(guests::image(path, args, &common, judge.clone())?);
        } else if path.extension().is_some_and(|e| e == "cfg") {
            work.extend(unittests::plan(path, args, &common)?);
        } else {
            work.extend(bare::plan(path, args, &common)?);
        }
    }
    let total: u64 = work.iter().map(|w| w.tests()).sum();
    if total == 0 {
        let filter = args.filter.as_deref().unwrap_or_default();
        return Err(Failure::usage(format!("test -filter {filter}: no test is called so")));
    }
    let began = Instant::now();
    let results = run_all(&work, total, jobs)?;
    for (format, file) in &reports {
        std::fs::write(file, format.text(&results, began.elapsed())).map_err(|e| cannot_write(file, &e))?;
    }
    let count = |f: fn(&Outcome) -> bool| results.iter().filter(|r| f(&r.outcome)).count();
    let failed = count(|o| matches!(o, Outcome::Failed(_)));
    let skipped = count(|o| matches!(o, Outcome::Skipped(_)));
    println!(
        "{} tests on {engine_name}: {} passed, {failed} failed, {skipped} skipped, {:.1} s",
        results.len(),
        results.len() - failed - skipped,
        began.elapsed().as_secs_f64()
    );
    Ok(if failed == 0 { ExitClass::Success } else { ExitClass::TestsFailed }.code())
}

/// Runs everything on some threads; the records in the order of the work.
fn run_all(work: &[Box<dyn Work>], total: u64, jobs: usize) -> Result<Vec<Record>, Failure> {
    let bar = ProgressBar::new(total);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} tests, {eta} left, {msg}")
    {
        bar.set_style(style);
    }
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Vec<Record>)>> = Mutex::new(Vec::new());
    let broken: Mutex<Option<Failure>> = Mutex::new(None);
    let worker = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = work.get(n) else { return };
            if broken.lock().is_some() {
                return;
            }
            let mut records = Vec::new();
            let result = item.run(&mut |record| {
                if let Outcome::Failed(text) = &record.outcome {
                    let before = failed.fetch_add(1, Ordering::Relaxed);
                    bar.set_message(format!("{} failed", before + 1));
                    if before < SHOWN {
                        let say =
                            || eprintln!("lyrebird: test {} failed\n{}", record.name(), text.trim_end());
                        if bar.is_hidden() { say() } else { bar.suspend(say) }
                    } else if before == SHOWN {
                        bar.suspend(|| {
                            eprintln!("more failures are counted and stand in -report files only")
                        });
                    }
                }
                bar.inc(1);
                records.push(record);
            });
            if let Err(failure) = result {
                broken.lock().get_or_insert(failure);
            }
            done.lock().push((n, records));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(work.len()) {
            scope.spawn(worker);
        }
    });
    bar.finish_and_clear();
    if let Some(failure) = broken.into_inner() {
        return Err(failure);
    }
    let mut done = done.into_inner();
    done.sort_by_key(|(n, _)| *n);
    Ok(done.into_iter().flat_map(|(_, records)| records).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(filter: &str) -> Common {
        Common {
            engine: EngineKind::Jit,
            engine_name: "jit",
            command: String::new(),
            filter: Some(filter.into()),
            timeout: None,
        }
    }

    #[test]
    fn a_filter_names_a_test_or_a_file_or_a_part_of_the_instruction() {
        let chosen = |filter: &str| common(filter).chosen("F6.4", "103", "mul byte [bx]");
        assert!(chosen("F6.4:103") && chosen("F6.4") && chosen("mul"));
        assert!(!chosen("F6.4:10") && !chosen("F6") && !chosen("imul"));
    }

    #[test]
    fn engines_and_reports_are_checked() {
        assert_eq!(engine(Some("tcg")), Ok((EngineKind::Jit, "jit")));
        assert!(engine(Some("warp")).is_err_and(|f| f.message.contains("interp")));
        assert!(reports(&["results".into()]).is_err_and(|f| f.class == ExitClass::Usage));
        assert!(reports(&["pdf:x".into()]).is_err_and(|f| f.message.contains("junit")));
        assert!(reports(&["tap:/nowhere/x".into()]).is_err_and(|f| f.class == ExitClass::Runtime));
    }
}
