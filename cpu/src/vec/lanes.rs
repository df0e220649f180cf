//! Arrangements: which part of a vector register an operation works on, and with which elements.

/// A one in every element of 64 bits, by log2 of the element's size.
const EVERY: [u64; 4] = [0x0101_0101_0101_0101, 0x0001_0001_0001_0001, 0x0000_0001_0000_0001, 1];

/// The 64-bit halves of the result of `$op` on those of `$a` and `$b`.
macro_rules! by_halves {
    ($op:path, $a:expr, $b:expr) => {{
        let (a, b) = ($a, $b);
        let (low, high) = ($op(a as u64, b as u64), $op((a >> 64) as u64, (b >> 64) as u64));
        low as u128 | (high as u128) << 64
    }};
}

/// Which part of a vector register an operation works on, and with which elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lanes {
    /// log2 of the element size in bytes: 0 to 4
    pub log2: u8,
    /// how many elements: lane 0, the low 64 bits, or all 128
    pub part: Part,
}

/// How much of a vector register takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Part {
    /// lane 0 only
    Scalar,
    /// the low 64 bits
    Half,
    /// all 128 bits
    Full,
}

impl Lanes {
    /// Elements of `1 << log2` bytes over the given part.
    pub const fn new(log2: u32, part: Part) -> Self {
        Lanes { log2: log2 as u8, part }
    }

    /// The arrangement that Arm's `Q` bit selects.
    pub const fn q(log2: u32, q: u32) -> Self {
        Lanes { log2: log2 as u8, part: if q & 1 == 0 { Part::Half } else { Part::Full } }
    }

    /// Element 0 alone, of `1 << log2` bytes.
    pub const fn scalar(log2: u32) -> Self {
        Lanes::new(log2, Part::Scalar)
    }

    /// Elements of `1 << log2` bytes over all 128 bits.
    pub const fn full(log2: u32) -> Self {
        Lanes::new(log2, Part::Full)
    }

    /// The same part in elements of twice the size.
    pub const fn wider(self) -> Self {
        Lanes { log2: self.log2 + 1, part: self.part }
    }

    /// Element size in bits.
    #[inline(always)]
    pub const fn bits(self) -> u32 {
        8 << self.log2
    }

    /// Number of elements.
    #[inline(always)]
    pub const fn count(self) -> u32 {
        match self.part {
            Part::Scalar => 1,
            Part::Half => 8 >> self.log2,
            Part::Full => 16 >> self.log2,
        }
    }

    /// All bits of one element.
    #[inline(always)]
    pub const fn mask(self) -> u128 {
        if self.log2 >= 4 { u128::MAX } else { (1 << self.bits()) - 1 }
    }

    /// The bits of the register that take part.
    #[inline(always)]
    pub const fn used(self) -> u128 {
        match self.part {
            Part::Scalar => self.mask(),
            Part::Half => u64::MAX as u128,
            Part::Full => u128::MAX,
        }
    }

    /// Element `i` of `v`.
    #[inline(always)]
    pub const fn get(self, v: u128, i: u32) -> u128 {
        (v >> (i * self.bits())) & self.mask()
    }

    /// The number in every element of all 128 bits.
    #[inline(always)]
    pub const fn splat(self, x: u128) -> u128 {
        if self.log2 >= 4 {
            return x;
        }
        let half = (x & self.mask()) as u64 * EVERY[self.log2 as usize & 3];
        half as u128 | (half as u128) << 64
    }

    /// The uppermost bit of every element of up to 64 bits.
    #[inline(always)]
    const fn tops(self) -> u128 {
        self.splat(1 << (self.bits() - 1))
    }

    /// Sums of elements of up to 64 bits, all at once: what would be carried into the next one is added without a carry.
    #[inline(always)]
    pub const fn sums(self, a: u128, b: u128) -> u128 {
        let tops = self.tops();
        by_halves!(u64::wrapping_add, a & !tops, b & !tops) ^ (a ^ b) & tops
    }

    /// Differences of elements, likewise.
    #[inline(always)]
    pub const fn differences(self, a: u128, b: u128) -> u128 {
        let tops = self.tops();
        by_halves!(u64::wrapping_sub, a | tops, b & !tops) ^ (a ^ !b) & tops
    }

