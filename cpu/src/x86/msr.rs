//! Model-specific registers, one row each: how they read and what writing them does (SDM vol. 4, chapter 2).
//!
//! What is not here raises #GP, and says so in the `unimp` log. Performance monitors read as zero.

use super::control;
use super::cpuid::{Leaf, bit};
use super::emit::fault;
use super::insn::seg;
use super::{X64, features as f, state, system};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use crate::slot::Slot;
use crate::trace::DebugItems;
use crate::width::W64;
use std::sync::Arc;

/// How a register reads and is written.
#[derive(Clone, Copy)]
enum Kind {
    /// A word, of which the masked bits can be set; others raise #GP.
    Word(Slot<W64>, u64),
    /// A word that holds a canonical address.
    Address(Slot<W64>),
    /// Reads as a constant; writes raise #GP.
    Constant(u64),
    /// Reads as a constant; writes are ignored.
    Ignored(u64),
    /// The base of a segment.
    Base(u8),
    /// EFER.
    Efer,
    /// The time stamp counter.
    Tsc,
    /// IA32_TSC_ADJUST.
    TscAdjust,
    /// Memory types, eight of a byte each.
    Types(Slot<W64>),
    /// The local APIC's.
    Apic,
    /// Commands: write only, nothing to do.
    Command,
}

/// What a register needs to exist.
#[derive(Clone, Copy)]
enum Needs {
    Always,
    Feature(u64),
    Bit((Leaf, u32)),
}

use Kind::*;
use Needs::{Always, Bit, Feature};

struct Msr {
    first: u32,
    last: u32,
    needs: Needs,
    kind: Kind,
}

const fn one(n: u32, needs: Needs, kind: Kind) -> Msr {
    Msr { first: n, last: n, needs, kind }
}
const fn range(first: u32, last: u32, needs: Needs, kind: Kind) -> Msr {
    Msr { first, last, needs, kind }
}

const ALL: u64 = u64::MAX;
/// IA32_TSC_DEADLINE.
const DEADLINE: u32 = 0x6E0;

