//! Running the machine's own tools, with errors that say what failed and what to install.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A command for `program`, and the Debian package that brings it.
pub struct Tool {
    program: &'static str,
    package: &'static str,
    command: Command,
}

impl Tool {
    /// `program` from `package`; nothing is run yet.
    pub fn new(program: &'static str, package: &'static str) -> Tool {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").stdin(Stdio::null());
        // mke2fs and debootstrap live in sbin, which an ordinary user's PATH often lacks.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
        Tool { program, package, command }
    }

    /// Appends one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Tool {
        self.command.arg(arg);
        self
    }

    /// Appends arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Tool {
        self.command.args(args);
        self
    }

    /// Runs it in `dir`.
    pub fn dir(mut self, dir: PathBuf) -> Tool {
        self.command.current_dir(dir);
        self
    }

    /// Runs it with `input` on its standard input and returns what it printed.
    pub fn filter(mut self, input: &[u8]) -> Result<Vec<u8>> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|e| self.not_started(e))?;
        let mut stdin = child.stdin.take().context("The child has no standard input")?;
        let output = std::thread::scope(|scope| {
            // A failed write shows up as the child's own complaint.
            scope.spawn(move || stdin.write_all(input));
            child.wait_with_output()
        })?;
        Ok(self.checked(output)?.stdout)
    }

    /// Runs it and returns what it printed.
    pub fn output(mut self) -> Result<String> {
        let output = self.command.output().map_err(|e| self.not_started(e))?;
        Ok(String::from_utf8_lossy(&self.checked(output)?.stdout).into_owned())
    }

    /// Runs it for its effect.
    pub fn run(self) -> Result<()> {
        self.output().map(drop)
    }

    fn not_started(&self, error: std::io::Error) -> anyhow::Error {
        let (program, package) = (self.program, self.package);
        match error.kind() {
            ErrorKind::NotFound => {
                anyhow::anyhow!("`{program}` is not installed: run `apt-get install {package}` as root")
            }
            _ => anyhow::Error::new(error).context(format!("Cannot start `{program}`")),
        }
    }

    fn checked(&self, output: Output) -> Result<Output> {
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = said.lines().rev().take(12).collect();
        let tail: String = tail.iter().rev().map(|line| format!("\n    {line}")).collect();
        bail!("`{:?}` ended with {}:{tail}", self.command, output.status)
    }
}

/// Whether this process runs as root, by the owner of its own entry in /proc.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}
