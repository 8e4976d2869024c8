//! What may follow the `?`: read strictly, so that a misspelt parameter is an error and never a silent default.

pub mod activations;
pub mod alarms;
pub mod commands;
pub mod history;
pub mod journal;
mod params;
pub mod stream;
pub mod thread;
pub mod twins;

pub use activations::ActivationsQuery;
pub use alarms::AlarmsQuery;
pub use commands::{CommandsQuery, TargetsQuery};
pub use history::HistoryQuery;
pub use journal::JournalQuery;
pub use stream::StreamQuery;
pub use thread::ThreadQuery;
pub use twins::TwinsQuery;

pub(crate) use params::Params;
