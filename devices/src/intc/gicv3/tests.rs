use super::*;
use crate::bus::conformance;
use crate::bus::rng::Rng;

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
    gic: Arc<GicV3>,
    cpus: Arc<Cpus>,
}

const SGI0: u64 = GicV3::REDISTRIBUTORS + 0x1_0000;
const SGI1: u64 = SGI0 + GicV3::REDISTRIBUTOR_LEN;

impl Bench {
    /// Both groups on, everything in group 1, all priorities pass, as Linux sets it up.
    fn new(affinities: &[u64]) -> Bench {
        let cpus = Arc::new(Cpus::default());
        let b = Bench { gic: GicV3::new(affinities, 256, cpus.clone()), cpus };
        b.w(0, 3);
        (1..9).for_each(|i| b.w(0x80 + 4 * i, !0));
        for cpu in 0..affinities.len() {
            b.w(SGI0 + 0x80 + cpu as u64 * GicV3::REDISTRIBUTOR_LEN, !0);
            b.icc_w(cpu, Icc::Pmr, 0xff);
            b.icc_w(cpu, Icc::Igrpen0, 1);
            b.icc_w(cpu, Icc::Igrpen1, 1);
        }
        b
    }
    fn r(&self, reg: u64) -> u32 {
        self.gic.read(reg, Size::B4, Initiator::Cpu(0)).unwrap() as u32
    }
    fn w(&self, reg: u64, value: u32) {
        self.gic.write(reg, Size::B4, value.into(), Initiator::Cpu(0)).unwrap();
    }
    fn icc(&self, cpu: usize, reg: Icc) -> u64 {
        self.gic.icc_read(cpu, reg).unwrap()
    }
    fn icc_w(&self, cpu: usize, reg: Icc, value: u64) {
        self.gic.icc_write(cpu, reg, value).unwrap();
    }
    fn irq(&self, cpu: usize) -> bool {
        self.cpus.0.lock()[cpu][0]
    }
    fn fiq(&self, cpu: usize) -> bool {
        self.cpus.0.lock()[cpu][1]
    }
    fn enable(&self, intid: u64, priority: u8) {
        self.w(0x100 + intid / 32 * 4, 1 << (intid % 32));
        self.gic.write(0x400 + intid, Size::B1, priority.into(), Initiator::Cpu(0)).unwrap();
    }
}

#[test]
fn conforms() {
    for cpus in [1u64, 3] {
        let affinities: Vec<u64> = (0..cpus).collect();
        conformance::check_socket(
            || Arc::into_inner(GicV3::new(&affinities, 256, Arc::new(Cpus::default()))).unwrap(),
            GicV3::REDISTRIBUTORS + cpus * GicV3::REDISTRIBUTOR_LEN,
        );
    }
}

#[test]
fn identification() {
    let b = Bench::new(&[0, 1, 0x1_0000_0203]);
    assert_eq!(b.r(4), 0x0378_0008);
    assert_eq!(b.r(0), 0x53);
    assert_eq!(b.r(0xffe8) & 0xf0, 0x30);
    let typer = |cpu: u64| {
        let reg = GicV3::REDISTRIBUTORS + cpu * GicV3::REDISTRIBUTOR_LEN + 8;
        b.gic.read(reg, Size::B8, Initiator::Cpu(0)).unwrap()
    };
    assert_eq!(typer(1), 1 << 32 | 1 << 8);
    assert_eq!(typer(2), 0x0100_0203 << 32 | 2 << 8 | 1 << 4);
    assert_eq!(b.icc(0, Icc::Ctlr), 0x8c00);
    assert_eq!(b.icc(0, Icc::Sre), 7);
}

#[test]
fn encodings_are_distinct() {
    let mut seen = Vec::new();
    for crn in 0..16 {
        for crm in 0..16 {
            for op2 in 0..8 {
                if let Some(reg) = Icc::from_encoding(crn, crm, op2) {
                    assert!(!seen.contains(&reg), "{reg:?}");
                    seen.push(reg);
                }
            }
        }
    }
    assert_eq!(seen.len(), 26);
}

