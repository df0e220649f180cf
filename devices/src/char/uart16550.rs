//! 16550A UART: four of them are a PC's serial ports.
//!
//! After National Semiconductor's PC16550D data sheet (June 1995). A character takes no time to send: output leaves at
//! once unless the host has no room, so that the transmitter is empty again before the guest looks. The receive
//! timeout of four character times does pass, by the divisor and the word length. Modem inputs other than in loopback
//! say that a modem is there and ready, and after a reset OUT2 is on, both as under QEMU.
//!
//! Left out on purpose: DMA mode, parity and framing errors, the breaks that a guest sends, and what a PC makes of
//! OUT2, which there gates the interrupt: guests written under QEMU do not know it.

use super::{Chardev, Serial};
use crate::bus::clock::{Clock, Timer, VTime};
use crate::bus::device::{BusError, BusResult, Device, Initiator, Io, Size, Timed};
use crate::bus::irq::Wire;
use crate::bus::snapshot::{self, StateError, require};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Registers and bits, from the data sheet's table II.
mod spec {
    /// Receiver buffer and transmitter holding; divisor, low.
    pub const RBR_THR: u64 = 0;
    /// Interrupt enable; divisor, high.
    pub const IER: u64 = 1;
    /// Interrupt identification, FIFO control.
    pub const IIR_FCR: u64 = 2;
    pub const LCR: u64 = 3;
    pub const MCR: u64 = 4;
    pub const LSR: u64 = 5;
    pub const MSR: u64 = 6;
    pub const SCR: u64 = 7;

    pub const IER_RDA: u8 = 1 << 0;
    pub const IER_THRE: u8 = 1 << 1;
    pub const IER_RLS: u8 = 1 << 2;
    pub const IER_MSI: u8 = 1 << 3;

    pub const IIR_NONE: u8 = 1;
    pub const IIR_MSI: u8 = 0;
    pub const IIR_THRE: u8 = 2;
    pub const IIR_RDA: u8 = 4;
    pub const IIR_RLS: u8 = 6;
    pub const IIR_TIMEOUT: u8 = 0xc;
    pub const IIR_FIFOS: u8 = 0xc0;

    pub const FCR_ENABLE: u8 = 1 << 0;
    pub const FCR_CLEAR_RX: u8 = 1 << 1;
    pub const FCR_CLEAR_TX: u8 = 1 << 2;
    pub const FCR_DMA: u8 = 1 << 3;
    pub const FCR_TRIGGER: u8 = 3 << 6;

    pub const LCR_DLAB: u8 = 1 << 7;

    pub const MCR_DTR: u8 = 1 << 0;
    pub const MCR_RTS: u8 = 1 << 1;
    pub const MCR_OUT1: u8 = 1 << 2;
    pub const MCR_OUT2: u8 = 1 << 3;
    pub const MCR_LOOP: u8 = 1 << 4;

    pub const LSR_DR: u8 = 1 << 0;
    pub const LSR_OE: u8 = 1 << 1;
    pub const LSR_BI: u8 = 1 << 4;
    pub const LSR_THRE: u8 = 1 << 5;
    pub const LSR_TEMT: u8 = 1 << 6;
    pub const LSR_FIFO_ERROR: u8 = 1 << 7;

    pub const MSR_CTS: u8 = 1 << 4;
    pub const MSR_DSR: u8 = 1 << 5;
    pub const MSR_RI: u8 = 1 << 6;
    pub const MSR_DCD: u8 = 1 << 7;
    /// The ring indicator's delta, which falling alone sets.
    pub const MSR_TERI: u8 = 1 << 2;

    pub const FIFO_DEPTH: usize = 16;
    /// Crystal of a PC's UARTs over 16: bits a second at divisor 1.
    pub const BASE_BAUD: u64 = 115_200;
}
use spec::*;

/// Modem inputs with a ready modem.
const MODEM: u8 = MSR_DCD | MSR_DSR | MSR_CTS;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct State {
    /// Received characters, oldest first, each with the bits that it sets in LSR when it is next to be read.
    rx: VecDeque<(u8, u8)>,
    /// The receiver buffer register, which keeps its character when it has been read.
    rbr: u8,
    /// Characters that the host had no room for.
    tx: VecDeque<u8>,
    divisor: u16,
    ier: u8,
    fcr: u8,
    lcr: u8,
    mcr: u8,
    /// Error bits of LSR; the others follow from the FIFOs.
    errors: u8,
    msr: u8,
    scr: u8,
    /// The transmitter became empty, and nobody has been told.
    thre: bool,
    /// Four character times have passed since the FIFO was last touched.
    timed_out: bool,
    /// When that will be.
    timeout: Option<VTime>,
}

impl State {
    fn power_on() -> State {
        State {
            rx: VecDeque::new(),
            rbr: 0,
            tx: VecDeque::new(),
            divisor: 12,
            ier: 0,
            fcr: 0,
            lcr: 0,
            mcr: MCR_OUT2,
            errors: 0,
            msr: MODEM,
            scr: 0,
            thre: false,
            timed_out: false,
            timeout: None,
        }
    }

