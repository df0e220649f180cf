//! The telnet protocol as far as a console needs it (RFC 854, 857, 858): ask for character mode, drop negotiation.

use super::hub::Hub;
use super::source::Filter;

const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;
const BREAK: u8 = 243;
const WILL: u8 = 251;
const DONT: u8 = 254;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

/// What the server says first: it echoes and there are no go-aheads, so the client stops editing lines.
pub const HELLO: &[u8] = &[IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD];

/// Takes commands out of the input.
#[derive(Default)]
pub struct Telnet {
    state: State,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum State {
    #[default]
    Data,
    /// After a carriage return, which a client follows with NUL or line feed.
    Return,
    Command,
    Option,
    Sub,
    SubCommand,
}

impl Filter for Telnet {
    fn filter(&mut self, bytes: &mut Vec<u8>, hub: &Hub) {
        let mut breaks = 0;
        bytes.retain(|&byte| {
            let (next, keep) = self.step(byte, &mut breaks);
            self.state = next;
            keep
        });
        for _ in 0..breaks {
            hub.send_break();
        }
    }
}

impl Telnet {
    fn step(&self, byte: u8, breaks: &mut u32) -> (State, bool) {
        match (self.state, byte) {
            (State::Return, 0 | b'\n') => (State::Data, false),
            (State::Data | State::Return, IAC) => (State::Command, false),
            (State::Data | State::Return, b'\r') => (State::Return, true),
            (State::Data | State::Return, _) => (State::Data, true),
            (State::Command, IAC) => (State::Data, true),
            (State::Command, BREAK) => {
                *breaks += 1;
                (State::Data, false)
            }
            (State::Command, SB) => (State::Sub, false),
            (State::Command, WILL..=DONT) => (State::Option, false),
            (State::Command | State::Option, _) => (State::Data, false),
            (State::Sub, IAC) => (State::SubCommand, false),
            (State::SubCommand, SE) => (State::Data, false),
            (State::Sub | State::SubCommand, _) => (State::Sub, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiation_disappears_and_data_stays() {
        let hub = Hub::new("t", false, None).expect("starts");
        let mut telnet = Telnet::default();
        let mut got = Vec::new();
        // In pieces, since a segment may end anywhere.
        for piece in [&b"a\xff"[..], b"\xfd\x01b", b"\xff\xfa\x18x\xff", b"\xf0c\r", b"\0d\r\ne\xff\xff"] {
            let mut bytes = piece.to_vec();
            telnet.filter(&mut bytes, &hub);
            got.extend(bytes);
        }
        assert_eq!(got, b"abc\rd\re\xff");
    }
}
