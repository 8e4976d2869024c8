//! The alarms' thread: the only writer of the desk. Shards say what changed, people order; what follows is written down,
//! then told.
//!
//! Ends when all shards have: what they said last is written down too. Never waits for a shard or a guest.

mod look;
mod show;
mod told;
pub(crate) mod watch;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, never, select, unbounded};
use geminus_alarm::{Alarm, Change, Desk, Key, Now, Order, Record, Refusal, Signal};
use geminus_api::query::AlarmsQuery;
use geminus_api::{EventBus, Trouble, view as api};
use geminus_core::{Clock, Event, Severity, TwinIndex};
use geminus_store::{AlarmRecord, Control, StoreError};
use geminus_twin::Plant;
use tokio::sync::oneshot;

use super::chronicle::Chronicle;
use super::commands;
use super::commands::points::AlarmNow;
use super::press::Press;
use super::vitals::{Alive, Vital};

/// How often delays are looked at and what changed is written down and told.
const TICK_EVERY: Duration = Duration::from_millis(100);
/// How often the desk of commands hears of alarms at least, so that it knows that what it heard last still holds.
const SIGN_EVERY: Duration = Duration::from_secs(1);
/// What shards have said and nobody has heard yet, in batches; a full queue leaves it with the shard.
const BATCHES_MAX: usize = 1_024;
/// How long nobody is told again that alarms cannot be written down.
const QUIET: Duration = Duration::from_secs(60);

/// What people ask.
pub(crate) enum Ask {
    /// Which alarms there are; of this twin, if one.
    List(AlarmsQuery, Option<TwinIndex>, oneshot::Sender<api::AlarmsView>),
    /// Do this to the alarm of this name.
    Order(TwinIndex, String, Order, oneshot::Sender<Result<api::AlarmView, Trouble>>),
}

/// A running thread.
pub(crate) struct Alarms {
    /// For people.
    pub(crate) asks: Sender<Ask>,
    /// For shards.
    pub(crate) signals: Sender<Vec<Signal>>,
    /// What was up when the host ended.
    pub(crate) active: Arc<BTreeSet<Key>>,
    pub(crate) vital: Arc<Vital>,
    pub(crate) thread: JoinHandle<()>,
}

/// Puts back what an earlier run left, and starts the thread. Blocks on the disk.
///
/// # Errors
/// When no thread can be had.
pub(crate) fn start(
    plant: &Arc<Plant>,
    control: Control,
    chronicle: Chronicle,
    (bus, press): (Arc<EventBus>, Arc<Press>),
    clock: Arc<dyn Clock>,
    commands: Sender<commands::Ask>,
) -> std::io::Result<Alarms> {
    let definitions = plant.alarms.iter().map(|alarm| alarm.definition.clone()).collect();
    let mut desk = Desk::new(definitions, plant.alarm_settings.clone());
    let read = control.alarms();
    let Restored { active, unreadable, is_whole } =
        restore(&mut desk, plant, read, &chronicle, now(clock.as_ref()));
    for key in press.alarms() {
        if let Some(alarm) = show::alarm(plant, &desk, key, now(clock.as_ref())) {
            press.alarm(key, &alarm);
        }
    }
    let started = now(clock.as_ref());
    drop(commands.send(commands::Ask::Alarms(at_start(&desk, &unreadable, started), is_whole)));
    let (asks, asked) = unbounded();
    let (signals, heard) = bounded(BATCHES_MAX);
    let (vital, alive) = Vital::turning("alarms", clock.monotonic());
    let room = Room {
        alive,
        plant: Arc::clone(plant),
        desk,
        control,
        chronicle,
        bus,
        press,
        clock,
        commands,
        changes: Vec::new(),
        next_tick: Duration::ZERO,
        next_sign: Duration::ZERO,
        quiet_until: None,
    };
    let thread = std::thread::Builder::new().name("alarms".to_owned());
    let thread = thread.spawn(move || room.run(asked, &heard))?;
    Ok(Alarms { asks, signals, active: Arc::new(active), vital, thread })
}

/// What is known of the alarms of the last run.
#[derive(Debug, Default)]
struct Restored {
    /// Which were up.
    active: BTreeSet<Key>,
    /// Of which nothing is known.
    unreadable: Vec<Key>,
    /// Whether these are all that there were.
    is_whole: bool,
}

