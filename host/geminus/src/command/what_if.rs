//! `geminus what-if`: copies of a twin step ahead of it, asked of the running host; or recorded rows are stepped again
//! otherwise than they were, beside a running host or without one. Nothing is commanded either way.

mod show;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use geminus_core::{Outcome, Quality, Timestamp};
use geminus_scenario::{InputChange, ROWS_MAX, Scenario, Study, StudyReport};
use geminus_twin::Site;
use serde_json::Value;

use super::alarm::escaped;
use super::forecast::{assigned, thresholds};
use super::history::time;
use super::rollout::Answer;
use super::span;
use crate::ahead::{self, Rows};
use crate::replay::{Archive, Span, Subject, recorded};

#[derive(Debug, Args)]
pub(crate) struct WhatIf {
    /// Id of the twin.
    twin: String,
    /// The study, TOML or JSON: horizon, scenarios, draws, thresholds. Flags count for more.
    #[arg(long, value_name = "FILE")]
    study: Option<PathBuf>,
    /// How far ahead of the live twin, for example 30m or 2h.
    #[arg(long, value_parser = span::parse)]
    horizon: Option<Duration>,
    /// Time between two rows, for example 1s.
    #[arg(long, value_parser = span::parse)]
    every: Option<Duration>,
    /// Name of the behavior; may be left out where the twin has one only.
    #[arg(long)]
    behavior: Option<String>,
    /// In one more scenario: an input at this value, in the declared unit, throughout.
    #[arg(long = "set", value_name = "INPUT=VALUE", value_parser = assigned)]
    inputs: Vec<(String, f64)>,
    /// In the same scenario: a parameter with another value, as JSON.
    #[arg(long = "parameter", value_name = "NAME=JSON", value_parser = parameter)]
    parameters: Vec<(String, Value)>,
    /// Asks when an output is at this value or more.
    #[arg(long, value_name = "OUTPUT=VALUE", value_parser = assigned)]
    above: Vec<(String, f64)>,
    /// Asks when an output is at this value or less.
    #[arg(long, value_name = "OUTPUT=VALUE", value_parser = assigned)]
    below: Vec<(String, f64)>,
    /// Instead of rows to come the recorded ones from this time on, RFC 3339 or milliseconds since 1970; reads the data
    /// folder of --site, whether or not its host runs.
    #[arg(long, value_parser = time, conflicts_with_all = ["horizon", "every"])]
    from: Option<Timestamp>,
    /// End of the recorded rows, exclusive; default: the last one.
    #[arg(long, value_parser = time, requires = "from")]
    to: Option<Timestamp>,
    /// Fails when an alert would be raised in any scenario.
    #[arg(long)]
    no_alerts: bool,
    #[command(flatten)]
    answer: Answer,
}

/// `name=json`; what is no JSON is text.
fn parameter(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write NAME=JSON")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((name.to_owned(), value))
}

pub(crate) fn run(what_if: &WhatIf) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match obey(what_if, &mut out) {
        // A reader that has seen enough (`| head`) is no failure.
        Err(error) if super::rollout::is_broken_pipe(&error) => Ok(()),
        other => other,
    }
}

fn obey(what_if: &WhatIf, out: &mut impl Write) -> anyhow::Result<()> {
    let study = what_if.study()?;
    let report = match what_if.from {
        Some(from) => what_if.past(&study, from)?,
        None => {
            ensure!(
                study.horizon_s.is_some(),
                "say how far ahead with --horizon, or which recorded rows with --from"
            );
            let path = format!("/api/v1/twins/{}/what-if", escaped(&what_if.twin));
            what_if.answer.door.host()?.post(&path, &study)?
        }
    };
    what_if.answer.print(out, &report, show::text)?;
    let mut all = report.scenarios.iter().chain(&report.draws);
    match all.find(|course| what_if.no_alerts && !course.alerts.is_empty()) {
        Some(course) => bail!("{} would raise alerts", course.name),
        None => Ok(()),
    }
}

impl WhatIf {
    /// The file, with what flags say besides.
    fn study(&self) -> anyhow::Result<Study> {
        let mut study = self.study.as_deref().map(read).transpose()?.unwrap_or_default();
        if let Some(horizon) = self.horizon {
            study.horizon_s = Some(horizon.as_secs_f64());
        }
        if let Some(every) = self.every {
            study.every_s = every.as_secs_f64();
        }
        if let Some(behavior) = &self.behavior {
            study.behavior = Some(behavior.clone());
        }
        study.thresholds.extend(thresholds(&self.above, &self.below));
        if !self.inputs.is_empty() || !self.parameters.is_empty() {
            let change = |(name, value): &(String, f64)| (name.clone(), InputChange::constant(*value));
            study.scenarios.push(Scenario {
                name: "as given".to_owned(),
                inputs: self.inputs.iter().map(change).collect(),
                parameters: self.parameters.iter().cloned().collect(),
                faults: Vec::new(),
            });
        }
        Ok(study)
    }

