//! A machine of two toy processors that obey five A64 instructions, behind the real `Control`: for tests of front ends.
//!
//! CPU 0 counts in a loop, stores and loads the count at [`DATA`]; CPU 1 spins. Addresses are not translated.

use std::sync::{Arc, Weak};

use crossbeam::channel::{Receiver, Sender, unbounded};
use lyrebird_machine::config::DebugItems;
use lyrebird_machine::control::*;
use parking_lot::Mutex;

pub const RAM: u64 = 0x4000_0000;
pub const RAM_SIZE: usize = 64 << 10;
pub const DATA: u64 = RAM + 0x1000;

const ADD_X0_1: u32 = 0x9100_0400; // add x0, x0, #1
const STR_X0: u32 = 0xf900_0020; // str x0, [x1]
const LDR_X2: u32 = 0xf940_0022; // ldr x2, [x1]
const NOP: u32 = 0xd503_201f;
const B_MASK: u32 = 0xfc00_0000;
const B: u32 = 0x1400_0000;

struct Cpu {
    x: [u64; 31],
    sp: u64,
    pc: u64,
    pstate: u32,
    v: [u128; 32],
    fpcr: u32,
    fpsr: u32,
    system: [u64; 3],
}

struct State {
    cpus: Vec<Cpu>,
    ram: Vec<u8>,
    status: Status,
    breakpoints: Vec<(BreakpointId, Breakpoint)>,
    next_id: u32,
    subscribers: Vec<Sender<Event>>,
    items: DebugItems,
    pub asked: Vec<&'static str>,
}

/// The machine.
pub struct Mock {
    state: Mutex<State>,
    groups: Arc<[RegisterGroup]>,
    this: Weak<Mock>,
}

const SYSTEM: [&str; 3] = ["SCTLR_EL1", "TTBR0_EL1", "VBAR_EL1"];

/// An AArch64 processor's groups with few system registers.
fn groups() -> Arc<[RegisterGroup]> {
    let mut groups = lyrebird_machine::arm::registers::groups().to_vec();
    groups[2].registers = SYSTEM.map(|n| RegisterInfo::new(n, 64, RegisterKind::Int)).to_vec();
    groups.into()
}

impl Mock {
    /// A paused machine.
    pub fn new() -> Arc<Self> {
        let cpu = |pc| Cpu {
            x: [0; 31],
            sp: RAM + 0x8000,
            pc,
            pstate: 0x3c5,
            v: [0; 32],
            fpcr: 0,
            fpsr: 0,
            system: [0x30d0_0800, RAM, RAM + 0x800],
        };
        let mut ram = vec![0; RAM_SIZE];
        let loop_back = |words: u32| B | (words.wrapping_neg() & 0x03ff_ffff);
        let programs =
            [(0, [ADD_X0_1, STR_X0, LDR_X2, loop_back(3)]), (0x100, [NOP, NOP, NOP, loop_back(3)])];
        for (at, program) in programs {
            for (index, word) in program.iter().enumerate() {
                ram[at + index * 4..][..4].copy_from_slice(&word.to_le_bytes());
            }
        }
        let mut cpus = vec![cpu(RAM), cpu(RAM + 0x100)];
        cpus[0].x[1] = DATA;
        let state = State {
            cpus,
            ram,
            status: Status::Prelaunch,
            breakpoints: Vec::new(),
            next_id: 1,
            subscribers: Vec::new(),
            items: DebugItems::empty(),
            asked: Vec::new(),
        };
        Arc::new_cyclic(|this| Self { state: Mutex::new(state), groups: groups(), this: this.clone() })
    }

    /// What was asked for: resets, power buttons.
    #[allow(dead_code, reason = "not every test file that includes this asks")]
    pub fn asked(&self) -> Vec<&'static str> {
        self.state.lock().asked.clone()
    }
}

impl State {
    fn tell(&mut self, event: Event) {
        self.subscribers.retain(|s| s.send(event.clone()).is_ok());
    }

    fn stop(&mut self, cpu: CpuId, reason: StopReason) {
        self.status = Status::Paused(reason.clone());
        self.tell(Event::Stopped { cpu, reason });
    }

    fn offset(address: u64, len: usize) -> Result<usize, ControlError> {
        match address.checked_sub(RAM) {
            Some(at) if (at as usize) + len <= RAM_SIZE => Ok(at as usize),
            Some(at) if (at as usize) < RAM_SIZE => Err(ControlError::Memory(RAM + RAM_SIZE as u64)),
            _ => Err(ControlError::Memory(address)),
        }
    }

    fn word(&self, address: u64) -> Option<u32> {
        let at = Self::offset(address, 4).ok()?;
        Some(u32::from_le_bytes(self.ram[at..at + 4].try_into().ok()?))
    }

