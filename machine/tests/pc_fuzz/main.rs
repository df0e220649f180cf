//! Random accesses to all ports and to all that lies in the memory of each PC board, with garbage for its DMA engines,
//! moving base address registers, time that jumps, keys, resets and snapshots: nothing may panic, hang or take memory
//! without bound. A seed gives the same accesses each time.
//!
//! `LYREBIRD_PC_FUZZ` is the number of steps for each board, `LYREBIRD_PC_FUZZ_SEED` the first seed,
//! `LYREBIRD_PC_FUZZ_SEEDS` how many there are.

mod board;
mod chips;
mod drives;
mod virtio;

use board::{Kind, Pc};
use lyrebird_devices::bus::device::Size;
use lyrebird_devices::bus::rng::Rng;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Steps of each board; a step is one access, or a driver's with some hundreds.
const STEPS: u64 = 40_000;
/// Seeds that are added while a medium was not reached.
const MORE: u64 = 6;
/// Longest that one step may take, on a host that does other things as well.
const LONGEST: Duration = Duration::from_secs(10);
/// Most memory that machines may take besides their RAM, bytes.
const GROWTH: u64 = 192 << 20;

/// What is done next.
fn step(pc: &Pc, rng: &mut Rng) {
    match rng.below(1000) {
        0..290 => {
            let spans = pc.port_spans();
            let port = if rng.below(8) == 0 { rng.below(0x1_0000) } else { inside(&spans, rng) };
            access_port(pc, port, rng);
        }
        290..580 => {
            let spans = pc.memory_spans();
            let at = if rng.below(32) == 0 { rng.draw() } else { inside(&spans, rng) };
            let size = Size::ALL[rng.below(4) as usize];
            let at = if rng.below(4) == 0 { at } else { at & !(size.bytes() - 1) };
            if rng.below(2) == 0 { pc.store(at, size, value(rng)) } else { _ = pc.load(at, size) }
        }
        580..730 => configuration(pc, rng),
        730..820 => {
            let at = rng.below(0x10_0000) & !7;
            (0..rng.below(64)).for_each(|n| pc.poke(at + 8 * n, value(rng)));
        }
        820..835 => chips::floppy(pc, rng),
        835..850 => chips::screen(pc, rng),
        850..860 => chips::timers(pc, rng),
        860..870 => chips::interrupts(pc, rng),
        870..880 => chips::fw_cfg(pc, rng),
        880..890 => chips::keyboard(pc, rng),
        890..895 => chips::serial(pc, rng),
        895..925 => drives::ide(pc, rng),
        925..940 => drives::ahci(pc, rng),
        940..970 => virtio::pci(pc, rng),
        970..980 => virtio::mmio(pc, rng),
        980..997 => pc.pass(match rng.below(16) {
            0 => 3600 * 1_000_000_000,
            1..4 => rng.below(10_000_000_000),
            _ => rng.below(10_000_000),
        }),
        997 => pc.look(),
        998 => pc.snapshot(rng),
        _ => {
            // Not too often: what grew so far is what is looked for.
            if rng.below(8) == 0 {
                pc.reset();
            }
        }
    }
}

/// An access of some width; ports have none of 8 bytes.
fn access_port(pc: &Pc, port: u64, rng: &mut Rng) {
    let size = Size::ALL[rng.below(3) as usize];
    if rng.below(2) == 0 { pc.out(port, size, value(rng)) } else { _ = pc.inp(port, size) }
}

/// An address in one of these spans: near its ends, or anywhere.
fn inside(spans: &[(u64, u64)], rng: &mut Rng) -> u64 {
    let Some(&(first, last)) = spans.get(rng.below(spans.len() as u64) as usize) else { return rng.draw() };
    let len = (last - first).saturating_add(1);
    match rng.below(8) {
        0 => last.wrapping_sub(rng.below(8)),
        1 => first.wrapping_sub(rng.below(8)),
        2..5 => first + rng.below(len.min(0x100)),
        _ => first + rng.below(len),
    }
}

/// A value of the kinds that registers, counts and addresses are.
fn value(rng: &mut Rng) -> u64 {
    match rng.below(10) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << rng.below(64),
        3 | 4 => rng.below(0x100),
        5 => rng.below(0x10_0000),
        6 => rng.draw() >> rng.below(64),
        7 => place(rng),
        _ => rng.draw(),
    }
}

/// Where base address registers and buffers are put: few places, so that they meet.
fn place(rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0 | 1 => 0xE000_0000 + (rng.below(16) << 12),
        2 => 0xC000 + (rng.below(16) << 5),
        3 => rng.below(16) << 12,
        4 => (board::RAM & !0xFFF) - (rng.below(4) << 12),
        5 => 0xFEC0_0000 + (rng.below(0x40) << 16),
        6 => 0xFFFF_F000,
        _ => u64::MAX - rng.below(0x2000),
    }
}

