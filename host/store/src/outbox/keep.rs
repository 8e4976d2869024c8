//! What one change of the outbox writes, and what it must follow on.

use geminus_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, Savepoint};

use super::query::{COLUMNS, read};
use super::{CommandChange, CommandRow, FILE, TargetRow, id_text};
use crate::StoreError;
use crate::sqlite::{column_from_time, number};

/// Commands that one commit forgets at most, so that others do not wait long.
const PRUNE_ROWS: u32 = 1_000;
/// Most commands that need somebody.
const OPEN_MAX: usize = 10_000;
/// Most commands that are kept.
const COMMANDS_MAX: usize = 2_000_000;

/// How many commands there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) commands: usize,
    pub(super) open: usize,
}

impl Counts {
    /// Counts what is there: at start, and when the file was opened anew.
    pub(super) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let count = |sql| {
            let found =
                number(connection, sql).map_err(StoreError::database(FILE.name, "counting commands"))?;
            Ok(usize::try_from(found).unwrap_or(usize::MAX))
        };
        Ok(Self {
            commands: count("SELECT count(*) FROM command")?,
            open: count("SELECT count(*) FROM command WHERE open = 1")?,
        })
    }
}

/// Keeps one change, counting it in `counts`. What is kept already in the very same words is passed over.
pub(super) fn keep(
    savepoint: &Savepoint<'_>,
    change: &CommandChange,
    counts: &mut Counts,
) -> Result<(), StoreError> {
    let failed = StoreError::database(FILE.name, "keeping a command");
    let CommandChange { row, cause, word } = change;
    let kept = savepoint
        .prepare(&format!("SELECT {COLUMNS} FROM command WHERE id = ?1"))
        .and_then(|mut statement| statement.query_row([row.id], read).optional())
        .map_err(&failed)?;
    let refuse = |kept: Option<u32>| StoreError::OutboxStep { id: id_text(&row.id), given: row.step, kept };
    let number = match &kept {
        None if row.step == 0 => {
            room("commands", counts.commands, COMMANDS_MAX)?;
            insert(savepoint, row).map_err(&failed)?
        }
        None => return Err(refuse(None)),
        Some(kept) if same(kept, row) => return Ok(()),
        Some(kept) if kept.step.checked_add(1) == Some(row.step) && is_one_command(kept, row) => {
            update(savepoint, row).map_err(&failed)?;
            kept.number
        }
        Some(kept) => return Err(refuse(Some(kept.step))),
    };
    let was_open = kept.as_ref().is_some_and(|kept| kept.open);
    if row.open && !was_open {
        room("open commands", counts.open, OPEN_MAX)?;
    }
    counts.commands += usize::from(kept.is_none());
    counts.open = counts.open.saturating_sub(usize::from(was_open)) + usize::from(row.open);
    // An event is plain data, which always has a text.
    let word = word.as_ref().and_then(|word| serde_json::to_string(word).ok());
    let values = (number.cast_signed(), row.step, &row.state, column_from_time(row.since), cause, word);
    savepoint
        .prepare(
            "INSERT INTO transition(command, step, state, time, cause, word) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .and_then(|mut statement| statement.execute(values))
        .map_err(failed)?;
    Ok(())
}

/// Whether it is kept already, in the very same words.
fn same(kept: &CommandRow, row: &CommandRow) -> bool {
    *kept == CommandRow { number: kept.number, ..row.clone() }
}

/// What a command is about never changes.
fn is_one_command(kept: &CommandRow, row: &CommandRow) -> bool {
    (&kept.digest, &kept.twin, &kept.target) == (&row.digest, &row.twin, &row.target)
}

fn room(what: &'static str, found: usize, limit: usize) -> Result<(), StoreError> {
    let instead = "wait until some are over, and let fewer be proposed";
    if found < limit { Ok(()) } else { Err(StoreError::Exhausted { what, limit, instead }) }
}

fn insert(savepoint: &Savepoint<'_>, row: &CommandRow) -> rusqlite::Result<u64> {
    let values = (
        row.id,
        &row.twin,
        &row.target,
        &row.digest,
        row.step,
        &row.state,
        column_from_time(row.since),
        row.open,
        &row.document,
    );
    savepoint
        .prepare(
            "INSERT INTO command(id, twin, target, digest, step, state, since, open, document)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(values)?;
    Ok(savepoint.last_insert_rowid().cast_unsigned())
}

fn update(savepoint: &Savepoint<'_>, row: &CommandRow) -> rusqlite::Result<()> {
    let values = (row.id, row.step, &row.state, column_from_time(row.since), row.open, &row.document);
    savepoint
        .prepare(
            "UPDATE command SET step = ?2, state = ?3, since = ?4, open = ?5, document = ?6 WHERE id = ?1",
        )?
        .execute(values)
        .map(drop)
}

/// The journal has been told of these changes.
pub(super) fn told(savepoint: &Savepoint<'_>, changes: &[([u8; 16], u32)]) -> Result<(), StoreError> {
    let sql = "UPDATE transition SET word = NULL
               WHERE command = (SELECT number FROM command WHERE id = ?1) AND step = ?2";
    let mark = |sql| {
        let mut statement = savepoint.prepare(sql)?;
        changes.iter().try_for_each(|(id, step)| statement.execute((id, step)).map(drop))
    };
    mark(sql).map_err(StoreError::database(FILE.name, "marking what the journal was told"))
}

/// Keeps who asked for a target.
pub(super) fn keep_target(savepoint: &Savepoint<'_>, row: &TargetRow) -> Result<(), StoreError> {
    let values = (&row.twin, &row.target, column_from_time(row.changed), &row.document);
    savepoint
        .prepare("INSERT OR REPLACE INTO target(twin, target, changed, document) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut statement| statement.execute(values))
        .map(drop)
        .map_err(StoreError::database(FILE.name, "keeping a target"))
}

/// Forgets some commands that have not changed since `before`; how many.
pub(super) fn forget(savepoint: &Savepoint<'_>, before: Timestamp) -> Result<u64, StoreError> {
    savepoint
        .prepare(
            "DELETE FROM command WHERE number IN
               (SELECT number FROM command WHERE open = 0 AND since < ?1 ORDER BY since LIMIT ?2)",
        )
        .and_then(|mut statement| statement.execute((column_from_time(before), PRUNE_ROWS)))
        .map(|count| count as u64)
        .map_err(StoreError::database(FILE.name, "forgetting commands"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(number: u8, step: u32, open: bool) -> CommandChange {
        let row = CommandRow {
            number: 0,
            id: [number; 16],
            twin: "pump-1".to_owned(),
            target: "limit".to_owned(),
            digest: "sha256:00".to_owned(),
            step,
            state: "proposed".to_owned(),
            since: Timestamp(1),
            open,
            document: "{}".to_owned(),
        };
        CommandChange { row, cause: "{}".to_owned(), word: None }
    }

    #[test]
    fn more_commands_than_there_is_room_for_are_refused() {
        let dir = tempfile::tempdir().expect("folder");
        let mut connection = FILE.open_writer(dir.path()).expect("file");
        let mut transaction = connection.transaction().expect("transaction");
        let savepoint = transaction.savepoint().expect("savepoint");
        let full = |counts: Counts, change: &CommandChange| {
            let mut counts = counts;
            keep(&savepoint, change, &mut counts).map(|()| counts).map_err(|error| error.to_string())
        };
        let counts = Counts { commands: COMMANDS_MAX - 1, open: OPEN_MAX - 1 };
        let last = full(counts, &change(1, 0, true)).expect("the last one fits");
        assert_eq!((last.commands, last.open), (COMMANDS_MAX, OPEN_MAX));
        let refused = full(last, &change(2, 0, false)).expect_err("full");
        assert!(refused.contains("there are 2000000 commands already"), "{refused}");
        let refused = full(Counts { commands: 1, open: OPEN_MAX }, &change(2, 0, true)).expect_err("full");
        assert!(refused.contains("there are 10000 open commands already"), "{refused}");
        // What is under way can always go on, and makes room by its end.
        let on = full(last, &change(1, 1, true)).expect("goes on");
        let over = full(on, &change(1, 2, false)).expect("ends");
        assert_eq!((on.open, over.open, over.commands), (OPEN_MAX, OPEN_MAX - 1, COMMANDS_MAX));
    }
}
