use super::*;
use crate::bus::conformance;
use crate::intc::X86Signal;
use std::sync::atomic::{AtomicU64, Ordering};

/// Remembers INTR of each processor and what else came.
#[derive(Default)]
pub(crate) struct Cpus {
    intr: Mutex<[bool; 8]>,
    events: Mutex<Vec<(usize, X86Signal)>>,
}

impl X86Lines for Cpus {
    fn signal(&self, cpu: usize, signal: X86Signal) {
        match signal {
            X86Signal::Intr(level) => {
                let old = std::mem::replace(&mut self.intr.lock()[cpu], level);
                assert_ne!(old, level, "INTR is told of changes only");
            }
            event => self.events.lock().push((cpu, event)),
        }
    }
}

struct Bench {
    apic: Arc<Lapics>,
    cpus: Arc<Cpus>,
    clock: Clock,
}

impl Bench {
    /// All software-enabled, with IDs 0, 1, 2 and so on.
    fn new(n: usize) -> Bench {
        let (cpus, clock) = (Arc::new(Cpus::default()), Clock::stepped());
        let ids: Vec<u32> = (0..n as u32).collect();
        let b = Bench { apic: Lapics::new(&ids, true, clock.clone(), cpus.clone()), cpus, clock };
        (0..n).for_each(|cpu| b.w(cpu, SVR, 0x1ff));
        b
    }
    fn r(&self, cpu: usize, reg: u32) -> u32 {
        self.apic.read(u64::from(reg) << 4, Size::B4, Initiator::Cpu(cpu as u16)).unwrap() as u32
    }
    fn w(&self, cpu: usize, reg: u32, value: u32) {
        let by = Initiator::Cpu(cpu as u16);
        self.apic.write(u64::from(reg) << 4, Size::B4, value.into(), by).unwrap();
    }
    fn intr(&self, cpu: usize) -> bool {
        let intr = self.cpus.intr.lock()[cpu];
        assert_eq!(intr, self.apic.pending(cpu));
        intr
    }
    /// The highest interrupt of `cpu`, taken.
    fn take(&self, cpu: usize) -> Option<u8> {
        self.apic.acknowledge(cpu, || None)
    }
    fn events(&self) -> Vec<(usize, X86Signal)> {
        std::mem::take(&mut *self.cpus.events.lock())
    }
    /// Sends from processor 0: high and low half of ICR.
    fn ipi(&self, dest: u8, low: u32) {
        self.w(0, ICR_HIGH, u32::from(dest) << 24);
        self.w(0, ICR, low);
    }
    /// Who has a request for `vector`.
    fn who(&self, vector: u8) -> Vec<usize> {
        (0..self.apic.cpus.len()).filter(|&cpu| self.apic.cpus[cpu].lock().state.irr.has(vector)).collect()
    }
    fn advance(&self, to: u64) {
        self.clock.advance_to(VTime(to));
        self.clock.run_expired(self.clock.now());
    }
}

#[test]
fn conforms() {
    for n in [1, 4, 8] {
        conformance::check_socket(
            || {
                let ids: Vec<u32> = (0..n).collect();
                // The lines are not checked for changes here: a socket is more than once made.
                struct Deaf;
                impl X86Lines for Deaf {
                    fn signal(&self, _: usize, _: X86Signal) {}
                }
                let lapics = Lapics::new(&ids, true, Clock::stepped(), Arc::new(Deaf));
                Arc::into_inner(lapics).unwrap()
            },
            Lapics::LEN,
        );
    }
}

#[test]
fn power_on() {
    let b = Bench::new(2);
    b.apic.reset();
    assert_eq!((b.r(1, ID), b.r(0, VERSION)), (1 << 24, 0x50014));
    assert_eq!((b.r(0, SVR), b.r(0, DFR), b.r(0, LVT)), (0xff, u32::MAX, MASKED));
    assert_eq!((b.apic.base(0), b.apic.base(1)), (0xfee0_0900, 0xfee0_0800));
    b.w(0, LVT, 0x2_0040);
    assert_eq!(b.r(0, LVT), 0x3_0040, "entries stay masked while the APIC is disabled by software");
    b.apic.send(0xfee0_0000, 0x41);
    assert!(!b.intr(0) && b.who(0x41).is_empty());
}

