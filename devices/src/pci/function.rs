//! One function of a PCI device: its header, what the guest maps of it, and the device behind.

use super::bar::{self, Bar};
use super::config::{ConfigSpace, Identity, command, reg, status};
use super::intx::Intx;
use super::msi::Msi;
use super::msix::{Msix, Table};
use crate::bus::clock::{Timer, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Socket, Timed};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use crate::bus::space::AddressSpace;
use crate::bus::span::Span;
use crate::bus::window::{Backing, Window};
use crate::intc::MsiSink;
use lyrebird_ram::GuestRam;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Weak};

/// Number of the first region that is not a base address register.
pub const OWN: usize = 8;
/// Regions that a function can have.
const REGIONS: usize = 64;
/// Bits of a register offset that are the offset in the region.
const REGION_SHIFT: u32 = 56;

/// Register offset of region `index` in a function's socket, for boards that map fixed registers with
/// [`AddressSpace::add_registers`]. Offset 0 on is the configuration space.
pub const fn region(index: usize) -> u64 {
    (index as u64 + 1) << REGION_SHIFT
}

/// Registers that a function places by its own means, not by a base address register.
pub struct Region {
    /// Its number, from [`OWN`] on.
    pub index: usize,
    /// Whether it is in I/O space.
    pub io: bool,
    /// Where it is now.
    pub span: Option<Span>,
    /// Who answers, if it is not the function itself.
    pub socket: Option<Weak<dyn Socket>>,
}

/// The device behind a function. It is called with the function's lock held.
pub trait PciDevice: Send {
    /// Name, as in QEMU's `-device`.
    fn name(&self) -> &'static str;

    /// Reads region `region` (a base address register, or one of its own) at `at`.
    ///
    /// # Errors
    /// When there is no such register.
    fn read(&mut self, _region: usize, _at: u64, _size: Size, _by: Initiator) -> BusResult<u64> {
        Err(BusError::NoRegister)
    }

    /// Writes region `region` at `at`.
    ///
    /// # Errors
    /// When there is no such register.
    fn write(&mut self, _region: usize, _at: u64, _size: Size, _value: u64, _by: Initiator) -> BusResult<()> {
        Err(BusError::NoRegister)
    }

    /// The guest is about to read `len` bytes of configuration space.
    fn config_read(&mut self, _config: &mut ConfigSpace, _at: usize, _len: usize) {}

    /// The guest wrote `len` bytes of configuration space; after reset and load, all of it changed.
    fn config_written(&mut self, _config: &mut ConfigSpace, _at: usize, _len: usize) {}

    /// Where its own regions are.
    fn regions(&self, _config: &ConfigSpace) -> Vec<Region> {
        Vec::new()
    }

    /// See [`Timed::timers`].
    fn timers(&self) -> Vec<Timer> {
        Vec::new()
    }

    /// See [`Timed::expired`].
    fn expired(&mut self, _timer: usize, _now: VTime) {}

    /// Power-on state; the configuration space is reset already.
    fn reset(&mut self);

    /// See [`Device::save`].
    ///
    /// # Errors
    /// As there.
    fn save(&self) -> Result<Vec<u8>, StateError>;

    /// See [`Device::load`].
    ///
    /// # Errors
    /// As there.
    fn load(&mut self, saved: &[u8]) -> Result<(), StateError>;
}

/// A header under construction, and the function's ways to interrupt.
pub struct Header {
    /// The configuration space.
    pub config: ConfigSpace,
    bars: [Option<Bar>; bar::COUNT],
    memory: [Option<(GuestRam, u64)>; bar::COUNT],
    intx: Intx,
    msi: Option<Msi>,
    msix: Option<Msix>,
}

impl Header {
    /// A conventional function.
    pub fn new(id: Identity) -> Header {
        Header::with(ConfigSpace::new(id))
    }

    /// A function with this configuration space.
    pub fn with(config: ConfigSpace) -> Header {
        let none = [const { None }; bar::COUNT];
        Header {
            config,
            bars: [None; bar::COUNT],
            memory: none,
            intx: Intx::default(),
            msi: None,
            msix: None,
        }
    }

    /// Adds region `index` ([`bar::ROM`] is the expansion ROM).
    pub fn bar(&mut self, index: usize, bar: Bar) {
        if let Some(slot) = self.bars.get_mut(index) {
            bar.define(&mut self.config, index);
            *slot = Some(bar);
        }
    }

    /// Adds region `index` of memory: `ram` from `offset` on.
    pub fn memory_bar(&mut self, index: usize, bar: Bar, ram: GuestRam, offset: u64) {
        self.bar(index, bar);
        if let Some(slot) = self.memory.get_mut(index) {
            *slot = Some((ram, offset));
        }
    }

    /// Uses INTx pin `pin`, 1 (A) to 4 (D), and returns it.
    pub fn pin(&mut self, pin: u8) -> Intx {
        self.config.set_pin(pin);
        self.intx.clone()
    }

