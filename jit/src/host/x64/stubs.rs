//! The fixed routines that compiled code shares: entry and exit, and the ways into Rust.
//!
//! Slow paths save every general register but RAX to the engine's words, so that the engine can find pins there when
//! an access raises, and so that compiled code need not care.

use super::FRAME;
use super::asm::{Asm, BIAS, file};
use super::{x86_mxcsr, x87_live};
use crate::guest::Guest;
use crate::host::{Why, x64::asm::reg};
use crate::run;
use crate::words;
use dynasmrt::{DynasmApi, dynasm};

/// Bytes of stack for saving xmm registers around slow paths, after the spill slots.
const XMM_SAVE: i32 = 16 * 16;

/// Addresses of the routines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stubs {
    /// Enters compiled code: register file plus bias in RDI, code in RSI; gives a [`Why`].
    pub entry: u64,
    /// A load that missed.
    pub load: u64,
    /// The same, keeping XMM2 to XMM15.
    pub load_kept: u64,
    /// A store that missed.
    pub store: u64,
    /// The same, keeping XMM2 to XMM15.
    pub store_kept: u64,
    /// An atomic access that missed.
    pub atomic: u64,
    /// The same, keeping XMM2 to XMM15.
    pub atomic_kept: u64,
    /// A helper, its address in RAX.
    pub helper: u64,
    /// The same for one of the x87's, keeping XMM2 to XMM15; other registers are as they were.
    pub x87: u64,
    /// The same as `helper` for one that never looks at the x87.
    pub helper_live: u64,
    /// Moves the x87 to the register file.
    pub x87_park: u64,
    /// Moves the x87 to the host's; the host's flags say "not equal" if it is there.
    pub x87_take: u64,
    /// A vector operation, packed in RAX.
    pub vec: u64,
    /// The same, keeping XMM2 to XMM15.
    pub vec_kept: u64,
    /// The clock.
    pub clock: u64,
    /// An exception, in RAX; the state but the return word is in the register file.
    pub raise: u64,
    /// An instruction to interpret.
    pub interpret: u64,
    /// An unlinked jump.
    pub link: u64,
    /// Mode or translation may have changed; the PC slot says where to go on.
    pub resume: u64,
    /// An address, in RAX, that the first way of its set in the table, at RDX, does not know.
    pub miss: u64,
    /// Attention before going to RAX.
    pub poll: u64,
    /// No budget for the block at RAX.
    pub budget: u64,
    /// An invalidated region was entered.
    pub stale: u64,
}

const SAVED: [u8; 12] = [
    reg::RCX,
    reg::RDX,
    reg::RBX,
    reg::RSI,
    reg::RDI,
    reg::R8,
    reg::R9,
    reg::R10,
    reg::R11,
    reg::R12,
    reg::R13,
    reg::R14,
];

/// Those of them that functions may change.
const VOLATILE: [u8; 8] = [reg::RCX, reg::RDX, reg::RSI, reg::RDI, reg::R8, reg::R9, reg::R10, reg::R11];

struct Emit<'a> {
    asm: &'a mut Asm,
    base: u64,
    exit: u64,
    /// Where x86 guests have MXCSR, and the routine that moves it out of the host's.
    mxcsr: Option<(u16, u64)>,
    /// The routine that moves the x87 to the register file, if there is one.
    x87: Option<u64>,
}

