//! Stage 1 translation (DDI 0487 D8): every granule, level and permission of a walk, flags in hardware, sizes, tags; and
//! that the TLB keeps address spaces apart, on the interpreter and in compiled code.

mod board;

use board::lower::{SAME, SVC, both, took};
use board::{CODE, DATA, TABLES, core};
use lyrebird_cpu::arm::{Arm64, features, model, state, sysreg as sr, walk};
use lyrebird_cpu::core::{Core, Mapping, Want};

const AF: u64 = 1 << 10;
const EL0: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const PXN: u64 = 1 << 53;
const UXN: u64 = 1 << 54;
const DBM: u64 = 1 << 51;
const CONTIGUOUS: u64 = 1 << 52;
const HA: u64 = 1 << 39;
const HD: u64 = 1 << 40;
/// TCR_EL1.IPS: all that a model has.
const IPS: u64 = 5 << 32;
/// Where the tables are: 64 KiB for each level, whatever the granule.
const LEVELS: [u64; 4] = [0x2_0000, 0x3_0000, 0x4_0000, 0x5_0000];

/// A granule: bits of a page's offset, encodings in TG0 and TG1.
const GRANULES: [(u32, u64, u64); 3] = [(12, 0, 2), (14, 2, 1), (16, 1, 3)];

/// Bits below what an entry at a level translates.
fn shift(granule: u32, level: usize) -> u32 {
    granule + (granule - 3) * (3 - level as u32)
}

/// A processor whose halves have 48 bits and this granule; `extra` goes into TCR_EL1.
fn with((_, tg0, tg1): (u32, u64, u64), extra: u64) -> Core<Arm64> {
    let mut c = core(false);
    c.set(sr::TCR_EL1, 16 | 16 << 16 | tg0 << 14 | tg1 << 30 | IPS | extra);
    c
}

/// Maps `va` by `leaf` at a level, through one table for each level above it; `attributes` go into the topmost table
/// descriptor. Where the leaf is.
fn map(c: &mut Core<Arm64>, granule: u32, va: u64, level: usize, leaf: u64, attributes: u64) -> u64 {
    let (tcr, upper) = (c.reg(sr::TCR_EL1), va >> 55 & 1 != 0);
    let bits = 64 - if upper { tcr >> 16 & 63 } else { tcr & 63 } as u32;
    let first = 4 - (bits - granule).div_ceil(granule - 3) as usize;
    c.set(if upper { sr::TTBR1_EL1 } else { sr::TTBR0_EL1 }, LEVELS[first]);
    let mut at = 0;
    for l in first..=level {
        let width = if l == first { bits - shift(granule, l) } else { granule - 3 };
        at = LEVELS[l] + (va >> shift(granule, l) & ((1 << width) - 1)) * 8;
        let above = if l == first { attributes } else { 0 };
        let descriptor = if l == level { leaf } else { LEVELS[l + 1] | 3 | above };
        c.ram.write(at, descriptor).unwrap();
    }
    at
}

fn read(c: &mut Core<Arm64>, va: u64) -> Result<u64, u64> {
    walk::lookup(c, va, Want::Read, false, false).map(|m| m.pa)
}

fn leaf(level: usize, pa: u64) -> u64 {
    pa | AF | if level == 3 { 3 } else { 1 }
}

