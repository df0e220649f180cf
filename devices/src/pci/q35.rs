//! The MCH of Q35 (82Q35), the host bridge of `q35`: 8086:29c0 in slot 0.
//!
//! After the "Intel 3 Series Express Chipset Family" data sheet (316966), chapter 5. What has an effect: PCIEXBAR, PAM
//! and SMRAM; the other registers hold what is written. TSEG, the remap window and the integrated graphics are left out
//! on purpose.

use super::bus::PciBus;
use super::config::{ConfigSpace, Identity};
use super::function::{Function, Header, OWN, PciDevice, Region};
use super::host::Ecam;
use super::pam::Pam;
use crate::bus::device::Socket;
use crate::bus::shadow::ShadowControl;
use crate::bus::snapshot::StateError;
use crate::bus::span::Span;
use std::sync::Arc;

/// Registers (5.1).
mod spec {
    pub const PCIEXBAR: usize = 0x60;
    pub const PAM0: usize = 0x90;
    pub const SMRAM: usize = 0x9D;
    pub const ESMRAMC: usize = 0x9E;
    /// PCIEXBAR: enable, length.
    pub const ENABLE: u32 = 1;
    pub const LENGTH: u32 = 6;
}
use spec::*;

/// The host bridge.
pub struct Mch {
    pam: Pam,
    ecam: Arc<dyn Socket>,
}

impl Mch {
    /// The host bridge of `bus`, which tells `shadow` what is to be seen below 1 MiB.
    pub fn function(bus: Arc<PciBus>, shadow: Arc<dyn ShadowControl>) -> Function<Mch> {
        let mut header = Header::new(Identity::new(0x8086, 0x29C0, 0, 0x06_0000));
        header.config.define(0x50, &[0, 0], &[]);
        let bar = 0xB000_0000u64.to_le_bytes();
        header.config.define(PCIEXBAR, &bar, &[7, 0, 0, 0xFC, 0x0F]);
        header.config.define(SMRAM, &[0x02], &[0x78]);
        header.config.define(ESMRAMC, &[0x38], &[0x87]);
        Function::new(header, Mch { pam: Pam::new(PAM0, SMRAM, shadow), ecam: Arc::new(Ecam::new(bus)) })
    }
}

impl PciDevice for Mch {
    fn name(&self) -> &'static str {
        "mch"
    }

    fn config_written(&mut self, config: &mut ConfigSpace, _: usize, _: usize) {
        self.pam.update(config);
    }

    fn regions(&self, config: &ConfigSpace) -> Vec<Region> {
        let low = config.dword(PCIEXBAR);
        let len: u64 = match low & LENGTH {
            0 => 256 << 20,
            2 => 128 << 20,
            4 => 64 << 20,
            _ => 0, // reserved
        };
        let raw = u64::from(low) | u64::from(config.dword(PCIEXBAR + 4)) << 32;
        let base = raw & !(len.max(1) - 1);
        let span = Span::new(base, len).ok().filter(|_| low & ENABLE != 0 && base != 0);
        let socket = Some(Arc::downgrade(&self.ecam));
        vec![Region { index: OWN, io: false, span, socket }]
    }

    fn reset(&mut self) {
        self.pam.reset();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        Ok(Vec::new())
    }

    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        self.pam.unlock();
        Ok(())
    }
}
