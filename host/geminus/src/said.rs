//! What a row said besides its outputs, as one number that a sample of history can hold: so alerts and proposals are
//! recorded beside the rows, in the series `<behavior>/said`, and a replay can be held against them.
//!
//! A row that said nothing, as nearly all do, costs nothing: it leaves no sample. That it was recorded all the same
//! stands in `<behavior>/by`: the number of who answered, and a half more. Rows without that half are of a host that did
//! not record what they said. The shard writes it, `crate::replay` reads it.

use std::fmt;

use geminus_core::{Alert, Outcome, Proposal};
use sha2::{Digest as _, Sha256};

/// What `<behavior>/by` has more than the number of who answered, when what the row said is recorded too. Whoever reads
/// whole numbers only still reads who it was.
pub(crate) const KEPT: f64 = 0.5;
/// Bits of the digest. With both counts above it that is a whole number below 2⁵³, which a sample holds exactly.
const DIGEST_BITS: u32 = 45;
const COUNT_BITS: u32 = 4;
/// Counts beyond this are told as this; the digest still covers all.
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

/// What a row said: how many alerts and proposals, and a digest over all they are. Not the time of the row, so that an
/// alert that is raised in row after row gives the same number, which packs to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(u64);

impl Said {
    /// What every row of an outcome said, in order; rows that said nothing are left out. Alerts and proposals are in the
    /// order of rows, as the house gives them.
    pub(crate) fn of(outcome: &Outcome) -> Vec<(usize, Self)> {
        let (mut alerts, mut proposals) = (outcome.alerts.as_slice(), outcome.proposals.as_slice());
        let mut said = Vec::new();
        loop {
            let next = [alerts.first().map(|it| it.row), proposals.first().map(|it| it.row)];
            let Some(row) = next.into_iter().flatten().min() else { return said };
            let (raised, later) = alerts.split_at(alerts.partition_point(|alert| alert.row <= row));
            let (wished, after) = proposals.split_at(proposals.partition_point(|wish| wish.row <= row));
            said.push((row as usize, Self::row(raised, wished)));
            (alerts, proposals) = (later, after);
        }
    }

    /// What one row said.
    fn row(alerts: &[Alert], proposals: &[Proposal]) -> Self {
        let mut hash = Sha256::new();
        alerts.iter().for_each(|alert| hash.update(alert_bytes(alert)));
        proposals.iter().for_each(|proposal| hash.update(proposal_bytes(proposal)));
        let digest = hash.finalize().iter().take(8).fold(0, |all, byte| (all << 8) | u64::from(*byte));
        let count = |count: usize| (count as u64).min(COUNT_MAX);
        let counts = (count(alerts.len()) << COUNT_BITS) | count(proposals.len());
        Self((counts << DIGEST_BITS) | (digest >> (u64::BITS - DIGEST_BITS)))
    }

    /// The value of its sample; 0 for a row that said nothing, which leaves none.
    pub(crate) fn value(self) -> f64 {
        self.0 as f64
    }

    /// From the value of a sample; `None` for one that is none of ours.
    pub(crate) fn from_value(value: f64) -> Option<Self> {
        let said = Self(value as u64);
        (said.value().to_bits() == value.to_bits() && said.0 >> (DIGEST_BITS + 2 * COUNT_BITS) == 0)
            .then_some(said)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("nothing");
        }
        let counts = self.0 >> DIGEST_BITS;
        let count = |count: u64, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            COUNT_MAX => Some(format!("{COUNT_MAX} {what}s or more")),
            count => Some(format!("{count} {what}s")),
        };
        let words = [count(counts >> COUNT_BITS, "alert"), count(counts & COUNT_MAX, "proposal")];
        let words: Vec<String> = words.into_iter().flatten().collect();
        write!(f, "{} (digest {:012x})", words.join(" and "), self.0 & ((1 << DIGEST_BITS) - 1))
    }
}

