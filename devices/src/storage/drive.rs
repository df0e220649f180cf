//! A drive behind a host adapter: a disk or a CD-ROM.

use super::ata::Disk;
use super::atapi::Cdrom;
use super::taskfile::{Data, Step, TaskFile, error};
use crate::bus::snapshot::StateError;
use std::io;

/// A drive.
pub enum Drive {
    /// A disk.
    Disk(Disk),
    /// A CD-ROM.
    Cdrom(Cdrom),
}

impl Drive {
    /// Whether it takes packets.
    pub fn is_packet(&self) -> bool {
        matches!(self, Drive::Cdrom(_))
    }

    /// Carries out a command; one that moves data goes on in what is returned.
    pub fn command(&mut self, regs: &mut TaskFile, command: u8) -> Step {
        match self {
            Drive::Disk(disk) => disk.command(regs, command),
            Drive::Cdrom(cd) => cd.command(regs, command),
        }
    }

    /// Carries out a packet: its data, if there is any.
    ///
    /// # Errors
    /// The value of the error register.
    pub fn packet(&mut self, packet: &[u8]) -> Result<Option<Data>, u8> {
        match self {
            Drive::Disk(_) => Err(error::ABRT),
            Drive::Cdrom(cd) => cd.packet(packet),
        }
    }

    /// Moves the next bytes to the host.
    ///
    /// # Errors
    /// When the host's file cannot be read.
    pub fn pull(&mut self, data: &mut Data, into: &mut [u8]) -> io::Result<()> {
        match data {
            Data::Bytes { bytes, done } => {
                let from = bytes.get(*done..).unwrap_or_default();
                into.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                *done += into.len();
                Ok(())
            }
            Data::Read { at, left } => {
                let result = match self {
                    Drive::Disk(disk) => disk.read(*at, into),
                    Drive::Cdrom(cd) => cd.read(*at, into),
                };
                *at += into.len() as u64;
                *left = left.saturating_sub(into.len() as u64);
                result
            }
            Data::Write { .. } => Err(io::Error::other("a write moves data the other way")),
        }
    }

    /// Moves the next bytes from the host.
    ///
    /// # Errors
    /// When the host's file cannot be written.
    pub fn push(&mut self, data: &mut Data, from: &[u8]) -> io::Result<()> {
        match (self, data) {
            (Drive::Disk(disk), Data::Write { at, left }) => {
                let result = disk.write(*at, from);
                *at += from.len() as u64;
                *left = left.saturating_sub(from.len() as u64);
                result
            }
            _ => Err(io::Error::other("a read moves data the other way")),
        }
    }

    /// All data of a write was moved.
    ///
    /// # Errors
    /// When the host's file cannot be written.
    pub fn settle(&mut self) -> io::Result<()> {
        match self {
            Drive::Disk(disk) => disk.settle(),
            Drive::Cdrom(_) => Ok(()),
        }
    }

    /// What the error register says about a failure of the host.
    pub fn io_error(&mut self) -> u8 {
        match self {
            Drive::Disk(_) => error::UNC,
            Drive::Cdrom(cd) => cd.medium_error(),
        }
    }

    /// Power-on state.
    pub fn reset(&mut self) {
        match self {
            Drive::Disk(disk) => disk.reset(),
            Drive::Cdrom(cd) => cd.reset(),
        }
    }

    /// Its state.
    ///
    /// # Errors
    /// As [`crate::bus::device::Device::save`].
    pub fn save(&self) -> Result<Vec<u8>, StateError> {
        match self {
            Drive::Disk(disk) => disk.save(),
            Drive::Cdrom(cd) => cd.save(),
        }
    }

    /// Whether [`Drive::load`] would take a state.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, saved: &[u8]) -> Result<(), StateError> {
        match self {
            Drive::Disk(_) => Disk::check(saved),
            Drive::Cdrom(_) => Cdrom::check(saved),
        }
    }

    /// Replaces its state.
    ///
    /// # Errors
    /// As [`crate::bus::device::Device::load`].
    pub fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        match self {
            Drive::Disk(disk) => disk.load(saved),
            Drive::Cdrom(cd) => cd.load(saved),
        }
    }

    /// Whether data that a snapshot left half-way fits the medium.
    pub fn holds(&self, data: &Data) -> bool {
        let size = match self {
            Drive::Disk(disk) => disk.size(),
            Drive::Cdrom(cd) => cd.size(),
        };
        match data {
            Data::Bytes { bytes, done } => bytes.len() <= 1 << 16 && *done <= bytes.len(),
            Data::Read { at, left } => at.checked_add(*left).is_some_and(|end| end <= size),
            Data::Write { at, left } => {
                !self.is_packet() && at.checked_add(*left).is_some_and(|end| end <= size)
            }
        }
    }
}
