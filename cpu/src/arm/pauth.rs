//! Pointer authentication (FEAT_PAuth) with an implementation-defined algorithm (DDI 0487 D8.8).
//!
//! The algorithm is a keyed mix of multiplications and rotations, made of plain operations so that compiled code has
//! it inline; it makes no cryptographic claim, which the architecture leaves to the implementation. A failed
//! authentication corrupts the pointer with the error code, as without FEAT_FPAC. QARMA5 is left out here.

use super::emit::Arm;
use super::{mode, state, sysreg};
use crate::op::{Bin, Cmp};
use crate::slot::Slot;
use crate::width::W64;

/// The keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the manual's names")]
pub enum Key {
    IA,
    IB,
    DA,
    DB,
    /// The generic key, which no control bit disables.
    GA,
}

impl Key {
    /// The low and high halves.
    fn slots(self) -> (Slot<W64>, Slot<W64>) {
        match self {
            Key::IA => (sysreg::APIAKeyLo_EL1, sysreg::APIAKeyHi_EL1),
            Key::IB => (sysreg::APIBKeyLo_EL1, sysreg::APIBKeyHi_EL1),
            Key::DA => (sysreg::APDAKeyLo_EL1, sysreg::APDAKeyHi_EL1),
            Key::DB => (sysreg::APDBKeyLo_EL1, sysreg::APDBKeyHi_EL1),
            Key::GA => (sysreg::APGAKeyLo_EL1, sysreg::APGAKeyHi_EL1),
        }
    }

    /// Whether SCTLR_EL1 enables it.
    fn enabled(self, m: u32) -> bool {
        self == Key::GA || m >> (mode::PAUTH_LOW + self as u32) & 1 != 0
    }
}

/// The 64-bit code of a value under a modifier.
fn code<E: Arm>(e: &mut E, key: Key, value: E::Val<W64>, modifier: E::Val<W64>) -> E::Val<W64> {
    let (lo, hi) = key.slots();
    let (lo, hi) = (e.get(lo), e.get(hi));
    let (c1, c2) = (e.lit::<W64>(0x9E37_79B9_7F4A_7C15), e.lit::<W64>(0xD6E8_FEB8_6659_FD93));
    let a = e.xor(value, lo);
    let a = e.bin(Bin::Mul, a, c1);
    let b = e.xor(modifier, hi);
    let r = e.shift(Bin::Ror, b, 29);
    let a = e.xor(a, r);
    let a = e.bin(Bin::Mul, a, c2);
    let r = e.shift(Bin::Shr, a, 32);
    let a = e.xor(a, r);
    e.bin(Bin::Mul, a, c1)
}

/// The mask of code bits for a pointer: by its bit 55, from the words that TCR_EL1 writes keep current.
fn field<E: Arm>(e: &mut E, p: E::Val<W64>) -> (E::Val<W64>, E::Val<W64>) {
    let (low, high) = (e.get(state::PAC_MASK0), e.get(state::PAC_MASK1));
    let bit55 = e.lit::<W64>(1 << 55);
    let zero = e.lit::<W64>(0);
    let b = e.and(p, bit55);
    let upper = e.cmp(Cmp::Ne, b, zero);
    let mask = e.select(upper, high, low);
    // The original pointer has copies of bit 55 in the field.
    let ones = e.select(upper, high, zero);
    let kept = e.bin(Bin::AndNot, p, mask);
    (mask, e.or(kept, ones))
}

/// `AddPAC`: a pointer with its code.
pub fn sign<E: Arm>(e: &mut E, key: Key, p: E::Val<W64>, modifier: E::Val<W64>) -> E::Val<W64> {
    if !key.enabled(e.cx().mode) {
        return p;
    }
    let (mask, original) = field(e, p);
    let pac = code(e, key, original, modifier);
    // A pointer that is not canonical gets a code that cannot authenticate: one bit is flipped.
    let same = e.cmp(Cmp::Eq, original, p);
    let (zero, flip) = (e.lit::<W64>(0), e.lit::<W64>(1 << 54));
    let spoil = e.select(same, zero, flip);
    let pac = e.xor(pac, spoil);
    let pac = e.and(pac, mask);
    let kept = e.bin(Bin::AndNot, p, mask);
    e.or(kept, pac)
}

/// `Auth`: the pointer without its code, or with the error code of a failure: 0b01 for A keys, 0b10 for B keys.
pub fn auth<E: Arm>(e: &mut E, key: Key, p: E::Val<W64>, modifier: E::Val<W64>) -> E::Val<W64> {
    if !key.enabled(e.cx().mode) {
        return p;
    }
    let (mask, original) = field(e, p);
    let pac = code(e, key, original, modifier);
    let want = e.and(pac, mask);
    let have = e.and(p, mask);
    let good = e.cmp(Cmp::Eq, want, have);
    let error = if matches!(key, Key::IA | Key::DA) { 1 } else { 2 };
    // Bits 54:53 with an ignored top byte, else 62:61: whichever lies inside of the field.
    let (e_high, e_low) = (e.lit::<W64>(error << 61), e.lit::<W64>(error << 53));
    let (c_high, c_low) = (e.lit::<W64>(3 << 61), e.lit::<W64>(3 << 53));
    let (top, zero) = (e.lit::<W64>(1 << 63), e.lit::<W64>(0));
    let t = e.and(mask, top);
    let full = e.cmp(Cmp::Ne, t, zero);
    let (value, clear) = (e.select(full, e_high, e_low), e.select(full, c_high, c_low));
    let bad = e.bin(Bin::AndNot, original, clear);
    let bad = e.or(bad, value);
    e.select(good, original, bad)
}

/// `Strip`: the pointer without its code, unchecked.
pub fn strip<E: Arm>(e: &mut E, p: E::Val<W64>) -> E::Val<W64> {
    field(e, p).1
}

/// PACGA: 32 bits of code in the high half.
pub fn generic<E: Arm>(e: &mut E, value: E::Val<W64>, modifier: E::Val<W64>) -> E::Val<W64> {
    let c = code(e, Key::GA, value, modifier);
    let high = e.lit::<W64>(0xFFFF_FFFF_0000_0000);
    e.and(c, high)
}
