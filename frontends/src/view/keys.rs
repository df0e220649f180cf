//! Keys from what a terminal sends for them: characters of a US keyboard, control characters, and xterm's and the Linux
//! console's sequences (XTerm Control Sequences, "PC-Style Function Keys").

use lyrebird_devices::input::keys::Key;
use vte::{Params, Parser, Perform};

/// The keys that go down together for each thing that was typed in `bytes`: what a terminal sends at once.
pub fn chords(bytes: &[u8]) -> Vec<Vec<Key>> {
    let mut typed = Typed::default();
    // Nothing of the parser's outlives what came at once: an escape character that ends it is the key of that name.
    let (escape, rest) = match bytes {
        [rest @ .., 0x1B] => (true, rest),
        rest => (false, rest),
    };
    let mut parser = Parser::new();
    for part in rest.split_inclusive(|&byte| byte == 0x7F) {
        let (part, deleted) = part.strip_suffix(&[0x7F]).map_or((part, false), |part| (part, true));
        parser.advance(&mut typed, part);
        if deleted {
            typed.named("backspace", 0);
        }
    }
    if escape {
        typed.named("esc", 0);
    }
    typed.chords
}

const SHIFT: u16 = 1;
const ALT: u16 = 2;
const CTRL: u16 = 4;

/// What the final character of a sequence stands for after CSI or SS3.
const FINALS: [(char, &str); 11] = [
    ('A', "up"),
    ('B', "down"),
    ('C', "right"),
    ('D', "left"),
    ('F', "end"),
    ('H', "home"),
    ('P', "f1"),
    ('Q', "f2"),
    ('R', "f3"),
    ('S', "f4"),
    ('M', "kp_enter"),
];
/// What the number of a sequence that `~` ends stands for.
const NUMBERS: [(u16, &str); 20] = [
    (1, "home"),
    (2, "insert"),
    (3, "delete"),
    (4, "end"),
    (5, "pgup"),
    (6, "pgdn"),
    (7, "home"),
    (8, "end"),
    (11, "f1"),
    (12, "f2"),
    (13, "f3"),
    (14, "f4"),
    (15, "f5"),
    (17, "f6"),
    (18, "f7"),
    (19, "f8"),
    (20, "f9"),
    (21, "f10"),
    (23, "f11"),
    (24, "f12"),
];

#[derive(Default)]
struct Typed {
    chords: Vec<Vec<Key>>,
    /// What began a sequence that the parser takes for a whole one: `O` of SS3, `[` of the Linux console's F1 to F5.
    introducer: Option<char>,
}

impl Typed {
    fn push(&mut self, key: Option<Key>, modifiers: u16) {
        let Some(key) = key else { return };
        let held = [(CTRL, "ctrl"), (ALT, "alt"), (SHIFT, "shift")];
        let held = held.iter().filter(|m| modifiers & m.0 != 0).filter_map(|m| Key::from_name(m.1));
        self.chords.push(held.chain([key]).collect());
    }

    fn named(&mut self, name: &str, modifiers: u16) {
        self.push(Key::from_name(name), modifiers);
    }

    fn character(&mut self, c: char, modifiers: u16) {
        if let Some((key, shift)) = Key::from_char(c) {
            self.push(Some(key), modifiers | if shift { SHIFT } else { 0 });
        }
    }

    fn last(&mut self, c: char, modifiers: u16) {
        if let Some(&(_, name)) = FINALS.iter().find(|f| f.0 == c) {
            self.named(name, modifiers);
        }
    }
}

impl Perform for Typed {
    fn print(&mut self, c: char) {
        match (self.introducer.take(), c) {
            (Some('O'), c) => self.last(c, 0),
            (Some(_), 'A'..='E') => {
                let name = format!("f{}", c as u32 - 'A' as u32 + 1);
                self.named(&name, 0);
            }
            (_, c) => self.character(c, 0),
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\t' | b'\r' | b'\n' | 0x08 => self.character(byte.into(), 0),
            0 => self.named("spc", CTRL),
            // Ctrl with a letter, or with one of [ \ ] ^ _.
            1..=0x1A => self.character((byte | 0x60).into(), CTRL),
            0x1C..=0x1F => self.character((byte | 0x40).into(), CTRL),
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        let numbers: Vec<u16> = params.iter().filter_map(|p| p.first().copied()).collect();
        let modifiers = numbers.get(1).map_or(0, |m| m.saturating_sub(1)) & (SHIFT | ALT | CTRL);
        match action {
            '~' => {
                let found = NUMBERS.iter().find(|n| Some(&n.0) == numbers.first());
                if let Some(&(_, name)) = found {
                    self.named(name, modifiers);
                }
            }
            'Z' => self.named("tab", SHIFT),
            '[' => self.introducer = Some('['),
            c => self.last(c, modifiers),
        }
    }

    fn esc_dispatch(&mut self, _: &[u8], _: bool, byte: u8) {
        match byte {
            b'O' => self.introducer = Some('O'),
            byte => self.character(byte.into(), ALT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(bytes: &[u8]) -> Vec<String> {
        let name = |chord: &Vec<Key>| chord.iter().map(|k| k.name()).collect::<Vec<_>>().join("-");
        chords(bytes).iter().map(name).collect()
    }

    #[test]
    fn characters() {
        assert_eq!(names(b"aA1!\r\t /"), ["a", "shift-a", "1", "shift-1", "ret", "tab", "spc", "slash"]);
        assert_eq!(
            names(b"\x03\x1f\x7f\x08x"),
            ["ctrl-c", "ctrl-shift-minus", "backspace", "backspace", "x"]
        );
        assert_eq!(names("ä€".as_bytes()), [""; 0]);
    }

    #[test]
    fn sequences_of_xterm_and_the_console() {
        assert_eq!(
            names(b"\x1b[A\x1bOB\x1b[1;5C\x1b[3~\x1b[3;2~"),
            ["up", "down", "ctrl-right", "delete", "shift-delete"]
        );
        assert_eq!(names(b"\x1bOP\x1b[15~\x1b[24~\x1b[[C\x1b[Z"), ["f1", "f5", "f12", "f3", "shift-tab"]);
        assert_eq!(names(b"\x1b"), ["esc"]);
        assert_eq!(names(b"\x1bx\x1b"), ["alt-x", "esc"]);
        // What is not understood is not typed.
        assert_eq!(names(b"\x1b[200~\x1b[?1;2c"), [""; 0]);
    }
}
