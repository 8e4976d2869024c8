//! The ladder for a twin that is held apart because its behavior failed: it comes back with its last good state, then
//! with an older one, then with the version that ran before; when nothing helps it stays apart and the site's
//! substitute stands in. Strikes are counted for (twin, version), so another version starts with none.

use std::sync::Arc;
use std::time::Duration;

use geminus_behavior::{ColdStart, Snapshot, handover_schema};
use geminus_core::{Digest, Event, Severity, TwinIndex};
use geminus_store::{ActivationFilter, StateSnapshot};
use geminus_twin::BindingIndex;

use super::cohorts::{Return, openings};
use super::compile::{Effort, WANTED};
use super::floor::{Floor, Incarnation};
use super::keeper;
use super::message::Ask;

/// Twins that wait to come back; one more waits for the next fault.
const WAITING_MAX: usize = 10_000;

/// The next rung for a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    Restart,
    Older,
    Previous,
    Quarantine,
}

/// A twin that waits for its rung.
struct Waiting {
    due: Duration,
    binding: BindingIndex,
    twin: TwinIndex,
    /// Which version it failed in, by its number.
    incarnation: u32,
    of: Incarnation,
    rung: Rung,
}

/// A twin, and the version that holds it apart.
#[derive(Clone, Copy)]
struct Case {
    index: BindingIndex,
    twin: TwinIndex,
    incarnation: u32,
}

/// All twins that are on it.
pub(crate) struct Ladder {
    floor: Arc<Floor>,
    waiting: Vec<Waiting>,
}

impl Ladder {
    pub(crate) fn new(floor: Arc<Floor>) -> Self {
        Self { floor, waiting: Vec::new() }
    }

    /// A twin is held apart: counts the strike and chooses the rung.
    pub(crate) fn apart(
        &mut self,
        index: BindingIndex,
        twin: TwinIndex,
        incarnation: u32,
        kind: &str,
        message: &str,
    ) {
        let floor = Arc::clone(&self.floor);
        let (Some(binding), Some(of)) = (floor.binding(index), floor.known(incarnation)) else { return };
        let limits = &floor.plant.containment;
        let id = super::id_of(&floor.plant, twin);
        let window = Duration::from_secs(limits.strikes_window_s.into());
        let words = format!("{kind}: {message}");
        let strike = floor.control.strike(
            &binding.name,
            id,
            &of.digest.to_string(),
            &words,
            floor.clock.now(),
            window,
        );
        let strikes = strike.unwrap_or_else(|error| {
            tracing::error!(%error, "a strike was not counted, so it counts as the last");
            u32::MAX
        });
        floor.board.lock().strikes.insert((index, twin), strikes);
        let rung = match strikes {
            n if n <= limits.restarts_max => Rung::Restart,
            n if n <= limits.restarts_max.saturating_add(limits.restarts_older_max) => Rung::Older,
            _ if limits.previous_version && self.previous(index, of.digest).is_some() => Rung::Previous,
            _ => Rung::Quarantine,
        };
        let wait = Duration::from_secs(limits.restart_wait_s.into());
        let rung = if self.waiting.len() < WAITING_MAX { rung } else { Rung::Quarantine };
        let due = floor.clock.monotonic() + wait;
        self.waiting.push(Waiting { due, binding: index, twin, incarnation, of, rung });
        self.look();
    }

