//! Packages that were ever taken: what the vault's files are called and when they came.

use geminus_core::Timestamp;

use super::{
    Control, ControlReader, DOCUMENT_BYTES_MAX, column_from_number, cut, fits, names_fit, time_from_column,
};
use crate::StoreError;
use crate::sqlite::column_from_time;

/// Most packages that are remembered; older ones go first, unless something assigned or incarnate names them.
const PACKAGES_MAX: u32 = 1_000;

/// A package as it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageRecord {
    /// Its digest, as `sha256:…`.
    pub digest: String,
    /// Name of the plugin.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its declaration as JSON, at most 1 MiB.
    pub declaration: String,
    /// Number of bytes of the component.
    pub bytes: u64,
    /// When it came first.
    pub arrived: Timestamp,
    /// Where it came from: a file's name, `api`, a person.
    pub source: String,
}

impl Control {
    /// Remembers a package; returns whether it is new. One that is known keeps what was written first. Blocks.
    ///
    /// # Errors
    /// When its declaration is over 1 MiB or it cannot be written.
    pub fn record_package(&self, package: &PackageRecord) -> Result<bool, StoreError> {
        names_fit(&[&package.digest, &package.name, &package.version])?;
        fits("a declaration's number of bytes", package.declaration.len(), DOCUMENT_BYTES_MAX)?;
        self.shared.write("recording a package", |transaction| {
            let added = transaction.execute(
                "INSERT OR IGNORE INTO package(digest, name, version, declaration, bytes, arrived, source)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    &package.digest,
                    &package.name,
                    &package.version,
                    &package.declaration,
                    column_from_number(package.bytes),
                    column_from_time(package.arrived),
                    cut(&package.source),
                ),
            )?;
            if added > 0 {
                transaction.execute(
                    "DELETE FROM package WHERE id <= (SELECT id FROM package ORDER BY id DESC LIMIT 1 OFFSET ?1)
                       AND digest NOT IN (SELECT digest FROM assignment UNION SELECT digest FROM incarnation)",
                    [PACKAGES_MAX],
                )?;
            }
            Ok(added > 0)
        })
    }
}

impl ControlReader {
    /// All packages that are remembered, in order of their arrival. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn packages(&self) -> Result<Vec<PackageRecord>, StoreError> {
        self.shared.read("reading packages", |connection| {
            let mut select = connection.prepare(
                "SELECT digest, name, version, declaration, bytes, arrived, source FROM package ORDER BY id",
            )?;
            let rows = select.query_map([], |row| {
                Ok(PackageRecord {
                    digest: row.get(0)?,
                    name: row.get(1)?,
                    version: row.get(2)?,
                    declaration: row.get(3)?,
                    bytes: row.get::<_, i64>(4)?.cast_unsigned(),
                    arrived: time_from_column(row.get(5)?),
                    source: row.get(6)?,
                })
            })?;
            rows.collect()
        })
    }
}
