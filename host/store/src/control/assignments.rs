//! Assignments: which version is authoritative, for a whole binding and for single twins that differ from it. This is
//! what a start goes by.

use geminus_core::Timestamp;

use super::{Control, ControlReader, column_from_number, names_fit, time_from_column};
use crate::StoreError;
use crate::sqlite::column_from_time;

/// A version that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Name of the binding.
    pub binding: String,
    /// Id of the twin it is for; `None` is the whole binding, as far as no twin has its own.
    pub twin: Option<String>,
    /// Digest of the version, as `sha256:…`.
    pub digest: String,
    /// Since when.
    pub since: Timestamp,
}

/// What changes in the ledger when a rollout's version takes over: twins (`None` is the whole binding), each with the
/// digest that is in force from then on; `None` takes back what a twin had of its own.
pub type LedgerChange<'a> = (Option<&'a str>, Option<&'a str>);

pub(super) const UPSERT: &str = "INSERT INTO assignment(binding, twin, digest, since) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT DO UPDATE SET digest = excluded.digest, since = excluded.since WHERE digest <> excluded.digest";

/// Forgets what a rollout's version did to the twins that now go with it: those that have it of their own, and where
/// it is the whole binding's, those that have nothing of their own.
const ABSOLVE: [&str; 2] = [
    "DELETE FROM quarantine WHERE binding = ?2 AND digest = (SELECT to_digest FROM rollout WHERE id = ?1) AND digest =
     coalesce((SELECT digest FROM assignment WHERE binding = ?2 AND twin = quarantine.twin),
              (SELECT digest FROM assignment WHERE binding = ?2 AND twin = ''))",
    "DELETE FROM strike WHERE binding = ?2 AND digest = (SELECT to_digest FROM rollout WHERE id = ?1) AND digest =
     coalesce((SELECT digest FROM assignment WHERE binding = ?2 AND twin = strike.twin),
              (SELECT digest FROM assignment WHERE binding = ?2 AND twin = ''))",
];

impl Control {
    /// Puts a version in force, for a twin or for the whole binding (which leaves twins with their own as they are).
    /// `since` moves only when the version is another one. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn assign(&self, binding: &str, twin: Option<&str>, digest: &str) -> Result<(), StoreError> {
        self.assign_all(binding, &[twin], digest)
    }

    /// The same for many twins in one commit. Blocks.
    ///
    /// # Errors
    /// When it cannot be written; then none of them is assigned.
    pub fn assign_all(&self, binding: &str, twins: &[Option<&str>], digest: &str) -> Result<(), StoreError> {
        names_fit(&[binding, digest])?;
        twins.iter().flatten().try_for_each(|twin| names_fit(&[twin]))?;
        let since = column_from_time(self.clock.now());
        self.shared.write("assigning a version", |transaction| {
            let mut upsert = transaction.prepare(UPSERT)?;
            // No twin has an empty id, so it stands for all of them.
            twins.iter().try_for_each(|twin| {
                upsert.execute((binding, twin.unwrap_or_default(), digest, since)).map(drop)
            })
        })
    }

    /// Hands a binding over to the version of a rollout: all these changes and the rollout's `phase`, in one commit, so
    /// that whoever reads the rollout's phase knows whether the ledger was written. Whoever goes with that version from
    /// then on begins anew with it: strikes and quarantines of the two are forgotten. Blocks.
    ///
    /// # Errors
    /// When there is no such rollout under way, or it cannot be written; then nothing has changed.
    pub fn hand_over(
        &self,
        rollout: u64,
        phase: &str,
        binding: &str,
        changes: &[LedgerChange<'_>],
    ) -> Result<(), StoreError> {
        names_fit(&[binding, phase])?;
        changes
            .iter()
            .flat_map(|(twin, digest)| [twin, digest])
            .flatten()
            .try_for_each(|name| names_fit(&[name]))?;
        let since = column_from_time(self.clock.now());
        let known = self.shared.write("handing over to a version", |transaction| {
            let marked = transaction.execute(
                "UPDATE rollout SET phase = ?2, changed = ?3 WHERE id = ?1 AND ended IS NULL",
                (column_from_number(rollout), phase, since),
            )?;
            if marked == 0 {
                return Ok(false);
            }
            let mut upsert = transaction.prepare(UPSERT)?;
            let mut delete =
                transaction.prepare("DELETE FROM assignment WHERE binding = ?1 AND twin = ?2")?;
            for (twin, digest) in changes {
                let twin = twin.unwrap_or_default();
                match digest {
                    Some(digest) => upsert.execute((binding, twin, digest, since))?,
                    None => delete.execute((binding, twin))?,
                };
            }
            ABSOLVE.iter().try_for_each(|absolve| {
                transaction.execute(absolve, (column_from_number(rollout), binding)).map(drop)
            })?;
            Ok(true)
        })?;
        if known { Ok(()) } else { Err(StoreError::NoRollout { id: rollout }) }
    }

    /// Takes an assignment back: of a twin, which then goes with its binding, or of the binding. Returns whether there
    /// was one. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn unassign(&self, binding: &str, twin: Option<&str>) -> Result<bool, StoreError> {
        self.shared.write("taking an assignment back", |transaction| {
            let gone = transaction.execute(
                "DELETE FROM assignment WHERE binding = ?1 AND twin = ?2",
                (binding, twin.unwrap_or_default()),
            )?;
            Ok(gone > 0)
        })
    }
}

impl ControlReader {
    /// All assignments, by binding, the one for the whole binding before those of twins. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn assignments(&self) -> Result<Vec<Assignment>, StoreError> {
        self.shared.read("reading assignments", |connection| {
            let mut select = connection
                .prepare("SELECT binding, twin, digest, since FROM assignment ORDER BY binding, twin")?;
            let rows = select.query_map([], |row| {
                let twin: String = row.get(1)?;
                Ok(Assignment {
                    binding: row.get(0)?,
                    twin: Some(twin).filter(|twin| !twin.is_empty()),
                    digest: row.get(2)?,
                    since: time_from_column(row.get(3)?),
                })
            })?;
            rows.collect()
        })
    }
}
