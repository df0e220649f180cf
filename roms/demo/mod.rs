//! The demo guest: a bare-metal A64 program for the `virt` board, one file for each part of the machine it drives.
//!
//! It is written with dynasm and assembled by the build script. Conventions: x28 holds the address of the variables in
//! [`vars`]; a routine takes and returns values in x0 to x7, may change x0 to x17, and saves x19 to x27 if it uses
//! them; interrupts save everything they change. All addresses are relative, so the image runs where it is loaded.

pub mod asm;
pub mod bench;
pub mod boot;
pub mod console;
pub mod fdt;
pub mod features;
pub mod gic;
pub mod image;
pub mod info;
pub mod line;
pub mod mmu;
pub mod power;
pub mod shell;
pub mod timer;
pub mod vars;
pub mod vectors;

use asm::Ops;
use std::error::Error;

/// The program as a Linux `Image`.
pub fn assemble() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut ops = Ops::new(0);
    image::header(&mut ops);
    boot::emit(&mut ops);
    vectors::emit(&mut ops);
    fdt::emit(&mut ops);
    mmu::emit(&mut ops);
    gic::emit(&mut ops);
    timer::emit(&mut ops);
    console::emit(&mut ops);
    line::emit(&mut ops);
    power::emit(&mut ops);
    features::emit(&mut ops);
    info::emit(&mut ops);
    bench::emit(&mut ops);
    shell::emit(&mut ops);
    image::end(&mut ops);
    Ok(ops.finalize()?)
}
