//! What Arm processors ask of the board: counter and timers, the GIC's system registers, PSCI, maintenance broadcast.

use super::Entry;
use crate::control::Shutdown;
use crate::shared::{Power, Request, Shared};
use lyrebird_cpu::arm::maintenance::Forget;
use lyrebird_cpu::arm::{Arm64, FREQUENCY, Platform, Timer as ArmTimer};
use lyrebird_cpu::core::Attention;
use lyrebird_devices::bus::clock::{Clock, Timer, VTime};
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::intc::gicv3::GicV3;
use lyrebird_devices::intc::gicv3::icc::Icc;
use parking_lot::Mutex;
use std::io::Write;
use std::sync::Arc;

/// Nanoseconds of a tick of the system counter.
const TICK: u64 = 1_000_000_000 / FREQUENCY;

/// One generic timer, or the performance monitors: its output and the deadline that raises it.
struct Output {
    wire: Wire,
    timer: Timer,
}

/// Outputs of one processor's timers.
pub struct Timers {
    physical: Output,
    virt: Output,
    monitors: Output,
}

impl Timers {
    /// Timers that drive these wires.
    pub fn new(clock: &Clock, cpu: usize, physical: Wire, virt: Wire, monitors: Wire) -> Self {
        let output = |name: &str, wire: Wire| {
            let timer = clock.timer(format!("{name} timer {cpu}"));
            let up = wire.clone();
            timer.on_expiry(move |_| up.assert());
            Output { wire, timer }
        };
        Self {
            physical: output("physical", physical),
            virt: output("virtual", virt),
            monitors: output("performance monitors'", monitors),
        }
    }
}

/// The board's answers.
pub struct VirtPlatform {
    /// Run state and gates.
    pub shared: Arc<Shared<Arm64>>,
    /// Virtual time.
    pub clock: Clock,
    /// By processor.
    pub timers: Vec<Mutex<Timers>>,
    /// The GIC, if it has a system-register interface.
    pub gicv3: Option<Arc<GicV3>>,
    /// Whether semihosting is on.
    pub semihosting: bool,
}

impl VirtPlatform {
    fn affinity_index(&self, mpidr: u64) -> Option<usize> {
        (0..self.shared.gates.len()).find(|&i| crate::board::virt::affinity(i) == mpidr & 0xFF_00FF_FFFF)
    }

    /// PSCI 1.1 (DEN 0022): the result, by function.
    fn psci(&self, cpu: usize, args: [u64; 4]) -> i64 {
        const NOT_SUPPORTED: i64 = -1;
        const INVALID_PARAMETERS: i64 = -2;
        const ALREADY_ON: i64 = -4;
        match args[0] as u32 {
            0x8400_0000 => 0x1_0001,
            // CPU_SUSPEND: any power state is a wait.
            0x8400_0001 | 0xC400_0001 => 0,
            // CPU_OFF
            0x8400_0002 => {
                *self.shared.gates[cpu].power.lock() = Power::Off;
                self.shared.gates[cpu].attention.set(Attention::STOP);
                if self.shared.others_off(cpu) {
                    let why = "all its processors are off (PSCI CPU_OFF), and nothing can start one".into();
                    self.shared.request(Request::Shutdown(Shutdown::GuestPanic(why)));
                }
                0
            }
            // CPU_ON
            0x8400_0003 | 0xC400_0003 => {
                let Some(target) = self.affinity_index(args[1]) else { return INVALID_PARAMETERS };
                let mut power = self.shared.gates[target].power.lock();
                if *power != Power::Off {
                    return ALREADY_ON;
                }
                *power = Power::Starting(Entry { pc: args[2], argument: args[3] });
                drop(power);
                self.shared.kick();
                0
            }
            // AFFINITY_INFO
            0x8400_0004 | 0xC400_0004 => match self.affinity_index(args[1]) {
                Some(target) => match *self.shared.gates[target].power.lock() {
                    Power::On => 0,
                    Power::Off => 1,
                    Power::Starting(..) => 2,
                },
                None => INVALID_PARAMETERS,
            },
            // MIGRATE_INFO_TYPE: no trusted OS that would have to migrate.
            0x8400_0006 => 2,
            // SYSTEM_OFF, SYSTEM_RESET, SYSTEM_RESET2
            0x8400_0008 => {
                self.shared.request(Request::Shutdown(Shutdown::PowerOff));
                0
            }
            0x8400_0009 | 0x8400_0012 | 0xC400_0012 => {
                self.shared.request(Request::Reset);
                0
            }
            // PSCI_FEATURES
            0x8400_000A => match args[1] as u32 {
                0x8400_0000..=0x8400_0004 | 0x8400_0006 | 0x8400_0008..=0x8400_000A => 0,
                0xC400_0001 | 0xC400_0003 | 0xC400_0004 | 0x8400_0012 | 0xC400_0012 | 0x8000_0000 => 0,
                _ => NOT_SUPPORTED,
            },
            // SMCCC_VERSION
            0x8000_0000 => 0x1_0001,
            function => {
                log::debug!(target: "unimp", "cpu {cpu} firmware function {function:#010x}");
                NOT_SUPPORTED
            }
        }
    }
}

