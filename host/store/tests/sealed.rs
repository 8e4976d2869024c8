//! Sealed files: what is in them, what becomes of files that nobody knows, and of damaged ones.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use geminus_core::{Quality, Sample, SeriesId, SystemClock, Timestamp};
use geminus_store::{Class, Damage, Keep, Options, Reader, Store};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

const HOUR: u64 = 3_600_000_000_000;

fn open(dir: &Path) -> Store {
    let options = Options { group_commit_ms: 0, ..Options::default() };
    Store::open(dir, options, Arc::new(SystemClock::new())).expect("store")
}

fn sample(series: SeriesId, nanos: u64, value: f64) -> Sample {
    let time = Timestamp(nanos);
    Sample {
        series,
        quality: Quality::Good,
        value,
        time,
        received: Timestamp::from_millis(time.millis() + 7),
    }
}

/// One sample each second of an hour.
fn hour(series: SeriesId, hour: u64) -> Vec<Sample> {
    (0..3600u64).map(|at| sample(series, hour * HOUR + at * 1_000_000_000, at as f64 * 0.5)).collect()
}

fn files(dir: &Path, folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("entry").path()) {
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(&dir.join(folder), &mut found);
    found.sort();
    found
}

fn names(dir: &Path) -> Vec<String> {
    let history = dir.join("history");
    let name =
        |path: &PathBuf| path.strip_prefix(&history).expect("below").to_string_lossy().replace('\\', "/");
    files(dir, "history").iter().map(name).collect()
}

fn count(reader: &Reader, series: SeriesId) -> u64 {
    reader.count(series, Timestamp(0), Timestamp(u64::MAX)).expect("count")
}

#[test]
fn each_class_and_hour_has_a_file_and_late_samples_revise_it() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let series = store
        .series(&[
            ("pump-1", "temperature"),
            ("pump-1", "thermal.winding"),
            ("pump-1", "thermal/by"),
            ("pump-1", "speed"),
        ])
        .expect("series");
    store.classify(&[(series[3], Class::SetPoint)]).expect("classes");
    for one in &series {
        store.recorder().record(hour(*one, 5), Vec::new());
        store.recorder().record(vec![sample(*one, 24 * HOUR, 1.0)], Vec::new());
    }
    store.seal().expect("seal");
    let expect = [
        "1970-01-01/05-estimated-00000002.parquet",
        "1970-01-01/05-measured-00000001.parquet",
        "1970-01-01/05-record-00000004.parquet",
        "1970-01-01/05-set-point-00000003.parquet",
        "1970-01-02/00-estimated-00000006.parquet",
        "1970-01-02/00-measured-00000005.parquet",
        "1970-01-02/00-record-00000008.parquet",
        "1970-01-02/00-set-point-00000007.parquet",
    ];
    assert_eq!(names(dir.path()), expect);
    // The same again changes nothing; a time that is new makes a revision, in place of the one before.
    store.recorder().record(hour(series[0], 5), Vec::new());
    store.seal().expect("seal");
    assert_eq!(names(dir.path()), expect);
    store.recorder().record(vec![sample(series[0], 5 * HOUR + 1, -1.0)], Vec::new());
    store.seal().expect("seal");
    assert!(names(dir.path()).contains(&"1970-01-01/05-measured-00000009.parquet".to_owned()));
    assert_eq!(names(dir.path()).len(), expect.len());
    assert_eq!(count(&store.reader(), series[0]), 3602);
    assert_eq!((store.stats().points_sealed, store.stats().files_sealed), (4 * 3601 + 1, 9));
    let few = store.reader().range(series[0], Timestamp(5 * HOUR), Timestamp(u64::MAX), 3).expect("range");
    let values: Vec<(u64, f64)> = few.iter().map(|sample| (sample.time.0 - 5 * HOUR, sample.value)).collect();
    assert_eq!(values, [(0, 0.0), (1, -1.0), (1_000_000_000, 0.5)]);
    assert_eq!(few[2].received.millis(), 5 * 3_600_000 + 1_007);
}

