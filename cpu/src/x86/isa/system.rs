//! System instructions: descriptor-table registers, control and debug registers, MSRs, identification, time, halting,
//! translation maintenance, interrupt flags, system calls.

use crate::core::{Core, Raised};
use crate::emit::{Effects, Emit, Exec, Fence, Flow, Helper, Transfer};
use crate::op::{Bin, Cmp};
use crate::slot::Slot;
use crate::width::{W32, W64};
use crate::x86::control::{self, cr4};
use crate::x86::emit::{Want, X86, fault, plain};
use crate::x86::flags::eflags;
use crate::x86::insn::{Insn, seg};
use crate::x86::{
    X64, context, cpuid, debug, fast, features as f, gate, iret, maintenance, mode, msr, smm, state,
};

crate::x86_rows! {
    "INVLPG" "0F 01 /7" "Mb" "" if f::I486 => [plain invlpg];
    "SWAPGS" "0F 01 F8" "" "o64" if f::LM => [plain swapgs];
    "RDTSCP" "0F 01 F9" "" "" if f::RDTSCP => [plain rdtscp];
    "MONITOR" "0F 01 C8" "" "" if f::MONITOR => [plain monitor];
    "MWAIT" "0F 01 C9" "" "" if f::MONITOR => [plain mwait];
    "CLAC" "NP 0F 01 CA" "" "" if f::SMAP => [plain clac];
    "STAC" "NP 0F 01 CB" "" "" if f::SMAP => [plain stac];
    "XGETBV" "NP 0F 01 D0" "" "" if f::XSAVE => [plain xgetbv];
    "XSETBV" "NP 0F 01 D1" "" "" if f::XSAVE => [plain xsetbv];
    "RDPKRU" "NP 0F 01 EE" "" "" if f::PKU => [plain rdpkru];
    "WRPKRU" "NP 0F 01 EF" "" "" if f::PKU => [plain wrpkru];
    "SYSCALL" "0F 05" "" "" if f::SYSCALL => [plain syscall];
    "CLTS" "0F 06" "" "" if f::I286 => [plain clts];
    "SYSRET" "0F 07" "" "" if f::SYSCALL => [plain sysret];
    "INVD" "0F 08" "" "" if f::I486 => [plain privileged_nothing];
    "WBINVD" "0F 09" "" "" if f::I486 => [plain privileged_nothing];
    "MOV" "0F 20" "Rd,Cd" "anymod" if f::I386 => [plain mov_from_cr];
    "MOV" "0F 21" "Rd,Dd" "anymod" if f::I386 => [plain mov_from_dr];
    "MOV" "0F 22" "Cd,Rd" "anymod" if f::I386 => [plain mov_to_cr];
    "MOV" "0F 23" "Dd,Rd" "anymod" if f::I386 => [plain mov_to_dr];
    "WRMSR" "0F 30" "" "" if f::I586 => [plain wrmsr];
    "RDTSC" "0F 31" "" "" if f::TSC => [plain rdtsc];
    "RDMSR" "0F 32" "" "" if f::I586 => [plain rdmsr];
    "RDPMC" "0F 33" "" "" if f::I686 => [plain rdpmc];
    "SYSENTER" "0F 34" "" "" if f::SEP => [plain sysenter];
    "SYSEXIT" "0F 35" "" "" if f::SEP => [plain sysexit];
    "CPUID" "0F A2" "" "" if f::I586 => [plain do_cpuid];
    "RSM" "0F AA" "" "" if f::I586 => [plain rsm];
    "RDFSBASE" "F3 0F AE /0" "Rv" "r o64" if f::FSGSBASE => [plain rdbase];
    "RDGSBASE" "F3 0F AE /1" "Rv" "r o64" if f::FSGSBASE => [plain rdbase];
    "WRFSBASE" "F3 0F AE /2" "Rv" "r o64" if f::FSGSBASE => [plain wrbase];
    "WRGSBASE" "F3 0F AE /3" "Rv" "r o64" if f::FSGSBASE => [plain wrbase];
    "RDPID" "F3 0F C7 /7" "Rv" "r" if f::RDPID => [plain rdpid];
    "INVPCID" "66 0F 38 82" "Gv,Mv" "" if f::INVPCID => [plain invpcid];
    "INT3" "CC" "" "" => [plain int3];
    "INT" "CD" "Ib" "" => [plain int_n];
    "INTO" "CE" "" "i64" => [plain into];
    "IRET" "CF" "" "" => [plain do_iret];
    "INT1" "F1" "" "" if f::I386 => [plain icebp];
    "HLT" "F4" "" "" => [plain hlt];
    "CLI" "FA" "" "" => [plain cli];
    "STI" "FB" "" "" => [plain sti];
}

