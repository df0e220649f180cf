//! The adapter in the modes that firmware and guests set.

use super::super::Screen;
use super::*;
use crate::bus::conformance;
use crate::bus::device::share;
use crate::bus::space::AddressSpace;
use parking_lot::Mutex;
use std::sync::Arc;

const CPU: Initiator = Initiator::Cpu(0);

struct Bench {
    vga: Arc<Mutex<Vga>>,
    ports: AddressSpace,
    space: AddressSpace,
    vram: GuestRam,
    clock: Clock,
}

impl Bench {
    fn new() -> Bench {
        let (clock, vram) = (Clock::stepped(), GuestRam::new(Vga::VRAM).unwrap());
        let vga = share(Vga::new(vram.clone(), clock.clone()));
        let (ports, space) = (AddressSpace::ports(), AddressSpace::new());
        for piece in Vga::PORTS {
            ports.add_registers("vga", piece.at, piece.len, piece.reg, vga.clone()).unwrap();
        }
        let window = Vga::WINDOW;
        space.add_registers("vga window", window.at, window.len, window.reg, vga.clone()).unwrap();
        Bench { vga, ports, space, vram, clock }
    }
    fn outb(&self, port: u64, value: u8) {
        self.ports.write(port, Size::B1, value.into(), CPU).unwrap();
    }
    fn outw(&self, port: u64, value: u16) {
        self.ports.write(port, Size::B2, value.into(), CPU).unwrap();
    }
    fn inb(&self, port: u64) -> u8 {
        self.ports.read(port, Size::B1, CPU).unwrap() as u8
    }
    fn dispi(&self, index: u16, value: u16) {
        self.outw(0x1ce, index);
        self.outw(0x1cf, value);
    }
    fn dispi_read(&self, index: u16) -> u16 {
        self.outw(0x1ce, index);
        self.ports.read(0x1cf, Size::B2, CPU).unwrap() as u16
    }
    fn poke(&self, at: u64, value: u8) {
        self.space.write(at, Size::B1, value.into(), CPU).unwrap();
    }
    fn peek(&self, at: u64) -> u8 {
        self.space.read(at, Size::B1, CPU).unwrap() as u8
    }
    /// The registers that a BIOS sets for a mode: misc, then pairs of index and value.
    fn mode(&self, misc: u8, seq: [u8; 4], crtc: &[(u8, u8)], gfx: [u8; 9], attr_mode: u8) {
        self.outb(0x3c2, misc);
        for (n, value) in (1u8..).zip(seq) {
            self.outw(0x3c4, u16::from_le_bytes([n, value]));
        }
        for &(index, value) in crtc {
            self.outw(0x3d4, u16::from_le_bytes([index, value]));
        }
        for (n, value) in (0u8..).zip(gfx) {
            self.outw(0x3ce, u16::from_le_bytes([n, value]));
        }
        self.inb(0x3da);
        let attr = (0..16).chain([attr_mode, 0, 0xf, 0, 0]);
        for (index, value) in (0u8..).zip(attr) {
            self.outb(0x3c0, index);
            self.outb(0x3c0, value);
        }
        self.outb(0x3c0, 0x20);
        self.outb(0x3c8, 0);
        for n in 0..16u8 {
            [n * 4, n, 63 - n].iter().for_each(|&c| self.outb(0x3c9, c));
        }
    }
    /// 80 by 25 characters of 9 by 16.
    fn text_mode(&self) {
        let crtc = [
            (1, 79),
            (7, 0x1f),
            (9, 0x4f),
            (0x0a, 0x0d),
            (0x0b, 0x0e),
            (0x12, 0x8f),
            (0x13, 0x28),
            (0x17, 0xa3),
            (0x18, 0xff),
        ];
        self.mode(0x67, [0, 3, 0, 2], &crtc, [0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff], 0x0c);
    }
    /// 640 by 480 in 16 colours.
    fn mode_12(&self) {
        let crtc = [(1, 79), (7, 0x3e), (9, 0x40), (0x12, 0xdf), (0x13, 0x28), (0x17, 0xe3), (0x18, 0xff)];
        self.mode(0xe3, [1, 0xf, 0, 6], &crtc, [0, 0, 0, 0, 0, 0, 5, 0xf, 0xff], 1);
    }
}

