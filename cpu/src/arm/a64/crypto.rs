//! Cryptographic instructions: AES, SHA-1, SHA-256, SHA-512, SHA-3, SM3, SM4 (DDI 0487 C4.1.96).

use super::simd::BITS;
use crate::arm::emit::Arm;
use crate::arm::features;
use crate::emit::{Exec, Flow};
use crate::op::Bin;
use crate::vec::{Lanes, VecOp};
use crate::width::{W32, W128};

crate::rows! { Arm;
    "AESE"   "01001110 00 10100 00100 10 nnnnn ddddd" (n, d) if features::AES => aese;
    "AESD"   "01001110 00 10100 00101 10 nnnnn ddddd" (n, d) if features::AES => aesd;
    "AESMC"  "01001110 00 10100 00110 10 nnnnn ddddd" (n, d) if features::AES => aesmc;
    "AESIMC" "01001110 00 10100 00111 10 nnnnn ddddd" (n, d) if features::AES => aesimc;
    "SHA1C"   "01011110 000 mmmmm 0 000 00 nnnnn ddddd" (m, n, d) if features::SHA1 => sha1c;
    "SHA1P"   "01011110 000 mmmmm 0 001 00 nnnnn ddddd" (m, n, d) if features::SHA1 => sha1p;
    "SHA1M"   "01011110 000 mmmmm 0 010 00 nnnnn ddddd" (m, n, d) if features::SHA1 => sha1m;
    "SHA1SU0" "01011110 000 mmmmm 0 011 00 nnnnn ddddd" (m, n, d) if features::SHA1 => sha1su0;
    "SHA256H"   "01011110 000 mmmmm 0 100 00 nnnnn ddddd" (m, n, d) if features::SHA256 => sha256h;
    "SHA256H2"  "01011110 000 mmmmm 0 101 00 nnnnn ddddd" (m, n, d) if features::SHA256 => sha256h2;
    "SHA256SU1" "01011110 000 mmmmm 0 110 00 nnnnn ddddd" (m, n, d) if features::SHA256 => sha256su1;
    "SHA1H"     "01011110 00 10100 00000 10 nnnnn ddddd" (n, d) if features::SHA1 => sha1h;
    "SHA1SU1"   "01011110 00 10100 00001 10 nnnnn ddddd" (n, d) if features::SHA1 => sha1su1;
    "SHA256SU0" "01011110 00 10100 00010 10 nnnnn ddddd" (n, d) if features::SHA256 => sha256su0;
    "SHA512H"   "11001110 011 mmmmm 1 0 00 00 nnnnn ddddd" (m, n, d) if features::SHA512 => sha512h;
    "SHA512H2"  "11001110 011 mmmmm 1 0 00 01 nnnnn ddddd" (m, n, d) if features::SHA512 => sha512h2;
    "SHA512SU1" "11001110 011 mmmmm 1 0 00 10 nnnnn ddddd" (m, n, d) if features::SHA512 => sha512su1;
    "RAX1"      "11001110 011 mmmmm 1 0 00 11 nnnnn ddddd" (m, n, d) if features::SHA3 => rax1;
    "SM3PARTW1" "11001110 011 mmmmm 1 1 00 00 nnnnn ddddd" (m, n, d) if features::SM3 => sm3partw1;
    "SM3PARTW2" "11001110 011 mmmmm 1 1 00 01 nnnnn ddddd" (m, n, d) if features::SM3 => sm3partw2;
    "SM4EKEY"   "11001110 011 mmmmm 1 1 00 10 nnnnn ddddd" (m, n, d) if features::SM4 => sm4ekey;
    "SHA512SU0" "11001110 11000000 1000 00 nnnnn ddddd" (n, d) if features::SHA512 => sha512su0;
    "SM4E"      "11001110 11000000 1000 01 nnnnn ddddd" (n, d) if features::SM4 => sm4e;
    "EOR3"   "11001110 0 00 mmmmm 0 aaaaa nnnnn ddddd" (m, a, n, d) if features::SHA3 => eor3;
    "BCAX"   "11001110 0 01 mmmmm 0 aaaaa nnnnn ddddd" (m, a, n, d) if features::SHA3 => bcax;
    "SM3SS1" "11001110 0 10 mmmmm 0 aaaaa nnnnn ddddd" (m, a, n, d) if features::SM3 => sm3ss1;
    "XAR"    "11001110 100 mmmmm iiiiii nnnnn ddddd" (m, i, n, d) if features::SHA3 => xar;
    "SM3TT1A" "11001110 010 mmmmm 10 ii 00 nnnnn ddddd" (m, i, n, d) if features::SM3 => sm3tt1a;
    "SM3TT1B" "11001110 010 mmmmm 10 ii 01 nnnnn ddddd" (m, i, n, d) if features::SM3 => sm3tt1b;
    "SM3TT2A" "11001110 010 mmmmm 10 ii 10 nnnnn ddddd" (m, i, n, d) if features::SM3 => sm3tt2a;
    "SM3TT2B" "11001110 010 mmmmm 10 ii 11 nnnnn ddddd" (m, i, n, d) if features::SM3 => sm3tt2b;
}

