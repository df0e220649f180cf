//! What boards have in common.

use crate::chardev::{Backend, Chardevs};
use crate::config::{BuildError, Config, Drive, FileRole, FwCfgData, FwCfgFile, RtcBase, SerialPort};
use crate::loader::Files;
use lyrebird_devices::block::{self, BlockBackend};
use lyrebird_devices::bus::span::SpanError;
use lyrebird_devices::char::{CharPort, Chardev, Null};
use lyrebird_devices::fw_cfg::FwCfg;
use std::sync::Arc;

pub(super) fn span(e: SpanError) -> BuildError {
    BuildError::Host(format!("the board's address map does not work out: {e}"))
}

pub(super) fn option(option: &'static str, problem: impl Into<String>) -> BuildError {
    BuildError::Option { option, problem: problem.into() }
}

/// The drive that a device names.
///
/// # Errors
/// When there is none.
pub(super) fn find_drive<'a>(config: &'a Config, id: &str) -> Result<&'a Drive, BuildError> {
    config.drives.iter().find(|d| d.id == id).ok_or_else(|| {
        let problem = format!("there is no drive with id '{id}'; add -drive id={id},file=...,if=none");
        option("device", problem)
    })
}

/// Opens the image of a drive.
pub(super) fn open_drive(drive: &Drive, snapshot: bool) -> Result<Arc<dyn BlockBackend>, BuildError> {
    Ok(block::open(&drive.image(snapshot))?)
}

/// RAM that the host has, in bytes.
fn host_memory() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64 + info.totalswap as u64) * u64::from(info.mem_unit)
}

/// Refuses amounts of RAM that the host or the board, which takes `most` bytes, cannot have.
pub(super) fn check_ram(config: &Config, most: u64, board: &str) -> Result<(), BuildError> {
    let host = host_memory();
    if config.ram > host {
        return Err(option(
            "m",
            format!("{} MiB is more than the host's {} MiB", config.ram >> 20, host >> 20),
        ));
    }
    if config.ram < 1 << 20 || config.ram > most {
        return Err(option("m", format!("{board} takes 1 MiB to {} GiB of RAM", most >> 30)));
    }
    Ok(())
}

/// Seconds since 1970 that the real-time clock starts from.
pub(super) fn epoch(config: &Config) -> i64 {
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs());
    match config.rtc.base {
        RtcBase::Utc | RtcBase::LocalTime => now as i64,
        RtcBase::Date(seconds) => seconds,
    }
}

/// The far end of a serial port, if it has one.
pub(super) struct SerialLine(Option<Arc<dyn Backend>>);

/// The far end of the board's serial port number `n`.
///
/// # Errors
/// When it is a chardev that there is not.
pub(super) fn serial(config: &Config, chardevs: &dyn Chardevs, n: usize) -> Result<SerialLine, BuildError> {
    let Some(SerialPort::Chardev(id)) = config.serials.get(n) else { return Ok(SerialLine(None)) };
    let line = chardevs.plug(id, &format!("serial{n}"));
    let line = line.ok_or_else(|| option("serial", format!("there is no chardev with id '{id}'")))?;
    Ok(SerialLine(Some(line)))
}

impl SerialLine {
    /// Where output goes.
    pub(super) fn chardev(&self) -> Arc<dyn Chardev> {
        match &self.0 {
            Some(line) => Arc::clone(line) as Arc<dyn Chardev>,
            None => Arc::new(Null),
        }
    }

    /// Says who takes the input.
    pub(super) fn connect(self, port: Arc<dyn CharPort>) {
        if let Some(line) = self.0 {
            line.connect(port);
        }
    }
}

/// Puts the files of `-fw_cfg` there.
///
/// # Errors
/// When a file cannot be read or has no good name.
pub(super) fn offer_files(config: &Config, files: &mut Files, fw_cfg: &mut FwCfg) -> Result<(), BuildError> {
    for FwCfgFile { name, data } in &config.fw_cfg {
        let bytes = match data {
            FwCfgData::Text(text) => text.clone().into_bytes(),
            FwCfgData::File(path) => files.read(FileRole::FwCfg, path)?,
        };
        fw_cfg.add_file(name, bytes).map_err(|e| option("fw_cfg", e.to_string()))?;
    }
    Ok(())
}