/// PCI's configuration space by its ports, and by memory where a board has it there.
fn configuration(pc: &Pc, rng: &mut Rng) {
    let functions = pc.functions();
    let devfn = match functions.get(rng.below(1 + functions.len() as u64) as usize) {
        Some(&devfn) => u64::from(devfn),
        None => rng.below(256),
    };
    let reg = match rng.below(4) {
        0 => 4,
        1 => 0x10 + 4 * rng.below(6),
        _ => rng.below(0x100),
    };
    let size = Size::ALL[rng.below(3) as usize];
    let value = match (reg, rng.below(4)) {
        // Functions that decode and master are the ones that do something.
        (4, _) => 7,
        (0x10..0x28, 0..3) => place(rng),
        _ => value(rng),
    };
    if rng.below(4) == 0 {
        let at = 0xB000_0000 | rng.below(2) << 20 | devfn << 12 | rng.below(0x1000);
        if rng.below(2) == 0 {
            pc.store(at, size, value)
        } else {
            _ = pc.load(at, size)
        }
        return;
    }
    pc.out(0xCF8, Size::B4, 1 << 31 | devfn << 8 | reg & 0xFC);
    let port = 0xCFC + (reg & 3);
    if rng.below(3) == 0 { _ = pc.inp(port, size) } else { pc.out(port, size, value) }
}

/// Memory that this process has of its own, without guests' RAM, bytes: guests' is what may have huge pages. `None` on
/// hosts that have none, where nothing tells guests' RAM from the rest.
fn resident() -> Option<u64> {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let (mut mapping, mut sum, mut guests) = (0, 0, 0);
    for line in maps.lines() {
        if let Some(rest) = line.strip_prefix("Anonymous:") {
            mapping = rest.trim().strip_suffix(" kB").and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        } else if let Some(flags) = line.strip_prefix("VmFlags:") {
            let huge = flags.split(' ').any(|flag| flag == "hg");
            guests += huge as u32;
            sum += if huge { 0 } else { mapping };
        }
    }
    assert!(sum != 0, "the host does not tell what is resident");
    (guests != 0).then_some(sum << 10)
}

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(or)
}

/// Media that drivers' commands reach, or there would be little to find.
fn media(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Pc | Kind::Q35 => &["disk", "floppy", "virtio"],
        Kind::Isa => &["disk", "floppy"],
        Kind::Microvm => &["virtio"],
    }
}

/// One machine's life. Gives the media that were written to.
fn fuzz(kind: Kind, seed: u64, steps: u64) -> Vec<&'static str> {
    let pc = Pc::new(kind, seed);
    let mut rng = Rng::new(seed);
    let before = resident();
    if before.is_none() {
        eprintln!("{kind:?}: not looking at the memory that it takes, the host has no huge pages");
    }
    for n in 0..steps {
        let begin = Instant::now();
        pc.mark(n);
        step(&pc, &mut rng);
        let took = begin.elapsed();
        assert!(took < LONGEST, "{kind:?}, seed {seed}, step {n}: it took {took:?}");
        if let Some(before) = before
            && n % 4096 == 0
        {
            let grown = resident().expect("the guest's RAM is there still").saturating_sub(before);
            assert!(grown < GROWTH, "{kind:?}, seed {seed}, step {n}: it takes {} MiB more", grown >> 20);
        }
    }
    let written = pc.written();
    // It still is a machine.
    pc.reset();
    pc.look();
    written
}

/// All seeds of a board, in a thread that is watched.
fn watched(kind: Kind) {
    let steps = number("LYREBIRD_PC_FUZZ", STEPS);
    let first = number("LYREBIRD_PC_FUZZ_SEED", 1);
    let seeds = number("LYREBIRD_PC_FUZZ_SEEDS", 1);
    let log = board::log();
    let (tell, told) = channel();
    let inner = log.clone();
    let run = std::thread::spawn(move || {
        board::keep(inner);
        let mut written = Vec::new();
        let missing = |written: &[&str]| media(kind).iter().any(|name| !written.contains(name));
        for n in 0..seeds + MORE {
            if n < seeds || steps >= STEPS && missing(&written) {
                written.extend(fuzz(kind, first + n, steps));
            }
        }
        assert!(steps < STEPS || !missing(&written), "{kind:?}: only {written:?} were written to");
        let _ = tell.send(());
    });
    // A hundred times what it takes.
    let patience = Duration::from_secs(120 + steps * (seeds + MORE) / 200);
    let outcome = told.recv_timeout(patience);
    assert_ne!(outcome, Err(RecvTimeoutError::Timeout), "it hangs:\n{}", log.lock().text());
    if run.join().is_err() {
        panic!("{kind:?}: what was done last:\n{}", log.lock().text());
    }
}

#[test]
fn pc() {
    watched(Kind::Pc);
}

#[test]
fn q35() {
    watched(Kind::Q35);
}

#[test]
fn isapc() {
    watched(Kind::Isa);
}

#[test]
fn microvm() {
    watched(Kind::Microvm);
}
