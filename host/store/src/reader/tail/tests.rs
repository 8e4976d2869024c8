//! Tails against a naive model, with folds between the parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use geminus_core::{Quality, SystemClock};
use proptest::prelude::*;

use super::*;
use crate::{Options, Reader, Store};

const SERIES: u32 = 4;

/// (series, time) → value, first come.
type Model = BTreeMap<(u32, u64), f64>;

fn sample(series: u32, time: u64, value: f64) -> Sample {
    let (time, received) = (Timestamp(time), Timestamp::from_millis(time / 1_000_000 + 3));
    Sample { series: SeriesId(series), quality: Quality::Good, value, time, received }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    (0..SERIES, 0u64..50, 0u32..1000)
        .prop_map(|(series, at, value)| sample(series, at * 1_000_000, value.into()))
}

type Bits = (Option<(u64, u64)>, Vec<(u64, u64)>, bool);

fn naive(model: &Model, (series, from): (SeriesId, Timestamp), limit: usize) -> Bits {
    let of = |range: std::ops::Range<(u32, u64)>| {
        model.range(range).map(|((_, time), value)| (*time, value.to_bits())).collect::<Vec<_>>()
    };
    let before = of((series.0, 0)..(series.0, from.0)).last().copied();
    let since = of((series.0, from.0)..(series.0, u64::MAX));
    let over = since.len().saturating_sub(limit);
    (before.filter(|_| over == 0), since[over..].to_vec(), over > 0)
}

fn found(tail: &Tail) -> Bits {
    let one = |sample: &Sample| (sample.time.0, sample.value.to_bits());
    (tail.before.as_ref().map(one), tail.since.iter().map(one).collect(), tail.cut)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn tails_are_what_a_naive_model_says(
        parts in prop::collection::vec((prop::collection::vec(any_sample(), 0..90), any::<bool>()), 1..6),
        from in prop::collection::vec(0u64..50_000_000, SERIES as usize + 1),
        limit in 1usize..30,
    ) {
        let dir = tempfile::tempdir().expect("folder");
        let options = Options { group_commit_ms: 0, block_points_max: 16, ..Options::default() };
        let store = Store::open(dir.path(), options, Arc::new(SystemClock::new())).expect("store");
        let mut model = Model::new();
        for (samples, fold) in parts {
            for sample in &samples {
                model.entry((sample.series.0, sample.time.0)).or_insert(sample.value);
            }
            store.recorder().record(samples, Vec::new());
            if fold { store.fold() } else { store.flush() }.expect("written");
        }
        // One more than there are.
        let wanted: Vec<_> = from.iter().zip(0..).map(|(from, series)| (SeriesId(series), Timestamp(*from))).collect();
        let tails = Reader::open(dir.path()).expect("reader").tails(&wanted, limit).expect("tails");
        prop_assert_eq!(tails.len(), wanted.len());
        for (tail, one) in tails.iter().zip(&wanted) {
            prop_assert_eq!(found(tail), naive(&model, *one, limit));
            let newest = model.range((one.0.0, 0)..(one.0.0, u64::MAX)).last().map(|((_, time), _)| *time);
            prop_assert_eq!(tail.newest().map(|sample| sample.time.0), newest);
        }
    }
}
