//! A PCI bus: functions in slots, and the interrupt lines that their pins share.

use super::config::{LEN, reg};
use super::function::{Function, PciDevice, Slot};
use super::intx::Shared;
use crate::bus::device::{Size, Socket, share};
use crate::bus::irq::{LineSink, Wire};
use crate::bus::space::AddressSpace;
use crate::intc::MsiSink;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// Where a function is on its bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Devfn(pub u8);

impl Devfn {
    /// Function `function` (0 to 7) of slot `slot` (0 to 31).
    pub const fn new(slot: u8, function: u8) -> Devfn {
        Devfn(slot << 3 | function & 7)
    }

    /// The slot.
    pub const fn slot(self) -> u8 {
        self.0 >> 3
    }

    /// The function.
    pub const fn function(self) -> u8 {
        self.0 & 7
    }
}

/// Which line the pin `pin` (0 is INTA) of slot `slot` is wired to.
pub type Swizzle = fn(slot: u8, pin: u8) -> u32;

/// As behind an i440FX: slot 1's INTA is line 0 (PIRQA), and each slot starts one further.
pub fn i440fx_swizzle(slot: u8, pin: u8) -> u32 {
    (u32::from(slot) + u32::from(pin) + 3) & 3
}

/// As in a Q35 machine: lines 4 to 7 (PIRQE to H) in turn for the slots, lines 0 to 3 for those of the chipset.
pub fn q35_swizzle(slot: u8, pin: u8) -> u32 {
    let pin = u32::from(pin) & 3;
    match slot {
        25..=29 | 31 => pin,
        30 => 4 + pin,
        _ => 4 + ((u32::from(slot) + pin) & 3),
    }
}

/// A slot that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("PCI slot {slot}.{function} holds {holder} already; choose another with addr=")]
pub struct SlotTaken {
    /// Slot.
    pub slot: u8,
    /// Function.
    pub function: u8,
    /// What is in it.
    pub holder: &'static str,
}

/// The bus that hangs on a host bridge. Buses behind bridges are not there.
pub struct PciBus {
    memory: Arc<AddressSpace>,
    io: Arc<AddressSpace>,
    msi: Arc<dyn MsiSink>,
    lines: Arc<Shared>,
    swizzle: Swizzle,
    slots: RwLock<BTreeMap<Devfn, Arc<dyn Slot>>>,
}

impl PciBus {
    /// A bus whose functions are mapped into `memory` and `io`, send messages to `msi`, and share the lines 0 to 7 of
    /// `router`.
    pub fn new(
        memory: Arc<AddressSpace>,
        io: Arc<AddressSpace>,
        msi: Arc<dyn MsiSink>,
        swizzle: Swizzle,
        router: Arc<dyn LineSink>,
    ) -> PciBus {
        let lines = Arc::new(Shared::new(8, router));
        PciBus { memory, io, msi, lines, swizzle, slots: RwLock::default() }
    }

    /// Memory as the devices see it, and the space that they are mapped into.
    pub fn memory(&self) -> &Arc<AddressSpace> {
        &self.memory
    }

    /// The I/O ports.
    pub fn io(&self) -> &Arc<AddressSpace> {
        &self.io
    }

    /// Puts a function into a slot.
    ///
    /// # Errors
    /// When the slot is taken.
    pub fn plug<D: PciDevice + 'static>(
        &self,
        at: Devfn,
        function: Function<D>,
    ) -> Result<Arc<Mutex<Function<D>>>, SlotTaken> {
        let mut slots = self.slots.write();
        if let Some(holder) = slots.get(&at) {
            return Err(SlotTaken { slot: at.slot(), function: at.function(), holder: holder.name() });
        }
        let name = function.device().name();
        let pin = function.config().byte(reg::INTERRUPT_PIN);
        let wire = match pin.checked_sub(1) {
            None => Wire::open(),
            Some(pin) => {
                let line = (self.swizzle)(at.slot(), pin & 3);
                let letter = char::from(b'A' + (pin & 3));
                Wire::new(format!("{name} INT{letter}"), self.lines.clone(), line)
            }
        };
        let shared = share(function);
        let socket: Arc<dyn Socket> = shared.clone();
        shared.lock().attach(self.memory.clone(), self.io.clone(), Arc::downgrade(&socket), &self.msi, wire);
        slots.insert(at, shared.clone());
        Ok(shared)
    }

    /// The line that pin `pin` (0 is INTA) of a function's slot is wired to.
    pub fn line(&self, at: Devfn, pin: u8) -> u32 {
        (self.swizzle)(at.slot(), pin & 3)
    }

    /// The lowest slot with nothing in it.
    pub fn free_slot(&self) -> Option<u8> {
        let slots = self.slots.read();
        (0..32).find(|&slot| slots.keys().all(|at| at.slot() != slot))
    }

    /// The functions by slot, to be reset and saved with the machine's other devices.
    pub fn functions(&self) -> Vec<(Devfn, Arc<dyn Slot>)> {
        self.slots.read().iter().map(|(at, slot)| (*at, slot.clone())).collect()
    }

    fn function(&self, bus: u8, at: Devfn) -> Option<Arc<dyn Slot>> {
        self.slots.read().get(&at).filter(|_| bus == 0).cloned()
    }

    /// A read of configuration space; where no function is, all ones.
    pub fn config_read(&self, bus: u8, at: Devfn, offset: usize, size: Size) -> u64 {
        match self.function(bus, at) {
            Some(function) => function.config_read(offset, size),
            None => size.mask(),
        }
    }

    /// A write of configuration space; where no function is, nothing happens.
    pub fn config_write(&self, bus: u8, at: Devfn, offset: usize, size: Size, value: u64) {
        if let Some(function) = self.function(bus, at) {
            function.config_write(offset, size, value);
        }
    }

    /// The functions and their regions, as QEMU's `info pci` prints them.
    pub fn info(&self) -> String {
        let mut text = String::new();
        for (at, function) in self.functions() {
            let get = |offset, size| function.config_read(offset, size);
            let (vendor, device) = (get(0, Size::B2), get(2, Size::B2));
            let class = class_name(get(0xA, Size::B2) as u16);
            let _ = writeln!(text, "  Bus  0, device {:3}, function {}:", at.slot(), at.function());
            let _ = writeln!(text, "    {class}: PCI device {vendor:04x}:{device:04x}");
            let _ =
                writeln!(text, "      PCI subsystem {:04x}:{:04x}", get(0x2C, Size::B2), get(0x2E, Size::B2));
            let pin = get(reg::INTERRUPT_PIN, Size::B1) as u8;
            if (1..=4).contains(&pin) {
                let line = get(reg::INTERRUPT_LINE, Size::B1);
                let _ = writeln!(text, "      IRQ {line}, pin {}", char::from(b'A' + pin - 1));
            }
            text.push_str(&function.describe());
            let _ = writeln!(text, "      id \"\"");
        }
        text
    }
}

/// A class code in words.
fn class_name(class: u16) -> String {
    let name = match class {
        0x0100 => "SCSI controller",
        0x0101 => "IDE controller",
        0x0106 => "SATA controller",
        0x0200 => "Ethernet controller",
        0x0300 => "VGA controller",
        0x0600 => "Host bridge",
        0x0601 => "ISA bridge",
        0x0680 => "Bridge",
        0x0C05 => "SMBus",
        _ => return format!("Class {class:04}"),
    };
    name.into()
}

/// Bytes of a conventional configuration space, which configuration mechanism #1 reaches.
pub(super) const REACH: usize = LEN;
