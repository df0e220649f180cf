//! x87 instructions: rows (SDM vol. 2; vol. 1, chapter 8). What they do is in `x87_exec`, `x87_memory` and `x87_env`: each
//! is one helper call, whose argument says which, as FOP holds it.

use super::x87_env::{self, Frame};
use super::x87_state::{B, ES, EXCEPTIONS, FCW_INIT, Fpu, SF};
use super::{x87_exec, x87_memory};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Emitter, Exec, Flow, Helper};
use crate::width::{W16, W64};
use crate::x86::emit::{Want, X86, fault, plain};
use crate::x86::features as f;
use crate::x86::insn::Insn;
use crate::x86::{X64, mode, state};

crate::x86_rows! {
    "FADD" "D8 /0" "Md" "m" if f::FPU => [plain x87<D8>];
    "FMUL" "D8 /1" "Md" "m" if f::FPU => [plain x87<D8>];
    "FCOM" "D8 /2" "Md" "m" if f::FPU => [plain x87<D8>];
    "FCOMP" "D8 /3" "Md" "m" if f::FPU => [plain x87<D8>];
    "FSUB" "D8 /4" "Md" "m" if f::FPU => [plain x87<D8>];
    "FSUBR" "D8 /5" "Md" "m" if f::FPU => [plain x87<D8>];
    "FDIV" "D8 /6" "Md" "m" if f::FPU => [plain x87<D8>];
    "FDIVR" "D8 /7" "Md" "m" if f::FPU => [plain x87<D8>];
    "FADD" "D8 C0+i" "" "" if f::FPU => [plain x87<D8>];
    "FMUL" "D8 C8+i" "" "" if f::FPU => [plain x87<D8>];
    "FCOM" "D8 D0+i" "" "" if f::FPU => [plain x87<D8>];
    "FCOMP" "D8 D8+i" "" "" if f::FPU => [plain x87<D8>];
    "FSUB" "D8 E0+i" "" "" if f::FPU => [plain x87<D8>];
    "FSUBR" "D8 E8+i" "" "" if f::FPU => [plain x87<D8>];
    "FDIV" "D8 F0+i" "" "" if f::FPU => [plain x87<D8>];
    "FDIVR" "D8 F8+i" "" "" if f::FPU => [plain x87<D8>];
    "FLD" "D9 /0" "Md" "m" if f::FPU => [plain x87<D9>];
    "FST" "D9 /2" "Md" "m" if f::FPU => [plain x87<D9>];
    "FSTP" "D9 /3" "Md" "m" if f::FPU => [plain x87<D9>];
    "FLDENV" "D9 /4" "Ms" "m" if f::FPU => [plain fldenv];
    "FLDCW" "D9 /5" "Mw" "m" if f::FPU => [plain fldcw];
    "FNSTENV" "D9 /6" "Ms" "m" if f::FPU => [plain fnstenv];
    "FNSTCW" "D9 /7" "Mw" "m" if f::FPU => [plain fnstcw];
    "FLD" "D9 C0+i" "" "" if f::FPU => [plain x87<D9>];
    "FXCH" "D9 C8+i" "" "" if f::FPU => [plain x87<D9>];
    "FNOP" "D9 D0" "" "" if f::FPU => [plain x87<D9>];
    "FSTPNCE" "D9 D8+i" "" "" if f::FPU => [plain x87<D9>];
    "FCHS" "D9 E0" "" "" if f::FPU => [plain x87<D9>];
    "FABS" "D9 E1" "" "" if f::FPU => [plain x87<D9>];
    "FTST" "D9 E4" "" "" if f::FPU => [plain x87<D9>];
    "FXAM" "D9 E5" "" "" if f::FPU => [plain x87<D9>];
    "FLD1" "D9 E8" "" "" if f::FPU => [plain x87<D9>];
    "FLDL2T" "D9 E9" "" "" if f::FPU => [plain x87<D9>];
    "FLDL2E" "D9 EA" "" "" if f::FPU => [plain x87<D9>];
    "FLDPI" "D9 EB" "" "" if f::FPU => [plain x87<D9>];
    "FLDLG2" "D9 EC" "" "" if f::FPU => [plain x87<D9>];
    "FLDLN2" "D9 ED" "" "" if f::FPU => [plain x87<D9>];
    "FLDZ" "D9 EE" "" "" if f::FPU => [plain x87<D9>];
    "F2XM1" "D9 F0" "" "" if f::FPU => [plain x87<D9>];
    "FYL2X" "D9 F1" "" "" if f::FPU => [plain x87<D9>];
    "FPTAN" "D9 F2" "" "" if f::FPU => [plain x87<D9>];
    "FPATAN" "D9 F3" "" "" if f::FPU => [plain x87<D9>];
    "FXTRACT" "D9 F4" "" "" if f::FPU => [plain x87<D9>];
    "FPREM1" "D9 F5" "" "" if f::FPU => [plain x87<D9>];
    "FDECSTP" "D9 F6" "" "" if f::FPU => [plain x87<D9>];
    "FINCSTP" "D9 F7" "" "" if f::FPU => [plain x87<D9>];
    "FPREM" "D9 F8" "" "" if f::FPU => [plain x87<D9>];
    "FYL2XP1" "D9 F9" "" "" if f::FPU => [plain x87<D9>];
    "FSQRT" "D9 FA" "" "" if f::FPU => [plain x87<D9>];
    "FSINCOS" "D9 FB" "" "" if f::FPU => [plain x87<D9>];
    "FRNDINT" "D9 FC" "" "" if f::FPU => [plain x87<D9>];
    "FSCALE" "D9 FD" "" "" if f::FPU => [plain x87<D9>];
    "FSIN" "D9 FE" "" "" if f::FPU => [plain x87<D9>];
    "FCOS" "D9 FF" "" "" if f::FPU => [plain x87<D9>];
    "FIADD" "DA /0" "Md" "m" if f::FPU => [plain x87<DA>];
    "FIMUL" "DA /1" "Md" "m" if f::FPU => [plain x87<DA>];
    "FICOM" "DA /2" "Md" "m" if f::FPU => [plain x87<DA>];
    "FICOMP" "DA /3" "Md" "m" if f::FPU => [plain x87<DA>];
    "FISUB" "DA /4" "Md" "m" if f::FPU => [plain x87<DA>];
    "FISUBR" "DA /5" "Md" "m" if f::FPU => [plain x87<DA>];
    "FIDIV" "DA /6" "Md" "m" if f::FPU => [plain x87<DA>];
    "FIDIVR" "DA /7" "Md" "m" if f::FPU => [plain x87<DA>];
    "FCMOVB" "DA C0+i" "" "" if f::FPU | f::CMOV => [plain x87<DA>];
    "FCMOVE" "DA C8+i" "" "" if f::FPU | f::CMOV => [plain x87<DA>];
    "FCMOVBE" "DA D0+i" "" "" if f::FPU | f::CMOV => [plain x87<DA>];
    "FCMOVU" "DA D8+i" "" "" if f::FPU | f::CMOV => [plain x87<DA>];
    "FUCOMPP" "DA E9" "" "" if f::FPU => [plain x87<DA>];
    "FILD" "DB /0" "Md" "m" if f::FPU => [plain x87<DB>];
    "FISTTP" "DB /1" "Md" "m" if f::FPU | f::SSE3 => [plain x87<DB>];
    "FIST" "DB /2" "Md" "m" if f::FPU => [plain x87<DB>];
    "FISTP" "DB /3" "Md" "m" if f::FPU => [plain x87<DB>];
    "FLD" "DB /5" "Mt" "m" if f::FPU => [plain x87<DB>];
    "FSTP" "DB /7" "Mt" "m" if f::FPU => [plain x87<DB>];
    "FCMOVNB" "DB C0+i" "" "" if f::FPU | f::CMOV => [plain x87<DB>];
    "FCMOVNE" "DB C8+i" "" "" if f::FPU | f::CMOV => [plain x87<DB>];
    "FCMOVNBE" "DB D0+i" "" "" if f::FPU | f::CMOV => [plain x87<DB>];
    "FCMOVNU" "DB D8+i" "" "" if f::FPU | f::CMOV => [plain x87<DB>];
    "FNENI" "DB E0" "" "" if f::FPU => [plain nothing];
    "FNDISI" "DB E1" "" "" if f::FPU => [plain nothing];
    "FNCLEX" "DB E2" "" "" if f::FPU => [plain fnclex];
    "FNINIT" "DB E3" "" "" if f::FPU => [plain fninit];
    "FNSETPM" "DB E4" "" "" if f::FPU => [plain nothing];
    "FUCOMI" "DB E8+i" "" "" if f::FPU | f::CMOV => [plain x87<DB>];
    "FCOMI" "DB F0+i" "" "" if f::FPU | f::CMOV => [plain x87<DB>];
    "FADD" "DC /0" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FMUL" "DC /1" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FCOM" "DC /2" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FCOMP" "DC /3" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FSUB" "DC /4" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FSUBR" "DC /5" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FDIV" "DC /6" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FDIVR" "DC /7" "Mq" "m" if f::FPU => [plain x87<DC>];
    "FADD" "DC C0+i" "" "" if f::FPU => [plain x87<DC>];
    "FMUL" "DC C8+i" "" "" if f::FPU => [plain x87<DC>];
    "FCOM" "DC D0+i" "" "" if f::FPU => [plain x87<DC>];
    "FCOMP" "DC D8+i" "" "" if f::FPU => [plain x87<DC>];
    "FSUBR" "DC E0+i" "" "" if f::FPU => [plain x87<DC>];
    "FSUB" "DC E8+i" "" "" if f::FPU => [plain x87<DC>];
    "FDIVR" "DC F0+i" "" "" if f::FPU => [plain x87<DC>];
    "FDIV" "DC F8+i" "" "" if f::FPU => [plain x87<DC>];
    "FLD" "DD /0" "Mq" "m" if f::FPU => [plain x87<DD>];
    "FISTTP" "DD /1" "Mq" "m" if f::FPU | f::SSE3 => [plain x87<DD>];
    "FST" "DD /2" "Mq" "m" if f::FPU => [plain x87<DD>];
    "FSTP" "DD /3" "Mq" "m" if f::FPU => [plain x87<DD>];
    "FRSTOR" "DD /4" "Ms" "m" if f::FPU => [plain frstor];
    "FNSAVE" "DD /6" "Ms" "m" if f::FPU => [plain fnsave];
    "FNSTSW" "DD /7" "Mw" "m" if f::FPU => [plain fnstsw];
    "FFREE" "DD C0+i" "" "" if f::FPU => [plain x87<DD>];
    "FXCH" "DD C8+i" "" "" if f::FPU => [plain x87<DD>];
    "FST" "DD D0+i" "" "" if f::FPU => [plain x87<DD>];
    "FSTP" "DD D8+i" "" "" if f::FPU => [plain x87<DD>];
    "FUCOM" "DD E0+i" "" "" if f::FPU => [plain x87<DD>];
    "FUCOMP" "DD E8+i" "" "" if f::FPU => [plain x87<DD>];
    "FIADD" "DE /0" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FIMUL" "DE /1" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FICOM" "DE /2" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FICOMP" "DE /3" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FISUB" "DE /4" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FISUBR" "DE /5" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FIDIV" "DE /6" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FIDIVR" "DE /7" "Mw" "m" if f::FPU => [plain x87<DE>];
    "FADDP" "DE C0+i" "" "" if f::FPU => [plain x87<DE>];
    "FMULP" "DE C8+i" "" "" if f::FPU => [plain x87<DE>];
    "FCOMP" "DE D0+i" "" "" if f::FPU => [plain x87<DE>];
    "FCOMPP" "DE D9" "" "" if f::FPU => [plain x87<DE>];
    "FSUBRP" "DE E0+i" "" "" if f::FPU => [plain x87<DE>];
    "FSUBP" "DE E8+i" "" "" if f::FPU => [plain x87<DE>];
    "FDIVRP" "DE F0+i" "" "" if f::FPU => [plain x87<DE>];
    "FDIVP" "DE F8+i" "" "" if f::FPU => [plain x87<DE>];
    "FILD" "DF /0" "Mw" "m" if f::FPU => [plain x87<DF>];
    "FISTTP" "DF /1" "Mw" "m" if f::FPU | f::SSE3 => [plain x87<DF>];
    "FIST" "DF /2" "Mw" "m" if f::FPU => [plain x87<DF>];
    "FISTP" "DF /3" "Mw" "m" if f::FPU => [plain x87<DF>];
    "FBLD" "DF /4" "Mt" "m" if f::FPU => [plain x87<DF>];
    "FILD" "DF /5" "Mq" "m" if f::FPU => [plain x87<DF>];
    "FBSTP" "DF /6" "Mt" "m" if f::FPU => [plain x87<DF>];
    "FISTP" "DF /7" "Mq" "m" if f::FPU => [plain x87<DF>];
    "FFREEP" "DF C0+i" "" "" if f::FPU => [plain x87<DF>];
    "FXCH" "DF C8+i" "" "" if f::FPU => [plain x87<DF>];
    "FSTP" "DF D0+i" "" "" if f::FPU => [plain x87<DF>];
    "FSTP" "DF D8+i" "" "" if f::FPU => [plain x87<DF>];
    "FNSTSW" "DF E0" "AX" "" if f::FPU => [plain fnstsw_ax];
    "FUCOMIP" "DF E8+i" "" "" if f::FPU | f::CMOV => [plain x87<DF>];
    "FCOMIP" "DF F0+i" "" "" if f::FPU | f::CMOV => [plain x87<DF>];
    "FWAIT" "9B" "" "" => [plain fwait];
}

