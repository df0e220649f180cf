//! `-display curses`: a PC's text screen on the terminal, whose keys go to the guest's keyboard.
//!
//! The view is a user of the terminal's hub, as serial ports and the monitor are: the escape key quits and switches. Graphics
//! modes are announced, not drawn; `screendump` has their picture.

pub mod keys;
pub mod paint;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_devices::display::{Cell, Screen, TextScreen};
use lyrebird_devices::input::KeySink;
use lyrebird_devices::input::keys::Key;
use lyrebird_machine::chardev::Backend;
use lyrebird_machine::control::Seat;
use parking_lot::Mutex;

use crate::chardev::hub::User;
use crate::term;

/// Time between two looks at the screen.
const PERIOD: Duration = Duration::from_millis(33);
/// Time between two keys: a keyboard's buffer has room for two.
const TYPING: Duration = Duration::from_millis(10);
/// How long a message on the terminal stays before the screen comes back.
const MESSAGE: Duration = Duration::from_secs(3);
/// Keys that wait at most.
const WAITING: usize = 1024;

/// The view of one screen.
pub struct View {
    user: Arc<User>,
    screen: Arc<dyn Screen>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the terminal shows.
    shown: Option<TextScreen>,
    /// And its size then.
    size: (u32, u32),
    /// Until when it belongs to a message.
    away: Option<Instant>,
}

impl View {
    /// Shows the screen of `seat` through `user` from now on.
    ///
    /// # Errors
    /// If the host has no more threads.
    pub fn start(user: Arc<User>, seat: Seat) -> io::Result<()> {
        let Seat { screen: Some(screen), keys: Some(keyboard), .. } = seat else {
            return Err(io::Error::other("the board has no screen; use -nographic"));
        };
        let (sender, typed) = bounded(WAITING);
        user.connect(Arc::new(Typist(sender)));
        let typist = user.clone();
        std::thread::Builder::new()
            .name("keys".into())
            .spawn(move || type_in(&typed, &*keyboard, &typist))?;
        let view = Arc::new(View { user: user.clone(), screen, state: Mutex::default() });
        let leaving = Arc::downgrade(&view);
        user.on_leave(move || {
            if let Some(view) = leaving.upgrade() {
                view.leave();
            }
        });
        std::thread::Builder::new().name("view".into()).spawn(move || {
            loop {
                view.look();
                std::thread::sleep(PERIOD);
            }
        })?;
        Ok(())
    }

    /// Brings the terminal up to date.
    fn look(&self) {
        let mut state = self.state.lock();
        let away = state.away.is_some_and(|until| Instant::now() < until);
        let Some(output) = self.user.output() else { return };
        if away || !self.user.has_focus() || !term::in_foreground() {
            return;
        }
        state.away = None;
        let size = term::size();
        // The terminal was somebody else's, or has another size: nothing of it is known.
        if term::begin_full_screen() || size != state.size {
            state.shown = None;
            state.size = size;
        }
        let now = self.screen.text().unwrap_or_else(announcement);
        let text = paint::paint(state.shown.as_ref(), &now, size);
        if text.is_empty() || output.push_whole(text.as_bytes()) {
            state.shown = Some(now);
        }
    }

    /// Gives the terminal back for a message, or another user.
    fn leave(&self) {
        let mut state = self.state.lock();
        if let Some(output) = self.user.output() {
            output.flush(Duration::from_millis(100));
        }
        term::end_full_screen();
        state.away = Some(Instant::now() + MESSAGE);
    }
}

/// What stands for a picture.
fn announcement() -> TextScreen {
    let text = "The guest shows a picture: screendump writes it to a file.";
    let cell = |character| Cell { character, attribute: 7 };
    let mut cells: Vec<Cell> = text.bytes().map(cell).collect();
    cells.resize(80 * 25, cell(b' '));
    TextScreen { columns: 80, rows: 25, cells, cursor: None }
}

/// Takes what the terminal sends.
struct Typist(Sender<Vec<Key>>);

impl CharPort for Typist {
    fn can_receive(&self) -> usize {
        WAITING - self.0.len()
    }
    fn receive(&self, bytes: &[u8]) -> usize {
        for chord in keys::chords(bytes) {
            // There is room for as many as there are bytes.
            let _ = self.0.try_send(chord);
        }
        bytes.len()
    }
    fn receive_break(&self) {}
    fn drain(&self) {}
}

fn type_in(typed: &Receiver<Vec<Key>>, keyboard: &dyn KeySink, user: &User) {
    for chord in typed {
        chord.iter().for_each(|key| keyboard.key(*key, true));
        chord.iter().rev().for_each(|key| keyboard.key(*key, false));
        std::thread::sleep(TYPING);
        user.input_wanted();
    }
}
