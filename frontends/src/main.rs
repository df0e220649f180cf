//! The lyrebird program.
fn main() {}
