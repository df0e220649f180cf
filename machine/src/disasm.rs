//! Disassembly for people, by capstone.

use capstone::prelude::*;

/// One A64 instruction as text; `.inst` where capstone knows none.
pub fn a64(bytes: &[u8; 4], at: u64) -> String {
    thread_local! {
        static ENGINE: Option<Capstone> =
            Capstone::new().arm64().mode(arch::arm64::ArchMode::Arm).build().ok();
    }
    let known = ENGINE.with(|engine| {
        let insns = engine.as_ref()?.disasm_count(bytes, at, 1).ok()?;
        let i = insns.first()?;
        Some(format!("{} {}", i.mnemonic()?, i.op_str().unwrap_or_default()).trim_end().to_string())
    });
    known.unwrap_or_else(|| format!(".inst {:#010x}", u32::from_le_bytes(*bytes)))
}
