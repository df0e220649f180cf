//! Running the tests of a suite, one by one.

use super::open::Tests;
use super::real::{Real, Wrong};
use super::test::{State, Test, reg};
use super::vectors::x86::User;
use super::vectors::{self, Interp, Jitted, Outcome, Subject};
use crate::config::EngineKind;
use anyhow::{Context, Result, bail};
use lyrebird_jit::disasm;

/// What differs in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field: `ax`, `byte 012345`.
    pub field: String,
    /// What it should hold.
    pub want: String,
    /// What it holds.
    pub got: String,
}

/// A test that failed, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The instruction: bytes, and in words.
    pub instruction: String,
    /// The state before.
    pub before: String,
    /// The state that should follow; what is not named is as before.
    pub want: String,
    /// The state that followed.
    pub got: String,
    /// What differs.
    pub differs: Vec<Difference>,
}

/// Runs tests on one engine, each kind on a processor of its own.
pub struct Tester {
    engine: EngineKind,
    cpu: Option<String>,
    real: Option<(String, Real)>,
    arm: Option<Box<dyn Subject>>,
    user: Option<User>,
}

impl Tester {
    /// For tests on `engine`; `cpu` overrides the model that files name.
    ///
    /// # Errors
    /// When the engine runs no single instructions, or there is no such model.
    pub fn new(engine: EngineKind, cpu: Option<String>) -> Result<Self> {
        if engine == EngineKind::Verify {
            bail!("single instructions run on interp or jit, not on both in lockstep");
        }
        let mut tester = Self { engine, cpu, real: None, arm: None, user: None };
        if let Some(cpu) = tester.cpu.clone() {
            tester.real(&cpu)?;
        }
        Ok(tester)
    }

    fn real(&mut self, model: &str) -> Result<&mut Real> {
        let model = self.cpu.as_deref().unwrap_or(model);
        if self.real.as_ref().is_none_or(|(m, _)| m != model) {
            self.real = Some((model.to_owned(), Real::new(model, self.engine)?));
        }
        self.real.as_mut().map(|(_, real)| real).context("there is no processor")
    }

    fn arm(&mut self) -> Result<&mut dyn Subject> {
        let subject = match self.arm.take() {
            Some(subject) => subject,
            None if self.engine == EngineKind::Interp => Box::new(Interp::new()?),
            None => Box::new(Jitted::new()?),
        };
        Ok(self.arm.insert(subject).as_mut())
    }

    /// Runs test `n` of [`Tests::list`].
    ///
    /// # Errors
    /// When it cannot be run at all.
    pub fn run(&mut self, tests: &Tests, n: usize) -> Result<Option<Failure>> {
        const NONE: &str = "there is no such test";
        match tests {
            Tests::Real { model, flags, tests } => {
                let test = tests.get(n).context(NONE)?;
                let wrong = self.real(model)?.run(test, *flags)?;
                Ok(wrong.map(|wrong| failure(test, &wrong)))
            }
            Tests::Arm(rows) => {
                let (row, case) = find(rows, n, |row| row.words.len()).context(NONE)?;
                let wrong = vectors::replay_one(row, case, self.arm()?)?;
                Ok(wrong.map(arm_failure))
            }
            Tests::User(rows) => {
                let (row, case) = find(rows, n, |row| row.cases.len()).context(NONE)?;
                let user = match self.user.take() {
                    Some(user) => user,
                    None => User::new(self.engine)?,
                };
                let wrong = vectors::x86::replay(row, case, self.user.insert(user))?;
                Ok(wrong.map(|wrong| user_failure(&row.name, wrong)))
            }
        }
    }
}

/// The row of a case, and its number there.
fn find<R>(rows: &[R], mut case: usize, count: impl Fn(&R) -> usize) -> Option<(&R, usize)> {
    for row in rows {
        if case < count(row) {
            return Some((row, case));
        }
        case -= count(row);
    }
    None
}

fn user_failure(name: &str, m: vectors::x86::Mismatch) -> Failure {
    let shown = |s: &vectors::x86::State| joined(&vectors::x86::fields(s, u32::MAX));
    let hex: Vec<_> = m.insn.iter().map(|b| format!("{b:02x}")).collect();
    let at = vectors::x86::record::INSN;
    let text = disasm::x86(&m.insn, at, 64).map_or_else(|| name.to_owned(), |(_, text)| text);
    Failure {
        instruction: format!("{}  {text}", hex.join(" ")),
        before: shown(&m.before),
        want: shown(&m.want),
        got: m.got.as_ref().map_or_else(Clone::clone, shown),
        differs: m.differs.into_iter().map(|(field, want, got)| Difference { field, want, got }).collect(),
    }
}

fn failure(test: &Test, wrong: &Wrong) -> Failure {
    let differs = wrong.differs.iter().map(super::Mismatch::fields).collect();
    Failure {
        instruction: instruction(test),
        before: state(&test.before),
        want: state(&test.after),
        got: state(&wrong.after),
        differs,
    }
}

/// The bytes of the instruction and what they say; a HLT behind it is not shown.
fn instruction(test: &Test) -> String {
    let hex: Vec<_> = test.bytes.iter().map(|b| format!("{b:02x}")).collect();
    let at = test.before.registers.0[reg::IP].unwrap_or_default() as u64;
    let text = disasm::x86(&test.bytes, at, 16).map_or_else(|| test.name.clone(), |(_, text)| text);
    let exception = test.exception.map_or(String::new(), |(v, _)| format!("  (exception {v})"));
    format!("{}  {text}{exception}", hex.join(" "))
}

/// Registers and memory on a line.
fn state(s: &State) -> String {
    let registers =
        reg::NAMES.iter().zip(s.registers.0).filter_map(|(name, v)| Some(format!("{name}={:04x}", v?)));
    let ram = s.ram.iter().map(|(at, byte)| format!("[{at:06x}]={byte:02x}"));
    registers.chain(ram).collect::<Vec<_>>().join(" ")
}

/// The fields in which two lists of changes differ.
fn differences(want: &[(String, String)], got: &[(String, String)]) -> Vec<Difference> {
    let find = |list: &[(String, String)], name: &str| {
        list.iter().find(|(n, _)| n == name).map_or("unchanged".to_owned(), |(_, v)| v.clone())
    };
    let mut names: Vec<&String> = want.iter().chain(got).map(|(name, _)| name).collect();
    names.dedup();
    let mut all = Vec::new();
    for field in names {
        let (want, got) = (find(want, field), find(got, field));
        if want != got && !all.iter().any(|d: &Difference| d.field == *field) {
            all.push(Difference { field: field.clone(), want, got });
        }
    }
    all
}

fn joined(changes: &[(String, String)]) -> String {
    changes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn arm_failure(m: vectors::Mismatch) -> Failure {
    let (want, got) = (m.expected.changes(), m.got.changes());
    let before = vectors::input(m.seed, m.word);
    let undefined =
        |o: &Outcome| (*o == Outcome::Undefined).then(|| ("instruction".into(), "undefined".into()));
    let differs = match (undefined(&m.expected), undefined(&m.got)) {
        (None, None) => differences(&want, &got),
        (w, g) => {
            let text = |o: Option<(String, String)>| o.map_or("executed".into(), |(_, v)| v);
            vec![Difference { field: "instruction".into(), want: text(w), got: text(g) }]
        }
    };
    Failure {
        instruction: format!("{:08x}  {}  ({})", m.word, disasm::a64(m.word, vectors::CODE), m.row),
        before: before.to_string(),
        want: joined(&want),
        got: joined(&got),
        differs,
    }
}
