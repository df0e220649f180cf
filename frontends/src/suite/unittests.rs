//! kvm-unit-tests' `unittests.cfg`: groups of `name = value` lines, one for each test, as its scripts read them.
//!
//! Known are file, smp, extra_params (qemu_params), test_args, groups, arch, accel, check and timeout; `disabled_if`,
//! a shell's condition on how the tests were built, is not looked at. The programs lie beside the file.

use std::path::Path;
use std::time::Duration;

use super::guests::{DEBUG_EXIT, Guest, Verdict, machine, split};
use super::report::{Outcome, Record};
use super::{Common, Work, unusable};
use crate::cli::args::TestArgs;
use crate::exit::Failure;

/// Processors of a test that wants as many as there are.
const MANY: u32 = 4;

/// A test as the file describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    name: String,
    file: String,
    smp: String,
    params: String,
    arguments: String,
    groups: String,
    arch: String,
    accel: String,
    check: String,
    timeout: String,
}

/// Reads the file's text.
///
/// # Errors
/// With the number of a line that cannot be understood, and why.
fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut all: Vec<Entry> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((n, line)) = lines.next() {
        let line = line.trim();
        let n = n + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let name = name.strip_suffix(']').ok_or_else(|| format!("line {n}: a name ends with ]"))?;
            all.push(Entry { name: name.to_owned(), ..Entry::default() });
            continue;
        }
        let (key, value) =
            line.split_once('=').ok_or_else(|| format!("line {n}: neither [name] nor key = value"))?;
        let mut value = value.trim().to_owned();
        if let Some(rest) = value.strip_prefix("\"\"\"").map(str::to_owned) {
            // Text over several lines.
            value = rest;
            while !value.contains("\"\"\"") {
                let (_, more) = lines.next().ok_or_else(|| format!("line {n}: the text has no end"))?;
                value.push(' ');
                value.push_str(more.trim());
            }
            value.truncate(value.find("\"\"\"").unwrap_or(value.len()));
        }
        let Some(entry) = all.last_mut() else { return Err(format!("line {n}: no [name] before it")) };
        match key.trim() {
            "file" => entry.file = value,
            "smp" => entry.smp = value,
            "extra_params" | "qemu_params" => entry.params = value,
            "test_args" => entry.arguments = value,
            "groups" => entry.groups = value,
            "arch" => entry.arch = value,
            "accel" => entry.accel = value,
            "check" => entry.check = value,
            "timeout" => entry.timeout = value,
            _ => {}
        }
    }
    match all.iter().find(|e| e.file.is_empty()) {
        Some(e) => Err(format!("test {} has no file", e.name)),
        None if all.is_empty() => Err("there is no test in it".into()),
        None => Ok(all),
    }
}

/// Whose program a file is, by its ELF header's machine: QEMU's program, and the arch of the configuration.
fn architecture(path: &Path) -> Option<(&'static str, &'static str)> {
    use std::io::Read;
    let mut head = [0; 20];
    std::fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
    match (head.starts_with(b"\x7fELF"), head[4], u16::from_le_bytes([head[18], head[19]])) {
        (true, 1, 3) => Some((crate::cli::args::QEMU[2], "i386")),
        (true, 2, 62) => Some((crate::cli::args::QEMU[1], "x86_64")),
        (true, 2, 183) => Some((crate::cli::args::QEMU[0], "arm64")),
        _ => None,
    }
}

/// Why a test is not run.
fn skipped(e: &Entry, directory: &Path, architecture: Option<&str>) -> Option<String> {
    if !directory.join(&e.file).exists() {
        return Some(format!("{} is not there; build the tests", e.file));
    }
    if architecture.is_none() {
        return Some(format!("{} is for no guest of this program", e.file));
    }
    if !e.accel.is_empty() && e.accel != "tcg" {
        return Some(format!("it needs accel={}", e.accel));
    }
    for check in e.check.split_whitespace() {
        let Some((path, want)) = check.split_once('=') else { continue };
        let got = std::fs::read_to_string(path).unwrap_or_default();
        if got.trim() != want {
            return Some(format!("{path} is not {want}"));
        }
    }
    None
}

/// A test that does not run, and why.
struct Skipped(Record);

impl Work for Skipped {
    fn tests(&self) -> u64 {
        1
    }

    fn run(&self, each: &mut dyn FnMut(Record)) -> Result<(), Failure> {
        each(self.0.clone());
        Ok(())
    }
}

