//! Virtual time, and the deadlines that devices set in it.
//!
//! Devices see this clock only, never the host's. In *real-time* mode it follows the host's monotonic clock while the
//! machine runs and stands still while it is stopped; in *stepped* mode it moves when its owner says so, which makes
//! runs repeatable. Deadlines wait in a queue that the machine drains: it sleeps until [`Clock::next_deadline`], then
//! calls [`Clock::run_expired`]; a waker tells it when an earlier deadline appears.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A moment of virtual time: nanoseconds since the machine was first switched on.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VTime(pub u64);

impl VTime {
    /// One second, in the units of this type.
    pub const SECOND: u64 = 1_000_000_000;

    /// Whole seconds.
    pub const fn seconds(self) -> u64 {
        self.0 / Self::SECOND
    }
}

/// Later by nanoseconds; stays at the last moment there is.
impl Add<u64> for VTime {
    type Output = VTime;
    fn add(self, ns: u64) -> VTime {
        VTime(self.0.saturating_add(ns))
    }
}

/// Nanoseconds from `earlier` to `self`; 0 if `earlier` is later.
impl Sub for VTime {
    type Output = u64;
    fn sub(self, earlier: VTime) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Real-time clocks pack mode and value into one word, so that readers need no lock: bit 63 set means stopped at the
/// low bits, clear means that the low bits are added to the host's nanoseconds, modulo 2^63.
const STOPPED: u64 = 1 << 63;
const TIME: u64 = STOPPED - 1;

enum Source {
    Host { start: Instant, word: AtomicU64 },
    Stepped(AtomicU64),
}

type Expiry = Arc<dyn Fn(VTime) + Send + Sync>;
type Waker = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Slot {
    label: String,
    deadline: Option<VTime>,
    expiry: Option<Expiry>,
}

#[derive(Default)]
struct Queue {
    slots: Vec<Slot>,
    free: Vec<usize>,
    armed: BTreeSet<(VTime, usize)>,
    waker: Option<Waker>,
}

struct Inner {
    source: Source,
    queue: Mutex<Queue>,
}

/// A handle to the machine's clock; clones are the same clock.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

impl Clock {
    fn with(source: Source) -> Clock {
        Clock(Arc::new(Inner { source, queue: Mutex::default() }))
    }

    /// A clock that follows the host's monotonic clock. It stands at 0 until [`Clock::start`].
    pub fn real_time() -> Clock {
        Clock::with(Source::Host { start: Instant::now(), word: AtomicU64::new(STOPPED) })
    }

    /// A clock at 0 that moves by [`Clock::advance_to`] only.
    pub fn stepped() -> Clock {
        Clock::with(Source::Stepped(AtomicU64::new(0)))
    }

    /// Whether time moves only when its owner says so.
    pub fn is_stepped(&self) -> bool {
        matches!(self.0.source, Source::Stepped(_))
    }

    /// The time.
    #[inline]
    pub fn now(&self) -> VTime {
        match &self.0.source {
            Source::Stepped(ns) => VTime(ns.load(Ordering::Acquire)),
            Source::Host { start, word } => {
                let word = word.load(Ordering::Acquire);
                VTime(if word & STOPPED != 0 {
                    word & TIME
                } else {
                    host_ns(start).wrapping_add(word) & TIME
                })
            }
        }
    }

    /// Lets a real-time clock run on from where it stands. No effect on one that runs or is stepped.
    pub fn start(&self) {
        if let Source::Host { start, word } = &self.0.source {
            let old = word.load(Ordering::Acquire);
            if old & STOPPED != 0 {
                word.store((old & TIME).wrapping_sub(host_ns(start)) & TIME, Ordering::Release);
                self.wake();
            }
        }
    }

    /// Makes a real-time clock stand still. Called when no vCPU runs, or readers may see it go back by the time that
    /// stopping takes.
    pub fn stop(&self) {
        if let Source::Host { word, .. } = &self.0.source {
            word.store(self.now().0 | STOPPED, Ordering::Release);
        }
    }

