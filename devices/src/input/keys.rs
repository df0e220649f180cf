//! Keys: one row each, with the name that `sendkey` knows and the codes that keyboards send.
//!
//! Codes after the IBM PS/2 hardware interface technical reference's keyboard chapter (scan code sets 1, 2 and 3) for
//! the 101/102-key layouts, and Microsoft's keyboard scan code specification (2000) for the rest. Names are QEMU's.

/// A key by its place on the keyboard, whatever is printed on it: an index into the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u8);

/// The key's code is preceded by E0.
const E0: u16 = 0x100;

struct Row {
    /// Names, the first of which is the proper one.
    names: &'static [&'static str],
    /// Codes in sets 1 and 2; [`E0`] if extended.
    set1: u16,
    set2: u16,
    /// Code in set 3; 0 if there is none.
    set3: u8,
}

const fn row(names: &'static [&'static str], set1: u16, set2: u16, set3: u8) -> Row {
    Row { names, set1, set2, set3 }
}

#[rustfmt::skip]
static ROWS: &[Row] = &[
    row(&["esc"], 0x01, 0x76, 0x08), row(&["1"], 0x02, 0x16, 0x16), row(&["2"], 0x03, 0x1e, 0x1e),
    row(&["3"], 0x04, 0x26, 0x26), row(&["4"], 0x05, 0x25, 0x25), row(&["5"], 0x06, 0x2e, 0x2e),
    row(&["6"], 0x07, 0x36, 0x36), row(&["7"], 0x08, 0x3d, 0x3d), row(&["8"], 0x09, 0x3e, 0x3e),
    row(&["9"], 0x0a, 0x46, 0x46), row(&["0"], 0x0b, 0x45, 0x45), row(&["minus"], 0x0c, 0x4e, 0x4e),
    row(&["equal"], 0x0d, 0x55, 0x55), row(&["backspace"], 0x0e, 0x66, 0x66), row(&["tab"], 0x0f, 0x0d, 0x0d),
    row(&["q"], 0x10, 0x15, 0x15), row(&["w"], 0x11, 0x1d, 0x1d), row(&["e"], 0x12, 0x24, 0x24),
    row(&["r"], 0x13, 0x2d, 0x2d), row(&["t"], 0x14, 0x2c, 0x2c), row(&["y"], 0x15, 0x35, 0x35),
    row(&["u"], 0x16, 0x3c, 0x3c), row(&["i"], 0x17, 0x43, 0x43), row(&["o"], 0x18, 0x44, 0x44),
    row(&["p"], 0x19, 0x4d, 0x4d), row(&["bracket_left"], 0x1a, 0x54, 0x54),
    row(&["bracket_right"], 0x1b, 0x5b, 0x5b), row(&["ret", "enter", "kp_return"], 0x1c, 0x5a, 0x5a),
    row(&["ctrl", "ctrl_l"], 0x1d, 0x14, 0x11), row(&["a"], 0x1e, 0x1c, 0x1c), row(&["s"], 0x1f, 0x1b, 0x1b),
    row(&["d"], 0x20, 0x23, 0x23), row(&["f"], 0x21, 0x2b, 0x2b), row(&["g"], 0x22, 0x34, 0x34),
    row(&["h"], 0x23, 0x33, 0x33), row(&["j"], 0x24, 0x3b, 0x3b), row(&["k"], 0x25, 0x42, 0x42),
    row(&["l"], 0x26, 0x4b, 0x4b), row(&["semicolon"], 0x27, 0x4c, 0x4c),
    row(&["apostrophe"], 0x28, 0x52, 0x52), row(&["grave_accent"], 0x29, 0x0e, 0x0e),
    row(&["shift", "shift_l"], 0x2a, 0x12, 0x12), row(&["backslash"], 0x2b, 0x5d, 0x5c),
    row(&["z"], 0x2c, 0x1a, 0x1a), row(&["x"], 0x2d, 0x22, 0x22), row(&["c"], 0x2e, 0x21, 0x21),
    row(&["v"], 0x2f, 0x2a, 0x2a), row(&["b"], 0x30, 0x32, 0x32), row(&["n"], 0x31, 0x31, 0x31),
    row(&["m"], 0x32, 0x3a, 0x3a), row(&["comma"], 0x33, 0x41, 0x41), row(&["dot"], 0x34, 0x49, 0x49),
    row(&["slash"], 0x35, 0x4a, 0x4a), row(&["shift_r"], 0x36, 0x59, 0x59),
    row(&["kp_multiply", "asterisk"], 0x37, 0x7c, 0x7e), row(&["alt", "alt_l"], 0x38, 0x11, 0x19),
    row(&["spc"], 0x39, 0x29, 0x29), row(&["caps_lock"], 0x3a, 0x58, 0x14), row(&["f1"], 0x3b, 0x05, 0x07),
    row(&["f2"], 0x3c, 0x06, 0x0f), row(&["f3"], 0x3d, 0x04, 0x17), row(&["f4"], 0x3e, 0x0c, 0x1f),
    row(&["f5"], 0x3f, 0x03, 0x27), row(&["f6"], 0x40, 0x0b, 0x2f), row(&["f7"], 0x41, 0x83, 0x37),
    row(&["f8"], 0x42, 0x0a, 0x3f), row(&["f9"], 0x43, 0x01, 0x47), row(&["f10"], 0x44, 0x09, 0x4f),
    row(&["num_lock"], 0x45, 0x77, 0x76), row(&["scroll_lock"], 0x46, 0x7e, 0x5f),
    row(&["kp_7"], 0x47, 0x6c, 0x6c), row(&["kp_8"], 0x48, 0x75, 0x75), row(&["kp_9"], 0x49, 0x7d, 0x7d),
    row(&["kp_subtract"], 0x4a, 0x7b, 0x84), row(&["kp_4"], 0x4b, 0x6b, 0x6b), row(&["kp_5"], 0x4c, 0x73, 0x73),
    row(&["kp_6"], 0x4d, 0x74, 0x74), row(&["kp_add"], 0x4e, 0x79, 0x7c), row(&["kp_1"], 0x4f, 0x69, 0x69),
    row(&["kp_2"], 0x50, 0x72, 0x72), row(&["kp_3"], 0x51, 0x7a, 0x7a), row(&["kp_0"], 0x52, 0x70, 0x70),
    row(&["kp_decimal"], 0x53, 0x71, 0x71), row(&["less"], 0x56, 0x61, 0x13), row(&["f11"], 0x57, 0x78, 0x56),
    row(&["f12"], 0x58, 0x07, 0x5e), row(&["kp_equals"], 0x59, 0x0f, 0), row(&["henkan"], 0x79, 0x64, 0x86),
    row(&["muhenkan"], 0x7b, 0x67, 0x85), row(&["hiragana", "katakanahiragana"], 0x70, 0x13, 0x87),
    row(&["ro"], 0x73, 0x51, 0), row(&["yen"], 0x7d, 0x6a, 0x5d), row(&["kp_comma"], 0x7e, 0x6d, 0),
    row(&["kp_enter"], E0 | 0x1c, E0 | 0x5a, 0x79), row(&["ctrl_r"], E0 | 0x1d, E0 | 0x14, 0x58),
    row(&["kp_divide"], E0 | 0x35, E0 | 0x4a, 0x77), row(&["sysrq", "print"], E0 | 0x37, E0 | 0x7c, 0x57),
    row(&["alt_r"], E0 | 0x38, E0 | 0x11, 0x39), row(&["pause"], E0 | 0x46, E0 | 0x7e, 0x62),
    row(&["home"], E0 | 0x47, E0 | 0x6c, 0x6e), row(&["up"], E0 | 0x48, E0 | 0x75, 0x63),
    row(&["pgup"], E0 | 0x49, E0 | 0x7d, 0x6f), row(&["left"], E0 | 0x4b, E0 | 0x6b, 0x61),
    row(&["right"], E0 | 0x4d, E0 | 0x74, 0x6a), row(&["end"], E0 | 0x4f, E0 | 0x69, 0x65),
    row(&["down"], E0 | 0x50, E0 | 0x72, 0x60), row(&["pgdn"], E0 | 0x51, E0 | 0x7a, 0x6d),
    row(&["insert"], E0 | 0x52, E0 | 0x70, 0x67), row(&["delete"], E0 | 0x53, E0 | 0x71, 0x64),
    row(&["meta_l"], E0 | 0x5b, E0 | 0x1f, 0x8b), row(&["meta_r"], E0 | 0x5c, E0 | 0x27, 0x8c),
    row(&["compose", "menu"], E0 | 0x5d, E0 | 0x2f, 0x8d), row(&["power"], E0 | 0x5e, E0 | 0x37, 0),
    row(&["sleep"], E0 | 0x5f, E0 | 0x3f, 0), row(&["wake"], E0 | 0x63, E0 | 0x5e, 0),
    row(&["audiomute"], E0 | 0x20, E0 | 0x23, 0), row(&["volumedown"], E0 | 0x2e, E0 | 0x21, 0),
    row(&["volumeup"], E0 | 0x30, E0 | 0x32, 0), row(&["audionext"], E0 | 0x19, E0 | 0x4d, 0),
    row(&["audioprev"], E0 | 0x10, E0 | 0x15, 0), row(&["audioplay"], E0 | 0x22, E0 | 0x34, 0),
    row(&["audiostop"], E0 | 0x24, E0 | 0x3b, 0), row(&["calculator"], E0 | 0x21, E0 | 0x2b, 0),
    row(&["mail"], E0 | 0x6c, E0 | 0x48, 0), row(&["computer"], E0 | 0x6b, E0 | 0x40, 0),
    row(&["mediaselect"], E0 | 0x6d, E0 | 0x50, 0),
];

