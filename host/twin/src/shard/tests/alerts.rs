//! Alerts: they rise and fall with the rows, and are kept aside while their twin is stale.

use super::*;

#[test]
fn alerts_rise_and_fall_with_the_rows() {
    let mut shard = shard(SITE);
    raise(&mut shard, 0, &[]);
    raise(&mut shard, 1000, &[0]);
    raise(&mut shard, 2000, &[0, 1]);
    assert_eq!(told(&mut shard), ["alert-raised rig-1 too-hot: at 1000", "alert-raised rig-1 odd: at 2000"]);
    let view = shard.view(FIRST, at_ms(2000)).expect("view");
    let alerts: Vec<_> = view
        .alerts
        .iter()
        .map(|alert| (alert.code.as_str(), alert.priority, alert.detail.as_str()))
        .collect();
    assert_eq!(alerts, [("too-hot", Priority::High, "at 2000"), ("odd", Priority::Low, "at 2000")]);
    assert_eq!(view.alerts[0].since, at_ms(1000).wall);
    assert_eq!((view.summary.alerts, view.summary.highest), (2, Some(Priority::High)));
    // An index that was never declared is nobody's alert.
    raise(&mut shard, 3000, &[1, 63]);
    assert_eq!(told(&mut shard), ["alert-cleared rig-1 too-hot: cleared"]);
    // A row that was not stepped clears nothing.
    give(&mut shard, HOT, 4000, 20.0);
    let (binding, frame) = shard.next_frame(10).expect("row");
    let bad = Outcome {
        outputs: 2,
        values: vec![f64::NAN; 2],
        quality: vec![Quality::Bad; 2],
        ..Outcome::default()
    };
    let mut recorded = Vec::new();
    shard.apply(binding, &frame, &bad, at_ms(4000), &mut recorded);
    assert_eq!(shard.summary(FIRST, at_ms(4000)).expect("it").alerts, 1);
    assert!(recorded.len() == 2 && recorded.iter().all(|it| it.value.is_nan() && it.quality == Quality::Bad));
    assert!(told(&mut shard).is_empty());
}

#[test]
fn alerts_of_a_stale_twin_are_kept_aside_and_come_back() {
    let mut shard = shard(SITE);
    raise(&mut shard, 0, &[0]);
    told(&mut shard);
    shard.tick(at_ms(5001));
    let view = shard.view(FIRST, at_ms(5001)).expect("view");
    assert_eq!((view.alerts.len(), view.suppressed_alerts, view.summary.alerts), (0, 1, 0));
    assert_eq!(view.summary.highest, None);
    // A row that was closed before and is applied now changes the set, but the journal hears of it later.
    give(&mut shard, HOT, 6000, 20.0);
    let (binding, frame) = shard.next_frame(10).expect("row");
    shard.tick(at_ms(12_000));
    let outcome = Outcome {
        alerts: vec![Alert { row: 0, alert: 1, value: 1.0, detail: String::new() }],
        ..answer(CORE, &frame)
    };
    shard.apply(binding, &frame, &outcome, at_ms(12_000), &mut Vec::new());
    let words = told(&mut shard);
    let kinds: Vec<_> = words.iter().filter_map(|event| event.split(' ').next()).collect();
    assert_eq!(kinds, ["twin-stale", "twin-live", "twin-stale"]);
    give(&mut shard, LOAD, 13_000, 1.0);
    assert_eq!(
        told(&mut shard),
        [
            "twin-live rig-1 sends again",
            "alert-raised rig-1 odd: odd",
            "alert-cleared rig-1 too-hot: cleared"
        ]
    );
    assert_eq!(shard.summary(FIRST, at_ms(13_000)).expect("it").alerts, 1);
}
