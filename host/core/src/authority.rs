//! How far a twin's behaviors may reach.

use serde::{Deserialize, Serialize};

/// observe < advise < control. A proposal is only ever a proposal; this says what the host may do with it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Authority {
    /// A digital shadow: proposals are recorded, never acted on.
    #[default]
    Observe,
    /// Proposals are shown to people, who act themselves.
    Advise,
    /// Proposals that every interlock permits are carried out.
    Control,
}
