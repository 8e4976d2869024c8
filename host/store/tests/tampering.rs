//! Whoever can write every file of a data folder but has not the key alters the journal, a hundred times, in every way we
//! know; each is found, with the entry where it can be named. The seed is printed with what it did.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, whose functions beside the tests fail as loudly"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use geminus_core::{Event, ManualClock, Severity, Timestamp};
use geminus_store::{
    Audit, CHECKPOINTS_FILE, Chain, Format, Kept, Options, PublicKey, Store, audit, audit_export, export,
};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

const ENTRIES: i64 = 400;
const EVERY: i64 = 40;

/// SplitMix64: few lines, the same on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `least` to before `end`.
    fn between(&mut self, least: i64, end: i64) -> i64 {
        least + (self.next() % (end - least).cast_unsigned()).cast_signed()
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let at = self.between(0, bytes.len().cast_signed() as i64) as usize;
        // Never to a byte beyond ASCII, so that text stays text, and never nothing.
        bytes[at] ^= 1_u8 << self.between(0, 4);
    }
}

/// What an alteration must lead to.
#[derive(Debug)]
enum Expect {
    /// Exactly this entry is named.
    At(i64),
    /// That something is wrong.
    Any,
}

fn original() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("folder");
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_700_000_000_000)));
    let options = Options { journal_checkpoint_entries: EVERY as u32, ..Options::default() };
    let store = Store::open(dir.path(), options, clock).expect("store");
    for at in 1..=ENTRIES {
        let event =
            Event::new("noted", Severity::Info, format!("entry {at}")).twin(format!("pump-{}", at % 4));
        store.journal().write(event);
        // So that commits, and with them checkpoints, come at the same entries each time.
        if at % (EVERY / 2) == 0 {
            store.journal().flush().expect("flush");
        }
    }
    store.close().expect("close");
    dir
}

fn copy_of(original: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("folder");
    fs::create_dir(dir.path().join("keys")).expect("folder");
    for name in ["journal.db", CHECKPOINTS_FILE, "keys/journal.pub"] {
        fs::copy(original.join(name), dir.path().join(name)).expect(name);
    }
    dir
}

/// Hashes and head as the journal would have made them.
fn rechain(file: &Connection) {
    let rows: Vec<(i64, i64, String)> = file
        .prepare("SELECT seq, time, body FROM entry ORDER BY seq")
        .expect("select")
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows");
    let mut hash = [0_u8; 32];
    let mut last = 0;
    file.execute_batch("BEGIN").expect("begin");
    for (seq, time, body) in rows {
        let mut hasher = Sha256::new();
        hasher.update(hash);
        hasher.update(seq.to_be_bytes());
        hasher.update(time.to_be_bytes());
        hasher.update(body);
        (hash, last) = (hasher.finalize().into(), seq);
        file.execute("UPDATE entry SET hash = ?1 WHERE seq = ?2", (hash, seq)).expect("update");
    }
    file.execute("UPDATE head SET seq = ?1, hash = ?2", (last, hash)).expect("head");
    file.execute_batch("COMMIT").expect("commit");
}

fn lines(file: &Connection) -> Vec<(i64, String)> {
    file.prepare("SELECT number, line FROM checkpoint ORDER BY number")
        .expect("select")
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("rows")
}

/// Puts what `journal.db` has into the file beside it, as one who covers his traces.
fn even_out(dir: &Path, file: &Connection) {
    let text: String = lines(file).into_iter().map(|(_, line)| line + "\n").collect();
    fs::write(dir.join(CHECKPOINTS_FILE), text).expect("written");
}

