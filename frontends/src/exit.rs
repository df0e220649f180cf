//! The program's exit codes: one enum, which `docs/exit-codes.md` repeats for people (a test compares the two).

use lyrebird_machine::config::BuildError;
use lyrebird_machine::control::Shutdown;

/// Why the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitClass {
    /// The guest switched itself off, or somebody quit.
    Success = 0,
    /// Something failed while running that no other class names.
    Runtime = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// A file that the guest starts from is unusable.
    GuestFile = 3,
    /// A disk image is unusable.
    Image = 4,
    /// The options are understood, and no machine can satisfy them.
    Impossible = 5,
    /// The host lacks something.
    Host = 6,
    /// The guest cannot go on.
    GuestPanic = 7,
    /// `-accel verify` found a divergence.
    Divergence = 8,
    /// Tests of `lyrebird test` failed.
    TestsFailed = 9,
    /// A defect of Lyrebird.
    Internal = 70,
}

impl ExitClass {
    /// Every class and what it says, in the order of the page.
    pub const TABLE: &[(ExitClass, &str)] = &[
        (ExitClass::Success, "the guest powered off (or reset itself under `-no-reboot`), or you quit"),
        (ExitClass::Runtime, "a runtime error: a port is taken, a log cannot be written"),
        (ExitClass::Usage, "usage: unknown option, bad or missing value, nothing to run"),
        (
            ExitClass::GuestFile,
            "kernel, initrd, device tree, firmware or file of tests missing, unreadable, corrupt or for another machine",
        ),
        (ExitClass::Image, "disk image missing, unreadable, corrupt or of an unsupported kind"),
        (
            ExitClass::Impossible,
            "impossible option or combination: more CPUs than the board has, more RAM than it can map",
        ),
        (ExitClass::Host, "the host lacks something: memory, a permission, a system call"),
        (ExitClass::GuestPanic, "the guest cannot go on: it faults for ever, or all its CPUs are off"),
        (ExitClass::Divergence, "`-accel verify` or `replay` found engines that disagree"),
        (ExitClass::TestsFailed, "`test` ran, and tests failed"),
        (ExitClass::Internal, "a defect of Lyrebird itself; the message says where"),
    ];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// An error on its way to the user: the text says what was wrong, where and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub class: ExitClass,
    /// One or more lines without the program's name.
    pub message: String,
}

impl Failure {
    /// A failure of `class`.
    pub fn new(class: ExitClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// A command line that cannot be understood.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitClass::Usage, message)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let class = match &error {
            BuildError::Option { .. } => ExitClass::Impossible,
            BuildError::File { .. } => ExitClass::GuestFile,
            BuildError::Image { .. } => ExitClass::Image,
            BuildError::Host(_) => ExitClass::Host,
            BuildError::DtbWritten(_) => ExitClass::Success,
        };
        Self::new(class, error.to_string())
    }
}

/// The exit code of a run that ended this way. Codes that the guest chose keep their low eight bits.
pub fn code_of(end: &Shutdown) -> u8 {
    match end {
        Shutdown::PowerOff | Shutdown::Reset => ExitClass::Success.code(),
        Shutdown::Quit(code) | Shutdown::Exit(code) => (code & 0xff) as u8,
        Shutdown::GuestPanic(_) => ExitClass::GuestPanic.code(),
        Shutdown::Divergence(_) => ExitClass::Divergence.code(),
        Shutdown::EngineBug(_) => ExitClass::Internal.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_lists_every_code() {
        let page = include_str!("../../docs/exit-codes.md");
        for (class, text) in ExitClass::TABLE {
            let row = format!("| {} | {text} |", class.code());
            assert!(page.contains(&row), "docs/exit-codes.md lacks the row {row}");
        }
    }

    #[test]
    fn guest_codes_pass_unchanged() {
        assert_eq!(code_of(&Shutdown::Exit(3)), 3);
        assert_eq!(code_of(&Shutdown::Exit(-1)), 255);
        assert_eq!(code_of(&Shutdown::PowerOff), 0);
        assert_eq!(code_of(&Shutdown::GuestPanic(String::new())), 7);
    }
}
