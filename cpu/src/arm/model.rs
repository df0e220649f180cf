//! Processor models: features and identification registers, and the state after reset.

use super::{Arm64, FREQUENCY, context, features as f, state, sysreg as sr};
use crate::core::Core;

/// A processor model.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name on the command line.
    pub name: &'static str,
    /// MIDR_EL1.
    pub midr: u64,
    /// Feature bits.
    pub features: u64,
    /// ID_AA64MMFR0_EL1.PARange: the size of physical addresses.
    pub pa_range: u64,
}

const V8_0: u64 = f::FP | f::AES | f::PMULL | f::SHA1 | f::SHA256 | f::CRC32 | f::PMUV3 | f::ASID16;
const V8_2: u64 = V8_0
    | f::LSE
    | f::RDM
    | f::PAN
    | f::PAN2
    | f::UAO
    | f::DPB
    | f::HAF
    | f::HDBS
    | f::FP16
    | f::DOTPROD
    | f::LRCPC
    | f::SSBS
    | f::PMUV3P1
    | f::CSV3;
const MAX: u64 = V8_2
    | f::LRCPC2
    | f::FHM
    | f::FCMA
    | f::JSCVT
    | f::SHA3
    | f::SHA512
    | f::SM3
    | f::SM4
    | f::FLAGM
    | f::FLAGM2
    | f::FRINTTS
    | f::PAUTH
    | f::BTI
    | f::SB
    | f::DPB2
    | f::RNG
    | f::TLBIRANGE
    | f::E0PD
    | f::DIT
    | f::PMUV3P5
    | f::I8MM
    | f::BF16;

/// All models.
pub static MODELS: &[Model] = &[
    Model { name: "cortex-a53", midr: 0x410F_D034, features: V8_0, pa_range: 2 },
    Model { name: "cortex-a57", midr: 0x411F_D070, features: V8_0, pa_range: 4 },
    Model { name: "cortex-a72", midr: 0x410F_D083, features: V8_0, pa_range: 4 },
    Model { name: "cortex-a76", midr: 0x414F_D0B1, features: V8_2, pa_range: 2 },
    Model { name: "neoverse-n1", midr: 0x414F_D0C1, features: V8_2, pa_range: 5 },
    Model { name: "max", midr: 0x000F_0510, features: MAX, pa_range: 5 },
];

/// The model of that name.
pub fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|m| m.name == name)
}

/// Puts a processor into its state after reset, at EL1 with the MMU off. `gicv3`: the interrupt controller has a
/// system-register interface.
pub fn reset(core: &mut Core<Arm64>, model: &Model, gicv3: bool) {
    *core.file.words_mut() = [0; crate::slot::WORDS];
    core.features = model.features;
    core.halted = false;
    (core.arch.guarded, core.arch.guarded_page) = (false, false);
    identify(core, model, gicv3);
    core.set(state::EXCL_ADDR, state::NO_MONITOR);
    core.set(state::PSTATE, super::regs::pstate::DAIF);
    core.set(state::MODE, 0b0101);
    // RES1 bits of SCTLR_EL1 without the features that give them meaning; SPAN starts set.
    core.set(sr::SCTLR_EL1, 0x30D0_0800);
    core.set(sr::OSLSR_EL1, 0b1010);
    core.tlb.flush(|_| true);
    context::new_spaces(core);
    context::refresh_pac(core);
    context::refresh(core);
}

