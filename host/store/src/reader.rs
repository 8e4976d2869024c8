//! Reading history: sealed files, folded and mixed blocks of one series, merged in order of time, the first stored
//! winning.
//!
//! Each call reads one consistent moment of the file. A damaged block or file is skipped, named in the log and kept in
//! a list; the rest is served. Everything here blocks on the file: call it from `spawn_blocking`.

pub(crate) mod buckets;
mod files;
mod merge;
pub(crate) mod rows;
mod tail;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use geminus_core::{Sample, SeriesId, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::StoreError;
use crate::block::Unpacker;
use crate::hot::FILE;
use crate::sealed::archive::Archive;
use buckets::{Bucket, Buckets};
use rows::Rows;

pub use tail::Tail;

/// Most connections that are kept open between calls.
const IDLE_MAX: usize = 4;
/// Most damaged blocks that are remembered.
const DAMAGE_MAX: usize = 100;
/// Most buckets of one query.
const BUCKETS_MAX: usize = 1_000_000;

/// A block that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Table of `hot.db` that holds it or, for a file, names it: `mixed`, `folded` or `sealed`.
    pub table: &'static str,
    /// Its row; of a file also the number in its name.
    pub block: i64,
    /// What is wrong.
    pub finding: &'static str,
}

/// Reads history. Clones share connections; any thread may use one.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    archive: Archive,
    idle: Mutex<Vec<Handle>>,
    damage: Mutex<Vec<Damage>>,
}

/// A connection and the buffers to unpack blocks with.
#[derive(Debug)]
struct Handle {
    connection: Connection,
    unpacker: Unpacker,
}

