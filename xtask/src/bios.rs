//! `cargo xtask bios`: our BIOS, the boot sector that tries its services, and the x86 demo, in QEMU.
//!
//! QEMU is the independent machine here: what runs in it owes nothing to our own devices. Without it there is nothing
//! to do, and that is no failure.

use crate::paths;
use anyhow::{Context, Result, bail, ensure};
use lyrebird_roms::{BIOS, DEMO_CHECKSUMS, X86_DEMO, boot_test};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

const QEMU: &str = "qemu-system-x86_64";

/// Longest that one machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// QEMU's exit status when the guest writes 10h to the debug-exit port.
const ALL_WELL: i32 = 0x10 << 1 | 1;

/// How the boot sector is attached.
const MACHINES: [&str; 8] = [
    "-M pc -drive file=IMAGE,format=raw,if=ide",
    "-M pc -drive file=IMAGE,format=raw,if=floppy",
    "-M pc -drive file=IMAGE,format=raw,if=virtio",
    "-M pc -nographic -monitor none -drive file=IMAGE,format=raw,if=ide",
    "-M pc -cpu 486 -m 16 -drive file=IMAGE,format=raw,if=ide",
    "-M q35 -drive file=IMAGE,format=raw,if=ide",
    "-M q35 -m 3G -drive file=IMAGE,format=raw,if=virtio",
    "-M isapc -cpu pentium -drive file=IMAGE,format=raw,if=floppy",
];

/// Runs everything, and fails with the first that goes wrong.
pub fn run() -> Result<()> {
    match Command::new(QEMU).arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("{QEMU} is not installed (Debian: qemu-system-x86): nothing was tried");
            return Ok(());
        }
        Err(error) => return Err(error).context(QEMU),
        Ok(_) => {}
    }
    let folder = paths::target().join("bios");
    fs::create_dir_all(&folder).with_context(|| format!("Cannot make {}", folder.display()))?;
    let [bios, image, demo] = ["bios.bin", "boot-test.img", "demo-x86.elf"].map(|name| folder.join(name));
    fs::write(&bios, BIOS)?;
    fs::write(&demo, X86_DEMO)?;
    for machine in MACHINES {
        // A fresh one each time: the sector that is written and read back starts out empty.
        fs::write(&image, boot_test())?;
        let arguments = machine.replace("IMAGE", &image.to_string_lossy());
        let (status, output) = guest(&bios, &arguments, b"")?;
        ensure!(status == Some(ALL_WELL), "{QEMU} {arguments} ends with {status:?}:\n{output}");
        println!("ok: boot sector, {machine}");
    }
    for machine in ["pc", "q35", "microvm"] {
        // The firmware is QEMU's own here: it is what hands multiboot programs over.
        let arguments = format!("-M {machine} -kernel {}", demo.display());
        let (status, output) = guest(Path::new(""), &arguments, b"bench\rtick\rtick pit\rfault\roff\r")?;
        ensure!(status == Some(0), "{QEMU} {arguments} ends with {status:?}:\n{output}");
        for (name, checksum) in DEMO_CHECKSUMS {
            ensure!(
                output.contains(&format!("{checksum:016x}")),
                "{machine}: wrong checksum of {name}:\n{output}"
            );
        }
        println!("ok: demo, {machine}");
    }
    Ok(())
}

/// Runs QEMU with `bios` (none: its own) until it ends, and types `input` once the guest asks for it. Its exit status,
/// and what came from COM1.
fn guest(bios: &Path, arguments: &str, input: &[u8]) -> Result<(Option<i32>, String)> {
    let mut command = Command::new(QEMU);
    if !bios.as_os_str().is_empty() {
        command.arg("-bios").arg(bios);
    }
    command.args(["-display", "none", "-serial", "stdio", "-device", "isa-debug-exit,iobase=0xf4"]);
    command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context(QEMU)?;
    let mut stdin = child.stdin.take().context("The child has no standard input")?;
    let mut stdout = child.stdout.take().context("The child has no standard output")?;
    let reader = thread::spawn({
        let input = input.to_vec();
        move || {
            let (mut output, mut buffer, mut typed) = (Vec::new(), [0; 4096], input.is_empty());
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                output.extend_from_slice(&buffer[..count]);
                if !typed && output.ends_with(b"lyrebird> ") {
                    typed = true;
                    // One command at a time: the receiver's FIFO is small.
                    for byte in &input {
                        let _ = stdin.write_all(&[*byte]).and_then(|()| stdin.flush());
                        thread::sleep(Duration::from_millis(5));
                    }
                }
            }
            String::from_utf8_lossy(&output).into_owned()
        }
    });
    let status = wait(&mut child)?;
    let output = reader.join().map_err(|_| anyhow::anyhow!("The reader failed"))?;
    Ok((status, output))
}

/// Waits for the child, and ends it when it takes too long.
fn wait(child: &mut Child) -> Result<Option<i32>> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if begin.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("{QEMU} did not end within {} seconds", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}
