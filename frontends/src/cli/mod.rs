//! The command line: from words to an [`crate::options::Invocation`].
//!
//! [`prepass`] rewrites QEMU's one-dash spellings, [`args`] describes every option to clap (help, completions and the
//! manual page come from there), [`keyval`] and [`number`] read values.

pub mod args;
pub mod keyval;
pub mod number;
pub mod prepass;
