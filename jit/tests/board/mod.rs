//! A processor with RAM at address 0 and nothing else, and random programs for it.
#![allow(dead_code, reason = "shared by several test programs")]

pub mod lower;
pub mod minimise;

use lyrebird_cpu::arm::{Arm64, Platform, a64, exclusive, model, state, sysreg as sr};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Core, Physical};
use lyrebird_cpu::run::Exit;
use lyrebird_ram::GuestRam;
use std::sync::Arc;

pub const RAM: u64 = 512 << 10;
/// Where programs are, and how many words they have.
pub const CODE: u64 = 0x10000;
pub const WORDS: u64 = 2048;
/// Where data is.
pub const DATA: u64 = 0x40000;
/// Where the table of the lower half is.
pub const TABLES: u64 = 0x6_0000;
/// Where the vectors are.
pub const VECTORS: u64 = 0x8000;

struct Flat {
    ram: GuestRam,
}

impl Physical for Flat {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        (pa < self.ram.len()).then_some((pa, true))
    }
}

struct Nothing;

impl Platform for Nothing {
    fn counter(&self) -> u64 {
        12345
    }
    fn random(&self) -> u64 {
        4
    }
}

/// A processor at `CODE`, EL1, MMU on: the first GiB is mapped flat, and once more, read-only, at 1 GiB; the rest is
/// not. Exceptions skip the faulting instruction.
pub fn core(smp: bool) -> Core<Arm64> {
    let ram = GuestRam::new(RAM).unwrap();
    let bus = Arc::new(Flat { ram: ram.clone() });
    let arch = Arm64::new(Arc::new(Nothing), Arc::new(exclusive::Versions::default()), smp);
    let model = model::find("max").unwrap();
    let code = Arc::new(CodeMap::new(RAM));
    let mut c = Core::new(arch, model.features, 0, ram, bus, code);
    model::reset(&mut c, model, false);
    // Block descriptors: attribute 0 (normal), access flag, inner shareable.
    c.ram.write(TABLES, 0x0000_0701u64).unwrap();
    c.ram.write(TABLES + 8, 0x0000_0781u64).unwrap();
    c.set(sr::MAIR_EL1, 0xFF);
    c.set(sr::TCR_EL1, 25 | 1 << 23 | 25 << 16);
    c.set(sr::TTBR0_EL1, TABLES);
    c.set(sr::VBAR_EL1, VECTORS);
    c.set(sr::CPACR_EL1, 3 << 20);
    let sctlr = c.reg(sr::SCTLR_EL1);
    c.set(sr::SCTLR_EL1, sctlr | 1);
    lyrebird_cpu::arm::context::new_spaces(&mut c);
    lyrebird_cpu::arm::context::refresh(&mut c);
    // mrs x30, elr_el1; add x30, x30, 4; msr elr_el1, x30; eret
    for vector in 0..16 {
        for (i, w) in [0xD538_403Eu32, 0x9100_13DE, 0xD518_403E, 0xD69F_03E0].into_iter().enumerate() {
            c.ram.write(VECTORS + vector * 0x80 + i as u64 * 4, w).unwrap();
        }
    }
    c.set_pc(CODE);
    c
}

pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }
    pub fn below(&mut self, n: u64) -> u64 {
        self.draw() % n
    }
}

/// Rows that say what the board does not answer, or that nobody could follow.
fn excluded(name: &str) -> bool {
    [
        "HVC", "SMC", "HLT", "HINT", "MSR", "MRS", "SYS", "SYSL", "ERET", "WFE", "WFI", "UDF", "BRA", "BLRA",
        "RETA",
    ]
    .iter()
    .any(|x| name.starts_with(x))
}

/// The register that counts a loop's rounds; random instructions leave it alone.
const COUNTER: u32 = 28;

/// A random instruction of a row that `pick` admits, as one or more words. Branches go forward, so that a program gets
/// on; mostly addresses are in the data.
pub fn instruction(r: &mut Random, pick: &dyn Fn(&str) -> bool) -> Vec<u32> {
    let rows = a64::interp_table().rows();
    loop {
        let row = &rows[r.below(rows.len() as u64) as usize];
        if excluded(row.name) || !pick(row.name) {
            continue;
        }
        let mut w = r.draw() as u32 & !row.mask | row.value;
        // Few registers, so that values meet.
        for low in [0, 5, 10, 16] {
            let field = 31 << low;
            if row.mask & field == 0 && (r.below(4) != 0 && low != 10 || w & field == COUNTER << low) {
                w = w & !field | (r.below(12) as u32) << low;
            }
        }
        let near = |r: &mut Random| 1 + r.below(6) as u32;
        let n = row.name;
        if n == "B" || n == "BL" {
            w = w & !0x3FF_FFFF | near(r);
        } else if n.starts_with("TB") {
            w = w & !(0x3FFF << 5) | near(r) << 5;
        } else if n.starts_with("CB") || n.starts_with("B.") {
            w = w & !(0x7_FFFF << 5) | near(r) << 5;
        } else if n.contains("literal") {
            w = w & !(0x7_FFFF << 5) | (r.below(64) as u32) << 5;
        }
        let memory = row.pattern.replace(' ', "").contains("nnnnn")
            && ["LD", "ST", "SWP", "CAS", "PRF"].iter().any(|x| n.starts_with(x));
        let jump = ["BR", "RET"].iter().any(|x| n.starts_with(x)) && !n.contains('A') || n == "BLR";
        if jump {
            // adr x27, .+k; br x27
            let k = (near(r) + 1) * 4;
            let adr = 0x1000_0000 | (k & 3) << 29 | (k >> 2 & 0x7_FFFF) << 5 | 27;
            return vec![adr, w & !(31 << 5) | 27 << 5];
        }
        if memory && r.below(16) != 0 {
            let base = 26;
            let at = match r.below(8) {
                0 => DATA + 0xFE0 + r.below(64),
                1 => 0x4000_0000 + DATA + r.below(4096),
                2 => 0x8000_0000 + r.below(4096),
                3 => DATA + r.below(8192),
                _ => DATA + r.below(512) * 16,
            } as u32;
            let mut words =
                vec![0xD280_0000 | (at & 0xFFFF) << 5 | base, 0xF2A0_0000 | (at >> 16) << 5 | base];
            w = w & !(31 << 5) | base << 5;
            if row.pattern.contains("mmmmm") && r.below(4) != 0 {
                w |= 31 << 16;
            }
            words.push(w);
            return words;
        }
        return vec![w];
    }
}

