//! The interrupt controllers of a PC together, used by eight processors at a time: nothing deadlocks, is lost, or leaves
//! a state that cannot be saved.

use lyrebird_devices::bus::clock::{Clock, VTime};
use lyrebird_devices::bus::device::{Initiator, Size, Socket, share};
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::rng::Rng;
use lyrebird_devices::intc::gsi::Gsi;
use lyrebird_devices::intc::i8259::I8259;
use lyrebird_devices::intc::ioapic::IoApic;
use lyrebird_devices::intc::lapic::Lapics;
use lyrebird_devices::intc::{EoiSink, MsiSink, X86Lines, X86Signal};
use lyrebird_devices::time::hpet::{Hpet, LegacyGate};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak, mpsc};
use std::time::Duration;

const CPUS: usize = 8;
const ACCESSES: usize = 20_000;
/// Long enough for a loaded machine; the tests take a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// INTR as the processors know it.
#[derive(Default)]
struct Cpus([AtomicBool; CPUS]);

impl X86Lines for Cpus {
    fn signal(&self, cpu: usize, signal: X86Signal) {
        if let X86Signal::Intr(level) = signal {
            assert_ne!(self.0[cpu].swap(level, Ordering::Relaxed), level, "INTR is told of changes only");
        }
    }
}

struct Pc {
    clock: Clock,
    cpus: Arc<Cpus>,
    lapics: Arc<Lapics>,
    io_apic: Arc<IoApic>,
    pic: Arc<Mutex<I8259>>,
    gsi: Arc<Gsi>,
    hpet: Arc<Mutex<Hpet>>,
    pit: Wire,
}

impl Pc {
    fn new() -> Pc {
        let (clock, cpus) = (Clock::stepped(), Arc::new(Cpus::default()));
        let ids: Vec<u32> = (0..CPUS as u32).collect();
        let lapics = Lapics::new(&ids, true, clock.clone(), cpus.clone());
        let pic = share(I8259::new(lapics.clone().lint0("8259")));
        let io_apic = IoApic::new(lapics.clone());
        let weak: Weak<dyn EoiSink> = Arc::<IoApic>::downgrade(&io_apic) as Weak<dyn EoiSink>;
        lapics.broadcast_to(weak);
        let gsi = Gsi::pc(&io_apic, |n| Some(Wire::new("8259", pic.clone(), n)));
        let gate = LegacyGate::new(gsi.wire(0, "irq 0"), gsi.wire(8, "irq 8"));
        let hpet = share(Hpet::new(clock.clone(), gate.clone(), 0xff_0104, |pin| gsi.wire(pin, "hpet")));
        Pc { clock, cpus, lapics, io_apic, pic, gsi, hpet, pit: gate.pit() }
    }

    fn sockets(&self) -> [&dyn Socket; 4] {
        [&*self.lapics, &*self.io_apic, &*self.pic, &*self.hpet]
    }

    fn lapic(&self, cpu: usize, reg: u64, value: u32) {
        self.lapics.write(reg, Size::B4, value.into(), Initiator::Cpu(cpu as u16)).unwrap();
    }

    fn entry(&self, pin: u64, value: u64) {
        for (index, half) in [(0x11 + 2 * pin, value >> 32), (0x10 + 2 * pin, value & 0xffff_ffff)] {
            self.io_apic.write(0, Size::B4, index, Initiator::Cpu(0)).unwrap();
            self.io_apic.write(0x10, Size::B4, half, Initiator::Cpu(0)).unwrap();
        }
    }

    /// One thing that a processor does.
    fn act(&self, cpu: usize, rng: &mut Rng) {
        let by = Initiator::Cpu(cpu as u16);
        let value = if rng.below(2) == 0 { rng.draw() } else { 1 << rng.below(32) };
        match rng.below(12) {
            0..4 => {
                let _ = self.lapics.write(rng.below(0x40) << 4, Size::B4, value & 0xffff_ffff, by);
            }
            4 => {
                let _ = self.lapics.write_msr(cpu, 0x800 + rng.below(0x40) as u32, value);
            }
            5 => {
                let _ = self.lapics.set_base(cpu, 0xfee0_0000 | (value & 0xc00));
            }
            6 => {
                let _ = self.io_apic.write(
                    [0, 0x10, 0x40][rng.below(3) as usize],
                    Size::B4,
                    value & 0xffff_ffff,
                    by,
                );
            }
            7 => {
                let _ = self.hpet.write(rng.below(0x160) & !7, Size::B8, value, by);
            }
            8 => self.lapics.send(0xfee0_0000 | (value & 0xf_f00c), value as u32),
            9 => {
                let _ = self.pic.write(rng.below(2), Size::B1, value & 0xff, by);
            }
            10 => self.lapics.set_tsc_deadline(cpu, value, VTime(value & 0xff_ffff)),
            _ => self.lapics.set_tpr(cpu, value as u8),
        }
        let pic = || Some(self.pic.lock().acknowledge());
        if self.cpus.0[cpu].load(Ordering::Relaxed) && self.lapics.acknowledge(cpu, pic).is_some() {
            let _ = self.lapics.write(0xb0, Size::B4, 0, by);
        }
    }