/// All that an alert says: 0, index, value, detail.
pub(crate) fn alert_bytes(alert: &Alert) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&alert.alert.to_le_bytes());
    bytes.extend_from_slice(&alert.value.to_bits().to_le_bytes());
    text(&mut bytes, &alert.detail);
    bytes
}

/// All that a proposal says: 1, index, value, confidence, validity, reason.
pub(crate) fn proposal_bytes(proposal: &Proposal) -> Vec<u8> {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&proposal.command.to_le_bytes());
    bytes.extend_from_slice(&proposal.value.to_bits().to_le_bytes());
    bytes.extend_from_slice(&proposal.confidence.to_bits().to_le_bytes());
    bytes.extend_from_slice(&proposal.valid_for_ms.to_le_bytes());
    text(&mut bytes, &proposal.reason);
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(row: u32, value: f64, detail: &str) -> Alert {
        Alert { row, alert: 0, value, detail: detail.to_owned() }
    }

    fn wish(row: u32, value: f64) -> Proposal {
        Proposal { row, command: 0, value, confidence: 1.0, valid_for_ms: 9, reason: "warm".to_owned() }
    }

    fn of(alerts: Vec<Alert>, proposals: Vec<Proposal>) -> Vec<(usize, Said)> {
        Said::of(&Outcome { alerts, proposals, ..Outcome::default() })
    }

    #[test]
    fn a_row_is_its_words_and_a_silent_one_is_none() {
        assert_eq!(of(vec![], vec![]), []);
        let said = of(
            vec![alert(1, 2.0, "a"), alert(1, 3.0, "b"), alert(4, 2.0, "a")],
            vec![wish(2, 0.5), wish(4, 0.5)],
        );
        assert_eq!(said.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2, 4]);
        let words: Vec<String> = said.iter().map(|(_, said)| said.to_string()).collect();
        let begin = |words: &str, with: &str| assert!(words.starts_with(with), "{words}");
        begin(&words[0], "2 alerts (digest ");
        begin(&words[1], "1 proposal (digest ");
        begin(&words[2], "1 alert and 1 proposal (digest ");
        assert_eq!(Said::default().to_string(), "nothing");
        // The row's number is no part of it, nor is the batch.
        assert_eq!(of(vec![alert(0, 2.0, "a")], vec![wish(0, 0.5)])[0].1, said[2].1);
        let many = of((0..20).map(|_| alert(0, 1.0, "")).collect(), vec![]);
        begin(&many[0].1.to_string(), "15 alerts or more (digest ");
    }

    #[test]
    fn every_bit_and_word_counts() {
        let one = |alerts, proposals| of(alerts, proposals)[0].1;
        let all = [
            one(vec![alert(0, 2.0, "a")], vec![]),
            one(vec![alert(0, 2.0, "A")], vec![]),
            one(vec![alert(0, 2.0 + f64::EPSILON * 2.0, "a")], vec![]),
            one(vec![Alert { alert: 1, ..alert(0, 2.0, "a") }], vec![]),
            one(vec![alert(0, 2.0, "a"), alert(0, 2.0, "a")], vec![]),
            one(vec![], vec![wish(0, 0.5)]),
            one(vec![], vec![wish(0, 0.25)]),
            one(vec![], vec![Proposal { confidence: 0.5, ..wish(0, 0.5) }]),
            one(vec![], vec![Proposal { valid_for_ms: 8, ..wish(0, 0.5) }]),
            one(vec![], vec![Proposal { reason: "worm".to_owned(), ..wish(0, 0.5) }]),
            one(vec![], vec![Proposal { command: 1, ..wish(0, 0.5) }]),
        ];
        for (place, said) in all.iter().enumerate() {
            assert!(!all[..place].contains(said), "{place}");
            assert_eq!(Said::from_value(said.value()), Some(*said), "a sample holds it exactly");
        }
        for strange in [f64::NAN, -1.0, 0.5, 2_f64.powi(53), f64::INFINITY, -0.0] {
            assert_eq!(Said::from_value(strange), None, "{strange}");
        }
    }
}
