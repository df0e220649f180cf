//! The oracle: interpreter, IR evaluator and compiled code do the same to a processor, on random programs.

mod board;

use board::minimise::{Case, minimise};
use board::{CODE, Random, core, difference, interpret, program, twin};
use lyrebird_cpu::arm::Arm64;
use lyrebird_cpu::core::{Arch, Core};
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::{Jit, Shared};
use lyrebird_jit::ir::{Op, eval, lift::Lift};
use lyrebird_jit::opt::{Passes, seeded};
use lyrebird_jit::region::{self, Limits, Pages};

fn seeds() -> std::ops::Range<u64> {
    let n = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(24);
    let first = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    first..first + n
}

/// Code buffers that hold every program, and that must be flushed again and again.
const ROOMY: usize = 8 << 20;
const TIGHT: usize = 12 << 10;

/// Where the instruction at RAM offset `at` is.
fn one_page(at: u64) -> (Pages, u64) {
    (Pages { first: at & !0xFFF, next: None }, at & 0xFFF)
}

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

/// What the evaluator evaluates.
#[derive(Clone, Copy)]
enum Form {
    Recorded,
    /// Optimised, with a mistake perhaps.
    Optimised(Option<&'static seeded::Fault>),
}

/// Runs the block at the PC, of at most `most` instructions: the evaluator on one processor, the interpreter on the
/// other. How many instructions it has, and what differs then. The evaluator's processor is made anew if the block
/// changes itself, or stops because it changes other code, which only an engine would notice.
fn evaluated(
    a: &mut Core<Arm64>,
    b: &mut Core<Arm64>,
    most: u64,
    form: Form,
) -> Option<(u64, Option<String>)> {
    let mut lift = Lift::<Arm64>::default();
    lift.features = b.features;
    let at = b.pc();
    let ram = b.fetch(at).ok()?;
    let limits = Limits { blocks: 1, instructions: most.min(32) as u32, overlap: true };
    region::build(&mut lift, &b.ram, one_page(ram), b.mode, limits, |_| false).unwrap();
    if let Form::Optimised(fault) = form {
        Passes::with(fault).run(&mut lift.ir, false);
    }
    let count = lift.ir.blocks[0].count as u64;
    if eval::block(&lift.ir, 0, b).is_err() {
        Arm64::deliver(b);
    }
    let read =
        |c: &Core<Arm64>| -> Vec<u32> { (0..count).map(|i| c.ram.read(ram + i * 4).unwrap()).collect() };
    let (words, epoch) = (read(a), a.code.epoch());
    a.run_to_branch(count);
    if read(a) != words || a.code.epoch() != epoch {
        *b = twin(a, false);
        return Some((count, None));
    }
    Some((count, difference(a, b).map(|text| format!("{text}{}", lift.ir))))
}

/// The evaluator, block by block, against the interpreter, on a random program: the smallest case that shows a
/// difference, and what differs.
fn misevaluated(seed: u64, pick: &dyn Fn(&str) -> bool, form: Form) -> Option<(Case, String)> {
    let ready = || {
        let mut c = core(false);
        program(&mut c, &mut random(seed), pick);
        c
    };
    let mut a = ready();
    let mut b = twin(&a, false);
    let mut counts = Vec::new();
    for _ in 0..300 {
        let (count, found) = evaluated(&mut a, &mut b, 32, form)?;
        if found.is_none() {
            counts.push(count);
            continue;
        }
        let mut c = ready();
        for count in counts {
            c.run_to_branch(count);
        }
        let again = |case: &Case| evaluated(&mut case.start(), &mut case.start(), case.steps, form)?.1;
        let small = minimise(Case::of(&c, false, 32), &mut |case| again(case).is_some());
        let text = again(&small).unwrap_or_default();
        return Some((small, text));
    }
    None
}

fn evaluate(seed: u64, pick: &dyn Fn(&str) -> bool, form: Form) {
    if let Some((case, text)) = misevaluated(seed, pick, form) {
        panic!("seed {seed}: interpreter against evaluator\n{}{text}", case.text());
    }
}

fn random(seed: u64) -> Random {
    Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// What differs after compiled code and the interpreter ran a case.
fn compiled(case: &Case, options: &Options) -> Option<String> {
    let (mut a, mut b) = (case.start(), case.start());
    a.run(case.steps);
    Jit::new(&Shared::new(options.clone(), b.features).unwrap()).run(&mut b, case.steps);
    difference(&a, &b)
}

/// Compiled code against the interpreter, on a random program: the smallest case that shows a difference.
fn mismatch(seed: u64, pick: &dyn Fn(&str) -> bool, smp: bool, options: &Options) -> Option<Case> {
    let mut a = core(smp);
    program(&mut a, &mut random(seed), pick);
    let case = Case::of(&a, smp, 6000);
    compiled(&case, options)?;
    // No more instructions than show it, to begin with.
    let (mut good, mut bad) = (0, case.steps);
    while bad - good > 1 {
        let middle = (good + bad) / 2;
        let found = compiled(&case.of_steps(middle), options).is_some();
        if found { bad = middle } else { good = middle }
    }
    Some(minimise(case.of_steps(bad), &mut |c| compiled(c, options).is_some()))
}

fn options(size: usize) -> Options {
    Options { counting: true, threshold: 1, size, ..Options::default() }
}

fn compile(seed: u64, pick: &dyn Fn(&str) -> bool, smp: bool, size: usize) {
    let options = options(size);
    if let Some(case) = mismatch(seed, pick, smp, &options) {
        let text = compiled(&case, &options).unwrap_or_default();
        panic!("seed {seed}: interpreter against compiled code\n{}{text}", case.text());
    }
}

/// Seeded faults come down to the instruction that is translated wrongly, and what it needs.
#[test]
fn mismatches_are_minimised() {
    for (fault, mnemonics) in [
        ("pair-swapped", &["stp", "stnp"][..]),
        ("msub-as-madd", &["msub", "mneg", "smsubl", "umsubl", "smnegl", "umnegl"]),
        ("cas-swapped", &["cas", "stxr", "stlxr"]),
        ("bitfield-place", &["bfi", "bfxil", "bfc"]),
    ] {
        let fault = seeded::find(fault);
        let faulty = Options { fault, ..options(ROOMY) };
        let run = (1..200).find_map(|seed| mismatch(seed, &integer, false, &faulty));
        let form = Form::Optimised(fault);
        let evaluated = (1..200).find_map(|seed| misevaluated(seed, &integer, form)).map(|(case, _)| case);
        for case in [run, evaluated] {
            let case = case.unwrap_or_else(|| panic!("no program shows {fault:?}"));
            let text = case.text();
            assert!(case.instructions() <= 3, "{fault:?}: {text}");
            assert!(mnemonics.iter().any(|m| text.contains(&format!("  {m}"))), "{fault:?}: {text}");
            // A few registers and as many words of data; a fault needs no more.
            assert!(text.lines().count() <= 16, "{fault:?}: {text}");
            // It is the fault that it shows, in either way.
            let compiles = |options: &Options| compiled(&case.of_steps(4), options).is_none();
            assert!(!compiles(&faulty) && compiles(&options(ROOMY)), "{fault:?}: {text}");
        }
    }
}

#[test]
fn recorded_integer_code_evaluates_alike() {
    for seed in seeds() {
        evaluate(seed, &integer, Form::Recorded);
    }
}

#[test]
fn optimised_code_evaluates_alike() {
    for seed in seeds() {
        evaluate(seed, &anything, Form::Optimised(None));
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
    region::build(&mut lift, &c.ram, one_page(CODE), c.mode, Limits::default(), |_| false).unwrap();
    assert_eq!(lift.ir.blocks.len(), 2);
    assert_eq!(lift.ir.code.last().map(|i| i.op), Some(Op::JumpTo));
    Passes::default().run(&mut lift.ir, false);
    let text = lift.ir.to_string();
    let again = lyrebird_jit::ir::parse::region::<Arm64>(&text).unwrap();
    assert_eq!(again.code, lift.ir.code);
    assert!(c.fetch(CODE).is_ok());
}
