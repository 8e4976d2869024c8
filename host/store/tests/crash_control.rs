//! A host that is killed while it writes `control.db`, in a process of its own: this test program runs itself. What
//! was said to be done is there afterwards, and of what was under way all or nothing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use geminus_core::{SystemClock, Timestamp};
use geminus_store::{
    AlarmRecord, Border, Checkpoint, Generation, Options, Release, RolloutRecord, Store, StoreError, Strike,
};

const DIR: &str = "GEMINUS_CONTROL_CRASH_DIR";
const FROM: &str = "GEMINUS_CONTROL_CRASH_FROM";
const ROUNDS: u64 = 12;
const TWINS: usize = 40;

fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default(), Arc::new(SystemClock::new())).expect("store")
}

fn twin(at: usize) -> String {
    format!("motor-{at}")
}

fn state(turn: u64, at: usize) -> Vec<u8> {
    vec![(turn as u8) ^ (at as u8); 300 + at]
}

/// One turn of each kind of writing, all of which say the number of the turn.
fn write(store: &Store, rollout: u64, turn: u64) -> Result<(), StoreError> {
    let control = store.control();
    let checkpoints: Vec<Checkpoint> = (0..TWINS)
        .map(|at| Checkpoint {
            binding: "thermal".to_owned(),
            twin: twin(at),
            row_time: Timestamp(turn),
            rows: turn,
            incarnation: 1,
            schema: 1,
            border: Border::Switch,
            bytes: state(turn, at),
        })
        .collect();
    control.checkpoint_save(&checkpoints)?;
    let alarms: Vec<AlarmRecord> = (0..TWINS)
        .map(|at| AlarmRecord {
            twin: twin(at),
            name: "hot".to_owned(),
            document: Some(format!("{{\"by\":{turn}}}")),
        })
        .collect();
    control.save_alarms(&alarms)?;
    control.assign("thermal", None, &format!("sha256:{turn}"))?;
    control.rollout_save(rollout, "shadow", &format!("{turn}"), None)?;
    let strike = Strike {
        binding: "thermal".to_owned(),
        twin: "motor-1".to_owned(),
        digest: "sha256:1".to_owned(),
        time: Timestamp(turn),
        message: format!("{turn}"),
    };
    control.strike(&[strike], Duration::ZERO)?;
    let by = Generation {
        binding: "thermal".to_owned(),
        plugin: "p@1".to_owned(),
        digest: "sha256:1".to_owned(),
        schema: 1,
    };
    let states: Vec<_> = (0..TWINS).map(|at| (twin(at), Timestamp(turn), state(turn, at))).collect();
    store.snapshots().save(&by, &states)
}

/// Each kind is at turn `least` or, where the kill came between, one further; never in between.
fn check(store: &Store, rollout: u64, least: u64) {
    let control = store.control();
    let mut at_turn = Vec::new();
    for at in 0..TWINS {
        let last = control
            .checkpoint_before("thermal", &twin(at), Timestamp(u64::MAX))
            .expect("read")
            .expect("there");
        assert_eq!(last.bytes, state(last.rows, at));
        at_turn.push(last.rows);
    }
    assert!(at_turn.iter().all(|turn| *turn == at_turn[0]), "a save is there whole: {at_turn:?}");
    let alarms = control.alarms().expect("read");
    assert_eq!(alarms.len(), TWINS);
    assert!(alarms.iter().all(|alarm| alarm.document == alarms[0].document), "all of a commit or none");
    let document = alarms[0].document.as_deref().unwrap_or_default();
    at_turn.push(document.trim_matches(['{', '}']).trim_start_matches("\"by\":").parse().expect("turn"));
    let assigned = control.assignments().expect("read").remove(0).digest;
    at_turn.push(assigned.trim_start_matches("sha256:").parse().expect("turn"));
    at_turn.push(control.rollout(rollout).expect("read").expect("there").document.parse().expect("turn"));
    at_turn.push(control.strikes(None, None, 1).expect("read").remove(0).message.parse().expect("turn"));
    let twins: Vec<String> = (0..TWINS).map(twin).collect();
    let loaded = store.snapshots().load("thermal", &twins).expect("load");
    assert_eq!(loaded.states.len(), TWINS);
    at_turn.extend(loaded.states.iter().map(|state| state.row_time.0));
    assert!(
        at_turn.iter().all(|turn| (least..=least + 1).contains(turn)),
        "turn {least} was told: {at_turn:?}"
    );
    assert!(loaded.damaged.is_empty() && control.damage().is_empty());
}

