//! Host code generation.

pub mod x64;

/// What a site, a place in compiled code that may leave for an exception, says of itself in 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Byte of the page where its guest instruction is.
    pub at: u32,
    /// Which of the region's pins hold values that the register file does not: one bit each, at most 10. Those of
    /// vectors have bits above, for the back end alone: they are stored before anybody else sees the site.
    pub dirty: u32,
    /// log2 of the access's size in bytes, 0 to 4.
    pub log2: u32,
    /// Whether two values are accessed.
    pub pair: bool,
    /// The access, packed as in IR.
    pub access: u16,
}

impl Site {
    /// In 32 bits.
    pub const fn pack(self) -> u32 {
        self.at & 0xFFF
            | (self.dirty & 0x3FF) << 12
            | self.log2 << 22
            | (self.pair as u32) << 25
            | (self.access as u32) << 26
    }

    /// From [`Site::pack`].
    pub const fn unpack(x: u32) -> Self {
        Site {
            at: x & 0xFFF,
            dirty: x >> 12 & 0x3FF,
            log2: x >> 22 & 7,
            pair: x >> 25 & 1 != 0,
            access: (x >> 26 & 63) as u16,
        }
    }
}

/// Why compiled code came back to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Why {
    /// The PC slot says where to go on; mode and translation may have changed.
    Dispatch,
    /// A direct jump that is not linked yet; the site word holds its number.
    Link,
    /// An access raised: `raised` is set, the site says how to recover the state.
    Fault,
    /// Attention is asked for, at the address in the PC slot.
    Poll,
    /// The counted budget does not cover the block at the PC slot's address.
    Budget,
    /// The instruction at the site must be interpreted; the site says how to recover the state.
    Interpret,
    /// A helper raised: `raised` is set, the state is in the register file.
    Raised,
    /// The region just entered, at the return word, has been invalidated.
    Stale,
}

impl Why {
    /// From the number that compiled code returns.
    pub fn of(x: u64) -> Why {
        use Why::*;
        [Dispatch, Link, Fault, Poll, Budget, Interpret, Raised, Stale]
            .get(x as usize)
            .copied()
            .unwrap_or(Dispatch)
    }
}

/// Where a region keeps guest registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Host register of each pin.
    pub host: [u8; 10],
    /// Word of the register file that each pin stands for.
    pub word: [u16; 10],
    /// How many there are.
    pub count: u8,
}

/// A direct jump out of a region that can be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Offset in the region's code of the 32-bit displacement to patch.
    pub patch: u32,
    /// Byte of the page that it goes to.
    pub target: u32,
}
