//! The monitor's commands: one row each, with its arguments and help beside what it does.

use std::time::Duration;

use lyrebird_machine::control::{
    AddressSpace, Breakpoint, BreakpointId, BreakpointKind, ControlError, CpuId, Event, Others, StopReason,
    wait_for_stop,
};

use super::format::{Format, quoted};
use super::info;
use super::seat;
use super::session::Session;
use crate::logging;
use crate::options::debug::items;
use crate::options::name_list;
use crate::suggest::hint;

/// What a command answers: text, or an error that is printed like it.
pub type Answer = Result<String, String>;

/// A command.
pub struct Command {
    /// Names; the first is the one that help and completion show.
    pub names: &'static [&'static str],
    /// Its arguments for people.
    pub arguments: &'static str,
    /// One line.
    pub help: &'static str,
    run: fn(&mut Session, &str) -> Answer,
}

/// All commands in the order of help.
pub const COMMANDS: &[Command] = &[
    Command {
        names: &["help", "?"],
        arguments: "[command]",
        help: "list the commands, or describe one",
        run: help,
    },
    Command {
        names: &["info"],
        arguments: "[subject]",
        help: "show a report; without subject list them",
        run: info::info,
    },
    Command { names: &["stop", "s"], arguments: "", help: "pause the guest", run: stop },
    Command { names: &["cont", "c"], arguments: "", help: "let the guest run", run: cont },
    Command {
        names: &["step"],
        arguments: "[count]",
        help: "execute one instruction, or several, on the current CPU",
        run: step,
    },
    Command { names: &["x"], arguments: "/FMT address", help: "dump memory at a virtual address", run: x },
    Command { names: &["xp"], arguments: "/FMT address", help: "dump memory at a physical address", run: xp },
    Command {
        names: &["disas"],
        arguments: "[/count] [address]",
        help: "disassemble from a virtual address, or from the PC",
        run: disas,
    },
    Command {
        names: &["print", "p"],
        arguments: "[/FMT] expression",
        help: "evaluate: numbers, $registers, C's operators",
        run: print,
    },
    Command {
        names: &["gva2gpa"],
        arguments: "address",
        help: "translate a virtual address and show the walk",
        run: gva2gpa,
    },
    Command {
        names: &["cpu"],
        arguments: "number",
        help: "choose the CPU of x, disas, step, print, info",
        run: cpu,
    },
    Command {
        names: &["break", "b"],
        arguments: "address",
        help: "stop before the instruction at a virtual address",
        run: break_at,
    },
    Command {
        names: &["watch"],
        arguments: "address [length [r|w|a]]",
        help: "stop after a read, write (default) or either",
        run: watch,
    },
    Command {
        names: &["delete"],
        arguments: "number|all",
        help: "remove a breakpoint or watchpoint",
        run: delete,
    },
    Command {
        names: &["log"],
        arguments: "item,...|none|help",
        help: "choose what the debug log shows",
        run: log,
    },
    Command {
        names: &["sendkey"],
        arguments: "key[-key...] [milliseconds]",
        help: "press keys of the guest's keyboard together, as in ctrl-alt-delete",
        run: seat::sendkey,
    },
    Command {
        names: &["screendump"],
        arguments: "file [-f png|ppm]",
        help: "write a picture of the screen",
        run: seat::screendump,
    },
    Command { names: &["system_reset"], arguments: "", help: "reset the machine", run: system_reset },
    Command {
        names: &["system_powerdown"],
        arguments: "",
        help: "press the power button",
        run: system_powerdown,
    },
    Command { names: &["quit", "q"], arguments: "", help: "end the program", run: quit },
];

/// Runs one line.
pub fn execute(session: &mut Session, line: &str) -> String {
    let line = line.trim();
    let end = line.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(line.len());
    let (name, arguments) = line.split_at(end);
    if line.is_empty() {
        return String::new();
    }
    let Some(command) = COMMANDS.iter().find(|c| c.names.contains(&name)) else {
        let names = COMMANDS.iter().flat_map(|c| c.names.iter().copied());
        return format!("unknown command: '{name}'{}; 'help' lists the commands\n", hint(name, names));
    };
    let mut text = match (command.run)(session, arguments.trim()) {
        Ok(text) => text,
        Err(why) => format!("{why}; try 'help {}'", command.names.first().unwrap_or(&name)),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Lets the guest run if the last line asked for that; what there is to say about it. To be called once the prompt is
/// shown, which a guest that shares the terminal would else write into.
pub fn resume(session: &mut Session) -> Option<String> {
    let asked = std::mem::take(&mut session.resumes);
    let refused = asked.then(|| session.control.resume())?.err()?;
    Some(format!("{refused}\n"))
}

/// The words that may stand at the end of `line`.
pub fn candidates(line: &str) -> Vec<&'static str> {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        [] | [_] => COMMANDS.iter().filter_map(|c| c.names.first().copied()).collect(),
        ["info", _] => info::SUBJECTS.iter().map(|s| s.name).collect(),
        ["help" | "?", _] => COMMANDS.iter().filter_map(|c| c.names.first().copied()).collect(),
        _ => Vec::new(),
    }
}

