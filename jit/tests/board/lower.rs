//! A processor about to return to EL0, and what an exception left.

use super::{CODE, DATA, VECTORS, core};
use lyrebird_cpu::arm::{Arm64, context, state, sysreg as sr};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::Exit;
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared};

/// Where EL0 finds the first GiB.
pub const USER: u64 = 0x8000_0000;
/// Offsets of the vectors of exceptions from EL1 and from EL0.
pub const SAME: u64 = 0x200;
pub const LOWER: u64 = 0x400;
pub const NOP: u32 = 0xD503_201F;
pub const HERE: u32 = 0x1400_0000;
pub const SVC: u32 = 0xD400_0001;
pub const ERET: u32 = 0xD69F_03E0;

/// A processor about to return to EL0 at `USER + CODE`, where `program` is; every vector is a loop on itself.
pub fn machine(program: &[u32]) -> Core<Arm64> {
    let mut c = core(false);
    c.ram.write(0x6_0000 + 16, 0x0000_0741u64).unwrap();
    for vector in 0..16 {
        c.ram.write(VECTORS + vector * 0x80, HERE).unwrap();
    }
    for (i, &word) in program.iter().chain(&[HERE]).enumerate() {
        c.ram.write(CODE + i as u64 * 4, word).unwrap();
    }
    c.ram.write(CODE - 4, ERET).unwrap();
    c.set_pc(CODE - 4);
    c.set(sr::ELR_EL1, USER + CODE);
    c.set(sr::OSLSR_EL1, 8);
    // DZE: EL0 may zero blocks.
    let sctlr = c.reg(sr::SCTLR_EL1);
    c.set(sr::SCTLR_EL1, sctlr | 1 << 14);
    c.set(state::x(1), USER + DATA);
    c
}

/// Runs the same on both engines, long enough to reach a vector, and checks what is there.
pub fn both(program: &[u32], setup: impl Fn(&mut Core<Arm64>), check: impl Fn(&Core<Arm64>)) {
    let ready = || {
        let mut c = machine(program);
        setup(&mut c);
        context::refresh(&mut c);
        c
    };
    let mut a = ready();
    assert_eq!(a.run(100), Exit::Budget);
    check(&a);
    let mut b = ready();
    let options = Options { counting: true, threshold: 1, size: 1 << 20, ..Options::default() };
    Jit::new(&Shared::new(options, b.features).unwrap()).run(&mut b, 100);
    check(&b);
}

/// Asserts an exception: where it was taken, its syndrome, and how many instructions on it returns to.
pub fn took(c: &Core<Arm64>, vector: u64, esr: u64, words: u64) {
    assert_eq!(c.pc(), VECTORS + vector, "vector; ESR {:#x}", c.reg(sr::ESR_EL1));
    assert_eq!(c.reg(sr::ESR_EL1), esr | 1 << 25, "ESR {:#x}", c.reg(sr::ESR_EL1));
    let base = if vector == LOWER { USER + CODE } else { CODE };
    assert_eq!(c.reg(sr::ELR_EL1), base + 4 * words);
}
