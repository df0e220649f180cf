//! The decoder: prefixes, opcode maps, ModRM, SIB, displacement, immediates (SDM vol. 2, chapter 2).
//!
//! It knows no instruction by itself: the rows of the table say which have a ModRM byte and which immediates. Only what bytes
//! mean that no row takes is named here.

use super::emit::X86;
use super::features as f;
use super::insn::{Fields, HIGH_BYTE, Insn, NEAR, NO_REG, PLAIN, PLAIN_32, seg};
use super::isa;
use super::mode;
use super::table::{Imm, Pattern, Prefix, Row};
use crate::emit::{Cx, Emitter, Step};

/// What bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// This row, by number.
    Row(usize, Insn),
    /// No instruction; the length is what was looked at.
    Undefined(Insn),
    /// More bytes than an instruction may have.
    TooLong(Insn),
}

/// The rows with their index: by map, VEX and opcode.
pub struct Table<E: Emitter> {
    rows: Vec<Row<E>>,
    index: Vec<Vec<u16>>,
}

fn slot(map: u8, vex: bool, opcode: u8) -> usize {
    (map as usize | (vex as usize) << 2) << 8 | opcode as usize
}

/// How much a row insists on: of rows with the same opcode the highest comes first.
fn insists(p: &Pattern) -> (u8, bool, bool, bool, bool, bool) {
    (
        p.exact.map_or(0, |(_, mask)| mask),
        !matches!(p.prefix, Prefix::Any | Prefix::NoRep),
        p.digit.is_some(),
        p.w.is_some(),
        p.l.is_some(),
        p.mem || p.reg,
    )
}

impl<E: Emitter> Table<E> {
    /// Builds the index. Of rows with the same opcode those that insist on more come first.
    pub fn new(rows: Vec<Row<E>>) -> Self {
        let mut index = vec![Vec::new(); 8 << 8];
        for (n, row) in rows.iter().enumerate() {
            let p = &row.pattern;
            for r in 0..p.opcodes() {
                index[slot(p.map, p.vex, p.opcode + r)].push(n as u16);
            }
        }
        for bucket in &mut index {
            bucket.sort_by_key(|n| std::cmp::Reverse(insists(&rows[*n as usize].pattern)));
        }
        Self { rows, index }
    }

    /// All rows.
    pub fn rows(&self) -> &[Row<E>] {
        &self.rows
    }

    /// The semantics of what was decoded.
    pub fn semantics(&self, d: Decoded) -> (Step<E>, Insn)
    where
        E: X86,
    {
        match d {
            Decoded::Row(n, insn) => ((self.rows[n].choose)(insn), insn),
            Decoded::Undefined(insn) => (crate::step!(E, isa::undefined::<E>), insn),
            Decoded::TooLong(insn) => (crate::step!(E, isa::too_long::<E>), insn),
        }
    }

    /// Decodes the instruction that `bytes` begin with; `None` if there are too few.
    pub fn decode(&self, bytes: &[u8], cx: Cx) -> Option<Decoded> {
        let limit = longest(cx.features);
        let mut d = Decoder { bytes, at: 0, limit, cx, p: Prefixes::default() };
        match d.run(self) {
            Ok((row, insn)) => Some(Decoded::Row(row, insn)),
            Err(End::Undefined) => {
                Some(Decoded::Undefined(Fields { len: d.at.clamp(1, 15) as u8, ..Fields::default() }.into()))
            }
            Err(End::TooLong) => {
                Some(Decoded::TooLong(Fields { len: limit as u8, ..Fields::default() }.into()))
            }
            Err(End::Bytes) => None,
        }
    }
}

/// How many bytes an instruction may have: 10 on the 80286, 15 since the 80386; the 8086 does not count, and no useful
/// instruction is longer there.
fn longest(features: u64) -> usize {
    if features & f::I286 != 0 && features & f::I386 == 0 { 10 } else { 15 }
}

enum End {
    Undefined,
    TooLong,
    Bytes,
}

