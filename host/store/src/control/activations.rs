//! The history of activations: which version was put to work, taken back or refused, and when.

use geminus_core::Timestamp;

use super::{Control, ControlReader, column_from_number, cut, names_fit, time_from_column};
use crate::StoreError;
use crate::sqlite::{column_from_count, column_from_time};

/// Most activations that are remembered.
const ACTIVATIONS_MAX: u32 = 10_000;

/// A plugin version that was put to work, taken back, or refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activation {
    /// When.
    pub time: Timestamp,
    /// Name of the binding; empty for what was refused before it was bound, and for what older hosts wrote.
    pub binding: String,
    /// Name of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// Its digest, as `sha256:…`.
    pub digest: String,
    /// For how many twins.
    pub twins: u64,
    /// The rollout that did it; `None` for a start of the host.
    pub rollout: Option<u64>,
    /// What came of it, in a word or a sentence: `activated`, `rolled back: …`, `refused: …`.
    pub outcome: String,
}

/// Which activations to read. The default is the latest 100 of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivationFilter {
    /// Only of this binding.
    pub binding: Option<String>,
    /// Only of this plugin.
    pub plugin: Option<String>,
    /// Only of this rollout.
    pub rollout: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl Default for ActivationFilter {
    fn default() -> Self {
        Self { binding: None, plugin: None, rollout: None, limit: 100 }
    }
}

impl Control {
    /// Remembers an activation. The latest 10,000 are kept. Blocks.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record_activation(&self, activation: &Activation) -> Result<(), StoreError> {
        names_fit(&[&activation.binding, &activation.plugin, &activation.version, &activation.digest])?;
        self.shared.write("recording an activation", |transaction| {
            transaction.execute(
                "INSERT INTO activation(time, binding, plugin, version, digest, twins, rollout, outcome)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (
                    column_from_time(activation.time),
                    &activation.binding,
                    &activation.plugin,
                    &activation.version,
                    &activation.digest,
                    column_from_number(activation.twins),
                    activation.rollout.map(column_from_number),
                    cut(&activation.outcome),
                ),
            )?;
            transaction.execute(
                "DELETE FROM activation WHERE id <= (SELECT id FROM activation ORDER BY id DESC LIMIT 1 OFFSET ?1)",
                [ACTIVATIONS_MAX],
            )?;
            Ok(())
        })
    }
}

impl ControlReader {
    /// Activations that pass a filter, newest first. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn activations(&self, filter: &ActivationFilter) -> Result<Vec<Activation>, StoreError> {
        self.shared.read("reading activations", |connection| {
            let mut select = connection.prepare(
                "SELECT time, binding, plugin, version, digest, twins, rollout, outcome FROM activation
                 WHERE (?1 IS NULL OR binding = ?1) AND (?2 IS NULL OR plugin = ?2) AND (?3 IS NULL OR rollout = ?3)
                 ORDER BY id DESC LIMIT ?4",
            )?;
            let wanted = (
                &filter.binding,
                &filter.plugin,
                filter.rollout.map(column_from_number),
                column_from_count(filter.limit),
            );
            let rows = select.query_map(wanted, |row| {
                Ok(Activation {
                    time: time_from_column(row.get(0)?),
                    binding: row.get(1)?,
                    plugin: row.get(2)?,
                    version: row.get(3)?,
                    digest: row.get(4)?,
                    twins: row.get::<_, i64>(5)?.cast_unsigned(),
                    rollout: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
                    outcome: row.get(7)?,
                })
            })?;
            rows.collect()
        })
    }
}
