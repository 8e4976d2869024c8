//! The signs of life of targets. They are written by the thread of commands and by nobody else, so that a desk that hangs
//! beats no more, and only while the twin is armed and orders could be sent: the field notices by the silence. A beat that the
//! transport knows nothing against has left; one without an answer lets no other one follow, and so is missed in the end.
//!
//! A field that heard nothing for so long has taken its fail action. Then the twin is disarmed, too, so that nobody commands on as
//! if nothing had been.

use std::collections::BTreeMap;
use std::time::Duration;

use geminus_core::{Authority, Event, Severity, Timestamp};
use geminus_dispatch::Beat;
use geminus_interlock::Moment;
use geminus_twin::plant::Heartbeat;

use super::books::Books;
use super::desk::Desk;
use super::tick::STILL_MAX;

/// Periods that a beat may stay away at least before the twin is disarmed.
const PERIODS: u32 = 2;
/// Why a twin that is not armed has no beats.
const UNARMED: &str = "the twin is not armed";

/// The sign of life of one target of one twin.
#[derive(Debug)]
pub(crate) struct Heart {
    /// Where it is written.
    pub(crate) address: String,
    pub(crate) every: Duration,
    /// How many have left.
    pub(crate) beats: u64,
    /// When the last one left.
    pub(crate) last: Option<Timestamp>,
    /// Why none leaves; `None` while it beats.
    pub(crate) silent: Option<String>,
    /// When the next one is due, on the monotonic clock.
    next: Duration,
    /// Since when the field waits for one: the last one, or when it should have begun. `None` while it should be silent.
    waits: Option<Duration>,
}

impl Heart {
    pub(crate) fn new(heartbeat: &Heartbeat, twin: &str) -> Self {
        Self {
            address: heartbeat.address(twin),
            every: heartbeat.every,
            beats: 0,
            last: None,
            silent: Some(UNARMED.to_owned()),
            next: Duration::ZERO,
            waits: None,
        }
    }

    /// It should be silent; the first beat after is due at once.
    fn rest(&mut self, why: &str) {
        (self.next, self.waits) = (Duration::ZERO, None);
        if self.silent.as_deref() != Some(why) {
            self.silent = Some(why.to_owned());
        }
    }

    fn left(&mut self, now: Moment) {
        self.beats += 1;
        self.last = Some(now.wall);
        self.silent = None;
        self.waits = Some(now.monotonic);
        // In step, unless the step was missed.
        let next = self.next + self.every;
        self.next = if next > now.monotonic { next } else { now.monotonic + self.every };
    }

    /// For how long it has stayed away, once that is too long.
    fn away(&self, now: Moment) -> Option<Duration> {
        let away = now.monotonic.saturating_sub(self.waits?);
        (away > STILL_MAX.max(self.every * PERIODS)).then_some(away)
    }
}

impl<B: Books> Desk<B> {
    /// Writes the beats that are due.
    pub(crate) fn beat(&mut self, now: Moment) {
        if !self.stations.iter().any(|station| station.heart.is_some()) {
            return;
        }
        self.miss(now);
        let hindrance = self.books.hindrance();
        for station in &mut self.stations {
            let Some(target) = self.plant.targets.get(station.target) else { continue };
            let Some(heart) = &mut station.heart else { continue };
            if self.authorities.effective(&station.id) < Authority::Control {
                heart.rest(UNARMED);
                continue;
            }
            if let Some(hindrance) = &hindrance {
                heart.rest(hindrance);
                continue;
            }
            if target.book.releases(&station.memory) {
                heart.rest("a trip is active: the target is given back to the field");
                continue;
            }
            heart.waits.get_or_insert(now.monotonic);
            if now.monotonic < heart.next {
                continue;
            }
            let beat = Beat {
                twin: &station.id,
                target: &station.name,
                address: &heart.address,
                sequence: heart.beats + 1,
                time: now.wall,
                every: heart.every,
            };
            match self.lines.beat(&target.source, &beat) {
                Ok(()) => heart.left(now),
                Err(reason) => heart.silent = Some(reason),
            }
        }
    }

    /// Disarms the twins whose beats stayed away for too long though they should not have. Before anything is sent after a
    /// pause.
    pub(crate) fn miss(&mut self, now: Moment) {
        let mut missed = BTreeMap::new();
        for station in &mut self.stations {
            let Some(heart) = &mut station.heart else { continue };
            let Some(away) = heart.away(now) else { continue };
            let because = heart.silent.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            let why = format!("no heartbeat of {} left for {} s{because}", station.name, away.as_secs());
            heart.rest(UNARMED);
            missed.entry(station.id.clone()).or_insert((why, station.name.clone(), away));
        }
        for (twin, (why, target, away)) in missed {
            // One that is disarmed already has nothing to lose, and nobody needs to hear of it.
            if self.authorities.effective(&twin) < Authority::Control {
                continue;
            }
            self.authorities.disarm(&twin, &why).unwrap_or_default();
            self.generation += 1;
            let message = format!("{why}: the twin is disarmed until a person arms it");
            let facts = serde_json::json!({ "target": target, "away_s": away.as_secs() });
            self.books.tell(Event::new("heartbeat-missed", Severity::Error, message).twin(twin).facts(facts));
        }
    }
}
