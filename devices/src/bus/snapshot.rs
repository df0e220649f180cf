//! Saved state: one serde `State` struct per device, as postcard bytes.

use serde::{Serialize, de::DeserializeOwned};

/// A failure to save or load the state of a device.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The bytes are not those of this state.
    #[error("The saved state cannot be read")]
    Format(#[from] postcard::Error),
    /// The bytes decode to a state that the device can never be in, or that of another configuration.
    #[error("The saved state does not fit this device: {0}")]
    Invalid(&'static str),
}

/// The bytes of a state.
pub fn save<S: Serialize>(state: &S) -> Result<Vec<u8>, StateError> {
    Ok(postcard::to_stdvec(state)?)
}

/// The state in `saved`, all of which must be used.
pub fn load<S: DeserializeOwned>(saved: &[u8]) -> Result<S, StateError> {
    let (state, rest) = postcard::take_from_bytes(saved)?;
    if rest.is_empty() { Ok(state) } else { Err(StateError::Invalid("it is too long")) }
}

/// `Ok` if `holds`; states the invariant that a loaded state breaks otherwise.
pub fn require(holds: bool, what: &'static str) -> Result<(), StateError> {
    if holds { Ok(()) } else { Err(StateError::Invalid(what)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_rejects() {
        let bytes = save(&(7u32, [1u8, 2])).unwrap();
        assert_eq!(load::<(u32, [u8; 2])>(&bytes).unwrap(), (7, [1, 2]));
        assert!(load::<(u32, [u8; 2])>(&bytes[..2]).is_err());
        assert!(load::<u32>(&bytes).is_err());
    }
}
