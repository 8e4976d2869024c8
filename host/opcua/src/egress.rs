//! Orders to one server, on a session of their own.
//!
//! Each order leaves on the line that stands at that moment, before it expires and within a second of being handed over, or not at all:
//! whoever locks the target out, or commands it anew, has no older order behind him. It is sent once, and gets one answer. What
//! destinations take is looked up when the line comes up, so that orders need not wait for it. A line that breaks is thrown away with
//! whatever was under way on it: nobody knows what became of that. A server that does not answer an order in time is hung up on,
//! so that nothing waits in the library to leave later. Signs of life go the same way, beside the orders; [`Pulses`] says when one is
//! written and whether it has left.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use geminus_core::{Clock, Timestamp};
use geminus_dispatch::{Answer, BEAT_MAX, Beat, Egress, Order, Pulses, Reply};
use opcua::client::Session;
use opcua::types::{Error, NamespaceMap, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::link::{self, Link, Notice};
use crate::order::{self, Destination, Place};
use crate::{OpcUaError, OpcUaOptions, status};

/// Orders under way at most.
const WINDOW: usize = 16;
/// Destinations whose type is remembered.
const PLACES_MAX: usize = 10_000;
/// How long after it was handed over an order may leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);
/// Why nothing leaves while the server is away.
const NO_LINE: &str = "there is no connection to the server";
/// How long after a lost line the next one is tried, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// A line that stands.
#[derive(Clone)]
struct Line {
    session: Arc<Session>,
    namespaces: Arc<NamespaceMap>,
    /// Places for orders under way.
    window: Arc<Semaphore>,
    /// What was looked up on this line.
    places: Arc<Mutex<HashMap<Destination, Place>>>,
    /// Ends the line, with what the library still holds of it.
    hang_up: watch::Sender<bool>,
}

/// Until when an order may leave, and how long its answer may take.
struct Deadline {
    clock: Arc<dyn Clock>,
    expires: Timestamp,
    /// Monotonic time at which it was handed over.
    handed: Duration,
    answer_max: Duration,
}

/// What the task of the line and the egress share.
struct Shared {
    line: Mutex<Option<Line>>,
    up: watch::Sender<bool>,
    /// What is known of signs of life, whatever line they went through.
    pulses: Mutex<Pulses>,
}

/// An egress that writes to one server. An address names a node whose value is written (`ns=2;s=Pump.Setpoint`), or an
/// object and its method of one argument (`ns=2;s=Pump | ns=2;s=Pump.SetSpeed`). Dropping it hangs up.
pub struct OpcUaEgress {
    shared: Arc<Shared>,
    runtime: Handle,
    answer_max: Duration,
    clock: Arc<dyn Clock>,
    task: JoinHandle<()>,
}

impl OpcUaEgress {
    /// Connects on `runtime`, and again whenever the line is lost. Does not wait for it. What `addresses` take is looked up on each
    /// line before anybody asks; others wait for it. `answer_max` is how long the server may take to answer an order.
    ///
    /// # Errors
    /// [`OpcUaError`] when the options cannot work.
    pub fn start(
        options: OpcUaOptions,
        addresses: &[String],
        answer_max: Duration,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Result<Self, OpcUaError> {
        options.check()?;
        let shared = Arc::new(Shared {
            line: Mutex::new(None),
            up: watch::Sender::new(false),
            pulses: Mutex::default(),
        });
        // One that is none is refused when an order goes to it.
        let known = addresses.iter().filter_map(|address| address.parse().ok()).take(PLACES_MAX).collect();
        let task = runtime.spawn(drive(options, known, Arc::clone(&clock), Arc::clone(&shared)));
        Ok(Self { shared, runtime, answer_max, clock, task })
    }

    /// Whether the line stands, as it changes.
    #[must_use]
    pub fn up(&self) -> watch::Receiver<bool> {
        self.shared.up.subscribe()
    }

    /// Whether a text is an address of this egress.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_address(address: &str) -> Result<(), String> {
        address.parse::<Destination>().map(drop).map_err(|error| error.to_string())
    }
}

impl Egress for OpcUaEgress {
    fn send(&mut self, order: &Order<'_>, now: Timestamp, reply: Reply) {
        let not_sent = |reason: String| Answer::NotSent { reason };
        let destination: Destination = match order.address.parse() {
            Ok(destination) => destination,
            Err(error) => return reply.answer(not_sent(format!("{error}"))),
        };
        let Some(line) = self.shared.line() else {
            return reply.answer(not_sent(NO_LINE.to_owned()));
        };
        let Ok(under_way) = Arc::clone(&line.window).try_acquire_owned() else {
            return reply.answer(not_sent(format!("{WINDOW} orders wait for the server already")));
        };
        let (value, left) = (order.value, order.expires.since(now));
        let (clock, expires, answer_max) = (Arc::clone(&self.clock), order.expires, self.answer_max);
        let deadline = Deadline { handed: clock.monotonic(), clock, expires, answer_max };
        self.runtime.spawn(async move {
            reply.answer(line.carry(&destination, value, left, &deadline).await);
            drop(under_way);
        });
    }

    fn beat(&mut self, beat: &Beat<'_>) -> Result<(), String> {
        let destination: Destination = beat.address.parse().map_err(|error| format!("{error}"))?;
        let line = self.shared.line().ok_or_else(|| NO_LINE.to_owned())?;
        let due = self.shared.pulses().due(beat);
        if due.write {
            let (shared, address, sequence) =
                (Arc::clone(&self.shared), beat.address.to_owned(), beat.sequence);
            self.runtime.spawn(async move {
                let outcome = match tokio::time::timeout(BEAT_MAX, line.beat(&destination, sequence)).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err(format!("the server did not answer in {} ms", BEAT_MAX.as_millis())),
                };
                let named = outcome.map_err(|reason| format!("heartbeat to `{address}`: {reason}"));
                shared.pulses().answered(&address, sequence, named);
            });
        }
        due.left
    }
}