/// Instructions of level 0: #GP(0) elsewhere, in virtual-8086 mode, too.
pub(super) fn level_0<E: X86>(e: &mut E) -> Result<(), E::Abort> {
    e.check_cpl(0)
}

/// What CR4.UMIP keeps from programs above level 0.
pub(super) fn umip<E: X86>(e: &mut E) -> Result<(), E::Abort> {
    if mode::cpl(e.mode()) == 0 || e.cx().features & f::UMIP == 0 {
        return Ok(());
    }
    cr4_forbids(e, cr4::UMIP)
}

/// #GP(0) if a bit of CR4 is set.
fn cr4_forbids<E: X86>(e: &mut E, bit: u64) -> Result<(), E::Abort> {
    let set = cr4_bit(e, bit, true);
    e.raise_if(set, fault::GP0)
}

fn cr4_bit<E: X86>(e: &mut E, bit: u64, is: bool) -> E::Val<crate::width::W1> {
    let (x, mask, zero) = (e.get(state::CR4), e.lit::<W64>(bit), e.lit::<W64>(0));
    let x = e.and(x, mask);
    e.cmp::<W64>(if is { Cmp::Ne } else { Cmp::Eq }, x, zero)
}

pub(super) fn zero<E: X86>(e: &mut E) -> E::Val<W64> {
    e.lit::<W64>(0)
}

#[inline(always)]
fn clts<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    level_0(e)?;
    let none = zero(e);
    e.call(&control::CLTS, [none; 3])?;
    Ok(Flow::Sync)
}

/// Caches are coherent.
#[inline(always)]
fn privileged_nothing<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    level_0(e)?;
    Ok(Flow::Next)
}

fn control_number<E: X86>(e: &mut E, i: &Insn) -> E::Val<W64> {
    e.lit::<W64>(i.reg() as u64)
}

/// The operand of moves to control and debug registers: 32 bits but in 64-bit mode.
fn whole<E: X86>(e: &mut E, n: u8) -> E::Val<W64> {
    let x = e.get(state::gpr(n));
    if mode::is_64(e.mode()) { x } else { e.trunc(x, 2) }
}

#[inline(always)]
fn mov_from_cr<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (n, none) = (control_number(e, i), zero(e));
    let x = e.call(&control::READ, [n, none, none])?;
    e.put(state::gpr(i.rm()), x);
    Ok(Flow::Next)
}

#[inline(always)]
fn mov_to_cr<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (n, x, none) = (control_number(e, i), whole(e, i.rm()), zero(e));
    e.call(&control::WRITE, [n, x, none])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn mov_from_dr<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (n, none) = (control_number(e, i), zero(e));
    let x = e.call(&debug::READ, [n, none, none])?;
    e.put(state::gpr(i.rm()), x);
    Ok(Flow::Next)
}

#[inline(always)]
fn mov_to_dr<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (n, x, none) = (control_number(e, i), whole(e, i.rm()), zero(e));
    e.call(&debug::WRITE, [n, x, none])?;
    Ok(Flow::Sync)
}

/// EDX:EAX.
fn edx_eax<E: X86>(e: &mut E) -> E::Val<W64> {
    let (low, high) = (e.r::<W32>(0), e.r::<W32>(2));
    let (low, high) = (e.zext::<W32, W64>(low), e.zext::<W32, W64>(high));
    let high = e.shift(Bin::Shl, high, 32);
    e.or(low, high)
}

fn set_edx_eax<E: X86>(e: &mut E, x: E::Val<W64>) {
    let high = e.shift(Bin::Shr, x, 32);
    let low = e.trunc(x, 2);
    e.put(state::gpr(0), low);
    e.put(state::gpr(2), high);
}

