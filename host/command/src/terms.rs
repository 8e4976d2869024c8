//! What the site asks of a command: fixed when it is proposed, so that a site file that changes meanwhile makes nothing
//! easier for a command under way; and held against what the site asks later, so that a stricter site reaches it.

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
    /// Where it is written; `None` in what a host before 0.1.1 kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
}

/// Where a command is written. People who approve a value of a target approve that it goes there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Name of the source whose broker or server it is written through.
    pub source: String,
    /// Topic or node.
    pub address: String,
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
    pub fn new(
        class: &Class,
        approvers: u8,
        feedback: Option<Feedback>,
        destination: Option<Destination>,
    ) -> Self {
        let approve_within_ms = class.approve_within_s.saturating_mul(1_000);
        Self { approvers, approve_within_ms, feedback, destination }
    }

    /// Why a command that was taken on these terms does not go on now that the site asks for `present`, in words; `None` when it
    /// may. A site that asks for less changes nothing.
    #[must_use]
    pub fn falls_short_of(&self, present: &Self) -> Option<String> {
        if present.approvers > self.approvers {
            let (wanted, was) = (present.approvers, self.approvers);
            return Some(format!(
                "the site wants {wanted} approvals of it now, and wanted {was} when it was proposed"
            ));
        }
        if let (Some(was), Some(is)) = (&self.destination, &present.destination)
            && was != is
        {
            return Some(format!(
                "its target is written to {} through {} now, and was written to {} through {} when it was proposed",
                is.address, is.source, was.address, was.source
            ));
        }
        let is_read_back_elsewhere = self.feedback != present.feedback;
        is_read_back_elsewhere
            .then(|| "the feedback of its target is not what it was when it was proposed".to_owned())
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
    fn a_stricter_site_and_another_destination_are_told_and_an_easier_site_is_not() {
        let to = |address: &str| Destination { source: "broker".to_owned(), address: address.to_owned() };
        let was = Terms { destination: Some(to("a")), ..terms(1) };
        let says = |change: fn(&mut Terms)| {
            let mut present = was.clone();
            change(&mut present);
            was.falls_short_of(&present).unwrap_or_default()
        };
        assert_eq!(says(|_| ()), "");
        assert_eq!(says(|t| t.approvers = 0), "");
        assert_eq!(says(|t| t.approve_within_ms = 1), "");
        assert!(says(|t| t.approvers = 2).contains("wants 2 approvals of it now, and wanted 1"));
        let elsewhere = Destination { source: "broker".to_owned(), address: "b".to_owned() };
        let moved = Terms { destination: Some(elsewhere), ..was.clone() };
        assert!(was.falls_short_of(&moved).is_some_and(|why| why.contains("written to b through broker")));
        assert!(says(|t| t.feedback = None).contains("feedback"));
        assert!(says(|t| feedback(t).tolerance = 0.6).contains("feedback"));
        // What an older version wrote says nothing of it.
        let text = serde_json::to_string(&terms(1)).expect("json");
        assert!(!text.contains("destination"), "{text}");
        let old: Terms = serde_json::from_str(&text).expect("read");
        assert_eq!(old.falls_short_of(&was), None);
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