    /// The study of recorded rows.
    fn past(&self, study: &Study, from: Timestamp) -> anyhow::Result<StudyReport> {
        let path =
            self.answer.door.site.as_deref().context("recorded rows are read from a site: give --site")?;
        let site =
            Site::load(path).map_err(|problems| anyhow::anyhow!("{}", problems.to_string().trim_end()))?;
        let mut archive = Archive::open(&site)?;
        let behavior = self.behavior_of(&site, study, &archive)?;
        let (site, twin) = (site.document.site.name.clone(), self.twin.clone());
        let subject = Subject { site, behavior: behavior.clone(), twin: twin.clone() };
        let span = Span { from, to: self.to.unwrap_or(Timestamp(u64::MAX)) };
        let past = recorded::read(&mut archive, &subject, span, ROWS_MAX)?;
        // Before the first row nothing is known to be held.
        let held = vec![(f64::NAN, Quality::Missing); past.origin.declaration().inputs.len()];
        // The span begins where it was asked to, or with its first row.
        let start = if from.0 == 0 { past.first() } else { from };
        let rows = Rows { frames: past.frames, start, held };
        let subject = ahead::Subject { twin, behavior };
        let (report, found) = ahead::study(&past.origin, study, &rows, &subject, &|| false)?;
        if let Some(why) = &past.ended {
            eprintln!("the rows end before the span does: {why}");
        }
        let differ = past.rows_differ + unlike(&past.outcomes, &found.outcomes);
        ensure!(
            differ == 0,
            "in {differ} rows the baseline is not what was recorded: `geminus replay` says where; nothing can be held against it"
        );
        Ok(report)
    }

    fn behavior_of(&self, site: &Site, study: &Study, archive: &Archive) -> anyhow::Result<String> {
        if let Some(behavior) = &study.behavior {
            return Ok(behavior.clone());
        }
        let mut recorded = Vec::new();
        for section in &site.document.behavior {
            if archive.has_rows(&section.name, &self.twin)? {
                recorded.push(section.name.clone());
            }
        }
        match recorded.as_slice() {
            [only] => Ok(only.clone()),
            [] => bail!("no rows of {} were recorded in {}", self.twin, site.data_folder().display()),
            many => bail!("say which behavior of {} with --behavior: {}", self.twin, many.join(", ")),
        }
    }
}

/// Rows whose outputs are not the same to the last bit.
fn unlike(some: &[Outcome], others: &[Outcome]) -> u64 {
    let rows = some.iter().zip(others).map(|(some, other)| {
        let width = some.outputs.max(1);
        let values = some.values.chunks(width).zip(other.values.chunks(width));
        let quality = some.quality.chunks(width).zip(other.quality.chunks(width));
        let same = |a: &[f64], b: &[f64]| a.iter().map(|a| a.to_bits()).eq(b.iter().map(|b| b.to_bits()));
        values.zip(quality).filter(|((a, b), (q, r))| !same(a, b) || q != r).count() as u64
    });
    rows.sum()
}

fn read(path: &Path) -> anyhow::Result<Study> {
    let at = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(at)?;
    match path.extension().is_some_and(|extension| extension == "json") {
        true => serde_json::from_str(&text).with_context(at),
        false => toml::from_str(&text).with_context(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        what_if: WhatIf,
    }

    fn study(arguments: &[&str]) -> anyhow::Result<Study> {
        Line::try_parse_from([&["x", "rig"], arguments].concat())?.what_if.study()
    }

    #[test]
    fn flags_count_for_more_than_the_file() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("study.toml");
        std::fs::write(&file, "horizon_s = 10\nevery_s = 2\n[[scenarios]]\nname = \"hot\"\n").expect("study");
        let file = file.to_str().expect("path");
        let found =
            study(&["--study", file, "--horizon", "1m", "--set", "load=3", "--parameter", "gain=2.5"]);
        let found = found.expect("study");
        assert_eq!((found.horizon_s, found.every_s, found.scenarios.len()), (Some(60.0), 2.0, 2));
        assert_eq!(found.scenarios[1].inputs["load"], InputChange::constant(3.0));
        assert_eq!(found.scenarios[1].parameters["gain"], 2.5);
        std::fs::write(file, "horizon = 10\n").expect("study");
        let error = format!("{:#}", study(&["--study", file]).expect_err("an unknown key"));
        assert!(error.contains("study.toml") && error.contains("unknown field"), "{error}");
        assert!(study(&["--from", "0", "--horizon", "1m"]).is_err());
    }

    #[test]
    fn a_parameter_is_json_or_text() {
        let check = |text, expect: Value| assert_eq!(parameter(text), Ok(("m".to_owned(), expect)));
        check("m=1.5", 1.5.into());
        check("m=true", true.into());
        check("m=slow", "slow".into());
        assert!(parameter("=1").is_err() && parameter("m").is_err());
    }

    #[test]
    fn rows_are_alike_to_the_last_bit() {
        let outcome = |values: [f64; 4], quality: [Quality; 4]| Outcome {
            outputs: 2,
            values: values.to_vec(),
            quality: quality.to_vec(),
            ..Outcome::default()
        };
        let good = [Quality::Good; 4];
        let check = |values, quality, expect| {
            let one = outcome([1.0, f64::NAN, 0.0, 4.0], good);
            assert_eq!(unlike(&[one], &[outcome(values, quality)]), expect, "{values:?}");
        };
        check([1.0, f64::NAN, 0.0, 4.0], good, 0);
        check([1.0, f64::NAN, -0.0, 4.0], good, 1);
        check([1.0 + f64::EPSILON, f64::NAN, -0.0, 4.0], good, 2);
        check([1.0, f64::NAN, 0.0, 4.0], [Quality::Good, Quality::Bad, Quality::Good, Quality::Good], 1);
    }
}
