//! PCs: boards for x86 processors.

pub mod chipset;
mod direct;
mod fabric;
mod i440fx;
mod isa;
mod memory;
pub mod microvm;
mod mptable;
mod q35;
mod wiring;

pub use wiring::A20;
