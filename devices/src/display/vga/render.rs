//! From registers and memory to what is on the screen.
//!
//! Lines that the CRT controller shows twice are drawn once: mode 13h is 320 by 200.

use super::super::{Cell, Frame, TextScreen};
use super::State;
use super::spec::*;
use lyrebird_ram::GuestRam;

/// Dimensions of the picture, from the CRT controller.
struct Timing {
    /// Characters in a line, and lines.
    columns: u32,
    lines: u32,
    /// Scan lines of a row of characters, or times that a line of graphics is shown.
    scans: u32,
    /// Groups of four bytes from one row to the next, and before the first.
    offset: u64,
    start: u64,
    /// The line from which on the start is 0.
    compare: u32,
}

impl Timing {
    fn of(s: &State) -> Timing {
        let overflow = s.crtc[CRTC_OVERFLOW];
        let bit = |from: u8, n: u8, to: u32| u32::from(from >> n & 1) << to;
        let max_scan = s.crtc[CRTC_MAX_SCAN];
        let lines = u32::from(s.crtc[CRTC_V_END]) | bit(overflow, 1, 8) | bit(overflow, 6, 9);
        let compare = u32::from(s.crtc[CRTC_LINE_COMPARE]) | bit(overflow, 4, 8) | bit(max_scan, 6, 9);
        // Lines are counted after doubling.
        let double = u32::from(max_scan >> 7);
        Timing {
            columns: u32::from(s.crtc[CRTC_H_END]) + 1,
            lines: (lines + 1) >> double,
            scans: u32::from(max_scan & 0x1f) + 1,
            offset: u64::from(s.crtc[CRTC_OFFSET]) * 2,
            start: word(s, CRTC_START_HIGH, CRTC_START_LOW),
            compare: (compare + 1) >> double,
        }
    }

    /// First group of the row that begins with line `line`.
    fn row(&self, line: u32) -> u64 {
        if line >= self.compare {
            u64::from((line - self.compare) / self.scans) * self.offset
        } else {
            self.start + u64::from(line / self.scans) * self.offset
        }
    }
}

fn word(s: &State, high: usize, low: usize) -> u64 {
    u64::from(s.crtc[high]) << 8 | u64::from(s.crtc[low])
}

/// Bytes from `at` on; what lies beyond the memory is zero.
fn bytes(vram: &GuestRam, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let there = vram.len().saturating_sub(at).min(len as u64) as usize;
    if let Some(into) = bytes.get_mut(..there) {
        let _ = vram.read_bytes(at, into);
    }
    bytes
}

/// Groups of four plane bytes from group `at` on.
fn groups(vram: &GuestRam, at: u64, count: usize) -> Vec<[u8; 4]> {
    bytes(vram, at * 4, count * 4).chunks_exact(4).map(|g| [g[0], g[1], g[2], g[3]]).collect()
}

/// The colours of the DAC.
fn palette(s: &State) -> [u32; 256] {
    let wide = |c: u8| u32::from(if s.dispi.dac_8bit() { c } else { c << 2 | c >> 4 & 3 });
    let mut colours = [0; 256];
    for (to, [r, g, b]) in colours.iter_mut().zip(&s.dac) {
        *to = wide(*r) << 16 | wide(*g) << 8 | wide(*b);
    }
    colours
}

/// The colours of the 16 attributes.
fn attributes(s: &State) -> [u32; 16] {
    let (colours, select) = (palette(s), s.attr[ATTR_SELECT]);
    std::array::from_fn(|n| {
        let mut index = s.attr[n] & 0x3f;
        if s.attr[ATTR_MODE] & 0x80 != 0 {
            index = index & 0xf | (select & 3) << 4;
        }
        index |= (select & 0xc) << 4;
        colours[usize::from(index & s.pel_mask)]
    })
}

fn is_text(s: &State) -> bool {
    !s.dispi.enabled() && s.gfx[GFX_MISC] & 1 == 0
}

