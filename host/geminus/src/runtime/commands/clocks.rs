//! What the two clocks tell against each other: a host that stood still, and a wall clock that was set. Both are looked for
//! before anything that was heard; after either, what was ready to go does not go.
//!
//! A machine that slept looks like a clock that was set ahead, so that counts as standing still, too.

use std::time::Duration;

use geminus_command::{CLOCK_BACK_MAX, Event as Step, Phase};
use geminus_core::{Clock, Event, Severity, Timestamp};
use geminus_interlock::Moment;
use uuid::Uuid;

use super::books::Books;
use super::desk::Desk;
use super::tick::STILL_MAX;

/// How long reading both clocks may take, so that they are of one moment.
const READ_MAX: Duration = Duration::from_millis(10);
/// How often they are read at most until that succeeds.
const READS_MAX: usize = 16;

/// Reads both clocks. Whoever is put aside between the two looks again, so that a busy machine is not taken for a clock that
/// was set.
pub(crate) fn now(clock: &dyn Clock) -> Moment {
    let read = || {
        let monotonic = clock.monotonic();
        let wall = clock.now();
        (Moment { wall, monotonic }, clock.monotonic().saturating_sub(monotonic))
    };
    let mut found = read();
    for _ in 1..READS_MAX {
        if found.1 <= READ_MAX {
            break;
        }
        found = read();
    }
    found.0
}

/// The wall clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jump {
    /// By so much more than what has passed.
    Ahead(Duration),
    /// By so much.
    Back(Duration),
}

impl Jump {
    /// How far the wall clock went another way than the one that is never set, if that is more than keeping it right takes.
    pub(crate) fn between(before: Moment, now: Moment) -> Option<Self> {
        let expected = expected(before, now);
        let (ahead, back) = (now.wall.since(expected), expected.since(now.wall));
        if back > CLOCK_BACK_MAX {
            return Some(Self::Back(back));
        }
        (ahead > CLOCK_BACK_MAX).then_some(Self::Ahead(ahead))
    }
}

impl std::fmt::Display for Jump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ahead(span) => write!(f, "the clock went ahead by {} s", span.as_secs()),
            Self::Back(span) => write!(f, "the clock was set back by {} s", span.as_secs()),
        }
    }
}

/// What the wall clock would show if nobody had set it.
fn expected(before: Moment, now: Moment) -> Timestamp {
    before.wall.plus(now.monotonic.saturating_sub(before.monotonic))
}

/// Why nothing that was decided at `turn` may leave at `now` any more.
pub(crate) fn held_up(turn: Moment, now: Moment) -> Option<String> {
    let still = now.monotonic.saturating_sub(turn.monotonic);
    if still > STILL_MAX {
        return Some(format!("it was held up for {} s on its way out of the host", still.as_secs()));
    }
    Jump::between(turn, now).map(|jump| format!("{jump} while it was on its way out of the host"))
}

impl<B: Books> Desk<B> {
    pub(crate) fn stood_still(&mut self, why: &str, still: Duration, now: Moment) {
        let lowered = self.authorities.disarm_all(why);
        self.generation += 1;
        let message = match lowered.is_empty() {
            true => why.to_owned(),
            false => format!("{why}: {} twins are disarmed until a person arms them", lowered.len()),
        };
        let facts = serde_json::json!({ "still_s": still.as_secs(), "disarmed": lowered });
        self.books.tell(Event::new("host-stood-still", Severity::Error, message).facts(facts));
        // What people have not approved yet they may still approve; whatever would go by itself does not.
        let waits = |phase: Phase, missing: u8| phase == Phase::Held && missing > 0;
        self.refuse_all("stood-still", why, waits, now);
    }

    /// The wall clock was set. Who locked a target out has it for as long as was said. Set back, nobody can tell any more how
    /// late anything is that was not sent, approvals among it.
    pub(crate) fn clock_was_set(&mut self, jump: Jump, before: Moment, now: Moment) {
        let expected = expected(before, now);
        let mut moved = Vec::new();
        for (place, station) in self.stations.iter_mut().enumerate() {
            if station.ownership.clock_was_set(expected, now.wall) {
                moved.push(place);
            }
        }
        for place in moved {
            self.keep_station(place);
        }
        let why = jump.to_string();
        let facts = match jump {
            Jump::Ahead(span) => serde_json::json!({ "ahead_s": span.as_secs() }),
            Jump::Back(span) => serde_json::json!({ "back_s": span.as_secs() }),
        };
        self.books.tell(Event::new("clock-set", Severity::Warning, why.clone()).facts(facts));
        match jump {
            Jump::Ahead(span) if span > STILL_MAX => {
                self.stood_still(&format!("{why}, or the machine slept"), span, now);
            }
            Jump::Ahead(_) => {}
            Jump::Back(_) => self.refuse_all("clock-set-back", &why, |_, _| false, now),
        }
    }

    /// Refuses whatever was not sent, but for what `spares` by its phase and the approvals that it lacks; and forgets wishes.
    fn refuse_all(&mut self, rule: &str, why: &str, spares: impl Fn(Phase, u8) -> bool, now: Moment) {
        let ready: Vec<Uuid> = self
            .open
            .values()
            // An approval that could not be written down yet has been given all the same.
            .map(super::desk::Open::latest)
            .filter(|record| record.phase().is_before_sending())
            .filter(|record| !spares(record.phase(), record.missing_approvals(now.wall)))
            .map(geminus_command::Record::id)
            .collect();
        for id in ready {
            let step = Step::Refuse { rule: rule.to_owned(), reason: format!("{why}: propose it anew") };
            self.step(id, step, now).unwrap_or_default();
        }
        self.stations.iter_mut().for_each(|station| station.wish = None);
    }
}
