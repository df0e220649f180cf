//! Boards, loaders and engines.

pub mod chardev;
pub mod config;
pub mod control;
