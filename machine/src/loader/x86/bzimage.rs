//! Linux kernels by the x86 boot protocol (the kernel's Documentation/arch/x86/boot.rst and zero-page.rst).
//!
//! [`direct`] does what a boot loader does and enters the kernel at its 64-bit, 32-bit or real-mode entry;
//! [`for_firmware`] makes the pieces that firmware with a loader for fw_cfg kernels reads: SeaBIOS's option ROM puts
//! them where these say and jumps to the real-mode entry.
//!
//! Left out on purpose: protocols before 2.00, whose kernels have no header; EFI handover.

use super::super::{Content, Piece};
use super::entry::X86Entry;
use super::layout::{FOUR_GIB, PAGE, Placer};
use super::{Request, c_string, poke, put, u8_at, u16_at, u32_at, u64_at};

/// Which way into a kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinuxEntry {
    /// The 64-bit one if kernel and processor have it, otherwise the 32-bit one.
    #[default]
    Best,
    /// The one of 32 bits.
    Protected,
    /// The kernel's setup code in real mode, which asks the BIOS.
    Real,
}

/// Fields of the setup header by their offset in the file.
mod spec {
    pub const SETUP_SECTS: usize = 0x1f1;
    pub const SYSSIZE: usize = 0x1f4;
    pub const VID_MODE: usize = 0x1fa;
    pub const BOOT_FLAG: usize = 0x1fe;
    pub const JUMP_LENGTH: usize = 0x201;
    pub const MAGIC: usize = 0x202;
    pub const VERSION: usize = 0x206;
    pub const TYPE_OF_LOADER: usize = 0x210;
    pub const LOADFLAGS: usize = 0x211;
    pub const CODE32_START: usize = 0x214;
    pub const RAMDISK_IMAGE: usize = 0x218;
    pub const RAMDISK_SIZE: usize = 0x21c;
    pub const HEAP_END_PTR: usize = 0x224;
    pub const CMD_LINE_PTR: usize = 0x228;
    pub const INITRD_ADDR_MAX: usize = 0x22c;
    pub const KERNEL_ALIGNMENT: usize = 0x230;
    pub const RELOCATABLE: usize = 0x234;
    pub const XLOADFLAGS: usize = 0x236;
    pub const CMDLINE_SIZE: usize = 0x238;
    pub const PREF_ADDRESS: usize = 0x258;
    pub const INIT_SIZE: usize = 0x260;

    /// A loader without a number of its own.
    pub const LOADER: u8 = 0xff;
    pub const LOADED_HIGH: u8 = 1 << 0;
    pub const CAN_USE_HEAP: u8 = 1 << 7;
    pub const KERNEL_64: u16 = 1 << 0;

    /// Fields of the zero page that are not of the header.
    pub const ACPI_RSDP_ADDR: usize = 0x070;
    pub const E820_ENTRIES: usize = 0x1e8;
    pub const E820_TABLE: usize = 0x2d0;
    pub const E820_MAX: usize = 128;
    /// The header's copy may not reach further.
    pub const HEADER_END: usize = 0x290;
}
use spec::*;

const SECTOR: usize = 512;
/// Where a kernel that cannot be moved goes, and firmware puts every one.
const HIGH: u64 = 0x10_0000;
/// Where setup code goes in real mode, and the end of its heap and stack there.
const SETUP: u64 = 0x1_0000;
const HEAP_END: u64 = 0xe000;
/// No kernel wants more RAM than this below 4 GiB, and boards have no more there.
const MOST: u64 = 3 << 30;
/// Offset of the 64-bit entry from the 32-bit one.
const ENTRY_64: u64 = 0x200;

/// Whether a file has a setup header.
pub fn is(bytes: &[u8]) -> bool {
    bytes.get(MAGIC..MAGIC + 4) == Some(b"HdrS")
}

/// What matters of a kernel's setup header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Protocol version, as in 0x020f.
    pub version: u16,
    /// Bytes of boot sector and setup code, which the protected-mode kernel follows.
    pub setup_len: usize,
    /// Whether the kernel goes to 1 MiB: not a zImage.
    pub high: bool,
    /// Whether it has a 64-bit entry.
    pub entry_64: bool,
    /// Whether it runs at any aligned address.
    pub relocatable: bool,
    /// Its alignment in bytes.
    pub alignment: u64,
    /// Where it would like to be.
    pub pref_address: u64,
    /// Bytes of memory that it needs from where it is on.
    pub init_size: u64,
    /// Last address of a RAM disk.
    pub initrd_max: u64,
    /// Longest command line in bytes.
    pub cmdline_size: u64,
}