    /// What the world does meanwhile: time passes, lines move, the machine is saved, restored and reset.
    fn disturb(&self, rng: &mut Rng, wires: &[Wire]) {
        self.clock.advance_to(VTime(self.clock.now().0 + rng.below(100_000)));
        self.clock.run_expired(self.clock.now());
        wires[rng.below(wires.len() as u64) as usize].set(rng.below(2) == 0);
        match rng.below(50) {
            0 => self.sockets()[rng.below(4) as usize].reset(),
            1 => {
                let socket = self.sockets()[rng.below(4) as usize];
                socket.load(&socket.save().unwrap()).unwrap();
            }
            _ => {}
        }
    }
}

/// Fails if `test` is not done in time.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match wait.recv_timeout(PATIENCE) {
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("deadlock"),
    }
}

#[test]
fn random_use_by_eight_processors() {
    in_time(|| {
        let pc = Pc::new();
        let running = AtomicBool::new(true);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..CPUS)
                .map(|cpu| {
                    let pc = &pc;
                    scope.spawn(move || {
                        let mut rng = Rng::new(cpu as u64);
                        (0..ACCESSES).for_each(|_| pc.act(cpu, &mut rng));
                    })
                })
                .collect();
            scope.spawn(|| {
                let mut rng = Rng::new(99);
                let mut wires: Vec<Wire> = (0..24).map(|n| pc.gsi.wire(n, "test")).collect();
                wires.push(pc.pit.clone());
                while running.load(Ordering::Relaxed) {
                    pc.disturb(&mut rng, &wires);
                }
            });
            for worker in workers {
                worker.join().unwrap();
            }
            running.store(false, Ordering::Relaxed);
        });
        for cpu in 0..CPUS {
            assert_eq!(pc.cpus.0[cpu].load(Ordering::Relaxed), pc.lapics.pending(cpu));
        }
    });
}

#[test]
fn no_level_interrupt_is_lost() {
    const ROUNDS: usize = 2000;
    const FIRST_PIN: u64 = 16;
    in_time(|| {
        let pc = Pc::new();
        let devices: Vec<Mutex<Wire>> =
            (0..CPUS as u32).map(|n| Mutex::new(pc.gsi.wire(FIRST_PIN as u32 + n, "device"))).collect();
        for cpu in 0..CPUS as u64 {
            pc.lapic(cpu as usize, 0xf0, 0x1ff);
            // Level triggered, to the processor of the same number.
            pc.entry(FIRST_PIN + cpu, cpu << 56 | 0x8000 | (0x40 + 0x10 * cpu));
        }
        let running = AtomicBool::new(true);
        std::thread::scope(|scope| {
            for cpu in 0..CPUS {
                let (pc, devices, running) = (&pc, &devices, &running);
                scope.spawn(move || {
                    while running.load(Ordering::Relaxed) {
                        match pc.lapics.acknowledge(cpu, || None) {
                            Some(vector) => {
                                assert_eq!(usize::from(vector), 0x40 + 0x10 * cpu);
                                devices[cpu].lock().clear();
                                pc.lapic(cpu, 0xb0, 0);
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                });
            }
            let raisers: Vec<_> = devices
                .iter()
                .map(|device| {
                    scope.spawn(move || {
                        for _ in 0..ROUNDS {
                            device.lock().assert();
                            while device.lock().level() {
                                std::thread::yield_now();
                            }
                        }
                    })
                })
                .collect();
            for raiser in raisers {
                raiser.join().unwrap();
            }
            running.store(false, Ordering::Relaxed);
        });
    });
}
