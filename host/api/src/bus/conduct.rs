//! How the bus behaves towards a reader who is slow, breaks off anywhere, and comes back: whatever happens, it ends
//! up knowing what is so, has heard every notice, or was told to read everything anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{Event, ManualClock, Quality, Severity, Timestamp};
use geminus_rollout::Phase;
use proptest::prelude::*;
use serde_json::Value;

use super::reader::{Gap, Reader};
use super::{BusLimits, EventBus, Interest, Reading, Values};
use crate::view::{EntryView, HealthView, RolloutEvent, RolloutTwins, TwinState};

const TWINS: [&str; 3] = ["p", "q", "r"];
const POINTS: [&str; 3] = ["a", "b", "c"];
const LINGER: Duration = Duration::from_secs(30);

/// Point of a twin → its newest value.
type Known = BTreeMap<(String, String), f64>;

#[derive(Clone, Debug)]
enum Step {
    /// A twin and which of its points change.
    Values(usize, [bool; 3]),
    /// A journal entry about a twin, or about none.
    Notice(Option<usize>),
    /// A rollout goes on.
    Rollout(u64),
    /// The reader takes a round, and breaks off after so many events of it.
    Take(Option<usize>),
    /// The reader is gone, for longer than its watch lasts or not.
    Away(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, any::<[bool; 3]>()).prop_map(|(twin, points)| Step::Values(twin, points)),
        2 => proptest::option::of(0..3_usize).prop_map(Step::Notice),
        2 => (0..2_u64).prop_map(Step::Rollout),
        3 => Just(Step::Take(None)),
        2 => (0..4_usize).prop_map(|events| Step::Take(Some(events))),
        1 => any::<bool>().prop_map(Step::Away),
    ]
}

struct House {
    bus: Arc<EventBus>,
    clock: Arc<ManualClock>,
    interest: Interest,
    truth: Known,
    /// Watches that the shard has met: twin → number.
    met: BTreeMap<&'static str, u64>,
    notices: BTreeSet<u64>,
    rollouts: BTreeMap<u64, u64>,
    next: u64,
}

impl House {
    /// What a shard does: all points at a new watch, changed points after that.
    fn publish(&mut self, twin: &'static str, changed: [bool; 3]) {
        for (name, _) in POINTS.iter().zip(changed).filter(|(_, changed)| *changed) {
            self.next += 1;
            self.truth.insert((twin.to_owned(), (*name).to_owned()), self.next as f64);
        }
        let watch = self.bus.watched().watch_of(twin);
        let all = watch.is_some() && watch != self.met.get(twin).copied();
        if let Some(watch) = watch {
            self.met.insert(twin, watch);
        }
        let points =
            POINTS.iter().zip(changed).filter(|(_, changed)| all || *changed).filter_map(|(name, _)| {
                let value = *self.truth.get(&(twin.to_owned(), (*name).to_owned()))?;
                Some((Arc::from(*name), Reading { time: Timestamp(1), value, quality: Quality::Good }))
            });
        let points: Vec<_> = points.collect();
        let health = HealthView::default();
        self.bus.publish_values(&Values {
            twin: &twin.into(),
            state: TwinState::Live,
            age_ms: None,
            health,
            points: &points,
        });
    }

    fn write(&mut self, twin: Option<&str>) {
        self.next += 1;
        let event = Event::new("test", Severity::Info, "test");
        let event = twin.map_or(event.clone(), |twin| event.twin(twin));
        self.bus.publish_journal(&EntryView::new(self.next, Timestamp(1), event));
        if self.hears(twin) {
            self.notices.insert(self.next);
        }
    }

    fn go_on(&mut self, id: u64) {
        self.next += 1;
        let twins = RolloutTwins { rows_min: self.next, ..RolloutTwins::default() };
        let (binding, phase) = ("thermal".to_owned(), Phase::Shadow);
        self.bus.publish_rollout(&RolloutEvent { id, binding, phase, twins, verdict: None });
        self.rollouts.insert(id, self.next);
    }

    fn hears(&self, twin: Option<&str>) -> bool {
        match (&self.interest, twin) {
            (Interest::Twins(twins), Some(twin)) => twins.iter().any(|one| one.as_ref() == twin),
            _ => true,
        }
    }

    /// What the client can know of values: nothing on a stream without values.
    fn knowable(&self) -> Known {
        let truth = self
            .truth
            .iter()
            .filter(|((twin, _), _)| self.interest != Interest::Site && self.hears(Some(twin)));
        truth.map(|(point, value)| (point.clone(), *value)).collect()
    }
}

struct Client {
    reader: Option<Reader>,
    last: String,
    known: Known,
    notices: BTreeSet<u64>,
    rollouts: BTreeMap<u64, u64>,
}

impl Client {
    /// Opens a stream as a browser does, and reads everything when it is not told that it goes on.
    fn open(&mut self, house: &mut House) {
        let last = (!self.last.is_empty()).then_some(self.last.as_str());
        let welcome = house.bus.read(house.interest.clone(), last).expect("a place");
        if !welcome.resumed {
            self.read_all(house);
        }
        self.last = welcome.reader.id(welcome.reader.place()).to_string();
        self.reader = Some(welcome.reader);
        // The shards look at the watches before they publish again.
        for twin in TWINS {
            if house.bus.watched().watch_of(twin) != house.met.get(twin).copied() {
                house.publish(twin, [false; 3]);
            }
        }
    }

