//! The first commands that reach a target after its behavior got it back, or after another version of it answers, are limited in
//! step: from where the field stands, and counted only when they are sent. What the shard limits before (`commanded`) goes by
//! what was wished; a wish may have been refused, or may wait for people while the field stays where it is.

use geminus_command::{HandOver, Precedence, Proposer, REASON_BYTES_MAX};
use geminus_interlock::{Bumpless, Moment};
use serde::{Deserialize, Serialize};

use super::books::Books;
use super::desk::Desk;
use super::station::Station;
use super::wish::BehaviorWish;

/// How the first commands are limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FirstCommands {
    /// Largest step, in the unit of the target.
    pub(crate) step_max: f64,
    /// How many are limited so.
    pub(crate) count: u32,
}

/// Since when commands of a behavior are limited, and how far that has run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Turn {
    /// The version whose command was sent last.
    version: Option<String>,
    /// How many of it were sent since it was limited; `None`: it never was.
    sent: Option<u32>,
}

impl Turn {
    /// The target changed hands: what its behavior sends next is among the first.
    pub(crate) fn handed(&mut self, over: &HandOver) {
        if over.to == Precedence::Behavior && over.from != Precedence::Behavior {
            self.sent = Some(0);
        }
    }

    /// A command was sent; those of people and programs do not count.
    pub(crate) fn sent(&mut self, proposer: &Proposer) {
        let Some(version) = version(proposer) else { return };
        let is_another = self.version.as_ref().is_some_and(|before| *before != version);
        self.sent = match self.sent {
            _ if is_another => Some(1),
            sent => sent.map(|sent| sent.saturating_add(1)),
        };
        self.version = Some(version);
    }

    fn limits(&self, proposer: &Proposer, count: u32) -> bool {
        let is_another = self.version.is_some() && self.version != version(proposer);
        count > 0 && (is_another || self.sent.is_some_and(|sent| sent < count))
    }
}

/// Which version of which behavior it is.
fn version(proposer: &Proposer) -> Option<String> {
    match proposer {
        Proposer::Behavior { name, version, digest } => Some(format!("{name}@{version} {digest}")),
        Proposer::Operator { .. } | Proposer::Program { .. } => None,
    }
}

impl<B: Books> Desk<B> {
    /// The wish, as far as one of the first commands goes. Where nobody knows where the field stands it is as it was: then
    /// the target refuses a behavior anyway, or has no feedback.
    pub(super) fn limited(&self, place: usize, wish: &BehaviorWish, now: Moment) -> BehaviorWish {
        let mut wish = wish.clone();
        let Some(station) = self.stations.get(place) else { return wish };
        let FirstCommands { step_max, count } = wish.first;
        if !station.turn.limits(&wish.proposer, count) {
            return wish;
        }
        let Some(last) = self.stands_at(station, now) else { return wish };
        let value = Bumpless { last, step_max }.limit(wish.value);
        if value != wish.value {
            let unit = self.target(station).map_or("", |target| target.unit.as_str());
            let words =
                format!("; {} {unit} were wished, and of the first commands each is limited", wish.value);
            wish.reason
                .truncate(wish.reason.floor_char_boundary(REASON_BYTES_MAX.saturating_sub(words.len())));
            wish.reason.push_str(&words);
            wish.value = value;
        }
        wish
    }

    /// What was written, where the field shows it; else what the field shows; else what was written.
    fn stands_at(&self, station: &Station, now: Moment) -> Option<f64> {
        let written = station.ownership.written().map(|written| written.value);
        let tolerance =
            self.target(station).and_then(|target| target.feedback.as_ref()).map_or(0.0, |f| f.tolerance);
        match (station.shown(&self.points, now), written) {
            (Some(shown), Some(written)) if (shown - written).abs() <= tolerance => Some(written),
            (Some(shown), _) => Some(shown),
            (None, written) => written,
        }
    }
}
