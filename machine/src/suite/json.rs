//! The JSON files of the SingleStepTests of the 8086 and 8088: an array of tests, each with bytes, registers and memory
//! before, and what of them is otherwise afterwards. Queue and bus cycles are not looked at.

use super::test::{Registers, State, Test, reg};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Side {
    #[serde(default)]
    regs: HashMap<String, u32>,
    #[serde(default)]
    ram: Vec<(u32, u8)>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    bytes: Vec<u8>,
    initial: Side,
    r#final: Side,
    #[serde(default)]
    idx: Option<u32>,
    #[serde(default, alias = "test_hash")]
    hash: String,
}

fn state(side: Side) -> Result<State> {
    let mut registers = Registers::default();
    for (name, value) in side.regs {
        let number = reg::NAMES.iter().position(|n| *n == name);
        registers.0[number.with_context(|| format!("there is no register {name:?}"))?] = Some(value);
    }
    Ok(State { registers, ram: side.ram })
}

/// Reads a file.
///
/// # Errors
/// When it is not in the format.
pub fn tests(file: &[u8]) -> Result<Vec<Test>> {
    let entries: Vec<Entry> = serde_json::from_slice(file)?;
    let one = |(n, entry): (usize, Entry)| {
        Ok(Test {
            index: entry.idx.unwrap_or(n as u32),
            name: entry.name,
            bytes: entry.bytes,
            before: state(entry.initial).with_context(|| format!("test {n}"))?,
            after: state(entry.r#final).with_context(|| format!("test {n}"))?,
            exception: None,
            hash: entry.hash.to_lowercase(),
        })
    };
    entries.into_iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_read() -> Result<()> {
        let text = r#"[{"name": "inc ax", "bytes": [64], "initial": {"regs": {"ax": 1}, "ram": [[5, 64]], "queue": []},
            "final": {"regs": {"ax": 2}, "ram": [], "queue": []}, "cycles": [], "hash": "AB", "idx": 3}]"#;
        let all = super::tests(text.as_bytes())?;
        assert_eq!((all[0].index, all[0].hash.as_str()), (3, "ab"));
        assert_eq!(all[0].after.registers.0[reg::AX], Some(2));
        assert_eq!(all[0].before.ram, [(5, 64)]);
        assert!(super::tests(b"{}").is_err());
        assert!(super::tests(&text.as_bytes()[..40]).is_err());
        Ok(())
    }
}
