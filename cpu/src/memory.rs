//! Memory accesses that the TLB does not serve: translation and its faults, devices, page crossings, code pages.

use crate::core::{Arch, Attention, Core, Mapping, Raised, Want};
use crate::emit::Access;
use crate::journal;
use crate::tlb::{Entry, MISS, NEVER, NONGLOBAL, PAGE_MASK, WRITABLE};
use lyrebird_ram::GuestRam;
use std::hint::cold_path;
use std::sync::Arc;

/// Marks the physical addresses of an x86 processor in system management mode, which may find memory there that others do
/// not.
pub const MANAGEMENT: u64 = 1 << 63;

/// The physical address space as a processor sees it; without devices, if an implementation does not say otherwise.
pub trait Physical: Send + Sync {
    /// Offset in guest RAM of the 4 KiB page at `pa`, and whether it is writable; `None` where there is no RAM.
    fn ram(&self, pa: u64) -> Option<(u64, bool)>;
    /// Reads `size` (1, 2, 4, 8) bytes from a device for processor `cpu`.
    ///
    /// # Errors
    /// When nothing answers.
    fn read(&self, _cpu: usize, _pa: u64, _size: u32) -> Result<u64, NoAnswer> {
        Err(NoAnswer)
    }
    /// Writes `size` bytes to a device.
    ///
    /// # Errors
    /// When nothing answers.
    fn write(&self, _cpu: usize, _pa: u64, _size: u32, _value: u64) -> Result<(), NoAnswer> {
        Err(NoAnswer)
    }
}

/// Nothing is at that physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

impl<A: Arch> Core<A> {
    /// The TLB's tag that an access of `size` bytes hits, each `unit` of which is aligned where it must be.
    #[inline(always)]
    pub(crate) fn tag(&self, k: Access, at: u64, unit: u64, size: u64) -> u64 {
        if k.aligned {
            return at & (PAGE_MASK | (size - 1));
        }
        if unit > 1 && !A::STRICT_MISSES && A::strict(self.mode) {
            cold_path();
            if at & (unit - 1) != 0 {
                return MISS;
            }
        }
        at.wrapping_add(size - 1) & PAGE_MASK
    }

    /// Enters `va`'s page into the TLB if it is RAM, and gives its RAM offset.
    fn enter(&mut self, va: u64, unprivileged: bool, m: &Mapping) -> Option<(u64, bool)> {
        let (ram, rom_writable) = self.bus.ram(m.pa)?;
        let page = va & PAGE_MASK;
        let writable = m.write && rom_writable;
        let quiet = writable && !self.code.any(ram) && self.journal.is_none();
        let flags = if m.global { 0 } else { NONGLOBAL } | if writable { WRITABLE } else { 0 };
        if !(m.device || A::guarded(self.mode) || A::STRICT_MISSES && A::strict(self.mode)) {
            let entry = Entry {
                read: if m.read { page } else { NEVER },
                write: if quiet { page } else { NEVER },
                addend: self.ram.host_base().wrapping_add(ram).wrapping_sub(page),
                ram: ram | flags,
            };
            self.tlb.fill(va, unprivileged, entry);
        }
        Some((ram, rom_writable))
    }

    /// Where an access that stays within its page goes, after translation and checks.
    fn place(&mut self, at: u64, size: u64, k: Access, want: Want) -> Result<Place, Raised> {
        let misaligned = at & (size - 1) != 0;
        if misaligned && (k.aligned || A::strict(self.mode)) {
            return Err(A::misaligned(self, at, want));
        }
        if let Some(e) = self.tlb.promote(at, k.unprivileged)
            && at & PAGE_MASK == if want == Want::Write { e.write } else { e.read }
        {
            return Ok(Place::Ram(e.ram & PAGE_MASK | at & !PAGE_MASK));
        }
        let m = A::translate(self, at, want, k)?;
        if misaligned && m.device {
            return Err(A::misaligned(self, at, want));
        }
        if A::guarded(self.mode) {
            A::access(self, at, size, [want == Want::Read, want == Want::Write], k.unprivileged)?;
        }
        match self.enter(at, k.unprivileged, &m) {
            Some((ram, writable)) if want != Want::Write || writable => Ok(Place::Ram(ram | at & !PAGE_MASK)),
            // Stores to ROM vanish.
            Some(_) => Ok(Place::Nowhere),
            None => Ok(Place::Device(m.pa | at & !PAGE_MASK)),
        }
    }