    fn fifos(&self) -> bool {
        self.fcr & FCR_ENABLE != 0
    }

    fn depth(&self) -> usize {
        if self.fifos() { FIFO_DEPTH } else { 1 }
    }

    fn loopback(&self) -> bool {
        self.mcr & MCR_LOOP != 0
    }

    /// Characters at which received data is announced.
    fn trigger(&self) -> usize {
        match (self.fifos(), self.fcr >> 6) {
            (false, _) | (true, 0) => 1,
            (true, 1) => 4,
            (true, 2) => 8,
            (true, _) => 14,
        }
    }

    fn lsr(&self) -> u8 {
        let mut lsr = self.errors;
        lsr |= if self.rx.is_empty() { 0 } else { LSR_DR };
        lsr |= if self.tx.is_empty() { LSR_THRE | LSR_TEMT } else { 0 };
        lsr |= if self.fifos() && self.rx.iter().any(|&(_, e)| e != 0) { LSR_FIFO_ERROR } else { 0 };
        lsr
    }

    /// The interrupt of highest priority, without the FIFO bits.
    fn interrupt(&self) -> u8 {
        if self.ier & IER_RLS != 0 && self.errors != 0 {
            IIR_RLS
        } else if self.ier & IER_RDA != 0 && self.rx.len() >= self.trigger() {
            IIR_RDA
        } else if self.ier & IER_RDA != 0 && self.timed_out {
            IIR_TIMEOUT
        } else if self.ier & IER_THRE != 0 && self.thre {
            IIR_THRE
        } else if self.ier & IER_MSI != 0 && self.msr & 0xf != 0 {
            IIR_MSI
        } else {
            IIR_NONE
        }
    }

    /// Nanoseconds of four characters: start bit, data, parity, stop bits.
    fn four_characters(&self) -> u64 {
        let data = 5 + u64::from(self.lcr & 3);
        let bits = 2 + data + u64::from(self.lcr >> 3 & 1) + u64::from(self.lcr >> 2 & 1);
        4 * bits * u64::from(self.divisor.max(1)) * VTime::SECOND / BASE_BAUD
    }

    /// Starts the timeout again, if there is anything to time.
    fn touch(&mut self, now: VTime) {
        self.timed_out = false;
        let waits = self.fifos() && !self.rx.is_empty();
        self.timeout = waits.then(|| now + self.four_characters());
    }

    /// The character to be read next brings its errors with it.
    fn show_errors(&mut self) {
        if let Some((_, errors)) = self.rx.front_mut() {
            self.errors |= std::mem::take(errors);
        }
    }

    fn put_rx(&mut self, byte: u8, errors: u8) {
        if self.rx.len() >= self.depth() {
            self.errors |= LSR_OE;
            // With FIFOs the shift register is overwritten and the FIFO stays; without, there is the register alone.
            if self.fifos() {
                return;
            }
            self.rx.clear();
        }
        self.rx.push_back((byte, errors));
        self.show_errors();
    }

    fn clear_rx(&mut self) {
        self.rx.clear();
        self.timed_out = false;
        self.timeout = None;
    }

    fn write_fcr(&mut self, value: u8) {
        let toggled = (value ^ self.fcr) & FCR_ENABLE != 0;
        if toggled || value & FCR_CLEAR_RX != 0 {
            self.clear_rx();
        }
        if toggled || value & FCR_CLEAR_TX != 0 {
            self.tx.clear();
            self.thre = true;
        }
        // The other bits are programmed only together with a one in this one.
        self.fcr = if value & FCR_ENABLE != 0 { value & (FCR_ENABLE | FCR_DMA | FCR_TRIGGER) } else { 0 };
    }

    /// Modem inputs: the outputs in loopback, else the modem that is always ready.
    fn update_modem(&mut self) {
        const LOOPS: [(u8, u8); 4] =
            [(MCR_RTS, MSR_CTS), (MCR_DTR, MSR_DSR), (MCR_OUT1, MSR_RI), (MCR_OUT2, MSR_DCD)];
        let levels = if self.loopback() {
            LOOPS.iter().filter(|(out, _)| self.mcr & out != 0).fold(0, |all, (_, input)| all | input)
        } else {
            MODEM
        };
        let changed = (levels ^ self.msr) >> 4;
        let deltas = changed & !MSR_TERI | changed & MSR_TERI & !(levels >> 4);
        self.msr = levels | self.msr & 0xf | deltas;
    }
}

/// The chip, with one interrupt output.
pub struct Uart16550 {
    irq: Wire,
    chardev: Arc<dyn Chardev>,
    clock: Clock,
    timeout: Timer,
    state: State,
}

impl Uart16550 {
    /// Bytes of its register file.
    pub const LEN: u64 = 8;

    /// A UART that drives `irq`, talks to `chardev` and tells time by `clock`.
    pub fn new(irq: Wire, chardev: Arc<dyn Chardev>, clock: Clock) -> Uart16550 {
        let timeout = clock.timer("uart16550 timeout");
        Uart16550 { irq, chardev, clock, timeout, state: State::power_on() }
    }

