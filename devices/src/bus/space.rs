//! Where things are: the guest-physical address space of a machine.
//!
//! Processors find RAM by themselves, without a lock; they come here for everything else, and to fill their TLBs.
//!
//! An x86 machine has a second space, of I/O ports ([`AddressSpace::ports`]), whose bus is ISA's: an access that a
//! device does not take at its width is split into two of half the width, and what nobody answers reads as ones.

use super::device::{BusError, BusResult, Initiator, Size, Socket};
use super::dma::Dma;
use super::memory::{Block, Memory};
use super::report::{self, Limiter};
use super::span::{Span, SpanError};
use super::window::{Backing, Placed};
use lyrebird_ram::GuestRam;
use parking_lot::RwLock;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone)]
struct Mapping {
    span: Span,
    /// Register offset that the first address of the span stands for.
    reg: u64,
    socket: Arc<dyn Socket>,
    name: Arc<str>,
    limiter: Arc<Limiter>,
}

/// A piece of a device's registers, and where machines have it: for [`AddressSpace::add_registers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// First register offset.
    pub reg: u64,
    /// Port or guest-physical address.
    pub at: u64,
    /// Bytes.
    pub len: u64,
}

/// I/O ports there are. A wide access that begins at the last of them reaches beyond, where nothing answers.
pub const PORTS: u64 = 0x1_0000;

/// Spans of memory and devices, none overlapping another, and the windows that guests move over them.
#[derive(Default)]
pub struct AddressSpace {
    memory: Arc<Memory>,
    mappings: RwLock<Vec<Mapping>>,
    /// The one that was placed last comes first.
    windows: RwLock<Vec<Placed>>,
    next_window: AtomicU64,
    unassigned: Limiter,
    rom_writes: Limiter,
    ports: bool,
}

impl AddressSpace {
    /// An empty address space.
    pub fn new() -> AddressSpace {
        AddressSpace::default()
    }

    /// An empty space of I/O ports: accesses never fail, see [`PORTS`].
    pub fn ports() -> AddressSpace {
        AddressSpace { ports: true, ..AddressSpace::default() }
    }

    /// The RAM and ROM in it.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// A handle for a device that reads and writes this space's memory.
    pub fn dma(&self) -> Dma {
        Dma::new(self.memory.clone())
    }

    /// Places all of `ram` at `base`.
    ///
    /// # Errors
    /// When something else is there.
    pub fn add_ram(&self, name: &str, base: u64, ram: GuestRam) -> Result<(), SpanError> {
        self.add_block(name, base, ram, false)
    }

    /// Places all of `rom` at `base`; guests read and run it, their writes are ignored.
    ///
    /// # Errors
    /// When something else is there.
    pub fn add_rom(&self, name: &str, base: u64, rom: GuestRam) -> Result<(), SpanError> {
        self.add_block(name, base, rom, true)
    }

    fn add_block(&self, name: &str, base: u64, ram: GuestRam, rom: bool) -> Result<(), SpanError> {
        self.add_ram_part(name, base, &ram, 0, ram.len(), rom)
    }

    /// Places `len` bytes of `ram` from `offset` on at `base`, as ROM if `rom` says so: several blocks of an address
    /// space may share one mapping.
    ///
    /// # Errors
    /// When something else is there.
    pub fn add_ram_part(
        &self,
        name: &str,
        base: u64,
        ram: &GuestRam,
        offset: u64,
        len: u64,
        rom: bool,
    ) -> Result<(), SpanError> {
        let span = Span::new(base, len)?;
        let mappings = self.mappings.read();
        clash(&mappings, name, span)?;
        self.memory.place(Block { name: name.into(), span, ram: ram.clone(), offset, rom })
    }

    /// Places the first `len` bytes of a device's registers at `base`.
    ///
    /// # Errors
    /// When something else is there.
    pub fn add_device(&self, base: u64, len: u64, socket: Arc<dyn Socket>) -> Result<(), SpanError> {
        let name = socket.name();
        self.add_registers(name, base, len, 0, socket)
    }

