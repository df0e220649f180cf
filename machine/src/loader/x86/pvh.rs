//! PVH: ELF kernels that name a 32-bit entry in a note, as Xen's guests do (Xen's docs/misc/pvh.pandoc and the layout of
//! `hvm_start_info` in its public headers).

use super::super::{Content, Piece};
use super::entry::{X86Entry, reg};
use super::layout::{Placer, RangeKind};
use super::{Request, c_string, elf, put};

/// Kind of the note, and what the start information begins with.
const PHYS32_ENTRY: u32 = 18;
const MAGIC: u32 = 0x336e_c578;

/// The address in the note, if the file has one.
pub fn entry(bytes: &[u8]) -> Option<u64> {
    let elf = elf::parse(bytes).ok()?;
    let notes = elf.iter_note_headers(bytes).into_iter().chain(elf.iter_note_sections(bytes, None));
    notes
        .flatten()
        .filter_map(Result::ok)
        .find(|note| note.n_type == PHYS32_ENTRY && note.name.trim_end_matches('\0') == "Xen")
        .and_then(|note| match note.desc.len() {
            4 => Some(u32::from_le_bytes(note.desc.try_into().ok()?).into()),
            8 => Some(u64::from_le_bytes(note.desc.try_into().ok()?)),
            _ => None,
        })
}

/// Loads a kernel with its RAM disk as its first module.
///
/// # Errors
/// When it is corrupt, or it or its RAM disk do not fit.
pub(super) fn load(
    bytes: &[u8],
    initrd: Option<&Content>,
    request: &Request,
) -> Result<(Vec<Piece>, X86Entry), String> {
    let start = entry(bytes).ok_or("its note of the PVH entry is corrupt")?;
    let mut pieces = elf::segments(bytes, request)?.pieces;
    if !pieces.iter().any(|p| start.wrapping_sub(p.at) < p.content.size()) {
        return Err(format!("its PVH entry {start:#x} is in none of its segments"));
    }
    let mut placer = Placer::new(request.map);
    placer.take_pieces(&pieces)?;
    let mut modules = Vec::new();
    if let Some(initrd) = initrd {
        let at = placer.high(initrd.size(), u32::MAX.into())?;
        pieces.push(Piece { at, content: initrd.clone() });
        modules = [at, initrd.size(), 0, 0].iter().flat_map(|v| v.to_le_bytes()).collect();
    }
    let count = u32::from(!modules.is_empty());
    let modules = put(&mut pieces, &mut placer, modules, 8, 0)?;
    let cmdline = put(&mut pieces, &mut placer, c_string(request.append), 8, 0x2_0000)?;
    let map: Vec<u8> = request
        .map
        .0
        .iter()
        .flat_map(|r| [r.base, r.len, u64::from(kind(r.kind))])
        .flat_map(u64::to_le_bytes)
        .collect();
    let map = put(&mut pieces, &mut placer, map, 8, 0)?;
    let mut info = Vec::new();
    // Magic number, version 1 (which has the memory map), flags, number of modules.
    for word in [MAGIC, 1, 0, count] {
        info.extend(word.to_le_bytes());
    }
    for address in [modules, cmdline, request.rsdp.unwrap_or(0), map] {
        info.extend(address.to_le_bytes());
    }
    for word in [request.map.0.len() as u32, 0] {
        info.extend(word.to_le_bytes());
    }
    let info = put(&mut pieces, &mut placer, info, 8, 0)?;
    let mut state = X86Entry::protected(start, &mut pieces, &mut placer)?;
    state.regs[reg::BX] = info;
    Ok((pieces, state))
}

/// Kinds are numbered as in E820.
fn kind(kind: RangeKind) -> u32 {
    kind as u32
}

#[cfg(test)]
mod tests {
    use super::super::entry::EntryMode;
    use super::super::testing::{Image, damage, elf, request};
    use super::super::{Kind, MemoryMap, detect};
    use super::*;
    use std::path::Path;

    #[test]
    fn start_information() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("vmlinux"), &map);
        for (wide, desc) in [(true, &0x20_0004u64.to_le_bytes()[..]), (false, &0x20_0004u32.to_le_bytes())] {
            let file = elf(wide, 0x20_0000, b"kernel code", Some((PHYS32_ENTRY, desc)));
            assert_eq!(detect(&file), Some(Kind::Pvh));
            let (pieces, entry) = load(&file, Some(&Content::Bytes(vec![9; 100])), &r).unwrap();
            assert_eq!((entry.mode, entry.ip), (EntryMode::Protected32, 0x20_0004));
            let (image, info) = (Image(&pieces), entry.regs[reg::BX]);
            assert_eq!((image.u32(info), image.u32(info + 4), image.u32(info + 12)), (MAGIC, 1, 1));
            let modules = image.u64(info + 16);
            assert_eq!((image.u64(modules), image.u64(modules + 8)), (0x3ff_f000, 100));
            assert_eq!(image.string(image.u64(info + 24)), "console=ttyS0");
            assert_eq!(image.u64(info + 32), 0xe_0000);
            let memory = image.u64(info + 40);
            assert_eq!((image.u64(memory + 8), image.u32(memory + 16)), (0x9_fc00, 1));
            assert_eq!(image.u32(info + 48), 4);
        }
    }

    #[test]
    fn bad_files() {
        let map = MemoryMap::pc(64 << 20);
        let r = request(Path::new("vmlinux"), &map);
        let note = 0x20_0004u32.to_le_bytes();
        let file = elf(false, 0x20_0000, b"kernel code", Some((PHYS32_ENTRY, &note)));
        damage(&file, |bytes| load(bytes, None, &r));
        let outside = elf(false, 0x20_0000, b"kernel code", Some((PHYS32_ENTRY, &[0; 4])));
        assert!(load(&outside, None, &r).unwrap_err().contains("in none of its segments"));
        assert_eq!(detect(&elf(false, 0x20_0000, b"code", Some((5, &note)))), Some(Kind::Elf));
    }
}
