//! The backing chain: our own resolution of names, so that no image opens a file that was not looked at.

use super::{header, header::Header, tables};
use crate::block::open::{identity, open_file};
use crate::block::{BlockError, Format, ImageOptions, lock, probe};
use imago::file::File as ImageFile;
use imago::qcow2::Qcow2;
use imago::raw::Raw;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The most images in a chain, the top included.
const DEPTH: usize = 64;

/// An open image and what to tell about it.
pub(super) struct Opened {
    pub(super) image: FormatAccess<ImageFile>,
    /// Virtual size, bytes.
    pub(super) size: u64,
    /// Backing files, nearest first.
    pub(super) backing: Vec<String>,
}

/// One file of the chain that passed the guard.
enum Layer {
    Raw(File, PathBuf),
    Qcow2(File, PathBuf, Header),
}

/// Opens `top` and the files below it, the deepest first.
///
/// # Errors
/// When any of them is refused.
pub(super) fn open(top: File, options: &ImageOptions, write: bool) -> Result<Opened, BlockError> {
    let path = &options.file;
    let layers = follow(top, options, write)?;
    let size = match layers.first() {
        Some(Layer::Qcow2(_, _, header)) => header.size,
        _ => 0,
    };
    let name = |layer: &Layer| match layer {
        Layer::Raw(_, path) | Layer::Qcow2(_, path, _) => path.display().to_string(),
    };
    let backing = layers.iter().skip(1).map(name).collect();
    let depth = layers.len();
    let mut below = None;
    for (height, layer) in layers.into_iter().rev().enumerate() {
        let is_top = height + 1 == depth;
        let data_file = if is_top { options.data_file.as_deref() } else { None };
        below = Some(open_layer(layer, below, write && is_top, data_file, options.locking)?);
    }
    match below {
        Some(image) => Ok(Opened { image, size, backing }),
        None => Err(BlockError::NotQcow2 { file: path.clone() }),
    }
}

/// Guards the top image and follows its backing names to the end of the chain.
fn follow(top: File, options: &ImageOptions, write: bool) -> Result<Vec<Layer>, BlockError> {
    let top_path = &options.file;
    let mut seen = Vec::new();
    let mut layers = Vec::new();
    let (mut file, mut path, mut format) = (top, top_path.clone(), Format::Qcow2);
    loop {
        seen.push(identity(&file, &path)?);
        if seen.len() > DEPTH {
            return Err(BlockError::BackingTooDeep { file: top_path.clone(), limit: DEPTH });
        }
        if format == Format::Raw {
            layers.push(Layer::Raw(file, path));
            return Ok(layers);
        }
        let header = header::read(&file, &path)?;
        tables::check(&file, &path, &header, write && layers.is_empty())?;
        check_data_file(&header, &path, options, layers.is_empty())?;
        let below = next(&header, &path)?;
        if let Some((file, path, _)) = &below {
            // Before locking: our own lock on an image that comes again would look like another program's.
            if seen.contains(&identity(file, path)?) {
                return Err(BlockError::BackingLoop { file: top_path.clone(), again: path.clone() });
            }
            if options.locking {
                lock::lock(file, path, false)?;
            }
        }
        layers.push(Layer::Qcow2(file, path, header));
        match below {
            Some(next) => (file, path, format) = next,
            None => return Ok(layers),
        }
    }
}

/// Opens the file that `header` names as its backing file.
fn next(header: &Header, path: &Path) -> Result<Option<(File, PathBuf, Format)>, BlockError> {
    let Some(name) = &header.backing else { return Ok(None) };
    let refuse =
        |why: String| BlockError::BackingUnsupported { file: path.to_owned(), backing: name.clone(), why };
    let local = name.strip_prefix("file:").unwrap_or(name);
    let scheme = local.split('/').next().unwrap_or(local);
    if scheme.contains(':') {
        return Err(refuse("only plain file names are supported".into()));
    }
    let below = path.parent().unwrap_or(Path::new("")).join(local);
    let file = open_file(&below, false).map_err(|e| match e {
        BlockError::Missing { file } => BlockError::BackingMissing { file: path.to_owned(), backing: file },
        e => e,
    })?;
    let format = match header.backing_format.as_deref() {
        Some(name) => Format::from_name(name).map_err(|_| refuse(format!("its format is '{name}'")))?,
        None => {
            let found = probe::probe(&file, &below)?;
            log::warn!(target: "block", "'{}' does not say the format of its backing file; '{}' looks like {}", path.display(), below.display(), found.name());
            found
        }
    };
    Ok(Some((file, below, format)))
}

fn check_data_file(
    header: &Header,
    path: &Path,
    options: &ImageOptions,
    top: bool,
) -> Result<(), BlockError> {
    let given = top && options.data_file.is_some();
    let why = match &header.data_file {
        Some(name) if !given && top => {
            format!("keeps its data in another file, '{name}'; add data-file.filename=FILE if you trust it")
        }
        Some(name) if !given => {
            format!(
                "is a backing file that keeps its data in another file, '{name}'; that is not supported, convert it with 'qemu-img convert'"
            )
        }
        None if given => "has no external data file; remove data-file.filename".into(),
        _ => return Ok(()),
    };
    Err(BlockError::DataFile { file: path.to_owned(), why })
}

fn open_layer(
    layer: Layer,
    below: Option<FormatAccess<ImageFile>>,
    write: bool,
    data_file: Option<&Path>,
    locking: bool,
) -> Result<FormatAccess<ImageFile>, BlockError> {
    let library = |path: &Path| {
        let file = path.to_owned();
        move |source| BlockError::Library { file, source }
    };
    match layer {
        Layer::Raw(file, path) => {
            let storage = ImageFile::try_from(file).map_err(library(&path))?;
            let raw = Raw::builder(storage).open(DenyImplicitOpenGate::default()).map_err(library(&path))?;
            Ok(FormatAccess::new(raw))
        }
        Layer::Qcow2(file, path, _) => {
            let storage = ImageFile::try_from(file).map_err(library(&path))?;
            let data = data_file.map(|data| open_data_file(data, write, locking)).transpose()?;
            let qcow2 = Qcow2::<ImageFile>::builder(storage).write(write).backing(below).data_file(data);
            qcow2.open(DenyImplicitOpenGate::default()).map(FormatAccess::new).map_err(library(&path))
        }
    }
}

fn open_data_file(path: &Path, write: bool, locking: bool) -> Result<ImageFile, BlockError> {
    let file = open_file(path, write)?;
    if locking {
        lock::lock(&file, path, write)?;
    }
    ImageFile::try_from(file).map_err(|source| BlockError::Library { file: path.to_owned(), source })
}