/// The picture.
pub(super) fn frame(s: &State, vram: &GuestRam) -> Frame {
    if s.dispi.enabled() {
        return linear(s, vram);
    }
    let t = Timing::of(s);
    let mut picture = if is_text(s) {
        characters(s, vram, &t)
    } else if s.gfx[GFX_MODE] & 0x40 != 0 {
        graphics(s, vram, &t, t.columns * 4, colours_256)
    } else {
        graphics(s, vram, &t, t.columns * 8, colours_16)
    };
    if s.attr_index & ATTR_ON == 0 || s.seq[SEQ_CLOCKING] & 0x20 != 0 {
        picture.pixels.fill(0);
    }
    picture
}

/// The cells of a text mode.
pub(super) fn text(s: &State, vram: &GuestRam) -> Option<TextScreen> {
    if !is_text(s) {
        return None;
    }
    let t = Timing::of(s);
    let rows = t.lines / t.scans;
    let cursor = cursor(s);
    let mut screen = TextScreen { columns: t.columns, rows, ..TextScreen::default() };
    for row in 0..rows {
        let first = t.row(row * t.scans);
        let line = groups(vram, first, t.columns as usize);
        screen.cells.extend(line.iter().map(|g| Cell { character: g[0], attribute: g[1] }));
        if let Some(column) = cursor.and_then(|c| c.checked_sub(first)).filter(|&c| c < t.columns.into()) {
            screen.cursor.get_or_insert((column as u32, row));
        }
    }
    Some(screen)
}

/// The cell of the cursor, if it is on.
fn cursor(s: &State) -> Option<u64> {
    let on = s.crtc[CRTC_CURSOR_START] & 0x20 == 0;
    on.then(|| word(s, CRTC_CURSOR_HIGH, CRTC_CURSOR_LOW))
}

/// First bytes of the fonts, in plane 2, that attribute bit 3 chooses between.
fn fonts(s: &State) -> [u64; 2] {
    let select = s.seq[SEQ_FONTS];
    let font = |low: u8, high: u8| u64::from(low << 1 | high) * 0x2000;
    [font(select & 3, select >> 4 & 1), font(select >> 2 & 3, select >> 5 & 1)]
}

fn characters(s: &State, vram: &GuestRam, t: &Timing) -> Frame {
    let nine = s.seq[SEQ_CLOCKING] & 1 == 0;
    let (cell, mode) = (if nine { 9 } else { 8 }, s.attr[ATTR_MODE]);
    let (width, height) = (t.columns * cell, t.lines / t.scans * t.scans);
    let colours = attributes(s);
    let sets = fonts(s).map(|first| {
        let font = groups(vram, first, 0x2000);
        font.into_iter().map(|g| g[2]).collect::<Vec<u8>>()
    });
    let cursor = cursor(s);
    let shape = s.crtc[CRTC_CURSOR_START] & 0x1f..=s.crtc[CRTC_CURSOR_END] & 0x1f;
    let underline = u32::from(s.crtc[CRTC_UNDERLINE] & 0x1f);
    let mut pixels = Vec::with_capacity((width * height) as usize);
    for top in (0..height).step_by(t.scans as usize) {
        let first = t.row(top);
        let cells = groups(vram, first, t.columns as usize);
        for scan in 0..t.scans {
            for (at, &[character, attribute, ..]) in (first..).zip(&cells) {
                let back = attribute >> 4 & if mode & 8 != 0 { 7 } else { 15 };
                let (fore, back) = (colours[usize::from(attribute & 15)], colours[usize::from(back)]);
                let set = &sets[usize::from(attribute >> 3 & 1)];
                let glyph = set.get(usize::from(character) * 32 + scan as usize).copied().unwrap_or(0);
                let lined = mode & 2 != 0 && attribute & 7 == 1 && scan == underline;
                let under = cursor == Some(at) && shape.contains(&(scan as u8));
                let glyph = if lined || under { 0xff } else { glyph };
                let pixel = |on: bool| if on { fore } else { back };
                pixels.extend((0..8).map(|n| pixel(glyph << n & 0x80 != 0)));
                if nine {
                    let joins = mode & 4 != 0 && (0xc0..0xe0).contains(&character);
                    pixels.push(pixel(glyph & 1 != 0 && (joins || lined || under)));
                }
            }
        }
    }
    Frame { width, height, pixels }
}

/// Pixels of one group.
type Decode = fn(&State, [u8; 4], &mut Vec<u8>);

fn colours_256(_: &State, group: [u8; 4], into: &mut Vec<u8>) {
    into.extend(group);
}