impl Platform for VirtPlatform {
    fn counter(&self) -> u64 {
        self.clock.now().0 / TICK
    }

    fn nanoseconds(&self) -> u64 {
        self.clock.now().0
    }

    fn timer(&self, cpu: usize, which: ArmTimer, control: u32, compare: u64) {
        let Some(timers) = self.timers.get(cpu) else { return };
        let timers = timers.lock();
        let output = match which {
            ArmTimer::Physical => &timers.physical,
            ArmTimer::Virtual => &timers.virt,
            ArmTimer::Monitors => &timers.monitors,
        };
        // Disarmed first, so that an old deadline cannot raise the line after it is lowered.
        output.timer.cancel();
        if control & 3 != 1 {
            output.wire.clear();
        } else if self.counter() >= compare {
            output.wire.assert();
        } else {
            output.wire.clear();
            output.timer.set(VTime(compare.saturating_mul(TICK)));
        }
    }

    fn read_register(&self, cpu: usize, code: u32) -> Option<u64> {
        self.gicv3.as_ref()?.icc_read(cpu, icc(code)?)
    }

    fn write_register(&self, cpu: usize, code: u32, value: u64) -> Option<()> {
        self.gicv3.as_ref()?.icc_write(cpu, icc(code)?, value)
    }

    fn firmware(&self, cpu: usize, smc: bool, args: [u64; 4]) -> Option<u64> {
        // The device tree says HVC; without EL3 there is nobody to take an SMC.
        if smc { None } else { Some(self.psci(cpu, args) as u64) }
    }

    fn broadcast(&self, from: usize, what: Forget, meanwhile: &mut dyn FnMut()) {
        self.shared.broadcast(from, &what, meanwhile);
    }

    fn give_way(&self, cpu: usize) {
        match self.shared.gates.get(cpu) {
            Some(gate) if self.shared.turns => gate.attention.set(Attention::STOP),
            _ => std::thread::yield_now(),
        }
    }

    fn mail(&self, cpu: usize) -> Vec<Forget> {
        self.shared.take_mail(cpu)
    }

    fn random(&self) -> u64 {
        crate::bus::random()
    }

    fn semihosting(&self) -> bool {
        self.semihosting
    }

    fn console(&self, text: &[u8]) {
        // A closed standard output is no reason to stop the guest.
        let _ = std::io::stdout().write_all(text);
        let _ = std::io::stdout().flush();
    }

    fn exit(&self, code: i32) {
        self.shared.request(Request::Shutdown(Shutdown::Exit(code)));
    }
}

/// The GIC register of a packed encoding (op0 3, op1 0).
fn icc(code: u32) -> Option<Icc> {
    Icc::from_encoding((code >> 7 & 15) as u8, (code >> 3 & 15) as u8, (code & 7) as u8)
}
