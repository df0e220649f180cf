//! QEMU's `key=value,key=value` values.
//!
//! A comma inside a value is written `,,`. The first item may leave out its key if the option has an implied one. Any
//! other item without `=` is a switch: `key` means `key=on`, `nokey` means `key=off`. The last of equal keys wins.
//! Readers take the keys they know one by one; [`KeyVals::finish`] then complains about what nobody took, and the
//! keys that were asked for are the valid ones.

use crate::cli::number;
use crate::exit::Failure;
use crate::suggest::hint;

/// The parsed value of one option.
#[derive(Debug)]
pub struct KeyVals {
    option: &'static str,
    items: Vec<(String, String)>,
    asked: Vec<&'static str>,
}

impl KeyVals {
    /// Parses `text`, the value of `-option`.
    pub fn parse(option: &'static str, text: &str, implied: Option<&str>) -> Result<Self, Failure> {
        let mut items = Vec::new();
        for (index, item) in split_commas(text).into_iter().enumerate() {
            match (item.split_once('='), implied) {
                (Some((key, value)), _) => items.push((key.to_owned(), value.to_owned())),
                (None, Some(key)) if index == 0 => items.push((key.to_owned(), item)),
                (None, _) if item.is_empty() => {
                    return Err(Failure::usage(format!(
                        "-{option} {text}: empty item; write ',,' for a comma inside a value"
                    )));
                }
                (None, _) => items.push((item, String::new())),
            }
        }
        Ok(Self { option, items, asked: Vec::new() })
    }

    /// The option's name without dash.
    pub fn option(&self) -> &'static str {
        self.option
    }

    /// Takes the value of `key`. A bare `key` yields `on`, a bare `nokey` yields `off`.
    pub fn take(&mut self, key: &'static str) -> Option<String> {
        self.asked.push(key);
        let mut found = None;
        self.items.retain(|(k, v)| {
            if k == key {
                found = Some(if v.is_empty() { "on".to_owned() } else { v.clone() });
                return false;
            }
            if v.is_empty() && k.strip_prefix("no") == Some(key) {
                found = Some("off".to_owned());
                return false;
            }
            true
        });
        found
    }

    /// Takes an on-off value.
    pub fn take_bool(&mut self, key: &'static str) -> Result<Option<bool>, Failure> {
        let Some(text) = self.take(key) else { return Ok(None) };
        match text.as_str() {
            "on" | "yes" | "true" | "y" => Ok(Some(true)),
            "off" | "no" | "false" | "n" => Ok(Some(false)),
            _ => Err(self.bad(key, &text, "use on or off")),
        }
    }

    /// Takes an on-off-auto value whose meaning is the same either way.
    pub fn take_or_auto(&mut self, key: &'static str) -> Result<(), Failure> {
        if let Some(text) = self.take(key)
            && !["on", "off", "auto"].contains(&text.as_str())
        {
            return Err(self.bad(key, &text, "use on, off or auto"));
        }
        Ok(())
    }

    /// Takes an unsigned number, decimal or hexadecimal.
    pub fn take_u32(&mut self, key: &'static str) -> Result<Option<u32>, Failure> {
        let Some(text) = self.take(key) else { return Ok(None) };
        match number::parse_u64(&text).and_then(|n| u32::try_from(n).ok()) {
            Some(n) => Ok(Some(n)),
            None => Err(self.bad(key, &text, "use a number up to 4294967295")),
        }
    }

    /// Takes a size in bytes with an optional suffix; `unit` multiplies bare numbers.
    pub fn take_size(&mut self, key: &'static str, unit: u64) -> Result<Option<u64>, Failure> {
        let Some(text) = self.take(key) else { return Ok(None) };
        match number::parse_size(&text, unit) {
            Some(n) => Ok(Some(n)),
            None => Err(self.bad(key, &text, "use a number with suffix K, M, G or T")),
        }
    }

    /// Takes one of the named values.
    pub fn take_enum<T: Copy>(
        &mut self,
        key: &'static str,
        values: &[(&str, T)],
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.take(key) else { return Ok(None) };
        match values.iter().find(|(name, _)| *name == text) {
            Some(&(_, value)) => Ok(Some(value)),
            None => {
                let names: Vec<&str> = values.iter().map(|v| v.0).collect();
                let advice = format!("use {}{}", one_of(&names), hint(&text, names.iter().copied()));
                Err(self.bad(key, &text, &advice))
            }
        }
    }

    /// Takes everything that is left, in order.
    pub fn take_rest(&mut self) -> Vec<(String, String)> {
        let on = |v: String| if v.is_empty() { "on".to_owned() } else { v };
        std::mem::take(&mut self.items).into_iter().map(|(k, v)| (k, on(v))).collect()
    }

    /// An error about the value of `key`.
    pub fn bad(&self, key: &str, value: &str, advice: &str) -> Failure {
        Failure::usage(format!("-{} {key}={value}: bad value; {advice}", self.option))
    }

    /// An error for a key that must be there.
    pub fn missing(&self, key: &str) -> Failure {
        Failure::usage(format!("-{}: '{key}=' is missing", self.option))
    }

    /// Fails if a key is left that nobody took.
    pub fn finish(self) -> Result<(), Failure> {
        match self.items.first() {
            None => Ok(()),
            Some((key, _)) => Err(Failure::usage(format!(
                "-{}: unknown property '{key}'{}\nvalid here: {}",
                self.option,
                hint(key, self.asked.iter().copied()),
                self.asked.join(", ")
            ))),
        }
    }
}