#[test]
fn every_level_of_every_granule() {
    for g in GRANULES {
        let granule = g.0;
        for upper in [0, 0xFFFF_0000_0000_0000u64] {
            for level in 0..4 {
                let s = shift(granule, level);
                let blocks = level == 3 || level == 2 || (granule == 12 && level == 1);
                let va = upper | 0x0000_1234_5678_9000;
                let pa = 0x0000_5A5A_5A5A_5000 >> s << s;
                let mut c = with(g, 0);
                if granule == 16 && level == 0 {
                    // 64K granules have three levels.
                    continue;
                }
                let at = map(&mut c, granule, va, level, leaf(level, pa), 0);
                if !blocks {
                    assert_eq!(read(&mut c, va), Err(0b000100 | level as u64));
                    continue;
                }
                // Everything that the leaf covers, and what is beside it.
                let base = va >> s << s;
                for offset in [0, (1 << s) - 0x1000, 0x0123_4567_8000 & ((1 << s) - 1)] {
                    assert_eq!(read(&mut c, base + offset), Ok(pa + offset), "{granule} {level}");
                }
                let beside = read(&mut c, base ^ 1 << s);
                assert_eq!(beside, Err(0b000100 | level as u64), "{granule} {level}");
                // The contiguous hint changes nothing.
                c.ram.write(at, leaf(level, pa) | CONTIGUOUS).unwrap();
                assert_eq!(read(&mut c, va), Ok(pa | va & 0xFFFF_FFFF_FFFF & ((1 << s) - 1)));
                // The other descriptors: no access flag, no permission, too large an address, invalid, reserved.
                for (descriptor, want, status) in [
                    (leaf(level, pa) & !AF, Want::Read, 0b001000),
                    (leaf(level, pa) | READ_ONLY, Want::Write, 0b001100),
                    (leaf(level, pa) | PXN, Want::Exec, 0b001100),
                    (0, Want::Read, 0b000100),
                    (pa | AF | if level == 3 { 1 } else { 2 }, Want::Read, 0b000100),
                ] {
                    c.ram.write(at, descriptor).unwrap();
                    let found = walk::lookup(&mut c, va, want, false, false);
                    assert_eq!(found.err(), Some(status | level as u64), "{descriptor:x}");
                }
                c.ram.write(at, leaf(level, pa)).unwrap();
                c.set(sr::TCR_EL1, c.reg(sr::TCR_EL1) & !(7 << 32) | 1 << 32);
                assert_eq!(read(&mut c, va), Err(level as u64));
            }
        }
    }
}

#[test]
fn sizes_of_halves_choose_the_first_level() {
    for g in GRANULES {
        let granule = g.0;
        for size in 16..=39u64 {
            let mut c = with(g, 0);
            c.set(sr::TCR_EL1, size | size << 16 | g.1 << 14 | g.2 << 30 | IPS);
            for upper in [false, true] {
                let top = if upper { u64::MAX << (64 - size) } else { 0 };
                let va = top | (0x0000_9876_5432_1000 & ((1 << (64 - size)) - 1)) >> granule << granule;
                map(&mut c, granule, va, 3, leaf(3, 0x1234_0000), 0);
                assert_eq!(read(&mut c, va), Ok(0x1234_0000), "{granule} {size}");
                // The next bit is outside.
                assert_eq!(read(&mut c, va ^ 1 << (64 - size)), Err(0b000100));
                assert_eq!(read(&mut c, va ^ 1 << 55), Err(0b000100));
            }
            // EPD0, EPD1, and E0PD0, E0PD1 for EL0.
            let tcr = c.reg(sr::TCR_EL1);
            for (bit, user, upper) in [(7, false, 0), (23, false, 1), (55, true, 0), (56, true, 1)] {
                for other in [false, true] {
                    c.set(sr::TCR_EL1, tcr | 1 << bit);
                    let top = if (upper == 1) != other { u64::MAX << (64 - size) } else { 0 };
                    let va = top | (0x0000_9876_5432_1000 & ((1 << (64 - size)) - 1)) >> granule << granule;
                    map(&mut c, granule, va, 3, leaf(3, 0) | EL0, 0);
                    let found = walk::lookup(&mut c, va, Want::Read, user, false).map(|m| m.pa);
                    assert_eq!(found, if other { Ok(0) } else { Err(0b000100) }, "{bit}");
                }
            }
        }
    }
}

/// What a mapping allows to EL1, with and without PAN, and to EL0: reading, writing, executing.
fn rights(c: &mut Core<Arm64>, va: u64) -> [String; 3] {
    [(false, false), (false, true), (true, false)].map(|(user, pan)| {
        [(Want::Read, 'r'), (Want::Write, 'w'), (Want::Exec, 'x')]
            .into_iter()
            .filter(|(want, _)| walk::lookup(c, va, *want, user, pan).is_ok())
            .map(|(_, name)| name)
            .collect()
    })
}

