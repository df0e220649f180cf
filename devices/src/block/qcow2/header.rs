//! The qcow2 header, read and judged before the library sees the file.
//!
//! Source: "Qcow2 Image File Format", `docs/interop/qcow2.txt` of QEMU 10.0. The library checks less than it should:
//! it opens encrypted images as plain ones and destroys them. Numbers that say how much to read are bounded first.

use crate::block::probe::QCOW2_MAGIC;
use crate::block::{BlockError, raw::read_full};
use std::fs::File;
use std::path::Path;

/// The most entries of an L1 table: 32 MiB.
const L1_ENTRIES: u64 = 4 << 20;
/// The most bytes of a refcount table.
const REFTABLE_BYTES: u64 = 8 << 20;
/// The most internal snapshots.
const SNAPSHOTS: u32 = 65536;
/// The most bytes of a backing file name.
const NAME: u32 = 1023;
const V2_LEN: u32 = 72;
const V3_LEN: u32 = 104;

mod incompatible {
    pub(super) const DIRTY: u64 = 1 << 0;
    pub(super) const CORRUPT: u64 = 1 << 1;
    pub(super) const DATA_FILE: u64 = 1 << 2;
    pub(super) const COMPRESSION: u64 = 1 << 3;
    pub(super) const EXTENDED_L2: u64 = 1 << 4;
}

mod extension {
    pub(super) const END: u32 = 0;
    pub(super) const BACKING_FORMAT: u32 = 0xE279_2ACA;
    pub(super) const FEATURE_NAMES: u32 = 0x6803_F857;
    pub(super) const ENCRYPTION: u32 = 0x0537_BE77;
    pub(super) const DATA_FILE: u32 = 0x4441_5441;
}

/// What the rest of the guard needs from a header that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) cluster_bits: u32,
    /// Size of the virtual disk, bytes.
    pub(super) size: u64,
    /// L1 entries.
    pub(super) l1_size: u64,
    pub(super) l1_offset: u64,
    pub(super) reftable_offset: u64,
    /// Refcount table size, bytes.
    pub(super) reftable_bytes: u64,
    /// log2 of the bits of a reference count.
    pub(super) refcount_order: u32,
    pub(super) snapshots: u32,
    pub(super) snapshots_offset: u64,
    pub(super) backing: Option<String>,
    pub(super) backing_format: Option<String>,
    /// The name of the external data file, empty when the header gives none.
    pub(super) data_file: Option<String>,
    /// Length of the image file, bytes.
    pub(super) file_len: u64,
}

impl Header {
    pub(super) fn cluster(&self) -> u64 {
        1 << self.cluster_bits
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    path: &'a Path,
}

impl Reader<'_> {
    fn u32(&self, at: usize) -> u32 {
        self.bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) << 32 | u64::from(self.u32(at + 4))
    }

    fn bad<T>(&self, what: String) -> Result<T, BlockError> {
        Err(BlockError::BadHeader { file: self.path.to_owned(), what })
    }

    fn text(&self, at: u64, len: u64, what: &str) -> Result<String, BlockError> {
        let bytes = usize::try_from(at).ok().zip(at.checked_add(len).and_then(|e| usize::try_from(e).ok()));
        let bytes = bytes.and_then(|(from, to)| self.bytes.get(from..to));
        match bytes.map(std::str::from_utf8) {
            Some(Ok(text)) if !text.contains('\0') => Ok(text.to_owned()),
            Some(_) => self.bad(format!("the {what} is not text")),
            None => self.bad(format!("the {what} at {at:#x}, {len} bytes long, is not in the first cluster")),
        }
    }
}

/// Reads the header of `file` and refuses everything that the library cannot be trusted with.
///
/// # Errors
/// One [`BlockError`] variant for each reason.
pub(super) fn read(file: &File, path: &Path) -> Result<Header, BlockError> {
    let host = |source| BlockError::Host { file: path.to_owned(), doing: "read", source };
    let file_len = crate::block::Raw::length(file).map_err(host)?;
    let mut head = [0u8; V3_LEN as usize + 8];
    read_full(file, &mut head, 0).map_err(host)?;
    let h = Reader { bytes: &head, path };
    if head[..4] != QCOW2_MAGIC {
        return Err(BlockError::NotQcow2 { file: path.to_owned() });
    }
    let version = h.u32(4);
    if version != 2 && version != 3 {
        return Err(BlockError::Version { file: path.to_owned(), version });
    }
    let least = if version == 2 { V2_LEN } else { V3_LEN };
    if file_len < u64::from(least) {
        return h.bad(format!("the file ends after {file_len} bytes, inside of the header"));
    }
    encryption(h.u32(32), path)?;
    let cluster_bits = h.u32(20);
    if !(9..=21).contains(&cluster_bits) {
        return h.bad(format!("cluster_bits is {cluster_bits}, and 9 to 21 are possible"));
    }
    let cluster = 1u64 << cluster_bits;

    let (features, header_len) = if version == 2 { (0, V2_LEN) } else { (h.u64(72), h.u32(100)) };
    if header_len < least || !header_len.is_multiple_of(8) || u64::from(header_len) > cluster {
        return h.bad(format!("header_length is {header_len}"));
    }
    let zstd = header_len > V3_LEN && head[V3_LEN as usize] != 0;
    check_features(features, zstd, path)?;
    let refcount_order = if version == 2 { 4 } else { h.u32(96) };
    if refcount_order > 6 {
        return h.bad(format!("refcount_order is {refcount_order}, and 0 to 6 are possible"));
    }

    let mut first = vec![0u8; cluster.min(file_len) as usize]; // 2 MiB at most
    read_full(file, &mut first, 0).map_err(host)?;
    let h = Reader { bytes: &first, path };
    let (name_at, name_len) = (h.u64(8), h.u32(16));
    let backing = match name_at {
        0 => None,
        _ if name_len > NAME => return h.bad(format!("the backing file name is {name_len} bytes long")),
        _ if name_len == 0 => None,
        _ if name_at < u64::from(header_len) => {
            return h.bad(format!("the backing file name is at {name_at:#x}, inside of the header"));
        }
        _ => Some(h.text(name_at, name_len.into(), "backing file name")?),
    };
    let end = if backing.is_some() { name_at } else { cluster };
    let (backing_format, data_name) = extensions(&h, header_len.into(), end)?;
    let data_file = (features & incompatible::DATA_FILE != 0).then(|| data_name.unwrap_or_default());

    let header = Header {
        version,
        cluster_bits,
        size: h.u64(24),
        l1_size: h.u32(36).into(),
        l1_offset: h.u64(40),
        reftable_offset: h.u64(48),
        reftable_bytes: u64::from(h.u32(56)) << cluster_bits,
        refcount_order,
        snapshots: h.u32(60),
        snapshots_offset: h.u64(64),
        backing,
        backing_format,
        data_file,
        file_len,
    };
    check_sizes(&h, &header)?;
    Ok(header)
}

