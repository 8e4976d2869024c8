//! The states of an alarm and how one follows from another: the state model of ISA-18.2 (letters A to I there).
//!
//! The table stands in docs/book/alarms.md, and a test walks every cell of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// What an alarm is when nothing suppresses it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The condition does not hold and nothing is left to do (A).
    #[default]
    Normal,
    /// It holds and nobody has acknowledged it (B).
    Unacknowledged,
    /// It holds and somebody knows (C).
    Acknowledged,
    /// It held, nobody has acknowledged that (D).
    Returned,
    /// It held, the alarm stays until a person has acknowledged and reset it (E).
    LatchedUnacknowledged,
    /// It held, somebody knows, the alarm stays until a person resets it (F).
    LatchedAcknowledged,
}

/// What can happen to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The condition holds, its delay is over.
    Rise,
    /// It does not hold any more, its delay is over.
    Fall,
    /// A person acknowledges.
    Acknowledge,
    /// A person resets a latch.
    Reset,
    /// Nothing suppresses it any more.
    Release,
}

/// What people see: the state, or why it is suppressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// See [`State::Normal`].
    Normal,
    /// See [`State::Unacknowledged`].
    Unacknowledged,
    /// See [`State::Acknowledged`].
    Acknowledged,
    /// See [`State::Returned`].
    Returned,
    /// See [`State::LatchedUnacknowledged`].
    LatchedUnacknowledged,
    /// See [`State::LatchedAcknowledged`].
    LatchedAcknowledged,
    /// A person has put it aside for a time (G).
    Shelved,
    /// The site says that it means nothing now (H).
    SuppressedByDesign,
    /// Its twin does not send, so nobody knows.
    SuppressedByStaleness,
    /// A person has taken it out of service until further notice (I).
    OutOfService,
}

impl State {
    /// Whether the condition holds.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::Acknowledged)
    }

    /// Whether somebody should acknowledge.
    #[must_use]
    pub fn wants_acknowledgement(self) -> bool {
        matches!(self, Self::Unacknowledged | Self::Returned | Self::LatchedUnacknowledged)
    }

    /// As it is with or without a latch: the site may have changed its mind since the state was saved.
    #[must_use]
    pub fn fit(self, latch: bool) -> Self {
        match (self, latch) {
            (Self::Returned, true) => Self::LatchedUnacknowledged,
            (Self::LatchedUnacknowledged, false) => Self::Returned,
            (Self::LatchedAcknowledged, false) => Self::Normal,
            (other, _) => other,
        }
    }

    /// The state after `event`. While an alarm is suppressed (shelved, by design, out of service) it follows its
    /// condition silently and takes neither acknowledgement nor reset.
    ///
    /// # Errors
    /// Why an acknowledgement or a reset does not fit.
    pub fn after(self, event: Event, latch: bool, suppressed: bool) -> Result<Self, Refusal> {
        let state = self.fit(latch);
        match event {
            Event::Rise => Ok(match state {
                Self::Acknowledged => Self::Acknowledged,
                _ => Self::Unacknowledged,
            }),
            Event::Fall => Ok(state.fallen(latch, suppressed)),
            Event::Acknowledge | Event::Reset if suppressed => Err(Refusal::Suppressed),
            Event::Acknowledge => match state {
                Self::Unacknowledged => Ok(Self::Acknowledged),
                Self::Returned => Ok(Self::Normal),
                Self::LatchedUnacknowledged => Ok(Self::LatchedAcknowledged),
                Self::Normal => Err(Refusal::NothingToAcknowledge),
                Self::Acknowledged | Self::LatchedAcknowledged => Err(Refusal::AcknowledgedAlready),
            },
            Event::Reset => match state {
                Self::LatchedAcknowledged => Ok(Self::Normal),
                Self::LatchedUnacknowledged => Err(Refusal::AcknowledgeFirst),
                Self::Unacknowledged | Self::Acknowledged if latch => Err(Refusal::StillActive),
                _ => Err(Refusal::NotLatched),
            },
            // What still holds is told anew: who shelved it may not be who is there now.
            Event::Release => Ok(match state {
                Self::Unacknowledged | Self::Acknowledged => Self::Unacknowledged,
                Self::LatchedUnacknowledged | Self::LatchedAcknowledged => Self::LatchedUnacknowledged,
                Self::Normal | Self::Returned => Self::Normal,
            }),
        }
    }

    fn fallen(self, latch: bool, suppressed: bool) -> Self {
        match self {
            Self::Unacknowledged if latch => Self::LatchedUnacknowledged,
            Self::Acknowledged if latch => Self::LatchedAcknowledged,
            // Of what nobody was told, nobody has to say that he knows.
            Self::Unacknowledged if suppressed => Self::Normal,
            Self::Unacknowledged => Self::Returned,
            Self::Acknowledged => Self::Normal,
            other => other,
        }
    }
}

