//! Where forks come from: a twin between two rows, as a copy that may go to another thread.

use std::sync::Arc;

use geminus_behavior::{Cohort, Compiled, Opening, Snapshot, Standing};
use geminus_core::{Declaration, Digest, Timestamp, TwinIndex};

use crate::error::ForkError;
use crate::fork::Fork;

/// A copy of one twin: its version, what it was opened with, its state.
#[derive(Clone, Debug)]
pub struct Origin {
    compiled: Arc<Compiled>,
    opening: Opening,
    state: Snapshot,
}

impl Origin {
    /// Copies a twin out of the instance where it is at work: one call for its state, nothing else is disturbed.
    ///
    /// # Errors
    /// When it is not at work there, or its state cannot be copied.
    pub fn of(cohort: &mut Cohort, twin: TwinIndex) -> Result<Self, ForkError> {
        if cohort.standing(twin) != Some(Standing::Live) {
            return Err(ForkError::Twin);
        }
        let opening = cohort.opening(twin).cloned().ok_or(ForkError::Twin)?;
        let state = cohort.copy(&[twin], None)?;
        Ok(Self { compiled: Arc::clone(cohort.compiled()), opening, state })
    }

    /// Of a twin whose state was kept.
    #[must_use]
    pub fn kept(compiled: Arc<Compiled>, opening: Opening, state: Snapshot) -> Self {
        Self { compiled, opening, state }
    }

    /// Which twin.
    #[must_use]
    pub fn twin(&self) -> TwinIndex {
        self.opening.twin
    }

    /// What its version declares.
    #[must_use]
    pub fn declaration(&self) -> &Arc<Declaration> {
        self.compiled.declaration()
    }

    /// Digest of its component.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.compiled.digest()
    }

    /// Its parameters, as UTF-8 JSON.
    #[must_use]
    pub fn parameters(&self) -> &Arc<[u8]> {
        &self.opening.parameters
    }

    /// Time of the last row that the state has seen; `None` before the first.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        let saved = self.state.twins.iter().find(|saved| saved.twin == self.opening.twin)?;
        (saved.time.0 > 0).then_some(saved.time)
    }

    /// A fork, with the twin's own parameters or with others, which must be valid under the declared schema.
    ///
    /// # Errors
    /// When the component cannot be started once more, or refuses parameters or state.
    pub fn fork(&self, parameters: Option<&Arc<[u8]>>) -> Result<Fork, ForkError> {
        let mut opening = self.opening.clone();
        if let Some(parameters) = parameters {
            opening.parameters = Arc::clone(parameters);
        }
        Fork::begin(&self.compiled, opening, &self.state)
    }
}
