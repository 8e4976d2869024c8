//! What was commanded last: by behavior and twin the last values that came through, and how far the limit on the first
//! commands after a change of versions has run. Saved at intervals like states, and opaque here, so a host that was killed
//! is behind by what came since.

use super::{Control, ControlReader, DOCUMENT_BYTES_MAX, fits, names_fit};
use crate::StoreError;

/// Most pairs of a behavior and a twin that are remembered; the one that came first goes first.
const COMMANDED_MAX: u32 = 1_000_000;

const UPSERT: &str = "INSERT INTO commanded(binding, twin, document) VALUES (?1, ?2, ?3)
     ON CONFLICT DO UPDATE SET document = excluded.document";

/// What is known of the commands of one behavior of a twin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commanded {
    /// Name of the binding.
    pub binding: String,
    /// Id of the twin.
    pub twin: String,
    /// What the host wants to know again, as JSON.
    pub document: String,
}

impl Control {
    /// Puts these in the place of what was known of each pair, in one commit. Blocks.
    ///
    /// # Errors
    /// When they cannot be written; then nothing has changed.
    pub fn commanded_save(&self, all: &[Commanded]) -> Result<(), StoreError> {
        for Commanded { binding, twin, document } in all {
            names_fit(&[binding, twin])?;
            fits("the number of bytes of what was commanded", document.len(), DOCUMENT_BYTES_MAX)?;
        }
        if all.is_empty() {
            return Ok(());
        }
        self.shared.write("saving what was commanded", |transaction| {
            let mut upsert = transaction.prepare(UPSERT)?;
            for Commanded { binding, twin, document } in all {
                upsert.execute((binding, twin, document))?;
            }
            transaction
                .prepare("DELETE FROM commanded WHERE id <= (SELECT max(id) FROM commanded) - ?1")?
                .execute([COMMANDED_MAX])
                .map(drop)
        })
    }
}

impl ControlReader {
    /// What is known of every pair. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn commanded(&self) -> Result<Vec<Commanded>, StoreError> {
        self.shared.read("reading what was commanded", |connection| {
            let mut select =
                connection.prepare("SELECT binding, twin, document FROM commanded ORDER BY id")?;
            let rows = select.query_map([], |row| {
                Ok(Commanded { binding: row.get(0)?, twin: row.get(1)?, document: row.get(2)? })
            })?;
            rows.collect()
        })
    }
}
