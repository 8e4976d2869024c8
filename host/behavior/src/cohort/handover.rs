//! State of some twins out of one cohort and into another, between two rows and at the price of those twins alone.
//! So a rollout carries a large fleet over in small parts, and no row waits for the whole of it.

use geminus_core::{Declaration, TwinIndex};

use crate::cohort::Cohort;
use crate::cohort::membership::{prepare_in, refusal};
use crate::cohort::saving::{RestoreError, SnapshotError};
use crate::instance::{Instance, Stride};
use crate::slots::Standing;
use crate::states::{Snapshot, States};
use crate::trouble::{FaultKind, Refused, Trouble};

impl Cohort {
    /// Copies the state of these twins, in the newest schema or in an older declared one. Quarantined twins are in it
    /// with their last good state, lost ones with that of the last save when no other schema is asked for; twins that
    /// have no slot are not. Without state in the declaration, only times and numbers of rows are copied.
    ///
    /// # Errors
    /// When the schema is not declared, or the behavior fails; the cohort goes on.
    pub fn copy(&mut self, twins: &[TwinIndex], schema: Option<u32>) -> Result<Snapshot, SnapshotError> {
        self.begin();
        let declaration = self.compiled.declaration().clone();
        let (label, newest) = (declaration.label(), declaration.state.schema);
        let schema = schema.filter(|&schema| schema != newest);
        if let Some(schema) = schema.filter(|schema| !declaration.state.writes.contains(schema)) {
            return Err(SnapshotError::Schema { label, schema });
        }
        let mut slots: Vec<u32> = twins.iter().filter_map(|&twin| self.slots.find(twin)).collect();
        slots.sort_unstable();
        slots.dedup();
        let open: Vec<u32> = slots.iter().copied().filter(|&slot| self.is_open(slot)).collect();
        let copied = match self.copy_of(&open, schema) {
            Err(trouble) => self.copy_again(&open, schema, &trouble),
            copied => copied,
        };
        let failed = |trouble: Trouble| SnapshotError::Failed { label, message: trouble.message };
        let mut states = copied.map_err(failed)?;
        let lost = slots.iter().copied().filter(|&slot| !self.is_open(slot));
        if states.schema() == self.base.schema() {
            let known = lost.filter_map(|slot| Some((slot, self.base.last_of_lost(slot)?)));
            known.for_each(|(slot, state)| states.push(slot, state));
        }
        Ok(self.by_twin(&states))
    }

    /// Puts the twins of a snapshot of this plugin, of any version whose schema is read, to where it found them. Twins
    /// that are not open are passed over; twins that cannot be restored stay as they are and are given back with the
    /// reason. Whether a twin is quarantined does not change.
    ///
    /// # Errors
    /// When the snapshot is of another plugin or schema; nothing has changed then.
    pub fn take_in(&mut self, snapshot: &Snapshot) -> Result<Vec<Refused>, RestoreError> {
        self.begin();
        let declaration = self.compiled.declaration().clone();
        readable(&declaration, snapshot)?;
        if self.base.schema() != declaration.state.schema {
            let mut faults = std::mem::take(&mut self.faults);
            self.save(&mut faults);
            self.faults = faults;
        }
        let states = snapshot.states(|twin| self.slots.find(twin).filter(|&slot| self.is_open(slot)));
        let mut refused = Vec::new();
        if let Err(trouble) = self.take(&states) {
            refused = self.take_some(&states, &trouble);
        }
        let out: Vec<Refused> = refused
            .iter()
            .flat_map(|(group, trouble)| group.iter().map(move |&slot| (slot, trouble)))
            .filter_map(|(slot, trouble)| refusal(&self.slots, slot, trouble))
            .collect();
        for saved in &snapshot.twins {
            let slot = self.slots.find(saved.twin).filter(|&slot| self.is_open(slot));
            let Some(slot) = slot.filter(|_| out.iter().all(|refused| refused.twin != saved.twin)) else {
                continue;
            };
            if let Some(pace) = self.slots.pace_mut(slot) {
                (pace.last_time, pace.rows, pace.converged) = (saved.time.0, saved.rows, false);
            }
        }
        Ok(out)
    }

    /// As `take_in`, at a start.
    ///
    /// # Errors
    /// As `take_in`.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<Vec<Refused>, RestoreError> {
        self.take_in(snapshot)
    }

    pub(super) fn is_open(&self, slot: u32) -> bool {
        self.slots.pace(slot).is_some_and(|pace| pace.standing != Standing::Lost)
    }

    fn copy_of(&mut self, slots: &[u32], schema: Option<u32>) -> Result<States, Trouble> {
        let newest = self.compiled.declaration().state.schema;
        let mut states = States::empty(schema.unwrap_or(newest));
        if newest == 0 {
            slots.iter().for_each(|&slot| states.push(slot, &[]));
            return Ok(states);
        }
        match &mut self.instance {
            Some(instance) => instance.snapshot(slots, schema, Stride::Many),
            None if slots.is_empty() => Ok(states),
            None => Err(Trouble::new(FaultKind::Unresolved, "the cohort was given up")),
        }
    }

    /// Restores these slots and lets the next recovery know: all of them, or none.
    fn take(&mut self, states: &States) -> Result<(), Trouble> {
        if states.slots().is_empty() || self.compiled.declaration().state.schema == 0 {
            return Ok(());
        }
        let Some(instance) = &mut self.instance else {
            return Err(Trouble::new(FaultKind::Unresolved, "the cohort was given up"));
        };
        // Saved again at once, so that a recovery starts from the newest schema, whatever was carried.
        let taken = instance
            .restore(states, Stride::Many)
            .and_then(|()| instance.snapshot(states.slots(), None, Stride::Many));
        match taken {
            Ok(now) => {
                self.base.put(&now, self.log.rows());
                Ok(())
            }
            Err(trouble) => {
                self.mend(&trouble);
                Err(trouble)
            }
        }
    }

    /// Takes all but those whose state an instance of their own does not take.
    fn take_some(&mut self, states: &States, trouble: &Trouble) -> Vec<(Vec<u32>, Trouble)> {
        let mut purse = self.purse;
        let mut refused = self.search(&mut purse, states.slots(), trouble, |group| {
            let instance = Instance::new(&self.compiled, &self.host, &self.meter)?;
            prepare_in(instance, &self.slots, group, Some(states), Stride::One).map(drop)
        });
        self.spend(purse);
        let good = states.filtered(|slot| !refused.iter().any(|(group, _)| group.contains(&slot)));
        if let Err(trouble) = self.take(&good) {
            refused.push((good.slots().to_vec(), trouble));
        }
        refused
    }
}

/// Whether this plugin reads that snapshot.
pub(super) fn readable(declaration: &Declaration, snapshot: &Snapshot) -> Result<(), RestoreError> {
    let ours = declaration.label();
    if snapshot.label.split('@').next() != Some(declaration.name.as_str()) {
        return Err(RestoreError::Plugin { theirs: snapshot.label.clone(), ours });
    }
    let stateless = declaration.state.schema == 0 && snapshot.schema == 0;
    if !stateless && !declaration.state.reads.contains(&snapshot.schema) {
        return Err(RestoreError::Schema { label: ours, schema: snapshot.schema });
    }
    Ok(())
}
