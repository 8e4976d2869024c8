//! The ladder for a twin that is held apart because its behavior failed: it comes back with its last good state, then
//! with an older one, then with the version that ran before; when nothing helps it stays apart and the site's
//! substitute stands in. Strikes are counted for (twin, version), and so is quarantine: a version that the ladder has
//! given up for a twin is not chosen for it again.
//!
//! Here it is decided who climbs when. Climbing itself (asking shards, compiling, raising instances) is done on threads of
//! its own (`climb`), whose results come back as messages; only the last step of a change of versions, which the ledger
//! must know of before it is made, is done here, where the conductor of rollouts cannot come in between.

mod climb;
mod previous;
mod rota;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Sender;
use geminus_core::{Event, Severity, Timestamp, TwinIndex};
use geminus_store::{Quarantine, Strike};
use geminus_twin::BindingIndex;

use super::cohorts::Return;
use super::crumb;
use super::floor::{Floor, Incarnation};
use super::manager::Heard;
use super::message::Ask;
use climb::{End, Raised};
use rota::{Lane, Rota};

/// Failures that are counted at a look, in one commit. The others wait for the next one.
const STRIKES_PER_LOOK: usize = 1_000;
/// When it is tried again, when there was no thread to climb on or a shard did not answer.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// The next rung for a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    Restart,
    Older,
    Previous,
    Quarantine,
}

impl Rung {
    /// Whoever is only restarted does not wait for others that are compiled for.
    fn lane(self) -> Lane {
        match self {
            Self::Restart | Self::Older => Lane::Quick,
            Self::Previous | Self::Quarantine => Lane::Slow,
        }
    }

    /// Which one strikes lead to; what was given up once stays so.
    fn after(strikes: u32, given_up: bool, limits: &geminus_twin::site::Containment) -> Self {
        let restarts = limits.restarts_max;
        match strikes {
            n if n <= restarts && !given_up => Self::Restart,
            n if n <= restarts.saturating_add(limits.restarts_older_max) && !given_up => Self::Older,
            _ if limits.previous_version => Self::Previous,
            _ => Self::Quarantine,
        }
    }
}

/// A twin, and the version that holds it apart.
#[derive(Clone, Copy, Debug)]
struct Case {
    index: BindingIndex,
    twin: TwinIndex,
    incarnation: u32,
}

/// A failure that no strike is counted for yet.
struct Noted {
    case: Case,
    of: Incarnation,
    words: String,
    wall: Timestamp,
    monotonic: Duration,
}

/// A twin that is to take its next rung.
#[derive(Clone, Debug)]
struct Climb {
    case: Case,
    of: Incarnation,
    rung: Rung,
    strikes: u32,
    /// What its behavior did.
    words: String,
}

/// What came of a climb.
pub(crate) struct Climbed {
    climb: Climb,
    end: End,
}

/// All twins that are on it.
pub(crate) struct Ladder {
    floor: Arc<Floor>,
    back: Sender<Heard>,
    /// In the order of their failures: each twin of a behavior at most once, since it fails no more before it is back.
    noted: VecDeque<Noted>,
    rota: Rota<Climb>,
    /// Turns false when the host stops, so that nobody goes on compiling.
    wanted: Arc<AtomicBool>,
}

impl Drop for Ladder {
    fn drop(&mut self) {
        self.wanted.store(false, Ordering::Relaxed);
    }
}

impl Ladder {
    /// `back` is the way of results to the manager, who hands them to [`Ladder::climbed`].
    pub(crate) fn new(floor: Arc<Floor>, back: Sender<Heard>) -> Self {
        let wanted = Arc::new(AtomicBool::new(true));
        Self { floor, back, noted: VecDeque::new(), rota: Rota::default(), wanted }
    }

    /// A twin is held apart.
    pub(crate) fn apart(
        &mut self,
        index: BindingIndex,
        twin: TwinIndex,
        incarnation: u32,
        kind: &str,
        message: &str,
    ) {
        let Some(of) = self.floor.known(incarnation) else { return };
        let clock = &self.floor.clock;
        let (wall, monotonic) = (clock.now(), clock.monotonic());
        let case = Case { index, twin, incarnation };
        let words = format!("{kind}: {message}");
        self.noted.push_back(Noted { case, of, words, wall, monotonic });
    }

    /// Counts strikes, and lets those climb whose time it is.
    pub(crate) fn look(&mut self) {
        self.count();
        self.send();
    }

