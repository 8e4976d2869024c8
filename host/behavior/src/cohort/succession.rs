//! State out and in, and the hot swap: a new version takes over from the incumbent at a row's border.
//!
//! Everything happens on a copy. The incumbent's state is copied, a new instance is made, opened, restored, saved
//! and restored once more; when all of that went well, it takes the incumbent's place. On any error the incumbent
//! goes on as if nothing had been tried. A behavior is never started cold silently.

use std::sync::Arc;

use geminus_core::{Declaration, Timestamp, TwinIndex};

use crate::cohort::Cohort;
use crate::cohort::membership::{prepare, refusal};
use crate::cohort::recovery::{Task, sift};
use crate::columns::Sheet;
use crate::compiled::Compiled;
use crate::slots::Standing;
use crate::states::{Saved, Snapshot, States};
use crate::trouble::{FaultKind, Refused, Trouble};

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
    /// The newcomer takes up each twin, but not all together.
    #[error("{to} cannot be started with all twins: {message}")]
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

/// Why there is no snapshot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// Not a schema that the declaration offers.
    #[error("{label} does not write state schema {schema}")]
    Schema {
        /// Which plugin.
        label: String,
        /// What was asked for.
        schema: u32,
    },
    /// The behavior could not; when it crashed, it was built anew.
    #[error("{label} gave no snapshot: {message}")]
    Failed {
        /// Which plugin.
        label: String,
        /// What happened.
        message: String,
    },
}

/// Why nothing was restored.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Another plugin's state.
    #[error("snapshot is of {theirs}, not of {ours}")]
    Plugin {
        /// Who wrote it.
        theirs: String,
        /// Who should read it.
        ours: String,
    },
    /// A schema that the declaration does not read.
    #[error("{label} does not read state schema {schema}")]
    Schema {
        /// Which plugin.
        label: String,
        /// The snapshot's schema.
        schema: u32,
    },
}

/// Why there is no forecast.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// The declaration does not offer it.
    #[error("{0} does not declare a forecast")]
    NotDeclared(String),
    /// No such twin, or it is quarantined.
    #[error("twin number {} gets no forecast: it is not open or quarantined", .0.0)]
    Twin(TwinIndex),
    /// The times are not increasing, or there are not as many values as times × inputs.
    #[error("forecast request does not fit: {0}")]
    Request(String),
    /// The behavior could not; when it crashed, it was built anew.
    #[error("no forecast: {0}")]
    Failed(String),
}

/// A look ahead: N times × O outputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// In declared units, row-major.
    pub mean: Vec<f64>,
    /// 1 sigma; NaN where not known.
    pub deviation: Vec<f64>,
}

impl Cohort {
    /// Copies the state of all twins, in the newest schema or in an older declared one. Quarantined twins are
    /// in it with their last good state; twins whose slot was lost are not.
    ///
    /// # Errors
    /// When the schema is not declared, or the behavior fails; the cohort goes on.
    pub fn snapshot(&mut self, schema: Option<u32>) -> Result<Snapshot, SnapshotError> {
        let declaration = self.compiled.declaration().clone();
        let label = declaration.label();
        if let Some(schema) = schema.filter(|schema| !declaration.state.writes.contains(schema)) {
            return Err(SnapshotError::Schema { label, schema });
        }
        let failed = |message| SnapshotError::Failed { label: label.clone(), message };
        let states = self.copy_states(schema).map_err(|trouble| failed(trouble.message))?;
        let saved = states.iter().filter_map(|(slot, bytes)| {
            let (twin, pace) = (self.slots.twin(slot)?, self.slots.pace(slot)?);
            Some(Saved { twin, time: Timestamp(pace.last_time), rows: pace.rows, bytes: bytes.to_vec() })
        });
        let twins = saved.collect();
        Ok(Snapshot { label, digest: self.compiled.digest(), schema: states.schema(), twins })
    }

