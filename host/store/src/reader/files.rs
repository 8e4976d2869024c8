//! Sealed samples of one series, drawn file by file as they are needed. What is sealed was stored first, so at the same
//! time it wins over what is in `hot.db`.

use geminus_core::{Sample, Timestamp};
use rusqlite::Connection;

use super::Damage;
use super::merge::Wanted;
use crate::StoreError;
use crate::sealed::archive::Archive;
use crate::sealed::manifest;
use crate::sqlite::column_from_time;

/// Samples in order of time, one for each time.
pub(super) struct Files<'a> {
    connection: &'a Connection,
    archive: &'a Archive,
    wanted: Wanted,
    /// Hour and number of the files that are still to be looked into.
    files: std::iter::Peekable<std::vec::IntoIter<(u64, i64)>>,
    samples: std::vec::IntoIter<Sample>,
    /// What could not be read.
    pub(super) damage: Vec<Damage>,
    /// Why it ended before its end.
    pub(super) failed: Option<StoreError>,
}

impl<'a> Files<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        archive: &'a Archive,
        wanted: Wanted,
    ) -> Result<Self, StoreError> {
        let (from, to) = (column_from_time(wanted.from), column_from_time(wanted.to));
        let files = manifest::candidates(connection, wanted.series, from, to)?;
        Ok(Self {
            connection,
            archive,
            wanted,
            files: files.into_iter().peekable(),
            samples: Vec::new().into_iter(),
            damage: Vec::new(),
            failed: None,
        })
    }

    /// When the next sample was.
    pub(super) fn time(&mut self) -> Option<Timestamp> {
        loop {
            if let Some(sample) = self.samples.as_slice().first() {
                return Some(sample.time);
            }
            match self.hour() {
                Ok(Some(samples)) => self.samples = samples.into_iter(),
                Ok(None) => return None,
                Err(error) => {
                    self.failed = Some(error);
                    self.files = Vec::new().into_iter().peekable();
                    return None;
                }
            }
        }
    }

    /// The next sample.
    pub(super) fn next(&mut self) -> Option<Sample> {
        self.time()?;
        self.samples.next()
    }

    /// What the files of the next hour have, which may be nothing; `None` when there is no further hour.
    fn hour(&mut self) -> Result<Option<Vec<Sample>>, StoreError> {
        let Some((hour, _)) = self.files.peek().copied() else { return Ok(None) };
        let (mut samples, mut parts) = (Vec::new(), 0);
        while let Some((_, number)) = self.files.next_if(|(next, _)| *next == hour) {
            let Some(file) = manifest::get(self.connection, number)? else { continue };
            let (before, times) = (samples.len(), self.wanted.from..self.wanted.to);
            if let Err(finding) = self.archive.read(&file, self.wanted.series, times, &mut samples) {
                self.damage.push(Damage { table: "sealed", block: number, finding });
            }
            parts += usize::from(samples.len() > before);
        }
        if parts > 1 {
            samples.sort_by_key(|sample| sample.time);
            samples.dedup_by_key(|sample| sample.time);
        }
        Ok(Some(samples))
    }
}
