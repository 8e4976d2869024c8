//! The task that owns the connection of a publication: is born, says what changed when its time has come, is born again
//! when it was away or is asked to, and says goodbye.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Clock, Event, Severity};
use geminus_ingest::mqtt::line::{Line, LineError, Message, Step, Voice, Will};
use geminus_ingest::mqtt::{Backoff, Loss};
use tokio::sync::watch;

use crate::EventSink;
use crate::catalogue::Catalogue;
use crate::layer::Speaker;
use crate::outgoing::{Outgoing, Work};
use crate::outlet::Outlet;
use crate::publication::Options;
use due::Due;

mod due;
mod goodbye;

#[cfg(test)]
mod tests;

/// Messages that the broker has not confirmed, at most: fewer than the client takes at once, so that none waits in it.
const WINDOW: usize = 12;
/// A connection that held as long starts the waits over.
const HELD: Duration = Duration::from_secs(10);
/// After a round of births, before one that is asked for.
const REBIRTH_EVERY: Duration = Duration::from_secs(1);
/// How long a client that is full is left alone, if it says nothing.
const FULL_WAIT: Duration = Duration::from_millis(50);
/// When nothing is due.
const LONG: Duration = Duration::from_hours(1);
/// Between two entries about messages that the broker will not have.
const QUIET: Duration = Duration::from_secs(60);

/// What a session shares with the house.
pub(crate) struct House {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: EventSink,
}

pub(crate) struct Session {
    house: House,
    name: String,
    broker: String,
    client_id: String,
    speaker: Speaker,
    catalogue: Catalogue,
    outlet: Arc<Outlet>,
    /// What is said before everything else, in this order; none of it is ever dropped.
    births: VecDeque<Work>,
    due: Due,
    fresh: Vec<u32>,
    /// Whether we may speak.
    standing: bool,
    /// Messages that the broker has not confirmed.
    under_way: usize,
    /// Whether the client took no more when it was last asked to.
    full: bool,
    /// When the last birth had left.
    born: Duration,
    /// Whether somebody has asked for births since they were begun last.
    asked: bool,
    backoff: Backoff,
    since: Duration,
    told: Option<bool>,
    loss: Loss,
    declined_told: Option<Duration>,
    stopped: watch::Receiver<bool>,
}

/// What becomes of something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The client has it.
    Left,
    /// The client takes no more now.
    Stays,
    /// Nobody knows how it stands.
    Nothing,
}

