//! The hot swap: a new version takes over from the incumbent at a row's border.
//!
//! Everything happens on a copy. An heir is raised, best on another thread: instantiated, its twins opened, saved and
//! restored once. Then, between two rows, it gets the incumbent's state and takes its place. On any error the
//! incumbent goes on as if nothing had been tried. A behavior is never started cold silently.

use std::sync::Arc;

use geminus_core::{Declaration, TwinIndex};

use crate::base::Base;
use crate::cohort::Cohort;
use crate::cohort::heir::{Heir, Household, catch_up, same};
use crate::cohort::saving::RestoreError;
use crate::columns::Sheet;
use crate::compiled::Compiled;
use crate::instance::Stride;
use crate::slots::Standing;
use crate::states::States;
use crate::trouble::Refused;

/// Whether a swap may start twins without the state they had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColdStart {
    /// Refuse the swap instead.
    #[default]
    Refuse,
    /// Somebody has said so: start cold where no state can be carried.
    Allow,
}

/// What a swap did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwapReport {
    /// `name@version` that ran before.
    pub from: String,
    /// `name@version` that runs now.
    pub to: String,
    /// Schema in which the state was carried; `None` when there was none to carry.
    pub schema: Option<u32>,
    /// Twins whose state was carried.
    pub carried: usize,
    /// Rows that the carried state does not know of: not 0 only after the cohort was given up.
    pub rows_lost: usize,
    /// Twins that started without state.
    pub cold: Vec<TwinIndex>,
    /// Twins that were quarantined under the old version and get rows again.
    pub released: Vec<TwinIndex>,
}

/// Why the incumbent still runs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// Compiled with another engine.
    #[error("{0} was compiled with another engine")]
    OtherEngine(String),
    /// One of the two has no state to carry or to take.
    #[error(
        "{from} (schema {writes}) and {to} (schema {reads}) carry no state: allow a cold start, or keep {from}"
    )]
    NoState {
        /// Incumbent.
        from: String,
        /// Newcomer.
        to: String,
        /// Incumbent's schema; 0 without state.
        writes: u32,
        /// Newcomer's schema; 0 without state.
        reads: u32,
    },
    /// No schema that one writes and the other reads.
    #[error(
        "{to} reads state schemas {reads:?}, {from} writes {writes:?}: give {to} a migration, or allow a cold start"
    )]
    Schema {
        /// Incumbent.
        from: String,
        /// Newcomer.
        to: String,
        /// What the incumbent can write.
        writes: Vec<u32>,
        /// What the newcomer can read.
        reads: Vec<u32>,
    },
    /// The incumbent's state could not be copied.
    #[error("state of {from} cannot be copied: {message}")]
    Snapshot {
        /// Incumbent.
        from: String,
        /// What happened.
        message: String,
    },
    /// The state to carry is none that the newcomer reads.
    #[error("state cannot be carried: {0}")]
    Restore(#[source] RestoreError),
    /// The newcomer does not take up the incumbent's twins.
    #[error("{to} refuses {} of the twins, first {}", refused.len(), first(refused))]
    Refused {
        /// Newcomer.
        to: String,
        /// Which twins, and why.
        refused: Vec<Refused>,
    },
    /// The newcomer cannot be instantiated, or takes up each twin but not all together.
    #[error("{to} cannot be started in place of the incumbent: {message}")]
    Start {
        /// Newcomer.
        to: String,
        /// What happened.
        message: String,
    },
}

fn first(refused: &[Refused]) -> String {
    refused.first().map_or_else(String::new, ToString::to_string)
}

impl Cohort {
    /// What a new version needs to get ready beside the incumbent: cheap to copy, and free to go to another thread.
    #[must_use]
    pub fn household(&self) -> Household {
        Household { host: self.host.clone(), slots: self.slots.clone(), then: self.slots.clone() }
    }

    /// Swaps in a new version with the state of the old one, all in one go. Blocks for as long as opening all
    /// twins takes; where that matters, `household`, `Household::raise` on another thread, and `inherit`.
    ///
    /// # Errors
    /// Says why the incumbent still runs, untouched.
    pub fn succeed(&mut self, compiled: Arc<Compiled>, cold: ColdStart) -> Result<SwapReport, SwapError> {
        self.may_follow(&compiled, cold)?;
        let heir = self.household().raise(compiled)?;
        self.inherit(heir, cold)
    }

