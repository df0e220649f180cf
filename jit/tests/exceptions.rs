//! Exceptions with their syndromes (DDI 0487 D17.2.37), on the interpreter and in compiled code.

mod board;

use board::lower::{LOWER, NOP, SAME, SVC, USER, both, took};
use board::{CODE, DATA, TABLES};
use lyrebird_cpu::arm::{Arm64, state, sysreg as sr};
use lyrebird_cpu::core::Core;

/// The fourth GiB, mapped as a test likes.
const OTHER: u64 = 0xC000_0000;
const NOWHERE: u64 = 0x1_0000_0000;
const BR: u32 = 0xD61F_0000;
const BLR: u32 = 0xD63F_0000;
const LDR: u32 = 0xF940_0022;
const STR: u32 = 0xF900_0020;
const LDXR: u32 = 0xC85F_7C22;
const STXR: u32 = 0xC803_7C22;
const LDAR: u32 = 0xC8DF_FC22;
const STLR: u32 = 0xC89F_FC22;
const LDADD: u32 = 0xF820_0022;
const CAS: u32 = 0xC8A2_7C20;
const LDTR: u32 = 0xF840_0822;
const STTR: u32 = 0xF800_0822;
const ZVA: u32 = 0xD50B_7421;
const CVAC: u32 = 0xD50B_7A21;
/// A block's descriptor: access flag, inner shareable.
const BLOCK: u64 = 0x701;
const EL0: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const UXN: u64 = 1 << 54;
const GUARDED: u64 = 1 << 50;
const WNR: u64 = 1 << 6;

fn nothing(_: &mut Core<Arm64>) {}

fn clear(c: &mut Core<Arm64>, bits: u64) {
    c.set(sr::SCTLR_EL1, c.reg(sr::SCTLR_EL1) & !bits);
}

fn set(c: &mut Core<Arm64>, bits: u64) {
    c.set(sr::SCTLR_EL1, c.reg(sr::SCTLR_EL1) | bits);
}

/// The program runs at EL1.
fn kernel(c: &mut Core<Arm64>) {
    c.set(sr::SPSR_EL1, 5);
    c.set(sr::ELR_EL1, CODE);
}

/// The syndrome of a trapped system instruction.
fn trapped([op0, op1, crn, crm, op2]: [u64; 5], t: u64, read: u64) -> u64 {
    0x18 << 26 | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | t << 5 | crm << 1 | read
}

#[test]
fn instructions_that_raise() {
    const FP: u64 = 0x07 << 26 | 1 << 24 | 0xE << 20;
    for (word, esr, words) in [
        (0xD400_0001 | 0x1234 << 5, 0x15 << 26 | 0x1234, 1),
        (0xD420_0000 | 0xABCD << 5, 0x3C << 26 | 0xABCD, 0),
        // hvc, smc, hlt, dcps1, eret, udf; mrs x0, vbar_el1; mrs x0, id_aa64pfr0_el1; tlbi vmalle1; an unallocated one
        (0xD400_0002, 0, 0),
        (0xD400_0003, 0, 0),
        (0xD440_0000, 0, 0),
        (0xD4A0_0001, 0, 0),
        (0xD69F_03E0, 0, 0),
        (0x0000_0000, 0, 0),
        (0xD538_C000, 0, 0),
        (0xD538_0400, 0, 0),
        (0xD508_871F, 0, 0),
        (0x9AC0_FC00, 0, 0),
    ] {
        both(&[NOP, word], nothing, |c| took(c, LOWER, esr, 1 + words));
    }
    // fadd d0, d0, d0; ldr q0, [x1]; mrs x0, fpcr
    for word in [0x1E60_2800, 0x3DC0_0020, 0xD53B_4400] {
        for fpen in [0, 1 << 20, 2 << 20] {
            both(&[word], |c| c.set(sr::CPACR_EL1, fpen), |c| took(c, LOWER, FP, 0));
            let at_el1 = |c: &mut Core<Arm64>| {
                kernel(c);
                c.set(state::x(1), DATA);
                c.set(sr::CPACR_EL1, fpen);
            };
            // 0b01 is for EL0 only.
            both(&[word, SVC], at_el1, |c| match fpen >> 20 {
                1 => took(c, SAME, 0x15 << 26, 2),
                _ => took(c, SAME, FP, 0),
            });
        }
    }
}

