//! `outbox.db`: every command, each of its transitions, and who asked for which target.
//!
//! Decides nothing: which transitions there are is the business of whoever writes them. Here a change is durable when
//! the call returns, and a change that does not follow on what is kept is refused, so that of two writers one notices. Calls
//! block for a commit that they share with whoever calls at the same time. When a call fails, the change may have been kept all the
//! same: writing the same again is then no error, and what was not confirmed must not be acted on.

mod keep;
mod query;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};
use geminus_core::{Clock, Event, Timestamp};
use rusqlite::Connection;

use crate::sqlite::File;
use crate::stats::Health;
use crate::store::spawn;
use crate::{Fault, Options, StoreError};
pub use query::CommandFilter;
use writer::{Work, Writer};

/// Most bytes of a name, a digest or a state.
const NAME_BYTES_MAX: usize = 1024;
/// Most bytes of a command's document, or of a target's.
const DOCUMENT_BYTES_MAX: usize = 1 << 18;
/// Most bytes of what caused a transition.
const CAUSE_BYTES_MAX: usize = 16 << 10;
/// Most bytes of what the journal is to be told.
const WORD_BYTES_MAX: usize = 32 << 10;
/// Most changes that are kept or refused together, or told.
const CHANGES_MAX: usize = 1_000;
/// Most calls that wait for a commit; further ones wait for a place.
const QUEUE_MAX: usize = 1_024;
/// Shortest time for which a command is kept after it ended: longer than its id can be replayed.
pub const COMMANDS_KEPT_MIN: Duration = Duration::from_secs(48 * 3600);

/// The file and its schema.
pub(crate) const FILE: File = File {
    name: "outbox.db",
    page_bytes: 4096,
    migrations: &[
        "CREATE TABLE command(number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, twin TEXT NOT NULL,
            target TEXT NOT NULL, digest TEXT NOT NULL, step INTEGER NOT NULL, state TEXT NOT NULL,
            since INTEGER NOT NULL, open INTEGER NOT NULL, document TEXT NOT NULL) STRICT;
        CREATE INDEX command_by_target ON command(twin, target, number);
        CREATE INDEX command_by_state ON command(state, number);
        CREATE INDEX command_open ON command(number) WHERE open = 1;
        CREATE INDEX command_by_age ON command(since) WHERE open = 0;
        CREATE TABLE transition(command INTEGER NOT NULL REFERENCES command(number) ON DELETE CASCADE,
            step INTEGER NOT NULL, state TEXT NOT NULL, time INTEGER NOT NULL, cause TEXT NOT NULL,
            PRIMARY KEY(command, step)) STRICT, WITHOUT ROWID;
        CREATE TABLE target(twin TEXT NOT NULL, target TEXT NOT NULL, changed INTEGER NOT NULL, document TEXT NOT NULL,
            PRIMARY KEY(twin, target)) STRICT, WITHOUT ROWID",
        // What the journal has not been told of yet. What an earlier version kept counts as told.
        "ALTER TABLE transition ADD COLUMN word TEXT;
        CREATE INDEX transition_untold ON transition(time) WHERE word IS NOT NULL",
    ],
};

/// A command as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRow {
    /// Its place in the outbox, from 1, in the order in which commands came; 0 until it was kept.
    pub number: u64,
    /// Its id: the 16 bytes of a UUID.
    pub id: [u8; 16],
    /// Id of the twin.
    pub twin: String,
    /// Name of the target.
    pub target: String,
    /// Digest of its bytes, as `sha256:…`. Never changes.
    pub digest: String,
    /// How often it changed: 0 when it is new.
    pub step: u32,
    /// Name of its state.
    pub state: String,
    /// Since when.
    pub since: Timestamp,
    /// Whether it still needs somebody. Such commands are loaded at start and never forgotten.
    pub open: bool,
    /// All of it as JSON, at most 256 KiB.
    pub document: String,
}

/// A command that is new or has changed, and by what.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandChange {
    /// The command as it stands after the change.
    pub row: CommandRow,
    /// What caused it, as JSON, at most 16 KiB.
    pub cause: String,
    /// What the journal is to be told of it, at most 32 KiB as JSON; `None`: nothing. It is kept together with the change until
    /// [`Outbox::told`], so that a host that is killed between the two tells it at its next start.
    pub word: Option<Event>,
}

/// What the journal may not have been told.
#[derive(Clone, Debug, PartialEq)]
pub struct Untold {
    /// Of which command.
    pub id: [u8; 16],
    /// Of which of its changes.
    pub step: u32,
    /// When that was.
    pub time: Timestamp,
    /// What it is to be told.
    pub word: Event,
}

/// One change of a command, as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Its number for the command, from 0.
    pub step: u32,
    /// The state that it led to.
    pub state: String,
    /// When.
    pub time: Timestamp,
    /// What caused it, as JSON.
    pub cause: String,
}

/// Who asked for a target, and what was written to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRow {
    /// Id of the twin.
    pub twin: String,
    /// Name of the target.
    pub target: String,
    /// When it changed last; set by the store.
    pub changed: Timestamp,
    /// All of it as JSON, at most 256 KiB.
    pub document: String,
}

/// Reads `outbox.db`, also beside a running host. Clones share a connection.
#[derive(Clone, Debug)]
pub struct OutboxReader {
    dir: Arc<PathBuf>,
    idle: Arc<Mutex<Option<Connection>>>,
}

/// Reads and writes `outbox.db`. Clones share one writing thread.
#[derive(Clone, Debug)]
pub struct Outbox {
    reader: OutboxReader,
    work: Sender<Work>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
}

