//! Messages become samples, samples become batches: as many as arrived together, up to a bound.

use std::sync::atomic::Ordering;
use std::time::Duration;

use geminus_core::{Batch, Sample, TicketBook};

use super::House;
use super::ledger::Ledger;
use crate::decode::{Arrival, Decoder};
use crate::refusal::{Reason, RefusalJournal};
use crate::{Sink, SinkClosed};

/// Samples in a batch at most, give or take the samples of one payload.
const BATCH_SAMPLES_MAX: usize = 4_096;
/// How long a batch may stay open while messages keep coming.
const BATCH_AGE_MAX: Duration = Duration::from_millis(1);

/// The batch under way and what is needed to fill it.
pub(super) struct Intake {
    decoder: Decoder,
    /// Where our own marker comes, which feeds nothing.
    marker: String,
    refused: RefusalJournal,
    samples: Vec<Sample>,
    packets: Vec<u16>,
    opened: Duration,
    messages: u64,
    payload_bytes: u64,
}

impl Intake {
    pub(super) fn new(decoder: Decoder, marker: String) -> Self {
        Self {
            decoder,
            marker,
            refused: RefusalJournal::default(),
            samples: Vec::with_capacity(BATCH_SAMPLES_MAX),
            packets: Vec::new(),
            opened: Duration::ZERO,
            messages: 0,
            payload_bytes: 0,
        }
    }

    /// Decodes one message into the batch. `now` is the monotonic time of its arrival.
    pub(super) fn take<S>(
        &mut self,
        house: &House<S>,
        (topic, payload): (&[u8], &[u8]),
        packet: Option<u16>,
        (arrival, now): (Arrival, Duration),
    ) {
        if self.messages == 0 {
            self.opened = now;
        }
        self.messages += 1;
        self.payload_bytes += payload.len() as u64;
        self.packets.extend(packet);
        let routes = house.routes.of(topic);
        if routes.is_empty() && topic != self.marker.as_bytes() {
            self.refuse(house, topic, payload, Reason::UnknownTopic, now);
        }
        for route in routes {
            if let Err(reason) = self.decoder.decode(route, payload, arrival, &mut self.samples) {
                self.refuse(house, topic, payload, reason, now);
            }
        }
    }

    /// See [`Decoder::last_untimed`].
    pub(super) fn last_untimed(&self) -> u64 {
        self.decoder.last_untimed()
    }

    /// Whether the batch should go although more is coming.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        self.messages > 0
            && (self.samples.len() >= BATCH_SAMPLES_MAX
                || self.packets.len() >= BATCH_SAMPLES_MAX
                || now.saturating_sub(self.opened) >= BATCH_AGE_MAX)
    }

    /// Delivers the batch, if there is one, under a ticket if packets wait for it.
    pub(super) async fn flush<S: Sink>(
        &mut self,
        house: &House<S>,
        ledger: &mut Ledger,
        book: &TicketBook,
    ) -> Result<(), SinkClosed> {
        if self.messages == 0 {
            return Ok(());
        }
        house.stats.messages.fetch_add(std::mem::take(&mut self.messages), Ordering::Relaxed);
        house.stats.payload_bytes.fetch_add(std::mem::take(&mut self.payload_bytes), Ordering::Relaxed);
        let packets = std::mem::take(&mut self.packets);
        let ticket = (!packets.is_empty()).then(|| book.open(ledger.enter(packets)));
        if self.samples.is_empty() {
            // Everything was refused: there is nothing to make durable before the acknowledgement.
            if let Some(ticket) = ticket {
                ticket.commit();
            }
            return Ok(());
        }
        let room = self.samples.len().clamp(64, BATCH_SAMPLES_MAX);
        let samples = std::mem::replace(&mut self.samples, Vec::with_capacity(room));
        house.stats.samples.fetch_add(samples.len() as u64, Ordering::Relaxed);
        house.stats.batches.fetch_add(1, Ordering::Relaxed);
        house.sink.deliver(Batch { samples, ticket }).await
    }

    fn refuse<S>(&mut self, house: &House<S>, topic: &[u8], payload: &[u8], reason: Reason, now: Duration) {
        let event = self.refused.refuse(&house.stats.refusals, topic, payload, reason, now);
        if let Some(event) = event {
            house.tell(event);
        }
    }
}
