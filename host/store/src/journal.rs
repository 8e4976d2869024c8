//! `journal.db`: what was worth remembering, in order, each entry chained to the one before it by SHA-256.
//!
//! Writing never blocks: events go through a bounded queue to a thread that commits them in batches. When the
//! journal cannot be written, or an event was lost, it counts as not writable, and nothing may be dispatched.
//! The chain shows entries that were changed, removed or put elsewhere; its end is signed now and then, so that
//! whoever keeps a checkpoint or the public key elsewhere notices also that all of it was rewritten, or its end cut.

mod audit;
mod chain;
mod checkpoint;
mod export;
mod key;
mod line;
mod seal;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded};
use geminus_core::{Clock, Event, Timestamp};
use rusqlite::Connection;

use crate::sqlite::{File, column_from_count};
use crate::stats::{Health, JournalStats};
use crate::store::spawn;
use crate::{Options, StoreError};
pub use audit::{Audit, Kept, audit, audit_export};
pub use chain::Chain;
use chain::Head;
pub use checkpoint::FILE_NAME as CHECKPOINTS_FILE;
pub use export::{Format, export};
pub use key::PublicKey;
pub use line::SITE_KINDS;
use seal::Sealer;
pub use seal::rotate_key;
use writer::{Note, Writer};

/// The file and its schema. `twin` is read out of the chained bytes, so it cannot say something else than they do.
pub(crate) const FILE: File = File {
    name: "journal.db",
    page_bytes: 4096,
    migrations: &[
        "CREATE TABLE entry(seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, body TEXT NOT NULL, hash BLOB NOT NULL,
            twin TEXT GENERATED ALWAYS AS (json_extract(body, '$.twin')) VIRTUAL) STRICT;
        CREATE INDEX entry_by_twin ON entry(twin, seq);
        CREATE TABLE head(only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT",
        "CREATE TABLE checkpoint(number INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT",
        line::INDICES,
    ],
};

/// An event as it was remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number, from 1, without gaps.
    pub seq: u64,
    /// When it was written down.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What the journal's thread and its writers share.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) written: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) health: Health,
}

/// Writes and reads the journal. Clones share one queue.
#[derive(Clone, Debug)]
pub struct Journal {
    notes: Sender<Note>,
    gauges: Arc<Gauges>,
    clock: Arc<dyn Clock>,
    dir: Arc<PathBuf>,
    idle: Arc<Mutex<Option<Connection>>>,
}

impl Journal {
    pub(crate) fn open(
        dir: &Path,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let connection = FILE.open_writer(dir)?;
        FILE.check(&connection)?;
        let (notes, queue) = bounded(options.journal_queue_max);
        let gauges = Arc::new(Gauges::default());
        let head = Head::load(&connection)?;
        let (sealer, findings) = Sealer::open(dir, &connection, options, clock.monotonic())?;
        let writer =
            Writer::new(dir, connection, queue, Arc::clone(&gauges), Arc::clone(&clock), (head, sealer));
        let thread = spawn("store-journal", move || writer.run())?;
        let dir = Arc::new(dir.to_owned());
        let journal = Self { notes, gauges, clock, dir, idle: Arc::default() };
        for finding in findings {
            tracing::error!(kind = finding.kind, "{}", finding.message);
            journal.write(finding);
        }
        Ok((journal, thread))
    }

