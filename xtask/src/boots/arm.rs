//! The arm64 kernels on `virt`: from initrd and from disk, on every interrupt controller and model.

use super::{Args, Boot};
use crate::console::Machine;
use crate::guests::boot::boot;
use crate::guests::kernel;

/// All boots that the options leave.
pub fn boots<'a>(args: &'a Args, emulator: &'a str) -> Vec<Boot<'a>> {
    let mut boots = Vec::new();
    for kernel in kernel::of("arm64").filter(|k| args.wants(k)) {
        for medium in &args.media {
            for engine in &args.engines {
                for &gic in &args.gics {
                    for &cpus in &args.smp {
                        for model in &args.models {
                            let name =
                                format!("{} {medium} {engine} GICv{gic} -smp {cpus} {model}", kernel.name);
                            let run = move || {
                                let machine = Machine::with(emulator, gic, model, cpus);
                                let machine = machine.args(["-accel", engine]);
                                boot(machine, cpus, &kernel.folder(), kernel.file(), medium == "disk")
                            };
                            boots.push(Boot { name, run: Box::new(run) });
                        }
                    }
                }
            }
        }
    }
    boots
}
