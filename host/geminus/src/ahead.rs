//! Forks at work for whoever asks: the API with a copy of a live twin, the command line with one from the record.
//!
//! Here questions meet a copy of a twin: parameters of scenarios are checked against the schema of its version, rows are
//! made, `fork` computes, the answer gets its names. Nothing here knows where the copy is from; it blocks for as long as the
//! computation takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use geminus_api::view::Time;
use geminus_core::{Frame, Timestamp};
use geminus_fork::{Findings, ForkError, Origin, Run, Work};
use geminus_scenario::{
    Drawn, ForecastAsk, ForecastReport, Held, Outlook, Scenario, Spread, Study, StudyReport,
};
use geminus_twin::plant;
use serde_json::{Map, Value};

/// Most threads of one study, whatever the machine has.
const THREADS_MAX: usize = 8;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unable {
    /// The question does not fit; says what to change.
    Asked(String),
    /// It cannot be answered as things stand.
    Stands(String),
    /// A fault of ours.
    Failed(String),
}

impl std::fmt::Display for Unable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Asked(why) | Self::Stands(why) | Self::Failed(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Unable {}

/// Whose future.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) twin: String,
    pub(crate) behavior: String,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.behavior, self.twin)
    }
}

/// Rows that all runs of a study get.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) frames: Vec<Frame>,
    /// The row before the first.
    pub(crate) start: Timestamp,
    /// What each input held then, in declared order.
    pub(crate) held: Vec<Held>,
}

impl Rows {
    /// Those that come after the last row of a twin when nothing changes.
    pub(crate) fn ahead(origin: &Origin, study: &Study, held: Vec<Held>) -> Result<Self, Unable> {
        let rows = study.rows().map_err(Unable::Asked)?;
        let start = last(origin)?;
        let outlook = Outlook {
            twin: origin.twin(),
            start,
            every: study.every(),
            rows,
            held,
            measurements: study.measurements,
        };
        let frames = outlook.frames(origin.declaration());
        Ok(Self { frames, start, held: outlook.held })
    }
}

/// What the behavior itself foresees.
pub(crate) fn forecast(
    origin: &Origin,
    ask: &ForecastAsk,
    subject: &Subject,
) -> Result<ForecastReport, Unable> {
    let declaration = origin.declaration();
    if !declaration.forecast {
        let label = declaration.label();
        return Err(Unable::Stands(format!(
            "{label} declares no forecast: ask what-if, which steps it ahead"
        )));
    }
    let misfits = ask.misfits(declaration);
    if !misfits.is_empty() {
        return Err(Unable::Asked(misfits.join("; ")));
    }
    let start = last(origin)?;
    let times = ask.times(start);
    let values = ask.values(declaration, start, &times);
    let mut fork = origin.fork(None).map_err(|error| Unable::Failed(error.to_string()))?;
    let seen = fork.forecast(&times, &values).map_err(|error| Unable::Stands(error.to_string()))?;
    let report = ask.report(declaration, start, &times, (&seen.mean, &seen.deviation));
    Ok(ForecastReport {
        twin: subject.twin.clone(),
        behavior: subject.behavior.clone(),
        plugin: declaration.label(),
        digest: origin.digest().to_string(),
        start: Time(start).to_string(),
        ..report
    })
}

/// What would be: the report, and everything that was found for it.
pub(crate) fn study(
    origin: &Origin,
    study: &Study,
    rows: &Rows,
    subject: &Subject,
    is_over: &(dyn Fn() -> bool + Sync),
) -> Result<(StudyReport, Findings), Unable> {
    let declaration = origin.declaration();
    let count = rows.frames.iter().map(|frame| frame.rows() as u64).sum();
    let planned = study.plan(declaration, count);
    let (scenarios, drawn) = planned.map_err(|wrong| Unable::Asked(wrong.join("; ")))?;
    let written = scenarios.into_iter().map(|scenario| (scenario, None));
    let drawn = drawn.into_iter().map(|Drawn { values, scenario }| (scenario, Some(values)));
    let run = |(scenario, values): (Scenario, Option<BTreeMap<String, f64>>)| -> Result<Run, Unable> {
        let parameters = parameters(origin, &scenario)?;
        let (traced, drawn) = (values.is_none(), values.unwrap_or_default());
        Ok(Run { scenario, drawn, parameters, traced })
    };
    let runs: Vec<Run> = written.chain(drawn).map(run).collect::<Result<_, _>>()?;
    let work = Work {
        origin,
        start: rows.start,
        held: &rows.held,
        frames: &rows.frames,
        thresholds: &study.thresholds,
        points: study.points,
        threads: threads(),
        is_over,
    };
    let mut found = work.study(&runs).map_err(|error| match error {
        ForkError::TimeUp => Unable::Asked(error.to_string()),
        error => Unable::Failed(error.to_string()),
    })?;
    let draws = found.runs.split_off(study.scenarios.len().min(found.runs.len()));
    let report = StudyReport {
        twin: subject.twin.clone(),
        behavior: subject.behavior.clone(),
        plugin: declaration.label(),
        digest: origin.digest().to_string(),
        start: Time(rows.start).to_string(),
        rows: count,
        at_s: found.at_s.clone(),
        baseline: found.baseline.clone(),
        scenarios: std::mem::take(&mut found.runs),
        spread: Spread::of(&draws),
        draws,
        fuel: found.fuel,
    };
    Ok((report, found))
}

fn last(origin: &Origin) -> Result<Timestamp, Unable> {
    origin.last().ok_or_else(|| Unable::Stands("it has had no row yet".to_owned()))
}

/// The twin's parameters with those of the scenario, when it has any.
fn parameters(origin: &Origin, scenario: &Scenario) -> Result<Option<Arc<[u8]>>, Unable> {
    if scenario.parameters.is_empty() {
        return Ok(None);
    }
    let own: Map<String, Value> =
        serde_json::from_slice(origin.parameters()).map_err(|error| Unable::Failed(error.to_string()))?;
    let mut given = own;
    given.extend(scenario.parameters.clone());
    let filled = plant::parameters(&origin.declaration().parameters, &given).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Unable::Asked(format!("{}: {}", scenario.name, errors.join("; ")))
    })?;
    Ok(Some(Value::Object(filled).to_string().into_bytes().into()))
}

/// Half of what there is, so that the plant has the other half.
fn threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, THREADS_MAX)
}
