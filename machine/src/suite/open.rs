//! Finding and reading the files of a suite.
//!
//! Beside the SingleStepTests' files may be `metadata.json` (which flags an opcode defines) and `revocation_list.txt`
//! (hashes of tests that do not count).

use super::test::Test;
use super::{Masks, json, moo, vectors};
use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file may be so long when it is unpacked, in bytes.
const MOST: u64 = 1 << 28;

/// How a file's name ends, and what it then holds.
const ENDINGS: &[(&str, Format)] = &[
    (".MOO.gz", Format::Moo),
    (".MOO", Format::Moo),
    (".json.gz", Format::Json),
    (".json", Format::Json),
    (".vec", Format::Vectors),
];

/// Files of a suite that hold no tests.
const BESIDE: &[&str] = &["metadata.json", "state.json", "8088.json"];

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// SingleStepTests in chunks.
    Moo,
    /// SingleStepTests of the 8086 in JSON.
    Json,
    /// Our own vectors.
    Vectors,
}

/// A file of tests.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// Its name without the ending: `F6.4`, `alu`.
    pub name: String,
    format: Option<Format>,
}

/// Files of tests and what is known about them.
pub struct Suite {
    files: Vec<File>,
    masks: Masks,
    revoked: HashSet<String>,
}

/// The tests of a file.
pub enum Tests {
    /// Instructions in real mode.
    Real {
        /// The model of the processor that was recorded.
        model: &'static str,
        /// Flags that are compared.
        flags: u32,
        /// Without those that are revoked.
        tests: Vec<Test>,
    },
    /// Rows of A64 instructions.
    Arm(Vec<vectors::file::Row>),
    /// Rows of x86 instructions in 64-bit mode.
    User(Vec<vectors::x86::file::Row>),
}

/// The model of a processor that a file names.
fn model(cpu: &str) -> Result<&'static str> {
    Ok(match cpu {
        "8086" | "8088" => "8086",
        "C286" | "286" | "286C" => "80286",
        "386E" | "C386" | "386" => "80386",
        _ => bail!("there is no model of its processor, {cpu:?}"),
    })
}

fn named(path: &Path) -> Option<File> {
    let name = path.file_name()?.to_string_lossy();
    if BESIDE.contains(&name.as_ref()) {
        return None;
    }
    let (stem, format) = ENDINGS.iter().find_map(|(end, format)| {
        let at = name.len().checked_sub(end.len())?;
        let (stem, rest) = (name.get(..at)?, name.get(at..)?);
        rest.eq_ignore_ascii_case(end).then_some((stem, *format))
    })?;
    Some(File { path: path.to_owned(), name: stem.to_owned(), format: Some(format) })
}

/// The bytes of a file, unpacked.
fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path)?;
    if !bytes.starts_with(&[0x1F, 0x8B]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    GzDecoder::new(bytes.as_slice())
        .take(MOST)
        .read_to_end(&mut plain)
        .context("the gzip data are damaged")?;
    Ok(plain)
}

impl Suite {
    /// Looks at a file, or for files in a directory.
    ///
    /// # Errors
    /// When there is none, or what is known about them cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let mut files = Vec::new();
        let directory = if std::fs::metadata(path)?.is_dir() {
            for entry in std::fs::read_dir(path)? {
                files.extend(named(&entry?.path()));
            }
            files.sort_by(|a, b| a.name.cmp(&b.name));
            path
        } else {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            files.push(named(path).unwrap_or(File { path: path.to_owned(), name, format: None }));
            path.parent().unwrap_or(Path::new("."))
        };
        ensure!(!files.is_empty(), "no file in it ends in .MOO, .MOO.gz, .json, .json.gz or .vec");
        let beside = |name: &str| match std::fs::read_to_string(directory.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("reading {name}")),
        };
        let step = files.iter().any(|f| f.format != Some(Format::Vectors));
        let masks = match beside("metadata.json")? {
            Some(text) if step => Masks::parse(&text).context("metadata.json is damaged")?,
            _ => Masks::default(),
        };
        let revoked = beside("revocation_list.txt")?.unwrap_or_default();
        let revoked = revoked.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        Ok(Self { files, masks, revoked: revoked.map(str::to_lowercase).collect() })
    }

    /// The files.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it is not in its format.
    pub fn load(&self, file: &File) -> Result<Tests> {
        let bytes = unpacked(&file.path)?;
        let format = match file.format {
            Some(format) => format,
            None if bytes.starts_with(moo::MAGIC) => Format::Moo,
            None if bytes.starts_with(vectors::file::MAGIC) => Format::Vectors,
            None if bytes.starts_with(vectors::x86::file::MAGIC) => Format::Vectors,
            None if bytes.starts_with(b"[") => Format::Json,
            None => bail!("this is no file of tests: neither MOO nor JSON nor our own vectors"),
        };
        let moo::Contents { cpu, flags, mut tests } = match format {
            Format::Moo => moo::read(&bytes)?,
            Format::Json => {
                moo::Contents { cpu: "8086".into(), flags: u32::MAX, tests: json::tests(&bytes)? }
            }
            Format::Vectors if bytes.starts_with(vectors::x86::file::MAGIC) => {
                return Ok(Tests::User(vectors::x86::file::decode(&bytes)?.1));
            }
            Format::Vectors => return Ok(Tests::Arm(vectors::file::decode(&bytes)?)),
        };
        tests.retain(|t| !self.revoked.contains(&t.hash));
        Ok(Tests::Real { model: model(&cpu)?, flags: flags & self.masks.flags(&file.name), tests })
    }
}

impl Tests {
    /// Every test: what identifies it in its file, and what it is about.
    pub fn list(&self) -> Vec<(String, String)> {
        match self {
            Tests::Real { tests, .. } => {
                tests.iter().map(|t| (t.index.to_string(), t.name.clone())).collect()
            }
            Tests::Arm(rows) => cases(rows.iter().map(|row| (row.name.clone(), row.words.len()))),
            Tests::User(rows) => {
                cases(rows.iter().map(|row| (format!("{} {}", row.name, row.pattern), row.cases.len())))
            }
        }
    }
}

/// The cases of rows, by the row's number and their own.
fn cases(rows: impl Iterator<Item = (String, usize)>) -> Vec<(String, String)> {
    let all = rows.enumerate().map(|(r, (name, count))| {
        (0..count).map(move |c| (format!("{r}.{c}"), name.clone())).collect::<Vec<_>>()
    });
    all.flatten().collect()
}
