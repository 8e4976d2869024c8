//! `geminus record`: brings records of other systems (work orders, batches, inspections, calibrations) from a file to the
//! running host. The host judges each; a file is sent in parts, and sent again it changes nothing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use geminus_api::view::{RecordsFiledView, Time};
use geminus_api::{RECORDS_MAX, RecordRequest};
use serde_json::{Map, Value, json};

use super::alarm::escaped;
use super::history::time;
use super::rollout::{Answer, By};

#[derive(Debug, Subcommand)]
pub(crate) enum Record {
    /// Brings the rows of a CSV file. Its heading names what each column is: id, kind, title, time (RFC 3339 or milliseconds
    /// since 1970), and where there are such: twin, source, state, until, changed, removed (true or false), link, detail.
    /// Any other column becomes a fact of its name.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; `-` for standard input.
    file: PathBuf,
    /// System that the records come from, where the file has no column `source`: small letters, digits and dashes.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Twin that they are about, where the file has no column `twin`.
    #[arg(long, value_name = "ID")]
    twin: Option<String>,
    /// What they are, where the file has no column `kind`: work-order, batch, inspection, calibration, or another word.
    #[arg(long, value_name = "WORD")]
    kind: Option<String>,
    /// What stands between two columns.
    #[arg(long, default_value = ",", value_name = "CHARACTER")]
    separator: char,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    answer: Answer,
}

/// Columns that are no facts.
const COLUMNS: [&str; 12] = [
    "twin", "source", "id", "kind", "title", "state", "time", "until", "changed", "removed", "link", "detail",
];

pub(crate) fn run(record: Record) -> anyhow::Result<()> {
    let Record::Import(import) = record;
    let file = import.file.clone();
    let rows = match file == Path::new("-") {
        true => rows(std::io::stdin().lock(), &import),
        false => std::fs::File::open(&file).map_err(Into::into).and_then(|open| rows(open, &import)),
    };
    let rows = rows.with_context(|| file.display().to_string())?;
    import.bring(rows, &mut std::io::stdout().lock())
}

impl Import {
    fn bring(self, rows: BTreeMap<String, Vec<RecordRequest>>, out: &mut impl Write) -> anyhow::Result<()> {
        let host = self.answer.door.host()?;
        let mut signed = json!({});
        self.by.sign(&host, &mut signed);
        let mut all = RecordsFiledView::default();
        for (twin, records) in rows {
            for part in records.chunks(RECORDS_MAX) {
                let mut body = signed.clone();
                if let Value::Object(members) = &mut body {
                    members.insert("records".to_owned(), serde_json::to_value(part)?);
                }
                let path = format!("/api/v1/twins/{}/records", escaped(&twin));
                let filed = host.post(&path, &body).with_context(|| {
                    let brought = all.new + all.corrected + all.removed + all.same + all.older;
                    format!("records of {twin}; {brought} were brought before, and are not brought twice")
                })?;
                all = sum(all, filed);
            }
        }
        self.answer.print(out, &all, words)
    }
}

fn sum(all: RecordsFiledView, filed: RecordsFiledView) -> RecordsFiledView {
    RecordsFiledView {
        new: all.new + filed.new,
        corrected: all.corrected + filed.corrected,
        removed: all.removed + filed.removed,
        same: all.same + filed.same,
        older: all.older + filed.older,
        forgotten: all.forgotten + filed.forgotten,
    }
}

fn words(all: &RecordsFiledView) -> String {
    let RecordsFiledView { new, corrected, removed, same, older, forgotten } = all;
    let mut text = format!(
        "{new} new, {corrected} corrected, {removed} taken back, {same} known already, {older} older than what is kept\n"
    );
    if *forgotten > 0 {
        text.push_str(&format!("{forgotten} of the earliest were forgotten to make room\n"));
    }
    text
}

/// The records of a file, by twin, in the order of the file.
fn rows(file: impl Read, import: &Import) -> anyhow::Result<BTreeMap<String, Vec<RecordRequest>>> {
    let separator = u8::try_from(import.separator).context("--separator must be one byte")?;
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).from_reader(file);
    let heading = reader.headers()?.clone();
    let mut names = std::collections::BTreeSet::new();
    for name in &heading {
        ensure!(!name.is_empty(), "the heading has a column without a name");
        ensure!(names.insert(name.to_owned()), "the heading has {name} twice");
    }
    let mut found: BTreeMap<String, Vec<RecordRequest>> = BTreeMap::new();
    for row in reader.records() {
        let row = row?;
        let line = row.position().map_or(0, csv::Position::line);
        let columns: BTreeMap<&str, &str> =
            heading.iter().zip(&row).filter(|(_, text)| !text.is_empty()).collect();
        let (twin, record) = record(&columns, import).with_context(|| format!("line {line}"))?;
        found.entry(twin).or_default().push(record);
    }
    ensure!(!found.is_empty(), "there are no rows below the heading");
    Ok(found)
}