    /// All ones in the elements of up to 64 bits that are not zero, zeros in the others.
    #[inline(always)]
    pub const fn nonzero(self, x: u128) -> u128 {
        let tops = self.tops();
        let top = (by_halves!(u64::wrapping_add, x & !tops, !tops) | x) & tops;
        top | (top - (top >> (self.bits() - 1)))
    }

    /// Elements of up to 64 bits shifted left.
    #[inline(always)]
    pub const fn shifted_left(self, x: u128, n: u32) -> u128 {
        if n >= self.bits() { 0 } else { (x & self.splat(self.mask() >> n)) << n }
    }

    /// Elements of up to 64 bits shifted right, zeros coming in.
    #[inline(always)]
    pub const fn shifted_right(self, x: u128, n: u32) -> u128 {
        if n >= self.bits() { 0 } else { x >> n & self.splat(self.mask() >> n) }
    }

    /// Builds a vector from a function of the element number.
    #[inline(always)]
    pub fn build(self, mut f: impl FnMut(u32) -> u128) -> u128 {
        let mut r = 0;
        let mut i = 0;
        while i < self.count() {
            r |= (f(i) & self.mask()) << (i * self.bits());
            i += 1;
        }
        r
    }

    /// Sign extends an element that is zero extended to 64 bits.
    #[inline(always)]
    pub const fn signed(self, x: u64) -> i64 {
        crate::op::sext(x, self.bits())
    }

    /// `f` of every element, zero extended; only its low bits count. Elements have up to 64 bits.
    #[inline(always)]
    pub fn map(self, a: u128, mut f: impl FnMut(u64) -> u64) -> u128 {
        self.map2(a, a, |x, _| f(x))
    }

    /// `f` of every pair of elements, zero extended; only its low bits count. Elements have up to 64 bits.
    #[inline(always)]
    pub fn map2(self, a: u128, b: u128, f: impl FnMut(u64, u64) -> u64) -> u128 {
        // With each size by itself the loops come out straight.
        match self.log2 {
            0 => Lanes { log2: 0, ..self }.map2_of(a, b, f),
            1 => Lanes { log2: 1, ..self }.map2_of(a, b, f),
            2 => Lanes { log2: 2, ..self }.map2_of(a, b, f),
            _ => Lanes { log2: 3, ..self }.map2_of(a, b, f),
        }
    }

    #[inline(always)]
    fn map2_of(self, a: u128, b: u128, mut f: impl FnMut(u64, u64) -> u64) -> u128 {
        let mask = self.mask() as u64;
        let mut half = |a: u64, b: u64| {
            let (mut r, mut at) = (0, 0);
            while at < 64 {
                r |= (f(a >> at & mask, b >> at & mask) & mask) << at;
                at += self.bits();
            }
            r
        };
        match self.part {
            Part::Scalar => (f(a as u64 & mask, b as u64 & mask) & mask) as u128,
            Part::Half => half(a as u64, b as u64) as u128,
            Part::Full => {
                half(a as u64, b as u64) as u128 | (half((a >> 64) as u64, (b >> 64) as u64) as u128) << 64
            }
        }
    }

    /// `f` of every element, sign extended.
    #[inline(always)]
    pub fn smap(self, a: u128, mut f: impl FnMut(i64) -> i64) -> u128 {
        self.map(a, |x| f(self.signed(x)) as u64)
    }

    /// `f` of every pair of elements, sign extended.
    #[inline(always)]
    pub fn smap2(self, a: u128, b: u128, mut f: impl FnMut(i64, i64) -> i64) -> u128 {
        self.map2(a, b, |x, y| f(self.signed(x), self.signed(y)) as u64)
    }

    /// All ones in the elements for which `f` holds, zeros in the others.
    #[inline(always)]
    pub fn test(self, a: u128, b: u128, mut f: impl FnMut(u64, u64) -> bool) -> u128 {
        self.map2(a, b, |x, y| (f(x, y) as u64).wrapping_neg())
    }

    /// All the elements of `v` folded, lowest first, zero extended.
    #[inline(always)]
    pub fn fold(self, v: u128, mut f: impl FnMut(u64, u64) -> u64) -> u64 {
        let mut r = self.get(v, 0) as u64;
        for i in 1..self.count() {
            r = f(r, self.get(v, i) as u64);
        }
        r
    }
}
