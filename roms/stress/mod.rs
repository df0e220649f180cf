//! The stress guest: bare-metal A64 for several processors, which work on the same memory at once and check that
//! nothing is lost, torn, seen too early or too late, or never heard of.
//!
//! Tests run one after another, on all processors at once, between barriers: the first processor prepares, all work,
//! the first one checks. Conventions: x25 holds the address of the shared data ([`vars::DATA`]), x26 the number of
//! processors, x27 this processor's number from 0, x28 the address of all memory; a test may change everything else.
//! A test that sees what must not be says so and ends the machine by semihosting with code 1; all rounds done, code 0.

pub mod barrier;
pub mod boot;
pub mod counters;
pub mod interrupts;
pub mod litmus;
pub mod locks;
pub mod monitor;
pub mod patch;
pub mod power;
pub mod stacks;
pub mod translation;
pub mod vars;

use super::demo::asm::{Ops, a64, load, reg, say};
use super::demo::{console, image};
use dynasmrt::{DynasmApi, DynasmLabelApi};
use std::error::Error;

/// One test. All parts are code that falls through; `work` runs on every processor.
pub struct Test {
    /// Its name in the report.
    pub name: &'static str,
    /// Whether it needs the instructions of FEAT_LSE.
    pub lse: bool,
    /// Puts the shared data into its first state; the data is zero before.
    pub prepare: fn(&mut Ops),
    /// The work. x20 holds how often to do it.
    pub work: fn(&mut Ops),
    /// Looks at what is left of the data; x20 as before.
    pub check: fn(&mut Ops),
}

/// Nothing to prepare or to check.
pub fn nothing(_: &mut Ops) {}

/// All tests, in their order.
pub fn tests() -> [Test; 20] {
    [
        counters::exclusive(),
        counters::atomic(),
        counters::extremes(),
        counters::mixed(),
        stacks::exclusive(),
        stacks::mixed(),
        stacks::tagged(),
        locks::ticket_exclusive(),
        locks::ticket_atomic(),
        locks::sequence(),
        litmus::message_passing(),
        litmus::store_buffering(),
        monitor::test(),
        patch::called(),
        patch::in_line(),
        patch::endless(),
        translation::test(),
        interrupts::ring(),
        interrupts::sleep(),
        power::test(),
    ]
}

/// The program as a Linux `Image`, with the parameters of [`vars::params`] behind its header.
pub fn assemble(tests: &[Test]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut ops = Ops::new(0);
    image::header(&mut ops);
    a64!(ops ; ->params: ; .bytes [0u8; vars::params::SIZE]);
    boot::emit(&mut ops);
    rounds(&mut ops, tests);
    end(&mut ops);
    barrier::emit(&mut ops);
    interrupts::emit(&mut ops);
    console::emit(&mut ops);
    image::end(&mut ops);
    Ok(ops.finalize()?)
}

/// Emits `->rounds`, which every processor runs, and which does not return.
fn rounds(ops: &mut Ops, tests: &[Test]) {
    a64!(ops ; ->rounds: ; ->round:);
    for (i, test) in tests.iter().enumerate() {
        one(ops, i as u32, test);
    }
    a64!(ops ; bl ->barrier ; cbnz x27, >others);
    a64!(ops
        ; ldr x0, [x28, vars::ROUND]
        ; add x0, x0, 1
        ; str x0, [x28, vars::ROUND]
    );
    say(ops, "round ");
    a64!(ops ; ldr x0, [x28, vars::ROUND] ; bl ->print_dec);
    say(ops, " done; stores seen late without a barrier ");
    a64!(ops ; ldr x0, [x28, vars::WEAK] ; bl ->print_dec);
    say(ops, "\n");
    a64!(ops
        ; adr x1, ->params
        ; ldr w2, [x1, vars::params::ROUNDS]
        ; ldr x0, [x28, vars::ROUND]
        ; cmp x0, x2
        ; b.hs >last
        ; ldr w2, [x1, vars::params::SECONDS]
        ; mrs x0, reg::CNTFRQ_EL0
        ; mul x2, x2, x0
        ; mrs x0, reg::CNTVCT_EL0
        ; cmp x0, x2
        ; b.lo >more
        ; last:
        ; mov x0, 1
        ; str x0, [x28, vars::OVER]
        ; more:
        ; others:
        ; bl ->barrier
        ; ldr x0, [x28, vars::OVER]
        ; cbnz x0, >over
        ; b ->round
        ; over:
        ; cbnz x27, >sleep
    );
    say(ops, "stress: all rounds passed\n");
    a64!(ops ; mov x0, 0 ; b ->exit ; sleep: ; wfi ; b <sleep);
}

