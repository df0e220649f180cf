//! Multiboot kernels, versions 1 (specification 0.6.96) and 2 (2.0).
//!
//! The kernel's bytes go where its ELF segments or its header's addresses say, modules behind them, each on a page of
//! its own, and the information block behind those. As with QEMU, command lines begin with the file's name.
//!
//! Left out on purpose: video modes (the request is ignored: the information says that there is no frame buffer), symbol
//! tables, drives, the APM table, EFI entries.

pub mod one;
pub mod two;

use super::super::{Content, Piece};
use super::layout::{FOUR_GIB, PAGE, Placer};
use super::{Module, Request, elf};

/// What both versions call the boot loader.
const LOADER_NAME: &str = "lyrebird";

/// Where a header says that parts of the file go, for files that are not ELF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Address of the header itself.
    header: u32,
    /// Of the first byte loaded.
    load: u32,
    /// Behind the last byte loaded; 0 for the end of the file.
    load_end: u32,
    /// Behind what is to be zero; 0 for nothing.
    bss_end: u32,
}

impl Addresses {
    /// The piece of the file whose header is at `offset`.
    fn piece(&self, bytes: &[u8], offset: usize, request: &Request) -> Result<Piece, String> {
        let corrupt = || "the addresses in its Multiboot header are corrupt".to_owned();
        let before = self.header.checked_sub(self.load).ok_or_else(corrupt)? as usize;
        let start = offset.checked_sub(before).ok_or_else(corrupt)?;
        let len = match self.load_end {
            0 => bytes.len() - start,
            end => end.checked_sub(self.load).ok_or_else(corrupt)? as usize,
        };
        let data = start.checked_add(len).and_then(|end| bytes.get(start..end));
        let data = data.ok_or("it is truncated: its Multiboot header promises more")?;
        let total = match self.bss_end {
            0 => len,
            end => (end.checked_sub(self.load).ok_or_else(corrupt)? as usize).max(len),
        };
        // Checked before it gets memory of the host.
        Placer::new(request.map).take(self.load.into(), total as u64)?;
        let mut content = data.to_vec();
        content.resize(total, 0);
        Ok(Piece { at: self.load.into(), content: Content::Bytes(content) })
    }
}

/// The kernel's pieces and its entry: by addresses if the header has them, otherwise by ELF.
fn kernel(
    bytes: &[u8],
    offset: usize,
    addresses: Option<Addresses>,
    entry: Option<u32>,
    request: &Request,
) -> Result<(Vec<Piece>, u64), String> {
    let (pieces, own) = match addresses {
        Some(addresses) => (vec![addresses.piece(bytes, offset, request)?], None),
        None if bytes.starts_with(b"\x7fELF") => {
            let segments = elf::segments(bytes, request)?;
            (segments.pieces, Some(segments.entry))
        }
        None => return Err("its Multiboot header has no addresses and it is not an ELF file".into()),
    };
    let entry = entry.map(u64::from).or(own).ok_or("its Multiboot header has no entry address")?;
    Ok((pieces, entry))
}

/// A module in memory.
struct Placed {
    start: u64,
    end: u64,
    /// Path and arguments.
    line: String,
}

/// Puts modules behind the kernel; each with its place, and the first address behind all.
fn place_modules(
    modules: &[Module],
    pieces: &mut Vec<Piece>,
    placer: &mut Placer,
) -> Result<(Vec<Placed>, u64), String> {
    let mut end = pieces.iter().map(|p| p.at + p.content.size()).max().unwrap_or(0).max(0x10_0000);
    let mut placed = Vec::new();
    for module in modules {
        let size = module.content.size();
        let start = placer.low(size, PAGE, end)?;
        end = start + size;
        pieces.push(Piece { at: start, content: module.content.clone() });
        placed.push(Placed { start, end, line: module.line.clone() });
    }
    Ok((placed, end))
}

/// The kernel's own command line.
fn command_line(request: &Request) -> String {
    let line = format!("{} {}", request.kernel.display(), request.append);
    line.trim_end().to_owned()
}

/// KiB of memory from 0 and from 1 MiB on.
fn basic_memory(request: &Request) -> (u32, u32) {
    let top = request.map.top_below_4g().min(FOUR_GIB - 1);
    (639, (top.saturating_sub(0x10_0000) >> 10) as u32)
}