fn encryption(method: u32, path: &Path) -> Result<(), BlockError> {
    let method = match method {
        0 => return Ok(()),
        1 => "AES",
        2 => "LUKS",
        _ => "by an unknown method",
    };
    Err(BlockError::Encrypted { file: path.to_owned(), method })
}

fn check_features(features: u64, zstd: bool, path: &Path) -> Result<(), BlockError> {
    let file = path.to_owned();
    if features & incompatible::CORRUPT != 0 {
        return Err(BlockError::MarkedCorrupt { file });
    }
    if features & incompatible::DIRTY != 0 {
        return Err(BlockError::Dirty { file });
    }
    let mut names: Vec<String> = Vec::new();
    if zstd {
        names.push("zstd compression".into());
    } else if features & incompatible::COMPRESSION != 0 {
        names.push("an unknown compression type".into());
    }
    if features & incompatible::EXTENDED_L2 != 0 {
        names.push("extended L2 entries (subclusters)".into());
    }
    names.extend(
        (5..64)
            .filter(|bit| features >> bit & 1 != 0)
            .map(|bit| format!("unknown incompatible feature {bit}")),
    );
    if names.is_empty() { Ok(()) } else { Err(BlockError::Features { file, features: names.join(", ") }) }
}

/// Walks the header extensions; returns the backing format and the data file name.
fn extensions(h: &Reader<'_>, mut at: u64, end: u64) -> Result<(Option<String>, Option<String>), BlockError> {
    let (mut format, mut data) = (None, None);
    while at + 8 <= end {
        let (kind, len) = (h.u32(at as usize), u64::from(h.u32(at as usize + 4)));
        at += 8;
        if kind == extension::END {
            break;
        }
        if len > end - at {
            return h.bad(format!("header extension {kind:#x} is {len} bytes long and does not fit"));
        }
        match kind {
            extension::BACKING_FORMAT => format = Some(h.text(at, len, "backing format")?),
            extension::DATA_FILE => data = Some(h.text(at, len, "data file name")?),
            extension::ENCRYPTION => encryption(2, h.path)?,
            extension::FEATURE_NAMES if !len.is_multiple_of(48) => {
                return h.bad(format!("the feature name table is {len} bytes long, not a multiple of 48"));
            }
            _ => {}
        }
        at += len.next_multiple_of(8);
    }
    Ok((format, data))
}

fn check_sizes(h: &Reader<'_>, header: &Header) -> Result<(), BlockError> {
    let cluster = header.cluster();
    let per_l1 = cluster * (cluster / 8);
    let limit = (per_l1.saturating_mul(L1_ENTRIES)).min(i64::MAX as u64 & !511);
    if header.size > limit {
        return Err(BlockError::TooBig { file: h.path.to_owned(), size: header.size, limit });
    }
    if header.l1_size > L1_ENTRIES {
        return h.bad(format!("the L1 table has {} entries, more than {L1_ENTRIES}", header.l1_size));
    }
    let needed = header.size.div_ceil(per_l1);
    if header.l1_size < needed {
        return h.bad(format!(
            "the L1 table has {} entries, and {} bytes need {needed}",
            header.l1_size, header.size
        ));
    }
    if header.reftable_bytes == 0 || header.reftable_bytes > REFTABLE_BYTES {
        return h.bad(format!("the refcount table is {} bytes long", header.reftable_bytes));
    }
    if header.snapshots > SNAPSHOTS {
        return h.bad(format!("there are {} snapshots, more than {SNAPSHOTS}", header.snapshots));
    }
    let tables = [
        ("L1 table", header.l1_offset, header.l1_size * 8),
        ("refcount table", header.reftable_offset, header.reftable_bytes),
        // 40 bytes are the least that each snapshot takes.
        ("snapshot table", header.snapshots_offset, u64::from(header.snapshots) * 40),
    ];
    for (what, at, len) in tables.into_iter().filter(|t| t.2 != 0) {
        if !at.is_multiple_of(cluster) {
            return h.bad(format!("the {what} is at {at:#x}, which is not the start of a cluster"));
        }
        if at == 0 {
            return h.bad(format!("the {what} overlaps the header"));
        }
        if at.checked_add(len).is_none_or(|end| end > header.file_len.next_multiple_of(cluster)) {
            return h.bad(format!("the {what} at {at:#x}, {len} bytes long, is not in the file"));
        }
    }
    Ok(())
}
