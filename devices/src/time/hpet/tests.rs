use super::*;
use crate::bus::conformance;
use crate::bus::device::{Socket, share};
use std::sync::atomic::{AtomicU32, Ordering};

const CPU: Initiator = Initiator::Cpu(0);

/// Counts rising edges of each line.
#[derive(Default)]
struct Edges([AtomicU32; 32]);
impl LineSink for Edges {
    fn set_line(&self, line: u32, level: bool) {
        if level {
            self.0[line as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Bench {
    clock: Clock,
    gate: Arc<LegacyGate>,
    hpet: Arc<Mutex<Hpet>>,
    edges: Arc<Edges>,
}

impl Bench {
    fn new() -> Bench {
        let (clock, edges) = (Clock::stepped(), Arc::new(Edges::default()));
        let wire = |line| Wire::new("test", edges.clone(), line);
        let gate = LegacyGate::new(wire(0), wire(8));
        let hpet = share(Hpet::new(clock.clone(), gate.clone(), 0xff_0104, wire));
        Bench { clock, gate, hpet, edges }
    }
    fn r(&self, reg: u64) -> u64 {
        self.hpet.read(reg, Size::B8, CPU).unwrap()
    }
    fn w(&self, reg: u64, value: u64) {
        self.hpet.write(reg, Size::B8, value, CPU).unwrap();
    }
    fn w4(&self, reg: u64, value: u64) {
        self.hpet.write(reg, Size::B4, value, CPU).unwrap();
    }
    fn advance(&self, to: u64) {
        self.clock.advance_to(VTime(to));
        self.clock.run_expired(self.clock.now());
    }
    fn edges(&self, line: usize) -> u32 {
        self.edges.0[line].swap(0, Ordering::Relaxed)
    }
}

#[test]
fn conforms() {
    conformance::check(
        || {
            let gate = LegacyGate::new(Wire::open(), Wire::open());
            Hpet::new(Clock::stepped(), gate, 0x4, |_| Wire::open())
        },
        Hpet::LEN,
    );
}

#[test]
fn counter() {
    let b = Bench::new();
    assert_eq!(b.r(CAPABILITIES), 0x0098_9680_8086_a201);
    b.w(COUNTER, 500);
    b.advance(1000);
    assert_eq!(b.r(COUNTER), 500, "stands still while disabled");
    b.w(CONFIG, ENABLE);
    b.advance(2005);
    assert_eq!(b.r(COUNTER), 600);
    b.w(CONFIG, 0);
    b.advance(5000);
    assert_eq!(b.r(COUNTER), 600);
    b.w4(COUNTER + 4, 1);
    assert_eq!(b.r(COUNTER), 1 << 32 | 600);
    assert_eq!(b.hpet.read(COUNTER + 4, Size::B4, CPU), Ok(1));
    assert!(b.hpet.read(COUNTER, Size::B2, CPU).is_err());
}

#[test]
fn one_shot_by_route() {
    let b = Bench::new();
    let t2 = TIMERS + 2 * TIMER_LEN;
    assert_eq!(b.r(t2), 0xff_0104 << 32 | 0x30);
    b.w(t2, INTERRUPT | 20 << ROUTE_SHIFT);
    b.w(t2, INTERRUPT | 21 << ROUTE_SHIFT | 3 << 40);
    assert_eq!(b.r(t2) & ROUTE, 21 << ROUTE_SHIFT);
    b.w(t2, INTERRUPT | 5 << ROUTE_SHIFT);
    assert_eq!(b.r(t2) & ROUTE, 21 << ROUTE_SHIFT, "a route that there is not");
    b.w(t2 + TN_COMPARATOR, 100);
    b.w(CONFIG, ENABLE);
    b.advance(999);
    assert_eq!(b.edges(21), 0);
    b.advance(1000);
    assert_eq!(b.edges(21), 1);
    b.advance(1_000_000);
    assert_eq!(b.edges(21), 0);
    b.w(t2 + TN_COMPARATOR, 99);
    b.advance(2_000_000);
    assert_eq!(b.edges(21), 0, "behind the counter");
    b.w(t2, INTERRUPT | NARROW | 21 << ROUTE_SHIFT);
    b.advance((1 << 32 | 99) * 10);
    assert_eq!(b.edges(21), 1, "32 bits wrap");
}

#[test]
fn periodic_as_linux_sets_it() {
    let b = Bench::new();
    let irq0 = b.edges.clone();
    b.w(CONFIG, ENABLE | LEGACY);
    b.w4(TIMERS, INTERRUPT | PERIODIC | VALUE_SET | NARROW);
    b.w4(TIMERS + TN_COMPARATOR, 10_000);
    b.w4(TIMERS + TN_COMPARATOR, 100_000);
    b.advance(100_000);
    assert_eq!(b.edges(0), 1);
    for n in 1..5 {
        b.advance(100_000 + n * 1_000_000);
        assert_eq!(b.edges(0), 1, "{n}");
    }
    b.advance(100_000 + 8 * 1_000_000);
    assert_eq!(b.edges(0), 1, "what was missed comes once");
    assert_eq!(b.r(TIMERS + TN_COMPARATOR), 10_000 + 9 * 100_000);
    assert_eq!(irq0.0[2].load(Ordering::Relaxed), 0);
    b.w4(TIMERS + TN_COMPARATOR, 1);
    b.advance(9_100_000);
    b.w(CONFIG, 0);
    assert_eq!(b.clock.next_deadline(), None);
}

#[test]
fn short_periods_are_thinned() {
    let b = Bench::new();
    b.w(TIMERS, INTERRUPT | PERIODIC | VALUE_SET | 2 << ROUTE_SHIFT);
    b.w(TIMERS + TN_COMPARATOR, 1);
    b.w(CONFIG, ENABLE);
    b.advance(1_000_000);
    assert_eq!(b.edges(2), 1);
    assert_eq!(b.clock.next_deadline(), Some(VTime(1_000_000 + SHORTEST)));
}

#[test]
fn level_waits_for_status() {
    let b = Bench::new();
    b.w(TIMERS, INTERRUPT | LEVEL | 16 << ROUTE_SHIFT);
    b.w(TIMERS + TN_COMPARATOR, 10);
    b.w(CONFIG, ENABLE);
    b.advance(100);
    assert_eq!((b.r(STATUS), b.edges(16)), (1, 1));
    let wire = b.hpet.lock().routes[0].iter().find(|(pin, _)| *pin == 16).unwrap().1.clone();
    assert!(wire.level());
    let saved = b.hpet.save().unwrap();
    b.w(STATUS, 1);
    assert!(!wire.level());
    b.hpet.load(&saved).unwrap();
    assert!(wire.level());
    b.w(CONFIG, 0);
    assert!(!wire.level());
}

#[test]
fn the_gate_replaces_8254_and_clock() {
    let b = Bench::new();
    let (pit, rtc) = (b.gate.pit(), b.gate.rtc());
    pit.pulse();
    rtc.pulse();
    assert_eq!((b.edges(0), b.edges(8)), (1, 1));
    b.w(CONFIG, ENABLE | LEGACY);
    pit.pulse();
    rtc.pulse();
    assert_eq!((b.edges(0), b.edges(8)), (0, 0));
    b.w(TIMERS + TIMER_LEN, INTERRUPT);
    b.w(TIMERS + TIMER_LEN + TN_COMPARATOR, 10);
    b.advance(100);
    assert_eq!((b.edges(0), b.edges(8)), (0, 1));
}
