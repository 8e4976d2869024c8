//! Reading sealed files: one series of one, or a whole one. What cannot be read is said in a word and left out; whoever
//! asks names the file. Footers are kept between calls, files are not held open.

use std::collections::VecDeque;
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use geminus_core::{Quality, Sample, SeriesId, Timestamp};
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::RowGroupReader;
use parquet::file::serialized_reader::SerializedRowGroupReader;

use super::checked::Checked;
use super::file::{QUALITIES, QUALITY, RECEIVED, TIME, VALUE};
use super::manifest::Sealed;
use super::place;

/// Footers that are kept: those of some days of a small site, some megabytes of a large one.
const FOOTERS_MAX: usize = 128;

/// The files of a data folder.
#[derive(Debug)]
pub(crate) struct Archive {
    dir: PathBuf,
    footers: Mutex<VecDeque<(i64, Arc<ParquetMetaData>)>>,
}

/// A file that is being read.
struct Open {
    file: Arc<Checked>,
    footer: Arc<ParquetMetaData>,
}

impl Archive {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), footers: Mutex::default() }
    }

    /// Appends the samples of a series with these times, in order of time. `Err` says what is wrong with the file; then
    /// nothing was appended.
    pub(crate) fn read(
        &self,
        sealed: &Sealed,
        series: SeriesId,
        times: Range<Timestamp>,
        samples: &mut Vec<Sample>,
    ) -> std::result::Result<(), &'static str> {
        let Some(rows) = sealed.directory.rows(series) else { return Ok(()) };
        let open = self.open(sealed)?;
        let before = samples.len();
        open.append(&[(series, rows)], &times, samples).map_err(|error| {
            samples.truncate(before);
            finding(&error)
        })
    }

    /// All samples of a file, in its order.
    pub(crate) fn read_all(&self, sealed: &Sealed) -> std::result::Result<Vec<Sample>, &'static str> {
        let open = self.open(sealed)?;
        let (mut start, mut samples) = (0, Vec::with_capacity(sealed.points));
        let mut of = |(series, count): &(SeriesId, usize)| {
            let rows = start..start + count;
            start = rows.end;
            (*series, rows)
        };
        let runs: Vec<(SeriesId, Range<usize>)> = sealed.directory.0.iter().map(&mut of).collect();
        let all = Timestamp(0)..Timestamp(u64::MAX);
        open.append(&runs, &all, &mut samples).map_err(|error| finding(&error))?;
        Ok(samples)
    }

    fn open(&self, sealed: &Sealed) -> std::result::Result<Open, &'static str> {
        let file = self.file(&sealed.file)?;
        let file = Arc::new(Checked::new(file, sealed.bytes, sealed.sums.clone())?);
        let known =
            self.footers().iter().find(|(id, _)| *id == sealed.id).map(|(_, footer)| Arc::clone(footer));
        if let Some(footer) = known {
            return Ok(Open { file, footer });
        }
        let reader = ParquetMetaDataReader::new().with_offset_index_policy(PageIndexPolicy::Required);
        let footer = Arc::new(reader.parse_and_finish(&*file).map_err(|error| finding(&error))?);
        let mut footers = self.footers();
        if footers.len() >= FOOTERS_MAX {
            footers.pop_front();
        }
        footers.push_back((sealed.id, Arc::clone(&footer)));
        drop(footers);
        Ok(Open { file, footer })
    }

    fn footers(&self) -> std::sync::MutexGuard<'_, VecDeque<(i64, Arc<ParquetMetaData>)>> {
        self.footers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that was replaced since the manifest was read is still there on its way out.
    fn file(&self, name: &str) -> std::result::Result<File, &'static str> {
        let places = [place::path(&self.dir, name), place::passing(&self.dir, name)];
        for path in places {
            match File::open(path) {
                Ok(file) => return Ok(file),
                Err(error) if error.kind() == ErrorKind::NotFound => (),
                Err(_) => return Err("unreadable"),
            }
        }
        Err("missing")
    }
}

