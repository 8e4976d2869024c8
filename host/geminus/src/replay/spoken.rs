//! Alerts and proposals of two versions over the same rows, whether or not an acceptance judges them.
//!
//! Matched by name and compared to the bit, but for their free text, which the digest of all of them covers.

use std::collections::{BTreeMap, BTreeSet};

use geminus_core::{Declaration, Outcome, Timestamp};
use serde::Serialize;

use super::report::times;
use super::words::told;

/// In how many rows two versions say something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Spoken {
    /// Rows that were compared.
    pub(crate) rows: u64,
    /// Of these, rows with other alerts.
    pub(crate) alerts_differ: u64,
    /// Rows with other proposals.
    pub(crate) proposals_differ: u64,
    /// The first of either.
    pub(crate) first: Option<FirstSpoken>,
}

/// What two versions say of the first row in which that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FirstSpoken {
    pub(crate) time: String,
    pub(crate) old: String,
    pub(crate) new: String,
}

impl Spoken {
    /// Compares what both versions said of rows with these times.
    pub(super) fn compare(
        &mut self,
        at: &[Timestamp],
        (old_declaration, old): (&Declaration, &Outcome),
        (new_declaration, new): (&Declaration, &Outcome),
    ) {
        let alerts = differing(&alerts(old_declaration, old), &alerts(new_declaration, new));
        let proposals = differing(&proposals(old_declaration, old), &proposals(new_declaration, new));
        self.rows += at.len() as u64;
        self.alerts_differ += alerts.len() as u64;
        self.proposals_differ += proposals.len() as u64;
        let first = alerts.first().into_iter().chain(proposals.first()).min();
        if let Some(row) = first
            && self.first.is_none()
        {
            let row = *row as usize;
            self.first = Some(FirstSpoken {
                time: at.get(row).map(|time| times::rfc3339(*time)).unwrap_or_default(),
                old: words(old_declaration, old, row),
                new: words(new_declaration, new, row),
            });
        }
    }
}

/// Alerts by row: code and value.
fn alerts<'d>(declaration: &'d Declaration, outcome: &Outcome) -> BTreeMap<u32, Vec<(&'d str, u64)>> {
    let mut rows: BTreeMap<u32, Vec<(&'d str, u64)>> = BTreeMap::new();
    for alert in &outcome.alerts {
        let code: &'d str =
            declaration.alerts.get(alert.alert as usize).map_or("?", |declared| &declared.code);
        rows.entry(alert.row).or_default().push((code, alert.value.to_bits()));
    }
    rows.values_mut().for_each(|row| row.sort_unstable());
    rows
}

/// A proposal without its text: command, value, confidence, validity.
type Wish<'d> = (&'d str, u64, u64, u32);

/// Proposals by row.
fn proposals<'d>(declaration: &'d Declaration, outcome: &Outcome) -> BTreeMap<u32, Vec<Wish<'d>>> {
    let mut rows: BTreeMap<u32, Vec<Wish<'d>>> = BTreeMap::new();
    for wish in &outcome.proposals {
        let name: &'d str =
            declaration.commands.get(wish.command as usize).map_or("?", |declared| &declared.name);
        let of = (name, wish.value.to_bits(), wish.confidence.to_bits(), wish.valid_for_ms);
        rows.entry(wish.row).or_default().push(of);
    }
    rows.values_mut().for_each(|row| row.sort_unstable());
    rows
}

/// Rows that have something else in one than in the other.
fn differing<T: PartialEq>(old: &BTreeMap<u32, Vec<T>>, new: &BTreeMap<u32, Vec<T>>) -> BTreeSet<u32> {
    let rows: BTreeSet<u32> = old.keys().chain(new.keys()).copied().collect();
    rows.into_iter().filter(|row| old.get(row) != new.get(row)).collect()
}

fn words(declaration: &Declaration, outcome: &Outcome, row: usize) -> String {
    let told = told(declaration, outcome, row);
    let words = told.trim_start_matches(": ");
    if words.is_empty() { "nothing".to_owned() } else { words.to_owned() }
}
