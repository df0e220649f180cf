//! AML as bytes, so that pieces can be put together without borrowing each other; and the resources that `acpi_tables`
//! has not.

use acpi_tables::aml::{Device, IO, Interrupt, Method, Name, ResourceTemplate, Scope};
use acpi_tables::{Aml, AmlSink, aml};

/// A term that is encoded already.
#[derive(Debug, Clone)]
pub(super) struct Term(Vec<u8>);

impl Aml for Term {
    fn to_aml_bytes(&self, sink: &mut dyn AmlSink) {
        sink.vec(&self.0);
    }
}

impl Term {
    pub(super) fn of(term: &dyn Aml) -> Term {
        let mut bytes = Vec::new();
        term.to_aml_bytes(&mut bytes);
        Term(bytes)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

fn borrow(terms: &[Term]) -> Vec<&dyn Aml> {
    terms.iter().map(|t| t as &dyn Aml).collect()
}

pub(super) fn path(name: &str) -> aml::Path {
    aml::Path::new(name)
}

pub(super) fn name(of: &str, value: &dyn Aml) -> Term {
    Term::of(&Name::new(path(of), value))
}

pub(super) fn scope(of: &str, terms: &[Term]) -> Term {
    Term::of(&Scope::new(path(of), borrow(terms)))
}

pub(super) fn device(of: &str, terms: &[Term]) -> Term {
    Term::of(&Device::new(path(of), borrow(terms)))
}

pub(super) fn method(of: &str, args: u8, serialized: bool, terms: &[Term]) -> Term {
    Term::of(&Method::new(path(of), args, serialized, borrow(terms)))
}

pub(super) fn package(terms: &[Term]) -> Term {
    Term::of(&aml::Package::new(borrow(terms)))
}

/// The body of an `If`.
pub(super) fn when(condition: &dyn Aml, terms: &[Term]) -> Term {
    Term::of(&aml::If::new(condition, borrow(terms)))
}

pub(super) fn give(value: &dyn Aml) -> Term {
    Term::of(&aml::Return::new(value))
}

/// `_HID` by EISA name.
pub(super) fn hid(of: &str) -> Term {
    name("_HID", &aml::EISAName::new(of))
}

/// `_CRS` with these resources.
pub(super) fn crs(resources: &[Term]) -> Term {
    name("_CRS", &ResourceTemplate::new(borrow(resources)))
}

/// A template of resources.
pub(super) fn resources(of: &[Term]) -> Term {
    Term::of(&ResourceTemplate::new(borrow(of)))
}

/// Ports.
pub(super) fn ports(first: u16, len: u8) -> Term {
    Term::of(&IO::new(first, first, 1, len))
}

/// An ISA interrupt: edge triggered, active high (IRQ descriptor without flags, ACPI 6.5, 6.4.2.1).
pub(super) fn irq(n: u8) -> Term {
    let [low, high] = (1u16 << n).to_le_bytes();
    Term(vec![0x22, low, high])
}

/// An ISA DMA channel: compatible, 8 bits (DMA descriptor, ACPI 6.5, 6.4.2.2).
pub(super) fn dma(n: u8) -> Term {
    Term(vec![0x2a, 1 << n, 0])
}

/// Level-triggered, shared interrupts, of which one is used (extended interrupt descriptor, ACPI 6.5, 6.4.3.6).
pub(super) fn shared_interrupts(of: &[u32]) -> Term {
    let len = 2 + 4 * of.len() as u16;
    // Consumer, level triggered, active high, shared.
    let head = [&[0x89][..], &len.to_le_bytes(), &[0b1001, of.len() as u8]].concat();
    Term(of.iter().fold(head, |bytes, n| [bytes, n.to_le_bytes().to_vec()].concat()))
}

/// One edge-triggered interrupt by global number.
pub(super) fn edge_interrupt(n: u32) -> Term {
    Term::of(&Interrupt::new(true, true, false, false, n))
}

/// One level-triggered, active-high interrupt by global number.
pub(super) fn level_interrupt(n: u32) -> Term {
    Term::of(&Interrupt::new(true, false, false, false, n))
}