impl Reader {
    /// Reads the history in a data folder, whether or not a host has it open.
    ///
    /// # Errors
    /// When there is none, or a newer version wrote it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let shared = Shared {
            dir: dir.to_owned(),
            archive: Archive::new(dir),
            idle: Mutex::default(),
            damage: Mutex::default(),
        };
        let reader = Self { shared: Arc::new(shared) };
        let first = reader.shared.handle()?;
        reader.shared.give_back(first);
        Ok(reader)
    }

    /// All series there are: number, twin, point; in order of twin and point.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn catalog(&self) -> Result<Vec<(SeriesId, String, String)>, StoreError> {
        let failed = StoreError::database(FILE.name, "listing series");
        self.shared.with(|handle| {
            let mut select = handle
                .connection
                .prepare("SELECT id, twin, point FROM series ORDER BY twin, point")
                .map_err(&failed)?;
            let rows = select
                .query_map([], |row| {
                    let number = u32::try_from(row.get::<_, i64>(0)?).unwrap_or(u32::MAX);
                    Ok((SeriesId(number), row.get(1)?, row.get(2)?))
                })
                .map_err(&failed)?;
            rows.collect::<Result<_, _>>().map_err(&failed)
        })
    }

    /// The number of one series, if it has one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn series(&self, twin: &str, point: &str) -> Result<Option<SeriesId>, StoreError> {
        self.shared.with(|handle| {
            let found: Option<i64> = handle
                .connection
                .query_row("SELECT id FROM series WHERE twin = ?1 AND point = ?2", (twin, point), |row| {
                    row.get(0)
                })
                .optional()
                .map_err(StoreError::database(FILE.name, "looking for a series"))?;
            Ok(found.and_then(|id| u32::try_from(id).ok()).map(SeriesId))
        })
    }

    /// The first `limit` samples with `from` ≤ time < `to`, in order of time, one for each time.
    ///
    /// # Errors
    /// When the file cannot be read. Damaged blocks are skipped, see [`Reader::damage`].
    pub fn range(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Sample>, StoreError> {
        let mut samples = Vec::new();
        if limit > 0 {
            self.scan(series, from, to, |sample| {
                samples.push(sample);
                samples.len() < limit
            })?;
        }
        Ok(samples)
    }

    /// `from` ≤ time < `to` in `count` parts of equal length, each as its number of samples, extremes, first and last,
    /// mean and worst quality. Parts without samples are left out. A plot of these shows every extreme.
    ///
    /// # Errors
    /// When `count` is over 1,000,000 or the file cannot be read.
    pub fn buckets(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        count: usize,
    ) -> Result<Vec<Bucket>, StoreError> {
        if count > BUCKETS_MAX {
            return Err(StoreError::TooLarge {
                what: "the number of buckets",
                found: count,
                limit: BUCKETS_MAX,
            });
        }
        let mut buckets = Buckets::new(from, to, count);
        self.scan(series, from, to, |sample| {
            buckets.add(&sample);
            true
        })?;
        Ok(buckets.finish())
    }

    /// Several series side by side: each time of `from` ≤ time < `to` at which one of them has a sample, with the
    /// sample of each, in the order asked for. Reads as it goes, some megabytes at once, and holds nothing open in
    /// between, so days of history beside a running host are no burden. Values and qualities are as recorded, bit for
    /// bit. Samples in damaged blocks are missing: whoever must know looks at [`Reader::damage`] afterwards.
    ///
    /// # Errors
    /// When more than 4,096 series are asked for.
    pub fn rows(&self, series: &[SeriesId], from: Timestamp, to: Timestamp) -> Result<Rows, StoreError> {
        if series.len() > rows::SERIES_MAX {
            return Err(StoreError::TooLarge {
                what: "the number of series",
                found: series.len(),
                limit: rows::SERIES_MAX,
            });
        }
        Ok(Rows::new(Arc::clone(&self.shared), series, from..to))
    }

    /// The sample with the latest source time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn newest(&self, series: SeriesId) -> Result<Option<Sample>, StoreError> {
        self.shared.with(|handle| {
            let from = (&handle.connection, &self.shared.archive);
            merge::newest(from, &mut handle.unpacker, series, &mut |damage| {
                self.shared.remember(damage);
            })
        })
    }

    /// The end of each of these series: its last sample before a time and at most `limit` from that time on, all as of one
    /// moment. In the order asked for, which is any; a series asked for twice has the earlier of its times.
    ///
    /// # Errors
    /// When the file cannot be read. Damaged blocks are skipped, see [`Reader::damage`].
    pub fn tails(&self, wanted: &[(SeriesId, Timestamp)], limit: usize) -> Result<Vec<Tail>, StoreError> {
        let mut sorted = wanted.to_vec();
        sorted.sort_unstable();
        sorted.dedup_by_key(|(series, _)| *series);
        let found = self.shared.with(|handle| {
            let mut damaged = |damage| self.shared.remember(damage);
            let from = (&handle.connection, &self.shared.archive);
            tail::tails(from, &mut handle.unpacker, &sorted, limit, &mut damaged)
        })?;
        let place = |series: &SeriesId| sorted.binary_search_by_key(series, |(known, _)| *known).ok();
        let of =
            |(series, _): &(SeriesId, Timestamp)| place(series).and_then(|place| found.get(place)).cloned();
        Ok(wanted.iter().map(|one| of(one).unwrap_or_default()).collect())
    }

    /// Number of samples with `from` ≤ time < `to`, one for each time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn count(&self, series: SeriesId, from: Timestamp, to: Timestamp) -> Result<u64, StoreError> {
        let mut count = 0;
        self.scan(series, from, to, |_| {
            count += 1;
            true
        })?;
        Ok(count)
    }

    /// Gives each sample of a range in order of time, until `each` returns false.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn scan(
        &self,
        series: SeriesId,
        from: Timestamp,
        to: Timestamp,
        mut each: impl FnMut(Sample) -> bool,
    ) -> Result<(), StoreError> {
        self.shared.with(|handle| {
            let wanted = merge::Wanted { series, from, to };
            let from = (&handle.connection, &self.shared.archive);
            merge::scan(from, &mut handle.unpacker, wanted, &mut each, &mut |damage| {
                self.shared.remember(damage);
            })
        })
    }

    /// Damaged blocks that queries met since start, at most the first 100.
    #[must_use]
    pub fn damage(&self) -> Vec<Damage> {
        self.shared.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shared {
    /// Runs `work` inside a read transaction, so that a fold cannot move samples under its hands.
    fn with<T>(&self, work: impl FnOnce(&mut Handle) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut handle = self.handle()?;
        let failed = |step| StoreError::database(FILE.name, step);
        handle.connection.execute_batch("BEGIN").map_err(failed("beginning to read"))?;
        let result = work(&mut handle);
        handle.connection.execute_batch("COMMIT").map_err(failed("ending to read"))?;
        self.give_back(handle);
        result
    }

    fn handle(&self) -> Result<Handle, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(handle) => Ok(handle),
            None => {
                let connection = FILE.open_reader(&self.dir)?;
                let failed = |cause| StoreError::Folder { path: self.dir.clone(), cause };
                Ok(Handle { connection, unpacker: Unpacker::new().map_err(failed)? })
            }
        }
    }

    fn give_back(&self, handle: Handle) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(handle);
        }
    }

    fn remember(&self, damage: Damage) {
        let mut known = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&damage) && known.len() < DAMAGE_MAX {
            tracing::error!(
                file = FILE.name,
                table = damage.table,
                block = damage.block,
                finding = damage.finding,
                "damaged block or file skipped"
            );
            known.push(damage);
        }
    }
}
