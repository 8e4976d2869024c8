//! The hot swap: a new version takes over from the incumbent at a row's border.
//!
//! Everything happens on a copy. The incumbent's state is copied, a new instance is made, opened, restored, saved
//! and restored once more; when all of that went well, it takes the incumbent's place. On any error the incumbent
//! goes on as if nothing had been tried. A behavior is never started cold silently.

use std::sync::Arc;

use geminus_core::{Declaration, TwinIndex};

use crate::cohort::Cohort;
use crate::cohort::membership::{prepare, refusal};
use crate::cohort::recovery::sift;
use crate::columns::Sheet;
use crate::compiled::Compiled;
use crate::instance::Instance;
use crate::slots::Standing;
use crate::states::States;
use crate::trouble::{Refused, Trouble};

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
    /// Swaps in a new version with the state of the old one. Blocks for about as long as opening all twins
    /// takes; `compiled` was made before, off the path.
    ///
    /// # Errors
    /// Says why the incumbent still runs, untouched.
    pub fn succeed(&mut self, compiled: Arc<Compiled>, cold: ColdStart) -> Result<SwapReport, SwapError> {
        let (old, new) = (self.compiled.declaration().clone(), compiled.declaration().clone());
        if !Arc::ptr_eq(&self.compiled.engine, &compiled.engine) {
            return Err(SwapError::OtherEngine(new.label()));
        }
        let carried = match common_schema(&old, &new, cold)? {
            Some(schema) => Some(self.outgoing(&old, schema)?),
            None => None,
        };
        let members: Vec<u32> = self.slots.iter().map(|(slot, ..)| slot).collect();
        let ready = prepare(&compiled, &self.host, &self.slots, &members, carried.as_ref());
        let (instance, base) =
            ready.map_err(|trouble| self.who_refuses(&compiled, members, carried.as_ref(), &trouble))?;
        let mut report = SwapReport {
            from: old.label(),
            to: new.label(),
            schema: carried.as_ref().map(States::schema),
            carried: carried.as_ref().map_or(0, |states| states.slots().len()),
            cold: Vec::new(),
            released: self.quarantined().collect(),
        };
        self.log = Sheet::new(new.inputs.len());
        (self.compiled, self.instance, self.base) = (compiled, Some(instance), base);
        let carried = carried.unwrap_or_default();
        self.release(&carried, old.state.schema + new.state.schema > 0, &mut report);
        Ok(report)
    }

    /// The incumbent's state in `schema`; of a cohort that was given up, the last one that was good.
    fn outgoing(&mut self, old: &Declaration, schema: u32) -> Result<States, SwapError> {
        if self.instance.is_none() && self.base.schema() == schema {
            return Ok(self.base.clone());
        }
        let asked = (schema != old.state.schema).then_some(schema);
        self.copy_states(asked)
            .map_err(|trouble| SwapError::Snapshot { from: old.label(), message: trouble.message })
    }

    fn who_refuses(
        &self,
        compiled: &Compiled,
        members: Vec<u32>,
        carried: Option<&States>,
        trouble: &Trouble,
    ) -> SwapError {
        let to = compiled.declaration().label();
        if let Err(trouble) = Instance::new(compiled, &self.host) {
            return SwapError::Start { to, message: trouble.message };
        }
        let out = sift(members, trouble, self.compiled.engine.limits.trials_max, |group| {
            prepare(compiled, &self.host, &self.slots, group, carried).map(drop)
        });
        let pairs = out.iter().flat_map(|(group, trouble)| group.iter().map(move |&slot| (slot, trouble)));
        let refused: Vec<Refused> =
            pairs.filter_map(|(slot, trouble)| refusal(&self.slots, slot, trouble)).collect();
        if refused.is_empty() {
            return SwapError::Start { to, message: trouble.message.clone() };
        }
        SwapError::Refused { to, refused }
    }

    /// Everybody gets rows again; who came without state counts its warm-up from the beginning.
    fn release(&mut self, carried: &States, stateful: bool, report: &mut SwapReport) {
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

/// The schema in which state can be carried; `None` when there is nothing to carry, or a cold start is allowed.
fn common_schema(old: &Declaration, new: &Declaration, cold: ColdStart) -> Result<Option<u32>, SwapError> {
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
