//! What the loaders' tests share.

use super::super::{Content, Piece};
use super::{LinuxEntry, MemoryMap, Request};
use std::path::Path;

/// Memory as pieces fill it.
pub(super) struct Image<'a>(pub(super) &'a [Piece]);

impl Image<'_> {
    pub(super) fn bytes<const N: usize>(&self, at: u64) -> [u8; N] {
        std::array::from_fn(|n| self.byte(at + n as u64))
    }
    fn byte(&self, at: u64) -> u8 {
        let within = |p: &&Piece| p.at <= at && at - p.at < p.content.size();
        match self.0.iter().find(within).map(|p| (&p.content, (at - p.at) as usize)) {
            Some((Content::Bytes(bytes), offset)) => bytes[offset],
            _ => panic!("nothing at {at:#x}"),
        }
    }
    pub(super) fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }
    pub(super) fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
    pub(super) fn string(&self, at: u64) -> String {
        (at..).map(|at| self.byte(at)).take_while(|b| *b != 0).map(char::from).collect()
    }
}

pub(super) fn request<'a>(kernel: &'a Path, map: &'a MemoryMap) -> Request<'a> {
    Request {
        kernel,
        initrd: None,
        append: "console=ttyS0",
        map,
        long_mode: true,
        rsdp: Some(0xe_0000),
        vga_text: true,
        linux: LinuxEntry::Best,
    }
}

/// An ELF file of one segment with `text` at `address`, and one note.
pub(super) fn elf(wide: bool, address: u32, text: &[u8], note: Option<(u32, &[u8])>) -> Vec<u8> {
    let mut note_bytes = Vec::new();
    if let Some((kind, desc)) = note {
        for word in [4, desc.len() as u32, kind] {
            note_bytes.extend(word.to_le_bytes());
        }
        note_bytes.extend(b"Xen\0");
        note_bytes.extend(desc);
    }
    let (header, entry_len) = if wide { (64u64, 56u64) } else { (52, 32) };
    let count = if note.is_some() { 2u16 } else { 1 };
    let text_at = header + entry_len * u64::from(count);
    let note_at = text_at + text.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1];
    file.resize(16, 0);
    let native = |file: &mut Vec<u8>, v: u64| {
        let bytes = v.to_le_bytes();
        file.extend(if wide { &bytes[..] } else { &bytes[..4] });
    };
    file.extend(2u16.to_le_bytes());
    file.extend((if wide { 62u16 } else { 3 }).to_le_bytes());
    file.extend(1u32.to_le_bytes());
    native(&mut file, address.into());
    native(&mut file, header);
    native(&mut file, 0);
    file.extend(0u32.to_le_bytes());
    for half in [header as u16, entry_len as u16, count, if wide { 64 } else { 40 }, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    let mut segment = |kind: u32, at: u64, address: u64, len: u64, memory: u64| {
        file.extend(kind.to_le_bytes());
        if wide {
            file.extend(5u32.to_le_bytes());
        }
        for v in [at, address, address, len, memory] {
            native(&mut file, v);
        }
        if !wide {
            file.extend(5u32.to_le_bytes());
        }
        native(&mut file, 4);
    };
    segment(1, text_at, address.into(), text.len() as u64, text.len() as u64 + 64);
    if note.is_some() {
        segment(4, note_at, 0, note_bytes.len() as u64, note_bytes.len() as u64);
    }
    assert_eq!(file.len() as u64, text_at);
    file.extend(text);
    file.extend(note_bytes);
    file
}

/// Tries `load` with the file cut at many places and with bytes changed: no panic, whatever the outcome.
pub(super) fn damage<T>(file: &[u8], mut load: impl FnMut(&[u8]) -> T) {
    let step = (file.len() / 300).max(1);
    for end in (0..file.len()).step_by(step).chain(0..file.len().min(0x300)) {
        let _ = load(&file[..end]);
    }
    let mut state = 1u64;
    for _ in 0..3000 {
        let mut bad = file.to_vec();
        for _ in 0..4 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (state >> 33) as usize % bad.len().min(0x400);
            bad[at] = [0, 0xff, 0x7f, (state >> 20) as u8][(state >> 18) as usize & 3];
        }
        let _ = load(&bad);
    }
}
