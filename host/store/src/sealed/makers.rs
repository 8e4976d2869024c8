//! Who made the values of a series: the digests of plugins, as the record of the behavior's rows has them.
//!
//! A point `thermal.winding_temperature` is an output of the behavior `thermal`, whose series `thermal/by` says for each
//! row which incarnation answered; `control.db` knows their digests. Without a record nobody can tell, and nothing is said.

use std::collections::HashMap;

use geminus_core::{Sample, Timestamp};
use parquet::data_type::ByteArray;

use super::Class;
use crate::{ControlReader, Reader, StoreError};

/// Digests, kept as long as one file is written.
#[derive(Debug)]
pub(super) struct Makers<'a> {
    reader: &'a Reader,
    digests: HashMap<u64, ByteArray>,
    /// For each (twin, behavior) from when on which incarnation answered.
    answered: HashMap<(String, String), Vec<(Timestamp, u64)>>,
    /// First time, and the one after the last, of what is written.
    times: (Timestamp, Timestamp),
}

impl<'a> Makers<'a> {
    pub(super) fn new(
        reader: &'a Reader,
        control: &ControlReader,
        times: (Timestamp, Timestamp),
    ) -> Result<Self, StoreError> {
        let digest = |digest: String| ByteArray::from(digest.into_bytes());
        let known = control.incarnations()?.into_iter().map(|one| (u64::from(one.id), digest(one.digest)));
        Ok(Self { reader, digests: known.collect(), answered: HashMap::new(), times })
    }

    /// The digest for each sample of a series; empty when no plugin made any.
    pub(super) fn of(
        &mut self,
        class: Class,
        (twin, point): (&str, &str),
        samples: &[Sample],
    ) -> Result<Vec<Option<ByteArray>>, StoreError> {
        if !matches!(class, Class::Estimated | Class::Predicted) {
            return Ok(Vec::new());
        }
        for (dot, _) in point.match_indices('.') {
            let behavior = point.get(..dot).unwrap_or_default();
            let answered = self.answered(twin, behavior)?;
            if !answered.is_empty() {
                let by: Vec<u64> = samples.iter().map(|sample| at(answered, sample.time)).collect();
                return Ok(by.iter().map(|number| self.digests.get(number).cloned()).collect());
            }
        }
        Ok(Vec::new())
    }

    fn answered(&mut self, twin: &str, behavior: &str) -> Result<&[(Timestamp, u64)], StoreError> {
        let key = (twin.to_owned(), behavior.to_owned());
        if !self.answered.contains_key(&key) {
            let mut changes: Vec<(Timestamp, u64)> = Vec::new();
            if let Some(series) = self.reader.series(twin, &format!("{behavior}/by"))? {
                self.reader.scan(series, self.times.0, self.times.1, |sample| {
                    // The half that may stand behind the number says only that the row's words were recorded.
                    let number = sample.value as u64;
                    if changes.last().is_none_or(|(_, last)| *last != number) {
                        changes.push((sample.time, number));
                    }
                    true
                })?;
            }
            self.answered.insert(key.clone(), changes);
        }
        Ok(self.answered.get(&key).map(Vec::as_slice).unwrap_or_default())
    }
}

/// Who answered at a time: whoever did last. 0 is nobody.
fn at(answered: &[(Timestamp, u64)], time: Timestamp) -> u64 {
    let after = answered.partition_point(|(since, _)| *since <= time);
    after.checked_sub(1).and_then(|place| answered.get(place)).map_or(0, |(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_answered_last_made_the_value() {
        let answered = [(Timestamp(10), 1), (Timestamp(20), 0), (Timestamp(30), 2)];
        for (time, expect) in [(9, 0), (10, 1), (19, 1), (20, 0), (30, 2), (99, 2)] {
            assert_eq!(at(&answered, Timestamp(time)), expect, "{time}");
        }
    }
}
