//! Every subcommand and option, as clap derives them. Values are kept as text here; `options` gives them meaning.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// The names under which QEMU's command line is understood, as subcommands and as links to the program.
pub const QEMU: [&str; 3] = ["qemu-system-aarch64", "qemu-system-x86_64", "qemu-system-i386"];

/// A full-system emulator.
#[derive(Parser, Debug)]
#[command(
    name = "lyrebird",
    version,
    propagate_version = true,
    about = "A full-system emulator: runs unmodified operating systems, firmware and bare-metal programs",
    after_help = "Every option may be written with one dash or two.\n\
        In a running guest's terminal: Ctrl-A x quits, Ctrl-A c switches to the monitor, Ctrl-A h lists the keys.\n\n\
        Examples:\n  \
        lyrebird demo\n  \
        lyrebird run vmlinuz -initrd initrd.gz -append console=ttyAMA0\n  \
        lyrebird run disk.qcow2 -kernel vmlinuz -append 'console=ttyAMA0 root=/dev/vda'\n  \
        lyrebird qemu-system-aarch64 -M virt -m 1G -nographic -kernel Image"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a kernel, program, firmware or disk image; what FILE is gets detected
    #[command(args_override_self = true, display_name = "lyrebird")]
    Run(Box<MachineArgs>),
    /// Understand the command line of QEMU's program of this name (also through a link of this name)
    #[command(name = QEMU[0], args_override_self = true, display_name = "lyrebird")]
    QemuAarch64(Box<MachineArgs>),
    /// The same for x86-64 guests
    #[command(name = QEMU[1], args_override_self = true, display_name = "lyrebird")]
    QemuX86_64(Box<MachineArgs>),
    /// The same for 32-bit x86 guests
    #[command(name = QEMU[2], args_override_self = true, display_name = "lyrebird")]
    QemuI386(Box<MachineArgs>),
    /// Run the demo guest that is built in
    #[command(args_override_self = true, display_name = "lyrebird")]
    Demo(Box<MachineArgs>),
    /// Run the instructions of a report of -accel verify again, on both engines
    Replay {
        /// The report
        file: PathBuf,
    },
    /// Run test suites: single instructions on bare processors, or programs that say how they fared
    #[command(args_override_self = true)]
    Test(Box<TestArgs>),
    /// Say what this host can do and what is missing for optional things
    Doctor,
    /// Print a completion script for a shell
    Completions {
        /// The shell to write for
        shell: Shell,
    },
    /// Print the manual page, or write one page a subcommand into a directory
    Man {
        /// Write the pages here instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print version, engines and boards
    Version,
}

/// The options of `lyrebird test`.
#[derive(Args, Debug, Default)]
#[command(after_help = "What a PATH may be:\n  \
    a file or directory of SingleStepTests: MOO files (.MOO, .MOO.gz), JSON of the 8086 (.json, .json.gz)\n  \
    a file or directory of our own vectors (.vec)\n  \
    kvm-unit-tests' unittests.cfg, beside its programs\n  \
    with -exit, -post, -log or -serial: a ROM, multiboot or ELF image\n\n\
    Examples:\n  \
    lyrebird test 80286/v1_real_mode -accel interp -report junit:results.xml\n  \
    lyrebird test 80286/v1_real_mode/F6.4.MOO.gz -filter F6.4:103\n  \
    lyrebird test kvm-unit-tests/x86/unittests.cfg -filter apic\n  \
    lyrebird test test386.bin -args '-M isapc -m 1' -post 0x190:0xFF -log 0xE9:test386-EE-reference.txt")]
pub struct TestArgs {
    /// What to run
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Engine: jit (default) or interp
    #[arg(long, value_name = "ENGINE")]
    pub accel: Option<String>,
    /// Processor model instead of the one that files of tests name, or of the machine
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// Only the test FILE:ID, or those of a file, or those with a text in their instruction, program or group
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// How many tests run side by side (as many as there are host CPUs)
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Write results to a file: junit:FILE, json:FILE or tap:FILE
    #[arg(long, value_name = "FORMAT:FILE")]
    pub report: Vec<String>,
    /// What a program may take, in seconds (90, or what its configuration says)
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<String>,

