//! The firmware's fonts: our drawings of ASCII in `font.txt`, and the rest of code page 437 made from rules: boxes from
//! the strokes they have, shades, accented letters from a letter and a mark. The 8x14 and 8x8 fonts are the 8x16 one
//! with rows left out.

/// Rows of a glyph, bit 7 on the left.
type Glyph = [u8; 16];

/// Letters with marks from 80h on: letter and mark; a space for those that have another drawing.
const ACCENTED: &[u8] = b"C,u:e'a^a:a`a*c,e^e:e`i:i^i`A:A*E'    o^o:o`u^u`y:O:U:            a'i'o'u'n~N~a_o_";

/// The box drawing characters B3h to DAh: strokes up, right, down, left; 0 none, 1 single, 2 double.
const BOXES: [u16; 40] = [
    0x1010, 0x1011, 0x1012, 0x2021, 0x0021, 0x0012, 0x2022, 0x2020, 0x0022, 0x2002, 0x2001, 0x1002, 0x0011,
    0x1100, 0x1101, 0x0111, 0x1110, 0x0101, 0x1111, 0x1210, 0x2120, 0x2200, 0x0220, 0x2202, 0x0222, 0x2220,
    0x0202, 0x2222, 0x1202, 0x2101, 0x0212, 0x0121, 0x2100, 0x1200, 0x0210, 0x0120, 0x2121, 0x1212, 0x1001,
    0x0110,
];

/// The 256 glyphs.
fn glyphs() -> Vec<Glyph> {
    let mut font = vec![[0; 16]; 256];
    for line in include_str!("font.txt")
        .lines()
        .filter(|line| line.len() > 2 && !line.starts_with("# O") && !line.starts_with("# b"))
    {
        let mut parts = line.split(' ').filter(|part| !part.is_empty());
        let (Some(name), Some(top)) = (parts.next(), parts.next()) else { continue };
        let Ok(top) = top.parse::<usize>() else { continue };
        for (row, drawing) in parts.enumerate() {
            font[usize::from(name.as_bytes()[0])][top + row] = dots(drawing);
        }
    }
    for (index, pair) in ACCENTED.chunks_exact(2).enumerate() {
        font[0x80 + index] = accented(&font[usize::from(pair[0])], pair[1]);
    }
    for (index, strokes) in BOXES.into_iter().enumerate() {
        font[0xb3 + index] = strokes_of(strokes);
    }
    for row in 0..16 {
        let odd = row % 2;
        font[0xb0][row] = [0x22, 0x88][odd];
        font[0xb1][row] = [0x55, 0xaa][odd];
        font[0xb2][row] = [0xdd, 0x77][odd];
        font[0xdb][row] = 0xff;
        font[if row < 8 { 0xdf } else { 0xdc }][row] = 0xff;
        font[0xdd][row] = 0xf0;
        font[0xde][row] = 0x0f;
    }
    // Arrows, and the few signs that menus use.
    let draw = |rows: &[&str], top: usize| {
        let mut glyph = [0; 16];
        for (row, drawing) in rows.iter().enumerate() {
            glyph[top + row] = dots(drawing);
        }
        glyph
    };
    font[0x18] = draw(&["...#...", "..###..", ".#####.", "...#...", "...#...", "...#...", "...#..."], 3);
    font[0x19] = draw(&["...#...", "...#...", "...#...", "...#...", ".#####.", "..###..", "...#..."], 3);
    font[0x1a] = draw(&["....#..", "....##.", "#######", "....##.", "....#.."], 5);
    font[0x1b] = draw(&["..#....", ".##....", "#######", ".##....", "..#...."], 5);
    font[0x10] = draw(&["##.....", "####...", "######.", "#######", "######.", "####...", "##....."], 4);
    font[0x11] = draw(&[".....##", "...####", ".######", "#######", ".######", "...####", ".....##"], 4);
    font[0x07] = draw(&["..###..", ".#####.", ".#####.", "..###.."], 6);
    font[0xfe] = draw(&[".#####.", ".#####.", ".#####.", ".#####.", ".#####."], 6);
    font[0xf8] = draw(&["..###..", ".##.##.", "..###.."], 2);
    font[0xfa] = draw(&["...##..", "...##.."], 7);
    font
}

/// Bits of a drawn row; five dots are drawn with a broad pen.
fn dots(drawing: &str) -> u8 {
    let bits = drawing.bytes().fold(0_u16, |bits, dot| bits << 1 | u16::from(dot == b'#'));
    let bits = bits << (8 - drawing.len());
    let bits = if drawing.len() == 5 { bits | bits >> 1 } else { bits };
    (if drawing.len() == 8 { bits } else { bits >> u16::from(drawing.len() == 5) }) as u8
}