fn help(_: &mut Session, name: &str) -> Answer {
    if name.is_empty() {
        let rows: Vec<(String, &str)> =
            COMMANDS.iter().map(|c| (format!("{} {}", c.names.join("|"), c.arguments), c.help)).collect();
        return Ok(name_list("Commands", rows.iter().map(|r| (r.0.as_str(), r.1))));
    }
    if name == "info" {
        return Ok(info::list());
    }
    let command = COMMANDS
        .iter()
        .find(|c| c.names.contains(&name))
        .ok_or_else(|| format!("unknown command: '{name}'"))?;
    let mut text = format!("{} {} -- {}\n", command.names.join("|"), command.arguments, command.help);
    if command.arguments.contains("/FMT") {
        text.push_str(
            "FMT is a count, a format and a size: x hexadecimal, d signed, u unsigned, o octal, c characters,\n\
             i instructions, s strings; b 1, h 2, w 4, g 8 bytes. Example: x /8xg $sp\n",
        );
    }
    Ok(text)
}

fn plain(error: ControlError) -> String {
    error.to_string()
}

fn stop(s: &mut Session, _: &str) -> Answer {
    let events = s.control.subscribe();
    if s.control.status().is_running() {
        s.control.pause();
        wait_for_stop(&events, STEP_TIME).ok_or("the guest does not stop")?;
    }
    Ok(String::new())
}

fn cont(s: &mut Session, _: &str) -> Answer {
    s.resumes = true;
    Ok(String::new())
}

/// How long a step or a stop may take: it ends at once unless the host is very busy.
const STEP_TIME: Duration = Duration::from_secs(5);

fn step(s: &mut Session, count: &str) -> Answer {
    let count = if count.is_empty() { 1 } else { s.evaluate(count)? };
    let events = s.control.subscribe();
    for _ in 0..count {
        s.control.step(s.cpu, Others::Hold).map_err(plain)?;
        match wait_for_stop(&events, STEP_TIME) {
            Some(Event::Stopped { reason: StopReason::StepDone, .. }) => {}
            Some(Event::Stopped { reason, .. }) => return Ok(format!("stopped: {reason}\n{}", s.here())),
            Some(Event::Shutdown(end)) => return Ok(format!("{end}\n")),
            Some(_) | None => return Err("the step did not end".into()),
        }
    }
    Ok(s.here())
}

