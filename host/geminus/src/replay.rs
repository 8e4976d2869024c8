//! Runs recorded rows again and holds what comes out against what was recorded.
//!
//! History has, for each behavior of each twin, the rows, who answered them and what was said; `control.db` the
//! parameters of whoever answered and the state at borders; the vault the components. From these every outcome can
//! be made again, bit for bit, on any machine: that is the proof. Another version can be run over the same rows beside
//! it, judged as a rollout would judge it: that is the backtest. Reads only, also beside a running host; blocks on the
//! disk and on the behavior.

mod archive;
mod course;
mod deck;
mod part;
mod proof;
pub(crate) mod recorded;
mod report;
mod signals;
mod spoken;
mod tape;
mod trial;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use geminus_behavior::ColdStart;
use geminus_core::Timestamp;
use geminus_registry::Package;
use geminus_rollout::Acceptance;

pub(crate) use archive::Archive;
pub(crate) use report::{Report, times};

use course::{Course, Scene};
use proof::Proof;
use report::Moment;
use trial::Trial;

/// Whose rows: one behavior of one twin of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Name of the site, which seeds depend on.
    pub(crate) site: String,
    pub(crate) behavior: String,
    pub(crate) twin: String,
}

/// Which rows: `from` ≤ time < `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// Another version that is run over the same rows.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) package: Package,
    /// For its schema.
    pub(crate) parameters: std::sync::Arc<[u8]>,
    pub(crate) cold: ColdStart,
    pub(crate) acceptance: Acceptance,
}

/// Runs the rows of `span` again.
///
/// # Errors
/// When history or components cannot be read, or the other version cannot be started. What differs is no error: it
/// stands in the report.
pub(crate) fn run(
    archive: &mut Archive,
    subject: &Subject,
    span: Span,
    other: Option<&Other>,
) -> anyhow::Result<Report> {
    let mut report = Report::new(subject, span);
    let mut course = Course::begin(archive, subject, span)?;
    let mut proof = Proof::default();
    let mut trial: Option<Trial> = None;
    while let Some(scene) = course.next(archive)? {
        match scene {
            Scene::Before { rows } => report.rows_before += rows,
            Scene::Here(deck) => {
                if let (None, Some(other)) = (&trial, other) {
                    trial = Some(Trial::start(archive, subject, other, deck)?);
                }
            }
            Scene::Rows(played) => {
                report.fuel += played.stepped.fuel;
                proof.check(&played);
                if let Some(trial) = &mut trial {
                    trial.follow(&played)?;
                }
            }
            Scene::Unanswered(reel) => {
                report.rows_unanswered += reel.frame.rows() as u64;
                proof.unsure();
                if let Some(trial) = &mut trial {
                    trial.alone(&reel)?;
                }
            }
            Scene::Lost { reel, why } => {
                report.gap(&reel, why);
                proof.unsure();
                if let Some(trial) = &mut trial {
                    trial.alone(&reel)?;
                }
            }
            Scene::Border(border) => {
                proof.unsure();
                report.borders.push(Moment::from(border));
            }
            Scene::State { time, equal } => {
                report.states_compared += 1;
                if !equal {
                    report.states_differ.push(times::rfc3339(time));
                }
            }
        }
    }
    report.notes.extend(course.notes(archive));
    report.finish(proof, trial.zip(other.map(|other| &other.acceptance)));
    Ok(report)
}
