//! What behaviors wish, row after row, and what of it becomes a command: the newest wish only, once, and not while the one
//! before is looked at.

use std::time::Duration;

use geminus_command::{Command, Evidence, Phase, Proposer, Record};
use geminus_core::{Event, Severity, Timestamp};
use geminus_interlock::Moment;

use super::books::Books;
use super::bumpless::FirstCommands;
use super::desk::Desk;

/// Shortest time between two commands of a behavior to one target.
const TAKEN_EVERY: Duration = Duration::from_secs(1);
/// How long a command that waits for people is left to them before another value takes its place.
const HELD_MIN: Duration = Duration::from_secs(10);
/// How long the same value is not taken up again after it came to nothing.
const AGAIN_EVERY: Duration = Duration::from_secs(60);
/// Longest life of a wish that nobody has to approve.
const LIFE_MAX: Duration = Duration::from_secs(3_600);
/// Shortest one: less cannot be sent.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// What a behavior wishes of a target after a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BehaviorWish {
    /// Whose target.
    pub(crate) twin: geminus_core::TwinIndex,
    /// Name of the target.
    pub(crate) target: String,
    /// The value in the unit of the target.
    pub(crate) value: f64,
    /// The version that wishes it.
    pub(crate) proposer: Proposer,
    pub(crate) reason: String,
    /// What the row held, and how sure the behavior is.
    pub(crate) evidence: Vec<Evidence>,
    /// Time of the row.
    pub(crate) row: Timestamp,
    /// For how long it stands.
    pub(crate) valid: Duration,
    /// How it is limited where it is one of the first.
    pub(crate) first: FirstCommands,
}

impl<B: Books> Desk<B> {
    /// Hears a wish: it takes the place of the one before, and is taken up when it is its turn.
    pub(crate) fn hear_wish(&mut self, wish: BehaviorWish, now: Moment) {
        let Some(place) = self.places.get(&(wish.twin, wish.target.clone())).copied() else { return };
        if let Some(station) = self.stations.get_mut(place) {
            station.wish = Some(wish);
        }
        self.take_up(place, now);
    }

    /// Makes a command of what the behavior of a target wished last, if it is time for one.
    pub(crate) fn take_up(&mut self, place: usize, now: Moment) {
        let Some(station) = self.stations.get(place) else { return };
        let Some(wish) = &station.wish else { return };
        if now.wall >= wish.row.plus(wish.valid.clamp(LIFE_MIN, LIFE_MAX)) && self.expires_alone(place, wish)
        {
            self.forget_wish(place);
            return;
        }
        let wish = self.limited(place, wish, now);
        match self.turn_of(place, &wish, now) {
            Turn::Now => {}
            Turn::Later => return,
            Turn::Never => return self.forget_wish(place),
        }
        self.forget_wish(place);
        if let Some(station) = self.stations.get_mut(place) {
            station.taken = Some((wish.value, now.monotonic));
        }
        let name = wish.target.clone();
        if let Err(error) = self.command_of(place, wish, now) {
            let message = format!("what a behavior wishes of {name} is not taken: {error}");
            self.books.tell(Event::new("command-not-taken", Severity::Warning, message));
        }
    }

    /// Whether a wish is held to its own life: where people approve it, they get the time that their class gives.
    fn expires_alone(&self, place: usize, wish: &BehaviorWish) -> bool {
        self.approvers(place, &wish.proposer) == 0
    }

    fn approvers(&self, place: usize, proposer: &Proposer) -> u8 {
        let Some(station) = self.stations.get(place) else { return 0 };
        let authority = self.authorities.effective(&station.id);
        self.target(station).and_then(|target| target.class.approvers(authority, proposer)).unwrap_or(0)
    }

    fn forget_wish(&mut self, place: usize) {
        if let Some(station) = self.stations.get_mut(place) {
            station.wish = None;
        }
    }

    fn turn_of(&self, place: usize, wish: &BehaviorWish, now: Moment) -> Turn {
        let Some(station) = self.stations.get(place) else { return Turn::Never };
        let tolerance =
            self.target(station).and_then(|target| target.feedback.as_ref()).map_or(0.0, |f| f.tolerance);
        let same = |value: f64| (value - wish.value).abs() <= tolerance;
        let since_taken = station.taken.map(|(value, at)| (value, now.monotonic.saturating_sub(at)));
        if since_taken.is_some_and(|(_, since)| since < TAKEN_EVERY) {
            return Turn::Later;
        }
        for record in
            self.of_station(place).iter().filter_map(|id| self.open.get(id)).map(|open| &open.record)
        {
            if record.is_in_doubt() {
                // It would be refused, every second anew.
                return Turn::Never;
            }
            let command = record.command();
            if command.proposer.is_person() && record.phase().is_before_sending() {
                return Turn::Never;
            }
            if same(command.value) {
                return Turn::Never;
            }
            if record.is_in_flight() || (record.phase() == Phase::Held && is_young(record, now)) {
                return Turn::Later;
            }
        }
        let shows_it =
            station.ownership.written().is_some_and(|written| written.verified && same(written.value))
                && station.shown(&self.points, now).is_some_and(same);
        if shows_it {
            return Turn::Never;
        }
        match since_taken {
            Some((value, since)) if same(value) && since < AGAIN_EVERY => Turn::Never,
            _ => Turn::Now,
        }
    }

    fn command_of(
        &mut self,
        place: usize,
        wish: BehaviorWish,
        now: Moment,
    ) -> Result<(), geminus_api::Trouble> {
        let approvers = self.approvers(place, &wish.proposer);
        let id = self.mint(now)?;
        let Some((twin, target)) =
            self.stations.get(place).and_then(|station| Some((station.id.clone(), self.target(station)?)))
        else {
            return Ok(());
        };
        let not_after = match approvers {
            // A row from the future does not make a wish live longer.
            0 => wish.row.min(now.wall).plus(wish.valid.clamp(LIFE_MIN, LIFE_MAX)),
            _ => now.wall.plus(target.class.approve_within() + geminus_command::ARMED_MAX),
        };
        let command = Command {
            id,
            twin,
            target: target.name.clone(),
            value: wish.value,
            unit: target.unit.clone(),
            proposer: wish.proposer,
            reason: wish.reason,
            evidence: wish.evidence,
            proposed: now.wall,
            not_after: not_after.min(now.wall.plus(geminus_command::LIFE_MAX)),
            class: target.class_name.clone(),
        };
        self.enter(place, command, now).map(drop)
    }
}

/// When a wish is taken up.
#[derive(Debug, PartialEq)]
enum Turn {
    Now,
    Later,
    /// It is there already, or would come to nothing.
    Never,
}

/// Whether people have had no time to look at it.
fn is_young(record: &Record, now: Moment) -> bool {
    now.wall.since(record.command().proposed) < HELD_MIN
}
