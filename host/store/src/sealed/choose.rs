//! What is to be sealed: which hours are closed and hold something, and which blocks go into which file.
//!
//! A file takes a limited number of points and blocks, because it is made in memory and its blocks are deleted in one
//! transaction that commits wait for. What comes late goes into the file that has its series.

use geminus_core::SeriesId;
use rusqlite::{Connection, OptionalExtension as _};

use super::manifest::{self, Sealed};
use super::order::BlockKey;
use super::{Class, HOUR_NS, hour_of};
use crate::StoreError;
use crate::hot::FILE;

/// Most points of a file, unless one series has more in the blocks of one file.
pub(super) const POINTS_MAX: usize = 1 << 20;
/// Most blocks that one transaction deletes.
const BLOCKS_MAX: usize = 1024;
/// Blocks of one series that is too much for a file, in each of the files that follow each other in time.
const PIECE_BLOCKS: usize = 512;
/// Most closed hours that one look finds; the next look finds the others.
const HOURS_MAX: usize = 1000;
/// Most blocks of an hour that are looked at; those beyond come late.
const LOOK_BLOCKS_MAX: i64 = 1 << 18;
/// Most blocks that are split at once.
const SPLIT_MAX: i64 = 64;

/// How an hour stands in `hot.db`: when this changes something has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    last: i64,
    blocks: i64,
}

/// What becomes one file, or more when it has grown.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) class: Class,
    pub(super) replaces: Option<Sealed>,
    /// In order of series and time, without their checksums.
    pub(super) blocks: Vec<BlockKey>,
    /// See [`Sealed::whole`].
    pub(super) whole: bool,
}

fn failed(error: rusqlite::Error) -> StoreError {
    StoreError::database(FILE.name, "looking for what to seal")(error)
}

/// Hours that end at `before` (nanoseconds) or sooner and have folded blocks, the oldest first.
pub(super) fn closed_hours(connection: &Connection, before: u64) -> Result<Vec<(u64, Mark)>, StoreError> {
    let end = i64::try_from(hour_of(before) * HOUR_NS).unwrap_or(i64::MAX);
    let mut first = connection
        .prepare("SELECT min(t_max) FROM folded WHERE t_max >= ?1 AND t_max < ?2")
        .map_err(failed)?;
    let mut mark = connection
        .prepare("SELECT max(id), count(*) FROM folded WHERE t_max >= ?1 AND t_max < ?2")
        .map_err(failed)?;
    let (mut hours, mut from) = (Vec::new(), 0i64);
    while hours.len() < HOURS_MAX {
        let found: Option<i64> = first.query_row((from, end), |row| row.get(0)).map_err(failed)?;
        let Some(found) = found else { break };
        let hour = hour_of(found.cast_unsigned());
        let (start, next) = bounds(hour);
        let mark = mark
            .query_row((start, next), |row| Ok(Mark { last: row.get(0)?, blocks: row.get(1)? }))
            .map_err(failed)?;
        hours.push((hour, mark));
        from = next;
    }
    Ok(hours)
}

/// First time of an hour, and of the one after it.
pub(super) fn bounds(hour: u64) -> (i64, i64) {
    let of = |hour: u64| i64::try_from(hour.saturating_mul(HOUR_NS)).unwrap_or(i64::MAX);
    (of(hour), of(hour + 1))
}

