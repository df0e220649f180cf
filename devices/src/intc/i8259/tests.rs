use super::*;
use crate::bus::conformance;
use crate::bus::device::{Socket, share};
use std::sync::Arc;

struct Bench {
    pic: Arc<Mutex<I8259>>,
    intr: Wire,
    irq: Vec<Wire>,
}

impl Bench {
    fn raw() -> Bench {
        let intr = Wire::open();
        let pic = share(I8259::new(intr.clone()));
        let irq = (0..16).map(|n| Wire::new("irq", pic.clone(), n)).collect();
        Bench { pic, intr, irq }
    }
    /// As a PC's BIOS sets them up, nothing masked.
    fn new() -> Bench {
        let b = Bench::raw();
        b.init(0x01);
        b
    }
    fn init(&self, icw4: u8) {
        for (port, base, icw3) in [(0, 0x08, 4), (2, 0x70, 2)] {
            self.w(port, 0x11);
            [base, icw3, icw4, 0].iter().for_each(|&v| self.w(port + 1, v));
        }
    }
    fn r(&self, reg: u64) -> u8 {
        Socket::read(&*self.pic, reg, Size::B1, Initiator::Cpu(0)).unwrap() as u8
    }
    fn w(&self, reg: u64, value: u8) {
        Socket::write(&*self.pic, reg, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
    }
    fn ack(&self) -> u8 {
        self.pic.lock().acknowledge()
    }
}

#[test]
fn conforms() {
    conformance::check(|| I8259::new(Wire::open()), I8259::LEN);
}

#[test]
fn silent_until_initialised() {
    let b = Bench::raw();
    b.irq[0].assert();
    assert!(!b.intr.level());
    b.w(1, 0);
    assert!(!b.intr.level(), "a mask alone does not make it ready");
    b.w(0, 0x11);
    b.w(1, 0x08);
    b.w(1, 4);
    assert!(!b.intr.level());
    b.w(1, 1);
    assert!(!b.intr.level(), "ICW1 forgot the edge");
    b.irq[0].clear();
    b.irq[0].pulse();
    assert!(b.intr.level());
    assert_eq!(b.ack(), 8);
}

#[test]
fn priorities_and_ends() {
    let b = Bench::new();
    b.irq[4].pulse();
    assert_eq!((b.intr.level(), b.r(0)), (true, 0x10));
    assert_eq!(b.ack(), 0x0c);
    assert!(!b.intr.level());
    b.irq[5].pulse();
    assert!(!b.intr.level(), "of lower priority than the one in service");
    b.irq[1].pulse();
    assert_eq!(b.ack(), 0x09);
    b.w(0, 0x0b);
    assert_eq!(b.r(0), 0x12);
    b.w(0, 0x20);
    assert_eq!(b.r(0), 0x10, "the non-specific end ends the most urgent");
    b.w(0, 0x64);
    assert_eq!(b.r(0), 0);
    assert_eq!(b.ack(), 0x0d);
    b.w(0, 0x0a);
    assert_eq!(b.r(0), 0);
}

#[test]
fn cascade() {
    let b = Bench::new();
    b.irq[12].assert();
    assert_eq!(b.ack(), 0x74);
    b.irq[10].pulse();
    assert!(!b.intr.level(), "input 2 of the master is in service");
    b.w(0, 0x20);
    assert_eq!(b.ack(), 0x72);
    b.w(2, 0x20);
    b.w(2, 0x20);
    b.w(0, 0x20);
    b.w(2, 0x0b);
    assert_eq!((b.r(2), b.intr.level()), (0, false));
}

#[test]
fn special_fully_nested_mode() {
    let b = Bench::new();
    b.init(0x11);
    b.irq[12].pulse();
    assert_eq!(b.ack(), 0x74);
    b.irq[10].pulse();
    assert!(b.intr.level(), "a more urgent input of the slave interrupts");
    assert_eq!(b.ack(), 0x72);
}

#[test]
fn spurious_vectors() {
    let b = Bench::new();
    b.irq[3].pulse();
    b.w(1, 0xff);
    assert!(!b.intr.level());
    assert_eq!(b.ack(), 0x0f);
    b.w(0, 0x0b);
    assert_eq!(b.r(0), 0, "a spurious interrupt is not in service");
    b.w(1, 0);
    assert_eq!(b.ack(), 0x0b, "the request waited behind the mask");
}

#[test]
fn masks_and_special_mask_mode() {
    let b = Bench::new();
    b.irq[1].pulse();
    b.ack();
    b.irq[6].pulse();
    assert!(!b.intr.level());
    b.w(1, 0x02);
    b.w(0, 0x68);
    assert!(b.intr.level(), "masking the one in service lets the others in");
    assert_eq!(b.ack(), 0x0e);
    b.w(0, 0x20);
    b.w(0, 0x0b);
    assert_eq!(b.r(0), 0x02, "the masked one is left by the non-specific end");
    b.w(0, 0x48);
    b.w(0, 0x20);
    assert_eq!((b.r(0), b.r(1)), (0, 2));
}

#[test]
fn level_triggered_inputs_follow_their_lines() {
    let b = Bench::new();
    b.w(4, 0xff);
    b.w(5, 0xff);
    assert_eq!((b.r(4), b.r(5)), (0xf8, 0xde), "timer, keyboard and coprocessor are edges");
    b.irq[11].assert();
    assert_eq!(b.ack(), 0x73);
    b.w(2, 0x20);
    b.w(0, 0x20);
    assert_eq!(b.ack(), 0x73, "again, as the line is still high");
    b.w(2, 0x20);
    b.w(0, 0x20);
    assert!(b.intr.level());
    b.irq[11].clear();
    assert!(!b.intr.level());
    b.pic.lock().reset();
    assert_eq!(b.r(5), 0);
}

#[test]
fn rotation() {
    let b = Bench::new();
    b.w(0, 0xc3);
    b.irq[3].pulse();
    b.irq[4].pulse();
    assert_eq!(b.ack(), 0x0c, "4 comes first when 3 is last");
    b.w(0, 0xa0);
    b.irq[4].pulse();
    assert_eq!(b.ack(), 0x0b, "the one just served is last now");
    b.w(0, 0xe3);
    assert_eq!(b.ack(), 0x0c);
}

#[test]
fn automatic_end_and_poll() {
    let b = Bench::new();
    b.init(0x03);
    b.w(0, 0x80);
    b.irq[5].pulse();
    assert_eq!(b.ack(), 0x0d);
    b.w(0, 0x0b);
    assert_eq!(b.r(0), 0);
    b.irq[6].pulse();
    b.irq[5].pulse();
    assert_eq!(b.ack(), 0x0e, "rotated by the automatic end");
    let b = Bench::new();
    b.irq[1].pulse();
    b.w(0, 0x0c);
    assert_eq!(b.r(0), 0x81);
    assert!(!b.intr.level());
    b.w(0, 0x0c);
    assert_eq!(b.r(0), 0);
    b.w(0, 0x0b);
    assert_eq!(b.r(0), 2, "a poll acknowledges");
    assert!(b.pic.lock().info().starts_with("pic0: irr=00 imr=00 isr=02 hprio=0 irq_base=08 rr_sel=1"));
}
