//! Incarnations: a small number for each (binding, digest, parameters) that ever answered rows. History's `by` series
//! holds that number for each row, so it is given once and kept for ever.

use geminus_core::{Digest, Timestamp};
use rusqlite::OptionalExtension;

use super::{Control, ControlReader, fits, names_fit, number_from_column, time_from_column};
use crate::StoreError;
use crate::sqlite::{column_from_time, number};

/// Most incarnations there can be; a site that reaches it changes its parameters as if they were inputs.
const INCARNATIONS_MAX: u32 = 1_000_000;
/// Most bytes of parameters.
const PARAMETERS_BYTES_MAX: usize = 1 << 20;

const LAST: &str = "SELECT coalesce(max(id), 0) FROM incarnation";

/// One version with its parameters, at work for a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incarnation {
    /// Its number, from 1.
    pub id: u32,
    /// Name of the binding.
    pub binding: String,
    /// `name@version` of the plugin.
    pub plugin: String,
    /// Its digest, as `sha256:…`.
    pub digest: String,
    /// Its parameters, as they were given to it.
    pub parameters: Vec<u8>,
    /// When it first was at work.
    pub since: Timestamp,
}

impl Control {
    /// The number of an incarnation, a new one when it has none. Blocks.
    ///
    /// # Errors
    /// When parameters are over 1 MiB, there are 1,000,000 incarnations already, or it cannot be written.
    pub fn incarnation(
        &self,
        binding: &str,
        plugin: &str,
        digest: &str,
        parameters: &[u8],
    ) -> Result<u32, StoreError> {
        let numbers = self.incarnations_of(binding, plugin, digest, &[parameters])?;
        numbers.first().copied().ok_or(StoreError::Closed)
    }

    /// The numbers of many incarnations of one version in one commit: one for each of `parameters`. Blocks.
    ///
    /// # Errors
    /// As [`Control::incarnation`]; then none of them is new.
    pub fn incarnations_of<P: AsRef<[u8]>>(
        &self,
        binding: &str,
        plugin: &str,
        digest: &str,
        parameters: &[P],
    ) -> Result<Vec<u32>, StoreError> {
        names_fit(&[binding, plugin, digest])?;
        let longest = parameters.iter().map(|parameters| parameters.as_ref().len()).max().unwrap_or(0);
        fits("the number of bytes of parameters", longest, PARAMETERS_BYTES_MAX)?;
        let since = column_from_time(self.clock.now());
        let numbers = self.shared.write("numbering an incarnation", |transaction| {
            let mut find = transaction.prepare("SELECT id FROM incarnation WHERE key = ?1")?;
            let mut add = transaction.prepare(
                "INSERT INTO incarnation(key, binding, plugin, digest, parameters, since)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
            )?;
            let last = number(transaction, LAST)?;
            let mut numbers = Vec::with_capacity(parameters.len());
            for parameters in parameters.iter().map(AsRef::as_ref) {
                let key = key(binding, digest, parameters);
                let found: Option<i64> = find.query_row([key.bytes()], |row| row.get(0)).optional()?;
                let number = match found {
                    Some(number) => number,
                    None => add
                        .query_row((key.bytes(), binding, plugin, digest, parameters, since), |row| {
                            row.get(0)
                        })?,
                };
                if number > i64::from(INCARNATIONS_MAX) {
                    transaction.execute("DELETE FROM incarnation WHERE id > ?1", [last])?;
                    return Ok(None);
                }
                numbers.push(number_from_column(number));
            }
            Ok(Some(numbers))
        })?;
        numbers.ok_or(StoreError::Exhausted {
            what: "incarnations",
            limit: INCARNATIONS_MAX as usize,
            instead: "what changes so often is an input of a behavior, not a parameter",
        })
    }
}

impl ControlReader {
    /// All incarnations, in order of their numbers. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn incarnations(&self) -> Result<Vec<Incarnation>, StoreError> {
        self.shared.read("reading incarnations", |connection| {
            let mut select = connection.prepare(
                "SELECT id, binding, plugin, digest, parameters, since FROM incarnation ORDER BY id",
            )?;
            let rows = select.query_map([], |row| {
                Ok(Incarnation {
                    id: number_from_column(row.get(0)?),
                    binding: row.get(1)?,
                    plugin: row.get(2)?,
                    digest: row.get(3)?,
                    parameters: row.get(4)?,
                    since: time_from_column(row.get(5)?),
                })
            })?;
            rows.collect()
        })
    }
}

/// What makes an incarnation the same: lengths stand before what they measure, so that no two can be confused.
fn key(binding: &str, digest: &str, parameters: &[u8]) -> Digest {
    let mut bytes = Vec::with_capacity(16 + binding.len() + digest.len() + parameters.len());
    for part in [binding.as_bytes(), digest.as_bytes(), parameters] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    Digest::of(&bytes)
}
