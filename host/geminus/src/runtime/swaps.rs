//! Where in each twin's time another version went on, for marks in plots: what this shard has seen since its start, the
//! last few of each twin. A twin that never changed costs nothing, and a swap of a hundred thousand twins one entry each.

use std::collections::HashMap;
use std::sync::Arc;

use geminus_core::{Timestamp, TwinIndex};

/// Swaps of one twin that are remembered. Older ones are in the books, with the states of those borders.
pub(crate) const SWAPS_PER_TWIN_MAX: usize = 8;

/// One change of versions of one twin.
#[derive(Clone, Debug)]
struct Swap {
    /// Which change it was, of all twins that took part in it.
    key: u64,
    /// Time of the twin's last row before.
    before: Timestamp,
    /// What it was, shared by all twins of the change.
    text: Arc<str>,
}

/// Swaps of all twins of a shard.
#[derive(Debug, Default)]
pub(crate) struct Swaps {
    of: HashMap<TwinIndex, Vec<Swap>>,
    /// The text that was told last, so that the next twins of the same change share it.
    last: Option<(u64, Arc<str>)>,
}

impl Swaps {
    /// Notes a change, which may come in parts. A twin that changes once more in the same one has its last row counted.
    pub(crate) fn note(
        &mut self,
        key: u64,
        text: &str,
        twins: impl IntoIterator<Item = (TwinIndex, Timestamp)>,
    ) {
        let known = self.last.take().filter(|(last, known)| *last == key && **known == *text);
        let (_, text) = self.last.insert(known.unwrap_or_else(|| (key, text.into())));
        for (twin, before) in twins {
            let swaps = self.of.entry(twin).or_default();
            swaps.retain(|swap| swap.key != key);
            let surplus = (swaps.len() + 1).saturating_sub(SWAPS_PER_TWIN_MAX);
            swaps.drain(..surplus);
            swaps.push(Swap { key, before, text: Arc::clone(text) });
        }
    }

    /// Time of the last row before each change of a twin, and its text, oldest first.
    pub(crate) fn of(&self, twin: TwinIndex) -> impl Iterator<Item = (Timestamp, String)> {
        self.of.get(&twin).into_iter().flatten().map(|swap| (swap.before, swap.text.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWINS: u32 = 1_000;

    fn texts(swaps: &Swaps, twin: u32) -> Vec<(u64, String)> {
        swaps.of(TwinIndex(twin)).map(|(time, text)| (time.0, text)).collect()
    }

    #[test]
    fn a_twin_keeps_its_own_swaps_and_the_last_few() {
        let mut swaps = Swaps::default();
        let all = |time| (0..TWINS).map(move |twin| (TwinIndex(twin), Timestamp(time)));
        for round in 1..=2 * SWAPS_PER_TWIN_MAX as u64 {
            // In parts, as twins change sides some at a time.
            for part in all(round).collect::<Vec<_>>().chunks(256) {
                swaps.note(round, &format!("swap {round}"), part.iter().copied());
            }
        }
        let last = texts(&swaps, TWINS - 1);
        assert_eq!(last.len(), SWAPS_PER_TWIN_MAX);
        let newest = 2 * SWAPS_PER_TWIN_MAX as u64;
        assert_eq!(last.first(), Some(&(newest + 1 - SWAPS_PER_TWIN_MAX as u64, "swap 9".to_owned())));
        assert_eq!(last.last(), Some(&(newest, "swap 16".to_owned())));
        let (one, other) = (&swaps.of[&TwinIndex(0)], &swaps.of[&TwinIndex(TWINS - 1)]);
        let shared = one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(&one.text, &other.text));
        assert!(shared, "one text for a thousand twins");
    }

    #[test]
    fn a_twin_that_changes_twice_in_one_rollout_has_one_mark_of_it() {
        let mut swaps = Swaps::default();
        swaps.note(1, "1.0.0 → 1.1.0", [(TwinIndex(7), Timestamp(10))]);
        swaps.note(u64::MAX - 1, "back", [(TwinIndex(7), Timestamp(20))]);
        swaps.note(1, "1.0.0 → 1.1.0", [(TwinIndex(7), Timestamp(30)), (TwinIndex(8), Timestamp(31))]);
        assert_eq!(texts(&swaps, 7), [(20, "back".to_owned()), (30, "1.0.0 → 1.1.0".to_owned())]);
        assert_eq!(texts(&swaps, 8), [(31, "1.0.0 → 1.1.0".to_owned())]);
        assert_eq!(texts(&swaps, 9), []);
    }
}
