//! The device tree of the `virt` board, with the bindings that QEMU uses (Devicetree Specification 0.4; Linux
//! Documentation/devicetree/bindings).

use super::virt::{TRANSPORTS, affinity, map, ppi, spi};
use super::virtio_mmio::STRIDE;
use vm_fdt::{FdtWriter, FdtWriterResult};

/// What the tree depends on.
pub(super) struct Facts<'a> {
    pub cpus: usize,
    pub ram: u64,
    pub gicv3: bool,
    pub model: &'a str,
    pub append: &'a str,
    pub initrd: Option<(u64, u64)>,
    pub pmu: bool,
}

const GIC_PHANDLE: u32 = 1;
const CLOCK_PHANDLE: u32 = 2;
const GPIO_PHANDLE: u32 = 3;

const SPI: u32 = 0;
const PPI: u32 = 1;
const EDGE: u32 = 1;
const LEVEL: u32 = 4;

/// Checks that bytes look like a device tree that fits its own header.
///
/// # Errors
/// What is wrong with them.
pub fn check(dtb: &[u8]) -> Result<(), String> {
    let word = |at: usize| dtb.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    if word(0) != Some(0xd00d_feed) {
        return Err("it is no flattened device tree: the magic number is missing".into());
    }
    let total = word(4).unwrap_or(0) as usize;
    if total > dtb.len() || total < 40 {
        return Err(format!("its header says {total} bytes but the file has {}: it is truncated", dtb.len()));
    }
    for (at, len, what) in [(8, 36, "structure"), (12, 32, "strings")] {
        let (start, size) = (word(at).unwrap_or(0) as usize, word(len).unwrap_or(0) as usize);
        if start.checked_add(size).is_none_or(|end| end > total) {
            return Err(format!("its {what} block lies outside of it: it is corrupt"));
        }
    }
    Ok(())
}

/// Writes the tree.
pub(super) fn build(f: &Facts<'_>) -> FdtWriterResult<Vec<u8>> {
    let mut w = FdtWriter::new()?;
    let root = w.begin_node("")?;
    w.property_u32("interrupt-parent", GIC_PHANDLE)?;
    w.property_string("model", "linux,dummy-virt")?;
    w.property_u32("#size-cells", 2)?;
    w.property_u32("#address-cells", 2)?;
    w.property_string("compatible", "linux,dummy-virt")?;

    psci(&mut w)?;
    let memory = w.begin_node("memory@40000000")?;
    w.property_array_u64("reg", &[map::RAM, f.ram])?;
    w.property_string("device_type", "memory")?;
    w.end_node(memory)?;
    for i in (0..TRANSPORTS).rev() {
        let base = map::VIRTIO + u64::from(i) * STRIDE;
        let node = w.begin_node(&format!("virtio_mmio@{base:x}"))?;
        w.property_null("dma-coherent")?;
        w.property_array_u32("interrupts", &[SPI, spi::VIRTIO + i, EDGE])?;
        w.property_array_u64("reg", &[base, STRIDE])?;
        w.property_string("compatible", "virtio,mmio")?;
        w.end_node(node)?;
    }
    let node = w.begin_node("flash@0")?;
    w.property_u32("bank-width", 4)?;
    w.property_array_u64("reg", &[map::FLASH, map::FLASH_LEN, map::FLASH + map::FLASH_LEN, map::FLASH_LEN])?;
    w.property_string("compatible", "cfi-flash")?;
    w.end_node(node)?;
    power_button(&mut w)?;
    let node = w.begin_node("pl061@9030000")?;
    w.property_u32("phandle", GPIO_PHANDLE)?;
    w.property_string("clock-names", "apb_pclk")?;
    w.property_u32("clocks", CLOCK_PHANDLE)?;
    w.property_array_u32("interrupts", &[SPI, spi::GPIO, LEVEL])?;
    w.property_null("gpio-controller")?;
    w.property_u32("#gpio-cells", 2)?;
    w.property_string_list("compatible", vec!["arm,pl061".into(), "arm,primecell".into()])?;
    w.property_array_u64("reg", &[map::GPIO, 0x1000])?;
    w.end_node(node)?;
    let node = w.begin_node("fw-cfg@9020000")?;
    w.property_null("dma-coherent")?;
    w.property_array_u64("reg", &[map::FW_CFG, 0x18])?;
    w.property_string("compatible", "qemu,fw-cfg-mmio")?;
    w.end_node(node)?;
    let node = w.begin_node("pl031@9010000")?;
    w.property_string("clock-names", "apb_pclk")?;
    w.property_u32("clocks", CLOCK_PHANDLE)?;
    w.property_array_u32("interrupts", &[SPI, spi::RTC, LEVEL])?;
    w.property_array_u64("reg", &[map::RTC, 0x1000])?;
    w.property_string_list("compatible", vec!["arm,pl031".into(), "arm,primecell".into()])?;
    w.end_node(node)?;
    let node = w.begin_node("pl011@9000000")?;
    w.property_string_list("clock-names", vec!["uartclk".into(), "apb_pclk".into()])?;
    w.property_array_u32("clocks", &[CLOCK_PHANDLE, CLOCK_PHANDLE])?;
    w.property_array_u32("interrupts", &[SPI, spi::UART, LEVEL])?;
    w.property_array_u64("reg", &[map::UART, 0x1000])?;
    w.property_string_list("compatible", vec!["arm,pl011".into(), "arm,primecell".into()])?;
    w.end_node(node)?;
    // GICv2 encodes the processors of a private interrupt in bits 15:8 of the flags.
    let mask = if f.gicv3 { 0 } else { ((1u32 << f.cpus) - 1) << 8 };
    if f.pmu {
        let node = w.begin_node("pmu")?;
        w.property_array_u32("interrupts", &[PPI, ppi::PMU, mask | LEVEL])?;
        w.property_string("compatible", "arm,armv8-pmuv3")?;
        w.end_node(node)?;
    }
    gic(&mut w, f)?;
    cpus(&mut w, f)?;
    let node = w.begin_node("timer")?;
    let timers = [ppi::SECURE, ppi::PHYSICAL, ppi::VIRTUAL, ppi::HYPERVISOR];
    let cells: Vec<u32> = timers.into_iter().flat_map(|n| [PPI, n, mask | LEVEL]).collect();
    w.property_array_u32("interrupts", &cells)?;
    w.property_null("always-on")?;
    w.property_string_list("compatible", vec!["arm,armv8-timer".into(), "arm,armv7-timer".into()])?;
    w.end_node(node)?;
    let node = w.begin_node("apb-pclk")?;
    w.property_u32("phandle", CLOCK_PHANDLE)?;
    w.property_string("clock-output-names", "clk24mhz")?;
    w.property_u32("clock-frequency", 24_000_000)?;
    w.property_u32("#clock-cells", 0)?;
    w.property_string("compatible", "fixed-clock")?;
    w.end_node(node)?;
    let node = w.begin_node("aliases")?;
    w.property_string("serial0", "/pl011@9000000")?;
    w.end_node(node)?;
    let node = w.begin_node("chosen")?;
    if let Some((start, end)) = f.initrd {
        w.property_u64("linux,initrd-end", end)?;
        w.property_u64("linux,initrd-start", start)?;
    }
    if !f.append.is_empty() {
        w.property_string("bootargs", &f.append.replace('\0', ""))?;
    }
    w.property_string("stdout-path", "/pl011@9000000")?;
    let mut seed = [0u8; 32];
    // Without entropy the seed is all zero, which guests treat as none.
    let _ = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty());
    w.property("rng-seed", &seed)?;
    let kaslr =
        u64::from_le_bytes([seed[0], seed[3], seed[7], seed[9], seed[12], seed[17], seed[21], seed[29]]);
    w.property_u64("kaslr-seed", kaslr)?;
    w.end_node(node)?;
    w.end_node(root)?;
    w.finish()
}

