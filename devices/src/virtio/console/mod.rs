//! Console device (5.3): one port, or many with control messages; each leads to a [`Chardev`].
//!
//! Ports that are consoles are `hvcN` in Linux (`virtconsole`), the others `/dev/vportNpM` with a name in sysfs
//! (`virtserialport`). Left out on purpose: window sizes, hot plugging of ports.

mod control;
#[cfg(test)]
mod tests;

use super::chain::Chain;
use super::device::VirtioDevice;
use super::link::Link;
use super::ring::Fault;
use crate::bus::snapshot::{self, StateError, require};
use crate::char::{CharPort, Chardev};
use control::{Message, event};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// The most ports of a device.
pub const MAX_PORTS: u32 = 511;

const QUEUE_SIZE: u16 = 128;
/// The most bytes handed to a chardev at once.
const STEP: usize = 4096;
/// The longest transmit buffer: drivers send some tens of KiB, and a vCPU waits for it to be copied.
const LONGEST: u64 = 1 << 20;

/// Device features (5.3.3).
mod feature {
    pub(super) const MULTIPORT: u64 = 1 << 1;
    pub(super) const EMERG_WRITE: u64 = 1 << 2;
}

/// Configuration space (5.3.4).
mod config {
    pub(super) const MAX_NR_PORTS: u64 = 4;
    pub(super) const EMERG_WR: u64 = 8;
}

/// A port that cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The number is beyond `max_ports`.
    #[error("Port number {nr} is not below max_ports={most}; use a smaller nr or a larger max_ports")]
    Range {
        /// The number asked for.
        nr: u32,
        /// How many ports there may be.
        most: u32,
    },
    /// Another port has the number.
    #[error("Port number {nr} is taken; use another nr")]
    Taken {
        /// The number asked for.
        nr: u32,
    },
    /// Port 0 is a console's.
    #[error("Port number 0 is reserved for virtconsole; use another nr")]
    Reserved,
    /// All ports are taken.
    #[error("The virtio-serial device has no free port; raise its max_ports")]
    Full,
}

/// What is behind a port.
pub struct Port {
    /// Whether it is a console rather than a plain port.
    pub console: bool,
    /// Its name in the guest; empty for none.
    pub name: String,
    /// Where its output goes; `None` when nobody has it open.
    pub chardev: Option<Arc<dyn Chardev>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct PortState {
    /// Whether the driver's end is open.
    open: bool,
    /// Bytes of the first transmit buffer that are sent already.
    sent: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    ports: Vec<PortState>,
    /// Control messages that wait for a buffer.
    waiting: VecDeque<Message>,
}

struct Inner {
    link: Option<Link>,
    ports: Vec<Option<Port>>,
    state: State,
}

/// A virtio console device.
pub struct Console {
    inner: Arc<Mutex<Inner>>,
    max_ports: u32,
}

/// The host's handle to a port.
struct Handle {
    inner: Arc<Mutex<Inner>>,
    port: usize,
}

impl Console {
    /// A device with room for `max_ports` ports, 1 to [`MAX_PORTS`]. With a single one, port 0, there are no control
    /// messages, and simple drivers are content.
    pub fn new(max_ports: u32) -> Console {
        let max_ports = max_ports.clamp(1, MAX_PORTS);
        let ports = (0..max_ports).map(|_| None).collect();
        let state = Self::fresh(max_ports);
        Console { inner: Arc::new(Mutex::new(Inner { link: None, ports, state })), max_ports }
    }

    fn fresh(max_ports: u32) -> State {
        State { ports: vec![PortState::default(); max_ports as usize], waiting: VecDeque::new() }
    }

    /// Adds a port at `nr`, or at the first free number, and returns the number. Port 0 is for consoles only.
    ///
    /// # Errors
    /// When there is no such number, or it is taken.
    pub fn add_port(&mut self, nr: Option<u32>, port: Port) -> Result<u32, PortError> {
        let mut inner = self.inner.lock();
        let first = u32::from(!port.console);
        let free = |n: &u32| inner.ports.get(*n as usize).is_some_and(Option::is_none);
        let nr = match nr {
            None => (first..self.max_ports).find(free).ok_or(PortError::Full)?,
            Some(nr) if nr >= self.max_ports => return Err(PortError::Range { nr, most: self.max_ports }),
            Some(0) if !port.console => return Err(PortError::Reserved),
            Some(nr) if !free(&nr) => return Err(PortError::Taken { nr }),
            Some(nr) => nr,
        };
        if let Some(slot) = inner.ports.get_mut(nr as usize) {
            *slot = Some(port);
        }
        Ok(nr)
    }

