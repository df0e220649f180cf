//! VEX-encoded vector instructions on 128 bits (Intel SDM volume 2, 2.3): three registers, nothing destroyed.

use super::asm::{Asm, Label, Mem};
use dynasmrt::DynasmApi;

/// A vector instruction: opcode map (1 is 0F, 2 is 0F38, 3 is 0F3A), mandatory prefix (0 for none), opcode, and the W bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vex {
    map: u8,
    prefix: u8,
    opcode: u8,
    w: bool,
}

/// An instruction by map, mandatory prefix (0 for none), opcode and W bit.
pub const fn coded(map: u8, prefix: u8, opcode: u8, w: bool) -> Vex {
    Vex { map, prefix: number(prefix), opcode, w }
}

impl Vex {
    /// The same with another opcode.
    pub const fn with_opcode(self, opcode: u8) -> Vex {
        Vex { opcode, ..self }
    }
}

const fn m1(opcode: u8) -> Vex {
    coded(1, 0x66, opcode, false)
}
const fn m2(opcode: u8) -> Vex {
    coded(2, 0x66, opcode, false)
}
const fn m3(opcode: u8) -> Vex {
    coded(3, 0x66, opcode, false)
}
const fn wide(v: Vex) -> Vex {
    Vex { w: true, ..v }
}

macro_rules! names { ($($name:ident = $e:expr;)*) => { $(
    /// The manual's name; the lists have one for each element size.
    pub const $name: Vex = $e;
)* } }

names! {
    PAND = m1(0xDB); PANDN = m1(0xDF); POR = m1(0xEB); PXOR = m1(0xEF);
    PMULLW = m1(0xD5); PMULHW = m1(0xE5); PMULHUW = m1(0xE4); PMULUDQ = m1(0xF4); PMADDWD = m1(0xF5);
    PMULDQ = m2(0x28); PMULLD = m2(0x40); PMULHRSW = m2(0x0B);
    PSADBW = m1(0xF6); PSHUFB = m2(0x00); PSHUFD = m1(0x70);
    PACKSSWB = m1(0x63); PACKUSWB = m1(0x67); PACKSSDW = m1(0x6B); PACKUSDW = m2(0x2B);
    PALIGNR = m3(0x0F); PBLENDW = m3(0x0E); PBLENDD = m3(0x02); PBLENDVB = m3(0x4C);
    BLENDVPS = m3(0x4A); BLENDVPD = m3(0x4B); SHUFPS = coded(1, 0, 0xC6, false); SHUFPD = m1(0xC6);
    PSHUFLW = coded(1, 0xF2, 0x70, false); PSHUFHW = coded(1, 0xF3, 0x70, false);
    MOVSS = coded(1, 0xF3, 0x10, false); MOVSD = coded(1, 0xF2, 0x10, false);
    PTEST = m2(0x17); INSERTPS = m3(0x21); PCLMULQDQ = m3(0x44);
    PMADDUBSW = m2(0x04); MPSADBW = m3(0x42); PHMINPOSUW = m2(0x41);
    PERMILPS = m2(0x0C); PERMILPD = m2(0x0D); CVTPH2PS = m2(0x13); CVTPS2PH = m3(0x1D);
    AESKEYGENASSIST = m3(0xDF);
    AESENC = m2(0xDC); AESENCLAST = m2(0xDD); AESDEC = m2(0xDE); AESDECLAST = m2(0xDF); AESIMC = m2(0xDB);
    PSRAVD = m2(0x46); PHADDD = m2(0x02);
    ROUNDPS = m3(0x08); ROUNDPD = m3(0x09); ROUNDSS = m3(0x0A); ROUNDSD = m3(0x0B);
}

/// Lists by log2 of the element size in bytes.
macro_rules! lists { ($($name:ident = [$($e:expr),*];)*) => { $(
    /// By log2 of the element size.
    pub const $name: &[Vex] = &[$($e),*];
)* } }