#[test]
fn priorities_nest() {
    let b = Bench::new(1);
    for vector in [0x31, 0x45, 0x41, 0x52] {
        b.apic.send(0xfee0_0000, vector);
    }
    assert_eq!(b.take(0), Some(0x52));
    assert_eq!((b.r(0, PPR), b.intr(0)), (0x50, false), "a lower class waits");
    b.apic.send(0xfee0_0000, 0x5f);
    assert!(!b.intr(0), "so does the same class");
    b.apic.send(0xfee0_0000, 0x60);
    assert_eq!(b.take(0), Some(0x60));
    b.w(0, EOI, 0);
    b.w(0, EOI, 0);
    assert_eq!(b.take(0), Some(0x5f));
    b.w(0, EOI, 0);
    b.apic.set_tpr(0, 0x40);
    assert_eq!((b.take(0), b.intr(0)), (None, false));
    b.apic.set_tpr(0, 0x3f);
    assert_eq!(b.r(0, PPR), 0x3f);
    assert_eq!(b.take(0), Some(0x45));
    assert_eq!(b.r(0, ISR + 2), 1 << 5);
    assert_eq!(b.r(0, IRR + 2), 1 << 1);
    b.w(0, EOI, 0);
    assert_eq!(b.take(0), Some(0x41));
    b.w(0, EOI, 0);
    assert_eq!(b.take(0), None);
    b.w(0, TPR, 0x20);
    assert_eq!((b.take(0), b.apic.tpr(0)), (Some(0x31), 0x20));
}

#[test]
fn destinations() {
    let b = Bench::new(4);
    b.ipi(2, 0x4041);
    assert_eq!(b.who(0x41), [2]);
    b.ipi(0xff, 0x4042);
    assert_eq!(b.who(0x42), [0, 1, 2, 3]);
    b.ipi(0, 0x4_4043);
    assert_eq!(b.who(0x43), [0]);
    b.ipi(0, 0xc_4044);
    assert_eq!(b.who(0x44), [1, 2, 3]);
    for cpu in 0..4 {
        b.w(cpu, LDR, 1 << (24 + cpu));
    }
    b.ipi(0b1010, 0x4845);
    assert_eq!(b.who(0x45), [1, 3]);
    for cpu in 0..4 {
        b.w(cpu, DFR, 0x0fff_ffff);
        b.w(cpu, LDR, (cpu as u32 / 2) << 28 | 1 << (24 + cpu % 2));
    }
    b.ipi(0x13, 0x4846);
    assert_eq!(b.who(0x46), [2, 3]);
    b.ipi(0x02, 0x4847);
    assert_eq!(b.who(0x47), [1]);
    b.ipi(0xff, 0x4848);
    assert_eq!(b.who(0x48), [0, 1, 2, 3]);
    b.apic.send(0xfee0_3000, 0x49);
    assert_eq!(b.who(0x49), [3]);
}

#[test]
fn lowest_priority_goes_to_one() {
    let b = Bench::new(4);
    b.apic.set_tpr(0, 0x30);
    b.apic.set_tpr(1, 0x20);
    b.w(2, SVR, 0xff);
    b.apic.set_tpr(3, 0x20);
    b.ipi(0xff, 0x4141);
    assert_eq!(b.who(0x41), [1]);
    b.apic.set_tpr(1, 0x50);
    b.ipi(0xff, 0x4142);
    assert_eq!(b.who(0x42), [3]);
}

#[test]
fn start_up() {
    let b = Bench::new(4);
    b.ipi(1, 0xc500);
    b.ipi(1, 0x8500);
    b.ipi(1, 0x4608);
    assert_eq!(b.events(), [(1, X86Signal::Init), (1, X86Signal::Sipi(8))], "de-assertion sends nothing");
    b.ipi(0, 0xc_4400);
    b.ipi(3, 0x4200);
    let nmi = |cpu| (cpu, X86Signal::Nmi);
    assert_eq!(b.events(), [nmi(1), nmi(2), nmi(3), (3, X86Signal::Smi)]);
    b.w(1, LDR, 0x0200_0000);
    b.w(1, TPR, 0x40);
    b.apic.init(1);
    assert_eq!((b.r(1, TPR), b.r(1, LDR), b.r(1, ID), b.r(1, SVR)), (0, 0, 1 << 24, 0xff));
}

