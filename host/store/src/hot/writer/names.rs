//! The numbers of series: given once, kept for ever. Beside them who makes their values.

use geminus_core::SeriesId;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::StoreError;
use crate::hot::FILE;
use crate::sealed::Class;

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
            .prepare("INSERT INTO series(twin, point, class) VALUES (?1, ?2, ?3) RETURNING id")
            .map_err(&failed)?;
        for (twin, point) in names {
            let found: Option<i64> =
                find.query_row((twin, point), |row| row.get(0)).optional().map_err(&failed)?;
            let id = match found {
                Some(id) => id,
                None => {
                    let class = Class::of_name(point).number();
                    insert.query_row((twin, point, class), |row| row.get(0)).map_err(&failed)?
                }
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

/// Says of series who makes their values, in one commit. What is sealed already stays where it is.
pub(super) fn classify(connection: &mut Connection, classes: &[(SeriesId, Class)]) -> Result<(), StoreError> {
    let failed = StoreError::database(FILE.name, "classifying series");
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    {
        let mut update = transaction
            .prepare("UPDATE series SET class = ?2 WHERE id = ?1 AND class != ?2")
            .map_err(&failed)?;
        for (series, class) in classes {
            update.execute((i64::from(series.0), class.number())).map_err(&failed)?;
        }
    }
    transaction.commit().map_err(failed)
}
