//! The devices of the `virt` board, for tests of all of them together.

use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::Null;
use lyrebird_devices::char::pl011::Pl011;
use lyrebird_devices::gpio::button::Button;
use lyrebird_devices::gpio::pl061::Pl061;
use lyrebird_devices::intc::gicv2::GicV2;
use lyrebird_devices::intc::gicv3::GicV3;
use lyrebird_devices::intc::{CpuLine, CpuLines, Intc};
use lyrebird_devices::time::pl031::Pl031;
use parking_lot::Mutex;
use std::sync::Arc;

/// Processors that hear nothing.
struct NoCpus;

impl CpuLines for NoCpus {
    fn set(&self, _: usize, _: CpuLine, _: bool) {}
}

/// Which interrupt controller a board has.
#[derive(Clone)]
pub enum Gic {
    V2(Arc<GicV2>),
    V3(Arc<GicV3>),
}

impl Gic {
    pub fn v2(cpus: usize) -> Gic {
        Gic::V2(GicV2::new(cpus, 256, Arc::new(NoCpus)))
    }

    pub fn v3(cpus: u64) -> Gic {
        Gic::V3(GicV3::new(&(0..cpus).collect::<Vec<u64>>(), 256, Arc::new(NoCpus)))
    }

    pub fn intc(&self) -> Arc<dyn Intc> {
        match self {
            Gic::V2(gic) => gic.clone(),
            Gic::V3(gic) => gic.clone(),
        }
    }

    /// A wire to shared interrupt `n`.
    pub fn spi(&self, n: u32, label: &str) -> Wire {
        self.intc().spi(n, label).expect("the board has this interrupt")
    }
}

/// The chips at their addresses, wired to the interrupt controller.
pub struct Board {
    pub space: AddressSpace,
    pub gic: Gic,
    pub uart: Arc<Mutex<Pl011>>,
    pub button: Arc<Mutex<Button>>,
}

impl Board {
    /// The real-time clock shows 0 at virtual time 0.
    pub fn new(gic: Gic, clock: &Clock) -> Board {
        let space = AddressSpace::new();
        match &gic {
            Gic::V2(gic) => {
                space.add_device(0x800_0000, GicV2::DISTRIBUTOR_LEN, gic.clone()).unwrap();
                space.add_registers("gicc", 0x801_0000, 0x2000, GicV2::CPU_INTERFACE, gic.clone()).unwrap();
            }
            Gic::V3(gic) => {
                let (first, len) = (GicV3::REDISTRIBUTORS, 8 * GicV3::REDISTRIBUTOR_LEN);
                space.add_device(0x800_0000, GicV3::DISTRIBUTOR_LEN, gic.clone()).unwrap();
                space.add_registers("gicr", 0x80a_0000, len, first, gic.clone()).unwrap();
            }
        }
        let uart = share(Pl011::new(gic.spi(1, "pl011"), Arc::new(Null)));
        let gpio = share(Pl061::new(gic.spi(7, "pl061")));
        let button = share(Button::new(Wire::new("power button", gpio.clone(), 3), clock.clone()));
        space.add_device(0x900_0000, Pl011::LEN, uart.clone()).unwrap();
        let rtc = share(Pl031::new(gic.spi(2, "pl031"), clock.clone(), 0));
        space.add_device(0x901_0000, Pl031::LEN, rtc).unwrap();
        space.add_device(0x903_0000, Pl061::LEN, gpio).unwrap();
        Board { space, gic, uart, button }
    }
}
