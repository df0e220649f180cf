//! PL011, Arm's PrimeCell UART.
//!
//! After DDI 0183G (r1p5), with the identification of r1p4 that QEMU's boards show, so that FIFOs are 16 deep.
//! A character takes no time: output leaves at once unless the host has no room, and the receive timeout of 32 bit
//! periods passes at once. As under QEMU, receiving any character raises the receive interrupt, whatever level IFLS
//! asks for: guests written there rely on it. A UART that is not enabled transmits all the same, for the same reason.
//!
//! Left out on purpose: DMA requests, IrDA, parity and framing errors, hardware flow control, baud rates (the divisor
//! registers hold what is written), the breaks that a guest sends.

use super::{Chardev, Serial};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, primecell_id, word_access};
use crate::bus::irq::Wire;
use crate::bus::report::GUEST_ERRORS;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Registers and bits, from the data sheet's chapter 3.
mod spec {
    pub const DR: u64 = 0x000;
    pub const RSR_ECR: u64 = 0x004;
    pub const FR: u64 = 0x018;
    pub const ILPR: u64 = 0x020;
    pub const IBRD: u64 = 0x024;
    pub const FBRD: u64 = 0x028;
    pub const LCR_H: u64 = 0x02c;
    pub const CR: u64 = 0x030;
    pub const IFLS: u64 = 0x034;
    pub const IMSC: u64 = 0x038;
    pub const RIS: u64 = 0x03c;
    pub const MIS: u64 = 0x040;
    pub const ICR: u64 = 0x044;
    pub const DMACR: u64 = 0x048;

    /// Data register: flags beside the character.
    pub const DR_BE: u16 = 1 << 10;
    pub const DR_OE: u16 = 1 << 11;
    /// Receive status: the same flags, moved down by 8.
    pub const RSR_OE: u8 = 1 << 3;

    pub const FR_CTS: u16 = 1 << 0;
    pub const FR_DSR: u16 = 1 << 1;
    pub const FR_DCD: u16 = 1 << 2;
    pub const FR_BUSY: u16 = 1 << 3;
    pub const FR_RXFE: u16 = 1 << 4;
    pub const FR_TXFF: u16 = 1 << 5;
    pub const FR_RXFF: u16 = 1 << 6;
    pub const FR_TXFE: u16 = 1 << 7;
    pub const FR_RI: u16 = 1 << 8;

    pub const LCR_H_FEN: u8 = 1 << 4;

    pub const CR_UARTEN: u16 = 1 << 0;
    pub const CR_LBE: u16 = 1 << 7;
    pub const CR_TXE: u16 = 1 << 8;
    pub const CR_RXE: u16 = 1 << 9;
    pub const CR_DTR: u16 = 1 << 10;
    pub const CR_RTS: u16 = 1 << 11;
    pub const CR_OUT1: u16 = 1 << 12;
    pub const CR_OUT2: u16 = 1 << 13;

    pub const INT_RI: u16 = 1 << 0;
    pub const INT_CTS: u16 = 1 << 1;
    pub const INT_DCD: u16 = 1 << 2;
    pub const INT_DSR: u16 = 1 << 3;
    pub const INT_RX: u16 = 1 << 4;
    pub const INT_TX: u16 = 1 << 5;
    pub const INT_RT: u16 = 1 << 6;
    pub const INT_BE: u16 = 1 << 9;
    pub const INT_OE: u16 = 1 << 10;
    pub const INT_ALL: u16 = 0x7ff;

    pub const PERIPHERAL_ID: [u8; 4] = [0x11, 0x10, 0x14, 0x00];
    pub const FIFO_DEPTH: usize = 16;
}
use spec::*;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    /// Received characters with their error flags, oldest first.
    rx: VecDeque<u16>,
    /// Characters that the host had no room for.
    tx: VecDeque<u8>,
    /// A character was lost since the last one was received.
    overrun: bool,
    rsr: u8,
    /// Modem inputs, as the bits of FR.
    modem: u16,
    ilpr: u8,
    ibrd: u16,
    fbrd: u8,
    lcr_h: u8,
    cr: u16,
    ifls: u8,
    imsc: u16,
    ris: u16,
    dmacr: u8,
}

