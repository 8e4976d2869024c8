//! What can go wrong in the store. SQLite's own errors stay behind these variants: they carry its words and,
//! for faults of the disk, what kind of fault it was, because the writers recover from each in its own way.

use std::path::PathBuf;

/// One variant for each step that can fail.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made, read or locked.
    #[error("cannot use the data folder {path}: {cause}")]
    Folder {
        /// The folder or the lock file in it.
        path: PathBuf,
        /// The system's reason. Not called `source`: the text holds it, and a chain of causes would say it twice.
        cause: std::io::Error,
    },
    /// Another host has this folder open.
    #[error("the data folder {path} is in use by another host: stop it, or give this one another folder")]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The SQLite library is too old to be trusted with a write-ahead log.
    #[error("SQLite {found} can corrupt its write-ahead log: build with 3.51.3 or newer")]
    OldLibrary {
        /// Version that was linked.
        found: String,
    },
    /// A newer Geminus wrote this file.
    #[error("{file} has schema {found}, this version knows up to {known}: run the newer version again")]
    NewerSchema {
        /// File in the data folder.
        file: &'static str,
        /// Schema number in the file.
        found: i64,
        /// Newest schema number known here.
        known: i64,
    },
    /// An older Geminus wrote this file, and only its host can migrate it.
    #[error("{file} has schema {found}, this version reads {known}: start the host once, which migrates it")]
    OlderSchema {
        /// File in the data folder.
        file: &'static str,
        /// Schema number in the file.
        found: i64,
        /// Schema number that is read here.
        known: i64,
    },
    /// The file is another program's database.
    #[error("{file} is not a Geminus file: move it out of the data folder")]
    ForeignFile {
        /// File in the data folder.
        file: &'static str,
    },
    /// The file fails SQLite's own check.
    #[error("{file} is damaged ({detail}): move it away and restore it from a backup")]
    Damaged {
        /// File in the data folder.
        file: &'static str,
        /// First finding of the check.
        detail: String,
    },
    /// A statement failed.
    #[error("{file}: {step}: {message}")]
    Database {
        /// File in the data folder.
        file: &'static str,
        /// What was being done.
        step: &'static str,
        /// SQLite's words.
        message: String,
        /// What to do about it.
        fault: Fault,
    },
    /// Something asked of the store does not fit into it.
    #[error("{what} is {found}, at most {limit} fits")]
    TooLarge {
        /// What was measured.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A binding has one rollout at a time.
    #[error("rollout {open} of {binding} is under way: end it before another one begins")]
    RolloutOpen {
        /// Name of the binding.
        binding: String,
        /// Number of the rollout that is under way.
        open: u64,
    },
    /// There is no rollout of this number, or it was forgotten.
    #[error("there is no rollout {id}")]
    NoRollout {
        /// The number.
        id: u64,
    },
    /// A change of a command that does not follow on what is kept.
    #[error("step {given} of command {id} does not follow on what is kept ({}): read it again", step_words(*.kept))]
    OutboxStep {
        /// The command.
        id: String,
        /// Step of the change.
        given: u32,
        /// Step that is kept; `None` when there is no such command.
        kept: Option<u32>,
    },
    /// There are as many of something as there can be.
    #[error("there are {limit} {what} already: {instead}")]
    Exhausted {
        /// What there are so many of.
        what: &'static str,
        /// How many.
        limit: usize,
        /// What to do instead.
        instead: &'static str,
    },
    /// An option has a value that cannot work.
    #[error("option {name} is {found}: {must}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        must: &'static str,
    },
    /// A file of sealed history could not be made.
    #[error("cannot seal history: {step} {path}: {cause}")]
    Seal {
        /// What was being done.
        step: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        cause: String,
    },
    /// The writer is not able to write now; it keeps trying by itself.
    #[error("{file} cannot be written: {reason}")]
    NotWritable {
        /// File in the data folder.
        file: &'static str,
        /// The last failure.
        reason: String,
    },
    /// The writer has ended.
    #[error("the store is closed")]
    Closed,
    /// A key of the journal cannot be read, made or put in place.
    #[error("cannot use the key {path}: {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the system's words for the most part.
        reason: String,
    },
    /// What was given as an export of the journal is none.
    #[error("this is no export of a journal: line {line}: {reason}")]
    Export {
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// What was given as checkpoints that were kept cannot be held against this journal.
    #[error("the checkpoints that you keep: {reason}")]
    Kept {
        /// What is wrong with them.
        reason: String,
    },
    /// A thread could not be started.
    #[error("cannot start the thread {name}: {cause}")]
    Thread {
        /// Name of the thread.
        name: &'static str,
        /// The system's reason. Not called `source`: the text holds it, and a chain of causes would say it twice.
        cause: std::io::Error,
    },
}

/// Kinds of failure, by the way back from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No room on the disk, or over the quota: roll back and try again later.
    Full,
    /// The disk failed, an fsync among others: what the file's cache says can no longer be trusted, so the
    /// connection is opened anew and its log checkpointed before anything is tried again.
    Io,
    /// Anything else: roll back and try again later.
    Other,
}

impl StoreError {
    /// Names the step and the file of a failed statement.
    pub(crate) fn database(file: &'static str, step: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |error| Self::Database {
            file,
            step,
            fault: fault_from_error(&error),
            message: error.to_string(),
        }
    }

    /// The kind of failure; `Other` for what did not come from SQLite.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Database { fault, .. } => *fault,
            _ => Fault::Other,
        }
    }
}

fn step_words(kept: Option<u32>) -> String {
    kept.map_or_else(|| "no such command".to_owned(), |step| format!("step {step}"))
}

fn fault_from_error(error: &rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Fault::Full,
        Some(
            rusqlite::ErrorCode::SystemIoFailure
            | rusqlite::ErrorCode::DatabaseCorrupt
            | rusqlite::ErrorCode::CannotOpen
            | rusqlite::ErrorCode::NotADatabase,
        ) => Fault::Io,
        _ => Fault::Other,
    }
}
