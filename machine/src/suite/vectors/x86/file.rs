//! The file of a chapter: a head, a chunk that says where it was recorded, and a chunk for each row.
//!
//! Head: `LYRX86` and the version as two decimal digits. Chunks are as in [`super::super::file`].

use super::super::file::{pack, unpack};
use super::{Change, Shape, State, apply, input};
use anyhow::{Context, Result, ensure};
use lyrebird_cpu::emit::Emitter;
use lyrebird_cpu::x86::table;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What files begin with.
pub const MAGIC: &[u8] = b"LYRX86";
/// The version of the format and of how inputs are made.
pub const VERSION: u32 = 1;

/// The processor that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// CPUID's vendor.
    pub vendor: String,
    /// Its name.
    pub model: String,
}

/// The cases of one row of the decode table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The row's mnemonic.
    pub name: String,
    /// Its opcode column and operands: with others the recording is out of date.
    pub pattern: String,
    /// What states are made to fit; see [`Shape`].
    pub shape: u8,
    /// Where states begin.
    pub seed: u64,
    /// The encodings.
    pub forms: Vec<Vec<u8>>,
    /// Encoding and offset of the seed of each case.
    pub cases: Vec<(u16, u16)>,
    /// What the case changed.
    pub outcomes: Vec<Vec<Change>>,
}

/// What identifies a row besides its name.
pub fn pattern<E: Emitter>(row: &table::Row<E>) -> String {
    format!("{} {}", row.opcode, row.operands)
}

impl Row {
    /// Instruction, state before and state after of case `n`.
    ///
    /// # Errors
    /// When there is no such case.
    pub fn case(&self, n: usize) -> Result<(Vec<u8>, State, State)> {
        let missing = || format!("{} has no case {n}", self.name);
        let (form, offset) = *self.cases.get(n).with_context(missing)?;
        let insn = self.forms.get(form as usize).with_context(missing)?.clone();
        let changes = self.outcomes.get(n).with_context(missing)?;
        let shape = *Shape::ALL.get(self.shape as usize).context("a shape is not known")?;
        let before = input(self.seed.wrapping_add(offset as u64), shape, insn.len());
        let after = apply(&before, changes);
        Ok((insn, before, after))
    }
}

fn head() -> Vec<u8> {
    [MAGIC, format!("{VERSION:02}").as_bytes()].concat()
}

/// Reads the bytes of a file.
///
/// # Errors
/// When they are not those of a file of this version.
pub fn decode(bytes: &[u8]) -> Result<(Host, Vec<Row>)> {
    let rest = bytes.strip_prefix(head().as_slice()).context("the head is not that of this version")?;
    let mut chunks = unpack(rest)?.into_iter();
    let host = postcard::from_bytes(&chunks.next().context("the first chunk is missing")?)?;
    let rows: Vec<Row> = chunks.map(|c| Ok(postcard::from_bytes(&c)?)).collect::<Result<_>>()?;
    for row in &rows {
        ensure!(row.cases.len() == row.outcomes.len(), "{} has cases without outcomes", row.name);
    }
    Ok((host, rows))
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read or is not one of this version.
pub fn read(path: &Path) -> Result<(Host, Vec<Row>)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    decode(&bytes).with_context(|| format!("{} is damaged; record it again", path.display()))
}

/// Writes a file.
///
/// # Errors
/// When the host cannot write it.
pub fn write(path: &Path, host: &Host, rows: &[Row]) -> Result<()> {
    let mut bytes = head();
    pack(&mut bytes, host)?;
    for row in rows {
        pack(&mut bytes, row)?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
