//! A built machine: its threads, its supervisor, and the [`Control`] interface to it.

use crate::board::pc::{chipset, microvm};
use crate::board::{BootPlan, Built, Site, virt};
use crate::chardev::Chardevs;
use crate::config::{Board, BuildError, Config};
use crate::control::{Control, Event, RegisterGroup, Shutdown, Status, StopReason};
use crate::engine::Setup;
use crate::loader::Piece;
use crate::shared::{Power, Request, Shared};
use crate::target::Target;
use crate::vcpu::{self, Vcpu};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::{Core, Physical};
use lyrebird_cpu::trace::Trace;
use lyrebird_devices::bus::clock::{Clock, VTime};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What control calls and the supervisor work on.
pub(crate) struct Inner<T: Target> {
    pub config: Config,
    pub shared: Arc<Shared<T>>,
    pub board: Built<T>,
    pub clock: Clock,
    pub vcpus: Vec<Arc<Mutex<Vcpu<T>>>>,
    pub groups: Arc<[RegisterGroup]>,
    pub code: Arc<CodeMap>,
    pub trace: Arc<Trace>,
}

/// A machine of whatever architecture.
trait Whole: Control {
    /// Runs it until its end.
    fn run(self: Arc<Self>) -> Shutdown;
}

/// A machine, built and not yet running.
pub struct Machine {
    inner: Arc<dyn Whole>,
}

impl Machine {
    /// Builds a machine: opens files, allocates RAM, wires the board.
    ///
    /// # Errors
    /// When the configuration cannot be satisfied, see [`BuildError`].
    pub fn build(config: Config, chardevs: &dyn Chardevs) -> Result<Self, BuildError> {
        match config.board.clone() {
            Board::Virt(board) => Self::on(config, chardevs, |site| virt::build(site, &board)),
            Board::Microvm(board) => Self::on(config, chardevs, |site| microvm::build(site, &board)),
            Board::Pc(board) => Self::on(config, chardevs, |site| chipset::build(site, &board)),
        }
    }

    /// Builds a machine on the board that `build` makes.
    ///
    /// # Errors
    /// When the configuration cannot be satisfied, see [`BuildError`].
    pub fn on<T: Target>(
        config: Config,
        chardevs: &dyn Chardevs,
        build: impl FnOnce(&Site<'_, T>) -> Result<Built<T>, BuildError>,
    ) -> Result<Self, BuildError> {
        Ok(Self { inner: Arc::new(Inner::new(config, chardevs, build)?) })
    }

    /// The interface for front ends.
    pub fn control(&self) -> Arc<dyn Control> {
        self.inner.clone()
    }

    /// Runs the machine until its end, and says why it ended.
    pub fn run(self) -> Shutdown {
        self.inner.run()
    }
}

impl<T: Target> Whole for Inner<T> {
    fn run(self: Arc<Self>) -> Shutdown {
        let threads: Vec<_> = self
            .vcpus
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let (v, shared) = (Arc::clone(v), Arc::clone(&self.shared));
                std::thread::Builder::new().name(format!("vcpu{i}")).spawn(move || vcpu::run(i, &v, &shared))
            })
            .collect();
        let poller = Poller::start(&self.clock);
        if !self.config.start_paused {
            self.go();
        }
        let end = self.supervise();
        poller.stop();
        for thread in threads.into_iter().flatten() {
            // A vCPU thread that panicked has reported itself already.
            let _ = thread.join();
        }
        for (id, disk) in &self.board.disks {
            if let Err(e) = disk.flush() {
                log::error!("drive {id}: the last flush failed: {e}");
            }
        }
        for vcpu in &self.vcpus {
            if let Some(summary) = vcpu.lock().engine.summary() {
                eprintln!("lyrebird: {summary}");
            }
        }
        self.shared.tell(&Event::Shutdown(end.clone()));
        end
    }
}

