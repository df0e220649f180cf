//! The x87 on the host's x87: common instructions inline, on the guest's registers in the register file.
//!
//! The host's control word is the one after FNINIT, and so must the guest's be (conversions to integers load the
//! guest's, if that masks all exceptions). The host's stack is empty between instructions. An exception flag that the
//! guest's status does not hold yet, an empty or full register, a page that the TLB does not know: all that is left to
//! the helper, before anything has changed. In 64-bit mode only.

use super::asm::{Alu, Cc, Label, Mem, Shift, file, reg};
use super::mem::{ADDEND, READ, WRITE};
use super::{Cold, Lower};
use crate::ir::flags::known;
use crate::ir::{Inst, Val};
use crate::words;
use lyrebird_cpu::x86::insn::seg;
use lyrebird_cpu::x86::{flags, state};

const FCW_INIT: i32 = 0x37F;
const ES: i32 = 0x80;
const EXCEPTIONS: i32 = 0x3F;
const TOP: i32 = 7 << 11;
const C1: i32 = 1 << 9;
/// C0, C1, C2 and C3.
const CODES: i32 = 0x4700;
/// Those that comparisons set.
const RELATION: i32 = 0x4500;

/// What an instruction does.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Pushes memory, by the host's opcode and digit.
    Load { opcode: u8, digit: u8, bytes: u64 },
    /// Converts ST(0) to memory.
    Store { opcode: u8, digit: u8, bytes: u64, pop: bool, integer: bool },
    /// Stores ST(0) as it is, and pops.
    StoreWhole,
    /// Arithmetic or comparison with memory.
    Memory { opcode: u8, digit: u8, bytes: u64 },
    /// Pushes a constant.
    Constant { second: u8 },
    /// Pushes ST(i).
    Duplicate { i: u8 },
    /// Exchanges ST(0) and ST(i).
    Exchange { i: u8 },
    /// ST(0) to ST(i).
    Move { i: u8, pop: bool },
    /// Clears or inverts the sign of ST(0).
    Sign { clear: bool },
    /// Arithmetic of ST(0) and ST(i).
    Registers { digit: u8, i: u8, to: bool, pop: bool },
    /// Comparison of ST(0) with ST(i), by the status.
    Compare { i: u8, quiet: bool, pops: u8 },
    /// The same by the arithmetic flags.
    Flags { i: u8, quiet: bool, pop: bool },
    /// Replaces ST(0).
    Unary { second: u8 },
}

/// The form of an instruction, by the argument of its helper; nothing if the helper does it.
fn form(what: u64) -> Option<Form> {
    use Form::*;
    let (group, modrm) = ((what >> 8) as u8 & 7, what as u8);
    let (digit, i, opcode) = (modrm >> 3 & 7, modrm & 7, 0xD8 | group);
    let memory = what >> 11 & 1 != 0;
    let store = |bytes, pop, integer| Some(Store { opcode, digit, bytes, pop, integer });
    let load = |bytes| Some(Load { opcode, digit, bytes });
    if memory {
        return match (group, digit) {
            (0 | 2, _) => Some(Memory { opcode, digit, bytes: 4 }),
            (4, _) => Some(Memory { opcode, digit, bytes: 8 }),
            (6, _) => Some(Memory { opcode, digit, bytes: 2 }),
            (1, 0) | (3, 0) => load(4),
            (5, 0) | (7, 5) => load(8),
            (7, 0) => load(2),
            (3, 5) => load(10),
            (3, 7) => Some(StoreWhole),
            (1, 2 | 3) => store(4, digit == 3, false),
            (5, 2 | 3) => store(8, digit == 3, false),
            (3, 1..=3) => store(4, digit != 2, true),
            (7, 1..=3) => store(2, digit != 2, true),
            (5, 1) | (7, 7) => store(8, true, true),
            _ => None,
        };
    }
    match (group, digit) {
        (0, 2 | 3) => Some(Compare { i, quiet: false, pops: digit & 1 }),
        (0, _) => Some(Registers { digit, i, to: false, pop: false }),
        (1, 0) => Some(Duplicate { i }),
        (1 | 5 | 7, 1) => Some(Exchange { i }),
        (1, 4) if i < 2 => Some(Sign { clear: i == 1 }),
        (1, 5) if i == 0 || i == 6 => Some(Constant { second: modrm }),
        (1, 7) if i == 2 || i == 4 => Some(Unary { second: modrm }),
        (2, 5) if i == 1 => Some(Compare { i: 1, quiet: true, pops: 2 }),
        (3 | 7, 5) => Some(Flags { i, quiet: true, pop: group == 7 }),
        (3 | 7, 6) => Some(Flags { i, quiet: false, pop: group == 7 }),
        (4, 0 | 1 | 4..=7) => Some(Registers { digit, i, to: true, pop: false }),
        (5, 2 | 3) => Some(Move { i, pop: digit == 3 }),
        (5, 4 | 5) => Some(Compare { i, quiet: true, pops: digit & 1 }),
        (6, 3) if i == 1 => Some(Compare { i: 1, quiet: false, pops: 2 }),
        (6, 0 | 1 | 4..=7) => Some(Registers { digit, i, to: true, pop: true }),
        _ => None,
    }
}