#[test]
fn level_interrupt_from_wire_to_eoi() {
    let b = Bench::new(&[0, 1]);
    let wire = b.gic.clone().spi(1, "uart").unwrap();
    b.enable(33, 0xa0);
    assert_eq!(b.icc(0, Icc::Iar1), 1023);
    wire.assert();
    assert!(b.irq(0) && !b.irq(1));
    assert_eq!(b.icc(0, Icc::Hppir1), 33);
    assert_eq!(b.icc(0, Icc::Iar0), 1023);
    assert_eq!(b.icc(0, Icc::Iar1), 33);
    assert!(!b.irq(0));
    assert_eq!(b.icc(0, Icc::Rpr), 0xa0);
    assert_eq!(b.icc(0, Icc::Ap1r(0)), 1 << 20);
    b.icc_w(0, Icc::Eoir0, 33);
    assert_eq!(b.icc(0, Icc::Rpr), 0xa0, "the end of the other group does nothing");
    b.icc_w(0, Icc::Eoir1, 33);
    assert!(b.irq(0), "the input is still high");
    wire.clear();
    assert!(!b.irq(0));
    assert_eq!((b.icc(0, Icc::Iar1), b.icc(0, Icc::Rpr)), (1023, 0xff));
}

#[test]
fn spis_follow_their_router() {
    let b = Bench::new(&[0, 1, 0x100]);
    b.enable(40, 0);
    b.w(0x204, 1 << 8);
    assert!(b.irq(0));
    b.gic.write(0x6000 + 8 * 40, Size::B8, 0x100, Initiator::Cpu(0)).unwrap();
    assert!(!b.irq(0) && b.irq(2));
    b.w(0x6000 + 8 * 40, 1 << 31 | 1);
    assert_eq!(b.r(0x6000 + 8 * 40), 1, "routing to any processor is not there");
    assert!(b.irq(1) && !b.irq(2));
    b.w(0x6000 + 8 * 40 + 4, 7);
    assert!(!b.irq(1), "no processor has this affinity");
}

#[test]
fn sgis_by_affinity() {
    let b = Bench::new(&[0, 1, 0x100, 0x111]);
    for cpu in 0..4 {
        b.w(SGI0 + 0x100 + cpu * GicV3::REDISTRIBUTOR_LEN, 0xffff);
    }
    b.icc_w(0, Icc::Sgi1r, 0b10 | 3 << 24);
    assert!(b.irq(1) && !b.irq(0) && !b.irq(2));
    assert_eq!(b.icc(1, Icc::Iar1), 3);
    b.icc_w(1, Icc::Eoir1, 3);
    b.icc_w(0, Icc::Sgi1r, 0b10 | 1 << 16 | 3 << 24);
    assert!(!b.irq(3));
    b.icc_w(0, Icc::Sgi1r, 0b10 | 1 << 16 | 1 << 44 | 3 << 24);
    assert!(b.irq(3), "the range selector adds 16 to the target list");
    b.icc_w(0, Icc::Sgi1r, 1 << 40 | 4 << 24);
    assert!(!b.irq(0) && b.irq(1) && b.irq(2));
    b.icc_w(0, Icc::Sgi0r, 1 | 5 << 24);
    assert!(!b.irq(0) && !b.fiq(0), "SGI 5 is in group 1");
    b.w(SGI0 + 0x80, !(1 << 5));
    b.icc_w(0, Icc::Sgi0r, 1 | 5 << 24);
    assert!(b.fiq(0));
    assert_eq!(b.icc(0, Icc::Iar0), 5);
}

#[test]
fn preemption_and_masks() {
    let b = Bench::new(&[0]);
    b.enable(40, 0x40);
    b.enable(41, 0x47);
    b.enable(42, 0x20);
    assert_eq!(b.r(0x428), 0x0020_4040, "five bits of priority");
    b.w(0x204, 1 << 8);
    assert_eq!(b.icc(0, Icc::Iar1), 40);
    b.w(0x204, 1 << 9);
    assert!(!b.irq(0));
    b.w(0x204, 1 << 10);
    assert!(b.irq(0));
    assert_eq!(b.icc(0, Icc::Iar1), 42);
    b.icc_w(0, Icc::Eoir1, 42);
    b.icc_w(0, Icc::Eoir1, 40);
    assert!(b.irq(0));
    b.icc_w(0, Icc::Pmr, 0x40);
    assert!(!b.irq(0));
    assert_eq!(b.icc(0, Icc::Pmr), 0x40);
    b.icc_w(0, Icc::Pmr, 0x4f);
    assert_eq!(b.icc(0, Icc::Pmr), 0x48);
    assert!(b.irq(0));
    b.icc_w(0, Icc::Igrpen1, 0);
    assert!(!b.irq(0));
}

