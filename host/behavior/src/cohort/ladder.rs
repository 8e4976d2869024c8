//! How twins stand, and the steps by which one that was taken out comes back: released with its last good state,
//! or opened anew with a state from elsewhere. When to take which step is decided elsewhere.

use std::sync::Arc;

use geminus_core::TwinIndex;

use crate::cohort::Cohort;
use crate::cohort::membership::{prepare, refusal};
use crate::cohort::settlement::convergence;
use crate::slots::{Opening, Slots, Standing};
use crate::states::Snapshot;
use crate::trouble::{FaultKind, Refused, Trouble};

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

    /// Closes the twin, opens it anew, and gives it the state that the snapshot has of it; without one it starts cold.
    /// Both are tried in an instance of its own first. Works for a twin in any standing, and for one that has no slot.
    ///
    /// # Errors
    /// Says why the twin stays as it was: its parameters or its state are refused, or it broke the trial.
    pub fn reopen(&mut self, opening: Opening, state: Option<&Snapshot>) -> Result<(), Refused> {
        let twin = opening.twin;
        let refused =
            |kind: FaultKind, message: String| Refused { twin, id: opening.id.clone(), kind, message };
        let alone = state.map(|state| Snapshot {
            label: state.label.clone(),
            digest: state.digest,
            schema: state.schema,
            twins: state.twins.iter().filter(|saved| saved.twin == twin).cloned().collect(),
        });
        if let Some(state) = &alone {
            super::handover::readable(self.compiled.declaration(), state)
                .map_err(|error| refused(FaultKind::Row, error.to_string()))?;
        }
        self.try_alone(&opening, alone.as_ref())?;
        self.close(&[twin]);
        if let Some(refused) = self.open(vec![opening.clone()]).pop() {
            return Err(refused);
        }
        match alone.map(|state| self.take_in(&state)) {
            None => Ok(()),
            Some(Ok(mut refused)) => refused.pop().map_or(Ok(()), Err),
            Some(Err(error)) => Err(refused(FaultKind::Row, error.to_string())),
        }
    }

    fn try_alone(&self, opening: &Opening, state: Option<&Snapshot>) -> Result<(), Refused> {
        let slots = Slots::of([Arc::new(opening.clone())]);
        let states = state.map(|state| state.states(|twin| slots.find(twin)));
        prepare(&self.compiled, &self.host, &self.meter, &slots, &[0], states.as_ref()).map(drop).map_err(
            |trouble: Trouble| {
                refusal(&slots, 0, &trouble).unwrap_or_else(|| Refused {
                    twin: opening.twin,
                    id: opening.id.clone(),
                    kind: trouble.kind,
                    message: trouble.message,
                })
            },
        )
    }
}