fn record(columns: &BTreeMap<&str, &str>, import: &Import) -> anyhow::Result<(String, RecordRequest)> {
    let text = |name: &str| columns.get(name).map(|text| (*text).to_owned());
    let need = |name: &str, given: Option<&String>| {
        text(name).or_else(|| given.cloned()).with_context(|| format!("there is no {name}"))
    };
    let when = |name: &str| {
        let read =
            text(name).map(|text| time(&text).map_err(|why| anyhow::anyhow!("{name} is {text:?}: {why}")));
        Ok::<_, anyhow::Error>(read.transpose()?.map(Time))
    };
    let removed = match columns.get("removed").map(|text| text.to_ascii_lowercase()).as_deref() {
        None | Some("false" | "no" | "0") => false,
        Some("true" | "yes" | "1") => true,
        Some(other) => bail!("removed is {other:?}: write true or false"),
    };
    let facts: Map<String, Value> = columns
        .iter()
        .filter(|(name, _)| !COLUMNS.contains(name))
        .map(|(name, text)| ((*name).to_owned(), fact(text)))
        .collect();
    let record = RecordRequest {
        source: need("source", import.source.as_ref())?,
        id: need("id", None)?,
        kind: need("kind", import.kind.as_ref())?,
        title: need("title", None)?,
        state: text("state"),
        time: when("time")?.context("there is no time")?,
        until: when("until")?,
        changed: when("changed")?,
        removed,
        link: text("link"),
        detail: text("detail"),
        facts: if facts.is_empty() { Value::Null } else { Value::Object(facts) },
    };
    Ok((need("twin", import.twin.as_ref())?, record))
}

/// A number where it is one that says the same when it is written again, so that `007` stays what it is.
fn fact(text: &str) -> Value {
    let whole = text.parse::<i64>().ok().map(|whole| (whole.to_string(), json!(whole)));
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    let number = number.map(|number| json!(number)).map(|number| (number.to_string(), number));
    let same = |(written, _): &(String, Value)| written == text;
    whole.filter(same).or(number.filter(same)).map_or_else(|| json!(text), |(_, number)| number)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        record: Record,
    }

    fn read(words: &[&str], file: &str) -> anyhow::Result<BTreeMap<String, Vec<RecordRequest>>> {
        let line =
            Line::try_parse_from([&["record", "import", "-"], words].concat()).expect("a command line");
        let Record::Import(import) = line.record;
        rows(file.as_bytes(), &import)
    }

    #[test]
    fn columns_are_read_by_their_names_and_others_are_facts() {
        let file = "twin,id,kind,title,time,until,state,changed,removed,cost,part\n\
                    pump-1,WO-1,work-order,\"Bearing, drive side\",2026-03-01T12:00:00Z,,released,1000,,12.5,007\n\
                    pump-2,WO-2,inspection,Look,1000,2000,,,yes,3,\n";
        let found = read(&["--source", "sap-pm"], file).expect("rows");
        let one = &found["pump-1"][0];
        assert_eq!((one.source.as_str(), one.title.as_str()), ("sap-pm", "Bearing, drive side"));
        assert_eq!((one.until, one.removed, one.state.as_deref()), (None, false, Some("released")));
        assert_eq!(one.changed.map(|time| time.0.millis()), Some(1_000));
        assert_eq!(one.facts, json!({"cost": 12.5, "part": "007"}));
        let two = &found["pump-2"][0];
        assert_eq!((two.removed, two.until.map(|time| time.0.millis())), (true, Some(2_000)));
        assert_eq!(two.facts, json!({"cost": 3}));
        let file = "id;title;time\nB-1;Batch 1;1000\n";
        let words = ["--source", "mes", "--twin", "pump-1", "--kind", "batch", "--separator", ";"];
        assert_eq!(read(&words, file).expect("rows")["pump-1"][0].kind, "batch");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let check = |file: &str, says: &str| {
            let words = ["--source", "mes", "--twin", "pump-1", "--kind", "batch"];
            let refusal = format!("{:#}", read(&words, file).expect_err(says));
            assert!(refusal.contains(says), "{refusal}, not {says}");
        };
        check("id,title,time\nB-1,Batch,1000\nB-2,,1000\n", "line 3: there is no title");
        check("id,title,time\nB-1,Batch,yesterday\n", "line 2: time is \"yesterday\"");
        check("id,title\nB-1,Batch\n", "there is no time");
        check("id,title,time,removed\nB-1,Batch,1,maybe\n", "removed is \"maybe\"");
        check("id,title,time\nB-1,Batch\n", "2 fields");
        check("id,id,time\nB-1,x,1\n", "the heading has id twice");
        check("id,title,time\n", "there are no rows");
        let nobody =
            read(&["--source", "mes", "--kind", "batch"], "id,title,time\nB,b,1\n").expect_err("no twin");
        assert!(format!("{nobody:#}").contains("line 2: there is no twin"), "{nobody:#}");
    }

    #[test]
    fn facts_are_numbers_only_where_nothing_is_lost() {
        for (text, expect) in [
            ("12.5", json!(12.5)),
            ("3", json!(3)),
            ("-4", json!(-4)),
            ("007", json!("007")),
            ("1e3", json!("1e3")),
            ("NaN", json!("NaN")),
            ("12345678901234567890", json!("12345678901234567890")),
            ("B-1", json!("B-1")),
        ] {
            assert_eq!(fact(text), expect, "{text}");
        }
    }

    #[test]
    fn a_row_is_taken_by_the_host_as_it_is_sent() {
        let file = "id,title,time\nB-1,Batch 1,2026-03-01T12:00:00Z\n";
        let found = read(&["--source", "mes", "--twin", "p", "--kind", "batch"], file).expect("rows");
        let sent = serde_json::to_value(&found["p"]).expect("JSON");
        let read: Vec<RecordRequest> = serde_json::from_value(sent).expect("the host reads it");
        assert_eq!(read, found["p"]);
        let record = geminus_core::ContextRecord::from(read[0].clone());
        assert_eq!(record.check(), Ok(()));
    }
}
