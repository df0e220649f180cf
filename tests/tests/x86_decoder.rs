//! The x86 decoder against iced-x86: all one- and two-byte opcodes with all ModRM bytes, and random strings. More of
//! them: `cargo xtask decoder --strings 100000000`.

use lyrebird_tests::decoding::{Tally, opcodes, random};
use lyrebird_tests::vectors::Rng;

#[test]
fn both_decoders_agree() {
    let mut tally = Tally::default();
    let mut rng = Rng::new(286);
    for bytes in opcodes(&mut rng) {
        tally.add(&bytes);
    }
    for _ in 0..100_000 {
        tally.add(&random(&mut rng));
    }
    assert!(tally.kinds.is_empty(), "{}", tally.report());
}
