//! Assembles the demo guest. It is A64 code written with dynasm, so building it needs no other target and no tools.

#![allow(clippy::useless_conversion, reason = "dynasm converts every operand, whatever its type is already")]

#[path = "demo/mod.rs"]
mod demo;

use std::path::Path;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=demo");
    let out = env::var("OUT_DIR")?;
    let image = demo::assemble()?;
    fs::write(Path::new(&out).join("demo-arm64.elf"), demo::image::elf(&image))?;
    fs::write(Path::new(&out).join("demo-arm64.Image"), image)?;
    Ok(())
}
