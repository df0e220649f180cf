//! ICH9's LPC bridge, the ISA bridge of `q35`: 8086:2918, function 0 of slot 31.
//!
//! After the "Intel I/O Controller Hub 9 Family" data sheet (316972), chapters 10 and 13. What has an effect: PIRQ route
//! registers, PMBASE with the ACPI blocks behind it, the APM ports, SMI_LOCK, RCBA. Left out on purpose: the chipset
//! configuration registers behind RCBA hold what is written, so device interrupt routes stay as they are at power-on;
//! GPIO, the watchdog timer (TCO), the SCI on another interrupt than 9.

use super::config::{ConfigSpace, Identity};
use super::function::{Function, Header, OWN, PciDevice, Region, region};
use super::pirq::PirqRouter;
use crate::acpi::pm::{Pm, PowerWires, State, bytes};
use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{BusError, BusResult, Initiator, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use crate::bus::span::Span;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Registers.
mod spec {
    pub const PMBASE: usize = 0x40;
    pub const ACPI_CNTL: usize = 0x44;
    pub const GPIOBASE: usize = 0x48;
    pub const PIRQ_A: usize = 0x60;
    pub const PIRQ_E: usize = 0x68;
    pub const GEN_PMCON: usize = 0xA0;
    pub const RCBA: usize = 0xF0;
    /// ACPI_CNTL: the block at PMBASE is there.
    pub const ACPI_EN: u8 = 0x80;
    /// Offsets at PMBASE (13.8.3).
    pub const GPE0: u64 = 0x20;
    pub const SMI_EN: u64 = 0x30;
    pub const SMI_STS: u64 = 0x34;
    /// SMI_EN: SMIs at all, and by APM commands.
    pub const GBL_SMI_EN: u32 = 1;
    pub const APMC_EN: u32 = 0x20;
    /// GEN_PMCON: GBL_SMI_EN stays as it is until reset, and so does this bit.
    pub const SMI_LOCK: u8 = 0x10;
    /// Commands at 0xB2 that QEMU's firmware tables name.
    pub const ACPI_ENABLE: u8 = 2;
    pub const ACPI_DISABLE: u8 = 3;
}
use spec::*;

/// Regions: the block at PMBASE, the chipset configuration registers, the APM ports.
const PM: usize = OWN;
const CHIPSET: usize = OWN + 1;
const APM: usize = OWN + 2;
const PM_LEN: u64 = 0x80;
const CHIPSET_LEN: u64 = 0x4000;
/// Bytes of GPE0's status bits, and of its enable bits.
const GPE_BYTES: usize = 8;

/// Ports APMC and APMS.
pub const APM_PORT: u64 = 0xB2;
/// Their number.
pub const APM_PORTS: u64 = 2;
/// Register offset of the APM ports in the function's socket, to be mapped at [`APM_PORT`].
pub const APM_REGION: u64 = region(APM);

#[derive(Serialize, Deserialize)]
struct Saved {
    pm: State,
    apm: [u8; 2],
    smi_en: u32,
    smi_sts: u32,
    chipset: Vec<u8>,
}

/// How the bridge is wired.
pub struct LpcWires {
    /// Global system interrupt 9.
    pub sci: Wire,
    /// Pulsed by APM commands; `None` on machines without system management mode, whose firmware is told that there is
    /// nothing to set up.
    pub smi: Option<Wire>,
    /// Sleep states.
    pub power: PowerWires,
}

/// The LPC bridge.
pub struct Lpc {
    router: Arc<PirqRouter>,
    pm: Pm,
    smi: Option<Wire>,
    apm: [u8; 2],
    smi_en: u32,
    smi_sts: u32,
    smi_lock: bool,
    chipset: Vec<u8>,
}

impl Lpc {
    /// An LPC bridge whose route registers steer `router`.
    pub fn function(router: Arc<PirqRouter>, clock: Clock, wires: LpcWires) -> Function<Lpc> {
        let mut header = Header::new(Identity::new(0x8086, 0x2918, 2, 0x06_0100));
        let config = &mut header.config;
        config.define(PMBASE, &[1, 0, 0, 0], &[0x80, 0xFF]);
        config.define(ACPI_CNTL, &[0], &[0x87]);
        config.define(GPIOBASE, &[1, 0, 0, 0], &[0xC0, 0xFF]);
        config.define(PIRQ_A, &[0x80; 4], &[0xFF; 4]);
        config.define(PIRQ_E, &[0x80; 4], &[0xFF; 4]);
        config.define(GEN_PMCON, &[0, 0], &[0xFF, 0xFF]);
        config.define(RCBA, &[0; 4], &[1, 0xC0, 0xFF, 0xFF]);
        let pm = Pm::new(clock, wires.sci, wires.power, GPE_BYTES);
        let smi_en = smi_at_power_on(wires.smi.is_some());
        let chipset = fresh_chipset();
        let lpc =
            Lpc { router, pm, smi: wires.smi, apm: [0; 2], smi_en, smi_sts: 0, smi_lock: false, chipset };
        Function::new(header, lpc).multifunction()
    }

    /// The fixed hardware: power button and general purpose events.
    pub fn pm(&mut self) -> &mut Pm {
        &mut self.pm
    }

    fn byte(&mut self, at: u64) -> u8 {
        let of = |word: u32| (word >> (8 * (at & 3))) as u8;
        match at {
            0..4 => of(u32::from(self.pm.status()) | u32::from(self.pm.enable()) << 16),
            4..8 => of(self.pm.control().into()),
            8..0xC => of(self.pm.timer()),
            GPE0..SMI_EN => self.pm.gpe((at - GPE0) as usize),
            SMI_EN..SMI_STS => of(self.smi_en),
            SMI_STS..0x38 => of(self.smi_sts),
            _ => 0,
        }
    }

    fn write_pm(&mut self, at: u64, size: Size, value: u64) {
        match (at, size) {
            (8, Size::B4) => {} // the timer is read-only, and the others are not split
            (0, Size::B4) => {
                self.pm.clear_status(value as u16);
                self.pm.set_enable((value >> 16) as u16);
            }
            (4, Size::B4) => self.pm.set_control(value as u16),
            (0, Size::B2) => self.pm.clear_status(value as u16),
            (2, Size::B2) => self.pm.set_enable(value as u16),
            (4, Size::B2) => self.pm.set_control(value as u16),
            (SMI_EN, Size::B4) => {
                let held = if self.smi_lock { GBL_SMI_EN } else { 0 };
                self.smi_en = self.smi_en & held | value as u32 & !held;
            }
            (SMI_STS, Size::B4) => self.smi_sts &= !(value as u32),
            _ => {
                for (i, &byte) in value.to_le_bytes().iter().take(size.bytes() as usize).enumerate() {
                    self.write_pm_byte(at.saturating_add(i as u64), byte);
                }
            }
        }
    }

    fn write_pm_byte(&mut self, at: u64, value: u8) {
        let shift = 8 * (at & 1);
        let merge = |old: u16| old & !(0xFF << shift) | u16::from(value) << shift;
        match at {
            0 | 1 => self.pm.clear_status(u16::from(value) << shift),
            2 | 3 => self.pm.set_enable(merge(self.pm.enable())),
            4 | 5 => self.pm.set_control(merge(self.pm.control())),
            GPE0..SMI_EN => self.pm.set_gpe((at - GPE0) as usize, value),
            _ => {}
        }
    }

    /// A write to APMC.
    fn command(&mut self, value: u8) {
        match value {
            ACPI_ENABLE => self.pm.set_acpi(true),
            ACPI_DISABLE => self.pm.set_acpi(false),
            _ => {}
        }
        const BOTH: u32 = GBL_SMI_EN | APMC_EN;
        if let Some(smi) = self.smi.as_ref().filter(|_| self.smi_en & BOTH == BOTH) {
            self.smi_sts |= APMC_EN;
            smi.pulse();
        }
    }
}

/// Firmware that finds APMC_EN set takes system management mode as set up already.
fn smi_at_power_on(has_smm: bool) -> u32 {
    if has_smm { 0 } else { APMC_EN }
}

/// Chipset configuration registers at power-on: the interrupt routes of slots 25 to 31 (10.1.43 to 10.1.49).
fn fresh_chipset() -> Vec<u8> {
    let mut bytes = vec![0; CHIPSET_LEN as usize];
    for route in [0x3140, 0x3144, 0x3146, 0x3148, 0x314C, 0x3150] {
        if let Some(word) = bytes.get_mut(route..route + 2) {
            word.copy_from_slice(&0x3210u16.to_le_bytes());
        }
    }
    bytes
}

impl PciDevice for Lpc {
    fn name(&self) -> &'static str {
        "ICH9-LPC"
    }

    fn config_written(&mut self, config: &mut ConfigSpace, _: usize, _: usize) {
        for line in 0..4 {
            self.router.route(line, config.byte(PIRQ_A + line));
            self.router.route(line + 4, config.byte(PIRQ_E + line));
        }
        let general = config.byte(GEN_PMCON);
        if self.smi_lock {
            config.put(GEN_PMCON, general | SMI_LOCK);
        }
        self.smi_lock |= general & SMI_LOCK != 0;
    }

    fn regions(&self, config: &ConfigSpace) -> Vec<Region> {
        let base = u64::from(config.dword(PMBASE) & 0xFF80);
        let on = config.byte(ACPI_CNTL) & ACPI_EN != 0 && base != 0;
        let pm = Span::new(base, PM_LEN).ok().filter(|_| on);
        let rcba = config.dword(RCBA);
        let base = u64::from(rcba & !0x3FFF);
        let chipset = Span::new(base, CHIPSET_LEN).ok().filter(|_| rcba & 1 != 0 && base != 0);
        vec![
            Region { index: PM, io: true, span: pm, socket: None },
            Region { index: CHIPSET, io: false, span: chipset, socket: None },
        ]
    }

    fn read(&mut self, region: usize, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        let len = size.bytes();
        match region {
            PM if at == 8 && size == Size::B4 => Ok(self.pm.timer().into()),
            PM => Ok(bytes(at, len, |at| self.byte(at))),
            CHIPSET => Ok(bytes(at, len, |at| self.chipset.get(at as usize).copied().unwrap_or(0))),
            APM => Ok(bytes(at, len, |at| self.apm.get(at as usize).copied().unwrap_or(0))),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, region: usize, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        let bytes = value.to_le_bytes();
        let bytes = bytes.iter().take(size.bytes() as usize).enumerate();
        match region {
            PM => self.write_pm(at, size, value),
            CHIPSET => bytes.for_each(|(i, &byte)| {
                if let Some(held) = self.chipset.get_mut((at as usize).saturating_add(i)) {
                    *held = byte;
                }
            }),
            APM => {
                for (i, &byte) in bytes {
                    let at = (at as usize).saturating_add(i);
                    if let Some(held) = self.apm.get_mut(at) {
                        *held = byte;
                    }
                    if at == 0 {
                        self.command(byte);
                    }
                }
            }
            _ => return Err(BusError::NoRegister),
        }
        Ok(())
    }

    fn timers(&self) -> Vec<Timer> {
        vec![self.pm.deadline()]
    }

    fn expired(&mut self, _: usize, _: VTime) {
        self.pm.expired();
    }

    fn reset(&mut self) {
        self.pm.reset();
        self.apm = [0; 2];
        self.smi_en = smi_at_power_on(self.smi.is_some());
        (self.smi_sts, self.smi_lock) = (0, false);
        self.chipset = fresh_chipset();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&Saved {
            pm: self.pm.saved(),
            apm: self.apm,
            smi_en: self.smi_en,
            smi_sts: self.smi_sts,
            chipset: self.chipset.clone(),
        })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: Saved = snapshot::load(saved)?;
        self.pm.check(&state.pm)?;
        require(state.chipset.len() == CHIPSET_LEN as usize, "the chipset registers are cut")?;
        self.pm.load(state.pm);
        // What follows from configuration space comes after this.
        self.smi_lock = false;
        (self.apm, self.smi_en, self.smi_sts) = (state.apm, state.smi_en, state.smi_sts);
        self.chipset = state.chipset;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::irq::LineSink;
    use crate::pci::testing::{Board, SLOT, check};

    fn router() -> (Arc<PirqRouter>, [Wire; 16]) {
        let irqs: [Wire; 16] = std::array::from_fn(|_| Wire::open());
        (Arc::new(PirqRouter::new(irqs.clone(), Vec::new())), irqs)
    }

    fn lpc(router: Arc<PirqRouter>, clock: &Clock, sci: &Wire, smi: Option<Wire>) -> Function<Lpc> {
        let wires = LpcWires { sci: sci.clone(), smi, power: PowerWires::open() };
        Lpc::function(router, clock.clone(), wires)
    }

    #[test]
    fn conforms() {
        let clock = Clock::stepped();
        let make = || lpc(router().0, &clock, &Wire::open(), None);
        check(make, &[(PM, PM_LEN), (CHIPSET, 0x100), (APM, APM_PORTS)]);
    }

    #[test]
    fn routes_power_management_and_chipset_registers() {
        let (clock, sci) = (Clock::stepped(), Wire::open());
        let (router, irqs) = router();
        let board = Board::new();
        let lpc = board.bus.plug(SLOT, lpc(router.clone(), &clock, &sci, None)).unwrap();
        board.io.add_registers("apm", APM_PORT, APM_PORTS, APM_REGION, lpc.clone()).unwrap();
        assert_eq!(board.config(SLOT, 0, Size::B4), 0x2918_8086);
        router.set_line(5, true);
        board.set_config(SLOT, 0x69, Size::B1, 10);
        assert!(irqs[10].level());

        board.set_config(SLOT, 0x40, Size::B4, 0x600);
        board.set_config(SLOT, 0x44, Size::B1, 0x80);
        clock.advance_to(VTime(VTime::SECOND));
        assert_eq!(board.inp(0x608, Size::B4), 3_579_545);
        assert_eq!(board.inp(0x630, Size::B4), 0x20, "firmware has no SMM to set up");
        board.outp(0xB2, Size::B1, 2);
        assert_eq!(board.inp(0x604, Size::B4), 1);
        board.outp(0x602, Size::B2, 0x100);
        board.outp(0x628, Size::B1, 2);
        lpc.lock().device_mut().pm().raise_gpe(1);
        assert!(sci.level());
        board.outp(0x620, Size::B4, 2);
        assert!(!sci.level());
        lpc.lock().device_mut().pm().press_power_button();
        assert!(sci.level());
        board.outp(0x601, Size::B1, 1);
        assert!(!sci.level());

        board.set_config(SLOT, 0xF0, Size::B4, 0xFED1_C001);
        assert_eq!(board.get(0xFED1_C000 + 0x3140, Size::B2), 0x3210);
        board.put(0xFED1_C000 + 0x3410, Size::B4, 0x20);
        assert_eq!(board.get(0xFED1_C000 + 0x3410, Size::B4), 0x20);
    }

    #[test]
    fn apm_commands_cause_smis_where_there_is_smm() {
        let smi = Wire::open();
        let mut lpc = lpc(router().0, &Clock::stepped(), &Wire::open(), Some(smi));
        let device = lpc.device_mut();
        device.write(APM, 0, Size::B1, 9, Initiator::Cpu(0)).unwrap();
        assert_eq!(device.smi_sts, 0);
        device.write(PM, SMI_EN, Size::B4, 0x21, Initiator::Cpu(0)).unwrap();
        device.write(APM, 0, Size::B1, 9, Initiator::Cpu(0)).unwrap();
        assert_eq!(device.smi_sts, APMC_EN);
    }

    #[test]
    fn a_locked_smi_enable_stays() {
        let board = Board::new();
        let lpc = lpc(router().0, &Clock::stepped(), &Wire::open(), Some(Wire::open()));
        let lpc = board.bus.plug(SLOT, lpc).unwrap();
        let enable = |value: u64| {
            let mut lpc = lpc.lock();
            lpc.device_mut().write(PM, SMI_EN, Size::B4, value, Initiator::Cpu(0)).unwrap();
            lpc.device_mut().smi_en
        };
        assert_eq!(enable(0x21), 0x21);
        board.set_config(SLOT, 0xA0, Size::B1, 0x10);
        board.set_config(SLOT, 0xA0, Size::B1, 0);
        assert_eq!(board.config(SLOT, 0xA0, Size::B1), 0x10);
        assert_eq!(enable(0), 1);
        crate::bus::device::Device::reset(&mut *lpc.lock());
        assert_eq!(enable(0), 0);
    }
}
