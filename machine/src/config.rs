//! What a machine is to be: plain data that a front end fills in and [`BuildError`], the answer when it cannot be.
//!
//! Nothing here opens a file or checks the host. Defaults are those of QEMU's `virt` board; where a front end speaks
//! of an option, the field's doc names it. Character back ends are named by id only: whoever calls the builder hands
//! over the opened back ends, so that this page knows no terminals and sockets.

mod board;
mod device;

pub use board::{Board, GicVersion, MicrovmBoard, PcBoard, PcChipset, VirtBoard};
pub use device::{DeviceConfig, Drive, PciPlace};

use std::net::SocketAddr;
use std::path::PathBuf;

pub use lyrebird_cpu::trace::DebugItems;
pub use lyrebird_devices::block::{Cache as CacheMode, Format as ImageFormat};
pub use lyrebird_devices::time::mc146818::pc::BootDevice;

/// A whole machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `-name`: what reports and process titles call the machine.
    pub name: Option<String>,
    /// `-machine`: the board and its properties.
    pub board: Board,
    /// `-cpu`: the processor model and its switches.
    pub cpu: CpuConfig,
    /// `-smp`: how many processors.
    pub smp: Smp,
    /// `-m`: guest RAM in bytes.
    pub ram: u64,
    /// `-kernel`, `-bios` and what goes with them.
    pub boot: Boot,
    /// `-drive`: media, named by the devices that hold them.
    pub drives: Vec<Drive>,
    /// `-device`, in command-line order: that order decides which transport a device gets.
    pub devices: Vec<DeviceConfig>,
    /// `-global virtio-mmio.force-legacy`: transports speak the interface of virtio 0.9.
    pub virtio_legacy: bool,
    /// `-fw_cfg`: files that the guest finds there.
    pub fw_cfg: Vec<FwCfgFile>,
    /// `-serial`: the board's serial ports in order. A port beyond the list's end has no peer.
    pub serials: Vec<SerialPort>,
    /// `-accel`: which engine runs the guest.
    pub accel: Accel,
    /// `-d`, `-D`, `-dfilter`.
    pub debug: DebugLog,
    /// `-nographic`: firmware shows on the serial port what would be on a screen.
    pub nographic: bool,
    /// `-rtc`.
    pub rtc: Rtc,
    /// `-semihosting`, `-semihosting-config`.
    pub semihosting: Semihosting,
    /// `-S`: build everything, run nothing until told.
    pub start_paused: bool,
    /// `-no-reboot`: a guest reset ends the program.
    pub no_reboot: bool,
    /// `-no-shutdown`: a guest power-off pauses the machine instead of ending the program.
    pub no_shutdown: bool,
    /// `-snapshot`: writes to every drive go to a temporary overlay.
    pub snapshot: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: None,
            board: Board::default(),
            cpu: CpuConfig::default(),
            smp: Smp::default(),
            ram: 128 << 20,
            boot: Boot::default(),
            drives: Vec::new(),
            devices: Vec::new(),
            virtio_legacy: false,
            fw_cfg: Vec::new(),
            serials: Vec::new(),
            accel: Accel::default(),
            debug: DebugLog::default(),
            nographic: false,
            rtc: Rtc::default(),
            semihosting: Semihosting::default(),
            start_paused: false,
            no_reboot: false,
            no_shutdown: false,
            snapshot: false,
        }
    }
}

/// The processor model and what is switched on or off in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuConfig {
    /// One of the names in [`CPU_MODELS`].
    pub model: String,
    /// Properties in command-line order, later ones win: `("pauth", "off")`.
    pub features: Vec<(String, String)>,
}

impl Default for CpuConfig {
    fn default() -> Self {
        Self { model: "max".into(), features: Vec::new() }
    }
}

/// The processor models of AArch64 boards: name and a line about it.
pub const CPU_MODELS: &[(&str, &str)] = &[
    ("cortex-a53", "Armv8.0-A, in-order"),
    ("cortex-a57", "Armv8.0-A"),
    ("cortex-a72", "Armv8.0-A"),
    ("cortex-a76", "Armv8.2-A"),
    ("neoverse-n1", "Armv8.2-A server core"),
    ("max", "everything that is implemented (default)"),
];

