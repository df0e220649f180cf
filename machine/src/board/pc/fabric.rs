//! How interrupts reach the processors of a PC, and what they ask of it.

use super::super::parts::span;
use super::wiring::A20;
use crate::config::BuildError;
use crate::shared::Shared;
use crate::x86::platform::{Lines, PcPlatform};
use lyrebird_cpu::x86::X64;
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::{Socket, share};
use lyrebird_devices::bus::irq::Wire;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::intc::gsi::Gsi;
use lyrebird_devices::intc::i8259::I8259;
use lyrebird_devices::intc::ioapic::IoApic;
use lyrebird_devices::intc::lapic::Lapics;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// Ports of the interrupt controllers.
mod port {
    pub const MASTER: u64 = 0x20;
    pub const SLAVE: u64 = 0xA0;
    pub const ELCR: u64 = 0x4D0;
}

/// Local APICs, the I/O APIC, the 8259s, and the lines that end there.
pub(super) struct Fabric {
    pub(super) ports: Arc<AddressSpace>,
    pub(super) lapics: Arc<Lapics>,
    pub(super) io_apic: Arc<IoApic>,
    pub(super) pic: Option<Arc<Mutex<I8259>>>,
    pub(super) gsi: Arc<Gsi>,
    pub(super) a20: Arc<A20>,
    pub(super) platform: Arc<PcPlatform>,
}

impl Fabric {
    /// Builds it in `space`, with 8259s if there are to be any.
    ///
    /// # Errors
    /// When the address map does not work out.
    pub(super) fn new(
        shared: &Arc<Shared<X64>>,
        clock: &Clock,
        space: &AddressSpace,
        with_pic: bool,
    ) -> Result<Self, BuildError> {
        let ports = Arc::new(AddressSpace::ports());
        let ids: Vec<u32> = (0..shared.gates.len() as u32).collect();
        let lapics = Lapics::new(&ids, true, clock.clone(), Arc::new(Lines(Arc::clone(shared))));
        space.add_device(Lapics::ADDRESS, Lapics::LEN, lapics.clone()).map_err(span)?;
        let io_apic = IoApic::new(lapics.clone());
        let weak: Weak<IoApic> = Arc::downgrade(&io_apic);
        lapics.broadcast_to(weak);
        space.add_device(IoApic::ADDRESS, IoApic::LEN, io_apic.clone()).map_err(span)?;
        let pic = with_pic.then(|| share(I8259::new(lapics.clone().lint0("8259"))));
        if let Some(pic) = &pic {
            for (port, reg) in [(port::MASTER, 0), (port::SLAVE, I8259::SLAVE), (port::ELCR, I8259::ELCR)] {
                ports.add_registers("i8259", port, 2, reg, pic.clone()).map_err(span)?;
            }
        }
        let gsi = Gsi::pc(&io_apic, |n| pic.as_ref().map(|pic| Wire::new("isa", pic.clone(), n)));
        let a20 = A20::new(shared);
        let platform = Arc::new(PcPlatform::new(
            Arc::clone(shared),
            clock.clone(),
            Arc::clone(&ports),
            Arc::clone(&lapics),
            pic.clone(),
            Arc::clone(&a20),
        ));
        Ok(Self { ports, lapics, io_apic, pic, gsi, a20, platform })
    }

    /// Puts a device at a port.
    ///
    /// # Errors
    /// When something is there.
    pub(super) fn at(
        &self,
        name: &str,
        port: u64,
        len: u64,
        reg: u64,
        device: Arc<dyn Socket>,
    ) -> Result<(), BuildError> {
        self.ports.add_registers(name, port, len, reg, device).map_err(span)
    }

    /// Has the 8259s' interrupts reach processors that have no local APIC.
    pub(super) fn without_apics(&self) {
        /// IA32_APIC_BASE: the local APIC is enabled.
        const ENABLE: u64 = 1 << 11;
        for cpu in 0..self.platform.shared.gates.len() {
            let base = self.lapics.base(cpu);
            let _ = self.lapics.set_base(cpu, base & !ENABLE);
        }
    }

    /// The controllers' state, for `info irq`.
    pub(super) fn info(&self) -> String {
        let pic = self.pic.as_ref().map_or_else(String::new, |pic| pic.lock().info());
        self.lapics.info() + &self.io_apic.info() + &pic
    }
}