/// Characters of the US layout: the key, and whether with shift.
#[rustfmt::skip]
static CHARACTERS: &[(char, &str, bool)] = &[
    (' ', "spc", false), ('\n', "ret", false), ('\r', "ret", false), ('\t', "tab", false),
    ('\x08', "backspace", false), ('\x7f', "backspace", false), ('\x1b', "esc", false),
    ('!', "1", true), ('@', "2", true), ('#', "3", true), ('$', "4", true), ('%', "5", true), ('^', "6", true),
    ('&', "7", true), ('*', "8", true), ('(', "9", true), (')', "0", true),
    ('-', "minus", false), ('_', "minus", true), ('=', "equal", false), ('+', "equal", true),
    ('[', "bracket_left", false), ('{', "bracket_left", true), (']', "bracket_right", false),
    ('}', "bracket_right", true), (';', "semicolon", false), (':', "semicolon", true),
    ('\'', "apostrophe", false), ('"', "apostrophe", true), ('`', "grave_accent", false),
    ('~', "grave_accent", true), ('\\', "backslash", false), ('|', "backslash", true),
    (',', "comma", false), ('<', "comma", true), ('.', "dot", false), ('>', "dot", true),
    ('/', "slash", false), ('?', "slash", true),
];

impl Key {
    /// The key that `sendkey` calls `name`; set-1 codes in hexadecimal (`0x1c`, with `0x80` for extended) are names, too.
    pub fn from_name(name: &str) -> Option<Key> {
        let found = if let Some(hex) = name.strip_prefix("0x") {
            let code = u16::from_str_radix(hex, 16).ok().filter(|&c| c <= 0xff)?;
            let code = if code & 0x80 != 0 { E0 | code & 0x7f } else { code };
            ROWS.iter().position(|row| row.set1 == code)
        } else {
            ROWS.iter().position(|row| row.names.contains(&name))
        };
        found.map(|n| Key(n as u8))
    }

