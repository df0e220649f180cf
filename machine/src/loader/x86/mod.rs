//! What runs first on a PC when no firmware loads it: Linux kernels, PVH and Multiboot kernels, ELF programs, flat
//! binaries; recognised by content.
//!
//! Nothing here touches a processor: the outcome is what goes into memory and an [`X86Entry`], the state to start with,
//! as plain data. Small structures that go with a program (page tables, command lines, information blocks) are put
//! where nothing else is.

pub mod bzimage;
mod elf;
pub mod entry;
pub mod flat;
pub mod layout;
pub mod multiboot;
pub mod pvh;
#[cfg(test)]
mod testing;

pub use bzimage::LinuxEntry;
pub use entry::{EntryMode, Segment, X86Entry};
pub use layout::{MemoryMap, Range, RangeKind};

use super::{Content, Files, Piece, file_error, image};
use crate::config::{BuildError, FileRole};
use layout::Placer;
use std::path::{Path, PathBuf};

/// What to load, and what the machine is like.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `-kernel`.
    pub kernel: &'a Path,
    /// `-initrd`: a RAM disk, or for Multiboot a list of modules with arguments: `a x,b y`.
    pub initrd: Option<&'a str>,
    /// `-append`.
    pub append: &'a str,
    /// Memory, as the guest is told of it.
    pub map: &'a MemoryMap,
    /// Whether the processors have long mode.
    pub long_mode: bool,
    /// Address of the ACPI root pointer, if there are tables.
    pub rsdp: Option<u64>,
    /// Whether there is a VGA in text mode.
    pub vga_text: bool,
    /// Which entry of a Linux kernel to use.
    pub linux: LinuxEntry,
}

/// What kind of program a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Linux kernel by its boot protocol.
    Linux,
    /// Multiboot, version 1.
    Multiboot1,
    /// Multiboot, version 2.
    Multiboot2,
    /// An ELF file with a note of its PVH entry.
    Pvh,
    /// Another ELF file.
    Elf,
}

/// Something to boot.
#[derive(Clone, Debug)]
pub struct X86Program {
    /// What it is.
    pub kind: Kind,
    /// Its bytes, and those that go with it.
    pub pieces: Vec<Piece>,
    /// The state to start with.
    pub entry: X86Entry,
}

/// What an unpacked file is; none if it is no program for direct start.
pub fn detect(bytes: &[u8]) -> Option<Kind> {
    if bzimage::is(bytes) {
        Some(Kind::Linux)
    } else if multiboot::one::header(bytes).is_some() {
        Some(Kind::Multiboot1)
    } else if multiboot::two::header(bytes).is_some() {
        Some(Kind::Multiboot2)
    } else if bytes.starts_with(b"\x7fELF") {
        Some(if pvh::entry(bytes).is_some() { Kind::Pvh } else { Kind::Elf })
    } else {
        None
    }
}

/// Loads what `request` names.
///
/// # Errors
/// When a file is missing, corrupt, of another architecture, or does not fit.
pub fn load(files: &mut Files, request: &Request) -> Result<X86Program, BuildError> {
    let kernel = files.read(FileRole::Kernel, request.kernel)?;
    let fail = |problem: String| file_error(FileRole::Kernel, request.kernel, problem);
    if kernel.is_empty() {
        return Err(fail("it is empty".into()));
    }
    let kernel = image::unpack(kernel).map_err(fail)?;
    let Some(kind) = detect(&kernel) else { return Err(fail(stranger(&kernel).into())) };
    let modules = match kind {
        Kind::Multiboot1 | Kind::Multiboot2 => modules(files, request.initrd.unwrap_or_default())?,
        _ => request.initrd.map(|path| module(files, path, path)).transpose()?.into_iter().collect(),
    };
    let (pieces, entry) = match kind {
        Kind::Linux => bzimage::direct(&kernel, modules.first().map(|m| &m.content), request),
        Kind::Multiboot1 => multiboot::one::load(&kernel, &modules, request),
        Kind::Multiboot2 => multiboot::two::load(&kernel, &modules, request),
        Kind::Pvh => pvh::load(&kernel, modules.first().map(|m| &m.content), request),
        Kind::Elf => elf::start(&kernel, request),
    }
    .map_err(fail)?;
    Ok(X86Program { kind, pieces, entry })
}

