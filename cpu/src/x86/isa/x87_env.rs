//! The x87 environment and state in memory: FLDENV, FNSTENV, FRSTOR, FNSAVE (SDM vol. 1, 8.1.10).

use super::x87_ops::init;
use super::x87_state::{EXCEPTIONS, Fpu};
use crate::core::{Core, Raised};
use crate::emit::{Access, Emitter};
use crate::softfloat::x80::X80;
use crate::width::{W16, W32, W64};
use crate::x86::{X64, state};

type Fp = Core<X64>;
const K: Access = Access::PLAIN;

/// Which of the four forms an environment has.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// 28 bytes, not 14.
    pub wide: bool,
    /// Selectors, not linear addresses.
    pub protected: bool,
}

impl Frame {
    /// Its size in bytes.
    pub const fn size(self) -> u64 {
        if self.wide { 28 } else { 14 }
    }
}

/// The full tag word: valid 0, zero 1, special 2, empty 3.
pub fn full_tags(core: &Fp) -> u16 {
    (0..8u8).fold(0, |tags, n| {
        let x = core.reg(state::fpr(n));
        let (field, sig) = ((x >> 64) as u16 & 0x7FFF, x as u64);
        let tag = match (core.reg(state::FTW) >> n & 1, field, sig) {
            (0, ..) => 3,
            (_, 0, 0) => 1,
            (_, 0 | 0x7FFF, _) => 2,
            (_, _, s) if s >> 63 == 0 => 2,
            _ => 0,
        };
        tags | tag << (2 * n)
    })
}

/// The seven words of the environment.
fn words(core: &Fp, f: Frame) -> [u32; 7] {
    let (fcw, fsw) = (core.reg(state::FCW).into(), core.reg(state::FSW).into());
    let tags = full_tags(core).into();
    let (ip, dp) = (core.reg(state::FIP) as u32, core.reg(state::FDP) as u32);
    let (selectors, opcode) = (core.reg(state::FCS_FDS), u32::from(core.reg(state::FOP)) & 0x7FF);
    let (cs, ds) = (selectors & 0xFFFF, selectors >> 16);
    if f.protected {
        let code = if f.wide { cs | opcode << 16 } else { cs };
        return [fcw, fsw, tags, ip, code, dp, ds];
    }
    let (ip, dp) = (ip.wrapping_add(cs << 4), dp.wrapping_add(ds << 4));
    if f.wide {
        return [fcw, fsw, tags, ip & 0xFFFF, ip >> 16 << 12 | opcode, dp & 0xFFFF, dp >> 16 << 12];
    }
    [fcw, fsw, tags, ip, (ip >> 16 & 15) << 12 | opcode, dp, (dp >> 16 & 15) << 12]
}

/// Faults before anything is written if one of `size` bytes may not be.
fn check(core: &mut Fp, at: u64, size: u64) -> Result<(), Raised> {
    core.store_hits_code(at, 1, size, K).map(|_| ())
}

fn put_environment(core: &mut Fp, at: u64, f: Frame) -> Result<(), Raised> {
    for (n, word) in (0..).zip(words(core, f)) {
        if f.wide {
            // The upper halves of the first three and the last are reserved and set.
            let set = if matches!(n, 0..=2 | 6) && (f.protected || n != 6) { 0xFFFF_0000 } else { 0 };
            core.store::<W32>(K, at.wrapping_add(4 * n), word | set)?;
        } else {
            core.store::<W16>(K, at.wrapping_add(2 * n), word as u16)?;
        }
    }
    Ok(())
}

/// FNSTENV: afterwards all exceptions are masked.
///
/// # Errors
/// With the access's faults.
pub fn store(core: &mut Fp, at: u64, f: Frame) -> Result<(), Raised> {
    check(core, at, f.size())?;
    put_environment(core, at, f)?;
    let fcw = core.reg(state::FCW) | EXCEPTIONS;
    core.set(state::FCW, fcw);
    core.summarise();
    Ok(())
}

/// FNSAVE: afterwards the state is that of FNINIT.
///
/// # Errors
/// With the access's faults.
pub fn save(core: &mut Fp, at: u64, f: Frame) -> Result<(), Raised> {
    check(core, at, f.size() + 80)?;
    put_environment(core, at, f)?;
    for n in 0..8u8 {
        let x = core.st(n);
        let to = at.wrapping_add(f.size() + 10 * u64::from(n));
        core.store::<W64>(K, to, x.sig)?;
        core.store::<W16>(K, to.wrapping_add(8), x.head)?;
    }
    init(core);
    Ok(())
}

fn get_environment(core: &mut Fp, at: u64, f: Frame) -> Result<[u32; 7], Raised> {
    let mut words = [0; 7];
    for (n, word) in (0..).zip(&mut words) {
        *word = if f.wide {
            core.load::<W32>(K, at.wrapping_add(4 * n))?
        } else {
            core.load::<W16>(K, at.wrapping_add(2 * n))?.into()
        };
    }
    Ok(words)
}

fn set_environment(core: &mut Fp, w: [u32; 7], f: Frame) {
    core.set(state::FCW, w[0] as u16 & 0x1F7F | 0x40);
    core.set(state::FSW, w[1] as u16);
    let tags = (0..8).fold(0, |t, n| t | ((w[2] >> (2 * n) & 3 != 3) as u16) << n);
    core.set(state::FTW, tags);
    let (ip, dp, selectors, opcode) = match (f.protected, f.wide) {
        (true, true) => (w[3], w[5], w[4] & 0xFFFF | w[6] << 16, w[4] >> 16),
        (true, false) => (w[3], w[5], w[4] & 0xFFFF | w[6] << 16, 0),
        (false, true) => (w[3] & 0xFFFF | w[4] >> 12 << 16, w[5] & 0xFFFF | w[6] >> 12 << 16, 0, w[4]),
        (false, false) => (w[3] | w[4] >> 12 << 16, w[5] | w[6] >> 12 << 16, 0, w[4]),
    };
    core.set(state::FIP, ip.into());
    core.set(state::FDP, dp.into());
    core.set(state::FCS_FDS, selectors);
    core.set(state::FOP, opcode as u16 & 0x7FF);
    core.summarise();
}

/// FLDENV.
///
/// # Errors
/// With the access's faults.
pub fn load(core: &mut Fp, at: u64, f: Frame) -> Result<(), Raised> {
    let words = get_environment(core, at, f)?;
    set_environment(core, words, f);
    Ok(())
}

/// FRSTOR.
///
/// # Errors
/// With the access's faults.
pub fn restore(core: &mut Fp, at: u64, f: Frame) -> Result<(), Raised> {
    let words = get_environment(core, at, f)?;
    let mut registers = [X80::default(); 8];
    for (n, x) in (0..).zip(&mut registers) {
        let from = at.wrapping_add(f.size() + 10 * n);
        *x = X80 { sig: core.load::<W64>(K, from)?, head: core.load::<W16>(K, from.wrapping_add(8))? };
    }
    set_environment(core, words, f);
    for (n, x) in (0..8u8).zip(registers) {
        let tags = core.reg(state::FTW);
        core.set_st(n, x);
        core.set(state::FTW, tags);
    }
    Ok(())
}
