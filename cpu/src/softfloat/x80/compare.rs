//! FCOM and its kin.

use super::{X80, X87, note_denormals, unpack};
use crate::softfloat::unpack::{Kind, Unpacked};
use crate::softfloat::{Flags, Relation};

/// Compares. With `signal` any NaN is invalid (FCOM), otherwise a signalling one (FUCOM). An unsupported encoding
/// always is.
pub fn compare(a: X80, b: X80, signal: bool, env: &mut X87) -> Relation {
    env.rounded_up = false;
    let (Some(x), Some(y)) = (unpack(a), unpack(b)) else {
        env.raise(Flags::INVALID);
        return Relation::Unordered;
    };
    if x.is_nan() || y.is_nan() {
        if signal || x.kind == Kind::Signalling || y.kind == Kind::Signalling {
            env.raise(Flags::INVALID);
        }
        return Relation::Unordered;
    }
    note_denormals(&[&x, &y], env);
    let (kx, ky) = (key(&x), key(&y));
    match kx.cmp(&ky) {
        core::cmp::Ordering::Less => Relation::Less,
        core::cmp::Ordering::Equal => Relation::Equal,
        core::cmp::Ordering::Greater => Relation::Greater,
    }
}

/// A number that orders as the value does.
fn key(u: &Unpacked) -> i128 {
    let magnitude = match u.kind {
        Kind::Zero => 0,
        Kind::Finite => i128::from(u.num.exp + 0x8000) << 64 | i128::from(u.num.sig),
        _ => i128::MAX,
    };
    if u.num.sign { -magnitude } else { magnitude }
}
