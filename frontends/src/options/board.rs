//! `-machine -cpu -smp -m -accel`.

use lyrebird_machine::config::{ENGINES, Smp};

use super::personality::Personality;
use super::{Invocation, Stop, boards, name_list};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::{KeyVals, one_of};
use crate::cli::number::parse_size;
use crate::exit::{ExitClass, Failure};
use crate::suggest::hint;

/// `-machine`; several of them add up.
pub fn machine(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    let offers = out.personality.boards();
    let mut chosen = &offers[0];
    let mut board = out.personality.board();
    out.config.accel.engine = out.personality.engine();
    for text in &args.machine {
        if text == "help" || text == "?" {
            let rows = offers.iter().map(|b| (b.name, b.about));
            return Err(Stop::Help(name_list("Boards (-machine)", rows)));
        }
        // A first item with `=` is a property, not the board's name.
        let mut kv = KeyVals::parse("machine", text, Some("type"))?;
        if let Some(name) = kv.take("type").filter(|name| name != "help") {
            chosen = offers.iter().find(|b| b.is(&name)).ok_or_else(|| {
                let names: Vec<&str> = offers.iter().map(|b| b.name).collect();
                Failure::usage(format!(
                    "-machine {name}: no such board{}\nvalid here: {}; 'lyrebird run -machine help' describes them",
                    hint(&name, names.iter().copied()),
                    names.join(", ")
                ))
            })?;
        }
        if text.split(',').any(|item| item == "help") {
            let title = format!("Properties of {}", chosen.name);
            let rows = chosen.properties.iter().chain(boards::COMMON);
            return Err(Stop::Help(name_list(&title, rows.copied())));
        }
        (chosen.read)(&mut kv, &mut board)?;
        if let Some(names) = kv.take("accel") {
            engine(&names, "machine accel=", out)?;
        }
        boards::off_only(&mut kv, "usb")?;
        kv.take_or_auto("graphics")?;
        kv.finish()?;
    }
    out.config.board = board;
    Ok(())
}

/// `-cpu`.
pub fn cpu(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    let (models, switches) = (out.personality.cpus(), out.personality.switches());
    out.config.cpu.model = out.personality.cpu().to_owned();
    let Some(text) = &args.cpu else { return Ok(()) };
    if text == "help" || text == "?" || text.split(',').any(|item| item == "help") {
        let mut help = name_list("Processor models (-cpu)", models.iter().copied());
        if !switches.is_empty() {
            help += "\n";
            help += &name_list("Switches (-cpu MODEL,switch=on|off)", switches.iter().copied());
        }
        return Err(Stop::Help(help));
    }
    let mut kv = KeyVals::parse("cpu", text, Some("model"))?;
    let model = kv.take("model").ok_or_else(|| kv.missing("model"))?;
    let names: Vec<&str> = models.iter().map(|m| m.0).collect();
    if model == "host" {
        return Err(Failure::new(
            ExitClass::Impossible,
            format!(
                "-cpu host: guests do not run on the host's processor itself; use one of: {}",
                one_of(&names)
            ),
        )
        .into());
    }
    if !names.contains(&model.as_str()) {
        return Err(Failure::usage(format!(
            "-cpu {model}: no such processor model{}\nvalid here: {}",
            hint(&model, names.iter().copied()),
            names.join(", ")
        ))
        .into());
    }
    let mut features = Vec::new();
    for (key, value) in kv.take_rest() {
        // QEMU's short forms.
        let (key, value) = match (key.strip_prefix('+'), key.strip_prefix('-')) {
            (Some(name), _) => (name.to_owned(), "on".to_owned()),
            (_, Some(name)) => (name.to_owned(), "off".to_owned()),
            _ => (key, value),
        };
        let known = switches.iter().map(|f| f.0);
        if !known.clone().any(|name| name == key) {
            return Err(Failure::usage(format!(
                "-cpu {model}: unknown switch '{key}'{}\nvalid here: {}",
                hint(&key, known.clone()),
                known.collect::<Vec<_>>().join(", ")
            ))
            .into());
        }
        let value = match value.as_str() {
            "on" | "yes" | "true" => "on",
            "off" | "no" | "false" => "off",
            _ => return Err(kv.bad(&key, &value, "use on or off").into()),
        };
        if key == "aarch64" && value == "off" {
            return Err(Failure::new(
                ExitClass::Impossible,
                "-cpu aarch64=off: AArch32 is not available yet",
            )
            .into());
        }
        features.push((key, value.to_owned()));
    }
    out.config.cpu.model = model;
    out.config.cpu.features = features;
    Ok(())
}

