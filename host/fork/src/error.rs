//! Why there is no fork, or no answer of one.

use geminus_behavior::{ForecastError, FrameError, RestoreError, SnapshotError, StartError};

/// Why.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// No such twin in the instance, or it is held apart.
    #[error("the twin is not at work here: it was never taken up, or is held apart")]
    Twin,
    /// Its state cannot be copied.
    #[error(transparent)]
    Copy(#[from] SnapshotError),
    /// The component does not take up the twin, with these parameters perhaps.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The twin, or its state, is refused.
    #[error("{label} does not take up the twin: {message}")]
    Refused {
        /// Which plugin.
        label: String,
        /// In its words.
        message: String,
    },
    /// The state is of another plugin or schema.
    #[error(transparent)]
    State(#[from] RestoreError),
    /// Rows that were not made for this behavior.
    #[error(transparent)]
    Rows(#[from] FrameError),
    /// No forecast.
    #[error(transparent)]
    Forecast(#[from] ForecastError),
    /// It was told to stop.
    #[error("it takes too long: ask for fewer rows or fewer runs")]
    TimeUp,
}
