//! Several series side by side: all that was stored at one time is one row. This is how what a behavior saw is read
//! back, to be answered again.
//!
//! Rows come out of chunks. Each chunk is a part of the time asked for, sized by its points, and one consistent moment
//! of the file: whatever was recorded together is in it together or not at all. Between chunks nothing is held open,
//! so that a long reading does not keep the host's log from being cut.

use std::ops::Range;
use std::sync::Arc;

use geminus_core::{Sample, SeriesId, Timestamp};
use rusqlite::OptionalExtension;

use super::merge::{self, Wanted};
use super::{Damage, Handle, Shared};
use crate::StoreError;
use crate::hot::FILE;
use crate::sealed::manifest::{self, Sealed};
use crate::sealed::{HOUR_NS, hour_of};
use crate::sqlite::{column_from_count, column_from_time};

/// Most series of one reading.
pub(super) const SERIES_MAX: usize = 4096;
/// About so many points of a chunk come from folded blocks, and at most so many from mixed ones.
const CHUNK_POINTS: usize = 1 << 18;
/// Points of a folded block, at most and mostly.
const BLOCK_POINTS: usize = 2048;

/// What was stored at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// When.
    pub time: Timestamp,
    /// One for each series, in the order asked for; `None` where nothing was stored at this time.
    pub values: Vec<Option<Sample>>,
}

/// Rows in order of time. Each step may read the file: blocks.
#[derive(Debug)]
pub struct Rows {
    shared: Arc<Shared>,
    /// In their order, each once.
    series: Vec<SeriesId>,
    /// Where each one asked for stands in `series`.
    places: Vec<usize>,
    /// They were asked for in their order, each once: `places` says nothing new.
    in_order: bool,
    next: Timestamp,
    to: Timestamp,
    points_max: usize,
    /// Samples of each series that were read and not given yet.
    columns: Vec<std::vec::IntoIter<Sample>>,
    failed: bool,
}

impl Rows {
    pub(super) fn new(shared: Arc<Shared>, asked: &[SeriesId], times: Range<Timestamp>) -> Self {
        let mut series = asked.to_vec();
        series.sort_unstable();
        series.dedup();
        let in_order = series == asked;
        let places = asked.iter().filter_map(|one| series.binary_search(one).ok()).collect();
        let columns = series.iter().map(|_| Vec::new().into_iter()).collect();
        let (next, to, points_max) = (times.start, times.end, CHUNK_POINTS);
        Self { shared, series, places, in_order, next, to, points_max, columns, failed: false }
    }

    /// Makes chunks smaller, for tests.
    #[cfg(test)]
    fn chunks_of(mut self, points_max: usize) -> Self {
        self.points_max = points_max;
        self
    }

    /// The next row of the chunk that was read.
    fn row(&mut self) -> Option<Row> {
        let first = |column: &std::vec::IntoIter<Sample>| column.as_slice().first().map(|sample| sample.time);
        let time = self.columns.iter().filter_map(first).min()?;
        let mut values: Vec<Option<Sample>> = self
            .columns
            .iter_mut()
            .map(|column| if first(column) == Some(time) { column.next() } else { None })
            .collect();
        if !self.in_order {
            values = self.places.iter().map(|place| values.get(*place).copied().flatten()).collect();
        }
        Some(Row { time, values })
    }

