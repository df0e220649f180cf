//! Instructions in two pages: compiled code of them is as good as the pages that it was made of.

mod pc;

use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::Exit;
use lyrebird_cpu::x86::{X64, state};
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared};
use pc::{Bits, CODE, TABLES, difference, processor};

/// Turns of the loop.
const TURNS: u32 = 3000;
/// The second page of the program, and another that may take its place.
const SECOND: u64 = CODE + 0x1000;
const OTHER: u64 = CODE + 0x8000;

/// A loop of `step` and an addition to EAX that begins two bytes before the end of its page, in 64-bit mode with 4 KiB
/// pages.
fn program(step: &[u8]) -> Core<X64> {
    let mut c = processor(Bits::Long64);
    let table = |n: u64| TABLES + n * 0x1000;
    c.ram.write(table(1), table(2) | 7).unwrap();
    c.ram.write(table(2), table(3) | 7).unwrap();
    for page in 0..256 {
        c.ram.write(table(3) + page * 8, page << 12 | 7).unwrap();
    }
    let relative = |from: u64, to: u64| (to.wrapping_sub(from + 4) as u32).to_le_bytes();
    // MOV ECX, TURNS; what is asked for; JMP to the addition.
    let start = CODE + 5;
    let mut first = [&[0xB9][..], &TURNS.to_le_bytes(), step, &[0xE9]].concat();
    first.extend(relative(CODE + first.len() as u64, SECOND - 2));
    c.ram.write_bytes(CODE, &first).unwrap();
    // ADD EAX, imm32; DEC ECX; JNZ; HLT.
    c.ram.write_bytes(SECOND - 2, &[0x05, 0x11]).unwrap();
    for (page, byte) in [(SECOND, 0x22), (OTHER, 0x44)] {
        let mut second = vec![byte, 0x01, 0, 0xFF, 0xC9, 0x0F, 0x85];
        second.extend(relative(SECOND + second.len() as u64, start));
        second.push(0xF4);
        c.ram.write_bytes(page, &second).unwrap();
    }
    c.set(state::gpr(2), OTHER | 7);
    c.set(state::gpr(6), SECOND | 7);
    c.set(state::gpr(0), 0);
    c
}

/// Runs the program on both engines. Gives EAX and how often compiled code was entered.
fn run(step: &[u8]) -> (u32, u64) {
    let (mut a, mut b) = (program(step), program(step));
    assert_eq!(a.run(1 << 20), Exit::Halted);
    let options = Options { threshold: 1, size: 4 << 20, ..Options::default() };
    let shared = Shared::new(options, b.features).unwrap();
    let mut jit = Jit::new(&shared);
    assert_eq!(jit.run(&mut b, u64::MAX >> 1), Exit::Halted);
    assert_eq!(difference(&a, &b), None);
    (b.reg(state::gpr(0)) as u32, jit.entries)
}

#[test]
fn they_are_compiled() {
    let (sum, entries) = run(&[]);
    assert_eq!(sum, 0x0001_2211_u32.wrapping_mul(TURNS));
    assert!(entries < 100, "{entries} entries");
}

#[test]
fn a_store_to_the_second_page_is_seen() {
    // INC BYTE PTR [SECOND]
    let step = [&[0xFE, 0x04, 0x25][..], &(SECOND as u32).to_le_bytes()].concat();
    let (sum, _) = run(&step);
    let byte = |turn: u32| (0x22 + turn) & 0xFF;
    let right = (1..=TURNS).fold(0u32, |sum, turn| sum.wrapping_add(0x0001_0011 | byte(turn) << 8));
    assert_eq!(sum, right);
}

#[test]
fn another_second_page_is_seen() {
    // MOV [its entry], RDX; INVLPG [SECOND]; XCHG RDX, RSI
    let entry = (TABLES + 0x3000 + (SECOND >> 12) * 8) as u32;
    let step = [
        &[0x48, 0x89, 0x14, 0x25][..],
        &entry.to_le_bytes(),
        &[0x0F, 0x01, 0x3C, 0x25],
        &(SECOND as u32).to_le_bytes(),
        &[0x48, 0x87, 0xD6],
    ]
    .concat();
    let (sum, _) = run(&step);
    assert_eq!(sum, (0x0001_2211_u32 + 0x0001_4411).wrapping_mul(TURNS / 2));
}