#[test]
fn an_hour_that_is_not_over_stays() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(geminus_core::ManualClock::new(Timestamp(10 * HOUR - 1)));
    let options = Options { group_commit_ms: 0, ..Options::default() };
    let store = Store::open(dir.path(), options, clock.clone()).expect("store");
    let one = store.series(&[("pump-1", "temperature")]).expect("series")[0];
    for at in [8, 9] {
        store.recorder().record(hour(one, at), Vec::new());
    }
    store.seal().expect("seal");
    assert_eq!(names(dir.path()), ["1970-01-01/08-measured-00000001.parquet"]);
    clock.advance(std::time::Duration::from_nanos(1));
    store.seal().expect("seal");
    assert_eq!(names(dir.path()).len(), 2);
    assert_eq!(count(&store.reader(), one), 7200);
}

#[test]
fn blocks_of_a_host_that_did_not_seal_are_split_at_hours() {
    let dir = tempfile::tempdir().expect("folder");
    let options = Options { group_commit_ms: 0, seal_after_s: 0, ..Options::default() };
    let store = Store::open(dir.path(), options, Arc::new(SystemClock::new())).expect("store");
    let one = store.series(&[("pump-1", "temperature")]).expect("series")[0];
    let samples: Vec<Sample> = (0..10_000).map(|at| sample(one, at * 7 * 1_000_000_000, at as f64)).collect();
    store.recorder().record(samples.clone(), Vec::new());
    store.seal().expect("seal");
    // 70,000 seconds are 19 hours and a half.
    assert_eq!(names(dir.path()).len(), 20);
    let found = store.reader().range(one, Timestamp(0), Timestamp(u64::MAX), usize::MAX).expect("range");
    assert_eq!(found, samples);
    assert_eq!(store.stats().points_sealed, 10_000);
}

#[test]
fn files_that_nobody_knows_are_removed_or_set_aside() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let one = store.series(&[("pump-1", "temperature")]).expect("series")[0];
    store.recorder().record(hour(one, 5), Vec::new());
    store.seal().expect("seal");
    store.recorder().record(hour(one, 6), Vec::new());
    store.close().expect("close");
    let known = names(dir.path());
    let day = dir.path().join("history/1970-01-01");
    // Left by kills: before the rename, and after it of hours that are in another file or still in hot.db.
    fs::write(dir.path().join("sealing/1970-01-01_05-measured-00000002.parquet"), "half").expect("written");
    fs::copy(dir.path().join("history").join(&known[0]), day.join("05-measured-00000002.parquet"))
        .expect("copied");
    fs::write(day.join("notes.txt"), "not ours").expect("written");
    // Of an hour of which hot.db knows less, as after a restore of an older one.
    fs::write(day.join("07-measured-00000009.parquet"), "all there is").expect("written");
    fs::copy(day.join("05-measured-00000001.parquet"), day.join("08-measured-00000010.parquet"))
        .expect("copied");
    let store = open(dir.path());
    store.seal().expect("seal");
    let expect = [
        "1970-01-01/05-measured-00000001.parquet",
        "1970-01-01/06-measured-00000002.parquet",
        "1970-01-01/notes.txt",
    ];
    assert_eq!(names(dir.path()), expect);
    assert_eq!(files(dir.path(), "sealing"), [] as [PathBuf; 0]);
    let set_aside = ["1970-01-01_07-measured-00000009.parquet", "1970-01-01_08-measured-00000010.parquet"];
    let unclaimed = dir.path().join("unclaimed");
    assert_eq!(files(dir.path(), "unclaimed"), set_aside.map(|name| unclaimed.join(name)));
    assert_eq!(count(&store.reader(), one), 7200);
}