/// `a, b or c`.
pub fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [init @ .., last] => format!("{} or {last}", init.join(", ")),
    }
}

/// Splits at single commas; double ones become one comma of the value.
fn split_commas(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == ',' && chars.next_if_eq(&',').is_none() {
            items.push(String::new());
        } else if let Some(item) = items.last_mut() {
            item.push(c);
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_escapes_and_switches() {
        let mut kv = KeyVals::parse("drive", "file=a,,b.img,if=none,readonly,id=x,nowait", Some("file"))
            .expect("parses");
        assert_eq!(kv.take("file").as_deref(), Some("a,b.img"));
        assert_eq!(kv.take_bool("readonly"), Ok(Some(true)));
        assert_eq!(kv.take_bool("wait"), Ok(Some(false)));
        assert_eq!(kv.take("id").as_deref(), Some("x"));
        let error = kv.finish().expect_err("if was not taken");
        assert!(error.message.contains("unknown property 'if'"), "{error}");
        assert!(error.message.contains("file, readonly, wait, id"), "{error}");
    }

    #[test]
    fn the_implied_key_is_for_the_first_item_only() {
        let mut kv = KeyVals::parse("machine", "virt,gic-version=3", Some("type")).expect("parses");
        assert_eq!(kv.take("type").as_deref(), Some("virt"));
        assert_eq!(kv.take_enum("gic-version", &[("2", 2), ("3", 3)]), Ok(Some(3)));
        kv.finish().expect("all taken");
    }

    #[test]
    fn errors_name_option_value_and_choices() {
        let mut kv = KeyVals::parse("machine", "virt,gic-version=4", Some("type")).expect("parses");
        let error = kv.take_enum("gic-version", &[("2", 2), ("3", 3), ("max", 4)]).expect_err("no GICv4");
        assert_eq!(error.message, "-machine gic-version=4: bad value; use 2, 3 or max");
        let mut kv = KeyVals::parse("m", "size=lots", None).expect("parses");
        assert!(kv.take_size("size", 1).is_err());
    }

    #[test]
    fn the_last_of_equal_keys_wins_and_empty_items_are_refused() {
        let mut kv = KeyVals::parse("smp", "cpus=2,cpus=4", Some("cpus")).expect("parses");
        assert_eq!(kv.take_u32("cpus"), Ok(Some(4)));
        assert!(KeyVals::parse("smp", "2,", Some("cpus")).is_err());
    }
}
