//! What a model's ID registers say is what it does, and what the processors say that it is named after.

use lyrebird_cpu::arm::emit::UNDEFINED;
use lyrebird_cpu::arm::model::{self, MODELS, Model};
use lyrebird_cpu::arm::{Arm64, Platform, a64, exclusive, sysreg as sr};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Core, Physical};
use lyrebird_cpu::emit::Cx;
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::width::W64;
use lyrebird_ram::GuestRam;
use lyrebird_tests::restart::Restart;
use std::sync::Arc;

struct Nothing;
impl Platform for Nothing {}
impl Physical for Nothing {
    fn ram(&self, _: u64) -> Option<(u64, bool)> {
        None
    }
}

/// A processor after reset.
fn reset(model: &Model) -> Core<Arm64> {
    let ram = GuestRam::new(4096).expect("RAM");
    let arch = Arm64::new(Arc::new(Nothing), Arc::new(exclusive::Versions::default()), false);
    let mut core = Core::new(arch, model.features, 0, ram, Arc::new(Nothing), Arc::new(CodeMap::new(4096)));
    model::reset(&mut core, model, false);
    core
}

/// Register, lowest bit of the field, the value from which on the instruction exists, the instruction.
const FIELDS: &[(Slot<W64>, u32, u64, u32)] = &[
    (sr::ID_AA64ISAR0_EL1, 4, 1, 0x4E28_4820),  // aese v0.16b, v1.16b
    (sr::ID_AA64ISAR0_EL1, 4, 2, 0x0EE2_E020),  // pmull v0.1q, v1.1d, v2.1d
    (sr::ID_AA64ISAR0_EL1, 8, 1, 0x5E28_0820),  // sha1h s0, s1
    (sr::ID_AA64ISAR0_EL1, 12, 1, 0x5E28_2820), // sha256su0 v0.4s, v1.4s
    (sr::ID_AA64ISAR0_EL1, 12, 2, 0xCE62_8020), // sha512h q0, q1, v2.2d
    (sr::ID_AA64ISAR0_EL1, 16, 1, 0x1AC2_4020), // crc32b w0, w1, w2
    (sr::ID_AA64ISAR0_EL1, 20, 2, 0xF820_0284), // ldadd x0, x4, [x20]
    (sr::ID_AA64ISAR0_EL1, 28, 1, 0x2E42_8420), // sqrdmlah v0.4h, v1.4h, v2.4h
    (sr::ID_AA64ISAR0_EL1, 32, 1, 0xCE02_0C20), // eor3 v0.16b, v1.16b, v2.16b, v3.16b
    (sr::ID_AA64ISAR0_EL1, 36, 1, 0xCE42_0C20), // sm3ss1 v0.4s, v1.4s, v2.4s, v3.4s
    (sr::ID_AA64ISAR0_EL1, 40, 1, 0xCEC0_8420), // sm4e v0.4s, v1.4s
    (sr::ID_AA64ISAR0_EL1, 44, 1, 0x2E82_9420), // udot v0.2s, v1.8b, v2.8b
    (sr::ID_AA64ISAR0_EL1, 48, 1, 0x0E22_EC20), // fmlal v0.2s, v1.2h, v2.2h
    (sr::ID_AA64ISAR0_EL1, 52, 1, 0xD500_401F), // cfinv
    (sr::ID_AA64ISAR0_EL1, 52, 2, 0xD500_405F), // axflag
    (sr::ID_AA64ISAR0_EL1, 56, 1, 0xD508_811F), // tlbi vmalle1os
    (sr::ID_AA64ISAR0_EL1, 56, 2, 0xD508_8620), // tlbi rvae1, x0
    (sr::ID_AA64ISAR0_EL1, 60, 1, 0xD53B_2400), // mrs x0, rndr
    (sr::ID_AA64ISAR0_EL1, 60, 1, 0xD53B_2420), // mrs x0, rndrrs
    (sr::ID_AA64ISAR1_EL1, 0, 1, 0xD50B_7C20),  // dc cvap, x0
    (sr::ID_AA64ISAR1_EL1, 0, 2, 0xD50B_7D20),  // dc cvadp, x0
    (sr::ID_AA64ISAR1_EL1, 8, 1, 0xDAC1_0020),  // pacia x0, x1
    (sr::ID_AA64ISAR1_EL1, 8, 1, 0xF820_0420),  // ldraa x0, [x1]
    (sr::ID_AA64ISAR1_EL1, 12, 1, 0x1E7E_0000), // fjcvtzs w0, d0
    (sr::ID_AA64ISAR1_EL1, 16, 1, 0x2E82_E420), // fcadd v0.2s, v1.2s, v2.2s, #90
    (sr::ID_AA64ISAR1_EL1, 20, 1, 0xF8BF_C020), // ldapr x0, [x1]
    (sr::ID_AA64ISAR1_EL1, 20, 2, 0xD940_0020), // ldapur x0, [x1]
    (sr::ID_AA64ISAR1_EL1, 28, 1, 0x9AC2_3020), // pacga x0, x1, x2
    (sr::ID_AA64ISAR1_EL1, 32, 1, 0x1E28_4000), // frint32z s0, s0
    (sr::ID_AA64ISAR1_EL1, 36, 1, 0xD503_30FF), // sb
    (sr::ID_AA64ISAR1_EL1, 44, 1, 0x2E42_FC20), // bfdot v0.2s, v1.4h, v2.4h
    (sr::ID_AA64ISAR1_EL1, 52, 1, 0x4E82_A420), // smmla v0.4s, v1.16b, v2.16b
    (sr::ID_AA64ISAR2_EL1, 0, 2, 0xD503_1000),  // wfet x0
    (sr::ID_AA64PFR0_EL1, 16, 1, 0x1EE0_2800),  // fadd h0, h0, h0
    (sr::ID_AA64PFR0_EL1, 20, 1, 0x0E40_1400),  // fadd v0.4h, v0.4h, v0.4h
    (sr::ID_AA64PFR0_EL1, 48, 1, 0xD503_415F),  // msr dit, #1
    (sr::ID_AA64PFR1_EL1, 4, 2, 0xD503_413F),   // msr ssbs, #1
    (sr::ID_AA64MMFR1_EL1, 20, 1, 0xD500_419F), // msr pan, #1
    (sr::ID_AA64MMFR1_EL1, 20, 2, 0xD508_7900), // at s1e1rp, x0
    (sr::ID_AA64MMFR2_EL1, 4, 1, 0xD500_407F),  // msr uao, #1
    (sr::ID_AA64DFR0_EL1, 8, 1, 0xD53B_9D00),   // mrs x0, pmccntr_el0
    (sr::ID_AA64DFR0_EL1, 8, 5, 0xD538_9EC0),   // mrs x0, pmmir_el1
];

