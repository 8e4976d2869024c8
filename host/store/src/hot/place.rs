//! Placing the samples of one series among its folded blocks, which never overlap.
//!
//! New samples become blocks of their own, or join the block that they fall into, or the one before them when
//! that is small. How small is a matter of how many come: joining a block costs writing it anew, so a block is
//! joined only by at least a third of its own number.

use geminus_core::Sample;
use rusqlite::{Connection, OptionalExtension, Statement};

use super::FILE;
use super::commit::bounds;
use super::fold::set_aside;
use crate::StoreError;
use crate::block::{Block, Packer, Packing, Unpacker};
use crate::sealed::hour_of;
use crate::sqlite::{column_from_count, column_from_time};

/// Most points of a folded block: a query decodes a whole one for any part of it.
const POINTS_MAX: usize = 2048;
/// A block is joined by new samples after it when it has at most this many times their number.
const JOIN_RATIO: usize = 3;

/// Reads, merges and writes folded blocks.
#[derive(Debug)]
pub(crate) struct Placer {
    packer: Packer,
    pub(crate) unpacker: Unpacker,
    merged: Vec<Sample>,
    /// Blocks keep to hours, because hours are sealed one by one.
    by_hour: bool,
}

/// What placing came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placed {
    pub(crate) bytes: usize,
    pub(crate) damaged: usize,
}

/// The statements that placing takes, prepared once for a slice.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    before: Statement<'c>,
    after: Statement<'c>,
    data: Statement<'c>,
    insert: Statement<'c>,
    delete: Statement<'c>,
}

/// A folded block's place in the directory.
#[derive(Clone, Copy, Debug)]
struct Neighbour {
    id: i64,
    t_max: i64,
    points: usize,
}

impl Placer {
    pub(crate) fn new(by_hour: bool) -> std::io::Result<Self> {
        Ok(Self { packer: Packer::new()?, unpacker: Unpacker::new()?, merged: Vec::new(), by_hour })
    }

