//! The x87's stack, status and exceptions (SDM vol. 1, chapter 8), as helpers see them.

use crate::core::{Core, Raised};
use crate::softfloat::x80::{X80, X87};
use crate::softfloat::{Flags, Relation};
use crate::x86::emit::fault;
use crate::x86::insn::seg;
use crate::x86::{X64, state};

/// Status: invalid operation.
pub const IE: u16 = 1 << 0;
/// Status: stack fault.
pub const SF: u16 = 1 << 6;
/// Status: an exception is not masked.
pub const ES: u16 = 1 << 7;
/// Status: condition codes.
pub const C0: u16 = 1 << 8;
/// Status: rounded up, or a stack overflow.
pub const C1: u16 = 1 << 9;
/// Status: incomplete, unordered.
pub const C2: u16 = 1 << 10;
/// Status: condition code.
pub const C3: u16 = 1 << 14;
/// Status: busy, which follows ES.
pub const B: u16 = 1 << 15;
/// Exception flags of the status, and masks of the control word.
pub const EXCEPTIONS: u16 = 0x3F;
/// The control word after FNINIT.
pub const FCW_INIT: u16 = 0x37F;

/// Whether a result may be delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Response {
    /// yes
    Deliver,
    /// no: an invalid operation, a denormal operand or a division by zero is not masked
    Withhold,
}

/// x87 instructions on a core.
pub trait Fpu {
    /// TOP.
    fn top(&self) -> u8;
    /// Sets TOP.
    fn set_top(&mut self, top: u8);
    /// ST(i), whatever its tag.
    fn st(&self, i: u8) -> X80;
    /// Writes ST(i) and its tag.
    fn set_st(&mut self, i: u8, x: X80);
    /// Whether ST(i) is empty.
    fn is_empty(&self, i: u8) -> bool;
    /// Empties ST(i).
    fn free(&mut self, i: u8);
    /// Pops.
    fn pop(&mut self);
    /// Pushes onto a stack with room.
    fn push_value(&mut self, x: X80);
    /// An operation's environment by the control word.
    fn environment(&self) -> X87;
    /// Sets the condition codes in `mask`.
    fn codes(&mut self, mask: u16, codes: u16);
    /// Records what an operation reported, C1 included.
    fn report(&mut self, env: &X87) -> Response;
    /// [`Fpu::report`] for a result that goes to memory, which an unmasked overflow or underflow keeps away.
    fn report_store(&mut self, env: &X87) -> Response;
    /// Records a stack fault; C1 says that it is an overflow.
    fn stack_fault(&mut self, overflow: bool) -> Response;
    /// Brings ES and B in line with flags and masks.
    fn summarise(&mut self);
    /// Raises what is pending, as waiting instructions do.
    ///
    /// # Errors
    /// With #MF.
    fn wait(&mut self) -> Result<(), Raised>;
    /// Sets the condition codes of a comparison.
    fn relation(&mut self, r: Relation);
    /// Records where the instruction and its operand are.
    fn pointers(&mut self, opcode: u16, operand: Option<(u8, u64)>);
}

