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
use lyrebird_ram::GuestRam;

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
        if core.stop.code_hit() || core.journal.is_some() {
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

/// Where in RAM a run of bytes is that are read, if it is RAM.
#[inline(always)]
fn source(core: &mut Core<X64>, s: u8, at: u64) -> Result<Option<u64>, Raised> {
    match core.ram_hit(at, core::Want::Read) {
        None => core.ram_place(at, plain(s), core::Want::Read),
        hit => Ok(hit),
    }
}

/// Has `store` write a run of bytes at linear address `at`: those that `bytes` says for their RAM offset. Gives how many
/// it wrote, 0 if it is not RAM.
#[inline(always)]
fn destination(
    core: &mut Core<X64>,
    at: u64,
    bytes: impl FnOnce(u64) -> u64,
    store: impl FnOnce(&GuestRam, u64, u64) -> bool,
) -> Result<u64, Raised> {
    if let Some(to) = core.ram_hit(at, core::Want::Write) {
        let bytes = bytes(to);
        return Ok(if store(&core.ram, to, bytes) { bytes } else { 0 });
    }
    let Some(to) = core.ram_place(at, plain(seg::ES), core::Want::Write)? else { return Ok(0) };
    let bytes = bytes(to);
    Ok(if bytes > 0 && core.storing(to, bytes, |ram| store(ram, to, bytes)) { bytes } else { 0 })
}

/// MOVS of many elements; 0 if they are to be done one by one.
fn copy(core: &mut Core<X64>, what: What, most: u64) -> Result<u64, Raised> {
    let (si, di) = (register(core, RSI, what.asize), register(core, RDI, what.asize));
    let (from, n) = stretch(core, what, (what.seg, si), Want::Read, most)?;
    let (to, n) = stretch(core, what, (seg::ES, di), Want::Write, n)?;
    if n < 2 {
        return Ok(0);
    }
    let Some(from) = source(core, what.seg, from)? else { return Ok(0) };
    let whole = n << what.size;
    let bytes = |to: u64| match to.wrapping_sub(from) {
        // Elements that are read were written before.
        distance if distance > 0 && distance < whole => distance >> what.size << what.size,
        _ => whole,
    };
    Ok(destination(core, to, bytes, |ram, to, bytes| ram.copy(from, to, bytes).is_ok())? >> what.size)
}

/// STOS of many elements; 0 if they are to be done one by one.
fn fill(core: &mut Core<X64>, what: What, most: u64) -> Result<u64, Raised> {
    let di = register(core, RDI, what.asize);
    let (to, n) = stretch(core, what, (seg::ES, di), Want::Write, most)?;
    if n < 2 {
        return Ok(0);
    }
    let pattern = repeated(core.reg(state::gpr(RAX)), what.size);
    let store = |ram: &GuestRam, to, bytes| ram.fill_words(to, bytes, pattern).is_ok();
    Ok(destination(core, to, |_| n << what.size, store)? >> what.size)
}

/// Copies of the lowest element of `x`.
fn repeated(x: u64, size: u32) -> u64 {
    match size {
        0 => x & 0xFF,
        1 => x & 0xFFFF,
        2 => x & 0xFFFF_FFFF,
        _ => return x,
    }
    .wrapping_mul(ones(size))
}

/// 1 in each element.
const fn ones(size: u32) -> u64 {
    match size {
        0 => 0x0101_0101_0101_0101,
        1 => 0x0001_0001_0001_0001,
        2 => 0x0000_0001_0000_0001,
        _ => 1,
    }
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

/// Bytes that a search looks at together at first: what is looked for is often near.
const NEAR: usize = 64;
/// Bytes that it looks at together afterwards.
const FAR: usize = 512;

/// The first element where `left` and `right`, of one length, are equal if `differ`, else where they are not.
fn locate(left: &[u8], right: &[u8], size: u32, differ: bool) -> Option<usize> {
    let word = |b: &[u8]| b.iter().rev().fold(0, |x, &b| x << 8 | b as u64);
    let highs = ones(size) << ((8 << size) - 1);
    let mut from = 0;
    for (a, b) in left.chunks(NEAR).zip(right.chunks(NEAR)) {
        let found = match (differ, a.first_chunk::<NEAR>(), b.first_chunk::<NEAR>()) {
            (false, ..) => a != b,
            // Whole blocks without loops inside.
            (true, Some(a), Some(b)) => a.iter().zip(b).fold(false, |any, (a, b)| any | (a == b)),
            _ => true,
        };
        if found {
            for (n, (a, b)) in a.chunks(8).zip(b.chunks(8)).enumerate() {
                let x = match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
                    (Some(a), Some(b)) => u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b),
                    // What is missing is as what goes on.
                    _ => word(a) ^ word(b) | if differ { !0 << (8 * a.len()) } else { 0 },
                };
                // The lowest zero element has its highest bit set in this, and those below do not.
                let zeros = x.wrapping_sub(ones(size)) & !x & highs;
                let found = if differ { zeros } else { x };
                if found != 0 {
                    return Some((from + 8 * n + found.trailing_zeros() as usize / 8) >> size);
                }
            }
        }
        from += NEAR;
    }
    None
}

