//! Compiles bare-metal programs for x86 with the compiler that builds us: for the host's target, whose `core` is
//! there, without the standard library, and laid out by a linker script of their own.
//!
//! Assembly belongs to such a program through `global_asm!`, 16-bit code included; so nothing beyond Rust is needed.

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::Command;

/// The target that x86 guests are compiled for, whatever the host is.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Compiles the program whose crate root is `source` to the file `output`. `script` is the linker script; `flat` asks
/// for the bare bytes instead of an ELF file.
pub fn compile(source: &str, script: &str, output: &Path, flat: bool) -> Result<(), Box<dyn Error>> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let mut link = vec!["-nostartfiles".into(), "-nostdlib".into(), "-static".into(), "-no-pie".into()];
    link.push(format!("-Wl,-T,{root}/{script}"));
    link.push("-Wl,--build-id=none".into());
    link.push("-Wl,-z,max-page-size=4096,-z,norelro".into());
    if flat {
        link.push("-Wl,--oformat=binary".into());
    }
    let mut rustc = Command::new(env::var("RUSTC")?);
    rustc.args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "guest", "--target", TARGET]);
    rustc.args([
        "-Dwarnings",
        "-Cpanic=abort",
        "-Copt-level=2",
        "-Ccodegen-units=1",
        "-Crelocation-model=static",
    ]);
    rustc.args(["-Cforce-unwind-tables=no", "-Cstrip=symbols", "-Cno-redzone=yes"]);
    rustc.args(link.iter().map(|argument| format!("-Clink-arg={argument}")));
    // Flags meant for the host's programs, such as a newer instruction set, are not for guests.
    rustc.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = rustc.arg("-o").arg(output).arg(Path::new(&root).join(source)).status()?;
    if !status.success() {
        return Err(format!("{source} does not compile: {status}").into());
    }
    Ok(())
}
