//! A line that stands: messages asked for, put in order, acknowledged; and a line that breaks and comes back.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use geminus_core::ticket::TicketEnd;
use geminus_core::{Event, Severity};
use geminus_ingest::Sink;
use opcua::client::UARequest as _;
use opcua::client::services::{Publish, Republish};
use opcua::types::{
    DataChangeNotification, Error, NotificationMessage, PublishResponse, StatusChangeNotification,
    StatusCode, SubscriptionAcknowledgement,
};

use super::open::Open;
use super::{AGAIN, Leave, Lost, Reader, stop};
use crate::link::{Link, Notice, SESSION, STEP_MAX};
use crate::sequence::{Place, Sequence};
use crate::status;
use crate::subscription::Subscription;

/// Requests that the server may answer at any time.
const PUBLISHES: usize = 3;
/// Silence for which a server is forgiven, beside twice the time between two signs of life.
const GRACE: Duration = Duration::from_secs(2);
/// How long a broken line may take to come back before everything is begun anew.
const BACK_MAX: Duration = Duration::from_secs(SESSION.as_secs() / 2);
/// Acknowledgements that are kept while there is no line.
const ACKS_MAX: usize = 10_000;

/// One request for a message, with what it acknowledged.
type Asked = Pin<Box<dyn Future<Output = (Vec<u32>, Result<PublishResponse, Error>)> + Send>>;

/// What is known of a subscription while it lasts.
struct Course {
    subscription: Subscription,
    sequence: Sequence,
    acks: Vec<u32>,
    asked: FuturesUnordered<Asked>,
    /// Whether acknowledgements went down with a line, so that the server keeps what it need not.
    untidy: bool,
    /// Requests that the server takes at a time.
    publishes: usize,
    /// Monotonic time of the last sign of life.
    heard: Duration,
    /// Monotonic time at which refused items are asked for again.
    again: Duration,
    /// When the line must be back, while it is broken.
    back_by: Option<Duration>,
    /// When the attempt under way must have come to something: the library has no deadline for a socket that says nothing.
    tried_by: Option<Duration>,
}

impl Course {
    fn new(subscription: Subscription, now: Duration) -> Self {
        Self {
            subscription,
            sequence: Sequence::new(),
            acks: Vec::new(),
            asked: FuturesUnordered::new(),
            untidy: false,
            publishes: PUBLISHES,
            heard: now,
            again: now + AGAIN,
            back_by: None,
            tried_by: None,
        }
    }

    fn silence_max(&self) -> Duration {
        self.subscription.keep_alive * 2 + GRACE
    }

    /// Asks for as many messages as may be under way.
    fn ask(&mut self, link: &Link) {
        while self.back_by.is_none() && self.asked.len() < self.publishes {
            let acks = std::mem::take(&mut self.acks);
            let (session, wait) = (link.session.clone(), self.silence_max() + STEP_MAX);
            let subscription_id = self.subscription.id;
            self.asked.push(Box::pin(async move {
                let said = acks
                    .iter()
                    .map(|number| SubscriptionAcknowledgement { subscription_id, sequence_number: *number });
                let request = Publish::new(&session).acks(said.collect()).timeout(wait);
                let answer = request.send(session.channel()).await;
                (acks, answer)
            }));
        }
    }

    fn broken(&mut self, now: Duration) {
        self.asked.clear();
        self.untidy = true;
        self.back_by.get_or_insert(now + BACK_MAX);
    }

    /// Acknowledges once more what the server still keeps and we have, and is not on its way to the disk.
    fn tidy(&mut self, kept: Option<&Vec<u32>>, open: &Open) {
        if std::mem::take(&mut self.untidy) {
            let (sequence, kept) = (self.sequence, kept.into_iter().flatten());
            let had = kept.copied();
            let had = had.filter(|number| sequence.place(*number) == Place::Before && !open.has(*number));
            self.acks.extend(had.take(ACKS_MAX));
        }
    }

    fn due(&self) -> Duration {
        match self.back_by {
            Some(back_by) => self.tried_by.map_or(back_by, |tried_by| tried_by.min(back_by)),
            None => self.heard + self.silence_max(),
        }
    }
}

/// What ended the wait.
enum Step {
    Stopped,
    Notice(Notice),
    Answer(Vec<u32>, Box<Result<PublishResponse, Error>>),
    Durable(TicketEnd),
    Due,
}

