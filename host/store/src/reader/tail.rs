//! The end of many series at once: what a host needs of history that goes on after a kill. Each mixed block is unpacked
//! once for all of them, which is what makes it quick for a fleet.

use geminus_core::{Sample, SeriesId, Timestamp};
use rusqlite::{Connection, Statement};

use super::Damage;
use super::merge::unpack_some;
use crate::StoreError;
use crate::block::Unpacker;
use crate::hot::FILE;
use crate::sealed::archive::Archive;
use crate::sealed::manifest;
use crate::sqlite::column_from_time;

/// The end of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tail {
    /// The last sample before the time asked for; `None` also where `cut`.
    pub before: Option<Sample>,
    /// Samples from that time on, in order of time, one for each time.
    pub since: Vec<Sample>,
    /// There are more of them than asked for: `since` has the latest.
    pub cut: bool,
}

impl Tail {
    /// The latest sample.
    #[must_use]
    pub fn newest(&self) -> Option<Sample> {
        self.since.last().copied().or(self.before)
    }

    /// What was stored before comes before, and wins where times are equal.
    fn add(&mut self, sample: Sample, from: Timestamp, limit: usize) {
        if sample.time >= from {
            self.since.push(sample);
            if self.since.len() > limit.saturating_mul(2) {
                self.trim(limit);
            }
        } else if self.before.is_none_or(|before| sample.time > before.time) {
            self.before = Some(sample);
        }
    }

    /// The same for samples, in order of time, that were stored before those that are there.
    fn add_earlier(&mut self, samples: &[Sample], from: Timestamp) {
        let (before, since) = samples
            .split_at_checked(samples.partition_point(|sample| sample.time < from))
            .unwrap_or_default();
        self.since.splice(0..0, since.iter().copied());
        if let Some(last) =
            before.last().filter(|last| self.before.is_none_or(|known| last.time >= known.time))
        {
            self.before = Some(*last);
        }
    }

    fn trim(&mut self, limit: usize) {
        self.since.sort_by_key(|sample| sample.time);
        self.since.dedup_by(|later, first| later.time == first.time);
        let over = self.since.len().saturating_sub(limit);
        self.since.drain(..over);
        self.cut |= over > 0;
    }
}

/// `wanted` are series in their order, each once, with the time from which on all samples are asked for.
pub(super) fn tails(
    (connection, archive): (&Connection, &Archive),
    unpacker: &mut Unpacker,
    wanted: &[(SeriesId, Timestamp)],
    limit: usize,
    damaged: &mut dyn FnMut(Damage),
) -> Result<Vec<Tail>, StoreError> {
    let mut tails = vec![Tail::default(); wanted.len()];
    let mut select = connection
        .prepare("SELECT id, data FROM folded WHERE series = ?1 ORDER BY t_min DESC")
        .map_err(StoreError::database(FILE.name, "reading folded blocks"))?;
    for ((series, from), tail) in wanted.iter().zip(&mut tails) {
        folded(&mut select, unpacker, (*series, *from), limit, tail, damaged)?;
    }
    let series: Vec<SeriesId> = wanted.iter().map(|(series, _)| *series).collect();
    let failed = StoreError::database(FILE.name, "reading mixed blocks");
    let mut select = connection.prepare("SELECT id, data FROM mixed ORDER BY id").map_err(&failed)?;
    let mut rows = select.query(()).map_err(&failed)?;
    let mut samples = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        samples.clear();
        let data = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        if let Err(finding) =
            unpack_some(data, unpacker, &series, Timestamp(0)..Timestamp(u64::MAX), &mut samples)
        {
            let block = row.get(0).map_err(&failed)?;
            damaged(Damage { table: "mixed", block, finding });
        }
        for sample in &samples {
            let Ok(place) = series.binary_search(&sample.series) else { continue };
            if let (Some((_, from)), Some(tail)) = (wanted.get(place), tails.get_mut(place)) {
                tail.add(*sample, *from, limit);
            }
        }
    }
    sealed((connection, archive), wanted, limit, &mut tails, damaged)?;
    for tail in &mut tails {
        tail.trim(limit);
        tail.before = tail.before.filter(|_| !tail.cut);
    }
    Ok(tails)
}

/// Adds what files have: all that is not older than the time asked for, and the last before it where blocks have none.
fn sealed(
    (connection, archive): (&Connection, &Archive),
    wanted: &[(SeriesId, Timestamp)],
    limit: usize,
    tails: &mut [Tail],
    damaged: &mut dyn FnMut(Damage),
) -> Result<(), StoreError> {
    // Ends sooner for whoever has a sample before its time that no file reaches.
    let lacks = |tail: &Tail| tail.before.is_none() && !tail.cut;
    let mut samples = Vec::new();
    for (t_max, number) in manifest::latest_first(connection, 0)? {
        let reaches = |from: &Timestamp, tail: &Tail| {
            let known = tail.before.map_or(0, |before| column_from_time(before.time));
            lacks(tail) || t_max >= column_from_time(*from) || t_max >= known
        };
        let mut open =
            wanted.iter().zip(tails.iter_mut()).filter(|((_, from), tail)| reaches(from, tail)).peekable();
        if open.peek().is_none() {
            break;
        }
        let Some(file) = manifest::get(connection, number)? else { continue };
        for ((series, from), tail) in open.filter(|((series, _), _)| file.directory.rows(*series).is_some()) {
            samples.clear();
            let all = Timestamp(0)..Timestamp(u64::MAX);
            if let Err(finding) = archive.read(&file, *series, all, &mut samples) {
                damaged(Damage { table: "sealed", block: number, finding });
            }
            tail.add_earlier(&samples, *from);
            tail.trim(limit);
        }
    }
    Ok(())
}

/// Adds what folded blocks have, the latest first, until one reaches before the time asked for.
fn folded(
    select: &mut Statement<'_>,
    unpacker: &mut Unpacker,
    (series, from): (SeriesId, Timestamp),
    limit: usize,
    tail: &mut Tail,
    damaged: &mut dyn FnMut(Damage),
) -> Result<(), StoreError> {
    let failed = StoreError::database(FILE.name, "reading folded blocks");
    let mut rows = select.query([i64::from(series.0)]).map_err(&failed)?;
    let mut block = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        block.clear();
        let data = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        let all = Timestamp(0)..Timestamp(u64::MAX);
        if let Err(finding) = unpack_some(data, unpacker, std::slice::from_ref(&series), all, &mut block) {
            damaged(Damage { table: "folded", block: row.get(0).map_err(&failed)?, finding });
            continue;
        }
        block.iter().for_each(|sample| tail.add(*sample, from, limit));
        if tail.before.is_some() || tail.cut {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
