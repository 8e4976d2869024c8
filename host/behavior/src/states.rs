//! State of slots, end to end in one list of bytes, as the contract has it; and `Snapshot`, the same by twin,
//! which leaves this room to be stored, carried to a new version, or handed to another owner of the twins.

use geminus_core::{Digest, Timestamp, TwinIndex};

use crate::bindings::geminus::behavior::types::{StatesParam, StatesResult};

/// State by slot. Only made checked: as many ends as slots, never decreasing, the last one at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct States {
    schema: u32,
    slots: Vec<u32>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl States {
    pub(crate) fn empty(schema: u32) -> Self {
        Self { schema, ..Self::default() }
    }

    /// Holds a guest's answer against what was asked for.
    pub(crate) fn checked(
        states: StatesResult,
        asked: &[u32],
        schema: u32,
        bytes_max: usize,
    ) -> Result<Self, String> {
        let StatesResult { schema: written, slots, bytes, ends } = states;
        if written != schema {
            return Err(format!("schema {schema} was asked for, {written} was written"));
        }
        if slots != asked {
            return Err("other slots than asked for".to_owned());
        }
        if ends.len() != slots.len() || ends.last().map_or(0, |&end| end as usize) != bytes.len() {
            return Err("ends do not fit the slots and bytes".to_owned());
        }
        let mut from = 0;
        for (&slot, &end) in slots.iter().zip(&ends) {
            let size = end.checked_sub(from).ok_or_else(|| "ends decrease".to_owned())?;
            if size as usize > bytes_max {
                return Err(format!("state of slot {slot} has {size} bytes, {bytes_max} are allowed"));
            }
            from = end;
        }
        Ok(Self { schema, slots, bytes, ends })
    }

    pub(crate) fn slots(&self) -> &[u32] {
        &self.slots
    }

    pub(crate) fn schema(&self) -> u32 {
        self.schema
    }

    pub(crate) fn push(&mut self, slot: u32, state: &[u8]) {
        self.slots.push(slot);
        self.bytes.extend_from_slice(state);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// Slots with their bytes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let mut from = 0;
        self.slots.iter().zip(&self.ends).map(move |(&slot, &end)| {
            let state = self.bytes.get(from..end as usize).unwrap_or_default();
            from = end as usize;
            (slot, state)
        })
    }

    /// State of the slots that `member` says yes to.
    pub(crate) fn filtered(&self, member: impl Fn(u32) -> bool) -> Self {
        let mut part = Self::empty(self.schema);
        for (slot, state) in self.iter().filter(|&(slot, _)| member(slot)) {
            part.push(slot, state);
        }
        part
    }

    /// All of `more`, which is of the same schema, after what is here.
    pub(crate) fn append(&mut self, more: &Self) {
        let base = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.slots.extend_from_slice(&more.slots);
        self.bytes.extend_from_slice(&more.bytes);
        self.ends.extend(more.ends.iter().map(|end| end.saturating_add(base)));
    }

    /// State of at most `count` slots from place `from` on.
    pub(crate) fn part(&self, from: usize, count: usize) -> Self {
        let to = self.slots.len().min(from.saturating_add(count));
        let end =
            |place: usize| place.checked_sub(1).and_then(|place| self.ends.get(place)).map_or(0, |&end| end);
        let (base, last) = (end(from), end(to));
        let ends = self.ends.get(from..to).unwrap_or_default();
        Self {
            schema: self.schema,
            slots: self.slots.get(from..to).unwrap_or_default().to_vec(),
            bytes: self.bytes.get(base as usize..last as usize).unwrap_or_default().to_vec(),
            ends: ends.iter().map(|end| end.saturating_sub(base)).collect(),
        }
    }

    pub(crate) fn wire(&self) -> StatesParam<'_> {
        StatesParam { schema: self.schema, slots: &self.slots, bytes: &self.bytes, ends: &self.ends }
    }
}

/// State of a cohort's twins at one moment, between two rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `name@version` of the plugin that wrote it.
    pub label: String,
    /// Digest of the component that wrote it.
    pub digest: Digest,
    /// Number of the declared schema that the bytes follow; 0 without state.
    pub schema: u32,
    /// The twins, each with its bytes.
    pub twins: Vec<Saved>,
}

impl Snapshot {
    /// The same by slot, in order of slots; twins that `find` does not know are passed over.
    pub(crate) fn states(&self, find: impl Fn(TwinIndex) -> Option<u32>) -> States {
        let mut known: Vec<(u32, &Saved)> =
            self.twins.iter().filter_map(|saved| Some((find(saved.twin)?, saved))).collect();
        known.sort_unstable_by_key(|&(slot, _)| slot);
        known.dedup_by_key(|&mut (slot, _)| slot);
        let mut states = States::empty(self.schema);
        known.iter().for_each(|(slot, saved)| states.push(*slot, &saved.bytes));
        states
    }
}

/// State of one twin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Which.
    pub twin: TwinIndex,
    /// Time of its last row; 0 when it had none.
    pub time: Timestamp,
    /// Rows that it has had, which its warm-up is counted by.
    pub rows: u64,
    /// As the plugin wrote it.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(slots: &[u32], bytes: usize, ends: &[u32], expect: &str) {
        let states =
            StatesResult { schema: 3, slots: slots.to_vec(), bytes: vec![7; bytes], ends: ends.to_vec() };
        match States::checked(states, &[4, 9], 3, 8) {
            Ok(states) => {
                assert_eq!(expect, "");
                assert_eq!(states.iter().map(|(_, state)| state.len()).sum::<usize>(), bytes);
            }
            Err(error) => assert!(!expect.is_empty() && error.contains(expect), "{error} for {expect:?}"),
        }
    }

    #[test]
    fn only_well_formed_states_are_taken() {
        check(&[4, 9], 5, &[2, 5], "");
        check(&[4, 9], 0, &[0, 0], "");
        check(&[9, 4], 5, &[2, 5], "other slots");
        check(&[4, 9], 5, &[2], "do not fit");
        check(&[4, 9], 5, &[2, 4], "do not fit");
        check(&[4, 9], 5, &[6, 5], "decrease");
        check(&[4, 9], 12, &[2, 12], "10 bytes, 8");
    }

    #[test]
    fn parts_put_together_are_the_whole() {
        let mut whole = States::empty(2);
        (0..7_u8).for_each(|slot| whole.push(u32::from(slot), &vec![slot; usize::from(slot)]));
        for count in [1, 2, 3, 7, 10] {
            let parts: Vec<States> = (0..7).step_by(count).map(|from| whole.part(from, count)).collect();
            assert_eq!(parts.len(), 7_usize.div_ceil(count));
            let last = parts.last().unwrap();
            assert_eq!(last.iter().last(), Some((6, &[6_u8; 6][..])));
            let mut again = States::empty(2);
            parts.iter().for_each(|part| again.append(part));
            assert_eq!(again, whole);
        }
    }
}