/// Puts back what was read. What the site does not define any more stays where it is.
fn restore(
    desk: &mut Desk,
    plant: &Plant,
    read: Result<Vec<AlarmRecord>, StoreError>,
    chronicle: &Chronicle,
    now: Now,
) -> Restored {
    let records = match read {
        Ok(records) => records,
        Err(error) => {
            let message = format!(
                "alarms of the last run cannot be read: all begin as normal, and no target with alarms_block is written \
                 before a start that can read them: {error}"
            );
            chronicle.tell(Event::new("alarms-unreadable", Severity::Error, message));
            return Restored::default();
        }
    };
    let mut restored = Restored { is_whole: true, ..Restored::default() };
    let twins: std::collections::HashMap<&str, TwinIndex> =
        plant.indices().filter_map(|index| Some((&*plant.twin(index)?.id, index))).collect();
    for AlarmRecord { twin, name, document } in records {
        let Some(key) = twins.get(twin.as_str()).and_then(|twin| desk.key(*twin, &name)) else { continue };
        match serde_json::from_str::<Record>(&document.unwrap_or_default()) {
            Ok(record) => {
                if record.state.is_active() {
                    restored.active.insert(key);
                }
                desk.restore(key, record, now);
            }
            Err(error) => {
                restored.unreadable.push(key);
                let message = format!(
                    "alarm {name} of {twin} cannot be read: it begins as normal, and blocks as if it were active until it has \
                     changed: {error}"
                );
                chronicle.tell(Event::new("alarms-unreadable", Severity::Error, message).twin(twin));
            }
        }
    }
    restored
}

struct Room {
    alive: Alive,
    plant: Arc<Plant>,
    desk: Desk,
    control: Control,
    chronicle: Chronicle,
    bus: Arc<EventBus>,
    press: Arc<Press>,
    clock: Arc<dyn Clock>,
    /// Who asks whether an alarm blocks.
    commands: Sender<commands::Ask>,
    /// Not told yet.
    changes: Vec<Change>,
    next_tick: Duration,
    /// When the desk of commands is told that there is nothing to tell.
    next_sign: Duration,
    /// Until when nobody is told again that nothing can be written; `None` while all is well.
    quiet_until: Option<Duration>,
}

impl Room {
    fn run(mut self, mut asked: Receiver<Ask>, heard: &Receiver<Vec<Signal>>) {
        loop {
            select! {
                recv(heard) -> signals => match signals {
                    Ok(signals) => self.hear(signals),
                    Err(_) => break,
                },
                recv(asked) -> ask => match ask {
                    Ok(ask) => self.answer(ask),
                    // The page has gone; shards may still speak.
                    Err(_) => asked = never(),
                },
                default(TICK_EVERY) => {}
            }
            let turned = self.clock.monotonic();
            self.alive.turn(turned);
            if turned >= self.next_tick {
                self.tick();
            }
        }
        self.tick();
    }

    fn hear(&mut self, signals: Vec<Signal>) {
        let now = now(self.clock.as_ref());
        for signal in signals {
            self.changes.extend(self.desk.hear(signal, now));
        }
    }

    fn tick(&mut self) {
        let now = now(self.clock.as_ref());
        self.next_tick = self.clock.monotonic() + TICK_EVERY;
        self.changes.extend(self.desk.tick(now));
        // A person must hear of an alarm also when the disk is full; it is tried again at the next tick.
        if let Err(error) = self.save() {
            self.unsaved(&error);
        }
        self.tell(now);
    }

    fn save(&mut self) -> Result<(), StoreError> {
        let unsaved = self.desk.unsaved();
        if unsaved.is_empty() {
            return Ok(());
        }
        let record = |(key, record): (Key, Option<Record>)| {
            let document = record.and_then(|record| serde_json::to_string(&record).ok());
            let (twin, name) = show::names(&self.plant, key);
            AlarmRecord { twin, name, document }
        };
        let records: Vec<AlarmRecord> = unsaved.into_iter().map(record).collect();
        self.control.save_alarms(&records)?;
        self.desk.saved();
        self.quiet_until = None;
        Ok(())
    }

