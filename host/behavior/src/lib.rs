//! Runs behaviors: components behind the contract in `wit/`, as cohorts of twins that share an instance.
//!
//! Takes frames and components, gives outcomes. The only room that names wasmtime; no async, no clock, and of
//! WASI only what the runtimes of other languages cannot do without (`wasi`).
//! An `Engine` is made once a process, a `Compiled` once a plugin version, a `Cohort` is owned by one shard
//! thread. Whatever a behavior does (crash, loop, eat memory, answer nonsense), only its own twin notices.

mod answer;
mod artefact;
mod base;
mod bindings;
mod cohort;
mod columns;
mod compiled;
mod engine;
mod flood;
mod host;
mod instance;
mod limits;
mod meter;
mod shape;
mod slots;
mod states;
mod trouble;
mod wasi;

pub use cohort::{
    Cohort, ColdStart, ForecastError, FrameError, Heir, Household, Prediction, RestoreError, SnapshotError,
    StartError, Stepped, SwapError, handover_schema,
};
pub use compiled::{CompileError, Compiled};
pub use engine::{Engine, EngineError};
pub use flood::{Flood, Rule};
pub use host::{HostCalls, NO_LOOKUPS, Series};
pub use limits::Limits;
pub use slots::{Opening, Standing};
pub use states::{Saved, Snapshot};
pub use trouble::{FaultKind, Refused, TwinFault};
