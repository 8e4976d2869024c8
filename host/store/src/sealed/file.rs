//! The Parquet file of some series of one hour: its columns, how they are packed, and writing it. One row group, pages of
//! some thousand rows, so that one series is read without the others.
//!
//! Values are plain doubles under zstd: measured on recorded data that beats byte-stream-split and dictionaries, because
//! what sensors send is decimal and its doubles share whole bytes, not single ones ([decision 0017]).
//!
//! [decision 0017]: ../../../../docs/decisions/0017-sealed-hours.md

use std::io::Write;
use std::sync::Arc;

use geminus_core::{Quality, Sample};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

/// Places of the columns that the host reads back.
pub(super) const TIME: usize = 2;
pub(super) const VALUE: usize = 3;
pub(super) const QUALITY: usize = 4;
pub(super) const RECEIVED: usize = 5;

/// All qualities, each at the place of its number.
pub(super) const QUALITIES: [Quality; 5] =
    [Quality::Good, Quality::Uncertain, Quality::Bad, Quality::Stale, Quality::Missing];

/// What a file looks like to whoever opens it.
const SCHEMA: &str = "message history {
    required binary twin (STRING);
    required binary point (STRING);
    required int64 time (TIMESTAMP(NANOS,true));
    required double value;
    required binary quality (STRING);
    required int64 received (TIMESTAMP(MILLIS,true));
    optional binary plugin (STRING);
}";
/// Rows of a page: reading one series unpacks whole pages.
const PAGE_ROWS: usize = 8192;
/// Where packing harder costs twice the time for the last few percent.
const ZSTD_LEVEL: i32 = 6;

/// One series of a file: its name, its samples in order of time, and who made their values.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) twin: &'a str,
    pub(super) point: &'a str,
    pub(super) samples: &'a [Sample],
    /// Digest of the plugin that made the value, for each sample; empty where no plugin made any.
    pub(super) makers: Vec<Option<ByteArray>>,
}

/// Writes the runs, which are in order of point and twin, as one file, and gives back what was written to.
pub(super) fn write<W: Write + Send>(out: W, runs: &[Run<'_>]) -> Result<W> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties()?))?;
    let mut group = writer.next_row_group()?;
    texts(&mut group, runs, |run| vec![ByteArray::from(run.twin); run.samples.len()])?;
    texts(&mut group, runs, |run| vec![ByteArray::from(run.point); run.samples.len()])?;
    whole(&mut group, runs, |sample| sample.time.0.cast_signed())?;
    values(&mut group, runs)?;
    // One text for each quality, shared by all rows that have it.
    let names = QUALITIES.map(|quality| ByteArray::from(quality.name()));
    texts(&mut group, runs, |run| {
        let of = |sample: &Sample| names.get(sample.quality as usize).cloned().unwrap_or_default();
        run.samples.iter().map(of).collect()
    })?;
    whole(&mut group, runs, |sample| sample.received.millis().cast_signed())?;
    makers(&mut group, runs)?;
    group.close()?;
    writer.into_inner()
}

fn properties() -> Result<WriterProperties> {
    let of = |name: &str| ColumnPath::from(name);
    let ascending = |place: usize| SortingColumn {
        column_idx: i32::try_from(place).unwrap_or_default(),
        descending: false,
        nulls_first: false,
    };
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("geminus ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_max_row_group_row_count(None)
        .set_sorting_columns(Some([1, 0, TIME].map(ascending).to_vec()));
    for packed in ["time", "received"] {
        builder = builder
            .set_column_dictionary_enabled(of(packed), false)
            .set_column_encoding(of(packed), Encoding::DELTA_BINARY_PACKED);
    }
    builder = builder
        .set_column_dictionary_enabled(of("value"), false)
        .set_column_encoding(of("value"), Encoding::PLAIN);
    Ok(statistics(builder).build())
}

/// Of each page for what others look for, of the whole for the rest.
fn statistics(mut builder: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    for name in ["value", "quality", "received", "plugin"] {
        builder = builder.set_column_statistics_enabled(ColumnPath::from(name), EnabledStatistics::Chunk);
    }
    builder
}

type Group<'a, W> = SerializedRowGroupWriter<'a, W>;

fn texts<W: Write + Send>(
    group: &mut Group<'_, W>,
    runs: &[Run<'_>],
    of: impl Fn(&Run<'_>) -> Vec<ByteArray>,
) -> Result<()> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    for run in runs {
        column.typed::<ByteArrayType>().write_batch(&of(run), None, None)?;
    }
    column.close()
}

fn whole<W: Write + Send>(
    group: &mut Group<'_, W>,
    runs: &[Run<'_>],
    of: impl Fn(&Sample) -> i64,
) -> Result<()> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    let mut numbers = Vec::new();
    for run in runs {
        numbers.clear();
        numbers.extend(run.samples.iter().map(&of));
        column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
    }
    column.close()
}

fn values<W: Write + Send>(group: &mut Group<'_, W>, runs: &[Run<'_>]) -> Result<()> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    let mut numbers = Vec::new();
    for run in runs {
        numbers.clear();
        numbers.extend(run.samples.iter().map(|sample| sample.value));
        column.typed::<DoubleType>().write_batch(&numbers, None, None)?;
    }
    column.close()
}

fn makers<W: Write + Send>(group: &mut Group<'_, W>, runs: &[Run<'_>]) -> Result<()> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    for run in runs {
        let known = |at: usize| run.makers.get(at).is_some_and(Option::is_some);
        let levels: Vec<i16> = (0..run.samples.len()).map(|at| i16::from(known(at))).collect();
        let texts: Vec<ByteArray> = run.makers.iter().flatten().cloned().collect();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)?;
    }
    column.close()
}