    /// The guest of images: x86_64 (default), i386 or aarch64
    #[arg(long, value_name = "GUEST", help_heading = "Images that are tests")]
    pub guest: Option<String>,
    /// More options for the machine; {} stands for the image, else -kernel (ELF) or -bios names it
    #[arg(long, value_name = "OPTIONS", help_heading = "Images that are tests")]
    pub args: Option<String>,
    /// It passes if it ends with this exit status (isa-debug-exit at port 0xF4: value * 2 + 1)
    #[arg(long, value_name = "CODE", help_heading = "Images that are tests")]
    pub exit: Option<i32>,
    /// It passes if the last byte at a port is CODE: 0x80:0xFF
    #[arg(long, value_name = "PORT:CODE", help_heading = "Images that are tests")]
    pub post: Option<String>,
    /// It passes if what it writes to a port is a file, line by line
    #[arg(long, value_name = "PORT:FILE", help_heading = "Images that are tests")]
    pub log: Option<String>,
    /// It passes if its serial port says a text
    #[arg(long, value_name = "TEXT", help_heading = "Images that are tests")]
    pub serial: Option<String>,
}

/// The options that describe a machine and how to run it.
#[derive(Args, Debug, Default)]
pub struct MachineArgs {
    /// What to run: Image, gzip or zboot kernel, ELF, flat firmware, qcow2 or raw disk image
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// Board and its properties: virt[,gic-version=2|3|max], pc, q35, microvm; 'help' lists them
    #[arg(short = 'M', long, value_name = "TYPE[,PROP=VALUE]", help_heading = "Machine")]
    pub machine: Vec<String>,
    /// Processor model and switches: max[,pauth=off]; 'help' lists them
    #[arg(long, value_name = "MODEL[,PROP=VALUE]", help_heading = "Machine")]
    pub cpu: Option<String>,
    /// Processors: N or cpus=N,sockets=,clusters=,cores=,threads=,maxcpus=
    #[arg(long, value_name = "N", help_heading = "Machine")]
    pub smp: Option<String>,
    /// Guest RAM in MiB, or with suffix K, M, G, T; also size=
    #[arg(short = 'm', long, value_name = "SIZE", help_heading = "Machine")]
    pub memory: Option<String>,
    /// Engine: jit, interp or verify, with options; 'help' lists them
    #[arg(long, value_name = "ENGINE[,PROP=VALUE]", help_heading = "Machine")]
    pub accel: Vec<String>,
    /// Refused with an explanation: KVM runs guests of the host's own architecture only
    #[arg(long, help_heading = "Machine")]
    pub enable_kvm: bool,
    /// Real-time clock: base=utc|localtime|DATE,clock=host|rt|vm
    #[arg(long, value_name = "PROP=VALUE", help_heading = "Machine")]
    pub rtc: Option<String>,
    /// A name for the machine
    #[arg(long, value_name = "NAME", help_heading = "Machine")]
    pub name: Option<String>,

    /// Kernel: Image, gzip Image, zboot EFI image or ELF
    #[arg(long, value_name = "FILE", help_heading = "What to boot")]
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk
    #[arg(long, value_name = "FILE", help_heading = "What to boot")]
    pub initrd: Option<PathBuf>,
    /// Kernel command line
    #[arg(long, value_name = "TEXT", help_heading = "What to boot")]
    pub append: Option<String>,
    /// Device tree to use in place of the generated one
    #[arg(long, value_name = "FILE", help_heading = "What to boot")]
    pub dtb: Option<PathBuf>,
    /// Flat firmware
    #[arg(long, value_name = "FILE", help_heading = "What to boot")]
    pub bios: Option<PathBuf>,

    /// Boot order of a PC: [order=]LETTERS of a, c, d, n; menu=on|off, splash-time=MS
    #[arg(long, value_name = "ORDER", help_heading = "What to boot")]
    pub boot: Vec<String>,
    /// Medium: file=,if=virtio|ide|floppy|none|pflash,media=disk|cdrom,format=raw|qcow2,id=,index=,readonly=,snapshot=,cache=,discard=
    #[arg(long, value_name = "PROP=VALUE", help_heading = "Devices")]
    pub drive: Vec<String>,
    /// Disk image: the board's first disk
    #[arg(long, value_name = "FILE", help_heading = "Devices")]
    pub hda: Option<PathBuf>,
    /// Second disk image
    #[arg(long, value_name = "FILE", help_heading = "Devices")]
    pub hdb: Option<PathBuf>,
    /// Third disk image
    #[arg(long, value_name = "FILE", help_heading = "Devices")]
    pub hdc: Option<PathBuf>,
    /// Fourth disk image
    #[arg(long, value_name = "FILE", help_heading = "Devices")]
    pub hdd: Option<PathBuf>,
    /// Image of a CD-ROM
    #[arg(long, value_name = "FILE", help_heading = "Devices")]
    pub cdrom: Option<PathBuf>,
    /// Image of a diskette, in the first drive of a PC
    #[arg(long, value_name = "FILE", help_heading = "Devices")]
    pub fda: Option<PathBuf>,
    /// Image of a diskette, in the second drive
    #[arg(long, value_name = "FILE", help_heading = "Devices")]
    pub fdb: Option<PathBuf>,
    /// Device with properties; 'help' lists them, 'NAME,help' its properties
    #[arg(long, value_name = "NAME[,PROP=VALUE]", help_heading = "Devices")]
    pub device: Vec<String>,
    /// Source of randomness for virtio-rng-device: rng-random or rng-builtin, with id=
    #[arg(long, value_name = "TYPE,PROP=VALUE", help_heading = "Devices")]
    pub object: Vec<String>,
    /// File that the guest finds in fw_cfg: [name=]opt/NAME,string=TEXT or file=FILE
    #[arg(long = "fw_cfg", value_name = "NAME,PROP=VALUE", help_heading = "Devices")]
    pub fw_cfg: Vec<String>,
    /// Property of all devices of a kind: virtio-mmio.force-legacy=on|off is the only one
    #[arg(long, value_name = "DRIVER.PROP=VALUE", help_heading = "Devices")]
    pub global: Vec<String>,
    /// Writes to all drives go to a temporary overlay
    #[arg(long, help_heading = "Devices")]
    pub snapshot: bool,

