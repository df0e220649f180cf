//! `/FMT` of `x`, `xp` and `print`: a count, a format letter and a size letter; and memory written in that form.

use std::fmt::Write;

/// A parsed `/FMT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How many items.
    pub count: usize,
    /// `x d u o c i s`.
    pub letter: char,
    /// Bytes of an item.
    pub size: usize,
}

impl Default for Format {
    fn default() -> Self {
        Self { count: 1, letter: 'x', size: 4 }
    }
}

/// Items of one command at most: a slip of the finger should not print for an hour.
const MAX_COUNT: usize = 1 << 16;

impl Format {
    /// Parses what follows the slash; letters that are left out are taken from `last`.
    pub fn parse(text: &str, last: Format) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, letters) = text.split_at(digits);
        let mut format = Format { count: 1, ..last };
        if !number.is_empty() {
            format.count = number
                .parse()
                .ok()
                .filter(|n| *n <= MAX_COUNT)
                .ok_or_else(|| format!("/{text}: the count is too large; {MAX_COUNT} is the most"))?;
        }
        for letter in letters.chars() {
            match letter {
                'x' | 'd' | 'u' | 'o' | 'c' | 'i' | 's' => format.letter = letter,
                'b' => format.size = 1,
                'h' => format.size = 2,
                'w' => format.size = 4,
                'g' => format.size = 8,
                _ => {
                    return Err(format!(
                        "/{text}: '{letter}' is neither a format (x d u o c i s) nor a size (b h w g)"
                    ));
                }
            }
        }
        Ok(format)
    }

    /// One number in this format, padded to its width.
    pub fn number(self, value: u64) -> String {
        let bits = self.size * 8;
        let shift = 64 - bits as u32;
        let value = value << shift >> shift;
        match self.letter {
            'd' => {
                format!("{:>width$}", ((value << shift) as i64) >> shift, width = decimal_digits(bits) + 1)
            }
            'u' => format!("{value:>width$}", width = decimal_digits(bits)),
            'o' => format!("0{value:0width$o}", width = bits.div_ceil(3)),
            'c' => character(value as u8),
            _ => format!("0x{value:0width$x}", width = bits / 4),
        }
    }

    /// Memory from `address` as lines of 16 bytes, or 8 for bytes.
    pub fn dump(self, address: u64, bytes: &[u8]) -> String {
        let size = if self.letter == 'c' { 1 } else { self.size };
        let format = Format { size, ..self };
        let per_line = if size == 1 { 8 } else { 16 / size };
        let mut out = String::new();
        for (index, line) in bytes.chunks(size * per_line).enumerate() {
            let _ = write!(out, "{:016x}:", address.wrapping_add((index * size * per_line) as u64));
            for item in line.chunks_exact(size) {
                let value = item.iter().rev().fold(0u64, |v, b| v << 8 | u64::from(*b));
                let _ = write!(out, " {}", format.number(value));
            }
            out.push('\n');
        }
        out
    }
}

fn decimal_digits(bits: usize) -> usize {
    match bits {
        8 => 3,
        16 => 5,
        32 => 10,
        _ => 20,
    }
}

fn character(byte: u8) -> String {
    format!("'{}'", byte.escape_ascii())
}

/// The text of a NUL-terminated string, in quotes.
pub fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> Format {
        Format::parse(text, Format::default()).expect("a format")
    }

    #[test]
    fn letters_and_counts() {
        assert_eq!(format("10i"), Format { count: 10, letter: 'i', size: 4 });
        assert_eq!(format("gx"), Format { count: 1, letter: 'x', size: 8 });
        assert_eq!(format(""), Format::default());
        for bad in ["q", "99999999999999999999x", "70000", "-1", "x1"] {
            assert!(Format::parse(bad, Format::default()).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(format("xw").number(0x1_2345_6789), "0x23456789");
        assert_eq!(format("db").number(0xff).trim(), "-1");
        assert_eq!(format("dg").number(u64::MAX).trim(), "-1");
        assert_eq!(format("uh").number(0xffff), "65535");
        assert_eq!(format("oh").number(8), "0000010");
        assert_eq!(format("cb").number(u64::from(b'\n')), "'\\n'");
    }

    #[test]
    fn dumps_have_sixteen_bytes_a_line() {
        let bytes: Vec<u8> = (0..24).collect();
        assert_eq!(
            format("6xw").dump(0x4000_0000, &bytes),
            "0000000040000000: 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c\n\
             0000000040000010: 0x13121110 0x17161514\n"
        );
        assert_eq!(format("2c").dump(0, b"A\0"), "0000000000000000: 'A' '\\x00'\n");
    }
}