macro_rules! two { ($($(#[$doc:meta])* $name:ident |$e:ident, $d:ident, $n:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>($e: &mut E, n: u32, d: u32) -> Exec<E> {
        $e.check_fp()?;
        let ($d, $n) = ($e.v(d), $e.v(n));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
two! {
    /// AESE. [C7.2.8]
    aese |e, d, n| e.v2(VecOp::AesEncrypt, BITS, d, n);
    /// AESD. [C7.2.7]
    aesd |e, d, n| e.v2(VecOp::AesDecrypt, BITS, d, n);
    /// AESMC. [C7.2.10]
    aesmc |e, _d, n| e.v1(VecOp::AesMix, BITS, n);
    /// AESIMC. [C7.2.9]
    aesimc |e, _d, n| e.v1(VecOp::AesUnmix, BITS, n);
    /// SHA1H: rotates a word left by 30. [C7.2.270]
    sha1h |e, _d, n| { let x = e.lane::<W32>(n, 0); let x = e.shift(Bin::Ror, x, 2); e.to_vec(x) };
    /// SHA1SU1. [C7.2.274]
    sha1su1 |e, d, n| e.v2(VecOp::Sha1Update1, BITS, d, n);
    /// SHA256SU0. [C7.2.277]
    sha256su0 |e, d, n| e.v2(VecOp::Sha256Update0, BITS, d, n);
    /// SHA512SU0. [C7.2.281]
    sha512su0 |e, d, n| e.v2(VecOp::Sha512Update0, BITS, d, n);
    /// SM4E. [C7.2.311]
    sm4e |e, d, n| e.v2(VecOp::Sm4Encrypt, BITS, d, n);
}

macro_rules! three { ($($(#[$doc:meta])* $name:ident |$e:ident, $d:ident, $n:ident, $m:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>($e: &mut E, m: u32, n: u32, d: u32) -> Exec<E> {
        $e.check_fp()?;
        let ($d, $n, $m) = ($e.v(d), $e.v(n), $e.v(m));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
three! {
    /// SHA1C. [C7.2.269]
    sha1c |e, d, n, m| e.vec(VecOp::Sha1Choose, BITS, 0, d, n, m);
    /// SHA1P. [C7.2.272]
    sha1p |e, d, n, m| e.vec(VecOp::Sha1Parity, BITS, 0, d, n, m);
    /// SHA1M. [C7.2.271]
    sha1m |e, d, n, m| e.vec(VecOp::Sha1Majority, BITS, 0, d, n, m);
    /// SHA1SU0: `(n<63:0> : d<127:64>) EOR d EOR m`. [C7.2.273]
    sha1su0 |e, d, n, m| {
        let x = e.vec(VecOp::Extract, BITS, 8, d, n, n);
        let x = e.v2(VecOp::Xor, BITS, x, d);
        e.v2(VecOp::Xor, BITS, x, m)
    };
    /// SHA256H. [C7.2.276]
    sha256h |e, d, n, m| e.vec(VecOp::Sha256Hash, BITS, 0, d, n, m);
    /// SHA256H2. [C7.2.275]
    sha256h2 |e, d, n, m| e.vec(VecOp::Sha256Hash2, BITS, 0, d, n, m);
    /// SHA256SU1. [C7.2.278]
    sha256su1 |e, d, n, m| e.vec(VecOp::Sha256Update1, BITS, 0, d, n, m);
    /// SHA512H. [C7.2.279]
    sha512h |e, d, n, m| e.vec(VecOp::Sha512Hash, BITS, 0, d, n, m);
    /// SHA512H2. [C7.2.280]
    sha512h2 |e, d, n, m| e.vec(VecOp::Sha512Hash2, BITS, 0, d, n, m);
    /// SHA512SU1. [C7.2.282]
    sha512su1 |e, d, n, m| e.vec(VecOp::Sha512Update1, BITS, 0, d, n, m);
    /// RAX1: `n EOR ROL(m, 1)` on doublewords. [C7.2.251]
    rax1 |e, _d, n, m| {
        let l = Lanes::full(3);
        let (high, low) = (e.vi(VecOp::Shl, l, 1, m), e.vi(VecOp::ShrU, l, 63, m));
        let rotated = e.v2(VecOp::Or, BITS, high, low);
        e.v2(VecOp::Xor, BITS, n, rotated)
    };
    /// SM3PARTW1. [C7.2.303]
    sm3partw1 |e, d, n, m| e.vec(VecOp::Sm3Part1, BITS, 0, d, n, m);
    /// SM3PARTW2. [C7.2.304]
    sm3partw2 |e, d, n, m| e.vec(VecOp::Sm3Part2, BITS, 0, d, n, m);
    /// SM4EKEY. [C7.2.312]
    sm4ekey |e, _d, n, m| e.v2(VecOp::Sm4Key, BITS, n, m);
}

macro_rules! four { ($($(#[$doc:meta])* $name:ident |$e:ident, $n:ident, $m:ident, $a:ident| $r:expr;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>($e: &mut E, m: u32, a: u32, n: u32, d: u32) -> Exec<E> {
        $e.check_fp()?;
        let ($n, $m, $a) = ($e.v(n), $e.v(m), $e.v(a));
        let r = $r;
        $e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
four! {
    /// EOR3: `n EOR m EOR a`. [C7.2.46]
    eor3 |e, n, m, a| { let x = e.v2(VecOp::Xor, BITS, n, m); e.v2(VecOp::Xor, BITS, x, a) };
    /// BCAX: `n EOR (m AND NOT a)`. [C7.2.12]
    bcax |e, n, m, a| { let x = e.v2(VecOp::AndNot, BITS, m, a); e.v2(VecOp::Xor, BITS, n, x) };
    /// SM3SS1. [C7.2.305]
    sm3ss1 |e, n, m, a| e.vec(VecOp::Sm3Ss1, BITS, 0, n, m, a);
}

/// XAR: `ROR(n EOR m, imm)` on doublewords. [C7.2.441]
fn xar<E: Arm>(e: &mut E, m: u32, i: u32, n: u32, d: u32) -> Exec<E> {
    e.check_fp()?;
    let l = Lanes::full(3);
    let (a, b) = (e.v(n), e.v(m));
    let mut x: E::Val<W128> = e.v2(VecOp::Xor, BITS, a, b);
    if i != 0 {
        let (low, high) = (e.vi(VecOp::ShrU, l, i, x), e.vi(VecOp::Shl, l, 64 - i, x));
        x = e.v2(VecOp::Or, BITS, low, high);
    }
    e.set_v(d, x);
    Ok(Flow::Next)
}

macro_rules! rounds { ($($(#[$doc:meta])* $name:ident $op:ident;)*) => { $(
    $(#[$doc])*
    fn $name<E: Arm>(e: &mut E, m: u32, i: u32, n: u32, d: u32) -> Exec<E> {
        e.check_fp()?;
        let (a, b, c) = (e.v(d), e.v(n), e.v(m));
        let r = e.vec(VecOp::$op, BITS, i, a, b, c);
        e.set_v(d, r);
        Ok(Flow::Next)
    }
)* } }
rounds! {
    /// SM3TT1A. [C7.2.306]
    sm3tt1a Sm3Tt1a;
    /// SM3TT1B. [C7.2.307]
    sm3tt1b Sm3Tt1b;
    /// SM3TT2A. [C7.2.308]
    sm3tt2a Sm3Tt2a;
    /// SM3TT2B. [C7.2.309]
    sm3tt2b Sm3Tt2b;
}
