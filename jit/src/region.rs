//! Which guest instructions are compiled together: the blocks of one page that direct branches reach from the entry.

use crate::guest::Guest;
use crate::ir::lift::Lift;
use crate::ir::{Block, Op};
use lyrebird_cpu::code::granules;
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
    let mut left = limits.instructions;
    let mut waiting = vec![(entry & 0xFFF) as i64];
    let mut marks = 0;
    while let Some(start) = waiting.pop() {
        let first_block = lift.ir.blocks.is_empty();
        let full = lift.ir.blocks.len() >= limits.blocks || left == 0;
        if lift.ir.block_at(start).is_some() || (!first_block && (full || elsewhere(start as u64))) {
            continue;
        }
        let inside = |b: &Block| (b.at as i64) < start && start < b.at as i64 + 4 * b.count as i64;
        if !limits.overlap && lift.ir.blocks.iter().any(inside) {
            continue;
        }
        let first = lift.ir.code.len() as u32;
        let (mut at, mut count) = (start, 0);
        loop {
            let Ok(word) = ram.read::<u32>(page + at as u64) else {
                lift.fall_through(at);
                break;
            };
            let (_, recorder) = A::recorder(word, lift.features);
            count += 1;
            left = left.saturating_sub(1);
            let ended = lift.instruction(at, word, recorder);
            at += 4;
            if ended {
                break;
            }
            if at >= 0x1000 || left == 0 || lift.ir.block_at(at).is_some() {
                lift.fall_through(at);
                break;
            }
        }
        marks |= granules(start as u64, (at - start) as u64);
        let end = lift.ir.code.len() as u32;
        let block = Block { at: start as u32, first, end, count };
        lift.ir.blocks.push(block);
        let [taken, next] = lift.ir.successors(&block);
        // What is pushed last comes next, so that the layout follows the fall-through path.
        waiting.extend(taken);
        waiting.extend(next);
    }
    debug_assert!(lift.ir.code.last().is_none_or(|i| i.op.terminal() || i.op == Op::At));
    (!lift.ir.blocks.is_empty() && lift.ir.blocks[0].end > 0).then_some(marks)
}
