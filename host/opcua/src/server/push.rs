//! From the board to the subscriptions of clients, around what the library would do to values on the way.
//!
//! A client without a filter is sent nothing by the library when the status of a variable changes and its number does not.
//! So such a change is preceded by one without a value, with the worse status of both; then the number is a change again.
//! Whose source time the library would shift gets values without one.

use std::sync::Arc;

use geminus_core::Clock;
use opcua::server::notify::SubscriptionDataNotifier;
use opcua::server::{MonitoredItemHandle, SubscriptionCache};
use opcua::types::{AttributeId, DataValue, StatusCode, Variant};

use super::board::Board;
use super::login::Door;
use super::nodes::{Book, TwinNodeManager};
use super::reading::{Reading, data_value};

/// Variables that are pushed before clients get a word in.
pub(crate) const PUSHED_AT_A_TIME: usize = 1_000;

/// Pushes for one server of the library.
pub(crate) struct Pusher {
    board: Arc<Board>,
    nodes: Arc<TwinNodeManager>,
    subscriptions: Arc<SubscriptionCache>,
    door: Arc<Door>,
    clock: Arc<dyn Clock>,
    /// What was pushed last, by variable.
    last: Vec<Option<Reading>>,
    fresh: Vec<(u32, Reading)>,
}

impl Pusher {
    pub(crate) fn new(
        board: Arc<Board>,
        nodes: Arc<TwinNodeManager>,
        subscriptions: Arc<SubscriptionCache>,
        door: Arc<Door>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let last = vec![None; nodes.inner().variables.len()];
        Self { board, nodes, subscriptions, door, clock, last, fresh: Vec::new() }
    }

    /// Pushes some of what is new. Gives how many values went to subscriptions; `None` when there was nothing new.
    pub(crate) fn push(&mut self) -> Option<u64> {
        let mut fresh = std::mem::take(&mut self.fresh);
        self.board.take_fresh(PUSHED_AT_A_TIME, &mut fresh);
        if fresh.is_empty() {
            self.fresh = fresh;
            return None;
        }
        let sent = self.send(&fresh);
        for (item, reading) in fresh.drain(..) {
            if let Some(last) = self.last.get_mut(item as usize) {
                *last = Some(reading);
            }
        }
        self.fresh = fresh;
        Some(sent)
    }

    /// Sends again what somebody has begun to watch, in case it changed between the first value and the first push.
    pub(crate) fn catch_up(&mut self) -> u64 {
        let mut begun = std::mem::take(&mut self.nodes.inner().book.lock().begun);
        begun.sort_unstable();
        begun.dedup();
        // Only what nothing newer waits for: else it is pushed anyway.
        let last = |item: u32| Some((item, self.last.get(item as usize)?.clone()?));
        let again: Vec<(u32, Reading)> = begun.into_iter().filter_map(last).collect();
        self.send(&again)
    }

    fn send(&self, readings: &[(u32, Reading)]) -> u64 {
        let now = self.clock.now();
        let nodes = self.nodes.inner();
        let mut notifier = self.subscriptions.data_notifier();
        let book = nodes.book.lock();
        let mut sent = 0;
        for (item, reading) in readings {
            let Some(id) = nodes.variables.get(*item as usize) else { continue };
            let before = self.last.get(*item as usize).and_then(Option::as_ref);
            let change = Change::new(before, reading, data_value(Some(reading), now));
            sent += self.send_to_all(&mut notifier, id, &book, &change);
        }
        sent
    }

    fn send_to_all(
        &self,
        notifier: &mut SubscriptionDataNotifier<'_>,
        id: &opcua::types::NodeId,
        book: &Book,
        change: &Change,
    ) -> u64 {
        let Some(mut batch) = notifier.notify_for(id, AttributeId::Value) else { return 0 };
        let handles: Vec<MonitoredItemHandle> = batch.entries().map(|(handle, _)| *handle).collect();
        let mut sent = 0;
        for handle in handles {
            let Some(watch) = book.watches.get(&handle) else { continue };
            if !self.door.may_read(&watch.token, &watch.twin) {
                continue;
            }
            if let Some(first) = change.first.as_ref().filter(|_| watch.plain) {
                batch.data_value_to_item(with_source_time(first, watch.exact), &handle);
            }
            batch.data_value_to_item(with_source_time(&change.value, watch.exact), &handle);
            sent += 1;
        }
        sent
    }
}

/// A value, and what must go before it so that it counts as a change.
pub(crate) struct Change {
    pub(crate) first: Option<DataValue>,
    pub(crate) value: DataValue,
}

impl Change {
    pub(crate) fn new(before: Option<&Reading>, now: &Reading, value: DataValue) -> Self {
        let Some(before) = before.map(Reading::value) else { return Self { first: None, value } };
        let now = now.value();
        // As the library compares: `0.0` and `-0.0` are the same to it.
        let is_seen = before.0 != now.0;
        let is_change = before.1 != now.1 || bits(&before.0) != bits(&now.0);
        let first = (is_change && !is_seen).then(|| DataValue {
            value: Some(Variant::Empty),
            status: Some(worse(before.1, now.1)),
            ..value.clone()
        });
        Self { first, value }
    }
}

fn bits(value: &Option<Variant>) -> Option<u64> {
    match value {
        Some(Variant::Double(number)) => Some(number.to_bits()),
        _ => None,
    }
}

fn worse(one: StatusCode, other: StatusCode) -> StatusCode {
    if one.bits() >> 30 >= other.bits() >> 30 { one } else { other }
}

fn with_source_time(value: &DataValue, exact: bool) -> DataValue {
    let mut value = value.clone();
    if !exact {
        (value.source_timestamp, value.source_picoseconds) = (None, None);
    }
    value
}

#[cfg(test)]
mod tests {
    use geminus_core::{Quality, Timestamp};

    use super::super::reading::Content;
    use super::*;

    fn check(before: Option<(f64, Quality)>, now: (f64, Quality), expect: Option<StatusCode>) {
        let reading = |(number, quality), time| Reading {
            content: Content::Number(number),
            quality,
            time: Timestamp(time),
        };
        let before = before.map(|before| reading(before, 1_000));
        let now = reading(now, 2_000);
        let change = Change::new(before.as_ref(), &now, data_value(Some(&now), Timestamp(3_000)));
        assert_eq!(change.first.as_ref().and_then(|first| first.status), expect, "{before:?} {now:?}");
        if let Some(first) = change.first {
            assert_eq!(first.value, Some(Variant::Empty));
            assert_eq!(first.source_timestamp, change.value.source_timestamp);
        }
    }

    #[test]
    fn what_the_library_would_not_see_is_preceded_by_what_it_does() {
        use Quality::{Bad, Good, Stale, Uncertain};
        check(None, (1.0, Good), None);
        check(Some((1.0, Good)), (2.0, Good), None);
        check(Some((1.0, Good)), (1.0, Good), None);
        check(Some((1.0, Good)), (1.0, Stale), Some(StatusCode::UncertainLastUsableValue));
        check(Some((1.0, Stale)), (1.0, Good), Some(StatusCode::UncertainLastUsableValue));
        check(Some((1.0, Uncertain)), (1.0, Bad), Some(StatusCode::Bad));
        check(Some((1.0, Good)), (2.0, Bad), None);
        check(Some((f64::NAN, Bad)), (f64::NAN, Stale), None);
        check(Some((1.0, Good)), (f64::NAN, Good), None);
        check(Some((0.0, Good)), (-0.0, Good), Some(StatusCode::Good));
    }
}
