//! The file of one chapter of the instruction set: a head, then for every row of the decode table one compressed chunk,
//! so that rows can be recorded anew one by one.
//!
//! Head: `LYRVEC` and the version as two decimal digits. Chunk: its length as a little-endian `u32`, then that many
//! bytes of zlib data, which hold a [`Row`] in postcard's encoding.

use super::Outcome;
use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::Path;

/// What files begin with.
pub const MAGIC: &[u8] = b"LYRVEC";

/// The version of the format and of how inputs are made.
pub const VERSION: u32 = 1;

/// Limit on the size of a chunk after decompression.
const MOST: u64 = 16 << 20;

/// The cases of one row of the decode table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The row's name.
    pub name: String,
    /// The row's pattern: with another pattern the recording is out of date.
    pub pattern: String,
    /// Case `i` has the input of seed `seed + i`.
    pub seed: u64,
    /// The instruction words.
    pub words: Vec<u32>,
    /// What they did.
    pub outcomes: Vec<Outcome>,
}

/// The head of a file.
fn head() -> Vec<u8> {
    format!("LYRVEC{VERSION:02}").into_bytes()
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read or is not a vector file of this version.
pub fn read(path: &Path) -> Result<Vec<Row>> {
    let bytes = std::fs::read(path).with_context(|| format!("Cannot read {}", path.display()))?;
    decode(&bytes).with_context(|| format!("{} is damaged; record it again", path.display()))
}

/// Reads the bytes of a file.
///
/// # Errors
/// When they are not those of a vector file of this version.
pub fn decode(bytes: &[u8]) -> Result<Vec<Row>> {
    let rest = bytes.strip_prefix(head().as_slice()).context("The head is not that of this version")?;
    let mut rows = Vec::new();
    for plain in unpack(rest)? {
        let row: Row = postcard::from_bytes(&plain)?;
        ensure!(row.words.len() == row.outcomes.len(), "{} has words without outcomes", row.name);
        rows.push(row);
    }
    Ok(rows)
}

/// The plain bytes of all chunks.
///
/// # Errors
/// When one is cut off or damaged.
pub fn unpack(mut rest: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut chunks = Vec::new();
    while let Some((len, tail)) = rest.split_first_chunk() {
        let (chunk, tail) =
            tail.split_at_checked(u32::from_le_bytes(*len) as usize).context("A chunk is cut off")?;
        let mut plain = Vec::new();
        ZlibDecoder::new(chunk).take(MOST).read_to_end(&mut plain)?;
        chunks.push(plain);
        rest = tail;
    }
    ensure!(rest.is_empty(), "Bytes are left over");
    Ok(chunks)
}

/// Appends a chunk.
///
/// # Errors
/// When it cannot be written as bytes.
pub fn pack(bytes: &mut Vec<u8>, content: &impl Serialize) -> Result<()> {
    let mut z = ZlibEncoder::new(Vec::new(), Compression::best());
    z.write_all(&postcard::to_stdvec(content)?)?;
    let chunk = z.finish()?;
    bytes.extend((chunk.len() as u32).to_le_bytes());
    bytes.extend(chunk);
    Ok(())
}

/// Writes a file.
///
/// # Errors
/// When the host cannot write it.
pub fn write(path: &Path, rows: &[Row]) -> Result<()> {
    let mut bytes = head();
    for row in rows {
        pack(&mut bytes, row)?;
    }
    std::fs::write(path, bytes).with_context(|| format!("Cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::Change;
    use super::*;

    #[test]
    fn rows_come_back_and_damage_is_found() -> Result<()> {
        let outcomes =
            vec![Outcome::Undefined, Outcome::Done(vec![Change::X(3, 7), Change::Memory(9, vec![1, 2])])];
        let row = Row { name: "A".into(), pattern: "0".into(), seed: 5, words: vec![1, 2], outcomes };
        let path = std::env::temp_dir().join(format!("lyrebird-vectors-{}", std::process::id()));
        write(&path, &[row.clone(), row.clone()])?;
        let bytes = std::fs::read(&path)?;
        std::fs::remove_file(&path)?;
        assert_eq!(decode(&bytes)?, [row.clone(), row]);
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(b"LYRVEC99").is_err());
        Ok(())
    }
}
