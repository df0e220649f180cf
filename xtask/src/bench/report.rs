//! Medians, ratios and geometric means, as a table and as JSON.

use super::programs::{Outcome, Program};
use super::run::Side;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// All results. Times and ratios are medians over the runs.
#[derive(Serialize)]
pub struct Report {
    subject: String,
    against: Option<String>,
    boot: Row,
    programs: Vec<Row>,
    /// Geometric mean of the ratios, by group.
    means: BTreeMap<String, f64>,
}

/// One program on both emulators.
#[derive(Serialize)]
struct Row {
    name: String,
    group: String,
    native_seconds: Option<f64>,
    subject_seconds: Option<f64>,
    against_seconds: Option<f64>,
    /// How many times as fast the subject is.
    ratio: Option<f64>,
    /// Why a time is missing, or which checksum is wrong.
    faults: Vec<String>,
}

impl Report {
    /// Compares what the `sides` achieved, the subject first, with one another and with the `native` checksums.
    pub fn new(programs: &[Program], native: &BTreeMap<String, Outcome>, sides: &[Side]) -> Report {
        let rows: Vec<Row> = programs.iter().map(|p| row(p, native.get(&p.name), sides)).collect();
        let mut groups = BTreeMap::<String, Vec<f64>>::new();
        for row in &rows {
            groups.entry(row.group.clone()).or_default().extend(row.ratio);
        }
        let means = groups.into_iter().filter_map(|(group, ratios)| Some((group, mean(&ratios)?)));
        let boots = |side: Option<&Side>| side.map(|side| side.boots.clone()).unwrap_or_default();
        let boot = Row::new("boot", "host's clock", boots(sides.first()), boots(sides.get(1)));
        let command = |side: &Side| side.command.clone();
        Report {
            subject: sides.first().map(command).unwrap_or_default(),
            against: sides.get(1).map(command),
            boot,
            programs: rows,
            means: means.collect(),
        }
    }

    /// How many programs did not end, or ended with a wrong checksum.
    pub fn failures(&self) -> usize {
        self.programs.iter().filter(|row| !row.faults.is_empty()).count()
    }
}

fn row(program: &Program, native: Option<&Outcome>, sides: &[Side]) -> Row {
    let mut faults = Vec::new();
    for side in sides {
        if let Some(complaint) = side.complaints.get(&program.name) {
            faults.push(format!("{}: {complaint}", side.role));
        }
        for outcome in side.outcomes.get(&program.name).into_iter().flatten() {
            if let Some(right) = native.filter(|right| right.checksum != outcome.checksum) {
                faults.push(format!("{}: checksum {}, not {}", side.role, outcome.checksum, right.checksum));
                break;
            }
        }
    }
    let seconds = |side: Option<&Side>| {
        let outcomes = side.and_then(|side| side.outcomes.get(&program.name)).into_iter().flatten();
        outcomes.map(|outcome| outcome.seconds).collect()
    };
    Row {
        native_seconds: native.map(|outcome| outcome.seconds),
        faults,
        ..Row::new(&program.name, &program.group, seconds(sides.first()), seconds(sides.get(1)))
    }
}

impl Row {
    /// From the seconds of each run.
    fn new(name: &str, group: &str, subject: Vec<f64>, against: Vec<f64>) -> Row {
        // The two of one run found the host alike.
        let ratios = subject.iter().zip(&against).filter(|(ours, _)| **ours > 0.0);
        Row {
            name: name.to_owned(),
            group: group.to_owned(),
            native_seconds: None,
            ratio: median(ratios.map(|(ours, theirs)| theirs / ours).collect()),
            subject_seconds: median(subject),
            against_seconds: median(against),
            faults: Vec::new(),
        }
    }
}

/// The middle value, of an even number the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let high = *values.get(values.len() / 2)?;
    let low = *values.get((values.len() - 1) / 2)?;
    Some((low + high) / 2.0)
}

/// The geometric mean.
pub fn mean(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().map(|value| value.ln()).sum();
    (!values.is_empty()).then(|| (sum / values.len() as f64).exp())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "subject: {}", self.subject)?;
        if let Some(against) = &self.against {
            writeln!(f, "against: {against}")?;
        }
        let heads = ["program", "group", "native s", "subject s", "against s", "against/subject"];
        let [a, b, c, d, e, g] = heads;
        writeln!(f, "\n{a:>10}  {b:<13}{c:>9}{d:>11}{e:>11}{g:>17}")?;
        for row in self.programs.iter().chain([&self.boot]) {
            let time = |seconds: Option<f64>| seconds.map_or("-".to_owned(), |s| format!("{s:.3}"));
            let ratio = row.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
            write!(f, "{:>10}  {:<13}{:>9}", row.name, row.group, time(row.native_seconds))?;
            writeln!(f, "{:>11}{:>11}{ratio:>17}", time(row.subject_seconds), time(row.against_seconds))?;
            for fault in &row.faults {
                writeln!(f, "{:>12}{}", "", fault.replace('\n', "\n              "))?;
            }
        }
        if !self.means.is_empty() {
            writeln!(f, "\ngeometric means, how many times as fast the subject is")?;
        }
        self.means.iter().try_for_each(|(group, mean)| writeln!(f, "{group:>10}  {mean:.2}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_means() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
        assert!((mean(&[2.0, 8.0]).unwrap() - 4.0).abs() < 1e-12);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn ratios_are_those_of_one_run() {
        // The host is four times as slow in the second run.
        let row = Row::new("fib", "integer", vec![1.0, 4.0, 1.1], vec![2.0, 8.0, 2.2]);
        assert_eq!((row.ratio, row.subject_seconds, row.against_seconds), (Some(2.0), Some(1.1), Some(2.2)));
        assert_eq!(Row::new("fib", "integer", vec![1.0], Vec::new()).ratio, None);
    }

    #[test]
    fn a_wrong_checksum_is_a_failure() {
        let program = Program { name: "fib".to_owned(), group: "integer".to_owned() };
        let outcome = |checksum: &str, seconds| Outcome {
            name: "fib".to_owned(),
            checksum: checksum.to_owned(),
            seconds,
        };
        let native = BTreeMap::from([("fib".to_owned(), outcome("1", 0.1))]);
        let mut subject = Side::new("subject", "ours");
        let mut against = Side::new("against", "theirs");
        subject.outcomes.insert("fib".to_owned(), vec![outcome("1", 0.5)]);
        against.outcomes.insert("fib".to_owned(), vec![outcome("1", 1.0)]);
        let report = Report::new(std::slice::from_ref(&program), &native, &[subject, against]);
        assert_eq!((report.failures(), report.means["integer"]), (0, 2.0));

        let mut wrong = Side::new("subject", "ours");
        wrong.outcomes.insert("fib".to_owned(), vec![outcome("2", 0.5)]);
        let report = Report::new(std::slice::from_ref(&program), &native, &[wrong]);
        assert_eq!(report.failures(), 1);
        assert!(report.to_string().contains("checksum 2, not 1"));
    }
}