    /// Places `len` bytes of a device's registers, from register offset `reg` on, at `base`, under a name of their own.
    ///
    /// # Errors
    /// When something else is there.
    pub fn add_registers(
        &self,
        name: &str,
        base: u64,
        len: u64,
        reg: u64,
        socket: Arc<dyn Socket>,
    ) -> Result<(), SpanError> {
        let span = Span::new(base, len)?;
        let mut mappings = self.mappings.write();
        clash(&mappings, name, span)?;
        if let Some(block) = self.memory.blocks().into_iter().find(|b| b.span.overlaps(span)) {
            return Err(overlap(name, span, &block.name, block.span));
        }
        mappings.push(Mapping { span, reg, socket, name: name.into(), limiter: Arc::new(Limiter::new()) });
        mappings.sort_by_key(|m| m.span.first());
        Ok(())
    }

    fn mapping(&self, gpa: u64) -> Option<Mapping> {
        let mappings = self.mappings.read();
        let after = mappings.partition_point(|m| m.span.first() <= gpa);
        mappings.get(after.checked_sub(1)?).filter(|m| m.span.contains(gpa)).cloned()
    }

    /// The window of registers at `gpa`, where nothing else is.
    fn window(&self, gpa: u64) -> Option<Mapping> {
        let windows = self.windows.read();
        windows.iter().filter(|w| w.span.contains(gpa)).find_map(|w| match &w.backing {
            Backing::Registers { socket, reg } => Some(Mapping {
                span: w.span,
                reg: *reg,
                socket: socket.upgrade()?,
                name: w.name.clone(),
                limiter: w.limiter.clone(),
            }),
            Backing::Memory { .. } => None,
        })
    }

