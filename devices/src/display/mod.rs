//! Screens: what a display adapter shows, for front ends to draw, print or save.

pub mod vga;

use parking_lot::Mutex;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pixels row by row, each `0x00RRGGBB`; `width * height` of them.
    pub pixels: Vec<u32>,
}

/// One character cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    /// Character, in code page 437 unless the guest has loaded another font.
    pub character: u8,
    /// Bits 0 to 3 foreground, 4 to 6 background, 7 blinking (or a bright background), in a PC's colours.
    pub attribute: u8,
}

/// A screen of text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextScreen {
    /// Cells in a row.
    pub columns: u32,
    /// Rows.
    pub rows: u32,
    /// Cells row by row; `columns * rows` of them.
    pub cells: Vec<Cell>,
    /// Column and row of the cursor, if it is on the screen and visible.
    pub cursor: Option<(u32, u32)>,
}

/// A display adapter as front ends see it. Takes the device's lock.
pub trait Screen: Send + Sync {
    /// The picture that is shown now.
    fn frame(&self) -> Frame;
    /// The text that is shown now; none in graphics modes.
    fn text(&self) -> Option<TextScreen>;
}

impl Screen for Mutex<vga::Vga> {
    fn frame(&self) -> Frame {
        self.lock().frame()
    }
    fn text(&self) -> Option<TextScreen> {
        self.lock().text()
    }
}

/// Unicode of code page 437's upper half, from 80h on.
const CP437_HIGH: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»\
    ░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
/// And of what a PC shows for control characters.
const CP437_LOW: &str = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";

/// The character that a PC's own font shows for `code`.
pub fn cp437(code: u8) -> char {
    let found = match code {
        0..0x20 => CP437_LOW.chars().nth(code.into()),
        0x7f => Some('⌂'),
        0x80.. => CP437_HIGH.chars().nth(usize::from(code) - 0x80),
        _ => Some(code.into()),
    };
    found.unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_page() {
        assert_eq!((CP437_HIGH.chars().count(), CP437_LOW.chars().count()), (128, 32));
        let codes = [b'A', 0, 1, 0x81, 0xb0, 0xc4, 0xdb, 0xe1, 0xfe];
        assert_eq!(codes.map(cp437), ['A', ' ', '☺', 'ü', '░', '─', '█', 'ß', '■']);
    }
}
