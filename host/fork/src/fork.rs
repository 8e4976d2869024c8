//! One fork at work.

use std::sync::Arc;

use geminus_behavior::{
    Cohort, Compiled, HostCalls, Opening, Prediction, Refused, Snapshot, Standing, StartError, Stepped,
};
use geminus_core::{Frame, Timestamp, TwinIndex};

use crate::error::ForkError;

/// An instance with one twin, which nobody but its owner hears of.
#[derive(Debug)]
pub struct Fork {
    cohort: Cohort,
    twin: TwinIndex,
}

impl Fork {
    pub(crate) fn begin(
        compiled: &Arc<Compiled>,
        opening: Opening,
        state: &Snapshot,
    ) -> Result<Self, ForkError> {
        let (twin, label) = (opening.twin, compiled.declaration().label());
        let refused = |refused: &[Refused]| {
            let message = refused.first().map(|refused| refused.message.clone());
            message.map_or(Ok(()), |message| Err(ForkError::Refused { label: label.clone(), message }))
        };
        let started = Cohort::start(Arc::clone(compiled), Arc::new(Secluded), vec![opening]);
        let (mut cohort, out) = match started {
            Err(StartError::AllRefused { refused: all, label }) => {
                refused(&all)?;
                return Err(StartError::AllRefused { label, refused: all }.into());
            }
            other => other?,
        };
        refused(&out)?;
        refused(&cohort.take_in(state)?)?;
        Ok(Self { cohort, twin })
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// When they were not made for this behavior. Rows that it does not answer are no error, but faults in what it gives.
    pub fn step(&mut self, frame: &Frame) -> Result<Stepped, ForkError> {
        Ok(self.cohort.step(frame)?)
    }

    /// Asks the behavior itself about times after the last row; NaN among the values holds the last one.
    ///
    /// # Errors
    /// When it does not forecast, or fails.
    pub fn forecast(&mut self, times: &[Timestamp], values: &[f64]) -> Result<Prediction, ForkError> {
        Ok(self.cohort.forecast(self.twin, times, values)?)
    }

    /// Whether it still gets rows: one whose behavior broke is held apart, as in the host.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.cohort.standing(self.twin) == Some(Standing::Live)
    }
}

/// Answers a guest in a fork: its lines are of no use to an operator, for nothing of it has happened.
struct Secluded;

impl HostCalls for Secluded {
    fn log(&self, _twin: Option<TwinIndex>, _level: u8, message: &str) {
        tracing::trace!("behavior, in a fork: {message}");
    }
}
