//! One virtual processor: register file, TLB, memory, and the interpreter's instance of [`Emitter`], in which a value
//! is the number itself.

pub use crate::attention::Attention;
use crate::code::CodeMap;
use crate::emit::{Access, Cx, Emit, Emitter, Exception, Exec, Fence, Flow, Helper, Transfer};
pub use crate::handler::{Handler, Insn, Op, Stop};
use crate::journal::Journal;
use crate::lazy::Lazy;
pub use crate::memory::{MANAGEMENT, NoAnswer, Physical};
use crate::op::{Bin, Cmp, Cond, FlagOp, Un};
pub use crate::places::Places;
use crate::run::DecodeCache;
use crate::slot::{RegFile, Slot};
use crate::tlb::{PAGE_MASK, Tlb};
use crate::trace::Trace;
use crate::vec::{FpEnv, Lanes, VecOp};
use crate::width::{Int, W32, W64, Width, by_size};
use crate::x86::flags::Update;
use lyrebird_chain::{At, Mark};
use lyrebird_ram::{AtomicOp, GuestRam};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The instruction did not happen: an exception is waiting in the core's `raised`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised;

/// What an access wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// load
    Read,
    /// store, or read and write
    Write,
    /// instruction fetch
    Exec,
}

/// A page's translation as the architecture found it; the wanted access is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Physical address of the 4 KiB page.
    pub pa: u64,
    /// Loads are permitted.
    pub read: bool,
    /// Stores are permitted, with nothing left to record in the tables.
    pub write: bool,
    /// The translation holds in every address space.
    pub global: bool,
    /// Device memory: unaligned accesses fault.
    pub device: bool,
}

