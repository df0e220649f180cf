//! The SingleStepTests of x86 processors: instructions in real mode as hardware was seen to execute them.
//!
//! A suite is a directory of `.MOO.gz` files, one for each opcode, with `metadata.json` (which flags are defined) and
//! `revocation_list.txt` (tests that do not count). Bus cycles and queues are not looked at.

mod masks;
mod parse;
mod real;

pub use masks::Masks;
pub use parse::{Registers, State, Test, reg, tests};
pub use real::{Mismatch, Real};

use anyhow::{Context, Result};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// A directory of tests.
pub struct Suite {
    files: Vec<PathBuf>,
    masks: Masks,
    revoked: HashSet<String>,
}

/// The tests of one opcode.
pub struct Opcode {
    /// The file's name without its extensions: `F6.4`.
    pub name: String,
    /// Flags that are compared.
    pub flags: u32,
    /// The tests, without those that are revoked.
    pub tests: Vec<Test>,
}

impl Suite {
    /// Looks into a directory.
    ///
    /// # Errors
    /// When it or its metadata cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let read = |name: &str| {
            std::fs::read_to_string(path.join(name))
                .with_context(|| format!("reading {}/{name}", path.display()))
        };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            let file = entry?.path();
            if file.to_string_lossy().ends_with(".MOO.gz") {
                files.push(file);
            }
        }
        files.sort();
        let revoked = read("revocation_list.txt").unwrap_or_default();
        let revoked = revoked.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        Ok(Self {
            files,
            masks: Masks::parse(&read("metadata.json")?)?,
            revoked: revoked.map(str::to_lowercase).collect(),
        })
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Reads file `n`.
    ///
    /// # Errors
    /// When it is not in the format.
    pub fn opcode(&self, n: usize) -> Result<Opcode> {
        let path = self.files.get(n).context("there is no such file")?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".MOO.gz").to_owned();
        let packed = std::fs::read(path)?;
        let mut tests = tests(&packed).with_context(|| format!("reading {}", path.display()))?;
        tests.retain(|t| !self.revoked.contains(&t.hash));
        Ok(Opcode { flags: self.masks.flags(&name), name, tests })
    }
}