fn psci(w: &mut FdtWriter) -> FdtWriterResult<()> {
    let node = w.begin_node("psci")?;
    w.property_u32("migrate", 0xc400_0005)?;
    w.property_u32("cpu_on", 0xc400_0003)?;
    w.property_u32("cpu_off", 0x8400_0002)?;
    w.property_u32("cpu_suspend", 0xc400_0001)?;
    w.property_string("method", "hvc")?;
    w.property_string_list(
        "compatible",
        vec!["arm,psci-1.0".into(), "arm,psci-0.2".into(), "arm,psci".into()],
    )?;
    w.end_node(node)
}

fn power_button(w: &mut FdtWriter) -> FdtWriterResult<()> {
    let keys = w.begin_node("gpio-keys")?;
    w.property_string("compatible", "gpio-keys")?;
    let node = w.begin_node("poweroff")?;
    w.property_array_u32("gpios", &[GPIO_PHANDLE, 3, 0])?;
    // KEY_POWER of Linux's input event codes.
    w.property_u32("linux,code", 116)?;
    w.property_string("label", "GPIO Key Poweroff")?;
    w.end_node(node)?;
    w.end_node(keys)
}

fn gic(w: &mut FdtWriter, f: &Facts<'_>) -> FdtWriterResult<()> {
    let node = w.begin_node("intc@8000000")?;
    w.property_u32("phandle", GIC_PHANDLE)?;
    if f.gicv3 {
        w.property_array_u64("reg", &[map::GIC_DIST, 0x1_0000, map::GIC_REDIST, 0x2_0000 * f.cpus as u64])?;
        w.property_u32("#redistributor-regions", 1)?;
        w.property_string("compatible", "arm,gic-v3")?;
    } else {
        w.property_array_u64("reg", &[map::GIC_DIST, 0x1_0000, map::GIC_CPU, 0x1_0000])?;
        w.property_string("compatible", "arm,cortex-a15-gic")?;
    }
    w.property_null("ranges")?;
    w.property_u32("#size-cells", 2)?;
    w.property_u32("#address-cells", 2)?;
    w.property_null("interrupt-controller")?;
    w.property_u32("#interrupt-cells", 3)?;
    w.end_node(node)
}

fn cpus(w: &mut FdtWriter, f: &Facts<'_>) -> FdtWriterResult<()> {
    let cpus = w.begin_node("cpus")?;
    w.property_u32("#size-cells", 0)?;
    w.property_u32("#address-cells", 1)?;
    let compatible = match f.model {
        "neoverse-n1" => "arm,neoverse-n1".to_string(),
        "max" => "arm,armv8".to_string(),
        model => format!("arm,{model}"),
    };
    for i in 0..f.cpus {
        let reg = affinity(i) as u32;
        let node = w.begin_node(&format!("cpu@{reg:x}"))?;
        w.property_u32("reg", reg)?;
        if f.cpus > 1 {
            w.property_string("enable-method", "psci")?;
        }
        w.property_string("compatible", &compatible)?;
        w.property_string("device_type", "cpu")?;
        w.end_node(node)?;
    }
    w.end_node(cpus)
}
