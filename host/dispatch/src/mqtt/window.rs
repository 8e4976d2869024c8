//! Places for what may be under way on one line: what the broker takes, and no more, so that nothing waits in the library to leave
//! late. A broker of MQTT 5 says how much that is (Receive Maximum); one of 3.1.1 has no words for it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Orders under way at most, whatever the broker takes.
const ORDERS_MAX: u16 = 16;
/// What the library may have under way at most.
pub(super) const UNDER_WAY_MAX: u16 = ORDERS_MAX;
/// What a broker takes that has no words for it: customarily 20.
pub(super) const UNSAID: u16 = 20;

/// The places of one line.
#[derive(Clone, Debug)]
pub(super) struct Window {
    orders: Arc<Semaphore>,
    orders_max: u16,
}

impl Window {
    /// At a broker that takes so many messages at once.
    pub(super) fn of(receive_maximum: u16) -> Self {
        let orders_max = receive_maximum.clamp(1, ORDERS_MAX);
        Self { orders: Arc::new(Semaphore::new(usize::from(orders_max))), orders_max }
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

    /// The line has ended: there are no places any more.
    pub(super) fn close(&self) {
        self.orders.close();
    }
}
