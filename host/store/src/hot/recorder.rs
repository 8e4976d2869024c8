//! The way into history: a queue that takes samples and never makes its sender wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use geminus_core::ticket::TicketEnd;
use geminus_core::{Clock, Sample, SeriesId, Ticket, TicketBook};

use crate::StoreError;
use crate::sealed::Class;
use crate::sealed::order::Order;
use crate::stats::{Gauges, add};

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Work {
    Parcel(Parcel),
    /// Numbers for these (twin, point).
    Series(Vec<(String, String)>, Sender<Result<Vec<SeriesId>, StoreError>>),
    /// Commit what came before, then answer.
    Flush(Sender<Result<(), StoreError>>),
    /// Fold all that is mixed, then answer.
    Fold(Sender<Result<(), StoreError>>),
    /// Make blocks of one hour each of these, then answer.
    Split(Vec<i64>, Sender<Result<(), StoreError>>),
    /// Put down what was sealed, then answer.
    Seal(Box<Order>, Sender<Result<(), StoreError>>),
    /// Say of these series who makes their values, then answer.
    Classes(Vec<(SeriesId, Class)>, Sender<Result<(), StoreError>>),
    /// A new quota in mebibytes, 0 for none.
    Quota(u64),
    /// Commit what came before and end.
    Close,
}

/// Samples that came together, and who waits for them.
#[derive(Debug)]
pub(crate) struct Parcel {
    pub(crate) samples: Vec<Sample>,
    pub(crate) tickets: Vec<Ticket>,
    /// When it came, by the monotonic clock.
    pub(crate) at: Duration,
}

/// A place in the queue into history, which hears when everything before it is durable: for what must not be known
/// before it is.
#[derive(Debug)]
pub struct Mark(Receiver<TicketEnd>);

impl Mark {
    /// Hears once how it went: committed, or voided because the store closed without having been able to write. Hears
    /// nothing while the store cannot write and tries again.
    #[must_use]
    pub fn end(&self) -> &Receiver<TicketEnd> {
        &self.0
    }
}

/// Hands samples to the history writer. Clones share one queue.
#[derive(Clone, Debug)]
pub struct Recorder {
    pub(crate) work: Sender<Work>,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue_points_max: u64,
}

impl Recorder {
    /// Queues samples, in the order of their arrival; the tickets are committed when all of them are durable.
    ///
    /// Never blocks. Samples without a ticket are dropped and counted when the queue is over its limit; with
    /// a ticket they are always taken, because whoever waits for it sends no more than its window. After the
    /// store closed samples are dropped and counted, and tickets voided.
    pub fn record(&self, samples: Vec<Sample>, tickets: Vec<Ticket>) {
        let count = samples.len();
        let queued = self.gauges.queue_points.fetch_add(count as u64, Ordering::Relaxed);
        let over = tickets.is_empty() && queued + count as u64 > self.queue_points_max;
        let parcel = Parcel { samples, tickets, at: self.clock.monotonic() };
        if over || self.work.send(Work::Parcel(parcel)).is_err() {
            self.gauges.queue_points.fetch_sub(count as u64, Ordering::Relaxed);
            add(&self.gauges.points_dropped, count);
        }
    }

    /// A mark behind everything that was recorded before, through this recorder or, if it happened before, another one.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let (tell, heard) = bounded(1);
        // A ticket ends once, so there is room; whoever dropped the mark need not hear of it.
        let book = TicketBook::new(move |end| tell.try_send(end).unwrap_or_default());
        self.record(Vec::new(), vec![book.open(0)]);
        Mark(heard)
    }

    /// Has everything that was recorded before committed now, however long it might wait for others. Does not wait for
    /// it, and tells nobody how it went: see [`Recorder::mark`].
    pub fn hurry(&self) {
        let (reply, _) = bounded(1);
        if self.work.send(Work::Flush(reply)).is_err() {
            tracing::debug!("history was closed already");
        }
    }

    /// Points that wait for a commit now, of all recorders.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.gauges.queue_points.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to write history succeeded.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.gauges.health.writable()
    }
}
