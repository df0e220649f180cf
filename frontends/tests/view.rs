//! `-display curses`: a PC's text screen and keyboard on a terminal.

#[path = "common/terminal.rs"]
mod terminal;

use std::process::{Command, Stdio};
use terminal::Terminal;

/// A diskette whose boot sector says `ready` in yellow on blue and then shows what is typed.
fn diskette(name: &str) -> std::path::PathBuf {
    let code = [
        &[0xB8, 0x03, 0x00, 0xCD, 0x10][..], // MOV AX, 3; INT 10h: 80x25, clear
        &[0xB8, 0x00, 0xB8, 0x8E, 0xC0],     // ES = B800h
        &[0x31, 0xFF, 0xBE, 0x30, 0x7C, 0xB4, 0x1E], // DI = 0, SI = text, AH = attribute
        &[0xAC, 0x84, 0xC0, 0x74, 0x03, 0xAB, 0xEB, 0xF8], // until 0: LODSB, STOSW
        &[0xB4, 0x00, 0xCD, 0x16, 0xB4, 0x0E, 0xCD, 0x10, 0xEB, 0xF6], // INT 16h, INT 10h, again
    ]
    .concat();
    let mut image = vec![0; 1440 << 10];
    image[..code.len()].copy_from_slice(&code);
    image[0x30..0x36].copy_from_slice(b"ready\0");
    image[510..512].copy_from_slice(&[0x55, 0xAA]);
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, image).expect("a diskette");
    path
}

fn pc(diskette: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyrebird"));
    command.args(["qemu-system-i386", "-M", "isapc", "-m", "16", "-display", "curses", "-fda"]).arg(diskette);
    command
}

#[test]
fn the_screen_is_shown_and_keys_are_typed() {
    let mut t = Terminal::start(&mut pc(&diskette("view.img")));
    t.expect("\x1b[?1049h");
    t.expect("\x1b[0;93;44mready");
    t.send(b"q");
    t.expect("q");
    t.send(b"Z");
    t.expect("Z");
    // The monitor is on the terminal as it was, and the screen comes back whole.
    t.send(b"\x01c");
    t.expect("\x1b[?1049l");
    t.expect("(lyrebird) ");
    t.send(b"info version\r");
    t.expect("(lyrebird) ");
    t.send(b"\x01c");
    t.expect("\x1b[?1049h");
    t.expect("\x1b[0;93;44mqZady");
    t.send(b"\x01x");
    t.expect("\x1b[?1049l");
    assert_eq!(t.end(), 0);
}

#[test]
fn a_terminal_and_a_screen_are_needed() {
    let output = pc(&diskette("view-pipe.img")).stdin(Stdio::null()).output().expect("starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("-display curses") && said.contains("terminal"), "{said}");
    assert_eq!(output.status.code(), Some(5), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyrebird"));
    command.args(["qemu-system-aarch64", "-M", "virt", "-display", "curses", "-S"]);
    let mut t = Terminal::start(&mut command);
    t.expect("-display curses: the board has no screen");
    assert_eq!(t.end(), 5);
}
