//! A page whose translation the first processor changes, telling the others by interrupts, while they load and store
//! through it (SDM volume 3, 5.10.5).

use crate::shared::{Cpu, address, until, word};
use crate::vectors::SHOOTDOWN_VECTOR;
use crate::{Test, apic, fail, nothing, vectors};
use core::arch::asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::*};

/// The first of GiB 100 is mapped to one page or the other.
const WINDOW: u64 = 100 << 30;
const PRESENT_WRITABLE: u64 = 3;
/// What a page holds that nobody may see any more.
const POISON: u64 = u64::MAX;

#[repr(C, align(4096))]
struct Tables(UnsafeCell<[[u64; 512]; 2]>);
// SAFETY: written by the first processor only; others read them through translation.
unsafe impl Sync for Tables {}
static TABLES: Tables = Tables(UnsafeCell::new([[0; 512]; 2]));

/// The two pages in the data, by their first word.
const PAGES: [usize; 2] = [1024, 2048];
/// Words of the data: the change's number, how many have heard of it, that it is over.
const CHANGE: usize = 0;
const HEARD: usize = 8;
const OVER: usize = 16;

/// One processor changes, the others look.
pub const TEST: Test = Test { least: 2, prepare, work, check: nothing };

/// Maps the window to a page.
fn map(page: u64) {
    // SAFETY: nobody else writes to the tables.
    unsafe { (&raw mut (*TABLES.0.get())[1][0]).write_volatile(page | PRESENT_WRITABLE) };
}

fn prepare(_: &Cpu) {
    let root: u64;
    // SAFETY: reads a register; the tables are where the entry code has put them, mapped as they are.
    unsafe {
        asm!("mov {}, cr3", out(reg) root, options(nomem, nostack));
        let at = TABLES.0.get().addr() as u64;
        let pointers = *core::ptr::with_exposed_provenance::<u64>(root as usize) & !0xFFF;
        core::ptr::with_exposed_provenance_mut::<u64>((pointers + 8 * (WINDOW >> 30)) as usize)
            .write_volatile(at | PRESENT_WRITABLE);
        (&raw mut (*TABLES.0.get())[0][0]).write_volatile((at + 4096) | PRESENT_WRITABLE);
    }
    map(address(PAGES[0]));
    forget();
}

/// INVLPG of the window.
fn forget() {
    // SAFETY: changes no memory.
    unsafe { asm!("invlpg [{}]", in(reg) WINDOW, options(nostack, preserves_flags)) };
}

/// The interrupt.
pub fn shot() {
    forget();
    word(HEARD).fetch_add(1, SeqCst);
}

/// Word `n` of the window.
fn window(n: u64) -> &'static AtomicU64 {
    // SAFETY: mapped to one of two pages of atomics for ever.
    unsafe { AtomicU64::from_ptr(core::ptr::with_exposed_provenance_mut((WINDOW + 8 * n) as usize)) }
}

fn work(cpu: &Cpu) {
    if cpu.number != 0 {
        return look(cpu);
    }
    let mut left: [u64; 8] = [0; 8];
    let times = cpu.times / 16 + 2;
    for i in 1..=times {
        let [old, new] = [PAGES[1 - i as usize % 2], PAGES[i as usize % 2]];
        // What was stored through the window stays where it was.
        for (n, left) in left.iter().enumerate().take(cpu.all as usize).skip(1) {
            let seen = word(new + 8 + n).load(Relaxed);
            if i > 2 && seen != *left {
                fail(cpu, 1, seen, *left);
            }
        }
        word(new).store(i, SeqCst);
        map(address(new));
        forget();
        vectors::mask();
        apic::send_others(apic::FIXED | u32::from(SHOOTDOWN_VECTOR));
        vectors::allow();
        until(|| word(HEARD).load(SeqCst) == i * (cpu.all - 1));
        word(old).store(POISON, SeqCst);
        for (n, left) in left.iter_mut().enumerate().skip(1) {
            *left = word(old + 8 + n).load(Relaxed);
        }
        word(CHANGE).store(i, SeqCst);
    }
    word(OVER).store(1, SeqCst);
}

fn look(cpu: &Cpu) {
    let mut stored = 0;
    while word(OVER).load(SeqCst) == 0 {
        let least = word(CHANGE).load(SeqCst);
        let seen = window(0).load(SeqCst);
        if seen == POISON || seen < least {
            fail(cpu, 11, seen, least);
        }
        stored += 1;
        window(8 + cpu.number).store(stored, Relaxed);
    }
}
