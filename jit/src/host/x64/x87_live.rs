//! The guest's x87 in the host's.
//!
//! While the word [`words::X87_LIVE`] is 1, the host's x87 holds the guest's data registers, tags, status and control, and
//! those of the register file but the control word are stale. The first x87 instruction that finds it 0 moves them there
//! (`take`), if the guest masks all exceptions. Rust code does not use the x87: it stays there until compiled code
//! is left, or something is called or done that looks at the register file (`park`). Where the last instruction
//! and its operand were is always in the register file.
//!
//! A region of MMX instructions, which use the data registers in the register file, parks at its entry, and leaves x87
//! instructions to their helpers.

use super::Lower;
use super::asm::{Alu, Asm, Cc, Mem, Shift, file, reg};
use crate::ir::{Inst, Op, Val};
use crate::words;
use dynasmrt::{DynasmApi, dynasm};
use lyrebird_cpu::x86::state;

/// Exception masks of the control word.
pub(super) const MASKS: i32 = 0x3F;
/// Precision control.
pub(super) const PRECISION: i32 = 0x300;
/// The value of it that means nothing.
pub(super) const NO_PRECISION: i32 = 0x100;
/// Status: an exception is pending.
const ES: i32 = 0x80;
/// Bytes that FRSTOR loads.
const FRSTOR: i32 = 108;
/// Bytes that FXSAVE stores.
const FXSAVE: i32 = 512;

pub(super) fn live() -> Mem {
    file(words::X87_LIVE.offset())
}

fn fsw() -> Mem {
    file(state::FSW.offset())
}

fn ftw() -> Mem {
    file(state::FTW.offset())
}

/// Where the data register whose number times 16 is in `t` is in the register file.
fn data(t: u8, disp: i32) -> Mem {
    let first = file(state::fpr(0).offset());
    Mem { index: Some(t), disp: first.disp + disp, ..first }
}

fn stack(disp: i32) -> Mem {
    Mem { base: reg::RSP, index: None, disp }
}

/// RAX = the number of the register on top, from the status in it, times 16.
fn top(asm: &mut Asm, t: u8) {
    asm.shift_imm(Shift::Shr, false, t, 11);
    asm.alu_imm(Alu::And, false, t, 7);
    asm.shift_imm(Shift::Shl, false, t, 4);
}

/// The next register's number times 16.
fn next(asm: &mut Asm, t: u8) {
    asm.alu_imm(Alu::Add, false, t, 16);
    asm.alu_imm(Alu::And, false, t, 0x70);
}

/// A routine that moves the x87 to the register file if it is in the host's; all registers stay.
pub(super) fn park(asm: &mut Asm) {
    let over = asm.label();
    asm.test_mem_imm(live(), 1);
    asm.jcc(Cc::E, over);
    dynasm!(asm; .arch x64
        ; push rax
        ; push rcx
        ; push rdx
        ; mov rcx, rsp
        ; sub rsp, FXSAVE
        ; and rsp, -16
    );
    // FXSAVE [RSP], FNINIT
    asm.extend([0x0F, 0xAE, 0x04, 0x24, 0xDB, 0xE3]);
    asm.mov_mem_imm(false, live(), 0);
    asm.load(1, reg::RDX, stack(4));
    asm.store(2, ftw(), reg::RDX);
    asm.load(2, reg::RAX, stack(2));
    asm.store(2, fsw(), reg::RAX);
    top(asm, reg::RAX);
    for i in 0..8 {
        asm.load(8, reg::RDX, stack(32 + 16 * i));
        asm.store(8, data(reg::RAX, 0), reg::RDX);
        asm.load(2, reg::RDX, stack(40 + 16 * i));
        asm.store(8, data(reg::RAX, 8), reg::RDX);
        next(asm, reg::RAX);
    }
    dynasm!(asm; .arch x64
        ; mov rsp, rcx
        ; pop rdx
        ; pop rcx
        ; pop rax
    );
    asm.bind(over);
    dynasm!(asm; .arch x64; ret);
}

