//! What a behavior gives back for a frame: values, and sparse alerts and proposals.

use crate::Quality;

/// Outputs of a frame of R rows; row numbers are those of the frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Number of declared outputs, O.
    pub outputs: usize,
    /// R × O, row-major, in declared order and declared units.
    pub values: Vec<f64>,
    /// R × O. Never empty here: `behavior` fills it in, makes NaN and infinities bad, and marks every output
    /// of a row that was not stepped (quarantined twin, fault) as bad with a NaN value.
    pub quality: Vec<Quality>,
    /// Sparse.
    pub alerts: Vec<Alert>,
    /// Sparse.
    pub proposals: Vec<Proposal>,
}

/// A behavior found something worth a person's attention.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Row of the frame.
    pub row: u32,
    /// Index into the declared alerts.
    pub alert: u32,
    /// What tripped it, in the declared unit.
    pub value: f64,
    /// Free text, bounded by the host.
    pub detail: String,
}

/// A wish to act. Nothing but `interlock` can turn it into a permit.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Row of the frame.
    pub row: u32,
    /// Index into the declared commands.
    pub command: u32,
    /// Wished value in the declared unit.
    pub value: f64,
    /// 0 … 1
    pub confidence: f64,
    /// For how long after the row's time the wish stands.
    pub valid_for_ms: u32,
    /// Free text, bounded by the host.
    pub reason: String,
}

/// What a behavior may answer instead of a result: the closed variants of the contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A parameter that the declaration promised to accept, but the code does not.
    #[error("parameter {pointer}: {reason}")]
    Parameter {
        /// JSON pointer into the parameters.
        pointer: String,
        /// Why not.
        reason: String,
    },
    /// State bytes that cannot be read, or a schema that this version does not know.
    #[error("state: {0}")]
    State(String),
    /// An input that this behavior cannot work with.
    #[error("input row {row}: {reason}")]
    Input {
        /// Row of the frame.
        row: u32,
        /// Why not.
        reason: String,
    },
    /// Asked for something that the declaration does not offer (a forecast, say).
    #[error("not declared: {0}")]
    NotDeclared(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}