/// CMPS and SCAS of many elements, up to the one that ends them; 0 if they are to be done one by one.
fn search(core: &mut Core<X64>, what: What, most: u64) -> Result<u64, Raised> {
    let (si, di) = (register(core, RSI, what.asize), register(core, RDI, what.asize));
    let compares = what.op == Op::Cmps;
    let (mut n, mut from) = (most, None);
    if compares {
        let (at, room) = stretch(core, what, (what.seg, si), Want::Read, n)?;
        n = room;
        if n >= 2 {
            from = source(core, what.seg, at)?;
        }
    }
    let (at, n) = stretch(core, what, (seg::ES, di), Want::Read, n)?;
    if n < 2 || compares && from.is_none() {
        return Ok(0);
    }
    let Some(to) = source(core, seg::ES, at)? else { return Ok(0) };
    let (mut left, mut right) = ([0; FAR], [0; FAR]);
    if !compares {
        let pattern = repeated(core.reg(state::gpr(RAX)), what.size).to_le_bytes();
        left.chunks_exact_mut(8).for_each(|place| place.copy_from_slice(&pattern));
    }
    let (whole, mut done, mut step) = ((n << what.size) as usize, 0, NEAR);
    while done < whole {
        step = step.min(whole - done);
        let (Some(a), Some(b)) = (left.get_mut(..step), right.get_mut(..step)) else { return Ok(0) };
        if let Some(from) = from
            && core.ram.read_bytes(from + done as u64, a).is_err()
        {
            return Ok(0);
        }
        if core.ram.read_bytes(to + done as u64, b).is_err() {
            return Ok(0);
        }
        let end = locate(a, b, what.size, what.differ).map(|end| end << what.size);
        let last = end.unwrap_or(step - (1 << what.size));
        if end.is_some() || done + step == whole {
            let element = |bytes: &[u8]| {
                let bytes = bytes.get(last..last + (1 << what.size)).unwrap_or_default();
                bytes.iter().rev().fold(0, |x, &b| x << 8 | b as u64)
            };
            let f = FlagOp::SubX.apply(element(a), element(b), false, 8 << what.size);
            core.set(state::FLAGS, f);
            return Ok(((done + last) >> what.size) as u64 + 1);
        }
        (done, step) = (done + step, FAR);
    }
    Ok(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_find_the_first_element_of_every_size() {
        let mut seed = 7u64;
        let mut random = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % n
        };
        for round in 0..20_000 {
            let size = round % 4;
            let elements = 1 + random((FAR >> size) as u64) as usize;
            let bytes = elements << size;
            // Few values, so that elements are often equal, and often nearly so.
            let left: Vec<u8> = (0..bytes).map(|_| random(2) as u8 * 0x80).collect();
            let mut right = left.clone();
            let every = 1 + random(bytes as u64 * 2);
            let differ = random(2) == 0;
            for b in &mut right {
                if differ || random(every) == 0 {
                    *b = b.wrapping_add(random(3) as u8);
                }
            }
            let pairs = left.chunks(1 << size).zip(right.chunks(1 << size));
            let expected = pairs.into_iter().position(|(a, b)| (a == b) == differ);
            assert_eq!(locate(&left, &right, size, differ), expected, "{left:?} {right:?} {size} {differ}");
        }
    }
}
