//! Rows against a naive join, with chunks so small that every border between them is met.

use std::collections::BTreeMap;
use std::path::Path;

use geminus_core::{Quality, SystemClock};
use proptest::prelude::*;

use super::*;
use crate::{Options, Reader, Store};

const SERIES: u32 = 5;

/// (time, series) → sample, first come.
type Model = BTreeMap<(u64, u32), Sample>;

fn open(dir: &Path) -> Store {
    let options = Options { group_commit_ms: 0, block_points_max: 64, ..Options::default() };
    Store::open(dir, options, Arc::new(SystemClock::new())).expect("store")
}

fn sample(series: u32, time: u64, value: f64, quality: u8) -> Sample {
    let (time, received) = (Timestamp(time), Timestamp::from_millis(time / 1_000_000 + 3));
    Sample { series: SeriesId(series), quality: Quality::from_u8(quality), value, time, received }
}

type Bits = (u64, Vec<Option<(u64, u8, u64)>>);

fn bits(row: &Row) -> Bits {
    let one = |sample: &Sample| (sample.value.to_bits(), sample.quality as u8, sample.received.0);
    (row.time.0, row.values.iter().map(|value| value.as_ref().map(one)).collect())
}

fn joined(model: &Model, asked: &[SeriesId], from: u64, to: u64) -> Vec<Bits> {
    let mut times: Vec<u64> = model
        .range((from, 0)..(to, 0))
        .filter(|((_, s), _)| asked.contains(&SeriesId(*s)))
        .map(|((t, _), _)| *t)
        .collect();
    times.dedup();
    let row = |time: &u64| Row {
        time: Timestamp(*time),
        values: asked.iter().map(|series| model.get(&(*time, series.0)).copied()).collect(),
    };
    times.iter().map(|time| bits(&row(time))).collect()
}

fn read(reader: &Reader, asked: &[SeriesId], from: u64, to: u64, points_max: usize) -> Vec<Bits> {
    let rows = reader.rows(asked, Timestamp(from), Timestamp(to)).expect("rows").chunks_of(points_max);
    rows.map(|row| bits(&row.expect("row"))).collect()
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let value = prop_oneof![4 => any::<u64>().prop_map(f64::from_bits), 1 => Just(f64::NAN), 3 => Just(7.25)];
    (0..SERIES, 0u64..60, value, 0u8..4)
        .prop_map(|(series, at, value, quality)| sample(series, at * 1_000_000, value, quality))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn rows_are_what_a_naive_join_says(
        parts in prop::collection::vec((prop::collection::vec(any_sample(), 0..120), any::<bool>()), 1..6),
        asked in prop::collection::vec((0..SERIES + 1).prop_map(SeriesId), 0..7),
        (a, b) in (0u64..60_000_000, 0u64..60_000_000),
    ) {
        let dir = tempfile::tempdir().expect("folder");
        let store = open(dir.path());
        let mut model = Model::new();
        for (samples, fold) in parts {
            for sample in &samples {
                model.entry((sample.time.0, sample.series.0)).or_insert(*sample);
            }
            store.recorder().record(samples, Vec::new());
            if fold { store.fold() } else { store.flush() }.expect("written");
        }
        // A reader of its own, as beside a running host.
        let reader = Reader::open(dir.path()).expect("reader");
        for (from, to) in [(0, u64::MAX), (a.min(b), a.max(b)), (b, b)] {
            let expect = joined(&model, &asked, from, to);
            for points_max in [1, 7, 50, CHUNK_POINTS] {
                prop_assert_eq!(&read(&reader, &asked, from, to, points_max), &expect);
            }
        }
        prop_assert!(reader.damage().is_empty());
    }
}

/// Many folded blocks, of series that do not tick alike, and fresh samples among and after them.
#[test]
fn chunks_of_many_blocks_join_without_a_seam() {
    let dir = tempfile::tempdir().expect("folder");
    let store = Store::open(dir.path(), Options::default(), Arc::new(SystemClock::new())).expect("store");
    let every = [1u64, 3, 10, 1, 1_000];
    let part = |turns: Range<u64>| -> Vec<Sample> {
        let of = |turn: u64| {
            (0..SERIES).filter(move |series| turn.is_multiple_of(every[*series as usize])).map(
                move |series| {
                    let value = if turn.is_multiple_of(97) { f64::NAN } else { (turn as f64 + 0.1) / 3.0 };
                    sample(series, turn * 1_000_000_000 + turn % 7, value, u8::from(value.is_nan()) * 2)
                },
            )
        };
        turns.flat_map(of).collect()
    };
    let mut model = Model::new();
    for (turns, fold) in
        [(0..15_000, true), (20_000..30_000, true), (14_000..21_000, true), (30_000..33_000, false)]
    {
        let samples = part(turns);
        for sample in &samples {
            model.entry((sample.time.0, sample.series.0)).or_insert(*sample);
        }
        store.recorder().record(samples, Vec::new());
        if fold { store.fold() } else { store.flush() }.expect("written");
    }
    let asked = [3, 0, 1, 4, 2, 0].map(SeriesId);
    let expect = joined(&model, &asked, 0, u64::MAX);
    assert_eq!(expect.len(), 33_000);
    for points_max in [20_000, 50_000, CHUNK_POINTS] {
        assert!(read(&store.reader(), &asked, 0, u64::MAX, points_max) == expect, "chunks of {points_max}");
    }
}

/// The host folds and forgets while somebody reads: no row may be torn or doubled.
#[test]
fn a_reading_goes_on_while_the_host_writes_and_folds() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let row =
        |turn: u64| (0..SERIES).map(move |series| sample(series, (turn + 1) * 1_000_000, turn as f64, 0));
    let mut written = 0u64;
    let mut write = |turns: u64| {
        for _ in 0..turns {
            store.recorder().record(row(written).collect(), Vec::new());
            written += 1;
        }
        store.flush().expect("flush");
        written
    };
    write(3_000);
    let asked: Vec<SeriesId> = (0..SERIES).map(SeriesId).collect();
    let reader = Reader::open(dir.path()).expect("reader");
    let rows = reader.rows(&asked, Timestamp(0), Timestamp(u64::MAX)).expect("rows").chunks_of(500);
    let (mut seen, mut last) = (0u64, 0);
    for row in rows {
        let row = row.expect("row");
        assert!(row.time.0 > last, "in order, none twice");
        assert!(
            row.values.iter().all(|value| value.is_some_and(|s| s.value == seen as f64)),
            "row {seen} is whole"
        );
        (last, seen) = (row.time.0, seen + 1);
        match seen % 400 {
            0 if seen < 6_000 => drop(write(200)),
            200 => store.fold().expect("fold"),
            _ => (),
        }
    }
    // Rows come only as long as somebody writes faster than they are read.
    assert!(seen >= 3_000 && seen <= write(0), "{seen}");
}

#[test]
fn too_many_series_are_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let asked: Vec<SeriesId> = (0..=SERIES_MAX as u32).map(SeriesId).collect();
    let refused = store.reader().rows(&asked, Timestamp(0), Timestamp(1)).expect_err("refused");
    assert!(matches!(refused, StoreError::TooLarge { found: 4097, limit: 4096, .. }), "{refused}");
}
