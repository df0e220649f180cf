//! Register numbers and fields (SDM volume 3, table 12-1 and chapter 12). A register's number is its MSR's less 0x800,
//! and its offset in the page divided by 16.

pub(super) const ID: u32 = 0x02;
pub(super) const VERSION: u32 = 0x03;
pub(super) const TPR: u32 = 0x08;
pub(super) const APR: u32 = 0x09;
pub(super) const PPR: u32 = 0x0a;
pub(super) const EOI: u32 = 0x0b;
pub(super) const RRD: u32 = 0x0c;
pub(super) const LDR: u32 = 0x0d;
pub(super) const DFR: u32 = 0x0e;
pub(super) const SVR: u32 = 0x0f;
pub(super) const ISR: u32 = 0x10;
pub(super) const ISR_LAST: u32 = 0x17;
pub(super) const TMR: u32 = 0x18;
pub(super) const TMR_LAST: u32 = 0x1f;
pub(super) const IRR: u32 = 0x20;
pub(super) const IRR_LAST: u32 = 0x27;
pub(super) const ESR: u32 = 0x28;
pub(super) const ICR: u32 = 0x30;
pub(super) const ICR_HIGH: u32 = 0x31;
pub(super) const LVT: u32 = 0x32;
pub(super) const LVT_LAST: u32 = 0x37;
pub(super) const INITIAL_COUNT: u32 = 0x38;
pub(super) const CURRENT_COUNT: u32 = 0x39;
pub(super) const DIVIDE: u32 = 0x3e;
pub(super) const SELF_IPI: u32 = 0x3f;

/// Version 0x14 with six LVT entries, as QEMU has it.
pub(super) const VERSION_VALUE: u32 = 0x0005_0014;

/// Entries of the local vector table, in the order of their registers.
pub(super) const LVTS: usize = 6;
pub(super) const TIMER: usize = 0;
pub(super) const LINT0: usize = 3;
pub(super) const LINT1: usize = 4;
pub(super) const ERROR: usize = 5;
/// Bits of each entry that exist and can be written.
pub(super) const LVT_BITS: [u32; LVTS] = [0x7_00ff, 0x1_07ff, 0x1_07ff, 0x1_a7ff, 0x1_a7ff, 0x1_00ff];
/// Delivery status and remote IRR, which are read-only.
pub(super) const LVT_STATUS: u32 = 1 << 12 | 1 << 14;
pub(super) const REMOTE_IRR: u32 = 1 << 14;
pub(super) const LEVEL_TRIGGERED: u32 = 1 << 15;
pub(super) const MASKED: u32 = 1 << 16;

/// SVR: the software enable bit, and what can be written.
pub(super) const SVR_ENABLE: u32 = 1 << 8;
pub(super) const SVR_BITS: u32 = 0x3ff;

/// Error status.
pub(super) const SEND_ILLEGAL_VECTOR: u32 = 1 << 5;
pub(super) const RECEIVE_ILLEGAL_VECTOR: u32 = 1 << 6;
pub(super) const ILLEGAL_REGISTER: u32 = 1 << 7;

/// Interrupt command: what can be written to the low half.
pub(super) const ICR_BITS: u32 = 0x000c_cfff;

/// IA32_APIC_BASE.
pub(super) const BASE_BSP: u64 = 1 << 8;
pub(super) const BASE_X2APIC: u64 = 1 << 10;
pub(super) const BASE_ENABLE: u64 = 1 << 11;
/// Bits that must be zero: addresses have at most 52 bits.
pub(super) const BASE_RESERVED: u64 = 0xfff0_0000_0000_02ff;
pub(super) const BASE_DEFAULT: u64 = 0xfee0_0000;
