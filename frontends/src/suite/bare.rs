//! Suites of single instructions.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use lyrebird_machine::suite::{self, File, Suite, Tester};

use super::report::{Outcome, Record};
use super::{Common, Work, unusable};
use crate::cli::args::TestArgs;
use crate::exit::Failure;

/// The chosen tests of a file.
struct Tests {
    suite: Arc<Suite>,
    file: File,
    numbers: Vec<usize>,
    common: Common,
    cpu: Option<String>,
}

/// The tests of a file or directory.
pub fn plan(path: &Path, args: &TestArgs, common: &Common) -> Result<Vec<Box<dyn Work>>, Failure> {
    let suite = Arc::new(Suite::open(path).map_err(|e| unusable(path, format!("{e:#}")))?);
    // A wrong model or engine is found before anything runs.
    Tester::new(common.engine, args.cpu.clone()).map_err(|e| Failure::usage(format!("test: {e:#}")))?;
    let mut all: Vec<Box<dyn Work>> = Vec::new();
    for file in suite.files() {
        // Files that the filter names none of need not be read.
        if common.filter.as_ref().and_then(|f| f.split_once(':')).is_some_and(|(name, _)| name != file.name) {
            continue;
        }
        let tests = suite.load(file).map_err(|e| unusable(&file.path, format!("{e:#}")))?;
        let chosen = tests.list().into_iter().enumerate();
        let chosen = chosen.filter(|(_, (id, about))| common.chosen(&file.name, id, about));
        let numbers: Vec<usize> = chosen.map(|(n, _)| n).collect();
        if !numbers.is_empty() {
            let common = common.clone();
            let (suite, file, cpu) = (Arc::clone(&suite), file.clone(), args.cpu.clone());
            all.push(Box::new(Tests { suite, file, numbers, common, cpu }));
        }
    }
    Ok(all)
}

impl Work for Tests {
    fn tests(&self) -> u64 {
        self.numbers.len() as u64
    }

    fn run(&self, each: &mut dyn FnMut(Record)) -> Result<(), Failure> {
        let broken = |e| unusable(&self.file.path, format!("{e:#}"));
        let tests = self.suite.load(&self.file).map_err(broken)?;
        let list = tests.list();
        let mut tester = Tester::new(self.common.engine, self.cpu.clone()).map_err(broken)?;
        for &n in &self.numbers {
            let Some((id, about)) = list.get(n) else { continue };
            let began = Instant::now();
            let outcome = match tester.run(&tests, n) {
                Ok(None) => Outcome::Passed,
                Ok(Some(failure)) => Outcome::Failed(self.explain(id, &failure)),
                Err(e) => Outcome::Failed(format!("  it cannot be run: {e:#}\n")),
            };
            let (file, id, about) = (self.file.name.clone(), id.clone(), about.clone());
            each(Record { file, id, about, time: began.elapsed(), outcome });
        }
        Ok(())
    }
}

impl Tests {
    fn explain(&self, id: &str, f: &suite::Failure) -> String {
        let mut text = format!("  instruction {}\n  before      {}\n", f.instruction, f.before);
        text += &format!("  should be   {}\n  is          {}\n", f.want, f.got);
        for d in &f.differs {
            text += &format!("  {} is {}, should be {}\n", d.field, d.got, d.want);
        }
        let path = self.file.path.display();
        text + &format!("  again: {} -filter {}:{id} {path}\n", self.common.command, self.file.name)
    }
}
