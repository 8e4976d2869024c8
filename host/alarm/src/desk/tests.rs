//! The desk from outside: what it tells, keeps and refuses, on a clock that tests turn.

use std::time::Duration;

use geminus_core::Timestamp;
use proptest::prelude::*;

use super::*;

const TWIN: TwinIndex = TwinIndex(3);
const HOT: Key = Key { twin: TWIN, alarm: 0 };
const TRIP: Key = Key { twin: TWIN, alarm: 1 };
const QUIET: Key = Key { twin: TWIN, alarm: 2 };
const GONE: Key = Key { twin: TWIN, alarm: 3 };
const START: Timestamp = Timestamp(1_800_000_000_000_000_000);

fn definition(name: &str) -> Definition {
    let words = Words { priority: Priority::High, message: name.to_owned(), unit: "Cel".to_owned() };
    Definition {
        name: name.to_owned(),
        words,
        priority: None,
        message: String::new(),
        consequence: String::new(),
        response: String::new(),
        on_delay: Duration::ZERO,
        off_delay: Duration::ZERO,
        latch: false,
        group: None,
        suppressed_by: None,
        tells_staleness: false,
        twins: vec![TWIN],
    }
}

/// `hot` with delays, `trip` with a latch, `quiet` suppressed by `trip`, `gone` about staleness; two of a group.
fn definitions() -> Arc<[Definition]> {
    let group = Some("trip".to_owned());
    Arc::new([
        Definition {
            on_delay: Duration::from_secs(5),
            off_delay: Duration::from_secs(10),
            group: group.clone(),
            ..definition("hot")
        },
        Definition { latch: true, group, ..definition("trip") },
        Definition { suppressed_by: Some("trip".to_owned()), ..definition("quiet") },
        Definition { tells_staleness: true, ..definition("gone") },
    ])
}

struct Room {
    desk: Desk,
    now: Now,
}

impl Room {
    fn new() -> Self {
        let desk = Desk::new(definitions(), Settings::default());
        Self { desk, now: Now { wall: START, monotonic: 77_000_000_000 } }
    }

    fn wait(&mut self, seconds: u64) -> Vec<Happened> {
        let mut told = Vec::new();
        for _ in 0..seconds {
            self.now.wall.0 += 1_000_000_000;
            self.now.monotonic += 1_000_000_000;
            told.extend(self.desk.tick(self.now).into_iter().map(|change| change.happened));
        }
        told
    }

    fn say(&mut self, key: Key, holds: bool) -> Vec<Happened> {
        let (value, detail, words) = (81.5, String::new(), None);
        let signal = Signal::Condition { key, holds, value, detail, words };
        self.desk.hear(signal, self.now).into_iter().map(|change| change.happened).collect()
    }

    fn stale(&mut self, stale: bool) -> Vec<Happened> {
        let signal = Signal::Stale { twin: TWIN, stale };
        self.desk.hear(signal, self.now).into_iter().map(|change| change.happened).collect()
    }

    fn order(&mut self, key: Key, action: Action) -> Result<Vec<Happened>, Refusal> {
        let order = Order { action, by: "mara".to_owned(), reason: "why".to_owned() };
        let changes = self.desk.order(key, order, self.now)?;
        Ok(changes.into_iter().map(|change| change.happened).collect())
    }

    fn shown(&self, key: Key) -> Shown {
        self.desk.alarm(key).map_or(Shown::Normal, Alarm::shown)
    }

    /// What the next run knows, after so long without a host; the clock that never goes back begins anew.
    fn restart(&mut self, off: Duration) {
        let records = self.desk.alarms.iter();
        let records = records.filter_map(|(key, alarm)| Some((*key, alarm.record()?)));
        let json = |record| serde_json::to_string(&record).expect("json");
        let saved: Vec<_> = records.map(|(key, record)| (key, json(record))).collect();
        self.now = Now { wall: self.now.wall.plus(off), monotonic: 1_000 };
        self.desk = Desk::new(definitions(), Settings::default());
        for (key, text) in saved {
            self.desk.restore(key, serde_json::from_str(&text).expect("record"), self.now);
        }
    }
}

#[test]
fn delays_hold_back_what_is_short() {
    let mut room = Room::new();
    assert_eq!(room.say(HOT, true), []);
    assert_eq!(room.wait(4), []);
    room.say(HOT, false);
    room.say(HOT, true);
    assert_eq!(room.wait(4), [], "the delay began anew");
    assert_eq!(room.wait(1), [Happened::Raised]);
    assert_eq!(room.say(HOT, false), []);
    assert_eq!(room.wait(9), []);
    assert_eq!(room.say(HOT, true), []);
    assert_eq!(room.say(HOT, false), []);
    assert_eq!(room.wait(9), []);
    assert_eq!(room.wait(1), [Happened::Returned]);
    assert_eq!(room.shown(HOT), Shown::Returned);
}

