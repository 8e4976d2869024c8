//! The table `sealed` of `hot.db`: which files there are, and which series stand where in each.

use geminus_core::SeriesId;
use rusqlite::{Connection, OptionalExtension, Row};

use super::Class;
use crate::StoreError;
use crate::block::columns::{Bytes, put_signed, put_varint};
use crate::hot::FILE;
use crate::sqlite::{column_from_count, number};

/// One file that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Its number, which no other file ever had.
    pub(crate) id: i64,
    /// Number of its hour since 1970.
    pub(crate) hour: u64,
    pub(crate) class: Class,
    /// Least and greatest number of its series.
    pub(crate) series: (u32, u32),
    /// Least and greatest time of its samples.
    pub(crate) times: (i64, i64),
    pub(crate) points: usize,
    pub(crate) bytes: u64,
    /// Its name below `history`.
    pub(crate) file: String,
    /// Late samples of its series are merged into it. False for a part of a series that fills several files, and for
    /// a damaged file: what comes late for those gets a file of its own.
    pub(crate) whole: bool,
    /// Its series in the order of the file.
    pub(crate) directory: Directory,
    /// Checksums of its sections.
    pub(crate) sums: Vec<u8>,
}

/// Series and how many rows each has, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory(pub(crate) Vec<(SeriesId, usize)>);

impl Directory {
    /// The rows of a series.
    pub(crate) fn rows(&self, series: SeriesId) -> Option<std::ops::Range<usize>> {
        let mut start = 0;
        for (known, count) in &self.0 {
            if *known == series {
                return Some(start..start + count);
            }
            start += count;
        }
        None
    }

    fn to_bytes(&self) -> Vec<u8> {
        let (mut bytes, mut before) = (Vec::with_capacity(4 * self.0.len()), 0);
        for (series, count) in &self.0 {
            put_signed(&mut bytes, i64::from(series.0) - before);
            put_varint(&mut bytes, *count as u64);
            before = i64::from(series.0);
        }
        bytes
    }

    /// Ends at the first thing that cannot be read, which the file's own row then shows.
    fn from_bytes(bytes: &[u8]) -> Self {
        let (mut bytes, mut before, mut list) = (Bytes(bytes), 0i64, Vec::new());
        let mut next = || {
            before = before.wrapping_add(bytes.signed()?);
            Some((SeriesId(u32::try_from(before).ok()?), usize::try_from(bytes.varint()?).ok()?))
        };
        list.extend(std::iter::from_fn(&mut next));
        Self(list)
    }
}

const COLUMNS: &str =
    "id, hour, class, series_min, series_max, t_min, t_max, points, bytes, file, whole, directory, sums";

fn sealed_from_row(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    let count = |place: usize| row.get::<_, i64>(place).map(|count| u64::try_from(count).unwrap_or(0));
    let series = |place: usize| row.get::<_, i64>(place).map(|id| u32::try_from(id).unwrap_or(u32::MAX));
    Ok(Sealed {
        id: row.get(0)?,
        hour: count(1)?,
        class: Class::from_number(row.get(2)?),
        series: (series(3)?, series(4)?),
        times: (row.get(5)?, row.get(6)?),
        points: usize::try_from(count(7)?).unwrap_or(usize::MAX),
        bytes: count(8)?,
        file: row.get(9)?,
        whole: row.get::<_, i64>(10)? != 0,
        directory: Directory::from_bytes(row.get_ref(11)?.as_blob()?),
        sums: row.get_ref(12)?.as_blob()?.to_vec(),
    })
}

fn failed(step: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    StoreError::database(FILE.name, step)
}

/// One file by its number.
pub(crate) fn get(connection: &Connection, id: i64) -> Result<Option<Sealed>, StoreError> {
    let statement = format!("SELECT {COLUMNS} FROM sealed WHERE id = ?1");
    let mut select = connection.prepare(&statement).map_err(failed("reading what is sealed"))?;
    select.query_row([id], sealed_from_row).optional().map_err(failed("reading what is sealed"))
}

/// All files of an hour, in order of their numbers.
pub(crate) fn of_hour(connection: &Connection, hour: u64) -> Result<Vec<Sealed>, StoreError> {
    let statement = format!("SELECT {COLUMNS} FROM sealed WHERE hour = ?1 ORDER BY id");
    let mut select = connection.prepare(&statement).map_err(failed("reading what is sealed"))?;
    let rows =
        select.query_map([hour.cast_signed()], sealed_from_row).map_err(failed("reading what is sealed"))?;
    rows.collect::<Result<_, _>>().map_err(failed("reading what is sealed"))
}

