//! State out and in: snapshots that are stored or handed on, and what is put back from them.

use geminus_core::Timestamp;

use crate::cohort::Cohort;
use crate::cohort::membership::{prepare, refusal};
use crate::cohort::recovery::{Task, sift};
use crate::slots::Standing;
use crate::states::{Saved, Snapshot, States};
use crate::trouble::{FaultKind, Refused, Trouble};

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
        let refused = match self.put_back(&states, &known) {
            Ok(()) => return Ok(Vec::new()),
            Err(trouble) => self.put_back_some(&states, &known, &trouble),
        };
        let refusals =
            refused.iter().flat_map(|(group, trouble)| group.iter().map(move |&slot| (slot, trouble)));
        Ok(refusals.filter_map(|(slot, trouble)| refusal(&self.slots, slot, trouble)).collect())
    }

    /// Copies the state of all open slots; a crash is mended first, then reported.
    pub(super) fn copy_states(&mut self, schema: Option<u32>) -> Result<States, Trouble> {
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
    pub(super) fn mend(&mut self, trouble: &Trouble) {
        if trouble.kind == FaultKind::Fault {
            return;
        }
        let mut faults = std::mem::take(&mut self.faults);
        self.recover(Task::Save, trouble, &mut faults);
        self.faults = faults;
    }

    /// Puts back all but those whose state an instance of their own does not take.
    fn put_back_some(
        &mut self,
        states: &States,
        known: &[(u32, &Saved)],
        trouble: &Trouble,
    ) -> Vec<(Vec<u32>, Trouble)> {
        let trials_max = self.compiled.engine.limits.trials_max;
        let mut refused = sift(states.slots().to_vec(), trouble, trials_max, |group| {
            prepare(&self.compiled, &self.host, &self.slots, group, Some(states)).map(drop)
        });
        let good = states.filtered(|slot| !refused.iter().any(|(group, _)| group.contains(&slot)));
        if let Err(trouble) = self.put_back(&good, known) {
            refused.push((good.slots().to_vec(), trouble));
        }
        refused
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
}
