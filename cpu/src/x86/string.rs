//! Repeated string instructions: as many elements at a time as lie in one page of RAM, up to a bound, after which the
//! instruction is run again, so that interrupts find it. The registers tell how far it got, also when it faults.

use super::X64;
use super::emit::{Want, X86, keeps_moves, plain};
use super::insn::seg;
use super::mode;
use super::port;
use super::state;
use crate::core::{self, Arch, Core, Raised};
use crate::emit::{Effects, Emitter, Helper};
use crate::op::FlagOp;

/// Elements of one run.
const MOST: u64 = 0x1_0000;
/// Elements of one run that are done one by one.
const MOST_SINGLE: u64 = 0x1000;

/// Elements of one run of INS or OUTS: two sectors of a disk.
const MOST_PORTS: u64 = 512;

const RAX: u8 = 0;
const RCX: u8 = 1;
const RDX: u8 = 2;
const RSI: u8 = 6;
const RDI: u8 = 7;

/// A string instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// MOVS
    Movs,
    /// STOS
    Stos,
    /// LODS
    Lods,
    /// CMPS
    Cmps,
    /// SCAS
    Scas,
    /// INS
    Ins,
    /// OUTS
    Outs,
}

/// What [`REPEAT`] takes: a packed [`What`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct What {
    /// The instruction.
    pub op: Op,
    /// Log2 of an element's size in bytes.
    pub size: u32,
    /// Log2 of the address size in bytes.
    pub asize: u32,
    /// The segment of the source.
    pub seg: u8,
    /// CMPS and SCAS go on while the elements differ.
    pub differ: bool,
    /// RCX counts elements.
    pub repeated: bool,
}

impl What {
    /// In 64 bits.
    pub const fn pack(self) -> u64 {
        self.op as u64
            | (self.size as u64) << 4
            | (self.asize as u64) << 6
            | (self.seg as u64) << 8
            | (self.differ as u64) << 12
            | (self.repeated as u64) << 13
    }

    const fn unpack(x: u64) -> Self {
        Self {
            op: match x & 15 {
                0 => Op::Movs,
                1 => Op::Stos,
                2 => Op::Lods,
                3 => Op::Cmps,
                4 => Op::Scas,
                5 => Op::Ins,
                _ => Op::Outs,
            },
            size: x as u32 >> 4 & 3,
            asize: x as u32 >> 6 & 3,
            seg: (x >> 8) as u8 & 7,
            differ: x >> 12 & 1 != 0,
            repeated: x >> 13 & 1 != 0,
        }
    }
}

/// A string instruction: a packed [`What`]; 1 if it is to be run again, else 0.
pub static REPEAT: Helper<X64> = Helper { name: "rep", effects: Effects::FAULTS, run: repeat };

fn repeat(core: &mut Core<X64>, what: u64, _: u64, _: u64) -> Result<u64, Raised> {
    let what = What::unpack(what);
    if !what.repeated {
        element(core, what)?;
        advance(core, what, 1);
        return Ok(0);
    }
    let step = core.mode & mode::STEP != 0;
    let mut room = if step { 1 } else { MOST };
    let mut singles = MOST_SINGLE;
    loop {
        let left = register(core, RCX, what.asize);
        if left == 0 {
            return Ok(0);
        }
        // While runs are compared, an instruction that has to be taken back has not begun.
        if room == 0 || singles == 0 || core.journal.is_some() && room < MOST {
            return Ok(1);
        }
        let done = run(core, what, left.min(room))?;
        room -= done;
        if done == 1 {
            singles -= 1;
        }
        advance(core, what, done);
        let rest = left - done;
        set_register(core, RCX, what.asize, rest);
        if matches!(what.op, Op::Cmps | Op::Scas) {
            let equal = core.flag(super::flags::ZF);
            if equal == what.differ {
                return Ok(0);
            }
        }
    }
}

/// INS and OUTS: a packed [`What`] and the address of the next instruction; leaves the PC where to go on.
pub static PORTS: Helper<X64> = Helper { name: "ports", effects: Effects::ENDS, run: ports };

