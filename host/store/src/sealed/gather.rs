//! The samples of blocks that are to be sealed, and the files that they make.

use geminus_core::{Sample, SeriesId};
use rusqlite::Connection;

use super::choose::{self, POINTS_MAX};
use super::order::BlockKey;
use crate::StoreError;
use crate::block::{Block, Unpacker};

/// What was read of blocks.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) samples: Vec<Sample>,
    /// The blocks that were read, with their checksums. One that a fold has replaced meanwhile is not among them: its
    /// samples are in another one now, which comes later.
    pub(super) blocks: Vec<BlockKey>,
    pub(super) damaged: Vec<(i64, &'static str)>,
}

/// Reads blocks as they were listed.
pub(super) fn read(
    connection: &Connection,
    unpacker: &mut Unpacker,
    blocks: &[BlockKey],
) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered::default();
    for block in blocks {
        let before = gathered.samples.len();
        let found = choose::data(connection, block, |data| {
            let crc = data.last_chunk::<4>().copied().ok_or("cut short")?;
            let read = Block::open(data)?.read(unpacker, None, |sample| gathered.samples.push(sample));
            if read { Ok(crc) } else { Err("of an unknown format") }
        })?;
        match found {
            None => (),
            Some(Ok(crc)) => gathered.blocks.push(BlockKey { crc, ..*block }),
            Some(Err(finding)) => {
                gathered.samples.truncate(before);
                gathered.damaged.push((block.id, finding));
            }
        }
    }
    Ok(gathered)
}

/// Puts samples in order of series and time and keeps the first of each time: what stands first was stored first.
pub(super) fn merge(samples: &mut Vec<Sample>) {
    samples.sort_by_key(|sample| (sample.series, sample.time));
    samples.dedup_by_key(|sample| (sample.series, sample.time));
}

/// Cuts merged samples into what one file takes each, between series.
pub(super) fn cut(samples: &[Sample]) -> Vec<&[Sample]> {
    let (mut files, mut start, mut end) = (Vec::new(), 0, 0);
    for run in runs(samples) {
        if end > start && end + run.len() - start > POINTS_MAX {
            files.extend(samples.get(start..end));
            start = end;
        }
        end += run.len();
    }
    files.extend(samples.get(start..end).filter(|part| !part.is_empty()));
    files
}

/// The samples of each series.
pub(super) fn runs(samples: &[Sample]) -> impl Iterator<Item = &[Sample]> {
    samples.chunk_by(|a, b| a.series == b.series)
}

/// The series of a run.
pub(super) fn series(run: &[Sample]) -> SeriesId {
    run.first().map_or(SeriesId(0), |sample| sample.series)
}

#[cfg(test)]
mod tests {
    use super::*;
    use geminus_core::{Quality, Timestamp};

    fn sample(series: u32, time: u64, value: f64) -> Sample {
        let time = Timestamp(time);
        Sample { series: SeriesId(series), quality: Quality::Good, value, time, received: time }
    }

    #[test]
    fn the_first_of_each_time_stays() {
        let mut samples = vec![sample(2, 5, 1.0), sample(1, 9, 2.0), sample(1, 3, 3.0), sample(1, 9, 4.0)];
        merge(&mut samples);
        let found: Vec<(u32, u64, f64)> = samples.iter().map(|s| (s.series.0, s.time.0, s.value)).collect();
        assert_eq!(found, [(1, 3, 3.0), (1, 9, 2.0), (2, 5, 1.0)]);
    }

    #[test]
    fn files_are_cut_between_series_and_hold_no_more_than_they_may() {
        let check = |counts: &[usize], expect: &[usize]| {
            let of = |(series, count): (usize, &usize)| vec![sample(series as u32, 1, 0.0); *count];
            let samples: Vec<Sample> = counts.iter().enumerate().flat_map(of).collect();
            let found: Vec<usize> = cut(&samples).iter().map(|file| file.len()).collect();
            assert_eq!(found, expect, "{counts:?}");
        };
        check(&[], &[]);
        check(&[1, 2, 3], &[6]);
        check(&[POINTS_MAX, 1], &[POINTS_MAX, 1]);
        check(&[1, POINTS_MAX], &[1, POINTS_MAX]);
        check(&[POINTS_MAX / 2, POINTS_MAX / 2, 1], &[POINTS_MAX, 1]);
        check(&[POINTS_MAX + 1, 1], &[POINTS_MAX + 1, 1]);
    }
}
