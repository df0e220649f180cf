//! Self-hosted debug (DDI 0487 D2): step, breakpoints and watchpoints, on the interpreter and with compiled code around.

mod board;

use board::lower::{LOWER, NOP, SAME, SVC, USER, both, machine, took};
use board::{CODE, DATA, VECTORS};
use lyrebird_cpu::arm::{Arm64, debug, exception, state, sysreg as sr};
use lyrebird_cpu::core::{Attention, Core};
use lyrebird_cpu::run::Exit;

const SS: u64 = 1;
const KDE: u64 = 1 << 13;
const MDE: u64 = 1 << 15;
const SPSR_SS: u64 = 1 << 21;

const LDR: u32 = 0xF940_0022;
const STR: u32 = 0xF900_0020;
const STP: u32 = 0xA900_0020;
const LDXR: u32 = 0xC85F_7C22;
const LDADD: u32 = 0xF820_0022;
const ZVA: u32 = 0xD50B_7421;
const LDTR: u32 = 0xF840_0822;

#[test]
fn one_instruction_is_stepped() {
    let step = |c: &mut Core<Arm64>| {
        c.set(sr::MDSCR_EL1, SS);
        c.set(sr::SPSR_EL1, SPSR_SS);
    };
    both(&[NOP, NOP], step, |c| {
        took(c, LOWER, 0x32 << 26 | 1 << 24 | 0x22, 1);
        assert_eq!(c.reg(sr::SPSR_EL1) & SPSR_SS, 0);
    });
    // EX tells of a load-exclusive.
    both(&[LDXR, NOP], step, |c| took(c, LOWER, 0x32 << 26 | 1 << 24 | 1 << 6 | 0x22, 1));
    // A system call is done when it is taken; what faults is not.
    both(&[SVC], step, |c| {
        took(c, LOWER, 0x15 << 26, 1);
        assert_eq!(c.reg(sr::SPSR_EL1) & SPSR_SS, 0);
    });
    let fault = |c: &mut Core<Arm64>| {
        step(c);
        c.set(state::x(1), DATA);
    };
    both(&[LDR], fault, |c| {
        took(c, LOWER, 0x24 << 26 | 0xD, 0);
        assert_eq!(c.reg(sr::SPSR_EL1) & SPSR_SS, SPSR_SS);
    });
}

#[test]
fn a_step_that_is_over_is_reported_at_once() {
    both(&[NOP], |c| c.set(sr::MDSCR_EL1, SS), |c| took(c, LOWER, 0x32 << 26 | 0x22, 0));
}

#[test]
fn locks_and_masks_keep_debug_exceptions_away() {
    for (lock, value) in [(sr::OSLSR_EL1, 0xA), (sr::OSDLR_EL1, 1)] {
        let setup = |c: &mut Core<Arm64>| {
            c.set(sr::MDSCR_EL1, SS | MDE);
            c.set(sr::SPSR_EL1, SPSR_SS);
            c.set(sr::DBGBVR0_EL1, USER + CODE + 4);
            c.set(sr::DBGBCR0_EL1, 0xF << 5 | 2 << 1 | 1);
            c.set(lock, value);
        };
        both(&[NOP, NOP, SVC], setup, |c| took(c, LOWER, 0x15 << 26, 3));
    }
    // From EL1, KDE and a clear PSTATE.D are needed.
    for (kde, d, stepped) in [(0, 0, false), (KDE, 1 << 9, false), (KDE, 0, true)] {
        let setup = |c: &mut Core<Arm64>| {
            c.set(sr::MDSCR_EL1, SS | kde);
            c.set(sr::ELR_EL1, CODE);
            c.set(sr::SPSR_EL1, SPSR_SS | 5 | d);
        };
        both(&[NOP, NOP, SVC], setup, |c| {
            if stepped {
                took(c, SAME, 0x33 << 26 | 1 << 24 | 0x22, 1);
            } else {
                took(c, SAME, 0x15 << 26, 3);
            }
        });
    }
}

#[test]
fn unmasking_debug_starts_a_step() {
    // msr daifclr, #8 with SS and KDE: active and pending from the next instruction on.
    let setup = |c: &mut Core<Arm64>| {
        c.set(sr::MDSCR_EL1, SS | KDE);
        c.set(sr::ELR_EL1, CODE);
        c.set(sr::SPSR_EL1, 5 | 1 << 9);
    };
    both(&[NOP, 0xD503_48FF, NOP, NOP], setup, |c| took(c, SAME, 0x33 << 26 | 0x22, 2));
}

fn breakpoint(n: usize, value: u64, control: u64) -> impl Fn(&mut Core<Arm64>) {
    move |c| {
        c.set(sr::MDSCR_EL1, c.reg(sr::MDSCR_EL1) | MDE);
        c.set(debug::BREAKPOINTS[n].0, value);
        c.set(debug::BREAKPOINTS[n].1, control | 0xF << 5 | 1);
    }
}

