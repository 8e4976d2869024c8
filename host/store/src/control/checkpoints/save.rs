//! One save of checkpoints: what comes, what goes for it, and the account of all bytes.

use rusqlite::{OptionalExtension, Statement, Transaction};

use super::{Border, Checkpoint, crc, thin};
use crate::control::{column_from_number, time_from_column};
use crate::sqlite::{column_from_count, column_from_time, number};

/// The statements of one save.
pub(super) struct Writer<'t> {
    find: Statement<'t>,
    add: Statement<'t>,
    insert: Statement<'t>,
    list: Statement<'t>,
    delete: Statement<'t>,
    kept: Vec<thin::Kept>,
    /// Bytes of states that came, less those that went.
    pub(super) balance: i64,
}

impl<'t> Writer<'t> {
    pub(super) fn new(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            find: transaction.prepare("SELECT id FROM holder WHERE binding = ?1 AND twin = ?2")?,
            add: transaction
                .prepare("INSERT INTO holder(binding, twin) VALUES (?1, ?2) RETURNING id")?,
            insert: transaction.prepare(
                "INSERT INTO checkpoint(holder, row_time, border, rows, incarnation, schema, crc, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            list: transaction.prepare(
                "SELECT id, row_time, border FROM checkpoint WHERE holder = ?1 ORDER BY row_time DESC, id DESC",
            )?,
            delete: transaction
                .prepare("DELETE FROM checkpoint WHERE id = ?1 RETURNING length(state)")?,
            kept: Vec::new(),
            balance: 0,
        })
    }

    pub(super) fn save(&mut self, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
        let holder = self.holder(checkpoint)?;
        self.insert.execute((
            holder,
            column_from_time(checkpoint.row_time),
            checkpoint.border.column(),
            column_from_number(checkpoint.rows),
            checkpoint.incarnation,
            checkpoint.schema,
            crc(checkpoint),
            &checkpoint.bytes,
        ))?;
        self.balance += column_from_count(checkpoint.bytes.len());
        self.kept.clear();
        let mut rows = self.list.query([holder])?;
        while let Some(row) = rows.next()? {
            self.kept.push(thin::Kept {
                id: row.get(0)?,
                row_time: time_from_column(row.get(1)?),
                border: Border::from_column(row.get(2)?),
            });
        }
        for id in thin::beyond(&self.kept) {
            self.balance -= self.delete.query_row([id], |row| row.get::<_, i64>(0))?;
        }
        Ok(())
    }

    fn holder(&mut self, checkpoint: &Checkpoint) -> rusqlite::Result<i64> {
        let names = (&checkpoint.binding, &checkpoint.twin);
        match self.find.query_row(names, |row| row.get(0)).optional()? {
            Some(holder) => Ok(holder),
            None => self.add.query_row(names, |row| row.get(0)),
        }
    }
}

/// Keeps the account of all bytes, and forgets the oldest checkpoints while there are too many.
pub(super) fn settle(transaction: &Transaction<'_>, balance: i64, bytes_max: u64) -> rusqlite::Result<()> {
    let mut total = balance
        + number(transaction, "SELECT coalesce((SELECT value FROM mark WHERE key = 'checkpoint_bytes'), 0)")?;
    if total > column_from_number(bytes_max) {
        let mut oldest = transaction.prepare("SELECT id, length(state) FROM checkpoint ORDER BY id")?;
        let mut delete = transaction.prepare("DELETE FROM checkpoint WHERE id <= ?1")?;
        let mut last = None;
        let mut rows = oldest.query([])?;
        while total > column_from_number(bytes_max - bytes_max / 16)
            && let Some(row) = rows.next()?
        {
            last = Some(row.get::<_, i64>(0)?);
            total -= row.get::<_, i64>(1)?;
        }
        drop(rows);
        if let Some(last) = last {
            let gone = delete.execute([last])?;
            tracing::warn!(gone, "checkpoints took too much room: the oldest are forgotten");
        }
    }
    transaction.prepare("INSERT OR REPLACE INTO mark VALUES ('checkpoint_bytes', ?1)")?.execute([total])?;
    Ok(())
}
