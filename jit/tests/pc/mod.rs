//! A PC's processor with RAM at address 0 and nothing else.
#![allow(dead_code, reason = "shared by several test programs")]

use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Core, Physical};
use lyrebird_cpu::x86::segment::{self, Segment};
use lyrebird_cpu::x86::{Platform, X64, context, insn::seg, model, state};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

pub const RAM: u64 = 1 << 20;
/// Where programs are.
pub const CODE: u64 = 0x1_0000;
/// Where data is.
pub const DATA: u64 = 0x4_0000;
/// Where the stack begins.
pub const STACK: u64 = 0x6_0000;
/// A table of 256 interrupt gates, their one handler, the descriptor table, and the page tables.
pub const GATES: u64 = 0x8_0000;
pub const HANDLER: u64 = 0x8_2000;
pub const DESCRIPTORS: u64 = 0x8_3000;
pub const TABLES: u64 = 0x9_0000;

struct Flat(GuestRam);

impl Physical for Flat {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        (pa < self.0.len()).then_some((pa, true))
    }
}

struct Nothing;

impl Platform for Nothing {
    fn nanoseconds(&self) -> u64 {
        12345
    }
    fn random(&self) -> u64 {
        4
    }
}

/// How a program runs.
#[derive(Clone, Copy, Debug)]
pub enum Bits {
    Real16,
    Flat32,
    Long64,
}

/// A segment's descriptor: base 0, limit 4 GiB.
fn descriptor(attributes: u64) -> u64 {
    0x000F_0000_0000_FFFF | (attributes & 0xFF) << 40 | (attributes >> 12 & 0xF) << 52
}

/// A processor of all features in a mode, at [`CODE`].
pub fn processor(bits: Bits) -> Core<X64> {
    let ram = GuestRam::new(RAM).unwrap();
    let bus = Arc::new(Flat(ram.clone()));
    let code = Arc::new(CodeMap::new(RAM));
    let mut c = Core::new(X64::new(Arc::new(Nothing), 1), 0, 0, ram, bus, code);
    model::reset(&mut c, &model::configure("max").unwrap());
    enter(&mut c, bits);
    c
}

/// Brings the processor into a mode, with tables that send every exception to one handler, which goes back to the start.
fn enter(c: &mut Core<X64>, bits: Bits) {
    let jump = |c: &Core<X64>, to: u64| {
        let rel = (to as i64 - (HANDLER as i64 + 5)) as u32;
        c.ram.write_bytes(HANDLER, &[&[0xE9][..], &rel.to_le_bytes()].concat()).unwrap();
    };
    jump(c, CODE);
    let (code, data) = match bits {
        Bits::Real16 => {
            // Vectors lead to the program itself.
            for v in 0..256 {
                c.ram.write(v * 4, (CODE >> 4 << 16) as u32).unwrap();
            }
            for s in 0..6 {
                let at = if s == seg::CS { CODE } else { DATA };
                let real = segment::real(c, s, (at >> 4) as u16);
                segment::put(c, s, real);
            }
            context::refresh(c);
            c.set_pc(CODE);
            return;
        }
        Bits::Flat32 => (0xC09B, 0xC093),
        Bits::Long64 => (0xA09B, 0xC093),
    };
    c.ram.write(DESCRIPTORS + 8, descriptor(code)).unwrap();
    c.ram.write(DESCRIPTORS + 16, descriptor(data)).unwrap();
    let long = matches!(bits, Bits::Long64);
    for v in 0..256 {
        let gate = HANDLER & 0xFFFF | 8 << 16 | 0x8E00 << 32 | (HANDLER >> 16 & 0xFFFF) << 48;
        let size = if long { 16 } else { 8 };
        c.ram.write(GATES + v * size, gate).unwrap();
    }
    c.set(state::GDT_BASE, DESCRIPTORS);
    c.set(state::GDT_LIMIT, 0x17);
    c.set(state::IDT_BASE, GATES);
    c.set(state::IDT_LIMIT, 0xFFF);
    for s in 0..6 {
        let (selector, attributes) = if s == seg::CS { (8, code) } else { (16, data) };
        segment::put(c, s, Segment::of(selector, descriptor(attributes)));
    }
    c.set(state::CR0, 0x31);
    c.set(state::CR4, 0x600);
    if long {
        // The first GiB, flat.
        c.ram.write(TABLES, (TABLES + 0x1000) | 7).unwrap();
        c.ram.write(TABLES + 0x1000, 0x87u64).unwrap();
        c.set(state::CR3, TABLES);
        c.set(state::CR4, 0x4_0620);
        c.set(state::XCR0, 7);
        c.set(state::EFER, 0x500);
        c.set(state::CR0, 0x8000_0031);
    }
    context::refresh(c);
    c.set_pc(CODE);
}

/// What differs between two processors, without the engines' words.
pub fn difference(a: &Core<X64>, b: &Core<X64>) -> Option<String> {
    let mut text = String::new();
    for i in 0..state::ENGINE {
        let (x, y) = (a.file.word(i), b.file.word(i));
        if x != y {
            text += &format!("  word {i}: {x:#x} interpreted, {y:#x} compiled\n");
        }
    }
    let (mut x, mut y) = (vec![0; RAM as usize], vec![0; RAM as usize]);
    a.ram.read_bytes(0, &mut x).unwrap();
    b.ram.read_bytes(0, &mut y).unwrap();
    if let Some(at) = x.iter().zip(&y).position(|(x, y)| x != y) {
        text += &format!("  RAM at {at:#x}: {:#x} interpreted, {:#x} compiled\n", x[at], y[at]);
    }
    (!text.is_empty()).then_some(text)
}
