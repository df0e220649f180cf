//! [`Control`] for a machine.

use crate::config::{DebugItems, EngineKind};
use crate::control::{
    AddressSpace, Breakpoint, BreakpointId, BreakpointKind, Control, ControlError, CpuId, CpuInfo,
    DisasmLine, Event, Guest, Others, RegisterGroup, RegisterId, Report, Seat, Shutdown, Status, StopReason,
    Translation,
};
use crate::machine::Inner;
use crate::shared::{Power, Request};
use crate::target::Target;
use crate::vcpu::Vcpu;
use crossbeam::channel::Receiver;
use lyrebird_cpu::core::Physical;
use parking_lot::MutexGuard;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl<T: Target> Inner<T> {
    /// Runs `f` on a processor at an instruction boundary.
    fn with<R>(&self, cpu: CpuId, f: impl FnOnce(MutexGuard<'_, Vcpu<T>>) -> R) -> Result<R, ControlError> {
        let vcpu = self.vcpus.get(cpu.0 as usize).ok_or(ControlError::NoCpu(cpu.0))?;
        let _held = self.shared.hold();
        Ok(f(vcpu.lock()))
    }

    /// Physical address of one byte in an address space.
    fn physical(&self, space: AddressSpace, address: u64) -> Result<u64, ControlError> {
        match space {
            AddressSpace::Physical => Ok(address),
            AddressSpace::Virtual(cpu) => self
                .with(cpu, |mut v| T::peek(&mut v.core, address).map(|pa| pa | address & 0xFFF))?
                .ok_or(ControlError::Memory(address)),
        }
    }

    /// Calls `f` for each piece of an access that lies in one page: physical address and range of the buffer.
    fn pieces(
        &self,
        space: AddressSpace,
        address: u64,
        len: usize,
        mut f: impl FnMut(u64, std::ops::Range<usize>) -> Result<(), ()>,
    ) -> Result<(), ControlError> {
        let mut done = 0;
        while done < len {
            let at = address.wrapping_add(done as u64);
            let here = (len - done).min(0x1000 - (at & 0xFFF) as usize);
            let pa = self.physical(space, at)?;
            f(pa, done..done + here).map_err(|()| ControlError::Memory(at))?;
            done += here;
        }
        Ok(())
    }
}

impl<T: Target> Control for Inner<T> {
    fn status(&self) -> Status {
        self.shared.status()
    }

    fn pause(&self) {
        self.shared.request(Request::Stop(CpuId(0), StopReason::Requested));
    }

    fn resume(&self) -> Result<(), ControlError> {
        match self.shared.status() {
            Status::Shutdown(_) => Err(ControlError::State("the guest is at its end; reset it first".into())),
            Status::Running => Ok(()),
            _ => {
                self.go();
                Ok(())
            }
        }
    }

    fn step(&self, cpu: CpuId, others: Others) -> Result<(), ControlError> {
        if cpu.0 as usize >= self.vcpus.len() {
            return Err(ControlError::NoCpu(cpu.0));
        }
        if *self.shared.gates[cpu.0 as usize].power.lock() == Power::Off {
            return Err(ControlError::State(format!("CPU {} is off", cpu.0)));
        }
        match self.shared.status() {
            Status::Running => return Err(ControlError::State("the guest runs; stop it first".into())),
            Status::Shutdown(_) => return Err(ControlError::State("the guest is at its end".into())),
            _ => {}
        }
        *self.shared.stepping.lock() = Some((cpu, others));
        self.clock.start();
        self.shared.set_status(Status::Running);
        Ok(())
    }

    fn reset(&self) {
        self.shared.request(Request::Reset);
    }

    fn powerdown(&self) {
        self.board.actions.press_power_button();
    }

    fn quit(&self, code: i32) {
        self.shared.request(Request::Shutdown(Shutdown::Quit(code)));
    }

    fn subscribe(&self) -> Receiver<Event> {
        self.shared.subscribe()
    }

    fn cpus(&self) -> Vec<CpuInfo> {
        let _held = self.shared.hold();
        let info = |(i, v): (usize, &Arc<parking_lot::Mutex<Vcpu<T>>>)| {
            let v = v.lock();
            CpuInfo {
                id: CpuId(i as u32),
                model: T::name(&v.model).into(),
                pc: v.core.pc(),
                powered: *self.shared.gates[i].power.lock() == Power::On,
                halted: self.shared.gates[i].halted.load(Ordering::SeqCst),
                thread: None,
            }
        };
        self.vcpus.iter().enumerate().map(info).collect()
    }

    fn guest(&self) -> Guest {
        Guest { gdb_name: T::gdb_name(&self.board.model), listed: T::LISTED }
    }

    fn register_groups(&self) -> Arc<[RegisterGroup]> {
        Arc::clone(&self.groups)
    }

    fn read_group(&self, cpu: CpuId, group: usize) -> Result<Vec<u128>, ControlError> {
        self.with(cpu, |mut v| T::read_group(&mut v.core, &self.board.model, group))?
            .ok_or_else(|| ControlError::Register(format!("group {group}")))
    }

    fn write_register(&self, cpu: CpuId, register: RegisterId, value: u128) -> Result<(), ControlError> {
        let done = self.with(cpu, |mut v| {
            T::write_register(&mut v.core, &self.board.model, register.group, register.index, value)
        })?;
        if done {
            Ok(())
        } else {
            Err(ControlError::Register(format!("{}/{}", register.group, register.index)))
        }
    }

    fn read_memory(&self, space: AddressSpace, address: u64, out: &mut [u8]) -> Result<(), ControlError> {
        let memory = self.board.space.memory();
        self.pieces(space, address, out.len(), |pa, range| {
            memory.read(pa, out.get_mut(range).unwrap_or_default()).map_err(|_| ())
        })
    }

    fn write_memory(&self, space: AddressSpace, address: u64, data: &[u8]) -> Result<(), ControlError> {
        let memory = self.board.space.memory();
        let _held = self.shared.hold();
        self.pieces(space, address, data.len(), |pa, range| {
            memory.load(pa, data.get(range.clone()).unwrap_or_default()).map_err(|_| ())?;
            if let Some((ram, _)) = self.board.bus.ram(pa & !0xFFF) {
                self.code.stored(ram | pa & 0xFFF, range.len() as u64);
            }
            Ok(())
        })
    }

    fn translate(&self, cpu: CpuId, address: u64) -> Result<Translation, ControlError> {
        self.with(cpu, |mut v| T::walk(&mut v.core, address))
    }

    fn disassemble(
        &self,
        space: AddressSpace,
        address: u64,
        count: usize,
    ) -> Result<Vec<DisasmLine>, ControlError> {
        let cpu = match space {
            AddressSpace::Virtual(cpu) => cpu,
            AddressSpace::Physical => CpuId(0),
        };
        let _held = self.shared.hold();
        let (mut lines, mut at) = (Vec::new(), address);
        while lines.len() < count.min(4096) {
            let mut bytes = vec![0; T::LONGEST];
            let read = self.read_memory(space, at, &mut bytes);
            match read {
                Err(ControlError::Memory(end)) => bytes.truncate(end.wrapping_sub(at) as usize),
                Err(e) => return Err(e),
                Ok(()) => {}
            }
            match self.with(cpu, |v| T::disassemble(&v.core, &bytes, at))? {
                Some((len, text)) => {
                    bytes.truncate(len);
                    lines.push(DisasmLine { address: at, bytes, text });
                    at = at.wrapping_add(len as u64);
                }
                None if lines.is_empty() => return Err(read.err().unwrap_or(ControlError::Memory(at))),
                None => break,
            }
        }
        Ok(lines)
    }

    fn add_breakpoint(&self, breakpoint: Breakpoint) -> Result<BreakpointId, ControlError> {
        if self.config.accel.engine == EngineKind::Verify {
            let why = "breakpoints under -accel verify; use -accel interp";
            return Err(ControlError::Unsupported(why.into()));
        }
        if !T::WATCHES && breakpoint.kind != BreakpointKind::Execute {
            return Err(ControlError::Unsupported(format!("watchpoints of {} guests", T::NAME)));
        }
        let _held = self.shared.hold();
        let id = self.shared.breakpoints.lock().add(breakpoint);
        self.shared.armed.store(true, Ordering::SeqCst);
        Ok(id)
    }

    fn remove_breakpoint(&self, id: BreakpointId) -> bool {
        let _held = self.shared.hold();
        let mut breakpoints = self.shared.breakpoints.lock();
        let removed = breakpoints.remove(id);
        self.shared.armed.store(!breakpoints.all().is_empty(), Ordering::SeqCst);
        removed
    }

    fn breakpoints(&self) -> Vec<(BreakpointId, Breakpoint)> {
        self.shared.breakpoints.lock().all().to_vec()
    }

    fn report(&self, report: Report) -> Result<String, ControlError> {
        let mut text = String::new();
        match report {
            Report::Tlb(cpu) => self.with(cpu, |v| {
                for (key, e) in v.core.tlb.iter() {
                    let va = if e.read == lyrebird_cpu::tlb::NEVER { e.write } else { e.read };
                    let (r, w) = (e.read == va, e.write == va);
                    let _ = writeln!(
                        text,
                        "{va:016x} ram+{:09x} {}{} {}",
                        e.ram & !0xFFF,
                        if r { 'r' } else { '-' },
                        if w { 'w' } else { '-' },
                        T::tlb_context(key)
                    );
                }
            })?,
            Report::Mem(cpu) => self.with(cpu, |mut v| T::mappings(&mut v.core, &mut text))?,
            Report::Mtree => text = self.board.spaces().map(|space| space.mtree()).collect(),
            Report::Qtree => text = self.board.spaces().map(|space| space.qtree()).collect(),
            Report::Irq => text = self.board.actions.interrupts(),
            Report::Pci => {
                let pci = self.board.actions.pci();
                text = pci.ok_or_else(|| ControlError::Unsupported("the board has no PCI".into()))?;
            }
            Report::Jit => {
                for i in 0..self.vcpus.len() {
                    self.with(CpuId(i as u32), |v| {
                        let _ = writeln!(
                            text,
                            "CPU {i}: {} instructions counted, {} TLB fills, {} TLB flushes",
                            v.core.icount, v.core.tlb.fills, v.core.tlb.flushes
                        );
                        text.push_str(&v.engine.report());
                    })?;
                }
            }
            Report::Block => {
                for (id, disk) in &self.board.disks {
                    let _ = writeln!(text, "{id}: {}", disk.info());
                }
            }
        }
        Ok(text)
    }

    fn seat(&self) -> Seat {
        self.board.seat.clone()
    }

    fn set_debug_items(&self, items: DebugItems) {
        self.trace.set_items(items);
    }

    fn debug_items(&self) -> DebugItems {
        self.trace.items()
    }
}