/// All registers. Comments give the manual's names.
static MSRS: &[Msr] = &[
    // IA32_P5_MC_ADDR, IA32_P5_MC_TYPE
    range(0x00, 0x01, Bit(bit::MCE), Ignored(0)),
    // IA32_MONITOR_FILTER_SIZE
    one(0x06, Feature(f::MONITOR), Ignored(64)),
    // IA32_TIME_STAMP_COUNTER
    one(0x10, Feature(f::TSC), Tsc),
    // IA32_PLATFORM_ID
    one(0x17, Always, Constant(0)),
    // IA32_APIC_BASE
    one(0x1B, Bit(bit::APIC), Apic),
    // EBL_CR_POWERON, MSR_SMI_COUNT, IA32_FEATURE_CONTROL
    one(0x2A, Always, Ignored(0)),
    one(0x34, Always, Constant(0)),
    one(0x3A, Always, Constant(1)),
    // IA32_TSC_ADJUST
    one(0x3B, Bit(bit::TSC_ADJUST), TscAdjust),
    // IA32_SPEC_CTRL, IA32_PRED_CMD: with them, and enhanced IBRS, kernels need no retpolines
    one(0x48, Bit(bit::SPEC_CTRL), Word(state::SPEC_CTRL, 7)),
    one(0x49, Bit(bit::SPEC_CTRL), Command),
    // IA32_BIOS_UPDT_TRIG, IA32_BIOS_SIGN_ID
    one(0x79, Always, Command),
    // newer than the revisions whose SPEC_CTRL kernels do not trust
    one(0x8B, Always, Ignored(0xF0 << 32)),
    // IA32_PMC0 to 7
    range(0xC1, 0xC8, Always, Ignored(0)),
    // MSR_FSB_FREQ: 100 MHz; MSR_PLATFORM_INFO: ratio 10
    one(0xCD, Always, Constant(5)),
    one(0xCE, Always, Constant(10 << 8)),
    // IA32_MPERF, IA32_APERF are left out; IA32_MTRRCAP
    one(0xFE, Bit(bit::MTRR), Constant(0x508)),
    // IA32_ARCH_CAPABILITIES: not vulnerable to what has a bit here
    one(0x10A, Bit(bit::ARCH_CAPABILITIES), Constant(ARCH_CAPABILITIES)),
    // BBL_CR_CTL3
    one(0x11E, Always, Ignored(0)),
    // IA32_SYSENTER_CS, ESP, EIP
    one(0x174, Feature(f::SEP), Word(state::SYSENTER_CS, ALL)),
    one(0x175, Feature(f::SEP), Address(state::SYSENTER_ESP)),
    one(0x176, Feature(f::SEP), Address(state::SYSENTER_EIP)),
    // IA32_MCG_CAP: ten banks, with a control register
    one(0x179, Bit(bit::MCA), Constant(0x10A)),
    one(0x17A, Bit(bit::MCA), Word(state::MCG_STATUS, 7)),
    one(0x17B, Bit(bit::MCA), Word(state::MCG_CTL, ALL)),
    // IA32_PERFEVTSEL0 to 7
    range(0x186, 0x18D, Always, Ignored(0)),
    // IA32_PERF_STATUS, IA32_PERF_CTL, IA32_CLOCK_MODULATION, IA32_THERM_INTERRUPT, IA32_THERM_STATUS
    one(0x198, Always, Constant(0)),
    range(0x199, 0x19D, Always, Ignored(0)),
    // IA32_MISC_ENABLE: fast strings; XD_DISABLE must stay clear
    one(0x1A0, Always, Word(state::MISC_ENABLE, 0x0000_0000_0045_1889)),
    // MSR_MISC_FEATURE_CONTROL, MSR_OFFCORE_RSP, IA32_ENERGY_PERF_BIAS
    range(0x1A4, 0x1A7, Always, Ignored(0)),
    one(0x1B0, Always, Ignored(6)),
    // IA32_DEBUGCTL
    one(0x1D9, Always, Word(state::DEBUGCTL, 0xFFC3)),
    // MSR_LASTBRANCHFROMIP and its kin
    range(0x1DB, 0x1DE, Always, Constant(0)),
    // IA32_MTRR_PHYSBASE0 to PHYSMASK7: see `slot`
    range(0x200, 0x20F, Bit(bit::MTRR), Word(state::mtrr_variable(0), ALL)),
    // IA32_MTRR_FIX*
    one(0x250, Bit(bit::MTRR), Types(state::mtrr_fixed(0))),
    range(0x258, 0x259, Bit(bit::MTRR), Types(state::mtrr_fixed(1))),
    range(0x268, 0x26F, Bit(bit::MTRR), Types(state::mtrr_fixed(3))),
    // IA32_PAT
    one(0x277, Bit(bit::PAT), Types(state::PAT)),
    // IA32_MC0_CTL2 to MC9_CTL2
    range(0x280, 0x289, Bit(bit::MCA), Ignored(0)),
    // IA32_MTRR_DEF_TYPE
    one(0x2FF, Bit(bit::MTRR), Word(state::MTRR_DEF_TYPE, 0xCFF)),
    // IA32_FIXED_CTR0 to 2, IA32_PERF_CAPABILITIES, IA32_FIXED_CTR_CTRL, IA32_PERF_GLOBAL_*
    range(0x309, 0x30C, Always, Ignored(0)),
    one(0x345, Always, Constant(0)),
    range(0x38D, 0x391, Always, Ignored(0)),
    // IA32_MC0_CTL to IA32_MC9_MISC
    range(0x400, 0x427, Bit(bit::MCA), Ignored(0)),
    // IA32_TSC_DEADLINE
    one(DEADLINE, Bit(bit::TSC_DEADLINE), Apic),
    // x2APIC registers
    range(0x800, 0x8FF, Bit(bit::X2APIC), Apic),
    // IA32_XSS
    one(0xDA0, Feature(f::XSAVES), Word(state::XSS, 0)),
    one(0xC000_0080, Feature(f::LM | f::SYSCALL), Efer),
    one(0xC000_0081, Feature(f::SYSCALL), Word(state::STAR, ALL)),
    one(0xC000_0082, Feature(f::LM), Address(state::LSTAR)),
    one(0xC000_0083, Feature(f::LM), Address(state::CSTAR)),
    one(0xC000_0084, Feature(f::LM), Word(state::FMASK, 0xFFFF_FFFF)),
    one(0xC000_0100, Feature(f::LM), Base(seg::FS)),
    one(0xC000_0101, Feature(f::LM), Base(seg::GS)),
    one(0xC000_0102, Feature(f::LM), Address(state::KERNEL_GS_BASE)),
    one(0xC000_0103, Feature(f::RDTSCP | f::RDPID), Word(state::TSC_AUX, 0xFFFF_FFFF)),
    // AMD's HWCR, SYSCFG and machine check ones, which kernels for qemu64 look at
    one(0xC001_0010, Always, Ignored(0)),
    one(0xC001_0015, Always, Ignored(0)),
];

/// RDCL_NO, IBRS_ALL, RSBA clear, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO,
/// FBSDP_NO, PSDP_NO, BHI_NO, GDS_NO, RFDS_NO: nothing here runs speculatively.
const ARCH_CAPABILITIES: u64 = 1
    | 1 << 1
    | 1 << 3
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 8
    | 1 << 13
    | 1 << 14
    | 1 << 15
    | 1 << 20
    | 1 << 26
    | 1 << 27;

