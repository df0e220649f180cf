//! Native forms of AES and SHA-256 steps.
//!
//! Arm's AESE adds the key first and mixes separately, the host's round mixes and then adds the key: with a key of
//! zero the host's last round is AESE after the addition, and its full round is AESE with AESMC.

use super::Lower;
use super::simd::Simd;
use super::vex::*;
use crate::ir::{Op, Val, VecForm};
use lyrebird_cpu::vec::VecOp;

/// SHA256RNDS2, SHA256MSG1, SHA256MSG2: opcodes of the map 0F38, without prefix.
const RNDS2: [u8; 2] = [0x38, 0xCB];
const MSG1: [u8; 2] = [0x38, 0xCC];
const MSG2: [u8; 2] = [0x38, 0xCD];

impl Lower {
    fn vec_op(&self, v: Val) -> Option<VecOp> {
        let inst = &self.code[v as usize];
        (inst.op == Op::Vec).then(|| VecForm::unpack(inst.imm)).flatten().map(|f| f.op)
    }

    pub(super) fn simd_crypto(&mut self, s: Simd) -> bool {
        match s.op {
            VecOp::AesEncrypt | VecOp::AesDecrypt | VecOp::AesMix | VecOp::AesUnmix if self.config.aes => {
                self.aes(s);
            }
            VecOp::Sha256Hash | VecOp::Sha256Hash2 | VecOp::Sha256Update0 | VecOp::Sha256Update1
                if self.config.sha =>
            {
                self.sha256(s);
            }
            _ => return false,
        }
        true
    }

    fn aes(&mut self, s: Simd) {
        match s.op {
            VecOp::AesEncrypt | VecOp::AesDecrypt => {
                let encrypt = s.op == VecOp::AesEncrypt;
                // If all that is done with the state is mixing it, it is mixed here.
                let user = self.user[s.i as usize];
                let mixing = if encrypt { VecOp::AesMix } else { VecOp::AesUnmix };
                let mixed = self.uses[s.i as usize] > 0
                    && self.vec_op(user) == Some(mixing)
                    && self.code[user as usize].args().filter(|&v| self.root(v) == s.i).count()
                        == self.uses[s.i as usize] as usize;
                if mixed {
                    self.fuse[s.i as usize] = user;
                }
                let round = match (encrypt, mixed) {
                    (true, true) => AESENC,
                    (true, false) => AESENCLAST,
                    (false, true) => AESDEC,
                    (false, false) => AESDECLAST,
                };
                let (d, a, b) = self.two(s);
                self.asm.vex(PXOR, d, a, b);
                self.zero(0);
                self.asm.vex(round, d, d, 0);
            }
            _ if self.fuse[self.root(s.a) as usize] == s.i => {
                let (d, a) = self.one(s);
                self.asm.movaps(d, a);
            }
            VecOp::AesMix => {
                let (d, a) = self.one(s);
                self.zero(0);
                self.asm.vex(AESDECLAST, d, a, 0);
                self.asm.vex(AESENC, d, d, 0);
            }
            _ => {
                let (d, a) = self.one(s);
                self.asm.vex1(AESIMC, d, a);
            }
        }
    }

    fn sha256(&mut self, s: Simd) {
        match s.op {
            VecOp::Sha256Update0 => {
                let (d, a, b) = self.two(s);
                self.asm.movaps(d, a);
                self.asm.sse(0, &MSG1, d, b);
            }
            VecOp::Sha256Update1 => {
                let (d, a, b, c) = self.three(s);
                self.asm.vex_imm(PALIGNR, d, c, b, 4);
                self.asm.vex(PADD[2], d, d, a);
                self.asm.sse(0, &MSG2, d, c);
            }
            _ => {
                let (d, a, b, words) = self.three(s);
                let t = self.xtemp();
                // The host keeps the state as C D G H and A B E F, first letters highest.
                let hash2 = s.op == VecOp::Sha256Hash2;
                let (x, y) = if hash2 { (b, a) } else { (a, b) };
                self.asm.vex1_imm(PSHUFD, 0, x, 0xB1);
                self.asm.vex1_imm(PSHUFD, 1, y, 0xB1);
                self.asm.vex(PUNPCKL[3], t, 1, 0);
                self.asm.vex(PUNPCKH[3], d, 1, 0);
                self.asm.movaps(0, words);
                self.asm.sse(0, &RNDS2, d, t);
                self.asm.vex1_imm(PSHUFD, 0, words, 0xEE);
                self.asm.sse(0, &RNDS2, t, d);
                self.asm.vex(if hash2 { PUNPCKL[3] } else { PUNPCKH[3] }, d, t, d);
                self.asm.vex1_imm(PSHUFD, d, d, 0xB1);
            }
        }
    }
}
