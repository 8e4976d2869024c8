//! The journal as a file that goes elsewhere, as lines of JSON or as CSV, with all that is needed to verify it there:
//! where it starts in the chain, the signed checkpoints that cover it, its entries byte for byte, and its end.

use std::io::{BufRead, Write};
use std::path::Path;

use geminus_core::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::FILE;
use super::chain::Head;
use super::checkpoint::Checkpoint;
use super::key::{bytes_from_hex, hex};
use crate::StoreError;
use crate::sqlite::column_from_time;

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values with a heading.
    Csv,
}

/// A row as it is spelt. What it does not have is missing in JSON and empty in CSV.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// `start`, `checkpoint`, `entry` or `end`, in this order.
    what: String,
    #[serde(default)]
    seq: Option<i64>,
    #[serde(default)]
    time_ns: Option<i64>,
    #[serde(default)]
    hash: Option<String>,
    /// The bytes under the hash: the event as JSON, or a checkpoint's line.
    #[serde(default)]
    text: Option<String>,
}

/// A row as it is meant.
#[derive(Debug)]
pub(super) enum Row {
    Start(Head),
    Checkpoint(String),
    Entry { seq: i64, time: i64, body: String, hash: [u8; 32] },
    End(Head),
}

/// Writes what happened from `from` to before `to` (everything, unless given). Entries between the first and the last of
/// that time are all there, also those that a clock that jumped dated otherwise. A host may run. Gives how many.
///
/// # Errors
/// When the journal cannot be read. A writer that takes no more is the inner error.
pub fn export(
    data: &Path,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    format: Format,
    to_writer: impl Write,
) -> Result<std::io::Result<u64>, StoreError> {
    let connection = FILE.open_reader(data)?;
    let transaction = connection.unchecked_transaction().map_err(failed())?;
    let range = range(&transaction, from, to)?;
    let mut sheet = Sheet::new(format, to_writer);
    match write(&transaction, range, &mut sheet) {
        Ok(entries) => Ok(sheet.flush().map(|()| entries)),
        Err(Failure::Store(error)) => Err(error),
        Err(Failure::Writer(error)) => Ok(Err(error)),
    }
}

enum Failure {
    Store(StoreError),
    Writer(std::io::Error),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Writer(error)
    }
}

fn write<W: Write>(
    connection: &Connection,
    (after, last): (i64, i64),
    to: &mut Sheet<W>,
) -> Result<u64, Failure> {
    let start = head_at(connection, after)?;
    let failed = failed();
    to.row(&marker("start", start))?;
    let mut select = connection.prepare("SELECT line FROM checkpoint ORDER BY number").map_err(&failed)?;
    let mut lines = select.query([]).map_err(&failed)?;
    let mut handed_over = true;
    while let Some(line) = lines.next().map_err(&failed)? {
        let text: String = line.get(0).map_err(&failed)?;
        // A damaged one goes along: whoever verifies shall see it.
        let wanted = Checkpoint::parse(&text).is_none_or(|checkpoint| {
            // The first, and what hands over and takes over, link the keys.
            let links = std::mem::replace(&mut handed_over, checkpoint.next_key.is_some());
            links || checkpoint.next_key.is_some() || (after..=last).contains(&checkpoint.seq.cast_signed())
        });
        if wanted {
            to.row(&Record { what: "checkpoint".to_owned(), text: Some(text), ..Record::default() })?;
        }
    }
    let mut select = connection
        .prepare(
            "SELECT seq, time, body, hash FROM entry NOT INDEXED WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
        )
        .map_err(&failed)?;
    let mut rows = select.query((after, last)).map_err(&failed)?;
    let (mut end, mut entries) = (start, 0);
    while let Some(row) = rows.next().map_err(&failed)? {
        let seq: i64 = row.get(0).map_err(&failed)?;
        let time = row.get(1).map_err(&failed)?;
        let text: String = row.get(2).map_err(&failed)?;
        let hash: [u8; 32] = row.get(3).map_err(&failed)?;
        end = Head { seq, hash };
        entries += 1;
        to.row(&Record {
            what: "entry".to_owned(),
            seq: Some(seq),
            time_ns: Some(time),
            hash: Some(hex(&hash)),
            text: Some(text),
        })?;
    }
    to.row(&marker("end", end))?;
    Ok(entries)
}

fn marker(what: &str, head: Head) -> Record {
    let (seq, hash) = (Some(head.seq), Some(hex(&head.hash)));
    Record { what: what.to_owned(), seq, hash, ..Record::default() }
}