/// The first opcode byte, as a type.
pub trait Group {
    /// Its low three bits.
    const NUMBER: u8;
}
macro_rules! groups { ($($(#[$doc:meta])* $name:ident = $n:literal;)*) => { $(
    $(#[$doc])*
    pub struct $name;
    impl Group for $name {
        const NUMBER: u8 = $n;
    }
)* } }
groups! {
    /// D8
    D8 = 0;
    /// D9
    D9 = 1;
    /// DA
    DA = 2;
    /// DB
    DB = 3;
    /// DC
    DC = 4;
    /// DD
    DD = 5;
    /// DE
    DE = 6;
    /// DF
    DF = 7;
}

/// Bit of the helpers' argument: there is a memory operand. Its segment stands above.
pub const HAS_MEMORY: u64 = 1 << 11;

/// Any instruction that touches the stack: opcode and segment, linear address, offset.
pub static X87: Helper<X64> = Helper {
    name: "x87",
    effects: Effects::FAULTS,
    run: |core: &mut Core<X64>, what, at, offset| {
        core.wait()?;
        let opcode = what as u16 & 0x7FF;
        if what & HAS_MEMORY == 0 {
            x87_exec::registers(core, opcode)?;
            core.pointers(opcode, None);
        } else {
            x87_memory::memory(core, (opcode >> 8) as u8, (opcode >> 3 & 7) as u8, at)?;
            core.pointers(opcode, Some(((what >> 12) as u8 & 7, offset)));
        }
        Ok(0)
    },
};

/// Whether [`X87`] with that first argument reads or writes arithmetic flags: FCMOVcc, FCOMI and their kin.
pub const fn uses_flags(what: u64) -> bool {
    let (group, digit) = (what >> 8 & 7, what >> 3 & 7);
    what & HAS_MEMORY == 0
        && match group {
            2 => digit < 4,
            3 => digit != 4,
            7 => digit == 5 || digit == 6,
            _ => false,
        }
}

/// Checks that x87 instructions may run.
///
/// # Errors
/// With #NM.
#[inline(always)]
pub fn ready<E: X86>(e: &mut E) -> Result<(), E::Abort> {
    if e.mode() & mode::X87_TRAP != 0 { e.always(fault::NM) } else { Ok(()) }
}

#[inline(always)]
fn x87<E: X86, G: Group>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let reg = i.reg() & 7;
    let modrm = reg << 3 | i.rm() & 7 | if i.is_mem() { 0 } else { 0xC0 };
    let opcode = (G::NUMBER as u64) << 8 | modrm as u64;
    if !i.is_mem() {
        let what = e.lit::<W64>(opcode);
        e.call(&X87, [what, what, what])?;
        return Ok(Flow::Next);
    }
    let (size, writes) = x87_memory::operand(G::NUMBER, reg);
    let offset = e.ea(i);
    let at = e.linear(i.seg(), offset, size, if writes { Want::Write } else { Want::Read })?;
    let what = e.lit::<W64>(opcode | HAS_MEMORY | (i.seg() as u64) << 12);
    e.call(&X87, [what, at, offset])?;
    Ok(Flow::Next)
}

/// FNENI, FNDISI, FNSETPM: nothing since the 80387.
#[inline(always)]
fn nothing<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    ready(e)?;
    Ok(Flow::Next)
}