/// A few random instructions, now and then in a loop of a few rounds.
fn passage(r: &mut Random, pick: &dyn Fn(&str) -> bool) -> Vec<u32> {
    let count = 1 + r.below(8);
    if r.below(8) != 0 {
        return (0..count).flat_map(|_| instruction(r, pick)).collect();
    }
    let straight = |n: &str| pick(n) && !["B", "CB", "TB", "RET"].iter().any(|x| n.starts_with(x));
    if !a64::interp_table().rows().iter().any(|row| !excluded(row.name) && straight(row.name)) {
        return instruction(r, pick);
    }
    let body: Vec<u32> = (0..count).flat_map(|_| instruction(r, &straight)).collect();
    // movz x28, rounds; body; and x28, x28, 7; sub x28, x28, 1; cbnz x28, body. A branch over the first one is why the
    // counter is cut to eight.
    let back = (-(body.len() as i32 + 2)) as u32 & 0x7_FFFF;
    let mut words = vec![0xD280_0000 | (2 + r.below(5) as u32) << 5 | COUNTER];
    words.extend(body);
    words.extend([
        0x9240_0800 | COUNTER << 5 | COUNTER,
        0xD100_0400 | COUNTER << 5 | COUNTER,
        0xB500_0000 | back << 5 | COUNTER,
    ]);
    words
}

/// Fills the code area: it runs from its start to its end, and then again.
pub fn program(c: &mut Core<Arm64>, r: &mut Random, pick: &dyn Fn(&str) -> bool) {
    let mut at = CODE;
    while at < CODE + WORDS * 4 {
        for w in passage(r, pick) {
            c.ram.write(at, w).unwrap();
            at += 4;
        }
    }
    // b CODE, as many times as a branch reaches forward.
    for _ in 0..64 {
        let back = ((CODE as i64 - at as i64) / 4) as u32 & 0x3FF_FFFF;
        c.ram.write(at, 0x1400_0000 | back).unwrap();
        at += 4;
    }
    for n in 0..31 {
        let x = match r.below(4) {
            0 => r.below(64),
            1 => DATA + r.below(4096),
            2 => (r.below(64) as i64 - 32) as u64,
            _ => r.draw() << 20 ^ r.draw(),
        };
        c.set(state::x(n), x);
    }
    c.set(state::SP, DATA + 0x2000);
    for n in 0..32 {
        c.set(state::v(n), (r.draw() as u128) << 64 ^ (r.draw() as u128) << 90 ^ r.draw() as u128);
    }
    for i in 0..2048 {
        c.ram.write(DATA + i * 8, r.draw() << 13 ^ r.draw()).unwrap();
    }
}

/// A second processor in the same state, with RAM of its own.
pub fn twin(a: &Core<Arm64>, smp: bool) -> Core<Arm64> {
    let mut b = core(smp);
    let mut bytes = vec![0; RAM as usize];
    a.ram.read_bytes(0, &mut bytes).unwrap();
    b.ram.write_bytes(0, &bytes).unwrap();
    *b.file.words_mut() = *a.file.words();
    b
}

/// What differs between two processors, without the engines' words.
pub fn difference(a: &Core<Arm64>, b: &Core<Arm64>) -> Option<String> {
    let mut text = String::new();
    for i in 0..448 {
        let (x, y) = (a.file.word(i), b.file.word(i));
        if x != y {
            text += &format!("  word {i}: {x:#x} against {y:#x}\n");
        }
    }
    let (mut x, mut y) = (vec![0; RAM as usize], vec![0; RAM as usize]);
    a.ram.read_bytes(0, &mut x).unwrap();
    b.ram.read_bytes(0, &mut y).unwrap();
    if x != y {
        let at = x.iter().zip(&y).position(|(x, y)| x != y).unwrap();
        text += &format!("  RAM at {at:#x}: {:#x} against {:#x}\n", x[at], y[at]);
    }
    (!text.is_empty()).then_some(text)
}

/// Interprets exactly `n` instructions.
pub fn interpret(c: &mut Core<Arm64>, n: u64) {
    assert_eq!(c.run(n), Exit::Budget);
}