    pub(super) fn next_window(&self) -> u64 {
        self.next_window.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn window_span(&self, id: u64) -> Option<Span> {
        self.windows.read().iter().find(|w| w.id == id).map(|w| w.span)
    }

    /// Moves a window, and shows the windows of memory that there is room for then.
    pub(super) fn place_window(&self, id: u64, placed: Option<Placed>) {
        let mut windows = self.windows.write();
        let old = windows.iter().position(|w| w.id == id);
        if old.and_then(|at| windows.get(at)).map(|w| w.span) == placed.as_ref().map(|w| w.span) {
            return;
        }
        let hidden = old.map(|at| windows.remove(at)).filter(|w| w.visible);
        if let Some(window) = placed {
            windows.insert(0, window);
        }
        if let Some(window) = hidden {
            self.memory.remove(window.span);
        }
        let mappings = self.mappings.read();
        for window in windows.iter_mut().filter(|w| !w.visible) {
            let Some(block) = window.block() else { continue };
            if clash(&mappings, &block.name, block.span).is_ok() {
                window.visible = self.memory.place(block).is_ok();
            }
        }
    }

    fn read_registers(&self, m: &Mapping, gpa: u64, size: Size, by: Initiator) -> u64 {
        let reg = m.reg.wrapping_add(gpa - m.span.first());
        let read = if m.span.contains_all(gpa, size.bytes()) {
            m.socket.read(reg, size, by)
        } else {
            Err(BusError::BadSize)
        };
        match read {
            Ok(value) => value & size.mask(),
            Err(e) => {
                report::failed(&m.limiter, e, &m.name, gpa, size, None, by);
                0
            }
        }
    }

    fn write_registers(&self, m: &Mapping, gpa: u64, size: Size, value: u64, by: Initiator) {
        let reg = m.reg.wrapping_add(gpa - m.span.first());
        let wrote = if m.span.contains_all(gpa, size.bytes()) {
            m.socket.write(reg, size, value, by)
        } else {
            Err(BusError::BadSize)
        };
        if let Err(e) = wrote {
            report::failed(&m.limiter, e, &m.name, gpa, size, Some(value), by);
        }
    }

    /// One read by a processor or a debugger. A device that refuses it reads as zero; the refusal is logged.
    /// Of ports, what no device answers reads as ones.
    ///
    /// # Errors
    /// [`BusError::Unassigned`] when nothing is there, except of ports.
    pub fn read(&self, gpa: u64, size: Size, by: Initiator) -> BusResult<u64> {
        if self.ports {
            return Ok(self.port_read(gpa, size, by));
        }
        if let Some(m) = self.mapping(gpa) {
            return Ok(self.read_registers(&m, gpa, size, by));
        }
        let mut bytes = [0; 8];
        if let Some(into) = bytes.get_mut(..size.bytes() as usize) {
            match self.memory.read(gpa, into) {
                Ok(()) => return Ok(u64::from_le_bytes(bytes)),
                Err(_) => {
                    if let Some(m) = self.window(gpa) {
                        return Ok(self.read_registers(&m, gpa, size, by));
                    }
                    report::failed(&self.unassigned, BusError::Unassigned, "bus", gpa, size, None, by);
                }
            }
        }
        Err(BusError::Unassigned)
    }

    /// One write by a processor or a debugger. A device that refuses it, and ROM, ignore it; that is logged.
    ///
    /// # Errors
    /// [`BusError::Unassigned`] when nothing is there, except of ports.
    pub fn write(&self, gpa: u64, size: Size, value: u64, by: Initiator) -> BusResult<()> {
        let value = value & size.mask();
        if self.ports {
            self.port_write(gpa, size, value, by);
            return Ok(());
        }
        if let Some(m) = self.mapping(gpa) {
            self.write_registers(&m, gpa, size, value, by);
            return Ok(());
        }
        let bytes = value.to_le_bytes();
        let wrote = self.memory.write(gpa, bytes.get(..size.bytes() as usize).unwrap_or(&bytes));
        let Err(missed) = wrote else { return Ok(()) };
        if self.memory.contains(missed.gpa) {
            report::failed(&self.rom_writes, BusError::NoRegister, "rom", gpa, size, Some(value), by);
            return Ok(());
        }
        if let Some(m) = self.window(gpa) {
            self.write_registers(&m, gpa, size, value, by);
            return Ok(());
        }
        report::failed(&self.unassigned, BusError::Unassigned, "bus", gpa, size, Some(value), by);
        Err(BusError::Unassigned)
    }

    /// The device at `port` that may take an access of this width, with the register it reaches.
    fn port(&self, port: u64, size: Size) -> Option<(Mapping, u64)> {
        let m = self.mapping(port).or_else(|| self.window(port));
        let m = m.filter(|m| m.span.contains_all(port, size.bytes()))?;
        let reg = m.reg.wrapping_add(port - m.span.first());
        Some((m, reg))
    }

    fn port_read(&self, port: u64, size: Size, by: Initiator) -> u64 {
        if let Some((m, reg)) = self.port(port, size) {
            match m.socket.read(reg, size, by) {
                Ok(value) => return value & size.mask(),
                Err(BusError::BadSize | BusError::Unaligned) if size != Size::B1 => {}
                Err(e) => {
                    report::failed(&m.limiter, e, &m.name, port, size, None, by);
                    return size.mask();
                }
            }
        }
        let Some(half) = Size::from_bytes(size.bytes() / 2) else { return size.mask() };
        let low = self.port_read(port, half, by);
        low | self.port_read(port.wrapping_add(half.bytes()), half, by) << (8 * half.bytes())
    }

    fn port_write(&self, port: u64, size: Size, value: u64, by: Initiator) {
        if let Some((m, reg)) = self.port(port, size) {
            match m.socket.write(reg, size, value, by) {
                Ok(()) => return,
                Err(BusError::BadSize | BusError::Unaligned) if size != Size::B1 => {}
                Err(e) => {
                    report::failed(&m.limiter, e, &m.name, port, size, Some(value), by);
                    return;
                }
            }
        }
        if let Some(half) = Size::from_bytes(size.bytes() / 2) {
            self.port_write(port, half, value & half.mask(), by);
            self.port_write(port.wrapping_add(half.bytes()), half, value >> (8 * half.bytes()), by);
        }
    }

    /// Whether a device or memory answers at `gpa`.
    pub fn is_assigned(&self, gpa: u64) -> bool {
        self.mapping(gpa).is_some() || self.memory.contains(gpa) || self.window(gpa).is_some()
    }

    /// The devices, each once, in order of their lowest address.
    pub fn sockets(&self) -> Vec<Arc<dyn Socket>> {
        let mut found: Vec<Arc<dyn Socket>> = Vec::new();
        for m in self.mappings.read().iter() {
            if !found.iter().any(|s| Arc::ptr_eq(s, &m.socket)) {
                found.push(m.socket.clone());
            }
        }
        found
    }

    /// What is where, as QEMU's `info mtree` prints it.
    pub fn mtree(&self) -> String {
        let mut rows: Vec<(Span, String)> = Vec::new();
        for b in self.memory.blocks() {
            rows.push((b.span, format!("(prio 0, {}): {}", if b.rom { "rom" } else { "ram" }, b.name)));
        }
        for m in self.mappings.read().iter() {
            rows.push((m.span, format!("(prio 0, i/o): {}", m.name)));
        }
        for w in self.windows.read().iter().filter(|w| w.block().is_none()) {
            rows.push((w.span, format!("(prio 1, i/o): {}", w.name)));
        }
        rows.sort_by_key(|(span, _)| span.first());
        let (name, root) = if self.ports {
            ("I/O", "000000000000ffff (prio 0, i/o): io")
        } else {
            ("memory", "ffffffffffffffff (prio 0, i/o): system")
        };
        let mut text = format!("address-space: {name}\n  0000000000000000-{root}\n");
        for (span, what) in rows {
            let _ = writeln!(text, "    {span} {what}");
        }
        text
    }

    /// The devices and their spans, as QEMU's `info qtree` prints them.
    pub fn qtree(&self) -> String {
        let mut text = String::from("bus: main-system-bus\n  type System\n");
        for socket in self.sockets() {
            let _ = writeln!(text, "  dev: {}, id \"\"", socket.name());
            for m in self.mappings.read().iter().filter(|m| Arc::ptr_eq(&m.socket, &socket)) {
                let _ = writeln!(text, "    mmio {:016x}/{:016x}", m.span.first(), m.span.len());
            }
        }
        text
    }
}

fn clash(mappings: &[Mapping], name: &str, span: Span) -> Result<(), SpanError> {
    match mappings.iter().find(|m| m.span.overlaps(span)) {
        Some(other) => Err(overlap(name, span, &other.name, other.span)),
        None => Ok(()),
    }
}

fn overlap(name: &str, span: Span, other_name: &str, other: Span) -> SpanError {
    SpanError::Overlap { name: name.into(), span, other_name: other_name.into(), other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::device::{Device, Io, share};
    use crate::bus::snapshot::{self, StateError};

    #[derive(Default)]
    struct Latch {
        state: u64,
    }

    impl Device for Latch {
        fn name(&self) -> &'static str {
            "latch"
        }
        fn reset(&mut self) {
            self.state = 0;
        }
        fn save(&self) -> Result<Vec<u8>, StateError> {
            snapshot::save(&self.state)
        }
        fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
            self.state = snapshot::load(saved)?;
            Ok(())
        }
        fn io(&mut self) -> Option<&mut dyn Io> {
            Some(self)
        }
    }

