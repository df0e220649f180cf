//! Performance monitors (FEAT_PMUv3; DDI 0487 D13): a cycle counter and six event counters, with overflow and its
//! interrupt.
//!
//! Everything is counted by virtual time: a cycle is a nanosecond, and an instruction takes a cycle. So nothing is counted
//! while the guest runs, engines know nothing of it, and an overflow is a deadline of the board's clock. Events are the
//! software increment, retired instructions, cycles and the chain. Left out: the export of events, and the clock
//! divider, which PMCR_EL0.LC, set for ever, overrides.

use super::regs::{C, Done, clear_bits, helpers, set_bits};
use super::{Arm64, FREQUENCY, Timer, features as feat, mode, state, sysreg as sr};
use crate::emit::{Effects, Helper};
use crate::slot::Slot;
use crate::width::W64;
use std::sync::Arc;

/// Counter and its type, the cycle counter last.
const COUNTERS: [(Slot<W64>, Slot<W64>); 7] = [
    (sr::PMEVCNTR0_EL0, sr::PMEVTYPER0_EL0),
    (sr::PMEVCNTR1_EL0, sr::PMEVTYPER1_EL0),
    (sr::PMEVCNTR2_EL0, sr::PMEVTYPER2_EL0),
    (sr::PMEVCNTR3_EL0, sr::PMEVTYPER3_EL0),
    (sr::PMEVCNTR4_EL0, sr::PMEVTYPER4_EL0),
    (sr::PMEVCNTR5_EL0, sr::PMEVTYPER5_EL0),
    (sr::PMCCNTR_EL0, sr::PMCCFILTR_EL0),
];
/// Index of the cycle counter.
const CYCLES: usize = 6;
/// Every counter's bit in the masks.
const ALL: u64 = 1 << 31 | 0x3F;

/// Events (DDI 0487 D13.11).
mod event {
    pub(super) const SW_INCR: u64 = 0x00;
    pub(super) const INST_RETIRED: u64 = 0x08;
    pub(super) const CPU_CYCLES: u64 = 0x11;
    pub(super) const CHAIN: u64 = 0x1E;
}

/// PMCR_EL0 bits.
mod pmcr {
    pub(super) const E: u64 = 1;
    pub(super) const P: u64 = 1 << 1;
    pub(super) const C: u64 = 1 << 2;
    pub(super) const X: u64 = 1 << 4;
    pub(super) const DP: u64 = 1 << 5;
    pub(super) const LC: u64 = 1 << 6;
    pub(super) const LP: u64 = 1 << 7;
    pub(super) const N_LOW: u64 = 11;
}

/// In [`state::PMU_WANTS`]: a running counter counts at some levels only.
pub const BY_LEVEL: u32 = 1;
/// In [`state::PMU_WANTS`]: the board was given a deadline, or the line is up.
const ARMED: u32 = 2;

/// What the registers hold after reset that is not zero.
pub fn reset(core: &mut C) {
    core.set(sr::PMCR_EL0, 0x4100_0000 | (CYCLES as u64) << pmcr::N_LOW | pmcr::LC);
    let events = [event::SW_INCR, event::INST_RETIRED, event::CPU_CYCLES, event::CHAIN];
    core.set(sr::PMCEID0_EL0, events.into_iter().fold(0, |bits, e| bits | 1 << e));
}

fn bit(n: usize) -> u64 {
    1 << if n == CYCLES { 31 } else { n }
}

/// Whether a counter counts its event now, at the current level.
fn on(core: &C, n: usize) -> bool {
    let kind = core.reg(COUNTERS[n].1);
    // P and U keep EL1 and EL0 out.
    let filter = if mode::el(core.mode) == 0 { 30 } else { 31 };
    core.reg(sr::PMCR_EL0) & pmcr::E != 0
        && core.reg(sr::PMCNTENSET_EL0) & bit(n) != 0
        && kind >> filter & 1 == 0
}

