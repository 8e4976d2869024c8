//! The tally held against the acceptance: one check for each limit, in an operator's words.
//!
//! A check over too few rows is `open`, never `pass`; where a limit allows nothing at all, the first thing beyond it
//! fails at once. Nothing here is counted; [`Tally`] did that.

use geminus_core::TwinIndex;

use super::{Tally, number};
use crate::{Acceptance, Verdict, VerdictState};

mod conduct;
mod innovation;
mod outcome;
mod words;

/// What a twin is called; `None` where there is only one.
type Names<'a> = Option<&'a dyn Fn(TwinIndex) -> String>;

impl Tally {
    /// Holds what was counted against the acceptance. Differences were counted by the limits that this tally was made
    /// with, so it is to be the same acceptance. No twin is named.
    #[must_use]
    pub fn judge(&self, acceptance: &Acceptance) -> Verdict {
        self.held_against(acceptance, true, None)
    }

    /// The same in the middle of a phase: while it is not `ripe`, because rows and seconds are below the minimum of the
    /// plan, innovations and NIS stay open. Their limits hold for one look; a good model that is looked at after each
    /// row leaves its band sooner or later by chance alone. A fault is told with the name of its twin.
    #[must_use]
    pub fn judge_when(
        &self,
        acceptance: &Acceptance,
        ripe: bool,
        name_of: &dyn Fn(TwinIndex) -> String,
    ) -> Verdict {
        self.held_against(acceptance, ripe, Some(name_of))
    }

    fn held_against(&self, acceptance: &Acceptance, ripe: bool, names: Names<'_>) -> Verdict {
        let mut checks = vec![self.faults_check(acceptance, names), self.nan_check(acceptance)];
        checks.extend(self.difference_checks(acceptance));
        checks.extend(self.innovation_checks(acceptance, ripe));
        checks.extend(self.nis_checks(acceptance, ripe));
        checks.push(self.alerts_check(acceptance));
        checks.extend(self.proposal_checks(acceptance));
        checks.push(self.deadline_check(acceptance));
        checks.extend(self.fuel_checks(acceptance));
        Verdict::of(checks)
    }
}

/// Whether so many rows say something.
fn enough(acceptance: &Acceptance, rows: u64) -> bool {
    rows >= acceptance.rows_min
}

impl Tally {
    /// Whether so many compared rows say something. Where the running version answered no row at all there is nothing to
    /// be compared with, and nothing to wait for: the new version is then judged by what it does alone.
    fn enough_compared(&self, acceptance: &Acceptance, rows: u64) -> bool {
        enough(acceptance, rows) || (self.rows == 0 && enough(acceptance, self.rows_unanswered))
    }
}

/// `beyond` the limit; `at_once` when more rows cannot mend it.
fn judged(beyond: bool, at_once: bool, enough: bool) -> VerdictState {
    match (beyond, enough) {
        (true, true) => VerdictState::Fail,
        _ if at_once => VerdictState::Fail,
        (false, true) => VerdictState::Pass,
        (_, false) => VerdictState::Open,
    }
}

/// `count` of `all`; 0 of nothing is 0.
fn share(count: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { number(count) / number(all) }
}
