//! The machine as gdbstub's `Target`: one thread for each vCPU, thread 1 is CPU 0.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use crossbeam::channel::Receiver;
use gdbstub::common::{Signal, Tid};
use gdbstub::outputln;
use gdbstub::stub::MultiThreadStopReason;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::multithread::{
    MultiThreadBase, MultiThreadResume, MultiThreadResumeOps, MultiThreadSchedulerLocking,
    MultiThreadSchedulerLockingOps, MultiThreadSingleStep, MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::single_register_access::{SingleRegisterAccess, SingleRegisterAccessOps};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd, MonitorCmdOps};
use gdbstub::target::ext::target_description_xml_override::{
    TargetDescriptionXmlOverride, TargetDescriptionXmlOverrideOps,
};
use gdbstub::target::ext::thread_extra_info::{ThreadExtraInfo, ThreadExtraInfoOps};
use gdbstub::target::{Target, TargetError, TargetResult};
use lyrebird_machine::control::{
    AddressSpace, Breakpoint, BreakpointId, BreakpointKind, Control, ControlError, CpuId, Event, Others,
    RegisterKind, Shutdown, Status, StopReason,
};

use super::arch::{Guest, Layout, Number, Packet, number};
use super::xml;
use crate::exit::code_of;
use crate::monitor::commands;
use crate::monitor::session::Session;

/// What a packet asked to stop at: the protocol names breakpoints by this, not by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    class: Class,
    address: u64,
    len: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Software,
    Hardware,
    Write,
    Read,
    Access,
}

/// One debugging session.
pub struct Debuggee {
    control: Arc<dyn Control>,
    /// Events since the last resume.
    pub events: Receiver<Event>,
    layout: Layout,
    xml: String,
    points: BTreeMap<Key, BreakpointId>,
    stepping: Option<CpuId>,
    others_wait: bool,
    /// The machine would not run: what to report instead.
    pub refused: Option<Event>,
    monitor: Session,
}

type Refusal = TargetError<ControlError>;

/// A refusal that the debugger shows and survives: nothing here ends the session.
fn refuse(_: ControlError) -> Refusal {
    TargetError::NonFatal
}

fn cpu(tid: Tid) -> CpuId {
    CpuId(u32::try_from(tid.get() - 1).unwrap_or(u32::MAX))
}

fn tid(cpu: CpuId) -> Tid {
    NonZeroUsize::MIN.saturating_add(cpu.0 as usize)
}

impl Debuggee {
    /// A session on `control`.
    pub fn new(control: Arc<dyn Control>) -> Self {
        let groups = control.register_groups();
        Self {
            events: control.subscribe(),
            xml: xml::describe(control.guest(), &groups),
            layout: Layout { groups },
            points: BTreeMap::new(),
            stepping: None,
            others_wait: false,
            refused: None,
            monitor: Session::new(control.clone()),
            control,
        }
    }

    /// Removes every breakpoint of the session.
    pub fn clear(&mut self) {
        for (_, id) in std::mem::take(&mut self.points) {
            self.control.remove_breakpoint(id);
        }
    }

    /// What to tell the debugger about an event; nothing about those that do not stop the guest.
    pub fn stop_reason(&self, event: &Event) -> Option<MultiThreadStopReason<u64>> {
        let (at, reason) = match event {
            Event::Stopped { cpu, reason } => (tid(*cpu), reason),
            Event::Shutdown(end) => return Some(exited(end)),
            Event::Resumed | Event::Reset => return None,
        };
        let signal = |signal| MultiThreadStopReason::SignalWithThread { tid: at, signal };
        let point =
            |id: &BreakpointId| self.points.iter().find(|(_, known)| *known == id).map(|(key, _)| *key);
        Some(match reason {
            StopReason::Requested => signal(Signal::SIGINT),
            StopReason::StepDone => signal(Signal::SIGTRAP),
            StopReason::Panic(_) => signal(Signal::SIGABRT),
            StopReason::Breakpoint { id, .. } => match point(id).map(|key| key.class) {
                Some(Class::Software) => MultiThreadStopReason::SwBreak(at),
                Some(_) => MultiThreadStopReason::HwBreak(at),
                None => signal(Signal::SIGTRAP),
            },
            StopReason::Watchpoint { id, address, .. } => match point(id) {
                Some(key) => {
                    let kind = match key.class {
                        Class::Read => WatchKind::Read,
                        Class::Access => WatchKind::ReadWrite,
                        _ => WatchKind::Write,
                    };
                    // An access that begins before the watched bytes is not recognised by its own address.
                    MultiThreadStopReason::Watch { tid: at, kind, addr: (*address).max(key.address) }
                }
                None => signal(Signal::SIGTRAP),
            },
        })
    }