#[derive(Default)]
struct Eois(Mutex<Vec<u8>>);
impl EoiSink for Eois {
    fn eoi(&self, vector: u8) {
        self.0.lock().push(vector);
    }
}

#[test]
fn eoi_is_told_for_level_interrupts_only() {
    let b = Bench::new(1);
    let eois = Arc::new(Eois::default());
    let weak: Weak<Eois> = Arc::downgrade(&eois);
    b.apic.broadcast_to(weak);
    b.apic.send(0xfee0_0000, 0x8041);
    b.apic.send(0xfee0_0000, 0x0052);
    assert_eq!(b.r(0, TMR + 2), 1 << 1);
    assert_eq!((b.take(0), b.w(0, EOI, 0)), (Some(0x52), ()));
    assert!(eois.0.lock().is_empty());
    assert_eq!((b.take(0), b.w(0, EOI, 0)), (Some(0x41), ()));
    b.w(0, EOI, 0);
    assert_eq!(*eois.0.lock(), [0x41]);
}

#[test]
fn the_8259_comes_through_lint0() {
    let b = Bench::new(2);
    let intr = b.apic.clone().lint0("8259");
    intr.assert();
    assert!(!b.intr(0), "masked after a reset");
    b.w(0, LVT + 3, 0x700);
    assert!(b.intr(0) && !b.intr(1));
    b.apic.set_tpr(0, 0xff);
    assert!(b.intr(0), "ExtINT knows no priority");
    // The 8259 lowers INTR while it is asked, which must not find a lock held.
    let inta = || {
        intr.clear();
        Some(8)
    };
    assert_eq!(b.apic.acknowledge(0, inta), Some(8));
    assert!(!b.intr(0));
    assert_eq!(b.r(0, ISR), 0, "nothing is in service");
    b.apic.set_tpr(0, 0);
    intr.assert();
    b.apic.send(0xfee0_0000, 0x41);
    assert_eq!(b.apic.acknowledge(0, || Some(8)), Some(0x41), "the local APIC's own come first");
    assert!(b.intr(0));
    b.apic.set_base(0, 0xfee0_0100).unwrap();
    assert!(b.intr(0), "without a local APIC the pin is INTR");
    intr.clear();
    assert!(!b.intr(0));
    let nmi = b.apic.clone().lint1("nmi");
    b.w(1, LVT + 4, 0x400);
    nmi.assert();
    assert_eq!(b.events(), [(0, X86Signal::Nmi), (1, X86Signal::Nmi)]);
}

#[test]
fn virtual_wire_passes_the_8259() {
    let b = Bench::new(2);
    b.apic.reset();
    b.apic.virtual_wire();
    b.apic.clone().lint0("8259").assert();
    assert!(b.intr(0) && !b.intr(1));
}

#[test]
fn lint0_as_level_interrupt() {
    let b = Bench::new(1);
    let line = b.apic.clone().lint0("line");
    b.w(0, LVT + 3, 0x8041);
    line.assert();
    assert_eq!((b.take(0), b.r(0, LVT + 3)), (Some(0x41), 0xc041));
    assert_eq!(b.take(0), None);
    b.w(0, EOI, 0);
    assert_eq!(b.take(0), Some(0x41), "the level is still there");
    line.clear();
    b.w(0, EOI, 0);
    assert_eq!((b.take(0), b.r(0, LVT + 3)), (None, 0x8041));
}

