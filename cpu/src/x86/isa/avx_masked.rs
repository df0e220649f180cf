//! AVX's masked moves and AVX2's gathers: element by element, in a helper, since each element may fault.

use super::sse_forms::{Vex, half, ready};
use crate::core::{Core, Raised};
use crate::emit::{Effects, Emitter, Exec, Flow, Helper};
use crate::width::{W32, W64};
use crate::x86::X64;
use crate::x86::emit::{Want, X86, fault, plain};
use crate::x86::features as f;
use crate::x86::insn::{Insn, NO_REG};
use crate::x86::state;

crate::x86_rows! {
    "VMASKMOVPS" "VEX.66.0F38.W0 2C" "Vx,Hx,Mx" "m" if f::AVX => [plain masked<Load32>];
    "VMASKMOVPD" "VEX.66.0F38.W0 2D" "Vx,Hx,Mx" "m" if f::AVX => [plain masked<Load64>];
    "VMASKMOVPS" "VEX.66.0F38.W0 2E" "Mx,Hx,Vx" "m" if f::AVX => [plain masked<Store32>];
    "VMASKMOVPD" "VEX.66.0F38.W0 2F" "Mx,Hx,Vx" "m" if f::AVX => [plain masked<Store64>];
    "VPMASKMOVD" "VEX.66.0F38.W0 8C" "Vx,Hx,Mx" "m" if f::AVX2 => [plain masked<Load32>];
    "VPMASKMOVQ" "VEX.66.0F38.W1 8C" "Vx,Hx,Mx" "m" if f::AVX2 => [plain masked<Load64>];
    "VPMASKMOVD" "VEX.66.0F38.W0 8E" "Mx,Hx,Vx" "m" if f::AVX2 => [plain masked<Store32>];
    "VPMASKMOVQ" "VEX.66.0F38.W1 8E" "Mx,Hx,Vx" "m" if f::AVX2 => [plain masked<Store64>];
    "VPGATHERDD" "VEX.66.0F38.W0 90" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load32, Dwords>];
    "VPGATHERDQ" "VEX.66.0F38.W1 90" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load64, Dwords>];
    "VPGATHERQD" "VEX.66.0F38.W0 91" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load32, Qwords>];
    "VPGATHERQQ" "VEX.66.0F38.W1 91" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load64, Qwords>];
    "VGATHERDPS" "VEX.66.0F38.W0 92" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load32, Dwords>];
    "VGATHERDPD" "VEX.66.0F38.W1 92" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load64, Dwords>];
    "VGATHERQPS" "VEX.66.0F38.W0 93" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load32, Qwords>];
    "VGATHERQPD" "VEX.66.0F38.W1 93" "Vx,Mx,Hx" "m" if f::AVX2 => [plain gather<Load64, Qwords>];
}

/// Elements of a masked instruction, as a type: log2 of their size, and the direction.
trait Elements {
    const LOG2: u32;
    const STORE: bool;
}
macro_rules! elements { ($($name:ident = $log2:literal $store:literal;)*) => { $(
    struct $name;
    impl Elements for $name {
        const LOG2: u32 = $log2;
        const STORE: bool = $store;
    }
)* } }
elements! {
    Load32 = 2 false;
    Load64 = 3 false;
    Store32 = 2 true;
    Store64 = 3 true;
    Dwords = 2 false;
    Qwords = 3 false;
}

/// Element `k` of `1 << log2` bytes of a register of 256 bits.
fn element(core: &Core<X64>, n: u8, k: u32, log2: u32) -> u64 {
    let at = k << log2;
    let v = core.reg(half(n, (at >> 4) as usize)) >> (8 * (at & 15));
    v as u64 & u64::MAX >> (64 - (8 << log2))
}

fn set_element(core: &mut Core<X64>, n: u8, k: u32, log2: u32, x: u64) {
    let at = k << log2;
    let (slot, shift) = (half(n, (at >> 4) as usize), 8 * (at & 15));
    let mask = u128::from(u64::MAX >> (64 - (8 << log2)));
    let v = core.reg(slot) & !(mask << shift) | (u128::from(x) & mask) << shift;
    core.set(slot, v);
}

/// Whether the element's highest bit is set.
fn chosen(core: &Core<X64>, mask: u8, k: u32, log2: u32) -> bool {
    element(core, mask, k, log2) >> ((8 << log2) - 1) != 0
}

/// What helpers are told: an instruction's fields in one word.
#[derive(Clone, Copy)]
struct Fields {
    reg: u8,
    mask: u8,
    index: u8,
    seg: u8,
    scale: u32,
    asize: u32,
    log2: u32,
    index_log2: u32,
    wide: bool,
    store: bool,
}

