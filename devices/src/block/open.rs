//! From the user's options to a backend.

use super::{BlockBackend, BlockError, Cache, Format, Image, Overlay, Raw, lock, probe, qcow2};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open a disk image, in the terms of `-drive`.
#[derive(Debug, Clone)]
pub struct ImageOptions {
    /// `file=`
    pub file: PathBuf,
    /// `format=`; detected when absent.
    pub format: Option<Format>,
    /// `readonly=on`
    pub read_only: bool,
    /// `snapshot=on` or `-snapshot`: the file is not changed, writes are lost at the end.
    pub snapshot: bool,
    /// `cache=`
    pub cache: Cache,
    /// `discard=unmap`: discards give storage back. Ignored otherwise.
    pub unmap: bool,
    /// `file.locking=`: on unless said otherwise.
    pub locking: bool,
    /// `data-file.filename=`: the external data file of a qcow2 image, used only when named here.
    pub data_file: Option<PathBuf>,
}

impl ImageOptions {
    /// The defaults for `file`.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            format: None,
            read_only: false,
            snapshot: false,
            cache: Cache::default(),
            unmap: false,
            locking: true,
            data_file: None,
        }
    }
}

/// Opens a disk image.
///
/// # Errors
/// One [`BlockError`] variant for each thing that can be wrong with it.
pub fn open(options: &ImageOptions) -> Result<Arc<dyn BlockBackend>, BlockError> {
    let path = &options.file;
    let write = !options.read_only && !options.snapshot;
    let file = open_file(path, write)?;
    if options.locking {
        lock::lock(&file, path, write)?;
    }
    let format = match options.format {
        Some(format) => format,
        None => probe::probe(&file, path)?,
    };
    if options.format.is_none() && format == Format::Raw && write {
        log::warn!(target: "block", "The format of '{}' was not given and looks raw; add format=raw to allow every write to sector 0", path.display());
    }
    let backend: Box<dyn BlockBackend> = match format {
        Format::Raw if options.data_file.is_some() => {
            let why =
                "was opened as raw, and a raw image has no external data file; remove data-file.filename";
            return Err(BlockError::DataFile { file: path.clone(), why: why.into() });
        }
        Format::Raw => Box::new(Raw::new(file, path, !write, options.format.is_none())?),
        Format::Qcow2 => Box::new(qcow2::Qcow2::open(file, options, write)?),
    };
    let backend = if options.snapshot { Box::new(Overlay::new(backend)?) } else { backend };
    Ok(Arc::new(Image::new(backend, options.cache, options.unmap, options.read_only)))
}

/// Opens a regular file or block device, without ever blocking on a FIFO.
pub(super) fn open_file(path: &Path, write: bool) -> Result<File, BlockError> {
    let owned = || path.to_owned();
    let host = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => BlockError::Missing { file: owned() },
        io::ErrorKind::PermissionDenied => BlockError::Denied {
            file: owned(),
            mode: if write { "writing" } else { "reading" },
            hint: if write { ", or use readonly=on or -snapshot" } else { "" },
        },
        _ => BlockError::Host { file: owned(), doing: "opened", source },
    };
    let kind = std::fs::metadata(path).map_err(host)?.file_type();
    let what = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() => "a character device",
        () => {
            let how = libc::O_CLOEXEC | libc::O_NONBLOCK;
            return OpenOptions::new().read(true).write(write).custom_flags(how).open(path).map_err(host);
        }
    };
    Err(BlockError::NotAnImage { file: owned(), what })
}

/// What tells two open files apart: device and inode.
pub(super) fn identity(file: &File, path: &Path) -> Result<(u64, u64), BlockError> {
    let meta = file.metadata();
    meta.map(|m| (m.dev(), m.ino())).map_err(|source| BlockError::Host {
        file: path.to_owned(),
        doing: "examined",
        source,
    })
}
