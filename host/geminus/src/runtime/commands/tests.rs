//! The desk with books, a field and a clock of its own: what is written down, what leaves, and in which order.

mod beats;
mod behaviors;
mod clocks;
mod failures;
mod order;
mod paths;
mod site;
mod trips;
mod unreadable;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use geminus_api::orders::{CommandOrder, Wish};
use geminus_api::view::CommandView;
use geminus_api::{Actor, Role, Trouble};
use geminus_command::Phase;
use geminus_core::{Authority, Digest, Event, Quality, Sample, SeriesId, Timestamp};
use geminus_dispatch::{Answer, Beat, Egress, Order, Reply};
use geminus_interlock::Moment;
use geminus_store::{CommandChange, CommandRow, TargetRow};
use geminus_twin::{Plant, Site};
use uuid::Uuid;

use super::Answers;
use super::books::{Books, Line, Lines};
use super::bumpless::FirstCommands;
use super::desk::Desk;
use super::meters::Meters;
use super::propose::id_of;
use site::SITE;

/// Where the clock of a test begins.
const START: Timestamp = Timestamp(1_900_000_000_000_000_000);
const TYPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pump-rig/types");

/// What books and field have seen.
#[derive(Default)]
struct Seen {
    /// In order: `kept STATE`, `recorded KIND`, `left TOPIC VALUE`, `beat TOPIC SEQUENCE`.
    log: Vec<String>,
    told: Vec<String>,
    /// What was kept for the journal, by command and step.
    words: BTreeMap<(Uuid, u32), Event>,
    /// Facts of what was journaled before something was done.
    facts: Vec<serde_json::Value>,
    rows: BTreeMap<Uuid, CommandRow>,
    targets: BTreeMap<(String, String), String>,
    replies: Vec<Option<Reply>>,
    /// Why nothing can be written.
    full: Option<String>,
    /// Whether what is written down is told to have failed.
    denied: bool,
    /// How many changes of commands can still be written; `None`: any number.
    room: Option<usize>,
    /// Why the line takes no beats.
    away: Option<String>,
    /// Why the journal cannot be written, when only it cannot.
    mute: Option<String>,
    /// How much later it is, once something was written down, than when the loop turned; and what the wall clock adds to that.
    held_up: (Duration, Duration),
    random: u8,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Seen>>);

impl Fake {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().expect("seen")
    }
}

impl Books for Fake {
    fn save(&mut self, change: &CommandChange) -> Result<(), String> {
        let mut seen = self.seen();
        if let Some(reason) = &seen.full {
            return Err(reason.clone());
        }
        match &mut seen.room {
            Some(0) => return Err("the disk is full".to_owned()),
            Some(left) => *left -= 1,
            None => {}
        }
        let id = Uuid::from_bytes(change.row.id);
        let kept = seen.rows.get(&id).cloned();
        let follows = kept.as_ref().map_or(change.row.step == 0, |kept| {
            kept.step + 1 == change.row.step
                || (kept.step == change.row.step && kept.document == change.row.document)
        });
        assert!(follows, "{} does not follow on what is kept: {kept:?}", change.row.document);
        seen.log.push(format!("kept {}", change.row.state));
        if let Some(word) = &change.word {
            seen.words.insert((id, change.row.step), word.clone());
        }
        let number = kept.map_or(seen.rows.len() as u64 + 1, |kept| kept.number);
        seen.rows.insert(id, CommandRow { number, ..change.row.clone() });
        if seen.denied { Err("the disk did not answer".to_owned()) } else { Ok(()) }
    }

    fn save_target(&mut self, twin: &str, target: &str, document: &str) -> Result<(), String> {
        let mut seen = self.seen();
        if let Some(reason) = &seen.full {
            return Err(reason.clone());
        }
        seen.targets.insert((twin.to_owned(), target.to_owned()), document.to_owned());
        Ok(())
    }

    fn command(&mut self, id: Uuid) -> Result<Option<CommandRow>, String> {
        Ok(self.seen().rows.get(&id).cloned())
    }

