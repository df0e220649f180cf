//! Register numbering of the remote protocol, derived from the machine's register groups.
//!
//! Registers are numbered in the order of the groups. The `g` packet holds the groups that are wanted whole, which come
//! first; a debugger asks for the others one by one, since there are hundreds of them and most are never looked at.

use std::num::NonZeroUsize;
use std::sync::Arc;

use gdbstub::arch::{Arch, RegId, Registers};
use lyrebird_machine::control::{RegisterGroup, RegisterId};

/// A little-endian guest of up to 64 bits, whose description is made at run time.
pub enum Guest {}

impl Arch for Guest {
    type Usize = u64;
    type Registers = Packet;
    type BreakpointKind = usize;
    type RegId = Number;
}

/// The `g` packet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packet {
    /// Values in order, little-endian, each in its width.
    pub bytes: Vec<u8>,
    /// The program counter.
    pub pc: u64,
}

impl Registers for Packet {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        self.pc
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        for byte in &self.bytes {
            write_byte(Some(*byte));
        }
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.bytes = bytes.to_vec();
        Ok(())
    }
}

/// A register by its number.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub usize);

impl RegId for Number {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        // Widths are known at run time only.
        Some((Self(id), None))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.0)
    }
}

/// The machine's registers as the protocol sees them.
pub struct Layout {
    /// The groups.
    pub groups: Arc<[RegisterGroup]>,
}

impl Layout {
    /// The group, index and width in bytes of a register.
    pub fn find(&self, number: Number) -> Option<(RegisterId, usize)> {
        let mut index = number.0;
        for (group, g) in self.groups.iter().enumerate() {
            match g.registers.get(index) {
                Some(register) => {
                    return Some((RegisterId { group, index }, bytes(register.bits)));
                }
                None => index -= g.registers.len(),
            }
        }
        None
    }

    /// The groups of the `g` packet with their positions.
    pub fn whole(&self) -> impl Iterator<Item = (usize, &RegisterGroup)> {
        self.groups.iter().enumerate().take_while(|(_, group)| group.whole)
    }

    /// Values of the groups of [`Self::whole`] as they stand in the packet.
    pub fn pack(&self, values: &[Vec<u128>]) -> Vec<u8> {
        let mut packet = Vec::with_capacity(1024);
        for ((_, group), values) in self.whole().zip(values) {
            for (register, value) in group.registers.iter().zip(values) {
                packet.extend_from_slice(&value.to_le_bytes()[..bytes(register.bits)]);
            }
        }
        packet
    }

    /// The registers of a packet with their values; a short packet yields fewer.
    pub fn unpack(&self, mut packet: &[u8]) -> Vec<(RegisterId, u128)> {
        let mut values = Vec::new();
        for (group, g) in self.whole() {
            for (index, register) in g.registers.iter().enumerate() {
                let Some((head, rest)) = packet.split_at_checked(bytes(register.bits)) else { return values };
                values.push((RegisterId { group, index }, number(head)));
                packet = rest;
            }
        }
        values
    }
}

/// Bytes that hold so many bits, 16 at most.
pub fn bytes(bits: u16) -> usize {
    usize::from(bits).div_ceil(8).min(16)
}

/// A little-endian number of at most 16 bytes.
pub fn number(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).rev().fold(0, |n, b| n << 8 | u128::from(*b))
}