/// The switches of a processor model: name and a line about it. Values are `on` and `off`.
pub const CPU_FEATURES: &[(&str, &str)] = &[
    ("pauth", "pointer authentication (on with max)"),
    ("pauth-impdef", "pointer authentication uses the fast implementation-defined algorithm (on)"),
    ("pauth-qarma5", "pointer authentication uses QARMA5 (off)"),
    ("pmu", "performance monitors (on)"),
    ("lse", "large system extensions: atomics (on with max)"),
    ("rndr", "random number registers (on with max)"),
    ("aarch64", "64-bit state; off is refused until AArch32 exists"),
];

/// The processor models of x86 boards: name and a line about it.
pub const X86_CPU_MODELS: &[(&str, &str)] = &[
    ("8086", "16 bits, real mode only"),
    ("80286", "16 bits"),
    ("80386", "32 bits, without FPU"),
    ("486", "32 bits"),
    ("pentium", "32 bits"),
    ("pentium2", "32 bits, MMX"),
    ("pentium3", "32 bits, SSE (default of qemu-system-i386)"),
    ("core2duo", "64 bits, SSSE3"),
    ("qemu64", "64 bits, SSE3"),
    ("Nehalem", "64 bits, SSE4.2 (x86-64-v2)"),
    ("Haswell", "64 bits, AVX2 (x86-64-v3)"),
    ("Skylake-Client", "64 bits, AVX2"),
    ("max", "everything that is implemented (default)"),
    ("max32", "the same without long mode"),
];

/// The switches of x86's processor models.
pub fn x86_cpu_switches() -> Vec<&'static str> {
    lyrebird_cpu::x86::model::feature_names().collect()
}

/// How many processors and how they are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Smp {
    /// Processors present at power-on.
    pub cpus: u32,
    /// Sockets.
    pub sockets: u32,
    /// Clusters of a socket.
    pub clusters: u32,
    /// Cores of a cluster.
    pub cores: u32,
    /// Hardware threads of a core.
    pub threads: u32,
}

impl Smp {
    /// `n` single-threaded cores in one socket.
    pub fn cores(n: u32) -> Self {
        Self { cpus: n, sockets: 1, clusters: 1, cores: n, threads: 1 }
    }
}

impl Default for Smp {
    fn default() -> Self {
        Self::cores(1)
    }
}

/// What runs first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// `-kernel`: Image, gzip Image, zboot EFI image or ELF.
    pub kernel: Option<PathBuf>,
    /// `-initrd`.
    pub initrd: Option<PathBuf>,
    /// `-append`: the kernel's command line.
    pub append: Option<String>,
    /// `-dtb`: a device tree to use in place of the generated one.
    pub dtb: Option<PathBuf>,
    /// `-bios`: flat firmware, placed at the board's flash.
    pub bios: Option<PathBuf>,
    /// `-boot order=`: what a PC's firmware tries, best first; empty for QEMU's order.
    pub order: Vec<BootDevice>,
    /// `-boot menu=`: the firmware offers a menu.
    pub menu: bool,
    /// `-boot splash-time=`: how long, in milliseconds.
    pub menu_wait: Option<u32>,
}

/// The far end of one of the board's serial ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SerialPort {
    /// The back end of this id.
    Chardev(String),
    /// Output vanishes and input never comes.
    Null,
    /// `-serial none`: the port is not wired.
    None,
}

/// The engine and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accel {
    /// Which engine.
    pub engine: EngineKind,
    /// `tb-size`: the code cache in MiB; `None` for the engine's choice.
    pub cache_mib: Option<u32>,
    /// `thread=single`: processors take turns, so that one host processor is enough for all of them. `None` is `multi`:
    /// they run side by side.
    pub single_thread: Option<bool>,
    /// `one-insn-per-tb`: blocks of one instruction, for traces.
    pub one_insn_per_block: bool,
    /// `perfmap`: write a perf map of compiled code.
    pub perf_map: bool,
    /// Further `key=value` options, which the engine checks.
    pub options: Vec<(String, String)>,
}

/// The engines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// The reference interpreter.
    Interp,
    /// Compiled code.
    #[default]
    Jit,
    /// Both in lockstep; stops at the first divergence.
    Verify,
}

/// The engines: `-accel` name, the engine, and a line about it.
pub const ENGINES: &[(&str, EngineKind, &str)] = &[
    ("jit", EngineKind::Jit, "dynamic translation to host code (default)"),
    ("interp", EngineKind::Interp, "interpreter: the reference, slower"),
    ("verify", EngineKind::Verify, "interpreter and jit in lockstep; stops at the first divergence"),
];