    fn unsaved(&mut self, error: &StoreError) {
        let monotonic = self.clock.monotonic();
        if self.quiet_until.is_some_and(|until| monotonic < until) {
            return;
        }
        self.quiet_until = Some(monotonic + QUIET);
        let message =
            format!("alarms cannot be written down, a restart would forget how they stand: {error}");
        self.chronicle.tell(Event::new("alarms-unsaved", Severity::Error, message));
    }

    fn tell(&mut self, now: Now) {
        let mut changed = BTreeSet::new();
        for change in self.changes.drain(..) {
            changed.extend(change.key);
            self.chronicle.tell(told::event(&self.plant, &self.desk, &change));
        }
        let told: Vec<AlarmNow> = changed.iter().filter_map(|key| alarm_now(&self.desk, *key)).collect();
        let monotonic = self.clock.monotonic();
        if !told.is_empty() || monotonic >= self.next_sign {
            self.next_sign = monotonic + SIGN_EVERY;
            // Once that thread has gone, nothing is written any more.
            drop(self.commands.send(commands::Ask::Alarms(told, false)));
        }
        for key in changed {
            if let Some(alarm) = show::alarm(&self.plant, &self.desk, key, now) {
                self.bus.publish_alarm(&alarm);
                self.press.alarm(key, &alarm);
            }
        }
    }

    /// An asker who has gone is no matter.
    fn answer(&mut self, ask: Ask) {
        let now = now(self.clock.as_ref());
        match ask {
            Ask::List(query, twin, reply) => {
                drop(reply.send(show::alarms(&self.plant, &self.desk, &query, twin, now)));
            }
            Ask::Order(twin, name, order, reply) => {
                drop(reply.send(self.order(twin, &name, order, now)));
                self.tell(now);
            }
        }
    }

    /// Written down before it is answered; what cannot be written down is not done.
    fn order(
        &mut self,
        twin: TwinIndex,
        name: &str,
        order: Order,
        now: Now,
    ) -> Result<api::AlarmView, Trouble> {
        let id = self.plant.twin(twin).map_or_else(String::new, |twin| twin.id.to_string());
        let unknown = || Trouble::NotFound(format!("{id} has no alarm {name}"));
        let key = self.desk.key(twin, name).ok_or_else(unknown)?;
        let before = self.desk.alarm(key).cloned();
        let changes = self.desk.order(key, order, now).map_err(|refusal| match refusal {
            Refusal::Unknown => unknown(),
            Refusal::Shelf { .. } => Trouble::Invalid(refusal.to_string()),
            _ => Trouble::Conflict(refusal.to_string()),
        })?;
        if let Err(error) = self.save() {
            self.desk.undo(key, before);
            self.unsaved(&error);
            let message = format!("the order cannot be written down and is not carried out: {error}");
            return Err(Trouble::Unavailable(message));
        }
        self.changes.extend(changes);
        show::alarm(&self.plant, &self.desk, key, now).ok_or_else(unknown)
    }
}

/// How all alarms that are not normal stand after a start, as far as commands care. One of which nothing is known may be active, so it
/// blocks until it has changed.
fn at_start(desk: &Desk, unreadable: &[Key], now: Now) -> Vec<AlarmNow> {
    let known = desk.entries(now).filter_map(|entry| alarm_now(desk, entry.key));
    let doubtful = unreadable.iter().filter_map(|key| alarm_now(desk, *key));
    known.chain(doubtful.map(|alarm| AlarmNow { active: true, ..alarm })).collect()
}

/// How an alarm stands, as far as commands care.
fn alarm_now(desk: &Desk, key: Key) -> Option<AlarmNow> {
    let quiet = Alarm::default();
    let (alarm, definition) = (desk.alarm(key).unwrap_or(&quiet), desk.definition(key.alarm)?);
    Some(AlarmNow {
        twin: key.twin,
        name: definition.name.clone(),
        priority: alarm.priority(definition),
        active: alarm.state().is_active(),
        shown: alarm.shown(),
    })
}

/// Reads both clocks.
fn now(clock: &dyn Clock) -> Now {
    let monotonic = u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
    Now { wall: clock.now(), monotonic }
}