fn colour(n: u32) -> u32 {
    let wide = |c: u32| c << 2 | c >> 4;
    wide(n * 4) << 16 | wide(n) << 8 | wide(63 - n)
}

#[test]
fn conforms() {
    let vram = GuestRam::new(1 << 20).unwrap();
    conformance::check(|| Vga::new(vram.clone(), Clock::stepped()), Vga::LEN);
}

#[test]
fn whatever_the_registers_say_can_be_drawn() {
    let vram = GuestRam::new(1 << 18).unwrap();
    let vga = Mutex::new(Vga::new(vram, Clock::stepped()));
    for seed in 0..40 {
        // The ports and the display interface alone: the window has most of the offsets.
        conformance::hammer(&vga, 0x48, seed, 3000);
        let frame = vga.frame();
        assert_eq!(frame.pixels.len(), (frame.width * frame.height) as usize);
        if let Some(text) = vga.text() {
            assert_eq!(text.cells.len(), (text.columns * text.rows) as usize);
        }
    }
}

#[test]
fn text_with_the_guests_font() {
    let b = Bench::new();
    b.text_mode();
    // The font goes into plane 2, as a BIOS loads it.
    b.outw(0x3c4, 0x0402);
    b.outw(0x3c4, 0x0604);
    b.outw(0x3ce, 0x0005);
    b.outw(0x3ce, 0x0406);
    for scan in 0..16 {
        b.poke(0xa_0000 + 0x41 * 32 + scan, if scan == 3 { 0x81 } else { 0 });
        b.poke(0xa_0000 + 0xc4 * 32 + scan, if scan == 7 { 0xff } else { 0 });
    }
    b.text_mode();
    b.space.write(0xb_8000, Size::B4, 0x1ec4_0741, CPU).unwrap();
    b.outw(0x3d4, 0x000e);
    b.outw(0x3d4, 0x510f);
    let text = b.vga.text().unwrap();
    assert_eq!((text.columns, text.rows, text.cursor), (80, 25, Some((1, 1))));
    assert_eq!(text.cells[0], Cell { character: 0x41, attribute: 7 });
    assert_eq!(text.cells[1], Cell { character: 0xc4, attribute: 0x1e });
    assert_eq!((b.peek(0xb_8000), b.peek(0xb_8003)), (0x41, 0x1e));
    let frame = b.vga.frame();
    assert_eq!((frame.width, frame.height), (720, 400));
    let at = |x: usize, y: usize| frame.pixels[y * 720 + x];
    assert_eq!([at(0, 3), at(1, 3), at(7, 3), at(8, 3)], [7, 0, 7, 0].map(colour));
    assert_eq!([at(9, 7), at(17, 7), at(9, 6)], [14, 14, 1].map(colour), "lines join across the ninth dot");
    assert_eq!([at(9, 16 + 13), at(9, 16 + 12)], [0, 0].map(colour), "attribute 0 hides the cursor");
}
use super::super::Cell;

