//! Storage adapters of PCs: PIIX3's IDE and ICH9's AHCI with the drives behind them, and the floppy controller.
//!
//! A [`drive::Drive`] is an ATA disk ([`ata`]) or an ATAPI CD-ROM ([`atapi`]); it gets a task file and a command, and
//! says what data follows. The adapters ([`ide`], [`ahci`]) move that data, and raise the interrupts. Commands run on
//! the vCPU that gives them, under the lock of the adapter's function alone.

pub mod ahci;
pub mod ata;
pub mod atapi;
pub mod drive;
pub mod fdc;
pub mod ide;
mod identify;
mod scatter;
pub mod taskfile;
#[cfg(test)]
mod testing;
