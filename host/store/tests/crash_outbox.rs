//! A host that is killed while it commands, in a process of its own: this test program runs itself. Whatever left it was written
//! down before, nothing leaves twice, and what starts afterwards knows of everything that may have left.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use geminus_command::{Command, Event, Feedback, Phase, Proposer, ReadBack, Record, Terms, apply, recover};
use geminus_core::{Clock, Quality, SystemClock, Timestamp};
use geminus_store::{CommandChange, CommandFilter, CommandRow, Options, Store, StoreError};
use uuid::Builder;

const DIR: &str = "GEMINUS_OUTBOX_CRASH_DIR";
const ROUNDS: usize = 20;

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default(), Arc::new(SystemClock::new())).expect("store")
}

fn proposed(number: u32, now: Timestamp) -> Record {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    let command = Command {
        id: Builder::from_unix_timestamp_millis(now.millis(), &random).into_uuid(),
        twin: "pump-1".to_owned(),
        target: format!("target-{}", number % 7),
        value: f64::from(number) / 3.0,
        unit: "%".to_owned(),
        proposer: Proposer::Operator { name: "anna".to_owned() },
        reason: "too warm".to_owned(),
        evidence: Vec::new(),
        proposed: now,
        not_after: now.plus(Duration::from_secs(600)),
        class: "routine".to_owned(),
    };
    let feedback = Feedback { point: "limit".to_owned(), tolerance: 0.5, within_ms: 60_000 };
    let terms =
        Terms { approvers: 0, approve_within_ms: 30_000, feedback: Some(feedback), destination: None };
    Record::propose(command, terms, now).expect("proposed")
}

fn save(store: &Store, record: &Record, cause: &str) -> Result<(), StoreError> {
    let command = record.command();
    let row = CommandRow {
        number: 0,
        id: *record.id().as_bytes(),
        twin: command.twin.clone(),
        target: command.target.clone(),
        digest: record.digest().to_string(),
        step: record.step(),
        state: record.phase().name().to_owned(),
        since: record.since(),
        open: !record.is_over(),
        document: record.document().expect("document"),
    };
    store.outbox().save(&[CommandChange { row, cause: format!("\"{cause}\""), word: None }])
}

/// The field: a file that remembers every command that reached it, in the order in which they came.
struct Field(File);

impl Field {
    fn open(dir: &Path) -> Self {
        let path = dir.join("field.txt");
        Self(OpenOptions::new().create(true).append(true).open(path).expect("field"))
    }

    fn take(&mut self, record: &Record) {
        self.0.write_all(format!("{}\n", record.id()).as_bytes()).expect("field");
    }
}

/// Everything that reached the field.
fn reached(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("field.txt")).expect("field");
    text.lines().map(str::to_owned).collect()
}

/// One command from where it stands to its end. A step is taken only when the one before is kept.
fn drive(
    store: &Store,
    field: &mut Field,
    clock: &SystemClock,
    record: Record,
) -> Result<Record, StoreError> {
    let mut record = record;
    for event in [
        Event::Permit,
        Event::Arm,
        Event::Send { before: None },
        Event::Acknowledge { receipt: "ok".to_owned() },
    ] {
        let Ok(next) = apply(&record, &event, clock.now()) else { continue };
        save(store, &next, event.kind().name())?;
        if next.phase() == Phase::Sent && record.phase() == Phase::Armed {
            // Told in between, so that a kill can fall between the mark and the bytes, or just behind them.
            tell(&format!("sent {}", next.id()));
            field.take(&next);
        }
        record = next;
    }
    let now = clock.now();
    let sample = ReadBack { value: record.command().value, quality: Quality::Good, time: now, received: now };
    if let Ok(next) = apply(&record, &Event::ReadBack(sample), now)
        && next != record
    {
        save(store, &next, "read-back")?;
        record = next;
    }
    Ok(record)
}

fn tell(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").expect("pipe");
    out.flush().expect("pipe");
}

/// As a child (the folder is in the environment) it commands until it is killed; by itself it commands a little.
#[test]
fn a_host_that_commands() {
    let given = std::env::var(DIR).ok().map(std::path::PathBuf::from);
    let own = tempfile::tempdir().expect("folder");
    let dir = given.clone().unwrap_or_else(|| own.path().to_owned());
    let store = open(&dir);
    let clock = SystemClock::new();
    let mut field = Field::open(&dir);
    for row in store.outbox().open_commands().expect("read") {
        let kept = Record::from_document(&row.document).expect("a true record");
        let again = recover(&kept, None, clock.now()).expect("legal");
        if again != kept {
            save(&store, &again, "restart").expect("saved");
        }
        if again.phase() == Phase::Proposed {
            drive(&store, &mut field, &clock, again).expect("driven");
        }
    }
    for number in 0u32.. {
        if given.is_none() && number > 5 {
            break;
        }
        let first = proposed(number, clock.now());
        while let Err(error) = save(&store, &first, "propose") {
            tell(&format!("failed {error}"));
        }
        match drive(&store, &mut field, &clock, first) {
            Ok(record) => tell(&format!("done {} {}", record.id(), record.phase())),
            // It stays where it is: the next start finds out.
            Err(error) => tell(&format!("failed {error}")),
        }
    }
    check(&dir, &store);
}