#[test]
fn planes_and_write_modes() {
    let b = Bench::new();
    b.mode_12();
    b.outw(0x3c4, 0x0502);
    b.poke(0xa_0000, 0xf0);
    let frame = b.vga.frame();
    assert_eq!((frame.width, frame.height), (640, 480));
    assert_eq!([frame.pixels[0], frame.pixels[3], frame.pixels[4]], [5, 5, 0].map(colour));
    b.outw(0x3c4, 0x0f02);
    // Read map and read mode 1.
    b.outw(0x3ce, 0x0204);
    assert_eq!(b.peek(0xa_0000), 0xf0);
    b.outw(0x3ce, 0x0104);
    assert_eq!(b.peek(0xa_0000), 0);
    b.outw(0x3ce, 0x0805);
    b.outw(0x3ce, 0x0502);
    assert_eq!(b.peek(0xa_0000), 0xf0, "pixels of colour 5");
    b.outw(0x3ce, 0x0002);
    assert_eq!(b.peek(0xa_0000), 0x0f);
    // Write mode 2 behind a bit mask.
    b.outw(0x3ce, 0x0205);
    b.outw(0x3ce, 0x8108);
    b.peek(0xa_0000);
    b.poke(0xa_0000, 9);
    let row = |n: usize| b.vga.frame().pixels[n * 640..n * 640 + 8].to_vec();
    assert_eq!(row(0), [9, 5, 5, 5, 0, 0, 0, 9].map(colour));
    // Write mode 1 copies the latches.
    b.outw(0x3ce, 0xff08);
    b.outw(0x3ce, 0x0105);
    b.peek(0xa_0000);
    b.poke(0xa_0000 + 80, 0);
    assert_eq!(row(1), row(0));
    // Write mode 3: set/reset through a rotated mask.
    b.outw(0x3ce, 0x0305);
    b.outw(0x3ce, 0x0600);
    b.outw(0x3ce, 0x0403);
    b.peek(0xa_0000);
    b.poke(0xa_0000, 0xc0);
    assert_eq!(row(0), [9, 5, 5, 5, 6, 6, 0, 9].map(colour));
    // Write mode 0 with set/reset in two planes and XOR.
    b.outw(0x3ce, 0x0005);
    b.outw(0x3ce, 0x0600);
    b.outw(0x3ce, 0x0e01);
    b.outw(0x3ce, 0x1803);
    b.peek(0xa_0000 + 160);
    b.poke(0xa_0000 + 160, 0x0f);
    assert_eq!(row(2), [6, 6, 6, 6, 7, 7, 7, 7].map(colour));
}

#[test]
fn mode_13() {
    let b = Bench::new();
    let crtc =
        [(1, 79), (7, 0x1f), (9, 0x41), (0x12, 0x8f), (0x13, 0x28), (0x14, 0x40), (0x17, 0xa3), (0x18, 0xff)];
    b.mode(0x63, [1, 0xf, 0, 0xe], &crtc, [0, 0, 0, 0, 0, 0x40, 5, 0xf, 0xff], 0x41);
    b.space.write(0xa_0000 + 320, Size::B4, 0x0403_0201, CPU).unwrap();
    b.poke(0xa_0000 + 320 * 199 + 319, 15);
    let frame = b.vga.frame();
    assert_eq!((frame.width, frame.height), (320, 200));
    assert_eq!(frame.pixels[320..324], [1, 2, 3, 4].map(colour));
    assert_eq!(frame.pixels[320 * 200 - 1], colour(15));
    assert_eq!(b.vram.read::<u32>(320), Ok(0x0403_0201), "linear and windowed views agree");
    assert_eq!((b.peek(0xa_0000 + 322), b.vga.text()), (3, None));
}

#[test]
fn colours_and_the_dac() {
    let b = Bench::new();
    b.outb(0x3c8, 5);
    [1, 2, 0xff].iter().for_each(|&c| b.outb(0x3c9, c));
    b.outb(0x3c7, 5);
    assert_eq!(b.inb(0x3c7), 3);
    assert_eq!([b.inb(0x3c9), b.inb(0x3c9), b.inb(0x3c9)], [1, 2, 0x3f]);
    assert_eq!(b.inb(0x3c8), 6, "the next to be written");
}

#[test]
fn emulations_retrace_and_protection() {
    let b = Bench::new();
    assert_eq!(b.inb(0x3d4), 0xff, "monochrome after a reset");
    b.outb(0x3c2, 1);
    b.outw(0x3d4, 0x0011);
    b.outw(0x3d4, 0x5501);
    b.outw(0x3d4, 0x8011);
    b.outw(0x3d4, 0x1001);
    b.outw(0x3d4, 0xff07);
    b.outb(0x3d4, 1);
    assert_eq!(b.inb(0x3d5), 0x55);
    b.outb(0x3d4, 7);
    assert_eq!(b.inb(0x3d5), 0x10);
    assert_eq!((b.inb(0x3b4), b.inb(0x3cc)), (0xff, 1));
    assert_eq!(b.inb(0x3da), 0);
    b.clock.advance_to(VTime(LINE_SHOWN_NS));
    assert_eq!(b.inb(0x3da), 1);
    b.clock.advance_to(VTime(LINES_SHOWN * LINE_NS));
    assert_eq!(b.inb(0x3da), 9);
}

