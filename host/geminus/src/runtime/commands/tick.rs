//! What time brings: deadlines, trips, owners whose time is over; and what a host does that could not write. What samples and the
//! transport bring stands in `hear`, what clocks tell against each other in `clocks`.

use std::collections::BTreeSet;
use std::time::Duration;

use geminus_command::{Command, Event as Step, Phase, Proposer};
use geminus_core::{Authority, Event, Severity};
use geminus_interlock::{Moment, Watched};
use geminus_twin::plant::Target;
use uuid::Uuid;

use super::books::Books;
use super::clocks::Jump;
use super::desk::{Desk, FAIL_PROPOSER, is_fail};
use super::propose::id_of;
use super::station::{Safe, told};

/// How often all trips are looked at; those of points with new values at once.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How often the safe value is proposed while a trip is active and none has arrived.
pub(crate) const SAFE_EVERY: Duration = Duration::from_secs(5);
/// A loop that has not turned for so long stood still: nothing that was armed before may be sent after.
pub(crate) const STILL_MAX: Duration = Duration::from_secs(5);
/// After a pause of the loop longer than this, missed beats are looked for before anything that was heard is looked at.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a command of an earlier run waits for the first samples of its points.
const HEARD_MAX: Duration = Duration::from_secs(10);
/// What holds authority down while journal or outbox cannot be written.
const HINDERED: &str = "journal or outbox cannot be written";

/// When something was done last.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// When the loop turned last; `None` before the first time.
    turned: Option<Moment>,
    watched: Duration,
    /// Until when commands of an earlier run wait for the first samples.
    early: Duration,
}

impl Timers {
    /// The desk has just been set up.
    pub(crate) fn settle(&mut self, now: Moment) {
        self.turned = Some(now);
        self.early = now.monotonic + HEARD_MAX;
    }

    pub(crate) fn is_early(&self, now: Moment) -> bool {
        now.monotonic < self.early
    }
}

impl<B: Books> Desk<B> {
    /// To be called before anything that was heard is looked at: a host that stood still disarms everything,
    /// and after a clock that was set nobody is late or early by it.
    pub(crate) fn turn(&mut self, now: Moment) {
        let Some(before) = self.timers.turned.replace(now) else { return };
        let still = now.monotonic.saturating_sub(before.monotonic);
        if let Some(jump) = Jump::between(before, now) {
            self.clock_was_set(jump, before, now);
        }
        if still > STILL_MAX {
            self.stood_still(&format!("the host stood still for {} s", still.as_secs()), still, now);
        } else if still > PAUSE_MAX {
            self.miss(now);
        }
    }

    /// What a few times a second brings.
    pub(crate) fn tick(&mut self, now: Moment) {
        self.look_at_books();
        self.unstick(now);
        self.keep_unkept();
        let due: Vec<Uuid> = self
            .open
            .values()
            .map(|open| &open.record)
            .filter(|record| {
                record.deadline().is_some_and(|due| due <= now.wall) || now.wall < record.since()
            })
            .map(geminus_command::Record::id)
            .collect();
        let mut settled = BTreeSet::new();
        for id in due {
            let place = self.open.get(&id).and_then(|open| self.place_of(&open.record));
            if self.step(id, Step::Tick, now).unwrap_or_default() {
                settled.extend(place);
            }
        }
        for place in 0..self.stations.len() {
            self.owner_tick(place, now);
        }
        if now.monotonic.saturating_sub(self.timers.watched) >= WATCH_EVERY {
            self.timers.watched = now.monotonic;
            (0..self.stations.len()).for_each(|place| self.watch(place, now));
        }
        // Those that wait for another one, for a connection, or for a journal that can be written.
        let waiting = self.open.values().filter(|open| {
            matches!(open.record.phase(), Phase::Proposed | Phase::Checked | Phase::Held | Phase::Armed)
        });
        settled.extend(waiting.filter_map(|open| self.place_of(&open.record)));
        settled.into_iter().for_each(|place| self.advance_station(place, now));
        (0..self.stations.len()).for_each(|place| self.take_up(place, now));
        // Last, so that a tick that hangs beats no more.
        self.beat(now);
    }

    /// Nothing is sent that cannot be written down, and nobody has more than `advise` meanwhile; that it can be again arms
    /// nobody.
    fn look_at_books(&mut self) {
        let hindrance = self.books.hindrance();
        if hindrance.is_some() == self.hindered.is_some() {
            return;
        }
        let twins: Vec<String> = self.authorities.iter().map(|(twin, _)| twin.to_owned()).collect();
        match &hindrance {
            Some(reason) => {
                self.authorities.disarm_all(&format!("{HINDERED}: {reason}"));
                for twin in &twins {
                    self.authorities.limit(twin, HINDERED, Authority::Advise).unwrap_or_default();
                }
                let message = format!("nothing is sent: {reason}");
                self.books.tell(Event::new("dispatch-stopped", Severity::Error, message));
            }
            None => {
                for twin in &twins {
                    self.authorities.lift(twin, HINDERED).unwrap_or_default();
                }
                let message = "commands can be sent again; twins stay disarmed until a person arms them";
                self.books.tell(Event::new("dispatch-possible", Severity::Info, message));
            }
        }
        self.generation += 1;
        self.hindered = hindrance;
    }

