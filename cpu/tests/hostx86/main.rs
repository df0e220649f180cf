//! x86 instructions against the host's processor: every row that a user program can run on its own, on states full of
//! corner cases. `HOSTX86=name` looks at rows whose mnemonic contains the name, and says more.
//!
//! Rows that the host lacks are passed over, and so is everything on hosts that are not x86-64, or not AMD's unless
//! `HOSTX86` is set: processors differ in what the manual leaves open.

#![cfg(target_arch = "x86_64")]

mod encode;
mod guest;
mod inputs;
mod program;
mod special;

use lyrebird_cpu::core::Core;
use lyrebird_cpu::x86::X64;
use lyrebird_cpu::x86::isa::chapters;
use lyrebird_cpu::x86::table::Row;
use program::{FLAGS, MEMORY, MEMORY_SIZE, RECORD, XSAVE};

/// Rows that leave the user program, or whose operands the harness has no place for.
const LEFT_OUT: &[&str] = &[
    "LDMXCSR",
    "STMXCSR",
    "FXRSTOR",
    "FXSAVE",
    "XSAVE",
    "XRSTOR",
    "FWAIT",
    "MASKMOVDQU",
    "GATHER",
    "FSAVE",
    "FNSAVE",
    "FNSTENV",
    "RCP",
    "RSQRT",
    "MONITOR",
    "MWAIT",
    "LEA",
    "RDRAND",
    "RDSEED",
];
/// Chapters of integers with nothing but arithmetic inside.
const INTEGER: &[&str] = &["alu", "atomic", "bits", "bmi", "flag", "moves", "muldiv", "shift"];

/// What of EFLAGS is defined after an instruction.
fn defined_flags(name: &str) -> u32 {
    const ALL: u32 = 0x8D5;
    match name {
        "AND" | "OR" | "XOR" | "TEST" => ALL & !0x10,
        "ANDN" => ALL & !0x14,
        "MUL" | "IMUL" => 0x801,
        "DIV" | "IDIV" => 0,
        "BSF" | "BSR" => 0x40,
        "BT" | "BTS" | "BTR" | "BTC" => 0x41,
        "SHL" | "SHR" | "SAR" | "SHLD" | "SHRD" | "SAL" => ALL & !0x810,
        "ROL" | "ROR" | "RCL" | "RCR" => ALL & !0x800,
        "LZCNT" | "TZCNT" => 0x41,
        "BLSI" | "BLSR" | "BLSMSK" | "BZHI" => 0x8C1,
        "BEXTR" => 0x841,
        _ => ALL,
    }
}

/// Instructions whose last bit is each processor's own.
const TRANSCENDENTAL: &[&str] = &["F2XM1", "FYL2X", "FYL2XP1", "FPTAN", "FPATAN", "FSIN", "FCOS", "FSINCOS"];

fn u16_at(r: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(r[at..at + 2].try_into().expect("two"))
}
fn u64_at(r: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(r[at..at + 8].try_into().expect("eight"))
}

/// Takes bits of the host's status word.
fn same_status(host: &[u8], ours: &mut [u8], mask: u16) {
    let (h, o) = (u16_at(host, XSAVE + 2), u16_at(ours, XSAVE + 2));
    ours[XSAVE + 2..XSAVE + 4].copy_from_slice(&(o & !mask | h & mask).to_le_bytes());
}

/// Makes alike what may differ in two records: a result's last bits, and what is reported of its rounding.
fn excuse(name: &str, before: &[u8], host: &[u8], ours: &mut [u8]) {
    // C1, which AMD's processors keep.
    if name.starts_with("FCOMI") || name.starts_with("FUCOMI") {
        same_status(host, ours, 0x200);
    }
    if !TRANSCENDENTAL.contains(&name) {
        return;
    }
    same_status(host, ours, 0x82B0);
    let field = u16_at(before, XSAVE + 40) & 0x7FFF;
    // Beyond these the manual leaves the result undefined, or it depends on how π is rounded.
    let outside = match name {
        "F2XM1" => field >= 0x3FFF,
        "FYL2XP1" => field >= 0x3FFD,
        "FPATAN" | "FYL2X" => false,
        _ => field >= 0x4000,
    };
    for at in (0..8).map(|n| XSAVE + 32 + 16 * n) {
        let far = u64_at(host, at).abs_diff(u64_at(ours, at));
        let heads = u16_at(host, at + 8).abs_diff(u16_at(ours, at + 8));
        if outside || heads == 0 && far <= 2 || heads == 1 && far.wrapping_add(u64::MAX / 2) <= 2 {
            let value: Vec<u8> = host[at..at + 10].to_vec();
            ours[at..at + 10].copy_from_slice(&value);
        }
    }
    if outside {
        same_status(host, ours, 0x3F);
    }
}

