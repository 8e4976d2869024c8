//! A writer that is killed, and one whose disk fails, in processes of their own: this test program runs itself.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use geminus_core::ticket::TicketEnd;
use geminus_core::{Event, Quality, Sample, SeriesId, Severity, SystemClock, TicketBook, Timestamp};
use geminus_store::{Chain, Journal, Options, Reader, Store};

const DIR: &str = "GEMINUS_CRASH_DIR";
const FROM: &str = "GEMINUS_CRASH_FROM";
const ROUNDS: u64 = 10;
const POINTS: u64 = 240;
const SERIES: u64 = 40;
/// Parcels that a child keeps unacknowledged, as a broker's window would.
const WINDOW: u64 = 64;

/// The samples under ticket `number`; the same each time, as a broker delivers them again.
fn parcel(number: u64) -> Vec<Sample> {
    let sample = |at: u64| {
        let time = Timestamp::from_millis(number * POINTS + at);
        let series = SeriesId((at % SERIES) as u32 + 1);
        let value = (number * POINTS + at) as f64 * 0.37;
        Sample { series, quality: Quality::Good, value, time, received: time }
    };
    (0..POINTS).map(sample).collect()
}

/// Small folds, so that a kill meets them in every stage.
fn options() -> Options {
    Options { group_commit_ms: 1, fold_points: 20_000, fold_slice_ms: 1, ..Options::default() }
}

/// As a child (the folder is in the environment) it writes until it is killed; by itself it writes a little.
#[test]
fn a_writer_says_what_is_durable() {
    let given = std::env::var(DIR).ok();
    let own = tempfile::tempdir().expect("folder");
    let dir = given.as_ref().map_or_else(|| own.path().to_owned(), PathBuf::from);
    let from: u64 = std::env::var(FROM).map_or(0, |text| text.parse().expect("number"));
    let store = Store::open(&dir, options(), Arc::new(SystemClock::new())).expect("store");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| seal_on(&store, &over));
        // Dropped also by a panic, so that this thread does not wait for the other one for ever.
        let _over = Over(&over);
        write_on(&store, given.is_some(), from);
    });
    assert!(store.stats().writable);
}