    /// The input end of port `nr`, for the chardev's front end.
    pub fn port(&self, nr: u32) -> Arc<dyn CharPort> {
        Arc::new(Handle { inner: self.inner.clone(), port: nr as usize })
    }
}

/// What the queues are for: two for each port, with the control queues behind those of port 0 (5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Receive(usize),
    Transmit(usize),
    ControlReceive,
    ControlTransmit,
}

impl Role {
    fn of(queue: usize) -> Role {
        let port = if queue < 2 { 0 } else { queue / 2 - 1 };
        match (queue, queue % 2) {
            (2, _) => Role::ControlReceive,
            (3, _) => Role::ControlTransmit,
            (_, 0) => Role::Receive(port),
            _ => Role::Transmit(port),
        }
    }

    fn receive_queue(port: usize) -> usize {
        if port == 0 { 0 } else { 2 * port + 2 }
    }
}

impl Inner {
    fn multiport(&self) -> bool {
        self.link.as_ref().is_some_and(|l| l.features() & feature::MULTIPORT != 0)
    }

    fn chardev(&self, port: usize) -> Option<&Arc<dyn Chardev>> {
        self.ports.get(port)?.as_ref()?.chardev.as_ref()
    }

    /// Sends the guest's output on, until the chardev has no room.
    fn transmit(&mut self, port: usize) -> Result<(), Fault> {
        let (Some(link), Some(state)) = (self.link.clone(), self.state.ports.get(port)) else {
            return Ok(());
        };
        let queue = Role::receive_queue(port) + 1;
        let mut sent = state.sent;
        let mut blocked = false;
        let mut bytes = [0; STEP];
        while let Some(chain) = link.peek(queue) {
            let mut from = chain.reader();
            let total = from.left();
            if total > LONGEST {
                return Err(Fault::Request("A transmit buffer beyond all reason"));
            }
            let mut rest = from.split_tail(total.saturating_sub(sent));
            while rest.left() != 0 && !blocked {
                let n = rest.read(link.dma(), &mut bytes)?;
                let piece = bytes.get(..n).unwrap_or_default();
                let taken = self.chardev(port).map_or(n, |chardev| chardev.write(piece));
                sent += taken as u64;
                blocked = taken < n;
            }
            if blocked {
                break;
            }
            sent = 0;
            if let Some(chain) = link.pop(queue) {
                link.push(&chain, 0);
            }
        }
        if let Some(state) = self.state.ports.get_mut(port) {
            state.sent = sent;
        }
        link.signal(queue);
        Ok(())
    }

    /// The first receive buffer of a port, if the guest has the port open.
    fn receive_buffer(&self, port: usize) -> Option<(Link, Chain)> {
        let link = self.link.as_ref()?;
        if self.multiport() && !self.state.ports.get(port)?.open {
            return None;
        }
        let chain = link.peek(Role::receive_queue(port))?;
        Some((link.clone(), chain))
    }

