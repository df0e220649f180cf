//! System instructions: register moves, hints, barriers, exceptions, maintenance (DDI 0487 C4.1.93), and pointer
//! authentication.

use crate::arm::Arm64;
use crate::arm::emit::{Arm, UNDEFINED};
use crate::arm::exception::{class, esr};
use crate::arm::pauth::{self, Key};
use crate::arm::regs::pstate;
use crate::arm::{calls, exception, features as feat, maintenance, masks, mode, regs, state, sysreg};
use crate::emit::{Access, Emit, Exec, Fence, Flow, Helper};
use crate::op::Bin;
use crate::width::{W64, W128};

crate::rows! { Arm;
    "MRS"            "1101010100 1 1 ccccccccccccccc ttttt" (c, t) => mrs;
    "MSR (register)" "1101010100 0 1 ccccccccccccccc ttttt" (c, t) => msr;
    "MSR (immediate)" "1101010100 0 00 ppp 0100 iiii qqq 11111" (p, i, q) => msr_imm;
    "SYS"  "1101010100 0 01 ppp nnnn mmmm qqq ttttt" (p, n, m, q, t) => sys;
    "SYSL" "1101010100 1 01 ppp nnnn mmmm qqq ttttt" () => sysl;
    "HINT" "1101010100 0 00 011 0010 mmmm qqq 11111" (m, q) => hint;
    "CLREX" "1101010100 0 00 011 0011 mmmm 010 11111" () => clrex;
    "DSB"  "1101010100 0 00 011 0011 mmmm 100 11111" (m) => dsb;
    "DMB"  "1101010100 0 00 011 0011 mmmm 101 11111" (m) => dmb;
    "ISB"  "1101010100 0 00 011 0011 mmmm 110 11111" () => isb;
    "SB"   "1101010100 0 00 011 0011 0000 111 11111" () if feat::SB => sb;
    "WFET" "1101010100 0 00 011 0001 0000 000 ttttt" () if feat::WFXT => wfet;
    "WFIT" "1101010100 0 00 011 0001 0000 001 ttttt" () if feat::WFXT => wfit;
    "SVC" "11010100 000 iiiiiiiiiiiiiiii 000 01" (i) => svc;
    "HVC" "11010100 000 iiiiiiiiiiiiiiii 000 10" (i) => hvc;
    "SMC" "11010100 000 iiiiiiiiiiiiiiii 000 11" (i) => smc;
    "BRK" "11010100 001 iiiiiiiiiiiiiiii 000 00" (i) => brk;
    "HLT" "11010100 010 iiiiiiiiiiiiiiii 000 00" (i) => hlt;
    "UDF" "0000000000000000 iiiiiiiiiiiiiiii" () => udf;
    "ERET" "1101011 0100 11111 000000 11111 00000" () => eret;
    "ERETAA/ERETAB" "1101011 0100 11111 00001 k 11111 11111" (k) if feat::PAUTH => ereta;
    "PACIA/PACIB" "1 1 0 11010110 00001 0 0 000 k nnnnn ddddd" (k, n, d) if feat::PAUTH => paci;
    "PACDA/PACDB" "1 1 0 11010110 00001 0 0 001 k nnnnn ddddd" (k, n, d) if feat::PAUTH => pacd;
    "AUTIA/AUTIB" "1 1 0 11010110 00001 0 0 010 k nnnnn ddddd" (k, n, d) if feat::PAUTH => auti;
    "AUTDA/AUTDB" "1 1 0 11010110 00001 0 0 011 k nnnnn ddddd" (k, n, d) if feat::PAUTH => autd;
    "PACIZA/PACIZB" "1 1 0 11010110 00001 0 0 100 k 11111 ddddd" (k, d) if feat::PAUTH => paciz;
    "PACDZA/PACDZB" "1 1 0 11010110 00001 0 0 101 k 11111 ddddd" (k, d) if feat::PAUTH => pacdz;
    "AUTIZA/AUTIZB" "1 1 0 11010110 00001 0 0 110 k 11111 ddddd" (k, d) if feat::PAUTH => autiz;
    "AUTDZA/AUTDZB" "1 1 0 11010110 00001 0 0 111 k 11111 ddddd" (k, d) if feat::PAUTH => autdz;
    "XPACI/XPACD" "1 1 0 11010110 00001 0 1 000 k 11111 ddddd" (k, d) if feat::PAUTH => xpac;
    "PACGA" "1 0 0 11010110 mmmmm 001100 nnnnn ddddd" (m, n, d) if feat::PAUTH => pacga;
}

