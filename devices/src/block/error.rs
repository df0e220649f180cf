//! What can be wrong with a disk image, one variant per class, each saying the file, the reason and the remedy.

use std::io;
use std::path::PathBuf;

/// A failure to open a disk image.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The file does not exist.
    #[error("Disk image '{file}' does not exist; check the path, or create it with 'qemu-img create'", file = file.display())]
    Missing {
        /// The image.
        file: PathBuf,
    },
    /// The host refused access.
    #[error("Disk image '{file}' cannot be opened for {mode}: permission denied; change its permissions{hint}", file = file.display())]
    Denied {
        /// The image.
        file: PathBuf,
        /// "reading" or "writing".
        mode: &'static str,
        /// What else helps, from the second word on.
        hint: &'static str,
    },
    /// Neither a regular file nor a block device.
    #[error("'{file}' is {what}, not a disk image; name a regular file or a block device", file = file.display())]
    NotAnImage {
        /// The path given.
        file: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// Any other refusal of the host.
    #[error("Disk image '{file}' cannot be {doing}: {source}", file = file.display())]
    Host {
        /// The image.
        file: PathBuf,
        /// "opened", "read", ...
        doing: &'static str,
        /// What the host said.
        source: io::Error,
    },
    /// Another program holds a conflicting lock.
    #[error("Disk image '{file}' is in use by another program that {conflict}; stop that program, or add {remedy}", file = file.display())]
    Locked {
        /// The image.
        file: PathBuf,
        /// What the other program does with it.
        conflict: &'static str,
        /// Options that make the two compatible.
        remedy: &'static str,
    },
    /// `format=` names nothing known.
    #[error("Image format '{format}' is unknown; use format=raw or format=qcow2")]
    UnknownFormat {
        /// The name given.
        format: String,
    },
    /// The content is a format that cannot be used.
    #[error("Disk image '{file}' is in {format} format, which is not supported; convert it with 'qemu-img convert -O qcow2 {file} new.qcow2'", file = file.display())]
    UnsupportedFormat {
        /// The image.
        file: PathBuf,
        /// The format found.
        format: &'static str,
    },
    /// `format=qcow2` for something else.
    #[error("Disk image '{file}' is not in qcow2 format: it does not start with the qcow2 magic; remove format=qcow2 or give another file", file = file.display())]
    NotQcow2 {
        /// The image.
        file: PathBuf,
    },
    /// A qcow2 version other than 2 and 3.
    #[error("qcow2 image '{file}' has version {version}, and only 2 and 3 are supported; convert it with 'qemu-img convert -O qcow2'", file = file.display())]
    Version {
        /// The image.
        file: PathBuf,
        /// The version found.
        version: u32,
    },
    /// An encrypted qcow2 image.
    #[error("qcow2 image '{file}' is encrypted ({method}), which is not supported; decrypt it with 'qemu-img convert'", file = file.display())]
    Encrypted {
        /// The image.
        file: PathBuf,
        /// The method found.
        method: &'static str,
    },
    /// Incompatible features that are not understood.
    #[error("qcow2 image '{file}' uses {features}, which is not supported; convert it with 'qemu-img convert -O qcow2 {file} new.qcow2'", file = file.display())]
    Features {
        /// The image.
        file: PathBuf,
        /// Their names.
        features: String,
    },
    /// The image was not closed properly by a program using lazy reference counts.
    #[error("qcow2 image '{file}' is marked dirty: it was not closed properly; repair it with 'qemu-img check -r all {file}'", file = file.display())]
    Dirty {
        /// The image.
        file: PathBuf,
    },
    /// The corrupt bit is set.
    #[error("qcow2 image '{file}' is marked corrupt; repair it with 'qemu-img check -r all {file}' or restore a backup", file = file.display())]
    MarkedCorrupt {
        /// The image.
        file: PathBuf,
    },
    /// A header field makes no sense.
    #[error("qcow2 image '{file}' has a bad header: {what}; the file is damaged, restore it from a backup", file = file.display())]
    BadHeader {
        /// The image.
        file: PathBuf,
        /// Which field, and what it holds.
        what: String,
    },
    /// A metadata table makes no sense.
    #[error("qcow2 image '{file}' has a bad {what}; try 'qemu-img check -r all {file}' on a copy, or restore a backup", file = file.display())]
    BadTable {
        /// The image.
        file: PathBuf,
        /// Which table and entry, and what it holds.
        what: String,
    },
    /// The virtual disk is larger than the format allows.
    #[error("qcow2 image '{file}' claims a virtual size of {size} bytes, more than {limit}; the header is damaged, restore it from a backup", file = file.display())]
    TooBig {
        /// The image.
        file: PathBuf,
        /// Virtual size, bytes.
        size: u64,
        /// The most that its cluster size allows, bytes.
        limit: u64,
    },
    /// The backing chain comes back to a file it already holds.
    #[error("The backing chain of '{file}' loops: '{again}' is in it twice; repair it with 'qemu-img rebase -u'", file = file.display(), again = again.display())]
    BackingLoop {
        /// The top image.
        file: PathBuf,
        /// The image met again.
        again: PathBuf,
    },
    /// The chain is too deep.
    #[error("The backing chain of '{file}' is deeper than {limit} images; shorten it with 'qemu-img rebase' or 'qemu-img commit'", file = file.display())]
    BackingTooDeep {
        /// The top image.
        file: PathBuf,
        /// The most images allowed.
        limit: usize,
    },
    /// A backing file does not exist.
    #[error("The backing file '{backing}' of '{file}' does not exist; restore it, or correct the name with 'qemu-img rebase -u -b'", file = file.display(), backing = backing.display())]
    BackingMissing {
        /// The image that names it.
        file: PathBuf,
        /// The file that is missing.
        backing: PathBuf,
    },
    /// A backing file name or format that cannot be used.
    #[error("The backing file '{backing}' of '{file}' cannot be used: {why}; correct it with 'qemu-img rebase -u -b FILE -F FORMAT'", file = file.display())]
    BackingUnsupported {
        /// The image that names it.
        file: PathBuf,
        /// The name in the header.
        backing: String,
        /// The reason.
        why: String,
    },
    /// The image keeps its data elsewhere, and that was not agreed to (or the reverse).
    #[error("qcow2 image '{file}' {why}", file = file.display())]
    DataFile {
        /// The image.
        file: PathBuf,
        /// The reason and the remedy.
        why: String,
    },
    /// The image library refused what the checks let pass.
    #[error("qcow2 image '{file}' cannot be opened: {source}; check it with 'qemu-img check {file}'", file = file.display())]
    Library {
        /// The image.
        file: PathBuf,
        /// What the library said.
        source: io::Error,
    },
    /// No temporary file for `-snapshot`.
    #[error("A temporary file for -snapshot cannot be made in '{dir}': {source}; set TMPDIR to a directory with free space", dir = dir.display())]
    Overlay {
        /// Where it was tried.
        dir: PathBuf,
        /// What the host said.
        source: io::Error,
    },
}
