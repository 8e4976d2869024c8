//! A table read into memory: times, and the text of the cells that go somewhere.
//!
//! A row that cannot be read is left out and told with its line ([`RefusedRows`]): one slip of a recorder must not keep the
//! rest from being played. Only what makes every row useless, such as a header without the time, is an error.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::time::Duration;

use geminus_core::Timestamp;

use super::map::{ColumnMap, MapError};
use super::refused::{Lines, RefusedRows};
use crate::refusal::{Reason, excerpt};

/// Rows of a recording at most.
pub(super) const ROWS_MAX: usize = 50_000_000;
/// Bytes of a recording at most: it is held in memory.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 30;

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file.
    #[error("{path}: {reason}")]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The map does not fit.
    #[error(transparent)]
    Map(#[from] MapError),
    /// Where reading ended.
    #[error("line {line}: {reason}")]
    Row {
        /// Line of the file, from 1.
        line: u64,
        /// Why.
        reason: String,
    },
    /// There are rows, and none of them can be read.
    #[error("no row can be read: {0}")]
    Refused(RefusedRows),
    /// No header, no rows, no columns.
    #[error("the recording has no {0}")]
    Empty(&'static str),
}

/// One payload of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where it goes.
    pub topic: &'a str,
    /// JSON.
    pub payload: String,
}

#[derive(Debug)]
struct Row {
    time: Timestamp,
    /// End of each wanted cell in `Recording::text`.
    ends: Vec<usize>,
}

/// What goes to one topic: the wanted cells, and the name of each in the object.
#[derive(Debug)]
struct Outlet {
    topic: String,
    cells: Vec<(usize, Option<String>)>,
}

/// See the module text.
#[derive(Debug)]
pub struct Recording {
    outlets: Vec<Outlet>,
    text: String,
    rows: Vec<Row>,
    /// Time of the last row as the file has it.
    recorded: Option<Timestamp>,
    repeated: usize,
    refused: RefusedRows,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// [`RecordingError`] with path or line.
    pub fn open(path: &Path, map: &ColumnMap) -> Result<Self, RecordingError> {
        Self::parse(&Self::text(path)?, map)
    }

    /// The text of a file.
    ///
    /// # Errors
    /// [`RecordingError::File`] when it cannot be read or is too large to be held.
    pub fn text(path: &Path) -> Result<String, RecordingError> {
        let failed = |reason: String| RecordingError::File { path: path.to_owned(), reason };
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(failed(format!("{size} bytes are more than the {FILE_BYTES_MAX} that are played")));
        }
        let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        // Not every recorder writes UTF-8. A letter that is none of it harms only the name or cell that it stands in.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads a table.
    ///
    /// # Errors
    /// [`RecordingError`] with the line.
    pub fn parse(text: &str, map: &ColumnMap) -> Result<Self, RecordingError> {
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().next().ok_or(RecordingError::Empty("header"))?;
        let delimiter = map.delimiter.unwrap_or_else(|| customary(first));
        let delimiter = u8::try_from(delimiter)
            .map_err(|_| MapError::Malformed(format!("delimiter `{delimiter}` is not ASCII")))?;
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
        let header: Vec<String> =
            reader.headers().map_err(row_error)?.iter().map(|name| name.trim().to_owned()).collect();
        let (time_column, columns, outlets) = plan(&header, map)?;
        let mut recording = Self {
            outlets,
            text: String::new(),
            rows: Vec::new(),
            recorded: None,
            repeated: 0,
            refused: RefusedRows::default(),
        };
        let mut lines = Lines::new(text);
        for record in reader.records() {
            let record = record.map_err(row_error)?;
            let Err((reason, why)) = recording.add(&record, header.len(), time_column, &columns) else {
                continue;
            };
            let (line, raw) = lines.at(record.position().map_or(0, csv::Position::byte));
            if reason == Reason::TooLarge {
                return Err(RecordingError::Row { line, reason: why });
            }
            recording.refused.add(line, reason, why, excerpt(raw.as_bytes()));
        }
        match (recording.rows.is_empty(), recording.refused.count()) {
            (true, 0) => Err(RecordingError::Empty("rows")),
            (true, _) => Err(RecordingError::Refused(recording.refused)),
            (false, _) => Ok(recording),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Never true: a recording without rows is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// From the first row to where the next round would begin: one mean interval after the last row.
    #[must_use]
    pub fn round(&self) -> std::time::Duration {
        let rows = self.len();
        let span = self.time(rows.saturating_sub(1)).since(self.time(0));
        let interval = span / u32::try_from(rows.saturating_sub(1)).unwrap_or(u32::MAX).max(1);
        span + interval.max(std::time::Duration::from_millis(1))
    }

    /// Rows that repeated the time of the row before and were moved on by a millisecond.
    #[must_use]
    pub fn repeated(&self) -> usize {
        self.repeated
    }

    /// Rows that cannot be read and are not played.
    #[must_use]
    pub fn refused(&self) -> &RefusedRows {
        &self.refused
    }

    /// Earliest and latest time of its rows.
    #[must_use]
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let times = || self.rows.iter().map(|row| row.time);
        (times().min().unwrap_or_default(), times().max().unwrap_or_default())
    }

    /// How many of its rows are not later than `time`.
    #[must_use]
    pub fn rows_until(&self, time: Timestamp) -> usize {
        self.rows.iter().filter(|row| row.time <= time).count()
    }

    /// Topics that it goes to.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.outlets.iter().map(|outlet| outlet.topic.as_str())
    }

