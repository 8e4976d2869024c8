//! A connection to a broker as the reader sees it, the same for both versions of the protocol.

use std::future::Future;

use bytes::Bytes;

/// Something that came over the line.
#[derive(Debug)]
pub enum Step {
    /// Connected; whether the broker still had our session.
    Connected { session_present: bool },
    /// A message; `packet` is there when it wants an acknowledgement. `retained`: the broker had kept it and gives it to us
    /// because we have subscribed; what is published while a subscription stands comes without, whatever its publisher asks.
    Message { topic: Bytes, payload: Bytes, packet: Option<u16>, retained: bool },
    /// Answer to a SUBSCRIBE: for each filter in order, why it was refused.
    Subscribed(Vec<Option<String>>),
    /// One of our QoS 1 messages arrived.
    Arrived,
    /// The broker will not have one of our QoS 1 messages, and why. In version 3.1.1 it has no words for that.
    Declined(String),
    /// Anything else.
    Other,
}

/// The line broke, and why.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct LineError {
    reason: String,
    closed: bool,
}

impl LineError {
    /// For this reason.
    pub fn new(reason: impl std::fmt::Display) -> Self {
        Self { reason: reason.to_string(), closed: false }
    }

    /// We said goodbye ourselves.
    pub fn closed() -> Self {
        Self { reason: "the connection was closed on purpose".to_owned(), closed: true }
    }

    /// Whether the line was closed on purpose and will not connect again.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// A message of ours. (Samples never take this way.)
#[derive(Debug)]
pub struct Message<'a> {
    pub topic: &'a str,
    pub payload: Vec<u8>,
    pub at_least_once: bool,
    pub retained: bool,
}

/// What the broker publishes, at QoS 1, when the connection ends without a goodbye.
#[derive(Clone, Debug)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for those who come later.
    pub retained: bool,
}

/// The half that sends. Never waits: its queues hold more than the window can have under way.
pub trait Voice: Clone + Send + Sync + 'static {
    /// Acknowledges a message of this connection.
    fn acknowledge(&self, packet: u16) -> Result<(), LineError>;
    /// Asks for all filters in one packet.
    fn subscribe(&self, filters: &[String], at_least_once: bool) -> Result<(), LineError>;
    /// Gives filters up.
    fn unsubscribe(&self, filters: &[String]) -> Result<(), LineError>;
    /// Publishes one message.
    fn publish(&self, message: &Message<'_>) -> Result<(), LineError>;
    /// Says goodbye.
    fn disconnect(&self) -> Result<(), LineError>;
}

/// The half that is polled. Polling after an error connects again.
pub trait Line: Send + 'static {
    /// The other half.
    type Voice: Voice;

    /// A sender for this line.
    fn voice(&self) -> Self::Voice;
    /// Waits for the next step, connecting first if need be. Do not cancel a poll that is under way unless
    /// the connection is hung up next.
    fn poll(&mut self) -> impl Future<Output = Result<Step, LineError>> + Send;
    /// The next step that was read already.
    fn next_read(&mut self) -> Option<Step>;
    /// Drops the connection without a goodbye, and with it every acknowledgement not yet sent.
    fn hang_up(&mut self);
}
