//! 82371AB (PIIX4), function 3: power management, 8086:7113.
//!
//! After the data sheet 290562, chapter 7. PM1 and the PM timer are at PMBA, GPE0 at the fixed address where QEMU's
//! firmware tables have it, and the APM ports 0xB2 and 0xB3 switch ACPI on and off. The SMBus controller, device
//! monitors and throttling are left out on purpose: their registers hold what is written.

use super::pm::{Pm, PowerWires, State, bytes};
use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{BusError, BusResult, Initiator, Size};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError};
use crate::bus::span::Span;
use crate::pci::config::{ConfigSpace, Identity};
use crate::pci::function::{Function, Header, OWN, PciDevice, Region, region};
use serde::{Deserialize, Serialize};

/// Registers.
mod spec {
    pub const PMBA: usize = 0x40;
    pub const DEVACTA: usize = 0x58;
    pub const DEVRESC: usize = 0x5C;
    pub const SMBBA: usize = 0x90;
    pub const PMREGMISC: usize = 0x80;
    pub const SMBHSTCFG: usize = 0xD2;
    /// Bit of DEVACTB: APM commands cause SMIs.
    pub const APMC_EN: u8 = 2;
    /// Commands at 0xB2 that QEMU's firmware tables name.
    pub const ACPI_ENABLE: u8 = 0xF1;
    pub const ACPI_DISABLE: u8 = 0xF0;
}
use spec::*;

/// Regions: the block at PMBA, GPE0, the APM ports.
const PM: usize = OWN;
const GPE: usize = OWN + 1;
const APM: usize = OWN + 2;

/// Ports of GPE0: two bytes of status, two of enable.
pub const GPE_PORT: u64 = 0xAFE0;
/// Their number.
pub const GPE_PORTS: u64 = 4;
/// Register offset of GPE0 in the function's socket, to be mapped at [`GPE_PORT`].
pub const GPE_REGION: u64 = region(GPE);
/// Ports APMC and APMS.
pub const APM_PORT: u64 = 0xB2;
/// Their number.
pub const APM_PORTS: u64 = 2;
/// Register offset of the APM ports in the function's socket, to be mapped at [`APM_PORT`].
pub const APM_REGION: u64 = region(APM);
/// Ports at PMBA.
const PM_LEN: u64 = 0x40;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Saved {
    pm: State,
    apmc: u8,
    apms: u8,
}

/// The function.
pub struct Piix4Pm {
    pm: Pm,
    smi: Wire,
    /// Whether APM commands cause SMIs.
    apmc_en: bool,
    apmc: u8,
    apms: u8,
}

/// How the function is wired.
pub struct Piix4Wires {
    /// ISA interrupt 9.
    pub sci: Wire,
    /// Pulsed by APM commands; `None` on machines without system management mode, whose firmware is told that there is
    /// nothing to set up.
    pub smi: Option<Wire>,
    /// Sleep states.
    pub power: PowerWires,
}

impl Piix4Pm {
    /// The function.
    pub fn function(clock: Clock, wires: Piix4Wires) -> Function<Piix4Pm> {
        let mut header = Header::new(Identity::new(0x8086, 0x7113, 3, 0x06_8000));
        let config = &mut header.config;
        config.define(0x06, &[0x80, 0x02], &[]);
        config.set_pin(1);
        config.define(PMBA, &[1, 0, 0, 0], &[0xC0, 0xFF]);
        // Firmware that finds APMC_EN set takes system management mode as set up already.
        let actb = if wires.smi.is_some() { 0 } else { APMC_EN };
        config.define(DEVACTA, &[0, 0, 0, actb], &[0xFF; 4]);
        config.define(DEVRESC, &[0, 0, 0, 0x10], &[0xFF; 4]);
        config.define(0x60, &[0, 0, 0, 0x60], &[0xFF; 4]);
        config.define(SMBBA, &[1, 0xB1, 0, 0], &[0xF0, 0xFF]);
        config.define(SMBHSTCFG, &[0], &[0xFF]);
        let pm = Pm::new(clock, wires.sci, wires.power, GPE_PORTS as usize / 2);
        let smi = wires.smi.unwrap_or_else(Wire::open);
        Function::new(header, Piix4Pm { pm, smi, apmc_en: false, apmc: 0, apms: 0 })
    }

