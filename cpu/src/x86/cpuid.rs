//! CPUID: the feature bits by name, and the leaves (SDM vol. 2, CPUID; AMD's APM vol. 3, appendix E for 8000_xxxxh).
//!
//! A feature that instructions need is announced only if the decode tables have them. Left out: performance monitors,
//! SGX, MPX, trace, hypervisor leaves.

use super::control::cr4;
use super::isa::xsave;
use super::{X64, features as f, isa, state};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Helper};
use std::sync::OnceLock;

/// A register of a leaf that holds feature bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// 1, ECX
    L1C,
    /// 1, EDX
    L1D,
    /// 7, EBX
    L7B,
    /// 7, ECX
    L7C,
    /// 7, EDX
    L7D,
    /// 0Dh subleaf 1, EAX
    LDA,
    /// 8000_0001h, ECX
    LEC,
    /// 8000_0001h, EDX
    LED,
    /// 8000_0007h, EDX
    LTD,
}
/// How many there are.
pub const LEAVES: usize = 9;

/// A feature bit.
pub struct Bit {
    /// Its name on the command line.
    pub name: &'static str,
    /// Where it is.
    pub leaf: Leaf,
    /// The bit.
    pub bit: u32,
    /// What decoding and semantics know it by; 0 if they do not look at it.
    pub feature: u64,
}

macro_rules! feature_bits { ($($name:literal $leaf:ident $bit:literal $(=> $feature:ident)?;)*) => {
    /// All feature bits that exist here.
    pub static BITS: &[Bit] = &[$(Bit { name: $name, leaf: Leaf::$leaf, bit: $bit, feature: 0 $(| f::$feature)? }),*];
} }

feature_bits! {
    "fpu" L1D 0 => FPU; "vme" L1D 1 => VME; "de" L1D 2; "pse" L1D 3; "tsc" L1D 4 => TSC; "msr" L1D 5;
    "pae" L1D 6; "mce" L1D 7; "cx8" L1D 8 => CX8; "apic" L1D 9; "sep" L1D 11 => SEP; "mtrr" L1D 12;
    "pge" L1D 13; "mca" L1D 14; "cmov" L1D 15 => CMOV; "pat" L1D 16; "pse36" L1D 17; "clflush" L1D 19 => CLFSH;
    "mmx" L1D 23 => MMX; "fxsr" L1D 24 => FXSR; "sse" L1D 25 => SSE; "sse2" L1D 26 => SSE2; "ss" L1D 27;
    "ht" L1D 28;
    "pni" L1C 0 => SSE3; "pclmulqdq" L1C 1 => PCLMUL; "monitor" L1C 3 => MONITOR; "ssse3" L1C 9 => SSSE3;
    "fma" L1C 12 => FMA; "cx16" L1C 13 => CX16; "pcid" L1C 17; "sse4.1" L1C 19 => SSE41; "sse4.2" L1C 20 => SSE42;
    "x2apic" L1C 21; "movbe" L1C 22 => MOVBE; "popcnt" L1C 23 => POPCNT; "tsc-deadline" L1C 24; "aes" L1C 25 => AES;
    "xsave" L1C 26 => XSAVE; "avx" L1C 28 => AVX; "f16c" L1C 29 => F16C; "rdrand" L1C 30 => RDRAND;
    "hypervisor" L1C 31;
    "fsgsbase" L7B 0 => FSGSBASE; "tsc_adjust" L7B 1; "bmi1" L7B 3 => BMI1; "avx2" L7B 5 => AVX2; "smep" L7B 7;
    "bmi2" L7B 8 => BMI2; "erms" L7B 9; "invpcid" L7B 10 => INVPCID; "rdseed" L7B 18 => RDSEED; "adx" L7B 19 => ADX;
    "smap" L7B 20 => SMAP; "clflushopt" L7B 23 => CLFLUSHOPT; "clwb" L7B 24 => CLWB; "sha-ni" L7B 29 => SHA;
    "umip" L7C 2 => UMIP; "pku" L7C 3 => PKU; "gfni" L7C 8 => GFNI; "vaes" L7C 9 => VAES;
    "vpclmulqdq" L7C 10 => VPCLMUL; "la57" L7C 16; "rdpid" L7C 22 => RDPID;
    "fsrm" L7D 4; "spec-ctrl" L7D 26; "arch-capabilities" L7D 29;
    "xsaveopt" LDA 0 => XSAVEOPT; "xsavec" LDA 1 => XSAVEC; "xgetbv1" LDA 2; "xsaves" LDA 3 => XSAVES;
    "lahf_lm" LEC 0 => LAHF_LM; "abm" LEC 5 => LZCNT; "3dnowprefetch" LEC 8 => PREFETCHW;
    "syscall" LED 11 => SYSCALL; "nx" LED 20; "pdpe1gb" LED 26; "rdtscp" LED 27 => RDTSCP; "lm" LED 29 => LM;
    "invtsc" LTD 8;
}