#[test]
fn timer_one_shot_and_periodic() {
    let b = Bench::new(2);
    b.w(1, DIVIDE, 3);
    b.w(1, LVT, 0x40);
    b.w(1, INITIAL_COUNT, 1000);
    b.advance(8000);
    assert_eq!(b.r(1, CURRENT_COUNT), 500);
    assert!(!b.intr(1));
    b.advance(16_000);
    assert_eq!((b.take(1), b.r(1, CURRENT_COUNT)), (Some(0x40), 0));
    b.w(1, EOI, 0);
    assert_eq!(b.clock.next_deadline(), None);
    b.w(1, LVT, 0x2_0041);
    assert_eq!(b.clock.next_deadline(), None, "a mode change alone starts nothing");
    b.w(1, INITIAL_COUNT, 10_000);
    for n in 1..=3 {
        b.advance(16_000 + n * 160_000);
        assert_eq!(b.take(1), Some(0x41));
        b.w(1, EOI, 0);
    }
    b.w(1, LVT, 0x3_0041);
    assert_eq!(b.clock.next_deadline(), None, "a masked timer needs no host timer");
    b.advance(16_000 + 4 * 160_000 + 16);
    assert_eq!((b.take(1), b.r(1, CURRENT_COUNT)), (None, 9999));
    b.w(1, INITIAL_COUNT, 0);
    b.w(1, LVT, 0x2_0041);
    assert_eq!(b.clock.next_deadline(), None);
}

#[test]
fn a_late_one_shot_is_not_lost_when_its_entry_is_written() {
    let b = Bench::new(1);
    b.w(0, DIVIDE, 0xb);
    b.w(0, LVT, 0x40);
    b.w(0, INITIAL_COUNT, 100);
    b.clock.advance_to(VTime(200));
    b.w(0, LVT, 0x41);
    assert_eq!(b.take(0), Some(0x40));
    b.w(0, EOI, 0);
    b.clock.run_expired(VTime(300));
    assert_eq!(b.take(0), None);
}

#[test]
fn tsc_deadline() {
    let b = Bench::new(1);
    b.apic.set_tsc_deadline(0, 77, VTime(500));
    assert_eq!(b.apic.tsc_deadline(0), 0, "ignored outside of its mode");
    b.w(0, LVT, 0x4_0040);
    b.w(0, INITIAL_COUNT, 5);
    assert_eq!(b.r(0, INITIAL_COUNT), 0);
    b.apic.set_tsc_deadline(0, 77, VTime(500));
    assert_eq!(b.apic.tsc_deadline(0), 77);
    b.advance(499);
    assert!(!b.intr(0));
    b.advance(500);
    assert_eq!((b.take(0), b.apic.tsc_deadline(0)), (Some(0x40), 0));
    b.w(0, EOI, 0);
    b.apic.set_tsc_deadline(0, 70, VTime(400));
    assert_eq!(b.take(0), Some(0x40), "a deadline in the past comes at once");
    b.w(0, EOI, 0);
    b.apic.set_tsc_deadline(0, 90, VTime(900));
    b.w(0, LVT, 0x40);
    b.w(0, LVT, 0x4_0040);
    b.advance(1000);
    assert_eq!(b.take(0), None, "leaving the mode drops the deadline");
}

#[test]
fn errors() {
    let b = Bench::new(2);
    b.w(0, LVT + 5, 0xfe);
    b.ipi(1, 0x4005);
    assert_eq!(b.r(0, ESR), 0, "shown after a write only");
    b.w(0, ESR, 0);
    assert_eq!((b.r(0, ESR), b.take(0)), (SEND_ILLEGAL_VECTOR, Some(0xfe)));
    b.apic.send(0xfee0_1000, 0x0f);
    b.w(1, ESR, 0);
    assert_eq!(b.r(1, ESR), RECEIVE_ILLEGAL_VECTOR);
    b.w(1, LVT + 5, 0x03);
    b.r(1, 0x3d);
    b.w(1, ESR, 0);
    assert_eq!(b.r(1, ESR), ILLEGAL_REGISTER);
    b.w(1, ESR, 0);
    assert_eq!(b.r(1, ESR), 0);
}

