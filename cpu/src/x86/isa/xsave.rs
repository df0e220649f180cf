//! FXSAVE, FXRSTOR and the XSAVE family (SDM vol. 1, chapter 13; vol. 2): x87, SSE, AVX and PKRU.
//!
//! XGETBV and XSETBV belong to the system instructions. The supervisor forms have no components of their own here.

use super::sse_control::{MXCSR_MASK, MXCSR_RESET, mxcsr, set_mxcsr};
use super::x87_ops::init;
use super::x87_state::{FCW_INIT, Fpu};
use crate::core::{Core, Raised};
use crate::emit::{Access, Effects, Emitter, Exec, Flow, Helper};
use crate::op::{Bin, Cmp};
use crate::softfloat::x80::X80;
use crate::width::{W32, W64, W128};
use crate::x86::emit::{Want, X86, fault};
use crate::x86::features as f;
use crate::x86::insn::Insn;
use crate::x86::{X64, maintenance, mode, state};

crate::x86_rows! {
    "FXSAVE" "NP 0F AE /0" "Ms" "m" if f::FXSR => [plain fxsave];
    "FXRSTOR" "NP 0F AE /1" "Ms" "m" if f::FXSR => [plain fxrstor];
    "XSAVE" "NP 0F AE /4" "Ms" "m" if f::XSAVE => [plain xsave<Standard>];
    "XRSTOR" "NP 0F AE /5" "Ms" "m" if f::XSAVE => [plain xrstor<User>];
    "XSAVEOPT" "NP 0F AE /6" "Ms" "m" if f::XSAVEOPT => [plain xsave<Optimised>];
    "XRSTORS" "NP 0F C7 /3" "Ms" "m" if f::XSAVES => [plain xrstor<Supervisor>];
    "XSAVEC" "NP 0F C7 /4" "Ms" "m" if f::XSAVEC => [plain xsave<Compacted>];
    "XSAVES" "NP 0F C7 /5" "Ms" "m" if f::XSAVES => [plain xsave<Privileged>];
}

/// State components by their bit in XCR0: x87.
pub const X87: u64 = 1 << 0;
/// SSE.
pub const SSE: u64 = 1 << 1;
/// AVX.
pub const AVX: u64 = 1 << 2;
/// PKRU.
pub const PKRU: u64 = 1 << 9;
/// Offset of AVX's component in the standard form.
pub const AVX_OFFSET: u64 = 576;
/// Size of AVX's component.
pub const AVX_SIZE: u64 = 256;
/// Offset of PKRU's component in the standard form, as on processors with AVX-512 between.
pub const PKRU_OFFSET: u64 = 2688;
/// Size of PKRU's component.
pub const PKRU_SIZE: u64 = 8;

/// Bytes of the legacy region and the header: the least that is checked.
pub const BASE: u64 = 576;
const HEADER: u64 = 512;
const COMPACT: u64 = 1 << 63;
const K: Access = Access::PLAIN;
type Cpu = Core<X64>;

/// Bit of the helpers' argument: pointers have 64 bits (REX.W).
const WIDE: u64 = 1 << 0;
/// Bit of the helpers' argument: only what is in use is written (XSAVEOPT, XSAVEC, XSAVES).
const IN_USE: u64 = 1 << 1;
/// Bit of the helpers' argument: the compacted form.
const COMPACTED: u64 = 1 << 2;

/// How many XMM registers there are now.
fn vectors(core: &Cpu) -> u8 {
    if mode::is_64(core.mode) { 16 } else { 8 }
}

fn put_x87(core: &mut Cpu, at: u64, wide: bool) -> Result<(), Raised> {
    let (fcw, fsw, ftw) = (core.reg(state::FCW), core.reg(state::FSW), core.reg(state::FTW));
    let fop = core.reg(state::FOP);
    let first = u64::from(fcw) | u64::from(fsw) << 16 | u64::from(ftw & 0xFF) << 32 | u64::from(fop) << 48;
    let selectors = core.reg(state::FCS_FDS);
    let pointer = |p: u64, selector: u32| {
        if wide { p } else { p & 0xFFFF_FFFF | u64::from(selector & 0xFFFF) << 32 }
    };
    let ip = pointer(core.reg(state::FIP), selectors);
    let dp = pointer(core.reg(state::FDP), selectors >> 16);
    core.store::<W64>(K, at, first)?;
    core.store::<W64>(K, at.wrapping_add(8), ip)?;
    core.store::<W64>(K, at.wrapping_add(16), dp)?;
    for n in 0..8u8 {
        let x = core.st(n);
        let value = u128::from(x.head) << 64 | u128::from(x.sig);
        core.store::<W128>(K, at.wrapping_add(32 + 16 * u64::from(n)), value)?;
    }
    Ok(())
}

