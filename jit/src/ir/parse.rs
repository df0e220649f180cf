//! Reads the text form that [`super::print`] writes. Helpers cannot be read back: `call` keeps its number only.

use super::print::sub_name;
use super::{Block, Inst, Ir, NONE, Op, Ty};
use lyrebird_cpu::core::Arch;

/// A line that is not IR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, counting from 1.
    pub line: usize,
    /// What was expected.
    pub expected: &'static str,
}

const TYPES: [Ty; 6] = [Ty::I1, Ty::I8, Ty::I16, Ty::I32, Ty::I64, Ty::V128];

/// Reads a region.
///
/// # Errors
/// At the first line that is not IR.
pub fn region<A: Arch>(text: &str) -> Result<Ir<A>, ParseError> {
    let mut ir = Ir::default();
    for (n, line) in text.lines().enumerate() {
        let wrong = |expected| ParseError { line: n + 1, expected };
        let line = line.split(';').next().unwrap_or("").trim();
        let mut words = line.split_whitespace();
        match words.next() {
            None => {}
            Some("region") => {
                ir.mode = words.nth(1).and_then(number).ok_or_else(|| wrong("a mode"))? as u32;
            }
            Some("block") => {
                let at = words.nth(2).and_then(number).ok_or_else(|| wrong("a place"))? as u32;
                let count = words.nth(1).and_then(number).ok_or_else(|| wrong("a count"))? as u32;
                let first = ir.code.len() as u32;
                ir.blocks.push(Block { at, first, end: first, count, len: 0 });
            }
            Some(_) => {
                let i = inst(line).ok_or_else(|| wrong("an instruction"))?;
                ir.code.push(i);
                let end = ir.code.len() as u32;
                ir.blocks.last_mut().ok_or_else(|| wrong("a block first"))?.end = end;
            }
        }
    }
    Ok(ir)
}

fn number(s: &str) -> Option<u128> {
    match s.strip_prefix("0x") {
        Some(hex) => u128::from_str_radix(hex, 16).ok(),
        None => s.parse().ok(),
    }
}

fn inst(line: &str) -> Option<Inst> {
    let rest = line.split_once('=').map_or(line, |(_, rest)| rest);
    let mut words = rest.split_whitespace();
    let head = words.next()?;
    let (name, sub) = head.split_once('.').map_or((head, None), |(name, sub)| (name, Some(sub)));
    let op = *Op::ALL.iter().find(|op| op.name() == name)?;
    let ty_name = words.next()?;
    let ty = *TYPES.iter().find(|ty| format!("{ty:?}") == ty_name)?;
    let mut i = Inst { op, ty, sub: 0, a: NONE, b: NONE, c: NONE, imm: 0 };
    if let Some(sub) = sub {
        let named = (0..64).find(|&n| sub_name(&Inst { sub: n, ..i }).as_deref() == Some(sub));
        i.sub = named.or_else(|| sub.parse().ok())?;
    }
    let mut args = [NONE; 3];
    let mut count = 0;
    for word in words {
        if let Some(v) = word.strip_prefix('%') {
            *args.get_mut(count)? = v.parse().ok()?;
            count += 1;
        } else {
            let wide = number(word.strip_prefix('#')?)?;
            i.imm = wide as u64;
            if op == Op::Lit && ty == Ty::V128 {
                args = [(wide >> 64) as u32, (wide >> 96) as u32, NONE];
                count = 0;
            }
        }
    }
    if count != op.args() {
        return None;
    }
    if op == Op::Lit && ty == Ty::V128 && args[0] == NONE && args[1] == NONE {
        args = [0, 0, NONE];
    }
    [i.a, i.b, i.c] = args;
    Some(i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lyrebird_cpu::arm::Arm64;

    #[test]
    fn text_is_read_back() {
        let text = "region mode 0x5\nblock 0 at 0x40 count 2\n  at I64 #0x40\n  %1 = get I64 #0x8\n  %2 = lit I64 #0x10\n  \
                    %3 = bin.sub I64 %1 %2\n  %4 = lit V128 #0x10000000000000002\n  put V128 %4 #0x200\n  %6 = cmp.ltu \
                    I1 %1 %3\n  branch I64 %6 #0x4400000040\n";
        let ir: Ir<Arm64> = region(text).unwrap();
        assert_eq!(ir.code.len(), 8);
        assert_eq!(ir.to_string(), text);
        assert_eq!(region::<Arm64>("block 0 at 0 count 1\n nonsense").err().map(|e| e.line), Some(2));
    }
}
