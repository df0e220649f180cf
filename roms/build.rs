//! Assembles our guests. They are A64 code written with dynasm, so building them needs no other target and no tools.

#![allow(clippy::useless_conversion, reason = "dynasm converts every operand, whatever its type is already")]

#[path = "demo/mod.rs"]
mod demo;
#[path = "stress/mod.rs"]
mod stress;

use std::path::Path;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=demo");
    println!("cargo::rerun-if-changed=stress");
    let out = env::var("OUT_DIR")?;
    let image = demo::assemble()?;
    fs::write(Path::new(&out).join("demo-arm64.elf"), demo::image::elf(&image))?;
    fs::write(Path::new(&out).join("demo-arm64.Image"), image)?;
    let tests = stress::tests();
    fs::write(Path::new(&out).join("stress-arm64.Image"), stress::assemble(&tests)?)?;
    let names: Vec<&str> = tests.iter().map(|t| t.name).collect();
    fs::write(Path::new(&out).join("stress-arm64.names"), names.join("\n"))?;
    Ok(())
}