    /// Adds an MSI capability; `offset` 0 is the next free place.
    pub fn msi(&mut self, offset: usize) -> Msi {
        let msi = Msi::define(&mut self.config, offset);
        self.msi = Some(msi.clone());
        msi
    }

    /// Adds an MSI-X capability, and the memory region `index` with table and pending bits.
    pub fn msix(&mut self, offset: usize, vectors: u16, index: usize) -> Msix {
        let table = u64::from(vectors) * 16;
        let pending_at = table.next_power_of_two().max(0x800);
        let len = (pending_at + u64::from(vectors).div_ceil(64) * 8).max(0x1000);
        self.bar(index, Bar::memory(len));
        let msix = Msix::define(&mut self.config, offset, vectors, index, pending_at);
        self.msix = Some(msix.clone());
        msix
    }
}

struct Attachment {
    memory: Arc<AddressSpace>,
    io: Arc<AddressSpace>,
    socket: Weak<dyn Socket>,
}

#[derive(Serialize, Deserialize)]
struct State {
    config: Vec<u8>,
    msix: Option<Table>,
    device: Vec<u8>,
}

/// A function. Its socket's registers are the configuration space, and its regions from [`region`] on.
pub struct Function<D> {
    header: Header,
    device: D,
    attachment: Option<Attachment>,
    windows: Vec<(usize, Window)>,
}

impl<D: PciDevice> Function<D> {
    /// A function that is not in a slot yet.
    pub fn new(header: Header, device: D) -> Function<D> {
        let mut function = Function { header, device, attachment: None, windows: Vec::new() };
        function.changed(0, usize::MAX);
        function
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The device, for events from outside of the guest.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// The configuration space.
    pub fn config(&self) -> &ConfigSpace {
        &self.header.config
    }

    /// Says that other functions share the slot.
    #[must_use]
    pub fn multifunction(mut self) -> Self {
        self.header.config.set_multifunction();
        self
    }

    pub(super) fn attach(
        &mut self,
        memory: Arc<AddressSpace>,
        io: Arc<AddressSpace>,
        socket: Weak<dyn Socket>,
        msi: &Arc<dyn MsiSink>,
        wire: Wire,
    ) {
        self.attachment = Some(Attachment { memory, io, socket });
        self.header.intx.connect(wire);
        if let Some(own) = &self.header.msi {
            own.connect(msi.clone());
        }
        if let Some(own) = &self.header.msix {
            own.connect(msi.clone());
        }
        self.place();
    }

    /// A read of configuration space; bytes beyond its end are all ones.
    pub fn config_read(&mut self, at: usize, size: Size) -> u64 {
        let len = size.bytes() as usize;
        self.device.config_read(&mut self.header.config, at, len);
        let pending = self.header.intx.level();
        (0..len).rev().fold(0, |value, i| {
            let at = at.saturating_add(i);
            let mut byte = self.header.config.byte(at);
            if at == reg::STATUS && pending {
                byte |= status::INTERRUPT as u8;
            }
            value << 8 | u64::from(byte)
        })
    }

    /// A write of configuration space.
    pub fn config_write(&mut self, at: usize, size: Size, value: u64) {
        for (i, &byte) in value.to_le_bytes().iter().take(size.bytes() as usize).enumerate() {
            self.header.config.write_byte(at.saturating_add(i), byte);
        }
        self.changed(at, size.bytes() as usize);
    }

    /// Follows the configuration space.
    fn changed(&mut self, at: usize, len: usize) {
        let header = &mut self.header;
        if let Some(msi) = &header.msi {
            msi.update(&header.config);
        }
        if let Some(msix) = &header.msix {
            msix.update(&header.config);
        }
        let messages =
            header.msi.as_ref().is_some_and(Msi::enabled) || header.msix.as_ref().is_some_and(Msix::enabled);
        header.intx.mask(messages || header.config.command() & command::INTX_DISABLE != 0);
        self.device.config_written(&mut header.config, at, len);
        self.place();
    }

    /// Puts all windows where the guest wants them.
    fn place(&mut self) {
        let Some(attachment) = &self.attachment else { return };
        let bars = self.header.bars.iter().zip(&self.header.memory).enumerate();
        let mut wanted: Vec<(Region, Option<&(GuestRam, u64)>, bool)> = bars
            .filter_map(|(index, (bar, memory))| {
                let bar = (*bar)?;
                let span = bar.place(&self.header.config, index);
                let rom = bar.kind == bar::Kind::Rom;
                Some((Region { index, io: bar.is_io(), span, socket: None }, memory.as_ref(), rom))
            })
            .collect();
        wanted.extend(self.device.regions(&self.header.config).into_iter().map(|r| (r, None, false)));
        for (wish, memory, rom) in wanted {
            let known = self.windows.iter().position(|w| w.0 == wish.index);
            let at = known.unwrap_or_else(|| {
                let space = if wish.io { &attachment.io } else { &attachment.memory };
                let backing = match memory {
                    Some((ram, offset)) => Backing::Memory { ram: ram.clone(), offset: *offset, rom },
                    None => {
                        let reg = if wish.socket.is_some() { 0 } else { region(wish.index) };
                        let socket = wish.socket.clone().unwrap_or_else(|| attachment.socket.clone());
                        Backing::Registers { socket, reg }
                    }
                };
                let name = format!("{} region {}", self.device.name(), wish.index);
                self.windows.push((wish.index, Window::new(space.clone(), &name, backing)));
                self.windows.len() - 1
            });
            if let Some((_, window)) = self.windows.get(at) {
                window.place(wish.span);
            }
        }
    }

    /// Lines for `info pci`: the regions.
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        for (index, bar) in self.header.bars.iter().enumerate() {
            let Some(bar) = bar else { continue };
            let kind = match bar.kind {
                bar::Kind::Io => "I/O",
                bar::Kind::Memory32 { prefetchable: false } | bar::Kind::Rom => "32 bit memory",
                bar::Kind::Memory32 { prefetchable: true } => "32 bit prefetchable memory",
                bar::Kind::Memory64 { prefetchable: false } => "64 bit memory",
                bar::Kind::Memory64 { prefetchable: true } => "64 bit prefetchable memory",
            };
            let place = match bar.place(&self.header.config, index) {
                None => "(not mapped)".into(),
                Some(s) if bar.is_io() => format!("at 0x{:04x} [0x{:04x}]", s.first(), s.last()),
                Some(s) => format!("at 0x{:08x} [0x{:08x}]", s.first(), s.last()),
            };
            text.push_str(&format!("      BAR{index}: {kind} {place}\n"));
        }
        text
    }
}