    /// The key that types `c` on a US keyboard, and whether shift is down for it.
    pub fn from_char(c: char) -> Option<(Key, bool)> {
        if c.is_ascii_alphanumeric() {
            let mut buffer = [0; 1];
            let name = c.to_ascii_lowercase();
            return Key::from_name(name.encode_utf8(&mut buffer)).map(|key| (key, c.is_ascii_uppercase()));
        }
        let &(_, name, shift) = CHARACTERS.iter().find(|row| row.0 == c)?;
        Key::from_name(name).map(|key| (key, shift))
    }

    /// All keys.
    pub fn all() -> impl Iterator<Item = Key> {
        (0..ROWS.len()).map(|n| Key(n as u8))
    }

    fn row(self) -> &'static Row {
        // Keys are made from positions in the rows alone.
        &ROWS[usize::from(self.0)]
    }

    /// Its proper name.
    pub fn name(self) -> &'static str {
        self.row().names[0]
    }

    /// What a keyboard sends in scan code set 1, 2 or 3 as the key goes down or up.
    pub fn codes(self, set: u8, down: bool) -> Vec<u8> {
        let row = self.row();
        let pause = self.name() == "pause";
        match set {
            1 if pause && down => vec![0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5],
            2 if pause && down => vec![0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77],
            // Pause is over when it is pressed.
            1 | 2 if pause => Vec::new(),
            1 => prefixed(row.set1, &[row.set1 as u8 | if down { 0 } else { 0x80 }]),
            2 if down => prefixed(row.set2, &[row.set2 as u8]),
            2 => prefixed(row.set2, &[0xf0, row.set2 as u8]),
            _ if row.set3 == 0 => Vec::new(),
            _ if down => vec![row.set3],
            _ => vec![0xf0, row.set3],
        }
    }
}

