use super::*;
use crate::bus::conformance;

/// Remembers the level of each line.
#[derive(Default)]
struct Cpus(Mutex<[[bool; 2]; 8]>);

impl CpuLines for Cpus {
    fn set(&self, cpu: usize, line: CpuLine, level: bool) {
        let old = std::mem::replace(&mut self.0.lock()[cpu][line as usize], level);
        assert_ne!(old, level, "lines are told of changes only");
    }
}

struct Bench {
    gic: Arc<GicV2>,
    cpus: Arc<Cpus>,
}

const C: u64 = GicV2::CPU_INTERFACE;
const IAR: u64 = C + 0xc;
const EOIR: u64 = C + 0x10;

impl Bench {
    /// Both groups on, all priorities pass.
    fn new(n: usize) -> Bench {
        let cpus = Arc::new(Cpus::default());
        let b = Bench { gic: GicV2::new(n, 256, cpus.clone()), cpus };
        b.w(0, 0, 3);
        for cpu in 0..n {
            b.w(cpu, C, 3);
            b.w(cpu, C + 4, 0xf0);
        }
        b
    }
    fn r(&self, cpu: usize, reg: u64) -> u32 {
        self.gic.read(reg, Size::B4, Initiator::Cpu(cpu as u16)).unwrap() as u32
    }
    fn w(&self, cpu: usize, reg: u64, value: u32) {
        self.gic.write(reg, Size::B4, value.into(), Initiator::Cpu(cpu as u16)).unwrap();
    }
    fn irq(&self, cpu: usize) -> bool {
        self.cpus.0.lock()[cpu][0]
    }
    fn fiq(&self, cpu: usize) -> bool {
        self.cpus.0.lock()[cpu][1]
    }
    fn enable(&self, intid: u64, priority: u8) {
        self.w(0, 0x100 + intid / 32 * 4, 1 << (intid % 32));
        self.gic.write(0x400 + intid, Size::B1, priority.into(), Initiator::Cpu(0)).unwrap();
    }
    fn target(&self, intid: u64, cpus: u8) {
        self.gic.write(0x800 + intid, Size::B1, cpus.into(), Initiator::Cpu(0)).unwrap();
    }
}

#[test]
fn conforms() {
    for cpus in [1, 4, 8] {
        conformance::check_socket(
            || Arc::into_inner(GicV2::new(cpus, 256, Arc::new(Cpus::default()))).unwrap(),
            0x1_2000,
        );
    }
}

#[test]
fn identification() {
    let b = Bench::new(4);
    assert_eq!(b.r(0, 4), 8 | 3 << 5);
    assert_eq!(b.r(0, 0xfe8) & 0xf0, 0x20);
    assert_eq!(b.r(0, C + 0xfc) >> 16 & 0xf, 2);
}

#[test]
fn level_interrupt_from_wire_to_eoi() {
    let b = Bench::new(1);
    let wire = b.gic.clone().spi(1, "uart").unwrap();
    b.enable(33, 0xa0);
    assert_eq!(b.r(0, IAR), 1023);
    wire.assert();
    assert!(b.irq(0));
    assert_eq!(b.r(0, C + 0x18), 33);
    assert_eq!(b.r(0, IAR), 33);
    assert!(!b.irq(0), "active interrupts do not interrupt again");
    assert_eq!(b.r(0, C + 0x14), 0xa0);
    b.w(0, EOIR, 33);
    assert!(b.irq(0), "the input is still high");
    assert_eq!(b.r(0, IAR), 33);
    wire.clear();
    b.w(0, EOIR, 33);
    assert!(!b.irq(0));
    assert_eq!(b.r(0, IAR), 1023);
    assert_eq!(b.r(0, C + 0x14), 0xff);
}

#[test]
fn edge_interrupt_is_remembered_and_counts_once() {
    let b = Bench::new(1);
    let wire = b.gic.clone().spi(0, "edge").unwrap();
    b.w(0, 0xc08, 2);
    b.enable(32, 0x80);
    wire.pulse();
    wire.pulse();
    assert_eq!(b.r(0, IAR), 32);
    wire.pulse();
    b.w(0, EOIR, 32);
    assert_eq!(b.r(0, IAR), 32, "an edge while active makes it pending again");
    b.w(0, EOIR, 32);
    assert_eq!(b.r(0, IAR), 1023);
}

