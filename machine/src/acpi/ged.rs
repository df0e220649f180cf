//! The generic event device and its power button, as the DSDT has them (ACPI 6.5, 5.6.9).

use super::aml::{Term, crs, device, edge_interrupt, hid, method, name, path, when};
use acpi_tables::aml;
use acpi_tables::aml::{
    And, Field, FieldAccessType, FieldEntry, FieldLockRule, FieldUpdateRule, Local, Notify, OpRegion,
    OpRegionSpace, Store,
};
use lyrebird_devices::acpi::ged::{Ged, POWER_DOWN};

/// The interrupt of its events.
pub const GSI: u32 = 9;
/// "Status has changed" for a power button: it was pressed.
const PRESSED: u8 = 0x80;

/// Both devices.
pub(super) fn devices() -> [Term; 2] {
    let region =
        OpRegion::new(path("EREG"), OpRegionSpace::SystemMemory, &(Ged::ADDRESS as u32), &(Ged::LEN as u8));
    let selector = Field::new(
        path("EREG"),
        FieldAccessType::DWord,
        FieldLockRule::NoLock,
        FieldUpdateRule::WriteAsZeroes,
        vec![FieldEntry::Named(*b"ESEL", 32)],
    );
    let pressed = And::new(&aml::ZERO, &Local(0), &POWER_DOWN);
    let events = [
        Term::of(&Store::new(&Local(0), &path("ESEL"))),
        when(&pressed, &[Term::of(&Notify::new(&path("PWRB"), &PRESSED))]),
    ];
    let own = [
        name("_HID", &"ACPI0013"),
        name("_UID", &0u8),
        crs(&[edge_interrupt(GSI)]),
        Term::of(&region),
        Term::of(&selector),
        method("_EVT", 1, true, &events),
    ];
    [device("PWRB", &[hid("PNP0C0C"), name("_UID", &0u8)]), device("GED_", &own)]
}