impl OutboxReader {
    /// Opens the `outbox.db` of a data folder for reading, whether or not a host has it open.
    ///
    /// # Errors
    /// When there is none, or another version of Geminus wrote it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let idle = Some(FILE.open_reader(dir)?);
        Ok(Self { dir: Arc::new(dir.to_owned()), idle: Arc::new(Mutex::new(idle)) })
    }

    fn read<T>(
        &self,
        step: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let connection = match idle {
            Some(connection) => connection,
            None => FILE.open_reader(&self.dir)?,
        };
        let result = work(&connection).map_err(StoreError::database(FILE.name, step));
        // After the disk failed under it, the next call opens the file anew.
        if !matches!(&result, Err(error) if error.fault() == Fault::Io) {
            *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
        result
    }
}

impl Outbox {
    pub(crate) fn open(
        dir: &Path,
        options: &Options,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let connection = FILE.open_writer(dir)?;
        let path = dir.join(FILE.name);
        let bytes = std::fs::metadata(&path).map_err(|cause| StoreError::Folder { path, cause })?.len();
        match bytes <= options.check_mib_max.saturating_mul(1 << 20) {
            true => FILE.check(&connection)?,
            false => tracing::warn!(bytes, "outbox.db is too large to check at start"),
        }
        let (work, queue) = bounded(QUEUE_MAX);
        let health = Arc::new(Health::default());
        let writer = Writer::new(dir, connection, queue, Arc::clone(&health))?;
        let thread = spawn("store-outbox", move || writer.run())?;
        let reader = OutboxReader { dir: Arc::new(dir.to_owned()), idle: Arc::default() };
        Ok((Self { reader, work, health, clock }, thread))
    }

    /// Keeps these changes, all of them or none: durable when it returns. A command of step 0 is new, any other one follows on
    /// the step before. What is kept already, in the very same words, is no error. Blocks for a commit.
    ///
    /// # Errors
    /// When a change does not follow on what is kept ([`StoreError::OutboxStep`]), there is too much of something, or it cannot be
    /// written; then nothing may be done that rests on it.
    pub fn save(&self, changes: &[CommandChange]) -> Result<(), StoreError> {
        fits("the number of changes", changes.len(), CHANGES_MAX)?;
        for CommandChange { row, cause, word } in changes {
            for name in [&row.twin, &row.target, &row.digest, &row.state] {
                fits("a name's number of bytes", name.len(), NAME_BYTES_MAX)?;
            }
            fits("a command's number of bytes", row.document.len(), DOCUMENT_BYTES_MAX)?;
            fits("a cause's number of bytes", cause.len(), CAUSE_BYTES_MAX)?;
            let word = word.as_ref().and_then(|word| serde_json::to_string(word).ok());
            fits("a word's number of bytes", word.map_or(0, |word| word.len()), WORD_BYTES_MAX)?;
        }
        self.ask(|reply| Work::Save(changes.to_vec(), reply))
    }

    /// The journal has been told of these changes, and what it was told is durable: id of the command and number of the change.
    /// Blocks for a commit.
    ///
    /// # Errors
    /// When there are too many, or it cannot be written; then they count as not told.
    pub fn told(&self, changes: &[([u8; 16], u32)]) -> Result<(), StoreError> {
        fits("the number of changes", changes.len(), CHANGES_MAX)?;
        self.ask(|reply| Work::Told(changes.to_vec(), reply))
    }

    /// Keeps who asked for a target, instead of what was kept before. Blocks for a commit.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_target(&self, twin: &str, target: &str, document: &str) -> Result<(), StoreError> {
        [twin, target]
            .iter()
            .try_for_each(|name| fits("a name's number of bytes", name.len(), NAME_BYTES_MAX))?;
        fits("a target's number of bytes", document.len(), DOCUMENT_BYTES_MAX)?;
        let row = TargetRow {
            twin: twin.to_owned(),
            target: target.to_owned(),
            changed: self.clock.now(),
            document: document.to_owned(),
        };
        self.ask(|reply| Work::Target(row, reply))
    }

    /// Forgets commands that need nobody and have not changed for this long, or for [`COMMANDS_KEPT_MIN`] if that is longer. Gives
    /// their number. Blocks for some commits; others get their turn in between.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prune(&self, age: Duration) -> Result<u64, StoreError> {
        let before = self.clock.now().minus(age.max(COMMANDS_KEPT_MIN));
        let mut forgotten = 0;
        loop {
            match self.ask(|reply| Work::Prune(before, reply))? {
                0 => return Ok(forgotten),
                some => forgotten += some,
            }
        }
    }

    /// Whether the last attempt to write succeeded. When not, nothing may be sent.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.health.writable()
    }

    /// Why it cannot be written, when it cannot.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.health.reason()
    }

    /// Ends the thread after what is queued.
    pub(crate) fn end(&self) {
        if self.work.send(Work::Close).is_err() {
            tracing::debug!("the outbox was closed already");
        }
    }

    fn ask<T>(&self, work: impl FnOnce(Sender<Result<T, StoreError>>) -> Work) -> Result<T, StoreError> {
        let (reply, answer) = bounded(1);
        self.work.send(work(reply)).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }
}

impl std::ops::Deref for Outbox {
    type Target = OutboxReader;

    fn deref(&self) -> &OutboxReader {
        &self.reader
    }
}

/// Refuses what is over a limit.
fn fits(what: &'static str, found: usize, limit: usize) -> Result<(), StoreError> {
    match found <= limit {
        true => Ok(()),
        false => Err(StoreError::TooLarge { what, found, limit }),
    }
}

/// An id as people write it: 8-4-4-4-12 hexadecimal digits.
fn id_text(id: &[u8; 16]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(36);
    for (at, byte) in id.iter().enumerate() {
        if [4, 6, 8, 10].contains(&at) {
            text.push('-');
        }
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}