/// As a child (the folder is in the environment) it writes until it is killed; by itself it writes a little.
#[test]
fn a_host_says_what_is_done() {
    let given = std::env::var(DIR).ok();
    let own = tempfile::tempdir().expect("folder");
    let dir = given.as_ref().map_or_else(|| own.path().to_owned(), PathBuf::from);
    let from: u64 = std::env::var(FROM).map_or(1, |text| text.parse().expect("number"));
    let store = open(&dir);
    store.control().mark_running().expect("mark");
    let rollout = store.control().rollouts_open().expect("read").first().map(|open| open.id);
    let rollout = rollout.unwrap_or_else(|| store.control().rollout_begin(&record()).expect("begin"));
    let mut out = std::io::stdout();
    for turn in from.. {
        if given.is_none() && turn > 5 {
            break;
        }
        while let Err(error) = write(&store, rollout, turn) {
            writeln!(out, "failed {error}").expect("pipe");
        }
        writeln!(out, "done {turn}").expect("pipe");
        out.flush().expect("pipe");
    }
    check(&store, rollout, 5);
}

fn record() -> RolloutRecord {
    RolloutRecord {
        id: 0,
        binding: "thermal".to_owned(),
        plugin: "p".to_owned(),
        from: None,
        to: Release { version: "1.0.0".to_owned(), digest: "sha256:1".to_owned() },
        automatic: false,
        by: "test".to_owned(),
        started: Timestamp(1),
        phase: "verifying".to_owned(),
        changed: Timestamp(1),
        ended: None,
        plan: "{}".to_owned(),
        document: "0".to_owned(),
        evidence: None,
    }
}

fn start(dir: &Path, from: u64) -> Child {
    // The shell makes the child ignore SIGXFSZ, so that writing over a size limit fails instead of killing it.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "a_host_says_what_is_done", "--nocapture"])
        .env(DIR, dir)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("child")
}

#[test]
fn nothing_that_was_said_to_be_done_is_lost_when_the_host_is_killed() {
    let dir = tempfile::tempdir().expect("folder");
    let mut last = 0u64;
    for round in 0..ROUNDS {
        let mut child = start(dir.path(), last + 1);
        let lines = BufReader::new(child.stdout.take().expect("pipe")).lines();
        let enough = last + 3 + round;
        for line in lines.map_while(Result::ok) {
            let Some(turn) = line.strip_prefix("done ") else { continue };
            last = turn.parse().expect("turn");
            if last == enough {
                child.kill().expect("kill");
            }
        }
        child.wait().expect("wait");
        assert!(last >= enough, "round {round}: the child ended by itself after {last}");
        let store = open(dir.path());
        assert!(!store.control().was_clean(), "it was killed");
        let open = store.control().rollouts_open().expect("read");
        assert_eq!(open.len(), 1);
        check(&store, open[0].id, last);
        store.close().expect("close");
    }
}

/// Writing beyond a size limit fails as a broken disk does (EFBIG, which SQLite reports as an IO error).
#[test]
fn a_disk_that_fails_is_told_and_gone_on_with_when_it_is_back() {
    let dir = tempfile::tempdir().expect("folder");
    let mut child = start(dir.path(), 1);
    let process = child.id().to_string();
    let limit = |bytes: &str| {
        let set = Command::new("prlimit").args(["--pid", &process, bytes]).status();
        assert!(set.expect("prlimit (util-linux) is needed for this test").success());
    };
    let mut lines = BufReader::new(child.stdout.take().expect("pipe")).lines();
    let mut last = 0u64;
    let mut listen = |until: &dyn Fn(&str, u64) -> bool| loop {
        let line = lines.next().expect("the child goes on").expect("pipe");
        last = line.strip_prefix("done ").map_or(last, |turn| turn.parse().expect("turn"));
        if until(&line, last) {
            return (line, last);
        }
    };
    for _ in 0..3 {
        let (_, before) = listen(&|line, _| line.starts_with("done "));
        limit("--fsize=65536:unlimited");
        let (failed, _) = listen(&|line, _| line.starts_with("failed "));
        assert!(failed.contains("control.db"), "{failed}");
        limit("--fsize=unlimited:unlimited");
        listen(&|_, last| last > before + 5);
    }
    child.kill().expect("kill");
    last = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("done ")?.parse().ok())
        .last()
        .unwrap_or(last);
    child.wait().expect("wait");
    let store = open(dir.path());
    let open = store.control().rollouts_open().expect("read");
    check(&store, open[0].id, last);
    store.close().expect("close");
}
