//! Whole command lines, as people type them.

use lyrebird_machine::config::*;

use super::*;
use crate::cli::args::{Cli, Command};
use crate::cli::prepass::rewrite;
use crate::exit::ExitClass;
use clap::Parser;

/// Interprets a line of words; a word may be quoted with `'`.
fn outcome(line: &str) -> Result<Outcome, Failure> {
    let mut words: Vec<String> = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let words = rewrite(words.into_iter().map(Into::into))?;
    let cli = Cli::try_parse_from(words).map_err(|e| Failure::usage(e.to_string()))?;
    match cli.command {
        Command::Run(args) => interpret(&args, None),
        Command::QemuAarch64(args) => interpret(&args, Some(Personality::Aarch64)),
        Command::QemuX86_64(args) => interpret(&args, Some(Personality::X86_64)),
        Command::QemuI386(args) => interpret(&args, Some(Personality::I386)),
        other => panic!("{other:?} is no machine"),
    }
}

fn run(line: &str) -> Invocation {
    match outcome(line) {
        Ok(Outcome::Run(invocation)) => *invocation,
        other => panic!("{line}: {other:?}"),
    }
}

fn fails(line: &str) -> Failure {
    outcome(line).err().unwrap_or_else(|| panic!("{line}: accepted"))
}

const QEMU: &str = "qemu-system-aarch64";

#[test]
fn a_usual_line() {
    let got = run(&format!(
        "{QEMU} -M virt,gic-version=3 -cpu cortex-a72,pmu=off -smp 4 -m 1G -nographic -kernel Image -initrd rd.gz \
         -append 'console=ttyAMA0 root=/dev/vda' -drive file=d.qcow2,if=none,id=d0,format=qcow2 \
         -device virtio-blk-device,drive=d0 -no-reboot -accel interp -d int,mmu -D log -snapshot -name box"
    ));
    let config = got.config;
    assert_eq!(config.board, Board::Virt(VirtBoard { gic: GicVersion::V3, dump_dtb: None }));
    assert_eq!(config.cpu.model, "cortex-a72");
    assert_eq!(config.cpu.features, [("pmu".to_owned(), "off".to_owned())]);
    assert_eq!(config.smp, Smp::cores(4));
    assert_eq!(config.ram, 1 << 30);
    assert_eq!(config.boot.append.as_deref(), Some("console=ttyAMA0 root=/dev/vda"));
    assert_eq!(config.drives.len(), 1);
    let place = PciPlace::default();
    let blk = DeviceConfig::VirtioBlk { id: None, drive: "d0".into(), serial: None, place };
    assert_eq!(config.devices, [blk]);
    assert_eq!(config.accel.engine, EngineKind::Interp);
    assert_eq!(config.debug.items, DebugItems::INT | DebugItems::MMU);
    assert!(config.no_reboot && config.snapshot && !config.start_paused);
    assert_eq!(config.serials, [SerialPort::Chardev("serial0".into())]);
    assert_eq!(got.monitors, ["serial0"]);
    assert!(got.chardevs[0].mux);
    assert_eq!(got.chardevs[0].kind, ChardevKind::Stdio { signal: false });
}

#[test]
fn the_line_of_kvm_unit_tests() {
    let got = run(&format!(
        "{QEMU} -nodefaults -machine virt -accel tcg -cpu max -device virtio-serial-device \
         -device virtconsole,chardev=ctd -chardev testdev,id=ctd -display none -serial stdio -kernel t.flat -smp 2"
    ));
    assert_eq!(got.config.devices.len(), 2);
    assert_eq!(got.config.accel.engine, EngineKind::Jit);
    assert_eq!(got.chardevs.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["ctd", "serial0"]);
    assert_eq!(got.chardevs[1].kind, ChardevKind::Stdio { signal: true });
    assert!(got.monitors.is_empty());
}

#[test]
fn who_owns_the_terminal() {
    let plain = run(&format!("{QEMU} -kernel k"));
    assert_eq!((plain.monitors.len(), plain.chardevs[0].mux), (1, true));
    let quiet = run(&format!("{QEMU} -kernel k -display none"));
    assert_eq!((quiet.chardevs.len(), quiet.config.serials), (0, vec![SerialPort::Null]));
    let joined = run(&format!("{QEMU} -kernel k -nographic -serial stdio"));
    assert_eq!((joined.monitors, joined.chardevs[0].mux), (vec!["serial0".to_owned()], true));
    let apart = run(&format!("{QEMU} -kernel k -nographic -monitor unix:/tmp/m,server=on,wait=off"));
    assert_eq!(apart.chardevs.len(), 2);
    assert_eq!(apart.monitors, ["monitor0"]);
    let shared = run(&format!("{QEMU} -kernel k -chardev stdio,id=t,mux=on -serial chardev:t -mon t"));
    assert_eq!(shared.monitors, ["t"]);
    assert_eq!(fails(&format!("{QEMU} -kernel k -serial stdio -monitor stdio")).class, ExitClass::Impossible);
    assert_eq!(
        fails(&format!("{QEMU} -kernel k -chardev null,id=t -serial chardev:t -mon t")).class,
        ExitClass::Impossible
    );
}

