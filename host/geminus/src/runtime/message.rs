//! What others may ask of a shard. Answers are copies; nobody but the shard touches its twins.

use std::sync::Arc;
use std::time::Duration;

use geminus_api::view::{TwinState, TwinSummary, TwinView};
use geminus_behavior::{ColdStart, Compiled, Heir, Household};
use geminus_core::TwinIndex;
use geminus_core::declaration::Priority;
use geminus_twin::BindingIndex;
use tokio::sync::oneshot;

/// A question or an order. A reply whose asker has gone is thrown away.
#[derive(Debug)]
pub(crate) enum Ask {
    /// One twin in full, and what happened to its behaviors at which row.
    Twin(TwinIndex, oneshot::Sender<Option<TwinView>>),
    /// The latest source time of a twin, and the swaps it has seen.
    Past(TwinIndex, oneshot::Sender<Past>),
    /// These twins in brief, in the order asked.
    Summaries(Vec<TwinIndex>, oneshot::Sender<Vec<TwinSummary>>),
    /// Which twins of this shard are in this state.
    InState(TwinState, oneshot::Sender<Vec<TwinIndex>>),
    /// What the heirs of a binding's instances need to be raised.
    Households(BindingIndex, crossbeam_channel::Sender<Vec<Household>>),
    /// Put this version to work for a binding, with heirs that were raised before, or say why not.
    Swap(Swap, Vec<Heir>, crossbeam_channel::Sender<Result<Swapped, String>>),
    /// Copy the state of all behaviors for the store.
    Snapshot(crossbeam_channel::Sender<Vec<SavedState>>),
    /// Close what is open, step it, record it, and end.
    Stop,
}

/// A new version for a binding.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    pub(crate) binding: BindingIndex,
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) parameters: Arc<[u8]>,
    pub(crate) cold: ColdStart,
}

/// What a shard did for a swap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Swapped {
    /// Twins that run the new version here.
    pub(crate) twins: usize,
    /// Of those, twins whose state was carried.
    pub(crate) carried: usize,
    /// Twins that started without the state they had.
    pub(crate) cold: usize,
    /// For how long rows waited.
    pub(crate) pause: Duration,
}

/// Marks and the end of a twin's past.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// Latest source time of any of its points.
    pub(crate) newest: Option<geminus_core::Timestamp>,
    /// Swaps: time of the last row before, and a text.
    pub(crate) swaps: Vec<(geminus_core::Timestamp, String)>,
}

/// A shard at a glance.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) live: u64,
    pub(crate) stale: u64,
    pub(crate) waiting: u64,
    /// Active alerts by priority, `journal` first.
    pub(crate) by_priority: [u64; 5],
}

impl Totals {
    /// Of two shards.
    pub(crate) fn plus(self, other: Self) -> Self {
        let mut by_priority = self.by_priority;
        by_priority.iter_mut().zip(other.by_priority).for_each(|(sum, part)| *sum += part);
        Self {
            live: self.live + other.live,
            stale: self.stale + other.stale,
            waiting: self.waiting + other.waiting,
            by_priority,
        }
    }

    /// The highest priority that is active.
    pub(crate) fn highest(&self) -> Option<Priority> {
        let all = [Priority::Journal, Priority::Low, Priority::Medium, Priority::High, Priority::Critical];
        all.into_iter()
            .zip(self.by_priority)
            .filter(|(_, count)| *count > 0)
            .map(|(priority, _)| priority)
            .max()
    }
}

/// State of one binding's twins in one instance, ready for the store.
#[derive(Clone, Debug)]
pub(crate) struct SavedState {
    pub(crate) binding: BindingIndex,
    pub(crate) result: Result<geminus_behavior::Snapshot, String>,
}
