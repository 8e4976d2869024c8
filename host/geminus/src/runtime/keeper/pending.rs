//! States that wait until the rows that they have seen are durable. Saved before, a state would outlive rows that a
//! killed host has yet to be sent again, and they would count as done: nobody would ever step them.
//!
//! They leave in the order in which they came, so that borders and copies of a twin are written in the order of its
//! record.

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, RecvError, TryRecvError};
use geminus_core::ticket::TicketEnd;
use geminus_store::Mark;
use geminus_twin::BindingIndex;

use super::AtBorder;
use crate::runtime::cohorts::Saved;
use crate::runtime::message::Copied;

/// Bytes of states at borders that wait at most: they can come for as long as history cannot be written.
const BORDER_BYTES_MAX: usize = 256 << 20;

/// What waits.
#[derive(Debug)]
pub(super) enum What {
    Border(AtBorder),
    /// The state of all behaviors of the shard with this number.
    Copy(usize, Vec<(BindingIndex, Saved)>),
}

#[derive(Debug)]
struct Waiting {
    /// Behind the last row that the state has seen; `None` when that is durable anyway.
    after: Option<Mark>,
    /// Whether that row became durable or was given up, once that is known.
    durable: Option<bool>,
    what: What,
}

/// The line in which they wait.
#[derive(Debug, Default)]
pub(super) struct Pending {
    line: VecDeque<Waiting>,
    border_bytes: usize,
}

impl Pending {
    /// Appends the state at a border; `false` when there is no room for it.
    pub(super) fn border(&mut self, mut border: AtBorder) -> bool {
        let bytes = bytes(&border);
        if self.border_bytes.saturating_add(bytes) > BORDER_BYTES_MAX {
            return false;
        }
        self.border_bytes += bytes;
        let after = border.after.take();
        self.line.push_back(Waiting { after, durable: None, what: What::Border(border) });
        true
    }

    /// Appends a copy of a shard's state.
    pub(super) fn copy(&mut self, shard: usize, copied: Copied) {
        let what = What::Copy(shard, copied.states);
        self.line.push_back(Waiting { after: Some(copied.after), durable: None, what });
    }

