//! Every native form of an integer vector operation against the operation's meaning, status included.

use super::stubs::{self, Stubs};
use super::{Asm, Config, Lower};
use crate::buffer::Buffer;
use crate::ir::{Block, Inst, Ir, NONE, Op, Ty, VecForm};
use crate::run;
use crate::words;
use lyrebird_cpu::arm::{Arm64, Platform, exclusive, state};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Arch, Core, Physical};
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::vec::fp::{EXACT, Fixed};
use lyrebird_cpu::vec::{FpEnv, Lanes, Part, VecOp};
use lyrebird_cpu::width::W128;
use lyrebird_ram::GuestRam;
use std::sync::Arc;

struct Nothing;

impl Physical for Nothing {
    fn ram(&self, _: u64) -> Option<(u64, bool)> {
        None
    }
}

impl Platform for Nothing {}

/// V0 to V2 are the operands, V3 the result; the operands stay.
fn region(forms: &[VecForm]) -> Ir<Arm64> {
    let mut ir = Ir::default();
    let inst = |op, ty, a, b, c, imm| Inst { op, ty, sub: 0, a, b, c, imm };
    ir.code.push(inst(Op::At, Ty::I64, NONE, NONE, NONE, 0));
    for n in 0..3 {
        ir.code.push(inst(Op::Get, Ty::V128, NONE, NONE, NONE, state::v(n).offset() as u64));
    }
    let mut first = 1;
    for f in forms {
        ir.code.push(inst(Op::Vec, Ty::V128, first, 2, 3, f.pack()));
        first = ir.code.len() as u32 - 1;
    }
    ir.code.push(inst(Op::Put, Ty::V128, first, NONE, NONE, state::v(3).offset() as u64));
    ir.code.push(inst(Op::Leave, Ty::I64, NONE, NONE, NONE, 0));
    ir.blocks.push(Block { at: 0, first: 0, end: ir.code.len() as u32, count: 1, len: 4 });
    ir
}

struct Bench {
    buffer: Buffer,
    keep: usize,
    stubs: Stubs,
    lower: Lower,
    core: Core<Arm64>,
    avx512: bool,
    flush: bool,
    inexact: bool,
}

impl Bench {
    fn new() -> Self {
        let mut buffer = Buffer::new(1 << 20, false).unwrap();
        let mut asm = Asm::default();
        let base = buffer.next();
        let stubs = stubs::emit::<Arm64>(&mut asm, base);
        assert!(buffer.append(asm.finish(base)));
        let arch = Arm64::new(Arc::new(Nothing), Arc::new(exclusive::Versions::default()), false);
        let ram = GuestRam::new(4096).unwrap();
        let core = Core::new(arch, 0, 0, ram, Arc::new(Nothing), Arc::new(CodeMap::new(4096)));
        let mut core = core;
        for (n, x) in (0..).zip(super::fp::CONSTANTS) {
            core.set(Slot::<W128>::word(words::CONSTANTS.offset() / 8 + 2 * n), x);
        }
        Bench {
            keep: buffer.used(),
            buffer,
            stubs,
            lower: Lower::default(),
            core,
            avx512: false,
            flush: false,
            inexact: false,
        }
    }

    /// Compiles operations, each on the one before's result, and says whether all have native forms: others name
    /// themselves to their evaluator.
    fn compile(&mut self, forms: &[VecForm]) -> (u64, bool) {
        let config = Config {
            stubs: self.stubs,
            pc: Arm64::PC.offset(),
            status: state::FPSR.offset(),
            fp_plain: true,
            fp_flush: self.flush,
            fp_inexact: self.inexact,
            ..Config::default().for_host()
        };
        let config = Config { avx512: self.avx512, ..config };
        self.buffer.reset(self.keep);
        self.lower.region(&mut region(forms), config).unwrap();
        let base = self.buffer.next();
        let code = self.lower.asm.finish(base);
        let native =
            forms.iter().all(|f| !code.windows(8).any(|bytes| bytes == f.pack().to_le_bytes().as_slice()));
        assert!(self.buffer.append(code));
        (base, native)
    }

    fn run(&mut self, code: u64, v: [u128; 3]) -> (u128, u32) {
        self.run_with(code, v, 0)
    }