impl<S: Sink> Reader<S> {
    /// Follows a line until it is given up. `subscription` is the id of the one that stands.
    pub(super) async fn follow(
        &mut self,
        link: &mut Link,
        subscription: &mut Option<u32>,
    ) -> ControlFlow<Leave, Lost> {
        // Whatever the server is waited for, a stop ends it.
        let mut stopped = self.stopped.clone();
        let begun = tokio::select! {
            biased;
            () = stop(&mut stopped) => return ControlFlow::Break(Leave::Stopped),
            begun = self.begin(link, subscription) => begun,
        };
        let mut course = match begun {
            Ok(course) => course,
            Err(lost) => return ControlFlow::Continue(lost),
        };
        loop {
            let is_held = self.open.is_full();
            if !is_held {
                course.ask(link);
            }
            let went = match self.step(link, &mut course).await {
                Step::Stopped => return ControlFlow::Break(Leave::Stopped),
                Step::Notice(notice) => tokio::select! {
                    biased;
                    () = stop(&mut stopped) => return ControlFlow::Break(Leave::Stopped),
                    went = self.noticed(notice, link, &mut course, subscription) => went,
                },
                Step::Answer(acks, answer) => match self.answered(acks, *answer, link, &mut course).await {
                    ControlFlow::Continue(went) => went,
                    ControlFlow::Break(leave) => return ControlFlow::Break(leave),
                },
                Step::Durable(end) => {
                    self.durable(end, &mut course);
                    Ok(())
                }
                Step::Due => {
                    // A server that is asked for nothing has nothing to say.
                    if is_held && course.asked.is_empty() {
                        course.heard = self.now();
                    }
                    tokio::select! {
                        biased;
                        () = stop(&mut stopped) => return ControlFlow::Break(Leave::Stopped),
                        went = self.due(link, &mut course) => went,
                    }
                }
            };
            if is_held && !self.open.is_full() {
                course.heard = self.now();
            }
            if let Err(lost) = went {
                return ControlFlow::Continue(lost);
            }
        }
    }

    /// The samples of a message are durable, or were given up: then it is not acknowledged.
    fn durable(&mut self, end: TicketEnd, course: &mut Course) {
        let ends = std::iter::successors(Some(end), |_| self.ends.try_recv().ok());
        for end in ends {
            match self.open.ended(end) {
                Some(number) => course.acks.push(number),
                None => tracing::debug!(?end, "a message is not acknowledged"),
            }
        }
    }

    async fn begin(&mut self, link: &Link, subscription: &mut Option<u32>) -> Result<Course, Lost> {
        let made = self.subscribe(link).await?;
        *subscription = Some(made.id);
        self.open.start_over();
        self.connected();
        Ok(Course::new(made, self.now()))
    }

