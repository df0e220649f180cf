//! What runs first: kernels, ELF programs and firmware, recognised by content.

mod elf;
mod image;
pub mod x86;

use crate::config::{BuildError, FileRole};
use lyrebird_devices::bus::memory::Memory;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes to be put somewhere before the guest starts, and again at each reset.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Guest-physical address.
    pub at: u64,
    /// What goes there.
    pub content: Content,
}

/// Bytes to load.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// The first bytes of a regular file, this many.
    File(Arc<File>, u64),
}

/// How much of a file is in memory at once on its way to guest RAM.
const CHUNK: usize = 128 << 10;

impl Content {
    /// Number of bytes.
    pub fn size(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(_, len) => *len,
        }
    }

    /// All bytes.
    fn whole(self) -> std::io::Result<Vec<u8>> {
        match self {
            Content::Bytes(bytes) => Ok(bytes),
            Content::File(..) => self.head(usize::MAX),
        }
    }

    /// The first bytes, `most` at most.
    fn head(&self, most: usize) -> std::io::Result<Vec<u8>> {
        match self {
            Content::Bytes(bytes) => Ok(bytes.get(..most).unwrap_or(bytes).to_vec()),
            Content::File(file, len) => {
                let mut bytes = vec![0; most.min(usize::try_from(*len).map_err(std::io::Error::other)?)];
                file.read_exact_at(&mut bytes, 0)?;
                Ok(bytes)
            }
        }
    }

    /// Puts the bytes into guest memory at `gpa`.
    ///
    /// # Errors
    /// When the file cannot be read, or there is no memory.
    pub fn put(&self, memory: &Memory, gpa: u64) -> std::io::Result<()> {
        match self {
            Content::Bytes(bytes) => Ok(memory.load(gpa, bytes)?),
            Content::File(file, len) => memory.load_file(gpa, file, *len),
        }
    }

    /// Hands the bytes over in order, with the offset of each part.
    ///
    /// # Errors
    /// When the file cannot be read, or as `take` says.
    pub fn each(&self, mut take: impl FnMut(u64, &[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
        let (file, len) = match self {
            Content::Bytes(bytes) => return take(0, bytes),
            Content::File(file, len) => (file, *len),
        };
        let (mut chunk, mut done) = (vec![0; CHUNK], 0);
        while done < len {
            let part = &mut chunk[..CHUNK.min((len - done) as usize)];
            file.read_exact_at(part, done)?;
            take(done, part)?;
            done += part.len() as u64;
        }
        Ok(())
    }
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

/// The files that a machine boots from. They stay open for the next reset, so that one which is replaced or removed
/// meanwhile still has its bytes; only what cannot be read twice, a pipe say, is kept in memory.
#[derive(Default)]
pub struct Files {
    known: HashMap<PathBuf, Content>,
}

impl Files {
    /// Opens a file for a role.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&mut self, role: FileRole, path: &Path) -> Result<Content, BuildError> {
        let known = match self.known.get(path) {
            Some(known) => Ok(known.clone()),
            None => first(path),
        };
        let known = known.map_err(|e| unreadable(role, path, e))?;
        self.known.insert(path.into(), known.clone());
        Ok(known)
    }

    /// Reads a file for a role.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self, role: FileRole, path: &Path) -> Result<Vec<u8>, BuildError> {
        self.open(role, path)?.whole().map_err(|e| unreadable(role, path, e))
    }
}

/// A file that was not opened before.
fn first(path: &Path) -> std::io::Result<Content> {
    let mut file = File::open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() {
        return Ok(Content::File(Arc::new(file), meta.len()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Content::Bytes(bytes))
}

fn unreadable(role: FileRole, path: &Path, e: std::io::Error) -> BuildError {
    file_error(role, path, format!("{e}; check the path and its permissions"))
}

/// An error about a file.
pub fn file_error(role: FileRole, path: &Path, problem: impl Into<String>) -> BuildError {
    BuildError::File { role, path: path.into(), problem: problem.into() }
}

/// Loads a kernel or program for AArch64 with RAM of `ram` bytes at `base`.
///
/// # Errors
/// When the file is missing, corrupt, of another architecture, or does not fit.
pub fn arm64(files: &mut Files, path: &Path, base: u64, ram: u64) -> Result<Program, BuildError> {
    let content = files.open(FileRole::Kernel, path)?;
    let fail = |problem: String| file_error(FileRole::Kernel, path, problem);
    if content.size() == 0 {
        return Err(fail("it is empty".into()));
    }
    let head = content.head(image::HEAD).map_err(|e| unreadable(FileRole::Kernel, path, e))?;
    let program = if image::plain(&head) {
        image::load(&head, content, base).map_err(fail)?
    } else {
        let bytes = content.whole().map_err(|e| unreadable(FileRole::Kernel, path, e))?;
        let bytes = image::unpack(bytes).map_err(fail)?;
        if bytes.starts_with(b"\x7fELF") {
            elf::load(&bytes, 183, base, ram).map_err(fail)?
        } else {
            let head = bytes.get(..image::HEAD).unwrap_or(&bytes).to_vec();
            image::load(&head, Content::Bytes(bytes), base).map_err(fail)?
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_after_they_are_gone() {
        let path = std::env::temp_dir().join(format!("lyrebird-loader-{}", std::process::id()));
        let bytes: Vec<u8> = (0..CHUNK + 5).map(|i| (i / 3) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let mut files = Files::default();
        let first = files.open(FileRole::Kernel, &path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut parts = Vec::new();
        first
            .each(|at, part| {
                assert_eq!(at, parts.len() as u64);
                parts.extend_from_slice(part);
                Ok(())
            })
            .unwrap();
        assert!(parts == bytes && first.size() == bytes.len() as u64);
        assert!(files.read(FileRole::Kernel, &path).unwrap() == bytes);
        assert_eq!(first.head(4).unwrap(), [0, 0, 0, 1]);
    }

    #[test]
    fn what_cannot_be_read_twice_is_kept() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut writer, b"once").unwrap();
        drop(writer);
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let mut files = Files::default();
        for _ in 0..2 {
            assert_eq!(files.read(FileRole::Dtb, Path::new(&path)).unwrap(), b"once");
        }
    }
}