    impl Io for Latch {
        fn read(&mut self, reg: u64, size: Size, by: Initiator) -> BusResult<u64> {
            match (reg, size) {
                (0, _) => Ok(self.state),
                (0x100, Size::B4) => Ok(by.cpu() as u64),
                (0x100, _) => Err(BusError::BadSize),
                _ => Err(BusError::NoRegister),
            }
        }
        fn write(&mut self, reg: u64, _: Size, value: u64, _: Initiator) -> BusResult<()> {
            if reg != 0 {
                return Err(BusError::NoRegister);
            }
            self.state = value;
            Ok(())
        }
    }

    const CPU: Initiator = Initiator::Cpu(0);

    #[test]
    fn devices_memory_and_holes() {
        let space = AddressSpace::new();
        let latch = share(Latch::default());
        space.add_device(0x900_0000, 0x10, latch.clone()).unwrap();
        space.add_registers("latch-cpu", 0x901_0000, 0x10, 0x100, latch).unwrap();
        space.add_ram("ram", 0x4000_0000, GuestRam::new(0x1000).unwrap()).unwrap();
        space.add_rom("rom", 0, GuestRam::new(0x1000).unwrap()).unwrap();
        assert!(space.add_ram("more", 0x900_000f, GuestRam::new(0x1000).unwrap()).is_err());
        assert!(space.add_device(0x4000_0fff, 1, share(Latch::default())).is_err());

        space.write(0x900_0000, Size::B2, 0x1_2345, CPU).unwrap();
        assert_eq!(space.read(0x900_0000, Size::B8, CPU), Ok(0x2345));
        assert_eq!(space.read(0x900_0000, Size::B1, CPU), Ok(0x45));
        assert_eq!(space.read(0x901_0000, Size::B4, Initiator::Cpu(3)), Ok(3));
        assert_eq!(space.read(0x901_0000, Size::B8, CPU), Ok(0), "refused accesses read as zero");
        assert_eq!(space.read(0x900_000e, Size::B4, CPU), Ok(0), "accesses past the span are refused");
        assert_eq!(space.read(0x1000_0000, Size::B4, CPU), Err(BusError::Unassigned));
        assert_eq!(space.write(0x1000_0000, Size::B4, 0, CPU), Err(BusError::Unassigned));

        space.write(0x4000_0ff8, Size::B8, 0x1122_3344_5566_7788, CPU).unwrap();
        assert_eq!(space.read(0x4000_0ffc, Size::B4, CPU), Ok(0x1122_3344));
        assert_eq!(space.write(0x10, Size::B4, 1, CPU), Ok(()), "writes to ROM are ignored");
        assert_eq!(space.read(0x10, Size::B4, CPU), Ok(0));
        assert_eq!(space.sockets().len(), 1);
    }

