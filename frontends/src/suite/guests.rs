//! Tests that are programs: this program runs them with QEMU's command line, in a process each.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::judge::Judge;
use super::report::{Outcome, Record};
use super::{Common, Work, unusable};
use crate::cli::args::{QEMU, TestArgs};
use crate::exit::Failure;

/// What a test may take if nothing else is said.
const TIMEOUT: Duration = Duration::from_secs(90);
/// How much of a guest's output is kept.
const MOST_OUTPUT: u64 = 16 << 20;
/// How much of it a report repeats.
const SHOWN_OUTPUT: usize = 2000;
/// How often a running guest is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A program and the machine that it runs on.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The file that names the test, its name there, and what it runs.
    pub file: String,
    /// Its name.
    pub id: String,
    /// The image.
    pub image: PathBuf,
    /// QEMU's program, and its options.
    pub words: Vec<String>,
    /// What it must do.
    pub verdict: Verdict,
    /// What it may take.
    pub timeout: Option<Duration>,
    /// The options of `lyrebird test` that choose it again, and the file.
    pub again: String,
    /// What all tests share.
    pub common: Common,
}

/// What a program must do to pass.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// What the command line says.
    Judge(Judge),
    /// What kvm-unit-tests' exit status says.
    KvmUnitTests,
}

/// What a program did.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    /// Its exit status; `None` for a signal.
    pub code: Option<i32>,
    /// It had to be ended.
    pub late: bool,
    /// What came out of its serial port.
    pub serial: Vec<u8>,
    /// What it said to standard error.
    pub errors: Vec<u8>,
    /// The bytes that came to the port of progress codes.
    pub post: Vec<u8>,
    /// The bytes that came to the port of the log.
    pub log: Vec<u8>,
}

/// Reads a pipe to its end, and keeps as much as is allowed.
fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(MOST_OUTPUT).read_to_end(&mut bytes);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        bytes
    })
}

/// Waits for a child's end; whether it came in time.
fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<(Option<i32>, bool)> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status.code(), false));
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            return Ok((None, true));
        }
        std::thread::sleep(LOOK);
    }
}

impl Guest {
    /// Runs it.
    fn go(&self) -> std::io::Result<Ran> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let unique =
            format!("lyrebird-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let place = |name: &str| std::env::temp_dir().join(format!("{unique}-{name}"));
        let mut words = self.words.clone();
        let mut ports = Vec::new();
        if let Verdict::Judge(judge) = &self.verdict {
            ports.extend(judge.post.map(|(port, _)| ("post", port)));
            ports.extend(judge.log.as_ref().map(|(port, _)| ("log", *port)));
        }
        for (name, port) in &ports {
            let path = place(name);
            words.extend(["-chardev".into(), format!("file,id=test-{name},path={}", path.display())]);
            words.extend(["-device".into(), format!("isa-debugcon,iobase={port:#x},chardev=test-{name}")]);
        }
        let mut command = Command::new(std::env::current_exe()?);
        command.args(&words).env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (out, err) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let (code, late) = wait(&mut child, self.limit())?;
        let mut ran = Ran {
            code,
            late,
            serial: out.join().unwrap_or_default(),
            errors: err.join().unwrap_or_default(),
            ..Ran::default()
        };
        for (name, _) in &ports {
            let path = place(name);
            let bytes = std::fs::read(&path).unwrap_or_default();
            let _ = std::fs::remove_file(&path);
            if *name == "post" { ran.post = bytes } else { ran.log = bytes }
        }
        Ok(ran)
    }

    /// What it may take.
    fn limit(&self) -> Duration {
        self.common.timeout.or(self.timeout).unwrap_or(TIMEOUT)
    }

    fn outcome(&self) -> Outcome {
        let ran = match self.go() {
            Ok(ran) => ran,
            Err(e) => return Outcome::Failed(format!("  this program cannot run itself: {e}\n")),
        };
        let mut complaints = match &self.verdict {
            Verdict::Judge(judge) => judge.complaints(&ran),
            Verdict::KvmUnitTests => match ran.code {
                // The devices make `code << 1 | 1` of 0 and 77.
                Some(1) => Vec::new(),
                Some(155) => return Outcome::Skipped(summary(&ran.serial)),
                Some(code) => vec![format!("it ends with {code}, should end with 1")],
                None => vec!["a signal ended it".to_owned()],
            },
        };
        // A guest that has said by a port that all is well may stand still.
        if ran.late && !complaints.is_empty() {
            complaints = vec![format!("it does not end in {} s", self.limit().as_secs_f64())];
        }
        if complaints.is_empty() {
            return Outcome::Passed;
        }
        let mut text: String = complaints.iter().map(|c| format!("  {c}\n")).collect();
        for (what, bytes) in [("serial port", &ran.serial), ("standard error", &ran.errors)] {
            let said = String::from_utf8_lossy(bytes);
            let from = said.char_indices().rev().nth(SHOWN_OUTPUT).map_or(0, |(at, _)| at);
            let said = said[from..].trim_end();
            if !said.is_empty() {
                text += &format!("  {what}:\n");
                said.lines().for_each(|l| text += &format!("    {l}\n"));
            }
        }
        text += &format!("  machine: lyrebird {}\n", shell(&self.words));
        text += &format!("  again: {} {}\n", self.common.command, self.again);
        Outcome::Failed(text)
    }
}