impl Shown {
    /// All of them, in the order of the documents.
    pub const ALL: [Self; 10] = [
        Self::Normal,
        Self::Unacknowledged,
        Self::Acknowledged,
        Self::Returned,
        Self::LatchedUnacknowledged,
        Self::LatchedAcknowledged,
        Self::Shelved,
        Self::SuppressedByDesign,
        Self::SuppressedByStaleness,
        Self::OutOfService,
    ];

    /// Lower-case name, as APIs and documents show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unacknowledged => "unacknowledged",
            Self::Acknowledged => "acknowledged",
            Self::Returned => "returned",
            Self::LatchedUnacknowledged => "latched-unacknowledged",
            Self::LatchedAcknowledged => "latched-acknowledged",
            Self::Shelved => "shelved",
            Self::SuppressedByDesign => "suppressed-by-design",
            Self::SuppressedByStaleness => "suppressed-by-staleness",
            Self::OutOfService => "out-of-service",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shown| shown.name() == name)
    }
}

impl From<State> for Shown {
    fn from(state: State) -> Self {
        match state {
            State::Normal => Self::Normal,
            State::Unacknowledged => Self::Unacknowledged,
            State::Acknowledged => Self::Acknowledged,
            State::Returned => Self::Returned,
            State::LatchedUnacknowledged => Self::LatchedUnacknowledged,
            State::LatchedAcknowledged => Self::LatchedAcknowledged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = include_str!("../../../docs/book/alarms.md");
    const EVENTS: [(Event, bool); 7] = [
        (Event::Rise, false),
        (Event::Fall, false),
        (Event::Acknowledge, false),
        (Event::Reset, false),
        (Event::Rise, true),
        (Event::Fall, true),
        (Event::Release, true),
    ];

    fn state(name: &str) -> State {
        let all = [
            State::Normal,
            State::Unacknowledged,
            State::Acknowledged,
            State::Returned,
            State::LatchedUnacknowledged,
            State::LatchedAcknowledged,
        ];
        let found = all.into_iter().find(|state| Shown::from(*state).name() == name);
        found.unwrap_or_else(|| panic!("the book names a state {name:?}"))
    }

    /// Rows of the book's table under `heading`: the state, and a cell for each of `EVENTS`.
    fn rows(heading: &str) -> Vec<Vec<String>> {
        let (_, rest) = BOOK.split_once(heading).expect("the table of the book");
        let lines = rest.lines().skip_while(|line| !line.starts_with('|')).skip(2);
        let cells =
            |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        lines.take_while(|line| line.starts_with('|')).map(cells).collect()
    }

    fn walk(heading: &str, latch: bool, states: &[&str]) {
        let rows = rows(heading);
        let named: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(named, states, "{heading}");
        for row in &rows {
            assert_eq!(row.len(), 1 + EVENTS.len(), "{row:?}");
            for ((event, suppressed), cell) in EVENTS.iter().zip(&row[1..]) {
                let from = state(&row[0]);
                let found = from.after(*event, latch, *suppressed);
                let what = format!("{heading}: {} on {event:?}, suppressed {suppressed}", row[0]);
                match cell.as_str() {
                    "refused" => assert!(found.is_err(), "{what}: {found:?}"),
                    "–" => assert_eq!(found, Ok(from), "{what}"),
                    other => assert_eq!(found, Ok(state(other)), "{what}"),
                }
            }
        }
    }

    #[test]
    fn every_cell_of_the_book_is_so() {
        let (normal, held) = ("normal", ["unacknowledged", "acknowledged"]);
        walk("### Without a latch", false, &[normal, held[0], held[1], "returned"]);
        let latched = ["latched-unacknowledged", "latched-acknowledged"];
        walk("### With a latch", true, &[normal, held[0], held[1], latched[0], latched[1]]);
    }

    #[test]
    fn what_is_suppressed_takes_neither_acknowledgement_nor_reset() {
        for name in ["normal", "unacknowledged", "acknowledged", "returned", "latched-unacknowledged"] {
            for event in [Event::Acknowledge, Event::Reset] {
                assert_eq!(state(name).after(event, true, true), Err(Refusal::Suppressed), "{name}");
            }
        }
    }

    #[test]
    fn a_site_may_change_its_mind_about_a_latch() {
        for (from, latch, to) in [
            (State::Returned, true, State::LatchedUnacknowledged),
            (State::LatchedUnacknowledged, false, State::Returned),
            (State::LatchedAcknowledged, false, State::Normal),
            (State::Acknowledged, true, State::Acknowledged),
        ] {
            assert_eq!(from.fit(latch), to);
        }
    }

    #[test]
    fn names_and_json_agree() {
        for shown in Shown::ALL {
            assert_eq!(serde_json::to_value(shown).expect("json"), shown.name());
            assert_eq!(Shown::from_name(shown.name()), Some(shown));
        }
    }
}