impl State {
    fn power_on() -> State {
        State {
            rx: VecDeque::new(),
            tx: VecDeque::new(),
            overrun: false,
            rsr: 0,
            modem: 0,
            ilpr: 0,
            ibrd: 0,
            fbrd: 0,
            lcr_h: 0,
            cr: CR_RXE | CR_TXE,
            ifls: 0x12,
            imsc: 0,
            ris: 0,
            dmacr: 0,
        }
    }

    /// Characters each FIFO holds: one when FIFOs are off.
    fn depth(&self) -> usize {
        if self.lcr_h & LCR_H_FEN != 0 { FIFO_DEPTH } else { 1 }
    }

    fn loopback(&self) -> bool {
        self.cr & CR_LBE != 0
    }

    /// Fill of the transmit FIFO at and below which its interrupt is raised, section 3.3.9.
    fn tx_level(&self) -> usize {
        if self.lcr_h & LCR_H_FEN == 0 {
            return 0;
        }
        match self.ifls & 7 {
            0 => FIFO_DEPTH / 8,
            1 => FIFO_DEPTH / 4,
            2 => FIFO_DEPTH / 2,
            3 => FIFO_DEPTH * 3 / 4,
            _ => FIFO_DEPTH * 7 / 8,
        }
    }

    fn flags(&self) -> u16 {
        let mut fr = self.modem;
        fr |= if self.rx.is_empty() { FR_RXFE } else { 0 };
        fr |= if self.rx.len() >= self.depth() { FR_RXFF } else { 0 };
        fr |= if self.tx.is_empty() { FR_TXFE } else { FR_BUSY };
        fr |= if self.tx.len() >= self.depth() { FR_TXFF } else { 0 };
        fr
    }

    fn put_rx(&mut self, entry: u16) {
        if self.rx.len() >= self.depth() {
            self.overrun = true;
            self.rsr |= RSR_OE;
            self.ris |= INT_OE;
            return;
        }
        self.overrun = false;
        self.rx.push_back(entry);
        self.ris |= INT_RX | INT_RT;
        self.ris |= if entry & DR_BE != 0 { INT_BE } else { 0 };
    }

    fn take_rx(&mut self) -> u16 {
        let overrun = if self.overrun { DR_OE } else { 0 };
        let entry = self.rx.pop_front().unwrap_or(0) | overrun;
        self.rsr = (entry >> 8) as u8;
        if self.rx.is_empty() {
            self.ris &= !(INT_RX | INT_RT);
        }
        entry
    }

    /// Modem inputs follow the outputs in loopback, section 2.4.5; otherwise nothing is connected.
    fn update_modem(&mut self) {
        const LOOPS: [(u16, u16, u16); 4] = [
            (CR_RTS, FR_CTS, INT_CTS),
            (CR_DTR, FR_DSR, INT_DSR),
            (CR_OUT1, FR_DCD, INT_DCD),
            (CR_OUT2, FR_RI, INT_RI),
        ];
        for (output, input, interrupt) in LOOPS {
            let level = self.loopback() && self.cr & output != 0;
            if level != (self.modem & input != 0) {
                self.modem ^= input;
                self.ris |= interrupt;
            }
        }
    }
}

/// The chip. One interrupt output: the combined one, UARTINTR.
pub struct Pl011 {
    irq: Wire,
    chardev: Arc<dyn Chardev>,
    told_disabled: bool,
    state: State,
}

impl Pl011 {
    /// Bytes of its register file.
    pub const LEN: u64 = 0x1000;

    /// A UART that drives `irq` and talks to `chardev`.
    pub fn new(irq: Wire, chardev: Arc<dyn Chardev>) -> Pl011 {
        Pl011 { irq, chardev, told_disabled: false, state: State::power_on() }
    }

    fn update(&mut self) {
        self.irq.set(self.state.ris & self.state.imsc != 0);
    }

    fn transmit(&mut self, byte: u8) {
        if self.state.cr & (CR_UARTEN | CR_TXE) != CR_UARTEN | CR_TXE && !self.told_disabled {
            self.told_disabled = true;
            log::warn!(target: GUEST_ERRORS, "pl011: data written while the transmitter is disabled");
        }
        if self.state.loopback() {
            self.state.put_rx(u16::from(byte));
            self.state.ris |= INT_TX;
            return;
        }
        if self.state.tx.is_empty() && self.chardev.write(&[byte]) == 1 {
            self.state.ris |= INT_TX;
        } else if self.state.tx.len() < self.state.depth() {
            self.state.tx.push_back(byte);
        }
    }

