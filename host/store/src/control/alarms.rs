//! Alarms that are not quiet, as the host that ran last left them: one JSON document for each. What is in it is for
//! `alarm` to say.

use super::{Control, ControlReader, DOCUMENT_BYTES_MAX, fits, names_fit};
use crate::StoreError;
use crate::sqlite::column_from_time;

/// Most bytes of one document: an alarm has a few names and reasons.
const ALARM_BYTES_MAX: usize = 16 << 10;
const _: () = assert!(ALARM_BYTES_MAX < DOCUMENT_BYTES_MAX, "an alarm is smaller than a plan");

/// An alarm as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRecord {
    /// Id of the twin.
    pub twin: String,
    /// Name of the alarm.
    pub name: String,
    /// What is kept of it, as JSON; `None`: nothing any more.
    pub document: Option<String>,
}

impl Control {
    /// Writes alarms down, all in one commit, or none. One without a document is forgotten. Blocks.
    ///
    /// # Errors
    /// When it cannot be written, or a document is too large; then nothing has changed.
    pub fn save_alarms(&self, alarms: &[AlarmRecord]) -> Result<(), StoreError> {
        for alarm in alarms {
            names_fit(&[&alarm.twin, &alarm.name])?;
            let bytes = alarm.document.as_ref().map_or(0, String::len);
            fits("an alarm's number of bytes", bytes, ALARM_BYTES_MAX)?;
        }
        let now = column_from_time(self.clock.now());
        self.shared.write("writing alarms down", |transaction| {
            let mut put = transaction.prepare(
                "INSERT INTO alarm(twin, name, changed, document) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET changed = excluded.changed, document = excluded.document",
            )?;
            let mut forget = transaction.prepare("DELETE FROM alarm WHERE twin = ?1 AND name = ?2")?;
            for AlarmRecord { twin, name, document } in alarms {
                match document {
                    Some(document) => put.execute((twin, name, now, document))?,
                    None => forget.execute((twin, name))?,
                };
            }
            Ok(())
        })
    }
}

impl ControlReader {
    /// All alarms that are written down, by twin and name. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn alarms(&self) -> Result<Vec<AlarmRecord>, StoreError> {
        self.shared.read("reading alarms", |connection| {
            let mut select =
                connection.prepare("SELECT twin, name, document FROM alarm ORDER BY twin, name")?;
            let rows = select.query_map([], |row| {
                Ok(AlarmRecord { twin: row.get(0)?, name: row.get(1)?, document: Some(row.get(2)?) })
            })?;
            rows.collect()
        })
    }
}
