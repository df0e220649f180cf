//! Media and devices.

use super::{CacheMode, ImageFormat};
use lyrebird_devices::block::ImageOptions;
use std::path::PathBuf;

/// A medium: an image file and how to use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drive {
    /// `id`: what `drive=` of a device refers to. Unique.
    pub id: String,
    /// `file`.
    pub file: PathBuf,
    /// `format`; `None` asks to look at the file's header.
    pub format: Option<ImageFormat>,
    /// `if=pflash`: the flash bank that holds it; `None` for a medium that a device names.
    pub pflash: Option<u32>,
    /// `readonly`.
    pub read_only: bool,
    /// `snapshot`: writes go to a temporary overlay.
    pub snapshot: bool,
    /// `cache`.
    pub cache: CacheMode,
    /// `discard=unmap`: pass the guest's discards to the image.
    pub discard: bool,
    /// `file.locking`: refuse an image that another program uses.
    pub locking: bool,
    /// `data-file.filename`: where a qcow2 image keeps its data, if elsewhere.
    pub data_file: Option<PathBuf>,
}

impl Drive {
    /// How to open its image; `snapshot` is the machine's `-snapshot`.
    pub fn image(&self, snapshot: bool) -> ImageOptions {
        ImageOptions {
            file: self.file.clone(),
            format: self.format,
            read_only: self.read_only,
            snapshot: (self.snapshot || snapshot) && !self.read_only,
            cache: self.cache,
            unmap: self.discard,
            locking: self.locking,
            data_file: self.data_file.clone(),
        }
    }
}

/// A device that the command line adds. `id` is the name in reports and for `bus=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceConfig {
    /// `virtio-blk-pci`, `virtio-blk-device`: a disk.
    VirtioBlk {
        /// `id`.
        id: Option<String>,
        /// `drive`: the id of a [`Drive`].
        drive: String,
        /// `serial`: up to 20 bytes that the guest reads as the disk's serial number.
        serial: Option<String>,
        /// Where it is on a PCI bus.
        place: PciPlace,
    },
    /// `virtio-serial-pci`, `virtio-serial-device`: a multi-port console.
    VirtioSerial {
        /// `id`: the name of the bus that ports attach to is this and `.0`.
        id: Option<String>,
        /// `max_ports`, 1 to 511.
        max_ports: u32,
        /// Where it is on a PCI bus.
        place: PciPlace,
    },
    /// `virtconsole` and `virtserialport`: a port of a virtio-serial device.
    VirtPort {
        /// `id`.
        id: Option<String>,
        /// A console (hvc) rather than a plain port.
        console: bool,
        /// `chardev`: the id of the back end; `None` for a port without peer.
        chardev: Option<String>,
        /// `name`: what the guest sees in sysfs.
        name: Option<String>,
        /// `nr`: the port's number; `None` takes the next free one.
        nr: Option<u32>,
        /// `bus`: the virtio-serial device by id, with or without `.0`; `None` takes the first that has room.
        bus: Option<String>,
    },
    /// `virtio-rng-pci`, `virtio-rng-device`: entropy.
    VirtioRng {
        /// `id`.
        id: Option<String>,
        /// `max-bytes`, `period`: at most so many bytes in so many milliseconds; `None` for no limit.
        limit: Option<(u64, u32)>,
        /// Where it is on a PCI bus.
        place: PciPlace,
    },
    /// `ide-hd`, `ide-cd`: a drive at the board's IDE or AHCI controller.
    Disk {
        /// `id`.
        id: Option<String>,
        /// `drive`: the id of a [`Drive`]; a CD-ROM drive may be empty.
        drive: Option<String>,
        /// It is a CD-ROM drive.
        cdrom: bool,
        /// `bus`: the number of the controller's channel or port; `None` takes the first with room.
        bus: Option<u32>,
        /// `unit`: the place there; `None` takes the first that is free.
        unit: Option<u32>,
        /// `serial`: up to 20 bytes.
        serial: Option<String>,
        /// `bootindex`.
        boot: Option<u32>,
    },
    /// `-drive if=floppy`: a diskette.
    Floppy {
        /// The id of a [`Drive`].
        drive: String,
        /// The diskette drive, 0 or 1.
        unit: u32,
    },
    /// `isa-debug-exit`: a port whose writes end the program.
    DebugExit {
        /// `iobase`.
        port: u16,
        /// `iosize`: 1 to 4 ports.
        len: u16,
    },
    /// `isa-debugcon`: a port whose writes are output.
    Debugcon {
        /// `iobase`.
        port: u16,
        /// `chardev`: the id of the back end.
        chardev: String,
    },
    /// `pvpanic`: a port through which the guest reports a panic.
    Pvpanic {
        /// `ioport`.
        port: u16,
    },
    /// `pc-testdev`.
    PcTestdev,
}

impl DeviceConfig {
    /// Its `id`.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::VirtioBlk { id, .. }
            | Self::VirtioSerial { id, .. }
            | Self::VirtPort { id, .. }
            | Self::VirtioRng { id, .. }
            | Self::Disk { id, .. } => id.as_deref(),
            _ => None,
        }
    }
}

/// Where a device goes on a PCI bus, and how. Boards without one do not look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PciPlace {
    /// `addr`: slot and function; `None` takes the lowest free slot.
    pub addr: Option<(u8, u8)>,
    /// `disable-legacy`: without virtio 0.9's interface.
    pub modern_only: bool,
    /// `vectors`: MSI-X vectors; `None` for the device's choice.
    pub vectors: Option<u16>,
    /// `bootindex`: its place in the boot order.
    pub boot: Option<u32>,
}
