//! How a program that is a test says how it fared.

use std::path::PathBuf;

use super::guests::Ran;
use crate::cli::args::TestArgs;
use crate::cli::number::parse_u64;
use crate::exit::{ExitClass, Failure};

/// What an image must do to pass; all of it, where several things are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judge {
    /// It ends with this exit status (`isa-debug-exit` makes `value << 1 | 1` of what is written).
    pub exit: Option<i32>,
    /// The port of its progress codes, and the last code of success.
    pub post: Option<(u16, u8)>,
    /// A port whose bytes are those of a file.
    pub log: Option<(u16, PathBuf)>,
    /// Text that its serial port says.
    pub serial: Option<String>,
}

/// Splits `PORT:REST`.
fn port<'a>(option: &str, text: &'a str, what: &str) -> Result<(u16, &'a str), Failure> {
    let bad = || Failure::usage(format!("test -{option} {text}: write PORT:{what}, such as 0x80:{what}"));
    let (port, rest) = text.split_once(':').ok_or_else(bad)?;
    let port = parse_u64(port).and_then(|n| u16::try_from(n).ok()).ok_or_else(bad)?;
    Ok((port, rest))
}

impl Judge {
    /// What the command line asks for, if it does.
    pub fn read(args: &TestArgs) -> Result<Option<Self>, Failure> {
        let mut judge = Self { exit: args.exit, serial: args.serial.clone(), ..Self::default() };
        if let Some(text) = &args.post {
            let (port, code) = port("post", text, "CODE")?;
            let code = parse_u64(code).and_then(|n| u8::try_from(n).ok());
            let code = code.ok_or_else(|| {
                Failure::usage(format!("test -post {text}: a code is a byte, such as 0xFF"))
            })?;
            judge.post = Some((port, code));
        }
        if let Some(text) = &args.log {
            let (port, file) = port("log", text, "FILE")?;
            std::fs::metadata(file).map_err(|e| {
                Failure::new(ExitClass::GuestFile, format!("test -log: reference '{file}': {e}"))
            })?;
            judge.log = Some((port, file.into()));
        }
        Ok((judge != Self::default()).then_some(judge))
    }

    /// What is wrong with a run, a line each.
    pub fn complaints(&self, ran: &Ran) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(want) = self.exit
            && ran.code != Some(want)
        {
            let code = ran.code.map_or("by a signal".to_owned(), |code| format!("with {code}"));
            all.push(format!("it ends {code}, should end with {want}"));
        }
        if let Some((port, want)) = self.post {
            match ran.post.last() {
                Some(&last) if last == want => {}
                Some(last) => {
                    all.push(format!("the last code at port {port:#x} is {last:#04x}, should be {want:#04x}"))
                }
                None => all.push(format!("no code came to port {port:#x}")),
            }
        }
        if let Some((port, file)) = &self.log {
            match std::fs::read(file) {
                Ok(want) => all.extend(compare_logs(*port, &want, &ran.log)),
                Err(e) => all.push(format!("reference '{}': {e}", file.display())),
            }
        }
        if let Some(want) = &self.serial
            && !String::from_utf8_lossy(&ran.serial).contains(want)
        {
            all.push(format!("the serial port does not say {want:?}"));
        }
        all
    }
}

/// The first line in which a log is not its reference. Line ends may be of either kind.
fn compare_logs(port: u16, want: &[u8], got: &[u8]) -> Option<String> {
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes).lines().map(|l| l.trim_end().to_owned()).collect()
    };
    let (want, got) = (lines(want), lines(got));
    let n = (0..want.len().max(got.len())).find(|&n| want.get(n) != got.get(n))?;
    let shown = |all: &[String]| all.get(n).map_or("not there".to_owned(), |l| format!("{l:?}"));
    Some(format!(
        "line {} of the log at port {port:#x} is {}, should be {}; {} lines came, the reference has {}",
        n + 1,
        shown(&got),
        shown(&want),
        got.len(),
        want.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_asked_for_must_hold() {
        let judge = Judge { exit: Some(1), post: Some((0x80, 0xFF)), log: None, serial: Some("done".into()) };
        let good =
            Ran { code: Some(1), post: vec![1, 0xFF], serial: b"all done\n".to_vec(), ..Ran::default() };
        assert!(judge.complaints(&good).is_empty());
        let bad = Ran { code: Some(3), post: vec![1], ..Ran::default() };
        let said = judge.complaints(&bad);
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(said[1].contains("0x01") && said[1].contains("0xff"), "{said:?}");
    }

    #[test]
    fn logs_are_compared_by_lines() {
        assert_eq!(compare_logs(0xE9, b"a\r\nb\r\n", b"a\nb\n"), None);
        assert!(compare_logs(0xE9, b"a\nb\n", b"a\nc\n").is_some_and(|t| t.starts_with("line 2 ")));
        assert!(compare_logs(0xE9, b"a\nb\n", b"a\n").is_some_and(|t| t.contains("not there")));
    }

    #[test]
    fn ports_are_checked() {
        assert_eq!(port("log", "0xE9:x:y", "FILE").expect("a port"), (0xE9, "x:y"));
        assert!(port("log", "E9", "FILE").is_err() && port("log", "0x10000:x", "FILE").is_err());
    }
}