    fn breakpoint_at(&self, pc: u64) -> Option<StopReason> {
        let hit = |b: &Breakpoint| b.kind == BreakpointKind::Execute && b.address == pc;
        let (id, _) = self.breakpoints.iter().find(|(_, b)| hit(b))?;
        Some(StopReason::Breakpoint { id: *id, address: pc })
    }

    fn watchpoint_at(&self, address: u64, write: bool) -> Option<StopReason> {
        let hit = |b: &Breakpoint| {
            let kind = match b.kind {
                BreakpointKind::Execute => false,
                BreakpointKind::Read => !write,
                BreakpointKind::Write => write,
                BreakpointKind::Access => true,
            };
            kind && address < b.address + b.len && b.address < address + 8
        };
        let (id, _) = self.breakpoints.iter().find(|(_, b)| hit(b))?;
        Some(StopReason::Watchpoint { id: *id, address, write })
    }

    /// The watchpoint that the next instruction of a CPU would touch.
    fn watched(&self, cpu: usize) -> Option<StopReason> {
        let x1 = self.cpus[cpu].x[1];
        match self.word(self.cpus[cpu].pc)? {
            STR_X0 => self.watchpoint_at(x1, true),
            LDR_X2 => self.watchpoint_at(x1, false),
            _ => None,
        }
    }

    /// One instruction of one CPU.
    fn execute(&mut self, cpu: usize) -> Option<()> {
        let word = self.word(self.cpus[cpu].pc)?;
        let x1 = self.cpus[cpu].x[1];
        self.cpus[cpu].pc += 4;
        match word {
            ADD_X0_1 => self.cpus[cpu].x[0] += 1,
            STR_X0 => {
                let at = Self::offset(x1, 8).ok()?;
                self.ram[at..at + 8].copy_from_slice(&self.cpus[cpu].x[0].to_le_bytes());
            }
            LDR_X2 => {
                let at = Self::offset(x1, 8).ok()?;
                self.cpus[cpu].x[2] = u64::from_le_bytes(self.ram[at..at + 8].try_into().ok()?);
            }
            word if word & B_MASK == B => {
                let words = ((word << 6) as i32 >> 6) as i64;
                self.cpus[cpu].pc = (self.cpus[cpu].pc - 4).wrapping_add_signed(words * 4);
            }
            _ => {}
        }
        Some(())
    }
}

impl Control for Mock {
    fn status(&self) -> Status {
        self.state.lock().status.clone()
    }

    fn pause(&self) {
        let mut state = self.state.lock();
        if state.status.is_running() {
            state.stop(CpuId(0), StopReason::Requested);
        }
    }

    fn resume(&self) -> Result<(), ControlError> {
        let mut state = self.state.lock();
        match state.status {
            Status::Running => return Ok(()),
            Status::Shutdown(_) => return Err(ControlError::State("the guest is at its end".into())),
            _ => {}
        }
        state.status = Status::Running;
        state.tell(Event::Resumed);
        drop(state);
        let this = self.this.upgrade().expect("alive");
        std::thread::spawn(move || {
            let mut first = true;
            loop {
                let mut state = this.state.lock();
                for cpu in 0..state.cpus.len() {
                    if !state.status.is_running() {
                        return;
                    }
                    let pc = state.cpus[cpu].pc;
                    match state.breakpoint_at(pc).or_else(|| state.watched(cpu)) {
                        Some(reason) if !first => state.stop(CpuId(cpu as u32), reason),
                        _ => {
                            state.execute(cpu);
                        }
                    }
                }
                first = false;
                drop(state);
                std::thread::yield_now();
            }
        });
        Ok(())
    }

    fn step(&self, cpu: CpuId, _others: Others) -> Result<(), ControlError> {
        let mut state = self.state.lock();
        if state.status.is_running() {
            return Err(ControlError::State("the guest runs: stop it first".into()));
        }
        state.execute(cpu.0 as usize);
        state.stop(cpu, StopReason::StepDone);
        Ok(())
    }

    fn reset(&self) {
        let mut state = self.state.lock();
        state.asked.push("reset");
        state.tell(Event::Reset);
    }

    fn powerdown(&self) {
        self.state.lock().asked.push("powerdown");
    }

    fn quit(&self, code: i32) {
        let mut state = self.state.lock();
        state.asked.push("quit");
        state.status = Status::Shutdown(Shutdown::Quit(code));
        state.tell(Event::Shutdown(Shutdown::Quit(code)));
    }

    fn subscribe(&self) -> Receiver<Event> {
        let (tx, rx) = unbounded();
        self.state.lock().subscribers.push(tx);
        rx
    }

