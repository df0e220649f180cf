//! The MOO format, versions 1.0 and 1.1: chunks of a tag of four letters, a length of four bytes and so many bytes,
//! some of which hold chunks again. Unknown ones are skipped.

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use std::io::Read;

/// Numbers of registers, in the order of the `RG32` chunk.
pub mod reg {
    #![expect(missing_docs, reason = "the registers' names")]
    pub const CR0: usize = 0;
    pub const CR3: usize = 1;
    pub const AX: usize = 2;
    pub const BX: usize = 3;
    pub const CX: usize = 4;
    pub const DX: usize = 5;
    pub const SI: usize = 6;
    pub const DI: usize = 7;
    pub const BP: usize = 8;
    pub const SP: usize = 9;
    pub const CS: usize = 10;
    pub const DS: usize = 11;
    pub const ES: usize = 12;
    pub const FS: usize = 13;
    pub const GS: usize = 14;
    pub const SS: usize = 15;
    pub const IP: usize = 16;
    pub const FLAGS: usize = 17;
    pub const DR6: usize = 18;
    pub const DR7: usize = 19;
    /// Their names.
    pub const NAMES: [&str; 20] = [
        "cr0", "cr3", "ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "cs", "ds", "es", "fs", "gs", "ss",
        "ip", "flags", "dr6", "dr7",
    ];
}

/// The registers in the order of the `REGS` chunk.
const REGS: [usize; 14] = [
    reg::AX,
    reg::BX,
    reg::CX,
    reg::DX,
    reg::CS,
    reg::SS,
    reg::DS,
    reg::ES,
    reg::SP,
    reg::BP,
    reg::SI,
    reg::DI,
    reg::IP,
    reg::FLAGS,
];

/// The registers that a state names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers(pub [Option<u32>; 20]);

/// What is known before or after an instruction.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Registers; afterwards only those that changed.
    pub registers: Registers,
    /// Bytes of memory.
    pub ram: Vec<(u32, u8)>,
}

/// One test.
#[derive(Clone, Debug, Default)]
pub struct Test {
    /// Its number in the original file.
    pub index: u32,
    /// The instruction as text.
    pub name: String,
    /// The instruction's bytes.
    pub bytes: Vec<u8>,
    /// Before.
    pub before: State,
    /// After.
    pub after: State,
    /// The vector of an exception, and where its flags were pushed.
    pub exception: Option<(u8, u32)>,
    /// What identifies it, in hexadecimal.
    pub hash: String,
}

/// A file may be so long when it is unpacked.
const MOST: u64 = 1 << 28;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n).context("a chunk is cut off")?;
        self.0 = rest;
        Ok(bytes)
    }

    fn number(&mut self, bytes: usize) -> Result<u32> {
        Ok(self.bytes(bytes)?.iter().rev().fold(0, |x, &b| x << 8 | b as u32))
    }

    /// The next chunk.
    fn chunk(&mut self) -> Result<Option<([u8; 4], Reader<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.bytes(4)?.try_into()?;
        let length = self.number(4)? as usize;
        Ok(Some((tag, Reader(self.bytes(length)?))))
    }
}

/// Reads a file that is packed with gzip.
///
/// # Errors
/// When it is not in the format.
pub fn tests(packed: &[u8]) -> Result<Vec<Test>> {
    let mut file = Vec::new();
    GzDecoder::new(packed).take(MOST).read_to_end(&mut file)?;
    let mut reader = Reader(&file);
    let Some((tag, _)) = reader.chunk()? else { bail!("the file is empty") };
    if &tag != b"MOO " {
        bail!("this is no MOO file");
    }
    let mut tests = Vec::new();
    while let Some((tag, chunk)) = reader.chunk()? {
        if &tag == b"TEST" {
            tests.push(test(chunk)?);
        }
    }
    Ok(tests)
}

fn test(mut reader: Reader<'_>) -> Result<Test> {
    let mut test = Test { index: reader.number(4)?, ..Test::default() };
    while let Some((tag, mut chunk)) = reader.chunk()? {
        match &tag {
            b"NAME" => {
                let n = chunk.number(4)? as usize;
                test.name = String::from_utf8_lossy(chunk.bytes(n)?).into_owned();
            }
            b"BYTS" => {
                let n = chunk.number(4)? as usize;
                test.bytes = chunk.bytes(n)?.to_vec();
            }
            b"INIT" => test.before = state(chunk)?,
            b"FINA" => test.after = state(chunk)?,
            b"EXCP" => test.exception = Some((chunk.number(1)? as u8, chunk.number(4)?)),
            b"HASH" => test.hash = chunk.0.iter().map(|b| format!("{b:02x}")).collect(),
            _ => {}
        }
    }
    Ok(test)
}

fn state(mut reader: Reader<'_>) -> Result<State> {
    let mut state = State::default();
    while let Some((tag, mut chunk)) = reader.chunk()? {
        match &tag {
            b"REGS" => {
                let mask = chunk.number(2)?;
                for (bit, place) in REGS.into_iter().enumerate() {
                    if mask >> bit & 1 != 0 {
                        state.registers.0[place] = Some(chunk.number(2)?);
                    }
                }
            }
            b"RG32" => {
                let mask = chunk.number(4)?;
                for (bit, place) in state.registers.0.iter_mut().enumerate() {
                    if mask >> bit & 1 != 0 {
                        *place = Some(chunk.number(4)?);
                    }
                }
            }
            b"RAM " => {
                for _ in 0..chunk.number(4)? {
                    state.ram.push((chunk.number(4)?, chunk.number(1)? as u8));
                }
            }
            _ => {}
        }
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn chunk(tag: &[u8; 4], inner: &[u8]) -> Vec<u8> {
        [&tag[..], &(inner.len() as u32).to_le_bytes(), inner].concat()
    }

    #[test]
    fn chunks_nest_and_unknown_ones_are_skipped() -> Result<()> {
        let regs = chunk(b"REGS", &[3, 0, 0x34, 0x12, 0x78, 0x56]);
        let ram = chunk(b"RAM ", &[1, 0, 0, 0, 0, 0, 0x10, 0, 0xAB]);
        let init = chunk(b"INIT", &[regs, chunk(b"WHAT", &[1, 2, 3]), ram].concat());
        let test = chunk(b"TEST", &[vec![7, 0, 0, 0], init, chunk(b"EXCP", &[6, 1, 0, 0, 0])].concat());
        let file = [chunk(b"MOO ", &[0; 12]), test].concat();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&file)?;
        let tests = tests(&packed.finish()?)?;
        assert_eq!(tests.len(), 1);
        assert_eq!((tests[0].index, tests[0].exception), (7, Some((6, 1))));
        assert_eq!(tests[0].before.registers.0[reg::AX], Some(0x1234));
        assert_eq!(tests[0].before.registers.0[reg::BX], Some(0x5678));
        assert_eq!(tests[0].before.ram, [(0x10_0000, 0xAB)]);
        Ok(())
    }

    #[test]
    fn a_cut_file_is_an_error() -> Result<()> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(b"MOO \xFF\0\0\0")?;
        assert!(tests(&packed.finish()?).is_err());
        Ok(())
    }
}