    /// Sets the time, as when a snapshot is restored. A running real-time clock runs on from there.
    pub fn set(&self, now: VTime) {
        match &self.0.source {
            Source::Stepped(ns) => ns.store(now.0, Ordering::Release),
            Source::Host { word, .. } => {
                let running = word.load(Ordering::Acquire) & STOPPED == 0;
                word.store(now.0 & TIME | STOPPED, Ordering::Release);
                if running {
                    self.start();
                }
            }
        }
        self.wake();
    }

    /// Moves a stepped clock forward to `to`; going back and real-time clocks are left alone. Deadlines passed on the
    /// way fire in [`Clock::run_expired`].
    pub fn advance_to(&self, to: VTime) {
        if let Source::Stepped(ns) = &self.0.source {
            ns.fetch_max(to.0, Ordering::AcqRel);
        }
    }

    /// How long the host has to wait until `deadline`: `None` if the clock does not move by itself.
    pub fn host_wait(&self, deadline: VTime) -> Option<Duration> {
        match &self.0.source {
            Source::Host { word, .. } if word.load(Ordering::Acquire) & STOPPED == 0 => {
                Some(Duration::from_nanos(deadline - self.now()))
            }
            _ => None,
        }
    }

    /// A new timer, disarmed. `label` names it in listings.
    pub fn timer(&self, label: impl Into<String>) -> Timer {
        let slot = Slot { label: label.into(), ..Slot::default() };
        let mut queue = self.0.queue.lock();
        let index = match queue.free.pop() {
            Some(index) => {
                queue.slots[index] = slot;
                index
            }
            None => {
                queue.slots.push(slot);
                queue.slots.len() - 1
            }
        };
        Timer(Arc::new(Handle { clock: self.clone(), index }))
    }

    /// The earliest deadline set.
    pub fn next_deadline(&self) -> Option<VTime> {
        self.0.queue.lock().armed.first().map(|&(at, _)| at)
    }

    /// Fires what is due at `now`, in order of deadline, then of creation; returns how many fired. Timers that set
    /// themselves to a moment not after `now` again fire again, up to a bound, and the rest in the next call.
    pub fn run_expired(&self, now: VTime) -> usize {
        const BOUND: usize = 1024;
        for fired in 0..BOUND {
            let expiry = {
                let mut queue = self.0.queue.lock();
                match queue.armed.first().copied() {
                    Some((at, index)) if at <= now => {
                        queue.armed.remove(&(at, index));
                        let slot = &mut queue.slots[index];
                        slot.deadline = None;
                        slot.expiry.clone()
                    }
                    _ => return fired,
                }
            };
            if let Some(expiry) = expiry {
                expiry(now);
            }
        }
        BOUND
    }

    /// Calls `wake` whenever an earlier deadline appears or the clock jumps, from the thread that causes it and
    /// possibly under a device's lock: it should do no more than unpark the machine's poller.
    pub fn on_change(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.0.queue.lock().waker = Some(Arc::new(wake));
    }

    /// Armed timers and their deadlines, earliest first.
    pub fn pending(&self) -> Vec<(String, VTime)> {
        let queue = self.0.queue.lock();
        queue.armed.iter().map(|&(at, index)| (queue.slots[index].label.clone(), at)).collect()
    }

    fn wake(&self) {
        let waker = self.0.queue.lock().waker.clone();
        if let Some(wake) = waker {
            wake();
        }
    }

    fn arm(&self, index: usize, deadline: Option<VTime>) {
        let earlier = {
            let mut queue = self.0.queue.lock();
            let first = queue.armed.first().map(|&(at, _)| at);
            if let Some(old) = std::mem::replace(&mut queue.slots[index].deadline, deadline) {
                queue.armed.remove(&(old, index));
            }
            deadline.is_some_and(|at| {
                queue.armed.insert((at, index));
                first.is_none_or(|first| at < first)
            })
        };
        if earlier {
            self.wake();
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} ns)", self.now().0)
    }
}

fn host_ns(start: &Instant) -> u64 {
    start.elapsed().as_nanos() as u64 & TIME
}

