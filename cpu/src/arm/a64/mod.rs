//! The A64 instruction set: decode rows by chapter of the manual (DDI 0487 C4), semantics beside them.

/// Data processing: integer arithmetic and logic.
pub mod alu;

use super::Arm64;
use super::emit::Arm;
use crate::core::Core;
use crate::emit::Exec;
use crate::table::{Row, Table};
use std::sync::OnceLock;

/// All A64 rows, for any emitter; engines number rows by their place in [`Table::rows`], which is the same for all.
pub fn table<E: Arm>() -> Table<E> {
    let mut rows: Vec<Row<E>> = Vec::new();
    rows.extend(alu::rows());
    Table::new(rows)
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
