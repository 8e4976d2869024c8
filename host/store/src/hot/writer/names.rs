//! The numbers of series: given once, kept for ever.

use geminus_core::SeriesId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::StoreError;
use crate::hot::FILE;

/// The number of each (twin, point), in one commit: the one it has, or a new one.
pub(super) fn number(
    connection: &mut Connection,
    names: &[(String, String)],
) -> Result<Vec<SeriesId>, StoreError> {
    let failed = StoreError::database(FILE.name, "numbering series");
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    let mut numbers = Vec::with_capacity(names.len());
    {
        let mut find =
            transaction.prepare("SELECT id FROM series WHERE twin = ?1 AND point = ?2").map_err(&failed)?;
        let mut insert = transaction
            .prepare("INSERT INTO series(twin, point) VALUES (?1, ?2) RETURNING id")
            .map_err(&failed)?;
        for (twin, point) in names {
            let found: Option<i64> =
                find.query_row((twin, point), |row| row.get(0)).optional().map_err(&failed)?;
            let id = match found {
                Some(id) => id,
                None => insert.query_row((twin, point), |row| row.get(0)).map_err(&failed)?,
            };
            let limit = StoreError::TooLarge {
                what: "the number of series",
                found: names.len(),
                limit: u32::MAX as usize,
            };
            numbers.push(SeriesId(u32::try_from(id).map_err(|_| limit)?));
        }
    }
    transaction.commit().map_err(failed)?;
    Ok(numbers)
}
