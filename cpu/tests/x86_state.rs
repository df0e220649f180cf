//! What recorded vectors of single instructions do not show: exceptions, state in memory, gathers that fault.

use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Arch, Core, NoAnswer, Physical};
use lyrebird_cpu::emit::Cx;
use lyrebird_cpu::vec::FpEnv;
use lyrebird_cpu::x86::isa::sse_control;
use lyrebird_cpu::x86::{Platform, X64, mode, state};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

/// Address of the page of memory, to which R13 points.
const DATA: u64 = 0x1000_0000;

struct Board;
impl Physical for Board {
    fn ram(&self, pa: u64) -> Option<(u64, bool)> {
        (DATA..DATA + 0x1000).contains(&pa).then_some((pa & 0xFFF, true))
    }
    fn write(&self, _: usize, _: u64, _: u32, _: u64) -> Result<(), NoAnswer> {
        Err(NoAnswer)
    }
}

struct NoBoard;
impl Platform for NoBoard {}

/// 64-bit user mode, everything enabled.
const MODE: u32 = 3 | 3 << mode::CODE_LOW | 3 << mode::STACK_LOW | mode::PE | mode::LMA | mode::FLAT;

const ONE: u128 = 0x3F80_0000;

/// Runs an instruction; the exception's vector if there is one.
fn run(core: &mut Core<X64>, insn: &[u8]) -> Option<u64> {
    let mut bytes = insn.to_vec();
    bytes.resize(32, 0x90);
    let cx = Cx { mode: core.mode, features: core.features };
    let (handler, i) = X64::decode(&bytes, cx).expect("enough bytes");
    core.execute(handler, i).err().map(|_| core.raised.0 & 0xFF)
}

fn fresh(mxcsr: u32) -> Core<X64> {
    let arch = X64::new(Arc::new(NoBoard), 1);
    let ram = GuestRam::new(0x1000).expect("RAM");
    let mut core = Core::new(arch, u64::MAX, 0, ram, Arc::new(Board), Arc::new(CodeMap::new(0x1000)));
    core.tlb.select(1, 1);
    core.mode = MODE | sse_control::mode_bits(mxcsr);
    core.set(state::MXCSR, mxcsr & !0x3F);
    core.set(state::FP_CONTROL, mxcsr & !0x3F | FpEnv::X86);
    core.set(state::FP_STATUS, mxcsr & 0x3F);
    core.set(state::FCW, 0x37F);
    core.set(state::CR0, 1 | 1 << 5);
    core.set(state::gpr(13), DATA);
    core
}

#[test]
fn an_unmasked_simd_exception_sets_its_flag_and_nothing_else() {
    // ZM is clear, PE is set already.
    let mut core = fresh(0x1F80 & !(1 << 9) | 0x20);
    core.set(state::xmm(1), ONE);
    core.set(state::xmm(2), 0);
    assert_eq!(run(&mut core, &[0xF3, 0x0F, 0x5E, 0xCA]), Some(19));
    assert_eq!(core.reg(state::xmm(1)), ONE);
    assert_eq!(sse_control::mxcsr(&core) & 0x3F, 0x24);
    // An exception that is masked is none.
    core.set(state::xmm(2), 0x4040_0000);
    assert_eq!(run(&mut core, &[0xF3, 0x0F, 0x5E, 0xCA]), None);
    assert_eq!(core.reg(state::xmm(1)), 0x3EAA_AAAB);
}

#[test]
fn mode_bits_forbid_vector_instructions() {
    let addps = [0x0F, 0x58, 0xCA];
    let vaddps = [0xC5, 0xF0, 0x58, 0xCA];
    let paddb = [0x0F, 0xFC, 0xCA];
    for (insn, bit, vector) in [
        (&addps[..], mode::SSE_UD, 6),
        (&addps, mode::SSE_NM, 7),
        (&vaddps, mode::AVX_UD, 6),
        (&vaddps, mode::SSE_NM, 7),
        (&paddb, mode::MMX_UD, 6),
        (&paddb, mode::X87_TRAP, 7),
        (&[0xD9, 0xE8], mode::X87_TRAP, 7),
        (&[0x9B], mode::WAIT_TRAP, 7),
    ] {
        let mut core = fresh(0x1F80);
        assert_eq!(run(&mut core, insn), None, "{insn:x?}");
        core.mode |= bit;
        assert_eq!(run(&mut core, insn), Some(vector), "{insn:x?}");
    }
    // VEX.vvvv names an operand that VSQRTPS does not have.
    assert_eq!(run(&mut fresh(0x1F80), &[0xC5, 0xF0, 0x51, 0xCA]), Some(6));
}

#[test]
fn operands_of_sixteen_bytes_are_aligned_and_those_of_vex_need_not_be() {
    for (insn, vector) in [
        (&[0x41, 0x0F, 0x58, 0x4D, 0x04][..], Some(13)),
        (&[0x41, 0x0F, 0x28, 0x4D, 0x04], Some(13)),
        (&[0x41, 0x0F, 0x29, 0x4D, 0x04], Some(13)),
        (&[0x41, 0x0F, 0x10, 0x4D, 0x04], None),
        (&[0xC4, 0xC1, 0x70, 0x58, 0x4D, 0x04], None),
        (&[0xC4, 0xC1, 0x78, 0x28, 0x4D, 0x04], Some(13)),
        (&[0xC4, 0xC1, 0x7C, 0x28, 0x4D, 0x10], Some(13)),
    ] {
        assert_eq!(run(&mut fresh(0x1F80), insn), vector, "{insn:x?}");
    }
}

