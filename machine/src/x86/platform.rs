//! What x86 processors ask of a PC: ports, the local APICs and what stands behind them, time; and how interrupt
//! controllers reach the processors.

use super::Entry;
use crate::board::pc::A20;
use crate::shared::{Power, Request, Shared};
use lyrebird_cpu::core::Attention;
use lyrebird_cpu::x86::maintenance::Forget;
use lyrebird_cpu::x86::{Platform, X64};
use lyrebird_devices::bus::clock::{Clock, VTime};
use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::intc::i8259::I8259;
use lyrebird_devices::intc::lapic::Lapics;
use lyrebird_devices::intc::{X86Lines, X86Signal};
use lyrebird_devices::misc::numeric_port::NumericPort;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// MSRs that belong to the local APIC.
mod msr {
    pub const APIC_BASE: u32 = 0x1B;
    pub const TSC_DEADLINE: u32 = 0x6E0;
}

/// The board's answers.
pub struct PcPlatform {
    /// Run state and gates.
    pub shared: Arc<Shared<X64>>,
    /// Virtual time.
    pub clock: Clock,
    /// I/O ports.
    pub ports: Arc<AddressSpace>,
    /// The local APICs.
    pub lapics: Arc<Lapics>,
    /// The 8259s, if there are any.
    pub pic: Option<Arc<Mutex<I8259>>>,
    /// Address line 20.
    pub a20: Arc<A20>,
    /// Where FERR# ends, if the board has that.
    numeric: OnceLock<Arc<Mutex<NumericPort>>>,
    /// Which processor is alone.
    alone: Alone,
}

impl PcPlatform {
    /// The platform of processors that share these.
    pub fn new(
        shared: Arc<Shared<X64>>,
        clock: Clock,
        ports: Arc<AddressSpace>,
        lapics: Arc<Lapics>,
        pic: Option<Arc<Mutex<I8259>>>,
        a20: Arc<A20>,
    ) -> Self {
        Self { shared, clock, ports, lapics, pic, a20, numeric: OnceLock::new(), alone: Alone::default() }
    }

    /// Leads FERR# to this chip.
    pub fn connect_numeric(&self, port: Arc<Mutex<NumericPort>>) {
        // The first connection stays.
        let _ = self.numeric.set(port);
    }
}

/// The processor that keeps all others from executing: one more than its number, or 0.
#[derive(Default)]
struct Alone(AtomicUsize);

impl Alone {
    /// Becomes the one. While another one is, `meanwhile` is called, which reads the mail.
    fn claim(&self, cpu: usize, meanwhile: &mut dyn FnMut()) {
        while self.0.compare_exchange(0, cpu + 1, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            meanwhile();
            std::thread::yield_now();
        }
    }

    /// Whether another processor is.
    fn is_another(&self, cpu: usize) -> bool {
        ![0, cpu + 1].contains(&self.0.load(Ordering::SeqCst))
    }
}

impl Platform for PcPlatform {
    fn nanoseconds(&self) -> u64 {
        self.clock.now().0
    }

    fn port_read(&self, cpu: usize, port: u16, size: u32) -> u32 {
        let size = Size::from_bytes(size.into()).unwrap_or(Size::B1);
        // A space of ports answers always.
        self.ports.read(port.into(), size, Initiator::Cpu(cpu as u16)).map_or(u32::MAX, |x| x as u32)
    }

    fn port_write(&self, cpu: usize, port: u16, size: u32, value: u32) {
        let size = Size::from_bytes(size.into()).unwrap_or(Size::B1);
        let _ = self.ports.write(port.into(), size, value.into(), Initiator::Cpu(cpu as u16));
    }

    fn acknowledge(&self, cpu: usize) -> Option<u8> {
        self.lapics.acknowledge(cpu, || self.pic.as_ref().map(|pic| pic.lock().acknowledge()))
    }

    fn read_msr(&self, cpu: usize, msr: u32) -> Option<u64> {
        match msr {
            msr::APIC_BASE => Some(self.lapics.base(cpu)),
            msr::TSC_DEADLINE => Some(self.lapics.tsc_deadline(cpu)),
            _ => self.lapics.read_msr(cpu, msr),
        }
    }

    fn write_msr(&self, cpu: usize, msr: u32, value: u64) -> Option<()> {
        match msr {
            msr::APIC_BASE => self.lapics.set_base(cpu, value),
            // The TSC counts nanoseconds of virtual time.
            msr::TSC_DEADLINE => {
                self.lapics.set_tsc_deadline(cpu, value, VTime(value));
                Some(())
            }
            _ => self.lapics.write_msr(cpu, msr, value),
        }
    }

    fn task_priority(&self, cpu: usize) -> u8 {
        self.lapics.tpr(cpu) >> 4
    }

    fn set_task_priority(&self, cpu: usize, priority: u8) {
        self.lapics.set_tpr(cpu, priority << 4);
    }

    fn random(&self) -> u64 {
        crate::bus::random()
    }

    fn fpu_error(&self, _: usize) {
        if let Some(port) = self.numeric.get() {
            port.lock().error();
        }
    }

    fn a20(&self) -> bool {
        self.a20.is_on()
    }

    fn triple_fault(&self, cpu: usize) {
        log::debug!(target: "int", "cpu {cpu} triple fault: the machine resets");
        self.shared.request(Request::Reset);
    }

    fn broadcast(&self, from: usize, what: Forget, meanwhile: &mut dyn FnMut()) {
        self.shared.broadcast(from, &what, meanwhile);
    }

    fn alone(&self, cpu: usize, meanwhile: &mut dyn FnMut()) {
        self.alone.claim(cpu, meanwhile);
        // Whoever reads this waits.
        self.shared.broadcast(cpu, &Forget::Nothing, meanwhile);
    }

    fn together(&self, _: usize) {
        self.alone.0.store(0, Ordering::SeqCst);
    }

    fn mail(&self, cpu: usize) -> Vec<Forget> {
        let mut mail = self.shared.take_mail(cpu);
        // Another one may be the next to be alone, and waits until its mail is read.
        while self.alone.is_another(cpu) {
            std::thread::yield_now();
            mail.extend(self.shared.take_mail(cpu));
        }
        mail
    }

    fn init(&self, cpu: usize) {
        self.lapics.init(cpu);
    }
}

/// The processors, for their local APICs.
pub struct Lines(pub Arc<Shared<X64>>);

impl X86Lines for Lines {
    fn signal(&self, cpu: usize, signal: X86Signal) {
        let Some(gate) = self.0.gates.get(cpu) else { return };
        match signal {
            X86Signal::Intr(level) => self.0.signal(cpu, Attention::IRQ, level),
            // The processor lowers it when it takes it.
            X86Signal::Nmi => self.0.signal(cpu, Attention::NMI, true),
            X86Signal::Smi => self.0.signal(cpu, Attention::SMI, true),
            X86Signal::Init => {
                // The boot processor starts again, the others wait for their start-up interrupt.
                *gate.power.lock() = if cpu == 0 { Power::Starting(Entry::Reset) } else { Power::Off };
                self.0.kick();
            }
            X86Signal::Sipi(vector) => {
                let mut power = gate.power.lock();
                if *power == Power::Off {
                    *power = Power::Starting(Entry::Startup(vector));
                    drop(power);
                    self.0.kick();
                }
            }
        }
    }
}