    fn run_with(&mut self, code: u64, v: [u128; 3], status: u32) -> (u128, u32) {
        for (n, v) in v.into_iter().enumerate() {
            self.core.set(state::v(n as u32), v);
        }
        self.core.set(state::FPSR, status);
        run::enter(&mut self.core, self.stubs.entry, code);
        (self.core.reg(state::v(3)), self.core.reg(state::FPSR))
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A vector of random elements, many of them at a limit, or small.
    fn vector(&mut self, l: Lanes) -> u128 {
        Lanes::full(l.log2 as u32).build(|_| match self.next() >> 60 {
            0 => 0,
            1 => l.mask(),
            2 => l.mask() >> 1,
            3 => (l.mask() >> 1) + 1,
            4..8 => (self.next() % 20) as u128,
            8..10 => ((self.next() % 20) as u128).wrapping_neg(),
            _ => (self.next() as u128) << 64 | self.next() as u128,
        })
    }
}

/// The first of the operations that are not integer.
const FLOAT: VecOp = VecOp::FMov;

fn forms() -> impl Iterator<Item = VecForm> {
    VecOp::ALL.iter().copied().filter(|&op| (op as u16) < FLOAT as u16).flat_map(|op| {
        (0..4u32).flat_map(move |log2| {
            [Part::Scalar, Part::Half, Part::Full].into_iter().flat_map(move |part| {
                let lanes = Lanes::new(log2, part);
                let constants = match op {
                    VecOp::Shl | VecOp::ShrU | VecOp::ShrS => 0..lanes.bits() + 1,
                    VecOp::RoundShrU | VecOp::RoundShrS => 1..lanes.bits() + 1,
                    VecOp::Extract if part != Part::Full => 0..8,
                    VecOp::Extract | VecOp::DupLane => 0..16,
                    VecOp::Reverse => log2 + 1..4,
                    _ => 0..2,
                };
                constants.map(move |imm| VecForm { op, lanes, imm })
            })
        })
    })
}

#[test]
fn native_forms_do_what_their_operations_mean() {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return;
    }
    let (mut bench, mut random, mut tested) = (Bench::new(), Random(0x1234_5678_9ABC_DEF1), 0);
    let wide = Config::default().for_host().avx512;
    for (form, avx512) in forms().flat_map(|f| [(f, false), (f, true)]) {
        if avx512 && !wide {
            continue;
        }
        bench.avx512 = avx512;
        let (code, native) = bench.compile(&[form]);
        if !native {
            continue;
        }
        tested += 1;
        for round in 0..64 {
            let l = if round & 1 == 0 || form.lanes.log2 == 3 { form.lanes } else { form.lanes.wider() };
            let mut v = [0; 3].map(|_| random.vector(l));
            if round & 3 == 3 {
                // Equal elements, and some that differ in one bit.
                v[1] = v[0] ^ (random.next() as u128 & random.next() as u128 & random.next() as u128);
            }
            let mut env = FpEnv::default();
            let expected = form.op.eval(form.lanes, form.imm, v[0], v[1], v[2], &mut env);
            let (got, status) = bench.run(code, v);
            assert_eq!(got, expected, "{form:?} of {v:x?}: {got:x} instead of {expected:x}");
            assert_eq!(status, env.status, "status of {form:?} of {v:x?}");
        }
    }
    assert!(tested > 1200, "{tested} forms");
}

#[test]
fn aes_rounds_fuse() {
    if !std::arch::is_x86_feature_detected!("avx2") {
        return;
    }
    let (mut bench, mut random) = (Bench::new(), Random(7));
    for pair in [[VecOp::AesEncrypt, VecOp::AesMix], [VecOp::AesDecrypt, VecOp::AesUnmix]] {
        let forms = pair.map(|op| VecForm { op, lanes: Lanes::full(0), imm: 0 });
        let (code, _) = bench.compile(&forms);
        for _ in 0..50 {
            let v = [0; 3].map(|_| random.vector(Lanes::full(0)));
            let mut env = FpEnv::default();
            let between = pair[0].eval(Lanes::full(0), 0, v[0], v[1], v[2], &mut env);
            let expected = pair[1].eval(Lanes::full(0), 0, between, 0, 0, &mut env);
            assert_eq!(bench.run(code, v).0, expected, "{pair:?} of {v:x?}");
        }
    }
}

