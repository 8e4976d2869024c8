//! STATE: how a host application says that it is there. Retained JSON on `spBv1.0/STATE/<host id>`.

use serde::{Deserialize, Serialize};

use crate::topic::NAMESPACE;

/// The payload of a STATE message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Whether the host application is there.
    pub online: bool,
    /// Milliseconds since the epoch. The will and the birth of one connection have the same, so that the will of an
    /// earlier connection is known for what it is.
    pub timestamp: u64,
}

impl State {
    /// Its JSON.
    #[must_use]
    pub fn to_json(self) -> String {
        format!("{{\"online\":{},\"timestamp\":{}}}", self.online, self.timestamp)
    }

    /// From JSON; `None` when it is no STATE payload of version 3.0.
    #[must_use]
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Topic of a host application.
#[must_use]
pub fn topic(host_id: &str) -> String {
    format!("{NAMESPACE}/STATE/{host_id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_goes_both_ways_and_what_is_none_is_told_apart() {
        let state = State { online: true, timestamp: 1_772_359_200_000 };
        assert_eq!(state.to_json(), r#"{"online":true,"timestamp":1772359200000}"#);
        assert_eq!(State::from_json(state.to_json().as_bytes()), Some(state));
        for other in ["ONLINE", "OFFLINE", "", "{}", r#"{"online":1,"timestamp":1}"#, r#"{"online":true}"#] {
            assert_eq!(State::from_json(other.as_bytes()), None, "{other}");
        }
        assert_eq!(topic("geminus"), "spBv1.0/STATE/geminus");
    }
}
