//! What one monitor remembers between commands, and what commands have in common.

use std::sync::Arc;

use lyrebird_machine::control::{
    AddressSpace, BreakpointId, Control, ControlError, CpuId, DisasmLine, RegisterGroup, RegisterId,
    RegisterInfo, RegisterKind,
};

use super::expr;
use super::format::Format;

/// The state of one monitor.
pub struct Session {
    /// The machine.
    pub control: Arc<dyn Control>,
    /// The CPU that commands mean.
    pub cpu: CpuId,
    /// The letters of the last `/FMT`.
    pub format: Format,
    /// Breakpoints that were set here.
    pub own: Vec<BreakpointId>,
    /// The guest is to run once the prompt is shown.
    pub resumes: bool,
}

impl Session {
    /// A monitor of `control`.
    pub fn new(control: Arc<dyn Control>) -> Self {
        Self { control, cpu: CpuId(0), format: Format::default(), own: Vec::new(), resumes: false }
    }

    /// Evaluates an expression with the current CPU's registers.
    pub fn evaluate(&self, text: &str) -> Result<u64, String> {
        expr::evaluate(text, &|name| self.register(name).map(|v| v as u64))
    }

    /// A register of the current CPU by name, in any case.
    fn register(&self, name: &str) -> Option<u128> {
        let groups = self.control.register_groups();
        let id = find_register(&groups, name)?;
        self.control.read_group(self.cpu, id.group).ok()?.get(id.index).copied()
    }

    /// Reads as much of `len` bytes as there is; the error says where memory ends.
    pub fn read(&self, space: AddressSpace, address: u64, len: usize) -> (Vec<u8>, Option<ControlError>) {
        // Page by page, so that what lies before a hole is shown.
        const PAGE: u64 = 4096;
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let at = address.wrapping_add(bytes.len() as u64);
            let count = ((PAGE - at % PAGE) as usize).min(len - bytes.len());
            let mut part = vec![0; count];
            if let Err(error) = self.control.read_memory(space, at, &mut part) {
                if let ControlError::Memory(first) = error {
                    part.truncate(first.wrapping_sub(at).min(count as u64) as usize);
                    bytes.extend(part);
                }
                return (bytes, Some(error));
            }
            bytes.extend(part);
        }
        (bytes, None)
    }

    /// The instruction that comes next on the current CPU.
    pub fn here(&self) -> String {
        let pc = self.register("pc").unwrap_or(0) as u64;
        match self.control.disassemble(AddressSpace::Virtual(self.cpu), pc, 1) {
            Ok(lines) if !lines.is_empty() => lines.iter().map(|line| self.listed(line)).collect(),
            _ => format!("{pc:#x}:  cannot be read\n"),
        }
    }

    /// One line of a listing.
    pub fn listed(&self, line: &DisasmLine) -> String {
        let unit = self.control.guest().listed.max(1);
        let number = |bytes: &[u8]| bytes.iter().rev().map(|b| format!("{b:02x}")).collect::<String>();
        let code: String = line.bytes.chunks(unit).map(number).collect();
        format!("{:#010x}:  {code}  {}\n", line.address, line.text)
    }
}

/// Finds a register by name, in any case; `pc` and `sp` are there on every guest.
pub fn find_register(groups: &[RegisterGroup], name: &str) -> Option<RegisterId> {
    let find = |wanted: &dyn Fn(&RegisterInfo) -> bool| {
        groups
            .iter()
            .enumerate()
            .find_map(|(group, g)| Some(RegisterId { group, index: g.registers.iter().position(wanted)? }))
    };
    find(&|r| r.name.eq_ignore_ascii_case(name)).or_else(|| match name {
        "pc" => find(&|r| r.kind == RegisterKind::Pc),
        "sp" => find(&|r| r.kind == RegisterKind::Sp),
        _ => None,
    })
}
