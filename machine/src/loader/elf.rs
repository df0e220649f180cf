//! ELF programs.

use super::{Content, Piece, Program};
use goblin::elf::{Elf, program_header::PT_LOAD};

/// Places the segments of an ELF file for `machine` (e_machine) by physical address.
pub(super) fn load(bytes: &[u8], machine: u16, base: u64, ram: u64) -> Result<Program, String> {
    let elf = Elf::parse(bytes).map_err(|e| format!("it is a corrupt ELF file: {e}"))?;
    if elf.header.e_machine != machine {
        let name = goblin::elf::header::machine_to_str(elf.header.e_machine);
        return Err(format!("it is an ELF file for {name}; this machine is AArch64"));
    }
    if !elf.is_64 || !elf.little_endian {
        return Err("it is not a 64-bit little-endian ELF file".into());
    }
    let (mut pieces, mut end) = (Vec::new(), 0u64);
    let mut entry = elf.header.e_entry;
    for h in elf.program_headers.iter().filter(|h| h.p_type == PT_LOAD && h.p_memsz != 0) {
        let data = usize::try_from(h.p_offset)
            .ok()
            .zip(usize::try_from(h.p_filesz).ok())
            .and_then(|(at, len)| bytes.get(at..at.checked_add(len)?))
            .ok_or("a segment lies outside of the file: the file is truncated")?;
        let last = h.p_paddr.checked_add(h.p_memsz.max(h.p_filesz)).ok_or("a segment wraps around")?;
        if h.p_paddr < base || last > base + ram {
            return Err(format!(
                "a segment at {:#x} to {last:#x} lies outside of RAM ({base:#x} to {:#x}); use a larger -m or link it \
                 elsewhere",
                h.p_paddr,
                base + ram
            ));
        }
        let mut content = data.to_vec();
        content.resize(usize::try_from(h.p_memsz.max(h.p_filesz)).map_err(|e| e.to_string())?, 0);
        pieces.push(Piece { at: h.p_paddr, content: Content::Bytes(content) });
        end = end.max(last);
        // The entry is a virtual address; the MMU is off.
        if elf.header.e_entry.wrapping_sub(h.p_vaddr) < h.p_memsz {
            entry = elf.header.e_entry - h.p_vaddr + h.p_paddr;
        }
    }
    if pieces.is_empty() {
        return Err("it has no loadable segment".into());
    }
    Ok(Program { pieces, entry, end, linux: false })
}
