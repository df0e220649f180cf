//! An emitter that asks one question: can an instruction fault after it wrote state?
//!
//! A fault restarts the instruction, so whatever it wrote before would be there twice. Stores to memory before a
//! fault are allowed (writing the same again changes nothing), and so are the words behind the exclusive monitor,
//! which no guest can read. Values are not tracked: a condition may always hold.

use lyrebird_cpu::arm::{Arm64, state};
use lyrebird_cpu::emit::{Access, Cx, Emit, Emitter, Exception, Exec, Fence, Flow, Helper, Transfer};
use lyrebird_cpu::op::{Bin, Cmp, Cond, FlagOp, Un};
use lyrebird_cpu::slot::Slot;
use lyrebird_cpu::table::Word;
use lyrebird_cpu::vec::{Lanes, VecOp};
use lyrebird_cpu::width::{Int, W1, W32, W64, W128, Width};
use lyrebird_cpu::x86::flags::Update;
use lyrebird_ram::AtomicOp;
use std::convert::Infallible;
use std::marker::PhantomData;

/// A value of which nothing is known but its width.
#[derive(Debug)]
pub struct Some<W>(PhantomData<W>);
impl<W> Clone for Some<W> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<W> Copy for Some<W> {}

fn some<W>() -> Some<W> {
    Some(PhantomData)
}

/// What the rule says of one instruction.
#[derive(Debug)]
pub struct Restart {
    cx: Cx,
    /// The first state that was written.
    wrote: Option<String>,
    /// The first write and what may fault after it.
    pub broken: Option<(String, String)>,
    /// The exception that the instruction raised without condition.
    pub raised: Option<Exception>,
}

impl Restart {
    /// Runs an instruction's semantics against the rule.
    pub fn check(cx: Cx, word: u32, run: fn(&mut Self, u32) -> Exec<Self>) -> Self {
        let mut e = Self { cx, wrote: None, broken: None, raised: None };
        let Ok(_) = run(&mut e, word);
        e
    }

    fn writes(&mut self, what: impl FnOnce() -> String) {
        if self.wrote.is_none() {
            self.wrote = Option::Some(what());
        }
    }

    fn faults(&mut self, what: &str) {
        if let (Option::Some(wrote), None) = (&self.wrote, &self.broken) {
            self.broken = Option::Some((wrote.clone(), what.into()));
        }
    }
}

/// Words of the register file that only engines and the monitor's helpers look at.
fn engine_only(at: u16) -> bool {
    let monitor = [
        state::EXCL_ADDR.offset(),
        state::EXCL_LOW.offset(),
        state::EXCL_HIGH.offset(),
        state::EXCL_VERSION.offset(),
        state::EXCL_NEW_HIGH.offset(),
        state::SWAP_LOW.offset(),
        state::SWAP_HIGH.offset(),
    ];
    monitor.contains(&at) || at >= state::ENGINE * 8
}

impl Emitter for Restart {
    type Arch = Arm64;
    type Val<W: Width> = Some<W>;
    type Abort = Infallible;
    type At<'a> = u32;

    fn step(&mut self, word: u32, semantics: impl FnOnce(&mut Self, &Word) -> Exec<Self>) -> Exec<Self> {
        semantics(self, &word.into())
    }

