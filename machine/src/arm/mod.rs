//! Arm processors in a machine.

mod access;
pub mod model;
pub mod platform;
pub mod registers;
mod verify;

use crate::control::{RegisterGroup, Translation};
use crate::engine::{self, Engines, Setup};
use crate::target::{Access, Target};
use lyrebird_cpu::arm::exception::FOR_EVER;
use lyrebird_cpu::arm::maintenance::Forget;
use lyrebird_cpu::arm::{Arm64, context, model as models, state, sysreg, walk};
use lyrebird_cpu::core::{Attention, Core, Want};
use lyrebird_cpu::tlb::BankKey;
use lyrebird_cpu::trace::Disassemble;
use std::sync::Arc;

/// A processor on a board.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// What it is.
    pub cpu: models::Model,
    /// It has a system-register interface to the interrupt controller.
    pub gicv3: bool,
}

/// How a processor starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its PC.
    pub pc: u64,
    /// Its X0.
    pub argument: u64,
}

/// Whether the processor is at EL0.
fn user(core: &Core<Arm64>) -> bool {
    core.reg(state::MODE) >> 2 & 3 == 0
}

impl Target for Arm64 {
    type Model = Model;
    type Entry = Entry;
    type Mail = Forget;

    const NAME: &'static str = "aarch64";
    const LONGEST: usize = 4;
    const LISTED: usize = 4;
    const WATCHES: bool = true;
    const STOPS_BEHIND: bool = false;
    const WAITS_MAY_END: bool = true;
    const LOG_TEXT: Disassemble = lyrebird_jit::disasm::a64_line;

    fn gdb_name(_: &Model) -> &'static str {
        "aarch64"
    }

    fn name(model: &Model) -> &str {
        model.cpu.name
    }

    fn features(model: &Model) -> u64 {
        model.cpu.features
    }

    fn engines(setup: &Setup<'_, Self>) -> Engines<Self> {
        engine::comparable(setup)
    }

    fn reset(core: &mut Core<Self>, model: &Model, entry: &Entry) {
        models::reset(core, &model.cpu, model.gicv3);
        core.set_pc(entry.pc);
        core.set(state::x(0), entry.argument);
    }

    fn everything() -> Forget {
        Forget::All
    }

    fn wakes(_: &Core<Self>) -> u32 {
        // Interrupts end it masked or not; it may end at any time, and does where mail had to be read.
        Attention::IRQ | Attention::FIQ | Attention::MAIL
    }

    fn stuck(core: &mut Core<Self>) -> Option<String> {
        if core.arch.stuck < FOR_EVER {
            return None;
        }
        core.arch.stuck = 0;
        let (pc, esr) = (core.pc(), core.reg(sysreg::ESR_EL1));
        Some(format!(
            "processor {} faults for ever: the first instruction of its exception vector at {pc:#x} faults itself (ESR \
             {esr:#x}, FAR {:#x}); -d int shows how it came there",
            core.index,
            core.reg(sysreg::FAR_EL1)
        ))
    }

    fn groups(_: &Model) -> Arc<[RegisterGroup]> {
        registers::groups()
    }

    fn read_group(core: &mut Core<Self>, _: &Model, group: usize) -> Option<Vec<u128>> {
        registers::read(core, group)
    }

    fn write_register(core: &mut Core<Self>, _: &Model, group: usize, index: usize, value: u128) -> bool {
        registers::write(core, group, index, value)
    }

    fn plain(address: u64) -> i64 {
        // Tags in the top byte are no part of an address.
        (address << 8) as i64 >> 8
    }

    fn accesses(core: &mut Core<Self>) -> [Option<Access>; 2] {
        // A fetch that faults does so again when the instruction runs.
        let word = core.fetch(core.pc()).ok().and_then(|at| core.ram.read::<u32>(at).ok());
        let register = |n| if n == 31 { core.reg(state::SP) } else { core.reg(state::x(n)) };
        [word.and_then(|word| access::of(word, core.pc(), register)), None]
    }

    fn peek(core: &mut Core<Self>, address: u64) -> Option<u64> {
        let user = user(core);
        walk::peek(core, address, user)
    }

    fn walk(core: &mut Core<Self>, address: u64) -> Translation {
        let user = user(core);
        let mut steps = Vec::new();
        let found = walk::lookup_with(core, address, Want::Read, user, false, &mut |line| steps.push(line));
        let physical = match found {
            Ok(m) => {
                let pa = m.pa | address & 0xFFF;
                let kind = if m.device { "device" } else { "normal memory" };
                let rights = if m.write { "read, write" } else { "read" };
                let scope = if m.global { "global" } else { "this address space" };
                steps.push(format!("{address:#x} is {pa:#x}: {kind}, {rights}, {scope}"));
                Some(pa)
            }
            Err(status) => {
                steps.push(format!("{address:#x} faults: {}", walk::status_text(status)));
                None
            }
        };
        Translation { physical, steps }
    }

    fn mappings(core: &mut Core<Self>, text: &mut String) {
        walk::ranges(core, text);
    }

    fn tlb_context(key: BankKey) -> String {
        context::bank_name(key)
    }

    fn disassemble(_: &Core<Self>, bytes: &[u8], at: u64) -> Option<(usize, String)> {
        let word = u32::from_le_bytes(*bytes.first_chunk()?);
        Some((4, lyrebird_jit::disasm::a64(word, at)))
    }
}