/// The ways into the helper: by what is left on the host's x87.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    /// nothing
    from: Label,
    /// exception flags
    status: Label,
    /// the same and a value on the stack
    value: Label,
}

/// A call of the helper, out of line.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    ways: Ways,
    back: Label,
    what: u64,
    helper: u64,
    at: u8,
    offset: u8,
    pc: u32,
    dirty: u32,
}

fn fsw() -> Mem {
    file(state::FSW.offset())
}

fn ftw() -> Mem {
    file(state::FTW.offset())
}

/// The register whose number times 16 is in `t`.
fn data(t: u8) -> Mem {
    Mem { index: Some(t), ..file(state::fpr(0).offset()) }
}

impl Lower {
    /// Does what the x87's helper does, if the instruction is a common one.
    pub(super) fn x87(&mut self, inst: &Inst, helper: u64) -> bool {
        let Some(what) = known(&self.code, self.root(inst.a)) else { return false };
        let Some(form) = form(what).filter(|_| self.config.x87 && !self.config.strict) else { return false };
        if self.inside.is_some() {
            return false;
        }
        self.clobber();
        let memory = what >> 11 & 1 != 0;
        let (at, offset) = if memory { (self.reg(inst.b), self.reg(inst.c)) } else { (reg::RAX, reg::RAX) };
        // Nothing may be moved to make room once there was a jump.
        let (t, u) = (self.temp(), self.temp());
        let ways = Ways { from: self.asm.label(), status: self.asm.label(), value: self.asm.label() };
        let back = self.asm.label();
        let m = Mem { base: at, index: None, disp: 0 };
        match form {
            Form::Load { opcode, digit, bytes } => self.x87_load(&ways, [t, u], m, [opcode, digit], bytes),
            Form::Store { opcode, digit, bytes, pop, integer } => {
                self.x87_store(&ways, [t, u], m, [opcode, digit], (bytes, pop, integer));
            }
            Form::StoreWhole => {
                self.x87_top(&ways, t, 0, true);
                self.x87_probe(&ways, u, m, 10, true);
                let to = Mem { index: Some(reg::RAX), ..m };
                let from = data(t);
                self.asm.load(8, u, from);
                self.asm.store(8, to, u);
                self.asm.load(2, u, Mem { disp: from.disp + 8, ..from });
                self.asm.store(2, Mem { disp: 8, ..to }, u);
                self.asm.alu_mem_imm(Alu::And, false, fsw(), !C1);
                self.x87_pop(t, u);
            }
            Form::Memory { opcode, digit, bytes } => {
                self.x87_top(&ways, t, 0, true);
                self.x87_probe(&ways, u, m, bytes, false);
                self.asm.x87_mem(0xDB, 5, data(t));
                self.asm.x87_mem(
                    opcode,
                    if digit == 3 { 2 } else { digit },
                    Mem { index: Some(reg::RAX), ..m },
                );
                let compares = digit == 2 || digit == 3;
                self.x87_status(u, ways.value, compares);
                if compares {
                    self.asm.extend([0xDD, 0xD8]);
                    if digit == 3 {
                        self.x87_pop(t, u);
                    }
                } else {
                    self.asm.x87_mem(0xDB, 7, data(t));
                }
            }
            Form::Constant { second } => {
                self.x87_top(&ways, t, -1, false);
                self.asm.extend([0xD9, second]);
                self.asm.x87_mem(0xDB, 7, data(t));
                self.x87_pushed(t);
            }
            Form::Duplicate { i } => {
                self.x87_top(&ways, t, -1, false);
                self.x87_other(&ways, u, t, i as i32 + 1, true);
                self.asm.movups_load(0, data(u));
                self.asm.movups_store(data(t), 0);
                self.x87_pushed(t);
            }
            Form::Exchange { i } => {
                self.x87_top(&ways, t, 0, true);
                self.x87_other(&ways, u, t, i as i32, true);
                self.asm.movups_load(0, data(t));
                self.asm.movups_load(1, data(u));
                self.asm.movups_store(data(u), 0);
                self.asm.movups_store(data(t), 1);
                self.asm.alu_mem_imm(Alu::And, false, fsw(), !C1);
            }
            Form::Move { i, pop } => {
                self.x87_top(&ways, t, 0, true);
                // What is overwritten may be empty; only full ones are common.
                self.x87_other(&ways, u, t, i as i32, true);
                self.asm.movups_load(0, data(t));
                self.asm.movups_store(data(u), 0);
                self.asm.alu_mem_imm(Alu::And, false, fsw(), !C1);
                if pop {
                    self.x87_pop(t, u);
                }
            }
            Form::Sign { clear } => {
                self.x87_top(&ways, t, 0, true);
                let head = data(t);
                let head = Mem { disp: head.disp + 8, ..head };
                self.asm.load(2, reg::RAX, head);
                if clear {
                    self.asm.alu_imm(Alu::And, false, reg::RAX, 0x7FFF);
                } else {
                    self.asm.alu_imm(Alu::Xor, false, reg::RAX, 0x8000);
                }
                self.asm.store(2, head, reg::RAX);
                self.asm.alu_mem_imm(Alu::And, false, fsw(), !C1);
            }
            Form::Registers { digit, i, to, pop } => {
                self.x87_top(&ways, t, 0, true);
                self.x87_other(&ways, u, t, i as i32, true);
                self.asm.x87_mem(0xDB, 5, data(t));
                self.asm.x87_mem(0xDB, 5, data(u));
                // The host has ST(i) on top, and keeps the other order.
                let second = [0xC1, 0xC9, 0, 0, 0xE9, 0xE1, 0xF9, 0xF1][digit as usize & 7];
                self.asm.extend([0xDE, second]);
                let d = if to { u } else { t };
                let s = if to { t } else { u };
                self.x87_status(s, ways.value, false);
                self.asm.x87_mem(0xDB, 7, data(d));
                if pop {
                    self.x87_pop(t, u);
                }
            }
            Form::Compare { i, quiet, pops } => {
                self.x87_top(&ways, t, 0, true);
                self.x87_other(&ways, u, t, i as i32, true);
                self.asm.x87_mem(0xDB, 5, data(u));
                self.asm.x87_mem(0xDB, 5, data(t));
                // FUCOMP or FCOMP with ST(1).
                self.asm.extend(if quiet { [0xDD, 0xE9] } else { [0xD8, 0xD9] });
                self.x87_status(u, ways.value, true);
                self.asm.extend([0xDD, 0xD8]);
                for _ in 0..pops {
                    self.x87_pop(t, u);
                }
            }
            Form::Flags { i, quiet, pop } => {
                self.x87_top(&ways, t, 0, true);
                self.x87_other(&ways, u, t, i as i32, true);
                self.asm.x87_mem(0xDB, 5, data(u));
                self.asm.x87_mem(0xDB, 5, data(t));
                // FUCOMIP or FCOMIP with ST(1).
                self.asm.extend([0xDF, if quiet { 0xE9 } else { 0xF1 }]);
                self.asm.byte(0x9F);
                self.asm.alu_imm(Alu::And, false, reg::RAX, (flags::ZF | flags::PF | flags::CF) as i32);
                self.asm.store(4, file(words::SCRATCH.offset()), reg::RAX);
                self.x87_status(u, ways.value, false);
                self.asm.extend([0xDD, 0xD8]);
                self.asm.load(4, reg::RAX, file(words::SCRATCH.offset()));
                self.asm.store(4, file(state::FLAGS.offset()), reg::RAX);
                if pop {
                    self.x87_pop(t, u);
                }
            }
            Form::Unary { second } => {
                self.x87_top(&ways, t, 0, true);
                self.asm.x87_mem(0xDB, 5, data(t));
                self.asm.extend([0xD9, second]);
                self.x87_status(u, ways.value, false);
                self.asm.x87_mem(0xDB, 7, data(t));
            }
        }
        self.x87_pointers(what, memory.then_some(offset));
        self.asm.bind(back);
        let (pc, dirty) = (self.at, self.dirty);
        self.colds.push(Cold::X87(Slow { ways, back, what, helper, at, offset, pc, dirty }));
        [inst.a, inst.b, inst.c].into_iter().for_each(|v: Val| self.release(v));
        true
    }

