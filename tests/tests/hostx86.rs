//! x86 instructions against the host's processor: every row that a user program can run, on states full of corner cases
//! other than those of the recorded vectors. `HOSTX86=name` looks at rows whose mnemonic contains the name, or at a
//! chapter, and says more.
//!
//! Rows that the host lacks are passed over, and so is everything on hosts that are not x86-64, or not AMD's unless
//! `HOSTX86` is set: processors differ in what the manual leaves open.

#![cfg(target_arch = "x86_64")]

use anyhow::Result;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::x86::X64;
use lyrebird_cpu::x86::isa::chapters;
use lyrebird_cpu::x86::table::Row;
use lyrebird_machine::config::EngineKind;
use lyrebird_machine::suite::vectors::x86::{User, defined, differences, fields, forms, shape};
use lyrebird_tests::hostx86;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}

/// How the encodings of a row fare: how many were compared, and what went wrong first.
fn check(
    user: &mut User,
    chapter: &str,
    row: &Row<Core<X64>>,
    count: usize,
    verbose: bool,
) -> Result<(usize, Option<String>)> {
    let (mut compared, mut wrong) = (0, None);
    let seed = 0x1234_5678_9ABC_DEF1 ^ (row.pattern.opcode as u64) << 20;
    for insn in forms(chapter, row).iter().filter(|insn| !defined::left_out(row, insn)) {
        let cases = hostx86::cases(insn, shape(chapter, row), seed, 0, count)?;
        compared += !cases.is_empty() as usize;
        let mut bad = 0;
        for (n, before, host) in &cases {
            let mut ours = before.clone();
            let differs = match user.run(insn, &mut ours) {
                Ok(()) => differences(row.name, before, host, &ours),
                Err(why) => vec![("end".into(), "next".into(), why)],
            };
            if differs.is_empty() {
                continue;
            }
            bad += 1;
            if wrong.is_none() {
                let list: Vec<_> =
                    differs.iter().map(|(f, h, o)| format!("{f}: host {h} ours {o}")).collect();
                let mut text = format!("{}: state {n}: {}", hex(insn), list.join("; "));
                if verbose {
                    let state: Vec<_> =
                        fields(before, !0).into_iter().map(|(f, v)| format!("{f}={v}")).collect();
                    text += &format!("\n    before: {}", state.join(" "));
                }
                wrong = Some(text);
            }
        }
        if bad > 0 && verbose {
            println!("  {}: {bad} of {} differ", hex(insn), cases.len());
        }
    }
    Ok((compared, wrong))
}

/// Whether the host is of the vendor whose choices of what the manual leaves open the masks know.
fn known_host() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("AuthenticAMD"))
}

#[test]
fn instructions_do_what_the_host_does() -> Result<()> {
    let filter = std::env::var("HOSTX86").ok();
    if filter.is_none() && !known_host() {
        println!(
            "What is undefined is only known of AMD's processors; HOSTX86= runs the comparison here, too"
        );
        return Ok(());
    }
    let count = if filter.is_some() { 400 } else { 24 };
    let mut user = User::new(EngineKind::Interp)?;
    let (mut rows, mut encodings, mut failures) = (0, 0, 0);
    for (chapter, all) in chapters::<Core<X64>>() {
        for row in &all {
            let chosen =
                filter.as_ref().is_none_or(|f| row.name.contains(f.as_str()) || chapter == f.as_str());
            if !chosen || defined::skipped(chapter, row).is_some() {
                continue;
            }
            let (compared, wrong) = check(&mut user, chapter, row, count, filter.is_some())?;
            rows += (compared > 0) as usize;
            encodings += compared;
            if let Some(text) = wrong {
                failures += 1;
                println!("{chapter} {} {} {}: {text}", row.name, row.opcode, row.operands);
            } else if filter.is_some() {
                println!("{chapter} {} {} {}: {compared} encodings", row.name, row.opcode, row.operands);
            }
        }
    }
    println!("{rows} rows, {encodings} encodings, {failures} rows differ");
    assert_eq!(failures, 0, "rows differ from the host");
    Ok(())
}
