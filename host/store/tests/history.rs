//! History against a naive model: whatever is written, however often, late, folded or sealed, each (series, time) is
//! there once, with the value that came first.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use geminus_core::{Quality, Sample, SeriesId, SystemClock, Timestamp};
use geminus_store::{Bucket, Options, Reader, Store};
use proptest::prelude::*;

const SERIES: u32 = 4;
const ALL: (Timestamp, Timestamp) = (Timestamp(0), Timestamp(u64::MAX));

/// (series, time) → sample, first come.
type Model = BTreeMap<(u32, u64), Sample>;

#[derive(Clone, Debug)]
enum Step {
    Record(Vec<Sample>),
    Flush,
    Fold,
    Seal,
    Reopen,
}

fn sample(series: u32, time: u64, value: f64, quality: u8) -> Sample {
    let time = Timestamp(time);
    let received = Timestamp::from_millis(time.millis() + 3);
    Sample { series: SeriesId(series), quality: Quality::from_u8(quality), value, time, received }
}

fn open(dir: &Path) -> Store {
    let options = Options { group_commit_ms: 0, block_points_max: 64, ..Options::default() };
    Store::open(dir, options, Arc::new(SystemClock::new())).expect("store")
}

fn bits(sample: &Sample) -> (u32, u64, u64, u64, Quality) {
    (sample.series.0, sample.time.0, sample.received.0, sample.value.to_bits(), sample.quality)
}

fn expected(model: &Model, series: u32, from: u64, to: u64) -> Vec<Sample> {
    model.range((series, from)..(series, to)).map(|(_, sample)| *sample).collect()
}

fn check(reader: &Reader, model: &Model, windows: &[(u64, u64)]) {
    for series in 0..SERIES {
        let id = SeriesId(series);
        for (from, to) in windows.iter().copied().chain([(ALL.0.0, ALL.1.0)]) {
            let expect = expected(model, series, from, to);
            let (start, end) = (Timestamp(from), Timestamp(to));
            let found = reader.range(id, start, end, usize::MAX).expect("range");
            assert_eq!(
                found.iter().map(bits).collect::<Vec<_>>(),
                expect.iter().map(bits).collect::<Vec<_>>()
            );
            assert_eq!(reader.count(id, start, end).expect("count"), expect.len() as u64);
            let few = reader.range(id, start, end, 3).expect("range");
            assert_eq!(
                few.iter().map(bits).collect::<Vec<_>>(),
                expect.iter().take(3).map(bits).collect::<Vec<_>>()
            );
            check_buckets(&reader.buckets(id, start, end, 7).expect("buckets"), &expect);
        }
        let newest = reader.newest(id).expect("newest");
        assert_eq!(newest.as_ref().map(bits), expected(model, series, 0, u64::MAX).last().map(bits));
    }
    for (from, to) in windows {
        check_rows(reader, model, *from, *to);
        check_tails(reader, model, *from);
    }
    assert!(reader.damage().is_empty());
}

/// All series side by side.
fn check_rows(reader: &Reader, model: &Model, from: u64, to: u64) {
    let series: Vec<SeriesId> = (0..SERIES).map(SeriesId).collect();
    let mut expect: BTreeMap<u64, Vec<Option<Sample>>> = BTreeMap::new();
    for ((series, time), sample) in model.iter().filter(|((_, time), _)| (from..to).contains(time)) {
        expect.entry(*time).or_insert_with(|| vec![None; SERIES as usize])[*series as usize] = Some(*sample);
    }
    let rows = reader.rows(&series, Timestamp(from), Timestamp(to)).expect("rows");
    let plain = |values: &[Option<Sample>]| values.iter().map(|v| v.as_ref().map(bits)).collect::<Vec<_>>();
    let found: Vec<_> =
        rows.map(|row| row.expect("row")).map(|row| (row.time.0, plain(&row.values))).collect();
    let expect: Vec<_> = expect.iter().map(|(time, values)| (*time, plain(values))).collect();
    assert_eq!(found, expect);
}

/// The end of each series: what comes from a time on, and the last before it.
fn check_tails(reader: &Reader, model: &Model, from: u64) {
    let wanted: Vec<(SeriesId, Timestamp)> = (0..SERIES).map(|id| (SeriesId(id), Timestamp(from))).collect();
    let tails = reader.tails(&wanted, 100_000).expect("tails");
    for (series, tail) in (0..SERIES).zip(tails) {
        let before = expected(model, series, 0, from);
        let since = expected(model, series, from, u64::MAX);
        assert_eq!(tail.before.as_ref().map(bits), before.last().map(bits));
        assert_eq!(
            tail.since.iter().map(bits).collect::<Vec<_>>(),
            since.iter().map(bits).collect::<Vec<_>>()
        );
        assert!(!tail.cut);
    }
}

