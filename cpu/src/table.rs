//! Decode tables: one row an encoding, checked against the manual by eye.
//!
//! A row is a mnemonic, a pattern of 32 letters and digits (blanks are ignored), the operand letters in the order in
//! which the semantics take them, and the path of the semantics. A run of one letter is a field; a letter that is not
//! an operand still matches any bit; `!` before a run means that its bits are not all zero. `if FEATURE` makes the row
//! exist only on models that have the feature. `{z=1 s=0}` behind the path is a *form*: the same semantics compiled for
//! those operands as constants, which the interpreter prefers for words that have them.

use crate::core::Insn;
use crate::emit::{Emitter, Step};

/// An instruction word, with the fields that most encodings have for registers taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Word {
    bits: u32,
    registers: [u8; REGISTERS.len()],
}

/// The lowest bits of those fields: Rd or Rt, Rn, Ra or Rt2, Rm. They have five bits.
const REGISTERS: [u32; 4] = [0, 5, 10, 16];

impl From<u32> for Word {
    fn from(bits: u32) -> Self {
        Word { bits, registers: REGISTERS.map(|low| (bits >> low & 31) as u8) }
    }
}

impl Word {
    /// The field of `LEN` bits from bit `LOW` on.
    #[inline(always)]
    pub fn field<const LOW: u32, const LEN: u32>(&self) -> u32 {
        match REGISTERS.iter().position(|&low| (low, 5) == (LOW, LEN)) {
            Some(register) => self.registers[register] as u32,
            None => self.bits >> LOW & ((1u64 << LEN) - 1) as u32,
        }
    }
}

impl Insn for Word {
    #[inline(always)]
    fn len(self) -> u32 {
        4
    }
}

/// One row of a decode table.
pub struct Row<E: Emitter> {
    /// The manual's mnemonic and form.
    pub name: &'static str,
    /// The pattern, for printing and test generation.
    pub pattern: &'static str,
    /// Fixed bits.
    pub mask: u32,
    /// Their values.
    pub value: u32,
    /// Bits that are not all zero, if any.
    pub nonzero: u32,
    /// Feature bits of which all must be present.
    pub features: u64,
    /// The semantics.
    pub run: Step<E>,
    /// The semantics for particular operands, most particular first.
    pub forms: Vec<Form<E>>,
}

/// A row's semantics with some operands as constants.
pub struct Form<E: Emitter> {
    /// The bits of those operands.
    pub mask: u32,
    /// Their values.
    pub value: u32,
    /// The semantics.
    pub run: Step<E>,
}

impl<E: Emitter> Row<E> {
    /// Whether the pattern matches a word.
    #[inline]
    pub fn matches(&self, word: u32) -> bool {
        word & self.mask == self.value && (self.nonzero == 0 || word & self.nonzero != 0)
    }

    /// The semantics in the form that fits the word best.
    pub fn handler(&self, word: u32) -> Step<E> {
        self.forms.iter().find(|f| word & f.mask == f.value).map_or(self.run, |f| f.run)
    }

    /// Whether the row's fixed bits rule out what another row's pattern excludes.
    fn excluded_by(&self, other: &Self) -> bool {
        other.nonzero != 0 && self.mask & other.nonzero == other.nonzero && self.value & other.nonzero == 0
    }
}

/// The fixed bits of a pattern and their values.
pub const fn fixed(p: &str) -> (u32, u32) {
    let (b, mut mask, mut value, mut i, mut n) = (p.as_bytes(), 0u32, 0u32, 0, 0);
    while i < b.len() {
        if b[i] != b' ' && b[i] != b'!' {
            mask <<= 1;
            value <<= 1;
            if b[i] == b'0' || b[i] == b'1' {
                mask |= 1;
                value |= (b[i] == b'1') as u32;
            }
            n += 1;
        }
        i += 1;
    }
    assert!(n == 32, "a pattern has 32 bits");
    (mask, value)
}

/// Lowest bit and length of the field that letter `c` names.
pub const fn field(p: &str, c: &str) -> (u32, u32) {
    let (b, c) = (p.as_bytes(), c.as_bytes()[0]);
    let (mut i, mut pos, mut len, mut low) = (0, 0u32, 0u32, 32u32);
    while i < b.len() {
        if b[i] != b' ' && b[i] != b'!' {
            if b[i] == c {
                assert!(len == 0 || low == 32 - pos, "a field is one run of bits");
                len += 1;
                low = 31 - pos;
            }
            pos += 1;
        }
        i += 1;
    }
    assert!(len > 0, "an operand letter is missing from its pattern");
    (low, len)
}

/// The bits of the field that a `!` marks as not all zero; 0 if there is none.
pub const fn nonzero(p: &str) -> u32 {
    let b = p.as_bytes();
    let (mut i, mut pos, mut mask, mut letter) = (0, 0u32, 0u32, 0u8);
    while i < b.len() {
        if b[i] == b'!' {
            assert!(letter == 0, "one field may be marked");
            letter = b[i + 1];
        } else if b[i] != b' ' {
            if letter != 0 && b[i] == letter {
                mask |= 1 << (31 - pos);
            }
            pos += 1;
        }
        i += 1;
    }
    mask
}

/// The value that a form gives to operand `letter`, if it does.
pub const fn given(letter: &str, form: &[(&str, u32)]) -> Option<u32> {
    let mut i = 0;
    while i < form.len() {
        if form[i].0.as_bytes()[0] == letter.as_bytes()[0] {
            return Some(form[i].1);
        }
        i += 1;
    }
    None
}

