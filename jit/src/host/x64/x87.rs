//! The x87 on the host's x87, which holds the guest's: most instructions are the host's own.
//!
//! Left to the helper: functions that processors round differently, pages that the TLB does not know, and everything
//! while an exception is not masked or pending.

use super::asm::{Alu, Cc, Label, Mem, file, reg};
use super::late::Late;
use super::mem::{Probe, READ, WRITE};
use super::x87_live::{MASKS, NO_PRECISION, PRECISION, live};
use super::{Cold, Helped, Lower};
use crate::guest::X87;
use crate::host::Site;
use crate::ir::flags::known;
use crate::ir::{Inst, Op, Val};
use crate::words;
use lyrebird_cpu::x86::insn::seg;
use lyrebird_cpu::x86::isa::x87_memory::operand;
use lyrebird_cpu::x86::isa::x87_ops::{HAS_MEMORY, uses_flags};
use lyrebird_cpu::x86::{flags, state};

/// What an instruction does.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Nothing, as there is no exception to wait for.
    Nothing,
    /// What its bytes say, on registers.
    Registers([u8; 2]),
    /// The same, setting the arithmetic flags.
    Compares([u8; 2]),
    /// The same, by the arithmetic flags.
    Moves([u8; 2]),
    /// What opcode and digit say, with memory.
    Memory { opcode: u8, digit: u8, bytes: u64, writes: bool },
    /// Loads the control word.
    Control,
}

/// The form of an instruction, by its helper and the argument of that; nothing if the helper does it.
fn form(helper: X87, what: u64) -> Option<Form> {
    let (group, modrm) = ((what >> 8) as u8 & 7, what as u8);
    let (digit, opcode) = (modrm >> 3 & 7, 0xD8 | group);
    match helper {
        X87::Wait => return Some(Form::Nothing),
        X87::Control if what == 0 => return Some(Form::Registers([0xDB, 0xE2])),
        X87::Control => return None,
        X87::Fldcw => return Some(Form::Control),
        X87::Stack => {}
    }
    if what & HAS_MEMORY != 0 {
        let (bytes, writes) = operand(group, digit);
        return Some(Form::Memory { opcode, digit, bytes, writes });
    }
    let bytes = [opcode, modrm];
    Some(match (group, modrm) {
        // F2XM1, FYL2X, FPTAN, FPATAN, FYL2XP1, FSINCOS, FSIN, FCOS
        (1, 0xF0..=0xF3 | 0xF9 | 0xFB | 0xFE | 0xFF) => return None,
        (2 | 3, ..0xE0) => Form::Moves(bytes),
        _ if uses_flags(what) => Form::Compares(bytes),
        _ => Form::Registers(bytes),
    })
}

/// The ways out of line.
pub struct Slow {
    probe: Option<Probe>,
    /// The x87 is not the host's yet.
    take: Label,
    /// Where it is looked at again.
    again: Label,
    /// The helper is called.
    slow: Label,
    back: Label,
    what: u64,
    helper: u64,
    at: u8,
    offset: u8,
    pc: u32,
    dirty: u32,
    late: Late,
}

impl Lower {
    /// Does what a helper of the x87 does, if the instruction is a common one.
    pub(super) fn x87(&mut self, inst: &Inst, helped: Helped) -> bool {
        let Some((helper, what)) = helped.x87.zip(known(&self.code, self.root(inst.a))) else { return false };
        let Some(form) = form(helper, what) else { return false };
        if !self.config.x87 || self.config.strict || self.x87_parked || self.inside.is_some() {
            return false;
        }
        self.clobber();
        let access = match form {
            Form::Memory { bytes, writes, .. } => Some((bytes, writes)),
            Form::Control => Some((2, false)),
            _ => None,
        };
        let [at, offset] = match access {
            Some(_) => [inst.b, inst.c].map(|v| self.reg(v)),
            None => [reg::RAX; 2],
        };
        let m = Mem { base: at, index: None, disp: 0 };
        // Nothing may be moved to make room once there was a jump: the probe does that first.
        let probe =
            access.map(|(bytes, writes)| self.probe(m, bytes, false, 0, if writes { WRITE } else { READ }));
        let [take, again, slow, back] = [0; 4].map(|_| self.asm.label());
        self.asm.bind(again);
        self.asm.test_mem_imm(live(), 1);
        self.asm.jcc(Cc::E, take);
        let m = Mem { index: Some(reg::RAX), ..m };
        match form {
            Form::Nothing => {}
            Form::Registers(bytes) => self.asm.extend(bytes),
            Form::Compares(bytes) => {
                // FINCSTP, FDECSTP: processors differ in whether comparisons clear C1.
                self.asm.extend([0xD9, 0xF7, 0xD9, 0xF6]);
                self.asm.extend(bytes);
                // LAHF
                self.asm.byte(0x9F);
                self.asm.alu_imm(Alu::And, false, reg::RAX, (flags::ZF | flags::PF | flags::CF) as i32);
                self.asm.store(4, file(state::FLAGS.offset()), reg::RAX);
            }
            Form::Moves(bytes) => {
                self.asm.load(4, reg::RAX, file(state::FLAGS.offset()));
                // SAHF
                self.asm.byte(0x9E);
                self.asm.extend(bytes);
            }
            Form::Memory { opcode, digit, .. } => self.asm.x87_mem(opcode, digit, m),
            Form::Control => self.x87_control(m, slow, probe.as_ref().map_or(reg::RCX, |p| p.key)),
        }
        if helper == X87::Stack {
            self.x87_pointers(what, access.map(|_| offset));
        }
        self.asm.bind(back);
        let late = self.capture();
        if helper == X87::Stack {
            self.x87.last = Some((self.at, (what & 0x7FF) as u16));
        }
        let (pc, dirty, helper) = (self.at, self.dirty, helped.address);
        self.colds.push(Cold::X87(Slow {
            probe,
            take,
            again,
            slow,
            back,
            what,
            helper,
            at,
            offset,
            pc,
            dirty,
            late,
        }));
        [inst.a, inst.b, inst.c].into_iter().for_each(|v: Val| self.release(v));
        true
    }