fn ecx<E: X86>(e: &mut E) -> E::Val<W64> {
    let x = e.get(state::gpr(1));
    e.trunc(x, 2)
}

#[inline(always)]
fn wrmsr<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    level_0(e)?;
    let (n, x, none) = (ecx(e), edx_eax(e), zero(e));
    e.call(&msr::WRITE, [n, x, none])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn rdmsr<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    level_0(e)?;
    let (n, none) = (ecx(e), zero(e));
    let x = e.call(&msr::READ, [n, none, none])?;
    set_edx_eax(e, x);
    Ok(Flow::Next)
}

/// The time stamp counter: virtual nanoseconds and what software added.
fn counter<E: X86>(e: &mut E) -> Emit<E, W64> {
    if mode::cpl(e.mode()) > 0 {
        cr4_forbids(e, cr4::TSD)?;
    }
    let (now, ahead) = (e.clock(), e.get(state::TSC_OFFSET));
    Ok(e.add(now, ahead))
}

#[inline(always)]
fn rdtsc<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let x = counter(e)?;
    set_edx_eax(e, x);
    Ok(Flow::Next)
}

#[inline(always)]
fn rdtscp<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let x = counter(e)?;
    set_edx_eax(e, x);
    let aux = e.get(state::TSC_AUX);
    e.put(state::gpr(1), aux);
    Ok(Flow::Next)
}

#[inline(always)]
fn rdpid<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let aux = e.get(state::TSC_AUX);
    e.put(state::gpr(i.rm()), aux);
    Ok(Flow::Next)
}

/// Counters that exist read as zero.
#[inline(always)]
fn rdpmc<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    if mode::cpl(e.mode()) > 0 {
        let closed = cr4_bit(e, cr4::PCE, false);
        e.raise_if(closed, fault::GP0)?;
    }
    let (n, seven) = (ecx(e), e.lit::<W64>(7));
    let bad = e.cmp::<W64>(Cmp::Ltu, seven, n);
    e.raise_if(bad, fault::GP0)?;
    let x = zero(e);
    set_edx_eax(e, x);
    Ok(Flow::Next)
}

#[inline(always)]
fn do_cpuid<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let leaf = e.get(state::gpr(0));
    let leaf = e.trunc(leaf, 2);
    let (subleaf, none) = (ecx(e), zero(e));
    e.call(&cpuid::CPUID, [leaf, subleaf, none])?;
    Ok(Flow::Next)
}

#[inline(always)]
fn rsm<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let none = zero(e);
    e.call(&smm::RSM, [none; 3])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn swapgs<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    level_0(e)?;
    let (base, other) = (e.get(state::base(seg::GS)), e.get(state::KERNEL_GS_BASE));
    e.put(state::base(seg::GS), other);
    e.put(state::KERNEL_GS_BASE, base);
    Ok(Flow::Next)
}

/// RDFSBASE and its kin need CR4.FSGSBASE.
fn base_of<E: X86>(e: &mut E, i: &Insn) -> Result<Slot<W64>, E::Abort> {
    let closed = cr4_bit(e, cr4::FSGSBASE, false);
    e.raise_if(closed, fault::UD)?;
    Ok(state::base(seg::FS + (i.reg() & 1)))
}

#[inline(always)]
fn rdbase<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let base = base_of(e, i)?;
    let x = e.get(base);
    let x = e.trunc(x, i.osize());
    e.put(state::gpr(i.rm()), x);
    Ok(Flow::Next)
}

#[inline(always)]
fn wrbase<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let base = base_of(e, i)?;
    let x = e.get(state::gpr(i.rm()));
    let x = e.trunc(x, i.osize());
    if i.osize() == 3 {
        let top = e.shift(Bin::Sar, x, 47);
        let top = e.add_lit(top, 1);
        let one = e.lit::<W64>(1);
        let bad = e.cmp::<W64>(Cmp::Ltu, one, top);
        e.raise_if(bad, fault::GP0)?;
    }
    e.put(base, x);
    Ok(Flow::Next)
}

