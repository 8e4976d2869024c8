//! Outputs that read as before a restart until the first row, and what history keeps of values that are no number.

use super::*;

fn core(value: f64, quality: Quality) -> Outcome {
    Outcome { outputs: 2, values: vec![value; 2], quality: vec![quality; 2], ..Outcome::default() }
}

/// Lets a row of the first behavior end with this outcome; gives what history gets of it.
fn row(shard: &mut Shard, ms: u64, outcome: &Outcome) -> Vec<Sample> {
    give(shard, HOT, ms, 20.0);
    let mut recorded = Vec::new();
    for (binding, frame) in drain(shard).into_iter().filter(|(binding, _)| *binding == CORE) {
        shard.apply(binding, &frame, outcome, at_ms(ms), &mut recorded);
    }
    recorded
}

#[test]
fn outputs_read_as_before_until_the_first_row() {
    let mut shard = shard(SITE);
    let (values, quality) = ([300.0, 2.0], [Quality::Stale, Quality::Uncertain]);
    let at = Recalled { time: at_ms(1_000).wall, received: at_ms(1_200).wall };
    shard.recall(FIRST, CORE, (&values, &quality), Some(at), at_ms(10_000));
    let seen = |shard: &Shard, ms: u64| shard.view(FIRST, at_ms(ms)).expect("view");
    let view = seen(&shard, 10_000);
    let inside = &view.estimated[0];
    assert_eq!((inside.value, inside.quality), (Some(300.0), Quality::Stale));
    assert_eq!((inside.time, inside.received), (Some(at.time), Some(at.received)));
    assert_eq!(inside.age_ms, Some(8_800), "of when it was computed");
    assert_eq!((view.estimated[1].value, view.estimated[1].quality), (Some(2.0), Quality::Uncertain));
    assert_eq!(view.behaviors[0].rows, 0, "that is no row");
    assert_eq!(shard.outputs(FIRST, CORE), Some((&values[..], &quality[..])));
    row(&mut shard, 11_000, &core(310.0, Quality::Good));
    let expect = (Some(310.0), Some(at_ms(11_000).wall), Some(0));
    let inside = |shard: &Shard| {
        let inside = &seen(shard, 11_000).estimated[0];
        (inside.value, inside.time, inside.age_ms)
    };
    assert_eq!(inside(&shard), expect);
    shard.recall(FIRST, CORE, (&values, &quality), Some(at), at_ms(11_000));
    assert_eq!(inside(&shard), expect, "what was computed in this run stays");
}

#[test]
fn what_was_never_computed_reads_bad_and_strangers_are_passed_over() {
    let mut shard = shard(SITE);
    shard.recall(FIRST, CORE, (&[f64::NAN; 2], &[Quality::Bad; 2]), None, at_ms(0));
    shard.recall(TwinIndex(7), CORE, (&[1.0; 2], &[Quality::Good; 2]), None, at_ms(0));
    let view = shard.view(FIRST, at_ms(0)).expect("view");
    let inside = &view.estimated[0];
    assert_eq!((inside.value, inside.quality), (None, Quality::Bad));
    assert_eq!((inside.time, inside.received, inside.age_ms), (None, None, None));
    let other = shard.view(TwinIndex(1), at_ms(0)).expect("view");
    assert_eq!(other.estimated[0].quality, Quality::Missing);
}

#[test]
fn history_keeps_of_what_is_no_number_the_first_after_a_number() {
    let mut shard = shard(SITE);
    let nan = core(f64::NAN, Quality::Bad);
    let kept = |shard: &mut Shard, second: u64, outcome: &Outcome| row(shard, second * 1_000, outcome).len();
    assert_eq!(kept(&mut shard, 1, &nan), 0, "nothing was before");
    for (second, quality) in [(2, Quality::Good), (4, Quality::Stale), (6, Quality::Bad)] {
        assert_eq!(kept(&mut shard, second, &core(300.0, quality)), 2, "{quality:?}");
        assert_eq!(kept(&mut shard, second + 1, &nan), 2, "after a number that was {quality:?}");
    }
    assert_eq!(kept(&mut shard, 8, &nan), 0, "known already");
}
