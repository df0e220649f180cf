//! x86 processors in a machine.

pub mod entry;
pub mod model;
pub mod platform;
mod registers;
mod verify;

pub use entry::Entry;
pub use model::Model;

use crate::control::{RegisterGroup, Translation};
use crate::engine::{self, Engines, Setup};
use crate::target::{Access, Target};
use lyrebird_cpu::core::{Core, MANAGEMENT};
use lyrebird_cpu::tlb::BankKey;
use lyrebird_cpu::trace::Disassemble;
use lyrebird_cpu::x86::maintenance::Forget;
use lyrebird_cpu::x86::{Platform, X64, context, exception, mode, walk};
use lyrebird_jit::disasm;
use std::sync::Arc;

/// A processor that asks `platform`, one of `cpus`.
pub fn processor(platform: Arc<dyn Platform>, cpus: u32) -> X64 {
    X64::new(platform, cpus as usize)
}

impl Target for X64 {
    type Model = Model;
    type Entry = Entry;
    type Mail = Forget;

    const NAME: &'static str = "x86";
    const LONGEST: usize = 15;
    const LISTED: usize = 1;
    const WATCHES: bool = false;
    const STOPS_BEHIND: bool = true;
    const WAITS_MAY_END: bool = false;
    const LOG_TEXT: Disassemble = disasm::x86_line;

    fn gdb_name(model: &Model) -> &'static str {
        if model.is_64() { "i386:x86-64" } else { "i386" }
    }

    fn name(model: &Model) -> &str {
        model.name
    }

    fn features(model: &Model) -> u64 {
        model.what.features
    }

    fn engines(setup: &Setup<'_, Self>) -> Engines<Self> {
        engine::comparable(setup)
    }

    fn reset(core: &mut Core<Self>, model: &Model, entry: &Entry) {
        // A processor that is started by another one comes from INIT, as its local APIC does.
        if matches!(entry, Entry::Startup(_)) {
            core.arch.platform.init(core.index);
        }
        entry::reset(core, model, entry);
    }

    fn everything() -> Forget {
        Forget::All
    }

    fn wakes(core: &Core<Self>) -> u32 {
        exception::wakes(core)
    }

    fn stuck(_: &mut Core<Self>) -> Option<String> {
        // A processor that cannot go on shuts down, and the board resets.
        None
    }

    fn groups(model: &Model) -> Arc<[RegisterGroup]> {
        registers::groups(model)
    }

    fn read_group(core: &mut Core<Self>, model: &Model, group: usize) -> Option<Vec<u128>> {
        registers::read(core, model, group)
    }

    fn write_register(core: &mut Core<Self>, model: &Model, group: usize, index: usize, value: u128) -> bool {
        registers::write(core, model, group, index, value)
    }

    fn accesses(_: &mut Core<Self>) -> [Option<Access>; 2] {
        [None, None]
    }

    fn peek(core: &mut Core<Self>, address: u64) -> Option<u64> {
        walk::peek(core, address).map(|pa| pa & !(0xFFF | MANAGEMENT))
    }

    fn walk(core: &mut Core<Self>, address: u64) -> Translation {
        let physical = Self::peek(core, address).map(|pa| pa | address & 0xFFF);
        Translation { physical, steps: walk::explain(core, address) }
    }

    fn mappings(_: &mut Core<Self>, text: &mut String) {
        text.push_str("The mappings of x86 tables are not listed yet.\n");
    }

    fn tlb_context(key: BankKey) -> String {
        context::bank_name(key)
    }

    fn disassemble(core: &Core<Self>, bytes: &[u8], at: u64) -> Option<(usize, String)> {
        let bits = 8 << mode::code(core.mode);
        let first = *bytes.first()?;
        Some(disasm::x86(bytes, at, bits).unwrap_or_else(|| (1, format!(".byte {first:#04x}"))))
    }
}