#[test]
fn system_instructions_are_trapped_from_el0() {
    const DZE: u64 = 1 << 14;
    let closed = |c: &mut Core<Arm64>| clear(c, 1 << 9 | DZE | 1 << 15 | 1 << 26 | 1 << 16);
    for (word, encoding, t, read) in [
        (0xD503_42DF, [0, 3, 4, 2, 6], 31, 0), // msr daifset, #2
        (0xD53B_4223, [3, 3, 4, 2, 1], 3, 1),  // mrs x3, daif
        (0xD53B_0025, [3, 3, 0, 0, 1], 5, 1),  // mrs x5, ctr_el0
        (ZVA, [1, 3, 7, 4, 1], 1, 0),
        (CVAC, [1, 3, 7, 10, 1], 1, 0),
        (0xD50B_7B21, [1, 3, 7, 11, 1], 1, 0), // dc cvau, x1
        (0xD50B_7E21, [1, 3, 7, 14, 1], 1, 0), // dc civac, x1
        (0xD50B_7C21, [1, 3, 7, 12, 1], 1, 0), // dc cvap, x1
        (0xD50B_7521, [1, 3, 7, 5, 1], 1, 0),  // ic ivau, x1
        (0xD53B_E040, [3, 3, 14, 0, 2], 0, 1), // mrs x0, cntvct_el0
        (0xD53B_E020, [3, 3, 14, 0, 1], 0, 1), // mrs x0, cntpct_el0
        (0xD53B_E000, [3, 3, 14, 0, 0], 0, 1), // mrs x0, cntfrq_el0
        (0xD51B_E324, [3, 3, 14, 3, 1], 4, 0), // msr cntv_ctl_el0, x4
        (0xD51B_E204, [3, 3, 14, 2, 0], 4, 0), // msr cntp_tval_el0, x4
        (0xD53B_9D00, [3, 3, 9, 13, 0], 0, 1), // mrs x0, pmccntr_el0
        (0xD51B_9C00, [3, 3, 9, 12, 0], 0, 0), // msr pmcr_el0, x0
    ] {
        both(&[word], closed, |c| took(c, LOWER, trapped(encoding, t, read), 0));
        let open = |c: &mut Core<Arm64>| {
            set(c, 1 << 9 | DZE | 1 << 15 | 1 << 26);
            c.set(sr::CNTKCTL_EL1, 0x303);
            c.set(sr::PMUSERENR_EL0, 1);
        };
        both(&[word, SVC], open, |c| took(c, LOWER, 0x15 << 26, 2));
    }
    // WFI is trapped if it would wait.
    both(&[0xD503_207F], closed, |c| took(c, LOWER, 0x01 << 26 | 1 << 24 | 0xE << 20, 0));
    // DZP tells whether DC ZVA may be used.
    for (dze, dczid) in [(0, 0x14), (DZE, 4)] {
        let setup = |c: &mut Core<Arm64>| {
            closed(c);
            set(c, dze);
        };
        both(&[0xD53B_00E5, SVC], setup, |c| assert_eq!(c.reg(state::x(5)), dczid));
    }
}

/// One access at an address: the syndrome, FAR, and that it is the instruction that is returned to.
fn access(word: u32, at: u64, other: u64, iss: u64) {
    let setup = |c: &mut Core<Arm64>| {
        c.ram.write(TABLES + 24, other).unwrap();
        set(c, 1 << 26);
        c.set(state::x(1), at);
    };
    both(&[NOP, word, SVC], setup, |c| {
        took(c, LOWER, 0x24 << 26 | iss, 1);
        assert_eq!(c.reg(sr::FAR_EL1), at, "{word:x}");
    });
}

