//! The desk: the only writer of commands. Each transition is decided by `geminus_command`, kept, told, and only then followed
//! by the next one. Where the table says `permit`, `arm` and `send`, the interlocks are asked with what is known at that moment.
//!
//! Without a thread and without a clock: time is an argument, and what is outside stands behind [`Books`] and [`Lines`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use geminus_api::Trouble;
use geminus_command::{Authorities, Event as Step, Illegal, Phase, Proposer, Record, apply, waits_for};
use geminus_core::{SeriesId, TwinIndex};
use geminus_interlock::{Mark, Moment};
use geminus_store::{CommandChange, CommandRow};
use geminus_twin::Plant;
use geminus_twin::plant::Target;
use uuid::Uuid;

use super::Answers;
use super::books::{Books, Lines};
use super::meters::Meters;
use super::points::{Alarms, Points};
use super::rows::change;
use super::show;
use super::station::Station;

/// Steps that a command takes at most in one go: more than the table has in a row.
const STEPS_MAX: usize = 8;
/// Samples that wait for a change that could not be kept.
const LATER_MAX: usize = 32;
/// Name of the evidence in which a behavior's confidence stands.
pub(crate) const CONFIDENCE: &str = "confidence";
/// Who proposes the safe value of a target whose trip became active.
pub(crate) const FAIL_PROPOSER: &str = "interlock";

/// A command that is not over.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) record: Record,
    pub(crate) number: u64,
    /// A change that could not be kept. It may have been all the same, so it is kept in the very same words before
    /// anything else happens.
    stuck: Option<Box<(Record, CommandChange, Step)>>,
    /// What came meanwhile and cannot be said again.
    later: Vec<Step>,
    /// What the rules of its target remembered before it was sent.
    pub(crate) mark: Option<Mark>,
    /// Whether it is of an earlier run: it is not judged before its points have been heard, or their time is over.
    pub(crate) recovered: bool,
}

impl Open {
    /// As it will be once its last change is kept.
    pub(crate) fn latest(&self) -> &Record {
        self.stuck.as_ref().map_or(&self.record, |stuck| &stuck.0)
    }

    /// Keeps what cannot be said again until its last change is kept. Of samples more will come; all else comes once.
    fn remember(&mut self, step: Step) {
        let is_sample = matches!(step, Step::ReadBack(_));
        let comes_once = matches!(
            step,
            Step::Acknowledge { .. }
                | Step::NotSent { .. }
                | Step::Decline { .. }
                | Step::Lose { .. }
                | Step::Refuse { .. }
                | Step::Supersede { .. }
                | Step::Overtake { .. }
        );
        let has_room = comes_once || (is_sample && self.later.len() < LATER_MAX);
        if has_room && !self.later.contains(&step) {
            self.later.push(step);
        }
    }
}

/// Owns every open command, every target's owner and memory, and the authority of every twin.
pub(crate) struct Desk<B> {
    pub(crate) plant: Arc<Plant>,
    pub(crate) books: B,
    pub(crate) lines: Lines,
    pub(crate) answers: Answers,
    pub(crate) stations: Vec<Station>,
    pub(crate) places: HashMap<(TwinIndex, String), usize>,
    /// Places of the stations whose rules read a series.
    pub(crate) readers: HashMap<SeriesId, Vec<usize>>,
    pub(crate) open: BTreeMap<Uuid, Open>,
    pub(crate) authorities: Authorities,
    /// Twins of which it could not be kept yet that a person holds them down.
    pub(crate) unkept: BTreeSet<String>,
    /// Commands of an earlier run that cannot be read: their targets are locked out.
    pub(crate) unreadable: Vec<CommandRow>,
    /// Grows whenever authority or owner change: a permit of an older one is void.
    pub(crate) generation: u64,
    pub(crate) points: Points,
    pub(crate) alarms: Alarms,
    pub(crate) meters: Arc<Meters>,
    /// Why nothing may be sent, at the last look.
    pub(crate) hindered: Option<String>,
    pub(crate) timers: super::tick::Timers,
}

/// The rule that refused, and what it saw.
pub(crate) type Refusal = (String, String);

impl<B: Books> Desk<B> {
    pub(crate) fn new(
        plant: Arc<Plant>,
        books: B,
        lines: Lines,
        answers: Answers,
        meters: Arc<Meters>,
    ) -> Self {
        let mut points = Points::default();
        let stations = Station::all(&plant, &mut points);
        let places = stations
            .iter()
            .enumerate()
            .map(|(place, station)| ((station.twin, station.name.clone()), place))
            .collect();
        let mut readers: HashMap<SeriesId, Vec<usize>> = HashMap::new();
        for (place, station) in stations.iter().enumerate() {
            for series in station.points.iter().flatten() {
                readers.entry(*series).or_default().push(place);
            }
        }
        let configured =
            plant.twins.iter().map(|twin| (twin.id.to_string(), twin.authority)).collect::<Vec<_>>();
        Self {
            authorities: Authorities::start(configured),
            unkept: BTreeSet::new(),
            unreadable: Vec::new(),
            plant,
            books,
            lines,
            answers,
            stations,
            places,
            readers,
            open: BTreeMap::new(),
            generation: 1,
            points,
            alarms: Alarms::default(),
            meters,
            hindered: None,
            timers: super::tick::Timers::default(),
        }
    }