/// Elements at the edges of a format, and others.
fn float(random: &mut Random, double: bool) -> u64 {
    let (fraction, exponents) = if double { (52, 0x7FF) } else { (23, 0xFF) };
    let sign = (random.next() & 1) << if double { 63 } else { 31 };
    let exponent = match random.next() >> 60 {
        0 => 0,
        1 => 1,
        2 => exponents - 1,
        3 => exponents,
        4 => random.next() % exponents,
        5 => exponents / 2 + 31 + random.next() % 2,
        _ => exponents / 2 + random.next() % 6 - 3,
    };
    let all = (1u64 << fraction) - 1;
    let rest = match random.next() >> 61 {
        0..3 => 0,
        3 => all,
        4 => 1,
        5 => 1 << (fraction - 1),
        _ => random.next() & all,
    };
    sign | exponent << fraction | rest
}

/// FPCR.FZ and FPCR.DN.
const FZ: u32 = 1 << 24;
const DN: u32 = 1 << 25;

fn float_forms() -> impl Iterator<Item = VecForm> {
    VecOp::ALL.iter().copied().filter(|&op| op as u16 >= FLOAT as u16).flat_map(|op| {
        (2..4u32).flat_map(move |log2| {
            [Part::Scalar, Part::Half, Part::Full].into_iter().flat_map(move |part| {
                let constants: Vec<u32> = match op {
                    VecOp::FRound => {
                        (0..8).filter(|r| !matches!(r, 5 | 6)).flat_map(|r| [r, r | EXACT]).collect()
                    }
                    VecOp::FToInt | VecOp::IntToF => (0..80)
                        .map(|n| Fixed {
                            rounding: [0, 1, 2, 3, 4][n as usize % 5],
                            signed: (n / 5) & 1 != 0,
                            log2: 2 + ((n / 10) & 1),
                            fbits: [0, 1, 8, 32][n as usize / 20],
                        })
                        .filter(|f| part == Part::Scalar || f.log2 == log2)
                        .map(Fixed::pack)
                        .collect(),
                    VecOp::FCvt => vec![5 - log2],
                    _ => vec![0, 1],
                };
                let lanes = Lanes::new(log2, part);
                constants.into_iter().map(move |imm| VecForm { op, lanes, imm })
            })
        })
    })
}

#[test]
fn floating_point_is_bit_exact_and_so_is_its_status() {
    if !std::arch::is_x86_feature_detected!("avx2") || !std::arch::is_x86_feature_detected!("fma") {
        return;
    }
    let wide = Config::default().for_host().avx512;
    let (mut bench, mut random) = (Bench::new(), Random(0x0FED_CBA9_8765_4321));
    let kinds =
        [(false, false, 0), (true, false, 0), (true, true, 0), (true, true, FZ), (true, true, FZ | DN)];
    let kinds = kinds.map(|k| [false, true].map(|inexact| (k, inexact))).concat();
    for (form, ((avx512, flush, control), inexact)) in
        float_forms().flat_map(|f| kinds.iter().map(move |k| (f, *k)))
    {
        let l = form.lanes;
        let strange = form.op == VecOp::FCvt && l.part == if l.log2 == 2 { Part::Full } else { Part::Half };
        if avx512 && !wide || l.part == Part::Half && l.log2 == 3 || strange {
            continue;
        }
        (bench.flush, bench.inexact) = (flush, inexact);
        bench.core.set(state::FPCR, control);
        bench.avx512 = avx512;
        let (code, _) = bench.compile(&[form]);
        for round in 0..96u32 {
            let mut v =
                [0; 3].map(|_| Lanes::full(l.log2 as u32).build(|_| float(&mut random, l.log2 == 3) as u128));
            if round % 7 == 6 {
                v[1] = v[0];
            }
            // An inexact result has been seen, or none yet that the mode knows of.
            let before = if round % 8 == 7 && !inexact { 0 } else { 1 << 4 };
            let mut env = FpEnv { control, status: before };
            let expected = form.op.eval(l, form.imm, v[0], v[1], v[2], &mut env);
            let (got, status) = bench.run_with(code, v, before);
            assert_eq!(got, expected, "{form:?} of {v:x?}: {got:x} instead of {expected:x}");
            assert_eq!(status, env.status, "status of {form:?} of {v:x?}");
        }
    }
}
