//! A PC's text screen as control sequences of ECMA-48, with the colours of xterm's palette.

use std::fmt::Write;

use lyrebird_devices::display::{Cell, TextScreen, cp437};

/// What brings a terminal from showing `before`, or anything at all, to showing `now`, as far as `size`, columns and
/// rows, allows.
pub fn paint(before: Option<&TextScreen>, now: &TextScreen, size: (u32, u32)) -> String {
    let mut text = String::new();
    let same_shape = before.filter(|b| (b.columns, b.rows) == (now.columns, now.rows));
    if same_shape.is_none() {
        text.push_str("\x1b[0m\x1b[2J");
    }
    let mut attribute = None;
    for row in 0..now.rows.min(size.1) {
        // Where the terminal's cursor is in this row.
        let mut at = None;
        for column in 0..now.columns.min(size.0) {
            let place = (row * now.columns + column) as usize;
            let Some(&cell) = now.cells.get(place) else { continue };
            if same_shape.is_some_and(|b| b.cells.get(place) == Some(&cell)) {
                continue;
            }
            if at != Some(column) {
                let _ = write!(text, "\x1b[{};{}H", row + 1, column + 1);
            }
            if attribute != Some(cell.attribute) {
                text.push_str(&rendition(cell));
                attribute = Some(cell.attribute);
            }
            text.push(cp437(cell.character));
            at = Some(column + 1);
        }
    }
    if !text.is_empty() || before.is_none_or(|b| b.cursor != now.cursor) {
        match now.cursor.filter(|&(column, row)| column < size.0 && row < size.1) {
            Some((column, row)) => {
                let _ = write!(text, "\x1b[{};{}H\x1b[?25h", row + 1, column + 1);
            }
            None => text.push_str("\x1b[?25l"),
        }
    }
    text
}

/// SELECT GRAPHIC RENDITION for a cell. A PC numbers blue 1 and red 4, a terminal the other way round.
fn rendition(cell: Cell) -> String {
    let colour = |c: u8| (c & 1) << 2 | c & 2 | c >> 2 & 1;
    let (fore, back) = (cell.attribute & 15, cell.attribute >> 4 & 7);
    let fore = if fore >= 8 { 90 } else { 30 } + colour(fore);
    let blink = if cell.attribute & 0x80 != 0 { ";5" } else { "" };
    format!("\x1b[0;{fore};{}{blink}m", 40 + colour(back))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(text: &str, cursor: Option<(u32, u32)>) -> TextScreen {
        let cells = text.bytes().map(|character| Cell { character, attribute: 0x1E }).collect();
        TextScreen { columns: 3, rows: 2, cells, cursor }
    }

    #[test]
    fn all_and_then_what_changed() {
        let first = screen("abcdef", Some((1, 1)));
        let all = paint(None, &first, (80, 25));
        // Yellow on blue.
        assert_eq!(all, "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0;93;44mabc\x1b[2;1Hdef\x1b[2;2H\x1b[?25h");
        assert_eq!(paint(Some(&first), &first, (80, 25)), "");
        let second = screen("abcdEF", None);
        assert_eq!(paint(Some(&first), &second, (80, 25)), "\x1b[2;2H\x1b[0;93;44mEF\x1b[?25l");
        let moved = TextScreen { cursor: Some((2, 1)), ..first.clone() };
        assert_eq!(paint(Some(&first), &moved, (80, 25)), "\x1b[2;3H\x1b[?25h");
    }

    #[test]
    fn a_small_terminal_shows_a_part() {
        let all = paint(None, &screen("abcdef", Some((2, 1))), (2, 1));
        assert_eq!(all, "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0;93;44mab\x1b[?25l");
    }
}
