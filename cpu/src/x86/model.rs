//! Processor models and the state after reset (SDM vol. 3, 11.1) and SIPI (10.4). What waits for SIPI is the board's.

use super::control::cr0;
use super::cpuid::{BITS, Cpuid, find as find_bit};
use super::insn::seg;
use super::isa::sse_control;
use super::segment::{self, LDTR, Segment, TR};
use super::{X64, context, debug, features as f, smm, state};
use crate::core::Core;

/// A processor model.
pub struct Model {
    /// Its name on the command line.
    pub name: &'static str,
    vendor: &'static str,
    brand: &'static str,
    /// Family, model, stepping.
    signature: (u32, u32, u32),
    /// Last standard and extended leaf.
    leaves: (u32, u32),
    physical: u32,
    /// What the model has without CPUID bits.
    features: u64,
    /// Its CPUID bits, blank separated.
    bits: &'static [&'static str],
}

const I8086: u64 = 0;
const I286: u64 = f::I186 | f::I286;
const I386: u64 = I286 | f::I386;
const I486: u64 = I386 | f::I486;
const I586: u64 = I486 | f::I586;
const I686: u64 = I586 | f::I686;

const PENTIUM: &str = "fpu vme de pse tsc msr mce cx8 apic";
const P6: &str = "pae sep mtrr pge mca cmov pat pse36 mmx fxsr";
const X86_64: &str = "sse sse2 pni cx16 clflush syscall nx lm lahf_lm invtsc x2apic";
const CORE2: &str = "ssse3 ss";
const V2: &str = "sse4.1 sse4.2 popcnt";
const V3: &str = "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave";
const HASWELL: &str =
    "pcid aes pclmulqdq rdrand fsgsbase smep erms invpcid tsc-deadline tsc_adjust rdtscp pdpe1gb";
const SKYLAKE: &str =
    "rdseed adx smap clflushopt 3dnowprefetch xsaveopt xsavec xgetbv1 xsaves arch-capabilities spec-ctrl";
const NEWEST: &str = "clwb sha-ni umip gfni vaes vpclmulqdq rdpid fsrm";

const INTEL: &str = "GenuineIntel";
const AMD: &str = "AuthenticAMD";

macro_rules! models { ($($name:literal $vendor:ident $brand:literal $signature:tt $leaves:tt $physical:literal $features:ident [$($bits:expr),*];)*) => {
    /// All models.
    pub static MODELS: &[Model] = &[$(Model {
        name: $name, vendor: $vendor, brand: $brand, signature: $signature, leaves: $leaves, physical: $physical,
        features: $features, bits: &[$($bits),*],
    }),*];
} }

const NONE: &str = "";

models! {
    "8086" NONE "" (0, 0, 0) (0, 0) 20 I8086 [];
    "80286" NONE "" (0, 0, 0) (0, 0) 24 I286 [];
    "80386" NONE "" (3, 0, 8) (0, 0) 32 I386 [];
    "486" NONE "" (4, 2, 0) (0, 0) 32 I486 ["fpu"];
    "pentium" INTEL "" (5, 4, 3) (1, 0) 32 I586 [PENTIUM];
    "pentium2" INTEL "" (6, 5, 2) (2, 0) 36 I686 [PENTIUM, P6];
    "pentium3" INTEL "" (6, 7, 3) (2, 0) 36 I686 [PENTIUM, P6, "sse"];
    "core2duo" INTEL "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz" (6, 15, 11) (0xA, 0x8000_0008) 36 I686
        [PENTIUM, P6, X86_64, CORE2];
    "qemu64" AMD "Lyrebird Virtual CPU" (15, 107, 1) (0xD, 0x8000_000A) 40 I686 [PENTIUM, P6, X86_64];
    "Nehalem" INTEL "Intel Core i7 9xx (Nehalem Class Core i7)" (6, 26, 3) (0xB, 0x8000_0008) 40 I686
        [PENTIUM, P6, X86_64, CORE2, V2];
    "Haswell" INTEL "Intel Core Processor (Haswell)" (6, 60, 4) (0xD, 0x8000_0008) 39 I686
        [PENTIUM, P6, X86_64, CORE2, V2, V3, HASWELL];
    "Skylake-Client" INTEL "Intel Core Processor (Skylake)" (6, 94, 3) (0x16, 0x8000_0008) 39 I686
        [PENTIUM, P6, X86_64, CORE2, V2, V3, HASWELL, SKYLAKE];
    "max" INTEL "Lyrebird Virtual CPU" (6, 94, 3) (0x16, 0x8000_0008) 40 I686
        [PENTIUM, P6, X86_64, CORE2, V2, V3, HASWELL, SKYLAKE, NEWEST, "pku"];
    "max32" INTEL "Lyrebird Virtual CPU" (6, 94, 3) (0x16, 0x8000_0008) 40 I686
        [PENTIUM, P6, "sse sse2 pni clflush nx invtsc x2apic", CORE2, V2, V3, HASWELL, SKYLAKE, NEWEST];
}

/// Other names of models.
const ALIASES: &[(&str, &str)] = &[
    ("host", "max"),
    ("base", "max"),
    ("286", "80286"),
    ("386", "80386"),
    ("i386", "80386"),
    ("i486", "486"),
    ("kvm64", "qemu64"),
];

/// The model of a name.
pub fn find(name: &str) -> Option<&'static Model> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
    MODELS.iter().find(|m| m.name.eq_ignore_ascii_case(name))
}

/// What a processor is, as configured: its features and CPUID.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Feature bits for decoding.
    pub features: u64,
    /// CPUID.
    pub cpuid: Cpuid,
}

