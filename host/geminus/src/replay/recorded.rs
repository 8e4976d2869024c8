//! Recorded rows for a fork: those of a span that one version answered in one go, and its state before the first.
//!
//! The rows end where a state was put in from outside or another version took over: from there on the fork would be held
//! against another story. What was computed again for them goes along, with how much of it history has otherwise.

use anyhow::{Context as _, bail};
use geminus_behavior::Opening;
use geminus_core::{Frame, Outcome, Timestamp};
use geminus_fork::Origin;

use super::archive::Archive;
use super::course::{Course, Handover, Scene};
use super::deck::TWIN;
use super::proof::Proof;
use super::report::times;
use super::{Span, Subject};
use crate::runtime::cohorts::seed;

/// What a fork of the past begins with.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) origin: Origin,
    pub(crate) frames: Vec<Frame>,
    /// What was computed again, by frame.
    pub(crate) outcomes: Vec<Outcome>,
    /// Rows of which history has other outputs than were computed again.
    pub(crate) rows_differ: u64,
    /// Why the rows end before the span does.
    pub(crate) ended: Option<String>,
}

impl Recorded {
    /// Rows.
    pub(crate) fn rows(&self) -> u64 {
        self.frames.iter().map(|frame| frame.rows() as u64).sum()
    }

    /// The first row.
    pub(crate) fn first(&self) -> Timestamp {
        let first = self.frames.first().and_then(|frame| frame.times.first());
        first.copied().unwrap_or_default()
    }
}

/// Reads at most `rows_max` rows of `span`.
pub(crate) fn read(
    archive: &mut Archive,
    subject: &Subject,
    span: Span,
    rows_max: u64,
) -> anyhow::Result<Recorded> {
    let mut course = Course::begin(archive, subject, span)?;
    let (mut begun, mut recorded, mut proof): (Option<Handover>, Option<Recorded>, _) =
        (None, None, Proof::default());
    let ended = loop {
        match course.next(archive)? {
            None => break None,
            Some(Scene::Here(handover)) => begun = Some(handover),
            Some(Scene::Rows(played)) => {
                proof.check(&played);
                let by = played.reel.by.first().copied().unwrap_or(0);
                let all = match &mut recorded {
                    Some(all) => all,
                    None => recorded.insert(begin(archive, subject, by, begun.take())?),
                };
                all.frames.push(played.reel.frame);
                all.outcomes.push(played.stepped.outcome);
                if all.rows() > rows_max {
                    bail!("there are more than {rows_max} rows: ask for a shorter span");
                }
            }
            Some(Scene::Border(border)) if recorded.is_some() => {
                let time = times::rfc3339(border.time);
                break Some(format!("a state of {} was put in after {time}", border.label));
            }
            Some(Scene::Lost { why, .. }) if recorded.is_some() => break Some(why),
            Some(Scene::Unanswered(_)) => proof.unsure(),
            Some(Scene::Before { .. } | Scene::Border(_) | Scene::Lost { .. } | Scene::State { .. }) => {}
        }
    };
    let recorded =
        recorded.with_context(|| format!("no row of {} can be computed again in that span", subject.twin))?;
    Ok(Recorded { rows_differ: proof.rows_differ, ended, ..recorded })
}

fn begin(
    archive: &mut Archive,
    subject: &Subject,
    by: u32,
    begun: Option<Handover>,
) -> anyhow::Result<Recorded> {
    let handover = begun.context("the state before the first row is not known")?;
    let newest = handover.declaration.state.schema;
    let state = handover.states.into_iter().find(|state| state.schema == newest);
    let state = state.context("the state before the first row was not written in its newest schema")?;
    let (parameters, compiled) = archive.of(by)?;
    let Subject { site, behavior, twin } = subject;
    let opening = Opening { twin: TWIN, id: twin.clone(), parameters, seed: seed(site, behavior, twin) };
    let origin = Origin::kept(compiled, opening, state);
    Ok(Recorded { origin, frames: Vec::new(), outcomes: Vec::new(), rows_differ: 0, ended: None })
}