#[inline(always)]
fn invlpg<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let ea = e.ea(i);
    // No limit is checked.
    let base = e.get(state::base(i.seg()));
    let m = e.mode();
    let mut at = ea;
    if !mode::is_64(m) || i.seg() >= seg::FS {
        at = e.add(ea, base);
    }
    let at = if mode::is_64(m) { at } else { e.trunc(at, 2) };
    let none = zero(e);
    e.call(&maintenance::INVLPG, [at, none, none])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn invpcid<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let ea = e.ea(i);
    let at = e.linear(i.seg(), ea, 16, Want::Read)?;
    let first = e.load::<W64>(plain(i.seg()), at)?;
    let second = e.add_lit(at, 8);
    let second = e.load::<W64>(plain(i.seg()), second)?;
    let kind = whole(e, i.reg());
    e.call(&maintenance::INVPCID, [kind, first, second])?;
    Ok(Flow::Sync)
}

#[inline(always)]
fn xgetbv<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let closed = cr4_bit(e, cr4::OSXSAVE, false);
    e.raise_if(closed, fault::UD)?;
    let (n, none) = (ecx(e), zero(e));
    let x = e.call(&control::XGETBV, [n, none, none])?;
    set_edx_eax(e, x);
    Ok(Flow::Next)
}

#[inline(always)]
fn xsetbv<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let closed = cr4_bit(e, cr4::OSXSAVE, false);
    e.raise_if(closed, fault::UD)?;
    level_0(e)?;
    let (n, x, none) = (ecx(e), edx_eax(e), zero(e));
    e.call(&control::XSETBV, [n, x, none])?;
    Ok(Flow::Sync)
}

fn pkru_open<E: X86>(e: &mut E) -> Result<(), E::Abort> {
    let closed = cr4_bit(e, cr4::PKE, false);
    e.raise_if(closed, fault::UD)?;
    let (n, none) = (ecx(e), zero(e));
    let bad = e.cmp::<W64>(Cmp::Ne, n, none);
    e.raise_if(bad, fault::GP0)
}

#[inline(always)]
fn rdpkru<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    pkru_open(e)?;
    let x = e.get(state::PKRU);
    let x = e.zext::<W32, W64>(x);
    set_edx_eax(e, x);
    Ok(Flow::Next)
}

#[inline(always)]
fn wrpkru<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    pkru_open(e)?;
    let (x, none) = (e.get(state::gpr(0)), zero(e));
    let high = e.r::<W32>(2);
    let nothing = e.lit::<W32>(0);
    let bad = e.cmp::<W32>(Cmp::Ne, high, nothing);
    e.raise_if(bad, fault::GP0)?;
    e.call(&SET_PKRU, [x, none, none])?;
    Ok(Flow::Sync)
}

/// Sets PKRU.
pub static SET_PKRU: Helper<X64> = Helper { name: "set_pkru", effects: Effects::ENDS, run: set_pkru };

fn set_pkru(core: &mut Core<X64>, x: u64, _: u64, _: u64) -> Result<u64, Raised> {
    maintenance::set_pkru(core, x as u32);
    Ok(0)
}

/// Sets EFLAGS.AC and selects the banks that go with it.
static SET_AC: Helper<X64> = Helper { name: "set_ac", effects: Effects::ENDS, run: set_ac };

fn set_ac(core: &mut Core<X64>, on: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let flags = core.reg(state::EFLAGS) & !eflags::AC;
    core.set(state::EFLAGS, flags | if on != 0 { eflags::AC } else { 0 });
    context::refresh(core);
    Ok(0)
}

#[inline(always)]
fn clac<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    change_ac(e, 0)
}

#[inline(always)]
fn stac<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    change_ac(e, 1)
}

fn change_ac<E: X86>(e: &mut E, on: u64) -> Exec<E> {
    if mode::cpl(e.mode()) > 0 {
        return e.undefined();
    }
    let (on, none) = (e.lit::<W64>(on), zero(e));
    e.call(&SET_AC, [on, none, none])?;
    Ok(Flow::Sync)
}