#[test]
fn data_aborts() {
    const CM: u64 = 1 << 8;
    let (user, read_only) = (BLOCK | EL0, BLOCK | EL0 | READ_ONLY);
    for (word, wnr) in [(LDR, 0), (STR, WNR), (LDXR, 0), (STLR, WNR), (LDADD, 0), (CAS, 0), (ZVA, WNR)] {
        access(word, DATA, user, wnr | 0b001101);
        access(word, NOWHERE, user, wnr | 0b000101);
        access(word, 1 << 40, user, wnr | 0b000100);
        access(word, OTHER, BLOCK & !0x400 | EL0, wnr | 0b001001);
        access(word, OTHER, 1 << 46 | user, wnr | 0b000001);
        // Behind the end of RAM.
        if word != ZVA {
            access(word, USER + (1 << 29), user, wnr | 0b010000);
        }
    }
    // A load could be done: it is the store of an atomic that faults.
    for word in [STR, LDADD, CAS, ZVA] {
        access(word, OTHER, read_only, WNR | 0b001101);
    }
    access(CVAC, DATA, user, CM | WNR | 0b001101);
    access(CVAC, NOWHERE, user, CM | WNR | 0b000101);
    // A store-exclusive is a store, even to where the page is gone that the load-exclusive saw.
    for (gone, status) in [(0, 0b000101), (read_only, 0b001101)] {
        let setup = |c: &mut Core<Arm64>| {
            c.ram.write(TABLES + 24, gone).unwrap();
            c.set(state::x(1), OTHER);
            c.set(state::EXCL_ADDR, OTHER);
            kernel(c);
            c.set(sr::SPSR_EL1, 0);
            c.set(sr::ELR_EL1, USER + CODE);
        };
        // The exception return clears the monitor, so it is the program that sets it.
        both(&[LDXR, STXR, SVC], setup, |c| {
            if gone == 0 {
                took(c, LOWER, 0x24 << 26 | status, 0);
            } else {
                took(c, LOWER, 0x24 << 26 | WNR | status, 1);
            }
        });
    }
}

#[test]
fn alignment_faults() {
    let user = BLOCK | EL0;
    for (word, wnr) in [(LDXR, 0), (LDAR, 0), (STLR, WNR), (LDADD, 0), (CAS, 0)] {
        for at in [OTHER + DATA + 4, OTHER + DATA + 0xFFC] {
            access(word, at, user, wnr | 0b100001);
        }
    }
    // Device memory (attribute 1), aligned accesses of which are fine.
    for (word, wnr) in [(LDR, 0), (STR, WNR)] {
        access(word, OTHER + DATA + 1, user | 1 << 2, wnr | 0b100001);
    }
    // SCTLR_EL1.A.
    for (word, wnr, at) in [(LDR, 0, DATA + 4), (STR, WNR, DATA + 0xFFC), (LDR, 0, DATA)] {
        let setup = |c: &mut Core<Arm64>| {
            set(c, 2);
            c.set(state::x(1), USER + at);
        };
        both(&[word, SVC], setup, |c| {
            if at & 7 != 0 {
                took(c, LOWER, 0x24 << 26 | wnr | 0b100001, 0);
            } else {
                took(c, LOWER, 0x15 << 26, 2);
            }
        });
    }
    // SP: ldr x0, [sp] at EL0 with SA0, at EL1 with SA.
    for (bit, el1) in [(1 << 4, false), (1 << 3, true)] {
        let setup = |c: &mut Core<Arm64>| {
            clear(c, 3 << 3);
            set(c, bit);
            c.set(state::SP, if el1 { DATA + 8 } else { DATA });
            c.set(sr::SP_EL0, USER + DATA + 8);
            if el1 {
                kernel(c);
            }
        };
        both(&[0xF940_03E0], setup, |c| took(c, if el1 { SAME } else { LOWER }, 0x26 << 26, 0));
    }
}