    pub(crate) fn target(&self, station: &Station) -> Option<&Target> {
        self.plant.targets.get(station.target)
    }

    /// Place of the station of a command.
    pub(crate) fn place_of(&self, record: &Record) -> Option<usize> {
        let command = record.command();
        let found = self.stations.binary_search_by(|station| {
            (station.id.as_str(), station.name.as_str())
                .cmp(&(command.twin.as_str(), command.target.as_str()))
        });
        found.ok()
    }

    /// The commands of a station that are not over.
    pub(crate) fn of_station(&self, place: usize) -> Vec<Uuid> {
        let of = |open: &&Open| self.place_of(&open.record) == Some(place);
        self.open.values().filter(of).map(|open| open.record.id()).collect()
    }

    /// Keeps a change and what follows at once from it. `Ok(false)`: it changes nothing.
    ///
    /// # Errors
    /// `Conflict` when the event is not possible, `Unavailable` when it cannot be kept: then nothing may rest on it.
    pub(crate) fn step(&mut self, id: Uuid, step: Step, now: Moment) -> Result<bool, Trouble> {
        let unknown = || Trouble::NotFound(format!("there is no open command {id}"));
        let open = self.open.get_mut(&id).ok_or_else(unknown)?;
        if open.stuck.is_some() {
            open.remember(step);
            return Err(Trouble::Unavailable("its last change could not be written down yet".to_owned()));
        }
        let next = apply(&open.record, &step, now.wall).map_err(illegal)?;
        if next == open.record {
            return Ok(false);
        }
        let change = change(&next, &step, (open.record.phase(), open.number))?;
        match self.books.save(&change) {
            Ok(()) => {
                self.took(id, next, &step, now);
                Ok(true)
            }
            Err(reason) => {
                open.stuck = Some(Box::new((next, change, step)));
                Err(Trouble::Unavailable(format!("it cannot be written down: {reason}")))
            }
        }
    }

    /// Leaves a change that could not be kept for the next tick.
    pub(crate) fn stick(&mut self, id: Uuid, next: Record, change: CommandChange, step: Step) {
        if let Some(open) = self.open.get_mut(&id) {
            open.stuck = Some(Box::new((next, change, step)));
        }
    }

    /// Tries again to keep what could not be kept, and takes what came meanwhile.
    pub(crate) fn unstick(&mut self, now: Moment) {
        let stuck: Vec<Uuid> =
            self.open.iter().filter(|(_, open)| open.stuck.is_some()).map(|(id, _)| *id).collect();
        for id in stuck {
            let Some(open) = self.open.get_mut(&id) else { continue };
            let Some(stuck) = open.stuck.take() else { continue };
            if self.books.save(&stuck.1).is_err() {
                open.stuck = Some(stuck);
                continue;
            }
            let later = std::mem::take(&mut open.later);
            let (next, _, step) = *stuck;
            let unsent = matches!(step, Step::Send { .. });
            self.took(id, next, &step, now);
            if unsent {
                // It was never handed over: its permit has gone with the step that failed.
                let reason = "that it would be sent could not be written down in time".to_owned();
                self.step(id, Step::NotSent { reason }, now).unwrap_or_default();
            }
            for step in later {
                self.step(id, step, now).unwrap_or_default();
            }
        }
    }

    /// A change is kept: the record, the owner and the pages follow, and the journal hears of it.
    pub(crate) fn took(&mut self, id: Uuid, next: Record, step: &Step, now: Moment) {
        let Some(open) = self.open.get_mut(&id) else { return };
        let before = open.record.phase();
        open.record = next;
        let (record, number, mark) = (open.record.clone(), open.number, open.mark.clone());
        let phase = record.phase();
        self.books.show(&show::command(&record, number, now.wall));
        if let Some(event) = show::event(&record, step, before) {
            self.books.tell_of((id, record.step()), event);
        }
        if record.is_over() {
            self.open.remove(&id);
        }
        if before == phase {
            return;
        }
        self.meters.passed(&record);
        let Some(place) = self.place_of(&record) else { return };
        let value = record.command().value;
        let has_arrived = phase == Phase::Verified || (phase == Phase::TransportAcked && record.is_over());
        if let Some(station) = self.stations.get_mut(place).filter(|_| has_arrived && is_fail(&record)) {
            station.safe.arrived = true;
        }
        if let Some(station) = self.stations.get_mut(place) {
            match phase {
                Phase::Sent => {
                    station.ownership.wrote(value, now.wall, false);
                    station.turn.sent(&record.command().proposer);
                }
                Phase::Verified => station.ownership.wrote(value, now.wall, true),
                Phase::Indeterminate => station.ownership.lost(),
                // It did not leave, or was turned down: the field has not got its value.
                Phase::Failed => {
                    if let Some(mark) = mark {
                        station.memory.roll_back(&mark);
                    }
                }
                _ => return,
            }
        }
        // Sending keeps it together with what the rules remember.
        if phase != Phase::Sent {
            self.keep_station(place);
        }
    }

