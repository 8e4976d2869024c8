//! Samples that do not belong, or are no numbers.

use super::*;

#[test]
fn samples_that_do_not_belong_are_counted_under_their_reason() {
    let mut shard = shard(&format!("{SITE}[limits]\naccept_past_days = 1\n"));
    let day = 86_400_000;
    assert!(give(&mut shard, HOT, 1000, 20.0));
    assert!(!give(&mut shard, HOT, 1000, 21.0), "a duplicate is dropped");
    assert!(give(&mut shard, HOT, 500, 19.0), "a late one is history");
    assert!(!give(&mut shard, 999, 1000, 1.0), "a stray is dropped");
    let mut refused = vec![sample(HOT, 602_000, 1000, 1.0), sample(HOT, 601_000, 1000, 1.0)];
    shard.take(&mut refused, at_ms(1000));
    assert_eq!(refused.len(), 1, "600 s ahead is accepted, more is not");
    let mut old = vec![sample(LOAD, 0, day + 1, 1.0)];
    shard.take(&mut old, at_ms(day + 1));
    assert!(old.is_empty());
    let counters = shard.counters();
    assert_eq!((counters.samples, counters.duplicates, counters.late), (7, 1, 1));
    assert_eq!((counters.strays, counters.refused), (1, 2));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let told: Vec<_> =
        events.iter().filter(|event| event.kind == "sample-refused").map(|event| &event.message).collect();
    assert_eq!(told.len(), 2, "the journal hears once a minute");
    assert!(told[0].starts_with("sample of rig-1 hot refused: its time is 601 s ahead of"), "{}", told[0]);
    let late: Vec<_> = events.iter().filter(|event| event.kind == "samples-late").collect();
    assert_eq!(late.len(), 1, "of both kinds one entry a minute");
    assert!(late[0].message.contains("rig-1 hot came late or twice") && late[0].facts["count"] == 1);
    assert!(!give(&mut shard, HOT, 601_000, 1.0));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let late: Vec<_> = events.iter().filter(|event| event.kind == "samples-late").collect();
    assert_eq!(
        (late.len(), &late[0].facts["count"]),
        (1, &2.into()),
        "the late one and this, after a minute"
    );
    assert!(told[1].contains("86400 s behind") || told[1].contains("86401 s behind"), "{}", told[1]);
}

#[test]
fn what_is_no_number_is_bad_and_missing_for_behaviors() {
    let mut shard = shard(SITE);
    for (time, value) in [(0, f64::NAN), (1000, f64::INFINITY)] {
        let mut samples = vec![sample(HOT, time, time, value)];
        shard.take(&mut samples, at_ms(time));
        assert!(samples[0].value.is_nan() && samples[0].quality == Quality::Bad);
    }
    let mut known = vec![Sample { quality: Quality::Bad, ..sample(LOAD, 0, 0, f64::NAN) }];
    shard.take(&mut known, at_ms(120_000));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let told: Vec<_> = events.iter().filter(|event| event.kind == "sample-bad").collect();
    assert_eq!(told.len(), 1, "once a minute, and never of what its source calls bad: {told:?}");
    assert!(told[0].message.starts_with("sample of rig-1 hot is no number"), "{told:?}");
    let rows = ready(&mut shard);
    assert!(
        rows.iter().all(|(_, _, _, values, quality)| values[0].is_none() && quality[0] == Quality::Missing)
    );
    let view = shard.view(FIRST, at_ms(1000)).expect("view");
    assert_eq!((view.measured[0].value, view.measured[0].quality), (None, Quality::Bad));
}
