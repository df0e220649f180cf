//! What a PC's firmware finds in CMOS memory, as QEMU's boards write it there.
//!
//! After the IBM AT technical reference for 10h to 31h, and the conventions of QEMU and its firmware above.

/// Kind of a floppy drive, as the nibbles of byte 10h number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloppyKind {
    /// 5.25 inches, 360 KB.
    K360 = 1,
    /// 5.25 inches, 1.2 MB.
    M1_2 = 2,
    /// 3.5 inches, 720 KB.
    K720 = 3,
    /// 3.5 inches, 1.44 MB.
    M1_44 = 4,
    /// 3.5 inches, 2.88 MB.
    M2_88 = 5,
}

/// A device to boot from, as the nibbles of the boot order number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootDevice {
    /// First floppy: `a`.
    Floppy = 1,
    /// First disk: `c`.
    Disk = 2,
    /// First CD: `d`.
    Cd = 3,
    /// Network: `n`.
    Network = 4,
}

/// What a board tells its firmware.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PcCmos {
    /// Bytes of RAM below 4 GiB.
    pub ram_below_4g: u64,
    /// Bytes of RAM from 4 GiB on.
    pub ram_above_4g: u64,
    /// Processors.
    pub cpus: u8,
    /// Floppy drives.
    pub floppies: [Option<FloppyKind>; 2],
    /// What to boot from, in this order; the first three count.
    pub boot: Vec<BootDevice>,
    /// Whether the firmware is to check a floppy's boot signature.
    pub check_floppy_signature: bool,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl PcCmos {
    /// The bytes and where they go, for [`super::Mc146818::set_cmos`].
    pub fn bytes(&self) -> Vec<(u8, u8)> {
        let mut bytes = Vec::new();
        let mut word = |at: u8, value: u64| {
            let [low, high] = (value.min(0xffff) as u16).to_le_bytes();
            bytes.extend([(at, low), (at + 1, high)]);
        };
        word(0x15, self.ram_below_4g.min(640 * KIB) / KIB);
        let extended = self.ram_below_4g.saturating_sub(MIB) / KIB;
        word(0x17, extended);
        word(0x30, extended);
        word(0x34, self.ram_below_4g.saturating_sub(16 * MIB) / (64 * KIB));
        let [low, middle, high, ..] = (self.ram_above_4g / (64 * KIB)).to_le_bytes();
        bytes.extend([(0x5b, low), (0x5c, middle), (0x5d, high)]);
        bytes.push((0x5f, self.cpus.saturating_sub(1)));

        let drive = |n: usize| self.floppies[n].map_or(0, |kind| kind as u8);
        bytes.push((0x10, drive(0) << 4 | drive(1)));
        // A coprocessor and a PS/2 mouse; drives, and how many there are less one.
        let drives = self.floppies.iter().flatten().count() as u8;
        let equipment = if drives == 0 { 0 } else { 1 | (drives - 1) << 6 };
        bytes.push((0x14, 0x06 | equipment));

        let order = |n: usize| self.boot.get(n).map_or(0, |&device| device as u8);
        bytes.push((0x3d, order(1) << 4 | order(0)));
        bytes.push((0x38, order(2) << 4 | u8::from(!self.check_floppy_signature)));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(cmos: &PcCmos, at: u8) -> u8 {
        cmos.bytes().into_iter().find(|&(a, _)| a == at).unwrap().1
    }

    #[test]
    fn a_board_with_512_mib_and_a_floppy() {
        let cmos = PcCmos {
            ram_below_4g: 512 * MIB,
            cpus: 4,
            floppies: [Some(FloppyKind::M1_44), None],
            boot: vec![BootDevice::Disk, BootDevice::Cd, BootDevice::Floppy],
            ..PcCmos::default()
        };
        let word = |at| u16::from_le_bytes([byte(&cmos, at), byte(&cmos, at + 1)]);
        assert_eq!(
            (word(0x15), word(0x17), word(0x30), word(0x34)),
            (640, 0xffff, 0xffff, (496 * 16) as u16)
        );
        assert_eq!((byte(&cmos, 0x10), byte(&cmos, 0x14), byte(&cmos, 0x5f)), (0x40, 0x07, 3));
        assert_eq!((byte(&cmos, 0x3d), byte(&cmos, 0x38)), (0x32, 0x11));
    }

    #[test]
    fn memory_above_4_gib() {
        let cmos = PcCmos { ram_below_4g: 3 << 30, ram_above_4g: 5 << 30, ..PcCmos::default() };
        assert_eq!([0x5b, 0x5c, 0x5d].map(|at| byte(&cmos, at)), [0, 0x40, 1]);
        assert_eq!((byte(&cmos, 0x14), byte(&cmos, 0x5f)), (6, 0));
    }
}
