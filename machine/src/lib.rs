//! Boards, loaders and engines.

pub mod config;
pub mod control;
