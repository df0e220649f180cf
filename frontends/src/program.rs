//! The program: which subcommand does what, and how it ends.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::{CommandFactory, Parser};
use lyrebird_machine::config::ENGINES;

use crate::cli::args::{Cli, Command};
use crate::cli::prepass::rewrite;
use crate::exit::{ExitClass, Failure};
use crate::options::{Outcome, Personality, interpret};
use crate::run::{Build, run};
use crate::{doctor, suite, term};

/// Does what the words say; the exit code. Errors have been printed.
pub fn main(words: impl IntoIterator<Item = OsString>, build: Build<'_>) -> u8 {
    let words: Vec<OsString> = words.into_iter().collect();
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dispatch(words, build))) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            eprintln!("lyrebird: {failure}");
            failure.class.code()
        }
        // The hook has printed what and where.
        Err(_) => {
            term::restore();
            eprintln!("lyrebird: internal error: please report the lines above");
            ExitClass::Internal.code()
        }
    }
}

fn dispatch(words: Vec<OsString>, build: Build<'_>) -> Result<u8, Failure> {
    let words = rewrite(words)?;
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
            return Err(Failure::usage(text));
        }
        // Help and version are answers, with colours if the terminal has them.
        Err(error) => {
            let _ = error.print();
            return Ok(0);
        }
    };
    match cli.command {
        Command::Run(args) => machine(interpret(&args, None)?, build),
        Command::QemuAarch64(args) => machine(interpret(&args, Some(Personality::Aarch64))?, build),
        Command::QemuX86_64(args) => machine(interpret(&args, Some(Personality::X86_64))?, build),
        Command::QemuI386(args) => machine(interpret(&args, Some(Personality::I386))?, build),
        Command::Demo(mut args) => {
            let _keep = demo(&mut args)?;
            machine(interpret(&args, Some(Personality::Aarch64))?, build)
        }
        Command::Replay { file } => replay(&file),
        Command::Test(args) => suite::run(&args),
        Command::Doctor => {
            let (text, code) = doctor::report();
            say(&text)?;
            Ok(code)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "lyrebird", &mut script);
            say_bytes(&script)?;
            Ok(0)
        }
        Command::Man { dir } => man(dir.as_deref()),
        Command::Version => {
            let engines: Vec<&str> = ENGINES.iter().map(|e| e.0).collect();
            let mut text =
                format!("lyrebird {}\nengines: {}\n", env!("CARGO_PKG_VERSION"), engines.join(" "));
            for p in Personality::ALL {
                let boards: Vec<&str> = p.boards().iter().map(|b| b.name).collect();
                let cpus: Vec<&str> = p.cpus().iter().map(|m| m.0).collect();
                let guest = p.guest();
                text += &format!("{guest}: boards {}; CPUs {}\n", boards.join(" "), cpus.join(" "));
            }
            say(&text)?;
            Ok(0)
        }
    }
}

fn machine(outcome: Outcome, build: Build<'_>) -> Result<u8, Failure> {
    match outcome {
        Outcome::Help(text) => say(&text).map(|()| 0),
        Outcome::Run(invocation) => run(&invocation, build),
    }
}

/// Runs a report of `-accel verify` again: the code says whether the engines still disagree.
fn replay(file: &Path) -> Result<u8, Failure> {
    let unusable =
        |why: String| Failure::new(ExitClass::Runtime, format!("replay {}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|e| unusable(format!("cannot read it: {e}")))?;
    let done = lyrebird_machine::verify::replay::replay(&String::from_utf8_lossy(&text)).map_err(unusable)?;
    say(&done.text)?;
    Ok(if done.differs { ExitClass::Divergence } else { ExitClass::Success }.code())
}

/// Puts the built-in guest where a kernel is looked for. The file lives as long as what is returned.
fn demo(args: &mut crate::cli::args::MachineArgs) -> Result<std::fs::File, Failure> {
    use std::os::fd::AsRawFd;
    let failed = |e: io::Error| {
        Failure::new(ExitClass::Host, format!("the host cannot: hold the demo in memory: {e}"))
    };
    if let Some(file) = &args.file {
        return Err(Failure::usage(format!(
            "demo runs the built-in guest; use 'lyrebird run {}' for a file",
            file.display()
        )));
    }
    let fd = rustix::fs::memfd_create("lyrebird-demo", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|e| failed(e.into()))?;
    let mut file = std::fs::File::from(fd);
    file.write_all(lyrebird_roms::demo_arm64()).map_err(failed)?;
    args.kernel = Some(format!("/proc/self/fd/{}", file.as_raw_fd()).into());
    Ok(file)
}

fn man(dir: Option<&Path>) -> Result<u8, Failure> {
    let mut command = Cli::command();
    command.build();
    let cannot = |e: io::Error| Failure::new(ExitClass::Runtime, format!("man: cannot write: {e}"));
    match dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(cannot)?;
            clap_mangen::generate_to(command, dir).map_err(cannot)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command.clone()).render(&mut page).map_err(cannot)?;
            if let Some(run) = command.find_subcommand("run") {
                // The options belong to the page too: those of `run` are all there are.
                let options = clap_mangen::Man::new(run.clone());
                options.render_options_section(&mut page).map_err(cannot)?;
            }
            say_bytes(&page)?;
        }
    }
    Ok(0)
}

fn say(text: &str) -> Result<(), Failure> {
    say_bytes(text.as_bytes())
}

/// Writes to standard output; a reader who has enough is no error.
fn say_bytes(bytes: &[u8]) -> Result<(), Failure> {
    match io::stdout().lock().write_all(bytes) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(ExitClass::Runtime, format!("standard output: {e}")))
        }
        _ => Ok(()),
    }
}
