//! What the options mean: from clap's words to a machine's [`Config`] and to what the front ends need themselves.

pub mod board;
pub mod boards;
pub mod boot;
pub mod consoles;
pub mod debug;
pub mod device;
pub mod fw_cfg;
pub mod media;
mod offers;
pub mod personality;

use lyrebird_machine::config::{Config, GdbListen};

use crate::cli::args::MachineArgs;
use crate::exit::Failure;

pub use consoles::{Address, ChardevKind, ChardevSpec};
pub use personality::Personality;

/// A command line understood.
#[derive(Debug, Default)]
pub struct Invocation {
    /// The guest it is for.
    pub personality: Personality,
    /// The machine.
    pub config: Config,
    /// Back ends to open, ids unique.
    pub chardevs: Vec<ChardevSpec>,
    /// The chardevs that carry a monitor.
    pub monitors: Vec<String>,
    /// The chardev on which the screen is shown.
    pub view: Option<String>,
    /// Where to wait for a debugger.
    pub gdb: Option<GdbListen>,
    /// Things said before the start.
    pub warnings: Vec<String>,
}

impl Invocation {
    /// Whether somebody is to come before the guest does anything: a machine with nothing to run is then no mistake.
    pub fn waits(&self) -> bool {
        self.config.start_paused
    }
}

/// What is to be done.
#[derive(Debug)]
pub enum Outcome {
    /// Build and run.
    Run(Box<Invocation>),
    /// One of the options asked for help: print this and end.
    Help(String),
}

/// Why reading an option stopped: an error, or text that was asked for.
#[derive(Debug)]
pub enum Stop {
    /// Print and end.
    Help(String),
    /// Complain and end.
    Failure(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failure(failure)
    }
}

/// Gives meaning to `args` of QEMU's program for a guest, where a lone file is a disk image. Without a `personality`, the
/// file is looked into, and says which guest it is for unless the board does.
pub fn interpret(args: &MachineArgs, personality: Option<Personality>) -> Result<Outcome, Failure> {
    match read(args, personality) {
        Ok(invocation) => Ok(Outcome::Run(Box::new(invocation))),
        Err(Stop::Help(text)) => Ok(Outcome::Help(text)),
        Err(Stop::Failure(failure)) => Err(failure),
    }
}

fn read(args: &MachineArgs, personality: Option<Personality>) -> Result<Invocation, Stop> {
    let guest = personality.unwrap_or_else(|| Personality::of_run(args));
    let mut out = Invocation { personality: guest, ..Invocation::default() };
    out.config.name = args.name.clone();
    out.config.no_reboot = args.no_reboot;
    out.config.no_shutdown = args.no_shutdown;
    out.config.snapshot = args.snapshot;
    out.config.start_paused = args.start_paused;
    // Nothing said is as good as -nographic; who says -display none has another reason than a terminal.
    out.config.nographic = args.nographic || args.display.is_none();
    out.config.rtc = boot::rtc(args)?;
    harmless(args)?;
    board::machine(args, &mut out)?;
    board::cpu(args, &mut out)?;
    board::smp(args, &mut out)?;
    board::memory(args, &mut out)?;
    board::accel(args, &mut out)?;
    debug::read(args, &mut out)?;
    device::objects(args, &mut out)?;
    device::devices(args, &mut out)?;
    device::globals(args, &mut out)?;
    fw_cfg::read(args, &mut out)?;
    consoles::read(args, &mut out)?;
    boot::read(args, personality.is_none(), &mut out)?;
    media::read(args, &mut out)?;
    device::check(args, &out)?;
    boot::check(&out)?;
    Ok(out)
}

/// Options whose only accepted value is `none`.
fn harmless(args: &MachineArgs) -> Result<(), Failure> {
    let lists = [("parallel", &args.parallel), ("net", &args.net), ("nic", &args.nic)];
    let singles = [("vga", &args.vga)];
    let words = lists
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |v| (*name, v)))
        .chain(singles.iter().filter_map(|(name, value)| value.as_ref().map(|v| (*name, v))));
    for (name, value) in words {
        let accepted: &[&str] = match name {
            "parallel" => &["none", "null"],
            "vga" => &["none", "std"],
            _ => &["none"],
        };
        if !accepted.contains(&value.as_str()) {
            return Err(Failure::usage(format!(
                "-{name} {value}: not available; the only value is {}",
                accepted.join(" or ")
            )));
        }
    }
    Ok(())
}

/// A table of names and descriptions, aligned.
pub fn name_list<'a>(title: &str, rows: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|r| r.0.len()).max().unwrap_or(0);
    let mut text = format!("{title}:\n");
    for (name, about) in rows {
        text.push_str(&format!("  {name:width$}  {about}\n"));
    }
    text
}

#[cfg(test)]
mod tests;
