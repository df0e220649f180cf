//! `info`: one row for each subject.

use std::fmt::Write;

use lyrebird_machine::control::{CpuId, RegisterInfo, RegisterKind, Report};

use super::commands::Answer;
use super::seat;
use super::session::Session;
use crate::options::name_list;
use crate::suggest::hint;

/// A subject.
pub struct Subject {
    /// Its name.
    pub name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&mut Session, &str) -> Answer,
}

/// All subjects in the order of help.
pub const SUBJECTS: &[Subject] = &[
    Subject {
        name: "registers",
        arguments: "[-a] [group]",
        help: "registers of the current CPU, or of all; group is core (default), another one, or all",
        run: registers,
    },
    Subject { name: "cpus", arguments: "", help: "processors and where they are", run: cpus },
    Subject {
        name: "tlb",
        arguments: "",
        help: "valid TLB entries",
        run: |s, _| report(s, Report::Tlb(s.cpu)),
    },
    Subject {
        name: "mem",
        arguments: "",
        help: "virtual address ranges that are mapped",
        run: |s, _| report(s, Report::Mem(s.cpu)),
    },
    Subject {
        name: "mtree",
        arguments: "",
        help: "physical address map",
        run: |s, _| report(s, Report::Mtree),
    },
    Subject { name: "qtree", arguments: "", help: "devices", run: |s, _| report(s, Report::Qtree) },
    Subject { name: "irq", arguments: "", help: "interrupt lines", run: |s, _| report(s, Report::Irq) },
    Subject { name: "pci", arguments: "", help: "PCI functions", run: |s, _| report(s, Report::Pci) },
    Subject { name: "screen", arguments: "", help: "the text on the screen", run: seat::text },
    Subject {
        name: "jit",
        arguments: "",
        help: "counters of the engine",
        run: |s, _| report(s, Report::Jit),
    },
    Subject {
        name: "block",
        arguments: "",
        help: "drives and their images",
        run: |s, _| report(s, Report::Block),
    },
    Subject { name: "breakpoints", arguments: "", help: "breakpoints and watchpoints", run: breakpoints },
    Subject {
        name: "status",
        arguments: "",
        help: "whether the guest runs",
        run: |s, _| Ok(format!("VM status: {}\n", s.control.status())),
    },
    Subject {
        name: "version",
        arguments: "",
        help: "this program's version",
        run: |_, _| Ok(format!("{}\n", env!("CARGO_PKG_VERSION"))),
    },
];

/// The command.
pub fn info(session: &mut Session, arguments: &str) -> Answer {
    let (name, rest) = arguments.split_once(char::is_whitespace).unwrap_or((arguments, ""));
    if name.is_empty() || name == "help" {
        return Ok(list());
    }
    match SUBJECTS.iter().find(|s| s.name == name) {
        Some(subject) => (subject.run)(session, rest.trim()),
        None => Err(format!("unknown subject: '{name}'{}", hint(name, SUBJECTS.iter().map(|s| s.name)))),
    }
}

/// The subjects with their help.
pub fn list() -> String {
    let rows: Vec<(String, &str)> =
        SUBJECTS.iter().map(|s| (format!("info {} {}", s.name, s.arguments), s.help)).collect();
    name_list("Subjects", rows.iter().map(|r| (r.0.as_str(), r.1)))
}

fn report(s: &Session, report: Report) -> Answer {
    s.control.report(report).map_err(|e| e.to_string())
}

fn registers(s: &mut Session, arguments: &str) -> Answer {
    let mut all = false;
    let groups = s.control.register_groups();
    let mut wanted = groups.first().map_or("core", |g| g.name);
    for word in arguments.split_whitespace() {
        match word {
            "-a" => all = true,
            group => wanted = group,
        }
    }
    let cpus = if all { s.control.cpus().iter().map(|c| c.id).collect() } else { vec![s.cpu] };
    let mut text = String::new();
    for cpu in cpus {
        let _ = writeln!(text, "\nCPU#{}", cpu.0);
        text.push_str(&register_text(s, cpu, wanted)?);
    }
    Ok(text)
}

/// The registers of one group, or of all, in lines of at most 110 columns.
fn register_text(s: &Session, cpu: CpuId, wanted: &str) -> Answer {
    let groups = s.control.register_groups();
    if wanted != "all" && !groups.iter().any(|g| g.name == wanted) {
        let names: Vec<&str> = groups.iter().map(|g| g.name).collect();
        return Err(format!("unknown group '{wanted}'; there are {} and all", names.join(", ")));
    }
    let mut text = String::new();
    for (index, group) in groups.iter().enumerate().filter(|(_, g)| wanted == "all" || g.name == wanted) {
        let values = s.control.read_group(cpu, index).map_err(|e| e.to_string())?;
        let name_width = group.registers.iter().map(|r| r.name.len()).max().unwrap_or(0);
        let digits_of = |r: &RegisterInfo| usize::from(r.bits).div_ceil(4);
        let numbers = group.registers.iter().filter(|r| r.kind != RegisterKind::Vector);
        let most = numbers.map(digits_of).max().unwrap_or(0);
        let mut column = 0;
        for (register, value) in group.registers.iter().zip(values) {
            let digits = digits_of(register);
            let item = format!("{:>name_width$}={value:0digits$x}", register.name.to_uppercase());
            if column > 0 && column + 1 + item.len() > 110 {
                text.push('\n');
                column = 0;
            }
            if column > 0 {
                text.push(' ');
                column += 1;
            }
            column += item.len();
            text.push_str(&item);
            // Some registers are narrower than their group's others: pad, so that columns stay.
            let missing = most.saturating_sub(digits);
            text.push_str(&" ".repeat(missing));
            column += missing;
        }
        if column > 0 {
            text.push('\n');
        }
    }
    Ok(text.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

fn cpus(s: &mut Session, _: &str) -> Answer {
    let mut text = String::new();
    for cpu in s.control.cpus() {
        let mark = if cpu.id == s.cpu { '*' } else { ' ' };
        let _ = write!(text, "{mark} CPU #{}: {} pc={:#018x}", cpu.id.0, cpu.model, cpu.pc);
        if let Some(thread) = cpu.thread {
            let _ = write!(text, " thread_id={thread}");
        }
        if !cpu.powered {
            text.push_str(" (off)");
        } else if cpu.halted {
            text.push_str(" (halted)");
        }
        text.push('\n');
    }
    Ok(text)
}

fn breakpoints(s: &mut Session, _: &str) -> Answer {
    let list = s.control.breakpoints();
    if list.is_empty() {
        return Ok("none\n".into());
    }
    Ok(list
        .iter()
        .map(|(id, b)| format!("{:>3} {:?} at {:#x}, {} bytes\n", id.0, b.kind, b.address, b.len))
        .collect())
}
