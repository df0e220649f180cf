//! Which instruction makes a difference: the run is halved until the first instruction after which the two differ is
//! found, with blocks of one instruction if the difference shows with those, else with the fewest that have to be
//! compiled together.

use super::lockstep::{Place, advance, probe, take_back};
use super::{Chain, ONE, Verified, Verify, translator};
use lyrebird_cpu::core::Core;
use lyrebird_cpu::slot::RegFile;
use lyrebird_jit::cache::Options;
use lyrebird_jit::region::Limits;

/// Instructions that are tried together.
const TOGETHER: u64 = 128;

/// What was found.
pub(super) struct Culprit {
    /// How many instructions of the run come before the first that is needed.
    pub(super) skipped: u64,
    /// How many are needed; after the last one the difference is there.
    pub(super) needed: u64,
    /// What has to be compiled at once.
    pub(super) limits: Limits,
    /// Whether it shows again.
    pub(super) repeats: bool,
    /// The differences.
    pub(super) found: Vec<String>,
}

/// Finds it in the run of `count` instructions from `before` on the recorded tape, which ended with the differences
/// `first`.
pub(super) fn find<T: Verified>(
    verify: &mut Verify<T>,
    core: &mut Core<T>,
    before: &RegFile,
    count: u64,
    first: Vec<String>,
) -> Culprit {
    let features = core.features;
    let options = Options { size: 4 << 20, ..verify.options.clone() };
    let start = Place { file: before.clone(), stores: 0, asked: 0 };
    let single = !probe(core, &mut verify.single, &start, count).is_empty();
    let mut chain = Chain(&mut verify.compiled, &mut verify.single);
    if !single && probe(core, &mut chain, &start, count).is_empty() {
        let limits = verify.options.limits;
        return Culprit { skipped: 0, needed: count, limits, repeats: false, found: first };
    }
    let (mut same, mut differ) = (0, count);
    while differ - same > 1 {
        let middle = (same + differ) / 2;
        let found = if single {
            probe(core, &mut verify.single, &start, middle)
        } else {
            probe(core, &mut Chain(&mut verify.compiled, &mut verify.single), &start, middle)
        };
        if found.is_empty() { same = middle } else { differ = middle }
    }
    // What differs when a run of `count` from a place is compiled afresh.
    let afresh = |core: &mut Core<T>, limits: Limits, place: &Place, count: u64| {
        translator(&options, limits, features)
            .map(|mut engine| probe(core, &mut engine, place, count))
            .unwrap_or_default()
    };
    if single {
        let place = advance(core, before, differ - 1);
        let found = afresh(core, ONE, &place, 1);
        if !found.is_empty() {
            return Culprit { skipped: differ - 1, needed: 1, limits: ONE, repeats: true, found };
        }
    }
    // The fewest instructions up to there that differ when they are compiled together; a block's end may lie behind the
    // instruction that matters, so blocks are then cut short.
    for together in 1..=TOGETHER.min(differ) {
        let skipped = differ - together;
        let place = advance(core, before, skipped);
        let whole = verify.options.limits;
        let mut found = afresh(core, whole, &place, together);
        if found.is_empty() {
            continue;
        }
        let (mut needed, mut limits) = (together, whole);
        for fewer in 1..together {
            let short = Limits { blocks: 1, instructions: fewer as u32, ..whole };
            let differences = afresh(core, short, &place, fewer);
            if !differences.is_empty() {
                (needed, limits, found) = (fewer, short, differences);
                break;
            }
        }
        return Culprit { skipped, needed, limits, repeats: true, found };
    }
    // It takes what was compiled before the run: links, or a region's other blocks.
    take_back(core, 0);
    let found = if single {
        probe(core, &mut verify.single, &start, differ)
    } else {
        probe(core, &mut Chain(&mut verify.compiled, &mut verify.single), &start, differ)
    };
    let limits = if single { ONE } else { verify.options.limits };
    let repeats = !found.is_empty();
    Culprit { skipped: 0, needed: differ, limits, repeats, found: if repeats { found } else { first } }
}
