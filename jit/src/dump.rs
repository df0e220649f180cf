//! What the translator shows of its work: `-d in_asm`, `ir`, `out_asm`, and perf's map of compiled code.
//!
//! The log targets are `in_asm`, `ir` and `out_asm`, at debug level.

use crate::disasm;
use crate::guest::Guest;
use crate::ir::Ir;
use lyrebird_ram::GuestRam;
use std::fmt::Write as _;
use std::io::Write as _;

/// Dumps of regions.
pub struct Dump {
    perf: Option<std::io::BufWriter<std::fs::File>>,
}

impl Dump {
    /// Dumps to the log, and to perf's map if asked.
    pub fn new(perf: bool) -> Self {
        let path = format!("/tmp/perf-{}.map", std::process::id());
        let perf = perf.then(|| std::fs::File::create(&path));
        let perf = match perf.transpose() {
            Ok(file) => file.map(std::io::BufWriter::new),
            Err(e) => {
                log::warn!("Cannot write {path}: {e}");
                None
            }
        };
        Self { perf }
    }

    /// Shows the guest's instructions of a region and its IR as recorded.
    pub fn before<A: Guest>(&mut self, ir: &Ir<A>, ram: &GuestRam, page: u64) {
        if log::log_enabled!(target: "in_asm", log::Level::Debug) {
            let mut text = String::new();
            for b in &ir.blocks {
                for i in 0..b.count as u64 {
                    let at = page + b.at as u64 + i * 4;
                    let word = ram.read::<u32>(at).unwrap_or(0);
                    let _ = writeln!(text, "{at:#010x}: {word:08x}  {}", disasm::a64(word, at));
                }
                text.push('\n');
            }
            log::debug!(target: "in_asm", "IN at RAM offset {page:#x}\n{text}");
        }
    }

    /// Shows a region's IR as compiled, and its code.
    pub fn after<A: Guest>(&mut self, ir: &Ir<A>, code: &[u8], base: u64, page: u64) {
        if log::log_enabled!(target: "ir", log::Level::Debug) {
            log::debug!(target: "ir", "IR of RAM page {page:#x}\n{ir}");
        }
        if log::log_enabled!(target: "out_asm", log::Level::Debug) {
            log::debug!(target: "out_asm", "OUT of RAM page {page:#x}, {} bytes\n{}", code.len(), disasm::host(code, base));
        }
        if let Some(perf) = &mut self.perf {
            let entry = ir.blocks.first().map_or(0, |b| b.at as u64);
            let line = writeln!(perf, "{base:x} {:x} guest_{:x}", code.len(), page + entry);
            if line.and_then(|()| perf.flush()).is_err() {
                self.perf = None;
            }
        }
    }
}