/// The names of what differs between two records, as far as it is defined.
fn differences(name: &str, host: &[u8], ours: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |what: String, at: usize, len: usize| {
        let hex = |r: &[u8]| r[at..at + len].iter().rev().map(|b| format!("{b:02x}")).collect::<String>();
        if host[at..at + len] != ours[at..at + len] {
            found.push(format!("{what}: host {} ours {}", hex(host), hex(ours)));
        }
    };
    for n in 0..13 {
        look(format!("gpr {n}"), 8 * n, 8);
    }
    look("memory".into(), MEMORY, MEMORY_SIZE);
    look("fcw".into(), XSAVE, 2);
    look("fsw".into(), XSAVE + 2, 2);
    look("ftw".into(), XSAVE + 4, 1);
    look("mxcsr".into(), XSAVE + 24, 4);
    for n in 0..8 {
        look(format!("st {n}"), XSAVE + 32 + 16 * n, 10);
    }
    for n in 0..16 {
        look(format!("xmm {n}"), XSAVE + 160 + 16 * n, 16);
        look(format!("ymm high {n}"), XSAVE + 576 + 16 * n, 16);
    }
    let flags = |r: &[u8]| u32::from_le_bytes(r[FLAGS..FLAGS + 4].try_into().expect("four"));
    let mask = defined_flags(name);
    if (flags(host) ^ flags(ours)) & mask != 0 {
        found.push(format!("flags: host {:x} ours {:x}", flags(host) & mask, flags(ours) & mask));
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}

/// How the encodings of a row fare: how many were compared, and what went wrong first.
fn check(core: &mut Core<X64>, row: &Row<Core<X64>>, count: usize, verbose: bool) -> (usize, Option<String>) {
    let (mut compared, mut wrong) = (0, None);
    for insn in encode::forms(row) {
        // Shifts of 16 bits by more are undefined.
        let undefined = matches!(row.name, "SHLD" | "SHRD") && insn.first() == Some(&0x66);
        // A 32-bit register that CMPXCHG leaves alone keeps its upper half on AMD's processors.
        let differs = insn == [0x0F, 0xB1, 0xCA];
        // Bits far away from the operand are in no record.
        let far = matches!(row.name, "BT" | "BTS" | "BTR" | "BTC")
            && row.operands.contains('G')
            && !insn.ends_with(&[0xCA]);
        if undefined || differs || far {
            continue;
        }
        let records = inputs::records(count, 0x1234_5678_9ABC_DEF1 ^ (row.pattern.opcode as u64) << 20);
        let host = program::run(&insn, &records);
        let ours = guest::run(core, &insn, &records);
        let (host, ours) = match (host, ours) {
            (Some(host), Ok(ours)) => (host, ours),
            (None, Err(_)) => continue,
            (None, Ok(_)) => {
                if verbose {
                    println!("  {}: the host refuses", hex(&insn));
                }
                continue;
            }
            (Some(_), Err(e)) => {
                wrong.get_or_insert(format!("{}: {e}, not so on the host", hex(&insn)));
                continue;
            }
        };
        compared += 1;
        let pairs =
            host.chunks_exact(RECORD).zip(ours.chunks_exact(RECORD)).zip(records.chunks_exact(RECORD));
        let bad: Vec<_> = pairs
            .enumerate()
            .map(|(n, ((h, o), before))| {
                let mut o = o.to_vec();
                excuse(row.name, before, h, &mut o);
                (n, differences(row.name, h, &o), before)
            })
            .filter(|(_, d, _)| !d.is_empty())
            .collect();
        if let Some((n, d, before)) = bad.first() {
            let mut text =
                format!("{}: {} of {count} differ; record {n}: {}", hex(&insn), bad.len(), d.join("; "));
            if verbose {
                let u = |at: usize, len: usize| {
                    before[at..at + len].iter().rev().map(|b| format!("{b:02x}")).collect::<String>()
                };
                text += &format!(
                    "\n    before: xmm1 {} xmm2 {} xmm3 {} mem {} mxcsr {} fcw {} fsw {} ftw {} st0 {} st1 {} st2 {} rax {} rcx {} rdx {} flags {}",
                    u(XSAVE + 176, 16),
                    u(XSAVE + 192, 16),
                    u(XSAVE + 208, 16),
                    u(MEMORY, 16),
                    u(XSAVE + 24, 4),
                    u(XSAVE, 2),
                    u(XSAVE + 2, 2),
                    u(XSAVE + 4, 1),
                    u(XSAVE + 32, 10),
                    u(XSAVE + 48, 10),
                    u(XSAVE + 64, 10),
                    u(0, 8),
                    u(8, 8),
                    u(16, 8),
                    u(FLAGS, 4),
                );
            }
            wrong.get_or_insert(text);
        }
    }
    (compared, wrong)
}

/// Whether the host is of the vendor whose choices of what the manual leaves open the masks know.
fn known_host() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("AuthenticAMD"))
}

#[test]
fn instructions_do_what_the_host_does() {
    let filter = std::env::var("HOSTX86").ok();
    if filter.is_none() && !known_host() {
        println!(
            "What is undefined is only known of AMD's processors; HOSTX86= runs the comparison here, too"
        );
        return;
    }
    let count = if filter.is_some() { 400 } else { 60 };
    let mut core = guest::core();
    let (mut rows, mut forms, mut failures) = (0, 0, 0);
    for (chapter, all) in chapters::<Core<X64>>() {
        let vector = ["sse", "avx", "mmx", "x87"].iter().any(|p| chapter.starts_with(p));
        for row in &all {
            let chosen = match &filter {
                Some(f) => row.name.contains(f.as_str()) || chapter == f.as_str(),
                None => true,
            };
            let out = LEFT_OUT.iter().any(|n| row.name.contains(n))
                || row.name == "MASKMOVQ"
                || row.pattern.i64
                || row.name.starts_with("FS") && row.name.len() < 3;
            if !chosen || out || !(vector || INTEGER.contains(&chapter)) {
                continue;
            }
            let (compared, wrong) = check(&mut core, row, count, filter.is_some());
            rows += (compared > 0) as usize;
            forms += compared;
            if let Some(text) = wrong {
                failures += 1;
                println!("{chapter} {} {} {}: {text}", row.name, row.opcode, row.operands);
            } else if filter.is_some() {
                println!("{chapter} {} {} {}: {compared} forms", row.name, row.opcode, row.operands);
            }
        }
    }
    println!("{rows} rows, {forms} forms, {failures} rows differ");
    assert_eq!(failures, 0, "rows differ from the host");
}
