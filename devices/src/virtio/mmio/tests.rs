//! The transport: negotiation, registers, and drivers that lie.

use super::*;
use crate::bus::conformance;
use crate::bus::device::Socket;
use crate::bus::rng::Rng;
use crate::virtio::device::features;
use crate::virtio::link::Link;
use crate::virtio::testing::{BASE, Buf, Driver, RAM};

/// Copies what it is sent into what it may write.
struct Echo {
    link: Option<Link>,
    config: [u8; 8],
}

impl Echo {
    fn new() -> Echo {
        Echo { link: None, config: *b"abcdefgh" }
    }
}

impl VirtioDevice for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }
    fn device_id(&self) -> u32 {
        63
    }
    fn features(&self) -> u64 {
        0b101
    }
    fn queue_sizes(&self) -> Vec<u16> {
        vec![64, 1024]
    }
    fn attach(&mut self, link: Link) {
        self.link = Some(link);
    }
    fn read_config(&self, offset: u64, into: &mut [u8]) {
        let from = self.config.get(offset as usize..).unwrap_or_default();
        into.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    fn write_config(&mut self, offset: u64, from: &[u8]) {
        let to = self.config.get_mut(offset as usize..).unwrap_or_default();
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
    fn notify(&mut self, queue: usize) {
        let Some(link) = &self.link else { return };
        while let Some(chain) = link.pop(queue) {
            let mut bytes = [0; 256];
            let n = chain.reader().read(link.dma(), &mut bytes);
            match n.and_then(|n| chain.writer().write(link.dma(), &bytes[..n])) {
                Ok(n) => link.push(&chain, n as u32),
                Err(fault) => link.fail(fault),
            }
        }
        link.signal(queue);
    }
    fn reset(&mut self) {
        self.config = *b"abcdefgh";
    }
    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.config)
    }
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.config = snapshot::load(saved)?;
        Ok(())
    }
}

fn echo(driver: &mut Driver, queue: usize) {
    let (answers, written) =
        driver.request(queue, &[Buf::Out(b"hello"), Buf::Out(b" there"), Buf::In(3), Buf::In(20)]);
    assert_eq!(answers[0], b"hel");
    assert_eq!(answers[1][..8], *b"lo there");
    assert_eq!(written, 11);
}

#[test]
fn conforms() {
    let dma = || Dma::to_ram(lyrebird_ram::GuestRam::new(0x1_0000).unwrap(), 0).unwrap();
    for legacy in [false, true] {
        conformance::check(|| VirtioMmio::new(Box::new(Echo::new()), dma(), Wire::open(), legacy), LEN);
        conformance::check(|| VirtioMmio::empty(legacy), LEN);
    }
}

#[test]
fn an_empty_transport_shows_no_device() {
    let mmio = parking_lot::Mutex::new(VirtioMmio::empty(false));
    let get = |at| mmio.read(at, Size::B4, Initiator::Cpu(0)).unwrap();
    assert_eq!((get(0), get(4), get(8), get(0xC)), (0x7472_6976, 2, 0, 0x554D_4551));
    assert_eq!((get(0x70), get(0x100)), (0, 0));
}

#[test]
fn requests_on_every_kind_of_ring() {
    for refuse in
        [0, features::EVENT_IDX, features::INDIRECT_DESC, features::EVENT_IDX | features::INDIRECT_DESC]
    {
        let mut driver = Driver::start(Echo::new(), refuse);
        driver.indirect = refuse & features::INDIRECT_DESC == 0;
        for round in 0..200 {
            echo(&mut driver, round % 2);
            assert_eq!(driver.wait_interrupt(), 1, "round {round}");
            assert!(!driver.wire.level());
        }
    }
}

#[test]
fn a_legacy_driver_works() {
    let mut driver = Driver::new(Echo::new(), true);
    driver.initialise(0);
    assert_eq!((driver.get(4), driver.features >> 32), (1, 0));
    for round in 0..100 {
        echo(&mut driver, round % 2);
        driver.wait_interrupt();
    }
    driver.put(0x30, 0);
    assert_ne!(driver.get(0x40), 0);
    driver.put(0x40, 0);
    assert_eq!(driver.get(0x70), 0, "page 0 starts the device over");
}

