//! The VGA's text mode 3, which firmware leaves a machine in: 80 columns, 25 rows, 16 colours.
//!
//! After IBM's VGA technical reference: the register values of mode 3+ with 400 lines, the palette of the 64 colours that an
//! EGA has. The font is our BIOS's.

use super::fabric::Fabric;
use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::bus::space::AddressSpace;

/// Ports: miscellaneous output, attribute controller with its flip-flop's reset, DAC.
const MISC: u64 = 0x3C2;
const ATTRIBUTE: u64 = 0x3C0;
const STATUS: u64 = 0x3DA;
const DAC_MASK: u64 = 0x3C6;
const DAC_INDEX: u64 = 0x3C8;
const DAC_DATA: u64 = 0x3C9;
/// Index ports of sequencer, graphics controller, CRTC; data is at the next.
const SEQUENCER: u64 = 0x3C4;
const GRAPHICS: u64 = 0x3CE;
const CRTC: u64 = 0x3D4;
/// Palette on, for the attribute controller's index.
const SHOW: u8 = 0x20;
/// The clock of 28 MHz, CRTC at 3D4h, memory on.
const MISC_VALUE: u8 = 0x67;

const SEQUENCER_VALUES: [u8; 5] = [0x03, 0x00, 0x03, 0x00, 0x02];
const GRAPHICS_VALUES: [u8; 9] = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF];
const CRTC_VALUES: [u8; 25] = [
    0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00, 0x00, 0x00, 0x00, 0x9C,
    0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
];
const ATTRIBUTE_VALUES: [u8; 21] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C,
    0x00, 0x0F, 0x08, 0x00,
];
/// Registers of sequencer and graphics controller while the font is written: plane 2 alone, at A0000h.
const FONT_ACCESS: [(u64, u8, u8); 5] =
    [(SEQUENCER, 2, 4), (SEQUENCER, 4, 6), (GRAPHICS, 5, 0), (GRAPHICS, 6, 4), (GRAPHICS, 8, 0xFF)];

/// Bytes of a glyph in our BIOS, and in the VGA's memory.
const GLYPH: usize = 16;
const GLYPH_ROOM: u64 = 32;
/// Where the font is in our BIOS, and its length.
const FONT: usize = 0xB900;
const GLYPHS: usize = 256;
/// Where text is, and how many bytes.
const TEXT: u64 = 0xB_8000;
const TEXT_LEN: u64 = 80 * 25 * 2;
/// Four blanks, light grey on black.
const BLANKS: u64 = 0x0720_0720_0720_0720;
const FONT_WINDOW: u64 = 0xA_0000;

/// Sets the mode, through the same registers as firmware.
pub(super) fn set(fabric: &Fabric, space: &AddressSpace) {
    const BY: Initiator = Initiator::Cpu(0);
    // A space of ports answers always, and where there is no VGA nothing happens.
    let out = |port, value: u8| {
        let _ = fabric.ports.write(port, Size::B1, value.into(), BY);
    };
    let indexed = |port, index: u8, value| {
        out(port, index);
        out(port + 1, value);
    };
    let store = |at, value| {
        let _ = space.write(at, Size::B8, value, BY);
    };
    let all = |port, values: &[u8]| {
        (0u8..).zip(values).for_each(|(index, &value)| indexed(port, index, value));
    };
    out(MISC, MISC_VALUE);
    all(SEQUENCER, &SEQUENCER_VALUES);
    // The first registers are protected by the eighteenth.
    indexed(CRTC, 0x11, 0);
    all(CRTC, &CRTC_VALUES);

    FONT_ACCESS.into_iter().for_each(|(port, index, value)| indexed(port, index, value));
    let font = lyrebird_roms::BIOS.get(FONT..FONT + GLYPH * GLYPHS).unwrap_or_default();
    for (glyph, n) in font.chunks(GLYPH).zip(0..) {
        for (half, at) in glyph.chunks(8).zip([0, 8]) {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(half).for_each(|(to, from)| *to = *from);
            store(FONT_WINDOW + n * GLYPH_ROOM + at, u64::from_le_bytes(bytes));
        }
    }
    all(SEQUENCER, &SEQUENCER_VALUES);
    all(GRAPHICS, &GRAPHICS_VALUES);

    let _ = fabric.ports.read(STATUS, Size::B1, BY);
    for (index, &value) in (0u8..).zip(&ATTRIBUTE_VALUES) {
        out(ATTRIBUTE, index);
        out(ATTRIBUTE, value);
    }
    out(ATTRIBUTE, SHOW);
    out(DAC_MASK, 0xFF);
    out(DAC_INDEX, 0);
    for colour in 0u8..64 {
        // Bits 2 to 0 are red, green and blue, 5 to 3 the same at half strength.
        for bit in [2, 1, 0] {
            out(DAC_DATA, (colour >> bit & 1) * 0x2A + (colour >> (bit + 3) & 1) * 0x15);
        }
    }
    (0..TEXT_LEN).step_by(8).for_each(|at| store(TEXT + at, BLANKS));
}
