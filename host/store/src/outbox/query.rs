//! What is kept in `outbox.db`, read. Every answer has a bound.

use geminus_core::Timestamp;
use rusqlite::Error::FromSqlConversionFailure;
use rusqlite::types::{Type, Value};
use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::{CommandRow, OutboxReader, TargetRow, Transition, Untold};
use crate::StoreError;
use crate::sqlite::column_from_count;

/// Most commands of one answer.
const ANSWER_MAX: usize = 1_000;

pub(super) const COLUMNS: &str = "number, id, twin, target, digest, step, state, since, open, document";

/// Which commands are asked for. Whatever is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandFilter {
    /// Of this twin.
    pub twin: Option<String>,
    /// Of targets of this name.
    pub target: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// With a lower number: the page after one that ended with it.
    pub before: Option<u64>,
}

impl OutboxReader {
    /// The commands that still need somebody, in the order in which they came. Bounded, because only so many are taken. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open_commands(&self) -> Result<Vec<CommandRow>, StoreError> {
        self.read("reading open commands", |connection| {
            let sql = format!("SELECT {COLUMNS} FROM command WHERE open = 1 ORDER BY number");
            connection.prepare(&sql)?.query_map([], read)?.collect()
        })
    }

    /// One command; `None` when it never came or was forgotten. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn command(&self, id: &[u8; 16]) -> Result<Option<CommandRow>, StoreError> {
        self.read("reading a command", |connection| {
            let sql = format!("SELECT {COLUMNS} FROM command WHERE id = ?1");
            connection.prepare(&sql)?.query_row([id], read).optional()
        })
    }

    /// Commands, the newest first: at most `limit`, and never more than 1,000. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn commands(&self, filter: &CommandFilter, limit: usize) -> Result<Vec<CommandRow>, StoreError> {
        let mut sql = format!("SELECT {COLUMNS} FROM command WHERE TRUE");
        let mut values = Vec::new();
        let mut ask = |condition: &str, value: Value| {
            sql.push_str(condition);
            values.push(value);
        };
        // Only what is asked for stands in the statement, so that the fitting index is used.
        for (condition, text) in [
            (" AND twin = ?", &filter.twin),
            (" AND target = ?", &filter.target),
            (" AND state = ?", &filter.state),
        ] {
            text.iter().for_each(|text| ask(condition, Value::Text(text.clone())));
        }
        if let Some(before) = filter.before {
            ask(" AND number < ?", Value::Integer(i64::try_from(before).unwrap_or(i64::MAX)));
        }
        ask(" ORDER BY number DESC LIMIT ?", Value::Integer(column_from_count(limit.min(ANSWER_MAX))));
        self.read("reading commands", |connection| {
            connection.prepare(&sql)?.query_map(params_from_iter(values), read)?.collect()
        })
    }

    /// Every change of a command, the first one first. Bounded by what can happen to one command in a day. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn transitions(&self, id: &[u8; 16]) -> Result<Vec<Transition>, StoreError> {
        self.read("reading transitions", |connection| {
            let sql = "SELECT t.step, t.state, t.time, t.cause FROM transition t JOIN command c ON c.number = t.command
                       WHERE c.id = ?1 ORDER BY t.step";
            let transition = |row: &Row<'_>| {
                Ok(Transition {
                    step: row.get(0)?,
                    state: row.get(1)?,
                    time: time(row, 2)?,
                    cause: row.get(3)?,
                })
            };
            connection.prepare(sql)?.query_map([id], transition)?.collect()
        })
    }

    /// What the journal may not have been told, the oldest first: at most `limit`, and never more than 1,000. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn untold(&self, limit: usize) -> Result<Vec<Untold>, StoreError> {
        self.read("reading what the journal was not told", |connection| {
            let sql =
                "SELECT c.id, t.step, t.time, t.word FROM transition t JOIN command c ON c.number = t.command
                       WHERE t.word IS NOT NULL ORDER BY t.time, t.command, t.step LIMIT ?1";
            let untold = |row: &Row<'_>| {
                let word = serde_json::from_str(&row.get::<_, String>(3)?)
                    .map_err(|error| FromSqlConversionFailure(3, Type::Text, Box::new(error)))?;
                Ok(Untold { id: row.get(0)?, step: row.get(1)?, time: time(row, 2)?, word })
            };
            connection.prepare(sql)?.query_map([column_from_count(limit.min(ANSWER_MAX))], untold)?.collect()
        })
    }

    /// Every target that somebody asked for or wrote to, once. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn targets(&self) -> Result<Vec<TargetRow>, StoreError> {
        self.read("reading targets", |connection| {
            let sql = "SELECT twin, target, changed, document FROM target ORDER BY twin, target";
            let target = |row: &Row<'_>| {
                Ok(TargetRow {
                    twin: row.get(0)?,
                    target: row.get(1)?,
                    changed: time(row, 2)?,
                    document: row.get(3)?,
                })
            };
            connection.prepare(sql)?.query_map([], target)?.collect()
        })
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp(row.get::<_, i64>(column)?.cast_unsigned()))
}

pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<CommandRow> {
    Ok(CommandRow {
        number: row.get::<_, i64>(0)?.cast_unsigned(),
        id: row.get(1)?,
        twin: row.get(2)?,
        target: row.get(3)?,
        digest: row.get(4)?,
        step: row.get(5)?,
        state: row.get(6)?,
        since: time(row, 7)?,
        open: row.get(8)?,
        document: row.get(9)?,
    })
}