impl Header {
    /// Reads the header of `file`.
    ///
    /// # Errors
    /// When it is truncated, corrupt or too old.
    pub fn parse(file: &[u8]) -> Result<Header, String> {
        if !is(file) {
            return Err("it has no Linux setup header".into());
        }
        let version = u16_at(file, VERSION)?;
        if u16_at(file, BOOT_FLAG)? != 0xaa55 {
            return Err("its setup header is corrupt: the boot flag is not AA55h".into());
        }
        if version < 0x0200 {
            let (major, minor) = (version >> 8, version & 0xff);
            return Err(format!("it has boot protocol {major}.{minor:02}; the oldest supported is 2.00"));
        }
        let sectors = match u8_at(file, SETUP_SECTS)? {
            0 => 4,
            n => usize::from(n),
        };
        let since = |v: u16| version >= v;
        let header = Header {
            version,
            setup_len: (sectors + 1) * SECTOR,
            high: u8_at(file, LOADFLAGS)? & LOADED_HIGH != 0,
            entry_64: since(0x020c) && u16_at(file, XLOADFLAGS)? & KERNEL_64 != 0,
            relocatable: since(0x0205) && u8_at(file, RELOCATABLE)? != 0,
            alignment: if since(0x0205) { u32_at(file, KERNEL_ALIGNMENT)?.into() } else { PAGE },
            pref_address: if since(0x020a) { u64_at(file, PREF_ADDRESS)? } else { HIGH },
            init_size: if since(0x020a) { u32_at(file, INIT_SIZE)?.into() } else { 0 },
            initrd_max: if since(0x0203) { u32_at(file, INITRD_ADDR_MAX)?.into() } else { 0x37ff_ffff },
            cmdline_size: if since(0x0206) { u32_at(file, CMDLINE_SIZE)?.into() } else { 255 },
        };
        if file.len() <= header.setup_len {
            return Err("it is truncated: there is no kernel behind its setup code".into());
        }
        // The size of what follows, in paragraphs; older protocols have half of the field.
        let rest = if since(0x0204) { u64::from(u32_at(file, SYSSIZE)?) * 16 } else { 0 };
        if file.len() as u64 + 15 < header.setup_len as u64 + rest {
            let (is, wanted) = (file.len(), header.setup_len as u64 + rest);
            return Err(format!("it is truncated: it has {is} bytes, and its setup header says {wanted}"));
        }
        if header.relocatable && !header.alignment.is_power_of_two() {
            return Err("its setup header is corrupt: the alignment is no power of two".into());
        }
        Ok(header)
    }

    fn check_cmdline(&self, append: &str) -> Result<(), String> {
        match append.len() as u64 {
            len if len > self.cmdline_size => Err(format!(
                "the command line has {len} bytes and the kernel takes {}; shorten -append",
                self.cmdline_size
            )),
            _ => Ok(()),
        }
    }

    /// Where the protected-mode kernel goes, and how much memory it needs there.
    fn place(&self, request: &Request, len: u64) -> Result<(u64, u64), String> {
        if !self.high {
            return Ok((0x1_0000, len));
        }
        let need = len.max(self.init_size);
        let fits =
            |at: u64| at.checked_add(need).is_some_and(|end| end <= FOUR_GIB && request.map.holds(at, end));
        let lowest = HIGH.checked_next_multiple_of(self.alignment.max(1)).unwrap_or(HIGH);
        let wanted = [Some(self.pref_address), self.relocatable.then_some(lowest)];
        let wanted = if self.version < 0x020a { [Some(HIGH), None] } else { wanted };
        wanted.into_iter().flatten().find(|at| *at >= HIGH && fits(*at)).map(|at| (at, need)).ok_or_else(
            || {
                // Where it would go if there were RAM enough.
                let first = if self.relocatable { lowest } else { self.pref_address.max(HIGH) };
                let end = first.saturating_add(need);
                let mib = end.div_ceil(1 << 20);
                if end > MOST {
                    return format!("its setup header is corrupt: it asks for RAM up to {mib} MiB");
                }
                format!("it needs {mib} MiB of RAM; use -m {}", (mib + 32).next_power_of_two())
            },
        )
    }
}

/// `vga=` of a command line, as the header's field has it.
fn video_mode(append: &str) -> u16 {
    const NORMAL: u16 = 0xffff;
    let value = append.split(' ').rev().find_map(|word| word.strip_prefix("vga="));
    match value {
        None | Some("normal") => NORMAL,
        Some("ext") => 0xfffe,
        Some("ask") => 0xfffd,
        Some(number) => {
            let hex = number.strip_prefix("0x").or(number.strip_prefix("0X"));
            hex.map_or_else(|| number.parse().ok(), |h| u16::from_str_radix(h, 16).ok()).unwrap_or(NORMAL)
        }
    }
}