impl<T: Target> Inner<T> {
    /// A machine on the board that `build` makes, ready to run.
    fn new(
        mut config: Config,
        chardevs: &dyn Chardevs,
        build: impl FnOnce(&Site<'_, T>) -> Result<Built<T>, BuildError>,
    ) -> Result<Self, BuildError> {
        config.smp.cpus = config.smp.cpus.max(1);
        let cpus = config.smp.cpus as usize;
        let shared = Arc::new(Shared::new(cpus, cpus > 1 && config.accel.single_thread == Some(true)));
        let clock = Clock::real_time();
        let board = build(&Site { config: &config, chardevs, shared: &shared, clock: &clock })?;
        let plan = board.actions.boot(&config)?;
        let (features, memory) = (T::features(&board.model), board.space.memory());
        let code = Arc::new(CodeMap::new(board.ram.len()));
        let trace = Arc::new(Trace::new(config.debug.items, config.debug.ranges.clone(), T::LOG_TEXT));
        let engines = T::engines(&Setup { config: &config, features, shared: &shared, memory })?;
        let mut vcpus = Vec::new();
        for (index, engine) in engines.into_iter().enumerate() {
            let arch = board.actions.processor(index);
            let mut core =
                Core::new(arch, features, index, board.ram.clone(), board.bus.clone(), Arc::clone(&code));
            core.attention = Arc::clone(&shared.gates[index].attention);
            core.trace = Arc::clone(&trace);
            let mut vcpu = Vcpu { core, engine, model: board.model.clone(), past: None };
            vcpu.reset(if index == 0 { &plan.first } else { &plan.others });
            vcpus.push(Arc::new(Mutex::new(vcpu)));
        }
        for gate in &shared.gates {
            code.listen(&gate.attention);
        }
        let (dma_code, dma_bus) = (Arc::clone(&code), Arc::clone(&board.bus));
        memory.on_dma_write(move |gpa, len| {
            // Devices write to RAM only; a page at a time, since marks are by page.
            let (mut at, end) = (gpa, gpa.saturating_add(len));
            while at < end {
                let next = (at | 0xFFF).saturating_add(1);
                if let Some((offset, _)) = dma_bus.ram(at & !0xFFF) {
                    dma_code.stored(offset | at & 0xFFF, next.min(end) - at);
                }
                at = next;
            }
        });
        let groups = T::groups(&board.model);
        let inner = Self { trace, config, shared, board, clock, vcpus, groups, code };
        inner.board.actions.reset(&inner.config);
        inner.load(&plan)?;
        Ok(inner)
    }

    /// Puts what boots into RAM.
    fn load(&self, plan: &BootPlan<T>) -> Result<(), BuildError> {
        let memory = self.board.space.memory();
        for Piece { at, content } in &plan.pieces {
            content
                .put(memory, *at)
                .map_err(|e| BuildError::Host(format!("load {} bytes at {at:#x}: {e}", content.size())))?;
        }
        Ok(())
    }

    /// Lets the guest run.
    pub(crate) fn go(&self) {
        *self.shared.stepping.lock() = None;
        self.clock.start();
        self.shared.set_status(Status::Running);
        self.shared.tell(&Event::Resumed);
    }

    /// Stops the guest, whose status says so already, for a reason.
    fn stop(&self, cpu: crate::control::CpuId, reason: StopReason) {
        self.shared.kick();
        self.settle();
        self.clock.stop();
        let at_instruction = match reason {
            StopReason::Breakpoint { .. } => true,
            StopReason::Watchpoint { .. } => !T::STOPS_BEHIND,
            _ => false,
        };
        if let Some(v) = self.vcpus.get(cpu.0 as usize).filter(|_| at_instruction) {
            let mut v = v.lock();
            v.past = Some(v.core.pc());
        }
        self.shared.tell(&Event::Stopped { cpu, reason });
    }

    /// Waits until no processor is inside of its engine.
    pub(crate) fn settle(&self) {
        for v in &self.vcpus {
            drop(v.lock());
        }
    }

    /// Power-on state for everything; processors are held.
    fn reset(&self) -> Result<(), BuildError> {
        let plan = self.board.actions.boot(&self.config)?;
        // Nobody starts a processor that is reset already.
        self.settle();
        for (i, v) in self.vcpus.iter().enumerate() {
            let (entry, power) = if i == 0 { (&plan.first, Power::On) } else { (&plan.others, Power::Off) };
            v.lock().reset(entry);
            let gate = &self.shared.gates[i];
            gate.mail.lock().clear();
            gate.halted.store(false, Ordering::SeqCst);
            *gate.power.lock() = power;
        }
        let sockets = self.board.spaces().flat_map(|space| space.sockets());
        for socket in sockets.chain(self.board.loose.iter().cloned()) {
            socket.reset();
        }
        self.board.actions.reset(&self.config);
        self.load(&plan)?;
        self.code.stored_anywhere();
        // What has ended, or was stopped by what is gone, is as good as new.
        self.shared.change_status(|status| (!status.is_running()).then_some(Status::Prelaunch));
        self.shared.tell(&Event::Reset);
        Ok(())
    }

    /// Does what is requested until the machine is over.
    fn supervise(&self) -> Shutdown {
        loop {
            let (request, _held) = self.shared.next_request();
            if let Some(end) = self.handle(request) {
                self.shared.finish();
                return end;
            }
        }
    }

    fn handle(&self, request: Request) -> Option<Shutdown> {
        match request {
            Request::Stop(cpu, reason) => self.stop(cpu, reason),
            Request::Reset if self.config.no_reboot => return Some(Shutdown::Reset),
            Request::Reset => {
                if let Err(e) = self.reset() {
                    let why = format!("what it boots from is gone at its reset: {e}");
                    return Some(Shutdown::GuestPanic(why));
                }
            }
            Request::Shutdown(Shutdown::PowerOff) if self.config.no_shutdown => {
                self.shared.set_status(Status::Shutdown(Shutdown::PowerOff));
                self.settle();
                self.clock.stop();
                self.shared.tell(&Event::Shutdown(Shutdown::PowerOff));
            }
            Request::Shutdown(Shutdown::GuestPanic(why)) if self.config.no_shutdown => {
                let reason = StopReason::Panic(why);
                self.shared.set_status(Status::Paused(reason.clone()));
                self.stop(crate::control::CpuId(0), reason);
            }
            Request::Shutdown(end) => return Some(end),
        }
        None
    }
}

/// The thread that fires device timers.
struct Poller {
    over: Arc<AtomicBool>,
    bell: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Poller {
    fn start(clock: &Clock) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let bell = Arc::new((Mutex::new(false), Condvar::new()));
        let ring = Arc::clone(&bell);
        clock.on_change(move || {
            *ring.0.lock() = true;
            ring.1.notify_one();
        });
        let (clock, over2, bell2) = (clock.clone(), Arc::clone(&over), Arc::clone(&bell));
        let thread = std::thread::Builder::new().name("timers".into()).spawn(move || {
            while !over2.load(Ordering::SeqCst) {
                clock.run_expired(clock.now());
                let wait = clock.next_deadline().and_then(|d: VTime| clock.host_wait(d));
                let mut rung = bell2.0.lock();
                if !*rung {
                    // A stopped clock or an empty queue waits for the bell; the long limit only guards the end.
                    bell2.1.wait_for(&mut rung, wait.unwrap_or(Duration::from_secs(1)));
                }
                *rung = false;
            }
        });
        Self { over, bell, thread: thread.ok() }
    }

    fn stop(mut self) {
        self.over.store(true, Ordering::SeqCst);
        *self.bell.0.lock() = true;
        self.bell.1.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