/// The tests of a file.
pub fn plan(path: &Path, args: &TestArgs, common: &Common) -> Result<Vec<Box<dyn Work>>, Failure> {
    let text = std::fs::read(path).map_err(|e| unusable(path, e))?;
    let text = String::from_utf8(text).map_err(|_| unusable(path, "this is no text"))?;
    let entries = parse(&text).map_err(|why| unusable(path, why))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut all: Vec<Box<dyn Work>> = Vec::new();
    for e in &entries {
        let about = format!("{} {}", e.file, e.groups);
        let named = common.filter.as_deref() == Some(&format!("{file}:{}", e.name));
        let default = !e.groups.split_whitespace().any(|g| g == "nodefault");
        if !common.chosen(&file, &e.name, &about) || !default && !named {
            continue;
        }
        if split(&e.params).is_none() || split(&e.arguments).is_none() {
            return Err(unusable(path, format!("test {}: a quote is not closed", e.name)));
        }
        let image = directory.join(&e.file);
        // Multiboot programs for long mode are 32-bit files, so what is asked for goes first.
        let found = architecture(&image);
        let program = match (e.arch.as_str(), found) {
            ("i386", Some(_)) => Some(crate::cli::args::QEMU[2]),
            (_, Some((_, "i386"))) if e.file.ends_with(".flat") || e.arch == "x86_64" => {
                Some(crate::cli::args::QEMU[1])
            }
            (_, found) => found.map(|f| f.0),
        };
        if let Some(why) = skipped(e, directory, program) {
            all.push(Box::new(Skipped(Record {
                file: file.clone(),
                id: e.name.clone(),
                about: e.file.clone(),
                time: Duration::ZERO,
                outcome: Outcome::Skipped(why),
            })));
            continue;
        }
        let words = words(e, &image, program.unwrap_or_default(), args, common);
        let words = words.ok_or_else(|| unusable(path, format!("test {}: a quote is not closed", e.name)))?;
        all.push(Box::new(Guest {
            file: file.clone(),
            id: e.name.clone(),
            image,
            words,
            verdict: Verdict::KvmUnitTests,
            timeout: e.timeout.trim_end_matches('s').parse().ok().filter(|s| *s > 0).map(Duration::from_secs),
            again: format!("-filter {file}:{} {}", e.name, path.display()),
            common: common.clone(),
        }));
    }
    Ok(all)
}

/// The command line of a test; `None` if quotes do not match.
fn words(e: &Entry, image: &Path, program: &str, args: &TestArgs, common: &Common) -> Option<Vec<String>> {
    let mut words = machine(program, args, common);
    let fixed: &[&str] = if program == crate::cli::args::QEMU[0] {
        &[
            "-M",
            "virt",
            "-device",
            "virtio-serial-device",
            "-device",
            "virtconsole,chardev=ctd",
            "-chardev",
            "testdev,id=ctd",
        ]
    } else {
        &["-nodefaults", "-device", "pc-testdev", "-device", DEBUG_EXIT]
    };
    words.extend(fixed.iter().map(|w| (*w).to_owned()));
    words.extend(["-kernel".to_owned(), image.display().to_string()]);
    if !e.smp.is_empty() {
        words.extend(["-smp".to_owned(), e.smp.parse().unwrap_or(MANY).to_string()]);
    }
    words.extend(split(args.args.as_deref().unwrap_or_default())?);
    let mut extra = split(&e.params)?.into_iter();
    while let Some(word) = extra.next() {
        // The model that the user chose holds.
        if word == "-cpu" && args.cpu.is_some() {
            extra.next();
        } else {
            words.push(word);
        }
    }
    let arguments = split(&e.arguments)?;
    if !arguments.is_empty() {
        words.extend(["-append".to_owned(), arguments.join(" ")]);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Comment\n[apic]\nfile = apic.flat\nsmp = 2\nextra_params = -cpu qemu64,+x2apic -append 'a b'\n\
                        arch = x86_64\ntimeout = 30\ngroups = apic nodefault\ncheck = /proc/none=1\n\n\
                        [vmx]\nfile = vmx.flat\nqemu_params = \"\"\"-cpu max\n  -m 1G\"\"\"\ntest_args = \"x y\"\n";

    #[test]
    fn entries_are_read() {
        let all = parse(TEXT).expect("a configuration");
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name.as_str(), all[0].smp.as_str(), all[0].timeout.as_str()), ("apic", "2", "30"));
        assert_eq!(all[1].params, "-cpu max -m 1G");
        assert_eq!(parse("file = x"), Err("line 1: no [name] before it".into()));
        assert_eq!(parse("[a]\nnonsense"), Err("line 2: neither [name] nor key = value".into()));
        assert_eq!(parse("[a]\n"), Err("test a has no file".into()));
        assert!(parse("").is_err() && parse("[a]\nfile=\"\"\"").is_err());
    }

    #[test]
    fn command_lines_are_those_of_the_scripts() {
        let all = parse(TEXT).expect("a configuration");
        let common = Common {
            engine: lyrebird_machine::config::EngineKind::Jit,
            engine_name: "jit",
            command: String::new(),
            filter: None,
            timeout: None,
        };
        let line = |n: usize| {
            let words =
                words(&all[n], Path::new("t.flat"), "qemu-system-x86_64", &TestArgs::default(), &common);
            words.expect("closed quotes").join(" ")
        };
        assert!(line(0).ends_with("-kernel t.flat -smp 2 -cpu qemu64,+x2apic -append a b"), "{}", line(0));
        assert!(line(1).contains("-device isa-debug-exit,iobase=0xf4"), "{}", line(1));
        assert!(line(1).ends_with("-cpu max -m 1G -append x y"), "{}", line(1));
        assert!(skipped(&all[0], Path::new("/nowhere"), None).is_some_and(|why| why.contains("not there")));
    }
}
