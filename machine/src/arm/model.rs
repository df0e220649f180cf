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
    let (mut fast, mut qarma) = (None, None);
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
            ("pauth-impdef", _) => {
                fast = Some(on);
                continue;
            }
            ("pauth-qarma5", _) => {
                qarma = Some(on);
                continue;
            }
            // The one state there is.
            ("aarch64", true) => continue,
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
    if (fast, qarma) == (Some(true), Some(true)) {
        return Err(refuse(
            "pauth-impdef=on and pauth-qarma5=on: one algorithm at a time, fast or QARMA5".into(),
        ));
    }
    let wanted = match (fast, qarma) {
        (Some(true), _) => Some("pauth-impdef"),
        (_, Some(true)) => Some("pauth-qarma5"),
        _ => None,
    };
    if let Some(switch) = wanted.filter(|_| model.features & f::PAUTH == 0) {
        let problem = format!("{switch}=on: this {} has no pointer authentication; use -cpu max", found.name);
        return Err(refuse(problem));
    }
    if model.features & f::PAUTH != 0 && (qarma == Some(true) || (fast == Some(false) && qarma.is_none())) {
        model.features |= f::PACQARMA5;
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
        assert_eq!(with("max", "pauth-impdef", "on").expect("a switch of max").features & f::PACQARMA5, 0);
        for (switch, value) in [("pauth-qarma5", "on"), ("pauth-impdef", "off")] {
            assert_ne!(with("max", switch, value).expect("a switch of max").features & f::PACQARMA5, 0);
        }
        for (model, switch, value) in [
            ("cortex-a53", "pauth", "on"),
            ("cortex-a72", "pauth-qarma5", "on"),
            ("max", "aarch64", "off"),
            ("max", "pmu", "maybe"),
            ("max", "sve", "on"),
            ("cortex-a15", "pmu", "on"),
        ] {
            assert!(matches!(with(model, switch, value), Err(BuildError::Option { option: "cpu", .. })));
        }
    }
}
