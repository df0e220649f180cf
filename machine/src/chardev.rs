//! How a board finds the far ends of its serial lines: the front end opens them, the board plugs devices in.
//!
//! A board asks [`Chardevs::plug`] for the line that a [`crate::config::Config`] names by id, builds the device with it
//! as its [`Chardev`], and then hands the device to [`Backend::connect`], from where its input comes.

use std::sync::Arc;

use lyrebird_devices::char::{CharPort, Chardev};

/// A line of an open back end with one user.
pub trait Backend: Chardev {
    /// Says who takes the line's input. Input that came before waits.
    fn connect(&self, port: Arc<dyn CharPort>);
}

/// The open back ends, by id.
pub trait Chardevs: Send + Sync {
    /// A line for `user` (`serial0`, `hvc0`: a name for people) on the back end `id`; `None` if there is none of that
    /// id. A back end that is shared gives each caller a line of its own.
    fn plug(&self, id: &str, user: &str) -> Option<Arc<dyn Backend>>;
}

/// No back ends at all: for tests and for machines whose lines go nowhere.
pub struct Unplugged;

impl Chardevs for Unplugged {
    fn plug(&self, _id: &str, _user: &str) -> Option<Arc<dyn Backend>> {
        None
    }
}
