//! Multiboot, version 1.

use super::super::super::Piece;
use super::super::entry::{X86Entry, reg};
use super::super::layout::{PAGE, Placer};
use super::super::{Module, Request, c_string, poke, put, u32_at};
use super::{Addresses, LOADER_NAME, basic_memory, command_line, kernel, place_modules};

mod spec {
    pub const MAGIC: u32 = 0x1bad_b002;
    /// What EAX holds at the entry.
    pub const LOADED: u32 = 0x2bad_b002;
    /// The header lies in this part of the file.
    pub const SEARCH: usize = 8192;
    /// Flags of the header: features that a loader may not ignore, and that the address fields count.
    pub const REQUIRED: u32 = 0xffff;
    pub const KNOWN: u32 = 0x7;
    pub const HAS_ADDRESSES: u32 = 1 << 16;

    /// Flags of the information, and offsets of what they announce.
    pub const MEMORY: u32 = 1 << 0;
    pub const COMMAND_LINE: u32 = 1 << 2;
    pub const MODULES: u32 = 1 << 3;
    pub const MAP: u32 = 1 << 6;
    pub const NAME: u32 = 1 << 9;
    pub const INFO_LEN: usize = 120;
}
use spec::*;

/// A header that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    offset: usize,
    flags: u32,
}

/// Finds the header: magic number, flags and a checksum that makes their sum zero, on a word's boundary.
pub fn header(bytes: &[u8]) -> Option<Header> {
    (0..bytes.len().min(SEARCH)).step_by(4).find_map(|offset| {
        let word = |n: usize| u32_at(bytes, offset + 4 * n).ok();
        let flags = word(1)?;
        let found = word(0)? == MAGIC && MAGIC.wrapping_add(flags).wrapping_add(word(2)?) == 0;
        found.then_some(Header { offset, flags })
    })
}