    fn record(&mut self, event: Event) -> Result<(), String> {
        let mut seen = self.seen();
        if let Some(reason) = seen.mute.clone().or_else(|| seen.full.clone()) {
            return Err(reason);
        }
        seen.log.push(format!("recorded {}", event.kind));
        seen.facts.push(event.facts);
        Ok(())
    }

    fn tell(&mut self, event: Event) {
        self.seen().told.push(event.kind);
    }

    fn tell_of(&mut self, change: (Uuid, u32), event: Event) {
        let mut seen = self.seen();
        let kept = seen.words.get(&change);
        assert_eq!(kept, Some(&event), "what the journal is told of a change is kept with it");
        seen.told.push(event.kind);
    }

    fn show(&mut self, _: &CommandView) {}

    fn hindrance(&self) -> Option<String> {
        let seen = self.seen();
        seen.mute.clone().or_else(|| seen.full.clone())
    }

    fn random(&mut self) -> Result<[u8; 10], String> {
        let mut seen = self.seen();
        seen.random += 1;
        Ok([seen.random; 10])
    }

    fn now(&self, turn: Moment) -> Moment {
        let (still, ahead) = self.seen().held_up;
        Moment { wall: turn.wall.plus(still + ahead), monotonic: turn.monotonic + still }
    }
}

impl Egress for Fake {
    fn send(&mut self, order: &Order<'_>, _: Timestamp, reply: Reply) {
        let mut seen = self.seen();
        seen.log.push(format!("left {} {}", order.address, order.value));
        seen.replies.push(Some(reply));
    }

    fn beat(&mut self, beat: &Beat<'_>) -> Result<(), String> {
        let mut seen = self.seen();
        if let Some(reason) = &seen.away {
            return Err(reason.clone());
        }
        seen.log.push(format!("beat {} {}", beat.address, beat.sequence));
        Ok(())
    }
}

/// A desk, and what stands around it.
struct Rig {
    desk: Desk<Fake>,
    seen: Fake,
    heard: crossbeam_channel::Receiver<super::Ask>,
    now: Moment,
    meters: Arc<Meters>,
    /// How the first commands of behaviors are limited: not at all, but where a test says so.
    first: FirstCommands,
}

fn plant(site: &str) -> Arc<Plant> {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("site.toml");
    let text = format!("[site]\ntypes = {TYPES:?}\n{site}");
    let site = Site::parse(&path, &text).expect("a site");
    let mut numbers = BTreeMap::new();
    let mut number = |twin: &str, point: &str| {
        let next = u32::try_from(numbers.len()).expect("few");
        Ok(SeriesId(*numbers.entry((twin.to_owned(), point.to_owned())).or_insert(next)))
    };
    Arc::new(Plant::resolve(&site, &[], &mut number).expect("a plant"))
}

impl Rig {
    fn new() -> Self {
        Self::after(Fake::default(), Moment { wall: START, monotonic: Duration::from_secs(100) })
    }

    /// Starts with what an earlier run kept, which is gone otherwise.
    fn after(seen: Fake, now: Moment) -> Self {
        Self::after_with(seen, now, SITE)
    }

    fn after_with(seen: Fake, now: Moment, site: &str) -> Self {
        let (asks, heard) = crossbeam_channel::unbounded();
        let line = Line { egress: Box::new(seen.clone()), up: Box::new(|| true) };
        let lines = Lines::new([("broker".to_owned(), line)]);
        let meters = Arc::new(Meters::default());
        let mut desk = Desk::new(plant(site), seen.clone(), lines, Answers(asks), Arc::clone(&meters));
        let (open, targets) = {
            let seen = seen.seen();
            let row = |((twin, target), document): (&(String, String), &String)| TargetRow {
                twin: twin.clone(),
                target: target.clone(),
                changed: START,
                document: document.clone(),
            };
            let open = seen.rows.values().filter(|row| row.open).cloned().collect();
            (open, seen.targets.iter().map(row).collect())
        };
        desk.recover(open, targets, now);
        desk.alarms.hear(Vec::new(), true, now);
        let first = FirstCommands { step_max: 1.0, count: 0 };
        let mut rig = Self { desk, seen, heard, now, meters, first };
        rig.sample("temperature", 40.0);
        rig
    }