#[test]
fn a_damaged_file_is_named_and_the_rest_is_served() {
    let check = |damage: &dyn Fn(&Path), finding: &'static str| {
        let dir = tempfile::tempdir().expect("folder");
        let store = open(dir.path());
        let one = store.series(&[("pump-1", "temperature")]).expect("series")[0];
        for at in 0..3 {
            store.recorder().record(hour(one, at), Vec::new());
        }
        store.seal().expect("seal");
        assert_eq!(count(&store.reader(), one), 10_800);
        damage(&dir.path().join("history").join(&names(dir.path())[1]));
        // Readers that have the footer already, and those that have not.
        for reader in [store.reader(), Reader::open(dir.path()).expect("reader")] {
            assert_eq!(count(&reader, one), 7200, "{finding}");
            let expect = Damage { table: "sealed", block: 2, finding };
            assert_eq!(reader.damage(), [expect]);
            let rows = reader.rows(&[one], Timestamp(0), Timestamp(u64::MAX)).expect("rows");
            assert_eq!(rows.inspect(|row| assert!(row.is_ok(), "{row:?}")).count(), 7200);
        }
        // What comes late for its hour gets a file of its own, and the damaged one stays for whoever can mend it.
        store.recorder().record(vec![sample(one, HOUR + 1, 1.0)], Vec::new());
        store.seal().expect("seal");
        assert_eq!(count(&store.reader(), one), 7201, "{finding}");
        store.recorder().record(vec![sample(one, HOUR + 2, 1.0)], Vec::new());
        store.seal().expect("seal");
        assert_eq!(count(&store.reader(), one), 7202, "{finding}");
        let expect = ["1970-01-01/00-measured-00000001.parquet", "1970-01-01/01-measured-00000005.parquet"];
        assert!(
            expect.iter().all(|name| names(dir.path()).contains(&(*name).to_owned())),
            "{:?}",
            names(dir.path())
        );
        store.close().expect("close");
    };
    let cut = |bytes: usize| {
        move |path: &Path| {
            let data = fs::read(path).expect("file");
            fs::write(path, &data[..bytes.min(data.len() - 1)]).expect("written");
        }
    };
    check(&cut(usize::MAX), "cut short");
    check(&cut(100), "cut short");
    check(&cut(0), "cut short");
    check(&|path| fs::remove_file(path).expect("removed"), "missing");
    let flip = |at: usize| {
        move |path: &Path| {
            let mut data = fs::read(path).expect("file");
            let at = if at < data.len() { at } else { data.len() - 20 };
            data[at] ^= 4;
            fs::write(path, &data).expect("written");
        }
    };
    check(&flip(50), "checksum does not match");
    check(&flip(usize::MAX), "checksum does not match");
}

#[test]
fn readers_that_looked_a_file_up_find_it_after_it_was_replaced() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let one = store.series(&[("pump-1", "temperature")]).expect("series")[0];
    for at in 0..4 {
        store.recorder().record(hour(one, at), Vec::new());
    }
    store.seal().expect("seal");
    let (mut seen, mut revised) = (0, false);
    let reader = store.reader();
    reader
        .scan(one, Timestamp(0), Timestamp(u64::MAX), |_| {
            if !revised {
                revised = true;
                let late = (0..4).map(|at| sample(one, at * HOUR + 1, 1.0)).collect();
                store.recorder().record(late, Vec::new());
                store.seal().expect("seal");
            }
            seen += 1;
            true
        })
        .expect("scan");
    // One moment: nothing of what came meanwhile, and all of what was there.
    assert_eq!((seen, reader.damage().len()), (14_400, 0));
    assert_eq!(count(&reader, one), 14_404);
}

