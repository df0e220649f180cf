//! `metadata.json`: which flags an opcode defines.

use anyhow::{Context, Result};
use serde_json::Value;

/// The masks of all opcodes; without a file every flag is defined.
#[derive(Default)]
pub struct Masks(Value);

impl Masks {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn parse(text: &str) -> Result<Self> {
        let mut all: Value = serde_json::from_str(text)?;
        Ok(Self(all.get_mut("opcodes").context("there are no opcodes")?.take()))
    }

    /// The flags that are defined after an opcode, named as its file is: `F6` or `F6.4`.
    pub fn flags(&self, name: &str) -> u32 {
        let (opcode, digit) = name.split_once('.').map_or((name, None), |(o, d)| (o, Some(d)));
        let entry = self.0.get(opcode);
        let entry = match digit {
            Some(digit) => entry.and_then(|e| e.get("reg")).and_then(|r| r.get(digit)),
            None => entry,
        };
        let mask = entry.and_then(|e| e.get("flags-mask")).and_then(Value::as_u64);
        mask.map_or(u32::MAX, |m| m as u32 | 0xFFFF_0000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_belong_to_opcodes_and_digits() -> Result<()> {
        let text =
            r#"{"opcodes": {"27": {"flags-mask": 63487}, "F6": {"reg": {"6": {"flags-mask": 63274}}}}}"#;
        let masks = Masks::parse(text)?;
        assert_eq!(masks.flags("27"), 0xFFFF_F7FF);
        assert_eq!(masks.flags("F6.6"), 0xFFFF_F72A);
        assert_eq!(masks.flags("F6.2"), u32::MAX);
        Ok(())
    }
}
