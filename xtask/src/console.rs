//! An emulator as a child process: its command line in QEMU's spelling, and its serial console to wait on and type at.

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// A machine to start: `virt` with the serial console on standard output.
#[derive(Clone)]
pub struct Machine {
    words: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    serial: &'static str,
}

impl Machine {
    /// `emulator` is a command line, split at blanks, that QEMU's options can be appended to.
    pub fn virt(emulator: &str) -> Machine {
        Machine::with(emulator, 3, "max", 1)
    }

    /// The same with the version of the interrupt controller, the processor model and the number of processors.
    pub fn with(emulator: &str, gic: u32, model: &str, cpus: u32) -> Machine {
        let words = emulator.split_whitespace().map(str::to_owned).collect();
        let machine = Machine { words, environment: Vec::new(), serial: "ttyAMA0" };
        let (board, cpus) = (format!("virt,gic-version={gic}"), cpus.to_string());
        machine.args(["-M", &board, "-cpu", model, "-m", "1G", "-smp", &cpus, "-nographic", "-no-reboot"])
    }

    /// One of x86's boards, with so many processors of a model.
    pub fn x86(emulator: &str, board: &str, model: &str, cpus: u32) -> Machine {
        let words = emulator.split_whitespace().map(str::to_owned).collect();
        let machine = Machine { words, environment: Vec::new(), serial: "ttyS0" };
        let cpus = cpus.to_string();
        machine.args(["-M", board, "-cpu", model, "-m", "1G", "-smp", &cpus, "-nographic", "-no-reboot"])
    }

    /// Any other program with a console.
    pub fn program<'a>(words: impl IntoIterator<Item = &'a str>) -> Machine {
        Machine { words: Vec::new(), environment: Vec::new(), serial: "" }.args(words)
    }

    /// Appends `-kernel`.
    pub fn kernel(self, image: &Path) -> Machine {
        self.args(["-kernel", &image.to_string_lossy()])
    }

    /// Appends `-initrd`.
    pub fn initrd(self, archive: &Path) -> Machine {
        self.args(["-initrd", &archive.to_string_lossy()])
    }

    /// Appends `-append`, with a serial console, few messages and, with `-no-reboot`, an end at a panic.
    pub fn append(self, line: &str) -> Machine {
        let line = format!("console={} quiet panic=-1 {line}", self.serial);
        self.args(["-append", &line])
    }

    /// Appends a disk, with the image's `format`, on a `device` as `-device` names it.
    pub fn disk(self, image: &Path, format: &str, device: &str) -> Machine {
        let drive = format!("file={},format={format},if=none,id=disk", image.display());
        self.args(["-drive", &drive, "-device", &format!("{device},drive=disk")])
    }

    /// Sets a variable of the emulator's environment.
    pub fn env(mut self, name: &'static str, value: &'static str) -> Machine {
        self.environment.push((name, value));
        self
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
    keyboard: Option<ChildStdin>,
    start: Instant,
    deadline: Instant,
    chunks: Receiver<(Duration, Vec<u8>)>,
    /// Everything printed so far, and how much of it has been waited for.
    text: String,
    passed: usize,
    /// When the last chunk came.
    latest: Duration,
    words: Vec<String>,
}

