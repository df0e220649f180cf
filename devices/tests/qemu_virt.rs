//! Replays register accesses that QEMU 10.0.2's `virt` board was asked over its qtest socket, and expects its answers.
//!
//! A transcript is a text file of lines `w<size> <address> <value>` and `r<size> <address> <answer>`, sizes `b w l q`,
//! numbers in hexadecimal; `gic` at the top says which interrupt controller the board has. The accesses were drawn at
//! random over the registers of each chip, with one processor and bits that the manuals define.
//!
//! Left out of the transcripts is where QEMU departs from the manuals and these models do not: PL011 loopback, PL061
//! level interrupts and the data of outputs that become inputs, GICv2's aliased registers, its set-pending registers
//! for SGIs and its groups that are on at one end only; and LPIs, which these models do not have.

#[allow(dead_code, reason = "each test uses a part of it")]
mod common;

use common::{Board, Gic};
use lyrebird_devices::bus::clock::Clock;
use lyrebird_devices::bus::device::{Initiator, Size};

fn number(text: Option<&str>) -> u64 {
    let text = text.unwrap_or_default();
    u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("not a number: {text:?}"))
}

fn board(gic: Option<&str>) -> Board {
    let gic = match gic {
        Some("2") => Gic::v2(1),
        Some("3") => Gic::v3(1),
        other => panic!("no such interrupt controller: {other:?}"),
    };
    Board::new(gic, &Clock::stepped())
}

/// Replays one transcript; the lines that got another answer.
fn replay(transcript: &str) -> Vec<String> {
    let mut board = board(Some("2"));
    let mut wrong = Vec::new();
    for (n, line) in (1..).zip(transcript.lines()) {
        let mut words = line.split_whitespace();
        let Some(verb) = words.next() else { continue };
        if verb == "gic" {
            board = self::board(words.next());
            continue;
        }
        let size = match &verb[1..] {
            "b" => Size::B1,
            "w" => Size::B2,
            "l" => Size::B4,
            "q" => Size::B8,
            other => panic!("line {n}: no such size: {other}"),
        };
        let (address, value) = (number(words.next()), number(words.next()));
        if verb.starts_with('w') {
            board.space.write(address, size, value, Initiator::Cpu(0)).unwrap();
            continue;
        }
        let got = board.space.read(address, size, Initiator::Cpu(0)).unwrap();
        if got != value {
            wrong.push(format!("line {n}: {verb} {address:#x}: {got:#x}, QEMU {value:#x}"));
        }
    }
    wrong
}

#[test]
fn answers_as_qemu_does() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/qemu_virt");
    let mut count = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let wrong = replay(&std::fs::read_to_string(&path).unwrap());
        let first = wrong[..wrong.len().min(40)].join("\n");
        assert!(wrong.is_empty(), "{}: {} differences:\n{first}", path.display(), wrong.len());
        count += 1;
    }
    assert_eq!(count, 5);
}