#[test]
fn an_unmasked_x87_exception_waits_for_the_next_instruction() {
    let mut core = fresh(0x1F80);
    core.set(state::FCW, 0x37F & !4);
    assert_eq!(run(&mut core, &[0xD9, 0xE8]), None);
    assert_eq!(run(&mut core, &[0xD9, 0xEE]), None);
    // 1 / 0: both registers stay.
    assert_eq!(run(&mut core, &[0xDE, 0xF9]), None);
    assert_eq!(core.reg(state::FSW) & 0xB8FF, 6 << 11 | 0x8084);
    assert_eq!(run(&mut core, &[0xDF, 0xE0]), None);
    assert_eq!(run(&mut core, &[0xD9, 0xE8]), Some(16));
    assert_eq!(run(&mut core, &[0x9B]), Some(16));
    assert_eq!(run(&mut core, &[0xDB, 0xE2]), None);
    assert_eq!(run(&mut core, &[0xD9, 0xE8]), None);
}

#[test]
fn state_survives_a_round_through_memory() {
    let fill = |core: &mut Core<X64>| {
        for n in 0..16u8 {
            core.set(state::xmm(n), 0x0123_4567_89AB_CDEF_0011_2233_4455_6677 * (n as u128 + 1));
            core.set(state::ymm_high(n), 0x1122_3344_5566_7788_99AA_BBCC_DDEE_FF01 + n as u128);
        }
        for n in 0..8u8 {
            core.set(state::fpr(n), 0x4001_8000_0000_0000_0001 + ((n as u128) << 8));
        }
        core.set(state::FSW, 3 << 11 | 0x4700);
        core.set(state::FTW, 0xA5);
        core.set(state::PKRU, 0x5555_5554);
    };
    let seen = |core: &Core<X64>| {
        let mut all: Vec<u128> = (0..16).map(|n| core.reg(state::xmm(n))).collect();
        all.extend((0..16).map(|n| core.reg(state::ymm_high(n))));
        all.extend((0..8).map(|n| core.reg(state::fpr(n))));
        all.extend([core.reg(state::FSW), core.reg(state::FTW), core.reg(state::FCW)].map(u128::from));
        all.push(core.reg(state::PKRU).into());
        all
    };
    // XSAVE, XSAVEOPT, XSAVEC, and XRSTOR of each.
    for save in [
        &[0x41, 0x0F, 0xAE, 0x65, 0x00][..],
        &[0x41, 0x0F, 0xAE, 0x75, 0x00],
        &[0x41, 0x0F, 0xC7, 0x65, 0x00],
    ] {
        let mut core = fresh(0x1F80);
        core.set(state::CR4, 1 << 18 | 1 << 9);
        core.set(state::XCR0, 0x207);
        fill(&mut core);
        let before = seen(&core);
        core.set(state::gpr(0), u64::MAX);
        core.set(state::gpr(2), u64::MAX);
        assert_eq!(run(&mut core, save), None, "{save:x?}");
        for n in 0..16u8 {
            core.set(state::xmm(n), 1);
            core.set(state::ymm_high(n), 2);
        }
        (0..8).for_each(|n| core.set(state::fpr(n), 3));
        core.set(state::FSW, 0);
        core.set(state::FTW, 0);
        core.set(state::PKRU, 0);
        let mode = core.mode;
        assert_eq!(run(&mut core, &[0x41, 0x0F, 0xAE, 0x6D, 0x00]), None, "{save:x?}");
        core.mode = mode;
        assert_eq!(seen(&core), before, "{save:x?}");
        // Components that the header does not have become their initial state.
        core.ram.write::<u64>(512, 0).expect("RAM");
        assert_eq!(run(&mut core, &[0x41, 0x0F, 0xAE, 0x6D, 0x00]), None);
        assert_eq!(core.reg(state::xmm(5)) | core.reg(state::ymm_high(5)) | core.reg(state::fpr(5)), 0);
        assert_eq!((core.reg(state::FCW), core.reg(state::FTW), core.reg(state::PKRU)), (0x37F, 0, 0));
    }
}

#[test]
fn a_gather_loads_what_the_mask_selects() {
    let mut core = fresh(0x1F80);
    for n in 0..16u64 {
        core.ram.write::<u32>(4 * n, 100 + n as u32).expect("RAM");
    }
    // VPGATHERDD xmm1, [r13 + xmm4 * 4], xmm3: the encoding without an index names register 4.
    core.set(state::xmm(1), u128::MAX);
    core.set(state::xmm(3), 0x8000_0000_0000_0000_FFFF_FFFF_8000_0000);
    core.set(state::xmm(4), 0x0000_0007_0000_0001_0000_0009_0000_0003);
    core.set(state::ymm_high(1), 5);
    assert_eq!(run(&mut core, &[0xC4, 0xC2, 0x61, 0x90, 0x4C, 0xA5, 0x00]), None);
    assert_eq!(core.reg(state::xmm(1)), 107 << 96 | 0xFFFF_FFFF << 64 | 109 << 32 | 103);
    assert_eq!((core.reg(state::xmm(3)), core.reg(state::ymm_high(1))), (0, 0));
    // An element that faults: those before it are there, and their masks are clear.
    core.set(state::xmm(3), u128::MAX);
    core.set(state::xmm(4), 0x0000_0001_4000_0000_0000_0002_0000_0001);
    core.set(state::gpr(13), DATA);
    if run(&mut core, &[0xC4, 0xC2, 0x61, 0x90, 0x4C, 0xA5, 0x00]).is_some() {
        assert_eq!(core.reg(state::xmm(1)) as u64, 102 << 32 | 101);
        assert_eq!(core.reg(state::xmm(3)), u128::MAX << 64);
    }
}
