//! The oracle: interpreter, IR evaluator and compiled code do the same to a processor, on random programs.

mod board;

use board::{CODE, Random, core, difference, interpret, program, twin};
use lyrebird_cpu::arm::Arm64;
use lyrebird_cpu::core::{Arch, Core};
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared};
use lyrebird_jit::ir::{Op, eval, lift::Lift};
use lyrebird_jit::opt::Passes;
use lyrebird_jit::region::{self, Limits};

fn seeds() -> std::ops::Range<u64> {
    let n = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(24);
    let first = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    first..first + n
}

/// Code buffers that hold every program, and that must be flushed again and again.
const ROOMY: usize = 8 << 20;
const TIGHT: usize = 12 << 10;

fn anything(_: &str) -> bool {
    true
}

fn integer(name: &str) -> bool {
    !name.contains("SIMD") && !lyrebird_cpu_vector(name)
}

/// Whether a row is of the vector chapters, by what it touches.
fn lyrebird_cpu_vector(name: &str) -> bool {
    use lyrebird_cpu::arm::a64;
    let rows: Vec<&str> = a64::alu::rows::<Core<Arm64>>()
        .iter()
        .chain(&a64::bits::rows())
        .chain(&a64::branch::rows())
        .chain(&a64::load_store::rows())
        .chain(&a64::atomic::rows())
        .map(|r| r.name)
        .collect();
    !rows.contains(&name)
}

/// The evaluator, block by block, against the interpreter.
fn evaluate(seed: u64, pick: &dyn Fn(&str) -> bool, optimise: bool) {
    let mut a = core(false);
    program(&mut a, &mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)), pick);
    let mut b = twin(&a, false);
    let (mut lift, mut passes) = (Lift::<Arm64>::default(), Passes::default());
    lift.features = b.features;
    for _ in 0..300 {
        let at = b.pc();
        let Ok(ram) = b.fetch(at) else { break };
        let limits = Limits { blocks: 1, instructions: 32, overlap: true };
        region::build(&mut lift, &b.ram, ram, b.mode, limits, |_| false).unwrap();
        if optimise {
            passes.run(&mut lift.ir, false);
        }
        let count = lift.ir.blocks[0].count;
        if eval::block(&lift.ir, 0, &mut b).is_err() {
            Arm64::deliver(&mut b);
        }
        let read = |c: &Core<Arm64>| -> Vec<u32> {
            (0..count as u64).map(|i| c.ram.read(ram + i * 4).unwrap()).collect()
        };
        let (words, epoch) = (read(&a), a.code.epoch());
        a.run_to_branch(count as u64);
        if read(&a) != words || a.code.epoch() != epoch {
            // The block changed itself, or stopped because it changed other code, which only an engine would notice.
            b = twin(&a, false);
            continue;
        }
        if let Some(text) = difference(&a, &b) {
            panic!("seed {seed} at {at:#x}, {words:08x?}: interpreter against evaluator\n{text}{}", lift.ir);
        }
    }
}

/// Compiled code against the interpreter; a difference is narrowed down to the first instruction count that shows it.
fn compile(seed: u64, pick: &dyn Fn(&str) -> bool, smp: bool, size: usize) {
    let steps = 6000;
    let run = |n: u64| {
        let mut a = core(smp);
        program(&mut a, &mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)), pick);
        let mut b = twin(&a, smp);
        interpret(&mut a, n);
        let options = Options { counting: true, threshold: 1, size, ..Options::default() };
        let shared = Shared::new(options, b.features).unwrap();
        let mut jit = Jit::new(&shared);
        jit.run(&mut b, n);
        (difference(&a, &b), a.pc())
    };
    if run(steps).0.is_none() {
        return;
    }
    let (mut good, mut bad) = (0, steps);
    while bad - good > 1 {
        let middle = (good + bad) / 2;
        if run(middle).0.is_some() { bad = middle } else { good = middle }
    }
    let pc = run(good).1;
    let c = {
        let mut a = core(smp);
        program(&mut a, &mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)), pick);
        interpret(&mut a, good);
        a
    };
    let word = c.ram.read::<u32>(pc & 0x7_FFFF).unwrap_or(0);
    let name = lyrebird_cpu::arm::a64::interp_table().find(word, c.features).map_or("?", |(_, r)| r.name);
    panic!(
        "seed {seed}: instruction {bad} at {pc:#x}, {word:08x} {name}: interpreter against compiled code\n{}",
        run(bad).0.unwrap_or_default()
    );
}

#[test]
fn recorded_integer_code_evaluates_alike() {
    for seed in seeds() {
        evaluate(seed, &integer, false);
    }
}

#[test]
fn optimised_code_evaluates_alike() {
    for seed in seeds() {
        evaluate(seed, &anything, true);
    }
}

#[test]
fn compiled_integer_code_runs_alike() {
    for seed in seeds() {
        compile(seed, &integer, false, ROOMY);
    }
}

#[test]
fn compiled_code_runs_alike() {
    for seed in seeds() {
        compile(seed, &anything, false, ROOMY);
    }
}

#[test]
fn compiled_code_with_locks_runs_alike() {
    for seed in seeds() {
        compile(seed, &integer, true, ROOMY);
    }
}

#[test]
fn flushed_code_runs_alike() {
    for seed in seeds() {
        compile(seed, &integer, false, TIGHT);
    }
}

/// No address is mistaken for that of a free entry of the table of branch targets.
#[test]
fn any_address_can_be_branched_to() {
    for to in (0..32).chain([CODE + 2, u64::MAX, 0xFF0]) {
        let mut a = core(false);
        // br x0; exceptions go on at the next word.
        a.ram.write(CODE, 0xD61F_0000u32).unwrap();
        a.set(lyrebird_cpu::arm::state::x(0), to);
        let mut b = twin(&a, false);
        interpret(&mut a, 40);
        let options = Options { counting: true, threshold: 1, size: ROOMY, ..Options::default() };
        Jit::new(&Shared::new(options, b.features).unwrap()).run(&mut b, 40);
        assert_eq!(difference(&a, &b), None, "branch to {to:#x}");
    }
}

#[test]
fn regions_have_blocks() {
    let mut c = core(false);
    // loop: ldr x0, [x1], 8; subs x2, x2, 1; b.ne loop; ret
    for (i, w) in [0xF840_8420u32, 0xF100_0442, 0x54FF_FFC1, 0xD65F_03C0].into_iter().enumerate() {
        c.ram.write(CODE + i as u64 * 4, w).unwrap();
    }
    let mut lift = Lift::<Arm64>::default();
    lift.features = c.features;
    region::build(&mut lift, &c.ram, CODE, c.mode, Limits::default(), |_| false).unwrap();
    assert_eq!(lift.ir.blocks.len(), 2);
    assert_eq!(lift.ir.code.last().map(|i| i.op), Some(Op::JumpTo));
    Passes::default().run(&mut lift.ir, false);
    let text = lift.ir.to_string();
    let again = lyrebird_jit::ir::parse::region::<Arm64>(&text).unwrap();
    assert_eq!(again.code, lift.ir.code);
    assert!(c.fetch(CODE).is_ok());
}