/// A model with features added and removed, as `Haswell,+sha-ni,-avx2,x2apic=off`.
///
/// # Errors
/// With a sentence on what there is no such model or feature of.
pub fn configure(spec: &str) -> Result<Configured, String> {
    let mut parts = spec.split(',');
    let name = parts.next().unwrap_or_default();
    let Some(model) = find(name) else {
        let all: Vec<_> = MODELS.iter().map(|m| m.name).collect();
        return Err(format!("There is no processor model {name}; there are {} and host", all.join(", ")));
    };
    let mut c = configured(model);
    c.cpuid.spec = spec.into();
    for part in parts.filter(|p| !p.is_empty()) {
        let (name, on) = match (part.strip_prefix('+'), part.strip_prefix('-'), part.split_once('=')) {
            (Some(name), ..) => (name, true),
            (_, Some(name), _) => (name, false),
            (.., Some((name, value))) => (name, matches!(value, "on" | "yes" | "true")),
            _ => (part, true),
        };
        match find_bit(name) {
            Some(bit) => c.cpuid.set(bit, on),
            None => return Err(format!("There is no processor feature {name}; see -cpu help")),
        }
    }
    Ok(settled(model, c))
}

fn configured(model: &Model) -> Configured {
    let (family, number, stepping) = model.signature;
    let (extended_family, family) = if family > 15 { (family - 15, 15) } else { (0, family) };
    let signature = extended_family << 20 | (number >> 4) << 16 | family << 8 | (number & 15) << 4 | stepping;
    let mut cpuid = Cpuid::new(model.vendor, signature, model.brand);
    (cpuid.last, cpuid.last_extended) = model.leaves;
    cpuid.physical = model.physical;
    for name in model.bits.iter().flat_map(|bits| bits.split_whitespace()) {
        if let Some(bit) = find_bit(name) {
            cpuid.set(bit, true);
        }
    }
    Configured { features: 0, cpuid }
}

fn settled(model: &Model, mut c: Configured) -> Configured {
    c.features = model.features | c.cpuid.settle();
    c
}

impl Default for Configured {
    fn default() -> Self {
        let model = &MODELS[MODELS.len() - 2];
        settled(model, configured(model))
    }
}

/// Names of all features, for `-cpu help`.
pub fn feature_names() -> impl Iterator<Item = &'static str> {
    BITS.iter().map(|b| b.name)
}

/// Puts a processor into its state after power-up or reset, about to start at the reset vector.
pub fn reset(core: &mut Core<X64>, what: &Configured) {
    *core.file.words_mut() = [0; crate::slot::WORDS];
    core.features = what.features;
    core.arch.cpuid = what.cpuid.clone();
    core.arch.cpuid.cpus = core.arch.cpus;
    core.arch.a20 = core.arch.platform.a20();
    core.set(state::CR0, if core.features & f::I486 != 0 { cr0::CD | cr0::NW } else { 0 });
    core.set(state::XCR0, 1);
    core.set(state::PAT, 0x0007_0406_0007_0406);
    core.set(state::MISC_ENABLE, 1);
    core.set(state::MCG_CTL, u64::MAX);
    core.set(state::FCW, 0x40);
    core.set(state::FTW, 0xFF);
    sse_control::set_mxcsr(core, 0x1F80);
    // Locked, without VMX.
    core.set(state::FEATURE_CONTROL, 1);
    core.set(state::SMBASE, smm::SMBASE);
    start(core);
}

/// What SIPI does after reset: the processor begins at a page of the first mebibyte.
pub fn start_up(core: &mut Core<X64>, vector: u8) {
    segment::put(core, seg::CS, Segment::real((vector as u16) << 8, 0));
    core.set_pc((vector as u64) << 12);
    context::refresh(core);
}

fn start(core: &mut Core<X64>) {
    core.halted = false;
    (core.arch.trap, core.arch.resumed, core.arch.pcid) = (false, false, 0);
    core.set(state::CPL, 0);
    core.set(state::BLOCKED, 0);
    core.set(state::SHADOW, state::NO_SHADOW);
    context::set_eflags(core, 0);
    let old = core.features & f::I386 == 0;
    core.set(state::CR0, core.reg(state::CR0) | if old { 0xFFF0 } else { cr0::ET });
    for s in 0..6 {
        segment::put(core, s, Segment::real(0, 0));
    }
    let (selector, base, ip) = match core.features {
        x if x & f::I286 == 0 => (0xFFFF, 0xF_FFF0, 0),
        x if x & f::I386 == 0 => (0xF000, 0xFF_0000, 0xFFF0),
        _ => (0xF000, 0xFFFF_0000, 0xFFF0),
    };
    segment::put(core, seg::CS, Segment { base, ..Segment::real(selector, 0) });
    let system = |kind: u32| Segment { attributes: 1 << 7 | kind, ..Segment::real(0, 0) };
    segment::put(core, LDTR, system(2));
    segment::put(core, TR, system(11));
    core.set(state::GDT_BASE, 0);
    core.set(state::GDT_LIMIT, 0xFFFF);
    core.set(state::IDT_BASE, 0);
    core.set(state::IDT_LIMIT, if old { 0x3FF } else { 0xFFFF });
    for n in 0..4 {
        core.set(state::dr(n), 0);
    }
    core.set(state::DR6, debug::DR6_FIXED);
    core.set(state::DR7, debug::DR7_FIXED);
    core.set(state::gpr(2), core.arch.cpuid.signature as u64);
    core.set_pc(base + ip);
    core.tlb.flush(|_| true);
    context::new_spaces(core);
    context::refresh(core);
}
