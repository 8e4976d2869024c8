//! The task that owns a connection: reads, decodes, delivers, hears commits, acknowledges, reconnects.
//!
//! Everything that changes runs in this one task. Tickets end on other threads and send their number here.

mod marker;

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use geminus_core::ticket::TicketEnd;
use geminus_core::{Event, Severity, TicketBook};
use tokio::sync::{mpsc, watch};

use super::backlog::{Backlog, SILENCE};
use super::backoff::Backoff;
use super::intake::Intake;
use super::ledger::Ledger;
use super::line::{Line, LineError, Step, Voice};
use super::loss::Loss;
use super::memo::Memo;
use super::{House, MqttOptions, QoS};
use crate::decode::{Arrival, Decoder};
use crate::refusal::QUIET;
use crate::{Sink, SinkClosed};

/// How long a stopping reader waits for a full sink, and again for the commits of what it delivered.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// A connection that held as long starts the waits over.
const HELD: Duration = Duration::from_secs(10);
/// Filters in one SUBSCRIBE.
const FILTERS_MAX: usize = 500;

pub(super) struct Reader<L: Line, S> {
    line: L,
    voice: L::Voice,
    house: House<S>,
    options: MqttOptions,
    broker: String,
    intake: Intake,
    ledger: Ledger,
    book: TicketBook,
    ends: mpsc::UnboundedReceiver<TicketEnd>,
    memo: Memo,
    backlog: Backlog,
    /// Filters of each SUBSCRIBE that was not answered yet.
    asked: std::collections::VecDeque<Vec<String>>,
    /// Whether every filter of those that were answered was taken.
    all_taken: bool,
    /// Whether the broker had our session, of a connection whose subscriptions do not stand yet.
    standing: Option<bool>,
    /// What could not be asked of the broker: such a connection is given up.
    unasked: Option<LineError>,
    backoff: Backoff,
    /// Monotonic time of the last connection.
    since: Duration,
    /// What the journal was told last: connected, lost, or nothing yet.
    told: Option<bool>,
    loss: Loss,
    redeliver: bool,
    /// Monotonic time of the last entry about a redelivery.
    redelivery_told: Option<Duration>,
    stopped: watch::Receiver<bool>,
}

/// Why the reader leaves its loop.
#[derive(Debug, PartialEq, Eq)]
enum Leave {
    Stopped,
    SinkClosed,
}

impl From<SinkClosed> for Leave {
    fn from(_: SinkClosed) -> Self {
        Self::SinkClosed
    }
}

impl<L: Line, S: Sink> Reader<L, S> {
    pub(super) fn new(
        line: L,
        mut options: MqttOptions,
        house: House<S>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        // Unbounded, but never longer than the batches under way, which the window bounds.
        let (tell, ends) = mpsc::unbounded_channel();
        let book = TicketBook::new(move |end| {
            if tell.send(end).is_err() {
                tracing::debug!(?end, "a ticket ended after its source");
            }
        });
        let broker = options.url.rsplit('@').next().unwrap_or_default().trim_start_matches("mqtts://");
        let broker = broker.trim_start_matches("mqtt://").to_owned();
        let qos = u8::from(options.qos == QoS::AtLeastOnce);
        // Kept once: a fleet's filters are many.
        let filters = std::mem::take(&mut options.filters);
        let at_most_once = std::mem::take(&mut options.at_most_once);
        let memo = Memo::open(options.memo.clone(), &options.client_id, &broker, qos, filters, at_most_once);
        let backlog = Backlog::new(&options.client_id);
        Self {
            voice: line.voice(),
            line,
            broker,
            intake: Intake::new(Decoder::new(options.limits), backlog.topic().to_owned()),
            ledger: Ledger::default(),
            book,
            ends,
            memo,
            backlog,
            asked: std::collections::VecDeque::new(),
            all_taken: true,
            standing: None,
            unasked: None,
            backoff: Backoff::new(house.clock.now().0),
            since: Duration::ZERO,
            told: None,
            loss: Loss::default(),
            redeliver: false,
            redelivery_told: None,
            house,
            options,
            stopped,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let (leave, lost) = match self.converse().await {
                ControlFlow::Break(leave) => (Some(leave), None),
                ControlFlow::Continue(lost) => (None, lost),
            };
            match leave {
                Some(Leave::Stopped) => return self.say_goodbye().await,
                Some(Leave::SinkClosed) => {
                    self.line.hang_up();
                    return self.set_connected(false);
                }
                None => {}
            }
            self.connection_ended(lost);
            let wait = self.backoff.wait();
            if tokio::time::timeout(wait, self.stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return;
            }
        }
    }