#[test]
fn permissions() {
    const WXN: u64 = 1 << 19;
    // APTable, UXNTable, PXNTable.
    const NO_EL0: u64 = 1 << 61;
    const NO_WRITE: u64 = 1 << 62;
    const UXN_TABLE: u64 = 1 << 60;
    const PXN_TABLE: u64 = 1 << 59;
    for (attributes, tables, wxn, expected) in [
        (0, 0, 0, ["rwx", "rwx", "x"]),
        (EL0, 0, 0, ["rw", "", "rwx"]),
        (READ_ONLY, 0, 0, ["rx", "rx", "x"]),
        (EL0 | READ_ONLY, 0, 0, ["rx", "x", "rx"]),
        (PXN, 0, 0, ["rw", "rw", "x"]),
        (UXN, 0, 0, ["rwx", "rwx", ""]),
        (EL0 | UXN, 0, 0, ["rw", "", "rw"]),
        (EL0 | PXN | UXN | READ_ONLY, 0, 0, ["r", "", "r"]),
        (0, 0, WXN, ["rw", "rw", "x"]),
        (EL0, 0, WXN, ["rw", "", "rw"]),
        (EL0 | READ_ONLY, 0, WXN, ["rx", "x", "rx"]),
        (EL0, NO_EL0, 0, ["rwx", "rwx", "x"]),
        (EL0, NO_WRITE, 0, ["rx", "x", "rx"]),
        (EL0, NO_WRITE | NO_EL0, 0, ["rx", "rx", "x"]),
        (EL0 | READ_ONLY, UXN_TABLE, 0, ["rx", "x", "r"]),
        (EL0 | READ_ONLY, PXN_TABLE, 0, ["r", "", "rx"]),
        (0, NO_WRITE, WXN, ["rx", "rx", "x"]),
    ] {
        for g in GRANULES {
            let mut c = with(g, 0);
            c.set(sr::SCTLR_EL1, c.reg(sr::SCTLR_EL1) & !WXN | wxn);
            map(&mut c, g.0, 0x7F_0000, 3, leaf(3, 0) | attributes, tables);
            let found = rights(&mut c, 0x7F_0000);
            assert_eq!(found, expected, "{attributes:x} {tables:x} {wxn:x}");
        }
    }
}

#[test]
fn flags_in_hardware() {
    for g in GRANULES {
        let clean = leaf(3, 0) | READ_ONLY;
        for (tcr, before, want, after) in [
            // Without HA a clear access flag faults; with it, it is set, also by writes.
            (0, clean & !AF, Want::Read, Err(0b001011)),
            (HA, clean & !AF, Want::Read, Ok(clean)),
            (HA, clean & !(AF | READ_ONLY), Want::Write, Ok(clean & !READ_ONLY)),
            // HD needs HA and DBM; only a write makes a page dirty.
            (HA | HD, clean | DBM, Want::Read, Ok(clean | DBM)),
            (HA | HD, clean | DBM, Want::Write, Ok((clean | DBM) & !READ_ONLY)),
            (HA | HD, (clean | DBM) & !AF, Want::Write, Ok((clean | DBM) & !READ_ONLY)),
            (HA | HD, clean, Want::Write, Err(0b001111)),
            (HA, clean | DBM, Want::Write, Err(0b001111)),
            (HD, clean | DBM, Want::Write, Err(0b001111)),
        ] {
            let mut c = with(g, tcr);
            let at = map(&mut c, g.0, 0x7F_0000, 3, before, 0);
            let found = walk::lookup(&mut c, 0x7F_0000, want, false, false);
            let now = c.ram.read::<u64>(at).unwrap();
            assert_eq!(found.map(|_| now), after, "{tcr:x} {before:x} {want:?}");
            // A clean page is mapped so that the first write is noticed.
            if let Ok(Mapping { write, .. }) = found {
                assert_eq!(write, now & READ_ONLY == 0);
            }
            // A model without the feature ignores HA and HD.
            c.features &= !(features::HAF | features::HDBS);
            c.ram.write(at, before).unwrap();
            let found = walk::lookup(&mut c, 0x7F_0000, want, false, false);
            assert_eq!(found.is_ok(), before & AF != 0 && (want == Want::Read || before & READ_ONLY == 0));
            assert_eq!(c.ram.read::<u64>(at), Ok(before));
        }
    }
}

