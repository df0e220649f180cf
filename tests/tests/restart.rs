//! Every row of the A64 table against the restart rule, and rows of features that a model lacks.

use lyrebird_cpu::arm::a64;
use lyrebird_cpu::arm::emit::UNDEFINED;
use lyrebird_cpu::arm::model::MODELS;
use lyrebird_cpu::emit::Cx;
use lyrebird_tests::restart::Restart;
use std::collections::{BTreeMap, BTreeSet};

/// Words tried for each row.
const WORDS: u32 = 400;

/// Rows that may break the rule, with the reason.
const EXEMPT: &str = include_str!("../data/restart-exempt.txt");

struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 32) as u32
    }
}

/// The lines of a data file: a row's name, a bar, the reason.
fn exempt() -> BTreeMap<&'static str, &'static str> {
    let lines = EXEMPT.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines
        .map(|l| l.split_once('|').expect("a name, a bar, a reason"))
        .map(|(n, r)| (n.trim(), r.trim()))
        .collect()
}

#[test]
fn nothing_faults_after_state_was_written() {
    let (table, exempt) = (a64::table::<Restart>(), exempt());
    let (mut r, mut unused) = (Random(1), exempt.keys().copied().collect::<BTreeSet<_>>());
    let (mut broken, mut unreached) = (BTreeMap::new(), Vec::new());
    for row in table.rows() {
        let mut reached = false;
        for _ in 0..WORDS {
            let word = r.next() & !row.mask | row.value;
            // A row that contains another's pattern is not asked for the other's words.
            if !table.find(word, u64::MAX).is_some_and(|(_, found)| std::ptr::eq(found, row)) {
                continue;
            }
            reached = true;
            let mode = r.next() & 0x00FF_FFFC | if r.next() & 1 == 0 { 0 } else { 1 };
            let answer = Restart::check(Cx { mode, features: u64::MAX }, word, row.run);
            if let Some((wrote, fault)) = answer.broken {
                if exempt.contains_key(row.name) {
                    unused.remove(row.name);
                } else {
                    broken.entry(row.name).or_insert(format!("{word:#010x}: {wrote}, then {fault}"));
                }
            }
        }
        if !reached {
            unreached.push(row.name);
        }
    }
    assert!(broken.is_empty(), "rows that cannot be restarted: {broken:#?}");
    assert!(unreached.is_empty(), "rows that no word reaches: {unreached:?}");
    assert!(unused.is_empty(), "exempt rows that keep the rule: {unused:?}");
}

#[test]
fn what_a_model_lacks_is_undefined() {
    let table = a64::table::<Restart>();
    let (mut r, mut wrong) = (Random(2), BTreeSet::new());
    for model in MODELS {
        let mut lacked = 0;
        for row in table.rows().iter().filter(|row| model.features & row.features != row.features) {
            for _ in 0..32 {
                let word = r.next() & !row.mask | row.value;
                if !row.matches(word) {
                    continue;
                }
                let cx = Cx { mode: 1, features: model.features };
                match table.find(word, model.features) {
                    // Words that are hints or another row's without the feature.
                    Some((_, other)) if model.features & other.features == other.features => {}
                    Some((_, other)) => {
                        wrong.insert((model.name, row.name, other.name));
                    }
                    None => {
                        lacked += 1;
                        let answer =
                            Restart::check(cx, word, lyrebird_cpu::step!(Restart, a64::undefined::<Restart>));
                        assert_eq!(answer.raised, Some(UNDEFINED));
                    }
                }
            }
        }
        assert!(lacked > 0 || model.name == "max", "{} lacks nothing", model.name);
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
