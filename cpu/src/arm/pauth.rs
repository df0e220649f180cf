//! Pointer authentication (FEAT_PAuth2 with FEAT_FPACCOMBINE; DDI 0487 D8.8).
//!
//! The algorithm of a model without FEAT_PACQARMA5 is implementation defined: a keyed mix of multiplications and
//! rotations, made of plain operations so that compiled code has it inline; it makes no cryptographic claim, which the
//! architecture leaves to the implementation. Left out: QARMA3, FEAT_CONSTPACFIELD, and the forms before
//! FEAT_PAuth2, which no model has.

use super::emit::Arm;
use super::exception::{class, esr};
use super::{Arm64, features as feat, mode, qarma, state, sysreg};
use crate::emit::{Effects, Emit, Helper};
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
    const ALL: [Key; 5] = [Key::IA, Key::IB, Key::DA, Key::DB, Key::GA];

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

    /// It signs addresses of data, whose tags TCR_EL1.TBID has no say in.
    fn data(self) -> bool {
        matches!(self, Key::DA | Key::DB)
    }
}

/// QARMA5: value, modifier, number of the key.
static QARMA5: Helper<Arm64> = Helper {
    name: "qarma5",
    effects: Effects::READ,
    run: |core, value, modifier, key| {
        let (lo, hi) = Key::ALL.get(key as usize).unwrap_or(&Key::GA).slots();
        Ok(qarma::qarma5(value, modifier, core.reg(hi), core.reg(lo)))
    },
};

/// The 64-bit code of a value under a modifier.
fn code<E: Arm>(e: &mut E, key: Key, value: E::Val<W64>, modifier: E::Val<W64>) -> Emit<E, W64> {
    if e.cx().features & feat::PACQARMA5 != 0 {
        let key = e.lit::<W64>(key as u64);
        return e.call(&QARMA5, [value, modifier, key]);
    }
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
    Ok(e.bin(Bin::Mul, a, c1))
}

/// Where a pointer holds its code, and the pointer with copies of a bit there instead: of bit 55, or, where it is
/// `given`, of bit 63 unless tags are in use. The words that TCR_EL1 writes keep current say which.
fn field<E: Arm>(e: &mut E, p: E::Val<W64>, data: bool, given: bool) -> (E::Val<W64>, E::Val<W64>) {
    let (low, high, select) = if data {
        (state::PAC_MASK0, state::PAC_MASK1, state::PAC_SELECT)
    } else {
        (state::PAC_MASK0_I, state::PAC_MASK1_I, state::PAC_SELECT_I)
    };
    let (low, high) = (e.get(low), e.get(high));
    let (bit55, zero) = (e.lit::<W64>(1 << 55), e.lit::<W64>(0));
    let select = if given { e.get(select) } else { bit55 };
    let b = e.and(p, select);
    let upper = e.cmp(Cmp::Ne, b, zero);
    let mask = e.select(upper, high, low);
    let ones = e.select(upper, high, zero);
    let kept = e.bin(Bin::AndNot, p, mask);
    let original = e.or(kept, ones);
    if !given {
        return (mask, original);
    }
    // Bit 55 says from now on which half the pointer belongs to.
    let kept = e.bin(Bin::AndNot, original, bit55);
    let bit = e.select(upper, bit55, zero);
    (mask, e.or(kept, bit))
}

/// `AddPAC`: a pointer with its code. One that is not canonical gets a code that cannot authenticate, since what is not
/// canonical stays in it.
///
/// # Errors
/// None; the helper's form admits some.
pub fn sign<E: Arm>(e: &mut E, key: Key, p: E::Val<W64>, modifier: E::Val<W64>) -> Emit<E, W64> {
    if !key.enabled(e.cx().mode) {
        return Ok(p);
    }
    let (mask, original) = field(e, p, key.data(), true);
    let pac = code(e, key, original, modifier)?;
    let mixed = e.xor(p, pac);
    let mixed = e.and(mixed, mask);
    let kept = e.bin(Bin::AndNot, original, mask);
    Ok(e.or(kept, mixed))
}

/// `Auth`: the pointer without its code.
///
/// # Errors
/// The PAC Fail exception, if the code is wrong.
pub fn auth<E: Arm>(e: &mut E, key: Key, p: E::Val<W64>, modifier: E::Val<W64>) -> Emit<E, W64> {
    if !key.enabled(e.cx().mode) {
        return Ok(p);
    }
    let (mask, original) = field(e, p, key.data(), false);
    let pac = code(e, key, original, modifier)?;
    // Taking the code out of the pointer has to leave the original.
    let got = e.xor(p, pac);
    let got = e.xor(got, original);
    let got = e.and(got, mask);
    let zero = e.lit::<W64>(0);
    let bad = e.cmp(Cmp::Ne, got, zero);
    let b_key = matches!(key, Key::IB | Key::DB);
    e.raise_if(bad, esr(class::PAC_FAIL, (key.data() as u64) << 1 | b_key as u64))?;
    Ok(original)
}

/// `Strip`: the pointer without its code, unchecked.
pub fn strip<E: Arm>(e: &mut E, p: E::Val<W64>, data: bool) -> E::Val<W64> {
    field(e, p, data, false).1
}

/// PACGA: 32 bits of code in the high half.
///
/// # Errors
/// None; the helper's form admits some.
pub fn generic<E: Arm>(e: &mut E, value: E::Val<W64>, modifier: E::Val<W64>) -> Emit<E, W64> {
    let c = code(e, Key::GA, value, modifier)?;
    let high = e.lit::<W64>(0xFFFF_FFFF_0000_0000);
    Ok(e.and(c, high))
}