    /// Reads the next part of the time that has samples; false when there is none left.
    fn read(&mut self) -> Result<bool, StoreError> {
        while self.next < self.to && !self.series.is_empty() {
            let (shared, times) = (Arc::clone(&self.shared), self.next..self.to);
            let mut columns = vec![Vec::new(); self.series.len()];
            let mut damaged = |damage| shared.remember(damage);
            self.next = self.shared.with(|handle| {
                let end = window(handle, &self.series, &times, self.points_max)?;
                let (end, files) = sealed_window(handle, &self.series, times.start..end, self.points_max)?;
                let times = times.start..end;
                let mut mixed = Vec::new();
                let end = gather(handle, &self.series, times, self.points_max, &mut mixed, &mut damaged)?;
                for (series, column) in self.series.iter().zip(&mut columns) {
                    let wanted = Wanted { series: *series, from: self.next, to: end };
                    for file in &files {
                        if let Err(finding) = shared.archive.read(file, *series, self.next..end, column) {
                            damaged(Damage { table: "sealed", block: file.id, finding });
                        }
                    }
                    let sealed = column.len();
                    merge::folded(
                        &handle.connection,
                        &mut handle.unpacker,
                        wanted,
                        &mut damaged,
                        &mut |block| {
                            column.extend_from_slice(block);
                            true
                        },
                    )?;
                    let own = mixed.partition_point(|sample| sample.series < *series);
                    let own = mixed.get(own..).unwrap_or_default();
                    let own =
                        own.get(..own.partition_point(|sample| sample.series == *series)).unwrap_or_default();
                    if !own.is_empty() || sealed > 0 {
                        // Stable, so that sealed samples, and then folded ones, which were stored before, stay first.
                        column.extend_from_slice(own);
                        column.sort_by_key(|sample| sample.time);
                        column.dedup_by(|later, first| later.time == first.time);
                    }
                }
                Ok(end)
            })?;
            self.columns = columns.into_iter().map(Vec::into_iter).collect();
            if self.columns.iter().any(|column| column.len() > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.row() {
                return Some(Ok(row));
            }
            if self.failed {
                return None;
            }
            match self.read() {
                Ok(true) => (),
                Ok(false) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Where a chunk that begins with `times` ends, so that its folded blocks hold about `points_max` points.
fn window(
    handle: &Handle,
    series: &[SeriesId],
    times: &Range<Timestamp>,
    points_max: usize,
) -> Result<Timestamp, StoreError> {
    let failed = StoreError::database(FILE.name, "looking for folded blocks");
    let blocks = (points_max / BLOCK_POINTS / series.len().max(1)).max(1);
    let mut select = handle
        .connection
        .prepare(
            "SELECT t_max FROM folded INDEXED BY folded_by_series WHERE series = ?1 AND t_min < ?3 AND t_max >= ?2
               AND t_min >= coalesce((SELECT max(t_min) FROM folded WHERE series = ?1 AND t_min <= ?2), ?2)
             ORDER BY t_min LIMIT 1 OFFSET ?4",
        )
        .map_err(&failed)?;
    let mut end = times.end;
    let (from, to) = (column_from_time(times.start), column_from_time(times.end));
    for one in series {
        let last: Option<i64> = select
            .query_row((i64::from(one.0), from, to, column_from_count(blocks - 1)), |row| row.get(0))
            .optional()
            .map_err(&failed)?;
        if let Some(last) = last {
            end = end.min(Timestamp(last.cast_unsigned().saturating_add(1)));
        }
    }
    Ok(end)
}

/// Where a chunk ends, so that it reaches into one sealed hour at most, and into that so far that its files give about
/// `points_max` points; and those files.
fn sealed_window(
    handle: &Handle,
    series: &[SeriesId],
    times: Range<Timestamp>,
    points_max: usize,
) -> Result<(Timestamp, Vec<Sealed>), StoreError> {
    let Some(end) = manifest::first_hour_end(&handle.connection, column_from_time(times.start))? else {
        return Ok((times.end, Vec::new()));
    };
    let files = manifest::of_hour(&handle.connection, hour_of(end - 1))?;
    let wanted = |file: &Sealed| -> usize {
        let of = |(known, count): &(SeriesId, usize)| series.binary_search(known).map_or(0, |_| *count);
        file.directory.0.iter().map(of).sum()
    };
    let points = files.iter().map(wanted).sum::<usize>();
    let mut end = times.end.min(Timestamp(end));
    if points > points_max {
        let part = u128::from(HOUR_NS) * points_max as u128 / points as u128;
        end =
            end.min(Timestamp(times.start.0.saturating_add(u64::try_from(part).unwrap_or(u64::MAX).max(1))));
    }
    Ok((end, files))
}

/// Gathers from mixed blocks, in order of series, time and arrival, and returns where the chunk ends: sooner than
/// asked for when there is more than a chunk holds.
fn gather(
    handle: &mut Handle,
    series: &[SeriesId],
    mut times: Range<Timestamp>,
    points_max: usize,
    samples: &mut Vec<Sample>,
    damaged: &mut dyn FnMut(Damage),
) -> Result<Timestamp, StoreError> {
    let failed = StoreError::database(FILE.name, "reading mixed blocks");
    let mut select = handle
        .connection
        .prepare("SELECT id, data FROM mixed WHERE t_max >= ?1 AND t_min < ?2 ORDER BY id")
        .map_err(&failed)?;
    let bounds = (column_from_time(times.start), column_from_time(times.end));
    let mut rows = select.query(bounds).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let id = row.get(0).map_err(&failed)?;
        let data = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        if let Err(finding) = merge::unpack_some(data, &mut handle.unpacker, series, times.clone(), samples) {
            damaged(Damage { table: "mixed", block: id, finding });
        }
        if samples.len() > 2 * points_max.max(series.len()) {
            // One of each (time, series) stays, so a time holds at most as many as there are series.
            samples.sort_by_key(|sample| (sample.time, sample.series));
            samples.dedup_by_key(|sample| (sample.time, sample.series));
            if let Some(beyond) = samples.get(points_max.max(series.len())) {
                times.end = beyond.time;
                samples.truncate(samples.partition_point(|sample| sample.time < times.end));
            }
        }
    }
    samples.sort_by_key(|sample| (sample.series, sample.time));
    samples.dedup_by_key(|sample| (sample.series, sample.time));
    Ok(times.end)
}

#[cfg(test)]
mod tests;
