//! The clock against its data sheet.

use super::*;
use crate::bus::conformance;
use crate::bus::device::{Socket, share};
use parking_lot::Mutex;
use std::sync::Arc;

/// 14 November 2023, 22:13:20.
const EPOCH: i64 = 1_700_000_000;

struct Bench {
    rtc: Arc<Mutex<Mc146818>>,
    irq: Wire,
    clock: Clock,
}

impl Bench {
    fn new() -> Bench {
        let (irq, clock) = (Wire::open(), Clock::stepped());
        let rtc = share(Mc146818::new(irq.clone(), clock.clone(), EPOCH));
        Bench { rtc, irq, clock }
    }
    fn r(&self, index: u8) -> u8 {
        self.port_w(0, index);
        Socket::read(&*self.rtc, 1, Size::B1, Initiator::Cpu(0)).unwrap() as u8
    }
    fn w(&self, index: u8, value: u8) {
        self.port_w(0, index);
        self.port_w(1, value);
    }
    fn port_w(&self, port: u64, value: u8) {
        Socket::write(&*self.rtc, port, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
    }
    fn to(&self, ns: u64) {
        self.clock.advance_to(VTime(ns));
        self.clock.run_expired(self.clock.now());
    }
    /// Fires the next deadline in its time; the time.
    fn next(&self) -> u64 {
        let at = self.clock.next_deadline().unwrap();
        self.to(at.0);
        at.0
    }
}

/// A clock whose battery is taken out by a reset, for the test that wants every reset to equal new.
struct NoBattery(Mc146818);

impl Device for NoBattery {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn reset(&mut self) {
        self.0.reset();
        let fresh = Mc146818::new(Wire::open(), Clock::stepped(), EPOCH);
        self.0.state = fresh.state.clone();
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        self.0.save()
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.0.load(saved)
    }
    fn io(&mut self) -> Option<&mut dyn Io> {
        self.0.io()
    }
}

#[test]
fn conforms() {
    let make = || NoBattery(Mc146818::new(Wire::open(), Clock::stepped(), EPOCH));
    conformance::check(make, Mc146818::LEN);
}

#[test]
fn shows_the_time_in_every_form() {
    let b = Bench::new();
    b.to(45 * VTime::SECOND);
    let all = [YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS, DAY_OF_WEEK, CENTURY].map(|i| b.r(i));
    assert_eq!(all, [0x23, 0x11, 0x14, 0x22, 0x14, 0x05, 3, 0x20]);
    b.w(B, B_DM);
    assert_eq!([HOURS, MINUTES, YEAR].map(|i| b.r(i)), [0x80 | 10, 14, 23]);
    assert_eq!([A, C, D].map(|i| b.r(i)), [0x26, C_UF | C_PF, 0x80]);
}

#[test]
fn update_in_progress_before_each_second() {
    let b = Bench::new();
    assert_eq!(b.r(A), 0x26);
    b.to(VTime::SECOND - UPDATE_NS);
    assert_eq!(b.r(A), 0xa6);
    assert_eq!(b.r(SECONDS), 0x20);
    b.to(VTime::SECOND);
    assert_eq!((b.r(A), b.r(SECONDS)), (0x26, 0x21));
}

#[test]
fn is_set_while_it_stands() {
    let b = Bench::new();
    b.to(VTime::SECOND / 4);
    b.w(B, B_24 | B_SET);
    for (index, value) in [(CENTURY, 0x19), (YEAR, 0x99), (MONTH, 0x12), (DAY, 0x31)] {
        b.w(index, value);
    }
    for (index, value) in [(HOURS, 0x23), (MINUTES, 0x59), (SECONDS, 0x59)] {
        b.w(index, value);
    }
    b.to(5 * VTime::SECOND / 2);
    assert_eq!(b.r(SECONDS), 0x59);
    b.w(B, B_24);
    b.to(3 * VTime::SECOND - 1);
    assert_eq!((b.r(YEAR), b.r(SECONDS)), (0x99, 0x59));
    b.to(3 * VTime::SECOND);
    let all = [CENTURY, YEAR, MONTH, DAY, HOURS, MINUTES, SECONDS].map(|i| b.r(i));
    assert_eq!(all, [0x20, 0, 1, 1, 0, 0, 0]);
    b.rtc.lock().reset();
    assert_eq!(b.r(YEAR), 0, "a reset leaves the time alone");
}

#[test]
fn the_divider_holds_the_time() {
    let b = Bench::new();
    b.w(A, 0x76);
    b.to(10 * VTime::SECOND);
    assert_eq!(b.r(SECONDS), 0x20);
    b.w(A, 0x26);
    b.to(10_499_999_999);
    assert_eq!(b.r(SECONDS), 0x20);
    b.to(10_500_000_000);
    assert_eq!(b.r(SECONDS), 0x21, "the first update is half a second after");
}

#[test]
fn update_and_alarm_interrupts() {
    let b = Bench::new();
    b.w(B, B_24 | B_UIE);
    assert_eq!(b.next(), VTime::SECOND);
    assert!(b.irq.level());
    assert_eq!(b.r(C), C_IRQF | C_UF | C_PF);
    assert!(!b.irq.level());
    b.w(B, B_24 | B_AIE);
    b.w(HOURS_ALARM, 0xff);
    b.w(MINUTES_ALARM, 0x14);
    b.w(SECONDS_ALARM, 0x00);
    b.r(C);
    assert_eq!(b.next(), 40 * VTime::SECOND);
    assert_eq!(b.r(C) & (C_IRQF | C_AF), C_IRQF | C_AF);
    assert_eq!(b.r(C), 0);
}

#[test]
fn periodic_interrupts_and_those_that_were_late() {
    let b = Bench::new();
    b.w(B, B_24 | B_PIE);
    b.r(C);
    for n in 1..=8u64 {
        let at = b.next();
        assert_eq!(at, n * 976_562, "1024 Hz");
        assert!(b.irq.level());
        b.r(C);
        assert!(!b.irq.level());
    }
    // Ten periods late: one now, nine more.
    b.to(18 * 976_562);
    let mut count = 0;
    while b.clock.now().0 < 30 * 976_562 {
        if b.irq.level() {
            count += 1;
            b.r(C);
        }
        b.next();
    }
    assert!((21..=22).contains(&count), "{count}");
    b.w(B, B_24);
    assert_eq!(b.clock.next_deadline(), None);
}

#[test]
fn memory() {
    let b = Bench::new();
    b.rtc.lock().set_cmos(0x10, 0x40);
    b.rtc.lock().set_cmos(SECONDS, 9);
    assert_eq!((b.r(0x10), b.r(SECONDS)), (0x40, 0x20));
    b.w(0x8f, 0x55);
    assert_eq!(b.r(0x0f), 0x55, "bit 7 of the index is the NMI's");
    b.w(B, B_24 | B_PIE);
    b.rtc.lock().reset();
    assert_eq!((b.r(0x0f), b.r(B)), (0x55, B_24));
    assert_eq!(Socket::read(&*b.rtc, 0, Size::B1, Initiator::Cpu(0)), Ok(0xff));
}
