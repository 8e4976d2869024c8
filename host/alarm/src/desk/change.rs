//! What the desk hears from shards, and what it tells.

use geminus_core::TwinIndex;

use crate::{Action, Key, Mark, Shown, Words};

/// What a shard says.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// The condition of an alarm holds or not.
    Condition {
        /// Whose.
        key: Key,
        /// Whether it holds.
        holds: bool,
        /// What tripped it; NaN when there is no number.
        value: f64,
        /// What the behavior adds.
        detail: String,
        /// Words of the version that raised it, of an alert.
        words: Option<Words>,
    },
    /// The point that suppresses an alarm by design is where it does, or not.
    Design {
        /// Whose.
        key: Key,
        /// Whether it suppresses.
        holds: bool,
    },
    /// A twin does not send any more, or sends again.
    Stale {
        /// Which.
        twin: TwinIndex,
        /// Whether it is stale.
        stale: bool,
    },
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The condition holds.
    Raised,
    /// It does not hold any more.
    Returned,
    /// It still holds after what suppressed it is gone: told anew.
    ToldAnew,
    /// What a person ordered.
    Ordered(Action),
    /// Its time on the shelf is over.
    ShelfOver,
    /// The site suppresses it.
    SuppressedByDesign,
    /// The site does not suppress it any more.
    ReleasedByDesign,
    /// Its twin does not send any more.
    Stale,
    /// Its twin sends again.
    Fresh,
    /// It is told too often.
    Chatters,
    /// More alarms than an operator can handle.
    FloodBegan,
    /// They are fewer again.
    FloodEnded,
}

/// One thing that happened to one alarm; a flood is of no single one.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Which alarm.
    pub key: Option<Key>,
    /// What.
    pub happened: Happened,
    /// Who did it, of an order.
    pub mark: Option<Mark>,
    /// What people saw before.
    pub before: Shown,
    /// What they see now.
    pub after: Shown,
    /// Told to nobody, because the alarm is suppressed.
    pub silent: bool,
}
