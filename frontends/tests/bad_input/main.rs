//! Bad input to the real program: each case gives a message that says what was wrong, its documented exit code
//! (`docs/exit-codes.md`), no panic and no hang. The files are made here.

mod files;
mod guests;
mod images;
mod inputs;
mod killed;
mod options;
mod pc_files;
mod pc_guests;
mod pc_inputs;
mod pc_media;
mod programs;
mod suites;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What no case may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A directory of its own for the files of a test.
fn place(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bad-{name}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a directory for files");
    path
}

/// What QEMU's program for 64-bit PCs is called.
const PC: &str = "qemu-system-x86_64";

/// The program with QEMU's command line, or one of `lyrebird test`, in a directory, connected to nothing. The first word
/// may be the name of one of QEMU's programs; otherwise it is that of AArch64.
fn command(directory: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyrebird"));
    let first = arguments.split_whitespace().next().unwrap_or_default();
    if first != "test" && !first.starts_with("qemu-system-") {
        command.arg("qemu-system-aarch64");
    }
    command.args(arguments.split_whitespace()).current_dir(directory);
    command.env_remove("RUST_LOG").env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for a child's end and gives its output; kills it after the limit.
fn finish(mut child: Child, limit: Duration) -> (bool, Output) {
    let drain = |pipe: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut pipe) = pipe {
                let _ = pipe.read_to_end(&mut bytes);
            }
            bytes
        })
    };
    let out = drain(child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let err = drain(child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>));
    let end = Instant::now() + limit;
    let (mut in_time, mut status) = (true, None);
    while status.is_none() {
        status = child.try_wait().expect("a child to wait for");
        if status.is_none() && Instant::now() > end {
            in_time = false;
            let _ = child.kill();
            status = Some(child.wait().expect("a child to wait for"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let status = status.expect("the loop sets it");
    (
        in_time,
        Output { status, stdout: out.join().unwrap_or_default(), stderr: err.join().unwrap_or_default() },
    )
}

/// A command line, the exit code that it must give, and what the message must mention.
struct Case {
    arguments: &'static str,
    code: i32,
    says: &'static [&'static str],
}

const fn case(arguments: &'static str, code: i32, says: &'static [&'static str]) -> Case {
    Case { arguments, code, says }
}

/// What is wrong with the program's answer, if anything.
fn wrong(directory: &Path, case: &Case) -> Option<String> {
    let child = command(directory, case.arguments).spawn().expect("the program starts");
    let (in_time, output) = finish(child, LIMIT);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let bad = if !in_time {
        "it does not end".into()
    } else if output.status.code() != Some(case.code) {
        format!("it ends with {}, not {}", output.status, case.code)
    } else if said.contains("panicked") {
        "it panics".into()
    } else if !said.lines().any(|line| line.starts_with("lyrebird: ")) {
        "no line of the message begins with the program's name".into()
    } else if let Some(missing) = case.says.iter().find(|s| !said.contains(**s)) {
        format!("the message does not say {missing:?}")
    } else {
        return None;
    };
    Some(format!("{}\n    {bad}; it said: {}", case.arguments, said.trim()))
}

/// Runs all cases of PCs.
fn run_all_on_pcs(directory: &Path, cases: &[Case]) {
    let named = |c: &Case| Case { arguments: format!("{PC} -display none {}", c.arguments).leak(), ..*c };
    run_all(directory, &cases.iter().map(named).collect::<Vec<_>>());
}

/// Runs all cases and reports every one that fails.
fn run_all(directory: &Path, cases: &[Case]) {
    let failed: Vec<String> = cases.iter().filter_map(|case| wrong(directory, case)).collect();
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
