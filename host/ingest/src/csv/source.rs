//! A recording straight into the host, without a broker: same payloads, same decoder, same batches.

use std::sync::Arc;

use geminus_core::{Batch, Clock, Event};

use super::feed::pause;
use super::pace::Timeline;
use super::{PlayOptions, Progress, Recording};
use crate::decode::{DecodeLimits, Decoder};
use crate::refusal::{Reason, RefusalCounts, RefusalJournal};
use crate::{EventSink, Routes, Sink, SinkClosed};

/// Samples in a batch of an unpaced replay, about.
const BATCH_SAMPLES: usize = 4_096;

/// What was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Rows.
    pub rows: usize,
    /// Payloads, refused ones included.
    pub messages: u64,
    /// Samples that reached the sink.
    pub samples: u64,
    /// Rows that cannot be read, and payloads or members that were refused; the journal says which.
    pub refused: u64,
}

/// Replays recordings.
#[derive(Debug)]
pub struct CsvSource {
    routes: Arc<Routes>,
    clock: Arc<dyn Clock>,
    limits: DecodeLimits,
    refusals: Arc<RefusalCounts>,
}

impl CsvSource {
    /// Into a site with these routes.
    #[must_use]
    pub fn new(routes: Arc<Routes>, clock: Arc<dyn Clock>, limits: DecodeLimits) -> Self {
        Self { routes, clock, limits, refusals: Arc::default() }
    }

    /// What was refused since it was made, in all plays together.
    #[must_use]
    pub fn refusals(&self) -> Arc<RefusalCounts> {
        Arc::clone(&self.refusals)
    }

    /// Plays a recording to its end. Batches carry no ticket: a recording can be played again.
    ///
    /// # Errors
    /// When the sink was closed.
    pub async fn replay(
        &self,
        recording: &Recording,
        options: PlayOptions,
        sink: &impl Sink,
        events: &EventSink,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<Replayed, SinkClosed> {
        let mut timeline = Timeline::new(options.pace, options.stamp);
        let mut decoder = Decoder::new(self.limits);
        let (counts, mut journal) = (&*self.refusals, RefusalJournal::default());
        let before = counts.total();
        for kind in recording.refused().kinds() {
            counts.add(kind.reason, kind.rows);
        }
        let mut samples = Vec::with_capacity(BATCH_SAMPLES);
        let mut done = Replayed { rows: recording.len(), messages: 0, samples: 0, refused: 0 };
        for row in 0..recording.len() {
            let wait = timeline.wait(recording.time(row), self.clock.as_ref());
            if wait.is_some() || samples.len() >= BATCH_SAMPLES {
                done.samples += hand_over(&mut samples, sink).await?;
            }
            pause(wait).await;
            let stamp = timeline.stamp(recording.time(row), self.clock.as_ref());
            let (received, now) = (self.clock.now(), self.clock.monotonic());
            for message in recording.messages(row, stamp) {
                done.messages += 1;
                let (topic, payload) = (message.topic.as_bytes(), message.payload.as_bytes());
                let mut refuse =
                    |reason: Reason| -> Option<Event> { journal.refuse(counts, topic, payload, reason, now) };
                let routes = self.routes.of(topic);
                let unknown = routes.is_empty().then_some(Reason::UnknownTopic);
                let refused = routes
                    .iter()
                    .filter_map(|route| decoder.decode(route, payload, received, &mut samples).err());
                unknown.into_iter().chain(refused).filter_map(&mut refuse).for_each(|event| events(event));
            }
            progress(Progress { rows: row + 1, of: recording.len(), messages: done.messages });
        }
        done.samples += hand_over(&mut samples, sink).await?;
        done.refused = counts.total() - before;
        Ok(done)
    }
}

async fn hand_over(samples: &mut Vec<geminus_core::Sample>, sink: &impl Sink) -> Result<u64, SinkClosed> {
    if samples.is_empty() {
        return Ok(0);
    }
    let count = samples.len() as u64;
    let samples = std::mem::replace(samples, Vec::with_capacity(BATCH_SAMPLES));
    sink.deliver(Batch { samples, ticket: None }).await?;
    Ok(count)
}
