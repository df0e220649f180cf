//! Arm64 `Image` files: plain, gzip compressed, or inside of an EFI "zboot" image (Linux Documentation/arch/arm64/booting.rst
//! and the zboot header of the kernel's EFI stub).

use super::{Content, Piece, Program};
use std::io::Read;

/// No kernel unpacks to more than this.
const LARGEST: u64 = 1 << 30;

/// Removes the wrappers: gzip and zboot.
pub(super) fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return gunzip(&bytes);
    }
    if bytes.get(..2) == Some(b"MZ") && bytes.get(4..8) == Some(b"zimg") {
        let word = |at: usize| {
            bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(|b| u32::from_le_bytes(b) as usize)
        };
        let (Some(start), Some(len)) = (word(8), word(12)) else {
            return Err("the EFI zboot header is truncated".into());
        };
        let kind = bytes.get(24..56).unwrap_or_default();
        let kind: String = kind.iter().take_while(|c| **c != 0).map(|&c| c as char).collect();
        let payload = start.checked_add(len).and_then(|end| bytes.get(start..end));
        let Some(payload) = payload else {
            return Err("the EFI zboot payload lies outside of the file: the file is truncated".into());
        };
        return match kind.as_str() {
            "gzip" => gunzip(payload),
            other => Err(format!("EFI zboot images compressed with '{other}' are not supported, only gzip")),
        };
    }
    Ok(bytes)
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut stream = flate2::read::GzDecoder::new(bytes).take(LARGEST + 1);
    stream.read_to_end(&mut out).map_err(|e| format!("its gzip data is corrupt or truncated: {e}"))?;
    if out.len() as u64 > LARGEST {
        return Err("it unpacks to more than 1 GiB, which no kernel does".into());
    }
    Ok(out)
}

/// As much of a file as tells what it is.
pub(super) const HEAD: usize = 1024;

/// Whether a file that begins with `head` is an `Image` without wrappers.
pub(super) fn plain(head: &[u8]) -> bool {
    head.len() >= 64 && head.get(56..60) == Some(b"ARM\x64") && head.get(4..8) != Some(b"zimg")
}

/// Places an `Image` that begins with `head`.
pub(super) fn load(head: &[u8], content: Content, base: u64) -> Result<Program, String> {
    let word = |at: usize| {
        head.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes).unwrap_or_default()
    };
    if head.len() < 64 || head.get(56..60) != Some(b"ARM\x64") {
        let hint = match head.get(..4) {
            Some([0x4d, 0x5a, ..]) => "it is a PE file for another architecture",
            _ if head.get(0x202..0x206) == Some(b"HdrS") => "it is an x86 kernel; this machine is AArch64",
            _ if head.get(0x24..0x28) == Some(&[0x18, 0x28, 0x6f, 0x01]) => {
                "it is a 32-bit Arm zImage; this machine is AArch64"
            }
            _ => "it is no arm64 Image, gzip or zboot image, or ELF file",
        };
        return Err(hint.into());
    }
    let (text_offset, image_size, flags) = (word(8), word(16), word(24));
    if flags & 1 != 0 {
        return Err("it is a big-endian kernel, which is not supported".into());
    }
    // Kernels before 3.17 leave the size zero and want 0x80000.
    let offset = if image_size == 0 { 0x8_0000 } else { text_offset };
    if offset > 0x20_0000 || image_size > LARGEST {
        return Err("its Image header is corrupt".into());
    }
    // The first pages of RAM stay free; a later 2 MiB boundary does as well.
    let at = base + if offset < 4096 { 0x20_0000 + offset } else { offset };
    let end = at + image_size.max(content.size());
    Ok(Program { pieces: vec![Piece { at, content }], entry: at, end, linux: true })
}