    fn owner_tick(&mut self, place: usize, now: Moment) {
        let Some(station) = self.stations.get_mut(place) else { return };
        let present = station.shown(&self.points, now);
        let over = station.ownership.tick(present, now.wall);
        if over.is_none() && !station.unsaved {
            return;
        }
        over.iter().for_each(|over| station.turn.handed(over));
        let (id, name) = (station.id.clone(), station.name.clone());
        if let Some(over) = &over {
            self.generation += 1;
            let message = format!("{name} goes {}", told(over));
            self.books.tell(Event::new("target-handed-over", Severity::Info, message).twin(id));
        }
        self.keep_station(place);
    }

    /// Looks at the trips of a target without any wish.
    pub(crate) fn watch(&mut self, place: usize, now: Moment) {
        let Some(station) = self.stations.get(place) else { return };
        let authority = self.authorities.effective(&station.id);
        let (id, name, latched) = (station.id.clone(), station.name.clone(), station.memory.latched().len());
        let looked = self.look(place, authority, now, |book, picture, mut memory| {
            let watched = book.watch(picture, &mut memory, now);
            (watched, memory, book.fail_action())
        });
        let Some((Watched { tripped, cleared, fail_due }, memory, action)) = looked else { return };
        let is_latched = memory.latched().len() != latched;
        let is_tripped = memory.is_tripped();
        if let Some(station) = self.stations.get_mut(place) {
            station.memory = memory;
            if fail_due || !is_tripped {
                station.safe = Safe::default();
            }
        }
        for (rule, seen) in &tripped {
            let message = format!("trip \"{rule}\" of {name}: {seen}; nothing is written while it is active");
            let facts = serde_json::json!({ "target": name, "rule": rule, "seen": seen });
            self.books
                .tell(Event::new("interlock-tripped", Severity::Warning, message).twin(&*id).facts(facts));
        }
        for rule in &cleared {
            let message = format!("trip \"{rule}\" of {name} is over");
            self.books.tell(Event::new("interlock-cleared", Severity::Info, message).twin(&*id));
        }
        if is_latched {
            self.keep_station(place);
        }
        if fail_due {
            let message = format!("the fail action of {name} is due: the host {action}");
            self.books.tell(Event::new("interlock-fail-action", Severity::Warning, message).twin(&*id));
            self.fail(place, now);
        } else if is_tripped && self.lacks_safe_value(place, now) {
            self.fail(place, now);
        }
    }

    /// Whether the safe value is to be proposed once more: none has arrived since the trip became active, and none is under way or in
    /// doubt. Without a connection or a journal it would only fail again.
    fn lacks_safe_value(&self, place: usize, now: Moment) -> bool {
        let Some(station) = self.stations.get(place) else { return false };
        let is_due = station.safe.tried.is_none_or(|at| now.monotonic.saturating_sub(at) >= SAFE_EVERY);
        let can_go = |target: &Target| target.book.has_safe_value() && self.lines.is_up(&target.source);
        let goes = self.hindered.is_none() && self.target(station).is_some_and(can_go);
        let is_open = || {
            let mut open = self.of_station(place).into_iter().filter_map(|id| self.open.get(&id));
            open.any(|open| is_fail(&open.record))
        };
        !station.safe.arrived && is_due && goes && !is_open()
    }

    /// The safe value of a target whose trip became active goes the way of every command; the trip that stops others is
    /// what lets it through. Only of a twin that this host controls, and that nobody has locked or taken over.
    fn fail(&mut self, place: usize, now: Moment) {
        let Some(station) = self.stations.get(place) else { return };
        let authority = self.authorities.effective(&station.id);
        let life = geminus_command::ARMED_MAX;
        let value = self.look(place, authority, now, |book, picture, memory| {
            book.fail_permit(picture, &memory, life, now).map(|permit| permit.value())
        });
        let (Some(value), Some(target)) = (value.flatten(), self.target(station)) else { return };
        let (twin, name, unit, class) =
            (station.id.clone(), station.name.clone(), target.unit.clone(), target.class_name.clone());
        if let Some(station) = self.stations.get_mut(place) {
            station.safe.tried = Some(now.monotonic);
        }
        let Ok(random) = self.books.random() else { return };
        let command = Command {
            id: id_of(now.wall, &random),
            twin,
            target: name,
            value,
            unit,
            proposer: Proposer::Program { name: FAIL_PROPOSER.to_owned(), owner: None },
            reason: "a trip became active: the safe value".to_owned(),
            evidence: Vec::new(),
            proposed: now.wall,
            not_after: now.wall.plus(life),
            class,
        };
        if let Err(error) = self.enter(place, command, now) {
            let message = format!("the safe value cannot be written: {error}");
            self.books.tell(Event::new("interlock-fail-action", Severity::Error, message));
        }
    }
}