    /// Counts the strikes of those that failed, and chooses their rungs.
    fn count(&mut self) {
        let some: Vec<Noted> = self.noted.drain(..self.noted.len().min(STRIKES_PER_LOOK)).collect();
        if some.is_empty() {
            return;
        }
        let (limits, wait) = {
            let limits = &self.floor.plant.containment;
            (limits.clone(), Duration::from_secs(limits.restart_wait_s.into()))
        };
        let strikes: Vec<Strike> = some.iter().map(|noted| self.strike(noted)).collect();
        let window = Duration::from_secs(limits.strikes_window_s.into());
        let counted = self.floor.control.strike(&strikes, window).unwrap_or_else(|error| {
            tracing::error!(%error, "strikes were not counted, so each counts as its twin's last");
            vec![u32::MAX; some.len()]
        });
        let mut board = self.floor.board.lock();
        for (noted, strikes) in some.into_iter().zip(counted) {
            let Noted { case, of, words, monotonic, .. } = noted;
            let key = (case.index, case.twin);
            board.strikes.insert(key, strikes);
            let given_up = board.given_up.contains(&(case.index, case.twin, of.digest));
            let rung = Rung::after(strikes, given_up, &limits);
            let due = if rung == Rung::Quarantine { monotonic } else { monotonic + wait };
            self.rota.put(rung.lane(), key, due, Climb { case, of, rung, strikes, words });
        }
    }

    fn strike(&self, noted: &Noted) -> Strike {
        let Noted { case, of, words, wall, .. } = noted;
        Strike {
            binding: self.floor.binding(case.index).map(|binding| binding.name.clone()).unwrap_or_default(),
            twin: super::id_of(&self.floor.plant, case.twin).to_owned(),
            digest: of.digest.to_string(),
            time: *wall,
            message: words.clone(),
        }
    }

    /// Lets some climb on a thread of their own, in each lane that is free.
    fn send(&mut self) {
        let now = self.floor.clock.monotonic();
        for lane in Lane::ALL {
            let some = self.rota.take(lane, now);
            if !some.is_empty() {
                self.send_off(lane, some);
            }
        }
    }