fn ports(core: &mut Core<X64>, what: u64, next: u64, _: u64) -> Result<u64, Raised> {
    let what = What::unpack(what);
    if !what.repeated {
        element(core, what)?;
        advance(core, what, 1);
        core.set_pc(next);
        return Ok(0);
    }
    let most = if core.mode & mode::STEP != 0 { 1 } else { MOST_PORTS };
    let mut left = register(core, RCX, what.asize);
    for _ in 0..most.min(left) {
        element(core, what)?;
        advance(core, what, 1);
        left -= 1;
        set_register(core, RCX, what.asize, left);
        if core.code_hit || core.journal.is_some() {
            break;
        }
    }
    if left == 0 {
        core.set_pc(next);
    }
    Ok(0)
}

/// A register of an address size.
pub fn register(core: &mut Core<X64>, n: u8, asize: u32) -> u64 {
    let v = core.reg(state::gpr(n));
    core.trunc(v, asize)
}

/// Sets a register of an address size.
pub fn set_register(core: &mut Core<X64>, n: u8, asize: u32, v: u64) {
    match asize {
        1 => core.set(state::gpr(n).cast::<crate::width::W16>(), v as u16),
        2 => core.set(state::gpr(n), v as u32 as u64),
        _ => core.set(state::gpr(n), v),
    }
}

/// Moves the index registers by some elements.
fn advance(core: &mut Core<X64>, what: What, elements: u64) {
    let (source, destination) = match what.op {
        Op::Movs | Op::Cmps => (true, true),
        Op::Lods | Op::Outs => (true, false),
        Op::Stos | Op::Scas | Op::Ins => (false, true),
    };
    move_indices(core, what, elements, source, destination);
}

/// Moves some of the index registers.
fn move_indices(core: &mut Core<X64>, what: What, elements: u64, source: bool, destination: bool) {
    let bytes = elements << what.size;
    let by = if core.mode & mode::DF != 0 { bytes.wrapping_neg() } else { bytes };
    for (n, moves) in [(RSI, source), (RDI, destination)] {
        if moves {
            let v = register(core, n, what.asize).wrapping_add(by);
            set_register(core, n, what.asize, v);
        }
    }
}

/// Does up to `most` elements and says how many, without moving registers.
fn run(core: &mut Core<X64>, what: What, most: u64) -> Result<u64, Raised> {
    let many = most > 1
        && matches!(what.op, Op::Movs | Op::Stos | Op::Cmps | Op::Scas)
        && core.mode & mode::DF == 0
        && !keeps_moves(core.features)
        && !X64::guarded(core.mode)
        && !X64::strict(core.mode);
    if many {
        let done = match what.op {
            Op::Movs => copy(core, what, most)?,
            Op::Stos => fill(core, what, most)?,
            _ => search(core, what, most)?,
        };
        if done > 0 {
            return Ok(done);
        }
    }
    element(core, what)?;
    Ok(1)
}

/// A run of elements in one page: its linear address, and their number, which may be zero.
fn stretch(
    core: &mut Core<X64>,
    what: What,
    (s, offset): (u8, u64),
    want: Want,
    most: u64,
) -> Result<(u64, u64), Raised> {
    let at = core.linear(s, offset, 1 << what.size, want)?;
    let mut bytes = 0x1000 - (at & 0xFFF);
    if what.asize < 3 {
        let end = if what.asize == 1 { 0x1_0000 } else { 1 << 32 };
        bytes = bytes.min(end - offset);
    }
    let m = core.mode;
    if !mode::is_64(m) && (m & mode::FLAT == 0 || s >= seg::FS) {
        let high = core.reg(if want == Want::Write { state::write_high(s) } else { state::high(s) });
        bytes = bytes.min(high.saturating_sub(offset));
    }
    Ok((at, (bytes >> what.size).min(most)))
}