#[test]
fn who_acknowledged_is_kept_until_it_matters_no_more() {
    let mut room = Room::new();
    assert_eq!(room.order(TRIP, Action::Acknowledge), Err(Refusal::NothingToAcknowledge));
    assert_eq!(room.say(TRIP, true)[0], Happened::Raised);
    assert_eq!(room.order(TRIP, Action::Reset), Err(Refusal::StillActive));
    room.order(TRIP, Action::Acknowledge).expect("acknowledged");
    let mark = room.desk.alarm(TRIP).and_then(|alarm| alarm.acknowledged.clone()).expect("a mark");
    assert_eq!((mark.by.as_str(), mark.at, mark.reason.as_str()), ("mara", START, "why"));
    assert_eq!(room.order(TRIP, Action::Acknowledge), Err(Refusal::AcknowledgedAlready));
    room.say(TRIP, false);
    assert_eq!(room.shown(TRIP), Shown::LatchedAcknowledged);
    room.order(TRIP, Action::Reset).expect("reset");
    assert_eq!(room.shown(TRIP), Shown::Normal);
    assert!(room.desk.alarm(TRIP).is_some_and(|alarm| alarm.acknowledged.is_none()));
    room.wait(61);
    assert!(room.desk.alarm(TRIP).is_none(), "a quiet alarm takes no memory");
    let unknown = Key { twin: TwinIndex(4), alarm: 0 };
    assert_eq!(room.order(unknown, Action::Acknowledge), Err(Refusal::Unknown));
}

#[test]
fn a_shelf_ends_by_itself_and_what_still_holds_is_told_anew() {
    let mut room = Room::new();
    room.say(TRIP, true);
    room.order(TRIP, Action::Acknowledge).expect("acknowledged");
    for minutes in [0, 481] {
        let refused = Refusal::Shelf { wished: minutes, most: 480 };
        assert_eq!(room.order(TRIP, Action::Shelve { minutes }), Err(refused));
    }
    room.order(TRIP, Action::Shelve { minutes: 2 }).expect("shelved");
    assert_eq!(room.order(TRIP, Action::Acknowledge), Err(Refusal::Suppressed));
    assert_eq!(room.wait(119), []);
    assert_eq!(room.shown(TRIP), Shown::Shelved);
    assert_eq!(room.wait(1), [Happened::ShelfOver, Happened::ToldAnew]);
    assert_eq!(room.shown(TRIP), Shown::Unacknowledged);
    assert_eq!(room.order(TRIP, Action::Unshelve), Err(Refusal::NotShelved));
}

#[test]
fn out_of_service_lasts_until_a_person_ends_it() {
    let mut room = Room::new();
    room.order(HOT, Action::OutOfService).expect("out");
    assert_eq!(room.order(HOT, Action::OutOfService), Err(Refusal::OutOfServiceAlready));
    room.say(HOT, true);
    room.wait(86_400);
    assert_eq!(room.shown(HOT), Shown::OutOfService);
    assert_eq!(room.desk.figures().told, 0, "what is told to nobody does not count");
    let released = room.order(HOT, Action::InService).expect("in");
    assert_eq!(released, [Happened::Ordered(Action::InService), Happened::ToldAnew]);
    assert_eq!(room.shown(HOT), Shown::Unacknowledged);
    assert_eq!(room.order(HOT, Action::InService), Err(Refusal::InService));
}

#[test]
fn an_alarm_suppresses_another_by_design() {
    let mut room = Room::new();
    assert_eq!(room.say(QUIET, true), [Happened::Raised]);
    assert_eq!(room.say(TRIP, true), [Happened::Raised, Happened::SuppressedByDesign]);
    assert_eq!(room.shown(QUIET), Shown::SuppressedByDesign);
    room.restart(Duration::from_secs(1));
    assert_eq!(room.shown(QUIET), Shown::SuppressedByDesign, "known before the first sample");
    room.say(QUIET, true);
    let told = room.say(TRIP, false);
    assert_eq!(told, [Happened::Returned, Happened::ReleasedByDesign, Happened::ToldAnew]);
}

