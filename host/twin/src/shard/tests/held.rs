//! What inputs hold, asked between two rows.

use super::*;

#[test]
fn inputs_are_told_as_they_stand_now_whether_or_not_they_count_once() {
    let mut shard = shard(SITE);
    let asked = |shard: &Shard, ms| shard.held(FIRST, CORE, at_ms(ms)).expect("a behavior of the twin");
    assert!(asked(&shard, 0).iter().all(|(value, quality)| value.is_nan() && *quality == Quality::Missing));
    give(&mut shard, LOAD, 1000, 1000.0);
    give(&mut shard, HOT, 1000, 20.0);
    let rows = ready(&mut shard);
    let core = rows.iter().find(|(binding, ..)| *binding == CORE).expect("a row").clone();
    let held = asked(&shard, 1000);
    let values: Vec<Option<f64>> =
        held.iter().map(|(value, _)| Some(*value).filter(|value| !value.is_nan())).collect();
    assert_eq!((values, held.len()), (core.3, core.4.len()), "in the declared units, as in the row");
    let later = asked(&shard, 3_600_000);
    let qualities: Vec<Quality> = later.iter().map(|(_, quality)| *quality).collect();
    assert_eq!(qualities, [Quality::Stale, Quality::Stale, Quality::Missing], "the third is not bound");
    assert_eq!(shard.held(TwinIndex(9), CORE, at_ms(0)), None);
    assert_eq!(shard.held(FIRST, BindingIndex(9), at_ms(0)), None);
}
