//! Crashes: components in which a whole host process ended. A start goes without them until somebody forgives.

use geminus_core::Timestamp;

use super::{Control, ControlReader, names_fit, number_from_column, time_from_column};
use crate::StoreError;
use crate::sqlite::column_from_time;

/// Most components that are remembered; the one whose last crash is longest ago goes first.
const CRASHES_MAX: u32 = 1_000;

/// A component in which hosts crashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Its digest, as `sha256:…`.
    pub digest: String,
    /// How often.
    pub count: u32,
    /// When it was first.
    pub first: Timestamp,
    /// When it was last.
    pub last: Timestamp,
}

impl Control {
    /// Remembers that a host crashed in this component, and returns how often that was by now. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn crash(&self, digest: &str, at: Timestamp) -> Result<u32, StoreError> {
        names_fit(&[digest])?;
        self.shared.write("remembering a crash", |transaction| {
            let count: i64 = transaction.query_row(
                "INSERT INTO crash VALUES (?1, 1, ?2, ?2)
                 ON CONFLICT DO UPDATE SET count = count + 1, last = excluded.last RETURNING count",
                (digest, column_from_time(at)),
                |row| row.get(0),
            )?;
            transaction.execute(
                "DELETE FROM crash WHERE digest IN
                   (SELECT digest FROM crash WHERE digest <> ?1 ORDER BY last DESC LIMIT -1 OFFSET ?2)",
                (digest, CRASHES_MAX - 1),
            )?;
            Ok(number_from_column(count))
        })
    }

    /// Forgets the crashes of a component; returns whether there were any. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forgive_crash(&self, digest: &str) -> Result<bool, StoreError> {
        self.shared.write("forgiving a crash", |transaction| {
            Ok(transaction.execute("DELETE FROM crash WHERE digest = ?1", [digest])? > 0)
        })
    }
}

impl ControlReader {
    /// Components in which hosts crashed, the latest first. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn crashes(&self) -> Result<Vec<Crash>, StoreError> {
        self.shared.read("reading crashes", |connection| {
            let mut select =
                connection.prepare("SELECT digest, count, first, last FROM crash ORDER BY last DESC")?;
            let rows = select.query_map([], |row| {
                Ok(Crash {
                    digest: row.get(0)?,
                    count: number_from_column(row.get(1)?),
                    first: time_from_column(row.get(2)?),
                    last: time_from_column(row.get(3)?),
                })
            })?;
            rows.collect()
        })
    }
}
