//! What the translator shows of its work: `-d in_asm`, `ir`, `out_asm`, and perf's map of compiled code.
//!
//! The log targets are `in_asm`, `ir` and `out_asm`, at debug level. Code is kept by its place in RAM: addresses are
//! the ones that it was first reached at.

use crate::disasm;
use crate::guest::Guest;
use crate::ir::Ir;
use crate::ir::lift::Lift;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::trace::{DebugItems, Trace};
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

    /// Shows the guest's instructions of a region of RAM page `page`, which runs at virtual page `at`.
    pub fn before<A: Guest>(&mut self, lift: &Lift<A>, core: &Core<A>, page: u64, at: u64) {
        let ir = &lift.ir;
        let trace = &core.trace;
        if !trace.shows(DebugItems::IN_ASM) || !covers(ir, trace, at) {
            return;
        }
        let mut text = String::new();
        for b in &ir.blocks {
            for (byte, bytes) in lift.instructions().filter(|i| (b.at..b.at + b.len).contains(&i.0)) {
                let _ = writeln!(text, "{}", trace.instruction(bytes, at + byte as u64, ir.mode));
            }
            text.push('\n');
        }
        log::debug!(target: "in_asm", "IN at {at:#018x}, RAM page {page:#x}\n{text}");
    }

    /// Shows a region's IR as compiled, and its code; `pages` are its offset in RAM and its virtual address.
    pub fn after<A: Guest>(&mut self, ir: &Ir<A>, trace: &Trace, code: &[u8], base: u64, pages: (u64, u64)) {
        let (page, at) = pages;
        if trace.shows(DebugItems::IR | DebugItems::OUT_ASM) && covers(ir, trace, at) {
            let place = format!("at {at:#018x}, RAM page {page:#x}");
            log::debug!(target: "ir", "IR {place}\n{ir}");
            let out_asm = trace.shows(DebugItems::OUT_ASM);
            let code_text = if out_asm { disasm::host(code, base) } else { String::new() };
            log::debug!(target: "out_asm", "OUT {place}, {} bytes\n{code_text}", code.len());
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

/// Whether the filter lets any block of a region at virtual page `at` through.
fn covers<A: Guest>(ir: &Ir<A>, trace: &Trace, at: u64) -> bool {
    ir.blocks.iter().any(|b| {
        let first = at + b.at as u64;
        trace.covers(first, first + (b.len as u64).max(1) - 1)
    })
}
