//! Who did it: suspects are tried together, one row or slot a call, in an instance of their own. The one at which
//! that breaks is named, and tried alone; only who breaks alone is guilty. So a search takes a few trials for each
//! culprit, and each burns no more than one row may use. Trials and burnt fuel of a step are bounded: beyond that
//! nobody is cleared any more.

use crate::cohort::Cohort;
use crate::limits::Limits;
use crate::trouble::{FaultKind, Trouble};

/// What one step may still spend on searching.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Purse {
    /// Instances built for trials since the step began.
    pub(crate) trials: u32,
    /// Burnt fuel when the step began.
    pub(crate) burnt_before: u64,
}

/// Budgets of a row that may be burnt in any case: the crash, its search and its proof take three.
const ROWS_BURNT_MIN: u64 = 8;

impl Purse {
    fn is_empty(&self, burnt: u64, limits: &Limits, row_fuel: u64) -> bool {
        let burnt_max = limits.fuel_burnt_per_step_max.max(row_fuel.saturating_mul(ROWS_BURNT_MIN));
        self.trials >= limits.trials_per_step_max || burnt.saturating_sub(self.burnt_before) >= burnt_max
    }
}

/// Twins that broke the trial, and how; several when they were not told apart.
pub(super) type Culprits = Vec<(Vec<u32>, Trouble)>;

impl Cohort {
    /// Opens the purse for what the caller is about to do.
    pub(super) fn begin(&mut self) {
        self.purse = Purse { trials: 0, burnt_before: self.meter.burnt() };
    }

    /// Finds those in `suspects` that fail `trial` on their own. `reason` is what they did together. Empty when nobody
    /// fails one by one.
    pub(super) fn search(
        &self,
        purse: &mut Purse,
        suspects: &[u32],
        reason: &Trouble,
        trial: impl Fn(&[u32]) -> Result<(), Trouble>,
    ) -> Culprits {
        let limits = &self.compiled.engine.limits;
        let row_fuel = limits.step_fuel(self.compiled.declaration());
        let mut left = suspects.to_vec();
        let mut culprits = Culprits::new();
        while !left.is_empty() {
            if purse.is_empty(self.meter.burnt(), limits, row_fuel) {
                culprits.push((left, not_told_apart(reason)));
                break;
            }
            purse.trials += 1;
            let Err(trouble) = trial(&left) else { break };
            if left.len() == 1 {
                culprits.push((left, trouble));
                break;
            }
            let Some(slot) = trouble.slot.filter(|slot| left.contains(slot)) else { break };
            purse.trials += 1;
            let Err(trouble) = trial(&[slot]) else { break };
            left.retain(|&other| other != slot);
            culprits.push((vec![slot], trouble));
        }
        culprits
    }
}

fn not_told_apart(reason: &Trouble) -> Trouble {
    let message = format!("not told apart from its neighbours within the step's budget: {}", reason.message);
    Trouble { state_kept: reason.state_kept, ..Trouble::new(FaultKind::Unresolved, message) }
}