    /// One connection, from before CONNECT until it is lost (`Some`: why) or hung up for redelivery (`None`).
    async fn converse(&mut self) -> ControlFlow<Leave, Option<LineError>> {
        loop {
            let step = match self.next_step().await? {
                Some(Ok(step)) => step,
                Some(Err(lost)) => {
                    self.flush().await?;
                    return ControlFlow::Continue(Some(lost));
                }
                None => return ControlFlow::Continue(None),
            };
            let now = (self.house.clock.now(), self.house.clock.monotonic());
            let mut next = Some(step);
            while let Some(step) = next {
                self.handle(step, now);
                next = self.line.next_read();
            }
            if self.intake.is_full(now.1) {
                self.flush().await?;
            }
            if let Some(error) = self.unasked.take() {
                return ControlFlow::Continue(Some(error));
            }
            self.hear_ends();
            if self.redeliver {
                return ControlFlow::Continue(None);
            }
            // A flood always has a next step, so nothing else would ever hear of a stop.
            if *self.stopped.borrow() {
                self.flush().await?;
                return ControlFlow::Break(Leave::Stopped);
            }
        }
    }

    /// Waits for the next step. When nothing is there at once, what was read is delivered first; while
    /// waiting, commits are heard. `None`: the connection must be hung up.
    async fn next_step(&mut self) -> ControlFlow<Leave, Option<Result<Step, LineError>>> {
        let Self { line, voice, house, intake, ledger, book, ends, redeliver, backlog, stopped, .. } = self;
        let mut poll = pin!(line.poll());
        if let Some(step) = at_once(poll.as_mut()).await {
            return ControlFlow::Continue(Some(step));
        }
        deliver(intake, house, ledger, book, stopped).await?;
        loop {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => return ControlFlow::Break(Leave::Stopped),
                end = ends.recv() => {
                    let Some(end) = end else { continue };
                    *redeliver |= hear(end, house, ledger, voice);
                    if *redeliver {
                        return ControlFlow::Continue(None);
                    }
                }
                step = &mut poll => return ControlFlow::Continue(Some(step)),
                () = silence(), if backlog.is_open() && ledger.is_empty() => backlog.silent(),
            }
        }
    }

    fn handle(&mut self, step: Step, now: (geminus_core::Timestamp, Duration)) {
        match step {
            Step::Message { topic, payload, packet, retained } => {
                let (received, now) = now;
                let arrival = Arrival { received, kept: retained | self.backlog.is_open() };
                self.intake.take(&self.house, (&topic, &payload), packet, (arrival, now));
                if self.backlog.is_open() {
                    self.took_from_backlog(&topic, &payload, now);
                }
            }
            Step::Connected { session_present } => self.connected(session_present),
            Step::Subscribed(answers) => self.subscribed(&answers),
            // The marker is all that a reader publishes.
            Step::Declined(reason) => self.marker_refused(&reason),
            Step::Arrived | Step::Other => {}
        }
    }

    async fn flush(&mut self) -> ControlFlow<Leave> {
        let Self { intake, house, ledger, book, stopped, .. } = self;
        deliver(intake, house, ledger, book, stopped).await
    }

    fn hear_ends(&mut self) {
        while let Ok(end) = self.ends.try_recv() {
            self.redeliver |= hear(end, &self.house, &mut self.ledger, &self.voice);
        }
        // What the line could not take the last time.
        acknowledge(&self.house, &mut self.ledger, &self.voice);
    }

    fn connected(&mut self, session_present: bool) {
        self.since = self.house.clock.monotonic();
        self.house.stats.connections.fetch_add(1, Ordering::Relaxed);
        self.standing = Some(session_present);
        let marks = self.backlog.connected(session_present, self.intake.last_untimed(), self.since);
        let changes = self.memo.changes(session_present);
        if !changes.unsubscribe.is_empty() {
            self.log_if_failed(self.voice.unsubscribe(&changes.unsubscribe));
        }
        let at_least_once = self.options.qos == QoS::AtLeastOnce;
        let parts = [(changes.subscribe, at_least_once), (changes.at_most_once, false)];
        for (filters, at_least_once) in &parts {
            for filters in filters.chunks(FILTERS_MAX) {
                self.asked.push_back(filters.to_vec());
                if let Err(error) = self.voice.subscribe(filters, *at_least_once) {
                    self.unasked = Some(error);
                    return;
                }
            }
        }
        if self.asked.is_empty() {
            self.remember();
            self.stands();
        }
        if marks {
            self.ask_for_marker();
        }
    }

    /// The broker has answered every SUBSCRIBE, or none was needed: what is published from now on comes. Only now is
    /// the source called connected, because before that a message may pass it by.
    fn stands(&mut self) {
        let Some(session_present) = self.standing.take() else { return };
        self.set_connected(true);
        let broker = &self.broker;
        let event = match self.told {
            None => Some(("source-connected", format!("connected to broker {broker}"))),
            Some(false) => Some(("source-back", format!("broker {broker} is back"))),
            Some(true) => None,
        };
        if let Some((kind, message)) = event {
            let facts = serde_json::json!({ "broker": broker, "session_present": session_present });
            self.house.tell(Event::new(kind, Severity::Info, message).facts(facts));
        }
        self.told = Some(true);
        self.loss.over();
    }

    fn subscribed(&mut self, answers: &[Option<String>]) {
        let Some(filters) = self.asked.pop_front() else { return };
        if self.is_marker(&filters) {
            return self.marker_subscribed(answers);
        }
        let mut all_taken = true;
        for (filter, why) in filters.iter().zip(answers) {
            let Some(why) = why else { continue };
            all_taken = false;
            let message = format!("broker {} refused the subscription to `{filter}`", self.broker);
            let facts = serde_json::json!({ "broker": self.broker, "filter": filter, "reason": why });
            self.house.tell(Event::new("subscription-refused", Severity::Error, message).facts(facts));
        }
        self.all_taken &= all_taken;
        // The marker is asked for last.
        if self.asked.front().is_some_and(|filters| !self.is_marker(filters)) {
            return;
        }
        if std::mem::replace(&mut self.all_taken, true) {
            self.remember();
        }
        self.stands();
    }

    fn remember(&mut self) {
        if let Err(error) = self.memo.confirmed() {
            tracing::warn!(%error, "the list of subscriptions could not be written; the next start subscribes anew");
        }
    }

    fn connection_ended(&mut self, lost: Option<LineError>) {
        let now = self.house.clock.monotonic();
        if now.saturating_sub(self.since) >= HELD {
            self.backoff.reset();
        }
        self.line.hang_up();
        self.ledger.start_over();
        self.asked.clear();
        (self.all_taken, self.standing, self.unasked) = (true, None, None);
        self.set_connected(false);
        self.marker_lost(now);
        let broker = &self.broker;
        let quiet = self.redelivery_told.is_some_and(|told| now.saturating_sub(told) < QUIET);
        if std::mem::take(&mut self.redeliver) && !quiet {
            self.redelivery_told = Some(now);
            let message = format!("samples from {broker} could not be stored; asking for them again");
            self.house.tell(Event::new("source-redelivery", Severity::Warning, message));
        }
        let Some(lost) = lost else { return };
        tracing::debug!(%broker, %lost, "connection lost");
        self.told = Some(false);
        let reason = lost.to_string();
        if self.loss.is_news(&reason, now) {
            let message = format!("broker {broker} cannot be reached: {reason}");
            let client_id = &self.options.client_id;
            let facts = serde_json::json!({ "broker": broker, "client_id": client_id, "reason": reason });
            self.house.tell(Event::new("source-lost", Severity::Error, message).facts(facts));
        }
    }

    /// Acknowledges what commits within the grace, then disconnects. What is not acknowledged comes again at
    /// the next start.
    async fn say_goodbye(mut self) {
        if tokio::time::timeout(STOP_GRACE, self.settle()).await.is_err() {
            tracing::warn!(broker = %self.broker, "stopped before everything was committed; the broker keeps it");
        }
        self.line.hang_up();
        self.set_connected(false);
    }

    async fn settle(&mut self) {
        let mut parting = false;
        loop {
            self.hear_ends();
            if self.ledger.is_empty() && !parting {
                parting = true;
                self.log_if_failed(self.voice.disconnect());
            }
            let done = tokio::select! {
                end = self.ends.recv(), if !parting => {
                    end.is_some_and(|end| hear(end, &self.house, &mut self.ledger, &self.voice))
                }
                step = self.line.poll() => step.is_err(),
            };
            if done {
                return;
            }
        }
    }

    fn set_connected(&self, connected: bool) {
        self.house.stats.connected.store(connected, Ordering::Relaxed);
    }

    fn log_if_failed(&self, result: Result<(), LineError>) {
        if let Err(error) = result {
            tracing::warn!(broker = %self.broker, %error, "a request to the broker was not sent");
        }
    }
}