/// A guest architecture: what its instructions cannot say by themselves.
pub trait Arch: Sized + Send + 'static {
    /// A decoded instruction.
    type Insn: Insn;
    /// A page's worth of something for each instruction.
    type Places<T: Copy + Send>: Places<T>;
    /// The program counter.
    const PC: Slot<W64>;
    /// A word that always holds zero, if there is one.
    const ZERO: Option<Slot<W64>> = None;
    /// Number of words from word 0 that hold general registers: engines may keep them elsewhere and write them whole.
    const GENERAL: u16;
    /// Alignment of instructions in bytes.
    const ALIGN: u64;
    /// Data that nothing on the bus answers for reads as ones, and stores to it vanish; without that they are
    /// [`Arch::unanswered`].
    const FLOATING_BUS: bool;
    /// Which requests interrupt the guest now: the architecture masks interrupt lines that the state does not admit.
    const POLL_MASK: Slot<W32>;
    /// Floating-point control, as [`FpEnv::control`].
    const FP_CONTROL: Slot<W32>;
    /// Floating-point status, as [`FpEnv::status`].
    const FP_STATUS: Slot<W32>;
    /// The condition flags, which the interpreter computes only when they are asked for; see [`Core::settle_flags`].
    const FLAGS: Slot<W32>;
    /// Which bits of what LAHF and SETO leave on the host are flags of the guest.
    const FLAG_BITS: u32;

    /// Translates the page of `va`, or leaves a fault in `raised`.
    ///
    /// # Errors
    /// When the access faults.
    fn translate(core: &mut Core<Self>, va: u64, want: Want, k: Access) -> Result<Mapping, Raised>;
    /// Leaves an alignment fault in `raised`.
    fn misaligned(core: &mut Core<Self>, va: u64, want: Want) -> Raised;
    /// Leaves the fault of an access that nothing answered in `raised`.
    fn unanswered(core: &mut Core<Self>, va: u64, want: Want) -> Raised;
    /// Whether the mode faults unaligned plain accesses.
    fn strict(mode: u32) -> bool;
    /// No plain access of a strict mode is entered into the TLB, whose hits then need not ask for the mode. For
    /// architectures where such modes are rare.
    const STRICT_MISSES: bool = false;
    /// Takes the exception in `raised`: afterwards PC and mode are those of its handler.
    fn deliver(core: &mut Core<Self>);
    /// Takes a pending interrupt that the state admits. True if the state changed.
    fn interrupt(core: &mut Core<Self>) -> bool;
    /// Whether the architecture wants to look at every instruction of a mode: [`Arch::before_fetch`], [`Arch::before`]
    /// and [`Arch::after`] are called.
    fn watched(mode: u32) -> bool;
    /// Whether it wants to look at every access of a mode: no access hits the TLB, and [`Arch::access`] is called.
    fn guarded(mode: u32) -> bool;
    /// Before an instruction is fetched in a watched mode.
    ///
    /// # Errors
    /// With the exception that comes before those of fetching.
    fn before_fetch(core: &mut Core<Self>) -> Result<(), Raised>;
    /// Before a fetched instruction runs in a watched mode.
    ///
    /// # Errors
    /// With the exception that is taken instead.
    fn before(core: &mut Core<Self>) -> Result<(), Raised>;
    /// After an instruction in a watched mode, or its exception.
    fn after(core: &mut Core<Self>);
    /// An access in a guarded mode that translation admits: does it read, does it write?
    ///
    /// # Errors
    /// With the exception that it takes.
    fn access(
        core: &mut Core<Self>,
        at: u64,
        size: u64,
        how: [bool; 2],
        unprivileged: bool,
    ) -> Result<(), Raised>;
    /// Does what other processors asked for by mail; engines call it wherever they wait for another processor.
    fn mail(core: &mut Core<Self>);
    /// A part of a page of RAM, at this offset, has become code, and this processor's own stores to it are noticed. Where
    /// the architecture notices the stores of others without being told, their write tags are withdrawn before this
    /// returns. The page had `version` before the mark. It may wait for other processors: the caller holds nothing that
    /// they could be waiting for.
    fn marked(_core: &mut Core<Self>, _ram: u64, _version: u32) {}
    /// Whether that is so for a marked page.
    fn settled(_core: &Core<Self>, _ram: u64) -> bool {
        true
    }
    /// A locked access to RAM that the host cannot make atomic begins: no other processor executes anything until
    /// [`Arch::together`].
    fn alone(_core: &mut Core<Self>) {}
    /// It ends.
    fn together(_core: &mut Core<Self>) {}
    /// The registers, as lines of text.
    fn describe(core: &Core<Self>) -> String;
    /// The virtual counter, in guest ticks.
    fn clock(core: &Core<Self>) -> u64;
    /// The semantics of the instruction that `bytes` begin with, in a mode; `None` if they are too few to tell.
    fn decode(bytes: &[u8], cx: Cx) -> Option<(Handler<Self>, Self::Insn)>;
}

/// One virtual processor. The register file comes first, so that its address is the core's.
#[repr(C)]
pub struct Core<A: Arch> {
    /// Architectural registers.
    pub file: RegFile,
    /// Mode bits, kept current by the architecture.
    pub mode: u32,
    /// Feature bits of the model.
    pub features: u64,
    /// The exception that [`Raised`] announces.
    pub raised: Exception,
    /// Its address, if it has one.
    pub raised_va: u64,
    /// Instructions executed, as far as the engine counts.
    pub icount: u64,
    /// Translations.
    pub tlb: Tlb,
    /// Guest RAM.
    pub ram: GuestRam,
    /// Everything else on the bus.
    pub bus: Arc<dyn Physical>,
    /// Where code is.
    pub code: Arc<CodeMap>,
    /// Requests from other threads.
    pub attention: Arc<Attention>,
    /// This processor's number.
    pub index: usize,
    /// Names of the current fetch translations of the lower and the upper half of the address space: while a name
    /// stays, so do the translations of all code that was fetched under it.
    pub fetch_space: [u64; 2],
    /// Set by a wait-for-interrupt: the engine returns.
    pub halted: bool,
    /// Why handlers do not go on with what follows their instructions.
    pub stop: Stop,
    /// Where handlers came to an end.
    pub(crate) last: Mark,
    /// What keeps count where handlers follow jumps: how many more instructions may be done before they come back, plus
    /// the number of the instruction that was last jumped to.
    pub(crate) jumps: i32,
    /// The page that the interpreter is in, as an address of the PC.
    pub(crate) page: u64,
    /// What a slow path gives to a handler.
    pub(crate) loaded: u128,
    /// What condition flags follow from, while the interpreter owes them.
    pub(crate) lazy: Lazy,
    /// Kept while runs are compared with each other.
    pub journal: Option<Box<Journal>>,
    /// What the debug log shows.
    pub trace: Arc<Trace>,
    /// What else the architecture needs.
    pub arch: A,
    pub(crate) decoded: DecodeCache<A>,
}