    /// Keeps who owns a target and what its rules remember; gives whether it is durable.
    pub(crate) fn keep_station(&mut self, place: usize) -> bool {
        let Some(station) = self.stations.get_mut(place) else { return false };
        let kept = station
            .document()
            .and_then(|document| self.books.save_target(&station.id, &station.name, &document));
        station.unsaved = kept.is_err();
        if let Err(error) = kept {
            tracing::error!(%error, twin = station.id, target = station.name, "a target cannot be kept");
        }
        !station.unsaved
    }

    /// Takes a command as far as it goes by itself.
    pub(crate) fn advance(&mut self, id: Uuid, now: Moment) {
        for _ in 0..STEPS_MAX {
            let Some(open) = self.open.get(&id).filter(|open| open.stuck.is_none()) else { return };
            let record = open.record.clone();
            let missing = record.missing_approvals(now.wall) > 0;
            let unheard = open.recovered && self.timers.is_early(now) && !self.is_heard(&record);
            let step = match record.phase() {
                Phase::Proposed | Phase::Checked | Phase::Held | Phase::Armed if unheard => return,
                Phase::Proposed => match self.ask(&record, now) {
                    // Only what the rules let through takes the place of another one.
                    Ok(_) => self.make_way(&record, now).err().unwrap_or(Step::Permit),
                    Err((rule, reason)) => Step::Refuse { rule, reason },
                },
                Phase::Checked if missing => Step::Hold,
                Phase::Held if missing => return,
                _ if self.must_wait(&record) => return,
                Phase::Checked | Phase::Held => match self.ask(&record, now) {
                    Ok(_) => Step::Arm,
                    Err((rule, reason)) => Step::Refuse { rule, reason },
                },
                Phase::Armed => return self.send(&record, now),
                _ => return,
            };
            match self.step(id, step, now) {
                Ok(true) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// Whether all points of its rules, and its feedback, have been heard since the start.
    fn is_heard(&self, record: &Record) -> bool {
        let Some(station) = self.place_of(record).and_then(|place| self.stations.get(place)) else {
            return true;
        };
        let feedback = station.feedback.iter().map(|(series, _)| series);
        station.points.iter().flatten().chain(feedback).all(|series| self.points.newest(*series).is_some())
    }

    /// Takes every command of a station as far as it goes, the oldest first.
    pub(crate) fn advance_station(&mut self, place: usize, now: Moment) {
        for id in self.of_station(place) {
            self.advance(id, now);
        }
    }

    /// Whether another one of the same target was sent and is not settled. The safe value waits for nobody.
    fn must_wait(&self, record: &Record) -> bool {
        !is_fail(record) && waits_for(record, &self.others(record)).is_some()
    }

    /// Open commands of the same target.
    pub(crate) fn others(&self, record: &Record) -> Vec<Record> {
        let (id, command) = (record.id(), record.command());
        let same = |other: &&Record| {
            other.id() != id
                && other.command().twin == command.twin
                && other.command().target == command.target
        };
        self.open.values().map(|open| &open.record).filter(same).cloned().collect()
    }

    /// Puts a command among the open ones that is kept already.
    pub(crate) fn admit_open(&mut self, record: Record, number: u64) {
        let id = record.id();
        let open = Open { record, number, stuck: None, later: Vec::new(), mark: None, recovered: false };
        self.open.insert(id, open);
    }

    /// The place of a command in the outbox, once it is kept.
    pub(crate) fn number(&mut self, id: Uuid) -> u64 {
        self.books.command(id).ok().flatten().map_or(0, |row| row.number)
    }
}

/// Whether it is the safe value of a target whose trip is active.
pub(crate) fn is_fail(record: &Record) -> bool {
    matches!(&record.command().proposer, Proposer::Program { name, .. } if name == FAIL_PROPOSER)
}

fn illegal(error: Illegal) -> Trouble {
    match error {
        Illegal::Broken { .. } => Trouble::Internal(error.to_string()),
        Illegal::Name(_) => Trouble::Invalid(error.to_string()),
        _ => Trouble::Conflict(error.to_string()),
    }
}
