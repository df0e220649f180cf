//! What to boot: `-kernel -initrd -append -dtb -bios`, the file of `lyrebird run`, and `-rtc`.

use std::path::Path;

use lyrebird_machine::config::{Board, Boot, BootDevice, ImageFormat, Rtc, RtcBase, RtcClock};

use super::media::{plain, plug};
use super::{Invocation, Stop};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::KeyVals;
use crate::detect::{Kind, detect};
use crate::exit::{ExitClass, Failure};

/// Reads the boot options and puts the file where it belongs.
pub fn read(args: &MachineArgs, look: bool, out: &mut Invocation) -> Result<(), Stop> {
    out.config.boot = Boot {
        kernel: args.kernel.clone(),
        initrd: args.initrd.clone(),
        append: args.append.clone(),
        dtb: args.dtb.clone(),
        bios: args.bios.clone(),
        order: Vec::new(),
        menu: false,
        menu_wait: None,
    };
    for text in &args.boot {
        order(text, &mut out.config.boot)?;
    }
    if let Some(file) = &args.file {
        place(file, look, out)?;
    }
    Ok(())
}

/// `-boot [order=]cda,once=,menu=on|off,splash-time=,strict=`.
fn order(text: &str, boot: &mut Boot) -> Result<(), Failure> {
    let mut kv = KeyVals::parse("boot", text, Some("order"))?;
    // There is one boot after power-on, and a reset boots like it.
    if let Some(letters) = kv.take("once").or(kv.take("order")) {
        let device = |letter| BOOT_DEVICES.iter().find(|d| d.0 == letter).map(|d| d.1);
        let devices = letters.chars().map(device).collect::<Option<Vec<_>>>();
        boot.order = devices.ok_or_else(|| {
            kv.bad("order", &letters, "use letters of a (diskette), c (disk), d (CD-ROM), n (network)")
        })?;
    }
    boot.menu = kv.take_bool("menu")?.unwrap_or(boot.menu);
    boot.menu_wait = kv.take_u32("splash-time")?.or(boot.menu_wait);
    kv.take_bool("strict")?;
    kv.finish()
}

/// Letters of boot devices.
const BOOT_DEVICES: &[(char, BootDevice)] =
    &[('a', BootDevice::Floppy), ('c', BootDevice::Disk), ('d', BootDevice::Cd), ('n', BootDevice::Network)];

fn place(file: &Path, look: bool, out: &mut Invocation) -> Result<(), Stop> {
    // QEMU takes a lone file for a disk whatever is in it.
    if !look {
        return plug("hda", plain("hda", file.to_owned()), Some(0), false, out);
    }
    let boot = &mut out.config.boot;
    let (slot, name) = match detect(file)? {
        Kind::Kernel(_) => (&mut boot.kernel, "-kernel"),
        Kind::Firmware => (&mut boot.bios, "-bios"),
        Kind::Disk(format, _) => {
            let mut drive = plain("disk0", file.to_owned());
            drive.format = Some(format);
            // A disk image that carries an ISO file system is a medium that nobody can write to.
            let iso = format == ImageFormat::Raw && file.extension().is_some_and(|e| e == "iso");
            drive.read_only = iso;
            return plug("drive", drive, None, iso, out);
        }
    };
    if slot.is_some() {
        return Err(Failure::usage(format!(
            "'{}' is what {name} names, and {name} was given too",
            file.display()
        ))
        .into());
    }
    *slot = Some(file.to_owned());
    Ok(())
}

/// Combinations that make no sense.
pub fn check(out: &Invocation) -> Result<(), Failure> {
    let config = &out.config;
    let boot = &config.boot;
    let only_with_kernel = [("initrd", boot.initrd.is_some()), ("append", boot.append.is_some())];
    for (name, given) in only_with_kernel {
        if given && boot.kernel.is_none() {
            return Err(Failure::new(
                ExitClass::Impossible,
                format!("-{name}: only a -kernel can use it; there is none"),
            ));
        }
    }
    let flash = config.drives.iter().any(|d| d.pflash == Some(0));
    if flash && boot.bios.is_some() {
        return Err(Failure::new(
            ExitClass::Impossible,
            "-bios and -drive if=pflash are for the same flash; give one",
        ));
    }
    let only_dumps = matches!(&config.board, Board::Virt(virt) if virt.dump_dtb.is_some());
    let own_firmware = matches!(config.board, Board::Pc(_)) && !config.drives.is_empty();
    let something = boot.kernel.is_some() || boot.bios.is_some() || flash || own_firmware;
    if !something && !only_dumps && !out.waits() {
        let advice = if config.drives.is_empty() {
            "give a file, -kernel or -bios; 'lyrebird run -help' has examples"
        } else {
            "the board has no firmware of its own: a disk needs a -kernel or a -bios beside it"
        };
        return Err(Failure::usage(format!("nothing to run: {advice}")));
    }
    Ok(())
}

/// `-rtc`.
pub fn rtc(args: &MachineArgs) -> Result<Rtc, Failure> {
    let Some(text) = &args.rtc else { return Ok(Rtc::default()) };
    let mut kv = KeyVals::parse("rtc", text, Some("base"))?;
    let base =
        match kv.take("base").as_deref() {
            None | Some("utc") => RtcBase::Utc,
            Some("localtime") => RtcBase::LocalTime,
            Some(date) => RtcBase::Date(parse_date(date).ok_or_else(|| {
                kv.bad("base", date, "use utc, localtime, 2026-01-31 or 2026-01-31T12:00:00")
            })?),
        };
    let clocks = [("host", RtcClock::Host), ("rt", RtcClock::Rt), ("vm", RtcClock::Vm)];
    let clock = kv.take_enum("clock", &clocks)?.unwrap_or_default();
    kv.take_enum("driftfix", &[("none", ()), ("slew", ())])?;
    kv.finish()?;
    Ok(Rtc { base, clock })
}

/// Seconds since 1970 of `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SS`, UTC.
fn parse_date(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let numbers = |text: &str, sep: char, widths: [usize; 3]| -> Option<[i64; 3]> {
        let parts: Vec<&str> = text.split(sep).collect();
        let [a, b, c] = parts.as_slice() else { return None };
        let mut out = [0; 3];
        for ((part, width), slot) in [a, b, c].into_iter().zip(widths).zip(&mut out) {
            if part.len() != width || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *slot = part.parse().ok()?;
        }
        Some(out)
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 in the proleptic Gregorian calendar, counted in years that begin in March.
    let y = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::parse_date;

    #[test]
    fn dates() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("2000-02-29T12:34:56"), Some(951_827_696));
        assert_eq!(parse_date("2026-11-21"), Some(1_795_219_200));
        for bad in ["", "2026", "2026-13-01", "2025-02-29", "2026-1-1", "2026-01-01T24:00:00", "2026-01-01T"]
        {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }
}
