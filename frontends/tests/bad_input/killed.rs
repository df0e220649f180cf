//! An image survives the emulator being killed while the guest writes.

use super::inputs::{Qcow2, image, write};
use super::programs::DISK;
use super::{command, finish, place};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn images_survive_a_kill_during_writes() {
    let at = place("killed");
    if Command::new("qemu-img").arg("--version").output().is_err() {
        eprintln!("skipped: there is no qemu-img to check images with");
        return;
    }
    write(&at, "guest", &image(DISK));
    for (round, engine) in ["interp", "jit", "jit"].into_iter().enumerate() {
        write(&at, "disk", Qcow2::new().long(24, 64 << 20).bytes());
        let disk = at.join("disk");
        let size = || disk.metadata().map_or(0, |m| m.len());
        let before = size();
        let drive = "-display none -kernel guest -drive file=disk,format=qcow2,if=virtio";
        let mut child =
            command(&at, &format!("{drive} -accel {engine}")).spawn().expect("the program starts");
        // It is in the middle of allocating clusters when it is killed.
        let end = Instant::now() + Duration::from_secs(15);
        while size() < before + ((1 + round as u64) << 20) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("a child to kill");
        let (_, output) = finish(child, Duration::from_secs(5));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(size() > before, "{engine}: the guest wrote nothing: {said}");
        let check = Command::new("qemu-img").args(["check", "-f", "qcow2"]).arg(&disk).output();
        let check = check.expect("qemu-img starts");
        // 3: clusters that nothing refers to, which cost space and hold no data; all else is damage.
        let code = check.status.code();
        assert!(
            matches!(code, Some(0 | 3)),
            "{engine}: {code:?}: {}",
            String::from_utf8_lossy(&check.stdout)
        );
    }
}