    /// Remembers an event, at the time of now. Never blocks; an event that finds the queue full is dropped and
    /// counted, and the journal is not writable until the next commit.
    pub fn write(&self, event: Event) {
        let refused = match self.notes.try_send(Note::Event(self.clock.now(), Box::new(event))) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "events come faster than they can be written: some were dropped",
            Err(TrySendError::Disconnected(_)) => "the journal is closed",
        };
        self.gauges.dropped.fetch_add(1, Ordering::Relaxed);
        if self.gauges.health.fail(refused) {
            tracing::error!(file = FILE.name, reason = refused, "the journal lost an event");
        }
    }

    /// Remembers an event and waits until it is durable: whoever acts on what he has recorded calls this first. Gives
    /// the entry's number. Blocks for a commit, which all who wait at the same time share.
    ///
    /// # Errors
    /// When the journal cannot be written now, or events come faster than it can: then nothing may be done that had to
    /// be recorded first. An entry whose commit failed stays queued and may be written later all the same.
    pub fn record(&self, event: Event) -> Result<u64, StoreError> {
        let refused = |reason: String| StoreError::NotWritable { file: FILE.name, reason };
        if !self.writable() {
            return Err(refused(self.reason().unwrap_or_default()));
        }
        let (reply, answer) = bounded(1);
        match self.notes.try_send(Note::Record(self.clock.now(), Box::new(event), reply)) {
            Ok(()) => answer.recv().map_err(|_| StoreError::Closed)?,
            Err(TrySendError::Full(_)) => {
                Err(refused("events come faster than they can be written".to_owned()))
            }
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }

    /// Whether events reach the disk. When not, nothing may be dispatched.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.gauges.health.writable()
    }

    /// Why events do not reach the disk, when they do not.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.gauges.health.reason()
    }

    /// Waits until all events written before are durable. Blocks for a commit.
    ///
    /// # Errors
    /// When they cannot be written now; they stay queued.
    pub fn flush(&self) -> Result<(), StoreError> {
        let (reply, answer) = bounded(1);
        self.notes.send(Note::Flush(reply)).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// The latest entries, newest first: at most `limit`, with a number below `before` if given, about `twin` if
    /// given. Blocks on the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn latest(
        &self,
        limit: usize,
        before: Option<u64>,
        twin: Option<&str>,
    ) -> Result<Vec<Entry>, StoreError> {
        let before = before.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let select = match twin {
            Some(_) => {
                "SELECT seq, time, body FROM entry WHERE twin = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2"
            }
            None => {
                "SELECT seq, time, body FROM entry WHERE seq < ?1 AND ?3 IS NULL ORDER BY seq DESC LIMIT ?2"
            }
        };
        self.select(select, (before, column_from_count(limit), twin))
    }

    /// The entries after number `after`, oldest first, at most `limit`. Blocks on the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn after(&self, after: u64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let select = "SELECT seq, time, body FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        self.select(select, (after, column_from_count(limit)))
    }

    /// Follows the chain from the first entry to the last. Blocks; reads the whole journal.
    ///
    /// # Errors
    /// When the file cannot be read. A broken chain is no error but an answer.
    pub fn verify(&self) -> Result<Chain, StoreError> {
        self.with(chain::verify)
    }

    pub(crate) fn stats(&self) -> JournalStats {
        JournalStats {
            entries_written: self.gauges.written.load(Ordering::Relaxed),
            entries_dropped: self.gauges.dropped.load(Ordering::Relaxed),
            writable: self.writable(),
            reason: self.reason(),
        }
    }

    /// Commits what is queued and ends the thread.
    pub(crate) fn end(&self) {
        if self.notes.send(Note::Close).is_err() {
            tracing::debug!("the journal was closed already");
        }
    }

    fn select(&self, select: &str, parameters: impl rusqlite::Params) -> Result<Vec<Entry>, StoreError> {
        let failed = StoreError::database(FILE.name, "reading entries");
        self.with(|connection| {
            let mut statement = connection.prepare(select).map_err(&failed)?;
            let rows = statement.query_map(parameters, entry_from_row).map_err(&failed)?;
            rows.collect::<Result<_, _>>().map_err(&failed)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let connection = match idle {
            Some(connection) => connection,
            None => FILE.open_reader(&self.dir)?,
        };
        let result = work(&connection);
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        result
    }
}

/// An entry whose body was damaged still shows that it is there, and what is left of it.
fn entry_from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let body: String = row.get(2)?;
    let event = serde_json::from_str(&body).unwrap_or_else(|error| {
        let message = format!("this entry of the journal is damaged: {error}");
        Event::new("journal-damaged", geminus_core::Severity::Error, message)
            .facts(serde_json::json!({ "body": body }))
    });
    let seq = row.get::<_, i64>(0)?.cast_unsigned();
    Ok(Entry { seq, time: Timestamp(row.get::<_, i64>(1)?.cast_unsigned()), event })
}
