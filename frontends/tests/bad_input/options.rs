//! Options and combinations that no machine can satisfy.

use super::inputs::{image, write};
use super::{Case, case, place, run_all};

const CASES: &[Case] = &[
    case("", 2, &["nothing to run"]),
    case("-nonsense", 2, &["-nonsense"]),
    case("-kernel", 2, &["-kernel", "value"]),
    case("-kernel k -smp 0", 2, &["-smp 0"]),
    case("-kernel k -smp 9", 5, &["-smp", "gic-version=3"]),
    case("-kernel k -smp 9 -M virt,gic-version=2", 5, &["-smp", "GICv2"]),
    case("-kernel k -smp 124 -M virt,gic-version=3", 5, &["-smp", "123"]),
    case("-kernel k -smp cpus=4,cores=3", 5, &["-smp"]),
    case("-kernel k -smp many", 2, &["-smp"]),
    case("-kernel k -m 0", 2, &["-m"]),
    case("-kernel k -m 1K", 5, &["-m", "1 MiB"]),
    case("-kernel k -m 200G", 5, &["-m", "host"]),
    case("-kernel k -m 1000000T", 5, &["-m", "host"]),
    case("-kernel k -m 99999999999999999999", 2, &["-m"]),
    case("-kernel k -m -5", 2, &["-m"]),
    case("-kernel k -cpu cortex-a15", 2, &["-cpu", "cortex-a15", "cortex-a53"]),
    case("-kernel k -cpu cortex-a53,pauth=on", 5, &["-cpu", "pauth", "max"]),
    case("-kernel k -cpu max,pauth-qarma5=on,pauth-impdef=on", 5, &["-cpu", "QARMA5"]),
    case("-kernel k -cpu max,aarch64=off", 5, &["-cpu", "AArch32"]),
    case("-kernel k -cpu max,sve=on", 2, &["-cpu", "sve"]),
    case("-kernel k -cpu max,pmu=maybe", 2, &["-cpu", "maybe"]),
    case("-kernel k -M raspi4b", 2, &["raspi4b", "virt"]),
    case("-kernel k -M virt,gic-version=5", 2, &["gic-version"]),
    case("-kernel k -M virt,colour=red", 2, &["colour"]),
    case("-kernel k -accel kvm", 5, &["kvm", "jit"]),
    case("-kernel k -accel warp", 2, &["warp", "interp"]),
    case("-kernel k -accel jit,tb-size=x", 2, &["tb-size"]),
    case("-kernel k -accel verify -smp 2", 5, &["verify", "-smp 1"]),
    case("-kernel k -device floppy", 2, &["floppy", "virtio-blk-device"]),
    case("-kernel k -device virtio-blk-device", 2, &["drive"]),
    case("-kernel k -device virtio-blk-device,drive=d", 2, &["d"]),
    case("-kernel k -device virtconsole", 2, &["virtio-serial"]),
    case("-kernel k -drive id=d,if=none", 2, &["file"]),
    case("-kernel k -drive file=k,if=ide", 5, &["if=ide", "virtio"]),
    case("-kernel k -drive file=k,format=vmdk", 2, &["vmdk"]),
    case("-kernel k -drive file=k,id=d,if=none -drive file=k,id=d,if=none", 2, &["id=d"]),
    case("-kernel k -chardev null,id=a -chardev null,id=a", 2, &["a"]),
    case("-kernel k -serial chardev:a", 2, &["a"]),
    case("-kernel k -serial stdio -monitor stdio", 5, &["mon:stdio"]),
    case("-kernel k -chardev stdio,id=a -chardev stdio,id=b", 5, &["one owner"]),
    case("-append quiet -bios k", 5, &["-append"]),
    case("-initrd k -bios k", 5, &["-initrd"]),
    case("-kernel k -netdev user,id=n", 2, &["-netdev"]),
    case("-kernel k -gdb tcp::99999", 2, &["-gdb"]),
    case("-kernel k -d everything", 2, &["everything"]),
    case("-kernel k -d int -D /nowhere/log", 1, &["-D", "/nowhere/log"]),
    case("-kernel k -rtc base=never", 2, &["base=never"]),
    case("-kernel k -rtc base=2026-13-99", 2, &["base"]),
    case("-kernel k -serial file:/nowhere/log", 1, &["/nowhere/log"]),
];

#[test]
fn options() {
    let at = place("options");
    write(&at, "k", &image(&[0x1400_0000]));
    run_all(&at, CASES);
}

#[test]
fn more_devices_than_transports() {
    let at = place("transports");
    write(&at, "k", &image(&[0x1400_0000]));
    let devices: &'static str = format!("-kernel k {}", "-device virtio-rng-device ".repeat(33)).leak();
    run_all(&at, &[case(devices, 5, &["32"])]);
}