    fn receive(&mut self, port: usize, bytes: &[u8]) -> usize {
        let queue = Role::receive_queue(port);
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let Some((link, chain)) = self.receive_buffer(port) else { break };
            match chain.writer().write(link.dma(), rest) {
                Ok(0) => {
                    link.fail(Fault::Request("A receive buffer without room"));
                    break;
                }
                Ok(n) => {
                    if let Some(chain) = link.pop(queue) {
                        link.push(&chain, n as u32);
                    }
                    done += n;
                }
                Err(fault) => {
                    link.fail(fault);
                    break;
                }
            }
        }
        if let Some(link) = self.link.as_ref().filter(|_| done != 0) {
            link.signal(queue);
        }
        done
    }

    /// Takes the driver's control messages.
    fn control(&mut self) -> Result<(), Fault> {
        let Some(link) = self.link.clone() else { return Ok(()) };
        while let Some(chain) = link.pop(3) {
            let message = chain.reader().read_array(link.dma())?.map(Message::from_bytes);
            link.push(&chain, 0);
            if let Some(message) = message {
                self.answer(message);
            }
        }
        link.signal(3);
        self.send_waiting()
    }

    fn answer(&mut self, message: Message) {
        let port = message.port as usize;
        let say = |event, value| Message { port: message.port, event, value };
        match message.event {
            event::DEVICE_READY if message.value != 0 => {
                let present = (0..).zip(&self.ports).filter(|(_, port)| port.is_some()).map(|(nr, _)| nr);
                let adds = present.map(|port| Message { port, event: event::DEVICE_ADD, value: 1 });
                adds.collect::<Vec<_>>().into_iter().for_each(|add| self.say(add));
            }
            event::PORT_READY if message.value != 0 => {
                let Some(Some(known)) = self.ports.get(port) else { return };
                let (console, named, open) = (known.console, !known.name.is_empty(), known.chardev.is_some());
                if console {
                    self.say(say(event::CONSOLE_PORT, 1));
                }
                if named {
                    self.say(say(event::PORT_NAME, 1));
                }
                if open {
                    self.say(say(event::PORT_OPEN, 1));
                }
            }
            event::PORT_OPEN => {
                let Some(state) = self.state.ports.get_mut(port) else { return };
                state.open = message.value != 0;
                if let Some(chardev) = self.chardev(port).filter(|_| message.value != 0) {
                    chardev.input_wanted();
                }
            }
            _ => {}
        }
    }

    /// Queues a message for the driver. A driver that asks and asks and offers no buffers gets no more after a while.
    fn say(&mut self, message: Message) {
        if self.state.waiting.len() < 4 * self.ports.len() + 8 {
            self.state.waiting.push_back(message);
        }
    }

    fn send_waiting(&mut self) -> Result<(), Fault> {
        let Some(link) = self.link.clone() else { return Ok(()) };
        while let Some(message) = self.state.waiting.front().copied() {
            let Some(chain) = link.pop(2) else { break };
            self.state.waiting.pop_front();
            let mut bytes = message.bytes().to_vec();
            if let (event::PORT_NAME, Some(Some(port))) =
                (message.event, self.ports.get(message.port as usize))
            {
                bytes.extend_from_slice(port.name.as_bytes());
            }
            let n = chain.writer().write(link.dma(), &bytes)?;
            link.push(&chain, n as u32);
        }
        link.signal(2);
        Ok(())
    }

    fn notify(&mut self, queue: usize) {
        let done = match Role::of(queue) {
            Role::Transmit(port) => self.transmit(port),
            Role::Receive(port) => {
                if let Some(chardev) = self.chardev(port) {
                    chardev.input_wanted();
                }
                // Asks for a notification when the buffers ran out and new ones come.
                self.receive_buffer(port);
                Ok(())
            }
            Role::ControlReceive => self.send_waiting(),
            Role::ControlTransmit => self.control(),
        };
        if let (Err(fault), Some(link)) = (done, &self.link) {
            link.fail(fault);
        }
    }
}

impl CharPort for Handle {
    fn can_receive(&self) -> usize {
        let inner = self.inner.lock();
        let room = inner.receive_buffer(self.port).map_or(0, |(_, chain)| chain.writer().left());
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    fn receive(&self, bytes: &[u8]) -> usize {
        self.inner.lock().receive(self.port, bytes)
    }

    fn receive_break(&self) {}

    fn drain(&self) {
        let mut inner = self.inner.lock();
        if let Err(fault) = inner.transmit(self.port)
            && let Some(link) = &inner.link
        {
            link.fail(fault);
        }
    }
}

impl VirtioDevice for Console {
    fn name(&self) -> &'static str {
        "virtio-serial"
    }

    fn device_id(&self) -> u32 {
        3
    }

    fn features(&self) -> u64 {
        feature::EMERG_WRITE | if self.max_ports > 1 { feature::MULTIPORT } else { 0 }
    }

    fn queue_sizes(&self) -> Vec<u16> {
        let queues = if self.max_ports > 1 { 2 * self.max_ports + 2 } else { 2 };
        vec![QUEUE_SIZE; queues as usize]
    }

    fn attach(&mut self, link: Link) {
        self.inner.lock().link = Some(link);
    }

    fn read_config(&self, offset: u64, into: &mut [u8]) {
        let ports = self.max_ports.to_le_bytes();
        for (at, byte) in (offset..).zip(into) {
            let field = at.checked_sub(config::MAX_NR_PORTS).and_then(|i| ports.get(i as usize));
            *byte = field.copied().unwrap_or(0);
        }
    }

    fn write_config(&mut self, offset: u64, from: &[u8]) {
        if let (config::EMERG_WR, Some(byte)) = (offset, from.first())
            && let Some(chardev) = self.inner.lock().chardev(0)
        {
            chardev.write(&[*byte]); // without flow control: this is for guests in need
        }
    }

    fn notify(&mut self, queue: usize) {
        self.inner.lock().notify(queue);
    }

    fn reset(&mut self) {
        self.inner.lock().state = Self::fresh(self.max_ports);
    }

    fn save(&self) -> Result<Vec<u8>, StateError> {
        snapshot::save(&self.inner.lock().state)
    }

    fn load(&mut self, saved: &[u8]) -> Result<(), StateError> {
        let state: State = snapshot::load(saved)?;
        let mut inner = self.inner.lock();
        require(state.ports.len() == inner.ports.len(), "it has another number of ports")?;
        require(state.waiting.len() <= 4 * inner.ports.len() + 8, "too many messages wait")?;
        inner.state = state;
        Ok(())
    }
}