/// Number before the first entry, and of the last.
fn range(
    connection: &Connection,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<(i64, i64), StoreError> {
    let from = from.map_or(i64::MIN, column_from_time);
    let to = to.map_or(i64::MAX, column_from_time);
    let (first, last): (Option<i64>, Option<i64>) = connection
        .query_row(
            "SELECT min(seq), max(seq) FROM entry WHERE time >= ?1 AND (time < ?2 OR ?2 = ?3)",
            (from, to, i64::MAX),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(failed())?;
    Ok(match (first, last) {
        (Some(first), Some(last)) => (first - 1, last),
        _ => (0, 0),
    })
}

fn head_at(connection: &Connection, seq: i64) -> Result<Head, StoreError> {
    let hash = connection
        .query_row("SELECT hash FROM entry WHERE seq = ?1", [seq], |row| row.get(0))
        .optional()
        .map_err(failed())?;
    Ok(Head { seq, hash: hash.unwrap_or(Head::START.hash) })
}

fn failed() -> impl Fn(rusqlite::Error) -> StoreError {
    StoreError::database(FILE.name, "exporting entries")
}

/// Where rows go.
enum Sheet<W: Write> {
    Jsonl(W),
    Csv(Box<csv::Writer<W>>),
}

impl<W: Write> Sheet<W> {
    fn new(format: Format, to: W) -> Self {
        match format {
            Format::Jsonl => Self::Jsonl(to),
            Format::Csv => Self::Csv(Box::new(csv::Writer::from_writer(to))),
        }
    }

    fn row(&mut self, record: &Record) -> std::io::Result<()> {
        match self {
            Self::Jsonl(to) => {
                let mut line = serde_json::to_value(record)?;
                if let Some(fields) = line.as_object_mut() {
                    fields.retain(|_, value| !value.is_null());
                }
                writeln!(to, "{line}")
            }
            Self::Csv(to) => to.serialize(record).map_err(std::io::Error::from),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Jsonl(to) => to.flush(),
            Self::Csv(to) => to.flush(),
        }
    }
}

/// Reads an export row by row.
pub(super) struct Rows<R: BufRead> {
    records: Records<R>,
    line: u64,
}

enum Records<R: BufRead> {
    Jsonl(std::io::Lines<R>),
    Csv(Box<csv::DeserializeRecordsIntoIter<R, Record>>),
}

impl<R: BufRead> Rows<R> {
    /// The first byte tells the formats apart: a JSON object begins with a brace, the heading with a letter.
    pub(super) fn open(mut from: R) -> Result<Self, StoreError> {
        let first = from.fill_buf().map_err(|error| broken(1, error.to_string()))?.first().copied();
        let records = match first {
            Some(b'{') => Records::Jsonl(from.lines()),
            _ => Records::Csv(Box::new(csv::Reader::from_reader(from).into_deserialize())),
        };
        Ok(Self { records, line: 0 })
    }

    /// Where it starts in the chain.
    pub(super) fn start(&mut self) -> Result<Head, StoreError> {
        match self.next()? {
            Some(Row::Start(head)) => Ok(head),
            _ => Err(broken(self.line.max(1), "it does not begin with its start".to_owned())),
        }
    }

    /// The next row; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Row>, StoreError> {
        self.line += 1;
        let line = self.line;
        let record: Option<Result<Record, String>> = match &mut self.records {
            Records::Jsonl(lines) => lines.next().map(|line| {
                let line = line.map_err(|error| error.to_string())?;
                serde_json::from_str(&line).map_err(|error| error.to_string())
            }),
            Records::Csv(records) => records.next().map(|record| record.map_err(|error| error.to_string())),
        };
        match record {
            None => Ok(None),
            Some(record) => {
                let record = record.map_err(|reason| broken(line, reason))?;
                row(record).map(Some).ok_or_else(|| broken(line, "the row lacks a field".to_owned()))
            }
        }
    }

    /// A row that does not stand where it may.
    pub(super) fn misplaced(&self) -> StoreError {
        broken(self.line, "the row is out of place: start, checkpoints, entries, end is the order".to_owned())
    }
}

fn row(record: Record) -> Option<Row> {
    let head = |record: &Record| {
        let hash = bytes_from_hex(record.hash.as_deref()?)?;
        Some(Head { seq: record.seq.filter(|seq| (0..i64::MAX).contains(seq))?, hash })
    };
    match record.what.as_str() {
        "start" => head(&record).map(Row::Start),
        "end" => head(&record).map(Row::End),
        "checkpoint" => record.text.map(Row::Checkpoint),
        "entry" => {
            let hash = bytes_from_hex(record.hash.as_deref()?)?;
            Some(Row::Entry { seq: record.seq?, time: record.time_ns?, body: record.text?, hash })
        }
        _ => None,
    }
}

fn broken(line: u64, reason: String) -> StoreError {
    StoreError::Export { line, reason }
}
