//! How twins stand, and the steps by which one that was taken out comes back: released with its last good state,
//! or opened anew with a state from elsewhere, after an heir has tried that. When to take which step is decided elsewhere.

use std::sync::Arc;

use geminus_core::TwinIndex;

use crate::base::Base;
use crate::cohort::Cohort;
use crate::cohort::heir::Heir;
use crate::cohort::settlement::convergence;
use crate::slots::Standing;
use crate::states::{Snapshot, States};
use crate::trouble::{FaultKind, Refused};

impl Cohort {
    /// Whether the twin's outputs may be trusted: it has had as many rows as the declaration asks for, and where an
    /// output says whether it has converged, its last row said so.
    #[must_use]
    pub fn is_warm(&self, twin: TwinIndex) -> bool {
        let declaration = self.compiled.declaration();
        let pace = self.slots.find(twin).and_then(|slot| self.slots.pace(slot));
        pace.is_some_and(|pace| {
            pace.rows >= u64::from(declaration.warm_up_rows)
                && (pace.converged || convergence(declaration).is_none())
        })
    }

    /// Whether the twin has had a row that was answered, here or where its state comes from.
    #[must_use]
    pub fn has_had_rows(&self, twin: TwinIndex) -> bool {
        let pace = self.slots.find(twin).and_then(|slot| self.slots.pace(slot));
        pace.is_some_and(|pace| pace.rows > 0)
    }

    /// How the twin stands; `None` when it has no slot here.
    #[must_use]
    pub fn standing(&self, twin: TwinIndex) -> Option<Standing> {
        self.slot(twin).map(|(_, standing)| standing)
    }

    /// Lets a quarantined twin have rows again, with its last good state. False when it is not quarantined: a lost one
    /// has to be reopened.
    pub fn release(&mut self, twin: TwinIndex) -> bool {
        let pace = self.slots.find(twin).and_then(|slot| self.slots.pace_mut(slot));
        match pace.filter(|pace| pace.standing == Standing::Quarantined) {
            Some(pace) => {
                pace.standing = Standing::Live;
                true
            }
            None => false,
        }
    }

    /// Takes a twin out from outside: it gets no rows from here on, and keeps the state that it has. False when it has no
    /// slot here.
    pub fn hold(&mut self, twin: TwinIndex) -> bool {
        let pace = self.slots.find(twin).and_then(|slot| self.slots.pace_mut(slot));
        match pace {
            Some(pace) => {
                if pace.standing == Standing::Live {
                    pace.standing = Standing::Quarantined;
                }
                true
            }
            None => false,
        }
    }

    /// Opens the one twin of an heir of this very version anew, in whatever standing it is here or without a slot, and gives
    /// it the state that the snapshot has of it; without one it starts cold. The heir has opened it and rehearsed the state
    /// on another thread, so what is left to do here is a call or two for one slot. Whoever has an instance alone gets the
    /// heir's. The heir keeps what is not needed, to be dropped where no row waits for it.
    ///
    /// # Errors
    /// Says why the twin stays apart: the heir is of another version, or the twin does in this instance what it did not do
    /// in the heir's.
    pub fn readmit(&mut self, heir: &mut Heir, state: Option<&Snapshot>) -> Result<(), Refused> {
        let Some(opening) = heir.slots.openings().next().cloned() else { return Ok(()) };
        let twin = opening.twin;
        let refused = |message: String| {
            let (id, kind) = (opening.id.clone(), FaultKind::Row);
            Refused { twin, id, kind, message }
        };
        if heir.compiled().digest() != self.compiled.digest() {
            let (theirs, ours) = (heir.compiled().declaration().label(), self.compiled.declaration().label());
            return Err(refused(format!("it was opened in {theirs}, {ours} runs for it")));
        }
        let alone = state.map(|state| Snapshot {
            label: state.label.clone(),
            digest: state.digest,
            schema: state.schema,
            twins: state.twins.iter().filter(|saved| saved.twin == twin).cloned().collect(),
        });
        if let Some(state) = &alone {
            super::handover::readable(self.compiled.declaration(), state)
                .map_err(|error| refused(error.to_string()))?;
        }
        // An heir of one twin has it in slot 0.
        if self.slots.len() == 1 && self.slots.find(twin) == Some(0) {
            self.move_to(heir);
        } else {
            self.close(&[twin]);
            if self.slots.len() >= self.compiled.engine.limits.slots_max as usize {
                return Err(refused("the cohort is full".to_owned()));
            }
            let slot = self.slots.insert(Arc::clone(&opening));
            let mut fresh = States::empty(heir.fresh.schema());
            heir.fresh.iter().for_each(|(_, state)| fresh.push(slot, state));
            self.let_in(&[slot], &fresh);
        }
        let done = match alone.map(|state| self.take_in(&state)) {
            Some(Err(error)) => Err(refused(error.to_string())),
            Some(Ok(mut all)) if !all.is_empty() => Err(all.remove(0)),
            _ if self.standing(twin) == Some(Standing::Live) => Ok(()),
            _ => Err(refused("it broke the instance that it was let in to".to_owned())),
        };
        if done.is_err() {
            self.hold(twin);
        }
        done
    }

    /// Puts the heir's instance in place of the one that is here; nobody but its twin lives in either.
    fn move_to(&mut self, heir: &mut Heir) {
        std::mem::swap(&mut self.instance, &mut heir.instance);
        self.slots = heir.slots.clone().renewed();
        self.base = Base::new(heir.fresh.clone());
        self.log.truncate(0);
        if let Some(instance) = &self.instance {
            let before = std::mem::replace(&mut self.meter, Arc::clone(instance.meter()));
            before.take_floods().into_iter().for_each(|flood| self.meter.enter_flood(flood));
        }
        self.begin();
    }
}
