//! What is left out takes the Undefined Instruction exception, on every model.

use lyrebird_cpu::arm::a64;
use lyrebird_cpu::arm::emit::UNDEFINED;
use lyrebird_cpu::arm::model::MODELS;
use lyrebird_cpu::emit::Cx;
use lyrebird_tests::restart::Restart;

#[test]
fn what_is_left_out_is_undefined() {
    let table = a64::table::<Restart>();
    let mut lines = 0;
    for line in include_str!("../data/left-out.txt").lines().filter(|l| !l.starts_with('#')) {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [word, feature, text] = fields[..] else { panic!("word, feature, example: {line}") };
        let word = u32::from_str_radix(word, 16).expect("a word");
        for model in MODELS {
            // EL1, where most is allowed.
            let cx = Cx { mode: 1, features: model.features };
            let undefined = match table.find(word, model.features) {
                Some((_, row)) => Restart::check(cx, word, row.run).raised == Some(UNDEFINED),
                None => true,
            };
            assert!(undefined, "{text} ({feature}) does something on a {}", model.name);
        }
        lines += 1;
    }
    assert!(lines > 20);
}
