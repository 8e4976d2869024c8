//! One series out of files and two kinds of blocks. Files are drawn as they are needed. Folded blocks are in order and
//! do not overlap; the mixed ones that hold the series are few, so their samples are gathered and sorted, and then merged
//! in. Sealed samples were stored before folded ones and those before mixed ones, so at the same time they win.

use std::iter::Peekable;
use std::ops::Range;

use geminus_core::{Sample, SeriesId, Timestamp};
use rusqlite::Connection;

use super::Damage;
use super::files::Files;
use crate::StoreError;
use crate::block::{Block, Unpacker};
use crate::hot::FILE;
use crate::sealed::archive::Archive;
use crate::sealed::manifest;
use crate::sqlite::column_from_time;

/// What is looked for: `from` ≤ time < `to`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) series: SeriesId,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

pub(crate) fn scan(
    (connection, archive): (&Connection, &Archive),
    unpacker: &mut Unpacker,
    wanted: Wanted,
    each: &mut dyn FnMut(Sample) -> bool,
    damaged: &mut dyn FnMut(Damage),
) -> Result<(), StoreError> {
    if wanted.from >= wanted.to {
        return Ok(());
    }
    let mixed = mixed(connection, unpacker, wanted, damaged)?;
    let files = Files::new(connection, archive, wanted)?;
    let mut around = Around { files, mixed: mixed.into_iter().peekable() };
    let mut goes_on = true;
    folded(connection, unpacker, wanted, damaged, &mut |block| {
        for folded in block {
            while goes_on && let Some(earlier) = around.before(folded.time) {
                goes_on = each(earlier);
            }
            let sealed = around.at(folded.time);
            goes_on = goes_on && each(sealed.unwrap_or(*folded));
            if !goes_on {
                break;
            }
        }
        goes_on
    })?;
    while goes_on && let Some(sample) = around.before(Timestamp(u64::MAX)) {
        goes_on = each(sample);
    }
    around.files.damage.into_iter().for_each(damaged);
    around.files.failed.map_or(Ok(()), Err)
}

/// What stands around folded blocks: sealed samples, which come before them, and mixed ones, which come after.
struct Around<'a> {
    files: Files<'a>,
    mixed: Peekable<std::vec::IntoIter<Sample>>,
}

impl Around<'_> {
    /// The next sample that is earlier than `time`.
    fn before(&mut self, time: Timestamp) -> Option<Sample> {
        let sealed = self.files.time().filter(|sealed| *sealed < time);
        let mixed = self.mixed.peek().map(|sample| sample.time).filter(|mixed| *mixed < time);
        match (sealed, mixed) {
            (Some(sealed), mixed) if mixed.is_none_or(|mixed| sealed <= mixed) => {
                self.mixed.next_if(|sample| sample.time == sealed);
                self.files.next()
            }
            (_, Some(_)) => self.mixed.next(),
            _ => None,
        }
    }

    /// The sealed sample of this time, if there is one. A mixed one of this time is passed over.
    fn at(&mut self, time: Timestamp) -> Option<Sample> {
        self.mixed.next_if(|sample| sample.time == time);
        self.files.time().filter(|sealed| *sealed == time).and_then(|_| self.files.next())
    }
}

/// The series' samples in folded blocks, block by block in order of time, until `each` returns false.
pub(super) fn folded(
    connection: &Connection,
    unpacker: &mut Unpacker,
    wanted: Wanted,
    damaged: &mut dyn FnMut(Damage),
    each: &mut dyn FnMut(&[Sample]) -> bool,
) -> Result<(), StoreError> {
    let failed = StoreError::database(FILE.name, "reading folded blocks");
    let mut select = connection
        .prepare(
            "SELECT id, data FROM folded WHERE series = ?1 AND t_min <= ?3 AND t_max >= ?2 AND t_min >=
               coalesce((SELECT max(t_min) FROM folded WHERE series = ?1 AND t_min <= ?2), ?2) ORDER BY t_min",
        )
        .map_err(&failed)?;
    let (from, to) = (column_from_time(wanted.from), column_from_time(wanted.to));
    let mut rows = select.query((i64::from(wanted.series.0), from, to)).map_err(&failed)?;
    let mut block = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        block.clear();
        let id = row.get(0).map_err(&failed)?;
        let data = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        match unpack(data, unpacker, wanted, &mut block) {
            Err(finding) => damaged(Damage { table: "folded", block: id, finding }),
            Ok(()) if !each(&block) => break,
            Ok(()) => (),
        }
    }
    Ok(())
}