/// What to say of a file that is nothing of ours.
fn stranger(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'M', b'Z', ..] if bytes.get(56..60) == Some(b"ARM\x64") => {
            "it is an arm64 kernel; this machine is a PC"
        }
        [b'M', b'Z', ..] => "it is an EFI program without a Linux kernel's header; start it from firmware",
        [b'Q', b'F', b'I', 0xfb, ..] => "it is a qcow2 disk image; use -drive file=…",
        _ if bytes.get(0x8001..0x8006) == Some(b"CD001") => "it is an ISO image; use -cdrom",
        _ if bytes.get(510..512) == Some(&[0x55, 0xaa]) => {
            "it has a boot sector, not a kernel's header; use -drive file=…,format=raw"
        }
        _ => "it is no Linux kernel, Multiboot, PVH or ELF program",
    }
}

/// A file that the program finds in memory.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its path and arguments.
    pub line: String,
    /// Its bytes.
    pub content: Content,
}

fn module(files: &mut Files, path: &str, line: &str) -> Result<Module, BuildError> {
    let content = files.open(FileRole::Initrd, &PathBuf::from(path))?;
    Ok(Module { line: line.into(), content })
}

/// The modules of a list `path arguments,path arguments`; a comma in one is written twice.
fn modules(files: &mut Files, list: &str) -> Result<Vec<Module>, BuildError> {
    split_modules(list)
        .iter()
        .map(|line| {
            let path = line.split(' ').next().unwrap_or_default();
            module(files, path, line)
        })
        .collect()
}

fn split_modules(list: &str) -> Vec<String> {
    let (mut lines, mut line, mut rest) = (Vec::new(), String::new(), list.chars().peekable());
    while let Some(c) = rest.next() {
        match c {
            ',' if rest.peek() == Some(&',') => {
                rest.next();
                line.push(',');
            }
            ',' => lines.push(std::mem::take(&mut line)),
            c => line.push(c),
        }
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_start().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Puts a piece somewhere and remembers it.
fn put(
    pieces: &mut Vec<Piece>,
    placer: &mut Placer,
    bytes: Vec<u8>,
    align: u64,
    from: u64,
) -> Result<u64, String> {
    let at = placer.low(bytes.len() as u64, align, from)?;
    pieces.push(Piece { at, content: Content::Bytes(bytes) });
    Ok(at)
}

/// Reads a little-endian number of a file; an error that says so when the file ends before.
macro_rules! field {
    ($name:ident, $type:ty) => {
        fn $name(bytes: &[u8], at: usize) -> Result<$type, String> {
            at.checked_add(size_of::<$type>())
                .and_then(|end| bytes.get(at..end))
                .and_then(|b| b.try_into().ok())
                .map(<$type>::from_le_bytes)
                .ok_or_else(|| format!("it is truncated: nothing at offset {at:#x}"))
        }
    };
}
field!(u8_at, u8);
field!(u16_at, u16);
field!(u32_at, u32);
field!(u64_at, u64);

/// Replaces bytes of a structure that is being built; nothing happens outside of it.
fn poke(structure: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(to) = at.checked_add(bytes.len()).and_then(|end| structure.get_mut(at..end)) {
        to.copy_from_slice(bytes);
    }
}

/// A C string.
fn c_string(text: &str) -> Vec<u8> {
    text.bytes().filter(|b| *b != 0).chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_lists() {
        assert_eq!(split_modules("a,b x y, c"), ["a", "b x y", "c"]);
        assert_eq!(split_modules("a 1,,2"), ["a 1,2"]);
        assert!(split_modules("").is_empty() && split_modules(",").is_empty());
    }

    #[test]
    fn strangers_are_named() {
        assert_eq!(detect(b"hello"), None);
        let mut sector = vec![0; 512];
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        assert!(stranger(&sector).contains("boot sector"));
        assert!(stranger(b"QFI\xfb").contains("qcow2"));
        assert!(stranger(b"MZ").contains("EFI"));
        assert!(stranger(b"x").contains("no Linux kernel"));
    }

    #[test]
    fn missing_and_empty_files() {
        let map = MemoryMap::pc(64 << 20);
        let path = std::env::temp_dir().join(format!("lyrebird-x86-empty-{}", std::process::id()));
        std::fs::write(&path, b"").unwrap();
        let request = testing::request(&path, &map);
        let e = load(&mut Files::default(), &request).unwrap_err().to_string();
        assert!(e.contains("it is empty"), "{e}");
        std::fs::remove_file(&path).unwrap();
        assert!(load(&mut Files::default(), &request).is_err());
    }
}