lists! {
    PADD = [m1(0xFC), m1(0xFD), m1(0xFE), m1(0xD4)];
    PSUB = [m1(0xF8), m1(0xF9), m1(0xFA), m1(0xFB)];
    PCMPEQ = [m1(0x74), m1(0x75), m1(0x76), m2(0x29)];
    PCMPGT = [m1(0x64), m1(0x65), m1(0x66), m2(0x37)];
    PUNPCKL = [m1(0x60), m1(0x61), m1(0x62), m1(0x6C)];
    PUNPCKH = [m1(0x68), m1(0x69), m1(0x6A), m1(0x6D)];
    PMINU = [m1(0xDA), m2(0x3A), m2(0x3B)];
    PMAXU = [m1(0xDE), m2(0x3E), m2(0x3F)];
    PMINS = [m2(0x38), m1(0xEA), m2(0x39)];
    PMAXS = [m2(0x3C), m1(0xEE), m2(0x3D)];
    PAVG = [m1(0xE0), m1(0xE3)];
    PABS = [m2(0x1C), m2(0x1D), m2(0x1E)];
    PADDS = [m1(0xEC), m1(0xED)];
    PADDUS = [m1(0xDC), m1(0xDD)];
    PSUBS = [m1(0xE8), m1(0xE9)];
    PSUBUS = [m1(0xD8), m1(0xD9)];
    PMOVSX = [m2(0x20), m2(0x23), m2(0x25)];
    PMOVZX = [m2(0x30), m2(0x33), m2(0x35)];
    PBROADCAST = [m2(0x78), m2(0x79), m2(0x58), m2(0x59)];
    PSIGN = [m2(0x08), m2(0x09), m2(0x0A)];
    // By the low 64 bits of a vector; from 16 bits on.
    PSLL = [m1(0xF1), m1(0xF2), m1(0xF3)];
    PSRL = [m1(0xD1), m1(0xD2), m1(0xD3)];
    PSRA = [m1(0xE1), m1(0xE2)];
    // From 32 bits on.
    PSLLV = [m2(0x47), wide(m2(0x47))];
    PSRLV = [m2(0x45), wide(m2(0x45))];
}

/// Shifts by a constant, with the numbers that opcodes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VShift {
    Srl = 2,
    Sra = 4,
    Sll = 6,
}

/// The number that VEX and EVEX prefixes have for a mandatory prefix, 0 for none.
const fn number(prefix: u8) -> u8 {
    match prefix {
        0x66 => 1,
        0xF3 => 2,
        0xF2 => 3,
        _ => 0,
    }
}

impl Asm {
    /// `d = a op b` of the map 0F, by mandatory prefix (0 for none): floating point.
    pub fn vex_fp(&mut self, prefix: u8, opcode: u8, d: u8, a: u8, b: u8) {
        let last = (!a & 15) << 3 | number(prefix);
        if b < 8 {
            self.extend([0xC5, (!d >> 3 & 1) << 7 | last]);
        } else {
            self.extend([0xC4, (!d >> 3 & 1) << 7 | 0x40 | 1, last]);
        }
        self.push(opcode);
        self.push(0xC0 | (d & 7) << 3 | b & 7);
    }
    /// VFMADD231: `d += a * b` with one rounding.
    pub fn fmadd231(&mut self, double: bool, scalar: bool, d: u8, a: u8, b: u8) {
        self.fused(0xB8, double, scalar, d, a, b);
    }
    /// VFNMADD231: `d -= a * b` with one rounding.
    pub fn fnmadd231(&mut self, double: bool, scalar: bool, d: u8, a: u8, b: u8) {
        self.fused(0xBC, double, scalar, d, a, b);
    }
    fn fused(&mut self, opcode: u8, double: bool, scalar: bool, d: u8, a: u8, b: u8) {
        // By hand: VEX.128.66.0F38, where W tells doubles, which dynasm leaves out of the packed form.
        self.extend([
            0xC4,
            (!d & 8) << 4 | 0x40 | (!b & 8) << 2 | 2,
            (double as u8) << 7 | (!a & 15) << 3 | 1,
            opcode | scalar as u8,
            0xC0 | (d & 7) << 3 | b & 7,
        ]);
    }
    /// `d = a op m`, `m` without an index.
    pub fn vex_mem(&mut self, v: Vex, d: u8, a: u8, m: Mem) {
        let last = (v.w as u8) << 7 | (!a & 15) << 3 | v.prefix;
        self.extend([0xC4, (!d >> 3 & 1) << 7 | 0x40 | (!m.base >> 3 & 1) << 5 | v.map, last]);
        self.push(v.opcode);
        self.modrm_mem(d, m);
    }
    /// `d = a op` the 16 bytes at `l`.
    pub fn vex_label(&mut self, v: Vex, d: u8, a: u8, l: Label) {
        let last = (v.w as u8) << 7 | (!a & 15) << 3 | v.prefix;
        self.extend([0xC4, (!d >> 3 & 1) << 7 | 0x60 | v.map, last]);
        self.push(v.opcode);
        self.push((d & 7) << 3 | 5);
        self.reference(l);
    }
    /// RORX of 32 bits: `d` = `s` rotated right by `n`; flags stay.
    pub fn rorx(&mut self, d: u8, s: u8, n: u8) {
        let registers = (!d >> 3 & 1) << 7 | 0x40 | (!s >> 3 & 1) << 5;
        self.extend([0xC4, registers | 3, 0x7B, 0xF0, 0xC0 | (d & 7) << 3 | s & 7, n]);
    }
    /// An EVEX-encoded instruction on 128 bits, by map, mandatory prefix, W bit and opcode: `d = a op b`. What is not
    /// used is 0. No register is above 15.
    pub fn evex(&mut self, (map, prefix, wide): (u8, u8, bool), opcode: u8, d: u8, a: u8, b: u8) {
        self.extend([
            0x62,
            (!d >> 3 & 1) << 7 | 0x50 | (!b >> 3 & 1) << 5 | map,
            (wide as u8) << 7 | (!a & 15) << 3 | 4 | number(prefix),
            0x08,
            opcode,
            0xC0 | (d & 7) << 3 | b & 7,
        ]);
    }
    /// An EVEX prefix on 128 bits and an opcode, for a mask register as the destination.
    fn evex_mask(&mut self, (map, prefix, wide): (u8, u8, bool), opcode: u8, a: u8, b: u8) {
        self.extend([
            0x62,
            0xD0 | (!b >> 3 & 1) << 5 | map,
            (wide as u8) << 7 | (!a & 15) << 3 | 4 | number(prefix),
            0x08,
            opcode,
        ]);
    }
    /// VFPCLASSPS, PD, SS or SD: K1 = which elements of `a` are of a class in `classes` (AVX-512DQ).
    pub fn vfpclass(&mut self, double: bool, scalar: bool, a: u8, classes: u8) {
        self.evex_mask((3, 0x66, double), 0x66 | scalar as u8, 0, a);
        self.push(0xC8 | a & 7);
        self.push(classes);
    }
    /// VPTESTNMD or VPTESTNMQ: K1 = which elements of `a` have no bit in common with those at `l` (AVX-512VL).
    pub fn vnone(&mut self, double: bool, a: u8, l: Label) {
        self.evex_mask((2, 0xF3, double), 0x27, a, 0);
        self.push(1 << 3 | 5);
        self.reference(l);
    }
    /// KORTESTB K1, K1: equal if no bit is set.
    pub fn ktest(&mut self) {
        self.extend([0xC5, 0xF9, 0x98, 0xC9]);
    }
    /// KMOVB EAX, K1.
    pub fn kmov_rax(&mut self) {
        self.extend([0xC5, 0xF9, 0x93, 0xC1]);
    }

