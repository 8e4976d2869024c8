//! Sealing on a disk of which any one step fails: nothing is lost, nothing doubled, nothing left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::atomic::AtomicUsize;

use geminus_core::{Quality, SeriesId, SystemClock};

use super::*;
use crate::Store;

/// Fails the step with this number, counted from 0; then it works again.
#[derive(Clone, Debug)]
struct Failing {
    steps: Arc<AtomicUsize>,
    at: usize,
}

impl Failing {
    fn step(&self) -> io::Result<()> {
        match self.steps.fetch_add(1, Ordering::Relaxed) == self.at {
            true => Err(io::Error::other("the disk failed")),
            false => Ok(()),
        }
    }

    /// Whether it has failed already.
    fn failed(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > self.at
    }
}

impl Disk for Failing {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.make_folder(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        self.step()?;
        Ok(Box::new(FailingSink { disk: self.clone(), sink: SystemDisk.create(path)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        SystemDisk.remove(path)
    }
}

struct FailingSink {
    disk: Failing,
    sink: Box<dyn Sink>,
}

impl Write for FailingSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.step()?;
        // Half of it arrives, as on a disk that is nearly full.
        self.sink.write(bytes.get(..bytes.len().div_ceil(2)).unwrap_or_default())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

impl Sink for FailingSink {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.step()?;
        self.sink.sync()
    }
}

const HOURS: u64 = 1;

fn sample(series: u32, at: u64) -> Sample {
    let time = Timestamp::from_millis(at * 20_000);
    let value = (at * 7 + u64::from(series)) as f64 * 0.1;
    Sample { series: SeriesId(series), quality: Quality::Good, value, time, received: time }
}

/// Every sample is there once.
fn check(store: &Store, expect: &BTreeMap<(u32, u64), u64>, when: &str) {
    let mut found = BTreeMap::new();
    for series in 1..=3 {
        let all = store
            .reader()
            .range(SeriesId(series), Timestamp(0), Timestamp(u64::MAX), usize::MAX)
            .expect("range");
        for sample in all {
            assert!(
                found.insert((series, sample.time.0), sample.value.to_bits()).is_none(),
                "{when}: doubled"
            );
        }
    }
    assert!(found == *expect, "{when}: {} samples of {}", found.len(), expect.len());
    assert_eq!(store.reader().damage(), [], "{when}");
}

fn below(folder: &Path) -> BTreeSet<PathBuf> {
    let entries =
        std::fs::read_dir(folder).map(|entries| entries.map(|entry| entry.expect("entry").path()).collect());
    entries.unwrap_or_default()
}

/// A run whose step `at` fails; returns whether there was such a step.
fn run(at: usize) -> bool {
    let dir = tempfile::tempdir().expect("folder");
    let options = Options { group_commit_ms: 0, seal_after_s: 0, ..Options::default() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = Store::open(dir.path(), options.clone(), Arc::clone(&clock)).expect("store");
    // The store's own sealer has swept when it answers; from here on it has nothing to do.
    store.seal().expect("nothing to seal");
    let disk = Failing { steps: Arc::default(), at };
    let (_asks, none) = crossbeam_channel::unbounded();
    let parts = Parts {
        dir: dir.path().to_owned(),
        options,
        clock,
        gauges: Arc::default(),
        reader: store.reader(),
        control: store.control(),
        work: store.recorder().work,
        asks: none,
        closing: Arc::default(),
    };
    let mut sealer = Sealer::on(parts, Box::new(disk.clone())).expect("sealer");
    let mut expect = BTreeMap::new();
    // First every second sample, later, when those are sealed, the others: a revision of each file, and a new series.
    for (late, series) in [(0, 1..=2), (1, 1..=3)] {
        let times = (0..HOURS * 180).filter(|at| at % 2 == late);
        let samples: Vec<Sample> =
            series.flat_map(|series| times.clone().map(move |at| sample(series, at))).collect();
        expect
            .extend(samples.iter().map(|sample| ((sample.series.0, sample.time.0), sample.value.to_bits())));
        store.recorder().record(samples, Vec::new());
        store.fold().expect("fold");
        let before = disk.failed();
        let looked = sealer.look(true);
        assert!(looked.is_ok() || (disk.failed() && !before), "{looked:?}");
        check(&store, &expect, &format!("step {at} failed, {late}"));
        sealer.look(true).expect("the disk works again");
        check(&store, &expect, &format!("step {at} failed, {late}, again"));
    }
    let named = manifest::names(&sealer.connection).expect("names");
    let named: BTreeSet<PathBuf> = named.iter().map(|name| place::path(dir.path(), name)).collect();
    let found: BTreeSet<PathBuf> =
        below(&dir.path().join(HISTORY_FOLDER)).iter().flat_map(|day| below(day)).collect();
    assert_eq!(
        named.len() as u64,
        2 * HOURS,
        "one file for the first two series of each hour, one for the third"
    );
    assert_eq!(found.difference(&named).count(), usize::from(sealer.unswept), "step {at}: {found:?}");
    let left = sealer.connection.query_row("SELECT count(*) FROM folded", [], |row| row.get::<_, i64>(0));
    assert_eq!(left.expect("count"), 0, "all is in files");
    store.close().expect("close");
    // What was left of a failed removal is gone after a start.
    let store = Store::open(dir.path(), Options::default(), Arc::new(SystemClock::new())).expect("store");
    store.seal().expect("nothing to seal");
    let found: BTreeSet<PathBuf> =
        below(&dir.path().join(HISTORY_FOLDER)).iter().flat_map(|day| below(day)).collect();
    assert_eq!(found, named);
    assert_eq!(below(&dir.path().join(PASSING_FOLDER)), BTreeSet::new());
    check(&store, &expect, "at the end");
    disk.failed()
}

#[test]
fn any_step_may_fail() {
    let mut at = 0;
    while run(at) {
        at += 1;
    }
    assert!(at > 25, "only {at} steps");
}