/// Loads a kernel with its modules.
///
/// # Errors
/// When it is corrupt, asks for what there is not, or does not fit.
pub(in super::super) fn load(
    bytes: &[u8],
    modules: &[Module],
    request: &Request,
) -> Result<(Vec<Piece>, X86Entry), String> {
    let Header { offset, flags } = header(bytes).ok_or("it has no Multiboot header")?;
    let unknown = flags & REQUIRED & !KNOWN;
    if unknown != 0 {
        return Err(format!("its Multiboot header requires features {unknown:#x}, which there are not"));
    }
    let word = |n: usize| u32_at(bytes, offset + 4 * n);
    let (mut addresses, mut entry) = (None, None);
    if flags & HAS_ADDRESSES != 0 {
        addresses =
            Some(Addresses { header: word(3)?, load: word(4)?, load_end: word(5)?, bss_end: word(6)? });
        entry = Some(word(7)?);
    }
    let (mut pieces, entry) = kernel(bytes, offset, addresses, entry, request)?;
    let mut placer = Placer::new(request.map);
    placer.take_pieces(&pieces)?;
    let (placed, end) = place_modules(modules, &mut pieces, &mut placer)?;

    let mut strings = |line: &str| put(&mut pieces, &mut placer, c_string(line), 4, end).map(|at| at as u32);
    let cmdline = strings(&command_line(request))?;
    let name = strings(LOADER_NAME)?;
    let mut list = Vec::new();
    for module in &placed {
        let line = strings(&module.line)?;
        for word in [module.start as u32, module.end as u32, line, 0] {
            list.extend(word.to_le_bytes());
        }
    }
    let count = placed.len() as u32;
    let list = put(&mut pieces, &mut placer, list, 4, end)? as u32;
    // Each entry: its length without this word, then as in E820.
    let e820 = request.map.e820();
    let map: Vec<u8> =
        e820.chunks(20).flat_map(|range| [20, 0, 0, 0].into_iter().chain(range.iter().copied())).collect();
    let map_len = map.len() as u32;
    let map = put(&mut pieces, &mut placer, map, 4, end)? as u32;

    let (lower, upper) = basic_memory(request);
    let mut info = vec![0; INFO_LEN];
    for (at, value) in [
        (0, MEMORY | COMMAND_LINE | MODULES | MAP | NAME),
        (4, lower),
        (8, upper),
        (16, cmdline),
        (20, count),
        (24, list),
        (44, map_len),
        (48, map),
        (64, name),
    ] {
        poke(&mut info, at, &value.to_le_bytes());
    }
    let info = put(&mut pieces, &mut placer, info, PAGE, end)?;
    let mut state = X86Entry::protected(entry, &mut pieces, &mut placer)?;
    state.regs[reg::AX] = LOADED.into();
    state.regs[reg::BX] = info;
    Ok((pieces, state))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::Content;
    use super::super::super::entry::EntryMode;
    use super::super::super::testing::{Image, damage, elf, request};
    use super::super::super::{Kind, MemoryMap, detect};
    use super::*;
    use std::path::Path;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    fn with_flags(flags: u32, more: &[u32]) -> Vec<u8> {
        let sum = 0u32.wrapping_sub(MAGIC).wrapping_sub(flags);
        [words(&[MAGIC, flags, sum]), words(more)].concat()
    }

    fn module(line: &str, len: usize) -> Module {
        Module { line: line.into(), content: Content::Bytes(vec![5; len]) }
    }

    #[test]
    fn elf_with_modules() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("kernel"), &map);
        for wide in [false, true] {
            let file = elf(wide, 0x10_0000, &[with_flags(3, &[]), vec![0x90; 100]].concat(), None);
            assert_eq!(detect(&file), Some(Kind::Multiboot1));
            let (pieces, entry) = load(&file, &[module("a x", 10), module("b", 5000)], &r).unwrap();
            assert_eq!((entry.mode, entry.ip), (EntryMode::Protected32, 0x10_0000));
            assert_eq!(entry.regs[reg::AX], 0x2bad_b002);
            let (image, info) = (Image(&pieces), entry.regs[reg::BX]);
            let word = |at: u64| u64::from(image.u32(info + at));
            assert_eq!((word(0), word(4), word(8)), (0x24d, 639, 63 << 10));
            assert_eq!(image.string(word(16)), "kernel console=ttyS0");
            assert_eq!(image.string(word(64)), "lyrebird");
            assert_eq!(word(20), 2);
            let second = word(24) + 16;
            let (start, end) = (image.u32(second), image.u32(second + 4));
            assert_eq!((start % 4096, end - start), (0, 5000));
            assert_eq!(image.bytes(start.into()), [5; 4]);
            assert_eq!(image.string(image.u32(second + 8).into()), "b");
            assert_eq!((word(44), image.u32(word(48)), image.u64(word(48) + 12)), (4 * 24, 20, 0x9_fc00));
        }
    }

    #[test]
    fn addresses() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("kernel"), &map);
        // The header is 8 bytes into what is loaded, which is 4 bytes into the file.
        let header = with_flags(0x1_0000, &[0x20_0008, 0x20_0000, 0x20_0040, 0x20_0100, 0x20_0030]);
        let mut file = [b"junk12345678".to_vec(), header].concat();
        file.resize(100, 0x90);
        let (pieces, entry) = load(&file, &[], &r).unwrap();
        let image = Image(&pieces);
        assert_eq!(entry.ip, 0x20_0030);
        assert_eq!(image.bytes(0x20_0000), *b"12345678");
        assert_eq!((image.bytes(0x20_003f), image.bytes(0x20_00ff)), ([0x90], [0]));
        damage(&file, |bytes| load(bytes, &[], &r));
        let header = with_flags(0x1_0000, &[0x20_0008, 0x20_0000, 0x20_0000, 0xf000_0000, 0x20_0030]);
        let file = [b"12345678".to_vec(), header].concat();
        assert!(load(&file, &[], &r).unwrap_err().contains("use a larger -m"));
    }

    #[test]
    fn bad_files() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("kernel"), &map);
        assert!(load(&with_flags(8, &[]), &[], &r).unwrap_err().contains("requires features 0x8"));
        assert!(load(&with_flags(3, &[]), &[], &r).unwrap_err().contains("not an ELF file"));
        assert!(load(&with_flags(0x1_0000, &[]), &[], &r).unwrap_err().contains("truncated"));
        assert_eq!(header(&words(&[MAGIC, 3, 5])), None);
        let file = elf(false, 0x10_0000, &with_flags(3, &[]), None);
        damage(&file, |bytes| load(bytes, &[module("m", 3)], &r));
    }
}
