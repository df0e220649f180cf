//! System registers, one row each.
