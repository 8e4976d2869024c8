//! The task that owns a source: connects, subscribes, asks for messages, puts them in order, watches for silence,
//! connects again.
//!
//! A message is acknowledged to the server once its samples are durable; until then the server keeps it, and one that
//! did not arrive is asked for again by its number. While too many wait for the disk, none is asked for. So neither a lost
//! line nor a store that is slow or cannot write loses a value that the server still has, and none is told twice. What
//! becomes of a line while it stands is in [`follow`].

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::ticket::TicketEnd;
use geminus_core::{Batch, Clock, Event, Severity, TicketBook};
use geminus_ingest::{EventSink, Sink};
use opcua::types::{Error, StatusCode};
use tokio::sync::{mpsc, watch};

use crate::intake::Intake;
use crate::link::{self, Link, LinkError};
use crate::options::OpcUaOptions;
use crate::source::OpcUaStats;
use crate::status;
use crate::subscription::{self, Answer, SubscribeError, Subscription};

mod follow;
mod open;

use open::Open;

/// Waits before the next attempt, the first and the longest; doubled each time.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// A connection that held as long starts the waits over.
const HELD: Duration = Duration::from_secs(10);
/// How long a stopping reader waits for a full sink.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Nodes that are told by name when the server does not let us watch them; the others are counted.
const NAMED_MAX: usize = 20;
/// Nodes of one subscription that are refused are asked for again so often.
const AGAIN: Duration = Duration::from_secs(5);
/// How often it is told that queues of the server run over.
const OVERFLOWS_TOLD: Duration = Duration::from_mins(1);

/// What a reader shares with the house.
pub(crate) struct House<S> {
    pub(crate) sink: S,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: EventSink,
    pub(crate) stats: Arc<OpcUaStats>,
}

pub(crate) struct Reader<S> {
    house: House<S>,
    options: OpcUaOptions,
    intake: Intake,
    wait: Duration,
    /// Monotonic time of the last connection.
    since: Duration,
    /// What the journal was told last: connected, lost, or nothing yet.
    told: Option<bool>,
    /// The certificate that was told last, so that it is not told with each attempt.
    told_certificate: Option<String>,
    /// Places of the items that the server refused, to be asked for again.
    again: Vec<usize>,
    /// Monotonic time at which it was last told that queues of the server run over.
    overflows_told: Option<Duration>,
    /// Messages whose samples are not durable yet.
    open: Open,
    book: TicketBook,
    /// How tickets ended.
    ends: mpsc::UnboundedReceiver<TicketEnd>,
    stopped: watch::Receiver<bool>,
}

/// Why the reader leaves its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Stopped,
    SinkClosed,
}

/// Why a line is given up.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    #[error("the line: {}", status::name(*.0))]
    Line(StatusCode),
    #[error("the server ended the subscription: {}", status::name(*.0))]
    Subscription(StatusCode),
    #[error("the server said nothing for {} ms", .0.as_millis())]
    Silent(Duration),
    #[error("message number {number} after {expected}: the server does not count")]
    Nonsense { number: u32, expected: u32 },
}

impl From<Error> for Lost {
    fn from(error: Error) -> Self {
        Self::Line(error.status())
    }
}

impl<S: Sink> Reader<S> {
    pub(crate) fn new(
        options: OpcUaOptions,
        intake: Intake,
        house: House<S>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let since = Duration::ZERO;
        let (tell, ends) = mpsc::unbounded_channel();
        // One that ends after its source is nobody's any more.
        let book = TicketBook::new(move |end| {
            if tell.send(end).is_err() {
                tracing::debug!("a message ended after its source");
            }
        });
        Self {
            house,
            options,
            intake,
            wait: RETRY.0,
            since,
            told: None,
            told_certificate: None,
            again: Vec::new(),
            overflows_told: None,
            open: Open::default(),
            book,
            ends,
            stopped,
        }
    }

