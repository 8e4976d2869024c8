//! Records of other systems: each once, as its source said it last, over restarts; read by time, page after page; bounded.
//! And the journal as a line of time, whatever the clock did.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use geminus_core::{Clock, ContextRecord, Event, ManualClock, Severity, Timestamp};
use geminus_store::{
    Filed, Journal, KeptRecord, Options, RECORDS_AT_ONCE_MAX, RECORDS_OF_TWIN_MAX, RecordFilter, Records,
    Store, StoreError, Stretch,
};

const NOW: Timestamp = Timestamp(1_900_000_000_000_000_000);

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default(), Arc::new(ManualClock::new(NOW))).expect("store")
}

fn order(id: &str, time: u64) -> ContextRecord {
    ContextRecord {
        source: "sap-pm".to_owned(),
        id: id.to_owned(),
        kind: "work-order".to_owned(),
        title: format!("order {id}"),
        time: Timestamp(time),
        ..ContextRecord::default()
    }
}

fn keep(records: &Records, twin: &str, given: &[ContextRecord]) -> Vec<Filed> {
    records.keep(twin, given, "erp of ada", NOW).expect("kept").each
}

fn line(records: &Records, twin: &str, stretch: &Stretch, limit: usize) -> Vec<KeptRecord> {
    records.line(twin, RecordFilter::default(), stretch, limit).expect("read")
}

fn ids(found: &[KeptRecord]) -> Vec<&str> {
    found.iter().map(|kept| kept.record.id.as_str()).collect()
}

#[test]
fn a_record_is_kept_once_and_corrected_in_its_place_over_restarts() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let whole = ContextRecord {
        until: Some(Timestamp(30)),
        changed: Some(Timestamp(5)),
        link: Some("https://erp.example/7".to_owned()),
        state: "released".to_owned(),
        detail: "two bearings".to_owned(),
        facts: serde_json::json!({"cost": 12.5, "parts": ["a", "b"]}),
        ..order("7", 10)
    };
    assert_eq!(keep(&store.records(), "pump-1", &[whole.clone(), order("8", 20)]), [Filed::New; 2]);
    assert_eq!(keep(&store.records(), "pump-1", &[whole.clone(), order("8", 20)]), [Filed::Same; 2]);
    store.close().expect("close");
    let store = open(dir.path());
    let records = store.records();
    let before = line(&records, "pump-1", &Stretch::all(), 10);
    assert_eq!((ids(&before), &before[0].record), (vec!["7", "8"], &whole));
    assert_eq!((before[0].revision, before[0].received, before[0].corrected), (0, NOW, None));
    // The same number of another source, or of another twin, is another record.
    let other = ContextRecord { source: "mes".to_owned(), ..order("7", 10) };
    assert_eq!(keep(&records, "pump-1", &[other]), [Filed::New]);
    assert_eq!(keep(&records, "pump-2", &[order("7", 10)]), [Filed::New]);
    let moved =
        ContextRecord { time: Timestamp(25), changed: Some(Timestamp(6)), until: None, ..whole.clone() };
    assert_eq!(keep(&records, "pump-1", &[moved.clone(), whole.clone()]), [Filed::Corrected, Filed::Older]);
    let after = line(&records, "pump-1", &Stretch::all(), 10);
    assert_eq!(ids(&after), ["7", "8", "7"], "it stands at its new time");
    assert_eq!((&after[2].record, after[2].number), (&moved, before[0].number));
    assert_eq!((after[2].revision, after[2].corrected, after[2].by.as_str()), (1, Some(NOW), "erp of ada"));
}

