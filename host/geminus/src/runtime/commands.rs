//! The commands' thread: the only one that owns commands, owners, authority and the ways to the field. People, shards, alarms
//! and the transport tell it; what follows is written down, then done, then told.
//!
//! Ends when it is told to. Never waits for a shard or a guest; waits for the disk, because nothing may leave before it is kept.

mod ask;
mod beat;
mod books;
mod bumpless;
mod clocks;
mod desk;
pub(crate) mod egress;
mod hear;
mod meters;
mod orders;
pub(crate) mod points;
mod propose;
mod recovery;
mod rows;
mod send;
pub(crate) mod show;
mod station;
mod tick;
pub(crate) mod watch;
pub(crate) mod wish;
mod words;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};
use geminus_api::orders::{CommandOrder, TargetOrder, Wish};
use geminus_api::{Actor, EventBus, Trouble, view as api};
use geminus_core::{Authority, Clock};
use geminus_dispatch::Answer;
use geminus_interlock::Moment;
use geminus_store::{Outbox, Store};
use geminus_twin::Plant;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::chronicle::Chronicle;
use super::vitals::{Alive, Vital};
use books::HouseBooks;
pub(crate) use bumpless::FirstCommands;
use clocks::now;
pub(crate) use desk::CONFIDENCE;
use desk::Desk;
pub(crate) use meters::{ENDS, Meters};
use points::AlarmNow;
use watch::Told;

/// How often deadlines are looked at.
const TICK_EVERY: Duration = Duration::from_millis(100);
/// How often it is marked what the journal was told: what was told after the last mark is looked for at the next start, if the host is
/// killed.
const MARK_EVERY: Duration = Duration::from_secs(1);
/// What shards have said and nobody has heard yet, in batches; a full queue leaves it with the shard.
const BATCHES_MAX: usize = 1_024;
/// How often commands that are long over are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// For how long a command is kept after it is over.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3_600);

type Reply<T> = oneshot::Sender<Result<T, Trouble>>;

/// What people ask, alarms say and the transport answers.
pub(crate) enum Ask {
    /// Take a wish.
    Propose(Wish, Actor, Reply<(api::CommandView, bool)>),
    /// Do something about a command.
    Order(Uuid, CommandOrder, Actor, Reply<api::CommandView>),
    /// What the interlocks say of a command now.
    Interlocks(Uuid, Reply<Option<api::InterlockView>>),
    /// Targets, of this twin or of all.
    Targets(Option<String>, Reply<api::TargetsView>),
    /// Do something about a target.
    Target(String, String, TargetOrder, Actor, Reply<api::TargetView>),
    /// How far a twin's behaviors may reach.
    Authority(String, Reply<api::AuthorityView>),
    /// Arm a twin, or hold it down.
    Arm(String, Authority, String, Actor, Reply<api::AuthorityView>),
    /// Whether anything can be sent.
    Dispatch(Reply<api::DispatchView>),
    /// How alarms stand; whether these are all that are not normal. Said every second, also when there is nothing to say.
    Alarms(Vec<AlarmNow>, bool),
    /// What the transport says of a command.
    Answer(Uuid, Answer),
    /// End.
    Stop,
}

/// Where answers of the transport go.
#[derive(Clone, Debug)]
pub(crate) struct Answers(Sender<Ask>);

impl Answers {
    fn hear(&self, id: Uuid, answer: Answer) {
        // Once the desk has gone, the next start finds the command as sent, and in doubt.
        drop(self.0.send(Ask::Answer(id, answer)));
    }
}

/// A running thread.
pub(crate) struct Commands {
    pub(crate) asks: Sender<Ask>,
    /// For shards.
    pub(crate) told: Sender<Told>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) vital: Arc<Vital>,
    pub(crate) thread: JoinHandle<()>,
}

