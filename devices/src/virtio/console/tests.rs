//! The console as a driver and as a front end see it.

use super::*;
use crate::bus::conformance;
use crate::bus::device::Device;
use crate::bus::dma::Dma;
use crate::bus::irq::Wire;
use crate::bus::rng::Rng;
use crate::char::Capture;
use crate::virtio::mmio::{LEN, VirtioMmio};
use crate::virtio::testing::{BASE, Buf, Driver, RAM};

fn port(console: bool, name: &str, chardev: &Arc<Capture>) -> Port {
    Port { console, name: name.into(), chardev: Some(chardev.clone() as Arc<dyn Chardev>) }
}

/// A device with a console on port 0 and a plain port behind it.
fn two_ports(lines: &[Arc<Capture>; 2]) -> (Console, [Arc<dyn CharPort>; 2]) {
    let mut console = Console::new(4);
    assert_eq!(console.add_port(None, port(true, "", &lines[0])), Ok(0));
    assert_eq!(console.add_port(None, port(false, "org.lyrebird.0", &lines[1])), Ok(1));
    let ends = [console.port(0), console.port(1)];
    (console, ends)
}

fn lines() -> [Arc<Capture>; 2] {
    [Capture::new(), Capture::new()]
}

fn say(driver: &mut Driver, port: u32, event: u16, value: u16) {
    let bytes = Message { port, event, value }.bytes();
    driver.request(3, &[Buf::Out(&bytes)]);
}

#[test]
fn conforms() {
    let dma = || Dma::to_ram(lyrebird_ram::GuestRam::new(0x1_0000).unwrap(), 0).unwrap();
    let multi = || VirtioMmio::new(Box::new(two_ports(&lines()).0), dma(), Wire::open(), false);
    conformance::check(multi, LEN);
    let single = || VirtioMmio::new(Box::new(Console::new(1)), dma(), Wire::open(), true);
    conformance::check(single, LEN);
}

#[test]
fn a_single_port_needs_no_control() {
    let line = Capture::new();
    let mut console = Console::new(1);
    console.add_port(None, port(true, "", &line)).unwrap();
    let end = console.port(0);
    let mut driver = Driver::start(console, 0);
    assert_eq!((driver.queues.len(), driver.features & feature::MULTIPORT), (2, 0));
    assert_eq!(u32::from_le_bytes(driver.config(4)), 1);
    driver.request(1, &[Buf::Out(b"hello, "), Buf::Out(b"world")]);
    assert_eq!(line.take(), b"hello, world");
    assert_eq!((end.can_receive(), end.receive(b"lost")), (0, 0));
    let at = driver.submit(0, 0, &[Buf::In(5)])[0];
    driver.submit(0, 1, &[Buf::In(100)]);
    assert_eq!(end.can_receive(), 5);
    assert_eq!(end.receive(b"input for you"), 13);
    assert_eq!((driver.used(0), driver.used(0)), (Some((0, 5)), Some((1, 8))));
    let mut bytes = [0; 5];
    driver.dma.read_bytes(at, &mut bytes).unwrap();
    assert_eq!(&bytes, b"input");
    driver.device.write_emergency(b'!');
    assert_eq!(line.take(), b"!");
}

trait Emergency {
    fn write_emergency(&self, byte: u8);
}

impl Emergency for Arc<Mutex<VirtioMmio>> {
    fn write_emergency(&self, byte: u8) {
        use crate::bus::device::{Initiator, Size, Socket};
        self.write(0x108, Size::B4, byte.into(), Initiator::Cpu(0)).unwrap();
    }
}

#[test]
fn ports_are_announced_with_name_and_kind() {
    let (console, _) = two_ports(&lines());
    let mut driver = Driver::start(console, 0);
    assert_eq!(driver.queues.len(), 10);
    say(&mut driver, 0, event::DEVICE_READY, 1);
    say(&mut driver, 0, event::PORT_READY, 1);
    say(&mut driver, 1, event::PORT_READY, 1);
    say(&mut driver, 77, event::PORT_READY, 1);
    let mut heard = Vec::new();
    for _ in 0..6 {
        let (answer, n) = driver.request(2, &[Buf::In(64)]);
        let (head, rest) = answer[0][..n as usize].split_at(8);
        let message = Message::from_bytes(head.try_into().unwrap());
        heard.push((message.port, message.event, message.value, String::from_utf8_lossy(rest).into_owned()));
    }
    let quiet = |port, event| (port, event, 1, String::new());
    assert_eq!(
        heard,
        [
            quiet(0, event::DEVICE_ADD),
            quiet(1, event::DEVICE_ADD),
            quiet(0, event::CONSOLE_PORT),
            quiet(0, event::PORT_OPEN),
            (1, event::PORT_NAME, 1, "org.lyrebird.0".into()),
            quiet(1, event::PORT_OPEN),
        ]
    );
    driver.submit(2, 0, &[Buf::In(64)]);
    driver.notify(2);
    assert_eq!(driver.used(2), None);
}