#[test]
fn drives_find_their_devices() {
    let got =
        run(&format!("{QEMU} -kernel k -drive file=a.img,format=raw -hda b.img -device virtio-rng-device"));
    let drives: Vec<_> = got.config.drives.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(drives, ["hda", "virtio0"]);
    assert_eq!(got.config.devices.len(), 3);
    let twice = fails(&format!("{QEMU} -kernel k -drive file=a,id=x -device virtio-blk-device,drive=x"));
    assert_eq!(twice.class, ExitClass::Impossible);
    let flash =
        run(&format!("{QEMU} -drive if=pflash,file=code.fd,readonly=on -drive if=pflash,file=vars.fd"));
    assert_eq!(flash.config.drives.iter().map(|d| d.pflash).collect::<Vec<_>>(), [Some(0), Some(1)]);
}

#[test]
fn processors_are_grouped() {
    let smp = |text: &str| run(&format!("{QEMU} -kernel k -smp {text}")).config.smp;
    let group = |cpus, sockets, clusters, cores, threads| Smp { cpus, sockets, clusters, cores, threads };
    assert_eq!(smp("6"), group(6, 1, 1, 6, 1));
    assert_eq!(smp("cpus=8,sockets=2"), group(8, 2, 1, 4, 1));
    assert_eq!(smp("8,cores=2"), group(8, 4, 1, 2, 1));
    assert_eq!(smp("sockets=2,clusters=2,cores=2"), group(8, 2, 2, 2, 1));
    for (text, class) in [
        ("0", ExitClass::Usage),
        ("-1", ExitClass::Usage),
        ("x", ExitClass::Usage),
        ("3,sockets=2", ExitClass::Impossible),
        ("2,maxcpus=4", ExitClass::Impossible),
        ("sockets=4294967295,cores=4294967295,threads=4294967295", ExitClass::Impossible),
    ] {
        assert_eq!(fails(&format!("{QEMU} -kernel k -smp {text}")).class, class, "{text}");
    }
}