#[test]
fn modes_of_the_display_interface() {
    let b = Bench::new();
    assert_eq!((b.dispi_read(0), b.dispi_read(10)), (0xb0c5, 256));
    b.dispi(4, 2);
    assert_eq!((b.dispi_read(1), b.dispi_read(2), b.dispi_read(3)), (16_000, 12_000, 32));
    b.dispi(4, 0);
    b.vram.write(0, 0xffu8).unwrap();
    for (index, value) in [(1, 1024), (2, 768), (3, 32), (4, 0x41)] {
        b.dispi(index, value);
    }
    assert_eq!((b.dispi_read(6), b.dispi_read(7), b.vram.read(0)), (1024, 4096, Ok(0u8)));
    b.vram.write(4 * 1025, 0x0012_3456u32).unwrap();
    let frame = b.vga.frame();
    assert_eq!((frame.width, frame.height, frame.pixels[1025]), (1024, 768, 0x12_3456));
    b.dispi(8, 1);
    b.dispi(9, 1);
    assert_eq!(b.vga.frame().pixels[0], 0x12_3456, "panned");
    // The window shows one bank.
    b.dispi(5, 2);
    b.poke(0xa_0001, 0x77);
    assert_eq!((b.vram.read(0x2_0001), b.peek(0xa_0001)), (Ok(0x77u8), 0x77));
    b.dispi(5, 9999);
    assert_eq!(b.dispi_read(5), 0);
    for (bpp, bytes, colour) in
        [(16, 0xf81fu32, 0xff_00ff), (15, 0x7c00, 0xff_0000), (24, 0x01_0203, 0x01_0203)]
    {
        b.dispi(4, 0);
        b.dispi(3, bpp);
        b.dispi(4, 0x41);
        b.vram.write(0, bytes).unwrap();
        assert_eq!(b.vga.frame().pixels[0], colour, "{bpp} bits");
    }
    b.dispi(4, 0);
    b.dispi(3, 8);
    b.dispi(4, 0xe1);
    b.outb(0x3c8, 1);
    [0xf1, 0xf2, 0xf3].iter().for_each(|&c| b.outb(0x3c9, c));
    b.vram.write(0, 1u8).unwrap();
    assert_eq!(b.vga.frame().pixels[0], 0xf1_f2f3, "colours of eight bits");
}

#[test]
fn modes_that_do_not_fit_are_cut() {
    let b = Bench::new();
    for (index, value) in [(1, 16_000), (2, 12_000), (3, 32), (4, 1)] {
        b.dispi(index, value);
    }
    assert_eq!((b.dispi_read(1), b.dispi_read(2)), (16_000, 262));
    b.dispi(6, 0xffff);
    assert_eq!(b.dispi_read(6), 16_000);
    b.dispi(9, 0xffff);
    assert_eq!(b.vga.frame().pixels[0], 0);
}

#[test]
fn the_mmio_block() {
    let b = Bench::new();
    let r = |reg, size| b.vga.lock().read(MMIO + reg, size, CPU).unwrap();
    assert_eq!(r(0x500, Size::B2), 0xb0c5);
    assert_eq!((r(0x600, Size::B4), r(0x604, Size::B4), r(0, Size::B1)), (8, 0x1e1e_1e1e, 0));
    b.vga.lock().write(MMIO + 0x402, Size::B1, 0x67, CPU).unwrap();
    assert_eq!(b.inb(0x3cc), 0x67);
    b.vga.lock().write(MMIO + 0x502, Size::B2, 640, CPU).unwrap();
    assert_eq!(b.dispi_read(1), 640);
}