/// Raises a pending exception.
pub static WAIT: Helper<X64> = Helper {
    name: "x87_wait",
    effects: Effects { writes: false, ..Effects::FAULTS },
    run: |core: &mut Core<X64>, _, _, _| core.wait().map(|()| 0),
};

fn wait<E: X86>(e: &mut E) -> Result<(), E::Abort> {
    let zero = e.lit::<W64>(0);
    e.call(&WAIT, [zero, zero, zero])?;
    Ok(())
}

/// FWAIT.
#[inline(always)]
fn fwait<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    if e.mode() & mode::WAIT_TRAP != 0 {
        return e.raise(fault::NM);
    }
    if e.cx().features & f::FPU != 0 {
        wait(e)?;
    }
    Ok(Flow::Next)
}

/// The simple control instructions, by number: FNCLEX, FNINIT.
pub static CONTROL: Helper<X64> = Helper {
    name: "x87_control",
    effects: Effects::STATE,
    run: |core: &mut Core<X64>, what, _, _| {
        match what {
            0 => {
                let fsw = core.reg(state::FSW) & !(EXCEPTIONS | SF | ES | B);
                core.set(state::FSW, fsw);
            }
            _ => init(core),
        }
        Ok(0)
    },
};

/// What FNINIT sets; the data registers stay.
pub fn init(core: &mut Core<X64>) {
    core.set(state::FCW, FCW_INIT);
    core.set(state::FSW, 0);
    core.set(state::FTW, 0);
    core.set(state::FOP, 0);
    core.set(state::FIP, 0);
    core.set(state::FDP, 0);
    core.set(state::FCS_FDS, 0);
}

