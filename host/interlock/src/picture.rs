//! What is known at the moment of a check, and what is wished for. All of it is handed in; nothing is looked up.

use std::time::Duration;

use geminus_core::{Authority, Quality, Timestamp, TwinIndex};

use crate::config::Priority;

/// Now, on both clocks. Intervals (slope, dwell, rate, bypasses) are measured on the monotonic one, so that a wall
/// clock that is set does not change them; deadlines are dates and are held against the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock.
    pub wall: Timestamp,
    /// Time since some start; never goes back while the process runs.
    pub monotonic: Duration,
}

/// One value of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Value in the point's unit.
    pub value: f64,
    /// Its quality.
    pub quality: Quality,
    /// How long ago it was measured; `None` when that is not known, as with a time in the future.
    pub age: Option<Duration>,
}

impl Reading {
    /// A point of which nothing is known.
    pub const MISSING: Self = Self { value: f64::NAN, quality: Quality::Missing, age: None };

    /// The value, if it may be used.
    pub(crate) fn usable(&self) -> Option<f64> {
        (self.quality.usable() && self.value.is_finite()).then_some(self.value)
    }
}

/// What the target has now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Present {
    /// The target has no feedback point: the last permitted value stands for it.
    #[default]
    NoFeedback,
    /// It has one, whose value is not usable now.
    Unknown,
    /// The read-back, in the target's unit.
    Value(f64),
}

/// Who wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A behavior, by itself.
    Behavior,
    /// A person, also one who approves what a behavior proposed.
    Person,
}

/// One value that somebody wishes for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish<'a> {
    /// Value in the target's unit.
    pub value: f64,
    /// What kind of proposer.
    pub by: By,
    /// Name of the proposer, as owners of targets are named.
    pub proposer: &'a str,
    /// Confidence of a behavior, 0 … 1.
    pub confidence: f64,
    /// From when on the wish is void.
    pub not_after: Timestamp,
}

/// An alarm of the twin that is active.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveAlarm<'a> {
    /// Name of the alarm.
    pub name: &'a str,
    /// Its priority.
    pub priority: Priority,
    /// Whether the site suppresses it by design: what a person has put aside blocks all the same.
    pub suppressed: bool,
}

/// What the host knows of the twin and the target.
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    /// Which twin.
    pub twin: TwinIndex,
    /// Grows whenever authority, rules or owner change; a permit of an older one is void.
    pub generation: u64,
    /// How far behaviors may reach.
    pub authority: Authority,
    /// Whether the twin is locked out: nobody writes.
    pub lockout: bool,
    /// Whether the field has taken over (local panel): nobody here writes.
    pub local: bool,
    /// Who owns the target; `None`: nobody yet.
    pub owner: Option<&'a str>,
    /// What the target has now.
    pub present: Present,
    /// Readings in the order of [`crate::Book::points`].
    pub readings: &'a [Reading],
    /// Active alarms of the twin; `None` when they are not known.
    pub alarms: Option<&'a [ActiveAlarm<'a>]>,
    /// Group and name of every other target that is active now; `None` when that is not known.
    pub active: Option<&'a [(&'a str, &'a str)]>,
}
