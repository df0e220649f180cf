//! A machine's monitor, on a socket: commands and their answers.

use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PROMPT: &str = "(lyrebird) ";

/// A connected monitor.
pub struct Monitor {
    stream: UnixStream,
}

impl Monitor {
    /// A fresh socket's path, and the words of a command line that put the monitor there.
    pub fn place() -> (PathBuf, String) {
        let path = std::env::temp_dir().join(format!("lyrebird-xtask-{}.monitor", std::process::id()));
        let words = format!("unix:{},server=on,wait=off", path.display());
        (path, words)
    }

    /// Connects to the monitor of a machine that runs already, and removes the socket's name.
    pub fn connect(path: &Path) -> Result<Monitor> {
        let stream =
            UnixStream::connect(path).with_context(|| format!("Cannot connect to {}", path.display()))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        std::fs::remove_file(path)?;
        let mut monitor = Monitor { stream };
        monitor.answer()?;
        Ok(monitor)
    }

    /// What the monitor says to `command`.
    pub fn ask(&mut self, command: &str) -> Result<String> {
        self.stream.write_all(format!("{command}\n").as_bytes())?;
        self.answer()
    }

    /// Has the machine end.
    pub fn quit(mut self) -> Result<()> {
        Ok(self.stream.write_all(b"quit\n")?)
    }

    /// Instructions that the engine of processor 0 has counted.
    pub fn instructions(&mut self) -> Result<u64> {
        let answer = self.ask("info jit")?;
        let counted = answer.split_once("CPU 0: ").and_then(|(_, rest)| rest.split(' ').next());
        let counted = counted.and_then(|number| number.parse().ok());
        counted.with_context(|| format!("No number of instructions in `{answer}`"))
    }

    /// Everything up to the next prompt.
    fn answer(&mut self) -> Result<String> {
        let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
        while !bytes.ends_with(PROMPT.as_bytes()) {
            let length = self.stream.read(&mut chunk).context("The monitor does not answer")?;
            anyhow::ensure!(length > 0, "The monitor is gone");
            bytes.extend_from_slice(chunk.get(..length).unwrap_or_default());
        }
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches(PROMPT).to_owned())
    }
}
