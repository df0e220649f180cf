//! A built machine: its threads, its supervisor, and the [`Control`] interface to it.

use crate::board::virt::{self, Board, BootPlan};
use crate::chardev::Chardevs;
use crate::config::{BuildError, Config, EngineKind};
use crate::control::{Control, Event, Shutdown, Status, StopReason};
use crate::engine::{Engine, Interp};
use crate::loader::Piece;
use crate::shared::{Request, Shared};
use crate::vcpu::{self, Vcpu};
use crate::verify::{Choice, Verify};
use lyrebird_cpu::arm::{Arm64, exclusive};
use lyrebird_cpu::code::CodeMap;
use lyrebird_cpu::core::Core;
use lyrebird_cpu::trace::Trace;
use lyrebird_devices::bus::clock::{Clock, VTime};
use lyrebird_devices::bus::memory::Memory;
use lyrebird_jit::cache::Options;
use lyrebird_jit::engine::Jit;
use lyrebird_jit::region::Limits;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What control calls and the supervisor work on.
pub(crate) struct Inner {
    pub config: Config,
    pub shared: Arc<Shared>,
    pub board: Board,
    pub clock: Clock,
    pub vcpus: Vec<Arc<Mutex<Vcpu>>>,
    pub code: Arc<CodeMap>,
    pub trace: Arc<Trace>,
}

/// A machine, built and not yet running.
pub struct Machine {
    inner: Arc<Inner>,
}

/// The code cache of a machine, if its engine has one.
type Code = lyrebird_jit::engine::Shared<Arm64>;

fn no_code(e: std::io::Error) -> BuildError {
    BuildError::Host(format!("allocate memory for compiled code: {e}"))
}

/// The translator's options for a configuration.
fn options(config: &Config) -> Options {
    let mut options = Options { perf: config.accel.perf_map, ..Options::default() };
    if let Some(mib) = config.accel.cache_mib {
        options.size = (mib as usize) << 20;
    }
    if config.accel.one_insn_per_block {
        options.limits = ONE;
    }
    options
}

/// Blocks of one instruction.
const ONE: Limits = Limits { blocks: 1, instructions: 1, overlap: false };

/// Makes the engines of a machine, one for each processor.
fn engines(
    config: &Config,
    features: u64,
    shared: &Arc<Shared>,
    memory: &Arc<Memory>,
) -> Result<Vec<Box<dyn Engine>>, BuildError> {
    let cpus = config.smp.cpus.max(1) as usize;
    if let (true, Some((key, _))) = (config.accel.engine != EngineKind::Verify, config.accel.options.first())
    {
        let problem = format!("this engine has no option `{key}`");
        return Err(BuildError::Option { option: "accel", problem });
    }
    let all = |make: &dyn Fn() -> Box<dyn Engine>| (0..cpus).map(|_| make()).collect();
    Ok(match config.accel.engine {
        EngineKind::Interp => all(&|| Box::new(Interp)),
        EngineKind::Jit => {
            let code = Code::new(options(config), features).map_err(no_code)?;
            all(&|| Box::new(Jit::new(&code)))
        }
        EngineKind::Verify if cpus > 1 => {
            let problem = "-accel verify compares one processor; use -smp 1".into();
            return Err(BuildError::Option { option: "accel", problem });
        }
        EngineKind::Verify => {
            let choice = Choice::read(&config.accel.options)?;
            let options = Options { fault: choice.fault, ..options(config) };
            let verify =
                Verify::new(options, features, choice.report, shared, Arc::clone(memory)).map_err(no_code)?;
            vec![Box::new(verify)]
        }
    })
}

