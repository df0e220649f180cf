//! A line editor for a byte stream: echo, backspace, cursor keys, history, completion with Tab.

/// What a byte led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this echo.
    Echo(String),
    /// The line is complete; the echo ends it.
    Line(String, String),
    /// Tab: the word so far asks for its continuation, see [`Editor::complete`].
    Complete(String),
}

/// Characters of a line and lines of history at most.
const MAX_LINE: usize = 4096;
const MAX_HISTORY: usize = 100;

/// The state of the line.
#[derive(Default)]
pub struct Editor {
    line: Vec<char>,
    cursor: usize,
    history: Vec<String>,
    /// Which line of history is shown; its length means none.
    shown: usize,
    escape: Escape,
    /// Bytes of an unfinished UTF-8 character.
    partial: Vec<u8>,
    after_return: bool,
}

#[derive(Default)]
enum Escape {
    #[default]
    None,
    Started,
    Sequence(String),
}

impl Editor {
    /// The prompt and the line so far, for printing again after other output.
    pub fn redraw(&self, prompt: &str) -> String {
        let line: String = self.line.iter().collect();
        format!("{prompt}{line}{}", back(self.line.len() - self.cursor))
    }

    /// Takes one byte.
    pub fn take(&mut self, byte: u8) -> Step {
        let after_return = std::mem::take(&mut self.after_return);
        match std::mem::take(&mut self.escape) {
            Escape::None => {}
            Escape::Started if byte == b'[' || byte == b'O' => {
                self.escape = Escape::Sequence(String::new());
                return Step::Echo(String::new());
            }
            Escape::Started => return Step::Echo(String::new()),
            Escape::Sequence(mut text) => {
                text.push(char::from(byte));
                if (0x40..0x7f).contains(&byte) {
                    return Step::Echo(self.key(&text));
                }
                if text.len() < 16 {
                    self.escape = Escape::Sequence(text);
                }
                return Step::Echo(String::new());
            }
        }
        match byte {
            b'\n' if after_return => Step::Echo(String::new()),
            b'\r' | b'\n' => {
                self.after_return = byte == b'\r';
                self.enter()
            }
            b'\t' => Step::Complete(self.line[..self.cursor].iter().collect()),
            0x1b => {
                self.escape = Escape::Started;
                Step::Echo(String::new())
            }
            8 | 0x7f if self.cursor > 0 => {
                self.line.remove(self.cursor - 1);
                self.cursor -= 1;
                Step::Echo(format!("\x08{}", self.tail()))
            }
            1 => Step::Echo(self.go(0)),
            2 => Step::Echo(self.key("D")),
            3 => {
                let end = self.go(self.line.len());
                self.line.clear();
                self.cursor = 0;
                Step::Line(String::new(), format!("{end}^C\n"))
            }
            4 => Step::Echo(self.key("3~")),
            5 => Step::Echo(self.go(self.line.len())),
            6 => Step::Echo(self.key("C")),
            0x0b => {
                self.line.truncate(self.cursor);
                Step::Echo("\x1b[K".into())
            }
            0x0e => Step::Echo(self.key("B")),
            0x10 => Step::Echo(self.key("A")),
            0x15 => Step::Echo(self.replace("")),
            0x17 => Step::Echo(self.erase_word()),
            0x20..=0x7e => Step::Echo(self.insert(char::from(byte))),
            0x80.. => {
                self.partial.push(byte);
                match std::str::from_utf8(&self.partial) {
                    Ok(text) => {
                        let c = text.chars().next();
                        self.partial.clear();
                        Step::Echo(c.map(|c| self.insert(c)).unwrap_or_default())
                    }
                    Err(e) if e.error_len().is_some() || self.partial.len() > 3 => {
                        self.partial.clear();
                        Step::Echo(String::new())
                    }
                    Err(_) => Step::Echo(String::new()),
                }
            }
            _ => Step::Echo(String::new()),
        }
    }

    /// Continues the word before the cursor with one of `candidates` (whole words), or lists them.
    pub fn complete(&mut self, candidates: &[&str], prompt: &str) -> String {
        let before: String = self.line[..self.cursor].iter().collect();
        let word = before.rsplit(' ').next().unwrap_or_default();
        let fitting: Vec<&str> = candidates.iter().copied().filter(|c| c.starts_with(word)).collect();
        let Some(first) = fitting.first() else { return "\x07".into() };
        let common = fitting.iter().skip(1).fold(*first, |common, c| {
            let len = common.bytes().zip(c.bytes()).take_while(|(a, b)| a == b).count();
            common.get(..len).unwrap_or_default()
        });
        let more = common.get(word.len()..).unwrap_or_default();
        let mut echo: String = more.chars().map(|c| self.insert(c)).collect();
        if fitting.len() == 1 {
            echo.push_str(&self.insert(' '));
        } else if more.is_empty() {
            echo = format!("\n{}\n{}", fitting.join("  "), self.redraw(prompt));
        }
        echo
    }