    fn update(&mut self) {
        // Nobody waits for a timeout that raises no interrupt: receivers that poll set no deadlines.
        match self.state.timeout.filter(|_| self.state.ier & IER_RDA != 0) {
            Some(at) => self.timeout.set(at),
            None => self.timeout.cancel(),
        }
        self.irq.set(self.state.interrupt() != IIR_NONE);
    }

    fn transmit(&mut self, byte: u8) {
        let s = &mut self.state;
        s.thre = false;
        if s.loopback() {
            s.put_rx(byte, 0);
            s.touch(self.clock.now());
            s.thre = true;
        } else if s.tx.is_empty() && self.chardev.write(&[byte]) == 1 {
            s.thre = true;
        } else if s.tx.len() < s.depth() {
            s.tx.push_back(byte);
        }
    }

    fn receive_data(&mut self) -> u8 {
        let s = &mut self.state;
        let was_full = s.rx.len() >= s.depth();
        let byte = match s.rx.pop_front() {
            Some((byte, _)) if s.fifos() => byte,
            Some((byte, _)) => {
                s.rbr = byte;
                byte
            }
            None if s.fifos() => 0,
            None => s.rbr,
        };
        s.show_errors();
        s.touch(self.clock.now());
        if was_full {
            self.chardev.input_wanted();
        }
        byte
    }
}

impl Io for Uart16550 {
    fn read(&mut self, reg: u64, size: Size, _: Initiator) -> BusResult<u64> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let s = &mut self.state;
        let dlab = s.lcr & LCR_DLAB != 0;
        let value = match reg {
            RBR_THR if dlab => s.divisor as u8,
            IER if dlab => (s.divisor >> 8) as u8,
            RBR_THR => self.receive_data(),
            IER => s.ier,
            IIR_FCR => {
                let source = s.interrupt();
                s.thre &= source != IIR_THRE;
                source | if s.fifos() { IIR_FIFOS } else { 0 }
            }
            LCR => s.lcr,
            MCR => s.mcr,
            LSR => {
                let lsr = s.lsr();
                s.errors = 0;
                lsr
            }
            MSR => {
                let msr = s.msr;
                s.msr &= 0xf0;
                msr
            }
            SCR => s.scr,
            _ => return Err(BusError::NoRegister),
        };
        self.update();
        Ok(value.into())
    }

    fn write(&mut self, reg: u64, size: Size, value: u64, _: Initiator) -> BusResult<()> {
        if size != Size::B1 {
            return Err(BusError::BadSize);
        }
        let byte = value as u8;
        let s = &mut self.state;
        let dlab = s.lcr & LCR_DLAB != 0;
        match reg {
            RBR_THR if dlab => s.divisor = s.divisor & 0xff00 | u16::from(byte),
            IER if dlab => s.divisor = s.divisor & 0x00ff | u16::from(byte) << 8,
            RBR_THR => self.transmit(byte),
            IER => {
                // Enabling it while the transmitter is empty raises it at once: drivers start to send that way.
                if byte & !s.ier & IER_THRE != 0 && s.tx.is_empty() {
                    s.thre = true;
                }
                s.ier = byte & 0xf;
            }
            IIR_FCR => s.write_fcr(byte),
            LCR => s.lcr = byte,
            MCR => {
                s.mcr = byte & 0x1f;
                s.update_modem();
            }
            LSR | MSR => {}
            SCR => s.scr = byte,
            _ => return Err(BusError::NoRegister),
        }
        self.update();
        Ok(())
    }
}

impl Timed for Uart16550 {
    fn timers(&self) -> Vec<Timer> {
        vec![self.timeout.clone()]
    }

    fn expired(&mut self, _: usize, now: VTime) {
        if self.state.timeout.is_some_and(|at| at <= now) {
            self.state.timeout = None;
            self.state.timed_out = true;
            self.update();
        }
    }
}

impl Device for Uart16550 {
    fn name(&self) -> &'static str {
        "isa-serial"
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

    fn timed(&mut self) -> Option<&mut dyn Timed> {
        Some(self)
    }
}

impl Serial for Uart16550 {
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
        if !self.state.loopback() && count != 0 {
            bytes.iter().take(count).for_each(|&b| self.state.put_rx(b, 0));
            self.state.touch(self.clock.now());
            self.update();
        }
        count
    }

    fn receive_break(&mut self) {
        if !self.state.loopback() {
            self.state.put_rx(0, LSR_BI);
            self.state.touch(self.clock.now());
            self.update();
        }
    }

    fn drain(&mut self) {
        let s = &mut self.state;
        if s.tx.is_empty() {
            return;
        }
        let taken = self.chardev.write(s.tx.make_contiguous()).min(s.tx.len());
        s.tx.drain(..taken);
        s.thre |= s.tx.is_empty();
        self.update();
    }
}

#[cfg(test)]
mod tests;
