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
    of: Incarnation,
    rung: Rung,
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
        self.waiting.push(Waiting { due: floor.clock.monotonic() + wait, binding: index, twin, of, rung });
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
        let Waiting { binding: index, twin, of, mut rung, .. } = waiting;
        loop {
            let (done, next) = match rung {
                Rung::Restart => (self.restart(index, twin), Rung::Older),
                Rung::Older => (self.older(index, twin), Rung::Previous),
                Rung::Previous => (self.move_back(index, twin, &of), Rung::Quarantine),
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

    fn restart(&self, index: BindingIndex, twin: TwinIndex) -> Result<String, String> {
        match self.reinstate(index, twin, Return::Release) {
            Ok(()) => Ok("with its last good state".to_owned()),
            // Its instance lost it: it comes back with what was saved last.
            Err(_) => self.reopen(index, twin, self.saved(index, twin, None)?),
        }
    }

    fn older(&self, index: BindingIndex, twin: TwinIndex) -> Result<String, String> {
        let newest = self.saved(index, twin, None)?;
        let older =
            newest.as_ref().map(|newest| self.saved(index, twin, Some(newest))).transpose()?.flatten();
        self.reopen(index, twin, older)
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

    fn reopen(
        &self,
        index: BindingIndex,
        twin: TwinIndex,
        state: Option<StateSnapshot>,
    ) -> Result<String, String> {
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
        self.reinstate(index, twin, Return::Reopen(Box::new(opening), snapshot))?;
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

    fn move_back(&self, index: BindingIndex, twin: TwinIndex, of: &Incarnation) -> Result<String, String> {
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
        self.reinstate(index, twin, Return::Move(Box::new(berth)))?;
        floor.board.lock().pinned.insert((index, twin), digest);
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

    fn reinstate(&self, index: BindingIndex, twin: TwinIndex, how: Return) -> Result<(), String> {
        let shard = self.floor.shard_of(twin);
        let left = self.floor.ask(shard, |reply| Ask::Reinstate(index, twin, how, reply))??;
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