fn control<E: X86>(e: &mut E, what: u64) -> Exec<E> {
    let what = e.lit::<W64>(what);
    e.call(&CONTROL, [what, what, what])?;
    Ok(Flow::Next)
}

#[inline(always)]
fn fnclex<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    ready(e)?;
    control(e, 0)
}

#[inline(always)]
fn fninit<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    ready(e)?;
    control(e, 1)
}

/// FLDCW: what [`X87`] takes.
pub static FLDCW: Helper<X64> = Helper {
    name: "x87_fldcw",
    effects: Effects::FAULTS,
    run: |core: &mut Core<X64>, what, at, _| {
        core.wait()?;
        let x = core.load::<W16>(plain((what >> 12) as u8 & 7), at)?;
        // Bit 6 exists and is always set.
        core.set(state::FCW, x & 0x1F7F | 0x40);
        core.summarise();
        Ok(0)
    },
};

#[inline(always)]
fn fldcw<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let offset = e.ea(i);
    let at = e.linear(i.seg(), offset, 2, Want::Read)?;
    let what = e.lit::<W64>(0x128 | HAS_MEMORY | (i.seg() as u64) << 12);
    e.call(&FLDCW, [what, at, offset])?;
    Ok(Flow::Next)
}

#[inline(always)]
fn fnstcw<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let offset = e.ea(i);
    let x = e.get(state::FCW);
    e.store_at::<W16>(i.seg(), offset, x)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn fnstsw<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    ready(e)?;
    let offset = e.ea(i);
    let x = e.get(state::FSW);
    e.store_at::<W16>(i.seg(), offset, x)?;
    Ok(Flow::Next)
}