fn body(file: &Connection, seq: i64) -> String {
    file.query_row("SELECT body FROM entry WHERE seq = ?1", [seq], |row| row.get(0)).expect("row")
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signs every checkpoint anew over the hashes that the file has now, with a key of the forger's own. The layout of the
/// signed bytes stands here a second time on purpose: decision 0009 promises it.
fn resign(dir: &Path, file: &Connection, key: &SigningKey) {
    for (number, line) in lines(file) {
        let mut value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let seq = value["seq"].as_i64().expect("seq");
        let hash: Vec<u8> = match seq {
            0 => vec![0; 32],
            _ => file
                .query_row("SELECT hash FROM entry WHERE seq = ?1", [seq], |row| row.get(0))
                .expect("hash"),
        };
        let mut message = b"geminus journal checkpoint v1\n".to_vec();
        message.extend(unhex(value["journal"].as_str().expect("journal")));
        message.extend(number.to_be_bytes());
        message.extend(seq.to_be_bytes());
        message.extend(&hash);
        message.extend(value["time_ns"].as_u64().expect("time").to_be_bytes());
        message.extend(key.verifying_key().to_bytes());
        message.push(0);
        value["hash"] = hex(&hash).into();
        value["key"] = hex(&key.verifying_key().to_bytes()).into();
        value["signature"] = hex(&key.sign(&message).to_bytes()).into();
        let field = |name: &str| value[name].to_string();
        let names = ["journal", "number", "seq", "hash", "time_ns", "key", "signature"];
        let fields: Vec<String> = names.iter().map(|name| format!("\"{name}\":{}", field(name))).collect();
        let line = format!("{{{}}}", fields.join(","));
        file.execute("UPDATE checkpoint SET line = ?1 WHERE number = ?2", (line, number)).expect("update");
    }
    even_out(dir, file);
    fs::write(dir.join("keys/journal.pub"), hex(&key.verifying_key().to_bytes())).expect("written");
}

const KINDS: u64 = 16;

/// Alters a copy; says what it did and what must come of it.
fn alter(kind: u64, dir: &Path, dice: &mut Dice) -> (String, Expect) {
    let file = Connection::open(dir.join("journal.db")).expect("file");
    let seq = dice.between(2, ENTRIES);
    let run = |sql: &str| file.execute_batch(sql).expect(sql);
    // What was chained anew is named by the first entry after the last checkpoint before it.
    let stretch = |seq: i64| {
        let signed = lines(&file).into_iter().map(|(_, line)| {
            let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            value["seq"].as_i64().expect("seq")
        });
        Expect::At(signed.filter(|signed| *signed < seq).max().unwrap_or(0) + 1)
    };
    match kind {
        0 => {
            let mut bytes = body(&file, seq).into_bytes();
            dice.flip(&mut bytes);
            let text = String::from_utf8(bytes).expect("ASCII");
            // The column that is read out of the body must not stand in the way of one that is no JSON any more.
            run("DROP INDEX entry_by_twin");
            file.execute("UPDATE entry SET body = ?1 WHERE seq = ?2", (text, seq)).expect("update");
            (format!("flip body of {seq}"), Expect::At(seq))
        }
        1 => {
            let mut hash: Vec<u8> = file
                .query_row("SELECT hash FROM entry WHERE seq = ?1", [seq], |row| row.get(0))
                .expect("hash");
            dice.flip(&mut hash);
            file.execute("UPDATE entry SET hash = ?1 WHERE seq = ?2", (hash, seq)).expect("update");
            (format!("flip hash of {seq}"), Expect::At(seq))
        }
        2 => {
            let bit = 1_i64 << dice.between(0, 60);
            run(&format!("UPDATE entry SET time = (time | {bit}) - (time & {bit}) WHERE seq = {seq}"));
            (format!("flip bit {bit} of the time of {seq}"), Expect::At(seq))
        }
        3 => {
            run(&format!("UPDATE entry SET seq = seq + 100000 WHERE seq = {seq}"));
            (format!("renumber {seq}"), Expect::At(seq))
        }
        4 => {
            run(&format!("DELETE FROM entry WHERE seq = {seq}"));
            (format!("delete {seq}"), Expect::At(seq))
        }
        5 => {
            let other = seq % (ENTRIES - 1) + 1;
            run(&format!(
                "UPDATE entry SET seq = -1 WHERE seq = {seq}; UPDATE entry SET seq = {seq} WHERE seq = {other};
                 UPDATE entry SET seq = {other} WHERE seq = -1"
            ));
            (format!("swap {seq} and {other}"), Expect::At(seq.min(other)))
        }
        6 => {
            run(&format!("DELETE FROM entry WHERE seq > {seq}"));
            (format!("cut after {seq}"), Expect::At(seq + 1))
        }
        7 => {
            run(&format!("DELETE FROM entry WHERE seq > {seq}"));
            rechain(&file);
            (format!("cut after {seq} with its head"), Expect::At(seq + 1))
        }
        8 => {
            run(&format!("DELETE FROM entry WHERE seq > {seq}"));
            rechain(&file);
            for (number, line) in lines(&file) {
                let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
                if value["seq"].as_i64().expect("seq") > seq {
                    run(&format!("DELETE FROM checkpoint WHERE number = {number}"));
                }
            }
            even_out(dir, &file);
            (format!("cut after {seq} with head, checkpoints and file"), Expect::At(seq + 1))
        }
        9 => {
            run(&format!(
                "UPDATE entry SET seq = -seq - 1 WHERE seq >= {seq}; UPDATE entry SET seq = -seq WHERE seq < 0;
                 INSERT INTO entry(seq, time, body, hash) SELECT {seq}, time, body, hash FROM entry WHERE seq = 1"
            ));
            rechain(&file);
            (format!("insert at {seq}, chained anew"), stretch(seq))
        }
        10 => {
            let text = body(&file, seq).replace("entry", "trick");
            file.execute("UPDATE entry SET body = ?1 WHERE seq = ?2", (text, seq)).expect("update");
            rechain(&file);
            (format!("rewrite {seq}, chained anew"), stretch(seq))
        }
        11 => {
            let text = body(&file, seq).replace("entry", "trick");
            file.execute("UPDATE entry SET body = ?1 WHERE seq = ?2", (text, seq)).expect("update");
            rechain(&file);
            resign(dir, &file, &SigningKey::from_bytes(&[dice.between(0, 250) as u8; 32]));
            (format!("rewrite {seq}, chained and signed anew"), Expect::Any)
        }
        12 | 13 => {
            let all = lines(&file);
            let (number, line) = all[dice.between(0, all.len() as i64) as usize].clone();
            let mut bytes = line.into_bytes();
            dice.flip(&mut bytes);
            let text = String::from_utf8(bytes).expect("ASCII");
            file.execute("UPDATE checkpoint SET line = ?1 WHERE number = ?2", (text, number))
                .expect("update");
            if kind == 13 {
                even_out(dir, &file);
            }
            (format!("flip checkpoint {number}"), Expect::Any)
        }
        14 => {
            let mut bytes = fs::read(dir.join(CHECKPOINTS_FILE)).expect("read");
            dice.flip(&mut bytes);
            fs::write(dir.join(CHECKPOINTS_FILE), bytes).expect("written");
            ("flip the file beside the journal".to_owned(), Expect::Any)
        }
        _ => {
            let number = dice.between(1, lines(&file).len() as i64);
            run(&format!("DELETE FROM checkpoint WHERE number = {number}"));
            even_out(dir, &file);
            (format!("delete checkpoint {number}, also from the file"), Expect::Any)
        }
    }
}

fn kept(original: &Path) -> Kept {
    let key = PublicKey::of_folder(original).expect("read").expect("a key");
    let last = Kept::checkpoints_from(&original.join(CHECKPOINTS_FILE)).expect("lines").pop();
    Kept { checkpoints: last.into_iter().collect(), keys: vec![key] }
}

fn is_found(found: &Result<Audit, geminus_store::StoreError>, expect: &Expect) -> bool {
    match (found, expect) {
        (Err(_), Expect::Any) => true,
        (Ok(Audit { chain: Chain::Broken { seq, .. }, .. }), expect) => match expect {
            Expect::At(at) => seq.cast_signed() == *at,
            Expect::Any => true,
        },
        _ => false,
    }
}

#[test]
fn a_hundred_of_a_hundred_alterations_are_found() {
    let original = original();
    let kept = kept(original.path());
    let entries = ENTRIES.cast_unsigned();
    for kept in [Kept::default(), kept.clone()] {
        let found = audit(original.path(), &kept).expect("read");
        assert_eq!((&found.chain, found.signed_to), (&Chain::Whole { entries }, entries), "{found:?}");
        assert!(found.checkpoints >= 7, "{found:?}");
    }
    let mut missed = Vec::new();
    for seed in 0..100 {
        let copy = copy_of(original.path());
        let kind = seed % KINDS;
        let (what, expect) = alter(kind, copy.path(), &mut Dice(seed));
        // All but the cut of everything and the forged key show without anything from elsewhere.
        let held = if matches!(kind, 8 | 11) { kept.clone() } else { Kept::default() };
        let found = audit(copy.path(), &held);
        if !is_found(&found, &expect) {
            missed.push(format!("seed {seed}: {what}: {expect:?}, found {found:?}"));
        }
    }
    assert!(missed.is_empty(), "{} of 100 missed:\n{}", missed.len(), missed.join("\n"));
}

/// What needs something from elsewhere passes without it: that is why it is kept elsewhere.
#[test]
fn a_forger_of_everything_is_found_by_key_and_by_checkpoint_alone() {
    let original = original();
    let kept = kept(original.path());
    let by_key = Kept { checkpoints: Vec::new(), ..kept.clone() };
    let by_checkpoint = Kept { keys: Vec::new(), ..kept };
    for (kind, by_key_too) in [(8, false), (11, true)] {
        let copy = copy_of(original.path());
        let (what, _) = alter(kind, copy.path(), &mut Dice(3));
        let whole =
            |kept: &Kept| matches!(audit(copy.path(), kept), Ok(Audit { chain: Chain::Whole { .. }, .. }));
        assert!(whole(&Kept::default()), "{what}");
        assert!(!whole(&by_checkpoint), "{what}");
        assert_eq!(!whole(&by_key), by_key_too, "{what}");
    }
}

#[test]
fn any_flipped_byte_of_an_export_is_found() {
    let original = original();
    let key = Kept { keys: kept(original.path()).keys, ..Kept::default() };
    for format in [Format::Jsonl, Format::Csv] {
        let mut bytes = Vec::new();
        let written =
            export(original.path(), (None, None), format, &mut bytes).expect("read").expect("written");
        assert_eq!(written, ENTRIES.cast_unsigned());
        let found = audit_export(bytes.as_slice(), &key).expect("read");
        assert_eq!(found.chain, Chain::Whole { entries: written }, "{format:?}");
        assert_eq!(found.signed_to, written);
        let passes =
            |bytes: &[u8]| matches!(audit_export(bytes, &key), Ok(Audit { chain: Chain::Whole { .. }, .. }));
        let mut dice = Dice(7);
        for _ in 0..200 {
            let mut other = bytes.clone();
            let at = dice.between(0, other.len() as i64) as usize;
            // A quotation mark or a line's end may be written in two ways that mean the same.
            if !other[at].is_ascii_alphanumeric() {
                continue;
            }
            other[at] ^= 1;
            assert!(!passes(&other), "{format:?}: byte {at}");
        }
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for _ in 0..50 {
            let at = dice.between(1, lines.len() as i64) as usize;
            assert!(!passes(&lines[..at].concat()), "{format:?}: cut after line {at}");
            let one = dice.between(20, lines.len() as i64 - 2) as usize;
            let without = [lines[..one].concat(), lines[one + 1..].concat()].concat();
            assert!(!passes(&without), "{format:?}: without line {one}");
            let swapped =
                [&lines[..one], &[lines[one + 1], lines[one]][..], &lines[one + 2..]].concat().concat();
            assert!(!passes(&swapped), "{format:?}: swapped at line {one}");
        }
    }
}