#[test]
fn instructions_exist_where_the_id_registers_say() {
    let table = a64::table::<Restart>();
    let (mut there, mut missing) = (0, 0);
    for model in MODELS {
        let core = reset(model);
        for &(register, shift, least, word) in FIELDS {
            let says = core.reg(register) >> shift & 15 >= least;
            // EL1, where most is allowed.
            let cx = Cx { mode: 1, features: model.features };
            let does = table
                .find(word, model.features)
                .is_some_and(|(_, row)| Restart::check(cx, word, row.run).raised != Some(UNDEFINED));
            assert_eq!(says, does, "{word:08x}, a field at bit {shift}, on a {}", model.name);
            if says { there += 1 } else { missing += 1 }
        }
    }
    assert!(there > 60 && missing > 60, "{there} {missing}");
}

/// MIDR_EL1, ID_AA64ISAR0_EL1, ID_AA64ISAR1_EL1, ID_AA64DFR0_EL1, and PARange, from the technical reference manuals.
#[test]
fn models_say_what_the_processors_say() {
    const V8_2: (u64, u64, u64) = (0x0000_1000_1021_1120, 0x0010_0001, 0x1030_5408);
    for (name, midr, (isar0, isar1, dfr0), range) in [
        ("cortex-a53", 0x410F_D034, (0x0001_1120, 0, 0x1030_5106), 2),
        ("cortex-a57", 0x411F_D070, (0x0001_1120, 0, 0x1030_5106), 4),
        ("cortex-a72", 0x410F_D083, (0x0001_1120, 0, 0x1030_5106), 4),
        ("cortex-a76", 0x414F_D0B1, V8_2, 2),
        ("neoverse-n1", 0x414F_D0C1, V8_2, 5),
    ] {
        let core = reset(model::find(name).expect("a model"));
        let found = [sr::MIDR_EL1, sr::ID_AA64ISAR0_EL1, sr::ID_AA64ISAR1_EL1, sr::ID_AA64DFR0_EL1];
        assert_eq!(found.map(|r| core.reg(r)), [midr, isar0, isar1, dfr0], "{name}");
        let mmfr0 = core.reg(sr::ID_AA64MMFR0_EL1);
        assert_eq!(mmfr0 & 15, range, "{name}");
        // 16-bit ASIDs, both byte orders, 4K and 64K granules; 16K ones since Armv8.2's processors.
        assert_eq!([mmfr0 >> 4 & 15, mmfr0 >> 8 & 15, mmfr0 >> 24 & 15, mmfr0 >> 28 & 15], [2, 1, 0, 0]);
        assert_eq!(mmfr0 >> 20 & 15, (isar1 != 0) as u64, "{name}");
        // Only AArch64, at EL0 and EL1.
        assert_eq!(core.reg(sr::ID_AA64PFR0_EL1) & 0xFFFF, 0x11, "{name}");
    }
}