    /// Hands state and rows over to an heir that was raised before. Blocks for one copy of the state out of the
    /// incumbent and one into the heir. Twins that came or went since are opened and closed in the heir.
    ///
    /// # Errors
    /// Says why the incumbent still runs, untouched.
    pub fn inherit(&mut self, heir: Heir, cold: ColdStart) -> Result<SwapReport, SwapError> {
        let Heir { compiled, mut instance, fresh, slots, then, .. } = heir;
        let (old, new) = (self.compiled.declaration().clone(), compiled.declaration().clone());
        let carried = match self.may_follow(&compiled, cold)? {
            Some(schema) => Some(self.outgoing(&old, schema)?),
            None => None,
        };
        catch_up(&mut instance, &then, &self.slots)
            .map_err(|trouble| SwapError::Start { to: new.label(), message: trouble.message })?;
        if let Some(states) = carried.as_ref().filter(|states| !states.slots().is_empty()) {
            let restored = instance.restore(states, Stride::Many);
            restored.map_err(|trouble| {
                self.household().who_refuses(&compiled, states.slots().to_vec(), carried.as_ref(), &trouble)
            })?;
        }
        let mut report = SwapReport {
            from: old.label(),
            to: new.label(),
            schema: carried.as_ref().map(States::schema),
            carried: carried.as_ref().map_or(0, |states| states.slots().len()),
            rows_lost: if self.instance.is_none() { self.log.rows() } else { 0 },
            cold: Vec::new(),
            released: self.quarantined().collect(),
        };
        let stays = |slot: u32| same(&then, &self.slots, slot);
        // What was carried is what the heir has just read, so it will read it again in a recovery.
        self.base = Base::new(carried.clone().unwrap_or_else(|| fresh.filtered(stays)));
        self.log = Sheet::new(new.inputs.len());
        self.meter = instance.meter().clone();
        (self.compiled, self.instance) = (compiled, Some(instance));
        self.slots.adopt(&then, &slots);
        let carried = carried.unwrap_or_default();
        self.release_all(&carried, old.state.schema + new.state.schema > 0, &mut report);
        Ok(report)
    }

    /// The schema to carry state in, when `compiled` may take over at all.
    fn may_follow(&self, compiled: &Compiled, cold: ColdStart) -> Result<Option<u32>, SwapError> {
        if !Arc::ptr_eq(&self.compiled.engine, &compiled.engine) {
            return Err(SwapError::OtherEngine(compiled.declaration().label()));
        }
        handover_schema(self.compiled.declaration(), compiled.declaration(), cold)
    }

    /// The incumbent's state in `schema`; of a cohort that was given up, the last one that was good.
    fn outgoing(&mut self, old: &Declaration, schema: u32) -> Result<States, SwapError> {
        if self.instance.is_none() && self.base.schema() == schema {
            return Ok(self.base.of(|_| true));
        }
        let asked = (schema != old.state.schema).then_some(schema);
        self.copy_states(asked)
            .map_err(|trouble| SwapError::Snapshot { from: old.label(), message: trouble.message })
    }

    /// Everybody gets rows again; who came without state counts its warm-up from the beginning.
    fn release_all(&mut self, carried: &States, stateful: bool, report: &mut SwapReport) {
        let slots: Vec<u32> = self.slots.iter().map(|(slot, ..)| slot).collect();
        for slot in slots {
            let is_cold = stateful && carried.slots().binary_search(&slot).is_err();
            if let Some(pace) = self.slots.pace_mut(slot) {
                pace.standing = Standing::Live;
                pace.rows = if is_cold { 0 } else { pace.rows };
            }
            report.cold.extend(self.slots.twin(slot).filter(|_| is_cold));
        }
    }
}

/// The schema in which the state of `old` can be carried to `new`; `None` when there is nothing to carry, or a cold
/// start is allowed.
///
/// # Errors
/// When there is state that cannot be carried, and a cold start is not allowed.
pub fn handover_schema(
    old: &Declaration,
    new: &Declaration,
    cold: ColdStart,
) -> Result<Option<u32>, SwapError> {
    let (writes, reads) = (old.state.schema, new.state.schema);
    if writes == 0 && reads == 0 {
        return Ok(None);
    }
    let newest = Some(writes).filter(|schema| new.state.reads.contains(schema));
    let older = old.state.writes.iter().copied().filter(|schema| new.state.reads.contains(schema)).max();
    let (from, to) = (old.label(), new.label());
    match newest.or(older) {
        Some(schema) if writes > 0 && reads > 0 => Ok(Some(schema)),
        _ if cold == ColdStart::Allow => Ok(None),
        _ if writes == 0 || reads == 0 => Err(SwapError::NoState { from, to, writes, reads }),
        _ => Err(SwapError::Schema {
            from,
            to,
            writes: old.state.writes.clone(),
            reads: new.state.reads.clone(),
        }),
    }
}