impl<A: Arch> Core<A> {
    /// A core with a zeroed register file.
    pub fn new(
        arch: A,
        features: u64,
        index: usize,
        ram: GuestRam,
        bus: Arc<dyn Physical>,
        code: Arc<CodeMap>,
    ) -> Self {
        let mut core = Self {
            file: RegFile::default(),
            mode: 0,
            features,
            raised: Exception(0),
            raised_va: 0,
            icount: 0,
            tlb: Tlb::default(),
            ram,
            bus,
            code,
            attention: Arc::default(),
            index,
            fetch_space: [1, 2],
            halted: false,
            stop: Stop::default(),
            last: Mark::default(),
            jumps: 0,
            page: 0,
            loaded: 0,
            lazy: Lazy::default(),
            journal: None,
            trace: Arc::default(),
            arch,
            decoded: DecodeCache::default(),
        };
        core.set(A::POLL_MASK, u32::MAX);
        core
    }

    /// The program counter.
    #[inline(always)]
    pub fn pc(&self) -> u64 {
        self.reg(A::PC)
    }

    /// Sets the program counter.
    #[inline(always)]
    pub fn set_pc(&mut self, pc: u64) {
        self.set(A::PC, pc);
    }

    /// Requests that the engine must look at.
    #[inline(always)]
    pub fn requests(&self) -> u32 {
        self.attention.bits() & self.reg(A::POLL_MASK)
    }

    /// The name of the fetch translations that apply to `pc`.
    #[inline(always)]
    pub fn space(&self, pc: u64) -> u64 {
        self.fetch_space[(pc >> 63) as usize]
    }

    /// Reads a slot.
    #[inline(always)]
    pub fn reg<W: Width>(&self, s: Slot<W>) -> W::Prim {
        W::read(&self.file, s.offset())
    }

    /// Writes a slot.
    #[inline(always)]
    pub fn set<W: Width>(&mut self, s: Slot<W>, x: W::Prim) {
        W::write(&mut self.file, s.offset(), x);
    }

    /// Leaves an exception to be delivered.
    pub fn raise_now(&mut self, x: Exception, va: u64) -> Raised {
        self.raised = x;
        self.raised_va = va;
        Raised
    }
}

#[allow(clippy::unnecessary_cast, reason = "by_size! repeats its body for u128 as well")]
impl<A: Arch> Emitter for Core<A> {
    type Arch = A;
    type Val<W: Width> = W::Prim;
    type Abort = Raised;
    type At<'a> = At<'a, Op<A>>;

    #[inline(always)]
    fn step(
        &mut self,
        at: At<'_, Op<A>>,
        semantics: impl FnOnce(&mut Self, &A::Insn) -> Exec<Self>,
    ) -> Exec<Self> {
        self.handle(at, semantics)
    }
    #[inline(always)]
    fn aside(
        &mut self,
        i: &A::Insn,
        n: u32,
        semantics: impl Fn(&mut Self, &A::Insn, u32) -> Emit<Self, W64>,
    ) -> Emit<Self, W64> {
        if self.aside_for_handler(i, n, semantics) { Ok(self.loaded as u64) } else { Err(Raised) }
    }