    /// The RAM offset of a place that is accessed as bytes; `None` if it is not RAM that does what is wanted. Whoever
    /// writes there does so through [`Core::storing`]. Not for guarded modes.
    ///
    /// # Errors
    /// When the access faults.
    pub fn ram_place(&mut self, at: u64, k: Access, want: Want) -> Result<Option<u64>, Raised> {
        Ok(match self.place(at, 1, k, want)? {
            Place::Ram(ram) => Some(ram),
            Place::Device(_) | Place::Nowhere => None,
        })
    }

    /// The RAM offset of a plain access within a page, if the TLB waves it through as compiled code's: nobody has to be
    /// told of a store there.
    #[inline(always)]
    pub fn ram_hit(&self, at: u64, want: Want) -> Option<u64> {
        let e = self.tlb.entry(at, false);
        let tag = if want == Want::Write { e.write } else { e.read };
        (tag == at & PAGE_MASK).then_some(e.ram & PAGE_MASK | at & !PAGE_MASK)
    }

    /// The slow path of a load of 1 to 16 bytes.
    ///
    /// # Errors
    /// When the access faults.
    #[cold]
    #[inline(never)]
    pub fn load_slow(&mut self, at: u64, size: u64, k: Access) -> Result<u128, Raised> {
        let room = 0x1000 - (at & 0xFFF);
        if room < size {
            if k.aligned || A::strict(self.mode) {
                return Err(A::misaligned(self, at, Want::Read));
            }
            // From the lowest byte on, so that a fault names the first byte that cannot be accessed.
            let mut value = 0;
            for i in 0..size {
                value |= self.load_slow(at.wrapping_add(i), 1, k)? << (8 * i);
            }
            return Ok(value);
        }
        match self.place(at, size, k, Want::Read)? {
            Place::Ram(ram) => {
                let mut bytes = [0; 16];
                let value = match size {
                    1 => self.ram.read::<u8>(ram).map(u128::from),
                    2 => self.ram.read::<u16>(ram).map(u128::from),
                    4 => self.ram.read::<u32>(ram).map(u128::from),
                    8 => self.ram.read::<u64>(ram).map(u128::from),
                    _ => self.ram.read_bytes(ram, &mut bytes).map(|()| u128::from_le_bytes(bytes)),
                };
                value.map_err(|_| A::unanswered(self, at, Want::Read))
            }
            Place::Nowhere => Ok(0),
            Place::Device(pa) => {
                self.reach_out()?;
                self.device_read(at, pa, size)
            }
        }
    }

    fn device_read(&mut self, at: u64, pa: u64, size: u64) -> Result<u128, Raised> {
        let value = if size == 16 {
            let lo = self.ask_device(pa, 8, None);
            lo.and_then(|lo| Ok(lo as u128 | (self.ask_device(pa + 8, 8, None)? as u128) << 64))
        } else {
            self.ask_device(pa, size as u32, None).map(u128::from)
        };
        value.map_err(|NoAnswer| A::unanswered(self, at, Want::Read))
    }

    fn device_write(&mut self, pa: u64, size: u64, value: u128) -> Result<(), NoAnswer> {
        if size == 16 {
            self.ask_device(pa, 8, Some(value as u64))?;
            self.ask_device(pa + 8, 8, Some((value >> 64) as u64))?;
        } else {
            self.ask_device(pa, size as u32, Some(value as u64))?;
        }
        Ok(())
    }

    /// Whether the run may reach the outside. If not, the instruction does not happen: the engine returns before it.
    pub(crate) fn reach_out(&mut self) -> Result<(), Raised> {
        match &mut self.journal {
            Some(j) if j.sealed && !journal::lock(&j.tape).replaying() => {
                j.refused = true;
                Err(Raised)
            }
            _ => Ok(()),
        }
    }