/// Each part must say what the samples between its edges say, and no sample may lie in none.
fn check_buckets(parts: &[Bucket], expect: &[Sample]) {
    let mut seen = 0;
    for part in parts {
        let inside: Vec<&Sample> =
            expect.iter().filter(|sample| (part.start_ns..part.end_ns).contains(&sample.time.0)).collect();
        seen += inside.len();
        assert_eq!(part.count, inside.len() as u64);
        let numbers: Vec<f64> = inside.iter().map(|s| s.value).filter(|value| !value.is_nan()).collect();
        assert_eq!(part.numbers, numbers.len() as u64);
        let worst = inside.iter().map(|sample| sample.quality).max();
        assert_eq!(Some(part.quality), worst);
        assert_eq!(part.first.to_bits(), inside[0].value.to_bits());
        assert_eq!(part.last_ns, inside[inside.len() - 1].time.0);
        if let Some(least) = numbers.iter().copied().reduce(f64::min) {
            assert_eq!(part.min, least);
            assert_eq!(part.max, numbers.iter().copied().reduce(f64::max).expect("some"));
            let of = |nanos: u64| inside.iter().find(|sample| sample.time.0 == nanos).expect("in it").value;
            assert_eq!((of(part.min_ns), of(part.max_ns)), (part.min, part.max));
            let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
            assert!((part.mean - mean).abs() <= 1e-12 * numbers.iter().map(|v| v.abs()).fold(1.0, f64::max));
        }
    }
    assert_eq!(seen, expect.len());
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let time = prop_oneof![
        (0u64..40).prop_map(|at| at * 1_000_000),
        0u64..60_000_000,
        // Some hours later, so that files of several hours come to be.
        (1u64..4, 0u64..3).prop_map(|(hour, at)| hour * 3_600_000_000_000 + at * 1_000_000),
    ];
    let value = prop_oneof![5 => -1e6..1e6f64, 1 => Just(f64::NAN), 3 => (-500i32..500).prop_map(|v| f64::from(v) / 10.0)];
    (0..SERIES, time, value, 0u8..4)
        .prop_map(|(series, time, value, quality)| sample(series, time, value, quality))
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(any_sample(), 0..90).prop_map(Step::Record),
        1 => Just(Step::Flush),
        2 => Just(Step::Fold),
        2 => Just(Step::Seal),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn history_is_what_a_naive_model_says(
        steps in prop::collection::vec(any_step(), 1..14),
        windows in prop::collection::vec((0u64..60_000_000, prop_oneof![0u64..60_000_000, Just(ALL.1.0)]), 3),
    ) {
        let dir = tempfile::tempdir().expect("folder");
        let mut store = open(dir.path());
        let mut model = Model::new();
        for step in steps {
            match step {
                Step::Record(samples) => {
                    for sample in &samples {
                        model.entry((sample.series.0, sample.time.0)).or_insert(*sample);
                    }
                    store.recorder().record(samples, Vec::new());
                }
                Step::Flush => store.flush().expect("flush"),
                Step::Fold => store.fold().expect("fold"),
                Step::Seal => store.seal().expect("seal"),
                Step::Reopen => {
                    store.close().expect("close");
                    store = open(dir.path());
                }
            }
        }
        store.flush().expect("flush");
        let windows: Vec<(u64, u64)> = windows.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
        check(&store.reader(), &model, &windows);
        store.fold().expect("fold");
        prop_assert_eq!(store.stats().mixed_blocks, 0);
        check(&store.reader(), &model, &windows);
        store.seal().expect("seal");
        prop_assert_eq!(blocks(dir.path()), 0, "all is in files");
        check(&store.reader(), &model, &windows);
        store.close().expect("close");
    }
}

/// Folded blocks that are left in `hot.db`.
fn blocks(dir: &Path) -> i64 {
    let file = rusqlite::Connection::open(dir.join("hot.db")).expect("file");
    file.query_row("SELECT count(*) FROM folded", [], |row| row.get(0)).expect("count")
}

/// Enough points for many folded blocks, in an order that makes each fold meet blocks before, after and around.
#[test]
fn late_samples_find_their_place_among_many_blocks() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let mut model = Model::new();
    for round in 0..8u64 {
        // 7919 is prime to 24,000: each round takes every eighth point, scattered over the whole range.
        let samples: Vec<Sample> = (0..3_000u64)
            .map(|at| {
                let time = ((at * 8 + round) * 7919 % 24_000) * 1_000_000_000;
                sample((at % 2) as u32, time, (at * 8 + round) as f64, 0)
            })
            .collect();
        for sample in &samples {
            model.entry((sample.series.0, sample.time.0)).or_insert(*sample);
        }
        store.recorder().record(samples, Vec::new());
        store.fold().expect("fold");
    }
    // The same once more with other values: the first must stay.
    let again: Vec<Sample> = model.values().map(|first| Sample { value: -1.0, ..*first }).collect();
    store.recorder().record(again, Vec::new());
    store.flush().expect("flush");
    check(&store.reader(), &model, &[(5_000_000_000_000, 9_000_000_000_001)]);
    store.fold().expect("fold");
    check(&store.reader(), &model, &[(5_000_000_000_000, 9_000_000_000_001)]);
    assert_eq!(model.len(), 24_000);
    // Once more as files: 24,000 s are seven hours.
    store.seal().expect("seal");
    assert_eq!((store.stats().points_sealed, store.stats().files_sealed), (24_000, 7));
    check(&store.reader(), &model, &[(5_000_000_000_000, 9_000_000_000_001)]);
}

