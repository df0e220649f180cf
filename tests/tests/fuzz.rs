//! The fuzz targets over their seeds, mutations of those, and inputs that once found something. `LYREBIRD_FUZZ_ROUNDS` asks
//! for more mutations, `LYREBIRD_FUZZ_CORPUS` writes the seeds to a folder, for libFuzzer to start from.

use lyrebird_devices::bus::rng::Rng;
use lyrebird_tests::fuzz::{TARGETS, Target, mutate};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Runs an input; one that panics is kept, to be looked at.
fn try_it(target: &Target, bytes: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes))) {
        let path = std::env::temp_dir().join(format!("lyrebird-fuzz-{}-{:08x}", target.name, sum(bytes)));
        let _ = std::fs::write(&path, bytes);
        eprintln!("target {}: the input is in {}", target.name, path.display());
        std::panic::resume_unwind(panic);
    }
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

fn rounds() -> usize {
    std::env::var("LYREBIRD_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000)
}

fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|t| t.name == name).expect("a target of this name");
    let seeds = (target.seeds)();
    if let Some(corpus) = std::env::var_os("LYREBIRD_FUZZ_CORPUS") {
        let corpus = Path::new(&corpus).join(name);
        std::fs::create_dir_all(&corpus).expect("the folder");
        for seed in &seeds {
            std::fs::write(corpus.join(format!("seed-{:08x}", sum(seed))), seed).expect("a seed");
        }
    }
    try_it(target, &[]);
    seeds.iter().for_each(|seed| try_it(target, seed));
    let found = std::fs::read_dir(folder().join("regressions").join(name));
    for entry in found.into_iter().flatten() {
        try_it(target, &std::fs::read(entry.expect("an entry").path()).expect("an input"));
    }
    let mut rng = Rng::new(u64::from(sum(name.as_bytes())));
    let mut last = Vec::new();
    for round in 0..rounds() {
        // Some mutations are mutated again.
        let from = if round % 4 == 3 { &last } else { &seeds[round % seeds.len()] };
        last = mutate(from, &mut rng);
        try_it(target, &last);
    }
}

/// A test for each target.
macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { fuzz(stringify!($name)); })*
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! { decoder kernel dtb qcow2 gicv2 gicv3 pl011 fw_cfg virtio suite pc_kernel pc_chips }

/// Every target is tested here and has its program in `tests/fuzz`.
#[test]
fn programs_are_complete() {
    let names: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
    assert_eq!(names, TESTED);
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest");
    let mut files: Vec<String> = std::fs::read_dir(folder().join("fuzz_targets"))
        .expect("the programs")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut wanted: Vec<String> = names.iter().map(|name| format!("{name}.rs")).collect();
    wanted.sort();
    assert_eq!(files, wanted);
    for name in names {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} is not in the manifest"
        );
        let program =
            std::fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).expect("a program");
        let target = TARGETS.iter().position(|t| t.name == name).expect("a target");
        assert!(program.contains(&format!("TARGETS[{target}]")), "{name} runs another target");
    }
}
