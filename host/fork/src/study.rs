//! A study: the same rows through many forks of one origin, each with a scenario of its own, on several threads.
//!
//! The baseline goes first and its outcomes are kept, so that every other run is held against it row by row while it is
//! stepped; of those only figures stay. Which thread takes which run makes no difference to any of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

use geminus_behavior::Stepped;
use geminus_core::{Frame, Outcome, Quality, Timestamp};
use geminus_scenario::{Course, Held, Scenario, Tally, Threshold, Warp};

use crate::error::ForkError;
use crate::fork::Fork;
use crate::origin::Origin;

/// What all runs of a study have in common.
pub struct Work<'a> {
    /// Where each begins.
    pub origin: &'a Origin,
    /// The row before the first.
    pub start: Timestamp,
    /// What inputs held then, in declared order.
    pub held: &'a [Held],
    /// The rows as they are when nothing is changed.
    pub frames: &'a [Frame],
    /// Limits of outputs.
    pub thresholds: &'a [Threshold],
    /// Most entries of a trajectory.
    pub points: u32,
    /// Threads that compute, at least one.
    pub threads: usize,
    /// Asked between two frames: whether the time is up.
    pub is_over: &'a (dyn Fn() -> bool + Sync),
}

/// One run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What is otherwise, and its name.
    pub scenario: Scenario,
    /// What was drawn for it; empty unless it is a draw.
    pub drawn: BTreeMap<String, f64>,
    /// Parameters as UTF-8 JSON, valid under the declared schema, when the scenario changes any.
    pub parameters: Option<Arc<[u8]>>,
    /// Whether trajectories are kept.
    pub traced: bool,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// When nothing is changed.
    pub baseline: Course,
    /// Its outcomes, by frame.
    pub outcomes: Vec<Outcome>,
    /// Seconds after the start of the entries of trajectories.
    pub at_s: Vec<f64>,
    /// In the order of the runs.
    pub runs: Vec<Course>,
    /// What all of it used.
    pub fuel: u64,
}

impl Work<'_> {
    /// Steps the baseline, then all runs.
    ///
    /// # Errors
    /// When the baseline cannot be stepped, or the time is up. A run whose parameters or state are refused is none: its
    /// course says why.
    pub fn study(&self, runs: &[Run]) -> Result<Findings, ForkError> {
        let fuel = AtomicU64::new(0);
        let baseline = Run { traced: true, ..Run::default() };
        let mut outcomes = Vec::with_capacity(self.frames.len());
        let mut keep = |outcome: Outcome| outcomes.push(outcome);
        let mut fork = self.origin.fork(None)?;
        let tally = self.step(&mut fork, &baseline, None, &mut keep, &fuel)?;
        let (baseline, at_s) = tally.finish("baseline");
        let runs = self.side_by_side(runs, &outcomes, &fuel)?;
        Ok(Findings { baseline, outcomes, at_s, runs, fuel: fuel.into_inner() })
    }

    fn side_by_side(
        &self,
        runs: &[Run],
        baseline: &[Outcome],
        fuel: &AtomicU64,
    ) -> Result<Vec<Course>, ForkError> {
        let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            while let Some((number, run)) = take(&next, runs) {
                let course = self.run(run, baseline, fuel);
                if course.is_err() {
                    // Nobody begins another one.
                    next.fetch_max(runs.len(), Relaxed);
                }
                done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, course);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.threads.min(runs.len()) {
                scope.spawn(work);
            }
            work();
        });
        done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    fn run(&self, run: &Run, baseline: &[Outcome], fuel: &AtomicU64) -> Result<Course, ForkError> {
        let tally = match self.origin.fork(run.parameters.as_ref()) {
            Ok(mut fork) => self.step(&mut fork, run, Some(baseline), &mut drop, fuel)?,
            Err(error) => {
                let mut tally = self.tally(run);
                tally.unanswered(self.rows(), Some(&error.to_string()));
                tally
            }
        };
        let (course, _) = tally.finish(&run.scenario.name);
        Ok(Course { drawn: run.drawn.clone(), ..course })
    }

    fn step(
        &self,
        fork: &mut Fork,
        run: &Run,
        baseline: Option<&[Outcome]>,
        keep: &mut dyn FnMut(Outcome),
        fuel: &AtomicU64,
    ) -> Result<Tally, ForkError> {
        let mut tally = self.tally(run);
        let mut warp = Warp::new(&run.scenario, self.origin.declaration(), self.start, self.held);
        for (number, frame) in self.frames.iter().enumerate() {
            if (self.is_over)() {
                return Err(ForkError::TimeUp);
            }
            let stepped = match warp.is_idle() {
                true => fork.step(frame)?,
                false => {
                    let mut warped = frame.clone();
                    warp.apply(&mut warped);
                    fork.step(&warped)?
                }
            };
            fuel.fetch_add(stepped.fuel, Relaxed);
            note_unanswered(&mut tally, &stepped, fork.is_live());
            let before = baseline.and_then(|baseline| baseline.get(number));
            tally.take(&frame.times, &stepped.outcome, before);
            keep(stepped.outcome);
        }
        Ok(tally)
    }

    fn tally(&self, run: &Run) -> Tally {
        let points = if run.traced { self.points } else { 0 };
        Tally::new(self.origin.declaration(), self.start, self.thresholds, self.rows(), points)
    }

    fn rows(&self) -> u64 {
        self.frames.iter().map(|frame| frame.rows() as u64).sum()
    }
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("start", &self.start).field("rows", &self.rows()).finish_non_exhaustive()
    }
}

fn take<'r>(next: &AtomicUsize, runs: &'r [Run]) -> Option<(usize, &'r Run)> {
    let number = next.fetch_add(1, Relaxed);
    runs.get(number).map(|run| (number, run))
}

/// Rows that have nothing at all, where a fault says why, or where nobody answers any more.
fn note_unanswered(tally: &mut Tally, stepped: &Stepped, is_live: bool) {
    if stepped.faults.is_empty() && is_live {
        return;
    }
    let outcome = &stepped.outcome;
    let width = outcome.outputs.max(1);
    let rows = outcome.values.chunks(width).zip(outcome.quality.chunks(width));
    let empty = rows.filter(|(values, quality)| {
        values.iter().all(|value| value.is_nan()) && quality.iter().all(|quality| *quality == Quality::Bad)
    });
    let reason = stepped.faults.first().map(|fault| format!("{}: {}", fault.kind.name(), fault.message));
    tally.unanswered(empty.count() as u64, reason.as_deref());
}