fn put_mxcsr(core: &mut Cpu, at: u64) -> Result<(), Raised> {
    let x = u64::from(mxcsr(core)) | u64::from(MXCSR_MASK) << 32;
    core.store::<W64>(K, at.wrapping_add(24), x)
}

fn put_xmm(core: &mut Cpu, at: u64) -> Result<(), Raised> {
    for n in 0..vectors(core) {
        let value = core.reg(state::xmm(n));
        core.store::<W128>(K, at.wrapping_add(160 + 16 * u64::from(n)), value)?;
    }
    Ok(())
}

fn put_avx(core: &mut Cpu, at: u64) -> Result<(), Raised> {
    for n in 0..vectors(core) {
        let value = core.reg(state::ymm_high(n));
        core.store::<W128>(K, at.wrapping_add(16 * u64::from(n)), value)?;
    }
    Ok(())
}

/// What is loaded of the x87 before any of it is set.
struct Image {
    words: [u64; 3],
    registers: [u128; 8],
}

fn get_x87(core: &mut Cpu, at: u64) -> Result<Image, Raised> {
    let mut image = Image { words: [0; 3], registers: [0; 8] };
    for (n, word) in (0..).zip(&mut image.words) {
        *word = core.load::<W64>(K, at.wrapping_add(8 * n))?;
    }
    for (n, x) in (0..).zip(&mut image.registers) {
        *x = core.load::<W128>(K, at.wrapping_add(32 + 16 * n))?;
    }
    Ok(image)
}

fn set_x87(core: &mut Cpu, image: &Image, wide: bool) {
    let [first, ip, dp] = image.words;
    core.set(state::FCW, first as u16 & 0x1F7F | 0x40);
    core.set(state::FSW, (first >> 16) as u16);
    core.set(state::FOP, (first >> 48) as u16 & 0x7FF);
    let pointer = |x: u64| if wide { x } else { x & 0xFFFF_FFFF };
    core.set(state::FIP, pointer(ip));
    core.set(state::FDP, pointer(dp));
    let selectors = if wide { 0 } else { (ip >> 32) as u32 & 0xFFFF | ((dp >> 32) as u32) << 16 };
    core.set(state::FCS_FDS, selectors);
    for (n, x) in (0..8u8).zip(image.registers) {
        core.set_st(n, X80 { head: (x >> 64) as u16, sig: x as u64 });
    }
    core.set(state::FTW, (first >> 32) as u16 & 0xFF);
    core.summarise();
}

/// Sixteen vector registers, or eight.
fn get_vectors(core: &mut Cpu, at: u64) -> Result<[u128; 16], Raised> {
    let mut values = [0; 16];
    let count = vectors(core) as usize;
    for (n, x) in (0..).zip(&mut values[..count]) {
        *x = core.load::<W128>(K, at.wrapping_add(16 * n))?;
    }
    Ok(values)
}

fn set_vectors(core: &mut Cpu, values: &[u128; 16], place: fn(u8) -> crate::slot::Slot<W128>) {
    for (n, &x) in (0..vectors(core)).zip(values) {
        core.set(place(n), x);
    }
}

fn check_mxcsr(core: &mut Cpu, x: u32) -> Result<(), Raised> {
    if x & !MXCSR_MASK != 0 { Err(core.raise_now(fault::GP0, 0)) } else { Ok(()) }
}

/// Stores at a linear address.
static FXSAVE: Helper<X64> = Helper {
    name: "fxsave",
    effects: Effects { writes: false, ..Effects::FAULTS },
    run: |core: &mut Cpu, at, how, _| {
        core.store_hits_code(at, 1, 416, K)?;
        put_x87(core, at, how & WIDE != 0)?;
        put_mxcsr(core, at)?;
        put_xmm(core, at)?;
        Ok(0)
    },
};

/// Loads from a linear address.
static FXRSTOR: Helper<X64> = Helper {
    name: "fxrstor",
    effects: Effects::ENDS,
    run: |core: &mut Cpu, at, how, _| {
        let image = get_x87(core, at)?;
        let control = core.load::<W32>(K, at.wrapping_add(24))?;
        check_mxcsr(core, control)?;
        let values = get_vectors(core, at.wrapping_add(160))?;
        set_x87(core, &image, how & WIDE != 0);
        set_vectors(core, &values, state::xmm);
        set_mxcsr(core, control);
        Ok(0)
    },
};