/// Nothing reached the field twice or unknown; what is said not to have been sent did not.
fn check(dir: &Path, store: &Store) {
    let reached = reached(dir);
    let distinct: BTreeSet<&String> = reached.iter().collect();
    assert_eq!(distinct.len(), reached.len(), "something reached the field twice");
    let mut filter = CommandFilter::default();
    let mut known = BTreeSet::new();
    loop {
        let page = store.outbox().commands(&filter, 1_000).expect("read");
        for row in &page {
            let record = Record::from_document(&row.document).expect("a true record");
            assert_eq!((row.state.as_str(), row.step), (record.phase().name(), record.step()));
            let steps = store.outbox().transitions(&row.id).expect("read");
            assert_eq!(steps.len(), row.step as usize + 1, "every transition is there");
            let sent = steps.iter().filter(|step| step.state == "sent").count();
            assert!(sent <= 1 && (sent == 1) == record.sent().is_some());
            assert!(sent == 1 || !distinct.contains(&record.id().to_string()), "sent, but not written down");
            if record.phase() == Phase::Verified {
                assert!(
                    distinct.contains(&record.id().to_string()),
                    "verified, but it never reached the field"
                );
            }
            known.insert(record.id().to_string());
        }
        match page.last() {
            Some(last) => filter.before = Some(last.number),
            None => break,
        }
    }
    assert!(
        distinct.iter().all(|id| known.contains(*id)),
        "the field knows a command that the outbox does not"
    );
}

fn start(dir: &Path) -> Child {
    // The shell makes the child ignore SIGXFSZ, so that writing over a size limit fails instead of killing it.
    std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "a_host_that_commands", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("child")
}

#[test]
fn whatever_left_a_host_that_was_killed_is_known_and_leaves_once() {
    let dir = tempfile::tempdir().expect("folder");
    let mut in_doubt = 0;
    for round in 0..ROUNDS {
        let mut child = start(dir.path());
        // Held until the kill: a pipe that closes would let the child end in order.
        let mut lines = BufReader::new(child.stdout.take().expect("pipe")).lines().map_while(Result::ok);
        let word = if round % 2 == 0 { "sent " } else { "done " };
        let heard = lines.by_ref().filter(|line| line.starts_with(word)).take(2 + round % 5).count();
        child.kill().expect("kill");
        child.wait().expect("wait");
        drop(lines);
        assert_eq!(heard, 2 + round % 5, "round {round}: the child ended by itself");
        let store = open(dir.path());
        check(dir.path(), &store);
        let kept = store.outbox().open_commands().expect("read");
        in_doubt += kept.iter().filter(|row| row.state == "sent").count();
        store.close().expect("close");
    }
    // Not what the test is about, but good to see: how often the kill came between sending and knowing.
    println!("{in_doubt} of {ROUNDS} were in doubt");
}

/// Writing beyond a size limit fails as a broken disk does (EFBIG, which SQLite reports as an IO error).
#[test]
fn a_host_whose_disk_fails_sends_nothing_that_is_not_written_down() {
    let dir = tempfile::tempdir().expect("folder");
    let mut child = start(dir.path());
    let process = child.id().to_string();
    let limit = |bytes: &str| {
        let set = std::process::Command::new("prlimit").args(["--pid", &process, bytes]).status();
        assert!(set.expect("prlimit (util-linux) is needed for this test").success());
    };
    let mut lines = BufReader::new(child.stdout.take().expect("pipe")).lines().map_while(Result::ok);
    for _ in 0..3 {
        assert!(lines.any(|line| line.starts_with("done ")), "the child goes on");
        limit("--fsize=65536:unlimited");
        let failed = lines.find(|line| line.starts_with("failed ")).expect("the child is told");
        assert!(failed.contains("outbox.db"), "{failed}");
        limit("--fsize=unlimited:unlimited");
        assert!(lines.any(|line| line.starts_with("done ")), "the child goes on");
    }
    child.kill().expect("kill");
    child.wait().expect("wait");
    let store = open(dir.path());
    check(dir.path(), &store);
    store.close().expect("close");
}