    /// Lets those come back whose time it is.
    pub(crate) fn look(&mut self) {
        let now = self.floor.clock.monotonic();
        let (due, rest) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.due <= now || waiting.rung == Rung::Quarantine);
        self.waiting = rest;
        for waiting in due {
            self.climb(waiting);
        }
    }

    fn climb(&self, waiting: Waiting) {
        let Waiting { binding: index, twin, incarnation, of, mut rung, .. } = waiting;
        let case = Case { index, twin, incarnation };
        loop {
            if !self.is_apart(case) {
                // Another version has come to answer for it while it waited, or it came back: nothing is to be mended, and
                // an older state would only throw it back.
                return;
            }
            let (done, next) = match rung {
                Rung::Restart => (self.restart(case), Rung::Older),
                Rung::Older => (self.older(case), Rung::Previous),
                Rung::Previous => (self.move_back(case, &of), Rung::Quarantine),
                Rung::Quarantine => return self.quarantine(index, twin, &of),
            };
            match done {
                Ok(how) => return self.tell(index, twin, &of, "twin-restarted", Severity::Warning, &how),
                Err(why) => {
                    tracing::info!(%why, ?rung, "a rung of the ladder did not hold");
                    rung = next;
                }
            }
        }
    }

    /// Whether its version still holds it apart. A shard that does not answer is asked again by the rung itself.
    fn is_apart(&self, case: Case) -> bool {
        let Case { index, twin, incarnation } = case;
        self.floor
            .ask(self.floor.shard_of(twin), |reply| Ask::Apart(index, twin, incarnation, reply))
            .unwrap_or(true)
    }

    fn restart(&self, case: Case) -> Result<String, String> {
        match self.reinstate(case, Return::Release) {
            Ok(()) => Ok("with its last good state".to_owned()),
            // Its instance lost it: it comes back with what was saved last.
            Err(_) => self.reopen(case, self.saved(case.index, case.twin, None)?),
        }
    }

    fn older(&self, case: Case) -> Result<String, String> {
        let Case { index, twin, .. } = case;
        let newest = self.saved(index, twin, None)?;
        let older =
            newest.as_ref().map(|newest| self.saved(index, twin, Some(newest))).transpose()?.flatten();
        self.reopen(case, older)
    }

    /// The newest saved state of a twin, or the newest that is older than another one.
    fn saved(
        &self,
        index: BindingIndex,
        twin: TwinIndex,
        than: Option<&StateSnapshot>,
    ) -> Result<Option<StateSnapshot>, String> {
        let binding = self.floor.binding(index).ok_or("there is no such binding")?;
        let id = super::id_of(&self.floor.plant, twin);
        let found = match than {
            Some(than) => self.floor.snapshots.older(&binding.name, id, than.saved),
            None => {
                self.floor.snapshots.load(&binding.name, &[id]).map(|loaded| loaded.states.into_iter().next())
            }
        };
        found.map_err(|error| error.to_string())
    }

    fn reopen(&self, case: Case, state: Option<StateSnapshot>) -> Result<String, String> {
        let Case { index, twin, .. } = case;
        let binding = self.floor.binding(index).ok_or("there is no such binding")?;
        let how = match &state {
            Some(state) => format!("with its state of {}", geminus_api::view::Time(state.saved)),
            None if binding.allow_cold_start => "cold: no older state of it is known".to_owned(),
            None => return Err("no older state of it is known, and the site allows no cold start".to_owned()),
        };
        let parameters = self.parameters(index, twin)?;
        let opening =
            openings(&self.floor.plant, binding, &[twin], &parameters).pop().ok_or("no such twin")?;
        let snapshot = state.as_ref().and_then(|state| keeper::snapshot_of(twin, state));
        self.reinstate(case, Return::Reopen(Box::new(opening), snapshot))?;
        Ok(how)
    }

    fn parameters(&self, index: BindingIndex, _twin: TwinIndex) -> Result<Arc<[u8]>, String> {
        let state = self.floor.board.lock();
        let active = state.active.get(index.0 as usize).cloned().flatten();
        active.map(|active| active.version.parameters).ok_or_else(|| "nothing runs for it".to_owned())
    }

    /// The version that ran for this binding before this one.
    fn previous(&self, index: BindingIndex, digest: Digest) -> Option<Digest> {
        let binding = self.floor.binding(index)?;
        let filter = ActivationFilter { binding: Some(binding.name.clone()), ..ActivationFilter::default() };
        let past = self.floor.control.activations(&filter).ok()?;
        let failed =
            |digest: Digest| self.floor.board.lock().failed.contains(&(binding.name.clone(), digest));
        past.into_iter()
            .filter(|activation| activation.outcome == "activated" || activation.outcome == "started")
            .filter_map(|activation| activation.digest.parse().ok())
            .find(|known: &Digest| {
                *known != digest && !failed(*known) && self.floor.package(*known).is_some()
            })
    }

    fn move_back(&self, case: Case, of: &Incarnation) -> Result<String, String> {
        let Case { index, twin, .. } = case;
        let floor = &self.floor;
        let binding = floor.binding(index).ok_or("there is no such binding")?;
        let digest = self.previous(index, of.digest).ok_or("no version ran before this one")?;
        let package = floor.package(digest).ok_or("its package is gone")?;
        let parameters = binding
            .adopt_for(&package.declaration, &semver::VersionReq::STAR)
            .map_err(|reasons| reasons.join("; "))?;
        let limit = Duration::from_secs(binding.stages.compile_seconds_max);
        let effort = Effort { limit, wanted: &WANTED, clock: floor.clock.as_ref() };
        let compiled = super::compile::apart(&floor.engine, &package, &floor.cache, &effort)?;
        let version = floor.version(index, compiled, parameters)?;
        let present = floor.package(of.digest).map(|package| Arc::clone(&package.declaration));
        let present = present.unwrap_or_else(|| Arc::clone(&binding.declaration));
        let cold = if binding.allow_cold_start { ColdStart::Allow } else { ColdStart::Refuse };
        let schema =
            handover_schema(&present, &package.declaration, cold).map_err(|error| error.to_string())?;
        let state = match schema {
            Some(schema) => self.state_for(index, twin, schema)?,
            None => None,
        };
        if schema.is_some() && state.is_none() && !binding.allow_cold_start {
            return Err("no state of it can be carried, and the site allows no cold start".to_owned());
        }
        let berth = super::rollouts::alone(floor, index, &version, twin, state.as_ref())?;
        let id = super::id_of(&floor.plant, twin);
        floor
            .control
            .assign(&binding.name, Some(id), &digest.to_string())
            .map_err(|error| error.to_string())?;
        self.reinstate(case, Return::Move(Box::new(berth)))?;
        floor.board.lock().pinned.insert((index, twin), digest);
        let number = package.declaration.version.to_string();
        let named = (package.declaration.name.as_str(), number.as_str(), digest);
        floor.remember(named, &binding.name, 1, None, format!("moved back: {id} failed in {}", of.label));
        Ok(format!("in {}, which ran before", version.label()))
    }

    /// State of a twin in a schema: as its instance has it, else as it was saved.
    fn state_for(
        &self,
        index: BindingIndex,
        twin: TwinIndex,
        schema: u32,
    ) -> Result<Option<Snapshot>, String> {
        let shard = self.floor.shard_of(twin);
        let copies = self.floor.ask(shard, |reply| Ask::Copy(index, [twin].into(), Some(schema), reply))?;
        let whole = copies.into_iter().flatten().find(|copy| !copy.twins.is_empty() && copy.schema == schema);
        if let Some(copy) = whole {
            return Ok(Some(copy));
        }
        let saved = self.saved(index, twin, None)?.filter(|state| state.by.schema == schema);
        Ok(saved.and_then(|state| keeper::snapshot_of(twin, &state)))
    }

    fn reinstate(&self, case: Case, how: Return) -> Result<(), String> {
        let Case { index, twin, incarnation } = case;
        let shard = self.floor.shard_of(twin);
        let left = self.floor.ask(shard, |reply| Ask::Reinstate(index, twin, incarnation, how, reply))??;
        self.floor.drop_apart(left);
        Ok(())
    }

    fn quarantine(&self, index: BindingIndex, twin: TwinIndex, of: &Incarnation) {
        let substitute =
            self.floor.binding(index).map_or("none", |binding| super::substitutes::name(&binding.substitute));
        let what = format!("quarantined until another version runs for it; substitute: {substitute}");
        self.tell(index, twin, of, "twin-quarantined", Severity::Error, &what);
    }

    fn tell(
        &self,
        index: BindingIndex,
        twin: TwinIndex,
        of: &Incarnation,
        kind: &'static str,
        severity: Severity,
        what: &str,
    ) {
        let id = super::id_of(&self.floor.plant, twin);
        let binding = self.floor.binding(index).map_or("", |binding| binding.name.as_str());
        let strikes = self.floor.board.lock().strikes.get(&(index, twin)).copied().unwrap_or_default();
        let verb = if kind == "twin-restarted" { "comes back " } else { "is " };
        let message = format!("{binding} of {id} ({}), strike {strikes}: it {verb}{what}", of.label);
        let facts = serde_json::json!({
            "binding": binding, "strikes": strikes, "digest": of.digest.to_string(), "rung": what,
        });
        let event = Event::new(kind, severity, message).twin(id).plugin(&of.label).facts(facts);
        self.floor.chronicle.tell(event);
    }
}