/// Other spellings of names.
const ALIASES: &[(&str, &str)] = &[
    ("sse3", "pni"),
    ("sse4_1", "sse4.1"),
    ("sse4_2", "sse4.2"),
    ("lzcnt", "abm"),
    ("i64", "lm"),
    ("xd", "nx"),
    ("cmpxchg8b", "cx8"),
    ("cmpxchg16b", "cx16"),
    ("clfsh", "clflush"),
    ("sha_ni", "sha-ni"),
    ("tsc-adjust", "tsc_adjust"),
    ("tsc_deadline", "tsc-deadline"),
    ("prefetchw", "3dnowprefetch"),
];

/// Bits that paging and control registers look at.
pub mod bit {
    #![expect(missing_docs, reason = "the manual's names")]
    use super::Leaf;
    pub const DE: (Leaf, u32) = (Leaf::L1D, 2);
    pub const PSE: (Leaf, u32) = (Leaf::L1D, 3);
    pub const PAE: (Leaf, u32) = (Leaf::L1D, 6);
    pub const MCE: (Leaf, u32) = (Leaf::L1D, 7);
    pub const APIC: (Leaf, u32) = (Leaf::L1D, 9);
    pub const MTRR: (Leaf, u32) = (Leaf::L1D, 12);
    pub const PGE: (Leaf, u32) = (Leaf::L1D, 13);
    pub const MCA: (Leaf, u32) = (Leaf::L1D, 14);
    pub const PAT: (Leaf, u32) = (Leaf::L1D, 16);
    pub const PSE36: (Leaf, u32) = (Leaf::L1D, 17);
    pub const PCID: (Leaf, u32) = (Leaf::L1C, 17);
    pub const X2APIC: (Leaf, u32) = (Leaf::L1C, 21);
    pub const TSC_DEADLINE: (Leaf, u32) = (Leaf::L1C, 24);
    pub const TSC_ADJUST: (Leaf, u32) = (Leaf::L7B, 1);
    pub const SMEP: (Leaf, u32) = (Leaf::L7B, 7);
    pub const LA57: (Leaf, u32) = (Leaf::L7C, 16);
    pub const SPEC_CTRL: (Leaf, u32) = (Leaf::L7D, 26);
    pub const ARCH_CAPABILITIES: (Leaf, u32) = (Leaf::L7D, 29);
    pub const NX: (Leaf, u32) = (Leaf::LED, 20);
    pub const GIB_PAGES: (Leaf, u32) = (Leaf::LED, 26);
}

/// The feature bit of a name.
pub fn find(name: &str) -> Option<&'static Bit> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    BITS.iter().find(|b| b.name == name)
}

/// Features that some decode row needs.
fn decoded() -> u64 {
    static ALL: OnceLock<u64> = OnceLock::new();
    *ALL.get_or_init(|| isa::interp_table().rows().iter().fold(0, |all, row| all | row.features))
}

/// Features that instructions do not need rows for.
const WITHOUT_ROWS: u64 = f::VME | f::LAHF_LM | f::LM | f::FPU | f::UMIP | f::CR8_LEGACY;

/// What a processor says of itself.
#[derive(Clone, Debug)]
pub struct Cpuid {
    /// Vendor, twelve characters; empty on processors without CPUID.
    pub vendor: &'static str,
    /// Type, family, model, stepping, as in EAX of leaf 1 and in EDX after reset.
    pub signature: u32,
    /// The last standard leaf.
    pub last: u32,
    /// The last extended leaf, or 0.
    pub last_extended: u32,
    /// At most 48 characters.
    pub brand: String,
    /// Bits of physical addresses.
    pub physical: u32,
    /// Processors in the package.
    pub cpus: u32,
    /// How it was configured: what [`super::model::configure`] makes the same of.
    pub spec: String,
    words: [u32; LEAVES],
}

