//! Flag control: CLC, STC, CMC, CLD, STD, LAHF, SAHF, SALC; NOP, PAUSE, prefetches, cache flushes, random numbers,
//! undefined opcodes.

use super::undefined;
use crate::emit::{Effects, Exec, Flow, Helper};
use crate::op::Bin;
use crate::width::{Int, W1, W8, W16, W32, W64};
use crate::x86::X64;
use crate::x86::eflags::DIRECTION;
use crate::x86::emit::{X86, fault};
use crate::x86::features as f;
use crate::x86::flags;
use crate::x86::insn::{HIGH_BYTE, Insn};
use crate::x86::mode;
use crate::x86::state;

crate::x86_rows! {
    "CLC" "F8" "" "" => [plain clc];
    "STC" "F9" "" "" => [plain stc];
    "CMC" "F5" "" "" => [plain cmc];
    "CLD" "FC" "" "" => [plain cld];
    "STD" "FD" "" "" => [plain std];
    "LAHF" "9F" "" "i64" => [plain lahf];
    "SAHF" "9E" "" "i64" => [plain sahf];
    "LAHF" "9F" "" "o64" if f::LAHF_LM => [plain lahf];
    "SAHF" "9E" "" "o64" if f::LAHF_LM => [plain sahf];
    "SALC" "D6" "" "i64" => [plain salc];
    "PREFETCHW" "0F 0D" "Ev" "" if f::PREFETCHW => [plain nop];
    "NOP" "0F 18" "Ev" "" if f::I686 => [plain nop];
    "NOP" "0F 19" "Ev" "" if f::I686 => [plain nop];
    "NOP" "0F 1A" "Ev" "" if f::I686 => [plain nop];
    "NOP" "0F 1B" "Ev" "" if f::I686 => [plain nop];
    "NOP" "0F 1C" "Ev" "" if f::I686 => [plain nop];
    "NOP" "0F 1D" "Ev" "" if f::I686 => [plain nop];
    "NOP" "0F 1E" "Ev" "" if f::I686 => [plain nop];
    "NOP" "0F 1F" "Ev" "" if f::I686 => [plain nop];
    "CLFLUSH" "NP 0F AE /7" "Mb" "m" if f::CLFSH => [plain clflush];
    "CLFLUSHOPT" "66 0F AE /7" "Mb" "m" if f::CLFLUSHOPT => [plain clflush];
    "CLWB" "66 0F AE /6" "Mb" "m" if f::CLWB => [plain clflush];
    "RDRAND" "NR 0F C7 /6" "Rv" "r" if f::RDRAND => [v random];
    "RDSEED" "NR 0F C7 /7" "Rv" "r" if f::RDSEED => [v random];
    "ESC" "D8" "Ev" "" => [plain esc];
    "ESC" "D9" "Ev" "" => [plain esc];
    "ESC" "DA" "Ev" "" => [plain esc];
    "ESC" "DB" "Ev" "" => [plain esc];
    "ESC" "DC" "Ev" "" => [plain esc];
    "ESC" "DD" "Ev" "" => [plain esc];
    "ESC" "DE" "Ev" "" => [plain esc];
    "ESC" "DF" "Ev" "" => [plain esc];
    "UD2" "0F 0B" "" "" if f::I286 => [plain undefined];
    "UD1" "0F B9" "Gv,Ev" "" if f::I286 => [plain undefined];
    "UD0" "0F FF" "Gv,Ev" "" if f::I286 => [plain undefined];
}

/// What needs nothing done: hints, and registers that processors without CET do not have.
#[inline(always)]
fn nop<E: X86>(_: &mut E, _: &Insn) -> Exec<E> {
    Ok(Flow::Next)
}

fn set_cf<E: X86>(e: &mut E, c: E::Val<W1>) -> Exec<E> {
    let f = e.as_flag(c, flags::CF);
    e.merge_flags(f, flags::CF);
    Ok(Flow::Next)
}

#[inline(always)]
fn clc<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let c = e.lit::<W1>(false);
    set_cf(e, c)
}

#[inline(always)]
fn stc<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let c = e.lit::<W1>(true);
    set_cf(e, c)
}

#[inline(always)]
fn cmc<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let c = e.flag(flags::CF);
    let c = e.not1(c);
    set_cf(e, c)
}

/// DF is part of the mode, since the code of string instructions depends on it.
fn set_df<E: X86>(e: &mut E, down: bool) -> Exec<E> {
    if (e.mode() & mode::DF != 0) == down {
        return Ok(Flow::Next);
    }
    let down = e.lit::<W64>(down as u64);
    e.call(&DIRECTION, [down, down, down])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn cld<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    set_df(e, false)
}

#[inline(always)]
fn std<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    set_df(e, true)
}

/// The flags in AH.
const IN_AH: u32 = flags::SF | flags::ZF | flags::AF | flags::PF | flags::CF;

#[inline(always)]
fn lahf<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let f = e.read_flags(state::FLAGS);
    let f = e.shift::<W32>(Bin::Shr, f, 8);
    let mask = e.lit::<W32>(IN_AH >> 8);
    let f = e.and(f, mask);
    let fixed = e.lit::<W32>(2);
    let f = e.or(f, fixed);
    let f = e.zext::<W32, W8>(f);
    e.set_r::<W8>(HIGH_BYTE, f);
    Ok(Flow::Next)
}

#[inline(always)]
fn sahf<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let f = e.r::<W8>(HIGH_BYTE);
    let f = e.zext::<W8, W32>(f);
    let f = e.shift::<W32>(Bin::Shl, f, 8);
    e.merge_flags(f, IN_AH);
    Ok(Flow::Next)
}

/// SALC: AL becomes all CF.
#[inline(always)]
fn salc<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let c = e.flag(flags::CF);
    let v = e.sext::<W1, W8>(c);
    e.set_r::<W8>(0, v);
    Ok(Flow::Next)
}

/// CLFLUSH, CLFLUSHOPT, CLWB: there are no caches to flush; the byte must be readable.
#[inline(always)]
fn clflush<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let at = e.ea(i);
    e.load_at::<W8>(i.seg(), at)?;
    Ok(Flow::Next)
}

/// RDRAND and RDSEED: there always is a number. CF is set, the other flags are clear.
#[inline(always)]
fn random<E: X86, W: Int>(e: &mut E, i: &Insn) -> Exec<E> {
    let none = e.lit::<W64>(0);
    let v = e.call(&RANDOM, [none, none, none])?;
    let v = e.zext::<W64, W>(v);
    e.set_r::<W>(i.rm(), v);
    let f = e.lit::<W32>(flags::CF);
    e.write_flags(state::FLAGS, f);
    Ok(Flow::Next)
}

/// 64 random bits.
static RANDOM: Helper<X64> =
    Helper { name: "random", effects: Effects::NONE, run: |core, _, _, _| Ok(core.arch.platform.random()) };

/// What no row of the x87 is: #UD with a coprocessor, nothing without one, if CR0.EM does not ask for emulation.
#[inline(always)]
fn esc<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    if e.mode() & mode::X87_TRAP != 0 {
        return e.raise(fault::NM);
    }
    if e.cx().features & f::FPU != 0 {
        return e.undefined();
    }
    if i.is_mem() {
        let at = e.ea(i);
        e.load_at::<W16>(i.seg(), at)?;
    }
    Ok(Flow::Next)
}
