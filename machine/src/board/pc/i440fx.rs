//! The chips of `pc`: i440FX, PIIX3 with its IDE function, PIIX4's power management.

use super::actions::Button;
use super::chipset::{Chipset, Parts, taken};
use super::direct::{ROUTES, Value::*, Write};
use super::drives::Controller;
use crate::acpi;
use crate::config::BuildError;
use lyrebird_devices::acpi::piix4::{self, Piix4Pm, Piix4Wires};
use lyrebird_devices::pci::bus::{Devfn, i440fx_swizzle};
use lyrebird_devices::pci::i440fx::I440fx;
use lyrebird_devices::pci::piix3::Piix3;
use lyrebird_devices::storage::ide::{self, Ide};

const HOST: Devfn = Devfn::new(0, 0);
const BRIDGE: Devfn = Devfn::new(1, 0);
const IDE: Devfn = Devfn::new(1, 1);
const POWER: Devfn = Devfn::new(1, 3);
/// Interrupts of the IDE channels.
const IDE_INTERRUPTS: [u32; 2] = [14, 15];

pub(super) static CHIPSET: Chipset = Chipset {
    name: "i440fx",
    product: "Standard PC (i440FX + PIIX, 1996)",
    splits: [0xE000_0000, 0xC000_0000],
    hole: 0,
    hole_64: 2 << 30,
    hpet: 0x4,
    swizzle: i440fx_swizzle,
    apic_lines: false,
    vga: Devfn::new(2, 0),
    controller: Controller { name: "pc", buses: 2, units: 2, path: "ide@1,1" },
    acpi: acpi::Chipset::Piix,
    plug,
    setup: &[
        // RAM at C0000h to FFFFFh.
        Write(HOST, 0x59, Byte(0x30)),
        Write(HOST, 0x5A, Word(0x3333)),
        Write(HOST, 0x5C, Long(0x3333_3333)),
        // Routes of PCI lines.
        Write(BRIDGE, 0x60, Long(ROUTES)),
        // Both IDE channels decode their ports.
        Write(IDE, 0x40, Long(0x8000_8000)),
        // Power management at port 600h, SMBus at B100h.
        Write(POWER, 0x40, Long(0x601)),
        Write(POWER, 0x80, Byte(1)),
        Write(POWER, 0x3C, Byte(9)),
        Write(POWER, 0x90, Long(0xB101)),
        Write(POWER, 0xD2, Byte(9)),
    ],
};

fn plug(mut parts: Parts<'_>) -> Result<Button, BuildError> {
    let drives = parts.drives();
    let Parts { site, fabric, bus, router, ref shadow, .. } = parts;
    bus.plug(HOST, I440fx::function(shadow.clone())).map_err(taken)?;
    bus.plug(BRIDGE, Piix3::function(router.clone())).map_err(taken)?;
    let wires = IDE_INTERRUPTS.map(|n| fabric.gsi.wire(n, "ide"));
    let ide = bus.plug(IDE, Ide::function(drives, bus.memory().dma(), wires)).map_err(taken)?;
    for (port, len, reg) in ide::PORTS {
        fabric.at("ide", port, len, reg, ide.clone())?;
    }
    let wires = Piix4Wires { sci: parts.sci(), smi: parts.smi.clone(), power: parts.power() };
    let power = bus.plug(POWER, Piix4Pm::function(site.clock.clone(), wires)).map_err(taken)?;
    fabric.at("acpi-gpe0", piix4::GPE_PORT, piix4::GPE_PORTS, piix4::GPE_REGION, power.clone())?;
    fabric.at("apm", piix4::APM_PORT, piix4::APM_PORTS, piix4::APM_REGION, power.clone())?;
    Ok(Box::new(move || power.lock().device_mut().pm().press_power_button()))
}
