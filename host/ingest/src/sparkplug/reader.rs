//! The task that owns the connection of a host application: subscribes, announces, hands messages on in order, keeps the
//! deadlines, reconnects.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use geminus_core::{Batch, Clock, Event, Severity};
use geminus_sparkplug::{Ear, Host, Moment, Refusal, State, host, state};
use tokio::sync::watch;

use super::intake::Intake;
use super::{MetricPoint, SparkplugOptions};
use crate::mqtt::line::{Line, LineError, Message, Step, Voice, Will};
use crate::mqtt::{Backoff, Loss, MqttStats};
use crate::{EventSink, Sink};

/// How long a stopping reader waits for a full sink, and for the broker to take its last STATE.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// A connection that held as long starts the waits over.
const HELD: Duration = Duration::from_secs(10);
/// Filters in one SUBSCRIBE.
const FILTERS_MAX: usize = 500;
/// Samples in a batch, give or take those of one message.
const BATCH_SAMPLES_MAX: usize = 4_096;
/// When nothing is due.
const LONG: Duration = Duration::from_hours(1);

/// What a reader shares with the house.
pub(super) struct House<S> {
    pub(super) sink: S,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: EventSink,
    pub(super) stats: Arc<MqttStats>,
}

pub(super) struct Reader<S> {
    house: House<S>,
    host: Host,
    intake: Intake,
    options: SparkplugOptions,
    broker: String,
    state_topic: String,
    filters: Vec<String>,
    /// Time of the will and of the birth of this connection.
    stamp: u64,
    /// Filters of each SUBSCRIBE that was not answered yet.
    asked: VecDeque<Vec<String>>,
    /// Whether the subscriptions stand and our STATE is out.
    standing: bool,
    /// STATE messages that the broker has not confirmed.
    unconfirmed: u32,
    backoff: Backoff,
    /// Monotonic time of the last connection.
    since: Duration,
    /// What the journal was told last: connected, lost, or nothing yet.
    told: Option<bool>,
    loss: Loss,
    stopped: watch::Receiver<bool>,
}

/// Why the reader leaves its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Stopped,
    SinkClosed,
}

impl<S: Sink> Reader<S> {
    pub(super) fn new(
        options: SparkplugOptions,
        broker: String,
        points: Vec<MetricPoint>,
        house: House<S>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        let events = Arc::clone(&house.events);
        let (intake, wanted) = Intake::new(points, options.limits, events, Arc::clone(&house.stats));
        let host = Host::new(&options.host_id, &wanted);
        let state_topic = state::topic(&options.host_id);
        let nodes = host.nodes().map(|node| node.filter());
        let filters = std::iter::once(state_topic.clone()).chain(nodes).collect();
        Self {
            backoff: Backoff::new(house.clock.now().0),
            house,
            host,
            intake,
            broker,
            state_topic,
            filters,
            stamp: 0,
            asked: VecDeque::new(),
            standing: false,
            unconfirmed: 0,
            since: Duration::ZERO,
            told: None,
            loss: Loss::default(),
            options,
            stopped,
        }
    }

    /// Edge nodes that are listened to.
    pub(super) fn nodes(&self) -> usize {
        self.host.nodes().count()
    }

    /// Connects for ever, each time with a line of `connect` and a will of its own time.
    pub(super) async fn run<L: Line>(mut self, connect: impl Fn(Will) -> L) {
        loop {
            // Later than the last one even if the clock was set back: edge nodes go by it.
            self.stamp = self.house.clock.now().millis().max(self.stamp + 1);
            let will = State { online: false, timestamp: self.stamp };
            let mut line = connect(Will {
                topic: self.state_topic.clone(),
                payload: will.to_json().into_bytes(),
                retained: true,
            });
            let lost = match self.converse(&mut line).await {
                ControlFlow::Break(Leave::Stopped) => return self.say_goodbye(line).await,
                ControlFlow::Break(Leave::SinkClosed) => {
                    line.hang_up();
                    return self.set_connected(false);
                }
                ControlFlow::Continue(lost) => lost,
            };
            line.hang_up();
            if self.connection_ended(&lost).await.is_break() {
                return;
            }
            let wait = self.backoff.wait();
            if tokio::time::timeout(wait, self.stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return;
            }
        }
    }

