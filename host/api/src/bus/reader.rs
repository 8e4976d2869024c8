//! One reader's place in the numbering, and what is due to it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::latest::Kept;
use super::values::Publication;
use super::{EventBus, EventId, Interest, Notice, State};

/// Most notices of one round.
const ROUND_NOTICES_MAX: usize = 512;
/// Bytes of notices after which a round takes no further one.
const ROUND_NOTICE_BYTES: usize = 256 << 10;

/// One event on its way to a client.
#[derive(Debug)]
pub(crate) struct Due {
    /// What the client may name to go on after this event. It rises only with the last event of a round: values
    /// are merged, so a part of a round says nothing about what is missing.
    pub(crate) place: u64,
    pub(crate) event: DueEvent,
}

/// What the event is.
#[derive(Debug)]
pub(crate) enum DueEvent {
    Notice(Arc<Notice>),
    Values(Arc<Publication>),
}

impl DueEvent {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Notice(notice) => notice.kind,
            Self::Values(_) => "values",
        }
    }

    /// The twin that it is about; `None` for what is about no twin alone.
    pub(crate) fn twin(&self) -> Option<&str> {
        match self {
            Self::Notice(notice) => notice.twin.as_deref(),
            Self::Values(publication) => Some(publication.twin()),
        }
    }

    pub(crate) fn data(&self) -> &Bytes {
        match self {
            Self::Notice(notice) => &notice.data,
            Self::Values(publication) => publication.json(),
        }
    }
}

/// Why a reader has to start afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The id that it gave is of another process.
    OtherProcess,
    /// What it gave is no id that a host gives.
    NoId,
    /// More happened than the ring holds, or nobody watched its twins meanwhile.
    TooFarBehind,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherProcess => "the host was restarted since your last event: read everything anew",
            Self::NoId => "the last event id that you gave is none of this host's: read everything anew",
            Self::TooFarBehind => {
                "more happened since your last event than the host remembers: read everything anew"
            }
        })
    }
}

/// A stream's claim on the bus; dropping it gives the place up. Everything due to it is above its two places.
#[derive(Debug)]
pub(crate) struct Reader {
    bus: Arc<EventBus>,
    interest: Interest,
    notices: u64,
    values: u64,
    /// Values up to this number it has, or has read elsewhere: they may be gone from the table.
    known: u64,
}

/// What is due to a reader at one moment, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pub(crate) due: Vec<Due>,
    /// There were more notices than one round takes: take the next one at once.
    pub(crate) more: bool,
}

/// What a new reader is told first.
#[derive(Debug)]
pub(crate) struct Welcome {
    pub(crate) reader: Reader,
    /// Whether it goes on where it left off.
    pub(crate) resumed: bool,
    /// Why not, when it asked to.
    pub(crate) gap: Option<Gap>,
}

impl EventBus {
    /// A new reader, which goes on after `last` where that is possible. `None` when there is no room or the bus
    /// is closed.
    pub(crate) fn read(self: &Arc<Self>, interest: Interest, last: Option<&str>) -> Option<Welcome> {
        let counters = &self.counters;
        let mut state = self.lock();
        let open = counters.streams.load(Ordering::Relaxed);
        let full = open >= u64::try_from(self.limits.streams_max).unwrap_or(u64::MAX)
            || (interest == Interest::All && state.watches.readers_of_all() >= self.limits.streams_all_max);
        if self.is_closed() || full {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        counters.streams.fetch_add(1, Ordering::Relaxed);
        counters.opened.fetch_add(1, Ordering::Relaxed);
        // A watch has a number of its own: an id from before it shows that values may have been missed.
        state.head += 1;
        let head = state.head;
        state.watches.join(&interest, head, self.clock.as_ref());
        self.forget_unwatched(&mut state);
        let place = last.map(|id| self.place(&state, &interest, id));
        drop(state);
        let mut reader = Reader { bus: Arc::clone(self), interest, notices: head, values: 0, known: head };
        let gap = match place {
            Some(Ok(number)) => {
                (reader.notices, reader.values, reader.known) = (number, number, number);
                return Some(Welcome { reader, resumed: true, gap: None });
            }
            Some(Err(gap)) => Some(gap),
            None => None,
        };
        if gap.is_some() {
            counters.resyncs.fetch_add(1, Ordering::Relaxed);
        }
        Some(Welcome { reader, resumed: false, gap })
    }

    /// Where a reader that has seen event `id` goes on.
    fn place(&self, state: &State, interest: &Interest, id: &str) -> Result<u64, Gap> {
        let id = id.parse::<EventId>().map_err(|()| Gap::NoId)?;
        if id.epoch != self.epoch {
            return Err(Gap::OtherProcess);
        }
        if id.number > state.head {
            return Err(Gap::NoId);
        }
        match reaches(state, interest, id.number) && state.watches.reaches(interest, id.number) {
            true => Ok(id.number),
            false => Err(Gap::TooFarBehind),
        }
    }
}

fn reaches(state: &State, interest: &Interest, cursor: u64) -> bool {
    state.ring.reaches(cursor) && (*interest == Interest::Site || state.latest.reaches(cursor))
}

impl Reader {
    pub(crate) fn bus(&self) -> &Arc<EventBus> {
        &self.bus
    }

