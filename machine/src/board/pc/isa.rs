//! What hangs on a PC's ISA bus or lies at its fixed addresses: timers, clock, keyboard, DMA, diskette controller, serial
//! ports, VGA.

use super::super::Site;
use super::super::parts::{self, span};
use super::fabric::Fabric;
use super::wiring::{Ask, ask};
use crate::config::{BuildError, SerialPort};
use crate::control::Seat;
use lyrebird_cpu::x86::X64;
use lyrebird_devices::bus::device::share;
use lyrebird_devices::bus::space::AddressSpace;
use lyrebird_devices::char::uart16550::Uart16550;
use lyrebird_devices::display::vga::Vga;
use lyrebird_devices::dma::i8237::{I8237, Line};
use lyrebird_devices::input::i8042::I8042;
use lyrebird_devices::input::{KeySink, PointerSink};
use lyrebird_devices::misc::numeric_port::NumericPort;
use lyrebird_devices::misc::port92::Port92;
use lyrebird_devices::storage::fdc::Fdc;
use lyrebird_devices::time::hpet::{Hpet, LegacyGate};
use lyrebird_devices::time::i8254::I8254;
use lyrebird_devices::time::mc146818::Mc146818;
use lyrebird_ram::GuestRam;
use parking_lot::Mutex;
use std::sync::Arc;

/// Ports.
mod port {
    pub const DMA: [(&str, u64, u64, u64); 3] =
        [("dma1", 0x00, 0x10, 0), ("dma2", 0xC0, 0x20, 0x10), ("dma-page", 0x80, 0x10, 0x30)];
    pub const PIT: u64 = 0x40;
    pub const KEYBOARD: [(u64, u64); 2] = [(0x60, 0), (0x64, 1)];
    pub const PORT_B: u64 = 0x61;
    pub const RTC: u64 = 0x70;
    pub const PORT_92: u64 = 0x92;
    pub const NUMERIC: u64 = 0xF0;
    pub const SERIAL: [u64; 4] = [0x3F8, 0x2F8, 0x3E8, 0x2E8];
}

/// Interrupt lines.
mod irq {
    pub const PIT: u32 = 0;
    pub const KEYBOARD: u32 = 1;
    pub const SERIAL: [u32; 4] = [4, 3, 4, 3];
    pub const FLOPPY: u32 = 6;
    pub const RTC: u32 = 8;
    pub const MOUSE: u32 = 12;
    pub const NUMERIC: u32 = 13;
}

/// Channel of the DMA controller that diskettes use.
const FLOPPY_DMA: usize = 2;
/// Drivers of the A20 gate.
const A20_KEYBOARD: u32 = 0;
const A20_PORT_92: u32 = 1;

/// What a board wants of them.
pub(super) struct Wanted {
    /// Inputs of the I/O APIC that an HPET can drive; `None` for a board without.
    pub(super) hpet: Option<u32>,
    /// The 8254.
    pub(super) pit: bool,
    /// The keyboard controller.
    pub(super) i8042: bool,
}

/// What others ask for later.
pub(super) struct Isa {
    pub(super) rtc: Arc<Mutex<Mc146818>>,
    pub(super) floppy: Arc<Mutex<Fdc>>,
    pub(super) vga: Arc<Mutex<Vga>>,
    keyboard: Option<Arc<Mutex<I8042>>>,
    /// Which serial ports there are.
    pub(super) serials: [bool; 4],
}

impl Isa {
    /// What people see and touch.
    pub(super) fn seat(&self) -> Seat {
        let keyboard = self.keyboard.clone();
        Seat {
            screen: Some(self.vga.clone()),
            keys: keyboard.clone().map(|k| k as Arc<dyn KeySink>),
            pointer: keyboard.map(|k| k as Arc<dyn PointerSink>),
        }
    }
}

