//! The same on the interpreter: records into a core and back.

use super::program::{DATA, FLAGS, FREE, MEMORY, MEMORY_SIZE, RECORD, XSAVE};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Arch, Core, NoAnswer, Physical};
use lyrebird_cpu::vec::FpEnv;
use lyrebird_cpu::x86::isa::sse_control;
use lyrebird_cpu::x86::{X64, flags, mode, state};
use lyrebird_ram::GuestRam;
use std::sync::Arc;

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
impl lyrebird_cpu::x86::Platform for NoBoard {}

/// 64-bit user mode, everything enabled.
pub const MODE: u32 = 3 | 3 << mode::CODE_LOW | 3 << mode::STACK_LOW | mode::PE | mode::LMA | mode::FLAT;

fn u16_at(r: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(r[at..at + 2].try_into().expect("two"))
}
fn u32_at(r: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(r[at..at + 4].try_into().expect("four"))
}
fn u64_at(r: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(r[at..at + 8].try_into().expect("eight"))
}
fn u128_at(r: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(r[at..at + 16].try_into().expect("sixteen"))
}

/// The core that runs records.
pub fn core() -> Core<X64> {
    let arch = X64::new(Arc::new(NoBoard), 1);
    let ram = GuestRam::new(0x1000).expect("RAM");
    let mut core = Core::new(arch, u64::MAX, 0, ram, Arc::new(Board), Arc::new(CodeMap::new(0x1000)));
    core.tlb.select(1, 1);
    core
}

fn load(core: &mut Core<X64>, r: &[u8]) {
    for &n in &FREE {
        core.set(state::gpr(n), u64_at(r, 8 * n as usize));
    }
    core.set(state::gpr(13), DATA);
    let f = u32_at(r, FLAGS);
    core.set(state::FLAGS, flags::from_eflags(f));
    core.set(state::EFLAGS, f & !flags::eflags::ARITHMETIC);
    core.ram.write_bytes(0, &r[MEMORY..MEMORY + MEMORY_SIZE]).expect("RAM");
    let x = &r[XSAVE..];
    core.set(state::FCW, u16_at(x, 0));
    core.set(state::FSW, u16_at(x, 2));
    core.set(state::FTW, x[4] as u16);
    let top = u16_at(x, 2) >> 11 & 7;
    for n in 0..8u16 {
        let value = u128_at(x, 32 + 16 * n as usize) & (u128::MAX >> 48);
        core.set(state::fpr(((top + n) & 7) as u8), value);
    }
    for n in 0..16usize {
        core.set(state::xmm(n as u8), u128_at(x, 160 + 16 * n));
        core.set(state::ymm_high(n as u8), u128_at(x, 576 + 16 * n));
    }
    let mxcsr = u32_at(x, 24);
    core.set(state::MXCSR, mxcsr & !0x3F);
    core.set(state::FP_CONTROL, mxcsr & !0x3F | FpEnv::X86);
    core.set(state::FP_STATUS, mxcsr & 0x3F);
    core.mode = MODE | sse_control::mode_bits(mxcsr);
    core.set_pc(0x40_0000);
}

fn unload(core: &Core<X64>, r: &mut [u8]) {
    let mut put = |at: usize, bytes: &[u8]| r[at..at + bytes.len()].copy_from_slice(bytes);
    for &n in &FREE[..12] {
        put(8 * n as usize, &core.reg(state::gpr(n)).to_le_bytes());
    }
    let f = flags::to_eflags(core.reg(state::FLAGS)) | core.reg(state::EFLAGS);
    put(FLAGS, &u64::from(f).to_le_bytes());
    let mut memory = [0; MEMORY_SIZE];
    core.ram.read_bytes(0, &mut memory).expect("RAM");
    put(MEMORY, &memory);
    put(XSAVE, &core.reg(state::FCW).to_le_bytes());
    put(XSAVE + 2, &core.reg(state::FSW).to_le_bytes());
    put(XSAVE + 4, &[core.reg(state::FTW) as u8]);
    let top = core.reg(state::FSW) >> 11 & 7;
    for n in 0..8u16 {
        let value = core.reg(state::fpr(((top + n) & 7) as u8));
        put(XSAVE + 32 + 16 * n as usize, &value.to_le_bytes());
    }
    for n in 0..16usize {
        put(XSAVE + 160 + 16 * n, &core.reg(state::xmm(n as u8)).to_le_bytes());
        put(XSAVE + 576 + 16 * n, &core.reg(state::ymm_high(n as u8)).to_le_bytes());
    }
    put(XSAVE + 24, &sse_control::mxcsr(core).to_le_bytes());
}

/// Runs the instruction for every record; the first exception ends it.
pub fn run(core: &mut Core<X64>, insn: &[u8], records: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = insn.to_vec();
    bytes.resize(32, 0x90);
    let mut out = records.to_vec();
    for r in out.chunks_exact_mut(RECORD) {
        load(core, r);
        let cx = lyrebird_cpu::emit::Cx { mode: core.mode, features: core.features };
        let Some((run, i)) = X64::decode(&bytes, cx) else { return Err("too short".into()) };
        if i.len as usize != insn.len() {
            return Err(format!("length {}", i.len));
        }
        if run(core, i).is_err() {
            return Err(format!("exception {:#x}", core.raised.0));
        }
        unload(core, r);
    }
    Ok(out)
}