fn event(core: &C, n: usize) -> u64 {
    let mask = if core.features & feat::PMUV3P1 != 0 { 0xFFFF } else { 0x3FF };
    if n == CYCLES { event::CPU_CYCLES } else { core.reg(COUNTERS[n].1) & mask }
}

/// Whether time moves a counter.
fn timed(core: &C, n: usize) -> bool {
    on(core, n) && matches!(event(core, n), event::INST_RETIRED | event::CPU_CYCLES)
}

/// Whether a counter has 64 bits: the cycle counter has, event counters with PMCR_EL0.LP.
fn wide(core: &C, n: usize) -> bool {
    n == CYCLES || core.reg(sr::PMCR_EL0) & pmcr::LP != 0
}

/// Adds events to a counter.
fn add(core: &mut C, n: usize, events: u64) {
    let slot = COUNTERS[n].0;
    let old = core.reg(slot);
    let sum = old as u128 + events as u128;
    let bits = if wide(core, n) { 64 } else { 32 };
    core.set(slot, (sum & ((1 << bits) - 1)) as u64);
    let over = (sum >> bits) as u64;
    if over == 0 {
        return;
    }
    let _ = set_bits(core, sr::PMOVSCLR_EL0, bit(n));
    // The odd counter of a pair may count the overflows of the even one.
    if n & 1 == 0 && n + 1 < CYCLES && bits == 32 && on(core, n + 1) && event(core, n + 1) == event::CHAIN {
        add(core, n + 1, over);
    }
}

/// Counts what has happened since the last time.
pub fn count(core: &mut C) {
    let now = core.arch.platform.nanoseconds();
    let passed = now.saturating_sub(core.reg(state::PMU_THEN));
    core.set(state::PMU_THEN, now);
    if passed == 0 || core.reg(sr::PMCR_EL0) & pmcr::E == 0 {
        return;
    }
    for n in 0..COUNTERS.len() {
        if timed(core, n) {
            add(core, n, passed);
        }
    }
}

/// Nanoseconds until a counter overflows, if time leads there.
fn until_overflow(core: &C, n: usize) -> Option<u128> {
    let room = |n: usize| (1u128 << if wide(core, n) { 64 } else { 32 }) - core.reg(COUNTERS[n].0) as u128;
    if timed(core, n) {
        return Some(room(n));
    }
    let chained = n & 1 != 0 && on(core, n) && event(core, n) == event::CHAIN && !wide(core, n);
    (chained && timed(core, n - 1)).then(|| ((room(n) - 1) << 32) + room(n - 1))
}

/// Raises or lowers the interrupt line, or gives the board the time of the next overflow that will raise it.
pub fn plan(core: &mut C) {
    let enabled = core.reg(sr::PMINTENSET_EL1);
    let (control, compare) = if enabled == 0 || core.reg(sr::PMCR_EL0) & pmcr::E == 0 {
        (0, 0)
    } else if core.reg(sr::PMOVSCLR_EL0) & enabled != 0 {
        (1, 0)
    } else {
        let counters = (0..COUNTERS.len()).filter(|&n| enabled & bit(n) != 0);
        match counters.filter_map(|n| until_overflow(core, n)).min() {
            Some(ns) => {
                let tick = u128::from(1_000_000_000 / FREQUENCY);
                let at = (core.reg(state::PMU_THEN) as u128 + ns).div_ceil(tick);
                (1, u64::try_from(at).unwrap_or(u64::MAX))
            }
            None => (0, 0),
        }
    };
    let wants = core.reg(state::PMU_WANTS);
    if control != 0 || wants & ARMED != 0 {
        core.set(state::PMU_WANTS, wants & !ARMED | if control != 0 { ARMED } else { 0 });
        let platform = Arc::clone(&core.arch.platform);
        platform.timer(core.index, Timer::Monitors, control, compare);
    }
}

