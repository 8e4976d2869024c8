//! Why a call could not be answered: the closed variants of the contract. A fault is an answer, not a crash.

use std::fmt;

/// What a behavior may answer instead of a result. After a fault no slot has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A parameter that the declaration promised to accept, but the code does not. From `open`.
    Parameter {
        /// JSON pointer into the parameters, `/time_constant` say.
        pointer: String,
        /// Why not, and what would do.
        reason: String,
    },
    /// State bytes that cannot be read, or a schema that this version does not know.
    State(String),
    /// An input that this behavior cannot work with. From `step`.
    Input {
        /// Row of the call; the slot table fills it in.
        row: u32,
        /// Why not.
        reason: String,
    },
    /// Asked for something that the declaration does not offer.
    NotDeclared(String),
    /// Anything else, in words for an operator.
    Other(String),
}

impl Fault {
    /// A parameter (its name, not a pointer) that cannot be used.
    #[must_use]
    pub fn parameter(name: &str, reason: impl fmt::Display) -> Self {
        Self::Parameter { pointer: format!("/{name}"), reason: reason.to_string() }
    }

    /// An input of the row at hand that cannot be worked with.
    #[must_use]
    pub fn input(reason: impl fmt::Display) -> Self {
        Self::Input { row: 0, reason: reason.to_string() }
    }

    /// State that cannot be read or made.
    #[must_use]
    pub fn state(reason: impl fmt::Display) -> Self {
        Self::State(reason.to_string())
    }

    /// Anything else.
    #[must_use]
    pub fn other(reason: impl fmt::Display) -> Self {
        Self::Other(reason.to_string())
    }

    pub(crate) fn at(self, row: u32) -> Self {
        match self {
            Self::Input { reason, .. } => Self::Input { row, reason },
            fault => fault,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter { pointer, reason } => write!(f, "parameter {pointer}: {reason}"),
            Self::State(reason) => write!(f, "state: {reason}"),
            Self::Input { row, reason } => write!(f, "input row {row}: {reason}"),
            Self::NotDeclared(what) => write!(f, "not declared: {what}"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Fault {}