#[test]
fn x2apic() {
    let b = Bench::new(4);
    let msr = |reg| 0x800 + reg;
    assert_eq!(b.apic.read_msr(0, msr(ID)), None, "#GP outside of the mode");
    assert_eq!(b.apic.set_base(2, 0xfee0_0401), None, "x2APIC without enable, and a reserved bit");
    b.w(2, ID, 0x5500_0000);
    for cpu in 0..4 {
        b.apic.set_base(cpu, b.apic.base(cpu) | BASE_X2APIC).unwrap();
    }
    assert_eq!(b.apic.set_base(2, 0xfee0_0800), None, "back to xAPIC through disabled only");
    assert_eq!((b.apic.read_msr(2, msr(ID)), b.apic.read_msr(2, msr(LDR))), (Some(2), Some(4)));
    assert_eq!(b.r(2, ID), u32::MAX, "the page is gone");
    assert_eq!(b.apic.write_msr(0, msr(EOI), 1), None);
    assert_eq!(b.apic.write_msr(0, msr(ID), 1), None);
    assert_eq!(b.apic.write_msr(0, msr(LVT), 1 << 19), None);
    assert_eq!(b.apic.read_msr(0, msr(EOI)), None);
    assert_eq!(b.apic.read_msr(0, msr(DFR)), None);
    b.apic.write_msr(0, msr(ICR), 2 << 32 | 0x41).unwrap();
    assert_eq!(b.who(0x41), [2]);
    b.apic.write_msr(0, msr(ICR), 0b1010 << 32 | 0x842).unwrap();
    assert_eq!(b.who(0x42), [1, 3]);
    b.apic.write_msr(0, msr(ICR), 0xffff_ffff << 32 | 0x43).unwrap();
    assert_eq!(b.who(0x43), [0, 1, 2, 3]);
    b.apic.write_msr(0, msr(SELF_IPI), 0x44).unwrap();
    assert_eq!(b.who(0x44), [0]);
    assert_eq!(b.apic.read_msr(0, msr(ICR)), Some(0xffff_ffff_0000_0043));
    b.apic.set_base(2, 0xfee0_0000).unwrap();
    assert_eq!(b.apic.set_base(2, 0xfee0_0c00), None);
    b.apic.set_base(2, 0xfee0_0800).unwrap();
    assert_eq!((b.r(2, SVR), b.r(2, ID)), (0xff, 2 << 24));
    let old = Lapics::new(&[0], false, Clock::stepped(), Arc::new(Cpus::default()));
    assert_eq!(old.set_base(0, 0xfee0_0c00), None, "a processor without the mode");
}

#[test]
fn a_saved_timer_goes_on() {
    let b = Bench::new(1);
    b.w(0, DIVIDE, 0xb);
    b.w(0, LVT, 0x40);
    b.w(0, INITIAL_COUNT, 5000);
    let saved = b.apic.save().unwrap();
    b.apic.reset();
    assert_eq!(b.clock.next_deadline(), None);
    b.apic.load(&saved).unwrap();
    assert_eq!(b.clock.next_deadline(), Some(VTime(5000)));
    assert!(b.apic.info().contains("initial 5000"));
}

#[test]
fn eight_threads() {
    let b = Bench::new(8);
    let sent = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for cpu in 0..8 {
            let (b, sent) = (&b, &sent);
            scope.spawn(move || {
                let mut taken = 0u64;
                for n in 0..2000u32 {
                    let to = (cpu as u32 + n) % 8;
                    b.w(cpu, ICR_HIGH, to << 24);
                    b.w(cpu, ICR, 0x4000 | (0x40 + n % 0x80));
                    sent.fetch_add(1, Ordering::Relaxed);
                    b.apic.set_tpr(cpu, (n % 3 * 0x20) as u8);
                    while let Some(_vector) = b.apic.acknowledge(cpu, || None) {
                        taken += 1;
                        b.w(cpu, EOI, 0);
                    }
                }
                taken
            });
        }
    });
    for cpu in 0..8 {
        b.apic.set_tpr(cpu, 0);
        while b.take(cpu).is_some() {
            b.w(cpu, EOI, 0);
        }
        assert!(!b.intr(cpu));
    }
    assert_eq!(sent.into_inner(), 16_000);
}
