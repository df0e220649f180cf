//! Instruction words: decoded, interpreted, lifted and compiled.

use lyrebird_cpu::arm::{Arm64, Platform, a64, exclusive, model, sysreg};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Core, Physical};
use lyrebird_devices::bus::rng::Rng;
use lyrebird_jit::disasm;
use lyrebird_jit::host::x64::{Config, Lower};
use lyrebird_jit::ir::{lift::Lift, verify};
use lyrebird_jit::opt::Passes;
use lyrebird_jit::region::{self, Limits, Pages};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

/// RAM at address 0.
const RAM: u64 = 0x1_0000;
/// Where the words go.
const CODE: u64 = 0x8000;
/// Words that are used of an input.
const WORDS: usize = 64;
/// Instructions that are interpreted.
const STEPS: u64 = 500;

struct Flat;

impl Physical for Flat {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        (pa < RAM).then_some((pa, true))
    }
}

struct Nothing;

impl Platform for Nothing {
    fn counter(&self) -> u64 {
        1
    }
    fn random(&self) -> u64 {
        4
    }
}

/// The first byte chooses model and level; what follows is code. Vectors are in the code, too.
pub fn run(bytes: &[u8]) {
    let Some((&choice, code)) = bytes.split_first() else { return };
    let words: Vec<u32> =
        code.chunks_exact(4).take(WORDS).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect();
    let name = ["max", "cortex-a53", "cortex-a72", "neoverse-n1"][usize::from(choice & 3)];
    let (Some(model), Ok(ram)) = (model::find(name), GuestRam::new(RAM)) else { return };
    let versions = Arc::new(exclusive::Versions::default());
    let smp = choice & 4 != 0;
    let arch = Arm64::new(Arc::new(Nothing), versions, smp);
    let mut core = Core::new(arch, model.features, 0, ram, Arc::new(Flat), Arc::new(CodeMap::new(RAM)));
    model::reset(&mut core, model, false);
    core.set(sysreg::CPACR_EL1, if choice & 8 != 0 { 3 << 20 } else { 0 });
    core.set(sysreg::VBAR_EL1, CODE);
    lyrebird_cpu::arm::context::refresh(&mut core);
    for (at, word) in (CODE..).step_by(4).zip(&words) {
        let _ = core.ram.write(at, *word);
        let _ = disasm::a64(*word, at);
    }
    translate(&core, words.len() as u32);
    core.set_pc(CODE);
    core.run(STEPS);
}

/// Lifts, optimises and compiles what is at [`CODE`].
fn translate(core: &Core<Arm64>, words: u32) {
    let mut lift = Lift::<Arm64>::default();
    lift.features = core.features;
    let limits = Limits { instructions: words.max(1), ..Limits::default() };
    let place = (Pages { first: CODE & !0xFFF, next: None }, CODE & 0xFFF);
    if region::build(&mut lift, &core.ram, place, core.mode, limits, |_| false).is_none() {
        return;
    }
    Passes::default().run(&mut lift.ir, false);
    if let Err(what) = verify::check(&lift.ir) {
        panic!("{what}\n{}", lift.ir);
    }
    let _ = Lower::default().region(&mut lift.ir, Config::of::<Arm64>(core.mode).for_host());
}

/// Every row, with zeros, ones and random fields.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut rng = Rng::new(0xA64);
    let mut words: Vec<u32> = Vec::new();
    for row in a64::interp_table().rows() {
        for fields in [0, u32::MAX, rng.draw() as u32] {
            words.push(row.value | (fields & !row.mask));
        }
    }
    let choices = [0u8, 8, 9, 10, 12];
    let seeds = words.chunks(24).zip(choices.into_iter().cycle());
    seeds
        .map(|(words, choice)| {
            [choice].into_iter().chain(words.iter().flat_map(|w| w.to_le_bytes())).collect()
        })
        .collect()
}
