//! Flat binaries: bytes at an address, started there.

use super::super::{Content, Piece};
use super::entry::{EntryMode, X86Entry, reg};
use super::layout::Placer;
use super::{MemoryMap, put};

/// Where a BIOS puts a boot sector.
pub const BOOT_SECTOR: u64 = 0x7c00;

/// Places `content` at `at` and starts it in `mode`. In real mode CS is zero if the address allows, as after a BIOS, and
/// DL names the first hard disk; in the other modes there is a stack.
///
/// # Errors
/// When it does not fit, or real mode cannot reach it.
pub fn load(
    content: Content,
    at: u64,
    mode: EntryMode,
    map: &MemoryMap,
) -> Result<(Vec<Piece>, X86Entry), String> {
    /// Bytes of the stack, and the first hard disk's number.
    const STACK: u64 = 0x4000;
    const HARD_DISK: u64 = 0x80;
    let mut pieces = vec![Piece { at, content }];
    let mut placer = Placer::new(map);
    placer.take_pieces(&pieces)?;
    let mut entry = match mode {
        EntryMode::Real16 => {
            let (cs, ip) = match at {
                0..=0xffff => (0, at as u16),
                0x1_0000..0x10_0000 => ((at >> 4) as u16, (at & 0xf) as u16),
                _ => return Err(format!("real mode does not reach {at:#x}")),
            };
            let mut entry = X86Entry::real(cs, ip, 0, BOOT_SECTOR as u16);
            entry.regs[reg::DX] = HARD_DISK;
            return Ok((pieces, entry));
        }
        EntryMode::Protected32 => X86Entry::protected(at, &mut pieces, &mut placer)?,
        EntryMode::Long64 => X86Entry::long(at, &mut pieces, &mut placer)?,
    };
    let stack = put(&mut pieces, &mut placer, vec![0; STACK as usize], 16, 0)?;
    entry.regs[reg::SP] = stack + STACK;
    Ok((pieces, entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        let map = MemoryMap::pc(16 << 20);
        let content = || Content::Bytes(vec![0xf4; 512]);
        let (_, entry) = load(content(), BOOT_SECTOR, EntryMode::Real16, &map).unwrap();
        assert_eq!((entry.segments[1].selector, entry.ip, entry.regs[reg::DX]), (0, 0x7c00, 0x80));
        let (_, entry) = load(content(), 0x2_0008, EntryMode::Real16, &map).unwrap();
        assert_eq!((entry.segments[1].selector, entry.ip), (0x2000, 8));
        assert!(load(content(), 0x10_0000, EntryMode::Real16, &map).is_err());
        for mode in [EntryMode::Protected32, EntryMode::Long64] {
            let (_, entry) = load(content(), 0x10_0000, mode, &map).unwrap();
            assert_eq!((entry.mode, entry.ip), (mode, 0x10_0000));
        }
        assert!(load(content(), 0x200_0000, EntryMode::Long64, &map).is_err());
    }
}
