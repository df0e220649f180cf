//! `-cpu MODEL`: x86's processor models.

use crate::config::{BuildError, CpuConfig};
use lyrebird_cpu::x86::cpuid::Leaf;
use lyrebird_cpu::x86::features as f;
use lyrebird_cpu::x86::model::{self, Configured};

/// A processor model as configured.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name on the command line.
    pub name: &'static str,
    /// Features and CPUID.
    pub what: Configured,
}

impl Model {
    /// Whether it has long mode.
    pub fn is_64(&self) -> bool {
        self.what.features & f::LM != 0
    }

    /// Whether it has segments and registers of 32 bits.
    pub fn is_32(&self) -> bool {
        self.what.features & f::I386 != 0
    }

    /// Whether it has a local APIC.
    pub fn has_apic(&self) -> bool {
        self.what.cpuid.word(Leaf::L1D) >> 9 & 1 != 0
    }

    /// Family, model and stepping as CPUID has them, and DX after reset.
    pub fn signature(&self) -> u32 {
        self.what.cpuid.signature
    }

    /// CPUID leaf 1: EAX and EDX.
    pub fn identity(&self) -> (u32, u32) {
        (self.signature(), self.what.cpuid.word(Leaf::L1D))
    }
}

/// The model that a configuration asks for.
///
/// # Errors
/// When there is no such model, or it has no such switch.
pub fn of(config: &CpuConfig) -> Result<Model, BuildError> {
    let refuse = |problem| BuildError::Option { option: "cpu", problem };
    let switches = config.features.iter().map(|(name, value)| format!(",{name}={value}"));
    let what = model::configure(&switches.fold(config.model.clone(), |all, s| all + &s)).map_err(refuse)?;
    let name = model::find(&config.model).map_or("max", |m| m.name);
    Ok(Model { name, what })
}