    /// `t`: the number of the register `by` from the top, times 16. Leaves if the control word is not that
    /// of FNINIT, an exception is pending, or the register is not `full`, or not empty.
    fn x87_top(&mut self, ways: &Ways, t: u8, by: i32, full: bool) {
        self.asm.alu_mem_imm(Alu::Cmp, false, file(state::FCW.offset()), FCW_INIT);
        self.asm.jcc(Cc::NE, ways.from);
        self.x87_register(ways, t, by, full);
    }

    /// The same with any control word.
    fn x87_register(&mut self, ways: &Ways, t: u8, by: i32, full: bool) {
        self.asm.load(2, t, fsw());
        self.asm.test_imm(false, t, ES);
        self.asm.jcc(Cc::NE, ways.from);
        self.asm.shift_imm(Shift::Shr, false, t, 11);
        if by != 0 {
            self.asm.alu_imm(Alu::Add, false, t, by);
        }
        self.x87_tag(ways, t, full);
    }

    /// `u`: the number of the register `by` from that whose number times 16 is in `t`, likewise.
    fn x87_other(&mut self, ways: &Ways, u: u8, t: u8, by: i32, full: bool) {
        self.asm.mov(false, u, t);
        self.asm.shift_imm(Shift::Shr, false, u, 4);
        self.asm.alu_imm(Alu::Add, false, u, by);
        self.x87_tag(ways, u, full);
    }

