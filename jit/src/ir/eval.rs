//! Executes IR on a processor: the second leg of the oracle `interpret = evaluate(lift) = run(compile(lift))`.

use super::flags::{flag_of, update_of};
use super::lift::cmp_of;
use super::{Inst, Ir, Op, Ty, VecForm, access};
use lyrebird_cpu::core::{Arch, Core, Raised};
use lyrebird_cpu::emit::{Emitter, Exception, Fence};
use lyrebird_cpu::op::{Bin, Cond, Un, sext};
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::width::{W1, W8, W16, W32, W64, W128, Width};
use lyrebird_ram::AtomicOp;

/// How a block ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The PC slot holds the next instruction's address.
    Went,
    /// As `Went`, and the mode or translation may have changed.
    Synced,
}

macro_rules! by_ty {
    ($ty:expr, $W:ident => $body:expr) => {
        match $ty {
            Ty::I1 => {
                type $W = W1;
                $body
            }
            Ty::I8 => {
                type $W = W8;
                $body
            }
            Ty::I16 => {
                type $W = W16;
                $body
            }
            Ty::I32 => {
                type $W = W32;
                $body
            }
            Ty::I64 => {
                type $W = W64;
                $body
            }
            Ty::V128 => {
                type $W = W128;
                $body
            }
        }
    };
}

macro_rules! by_int {
    ($ty:expr, $W:ident => $body:expr) => {
        match $ty {
            Ty::I1 => {
                type $W = W1;
                $body
            }
            Ty::I8 => {
                type $W = W8;
                $body
            }
            Ty::I16 => {
                type $W = W16;
                $body
            }
            Ty::I32 => {
                type $W = W32;
                $body
            }
            _ => {
                type $W = W64;
                $body
            }
        }
    };
}

const ATOMICS: [AtomicOp; 9] = [
    AtomicOp::Add,
    AtomicOp::And,
    AtomicOp::Or,
    AtomicOp::Xor,
    AtomicOp::Smax,
    AtomicOp::Smin,
    AtomicOp::Umax,
    AtomicOp::Umin,
    AtomicOp::Swap,
];

/// The atomic operation with number `imm`.
pub fn atomic_of(imm: u64) -> AtomicOp {
    ATOMICS[imm as usize % ATOMICS.len()]
}

/// Executes block `block` on `core`, whose PC is at the block's start.
///
/// # Errors
/// When it raised; the PC is then that of the instruction.
pub fn block<A: Arch>(ir: &Ir<A>, block: usize, core: &mut Core<A>) -> Result<End, Raised> {
    let page = core.pc() & !0xFFF;
    let b = ir.blocks[block];
    let mut vals = vec![0u128; (b.end - b.first) as usize];
    let mut second = 0;
    let mut skip = false;
    for i in b.first..b.end {
        let inst = &ir.code[i as usize];
        if skip {
            skip = inst.op != Op::EndIf;
            continue;
        }
        let get = |v: u32| vals.get(v.wrapping_sub(b.first) as usize).copied().unwrap_or(0);
        let (a, bb, c) = (get(inst.a), get(inst.b), get(inst.c));
        let goto = |at: u64| page.wrapping_add(at);
        let value = match inst.op {
            Op::At => {
                core.set_pc(goto(inst.imm));
                0
            }
            Op::If => {
                skip = a & 1 == 0;
                0
            }
            Op::Jump => {
                core.set_pc(goto(inst.imm));
                return Ok(End::Went);
            }
            Op::Branch => {
                let (taken, next) = inst.targets();
                core.set_pc(goto(if a & 1 != 0 { taken } else { next } as u64));
                return Ok(End::Went);
            }
            Op::JumpTo => {
                core.set_pc(a as u64);
                return Ok(End::Went);
            }
            Op::Sync => {
                core.set_pc(goto(inst.imm));
                return Ok(End::Synced);
            }
            Op::Leave => return Ok(End::Synced),
            Op::Raise => return Err(core.raise_now(Exception(inst.imm), 0)),
            Op::RaiseIf => {
                core.raise_if(a & 1 != 0, Exception(inst.imm))?;
                0
            }
            Op::Second => second,
            Op::LoadPair => {
                let k = access(inst.sub);
                by_ty!(inst.ty, W => {
                    let (lo, hi) = core.load_pair::<W>(k, a as u64)?;
                    second = W::wide(hi);
                    W::wide(lo)
                })
            }
            Op::StorePair => {
                let k = access(inst.sub);
                by_ty!(inst.ty, W => core.store_pair::<W>(k, a as u64, (W::narrow(bb), W::narrow(c)))?);
                0
            }
            Op::Call => {
                let h = ir.helpers[inst.imm as usize];
                core.call(h, [a as u64, bb as u64, c as u64])? as u128
            }
            _ => simple(ir, inst, core, [a, bb, c])?,
        };
        vals[(i - b.first) as usize] = value;
    }
    Ok(End::Went)
}

