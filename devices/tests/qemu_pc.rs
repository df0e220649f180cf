//! Replays accesses that QEMU 10.0.2's `pc` and `q35` boards were asked over their qtest socket, and expects the answers.
//!
//! A transcript is a text file of lines `o<size> <port> <value>`, `i<size> <port> <answer>`, `w<size> <address> <value>`
//! and `r<size> <address> <answer>`, sizes `b w l q`, numbers in hexadecimal; `x<size> <port> <count>` reads a port that
//! often and does not look. A hash begins a comment. They are what drivers do, in the order in which they do it.
//!
//! Left out of the transcripts is what the drives call themselves, and where QEMU departs from the manuals and these
//! models do not: sectors beyond the end (IDNF), the length in GET EVENT STATUS, an empty READ TOC of sessions, the
//! upper half of PM1_CNT, PM1_STS right after power-on, and of AHCI: DHRS with a failure, PxCMD's fixed bits, PxSSTS
//! during COMRESET, the status of a drive before its first command. QEMU keeps the size of RAM in the i440FX's DRAMC.

#[allow(dead_code, reason = "each test uses a part of it")]
mod pc_board;

use lyrebird_devices::bus::device::{Initiator, Size};
use pc_board::{Board, pc, q35};

/// Replays one transcript; the lines that got another answer.
fn replay(board: &Board, transcript: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, line) in (1..).zip(transcript.lines()).filter(|(_, line)| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [verb, address, value] = words[..] else { panic!("line {n}: {line}") };
        let number = |text| u64::from_str_radix(text, 16).unwrap_or_else(|_| panic!("line {n}: {text}"));
        let (address, value) = (number(address), number(value));
        let size = match &verb[1..] {
            "b" => Size::B1,
            "w" => Size::B2,
            "l" => Size::B4,
            "q" => Size::B8,
            other => panic!("line {n}: no such size: {other}"),
        };
        let cpu = Initiator::Cpu(0);
        let got = match &verb[..1] {
            "o" => board.io.write(address, size, value, cpu).map(|()| value),
            "w" => board.memory.write(address, size, value, cpu).map(|()| value),
            "i" => board.io.read(address, size, cpu),
            "r" => board.memory.read(address, size, cpu),
            "x" => {
                (0..value).for_each(|_| {
                    let _ = board.io.read(address, size, cpu);
                });
                Ok(value)
            }
            other => panic!("line {n}: no such verb: {other}"),
        };
        if got != Ok(value) {
            wrong.push(format!("line {n}: {verb} {address:#x}: {got:x?}, QEMU {value:#x}"));
        }
    }
    wrong
}

fn check(board: &Board, name: &str, transcript: &str) {
    let wrong = replay(board, transcript);
    let first = wrong[..wrong.len().min(60)].join("\n");
    assert!(wrong.is_empty(), "{name}: {} differences:\n{first}", wrong.len());
}

#[test]
fn pc_answers_as_qemu_does() {
    check(&pc(), "pc", include_str!("qemu_pc/pc.txt"));
}

#[test]
fn virtio_answers_as_qemu_does() {
    check(&pc(), "virtio", include_str!("qemu_pc/virtio.txt"));
}

#[test]
fn q35_answers_as_qemu_does() {
    check(&q35(), "q35", include_str!("qemu_pc/q35.txt"));
}
