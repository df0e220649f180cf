//! Entropy device (5.4): one queue, whose buffers are filled with random bytes.
//!
//! The bytes are the host's, or those of a seeded generator for repeatable runs. A limit (`max-bytes=`, `period=`)
//! counts virtual time.

use super::device::VirtioDevice;
use super::link::Link;
use crate::bus::clock::{Timer, VTime};
use crate::bus::rng::Rng as Generator;
use crate::bus::snapshot::{self, StateError};
use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// The most bytes given to one request: drivers ask again for more.
const STEP: usize = 4096;
const QUEUE_SIZE: u16 = 8;

/// How an entropy device is set up.
#[derive(Default)]
pub struct RngOptions {
    /// The seed of the generator that takes the place of the host's entropy.
    pub seed: Option<u64>,
    /// How much it gives in how much time.
    pub limit: Option<RngLimit>,
}

/// A limit on what the guest can draw.
pub struct RngLimit {
    /// Bytes of each period.
    pub bytes: u64,
    /// Length of a period, nanoseconds.
    pub period: u64,
    /// Measures the period; a timer of the machine's clock.
    pub timer: Timer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// State of the seeded generator.
    seed: u64,
    /// Bytes left in this period.
    left: u64,
    /// End of this period, once something was drawn in it.
    until: Option<VTime>,
}

/// A virtio entropy device.
pub struct Rng {
    options: RngOptions,
    link: Option<Link>,
    state: State,
}

impl Rng {
    /// An entropy device.
    pub fn new(options: RngOptions) -> Rng {
        let state = Self::fresh(&options);
        Rng { options, link: None, state }
    }

    fn fresh(options: &RngOptions) -> State {
        let left = options.limit.as_ref().map_or(u64::MAX, |l| l.bytes);
        State { seed: options.seed.unwrap_or(0), left, until: None }
    }

    /// Fills `bytes` from the source; false when the host has no entropy to give.
    fn draw(&mut self, bytes: &mut [u8]) -> bool {
        if self.options.seed.is_some() {
            let mut generator = Generator::new(self.state.seed);
            bytes.chunks_mut(8).for_each(|c| c.copy_from_slice(&generator.draw().to_le_bytes()[..c.len()]));
            self.state.seed = generator.draw();
            return true;
        }
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match getrandom(rest, GetRandomFlags::empty()) {
                Ok(n) => done += n,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn serve(&mut self) {
        let Some(link) = self.link.clone() else { return };
        let mut served = false;
        while self.state.left != 0 {
            let Some(chain) = link.pop(0) else { break };
            let mut bytes = [0; STEP];
            let n = chain.writer().left().min(STEP as u64).min(self.state.left) as usize;
            let mut piece = bytes.get_mut(..n).unwrap_or_default();
            if !self.draw(piece) {
                piece = &mut [];
            }
            match chain.writer().write(link.dma(), piece) {
                Ok(n) => link.push(&chain, n as u32),
                Err(fault) => return link.fail(fault),
            }
            served = true;
            self.count(n as u64);
        }
        if served {
            link.signal(0);
        }
    }

    /// Takes `n` bytes off the limit.
    fn count(&mut self, n: u64) {
        let Some(limit) = &self.options.limit else { return };
        self.state.left = self.state.left.saturating_sub(n);
        if self.state.until.is_none() {
            let until = limit.timer.now() + limit.period.max(1);
            self.state.until = Some(until);
            limit.timer.set(until);
        }
    }
}

impl VirtioDevice for Rng {
    fn name(&self) -> &'static str {
        "virtio-rng"
    }

    fn device_id(&self) -> u32 {
        4
    }

    fn features(&self) -> u64 {
        0
    }

    fn queue_sizes(&self) -> Vec<u16> {
        vec![QUEUE_SIZE]
    }

    fn attach(&mut self, link: Link) {
        self.link = Some(link);
    }

    fn read_config(&self, _: u64, _: &mut [u8]) {}

    fn notify(&mut self, queue: usize) {
        if queue == 0 {
            self.serve();
        }
    }

    fn timers(&self) -> Vec<Timer> {
        self.options.limit.iter().map(|l| l.timer.clone()).collect()
    }

    fn expired(&mut self, _: usize, now: VTime) {
        if self.state.until.is_some_and(|until| until <= now) {
            self.state = State { seed: self.state.seed, ..Self::fresh(&self.options) };
            self.serve();
        }
    }

    fn reset(&mut self) {
        if let Some(limit) = &self.options.limit {
            limit.timer.cancel();
        }
        self.state = Self::fresh(&self.options);
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
        if let Some(limit) = &self.options.limit {
            self.state.left = self.state.left.min(limit.bytes);
            match self.state.until {
                Some(until) => limit.timer.set(until),
                None => limit.timer.cancel(),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::clock::Clock;
    use crate::bus::conformance;
    use crate::bus::dma::Dma;
    use crate::bus::irq::Wire;
    use crate::virtio::mmio::{LEN, VirtioMmio};
    use crate::virtio::testing::{Buf, Driver};

    fn draw(driver: &mut Driver, len: u32) -> Vec<u8> {
        driver.request(0, &[Buf::In(len)]).0.remove(0)
    }

    #[test]
    fn conforms() {
        let dma = || Dma::to_ram(lyrebird_ram::GuestRam::new(0x1_0000).unwrap(), 0).unwrap();
        let seeded = || Rng::new(RngOptions { seed: Some(7), limit: None });
        conformance::check(|| VirtioMmio::new(Box::new(seeded()), dma(), Wire::open(), false), LEN);
        let limited = || {
            let limit = RngLimit { bytes: 100, period: 1000, timer: Timer::detached() };
            Rng::new(RngOptions { seed: None, limit: Some(limit) })
        };
        conformance::check(|| VirtioMmio::new(Box::new(limited()), dma(), Wire::open(), false), LEN);
    }

    #[test]
    fn the_hosts_bytes_differ_and_seeded_ones_repeat() {
        let host = || draw(&mut Driver::start(Rng::new(RngOptions::default()), 0), 64);
        assert_ne!(host(), host());
        let seeded = || {
            let mut driver = Driver::start(Rng::new(RngOptions { seed: Some(42), limit: None }), 0);
            (draw(&mut driver, 61), draw(&mut driver, 61))
        };
        assert_eq!(seeded(), seeded());
        assert_ne!(seeded().0, seeded().1);
    }

    #[test]
    fn a_limit_holds_until_the_period_ends() {
        let clock = Clock::stepped();
        let limit = RngLimit { bytes: 100, period: 1000, timer: clock.timer("rng") };
        let mut driver = Driver::start(Rng::new(RngOptions { seed: None, limit: Some(limit) }), 0);
        assert_eq!(driver.request(0, &[Buf::In(80)]).1, 80);
        assert_eq!(driver.request(0, &[Buf::In(80)]).1, 20);
        driver.submit(0, 0, &[Buf::In(80)]);
        driver.notify(0);
        assert_eq!(driver.used(0), None);
        clock.advance_to(VTime(1000));
        clock.run_expired(clock.now());
        assert_eq!(driver.used(0), Some((0, 80)));
    }

    #[test]
    fn buffers_to_read_are_returned_empty_and_bad_ones_need_a_reset() {
        let mut driver = Driver::start(Rng::new(RngOptions::default()), 0);
        assert_eq!(driver.request(0, &[Buf::Out(b"x")]).1, 0);
        driver.put_desc(driver.queues[0].desc, 0, 0, 64, 2, 0);
        driver.offer(0, 0);
        driver.notify(0);
        assert!(driver.needs_reset());
    }
}