/// The zero page: the setup header as the loader fills it in, memory map, screen.
fn boot_params(file: &[u8], request: &Request) -> Result<Vec<u8>, String> {
    let mut page = vec![0; PAGE as usize];
    let end = (MAGIC + usize::from(u8_at(file, JUMP_LENGTH)?)).min(HEADER_END);
    let header = file.get(SETUP_SECTS..end).ok_or("its setup header is truncated")?;
    poke(&mut page, SETUP_SECTS, header);
    poke(&mut page, TYPE_OF_LOADER, &[LOADER]);
    poke(&mut page, VID_MODE, &video_mode(request.append).to_le_bytes());
    if let Some(rsdp) = request.rsdp {
        poke(&mut page, ACPI_RSDP_ADDR, &rsdp.to_le_bytes());
    }
    let mut map = request.map.e820();
    map.truncate(E820_MAX * 20);
    poke(&mut page, E820_ENTRIES, &[(map.len() / 20) as u8]);
    poke(&mut page, E820_TABLE, &map);
    if request.vga_text {
        // Mode 3: 80 columns, 25 lines of 16 pixels, on a VGA.
        for (at, value) in [(0x06, 3), (0x07, 80), (0x0e, 25), (0x0f, 1), (0x10, 16)] {
            poke(&mut page, at, &[value]);
        }
    }
    Ok(page)
}

/// Loads a kernel as a boot loader does.
///
/// # Errors
/// When it is corrupt, or it or its RAM disk do not fit.
pub(super) fn direct(
    file: &[u8],
    initrd: Option<&Content>,
    request: &Request,
) -> Result<(Vec<Piece>, X86Entry), String> {
    let header = Header::parse(file)?;
    header.check_cmdline(request.append)?;
    let kernel = file.get(header.setup_len..).ok_or("it is truncated")?.to_vec();
    if request.linux == LinuxEntry::Real {
        let parts = for_firmware(file, initrd, request)?;
        let (setup, sp) = (parts.setup_addr, parts.cmdline_addr - parts.setup_addr - 16);
        let pieces = parts.pieces();
        let mut placer = Placer::new(request.map);
        placer.take_pieces(&pieces)?;
        let segment = (setup >> 4) as u16;
        return Ok((pieces, X86Entry::real(segment + 0x20, 0, segment, sp as u16 & !3)));
    }
    if !header.high {
        return Err("it is a zImage, which has a real-mode entry only; start it from a disk image".into());
    }
    let (at, need) = header.place(request, kernel.len() as u64)?;
    let mut placer = Placer::new(request.map);
    placer.take(at, need)?;
    let mut pieces = vec![Piece { at, content: Content::Bytes(kernel) }];
    let mut page = boot_params(file, request)?;
    poke(&mut page, CODE32_START, &(at as u32).to_le_bytes());
    if let Some(initrd) = initrd {
        let start = placer.high(initrd.size(), header.initrd_max)?;
        pieces.push(Piece { at: start, content: initrd.clone() });
        poke(&mut page, RAMDISK_IMAGE, &(start as u32).to_le_bytes());
        poke(&mut page, RAMDISK_SIZE, &(initrd.size() as u32).to_le_bytes());
    }
    let cmdline = put(&mut pieces, &mut placer, c_string(request.append), 16, 0x2_0000)?;
    poke(&mut page, CMD_LINE_PTR, &(cmdline as u32).to_le_bytes());
    let long = request.linux == LinuxEntry::Best && request.long_mode && header.entry_64;
    let mut entry = if long {
        X86Entry::long(at + ENTRY_64, &mut pieces, &mut placer)?
    } else {
        X86Entry::protected(at, &mut pieces, &mut placer)?
    };
    let page = put(&mut pieces, &mut placer, page, PAGE, 0)?;
    entry.regs[super::entry::reg::SI] = page;
    Ok((pieces, entry))
}