    fn add(&mut self, key: Key) -> TargetResult<bool, Self> {
        if self.points.contains_key(&key) {
            return Ok(true);
        }
        let kind = match key.class {
            Class::Software | Class::Hardware => BreakpointKind::Execute,
            Class::Write => BreakpointKind::Write,
            Class::Read => BreakpointKind::Read,
            Class::Access => BreakpointKind::Access,
        };
        let point = Breakpoint { kind, address: key.address, len: key.len.max(1) };
        match self.control.add_breakpoint(point) {
            Ok(id) => {
                self.points.insert(key, id);
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    fn remove(&mut self, key: Key) -> TargetResult<bool, Self> {
        Ok(self.points.remove(&key).is_some_and(|id| self.control.remove_breakpoint(id)))
    }

    fn set(&self, cpu: CpuId, number_: Number, value: &[u8]) -> TargetResult<(), Self> {
        let (id, _) = self.layout.find(number_).ok_or(TargetError::NonFatal)?;
        self.control.write_register(cpu, id, number(value)).map_err(refuse)
    }
}

fn exited(end: &Shutdown) -> MultiThreadStopReason<u64> {
    MultiThreadStopReason::Exited(code_of(end))
}

impl Target for Debuggee {
    type Arch = Guest;
    type Error = ControlError;

    fn base_ops(&mut self) -> BaseOps<'_, Guest, ControlError> {
        BaseOps::MultiThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    fn support_monitor_cmd(&mut self) -> Option<MonitorCmdOps<'_, Self>> {
        Some(self)
    }

    fn support_target_description_xml_override(
        &mut self,
    ) -> Option<TargetDescriptionXmlOverrideOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadBase for Debuggee {
    fn read_registers(&mut self, packet: &mut Packet, tid: Tid) -> TargetResult<(), Self> {
        let mut values = Vec::new();
        for (group, g) in self.layout.whole() {
            let list = self.control.read_group(cpu(tid), group).map_err(refuse)?;
            if let Some(pc) = g.registers.iter().position(|r| r.kind == RegisterKind::Pc) {
                packet.pc = list.get(pc).copied().unwrap_or(0) as u64;
            }
            values.push(list);
        }
        packet.bytes = self.layout.pack(&values);
        Ok(())
    }

    fn write_registers(&mut self, packet: &Packet, tid: Tid) -> TargetResult<(), Self> {
        for (id, value) in self.layout.unpack(&packet.bytes) {
            self.control.write_register(cpu(tid), id, value).map_err(refuse)?;
        }
        Ok(())
    }

    fn support_single_register_access(&mut self) -> Option<SingleRegisterAccessOps<'_, Tid, Self>> {
        Some(self)
    }

    fn read_addrs(&mut self, start: u64, data: &mut [u8], tid: Tid) -> TargetResult<usize, Self> {
        let (bytes, _) =
            Session::new(self.control.clone()).read(AddressSpace::Virtual(cpu(tid)), start, data.len());
        if bytes.is_empty() && !data.is_empty() {
            return Err(TargetError::NonFatal);
        }
        data[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn write_addrs(&mut self, start: u64, data: &[u8], tid: Tid) -> TargetResult<(), Self> {
        self.control.write_memory(AddressSpace::Virtual(cpu(tid)), start, data).map_err(refuse)
    }

    fn list_active_threads(&mut self, found: &mut dyn FnMut(Tid)) -> Result<(), ControlError> {
        for info in self.control.cpus() {
            found(tid(info.id));
        }
        Ok(())
    }

    fn support_resume(&mut self) -> Option<MultiThreadResumeOps<'_, Self>> {
        Some(self)
    }

    fn support_thread_extra_info(&mut self) -> Option<ThreadExtraInfoOps<'_, Self>> {
        Some(self)
    }
}

impl SingleRegisterAccess<Tid> for Debuggee {
    fn read_register(&mut self, tid: Tid, reg: Number, buf: &mut [u8]) -> TargetResult<usize, Self> {
        let (id, width) = self.layout.find(reg).ok_or(TargetError::NonFatal)?;
        let values = self.control.read_group(cpu(tid), id.group).map_err(refuse)?;
        let value = values.get(id.index).ok_or(TargetError::NonFatal)?;
        let place = buf.get_mut(..width).ok_or(TargetError::NonFatal)?;
        place.copy_from_slice(&value.to_le_bytes()[..width]);
        Ok(width)
    }

    fn write_register(&mut self, tid: Tid, reg: Number, value: &[u8]) -> TargetResult<(), Self> {
        self.set(cpu(tid), reg, value)
    }
}

impl MultiThreadResume for Debuggee {
    fn resume(&mut self) -> Result<(), ControlError> {
        // Stops that nobody was told of happened before this resume and are over.
        while self.events.try_recv().is_ok() {}
        let begun = match self.stepping {
            Some(cpu) => {
                let others = if self.others_wait { Others::Hold } else { Others::Run };
                self.control.step(cpu, others)
            }
            None => self.control.resume(),
        };
        if begun.is_err() {
            self.refused = Some(match self.control.status() {
                Status::Shutdown(end) => Event::Shutdown(end),
                _ => Event::Stopped { cpu: self.stepping.unwrap_or(CpuId(0)), reason: StopReason::Requested },
            });
        }
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), ControlError> {
        self.stepping = None;
        self.others_wait = false;
        Ok(())
    }

    fn set_resume_action_continue(&mut self, _tid: Tid, _signal: Option<Signal>) -> Result<(), ControlError> {
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Debuggee {
    fn set_resume_action_step(&mut self, tid: Tid, _signal: Option<Signal>) -> Result<(), ControlError> {
        self.stepping = Some(cpu(tid));
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Debuggee {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), ControlError> {
        self.others_wait = true;
        Ok(())
    }
}

impl ThreadExtraInfo for Debuggee {
    fn thread_extra_info(&self, tid: Tid, buf: &mut [u8]) -> Result<usize, ControlError> {
        let id = cpu(tid);
        let text = match self.control.cpus().iter().find(|c| c.id == id) {
            Some(c) if !c.powered => format!("CPU#{} {} [off]", id.0, c.model),
            Some(c) if c.halted => format!("CPU#{} {} [halted]", id.0, c.model),
            Some(c) => format!("CPU#{} {} [running]", id.0, c.model),
            None => format!("CPU#{}", id.0),
        };
        let len = text.len().min(buf.len());
        buf[..len].copy_from_slice(&text.as_bytes()[..len]);
        Ok(len)
    }
}

impl Breakpoints for Debuggee {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

fn execute(class: Class, address: u64) -> Key {
    Key { class, address, len: 1 }
}

fn watch(kind: WatchKind, address: u64, len: u64) -> Key {
    let class = match kind {
        WatchKind::Write => Class::Write,
        WatchKind::Read => Class::Read,
        WatchKind::ReadWrite => Class::Access,
    };
    Key { class, address, len }
}

impl SwBreakpoint for Debuggee {
    fn add_sw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.add(execute(Class::Software, addr))
    }

    fn remove_sw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.remove(execute(Class::Software, addr))
    }
}

impl HwBreakpoint for Debuggee {
    fn add_hw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.add(execute(Class::Hardware, addr))
    }

    fn remove_hw_breakpoint(&mut self, addr: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.remove(execute(Class::Hardware, addr))
    }
}

impl HwWatchpoint for Debuggee {
    fn add_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        self.add(watch(kind, addr, len))
    }

    fn remove_hw_watchpoint(&mut self, addr: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        self.remove(watch(kind, addr, len))
    }
}

impl MonitorCmd for Debuggee {
    fn handle_monitor_cmd(&mut self, cmd: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), ControlError> {
        let line = String::from_utf8_lossy(cmd);
        let name = line.split_whitespace().next().unwrap_or_default();
        // The debugger would not notice that the guest has moved.
        if ["cont", "c", "step", "stop", "s"].contains(&name) {
            outputln!(out, "use the debugger's own commands to run, stop and step");
            return Ok(());
        }
        let answer =
            commands::execute(&mut self.monitor, if line.trim().is_empty() { "help" } else { &line });
        out.write_raw(answer.as_bytes());
        Ok(())
    }
}

impl TargetDescriptionXmlOverride for Debuggee {
    fn target_description_xml(
        &self,
        annex: &[u8],
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        if annex != b"target.xml" {
            return Err(TargetError::NonFatal);
        }
        let rest =
            usize::try_from(offset).ok().and_then(|at| self.xml.as_bytes().get(at..)).unwrap_or_default();
        let len = rest.len().min(length).min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
}
