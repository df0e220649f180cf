//! The instruction set: decode rows by chapter, semantics beside them.

pub mod alu;
pub mod atomic;
pub mod avx_fma;
pub mod avx_masked;
pub mod avx_permute;
pub mod bits;
pub mod branch;
pub mod decimal;
pub mod descriptor_tables;
pub mod flag;
pub mod mmx;
pub mod moves;
pub mod muldiv;
pub mod port_io;
pub mod segments;
pub mod shift;
pub mod sse_control;
pub mod sse_convert;
pub mod sse_crypto;
pub mod sse_forms;
pub mod sse_fp;
pub mod sse_integer;
pub mod sse_move;
pub mod sse_shuffle;
pub mod stack;
pub mod string;
pub mod system;
pub mod transfer_far;
pub mod x87_env;
pub mod x87_exec;
pub mod x87_memory;
pub mod x87_ops;
pub mod x87_state;
pub mod xsave;

use super::X64;
use super::decode::Table;
use super::emit::{X86, fault};
use super::insn::Insn;
use super::table::Row;
use crate::core::Core;
use crate::emit::Exec;
use std::sync::OnceLock;

/// The chapters of the instruction set: the name of the module and its rows.
pub fn chapters<E: X86>() -> Vec<(&'static str, Vec<Row<E>>)> {
    macro_rules! chapters { ($($m:ident)*) => { vec![$((stringify!($m), $m::rows())),*] } }
    chapters! {
        alu atomic bits branch decimal flag moves muldiv shift stack string port_io segments descriptor_tables system
        transfer_far
        avx_fma avx_masked avx_permute mmx sse_control sse_convert sse_crypto sse_fp sse_integer
        sse_move sse_shuffle x87_ops xsave
    }
}

/// All rows, for any emitter; their numbers are the same for all.
pub fn table<E: X86>() -> Table<E> {
    Table::new(chapters().into_iter().flat_map(|(_, rows)| rows).collect())
}

/// The interpreter's table.
pub fn interp_table() -> &'static Table<Core<X64>> {
    static TABLE: OnceLock<Table<Core<X64>>> = OnceLock::new();
    TABLE.get_or_init(table)
}

/// What bytes do that are no instruction.
#[inline(always)]
pub fn undefined<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    e.undefined()
}

/// What an instruction with too many bytes does.
#[inline(always)]
pub fn too_long<E: X86>(e: &mut E, _: &Insn) -> Exec<E> {
    e.raise(fault::GP0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rows_are_in_the_notation() {
        let table = interp_table();
        for row in table.rows() {
            let p = &row.pattern;
            let registers = row.operands.split(',').any(|o| matches!(o, "Zb" | "Zv"));
            assert_eq!(p.plus_r, registers, "{} {}", row.name, row.opcode);
        }
        assert!(table.rows().len() > 200);
    }
}