#[test]
fn folding_goes_on_by_itself_and_between_commits() {
    let dir = tempfile::tempdir().expect("folder");
    let options = Options { group_commit_ms: 0, fold_points: 500, fold_slice_ms: 1, ..Options::default() };
    let store = Store::open(dir.path(), options, Arc::new(SystemClock::new())).expect("store");
    let mut model = Model::new();
    let mut written = 0u64;
    while store.stats().folds < 5 && written < 10_000_000 {
        let samples: Vec<Sample> = (0..40u64)
            .map(|at| sample((at % 4) as u32, (written + at) * 1_000, (written + at) as f64, 0))
            .collect();
        for sample in &samples {
            model.entry((sample.series.0, sample.time.0)).or_insert(*sample);
        }
        written += 40;
        store.recorder().record(samples, Vec::new());
        store.flush().expect("flush");
    }
    assert!(store.stats().folds >= 5, "{:?}", store.stats());
    check(&store.reader(), &model, &[(0, 1_000_000)]);
}

#[test]
fn series_keep_their_numbers() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let first = store.series(&[("pump-1", "temperature"), ("pump-1", "load")]).expect("numbers");
    assert_eq!(first.len(), 2);
    assert_ne!(first[0], first[1]);
    store.close().expect("close");
    let store = open(dir.path());
    let second =
        store.series(&[("pump-2", "load"), ("pump-1", "load"), ("pump-1", "temperature")]).expect("numbers");
    assert_eq!((second[1], second[2]), (first[1], first[0]));
    assert!(!first.contains(&second[0]));
    assert_eq!(store.reader().series("pump-1", "load").expect("read"), Some(first[1]));
    assert_eq!(store.reader().series("pump-9", "load").expect("read"), None);
    let catalog = store.reader().catalog().expect("read");
    let names: Vec<(&str, &str)> = catalog.iter().map(|(_, t, p)| (t.as_str(), p.as_str())).collect();
    assert_eq!(names, [("pump-1", "load"), ("pump-1", "temperature"), ("pump-2", "load")]);
}

#[test]
fn retention_removes_the_oldest_blocks_only() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(geminus_core::ManualClock::new(Timestamp::from_millis(100 * 3_600_000)));
    let options = Options { group_commit_ms: 0, retention_hours: 1, ..Options::default() };
    let store = Store::open(dir.path(), options, clock).expect("store");
    let hour = 3_600_000_000_000u64;
    store.recorder().record(vec![sample(0, 98 * hour, 1.0, 0)], Vec::new());
    store.recorder().record(vec![sample(1, 100 * hour, 2.0, 0)], Vec::new());
    store.fold().expect("fold");
    let reader = store.reader();
    assert_eq!(reader.count(SeriesId(0), ALL.0, ALL.1).expect("count"), 0);
    assert_eq!(reader.count(SeriesId(1), ALL.0, ALL.1).expect("count"), 1);
    assert_eq!(store.stats().blocks_retired, 1);
}

#[test]
fn retention_by_size_keeps_the_file_under_its_bound() {
    let dir = tempfile::tempdir().expect("folder");
    let options = Options { group_commit_ms: 0, retention_mib: 1, fold_points: 20_000, ..Options::default() };
    let store = Store::open(dir.path(), options, Arc::new(SystemClock::new())).expect("store");
    for turn in 0..30u64 {
        let samples = (0..20_000u64).map(|at| {
            let number = turn * 20_000 + at;
            sample(0, number * 1_000_000, f64::from_bits(noise(number)), 0)
        });
        store.recorder().record(samples.collect(), Vec::new());
        store.fold().expect("fold");
    }
    let stats = store.stats();
    assert!(stats.blocks_retired > 0 && stats.file_bytes <= 1 << 20, "{stats:?}");
    let left = store.reader().range(SeriesId(0), ALL.0, ALL.1, usize::MAX).expect("range");
    assert_eq!(left.last().map(|sample| sample.time.0), Some(599_999_000_000), "the newest stay");
    assert!(left.first().is_some_and(|sample| sample.time.0 > 0), "the oldest went");
    assert!(left.windows(2).all(|pair| pair[1].time.0 - pair[0].time.0 == 1_000_000), "no hole");
}

/// Bits of a number from 1 to 2 that no codec can pack (SplitMix64's mixing).
fn noise(number: u64) -> u64 {
    let first =
        (number ^ (number >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    0x3ff0_0000_0000_0000 | ((second ^ (second >> 31)) >> 12)
}
