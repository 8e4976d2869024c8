//! What a start makes of alarms that cannot be read: none of them is taken for quiet.

use std::collections::BTreeMap;

use geminus_core::{SeriesId, SystemClock, Timestamp};
use geminus_store::{Options, Store};
use geminus_twin::Site;

use super::*;

const TYPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pump-rig/types");

const SITE: &str = r#"
[[source]]
name = "broker"
mqtt = { url = "mqtt://127.0.0.1:1" }
[[twin]]
id = "rig-1"
type = "dtmi:geminus:example:PumpRig;1"
[[bind]]
source = "broker"
topic = "rig/{twin}/{point}"
[[alarm]]
name = "hot"
point = "temperature"
condition = "high"
limit = 90.0
priority = "high"
"#;

fn plant() -> Plant {
    let folder = tempfile::tempdir().expect("folder");
    let text = format!("[site]\ntypes = {TYPES:?}\n{SITE}");
    let site = Site::parse(&folder.path().join("site.toml"), &text).expect("a site");
    let mut numbers = BTreeMap::new();
    let mut number = |twin: &str, point: &str| {
        let next = u32::try_from(numbers.len()).expect("few");
        Ok(SeriesId(*numbers.entry((twin.to_owned(), point.to_owned())).or_insert(next)))
    };
    Plant::resolve(&site, &[], &mut number).expect("a plant")
}

#[test]
fn alarms_that_cannot_be_read_are_not_taken_for_quiet() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path(), Options::default(), Arc::new(SystemClock::new())).expect("store");
    let chronicle = Chronicle::new(store.journal());
    let plant = plant();
    let now = Now { wall: Timestamp(1_900_000_000_000_000_000), monotonic: 0 };
    let read = |read: Result<Vec<AlarmRecord>, StoreError>| {
        let definitions = plant.alarms.iter().map(|alarm| alarm.definition.clone()).collect();
        let mut desk = Desk::new(definitions, plant.alarm_settings.clone());
        let restored = restore(&mut desk, &plant, read, &chronicle, now);
        let told = at_start(&desk, &restored.unreadable, now);
        (restored.is_whole, told.into_iter().map(|alarm| (alarm.name, alarm.active)).collect::<Vec<_>>())
    };
    assert_eq!(read(Ok(Vec::new())), (true, Vec::new()));
    assert_eq!(read(Err(StoreError::Closed)), (false, Vec::new()), "nobody says how all of them stand");
    let damaged = |document: &str| AlarmRecord {
        twin: "rig-1".to_owned(),
        name: "hot".to_owned(),
        document: Some(document.to_owned()),
    };
    let blocks = (true, vec![("hot".to_owned(), true)]);
    assert_eq!(read(Ok(vec![damaged(r#"{"state":"#)])), blocks);
    store.journal().flush().expect("flushed");
    let entries = store.journal().after(0, 100).expect("read");
    let said = entries.iter().filter(|entry| entry.event.kind == "alarms-unreadable").count();
    assert_eq!(said, 2);
}