    /// As if the process had been killed here.
    fn killed(self) -> Self {
        self.killed_with(SITE)
    }

    /// As if somebody had changed the site file before the next start.
    fn killed_with(self, site: &str) -> Self {
        let Self { seen, now, .. } = self;
        seen.seen().replies.clear();
        Self::after_with(seen, Moment { monotonic: Duration::from_secs(7), ..now }, site)
    }

    fn pass(&mut self, span: Duration) {
        let step = Duration::from_millis(500);
        let mut left = span;
        while !left.is_zero() {
            let part = left.min(step);
            left -= part;
            self.jump(part);
            self.desk.tick(self.now);
        }
    }

    /// Time goes by at once; the loop turns at its end.
    fn jump(&mut self, span: Duration) {
        self.now = Moment { wall: self.now.wall.plus(span), monotonic: self.now.monotonic + span };
        self.desk.turn(self.now);
    }

    fn sample(&mut self, point: &str, value: f64) {
        self.samples(point, &[value]);
    }

    /// Several samples that a shard brings in one go.
    fn samples(&mut self, point: &str, values: &[f64]) {
        let plant = Arc::clone(&self.desk.plant);
        let twin = plant.find("rig-1").expect("rig-1");
        let series = plant.series_of(twin, point).expect("a point");
        self.jump(Duration::from_millis(10));
        let time = self.now.wall;
        let sample =
            |value: &f64| Sample { series, quality: Quality::Good, value: *value, time, received: time };
        self.desk.hear_samples(values.iter().map(sample).collect(), self.now);
    }

    fn wish(&self, target: &str, value: f64, number: u8) -> Wish {
        Wish {
            id: Some(id_of(START, &[number; 10])),
            twin: "rig-1".to_owned(),
            target: target.to_owned(),
            value,
            unit: None,
            reason: String::new(),
            within_s: 600,
        }
    }

    fn propose(&mut self, target: &str, value: f64, number: u8) -> CommandView {
        let wish = self.wish(target, value, number);
        self.desk.propose(wish, actor("Anna"), self.now).expect("taken").0
    }

    fn order(
        &mut self,
        command: &CommandView,
        order: CommandOrder,
        by: &str,
    ) -> Result<CommandView, Trouble> {
        let id = command.id.parse().expect("an id");
        self.desk.order(id, order, actor(by), self.now)
    }

    fn approve(&mut self, command: &CommandView, by: &str) -> Result<CommandView, Trouble> {
        let digest: Digest = command.digest.parse().expect("a digest");
        self.order(command, CommandOrder::Approve { digest }, by)
    }

    fn arm(&mut self) {
        let armed = self.desk.order_authority("rig-1", Authority::Control, "", &actor("Anna"), self.now);
        assert_eq!(armed.map(|view| view.effective).ok(), Some(Authority::Control));
    }

    /// The transport answers the newest order.
    fn answer(&mut self, answer: Answer) {
        let reply = self.seen.seen().replies.last_mut().and_then(Option::take).expect("an order");
        reply.answer(answer);
        while let Ok(super::Ask::Answer(id, answer)) = self.heard.try_recv() {
            self.desk.hear_answer(id, answer, self.now);
        }
    }

    fn acknowledge(&mut self) {
        self.answer(Answer::Acknowledged { receipt: "it has it".to_owned() });
    }

    fn phase(&mut self, command: &CommandView) -> Phase {
        let id = command.id.parse().expect("an id");
        self.desk.known(id, self.now).expect("readable").expect("known").0.phase()
    }

    fn log(&self) -> Vec<String> {
        self.seen.seen().log.clone()
    }

    /// What has left the host.
    fn left(&self) -> Vec<String> {
        self.log().into_iter().filter(|line| line.starts_with("left")).collect()
    }

    fn told(&self, kind: &str) -> usize {
        self.seen.seen().told.iter().filter(|told| *told == kind).count()
    }
}

fn actor(name: &str) -> Actor {
    Actor { name: name.to_owned(), owner: None, is_person: true, role: Role::Operator }
}