/// `letter` with a mark above or below it.
fn accented(letter: &Glyph, mark: u8) -> Glyph {
    let mut glyph = *letter;
    let capital = letter[2] != 0 && letter[4] != 0;
    if capital && mark != b',' {
        // The letter makes room above.
        for row in (3..12).rev() {
            glyph[row] = letter[row - if row > 6 { 0 } else { 1 }];
        }
        glyph[2] = 0;
    } else {
        // A dot gives way to the mark.
        glyph[2..4].fill(0);
    }
    let rows: &[(usize, u8)] = match mark {
        b'`' => &[(0, 0x30), (1, 0x18), (2, 0x0c)],
        b'\'' => &[(0, 0x0c), (1, 0x18), (2, 0x30)],
        b'^' => &[(0, 0x10), (1, 0x38), (2, 0x6c)],
        b':' => &[(1, 0x6c), (2, 0x6c)],
        b'*' => &[(0, 0x38), (1, 0x6c), (2, 0x38)],
        b'~' => &[(1, 0x76), (2, 0xdc)],
        b',' => &[(12, 0x18), (13, 0x0c), (14, 0x38)],
        b'_' => &[(13, 0x7c)],
        _ => &[],
    };
    for &(row, bits) in rows {
        glyph[row] |= bits;
    }
    glyph
}

/// A box drawing character: single strokes two dots broad in the middle, double ones on both sides of it.
fn strokes_of(strokes: u16) -> Glyph {
    let mut glyph = [0_u8; 16];
    let [up, right, down, left] = [12, 8, 4, 0].map(|shift| strokes >> shift & 15);
    for (row, bits_of_row) in glyph.iter_mut().enumerate() {
        // Vertical strokes end where the horizontal ones that they meet lie.
        let reach = if right.max(left) == 2 { [9, 6] } else { [8, 7] };
        for (kind, here) in [(up, row <= reach[0]), (down, row >= reach[1])] {
            if here {
                *bits_of_row |= [0, 0x18, 0x66][usize::from(kind)];
            }
        }
        for (kind, bits) in [(left, 0xf8), (right, 0x1f)] {
            let here = match kind {
                1 => row == 7 || row == 8,
                2 => row == 6 || row == 9,
                _ => false,
            };
            if here {
                // Towards a double vertical stroke the horizontal one goes on only to its near side.
                let near = if up.max(down) == 2 && (left == 0 || right == 0 || kind == 2) {
                    bits & if bits == 0xf8 { 0xfe } else { 0x7f }
                } else {
                    bits
                };
                *bits_of_row |= near
                    | if up.max(down) == 2 {
                        if bits == 0xf8 { 0x04 & near } else { 0x20 & near }
                    } else {
                        0
                    };
            }
        }
    }
    glyph
}

/// Assembly of the tables `font16`, `font14` and `font8`.
pub fn assembly() -> String {
    let glyphs = glyphs();
    let rows8 = |glyph: &Glyph| {
        let below = glyph[12] | glyph[13] | glyph[14];
        // Characters that fill the cell keep every other row; letters keep the rows that tell them apart.
        let full = glyph[0] != 0 || glyph[15] != 0;
        let picked = if full { [0, 2, 4, 6, 8, 10, 12, 14] } else { [2, 3, 5, 6, 8, 9, 11, 12] };
        let mut rows = picked.map(|row| glyph[row]);
        if !full {
            // A stroke that only a left-out row has moves to the next one.
            for (out, row) in [(4, 2), (7, 4), (10, 5)] {
                if glyph[out - 1] == 0 && glyph[out + 1] == 0 {
                    rows[row] |= glyph[out];
                }
            }
            rows[7] = below;
            rows[0] |= glyph[1];
        }
        rows.to_vec()
    };
    let mut text = String::from(".section .bios.font, \"a\"\n");
    let fonts: [(&str, Vec<Vec<u8>>); 3] = [
        ("font16", glyphs.iter().map(|glyph| glyph.to_vec()).collect()),
        ("font14", glyphs.iter().map(|glyph| glyph[1..15].to_vec()).collect()),
        ("font8", glyphs.iter().map(rows8).collect()),
    ];
    // The first half of the 8x8 font is also where programs for CGA look for it.
    let half: Vec<_> = fonts[2].1[..128].to_vec();
    for (name, glyphs) in fonts.into_iter().chain([("font8_fixed", half)]) {
        if name == "font8_fixed" {
            text += ".section .bios.font8, \"a\"\n";
        }
        text += &format!("{name}:\n");
        for glyph in glyphs {
            let bytes: Vec<String> = glyph.iter().map(|byte| format!("{byte:#04x}")).collect();
            text += &format!("    .byte {}\n", bytes.join(", "));
        }
    }
    text
}