#[test]
fn tags_are_ignored_where_the_kernel_says() {
    // TBI0, TBI1, TBID0, TBID1.
    for (upper, tbi, tbid) in [(false, 37, 51), (true, 38, 52)] {
        let va: u64 = if upper { 0xFFFF_0000_007F_0000 } else { 0x7F_0000 };
        let tagged = va ^ 0x5A << 56;
        for (tcr, data, code) in
            [(0, false, false), (1 << tbi, true, true), (1 << tbi | 1 << tbid, true, false)]
        {
            let mut c = with(GRANULES[0], tcr);
            map(&mut c, 12, va, 3, leaf(3, 0x9000), 0);
            let found = |c: &mut Core<Arm64>, want| walk::lookup(c, tagged, want, false, false).map(|m| m.pa);
            let expected = |ok| if ok { Ok(0x9000) } else { Err(0b000100) };
            assert_eq!(found(&mut c, Want::Read), expected(data), "{tcr:x}");
            assert_eq!(found(&mut c, Want::Write), expected(data));
            assert_eq!(found(&mut c, Want::Exec), expected(code));
        }
    }
}

#[test]
fn tables_outside_of_memory_or_of_the_address_size() {
    for g in GRANULES {
        let mut c = with(g, 0);
        let va = 0x7F_0000;
        map(&mut c, g.0, va, 3, leaf(3, 0), 0);
        let first = if g.0 == 16 { 1u64 } else { 0 };
        // A table behind the end of RAM, then one whose address has too many bits.
        c.ram.write(LEVELS[2] + (va >> shift(g.0, 2)) * 8 % (8 << (g.0 - 3)), 1u64 << 30 | 3).unwrap();
        assert_eq!(read(&mut c, va), Err(0b010100 | 3));
        c.set(sr::TCR_EL1, c.reg(sr::TCR_EL1) & !(7 << 32));
        c.ram.write(LEVELS[2] + (va >> shift(g.0, 2)) * 8 % (8 << (g.0 - 3)), 1u64 << 32 | 3).unwrap();
        assert_eq!(read(&mut c, va), Err(2));
        c.set(sr::TTBR0_EL1, 1 << 30);
        assert_eq!(read(&mut c, va), Err(0b010100 | first));
        c.set(sr::TTBR0_EL1, 1 << 32);
        assert_eq!(read(&mut c, va), Err(0));
    }
}

/// Each model translates to as many bits as it says.
#[test]
fn models_have_their_address_sizes() {
    for (name, bits) in [
        ("cortex-a53", 40),
        ("cortex-a57", 44),
        ("cortex-a72", 44),
        ("cortex-a76", 40),
        ("neoverse-n1", 48),
        ("max", 48),
    ] {
        let mut c = core(false);
        model::reset(&mut c, model::find(name).unwrap(), false);
        for (pa, ok) in [(1u64 << (bits - 1), true), (1 << bits, false)] {
            // Without the MMU, too.
            c.set(sr::SCTLR_EL1, 0x30D0_0800);
            assert_eq!(read(&mut c, pa), if ok { Ok(pa) } else { Err(0) }, "{name}");
            if pa >> 48 == 0 {
                c.set(sr::SCTLR_EL1, 0x30D0_0801);
                c.set(sr::TCR_EL1, 16 | 16 << 16 | IPS);
                map(&mut c, 12, 0, 3, leaf(3, pa), 0);
                assert_eq!(read(&mut c, 0), if ok { Ok(pa) } else { Err(3) }, "{name}");
            }
        }
    }
}

