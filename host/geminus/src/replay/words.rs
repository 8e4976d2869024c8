//! What each row was recorded to have said besides its outputs, held against what it says when it is computed again.
//!
//! The record has counts and a digest of each row's alerts and proposals (`crate::said`): a word or a bit that differs
//! shows, and the row is named with what it says now. Rows of a host that did not record this are counted, not proved.

use geminus_core::{Declaration, Outcome, Timestamp};

use super::course::Played;
use super::report::times;
use crate::said::Said;

/// Most differences that are kept; all are counted.
const DIFFERENCES_MAX: usize = 20;
/// Most alerts or proposals that are told of a row.
const TOLD_MAX: usize = 4;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// Rows held against the record.
    pub(super) rows: u64,
    pub(super) rows_differ: u64,
    /// The first ones.
    pub(super) differences: Vec<WordsDiffer>,
    /// Rows of which it was not recorded what they said, though their version may say something.
    unrecorded: u64,
    /// The last of these, and the first row after it of which it was.
    gap: Option<(Timestamp, Option<Timestamp>)>,
}

/// A row that says something else than was recorded.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct WordsDiffer {
    /// Time of the row.
    pub(crate) time: String,
    /// How many alerts and proposals were recorded, and their digest.
    pub(crate) recorded: String,
    /// The same of those that were computed, and what they are.
    pub(crate) computed: String,
}

impl Words {
    /// Holds rows against the record.
    pub(super) fn check(&mut self, played: &Played) {
        let (reel, outcome, declaration) = (&played.reel, &played.stepped.outcome, &*played.declaration);
        let may_say = !declaration.alerts.is_empty() || !declaration.commands.is_empty();
        let mut said = Said::of(outcome).into_iter().peekable();
        for (row, (time, recorded)) in reel.frame.times.iter().zip(&reel.said).enumerate() {
            let computed = said.next_if(|(of, _)| *of == row).map(|(_, said)| said).unwrap_or_default();
            match recorded {
                Some(value) => self.hold(*time, *value, computed, || told(declaration, outcome, row)),
                None if may_say => {
                    self.unrecorded += 1;
                    self.gap = Some((*time, None));
                }
                None => {}
            }
        }
    }

    fn hold(&mut self, time: Timestamp, recorded: f64, computed: Said, told: impl FnOnce() -> String) {
        self.rows += 1;
        if let Some((_, after)) = &mut self.gap {
            after.get_or_insert(time);
        }
        if recorded.to_bits() == computed.value().to_bits() {
            return;
        }
        self.rows_differ += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            let words = Said::from_value(recorded);
            self.differences.push(WordsDiffer {
                time: times::rfc3339(time),
                recorded: words
                    .map_or_else(|| format!("{recorded:?}, which no row says"), |said| said.to_string()),
                computed: format!("{computed}{}", told()),
            });
        }
    }

    /// What could not be proved, if so.
    pub(super) fn unproved(&self) -> Option<String> {
        let (last, after) = self.gap?;
        let rows = self.unrecorded;
        Some(match after {
            Some(after) => format!(
                "alerts and proposals not recorded before {}: {rows} rows; choose --from there",
                times::rfc3339(after)
            ),
            None => format!(
                "alerts and proposals not recorded up to the last row, {}: {rows} rows; the host that ran them did not yet",
                times::rfc3339(last)
            ),
        })
    }
}

/// What a row says, in words; nothing when it says nothing.
pub(super) fn told(declaration: &Declaration, outcome: &Outcome, row: usize) -> String {
    let alerts = outcome.alerts.iter().filter(|alert| alert.row as usize == row).map(|alert| {
        let name = declaration.alerts.get(alert.alert as usize).map_or("?", |declared| &declared.code);
        format!("alert {name} = {:?} ({})", alert.value, alert.detail)
    });
    let proposals = outcome.proposals.iter().filter(|wish| wish.row as usize == row).map(|wish| {
        let name = declaration.commands.get(wish.command as usize).map_or("?", |declared| &declared.name);
        format!(
            "proposal {name} = {:?}, confidence {:?}, valid for {} ms ({})",
            wish.value, wish.confidence, wish.valid_for_ms, wish.reason
        )
    });
    let mut all: Vec<String> = alerts.chain(proposals).collect();
    let more = all.len().saturating_sub(TOLD_MAX);
    all.truncate(TOLD_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    if all.is_empty() { String::new() } else { format!(": {}{more}", all.join("; ")) }
}
