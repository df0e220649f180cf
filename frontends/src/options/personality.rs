//! Which of QEMU's programs a command line is for: what boards, processors and defaults there are follows from it.

use lyrebird_machine::config::{
    Board, CPU_FEATURES, CPU_MODELS, EngineKind, PcBoard, PcChipset, X86_CPU_MODELS, x86_cpu_switches,
};

use super::boards::{ARM, Offer, X86};
use crate::cli::args::{MachineArgs, QEMU};
use crate::detect::{Kind, detect};

/// Names with a line about each.
type Names = &'static [(&'static str, &'static str)];

/// The guest that a command line is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Personality {
    /// 64-bit Arm.
    #[default]
    Aarch64,
    /// x86 with long mode.
    X86_64,
    /// x86 without.
    I386,
}

impl Personality {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aarch64, Self::X86_64, Self::I386];

    /// What QEMU calls its program.
    pub fn program(self) -> &'static str {
        QEMU[self as usize]
    }

    /// What people call the guest.
    pub fn guest(self) -> &'static str {
        match self {
            Self::Aarch64 => "AArch64",
            Self::X86_64 => "x86-64",
            Self::I386 => "i386",
        }
    }

    /// The boards, the default first.
    pub fn boards(self) -> &'static [Offer] {
        match self {
            Self::Aarch64 => ARM,
            Self::X86_64 | Self::I386 => X86,
        }
    }

    /// The board if no other is named.
    pub fn board(self) -> Board {
        match self {
            Self::Aarch64 => Board::Virt(Default::default()),
            Self::X86_64 | Self::I386 => Board::Pc(PcBoard::new(PcChipset::I440fx)),
        }
    }

    /// The processor models.
    pub fn cpus(self) -> Names {
        match self {
            Self::Aarch64 => CPU_MODELS,
            Self::X86_64 | Self::I386 => X86_CPU_MODELS,
        }
    }

    /// The switches of processor models.
    pub fn switches(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Aarch64 => CPU_FEATURES.to_vec(),
            Self::X86_64 | Self::I386 => x86_cpu_switches().into_iter().map(|name| (name, "")).collect(),
        }
    }

    /// The processor model if no other is named.
    pub fn cpu(self) -> &'static str {
        match self {
            Self::Aarch64 | Self::X86_64 => "max",
            Self::I386 => "pentium3",
        }
    }

    /// The engine if no other is named.
    pub fn engine(self) -> EngineKind {
        match self {
            Self::Aarch64 => EngineKind::Jit,
            Self::X86_64 | Self::I386 => EngineKind::Jit,
        }
    }

    /// That of `lyrebird run`: the board's if one is named, else that of the kernel, if it says.
    pub fn of_run(args: &MachineArgs) -> Self {
        let named = |text: &String| {
            let name = text.split(',').next()?;
            let name = name.strip_prefix("type=").unwrap_or(name);
            Self::ALL.into_iter().find(|p| p.boards().iter().any(|b| b.is(name)))
        };
        let file = args.kernel.as_ref().or(args.file.as_ref());
        args.machine.iter().find_map(named).unwrap_or_else(|| match file.map(|file| detect(file)) {
            Some(Ok(Kind::Kernel(guest) | Kind::Disk(_, guest))) => guest,
            _ => Self::default(),
        })
    }
}
