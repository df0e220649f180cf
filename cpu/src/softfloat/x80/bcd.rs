//! FBLD and FBSTP: packed decimal integers of 18 digits.

use super::convert::{from_int, rounded};
use super::{X80, X87, unpack};
use crate::softfloat::Flags;

/// What FBSTP stores for a number that has no 18 digits.
const INDEFINITE: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff];

/// A packed decimal integer, least significant digits first, the sign in the last byte's bit 7. A nibble above nine
/// counts its value.
pub fn from_bcd(bytes: [u8; 10], env: &mut X87) -> X80 {
    let [digits @ .., sign] = bytes;
    let magnitude = digits.iter().rev().fold(0, |n, &b| n * 100 + i64::from(b >> 4) * 10 + i64::from(b & 15));
    let x = from_int(magnitude, env);
    X80 { head: x.head | u16::from(sign >> 7) << 15, ..x }
}

/// `a` rounded to a packed decimal integer.
pub fn to_bcd(a: X80, env: &mut X87) -> [u8; 10] {
    env.rounded_up = false;
    let number = unpack(a).and_then(|x| rounded(&x, env.rounding));
    let Some(r) = number.filter(|r| r.magnitude < 1_000_000_000_000_000_000) else {
        env.raise(Flags::INVALID);
        return INDEFINITE;
    };
    r.report(env);
    let mut bytes = [0; 10];
    let mut n = r.magnitude;
    for byte in bytes.iter_mut().take(9) {
        let pair = (n % 100) as u8;
        *byte = ((pair / 10) << 4) | (pair % 10);
        n /= 100;
    }
    bytes[9] = u8::from(r.sign) << 7;
    bytes
}
