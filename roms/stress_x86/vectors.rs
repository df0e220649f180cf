//! The interrupt descriptor table, which all processors share, and what tests do in their handlers.

use crate::console::say;
use crate::{apic, interrupts, shared, translation};
use core::arch::asm;
use core::cell::UnsafeCell;

/// Numbers of interrupts.
pub const RING_VECTOR: u8 = 0x40;
pub const CALL_VECTOR: u8 = 0x41;
pub const WAKE_VECTOR: u8 = 0x42;
pub const SHOOTDOWN_VECTOR: u8 = 0x43;
pub const TICK_VECTOR: u8 = 0x44;
pub const SPURIOUS_VECTOR: u8 = 0xFF;
const NMI: u8 = 2;

/// What `vectors.s` leaves on the stack, from the lowest address.
#[repr(C)]
pub struct Frame {
    registers: [u64; 15],
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

#[repr(C, align(16))]
struct Table(UnsafeCell<[[u64; 2]; 256]>);
// SAFETY: written once by `start`, before other processors run.
unsafe impl Sync for Table {}

static TABLE: Table = Table(UnsafeCell::new([[0; 2]; 256]));

unsafe extern "C" {
    static vector_stubs: [[u8; 16]; 256];
}

/// Fills the table.
pub fn start() {
    // SAFETY: the address of code that the assembler laid down.
    let stubs = (&raw const vector_stubs).addr() as u64;
    for vector in 0..256 {
        let stub = stubs + 16 * vector as u64;
        let low = stub & 0xffff | 8 << 16 | 0x8e00 << 32 | (stub >> 16 & 0xffff) << 48;
        // SAFETY: nobody else touches the table, see `Table`.
        unsafe { (*TABLE.0.get())[vector] = [low, stub >> 32] };
    }
    load();
}

/// Loads it.
pub fn load() {
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

/// Sleeps for a tick, if interrupts are allowed.
pub fn doze() {
    let flags: u64;
    // SAFETY: reads the flags.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags) };
    if flags & 1 << 9 != 0 {
        mask();
        apic::tick();
        sleep();
    }
}

/// Every vector comes here.
#[unsafe(no_mangle)]
extern "C" fn vector_taken(frame: &mut Frame) {
    let Frame { vector, error, rip, .. } = *frame;
    match vector as u8 {
        NMI => return interrupts::nmi(),
        RING_VECTOR => interrupts::ring(),
        CALL_VECTOR => interrupts::called(),
        WAKE_VECTOR | TICK_VECTOR => {}
        SHOOTDOWN_VECTOR => translation::shot(),
        SPURIOUS_VECTOR => return,
        _ => {
            let cr2: u64;
            // SAFETY: reads a register.
            unsafe { asm!("mov {}, cr2", out(reg) cr2, options(nomem, nostack)) };
            say!("stress: FAILED by vector {vector}, error {error:x}, CR2 {cr2:x}, RIP {rip:x}\n");
            shared::reset()
        }
    }
    apic::end();
}
