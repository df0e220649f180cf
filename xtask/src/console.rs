//! An emulator as a child process: its command line in QEMU's spelling, and its serial console as timed lines.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A machine to start: `virt` with the serial console on standard output.
#[derive(Clone)]
pub struct Machine {
    words: Vec<String>,
}

impl Machine {
    /// `emulator` is a command line, split at blanks, that QEMU's options can be appended to.
    pub fn virt(emulator: &str) -> Machine {
        let words = emulator.split_whitespace().map(str::to_owned).collect();
        let machine = Machine { words };
        machine.args(["-M", "virt,gic-version=3", "-cpu", "max", "-m", "1G", "-smp", "1", "-nographic"])
    }

    /// Appends `-kernel`.
    pub fn kernel(self, image: &Path) -> Machine {
        self.args(["-kernel", &image.to_string_lossy()])
    }

    /// Appends `-initrd`.
    pub fn initrd(self, archive: &Path) -> Machine {
        self.args(["-initrd", &archive.to_string_lossy()])
    }

    /// Appends `-append`.
    pub fn append(self, line: &str) -> Machine {
        self.args(["-append", line])
    }

    /// Appends options as they are.
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Machine {
        self.words.extend(args.into_iter().map(str::to_owned));
        self
    }
}

/// A running machine. Dropping it ends the process.
pub struct Console {
    child: Child,
    start: Instant,
    deadline: Instant,
    lines: Receiver<(Duration, String)>,
    seen: Vec<String>,
    words: Vec<String>,
}

impl Console {
    /// Starts `machine`, which has `patience` to do everything that is waited for.
    pub fn start(machine: Machine, patience: Duration) -> Result<Console> {
        let words = machine.words;
        let (program, args) = words.split_first().context("No emulator is named")?;
        let start = Instant::now();
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("Cannot start `{program}`"))?;
        let (send, lines) = channel();
        let out = child.stdout.take().context("The child has no standard output")?;
        let err = child.stderr.take().context("The child has no standard error")?;
        for stream in [Box::new(out) as Box<dyn Read + Send>, Box::new(err)] {
            let send = send.clone();
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                let mut line = Vec::new();
                while stream.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    line.clear();
                    if send.send((start.elapsed(), text)).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Console { child, start, deadline: start + patience, lines, seen: Vec::new(), words })
    }

    /// Time since the start at which the next line came that holds `text`. Lines before it are passed over.
    pub fn wait_for(&mut self, text: &str) -> Result<Duration> {
        loop {
            match self.next_line()? {
                Some((time, line)) if line.contains(text) => return Ok(time),
                Some(_) => {}
                None => return Err(self.complaint(&format!("The machine ended without `{text}`"))),
            }
        }
    }

    /// The next line and when it came, or nothing at the end of output.
    pub fn next_line(&mut self) -> Result<Option<(Duration, String)>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok((time, line)) => {
                self.seen.push(line.clone());
                Ok(Some((time, line)))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(self.complaint("The machine took too long")),
        }
    }

    /// Waits for the process to end by itself, with success.
    pub fn wait_for_end(&mut self) -> Result<Duration> {
        while self.next_line()?.is_some() {}
        let status = self.child.wait()?;
        if !status.success() {
            return Err(self.complaint(&format!("The emulator ended with {status}")));
        }
        Ok(self.start.elapsed())
    }

    fn complaint(&self, what: &str) -> anyhow::Error {
        let tail = self.seen.get(self.seen.len().saturating_sub(25)..).unwrap_or_default();
        let tail: String = tail.iter().map(|line| format!("\n    {line}")).collect();
        let words: Vec<String> = self.words.iter().map(|word| quote(word)).collect();
        anyhow::anyhow!("{what}. Its last lines:{tail}\nThe command was: {}", words.join(" "))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // Ending it fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `word` as a shell takes it.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=.,/:+".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
