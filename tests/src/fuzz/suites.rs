//! Files of tests: read, listed, and the first tests run.

use super::Scratch;
use lyrebird_machine::config::EngineKind;
use lyrebird_machine::suite::{Suite, Tester};

/// Tests of a file that are run.
const MOST: usize = 4;

/// A MOO file, JSON of the 8086, or a file of vectors.
pub fn suite(bytes: &[u8]) {
    let Ok(file) = Scratch::new("suite", bytes) else { return };
    let Ok(suite) = Suite::open(&file.0) else { return };
    for file in suite.files() {
        let Ok(tests) = suite.load(file) else { continue };
        let Ok(mut tester) = Tester::new(EngineKind::Interp, None) else { return };
        for n in 0..tests.list().len().min(MOST) {
            let _ = tester.run(&tests, n);
        }
    }
}

fn chunk(tag: &[u8; 4], inner: &[u8]) -> Vec<u8> {
    [&tag[..], &(inner.len() as u32).to_le_bytes(), inner].concat()
}

/// A small file of every kind.
pub fn suite_seeds() -> Vec<Vec<u8>> {
    let registers = chunk(b"REGS", &[0x11, 0x10, 1, 0, 0, 0, 0, 4]);
    let ram = chunk(b"RAM ", &[2, 0, 0, 0, 0, 4, 0, 0, 0x40, 1, 4, 0, 0, 0xF4]);
    let before = chunk(b"INIT", &[registers, ram].concat());
    let after = chunk(b"FINA", &chunk(b"REGS", &[0x01, 0x10, 2, 0, 2, 4]));
    let bytes = chunk(b"BYTS", &[2, 0, 0, 0, 0x40, 0xF4]);
    let test = chunk(b"TEST", &[vec![0; 4], bytes, before, after].concat());
    let moo = [chunk(b"MOO ", &[1, 1, 0, 0, 1, 0, 0, 0, b'C', b'2', b'8', b'6']), test].concat();
    let json =
        br#"[{"name": "inc ax", "bytes": [64], "initial": {"regs": {"ax": 1, "ip": 9}, "ram": [[9, 64]]},
        "final": {"regs": {"ax": 2}, "ram": []}}]"#;
    vec![moo, json.to_vec(), b"LYRVEC01".to_vec(), b"LYRX8601".to_vec()]
}
