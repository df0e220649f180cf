//! Devices that `-device` puts at a PC's ports: for tests and guests' reports.

use super::super::Site;
use super::super::parts::{option, span};
use super::fabric::Fabric;
use crate::config::{BuildError, DeviceConfig};
use crate::control::Shutdown;
use crate::shared::Request;
use lyrebird_cpu::x86::X64;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::Chardev;
use lyrebird_devices::misc::debugcon::Debugcon;
use lyrebird_devices::misc::isa_debug_exit::IsaDebugExit;
use lyrebird_devices::misc::pc_testdev::PcTestdev;
use lyrebird_devices::misc::pvpanic::{PanicEvent, Pvpanic};
use std::sync::Arc;

/// What a port that the user has chosen and that is taken is to him.
fn taken(e: BuildError) -> BuildError {
    match e {
        BuildError::Host(why) => option("device", format!("{why}; choose another port")),
        other => other,
    }
}

/// Puts them in place.
///
/// # Errors
/// When a port is taken, or a chardev is not there.
pub(super) fn build(site: &Site<'_, X64>, fabric: &Fabric, space: &AddressSpace) -> Result<(), BuildError> {
    for device in &site.config.devices {
        let shared = Arc::clone(site.shared);
        match device {
            DeviceConfig::DebugExit { port, len } => {
                let exit = move |code| shared.request(Request::Shutdown(Shutdown::Exit(code as i32)));
                let chip = share(IsaDebugExit::new(Box::new(exit)));
                fabric.at("isa-debug-exit", (*port).into(), (*len).into(), 0, chip).map_err(taken)?;
            }
            DeviceConfig::Debugcon { port, chardev } => {
                let line = site.chardevs.plug(chardev, "debugcon");
                let line =
                    line.ok_or_else(|| option("device", format!("there is no chardev with id '{chardev}'")))?;
                let chip = share(Debugcon::new(line as Arc<dyn Chardev>));
                fabric.at("isa-debugcon", (*port).into(), Debugcon::LEN, 0, chip).map_err(taken)?;
            }
            DeviceConfig::Pvpanic { port } => {
                let hook = move |event| match event {
                    PanicEvent::Panicked => {
                        let why = "it reports a panic through pvpanic".into();
                        shared.request(Request::Shutdown(Shutdown::GuestPanic(why)));
                    }
                    PanicEvent::CrashLoaded | PanicEvent::Shutdown => {
                        log::info!("pvpanic: the guest reports {event:?}");
                    }
                };
                let chip = share(Pvpanic::new(Box::new(hook)));
                fabric.at("pvpanic", (*port).into(), Pvpanic::LEN, 0, chip).map_err(taken)?;
            }
            DeviceConfig::PcTestdev => {
                let lines = (0..PcTestdev::IRQS as u32).map(|n| fabric.gsi.wire(n, "testdev"));
                let chip = share(PcTestdev::new(lines.collect()));
                for piece in PcTestdev::PORTS {
                    fabric.at("pc-testdev", piece.at, piece.len, piece.reg, chip.clone())?;
                }
                let piece = PcTestdev::MMIO;
                space.add_registers("pc-testdev", piece.at, piece.len, piece.reg, chip).map_err(span)?;
            }
            // On another bus.
            _ => {}
        }
    }
    Ok(())
}