#[test]
fn what_its_source_takes_back_is_gone_and_stays_gone() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let records = store.records();
    let version = |changed: u64, removed: bool| ContextRecord {
        changed: Some(Timestamp(changed)),
        removed,
        ..order("7", 10)
    };
    keep(&records, "pump-1", &[version(1, false)]);
    assert_eq!(keep(&records, "pump-1", &[version(3, true)]), [Filed::Removed]);
    assert_eq!(line(&records, "pump-1", &Stretch::all(), 10), []);
    assert_eq!(keep(&records, "pump-1", &[version(2, false), version(3, true)]), [Filed::Older, Filed::Same]);
    assert_eq!(line(&records, "pump-1", &Stretch::all(), 10), []);
    // The mark of one that was never seen serves as well.
    let unseen = ContextRecord { removed: true, changed: Some(Timestamp(9)), ..order("9", 10) };
    let late = ContextRecord { removed: false, changed: Some(Timestamp(8)), ..unseen.clone() };
    assert_eq!(keep(&records, "pump-1", &[unseen, late]), [Filed::Removed, Filed::Older]);
    assert_eq!(keep(&records, "pump-1", &[version(4, false)]), [Filed::Corrected], "its source has it again");
    assert_eq!(ids(&line(&records, "pump-1", &Stretch::all(), 10)), ["7"]);
}

#[test]
fn pages_go_on_where_the_one_before_ended_in_both_orders() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let records = store.records();
    // Three at each time, so that pages end between equal times.
    let all: Vec<_> = (0..30).map(|number| order(&format!("{number:02}"), number / 3 * 10)).collect();
    keep(&records, "pump-1", &all);
    for newest_first in [false, true] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let stretch = Stretch { after, newest_first, ..Stretch::all() };
            let page = line(&records, "pump-1", &stretch, 7);
            let Some(last) = page.last() else { break };
            after = Some((last.record.time, last.number));
            found.extend(page.iter().map(|kept| kept.record.id.clone()));
            // One that comes late, at a time that was passed already, moves nothing.
            keep(
                &records,
                "pump-1",
                &[order(&format!("late-{}", found.len()), if newest_first { 1_000 } else { 0 })],
            );
        }
        if newest_first {
            found.reverse();
        }
        let expect: Vec<String> = all.iter().map(|record| record.id.clone()).collect();
        let found: Vec<String> = found.into_iter().filter(|id| !id.starts_with("late")).collect();
        assert_eq!(found, expect);
    }
}

#[test]
fn a_stretch_has_what_reaches_into_it_and_kinds_are_told_apart() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let records = store.records();
    let spans = [
        ("before", 5, Some(9)),
        ("into", 5, Some(10)),
        ("within", 12, Some(13)),
        ("out", 19, Some(50)),
        ("point", 15, None),
        ("end", 20, None),
        ("over", 1, Some(99)),
    ];
    let given =
        spans.map(|(id, time, until)| ContextRecord { until: until.map(Timestamp), ..order(id, time) });
    keep(&records, "pump-1", &given);
    let stretch = Stretch { from: Timestamp(10), to: Timestamp(20), ..Stretch::all() };
    assert_eq!(ids(&line(&records, "pump-1", &stretch, 10)), ["over", "into", "within", "point", "out"]);
    let newest = Stretch { newest_first: true, ..stretch };
    assert_eq!(ids(&line(&records, "pump-1", &newest, 2)), ["out", "point"]);
    let calibration = ContextRecord { kind: "calibration".to_owned(), ..order("cal", 14) };
    keep(&records, "pump-1", &[calibration]);
    let of = |filter| ids(&records.line("pump-1", filter, &stretch, 10).expect("read")).len();
    assert_eq!(of(RecordFilter { kind: Some("calibration"), but: None }), 1);
    assert_eq!(of(RecordFilter { kind: None, but: Some("calibration") }), 5);
    assert_eq!(line(&records, "pump-2", &stretch, 10), []);
}