/// Which components are not in their initial state.
fn in_use(core: &Cpu) -> u64 {
    let x87 = core.reg(state::FCW) != FCW_INIT
        || core.reg(state::FSW) != 0
        || core.reg(state::FTW) != 0
        || (0..8).any(|n| core.reg(state::fpr(n)) != 0);
    let any = |place: fn(u8) -> crate::slot::Slot<W128>| (0..16).any(|n| core.reg(place(n)) != 0);
    let bit = |yes: bool, component: u64| if yes { component } else { 0 };
    bit(x87, X87)
        | bit(any(state::xmm), SSE)
        | bit(any(state::ymm_high), AVX)
        | bit(core.reg(state::PKRU) != 0, PKRU)
}

/// Where a component is.
fn offset(component: u64, compact: Option<u64>) -> u64 {
    match compact {
        None if component == AVX => AVX_OFFSET,
        None => PKRU_OFFSET,
        // Components follow each other in order; none of ours asks for alignment.
        Some(present) if component == PKRU && present & AVX != 0 => BASE + AVX_SIZE,
        Some(_) => BASE,
    }
}

/// What instructions of the family check first: CR4.OSXSAVE, CR0.TS, alignment.
fn admit(core: &mut Cpu, at: u64) -> Result<(), Raised> {
    const OSXSAVE: u64 = 1 << 18;
    const TS: u64 = 1 << 3;
    if core.reg(state::CR4) & OSXSAVE == 0 {
        return Err(core.raise_now(fault::UD, 0));
    }
    if core.reg(state::CR0) & TS != 0 {
        return Err(core.raise_now(fault::NM, 0));
    }
    if at & 63 != 0 { Err(core.raise_now(fault::GP0, 0)) } else { Ok(()) }
}

/// XSAVE and its kin: linear address, which of them, requested components.
static XSAVE: Helper<X64> = Helper {
    name: "xsave",
    effects: Effects { writes: false, ..Effects::FAULTS },
    run: |core: &mut Cpu, at, how, requested| {
        admit(core, at)?;
        let wanted = requested & core.reg(state::XCR0);
        let compact = (how & COMPACTED != 0).then_some(wanted);
        let mut used = in_use(core);
        // The compacted forms count MXCSR as a part of SSE.
        if compact.is_some() && mxcsr(core) != MXCSR_RESET {
            used |= SSE;
        }
        let written = if how & IN_USE != 0 { wanted & used } else { wanted };
        core.store_hits_code(at, 1, BASE, K)?;
        let old = core.load::<W64>(K, at.wrapping_add(HEADER))?;
        if written & X87 != 0 {
            put_x87(core, at, how & WIDE != 0)?;
        }
        if if compact.is_some() { written & SSE != 0 } else { wanted & (SSE | AVX) != 0 } {
            put_mxcsr(core, at)?;
        }
        if written & SSE != 0 {
            put_xmm(core, at)?;
        }
        if written & AVX != 0 {
            put_avx(core, at.wrapping_add(offset(AVX, compact)))?;
        }
        if written & PKRU != 0 {
            let rights = core.reg(state::PKRU);
            core.store::<W64>(K, at.wrapping_add(offset(PKRU, compact)), rights.into())?;
        }
        let header = at.wrapping_add(HEADER);
        match compact {
            Some(present) => {
                core.store::<W64>(K, header, wanted & used)?;
                core.store::<W64>(K, header.wrapping_add(8), present | COMPACT)?;
            }
            None => core.store::<W64>(K, header, old & !wanted | wanted & used)?,
        }
        Ok(0)
    },
};

/// XRSTOR and XRSTORS: linear address, which, requested components.
static XRSTOR: Helper<X64> = Helper {
    name: "xrstor",
    effects: Effects::ENDS,
    run: |core: &mut Cpu, at, how, requested| {
        admit(core, at)?;
        let enabled = core.reg(state::XCR0);
        let wanted = requested & enabled;
        let header = at.wrapping_add(HEADER);
        let present = core.load::<W64>(K, header)?;
        let form = core.load::<W64>(K, header.wrapping_add(8))?;
        let rest = core.load::<W64>(K, header.wrapping_add(16))?;
        let compact = (form & COMPACT != 0).then_some(form & !COMPACT);
        let bad = match compact {
            Some(stored) => (stored & !enabled) | (present & !stored) | rest,
            None => (present & !enabled) | form | rest | (how & COMPACTED),
        };
        if bad != 0 || compact.is_some() && core.features & f::XSAVEC == 0 {
            return Err(core.raise_now(fault::GP0, 0));
        }
        let load = wanted & present;
        let x87 = if load & X87 != 0 { Some(get_x87(core, at)?) } else { None };
        let sse = if load & SSE != 0 { get_vectors(core, at.wrapping_add(160))? } else { [0; 16] };
        let avx =
            if load & AVX != 0 { get_vectors(core, at.wrapping_add(offset(AVX, compact)))? } else { [0; 16] };
        let from_memory = if compact.is_some() { load & SSE != 0 } else { wanted & (SSE | AVX) != 0 };
        let control = if from_memory { core.load::<W32>(K, at.wrapping_add(24))? } else { MXCSR_RESET };
        check_mxcsr(core, control)?;
        let rights =
            if load & PKRU != 0 { core.load::<W32>(K, at.wrapping_add(offset(PKRU, compact)))? } else { 0 };
        match x87 {
            _ if wanted & X87 == 0 => {}
            Some(image) => set_x87(core, &image, how & WIDE != 0),
            None => {
                init(core);
                (0..8).for_each(|n| core.set(state::fpr(n), 0));
            }
        }
        if wanted & SSE != 0 {
            set_vectors(core, &sse, state::xmm);
        }
        if wanted & AVX != 0 {
            set_vectors(core, &avx, state::ymm_high);
        }
        if wanted & PKRU != 0 {
            maintenance::set_pkru(core, rights);
        }
        if from_memory || wanted & SSE != 0 {
            set_mxcsr(core, control);
        } else {
            crate::x86::context::refresh(core);
        }
        Ok(0)
    },
};

