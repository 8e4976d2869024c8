//! The path of a command, decided: from a wish to a value that was read back, or to the reason why not.
//!
//! Pure: no IO, no clock, no randomness; ids and times are arguments. [`apply`] says what an event makes of a [`Record`],
//! [`outcomes`] which events are possible; [`arrive`] and [`admit`] say whether a command is taken at all, [`Ownership`] who may
//! command a target, [`Authorities`] how far a twin's behaviors may reach. The host carries it out: it keeps every
//! transition before it takes the next step, asks the interlocks where the table says `permit`, `arm` and `send`, and writes to
//! the field only what is `sent` here and permitted there.

mod admission;
mod apply;
mod approval;
mod authority;
mod canonical;
mod command;
mod event;
mod exact;
mod owner;
mod read_back;
mod record;
mod replay;
mod state;
mod table;
mod terms;

#[cfg(test)]
mod tests;

pub use admission::{Admission, AdmissionError, admit, blocked_by_doubt, waits_for};
pub use apply::{ANSWER_MAX, APPROVALS_MAX, ARMED_MAX, CLOCK_BACK_MAX, Illegal, apply, recover};
pub use approval::{APPROVERS_MAX, Approval, ApprovalError, Class, ClassError, Classes};
pub use authority::{Armed, Authorities, AuthorityError, Standing, UNARMED_MAX};
pub use command::{
    Command, CommandError, EVIDENCE_MAX, Evidence, LIFE_MAX, NAME_BYTES_MAX, Proposer, REASON_BYTES_MAX,
};
pub use event::{Event, EventKind};
pub use owner::{HandOver, Holding, OwnerError, Ownership, Precedence, Start, Written};
pub use read_back::{Feedback, ReadBack, SOURCE_AHEAD_MAX};
pub use record::{DocumentError, ProposeError, Receipt, Record, Resolution};
pub use replay::{AHEAD_MAX, Arrival, REPLAY_WINDOW, ReplayError, arrive, id_time};
pub use state::{Doubt, Lateness, Phase, State};
pub use table::outcomes;
pub use terms::{Destination, Terms, TermsError, WITHIN_MS_MAX};
