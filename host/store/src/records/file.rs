//! What keeping one record does: whether it is new, says something else than what is kept, or comes too late.

use geminus_core::{ContextRecord, Timestamp};
use rusqlite::{OptionalExtension, Transaction};

use super::Filed;
use super::query::{COLUMNS, document, read};
use crate::sqlite::{column_from_count, column_from_time};

/// Keeps a record of a twin. Gives what became of it, and whether there is one more now.
pub(super) fn file(
    transaction: &Transaction<'_>,
    twin: &str,
    record: &ContextRecord,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<(Filed, bool)> {
    let sql = format!("SELECT {COLUMNS} FROM record WHERE twin = ?1 AND source = ?2 AND id = ?3");
    let kept = transaction.prepare(&sql)?.query_row((twin, &record.source, &record.id), read);
    let Some(kept) = kept.optional()? else {
        insert(transaction, twin, record, by, now)?;
        return Ok((if record.removed { Filed::Removed } else { Filed::New }, true));
    };
    let filed = judged(&kept.record, record);
    match filed {
        Filed::Older => {}
        // A version that only says when it was made is remembered: what is older than it must not come after it.
        Filed::Same if record.changed.is_none() || record.changed == kept.record.changed => {}
        Filed::Same => stamp(transaction, kept.number, record.changed)?,
        Filed::New | Filed::Corrected | Filed::Removed => {
            let changed = record.changed.or(kept.record.changed);
            update(transaction, kept.number, &ContextRecord { changed, ..record.clone() }, by, now)?;
        }
    }
    Ok((filed, false))
}

/// What a record is beside the one that is kept.
fn judged(kept: &ContextRecord, record: &ContextRecord) -> Filed {
    let is_older = record.changed.zip(kept.changed).is_some_and(|(given, known)| given < known);
    let says_the_same = *kept == ContextRecord { changed: kept.changed, ..record.clone() };
    match (is_older, says_the_same, record.removed) {
        _ if kept.removed && record.removed => Filed::Same,
        (true, ..) => Filed::Older,
        (false, true, _) => Filed::Same,
        (false, false, true) => Filed::Removed,
        (false, false, false) => Filed::Corrected,
    }
}

fn insert(
    transaction: &Transaction<'_>,
    twin: &str,
    record: &ContextRecord,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO record(twin, source, id, kind, time, until, changed, removed, revision, received, by, document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11)",
    )?;
    let values = (
        twin,
        &record.source,
        &record.id,
        &record.kind,
        column_from_time(record.time),
        record.until.map(column_from_time),
        record.changed.map(column_from_time),
        record.removed,
        column_from_time(now),
        by,
        document(record),
    );
    insert.execute(values).map(drop)
}

fn update(
    transaction: &Transaction<'_>,
    number: u64,
    record: &ContextRecord,
    by: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let mut update = transaction.prepare(
        "UPDATE record SET kind = ?2, time = ?3, until = ?4, changed = ?5, removed = ?6, revision = revision + 1,
            corrected = ?7, by = ?8, document = ?9 WHERE number = ?1",
    )?;
    let values = (
        number.cast_signed(),
        &record.kind,
        column_from_time(record.time),
        record.until.map(column_from_time),
        record.changed.map(column_from_time),
        record.removed,
        column_from_time(now),
        by,
        document(record),
    );
    update.execute(values).map(drop)
}

fn stamp(transaction: &Transaction<'_>, number: u64, changed: Option<Timestamp>) -> rusqlite::Result<()> {
    let sql = "UPDATE record SET changed = max(coalesce(changed, 0), ?2) WHERE number = ?1";
    transaction.execute(sql, (number.cast_signed(), changed.map(column_from_time))).map(drop)
}

/// Forgets a twin's earliest beyond `most`; gives how many.
pub(super) fn forget(transaction: &Transaction<'_>, twin: &str, most: usize) -> rusqlite::Result<usize> {
    transaction.execute(
        "DELETE FROM record WHERE number IN
            (SELECT number FROM record WHERE twin = ?1 ORDER BY time DESC, number DESC LIMIT -1 OFFSET ?2)",
        (twin, column_from_count(most)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_judged_by_what_is_kept() {
        let of = |title: &str, changed: Option<u64>, removed: bool| ContextRecord {
            title: title.to_owned(),
            changed: changed.map(Timestamp),
            removed,
            ..ContextRecord::default()
        };
        let check = |kept: &ContextRecord, record: &ContextRecord, expect: Filed| {
            assert_eq!(judged(kept, record), expect, "{record:?} beside {kept:?}");
        };
        let kept = of("a", Some(5), false);
        check(&kept, &of("a", Some(5), false), Filed::Same);
        check(&kept, &of("a", Some(6), false), Filed::Same);
        check(&kept, &of("a", None, false), Filed::Same);
        check(&kept, &of("b", Some(6), false), Filed::Corrected);
        check(&kept, &of("b", Some(5), false), Filed::Corrected);
        check(&kept, &of("b", None, false), Filed::Corrected);
        check(&kept, &of("b", Some(4), false), Filed::Older);
        check(&kept, &of("a", Some(4), false), Filed::Older);
        check(&kept, &of("a", Some(6), true), Filed::Removed);
        check(&kept, &of("a", Some(4), true), Filed::Older);
        let gone = of("a", Some(6), true);
        check(&gone, &of("a", Some(5), false), Filed::Older);
        check(&gone, &of("b", Some(7), true), Filed::Same);
        check(&gone, &of("a", Some(7), false), Filed::Corrected);
        check(&of("a", None, false), &of("b", Some(1), false), Filed::Corrected);
    }
}