fn finding(error: &ParquetError) -> &'static str {
    match error {
        ParquetError::General(text) if text.contains("checksum") => "checksum does not match",
        ParquetError::External(_) => "unreadable",
        _ => "of an unknown format",
    }
}

impl Open {
    /// Appends the samples of runs, which follow each other in the file, with these times.
    fn append(
        &self,
        runs: &[(SeriesId, Range<usize>)],
        times: &Range<Timestamp>,
        samples: &mut Vec<Sample>,
    ) -> Result<()> {
        let (Some((_, first)), Some((_, last))) = (runs.first(), runs.last()) else { return Ok(()) };
        let found = self.whole(TIME, first.start..last.end)?;
        // Of one run, whose times are in order, only what is wanted is unpacked further.
        let (mut from, mut to) = (0, found.len());
        if runs.len() == 1 {
            from = found.partition_point(|nanos| nanos.cast_unsigned() < times.start.0);
            to = found.partition_point(|nanos| nanos.cast_unsigned() < times.end.0).max(from);
        }
        if from == to {
            return Ok(());
        }
        let rows = first.start + from..first.start + to;
        let received = self.whole(RECEIVED, rows.clone())?;
        let values = self.values(rows.clone())?;
        let qualities = self.qualities(rows)?;
        let mut series =
            runs.iter().flat_map(|(series, rows)| std::iter::repeat_n(*series, rows.len())).skip(from);
        let columns = found.get(from..to).unwrap_or_default().iter().zip(received).zip(values).zip(qualities);
        for (((nanos, received), value), quality) in columns {
            let Some(series) = series.next() else { break };
            let time = Timestamp(nanos.cast_unsigned());
            let received = Timestamp::from_millis(received.cast_unsigned());
            samples.push(Sample { series, quality, value, time, received });
        }
        Ok(())
    }

    fn column(&self, place: usize) -> Result<ColumnReader> {
        let group = self.footer.row_groups().first().ok_or_else(shape)?;
        let pages = self.footer.offset_index().and_then(|groups| groups.first()).ok_or_else(shape)?;
        if place >= group.num_columns() {
            return Err(shape());
        }
        let properties = Arc::new(ReaderProperties::builder().build());
        let group = SerializedRowGroupReader::new(Arc::clone(&self.file), group, Some(pages), properties)?;
        group.get_column_reader(place)
    }

    fn whole(&self, place: usize, rows: Range<usize>) -> Result<Vec<i64>> {
        let ColumnReader::Int64ColumnReader(mut column) = self.column(place)? else { return Err(shape()) };
        let mut found = Vec::with_capacity(rows.len());
        column.skip_records(rows.start)?;
        column.read_records(rows.len(), None, None, &mut found)?;
        as_many(found, rows.len())
    }

    fn values(&self, rows: Range<usize>) -> Result<Vec<f64>> {
        let ColumnReader::DoubleColumnReader(mut column) = self.column(VALUE)? else { return Err(shape()) };
        let mut found = Vec::with_capacity(rows.len());
        column.skip_records(rows.start)?;
        column.read_records(rows.len(), None, None, &mut found)?;
        as_many(found, rows.len())
    }

    fn qualities(&self, rows: Range<usize>) -> Result<Vec<Quality>> {
        let ColumnReader::ByteArrayColumnReader(mut column) = self.column(QUALITY)? else {
            return Err(shape());
        };
        let mut found: Vec<ByteArray> = Vec::with_capacity(rows.len());
        column.skip_records(rows.start)?;
        column.read_records(rows.len(), None, None, &mut found)?;
        let found = as_many(found, rows.len())?;
        Ok(found.iter().map(|text| quality(text.data())).collect())
    }
}

fn as_many<T>(found: Vec<T>, rows: usize) -> Result<Vec<T>> {
    match found.len() == rows {
        true => Ok(found),
        false => Err(shape()),
    }
}

fn shape() -> ParquetError {
    ParquetError::General("not the columns of history".to_owned())
}

/// A word that nobody knows stands for no good value.
fn quality(name: &[u8]) -> Quality {
    QUALITIES.into_iter().find(|quality| quality.name().as_bytes() == name).unwrap_or(Quality::Bad)
}
