//! What others may ask of a shard. Answers are copies; nobody but the shard touches its twins.

use std::collections::HashSet;
use std::sync::Arc;

use geminus_api::view::{TwinState, TwinSummary, TwinView};
use geminus_behavior::{ColdStart, Compiled, Household, Snapshot};
use geminus_core::TwinIndex;
use geminus_core::declaration::Priority;
use geminus_fork::Origin;
use geminus_rollout::{Bumpless, Phase, Tally};
use geminus_scenario::Held;
use geminus_store::Mark;
use geminus_twin::BindingIndex;
use tokio::sync::oneshot;

use super::cohorts::side::Berth;
use super::cohorts::trial::{Standing, Wanted};
use super::cohorts::{Left, Return, Saved};

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
    /// How these twins of this shard are, counted.
    Totals(Vec<TwinIndex>, oneshot::Sender<Totals>),
    /// Which twins of this shard send.
    Live(Reply<Vec<TwinIndex>>),
    /// What the heirs of a binding's twins need to be raised: all of them, or these.
    Households(BindingIndex, Option<Arc<HashSet<TwinIndex>>>, Reply<Vec<Household>>),
    /// State of some twins of a binding, in a schema or the newest.
    Copy(BindingIndex, Arc<[TwinIndex]>, Option<u32>, Reply<Vec<Result<Snapshot, String>>>),
    /// A copy of a twin's behavior, as who answers for it stands between two rows; with the reason when there is none.
    Fork(TwinIndex, BindingIndex, oneshot::Sender<Result<Forked, String>>),
    /// Put a candidate beside the incumbent of a binding.
    Begin(BindingIndex, Box<Candidate>, Reply<Result<(), String>>),
    /// For whom the candidate should answer in a phase; answered with whether there is one. All is counted anew with
    /// another phase.
    Conduct(BindingIndex, Wanted, Phase, Reply<bool>),
    /// How far the trial of a binding is.
    Standing(BindingIndex, Reply<Option<Standing>>),
    /// The candidate becomes the incumbent. What is left over is sent back, to be dropped elsewhere.
    Settle(BindingIndex, Reply<Vec<Berth>>),
    /// Take the candidate of this rollout away.
    Withdraw(BindingIndex, u64, Reply<Vec<Berth>>),
    /// Whether a twin is held apart by the incumbent, and that has this incarnation.
    Apart(BindingIndex, TwinIndex, u32, Reply<bool>),
    /// What runs for a twin, if that is the version with this incarnation.
    Compiled(BindingIndex, TwinIndex, u32, Reply<Option<Arc<Compiled>>>),
    /// Let a twin come back that the version with this incarnation holds apart.
    Reinstate(BindingIndex, TwinIndex, u32, Return, Reply<Result<Left, String>>),
    /// Copy the state of all behaviors for the store.
    Snapshot(Reply<Copied>),
    /// Close what is open, step it, record it, and end.
    Stop,
}

/// What forks of a twin begin with.
#[derive(Debug)]
pub(crate) struct Forked {
    pub(crate) origin: Origin,
    /// What each input holds, in declared order.
    pub(crate) held: Vec<Held>,
}

/// The state of all behaviors of a shard.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) states: Vec<(BindingIndex, Saved)>,
    /// What was commanded last, of twins and behaviors of which that has changed since the copy before.
    pub(crate) commanded: Vec<((TwinIndex, BindingIndex), String)>,
    /// Stands behind every row that the states have seen.
    pub(crate) after: Mark,
}

/// A candidate with all its twins open, for one shard.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) rollout: u64,
    pub(crate) berths: Vec<Berth>,
    /// Whether a twin may start without the state that its incumbent has.
    pub(crate) cold: ColdStart,
    pub(crate) tally: Tally,
    pub(crate) bumpless: Bumpless,
    /// `from → to`, for marks in plots.
    pub(crate) text: String,
}

/// What a shard tells the manager without being asked.
#[derive(Debug)]
pub(crate) enum Note {
    /// A twin is held apart because of what its behavior did.
    Apart { binding: BindingIndex, twin: TwinIndex, incarnation: u32, kind: &'static str, message: String },
}

/// Where the answer goes. One whose asker has gone is thrown away.
pub(crate) type Reply<T> = crossbeam_channel::Sender<T>;

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
