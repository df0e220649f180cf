//! Which guest instructions are compiled together: the blocks of one page that direct branches reach from the entry.
//!
//! An instruction that goes on in the next page is a region of its own, compiled for the two pages that it was found in.
//! Regions go to the last bytes of a page, where one may start, through the table of the context, in which the pages of
//! an address are known.

use crate::guest::Guest;
use crate::ir::lift::Lift;
use crate::ir::{Block, Op};
use lyrebird_cpu::code::granules;
use lyrebird_cpu::core::Insn;
use lyrebird_cpu::emit::Cx;
use lyrebird_cpu::run::{LONGEST, last_whole};
use lyrebird_ram::GuestRam;

/// The pages of RAM that a region's bytes are in.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// RAM offset of the page that it starts in.
    pub first: u64,
    /// That of the page that its only instruction goes on in.
    pub next: Option<u64>,
}

impl Pages {
    /// Their offsets.
    pub fn each(self) -> impl Iterator<Item = u64> {
        [Some(self.first), self.next].into_iter().flatten()
    }

    /// How many of `most` bytes from byte `at` of the first page on there are.
    fn room(self, at: i64, most: usize) -> usize {
        if self.next.is_some() { most } else { most.min((0x1000 - at).max(0) as usize) }
    }

    /// Reads the bytes from byte `at` of the first page on. Whether they are in RAM.
    pub fn read(self, ram: &GuestRam, at: i64, bytes: &mut [u8]) -> bool {
        let (here, there) = bytes.split_at_mut(bytes.len().min(0x1000 - at as usize));
        let rest = there.is_empty() || self.next.is_some_and(|next| ram.read_bytes(next, there).is_ok());
        rest && ram.read_bytes(self.first + at as u64, here).is_ok()
    }
}

/// Whether the instruction at RAM offset `at` goes on in the next page.
pub fn crosses<A: Guest>(ram: &GuestRam, at: u64, cx: Cx) -> bool {
    let here = 0x1000 - (at & 0xFFF) as usize;
    let mut bytes = [0; LONGEST];
    at & 0xFFF > last_whole::<A>()
        && ram.read_bytes(at, &mut bytes[..here]).is_ok()
        && A::recorder(&bytes[..here], cx).is_none()
}

/// How large a region may grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Blocks.
    pub blocks: usize,
    /// Guest instructions.
    pub instructions: u32,
    /// Whether a block may start inside of another, whose end is then compiled twice. Not where instructions are
    /// counted: what is left of a block must follow from the place.
    pub overlap: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { blocks: 24, instructions: 128, overlap: true }
    }
}

/// The granules of the page that the instruction at RAM offset `ram` may lie in.
pub fn first<A: Guest>(ram: u64) -> u64 {
    granules(ram, if A::ALIGN > 1 { A::ALIGN } else { LONGEST as u64 })
}

impl Limits {
    /// Smaller ones, for code that is too complex with these; none if nothing is left to make smaller.
    pub fn less(self) -> Option<Limits> {
        match self {
            Limits { blocks: 2.., .. } => Some(Limits { blocks: 1, ..self }),
            Limits { instructions: 2.., .. } => {
                Some(Limits { instructions: (self.instructions / 4).max(1), ..self })
            }
            _ => None,
        }
    }
}

/// Records the region that starts at byte `entry` of the first of `pages`, in `mode`. `elsewhere` says of a byte of the
/// page that it has a region of its own already, where this one should rather link to. Gives the granules of the pages
/// that it covers, or `None` if the entry is not in RAM.
pub fn build<A: Guest>(
    lift: &mut Lift<A>,
    ram: &GuestRam,
    (pages, entry): (Pages, u64),
    mode: u32,
    limits: Limits,
    elsewhere: impl Fn(u64) -> bool,
) -> Option<[u64; 2]> {
    lift.begin(mode);
    let limits = if pages.next.is_some() { Limits { blocks: 1, instructions: 1, ..limits } } else { limits };
    let cx = Cx { mode, features: lift.features };
    let mut left = limits.instructions;
    let mut waiting = vec![entry as i64];
    let mut marks = [0; 2];
    while let Some(start) = waiting.pop() {
        let first_block = lift.ir.blocks.is_empty();
        let full = lift.ir.blocks.len() >= limits.blocks || left == 0;
        if lift.ir.block_at(start).is_some() || (!first_block && (full || elsewhere(start as u64))) {
            continue;
        }
        let inside = |blocks: &[Block], at: i64| {
            let inside = |b: &Block| (b.at as i64) < at && at < (b.at + b.len) as i64;
            !limits.overlap && blocks.iter().any(inside)
        };
        if inside(&lift.ir.blocks, start) {
            continue;
        }
        let first = lift.ir.code.len() as u32;
        let (mut at, mut count) = (start, 0);
        loop {
            let mut bytes = [0; LONGEST];
            let bytes = &mut bytes[..pages.room(at, LONGEST)];
            // What goes on in the next page is a region of its own.
            let Some((recorder, insn)) = pages.read(ram, at, bytes).then(|| A::recorder(bytes, cx)).flatten()
            else {
                if count > 0 {
                    lift.fall_through(at);
                }
                break;
            };
            let len = insn.len() as usize;
            count += 1;
            left = left.saturating_sub(1);
            let ended = lift.instruction(at, &bytes[..len], insn, recorder);
            at += len as i64;
            if ended {
                break;
            }
            let known = lift.ir.block_at(at).is_some() || inside(&lift.ir.blocks, at);
            if at >= 0x1000 || left == 0 || known {
                lift.fall_through(at);
                break;
            }
        }
        if count == 0 {
            // Nothing to compile here: whoever comes here leaves the region.
            if first_block {
                return None;
            }
            continue;
        }
        marks[0] |= granules(start as u64, (at - start) as u64);
        if at > 0x1000 {
            marks[1] = granules(0, at as u64 - 0x1000);
        }
        let end = lift.ir.code.len() as u32;
        let block = Block { at: start as u32, len: (at - start) as u32, first, end, count };
        lift.ir.blocks.push(block);
        let [taken, next] = lift.ir.successors(&block);
        // What is pushed last comes next, so that the layout follows the fall-through path.
        waiting.extend(taken);
        waiting.extend(next);
    }
    debug_assert!(lift.ir.code.last().is_none_or(|i| i.op.terminal() || i.op == Op::At));
    (!lift.ir.blocks.is_empty() && lift.ir.blocks[0].end > 0).then_some(marks)
}
