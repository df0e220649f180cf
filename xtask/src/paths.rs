//! Where things are: the workspace, its build directory and the guests' directory below that.

use std::path::{Path, PathBuf};

/// Root of the workspace: the folder that holds the top `Cargo.toml`.
pub fn workspace() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's target directory; `CARGO_TARGET_DIR` wins, a relative one counts from the workspace.
pub fn target() -> PathBuf {
    workspace().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Everything fetched or made for guests: `LYREBIRD_GUESTS`, or `guests` in the build directory. Nothing in it is ever
/// committed.
pub fn guests() -> PathBuf {
    std::env::var_os("LYREBIRD_GUESTS").map_or_else(|| target().join("guests"), PathBuf::from)
}

/// The guests of one of Debian's architectures: one folder a kernel, and the disks.
pub fn guests_of(arch: &str) -> PathBuf {
    guests().join(arch)
}

/// The arm64 guests.
pub fn arm64() -> PathBuf {
    guests_of("arm64")
}