fn identify(core: &mut Core<Arm64>, model: &Model, gicv3: bool) {
    let has = |x: u64, value: u64, shift: u32| if model.features & x == x { value << shift } else { 0 };
    core.set(sr::MIDR_EL1, model.midr);
    // Clusters of eight, as on QEMU's virt with GICv2; affinity 0 counts processors.
    core.set(sr::MPIDR_EL1, 1 << 31 | core.index as u64);
    let pfr0 = 0x0000_0000_0000_0011
        | has(f::FP16, 0x11, 16)
        | if gicv3 { 1 << 24 } else { 0 }
        | has(f::DIT, 1, 48)
        | has(f::CSV3, 1, 56)
        | has(f::CSV3, 1, 60);
    core.set(sr::ID_AA64PFR0_EL1, pfr0);
    core.set(sr::ID_AA64PFR1_EL1, has(f::BTI, 1, 0) | has(f::SSBS, 2, 4));
    // Six breakpoints, two of them for contexts, and four watchpoints, see `debug`; the architecture is that of Armv8.0
    // or 8.2.
    let breakpoints = 5 << 12 | 3 << 20 | 1 << 28;
    let architecture = if model.features & f::PMUV3P1 != 0 { 8 } else { 6 };
    let monitors = match model.features {
        x if x & f::PMUV3 == 0 => 0,
        x if x & f::PMUV3P5 != 0 => 6,
        x if x & f::PMUV3P1 != 0 => 4,
        _ => 1,
    };
    core.set(sr::ID_AA64DFR0_EL1, architecture | monitors << 8 | breakpoints);
    let isar0 = has(f::AES, 1, 4)
        + has(f::PMULL, 1, 4)
        + has(f::SHA1, 1, 8)
        + has(f::SHA256, 1, 12)
        + has(f::SHA512, 1, 12)
        + has(f::CRC32, 1, 16)
        + has(f::LSE, 2, 20)
        + has(f::RDM, 1, 28)
        + has(f::SHA3, 1, 32)
        + has(f::SM3, 1, 36)
        + has(f::SM4, 1, 40)
        + has(f::DOTPROD, 1, 44)
        + has(f::FHM, 1, 48)
        + has(f::FLAGM, 1, 52)
        + has(f::FLAGM2, 1, 52)
        + has(f::TLBIRANGE, 2, 56)
        + has(f::RNG, 1, 60);
    core.set(sr::ID_AA64ISAR0_EL1, isar0);
    // APA, API: FEAT_FPACCOMBINE, the highest level; GPA, GPI: one algorithm.
    let (qarma, fast) = (f::PAUTH | f::PACQARMA5, f::PAUTH);
    let pauth = |which: u64, shift: u32| {
        let this = model.features & (f::PAUTH | f::PACQARMA5) == which;
        (if this { if shift < 24 { 5 } else { 1 } } else { 0 }) << shift
    };
    let isar1 = has(f::DPB, 1, 0)
        + has(f::DPB2, 1, 0)
        + pauth(qarma, 4)
        + pauth(qarma, 24)
        + pauth(fast, 8)
        + has(f::JSCVT, 1, 12)
        + has(f::FCMA, 1, 16)
        + has(f::LRCPC, 1, 20)
        + has(f::LRCPC2, 1, 20)
        + pauth(fast, 28)
        + has(f::FRINTTS, 1, 32)
        + has(f::SB, 1, 36)
        + has(f::BF16, 1, 44)
        + has(f::I8MM, 1, 52);
    core.set(sr::ID_AA64ISAR1_EL1, isar1);
    core.set(sr::ID_AA64ISAR2_EL1, has(f::WFXT, 2, 0));
    // Both byte orders; 4K and 64K granules, and 16K on the later processors.
    core.set(sr::ID_AA64MMFR0_EL1, model.pa_range | has(f::ASID16, 2, 4) | 1 << 8 | has(f::LSE, 1, 20));
    let mmfr1 = has(f::HAF, 1, 0) + has(f::HDBS, 1, 0) + has(f::PAN, 1, 20) + has(f::PAN2, 1, 20);
    core.set(sr::ID_AA64MMFR1_EL1, mmfr1);
    core.set(sr::ID_AA64MMFR2_EL1, has(f::UAO, 1, 4) | has(f::LSE2, 1, 32) | has(f::E0PD, 1, 60));
    // 64-byte lines, PIPT; IDC and DIC are clear: guests maintain caches after they wrote code, as they do on the
    // processors that the models are named after. DC ZVA writes 64 bytes.
    core.set(sr::CTR_EL0, 1 << 31 | 4 << 24 | 4 << 20 | 4 << 16 | 3 << 14 | 4);
    core.set(sr::DCZID_EL0, 4);
    core.set(sr::CLIDR_EL1, 0x0A00_0023);
    core.set(sr::CNTFRQ_EL0, FREQUENCY);
    super::pmu::reset(core);
}
