//! What runs first: kernels, ELF programs and firmware, recognised by content.

mod elf;
mod image;

use crate::config::{BuildError, FileRole};
use std::path::Path;

/// Bytes to be put somewhere before the guest starts, and again at each reset.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Guest-physical address.
    pub at: u64,
    /// What goes there.
    pub bytes: Vec<u8>,
}

/// Something to boot.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its bytes.
    pub pieces: Vec<Piece>,
    /// Where to start.
    pub entry: u64,
    /// First address behind it.
    pub end: u64,
    /// It follows the Linux boot protocol: X0 is the device tree.
    pub linux: bool,
}

/// Reads a file for a role.
///
/// # Errors
/// When it cannot be read.
pub fn read(role: FileRole, path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path)
        .map_err(|e| file_error(role, path, format!("{e}; check the path and its permissions")))
}

/// An error about a file.
pub fn file_error(role: FileRole, path: &Path, problem: impl Into<String>) -> BuildError {
    BuildError::File { role, path: path.into(), problem: problem.into() }
}

/// Loads a kernel or program for AArch64 with RAM of `ram` bytes at `base`.
///
/// # Errors
/// When the file is missing, corrupt, of another architecture, or does not fit.
pub fn arm64(path: &Path, base: u64, ram: u64) -> Result<Program, BuildError> {
    let bytes = read(FileRole::Kernel, path)?;
    let fail = |problem: String| file_error(FileRole::Kernel, path, problem);
    if bytes.is_empty() {
        return Err(fail("it is empty".into()));
    }
    let bytes = image::unpack(bytes).map_err(fail)?;
    let program = if bytes.starts_with(b"\x7fELF") {
        elf::load(&bytes, 183, base, ram).map_err(fail)?
    } else {
        image::load(bytes, base).map_err(fail)?
    };
    if program.end > base + ram {
        let needed = (program.end - base).div_ceil(1 << 20);
        return Err(fail(format!(
            "it needs {needed} MiB of RAM; use -m {}",
            (needed + 64).next_power_of_two()
        )));
    }
    Ok(program)
}