#[test]
fn features_that_were_not_offered_are_refused() {
    let driver = Driver::new(Echo::new(), false);
    let negotiate = |low: u32, high: u32| {
        driver.put(0x70, 0);
        driver.put(0x70, 3);
        for (half, value) in [low, high].into_iter().enumerate() {
            driver.put(0x24, half as u32);
            driver.put(0x20, value);
        }
        driver.put(0x70, 11);
        driver.get(0x70) & 8 != 0
    };
    assert!(negotiate(0, 1));
    assert!(negotiate(0b101, 1));
    assert!(!negotiate(0b101, 0), "VERSION_1 is required");
    assert!(!negotiate(0b111, 1));
    assert!(!negotiate(0, 3));
    driver.put(0x70, 15);
    assert_eq!(driver.get(0x70) & 4, 0, "DRIVER_OK without FEATURES_OK");
}

#[test]
fn configuration_space_and_its_generation() {
    let driver = Driver::start(Echo::new(), 0);
    assert_eq!(driver.config::<10>(0), *b"abcdefgh\0\0");
    driver.device.write(0x102, Size::B2, 0x5859, Initiator::Cpu(0)).unwrap();
    assert_eq!(driver.config::<4>(0), *b"abYX");
    let before = driver.get(0xFC);
    driver.device.lock().transport.as_ref().unwrap().link.config_changed();
    assert_ne!(driver.get(0xFC), before);
    assert_eq!(driver.wait_interrupt(), 2);
}

#[test]
fn interrupts_are_left_out_when_not_wanted() {
    let mut driver = Driver::start(Echo::new(), features::EVENT_IDX);
    driver.dma.write(driver.queues[0].avail, 1u16).unwrap();
    echo(&mut driver, 0);
    assert!(!driver.wire.level());
    let mut driver = Driver::start(Echo::new(), 0);
    // used_event far ahead: no interrupt before the tenth buffer.
    driver.features &= !features::EVENT_IDX;
    let event = driver.queues[0].avail + 4 + 2 * u64::from(driver.queues[0].size);
    driver.dma.write(event, 9u16).unwrap();
    for round in 0..10 {
        assert!(!driver.wire.level(), "round {round}");
        echo(&mut driver, 0);
    }
    assert!(driver.wire.level());
}

#[test]
fn state_moves_to_another_machine() {
    let mut driver = Driver::start(Echo::new(), 0);
    (0..70).for_each(|_| echo(&mut driver, 0));
    let saved = driver.device.lock().save().unwrap();
    let wire = Wire::open();
    let mut other = VirtioMmio::new(Box::new(Echo::new()), driver.dma.clone(), wire.clone(), false);
    other.load(&saved).unwrap();
    assert!(wire.level(), "the interrupt that was not acknowledged comes along");
    driver.device = crate::bus::device::share(other);
    (0..70).for_each(|_| echo(&mut driver, 0));
}