    async fn step(&mut self, link: &mut Link, course: &mut Course) -> Step {
        let now = self.now();
        let due = if self.again.is_empty() { course.due() } else { course.due().min(course.again) };
        let asked = &mut course.asked;
        let waiting = async {
            tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => Step::Stopped,
                notice = link.notices.recv() => {
                    Step::Notice(notice.unwrap_or(Notice::Ended(StatusCode::BadConnectionClosed)))
                }
                // The book is ours, so the channel is open.
                Some(end) = self.ends.recv() => Step::Durable(end),
                Some((acks, answer)) = asked.next(), if !asked.is_empty() => Step::Answer(acks, Box::new(answer)),
            }
        };
        tokio::time::timeout(due.saturating_sub(now), waiting).await.unwrap_or(Step::Due)
    }

    async fn noticed(
        &mut self,
        notice: Notice,
        link: &Link,
        course: &mut Course,
        subscription: &mut Option<u32>,
    ) -> Result<(), Lost> {
        let now = self.now();
        match notice {
            Notice::Lost(code) => {
                course.broken(now);
                self.lost(&Lost::Line(code));
            }
            Notice::Trying => course.tried_by = Some(now + STEP_MAX),
            Notice::Failed(code) => {
                // What the server thinks of us does not change by itself: its certificate, our user.
                if !status::says_nothing(code) {
                    return Err(Lost::Line(code));
                }
                course.tried_by = None;
            }
            Notice::Back { anew: false } => {
                (course.back_by, course.tried_by, course.heard) = (None, None, now);
                self.connected();
            }
            Notice::Back { anew: true } => *course = self.begin(link, subscription).await?,
            Notice::Ended(code) => return Err(Lost::Line(code)),
        }
        Ok(())
    }

    async fn answered(
        &mut self,
        mut acks: Vec<u32>,
        answer: Result<PublishResponse, Error>,
        link: &Link,
        course: &mut Course,
    ) -> ControlFlow<Leave, Result<(), Lost>> {
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                // Nobody knows whether they were heard; a number that is acknowledged twice does no harm.
                acks.truncate(ACKS_MAX.saturating_sub(course.acks.len()));
                course.acks.append(&mut acks);
                return ControlFlow::Continue(self.unanswered(&error, course));
            }
        };
        course.heard = self.now();
        if response.subscription_id != course.subscription.id {
            return ControlFlow::Continue(Ok(()));
        }
        course.tidy(response.available_sequence_numbers.as_ref(), &self.open);
        let went = self.heard(response.notification_message, link, course).await;
        // The wait for a full store is not the server's silence.
        course.heard = self.now();
        went
    }

    fn unanswered(&mut self, error: &Error, course: &mut Course) -> Result<(), Lost> {
        let code = error.status();
        match code {
            StatusCode::BadTooManyPublishRequests if course.publishes > 1 => {
                course.publishes -= 1;
                Ok(())
            }
            StatusCode::BadNoSubscription
            | StatusCode::BadSubscriptionIdInvalid
            | StatusCode::BadSessionIdInvalid
            | StatusCode::BadSessionClosed => Err(Lost::Subscription(code)),
            // The notice of it is on its way; if it is not, the line is given up.
            _ if status::says_nothing(code) => {
                let now = self.now();
                course.broken(now);
                course.tried_by.get_or_insert(now + STEP_MAX);
                Ok(())
            }
            _ => Err(Lost::Line(code)),
        }
    }

    /// One message in its place, after those that are missing before it.
    async fn heard(
        &mut self,
        message: NotificationMessage,
        link: &Link,
        course: &mut Course,
    ) -> ControlFlow<Leave, Result<(), Lost>> {
        let number = message.sequence_number;
        // A sign of life has the number of the next message, and is none.
        let empty = message.notification_data.as_ref().is_none_or(Vec::is_empty);
        match course.sequence.place(number) {
            Place::Next if empty => return ControlFlow::Continue(Ok(())),
            Place::Next => {}
            Place::Before => return ControlFlow::Continue(Ok(())),
            Place::Nonsense if empty => return ControlFlow::Continue(Ok(())),
            Place::Nonsense => {
                let expected = course.sequence.next();
                return ControlFlow::Continue(Err(Lost::Nonsense { number, expected }));
            }
            Place::Gap(missing) => {
                if let Err(lost) = self.fetch(missing, link, course).await? {
                    return ControlFlow::Continue(Err(lost));
                }
                if empty {
                    return ControlFlow::Continue(Ok(()));
                }
            }
        }
        self.take(message, course).await
    }

    /// Asks again for the messages that are missing before the next one that is there.
    async fn fetch(
        &mut self,
        missing: u32,
        link: &Link,
        course: &mut Course,
    ) -> ControlFlow<Leave, Result<(), Lost>> {
        let mut gone = 0;
        let mut stopped = self.stopped.clone();
        for _ in 0..missing {
            while self.open.is_full() {
                let end = tokio::select! {
                    biased;
                    () = stop(&mut stopped) => return ControlFlow::Break(Leave::Stopped),
                    end = self.ends.recv() => end,
                };
                end.into_iter().for_each(|end| self.durable(end, course));
            }
            let number = course.sequence.next();
            let request = Republish::new(course.subscription.id, number, &link.session);
            let answer = tokio::select! {
                biased;
                () = stop(&mut stopped) => return ControlFlow::Break(Leave::Stopped),
                answer = link.ask(request) => answer,
            };
            match answer {
                Ok(response) if response.notification_message.sequence_number == number => {
                    self.house.stats.add_asked_again(1);
                    if let Err(lost) = self.take(response.notification_message, course).await? {
                        return ControlFlow::Continue(Err(lost));
                    }
                }
                Err(error) if status::says_nothing(error.status()) => {
                    return ControlFlow::Continue(Err(error.into()));
                }
                // It says that it has it no more, or it has lied.
                Ok(_) | Err(_) => {
                    gone += 1;
                    course.sequence.step();
                }
            }
        }
        if gone > 0 {
            self.house.stats.add_lost(gone);
            let endpoint = &self.options.endpoint;
            let message =
                format!("{gone} messages of OPC UA server {endpoint} are lost: it has them no more");
            let facts = serde_json::json!({ "source": self.options.name, "messages": gone });
            self.tell(Event::new("samples-lost", Severity::Error, message).facts(facts));
        }
        ControlFlow::Continue(Ok(()))
    }

    /// Takes the message that is next and hands its samples on; it is acknowledged when they are durable.
    async fn take(
        &mut self,
        message: NotificationMessage,
        course: &mut Course,
    ) -> ControlFlow<Leave, Result<(), Lost>> {
        let number = message.sequence_number;
        let (received, now) = (self.house.clock.now(), self.now());
        let mut ended = None;
        for part in message.notification_data.into_iter().flatten() {
            if let Some(changes) = part.inner_as::<DataChangeNotification>() {
                for change in changes.monitored_items.iter().flatten() {
                    let place = (change.client_handle as usize).wrapping_sub(1);
                    let told = self.intake.take(place, &change.value, received, now, &self.house.stats);
                    told.into_iter().for_each(|event| (self.house.events)(event));
                }
            } else if let Some(change) = part.inner_as::<StatusChangeNotification>() {
                ended = Some(change.status).filter(|code| code.is_bad());
            }
        }
        self.house.stats.add_messages(1);
        self.tell_overflows();
        let has_nothing = self.deliver(number).await?;
        course.sequence.step();
        if has_nothing {
            course.acks.push(number);
        }
        ControlFlow::Continue(ended.map_or(Ok(()), |code| Err(Lost::Subscription(code))))
    }

    /// A deadline has come: of the line, of the server's next word, or of items that are asked for again.
    async fn due(&mut self, link: &Link, course: &mut Course) -> Result<(), Lost> {
        let now = self.now();
        if course.due() <= now {
            return Err(match course.back_by {
                Some(_) => Lost::Line(StatusCode::BadTimeout),
                None => Lost::Silent(course.silence_max()),
            });
        }
        if course.again <= now && course.back_by.is_none() {
            course.again = now + AGAIN;
            let places = std::mem::take(&mut self.again);
            return self.watch(link, course.subscription.id, &places).await;
        }
        Ok(())
    }
}