    /// Whether a copy of this shard waits.
    pub(super) fn has_copy(&self, shard: usize) -> bool {
        self.line.iter().any(|one| matches!(one.what, What::Copy(of, _) if of == shard))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// The first in line when it need not wait any more, and whether its rows are durable; otherwise they were given up.
    pub(super) fn take(&mut self) -> Option<(What, bool)> {
        let front = self.line.front()?;
        let durable = match (front.durable, &front.after) {
            (Some(durable), _) => durable,
            (None, None) => true,
            (None, Some(mark)) => match mark.end().try_recv() {
                Ok(end) => is_durable(Ok(end)),
                Err(TryRecvError::Disconnected) => is_durable(Err(RecvError)),
                Err(TryRecvError::Empty) => return None,
            },
        };
        let Waiting { what, .. } = self.line.pop_front()?;
        if let What::Border(border) = &what {
            self.border_bytes = self.border_bytes.saturating_sub(bytes(border));
        }
        Some((what, durable))
    }

    /// Where the first in line hears how its rows fare; what is heard there is to be told to [`Pending::heard`].
    pub(super) fn ear(&self) -> Receiver<TicketEnd> {
        let mark = self.line.front().and_then(|front| front.after.as_ref());
        mark.map_or_else(crossbeam_channel::never, |mark| mark.end().clone())
    }

    /// What the first in line has heard.
    pub(super) fn heard(&mut self, end: Result<TicketEnd, RecvError>) {
        if let Some(front) = self.line.front_mut() {
            front.durable = Some(is_durable(end));
        }
    }
}

/// A mark that ended without a word is one of a store that is gone.
fn is_durable(end: Result<TicketEnd, RecvError>) -> bool {
    matches!(end, Ok(TicketEnd::Committed(_)))
}

fn bytes(border: &AtBorder) -> usize {
    border.snapshot.twins.iter().map(|saved| saved.bytes.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use geminus_behavior::{Saved as State, Snapshot};
    use geminus_core::{Digest, Quality, Sample, SeriesId, SystemClock, Timestamp, TwinIndex};
    use geminus_store::{Border, Options, Store};

    use super::*;

    fn border(rows: u64, bytes: usize, after: Option<Mark>) -> AtBorder {
        let state = State { twin: TwinIndex(0), time: Timestamp(rows), rows, bytes: vec![0; bytes] };
        let (label, digest) = ("a@1.0.0".to_owned(), Digest::of(b"a"));
        let snapshot = Snapshot { label, digest, schema: 1, twins: vec![state] };
        AtBorder { binding: BindingIndex(0), incarnation: 1, border: Border::Restore, snapshot, after }
    }

    /// What may be written now: rows of a border, 0 for a copy; and whether they are durable.
    fn due(pending: &mut Pending) -> Vec<(u64, bool)> {
        let rows = |what: &What| match what {
            What::Border(border) => border.snapshot.twins.iter().map(|state| state.rows).sum::<u64>(),
            What::Copy(..) => 0,
        };
        std::iter::from_fn(|| pending.take()).map(|(what, durable)| (rows(&what), durable)).collect()
    }

    /// A store that commits nothing by itself while a test looks.
    fn store(folder: &std::path::Path) -> Store {
        let options = Options { group_commit_ms: 10_000, ..Options::default() };
        Store::open(folder, options, Arc::new(SystemClock::new())).expect("a store")
    }

    fn sample(store: &Store, time: u64) {
        let (series, time) = (SeriesId(0), Timestamp(time));
        let sample = Sample { series, quality: Quality::Good, value: 1.0, time, received: time };
        store.recorder().record(vec![sample], Vec::new());
    }

    #[test]
    fn no_state_leaves_before_its_rows_are_durable_and_all_leave_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        let mut pending = Pending::default();
        assert!(pending.border(border(7, 1, None)), "made of what is durable");
        sample(&store, 1);
        assert!(pending.border(border(8, 1, Some(store.recorder().mark()))));
        sample(&store, 2);
        pending.copy(3, Copied { states: Vec::new(), commanded: Vec::new(), after: store.recorder().mark() });
        assert!(pending.border(border(9, 1, None)), "behind the others all the same");

        assert_eq!(due(&mut pending), [(7, true)]);
        assert!(pending.has_copy(3) && !pending.has_copy(0));
        store.recorder().hurry();
        // Waited for without polling, as the keeper does.
        let heard = pending.ear().recv();
        pending.heard(heard);
        store.flush().expect("durable");
        assert_eq!(store.reader().count(SeriesId(0), Timestamp(0), Timestamp(9)).expect("a count"), 2);
        assert_eq!(due(&mut pending), [(8, true), (0, true), (9, true)]);
        assert!(pending.is_empty() && !pending.has_copy(3));
    }

    #[test]
    fn states_whose_rows_were_given_up_say_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        // Nothing more fits: a store that cannot write.
        store.set_quota_mib(1).expect("a quota");
        // Values that no codec can pack (SplitMix64's mixing).
        let noise = |at: u64| {
            let first =
                (at ^ (at >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let value = f64::from_bits(0x3ff0_0000_0000_0000 | ((second ^ (second >> 31)) >> 12));
            let (series, time) = (SeriesId(0), Timestamp(at));
            Sample { series, quality: Quality::Good, value, time, received: time }
        };
        store.recorder().record((1..1_000_000).map(noise).collect(), Vec::new());
        let mut pending = Pending::default();
        assert!(pending.border(border(8, 1, Some(store.recorder().mark()))));
        assert!(store.flush().is_err(), "it cannot write");
        assert!(due(&mut pending).is_empty(), "it is tried again, so the state waits");
        assert!(store.close().is_err(), "samples are given up");
        assert_eq!(due(&mut pending), [(8, false)]);
    }

    #[test]
    fn borders_that_wait_are_bounded_by_bytes() {
        let mut pending = Pending::default();
        assert!(pending.border(border(1, BORDER_BYTES_MAX - 1, None)));
        assert!(!pending.border(border(2, 2, None)), "no room");
        assert!(pending.border(border(3, 1, None)), "room for one byte");
        assert_eq!(due(&mut pending), [(1, true), (3, true)]);
        assert!(pending.border(border(4, 2, None)), "there is room again");
    }
}