    /// Ends a run that is being recorded behind the instruction in progress.
    pub(crate) fn end_recorded_run(&mut self) {
        if self.journal.as_ref().is_some_and(|j| !journal::lock(&j.tape).replaying()) {
            self.attention.set(Attention::STOP);
            self.stop.set_code_hit(true);
        }
    }

    /// One access to a device, through the journal's tape if there is one. A recorded access ends the run, since what
    /// it starts may change RAM.
    fn ask_device(&mut self, pa: u64, size: u32, write: Option<u64>) -> Result<u64, NoAnswer> {
        let (bus, index) = (Arc::clone(&self.bus), self.index);
        let ask = || {
            let answer = match write {
                Some(value) => bus.write(index, pa, size, value).map(|()| 0),
                None => bus.read(index, pa, size),
            };
            answer.or_else(|none| if A::FLOATING_BUS { Ok(u64::MAX >> (64 - 8 * size)) } else { Err(none) })
        };
        let Some(journal) = &self.journal else { return ask() };
        let mut tape = journal::lock(&journal.tape);
        if !tape.replaying() {
            self.attention.set(Attention::STOP);
            self.stop.set_code_hit(true);
        }
        let question = [write.is_some() as u64, pa, size as u64, write.unwrap_or(0)];
        tape.ask(question, || ask().ok()).ok_or(NoAnswer)
    }

    /// The slow path of a store of 1 to 16 bytes.
    ///
    /// # Errors
    /// When the access faults.
    #[cold]
    #[inline(never)]
    pub fn store_slow(&mut self, at: u64, size: u64, k: Access, value: u128) -> Result<(), Raised> {
        let room = 0x1000 - (at & 0xFFF);
        if room < size {
            if k.aligned || A::strict(self.mode) {
                return Err(A::misaligned(self, at, Want::Write));
            }
            // Both pages are checked before either is written.
            A::translate(self, at, Want::Write, k)?;
            A::translate(self, at.wrapping_add(room), Want::Write, k)?;
            if A::guarded(self.mode) {
                A::access(self, at, size, [false, true], k.unprivileged)?;
            }
            for i in 0..size {
                self.store_slow(at.wrapping_add(i), 1, k, value >> (8 * i) & 0xFF)?;
            }
            return Ok(());
        }
        match self.place(at, size, k, Want::Write)? {
            Place::Ram(ram) => {
                let done = self.storing(ram, size, |to| match size {
                    1 => to.write(ram, value as u8),
                    2 => to.write(ram, value as u16),
                    4 => to.write(ram, value as u32),
                    8 => to.write(ram, value as u64),
                    _ => to.write(ram, value),
                });
                done.map_err(|_| A::unanswered(self, at, Want::Write))
            }
            Place::Nowhere => Ok(()),
            Place::Device(pa) => {
                self.reach_out()?;
                let done = self.device_write(pa, size, value);
                done.map_err(|NoAnswer| A::unanswered(self, at, Want::Write))
            }
        }
    }

    /// Whether a store of `size` bytes in units of `unit` would hit code, so that an engine can step aside first.
    ///
    /// # Errors
    /// When any of the access faults.
    pub fn store_hits_code(&mut self, at: u64, unit: u64, size: u64, k: Access) -> Result<bool, Raised> {
        if at & (unit - 1) != 0 && (k.aligned || A::strict(self.mode)) {
            return Err(A::misaligned(self, at, Want::Write));
        }
        let room = 0x1000 - (at & 0xFFF);
        let first = A::translate(self, at, Want::Write, k)?;
        let hits = |core: &Self, m: &Mapping, at: u64, len: u64| {
            core.bus.ram(m.pa).is_some_and(|(ram, _)| core.code.hits_code(ram | at & !PAGE_MASK, len))
                // Another processor took the mark away, and this one has not looked since.
                || core.attention.bits() & Attention::CODE != 0
        };
        if size <= room {
            return Ok(hits(self, &first, at, size));
        }
        let over = at.wrapping_add(room);
        let second = A::translate(self, over, Want::Write, k)?;
        Ok(hits(self, &first, at, room) || hits(self, &second, over, size - room))
    }