/// `-smp`: what is left out is filled in, cores before sockets.
pub fn smp(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    let Some(text) = &args.smp else { return Ok(()) };
    let mut kv = KeyVals::parse("smp", text, Some("cpus"))?;
    let cpus = kv.take_u32("cpus")?;
    let max = kv.take_u32("maxcpus")?;
    let [sockets, clusters, cores, threads] =
        [kv.take_u32("sockets")?, kv.take_u32("clusters")?, kv.take_u32("cores")?, kv.take_u32("threads")?];
    kv.finish()?;
    if [cpus, max, sockets, clusters, cores, threads].contains(&Some(0)) {
        return Err(Failure::usage(format!("-smp {text}: zero processors make no machine")).into());
    }
    let (clusters, threads) = (clusters.unwrap_or(1), threads.unwrap_or(1));
    let wanted = cpus.or(max);
    let fill =
        |n: u32, by: u32| u128::from(n) / (u128::from(by) * u128::from(clusters) * u128::from(threads));
    let (sockets, cores) = match (sockets, cores, wanted) {
        (sockets, None, Some(n)) => (u128::from(sockets.unwrap_or(1)), fill(n, sockets.unwrap_or(1))),
        (None, Some(cores), Some(n)) => (fill(n, cores), u128::from(cores)),
        (sockets, cores, _) => (u128::from(sockets.unwrap_or(1)), u128::from(cores.unwrap_or(1))),
    };
    let product = sockets * u128::from(clusters) * cores * u128::from(threads);
    let cpus = wanted.map_or(product, u128::from);
    if product != cpus {
        return Err(mismatch(
            text,
            &format!(
                "{sockets} sockets * {clusters} clusters * {cores} cores * {threads} threads is {product}, not {cpus}"
            ),
        ));
    }
    if max.is_some_and(|m| u128::from(m) != cpus) {
        return Err(mismatch(text, "processors cannot be plugged in later: leave out maxcpus"));
    }
    let narrow =
        |n: u128| u32::try_from(n).map_err(|_| mismatch(text, "no machine has that many processors"));
    let (cpus, sockets, cores) = (narrow(cpus)?, narrow(sockets)?, narrow(cores)?);
    out.config.smp = Smp { cpus, sockets, clusters, cores, threads };
    Ok(())
}

fn mismatch(text: &str, why: &str) -> Stop {
    Failure::new(ExitClass::Impossible, format!("-smp {text}: {why}")).into()
}

/// `-m`.
pub fn memory(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    const MIB: u64 = 1 << 20;
    let Some(text) = &args.memory else { return Ok(()) };
    let mut kv = KeyVals::parse("m", text, Some("size"))?;
    let size = kv.take_size("size", MIB)?;
    let slots = kv.take_u32("slots")?.unwrap_or(0);
    let max = kv.take("maxmem");
    kv.finish()?;
    let bytes = size.unwrap_or(out.config.ram);
    if slots != 0 || max.is_some_and(|m| parse_size(&m, MIB) != Some(bytes)) {
        return Err(Failure::new(
            ExitClass::Impossible,
            format!("-m {text}: memory cannot be plugged in later: leave out slots and maxmem"),
        )
        .into());
    }
    if bytes == 0 {
        return Err(Failure::usage(format!(
            "-m {text}: a machine needs memory; for example -m 512 or -m 2G"
        ))
        .into());
    }
    // RAM comes in guest pages of the largest size that a descriptor names singly.
    const PAGE: u64 = 1 << 16;
    out.config.ram = bytes.checked_next_multiple_of(PAGE).ok_or_else(|| {
        Failure::new(ExitClass::Impossible, format!("-m {text}: more than any machine can have"))
    })?;
    Ok(())
}

