//! The PCI root: its address windows, and how interrupt pins become interrupts.
//!
//! PIIX3 leads the four pins to ISA interrupts through its registers PIRQRCA to PIRQRCD; slot and pin are added. ICH9 has eight
//! such registers for guests with 8259s; at the I/O APIC its lines are inputs 16 to 23.

use super::aml::{
    Term, crs, device, give, hid, method, name, package, path, ports, resources, shared_interrupts, when,
};
use super::{Chipset, Platform};
use acpi_tables::aml::{
    self, AddressSpace, AddressSpaceCacheable, And, Arg, CreateDWordField, EISAName, Equal, Field,
    FieldAccessType, FieldEntry, FieldLockRule, FieldUpdateRule, LessThan, MethodCall, OpRegion,
    OpRegionSpace, Or, Store,
};

/// What makes the root bus.
pub(super) fn root(platform: &Platform) -> Vec<Term> {
    let mut terms = match platform.chipset {
        Chipset::Ich9 { .. } => vec![hid("PNP0A08"), name("_CID", &EISAName::new("PNP0A03"))],
        _ => vec![hid("PNP0A03")],
    };
    terms.push(name("_UID", &0u8));
    terms.push(crs(&windows(platform)));
    match platform.chipset {
        Chipset::Ich9 { ecam } => {
            terms.push(memory_map(ecam));
            terms.push(name("PRTP", &routes(ich9_line, link)));
            terms.push(name("PRTA", &routes(ich9_line, |line| (Term::of(&0u8), 16 + line))));
            let apic = Term::of(&Equal::new(&path("PICF"), &1u8));
            let choose = [when(&apic, &[give(&path("PRTA"))]), give(&path("PRTP"))];
            terms.push(method("_PRT", 0, false, &choose));
        }
        _ => terms.push(name("_PRT", &routes(|slot, pin| (slot + 3 + pin) % 4, link))),
    }
    terms
}

/// Buses, ports and memory that devices may use.
fn windows(platform: &Platform) -> Vec<Term> {
    let memory = |first: u32, last: u32, cacheable| {
        Term::of(&AddressSpace::<u32>::new_memory(cacheable, true, first, last, None))
    };
    let mut windows = vec![
        Term::of(&AddressSpace::<u16>::new_bus_number(0, 255)),
        ports(0xcf8, 8),
        Term::of(&AddressSpace::<u16>::new_io(0, 0xcf7, None)),
        Term::of(&AddressSpace::<u16>::new_io(0xd00, 0xffff, None)),
        memory(0xa_0000, 0xb_ffff, AddressSpaceCacheable::Cacheable),
        memory(platform.pci_hole.0, platform.pci_hole.1, AddressSpaceCacheable::NotCacheable),
    ];
    if let Some((first, last)) = platform.pci_hole_64 {
        let window =
            AddressSpace::<u64>::new_memory(AddressSpaceCacheable::Cacheable, true, first, last, None);
        windows.push(Term::of(&window));
    }
    windows
}

/// The memory-mapped configuration space, which guests want to see reserved before they use it.
fn memory_map(ecam: u32) -> Term {
    let registers = aml::Memory32Fixed::new(true, ecam, 256 << 20);
    device("MCFG", &[hid("PNP0C02"), name("_UID", &0u8), crs(&[Term::of(&registers)])])
}

/// The line of ICH9 that a pin is connected to, 0 for PIRQA: slots from 25 on to A to D (but for the bridge to PCI), others
/// to E to H, one further for each slot.
fn ich9_line(slot: u32, pin: u32) -> u32 {
    match slot {
        0x00..=0x18 => 4 + (slot + pin) % 4,
        0x1e => 4 + pin,
        _ => pin,
    }
}

/// A line as source in the routing table: the link device.
fn link(line: u32) -> (Term, u32) {
    (Term::of(&path(&link_name(line))), 0)
}

fn link_name(line: u32) -> String {
    format!("LNK{}", letter(line))
}

fn letter(line: u32) -> char {
    char::from(b'A' + line as u8)
}