/// The format and the rest of `/FMT rest`.
fn split_format(s: &Session, arguments: &str) -> Result<(Format, String), String> {
    match arguments.strip_prefix('/') {
        None => Ok((Format { count: 1, ..s.format }, arguments.to_owned())),
        Some(rest) => {
            let (format, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            Ok((Format::parse(format, s.format)?, rest.trim().to_owned()))
        }
    }
}

fn x(s: &mut Session, arguments: &str) -> Answer {
    dump(s, AddressSpace::Virtual(s.cpu), arguments)
}

fn xp(s: &mut Session, arguments: &str) -> Answer {
    dump(s, AddressSpace::Physical, arguments)
}

fn dump(s: &mut Session, space: AddressSpace, arguments: &str) -> Answer {
    let (format, address) = split_format(s, arguments)?;
    if address.is_empty() {
        return Err("an address is missing".into());
    }
    let address = s.evaluate(&address)?;
    s.format = Format { count: 1, ..format };
    match format.letter {
        'i' => disassemble(s, space, address, format.count),
        's' => strings(s, space, address, format.count),
        letter => {
            let size = if letter == 'c' { 1 } else { format.size };
            let (bytes, end) = s.read(space, address, size * format.count);
            let whole = bytes.len() / size * size;
            let mut text = format.dump(address, &bytes[..whole]);
            if let Some(error) = end {
                text.push_str(&format!("{error}\n"));
            }
            Ok(text)
        }
    }
}

fn strings(s: &Session, space: AddressSpace, mut address: u64, count: usize) -> Answer {
    const LONGEST: usize = 1024;
    let mut text = String::new();
    for _ in 0..count {
        let (bytes, end) = s.read(space, address, LONGEST);
        let len = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        if len == bytes.len()
            && let Some(error) = end
        {
            text.push_str(&format!("{error}\n"));
            break;
        }
        text.push_str(&format!("{address:016x}: {}\n", quoted(&bytes[..len])));
        address = address.wrapping_add(len as u64 + 1);
    }
    Ok(text)
}

fn disas(s: &mut Session, arguments: &str) -> Answer {
    let (format, address) = match arguments.strip_prefix('/') {
        Some(_) => split_format(s, arguments)?,
        None => (Format { count: 8, ..s.format }, arguments.to_owned()),
    };
    let address = s.evaluate(if address.is_empty() { "$pc" } else { &address })?;
    disassemble(s, AddressSpace::Virtual(s.cpu), address, format.count)
}

fn disassemble(s: &Session, space: AddressSpace, address: u64, count: usize) -> Answer {
    let lines = s.control.disassemble(space, address, count).map_err(plain)?;
    Ok(lines.iter().map(|line| s.listed(line)).collect())
}

fn print(s: &mut Session, arguments: &str) -> Answer {
    let (format, expression) = match arguments.strip_prefix('/') {
        Some(_) => split_format(s, arguments)?,
        None => (Format::default(), arguments.to_owned()),
    };
    let value = s.evaluate(&expression)?;
    Ok(match format.letter {
        'd' => format!("{}", value as i64),
        'u' => format!("{value}"),
        'o' => format!("{value:#o}"),
        'c' => Format { size: 1, ..format }.number(value & 0xff),
        'x' => format!("{value:#x}"),
        other => return Err(format!("/{other}: numbers are x d u o or c")),
    })
}

fn gva2gpa(s: &mut Session, address: &str) -> Answer {
    let address = s.evaluate(address)?;
    let walk = s.control.translate(s.cpu, address).map_err(plain)?;
    let first = match walk.physical {
        Some(physical) => format!("gpa: {physical:#x}\n"),
        None => "unmapped\n".to_owned(),
    };
    Ok(walk.steps.iter().fold(first, |text, step| text + "  " + step + "\n"))
}

fn cpu(s: &mut Session, number: &str) -> Answer {
    let number = s.evaluate(number)?;
    let id = u32::try_from(number).map(CpuId).ok().filter(|id| s.control.cpus().iter().any(|c| c.id == *id));
    s.cpu = id.ok_or_else(|| format!("there is no CPU {number}"))?;
    Ok(String::new())
}

fn break_at(s: &mut Session, address: &str) -> Answer {
    let address = s.evaluate(address)?;
    add(s, Breakpoint { kind: BreakpointKind::Execute, address, len: 1 })
}

fn watch(s: &mut Session, arguments: &str) -> Answer {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let (address, len, kind) = match words.as_slice() {
        [address] => (*address, "4", "w"),
        [address, len] => (*address, *len, "w"),
        [address, len, kind] => (*address, *len, *kind),
        _ => return Err("an address is missing".into()),
    };
    let kind = match kind {
        "r" => BreakpointKind::Read,
        "w" => BreakpointKind::Write,
        "a" | "rw" => BreakpointKind::Access,
        _ => return Err(format!("'{kind}' is neither r, w nor a")),
    };
    add(s, Breakpoint { kind, address: s.evaluate(address)?, len: s.evaluate(len)?.max(1) })
}

fn add(s: &mut Session, breakpoint: Breakpoint) -> Answer {
    let id = s.control.add_breakpoint(breakpoint).map_err(plain)?;
    s.own.push(id);
    Ok(format!("{} at {:#x}\n", id.0, breakpoint.address))
}

fn delete(s: &mut Session, which: &str) -> Answer {
    if which == "all" {
        for id in s.own.drain(..) {
            s.control.remove_breakpoint(id);
        }
        return Ok(String::new());
    }
    let number = s.evaluate(which)?;
    let id =
        u32::try_from(number).map(BreakpointId).map_err(|_| format!("there is no breakpoint {number}"))?;
    s.own.retain(|own| *own != id);
    if s.control.remove_breakpoint(id) {
        Ok(String::new())
    } else {
        Err(format!("there is no breakpoint {number}"))
    }
}

fn log(s: &mut Session, text: &str) -> Answer {
    use lyrebird_machine::config::DebugItems;
    if text.is_empty() || text == "help" {
        let now = s.control.debug_items();
        let list =
            name_list("Items", DebugItems::TABLE.iter().map(|i| (i.0, i.2)).chain([("none", "nothing")]));
        let on: Vec<&str> = DebugItems::TABLE.iter().filter(|i| now.contains(i.1)).map(|i| i.0).collect();
        return Ok(format!("{list}on now: {}\n", if on.is_empty() { "none".into() } else { on.join(",") }));
    }
    let items = items("log", text).map_err(|e| e.message)?;
    logging::set_items(items);
    s.control.set_debug_items(items);
    Ok(String::new())
}

fn system_reset(s: &mut Session, _: &str) -> Answer {
    s.control.reset();
    Ok(String::new())
}

fn system_powerdown(s: &mut Session, _: &str) -> Answer {
    s.control.powerdown();
    Ok(String::new())
}

fn quit(s: &mut Session, _: &str) -> Answer {
    s.control.quit(0);
    Ok(String::new())
}