impl Fpu for Core<X64> {
    fn top(&self) -> u8 {
        (self.reg(state::FSW) >> 11 & 7) as u8
    }
    fn set_top(&mut self, top: u8) {
        let rest = self.reg(state::FSW) & !(7 << 11);
        self.set(state::FSW, rest | (top as u16 & 7) << 11);
    }
    fn st(&self, i: u8) -> X80 {
        let x = self.reg(state::fpr(self.top().wrapping_add(i) & 7));
        X80 { head: (x >> 64) as u16, sig: x as u64 }
    }
    fn set_st(&mut self, i: u8, x: X80) {
        let n = self.top().wrapping_add(i) & 7;
        self.set(state::fpr(n), (x.head as u128) << 64 | x.sig as u128);
        let tags = self.reg(state::FTW) | 1 << n;
        self.set(state::FTW, tags);
    }
    fn is_empty(&self, i: u8) -> bool {
        self.reg(state::FTW) >> (self.top().wrapping_add(i) & 7) & 1 == 0
    }
    fn free(&mut self, i: u8) {
        let tags = self.reg(state::FTW) & !(1 << (self.top().wrapping_add(i) & 7));
        self.set(state::FTW, tags);
    }
    fn pop(&mut self) {
        self.free(0);
        let top = self.top().wrapping_add(1);
        self.set_top(top);
    }
    fn push_value(&mut self, x: X80) {
        let top = self.top().wrapping_sub(1);
        self.set_top(top);
        self.set_st(0, x);
    }
    fn environment(&self) -> X87 {
        X87::from_control(self.reg(state::FCW))
    }
    fn codes(&mut self, mask: u16, codes: u16) {
        let rest = self.reg(state::FSW) & !mask;
        self.set(state::FSW, rest | codes & mask);
    }
    fn report(&mut self, env: &X87) -> Response {
        let (all, fcw) = (env.flags.to_x86() as u16, self.reg(state::FCW));
        // What is found before there is a result, and not masked, leaves nothing to round.
        let withheld = all & !fcw & 7 != 0;
        let flags = if withheld { all & 7 } else { all };
        let up = env.rounded_up && !withheld;
        let fsw = self.reg(state::FSW) & !C1 | flags | if up { C1 } else { 0 };
        self.set(state::FSW, fsw);
        self.summarise();
        if withheld { Response::Withhold } else { Response::Deliver }
    }
    fn report_store(&mut self, env: &X87) -> Response {
        const PE: u16 = 1 << 5;
        let open = env.flags.to_x86() as u16 & !self.reg(state::FCW);
        let before = self.reg(state::FSW);
        let response = self.report(env);
        if open & 0x18 == 0 || response == Response::Withhold {
            return response;
        }
        // Nothing is stored, and so nothing is inexact or rounded up.
        let fsw = self.reg(state::FSW) & !(PE | C1) | before & PE;
        self.set(state::FSW, fsw);
        self.summarise();
        Response::Withhold
    }
    fn stack_fault(&mut self, overflow: bool) -> Response {
        let fsw = self.reg(state::FSW) & !C1 | IE | SF | if overflow { C1 } else { 0 };
        self.set(state::FSW, fsw);
        self.summarise();
        if self.reg(state::FCW) & IE == 0 { Response::Withhold } else { Response::Deliver }
    }
    fn summarise(&mut self) {
        let (fsw, fcw) = (self.reg(state::FSW), self.reg(state::FCW));
        let open = fsw & !fcw & EXCEPTIONS != 0;
        self.set(state::FSW, if open { fsw | ES | B } else { fsw & !(ES | B) });
    }
    fn wait(&mut self) -> Result<(), Raised> {
        const NE: u64 = 1 << 5;
        if self.reg(state::FSW) & ES == 0 {
            return Ok(());
        }
        if self.reg(state::CR0) & NE != 0 {
            return Err(self.raise_now(fault::MF, 0));
        }
        // The old way: FERR# goes to the board, which interrupts.
        self.arch.platform.fpu_error(self.index);
        Ok(())
    }
    fn relation(&mut self, r: Relation) {
        let codes = match r {
            Relation::Greater => 0,
            Relation::Less => C0,
            Relation::Equal => C3,
            Relation::Unordered => C3 | C2 | C0,
        };
        self.codes(C3 | C2 | C0, codes);
    }
    fn pointers(&mut self, opcode: u16, operand: Option<(u8, u64)>) {
        let base = if crate::x86::mode::is_64(self.mode) { 0 } else { self.reg(state::base(seg::CS)) };
        let ip = self.pc().wrapping_sub(base);
        self.set(state::FIP, ip);
        self.set(state::FOP, opcode & 0x7FF);
        let cs = u32::from(self.reg(state::selector(seg::CS)));
        let old = self.reg(state::FCS_FDS);
        let ds = match operand {
            Some((s, offset)) => {
                self.set(state::FDP, offset);
                u32::from(self.reg(state::selector(s))) << 16
            }
            None => old & 0xFFFF_0000,
        };
        self.set(state::FCS_FDS, cs | ds);
    }
}

/// The environment with an invalid operation reported.
pub fn invalid(env: &mut X87) {
    env.flags.raise(Flags::INVALID);
}