#[test]
fn there_are_never_too_many() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let records = store.records();
    let many: Vec<_> = (0..=RECORDS_AT_ONCE_MAX).map(|number| order(&number.to_string(), 1)).collect();
    let refused = records.keep("pump-1", &many, "erp", NOW).expect_err("too many at once");
    assert!(matches!(refused, StoreError::TooLarge { limit: RECORDS_AT_ONCE_MAX, .. }), "{refused}");
    assert_eq!(line(&records, "pump-1", &Stretch::all(), 10), [], "all or none");
    let mut forgotten = 0;
    for batch in 0..=RECORDS_OF_TWIN_MAX / RECORDS_AT_ONCE_MAX {
        let numbers = batch * RECORDS_AT_ONCE_MAX..(batch + 1) * RECORDS_AT_ONCE_MAX;
        let given: Vec<_> = numbers.map(|number| order(&number.to_string(), number as u64)).collect();
        forgotten += records.keep("pump-1", &given, "erp", NOW).expect("kept").forgotten;
    }
    assert_eq!(forgotten, RECORDS_AT_ONCE_MAX as u64);
    let first = line(&records, "pump-1", &Stretch::all(), 1);
    assert_eq!(first[0].record.id, RECORDS_AT_ONCE_MAX.to_string(), "the earliest are forgotten");
    keep(&records, "pump-2", &[order("7", 0)]);
    assert_eq!(line(&records, "pump-2", &Stretch::all(), 1).len(), 1, "one twin does not push out another's");
    store.close().expect("close");
    assert!(matches!(records.keep("pump-1", &[], "erp", NOW), Err(StoreError::Closed)));
}

/// A clock that somebody sets.
#[derive(Debug)]
struct Dial(AtomicU64);

impl Clock for Dial {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn entries(journal: &Journal, twin: Option<&str>, stretch: &Stretch, limit: usize) -> Vec<String> {
    let found = journal.line(twin, stretch, limit).expect("read");
    found.into_iter().map(|entry| entry.event.message).collect()
}

#[test]
fn the_journal_is_read_by_time_also_after_the_clock_was_set_back() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(Dial(AtomicU64::new(NOW.0)));
    let store = Store::open(dir.path(), Options::default(), Arc::<Dial>::clone(&clock)).expect("store");
    let journal = store.journal();
    let at = |offset: u64| Timestamp(NOW.0 + offset);
    let tell = |offset: u64, twin: Option<&str>, kind: &str, text: &str| {
        clock.0.store(at(offset).0, Ordering::SeqCst);
        let event = Event::new(kind, Severity::Info, text);
        journal.record(match twin {
            Some(twin) => event.twin(twin),
            None => event,
        })
    };
    for (offset, twin, kind, text) in [
        (10, Some("pump-1"), "alert-raised", "a"),
        (20, None, "host-started", "start"),
        (30, Some("pump-1"), "alert-cleared", "b"),
        (30, Some("pump-2"), "alert-raised", "other"),
        (30, Some("pump-1"), "alert-raised", "c"),
        // Set back.
        (15, Some("pump-1"), "alert-raised", "d"),
        (40, None, "site-changed", "site"),
        (41, None, "plugin-arrived", "no line has it"),
    ] {
        tell(offset, twin, kind, text).expect("written");
    }
    let all = Stretch::all();
    assert_eq!(entries(&journal, Some("pump-1"), &all, 10), ["a", "d", "b", "c"]);
    assert_eq!(entries(&journal, Some("pump-1"), &Stretch { newest_first: true, ..all }, 3), ["c", "b", "d"]);
    assert_eq!(entries(&journal, None, &all, 10), ["start", "site"]);
    let some = Stretch { from: at(15), to: at(30), ..all };
    assert_eq!(entries(&journal, Some("pump-1"), &some, 10), ["d"]);
    // Entry 3 is "b": of the two at one time the later one is left.
    let rest = Stretch { after: Some((at(30), 3)), ..all };
    assert_eq!(entries(&journal, Some("pump-1"), &rest, 10), ["c"]);
    let back = Stretch { after: Some((at(30), 3)), newest_first: true, ..all };
    assert_eq!(entries(&journal, Some("pump-1"), &back, 10), ["d", "a"]);
}
