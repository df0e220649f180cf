//! The timer against its data sheet's figures.

use super::*;
use crate::bus::conformance;
use crate::bus::device::{Socket, share};
use parking_lot::Mutex;
use std::sync::Arc;

struct Bench {
    pit: Arc<Mutex<I8254>>,
    irq: Wire,
    clock: Clock,
}

impl Bench {
    fn new() -> Bench {
        let (irq, clock) = (Wire::open(), Clock::stepped());
        let pit = share(I8254::new(irq.clone(), clock.clone()));
        Bench { pit, irq, clock }
    }
    fn r(&self, reg: u64) -> u8 {
        Socket::read(&*self.pit, reg, Size::B1, Initiator::Cpu(0)).unwrap() as u8
    }
    fn w(&self, reg: u64, value: u8) {
        Socket::write(&*self.pit, reg, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
    }
    fn count(&self, reg: u64) -> u16 {
        u16::from_le_bytes([self.r(reg), self.r(reg)])
    }
    /// Moves time to the middle of tick `n`, and fires what is due.
    fn to(&self, n: u64) {
        self.clock.advance_to(moment(n) + 400);
        self.clock.run_expired(self.clock.now());
    }
    fn out(&self) -> bool {
        self.r(4) & OUT2 != 0
    }
}

#[test]
fn conforms() {
    conformance::check(|| I8254::new(Wire::open(), Clock::stepped()), I8254::LEN);
}

#[test]
fn ticks_and_moments_agree() {
    for n in [0, 1, 2, 1_193_181, 1_193_182, 1 << 40] {
        assert_eq!(tick(moment(n)), n);
        assert_eq!(tick(VTime(moment(n + 1).0 - 1)), n);
    }
}

#[test]
fn mode_0_counts_once() {
    let b = Bench::new();
    b.w(3, 0x30);
    assert!(!b.irq.level(), "the output is low from the control word on");
    b.w(0, 10);
    b.w(0, 0);
    b.to(5);
    assert_eq!(b.count(0), 6, "the count went in with tick 1");
    b.to(10);
    assert!(!b.irq.level());
    b.to(11);
    assert!(b.irq.level(), "N + 1 ticks after the write");
    b.to(21);
    assert_eq!(b.count(0), 0xfff6, "it wraps and goes on");
    b.w(0, 3);
    assert!(!b.irq.level(), "the first byte stops it");
    b.to(50);
    b.w(0, 0);
    b.to(53);
    assert!(!b.irq.level());
    b.to(54);
    assert!(b.irq.level());
}

#[test]
fn a_thousand_hertz_in_mode_2() {
    let b = Bench::new();
    b.w(3, 0x34);
    b.w(0, (1193u16 & 0xff) as u8);
    b.w(0, (1193u16 >> 8) as u8);
    let mut edges = 0;
    // The poller comes exactly in time.
    while let Some(at) = b.clock.next_deadline().filter(|t| t.seconds() < 2) {
        b.irq.clear();
        b.clock.advance_to(at);
        b.clock.run_expired(at);
        edges += u32::from(b.irq.level());
    }
    assert_eq!(edges, 2000);
}

struct Counter(Mutex<u32>);
impl crate::bus::irq::LineSink for Counter {
    fn set_line(&self, _: u32, level: bool) {
        *self.0.lock() += u32::from(level);
    }
}

#[test]
fn late_ticks_are_made_up_for() {
    let counter = Arc::new(Counter(Mutex::new(0)));
    let clock = Clock::stepped();
    let pit = share(I8254::new(Wire::new("irq", counter.clone(), 0), clock.clone()));
    for (reg, value) in [(3, 0x34u64), (0, 1193 & 0xff), (0, 1193 >> 8)] {
        Socket::write(&*pit, reg, Size::B1, value, Initiator::Cpu(0)).unwrap();
    }
    // The output is high from the control word on; that edge is no tick.
    let first = *counter.0.lock();
    // The host sleeps 40 ms at a time between short times of work.
    for round in 1..=25u64 {
        clock.advance_to(VTime(round * 40_000_000));
        for _ in 0..200 {
            clock.run_expired(clock.now());
            clock.advance_to(clock.now() + 100_000);
        }
        assert_eq!(pit.lock().state.owed, 0);
    }
    clock.advance_to(VTime(2 * VTime::SECOND));
    for _ in 0..2000 {
        clock.run_expired(clock.now());
        clock.advance_to(clock.now() + 250_000);
    }
    let elapsed = clock.now().0 / 1_000_000;
    let seen = u64::from(*counter.0.lock() - first);
    assert!(seen.abs_diff(elapsed) <= 1, "{seen} of {elapsed}");
}

#[test]
fn mode_3_is_a_square_wave() {
    let b = Bench::new();
    b.w(4, 1);
    b.w(3, 0xb6);
    b.w(2, 4);
    b.w(2, 0);
    let wave: Vec<bool> = (1..9).map(|n| (b.to(n), b.out()).1).collect();
    assert_eq!(wave, [true, true, false, false, true, true, false, false]);
    assert_eq!(b.count(2), 2);
    b.w(3, 0xb6);
    b.w(2, 5);
    b.w(2, 0);
    let wave: Vec<bool> = (9..14).map(|n| (b.to(n), b.out()).1).collect();
    assert_eq!(wave, [true, true, true, false, false], "odd counts are high for longer");
    b.w(4, 0);
    assert!(b.out(), "the gate makes it high");
    assert_eq!(b.pit.lock().tone(), None);
    b.w(4, 3);
    assert_eq!(b.pit.lock().tone(), Some(FREQUENCY / 5));
}

#[test]
fn the_gate_of_channel_2() {
    let b = Bench::new();
    b.w(3, 0xb0);
    b.w(2, 100);
    b.w(2, 0);
    b.to(50);
    assert_eq!(b.count(2), 100, "the gate is low");
    b.w(4, 1);
    b.to(80);
    assert_eq!(b.count(2), 70);
    b.w(4, 0);
    b.to(1000);
    assert_eq!((b.count(2), b.out()), (70, false));
    b.w(4, 1);
    b.to(1070);
    assert!(b.out());
    // Mode 1: the gate's rising edge starts a pulse, and starts it again.
    b.w(4, 0);
    b.w(3, 0xb2);
    b.w(2, 10);
    b.w(2, 0);
    b.to(1100);
    assert!(b.out());
    b.w(4, 1);
    b.to(1105);
    assert!(!b.out());
    b.w(4, 0);
    b.w(4, 1);
    b.to(1115);
    assert!(!b.out(), "retriggered");
    b.to(1116);
    assert!(b.out());
}

#[test]
fn strobes() {
    let b = Bench::new();
    b.w(4, 1);
    b.w(3, 0x98);
    b.w(2, 3);
    let wave: Vec<bool> = (0..7).map(|n| (b.to(n), b.out()).1).collect();
    assert_eq!(wave, [true, true, true, true, false, true, true], "mode 4");
    b.w(4, 0);
    b.w(3, 0x9a);
    b.w(2, 3);
    b.to(10);
    b.w(4, 1);
    let wave: Vec<bool> = (10..17).map(|n| (b.to(n), b.out()).1).collect();
    assert_eq!(wave, [true, true, true, true, false, true, true], "mode 5");
}

#[test]
fn latches_and_read_back() {
    let b = Bench::new();
    b.w(3, 0x34);
    b.w(0, 0);
    b.w(0, 0);
    b.to(0x101);
    b.w(3, 0x00);
    b.to(0x301);
    b.w(3, 0x00);
    assert_eq!(b.count(0), 0xff00, "the first latch counts until it is read");
    assert_eq!(b.count(0), 0xfd00);
    b.w(3, 0xc2);
    b.to(0x400);
    assert_eq!(b.r(0), 0xb4, "status: output high, both bytes, mode 2");
    assert_eq!(b.count(0), 0xfd00);
    b.w(3, 0xd2);
    b.to(0x501);
    assert_eq!(b.count(0), 0xfc01);
    b.w(3, 0x16);
    b.w(3, 0xe2);
    assert_eq!(b.r(0), 0xd6, "no count is in yet");
}

#[test]
fn decimal_counts_and_single_bytes() {
    let b = Bench::new();
    b.w(3, 0x35);
    b.w(0, 0x00);
    b.w(0, 0x10);
    b.to(2);
    assert_eq!(b.count(0), 0x0999);
    b.w(3, 0x24);
    b.w(0, 0x12);
    b.to(3);
    assert_eq!(b.r(0), 0x12);
    assert_eq!(b.pit.lock().state.channels[0].period(), 0x1200);
}

#[test]
fn a_new_count_waits_for_the_end_of_the_cycle() {
    let b = Bench::new();
    b.w(3, 0x34);
    for byte in [100, 0] {
        b.w(0, byte);
    }
    b.to(51);
    for byte in [10, 0] {
        b.w(0, byte);
    }
    b.to(61);
    assert_eq!(b.count(0), 40);
    b.to(103);
    assert_eq!(b.count(0), 8);
    let saved = Socket::save(&*b.pit).unwrap();
    Socket::load(&*b.pit, &saved).unwrap();
    assert_eq!(b.count(0), 8);
}

#[test]
fn refresh_toggles_every_15_microseconds() {
    let b = Bench::new();
    let levels: Vec<u8> = (0..4).map(|n| (b.to(n * 18), b.r(4) & REFRESH).1).collect();
    assert_eq!(levels, [0, REFRESH, 0, REFRESH]);
    b.w(4, 0xff);
    assert_eq!(b.r(4) & 0xf, 0xf);
}

#[test]
fn an_hpet_takes_over() {
    let b = Bench::new();
    b.w(3, 0x34);
    b.w(0, 10);
    b.w(0, 0);
    b.pit.lock().set_replaced(true);
    assert_eq!((b.irq.level(), b.clock.next_deadline()), (false, None));
    b.pit.lock().set_replaced(false);
    assert!(b.clock.next_deadline().is_some());
}