/// INT n, INT3, INTO, ICEBP.
fn interrupt<E: X86>(e: &mut E, i: &Insn, vector: u64, which: u64) -> Exec<E> {
    let (vector, next, which) = (e.lit::<W64>(vector), e.next_ip(i), e.lit::<W64>(which));
    e.call(&gate::SOFTWARE, [vector, next, which])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn int3<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    interrupt(e, i, 3, gate::software::INT3_INTO)
}

#[inline(always)]
fn int_n<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    interrupt(e, i, i.imm8() as u64, gate::software::INT_N)
}

#[inline(always)]
fn icebp<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    interrupt(e, i, 1, gate::software::ICEBP)
}

#[inline(always)]
fn into<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    // The helper does nothing without OF.
    let (next, len) = (e.next_ip(i), e.lit::<W64>(i.len() as u64));
    let none = zero(e);
    e.call(&INTO, [next, len, none])?;
    Ok(Flow::Leave)
}

/// INTO: the address of the next instruction as an offset in CS, this one's length.
static INTO: Helper<X64> = Helper { name: "into", effects: Effects::ENDS, run: into_helper };

fn into_helper(core: &mut Core<X64>, next: u64, len: u64, _: u64) -> Result<u64, Raised> {
    if core.reg(state::FLAGS) & crate::x86::flags::OF == 0 {
        core.set_pc(core.pc().wrapping_add(len));
        return Ok(0);
    }
    (gate::SOFTWARE.run)(core, 4, next, gate::software::INT3_INTO)
}

#[inline(always)]
fn do_iret<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let (log2, none) = (e.lit::<W64>(i.osize() as u64), zero(e));
    e.call(&iret::IRET, [log2, none, none])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn syscall<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let (next, none) = (e.next_ip(i), zero(e));
    e.call(&fast::SYSCALL, [next, none, none])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn sysret<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let (log2, none) = (e.lit::<W64>(i.osize() as u64), zero(e));
    e.call(&fast::SYSRET, [log2, none, none])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn sysenter<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let none = zero(e);
    e.call(&fast::SYSENTER, [none; 3])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn sysexit<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let (log2, none) = (e.lit::<W64>(i.osize() as u64), zero(e));
    e.call(&fast::SYSEXIT, [log2, none, none])?;
    Ok(Flow::Leave)
}

#[inline(always)]
fn cli<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    let none = zero(e);
    e.call(&control::CLI, [none; 3])?;
    Ok(Flow::Next)
}

#[inline(always)]
fn sti<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    let (len, none) = (e.lit::<W64>(i.len() as u64), zero(e));
    e.call(&control::STI, [len, none, none])?;
    e.jump(i.len() as i64, Transfer::Poll)
}

/// HLT: the processor waits, unless something is pending already.
static HALT: Helper<X64> = Helper { name: "halt", effects: Effects::ENDS, run: halt };

fn halt(core: &mut Core<X64>, len: u64, _: u64, _: u64) -> Result<u64, Raised> {
    core.set_pc(core.pc().wrapping_add(len));
    core.set(state::BLOCKED, core.reg(state::BLOCKED) | state::blocked::WAITING);
    core.halted = core.requests() & crate::x86::exception::wakes(core) == 0;
    Ok(0)
}

#[inline(always)]
fn hlt<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    level_0(e)?;
    let (len, none) = (e.lit::<W64>(i.len() as u64), zero(e));
    e.call(&HALT, [len, none, none])?;
    Ok(Flow::Leave)
}

/// What is monitored is not watched: MWAIT may always end early.
#[inline(always)]
fn monitor<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    if mode::cpl(e.mode()) > 0 {
        return e.undefined();
    }
    let (n, none) = (ecx(e), zero(e));
    let bad = e.cmp::<W64>(Cmp::Ne, n, none);
    e.raise_if(bad, fault::GP0)?;
    let at = e.get(state::gpr(0));
    let at = e.trunc(at, i.asize());
    e.load_at::<crate::width::W8>(i.seg(), at)?;
    Ok(Flow::Next)
}

/// MWAIT with nothing monitored would wake at once; so does this one, after others ran.
#[inline(always)]
fn mwait<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    if mode::cpl(e.mode()) > 0 {
        return e.undefined();
    }
    e.fence(Fence::Full);
    e.jump(i.len() as i64, Transfer::Poll)
}
