//! Pointer authentication, interpreted and compiled, with either algorithm.

mod board;

use board::{CODE, core};
use lyrebird_cpu::arm::{Arm64, context, features, state, sysreg as sr};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::run::Exit;
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared};

const PACIA: u32 = 0xDAC1_0020;
const PACDA: u32 = 0xDAC1_0820;
const AUTIA: u32 = 0xDAC1_1020;
const AUTIB: u32 = 0xDAC1_1420;
const AUTDA: u32 = 0xDAC1_1820;
const AUTDB: u32 = 0xDAC1_1C20;
const XPACI: u32 = 0xDAC1_43E0;
const XPACD: u32 = 0xDAC1_47E0;
const PACGA: u32 = 0x9AC1_3002;
/// mov x3, x0
const KEEP: u32 = 0xAA00_03E3;
const HERE: u32 = 0x1400_0000;
/// TBI0, TBID0.
const TBI0: u64 = 1 << 37;
const TBID0: u64 = 1 << 51;

/// Runs a program on X0 = `pointer`, X1 = `modifier`; X0, X2, X3 and, if it took an exception, its syndrome.
fn run(qarma: bool, tcr: u64, program: &[u32], pointer: u64, modifier: u64) -> [u64; 4] {
    let ready = || {
        let mut c = core(false);
        if qarma {
            c.features |= features::PACQARMA5;
        }
        for (i, &word) in program.iter().chain(&[HERE]).enumerate() {
            c.ram.write(CODE + i as u64 * 4, word).unwrap();
        }
        c.ram.write(0x8200, HERE).unwrap();
        let sctlr = c.reg(sr::SCTLR_EL1);
        c.set(sr::SCTLR_EL1, sctlr | 1 << 31 | 1 << 30 | 1 << 27 | 1 << 13);
        let old = c.reg(sr::TCR_EL1);
        c.set(sr::TCR_EL1, old | tcr);
        context::refresh_pac(&mut c);
        context::refresh(&mut c);
        let keys = [sr::APIAKeyLo_EL1, sr::APIBKeyLo_EL1, sr::APDAKeyLo_EL1, sr::APDBKeyLo_EL1];
        for (n, key) in keys.into_iter().enumerate() {
            c.set(key, 0x1234_5678_9ABC_DEF0 + n as u64);
        }
        c.set(sr::APGAKeyHi_EL1, 0x84BE_85CE_9804_E94B);
        c.set(sr::APGAKeyLo_EL1, 0xEC28_02D4_E0A4_88E9);
        c.set(state::x(0), pointer);
        c.set(state::x(1), modifier);
        c
    };
    let seen = |c: &Core<Arm64>| [0, 2, 3].map(|n| c.reg(state::x(n)));
    let all = |c: &Core<Arm64>| {
        let [x0, x2, x3] = seen(c);
        [x0, x2, x3, c.reg(sr::ESR_EL1)]
    };
    let mut a = ready();
    assert_eq!(a.run(50), Exit::Budget);
    let mut b = ready();
    let options = Options { counting: true, threshold: 1, size: 1 << 20, ..Options::default() };
    Jit::new(&Shared::new(options, b.features).unwrap()).run(&mut b, 50);
    assert_eq!(all(&a), all(&b), "interpreter against compiled code");
    all(&a)
}

const POINTERS: [u64; 3] = [0x12_3456_7890, 0xFFFF_FFC0_1234_5678, 0];

#[test]
fn what_was_signed_authenticates() {
    for qarma in [false, true] {
        for pointer in POINTERS {
            for (sign, auth, strip) in [(PACIA, AUTIA, XPACI), (PACDA, AUTDA, XPACD)] {
                let [x0, _, signed, esr] = run(qarma, 0, &[sign, KEEP, auth], pointer, 99);
                assert_eq!((x0, esr), (pointer, 0), "{pointer:#x}");
                assert_ne!(signed, pointer);
                assert_eq!(
                    (signed ^ pointer) & ((1 << 55) | ((1 << 39) - 1)),
                    0,
                    "outside of the field: {signed:#x}"
                );
                assert_eq!(run(qarma, 0, &[sign, strip], pointer, 99)[0], pointer);
            }
        }
    }
}

/// FEAT_FPAC: EC 0x1C says whether it was data and which key.
#[test]
fn what_was_not_faults() {
    for qarma in [false, true] {
        for (auth, iss) in [(AUTIA, 0), (AUTIB, 1), (AUTDA, 2), (AUTDB, 3)] {
            let [x0, _, signed, esr] =
                run(qarma, 0, &[PACIA, KEEP, 0xD503_201F, 0x9100_0421, auth], POINTERS[0], 99);
            assert_eq!(esr, 0x1C << 26 | 1 << 25 | iss);
            assert_eq!(x0, signed, "nothing is written");
        }
        // A pointer that is not canonical gets a code that is none.
        let esr = run(qarma, 0, &[PACIA, AUTIA], 0x0012_0000_0000_1000, 99)[3];
        assert_eq!(esr, 0x1C << 26 | 1 << 25);
    }
}

#[test]
fn tags_stay_where_they_are_ignored() {
    let tagged = 0x5A00_0012_3456_7890;
    for (tcr, sign, kept) in
        [(TBI0, PACIA, true), (TBI0, PACDA, true), (TBI0 | TBID0, PACDA, true), (TBI0 | TBID0, PACIA, false)]
    {
        let signed = run(true, tcr, &[sign, KEEP], tagged, 5)[2];
        assert_eq!(signed >> 56 == 0x5A, kept, "{signed:#x}");
    }
}

/// The vector of the QARMA paper; PACGA gives the upper half.
#[test]
fn the_published_code() {
    let x2 = run(true, 0, &[PACGA], 0xFB62_3599_DA6E_8127, 0x477D_469D_EC0B_8762)[1];
    assert_eq!(x2, 0xC003_B939_0000_0000);
    assert_ne!(run(false, 0, &[PACGA], 0xFB62_3599_DA6E_8127, 0x477D_469D_EC0B_8762)[1], x2);
}