/// MRS. [C6.2.251]
fn mrs<E: Arm>(e: &mut E, c: u32, t: u32) -> Exec<E> {
    sysreg_code(e, c, |e, code| sysreg::mrs(e, code, t))
}

/// MSR (register). [C6.2.253]
fn msr<E: Arm>(e: &mut E, c: u32, t: u32) -> Exec<E> {
    sysreg_code(e, c, |e, code| sysreg::msr(e, code, t))
}

/// The field holds the encoding below op0's high bit, which is set for registers.
fn sysreg_code<E: Arm>(e: &mut E, c: u32, f: impl FnOnce(&mut E, u32) -> Exec<E>) -> Exec<E> {
    f(e, 1 << 15 | c)
}

fn call<E: Arm>(e: &mut E, h: &'static Helper<Arm64>, a: u64) -> Result<(), E::Abort> {
    let (a, zero) = (e.lit::<W64>(a), e.lit::<W64>(0));
    e.call(h, [a, zero, zero])?;
    Ok(())
}

/// MSR (immediate): PSTATE fields. [C6.2.252]
fn msr_imm<E: Arm>(e: &mut E, op1: u32, imm: u32, op2: u32) -> Exec<E> {
    let (el, imm64) = (mode::el(e.cx().mode), imm as u64);
    let has = |f: u64| e.cx().features & f != 0;
    match (op1, op2) {
        (0, 3) if el != 0 && has(feat::UAO) => call(e, &regs::WRITE_UAO, imm64 << pstate::UAO)?,
        (0, 4) if el != 0 && has(feat::PAN) => call(e, &regs::WRITE_PAN, imm64 << pstate::PAN)?,
        (0, 5) if el != 0 => call(e, &regs::WRITE_SPSEL, imm64)?,
        (3, 1) if has(feat::SSBS) => call(e, &regs::WRITE_SSBS, imm64 << pstate::SSBS)?,
        (3, 2) if has(feat::DIT) => call(e, &regs::WRITE_DIT, imm64 << pstate::DIT)?,
        (3, 6 | 7) => {
            if el == 0 && e.cx().mode >> (mode::EL0_OPEN_LOW + 3) & 1 == 0 {
                let code = sysreg::code(0, op1, 4, imm, op2);
                return e.raise(sysreg::trapped(code, 31, false));
            }
            return if op2 == 6 { masks::set(e, imm) } else { masks::clear(e, imm) };
        }
        _ => return e.undefined(),
    }
    Ok(Flow::Sync)
}

/// HINT: yields, events, and instructions that older processors take as nothing. [C6.2.143]
fn hint<E: Arm>(e: &mut E, m: u32, q: u32) -> Exec<E> {
    let pauth = e.cx().features & feat::PAUTH != 0;
    match m << 3 | q {
        1 | 2 => {
            call(e, &calls::YIELD, 0)?;
            Ok(Flow::Next)
        }
        3 => {
            call(e, &calls::WAIT, 0)?;
            Ok(Flow::Sync)
        }
        7 if pauth => in_place(e, 30, |e, p| Ok(pauth::strip(e, p, false))),
        // PACIA1716, PACIB1716, AUTIA1716, AUTIB1716
        8 if pauth => with_1716(e, |e, p, m| pauth::sign(e, Key::IA, p, m)),
        10 if pauth => with_1716(e, |e, p, m| pauth::sign(e, Key::IB, p, m)),
        12 if pauth => with_1716(e, |e, p, m| pauth::auth(e, Key::IA, p, m)),
        14 if pauth => with_1716(e, |e, p, m| pauth::auth(e, Key::IB, p, m)),
        // PACIAZ, PACIASP, PACIBZ, PACIBSP, AUTIAZ, AUTIASP, AUTIBZ, AUTIBSP
        x @ 24..=31 if pauth => {
            let key = if x & 2 == 0 { Key::IA } else { Key::IB };
            let modifier = if x & 1 != 0 { e.get(state::SP) } else { e.lit::<W64>(0) };
            in_place(e, 30, |e, p| {
                if x & 4 == 0 { pauth::sign(e, key, p, modifier) } else { pauth::auth(e, key, p, modifier) }
            })
        }
        _ => Ok(Flow::Next),
    }
}