/// Takes up what an earlier run left, connects to the brokers that are written to, and starts the thread. Needs a tokio
/// runtime; blocks on the disk.
///
/// # Errors
/// When the outbox cannot be read, a broker's address cannot be had, or no thread.
pub(crate) fn start(
    plant: &Arc<Plant>,
    store: &Store,
    chronicle: Chronicle,
    bus: Arc<EventBus>,
    clock: Arc<dyn Clock>,
    (data, beside): (&Path, &Path),
) -> anyhow::Result<Commands> {
    let (asks, asked) = unbounded();
    let (told, heard) = bounded(BATCHES_MAX);
    let meters = Arc::new(Meters::default());
    let outbox = store.outbox();
    let (outside, journal) = (Arc::clone(&clock), store.journal());
    // Before this run says anything about them.
    if let Err(error) = words::catch_up(&outbox, &journal, &chronicle) {
        tracing::error!(%error, "what became of commands of the last run cannot be told to the journal");
    }
    let (open, targets) = (outbox.open_commands()?, outbox.targets()?);
    let books =
        HouseBooks { outbox: outbox.clone(), journal, chronicle, bus, clock: outside, told: Vec::new() };
    let lines = egress::lines(plant, (data, beside), &clock)?;
    let answers = Answers(asks.clone());
    let mut desk = Desk::new(Arc::clone(plant), books, lines, answers, Arc::clone(&meters));
    desk.recover(open, targets, now(clock.as_ref()));
    let (vital, alive) = Vital::turning("commands", clock.monotonic());
    let room = Room {
        alive,
        desk,
        clock,
        outbox,
        next_tick: Duration::ZERO,
        next_mark: Duration::ZERO,
        next_forget: FORGET_EVERY,
    };
    let thread = std::thread::Builder::new().name("commands".to_owned());
    let thread = thread.spawn(move || room.run(&asked, heard))?;
    Ok(Commands { asks, told, meters, vital, thread })
}

struct Room {
    alive: Alive,
    desk: Desk<HouseBooks>,
    clock: Arc<dyn Clock>,
    outbox: Outbox,
    next_tick: Duration,
    next_mark: Duration,
    next_forget: Duration,
}

impl Room {
    fn run(mut self, asked: &Receiver<Ask>, mut heard: Receiver<Told>) {
        loop {
            let word = select! {
                recv(asked) -> ask => Word::Ask(ask.unwrap_or(Ask::Stop)),
                recv(heard) -> told => match told {
                    Ok(told) => Word::Told(told),
                    // All shards have gone; people may still ask.
                    Err(_) => {
                        heard = never();
                        Word::Nothing
                    }
                },
                default(TICK_EVERY) => Word::Nothing,
            };
            // Before anything that was heard while the host stood still.
            let now = now(self.clock.as_ref());
            self.alive.turn(now.monotonic);
            self.desk.turn(now);
            match word {
                Word::Ask(Ask::Stop) => return self.desk.books.mark_told(),
                Word::Ask(ask) => self.answer(ask, now),
                Word::Told(Told { samples, wishes }) => {
                    self.desk.hear_samples(samples, now);
                    wishes.into_iter().for_each(|wish| self.desk.hear_wish(wish, now));
                }
                Word::Nothing => {}
            }
            if now.monotonic >= self.next_tick {
                self.next_tick = now.monotonic + TICK_EVERY;
                self.desk.tick(now);
                if now.monotonic >= self.next_mark {
                    self.next_mark = now.monotonic + MARK_EVERY;
                    self.desk.books.mark_told();
                }
                self.forget(now);
            }
        }
    }

    /// Forgets commands that are long over.
    fn forget(&mut self, now: Moment) {
        if now.monotonic < self.next_forget {
            return;
        }
        self.next_forget = now.monotonic + FORGET_EVERY;
        match self.outbox.prune(KEPT) {
            Ok(0) => {}
            Ok(number) => tracing::info!(number, "old commands are forgotten"),
            Err(error) => tracing::warn!(%error, "old commands cannot be forgotten"),
        }
    }

    /// An asker who has gone is no matter.
    fn answer(&mut self, ask: Ask, now: Moment) {
        let desk = &mut self.desk;
        match ask {
            Ask::Propose(wish, actor, reply) => drop(reply.send(desk.propose(wish, actor, now))),
            Ask::Order(id, order, actor, reply) => drop(reply.send(desk.order(id, order, actor, now))),
            Ask::Interlocks(id, reply) => drop(reply.send(Ok(show::interlocks(desk, id, now)))),
            Ask::Targets(twin, reply) => drop(reply.send(Ok(show::targets(desk, twin.as_deref(), now)))),
            Ask::Target(twin, name, order, actor, reply) => {
                drop(reply.send(desk.order_target((&twin, &name), order, actor, now)));
            }
            Ask::Authority(twin, reply) => drop(reply.send(desk.authority(&twin))),
            Ask::Arm(twin, level, reason, actor, reply) => {
                drop(reply.send(desk.order_authority(&twin, level, &reason, &actor, now)));
            }
            Ask::Dispatch(reply) => drop(reply.send(Ok(show::dispatch(desk)))),
            Ask::Alarms(told, whole) => desk.alarms.hear(told, whole, now),
            Ask::Answer(id, answer) => desk.hear_answer(id, answer, now),
            Ask::Stop => {}
        }
    }
}

/// What the thread hears.
enum Word {
    Ask(Ask),
    Told(Told),
    Nothing,
}
