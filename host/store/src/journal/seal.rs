//! Signing the journal's end: when it is due, with which key, and where the checkpoint goes. The journal's thread owns
//! the sealer; a checkpoint is committed with the entries that it covers, then appended to the file beside them.
//!
//! What an earlier run left is looked at here once: whether the last checkpoint still fits the chain, and whether the
//! key that signed it is still there. What does not fit becomes an event; nothing of it is mended.

use std::path::{Path, PathBuf};
use std::time::Duration;

use geminus_core::{Clock, Event, Severity, Timestamp};
use rusqlite::{Connection, OptionalExtension as _};

use super::FILE;
use super::chain::Head;
use super::checkpoint::{self, Checkpoint};
use super::key::{Key, PublicKey, random};
use crate::sqlite::column_from_time;
use crate::{Options, StoreError};

/// Checkpoints that wait for a file that cannot be written; beyond them the oldest are in `journal.db` only.
const PENDING_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Sealer {
    key: Key,
    journal: [u8; 16],
    file: PathBuf,
    /// Number of the last checkpoint.
    number: u64,
    /// Last entry that one covers; -1 before the first checkpoint, which covers nothing and draws the journal's number.
    sealed_seq: i64,
    sealed_at: Duration,
    every_entries: i64,
    every: Duration,
    /// Lines that are in `journal.db` and not yet in the file.
    pending: Vec<String>,
    file_fails: bool,
}

impl Sealer {
    /// Takes up where the last run ended. The events say what does not fit.
    pub(crate) fn open(
        dir: &Path,
        connection: &Connection,
        options: &Options,
        now: Duration,
    ) -> Result<(Self, Vec<Event>), StoreError> {
        let file = dir.join(checkpoint::FILE_NAME);
        let head = Head::load(connection)?;
        let beside = checkpoint::last_line(&file)?.and_then(|line| Checkpoint::parse(&line));
        let kept = last(connection)?;
        let in_file = beside.as_ref().map_or(0, |checkpoint| checkpoint.number);
        let last = [kept, beside].into_iter().flatten().max_by_key(|checkpoint| checkpoint.number);
        let key = Key::load_or_make(dir, last.as_ref().map(|checkpoint| checkpoint.key))?;
        let findings = match &last {
            Some(last) => findings(connection, last, key.public())?,
            None => Vec::new(),
        };
        let mut sealer = Self {
            journal: last.as_ref().map_or_else(random, |last| Ok(last.journal))?,
            number: last.as_ref().map_or(0, |last| last.number),
            // Of a chain that was cut the end is signed all the same: what was there before stays on record.
            sealed_seq: last.as_ref().map_or(-1, |last| last.seq.cast_signed().min(head.seq)),
            key,
            file,
            sealed_at: now,
            every_entries: options.journal_checkpoint_entries.into(),
            every: Duration::from_secs(options.journal_checkpoint_s),
            pending: lines_after(connection, in_file)?,
            file_fails: false,
        };
        sealer.append();
        Ok((sealer, findings))
    }

    /// When the end is to be signed though no more entries come; `None` while all are covered.
    pub(crate) fn due_at(&self, head: Head) -> Option<Duration> {
        match self.sealed_seq {
            -1 => Some(self.sealed_at),
            sealed => (head.seq > sealed).then(|| self.sealed_at + self.every),
        }
    }

    /// Whether so much time has passed that whatever is not covered is to be.
    pub(crate) fn is_time(&self, now: Duration) -> bool {
        self.sealed_seq == -1 || now >= self.sealed_at + self.every
    }

    /// Whether this end is to be signed, `now` or by the number of entries.
    pub(crate) fn wants(&self, head: Head, now: bool) -> bool {
        (now && head.seq > self.sealed_seq) || head.seq - self.sealed_seq >= self.every_entries
    }

    /// Signs the end and writes it down, in the transaction of the entries.
    pub(crate) fn sign(
        &self,
        transaction: &Connection,
        head: Head,
        now: Timestamp,
    ) -> Result<Checkpoint, StoreError> {
        self.sign_with(&self.key, transaction, (self.number, head), now, None)
    }

    /// Notes a checkpoint that is committed, and appends it to the file.
    pub(crate) fn sealed(&mut self, checkpoint: &Checkpoint, now: Duration) {
        self.number = checkpoint.number;
        self.sealed_seq = checkpoint.seq.cast_signed();
        self.sealed_at = now;
        self.pending.push(checkpoint.line());
        self.append();
    }

