//! Feature bits of Arm processor models, by the names of the Arm ARM (DDI 0487 A2).

macro_rules! features { ($($(#[$doc:meta])* $name:ident $text:literal;)*) => {
    #[derive(Clone, Copy)]
    #[repr(u64)]
    #[allow(non_camel_case_types, reason = "the manual's names")]
    enum Bit { $($name),* }
    $($(#[$doc])* pub const $name: u64 = 1 << Bit::$name as u64;)*
    /// Every feature with the name that the manual gives it after `FEAT_`.
    pub const ALL: &[(&str, u64)] = &[$(($text, $name)),*];
} }

features! {
    /// Single and double precision floating point and Advanced SIMD.
    FP "FP";
    /// AESE, AESD, AESMC, AESIMC.
    AES "AES";
    /// PMULL on 64-bit elements.
    PMULL "PMULL";
    /// SHA1 instructions.
    SHA1 "SHA1";
    /// SHA256 instructions.
    SHA256 "SHA256";
    /// CRC32 instructions.
    CRC32 "CRC32";
    /// Large system extension: atomics.
    LSE "LSE";
    /// Rounding doubling multiply accumulate.
    RDM "RDM";
    /// Load-acquire RCpc.
    LRCPC "LRCPC";
    /// LDAPUR and STLUR.
    LRCPC2 "LRCPC2";
    /// Dot product.
    DOTPROD "DotProd";
    /// Half-precision arithmetic.
    FP16 "FP16";
    /// FMLAL and FMLSL.
    FHM "FHM";
    /// Complex arithmetic.
    FCMA "FCMA";
    /// FJCVTZS.
    JSCVT "JSCVT";
    /// SHA3 instructions.
    SHA3 "SHA3";
    /// SHA512 instructions.
    SHA512 "SHA512";
    /// SM3 instructions.
    SM3 "SM3";
    /// SM4 instructions.
    SM4 "SM4";
    /// CFINV, RMIF, SETF8, SETF16.
    FLAGM "FlagM";
    /// AXFLAG, XAFLAG.
    FLAGM2 "FlagM2";
    /// FRINT32 and FRINT64.
    FRINTTS "FRINTTS";
    /// Pointer authentication.
    PAUTH "PAuth";
    /// Pointer authentication by QARMA5 instead of the fast algorithm.
    PACQARMA5 "PACQARMA5";
    /// Branch target identification.
    BTI "BTI";
    /// Speculation barrier.
    SB "SB";
    /// Speculative store bypass safe.
    SSBS "SSBS";
    /// DC CVAP.
    DPB "DPB";
    /// DC CVADP.
    DPB2 "DPB2";
    /// RNDR, RNDRRS.
    RNG "RNG";
    /// Privileged access never.
    PAN "PAN";
    /// AT S1E1RP, AT S1E1WP.
    PAN2 "PAN2";
    /// User access override.
    UAO "UAO";
    /// Hardware access flag.
    HAF "HAF";
    /// Hardware dirty state.
    HDBS "HDBS";
    /// 16-bit ASIDs.
    ASID16 "ASID16";
    /// TLBI range and outer-shareable forms.
    TLBIRANGE "TLBIRANGE";
    /// E0PD: level 0 may not reach one half of the address space.
    E0PD "E0PD";
    /// Performance monitors.
    PMUV3 "PMUv3";
    /// Performance monitors of Armv8.1: a wider event space.
    PMUV3P1 "PMUv3p1";
    /// Performance monitors of Armv8.5: 64-bit event counters.
    PMUV3P5 "PMUv3p5";
    /// Int8 matrix multiply.
    I8MM "I8MM";
    /// BFloat16.
    BF16 "BF16";
    /// CSV2 and CSV3: speculation leaks neither between contexts nor across privilege, so that kernels need no branch
    /// predictor maintenance and no page-table isolation.
    CSV3 "CSV3";
    /// 52-bit virtual addresses with 64K granule.
    LVA "LVA";
    /// Data independent timing bit.
    DIT "DIT";
    /// WFE and WFI with timeout.
    WFXT "WFxT";
    /// Debug over power-down: OS double lock absent, and similar identification only.
    DOUBLELOCK "DoubleLock";
    /// 48-bit physical addresses.
    PA48 "PA48";
    /// LSE2: unaligned single-copy atomicity within 16 bytes.
    LSE2 "LSE2";
}
