//! Buses and devices: everything of the machine that is not a processor.
//!
//! Knows no processor and no board. Start at [`bus::device`] for what a device is and at [`bus::space`] for how the
//! guest reaches it; `docs/add-a-device.md` is the recipe.

pub mod acpi;
pub mod block;
pub mod bus;
pub mod cfi_flash;
pub mod char;
pub mod display;
pub mod dma;
pub mod fw_cfg;
pub mod gpio;
pub mod input;
pub mod intc;
pub mod misc;
pub mod pci;
pub mod storage;
pub mod time;
pub mod virtio;