    pub(crate) fn statements<'c>(&self, connection: &'c Connection) -> Result<Statements<'c>, StoreError> {
        let prepare =
            |sql: &str| connection.prepare(sql).map_err(StoreError::database(FILE.name, "preparing to fold"));
        Ok(Statements {
            connection,
            before: prepare(
                "SELECT id, t_max, points FROM folded WHERE series = ?1 AND t_min <= ?2 ORDER BY t_min DESC LIMIT 1",
            )?,
            after: prepare("SELECT min(t_min) FROM folded WHERE series = ?1 AND t_min > ?2")?,
            data: prepare("SELECT data FROM folded WHERE id = ?1")?,
            insert: prepare(
                "INSERT INTO folded(series, t_min, t_max, points, data) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            delete: prepare("DELETE FROM folded WHERE id = ?1")?,
        })
    }

    /// Places samples of one series, which are in order of time and arrival.
    pub(crate) fn place(
        &mut self,
        statements: &mut Statements<'_>,
        mut samples: &[Sample],
    ) -> Result<Placed, StoreError> {
        let mut placed = Placed::default();
        while let Some(first) = samples.first() {
            let (series, time) = (i64::from(first.series.0), column_from_time(first.time));
            let before = statements.before(series, time)?;
            let end = statements.after(series, time)?;
            let count = samples.partition_point(|sample| column_from_time(sample.time) < end);
            let (segment, rest) = samples.split_at_checked(count.max(1)).unwrap_or((samples, &[]));
            self.merged.clear();
            if let Some(block) = before.filter(|block| self.joins(*block, time, segment.len())) {
                placed.damaged += self.take_out(statements, block)?;
            }
            self.merged.extend_from_slice(segment);
            self.merged.sort_by_key(|sample| sample.time);
            self.merged.dedup_by(|later, first| later.time == first.time);
            placed.bytes += self.write(statements, series, self.by_hour)?;
            samples = rest;
        }
        Ok(placed)
    }

    /// Makes blocks of one hour each of a block, if it is still there.
    pub(crate) fn split(&mut self, statements: &mut Statements<'_>, id: i64) -> Result<Placed, StoreError> {
        let mut placed = Placed::default();
        let Some((series, block)) = statements.one(id)? else { return Ok(placed) };
        self.merged.clear();
        placed.damaged = self.take_out(statements, block)?;
        placed.bytes = self.write(statements, series, true)?;
        Ok(placed)
    }

    fn joins(&self, block: Neighbour, time: i64, count: usize) -> bool {
        let reaches = block.t_max >= time;
        let apart = self.by_hour && hour(block.t_max) != hour(time);
        reaches || (!apart && block.points <= JOIN_RATIO * count && block.points + count <= POINTS_MAX)
    }

    /// Takes a block's samples out of the file; a damaged one is set aside and counted.
    fn take_out(&mut self, statements: &mut Statements<'_>, block: Neighbour) -> Result<usize, StoreError> {
        let failed = StoreError::database(FILE.name, "merging a block");
        let (merged, unpacker) = (&mut self.merged, &mut self.unpacker);
        let finding = statements
            .data
            .query_row([block.id], |row| {
                let read = Block::open(row.get_ref(0)?.as_blob()?)
                    .map(|block| block.read(unpacker, None, |sample| merged.push(sample)));
                Ok(match read {
                    Ok(true) => None,
                    Ok(false) => Some("of an unknown format"),
                    Err(flaw) => Some(flaw),
                })
            })
            .map_err(&failed)?;
        match finding {
            None => {
                statements.delete.execute([block.id]).map_err(&failed)?;
                Ok(0)
            }
            Some(flaw) => {
                self.merged.clear();
                set_aside(statements.connection, "folded", block.id, flaw)?;
                Ok(1)
            }
        }
    }

    /// Writes the merged samples as blocks of about equal size, or those of each hour so.
    fn write(
        &mut self,
        statements: &mut Statements<'_>,
        series: i64,
        by_hour: bool,
    ) -> Result<usize, StoreError> {
        let failed = StoreError::database(FILE.name, "inserting a folded block");
        let mut bytes = 0;
        let together = |a: &Sample, b: &Sample| !by_hour || hour_of(a.time.0) == hour_of(b.time.0);
        for stretch in self.merged.chunk_by(together) {
            let blocks = stretch.len().div_ceil(POINTS_MAX).max(1);
            for samples in stretch.chunks(stretch.len().div_ceil(blocks).max(1)) {
                let data = self.packer.pack(samples, Packing::Tight);
                let (first, last) = bounds(samples);
                statements
                    .insert
                    .execute((series, first, last, column_from_count(samples.len()), &data))
                    .map_err(&failed)?;
                bytes += data.len();
            }
        }
        Ok(bytes)
    }
}

impl Statements<'_> {
    /// One block and the series whose it is.
    fn one(&mut self, id: i64) -> Result<Option<(i64, Neighbour)>, StoreError> {
        self.connection
            .query_row("SELECT series, t_max, points FROM folded WHERE id = ?1", [id], |row| {
                let points = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
                Ok((row.get(0)?, Neighbour { id, t_max: row.get(1)?, points }))
            })
            .optional()
            .map_err(StoreError::database(FILE.name, "looking for a block to split"))
    }

    /// The last block that begins at or before `time`.
    fn before(&mut self, series: i64, time: i64) -> Result<Option<Neighbour>, StoreError> {
        self.before
            .query_row((series, time), |row| {
                let points = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
                Ok(Neighbour { id: row.get(0)?, t_max: row.get(1)?, points })
            })
            .optional()
            .map_err(StoreError::database(FILE.name, "looking for a block to join"))
    }

    /// The time at which the first block after `time` begins.
    fn after(&mut self, series: i64, time: i64) -> Result<i64, StoreError> {
        let next: Option<i64> = self
            .after
            .query_row((series, time), |row| row.get(0))
            .map_err(StoreError::database(FILE.name, "looking for the next block"))?;
        Ok(next.unwrap_or(i64::MAX))
    }
}

fn hour(column: i64) -> u64 {
    hour_of(column.cast_unsigned())
}
