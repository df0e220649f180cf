//! Feature bits of a model: what decoding and semantics depend on. CPUID itself is in [`super::cpuid`].

macro_rules! bits { ($($(#[$doc:meta])* $name:ident;)*) => {
    bits! { @ 0u32; $($(#[$doc])* $name;)* }
    /// Names of the features, by bit.
    pub const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
    (@ $n:expr; $(#[$doc:meta])* $name:ident; $($rest:tt)*) => {
        $(#[$doc])*
        pub const $name: u64 = 1 << ($n);
        bits! { @ $n + 1; $($rest)* }
    };
    (@ $n:expr;) => {};
}
bits! {
    /// 80186: PUSHA, ENTER, INS, shifts by immediates, ...
    I186;
    /// 80286: protected mode.
    I286;
    /// 80386: 32 bits, paging.
    I386;
    /// 486: BSWAP, CMPXCHG, XADD, INVLPG.
    I486;
    /// Pentium: CPUID, RDMSR, RSM.
    I586;
    /// Pentium Pro: UD2, long NOP, RDPMC.
    I686;
    /// x87
    FPU;
    /// virtual-8086 mode extensions
    VME;
    /// time stamp counter
    TSC;
    /// CMPXCHG8B
    CX8;
    /// SYSENTER
    SEP;
    /// CMOVcc and FCMOVcc
    CMOV;
    /// CLFLUSH
    CLFSH;
    /// MMX
    MMX;
    /// FXSAVE
    FXSR;
    /// SSE
    SSE;
    /// SSE2
    SSE2;
    /// SSE3
    SSE3;
    /// PCLMULQDQ
    PCLMUL;
    /// MONITOR and MWAIT
    MONITOR;
    /// SSSE3
    SSSE3;
    /// FMA
    FMA;
    /// CMPXCHG16B
    CX16;
    /// SSE4.1
    SSE41;
    /// SSE4.2
    SSE42;
    /// MOVBE
    MOVBE;
    /// POPCNT
    POPCNT;
    /// AES
    AES;
    /// XSAVE
    XSAVE;
    /// AVX
    AVX;
    /// F16C
    F16C;
    /// RDRAND
    RDRAND;
    /// FSGSBASE
    FSGSBASE;
    /// BMI1
    BMI1;
    /// AVX2
    AVX2;
    /// BMI2
    BMI2;
    /// INVPCID
    INVPCID;
    /// RDSEED
    RDSEED;
    /// ADX
    ADX;
    /// SMAP: CLAC and STAC
    SMAP;
    /// CLFLUSHOPT
    CLFLUSHOPT;
    /// CLWB
    CLWB;
    /// SHA
    SHA;
    /// UMIP
    UMIP;
    /// PKU
    PKU;
    /// RDPID
    RDPID;
    /// XSAVEOPT
    XSAVEOPT;
    /// XSAVEC
    XSAVEC;
    /// XSAVES
    XSAVES;
    /// SYSCALL
    SYSCALL;
    /// RDTSCP
    RDTSCP;
    /// long mode
    LM;
    /// LAHF and SAHF in 64-bit mode
    LAHF_LM;
    /// LZCNT
    LZCNT;
    /// PREFETCHW
    PREFETCHW;
    /// SSE4A is not implemented; kept for models that would have it
    CR8_LEGACY;
    /// VPCLMULQDQ
    VPCLMUL;
    /// VAES
    VAES;
    /// GFNI
    GFNI;
}
