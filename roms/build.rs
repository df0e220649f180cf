//! Builds our guests and our firmware, with no other target and no tools: the arm64 guests are A64 code written with
//! dynasm, the x86 ones are compiled by the Rust compiler at hand.

#![allow(clippy::useless_conversion, reason = "dynasm converts every operand, whatever its type is already")]

#[path = "demo/mod.rs"]
mod demo;
#[path = "bios/font.rs"]
mod font;
#[path = "rustc.rs"]
mod rustc;
#[path = "stress/mod.rs"]
mod stress;
#[path = "text.rs"]
mod text;

use std::path::Path;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    for source in ["demo", "stress", "stress_x86", "text.rs", "rustc.rs", "x86", "bios", "bootsector"] {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = env::var("OUT_DIR")?;
    rustc::compile("x86/main.rs", "x86/link.ld", &Path::new(&out).join("demo-x86.elf"), false)?;
    let stress = Path::new(&out).join("stress-x86.elf");
    rustc::compile("stress_x86/main.rs", "x86/link.ld", &stress, false)?;
    fs::write(Path::new(&out).join("font.s"), font::assembly())?;
    rustc::compile("bios/main.rs", "bios/link.ld", &Path::new(&out).join("bios.bin"), true)?;
    rustc::compile(
        "bootsector/main.rs",
        "bootsector/link.ld",
        &Path::new(&out).join("bootsector.img"),
        true,
    )?;
    let image = demo::assemble()?;
    fs::write(Path::new(&out).join("demo-arm64.elf"), demo::image::elf(&image))?;
    fs::write(Path::new(&out).join("demo-arm64.Image"), image)?;
    let tests = stress::tests();
    fs::write(Path::new(&out).join("stress-arm64.Image"), stress::assemble(&tests)?)?;
    let names: Vec<&str> = tests.iter().map(|t| t.name).collect();
    fs::write(Path::new(&out).join("stress-arm64.names"), names.join("\n"))?;
    Ok(())
}