    fn x87_tag(&mut self, ways: &Ways, t: u8, full: bool) {
        self.asm.alu_imm(Alu::And, false, t, 7);
        self.asm.load(2, reg::RAX, ftw());
        self.asm.bit_test(0xA3, reg::RAX, t);
        self.asm.jcc(if full { Cc::AE } else { Cc::B }, ways.from);
        self.asm.shift_imm(Shift::Shl, false, t, 4);
    }

    /// Looks the page of `m` up, for a store if `writes`; RAX is then what to add to the address. `u` is clobbered.
    fn x87_probe(&mut self, ways: &Ways, u: u8, m: Mem, bytes: u64, writes: bool) {
        self.asm.mov(false, reg::RAX, m.base);
        self.asm.shift_imm(Shift::Shr, false, reg::RAX, 7);
        self.asm.alu_imm(Alu::And, false, reg::RAX, 0x7FE0);
        self.asm.lea(true, u, Mem { disp: bytes as i32 - 1, ..m });
        self.asm.alu_imm(Alu::And, true, u, -0x1000);
        let entry = |disp| Mem { base: reg::R15, index: Some(reg::RAX), disp };
        self.asm.alu_mem(Alu::Cmp, true, u, entry(if writes { WRITE } else { READ }));
        self.asm.jcc(Cc::NE, ways.from);
        self.asm.load(8, reg::RAX, entry(ADDEND));
    }