impl Emit<'_> {
    fn here(&mut self) -> u64 {
        self.asm.align(16, 0x90);
        self.base + self.asm.len() as u64
    }

    fn save(&mut self) {
        for h in SAVED {
            self.asm.store(8, file(words::saved(h as u16).offset()), h);
        }
        self.asm.load(8, reg::RCX, super::asm::Mem { base: reg::RSP, index: None, disp: 0 });
        self.asm.store(8, file(words::RETURN.offset()), reg::RCX);
    }

    /// Moves the guest's MXCSR out of the host's, clobbering RCX.
    fn park(&mut self) {
        if let Some((_, park)) = self.mxcsr {
            self.asm.call_to(park);
        }
    }

    /// The same, for good.
    fn forget(&mut self) {
        if self.mxcsr.is_some() {
            self.park();
            x86_mxcsr::forget(self.asm);
        }
    }

    /// A routine that saves registers, calls `function(core, RAX)`, and leaves if that gives a reason to.
    fn call(&mut self, function: u64) -> u64 {
        self.calls(function, false, None)
    }

    /// The same, which keeps XMM2 to XMM15, too.
    fn keep(&mut self, function: u64) -> u64 {
        self.calls(function, true, None)
    }

    /// The same; it keeps XMM2 to XMM15 if `keep`, and calls `before`.
    fn calls(&mut self, function: u64, keep: bool, before: Option<u64>) -> u64 {
        let place = |x: u8| super::asm::Mem { base: reg::RSP, index: None, disp: 8 + FRAME + 16 * x as i32 };
        let kept = if keep { 2..16 } else { 0..0 };
        let at = self.here();
        self.save();
        for x in kept.clone() {
            self.asm.movups_store(place(x), x);
        }
        if let Some(before) = before {
            self.asm.call_to(before);
        }
        self.park();
        let mxcsr = self.mxcsr;
        let asm = &mut *self.asm;
        dynasm!(asm; .arch x64
            ; mov rsi, rax
            ; lea rdi, [rbp - BIAS]
            ; sub rsp, 8
            ; mov rax, QWORD function as i64
            ; call rax
            ; add rsp, 8
            ; test rax, rax
        );
        let leave = asm.label();
        asm.jcc(super::Cc::NE, leave);
        if let Some((mxcsr, _)) = mxcsr {
            x86_mxcsr::resume(asm, mxcsr);
        }
        for h in VOLATILE {
            asm.load(8, h, file(words::saved(h as u16).offset()));
        }
        for x in kept {
            asm.movups_load(x, place(x));
        }
        dynasm!(asm; .arch x64; ret);
        asm.bind(leave);
        dynasm!(asm; .arch x64; add rsp, 8);
        if mxcsr.is_some() {
            x86_mxcsr::forget(asm);
        }
        asm.jmp_to(self.exit);
        at
    }

    /// A routine that saves registers and leaves.
    fn site(&mut self, why: Why) -> u64 {
        let at = self.here();
        self.save();
        self.forget();
        let asm = &mut *self.asm;
        dynasm!(asm; .arch x64; add rsp, 8; mov eax, why as i32);
        asm.jmp_to(self.exit);
        at
    }

    /// A routine that sets the PC to RAX and leaves.
    fn place(&mut self, why: Why, pc: u16) -> u64 {
        let at = self.here();
        self.asm.store(8, file(pc), reg::RAX);
        self.forget();
        let asm = &mut *self.asm;
        dynasm!(asm; .arch x64; mov eax, why as i32);
        asm.jmp_to(self.exit);
        at
    }

    /// A routine that goes to the address RAX if the second way of the set at RDX knows it, else leaves.
    fn miss(&mut self, pc: u16) -> u64 {
        const SECOND: i32 = crate::table::SECOND_WAY as i32;
        let at = self.here();
        let leave = self.asm.label();
        let way = |disp| super::asm::Mem { base: reg::RDX, index: None, disp: SECOND + disp };
        self.asm.alu_mem(super::asm::Alu::Cmp, true, reg::RAX, way(0));
        self.asm.jcc(super::Cc::NE, leave);
        self.asm.load(8, reg::RDX, way(8));
        self.asm.alu_imm(super::asm::Alu::And, true, reg::RAX, -0x1000);
        self.asm.store(8, file(words::PAGE.offset()), reg::RAX);
        let asm = &mut *self.asm;
        dynasm!(asm; .arch x64; jmp rdx);
        asm.bind(leave);
        asm.store(8, file(pc), reg::RAX);
        self.forget();
        let asm = &mut *self.asm;
        dynasm!(asm; .arch x64; mov eax, Why::Dispatch as i32);
        asm.jmp_to(self.exit);
        at
    }

    /// A routine that goes to the code that `function(core, RAX)` gives, or leaves if that is 0, which is
    /// [`Why::Dispatch`]. `called` ones note where they were called.
    fn go(&mut self, function: u64, called: bool) -> u64 {
        let at = self.here();
        if called {
            dynasm!(self.asm; .arch x64; pop rcx);
            self.asm.store(8, file(words::RETURN.offset()), reg::RCX);
        }
        self.forget();
        let asm = &mut *self.asm;
        dynasm!(asm; .arch x64
            ; mov rsi, rax
            ; lea rdi, [rbp - BIAS]
            ; mov rax, QWORD function as i64
            ; call rax
            ; test rax, rax
        );
        let leave = asm.label();
        asm.jcc(super::Cc::E, leave);
        asm.load(8, reg::R15, file(words::BANK.offset()));
        dynasm!(asm; .arch x64; jmp rax);
        asm.bind(leave);
        asm.jmp_to(self.exit);
        at
    }
}