/// Puts all of them in place.
///
/// # Errors
/// When the address map does not work out, or a chardev is not there.
pub(super) fn build(
    site: &Site<'_, X64>,
    fabric: &Fabric,
    space: &Arc<AddressSpace>,
    wanted: &Wanted,
) -> Result<Isa, BuildError> {
    let Site { config, shared, clock, .. } = *site;
    let line = |n, label| fabric.gsi.wire(n, label);
    let legacy = LegacyGate::new(line(irq::PIT, "i8254"), line(irq::RTC, "rtc"));
    if wanted.pit {
        let pit = share(I8254::new(legacy.pit(), clock.clone()));
        fabric.at("i8254", port::PIT, 4, 0, pit.clone())?;
        fabric.at("i8254", port::PORT_B, 1, I8254::PORT_B, pit)?;
    }
    let rtc = share(Mc146818::new(legacy.rtc(), clock.clone(), parts::epoch(config)));
    fabric.at("mc146818", port::RTC, Mc146818::LEN, 0, rtc.clone())?;
    if let Some(capable) = wanted.hpet {
        let hpet = Hpet::new(clock.clone(), legacy, capable, |pin| {
            // The 8254's line ends at input 2.
            line(if pin == 2 { irq::PIT } else { pin }, "hpet")
        });
        space.add_device(Hpet::ADDRESS, Hpet::LEN, share(hpet)).map_err(span)?;
    }
    let mut input = None;
    if wanted.i8042 {
        let a20 = fabric.a20.wire("i8042 a20", A20_KEYBOARD);
        let (keyboard, mouse) = (line(irq::KEYBOARD, "keyboard"), line(irq::MOUSE, "mouse"));
        let chip = share(I8042::new(keyboard, mouse, a20, ask(shared, Ask::Reset)));
        for (port, reg) in port::KEYBOARD {
            fabric.at("i8042", port, 1, reg, chip.clone())?;
        }
        input = Some(chip);
    }
    let port92 = Port92::new(fabric.a20.wire("port92 a20", A20_PORT_92), ask(shared, Ask::Reset));
    fabric.at("port92", port::PORT_92, Port92::LEN, 0, share(port92))?;
    let dma = share(I8237::new(space.dma()));
    for (name, port, len, reg) in port::DMA {
        fabric.at(name, port, len, reg, dma.clone())?;
    }
    let floppy = Fdc::new(line(irq::FLOPPY, "fdc"), Arc::new(Line(dma, FLOPPY_DMA)));
    let floppy = share(floppy);
    for piece in Fdc::PORTS {
        fabric.at("fdc", piece.at, piece.len, piece.reg, floppy.clone())?;
    }
    let numeric = share(NumericPort::new(line(irq::NUMERIC, "ferr")));
    fabric.at("fpu", port::NUMERIC, NumericPort::LEN, 0, numeric.clone())?;
    fabric.platform.connect_numeric(numeric);
    let (vga, serials) = (vga(site, fabric, space)?, serials(site, fabric)?);
    Ok(Isa { rtc, floppy, vga, keyboard: input, serials })
}

/// The VGA's ports and its window; its other registers and its memory are a PCI device's.
fn vga(
    site: &Site<'_, X64>,
    fabric: &Fabric,
    space: &Arc<AddressSpace>,
) -> Result<Arc<Mutex<Vga>>, BuildError> {
    let vram = GuestRam::new(Vga::VRAM).map_err(|e| BuildError::Host(e.to_string()))?;
    let vga = share(Vga::new(vram, site.clock.clone()));
    for piece in Vga::PORTS {
        fabric.at("vga", piece.at, piece.len, piece.reg, vga.clone())?;
    }
    let window = Vga::WINDOW;
    space.add_registers("vga-lowmem", window.at, window.len, window.reg, vga.clone()).map_err(span)?;
    Ok(vga)
}

/// The serial ports: the first unless it is said that there is none, others that are named.
fn serials(site: &Site<'_, X64>, fabric: &Fabric) -> Result<[bool; 4], BuildError> {
    let mut there = [false; 4];
    for (n, (port, irq)) in port::SERIAL.into_iter().zip(irq::SERIAL).enumerate() {
        let wanted = match site.config.serials.get(n) {
            None => n == 0,
            Some(SerialPort::None) => false,
            Some(_) => true,
        };
        if wanted {
            let line = parts::serial(site.config, site.chardevs, n)?;
            let wire = fabric.gsi.wire(irq, "serial");
            let uart = share(Uart16550::new(wire, line.chardev(), site.clock.clone()));
            fabric.at("serial", port, Uart16550::LEN, 0, uart.clone())?;
            line.connect(uart);
            there[n] = true;
        }
    }
    Ok(there)
}
