//! Recordings as sources of a site: played into the house without a broker, once or for ever.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use geminus_core::{Clock, Event, Severity};
use geminus_ingest::Routes;
use geminus_ingest::csv::{ColumnMap, ColumnTarget, CsvSource, Pace, PlayOptions, Recording, Stamp};
use geminus_ingest::decode::DecodeLimits;
use geminus_ingest::refusal::RefusalCounts;
use geminus_twin::site;
use tokio::task::JoinHandle;

use super::chronicle::Chronicle;
use super::lane::Lanes;

/// A recording that is being played.
pub(crate) struct Replay {
    name: String,
    recording: Recording,
    source: CsvSource,
    pace: Pace,
    repeat: bool,
}

impl Replay {
    /// To play `recording` as the source `name`.
    pub(crate) fn new(
        name: &str,
        csv: &site::Csv,
        recording: Recording,
        routes: Routes,
        clock: &Arc<dyn Clock>,
        limits: DecodeLimits,
    ) -> Self {
        Self {
            name: name.to_owned(),
            recording,
            source: CsvSource::new(Arc::new(routes), Arc::clone(clock), limits),
            pace: if csv.speed == 0.0 { Pace::Unpaced } else { Pace::Speed(csv.speed) },
            repeat: csv.repeat,
        }
    }

    /// What it refused.
    pub(crate) fn refusals(&self) -> Arc<RefusalCounts> {
        self.source.refusals()
    }

    /// Plays on the current tokio runtime until the end, or until the task is aborted.
    pub(crate) fn start(self, lanes: Lanes, chronicle: Chronicle) -> JoinHandle<()> {
        tokio::spawn(async move {
            let (ear, mut moved) = (chronicle.ear(), Duration::ZERO);
            loop {
                let stamp = if moved.is_zero() { Stamp::Keep } else { Stamp::Moved(moved) };
                let options = PlayOptions { pace: self.pace, stamp };
                let Ok(played) = self.source.replay(&self.recording, options, &lanes, &ear, |_| ()).await
                else {
                    return;
                };
                if !self.repeat {
                    let message = format!(
                        "{} was played to its end: {} rows, {} samples, {} refused",
                        self.name, played.rows, played.samples, played.refused
                    );
                    return chronicle.tell(Event::new("replay-done", Severity::Info, message));
                }
                moved += self.recording.round();
            }
        })
    }
}

/// Reads the file of a source; `columns` are those that the site binds. Blocks on the file.
pub(crate) fn read(csv: &site::Csv, path: &Path, columns: &[&str]) -> anyhow::Result<Recording> {
    let text = Recording::text(path)?;
    Recording::parse(&text, &map(&text, csv, columns)).with_context(|| path.display().to_string())
}

/// Bound columns under their own names; every other column goes nowhere.
fn map(text: &str, csv: &site::Csv, columns: &[&str]) -> ColumnMap {
    let header = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    let others = header
        .split(csv.separator)
        .map(|column| column.trim().trim_matches('"'))
        .filter(|column| *column != csv.time_column && !columns.contains(column))
        .map(|column| (column.to_owned(), ColumnTarget::Wanted(false)));
    let bound =
        columns.iter().map(|column| ((*column).to_owned(), ColumnTarget::Topic((*column).to_owned())));
    ColumnMap {
        prefix: String::new(),
        time_column: Some(csv.time_column.clone()),
        delimiter: Some(csv.separator),
        columns: others.chain(bound).collect::<BTreeMap<_, _>>(),
    }
}