fn exists(core: &Core<X64>, needs: Needs) -> bool {
    match needs {
        Always => true,
        // Any of them.
        Feature(bits) => core.features & bits != 0,
        Bit(bit) => core.arch.cpuid.has(bit),
    }
}

fn find(core: &Core<X64>, n: u32) -> Option<&'static Msr> {
    MSRS.iter().find(|m| (m.first..=m.last).contains(&n)).filter(|m| exists(core, m.needs))
}

/// The word of a register in a range.
fn slot(m: &Msr, first: Slot<W64>, n: u32) -> Slot<W64> {
    Slot::byte(first.offset() + 8 * (n - m.first) as u16)
}

#[cold]
fn missing(core: &mut Core<X64>, what: &str, n: u32) -> Raised {
    if core.trace.shows(DebugItems::UNIMP) {
        log::debug!(target: "unimp", "cpu {} {what} of MSR {n:#x} at {:#x}", core.index, core.pc());
    }
    core.raise_now(fault::GP0, 0)
}

/// RDMSR: the register's number.
pub static READ: Helper<X64> =
    Helper { name: "rdmsr", effects: Effects::FAULTS, run: |c, n, _, _| read(c, n as u32) };

/// The time stamp counter.
pub fn tsc(core: &Core<X64>) -> u64 {
    core.arch.platform.nanoseconds().wrapping_add(core.reg(state::TSC_OFFSET))
}

/// Reads a register.
///
/// # Errors
/// #GP if there is none.
pub fn read(core: &mut Core<X64>, n: u32) -> Result<u64, Raised> {
    let Some(m) = find(core, n) else { return Err(missing(core, "read", n)) };
    Ok(match m.kind {
        Word(s, _) | Address(s) | Types(s) => core.reg(slot(m, s, n)),
        Constant(x) | Ignored(x) => x,
        Base(s) => core.reg(state::base(s)),
        Efer => core.reg(state::EFER),
        Tsc => tsc(core),
        TscAdjust => core.reg(state::TSC_ADJUST),
        Apic => {
            let platform = Arc::clone(&core.arch.platform);
            let x = platform.read_msr(core.index, n).ok_or_else(|| missing(core, "read", n))?;
            // The board counts virtual time.
            if n == DEADLINE && x != 0 { x.wrapping_add(core.reg(state::TSC_OFFSET)) } else { x }
        }
        Command => return Err(missing(core, "read", n)),
    })
}

/// WRMSR: the register's number, the value.
pub static WRITE: Helper<X64> =
    Helper { name: "wrmsr", effects: Effects::ENDS, run: |c, n, x, _| write(c, n as u32, x).map(|()| 0) };

/// Writes a register.
///
/// # Errors
/// #GP if there is none, or for a value that it cannot have.
pub fn write(core: &mut Core<X64>, n: u32, x: u64) -> Result<(), Raised> {
    let Some(m) = find(core, n) else { return Err(missing(core, "write", n)) };
    let valid = match m.kind {
        Word(_, mask) => x & !mask == 0,
        Address(_) | Base(_) => system::is_canonical(core, x),
        Constant(_) => false,
        Types(_) => {
            let ok = |t: u8| matches!(t, 0 | 1 | 4..=7) && !(t == 7 && n != 0x277);
            x.to_le_bytes().into_iter().all(ok)
        }
        _ => true,
    };
    if !valid {
        return Err(core.raise_now(fault::GP0, 0));
    }
    match m.kind {
        Word(s, _) | Address(s) | Types(s) => core.set(slot(m, s, n), x),
        Base(s) => core.set(state::base(s), x),
        Efer => control::set_efer(core, x)?,
        Tsc => {
            let change = x.wrapping_sub(tsc(core));
            set_tsc_offset(core, change);
        }
        TscAdjust => {
            let change = x.wrapping_sub(core.reg(state::TSC_ADJUST));
            set_tsc_offset(core, change);
        }
        Apic => {
            let platform = Arc::clone(&core.arch.platform);
            let ahead = if n == DEADLINE && x != 0 { core.reg(state::TSC_OFFSET) } else { 0 };
            if platform.write_msr(core.index, n, x.wrapping_sub(ahead)).is_none() {
                return Err(missing(core, "write", n));
            }
        }
        Constant(_) | Ignored(_) | Command => {}
    }
    Ok(())
}

/// Moves the counter; IA32_TSC_ADJUST follows.
fn set_tsc_offset(core: &mut Core<X64>, change: u64) {
    core.set(state::TSC_OFFSET, core.reg(state::TSC_OFFSET).wrapping_add(change));
    core.set(state::TSC_ADJUST, core.reg(state::TSC_ADJUST).wrapping_add(change));
}
