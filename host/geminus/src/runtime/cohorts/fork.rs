//! A copy of one twin out of the instance that answers for it, for forks that are stepped elsewhere.

use geminus_core::TwinIndex;
use geminus_fork::Origin;
use geminus_twin::BindingIndex;

use super::Cohorts;
use super::trial::Trial;

impl Cohorts {
    /// The twin as it stands between two rows, in the version that answers for it.
    pub(crate) fn fork(&mut self, index: BindingIndex, twin: TwinIndex) -> Result<Origin, String> {
        let absent = || "nobody answers for this behavior of the twin".to_owned();
        let group = self.groups.get_mut(&index).ok_or_else(absent)?;
        let trial = group.trial.as_mut().filter(|trial| trial.is_authoritative(twin));
        let side = trial.map_or(&mut group.incumbent, Trial::side_mut);
        let berth = side.berth_mut(twin).ok_or_else(absent)?;
        Origin::of(&mut berth.enter(), twin).map_err(|error| error.to_string())
    }
}