#[test]
fn breakpoints_match_addresses_and_levels() {
    let at = USER + CODE + 8;
    let program = [NOP, NOP, NOP, SVC];
    for n in 0..6 {
        both(&program, breakpoint(n, at, 2 << 1), |c| took(c, LOWER, 0x30 << 26 | 0x22, 2));
    }
    // Not armed for EL0, disabled by its type, for a mode that does not exist, elsewhere.
    for (value, control) in [(at, 1 << 1), (at, 4 << 20 | 2 << 1), (at, 1 << 13 | 2 << 1), (at + 16, 2 << 1)]
    {
        both(&program, breakpoint(0, value, control), |c| took(c, LOWER, 0x15 << 26, 4));
    }
    // Without MDE nothing happens.
    let off = |c: &mut Core<Arm64>| {
        breakpoint(0, at, 2 << 1)(c);
        c.set(sr::MDSCR_EL1, 0);
    };
    both(&program, off, |c| took(c, LOWER, 0x15 << 26, 4));
    // A step comes before a breakpoint, and a breakpoint before the instruction.
    let stepped = |c: &mut Core<Arm64>| {
        c.set(sr::MDSCR_EL1, SS);
        breakpoint(0, USER + CODE + 4, 2 << 1)(c);
        c.set(sr::SPSR_EL1, SPSR_SS);
    };
    both(&program, stepped, |c| took(c, LOWER, 0x32 << 26 | 1 << 24 | 0x22, 1));
    both(&[SVC], breakpoint(0, USER + CODE, 2 << 1), |c| took(c, LOWER, 0x30 << 26 | 0x22, 0));
}

#[test]
fn breakpoints_match_contexts() {
    let program = [NOP, NOP, SVC];
    for (id, address, context, hit) in [(7, 1, 7, true), (7, 1, 8, false), (7, 0, 8, true)] {
        // Breakpoint 1 links to number 5, which compares the context; or does not link.
        let linked = |c: &mut Core<Arm64>| {
            c.set(sr::CONTEXTIDR_EL1, id);
            breakpoint(5, context, 3 << 20 | 2 << 1)(c);
            breakpoint(1, USER + CODE + 4, address << 20 | 5 << 16 | 2 << 1)(c);
        };
        both(&program, linked, |c| {
            if hit {
                took(c, LOWER, 0x30 << 26 | 0x22, 1);
            } else {
                took(c, LOWER, 0x15 << 26, 3);
            }
        });
        let unlinked = |c: &mut Core<Arm64>| {
            c.set(sr::CONTEXTIDR_EL1, id);
            breakpoint(4, context, 2 << 20 | 2 << 1)(c);
        };
        both(&program, unlinked, |c| {
            if id == context {
                took(c, LOWER, 0x30 << 26 | 0x22, 0);
            } else {
                took(c, LOWER, 0x15 << 26, 3);
            }
        });
    }
}

fn watchpoint(value: u64, control: u64) -> impl Fn(&mut Core<Arm64>) {
    move |c| {
        c.set(sr::MDSCR_EL1, MDE);
        c.set(sr::DBGWVR2_EL1, value);
        c.set(sr::DBGWCR2_EL1, control | 1);
    }
}

/// BAS, LSC and PAC of a watchpoint on bytes of a double word.
fn on(bas: u64, lsc: u64) -> u64 {
    bas << 5 | lsc << 3 | 2 << 1
}

#[test]
fn watchpoints_match_bytes_and_directions() {
    let data = USER + DATA;
    let (load, store) = (1, 2);
    let mask = |bits: u64| bits << 24 | on(0xFF, 3);
    for (word, value, control, hit) in [
        (LDR, data, on(0xFF, load), Some((0, data))),
        (LDR, data, on(0xFF, store), None),
        (STR, data, on(0xFF, store), Some((1, data))),
        (STR, data, on(0xFF, load), None),
        (STR, data, on(0x30, 3), Some((1, data + 4))),
        (STR, data + 8, on(0xFF, 3), None),
        (STR, data + 4, on(0x0F, 3), Some((1, data + 4))),
        (STP, data + 8, on(0x80, 3), Some((1, data + 15))),
        (LDXR, data, on(1, 3), Some((0, data))),
        (LDADD, data, on(1, store), Some((1, data))),
        (LDADD, data, on(1, 3), Some((0, data))),
        (ZVA, data + 32, on(2, store), Some((1, data + 33))),
        (LDR, data & !0xFFF, mask(12), Some((0, data))),
        (LDR, data + 0x1000, mask(12), None),
        (LDR, data & !0x7FFF_FFFF, mask(31), Some((0, data))),
        // A tag is no part of the address; neither of the bits above the address space.
        (LDR, data, on(0xFF, 3) | 1 << 13, None),
    ] {
        both(&[NOP, word, SVC], watchpoint(value, control), |c| match hit {
            Some((wnr, far)) => {
                took(c, LOWER, 0x34 << 26 | wnr << 6 | 0x22, 1);
                assert_eq!(c.reg(sr::FAR_EL1), far);
            }
            None => took(c, LOWER, 0x15 << 26, 3),
        });
    }
}