/// Operations that neither transfer control nor have two results.
fn simple<A: Arch>(
    ir: &Ir<A>,
    inst: &Inst,
    core: &mut Core<A>,
    [a, b, c]: [u128; 3],
) -> Result<u128, Raised> {
    let operand = || ir.code[inst.a as usize].ty;
    let k = access(inst.sub);
    Ok(match inst.op {
        Op::Lit => inst.wide(),
        Op::Get => by_ty!(inst.ty, W => W::wide(core.reg(Slot::<W>::byte(inst.imm as u16)))),
        Op::Put => {
            by_ty!(inst.ty, W => core.set(Slot::<W>::byte(inst.imm as u16), W::narrow(a)));
            0
        }
        Op::Page => (core.pc() & !0xFFF).wrapping_add(inst.imm) as u128,
        Op::Un => pure_un(inst.sub, a as u64, inst.ty) as u128,
        Op::Bin => pure_bin(inst.sub, a as u64, b as u64, inst.ty) as u128,
        Op::Cmp => cmp_of(inst.sub).apply(a as u64, b as u64, operand().bits()) as u128,
        Op::Zext => a & inst.ty.mask() as u128,
        Op::Sext => (sext(a as u64, operand().bits()) as u64 & inst.ty.mask()) as u128,
        Op::Select => {
            if a & 1 != 0 {
                b
            } else {
                c
            }
        }
        Op::Flags => flag_of(inst.sub).apply(a as u64, b as u64, c & 1 != 0, operand().bits()) as u128,
        Op::Update => update_of(inst.sub).apply(a as u64, b as u64, c as u32, operand().bits()) as u128,
        Op::Holds => Cond::number(inst.sub as u32).holds(a as u32) as u128,
        Op::Load => by_ty!(inst.ty, W => W::wide(core.load::<W>(k, a as u64)?)),
        Op::Store => {
            by_ty!(inst.ty, W => core.store::<W>(k, a as u64, W::narrow(b))?);
            0
        }
        Op::Rmw => {
            let op = atomic_of(inst.imm);
            by_int!(inst.ty, W => W::wide(core.rmw::<W>(k, op, a as u64, W::narrow(b))?))
        }
        Op::Cas => by_ty!(inst.ty, W => W::wide(core.cas::<W>(k, a as u64, W::narrow(b), W::narrow(c))?)),
        Op::Fence => {
            core.fence([Fence::Full, Fence::Load, Fence::Store][inst.sub as usize % 3]);
            0
        }
        Op::Clock => core.clock() as u128,
        Op::Vec => match VecForm::unpack(inst.imm) {
            Some(v) => core.vec(v.op, v.lanes, v.imm, a, b, c),
            None => 0,
        },
        Op::Lane => by_int!(inst.ty, W => W::wide(core.lane::<W>(a, inst.sub as u32))),
        Op::SetLane => {
            let ty = ir.code[inst.b as usize].ty;
            by_int!(ty, W => core.set_lane::<W>(a, inst.sub as u32, W::narrow(b)))
        }
        Op::ToVec => a,
        Op::Dup => by_int!(operand(), W => core.dup::<W>(W::narrow(a), inst.sub != 0)),
        _ => 0,
    })
}

/// The meaning of unary operation `sub`.
pub fn pure_un(sub: u16, a: u64, ty: Ty) -> u64 {
    Un::ALL[sub as usize % Un::ALL.len()].apply(a, ty.bits()) & ty.mask()
}

/// The meaning of binary operation `sub`.
pub fn pure_bin(sub: u16, a: u64, b: u64, ty: Ty) -> u64 {
    Bin::ALL[sub as usize % Bin::ALL.len()].apply(a, b, ty.bits()) & ty.mask()
}