impl Console {
    /// Starts `machine`, which has `patience` to do everything that is waited for.
    pub fn start(machine: Machine, patience: Duration) -> Result<Console> {
        let words = machine.words;
        let (program, args) = words.split_first().context("No emulator is named")?;
        let start = Instant::now();
        let mut command = Command::new(program);
        command
            .args(args)
            .envs(machine.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("Cannot start `{program}`"))?;
        let (send, chunks) = channel();
        let out = child.stdout.take().context("The child has no standard output")?;
        let err = child.stderr.take().context("The child has no standard error")?;
        for mut stream in [Box::new(out) as Box<dyn Read + Send>, Box::new(err)] {
            let send = send.clone();
            std::thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut chunk) {
                    if send.send((start.elapsed(), chunk[..length].to_vec())).is_err() {
                        break;
                    }
                }
            });
        }
        let keyboard = child.stdin.take();
        Ok(Console {
            child,
            keyboard,
            start,
            deadline: start + patience,
            chunks,
            text: String::new(),
            passed: 0,
            latest: Duration::ZERO,
            words,
        })
    }

    /// Gives the machine `patience` from now on.
    pub fn patience(&mut self, patience: Duration) {
        self.deadline = Instant::now() + patience;
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has the process stand still.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Has it go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let process =
            i32::try_from(self.id()).ok().and_then(Pid::from_raw).context("The process has no number")?;
        Ok(rustix::process::kill_process(process, signal)?)
    }

    /// The directory in /proc of the process's thread of that name.
    pub fn thread(&self, name: &str) -> Result<PathBuf> {
        for entry in std::fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let path = entry?.path();
            if std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name) {
                return Ok(path);
            }
        }
        Err(self.complaint(&format!("The emulator has no thread `{name}`")))
    }

    /// Time since the start at which `text` was printed. What came before it is passed over.
    pub fn wait_for(&mut self, text: &str) -> Result<Duration> {
        while !self.pass(text) {
            if !self.listen()? {
                return Err(self.complaint(&format!("The machine ended without `{text}`")));
            }
        }
        Ok(self.latest)
    }

    /// The next line, without its end, or nothing if the machine has ended.
    pub fn line(&mut self) -> Result<Option<String>> {
        let from = self.passed;
        while !self.pass("\n") {
            if !self.listen()? {
                return Ok(None);
            }
        }
        Ok(Some(self.text.get(from..self.passed).unwrap_or_default().trim_end().to_owned()))
    }

    /// Types `line` and the return key.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        let keyboard = self.keyboard.as_mut().context("The machine has no keyboard")?;
        keyboard.write_all(format!("{line}\r").as_bytes())?;
        Ok(keyboard.flush()?)
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for the process to end by itself, with success; time since its start.
    pub fn wait_for_end(&mut self) -> Result<Duration> {
        while self.listen()? {}
        let status = self.child.wait()?;
        if !status.success() {
            return Err(self.complaint(&format!("The emulator ended with {status}")));
        }
        Ok(self.start.elapsed())
    }

    /// Passes over the next `text`, if it has been printed.
    fn pass(&mut self, text: &str) -> bool {
        let Some(at) = self.text.get(self.passed..).and_then(|rest| rest.find(text)) else { return false };
        self.passed += at + text.len();
        true
    }

    /// Takes in what is printed next; false at the end of output.
    fn listen(&mut self) -> Result<bool> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.chunks.recv_timeout(left) {
            Ok((time, chunk)) => {
                self.text.push_str(&String::from_utf8_lossy(&chunk));
                self.latest = time;
                Ok(true)
            }
            Err(RecvTimeoutError::Disconnected) => Ok(false),
            Err(RecvTimeoutError::Timeout) => Err(self.complaint("The machine took too long")),
        }
    }

    fn complaint(&self, what: &str) -> anyhow::Error {
        let lines: Vec<&str> = self.text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(25)..).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Console {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        Console::start(Machine { words, environment: Vec::new(), serial: "" }, Duration::from_secs(20))
            .unwrap()
    }

    #[test]
    fn waits_types_and_reads_lines() {
        let mut console = shell("printf 'login: '; read -r name; printf 'hello %s\\nsecond\\n' \"$name\"");
        console.wait_for("login: ").unwrap();
        console.type_line("me\n").unwrap();
        console.wait_for("hello").unwrap();
        assert_eq!(console.line().unwrap().as_deref(), Some(" me"));
        assert_eq!(console.line().unwrap().as_deref(), Some("second"));
        assert_eq!(console.line().unwrap(), None);
        console.wait_for_end().unwrap();
    }

    #[test]
    fn failures_show_the_last_lines_and_the_command() {
        let error = shell("echo some output; exit 3").wait_for("never").unwrap_err().to_string();
        assert!(error.contains("ended without `never`") && error.contains("some output"), "{error}");
        let error = shell("exit 3").wait_for_end().unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("sh -c 'exit 3'"), "{error}");
    }
}