    fn cpus(&self) -> Vec<CpuInfo> {
        let state = self.state.lock();
        let info = |(n, cpu): (usize, &Cpu)| CpuInfo {
            id: CpuId(n as u32),
            model: "toy".into(),
            pc: cpu.pc,
            powered: true,
            halted: false,
            thread: None,
        };
        state.cpus.iter().enumerate().map(info).collect()
    }

    fn guest(&self) -> Guest {
        Guest { gdb_name: "aarch64", listed: 4 }
    }

    fn register_groups(&self) -> Arc<[RegisterGroup]> {
        self.groups.clone()
    }

    fn read_group(&self, cpu: CpuId, group: usize) -> Result<Vec<u128>, ControlError> {
        let state = self.state.lock();
        let c = state.cpus.get(cpu.0 as usize).ok_or(ControlError::NoCpu(cpu.0))?;
        Ok(match group {
            0 => c.x.iter().chain([&c.sp, &c.pc, &u64::from(c.pstate)]).map(|v| u128::from(*v)).collect(),
            1 => c.v.iter().copied().chain([u128::from(c.fpsr), u128::from(c.fpcr)]).collect(),
            _ => c.system.iter().map(|v| u128::from(*v)).collect(),
        })
    }

    fn write_register(&self, cpu: CpuId, register: RegisterId, value: u128) -> Result<(), ControlError> {
        let mut state = self.state.lock();
        let c = state.cpus.get_mut(cpu.0 as usize).ok_or(ControlError::NoCpu(cpu.0))?;
        match (register.group, register.index) {
            (0, n @ 0..=30) => c.x[n] = value as u64,
            (0, 31) => c.sp = value as u64,
            (0, 32) => c.pc = value as u64,
            (0, 33) => c.pstate = value as u32,
            (1, n @ 0..=31) => c.v[n] = value,
            (1, 32) => c.fpsr = value as u32,
            (1, 33) => c.fpcr = value as u32,
            (2, n @ 0..=2) => c.system[n] = value as u64,
            _ => return Err(ControlError::Register("?".into())),
        }
        Ok(())
    }

    fn read_memory(&self, _space: AddressSpace, address: u64, out: &mut [u8]) -> Result<(), ControlError> {
        let state = self.state.lock();
        let at = State::offset(address, out.len())?;
        out.copy_from_slice(&state.ram[at..at + out.len()]);
        Ok(())
    }

    fn write_memory(&self, _space: AddressSpace, address: u64, data: &[u8]) -> Result<(), ControlError> {
        let mut state = self.state.lock();
        let at = State::offset(address, data.len())?;
        state.ram[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn translate(&self, _cpu: CpuId, address: u64) -> Result<Translation, ControlError> {
        let physical = State::offset(address, 1).is_ok().then_some(address);
        Ok(Translation { physical, steps: vec!["MMU off".into()] })
    }

    fn disassemble(
        &self,
        _: AddressSpace,
        address: u64,
        count: usize,
    ) -> Result<Vec<DisasmLine>, ControlError> {
        let state = self.state.lock();
        let mut lines = Vec::new();
        for address in (address..).step_by(4).take(count) {
            let Some(word) = state.word(address) else { break };
            let text = match word {
                ADD_X0_1 => "add x0, x0, #1".to_owned(),
                NOP => "nop".to_owned(),
                other => format!(".inst {other:#010x}"),
            };
            lines.push(DisasmLine { address, bytes: word.to_le_bytes().to_vec(), text });
        }
        if lines.is_empty() { Err(ControlError::Memory(address)) } else { Ok(lines) }
    }

    fn add_breakpoint(&self, breakpoint: Breakpoint) -> Result<BreakpointId, ControlError> {
        let mut state = self.state.lock();
        let id = BreakpointId(state.next_id);
        state.next_id += 1;
        state.breakpoints.push((id, breakpoint));
        Ok(id)
    }

    fn remove_breakpoint(&self, id: BreakpointId) -> bool {
        let mut state = self.state.lock();
        let before = state.breakpoints.len();
        state.breakpoints.retain(|(other, _)| *other != id);
        state.breakpoints.len() < before
    }

    fn breakpoints(&self) -> Vec<(BreakpointId, Breakpoint)> {
        self.state.lock().breakpoints.clone()
    }

    fn report(&self, report: Report) -> Result<String, ControlError> {
        match report {
            Report::Mtree => Ok(format!("{RAM:016x}-{:016x} ram\n", RAM + RAM_SIZE as u64 - 1)),
            other => Err(ControlError::Unsupported(format!("{other:?}"))),
        }
    }

    fn set_debug_items(&self, items: DebugItems) {
        self.state.lock().items = items;
    }

    fn seat(&self) -> Seat {
        Seat::default()
    }

    fn debug_items(&self) -> DebugItems {
        self.state.lock().items
    }
}