/// Delivers the batch under way. A sink that stays full does not keep a stopping reader for ever: what it did not
/// take in time is given up, and the broker keeps what was sent at QoS 1.
async fn deliver<S: Sink>(
    intake: &mut Intake,
    house: &House<S>,
    ledger: &mut Ledger,
    book: &TicketBook,
    stopped: &mut watch::Receiver<bool>,
) -> ControlFlow<Leave> {
    let too_late = async {
        // An error means that nobody is left who could stop it, which is a stop too.
        drop(stopped.wait_for(|stopped| *stopped).await);
        drop(tokio::time::timeout(STOP_GRACE, std::future::pending::<()>()).await);
    };
    tokio::select! {
        biased;
        delivered = intake.flush(house, ledger, book) => match delivered {
            Ok(()) => ControlFlow::Continue(()),
            Err(closed) => ControlFlow::Break(closed.into()),
        },
        () = too_late => ControlFlow::Break(Leave::Stopped),
    }
}

/// Acts on the end of a ticket; `true` asks for redelivery.
fn hear<S>(end: TicketEnd, house: &House<S>, ledger: &mut Ledger, voice: &impl Voice) -> bool {
    match end {
        TicketEnd::Voided(number) => {
            house.stats.voided.fetch_add(1, Ordering::Relaxed);
            ledger.is_current(number)
        }
        TicketEnd::Committed(number) => {
            if ledger.commit(number) {
                acknowledge(house, ledger, voice);
            }
            false
        }
    }
}

/// Acknowledges what may be. A line that is full for now (a broker that had more under way than the window allows)
/// gets the rest as soon as it has sent something.
fn acknowledge<S>(house: &House<S>, ledger: &mut Ledger, voice: &impl Voice) {
    while let Some(packet) = ledger.due() {
        if let Err(error) = voice.acknowledge(packet) {
            tracing::debug!(%error, "acknowledgements wait");
            return;
        }
        ledger.acknowledged();
        house.stats.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

async fn silence() {
    // Nothing but the time ends this.
    drop(tokio::time::timeout(SILENCE, std::future::pending::<()>()).await);
}

/// Polls once: the outcome if it is there already.
async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

#[cfg(test)]
mod tests;
