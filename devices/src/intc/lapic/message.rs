//! Interrupt messages: what ICR, I/O APICs and MSI say to the local APICs (SDM volume 3, 12.6 and 12.11).

/// Delivery modes, as messages and the local vector table number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    Fixed,
    Lowest,
    Smi,
    Nmi,
    Init,
    Startup,
    ExtInt,
}

impl Delivery {
    /// From bits 10:8 of a register or of MSI data; none if reserved.
    pub(super) fn of(word: u32) -> Option<Delivery> {
        Some(match word >> 8 & 7 {
            0 => Delivery::Fixed,
            1 => Delivery::Lowest,
            2 => Delivery::Smi,
            4 => Delivery::Nmi,
            5 => Delivery::Init,
            6 => Delivery::Startup,
            7 => Delivery::ExtInt,
            _ => return None,
        })
    }

    /// Whether the vector is that of an interrupt.
    pub(super) fn has_vector(self) -> bool {
        matches!(self, Delivery::Fixed | Delivery::Lowest)
    }
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The processor with this index.
    Only(usize),
    /// All of them.
    All,
    /// All but the one with this index.
    AllBut(usize),
    /// The one whose APIC ID this is.
    Physical(u32),
    /// Those whose logical ID matches eight bits.
    Logical(u8),
    /// Those whose logical ID matches 32 bits, as x2APICs address each other.
    WideLogical(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) delivery: Delivery,
    pub(super) vector: u8,
    /// Level triggered.
    pub(super) level: bool,
    pub(super) target: Target,
}

impl Message {
    /// What ICR asks processor `from` to send; none for what P6 and later do not send: reserved modes, and INIT with
    /// the level de-asserted.
    pub(super) fn of_icr(icr: u64, from: usize, x2apic: bool) -> Option<Message> {
        let low = icr as u32;
        let delivery = Delivery::of(low)?;
        let (asserted, level) = (low & 1 << 14 != 0, low & 1 << 15 != 0);
        if delivery == Delivery::Init && level && !asserted {
            return None;
        }
        let target = match (low >> 18 & 3, low & 1 << 11 != 0) {
            (1, _) => Target::Only(from),
            (2, _) => Target::All,
            (3, _) => Target::AllBut(from),
            (_, logical) if x2apic => match ((icr >> 32) as u32, logical) {
                (u32::MAX, _) => Target::All,
                (id, false) => Target::Physical(id),
                (id, true) => Target::WideLogical(id),
            },
            (_, logical) => narrow((icr >> 56) as u8, logical),
        };
        // Only INIT is a level message on the buses of today.
        Some(Message { delivery, vector: low as u8, level: false, target })
    }

    /// What a write of SELF IPI sends.
    pub(super) fn self_ipi(from: usize, vector: u8) -> Message {
        Message { delivery: Delivery::Fixed, vector, level: false, target: Target::Only(from) }
    }

    /// What a write of `data` to `address` means; none if it does not address local APICs, or its delivery mode is
    /// reserved.
    pub(super) fn of_msi(address: u64, data: u32) -> Option<Message> {
        if address >> 20 != 0xfee {
            return None;
        }
        let (logical, hint) = (address & 1 << 2 != 0, address & 1 << 3 != 0);
        let mut delivery = Delivery::of(data)?;
        if hint && logical && delivery == Delivery::Fixed {
            delivery = Delivery::Lowest;
        }
        let target = narrow((address >> 12) as u8, logical);
        Some(Message { delivery, vector: data as u8, level: data & 1 << 15 != 0, target })
    }
}

/// A destination of eight bits.
fn narrow(id: u8, logical: bool) -> Target {
    match (id, logical) {
        (0xff, false) => Target::All,
        (id, false) => Target::Physical(id.into()),
        (id, true) => Target::Logical(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msi() {
        let m = Message::of_msi(0xfee0_2000, 0x0000_8041).unwrap();
        assert_eq!(
            m,
            Message { delivery: Delivery::Fixed, vector: 0x41, level: true, target: Target::Physical(2) }
        );
        assert_eq!(Message::of_msi(0xfeef_f000, 0x400).unwrap().target, Target::All);
        assert_eq!(Message::of_msi(0xfee0_300c, 0x41).unwrap().delivery, Delivery::Lowest);
        assert_eq!(Message::of_msi(0xfee0_3004, 0x41).unwrap().target, Target::Logical(3));
        assert_eq!(Message::of_msi(0xfed0_0000, 0x41), None);
        assert_eq!(Message::of_msi(0x1_fee0_0000, 0x41), None);
        assert_eq!(Message::of_msi(0xfee0_0000, 0x341), None);
    }

    #[test]
    fn icr() {
        let of = |icr, x2| Message::of_icr(icr, 1, x2).map(|m| m.target);
        assert_eq!(of(0x0000_0000_0004_4041, false), Some(Target::Only(1)));
        assert_eq!(of(0x0000_0000_0008_4041, false), Some(Target::All));
        assert_eq!(of(0x0000_0000_000c_4500, false), Some(Target::AllBut(1)));
        assert_eq!(of(0x0300_0000_0000_4041, false), Some(Target::Physical(3)));
        assert_eq!(of(0xff00_0000_0000_4041, false), Some(Target::All));
        assert_eq!(of(0x0100_0000_0000_4841, false), Some(Target::Logical(1)));
        assert_eq!(of(0x0000_0003_0000_4041, true), Some(Target::Physical(3)));
        assert_eq!(of(0xffff_ffff_0000_4041, true), Some(Target::All));
        assert_eq!(of(0x0001_0002_0000_4841, true), Some(Target::WideLogical(0x1_0002)));
        assert_eq!(of(0x0000_0000_000c_8500, false), None, "INIT level de-assert");
    }
}