impl<D: PciDevice> Device for Function<D> {
    fn name(&self) -> &'static str {
        self.device.name()
    }

    fn reset(&mut self) {
        self.header.config.reset();
        if let Some(msix) = &self.header.msix {
            msix.reset();
        }
        self.device.reset();
        self.changed(0, usize::MAX);
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        // The device comes first: it finishes what it has begun, which may send messages.
        let device = self.device.save()?;
        let msix = self.header.msix.as_ref().map(Msix::saved);
        snapshot::save(&State { config: self.header.config.saved(), msix, device })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        let config = self.header.config.checked(&state.config)?;
        match (&self.header.msix, &state.msix) {
            (Some(msix), Some(table)) => msix.check(table)?,
            (None, None) => {}
            _ => require(false, "MSI-X is there in one and not in the other")?,
        }
        self.device.load(&state.device)?;
        self.header.config = config;
        if let (Some(msix), Some(table)) = (&self.header.msix, state.msix) {
            msix.load(table);
        }
        self.changed(0, usize::MAX);
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl<D: PciDevice> Timed for Function<D> {
    fn timers(&self) -> Vec<Timer> {
        self.device.timers()
    }

    fn expired(&mut self, timer: usize, now: VTime) {
        self.device.expired(timer, now);
    }
}

/// Region and offset of a register; region `None` is the configuration space.
fn split(reg: u64) -> Option<(Option<usize>, u64)> {
    let (index, at) = ((reg >> REGION_SHIFT) as usize, reg & ((1 << REGION_SHIFT) - 1));
    (index <= REGIONS).then(|| (index.checked_sub(1), at))
}

impl<D: PciDevice> Io for Function<D> {
    fn read(&mut self, reg: u64, size: Size, by: Initiator) -> BusResult<u64> {
        match split(reg).ok_or(BusError::NoRegister)? {
            (None, at) if at < self.header.config.len() as u64 => Ok(self.config_read(at as usize, size)),
            (None, _) => Err(BusError::NoRegister),
            (Some(index), at) => match &self.header.msix {
                Some(msix) if msix.claims(index, at) => Ok(msix.read(at, size)),
                _ => self.device.read(index, at, size, by),
            },
        }
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, by: Initiator) -> BusResult<()> {
        match split(reg).ok_or(BusError::NoRegister)? {
            (None, at) if at < self.header.config.len() as u64 => {
                self.config_write(at as usize, size, value);
                Ok(())
            }
            (None, _) => Err(BusError::NoRegister),
            (Some(index), at) => match &self.header.msix {
                Some(msix) if msix.claims(index, at) => {
                    msix.write(at, size, value);
                    Ok(())
                }
                _ => self.device.write(index, at, size, value, by),
            },
        }
    }
}

/// A function as the bus holds it.
pub trait Slot: Socket {
    /// See [`Function::config_read`].
    fn config_read(&self, at: usize, size: Size) -> u64;
    /// See [`Function::config_write`].
    fn config_write(&self, at: usize, size: Size, value: u64);
    /// Lines that list its regions.
    fn describe(&self) -> String;
}

impl<D: PciDevice> Slot for Mutex<Function<D>> {
    fn config_read(&self, at: usize, size: Size) -> u64 {
        self.lock().config_read(at, size)
    }
    fn config_write(&self, at: usize, size: Size, value: u64) {
        self.lock().config_write(at, size, value);
    }
    fn describe(&self) -> String {
        self.lock().describe()
    }
}
