//! The way from sources to shards: one bounded lane per shard, counted in samples.
//!
//! A source waits here when a shard is behind; its socket is then not read, and the broker keeps what it has.
//! Nothing is dropped on a lane.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use geminus_core::{Batch, Sample};
use geminus_ingest::{Sink, SinkClosed};
use tokio::sync::Semaphore;

/// Samples that may wait for one shard: 2 MiB of them, 80 ms of work at 800,000 a second.
pub(crate) const LANE_SAMPLES_MAX: usize = 65_536;

/// The end that sources hold.
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Entrance>,
    /// Which shard owns a series, by the series' number.
    shard_of_series: Arc<[u16]>,
}

#[derive(Clone, Debug)]
struct Entrance {
    batches: Sender<Batch>,
    room: Arc<Semaphore>,
}

/// The end that a shard holds.
#[derive(Debug)]
pub(crate) struct Exit {
    /// Batches in order of arrival; closed when every source is gone.
    pub(crate) batches: Receiver<Batch>,
    room: Arc<Semaphore>,
}

impl Exit {
    /// The shard has taken this many samples off the lane.
    pub(crate) fn taken(&self, samples: usize) {
        self.room.add_permits(permits(samples));
    }

    /// Samples that wait.
    pub(crate) fn waiting(&self) -> usize {
        LANE_SAMPLES_MAX.saturating_sub(self.room.available_permits())
    }
}

/// A shard that ended, however it did, lets nobody wait for it.
impl Drop for Exit {
    fn drop(&mut self) {
        self.room.close();
    }
}

/// A batch of no samples still holds its place for one, a giant one never more than the lane has.
fn permits(samples: usize) -> usize {
    samples.clamp(1, LANE_SAMPLES_MAX)
}

/// Lanes to `shards` shards.
pub(crate) fn lanes(shards: usize, shard_of_series: Arc<[u16]>) -> (Lanes, Vec<Exit>) {
    let (lanes, exits) = (0..shards)
        .map(|_| {
            let (sender, receiver) = crossbeam_channel::unbounded();
            let room = Arc::new(Semaphore::new(LANE_SAMPLES_MAX));
            (Entrance { batches: sender, room: Arc::clone(&room) }, Exit { batches: receiver, room })
        })
        .unzip();
    (Lanes { lanes, shard_of_series }, exits)
}

impl Entrance {
    async fn send(&self, batch: Batch) -> Result<(), SinkClosed> {
        let count = u32::try_from(permits(batch.samples.len())).unwrap_or(u32::MAX);
        let held = self.room.acquire_many(count).await.map_err(|_| SinkClosed)?;
        held.forget();
        self.batches.send(batch).map_err(|_| SinkClosed)
    }
}

impl Lanes {
    fn shard(&self, sample: &Sample) -> usize {
        self.shard_of_series.get(sample.series.0 as usize).copied().unwrap_or_default().into()
    }
}

impl Sink for Lanes {
    async fn deliver(&self, batch: Batch) -> Result<(), SinkClosed> {
        if let [only] = self.lanes.as_slice() {
            return only.send(batch).await;
        }
        let mut parts: Vec<Vec<Sample>> = vec![Vec::new(); self.lanes.len()];
        for sample in batch.samples {
            if let Some(part) = parts.get_mut(self.shard(&sample)) {
                part.push(sample);
            }
        }
        for (lane, samples) in self.lanes.iter().zip(parts) {
            if !samples.is_empty() {
                lane.send(Batch { samples, ticket: batch.ticket.clone() }).await?;
            }
        }
        // Every part holds its own share; this one stands for none.
        if let Some(ticket) = batch.ticket {
            ticket.commit();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::{Quality, SeriesId, TicketBook, Timestamp};
    use std::sync::Mutex;

    fn sample(series: u32) -> Sample {
        let zero = Timestamp(0);
        Sample { series: SeriesId(series), quality: Quality::Good, value: 1.0, time: zero, received: zero }
    }

    #[tokio::test]
    async fn a_batch_is_split_by_shard_and_its_ticket_ends_with_the_last_part() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let book = TicketBook::new(move |end| ear.lock().expect("ear").push(end));
        let (lanes, exits) = lanes(2, Arc::from([0, 1, 0].as_slice()));
        let samples = vec![sample(0), sample(1), sample(2)];
        lanes.deliver(Batch { samples, ticket: Some(book.open(5)) }).await.expect("open");
        let parts: Vec<Batch> = exits.iter().map(|exit| exit.batches.recv().expect("part")).collect();
        assert_eq!(parts.iter().map(|part| part.samples.len()).collect::<Vec<_>>(), [2, 1]);
        assert!(heard.lock().expect("ear").is_empty());
        for part in parts {
            part.ticket.expect("share").commit();
        }
        assert_eq!(heard.lock().expect("ear").len(), 1);
    }

    #[tokio::test]
    async fn a_full_lane_makes_the_source_wait_until_the_shard_has_taken() {
        let (lanes, exits) = lanes(1, Arc::from([0].as_slice()));
        let full = Batch { samples: vec![sample(0); LANE_SAMPLES_MAX], ticket: None };
        lanes.deliver(full).await.expect("open");
        assert_eq!(exits[0].waiting(), LANE_SAMPLES_MAX);
        let mut next = Box::pin(lanes.deliver(Batch { samples: vec![sample(0)], ticket: None }));
        assert!(futures_poll(&mut next).is_none(), "must wait");
        exits[0].taken(LANE_SAMPLES_MAX);
        assert!(futures_poll(&mut next).is_some(), "may go on");
    }

    fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