#[test]
fn binary_points() {
    let b = Bench::new(&[0]);
    b.enable(40, 0x40);
    b.enable(42, 0x20);
    b.icc_w(0, Icc::Bpr1, 7);
    b.w(0x204, 1 << 8);
    assert_eq!((b.icc(0, Icc::Iar1), b.icc(0, Icc::Rpr)), (40, 0));
    b.w(0x204, 1 << 10);
    assert!(!b.irq(0), "with bit 7 alone, 0x20 and 0x40 are the same group priority");
    b.icc_w(0, Icc::Bpr1, 0);
    b.icc_w(0, Icc::Bpr0, 0);
    assert_eq!((b.icc(0, Icc::Bpr0), b.icc(0, Icc::Bpr1)), (2, 3));
    b.icc_w(0, Icc::Ctlr, 1);
    b.icc_w(0, Icc::Bpr0, 5);
    b.icc_w(0, Icc::Bpr1, 7);
    assert_eq!(b.icc(0, Icc::Bpr1), 6, "with a common binary point this one is read-only");
}

#[test]
fn ppi_and_separate_deactivation() {
    let b = Bench::new(&[0, 1]);
    b.w(SGI1 + 0x100, 1 << 27);
    let timer = b.gic.clone().ppi(1, 11, "timer").unwrap();
    timer.assert();
    assert!(b.irq(1) && !b.irq(0));
    b.icc_w(1, Icc::Ctlr, 2);
    assert_eq!(b.icc(1, Icc::Iar1), 27);
    b.icc_w(1, Icc::Eoir1, 27);
    assert_eq!((b.icc(1, Icc::Rpr), b.r(SGI1 + 0x300)), (0xff, 1 << 27));
    assert!(!b.irq(1));
    b.icc_w(1, Icc::Dir, 27);
    assert!(b.irq(1));
    timer.clear();
    assert!(!b.irq(1));
}

#[test]
fn registers_that_do_not_exist() {
    let b = Bench::new(&[0]);
    assert_eq!(b.gic.icc_read(0, Icc::Eoir1), None);
    assert_eq!(b.gic.icc_write(0, Icc::Iar1, 0), None);
    assert_eq!(b.gic.icc_read(0, Icc::Ap0r(1)), None);
    assert_eq!(b.gic.icc_read(1, Icc::Pmr), None, "no such processor");
    assert!(
        b.gic.read(GicV3::REDISTRIBUTORS + GicV3::REDISTRIBUTOR_LEN, Size::B4, Initiator::Cpu(0)).is_err()
    );
}

#[test]
fn random_use_of_the_cpu_interface_is_consistent() {
    let b = Bench::new(&[0, 1]);
    let wires: Vec<Wire> = (0..32).map(|n| b.gic.clone().spi(n, "random").unwrap()).collect();
    let mut rng = Rng::new(1);
    for n in 0..32 {
        b.enable(32 + n, rng.draw() as u8);
        b.w(0x6000 + 8 * (32 + n), rng.below(2) as u32);
    }
    let mut active: [Vec<u64>; 2] = Default::default();
    for _ in 0..50_000 {
        let cpu = rng.below(2) as usize;
        match rng.below(4) {
            0 | 1 => wires[rng.below(32) as usize].set(rng.below(2) != 0),
            2 => {
                let signalled = b.irq(cpu);
                let intid = b.icc(cpu, Icc::Iar1);
                assert_eq!(signalled, intid != 1023, "what is signalled can be acknowledged");
                if signalled {
                    active[cpu].push(intid);
                }
            }
            _ => {
                if let Some(intid) = active[cpu].pop() {
                    b.icc_w(cpu, Icc::Eoir1, intid);
                }
            }
        }
        assert_eq!(b.icc(cpu, Icc::Rpr) == 0xff, active[cpu].is_empty());
    }
}