impl Line {
    /// Looks the destination up, which must not take longer than the order may wait, and sends once.
    async fn carry(
        &self,
        destination: &Destination,
        value: f64,
        left: Duration,
        deadline: &Deadline,
    ) -> Answer {
        let answer_max = deadline.answer_max;
        let looked = tokio::time::timeout(left.min(LEAVES_WITHIN), self.place(destination)).await;
        let place = match looked {
            Ok(Ok(place)) => place,
            Ok(Err(reason)) => return Answer::NotSent { reason },
            Err(_) => {
                return Answer::NotSent {
                    reason: format!("the server did not say in time what `{destination}` takes"),
                };
            }
        };
        let value = match place.variant(value) {
            Ok(value) => value,
            Err(reason) => return Answer::NotSent { reason },
        };
        // A process that stood still finds the place looked up and the time over: a timeout asks what it waits for first.
        if deadline.clock.now() >= deadline.expires {
            return Answer::NotSent { reason: "the order expired before it could leave".to_owned() };
        }
        if deadline.clock.monotonic().saturating_sub(deadline.handed) >= LEAVES_WITHIN {
            let reason = format!("the order could not leave within {} ms", LEAVES_WITHIN.as_millis());
            return Answer::NotSent { reason };
        }
        let sent = tokio::time::timeout(answer_max, place.send(&self.session, value)).await;
        let said =
            sent.unwrap_or_else(|_| Err(Error::new(StatusCode::BadTimeout, "the server did not answer")));
        let silent = said.as_ref().is_err_and(|error| status::says_nothing(error.status()));
        if silent {
            // It may stand in the library's queue still, and must not leave it after it was called lost.
            self.hang_up.send_replace(true);
        }
        match said {
            Err(error) if error.status() == StatusCode::BadTimeout => {
                Answer::Lost { reason: format!("the server did not answer in {} ms", answer_max.as_millis()) }
            }
            said => order::answer(said),
        }
    }