    /// The fixed hardware: power button and general purpose events.
    pub fn pm(&mut self) -> &mut Pm {
        &mut self.pm
    }

    fn byte(&mut self, at: u64) -> u8 {
        let word = match at & !1 {
            0 => self.pm.status(),
            2 => self.pm.enable(),
            4 => self.pm.control(),
            8 => self.pm.timer() as u16,
            0xA => (self.pm.timer() >> 16) as u16,
            _ => 0,
        };
        (word >> (8 * (at & 1))) as u8
    }
}

impl PciDevice for Piix4Pm {
    fn name(&self) -> &'static str {
        "PIIX4_PM"
    }

    fn regions(&self, config: &ConfigSpace) -> Vec<Region> {
        let base = u64::from(config.dword(PMBA) & 0xFFC0);
        let on = config.byte(PMREGMISC) & 1 != 0 && base != 0;
        let span = Span::new(base, PM_LEN).ok().filter(|_| on);
        vec![Region { index: PM, io: true, span, socket: None }]
    }

    fn config_written(&mut self, config: &mut ConfigSpace, _: usize, _: usize) {
        self.apmc_en = config.byte(DEVACTA + 3) & APMC_EN != 0;
    }

    fn read(&mut self, region: usize, at: u64, size: Size, _: Initiator) -> BusResult<u64> {
        match region {
            // The timer is read in one piece.
            PM if at == 8 && size == Size::B4 => Ok(self.pm.timer().into()),
            PM => Ok(bytes(at, size.bytes(), |at| self.byte(at))),
            GPE => Ok(bytes(at, size.bytes(), |at| self.pm.gpe(at as usize))),
            APM => Ok(bytes(at, size.bytes(), |at| {
                [self.apmc, self.apms].get(at as usize).copied().unwrap_or(0)
            })),
            _ => Err(BusError::NoRegister),
        }
    }

    fn write(&mut self, region: usize, at: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        match (region, at) {
            (PM, 0) if size == Size::B4 => {
                self.pm.clear_status(value as u16);
                self.pm.set_enable((value >> 16) as u16);
            }
            (PM, 0) => self.pm.clear_status(value as u16),
            (PM, 1) => self.pm.clear_status((value as u16) << 8),
            (PM, 2) if size == Size::B1 => self.pm.set_enable(self.pm.enable() & 0xFF00 | value as u16),
            (PM, 2) => self.pm.set_enable(value as u16),
            (PM, 3) => self.pm.set_enable(self.pm.enable() & 0xFF | (value as u16) << 8),
            (PM, 4) if size == Size::B1 => self.pm.set_control(self.pm.control() & 0xFF00 | value as u16),
            (PM, 4) => self.pm.set_control(value as u16),
            (PM, 5) => self.pm.set_control(self.pm.control() & 0xFF | (value as u16) << 8),
            (PM, _) => {}
            (GPE, _) => {
                for (i, &byte) in value.to_le_bytes().iter().take(size.bytes() as usize).enumerate() {
                    self.pm.set_gpe((at as usize).saturating_add(i), byte);
                }
            }
            (APM, 0) => self.command(value as u8),
            (APM, 1) => self.apms = value as u8,
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
        (self.apmc, self.apms) = (0, 0);
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&Saved { pm: self.pm.saved(), apmc: self.apmc, apms: self.apms })
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: Saved = snapshot::load(saved)?;
        self.pm.check(&state.pm)?;
        self.pm.load(state.pm);
        (self.apmc, self.apms) = (state.apmc, state.apms);
        Ok(())
    }
}

