//! 82441FX (PMC), the host bridge of `pc`: 8086:1237 in slot 0.
//!
//! After the data sheet 290549. What has an effect: PAM and SMRAM; the other registers hold what is written. DRAM
//! timing, error reporting and the AGP-less PCI arbiter are left out on purpose.

use super::config::{ConfigSpace, Identity};
use super::function::{Function, Header, PciDevice};
use super::pam::Pam;
use crate::bus::shadow::ShadowControl;
use crate::bus::snapshot::StateError;
use std::sync::Arc;

/// Registers (3.2).
mod spec {
    pub const DRAMC: usize = 0x57;
    pub const PAM0: usize = 0x59;
    pub const SMRAM: usize = 0x72;
}
use spec::*;

/// The host bridge.
pub struct I440fx {
    pam: Pam,
}

impl I440fx {
    /// A host bridge that tells `shadow` what is to be seen below 1 MiB.
    pub fn function(shadow: Arc<dyn ShadowControl>) -> Function<I440fx> {
        let mut header = Header::new(Identity::new(0x8086, 0x1237, 2, 0x06_0000));
        header.config.define(DRAMC, &[0x10], &[0xFF]);
        header.config.define(SMRAM, &[0x02], &[0x78]);
        Function::new(header, I440fx { pam: Pam::new(PAM0, SMRAM, shadow) })
    }
}

impl PciDevice for I440fx {
    fn name(&self) -> &'static str {
        "i440FX"
    }

    fn config_written(&mut self, config: &mut ConfigSpace, _: usize, _: usize) {
        self.pam.update(config);
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