fn in_place<E: Arm>(e: &mut E, n: u32, f: impl FnOnce(&mut E, E::Val<W64>) -> Emit<E, W64>) -> Exec<E> {
    let p = e.x::<W64>(n);
    let r = f(e, p)?;
    e.set_x::<W64>(n, r);
    Ok(Flow::Next)
}

fn with_1716<E: Arm>(e: &mut E, f: impl FnOnce(&mut E, E::Val<W64>, E::Val<W64>) -> Emit<E, W64>) -> Exec<E> {
    let modifier = e.x::<W64>(16);
    in_place(e, 17, |e, p| f(e, p, modifier))
}

/// CLREX. [C6.2.69]
fn clrex<E: Arm>(e: &mut E) -> Exec<E> {
    let open = e.lit::<W64>(state::NO_MONITOR);
    e.put(state::EXCL_ADDR, open);
    Ok(Flow::Next)
}

/// The fence of a barrier's option field; nothing is needed where no other processor looks on.
fn barrier<E: Arm>(e: &mut E, option: u32) {
    if e.cx().mode & mode::SMP != 0 {
        e.fence(match option & 3 {
            1 => Fence::Load,
            2 => Fence::Store,
            _ => Fence::Full,
        });
    }
}

/// DSB. [C6.2.116]
fn dsb<E: Arm>(e: &mut E, m: u32) -> Exec<E> {
    barrier(e, m);
    Ok(Flow::Next)
}

/// DMB. [C6.2.114]
fn dmb<E: Arm>(e: &mut E, m: u32) -> Exec<E> {
    barrier(e, m);
    Ok(Flow::Next)
}

/// ISB: every change of context already ends the block, and what this processor stores to code is noticed at once.
/// What others changed is looked for here. [C6.2.139]
fn isb<E: Arm>(e: &mut E) -> Exec<E> {
    Ok(if e.cx().mode & mode::SMP != 0 { Flow::Sync } else { Flow::Next })
}

/// SB: nothing is speculated. [C6.2.306]
fn sb<E: Arm>(_: &mut E) -> Exec<E> {
    Ok(Flow::Next)
}

/// WFET: a yield. [C6.2.449]
fn wfet<E: Arm>(e: &mut E) -> Exec<E> {
    call(e, &calls::YIELD, 0)?;
    Ok(Flow::Next)
}

/// WFIT: may return early, and does. [C6.2.451]
fn wfit<E: Arm>(e: &mut E) -> Exec<E> {
    wfet(e)
}

/// SVC. [C6.2.411]
fn svc<E: Arm>(e: &mut E, i: u32) -> Exec<E> {
    e.raise(esr(class::SVC, i as u64))
}

/// HVC: the board's firmware interface (PSCI). [C6.2.145]
fn hvc<E: Arm>(e: &mut E, _: u32) -> Exec<E> {
    firmware(e, 0)
}

/// SMC. [C6.2.311]
fn smc<E: Arm>(e: &mut E, _: u32) -> Exec<E> {
    firmware(e, 1)
}

fn firmware<E: Arm>(e: &mut E, conduit: u64) -> Exec<E> {
    if mode::el(e.cx().mode) == 0 {
        return e.undefined();
    }
    call(e, &calls::FIRMWARE, conduit)?;
    Ok(Flow::Sync)
}