    fn enter(&mut self) -> Step {
        let line: String = self.line.drain(..).collect();
        self.cursor = 0;
        if !line.trim().is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
            if self.history.len() > MAX_HISTORY {
                self.history.remove(0);
            }
        }
        self.shown = self.history.len();
        Step::Line(line, "\n".into())
    }

    fn insert(&mut self, c: char) -> String {
        if self.line.len() >= MAX_LINE {
            return "\x07".into();
        }
        self.line.insert(self.cursor, c);
        self.cursor += 1;
        if self.cursor == self.line.len() { c.to_string() } else { format!("{c}{}", self.tail()) }
    }

    /// Draws what is behind the cursor again.
    fn tail(&self) -> String {
        let tail: String = self.line[self.cursor..].iter().collect();
        format!("{tail}\x1b[K{}", back(self.line.len() - self.cursor))
    }

    fn go(&mut self, to: usize) -> String {
        let echo = if to < self.cursor {
            back(self.cursor - to)
        } else {
            self.line[self.cursor..to].iter().collect()
        };
        self.cursor = to;
        echo
    }

    fn replace(&mut self, line: &str) -> String {
        let start = self.go(0);
        self.line = line.chars().collect();
        self.cursor = self.line.len();
        format!("{start}\x1b[K{line}")
    }

    fn erase_word(&mut self) -> String {
        let before = &self.line[..self.cursor];
        let end = before.iter().rposition(|c| *c != ' ').map_or(0, |i| i + 1);
        let start = before[..end].iter().rposition(|c| *c == ' ').map_or(0, |i| i + 1);
        let count = self.cursor - start;
        self.line.drain(start..self.cursor);
        self.cursor = start;
        format!("{}{}", back(count), self.tail())
    }

    /// A key with an escape sequence, by what follows the introducer.
    fn key(&mut self, sequence: &str) -> String {
        match sequence {
            "A" if self.shown > 0 => {
                self.shown -= 1;
                let line = self.history.get(self.shown).cloned().unwrap_or_default();
                self.replace(&line)
            }
            "B" if self.shown < self.history.len() => {
                self.shown += 1;
                let line = self.history.get(self.shown).cloned().unwrap_or_default();
                self.replace(&line)
            }
            "C" if self.cursor < self.line.len() => self.go(self.cursor + 1),
            "D" if self.cursor > 0 => self.go(self.cursor - 1),
            "H" | "1~" | "7~" => self.go(0),
            "F" | "4~" | "8~" => self.go(self.line.len()),
            "3~" if self.cursor < self.line.len() => {
                self.line.remove(self.cursor);
                self.tail()
            }
            _ => String::new(),
        }
    }
}

/// Moves the cursor left.
fn back(count: usize) -> String {
    if count == 0 { String::new() } else { format!("\x1b[{count}D") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types bytes; the lines that came of it.
    fn lines(editor: &mut Editor, bytes: &[u8]) -> Vec<String> {
        bytes
            .iter()
            .filter_map(|&b| match editor.take(b) {
                Step::Line(line, _) => Some(line),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn editing() {
        let mut editor = Editor::default();
        assert_eq!(lines(&mut editor, b"infx\x7fo cpus\r\n"), ["info cpus"]);
        assert_eq!(lines(&mut editor, b"bc\x1b[Da\x01x\x05z\n"), ["xbacz"]);
        assert_eq!(lines(&mut editor, b"one two\x17three\x15four\r"), ["four"]);
        assert_eq!(lines(&mut editor, "é\u{1F426}\x7f\r".as_bytes()), ["é"]);
        assert_eq!(lines(&mut editor, b"abc\x03def\r"), ["", "def"]);
        assert_eq!(lines(&mut editor, b"\x7f\x7f\x1b[D\x1b[3~\x1b[99;1Hok\r"), ["ok"]);
    }

    #[test]
    fn history() {
        let mut editor = Editor::default();
        assert_eq!(lines(&mut editor, b"one\rtwo\r\x1b[A\x1b[A\r"), ["one", "two", "one"]);
        assert_eq!(lines(&mut editor, b"\x1b[A\x1b[A\x1b[Bx\r"), ["onex"]);
    }

    #[test]
    fn completion() {
        let mut editor = Editor::default();
        lines(&mut editor, b"system_p");
        assert_eq!(editor.take(b'\t'), Step::Complete("system_p".into()));
        assert_eq!(editor.complete(&["system_reset", "system_powerdown"], "> "), "owerdown ");
        assert_eq!(lines(&mut editor, b"\r"), ["system_powerdown "]);
        lines(&mut editor, b"s");
        assert_eq!(editor.complete(&["system_reset", "system_powerdown"], "> "), "ystem_");
        assert_eq!(
            editor.complete(&["system_reset", "system_powerdown"], "> "),
            "\nsystem_reset  system_powerdown\n> system_"
        );
    }

    #[test]
    fn any_bytes_are_survived_and_lines_are_bounded() {
        let mut editor = Editor::default();
        let mut x = 1u32;
        for _ in 0..200_000 {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if let Step::Complete(_) = editor.take((x >> 24) as u8) {
                editor.complete(&["a", "ab"], "> ");
            }
        }
        for _ in 0..10_000 {
            editor.take(b'x');
        }
        assert!(editor.line.len() <= MAX_LINE);
    }
}
