//! Which event is legal in which state, and what it may lead to. The same table stands in the book
//! (docs/book/commands.md), and a test walks all of it.

use crate::{EventKind, Phase};

/// The states that `event` may lead to in `phase`; none when it is illegal there.
///
/// Where a hop towards the field can end in `expired`, it does so when it comes too late. A command that stays where it is
/// may still learn something: an approval, a late receipt, what a person found out.
#[must_use]
pub fn outcomes(phase: Phase, event: EventKind) -> &'static [Phase] {
    use EventKind as E;
    use Phase as P;
    match (phase, event) {
        (P::Proposed, E::Permit) => &[P::Checked, P::Expired],
        (P::Checked, E::Hold) => &[P::Held, P::Expired],
        (P::Held, E::Approve) => &[P::Held, P::Expired],
        (P::Checked | P::Held, E::Arm) => &[P::Armed, P::Expired],
        (P::Armed, E::Send) => &[P::Sent, P::Expired],

        (P::Proposed | P::Checked | P::Held | P::Armed, E::Refuse | E::Withdraw) => &[P::Refused],
        (P::Held, E::Reject) => &[P::Refused],
        (P::Proposed | P::Checked | P::Held | P::Armed, E::Supersede) => &[P::Superseded],
        (P::Proposed, E::Tick | E::Restart) => &[P::Proposed, P::Expired],
        (P::Checked, E::Tick) => &[P::Checked, P::Expired],
        (P::Held, E::Tick | E::Restart) => &[P::Held, P::Expired],
        (P::Armed, E::Tick) => &[P::Armed, P::Expired],
        // What was checked before a restart was checked against another picture.
        (P::Checked | P::Armed, E::Restart) => &[P::Proposed, P::Expired],

        // A read-back waits for the transport: what never left is not verified by a value that the field had anyway.
        (P::Sent, E::Acknowledge) => &[P::TransportAcked, P::Verified],
        (P::Sent, E::NotSent) => &[P::Failed],
        (P::Sent | P::TransportAcked, E::Decline) => &[P::Failed],
        (P::Sent, E::Lose | E::Restart) => &[P::Verified, P::Indeterminate],
        // After a newer one that is read back at the same point was sent, nobody can tell whose effect shows there.
        (P::Sent, E::ReadBack | E::Overtake) => &[P::Sent],
        (P::Sent, E::Tick) => &[P::Sent, P::Verified, P::Indeterminate],
        (P::TransportAcked, E::ReadBack) => &[P::TransportAcked, P::Verified],
        (P::TransportAcked, E::Overtake) => &[P::TransportAcked],
        (P::TransportAcked, E::Tick | E::Restart) => &[P::TransportAcked, P::Indeterminate],

        // Late words: written down, and only a "no" or a fresh read-back changes what is known.
        (P::Verified, E::Acknowledge) => &[P::Verified],
        (P::Indeterminate, E::Acknowledge | E::Resolve | E::Overtake) => &[P::Indeterminate],
        (P::Indeterminate, E::Decline) => &[P::Failed],
        (P::Indeterminate, E::ReadBack) => &[P::Indeterminate, P::Verified],

        // Time changes nothing any more.
        (P::Verified, E::Tick | E::Restart) => &[P::Verified],
        (P::Refused, E::Tick | E::Restart) => &[P::Refused],
        (P::Expired, E::Tick | E::Restart) => &[P::Expired],
        (P::Superseded, E::Tick | E::Restart) => &[P::Superseded],
        (P::Failed, E::Tick | E::Restart) => &[P::Failed],
        (P::Indeterminate, E::Tick | E::Restart) => &[P::Indeterminate],

        (
            P::Proposed
            | P::Checked
            | P::Held
            | P::Armed
            | P::Sent
            | P::TransportAcked
            | P::Verified
            | P::Refused
            | P::Expired
            | P::Superseded
            | P::Failed
            | P::Indeterminate,
            _,
        ) => &[],
    }
}
