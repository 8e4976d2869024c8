//! Opening SQLite files the one way this house does it: write-ahead log, fsync at each commit, one writer,
//! schema numbers that only go up. Writers of the three files and the readers of history come here.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::StoreError;

/// 3.7.0 to 3.51.2 can corrupt a database when its write-ahead log is reset (sqlite.org, release 3.51.3).
const LIBRARY_VERSION_MIN: i32 = 3_051_003;
/// "Gemi": marks our files in their header, so that another program's database is not taken for one.
const APPLICATION_ID: i64 = 0x4765_6d69;
/// How long a connection waits for a lock that another one holds.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// A log larger than this is cut when it is checkpointed.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// One of the store's files: its name, its page size, and the statements that lead from each schema number to
/// the next (the first from an empty file).
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) page_bytes: u32,
    pub(crate) migrations: &'static [&'static str],
}

impl File {
    /// Opens for writing, makes or migrates the schema.
    pub(crate) fn open_writer(&self, dir: &Path) -> Result<Connection, StoreError> {
        check_library()?;
        let failed = |step| StoreError::database(self.name, step);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(dir.join(self.name), flags).map_err(failed("opening it"))?;
        connection.busy_timeout(BUSY_WAIT).map_err(failed("setting its lock wait"))?;
        let found =
            number(&connection, "PRAGMA user_version").map_err(failed("reading its schema number"))?;
        let known = i64::try_from(self.migrations.len()).unwrap_or(i64::MAX);
        if found > known {
            return Err(StoreError::NewerSchema { file: self.name, found, known });
        }
        self.check_owner(&connection, found)?;
        let setup = format!(
            "PRAGMA page_size={}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;
             PRAGMA journal_size_limit={LOG_BYTES_KEPT}; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;
             PRAGMA foreign_keys=ON; PRAGMA cache_size=-16384;",
            self.page_bytes
        );
        connection.execute_batch(&setup).map_err(failed("setting it up"))?;
        self.migrate(&connection, found)?;
        Ok(connection)
    }

    /// Opens for reading only; the file must exist.
    pub(crate) fn open_reader(&self, dir: &Path) -> Result<Connection, StoreError> {
        check_library()?;
        let failed = |step| StoreError::database(self.name, step);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(dir.join(self.name), flags)
            .map_err(failed("opening it for reading"))?;
        connection.busy_timeout(BUSY_WAIT).map_err(failed("setting its lock wait"))?;
        let found =
            number(&connection, "PRAGMA user_version").map_err(failed("reading its schema number"))?;
        let known = i64::try_from(self.migrations.len()).unwrap_or(i64::MAX);
        match found.cmp(&known) {
            std::cmp::Ordering::Greater => Err(StoreError::NewerSchema { file: self.name, found, known }),
            std::cmp::Ordering::Less => Err(StoreError::OlderSchema { file: self.name, found, known }),
            std::cmp::Ordering::Equal => Ok(connection),
        }
    }

    fn check_owner(&self, connection: &Connection, schema: i64) -> Result<(), StoreError> {
        let failed = |step| StoreError::database(self.name, step);
        let owner = number(connection, "PRAGMA application_id").map_err(failed("reading its owner"))?;
        let tables =
            number(connection, "SELECT count(*) FROM sqlite_schema").map_err(failed("reading its schema"))?;
        let ours = owner == APPLICATION_ID || (owner == 0 && schema == 0 && tables == 0);
        match ours {
            true => Ok(()),
            false => Err(StoreError::ForeignFile { file: self.name }),
        }
    }

    fn migrate(&self, connection: &Connection, found: i64) -> Result<(), StoreError> {
        let done = usize::try_from(found).unwrap_or(0);
        for (step, statements) in self.migrations.iter().enumerate().skip(done) {
            let all = format!(
                "BEGIN IMMEDIATE; {statements}; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={}; COMMIT;",
                step + 1
            );
            connection
                .execute_batch(&all)
                .map_err(StoreError::database(self.name, "migrating its schema"))?;
        }
        Ok(())
    }

    /// SQLite's quick check, which reads the whole file.
    pub(crate) fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        let finding: String = connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(StoreError::database(self.name, "checking it"))?;
        match finding.as_str() {
            "ok" => Ok(()),
            _ => Err(StoreError::Damaged { file: self.name, detail: finding }),
        }
    }

    /// The way back after a failed disk: a fresh connection, and a log that starts anew. Frames that a failed
    /// fsync left in the old log may never reach the disk although the system's cache still shows them, so
    /// everything they hold is first written to the file itself and synced there.
    pub(crate) fn reopen_writer(&self, dir: &Path) -> Result<Connection, StoreError> {
        let connection = self.open_writer(dir)?;
        self.checkpoint(&connection, "TRUNCATE")?;
        Ok(connection)
    }

    /// Moves the log into the file. `TRUNCATE` waits for readers and fails when they do not leave.
    pub(crate) fn checkpoint(&self, connection: &Connection, mode: &str) -> Result<(), StoreError> {
        let failed = StoreError::database(self.name, "checkpointing its log");
        let busy: i64 = connection
            .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(0))
            .map_err(failed)?;
        match busy != 0 && mode == "TRUNCATE" {
            false => Ok(()),
            true => Err(StoreError::NotWritable {
                file: self.name,
                reason: "its log cannot be started anew while readers hold it".to_owned(),
            }),
        }
    }
}

/// One number from a statement.
pub(crate) fn number(connection: &Connection, statement: &str) -> rusqlite::Result<i64> {
    connection.query_row(statement, [], |row| row.get(0))
}

fn check_library() -> Result<(), StoreError> {
    match rusqlite::version_number() >= LIBRARY_VERSION_MIN {
        true => Ok(()),
        false => Err(StoreError::OldLibrary { found: rusqlite::version().to_owned() }),
    }
}

/// A time as SQLite's signed number. Times after the year 2262 all become the last one, which only makes a
/// directory entry wider than its block: the block itself keeps the exact time.
pub(crate) fn column_from_time(time: geminus_core::Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// A count as SQLite's signed number.
pub(crate) fn column_from_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