#[test]
fn help_values_describe_what_there_is() {
    for (line, word) in [
        ("-M help", "virt"),
        ("-M virt,help", "gic-version"),
        ("-cpu help", "neoverse-n1"),
        ("-device help", "virtio-blk-device"),
        ("-device ?", "virtconsole"),
        ("-device virtio-blk-device,help", "serial"),
        ("-d help", "guest_errors"),
        ("-accel help", "verify"),
        ("-chardev help", "testdev"),
    ] {
        match outcome(&format!("{QEMU} {line}")) {
            Ok(Outcome::Help(text)) => assert!(text.contains(word), "{line}: {text}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn errors_name_the_option_the_value_and_the_choices() {
    for (line, class, words) in [
        ("-M vrit", ExitClass::Usage, &["-machine vrit", "did you mean 'virt'?"][..]),
        ("-M virt,gic-version=4", ExitClass::Usage, &["gic-version=4", "2, 3 or max"]),
        ("-M virt,gick=3", ExitClass::Usage, &["unknown property 'gick'", "gic-version"]),
        ("-M virt,secure=on", ExitClass::Impossible, &["secure=on"]),
        ("-cpu cortx-a72", ExitClass::Usage, &["-cpu cortx-a72", "did you mean 'cortex-a72'?"]),
        ("-cpu host", ExitClass::Impossible, &["-cpu host", "max"]),
        ("-cpu max,pauth=maybe", ExitClass::Usage, &["pauth=maybe", "on or off"]),
        ("-m lots", ExitClass::Usage, &["-m size=lots", "suffix"]),
        ("-m 0", ExitClass::Usage, &["needs memory"]),
        ("-m 99999999999T", ExitClass::Usage, &["-m size=99999999999T"]),
        ("-accel jti", ExitClass::Usage, &["-accel jti", "jit, interp, verify"]),
        ("-accel kvm", ExitClass::Impossible, &["-accel kvm", "use -accel jit"]),
        ("-enable-kvm", ExitClass::Impossible, &["-enable-kvm"]),
        ("-device virtio-blk-pci,drive=x", ExitClass::Usage, &["on this board it is 'virtio-blk-device'"]),
        ("-device virtio-blk-device,drive=x", ExitClass::Usage, &["drive=x: not found"]),
        ("-device virtconsole", ExitClass::Usage, &["no virtio-serial device"]),
        ("-device virtio-blk-device", ExitClass::Usage, &["'drive=' is missing"]),
        ("-drive if=none", ExitClass::Usage, &["'file=' is missing"]),
        ("-drive file=x,format=vmdk", ExitClass::Usage, &["format=vmdk", "raw or qcow2"]),
        ("-serial chardev:nope", ExitClass::Usage, &["chardev:nope"]),
        ("-serial sdtio", ExitClass::Usage, &["did you mean 'stdio'?"]),
        ("-chardev stdoi,id=x", ExitClass::Usage, &["did you mean 'stdio'?"]),
        ("-chardev stdio", ExitClass::Usage, &["'id=' is missing"]),
        ("-net user", ExitClass::Usage, &["-net user"]),
        ("-rtc base=tomorrow", ExitClass::Usage, &["base=tomorrow"]),
        ("-fw_cfg opt/x", ExitClass::Usage, &["one of string=TEXT and file=FILE"]),
        ("-fw_cfg opt/x,string=a,file=b", ExitClass::Usage, &["one of string=TEXT and file=FILE"]),
        ("-fw_cfg opt/x,string=a -fw_cfg name=opt/x,string=b", ExitClass::Usage, &["a file opt/x already"]),
        ("-global virtio-blk.x=1", ExitClass::Usage, &["virtio-mmio.force-legacy"]),
        ("-d nothing", ExitClass::Usage, &["-d nothing", "in_asm"]),
        ("-nografic", ExitClass::Usage, &["did you mean '-nographic'?"]),
    ] {
        let failure = fails(&format!("{QEMU} -kernel k {line}"));
        assert_eq!(failure.class, class, "{line}: {failure}");
        for word in words {
            assert!(failure.message.contains(word), "{line}: {failure}");
        }
    }
    assert!(fails(QEMU).message.contains("nothing to run"));
    assert_eq!(fails(&format!("{QEMU} -append x")).class, ExitClass::Impossible);
    assert!(fails(&format!("{QEMU} d.img")).message.contains("needs a -kernel"));
    assert_eq!(fails("lyrebird run /nonexistent/kernel").class, ExitClass::GuestFile);
}

#[test]
fn fallback_lists_of_engines() {
    let engine = |text: &str| run(&format!("{QEMU} -kernel k {text}")).config.accel.engine;
    assert_eq!(engine("-accel kvm -accel tcg"), EngineKind::Jit);
    assert_eq!(engine("-machine virt,accel=kvm:tcg"), EngineKind::Jit);
    assert_eq!(engine("-machine accel=interp"), EngineKind::Interp);
}

#[test]
fn any_value_of_any_option_is_survived() {
    let options = [
        "machine",
        "cpu",
        "smp",
        "memory",
        "accel",
        "rtc",
        "drive",
        "device",
        "object",
        "serial",
        "monitor",
        "mon",
        "chardev",
        "gdb",
        "dfilter",
        "fw_cfg",
        "global",
        "semihosting-config",
        "d",
    ];
    let values = [
        "",
        ",",
        "=",
        "a=",
        "=b",
        ",,",
        "a,b,c",
        "é=ü,ö",
        "-",
        "0",
        "virt,",
        "id=",
        "file=",
        "1,cpus=",
        "mon:mon:x",
    ];
    for option in options {
        for value in values {
            let _ = outcome(&format!("{QEMU} -kernel k -{option} '{value}'"));
        }
    }
}

#[test]
fn fw_cfg_files_and_global_properties() {
    let config = run(&format!(
        "{QEMU} -kernel k -fw_cfg name=opt/a,string=x,,y --fw_cfg opt/b,file=f -global virtio-mmio.force-legacy=true"
    ))
    .config;
    let names: Vec<&str> = config.fw_cfg.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["opt/a", "opt/b"]);
    assert_eq!(config.fw_cfg[0].data, lyrebird_machine::config::FwCfgData::Text("x,y".into()));
    assert!(config.virtio_legacy);
    let parts = "driver=virtio-mmio,property=force-legacy,value=off";
    assert!(!run(&format!("{QEMU} -kernel k -global {parts}")).config.virtio_legacy);
}

#[test]
fn disks_of_a_pc() {
    let got =
        run("qemu-system-x86_64 -M pc-q35-10.0 -hda a.img -cdrom b.iso -drive file=c,if=virtio,serial=s \
         -fda d.img -device virtio-rng-pci,addr=5.1,disable-legacy=on,bootindex=3 -boot dc,menu=on");
    let mut board = PcBoard::new(PcChipset::Q35);
    assert_eq!(got.config.board, Board::Pc(board.clone()));
    let disk = |drive: &str, bus, unit, cdrom| DeviceConfig::Disk {
        id: None,
        drive: Some(drive.into()),
        cdrom,
        bus,
        unit,
        serial: None,
        boot: None,
    };
    let virtio = DeviceConfig::VirtioBlk {
        id: None,
        drive: "virtio0".into(),
        serial: Some("s".into()),
        place: PciPlace::default(),
    };
    let place = PciPlace { addr: Some((5, 1)), modern_only: true, vectors: None, boot: Some(3) };
    let expected = [
        DeviceConfig::VirtioRng { id: None, limit: None, place },
        disk("hda", Some(0), Some(0), false),
        disk("cdrom", Some(2), Some(0), true),
        DeviceConfig::Floppy { drive: "fda".into(), unit: 0 },
        virtio,
    ];
    assert_eq!(got.config.devices, expected);
    assert_eq!((got.config.boot.order, got.config.boot.menu), (vec![BootDevice::Cd, BootDevice::Disk], true));
    let got = run("qemu-system-x86_64 -M pc,acpi=off,direct=off -cdrom b.iso -drive file=c,media=cdrom \
         -drive file=e,if=none,id=e -device ide-hd,drive=e,bus=ide.1,unit=1 -device isa-debug-exit,iobase=0xf4");
    board = PcBoard { acpi: false, direct: false, ..PcBoard::new(PcChipset::I440fx) };
    assert_eq!(got.config.board, Board::Pc(board));
    let expected = [
        disk("e", Some(1), Some(1), false),
        DeviceConfig::DebugExit { port: 0xF4, len: 2 },
        disk("cdrom", Some(1), Some(0), true),
        disk("ide1", None, None, true),
    ];
    // Drives without a name are called after their place on the command line.
    let named = |d: &DeviceConfig| match d {
        DeviceConfig::Disk { drive, .. } => drive.clone(),
        _ => None,
    };
    assert_eq!(got.config.devices.len(), expected.len());
    assert_eq!(got.config.devices[..3], expected[..3]);
    assert_eq!(named(&got.config.devices[3]).as_deref(), Some("ide0"));
    for (line, says) in [
        (
            "qemu-system-x86_64 -M pc -device virtio-blk-device,drive=x -hda a",
            "on this board it is 'virtio-blk-pci'",
        ),
        (
            "qemu-system-x86_64 -M microvm -device virtio-blk-pci,drive=x -kernel a",
            "it is 'virtio-blk-device'",
        ),
        ("qemu-system-x86_64 -M microvm -device ide-hd,drive=x -kernel a", "not on this board"),
        ("qemu-system-x86_64 -M isapc -drive file=a,if=virtio", "no bus for virtio"),
        ("qemu-system-x86_64 -M isapc,acpi=on -hda a", "no ACPI"),
        ("qemu-system-x86_64 -M microvm -drive file=a,if=floppy -kernel a", "no diskette"),
        ("qemu-system-x86_64 -M pc -hda a -boot x", "use letters of a"),
        ("qemu-system-x86_64 -M pc -hda a -device virtio-rng-pci,addr=20", "slot from 0 to 1f"),
        ("qemu-system-x86_64 -M pc -fda a -drive file=b,if=floppy,index=0", "is taken"),
        ("qemu-system-x86_64 -M pc", "nothing to run"),
    ] {
        let text = fails(line).to_string();
        assert!(text.contains(says), "{line}: {text}");
    }
}

#[test]
fn an_x86_line() {
    let got = run(
        "qemu-system-x86_64 -M microvm,pit=off,acpi=off -m 256 -kernel bzImage -append console=ttyS0 -nographic",
    );
    let board = MicrovmBoard { pit: false, acpi: false, ..MicrovmBoard::default() };
    assert_eq!(got.config.board, Board::Microvm(board));
    assert_eq!(got.config.cpu.model, "max");
    let old = run("qemu-system-i386 -kernel a.elf -display none");
    assert_eq!(old.config.cpu.model, "pentium3");
    let switched = run("qemu-system-x86_64 -cpu Haswell,+sha-ni,-avx2,x2apic=off -kernel a -display none");
    let features = switched.config.cpu.features.iter().map(|(a, b)| (a.as_str(), b.as_str()));
    assert_eq!(features.collect::<Vec<_>>(), [("sha-ni", "on"), ("avx2", "off"), ("x2apic", "off")]);
    assert_eq!(run("run -M microvm -kernel nowhere").personality, Personality::X86_64);
    for (line, says) in [
        ("qemu-system-x86_64 -M virt -kernel a", "valid here: pc, q35, isapc, microvm"),
        ("qemu-system-x86_64 -cpu cortex-a53 -kernel a", "valid here: 8086"),
        ("qemu-system-x86_64 -M microvm,gic-version=3 -kernel a", "gic-version"),
        ("qemu-system-x86_64 -M microvm,ioapic2=on -kernel a", "ioapic2=on: not available"),
        ("qemu-system-x86_64 -enable-kvm -kernel a", "host's processor"),
    ] {
        let text = fails(line).to_string();
        assert!(text.contains(says), "{line}: {text}");
    }
}