fn colours_16(s: &State, group: [u8; 4], into: &mut Vec<u8>) {
    let enabled = s.attr[ATTR_PLANES] & 0xf;
    if s.gfx[GFX_MODE] & 0x20 != 0 {
        // Pairs of bits, first of the even planes, then of the odd ones.
        for (low, high) in [(group[0], group[2]), (group[1], group[3])] {
            let pairs = (0..4).map(|n| 6 - 2 * n);
            into.extend(pairs.map(|at| (low >> at & 3 | (high >> at & 3) << 2) & enabled));
        }
    } else {
        let pixel = |bit: u32| (0..4).fold(0, |all, plane| all | (group[plane] >> bit & 1) << plane);
        into.extend((0..8).rev().map(|bit| pixel(bit) & enabled));
    }
}

fn graphics(s: &State, vram: &GuestRam, t: &Timing, width: u32, decode: Decode) -> Frame {
    let wide = s.gfx[GFX_MODE] & 0x40 != 0;
    let (colours, attributes) = (palette(s), attributes(s));
    let crt = s.crtc[CRTC_MODE];
    // A row's lines show the same unless they are taken from banks of their own.
    let step = if crt & 3 == 3 { t.scans } else { 1 };
    let panning = usize::from(s.attr[ATTR_PANNING] & 7) >> u8::from(wide);
    let each = if wide { 4 } else { 8 };
    let count = (width / each) as usize + 1;
    let mut pixels = Vec::new();
    let mut height = 0;
    let mut line = Vec::new();
    for y in (0..t.lines).step_by(step as usize) {
        let mut first = t.row(y);
        let scan = u64::from(y % t.scans);
        if crt & 1 == 0 {
            let bank = 12 + u32::from(crt >> 6 & 1);
            first = first & !(1 << bank) | (scan & 1) << bank;
        }
        if crt & 2 == 0 {
            first = first & !(1 << 13) | (scan >> 1 & 1) << 13;
        }
        line.clear();
        groups(vram, first, count).into_iter().for_each(|group| decode(s, group, &mut line));
        let shown = line.iter().skip(panning).take(width as usize);
        if wide {
            pixels.extend(shown.map(|&p| colours[usize::from(p & s.pel_mask)]));
        } else {
            pixels.extend(shown.map(|&p| attributes[usize::from(p & 15)]));
        }
        height += 1;
    }
    Frame { width, height, pixels }
}

/// A mode of the display interface.
fn linear(s: &State, vram: &GuestRam) -> Frame {
    let d = &s.dispi;
    let (width, height) = (d.width(), d.height());
    let (colours, attributes) = (palette(s), attributes(s));
    let mut pixels = Vec::with_capacity(width as usize * height as usize);
    let mut indexes = Vec::new();
    for y in 0..height {
        let at = d.start() + u64::from(y) * d.line();
        let bits = usize::from(d.bits());
        let line =
            bytes(vram, at, if bits == 4 { width as usize / 2 } else { width as usize * bits.div_ceil(8) });
        let five = |c: u16| u32::from(c << 3 | c >> 2);
        match bits {
            4 => {
                indexes.clear();
                line.chunks_exact(4).for_each(|g| colours_16(s, [g[0], g[1], g[2], g[3]], &mut indexes));
                pixels.extend(indexes.iter().map(|&p| attributes[usize::from(p & 15)]));
            }
            8 => pixels.extend(line.iter().map(|&p| colours[usize::from(p & s.pel_mask)])),
            15 | 16 => pixels.extend(line.chunks_exact(2).map(|p| {
                let p = u16::from_le_bytes([p[0], p[1]]);
                if bits == 15 {
                    five(p >> 10 & 31) << 16 | five(p >> 5 & 31) << 8 | five(p & 31)
                } else {
                    let green = p >> 5 & 63;
                    five(p >> 11) << 16 | u32::from(green << 2 | green >> 4) << 8 | five(p & 31)
                }
            })),
            24 => pixels.extend(line.chunks_exact(3).map(|p| u32::from_le_bytes([p[0], p[1], p[2], 0]))),
            _ => pixels.extend(line.chunks_exact(4).map(|p| u32::from_le_bytes([p[0], p[1], p[2], 0]))),
        }
    }
    Frame { width, height, pixels }
}