/// A routine that moves the x87 from the register file to the host's; the host's flags say "not equal" if it is there
/// now. All registers stay.
pub(super) fn take(asm: &mut Asm) {
    let over = asm.label();
    dynasm!(asm; .arch x64
        ; push rax
        ; push rcx
        ; push rdx
    );
    asm.load(2, reg::RAX, file(state::FCW.offset()));
    asm.mov(false, reg::RCX, reg::RAX);
    asm.not(false, reg::RCX);
    asm.test_imm(false, reg::RCX, MASKS);
    asm.jcc(Cc::NE, over);
    asm.mov(false, reg::RCX, reg::RAX);
    asm.alu_imm(Alu::And, false, reg::RCX, PRECISION);
    asm.alu_imm(Alu::Cmp, false, reg::RCX, NO_PRECISION);
    asm.jcc(Cc::E, over);
    asm.load(2, reg::RCX, fsw());
    asm.test_imm(false, reg::RCX, ES);
    asm.jcc(Cc::NE, over);
    dynasm!(asm; .arch x64; sub rsp, FRSTOR + 4);
    asm.store(4, stack(0), reg::RAX);
    asm.store(4, stack(4), reg::RCX);
    // Two ones for each empty register.
    asm.load(1, reg::RAX, ftw());
    asm.alu_imm(Alu::Xor, false, reg::RAX, 0xFF);
    for (by, keep) in [(4, 0x0F0F), (2, 0x3333), (1, 0x5555)] {
        asm.mov(false, reg::RDX, reg::RAX);
        asm.shift_imm(Shift::Shl, false, reg::RDX, by);
        asm.alu(Alu::Or, false, reg::RAX, reg::RDX);
        asm.alu_imm(Alu::And, false, reg::RAX, keep);
    }
    asm.mov(false, reg::RDX, reg::RAX);
    asm.alu(Alu::Add, false, reg::RAX, reg::RDX);
    asm.alu(Alu::Add, false, reg::RAX, reg::RDX);
    asm.store(4, stack(8), reg::RAX);
    asm.mov_mem_imm(true, stack(12), 0);
    asm.mov_mem_imm(true, stack(20), 0);
    top(asm, reg::RCX);
    for i in 0..8 {
        asm.load(8, reg::RAX, data(reg::RCX, 0));
        asm.store(8, stack(28 + 10 * i), reg::RAX);
        asm.load(2, reg::RAX, data(reg::RCX, 8));
        asm.store(2, stack(36 + 10 * i), reg::RAX);
        next(asm, reg::RCX);
    }
    // FRSTOR [RSP]
    asm.extend([0xDD, 0x24, 0x24]);
    dynasm!(asm; .arch x64; add rsp, FRSTOR + 4);
    asm.mov_mem_imm(false, live(), 1);
    asm.bind(over);
    dynasm!(asm; .arch x64
        ; pop rdx
        ; pop rcx
        ; pop rax
    );
    asm.test_mem_imm(live(), 1);
    dynasm!(asm; .arch x64; ret);
}

/// What the block has done about the places of the last instruction and its operand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pointers {
    /// Byte of the page and opcode of the last instruction, if the register file does not know yet.
    pub last: Option<(u32, u16)>,
    /// The code segment's selector was stored.
    pub code: bool,
    /// The data segment whose selector was stored.
    pub data: Option<u8>,
}

/// Where the register file has the places of the last instruction and its operand.
const POINTERS: std::ops::Range<u64> = state::FOP.offset() as u64..state::FCS_FDS.offset() as u64 + 8;
/// Those of segment selectors.
const SELECTORS: std::ops::Range<u64> =
    state::selector(0).offset() as u64..state::selector(7).offset() as u64 + 8;

impl Lower {
    /// At a region's entry: parks, if the region needs the register file's.
    pub(super) fn x87_entry(&mut self) {
        let data = state::fpr(0).offset() as u64..state::FCW.offset() as u64;
        let [fcw, fsw, ftw] = [state::FCW, state::FSW, state::FTW].map(|s| s.offset() as u64);
        let direct = |i: &Inst| match i.op {
            Op::Get => data.contains(&i.imm) || i.imm == ftw,
            Op::Put => data.contains(&i.imm) || [fcw, fsw, ftw].contains(&i.imm),
            _ => false,
        };
        self.x87_parked = self.config.has_x87 && self.code.iter().any(direct);
        if self.x87_parked {
            self.asm.call_to(self.config.stubs.x87_park);
        }
    }

    /// Before a slot is read or written: brings the register file up to date. True if the value of `Get` number `i` is made.
    pub(super) fn x87_slot(&mut self, i: Option<Val>, offset: u64) -> bool {
        if !self.config.has_x87 {
            return false;
        }
        if SELECTORS.contains(&offset) && i.is_none() {
            (self.x87.code, self.x87.data) = (false, None);
        }
        if POINTERS.contains(&offset) {
            self.x87_point();
        }
        match i {
            Some(i) if offset == state::FSW.offset() as u64 && !self.x87_parked => {
                self.clobber();
                let over = self.asm.label();
                self.asm.load(2, reg::RAX, fsw());
                self.asm.test_mem_imm(live(), 1);
                self.asm.jcc(Cc::E, over);
                // FNSTSW AX
                self.asm.extend([0xDF, 0xE0]);
                self.asm.bind(over);
                let d = self.def(i, None);
                self.asm.mov(false, d, reg::RAX);
                true
            }
            _ => false,
        }
    }

    /// Stores what the register file does not know of the last instruction; the host's flags stay, RAX changes.
    pub(super) fn x87_point(&mut self) {
        if let Some(last) = self.x87.last.take() {
            self.x87_point_at(last);
        }
    }

    /// The same for a given instruction.
    pub(super) fn x87_point_at(&mut self, (at, opcode): (u32, u16)) {
        self.asm.load(8, reg::RAX, file(words::PAGE.offset()));
        if at != 0 {
            self.asm.lea(true, reg::RAX, Mem { base: reg::RAX, index: None, disp: at as i32 });
        }
        self.asm.store(8, file(state::FIP.offset()), reg::RAX);
        self.asm.mov_mem_imm(false, file(state::FOP.offset()), opcode as i32);
    }
}