/// The bits of a form's operands in pattern `p`, and their values.
pub const fn given_bits(p: &str, form: &[(&str, u32)]) -> (u32, u32) {
    let (mut mask, mut value, mut i) = (0, 0, 0);
    while i < form.len() {
        let (low, len) = field(p, form[i].0);
        assert!(form[i].1 >> len == 0, "a form's value fits its operand");
        mask |= ((1 << len) - 1) << low;
        value |= form[i].1 << low;
        i += 1;
    }
    (mask, value)
}

/// Defines `pub fn rows<E: Bound>() -> Vec<Row<E>>` from rows of the form
/// `"NAME" "pattern" (letters) [if FEATURES] => path::to::semantics [{letter=value ...} ...];`.
#[macro_export]
macro_rules! rows {
    ($bound:path; $( $name:literal $pat:literal $letters:tt $(if $feature:expr)? => $sem:path
        $({ $($given:ident = $value:literal)* })*; )*) => {
        /// The rows of this chapter.
        pub fn rows<E: $bound>() -> Vec<$crate::table::Row<E>> {
            vec![$( $crate::table::Row {
                name: $name,
                pattern: $pat,
                mask: const { $crate::table::fixed($pat).0 },
                value: const { $crate::table::fixed($pat).1 },
                nonzero: const { $crate::table::nonzero($pat) },
                features: 0 $(| $feature)?,
                run: $crate::semantics!(E, $sem, $pat, $letters, []),
                forms: vec![$( $crate::table::Form {
                    mask: const { $crate::table::given_bits($pat, &[$((stringify!($given), $value)),*]).0 },
                    value: const { $crate::table::given_bits($pat, &[$((stringify!($given), $value)),*]).1 },
                    run: $crate::semantics!(E, $sem, $pat, $letters, [$((stringify!($given), $value)),*]),
                } ),*],
            } ),*]
        }
    };
}

/// The function of an instruction word that calls semantics with its operands, some of them given.
#[macro_export]
macro_rules! semantics {
    ($E:ident, $sem:path, $pat:literal, ($($f:ident),*), $form:tt) => {
        $crate::step!($E, |e: &mut $E, _w: &$crate::table::Word| $sem(e $(, match const { $crate::table::given(stringify!($f), &$form) } {
            Some(x) => x,
            None => {
                const F: (u32, u32) = $crate::table::field($pat, stringify!($f));
                _w.field::<{ F.0 }, { F.1 }>()
            }
        })*))
    };
}

/// A decode table with its index: rows by the 11 bits that tell A64 classes apart.
pub struct Table<E: Emitter> {
    rows: Vec<Row<E>>,
    starts: Vec<u32>,
    index: Vec<u16>,
}

const KEY_LOW: u32 = 21;
const KEYS: usize = 1 << (32 - KEY_LOW);

impl<E: Emitter> Table<E> {
    /// Builds the index. Rows with more fixed bits win where patterns nest; overlap otherwise is a bug that
    /// [`Table::ambiguous`] finds in tests.
    pub fn new(mut rows: Vec<Row<E>>) -> Self {
        rows.sort_by_key(|r| std::cmp::Reverse(r.mask.count_ones()));
        let mut buckets: Vec<Vec<u16>> = vec![Vec::new(); KEYS];
        for (i, row) in rows.iter().enumerate() {
            let (mask, value) = (row.mask >> KEY_LOW, row.value >> KEY_LOW);
            // All keys that agree with the fixed bits: the subsets of the free bits.
            let free = !mask & (KEYS as u32 - 1);
            let mut sub = free;
            loop {
                buckets[(value | sub) as usize].push(i as u16);
                if sub == 0 {
                    break;
                }
                sub = (sub - 1) & free;
            }
        }
        let (mut starts, mut index) = (Vec::with_capacity(KEYS + 1), Vec::new());
        for bucket in buckets {
            starts.push(index.len() as u32);
            index.extend(bucket);
        }
        starts.push(index.len() as u32);
        Self { rows, starts, index }
    }

    /// The row for an instruction word on a model with `features`, by number and itself.
    #[inline]
    pub fn find(&self, word: u32, features: u64) -> Option<(usize, &Row<E>)> {
        let key = (word >> KEY_LOW) as usize;
        let candidates = &self.index[self.starts[key] as usize..self.starts[key + 1] as usize];
        candidates
            .iter()
            .map(|&i| (i as usize, &self.rows[i as usize]))
            .find(|(_, r)| r.matches(word) && features & r.features == r.features)
    }

    /// All rows, most fixed bits first.
    pub fn rows(&self) -> &[Row<E>] {
        &self.rows
    }

    /// Pairs of rows that some word matches although neither pattern contains the other.
    pub fn ambiguous(&self) -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        for (i, a) in self.rows.iter().enumerate() {
            for b in &self.rows[i + 1..] {
                let both = a.mask & b.mask;
                let overlap = a.value & both == b.value & both && !a.excluded_by(b) && !b.excluded_by(a);
                let nested = both == a.mask || both == b.mask;
                if overlap && (!nested || a.mask == b.mask) {
                    found.push((a.name, b.name));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_the_same_taken_apart_or_not() {
        for bits in [0, 0x1F, 0x9ABC_DEF0, 0x5432_1FED, u32::MAX] {
            let word = Word::from(bits);
            let fields = [
                (word.field::<0, 5>(), bits & 31),
                (word.field::<5, 5>(), bits >> 5 & 31),
                (word.field::<10, 5>(), bits >> 10 & 31),
                (word.field::<16, 5>(), bits >> 16 & 31),
                (word.field::<5, 4>(), bits >> 5 & 15),
                (word.field::<12, 5>(), bits >> 12 & 31),
                (word.field::<16, 16>(), bits >> 16),
                (word.field::<0, 32>(), bits),
            ];
            for (n, (field, expected)) in fields.into_iter().enumerate() {
                assert_eq!(field, expected, "field {n} of {bits:#x}");
            }
        }
    }
}
