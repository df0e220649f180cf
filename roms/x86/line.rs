//! The line that is typed, and its words.

use crate::{console, text};

/// Bytes that a line may have.
const SIZE: usize = text::LINE_SIZE as usize - 1;

/// A line of text.
pub struct Line {
    text: [u8; SIZE],
    length: usize,
}

impl Line {
    /// Reads a line: backspace and delete take one character back, ^U and ^C all of them.
    pub fn read() -> Self {
        let mut line = Self { text: [0; SIZE], length: 0 };
        loop {
            match console::get() {
                b'\r' | b'\n' => {
                    console::put(b'\n');
                    return line;
                }
                8 | 127 => line.back(),
                3 | 21 => {
                    while line.length != 0 {
                        line.back();
                    }
                }
                character @ b' '..127 if line.length < SIZE => {
                    line.text[line.length] = character;
                    line.length += 1;
                    console::put(character);
                }
                _ => {}
            }
        }
    }

    fn back(&mut self) {
        if self.length != 0 {
            self.length -= 1;
            for character in *b"\x08 \x08" {
                console::put(character);
            }
        }
    }

    /// Its words.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        core::str::from_utf8(&self.text[..self.length]).unwrap_or("").split_ascii_whitespace()
    }
}
