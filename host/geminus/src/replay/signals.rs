//! Alerts and proposals that were computed again, as one digest that is the same however rows were batched.
//!
//! What each row of a record said is held against it by `super::proof`; this is one number for all rows, by which two
//! replays can be held against each other.

use geminus_core::{Outcome, Timestamp};
use sha2::{Digest as _, Sha256};

use super::proof::digest_of;
use crate::said::{alert_bytes, proposal_bytes};

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Signals {
    pub(super) alerts: u64,
    pub(super) proposals: u64,
    hash: Sha256,
}

impl Signals {
    /// Takes what these rows said: row by row, alerts before proposals, each in its order.
    pub(super) fn take(&mut self, times: &[Timestamp], outcome: &Outcome) {
        let alerts = outcome.alerts.iter().map(|alert| (alert.row, alert_bytes(alert)));
        let proposals = outcome.proposals.iter().map(|proposal| (proposal.row, proposal_bytes(proposal)));
        let mut said: Vec<(u32, Vec<u8>)> = alerts.chain(proposals).collect();
        said.sort_by_key(|(row, _)| *row);
        for (row, bytes) in said {
            let time = times.get(row as usize).copied().unwrap_or_default();
            self.hash.update(time.0.to_le_bytes());
            self.hash.update(&bytes);
        }
        self.alerts += outcome.alerts.len() as u64;
        self.proposals += outcome.proposals.len() as u64;
    }

    /// SHA-256 of all of them: the time of the row; 0, index, value and detail of an alert, or 1, index, value,
    /// confidence, validity and reason of a proposal. Numbers in little endian, texts behind their length.
    pub(super) fn digest(&self) -> String {
        digest_of(&self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::part;
    use geminus_core::{Alert, Proposal};

    #[test]
    fn a_digest_sees_every_word_and_no_batch() {
        let alert = |row, detail: &str| Alert { row, alert: 0, value: 1.0, detail: detail.to_owned() };
        let reason = "warm".to_owned();
        let wish = |row| Proposal {
            row,
            command: 0,
            value: 0.5,
            confidence: 1.0,
            valid_for_ms: 9,
            reason: reason.clone(),
        };
        let times: Vec<Timestamp> = (1..=4).map(Timestamp).collect();
        let whole = Outcome {
            alerts: vec![alert(0, "a"), alert(1, "b"), alert(3, "c")],
            proposals: vec![wish(0), wish(2)],
            ..Outcome::default()
        };
        let digest = |outcome: &Outcome, cuts: &[usize]| {
            let mut signals = Signals::default();
            for pair in cuts.windows(2) {
                signals.take(&times[pair[0]..pair[1]], &part::outcome(outcome, pair[0], pair[1]));
            }
            assert_eq!((signals.alerts, signals.proposals), (3, 2));
            signals.digest()
        };
        let expect = digest(&whole, &[0, 4]);
        for cuts in [&[0, 1, 4][..], &[0, 2, 3, 4], &[0, 1, 2, 3, 4]] {
            assert_eq!(digest(&whole, cuts), expect, "{cuts:?}");
        }
        let mut other = whole;
        other.alerts[1].detail = "B".to_owned();
        assert_ne!(digest(&other, &[0, 4]), expect);
    }
}
