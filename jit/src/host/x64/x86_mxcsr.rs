//! The guest's MXCSR in the host's, for x86 guests.
//!
//! Regions with floating point see to it at their entry that the host's MXCSR holds the guest's control bits; the word
//! [`words::MXCSR_LIVE`] says that it does. From then on the guest's exception flags are those of the status slot and
//! those of the host together. Whatever calls Rust moves the host's flags to the slot before (`park`) and gives Rust its
//! own control; the flags that Rust's arithmetic leaves are dropped when the guest's control comes back. All exceptions
//! are masked while it lasts: modes that unmask one leave floating point to the evaluator.

use super::asm::{Alu, Asm, Cc, file, reg};
use super::{Cold, Lower};
use crate::ir::{NONE, Op, VecForm};
use crate::words;
use dynasmrt::{DynasmApi, dynasm};

/// MXCSR as Rust expects it: all exceptions masked and none seen, to nearest.
pub(super) const CLEAN: u32 = 0x1F80;
/// MXCSR's exception flags.
const FLAGS: i32 = 0x3F;

/// Moves the host's flags to the status slot and leaves the flags in the host's; RCX and host flags are clobbered.
fn collect(asm: &mut Asm, status: u16, scratch: u8) {
    let seen = file(words::SCRATCH2.offset());
    asm.store_mxcsr(seen);
    asm.load(4, scratch, seen);
    asm.alu_imm(Alu::And, false, scratch, FLAGS);
    asm.alu_store(Alu::Or, file(status), scratch);
}

/// Before Rust is called: the routine's code, which clobbers RCX. `clean` is where [`CLEAN`] is.
pub(super) fn park(asm: &mut Asm, status: u16, mxcsr: u16) {
    let (over, clean) = (asm.label(), asm.label());
    asm.test_mem_imm(file(words::MXCSR_LIVE.offset()), 1);
    asm.jcc(Cc::E, over);
    collect(asm, status, reg::RCX);
    asm.alu_mem_imm(Alu::Cmp, false, file(mxcsr), CLEAN as i32);
    asm.jcc(Cc::E, over);
    asm.load_mxcsr(clean);
    asm.bind(over);
    dynasm!(asm; .arch x64; ret);
    asm.align(16, 0x90);
    asm.bind(clean);
    asm.data(CLEAN as u128);
}

/// After Rust was called: the guest's control again, if it was there before.
pub(super) fn resume(asm: &mut Asm, mxcsr: u16) {
    let over = asm.label();
    asm.test_mem_imm(file(words::MXCSR_LIVE.offset()), 1);
    asm.jcc(Cc::E, over);
    asm.load_mxcsr_mem(file(mxcsr));
    asm.bind(over);
}

/// The guest's control is gone, its flags being in the status slot.
pub(super) fn forget(asm: &mut Asm) {
    asm.mov_mem_imm(false, file(words::MXCSR_LIVE.offset()), 0);
}

impl Lower {
    /// At a region's entry: the guest's MXCSR, if the region needs it.
    pub(super) fn mxcsr_entry(&mut self) {
        let status = self.config.status as u64;
        let needs = |i: &crate::ir::Inst| match i.op {
            Op::Get => i.imm == status,
            Op::Vec => VecForm::unpack(i.imm).is_some_and(|form| self.x86_status(form)),
            _ => false,
        };
        if !self.x86_floats() || !self.code.iter().any(needs) {
            return;
        }
        let (from, back) = (self.asm.label(), self.asm.label());
        self.asm.test_mem_imm(file(words::MXCSR_LIVE.offset()), 1);
        self.asm.jcc(Cc::E, from);
        self.asm.bind(back);
        self.colds.push(Cold::Mxcsr { from, back });
    }

    /// The way round of [`Lower::mxcsr_entry`].
    pub(super) fn mxcsr_take(&mut self, back: super::Label) {
        let Some(mxcsr) = self.config.mxcsr else { return };
        self.asm.load_mxcsr_mem(file(mxcsr));
        self.asm.mov_mem_imm(false, file(words::MXCSR_LIVE.offset()), 1);
        self.asm.jmp(back);
    }

    /// Brings the status slot up to date.
    pub(super) fn mxcsr_flags(&mut self) {
        self.clobber();
        self.evacuate_home(self.config.status, 4, NONE);
        self.unlock();
        collect(&mut self.asm, self.config.status, reg::RAX);
    }
}
