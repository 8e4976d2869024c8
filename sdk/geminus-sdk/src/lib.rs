//! The SDK: what an author writes a behavior with, natively and for wasm. The README, which follows, is its guide.
//!
#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

// The derives name this crate by its public path; inside it, that path must lead here.
extern crate self as geminus_sdk;

mod alert;
mod behavior;
mod columns;
pub mod document;
mod fault;
pub mod json;
pub mod log;
pub mod math;
mod memo;
mod output;
pub mod pack;
pub mod parameter;
mod proposal;
mod random;
mod reading;
mod row;
mod state;
mod table;
pub mod testing;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm;

pub use alert::{Alerts, NoAlerts, Raisable};
pub use behavior::{Ahead, Answer, Behavior, Opening, Predicted};
pub use columns::{Alert, ForecastRequest, OpeningRequest, Outcome, Prediction, Rows, States, Wish};
pub use fault::Fault;
pub use geminus_sdk_macros::{
    Alerts, Commands, Inputs, Outputs, Pack, Parameters, State, command_policy, estimator, health_rule,
    surrogate,
};
pub use memo::Memo;
pub use output::{Output, OutputField, Outputs};
pub use pack::Pack;
pub use parameter::Parameters;
pub use proposal::{Commands, NoCommands, Proposable, Proposal};
pub use random::Random;
pub use reading::{InputField, Inputs, Quality, Reading};
pub use row::{Row, Timestamp};
pub use state::{Migrate, State, unknown_schema};
pub use table::SlotTable;

/// What a behavior's source imports: `use geminus_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Ahead, Alerts, Behavior, Commands, Fault, Inputs, Memo, Migrate, NoAlerts, NoCommands, Opening,
        Output, Outputs, Pack, Parameters, Predicted, Proposal, Quality, Random, Reading, Row, State,
        Timestamp, command_policy, estimator, health_rule, log, math, surrogate, testing,
    };
}
