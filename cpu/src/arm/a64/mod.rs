//! The A64 instruction set: decode rows by chapter of the manual (DDI 0487 C4), semantics beside them.

pub mod alu;
pub mod atomic;
pub mod bits;
pub mod branch;
pub mod crypto;
pub mod fp_arith;
pub mod fp_compare;
pub mod fp_convert;
mod fp_ops;
#[cfg(test)]
mod fp_tests;
pub mod load_store;
mod simd;
pub mod simd_copy;
pub mod simd_different;
pub mod simd_element;
pub mod simd_fp_bf16;
pub mod simd_fp_complex;
pub mod simd_fp_convert;
pub mod simd_fp_element;
pub mod simd_fp_misc;
pub mod simd_fp_misc_scalar;
pub mod simd_fp_reduce;
pub mod simd_fp_same;
pub mod simd_memory;
pub mod simd_misc;
pub mod simd_permute;
pub mod simd_same;
pub mod simd_shift;
pub mod simd_structure;
pub mod system;

use super::Arm64;
use super::emit::Arm;
use crate::core::Core;
use crate::emit::Exec;
use crate::table::{Row, Table, Word};
use std::sync::OnceLock;

/// The chapters of the instruction set: the name of the module and its rows.
pub fn chapters<E: Arm>() -> Vec<(&'static str, Vec<Row<E>>)> {
    macro_rules! chapters { ($($m:ident)*) => { vec![$((stringify!($m), $m::rows())),*] } }
    chapters! {
        alu
        bits
        branch
        load_store
        atomic
        system
        crypto
        simd_copy
        simd_different
        simd_element
        simd_memory
        simd_misc
        simd_permute
        simd_same
        simd_shift
        simd_structure
        fp_arith
        fp_compare
        fp_convert
        simd_fp_same
        simd_fp_misc
        simd_fp_misc_scalar
        simd_fp_element
        simd_fp_reduce
        simd_fp_convert
        simd_fp_complex
        simd_fp_bf16
    }
}

/// All A64 rows, for any emitter; engines number rows by their place in [`Table::rows`], which is the same for all.
pub fn table<E: Arm>() -> Table<E> {
    Table::new(chapters().into_iter().flat_map(|(_, rows)| rows).collect())
}

/// The interpreter's table.
pub fn interp_table() -> &'static Table<Core<Arm64>> {
    static TABLE: OnceLock<Table<Core<Arm64>>> = OnceLock::new();
    TABLE.get_or_init(table)
}

/// What words do that no row matches.
pub fn undefined<E: Arm>(e: &mut E, _: &Word) -> Exec<E> {
    e.undefined()
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_do_not_overlap() {
        assert_eq!(super::interp_table().ambiguous(), []);
    }

    #[test]
    fn every_form_can_be_chosen() {
        for row in super::interp_table().rows() {
            for (i, form) in row.forms.iter().enumerate() {
                assert_eq!(form.mask & row.mask, 0, "{} gives a value to fixed bits", row.name);
                let wider = |f: &crate::table::Form<_>| {
                    f.mask & form.mask == f.mask && form.value & f.mask == f.value
                };
                assert!(!row.forms[..i].iter().any(wider), "{}: form {i} hides behind a wider one", row.name);
            }
        }
    }
}
