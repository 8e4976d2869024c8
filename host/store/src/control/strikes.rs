//! Strikes: what a version did wrong to a twin, counted over a window of time by the triple (binding, twin, digest).

use std::time::Duration;

use geminus_core::Timestamp;
use rusqlite::Row;

use super::{Control, ControlReader, cut, names_fit, time_from_column};
use crate::StoreError;
use crate::sqlite::{column_from_count, column_from_time};

/// How long a strike is remembered.
const STRIKE_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Most strikes that are remembered.
const STRIKES_MAX: u32 = 100_000;

/// One strike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// Name of the binding.
    pub binding: String,
    /// Id of the twin.
    pub twin: String,
    /// Digest of the version that did it, as `sha256:…`.
    pub digest: String,
    /// When.
    pub time: Timestamp,
    /// What it did.
    pub message: String,
}

impl Control {
    /// Counts strikes in one commit, in this order, and returns for each how many of its (binding, twin, digest) there are
    /// since its time less `window`, it among them. Strikes 30 days older than the last of these and those before the
    /// latest 100,000 are forgotten. Blocks.
    ///
    /// # Errors
    /// When they cannot be written; then none is counted.
    pub fn strike(&self, strikes: &[Strike], window: Duration) -> Result<Vec<u32>, StoreError> {
        for Strike { binding, twin, digest, .. } in strikes {
            names_fit(&[binding, twin, digest])?;
        }
        let Some(last) = strikes.last() else { return Ok(Vec::new()) };
        self.shared.write("counting strikes", |transaction| {
            transaction
                .prepare("DELETE FROM strike WHERE time < ?1")?
                .execute([column_from_time(last.time.minus(STRIKE_AGE_MAX))])?;
            let mut insert = transaction.prepare(
                "INSERT INTO strike(binding, twin, digest, time, message) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let mut count = transaction.prepare(
                "SELECT count(*) FROM strike WHERE binding = ?1 AND twin = ?2 AND digest = ?3 AND time >= ?4",
            )?;
            let mut counted = Vec::with_capacity(strikes.len());
            for Strike { binding, twin, digest, time, message } in strikes {
                insert.execute((binding, twin, digest, column_from_time(*time), cut(message)))?;
                let since = column_from_time(time.minus(window));
                counted.push(count.query_row((binding, twin, digest, since), |row| row.get(0))?);
            }
            transaction
                .prepare("DELETE FROM strike WHERE id <= (SELECT max(id) FROM strike) - ?1")?
                .execute([STRIKES_MAX])?;
            Ok(counted)
        })
    }

    /// Forgets the strikes of a twin under a binding, of one version or (`None`) of all, and returns how many. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forgive(&self, binding: &str, twin: &str, digest: Option<&str>) -> Result<usize, StoreError> {
        self.shared.write("forgiving strikes", |transaction| {
            transaction.execute(
                "DELETE FROM strike WHERE binding = ?1 AND twin = ?2 AND (?3 IS NULL OR digest = ?3)",
                (binding, twin, digest),
            )
        })
    }
}

impl ControlReader {
    /// The latest strikes, newest first, of one binding and one twin or (`None`) of all. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn strikes(
        &self,
        binding: Option<&str>,
        twin: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Strike>, StoreError> {
        self.shared.read("reading strikes", |connection| {
            let mut select = connection.prepare(
                "SELECT binding, twin, digest, time, message FROM strike
                 WHERE (?1 IS NULL OR binding = ?1) AND (?2 IS NULL OR twin = ?2) ORDER BY id DESC LIMIT ?3",
            )?;
            let rows = select.query_map((binding, twin, column_from_count(limit)), read)?;
            rows.collect()
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Strike> {
    Ok(Strike {
        binding: row.get(0)?,
        twin: row.get(1)?,
        digest: row.get(2)?,
        time: time_from_column(row.get(3)?),
        message: row.get(4)?,
    })
}