impl Cpuid {
    /// One without feature bits.
    pub fn new(vendor: &'static str, signature: u32, brand: &str) -> Self {
        let brand = brand.chars().filter(char::is_ascii).take(47).collect();
        Self {
            vendor,
            signature,
            last: 0,
            last_extended: 0,
            brand,
            physical: 32,
            cpus: 1,
            spec: String::new(),
            words: [0; LEAVES],
        }
    }

    /// Sets or clears a bit.
    pub fn set(&mut self, b: &Bit, on: bool) {
        let word = &mut self.words[b.leaf as usize];
        *word = *word & !(1 << b.bit) | (on as u32) << b.bit;
    }

    /// Whether a bit is set.
    pub fn has(&self, (leaf, bit): (Leaf, u32)) -> bool {
        self.words[leaf as usize] >> bit & 1 != 0
    }

    /// Clears the bits of instructions that the decode tables do not have, and gives the features that the others mean.
    pub fn settle(&mut self) -> u64 {
        let known = decoded() | WITHOUT_ROWS;
        let mut features = 0;
        for b in BITS {
            if b.feature & known != b.feature {
                self.set(b, false);
            } else if self.has((b.leaf, b.bit)) {
                features |= b.feature;
            }
        }
        features
    }

    /// Bits of physical addresses.
    pub fn physical_bits(&self) -> u32 {
        self.physical.clamp(20, 52)
    }

    /// The state components that XCR0 may enable.
    pub fn xcr0(&self, features: u64) -> u64 {
        let has = |feature: u64, component: u64| if features & feature != 0 { component } else { 0 };
        xsave::X87 | xsave::SSE | has(f::AVX, xsave::AVX) | has(f::PKU, xsave::PKRU)
    }

    /// The features of a leaf.
    pub fn word(&self, leaf: Leaf) -> u32 {
        self.words[leaf as usize]
    }
}

/// Frequency of the time stamp counter in Hz: it counts nanoseconds of virtual time.
pub const TSC_FREQUENCY: u32 = 1_000_000_000;

/// CPUID: leaf and subleaf in, registers out.
pub static CPUID: Helper<X64> = Helper { name: "cpuid", effects: Effects::STATE, run: cpuid };

fn cpuid(core: &mut Core<X64>, leaf: u64, subleaf: u64, _: u64) -> Result<u64, Raised> {
    let registers = leaf_registers(core, leaf as u32, subleaf as u32);
    for (register, value) in [0, 3, 1, 2].into_iter().zip(registers) {
        core.set(state::gpr(register), value as u64);
    }
    Ok(0)
}

/// Four characters as a register.
fn text(s: &[u8], n: usize) -> u32 {
    let mut bytes = [0; 4];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = s.get(4 * n + i).copied().unwrap_or(0);
    }
    u32::from_le_bytes(bytes)
}

