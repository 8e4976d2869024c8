//! Folding: old mixed blocks become blocks of one series each.
//!
//! A fold takes the oldest mixed blocks, puts their samples in order and places them series by series; when all
//! are placed the mixed blocks are deleted. It runs on the writer's thread in slices of a few milliseconds, so
//! that commits go on meanwhile; its inserts ride in the commits' own transactions. Until the mixed blocks are
//! gone some samples exist twice; every reader de-duplicates by (series, time), so that does not show, and a
//! fold that was cut off by a crash or a full disk is simply begun again.

use std::time::Duration;

use geminus_core::{Clock, Sample};
use rusqlite::{Connection, OptionalExtension};

use super::FILE;
use super::commit::sort;
use super::place::Placer;
use crate::StoreError;
use crate::block::{Block, Unpacker};
use crate::sqlite::column_from_count;

/// Mixed blocks that one slice deletes.
const DELETED_AT_ONCE: i64 = 64;

/// How far a fold is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Mixed blocks after this id are still to be read.
    Read {
        after: i64,
    },
    /// All were read.
    Sort,
    /// Samples from here on are still to be placed.
    Place {
        from: usize,
    },
    /// All are placed.
    Delete,
    Done,
}

/// A fold that is under way.
#[derive(Debug)]
pub(crate) struct Fold {
    stage: Stage,
    last: i64,
    samples: Vec<Sample>,
    keys: Vec<u64>,
    damaged: Vec<(i64, &'static str)>,
    pub(crate) bytes: usize,
    pub(crate) points: usize,
    pub(crate) damaged_blocks: usize,
}

impl Fold {
    /// Picks the oldest mixed blocks that hold at most `points_max` together (and at least one).
    pub(crate) fn begin(connection: &Connection, points_max: usize) -> Result<Option<Self>, StoreError> {
        let failed = StoreError::database(FILE.name, "choosing blocks to fold");
        let mut select = connection.prepare("SELECT id, points FROM mixed ORDER BY id").map_err(&failed)?;
        let rows = select
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .map_err(&failed)?;
        let (mut last, mut total) = (None, 0);
        for row in rows {
            let (id, points) = row.map_err(&failed)?;
            if last.is_some() && total + points > column_from_count(points_max) {
                break;
            }
            (last, total) = (Some(id), total + points);
        }
        Ok(last.map(|last| Self {
            stage: Stage::Read { after: i64::MIN },
            last,
            samples: Vec::with_capacity(usize::try_from(total).unwrap_or(0).min(points_max)),
            keys: Vec::new(),
            damaged: Vec::new(),
            bytes: 0,
            points: 0,
            damaged_blocks: 0,
        }))
    }

    /// Whether the next slice writes, so that it needs a transaction.
    pub(crate) fn writes(&self) -> bool {
        matches!(self.stage, Stage::Place { .. } | Stage::Delete)
    }

    /// Whether the mixed blocks are gone.
    pub(crate) fn done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Works on for about `slice`. After an error the fold must be thrown away: what it wrote was rolled back.
    pub(crate) fn step(
        &mut self,
        connection: &Connection,
        placer: &mut Placer,
        clock: &dyn Clock,
        slice: Duration,
    ) -> Result<(), StoreError> {
        let until = clock.monotonic() + slice;
        match self.stage {
            Stage::Read { after } => self.read(connection, &mut placer.unpacker, after, clock, until),
            Stage::Sort => {
                let mut sorted = Vec::with_capacity(self.samples.len());
                sort(&self.samples, &mut self.keys, &mut sorted);
                self.samples = sorted;
                self.keys = Vec::new();
                self.stage = Stage::Place { from: 0 };
                Ok(())
            }
            Stage::Place { from } => self.place(connection, placer, from, clock, until),
            Stage::Delete => self.delete(connection),
            Stage::Done => Ok(()),
        }
    }

    fn read(
        &mut self,
        connection: &Connection,
        unpacker: &mut Unpacker,
        mut after: i64,
        clock: &dyn Clock,
        until: Duration,
    ) -> Result<(), StoreError> {
        let failed = StoreError::database(FILE.name, "reading blocks to fold");
        let mut select = connection
            .prepare("SELECT id, data FROM mixed WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 1")
            .map_err(&failed)?;
        while clock.monotonic() < until || after == i64::MIN {
            let next = select
                .query_row((after, self.last), |row| {
                    let id: i64 = row.get(0)?;
                    let data = row.get_ref(1)?.as_blob()?;
                    Ok((id, append(data, unpacker, &mut self.samples).err()))
                })
                .optional()
                .map_err(&failed)?;
            let Some((id, flaw)) = next else {
                self.stage = Stage::Sort;
                return Ok(());
            };
            if let Some(flaw) = flaw {
                self.damaged.push((id, flaw));
            }
            after = id;
            self.stage = Stage::Read { after };
        }
        Ok(())
    }

    fn place(
        &mut self,
        connection: &Connection,
        placer: &mut Placer,
        mut from: usize,
        clock: &dyn Clock,
        until: Duration,
    ) -> Result<(), StoreError> {
        let mut statements = placer.statements(connection)?;
        let rest = self.samples.get(from..).unwrap_or_default();
        for run in rest.chunk_by(|a, b| a.series == b.series) {
            let placed = placer.place(&mut statements, run)?;
            self.bytes += placed.bytes;
            self.damaged_blocks += placed.damaged;
            self.points += run.len();
            from += run.len();
            if clock.monotonic() >= until {
                break;
            }
        }
        self.stage = match from >= self.samples.len() {
            true => Stage::Delete,
            false => Stage::Place { from },
        };
        Ok(())
    }

    fn delete(&mut self, connection: &Connection) -> Result<(), StoreError> {
        for (id, flaw) in self.damaged.drain(..) {
            set_aside(connection, "mixed", id, flaw)?;
            self.damaged_blocks += 1;
        }
        let failed = StoreError::database(FILE.name, "deleting folded blocks");
        let gone = connection
            .execute(
                "DELETE FROM mixed WHERE id IN (SELECT id FROM mixed WHERE id <= ?1 ORDER BY id LIMIT ?2)",
                (self.last, DELETED_AT_ONCE),
            )
            .map_err(failed)?;
        if column_from_count(gone) < DELETED_AT_ONCE {
            self.stage = Stage::Done;
        }
        Ok(())
    }
}

fn append(data: &[u8], unpacker: &mut Unpacker, samples: &mut Vec<Sample>) -> Result<(), &'static str> {
    let before = samples.len();
    match Block::open(data)?.read(unpacker, None, |sample| samples.push(sample)) {
        true => Ok(()),
        false => {
            samples.truncate(before);
            Err("of an unknown format")
        }
    }
}

/// Moves a damaged block out of the way of queries and folds, but keeps it for whoever can mend it.
pub(crate) fn set_aside(
    connection: &Connection,
    table: &'static str,
    id: i64,
    flaw: &str,
) -> Result<(), StoreError> {
    tracing::error!(file = FILE.name, table, block = id, finding = flaw, "damaged block set aside");
    let failed = StoreError::database(FILE.name, "setting a damaged block aside");
    let keep = format!(
        "INSERT INTO damaged(origin, origin_id, finding, data) SELECT ?1, id, ?2, data FROM {table} WHERE id = ?3"
    );
    connection.execute(&keep, (table, flaw, id)).map_err(&failed)?;
    connection.execute(&format!("DELETE FROM {table} WHERE id = ?1"), [id]).map_err(&failed)?;
    Ok(())
}