/// The routing table: for the pins of each slot their source.
fn routes(line: impl Fn(u32, u32) -> u32, source: impl Fn(u32) -> (Term, u32)) -> Term {
    let entry = |slot: u32, pin: u32| {
        let (source, index) = source(line(slot, pin));
        package(&[Term::of(&(slot << 16 | 0xffff)), Term::of(&(pin as u8)), source, Term::of(&index)])
    };
    let entries: Vec<Term> =
        (0..32).flat_map(|slot| (0..4).map(move |pin| (slot, pin))).map(|(s, p)| entry(s, p)).collect();
    package(&entries)
}

/// Lines that the bridge routes.
fn lines(platform: &Platform) -> u32 {
    if platform.chipset == Chipset::Piix { 4 } else { 8 }
}

/// The bridge's routing registers: `PRQ` and a letter for each line.
pub(super) fn route_registers(platform: &Platform) -> Vec<Term> {
    let region = OpRegion::new(path("PIRQ"), OpRegionSpace::PCIConfig, &0x60u8, &0x0cu8);
    let named = |line: u32| FieldEntry::Named([b'P', b'R', b'Q', letter(line) as u8], 8);
    let mut fields: Vec<FieldEntry> = (0..4).map(named).collect();
    if lines(platform) == 8 {
        // E to H are at 68h.
        fields.push(FieldEntry::Reserved(32));
        fields.extend((4..8).map(named));
    }
    let field = Field::new(
        path("PIRQ"),
        FieldAccessType::Byte,
        FieldLockRule::NoLock,
        FieldUpdateRule::Preserve,
        fields,
    );
    vec![Term::of(&region), Term::of(&field)]
}

/// The link devices, through which guests read and choose the ISA interrupt of a line.
pub(super) fn links(platform: &Platform) -> Vec<Term> {
    /// Bit of a routing register: the line is routed nowhere. Otherwise the register holds the interrupt.
    const DISABLED: u8 = 0x80;
    /// Present and working, and that with resources in use.
    const THERE: u8 = 0x09;
    const IN_USE: u8 = 0x0b;
    /// Offset of the number in a template of one extended interrupt.
    const NUMBER: u8 = 5;
    let disabled = And::new(&aml::ZERO, &Arg(0), &DISABLED);
    let status = [when(&disabled, &[give(&THERE)]), give(&IN_USE)];
    let enabled = LessThan::new(&Arg(0), &DISABLED);
    let number = Term::of(&Store::new(&path("PRRI"), &Arg(0)));
    let current = [
        name("PRR0", &resources(&[shared_interrupts(&[0])])),
        Term::of(&CreateDWordField::new(&path("PRRI"), &path("PRR0"), &NUMBER)),
        when(&enabled, &[number]),
        give(&path("PRR0")),
    ];
    let mut terms = vec![method("IQST", 1, false, &status), method("IQCR", 1, true, &current)];
    for line in 0..lines(platform) {
        let register = || path(&format!("\\_SB_.PCI0.ISA_.PRQ{}", letter(line)));
        let call = |of: &str| give(&MethodCall::new(path(of), vec![&register()]));
        let off = Term::of(&Or::new(&register(), &register(), &DISABLED));
        let set = [
            Term::of(&CreateDWordField::new(&path("PRRI"), &Arg(0), &NUMBER)),
            Term::of(&Store::new(&register(), &path("PRRI"))),
        ];
        let own = [
            hid("PNP0C0F"),
            name("_UID", &line),
            name("_PRS", &resources(&[shared_interrupts(&[5, 10, 11])])),
            method("_STA", 0, false, &[call("IQST")]),
            method("_DIS", 0, false, &[off]),
            method("_CRS", 0, false, &[call("IQCR")]),
            method("_SRS", 1, false, &set),
        ];
        terms.push(device(&link_name(line), &own));
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_slots() {
        assert_eq!((ich9_line(2, 0), ich9_line(2, 3), ich9_line(0x18, 1)), (6, 5, 5));
        assert_eq!((ich9_line(0x1f, 0), ich9_line(0x1d, 2), ich9_line(0x1e, 1)), (0, 2, 5));
        assert_eq!(letter(7), 'H');
    }
}