/// Changes a register: what was counted under the old state stays, and the new state decides what comes.
fn change(core: &mut C, change: impl FnOnce(&mut C)) -> Done {
    count(core);
    change(core);
    let by_level = (0..COUNTERS.len()).any(|n| {
        let enabled = core.reg(sr::PMCR_EL0) & pmcr::E != 0 && core.reg(sr::PMCNTENSET_EL0) & bit(n) != 0;
        enabled && core.reg(COUNTERS[n].1) >> 30 & 3 != 0
    });
    let wants = core.reg(state::PMU_WANTS) & !BY_LEVEL;
    core.set(state::PMU_WANTS, wants | if by_level { BY_LEVEL } else { 0 });
    plan(core);
    Ok(0)
}

/// The counter that an encoding names: by itself, or through PMSELR_EL0. PMCCNTR_EL0, PMXEVTYPER_EL0, PMXEVCNTR_EL0 are
/// 9, 13, 0 to 2; the others have their number in op2 and the low bits of CRm.
fn named(core: &C, code: u32) -> Option<usize> {
    let (crn, crm, op2) = (code >> 7 & 15, code >> 3 & 15, code & 7);
    let n = match (crn, op2) {
        (9, 0) => 31,
        (9, _) => core.reg(sr::PMSELR_EL0) as u32 & 31,
        _ => (crm & 3) << 3 | op2,
    };
    match n {
        // The cycle counter is not an event counter that can be selected, but its filter is.
        31 if (crn, op2) != (9, 2) => Some(CYCLES),
        n => Some(n as usize).filter(|&n| n < CYCLES),
    }
}