#[test]
fn instruction_aborts() {
    let user = BLOCK | EL0;
    for (to, other, ec, iss) in [
        (NOWHERE, user, 0x20, 0b000101),
        (1 << 40, user, 0x20, 0b000100),
        (OTHER + CODE, user | UXN, 0x20, 0b001101),
        (OTHER + CODE, user & !0x400, 0x20, 0b001001),
        (OTHER + (1 << 29), user, 0x20, 0b010000),
        (USER + CODE + 2, user, 0x22, 0),
    ] {
        let setup = |c: &mut Core<Arm64>| {
            c.ram.write(TABLES + 24, other).unwrap();
            c.set(state::x(0), to);
        };
        both(&[BR], setup, |c| {
            assert_eq!(c.reg(sr::ESR_EL1), ec << 26 | 1 << 25 | iss);
            assert_eq!((c.reg(sr::FAR_EL1), c.reg(sr::ELR_EL1)), (to, to));
        });
    }
    // EL1 never executes what EL0 can write.
    let setup = |c: &mut Core<Arm64>| {
        kernel(c);
        c.set(state::x(0), USER + CODE);
    };
    both(&[BR], setup, |c| {
        assert_eq!(c.reg(sr::ESR_EL1), 0x21 << 26 | 1 << 25 | 0b001101);
        assert_eq!(c.reg(sr::ELR_EL1), USER + CODE);
    });
}

#[test]
fn pan_and_uao() {
    // PAN and UAO are bits 22 and 23 of SPSR.
    let (pan, uao) = (1 << 22, 1 << 23);
    for (word, at, bits, faults) in [
        (LDR, USER, 0, false),
        (LDR, USER, pan, true),
        (STR, USER, pan, true),
        (LDADD, USER, pan, true),
        (LDR, 0, pan, false),
        (LDTR, USER, pan, false),
        (STTR, USER, pan, false),
        (LDTR, 0, 0, true),
        (STTR, 0, 0, true),
        (LDTR, 0, uao, false),
        (STTR, 0, uao, false),
        (LDTR, USER, pan | uao, true),
        (STTR, USER, pan | uao, true),
    ] {
        let setup = |c: &mut Core<Arm64>| {
            kernel(c);
            c.set(sr::SPSR_EL1, 5 | bits);
            c.set(state::x(1), at + DATA);
        };
        let wnr = if matches!(word, STR | STTR) { WNR } else { 0 };
        both(&[word, SVC], setup, |c| {
            if faults {
                took(c, SAME, 0x25 << 26 | wnr | 0b001101, 0);
            } else {
                took(c, SAME, 0x15 << 26, 2);
            }
        });
    }
    // SPAN: an exception sets PAN unless it is set.
    for (span, set_by) in [(1 << 23, false), (0, true)] {
        let setup = |c: &mut Core<Arm64>| {
            clear(c, 1 << 23);
            set(c, span);
        };
        both(&[SVC], setup, |c| assert_eq!(c.reg(state::PSTATE) >> 22 & 1 != 0, set_by));
    }
}

#[test]
fn branches_land_on_landing_pads() {
    const BTI: u32 = 0xD503_241F;
    const BTI_C: u32 = 0xD503_245F;
    const BTI_J: u32 = 0xD503_249F;
    const BTI_JC: u32 = 0xD503_24DF;
    const PACIASP: u32 = 0xD503_233F;
    const BRK: u32 = 0xD420_0000;
    const BT0: u64 = 1 << 35;
    let jump = |n: u32| BR | n << 5;
    let call = |n: u32| BLR | n << 5;
    for (branch, btype, allowed) in [
        (jump(0), 3, &[BTI_J, BTI_JC, BRK][..]),
        (jump(16), 1, &[BTI_C, BTI_J, BTI_JC, PACIASP, BRK][..]),
        (call(0), 2, &[BTI_C, BTI_JC, PACIASP, BRK][..]),
    ] {
        for pad in [NOP, BTI, BTI_C, BTI_J, BTI_JC, PACIASP, BRK] {
            for (guarded, bt0) in [(GUARDED, BT0), (GUARDED, 0), (0, BT0)] {
                let setup = |c: &mut Core<Arm64>| {
                    c.ram.write(TABLES + 16, BLOCK | EL0 | guarded).unwrap();
                    set(c, bt0);
                    c.set(state::x(0), USER + CODE + 8);
                    c.set(state::x(16), USER + CODE + 8);
                    // A page that is not guarded must not hide it.
                    c.set(state::x(1), DATA);
                };
                let lands = guarded == 0 || allowed.contains(&pad) || (pad == PACIASP && bt0 == 0);
                both(&[branch, NOP, pad, SVC], setup, |c| {
                    if !lands {
                        took(c, LOWER, 0x0D << 26 | btype, 2);
                        assert_eq!(c.reg(sr::SPSR_EL1) >> 10 & 3, btype);
                    } else if pad == BRK {
                        took(c, LOWER, 0x3C << 26, 2);
                    } else {
                        took(c, LOWER, 0x15 << 26, 4);
                    }
                });
            }
        }
    }
    // A return needs none; an exception return with BTYPE in SPSR does.
    let guarded = |c: &mut Core<Arm64>| {
        c.ram.write(TABLES + 16, BLOCK | EL0 | GUARDED).unwrap();
        c.set(state::x(30), USER + CODE + 8);
    };
    both(&[0xD65F_03C0, NOP, NOP, SVC], guarded, |c| took(c, LOWER, 0x15 << 26, 4));
    let returns = |c: &mut Core<Arm64>| {
        guarded(c);
        c.set(sr::SPSR_EL1, 2 << 10);
    };
    both(&[NOP, SVC], returns, |c| took(c, LOWER, 0x0D << 26 | 2, 0));
    both(&[BTI_C, SVC], returns, |c| took(c, LOWER, 0x15 << 26, 2));
}

