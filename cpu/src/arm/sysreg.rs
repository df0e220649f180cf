//! System registers, one row each: encoding, who may access it, how it reads, what a write does (DDI 0487 D19).
//!
//! Every row has a word in the register file, so plain registers are read and written in place by any engine. Reads
//! and writes with effects are helpers. Registers of EL2 and EL3 are left out and undefined.

use super::emit::{Arm, UNDEFINED};
use super::{Arm64, features as feat, masks, mode, pmu, regs, state};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Exception, Exec, Flow, Helper};
use crate::slot::Slot;
use crate::width::{W32, W64};

/// What a read or write does.
#[derive(Clone, Copy)]
pub enum Action {
    /// The register's word, as it is.
    Word,
    /// Reads as zero; writes are ignored.
    Zero,
    /// Not accessible in this direction.
    None,
    /// A helper: a read's result is the value; a write's first argument is the value. The second argument is the
    /// register's encoding.
    Call(&'static Helper<Arm64>),
    /// As `Call`, for a write that may change mode or translation: the block ends.
    Sync(&'static Helper<Arm64>),
    /// A write of the word, then a helper; the block ends.
    Then(&'static Helper<Arm64>),
    /// A write of the masked bits.
    Masked(u64),
    /// The virtual counter.
    Counter,
}

/// Who may reach a register at EL0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum User {
    /// nobody
    No,
    /// reads
    Read,
    /// reads and writes
    Both,
    /// as a helper decides: it gets 0 for a read and 1 for a write and raises if not allowed
    Asked(Gate),
}

/// The controls that open registers to EL0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// SCTLR_EL1.UCT: cache type
    CacheType,
    /// SCTLR_EL1.UMA: interrupt masks
    Masks,
    /// CNTKCTL_EL1: physical counter
    PhysicalCounter,
    /// CNTKCTL_EL1: virtual counter
    VirtualCounter,
    /// CNTKCTL_EL1: physical timer
    PhysicalTimer,
    /// CNTKCTL_EL1: virtual timer
    VirtualTimer,
    /// MDSCR_EL1.TDCC: debug communication channel
    DebugChannel,
    /// PMUSERENR_EL0: performance monitors
    Monitors,
}

/// One system register.
pub struct SysReg {
    /// The manual's name.
    pub name: &'static str,
    /// op0, op1, CRn, CRm, op2 packed as in the instruction: bits 15:0 of `word >> 5`, with op0's high bit.
    pub code: u32,
    /// Access at EL0.
    pub user: User,
    /// How it reads.
    pub read: Action,
    /// What a write does.
    pub write: Action,
    /// Features it needs.
    pub features: u64,
    /// Its word.
    pub slot: Slot<W64>,
}

/// The packed encoding of a register, in the instruction's field order.
pub const fn code(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> u32 {
    op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2
}

macro_rules! sysregs { ($($name:ident $op0:literal $op1:literal $crn:literal $crm:literal $op2:literal $user:expr, $read:expr, $write:expr $(, if $f:expr)?;)*) => {
    #[derive(Clone, Copy)]
    #[allow(non_camel_case_types, reason = "the manual's names")]
    enum Number { $($name),* }
    $(
        #[doc = concat!("Word of ", stringify!($name), ".")]
        #[allow(non_upper_case_globals, reason = "the manual's names")]
        pub const $name: Slot<W64> = Slot::word(state::SYSREGS + Number::$name as u16);
    )*
    /// All rows.
    pub static ROWS: &[SysReg] = &[$(SysReg {
        name: stringify!($name),
        code: code($op0, $op1, $crn, $crm, $op2),
        user: $user,
        read: $read,
        write: $write,
        features: 0 $(| $f)?,
        slot: $name,
    }),*];
} }

use Action::{Call, Counter, Masked, None as NoAccess, Sync, Then, Word, Zero};
use User::{Asked, Both, No, Read};

sysregs! {
    // ---- identification ----
    MIDR_EL1         3 0 0 0 0 No, Word, NoAccess;
    MPIDR_EL1        3 0 0 0 5 No, Word, NoAccess;
    REVIDR_EL1       3 0 0 0 6 No, Word, NoAccess;
    ID_PFR0_EL1      3 0 0 1 0 No, Word, NoAccess;
    ID_PFR1_EL1      3 0 0 1 1 No, Word, NoAccess;
    ID_DFR0_EL1      3 0 0 1 2 No, Word, NoAccess;
    ID_AFR0_EL1      3 0 0 1 3 No, Word, NoAccess;
    ID_MMFR0_EL1     3 0 0 1 4 No, Word, NoAccess;
    ID_MMFR1_EL1     3 0 0 1 5 No, Word, NoAccess;
    ID_MMFR2_EL1     3 0 0 1 6 No, Word, NoAccess;
    ID_MMFR3_EL1     3 0 0 1 7 No, Word, NoAccess;
    ID_ISAR0_EL1     3 0 0 2 0 No, Word, NoAccess;
    ID_ISAR1_EL1     3 0 0 2 1 No, Word, NoAccess;
    ID_ISAR2_EL1     3 0 0 2 2 No, Word, NoAccess;
    ID_ISAR3_EL1     3 0 0 2 3 No, Word, NoAccess;
    ID_ISAR4_EL1     3 0 0 2 4 No, Word, NoAccess;
    ID_ISAR5_EL1     3 0 0 2 5 No, Word, NoAccess;
    ID_MMFR4_EL1     3 0 0 2 6 No, Word, NoAccess;
    ID_ISAR6_EL1     3 0 0 2 7 No, Word, NoAccess;
    MVFR0_EL1        3 0 0 3 0 No, Word, NoAccess;
    MVFR1_EL1        3 0 0 3 1 No, Word, NoAccess;
    MVFR2_EL1        3 0 0 3 2 No, Word, NoAccess;
    ID_PFR2_EL1      3 0 0 3 4 No, Word, NoAccess;
    ID_DFR1_EL1      3 0 0 3 5 No, Word, NoAccess;
    ID_MMFR5_EL1     3 0 0 3 6 No, Word, NoAccess;
    ID_AA64PFR0_EL1  3 0 0 4 0 No, Word, NoAccess;
    ID_AA64PFR1_EL1  3 0 0 4 1 No, Word, NoAccess;
    ID_AA64PFR2_EL1  3 0 0 4 2 No, Word, NoAccess;
    ID_AA64ZFR0_EL1  3 0 0 4 4 No, Word, NoAccess;
    ID_AA64SMFR0_EL1 3 0 0 4 5 No, Word, NoAccess;
    ID_AA64FPFR0_EL1 3 0 0 4 7 No, Word, NoAccess;
    ID_AA64DFR0_EL1  3 0 0 5 0 No, Word, NoAccess;
    ID_AA64DFR1_EL1  3 0 0 5 1 No, Word, NoAccess;
    ID_AA64AFR0_EL1  3 0 0 5 4 No, Word, NoAccess;
    ID_AA64AFR1_EL1  3 0 0 5 5 No, Word, NoAccess;
    ID_AA64ISAR0_EL1 3 0 0 6 0 No, Word, NoAccess;
    ID_AA64ISAR1_EL1 3 0 0 6 1 No, Word, NoAccess;
    ID_AA64ISAR2_EL1 3 0 0 6 2 No, Word, NoAccess;
    ID_AA64ISAR3_EL1 3 0 0 6 3 No, Word, NoAccess;
    ID_AA64MMFR0_EL1 3 0 0 7 0 No, Word, NoAccess;
    ID_AA64MMFR1_EL1 3 0 0 7 1 No, Word, NoAccess;
    ID_AA64MMFR2_EL1 3 0 0 7 2 No, Word, NoAccess;
    ID_AA64MMFR3_EL1 3 0 0 7 3 No, Word, NoAccess;
    ID_AA64MMFR4_EL1 3 0 0 7 4 No, Word, NoAccess;
    CLIDR_EL1        3 1 0 0 1 No, Word, NoAccess;
    AIDR_EL1         3 1 0 0 7 No, Zero, NoAccess;
    CCSIDR_EL1       3 1 0 0 0 No, Call(&regs::CACHE_SIZE), NoAccess;
    CSSELR_EL1       3 2 0 0 0 No, Word, Masked(0xF);
    CTR_EL0          3 3 0 0 1 Asked(Gate::CacheType), Word, NoAccess;
    DCZID_EL0        3 3 0 0 7 Read, Call(&regs::ZERO_BLOCK), NoAccess;
    // ---- control ----
    SCTLR_EL1        3 0 1 0 0 No, Word, Sync(&regs::SCTLR);
    ACTLR_EL1        3 0 1 0 1 No, Word, Word;
    CPACR_EL1        3 0 1 0 2 No, Word, Sync(&regs::CPACR);
    // ---- translation ----
    TTBR0_EL1        3 0 2 0 0 No, Word, Sync(&regs::TTBR0);
    TTBR1_EL1        3 0 2 0 1 No, Word, Sync(&regs::TTBR1);
    TCR_EL1          3 0 2 0 2 No, Word, Sync(&regs::TCR);
    MAIR_EL1         3 0 10 2 0 No, Word, Sync(&regs::MAIR);
    AMAIR_EL1        3 0 10 3 0 No, Word, Word;
    CONTEXTIDR_EL1   3 0 13 0 1 No, Word, Word;
    PAR_EL1          3 0 7 4 0 No, Word, Word;
    // ---- exceptions ----
    SPSR_EL1         3 0 4 0 0 No, Word, Word;
    ELR_EL1          3 0 4 0 1 No, Word, Word;
    SP_EL0           3 0 4 1 0 No, Call(&regs::READ_SP_EL0), Call(&regs::WRITE_SP_EL0);
    SP_EL1           3 4 4 1 0 No, NoAccess, NoAccess;
    SPSel            3 0 4 2 0 No, Call(&regs::READ_SPSEL), Sync(&regs::WRITE_SPSEL);
    CurrentEL        3 0 4 2 2 No, Call(&regs::CURRENT_EL), NoAccess;
    PAN              3 0 4 2 3 No, Call(&regs::READ_PAN), Sync(&regs::WRITE_PAN), if feat::PAN;
    UAO              3 0 4 2 4 No, Call(&regs::READ_UAO), Sync(&regs::WRITE_UAO), if feat::UAO;
    AFSR0_EL1        3 0 5 1 0 No, Word, Word;
    AFSR1_EL1        3 0 5 1 1 No, Word, Word;
    ESR_EL1          3 0 5 2 0 No, Word, Word;
    FAR_EL1          3 0 6 0 0 No, Word, Word;
    VBAR_EL1         3 0 12 0 0 No, Word, Masked(!0x7FF);
    ISR_EL1          3 0 12 1 0 No, Call(&regs::ISR), NoAccess;
    NZCV             3 3 4 2 0 Both, Call(&regs::READ_NZCV), Call(&regs::WRITE_NZCV);
    DAIF             3 3 4 2 1 Asked(Gate::Masks), Call(&regs::READ_DAIF), Sync(&regs::WRITE_DAIF);
    DIT              3 3 4 2 5 Both, Call(&regs::READ_DIT), Call(&regs::WRITE_DIT), if feat::DIT;
    SSBS             3 3 4 2 6 Both, Call(&regs::READ_SSBS), Call(&regs::WRITE_SSBS), if feat::SSBS;
    FPCR             3 3 4 4 0 Both, Call(&regs::READ_FPCR), Sync(&regs::WRITE_FPCR);
    FPSR             3 3 4 4 1 Both, Call(&regs::READ_FPSR), Sync(&regs::WRITE_FPSR);
    // ---- threads ----
    TPIDR_EL0        3 3 13 0 2 Both, Word, Word;
    TPIDRRO_EL0      3 3 13 0 3 Read, Word, Word;
    TPIDR_EL1        3 0 13 0 4 No, Word, Word;
    // ---- pointer authentication ----
    APIAKeyLo_EL1    3 0 2 1 0 No, Word, Word, if feat::PAUTH;
    APIAKeyHi_EL1    3 0 2 1 1 No, Word, Word, if feat::PAUTH;
    APIBKeyLo_EL1    3 0 2 1 2 No, Word, Word, if feat::PAUTH;
    APIBKeyHi_EL1    3 0 2 1 3 No, Word, Word, if feat::PAUTH;
    APDAKeyLo_EL1    3 0 2 2 0 No, Word, Word, if feat::PAUTH;
    APDAKeyHi_EL1    3 0 2 2 1 No, Word, Word, if feat::PAUTH;
    APDBKeyLo_EL1    3 0 2 2 2 No, Word, Word, if feat::PAUTH;
    APDBKeyHi_EL1    3 0 2 2 3 No, Word, Word, if feat::PAUTH;
    APGAKeyLo_EL1    3 0 2 3 0 No, Word, Word, if feat::PAUTH;
    APGAKeyHi_EL1    3 0 2 3 1 No, Word, Word, if feat::PAUTH;
    // ---- generic timer ----
    CNTFRQ_EL0       3 3 14 0 0 Asked(Gate::VirtualCounter), Word, NoAccess;
    CNTPCT_EL0       3 3 14 0 1 Asked(Gate::PhysicalCounter), Counter, NoAccess;
    CNTVCT_EL0       3 3 14 0 2 Asked(Gate::VirtualCounter), Counter, NoAccess;
    CNTKCTL_EL1      3 0 14 1 0 No, Word, Word;
    CNTP_TVAL_EL0    3 3 14 2 0 Asked(Gate::PhysicalTimer), Call(&regs::READ_CNTP_TVAL), Call(&regs::WRITE_CNTP_TVAL);
    CNTP_CTL_EL0     3 3 14 2 1 Asked(Gate::PhysicalTimer), Call(&regs::READ_CNTP_CTL), Call(&regs::WRITE_CNTP_CTL);
    CNTP_CVAL_EL0    3 3 14 2 2 Asked(Gate::PhysicalTimer), Word, Call(&regs::WRITE_CNTP_CVAL);
    CNTV_TVAL_EL0    3 3 14 3 0 Asked(Gate::VirtualTimer), Call(&regs::READ_CNTV_TVAL), Call(&regs::WRITE_CNTV_TVAL);
    CNTV_CTL_EL0     3 3 14 3 1 Asked(Gate::VirtualTimer), Call(&regs::READ_CNTV_CTL), Call(&regs::WRITE_CNTV_CTL);
    CNTV_CVAL_EL0    3 3 14 3 2 Asked(Gate::VirtualTimer), Word, Call(&regs::WRITE_CNTV_CVAL);
    // ---- debug ----
    MDCCINT_EL1      2 0 0 2 0 No, Word, Word;
    MDSCR_EL1        2 0 0 2 2 No, Word, Then(&regs::DEBUG);
    MDCCSR_EL0       2 3 0 1 0 Asked(Gate::DebugChannel), Zero, NoAccess;
    DBGDTR_EL0       2 3 0 4 0 Asked(Gate::DebugChannel), Zero, Zero;
    DBGDTRRX_EL0     2 3 0 5 0 Asked(Gate::DebugChannel), Zero, Zero;
    OSDTRRX_EL1      2 0 0 0 2 No, Word, Word;
    OSDTRTX_EL1      2 0 0 3 2 No, Word, Word;
    OSECCR_EL1       2 0 0 6 2 No, Word, Word;
    MDRAR_EL1        2 0 1 0 0 No, Zero, NoAccess;
    OSLAR_EL1        2 0 1 0 4 No, NoAccess, Sync(&regs::OSLAR);
    OSLSR_EL1        2 0 1 1 4 No, Word, NoAccess;
    OSDLR_EL1        2 0 1 3 4 No, Word, Then(&regs::DEBUG);
    DBGPRCR_EL1      2 0 1 4 4 No, Word, Then(&regs::DEBUG);
    DBGCLAIMSET_EL1  2 0 7 8 6 No, Call(&regs::CLAIMABLE), Call(&regs::CLAIM);
    DBGCLAIMCLR_EL1  2 0 7 9 6 No, Word, Call(&regs::UNCLAIM);
    DBGAUTHSTATUS_EL1 2 0 7 14 6 No, Zero, NoAccess;
    DBGBVR0_EL1      2 0 0 0 4 No, Word, Then(&regs::DEBUG);
    DBGBCR0_EL1      2 0 0 0 5 No, Word, Then(&regs::DEBUG);
    DBGWVR0_EL1      2 0 0 0 6 No, Word, Then(&regs::DEBUG);
    DBGWCR0_EL1      2 0 0 0 7 No, Word, Then(&regs::DEBUG);
    DBGBVR1_EL1      2 0 0 1 4 No, Word, Then(&regs::DEBUG);
    DBGBCR1_EL1      2 0 0 1 5 No, Word, Then(&regs::DEBUG);
    DBGWVR1_EL1      2 0 0 1 6 No, Word, Then(&regs::DEBUG);
    DBGWCR1_EL1      2 0 0 1 7 No, Word, Then(&regs::DEBUG);
    DBGBVR2_EL1      2 0 0 2 4 No, Word, Then(&regs::DEBUG);
    DBGBCR2_EL1      2 0 0 2 5 No, Word, Then(&regs::DEBUG);
    DBGWVR2_EL1      2 0 0 2 6 No, Word, Then(&regs::DEBUG);
    DBGWCR2_EL1      2 0 0 2 7 No, Word, Then(&regs::DEBUG);
    DBGBVR3_EL1      2 0 0 3 4 No, Word, Then(&regs::DEBUG);
    DBGBCR3_EL1      2 0 0 3 5 No, Word, Then(&regs::DEBUG);
    DBGWVR3_EL1      2 0 0 3 6 No, Word, Then(&regs::DEBUG);
    DBGWCR3_EL1      2 0 0 3 7 No, Word, Then(&regs::DEBUG);
    DBGBVR4_EL1      2 0 0 4 4 No, Word, Then(&regs::DEBUG);
    DBGBCR4_EL1      2 0 0 4 5 No, Word, Then(&regs::DEBUG);
    DBGBVR5_EL1      2 0 0 5 4 No, Word, Then(&regs::DEBUG);
    DBGBCR5_EL1      2 0 0 5 5 No, Word, Then(&regs::DEBUG);
    // ---- performance monitors ----
    PMCR_EL0         3 3 9 12 0 Asked(Gate::Monitors), Word, Sync(&pmu::WRITE_PMCR), if feat::PMUV3;
    PMCNTENSET_EL0   3 3 9 12 1 Asked(Gate::Monitors), Word, Sync(&pmu::WRITE_PMCNTENSET), if feat::PMUV3;
    PMCNTENCLR_EL0   3 3 9 12 2 Asked(Gate::Monitors), Call(&pmu::READ_PMCNTEN), Sync(&pmu::WRITE_PMCNTENCLR), if feat::PMUV3;
    PMOVSCLR_EL0     3 3 9 12 3 Asked(Gate::Monitors), Call(&pmu::READ_PMOVS), Sync(&pmu::WRITE_PMOVSCLR), if feat::PMUV3;
    PMSWINC_EL0      3 3 9 12 4 Asked(Gate::Monitors), NoAccess, Sync(&pmu::WRITE_PMSWINC), if feat::PMUV3;
    PMSELR_EL0       3 3 9 12 5 Asked(Gate::Monitors), Word, Masked(31), if feat::PMUV3;
    PMCEID0_EL0      3 3 9 12 6 Asked(Gate::Monitors), Word, NoAccess, if feat::PMUV3;
    PMCEID1_EL0      3 3 9 12 7 Asked(Gate::Monitors), Word, NoAccess, if feat::PMUV3;
    PMCCNTR_EL0      3 3 9 13 0 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMXEVTYPER_EL0   3 3 9 13 1 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    PMXEVCNTR_EL0    3 3 9 13 2 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMUSERENR_EL0    3 3 9 14 0 Read, Word, Masked(0xF), if feat::PMUV3;
    PMINTENSET_EL1   3 0 9 14 1 No, Word, Sync(&pmu::WRITE_PMINTENSET), if feat::PMUV3;
    PMINTENCLR_EL1   3 0 9 14 2 No, Call(&pmu::READ_PMINTEN), Sync(&pmu::WRITE_PMINTENCLR), if feat::PMUV3;
    PMOVSSET_EL0     3 3 9 14 3 Asked(Gate::Monitors), Call(&pmu::READ_PMOVS), Sync(&pmu::WRITE_PMOVSSET), if feat::PMUV3;
    PMMIR_EL1        3 0 9 14 6 No, Zero, NoAccess, if feat::PMUV3P5;
    PMEVCNTR0_EL0    3 3 14 8 0 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMEVCNTR1_EL0    3 3 14 8 1 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMEVCNTR2_EL0    3 3 14 8 2 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMEVCNTR3_EL0    3 3 14 8 3 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMEVCNTR4_EL0    3 3 14 8 4 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMEVCNTR5_EL0    3 3 14 8 5 Asked(Gate::Monitors), Call(&pmu::READ_COUNT), Sync(&pmu::WRITE_COUNT), if feat::PMUV3;
    PMEVTYPER0_EL0   3 3 14 12 0 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    PMEVTYPER1_EL0   3 3 14 12 1 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    PMEVTYPER2_EL0   3 3 14 12 2 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    PMEVTYPER3_EL0   3 3 14 12 3 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    PMEVTYPER4_EL0   3 3 14 12 4 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    PMEVTYPER5_EL0   3 3 14 12 5 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    PMCCFILTR_EL0    3 3 14 15 7 Asked(Gate::Monitors), Call(&pmu::READ_TYPE), Sync(&pmu::WRITE_TYPE), if feat::PMUV3;
    // ---- random numbers ----
    RNDR             3 3 2 4 0 Read, Call(&regs::RNDR), NoAccess, if feat::RNG;
    RNDRRS           3 3 2 4 1 Read, Call(&regs::RNDR), NoAccess, if feat::RNG;
}

/// The row with this encoding, if the model has it.
pub fn find(code: u32, features: u64) -> Option<&'static SysReg> {
    // One byte for each encoding with op0 2 or 3: the row's number plus one.
    static INDEX: std::sync::OnceLock<Box<[u8]>> = std::sync::OnceLock::new();
    let index = INDEX.get_or_init(|| {
        let mut index = vec![0; 1 << 15];
        for (i, r) in ROWS.iter().enumerate() {
            index[(r.code & 0x7FFF) as usize] = i as u8 + 1;
        }
        index.into_boxed_slice()
    });
    let i = *index.get((code & 0x7FFF) as usize)?;
    let r = ROWS.get((i as usize).checked_sub(1)?)?;
    (features & r.features == r.features).then_some(r)
}

/// The syndrome of a trapped system instruction: EC 0x18 (DDI 0487 D17.2.37).
pub fn trapped(code: u32, t: u32, read: bool) -> Exception {
    let (op0, op1, crn, crm, op2) =
        (code >> 14 & 3, code >> 11 & 7, code >> 7 & 15, code >> 3 & 15, code & 7);
    let iss = op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | t << 5 | crm << 1 | read as u32;
    Exception(0x18 << 26 | 1 << 25 | iss as u64)
}

/// Checks a gated access at EL0: arguments are the gate, the packed encoding with Rt and direction, and nothing.
static CHECK: Helper<Arm64> = Helper { name: "check_user_access", effects: Effects::FAULTS, run: check };

fn check(core: &mut Core<Arm64>, gate: u64, code: u64, t_read: u64) -> Result<u64, Raised> {
    let bit = |slot: Slot<W64>, bits: u64| core.reg(slot) & bits != 0;
    let read = t_read & 1 != 0;
    let open = match gate {
        0 => bit(SCTLR_EL1, 1 << 15),
        1 => bit(SCTLR_EL1, 1 << 9),
        2 => bit(CNTKCTL_EL1, 1),
        3 => bit(CNTKCTL_EL1, if code as u32 == code_of_frequency() { 3 } else { 2 }),
        4 => bit(CNTKCTL_EL1, 1 << 9),
        5 => bit(CNTKCTL_EL1, 1 << 8),
        6 => !bit(MDSCR_EL1, 1 << 12),
        _ => {
            // EN opens all; SW the software increment; CR reads of the cycle counter; ER reads of event counters and
            // the selection of one.
            let user = core.reg(PMUSERENR_EL0);
            let (crn, crm, op2) = (code >> 7 & 15, code >> 3 & 15, code & 7);
            let on = |bit: u64| user & bit != 0;
            on(1)
                || match (crn, crm, op2) {
                    (9, 12, 4) => on(2),
                    (9, 13, 0) => read && on(4),
                    (9, 13, 2) | (14, 8, _) => read && on(8),
                    (9, 12, 5) => on(8),
                    _ => false,
                }
        }
    };
    if open { Ok(0) } else { Err(core.raise_now(trapped(code as u32, (t_read >> 1) as u32, read), 0)) }
}

const fn code_of_frequency() -> u32 {
    code(3, 3, 14, 0, 0)
}

/// Whether the access is permitted at the current level; raises or records the check where it is not decided yet.
fn admit<E: Arm>(e: &mut E, r: &SysReg, t: u32, read: bool) -> Result<bool, E::Abort> {
    if mode::el(e.cx().mode) != 0 {
        return Ok(true);
    }
    match r.user {
        User::No => Ok(false),
        User::Read => Ok(read),
        User::Both => Ok(true),
        User::Asked(gate) => {
            let (g, c) = (e.lit::<W64>(gate as u64), e.lit::<W64>(r.code as u64));
            let how = e.lit::<W64>((t << 1) as u64 | read as u64);
            e.call(&CHECK, [g, c, how])?;
            Ok(true)
        }
    }
}

/// MRS: reads a system register. [C6.2.251]
pub fn mrs<E: Arm>(e: &mut E, code: u32, t: u32) -> Exec<E> {
    let Some(r) = find(code, e.cx().features) else { return platform_read(e, code, t) };
    if matches!(r.read, Action::None) || !admit(e, r, t, true)? {
        return e.raise(UNDEFINED);
    }
    if matches!(r.code, FPCR_CODE | FPSR_CODE) {
        e.check_fp()?;
    }
    let zero = e.lit::<W64>(0);
    let v = match r.read {
        Action::Word | Action::Masked(_) | Action::Then(_) => e.get(r.slot),
        Action::Zero | Action::None => zero,
        Action::Call(h) | Action::Sync(h) => {
            let code = e.lit::<W64>(r.code as u64);
            e.call(h, [zero, code, zero])?
        }
        Action::Counter => e.clock(),
    };
    if matches!(r.code, RNDR_CODE | RNDRRS_CODE) {
        // Success is NZCV 0000.
        let clear = e.lit::<W32>(0);
        e.write_flags(state::NZCV, clear);
    }
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

const FPCR_CODE: u32 = code(3, 3, 4, 4, 0);
const DAIF_CODE: u32 = code(3, 3, 4, 2, 1);
const FPSR_CODE: u32 = code(3, 3, 4, 4, 1);
const RNDR_CODE: u32 = code(3, 3, 2, 4, 0);
const RNDRRS_CODE: u32 = code(3, 3, 2, 4, 1);

/// MSR (register): writes a system register. [C6.2.253]
pub fn msr<E: Arm>(e: &mut E, code: u32, t: u32) -> Exec<E> {
    let Some(r) = find(code, e.cx().features) else { return platform_write(e, code, t) };
    if matches!(r.write, Action::None) || !admit(e, r, t, false)? {
        return e.raise(UNDEFINED);
    }
    if matches!(r.code, FPCR_CODE | FPSR_CODE) {
        e.check_fp()?;
    }
    let v = e.x::<W64>(t);
    if r.code == DAIF_CODE {
        return masks::write(e, v);
    }
    let zero = e.lit::<W64>(0);
    match r.write {
        Action::Word => e.put(r.slot, v),
        Action::Masked(mask) => {
            let mask = e.lit::<W64>(mask);
            let v = e.and(v, mask);
            e.put(r.slot, v);
        }
        Action::Zero | Action::None | Action::Counter => {}
        Action::Call(h) => {
            let code = e.lit::<W64>(r.code as u64);
            e.call(h, [v, code, zero])?;
        }
        Action::Sync(h) => {
            let code = e.lit::<W64>(r.code as u64);
            e.call(h, [v, code, zero])?;
            return Ok(Flow::Sync);
        }
        Action::Then(h) => {
            e.put(r.slot, v);
            e.call(h, [v, zero, zero])?;
            return Ok(Flow::Sync);
        }
    }
    Ok(Flow::Next)
}

/// Registers that the board answers: the GIC's processor interface. Arguments: encoding, value of a write.
static PLATFORM_READ: Helper<Arm64> = Helper {
    name: "read_platform_register",
    effects: Effects::FAULTS,
    run: |core, code, _, _| {
        let platform = std::sync::Arc::clone(&core.arch.platform);
        platform.read_register(core.index, code as u32).ok_or_else(|| core.raise_now(UNDEFINED, 0))
    },
};
static PLATFORM_WRITE: Helper<Arm64> = Helper {
    name: "write_platform_register",
    effects: Effects::FAULTS,
    run: |core, code, value, _| {
        let platform = std::sync::Arc::clone(&core.arch.platform);
        let done = platform.write_register(core.index, code as u32, value);
        done.map(|()| 0).ok_or_else(|| core.raise_now(UNDEFINED, 0))
    },
};

/// Whether the encoding may belong to the GIC: op0 3, op1 0, CRn 4 (PMR) or 12.
fn is_platform(code: u32) -> bool {
    let (op0, op1, crn) = (code >> 14 & 3, code >> 11 & 7, code >> 7 & 15);
    op0 == 3 && op1 == 0 && (crn == 12 || crn == 4)
}

fn platform_read<E: Arm>(e: &mut E, code: u32, t: u32) -> Exec<E> {
    if mode::el(e.cx().mode) == 0 || !is_platform(code) {
        // The ID space beyond the known registers reads as zero at EL1.
        let id = mode::el(e.cx().mode) != 0 && code & !0x7F == self::code(3, 0, 0, 0, 0);
        if !id {
            return e.raise(UNDEFINED);
        }
        let zero = e.lit::<W64>(0);
        e.set_x::<W64>(t, zero);
        return Ok(Flow::Next);
    }
    let (c, zero) = (e.lit::<W64>(code as u64), e.lit::<W64>(0));
    let v = e.call(&PLATFORM_READ, [c, zero, zero])?;
    e.set_x::<W64>(t, v);
    Ok(Flow::Next)
}

fn platform_write<E: Arm>(e: &mut E, code: u32, t: u32) -> Exec<E> {
    if mode::el(e.cx().mode) == 0 || !is_platform(code) {
        return e.raise(UNDEFINED);
    }
    let (c, zero, v) = (e.lit::<W64>(code as u64), e.lit::<W64>(0), e.x::<W64>(t));
    e.call(&PLATFORM_WRITE, [c, v, zero])?;
    Ok(Flow::Next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_unique_and_words_fit() {
        let mut codes: Vec<u32> = ROWS.iter().map(|r| r.code).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(state::SYSREGS as usize + count <= state::ENGINE as usize);
        assert!(count < 255);
        assert!(
            ROWS.iter()
                .all(|r| r.code >> 15 == 1 && find(r.code, u64::MAX).is_some_and(|f| f.name == r.name))
        );
    }

    #[test]
    fn syndrome_of_a_trap() {
        // MRS X5, CTR_EL0 trapped from EL0: EC 0x18, op0 3, op2 1, op1 3, CRn 0, Rt 5, CRm 0, read.
        let esr = trapped(code(3, 3, 0, 0, 1), 5, true).0;
        assert_eq!(esr, 0x18 << 26 | 1 << 25 | 3 << 20 | 1 << 17 | 3 << 14 | 5 << 5 | 1);
    }
}
