//! A client that does nothing: one session, one subscription, and the library's own way of asking for messages. What it
//! costs is what the protocol costs.

use std::sync::Arc;

use geminus_core::Timestamp;
use geminus_dispatch::Answer;
use opcua::client::DataChangeCallback;
use opcua::types::{Error, StatusCode, TimestampsToReturn, Variant};

use crate::link::{self, Link};
use crate::order::{self, Destination, Place};
use crate::{NodeAddress, OpcUaOptions, status, subscription};

/// Items in one request.
const ITEMS_MAX: usize = 1_000;
/// Signs of life without one from the server, and without one from us, after which either gives up; values in a message.
const KEEP_ALIVES: u32 = 500;
const LIFETIME: u32 = 12_000;
const NOTIFICATIONS_MAX: u32 = 50_000;

/// Why a bare client does not get what it is there for.
#[derive(Debug, thiserror::Error)]
pub enum BareError {
    /// No session.
    #[error("the bare client has no session: {0}")]
    Session(String),
    /// No subscription.
    #[error("the bare client has no subscription: {0}")]
    Subscribe(String),
    /// A node that is not watched.
    #[error("node `{0}` is not watched: {1}")]
    Node(String, String),
    /// An order that was not taken.
    #[error("the bare client's order was not taken: {0}")]
    Order(String),
}

/// A bare client. Dropping it hangs up.
pub struct Bare {
    link: Link,
    order: Option<Place>,
}

impl Bare {
    /// Connects, watches these nodes, and hands the number of each value to `hear`, from a thread of the runtime. `order` is the
    /// node that [`Bare::order`] writes to.
    ///
    /// # Errors
    /// [`BareError`] of the first step that failed.
    pub async fn connect(
        options: &OpcUaOptions,
        now: Timestamp,
        nodes: &[NodeAddress],
        order: Option<&str>,
        hear: impl Fn(f64) + Send + Sync + 'static,
    ) -> Result<Self, BareError> {
        let link = link::open(options, now).await.map_err(|error| BareError::Session(error.to_string()))?;
        let refused = |error: Error| BareError::Subscribe(status::name(error.status()));
        let namespaces = link.namespaces().await.map_err(refused)?;
        let session = Arc::clone(&link.session);
        let heard = DataChangeCallback::new(move |value, _| {
            if let Some(Variant::Double(number)) = value.value {
                hear(number);
            }
        });
        let wish = &options.subscribe;
        let made = session
            .create_subscription(wish.publishing, LIFETIME, KEEP_ALIVES, NOTIFICATIONS_MAX, 0, true, heard)
            .await
            .map_err(refused)?;
        for chunk in nodes.chunks(ITEMS_MAX) {
            let mut items = Vec::with_capacity(chunk.len());
            for node in chunk {
                let lacks = || BareError::Node(node.to_string(), "no such namespace".to_owned());
                let handle = u32::try_from(items.len() + 1).unwrap_or(0);
                items.push(subscription::item(handle, &node.on(&namespaces).ok_or_else(lacks)?, wish, true));
            }
            let answers = session.create_monitored_items(made, TimestampsToReturn::Both, items).await;
            for (node, answer) in chunk.iter().zip(answers.map_err(refused)?) {
                let code: StatusCode = answer.result.status_code;
                if !code.is_good() {
                    return Err(BareError::Node(node.to_string(), status::name(code)));
                }
            }
        }
        let order = match order {
            Some(address) => {
                let no = |reason: String| BareError::Order(reason);
                let destination: Destination =
                    address.parse().map_err(|error: crate::AddressError| no(error.to_string()))?;
                Some(Place::of(&destination, &session, &namespaces).await.map_err(no)?)
            }
            None => None,
        };
        Ok(Self { link, order })
    }

    /// Writes a value to its node, and waits until the server has taken it.
    ///
    /// # Errors
    /// [`BareError::Order`] when the server did not.
    pub async fn order(&self, value: f64) -> Result<(), BareError> {
        let place = self.order.clone().ok_or_else(|| BareError::Order("it was given no node".to_owned()))?;
        let value = place.variant(value).map_err(BareError::Order)?;
        match order::answer(place.send(&self.link.session, value).await) {
            Answer::Acknowledged { .. } => Ok(()),
            Answer::NotSent { reason } | Answer::Declined { reason } | Answer::Lost { reason } => {
                Err(BareError::Order(reason))
            }
        }
    }

    /// Takes leave of the server.
    pub async fn stop(self) {
        self.link.goodbye(None).await;
    }
}

impl std::fmt::Debug for Bare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bare")
    }
}
