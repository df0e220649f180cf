//! pci-testdev, 1b36:0005: a function that counts accesses, for guests that measure or test them.
//!
//! After QEMU's docs/specs/pci-testdev.rst: region 0 is memory, region 1 ports. Each begins with the test's header:
//! test number (written), width, offset and value of the access that counts, the count, and the test's name. KVM's
//! event descriptors do not exist here, so that all three tests of a region count by the same means.

use super::bar::Bar;
use super::config::Identity;
use super::function::{Function, Header, PciDevice};
use crate::bus::device::{BusResult, Initiator, Size};
use crate::bus::snapshot::{self, StateError};
use serde::{Deserialize, Serialize};

const LENGTHS: [u64; 2] = [0x1000, 0x100];
const NAMES: [[&str; 3]; 2] = [
    ["mmio-no-eventfd", "mmio-wildcard-eventfd", "mmio-datamatch-eventfd"],
    ["portio-no-eventfd", "portio-wildcard-eventfd", "portio-datamatch-eventfd"],
];
/// Header: offsets of the fields.
const WIDTH: usize = 1;
const OFFSET: usize = 4;
const DATA: usize = 8;
const COUNT: usize = 12;
const NAME: usize = 16;
const HEADER: usize = 48;
/// Where the accesses that count go, and what they write.
const TARGET: u64 = 0x80;
const VALUE: u8 = 0xFA;
/// No test is chosen.
const NONE: u8 = 0xFF;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    tests: [u8; 2],
    counts: [u32; 2],
}

impl State {
    fn power_on() -> State {
        State { tests: [NONE; 2], counts: [0; 2] }
    }
}

/// The function.
pub struct TestDev {
    state: State,
}

impl TestDev {
    /// A test device.
    pub fn function() -> Function<TestDev> {
        let mut header = Header::new(Identity::new(0x1B36, 0x0005, 0, 0x00_FF00));
        let [memory, ports] = LENGTHS;
        header.bar(0, Bar::memory(memory));
        header.bar(1, Bar::io(ports));
        Function::new(header, TestDev { state: State::power_on() })
    }

    /// The chosen test's name.
    fn name_of(&self, region: usize) -> Option<&'static str> {
        let test = usize::from(*self.state.tests.get(region)?);
        NAMES.get(region)?.get(test).copied()
    }

    fn header(&self, region: usize) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0] = self.state.tests.get(region).copied().unwrap_or(NONE);
        let Some(name) = self.name_of(region) else { return bytes };
        bytes[WIDTH] = 1;
        bytes[OFFSET..OFFSET + 4].copy_from_slice(&(TARGET as u32).to_le_bytes());
        bytes[DATA] = VALUE;
        let count = self.state.counts.get(region).copied().unwrap_or(0);
        bytes[COUNT..COUNT + 4].copy_from_slice(&count.to_le_bytes());
        bytes.iter_mut().skip(NAME).zip(name.bytes()).for_each(|(to, from)| *to = from);
        bytes
    }
}

impl PciDevice for TestDev {
    fn name(&self) -> &'static str {
        "pci-testdev"
    }

    fn read(&mut self, region: usize, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        let header = self.header(region);
        let byte = |i: u64| header.get(at.saturating_add(i) as usize).copied().unwrap_or(0);
        Ok((0..size.bytes()).fold(0, |value, i| value | u64::from(byte(i)) << (8 * i)))
    }

    fn write(&mut self, region: usize, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        let counts =
            at == TARGET && size == Size::B1 && value == VALUE.into() && self.name_of(region).is_some();
        let (Some(test), Some(count)) = (self.state.tests.get_mut(region), self.state.counts.get_mut(region))
        else {
            return Ok(());
        };
        if at == 0 && size == Size::B1 {
            (*test, *count) = (value as u8, 0);
        } else if counts {
            *count = count.wrapping_add(1);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.state = State::power_on();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        self.state = snapshot::load(saved)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pci::testing::{Board, check};

    #[test]
    fn conforms() {
        check(TestDev::function, &[(0, 0x1000), (1, 0x100)]);
    }

    #[test]
    fn accesses_are_counted() {
        let (board, _) = Board::with(TestDev::function());
        let (mem, io) = (board.base(0), board.base(1));
        assert_eq!(board.get(mem + 16, Size::B1), 0, "no test is chosen");
        board.put(mem, Size::B1, 1);
        let name: Vec<u8> = (0..21).map(|i| board.get(mem + 16 + i, Size::B1) as u8).collect();
        assert_eq!(name, b"mmio-wildcard-eventfd");
        let (offset, data) = (board.get(mem + 4, Size::B4), board.get(mem + 8, Size::B4));
        (0..3).for_each(|_| board.put(mem + offset, Size::B1, data));
        board.put(mem + offset, Size::B2, data);
        assert_eq!(board.get(mem + 12, Size::B4), 3);
        board.outp(io, Size::B1, 9);
        assert_eq!(board.inp(io + 16, Size::B1), 0, "there is no tenth test");
        board.outp(io, Size::B1, 0);
        board.outp(io + offset, Size::B1, data);
        assert_eq!(board.inp(io + 12, Size::B4), 1);
    }
}