impl Fields {
    fn pack(self) -> u64 {
        [
            self.reg as u64,
            self.mask as u64,
            self.index as u64,
            self.seg as u64,
            self.scale as u64,
            self.asize as u64,
            self.log2 as u64,
            self.index_log2 as u64,
            self.wide as u64,
            self.store as u64,
        ]
        .iter()
        .rev()
        .fold(0, |w, x| w << 5 | x)
    }
    fn unpack(w: u64) -> Self {
        let field = |n: u32| w >> (5 * n) & 31;
        Fields {
            reg: field(0) as u8,
            mask: field(1) as u8,
            index: field(2) as u8,
            seg: field(3) as u8,
            scale: field(4) as u32,
            asize: field(5) as u32,
            log2: field(6) as u32 & 3,
            index_log2: field(7) as u32 & 3,
            wide: field(8) != 0,
            store: field(9) != 0,
        }
    }
    /// Elements of `1 << log2` bytes in the vector.
    fn count(self, log2: u32) -> u32 {
        (16 << self.wide as u32) >> log2
    }
}

/// Loads or stores an element at an offset in the segment.
fn load(core: &mut Core<X64>, f: Fields, offset: u64) -> Result<u64, Raised> {
    let offset = core.trunc(offset, f.asize);
    let at = core.linear(f.seg, offset, 1 << f.log2, Want::Read)?;
    if f.log2 == 2 {
        core.load::<W32>(plain(f.seg), at).map(u64::from)
    } else {
        core.load::<W64>(plain(f.seg), at)
    }
}

fn store(core: &mut Core<X64>, f: Fields, offset: u64, x: u64) -> Result<(), Raised> {
    let offset = core.trunc(offset, f.asize);
    let at = core.linear(f.seg, offset, 1 << f.log2, Want::Write)?;
    if f.log2 == 2 {
        core.store::<W32>(plain(f.seg), at, x as u32)
    } else {
        core.store::<W64>(plain(f.seg), at, x)
    }
}

/// A masked move: fields, offset.
static MASKED: Helper<X64> = Helper {
    name: "masked_move",
    effects: Effects::FAULTS,
    run: |core: &mut Core<X64>, fields, offset, _| {
        let f = Fields::unpack(fields);
        let mut values = [0; 8];
        for (k, value) in (0..f.count(f.log2)).zip(&mut values) {
            if !chosen(core, f.mask, k, f.log2) {
                continue;
            }
            let at = offset.wrapping_add(u64::from(k << f.log2));
            if f.store {
                let x = element(core, f.reg, k, f.log2);
                store(core, f, at, x)?;
            } else {
                *value = load(core, f, at)?;
            }
        }
        if !f.store {
            core.set(state::ymm_high(f.reg), 0);
            for (k, value) in (0..f.count(f.log2)).zip(values) {
                set_element(core, f.reg, k, f.log2, value);
            }
        }
        Ok(0)
    },
};

/// A gather: fields, offset of the base. What was loaded stays if a later element faults: its mask is clear by then.
static GATHER: Helper<X64> = Helper {
    name: "gather",
    effects: Effects::FAULTS,
    run: |core: &mut Core<X64>, fields, base, _| {
        let f = Fields::unpack(fields);
        let count = f.count(f.log2.max(f.index_log2));
        for k in 0..count {
            if chosen(core, f.mask, k, f.log2) {
                let index = element(core, f.index, k, f.index_log2);
                let index = if f.index_log2 == 2 { index as i32 as i64 as u64 } else { index };
                let x = load(core, f, base.wrapping_add(index << f.scale))?;
                set_element(core, f.reg, k, f.log2, x);
            }
            set_element(core, f.mask, k, f.log2, 0);
        }
        // What lies above the elements becomes zero, in both.
        let bytes = count << f.log2;
        for n in [f.reg, f.mask] {
            if bytes <= 16 {
                core.set(state::ymm_high(n), 0);
            }
            if bytes == 8 {
                let low = core.reg(state::xmm(n)) as u64;
                core.set(state::xmm(n), low.into());
            }
        }
        core.set(state::xmm(f.mask), 0);
        core.set(state::ymm_high(f.mask), 0);
        Ok(0)
    },
};

fn fields<D: Elements, X: Elements>(i: &Insn) -> Fields {
    Fields {
        reg: i.reg(),
        mask: i.vvvv(),
        // In a vector SIB the encoding that means "no index" elsewhere is register 4.
        index: if i.index() == NO_REG { 4 } else { i.index() },
        seg: i.seg(),
        scale: i.scale(),
        asize: i.asize(),
        log2: D::LOG2,
        index_log2: X::LOG2,
        wide: i.l(),
        store: D::STORE,
    }
}

#[inline(always)]
fn masked<E: X86, D: Elements>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, false)?;
    let offset = e.ea(i);
    let fields = e.lit::<W64>(fields::<D, D>(i).pack());
    e.call(&MASKED, [fields, offset, offset])?;
    // What was stored may be code, the code that follows even.
    Ok(if D::STORE { Flow::Sync } else { Flow::Next })
}

#[inline(always)]
fn gather<E: X86, D: Elements, X: Elements>(e: &mut E, i: &Insn) -> Exec<E> {
    ready::<E, Vex>(e, i, false)?;
    let f = fields::<D, X>(i);
    if f.reg == f.index || f.reg == f.mask || f.index == f.mask {
        return e.raise(fault::UD);
    }
    let base = e.get(state::gpr(i.rm()));
    let base = e.add_lit(base, i.disp() as i64 as u64);
    let fields = e.lit::<W64>(f.pack());
    e.call(&GATHER, [fields, base, base])?;
    Ok(Flow::Next)
}
