//! The A64 instruction set: decode rows by chapter of the manual (DDI 0487 C4), semantics beside them.

/// Data processing: integer arithmetic and logic.
pub mod alu;
/// Exclusives, ordered accesses and atomics.
pub mod atomic;
/// Data processing: bit fields, shifts, multiplication, division, bit counting.
pub mod bits;
/// Branches.
pub mod branch;
/// Cryptographic instructions.
pub mod crypto;
/// Scalar floating point: moves, arithmetic, rounding, selection.
pub mod fp_arith;
/// Scalar floating point: comparison.
pub mod fp_compare;
/// Scalar floating point: conversion, moves to and from general registers.
pub mod fp_convert;
mod fp_ops;
#[cfg(test)]
mod fp_tests;
/// Loads and stores of general registers.
pub mod load_store;
mod simd;
/// Advanced SIMD copy and modified immediate.
pub mod simd_copy;
/// Advanced SIMD three different.
pub mod simd_different;
/// Advanced SIMD by element.
pub mod simd_element;
/// Advanced SIMD floating point: bfloat16.
pub mod simd_fp_bf16;
/// Advanced SIMD floating point: complex numbers, half precision accumulated in single.
pub mod simd_fp_complex;
/// Advanced SIMD floating point: fixed-point numbers, widening, narrowing.
pub mod simd_fp_convert;
/// Advanced SIMD floating point: by element.
pub mod simd_fp_element;
/// Advanced SIMD floating point: one source.
pub mod simd_fp_misc;
/// Advanced SIMD floating point: scalars, one source.
pub mod simd_fp_misc_scalar;
/// Advanced SIMD floating point: between elements of one register.
pub mod simd_fp_reduce;
/// Advanced SIMD floating point: two sources of one arrangement.
pub mod simd_fp_same;
/// Loads and stores of vector registers.
pub mod simd_memory;
/// Advanced SIMD two-register miscellaneous and across lanes.
pub mod simd_misc;
/// Advanced SIMD permute, extract and table lookup.
pub mod simd_permute;
/// Advanced SIMD three same.
pub mod simd_same;
/// Advanced SIMD shift by immediate.
pub mod simd_shift;
/// Loads and stores of structures.
pub mod simd_structure;
/// System instructions and pointer authentication.
pub mod system;

use super::Arm64;
use super::emit::Arm;
use crate::core::Core;
use crate::emit::Exec;
use crate::table::{Row, Table};
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
pub fn undefined<E: Arm>(e: &mut E, _: u32) -> Exec<E> {
    e.undefined()
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_do_not_overlap() {
        assert_eq!(super::interp_table().ambiguous(), []);
    }
}
