//! The translator: guest instructions are recorded as IR ([`ir`]), improved by passes ([`opt`]), and compiled to host
//! code ([`host`]) that is kept by guest physical address.

pub mod buffer;
pub mod cache;
pub mod disasm;
pub mod dump;
pub mod engine;
mod fetch;
pub mod guest;
pub mod host;
pub mod ir;
pub mod opt;
pub mod region;
pub mod run;
mod table;
pub mod words;