    #[inline(always)]
    fn cx(&self) -> Cx {
        Cx { mode: self.mode, features: self.features }
    }
    #[inline(always)]
    fn lit<W: Width>(&mut self, x: W::Prim) -> W::Prim {
        x
    }
    #[inline(always)]
    fn get<W: Width>(&mut self, s: Slot<W>) -> W::Prim {
        debug_assert!(A::FLAGS.offset() != s.offset(), "flags are read by their own method");
        self.reg(s)
    }
    #[inline(always)]
    fn put<W: Width>(&mut self, s: Slot<W>, v: W::Prim) {
        debug_assert!(A::FLAGS.offset() != s.offset(), "flags are set by their own methods");
        self.set(s, v);
    }
    #[inline(always)]
    fn sum(&mut self, base: Slot<W64>, index: Slot<W64>, scale: u32) -> u64 {
        // What is not there reads as zero: cheaper than a branch.
        self.reg(base).wrapping_add(self.reg(index) << (scale & 3))
    }
    #[inline(always)]
    fn pc_plus(&mut self, offset: i64) -> u64 {
        self.pc().wrapping_add_signed(offset)
    }
    #[inline(always)]
    fn page_plus(&mut self, offset: i64) -> u64 {
        (self.pc() & PAGE_MASK).wrapping_add_signed(offset)
    }
    #[inline(always)]
    fn un<W: Int>(&mut self, op: Un, a: W::Prim) -> W::Prim {
        op.eval::<W>(a)
    }
    #[inline(always)]
    fn bin<W: Int>(&mut self, op: Bin, a: W::Prim, b: W::Prim) -> W::Prim {
        op.eval::<W>(a, b)
    }
    #[inline(always)]
    fn cmp<W: Int>(&mut self, op: Cmp, a: W::Prim, b: W::Prim) -> bool {
        op.apply(W::enc(a), W::enc(b), W::TY.bits())
    }
    #[inline(always)]
    fn zext<W: Int, To: Int>(&mut self, a: W::Prim) -> To::Prim {
        To::dec(W::enc(a))
    }
    #[inline(always)]
    fn sext<W: Int, To: Int>(&mut self, a: W::Prim) -> To::Prim {
        To::dec(W::signed(a) as u64)
    }
    #[inline(always)]
    fn select<W: Width>(&mut self, c: bool, t: W::Prim, f: W::Prim) -> W::Prim {
        if c { t } else { f }
    }
    #[inline(always)]
    fn flags<W: Int>(&mut self, op: FlagOp, a: W::Prim, b: W::Prim, carry: bool) -> u32 {
        op.apply(W::enc(a), W::enc(b), carry, W::TY.bits())
    }
    #[inline(always)]
    fn update_flags<W: Int>(&mut self, op: Update, a: W::Prim, b: W::Prim, old: u32) -> u32 {
        op.apply(W::enc(a), W::enc(b), old, W::TY.bits())
    }
    #[inline(always)]
    fn holds(&mut self, c: Cond, flags: u32) -> bool {
        c.holds(flags)
    }
    #[inline(always)]
    fn read_flags(&mut self, s: Slot<W32>) -> u32 {
        if self.lazy.pending { self.lazy.stored() & A::FLAG_BITS } else { self.reg(s) }
    }
    #[inline(always)]
    fn write_flags(&mut self, s: Slot<W32>, f: u32) {
        self.lazy.pending = false;
        self.set(s, f);
    }
    #[inline(always)]
    fn flags_hold(&mut self, s: Slot<W32>, c: Cond) -> bool {
        if self.lazy.pending { self.lazy.holds(c) } else { c.means(self.reg(s)) }
    }
    #[inline(always)]
    fn set_flags_of<W: Int>(&mut self, _: Slot<W32>, op: FlagOp, a: W::Prim, b: W::Prim, carry: bool) {
        self.lazy.set(op, W::enc(a), W::enc(b), carry, W::TY.bits());
    }
    #[inline(always)]
    fn set_flags_of_if<W: Int>(
        &mut self,
        s: Slot<W32>,
        c: bool,
        (op, a, b, carry): (FlagOp, W::Prim, W::Prim, bool),
        otherwise: u32,
    ) {
        if c { self.set_flags_of::<W>(s, op, a, b, carry) } else { self.write_flags(s, otherwise) }
    }
    #[inline(always)]
    fn update_flags_of<W: Int>(&mut self, s: Slot<W32>, op: Update, a: W::Prim, b: W::Prim) {
        let (a, b, n) = (W::enc(a), W::enc(b), W::TY.bits());
        if op.rotates() && !self.lazy.pending {
            self.set(s, op.apply(a, b, self.reg(s), n));
            return;
        }
        let carry = matches!(op, Update::Inc | Update::Dec) && self.flags_hold(s, Cond::CS);
        self.lazy.update(op, a, b, carry, n);
    }

