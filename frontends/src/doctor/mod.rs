//! `lyrebird doctor`: what this host can do, and what is missing for optional things.

mod probe;

use std::fmt::Write;
use std::fs::{self, File};
use std::path::PathBuf;

use crate::cli::number::show_size;
use crate::exit::ExitClass;

/// How a finding reads.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    /// There.
    Ok,
    /// Missing, and only something optional needs it.
    Optional,
    /// Missing, and guests cannot run well or at all.
    Bad,
}

struct Finding {
    mark: Mark,
    name: String,
    note: String,
}

fn found(name: impl Into<String>, note: impl Into<String>) -> Finding {
    Finding { mark: Mark::Ok, name: name.into(), note: note.into() }
}

fn lacks(mark: Mark, name: impl Into<String>, note: impl Into<String>) -> Finding {
    Finding { mark, name: name.into(), note: note.into() }
}

/// The report, and the exit code: 6 if something needed is missing.
pub fn report() -> (String, u8) {
    let sections = [
        ("Host", host()),
        ("Processor features that compiled code uses", processor()),
        ("Memory", memory()),
        ("KVM (for guests of the host's own architecture, later)", vec![kvm()]),
        ("Optional tools", tools()),
    ];
    let mut text = format!("lyrebird {}\n", env!("CARGO_PKG_VERSION"));
    let mut bad = false;
    for (title, findings) in sections {
        let _ = writeln!(text, "\n{title}");
        let width = findings.iter().map(|f| f.name.len()).max().unwrap_or(0);
        for finding in findings {
            bad |= finding.mark == Mark::Bad;
            let mark = match finding.mark {
                Mark::Ok => "ok",
                Mark::Optional => "--",
                Mark::Bad => "NO",
            };
            let _ = writeln!(text, "  {mark}  {:width$}  {}", finding.name, finding.note);
        }
    }
    let verdict =
        if bad { "Something needed is missing: see NO above." } else { "Everything needed is there." };
    let _ = writeln!(text, "\n{verdict}");
    (text, if bad { ExitClass::Host.code() } else { 0 })
}

fn host() -> Vec<Finding> {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        found("processor", model.unwrap_or_else(|| "unknown".into())),
        found("usable CPUs", format!("{cpus}; -smp beyond this number shares them")),
        found("kernel", kernel.trim()),
    ]
}

/// One line for each feature: present or not, and what it is for.
macro_rules! features {
    ($($name:tt: $mark:expr, $use:literal;)*) => {
        vec![$(
            if std::arch::is_x86_feature_detected!($name) {
                found($name, $use)
            } else {
                lacks($mark, $name, concat!($use, ": slower without"))
            }
        ),*]
    };
}

fn processor() -> Vec<Finding> {
    features! {
        "sse2": Mark::Bad, "scalar and vector floating point";
        "sse4.1": Mark::Optional, "rounding, blends, element access";
        "popcnt": Mark::Optional, "bit counts";
        "lzcnt": Mark::Optional, "CLZ";
        "bmi1": Mark::Optional, "bit-field extraction";
        "bmi2": Mark::Optional, "shifts without flags";
        "avx": Mark::Optional, "three-operand vectors";
        "avx2": Mark::Optional, "integer vectors";
        "fma": Mark::Optional, "FMADD and FMLA";
        "f16c": Mark::Optional, "half precision";
        "aes": Mark::Optional, "AESE and AESD";
        "pclmulqdq": Mark::Optional, "PMULL";
        "sha": Mark::Optional, "SHA1 and SHA256";
        "avx512f": Mark::Optional, "32 vector registers, as the guest has";
        "avx512vl": Mark::Optional, "32 vector registers, as the guest has";
        "avx512bw": Mark::Optional, "byte and halfword lanes";
        "avx512dq": Mark::Optional, "64-bit conversions and products";
    }
}

fn memory() -> Vec<Finding> {
    let field = |text: &str, name: &str| -> Option<u64> {
        let line = text.lines().find(|l| l.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
    };
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mebibytes = |bytes: u64| show_size(bytes >> 20 << 20);
    let available = match field(&info, "MemAvailable:") {
        Some(bytes) => found("available", mebibytes(bytes)),
        None => lacks(Mark::Optional, "available", "unknown"),
    };
    let executable = match probe::executable_memfd() {
        Ok(()) => found("executable memfd", "the code cache can be mapped twice, writable and executable"),
        Err(e) => {
            lacks(Mark::Bad, "executable memfd", format!("{e}: -accel jit cannot run; use -accel interp"))
        }
    };
    let huge = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/shmem_enabled").unwrap_or_default();
    let huge = if huge.contains("[never]") || huge.contains("[deny]") || huge.is_empty() {
        lacks(
            Mark::Optional,
            "huge pages for guest RAM",
            "off in /sys/kernel/mm/transparent_hugepage/shmem_enabled",
        )
    } else {
        found("huge pages for guest RAM", huge.trim())
    };
    vec![available, executable, huge]
}

fn kvm() -> Finding {
    match File::options().read(true).write(true).open("/dev/kvm") {
        Err(e) => lacks(Mark::Optional, "/dev/kvm", format!("{e}; not needed for Arm guests")),
        Ok(kvm) => match probe::kvm_version(&kvm) {
            Ok(12) => found("/dev/kvm", "API version 12; not used for Arm guests"),
            Ok(version) => {
                lacks(Mark::Optional, "/dev/kvm", format!("API version {version} is not the stable one, 12"))
            }
            Err(e) => lacks(Mark::Optional, "/dev/kvm", format!("does not answer: {e}")),
        },
    }
}

fn tools() -> Vec<Finding> {
    let wanted = [
        ("gdb-multiarch", "debugging guests through -gdb"),
        ("qemu-img", "making, converting and checking disk images"),
        ("e2fsck", "checking guests' file systems"),
        ("perf", "profiling compiled code (-accel jit,perfmap=on)"),
        ("aarch64-linux-gnu-gcc", "building benchmark guests (cargo xtask bench)"),
        ("qemu-aarch64", "recording test vectors (cargo xtask vectors)"),
        ("qemu-system-aarch64", "comparing speed (cargo xtask bench)"),
        ("debootstrap", "making the Debian root disk (cargo xtask guests)"),
    ];
    wanted
        .into_iter()
        .map(|(tool, what)| match in_path(tool) {
            Some(path) => found(tool, format!("{} ({what})", path.display())),
            None => lacks(Mark::Optional, tool, format!("not found: {what}")),
        })
        .collect()
}

fn in_path(tool: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(tool))
        .find(|file| fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_report_has_every_section() {
        let (text, code) = super::report();
        for word in ["Host", "sse2", "executable memfd", "/dev/kvm", "gdb-multiarch"] {
            assert!(text.contains(word), "{text}");
        }
        assert!(code == 0 || text.contains("NO"));
    }
}