#[test]
fn malformed_rings_need_a_reset_and_get_over_it() {
    type Break = fn(&mut Driver);
    let breaks: &[(&str, Break)] = &[
        ("head outside of the table", |d| d.offer(0, 64)),
        ("next outside of the table", |d| {
            d.put_desc(d.queues[0].desc, 0, BASE, 1, 1, 999);
            d.offer(0, 0);
        }),
        ("a loop", |d| {
            d.put_desc(d.queues[0].desc, 0, BASE, 1, 1, 1);
            d.put_desc(d.queues[0].desc, 1, BASE, 1, 1, 0);
            d.offer(0, 0);
        }),
        ("readable behind writable", |d| {
            d.put_desc(d.queues[0].desc, 0, BASE, 1, 3, 1);
            d.put_desc(d.queues[0].desc, 1, BASE, 1, 0, 0);
            d.offer(0, 0);
        }),
        ("a buffer outside of memory", |d| {
            d.put_desc(d.queues[0].desc, 0, BASE + RAM - 1, 2, 0, 0);
            d.offer(0, 0);
        }),
        ("a buffer that wraps around", |d| {
            d.put_desc(d.queues[0].desc, 0, u64::MAX, u32::MAX, 0, 0);
            d.offer(0, 0);
        }),
        ("an indirect table outside of memory", |d| {
            d.put_desc(d.queues[0].desc, 0, 0x10, 32, 4, 0);
            d.offer(0, 0);
        }),
        ("an indirect table of a strange length", |d| {
            d.put_desc(d.queues[0].desc, 0, BASE, 17, 4, 0);
            d.offer(0, 0);
        }),
        ("an empty indirect table", |d| {
            d.put_desc(d.queues[0].desc, 0, BASE, 0, 4, 0);
            d.offer(0, 0);
        }),
        ("an indirect table in another", |d| {
            let table = d.alloc(16);
            d.put_desc(table, 0, table, 16, 4, 0);
            d.put_desc(d.queues[0].desc, 0, table, 16, 4, 0);
            d.offer(0, 0);
        }),
        ("an indirect descriptor that goes on", |d| {
            d.put_desc(d.queues[0].desc, 0, BASE, 16, 5, 1);
            d.offer(0, 0);
        }),
        ("an index far ahead", |d| d.dma.write(d.queues[0].avail + 2, 1000u16).unwrap()),
    ];
    let mut driver = Driver::start(Echo::new(), 0);
    for (name, act) in breaks {
        echo(&mut driver, 0);
        driver.wait_interrupt();
        act(&mut driver);
        driver.notify(0);
        assert!(driver.needs_reset(), "{name}");
        assert_eq!(driver.wait_interrupt(), 2, "{name}: configuration interrupt");
        driver.notify(1);
        assert_eq!(driver.used(1), None, "{name}: a broken device rests");
        driver.initialise(0);
        assert!(!driver.needs_reset(), "{name}");
    }
}

#[test]
fn rings_outside_of_memory_need_a_reset() {
    for which in [0x84, 0x94, 0xA4] {
        let mut driver = Driver::start(Echo::new(), features::EVENT_IDX);
        driver.put(0x30, 0);
        driver.put(0x44, 0);
        driver.put(which, 0xFFFF_FFFF);
        driver.put(0x44, 1);
        driver.submit(0, 0, &[Buf::In(4)]);
        driver.notify(0);
        assert!(driver.needs_reset(), "{which:#x}");
    }
}

#[test]
fn a_running_queue_cannot_be_moved() {
    let mut driver = Driver::start(Echo::new(), 0);
    driver.put(0x30, 0);
    driver.put(0x80, 0);
    driver.put(0x38, 2);
    echo(&mut driver, 0);
}

/// A driver that writes noise into rings and descriptors between notifications.
#[test]
fn noise_in_the_rings_does_no_harm() {
    let mut rng = Rng::new(0xBAD);
    let mut broken = 0;
    let mut driver = Driver::start(Echo::new(), 0);
    for round in 0..20_000 {
        let queue = rng.below(2) as usize;
        let q = &driver.queues[queue];
        let (desc, avail, size) = (q.desc, q.avail, u64::from(q.size));
        let pick = |rng: &mut Rng, values: &[u64]| values[rng.below(values.len() as u64) as usize];
        for index in 0..rng.below(6) as u16 {
            let noise = rng.draw();
            let gpa = pick(&mut rng, &[BASE, desc, BASE + RAM - 8, noise, u64::MAX]);
            let len = pick(&mut rng, &[0, 1, 16, 32, 4096, 0xFFFF_FFFF]) as u32;
            driver.put_desc(desc, index, gpa, len, rng.below(8) as u16, rng.below(size + 1) as u16);
        }
        match rng.below(10) {
            0 => driver.dma.write(avail + 2, rng.draw() as u16).unwrap(),
            1 => driver.dma.write(avail + 2 * rng.below(size), rng.draw()).unwrap(),
            _ => driver.offer(queue, rng.below(8) as u16),
        }
        driver.notify(queue);
        if driver.needs_reset() {
            broken += 1;
            driver.initialise(if round % 2 == 0 { 0 } else { features::EVENT_IDX });
        }
    }
    assert!(broken > 1000, "only {broken} rounds broke the device");
    echo(&mut driver, 0);
}