    #[inline(always)]
    fn load<W: Width>(&mut self, k: Access, at: u64) -> Emit<Self, W> {
        let size = W::TY.bytes();
        let key = self.tag(k, at, size, size);
        let e = self.tlb.entry(at, k.unprivileged);
        if e.read == key {
            let ram = at.wrapping_add(e.addend).wrapping_sub(self.ram.host_base());
            return Ok(W::narrow(by_size!(W, T => self.ram.read_within::<T>(ram) as u128)));
        }
        if self.load_for_handler(at, size, k.bits()) { Ok(W::narrow(self.loaded)) } else { Err(Raised) }
    }
    #[inline(always)]
    fn store<W: Width>(&mut self, k: Access, at: u64, v: W::Prim) -> Result<(), Raised> {
        let size = W::TY.bytes();
        let key = self.tag(k, at, size, size);
        let e = self.tlb.entry(at, k.unprivileged);
        if e.write == key {
            let ram = at.wrapping_add(e.addend).wrapping_sub(self.ram.host_base());
            by_size!(W, T => self.ram.write_within(ram, W::wide(v) as T));
            return Ok(());
        }
        let (v, k) = (W::wide(v), (size as u32) << 16 | k.bits() as u32);
        let done = if size > 8 {
            self.store_vector_for_handler(at, k, v as u64, (v >> 64) as u64)
        } else {
            self.store_for_handler(at, k, v as u64)
        };
        if done { Ok(()) } else { Err(Raised) }
    }
    #[inline(always)]
    fn load_pair<W: Width>(&mut self, k: Access, at: u64) -> Result<(W::Prim, W::Prim), Raised> {
        let size = W::TY.bytes();
        let e = self.tlb.entry(at, k.unprivileged);
        // Once for both, if they are in one page.
        if !k.aligned && e.read == self.tag(k, at, size, 2 * size) {
            let ram = at.wrapping_add(e.addend).wrapping_sub(self.ram.host_base());
            let get = |ram| W::narrow(by_size!(W, T => self.ram.read_within::<T>(ram) as u128));
            return Ok((get(ram), get(ram.wrapping_add(size))));
        }
        Ok((self.load::<W>(k, at)?, self.load::<W>(k, at.wrapping_add(size))?))
    }
    #[inline(always)]
    fn store_pair<W: Width>(&mut self, k: Access, at: u64, v: (W::Prim, W::Prim)) -> Result<(), Raised> {
        let size = W::TY.bytes();
        let e = self.tlb.entry(at, k.unprivileged);
        if !k.aligned && e.write == self.tag(k, at, size, 2 * size) {
            let ram = at.wrapping_add(e.addend).wrapping_sub(self.ram.host_base());
            by_size!(W, T => self.ram.write_within(ram, W::wide(v.0) as T));
            by_size!(W, T => self.ram.write_within(ram.wrapping_add(size), W::wide(v.1) as T));
            return Ok(());
        }
        if at & 0xFFF > 0x1000 - 2 * size {
            // Neither is stored if either faults, as in compiled code.
            self.store_hits_code(at, size, 2 * size, k)?;
        }
        self.store::<W>(k, at, v.0)?;
        self.store::<W>(k, at.wrapping_add(size), v.1)
    }
    fn rmw<W: Int>(&mut self, k: Access, op: AtomicOp, at: u64, v: W::Prim) -> Emit<Self, W> {
        let size = W::TY.bytes();
        let body =
            |to: &GuestRam, ram| by_size!(W, T => to.rmw::<T>(ram, op, W::wide(v) as T).map(|x| x as u128));
        if let Some(old) = self.atomically(k, at, size, body)? {
            return old.map(W::narrow).map_err(|_| A::unanswered(self, at, Want::Write));
        }
        self.indivisibly(at, size, |core| {
            let old = core.load_slow(at, size, k)?;
            let new = op.apply(old as u64, W::enc(v), W::TY.bits());
            core.store_slow(at, size, k, new as u128)?;
            Ok(W::narrow(old))
        })
    }
    fn cas<W: Width>(&mut self, k: Access, at: u64, expected: W::Prim, new: W::Prim) -> Emit<Self, W> {
        let size = W::TY.bytes();
        let (e, n) = (W::wide(expected), W::wide(new));
        let body = |to: &GuestRam, ram| by_size!(W, T => to.cas::<T>(ram, e as T, n as T).map(|x| x as u128));
        if let Some(old) = self.atomically(k, at, size, body)? {
            return old.map(W::narrow).map_err(|_| A::unanswered(self, at, Want::Write));
        }
        self.indivisibly(at, size, |core| {
            let old = core.load_slow(at, size, k)?;
            if old == W::wide(expected) {
                core.store_slow(at, size, k, W::wide(new))?;
            }
            Ok(W::narrow(old))
        })
    }
    #[inline(always)]
    fn fence(&mut self, k: Fence) {
        match k {
            Fence::Full => std::sync::atomic::fence(Ordering::SeqCst),
            Fence::Load | Fence::Store => std::sync::atomic::compiler_fence(Ordering::SeqCst),
        }
    }