/// Says when dropped that it is over.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Seals what there is, over and over, so that a kill and a broken disk meet files in every stage, too. Each time what
/// came meanwhile is merged into them.
fn seal_on(store: &Store, over: &AtomicBool) {
    while !over.load(Ordering::Acquire) {
        if let Err(error) = store.seal() {
            eprintln!("{error}");
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Writes a little, or for ever.
fn write_on(store: &Store, forever: bool, from: u64) {
    let (tell, heard) = std::sync::mpsc::sync_channel(WINDOW as usize * 2);
    let book = TicketBook::new(move |end| tell.send(end).unwrap_or(()));
    let (recorder, journal) = (store.recorder(), store.journal());
    let (mut sent, mut ended) = (from, 0u64);
    let mut out = std::io::stdout();
    while forever || ended < 200 {
        while sent < from + ended + WINDOW {
            recorder.record(parcel(sent), vec![book.open(sent)]);
            sent += 1;
        }
        match heard.recv_timeout(Duration::from_millis(100)) {
            Ok(TicketEnd::Committed(number)) => {
                ended += 1;
                journal.write(Event::new(
                    "noted",
                    Severity::Info,
                    format!("{} {number}", std::process::id()),
                ));
                writeln!(out, "acked {number}").expect("pipe");
            }
            Ok(TicketEnd::Voided(number)) => panic!("{number} voided although nothing failed for good"),
            Err(_) => {
                if let Some(reason) = store.stats().reason {
                    writeln!(out, "stopped {reason}").expect("pipe");
                }
            }
        }
        out.flush().expect("pipe");
    }
}

fn start(dir: &Path, from: u64) -> Child {
    // The shell makes the child ignore SIGXFSZ, so that writing over a size limit fails instead of killing it.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "a_writer_says_what_is_durable", "--nocapture"])
        .env(DIR, dir)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("child")
}

fn acked(line: &str) -> Option<u64> {
    line.strip_prefix("acked ")?.parse().ok()
}

/// Every point of every acknowledged ticket is there, with its value, and none of them twice.
fn check(reader: &Reader, acked: &BTreeSet<u64>) {
    for series in 1..=SERIES {
        let id = SeriesId(series as u32);
        let found = reader.range(id, Timestamp(0), Timestamp(u64::MAX), usize::MAX).expect("range");
        assert!(found.windows(2).all(|pair| pair[0].time < pair[1].time), "a time is there twice");
        let expect: Vec<(u64, u64)> = acked
            .iter()
            .flat_map(|number| parcel(*number))
            .filter(|sample| sample.series == id)
            .map(|sample| (sample.time.0, sample.value.to_bits()))
            .collect();
        let found: BTreeSet<(u64, u64)> =
            found.iter().map(|sample| (sample.time.0, sample.value.to_bits())).collect();
        let lost = expect.iter().filter(|point| !found.contains(point)).count();
        assert_eq!(lost, 0, "of {} acknowledged points of series {series}", expect.len());
    }
    assert!(reader.damage().is_empty());
}

/// The files are those that `hot.db` names, no more and no less.
fn check_files(dir: &Path) {
    let connection = rusqlite::Connection::open(dir.join("hot.db")).expect("file");
    let mut select = connection.prepare("SELECT file FROM sealed").expect("statement");
    let named = select.query_map([], |row| row.get::<_, String>(0)).expect("rows");
    let named: BTreeSet<PathBuf> = named.map(|name| dir.join("history").join(name.expect("name"))).collect();
    let inside = |folder: PathBuf| {
        std::fs::read_dir(folder).expect("folder").map(|entry| entry.expect("entry").path())
    };
    let found: BTreeSet<PathBuf> = inside(dir.join("history")).flat_map(inside).collect();
    assert_eq!(found, named);
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_the_writer_is_killed() {
    let dir = tempfile::tempdir().expect("folder");
    let mut all = BTreeSet::new();
    for round in 0..ROUNDS {
        // What was not acknowledged before comes again, as from a broker; some that was comes again, too.
        let from = all.last().map_or(0, |last: &u64| last.saturating_sub(WINDOW));
        let mut child = start(dir.path(), from);
        let mut lines = BufReader::new(child.stdout.take().expect("pipe")).lines();
        let enough = 150 + 97 * round;
        let mut heard = 0;
        for line in lines.by_ref().map_while(Result::ok) {
            if let Some(number) = acked(&line) {
                all.insert(number);
                heard += 1;
            }
            if heard == enough {
                child.kill().expect("kill");
            }
        }
        child.wait().expect("wait");
        assert!(heard >= enough, "round {round}: the child ended by itself after {heard}");
        let store =
            Store::open(dir.path(), options(), Arc::new(SystemClock::new())).expect("store opens again");
        check(&store.reader(), &all);
        check_journal(&store.journal(), 0);
        if round % 3 == 2 {
            store.fold().expect("fold");
            check(&store.reader(), &all);
        }
        store.seal().expect("seal");
        check(&store.reader(), &all);
        check_files(dir.path());
        store.close().expect("close");
    }
    assert!(all.len() as u64 > ROUNDS * 150);
}

/// Writing beyond a size limit fails as a broken disk does (EFBIG, which SQLite reports as an IO error).
#[test]
fn a_disk_that_fails_stops_acknowledging_and_goes_on_when_it_is_back() {
    let dir = tempfile::tempdir().expect("folder");
    let mut child = start(dir.path(), 0);
    let process = child.id().to_string();
    let limit = |bytes: &str| {
        let set = Command::new("prlimit").args(["--pid", &process, bytes]).status();
        assert!(set.expect("prlimit (util-linux) is needed for this test").success());
    };
    let mut lines = BufReader::new(child.stdout.take().expect("pipe")).lines();
    let mut all = BTreeSet::new();
    let mut stops = 0;
    for _ in 0..3 {
        listen(&mut lines, &mut all, 200);
        limit("--fsize=65536:unlimited");
        let reason = loop {
            let line = lines.next().expect("the child goes on").expect("pipe");
            all.extend(acked(&line));
            if let Some(reason) = line.strip_prefix("stopped ") {
                break reason.to_owned();
            }
        };
        assert!(reason.contains("hot.db") && reason.contains("I/O"), "{reason}");
        stops += 1;
        limit("--fsize=unlimited:unlimited");
        listen(&mut lines, &mut all, 200);
    }
    assert_eq!(stops, 3);
    child.kill().expect("kill");
    child.wait().expect("wait");
    let store = Store::open(dir.path(), options(), Arc::new(SystemClock::new())).expect("store opens again");
    check(&store.reader(), &all);
    check_journal(&store.journal(), 500);
    store.close().expect("close");
}

/// The chain holds, and each run's entries are there without one doubled, missing in between or out of order.
fn check_journal(journal: &Journal, least: u64) {
    let chain = journal.verify().expect("read");
    assert!(matches!(chain, Chain::Whole { entries } if entries >= least), "{chain:?}");
    let entries = journal.after(0, usize::MAX).expect("read");
    let said: Vec<(&str, u64)> = entries
        .iter()
        .map(|entry| entry.event.message.split_once(' ').expect("process and ticket"))
        .map(|(process, number)| (process, number.parse().expect("a ticket's number")))
        .collect();
    for pair in said.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        assert_eq!(pair[0].1 + 1, pair[1].1, "of process {}", pair[0].0);
    }
}

/// Waits for this many acknowledgements.
fn listen(lines: &mut impl Iterator<Item = std::io::Result<String>>, all: &mut BTreeSet<u64>, more: usize) {
    let wanted = all.len() + more;
    while all.len() < wanted {
        let line = lines.next().expect("the child goes on").expect("pipe");
        all.extend(acked(&line));
    }
}