    fn flush(&mut self) {
        if self.state.tx.is_empty() {
            return;
        }
        let taken = self.chardev.write(self.state.tx.make_contiguous()).min(self.state.tx.len());
        self.state.tx.drain(..taken);
        if taken != 0 && self.state.tx.len() <= self.state.tx_level() {
            self.state.ris |= INT_TX;
        }
    }
}

impl Io for Pl011 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        word_access(reg, size)?;
        let s = &mut self.state;
        let value = match reg {
            DR => {
                let was_full = s.rx.len() >= s.depth();
                let entry = s.take_rx();
                self.update();
                if was_full {
                    self.chardev.input_wanted();
                }
                u64::from(entry)
            }
            RSR_ECR => s.rsr.into(),
            FR => s.flags().into(),
            ILPR => s.ilpr.into(),
            IBRD => s.ibrd.into(),
            FBRD => s.fbrd.into(),
            LCR_H => s.lcr_h.into(),
            CR => s.cr.into(),
            IFLS => s.ifls.into(),
            IMSC => s.imsc.into(),
            RIS => s.ris.into(),
            MIS => (s.ris & s.imsc).into(),
            DMACR => s.dmacr.into(),
            _ => return primecell_id(reg, PERIPHERAL_ID).ok_or(BusError::NoRegister),
        };
        Ok(value)
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        word_access(reg, size)?;
        let half = value as u16;
        let byte = value as u8;
        let s = &mut self.state;
        match reg {
            DR => self.transmit(byte),
            RSR_ECR => s.rsr = 0,
            ILPR => s.ilpr = byte,
            IBRD => s.ibrd = half,
            FBRD => s.fbrd = byte & 0x3f,
            LCR_H => {
                if (s.lcr_h ^ byte) & LCR_H_FEN != 0 {
                    s.rx.clear();
                    s.tx.clear();
                    s.ris &= !(INT_RX | INT_RT);
                }
                s.lcr_h = byte;
            }
            CR => {
                s.cr = half;
                s.update_modem();
            }
            IFLS => s.ifls = byte & 0x3f,
            IMSC => s.imsc = half & INT_ALL,
            ICR => s.ris &= !half,
            DMACR => s.dmacr = byte & 7,
            _ => return Err(BusError::NoRegister),
        }
        self.update();
        Ok(())
    }
}

impl Device for Pl011 {
    fn name(&self) -> &'static str {
        "pl011"
    }

    fn reset(&mut self) {
        self.state = State::power_on();
        self.update();
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        require(state.rx.len() <= state.depth() && state.tx.len() <= state.depth(), "a FIFO is too full")?;
        self.state = state;
        self.update();
        Ok(())
    }

    fn io(&mut self) -> Option<&mut dyn Io> {
        Some(self)
    }
}

impl Serial for Pl011 {
    /// In loopback the receiver is cut off from its pin, and input is lost rather than kept waiting.
    fn can_receive(&self) -> usize {
        if self.state.loopback() {
            FIFO_DEPTH
        } else {
            self.state.depth().saturating_sub(self.state.rx.len())
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.can_receive());
        if !self.state.loopback() {
            bytes.iter().take(count).for_each(|&b| self.state.put_rx(b.into()));
            self.update();
        }
        count
    }

    fn receive_break(&mut self) {
        if !self.state.loopback() {
            self.state.put_rx(DR_BE);
            self.update();
        }
    }

    fn drain(&mut self) {
        self.flush();
        self.update();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Null};
    use super::*;
    use crate::bus::conformance;

    const CPU: Initiator = Initiator::Cpu(0);

    struct Bench {
        uart: Pl011,
        line: Arc<Capture>,
        irq: Wire,
    }

    impl Bench {
        fn new() -> Bench {
            let (line, irq) = (Capture::new(), Wire::open());
            Bench { uart: Pl011::new(irq.clone(), line.clone()), line, irq }
        }
        fn r(&mut self, reg: u64) -> u64 {
            self.uart.read(reg, Size::B4, CPU).unwrap()
        }
        fn w(&mut self, reg: u64, value: u64) {
            self.uart.write(reg, Size::B4, value, CPU).unwrap();
        }
    }