/// What is written to the debug log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugLog {
    /// `-d`.
    pub items: DebugItems,
    /// `-D`: where to; `None` is standard error.
    pub file: Option<PathBuf>,
    /// `-dfilter`: inclusive guest virtual address ranges that `in_asm`, `ir`, `out_asm`, `exec` and `cpu` are
    /// limited to;
    /// empty means everywhere.
    pub ranges: Vec<(u64, u64)>,
}

/// The clock of the real-time clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rtc {
    /// `base`: what it shows at power-on.
    pub base: RtcBase,
    /// `clock`: what drives it.
    pub clock: RtcClock,
}

/// The time that the real-time clock starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtcBase {
    /// The host's time, UTC.
    #[default]
    Utc,
    /// The host's time in the host's zone.
    LocalTime,
    /// Seconds since 1970-01-01T00:00:00Z.
    Date(i64),
}

/// What makes the real-time clock go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtcClock {
    /// The host's time of day.
    #[default]
    Host,
    /// The host's monotonic time.
    Rt,
    /// The machine's virtual time.
    Vm,
}

/// Arm semihosting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Semihosting {
    /// Whether HLT 0xF000 is a call to the host at all.
    pub enabled: bool,
    /// `userspace`: EL0 may call too.
    pub userspace: bool,
    /// `chardev`: the console of the calls; `None` is the program's own standard streams.
    pub chardev: Option<String>,
    /// `arg`: the words of SYS_GET_CMDLINE; empty means kernel name and `-append`.
    pub args: Vec<String>,
}

/// Where a GDB server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GdbListen {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
}

/// A file of fw_cfg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FwCfgFile {
    /// Its name there.
    pub name: String,
    /// What is in it.
    pub data: FwCfgData,
}

/// Where a file of fw_cfg comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FwCfgData {
    /// `string=`, without a zero behind it.
    Text(String),
    /// `file=`: as it is when the machine is built.
    File(PathBuf),
}

/// What a file was for, in errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// `-kernel`.
    Kernel,
    /// `-initrd`.
    Initrd,
    /// `-dtb`.
    Dtb,
    /// `-bios` or flash.
    Firmware,
    /// `-fw_cfg`.
    FwCfg,
}

impl std::fmt::Display for FileRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            FileRole::Kernel => "kernel",
            FileRole::Initrd => "initrd",
            FileRole::Dtb => "device tree",
            FileRole::Firmware => "firmware",
            FileRole::FwCfg => "fw_cfg file",
        })
    }
}

/// Why a machine cannot be built. The variant decides the program's exit code, the text says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An option or combination that no machine can satisfy.
    #[error("-{option}: {problem}")]
    Option {
        /// The option without dashes: `smp`.
        option: &'static str,
        /// What is wrong and which values would do.
        problem: String,
    },
    /// A file that the guest starts from is missing, unreadable, corrupt or for another architecture.
    #[error("{role} '{}': {problem}", path.display())]
    File {
        /// What it was to be.
        role: FileRole,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A disk image is missing, unreadable, corrupt or of an unsupported kind.
    #[error(transparent)]
    Image(#[from] lyrebird_devices::block::BlockError),
    /// The host lacks something: memory, a system call, a permission.
    #[error("the host cannot: {0}")]
    Host(String),
    /// `dumpdtb` was asked for and is done; not a failure.
    #[error("device tree written to '{}'", .0.display())]
    DtbWritten(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_are_those_that_processors_have() {
        let offered: Vec<&str> = CPU_MODELS.iter().map(|m| m.0).collect();
        let there: Vec<&str> = lyrebird_cpu::arm::model::MODELS.iter().map(|m| m.name).collect();
        assert_eq!(offered, there);
    }

    #[test]
    fn the_x86_models_are_those_that_processors_have() {
        let offered: Vec<&str> = X86_CPU_MODELS.iter().map(|m| m.0).collect();
        let there: Vec<&str> = lyrebird_cpu::x86::model::MODELS.iter().map(|m| m.name).collect();
        assert_eq!(offered, there);
    }

    #[test]
    fn debug_items_have_a_row_each() {
        let all = DebugItems::TABLE.iter().fold(DebugItems::empty(), |set, row| set | row.1);
        assert_eq!(all, DebugItems::all());
    }
}