    /// Puts twins back to where a snapshot of this plugin, of any version whose schema is read, found them.
    /// Twins of the snapshot that are not open are passed over; twins that cannot be restored stay as they are
    /// and are given back with the reason.
    ///
    /// # Errors
    /// When the snapshot is of another plugin or schema; nothing has changed then.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<Vec<Refused>, RestoreError> {
        let declaration = self.compiled.declaration().clone();
        let plugin = |label: &str| label.split('@').next().map(str::to_owned);
        if plugin(&snapshot.label) != Some(declaration.name.clone()) {
            return Err(RestoreError::Plugin { theirs: snapshot.label.clone(), ours: declaration.label() });
        }
        if !declaration.state.reads.contains(&snapshot.schema) {
            return Err(RestoreError::Schema { label: declaration.label(), schema: snapshot.schema });
        }
        let mut known: Vec<(u32, &Saved)> =
            snapshot.twins.iter().filter_map(|saved| Some((self.slots.find(saved.twin)?, saved))).collect();
        known.retain(|&(slot, _)| self.slots.pace(slot).is_some_and(|pace| pace.standing == Standing::Live));
        known.sort_unstable_by_key(|&(slot, _)| slot);
        let mut states = States::empty(snapshot.schema);
        known.iter().for_each(|(slot, saved)| states.push(*slot, &saved.bytes));
        let mut refused = self.unreadable(&states);
        let good = states.filtered(|slot| !refused.iter().any(|(group, _)| group.contains(&slot)));
        if let Err(trouble) = self.put_back(&good, &known) {
            refused.push((good.slots().to_vec(), trouble));
        }
        let refusals =
            refused.iter().flat_map(|(group, trouble)| group.iter().map(move |&slot| (slot, trouble)));
        Ok(refusals.filter_map(|(slot, trouble)| refusal(&self.slots, slot, trouble)).collect())
    }

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

    /// Asks one twin's behavior about times after its last row: N increasing times, N × I assumed inputs.
    ///
    /// # Errors
    /// When it is not declared, the request does not fit, or the behavior fails; the cohort goes on.
    pub fn forecast(
        &mut self,
        twin: TwinIndex,
        times: &[Timestamp],
        values: &[f64],
    ) -> Result<Prediction, ForecastError> {
        let declaration = self.compiled.declaration();
        if !declaration.forecast {
            return Err(ForecastError::NotDeclared(declaration.label()));
        }
        let slot = self.slots.find(twin).ok_or(ForecastError::Twin(twin))?;
        let pace = self.slots.pace(slot).filter(|pace| pace.standing == Standing::Live);
        let last_time = pace.ok_or(ForecastError::Twin(twin))?.last_time;
        let times: Vec<u64> = times.iter().map(|time| time.0).collect();
        if times.first().is_some_and(|&time| time <= last_time) || !times.is_sorted_by(|a, b| a < b) {
            return Err(ForecastError::Request("times must increase, and be after the last row".to_owned()));
        }
        if times.is_empty() || values.len() != times.len() * declaration.inputs.len() {
            return Err(ForecastError::Request(format!("{} values for {} times", values.len(), times.len())));
        }
        let instance = self.instance.as_mut().ok_or(ForecastError::Twin(twin))?;
        match instance.forecast(slot, twin, &times, values) {
            Ok(prediction) => {
                let canonical = |value: f64| if value.is_finite() { value } else { f64::NAN };
                let mean = prediction.mean.into_iter().map(canonical).collect();
                let deviation = prediction.deviation.into_iter().map(canonical).collect();
                Ok(Prediction { mean, deviation })
            }
            Err(trouble) => {
                self.mend(&trouble);
                Err(ForecastError::Failed(trouble.message))
            }
        }
    }

    /// Copies the state of all open slots; a crash is mended first, then reported.
    fn copy_states(&mut self, schema: Option<u32>) -> Result<States, Trouble> {
        if self.compiled.declaration().state.schema == 0 {
            return Ok(States::empty(0));
        }
        let open = self.slots.open();
        let Some(instance) = &mut self.instance else {
            return Err(Trouble::new(FaultKind::Unresolved, "the cohort was given up"));
        };
        let copied = instance.snapshot(&open, schema);
        if let Err(trouble) = &copied {
            self.mend(trouble);
        }
        copied
    }

    /// Builds the instance anew when `trouble` has poisoned it.
    fn mend(&mut self, trouble: &Trouble) {
        if trouble.kind == FaultKind::Fault {
            return;
        }
        let mut faults = std::mem::take(&mut self.faults);
        self.recover(Task::Save, trouble, &mut faults);
        self.faults = faults;
    }

    /// Slots whose state an instance of their own does not take.
    fn unreadable(&self, states: &States) -> Vec<(Vec<u32>, Trouble)> {
        let attempt =
            |group: &[u32]| prepare(&self.compiled, &self.host, &self.slots, group, Some(states)).map(drop);
        match attempt(states.slots()) {
            Ok(()) => Vec::new(),
            Err(trouble) => {
                sift(states.slots().to_vec(), &trouble, self.compiled.engine.limits.trials_max, attempt)
            }
        }
    }

    fn put_back(&mut self, states: &States, known: &[(u32, &Saved)]) -> Result<(), Trouble> {
        let Some(instance) = self.instance.as_mut().filter(|_| !states.slots().is_empty()) else {
            return Ok(());
        };
        if let Err(trouble) = instance.restore(states) {
            self.mend(&trouble);
            return Err(trouble);
        }
        for (slot, saved) in known.iter().filter(|(slot, _)| states.slots().binary_search(slot).is_ok()) {
            if let Some(pace) = self.slots.pace_mut(*slot) {
                (pace.last_time, pace.rows) = (saved.time.0, saved.rows);
            }
        }
        let mut faults = std::mem::take(&mut self.faults);
        self.save(&mut faults);
        self.faults = faults;
        Ok(())
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