    /// Leaves for `dirty` if the host reports what the guest has not seen; sets C1, or the codes of a comparison. `u` is
    /// clobbered.
    fn x87_status(&mut self, u: u8, dirty: Label, compares: bool) {
        self.asm.extend([0xDF, 0xE0]);
        self.asm.load(2, u, fsw());
        self.asm.not(false, u);
        self.asm.alu(Alu::And, false, u, reg::RAX);
        self.asm.test_imm(false, u, EXCEPTIONS);
        self.asm.jcc(Cc::NE, dirty);
        let (clear, set) = if compares { (CODES, RELATION) } else { (C1, C1) };
        self.asm.alu_imm(Alu::And, false, reg::RAX, set);
        self.asm.alu_mem_imm(Alu::And, false, fsw(), !clear);
        self.asm.alu_store(Alu::Or, fsw(), reg::RAX);
    }

    /// Makes the register whose number times 16 is in `t` the top; C1 is clear.
    fn x87_pushed(&mut self, t: u8) {
        self.asm.alu_mem_imm(Alu::And, false, fsw(), !(TOP | C1));
        self.asm.mov(false, reg::RAX, t);
        self.asm.shift_imm(Shift::Shl, false, reg::RAX, 7);
        self.asm.alu_store(Alu::Or, fsw(), reg::RAX);
        self.asm.shift_imm(Shift::Shr, false, t, 4);
        self.asm.load(2, reg::RAX, ftw());
        self.asm.bit_test(0xAB, reg::RAX, t);
        self.asm.store(2, ftw(), reg::RAX);
    }

    /// Pops. `t` and `u` are clobbered.
    fn x87_pop(&mut self, t: u8, u: u8) {
        self.asm.load(2, u, fsw());
        self.asm.mov(false, t, u);
        self.asm.shift_imm(Shift::Shr, false, t, 11);
        self.asm.alu_imm(Alu::And, false, t, 7);
        self.asm.load(2, reg::RAX, ftw());
        self.asm.bit_test(0xB3, reg::RAX, t);
        self.asm.store(2, ftw(), reg::RAX);
        self.asm.lea(false, t, Mem { base: u, index: None, disp: 1 << 11 });
        self.asm.alu_imm(Alu::And, false, t, TOP);
        self.asm.alu_imm(Alu::And, false, u, !TOP);
        self.asm.alu(Alu::Or, false, u, t);
        self.asm.store(2, fsw(), u);
    }

    fn x87_load(&mut self, ways: &Ways, [t, u]: [u8; 2], m: Mem, [opcode, digit]: [u8; 2], bytes: u64) {
        self.x87_top(ways, t, -1, false);
        self.x87_probe(ways, u, m, bytes, false);
        self.asm.x87_mem(opcode, digit, Mem { index: Some(reg::RAX), ..m });
        // Only conversions of floating point find anything.
        if matches!((opcode, bytes), (0xD9, 4) | (0xDD, 8)) {
            self.x87_status(u, ways.value, false);
        }
        self.asm.x87_mem(0xDB, 7, data(t));
        self.x87_pushed(t);
    }

