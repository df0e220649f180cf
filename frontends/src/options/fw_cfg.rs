//! `-fw_cfg`: files that the guest finds in fw_cfg.

use std::path::PathBuf;

use lyrebird_machine::config::{FwCfgData, FwCfgFile};

use super::{Invocation, Stop};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::KeyVals;
use crate::exit::Failure;

/// Reads them all.
pub fn read(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    for text in &args.fw_cfg {
        let mut kv = KeyVals::parse("fw_cfg", text, Some("name"))?;
        let name = kv.take("name").ok_or_else(|| kv.missing("name"))?;
        let data = match (kv.take("string"), kv.take("file")) {
            (Some(text), None) => FwCfgData::Text(text),
            (None, Some(path)) => FwCfgData::File(PathBuf::from(path)),
            _ => {
                let advice = "give one of string=TEXT and file=FILE";
                return Err(Failure::usage(format!("-fw_cfg {text}: {advice}")).into());
            }
        };
        kv.finish()?;
        if out.config.fw_cfg.iter().any(|file| file.name == name) {
            return Err(Failure::usage(format!("-fw_cfg {text}: there is a file {name} already")).into());
        }
        if !name.starts_with("opt/") {
            out.warnings.push(format!("-fw_cfg {text}: names of users' files begin with opt/"));
        }
        out.config.fw_cfg.push(FwCfgFile { name, data });
    }
    Ok(())
}