    /// Time of a row.
    pub(super) fn time(&self, row: usize) -> Timestamp {
        self.rows.get(row).map_or(Timestamp(0), |row| row.time)
    }

    /// The payloads of a row under the time `stamp`. Empty cells are not sent; what is no number is sent as
    /// `null` when it says so (`nan`), as a number beyond all when it is infinite, as a word otherwise.
    pub fn messages(&self, row: usize, stamp: Timestamp) -> impl Iterator<Item = Message<'_>> {
        self.outlets.iter().filter_map(move |outlet| {
            let mut payload = String::from("{");
            for (cell, field) in &outlet.cells {
                let text = self.cell(row, *cell);
                if !text.is_empty() {
                    let name = serde_json::Value::from(field.as_deref().unwrap_or("value"));
                    payload.push_str(&format!("{name}:{},", json_cell(text)));
                }
            }
            if payload.len() == 1 {
                return None;
            }
            payload.push_str(&format!("\"time\":{}}}", time_number(stamp)));
            Some(Message { topic: &outlet.topic, payload })
        })
    }

    /// Adds a row, or says why it is none; [`Reason::TooLarge`] when there are too many.
    fn add(
        &mut self,
        record: &csv::StringRecord,
        wanted: usize,
        time_column: usize,
        columns: &[usize],
    ) -> Result<(), (Reason, String)> {
        if self.rows.len() >= ROWS_MAX {
            return Err((Reason::TooLarge, format!("more than {ROWS_MAX} rows")));
        }
        if record.len() != wanted {
            let open = record.iter().any(|cell| cell.contains('\n'));
            let hint = if open { " (is a quote left open?)" } else { "" };
            let why = format!("has {} columns and the header {wanted}{hint}", record.len());
            return Err((Reason::Malformed, why));
        }
        let raw = record.get(time_column).unwrap_or_default().trim();
        let mut time = timestamp(raw).map_err(|reason| {
            let why = if reason == Reason::FutureTime { "too late a time" } else { "no time" };
            (reason, format!("`{}` is {why}", excerpt(raw.as_bytes())))
        })?;
        let repeats = self.recorded.replace(time) == Some(time);
        if let Some(before) = self.rows.last().filter(|_| repeats) {
            time = before.time.plus(Duration::from_millis(1));
            self.repeated += 1;
        }
        let ends = columns.iter().map(|column| {
            self.text.push_str(record.get(*column).unwrap_or_default().trim());
            self.text.len()
        });
        let ends = ends.collect();
        self.rows.push(Row { time, ends });
        Ok(())
    }

    fn cell(&self, row: usize, cell: usize) -> &str {
        let Some(found) = self.rows.get(row) else { return "" };
        let end_of_row_before = row.checked_sub(1).and_then(|row| self.rows.get(row)?.ends.last());
        let start = match cell.checked_sub(1) {
            Some(before) => found.ends.get(before),
            None => end_of_row_before,
        };
        let end = found.ends.get(cell).copied().unwrap_or(0);
        self.text.get(start.copied().unwrap_or(0)..end).unwrap_or_default()
    }
}

