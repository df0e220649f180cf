//! Golden tests: what short guest programs become, as text in `golden/`, from instructions to recorded IR, optimised IR
//! and host code.
//!
//! Each file is its own input: its mode and the words under `[guest]`. `LYREBIRD_BLESS=1 cargo test -p lyrebird-jit --test
//! golden` writes the rest anew; what changed is for people to read in the diff. The host is pinned to one with AVX2 and
//! without AVX-512. Addresses have names, so that the text depends on nothing but the translator.

use lyrebird_cpu::arm::{Arm64, model};
use lyrebird_jit::disasm;
use lyrebird_jit::host::x64::stubs::Stubs;
use lyrebird_jit::host::x64::{Config, Lower};
use lyrebird_jit::ir::{Ir, Op, VecForm, lift::Lift};
use lyrebird_jit::opt::Passes;
use lyrebird_jit::region::{self, Limits, Pages};
use lyrebird_ram::GuestRam;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where host code is said to be.
const BASE: u64 = 0x100_0000;

/// Fixed routines at made-up addresses, with their names.
fn stubs() -> (Stubs, Vec<(u64, &'static str)>) {
    let mut named = Vec::new();
    let mut next = |name| {
        named.push((0x80_0000 + 0x100 * named.len() as u64, name));
        named[named.len() - 1].0
    };
    let stubs = Stubs {
        entry: next("entry"),
        load: next("load"),
        load_kept: next("load-kept"),
        store: next("store"),
        store_kept: next("store-kept"),
        atomic: next("atomic"),
        atomic_kept: next("atomic-kept"),
        helper: next("helper"),
        vec: next("vec"),
        vec_kept: next("vec-kept"),
        clock: next("clock"),
        raise: next("raise"),
        interpret: next("interpret"),
        link: next("link"),
        resume: next("resume"),
        miss: next("miss"),
        poll: next("poll"),
        budget: next("budget"),
        stale: next("stale"),
        x87: next("x87"),
        helper_live: next("helper-live"),
        x87_park: next("x87-park"),
        x87_take: next("x87-take"),
    };
    (stubs, named)
}

/// The pinned host: an x86-64-v3 one with AES and carry-less multiplication.
fn config(mode: u32, stubs: Stubs) -> Config {
    Config { stubs, avx2: true, fma: true, aes: true, pclmul: true, ..Config::of::<Arm64>(mode) }
}

struct Case {
    title: String,
    mode: u32,
    words: Vec<u32>,
}

fn read(text: &str) -> Option<Case> {
    let (head, rest) = text.split_once("[guest]\n")?;
    let title =
        head.lines().filter(|line| line.starts_with('#')).fold(String::new(), |t, line| t + line + "\n");
    let mode = head.lines().find_map(|line| line.strip_prefix("mode 0x"))?;
    let guest = rest.split("\n\n").next()?;
    let words = guest.lines().map(|line| u32::from_str_radix(line.get(..8)?, 16).ok());
    Some(Case { title, mode: u32::from_str_radix(mode, 16).ok()?, words: words.collect::<Option<_>>()? })
}

/// The IR as text, with names instead of the numbers of vector operations.
fn ir_text(ir: &Ir<Arm64>) -> String {
    let mut text = ir.to_string();
    for inst in ir.code.iter().filter(|inst| inst.op == Op::Vec) {
        if let Some(form) = VecForm::unpack(inst.imm) {
            text = text.replace(&format!(" #{:#x} ;", inst.imm), &format!(" #{} ;", form.imm));
        }
    }
    text
}

/// Host code as text: labels for the targets of jumps, names for addresses outside, no addresses of its own.
fn host_text(code: &[u8], names: &BTreeMap<u64, String>) -> String {
    let text = disasm::host(code, BASE);
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let lines: Vec<(u64, &str)> = text
        .lines()
        .filter_map(|line| line.trim().split_once(": ").and_then(|(at, rest)| Some((number(at)?, rest))))
        .collect();
    let inside = BASE..BASE + code.len() as u64;
    let operand = |line: &str| line.rsplit(' ').next().and_then(number);
    let mut labels: BTreeMap<u64, String> = BTreeMap::new();
    for (_, line) in lines.iter().filter(|(_, line)| line.starts_with('j')) {
        if let Some(to) = operand(line).filter(|to| inside.contains(to)) {
            labels.insert(to, String::new());
        }
    }
    for (n, label) in labels.values_mut().enumerate() {
        *label = format!("L{}", n + 1);
    }
    let mut out = String::new();
    for (at, line) in lines {
        if let Some(label) = labels.get(&at) {
            let _ = writeln!(out, "{label}:");
        }
        let named = operand(line).and_then(|to| labels.get(&to).cloned().or_else(|| names.get(&to).cloned()));
        let head = line.rsplit_once(' ').map_or(line, |(head, _)| head);
        let _ = match named {
            Some(name) => writeln!(out, "  {head} {name}"),
            None => writeln!(out, "  {line}"),
        };
    }
    out
}

/// The whole file that a case should be.
fn made(case: &Case) -> String {
    let mut text = format!("{}mode {:#x}\n\n[guest]\n", case.title, case.mode);
    let ram = GuestRam::new(0x1000).expect("a page");
    for (at, &word) in (0u64..).step_by(4).zip(&case.words) {
        ram.write(at, word).expect("in RAM");
        let _ = writeln!(text, "{word:08x}  {at:#05x}: {}", disasm::a64(word, at));
    }
    let mut lift = Lift::<Arm64>::default();
    lift.features = model::find("max").expect("a model").features;
    let end = 4 * case.words.len() as u64;
    let limits = Limits { instructions: case.words.len() as u32, ..Limits::default() };
    region::build(&mut lift, &ram, (Pages { first: 0, next: None }, 0), case.mode, limits, |at| at >= end)
        .expect("a region");
    let _ = write!(text, "\n[recorded]\n{}", ir_text(&lift.ir));
    Passes::default().run(&mut lift.ir, false);
    let _ = write!(text, "\n[optimised]\n{}", ir_text(&lift.ir));
    let (stubs, named) = stubs();
    let mut names: BTreeMap<u64, String> =
        named.iter().map(|&(at, name)| (at, format!("<{name}>"))).collect();
    for helper in &lift.ir.helpers {
        names.insert(std::ptr::from_ref(*helper) as u64, format!("<{}>", helper.name));
    }
    for inst in lift.ir.code.iter().filter(|inst| inst.op == Op::Vec) {
        if let Some(v) = VecForm::unpack(inst.imm) {
            names.insert(inst.imm, format!("<{:?} {}x{} #{}>", v.op, v.lanes.count(), v.lanes.bits(), v.imm));
        }
    }
    let mut lower = Lower::default();
    match lower.region(&mut lift.ir, config(case.mode, stubs)) {
        Some(_) => {
            let _ = write!(text, "\n[host]\n{}", host_text(lower.asm.finish(BASE), &names));
        }
        None => text.push_str("\n[host]\ntoo complex: interpreted\n"),
    }
    text
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The first line that differs, with what is around it.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let at = (0..).find(|&i| old.get(i) != new.get(i) || i >= old.len()).unwrap_or(0);
    let around = |lines: &[&str]| {
        lines.iter().skip(at.saturating_sub(3)).take(8).copied().collect::<Vec<_>>().join("\n")
    };
    format!("line {}\n--- file\n{}\n--- now\n{}", at + 1, around(&old), around(&new))
}

#[test]
fn translations_are_as_committed() {
    let bless = std::env::var_os("LYREBIRD_BLESS").is_some();
    let mut wrong = Vec::new();
    let files = files();
    assert!(files.len() >= 12, "only {} files", files.len());
    for path in files {
        let old = std::fs::read_to_string(&path).expect("text");
        let case = read(&old).unwrap_or_else(|| panic!("{}: no mode, or bad words", path.display()));
        let new = made(&case);
        if new == old {
            continue;
        }
        if bless {
            std::fs::write(&path, new).expect("blessed");
        } else {
            wrong.push(format!("{}: {}", path.display(), difference(&old, &new)));
        }
    }
    assert!(wrong.is_empty(), "LYREBIRD_BLESS=1 accepts this\n{}", wrong.join("\n\n"));
}