/// What fw_cfg says of a kernel, and where firmware puts it.
#[derive(Debug, Clone)]
pub struct FirmwareKernel {
    /// Boot sector and setup code, filled in by the loader, for the address given.
    pub setup: Vec<u8>,
    /// FW_CFG_SETUP_ADDR.
    pub setup_addr: u64,
    /// The protected-mode kernel.
    pub kernel: Vec<u8>,
    /// FW_CFG_KERNEL_ADDR.
    pub kernel_addr: u64,
    /// The command line with its final zero.
    pub cmdline: Vec<u8>,
    /// FW_CFG_CMDLINE_ADDR.
    pub cmdline_addr: u64,
    /// The RAM disk.
    pub initrd: Option<Content>,
    /// FW_CFG_INITRD_ADDR.
    pub initrd_addr: u64,
}

impl FirmwareKernel {
    /// All parts where they go.
    fn pieces(self) -> Vec<Piece> {
        let bytes = |at, bytes| Piece { at, content: Content::Bytes(bytes) };
        let mut pieces = vec![
            bytes(self.setup_addr, self.setup),
            bytes(self.kernel_addr, self.kernel),
            bytes(self.cmdline_addr, self.cmdline),
        ];
        pieces.extend(self.initrd.map(|content| Piece { at: self.initrd_addr, content }));
        pieces
    }
}

/// Prepares a kernel for the real-mode entry: setup code at 1_0000h and the rest at 1 MiB, or at 9_0000h and 1_0000h for
/// a zImage. The firmware starts it at offset 200h of the setup code, with DS, ES and SS at its beginning.
///
/// # Errors
/// When it is corrupt, or its RAM disk does not fit.
pub fn for_firmware(
    file: &[u8],
    initrd: Option<&Content>,
    request: &Request,
) -> Result<FirmwareKernel, String> {
    let header = Header::parse(file)?;
    header.check_cmdline(request.append)?;
    let (setup, kernel) = file.split_at_checked(header.setup_len).ok_or("it is truncated")?;
    let (mut setup, kernel) = (setup.to_vec(), kernel.to_vec());
    let (setup_addr, kernel_addr) = if header.high { (SETUP, HIGH) } else { (0x9_0000, 0x1_0000) };
    let cmdline = c_string(request.append);
    if cmdline.len() as u64 > 0x1000 {
        return Err("the command line is too long for real mode; shorten -append".into());
    }
    let room = if header.high { HEAP_END } else { 0xa000 };
    let cmdline_addr = (setup_addr + room - cmdline.len() as u64) & !0xf;
    if setup_addr + setup.len() as u64 + 0x1000 > cmdline_addr {
        return Err("its setup code leaves no room for a stack".into());
    }
    if header.high && !request.map.holds(kernel_addr, kernel_addr + kernel.len() as u64) {
        let mib = (kernel_addr + kernel.len() as u64).div_ceil(1 << 20);
        return Err(format!("it needs {mib} MiB of RAM; use -m {}", (mib + 32).next_power_of_two()));
    }
    poke(&mut setup, TYPE_OF_LOADER, &[LOADER]);
    poke(&mut setup, VID_MODE, &video_mode(request.append).to_le_bytes());
    if header.version >= 0x0201 {
        let flags = u8_at(&setup, LOADFLAGS)? | CAN_USE_HEAP;
        poke(&mut setup, LOADFLAGS, &[flags]);
        let heap = (cmdline_addr - setup_addr - 0x400) as u16;
        poke(&mut setup, HEAP_END_PTR, &heap.to_le_bytes());
    }
    if header.version >= 0x0202 {
        poke(&mut setup, CMD_LINE_PTR, &(cmdline_addr as u32).to_le_bytes());
    } else {
        // The magic number and the offset of the command line from the setup code.
        poke(&mut setup, 0x20, &0xa33fu16.to_le_bytes());
        poke(&mut setup, 0x22, &((cmdline_addr - setup_addr) as u16).to_le_bytes());
    }
    let mut initrd_addr = 0;
    if let Some(initrd) = initrd {
        let mut placer = Placer::new(request.map);
        placer.take(0, HIGH - 0x6_0400)?;
        placer.take(kernel_addr.max(HIGH), header.init_size.max(kernel.len() as u64))?;
        // Firmware keeps its tables at the end of RAM below 4 GiB.
        let firmware = request.map.top_below_4g().saturating_sub(0x2_8001);
        initrd_addr = placer.high(initrd.size(), header.initrd_max.min(firmware))?;
        poke(&mut setup, RAMDISK_IMAGE, &(initrd_addr as u32).to_le_bytes());
        poke(&mut setup, RAMDISK_SIZE, &(initrd.size() as u32).to_le_bytes());
    }
    let initrd = initrd.cloned();
    Ok(FirmwareKernel { setup, setup_addr, kernel, kernel_addr, cmdline, cmdline_addr, initrd, initrd_addr })
}

#[cfg(test)]
mod tests;