fn row_error(error: csv::Error) -> RecordingError {
    let line = error.position().map_or(0, csv::Position::line);
    RecordingError::Row { line, reason: error.to_string() }
}

fn customary(header: &str) -> char {
    [';', '\t', ','].into_iter().max_by_key(|mark| header.matches(*mark).count()).unwrap_or(',')
}

/// The time column, the wanted columns, and where their cells go.
fn plan(header: &[String], map: &ColumnMap) -> Result<(usize, Vec<usize>, Vec<Outlet>), RecordingError> {
    let place = |column: &String| {
        header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| MapError::UnknownColumn { column: column.clone(), known: header.join(", ") })
    };
    map.columns.keys().try_for_each(|column| place(column).map(|_| ()))?;
    let time_column = map.time_column.as_ref().map_or(Ok(0), place)?;
    let (mut columns, mut outlets) = (Vec::new(), BTreeMap::<String, Vec<(usize, Option<String>)>>::new());
    for (column, name) in header.iter().enumerate().filter(|(column, _)| *column != time_column) {
        let Some((topic, field)) = map.target(name) else { continue };
        let cell = (columns.len(), field);
        columns.push(column);
        match outlets.entry(topic) {
            Entry::Vacant(free) => drop(free.insert(vec![cell])),
            Entry::Occupied(mut taken) => {
                fits(taken.key(), taken.get(), &cell.1)?;
                taken.get_mut().push(cell);
            }
        }
    }
    if columns.is_empty() {
        return Err(RecordingError::Empty("columns beside the time"));
    }
    let outlets = outlets.into_iter().map(|(topic, cells)| Outlet { topic, cells }).collect();
    Ok((time_column, columns, outlets))
}

fn fits(topic: &str, cells: &[(usize, Option<String>)], field: &Option<String>) -> Result<(), MapError> {
    if cells.iter().any(|(_, taken)| taken == field) {
        return Err(MapError::Twice(topic.to_owned()));
    }
    match field.is_none() || cells.iter().any(|(_, taken)| taken.is_none()) {
        true => Err(MapError::Mixed(topic.to_owned())),
        false => Ok(()),
    }
}

/// RFC 3339, `2020-02-08 13:30:47` (taken as UTC), or a number since the epoch, its unit told by its size.
fn timestamp(text: &str) -> Result<Timestamp, Reason> {
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>()
        && !text.ends_with(['Z', 'z'])
    {
        let beyond = if civil.year() < 1970 { Reason::BadTime } else { Reason::FutureTime };
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| beyond)?;
        return u64::try_from(zoned.timestamp().as_nanosecond()).map(Timestamp).map_err(|_| beyond);
    }
    crate::decode::timestamp_of_text(text)
}

fn json_cell(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        Ok(number) if number.is_nan() => "null".to_owned(),
        // JSON has no word for it; a source that measured it is to be heard, not taken for one that has no value.
        Ok(number) if number > 0.0 => "1e999".to_owned(),
        Ok(_) => "-1e999".to_owned(),
        Err(_) if matches!(text, "true" | "false") => text.to_owned(),
        Err(_) => serde_json::Value::from(text).to_string(),
    }
}

fn time_number(time: Timestamp) -> u64 {
    match time.0.is_multiple_of(1_000_000) {
        true => time.millis(),
        false => time.0,
    }
}

#[cfg(test)]
mod tests;
