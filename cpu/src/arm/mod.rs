//! Arm processors. AArch64 at EL0 and EL1; EL2, EL3 and AArch32 have their place (the mode word, `a32/`) and are not
//! there yet.

pub mod a64;
pub mod emit;
pub mod exception;
pub mod features;
pub mod mode;
pub mod state;
pub mod sysreg;
pub mod walk;

use crate::core::{Arch, Core, Mapping, Raised, Want};
use crate::emit::{Cx, Exec};
use crate::slot::Slot;
use crate::width::{W32, W64};

/// The AArch64 architecture: what a processor has besides its register file.
#[derive(Debug, Default)]
pub struct Arm64 {}

impl Arch for Arm64 {
    const PC: Slot<W64> = state::PC;
    const ALIGN: u64 = 4;
    const FP_CONTROL: Slot<W32> = state::FPCR;
    const FP_STATUS: Slot<W32> = state::FPSR;

    fn translate(core: &mut Core<Self>, va: u64, want: Want, unprivileged: bool) -> Result<Mapping, Raised> {
        walk::translate(core, va, want, unprivileged)
    }
    fn misaligned(core: &mut Core<Self>, va: u64, want: Want) -> Raised {
        exception::misaligned(core, va, want)
    }
    fn unanswered(core: &mut Core<Self>, va: u64, want: Want) -> Raised {
        exception::unanswered(core, va, want)
    }
    fn strict(mode: u32) -> bool {
        mode & mode::STRICT != 0
    }
    fn deliver(core: &mut Core<Self>) {
        exception::deliver(core);
    }
    fn interrupt(core: &mut Core<Self>) -> bool {
        exception::interrupt(core)
    }
    fn clock(core: &Core<Self>) -> u64 {
        core.icount
    }
    fn decode(word: u32, cx: Cx) -> fn(&mut Core<Self>, u32) -> Exec<Core<Self>> {
        a64::interp_table().find(word, cx.features).map_or(a64::undefined::<Core<Self>>, |(_, row)| row.run)
    }
}
