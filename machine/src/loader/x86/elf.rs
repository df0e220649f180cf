//! ELF programs for x86: segments by physical address, and those that are neither Multiboot nor PVH.

use super::super::{Content, Piece};
use super::Request;
use super::entry::{X86Entry, reg};
use super::layout::{FOUR_GIB, Placer};
use goblin::elf::Elf;
use goblin::elf::header::{EM_386, EM_X86_64};
use goblin::elf::program_header::PT_LOAD;

/// The segments of a file and where it starts.
pub(super) struct Segments {
    pub(super) pieces: Vec<Piece>,
    /// The entry as a physical address: that of the segment which holds it.
    pub(super) entry: u64,
    /// Whether it is a program of 64 bits.
    pub(super) wide: bool,
}

/// Parses an ELF file for x86.
///
/// # Errors
/// When it is corrupt or for another architecture.
pub(super) fn parse(bytes: &[u8]) -> Result<Elf<'_>, String> {
    let elf = Elf::parse(bytes).map_err(|e| format!("it is a corrupt ELF file: {e}"))?;
    if ![EM_386, EM_X86_64].contains(&elf.header.e_machine) {
        let name = goblin::elf::header::machine_to_str(elf.header.e_machine);
        return Err(format!("it is an ELF file for {name}; this machine is x86"));
    }
    if !elf.little_endian {
        return Err("it is a big-endian ELF file".into());
    }
    Ok(elf)
}

/// The segments of a file, each checked to be in RAM before it gets memory of the host.
///
/// # Errors
/// When the file is corrupt, for another architecture, or does not fit.
pub(super) fn segments(bytes: &[u8], request: &Request) -> Result<Segments, String> {
    let elf = parse(bytes)?;
    let mut entry = elf.header.e_entry;
    let (mut pieces, mut placer) = (Vec::new(), Placer::new(request.map));
    for h in elf.program_headers.iter().filter(|h| h.p_type == PT_LOAD && h.p_memsz != 0) {
        let data = usize::try_from(h.p_offset)
            .ok()
            .zip(usize::try_from(h.p_filesz).ok())
            .and_then(|(at, len)| bytes.get(at..at.checked_add(len)?))
            .ok_or("a segment lies outside of the file: the file is truncated")?;
        let len = h.p_memsz.max(h.p_filesz);
        placer.take(h.p_paddr, len)?;
        if h.p_paddr.saturating_add(len) > FOUR_GIB {
            return Err(format!("its segment at {:#x} lies above 4 GiB", h.p_paddr));
        }
        let mut content = data.to_vec();
        content.resize(usize::try_from(len).map_err(|e| e.to_string())?, 0);
        pieces.push(Piece { at: h.p_paddr, content: Content::Bytes(content) });
        // The entry may be a virtual address; paging is off or maps addresses to themselves.
        let physical = pieces.iter().any(|p| elf.header.e_entry.wrapping_sub(p.at) < p.content.size());
        if !physical && elf.header.e_entry.wrapping_sub(h.p_vaddr) < h.p_memsz {
            entry = elf.header.e_entry - h.p_vaddr + h.p_paddr;
        }
    }
    if pieces.is_empty() {
        return Err("it has no loadable segment".into());
    }
    if !pieces.iter().any(|p| entry.wrapping_sub(p.at) < p.content.size()) {
        return Err(format!("its entry {entry:#x} is in none of its segments"));
    }
    Ok(Segments { pieces, entry, wide: elf.is_64 && elf.header.e_machine == EM_X86_64 })
}

/// Starts a program at its entry, with a stack: in 64-bit mode if it is one of 64 bits, otherwise in protected mode.
pub(super) fn start(bytes: &[u8], request: &Request) -> Result<(Vec<Piece>, X86Entry), String> {
    /// Bytes of the stack.
    const STACK: u64 = 0x4000;
    let Segments { mut pieces, entry, wide } = segments(bytes, request)?;
    if wide && !request.long_mode {
        return Err("it is a 64-bit program and this processor has no long mode; use another -cpu".into());
    }
    let mut placer = Placer::new(request.map);
    placer.take_pieces(&pieces)?;
    let mut state = if wide {
        X86Entry::long(entry, &mut pieces, &mut placer)?
    } else {
        X86Entry::protected(entry, &mut pieces, &mut placer)?
    };
    state.regs[reg::SP] = placer.low(STACK, 16, 0)? + STACK;
    Ok((pieces, state))
}

#[cfg(test)]
mod tests {
    use super::super::entry::EntryMode;
    use super::super::testing::{Image, damage, elf, request};
    use super::super::{Kind, MemoryMap, detect};
    use super::*;
    use std::path::Path;

    #[test]
    fn starts_in_the_mode_of_its_class() {
        let map = MemoryMap::pc(16 << 20);
        let r = request(Path::new("a.elf"), &map);
        for (wide, mode) in [(true, EntryMode::Long64), (false, EntryMode::Protected32)] {
            let file = elf(wide, 0x20_0000, b"code", None);
            assert_eq!(detect(&file), Some(Kind::Elf));
            let (pieces, entry) = start(&file, &r).unwrap();
            assert_eq!((entry.mode, entry.ip), (mode, 0x20_0000));
            assert_eq!(Image(&pieces).bytes(0x20_0000), *b"code\0\0");
            assert!(entry.regs[reg::SP] >= 0x4000);
        }
        let old = Request { long_mode: false, ..r };
        assert!(start(&elf(true, 0x20_0000, b"code", None), &old).unwrap_err().contains("no long mode"));
    }

    #[test]
    fn bad_files() {
        let map = MemoryMap::pc(16 << 20);
        let r = request(Path::new("a.elf"), &map);
        assert!(start(&elf(true, 0x200_0000, b"code", None), &r).unwrap_err().contains("use a larger -m"));
        let mut arm = elf(true, 0x20_0000, b"code", None);
        arm[18] = 183;
        assert!(start(&arm, &r).unwrap_err().contains("AARCH64"), "{:?}", start(&arm, &r).err());
        for wide in [true, false] {
            damage(&elf(wide, 0x20_0000, &[0x90; 100], None), |bytes| start(bytes, &r));
        }
    }
}
