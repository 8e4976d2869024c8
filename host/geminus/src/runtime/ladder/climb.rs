//! One rung after the other for one twin, on a thread of the ladder's own: it asks shards, reads the store, compiles and
//! raises. Rungs that need no compiling are climbed in the quick lane, which hands on to the slow one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use geminus_behavior::{ColdStart, Compiled, Heir, Household, Opening, Snapshot, handover_schema};
use geminus_core::TwinIndex;
use geminus_registry::Package;
use geminus_store::StateSnapshot;

use super::rota::Lane;
use super::{Case, Climb, Rung, previous};
use crate::runtime::cohorts::side::Berth;
use crate::runtime::cohorts::{Return, openings};
use crate::runtime::compile::{self, Effort};
use crate::runtime::crumb;
use crate::runtime::floor::Floor;
use crate::runtime::keeper;
use crate::runtime::message::Ask;

/// How a climb ended.
pub(super) enum End {
    /// Another version has come to answer for it while it waited, or it came back: nothing is to be mended, and an older
    /// state would only throw it back.
    Well,
    /// It is back, in these words.
    Back(String),
    /// Its next rung is one of the other lane.
    Further,
    /// The version that ran before is ready to take it over.
    Raised(Box<Raised>),
    /// It stays apart; whether that could be written down.
    Quarantined(Result<(), String>),
    /// Its shard did not say how it stands: it has to wait.
    Later(String),
    /// The host itself broke on it (a panic).
    Broken,
}

/// A version for one twin.
pub(super) struct Raised {
    pub(super) berth: Berth,
    pub(super) package: Package,
}

/// Climbs from its rung on until one holds. `wanted` turns false when the host stops.
pub(super) fn climb(floor: &Floor, climb: &Climb, wanted: &AtomicBool) -> End {
    let mut rung = climb.rung;
    loop {
        match is_apart(floor, climb.case) {
            Ok(true) => {}
            Ok(false) => return End::Well,
            Err(why) => return End::Later(why),
        }
        if rung.lane() == Lane::Slow && climb.rung.lane() != Lane::Slow {
            return End::Further;
        }
        let (done, next) = match rung {
            Rung::Restart => (restart(floor, climb).map(End::Back), Rung::Older),
            Rung::Older => (older(floor, climb).map(End::Back), Rung::Previous),
            Rung::Previous => {
                let raised = raise(floor, climb, wanted);
                (raised.map(|raised| End::Raised(Box::new(raised))), Rung::Quarantine)
            }
            Rung::Quarantine => {
                let written = floor.control.quarantine(&climb.pair(floor));
                return End::Quarantined(written.map_err(|error| error.to_string()));
            }
        };
        match done {
            Ok(end) => return end,
            Err(why) => {
                tracing::info!(%why, ?rung, "a rung of the ladder did not hold");
                rung = next;
            }
        }
    }
}

/// Whether its version still holds it apart.
fn is_apart(floor: &Floor, case: Case) -> Result<bool, String> {
    let Case { index, twin, incarnation } = case;
    floor.ask(floor.shard_of(twin), |reply| Ask::Apart(index, twin, incarnation, reply))
}

fn restart(floor: &Floor, climb: &Climb) -> Result<String, String> {
    match reinstate(floor, climb.case, Return::Release) {
        Ok(()) => Ok("with its last good state".to_owned()),
        // Its instance lost it: it comes back with what was saved last.
        Err(_) if is_stateless(floor, climb) => reopen(floor, climb, None),
        Err(_) => reopen(floor, climb, saved(floor, climb.case, None)?),
    }
}

/// Without state there is none that is older: it is opened anew.
fn older(floor: &Floor, climb: &Climb) -> Result<String, String> {
    if is_stateless(floor, climb) {
        return reopen(floor, climb, None);
    }
    let newest = saved(floor, climb.case, None)?;
    let older = newest.as_ref().map(|newest| saved(floor, climb.case, Some(newest))).transpose()?.flatten();
    reopen(floor, climb, older)
}

/// Whether the version that it failed in keeps no state of a twin.
fn is_stateless(floor: &Floor, climb: &Climb) -> bool {
    let declaration = floor.declaration(climb.case.index, climb.of.digest);
    declaration.is_some_and(|declaration| declaration.state.schema == 0)
}

/// The newest saved state of a twin, or the newest that is older than another one.
fn saved(floor: &Floor, case: Case, than: Option<&StateSnapshot>) -> Result<Option<StateSnapshot>, String> {
    let binding = floor.binding(case.index).ok_or("there is no such binding")?;
    let id = crate::runtime::id_of(&floor.plant, case.twin);
    let found = match than {
        Some(than) => floor.snapshots.older(&binding.name, id, than.saved),
        None => floor.snapshots.load(&binding.name, &[id]).map(|loaded| loaded.states.into_iter().next()),
    };
    found.map_err(|error| error.to_string())
}

/// Opens it anew in the version that it failed in, with the parameters of that version. Whether it can be opened and takes
/// its state is tried here, where no row waits for it.
fn reopen(floor: &Floor, climb: &Climb, state: Option<StateSnapshot>) -> Result<String, String> {
    let Case { index, twin, .. } = climb.case;
    let binding = floor.binding(index).ok_or("there is no such binding")?;
    let how = match &state {
        Some(state) => format!("with its state of {}", geminus_api::view::Time(state.saved)),
        None if is_stateless(floor, climb) => "opened anew: it keeps no state".to_owned(),
        None if binding.allow_cold_start => "cold: no older state of it is known".to_owned(),
        None => return Err("no older state of it is known, and the site allows no cold start".to_owned()),
    };
    let opening =
        openings(&floor.plant, binding, &[twin], &climb.of.parameters).pop().ok_or("no such twin")?;
    let snapshot = state.as_ref().map(|state| read(twin, state)).transpose()?;
    let Case { incarnation, .. } = climb.case;
    let compiled = floor.ask(floor.shard_of(twin), |reply| Ask::Compiled(index, twin, incarnation, reply))?;
    let compiled = compiled.ok_or("no instance of this version has it any more")?;
    let heir = heir(floor, incarnation, compiled, opening, snapshot.as_ref())?;
    reinstate(floor, climb.case, Return::Readmit(Box::new(heir), snapshot))?;
    Ok(how)
}

