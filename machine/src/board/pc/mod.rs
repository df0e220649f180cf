//! PCs: boards for x86 processors.

mod actions;
pub mod chipset;
mod describe;
mod direct;
mod drives;
mod extras;
mod fabric;
mod i440fx;
mod isa;
mod isapc;
mod memory;
pub mod microvm;
mod mptable;
mod q35;
mod text_mode;
mod wiring;

pub use wiring::A20;
