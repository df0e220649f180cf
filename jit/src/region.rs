//! Which guest instructions are compiled together: the blocks of one page that direct branches reach from the entry.

use crate::guest::Guest;
use crate::ir::lift::{LONGEST, Lift};
use crate::ir::{Block, Op};
use lyrebird_cpu::code::granules;
use lyrebird_cpu::core::Insn;
use lyrebird_cpu::emit::Cx;
use lyrebird_ram::GuestRam;

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

/// Records the region that starts at RAM offset `entry`, in `mode`. `elsewhere` says of a byte of the page that it has
/// a region of its own already, where this one should rather link to. Gives the granules of the page that it covers,
/// or `None` if the entry is not in RAM.
pub fn build<A: Guest>(
    lift: &mut Lift<A>,
    ram: &GuestRam,
    entry: u64,
    mode: u32,
    limits: Limits,
    elsewhere: impl Fn(u64) -> bool,
) -> Option<u64> {
    lift.begin(mode);
    let page = entry & !0xFFF;
    let cx = Cx { mode, features: lift.features };
    let mut left = limits.instructions;
    let mut waiting = vec![(entry & 0xFFF) as i64];
    let mut marks = 0;
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
            let here = (0x1000 - at as usize).min(LONGEST);
            let read = ram.read_bytes(page + at as u64, &mut bytes[..here]).is_ok();
            // What goes on in the next page is interpreted.
            let Some((recorder, insn)) = read.then(|| A::recorder(&bytes[..here], cx)).flatten() else {
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
        marks |= granules(start as u64, (at - start) as u64);
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