    fn read_all(&mut self, house: &House) {
        self.known = house.knowable();
        self.notices = house.notices.clone();
        self.rollouts = house.rollouts.clone();
    }

    /// Takes a round and sees `events` of it; then the connection breaks, unless that is `None`.
    fn take(&mut self, house: &mut House, events: Option<usize>) -> bool {
        if self.reader.is_none() {
            self.open(house);
        }
        let Some(reader) = &mut self.reader else { return false };
        let round = match reader.take() {
            Ok(round) => round,
            Err(gap) => {
                assert_eq!(gap, Gap::TooFarBehind);
                self.last = reader.id(reader.place()).to_string();
                self.read_all(house);
                return true;
            }
        };
        let mut twins = BTreeSet::new();
        for due in round.due.iter().take(events.unwrap_or(usize::MAX)) {
            self.last = reader.id(due.place).to_string();
            let data: Value = serde_json::from_slice(due.event.data()).expect("JSON");
            if due.event.kind() == "journal" {
                self.notices.insert(data["seq"].as_u64().expect("number"));
                continue;
            }
            if due.event.kind() == "rollout" {
                let (id, rows) = (&data["id"], &data["twins"]["rows_min"]);
                self.rollouts.insert(id.as_u64().expect("number"), rows.as_u64().expect("number"));
                continue;
            }
            let twin = data["twin"].as_str().expect("twin").to_owned();
            assert!(twins.insert(twin.clone()), "two events of one twin in one round");
            for (name, reading) in data["points"].as_object().expect("points") {
                self.known.insert((twin.clone(), name.clone()), reading[1].as_f64().expect("number"));
            }
        }
        if events.is_some() {
            self.reader = None;
        }
        round.more
    }
}

fn run(interest: Interest, limits: BusLimits, steps: &[Step]) {
    let clock = Arc::new(ManualClock::new(Timestamp(1)));
    let bus = EventBus::new(clock.clone(), limits);
    let mut house = House {
        bus,
        clock,
        interest,
        truth: Known::new(),
        met: BTreeMap::new(),
        notices: BTreeSet::new(),
        rollouts: BTreeMap::new(),
        next: 0,
    };
    let (known, notices, rollouts) = (Known::new(), BTreeSet::new(), BTreeMap::new());
    let mut client = Client { reader: None, last: String::new(), known, notices, rollouts };
    for step in steps {
        match step {
            Step::Values(twin, points) => house.publish(TWINS[*twin], *points),
            Step::Notice(twin) => house.write(twin.map(|twin| TWINS[twin])),
            Step::Rollout(id) => house.go_on(*id),
            Step::Take(events) => {
                client.take(&mut house, *events);
            }
            Step::Away(long) => {
                client.reader = None;
                house.clock.advance(if *long { LINGER } else { Duration::from_secs(1) });
            }
        }
    }
    while client.take(&mut house, None) {}
    assert_eq!(client.known, house.knowable());
    assert_eq!(client.notices, house.notices);
    assert_eq!(client.rollouts, house.rollouts);
}

fn limits(notices_max: usize, twins_max: usize) -> BusLimits {
    BusLimits { notices_max, twins_max, linger: LINGER, ..BusLimits::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_of_some_twins_end_up_right(steps in prop::collection::vec(step(), 0..60)) {
        run(Interest::Twins(vec!["p".into(), "q".into()]), limits(1_000, 1_000), &steps);
    }

    #[test]
    fn readers_of_all_end_up_right(steps in prop::collection::vec(step(), 0..60)) {
        run(Interest::All, limits(1_000, 1_000), &steps);
    }

    #[test]
    fn readers_of_notices_end_up_right(steps in prop::collection::vec(step(), 0..60)) {
        run(Interest::Site, limits(1_000, 1_000), &steps);
    }

    #[test]
    fn readers_end_up_right_when_there_is_little_room(steps in prop::collection::vec(step(), 0..60)) {
        run(Interest::All, limits(3, 2), &steps);
    }
}

#[test]
fn a_flood_of_notices_is_taken_in_rounds() {
    let steps = vec![Step::Notice(None); 2_000];
    run(Interest::Site, BusLimits::default(), &steps);
}

#[test]
fn streams_are_bounded_and_those_of_all_twins_more_so() {
    let clock = Arc::new(ManualClock::new(Timestamp(1)));
    let bounds = BusLimits { streams_max: 3, streams_all_max: 1, ..BusLimits::default() };
    let bus = EventBus::new(clock, bounds);
    let first = bus.read(Interest::All, None).expect("a place");
    assert!(bus.read(Interest::All, None).is_none());
    let more: Vec<_> = (0..2).map(|_| bus.read(Interest::Site, None).expect("a place")).collect();
    assert!(bus.read(Interest::Site, None).is_none());
    assert_eq!((bus.stats().streams, bus.stats().refused), (3, 2));
    drop((first, more));
    assert!(bus.read(Interest::All, None).is_some());
}