fn one(ops: &mut Ops, number: u32, test: &Test) {
    a64!(ops
        ; bl ->barrier
        ; adr x1, ->params
        ; ldr w20, [x1, vars::params::TIMES]
        ; ldr w0, [x1, vars::params::SKIP]
        ; tbz w0, number, >wanted
        ; b >skip
        ; wanted:
    );
    if test.lse {
        a64!(ops ; ldr x0, [x28, vars::LSE] ; cbnz x0, >able ; b >skip ; able:);
    }
    a64!(ops ; mov x0, number as u64 ; str x0, [x28, vars::TEST] ; cbz x27, >prepare ; b >prepared ; prepare:);
    a64!(ops
        ; mov x0, x25
        ; add x1, x25, vars::DATA_SIZE >> 12, lsl 12
        ; clear:
        ; stp xzr, xzr, [x0], 16
        ; cmp x0, x1
        ; b.lo <clear
    );
    (test.prepare)(ops);
    a64!(ops ; prepared: ; bl ->barrier);
    (test.work)(ops);
    a64!(ops ; bl ->barrier ; cbz x27, >check ; b >skip ; check: ; adr x1, ->params ; ldr w20, [x1, vars::params::TIMES]);
    (test.check)(ops);
    say(ops, test.name);
    say(ops, " ok\n");
    a64!(ops ; skip:);
}

/// Goes on if x`a` and x`b` are the same; else says that `code` of this test failed.
pub fn expect(ops: &mut Ops, a: u8, b: u8, code: u32) {
    a64!(ops
        ; cmp X(a), X(b)
        ; b.eq >same
        ; mov x21, X(a)
        ; mov x22, X(b)
        ; mov x0, code as u64
        ; b ->fail
        ; same:
    );
}

/// x0 = number of processors times x20.
pub fn total(ops: &mut Ops) {
    a64!(ops ; mul x0, x20, x26);
}

/// Emits `->fail` (x0: what, x21 and x22: the two numbers) and `->exit` (x0: exit code).
fn end(ops: &mut Ops) {
    a64!(ops ; ->fail: ; mov x24, x0);
    say(ops, "stress: FAILED test ");
    a64!(ops ; ldr x0, [x28, vars::TEST] ; bl ->print_dec);
    say(ops, " check ");
    a64!(ops ; mov x0, x24 ; bl ->print_dec);
    say(ops, " on processor ");
    a64!(ops ; mov x0, x27 ; bl ->print_dec);
    say(ops, ": ");
    a64!(ops ; mov x0, x21 ; bl ->print_hex);
    say(ops, " against ");
    a64!(ops ; mov x0, x22 ; bl ->print_hex);
    say(ops, "\n");
    a64!(ops ; mov x0, 1 ; ->exit: ; sub sp, sp, 16);
    // ADP_Stopped_ApplicationExit (semihosting 2.0, SYS_EXIT).
    load(ops, 1, 0x20026);
    a64!(ops
        ; stp x1, x0, [sp]
        ; mov x1, sp
        ; mov x0, 0x18
        ; hlt 0xf000
        ; halt:
        ; wfi
        ; b <halt
    );
}