#[derive(Clone, Copy, Default)]
struct Prefixes {
    p66: bool,
    p67: bool,
    lock: bool,
    /// 0, 0xF2 or 0xF3.
    rep: u8,
    seg: Option<u8>,
    rex: u8,
    vex: bool,
    vvvv: u8,
    /// VEX.vvvv is not all ones; its top bit counts outside of 64-bit mode, too.
    vvvv_used: bool,
    l: bool,
    /// VEX.pp: the prefix that it stands for.
    pp: u8,
}

struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    limit: usize,
    cx: Cx,
    p: Prefixes,
}

impl Decoder<'_> {
    fn peek(&self) -> Result<u8, End> {
        if self.at >= self.limit {
            return Err(End::TooLong);
        }
        self.bytes.get(self.at).copied().ok_or(End::Bytes)
    }

    fn byte(&mut self) -> Result<u8, End> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn number(&mut self, bytes: u32) -> Result<u64, End> {
        let mut x = 0;
        for i in 0..bytes {
            x |= (self.byte()? as u64) << (8 * i);
        }
        Ok(x)
    }

    /// A sign-extended number of 1, 2 or 4 bytes.
    fn signed(&mut self, bytes: u32) -> Result<i32, End> {
        let shift = 64 - 8 * bytes;
        Ok(((self.number(bytes)? << shift) as i64 >> shift) as i32)
    }

    fn is_64(&self) -> bool {
        mode::is_64(self.cx.mode)
    }

    fn run<E: Emitter>(&mut self, table: &Table<E>) -> Result<(usize, Insn), End> {
        let (map, opcode) = self.opcode()?;
        let candidates = &table.index[slot(map, self.p.vex, opcode)];
        for &n in candidates {
            if self.matches(&table.rows[n as usize])? {
                return Ok((n as usize, self.operands(&table.rows[n as usize], opcode)?));
            }
        }
        // What follows an opcode that does not exist is not looked at.
        Err(End::Undefined)
    }

    /// Reads prefixes and escapes: the opcode map and the opcode.
    fn opcode(&mut self) -> Result<(u8, u8), End> {
        let features = self.cx.features;
        let has = |feature: u64| features & feature != 0;
        let (has_386, is_64) = (has(f::I386), self.is_64());
        loop {
            let byte = self.byte()?;
            match byte {
                0x26 | 0x2E | 0x36 | 0x3E => {
                    // These do nothing in 64-bit mode, not even undo one that does.
                    if !is_64 {
                        self.p.seg = Some(byte >> 3 & 3);
                    }
                }
                0x64 | 0x65 if has_386 => self.p.seg = Some(byte - 0x64 + seg::FS),
                0x66 if has_386 => self.p.p66 = true,
                0x67 if has_386 => self.p.p67 = true,
                0xF0 => self.p.lock = true,
                0xF2 | 0xF3 => self.p.rep = byte,
                0x40..=0x4F if is_64 => {
                    // It counts only right before the opcode.
                    let next = self.peek()?;
                    let prefix = matches!(next, 0x26 | 0x2E | 0x36 | 0x3E | 0x64..=0x67 | 0xF0 | 0xF2 | 0xF3 | 0x40..=0x4F);
                    if !prefix {
                        self.p.rex = byte;
                    }
                }
                0xC4 | 0xC5 if has(f::AVX) || has(f::BMI1) => {
                    let next = self.peek()?;
                    if is_64 || next >= 0xC0 {
                        return self.vex(byte);
                    }
                    return Ok((0, byte));
                }
                0x0F if has(f::I286) => {
                    return Ok(match self.byte()? {
                        0x38 if has(f::SSSE3 | f::SSE41 | f::MOVBE) => (2, self.byte()?),
                        0x3A if has(f::SSSE3 | f::SSE41) => (3, self.byte()?),
                        opcode => (1, opcode),
                    });
                }
                _ => return Ok((0, byte)),
            }
        }
    }

    /// VEX (SDM vol. 2, 2.3.5): inverted R, X, B and vvvv.
    fn vex(&mut self, first: u8) -> Result<(u8, u8), End> {
        let p = &self.p;
        let plain = p.p66 || p.rep != 0 || p.lock || p.rex != 0;
        let prot = mode::is_protected(self.cx.mode);
        let one = self.byte()?;
        let (map, last, rxb, w) = if first == 0xC5 {
            (1, one, one >> 5 & 4 ^ 4, 0)
        } else {
            let two = self.byte()?;
            (one & 0x1F, two, one >> 5 ^ 7, two >> 7)
        };
        let opcode = self.byte()?;
        if plain || !prot || !(1..=3).contains(&map) {
            return Err(End::Undefined);
        }
        let is_64 = self.is_64();
        self.p.vex = true;
        self.p.rex = if is_64 { rxb | w << 3 } else { w << 3 };
        self.p.vvvv = !(last >> 3) & if is_64 { 15 } else { 7 };
        self.p.vvvv_used = !last & 0x78 != 0;
        self.p.l = last & 4 != 0;
        self.p.pp = [0, 0x66, 0xF3, 0xF2][last as usize & 3];
        Ok((map, opcode))
    }

    fn matches<E: Emitter>(&self, row: &Row<E>) -> Result<bool, End> {
        let (p, cx) = (&row.pattern, self.cx);
        let is_64 = self.is_64();
        if cx.features & row.features != row.features
            || (p.i64 && is_64)
            || (p.o64 && !is_64)
            || (p.prot && !mode::is_protected(cx.mode))
        {
            return Ok(false);
        }
        let prefix = match (self.p.vex, self.p.rep) {
            (true, _) => self.p.pp,
            (_, 0) if self.p.p66 => 0x66,
            (_, rep) => rep,
        };
        let fits = match p.prefix {
            Prefix::Any => true,
            Prefix::None => prefix == 0,
            Prefix::NoRep => prefix & 0xF0 != 0xF0,
            Prefix::P66 => prefix == 0x66,
            Prefix::F2 => prefix == 0xF2,
            Prefix::F3 => prefix == 0xF3,
        };
        let w = self.p.rex & 8 != 0;
        if !fits || p.w.is_some_and(|x| x != w) || p.l.is_some_and(|x| x != self.p.l) {
            return Ok(false);
        }
        if !p.modrm {
            return Ok(true);
        }
        let modrm = self.peek()?;
        let is_mem = modrm < 0xC0 && !p.anymod;
        Ok(p.digit.is_none_or(|d| modrm >> 3 & 7 == d)
            && p.exact.is_none_or(|(value, mask)| modrm & mask == value)
            && !(p.mem && !is_mem || p.reg && is_mem))
    }

    fn operands<E: Emitter>(&mut self, row: &Row<E>, opcode: u8) -> Result<Insn, End> {
        let p = &row.pattern;
        let (is_64, w) = (self.is_64(), self.p.rex & 8 != 0);
        // A mandatory 66 does not size operands.
        let p66 = self.p.p66 && p.prefix != Prefix::P66;
        let osize = match mode::code(self.cx.mode) {
            3 if w || p.f64 => 3,
            3 if p66 => 1,
            3 if p.d64 => 3,
            3 => 2,
            default => {
                if p66 {
                    3 - default
                } else {
                    default
                }
            }
        };
        let asize = match mode::code(self.cx.mode) {
            3 => 3 - self.p.p67 as u32,
            default => {
                if self.p.p67 {
                    3 - default
                } else {
                    default
                }
            }
        };
        let rex = self.p.rex;
        let mut i = Fields {
            rm: NO_REG,
            index: NO_REG,
            seg: self.p.seg.unwrap_or(seg::DS),
            vvvv: self.p.vvvv,
            bits: (self.p.lock as u8) << 3 | (self.p.l as u8) << 4 | (w as u8) << 5,
            form: osize as u8
                | (asize as u8) << 2
                | ((rex != 0 && !self.p.vex) as u8) << 5
                | match self.p.rep {
                    0xF2 => 1 << 6,
                    0xF3 => 2 << 6,
                    _ => 0,
                },
            ..Fields::default()
        };
        let byte_register = |n: u8| if rex == 0 && n >= 4 { n - 4 + HIGH_BYTE } else { n };
        if p.plus_cc {
            i.vvvv = opcode & 15;
        }
        if p.plus_r {
            let n = opcode & 7 | (rex & 1) << 3;
            i.reg = if p.byte_reg { byte_register(n) } else { n };
        }
        let mut is_mem = false;
        if p.modrm {
            let modrm = self.byte()?;
            let n = modrm >> 3 & 7 | (rex & 4) << 1;
            i.reg = if p.byte_reg { byte_register(n) } else { n };
            is_mem = modrm < 0xC0 && !p.anymod;
            if is_mem {
                i.form |= 1 << 4;
                if asize == 1 { self.memory_16(modrm, &mut i)? } else { self.memory(modrm, &mut i)? }
            } else {
                let n = modrm & 7 | (rex & 1) << 3;
                i.rm = if p.byte_rm { byte_register(n) } else { n };
            }
        }
        for (n, imm) in p.imms.iter().flatten().enumerate() {
            self.immediate(*imm, n, osize, asize, &mut i)?;
        }
        if self.p.vvvv_used && !p.vvvv {
            return Err(End::Undefined);
        }
        // The 8086 and 80286 lock anything.
        if self.p.lock && self.cx.features & f::I386 != 0 && !(p.lock && is_mem) {
            return Err(End::Undefined);
        }
        i.len = self.at as u8;
        if is_64 && is_mem && asize == 3 && i.seg < seg::FS {
            i.bits |= if Insn::from(i).is_relative() { NEAR } else { PLAIN };
        }
        if !is_mem && (is_64 || self.cx.mode & mode::FLAT != 0 && osize == 2) {
            i.bits |= NEAR;
        }
        debug_assert!(!(is_64 && i.seg < seg::FS && self.p.seg.is_some()));
        if !is_64 && is_mem && asize == 2 && self.cx.mode & mode::FLAT != 0 && i.seg < seg::FS {
            i.seg |= PLAIN_32;
        }
        Ok(i.into())
    }

    fn immediate(&mut self, imm: Imm, n: usize, osize: u32, asize: u32, i: &mut Fields) -> Result<(), End> {
        let z = 1 << osize.min(2);
        match imm {
            Imm::Byte if n == 1 => i.disp = self.signed(1)?,
            Imm::Byte => i.imm = self.signed(1)?,
            Imm::Word => i.imm = self.number(2)? as i32,
            Imm::Z => i.imm = self.signed(z)?,
            // A near branch in 64-bit mode has 32 bits whatever a prefix says (SDM, JMP and CALL; Intel).
            Imm::Jz => i.imm = self.signed(if self.is_64() { 4 } else { z })?,
            Imm::V if osize == 3 => {
                let x = self.number(8)?;
                (i.imm, i.disp) = (x as i32, (x >> 32) as i32);
            }
            Imm::V => i.imm = self.signed(z)?,
            Imm::Far => {
                i.imm = self.number(z)? as i32;
                i.disp = self.number(2)? as i32;
            }
            Imm::Moffs => {
                let x = self.number(1 << asize)?;
                (i.imm, i.disp) = (x as i32, (x >> 32) as i32);
            }
        }
        Ok(())
    }

    /// Memory with 16-bit addressing (SDM vol. 2, table 2-1).
    fn memory_16(&mut self, modrm: u8, i: &mut Fields) -> Result<(), End> {
        const BX: u8 = 3;
        const BP: u8 = 5;
        const SI: u8 = 6;
        const DI: u8 = 7;
        let (kind, rm) = (modrm >> 6, modrm & 7);
        (i.rm, i.index) =
            [(BX, SI), (BX, DI), (BP, SI), (BP, DI), (SI, NO_REG), (DI, NO_REG), (BP, NO_REG), (BX, NO_REG)]
                [rm as usize];
        match kind {
            0 if rm == 6 => {
                i.rm = NO_REG;
                i.disp = self.signed(2)?;
            }
            0 => {}
            1 => i.disp = self.signed(1)?,
            _ => i.disp = self.signed(2)?,
        }
        if i.rm == BP && self.p.seg.is_none() {
            i.seg = seg::SS;
        }
        Ok(())
    }

    /// Memory with 32- and 64-bit addressing (SDM vol. 2, tables 2-2 and 2-3).
    fn memory(&mut self, modrm: u8, i: &mut Fields) -> Result<(), End> {
        let (kind, rm, rex) = (modrm >> 6, modrm & 7, self.p.rex);
        let mut low = rm;
        if rm == 4 {
            let sib = self.byte()?;
            low = sib & 7;
            let index = sib >> 3 & 7 | (rex & 2) << 2;
            // The scale counts even without an index: in a vector SIB that encoding is register 4.
            i.bits |= sib >> 6;
            if index != 4 {
                i.index = index;
            }
        }
        i.rm = low | (rex & 1) << 3;
        match kind {
            0 if low == 5 => {
                i.rm = NO_REG;
                i.disp = self.signed(4)?;
                if rm == 5 && self.is_64() {
                    i.bits |= 1 << 2;
                }
            }
            0 => {}
            1 => i.disp = self.signed(1)?,
            _ => i.disp = self.signed(4)?,
        }
        if (i.rm == 4 || i.rm == 5) && self.p.seg.is_none() {
            i.seg = seg::SS;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::isa;

    /// Whether some prefix fits both.
    fn prefixes_meet(a: Prefix, b: Prefix) -> bool {
        use Prefix::*;
        let all = [None, P66, F2, F3];
        let fits = |p: Prefix, x: Prefix| match p {
            Any => true,
            NoRep => matches!(x, None | P66),
            _ => p == x,
        };
        all.into_iter().any(|x| fits(a, x) && fits(b, x))
    }

    /// Whether some encoding fits both.
    fn meet(a: &Pattern, b: &Pattern) -> bool {
        fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        let exact = (0..=255).any(|m: u8| {
            [a, b].into_iter().all(|p| {
                p.exact.is_none_or(|(value, mask)| m & mask == value)
                    && p.digit.is_none_or(|d| m >> 3 & 7 == d)
                    && !(p.mem && m >= 0xC0 || p.reg && m < 0xC0)
            })
        });
        prefixes_meet(a.prefix, b.prefix)
            && same(a.w, b.w)
            && same(a.l, b.l)
            && !(a.i64 && b.o64 || a.o64 && b.i64)
            && exact
    }

    #[test]
    fn no_encoding_has_two_rows_of_the_same_rank() {
        let table = isa::interp_table();
        for bucket in &table.index {
            for (n, a) in bucket.iter().enumerate() {
                for b in &bucket[n + 1..] {
                    let (a, b) = (&table.rows[*a as usize], &table.rows[*b as usize]);
                    let equal = insists(&a.pattern) == insists(&b.pattern);
                    assert!(
                        !(equal && meet(&a.pattern, &b.pattern)),
                        "{} {} and {} {}",
                        a.name,
                        a.opcode,
                        b.name,
                        b.opcode
                    );
                }
            }
        }
    }

    /// What the 64-bit mode with all features makes of bytes.
    fn decode(bytes: &[u8]) -> Option<(&'static str, Insn)> {
        let mode = 3 << mode::CODE_LOW | mode::PE | mode::FLAT;
        match isa::interp_table().decode(bytes, Cx { mode, features: u64::MAX })? {
            Decoded::Row(n, i) => Some((isa::interp_table().rows()[n].name, i)),
            Decoded::Undefined(i) => Some(("undefined", i)),
            Decoded::TooLong(i) => Some(("too long", i)),
        }
    }

    #[test]
    fn prefixes_count_where_they_stand() {
        // REX only right before the opcode; the last of F2 and F3; 15 bytes at most.
        assert!(
            matches!(decode(&[0x48, 0x66, 0x01, 0xC0]), Some(("ADD", i)) if i.osize() == 1 && i.len() == 4)
        );
        assert!(matches!(decode(&[0x66, 0x48, 0x01, 0xC0]), Some(("ADD", i)) if i.osize() == 3));
        assert!(matches!(decode(&[0xF2, 0xF3, 0x0F, 0xBC, 0xC0]), Some(("TZCNT", _))));
        assert!(matches!(decode(&[0xF0, 0x01, 0xC0]), Some(("undefined", _))));
        assert!(matches!(decode(&[0x66; 15]), Some(("too long", _))));
        assert!(decode(&[0x48, 0x8B]).is_none());
    }
}