/// BRK. [C6.2.40]
fn brk<E: Arm>(e: &mut E, i: u32) -> Exec<E> {
    e.raise(esr(class::BRK, i as u64))
}

/// HLT: semihosting, where it is on, else undefined as without halting debug. [C6.2.142]
fn hlt<E: Arm>(e: &mut E, i: u32) -> Exec<E> {
    call(e, &calls::HALT, i as u64)?;
    Ok(Flow::Sync)
}

/// UDF. [C6.2.427]
fn udf<E: Arm>(e: &mut E) -> Exec<E> {
    e.undefined()
}

/// ERET. [C6.2.118]
fn eret<E: Arm>(e: &mut E) -> Exec<E> {
    let to = e.get(sysreg::ELR_EL1);
    return_to(e, to)
}

fn return_to<E: Arm>(e: &mut E, to: E::Val<W64>) -> Exec<E> {
    if mode::el(e.cx().mode) == 0 {
        return e.undefined();
    }
    let zero = e.lit::<W64>(0);
    e.call(&exception::RETURN, [to, zero, zero])?;
    Ok(Flow::Leave)
}

/// ERETAA, ERETAB. [C6.2.119]
fn ereta<E: Arm>(e: &mut E, k: u32) -> Exec<E> {
    let (to, sp) = (e.get(sysreg::ELR_EL1), e.get(state::SP));
    let to = pauth::auth(e, if k == 0 { Key::IA } else { Key::IB }, to, sp)?;
    return_to(e, to)
}