/// EAX, EBX, ECX and EDX of a leaf.
pub fn leaf_registers(core: &Core<X64>, leaf: u32, subleaf: u32) -> [u32; 4] {
    let id = &core.arch.cpuid;
    let last = if leaf & 0x8000_0000 != 0 { id.last_extended } else { id.last };
    if leaf > last || leaf & 0x4000_0000 != 0 {
        return [0; 4];
    }
    let apic_id = core.index as u32;
    let ceil_log2 = 32 - id.cpus.max(1).saturating_sub(1).leading_zeros();
    match leaf {
        0 => {
            let v = id.vendor.as_bytes();
            [id.last, text(v, 0), text(v, 2), text(v, 1)]
        }
        1 => {
            let osxsave = core.reg(state::CR4) & cr4::OSXSAVE != 0;
            let ecx = id.word(Leaf::L1C) | if osxsave { 1 << 27 } else { 0 };
            let ht = if id.cpus > 1 { 1 << 28 } else { 0 };
            // IA32_APIC_BASE.EN is clear: as if there were none.
            let off = core.arch.platform.read_msr(core.index, 0x1B).is_some_and(|base| base & 1 << 11 == 0);
            let edx = (id.word(Leaf::L1D) | ht) & if off { !(1 << 9) } else { u32::MAX };
            [id.signature, apic_id << 24 | id.cpus.min(255) << 16 | 8 << 8, ecx, edx]
        }
        // 32 KiB of L1 instruction and data caches, 2 MiB of L2.
        2 => [0x0000_0001, 0, 0, 0x002C_307D],
        4 => deterministic_cache(subleaf, id.cpus),
        // The APIC timer runs in every power state.
        6 => [4, 0, 0, 0],
        7 if subleaf == 0 => {
            let ospke = core.reg(state::CR4) & cr4::PKE != 0;
            let ecx = id.word(Leaf::L7C) | if ospke { 1 << 4 } else { 0 };
            [0, id.word(Leaf::L7B), ecx, id.word(Leaf::L7D)]
        }
        0xB if subleaf == 0 => [0, 1, 0x100, apic_id],
        0xB if subleaf == 1 => [ceil_log2, id.cpus, 0x201, apic_id],
        0xB => [0, 0, subleaf, apic_id],
        0xD if core.features & f::XSAVE != 0 => extended_state(core, subleaf),
        // The counter's clock is the crystal's.
        0x15 => [1, 1, TSC_FREQUENCY, 0],
        0x16 => [TSC_FREQUENCY / 1_000_000, TSC_FREQUENCY / 1_000_000, 100, 0],
        0x8000_0000 => {
            let amd = id.vendor == "AuthenticAMD";
            let v = if amd { id.vendor.as_bytes() } else { &[] };
            [id.last_extended, text(v, 0), text(v, 2), text(v, 1)]
        }
        0x8000_0001 => [id.signature, 0, id.word(Leaf::LEC), id.word(Leaf::LED)],
        0x8000_0002..=0x8000_0004 => {
            let from = 4 * (leaf - 0x8000_0002) as usize;
            std::array::from_fn(|n| text(id.brand.as_bytes(), from + n))
        }
        0x8000_0006 => [0, 0, 0x0200_8040, 0],
        0x8000_0007 => [0, 0, 0, id.word(Leaf::LTD)],
        0x8000_0008 => {
            let linear = if id.has(bit::LA57) { 57 } else { 48 };
            [id.physical_bits() | linear << 8, 0, ceil_log2 << 12 | id.cpus.saturating_sub(1).min(255), 0]
        }
        _ => [0; 4],
    }
}

/// Leaf 4: L1 data and instruction caches of 32 KiB, L2 of 2 MiB, L3 of 16 MiB that all share.
fn deterministic_cache(subleaf: u32, cpus: u32) -> [u32; 4] {
    let cores = cpus.next_power_of_two().clamp(1, 64) - 1;
    let (kind, level, ways, sets, shared) = match subleaf {
        0 => (1, 1, 8, 64, 0),
        1 => (2, 1, 8, 64, 0),
        2 => (3, 2, 16, 2048, 0),
        3 => (3, 3, 16, 16384, cores),
        _ => return [0; 4],
    };
    [kind | level << 5 | 1 << 8 | shared << 14 | cores << 26, (ways - 1) << 22 | 63, sets - 1, 0]
}

/// Bytes of the XSAVE area for components, in the standard and in the compacted format.
fn areas(components: u64) -> [u32; 2] {
    let [avx, pkru] = [xsave::AVX, xsave::PKRU].map(|c| components & c != 0);
    let mut size = xsave::BASE as u32;
    let mut compact = size;
    if avx {
        size = (xsave::AVX_OFFSET + xsave::AVX_SIZE) as u32;
        compact += xsave::AVX_SIZE as u32;
    }
    if pkru {
        size = (xsave::PKRU_OFFSET + xsave::PKRU_SIZE) as u32;
        compact += xsave::PKRU_SIZE as u32;
    }
    [size, compact]
}

fn extended_state(core: &Core<X64>, subleaf: u32) -> [u32; 4] {
    let id = &core.arch.cpuid;
    let all = id.xcr0(core.features);
    match subleaf {
        0 => [all as u32, areas(core.reg(state::XCR0))[0], areas(all)[0], (all >> 32) as u32],
        1 => {
            let word = id.word(Leaf::LDA);
            let compact = if word & 0xA != 0 { areas(core.reg(state::XCR0))[1] } else { 0 };
            [word, compact, 0, 0]
        }
        2 if all & xsave::AVX != 0 => [xsave::AVX_SIZE as u32, xsave::AVX_OFFSET as u32, 0, 0],
        9 if all & xsave::PKRU != 0 => [xsave::PKRU_SIZE as u32, xsave::PKRU_OFFSET as u32, 0, 0],
        _ => [0; 4],
    }
}