    /// Whether an instruction calls a helper of the x87.
    pub(super) fn is_x87(&self, inst: &Inst) -> bool {
        inst.op == Op::Call && self.helpers.get(inst.imm as usize).is_some_and(|h| h.x87.is_some())
    }

    /// FLDCW from `m`; `t` is clobbered.
    fn x87_control(&mut self, m: Mem, slow: Label, t: u8) {
        let fcw = file(state::FCW.offset());
        self.asm.load(2, reg::RAX, m);
        self.asm.mov(false, t, reg::RAX);
        self.asm.not(false, t);
        self.asm.test_imm(false, t, MASKS);
        self.asm.jcc(Cc::NE, slow);
        self.asm.mov(false, t, reg::RAX);
        self.asm.alu_imm(Alu::And, false, t, PRECISION);
        self.asm.alu_imm(Alu::Cmp, false, t, NO_PRECISION);
        self.asm.jcc(Cc::E, slow);
        // Bit 6 exists and is always set.
        self.asm.alu_imm(Alu::And, false, reg::RAX, 0x1F7F);
        self.asm.alu_imm(Alu::Or, false, reg::RAX, 0x40);
        self.asm.store(2, fcw, reg::RAX);
        self.asm.x87_mem(0xD9, 5, fcw);
    }

    /// Notes where the operand is; where the instruction is, is stored later.
    fn x87_pointers(&mut self, what: u64, offset: Option<u8>) {
        let selectors = file(state::FCS_FDS.offset());
        if !self.x87.code {
            self.asm.load(2, reg::RAX, file(state::selector(seg::CS).offset()));
            self.asm.store(2, selectors, reg::RAX);
            self.x87.code = true;
        }
        if let Some(offset) = offset {
            self.asm.store(8, file(state::FDP.offset()), offset);
            let data = (what >> 12) as u8 & 7;
            if self.x87.data != Some(data) {
                self.asm.load(2, reg::RAX, file(state::selector(data).offset()));
                self.asm.store(2, Mem { disp: selectors.disp + 2, ..selectors }, reg::RAX);
                self.x87.data = Some(data);
            }
        }
    }

    /// The ways out of line.
    pub(super) fn cold_x87(&mut self, s: &Slow) {
        if let Some(p) = &s.probe {
            self.asm.bind(p.from);
            self.second_way(p);
        }
        self.asm.bind(s.slow);
        self.compute(s.late);
        self.asm.store(8, file(words::ARG1.offset()), s.at);
        self.asm.store(8, file(words::ARG2.offset()), s.offset);
        self.store_dirty(s.dirty);
        self.set_pc(s.pc as i64);
        self.asm.mov_mem_imm(true, file(words::ADDRESS.offset()), s.what as i32);
        // A store that would hit code is interpreted: nothing is dirty any more.
        let site = Site { at: s.pc, dirty: 0, log2: 0, pair: false, access: 0 };
        self.name_site(site.pack());
        self.asm.mov_imm(reg::RAX, s.helper);
        self.asm.call_to(self.config.stubs.x87);
        self.asm.jmp(s.back);
        self.asm.bind(s.take);
        self.asm.call_to(self.config.stubs.x87_take);
        self.asm.jcc(Cc::NE, s.again);
        self.asm.jmp(s.slow);
    }
}
