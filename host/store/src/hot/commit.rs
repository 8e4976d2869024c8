//! One group of samples, put in order and written as mixed blocks.

use geminus_core::Sample;
use rusqlite::Connection;

use super::FILE;
use super::recorder::Parcel;
use crate::StoreError;
use crate::block::{Packer, Packing};
use crate::sqlite::{column_from_count, column_from_time};

/// The buffers in which a group is put in order.
#[derive(Debug, Default)]
pub(crate) struct Group {
    arrived: Vec<Sample>,
    keys: Vec<u64>,
    pub(crate) sorted: Vec<Sample>,
    /// Samples that came twice.
    pub(crate) duplicates: usize,
    /// Samples whose time does not fit the file.
    pub(crate) refused: usize,
}

/// What writing a group came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) blocks: usize,
    pub(crate) bytes: usize,
}

impl Group {
    /// Orders the samples of `parcels` by series, time and arrival, and keeps the first of those that came twice.
    pub(crate) fn fill<'a>(&mut self, parcels: impl Iterator<Item = &'a Parcel>) {
        self.arrived.clear();
        parcels.for_each(|parcel| self.arrived.extend_from_slice(&parcel.samples));
        let before = self.arrived.len();
        self.arrived.retain(|sample| i64::try_from(sample.time.0).is_ok());
        self.refused = before - self.arrived.len();
        sort(&self.arrived, &mut self.keys, &mut self.sorted);
        let before = self.sorted.len();
        self.sorted.dedup_by(|later, first| later.series == first.series && later.time == first.time);
        self.duplicates = before - self.sorted.len();
    }

    /// Inserts the samples as mixed blocks of at most `points_max`.
    pub(crate) fn insert(
        &self,
        connection: &Connection,
        packer: &mut Packer,
        points_max: usize,
    ) -> Result<Written, StoreError> {
        let failed = StoreError::database(FILE.name, "inserting a block");
        let mut written = Written::default();
        if self.sorted.is_empty() {
            return Ok(written);
        }
        let mut insert = connection
            .prepare("INSERT INTO mixed(t_min, t_max, points, data) VALUES (?1, ?2, ?3, ?4)")
            .map_err(&failed)?;
        for samples in self.sorted.chunks(points_max) {
            let data = packer.pack(samples, Packing::Quick);
            let (first, last) = bounds(samples);
            insert.execute((first, last, column_from_count(samples.len()), &data)).map_err(&failed)?;
            written.blocks += 1;
            written.bytes += data.len();
        }
        Ok(written)
    }
}

/// Least and greatest time, as the directory has them.
pub(crate) fn bounds(samples: &[Sample]) -> (i64, i64) {
    let times = || samples.iter().map(|sample| sample.time);
    (times().min().map_or(0, column_from_time), times().max().map_or(0, column_from_time))
}

/// Puts samples in order of series, then time, then arrival. Sorting 8-byte keys and gathering once is several
/// times faster than sorting the samples, and within a series they nearly always come in order.
#[expect(clippy::indexing_slicing, reason = "the low half of each key is an index into `arrived`")]
pub(crate) fn sort(arrived: &[Sample], keys: &mut Vec<u64>, sorted: &mut Vec<Sample>) {
    keys.clear();
    keys.extend((0u64..).zip(arrived).map(|(at, sample)| u64::from(sample.series.0) << 32 | at));
    keys.sort_unstable();
    sorted.clear();
    sorted.extend(keys.iter().map(|key| arrived[(key & 0xffff_ffff) as usize]));
    for run in sorted.chunk_by_mut(|a, b| a.series == b.series) {
        if !run.is_sorted_by_key(|sample| sample.time) {
            run.sort_by_key(|sample| sample.time);
        }
    }
}