helpers! {
    WRITE_PMCR ENDS |core, v| change(core, |core| {
        let long = if core.features & feat::PMUV3P5 != 0 { pmcr::LP } else { 0 };
        let kept = pmcr::E | pmcr::X | pmcr::DP | long;
        let old = core.reg(sr::PMCR_EL0);
        core.set(sr::PMCR_EL0, old & !kept | v & kept);
        if v & pmcr::P != 0 {
            COUNTERS[..CYCLES].iter().for_each(|c| core.set(c.0, 0));
        }
        if v & pmcr::C != 0 {
            core.set(sr::PMCCNTR_EL0, 0);
        }
    });
    READ_PMCNTEN READ |core, v| Ok(core.reg(sr::PMCNTENSET_EL0));
    WRITE_PMCNTENSET ENDS |core, v| change(core, |core| { let _ = set_bits(core, sr::PMCNTENSET_EL0, v & ALL); });
    WRITE_PMCNTENCLR ENDS |core, v| change(core, |core| { let _ = clear_bits(core, sr::PMCNTENSET_EL0, v); });
    READ_PMINTEN READ |core, v| Ok(core.reg(sr::PMINTENSET_EL1));
    WRITE_PMINTENSET ENDS |core, v| change(core, |core| { let _ = set_bits(core, sr::PMINTENSET_EL1, v & ALL); });
    WRITE_PMINTENCLR ENDS |core, v| change(core, |core| { let _ = clear_bits(core, sr::PMINTENSET_EL1, v); });
    READ_PMOVS STATE |core, v| {
        count(core);
        Ok(core.reg(sr::PMOVSCLR_EL0))
    };
    WRITE_PMOVSCLR ENDS |core, v| change(core, |core| { let _ = clear_bits(core, sr::PMOVSCLR_EL0, v); });
    WRITE_PMOVSSET ENDS |core, v| change(core, |core| { let _ = set_bits(core, sr::PMOVSCLR_EL0, v & ALL); });
    WRITE_PMSWINC ENDS |core, v| change(core, |core| {
        for n in (0..CYCLES).filter(|&n| v & bit(n) != 0) {
            if on(core, n) && event(core, n) == event::SW_INCR {
                add(core, n, 1);
            }
        }
    });
    READ_COUNT STATE |core, v, code| {
        count(core);
        Ok(named(core, code).map_or(0, |n| core.reg(COUNTERS[n].0)))
    };
    WRITE_COUNT ENDS |core, v, code| change(core, |core| {
        if let Some(n) = named(core, code) {
            // Without 64-bit event counters their upper halves do not exist.
            let long = n == CYCLES || core.features & feat::PMUV3P5 != 0;
            core.set(COUNTERS[n].0, if long { v } else { v & 0xFFFF_FFFF });
        }
    });
    READ_TYPE READ |core, v, code| Ok(named(core, code).map_or(0, |n| core.reg(COUNTERS[n].1)));
    WRITE_TYPE ENDS |core, v, code| change(core, |core| {
        if let Some(n) = named(core, code) {
            let events = if n == CYCLES { 0 } else if core.features & feat::PMUV3P1 != 0 { 0xFFFF } else { 0x3FF };
            core.set(COUNTERS[n].1, v & (0xC000_0000 | events));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arm::{Platform, context, exclusive, model};
    use crate::code::CodeMap;
    use crate::core::{Core, Physical};
    use lyrebird_ram::GuestRam;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A board with a clock that tests set, and the last deadline it was given.
    #[derive(Default)]
    struct Board {
        now: AtomicU64,
        control: AtomicU64,
        compare: AtomicU64,
    }

    impl Physical for Board {
        fn ram(&self, _: u64) -> Option<(u64, bool)> {
            None
        }
    }

    impl Platform for Board {
        fn counter(&self) -> u64 {
            self.nanoseconds() / 16
        }
        fn nanoseconds(&self) -> u64 {
            self.now.load(Ordering::Relaxed)
        }
        fn timer(&self, _: usize, which: Timer, control: u32, compare: u64) {
            assert_eq!(which, Timer::Monitors);
            self.control.store(control.into(), Ordering::Relaxed);
            self.compare.store(compare, Ordering::Relaxed);
        }
    }

    struct Test {
        board: Arc<Board>,
        core: Core<Arm64>,
    }

    impl Test {
        fn new(name: &str) -> Self {
            let (board, model) = (Arc::new(Board::default()), model::find(name).unwrap());
            let arch = Arm64::new(board.clone(), Arc::new(exclusive::Versions::default()), false);
            let ram = GuestRam::new(0x1000).unwrap();
            let code = Arc::new(CodeMap::new(0x1000));
            let mut core = Core::new(arch, model.features, 0, ram, board.clone(), code);
            model::reset(&mut core, model, false);
            Self { board, core }
        }

        fn row(name: &str) -> &'static sr::SysReg {
            sr::ROWS.iter().find(|r| r.name == name).unwrap()
        }

        fn write(&mut self, name: &str, v: u64) {
            let r = Self::row(name);
            match r.write {
                sr::Action::Sync(h) => (h.run)(&mut self.core, v, r.code.into(), 0).map(|_| ()).unwrap(),
                _ => self.core.set(r.slot, v),
            }
        }

        fn read(&mut self, name: &str) -> u64 {
            let r = Self::row(name);
            match r.read {
                sr::Action::Call(h) => (h.run)(&mut self.core, 0, r.code.into(), 0).unwrap(),
                _ => self.core.reg(r.slot),
            }
        }

        fn pass(&self, ns: u64) {
            self.board.now.fetch_add(ns, Ordering::Relaxed);
        }

        fn deadline(&self) -> Option<u64> {
            (self.board.control.load(Ordering::Relaxed) == 1)
                .then(|| self.board.compare.load(Ordering::Relaxed))
        }
    }

    #[test]
    fn cycles_pass_while_enabled() {
        let mut t = Test::new("max");
        t.pass(1000);
        assert_eq!(t.read("PMCCNTR_EL0"), 0);
        t.write("PMCNTENSET_EL0", 1 << 31 | 1);
        t.write("PMEVTYPER0_EL0", event::INST_RETIRED);
        t.write("PMCR_EL0", 1);
        t.pass(500);
        assert_eq!((t.read("PMCCNTR_EL0"), t.read("PMEVCNTR0_EL0")), (500, 500));
        t.write("PMCNTENCLR_EL0", 1);
        t.pass(500);
        assert_eq!((t.read("PMCCNTR_EL0"), t.read("PMEVCNTR0_EL0")), (1000, 500));
        t.write("PMSELR_EL0", 0);
        assert_eq!((t.read("PMXEVCNTR_EL0"), t.read("PMXEVTYPER_EL0")), (500, event::INST_RETIRED));
        // C and P reset; N says how many there are.
        t.write("PMCR_EL0", 1 | pmcr::P | pmcr::C);
        assert_eq!((t.read("PMCCNTR_EL0"), t.read("PMEVCNTR0_EL0")), (0, 0));
        assert_eq!(t.read("PMCR_EL0") >> 11 & 31, 6);
        assert_eq!(t.deadline(), None);
    }

    #[test]
    fn filters_follow_the_level() {
        let mut t = Test::new("cortex-a72");
        t.write("PMCNTENSET_EL0", 3);
        t.write("PMEVTYPER0_EL0", 1 << 31 | event::CPU_CYCLES);
        t.write("PMEVTYPER1_EL0", 1 << 30 | event::CPU_CYCLES);
        t.write("PMCR_EL0", 1);
        t.pass(10);
        context::set_mode(&mut t.core, 0);
        t.pass(200);
        context::set_mode(&mut t.core, 5);
        t.pass(3000);
        assert_eq!((t.read("PMEVCNTR0_EL0"), t.read("PMEVCNTR1_EL0")), (200, 3010));
    }

    #[test]
    fn overflows_interrupt_when_they_come() {
        let mut t = Test::new("cortex-a53");
        t.write("PMEVTYPER2_EL0", event::CPU_CYCLES);
        t.write("PMEVCNTR2_EL0", 0xFFFF_FFFF - 999);
        t.write("PMCNTENSET_EL0", 4);
        t.write("PMINTENSET_EL1", 4);
        assert_eq!(t.deadline(), None);
        t.write("PMCR_EL0", 1);
        assert_eq!(t.deadline(), Some(63), "1000 ns in ticks of 16");
        t.pass(1008);
        assert_eq!(t.read("PMOVSCLR_EL0"), 4);
        assert_eq!(t.read("PMEVCNTR2_EL0"), 8);
        t.write("PMCNTENCLR_EL0", 4);
        assert_eq!(t.deadline(), Some(0), "the line stays up");
        t.write("PMOVSCLR_EL0", 4);
        assert_eq!(t.deadline(), None);
    }

    #[test]
    fn counters_are_chained_or_long() {
        let mut t = Test::new("cortex-a53");
        t.write("PMEVTYPER0_EL0", event::CPU_CYCLES);
        t.write("PMEVTYPER1_EL0", event::CHAIN);
        t.write("PMEVCNTR0_EL0", 0xFFFF_FFFF);
        t.write("PMCNTENSET_EL0", 3);
        t.write("PMCR_EL0", 1 | pmcr::LP);
        assert_eq!(t.read("PMCR_EL0") & pmcr::LP, 0);
        t.pass(5);
        assert_eq!((t.read("PMEVCNTR0_EL0"), t.read("PMEVCNTR1_EL0"), t.read("PMOVSCLR_EL0")), (4, 1, 1));
        let mut t = Test::new("max");
        t.write("PMEVTYPER0_EL0", event::CPU_CYCLES);
        t.write("PMEVCNTR0_EL0", 0xFFFF_FFFF);
        t.write("PMCNTENSET_EL0", 1);
        t.write("PMCR_EL0", 1 | pmcr::LP);
        t.pass(5);
        assert_eq!((t.read("PMEVCNTR0_EL0"), t.read("PMOVSCLR_EL0")), (0x1_0000_0004, 0));
    }

    #[test]
    fn software_increments() {
        let mut t = Test::new("max");
        t.write("PMCNTENSET_EL0", 1);
        t.write("PMCR_EL0", 1);
        t.write("PMSWINC_EL0", 3);
        t.write("PMSWINC_EL0", 1);
        t.pass(100);
        assert_eq!((t.read("PMEVCNTR0_EL0"), t.read("PMEVCNTR1_EL0")), (2, 0));
    }
}
