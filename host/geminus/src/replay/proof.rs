//! Recorded outputs held against those that were computed again, bit for bit: values and quality.
//!
//! History keeps of a value that is no number only the first after a number, so that a curve breaks there. Where the
//! computed value is no number, history must therefore have nothing, or no number; nothing is right only when the output
//! was not usable before (older histories kept none after a number that was not).

use geminus_core::{Outcome, Quality, Timestamp};
use sha2::{Digest as _, Sha256};

use super::course::Played;
use super::report::times;
use super::signals::Signals;
use super::words::Words;

/// Most differences that are kept; all are counted.
const DIFFERENCES_MAX: usize = 20;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Proof {
    /// Rows held against history.
    pub(super) rows: u64,
    pub(super) rows_differ: u64,
    pub(super) cells: u64,
    pub(super) cells_differ: u64,
    /// The first ones.
    pub(super) differences: Vec<Difference>,
    /// The one with the largest distance of all.
    pub(super) worst: Option<Difference>,
    /// What was said besides outputs.
    pub(super) signals: Signals,
    /// The same held against the record, row by row.
    pub(super) words: Words,
    hash: Sha256,
    /// Quality of each output before the row; empty when it is not known.
    before: Vec<Quality>,
}

/// A recorded output that is not what was computed.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct Difference {
    /// Time of the row.
    pub(crate) time: String,
    /// Name of the output, empty when the whole row is meant.
    pub(crate) output: String,
    /// What history has; `None` when it has nothing or no number.
    pub(crate) recorded: Option<f64>,
    /// Its quality; `missing` when history has nothing.
    pub(crate) recorded_quality: Quality,
    /// What was computed; `None` when it is no number.
    pub(crate) computed: Option<f64>,
    /// Its quality.
    pub(crate) computed_quality: Quality,
    /// Why there is no result, when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
}

impl Difference {
    /// How far apart both are; infinite when only one is a number.
    pub(super) fn distance(&self) -> f64 {
        match (self.recorded, self.computed) {
            (Some(recorded), Some(computed)) => (recorded - computed).abs(),
            (None, None) => 0.0,
            _ => f64::INFINITY,
        }
    }
}

impl Proof {
    /// Holds rows against history.
    pub(super) fn check(&mut self, played: &Played) {
        let (reel, outcome) = (&played.reel, &played.stepped.outcome);
        let outputs = outcome.outputs;
        hash_rows(&mut self.hash, &reel.frame.times, outcome);
        self.signals.take(&reel.frame.times, outcome);
        self.words.check(played);
        for (row, time) in reel.frame.times.iter().enumerate() {
            let cells = row * outputs..(row + 1) * outputs;
            let differ_before = self.cells_differ;
            let recorded = reel.outputs.get(cells.clone()).unwrap_or_default();
            let values = outcome.values.get(cells.clone()).unwrap_or_default();
            let quality = outcome.quality.get(cells).unwrap_or_default();
            self.before.resize(if self.before.is_empty() { 0 } else { outputs }, Quality::Missing);
            for (place, ((value, quality), recorded)) in values.iter().zip(quality).zip(recorded).enumerate()
            {
                self.cells += 1;
                let before = self.before.get(place).copied();
                if !agrees((*value, *quality), *recorded, before) {
                    self.cells_differ += 1;
                    let name = played.declaration.outputs.get(place).map_or("", |output| &output.name);
                    self.note(difference(*time, name, (*value, *quality), *recorded, played, row));
                }
            }
            self.before.clear();
            let seen =
                |(value, quality): (&f64, &Quality)| if value.is_nan() { Quality::Bad } else { *quality };
            self.before.extend(values.iter().zip(quality).map(seen));
            self.rows += 1;
            self.rows_differ += u64::from(self.cells_differ > differ_before);
        }
    }

    fn note(&mut self, difference: Difference) {
        if self.worst.as_ref().is_none_or(|worst| difference.distance() > worst.distance()) {
            self.worst = Some(difference.clone());
        }
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(difference);
        }
    }

    /// What follows does not follow from what was seen last.
    pub(super) fn unsure(&mut self) {
        self.before.clear();
    }

    /// SHA-256 of all computed outputs: of each row its time, and of each output value and quality, as numbers in little
    /// endian.
    pub(super) fn digest(&self) -> String {
        digest_of(&self.hash)
    }
}

/// Adds rows of outputs.
pub(super) fn hash_rows(hash: &mut Sha256, times: &[Timestamp], outcome: &Outcome) {
    let width = outcome.outputs.max(1);
    let mut bytes = Vec::with_capacity(times.len() * (8 + 9 * width));
    let cells = outcome.values.chunks(width).zip(outcome.quality.chunks(width));
    for (time, (values, quality)) in times.iter().zip(cells) {
        bytes.extend_from_slice(&time.0.to_le_bytes());
        for (value, quality) in values.iter().zip(quality) {
            bytes.extend_from_slice(&value.to_bits().to_le_bytes());
            bytes.push(*quality as u8);
        }
    }
    hash.update(&bytes);
}

/// What it comes to, as `sha256:…`.
pub(super) fn digest_of(hash: &Sha256) -> String {
    let hash = hash.clone().finalize();
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn agrees(
    (value, quality): (f64, Quality),
    recorded: Option<(f64, Quality)>,
    before: Option<Quality>,
) -> bool {
    match (value.is_nan(), recorded) {
        (false, Some(recorded)) => recorded.0.to_bits() == value.to_bits() && recorded.1 == quality,
        (false, None) => false,
        (true, Some(recorded)) => recorded.0.is_nan() && recorded.1 == Quality::Bad,
        (true, None) => before.is_none_or(|before| !before.usable()),
    }
}

fn difference(
    time: Timestamp,
    output: &str,
    computed: (f64, Quality),
    recorded: Option<(f64, Quality)>,
    played: &Played,
    row: usize,
) -> Difference {
    let number = |value: f64| value.is_finite().then_some(value);
    let fault = played.stepped.faults.iter().find(|fault| fault.row.is_some_and(|at| at as usize == row));
    Difference {
        time: times::rfc3339(time),
        output: output.to_owned(),
        recorded: recorded.and_then(|(value, _)| number(value)),
        recorded_quality: recorded.map_or(Quality::Missing, |(_, quality)| quality),
        computed: number(computed.0),
        computed_quality: computed.1,
        fault: fault.map(|fault| format!("{}: {}", fault.kind.name(), fault.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Quality::{Bad, Good, Missing, Uncertain};

    #[test]
    fn a_recorded_cell_is_held_to_every_bit() {
        let nan = f64::NAN;
        let check = |computed, recorded, before, expect| {
            assert_eq!(agrees(computed, recorded, before), expect, "{computed:?} {recorded:?} {before:?}");
        };
        check((1.5, Good), Some((1.5, Good)), Some(Good), true);
        check((1.5, Good), Some((1.5, Uncertain)), Some(Good), false);
        check((1.5, Good), Some((1.5 + f64::EPSILON, Good)), Some(Good), false);
        check((0.0, Good), Some((-0.0, Good)), Some(Good), false);
        check((1.5, Good), None, None, false);
        // No number: kept once, after a usable one at least.
        check((nan, Missing), Some((nan, Bad)), Some(Good), true);
        check((nan, Missing), None, Some(Bad), true);
        check((nan, Missing), None, None, true);
        check((nan, Missing), None, Some(Uncertain), false);
        check((nan, Bad), Some((2.0, Good)), Some(Good), false);
        check((2.0, Good), Some((nan, Bad)), Some(Good), false);
    }
}
