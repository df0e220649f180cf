//! Tables that do not know yet where they will be, and QEMU's way to let firmware place them.
//!
//! After the format that QEMU's hw/acpi/bios-linker-loader.c describes and SeaBIOS and EDK II read: a list of commands
//! of 128 bytes, which allocate memory for fw_cfg files, add the address of one to a field of another, and make
//! checksums.

use super::super::loader::{Content, Piece};

/// Names of the fw_cfg files.
pub const RSDP_FILE: &str = "etc/acpi/rsdp";
/// All tables but the root pointer.
pub const TABLES_FILE: &str = "etc/acpi/tables";
/// The list of commands.
pub const LOADER_FILE: &str = "etc/table-loader";

mod spec {
    pub const COMMAND_LEN: usize = 128;
    pub const FILE_LEN: usize = 56;
    pub const ALLOCATE: u32 = 1;
    pub const ADD_POINTER: u32 = 2;
    pub const ADD_CHECKSUM: u32 = 3;
    /// Anywhere below 4 GiB; between E_0000h and F_FFFFh.
    pub const ZONE_HIGH: u8 = 1;
    pub const ZONE_FSEG: u8 = 2;
}
use spec::*;

/// Alignment of the tables: the FACS asks for it.
const ALIGN: u32 = 64;
/// Alignment of the root pointer.
const RSDP_ALIGN: u32 = 16;

/// A place in one of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// The root pointer.
    Rsdp,
    /// The other tables.
    Tables,
}

impl File {
    fn name(self) -> [u8; FILE_LEN] {
        let name = match self {
            File::Rsdp => RSDP_FILE,
            File::Tables => TABLES_FILE,
        };
        let mut field = [0; FILE_LEN];
        field.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
        field
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Adds the address of the tables to `len` bytes at `at`.
    Pointer { file: File, at: usize, len: u8 },
    /// Makes the sum of `len` bytes from `start` zero by the byte at `at`.
    Checksum { file: File, at: usize, start: usize, len: usize },
}

/// Tables, root pointer, and what is to be done when their addresses are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blob {
    tables: Vec<u8>,
    rsdp: Vec<u8>,
    steps: Vec<Step>,
}

impl Blob {
    /// Adds a table; its offset.
    pub(super) fn add(&mut self, table: Vec<u8>) -> usize {
        let at = self.tables.len().next_multiple_of(16);
        self.tables.resize(at, 0);
        self.tables.extend(table);
        at
    }

    pub(super) fn set_rsdp(&mut self, rsdp: Vec<u8>) {
        self.rsdp = rsdp;
    }

    fn bytes(&mut self, file: File) -> &mut Vec<u8> {
        match file {
            File::Rsdp => &mut self.rsdp,
            File::Tables => &mut self.tables,
        }
    }

    /// Makes `len` bytes at `at` point to the table at `target`.
    pub(super) fn point(&mut self, file: File, at: usize, len: u8, target: usize) {
        let value = (target as u64).to_le_bytes();
        let field = self.bytes(file).iter_mut().skip(at).take(len.into());
        field.zip(value).for_each(|(to, from)| *to = from);
        self.steps.push(Step::Pointer { file, at, len });
    }

    /// Asks for a checksum at `at` of `len` bytes from `start`, once all pointers before are made.
    pub(super) fn checksum(&mut self, file: File, at: usize, start: usize, len: usize) {
        if let Some(byte) = self.bytes(file).get_mut(at) {
            *byte = 0;
        }
        self.steps.push(Step::Checksum { file, at, start, len });
    }

    /// The contents of the three fw_cfg files, each with its name.
    pub fn files(&self) -> [(&'static str, Vec<u8>); 3] {
        let allocate = |file: File, align: u32, zone: u8| {
            [&ALLOCATE.to_le_bytes()[..], &file.name(), &align.to_le_bytes(), &[zone]].concat()
        };
        let mut commands =
            vec![allocate(File::Rsdp, RSDP_ALIGN, ZONE_FSEG), allocate(File::Tables, ALIGN, ZONE_HIGH)];
        commands.extend(self.steps.iter().map(|step| {
            match *step {
                Step::Pointer { file, at, len } => [
                    &ADD_POINTER.to_le_bytes()[..],
                    &file.name(),
                    &File::Tables.name(),
                    &(at as u32).to_le_bytes(),
                    &[len],
                ]
                .concat(),
                Step::Checksum { file, at, start, len } => {
                    let words = [at, start, len].map(|v| (v as u32).to_le_bytes());
                    [&ADD_CHECKSUM.to_le_bytes()[..], &file.name(), &words.concat()].concat()
                }
            }
        }));
        commands.iter_mut().for_each(|c| c.resize(COMMAND_LEN, 0));
        [(RSDP_FILE, self.rsdp.clone()), (TABLES_FILE, self.tables.clone()), (LOADER_FILE, commands.concat())]
    }

    /// Everything in place for a root pointer at `at`, as firmware would leave it: the root pointer, then the tables.
    pub fn place(&self, at: u64) -> Vec<Piece> {
        let mut placed = self.clone();
        let tables = (at + self.rsdp.len() as u64).next_multiple_of(ALIGN.into());
        for step in &self.steps {
            match *step {
                Step::Pointer { file, at, len } => {
                    let bytes = placed.bytes(file);
                    let mut value = [0; 8];
                    value.iter_mut().zip(bytes.iter().skip(at).take(len.into())).for_each(|(to, b)| *to = *b);
                    let value = u64::from_le_bytes(value).wrapping_add(tables).to_le_bytes();
                    let field = bytes.iter_mut().skip(at).take(len.into());
                    field.zip(value).for_each(|(to, from)| *to = from);
                }
                Step::Checksum { file, at, start, len } => {
                    let bytes = placed.bytes(file);
                    let sum = bytes.iter().skip(start).take(len).fold(0u8, |sum, b| sum.wrapping_add(*b));
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = byte.wrapping_sub(sum);
                    }
                }
            }
        }
        let piece = |at, bytes| Piece { at, content: Content::Bytes(bytes) };
        vec![piece(at, placed.rsdp), piece(tables, placed.tables)]
    }
}