macro_rules! pac { ($($(#[$doc:meta])* $name:ident $zero:ident $f:ident $a:ident $b:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, k: u32, n: u32, d: u32) -> Exec<E> {
        let modifier = e.x_or_sp::<W64>(n);
        in_place(e, d, |e, p| pauth::$f(e, if k == 0 { Key::$a } else { Key::$b }, p, modifier))
    }
    $(#[$doc])*
    fn $zero<E: Arm>(e: &mut E, k: u32, d: u32) -> Exec<E> {
        let modifier = e.lit::<W64>(0);
        in_place(e, d, |e, p| pauth::$f(e, if k == 0 { Key::$a } else { Key::$b }, p, modifier))
    }
)* } }
pac! {
    /// PACIA, PACIB. [C6.2.262]
    paci paciz sign IA IB;
    /// PACDA, PACDB. [C6.2.259]
    pacd pacdz sign DA DB;
    /// AUTIA, AUTIB. [C6.2.21]
    auti autiz auth IA IB;
    /// AUTDA, AUTDB. [C6.2.20]
    autd autdz auth DA DB;
}

/// XPACI, XPACD. [C6.2.454]
fn xpac<E: Arm>(e: &mut E, k: u32, d: u32) -> Exec<E> {
    in_place(e, d, |e, p| Ok(pauth::strip(e, p, k != 0)))
}

/// PACGA. [C6.2.261]
fn pacga<E: Arm>(e: &mut E, m: u32, n: u32, d: u32) -> Exec<E> {
    let (value, modifier) = (e.x::<W64>(n), e.x_or_sp::<W64>(m));
    let r = pauth::generic(e, value, modifier)?;
    e.set_x::<W64>(d, r);
    Ok(Flow::Next)
}

/// SYSL: no such instruction is implemented. [C6.2.420]
fn sysl<E: Arm>(e: &mut E) -> Exec<E> {
    e.undefined()
}

/// SYS: cache, translation and TLB maintenance. [C6.2.419]
fn sys<E: Arm>(e: &mut E, op1: u32, crn: u32, crm: u32, op2: u32, t: u32) -> Exec<E> {
    let el = mode::el(e.cx().mode);
    let code = sysreg::code(1, op1, crn, crm, op2);
    let open = |e: &E, bit: u32| el != 0 || e.cx().mode >> (mode::EL0_OPEN_LOW + bit) & 1 != 0;
    let trap = |e: &mut E| e.raise(sysreg::trapped(code, t, false));
    let has = |e: &E, f: u64| e.cx().features & f != 0;
    match (op1, crn, crm, op2) {
        // IC IALLUIS, IALLU.
        (0, 7, 1 | 5, 0) if el != 0 => {
            call(e, &maintenance::ALL_CODE, 0)?;
            Ok(Flow::Next)
        }
        // DC ISW, CSW, CISW: nothing is cached.
        (0, 7, 6 | 10 | 14, 2) if el != 0 => Ok(Flow::Next),
        // DC IVAC needs write permission.
        (0, 7, 6, 1) if el != 0 => by_address(e, t, 1, 0),
        // IC IVAU; DC CVAC, CVAU, CIVAC, CVAP, CVADP.
        (3, 7, 5, 1) | (3, 7, 10 | 11 | 14, 1) => {
            if open(e, 0) {
                by_address(e, t, 0, (crm == 5) as u64)
            } else {
                trap(e)
            }
        }
        (3, 7, 12, 1) if has(e, feat::DPB) => {
            if open(e, 0) {
                by_address(e, t, 0, 0)
            } else {
                trap(e)
            }
        }
        (3, 7, 13, 1) if has(e, feat::DPB2) => {
            if open(e, 0) {
                by_address(e, t, 0, 0)
            } else {
                trap(e)
            }
        }
        // DC ZVA.
        (3, 7, 4, 1) => {
            if open(e, 2) {
                zero_block(e, t)
            } else {
                trap(e)
            }
        }
        // AT S1E1R, S1E1W, S1E0R, S1E0W, S1E1RP, S1E1WP.
        (0, 7, 8, 0..=3) if el != 0 => translate(e, t, op2 as u64),
        (0, 7, 9, 0 | 1) if el != 0 && has(e, feat::PAN2) => translate(e, t, op2 as u64 | 4),
        (0, 8, 3 | 7, 0 | 1 | 2 | 3 | 5 | 7) if el != 0 => tlbi(e, code, t),
        (0, 8, 1, 0 | 1 | 2 | 3 | 5 | 7) | (0, 8, 2 | 5 | 6, 1 | 3 | 5 | 7)
            if el != 0 && has(e, feat::TLBIRANGE) =>
        {
            tlbi(e, code, t)
        }
        _ => e.raise(UNDEFINED),
    }
}

fn tlbi<E: Arm>(e: &mut E, code: u32, t: u32) -> Exec<E> {
    let (c, v, zero) = (e.lit::<W64>(code as u64), e.x::<W64>(t), e.lit::<W64>(0));
    e.call(&maintenance::TLBI, [c, v, zero])?;
    Ok(Flow::Sync)
}

fn by_address<E: Arm>(e: &mut E, t: u32, store: u64, instructions: u64) -> Exec<E> {
    let (at, store, instructions) = (e.x::<W64>(t), e.lit::<W64>(store), e.lit::<W64>(instructions));
    e.call(&maintenance::CACHE_BY_VA, [at, store, instructions])?;
    Ok(Flow::Next)
}

fn translate<E: Arm>(e: &mut E, t: u32, how: u64) -> Exec<E> {
    let (at, how, zero) = (e.x::<W64>(t), e.lit::<W64>(how), e.lit::<W64>(0));
    e.call(&maintenance::ADDRESS_TRANSLATE, [at, how, zero])?;
    Ok(Flow::Next)
}

/// DC ZVA: 64 zero bytes.
fn zero_block<E: Arm>(e: &mut E, t: u32) -> Exec<E> {
    let at = e.x::<W64>(t);
    let mask = e.lit::<W64>(!63);
    let at = e.bin(Bin::And, at, mask);
    let zero = e.lit::<W128>(0);
    for i in 0..4 {
        let to = e.add_lit(at, i * 16);
        e.store::<W128>(Access::PLAIN, to, zero)?;
    }
    Ok(Flow::Next)
}