/// A saved state, which is never taken for none: that would be a cold start that nobody has allowed.
fn read(twin: TwinIndex, state: &StateSnapshot) -> Result<Snapshot, String> {
    keeper::snapshot_of(twin, state).ok_or_else(|| "its saved state cannot be read".to_owned())
}

/// The twin alone in an instance that nobody else has, after its state was rehearsed.
fn heir(
    floor: &Floor,
    incarnation: u32,
    compiled: Arc<Compiled>,
    opening: Opening,
    state: Option<&Snapshot>,
) -> Result<Heir, String> {
    // All that follows calls it.
    let _inside = crumb::inside(incarnation);
    let raised = Household::of(Arc::clone(&floor.host), vec![opening]).raise(compiled);
    let mut heir = raised.map_err(|error| error.to_string())?;
    if let Some(state) = state {
        heir.rehearse(state).map_err(|error| error.to_string())?;
    }
    Ok(heir)
}

fn reinstate(floor: &Floor, case: Case, how: Return) -> Result<(), String> {
    let Case { index, twin, incarnation } = case;
    let shard = floor.shard_of(twin);
    let left = floor.ask(shard, |reply| Ask::Reinstate(index, twin, incarnation, how, reply))??;
    floor.drop_apart(left.berths);
    Ok(())
}

/// Compiles the version that ran before and opens the twin in it, with its state.
fn raise(floor: &Floor, climb: &Climb, wanted: &AtomicBool) -> Result<Raised, String> {
    let Case { index, twin, .. } = climb.case;
    let binding = floor.binding(index).ok_or("there is no such binding")?;
    if !floor.plant.containment.previous_version {
        return Err("the site has no version used that ran before".to_owned());
    }
    let present = floor.declaration(index, climb.of.digest);
    let present = present.ok_or_else(|| format!("the package of {} is gone", climb.of.label))?;
    let digest = previous::find(floor, climb, &present)?
        .ok_or("no other version ran before that has not failed for it and may do no more")?;
    let package = floor.package(digest).ok_or("its package is gone")?;
    let parameters = binding
        .adopt_for(&package.declaration, binding.versions_of(twin))
        .map_err(|reasons| reasons.join("; "))?;
    let limit = Duration::from_secs(binding.stages.compile_seconds_max);
    let number = || floor.number(index, &package.declaration.label(), digest, &parameters);
    let effort = Effort { limit, wanted, clock: floor.clock.as_ref(), number: &number };
    let compiled = compile::apart(&floor.engine, &package, &floor.cache, &effort)?;
    let version = floor.version(index, compiled, parameters)?;
    let cold = if binding.allow_cold_start { ColdStart::Allow } else { ColdStart::Refuse };
    let schema = handover_schema(&present, &package.declaration, cold).map_err(|error| error.to_string())?;
    let state = match schema {
        Some(schema) => state_for(floor, climb.case, schema)?,
        None => None,
    };
    if schema.is_some() && state.is_none() && !binding.allow_cold_start {
        return Err("no state of it can be carried, and the site allows no cold start".to_owned());
    }
    let berth = crate::runtime::rollouts::alone(floor, index, &version, twin, state.as_ref())?;
    Ok(Raised { berth, package })
}

/// State of a twin in a schema: as its instance has it, else as it was saved.
fn state_for(floor: &Floor, case: Case, schema: u32) -> Result<Option<Snapshot>, String> {
    let Case { index, twin, .. } = case;
    let shard = floor.shard_of(twin);
    let copies = floor.ask(shard, |reply| Ask::Copy(index, [twin].into(), Some(schema), reply))?;
    let whole = copies.into_iter().flatten().find(|copy| !copy.twins.is_empty() && copy.schema == schema);
    if let Some(copy) = whole {
        return Ok(Some(copy));
    }
    let saved = saved(floor, case, None)?.filter(|state| state.by.schema == schema);
    saved.map(|state| read(twin, &state)).transpose()
}

#[cfg(test)]
mod tests {
    use geminus_core::{Digest, Timestamp};
    use geminus_store::Generation;

    use super::*;

    #[test]
    fn a_saved_state_that_cannot_be_read_is_not_taken_for_none() {
        let state = |bytes: &[u8], digest: String| StateSnapshot {
            twin: "cell-1".to_owned(),
            by: Generation {
                binding: "tally".to_owned(),
                plugin: "tally@1.0.0".to_owned(),
                digest,
                schema: 1,
            },
            row_time: Timestamp(7),
            saved: Timestamp(8),
            bytes: bytes.to_vec(),
        };
        let digest = Digest::of(b"tally").to_string();
        let whole = [[3, 0, 0, 0, 0, 0, 0, 0].as_slice(), b"state"].concat();
        let found = read(TwinIndex(1), &state(&whole, digest.clone())).expect("a state");
        assert_eq!((found.twins[0].rows, found.twins[0].bytes.as_slice()), (3, b"state".as_slice()));
        for (bytes, digest) in [(&whole[..7], digest), (whole.as_slice(), "sha256:short".to_owned())] {
            assert_eq!(
                read(TwinIndex(1), &state(bytes, digest)).unwrap_err(),
                "its saved state cannot be read"
            );
        }
    }
}
