//! A table read into memory: times, and the text of the cells that go somewhere.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::time::Duration;

use geminus_core::Timestamp;

use super::map::{ColumnMap, MapError};

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
    /// A row that cannot be read.
    #[error("line {line}: {reason}")]
    Row {
        /// Line of the file, from 1.
        line: u64,
        /// Why.
        reason: String,
    },
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
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// [`RecordingError`] with path or line.
    pub fn open(path: &Path, map: &ColumnMap) -> Result<Self, RecordingError> {
        let failed = |reason: String| RecordingError::File { path: path.to_owned(), reason };
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > FILE_BYTES_MAX {
            return Err(failed(format!("{size} bytes are more than the {FILE_BYTES_MAX} that are played")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&text, map)
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
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
        let header: Vec<String> =
            reader.headers().map_err(row_error)?.iter().map(|name| name.trim().to_owned()).collect();
        let (time_column, columns, outlets) = plan(&header, map)?;
        let mut recording =
            Self { outlets, text: String::new(), rows: Vec::new(), recorded: None, repeated: 0 };
        for record in reader.records() {
            recording.add(&record.map_err(row_error)?, time_column, &columns)?;
        }
        match recording.rows.is_empty() {
            true => Err(RecordingError::Empty("rows")),
            false => Ok(recording),
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

    /// Topics that it goes to.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.outlets.iter().map(|outlet| outlet.topic.as_str())
    }

    /// Time of a row.
    pub(super) fn time(&self, row: usize) -> Timestamp {
        self.rows.get(row).map_or(Timestamp(0), |row| row.time)
    }

    /// The payloads of a row under the time `stamp`. Empty cells are not sent; what is no number is sent as
    /// `null` when it says so (`nan`), as a word otherwise.
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

    fn add(
        &mut self,
        record: &csv::StringRecord,
        time_column: usize,
        columns: &[usize],
    ) -> Result<(), RecordingError> {
        let line = record.position().map_or(0, csv::Position::line);
        let failed = |reason: String| RecordingError::Row { line, reason };
        if self.rows.len() >= ROWS_MAX {
            return Err(failed(format!("more than {ROWS_MAX} rows")));
        }
        let raw = record.get(time_column).unwrap_or_default().trim();
        let mut time = timestamp(raw).ok_or_else(|| failed(format!("`{raw}` is no time")))?;
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
fn timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>()
        && !text.ends_with(['Z', 'z'])
    {
        let time = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
        return u64::try_from(time.as_nanosecond()).ok().map(Timestamp);
    }
    crate::decode::timestamp_of_text(text)
}

fn json_cell(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        Ok(_) => "null".to_owned(),
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
mod tests {
    use super::*;

    const SKAB: &str = "datetime;Temperature;Volume Flow RateRMS;anomaly\n\
        2020-02-08 13:30:47;90.6454;122.664;0.0\n\
        2020-02-08 13:30:47;90.7978;;0.0\n\
        2020-02-08 13:30:47;nan;123;0.0\n\
        2020-02-08 13:30:49;90.1;hot;1.0\n";

    fn payloads(recording: &Recording, row: usize) -> Vec<(String, String)> {
        let time = recording.time(row);
        recording.messages(row, time).map(|message| (message.topic.to_owned(), message.payload)).collect()
    }

    fn pair(topic: &str, payload: &str) -> (String, String) {
        (topic.to_owned(), payload.to_owned())
    }

    #[test]
    fn rows_become_payloads_and_repeated_times_move_on() {
        let recording = Recording::parse(SKAB, &ColumnMap::with_prefix("skab")).expect("recording");
        assert_eq!((recording.len(), recording.repeated()), (4, 2));
        let expect = [
            vec![
                pair("skab/anomaly", r#"{"value":0,"time":1581168647000}"#),
                pair("skab/temperature", r#"{"value":90.6454,"time":1581168647000}"#),
                pair("skab/volume-flow-rate-rms", r#"{"value":122.664,"time":1581168647000}"#),
            ],
            vec![
                pair("skab/anomaly", r#"{"value":0,"time":1581168647001}"#),
                pair("skab/temperature", r#"{"value":90.7978,"time":1581168647001}"#),
            ],
            vec![
                pair("skab/anomaly", r#"{"value":0,"time":1581168647002}"#),
                pair("skab/temperature", r#"{"value":null,"time":1581168647002}"#),
                pair("skab/volume-flow-rate-rms", r#"{"value":123,"time":1581168647002}"#),
            ],
            vec![
                pair("skab/anomaly", r#"{"value":1,"time":1581168649000}"#),
                pair("skab/temperature", r#"{"value":90.1,"time":1581168649000}"#),
                pair("skab/volume-flow-rate-rms", r#"{"value":"hot","time":1581168649000}"#),
            ],
        ];
        for (row, expect) in expect.into_iter().enumerate() {
            assert_eq!(payloads(&recording, row), expect, "row {row}");
        }
    }

    #[test]
    fn columns_of_one_topic_make_one_object() {
        let map = "[columns]\nTemperature = { topic = \"all\", field = \"t\" }\n\
            \"Volume Flow RateRMS\" = { topic = \"all\", field = \"flow\" }\nanomaly = false";
        let recording = Recording::parse(SKAB, &ColumnMap::parse(map).expect("map")).expect("recording");
        assert_eq!(
            payloads(&recording, 0),
            [pair("all", r#"{"t":90.6454,"flow":122.664,"time":1581168647000}"#)]
        );
        assert_eq!(payloads(&recording, 1), [pair("all", r#"{"t":90.7978,"time":1581168647001}"#)]);
    }

    #[test]
    fn commas_and_other_times_are_read_and_a_time_that_goes_back_is_kept() {
        let text = "t,a\n2020-02-08T13:30:47Z,1\n1581168646,2\n1581168646500,3\n";
        let recording = Recording::parse(text, &ColumnMap::default()).expect("recording");
        let times: Vec<u64> = (0..3).map(|row| recording.time(row).millis()).collect();
        assert_eq!(times, [1_581_168_647_000, 1_581_168_646_000, 1_581_168_646_500]);
        assert_eq!(recording.repeated(), 0);
    }

    #[test]
    fn what_cannot_be_played_is_said_by_line_and_name() {
        let cases = [
            ("", "", "no header"),
            ("t,a\n", "", "no rows"),
            ("t\n1\n", "", "no columns"),
            ("t,a\nyesterday,1\n", "", "line 2: `yesterday` is no time"),
            ("t,a\n1,2\n2,3,4\n", "", "line 3"),
            ("t,a\n1,2\n", "[columns]\nb = false", "names `b`, but the recording has only: t, a"),
            ("t,a,b\n1,2,3\n", "[columns]\na = \"x\"\nb = \"x\"", "two columns go to `x`"),
            (
                "t,a,b\n1,2,3\n",
                "[columns]\na = \"x\"\nb = { topic = \"x\", field = \"f\" }",
                "both to a whole column",
            ),
        ];
        for (text, map, expect) in cases {
            let map = ColumnMap::parse(map).expect("map");
            let error = Recording::parse(text, &map).expect_err(expect).to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