#[test]
fn a_twin_that_does_not_send_stands_still() {
    let mut room = Room::new();
    room.say(TRIP, true);
    room.say(HOT, true);
    room.say(GONE, true);
    assert_eq!(room.stale(true), [Happened::Stale], "of the one that is up; the other only waits");
    assert_eq!(room.wait(60), []);
    assert_eq!((room.shown(TRIP), room.shown(GONE)), (Shown::SuppressedByStaleness, Shown::Unacknowledged));
    assert_eq!(room.say(TRIP, false), [], "what changes meanwhile …");
    assert_eq!(room.stale(true), [], "once is enough");
    let told = [Happened::Fresh, Happened::Returned, Happened::ReleasedByDesign];
    assert_eq!(room.stale(false), told, "… is said when it sends again");
    assert_eq!(room.wait(5), [Happened::Raised], "and the delay begins anew");
}

#[test]
fn the_first_of_a_group_is_marked() {
    let mut room = Room::new();
    room.say(TRIP, true);
    room.say(HOT, true);
    room.wait(5);
    let first = |room: &Room, key| room.desk.alarm(key).is_some_and(|alarm| alarm.first_out);
    assert_eq!((first(&room, TRIP), first(&room, HOT)), (true, false));
    room.say(TRIP, false);
    room.order(TRIP, Action::Acknowledge).expect("acknowledged");
    room.order(TRIP, Action::Reset).expect("reset");
    room.say(TRIP, true);
    assert!(!first(&room, TRIP), "the other is still up");
}

#[test]
fn chatter_is_three_in_a_minute_and_told_once() {
    let mut room = Room::new();
    let mut told = Vec::new();
    for _ in 0..6 {
        told.extend(room.say(QUIET, true));
        told.extend(room.say(QUIET, false));
        room.wait(10);
    }
    assert_eq!(told.iter().filter(|happened| **happened == Happened::Raised).count(), 6);
    assert_eq!(told.iter().filter(|happened| **happened == Happened::Chatters).count(), 1);
    assert!(room.desk.alarm(QUIET).is_some_and(|alarm| alarm.chatters));
    room.wait(61);
    assert!(room.desk.alarm(QUIET).is_some_and(|alarm| !alarm.chatters));
    assert_eq!(room.desk.told(QUIET), 6);
}

#[test]
fn a_flood_is_told_when_it_begins_and_ends() {
    let mut room = Room::new();
    for _ in 0..11 {
        room.say(QUIET, true);
        room.say(QUIET, false);
    }
    assert_eq!(room.wait(1), [Happened::FloodBegan]);
    assert!(room.wait(600).contains(&Happened::FloodEnded));
}

#[test]
fn all_that_people_did_holds_over_a_restart() {
    let mut room = Room::new();
    room.say(TRIP, true);
    room.order(TRIP, Action::Acknowledge).expect("acknowledged");
    room.order(HOT, Action::Shelve { minutes: 10 }).expect("shelved");
    room.order(GONE, Action::OutOfService).expect("out");
    room.restart(Duration::from_secs(240));
    let shown = [TRIP, HOT, GONE].map(|key| room.shown(key));
    assert_eq!(shown, [Shown::Acknowledged, Shown::Shelved, Shown::OutOfService]);
    assert!(room.desk.alarm(TRIP).is_some_and(|alarm| alarm.first_out && alarm.value == Some(81.5)));
    assert_eq!(room.say(TRIP, true), [], "still so, and still acknowledged");
    assert_eq!(room.wait(359), []);
    assert_eq!(room.wait(1), [Happened::ShelfOver]);
}

#[test]
fn a_shelf_that_ended_while_the_host_was_off_is_over_at_once() {
    let mut room = Room::new();
    room.order(HOT, Action::Shelve { minutes: 10 }).expect("shelved");
    room.restart(Duration::from_secs(3600));
    assert_eq!(room.wait(1), [Happened::ShelfOver]);
    assert_eq!(room.shown(HOT), Shown::Normal);
}

#[test]
fn a_clock_that_jumps_an_hour_shifts_nothing() {
    for jump in [-3_600_000_000_000_i64, 3_600_000_000_000] {
        let mut room = Room::new();
        room.say(HOT, true);
        room.order(TRIP, Action::Shelve { minutes: 1 }).expect("shelved");
        room.wait(2);
        room.now.wall.0 = room.now.wall.0.saturating_add_signed(jump);
        assert_eq!(room.wait(2), [], "{jump}");
        assert_eq!(room.wait(1), [Happened::Raised], "{jump}: after five seconds, no more and no less");
        assert_eq!(room.wait(54), [], "{jump}");
        assert_eq!(room.wait(1), [Happened::ShelfOver], "{jump}");
        assert_eq!(room.desk.figures().last_10_min(), 1, "{jump}");
        assert!(!room.desk.entries(room.now).any(|entry| entry.standing), "{jump}");
    }
    // Set back while the host was off: an hour later than said, and never longer than the site allows.
    let mut room = Room::new();
    room.order(HOT, Action::Shelve { minutes: 480 }).expect("shelved");
    room.now.wall = room.now.wall.minus(Duration::from_secs(3600));
    room.restart(Duration::ZERO);
    assert_eq!(room.wait(480 * 60 - 1), []);
    assert_eq!(room.wait(1), [Happened::ShelfOver]);
}

