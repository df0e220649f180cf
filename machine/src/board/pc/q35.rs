//! The chips of `q35`: the MCH with memory-mapped configuration space, ICH9's LPC bridge and AHCI controller.

use super::actions::Button;
use super::chipset::{Chipset, Parts, taken};
use super::direct::{ROUTES, Value::*, Write};
use super::drives::Controller;
use crate::acpi;
use crate::config::BuildError;
use lyrebird_devices::pci::bus::{Devfn, q35_swizzle};
use lyrebird_devices::pci::ich9::{self, Lpc, LpcWires};
use lyrebird_devices::pci::q35::Mch;
use lyrebird_devices::storage::ahci::Ahci;

const HOST: Devfn = Devfn::new(0, 0);
const BRIDGE: Devfn = Devfn::new(31, 0);
const AHCI: Devfn = Devfn::new(31, 2);
/// Where configuration space is in memory, and how much.
const ECAM: u32 = 0xB000_0000;
const ECAM_LEN: u64 = 256 << 20;

pub(super) static CHIPSET: Chipset = Chipset {
    name: "q35",
    product: "Standard PC (Q35 + ICH9, 2009)",
    splits: [0xB000_0000, 0x8000_0000],
    hole: ECAM as u64 + ECAM_LEN,
    hole_64: 32 << 30,
    hpet: 0xFF_0104,
    swizzle: q35_swizzle,
    apic_lines: true,
    vga: Devfn::new(1, 0),
    controller: Controller { name: "q35", buses: 6, units: 1, path: "pci8086,2922@1f,2" },
    acpi: acpi::Chipset::Ich9 { ecam: ECAM },
    plug,
    setup: &[
        // RAM at C0000h to FFFFFh.
        Write(HOST, 0x90, Byte(0x30)),
        Write(HOST, 0x91, Byte(0x33)),
        Write(HOST, 0x92, Word(0x3333)),
        Write(HOST, 0x94, Word(0x3333)),
        Write(HOST, 0x96, Byte(0x33)),
        // Configuration space in memory.
        Write(HOST, 0x64, Long(0)),
        Write(HOST, 0x60, Long(ECAM | 1)),
        // Routes of PCI lines.
        Write(BRIDGE, 0x60, Long(ROUTES)),
        Write(BRIDGE, 0x68, Long(ROUTES)),
        // Power management at port 600h; chipset configuration registers.
        Write(BRIDGE, 0x40, Long(0x601)),
        Write(BRIDGE, 0x44, Byte(0x80)),
        Write(BRIDGE, 0xF0, Long(0xFED1_C001)),
    ],
};

fn plug(mut parts: Parts<'_>) -> Result<Button, BuildError> {
    let drives = parts.drives();
    let Parts { site, fabric, bus, router, ref shadow, .. } = parts;
    bus.plug(HOST, Mch::function(bus.clone(), shadow.clone())).map_err(taken)?;
    let wires = LpcWires { sci: parts.sci(), smi: parts.smi.clone(), power: parts.power() };
    let lpc = Lpc::function(router.clone(), site.clock.clone(), wires);
    let lpc = bus.plug(BRIDGE, lpc).map_err(taken)?;
    fabric.at("apm", ich9::APM_PORT, ich9::APM_PORTS, ich9::APM_REGION, lpc.clone())?;
    bus.plug(AHCI, Ahci::function(drives, bus.memory().dma())).map_err(taken)?;
    Ok(Box::new(move || lpc.lock().device_mut().pm().press_power_button()))
}