    #[test]
    fn ports_split_and_float() {
        let space = AddressSpace::ports();
        space.add_device(0x60, 1, share(Latch::default())).unwrap();
        space.add_device(0x61, 1, share(Latch::default())).unwrap();
        space.add_registers("wide", 0xcf8, 4, 0x100, share(Latch::default())).unwrap();
        space.write(0x60, Size::B2, 0x1234, CPU).unwrap();
        assert_eq!(space.read(0x61, Size::B1, CPU), Ok(0x12));
        assert_eq!(space.read(0x5f, Size::B4, CPU), Ok(0xff12_34ff));
        assert_eq!(space.read(0xcf8, Size::B4, Initiator::Cpu(2)), Ok(2));
        assert_eq!(space.read(0xcf8, Size::B2, CPU), Ok(0xffff), "refused at every width");
        assert_eq!(space.read(PORTS - 1, Size::B4, CPU), Ok(0xffff_ffff));
        assert_eq!(space.write(PORTS - 1, Size::B4, 0, CPU), Ok(()));
        assert!(space.mtree().starts_with("address-space: I/O\n"));
    }

    #[test]
    fn listings() {
        let space = AddressSpace::new();
        space.add_device(0x900_0000, 0x1000, share(Latch::default())).unwrap();
        space.add_ram("ram", 0x4000_0000, GuestRam::new(0x1000).unwrap()).unwrap();
        let mtree = space.mtree();
        assert!(mtree.contains("    0000000009000000-0000000009000fff (prio 0, i/o): latch\n"), "{mtree}");
        assert!(mtree.contains("    0000000040000000-0000000040000fff (prio 0, ram): ram\n"), "{mtree}");
        assert!(
            space.qtree().contains("  dev: latch, id \"\"\n    mmio 0000000009000000/0000000000001000\n")
        );
    }
}
