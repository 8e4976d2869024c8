//! `[containment]`: how far the host goes with a behavior that fails, before it holds a twin apart.
//!
//! The ladder for one twin of one behavior and version: it is restarted with its last good state, then with an older
//! one, then the version before this one is used for it, then it is quarantined and the site's substitute stands in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a twin whose behavior fails again and again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Containment {
    /// Failures of a behavior for a twin count together when they are at most so many seconds apart; 1 … 604800.
    pub strikes_window_s: u32,
    /// How often a twin is started again with its last good state; 0 … 100.
    pub restarts_max: u32,
    /// How often it is started again with an older state, when the last one did not help; 0 … 100.
    pub restarts_older_max: u32,
    /// Whether the version that ran before is tried for this twin alone, when no state helped.
    pub previous_version: bool,
    /// Seconds between a failure and the next start; 0 … 3600.
    pub restart_wait_s: u32,
    /// A component in which the whole process ended so often is left out at the next start; 1 … 100.
    pub crashes_max: u32,
    /// Such ends count together when each follows the one before within so many seconds, whatever else the process ended
    /// inside of meanwhile; 1 … 604800.
    pub crashes_window_s: u32,
}

impl Default for Containment {
    fn default() -> Self {
        Self {
            strikes_window_s: 600,
            restarts_max: 1,
            restarts_older_max: 1,
            previous_version: true,
            restart_wait_s: 1,
            crashes_max: 3,
            crashes_window_s: 3_600,
        }
    }
}
