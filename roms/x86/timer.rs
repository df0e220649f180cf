//! Time: the time-stamp counter's rate, and the command that shows ticks.

use crate::console::say;
use crate::{apic, pic, pit, text, vectors};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Interrupts taken from the timer that ticks.
static TICKS: AtomicU64 = AtomicU64::new(0);
/// The time-stamp counter's rate in Hz.
static RATE: AtomicU64 = AtomicU64::new(1_000_000_000);

/// PIT counts in the interval that clocks are measured over: 20 ms.
pub const INTERVAL: u16 = (pit::FREQUENCY / 50) as u16;

/// The time-stamp counter.
pub fn now() -> u64 {
    // SAFETY: every x86-64 has it, and nothing here forbids reading it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// The time-stamp counter's rate in Hz.
pub fn rate() -> u64 {
    RATE.load(Relaxed)
}

/// Measures the time-stamp counter.
pub fn start() {
    if let Some(counts) = pit::measure(INTERVAL, now) {
        RATE.store((counts * 50).max(1000), Relaxed);
    }
}

/// The interrupt.
pub fn interrupt() {
    TICKS.fetch_add(1, Relaxed);
}

/// Sleeps until `ticks` interrupts came.
fn wait_for(ticks: u64) {
    loop {
        vectors::mask();
        if TICKS.load(Relaxed) >= ticks {
            break;
        }
        vectors::sleep();
    }
    vectors::allow();
}

/// Lets a timer tick a few times, sleeping between ticks, and says when each came. The local APIC's timer serves if
/// there is one and `legacy` does not ask for the 8254; that cannot wait a tenth of a second and ticks twice for one.
pub fn show(legacy: bool) {
    let apic = !legacy && apic::present();
    let each = if apic { 1 } else { 2 };
    TICKS.store(0, Relaxed);
    if apic {
        apic::periodic(text::TICK_RATE);
    } else {
        pit::periodic((pit::FREQUENCY / text::TICK_RATE / each) as u16);
        pic::unmask(0);
        // The 8259 may have kept an interrupt of an earlier interval: time begins with the next.
        wait_for(1);
        TICKS.store(0, Relaxed);
    }
    let start = now();
    for tick in 1..=u64::from(text::TICKS) {
        wait_for(tick * each);
        say!("tick {tick} after {} ms\n", (now() - start) / (rate() / 1000));
    }
    if apic {
        apic::silence();
    } else {
        pic::mask(0);
    }
}