    /// Looks the destination up and writes a sign of life there; why the server has not taken it.
    async fn beat(&self, destination: &Destination, sequence: u64) -> Result<(), String> {
        let place = self.place(destination).await?;
        let value = place.count(sequence)?;
        match order::answer(place.send(&self.session, value).await) {
            Answer::Acknowledged { .. } => Ok(()),
            Answer::NotSent { reason } | Answer::Declined { reason } | Answer::Lost { reason } => Err(reason),
        }
    }

    /// Looks up what these take, one after the other; what is not there is said when an order goes to it.
    async fn look_up(self, known: Arc<[Destination]>) {
        for destination in known.iter() {
            if let Err(reason) = self.place(destination).await {
                tracing::warn!(%destination, reason, "orders to it would not leave");
            }
        }
    }

    async fn place(&self, destination: &Destination) -> Result<Place, String> {
        let known = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(destination).cloned();
        if let Some(place) = known {
            return Ok(place);
        }
        let place = Place::of(destination, &self.session, &self.namespaces).await?;
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() < PLACES_MAX {
            places.insert(destination.clone(), place.clone());
        }
        Ok(place)
    }
}

impl Drop for OpcUaEgress {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for OpcUaEgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpcUaEgress(up: {})", *self.shared.up.borrow())
    }
}

impl Shared {
    fn line(&self) -> Option<Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pulses(&self) -> MutexGuard<'_, Pulses> {
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, line: Option<Line>) {
        let up = line.is_some();
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
        self.up.send_replace(up);
    }
}

/// One line after the other.
async fn drive(options: OpcUaOptions, known: Arc<[Destination]>, clock: Arc<dyn Clock>, shared: Arc<Shared>) {
    let mut wait = RETRY.0;
    loop {
        let (stood, reason) = match link::open(&options, clock.now()).await {
            Ok(link) => line(link, &known, &shared).await,
            Err(error) => (false, error.to_string()),
        };
        shared.set(None);
        tracing::warn!(endpoint = options.endpoint, reason, "no orders leave: the OPC UA server is away");
        wait = if stood { RETRY.0 } else { (wait * 2).min(RETRY.1) };
        // Nothing but the time ends this.
        drop(tokio::time::timeout(wait, std::future::pending::<()>()).await);
    }
}

/// One line, until it is lost; whether it stood, and why it is lost.
async fn line(mut link: Link, known: &Arc<[Destination]>, shared: &Shared) -> (bool, String) {
    let namespaces = match link.namespaces().await {
        Ok(namespaces) => Arc::new(namespaces),
        Err(error) => return (false, crate::status::name(error.status())),
    };
    let (window, places) = (Arc::new(Semaphore::new(WINDOW)), Arc::default());
    let (hang_up, mut hung_up) = watch::channel(false);
    let line = Line { session: Arc::clone(&link.session), namespaces, window, places, hang_up };
    // Ends with this line.
    let mut looking = tokio::task::JoinSet::new();
    looking.spawn(line.clone().look_up(Arc::clone(known)));
    shared.set(Some(line));
    loop {
        let notice = tokio::select! {
            biased;
            // `shared` holds the other half until this line is taken from it.
            () = async { drop(hung_up.wait_for(|hung_up| *hung_up).await) } => {
                // First, so that no further order is given to it.
                shared.set(None);
                link.hang_up().await;
                return (true, "the server did not answer an order".to_owned());
            }
            notice = link.notices.recv() => notice,
        };
        match notice {
            Some(Notice::Lost(code) | Notice::Failed(code) | Notice::Ended(code)) => {
                return (true, crate::status::name(code));
            }
            Some(Notice::Trying | Notice::Back { .. }) => {}
            None => return (true, "the session ended".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
