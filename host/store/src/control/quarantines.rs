//! Quarantines: pairs of a twin and a version that are kept from each other, because the version failed for the twin
//! until nothing else helped. They hold over restarts, until a rollout gives the twin that very version anew.

use geminus_core::Timestamp;

use super::assignments::UPSERT as ASSIGN;
use super::{Control, ControlReader, cut, names_fit, number_from_column, time_from_column};
use crate::StoreError;
use crate::sqlite::column_from_time;

/// Most pairs that are remembered; the oldest goes first.
const QUARANTINES_MAX: u32 = 200_000;

const UPSERT: &str =
    "INSERT INTO quarantine(binding, twin, digest, since, strikes, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT DO UPDATE SET strikes = excluded.strikes, reason = excluded.reason";

/// A version that is not used for a twin any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Name of the binding.
    pub binding: String,
    /// Id of the twin.
    pub twin: String,
    /// Digest of the version, as `sha256:…`.
    pub digest: String,
    /// Since when.
    pub since: Timestamp,
    /// Strikes of the pair by then.
    pub strikes: u32,
    /// What it did last.
    pub reason: String,
}

impl Control {
    /// Keeps a twin and a version apart from now on. Of a pair that is known, `since` stays. Beyond 200,000 the oldest is
    /// forgotten. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn quarantine(&self, pair: &Quarantine) -> Result<(), StoreError> {
        self.keep_apart(pair, None)
    }

    /// The same, and puts another version in force for the twin instead: both in one commit. Blocks.
    ///
    /// # Errors
    /// When it cannot be written; then nothing has changed.
    pub fn move_to(&self, pair: &Quarantine, digest: &str) -> Result<(), StoreError> {
        self.keep_apart(pair, Some(digest))
    }

    fn keep_apart(&self, pair: &Quarantine, instead: Option<&str>) -> Result<(), StoreError> {
        let Quarantine { binding, twin, digest, since, strikes, reason } = pair;
        names_fit(&[binding, twin, digest, instead.unwrap_or_default()])?;
        let now = column_from_time(self.clock.now());
        self.shared.write("keeping a twin and a version apart", |transaction| {
            transaction.prepare(UPSERT)?.execute((
                binding,
                twin,
                digest,
                column_from_time(*since),
                strikes,
                cut(reason),
            ))?;
            transaction
                .prepare("DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?1")?
                .execute([QUARANTINES_MAX])?;
            match instead {
                Some(instead) => transaction.execute(ASSIGN, (binding, twin, instead, now)).map(drop),
                None => Ok(()),
            }
        })
    }
}

impl ControlReader {
    /// All pairs that are kept apart, the oldest first. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn quarantines(&self) -> Result<Vec<Quarantine>, StoreError> {
        self.shared.read("reading quarantines", |connection| {
            let mut select = connection.prepare(
                "SELECT binding, twin, digest, since, strikes, reason FROM quarantine ORDER BY id",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Quarantine {
                    binding: row.get(0)?,
                    twin: row.get(1)?,
                    digest: row.get(2)?,
                    since: time_from_column(row.get(3)?),
                    strikes: number_from_column(row.get(4)?),
                    reason: row.get(5)?,
                })
            })?;
            rows.collect()
        })
    }
}
