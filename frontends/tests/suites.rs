//! `lyrebird test` as people run it: our own vectors, an image, a configuration of kvm-unit-tests.

use std::path::{Path, PathBuf};
use std::process::Command;

fn place(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("suites-{name}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a directory for files");
    path
}

/// Runs `lyrebird test` in a directory: exit code, standard output, standard error.
fn test(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyrebird"));
    command.arg("test").args(arguments).current_dir(directory).env_remove("RUST_LOG");
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn our_own_vectors_pass_and_are_reported() {
    let at = place("vectors");
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/branch.vec");
    for engine in ["interp", "jit"] {
        let reports = ["-report", "tap:r.tap", "-report", "junit:r.xml", "-report", "json:r.json"];
        let arguments =
            [&["-accel", engine, "-jobs", "2", "-filter", "branch", vectors][..], &reports].concat();
        let (code, out, err) = test(&at, &arguments);
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains(&format!("tests on {engine}: ")) && out.contains(" 0 failed"), "{out}");
        let read = |name: &str| std::fs::read_to_string(at.join(name)).expect("a report");
        assert!(
            read("r.tap").starts_with("TAP version 13\n1..") && read("r.tap").contains("ok 1 - branch:0.0 ")
        );
        assert!(read("r.xml").contains("failures=\"0\""));
        assert!(read("r.json").contains("\"result\": \"passed\""));
    }
    // One test by its name.
    let (code, out, _) = test(&at, &["-filter", "branch:1.7", vectors]);
    assert!(code == Some(0) && out.starts_with("1 tests on jit: 1 passed"), "{out}");
}

/// Firmware that writes bytes to ports, and then ends with a triple fault.
fn rom(writes: impl IntoIterator<Item = (u16, u8)>) -> Vec<u8> {
    const START: usize = 0xE000;
    let mut code = Vec::new();
    for (port, byte) in writes {
        // mov dx, port; mov al, byte; out dx, al
        code.extend([0xBA, port as u8, (port >> 8) as u8, 0xB0, byte, 0xEE]);
    }
    // lidt cs:[F000h], where zeros are; int3
    code.extend([0x2E, 0x0F, 0x01, 0x1E, 0x00, 0xF0, 0xCC]);
    let mut rom = vec![0; 1 << 16];
    rom[START..START + code.len()].copy_from_slice(&code);
    let offset = (START as u16).wrapping_sub(0xFFF3).to_le_bytes();
    rom[0xFFF0..0xFFF3].copy_from_slice(&[0xE9, offset[0], offset[1]]);
    rom
}

#[test]
fn an_image_is_judged_by_what_its_serial_port_says() {
    let at = place("rom");
    std::fs::write(at.join("rom"), rom("all is well".bytes().map(|b| (0x3F8, b)))).expect("a file to write");
    let base = ["-args", "-M microvm", "-timeout", "60", "rom", "-serial"];
    let (code, out, err) = test(&at, &[&base[..], &["is well"]].concat());
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, _, err) = test(&at, &[&base[..], &["is bad"]].concat());
    assert_eq!(code, Some(9), "{err}");
    for part in [
        "does not say \"is bad\"",
        "all is well",
        "machine: lyrebird qemu-system-x86_64",
        "again: lyrebird test",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
}

#[test]
fn an_image_is_judged_by_ports_and_exit_status() {
    let at = place("ports");
    let log = "one\r\ntwo\r\n".bytes().map(|b| (0xE9, b));
    let writes = [(0x190, 1), (0x190, 0xFF)].into_iter().chain(log).chain([(0xF4, 0)]);
    std::fs::write(at.join("rom"), rom(writes)).expect("a file to write");
    std::fs::write(at.join("reference"), "one\ntwo\n").expect("a file to write");
    std::fs::write(at.join("other"), "one\nthree\n").expect("a file to write");
    let base = ["-timeout", "60", "rom"];
    for engine in ["interp", "jit"] {
        let good = ["-accel", engine, "-exit", "1", "-post", "0x190:0xFF", "-log", "0xE9:reference"];
        let (code, out, err) = test(&at, &[&base[..], &good].concat());
        assert_eq!(code, Some(0), "{out}{err}");
    }
    let bad = ["-exit", "3", "-post", "0x190:0xFE", "-log", "0xE9:other"];
    let (code, _, err) = test(&at, &[&base[..], &bad].concat());
    assert_eq!(code, Some(9), "{err}");
    for part in ["ends with 1, should end with 3", "0xff, should be 0xfe", "line 2 of the log", "\"three\""] {
        assert!(err.contains(part), "{part}: {err}");
    }
}

#[test]
fn tests_that_cannot_run_are_skipped() {
    let at = place("cfg");
    let text = "[one]\nfile = missing.flat\n[two]\nfile = two.flat\naccel = kvm\ngroups = x nodefault\n";
    std::fs::write(at.join("unittests.cfg"), text).expect("a file to write");
    let (code, out, err) = test(&at, &["unittests.cfg", "-report", "tap:r.tap"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("1 tests on jit: 0 passed, 0 failed, 1 skipped"), "{out}");
    let tap = std::fs::read_to_string(at.join("r.tap")).expect("a report");
    assert!(tap.contains("ok 1 - unittests:one missing.flat # SKIP missing.flat is not there"), "{tap}");
}