#[test]
fn faults_come_before_watchpoints() {
    let setup = |c: &mut Core<Arm64>| {
        watchpoint(DATA, on(0xFF, 3))(c);
        c.set(state::x(1), DATA);
    };
    both(&[LDR], setup, |c| took(c, LOWER, 0x24 << 26 | 0xD, 0));
}

#[test]
fn accesses_that_cross_a_page_are_watched() {
    let setup = |c: &mut Core<Arm64>| {
        watchpoint(USER + DATA + 0x1000, on(1, 3))(c);
        c.set(state::x(1), USER + DATA + 0xFFC);
        c.ram.write(DATA + 0xFF8, 0x1122_3344_5566_7788u64).unwrap();
    };
    for (word, wnr) in [(LDR, 0), (STR, 1)] {
        both(&[word], setup, |c| {
            took(c, LOWER, 0x34 << 26 | wnr << 6 | 0x22, 0);
            assert_eq!(c.reg(sr::FAR_EL1), USER + DATA + 0x1000);
            assert_eq!(c.ram.read::<u64>(DATA + 0xFF8).unwrap(), 0x1122_3344_5566_7788);
        });
    }
}

#[test]
fn the_kernel_is_watched_where_it_asks_for_it() {
    // At EL1 with KDE: an unprivileged load matches as EL0, a plain one does not.
    for (word, hit) in [(LDTR, true), (LDR, false)] {
        let setup = |c: &mut Core<Arm64>| {
            watchpoint(USER + DATA, on(0xFF, 3))(c);
            c.set(sr::MDSCR_EL1, MDE | KDE);
            c.set(sr::ELR_EL1, CODE);
            c.set(sr::SPSR_EL1, 5);
        };
        both(&[NOP, word, SVC], setup, |c| {
            if hit {
                took(c, SAME, 0x35 << 26 | 0x22, 1);
            } else {
                took(c, SAME, 0x15 << 26, 3);
            }
        });
    }
}

#[test]
fn an_illegal_return_is_an_illegal_state() {
    // SPSR asks for EL2: PC and IL change, the level stays.
    both(
        &[NOP],
        |c| {
            c.set(sr::SPSR_EL1, 9);
            c.set(sr::ELR_EL1, CODE);
        },
        |c| {
            assert_eq!(c.pc(), VECTORS + SAME);
            assert_eq!(c.reg(sr::ESR_EL1), 0x0E << 26 | 1 << 25);
            assert_eq!(c.reg(sr::ELR_EL1), CODE);
            assert_ne!(c.reg(sr::SPSR_EL1) & 1 << 20, 0);
            assert_eq!(exception::spsr(c) & 1 << 20, 0);
        },
    );
}

/// Control registers keep the bits that exist.
#[test]
fn registers_keep_what_exists() {
    // movn x0, #0; msr dbgbvr0_el1, x0; msr dbgbcr0_el1, x0; msr dbgwvr0_el1, x0; msr dbgwcr0_el1, x0
    let program = [0x9280_0000, 0xD510_0080, 0xD510_00A0, 0xD510_00C0, 0xD510_00E0, SVC];
    let setup = |c: &mut Core<Arm64>| {
        c.set(sr::ELR_EL1, CODE);
        c.set(sr::SPSR_EL1, 5 | 1 << 9);
    };
    both(&program, setup, |c| {
        took(c, SAME, 0x15 << 26, 6);
        assert_eq!(c.reg(sr::DBGBVR0_EL1), !3);
        assert_eq!(c.reg(sr::DBGBCR0_EL1), 0x00FF_E1E7);
        assert_eq!(c.reg(sr::DBGWVR0_EL1), !3);
        assert_eq!(c.reg(sr::DBGWCR0_EL1), 0x1F1F_FFFF);
    });
}

/// A debugger's step runs one instruction, whatever interrupts wait; running up to a branch returns at a vector.
#[test]
fn interrupts_wait_for_a_step_and_end_a_run() {
    let ready = || {
        let mut c = machine(&[NOP, NOP, NOP]);
        c.set(sr::SPSR_EL1, 0);
        c.run(1);
        c.attention.set(Attention::IRQ);
        c
    };
    let mut c = ready();
    c.step();
    assert_eq!(c.pc(), USER + CODE + 4);
    assert_eq!(c.run_to_branch(100), Exit::Budget);
    assert_eq!(c.pc(), VECTORS + LOWER + 0x80);
    let mut c = ready();
    c.run_to_branch(100);
    assert_eq!(c.pc(), VECTORS + LOWER + 0x80);
}