#[inline(always)]
fn fnstsw_ax<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    ready(e)?;
    let x = e.get(state::FSW);
    e.set_r::<W16>(0, x);
    Ok(Flow::Next)
}

/// FLDENV, FNSTENV, FRSTOR, FNSAVE, by number: linear address, form of the environment.
static ENVIRONMENT: Helper<X64> = Helper {
    name: "x87_environment",
    effects: Effects::FAULTS,
    run: |core: &mut Core<X64>, what, at, form| {
        let frame = Frame { wide: form & 1 != 0, protected: form & 2 != 0 };
        let done: Result<(), Raised> = match what {
            0 => core.wait().and_then(|()| x87_env::load(core, at, frame)),
            1 => x87_env::store(core, at, frame),
            2 => core.wait().and_then(|()| x87_env::restore(core, at, frame)),
            _ => x87_env::save(core, at, frame),
        };
        done.map(|()| 0)
    },
};

fn environment<E: X86>(e: &mut E, i: &Insn, what: u64) -> Exec<E> {
    ready(e)?;
    let form = Frame { wide: i.osize() > 1, protected: mode::is_protected(e.mode()) };
    let size = form.size() + if what >= 2 { 80 } else { 0 };
    let offset = e.ea(i);
    let at = e.linear(i.seg(), offset, size, if what & 1 != 0 { Want::Write } else { Want::Read })?;
    let what = e.lit::<W64>(what);
    let form = e.lit::<W64>(form.wide as u64 | (form.protected as u64) << 1);
    e.call(&ENVIRONMENT, [what, at, form])?;
    // What was stored may be code, the code that follows even.
    Ok(Flow::Sync)
}

#[inline(always)]
fn fldenv<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    environment(e, i, 0)
}
#[inline(always)]
fn fnstenv<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    environment(e, i, 1)
}
#[inline(always)]
fn frstor<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    environment(e, i, 2)
}
#[inline(always)]
fn fnsave<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    environment(e, i, 3)
}