/// The linear address of an area of `size` bytes, aligned.
fn area<E: X86>(e: &mut E, i: &Insn, size: u64, align: u64, want: Want) -> crate::emit::Emit<E, W64> {
    let offset = e.ea(i);
    let at = e.linear(i.seg(), offset, size, want)?;
    let mask = e.lit::<W64>(align - 1);
    let low = e.and(at, mask);
    let zero = e.lit::<W64>(0);
    let off = e.cmp(Cmp::Ne, low, zero);
    e.raise_if(off, fault::GP0)?;
    Ok(at)
}

fn wide<E: X86>(e: &E, i: &Insn) -> u64 {
    if i.w() && mode::is_64(e.mode()) { WIDE } else { 0 }
}

#[inline(always)]
fn fxsave<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    super::x87_ops::ready(e)?;
    let at = area(e, i, 512, 16, Want::Write)?;
    let how = wide(e, i);
    let how = e.lit::<W64>(how);
    e.call(&FXSAVE, [at, how, how])?;
    // What was stored may be code, the code that follows even.
    Ok(Flow::Sync)
}

#[inline(always)]
fn fxrstor<E: X86>(e: &mut E, i: &Insn) -> Exec<E> {
    super::x87_ops::ready(e)?;
    let at = area(e, i, 512, 16, Want::Read)?;
    let how = wide(e, i);
    let how = e.lit::<W64>(how);
    e.call(&FXRSTOR, [at, how, how])?;
    Ok(Flow::Sync)
}

/// A member of the family, as a type.
trait Kind {
    const HOW: u64;
    const PRIVILEGED: bool;
}
macro_rules! kinds { ($($name:ident = $how:expr, $privileged:literal;)*) => { $(
    struct $name;
    impl Kind for $name {
        const HOW: u64 = $how;
        const PRIVILEGED: bool = $privileged;
    }
)* } }
kinds! {
    Standard = 0, false;
    Optimised = IN_USE, false;
    Compacted = IN_USE | COMPACTED, false;
    Privileged = IN_USE | COMPACTED, true;
    User = 0, false;
    Supervisor = COMPACTED, true;
}

/// EDX:EAX.
fn requested<E: X86>(e: &mut E) -> E::Val<W64> {
    let (low, high) = (e.r::<W32>(0), e.r::<W32>(2));
    let (low, high) = (e.zext::<W32, W64>(low), e.zext::<W32, W64>(high));
    let high = e.shift(Bin::Shl, high, 32);
    e.or(low, high)
}

#[inline(always)]
fn xsave<E: X86, T: Kind>(e: &mut E, i: &Insn) -> Exec<E> {
    if T::PRIVILEGED {
        e.check_cpl(0)?;
    }
    let offset = e.ea(i);
    let at = e.linear(i.seg(), offset, BASE, Want::Write)?;
    let how = wide(e, i) | T::HOW;
    let how = e.lit::<W64>(how);
    let requested = requested(e);
    e.call(&XSAVE, [at, how, requested])?;
    // What was stored may be code, the code that follows even.
    Ok(Flow::Sync)
}

#[inline(always)]
fn xrstor<E: X86, T: Kind>(e: &mut E, i: &Insn) -> Exec<E> {
    if T::PRIVILEGED {
        e.check_cpl(0)?;
    }
    let offset = e.ea(i);
    let at = e.linear(i.seg(), offset, BASE, Want::Read)?;
    let how = wide(e, i) | T::HOW;
    let how = e.lit::<W64>(how);
    let requested = requested(e);
    e.call(&XRSTOR, [at, how, requested])?;
    Ok(Flow::Sync)
}