/// The last line of a guest's output that has a word of summary in it, or the last at all.
fn summary(serial: &[u8]) -> String {
    let said = String::from_utf8_lossy(serial);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    let found = lines.iter().rev().find(|l| l.starts_with("SKIP") || l.starts_with("SUMMARY"));
    found.or(lines.last()).map_or("the program skips itself".to_owned(), |l| (*l).to_owned())
}

/// Words as a shell takes them.
pub fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+%@".contains(c);
    let one = |w: &String| {
        if !w.is_empty() && w.chars().all(plain) {
            w.clone()
        } else {
            format!("'{}'", w.replace('\'', "'\\''"))
        }
    };
    words.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The program of a guest that `--guest` names.
fn program(guest: Option<&str>) -> Result<&'static str, Failure> {
    let named = |name: &str| QEMU.into_iter().find(|q| q.strip_prefix("qemu-system-") == Some(name));
    let guest = guest.unwrap_or("x86_64");
    named(guest)
        .ok_or_else(|| Failure::usage(format!("test -guest {guest}: use one of aarch64, x86_64, i386")))
}

/// An image that is a test.
pub fn image(
    path: &Path,
    args: &TestArgs,
    common: &Common,
    judge: Option<Judge>,
) -> Result<Box<dyn Work>, Failure> {
    let mut head = [0; 4];
    let mut file = std::fs::File::open(path).map_err(|e| unusable(path, e))?;
    let elf = file.read_exact(&mut head).is_ok() && head == *b"\x7fELF";
    let judge = judge.unwrap_or_default();
    let extra = args.args.as_deref().unwrap_or_default();
    let extra =
        split(extra).ok_or_else(|| Failure::usage(format!("test -args {extra}: a quote is not closed")))?;
    let mut words = machine(program(args.guest.as_deref())?, args, common);
    let name = path.display().to_string();
    let placed = extra.iter().any(|w| w.contains("{}"));
    let debug_exit = extra.iter().any(|w| w.contains("isa-debug-exit"));
    words.extend(extra.into_iter().map(|w| w.replace("{}", &name)));
    if !placed {
        words.extend([if elf { "-kernel" } else { "-bios" }.to_owned(), name.clone()]);
    }
    if judge.exit.is_some() && !debug_exit && args.guest.as_deref() != Some("aarch64") {
        words.extend(["-device".to_owned(), DEBUG_EXIT.to_owned()]);
    }
    let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let again = again(args, &name);
    let common = common.clone();
    Ok(Box::new(Guest {
        file: "image".into(),
        id,
        image: path.to_owned(),
        words,
        verdict: Verdict::Judge(judge),
        timeout: None,
        again,
        common,
    }))
}

/// The options that run an image again.
fn again(args: &TestArgs, image: &str) -> String {
    let mut words = Vec::new();
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([name.to_owned(), value]);
        }
    };
    option("-guest", args.guest.clone());
    option("-args", args.args.clone());
    option("-exit", args.exit.map(|code| code.to_string()));
    option("-post", args.post.clone());
    option("-log", args.log.clone());
    option("-serial", args.serial.clone());
    words.push(image.to_owned());
    shell(&words)
}

/// The device through which x86 guests end the program.
pub const DEBUG_EXIT: &str = "isa-debug-exit,iobase=0xf4,iosize=0x4";

/// The words that every machine begins with.
pub fn machine(program: &str, args: &TestArgs, common: &Common) -> Vec<String> {
    let fixed = ["-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-accel"];
    let mut words = vec![program.to_owned()];
    words.extend(fixed.map(str::to_owned));
    words.push(common.engine_name.to_owned());
    if let Some(cpu) = &args.cpu {
        words.extend(["-cpu".to_owned(), cpu.clone()]);
    }
    words
}

/// Splits a text into words as a shell does: blanks, quotes, backslashes. `None` if a quote is open at the end.
pub fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().push(chars.next()?),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                word.get_or_insert_default();
                quote = Some(c);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

impl Work for Guest {
    fn tests(&self) -> u64 {
        1
    }

    fn run(&self, each: &mut dyn FnMut(Record)) -> Result<(), Failure> {
        let began = Instant::now();
        let outcome = self.outcome();
        each(Record {
            file: self.file.clone(),
            id: self.id.clone(),
            about: self.image.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            time: began.elapsed(),
            outcome,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_and_joined_as_shells_do() {
        let words = split(r#"-append 'a "b" c' -m 1G x\ y "" "#).expect("closed quotes");
        assert_eq!(words, ["-append", "a \"b\" c", "-m", "1G", "x y", ""]);
        assert_eq!(split("a 'b"), None);
        assert_eq!(split(&shell(&words)), Some(words));
    }

    #[test]
    fn the_summary_is_what_a_guest_says_last() {
        assert_eq!(summary(b"a\nSKIP: no apic\nb\n"), "SKIP: no apic");
        assert_eq!(summary(b"a\nb\n\n"), "b");
    }
}