impl Piix4Pm {
    /// A write to APMC.
    fn command(&mut self, value: u8) {
        self.apmc = value;
        match value {
            ACPI_ENABLE => self.pm.set_acpi(true),
            ACPI_DISABLE => self.pm.set_acpi(false),
            _ => {}
        }
        if self.apmc_en {
            self.smi.pulse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acpi::pm::pm1;
    use crate::bus::device::Device;
    use crate::pci::testing::{Board, SLOT, check};
    use parking_lot::Mutex;
    use std::sync::Arc;

    fn function(clock: &Clock, wires: (Wire, Wire)) -> Function<Piix4Pm> {
        let power = PowerWires { off: wires.1, suspend: Wire::open() };
        Piix4Pm::function(clock.clone(), Piix4Wires { sci: wires.0, smi: None, power })
    }

    struct Count(Mutex<u32>);
    impl crate::bus::irq::LineSink for Count {
        fn set_line(&self, _: u32, level: bool) {
            *self.0.lock() += u32::from(level);
        }
    }

    #[test]
    fn conforms() {
        let clock = Clock::stepped();
        let make = || function(&clock, (Wire::open(), Wire::open()));
        check(make, &[(PM, PM_LEN), (GPE, GPE_PORTS), (APM, APM_PORTS)]);
    }

    #[test]
    fn a_driver_uses_it() {
        let clock = Clock::stepped();
        let (sci, off) = (Wire::open(), Arc::new(Count(Mutex::new(0))));
        let board = Board::new();
        let pm = function(&clock, (sci.clone(), Wire::new("off", off.clone(), 0)));
        let pm = board.bus.plug(SLOT, pm).unwrap();
        board.io.add_registers("gpe", GPE_PORT, GPE_PORTS, GPE_REGION, pm.clone()).unwrap();
        board.io.add_registers("apm", APM_PORT, APM_PORTS, APM_REGION, pm.clone()).unwrap();
        assert_eq!(board.config(SLOT, 0, Size::B4), 0x7113_8086);
        board.set_config(SLOT, 0x40, Size::B4, 0x601);
        board.set_config(SLOT, 0x80, Size::B1, 1);
        assert_eq!(board.inp(0x608, Size::B4), 0);
        clock.advance_to(VTime(VTime::SECOND));
        assert_eq!(board.inp(0x608, Size::B4), 3_579_545);

        board.outp(0x602, Size::B2, u64::from(pm1::PWRBTN));
        pm.lock().device_mut().pm().press_power_button();
        assert!(!sci.level(), "ACPI is off");
        board.outp(0xB2, Size::B1, 0xF1);
        assert_eq!((board.inp(0x604, Size::B2), sci.level()), (1, true));
        assert_eq!(board.inp(0x600, Size::B2), u64::from(pm1::PWRBTN));
        board.outp(0x600, Size::B2, u64::from(pm1::PWRBTN));
        assert!(!sci.level());

        board.outp(GPE_PORT + 2, Size::B1, 4);
        pm.lock().device_mut().pm().raise_gpe(2);
        assert!(sci.level());
        board.outp(GPE_PORT, Size::B1, 4);
        assert!(!sci.level());

        let saved = pm.lock().save().unwrap();
        pm.lock().reset();
        assert_eq!(board.inp(0x604, Size::B2), 0xFFFF, "PMBA is gone");
        pm.lock().load(&saved).unwrap();
        assert_eq!(board.inp(0x604, Size::B2), 1);
        board.outp(0xB2, Size::B1, 0xF0);
        assert_eq!(board.inp(0x604, Size::B2), 0);
        assert_eq!(*off.0.lock(), 0);
        board.outp(0x604, Size::B2, 0x2000);
        assert_eq!((*off.0.lock(), board.inp(0x604, Size::B2)), (1, 0));
    }

    #[test]
    fn the_timer_interrupts_at_its_half() {
        let clock = Clock::stepped();
        let sci = Wire::open();
        let mut pm = Pm::new(clock.clone(), sci.clone(), PowerWires::open(), 2);
        pm.set_acpi(true);
        pm.set_enable(pm1::TMR);
        let due = clock.next_deadline().unwrap();
        assert_eq!(due.0, (0x80_0000u64 * VTime::SECOND).div_ceil(3_579_545));
        clock.advance_to(due);
        pm.expired();
        assert!(sci.level());
        pm.clear_status(pm1::TMR);
        assert!(!sci.level());
        assert!(clock.next_deadline().unwrap().0 > due.0 * 2 - 1000);
        pm.set_enable(0);
        assert_eq!(clock.next_deadline(), None);
    }
}
