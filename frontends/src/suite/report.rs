//! Results as files for other programs: JUnit's XML, JSON, TAP 13.

use std::fmt::Write;
use std::time::Duration;

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Otherwise; the text says how, and what runs it again.
    Failed(String),
    /// It did not run, or said that it has nothing to test.
    Skipped(String),
}

/// A test and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The file that it is in.
    pub file: String,
    /// What identifies it there.
    pub id: String,
    /// The instruction or program.
    pub about: String,
    /// How long it ran.
    pub time: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

impl Record {
    /// What a filter knows it by.
    pub fn name(&self) -> String {
        format!("{}:{} {}", self.file, self.id, self.about)
    }
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JUnit's XML.
    Junit,
    /// JSON.
    Json,
    /// The Test Anything Protocol, version 13.
    Tap,
}

impl Format {
    /// Their names.
    pub const NAMES: [&str; 3] = ["junit", "json", "tap"];

    /// The form of a name.
    pub fn named(name: &str) -> Option<Self> {
        let n = Self::NAMES.iter().position(|n| *n == name)?;
        Some([Self::Junit, Self::Json, Self::Tap][n])
    }

    /// The report.
    pub fn text(self, records: &[Record], time: Duration) -> String {
        match self {
            Format::Junit => junit(records, time),
            Format::Json => json(records, time),
            Format::Tap => tap(records),
        }
    }
}

/// Text in XML; what XML 1.0 has no place for becomes a question mark.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c < ' ' || c == '\u{FFFE}' || c == '\u{FFFF}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

fn junit(records: &[Record], time: Duration) -> String {
    let count = |f: fn(&Outcome) -> bool| records.iter().filter(|r| f(&r.outcome)).count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuite name=\"lyrebird test\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        records.len(),
        count(|o| matches!(o, Outcome::Failed(_))),
        count(|o| matches!(o, Outcome::Skipped(_))),
        time.as_secs_f64()
    );
    for r in records {
        let _ = write!(
            out,
            "  <testcase classname=\"{}\" name=\"{} {}\" time=\"{:.6}\"",
            xml(&r.file),
            xml(&r.id),
            xml(&r.about),
            r.time.as_secs_f64()
        );
        let _ = match &r.outcome {
            Outcome::Passed => writeln!(out, "/>"),
            Outcome::Failed(text) => writeln!(out, "><failure message=\"{}\"/></testcase>", xml(text)),
            Outcome::Skipped(why) => writeln!(out, "><skipped message=\"{}\"/></testcase>", xml(why)),
        };
    }
    out + "</testsuite>\n"
}

/// Text in JSON, with its quotes (RFC 8259).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn json(records: &[Record], time: Duration) -> String {
    let one = |r: &Record| {
        let (result, text) = match &r.outcome {
            Outcome::Passed => ("passed", ""),
            Outcome::Failed(text) => ("failed", text.as_str()),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
        };
        let mut line = format!(
            "    {{\"file\": {}, \"id\": {}, \"about\": {}, \"result\": \"{result}\", \"seconds\": {:.6}",
            quoted(&r.file),
            quoted(&r.id),
            quoted(&r.about),
            r.time.as_secs_f64()
        );
        if !text.is_empty() {
            line += &format!(", \"text\": {}", quoted(text));
        }
        line + "}"
    };
    let all: Vec<String> = records.iter().map(one).collect();
    format!("{{\n  \"seconds\": {:.3},\n  \"tests\": [\n{}\n  ]\n}}\n", time.as_secs_f64(), all.join(",\n"))
}

fn tap(records: &[Record]) -> String {
    let mut out = format!("TAP version 13\n1..{}\n", records.len());
    for (n, r) in records.iter().enumerate() {
        // A number sign would begin a directive.
        let name = r.name().replace('#', "\\#").replace('\n', " ");
        let n = n + 1;
        let _ = match &r.outcome {
            Outcome::Passed => writeln!(out, "ok {n} - {name}"),
            Outcome::Skipped(why) => writeln!(out, "ok {n} - {name} # SKIP {}", why.replace('\n', " ")),
            Outcome::Failed(text) => {
                let _ = writeln!(out, "not ok {n} - {name}");
                let lines: String = text.lines().map(|l| format!("    {l}\n")).collect();
                writeln!(out, "  ---\n  text: |\n{lines}  ...")
            }
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let one = |id: &str, outcome| Record {
            file: "F6.4".into(),
            id: id.into(),
            about: "mul <\"byte\">".into(),
            time: Duration::from_millis(2),
            outcome,
        };
        vec![
            one("1", Outcome::Passed),
            one("2", Outcome::Failed("ax is 1\n\u{1}again".into())),
            one("3", Outcome::Skipped("no # reason".into())),
        ]
    }

    #[test]
    fn junit_counts_and_escapes() {
        let text = Format::Junit.text(&records(), Duration::from_secs(1));
        assert!(text.contains("tests=\"3\" failures=\"1\" skipped=\"1\" time=\"1.000\""), "{text}");
        assert!(text.contains("name=\"1 mul &lt;&quot;byte&quot;&gt;\" time=\"0.002000\"/>"), "{text}");
        assert!(text.contains("<failure message=\"ax is 1&#10;?again\"/>"), "{text}");
    }

    #[test]
    fn json_is_escaped() {
        let text = Format::Json.text(&records(), Duration::from_secs(1));
        assert!(text.contains("\"about\": \"mul <\\\"byte\\\">\", \"result\": \"passed\""), "{text}");
        assert!(text.contains("\"text\": \"ax is 1\\n\\u0001again\""), "{text}");
    }

    #[test]
    fn tap_has_a_plan_and_directives() {
        let text = Format::Tap.text(&records(), Duration::ZERO);
        assert!(text.starts_with("TAP version 13\n1..3\nok 1 - F6.4:1 mul"), "{text}");
        assert!(text.contains("not ok 2 - ") && text.contains("# SKIP no # reason"), "{text}");
    }
}