#[test]
fn a_port_takes_input_while_the_guest_has_it_open() {
    let lines = lines();
    let (console, ends) = two_ports(&lines);
    let mut driver = Driver::start(console, 0);
    driver.submit(4, 0, &[Buf::In(64)]);
    driver.notify(4);
    assert_eq!(ends[1].receive(b"early"), 0);
    say(&mut driver, 1, event::PORT_OPEN, 1);
    assert_eq!(ends[1].receive(b"now"), 3);
    assert_eq!(driver.used(4), Some((0, 3)));
    driver.request(5, &[Buf::Out(b"to the port")]);
    assert_eq!((lines[0].take(), lines[1].take()), (vec![], b"to the port".to_vec()));
    say(&mut driver, 1, event::PORT_OPEN, 0);
    driver.submit(4, 0, &[Buf::In(64)]);
    assert_eq!(ends[1].receive(b"late"), 0);
}

#[test]
fn output_waits_for_room_even_across_a_snapshot() {
    let first = lines();
    let (console, ends) = two_ports(&first);
    let mut driver = Driver::start(console, 0);
    let text: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
    first[0].set_room(Some(5000));
    driver.submit(1, 0, &[Buf::Out(&text)]);
    driver.notify(1);
    assert_eq!(driver.used(1), None);
    first[0].set_room(Some(1000));
    ends[0].drain();
    let mut heard = first[0].take();
    assert_eq!(heard.len(), 6000);

    let saved = driver.device.lock().save().unwrap();
    let second = lines();
    let (console, ends) = two_ports(&second);
    let mut other = VirtioMmio::new(Box::new(console), driver.dma.clone(), Wire::open(), false);
    other.load(&saved).unwrap();
    driver.device = crate::bus::device::share(other);
    ends[0].drain();
    assert_eq!(driver.used(1), Some((0, 0)));
    heard.extend(second[0].take());
    assert!(heard == text);
}

#[test]
fn port_numbers() {
    let line = Capture::new();
    let mut console = Console::new(3);
    assert_eq!(console.add_port(Some(3), port(false, "", &line)), Err(PortError::Range { nr: 3, most: 3 }));
    assert_eq!(console.add_port(Some(0), port(false, "", &line)), Err(PortError::Reserved));
    assert_eq!(console.add_port(Some(2), port(false, "", &line)), Ok(2));
    assert_eq!(console.add_port(Some(2), port(true, "", &line)), Err(PortError::Taken { nr: 2 }));
    assert_eq!(console.add_port(None, port(false, "", &line)), Ok(1));
    assert_eq!(console.add_port(None, port(false, "", &line)), Err(PortError::Full));
    assert_eq!(console.add_port(None, port(true, "", &line)), Ok(0));
}

/// Noise in control messages and descriptors: no panic, and what waits stays bounded.
#[test]
fn noise_does_no_harm() {
    let (console, ends) = two_ports(&lines());
    let inner = console.inner.clone();
    let mut driver = Driver::start(console, 0);
    let mut rng = Rng::new(3);
    for _ in 0..20_000 {
        let queue = rng.below(10) as usize;
        let desc = driver.queues[queue].desc;
        for index in 0..3u16 {
            let gpa = [BASE + 0x10_0000, BASE + RAM - 4, desc, 0][rng.below(4).min(rng.below(4)) as usize];
            let len = [8, 0, 64, 5000, u32::MAX][rng.below(5).min(rng.below(5)) as usize];
            driver.put_desc(desc, index, gpa, len, rng.below(4) as u16, index + 1);
        }
        let message =
            Message { port: rng.below(6) as u32, event: rng.below(9) as u16, value: rng.below(2) as u16 };
        driver.dma.write_bytes(BASE + 0x10_0000, &message.bytes()).unwrap();
        driver.offer(queue, rng.below(3) as u16);
        driver.notify(queue);
        ends[rng.below(2) as usize].receive(b"some input");
        assert!(inner.lock().state.waiting.len() <= 24);
        if driver.needs_reset() {
            driver.initialise(0);
        }
    }
}