    fn vex_prefix(&mut self, v: Vex, r: u8, vvvv: u8, b: u8) {
        let last = (v.w as u8) << 7 | (!vvvv & 15) << 3 | v.prefix;
        let map = v.map;
        if map == 1 && b < 8 && !v.w {
            self.extend([0xC5, (!r >> 3 & 1) << 7 | last]);
        } else {
            self.extend([0xC4, (!r >> 3 & 1) << 7 | 0x40 | (!b >> 3 & 1) << 5 | map, last]);
        }
        self.push(v.opcode);
        self.push(0xC0 | (r & 7) << 3 | b & 7);
    }

    /// `d = a op b`.
    pub fn vex(&mut self, v: Vex, d: u8, a: u8, b: u8) {
        self.vex_prefix(v, d, a, b);
    }
    /// `d = a op b` with a constant, or a register in the high half of a constant.
    pub fn vex_imm(&mut self, v: Vex, d: u8, a: u8, b: u8, imm: u8) {
        self.vex_prefix(v, d, a, b);
        self.push(imm);
    }
    /// `d = op a`.
    pub fn vex1(&mut self, v: Vex, d: u8, a: u8) {
        self.vex_prefix(v, d, 0, a);
    }
    /// `d = op a` with a constant.
    pub fn vex1_imm(&mut self, v: Vex, d: u8, a: u8, imm: u8) {
        self.vex_prefix(v, d, 0, a);
        self.push(imm);
    }
    /// `d = s` shifted by `n`, in elements of 16, 32 or 64 bits (64 and arithmetic is not there).
    pub fn vshift(&mut self, op: VShift, log2: u8, d: u8, s: u8, n: u8) {
        self.vex_prefix(m1(0x70 + log2), op as u8, d, s);
        self.push(n);
    }
    /// `d = s` shifted right by `n` bytes.
    pub fn vbytes_right(&mut self, d: u8, s: u8, n: u8) {
        self.vex_prefix(m1(0x73), 3, d, s);
        self.push(n);
    }
    /// `d = s` shifted left by `n` bytes.
    pub fn vbytes_left(&mut self, d: u8, s: u8, n: u8) {
        self.vex_prefix(m1(0x73), 7, d, s);
        self.push(n);
    }
}