struct Handle {
    clock: Clock,
    index: usize,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.clock.arm(self.index, None);
        let mut queue = self.clock.0.queue.lock();
        let slot = std::mem::take(&mut queue.slots[self.index]);
        queue.free.push(self.index);
        // What the expiry holds may be a timer itself, whose end needs the queue.
        drop(queue);
        drop(slot);
    }
}

/// One deadline in virtual time. Clones are the same timer; it disappears with the last of them.
#[derive(Clone)]
pub struct Timer(Arc<Handle>);

impl Timer {
    /// A timer of a clock of its own, for tests of devices whose time does not matter.
    pub fn detached() -> Timer {
        Clock::stepped().timer("detached")
    }

    /// What to do when the deadline passes. Devices get this from [`super::device::share`].
    pub fn on_expiry(&self, expiry: impl Fn(VTime) + Send + Sync + 'static) {
        let old = self.0.clock.0.queue.lock().slots[self.0.index].expiry.replace(Arc::new(expiry));
        drop(old);
    }

    /// Arms the timer, in place of any deadline set before.
    pub fn set(&self, deadline: VTime) {
        self.0.clock.arm(self.0.index, Some(deadline));
    }

    /// Disarms the timer. An expiry that is under way on another thread still arrives: handlers check the state.
    pub fn cancel(&self) {
        self.0.clock.arm(self.0.index, None);
    }

    /// The deadline, while armed.
    pub fn deadline(&self) -> Option<VTime> {
        self.0.clock.0.queue.lock().slots[self.0.index].deadline
    }

    /// The time of the clock it belongs to.
    pub fn now(&self) -> VTime {
        self.0.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn fires_in_order_and_once() {
        let clock = Clock::stepped();
        let log = Arc::new(Mutex::new(Vec::new()));
        let timers: Vec<Timer> = [30, 10, 20]
            .into_iter()
            .map(|at| {
                let timer = clock.timer(format!("t{at}"));
                let log = log.clone();
                timer.on_expiry(move |now| log.lock().push((at, now.0)));
                timer.set(VTime(at));
                timer
            })
            .collect();
        assert_eq!(clock.next_deadline(), Some(VTime(10)));
        clock.advance_to(VTime(25));
        assert_eq!(clock.run_expired(clock.now()), 2);
        assert_eq!(*log.lock(), [(10, 25), (20, 25)]);
        timers[0].cancel();
        assert_eq!(clock.run_expired(VTime(100)), 0);
        timers[1].set(VTime(5));
        timers[1].set(VTime(50));
        assert_eq!(clock.pending(), [("t10".to_string(), VTime(50))]);
        drop(timers);
        assert_eq!(clock.next_deadline(), None);
    }

    #[test]
    fn a_timer_that_rearms_in_the_past_is_bounded() {
        let clock = Clock::stepped();
        let timer = clock.timer("again");
        let (count, again) = (Arc::new(AtomicUsize::new(0)), Arc::downgrade(&timer.0));
        let counter = count.clone();
        timer.on_expiry(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            if let Some(handle) = again.upgrade() {
                Timer(handle).set(VTime(0));
            }
        });
        timer.set(VTime(0));
        assert_eq!(clock.run_expired(VTime(1)), 1024);
        assert_eq!(count.load(Ordering::Relaxed), 1024);
    }

    #[test]
    fn real_time_stops_and_goes_on() {
        let clock = Clock::real_time();
        assert_eq!(clock.now(), VTime(0));
        assert_eq!(clock.host_wait(VTime(5)), None);
        clock.set(VTime(1_000_000));
        clock.start();
        let a = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        let b = clock.now();
        assert!(a.0 >= 1_000_000 && b - a >= 2_000_000);
        assert!(clock.host_wait(b + VTime::SECOND).is_some());
        clock.stop();
        let c = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(clock.now(), c);
    }

    #[test]
    fn an_earlier_deadline_wakes_the_poller() {
        let clock = Clock::stepped();
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        clock.on_change(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let (a, b) = (clock.timer("a"), clock.timer("b"));
        a.set(VTime(10));
        b.set(VTime(20));
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        b.set(VTime(5));
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }
}