#[test]
fn what_stands_for_more_than_a_day_is_stale_also_after_a_restart() {
    let mut room = Room::new();
    room.say(TRIP, true);
    let standing = |room: &Room| room.desk.entries(room.now).filter(|entry| entry.standing).count();
    room.restart(Duration::from_secs(86_399));
    assert_eq!(standing(&room), 0);
    room.wait(2);
    assert_eq!(standing(&room), 1);
}

#[test]
fn what_a_version_keeps_for_the_journal_is_no_alarm() {
    let mut room = Room::new();
    let words = Words { priority: Priority::Journal, message: "x".to_owned(), unit: "1".to_owned() };
    let said =
        |holds, words| Signal::Condition { key: QUIET, holds, value: f64::NAN, detail: String::new(), words };
    assert_eq!(room.desk.hear(said(true, Some(words.clone())), room.now), []);
    assert!(room.desk.alarm(QUIET).is_none());
    room.say(QUIET, true);
    let changes = room.desk.hear(said(true, Some(words)), room.now);
    assert_eq!(changes[0].happened, Happened::Returned, "another version thinks less of it");
}

#[test]
fn an_order_that_cannot_be_written_down_is_undone() {
    let mut room = Room::new();
    room.say(TRIP, true);
    let before = room.desk.alarm(TRIP).cloned();
    room.order(TRIP, Action::Acknowledge).expect("acknowledged");
    assert_eq!(room.desk.unsaved().len(), 1);
    room.desk.undo(TRIP, before);
    assert_eq!(room.shown(TRIP), Shown::Unacknowledged);
}

#[derive(Clone, Debug)]
enum Step {
    Say(u32, bool),
    Stale(bool),
    Order(u32, Action),
    Wait(u64),
    Jump(i64),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        Just(Action::Acknowledge),
        Just(Action::Shelve { minutes: 1 }),
        Just(Action::Unshelve),
        Just(Action::OutOfService),
        Just(Action::InService),
        Just(Action::Reset),
    ];
    prop_oneof![
        4 => (0..4_u32, any::<bool>()).prop_map(|(alarm, holds)| Step::Say(alarm, holds)),
        1 => any::<bool>().prop_map(Step::Stale),
        3 => (0..4_u32, action).prop_map(|(alarm, action)| Step::Order(alarm, action)),
        3 => (1..90_u64).prop_map(Step::Wait),
        1 => (-3600..3600_i64).prop_map(|seconds| Step::Jump(seconds * 1_000_000_000)),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened: once nobody suppresses anything and the twin sends, every alarm is up or not as its
    /// condition says, and no alarm is lost on the way.
    #[test]
    fn in_the_end_an_alarm_is_what_its_condition_says(steps in prop::collection::vec(step(), 0..60), last in any::<[bool; 4]>()) {
        let mut room = Room::new();
        for step in steps {
            match step {
                Step::Say(alarm, holds) => drop(room.say(Key { twin: TWIN, alarm }, holds)),
                Step::Stale(stale) => drop(room.stale(stale)),
                Step::Order(alarm, action) => drop(room.order(Key { twin: TWIN, alarm }, action)),
                Step::Wait(seconds) => drop(room.wait(seconds)),
                Step::Jump(jump) => room.now.wall.0 = room.now.wall.0.saturating_add_signed(jump),
                Step::Restart => room.restart(Duration::from_secs(5)),
            }
        }
        room.stale(false);
        for (alarm, holds) in (0..).zip(last) {
            let key = Key { twin: TWIN, alarm };
            drop((room.order(key, Action::Unshelve), room.order(key, Action::InService)));
            room.say(key, holds);
        }
        room.wait(15);
        for (alarm, holds) in (0..).zip(last) {
            let key = Key { twin: TWIN, alarm };
            let found = room.desk.alarm(key);
            prop_assert_eq!(found.is_some_and(|alarm| alarm.state.is_active()), holds, "{:?}", found);
            let hidden = found.is_some_and(Alarm::is_suppressed);
            prop_assert_eq!(hidden, alarm == QUIET.alarm && last[1], "{:?}", found);
        }
    }
}
