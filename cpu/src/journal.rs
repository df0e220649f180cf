//! What a run of instructions did outside of the register file, so that it can be taken back and run again: the bytes
//! that it overwrote in RAM, and a tape of what it asked devices and the board.
//!
//! While a core has a journal, no store takes the TLB's fast path. The first run records; runs after it replay: they get
//! the same answers, and what they ask is compared with the tape.

use lyrebird_ram::GuestRam;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One question to the outside and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What was asked: kind and operands.
    pub question: [u64; 4],
    /// What came back; `None` if nothing answered.
    pub answer: Option<u64>,
}

/// The tape.
#[derive(Debug, Default)]
pub struct Tape {
    events: Vec<Event>,
    at: usize,
    replaying: bool,
    /// The first question that differed from the tape: what was asked, and what was on the tape.
    pub strayed: Option<([u64; 4], Option<Event>)>,
}

impl Tape {
    /// Starts to record afresh.
    pub fn record(&mut self) {
        *self = Tape::default();
    }

    /// Starts to replay from question `from` on.
    pub fn replay(&mut self, from: usize) {
        self.at = from;
        self.replaying = true;
        self.strayed = None;
    }

    /// Whether questions are answered from the tape.
    pub fn replaying(&self) -> bool {
        self.replaying
    }

    /// The number of the next question that is answered from the tape.
    pub fn position(&self) -> usize {
        self.at
    }

    /// A tape that answers with these events.
    pub fn of(events: Vec<Event>) -> Self {
        Self { events, replaying: true, ..Self::default() }
    }

    /// The events from number `from` on.
    pub fn events(&self, from: usize) -> &[Event] {
        self.events.get(from..).unwrap_or_default()
    }

    /// Questions on the tape.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Asks: through `ask` while recording, from the tape while replaying.
    pub fn ask(&mut self, question: [u64; 4], ask: impl FnOnce() -> Option<u64>) -> Option<u64> {
        if !self.replaying {
            let answer = ask();
            self.events.push(Event { question, answer });
            return answer;
        }
        let event = self.events.get(self.at);
        self.at += 1;
        match event {
            Some(e) if e.question == question => e.answer,
            other => {
                let other = other.cloned();
                self.strayed.get_or_insert((question, other));
                None
            }
        }
    }
}

/// A tape that the core and the board's stand-in share.
pub type SharedTape = Arc<Mutex<Tape>>;

/// Locks a tape.
pub fn lock(tape: &SharedTape) -> MutexGuard<'_, Tape> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Copy, Debug)]
struct Undo {
    ram: u64,
    len: u8,
    old: u128,
}

/// A journal.
#[derive(Debug, Default)]
pub struct Journal {
    undo: Vec<Undo>,
    /// The tape.
    pub tape: SharedTape,
    /// A recorded run must not reach devices and firmware: it ends before the first instruction that does.
    pub sealed: bool,
    /// It ended so.
    pub refused: bool,
}

impl Journal {
    /// An empty journal with a tape.
    pub fn with(tape: SharedTape) -> Self {
        Self { tape, ..Self::default() }
    }

    /// Notes that `len` bytes at RAM offset `ram` are about to change.
    pub fn changing(&mut self, ram: &GuestRam, at: u64, len: u64) {
        for from in (0..len).step_by(16) {
            let mut bytes = [0; 16];
            let (at, len) = (at + from, (len - from).min(16));
            if let Some(into) = bytes.get_mut(..len as usize)
                && ram.read_bytes(at, into).is_ok()
            {
                self.undo.push(Undo { ram: at, len: len as u8, old: u128::from_le_bytes(bytes) });
            }
        }
    }

    /// How many changes it holds.
    pub fn len(&self) -> usize {
        self.undo.len()
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.undo.is_empty()
    }

    /// The places that changed, in order, without the first `skip`: RAM offset and length.
    pub fn places(&self, skip: usize) -> impl Iterator<Item = (u64, u64)> {
        self.undo.iter().skip(skip).map(|u| (u.ram, u.len as u64))
    }

    /// Puts everything back but for the first `keep` changes, calling `restored` for each place, and forgets it.
    pub fn take_back(&mut self, ram: &GuestRam, keep: usize, mut restored: impl FnMut(u64, u64)) {
        for u in self.undo.drain(keep.min(self.undo.len())..).rev() {
            let bytes = u.old.to_le_bytes();
            // The place was readable when it was noted.
            let _ = ram.write_bytes(u.ram, bytes.get(..u.len as usize).unwrap_or_default());
            restored(u.ram, u.len as u64);
        }
    }

    /// Keeps what happened.
    pub fn keep(&mut self) {
        self.undo.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_as_before() {
        let ram = GuestRam::new(4096).unwrap();
        ram.write(8, 0x1111_2222u32).unwrap();
        let mut j = Journal::default();
        for (at, x) in [(8, 1u32), (10, 2), (8, 3)] {
            j.changing(&ram, at, 4);
            ram.write(at, x).unwrap();
        }
        let mut n = 0;
        j.take_back(&ram, 2, |_, _| n += 1);
        assert_eq!((n, ram.read::<u32>(8)), (1, Ok(0x0002_0001)));
        j.take_back(&ram, 0, |_, _| n += 1);
        assert_eq!((n, ram.read::<u64>(8)), (3, Ok(0x1111_2222)));
    }

    #[test]
    fn a_replay_notices_other_questions() {
        let mut t = Tape::default();
        assert_eq!(t.ask([1, 2, 3, 4], || Some(9)), Some(9));
        t.replay(0);
        assert_eq!(t.ask([1, 2, 3, 4], || None), Some(9));
        assert!(t.strayed.is_none());
        t.replay(0);
        assert_eq!(t.ask([1, 2, 3, 5], || None), None);
        assert!(t.strayed.is_some());
    }
}
