//! What is live and what is stale, whatever the clocks of sources and of this machine say.

use super::*;

#[test]
fn staleness_goes_by_the_time_of_receipt() {
    let mut shard = shard(SITE);
    let state = |shard: &Shard, ms: u64| shard.summary(FIRST, at_ms(ms)).expect("summary").state;
    assert_eq!(
        (state(&shard, 0), shard.summary(FIRST, at_ms(0)).expect("it").age_ms),
        (State::Waiting, None)
    );
    give(&mut shard, LOAD, 0, 1.0);
    give(&mut shard, HOT, 3000, 20.0);
    shard.tick(at_ms(5001));
    assert_eq!(state(&shard, 5001), State::Live);
    let quality =
        |shard: &Shard, point: usize, ms| shard.view(FIRST, at_ms(ms)).expect("view").measured[point].quality;
    assert_eq!((quality(&shard, 1, 5000), quality(&shard, 1, 5001)), (Quality::Good, Quality::Stale));
    assert_eq!((quality(&shard, 0, 5001), quality(&shard, 2, 5001)), (Quality::Good, Quality::Missing));
    shard.tick(at_ms(8000));
    assert_eq!(state(&shard, 8000), State::Live);
    shard.tick(at_ms(8001));
    assert_eq!(state(&shard, 8001), State::Stale);
    // The same once more is no sign of life: a broker gives its last message again by itself.
    let mut again = vec![sample(HOT, 3000, 9000, 20.0)];
    shard.take(&mut again, at_ms(9000));
    assert_eq!((state(&shard, 9000), again.len()), (State::Stale, 0));
    // A late sample is one: its source sends.
    let mut late = vec![sample(HOT, 2000, 10_000, 20.0)];
    shard.take(&mut late, at_ms(10_000));
    assert_eq!((state(&shard, 10_000), late.len()), (State::Live, 1));
    assert_eq!(shard.summary(FIRST, at_ms(10_000)).expect("it").age_ms, Some(0));
    assert_eq!((quality(&shard, 0, 15_000), quality(&shard, 0, 15_001)), (Quality::Good, Quality::Stale));
    let mut events = Vec::new();
    shard.take_events(&mut events);
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["twin-stale", "samples-late", "twin-live"]);
    // The other twin never spoke, and is not stale but waiting.
    assert_eq!(shard.summary(TwinIndex(1), at_ms(99_000)).expect("it").state, State::Waiting);
}

#[test]
fn a_point_that_has_only_late_samples_is_live_and_the_journal_says_what_stands_in_the_way() {
    let mut shard = shard(SITE);
    let late = |shard: &mut Shard, ms: u64| {
        let kept = give(shard, HOT, ms, 20.0);
        shard.tick(at_ms(ms));
        let mut events = Vec::new();
        shard.take_events(&mut events);
        let all: Vec<_> = events
            .into_iter()
            .map(|event| (event.kind, event.severity, event.message, event.facts))
            .collect();
        (kept, all)
    };
    // A clock that is 300 s ahead for a moment, and right again.
    shard.take(&mut vec![sample(HOT, 300_000, 0, 20.0)], at_ms(0));
    for second in 1..=120_u64 {
        let (kept, told) = late(&mut shard, second * 1000);
        assert!(kept, "late ones are history");
        assert_eq!(shard.summary(FIRST, at_ms(second * 1000)).expect("it").state, State::Live, "{second}");
        // The first is told as usual; what lasts longer than five seconds is a warning, once a minute.
        match second {
            1 => assert_eq!((told.len(), told[0].1), (1, Severity::Info), "{told:?}"),
            7 | 67 => {
                let [(kind, severity, message, facts)] = &told[..] else { panic!("{second}: {told:?}") };
                assert_eq!((kind.as_str(), *severity), ("samples-late", Severity::Warning));
                let ahead = 300 - second;
                assert!(
                    message.contains(&format!(
                        "rig-1 hot has had nothing but late samples for {} s",
                        second - 1
                    )),
                    "{message}"
                );
                assert!(message.contains(&format!("{ahead} s ahead of this host's clock")), "{message}");
                assert!(message.contains("nothing is newer until 2023-11-14T22:18:20"), "{message}");
                assert_eq!(facts["newest_ms"], START_S * 1000 + 300_000);
                assert_eq!(facts["count"], if second == 7 { 1 } else { 60 });
            }
            _ => assert_eq!(told, [], "{second}"),
        }
    }
    // A newer one ends it: what is late after it has to last again.
    assert!(give(&mut shard, HOT, 300_001, 20.0));
    let (_, told) = late(&mut shard, 300_000);
    assert_eq!((told.len(), told[0].1), (1, Severity::Info), "{told:?}");
    assert!(shard.notices.late_since.len() == 1 && shard.counters().late == 121);
    give(&mut shard, HOT, 300_002, 20.0);
    assert!(shard.notices.late_since.is_empty());
}

#[test]
fn a_wall_clock_that_jumps_makes_nothing_fresh_or_stale() {
    let mut shard = shard(SITE);
    give(&mut shard, HOT, 0, 20.0);
    let jumped = |ms: u64, by_s: i64| Moment {
        wall: Timestamp((at_ms(ms).wall.0 as i64 + by_s * SECOND_NS as i64) as u64),
        monotonic: ms * 1_000_000,
    };
    shard.tick(jumped(4000, 86_400));
    assert_eq!(shard.summary(FIRST, jumped(4000, 86_400)).expect("it").state, State::Live);
    shard.tick(jumped(6000, -86_400));
    assert_eq!(shard.summary(FIRST, jumped(6000, -86_400)).expect("it").state, State::Stale);
}