    /// Whether anything was published above the reader's places. It need not be due to this reader.
    pub(crate) fn has_news(&self) -> bool {
        let taken =
            if self.interest == Interest::Site { self.notices } else { self.notices.min(self.values) };
        self.bus.lock().head > taken
    }

    /// Id of an event of this process.
    pub(crate) fn id(&self, number: u64) -> EventId {
        EventId { epoch: self.bus.epoch, number }
    }

    /// What a client that breaks off now may name to go on: it has everything up to here, or has read it anew
    /// after the stream's `hello`.
    pub(crate) fn place(&self) -> u64 {
        if self.interest == Interest::Site { self.notices } else { self.notices.min(self.known) }
    }

    /// Takes what is due: each twin's values once. Copies under the bus's lock and waits for nothing else.
    ///
    /// # Errors
    /// The gap, when something that was due is gone. The reader has then started afresh.
    pub(crate) fn take(&mut self) -> Result<Round, Gap> {
        let bus = Arc::clone(&self.bus);
        let state = bus.lock();
        if !self.is_reached(&state) {
            (self.notices, self.values, self.known) = (state.head, 0, state.head);
            bus.counters.resyncs.fetch_add(1, Ordering::Relaxed);
            return Err(Gap::TooFarBehind);
        }
        let before = self.place();
        let (mut found, more) = self.notices_due(&state);
        match more {
            true => self.notices = found.last().map_or(self.notices, |(id, _)| *id),
            false => {
                self.values_due(&state, &mut found);
                (self.notices, self.values, self.known) = (state.head, state.head, state.head);
            }
        }
        drop(state);
        found.sort_unstable_by_key(|(id, _)| *id);
        bus.counters.sent.fetch_add(u64::try_from(found.len()).unwrap_or(0), Ordering::Relaxed);
        let mut due: Vec<_> = found.into_iter().map(|(_, event)| Due { place: before, event }).collect();
        if let Some(last) = due.last_mut() {
            last.place = self.place();
        }
        Ok(Round { due, more })
    }

    fn is_reached(&self, state: &State) -> bool {
        let values = self.interest == Interest::Site || state.latest.reaches(self.known);
        values && state.ring.reaches(self.notices)
    }

    fn notices_due(&self, state: &State) -> (Vec<(u64, DueEvent)>, bool) {
        let mut found = Vec::new();
        let mut bytes = 0;
        for (id, notice) in state.ring.after(self.notices).filter(|(_, notice)| self.wants(notice)) {
            if found.len() >= ROUND_NOTICES_MAX || bytes >= ROUND_NOTICE_BYTES {
                return (found, true);
            }
            bytes += notice.data.len();
            found.push((*id, DueEvent::Notice(Arc::clone(notice))));
        }
        (found, false)
    }

    fn values_due(&self, state: &State, found: &mut Vec<(u64, DueEvent)>) {
        let mut conflated = 0;
        let mut take = |(id, kept): (u64, &Kept)| {
            let (publication, merged) = kept.since(self.values);
            conflated += u64::from(merged && self.values > 0);
            found.push((id, DueEvent::Values(publication)));
        };
        match &self.interest {
            Interest::Site => {}
            Interest::All => state.latest.after(self.values).for_each(take),
            Interest::Twins(twins) => {
                twins.iter().filter_map(|twin| state.latest.of(twin, self.values)).for_each(&mut take);
            }
        }
        self.bus.counters.conflated.fetch_add(conflated, Ordering::Relaxed);
    }

    fn wants(&self, notice: &Notice) -> bool {
        match (&self.interest, &notice.twin) {
            (Interest::Twins(twins), Some(about)) => twins.contains(about),
            _ => true,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.bus.lock();
        state.watches.leave(&self.interest, self.bus.clock.as_ref());
        self.bus.forget_unwatched(&mut state);
        self.bus.counters.streams.fetch_sub(1, Ordering::Relaxed);
    }
}
