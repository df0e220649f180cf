//! What a disk image is, told from its first bytes.

use super::BlockError;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The formats that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The bytes of the disk and nothing else.
    Raw,
    /// QEMU's copy-on-write format, versions 2 and 3.
    Qcow2,
}

impl Format {
    /// Its spelling in `format=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    /// From its spelling in `format=` or in a backing format field.
    ///
    /// # Errors
    /// When the name is not known.
    pub fn from_name(name: &str) -> Result<Self, BlockError> {
        match name {
            "raw" | "file" | "host_device" => Ok(Self::Raw),
            "qcow2" => Ok(Self::Qcow2),
            _ => Err(BlockError::UnknownFormat { format: name.to_owned() }),
        }
    }
}

/// First bytes of a qcow2 image.
pub(super) const QCOW2_MAGIC: [u8; 4] = *b"QFI\xfb";

/// Formats that are recognised only to be refused: offset, bytes, name.
const FOREIGN: &[(usize, &[u8], &str)] = &[
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK"),
    (0, b"# Disk DescriptorFile", "VMDK"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (0, b"QED\0", "QED"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
    (0, b"WithoutFreeSpace", "Parallels"),
    (0, b"WithouFreSpacExt", "Parallels"),
];

/// Detects the format of `file`.
///
/// # Errors
/// When it cannot be read, or is in a format that is known and not supported.
pub(super) fn probe(file: &File, path: &Path) -> Result<Format, BlockError> {
    let mut head = [0u8; 512];
    let mut got = 0;
    while got < head.len() {
        match file.read_at(&mut head[got..], got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(BlockError::Host { file: path.to_owned(), doing: "read", source }),
        }
    }
    if head.starts_with(&QCOW2_MAGIC) {
        return Ok(Format::Qcow2);
    }
    match FOREIGN.iter().find(|(at, magic, _)| head[*at..].starts_with(magic)) {
        Some((_, _, format)) => Err(BlockError::UnsupportedFormat { file: path.to_owned(), format }),
        None => Ok(Format::Raw),
    }
}