/// `-accel` and `-enable-kvm`: the first usable engine of a list wins, as in QEMU.
pub fn accel(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    if args.enable_kvm {
        return Err(no_kvm("-enable-kvm", &[], out.personality).into());
    }
    let mut refused: Option<Failure> = None;
    for text in &args.accel {
        if text == "help" || text == "?" {
            let rows = ENGINES.iter().map(|e| (e.0, e.2));
            let mut help = name_list("Engines (-accel)", rows);
            help.push_str("  tcg     the same as jit, for scripts written for QEMU\n\n");
            help.push_str(&name_list("Properties", ACCEL_PROPERTIES.iter().copied()));
            return Err(Stop::Help(help));
        }
        let mut kv = KeyVals::parse("accel", text, Some("accel"))?;
        let name = kv.take("accel").ok_or_else(|| kv.missing("accel"))?;
        match engine(&name, "accel ", out) {
            Err(Stop::Failure(f)) if f.class == ExitClass::Impossible => {
                refused = Some(f);
                continue;
            }
            other => other?,
        }
        let accel = &mut out.config.accel;
        accel.cache_mib = kv.take_u32("tb-size")?.or(accel.cache_mib);
        let threads = [("single", true), ("multi", false)];
        accel.single_thread = kv.take_enum("thread", &threads)?.or(accel.single_thread);
        accel.one_insn_per_block = kv.take_bool("one-insn-per-tb")?.unwrap_or(accel.one_insn_per_block);
        accel.perf_map = kv.take_bool("perfmap")?.unwrap_or(accel.perf_map);
        accel.options = kv.take_rest();
        return Ok(());
    }
    refused.map_or(Ok(()), |f| Err(f.into()))
}

const ACCEL_PROPERTIES: &[(&str, &str)] = &[
    ("tb-size", "size of the code cache in MiB"),
    ("thread", "multi: processors run side by side (default); single: they take turns"),
    ("one-insn-per-tb", "blocks of one instruction, for traces"),
    ("perfmap", "write /tmp/perf-PID.map for the perf tool"),
    ("report", "verify: file for the report of a divergence (default lyrebird-verify-N.txt)"),
];

/// Picks the engine of one name or of a list `a:b`, the first that can be.
fn engine(names: &str, before: &str, out: &mut Invocation) -> Result<(), Stop> {
    let mut only_kvm = false;
    for name in names.split(':') {
        let name = if name == "tcg" { "jit" } else { name };
        if let Some((_, kind, _)) = ENGINES.iter().find(|e| e.0 == name) {
            out.config.accel.engine = *kind;
            return Ok(());
        }
        only_kvm = name == "kvm" || name == "hvf" || name == "xen";
        if !only_kvm {
            let valid: Vec<&str> = ENGINES.iter().map(|e| e.0).chain(["tcg"]).collect();
            return Err(Failure::usage(format!(
                "-{before}{name}: no such engine{}\nvalid here: {}",
                hint(name, valid.iter().copied()),
                valid.join(", ")
            ))
            .into());
        }
    }
    debug_assert!(only_kvm);
    Err(no_kvm(&format!("-{before}{names}"), &["jit", "interp"], out.personality).into())
}

fn no_kvm(option: &str, instead: &[&str], personality: Personality) -> Failure {
    let advice = if instead.is_empty() { "leave it out" } else { "use -accel jit" };
    let why = match personality {
        Personality::Aarch64 => "an AArch64 guest cannot use the hardware of an x86-64 host",
        Personality::X86_64 | Personality::I386 => "guests do not run on the host's processor itself yet",
    };
    Failure::new(ExitClass::Impossible, format!("{option}: {why}; {advice}"))
}
