//! An arm64 guest for `virt`, which shows every fault.

use super::Program;
use anyhow::{Context, Result};
use lyrebird_jit::opt::seeded::FAULTS;
use lyrebird_machine::config::Config;

/// The guest: each word with the fault that shows there first, if one does. It powers off at its end.
#[rustfmt::skip]
const CODE: &[(u32, &str)] = &[
    (0xD2A0_0600, ""), // movz x0, #0x30, lsl #16
    (0xD518_1040, ""), // msr cpacr_el1, x0
    (0xD503_3FDF, ""), // isb
    (0x1000_7FB4, "page-address"), // adr x20, data
    (0xD280_0001, ""), // movz x1, #0
    (0x9280_0002, ""), // movn x2, #0
    (0xEB1F_03FF, ""), // cmp xzr, xzr
    (0xBA02_0023, "adcs-carry"), // adcs x3, x1, x2
    (0x9A01_0020, ""), // adc x0, x1, x1
    (0xF900_3280, ""), // str x0, [x20, #96]
    (0x1280_0005, ""), // movn w5, #0
    (0x8B25_C026, "sxtw-lost"), // add x6, x1, w5, sxtw
    (0xF900_3686, ""), // str x6, [x20, #104]
    (0x3980_0287, "load-sign-lost"), // ldrsb x7, [x20]
    (0xF900_3A87, ""), // str x7, [x20, #112]
    (0x5280_0428, ""), // movz w8, #33
    (0x5280_0069, ""), // movz w9, #3
    (0x1AC8_212A, "shift-unmasked"), // lsl w10, w9, w8
    (0xF900_3E8A, ""), // str x10, [x20, #120]
    (0xEB1F_03FF, ""), // cmp xzr, xzr
    (0x9A89_010B, "select-inverted"), // csel x11, x8, x9, eq
    (0xA941_368C, "pair-second-lost"), // ldp x12, x13, [x20, #16]
    (0xAA14_03F5, ""), // mov x21, x20
    (0xF840_86AE, "writeback-lost"), // ldr x14, [x21], #8
    (0xEA09_010F, "flags-dropped"), // ands x15, x8, x9
    (0x1389_0530, "rotate-width"), // ror w16, w9, #1
    (0xDAC0_1111, "clz-as-bsr"), // clz x17, x8
    (0x9ADF_0912, "udiv-by-zero"), // udiv x18, x8, xzr
    (0x9280_0013, ""), // movn x19, #0
    (0x9AC8_0E76, "sdiv-unsigned"), // sdiv x22, x19, x8
    (0x9B48_7E77, "smulh-unsigned"), // smulh x23, x19, x8
    (0x9B09_CD18, "msub-as-madd"), // msub x24, x8, x9, x19
    (0xDAC0_0D19, "rev-width"), // rev x25, x8
    (0xDAC0_011A, "rbit-as-rev"), // rbit x26, x8
    (0xD341_151B, "bitfield-msb"), // ubfx x27, x8, #1, #5
    (0xB37C_1D1C, "bitfield-place"), // bfi x28, x8, #4, #8
    (0x9343_FE7D, "arithmetic-shift-lost"), // asr x29, x19, #3
    (0xD2C0_0021, ""), // movz x1, #1, lsl #32
    (0x3400_0041, "compare-width"), // cbz w1, 1f
    (0xD503_201F, ""), // nop
    (0x3628_0048, "test-bit"), // tbz w8, #5, 2f
    (0xD503_201F, ""), // nop
    (0x4B09_0021, "upper-half-kept"), // sub w1, w1, w9
    (0xDA89_0502, "negation-as-not"), // csneg x2, x8, x9, eq
    (0xFA43_0905, "ccmp-nzcv"), // ccmp x8, #3, #5, eq
    (0xD282_4683, ""), // movz x3, #0x1234
    (0x7900_4283, "store-narrow"), // strh w3, [x20, #32]
    (0xA903_2688, "pair-swapped"), // stp x8, x9, [x20, #48]
    (0xF2AA_CF03, "stale-constant"), // movk x3, #0x5678, lsl #16
    (0xC85F_7E84, ""), // ldxr x4, [x20]
    (0xC805_7E88, "exclusive-status"), // stxr w5, x8, [x20]
    (0xC8A8_7E89, "cas-swapped"), // cas x8, x9, [x20]
    (0xF828_0284, "atomic-new-value"), // ldadd x8, x4, [x20]
    (0x9400_0002, "link-target"), // bl 3f
    (0xD503_201F, ""), // nop
    (0x5400_0061, "branch-next"), // b.ne 4f
    (0xD503_201F, ""), // nop
    (0xD503_201F, ""), // nop
    (0xFD40_2281, ""), // ldr d1, [x20, #64]
    (0xFD40_2682, ""), // ldr d2, [x20, #72]
    (0xFD40_2A83, ""), // ldr d3, [x20, #80]
    (0xFD40_2E85, ""), // ldr d5, [x20, #88]
    (0x1F42_0C20, "fma-rounds-twice"), // fmadd d0, d1, d2, d3
    (0x1E65_4824, "fmax-nan"), // fmax d4, d1, d5
    (0x4F07_E7E6, ""), // movi v6.16b, #0xff
    (0x6E26_0CC7, "saturation-lost"), // uqadd v7.16b, v6.16b, v6.16b
    (0x4EA6_84D0, "lane-width"), // add v16.4s, v6.4s, v6.4s
    (0x4F02_0412, ""), // movi v18.4s, #0x40
    (0x4F3F_0651, "vector-shift-amount"), // sshr v17.4s, v18.4s, #1
    (0x0E0C_3C26, "lane-number"), // umov w6, v1.s[1]
    (0x4E04_0D13, "dup-half"), // dup v19.4s, w8
    (0x8B09_0107, ""), // add x7, x8, x9
    (0xCA09_00E7, ""), // eor x7, x7, x9
    (0x8B08_00EA, "stale-value"), // add x10, x7, x8
    (0x1400_0001, ""), // b 6f
    (0xD2B0_8000, ""), // movz x0, #0x8400, lsl #16
    (0x9100_2000, ""), // add x0, x0, #8
    (0xD400_0002, ""), // hvc #0
    (0x1400_0000, ""), // b 5b
];

