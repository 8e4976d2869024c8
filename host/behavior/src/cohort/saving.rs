//! State out: snapshots of the whole cohort, to be stored or handed on.

use geminus_core::Timestamp;

use crate::cohort::Cohort;
use crate::cohort::recovery::Task;
use crate::instance::Stride;
use crate::states::{Saved, Snapshot, States};
use crate::trouble::{FaultKind, Trouble};

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
        self.begin();
        let declaration = self.compiled.declaration().clone();
        let label = declaration.label();
        if let Some(schema) = schema.filter(|schema| !declaration.state.writes.contains(schema)) {
            return Err(SnapshotError::Schema { label, schema });
        }
        let failed = |message| SnapshotError::Failed { label: label.clone(), message };
        let states = self.copy_states(schema).map_err(|trouble| failed(trouble.message))?;
        Ok(self.by_twin(&states))
    }

    /// State by slot as a snapshot by twin.
    pub(super) fn by_twin(&self, states: &States) -> Snapshot {
        let saved = states.iter().filter_map(|(slot, bytes)| {
            let (twin, pace) = (self.slots.twin(slot)?, self.slots.pace(slot)?);
            Some(Saved { twin, time: Timestamp(pace.last_time), rows: pace.rows, bytes: bytes.to_vec() })
        });
        let twins = saved.collect();
        let label = self.compiled.declaration().label();
        Snapshot { label, digest: self.compiled.digest(), schema: states.schema(), twins }
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
        match instance.snapshot(&open, schema, Stride::Many) {
            Ok(states) => Ok(states),
            Err(trouble) => self.copy_again(&open, schema, &trouble),
        }
    }

    /// Builds the instance anew when `trouble` has poisoned it.
    pub(super) fn mend(&mut self, trouble: &Trouble) {
        if trouble.kind == FaultKind::Fault {
            return;
        }
        let mut faults = std::mem::take(&mut self.faults);
        self.recover(Task::Other, self.log.rows(), trouble, &mut faults);
        self.faults = faults;
    }

    /// After trouble in a copy of `slots`: takes out whose state it was, and copies the others'.
    pub(super) fn copy_again(
        &mut self,
        slots: &[u32],
        schema: Option<u32>,
        trouble: &Trouble,
    ) -> Result<States, Trouble> {
        if trouble.kind == FaultKind::Fault && schema.is_some() {
            return Err(trouble.clone());
        }
        let mut faults = std::mem::take(&mut self.faults);
        self.mend_save(slots, trouble, Stride::Many, &mut faults);
        self.faults = faults;
        let open: Vec<u32> = slots.iter().copied().filter(|&slot| self.is_open(slot)).collect();
        let Some(instance) = &mut self.instance else { return Err(trouble.clone()) };
        let again = instance.snapshot(&open, schema, Stride::One);
        if let Err(trouble) = &again {
            self.mend(trouble);
        }
        again
    }
}
