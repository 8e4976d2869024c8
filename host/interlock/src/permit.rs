//! A permit: the pass from `interlock` to `dispatch`. Its fields are private and it cannot be copied, so that what
//! was judged is what is sent, once.

use geminus_core::{Timestamp, TwinIndex};

use crate::TwinFacts;

/// Leave to send one value, until it expires or its generation is over.
#[derive(Debug, PartialEq)]
#[must_use = "a permit that is dropped is a command that is not sent"]
pub struct Permit {
    twin: TwinIndex,
    command: String,
    value: f64,
    generation: u64,
    expires: Timestamp,
}

impl Permit {
    pub(crate) fn new(facts: &TwinFacts<'_>, value: f64, command: &str, expires: Timestamp) -> Self {
        Self { twin: facts.twin, command: command.to_owned(), value, generation: facts.generation, expires }
    }

    pub(crate) fn of(twin: TwinIndex, generation: u64, target: &str, value: f64, expires: Timestamp) -> Self {
        Self { twin, command: target.to_owned(), value, generation, expires }
    }

    /// Whose command.
    #[must_use]
    pub fn twin(&self) -> TwinIndex {
        self.twin
    }

    /// Name of the command, or of the target that it is for.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Value in the command's unit.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Generation of the twin for which it was given.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// From when on it is void.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}