    fn sign_with(
        &self,
        key: &Key,
        transaction: &Connection,
        (number, head): (u64, Head),
        now: Timestamp,
        next_key: Option<PublicKey>,
    ) -> Result<Checkpoint, StoreError> {
        let failed = StoreError::database(FILE.name, "writing a checkpoint");
        // A commit that failed may have reached the file all the same, with its checkpoint.
        let there: i64 = transaction
            .query_row("SELECT coalesce(max(number), 0) FROM checkpoint", [], |row| row.get(0))
            .map_err(&failed)?;
        let number = number.max(there.cast_unsigned()) + 1;
        // As the file keeps times, so that a signed one is never later than what can be kept.
        let time_ns = column_from_time(now).cast_unsigned();
        let checkpoint = Checkpoint::sign((self.journal, number), head, time_ns, key, next_key);
        transaction
            .execute(
                "INSERT INTO checkpoint(number, line) VALUES (?1, ?2)",
                (number.cast_signed(), checkpoint.line()),
            )
            .map_err(failed)?;
        Ok(checkpoint)
    }

    /// Brings the file up to what `journal.db` has. A file that cannot be written is told once and tried again with
    /// the next checkpoint: the journal itself goes on.
    fn append(&mut self) {
        let excess = self.pending.len().saturating_sub(PENDING_MAX);
        self.pending.drain(..excess);
        if self.pending.is_empty() {
            return;
        }
        let lines: String = self.pending.iter().flat_map(|line| [line, "\n"]).collect();
        match checkpoint::append(&self.file, &lines) {
            Ok(()) => {
                self.pending.clear();
                self.file_fails = false;
            }
            Err(error) if !self.file_fails => {
                self.file_fails = true;
                tracing::error!(%error, "checkpoints are kept in journal.db only");
            }
            Err(_) => {}
        }
    }
}

/// Gives the journal of a data folder a new key, which the old one signs; both then sign the end as it is. The folder
/// must not be in use. Blocks.
///
/// # Errors
/// When a host uses the folder, there is no journal in it, or keys or journal cannot be written.
pub fn rotate_key(data: &Path, clock: &dyn Clock) -> Result<PublicKey, StoreError> {
    // Only where there is one: opening it for writing would make it.
    drop(FILE.open_reader(data)?);
    let _lock = crate::store::lock(data)?;
    let mut connection = FILE.open_writer(data)?;
    let now = clock.monotonic();
    let (mut sealer, _) = Sealer::open(data, &connection, &Options::default(), now)?;
    let next = Key::stage(data)?;
    let failed = StoreError::database(FILE.name, "changing the key");
    let transaction = connection.transaction().map_err(&failed)?;
    let head = Head::load(&transaction)?;
    let place = (sealer.number, head);
    let handover = sealer.sign_with(&sealer.key, &transaction, place, clock.now(), Some(next.public()))?;
    let taken = sealer.sign_with(&next, &transaction, (handover.number, head), clock.now(), None)?;
    transaction.commit().map_err(failed)?;
    next.install(data)?;
    sealer.sealed(&handover, now);
    sealer.sealed(&taken, now);
    Ok(next.public())
}

/// What the last checkpoint says that the chain does not, and a key that is not the one that signed.
fn findings(connection: &Connection, last: &Checkpoint, key: PublicKey) -> Result<Vec<Event>, StoreError> {
    let mut findings = Vec::new();
    let hash: Option<Vec<u8>> = connection
        .query_row("SELECT hash FROM entry WHERE seq = ?1", [last.seq.cast_signed()], |row| row.get(0))
        .optional()
        .map_err(StoreError::database(FILE.name, "reading the entry of the last checkpoint"))?;
    let facts =
        serde_json::json!({ "checkpoint": last.number, "seq": last.seq, "key": last.key.to_string() });
    if last.seq > 0 && hash.as_deref() != Some(&last.hash) {
        let message = format!(
            "the journal is not as checkpoint {} signed it: entries up to {} were removed or altered; \
             `geminus journal verify` names the first",
            last.number, last.seq
        );
        findings.push(Event::new("journal-altered", Severity::Error, message).facts(facts.clone()));
    }
    if last.key != key {
        let message = format!(
            "the key that signed checkpoint {} is not in the data folder: checkpoints are signed with {key} from now on",
            last.number
        );
        findings.push(Event::new("journal-key-lost", Severity::Error, message).facts(facts));
    }
    Ok(findings)
}

fn last(connection: &Connection) -> Result<Option<Checkpoint>, StoreError> {
    let line: Option<String> = connection
        .query_row("SELECT line FROM checkpoint ORDER BY number DESC LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(StoreError::database(FILE.name, "reading the last checkpoint"))?;
    Ok(line.as_deref().and_then(Checkpoint::parse))
}

/// The lines that the file has not; of many the last ones.
fn lines_after(connection: &Connection, number: u64) -> Result<Vec<String>, StoreError> {
    let failed = StoreError::database(FILE.name, "reading checkpoints");
    let mut select = connection
        .prepare("SELECT line FROM checkpoint WHERE number > ?1 ORDER BY number DESC LIMIT ?2")
        .map_err(&failed)?;
    let rows =
        select.query_map((number.cast_signed(), PENDING_MAX as i64), |row| row.get(0)).map_err(&failed)?;
    let mut lines: Vec<String> = rows.collect::<Result<_, _>>().map_err(&failed)?;
    lines.reverse();
    Ok(lines)
}