/// Some of the blocks that have samples on both sides of a time. Those of a host that did not seal, mostly: folding
/// keeps to hours.
pub(super) fn straddlers(connection: &Connection, border: i64) -> Result<Vec<i64>, StoreError> {
    let mut select = connection
        .prepare(
            "SELECT f.id FROM series s JOIN folded f ON f.id =
               (SELECT id FROM folded WHERE series = s.id AND t_min < ?1 ORDER BY t_min DESC LIMIT 1)
             WHERE f.t_max >= ?1 LIMIT ?2",
        )
        .map_err(failed)?;
    let rows = select.query_map((border, SPLIT_MAX), |row| row.get(0)).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// What to make of an hour.
pub(super) fn jobs(connection: &Connection, hour: u64) -> Result<Vec<Job>, StoreError> {
    let known = manifest::of_hour(connection, hour)?;
    let mut blocks = blocks(connection, hour)?;
    blocks.sort_unstable_by_key(|(class, block)| (class.number(), block.series, block.t_min));
    let mut jobs = Vec::new();
    for blocks in blocks.chunk_by(|a, b| a.0 == b.0) {
        let Some((class, _)) = blocks.first() else { continue };
        let files: Vec<&Sealed> = known.iter().filter(|file| file.class == *class && file.whole).collect();
        let blocks: Vec<BlockKey> = blocks.iter().map(|(_, block)| *block).collect();
        jobs.extend(of_class(*class, &files, &blocks));
    }
    Ok(jobs)
}

fn blocks(connection: &Connection, hour: u64) -> Result<Vec<(Class, BlockKey)>, StoreError> {
    let (start, end) = bounds(hour);
    let mut select = connection
        .prepare(
            "SELECT f.id, f.series, f.t_min, f.t_max, f.points, s.class
             FROM folded f INDEXED BY folded_by_age LEFT JOIN series s ON s.id = f.series
             WHERE f.t_max >= ?1 AND f.t_max < ?2 AND f.t_min >= ?1 ORDER BY f.t_max LIMIT ?3",
        )
        .map_err(failed)?;
    let rows = select
        .query_map((start, end, LOOK_BLOCKS_MAX), |row| {
            let class = Class::from_number(row.get::<_, Option<i64>>(5)?.unwrap_or(0));
            let (id, series, t_min) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((class, BlockKey { id, series, t_min, t_max: row.get(3)?, points: row.get(4)?, crc: [0; 4] }))
        })
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

/// The jobs of one class, whose blocks are in order of series and time.
fn of_class(class: Class, files: &[&Sealed], blocks: &[BlockKey]) -> Vec<Job> {
    let mut late: Vec<Vec<BlockKey>> = vec![Vec::new(); files.len()];
    let (mut jobs, mut fresh) = (Vec::new(), Vec::new());
    let close = |fresh: &mut Vec<BlockKey>, jobs: &mut Vec<Job>| {
        if !fresh.is_empty() {
            jobs.push(Job { class, replaces: None, blocks: std::mem::take(fresh), whole: true });
        }
    };
    for run in blocks.chunk_by(|a, b| a.series == b.series) {
        let series = run.first().and_then(|block| u32::try_from(block.series).ok()).unwrap_or(u32::MAX);
        if let Some(late) = home(files, series).and_then(|place| late.get_mut(place)) {
            let room = BLOCKS_MAX.saturating_sub(late.len());
            late.extend(run.iter().take(room));
            continue;
        }
        if !fits(&[run]) {
            let pieces = run.chunks(PIECE_BLOCKS).map(<[BlockKey]>::to_vec);
            jobs.extend(pieces.map(|blocks| Job { class, replaces: None, blocks, whole: false }));
            continue;
        }
        if !fits(&[&fresh, run]) {
            close(&mut fresh, &mut jobs);
        }
        fresh.extend_from_slice(run);
    }
    close(&mut fresh, &mut jobs);
    let late = files.iter().zip(late).filter(|(_, blocks)| !blocks.is_empty());
    jobs.extend(late.map(|(file, blocks)| Job {
        class,
        replaces: Some((*file).clone()),
        blocks,
        whole: true,
    }));
    jobs
}

/// The file that takes what comes late for a series: the one that has it already, else one that reaches over it.
fn home(files: &[&Sealed], series: u32) -> Option<usize> {
    let has = |file: &&Sealed| file.directory.rows(SeriesId(series)).is_some();
    let reaches = |file: &&Sealed| (file.series.0..=file.series.1).contains(&series);
    let within = |file: &&&Sealed| reaches(file);
    let holder = files.iter().position(|file| within(&file) && has(file));
    holder.or_else(|| files.iter().position(reaches))
}

fn fits(parts: &[&[BlockKey]]) -> bool {
    let blocks: usize = parts.iter().map(|part| part.len()).sum();
    let points: i64 = parts.iter().flat_map(|part| part.iter()).map(|block| block.points).sum();
    blocks <= BLOCKS_MAX && usize::try_from(points).is_ok_and(|points| points <= POINTS_MAX)
}

/// Whether a block is still there as it was listed.
pub(super) fn data(
    connection: &Connection,
    block: &BlockKey,
    read: impl FnOnce(&[u8]) -> Result<[u8; 4], &'static str>,
) -> Result<Option<Result<[u8; 4], &'static str>>, StoreError> {
    let mut select = connection
        .prepare("SELECT data FROM folded WHERE id = ?1 AND series = ?2 AND t_min = ?3 AND t_max = ?4 AND points = ?5")
        .map_err(failed)?;
    let key = (block.id, block.series, block.t_min, block.t_max, block.points);
    select.query_row(key, |row| Ok(read(row.get_ref(0)?.as_blob()?))).optional().map_err(failed)
}