    /// Has `store` store to RAM where the TLB did not wave it through: `size` bytes at offset `at`, all in one page.
    pub fn storing<R>(&mut self, at: u64, size: u64, store: impl FnOnce(&GuestRam) -> R) -> R {
        if let Some(j) = &mut self.journal {
            j.changing(&self.ram, at, size);
        }
        let done = store(&self.ram);
        if self.code.stored(at, size) {
            self.attention.set(Attention::CODE);
        }
        if self.attention.bits() & Attention::CODE != 0 {
            self.stop.set_code_hit(true);
        }
        done
    }

    /// Marks granules of a page of RAM as code, before they are read: stores to them will be noticed. Gives the page's
    /// version. See [`Arch::marked`] for who may be waited for.
    pub fn mark_code(&mut self, ram: u64, granules: u64) -> u32 {
        // A mark that a store takes away was set under the version that the store ends, so that comes first.
        let version = self.code.version(ram);
        if self.code.mark(ram, granules) {
            self.tlb.watch(ram);
        }
        A::marked(self, ram, version);
        version
    }

    /// Runs `body`, a locked access at `at` of `size` bytes that is done by a load and a store, as if it were atomic.
    pub(crate) fn indivisibly<T>(
        &mut self,
        at: u64,
        size: u64,
        body: impl FnOnce(&mut Self) -> Result<T, Raised>,
    ) -> Result<T, Raised> {
        // What is aligned went to a device.
        let split = at & (size - 1) != 0;
        if split {
            A::alone(self);
        }
        let done = body(self);
        if split {
            A::together(self);
        }
        done
    }

    /// Whether an atomic access is permitted. What a load would fault on, too, is reported as a load's fault.
    ///
    /// # Errors
    /// When the access faults.
    pub fn atomic_check(&mut self, k: Access, at: u64, size: u64) -> Result<(), Raised> {
        if at & (size - 1) != 0 {
            return Err(A::misaligned(self, at, if k.exclusive { Want::Write } else { Want::Read }));
        }
        if !k.exclusive {
            A::translate(self, at, Want::Read, k)?;
        }
        A::translate(self, at, Want::Write, k)?;
        if A::guarded(self.mode) {
            A::access(self, at, size, [!k.exclusive, true], k.unprivileged)?;
        }
        Ok(())
    }

    /// Has `body` access RAM atomically; `None` for devices, which get plain accesses, and for what need not be aligned
    /// and is not.
    ///
    /// # Errors
    /// When the access faults.
    pub(crate) fn atomically<R>(
        &mut self,
        k: Access,
        at: u64,
        size: u64,
        body: impl FnOnce(&GuestRam, u64) -> R,
    ) -> Result<Option<R>, Raised> {
        let e = self.tlb.entry(at, k.unprivileged);
        if e.write == at & (PAGE_MASK | (size - 1)) {
            let ram = at.wrapping_add(e.addend).wrapping_sub(self.ram.host_base());
            return Ok(Some(body(&self.ram, ram)));
        }
        let place = self.atomic_place(k, at, size)?;
        Ok(place.map(|ram| self.storing(ram, size, |to| body(to, ram))))
    }

    /// Finds the RAM offset for an atomic access that the TLB does not serve; see `atomically`. The store is not noted.
    ///
    /// # Errors
    /// When the access faults.
    pub fn atomic_place(&mut self, k: Access, at: u64, size: u64) -> Result<Option<u64>, Raised> {
        if at & (size - 1) != 0 && !k.aligned && !A::strict(self.mode) {
            // Both pages must admit the store that follows the load.
            self.store_hits_code(at, size, size, k)?;
            return Ok(None);
        }
        self.atomic_check(k, at, size)?;
        let k = Access { aligned: true, ..k };
        Ok(match self.place(at, size, k, Want::Write)? {
            Place::Ram(ram) => Some(ram),
            Place::Nowhere | Place::Device(_) => None,
        })
    }
}

/// Where an access goes.
enum Place {
    Ram(u64),
    Device(u64),
    Nowhere,
}