    /// No display; serial port and monitor share the terminal
    #[arg(long, help_heading = "Consoles")]
    pub nographic: bool,
    /// Display: none, or curses for a PC's text screen on the terminal
    #[arg(long, value_name = "TYPE", help_heading = "Consoles")]
    pub display: Option<String>,
    /// Serial port: stdio, mon:stdio, null, none, file:PATH, pty, unix:PATH, tcp:HOST:PORT, chardev:ID
    #[arg(long, value_name = "PEER", help_heading = "Consoles")]
    pub serial: Vec<String>,
    /// Monitor: like -serial, or none
    #[arg(long, value_name = "PEER", help_heading = "Consoles")]
    pub monitor: Vec<String>,
    /// Monitor on a chardev: [chardev=]ID[,mode=readline]
    #[arg(long, value_name = "ID", help_heading = "Consoles")]
    pub mon: Vec<String>,
    /// Back end: stdio, file, null, socket, pty or testdev, with id=; 'help' lists their properties
    #[arg(long, value_name = "TYPE,id=ID[,PROP=VALUE]", help_heading = "Consoles")]
    pub chardev: Vec<String>,
    /// No default serial port and monitor
    #[arg(long, help_heading = "Consoles")]
    pub nodefaults: bool,

    /// Do not start the processors until told (monitor 'cont', or a debugger)
    #[arg(short = 'S', help_heading = "Debugging")]
    pub start_paused: bool,
    /// The same as -gdb tcp::1234
    #[arg(short = 's', help_heading = "Debugging")]
    pub gdb_default: bool,
    /// GDB server: tcp::PORT, tcp:HOST:PORT or unix:PATH
    #[arg(long, value_name = "PEER", help_heading = "Debugging")]
    pub gdb: Option<String>,
    /// Debug log items, separated by commas; 'help' lists them
    #[arg(short = 'd', value_name = "ITEMS", help_heading = "Debugging")]
    pub debug_items: Vec<String>,
    /// Debug log file
    #[arg(short = 'D', value_name = "FILE", help_heading = "Debugging")]
    pub debug_file: Option<PathBuf>,
    /// Limit code logs to guest addresses: FIRST..LAST, ADDR+LEN or ADDR-LEN, separated by commas
    #[arg(long, value_name = "RANGES", help_heading = "Debugging")]
    pub dfilter: Vec<String>,
    /// Arm semihosting for EL1
    #[arg(long, help_heading = "Debugging")]
    pub semihosting: bool,
    /// Arm semihosting: enable=on|off,userspace=on|off,chardev=ID,arg=WORD
    #[arg(long, value_name = "PROP=VALUE", help_heading = "Debugging")]
    pub semihosting_config: Vec<String>,

    /// End instead of rebooting when the guest resets itself
    #[arg(long, help_heading = "Running")]
    pub no_reboot: bool,
    /// Pause instead of ending when the guest powers off
    #[arg(long, help_heading = "Running")]
    pub no_shutdown: bool,
    /// Accepted; there are no configuration files to leave out
    #[arg(long, help_heading = "Running")]
    pub no_user_config: bool,
    /// Accepted with the value none: there are no parallel ports
    #[arg(long, value_name = "PEER", help_heading = "Running")]
    pub parallel: Vec<String>,
    /// Display adapter: none and std are accepted; PCs always have the standard VGA
    #[arg(long, value_name = "TYPE", help_heading = "Running")]
    pub vga: Option<String>,
    /// Accepted with the value none: there is no network yet
    #[arg(long, value_name = "TYPE", help_heading = "Running")]
    pub net: Vec<String>,
    /// Accepted with the value none: there is no network yet
    #[arg(long, value_name = "TYPE", help_heading = "Running")]
    pub nic: Vec<String>,
}
