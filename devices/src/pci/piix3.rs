//! 82371SB (PIIX3), the ISA bridge of `pc`: 8086:7000, function 0 of slot 1.
//!
//! After the data sheet 290550. What has an effect: PIRQRC A to D. The reset control register 0xCF9 is with the
//! configuration ports ([`super::host`]), the edge/level registers with the 8259s. X-bus chip selects, ISA timing and
//! DMA redirection hold what is written.

use super::config::{ConfigSpace, Identity};
use super::function::{Function, Header, PciDevice};
use super::pirq::PirqRouter;
use crate::bus::snapshot::StateError;
use std::sync::Arc;

/// PIRQRC A; B to D follow (2.2.8).
const PIRQRC: usize = 0x60;
const PIRQS: usize = 4;

/// The ISA bridge.
pub struct Piix3 {
    router: Arc<PirqRouter>,
}

impl Piix3 {
    /// An ISA bridge whose route registers steer `router`.
    pub fn function(router: Arc<PirqRouter>) -> Function<Piix3> {
        let mut header = Header::new(Identity::new(0x8086, 0x7000, 0, 0x06_0100));
        let config = &mut header.config;
        config.define(0x06, &[0x00, 0x02], &[]);
        let power_on: [(usize, &[u8]); 7] = [
            (0x4C, &[0x4D, 0x00, 0x03]),
            (PIRQRC, &[0x80; PIRQS]),
            (0x69, &[0x02]),
            (0x70, &[0x80]),
            (0x76, &[0x0C, 0x0C, 0x02]),
            (0xA0, &[0x08]),
            (0xA8, &[0x0F]),
        ];
        for (at, values) in power_on {
            config.define(at, values, &[0xFF; PIRQS]);
        }
        Function::new(header, Piix3 { router }).multifunction()
    }
}

impl PciDevice for Piix3 {
    fn name(&self) -> &'static str {
        "PIIX3"
    }

    fn config_written(&mut self, config: &mut ConfigSpace, _: usize, _: usize) {
        for line in 0..PIRQS {
            self.router.route(line, config.byte(PIRQRC + line));
        }
    }

    fn reset(&mut self) {}

    fn save(&self) -> Result<Vec<u8>, StateError> {
        Ok(Vec::new())
    }

    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
}
