//! Where the decoders differ on purpose.

use iced_x86::{CpuidFeature, EncodingKind, Instruction, Mnemonic};
use lyrebird_cpu::x86::insn::Insn;
use lyrebird_cpu::x86::table::Pattern;

/// Extensions that have no rows: why, and iced's names of the features; a star stands for all that begin so.
const NO_ROWS: &[(&str, &[&str])] = &[
    (
        "only AMD has or had it",
        &[
            "D3NOW*", "XOP", "FMA4", "TBM", "SSE4A", "SVM", "LWP", "SKINIT*", "CLZERO", "MONITORX",
            "INVLPGB", "MCOMMIT", "RDPRU", "SEV*", "SNP", "RMP*",
        ],
    ),
    (
        "only VIA, Cyrix, National or Knights Corner have or had it",
        &["PADLOCK*", "CYRIX*", "GEODE*", "KNC", "ZX*", "CL1INVMB", "ALTINST"],
    ),
    (
        "no model has it",
        &[
            "AVX512*",
            "AVX10*",
            "AMX*",
            "AVX_*",
            "SHA512",
            "SM3",
            "SM4",
            "VMX",
            "SMX",
            "SGX*",
            "PTWRITE",
            "PCONFIG",
            "CET*",
            "TDX",
            "KL",
            "AESKLE*",
            "UINTR",
            "ENQCMD",
            "MOVDIR*",
            "SERIALIZE",
            "TSXLDTRK",
            "RTM",
            "HLE*",
            "HRESET",
            "WAITPKG",
            "CLDEMOTE",
            "FRED",
            "LKGS",
            "WRMSRNS",
            "RAO_INT",
            "MSRLIST",
            "CMPCCXADD",
            "PREFETCHI*",
            "TSE",
            "MPX",
            "UDBG",
            "USER_MSR",
            "APX*",
            "MOVRS",
            "MSR_IMM",
            "GMI",
        ],
    ),
];

/// Why iced's instruction is not one of ours.
pub fn missing(insn: &Instruction) -> Option<&'static str> {
    if insn.encoding() != EncodingKind::Legacy && insn.encoding() != EncodingKind::VEX {
        return Some("no model has its encoding");
    }
    let named = |f: &CpuidFeature, names: &[&str]| {
        let name = format!("{f:?}");
        names.iter().any(|n| n.strip_suffix('*').map_or(name == *n, |start| name.starts_with(start)))
    };
    let features = insn.cpuid_features();
    if let Some((reason, _)) = NO_ROWS.iter().find(|(_, names)| features.iter().any(|f| named(f, names))) {
        return Some(reason);
    }
    Some(match insn.mnemonic() {
        Mnemonic::Xtest | Mnemonic::Enclv => "no model has it",
        Mnemonic::Jmpe => "only Itanium has it",
        Mnemonic::Rsm => "there is no system management mode",
        _ => return None,
    })
}

/// Why we have an instruction where iced has none.
pub fn ours(name: &str, opcode: &str, i: &Insn) -> Option<&'static str> {
    Some(match name {
        "VMOVSS" | "VMOVSD" if i.is_mem() => {
            "the row is one for registers and memory; vvvv counts with registers only"
        }
        _ if name.starts_with("VGATHER") || name.starts_with("VPGATHER") => {
            "the semantics raise #UD where two of destination, index and mask are one register"
        }
        "ESC" => "without a coprocessor it does nothing; with one it is undefined",
        "MOV" if opcode.starts_with("0F 2") || matches!(opcode, "8C" | "8E") => {
            "the semantics raise #UD for control, debug and segment registers that do not exist"
        }
        "MONITOR" | "MWAIT" | "SWAPGS" | "RDTSCP" | "XGETBV" | "XSETBV" | "CLAC" | "STAC" | "RDPKRU"
        | "WRPKRU" => "repeat prefixes, which are reserved, are ignored",
        _ => return None,
    })
}

/// Instructions that both have, whose operands the row names in another order.
pub fn reordered(name: &str, p: &Pattern) -> bool {
    // VEX groups 12 to 14: the destination is vvvv, the row is the one of the legacy form.
    p.vex && p.digit.is_some() && ["VPSLL", "VPSRL", "VPSRA"].iter().any(|n| name.starts_with(n))
}
