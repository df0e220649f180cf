//! Multiboot, version 2.

use super::super::super::Piece;
use super::super::entry::{X86Entry, reg};
use super::super::layout::{PAGE, Placer};
use super::super::{Module, Request, c_string, poke, put, u16_at, u32_at};
use super::{Addresses, LOADER_NAME, basic_memory, command_line, kernel, place_modules};

mod spec {
    pub const MAGIC: u32 = 0xe852_50d6;
    /// What EAX holds at the entry.
    pub const LOADED: u32 = 0x36d7_6289;
    /// The header lies in this part of the file.
    pub const SEARCH: usize = 32768;

    /// Tags of the header.
    pub mod wanted {
        pub const END: u16 = 0;
        pub const INFORMATION: u16 = 1;
        pub const ADDRESS: u16 = 2;
        pub const ENTRY: u16 = 3;
        /// Flags of the console, frame buffer, module alignment, EFI boot services and entries, relocation: these are
        /// hints, met anyway, or for other loaders.
        pub const HARMLESS: std::ops::RangeInclusive<u16> = 4..=10;
    }
    /// A tag that a loader may ignore.
    pub const OPTIONAL: u16 = 1;

    /// Tags of the information.
    pub mod tag {
        pub const END: u32 = 0;
        pub const COMMAND_LINE: u32 = 1;
        pub const LOADER_NAME: u32 = 2;
        pub const MODULE: u32 = 3;
        pub const BASIC_MEMORY: u32 = 4;
        pub const MEMORY_MAP: u32 = 6;
    }
    /// What a header can ask for as mandatory information: all of the above.
    pub const PROVIDED: [u32; 5] =
        [tag::COMMAND_LINE, tag::LOADER_NAME, tag::MODULE, tag::BASIC_MEMORY, tag::MEMORY_MAP];
}
use spec::*;

/// A header that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    offset: usize,
    len: usize,
}

/// Finds the header: magic number, architecture, length and a checksum that makes their sum zero, on 8 bytes' boundary.
pub fn header(bytes: &[u8]) -> Option<Header> {
    (0..bytes.len().min(SEARCH)).step_by(8).find_map(|offset| {
        let word = |n: usize| u32_at(bytes, offset + 4 * n).ok();
        let (architecture, len) = (word(1)?, word(2)?);
        let sum = MAGIC.wrapping_add(architecture).wrapping_add(len).wrapping_add(word(3)?);
        // Architecture 0 is i386.
        let found = word(0)? == MAGIC && sum == 0 && architecture == 0;
        found.then_some(Header { offset, len: len as usize })
    })
}

/// What the header's tags say.
#[derive(Default)]
struct Wishes {
    addresses: Option<Addresses>,
    entry: Option<u32>,
}

fn wishes(bytes: &[u8], header: Header) -> Result<Wishes, String> {
    let (mut wishes, mut at) = (Wishes::default(), header.offset + 16);
    let end = header.offset.saturating_add(header.len);
    while at < end {
        let (kind, flags, size) =
            (u16_at(bytes, at)?, u16_at(bytes, at + 2)?, u32_at(bytes, at + 4)? as usize);
        if size < 8 {
            return Err("a tag of its Multiboot2 header is corrupt".into());
        }
        let word = |n: usize| u32_at(bytes, at + 8 + 4 * n);
        match kind {
            wanted::END => break,
            wanted::INFORMATION if flags & OPTIONAL == 0 => {
                for n in 0..(size - 8) / 4 {
                    let kind = word(n)?;
                    if !PROVIDED.contains(&kind) {
                        return Err(format!("it requires Multiboot2 information {kind}, which there is not"));
                    }
                }
            }
            wanted::ADDRESS => {
                wishes.addresses = Some(Addresses {
                    header: word(0)?,
                    load: word(1)?,
                    load_end: word(2)?,
                    bss_end: word(3)?,
                });
            }
            wanted::ENTRY => wishes.entry = Some(word(0)?),
            kind if wanted::HARMLESS.contains(&kind) || flags & OPTIONAL != 0 => {}
            kind => return Err(format!("its Multiboot2 header requires tag {kind}, which is not supported")),
        }
        at = at.checked_add(size).and_then(|at| at.checked_next_multiple_of(8)).ok_or("a tag is corrupt")?;
    }
    Ok(wishes)
}

