//! What the back end is told: the guest's form of things, the mode, and the host's instructions.

use super::stubs::Stubs;
use crate::guest::Guest;

/// What the back end must know besides the IR.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// Where the fixed routines are.
    pub stubs: Stubs,
    /// Instructions are counted against the budget, block by block.
    pub counting: bool,
    /// Jumps leave the region, even to its own blocks.
    pub alone: bool,
    /// Atomics are locked.
    pub locked: bool,
    /// The mode faults unaligned plain accesses.
    pub strict: bool,
    /// The last byte of the page that regions are linked to.
    pub last_linked: u16,
    /// Byte of the PC in the register file.
    pub pc: u16,
    /// Byte of the condition flags.
    pub flags: u16,
    /// Byte of the floating-point status.
    pub status: u16,
    /// Which bits of what LAHF and SETO leave are flags of the guest.
    pub flag_bits: u32,
    /// Flags may be computed late: they are in x86's form.
    pub late_flags: bool,
    /// The guest has an x87.
    pub has_x87: bool,
    /// The helpers of the x87's instructions may be avoided.
    pub x87: bool,
    /// How many words from 0 may be pinned.
    pub pinnable: u16,
    /// Byte of the request mask, from the start of the register file.
    pub poll_mask: u16,
    /// Byte of MXCSR without its exception flags, which are the status, if the guest is x86.
    pub mxcsr: Option<u16>,
    /// The host's floating point serves the mode.
    pub fp_plain: bool,
    /// The host has BMI2.
    pub bmi2: bool,
    /// The host has AVX2.
    pub avx2: bool,
    /// The mode may flush denormal numbers.
    pub fp_flush: bool,
    /// An inexact result changes no status in this mode.
    pub fp_inexact: bool,
    /// The host has AVX2 and fuses multiplication and addition.
    pub fma: bool,
    /// The host has AVX-512 with the BW, DQ and VL extensions.
    pub avx512: bool,
    /// The host converts half precision.
    pub f16c: bool,
    /// The host has AES rounds.
    pub aes: bool,
    /// The host has SHA-256 rounds.
    pub sha: bool,
    /// The host multiplies polynomials.
    pub pclmul: bool,
}

impl Config {
    /// What a guest's mode says; the rest is off.
    pub fn of<A: Guest>(mode: u32) -> Self {
        Config {
            locked: A::shared(mode),
            strict: A::strict(mode),
            last_linked: lyrebird_cpu::run::last_whole::<A>() as u16,
            pc: A::PC.offset(),
            flags: A::FLAGS.offset(),
            status: A::FP_STATUS.offset(),
            pinnable: A::GENERAL,
            flag_bits: A::FLAG_BITS,
            late_flags: A::LATE_FLAGS,
            has_x87: A::X87,
            x87: A::inline_x87(mode),
            poll_mask: A::POLL_MASK.offset(),
            mxcsr: A::MXCSR.map(|s| s.offset()),
            fp_plain: A::plain_fp(mode),
            fp_flush: A::flushing_fp(mode),
            fp_inexact: A::inexact_fp(mode),
            ..Config::default()
        }
    }

    /// With the instructions that this host has.
    pub fn for_host(self) -> Self {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = has!("avx2");
        Config {
            bmi2: has!("bmi2"),
            avx2,
            fma: avx2 && has!("fma"),
            avx512: has!("avx512dq") && has!("avx512vl") && has!("avx512bw"),
            f16c: avx2 && has!("f16c"),
            aes: has!("aes"),
            sha: has!("sha"),
            pclmul: has!("pclmulqdq"),
            ..self
        }
    }
}