/// Loads through two address spaces: what the TLB keeps for one is not found in the other, global pages are found in
/// both, invalidation forgets what it names and nothing stale is used after it.
#[test]
fn address_spaces() {
    const LDR: u32 = 0xF940_0000;
    const MSR_TTBR0: u32 = 0xD518_2000;
    const MSR_TTBR1: u32 = 0xD518_2020;
    const ISB: u32 = 0xD503_3FDF;
    const DSB: u32 = 0xD503_3F9F;
    const STR: u32 = 0xF900_0000;
    // Level 1 tables: the first GiB flat, and 2 MiB blocks in the second one. `other` has another block there.
    let (first, other) = (TABLES, 0x2_0000);
    let (low, high) = (0x3_0000, 0x4_0000);
    const NG: u64 = 1 << 11;
    let word = |base: u32, n: u32, t: u32| base | n << 5 | t;
    for asid16 in [true, false] {
        for (a1, ng, id, twin, fresh) in [
            // Another space: its own mapping. The same one: what the TLB has, or what is there now, but both are allowed,
            // so nothing is said. Eight bits of ASID: 0x105 is 5.
            (false, NG, 5u64, 6u64, Some(2u64)),
            (true, NG, 5, 6, Some(2)),
            (false, NG, 5, 0x105, asid16.then_some(2)),
        ] {
            let setup = |c: &mut Core<Arm64>| {
                let tcr = c.reg(sr::TCR_EL1);
                c.set(sr::TCR_EL1, tcr | (a1 as u64) << 22 | (asid16 as u64) << 36);
                for (table, next, page) in [(first, low, 0u64), (other, high, 0x1000)] {
                    c.ram.write(table, 0x701u64).unwrap();
                    c.ram.write(table + 8, next | 3).unwrap();
                    c.ram.write(next, (next + 0x1000) | 3).unwrap();
                    c.ram.write(next + 0x1000, (DATA + 0x8000 + page) | 0x703 | ng).unwrap();
                }
                c.ram.write(DATA + 0x8000, 1u64).unwrap();
                c.ram.write(DATA + 0x9000, 2u64).unwrap();
                c.set(sr::SPSR_EL1, 5);
                c.set(sr::ELR_EL1, CODE);
                let tag = |table: u64, id: u64| if a1 { table } else { table | id << 48 };
                c.set(state::x(0), 0x4000_0000);
                c.set(state::x(1), tag(first, id));
                c.set(state::x(2), tag(other, twin));
                c.set(state::x(3), id << 48);
                c.set(state::x(4), twin << 48);
                // TLBI ASIDE1 of the first, TLBI VAE1 of the page in it.
                c.set(state::x(5), id << 48);
                c.set(state::x(6), id << 48 | 0x4000_0000 >> 12);
                c.set(state::x(7), low + 0x1000);
                c.set(state::x(8), (DATA + 0x9000) | 0x703 | ng);
            };
            for tlbi in [0xD508_8745u32, 0xD508_8726, 0xD508_871F, 0xD508_8766] {
                let program = [
                    word(MSR_TTBR0, 0, 1),
                    word(MSR_TTBR1, 0, 3),
                    ISB,
                    word(LDR, 0, 10),
                    word(MSR_TTBR0, 0, 2),
                    word(MSR_TTBR1, 0, 4),
                    ISB,
                    word(LDR, 0, 11),
                    word(MSR_TTBR0, 0, 1),
                    word(MSR_TTBR1, 0, 3),
                    ISB,
                    word(LDR, 0, 12),
                    word(STR, 7, 8),
                    DSB,
                    tlbi,
                    DSB,
                    ISB,
                    word(LDR, 0, 13),
                    SVC,
                ];
                both(&program, setup, |c| {
                    took(c, SAME, 0x15 << 26, program.len() as u64);
                    let x = |n| c.reg(state::x(n));
                    if let Some(fresh) = fresh {
                        assert_eq!([x(10), x(11), x(12)], [1, fresh, 1], "{asid16} {a1} {tlbi:x}");
                    }
                    assert_eq!(x(13), 2, "{asid16} {a1} {tlbi:x}");
                });
            }
        }
    }
}
