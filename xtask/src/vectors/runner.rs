//! The program that runs instructions under `qemu-aarch64`, and the conversation with it.

use crate::paths;
use crate::shell::Tool;
use anyhow::{Context, Result};
use lyrebird_tests::vectors::{CODE, Outcome, State};
use std::io::{BufWriter, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Linux's signal numbers.
const SIGILL: u32 = 4;
const SIGTRAP: u32 = 5;

/// A running runner.
pub(super) struct Runner {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
}

impl Runner {
    /// Compiles and starts it.
    ///
    /// # Errors
    /// When a tool is missing or fails.
    pub(super) fn new() -> Result<Self> {
        let dir = paths::target().join("vectors");
        std::fs::create_dir_all(&dir)?;
        let program = dir.join("runner");
        let source = paths::workspace().join("xtask/src/vectors/runner.c");
        Tool::new("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
            .args(["-O1", "-static", "-Wall", "-Werror", "-o"])
            .arg(&program)
            .arg(source)
            .run()?;
        // SVE and SME off: their records in the signal frame would override the vector registers.
        let mut child = Command::new("qemu-aarch64")
            .args(["-cpu", "max,sve=off,sme=off,pauth-impdef=on"])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("`qemu-aarch64` cannot be started: run `apt-get install qemu-user` as root")?;
        let to = child.stdin.take().context("The child has no standard input")?;
        let from = child.stdout.take().context("The child has no standard output")?;
        Ok(Self { child, to, from })
    }

    /// Runs words on states; the first number is the caller's. `None` for those that ended in another way than the next instruction, a jump, or as
    /// undefined.
    ///
    /// # Errors
    /// When the runner died.
    pub(super) fn run(&mut self, batch: &[(u64, u32, State)]) -> Result<Vec<Option<Outcome>>> {
        let mut results = Vec::new();
        let (to, from) = (&mut self.to, &mut self.from);
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || -> std::io::Result<()> {
                let mut to = BufWriter::new(to);
                for (_, word, state) in batch {
                    to.write_all(&state.to_bytes(*word))?;
                }
                to.flush()
            });
            for (_, word, before) in batch {
                let mut bytes = vec![0; State::BYTES];
                from.read_exact(&mut bytes).with_context(|| format!("The runner died at {word:08x}"))?;
                let (after, signal) = State::from_bytes(&bytes).context("A reply has the wrong size")?;
                results.push(match (signal, after.pc) {
                    (SIGTRAP, pc) if pc == CODE + 4 => Some(Outcome::between(before, &after)),
                    (SIGILL, CODE) => Some(Outcome::Undefined),
                    (_, CODE) | (SIGILL | SIGTRAP, _) => None,
                    _ => Some(Outcome::between(before, &after)),
                });
            }
            writer.join().map_err(|_| anyhow::anyhow!("The writer failed"))??;
            Ok(results)
        })
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
