//! What people see: health, changes, and a twin in full.

use super::*;

#[test]
fn health_is_unknown_unless_somebody_knows() {
    let mut shard = shard(SITE);
    let health = |shard: &Shard, ms| shard.summary(FIRST, at_ms(ms)).expect("summary").health;
    let unknown = Health { index: None, verdict: Verdict::Unknown };
    assert_eq!(health(&shard, 0), unknown);
    for (second, index, verdict) in
        [(1, 0.9, Verdict::Ok), (2, 0.49, Verdict::Warning), (3, 0.1, Verdict::Critical)]
    {
        let ms = second * 1000;
        give(&mut shard, HOT, ms, 20.0);
        give(&mut shard, LOAD, ms, 1.0);
        give(&mut shard, SHAKE, ms, 1.0);
        while let Some((binding, frame)) = shard.next_frame(10) {
            let mut outcome = answer(binding, &frame);
            if binding == JUDGE {
                outcome.values.fill(index);
                outcome.quality.fill(Quality::Good);
            }
            shard.apply(binding, &frame, &outcome, at_ms(ms), &mut Vec::new());
        }
        assert_eq!(health(&shard, ms), Health { index: Some(index), verdict });
    }
    let mut changed = Vec::new();
    shard.take_changed(&mut changed);
    assert_eq!(changed, [FIRST], "told once, however often it changed");
    shard.tick(at_ms(60_000));
    assert_eq!(health(&shard, 60_000), unknown);
}

#[test]
fn watched_twins_tell_what_changed_once() {
    let mut shard = shard(SITE);
    give(&mut shard, HOT, 0, 20.0);
    let mut updates = Vec::new();
    shard.take_dirty(at_ms(0), &mut updates);
    assert_eq!(updates, [], "nobody looks");
    shard.watch(FIRST, true);
    give(&mut shard, HOT + 7, 0, 20.0);
    shard.take_dirty(at_ms(10), &mut updates);
    let points = |updates: &[Update]| -> Vec<_> {
        updates
            .iter()
            .flat_map(|update| update.points.iter().map(|point| (point.point, point.value)))
            .collect()
    };
    assert_eq!((updates.len(), points(&updates)), (1, vec![(0, 20.0)]), "what was there when looking began");
    updates.clear();
    give(&mut shard, HOT, 1000, 21.0);
    give(&mut shard, HOT, 2000, 22.0);
    step_all(&mut shard, at_ms(2000));
    shard.take_dirty(at_ms(2000), &mut updates);
    assert_eq!(points(&updates)[0], (0, 22.0), "only the newest");
    assert_eq!(points(&updates).iter().map(|(point, _)| *point).collect::<Vec<_>>(), [0, 4, 5, 6]);
    updates.clear();
    shard.take_dirty(at_ms(2100), &mut updates);
    assert_eq!(updates, []);
    shard.tick(at_ms(7001));
    shard.take_dirty(at_ms(7001), &mut updates);
    assert_eq!((updates[0].state, updates[0].points[0].quality), (State::Stale, Quality::Stale));
    shard.watch(FIRST, false);
    give(&mut shard, HOT, 9000, 22.0);
    updates.clear();
    shard.take_dirty(at_ms(9000), &mut updates);
    assert_eq!(updates, []);
}

#[test]
fn the_view_says_everything() {
    let mut shard = shard(SITE);
    give(&mut shard, LOAD, 0, 1000.0);
    give(&mut shard, HOT, 0, 20.0);
    step_all(&mut shard, at_ms(0));
    let view = shard.view(TwinIndex(0), at_ms(700)).expect("view");
    assert_eq!(
        (view.id.as_str(), view.display_name.as_str(), view.type_id.as_str()),
        ("rig-1", "Rig rig-1", "dtmi:t:Rig;1")
    );
    assert_eq!((view.summary.state, view.summary.age_ms), (State::Live, Some(700)));
    let hot = &view.measured[0];
    assert_eq!((hot.value, hot.age_ms, hot.interval_ms, hot.role), (Some(20.0), Some(700), Some(1000), None));
    let inside = &view.estimated[0];
    assert_eq!(
        (inside.name.as_str(), inside.unit.as_str(), inside.of.as_deref()),
        ("core.inside", "K", Some("hot"))
    );
    assert_eq!((inside.value, inside.behavior.as_deref()), (Some(293.15 * 2.0 + 1.0), Some("core")));
    assert_eq!((inside.time, inside.received), (Some(at_ms(0).wall), Some(at_ms(0).wall)));
    assert_eq!(
        (view.behaviors[0].name.as_str(), view.behaviors[0].rows, view.behaviors[0].warming_up),
        ("core", 1, true)
    );
    assert_eq!(view.estimated[2].value, None);
    assert!(shard.view(TwinIndex(7), at_ms(0)).is_none());
}
