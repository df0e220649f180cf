//! From QEMU's spellings to clap's: `-kernel x`, `--kernel x` and `--kernel=x` all become `--kernel=x`.
//!
//! The options are not listed again: they are read from the clap command. A value is glued to its option, so that it
//! may begin with a dash. Unknown options are reported here, with what was probably meant.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, ArgAction, Command as ClapCommand, CommandFactory};

use super::args::{Cli, QEMU};
use crate::exit::Failure;
use crate::suggest::hint;

/// Options of QEMU that people often type and that do not exist here, with the reason.
const ABSENT: &[(&str, &str)] = &[
    ("netdev", "there are no network devices yet"),
    ("vnc", "there is no display yet; serial consoles are on the terminal"),
    ("qmp", "QMP is not offered; -monitor speaks the human monitor"),
    ("daemonize", "use your shell's '&' or a service manager"),
    ("loadvm", "snapshots of machines are not offered yet"),
    ("icount", "use -accel interp or -accel jit; counted time is not offered yet"),
    ("plugin", "use -d for traces and -gdb to look in"),
];

/// Rewrites the words of a command line, the program's name first.
pub fn rewrite(words: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>, Failure> {
    let mut words = words.into_iter();
    let program = words.next().unwrap_or_else(|| "lyrebird".into());
    let mut rest: Vec<OsString> = words.collect();
    let called = QEMU.into_iter().find(|name| Path::new(&program).file_name().is_some_and(|n| n == *name));
    if let Some(name) = called {
        rest.insert(0, name.into());
    } else if let Some(first) = rest.first().and_then(|w| w.to_str()) {
        // `lyrebird -M virt ...`: a machine described without subcommand is run.
        let own = ["-h", "-help", "--help", "-V", "-version", "--version"];
        if first.starts_with('-') && !own.contains(&first) {
            rest.insert(0, "run".into());
        }
    }
    let mut root = Cli::command();
    root.build();
    let mut out: Vec<OsString> = vec!["lyrebird".into()];
    let Some(first) = rest.first().cloned() else { return Ok(out) };
    let Some(sub) = first.to_str().and_then(|name| root.find_subcommand(name)) else {
        return without_subcommand(&root, &first, rest, out);
    };
    out.push(first);
    let mut rest = rest.into_iter().skip(1);
    while let Some(word) = rest.next() {
        match option_name(&word) {
            None => out.push(word),
            Some((typed, glued)) => out.extend(rewrite_option(sub, typed, glued, &mut rest)?),
        }
    }
    Ok(out)
}

/// The command line has no subcommand: options of the program itself, or a slip.
fn without_subcommand(
    root: &ClapCommand,
    first: &OsString,
    rest: Vec<OsString>,
    mut out: Vec<OsString>,
) -> Result<Vec<OsString>, Failure> {
    match first.to_str() {
        Some("-help") => out.push("--help".into()),
        Some("-version") => out.push("--version".into()),
        Some(word) if word.starts_with('-') => out.extend(rest),
        _ => {
            let shown = first.display();
            if Path::new(first).exists() {
                return Err(Failure::usage(format!("'{shown}' is a file; use 'lyrebird run {shown}'")));
            }
            let names: Vec<&str> = root.get_subcommands().map(|c| c.get_name()).collect();
            let hint = first.to_str().map(|typed| hint(typed, names.iter().copied())).unwrap_or_default();
            return Err(Failure::usage(format!(
                "'{shown}' is neither a command nor a file{hint}\ncommands: {}",
                names.join(", ")
            )));
        }
    }
    Ok(out)
}

/// The name of an option without dashes and its glued value; `None` for a positional word.
fn option_name(word: &OsString) -> Option<(String, Option<String>)> {
    let text = word.to_str()?;
    let bare = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).filter(|b| !b.is_empty())?;
    Some(match bare.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (bare.to_owned(), None),
    })
}

fn rewrite_option(
    sub: &ClapCommand,
    typed: String,
    glued: Option<String>,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<Vec<OsString>, Failure> {
    let Some(arg) = find(sub, &typed) else { return Err(unknown(sub, &typed)) };
    let long = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => return Err(unknown(sub, &typed)),
    };
    if !arg.get_action().takes_values() {
        return match glued {
            None => Ok(vec![long.into()]),
            Some(value) => Err(Failure::usage(format!("-{typed}={value}: this option takes no value"))),
        };
    }
    let value = match glued {
        Some(value) => value.into(),
        None => rest.next().ok_or_else(|| {
            let what = arg.get_value_names().and_then(|n| n.first()).map_or("VALUE", |n| n.as_str());
            Failure::usage(format!("-{typed} needs a value: -{typed} {what}"))
        })?,
    };
    let mut glued = OsString::from(long);
    // Short options take `-d=value` as clap spells it; the sign keeps an empty value apart from a missing one.
    glued.push("=");
    glued.push(value);
    Ok(vec![glued])
}