/// Emits the routines for guest `A` as code that will be at `base`.
pub fn emit<A: Guest>(asm: &mut Asm, base: u64) -> Stubs {
    const BELOW: i32 = FRAME + XMM_SAVE + 8;
    let mut e = Emit { asm, base, exit: 0, mxcsr: None, x87: None };
    let mut x87_take = 0;
    if A::X87 {
        e.x87 = Some(e.here());
        x87_live::park(e.asm);
        x87_take = e.here();
        x87_live::take(e.asm);
    }
    let x87 = e.x87;
    let exit = e.here();
    if let Some(park) = x87 {
        e.asm.call_to(park);
    }
    let asm = &mut *e.asm;
    dynasm!(asm; .arch x64
        ; add rsp, BELOW
        ; pop r15
        ; pop r14
        ; pop r13
        ; pop r12
        ; pop rbp
        ; pop rbx
        ; ret
    );
    e.exit = exit;
    if let Some(slot) = A::MXCSR {
        let park = e.here();
        x86_mxcsr::park(e.asm, A::FP_STATUS.offset(), slot.offset());
        e.mxcsr = Some((slot.offset(), park));
    }
    let entry = e.here();
    let asm = &mut *e.asm;
    dynasm!(asm; .arch x64
        ; push rbx
        ; push rbp
        ; push r12
        ; push r13
        ; push r14
        ; push r15
        ; sub rsp, BELOW
        ; mov rbp, rdi
    );
    asm.load(8, reg::R15, file(words::BANK.offset()));
    dynasm!(asm; .arch x64; jmp rsi);
    let pc = A::PC.offset();
    Stubs {
        entry,
        load: e.call(run::load::<A> as *const () as u64),
        load_kept: e.keep(run::load::<A> as *const () as u64),
        store: e.call(run::store::<A> as *const () as u64),
        store_kept: e.keep(run::store::<A> as *const () as u64),
        atomic: e.call(run::atomic::<A> as *const () as u64),
        atomic_kept: e.keep(run::atomic::<A> as *const () as u64),
        helper: e.calls(run::helper::<A> as *const () as u64, false, x87),
        x87: e.calls(run::x87::<A> as *const () as u64, true, x87),
        helper_live: e.call(run::helper::<A> as *const () as u64),
        x87_park: x87.unwrap_or(0),
        x87_take,
        vec: e.call(run::vec::<A> as *const () as u64),
        vec_kept: e.keep(run::vec::<A> as *const () as u64),
        clock: e.call(run::clock::<A> as *const () as u64),
        raise: e.go(run::raise::<A> as *const () as u64, true),
        interpret: e.site(Why::Interpret),
        link: e.site(Why::Link),
        stale: e.site(Why::Stale),
        resume: e.go(run::resume::<A> as *const () as u64, false),
        miss: e.miss(pc),
        poll: e.place(Why::Poll, pc),
        budget: e.place(Why::Budget, pc),
    }
}
