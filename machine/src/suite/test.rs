//! A test of one instruction of a processor in real mode, as the SingleStepTests describe it.

/// Numbers of registers, in the order of the `RG32` chunk.
pub mod reg {
    #![expect(missing_docs, reason = "the registers' names")]
    pub const CR0: usize = 0;
    pub const CR3: usize = 1;
    pub const AX: usize = 2;
    pub const BX: usize = 3;
    pub const CX: usize = 4;
    pub const DX: usize = 5;
    pub const SI: usize = 6;
    pub const DI: usize = 7;
    pub const BP: usize = 8;
    pub const SP: usize = 9;
    pub const CS: usize = 10;
    pub const DS: usize = 11;
    pub const ES: usize = 12;
    pub const FS: usize = 13;
    pub const GS: usize = 14;
    pub const SS: usize = 15;
    pub const IP: usize = 16;
    pub const FLAGS: usize = 17;
    pub const DR6: usize = 18;
    pub const DR7: usize = 19;
    /// Their names.
    pub const NAMES: [&str; 20] = [
        "cr0", "cr3", "ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "cs", "ds", "es", "fs", "gs", "ss",
        "ip", "flags", "dr6", "dr7",
    ];
}

/// The registers that a state names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers(pub [Option<u32>; 20]);

/// What is known before or after an instruction.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Registers; afterwards only those that changed.
    pub registers: Registers,
    /// Bytes of memory.
    pub ram: Vec<(u32, u8)>,
}

/// One test.
#[derive(Clone, Debug, Default)]
pub struct Test {
    /// Its number in the original file.
    pub index: u32,
    /// The instruction as text.
    pub name: String,
    /// The instruction's bytes.
    pub bytes: Vec<u8>,
    /// Before.
    pub before: State,
    /// After.
    pub after: State,
    /// The vector of an exception, and where its flags were pushed.
    pub exception: Option<(u8, u32)>,
    /// What identifies it, in hexadecimal.
    pub hash: String,
}
