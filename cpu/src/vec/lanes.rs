//! Arrangements: which part of a vector register an operation works on, and with which elements.

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

    /// The number in every element.
    pub fn splat(self, x: u128) -> u128 {
        self.build(|_| x)
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
    pub fn map2(self, a: u128, b: u128, mut f: impl FnMut(u64, u64) -> u64) -> u128 {
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