fn prefixed(code: u16, rest: &[u8]) -> Vec<u8> {
    let prefix: &[u8] = if code & E0 != 0 { &[0xe0] } else { &[] };
    [prefix, rest].concat()
}

/// The keys of a chord as `sendkey` takes it: names with hyphens between, as in `ctrl-alt-delete`.
///
/// # Errors
/// The name that no key has.
pub fn chord(text: &str) -> Result<Vec<Key>, String> {
    text.split('-').map(|name| Key::from_name(name).ok_or_else(|| name.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(name: &str, set: u8) -> (Vec<u8>, Vec<u8>) {
        let key = Key::from_name(name).unwrap();
        (key.codes(set, true), key.codes(set, false))
    }

    #[test]
    fn rows_have_names_and_codes_of_their_own() {
        for (n, row) in ROWS.iter().enumerate() {
            for other in ROWS.iter().skip(n + 1) {
                assert!(!row.names.iter().any(|name| other.names.contains(name)), "{:?}", row.names);
                assert_ne!(row.set1, other.set1, "{:?} {:?}", row.names, other.names);
                assert_ne!(row.set2, other.set2, "{:?} {:?}", row.names, other.names);
                assert!(row.set3 == 0 || row.set3 != other.set3, "{:?} {:?}", row.names, other.names);
            }
        }
        assert!(ROWS.len() < 256 && Key::all().count() == ROWS.len());
    }

    #[test]
    fn names_and_characters() {
        assert_eq!(chord("ctrl-alt-delete").unwrap().len(), 3);
        assert_eq!(chord("ctrl-nokey"), Err("nokey".into()));
        assert_eq!(Key::from_name("0x1c"), Key::from_name("ret"));
        assert_eq!(Key::from_name("0xd3").map(Key::name), Some("delete"));
        assert_eq!(Key::from_char('A'), Key::from_name("a").map(|k| (k, true)));
        for c in (' '..='~').chain("\n\t\x08\x1b".chars()) {
            assert!(Key::from_char(c).is_some(), "{c:?}");
        }
        assert_eq!(Key::from_char('ä'), None);
    }

    #[test]
    fn codes_of_the_sets() {
        assert_eq!(codes("a", 1), (vec![0x1e], vec![0x9e]));
        assert_eq!(codes("a", 2), (vec![0x1c], vec![0xf0, 0x1c]));
        assert_eq!(codes("up", 1), (vec![0xe0, 0x48], vec![0xe0, 0xc8]));
        assert_eq!(codes("up", 2), (vec![0xe0, 0x75], vec![0xe0, 0xf0, 0x75]));
        assert_eq!(codes("ctrl", 3), (vec![0x11], vec![0xf0, 0x11]));
        assert_eq!(codes("pause", 1).1, Vec::<u8>::new());
        assert_eq!(codes("f7", 2), (vec![0x83], vec![0xf0, 0x83]));
    }
}