/// Adds a tag: type, size, content, padding to 8 bytes.
fn add(info: &mut Vec<u8>, kind: u32, content: &[u8]) {
    info.extend(kind.to_le_bytes());
    info.extend((8 + content.len() as u32).to_le_bytes());
    info.extend(content);
    info.resize(info.len().next_multiple_of(8), 0);
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
    let header = header(bytes).ok_or("it has no Multiboot2 header")?;
    let Wishes { addresses, entry } = wishes(bytes, header)?;
    let (mut pieces, entry) = kernel(bytes, header.offset, addresses, entry, request)?;
    let mut placer = Placer::new(request.map);
    placer.take_pieces(&pieces)?;
    let (placed, end) = place_modules(modules, &mut pieces, &mut placer)?;

    // Total size, to be filled in, and a reserved word.
    let mut info = vec![0; 8];
    add(&mut info, tag::COMMAND_LINE, &c_string(&command_line(request)));
    add(&mut info, tag::LOADER_NAME, &c_string(LOADER_NAME));
    for module in &placed {
        let addresses = [module.start as u32, module.end as u32].map(u32::to_le_bytes).concat();
        add(&mut info, tag::MODULE, &[addresses, c_string(&module.line)].concat());
    }
    let (lower, upper) = basic_memory(request);
    add(&mut info, tag::BASIC_MEMORY, &[lower, upper].map(u32::to_le_bytes).concat());
    // Size and version of an entry; entries as in E820 with a reserved word.
    let mut map = [24u32, 0].map(u32::to_le_bytes).concat();
    request.map.e820().chunks(20).for_each(|range| map.extend(range.iter().copied().chain([0; 4])));
    add(&mut info, tag::MEMORY_MAP, &map);
    add(&mut info, tag::END, &[]);
    let total = info.len() as u32;
    poke(&mut info, 0, &total.to_le_bytes());
    let info = put(&mut pieces, &mut placer, info, PAGE, end)?;
    let mut state = X86Entry::protected(entry, &mut pieces, &mut placer)?;
    state.regs[reg::AX] = LOADED.into();
    state.regs[reg::BX] = info;
    Ok((pieces, state))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::Content;
    use super::super::super::testing::{Image, damage, elf, request};
    use super::super::super::{Kind, MemoryMap, detect};
    use super::*;
    use std::collections::BTreeMap;
    use std::path::Path;

    fn with_tags(tags: &[(u16, u16, &[u32])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, flags, words) in tags {
            body.extend(kind.to_le_bytes());
            body.extend(flags.to_le_bytes());
            body.extend((8 + 4 * words.len() as u32).to_le_bytes());
            words.iter().for_each(|w| body.extend(w.to_le_bytes()));
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let len = 16 + body.len() as u32;
        let mut head = Vec::new();
        for word in [MAGIC, 0, len, 0u32.wrapping_sub(MAGIC).wrapping_sub(len)] {
            head.extend(word.to_le_bytes());
        }
        [head, body].concat()
    }

    /// An ELF file whose text begins on 8 bytes' boundary, as a linker script sees to it.
    fn kernel_with(tags: &[(u16, u16, &[u32])]) -> Vec<u8> {
        elf(true, 0x10_0000, &[with_tags(tags), vec![0x90; 64]].concat(), None)
    }

    #[test]
    fn information() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("kernel"), &map);
        let file = kernel_with(&[(1, 0, &[1, 6]), (6, 0, &[]), (0, 0, &[])]);
        assert_eq!(detect(&file), Some(Kind::Multiboot2));
        let module = Module { line: "m 1".into(), content: Content::Bytes(vec![5; 10]) };
        let (pieces, entry) = load(&file, &[module], &r).unwrap();
        assert_eq!((entry.ip, entry.regs[reg::AX]), (0x10_0000, 0x36d7_6289));
        let (image, info) = (Image(&pieces), entry.regs[reg::BX]);
        let (mut tags, mut at) = (BTreeMap::new(), info + 8);
        while at < info + u64::from(image.u32(info)) {
            tags.insert(image.u32(at), at + 8);
            at += u64::from(image.u32(at + 4)).next_multiple_of(8);
        }
        assert_eq!(tags.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 6]);
        assert_eq!(image.string(tags[&1]), "kernel console=ttyS0");
        let start = image.u32(tags[&3]);
        assert_eq!((image.u32(tags[&3] + 4) - start, image.string(tags[&3] + 8)), (10, "m 1".into()));
        assert_eq!((image.u32(tags[&6]), image.u64(tags[&6] + 16)), (24, 0x9_fc00));
    }

    #[test]
    fn addresses_and_entry() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("kernel"), &map);
        let file =
            with_tags(&[(2, 0, &[0x20_0000, 0x20_0000, 0, 0x20_1000]), (3, 0, &[0x20_0010]), (0, 0, &[])]);
        let (pieces, entry) = load(&file, &[], &r).unwrap();
        assert_eq!((entry.ip, pieces[0].at, pieces[0].content.size()), (0x20_0010, 0x20_0000, 0x1000));
        damage(&file, |bytes| load(bytes, &[], &r));
    }

    #[test]
    fn bad_files() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("kernel"), &map);
        let e = |tags: &[(u16, u16, &[u32])]| load(&kernel_with(tags), &[], &r).map(|_| ()).unwrap_err();
        assert!(e(&[(99, 0, &[])]).contains("requires tag 99"));
        assert!(e(&[(1, 0, &[15])]).contains("information 15"));
        assert!(load(&kernel_with(&[(99, 1, &[]), (1, 1, &[15]), (0, 0, &[])]), &[], &r).is_ok());
        assert!(load(&with_tags(&[(0, 0, &[])]), &[], &r).unwrap_err().contains("not an ELF file"));
        damage(&kernel_with(&[(6, 0, &[]), (0, 0, &[])]), |bytes| load(bytes, &[], &r));
    }
}
