//! `-cpu MODEL`: x86's processor models.

use crate::config::{BuildError, CpuConfig};
use lyrebird_cpu::x86::features as f;

/// A processor model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its name on the command line.
    pub name: &'static str,
    /// Feature bits.
    pub features: u64,
    /// Family, model and stepping as CPUID has them, and DX after reset.
    pub signature: u32,
}

impl Model {
    /// Whether it has long mode.
    pub fn is_64(&self) -> bool {
        self.features & f::LM != 0
    }
}

/// All models.
pub const MODELS: &[Model] = &[
    Model { name: "max", features: u64::MAX, signature: 0x0006_0FB1 },
    Model { name: "max32", features: !(f::LM | f::SYSCALL | f::LAHF_LM), signature: 0x0006_0FB1 },
];

/// The model that a configuration asks for.
///
/// # Errors
/// When there is no such model, or it has no such switch.
pub fn of(config: &CpuConfig) -> Result<Model, BuildError> {
    let refuse = |problem| BuildError::Option { option: "cpu", problem };
    if let Some((switch, _)) = config.features.first() {
        return Err(refuse(format!("unknown switch '{switch}'; x86 models have none")));
    }
    MODELS.iter().find(|m| m.name == config.model).copied().ok_or_else(|| {
        let names: Vec<&str> = MODELS.iter().map(|m| m.name).collect();
        refuse(format!("unknown model '{}'; the models are {}", config.model, names.join(", ")))
    })
}