    /// What panics there leaves its twin quarantined, and this run of the host does not count as one that ended in order.
    fn send_off(&mut self, lane: Lane, some: Vec<Climb>) {
        let (floor, back, wanted) = (Arc::clone(&self.floor), self.back.clone(), Arc::clone(&self.wanted));
        let kept = some.clone();
        let work = move || {
            for climb in some {
                let work = || climb::climb(&floor, &climb, &wanted);
                let end = crumb::work(&floor.data, lane.name(), work).unwrap_or_else(|_| {
                    floor.broken.store(true, Ordering::Relaxed);
                    End::Broken
                });
                // The manager has ended: nobody needs it any more.
                if back.send(Heard::Climbed(Box::new(Climbed { climb, end }))).is_err() {
                    return;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("ladder".to_owned()).spawn(work) {
            tracing::error!(%error, "the ladder has no thread to work on; it is tried again");
            for climb in kept {
                self.rota.done((climb.case.index, climb.case.twin));
                self.again(climb, RETRY_WAIT);
            }
        }
    }

    /// One that was sent off is back.
    pub(crate) fn climbed(&mut self, climbed: Climbed) {
        let Climbed { climb, end } = climbed;
        let key = (climb.case.index, climb.case.twin);
        self.rota.done(key);
        match end {
            End::Well => {}
            End::Back(how) => self.tell_back(&climb, &how),
            End::Further => self.again(Climb { rung: Rung::Previous, ..climb }, Duration::ZERO),
            End::Raised(raised) => match self.move_back(&climb, *raised) {
                Ok(how) => self.tell_back(&climb, &how),
                Err(why) => {
                    tracing::info!(%why, "a version that ran before does not take a twin over");
                    self.again(Climb { rung: Rung::Quarantine, ..climb }, Duration::ZERO);
                }
            },
            End::Quarantined(written) => self.quarantined(&climb, written),
            End::Broken => self.again(Climb { rung: Rung::Quarantine, ..climb }, RETRY_WAIT),
            End::Later(why) => {
                tracing::warn!(%why, "it is not known whether a twin is still held apart; it is asked again");
                self.again(climb, RETRY_WAIT);
            }
        }
        self.send();
    }

    fn again(&mut self, climb: Climb, wait: Duration) {
        let due = self.floor.clock.monotonic() + wait;
        self.rota.put(climb.rung.lane(), (climb.case.index, climb.case.twin), due, climb);
    }

    /// Puts the version before in force for a twin, in the ledger first, and lets it answer.
    fn move_back(&self, climb: &Climb, raised: Raised) -> Result<String, String> {
        let Case { index, twin, incarnation } = climb.case;
        let (floor, Raised { berth, package }) = (&self.floor, raised);
        let binding = floor.binding(index).ok_or("there is no such binding")?;
        let (id, digest) = (super::id_of(&floor.plant, twin), package.digest);
        let shard = floor.shard_of(twin);
        // While it was compiled for, a rollout may have taken the twin over: then the ledger has the last word already.
        if !floor.ask(shard, |reply| Ask::Apart(index, twin, incarnation, reply))? {
            floor.drop_apart(vec![berth]);
            return Err("it is not held apart by this version any more".to_owned());
        }
        let pair = climb.pair(floor);
        floor.control.move_to(&pair, &digest.to_string()).map_err(|error| error.to_string())?;
        floor.board.lock().given_up.insert((index, twin, climb.of.digest));
        let how = Return::Move(Box::new(berth));
        let asked = floor.ask(shard, |reply| Ask::Reinstate(index, twin, incarnation, how, reply));
        match asked.and_then(|done| done) {
            Ok(left) => floor.drop_apart(left.berths),
            Err(why) => {
                self.take_back(index, twin);
                return Err(why);
            }
        }
        floor.board.lock().pinned.insert((index, twin), digest);
        let number = package.declaration.version.to_string();
        let named = (package.declaration.name.as_str(), number.as_str(), digest);
        floor.remember(
            named,
            &binding.name,
            1,
            None,
            format!("moved back: {id} failed in {}", climb.of.label),
        );
        Ok(format!("in {}, which ran before", package.declaration.label()))
    }

    /// The ledger says again what the twin runs.
    fn take_back(&self, index: BindingIndex, twin: TwinIndex) {
        let Some(binding) = self.floor.binding(index) else { return };
        let own = self.floor.board.lock().pinned.get(&(index, twin)).copied();
        let (control, id) = (&self.floor.control, super::id_of(&self.floor.plant, twin));
        let done = match own {
            Some(own) => control.assign(&binding.name, Some(id), &own.to_string()),
            None => control.unassign(&binding.name, Some(id)).map(drop),
        };
        if let Err(error) = done {
            tracing::error!(%error, "a twin keeps a version in the ledger that it does not run");
        }
    }

    fn quarantined(&self, climb: &Climb, written: Result<(), String>) {
        let Case { index, twin, .. } = climb.case;
        self.floor.board.lock().given_up.insert((index, twin, climb.of.digest));
        let substitute =
            self.floor.binding(index).map_or("none", |binding| super::substitutes::name(&binding.substitute));
        let trouble = written.map_or_else(
            |error| format!("; this was not written down, so it ends with the host: {error}"),
            |()| String::new(),
        );
        let what =
            format!("quarantined until another version runs for it; substitute: {substitute}{trouble}");
        self.tell(climb, "twin-quarantined", Severity::Error, &format!("is {what}"), &what);
    }

    fn tell_back(&self, climb: &Climb, how: &str) {
        self.tell(climb, "twin-restarted", Severity::Warning, &format!("comes back {how}"), how);
    }

    fn tell(&self, climb: &Climb, kind: &'static str, severity: Severity, says: &str, rung: &str) {
        let Climb { case, of, strikes, .. } = climb;
        let id = super::id_of(&self.floor.plant, case.twin);
        let binding = self.floor.binding(case.index).map_or("", |binding| binding.name.as_str());
        let message = format!("{binding} of {id} ({}), strike {strikes}: it {says}", of.label);
        let facts = serde_json::json!({
            "binding": binding, "strikes": strikes, "digest": of.digest.to_string(), "rung": rung,
        });
        let event = Event::new(kind, severity, message).twin(id).plugin(&of.label).facts(facts);
        self.floor.chronicle.tell(event);
    }
}

impl Climb {
    /// Twin and version, as they are kept from each other.
    fn pair(&self, floor: &Floor) -> Quarantine {
        let Case { index, twin, .. } = self.case;
        Quarantine {
            binding: floor.binding(index).map(|binding| binding.name.clone()).unwrap_or_default(),
            twin: super::id_of(&floor.plant, twin).to_owned(),
            digest: self.of.digest.to_string(),
            since: floor.clock.now(),
            strikes: self.strikes,
            reason: self.words.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_twin::site::Containment;

    #[test]
    fn strikes_lead_up_rung_by_rung_and_what_was_given_up_is_not_restarted() {
        let limits = Containment { restarts_max: 2, restarts_older_max: 1, ..Containment::default() };
        let without = Containment { previous_version: false, ..limits.clone() };
        let check = |strikes, given_up, expect: [Rung; 2]| {
            let found = [&limits, &without].map(|limits| Rung::after(strikes, given_up, limits));
            assert_eq!(found, expect, "strike {strikes}, given up: {given_up}");
        };
        check(1, false, [Rung::Restart; 2]);
        check(2, false, [Rung::Restart; 2]);
        check(3, false, [Rung::Older; 2]);
        check(4, false, [Rung::Previous, Rung::Quarantine]);
        check(u32::MAX, false, [Rung::Previous, Rung::Quarantine]);
        // Its strikes have left their window, and still it holds for the pair.
        check(1, true, [Rung::Previous, Rung::Quarantine]);
        assert_eq!((Rung::Older.lane(), Rung::Quarantine.lane()), (Lane::Quick, Lane::Slow));
    }
}
