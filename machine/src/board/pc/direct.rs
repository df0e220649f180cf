//! Firmware's part when a kernel is started without it: chipset registers as SeaBIOS leaves them on QEMU's boards.

use super::fabric::Fabric;
use crate::config::{Board, Config};
use lyrebird_devices::bus::device::{Initiator, Size};
use lyrebird_devices::pci::bus::{Devfn, PciBus};

/// A write to configuration space: function, offset, value.
pub(super) struct Write(pub(super) Devfn, pub(super) usize, pub(super) Value);

/// What is written.
#[derive(Clone, Copy)]
pub(super) enum Value {
    /// One byte.
    Byte(u8),
    /// Two bytes.
    Word(u16),
    /// Four bytes.
    Long(u32),
}

/// ELCR of the second 8259, and interrupts 10 and 11 of it, which PCI lines are routed to: by level.
const ELCR_SLAVE: u64 = 0x4D1;
const PCI_INTERRUPTS: u64 = 0x0C;
/// The interrupt line register.
const INTERRUPT_LINE: usize = 0x3C;
const INTERRUPT_PIN: usize = 0x3D;
/// What lines of PCI are routed to, from PIRQA (or E) on.
pub(super) const ROUTES: u32 = 0x0B0B_0A0A;

/// Whether the machine starts a kernel without firmware.
pub(super) fn is(config: &Config) -> bool {
    let direct = matches!(&config.board, Board::Pc(pc) if pc.direct);
    direct && config.boot.kernel.is_some() && config.boot.bios.is_none()
}

/// Writes the registers: of each function the interrupt of its pin, then those of the chipset.
pub(super) fn setup(bus: &PciBus, fabric: &Fabric, writes: &[Write]) {
    for (at, function) in bus.functions() {
        let pin = function.config_read(INTERRUPT_PIN, Size::B1) as u8;
        if let Some(pin) = pin.checked_sub(1) {
            let route = bus.line(at, pin) % 4;
            let interrupt = ROUTES >> (8 * route) & 0xFF;
            function.config_write(INTERRUPT_LINE, Size::B1, interrupt.into());
        }
    }
    for Write(at, offset, value) in writes {
        let (size, value) = match *value {
            Value::Byte(v) => (Size::B1, v.into()),
            Value::Word(v) => (Size::B2, v.into()),
            Value::Long(v) => (Size::B4, v.into()),
        };
        bus.config_write(0, *at, *offset, size, value);
    }
    // A space of ports answers always.
    let _ = fabric.ports.write(ELCR_SLAVE, Size::B1, PCI_INTERRUPTS, Initiator::Cpu(0));
}
