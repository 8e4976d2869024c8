//! `access.db`: users, tokens, and words that wait for the journal: about their changes, and about what else the command line does.
//!
//! The only file of the data folder that another process than the host writes too: the command line makes users while the
//! host runs. So each change is one transaction that reads, judges and writes, and [`AccessFile::has_changed`] tells the
//! host of the others' changes. What stands in a document is the caller's; hashes are all there is of passwords and
//! tokens. The file can be read by its owner only. Each call blocks on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use geminus_core::{Event, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::sqlite::{File, column_from_time, number};
use crate::{Fault, StoreError};

/// Most words that wait for the journal; the oldest are forgotten when the host does not run for long.
const WORDS_MAX: u32 = 10_000;
/// Most bytes of one document.
const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// The file and its schema.
const FILE: File = File {
    name: "access.db",
    page_bytes: 4096,
    migrations: &["
        CREATE TABLE user(name TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE token(name TEXT PRIMARY KEY, owner TEXT NOT NULL REFERENCES user(name) ON DELETE CASCADE,
            document TEXT NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX token_by_owner ON token(owner);
        CREATE TABLE word(id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, event TEXT NOT NULL) STRICT"],
};

/// Users and tokens, each a name and what the caller wrote of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessBook {
    /// Name and document of each user, in order of name.
    pub users: Vec<(String, String)>,
    /// Name and document of each token, in order of name.
    pub tokens: Vec<(String, String)>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessChange {
    /// A user, new or in the place of the one of this name.
    PutUser {
        /// Its name.
        name: String,
        /// What is known of it.
        document: String,
    },
    /// The user goes, and its tokens with it.
    RemoveUser(String),
    /// A token, new or in the place of the one of this name.
    PutToken {
        /// Its name.
        name: String,
        /// A user that there is.
        owner: String,
        /// What is known of it.
        document: String,
    },
    /// The token goes.
    RemoveToken(String),
}

/// A change that the journal has not heard of yet.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessWord {
    /// Rises from word to word, and is never used again.
    pub id: u64,
    /// When the change was made.
    pub time: Timestamp,
    /// What to tell.
    pub event: Event,
}

/// An open `access.db`.
#[derive(Debug)]
pub struct AccessFile {
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` after the disk failed under it, until it is opened anew.
    connection: Option<Connection>,
    /// SQLite's count of others' commits, as of the last reading.
    version: Option<i64>,
}

impl AccessFile {
    /// Opens the file of a data folder, making both where there are none. Others may have it open.
    ///
    /// # Errors
    /// When it cannot be made, is damaged or foreign, or a newer Geminus wrote it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|cause| StoreError::Folder { path: dir.to_owned(), cause })?;
        let connection = open(dir)?;
        FILE.check(&connection)?;
        let state = Mutex::new(State { connection: Some(connection), version: None });
        Ok(Self { dir: dir.to_owned(), state })
    }

    /// Whether another process has changed something since the last [`AccessFile::read`]; true before the first.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn has_changed(&self) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let known = state.version;
        let version = state.work(&self.dir, "looking for changes", |c| number(c, "PRAGMA data_version"))?;
        Ok(known != Some(version))
    }

    /// All users and tokens.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&self) -> Result<AccessBook, StoreError> {
        let mut state = self.lock();
        let (version, book) = state.work(&self.dir, "reading users and tokens", |connection| {
            // In this order: what is committed between is read twice rather than never.
            Ok((number(connection, "PRAGMA data_version")?, book(connection)?))
        })?;
        state.version = Some(version);
        Ok(book)
    }

    /// Makes a change that `judge` finds right of the book as it stands in that moment, and leaves word of it: both or
    /// neither. Gives what `judge` says.
    ///
    /// # Errors
    /// When it cannot be written; then nothing has changed.
    pub fn change<R>(
        &self,
        change: &AccessChange,
        (time, event): (Timestamp, &Event),
        judge: impl FnOnce(&AccessBook) -> Result<(), R>,
    ) -> Result<Result<(), R>, StoreError> {
        if let AccessChange::PutUser { document, .. } | AccessChange::PutToken { document, .. } = change
            && document.len() > DOCUMENT_BYTES_MAX
        {
            let what = "the number of bytes of a user or token";
            return Err(StoreError::TooLarge { what, found: document.len(), limit: DOCUMENT_BYTES_MAX });
        }
        let word = written(event)?;
        self.lock().work(&self.dir, "changing users and tokens", |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if let Err(refusal) = judge(&book(&transaction)?) {
                return Ok(Err(refusal));
            }
            apply(&transaction, change)?;
            leave(&transaction, time, &word)?;
            transaction.commit()?;
            Ok(Ok(()))
        })
    }

    /// Leaves word of what another process than the host has done elsewhere in the data folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, (time, event): (Timestamp, &Event)) -> Result<(), StoreError> {
        let word = written(event)?;
        self.lock().work(&self.dir, "leaving word for the journal", |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            leave(&transaction, time, &word)?;
            transaction.commit()
        })
    }

    /// The oldest words that wait, at most `limit`. Words that cannot be read any more are told as such.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn words(&self, limit: u32) -> Result<Vec<AccessWord>, StoreError> {
        self.lock().work(&self.dir, "reading words for the journal", |connection| {
            let mut select = connection.prepare("SELECT id, time, event FROM word ORDER BY id LIMIT ?1")?;
            let rows = select.query_map([limit], |row| {
                let (id, time, event): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let unreadable = |error: serde_json::Error| {
                    let message = format!("a change beside the host was noted unreadably: {error}");
                    Event::new("access-unreadable", geminus_core::Severity::Error, message)
                };
                let event = serde_json::from_str(&event).unwrap_or_else(unreadable);
                Ok(AccessWord { id: id.cast_unsigned(), time: Timestamp(time.cast_unsigned()), event })
            })?;
            rows.collect()
        })
    }

    /// Forgets words up to this one: the journal has them.
    ///
    /// # Errors
    /// When that cannot be written; then they are given again.
    pub fn forget_words(&self, up_to: u64) -> Result<(), StoreError> {
        let id = i64::try_from(up_to).unwrap_or(i64::MAX);
        self.lock().work(&self.dir, "forgetting words that the journal has", |connection| {
            connection.execute("DELETE FROM word WHERE id <= ?1", [id]).map(drop)
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// After a fault of the disk the connection is opened anew at the next call, and everything counts as changed.
    fn work<T>(
        &mut self,
        dir: &Path,
        step: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => open(dir)?,
        };
        let result = work(&mut connection).map_err(StoreError::database(FILE.name, step));
        match &result {
            Err(error) if error.fault() == Fault::Io => self.version = None,
            Ok(_) | Err(_) => self.connection = Some(connection),
        }
        result
    }
}

/// The log of this small file is moved into it by SQLite itself, whoever writes.
fn open(dir: &Path) -> Result<Connection, StoreError> {
    let path = dir.join(FILE.name);
    if !path.exists() {
        let mut options = fs::File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map(drop).map_err(|cause| StoreError::Folder { path, cause })?;
    }
    let connection = FILE.open_writer(dir)?;
    connection
        .execute_batch("PRAGMA wal_autocheckpoint=100")
        .map_err(StoreError::database(FILE.name, "setting it up"))?;
    Ok(connection)
}

fn book(connection: &Connection) -> rusqlite::Result<AccessBook> {
    let all = |statement: &str| -> rusqlite::Result<Vec<(String, String)>> {
        let mut select = connection.prepare(statement)?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    Ok(AccessBook {
        users: all("SELECT name, document FROM user ORDER BY name")?,
        tokens: all("SELECT name, document FROM token ORDER BY name")?,
    })
}

fn written(event: &Event) -> Result<String, StoreError> {
    serde_json::to_string(event).map_err(|error| StoreError::NotWritable {
        file: FILE.name,
        reason: format!("the word about it as JSON: {error}"),
    })
}

fn leave(transaction: &Transaction<'_>, time: Timestamp, word: &str) -> rusqlite::Result<()> {
    transaction.execute("INSERT INTO word(time, event) VALUES (?1, ?2)", (column_from_time(time), word))?;
    transaction.execute("DELETE FROM word WHERE id <= (SELECT max(id) FROM word) - ?1", [WORDS_MAX]).map(drop)
}

fn apply(transaction: &Transaction<'_>, change: &AccessChange) -> rusqlite::Result<()> {
    match change {
        AccessChange::PutUser { name, document } => transaction.execute(
            "INSERT INTO user(name, document) VALUES (?1, ?2)
             ON CONFLICT(name) DO UPDATE SET document = excluded.document",
            (name, document),
        ),
        AccessChange::RemoveUser(name) => transaction.execute("DELETE FROM user WHERE name = ?1", [name]),
        AccessChange::PutToken { name, owner, document } => transaction.execute(
            "INSERT INTO token(name, owner, document) VALUES (?1, ?2, ?3)
             ON CONFLICT(name) DO UPDATE SET owner = excluded.owner, document = excluded.document",
            (name, owner, document),
        ),
        AccessChange::RemoveToken(name) => transaction.execute("DELETE FROM token WHERE name = ?1", [name]),
    }
    .map(drop)
}

#[cfg(test)]
mod tests {
    use geminus_core::Severity;

    use super::*;

    fn put(name: &str) -> AccessChange {
        AccessChange::PutUser { name: name.to_owned(), document: format!("of {name}") }
    }

    fn token(name: &str, owner: &str) -> AccessChange {
        AccessChange::PutToken { name: name.to_owned(), owner: owner.to_owned(), document: String::new() }
    }

    fn make(file: &AccessFile, change: &AccessChange) -> Result<Result<(), ()>, StoreError> {
        let event = Event::new("user-made", Severity::Info, "made");
        file.change(change, (Timestamp(7), &event), |_| Ok(()))
    }

    #[test]
    fn what_is_put_is_read_again_also_by_another_process() {
        let dir = tempfile::tempdir().expect("folder");
        let (host, cli) =
            (AccessFile::open(dir.path()).expect("host"), AccessFile::open(dir.path()).expect("cli"));
        assert!(host.has_changed().expect("changed"), "it was never read");
        assert_eq!(host.read().expect("empty"), AccessBook::default());
        assert!(!host.has_changed().expect("same"));
        make(&cli, &put("ada")).expect("written").expect("allowed");
        assert!(host.has_changed().expect("changed"));
        assert_eq!(host.read().expect("book").users, [("ada".to_owned(), "of ada".to_owned())]);
        assert!(!host.has_changed().expect("same"));
        make(&host, &token("t", "ada")).expect("written").expect("allowed");
        assert_eq!(cli.read().expect("book").tokens.len(), 1);
        make(&cli, &AccessChange::RemoveUser("ada".to_owned())).expect("written").expect("allowed");
        assert_eq!(host.read().expect("book"), AccessBook::default(), "tokens go with their owner");
    }

    #[test]
    fn a_change_that_is_refused_or_fails_leaves_nothing() {
        let dir = tempfile::tempdir().expect("folder");
        let file = AccessFile::open(dir.path()).expect("file");
        let event = Event::new("user-made", Severity::Info, "made");
        let refused = file.change(&put("ada"), (Timestamp(1), &event), |book| match book.users.len() {
            0 => Err("no"),
            _ => Ok(()),
        });
        assert_eq!(refused.expect("asked"), Err("no"));
        assert!(make(&file, &token("t", "nobody")).is_err(), "a token needs its owner");
        let large = AccessChange::PutUser { name: "x".into(), document: "x".repeat(DOCUMENT_BYTES_MAX + 1) };
        assert!(matches!(make(&file, &large), Err(StoreError::TooLarge { .. })));
        assert_eq!(file.read().expect("book"), AccessBook::default());
        assert!(file.words(10).expect("words").is_empty());
    }

    #[test]
    fn words_wait_until_the_journal_has_them_and_are_bounded() {
        let dir = tempfile::tempdir().expect("folder");
        let file = AccessFile::open(dir.path()).expect("file");
        for name in ["a", "b", "c"] {
            make(&file, &put(name)).expect("written").expect("allowed");
        }
        let words = file.words(2).expect("words");
        assert_eq!(
            (words.len(), words[0].time, words[0].event.kind.as_str()),
            (2, Timestamp(7), "user-made")
        );
        file.forget_words(words[1].id).expect("forgotten");
        let rest = file.words(10).expect("words");
        assert_eq!((rest.len(), rest[0].id), (1, words[1].id + 1));
        file.lock()
            .work(dir.path(), "a long absence", |connection| {
                connection.execute("UPDATE word SET id = id + 1000000", []).map(drop)?;
                connection.execute("UPDATE sqlite_sequence SET seq = 2000000", []).map(drop)
            })
            .expect("moved");
        make(&file, &put("d")).expect("written").expect("allowed");
        assert_eq!(file.words(10).expect("words").len(), 1, "what is too old is forgotten");
    }

    #[test]
    fn word_of_something_else_changes_nobody() {
        let dir = tempfile::tempdir().expect("folder");
        let file = AccessFile::open(dir.path()).expect("file");
        make(&file, &put("ada")).expect("written").expect("allowed");
        let before = file.read().expect("book");
        let event = Event::new("certificate-trusted", Severity::Info, "trusted");
        file.note((Timestamp(9), &event)).expect("noted");
        let words = file.words(10).expect("words");
        let kinds: Vec<_> = words.iter().map(|word| (word.time, word.event.kind.as_str())).collect();
        assert_eq!(kinds, [(Timestamp(7), "user-made"), (Timestamp(9), "certificate-trusted")]);
        assert_eq!(file.read().expect("book"), before);
    }

    #[test]
    #[cfg(unix)]
    fn nobody_else_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("folder");
        let file = AccessFile::open(dir.path()).expect("file");
        make(&file, &put("ada")).expect("written").expect("allowed");
        for entry in fs::read_dir(dir.path()).expect("folder") {
            let entry = entry.expect("entry");
            let mode = entry.metadata().expect("metadata").permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{} has {mode:o}", entry.path().display());
        }
    }
}