#[test]
fn each_class_is_kept_as_long_and_as_much_as_it_is_worth() {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(geminus_core::ManualClock::new(Timestamp(100 * HOUR)));
    let keep = [(Class::Estimated, Keep { hours: 10, mib: 0 }), (Class::Record, Keep { hours: 0, mib: 1 })];
    let options =
        Options { group_commit_ms: 0, retention_hours: 50, keep: keep.into(), ..Options::default() };
    let store = Store::open(dir.path(), options, clock.clone()).expect("store");
    let series = store.series(&[("p", "t"), ("p", "b.o"), ("p", "b/in/t")]).expect("series");
    // The bits of a hash, which nothing packs: eight bytes a value.
    let noise = |at: u64| f64::from_bits(0x3ff0_0000_0000_0000 | (mix(at) >> 12));
    for hour in [45, 60, 85, 95, 98] {
        for one in &series {
            let at = |at: u64| sample(*one, hour * HOUR + at * 72_000_000, noise(hour * 1_000_000 + at));
            store.recorder().record((0..50_000).map(at).collect(), Vec::new());
        }
    }
    store.seal().expect("seal");
    let found = names(dir.path());
    let of = |class: &str| found.iter().filter(|name| name.contains(class)).count();
    // Measured: 50 hours. Estimated: 10. The record: 50 hours and a mebibyte, which two files of 350 kB each are.
    assert_eq!((of("measured"), of("estimated"), of("record")), (4, 2, 2), "{found:?}");
    let left = |series: SeriesId| count(&store.reader(), series) / 50_000;
    assert_eq!((left(series[0]), left(series[1]), left(series[2])), (4, 2, 2));
    let newest = store.reader().newest(series[2]).expect("newest").expect("some").time.0 / HOUR;
    assert_eq!(newest, 98, "the newest stay");
    assert!(store.stats().files_retired >= 2, "{:?}", store.stats());
    clock.advance(std::time::Duration::from_secs(48 * 3600));
    store.seal().expect("seal");
    let names = names(dir.path());
    let left: Vec<&str> = names.iter().filter_map(|name| Some(name.rsplit_once('-')?.0)).collect();
    assert_eq!(left, ["1970-01-05/02-measured", "1970-01-05/02-record"]);
}

/// SplitMix64's mixing.
fn mix(number: u64) -> u64 {
    let first =
        (number ^ (number >> 30)).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let second = (first ^ (first >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    second ^ (second >> 31)
}

#[test]
fn a_file_says_what_when_and_who() {
    let dir = tempfile::tempdir().expect("folder");
    let store = open(dir.path());
    let series = store.series(&[
        ("pump-1", "thermal.winding"),
        ("pump-1", "thermal/by"),
        ("pump-0", "thermal.winding"),
    ]);
    let series = series.expect("series");
    let control = store.control();
    let one = control.incarnation("thermal", "thermal@1.0.0", "sha256:aa", b"").expect("number");
    let two = control.incarnation("thermal", "thermal@2.0.0", "sha256:bb", b"").expect("number");
    let at = |series: SeriesId, at: u64, value: f64| sample(series, 7 * HOUR + at, value);
    store.recorder().record(
        vec![
            Sample { quality: Quality::Uncertain, ..at(series[0], 1_500_000_001, 20.5) },
            at(series[0], 2_000_000_000, f64::NAN),
            at(series[0], 3_000_000_000, 22.5),
            at(series[2], 9_000_000_000, -1.0),
            // Nobody answers the second row; the half more says only that its words were recorded.
            at(series[1], 1_500_000_001, f64::from(one) + 0.5),
            at(series[1], 2_000_000_000, 0.0),
            at(series[1], 3_000_000_000, f64::from(two)),
        ],
        Vec::new(),
    );
    store.seal().expect("seal");
    let path = dir.path().join("history/1970-01-01/07-estimated-00000001.parquet");
    let file = SerializedFileReader::new(fs::File::open(path).expect("file")).expect("parquet");
    let rows: Vec<String> =
        file.get_row_iter(None).expect("rows").map(|row| row.expect("row").to_string()).collect();
    let row = |twin: &str, time: u64, value: &str, quality: &str, received: &str, plugin: &str| {
        format!(
            "{{twin: \"{twin}\", point: \"thermal.winding\", time: {}, value: {value}, quality: \"{quality}\", received: {received}, plugin: {plugin}}}",
            7 * HOUR + time
        )
    };
    let expect = [
        row("pump-0", 9_000_000_000, "-1E0", "good", "1970-01-01 07:00:09.007 +00:00", "null"),
        row("pump-1", 1_500_000_001, "20.5", "uncertain", "1970-01-01 07:00:01.507 +00:00", "\"sha256:aa\""),
        row("pump-1", 2_000_000_000, "NaN", "good", "1970-01-01 07:00:02.007 +00:00", "null"),
        row("pump-1", 3_000_000_000, "22.5", "good", "1970-01-01 07:00:03.007 +00:00", "\"sha256:bb\""),
    ];
    assert_eq!(rows, expect);
}