    #[test]
    fn conforms() {
        conformance::check(|| Pl011::new(Wire::open(), Arc::new(Null)), Pl011::LEN);
    }

    #[test]
    fn identification_and_reset_values() {
        let mut b = Bench::new();
        let ids: Vec<u64> = (0..8).map(|i| b.r(0xfe0 + 4 * i)).collect();
        assert_eq!(ids, [0x11, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1]);
        assert_eq!((b.r(FR), b.r(CR), b.r(IFLS), b.r(RIS)), (0x90, 0x300, 0x12, 0));
    }

    #[test]
    fn transmit_interrupt_follows_data_and_not_enabling() {
        let mut b = Bench::new();
        b.w(IMSC, INT_TX.into());
        assert!(!b.irq.level());
        b.w(DR, b'x'.into());
        assert_eq!(b.line.take(), b"x");
        assert!(b.irq.level());
        assert_eq!(b.r(MIS), INT_TX.into());
        b.w(ICR, INT_TX.into());
        assert!(!b.irq.level());
    }

    #[test]
    fn receive_until_full_then_empty() {
        let mut b = Bench::new();
        b.w(LCR_H, 0x70);
        b.w(IMSC, (INT_RX | INT_RT).into());
        assert_eq!(b.uart.can_receive(), 16);
        assert_eq!(b.uart.receive(b"0123456789abcdefXYZ"), 16);
        assert!(b.irq.level());
        assert_eq!(b.r(FR) as u16 & (FR_RXFF | FR_RXFE), FR_RXFF);
        b.uart.receive_break();
        assert_eq!(b.r(RSR_ECR), RSR_OE.into());
        assert_eq!(b.r(DR), u64::from(b'0') | u64::from(DR_OE));
        let rest: Vec<u8> = (0..15).map(|_| b.r(DR) as u8).collect();
        assert_eq!(rest, b"123456789abcdef");
        assert!(!b.irq.level());
        assert_eq!(b.r(RIS), INT_OE.into());
        b.uart.receive_break();
        assert_eq!(b.r(DR), DR_BE.into());
        assert_eq!(b.r(RSR_ECR), 4);
        b.w(RSR_ECR, 0);
        assert_eq!(b.r(RSR_ECR), 0);
    }

    #[test]
    fn one_character_without_fifos() {
        let mut b = Bench::new();
        assert_eq!(b.uart.receive(b"ab"), 1);
        assert_eq!(b.uart.can_receive(), 0);
        assert_eq!(b.r(DR), b'a'.into());
        assert_eq!(b.uart.can_receive(), 1);
    }

    #[test]
    fn output_waits_for_room() {
        let mut b = Bench::new();
        b.w(LCR_H, 0x10);
        b.line.set_room(Some(1));
        for byte in *b"abcdefghijklmnopqrstuvw" {
            b.w(DR, byte.into());
        }
        assert_eq!(b.line.take(), b"a");
        assert_eq!(b.r(FR) as u16 & (FR_TXFF | FR_TXFE | FR_BUSY), FR_TXFF | FR_BUSY);
        b.w(ICR, INT_ALL.into());
        b.line.set_room(Some(7));
        b.uart.drain();
        assert_eq!(b.r(RIS) as u16 & INT_TX, 0, "nine characters are above the level of eight");
        b.line.set_room(None);
        b.uart.drain();
        assert_eq!(b.line.take(), b"bcdefghijklmnopq", "what did not fit into the FIFO is lost");
        assert_eq!(b.r(RIS) as u16 & INT_TX, INT_TX);
    }

    #[test]
    fn loopback_of_data_and_modem_lines() {
        let mut b = Bench::new();
        b.w(CR, (CR_LBE | CR_UARTEN | CR_TXE | CR_RXE | CR_RTS).into());
        assert_eq!(b.r(FR) as u16 & FR_CTS, FR_CTS);
        assert_eq!(b.r(RIS) as u16, INT_CTS);
        b.w(DR, 0x5a);
        assert_eq!(b.line.take(), b"");
        assert_eq!(b.r(DR), 0x5a);
        assert_eq!(b.uart.receive(b"lost"), 4);
        assert_eq!(b.r(FR) as u16 & FR_RXFE, FR_RXFE);
    }
}