/// MOVS of many elements; 0 if they are to be done one by one.
fn copy(core: &mut Core<X64>, what: What, most: u64) -> Result<u64, Raised> {
    let (si, di) = (register(core, RSI, what.asize), register(core, RDI, what.asize));
    let (from, n) = stretch(core, what, (what.seg, si), Want::Read, most)?;
    let (to, n) = stretch(core, what, (seg::ES, di), Want::Write, n)?;
    if n < 2 {
        return Ok(0);
    }
    let Some(from) = core.ram_place(from, plain(what.seg), core::Want::Read)? else { return Ok(0) };
    let Some(to) = core.ram_place(to, plain(seg::ES), core::Want::Write)? else { return Ok(0) };
    let mut bytes = n << what.size;
    if let Some(distance) = to.checked_sub(from)
        && distance > 0
        && distance < bytes
    {
        // Elements that are read were written before.
        bytes = distance >> what.size << what.size;
    }
    let mut buffer = [0; 0x1000];
    let Some(buffer) = buffer.get_mut(..bytes as usize) else { return Ok(0) };
    if core.ram.read_bytes(from, buffer).is_err() {
        return Ok(0);
    }
    core.stored(to, bytes);
    if core.ram.write_bytes(to, buffer).is_err() {
        return Ok(0);
    }
    Ok(bytes >> what.size)
}

/// STOS of many elements; 0 if they are to be done one by one.
fn fill(core: &mut Core<X64>, what: What, most: u64) -> Result<u64, Raised> {
    let di = register(core, RDI, what.asize);
    let (to, n) = stretch(core, what, (seg::ES, di), Want::Write, most)?;
    if n < 2 {
        return Ok(0);
    }
    let Some(to) = core.ram_place(to, plain(seg::ES), core::Want::Write)? else { return Ok(0) };
    let bytes = n << what.size;
    let element = core.reg(state::gpr(RAX)).to_le_bytes();
    let element = &element[..1 << what.size];
    core.stored(to, bytes);
    let done = if element.iter().all(|&b| b == element[0]) {
        core.ram.fill(to, bytes, element[0])
    } else {
        let mut buffer = [0; 0x1000];
        for place in buffer.chunks_exact_mut(element.len()) {
            place.copy_from_slice(element);
        }
        buffer.get(..bytes as usize).map_or(Ok(()), |buffer| core.ram.write_bytes(to, buffer))
    };
    Ok(if done.is_ok() { n } else { 0 })
}

/// The access of an element that is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// none yet
    Before,
    /// at the source
    Source,
    /// at the destination
    Destination,
}

/// One element, without moving registers unless it faults on a processor that does not undo that.
fn element(core: &mut Core<X64>, what: What) -> Result<(), Raised> {
    let mut stage = Stage::Before;
    let done = single(core, what, &mut stage);
    if done.is_err() && keeps_moves(core.features) {
        keep(core, what, stage);
    }
    done
}

/// What an 80286 has done to its registers when an access of an element faults, as hardware was seen to do it: an index
/// moves when its address is given out, and while an element is stored the next one is counted already.
fn keep(core: &mut Core<X64>, what: What, stage: Stage) {
    let (source, destination, counted) = match (what.op, stage) {
        (_, Stage::Before) => return,
        (Op::Movs, Stage::Source) => (true, false, 1),
        (Op::Movs, Stage::Destination) => (true, true, 2),
        (Op::Stos | Op::Ins, _) => (false, true, 2),
        (Op::Lods | Op::Outs, _) => (true, false, 1),
        (Op::Scas, _) => (false, true, 1),
        (Op::Cmps, Stage::Destination) => (false, true, 0),
        (Op::Cmps, Stage::Source) => (true, true, 1),
    };
    move_indices(core, what, 1, source, destination);
    if what.repeated {
        let left = register(core, RCX, what.asize);
        set_register(core, RCX, what.asize, left.saturating_sub(counted));
    }
}

/// Bytes that a search looks at together: what is looked for is often near.
const SEARCHED: usize = 256;

/// Up to [`SEARCHED`] bytes of RAM at an offset in a segment, into `buffer`: how many elements of at most `most`; 0 if
/// they are to be done one by one.
fn peek(
    core: &mut Core<X64>,
    what: What,
    (s, offset): (u8, u64),
    most: u64,
    buffer: &mut [u8; SEARCHED],
) -> Result<u64, Raised> {
    let (at, n) = stretch(core, what, (s, offset), Want::Read, most.min((SEARCHED >> what.size) as u64))?;
    if n < 2 {
        return Ok(0);
    }
    let Some(at) = core.ram_place(at, plain(s), core::Want::Read)? else { return Ok(0) };
    let Some(bytes) = buffer.get_mut(..(n << what.size) as usize) else { return Ok(0) };
    Ok(if core.ram.read_bytes(at, bytes).is_ok() { n } else { 0 })
}

