//! The interrupt descriptor table: interrupts, expected faults, and the end for everything else.
//!
//! Source: SDM volume 3, 6.10 to 6.14.

use crate::console::say;
use crate::{apic, pic, power, timer};
use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What `vectors.s` leaves on the stack, from the lowest address.
#[repr(C)]
pub struct Frame {
    r15_to_r12: [u64; 4],
    r11: u64,
    r10_to_rax: [u64; 10],
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// What is known of a fault.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Exception vector.
    pub vector: u64,
    /// Error code; 0 for exceptions without one.
    pub error: u64,
    /// Linear address, of page faults.
    pub cr2: u64,
    /// Where it happened.
    pub rip: u64,
}

#[repr(C, align(16))]
struct Table(UnsafeCell<[[u64; 2]; 256]>);
// SAFETY: written once by `start`, on the only processor, before interrupts are allowed.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([[0; 2]; 256]));
static EXPECTED: AtomicBool = AtomicBool::new(false);
static CAUGHT: AtomicBool = AtomicBool::new(false);
static FAULT: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

unsafe extern "C" {
    static vector_stubs: [[u8; 16]; 256];
}

/// Fills the table and loads it.
pub fn start() {
    // SAFETY: the address of code that the assembler laid down.
    let stubs = (&raw const vector_stubs).addr() as u64;
    for vector in 0..256 {
        let stub = stubs + 16 * vector as u64;
        let low = stub & 0xffff | 8 << 16 | 0x8e00 << 32 | (stub >> 16 & 0xffff) << 48;
        // SAFETY: nobody else touches the table, see `Table`.
        unsafe { (*TABLE.0.get())[vector] = [low, stub >> 32] };
    }
    let mut pointer = [0_u8; 10];
    pointer[..2].copy_from_slice(&0xfff_u16.to_le_bytes());
    pointer[2..].copy_from_slice(&(TABLE.0.get().addr() as u64).to_le_bytes());
    // SAFETY: the table is full and lives for ever.
    unsafe { asm!("lidt [{}]", in(reg) pointer.as_ptr(), options(nostack, readonly)) };
}

/// Lets interrupts in.
pub fn allow() {
    // SAFETY: the table is loaded.
    unsafe { asm!("sti", options(nostack)) };
}

/// Keeps interrupts out.
pub fn mask() {
    // SAFETY: has no other effect.
    unsafe { asm!("cli", options(nostack)) };
}

/// Sleeps until an interrupt came. Call it with interrupts masked: none can come between the look and the sleep.
pub fn sleep() {
    // SAFETY: the table is loaded.
    unsafe { asm!("sti", "hlt", options(nostack)) };
}

/// Shuts the processor down by a triple fault.
pub fn shut_down() -> ! {
    let pointer = [0_u8; 10];
    // SAFETY: nothing comes after it.
    unsafe { asm!("lidt [{}]", "int3", in(reg) pointer.as_ptr(), options(noreturn)) }
}

/// The next fault goes on at the address in r11 instead of ending the program.
pub fn expect() {
    CAUGHT.store(false, Relaxed);
    EXPECTED.store(true, Relaxed);
}

/// The expected fault, if it came; none is expected any more.
pub fn caught() -> Option<Fault> {
    EXPECTED.store(false, Relaxed);
    let [vector, error, cr2, rip] = FAULT.each_ref().map(|value| value.load(Relaxed));
    CAUGHT.load(Relaxed).then_some(Fault { vector, error, cr2, rip })
}

/// The last fault that came and was expected.
pub fn last() -> Fault {
    let [vector, error, cr2, rip] = FAULT.each_ref().map(|value| value.load(Relaxed));
    Fault { vector, error, cr2, rip }
}

/// Every vector comes here.
#[unsafe(no_mangle)]
extern "C" fn vector_taken(frame: &mut Frame) {
    let vector = frame.vector as u8;
    match vector {
        0..32 => fault(frame),
        pic::BASE..0x30 => {
            let line = vector - pic::BASE;
            if line == 0 {
                timer::interrupt();
            }
            pic::end(line);
        }
        apic::TIMER_VECTOR => {
            timer::interrupt();
            apic::end();
        }
        apic::SPURIOUS_VECTOR => {}
        _ => unexpected(&Fault { vector: frame.vector, error: 0, cr2: 0, rip: frame.rip }),
    }
}

fn fault(frame: &mut Frame) {
    let cr2: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr2", out(reg) cr2, options(nomem, nostack)) };
    let fault = Fault { vector: frame.vector, error: frame.error, cr2, rip: frame.rip };
    if !EXPECTED.swap(false, Relaxed) {
        unexpected(&fault);
    }
    for (slot, value) in FAULT.iter().zip([fault.vector, fault.error, fault.cr2, fault.rip]) {
        slot.store(value, Relaxed);
    }
    CAUGHT.store(true, Relaxed);
    frame.rip = frame.r11;
}

fn unexpected(fault: &Fault) -> ! {
    let Fault { vector, error, cr2, rip } = fault;
    say!(
        "\nAn exception that nobody expected: vector {vector}, error {error:x}, CR2 {cr2:x}, RIP {rip:x}. Powering off.\n"
    );
    power::off()
}