/// The option of this name: a long name, or one letter.
fn find<'a>(sub: &'a ClapCommand, typed: &str) -> Option<&'a Arg> {
    sub.get_arguments().filter(|a| !a.is_positional()).find(|a| {
        let letter = a.get_short().is_some_and(|s| typed.len() == 1 && typed.starts_with(s));
        letter || a.get_long() == Some(typed)
    })
}

fn unknown(sub: &ClapCommand, typed: &str) -> Failure {
    if let Some((_, why)) = ABSENT.iter().find(|(name, _)| *name == typed) {
        return Failure::usage(format!("-{typed} is not supported: {why}"));
    }
    let names = sub
        .get_arguments()
        .filter(|a| !matches!(a.get_action(), ArgAction::Version))
        .filter_map(|a| a.get_long());
    let hint = nearest_option(typed, names);
    Failure::usage(format!(
        "unknown option '-{typed}'{hint}\n'lyrebird {} -help' lists the options",
        sub.get_name()
    ))
}

fn nearest_option<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> String {
    crate::suggest::nearest(typed, names).map(|n| format!("; did you mean '-{n}'?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Result<Vec<String>, String> {
        rewrite(words.iter().map(OsString::from))
            .map(|out| out.into_iter().map(|w| w.to_string_lossy().into_owned()).collect())
            .map_err(|e| e.message)
    }

    #[test]
    fn the_page_names_every_option_and_command() {
        let page = include_str!("../../../docs/command-line.md");
        let mut root = Cli::command();
        root.build();
        for command in root.get_subcommands().filter(|c| c.get_name() != "help") {
            assert!(
                page.contains(&format!("lyrebird {}", command.get_name())),
                "lacks {}",
                command.get_name()
            );
        }
        let run = root.find_subcommand("run").expect("the subcommand");
        for arg in run
            .get_arguments()
            .filter(|a| !a.is_positional() && !["help", "version"].contains(&a.get_id().as_str()))
        {
            let name =
                arg.get_long().map(str::to_owned).or(arg.get_short().map(String::from)).expect("a name");
            assert!(page.contains(&format!("-{name}")), "docs/command-line.md lacks -{name}");
        }
    }

    #[test]
    fn one_dash_two_dashes_and_glued_values_are_the_same() {
        let want =
            ["lyrebird", "run", "--kernel=Image", "--nographic", "--memory=1G"].map(String::from).to_vec();
        assert_eq!(run(&["lyrebird", "run", "-kernel", "Image", "-nographic", "-m", "1G"]), Ok(want.clone()));
        assert_eq!(run(&["lyrebird", "run", "--kernel=Image", "--nographic", "-m=1G"]), Ok(want.clone()));
        assert_eq!(run(&["lyrebird", "-kernel", "Image", "-nographic", "-memory", "1G"]), Ok(want));
    }

    #[test]
    fn values_may_begin_with_a_dash_or_be_empty() {
        let out = run(&["lyrebird", "run", "-append", "-x --y", "-append", ""]).expect("rewrites");
        assert_eq!(out[2..], ["--append=-x --y", "--append="].map(String::from));
    }

    #[test]
    fn a_link_of_qemus_name_speaks_its_language() {
        let out = run(&["/usr/bin/qemu-system-aarch64", "-M", "virt", "-S", "-d", "int"]).expect("rewrites");
        assert_eq!(out, ["lyrebird", QEMU[0], "--machine=virt", "-S", "-d=int"].map(String::from));
    }

    #[test]
    fn unknown_options_say_what_was_meant() {
        let error = run(&["lyrebird", "run", "-kenrel", "x"]).expect_err("no such option");
        assert!(error.contains("unknown option '-kenrel'; did you mean '-kernel'?"), "{error}");
        let error = run(&["lyrebird", "run", "-netdev", "user"]).expect_err("no network");
        assert!(error.contains("no network devices yet"), "{error}");
        let error = run(&["lyrebird", "run", "-kernel"]).expect_err("no value");
        assert!(error.contains("-kernel needs a value: -kernel FILE"), "{error}");
        let error = run(&["lyrebird", "rum"]).expect_err("no such command");
        assert!(error.contains("did you mean 'run'?"), "{error}");
    }
}