    /// One connection, from before CONNECT until it is lost, and why.
    async fn converse<L: Line>(&mut self, line: &mut L) -> ControlFlow<Leave, LineError> {
        let voice = line.voice();
        loop {
            let mut next = match self.next_step(line, &voice).await? {
                Ok(step) => Some(step),
                Err(lost) => return ControlFlow::Continue(lost),
            };
            while let Some(step) = next {
                if let Err(lost) = self.handle(step, &voice) {
                    return ControlFlow::Continue(lost);
                }
                if self.intake.samples.len() >= BATCH_SAMPLES_MAX {
                    self.deliver().await?;
                }
                next = line.next_read();
            }
            self.speak(&voice);
            self.deliver().await?;
        }
    }

    /// Waits for the next step, and acts on every deadline meanwhile.
    async fn next_step<L: Line>(
        &mut self,
        line: &mut L,
        voice: &L::Voice,
    ) -> ControlFlow<Leave, Result<Step, LineError>> {
        let mut poll = pin!(line.poll());
        loop {
            let now = self.house.clock.monotonic();
            let wait = self.host.due().map_or(LONG, |due| due.saturating_sub(now));
            tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return ControlFlow::Break(Leave::Stopped),
                step = tokio::time::timeout(wait, poll.as_mut()) => {
                    if let Ok(step) = step {
                        return ControlFlow::Continue(step);
                    }
                }
            }
            let moment = self.moment();
            self.host.tick(moment, &mut self.intake);
            self.speak(voice);
            self.deliver().await?;
        }
    }

    fn handle(&mut self, step: Step, voice: &impl Voice) -> Result<(), LineError> {
        match step {
            Step::Message { topic, payload, retained, .. } => {
                let moment = self.moment();
                self.house.stats.messages.fetch_add(1, Ordering::Relaxed);
                self.house.stats.payload_bytes.fetch_add(payload.len() as u64, Ordering::Relaxed);
                if retained && topic != self.state_topic.as_bytes() {
                    self.intake.refused(&topic, &payload, Refusal::Retained, 1);
                } else if !self.intake.too_large(&topic, &payload) {
                    self.host.take(&topic, &payload, moment, &mut self.intake);
                }
                Ok(())
            }
            Step::Connected { .. } => self.connected(voice),
            Step::Subscribed(answers) => self.subscribed(&answers, voice),
            Step::Arrived | Step::Declined(_) => {
                self.unconfirmed = self.unconfirmed.saturating_sub(1);
                Ok(())
            }
            Step::Other => Ok(()),
        }
    }

    fn connected(&mut self, voice: &impl Voice) -> Result<(), LineError> {
        self.since = self.house.clock.monotonic();
        self.house.stats.connections.fetch_add(1, Ordering::Relaxed);
        for filters in self.filters.chunks(FILTERS_MAX) {
            self.asked.push_back(filters.to_vec());
            voice.subscribe(filters, true)?;
        }
        Ok(())
    }

    fn subscribed(&mut self, answers: &[Option<String>], voice: &impl Voice) -> Result<(), LineError> {
        let Some(filters) = self.asked.pop_front() else { return Ok(()) };
        for (filter, why) in filters.iter().zip(answers) {
            let Some(why) = why else { continue };
            let message = format!("broker {} refused the subscription to `{filter}`", self.broker);
            let facts = serde_json::json!({ "broker": self.broker, "filter": filter, "reason": why });
            (self.house.events)(Event::new("subscription-refused", Severity::Error, message).facts(facts));
        }
        if !self.asked.is_empty() {
            return Ok(());
        }
        // Only now may edge nodes hear that we are there, because from now on we hear them.
        self.publish_state(voice, State { online: true, timestamp: self.stamp })?;
        self.standing = true;
        self.host.connected(self.house.clock.monotonic());
        self.set_connected(true);
        self.loss.over();
        let broker = &self.broker;
        let event = match self.told.replace(true) {
            None => Some(("source-connected", format!("connected to broker {broker}"))),
            Some(false) => Some(("source-back", format!("broker {broker} is back"))),
            Some(true) => None,
        };
        if let Some((kind, message)) = event {
            let facts = serde_json::json!({ "broker": broker, "host_id": self.options.host_id });
            (self.house.events)(Event::new(kind, Severity::Info, message).facts(facts));
        }
        Ok(())
    }

    fn publish_state(&mut self, voice: &impl Voice, state: State) -> Result<(), LineError> {
        let payload = state.to_json().into_bytes();
        let topic = &self.state_topic;
        voice.publish(&Message { topic, payload, at_least_once: true, retained: true })?;
        self.unconfirmed += 1;
        Ok(())
    }

    /// Sends what the host application wants said. A request that has no room is asked for again by what comes next.
    fn speak(&mut self, voice: &impl Voice) {
        if std::mem::take(&mut self.intake.announce) && self.standing {
            let state = State { online: true, timestamp: self.stamp };
            let said = self.publish_state(voice, state);
            self.log_if_failed(said);
        }
        let now = self.house.clock.now();
        for node in std::mem::take(&mut self.intake.rebirths) {
            tracing::debug!(%node, "asking for a rebirth");
            let (topic, payload) = (node.command_topic(), host::rebirth(now));
            let message = Message { topic: &topic, payload, at_least_once: false, retained: false };
            self.log_if_failed(voice.publish(&message));
        }
    }

    fn moment(&mut self) -> Moment {
        let monotonic = self.house.clock.monotonic();
        self.intake.now = monotonic;
        Moment { received: self.house.clock.now(), monotonic }
    }

    /// Delivers what there is. A sink that stays full does not keep a stopping reader for ever.
    async fn deliver(&mut self) -> ControlFlow<Leave> {
        if self.intake.samples.is_empty() {
            return ControlFlow::Continue(());
        }
        let samples = std::mem::take(&mut self.intake.samples);
        self.house.stats.samples.fetch_add(samples.len() as u64, Ordering::Relaxed);
        self.house.stats.batches.fetch_add(1, Ordering::Relaxed);
        let Self { house, stopped, .. } = self;
        let too_late = async {
            // An error means that nobody is left who could stop it, which is a stop too.
            drop(stopped.wait_for(|stopped| *stopped).await);
            drop(tokio::time::timeout(STOP_GRACE, std::future::pending::<()>()).await);
        };
        tokio::select! {
            biased;
            delivered = house.sink.deliver(Batch { samples, ticket: None }) => match delivered {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(Leave::SinkClosed),
            },
            () = too_late => ControlFlow::Break(Leave::Stopped),
        }
    }

    /// Without a broker nothing is known of any edge node.
    async fn connection_ended(&mut self, lost: &LineError) -> ControlFlow<Leave> {
        let moment = self.moment();
        if moment.monotonic.saturating_sub(self.since) >= HELD {
            self.backoff.reset();
        }
        self.host.disconnected(moment, &mut self.intake);
        self.asked.clear();
        (self.standing, self.unconfirmed) = (false, 0);
        (self.intake.announce, self.intake.rebirths) = (false, Vec::new());
        self.set_connected(false);
        tracing::debug!(broker = %self.broker, %lost, "connection lost");
        self.told = Some(false);
        let reason = lost.to_string();
        if self.loss.is_news(&reason, moment.monotonic) {
            let (broker, client_id) = (&self.broker, &self.options.client_id);
            let message = format!("broker {broker} cannot be reached: {reason}");
            let facts = serde_json::json!({ "broker": broker, "client_id": client_id, "reason": reason });
            (self.house.events)(Event::new("source-lost", Severity::Error, message).facts(facts));
        }
        self.deliver().await
    }

    /// Says that we go, waits until the broker has it, and disconnects. If that fails, the will says it.
    async fn say_goodbye<L: Line>(mut self, mut line: L) {
        if self.standing {
            let timestamp = self.house.clock.now().millis().max(self.stamp);
            let said = self.publish_state(&line.voice(), State { online: false, timestamp });
            self.log_if_failed(said);
            let parting = self.part(&mut line);
            if tokio::time::timeout(STOP_GRACE, parting).await.is_err() {
                tracing::warn!(broker = %self.broker, "stopped before the broker had taken the last STATE");
            }
        }
        line.hang_up();
        self.set_connected(false);
    }

    async fn part<L: Line>(&mut self, line: &mut L) {
        let mut parting = false;
        loop {
            if self.unconfirmed == 0 && !parting {
                parting = true;
                self.log_if_failed(line.voice().disconnect());
            }
            match line.poll().await {
                Ok(Step::Arrived | Step::Declined(_)) => {
                    self.unconfirmed = self.unconfirmed.saturating_sub(1)
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn set_connected(&self, connected: bool) {
        self.house.stats.connected.store(connected, Ordering::Relaxed);
    }

    fn log_if_failed(&self, result: Result<(), LineError>) {
        if let Err(error) = result {
            tracing::warn!(broker = %self.broker, %error, "a message to the broker was not sent");
        }
    }
}