/// What X20 points to, a page behind the code.
const DATA: [u64; 12] = [
    0x8899_AABB_CCDD_EEF0,
    0,
    0x1111,
    0x2222,
    0,
    0,
    0,
    0,
    // 1 + 2^-30, 1 - 2^-30, -1, a NaN
    0x3FF0_0000_0040_0000,
    0x3FEF_FFFF_FF80_0000,
    0xBFF0_0000_0000_0000,
    0x7FF8_0000_0000_0001,
];

/// Where the board puts the guest, and how far behind the header its code begins.
const LOADED: u64 = 0x4008_0000;
const HEADER: usize = 64;
const PAGE: usize = 4096;

/// The guest as an `Image`: a header that branches over itself, the code, and the data.
fn image() -> Vec<u8> {
    let mut bytes = vec![0; HEADER + PAGE + DATA.len() * 8];
    let size = bytes.len() as u64;
    let mut set = |at: usize, from: &[u8]| bytes[at..at + from.len()].copy_from_slice(from);
    set(0, &(0x1400_0000 + HEADER as u32 / 4).to_le_bytes());
    set(8, &0x8_0000u64.to_le_bytes());
    set(16, &size.to_le_bytes());
    set(56, b"ARM\x64");
    for (i, (word, _)) in CODE.iter().enumerate() {
        set(HEADER + 4 * i, &word.to_le_bytes());
    }
    for (i, x) in DATA.iter().enumerate() {
        set(HEADER + PAGE + 8 * i, &x.to_le_bytes());
    }
    bytes
}

const PROGRAM: Program = Program { name: "arm64", image, config: Config::default };

#[test]
fn without_a_fault_the_engines_agree() -> Result<()> {
    PROGRAM.agrees()
}

/// Runs the guest with a fault. What is wrong with the report.
fn check(name: &str) -> Result<()> {
    let at = CODE.iter().position(|(_, f)| *f == name).context("no instruction of the guest shows it")?;
    let place = LOADED + (HEADER + 4 * at) as u64;
    PROGRAM.differs(name, &format!("{place:#x}: {:08x} ", CODE[at].0))
}

#[test]
fn each_fault_is_found_and_named() {
    let wrong: Vec<String> = FAULTS
        .iter()
        .filter_map(|f| check(f.name).err().map(|e| format!("{} ({}): {e:#}", f.name, f.what)))
        .collect();
    assert!(FAULTS.len() >= 24 && wrong.is_empty(), "{}", wrong.join("\n"));
}