impl Session {
    pub(crate) fn new(
        options: &Options,
        broker: String,
        catalogue: Catalogue,
        outlet: Arc<Outlet>,
        house: House,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            backoff: Backoff::new(house.clock.now().0),
            house,
            name: options.name.clone(),
            broker,
            client_id: options.client_id.clone(),
            speaker: Speaker::new(&options.layer),
            due: Due::new(catalogue.len(), options.interval),
            catalogue,
            outlet,
            births: VecDeque::new(),
            fresh: Vec::new(),
            standing: false,
            under_way: 0,
            full: false,
            born: Duration::ZERO,
            asked: false,
            since: Duration::ZERO,
            told: None,
            loss: Loss::default(),
            declined_told: None,
            stopped,
        }
    }

    /// Connects for ever, each time with a line of `connect` and a will of its own.
    pub(crate) async fn run<L: Line>(mut self, connect: impl Fn(Will) -> L) {
        loop {
            let will = self.speaker.begin(self.house.clock.now());
            let mut line = connect(will);
            match self.converse(&mut line).await {
                ControlFlow::Break(()) => return self.say_goodbye(line).await,
                ControlFlow::Continue(lost) => {
                    line.hang_up();
                    self.connection_ended(&lost);
                }
            }
            let wait = self.backoff.wait();
            if tokio::time::timeout(wait, self.stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return;
            }
        }
    }

    /// One connection, from before CONNECT until it is lost, and why; or until we are told to stop.
    async fn converse<L: Line>(&mut self, line: &mut L) -> ControlFlow<(), LineError> {
        let voice = line.voice();
        loop {
            let mut next = match self.next_step(line, &voice).await? {
                Ok(step) => Some(step),
                Err(lost) => return ControlFlow::Continue(lost),
            };
            self.full = false;
            while let Some(step) = next {
                if let Err(lost) = self.handle(step, &voice) {
                    return ControlFlow::Continue(lost);
                }
                next = line.next_read();
            }
        }
    }

    /// Waits for the next step, and says what there is to say meanwhile.
    async fn next_step<L: Line>(
        &mut self,
        line: &mut L,
        voice: &L::Voice,
    ) -> ControlFlow<(), Result<Step, LineError>> {
        let outlet = Arc::clone(&self.outlet);
        let mut poll = pin!(line.poll());
        loop {
            self.speak(voice);
            let wait = self.wait();
            tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return ControlFlow::Break(()),
                step = tokio::time::timeout(wait, poll.as_mut()) => match step {
                    Ok(step) => return ControlFlow::Continue(step),
                    Err(_) => self.full = false,
                },
                () = outlet.news.notified(), if self.standing => {}
            }
        }
    }

    fn wait(&self) -> Duration {
        if !self.standing {
            return LONG;
        }
        if self.full {
            return FULL_WAIT;
        }
        let now = self.house.clock.monotonic();
        // What waits for the window is woken by the broker's word.
        let blocked = self.under_way >= WINDOW;
        let due = self.due.next().filter(|_| !blocked && self.births.is_empty());
        let next = due.into_iter().chain(self.rebirth_at()).min();
        next.map_or(LONG, |at| at.saturating_sub(now))
    }

    fn handle(&mut self, step: Step, voice: &impl Voice) -> Result<(), LineError> {
        match step {
            Step::Connected { .. } => {
                self.since = self.house.clock.monotonic();
                match self.speaker.filters() {
                    filters if filters.is_empty() => self.stands(),
                    filters => voice.subscribe(&filters, true)?,
                }
            }
            Step::Subscribed(answers) => {
                for why in answers.into_iter().flatten() {
                    let message = format!(
                        "broker {} refused that {} hears requests for a rebirth",
                        self.broker, self.name
                    );
                    let facts = serde_json::json!({ "broker": self.broker, "reason": why });
                    self.tell(Event::new("subscription-refused", Severity::Error, message).facts(facts));
                }
                self.stands();
            }
            Step::Message { topic, payload, .. } => {
                self.asked |= self.speaker.asks_for_births(&topic, &payload);
            }
            Step::Arrived => self.under_way = self.under_way.saturating_sub(1),
            Step::Declined(why) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.declined(&why);
            }
            Step::Other => {}
        }
        Ok(())
    }

    /// From now on we may speak, and say everything.
    fn stands(&mut self) {
        if self.standing {
            return;
        }
        self.standing = true;
        self.be_born();
        self.loss.over();
        let (name, broker) = (&self.name, &self.broker);
        let event = match self.told.replace(true) {
            None => Some(("publish-connected", format!("{name} publishes to broker {broker}"))),
            Some(false) => Some(("publish-back", format!("{name} publishes to broker {broker} again"))),
            Some(true) => None,
        };
        if let Some((kind, message)) = event {
            let facts = serde_json::json!({ "publish": name, "broker": broker });
            self.tell(Event::new(kind, Severity::Info, message).facts(facts));
        }
    }

    fn be_born(&mut self) {
        self.born = self.house.clock.monotonic();
        self.asked = false;
        // Births say how everything stands when they leave.
        self.outlet.take_fresh(&mut self.fresh);
        self.fresh.clear();
        self.due.clear();
        self.births = self.speaker.births(&self.catalogue).into();
    }

    /// When births are begun again because somebody has asked. Those that are leaving leave first, and what has changed
    /// has its turn after them: whoever asks all the time must not keep everybody from hearing anything but first births.
    fn rebirth_at(&self) -> Option<Duration> {
        (self.asked && self.births.is_empty()).then(|| self.born + REBIRTH_EVERY)
    }

    /// Hands over what may leave now.
    fn speak(&mut self, voice: &impl Voice) {
        if !self.standing {
            return;
        }
        let now = self.house.clock.monotonic();
        if self.rebirth_at().is_some_and(|at| at <= now) {
            self.be_born();
        }
        self.outlet.take_fresh(&mut self.fresh);
        for item in self.fresh.drain(..) {
            self.due.changed(item, now);
        }
        while !self.full && self.under_way < WINDOW {
            let (work, is_birth) = match self.births.front() {
                Some(work) => (work.clone(), true),
                None => match self.take_due(now) {
                    Some(items) => (Work::Items(items), false),
                    None => return,
                },
            };
            let fate = self.say(&work, voice);
            if is_birth && fate != Fate::Stays {
                self.births.pop_front();
                self.born = now;
            }
            match fate {
                Fate::Left => self.items_of(&work).for_each(|item| self.due.said(item, now)),
                // A birth waits where it is.
                Fate::Stays if !is_birth => {
                    self.items_of(&work).for_each(|item| self.due.changed(item, now));
                }
                Fate::Stays | Fate::Nothing => {}
            }
        }
    }

    /// What has been due for longest, with what travels with it.
    fn take_due(&mut self, now: Duration) -> Option<Vec<u32>> {
        let Self { due, catalogue, speaker, .. } = self;
        due.take(now, |item| {
            let twin = catalogue.twin_of(item).and_then(|twin| catalogue.twins().get(twin));
            match twin.filter(|_| speaker.groups()) {
                Some(twin) => twin.items(),
                None => item..item + 1,
            }
        })
    }

    fn items_of(&self, work: &Work) -> std::vec::IntoIter<u32> {
        let items = match work {
            Work::Here => Vec::new(),
            Work::Twin(twin) => {
                self.catalogue.twins().get(*twin).map(|twin| twin.items().collect()).unwrap_or_default()
            }
            Work::Items(items) => items.clone(),
        };
        items.into_iter()
    }

    fn say(&mut self, work: &Work, voice: &impl Voice) -> Fate {
        let now = self.house.clock.now();
        let Some(outgoing) = self.speaker.message(work, &self.catalogue, &self.outlet, now) else {
            return Fate::Nothing;
        };
        match voice.publish(&message(&outgoing)) {
            Ok(()) => {
                self.speaker.said(work);
                self.under_way += usize::from(outgoing.at_least_once);
                Fate::Left
            }
            Err(error) => {
                tracing::debug!(broker = %self.broker, %error, "what is published waits");
                self.full = true;
                Fate::Stays
            }
        }
    }

    fn declined(&mut self, why: &str) {
        let now = self.house.clock.monotonic();
        if self.declined_told.is_some_and(|told| now.saturating_sub(told) < QUIET) {
            return;
        }
        self.declined_told = Some(now);
        let (name, broker) = (&self.name, &self.broker);
        let message = format!("broker {broker} will not have what {name} publishes: {why}");
        let facts = serde_json::json!({ "publish": name, "broker": broker, "reason": why });
        self.tell(Event::new("publish-refused", Severity::Error, message).facts(facts));
    }

    fn connection_ended(&mut self, lost: &LineError) {
        let now = self.house.clock.monotonic();
        if now.saturating_sub(self.since) >= HELD {
            self.backoff.reset();
        }
        (self.standing, self.under_way, self.full) = (false, 0, false);
        self.births.clear();
        self.asked = false;
        let (name, broker, reason) = (&self.name, &self.broker, lost.to_string());
        self.told = Some(false);
        if self.loss.is_news(&reason, now) {
            let message = format!("{name} cannot publish to broker {broker}: {reason}");
            let client_id = &self.client_id;
            let facts = serde_json::json!({
                "publish": name, "broker": broker, "client_id": client_id, "reason": reason,
            });
            self.tell(Event::new("publish-lost", Severity::Error, message).facts(facts));
        }
    }

    fn tell(&self, event: Event) {
        (self.house.events)(event);
    }
}

fn message(outgoing: &Outgoing) -> Message<'_> {
    let Outgoing { topic, payload, at_least_once, retained } = outgoing;
    Message { topic, payload: payload.clone(), at_least_once: *at_least_once, retained: *retained }
}
