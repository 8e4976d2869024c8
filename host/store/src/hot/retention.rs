//! Retention: the oldest folded blocks are removed by age and by size, a few at a time.

use rusqlite::Connection;

use super::{FILE, PAGE_BYTES};
use crate::sqlite::number;
use crate::{Class, StoreError};

/// Blocks that one slice removes.
const REMOVED_AT_ONCE: i64 = 256;

/// Bytes of pages in use: what is deleted counts as free at once, though the file keeps its size and fills it again.
pub(crate) fn used_bytes(connection: &Connection) -> Result<u64, StoreError> {
    let failed = StoreError::database(FILE.name, "measuring it");
    let pages = number(connection, "PRAGMA page_count").map_err(&failed)?;
    let free = number(connection, "PRAGMA freelist_count").map_err(&failed)?;
    Ok(u64::try_from(pages - free).unwrap_or(0) * u64::from(PAGE_BYTES))
}

/// Removes some of the blocks that end before `cutoff`; returns how many, and whether there may be more.
pub(crate) fn remove_older(connection: &Connection, cutoff: i64) -> Result<(usize, bool), StoreError> {
    let statement = "DELETE FROM folded WHERE id IN
        (SELECT id FROM folded WHERE t_max < ?1 ORDER BY t_max LIMIT ?2)";
    let gone = connection
        .execute(statement, (cutoff, REMOVED_AT_ONCE))
        .map_err(StoreError::database(FILE.name, "removing old blocks"))?;
    Ok((gone, gone as u64 >= REMOVED_AT_ONCE.cast_unsigned()))
}

/// The same for the blocks of one class of series.
pub(crate) fn remove_older_of(
    connection: &Connection,
    class: Class,
    cutoff: i64,
) -> Result<(usize, bool), StoreError> {
    let statement = "DELETE FROM folded WHERE id IN
        (SELECT f.id FROM folded f JOIN series s ON s.id = f.series WHERE f.t_max < ?1 AND s.class = ?2
         ORDER BY f.t_max LIMIT ?3)";
    let gone = connection
        .execute(statement, (cutoff, class.number(), REMOVED_AT_ONCE))
        .map_err(StoreError::database(FILE.name, "removing old blocks"))?;
    Ok((gone, gone as u64 >= REMOVED_AT_ONCE.cast_unsigned()))
}

/// Removes some of the oldest blocks when more than `bytes_max` are in use; returns how many, and whether there may be more.
pub(crate) fn remove_above(connection: &Connection, bytes_max: u64) -> Result<(usize, bool), StoreError> {
    let used = used_bytes(connection)?;
    if used <= bytes_max {
        return Ok((0, false));
    }
    let excess_pages = (used - bytes_max) / u64::from(PAGE_BYTES) + 1;
    let some = i64::try_from(excess_pages).unwrap_or(i64::MAX).min(REMOVED_AT_ONCE);
    let gone = connection
        .execute("DELETE FROM folded WHERE id IN (SELECT id FROM folded ORDER BY t_max LIMIT ?1)", [some])
        .map_err(StoreError::database(FILE.name, "removing the oldest blocks"))?;
    Ok((gone, gone > 0))
}
