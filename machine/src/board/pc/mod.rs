//! PCs: boards for x86 processors.

mod fabric;
mod memory;
pub mod microvm;
mod mptable;