    fn cx(&self) -> Cx {
        self.cx
    }
    fn lit<W: Width>(&mut self, _: W::Prim) -> Some<W> {
        some()
    }
    fn get<W: Width>(&mut self, _: Slot<W>) -> Some<W> {
        some()
    }
    fn put<W: Width>(&mut self, s: Slot<W>, _: Some<W>) {
        if !engine_only(s.offset()) {
            self.writes(|| format!("a write of register word {}", s.offset() / 8));
        }
    }
    fn pc_plus(&mut self, _: i64) -> Some<W64> {
        some()
    }
    fn page_plus(&mut self, _: i64) -> Some<W64> {
        some()
    }
    fn un<W: Int>(&mut self, _: Un, _: Some<W>) -> Some<W> {
        some()
    }
    fn bin<W: Int>(&mut self, _: Bin, _: Some<W>, _: Some<W>) -> Some<W> {
        some()
    }
    fn cmp<W: Int>(&mut self, _: Cmp, _: Some<W>, _: Some<W>) -> Some<W1> {
        some()
    }
    fn zext<W: Int, To: Int>(&mut self, _: Some<W>) -> Some<To> {
        some()
    }
    fn sext<W: Int, To: Int>(&mut self, _: Some<W>) -> Some<To> {
        some()
    }
    fn select<W: Width>(&mut self, _: Some<W1>, _: Some<W>, _: Some<W>) -> Some<W> {
        some()
    }
    fn flags<W: Int>(&mut self, _: FlagOp, _: Some<W>, _: Some<W>, _: Some<W1>) -> Some<W32> {
        some()
    }
    fn update_flags<W: Int>(&mut self, _: Update, _: Some<W>, _: Some<W>, _: Some<W32>) -> Some<W32> {
        some()
    }
    fn holds(&mut self, _: Cond, _: Some<W32>) -> Some<W1> {
        some()
    }
    fn load<W: Width>(&mut self, _: Access, _: Some<W64>) -> Emit<Self, W> {
        self.faults("a load");
        Ok(some())
    }
    fn store<W: Width>(&mut self, _: Access, _: Some<W64>, _: Some<W>) -> Result<(), Infallible> {
        self.faults("a store");
        Ok(())
    }
    fn rmw<W: Int>(&mut self, _: Access, _: AtomicOp, _: Some<W64>, _: Some<W>) -> Emit<Self, W> {
        self.faults("an atomic update");
        Ok(some())
    }
    fn cas<W: Width>(&mut self, _: Access, _: Some<W64>, _: Some<W>, _: Some<W>) -> Emit<Self, W> {
        self.faults("a compare and swap");
        Ok(some())
    }
    fn fence(&mut self, _: Fence) {}
    fn raise_if(&mut self, _: Some<W1>, _: Exception) -> Result<(), Infallible> {
        self.faults("a conditional exception");
        Ok(())
    }
    fn raise(&mut self, x: Exception) -> Exec<Self> {
        self.faults("an exception");
        self.raised = Option::Some(x);
        Ok(Flow::Jump)
    }
    fn when(
        &mut self,
        _: Some<W1>,
        body: impl FnOnce(&mut Self) -> Result<(), Infallible>,
    ) -> Result<(), Infallible> {
        body(self)
    }
    fn call(&mut self, h: &'static Helper<Arm64>, _: [Some<W64>; 3]) -> Emit<Self, W64> {
        if h.effects.raises {
            self.faults(&format!("the helper {}", h.name));
        }
        if h.effects.writes {
            self.writes(|| format!("the helper {}", h.name));
        }
        Ok(some())
    }
    fn clock(&mut self) -> Some<W64> {
        some()
    }
    fn jump(&mut self, _: i64, _: Transfer) -> Exec<Self> {
        Ok(Flow::Jump)
    }
    fn branch(&mut self, _: Some<W1>, _: i64) -> Exec<Self> {
        Ok(Flow::Jump)
    }
    fn jump_to(&mut self, _: Some<W64>, _: Transfer) -> Exec<Self> {
        Ok(Flow::Jump)
    }
    fn vec(&mut self, _: VecOp, _: Lanes, _: u32, _: Some<W128>, _: Some<W128>, _: Some<W128>) -> Some<W128> {
        some()
    }
    fn lane<W: Int>(&mut self, _: Some<W128>, _: u32) -> Some<W> {
        some()
    }
    fn set_lane<W: Int>(&mut self, _: Some<W128>, _: u32, _: Some<W>) -> Some<W128> {
        some()
    }
    fn to_vec<W: Int>(&mut self, _: Some<W>) -> Some<W128> {
        some()
    }
    fn dup<W: Int>(&mut self, _: Some<W>, _: bool) -> Some<W128> {
        some()
    }
}
