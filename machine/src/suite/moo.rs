//! The MOO format, versions 1.0 and 1.1: chunks of a tag of four letters, a length of four bytes and so many bytes,
//! some of which hold chunks again. Unknown ones are skipped.

use super::test::{Registers, State, Test, reg};
use anyhow::{Context, Result, bail, ensure};

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

/// What a file's bytes begin with.
pub const MAGIC: &[u8] = b"MOO ";

/// What a file holds.
pub struct Contents {
    /// The letters of its processor.
    pub cpu: String,
    /// The flags that are compared.
    pub flags: u32,
    /// Its tests.
    pub tests: Vec<Test>,
}

/// Reads a file.
///
/// # Errors
/// When it is not in the format.
pub fn read(file: &[u8]) -> Result<Contents> {
    let mut reader = Reader(file);
    let Some((tag, mut head)) = reader.chunk()? else { bail!("the file is empty") };
    ensure!(tag == MAGIC, "this is no MOO file");
    let (major, minor) = (head.number(1)?, head.number(1)?);
    ensure!(major == 1 && minor <= 1, "version {major}.{minor} is not known; 1.0 and 1.1 are");
    head.bytes(2)?;
    let count = head.number(4)? as usize;
    let cpu = String::from_utf8_lossy(head.bytes(4)?).trim().to_owned();
    let (mut tests, mut flags) = (Vec::new(), u32::MAX);
    while let Some((tag, chunk)) = reader.chunk()? {
        match &tag {
            b"TEST" => tests.push(test(chunk).with_context(|| format!("test {} of {count}", tests.len()))?),
            // Bits of registers that are defined for the whole file.
            b"RMSK" => flags = registers(chunk, false)?.0[reg::FLAGS].map_or(flags, |m| m | 0xFFFF_0000),
            b"RM32" => flags = registers(chunk, true)?.0[reg::FLAGS].unwrap_or(flags),
            _ => {}
        }
    }
    ensure!(tests.len() == count, "there are {} tests, not {count} as the head says", tests.len());
    Ok(Contents { cpu, flags, tests })
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

/// Registers that a mask names: of 16 bits, or of 32 and more of them.
fn registers(mut chunk: Reader<'_>, wide: bool) -> Result<Registers> {
    let mut all = Registers::default();
    if wide {
        let mask = chunk.number(4)?;
        for (bit, place) in all.0.iter_mut().enumerate() {
            if mask >> bit & 1 != 0 {
                *place = Some(chunk.number(4)?);
            }
        }
    } else {
        let mask = chunk.number(2)?;
        for (bit, place) in REGS.into_iter().enumerate() {
            if mask >> bit & 1 != 0 {
                all.0[place] = Some(chunk.number(2)?);
            }
        }
    }
    Ok(all)
}

fn state(mut reader: Reader<'_>) -> Result<State> {
    let mut state = State::default();
    while let Some((tag, mut chunk)) = reader.chunk()? {
        match &tag {
            b"REGS" => state.registers = registers(chunk, false)?,
            b"RG32" => state.registers = registers(chunk, true)?,
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

    fn chunk(tag: &[u8; 4], inner: &[u8]) -> Vec<u8> {
        [&tag[..], &(inner.len() as u32).to_le_bytes(), inner].concat()
    }

    fn head(tests: u8) -> Vec<u8> {
        chunk(b"MOO ", &[1, 1, 0, 0, tests, 0, 0, 0, b'C', b'2', b'8', b'6'])
    }

    #[test]
    fn chunks_nest_and_unknown_ones_are_skipped() -> Result<()> {
        let regs = chunk(b"REGS", &[3, 0, 0x34, 0x12, 0x78, 0x56]);
        let ram = chunk(b"RAM ", &[1, 0, 0, 0, 0, 0, 0x10, 0, 0xAB]);
        let init = chunk(b"INIT", &[regs, chunk(b"WHAT", &[1, 2, 3]), ram].concat());
        let test = chunk(b"TEST", &[vec![7, 0, 0, 0], init, chunk(b"EXCP", &[6, 1, 0, 0, 0])].concat());
        let masks = chunk(b"RMSK", &[0, 0x20, 0xD7, 0x0F]);
        let Contents { cpu, flags, tests } = read(&[head(1), masks, test].concat())?;
        assert_eq!((cpu.as_str(), flags, tests.len()), ("C286", 0xFFFF_0FD7, 1));
        assert_eq!((tests[0].index, tests[0].exception), (7, Some((6, 1))));
        assert_eq!(tests[0].before.registers.0[reg::AX], Some(0x1234));
        assert_eq!(tests[0].before.registers.0[reg::BX], Some(0x5678));
        assert_eq!(tests[0].before.ram, [(0x10_0000, 0xAB)]);
        Ok(())
    }

    #[test]
    fn damage_is_an_error() {
        assert!(read(b"MOO \xFF\0\0\0").is_err());
        assert!(read(&head(1)).is_err(), "a test is missing");
        assert!(read(&chunk(b"MOO ", &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).is_err());
    }
}