/// The series' samples in mixed blocks, in order of time, the first stored of each time.
fn mixed(
    connection: &Connection,
    unpacker: &mut Unpacker,
    wanted: Wanted,
    damaged: &mut dyn FnMut(Damage),
) -> Result<Vec<Sample>, StoreError> {
    let failed = StoreError::database(FILE.name, "reading mixed blocks");
    let mut select = connection
        .prepare("SELECT id, data FROM mixed WHERE t_max >= ?1 AND t_min <= ?2 ORDER BY id")
        .map_err(&failed)?;
    let bounds = (column_from_time(wanted.from), column_from_time(wanted.to));
    let mut rows = select.query(bounds).map_err(&failed)?;
    let mut samples = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let id = row.get(0).map_err(&failed)?;
        let data = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
        if let Err(finding) = unpack(data, unpacker, wanted, &mut samples) {
            damaged(Damage { table: "mixed", block: id, finding });
        }
    }
    samples.sort_by_key(|sample| sample.time);
    samples.dedup_by(|later, first| later.time == first.time);
    Ok(samples)
}

/// The latest sample of a series: from its last folded block, from the mixed blocks that reach beyond, and from files
/// when those reach as far.
pub(crate) fn newest(
    (connection, archive): (&Connection, &Archive),
    unpacker: &mut Unpacker,
    series: SeriesId,
    damaged: &mut dyn FnMut(Damage),
) -> Result<Option<Sample>, StoreError> {
    let failed = StoreError::database(FILE.name, "reading the newest sample");
    let all = Wanted { series, from: Timestamp(0), to: Timestamp(u64::MAX) };
    let mut newest: Option<Sample> = None;
    // Which mixed block it is from; what is folded was stored before all of them.
    let mut block = i64::MIN;
    let mut samples = Vec::new();
    let folded = "SELECT 'folded', id, t_max, data FROM folded WHERE series = ?1 ORDER BY t_min DESC";
    let mixed = "SELECT 'mixed', id, t_max, data FROM mixed WHERE ?1 = ?1 ORDER BY t_max DESC, id";
    for statement in [folded, mixed] {
        let mut select = connection.prepare(statement).map_err(&failed)?;
        let mut rows = select.query([i64::from(series.0)]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let t_max: i64 = row.get(2).map_err(&failed)?;
            if newest.is_some_and(|sample| t_max < column_from_time(sample.time)) {
                break;
            }
            samples.clear();
            let id: i64 = row.get(1).map_err(&failed)?;
            let here = if statement == folded { i64::MIN } else { id };
            let data = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).map_err(&failed)?;
            if let Err(finding) = unpack(data, unpacker, all, &mut samples) {
                let table = if statement == folded { "folded" } else { "mixed" };
                damaged(Damage { table, block: id, finding });
                continue;
            }
            for sample in &samples {
                // Of two samples of one time the one that was stored first counts, also in blocks that are looked at later.
                let goes_before = |newest: Sample| {
                    sample.time > newest.time || (sample.time == newest.time && here < block)
                };
                if newest.is_none_or(goes_before) {
                    (newest, block) = (Some(*sample), here);
                }
            }
        }
    }
    let since = newest.map_or(0, |sample| column_from_time(sample.time));
    for (t_max, number) in manifest::latest_first(connection, since)? {
        if newest.is_some_and(|sample| t_max < column_from_time(sample.time)) {
            break;
        }
        let Some(file) = manifest::get(connection, number)? else { continue };
        samples.clear();
        if let Err(finding) = archive.read(&file, series, all.from..all.to, &mut samples) {
            damaged(Damage { table: "sealed", block: number, finding });
        }
        // What is sealed was stored first.
        if let Some(last) = samples.last().filter(|last| newest.is_none_or(|newest| last.time >= newest.time))
        {
            newest = Some(*last);
        }
    }
    Ok(newest)
}

fn unpack(
    data: &[u8],
    unpacker: &mut Unpacker,
    wanted: Wanted,
    samples: &mut Vec<Sample>,
) -> Result<(), &'static str> {
    unpack_some(data, unpacker, std::slice::from_ref(&wanted.series), wanted.from..wanted.to, samples)
}

/// The same for some series, which are given in their order.
pub(super) fn unpack_some(
    data: &[u8],
    unpacker: &mut Unpacker,
    series: &[SeriesId],
    times: Range<Timestamp>,
    samples: &mut Vec<Sample>,
) -> Result<(), &'static str> {
    let before = samples.len();
    let read = Block::open(data)?.read(unpacker, Some(series), |sample| {
        if times.contains(&sample.time) {
            samples.push(sample);
        }
    });
    if !read {
        samples.truncate(before);
        return Err("of an unknown format");
    }
    Ok(())
}
