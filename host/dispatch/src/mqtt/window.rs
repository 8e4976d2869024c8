//! Places for what may be under way on one line: what the broker takes, and no more, so that nothing waits in the library to leave
//! late. A broker of MQTT 5 says how much that is (Receive Maximum); one of 3.1.1 has no words for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Orders under way at most, whatever the broker takes.
const ORDERS_MAX: u16 = 16;
/// Signs of life under way at most.
const BEATS_MAX: u16 = 64;
/// Of the places at a broker so many are for one sign of life.
const BEAT_IN: u16 = 5;
/// What the library may have under way at most.
pub(super) const UNDER_WAY_MAX: u16 = ORDERS_MAX + BEATS_MAX;
/// How long a sign of life waits for a place: what leaves later says little of now.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// What a broker takes that has no words for it: customarily 20.
pub(super) const UNSAID: u16 = 20;

/// The places of one line. Orders and signs of life have places of their own, so that neither waits for the other; at a broker that
/// takes one message at a time they share it.
#[derive(Clone, Debug)]
pub(super) struct Window {
    orders: Arc<Semaphore>,
    orders_max: u16,
    beats: Arc<Semaphore>,
}

impl Window {
    /// At a broker that takes so many messages at once.
    pub(super) fn of(receive_maximum: u16) -> Self {
        let beats_max = (receive_maximum / BEAT_IN).clamp(1, BEATS_MAX);
        let orders_max = receive_maximum.saturating_sub(beats_max).clamp(1, ORDERS_MAX);
        let places = |count: u16| Arc::new(Semaphore::new(usize::from(count)));
        let orders = places(orders_max);
        let beats = if receive_maximum > 1 { places(beats_max) } else { Arc::clone(&orders) };
        Self { orders, orders_max, beats }
    }

    /// A place for an order, which is free again when the permit is dropped.
    ///
    /// # Errors
    /// When all are taken, or the line has ended.
    pub(super) fn order(&self) -> Result<OwnedSemaphorePermit, String> {
        Arc::clone(&self.orders).try_acquire_owned().map_err(|_| match self.orders.is_closed() {
            true => super::NO_LINE.to_owned(),
            false => format!("{} orders wait for the broker already", self.orders_max),
        })
    }

    /// A place for a sign of life, for which it waits a little: many are due at the same moment.
    ///
    /// # Errors
    /// When none is free in time, or the line has ended.
    pub(super) async fn beat(&self) -> Result<OwnedSemaphorePermit, String> {
        match tokio::time::timeout(WAIT_MAX, Arc::clone(&self.beats).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(super::NO_LINE.to_owned()),
            Err(_) => Err("the broker is too slow for so many heartbeats".to_owned()),
        }
    }

    /// The line has ended: there are no places any more.
    pub(super) fn close(&self) {
        self.orders.close();
        self.beats.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places for orders and for signs of life, and whether they are the same.
    fn check(receive_maximum: u16, orders: usize, beats: usize, shared: bool) {
        let window = Window::of(receive_maximum);
        let free = (window.orders.available_permits(), window.beats.available_permits());
        assert_eq!(free, (orders, beats), "{receive_maximum}");
        assert_eq!(Arc::ptr_eq(&window.orders, &window.beats), shared, "{receive_maximum}");
        let all = if shared { orders } else { orders + beats };
        assert!(all <= usize::from(receive_maximum.max(1)), "{receive_maximum}: {all}");
        assert!(all <= usize::from(UNDER_WAY_MAX), "{receive_maximum}: {all}");
    }

    #[test]
    fn no_more_is_under_way_than_the_broker_takes_and_beats_take_no_place_of_orders() {
        check(0, 1, 1, true);
        check(1, 1, 1, true);
        check(2, 1, 1, false);
        check(5, 4, 1, false);
        check(UNSAID, 16, 4, false);
        check(100, 16, 20, false);
        check(u16::MAX, 16, 64, false);
    }

    #[tokio::test(start_paused = true)]
    async fn a_beat_waits_for_a_place_a_little_and_one_that_ends_meanwhile_is_told() {
        let window = Window::of(2);
        let place = window.beat().await.expect("a place");
        assert!(window.beat().await.expect_err("taken").contains("too slow"));
        let waits = tokio::spawn({
            let window = window.clone();
            async move { window.beat().await.map(drop) }
        });
        tokio::task::yield_now().await;
        window.close();
        let told = waits.await.expect("an end").expect_err("closed");
        assert_eq!((told.as_str(), window.order().map(drop)), (crate::mqtt::NO_LINE, Err(told.clone())));
        drop(place);
    }
}