impl Machine {
    /// Builds a machine: opens files, allocates RAM, wires the board.
    ///
    /// # Errors
    /// When the configuration cannot be satisfied, see [`BuildError`].
    pub fn build(config: Config, chardevs: &dyn Chardevs) -> Result<Self, BuildError> {
        let cpus = config.smp.cpus.max(1) as usize;
        let shared = Arc::new(Shared::new(cpus, cpus > 1 && config.accel.single_thread == Some(true)));
        let clock = Clock::real_time();
        let board = virt::build(&config, chardevs, &shared, &clock)?;
        let plan = virt::boot(&config, &mut board.files.lock())?;
        let model = crate::cpu_model::of(&config.cpu)?;
        let code = Arc::new(CodeMap::new(board.ram.len()));
        let versions = Arc::new(exclusive::Versions::default());
        let trace = Arc::new(Trace::new(
            config.debug.items,
            config.debug.ranges.clone(),
            lyrebird_jit::disasm::a64_line,
        ));
        let mut vcpus = Vec::new();
        let engines = engines(&config, model.features, &shared, board.space.memory())?;
        for (index, engine) in engines.into_iter().enumerate() {
            let arch = Arm64::new(board.platform.clone(), Arc::clone(&versions), cpus > 1);
            let (ram, bus) = (board.ram.clone(), Arc::clone(&board.bus));
            let mut core = Core::new(arch, model.features, index, ram, bus, Arc::clone(&code));
            core.attention = Arc::clone(&shared.gates[index].attention);
            core.trace = Arc::clone(&trace);
            let gicv3 = board.platform.gicv3.is_some();
            let mut vcpu = Vcpu { core, engine, model, gicv3, past: None };
            vcpu.reset(plan.entry, plan.argument);
            vcpus.push(Arc::new(Mutex::new(vcpu)));
        }
        let ram = board.space.memory();
        for gate in &shared.gates {
            code.listen(&gate.attention);
        }
        let dma_code = Arc::clone(&code);
        ram.on_dma_write(move |gpa, len| {
            // Devices write to RAM only; a page at a time, since marks are by page.
            let Some(offset) = gpa.checked_sub(virt::map::RAM) else { return };
            let (mut at, end) = (offset, offset.saturating_add(len));
            // Either a processor that marks code sees what was written, or its mark is seen here.
            std::sync::atomic::fence(Ordering::SeqCst);
            while at < end {
                let next = (at | 0xFFF) + 1;
                dma_code.stored(at, next.min(end) - at);
                at = next;
            }
        });
        let inner = Arc::new(Inner { trace, config, shared, board, clock, vcpus, code });
        inner.load(&plan)?;
        Ok(Self { inner })
    }

    /// The interface for front ends.
    pub fn control(&self) -> Arc<dyn Control> {
        self.inner.clone()
    }

    /// Runs the machine until its end, and says why it ended.
    pub fn run(self) -> Shutdown {
        let inner = self.inner;
        let threads: Vec<_> = inner
            .vcpus
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let (v, shared) = (Arc::clone(v), Arc::clone(&inner.shared));
                std::thread::Builder::new().name(format!("vcpu{i}")).spawn(move || vcpu::run(i, &v, &shared))
            })
            .collect();
        let poller = Poller::start(&inner.clock);
        if !inner.config.start_paused {
            inner.go();
        }
        let end = inner.supervise();
        poller.stop();
        for thread in threads.into_iter().flatten() {
            // A vCPU thread that panicked has reported itself already.
            let _ = thread.join();
        }
        for (id, disk) in &inner.board.disks {
            if let Err(e) = disk.flush() {
                log::error!("drive {id}: the last flush failed: {e}");
            }
        }
        for vcpu in &inner.vcpus {
            if let Some(summary) = vcpu.lock().engine.summary() {
                eprintln!("lyrebird: {summary}");
            }
        }
        inner.shared.tell(&Event::Shutdown(end.clone()));
        end
    }
}

impl Inner {
    /// Puts what boots into RAM.
    fn load(&self, plan: &BootPlan) -> Result<(), BuildError> {
        let memory = self.board.space.memory();
        for Piece { at, content } in &plan.pieces {
            let put =
                |offset: u64, bytes: &[u8]| memory.load(at + offset, bytes).map_err(std::io::Error::other);
            content
                .each(put)
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
        if matches!(reason, StopReason::Breakpoint { .. } | StopReason::Watchpoint { .. })
            && let Some(v) = self.vcpus.get(cpu.0 as usize)
        {
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
        let plan = virt::boot(&self.config, &mut self.board.files.lock())?;
        // Nobody starts a processor that is reset already.
        self.settle();
        for (i, v) in self.vcpus.iter().enumerate() {
            let mut v = v.lock();
            v.reset(plan.entry, plan.argument);
            self.shared.gates[i].mail.lock().clear();
            self.shared.gates[i].halted.store(false, Ordering::SeqCst);
            let on = if i == 0 { crate::shared::Power::On } else { crate::shared::Power::Off };
            *self.shared.gates[i].power.lock() = on;
        }
        for socket in self.board.space.sockets().iter().chain(&self.board.loose) {
            socket.reset();
        }
        for cpu in 0..self.vcpus.len() {
            use lyrebird_cpu::arm::Timer::{Monitors, Physical, Virtual};
            for which in [Physical, Virtual, Monitors] {
                lyrebird_cpu::arm::Platform::timer(&*self.board.platform, cpu, which, 0, 0);
            }
        }
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