/// Exceptions keep PSTATE, and set what the manual says.
#[test]
fn state_is_saved_and_masked() {
    // msr ssbs, #1; subs xzr, xzr, xzr; svc
    let program = [0xD503_413F, 0xEB1F_03FF, SVC];
    both(&program, nothing, |c| {
        took(c, LOWER, 0x15 << 26, 3);
        assert_eq!(c.reg(sr::SPSR_EL1) >> 28, 0b0110);
        assert_ne!(c.reg(sr::SPSR_EL1) & 1 << 12, 0);
        assert_eq!(c.reg(state::PSTATE) & 0x3C0, 0x3C0);
        assert_eq!(c.reg(state::MODE), 5);
        // DSSBS is clear.
        assert_eq!(c.reg(state::PSTATE) & 1 << 12, 0);
    });
}

/// The timers' registers, with a counter that stands at 12345.
#[test]
fn timers_compare_with_the_counter() {
    for (tval, status) in [(100u64, 0), (0, 4), (0xFFFF_FFFF, 4), (0x7FFF_FFFF, 0)] {
        // For the virtual and the physical timer: msr tval, x3; mrs x4, cval; mrs x5, tval; msr ctl, x6; mrs x7, ctl.
        for (msr, mrs) in [(0xD51B_E300, 0xD53B_E300), (0xD51B_E200, 0xD53B_E200)] {
            let program: [u32; 7] = [
                msr | 3,
                mrs | 2 << 5 | 4,
                mrs | 5,
                msr | 1 << 5 | 6,
                mrs | 1 << 5 | 7,
                0xD53B_E048, // mrs x8, cntvct_el0
                SVC,
            ];
            let setup = |c: &mut Core<Arm64>| {
                kernel(c);
                c.set(state::x(3), tval);
                c.set(state::x(6), 1);
            };
            both(&program, setup, |c| {
                took(c, SAME, 0x15 << 26, 7);
                let cval = 12345u64.wrapping_add(tval as i32 as i64 as u64);
                let x = |n| c.reg(state::x(n));
                assert_eq!([x(4), x(5), x(7), x(8)], [cval, tval, 1 | status, 12345]);
            });
        }
    }
}

