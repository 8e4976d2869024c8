//! What the site asks of a command: fixed when it is proposed, so that a site file that changes meanwhile makes nothing
//! easier for a command under way.

use std::time::Duration;

use geminus_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::approval::APPROVERS_MAX;
use crate::{Class, Feedback};

/// Longest time for a read-back, in milliseconds.
pub const WITHIN_MS_MAX: u64 = 600_000;

/// What the site asks of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// How many people must approve it.
    pub approvers: u8,
    /// How long it waits for them and how long an approval holds, in milliseconds.
    pub approve_within_ms: u64,
    /// Where its effect is read back; `None`: it ends as `transport-acked`, which proves no effect.
    pub feedback: Option<Feedback>,
}

/// Why terms cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// More people than can be asked.
    #[error("{found} approvers are asked for: 0, 1 or 2 can be")]
    Approvers {
        /// How many.
        found: u8,
    },
    /// No time, or too much of it.
    #[error("{what} is {found} ms: 1 to {limit} can be given")]
    Time {
        /// Which time.
        what: &'static str,
        /// Milliseconds.
        found: u64,
        /// Most milliseconds.
        limit: u64,
    },
    /// A tolerance that is none.
    #[error("the tolerance of the feedback must be a finite number that is not negative")]
    Tolerance,
}

impl Terms {
    /// The terms of a class, with as many approvers as [`Class::approvers`] says.
    #[must_use]
    pub fn new(class: &Class, approvers: u8, feedback: Option<Feedback>) -> Self {
        Self { approvers, approve_within_ms: class.approve_within_s.saturating_mul(1_000), feedback }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// Names the first thing that is wrong.
    pub fn check(&self) -> Result<(), TermsError> {
        if self.approvers > APPROVERS_MAX {
            return Err(TermsError::Approvers { found: self.approvers });
        }
        time("the time for approval", self.approve_within_ms, 86_400_000)?;
        let Some(feedback) = &self.feedback else { return Ok(()) };
        time("the time for the read-back", feedback.within_ms, WITHIN_MS_MAX)?;
        match feedback.tolerance.is_finite() && feedback.tolerance >= 0.0 {
            true => Ok(()),
            false => Err(TermsError::Tolerance),
        }
    }

    pub(crate) fn approve_within(&self) -> Duration {
        Duration::from_millis(self.approve_within_ms)
    }

    /// Until when a fresh read-back counts for what was sent at `sent`; `None` where nothing can be read back.
    pub(crate) fn read_back_until(&self, sent: Timestamp) -> Option<Timestamp> {
        self.feedback.as_ref().map(|feedback| sent.plus(feedback.within()))
    }
}

fn time(what: &'static str, found: u64, limit: u64) -> Result<(), TermsError> {
    match (1..=limit).contains(&found) {
        true => Ok(()),
        false => Err(TermsError::Time { what, found, limit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::terms;

    fn check(change: impl Fn(&mut Terms), expect: &str) {
        let mut terms = terms(1);
        change(&mut terms);
        let refused = terms.check().expect_err(expect).to_string();
        assert!(refused.contains(expect), "{refused}");
    }

    fn feedback(terms: &mut Terms) -> &mut Feedback {
        terms.feedback.as_mut().expect("feedback")
    }

    #[test]
    fn terms_that_cannot_work_are_refused_by_name() {
        assert_eq!(terms(2).check(), Ok(()));
        assert_eq!(Terms { feedback: None, ..terms(0) }.check(), Ok(()));
        check(|t| t.approvers = 3, "3 approvers");
        check(|t| t.approve_within_ms = 0, "the time for approval is 0 ms");
        check(|t| t.approve_within_ms = 86_400_001, "1 to 86400000");
        check(|t| feedback(t).within_ms = 0, "the time for the read-back is 0 ms");
        check(|t| feedback(t).within_ms = WITHIN_MS_MAX + 1, "1 to 600000");
        for tolerance in [-0.1, f64::NAN, f64::INFINITY] {
            check(|t| feedback(t).tolerance = tolerance, "the tolerance");
        }
    }
}