/// CMPS and SCAS of many elements, up to the one that ends them; 0 if they are to be done one by one.
fn search(core: &mut Core<X64>, what: What, most: u64) -> Result<u64, Raised> {
    let (si, di) = (register(core, RSI, what.asize), register(core, RDI, what.asize));
    let size = 1 << what.size;
    let (mut left, mut right) = ([0; SEARCHED], [0; SEARCHED]);
    let mut n = most;
    if what.op == Op::Cmps {
        n = peek(core, what, (what.seg, si), n, &mut left)?;
        if n == 0 {
            return Ok(0);
        }
    } else {
        let element = core.reg(state::gpr(RAX)).to_le_bytes();
        left.chunks_exact_mut(size).for_each(|place| place.copy_from_slice(&element[..size]));
    }
    n = peek(core, what, (seg::ES, di), n, &mut right)?;
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |x, &b| x << 8 | b as u64);
    let mut pairs = left.chunks_exact(size).zip(right.chunks_exact(size)).take(n as usize);
    let end = pairs.position(|(a, b)| (a == b) == what.differ);
    let done = end.map_or(n, |end| end as u64 + 1);
    let last = done.saturating_sub(1) as usize * size;
    if let (true, Some(a), Some(b)) = (done > 0, left.get(last..last + size), right.get(last..last + size)) {
        let f = FlagOp::SubX.apply(number(a), number(b), false, 8 << what.size);
        core.set(state::FLAGS, f);
    }
    Ok(done)
}

/// One element, as far as it gets.
fn single(core: &mut Core<X64>, what: What, stage: &mut Stage) -> Result<(), Raised> {
    let (size, bytes) = (what.size, 1 << what.size);
    let (si, di) = (register(core, RSI, what.asize), register(core, RDI, what.asize));
    let source = |core: &mut Core<X64>, stage: &mut Stage| {
        *stage = Stage::Source;
        let at = core.linear(what.seg, si, bytes, Want::Read)?;
        core.load_zext(plain(what.seg), size, at)
    };
    let destination = |core: &mut Core<X64>, stage: &mut Stage| {
        *stage = Stage::Destination;
        let at = core.linear(seg::ES, di, bytes, Want::Read)?;
        core.load_zext(plain(seg::ES), size, at)
    };
    let place = |core: &mut Core<X64>, stage: &mut Stage| {
        *stage = Stage::Destination;
        core.linear(seg::ES, di, bytes, Want::Write)
    };
    let compare = |core: &mut Core<X64>, a: u64, b: u64| {
        let f = FlagOp::SubX.apply(a, b, false, 8 << size);
        core.set(state::FLAGS, f);
        Ok(())
    };
    let dx = core.reg(state::gpr(RDX)) as u16;
    let acc = core.reg(state::gpr(RAX)) & (u64::MAX >> (64 - (8 << size)));
    match what.op {
        Op::Movs => {
            let v = source(core, stage)?;
            let at = place(core, stage)?;
            core.store_low(plain(seg::ES), size, at, v)
        }
        Op::Stos => {
            let at = place(core, stage)?;
            core.store_low(plain(seg::ES), size, at, acc)
        }
        Op::Lods => {
            let v = source(core, stage)?;
            match size {
                0 => core.set(state::gpr8(RAX), v as u8),
                _ => set_register(core, RAX, size, v),
            }
            Ok(())
        }
        Op::Cmps => {
            // The 80286 reads the second operand first.
            if keeps_moves(core.features) {
                let b = destination(core, stage)?;
                let a = source(core, stage)?;
                return compare(core, a, b);
            }
            let a = source(core, stage)?;
            let b = destination(core, stage)?;
            compare(core, a, b)
        }
        Op::Scas => {
            let b = destination(core, stage)?;
            compare(core, acc, b)
        }
        Op::Ins => {
            port::check(core, dx, bytes)?;
            // The device is not asked for what cannot be stored.
            let at = place(core, stage)?;
            core.store_hits_code(at, bytes, bytes, plain(seg::ES))?;
            let v = port::input(core, dx as u64, bytes, 0)?;
            core.store_low(plain(seg::ES), size, at, v)
        }
        Op::Outs => {
            port::check(core, dx, bytes)?;
            let v = source(core, stage)?;
            port::output(core, dx as u64, bytes, v).map(drop)
        }
    }
}