    fn x87_store(
        &mut self,
        ways: &Ways,
        [t, u]: [u8; 2],
        m: Mem,
        code: [u8; 2],
        (bytes, pop, integer): (u64, bool, bool),
    ) {
        let (cw, scratch) = (file(state::FCW.offset()), file(words::SCRATCH.offset()));
        let init = file(words::SCRATCH2.offset());
        if integer {
            self.asm.load(2, reg::RAX, cw);
            self.asm.not(false, reg::RAX);
            self.asm.test_imm(false, reg::RAX, EXCEPTIONS);
            self.asm.jcc(Cc::NE, ways.from);
            self.x87_register(ways, t, 0, true);
        } else {
            self.x87_top(ways, t, 0, true);
        }
        self.x87_probe(ways, u, m, bytes, true);
        self.asm.x87_mem(0xDB, 5, data(t));
        // The digits of FST and FIST that pop; FISTTP does.
        let digit = match code {
            [0xDF, 7] => 7,
            [_, 1] => 1,
            _ => 3,
        };
        if integer {
            let [before, after] = [0, 1].map(|_| self.asm.label());
            self.asm.alu_mem_imm(Alu::Cmp, false, cw, FCW_INIT);
            self.asm.jcc(Cc::E, before);
            self.asm.x87_mem(0xD9, 5, cw);
            self.asm.bind(before);
            self.asm.x87_mem(code[0], digit, scratch);
            self.asm.alu_mem_imm(Alu::Cmp, false, cw, FCW_INIT);
            self.asm.jcc(Cc::E, after);
            self.asm.mov_mem_imm(false, init, FCW_INIT);
            self.asm.x87_mem(0xD9, 5, init);
            self.asm.bind(after);
        } else {
            self.asm.x87_mem(code[0], digit, scratch);
        }
        // The status takes RAX.
        self.asm.store(8, init, reg::RAX);
        self.x87_status(u, ways.status, false);
        self.asm.load(8, reg::RAX, init);
        self.asm.load(8, u, scratch);
        self.asm.store(bytes, Mem { index: Some(reg::RAX), ..m }, u);
        if pop {
            self.x87_pop(t, u);
        }
    }

    /// Where the instruction and its operand are.
    fn x87_pointers(&mut self, what: u64, offset: Option<u8>) {
        self.asm.load(8, reg::RAX, file(words::PAGE.offset()));
        self.asm.alu_imm(Alu::Add, true, reg::RAX, self.at as i32);
        self.asm.store(8, file(state::FIP.offset()), reg::RAX);
        self.asm.mov_mem_imm(false, file(state::FOP.offset()), (what & 0x7FF) as i32);
        self.asm.load(2, reg::RAX, file(state::selector(seg::CS).offset()));
        let selectors = file(state::FCS_FDS.offset());
        self.asm.store(2, selectors, reg::RAX);
        if let Some(offset) = offset {
            self.asm.store(8, file(state::FDP.offset()), offset);
            self.asm.load(2, reg::RAX, file(state::selector((what >> 12) as u8 & 7).offset()));
            self.asm.store(2, Mem { disp: selectors.disp + 2, ..selectors }, reg::RAX);
        }
    }

    /// The helper's call, out of line.
    pub(super) fn cold_x87(&mut self, s: &Slow) {
        self.asm.bind(s.ways.value);
        self.asm.extend([0xDD, 0xD8]);
        self.asm.bind(s.ways.status);
        // FNCLEX
        self.asm.extend([0xDB, 0xE2]);
        self.asm.bind(s.ways.from);
        self.asm.store(8, file(words::ARG1.offset()), s.at);
        self.asm.store(8, file(words::ARG2.offset()), s.offset);
        self.store_dirty(s.dirty);
        self.set_pc(s.pc as i64);
        self.asm.mov_mem_imm(true, file(words::ADDRESS.offset()), s.what as i32);
        self.asm.mov_imm(reg::RAX, s.helper);
        self.asm.call_to(self.config.stubs.helper_kept);
        self.asm.jmp(s.back);
    }
}
