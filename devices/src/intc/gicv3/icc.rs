//! Names of the system registers of a GICv3 CPU interface, and their encodings: IHI 0069H chapter 12.2.

/// A register of the CPU interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Icc {
    /// ICC_PMR_EL1, interrupt priority mask.
    Pmr,
    /// ICC_IAR0_EL1, acknowledge group 0.
    Iar0,
    /// ICC_EOIR0_EL1, end of a group 0 interrupt.
    Eoir0,
    /// ICC_HPPIR0_EL1, highest priority pending in group 0.
    Hppir0,
    /// ICC_BPR0_EL1, binary point of group 0.
    Bpr0,
    /// ICC_AP0R`n`_EL1, active priorities of group 0.
    Ap0r(u8),
    /// ICC_AP1R`n`_EL1, active priorities of group 1.
    Ap1r(u8),
    /// ICC_DIR_EL1, deactivate.
    Dir,
    /// ICC_RPR_EL1, running priority.
    Rpr,
    /// ICC_SGI1R_EL1, send a group 1 SGI.
    Sgi1r,
    /// ICC_ASGI1R_EL1, send an SGI of the other security state.
    Asgi1r,
    /// ICC_SGI0R_EL1, send a group 0 SGI.
    Sgi0r,
    /// ICC_IAR1_EL1, acknowledge group 1.
    Iar1,
    /// ICC_EOIR1_EL1, end of a group 1 interrupt.
    Eoir1,
    /// ICC_HPPIR1_EL1, highest priority pending in group 1.
    Hppir1,
    /// ICC_BPR1_EL1, binary point of group 1.
    Bpr1,
    /// ICC_CTLR_EL1, control.
    Ctlr,
    /// ICC_SRE_EL1, system register enable.
    Sre,
    /// ICC_IGRPEN0_EL1, group 0 enable.
    Igrpen0,
    /// ICC_IGRPEN1_EL1, group 1 enable.
    Igrpen1,
}

impl Icc {
    /// The register with op0 = 3, op1 = 0 and these fields, if it is one of the CPU interface's.
    pub const fn from_encoding(crn: u8, crm: u8, op2: u8) -> Option<Icc> {
        Some(match (crn, crm, op2) {
            (4, 6, 0) => Icc::Pmr,
            (12, 8, 0) => Icc::Iar0,
            (12, 8, 1) => Icc::Eoir0,
            (12, 8, 2) => Icc::Hppir0,
            (12, 8, 3) => Icc::Bpr0,
            (12, 8, 4..=7) => Icc::Ap0r(op2 - 4),
            (12, 9, 0..=3) => Icc::Ap1r(op2),
            (12, 11, 1) => Icc::Dir,
            (12, 11, 3) => Icc::Rpr,
            (12, 11, 5) => Icc::Sgi1r,
            (12, 11, 6) => Icc::Asgi1r,
            (12, 11, 7) => Icc::Sgi0r,
            (12, 12, 0) => Icc::Iar1,
            (12, 12, 1) => Icc::Eoir1,
            (12, 12, 2) => Icc::Hppir1,
            (12, 12, 3) => Icc::Bpr1,
            (12, 12, 4) => Icc::Ctlr,
            (12, 12, 5) => Icc::Sre,
            (12, 12, 6) => Icc::Igrpen0,
            (12, 12, 7) => Icc::Igrpen1,
            _ => return None,
        })
    }
}