    #[inline(always)]
    fn raise_if(&mut self, c: bool, x: Exception) -> Result<(), Raised> {
        if c { Err(self.raise_now(x, 0)) } else { Ok(()) }
    }
    #[inline(always)]
    fn raise(&mut self, x: Exception) -> Exec<Self> {
        Err(self.raise_now(x, 0))
    }
    #[inline(always)]
    fn when(&mut self, c: bool, body: impl FnOnce(&mut Self) -> Result<(), Raised>) -> Result<(), Raised> {
        if c { body(self) } else { Ok(()) }
    }
    #[inline(always)]
    fn call(&mut self, h: &'static Helper<A>, args: [u64; 3]) -> Emit<Self, W64> {
        self.settle_flags();
        (h.run)(self, args[0], args[1], args[2])
    }
    #[inline(always)]
    fn clock(&mut self) -> u64 {
        A::clock(self)
    }

    #[inline(always)]
    fn jump(&mut self, offset: i64, _: Transfer) -> Exec<Self> {
        self.set_pc(self.pc().wrapping_add_signed(offset));
        Ok(Flow::Jump)
    }
    #[inline(always)]
    fn branch(&mut self, c: bool, offset: i64) -> Exec<Self> {
        if c { self.jump(offset, Transfer::Jump) } else { Ok(Flow::Next) }
    }
    #[inline(always)]
    fn jump_to(&mut self, to: u64, _: Transfer) -> Exec<Self> {
        self.set_pc(to);
        Ok(Flow::Jump)
    }

    #[inline(always)]
    fn vec(&mut self, op: VecOp, l: Lanes, imm: u32, a: u128, b: u128, c: u128) -> u128 {
        if !op.touches_env() {
            return op.eval(l, imm, a, b, c, &mut FpEnv::default());
        }
        let mut env = FpEnv { control: self.reg(A::FP_CONTROL), status: self.reg(A::FP_STATUS) };
        let r = op.eval(l, imm, a, b, c, &mut env);
        self.set(A::FP_STATUS, env.status);
        r
    }
    #[inline(always)]
    fn lane<W: Int>(&mut self, v: u128, i: u32) -> W::Prim {
        W::narrow(v >> (i * W::TY.bits()))
    }
    #[inline(always)]
    fn set_lane<W: Int>(&mut self, v: u128, i: u32, x: W::Prim) -> u128 {
        let at = i * W::TY.bits();
        v & !((W::TY.mask() as u128) << at) | W::wide(x) << at
    }
    #[inline(always)]
    fn to_vec<W: Int>(&mut self, x: W::Prim) -> u128 {
        W::wide(x)
    }
    #[inline(always)]
    fn dup<W: Int>(&mut self, x: W::Prim, full: bool) -> u128 {
        let ones = if full { u128::MAX } else { u64::MAX as u128 };
        // All-ones divided by one element's ones is a 1 in every element.
        W::wide(x).wrapping_mul(ones / W::TY.mask() as u128)
    }
}
