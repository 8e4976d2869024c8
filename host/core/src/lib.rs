//! The words of the house, as types: what every room may say to another.
//!
//! Nothing here does IO, waits or spawns. A type that crosses a border between two rooms lives here (the
//! *pass*), unless making it is a privilege: a `Permit` is made in `interlock` and is defined there.

pub mod authority;
pub mod clock;
pub mod context;
pub mod declaration;
pub mod frame;
pub mod id;
pub mod journal;
pub mod outcome;
pub mod quality;
pub mod sample;
pub mod ticket;
pub mod time;
pub mod unit;
pub mod wasi;

pub use authority::Authority;
pub use clock::{Clock, ManualClock, SystemClock};
pub use context::ContextRecord;
pub use declaration::Declaration;
pub use frame::Frame;
pub use id::{Digest, SeriesId, TwinIndex};
pub use journal::{Event, Severity};
pub use outcome::{Alert, Fault, Outcome, Proposal};
pub use quality::Quality;
pub use sample::{Batch, Sample};
pub use ticket::{Ticket, TicketBook};
pub use time::Timestamp;