#[test]
fn priorities_preempt_by_group_priority() {
    let b = Bench::new(1);
    b.enable(40, 0x40);
    b.enable(41, 0x48);
    b.enable(42, 0x20);
    b.w(0, C + 8, 3);
    b.w(0, 0x204, 1 << 9);
    assert_eq!(b.r(0, IAR), 41);
    b.w(0, 0x204, 1 << 8);
    assert!(!b.irq(0), "0x40 and 0x48 are the same group priority when bits 3:0 are subpriority");
    assert_eq!(b.r(0, IAR), 1023);
    b.w(0, 0x204, 1 << 10);
    assert!(b.irq(0));
    assert_eq!(b.r(0, IAR), 42);
    assert_eq!(b.r(0, C + 0x14), 0x20);
    b.w(0, EOIR, 42);
    assert!(!b.irq(0));
    b.w(0, EOIR, 41);
    assert!(b.irq(0));
    b.w(0, C + 4, 0x40);
    assert!(!b.irq(0), "the mask lets only higher priorities pass");
}

#[test]
fn sgis_keep_their_senders_apart() {
    let b = Bench::new(4);
    b.w(1, 0xf00, 1 << 18 | 5);
    b.w(3, 0xf00, 1 << 18 | 5);
    assert!(b.irq(2) && !b.irq(0));
    assert_eq!(b.r(2, 0xf20 + 4), 0b1010 << 8);
    assert_eq!(b.r(2, IAR), 5 | 1 << 10);
    assert!(!b.irq(2));
    b.w(2, EOIR, 5 | 1 << 10);
    assert_eq!(b.r(2, IAR), 5 | 3 << 10);
    b.w(2, EOIR, 5 | 3 << 10);
    assert!(!b.irq(2));
    b.w(2, 0xf00, 1 << 24 | 7);
    assert!(b.irq(0) && b.irq(1) && !b.irq(2) && b.irq(3));
    b.w(2, 0xf00, 2 << 24 | 7);
    assert!(b.irq(2));
}

#[test]
fn ppis_are_banked_and_spis_targeted() {
    let b = Bench::new(2);
    let timer = b.gic.clone().ppi(1, 11, "timer").unwrap();
    b.w(1, 0x100, 1 << 27);
    timer.assert();
    assert!(b.irq(1) && !b.irq(0));
    assert_eq!(b.r(0, 0x200), 0);
    assert_eq!(b.r(1, 0x200), 1 << 27);
    timer.clear();
    let wire = b.gic.clone().spi(8, "spi").unwrap();
    b.enable(40, 0);
    wire.assert();
    assert!(!b.irq(0) && !b.irq(1));
    b.target(40, 0b10);
    assert!(b.irq(1));
    b.target(40, 0b01);
    assert!(b.irq(0) && !b.irq(1));
    assert_eq!(b.r(1, 0x800), 0x0202_0202, "private interrupts target the reader");
}

#[test]
fn groups_and_fiq() {
    let b = Bench::new(1);
    b.enable(32, 0);
    b.enable(33, 0);
    b.w(0, 0x84, 1 << 1);
    b.w(0, C, 3 | 1 << 3);
    b.w(0, 0x204, 1);
    assert!(b.fiq(0) && !b.irq(0));
    assert_eq!(b.r(0, C + 0x20), 1023, "the alias acknowledges group 1 only");
    assert_eq!(b.r(0, IAR), 32);
    b.w(0, EOIR, 32);
    b.w(0, 0x204, 2);
    assert!(b.irq(0) && !b.fiq(0));
    assert_eq!(b.r(0, IAR), 1022);
    assert_eq!(b.r(0, C + 0x20), 33);
    b.w(0, C + 0x24, 33);
    b.w(0, 0x204, 2);
    b.w(0, C, 7);
    assert_eq!(b.r(0, IAR), 33, "with AckCtl both groups are acknowledged alike");
}

#[test]
fn deactivation_can_be_separate() {
    let b = Bench::new(1);
    b.enable(32, 0x50);
    b.w(0, C, 1 | 1 << 9);
    b.w(0, 0x204, 1);
    assert_eq!(b.r(0, IAR), 32);
    b.w(0, EOIR, 32);
    assert_eq!((b.r(0, C + 0x14), b.r(0, 0x304)), (0xff, 1), "priority dropped, still active");
    b.w(0, C + 0x1000, 32);
    assert_eq!(b.r(0, 0x304), 0);
}

#[test]
fn reset_keeps_the_level_of_inputs() {
    let b = Bench::new(1);
    let wire = b.gic.clone().spi(1, "uart").unwrap();
    wire.assert();
    b.gic.reset();
    assert_eq!(b.r(0, 0x204), 2);
    let bytes = b.gic.save().unwrap();
    let other = GicV2::new(2, 256, Arc::new(Cpus::default()));
    assert!(other.load(&bytes).is_err(), "another number of processors");
    assert!(b.gic.clone().info().contains("33: -P-H"));
}
