//! The state that an instruction of a user program sees and leaves, as bytes: general registers, flags, a window of
//! memory, and what XSAVE saves, in its standard form.

/// Bytes of a record.
pub const RECORD: usize = 1280;
/// Where RFLAGS is in a record; the general registers come first.
pub const FLAGS: usize = 128;
/// Where the instruction went: 1 to the next one, 0 to the one behind the pad.
pub const PATH: usize = 136;
/// Where the memory window is, to which R13 points.
pub const MEMORY: usize = 192;
/// Bytes of the memory window.
pub const MEMORY_SIZE: usize = 128;
/// Where the XSAVE area is: x87, SSE, AVX in standard form (SDM vol. 1, 13.4).
pub const XSAVE: usize = 320;
/// Linear address of the record while the instruction runs.
pub const WORK: u64 = 0x1000_0000;
/// Linear address of the memory window.
pub const WINDOW: u64 = WORK + MEMORY as u64;
/// Linear address of the instruction.
pub const INSN: u64 = 0x40_0200;
/// Bytes between the next instruction and the one that branches go to.
pub const PAD: u64 = 8;
/// Where the stack pointer is at the start, in the memory window.
pub const STACK: u64 = 64;
/// General registers that are compared: not R13 (the window), R14 and R15, which the recorder uses.
pub const GENERAL: [u8; 13] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(pub Vec<u8>);

macro_rules! access { ($($get:ident $set:ident $t:ty),*) => { $(
    /// Reads at an offset; zero outside of the record.
    pub fn $get(&self, at: usize) -> $t {
        self.0.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| <$t>::from_le_bytes(*b))
    }
    /// Writes at an offset in the record.
    pub fn $set(&mut self, at: usize, v: $t) {
        self.bytes(at, &v.to_le_bytes());
    }
)* } }

impl State {
    access!(u8_at set_u8 u8, u16_at set_u16 u16, u32_at set_u32 u32, u64_at set_u64 u64, u128_at set_u128 u128);

    /// Zeros.
    pub fn zero() -> Self {
        Self(vec![0; RECORD])
    }

    /// Writes bytes at an offset; outside of the record nothing happens.
    pub fn bytes(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// A general register.
    pub fn gpr(&self, n: u8) -> u64 {
        self.u64_at(8 * n as usize)
    }

    /// RFLAGS, the low half.
    pub fn flags(&self) -> u32 {
        self.u32_at(FLAGS)
    }

    /// The memory window.
    pub fn memory(&self) -> &[u8] {
        &self.0[MEMORY..MEMORY + MEMORY_SIZE]
    }

    /// x87's register `n` as it is numbered in the processor, not from the top of the stack: 80 bits.
    pub fn fpr(&self, n: u8) -> u128 {
        self.u128_at(self.fpr_at(n)) & (u128::MAX >> 48)
    }

    /// Sets one.
    pub fn set_fpr(&mut self, n: u8, v: u128) {
        let at = self.fpr_at(n);
        self.set_u128(at, v & (u128::MAX >> 48));
    }

    fn fpr_at(&self, n: u8) -> usize {
        let top = (self.fsw() >> 11 & 7) as u8;
        XSAVE + 32 + 16 * (n.wrapping_sub(top) & 7) as usize
    }

    /// x87's control word.
    pub fn fcw(&self) -> u16 {
        self.u16_at(XSAVE)
    }

    /// x87's status word.
    pub fn fsw(&self) -> u16 {
        self.u16_at(XSAVE + 2)
    }

    /// x87's tags, a bit each.
    pub fn ftw(&self) -> u8 {
        self.u8_at(XSAVE + 4)
    }

    /// MXCSR.
    pub fn mxcsr(&self) -> u32 {
        self.u32_at(XSAVE + 24)
    }

    /// Where the low half of vector register `n` is.
    pub const fn xmm(n: u8) -> usize {
        XSAVE + 160 + 16 * n as usize
    }

    /// Where the high half of vector register `n` is.
    pub const fn ymm(n: u8) -> usize {
        XSAVE + 576 + 16 * n as usize
    }
}