/// Hour and number of the files that may hold samples of a series between two times, in that order.
pub(crate) fn candidates(
    connection: &Connection,
    series: SeriesId,
    from: i64,
    to: i64,
) -> Result<Vec<(u64, i64)>, StoreError> {
    let step = "looking for sealed files";
    let mut select = connection
        .prepare(
            "SELECT t_min, id FROM sealed INDEXED BY sealed_by_age
             WHERE t_max >= ?1 AND t_min < ?2 AND series_min <= ?3 AND series_max >= ?3",
        )
        .map_err(failed(step))?;
    let rows = select
        .query_map((from, to, i64::from(series.0)), |row| {
            let first: i64 = row.get(0)?;
            Ok((super::hour_of(first.cast_unsigned()), row.get(1)?))
        })
        .map_err(failed(step))?;
    let mut found = rows.collect::<Result<Vec<_>, _>>().map_err(failed(step))?;
    found.sort_unstable();
    Ok(found)
}

/// Numbers of the files that end at `from` or later, the latest end first.
pub(crate) fn latest_first(connection: &Connection, from: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    let step = "looking for sealed files";
    let mut select = connection
        .prepare("SELECT t_max, id FROM sealed WHERE t_max >= ?1 ORDER BY t_max DESC, id")
        .map_err(failed(step))?;
    let rows = select.query_map([from], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed(step))?;
    rows.collect::<Result<_, _>>().map_err(failed(step))
}

/// Where the first hour ends that has a sealed file with a sample at `from` or later.
pub(crate) fn first_hour_end(connection: &Connection, from: i64) -> Result<Option<u64>, StoreError> {
    let step = "looking for sealed files";
    let mut select =
        connection.prepare("SELECT min(t_max) FROM sealed WHERE t_max >= ?1").map_err(failed(step))?;
    let first: Option<i64> = select.query_row([from], |row| row.get(0)).map_err(failed(step))?;
    Ok(first.map(|end| (super::hour_of(end.cast_unsigned()) + 1).saturating_mul(super::HOUR_NS)))
}

/// Names of all files, for telling which files nobody knows.
pub(crate) fn names(connection: &Connection) -> Result<std::collections::HashSet<String>, StoreError> {
    let step = "listing sealed files";
    let mut select = connection.prepare("SELECT file FROM sealed").map_err(failed(step))?;
    let rows = select.query_map([], |row| row.get(0)).map_err(failed(step))?;
    rows.collect::<Result<_, _>>().map_err(failed(step))
}

/// The number that the next file gets.
pub(crate) fn next_number(connection: &Connection) -> Result<i64, StoreError> {
    let last = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'sealed'), 0)";
    Ok(number(connection, last).map_err(failed("numbering a sealed file"))? + 1)
}

/// Adds a file. Called inside the transaction that deletes what it holds.
pub(crate) fn insert(connection: &Connection, sealed: &Sealed) -> rusqlite::Result<()> {
    let statement =
        format!("INSERT INTO sealed({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)");
    connection.prepare(&statement)?.execute((
        sealed.id,
        sealed.hour.cast_signed(),
        sealed.class.number(),
        i64::from(sealed.series.0),
        i64::from(sealed.series.1),
        sealed.times.0,
        sealed.times.1,
        column_from_count(sealed.points),
        sealed.bytes.cast_signed(),
        &sealed.file,
        i64::from(sealed.whole),
        sealed.directory.to_bytes(),
        &sealed.sums,
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_directory_is_read_as_it_was_written(list in prop::collection::vec((any::<u32>(), 1usize..1 << 40), 0..50)) {
            let directory = Directory(list.into_iter().map(|(series, count)| (SeriesId(series), count)).collect());
            prop_assert_eq!(Directory::from_bytes(&directory.to_bytes()), directory);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let directory = Directory::from_bytes(&bytes);
            prop_assert!(directory.0.len() <= bytes.len());
        }
    }

    #[test]
    fn rows_follow_each_other() {
        let directory = Directory(vec![(SeriesId(9), 3), (SeriesId(2), 4)]);
        assert_eq!(directory.rows(SeriesId(9)), Some(0..3));
        assert_eq!(directory.rows(SeriesId(2)), Some(3..7));
        assert_eq!(directory.rows(SeriesId(3)), None);
    }
}