    /// One line after the other, for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let lost = match self.line().await {
                ControlFlow::Break(_) => return self.house.stats.set_connected(false),
                ControlFlow::Continue(lost) => lost,
            };
            if self.house.stats.connected() && self.now().saturating_sub(self.since) >= HELD {
                self.wait = RETRY.0;
            }
            self.lost(&lost);
            let wait = self.wait;
            self.wait = (self.wait * 2).min(RETRY.1);
            if tokio::time::timeout(wait, self.stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return;
            }
        }
    }

    /// One line, from before its first step until it is given up, and why.
    async fn line(&mut self) -> ControlFlow<Leave, Lost> {
        let now = self.house.clock.now();
        let mut stopped = self.stopped.clone();
        let opened = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return ControlFlow::Break(Leave::Stopped),
            opened = link::open(&self.options, now) => opened,
        };
        let mut link = match opened {
            Ok(link) => link,
            Err(error) => return ControlFlow::Continue(error.into()),
        };
        let mut subscription = None;
        let ended = self.follow(&mut link, &mut subscription).await;
        match ended {
            // A line that is lost is hung up on: a goodbye would wait for an answer that does not come.
            ControlFlow::Continue(Lost::Line(_) | Lost::Silent(_)) => {}
            _ => link.goodbye(subscription).await,
        }
        ended
    }

    /// Makes a subscription with all items that the server has.
    async fn subscribe(&mut self, link: &Link) -> Result<Subscription, Lost> {
        self.resolve(link).await?;
        let made = subscription::create(link, &self.options.subscribe).await?;
        let all: Vec<usize> = (0..self.intake.items.len()).collect();
        self.watch(link, made.id, &all).await?;
        Ok(made)
    }

    /// Finds out where named namespaces are at this server.
    async fn resolve(&mut self, link: &Link) -> Result<(), Lost> {
        let named = self.intake.items.iter().any(|item| item.address.needs_namespaces());
        let namespaces = if named { link.namespaces().await? } else { opcua::types::NamespaceMap::new() };
        for item in &mut self.intake.items {
            item.node = item.address.on(&namespaces);
        }
        Ok(())
    }

    /// Asks for the items of these places, all that are not watched, and tells of those that are refused for another reason than before.
    async fn watch(&mut self, link: &Link, subscription: u32, places: &[usize]) -> Result<(), Lost> {
        let mut nodes = Vec::with_capacity(places.len());
        let mut answers = Vec::new();
        for place in places {
            let handle = u32::try_from(*place + 1).unwrap_or(0);
            match self.intake.items.get(*place).and_then(|item| item.node.clone()) {
                Some(node) => nodes.push((handle, node)),
                None => {
                    answers.push((handle, Answer::Refused("the server has no such namespace".to_owned())))
                }
            }
        }
        answers.extend(subscription::watch(link, subscription, &self.options.subscribe, &nodes).await?);
        let mut news = Vec::new();
        self.again.clear();
        for (handle, answer) in answers {
            let Some(item) = self.intake.items.get_mut((handle as usize).wrapping_sub(1)) else { continue };
            let before = item.refused.take();
            if let Answer::Refused(why) = answer {
                if before.as_ref() != Some(&why) {
                    news.push((item.address.to_string(), why.clone()));
                }
                item.refused = Some(why);
                self.again.push(handle as usize - 1);
            }
        }
        self.tell_refused(&news);
        Ok(())
    }

    fn tell_refused(&self, news: &[(String, String)]) {
        let endpoint = &self.options.endpoint;
        for (node, why) in news.iter().take(NAMED_MAX) {
            let node = geminus_ingest::refusal::excerpt(node.as_bytes());
            let message = format!("node `{node}` of {endpoint} cannot be watched: {why}");
            let facts = serde_json::json!({ "source": self.options.name, "node": node, "reason": why });
            self.tell(Event::new("node-refused", Severity::Error, message).facts(facts));
        }
        if let Some(more) = news.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            let message = format!("{more} more nodes of {endpoint} cannot be watched");
            let facts = serde_json::json!({ "source": self.options.name, "nodes": more });
            self.tell(Event::new("node-refused", Severity::Error, message).facts(facts));
        }
    }

    /// Tells that values were lost because queues of the server ran over, now and then.
    fn tell_overflows(&mut self) {
        let now = self.now();
        let lately = self.overflows_told.is_some_and(|told| now.saturating_sub(told) < OVERFLOWS_TOLD);
        if self.intake.overflows == 0 || lately {
            return;
        }
        let (values, queue) = (std::mem::take(&mut self.intake.overflows), self.options.subscribe.queue);
        self.overflows_told = Some(now);
        let endpoint = &self.options.endpoint;
        let message = format!(
            "values of OPC UA server {endpoint} are lost: its queues ran over {values} times; raise queue_size, which is {queue}"
        );
        let facts =
            serde_json::json!({ "source": self.options.name, "overflows": values, "queue_size": queue });
        self.tell(Event::new("samples-lost", Severity::Error, message).facts(facts));
    }

    fn connected(&mut self) {
        self.since = self.now();
        self.told_certificate = None;
        self.house.stats.add_connections(1);
        self.house.stats.set_connected(true);
        let endpoint = &self.options.endpoint;
        let event = match self.told.replace(true) {
            None => Some(("source-connected", format!("connected to OPC UA server {endpoint}"))),
            Some(false) => Some(("source-back", format!("OPC UA server {endpoint} is back"))),
            Some(true) => None,
        };
        if let Some((kind, message)) = event {
            self.tell(Event::new(kind, Severity::Info, message).facts(self.facts(None)));
        }
    }

    fn lost(&mut self, lost: &Lost) {
        self.house.stats.set_connected(false);
        let endpoint = &self.options.endpoint;
        tracing::debug!(endpoint, %lost, "the line is lost");
        // A certificate is for people to decide on, and its entry names it.
        let certificate = match lost {
            Lost::Link(LinkError::Changed { now, .. }) => Some(("certificate-changed", now)),
            Lost::Link(LinkError::Untrusted(now)) => Some(("certificate-untrusted", now)),
            _ => None,
        };
        let kind = match certificate {
            Some((_, now)) if self.told_certificate.as_ref() == Some(&now.thumbprint) => return,
            Some((kind, now)) => {
                self.told_certificate = Some(now.thumbprint.clone());
                kind
            }
            None if self.told == Some(false) => return,
            None => "source-lost",
        };
        // A source that was never there, and waits for a person, is not lost.
        if certificate.is_none() || self.told == Some(true) {
            self.told = Some(false);
        }
        let message = format!("OPC UA server {endpoint} cannot be reached: {lost}");
        self.tell(Event::new(kind, Severity::Error, message).facts(self.facts(Some(lost))));
    }

    fn facts(&self, lost: Option<&Lost>) -> serde_json::Value {
        let mut facts = serde_json::json!({ "source": self.options.name, "endpoint": self.options.endpoint });
        let Some(map) = facts.as_object_mut() else { return facts };
        if let Some(lost) = lost {
            map.insert("reason".to_owned(), lost.to_string().into());
        }
        match lost {
            Some(Lost::Link(LinkError::Changed { now, before })) => {
                map.insert("thumbprint".to_owned(), now.thumbprint.clone().into());
                map.insert("before".to_owned(), before.clone().into());
            }
            Some(Lost::Link(LinkError::Untrusted(now))) => {
                map.insert("thumbprint".to_owned(), now.thumbprint.clone().into());
            }
            _ => {}
        }
        facts
    }

    /// Delivers what there is of message `number`, and says whether it can be acknowledged at once because there is nothing.
    /// A sink that stays full does not keep a stopping reader for ever.
    async fn deliver(&mut self, number: u32) -> ControlFlow<Leave, bool> {
        if self.intake.samples.is_empty() {
            return ControlFlow::Continue(true);
        }
        let samples = std::mem::take(&mut self.intake.samples);
        self.house.stats.add_samples(samples.len() as u64);
        let ticket = Some(self.book.open(self.open.enter(number, samples.len())));
        let Self { house, stopped, .. } = self;
        let too_late = async {
            stop(stopped).await;
            drop(tokio::time::timeout(STOP_GRACE, std::future::pending::<()>()).await);
        };
        tokio::select! {
            biased;
            delivered = house.sink.deliver(Batch { samples, ticket }) => match delivered {
                Ok(()) => ControlFlow::Continue(false),
                Err(_) => ControlFlow::Break(Leave::SinkClosed),
            },
            () = too_late => ControlFlow::Break(Leave::Stopped),
        }
    }

    fn now(&self) -> Duration {
        self.house.clock.monotonic()
    }

    fn tell(&self, event: Event) {
        (self.house.events)(event);
    }
}

/// Comes when the reader is to stop. An error means that nobody is left who could stop it, which is a stop too.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    drop(stopped.wait_for(|stopped| *stopped).await);
}

#[cfg(test)]
mod tests;
