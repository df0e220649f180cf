//! `-cpu MODEL,switch=on|off`: the processor model with what is switched on and off in it.

use crate::config::{BuildError, CpuConfig};
use lyrebird_cpu::arm::features as f;
use lyrebird_cpu::arm::model::{self, Model};

fn refuse(problem: String) -> BuildError {
    BuildError::Option { option: "cpu", problem }
}

/// The model that a configuration asks for.
///
/// # Errors
/// When there is no such model, or it cannot be switched so.
pub fn of(config: &CpuConfig) -> Result<Model, BuildError> {
    let Some(found) = model::find(&config.model) else {
        let names: Vec<&str> = model::MODELS.iter().map(|m| m.name).collect();
        return Err(refuse(format!("unknown model '{}'; the models are {}", config.model, names.join(", "))));
    };
    let mut model = *found;
    for (switch, value) in &config.features {
        let on = match value.as_str() {
            "on" => true,
            "off" => false,
            _ => return Err(refuse(format!("{switch}={value}: use on or off"))),
        };
        let bit = match (switch.as_str(), on) {
            ("pauth", _) => f::PAUTH,
            ("pmu", _) => f::PMUV3,
            ("lse", _) => f::LSE,
            ("rndr", _) => f::RNG,
            // The one algorithm there is, and the one state.
            ("pauth-impdef" | "aarch64", true) | ("pauth-qarma5", false) => continue,
            ("pauth-impdef", false) | ("pauth-qarma5", true) => {
                return Err(refuse(format!(
                    "{switch}={value}: QARMA5 is not implemented; leave the switch out for the fast algorithm"
                )));
            }
            ("aarch64", false) => {
                return Err(refuse("aarch64=off: AArch32 is not implemented; leave the switch out".into()));
            }
            _ => return Err(refuse(format!("unknown switch '{switch}'; -cpu help lists them"))),
        };
        if on && found.features & bit == 0 {
            let name = found.name;
            return Err(refuse(format!("{switch}=on: a {name} has no such thing; use -cpu max")));
        }
        model.features = if on { model.features | bit } else { model.features & !bit };
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(model: &str, switch: &str, value: &str) -> Result<Model, BuildError> {
        of(&CpuConfig { model: model.into(), features: vec![(switch.into(), value.into())] })
    }

    #[test]
    fn switches_change_the_model_or_say_why_not() {
        assert_eq!(with("max", "pauth", "off").expect("a switch of max").features & f::PAUTH, 0);
        assert_ne!(with("max", "lse", "on").expect("a switch of max").features & f::LSE, 0);
        for (model, switch, value) in [
            ("cortex-a53", "pauth", "on"),
            ("max", "pauth-qarma5", "on"),
            ("max", "aarch64", "off"),
            ("max", "pmu", "maybe"),
            ("max", "sve", "on"),
            ("cortex-a15", "pmu", "on"),
        ] {
            assert!(matches!(with(model, switch, value), Err(BuildError::Option { option: "cpu", .. })));
        }
    }
}