/// AT reports in PAR_EL1 what an access would meet, and takes no exception.
#[test]
fn address_translation_is_reported() {
    let (s1e1r, s1e1w, s1e0r, s1e0w) = (0xD508_7801, 0xD508_7821, 0xD508_7841, 0xD508_7861);
    let (s1e1rp, s1e1wp) = (0xD508_7901, 0xD508_7921);
    let fails = |status: u64| 1 << 11 | status << 1 | 1;
    // Normal memory, inner shareable.
    let found = 0xFF << 56 | 3 << 7 | 1 << 11 | DATA;
    let pan = 1 << 22;
    for (word, at, pstate, par) in [
        (s1e1r, DATA, 0, found),
        (s1e1w, DATA + 0x123, 0, found),
        (s1e0r, DATA, 0, fails(0b001101)),
        (s1e0r, USER + DATA, 0, found),
        (s1e0w, USER + DATA, 0, found),
        (s1e1w, 0x4000_0000 + DATA, 0, fails(0b001101)),
        (s1e1r, 0x4000_0000 + DATA, 0, found),
        (s1e1r, NOWHERE, 0, fails(0b000101)),
        (s1e1r, 1 << 40, 0, fails(0b000100)),
        (s1e1r, USER + DATA, pan, found),
        (s1e1rp, USER + DATA, pan, fails(0b001101)),
        (s1e1wp, USER + DATA, pan, fails(0b001101)),
        (s1e1rp, USER + DATA, 0, found),
        (s1e1wp, DATA, pan, found),
    ] {
        let setup = |c: &mut Core<Arm64>| {
            kernel(c);
            c.set(sr::SPSR_EL1, 5 | pstate);
            c.set(state::x(1), at);
        };
        // at; isb; mrs x2, par_el1
        both(&[word, 0xD503_3FDF, 0xD538_7402, SVC], setup, |c| {
            took(c, SAME, 0x15 << 26, 4);
            assert_eq!(c.reg(state::x(2)), par, "{word:x} {at:x}");
        });
    }
}

/// DC ZVA clears the 64 bytes around its address, and nothing beside them.
#[test]
fn blocks_are_zeroed() {
    let setup = |c: &mut Core<Arm64>| {
        c.ram.write_bytes(DATA, &[0xA5; 256]).unwrap();
        c.set(state::x(1), USER + DATA + 0x6B);
    };
    both(&[ZVA, SVC], setup, |c| {
        took(c, LOWER, 0x15 << 26, 2);
        let mut bytes = [0; 256];
        c.ram.read_bytes(DATA, &mut bytes).unwrap();
        assert!((0..256).all(|i| bytes[i] == if (64..128).contains(&i) { 0 } else { 0xA5 }));
    });
}

/// RNDR gives a number, and says so with clear flags.
#[test]
fn random_numbers_come_with_flags() {
    // subs xzr, xzr, xzr; mrs x3, rndr; mrs x4, rndrrs
    both(&[0xEB1F_03FF, 0xD53B_2403, 0xD53B_2424, SVC], nothing, |c| {
        took(c, LOWER, 0x15 << 26, 4);
        assert_eq!(c.reg(sr::SPSR_EL1) >> 28, 0);
        assert_eq!([3, 4].map(|n| c.reg(state::x(n))), [4, 4]);
    });
}

/// The local monitor: what ends a reservation, and what does not (DDI 0487 B2.12).
#[test]
fn reservations_end() {
    const CLREX: u32 = 0xD503_3F5F;
    const LDXR_OTHER: u32 = 0xC85F_7CC4; // ldxr x4, [x6]
    for (between, status) in [
        (&[NOP][..], 0),
        (&[CLREX], 1),
        // Another reservation, and the same one again.
        (&[LDXR_OTHER], 1),
        (&[LDXR], 0),
        // A store-exclusive, whether it succeeds or not.
        (&[0xC805_7CC4], 1),
        (&[0xC805_7C24], 1),
    ] {
        let mut program = vec![LDXR];
        program.extend(between);
        program.extend([0xC803_7C24, SVC]); // stxr w3, x4, [x1]
        let setup = |c: &mut Core<Arm64>| {
            c.set(state::x(6), USER + DATA + 0x40);
            c.set(state::x(3), 7);
        };
        both(&program, setup, |c| {
            took(c, LOWER, 0x15 << 26, program.len() as u64);
            assert_eq!(c.reg(state::x(3)), status, "{between:x?}");
        });
    }
    // An exception return ends it: svc returns at once.
    let setup = |c: &mut Core<Arm64>| {
        c.ram.write(board::VECTORS + LOWER, board::lower::ERET).unwrap();
        c.set(state::x(3), 7);
    };
    both(&[LDXR, SVC, STXR], setup, |c| assert_eq!(c.reg(state::x(3)), 1));
}
