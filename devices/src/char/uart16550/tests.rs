use super::super::{Capture, Null};
use super::*;
use crate::bus::conformance;
use crate::bus::device::{Socket, share};
use parking_lot::Mutex;

struct Bench {
    uart: Arc<Mutex<Uart16550>>,
    line: Arc<Capture>,
    irq: Wire,
    clock: Clock,
}

impl Bench {
    fn new() -> Bench {
        let (line, irq, clock) = (Capture::new(), Wire::open(), Clock::stepped());
        let uart = share(Uart16550::new(irq.clone(), line.clone(), clock.clone()));
        Bench { uart, line, irq, clock }
    }
    fn r(&self, reg: u64) -> u8 {
        Socket::read(&*self.uart, reg, Size::B1, Initiator::Cpu(0)).unwrap() as u8
    }
    fn w(&self, reg: u64, value: u8) {
        Socket::write(&*self.uart, reg, Size::B1, value.into(), Initiator::Cpu(0)).unwrap();
    }
}

#[test]
fn conforms() {
    let make = || Uart16550::new(Wire::open(), Arc::new(Null), Clock::stepped());
    conformance::check(make, Uart16550::LEN);
}

#[test]
fn registers_after_reset() {
    let b = Bench::new();
    let values: Vec<u8> = (1..8).map(|reg| b.r(reg)).collect();
    assert_eq!(values, [0, 0x01, 0, 0x08, 0x60, 0xb0, 0]);
    b.w(LCR, 0x83);
    assert_eq!((b.r(0), b.r(1)), (12, 0));
    b.w(1, 0x12);
    b.w(0, 0x34);
    b.w(LCR, 3);
    b.w(IER, 0xff);
    assert_eq!(b.r(IER), 0xf, "the upper half of IER is zero");
    assert_eq!(b.uart.lock().state.divisor, 0x1234);
}

#[test]
fn a_driver_recognises_a_16550a() {
    let b = Bench::new();
    b.w(FCR_REG, 1);
    assert_eq!(b.r(IIR_FCR) >> 6, 3, "FIFOs that work");
    b.w(FCR_REG, 0x21);
    assert_eq!(b.r(IIR_FCR) >> 5, 6, "and are not 64 deep");
    b.w(FCR_REG, 0);
    assert_eq!(b.r(IIR_FCR), 1);
    b.w(MCR, 0x1a);
    assert_eq!(b.r(MSR) & 0xf0, 0x90, "RTS and OUT2 loop back to CTS and DCD");
    b.w(SCR, 0xa5);
    assert_eq!(b.r(SCR), 0xa5);
}
const FCR_REG: u64 = IIR_FCR;

#[test]
fn transmitter_interrupts() {
    let b = Bench::new();
    b.w(IER, IER_THRE);
    assert!(b.irq.level(), "enabling tells that it is empty");
    assert_eq!(b.r(IIR_FCR), IIR_THRE);
    assert!(!b.irq.level(), "reading the source clears it");
    b.w(RBR_THR, b'x');
    assert_eq!(b.line.take(), b"x");
    assert!(b.irq.level());
    b.w(IER, 0);
    assert!(!b.irq.level());
    b.w(IER, IER_THRE);
    assert_eq!(b.r(IIR_FCR), IIR_THRE);
    assert_eq!(b.r(IIR_FCR), IIR_NONE);
}

#[test]
fn output_waits_for_room() {
    let b = Bench::new();
    b.w(IIR_FCR, 1);
    b.w(IER, IER_THRE);
    b.r(IIR_FCR);
    b.line.set_room(Some(1));
    (0..18).for_each(|n| b.w(RBR_THR, b'a' + n));
    assert_eq!(b.line.take(), b"a");
    assert_eq!((b.r(LSR), b.irq.level()), (0, false));
    b.line.set_room(Some(15));
    b.uart.lock().drain();
    assert!(!b.irq.level(), "one character is left");
    b.line.set_room(None);
    b.uart.lock().drain();
    assert_eq!(b.line.take(), b"bcdefghijklmnopq");
    assert_eq!((b.r(LSR), b.irq.level()), (0x60, true));
}

#[test]
fn trigger_level_and_timeout() {
    let b = Bench::new();
    b.w(LCR, 0x83);
    b.w(RBR_THR, 1);
    b.w(LCR, 3);
    b.w(IIR_FCR, 0x81);
    b.w(IER, IER_RDA);
    assert_eq!(b.uart.lock().receive(b"1234567"), 7);
    assert!(!b.irq.level(), "seven are below the level of eight");
    let deadline = b.clock.next_deadline().unwrap();
    assert_eq!(deadline.0, 4 * 10 * VTime::SECOND / 115_200);
    b.clock.advance_to(deadline);
    b.clock.run_expired(deadline);
    assert!(b.irq.level());
    assert_eq!(b.r(IIR_FCR), 0xcc);
    assert_eq!(b.r(RBR_THR), b'1');
    assert!(!b.irq.level(), "reading a character starts the time again");
    b.uart.lock().receive(b"89");
    assert_eq!(b.r(IIR_FCR), 0xc4);
    let rest: Vec<u8> = (0..8).map(|_| b.r(RBR_THR)).collect();
    assert_eq!(rest, b"23456789");
    assert_eq!((b.r(LSR), b.r(IIR_FCR), b.clock.next_deadline()), (0x60, 0xc1, None));
}

#[test]
fn full_fifo_overruns_and_breaks() {
    let b = Bench::new();
    b.w(IIR_FCR, 1);
    b.w(IER, IER_RLS);
    assert_eq!(b.uart.lock().receive(b"0123456789abcdefXYZ"), 16);
    b.uart.lock().receive_break();
    assert!(b.irq.level());
    assert_eq!(b.r(IIR_FCR), 0xc6);
    assert_eq!(b.r(LSR), LSR_DR | LSR_OE | LSR_THRE | LSR_TEMT);
    assert_eq!(b.r(LSR) & LSR_OE, 0, "reading clears it");
    b.r(RBR_THR);
    b.uart.lock().receive_break();
    assert_eq!(b.r(LSR) & (LSR_BI | LSR_FIFO_ERROR), LSR_FIFO_ERROR, "not yet at the top");
    (0..15).for_each(|_| assert_ne!(b.r(RBR_THR), 0));
    assert_eq!(b.r(LSR) & (LSR_BI | LSR_FIFO_ERROR), LSR_BI);
    assert_eq!(b.r(RBR_THR), 0);
    b.w(IIR_FCR, 3);
    assert_eq!(b.r(LSR), 0x60);
}

#[test]
fn loopback_of_data_and_modem_lines() {
    let b = Bench::new();
    b.w(MCR, MCR_LOOP);
    b.r(MSR);
    b.w(MCR, MCR_LOOP | MCR_OUT1 | MCR_DTR);
    assert_eq!(b.r(MSR), MSR_RI | MSR_DSR | 2, "the ring indicator tells when it ends");
    b.w(MCR, MCR_LOOP);
    assert_eq!(b.r(MSR), 2 | MSR_TERI);
    b.w(RBR_THR, 0x5a);
    assert_eq!(b.line.take(), b"");
    assert_eq!(b.uart.lock().receive(b"lost"), 4);
    assert_eq!(b.r(RBR_THR), 0x5a);
    b.w(RBR_THR, 1);
    b.w(RBR_THR, 2);
    assert_eq!(b.r(LSR) & LSR_OE, LSR_OE);
    assert_eq!(b.r(RBR_THR), 2, "without FIFOs the later character stays");
}
