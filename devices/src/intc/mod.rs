//! Interrupt controllers.

pub mod bank;
pub mod gicv2;
pub mod gicv3;
pub mod gsi;
pub mod i8259;
pub mod ioapic;
pub mod lapic;

use crate::bus::device::Socket;
use crate::bus::irq::Wire;
use std::sync::Arc;

/// An interrupt input of a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CpuLine {
    /// Normal interrupt.
    Irq,
    /// Fast interrupt.
    Fiq,
}

/// The processors, as an interrupt controller sees them. Called on changes only, with the controller's lock held: set
/// a flag and wake the processor's thread, no more.
pub trait CpuLines: Send + Sync {
    /// Input `line` of processor `cpu` is now at `level`.
    fn set(&self, cpu: usize, line: CpuLine, level: bool);
}

/// What interrupt controllers tell an x86 processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum X86Signal {
    /// INTR is now at this level: there is an interrupt that the processor would take with RFLAGS.IF set.
    Intr(bool),
    /// A non-maskable interrupt, once.
    Nmi,
    /// A system-management interrupt, once.
    Smi,
    /// INIT, once.
    Init,
    /// Start-up, with the vector: the processor starts at CS:IP `vector << 8`:0 if it waits after INIT.
    Sipi(u8),
}

/// The x86 processors, as their interrupt controllers see them. Called with a controller's lock held: set a flag and
/// wake the processor's thread, no more. [`X86Signal::Intr`] comes on changes only.
pub trait X86Lines: Send + Sync {
    /// `signal` reaches processor `cpu`.
    fn signal(&self, cpu: usize, signal: X86Signal);
}

/// Where message-signalled interrupts of an x86 machine go: the local APICs. PCI functions and I/O APICs send to it,
/// possibly with their lock held.
pub trait MsiSink: Send + Sync {
    /// Carries out the write of `data` to `address`, which a function's MSI or MSI-X capability asks for. One that does
    /// not address local APICs (0xFEE00000 to 0xFEEFFFFF) does nothing.
    fn send(&self, address: u64, data: u32);
}

/// Who hears that a processor has finished a level-triggered interrupt: I/O APICs. Called with no lock of the local
/// APICs held.
pub trait EoiSink: Send + Sync {
    /// A processor wrote EOI for `vector`.
    fn eoi(&self, vector: u8);
}

/// What boards and the monitor need of any interrupt controller.
pub trait Intc: Socket {
    /// A wire to shared peripheral interrupt `n`, counted from 0; none if there are not that many.
    fn spi(self: Arc<Self>, n: u32, label: &str) -> Option<Wire>;
    /// A wire to private interrupt `n` (0 to 15) of processor `cpu`; none if there is no such input.
    fn ppi(self: Arc<Self>, cpu: usize, n: u32, label: &str) -> Option<Wire>;
    /// State for `info irq`: interrupts that are not idle, and each processor's priorities.
    fn info(&self) -> String;
}

/// First INTID of the private peripheral interrupts; below are the software-generated ones.
pub(crate) const FIRST_PPI: u32 = 16;
/// First INTID of the shared peripheral interrupts.
pub(crate) const FIRST_SPI: u32 = 32;

/// Number of a GIC input as a [`Wire`]'s line: the INTID, with the processor above it for private interrupts.
pub(crate) fn input(cpu: usize, intid: u32) -> u32 {
    (cpu as u32) << 16 | intid
}

/// The processor and the INTID of an [`input`].
pub(crate) fn split_input(line: u32) -> (usize, u32) {
    ((line >> 16) as usize, line & 0xffff)
}
