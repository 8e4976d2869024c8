//! What a replay found, for people and for programs.

use geminus_core::Quality;
use geminus_rollout::{Acceptance, Evidence, Verdict, VerdictState};
use geminus_store::Border;
use serde::Serialize;

use super::course::Passed;
use super::proof::{Difference, Proof};
use super::spoken::Spoken;
use super::tape::Reel;
use super::trial::Trial;
use super::words::WordsDiffer;
use super::{Span, Subject};

mod text;

/// Checks that a replay has nothing to go by for.
const NOT_JUDGED: [&str; 2] = ["deadline", "proposals refused"];

/// Times in text.
pub(crate) mod times {
    use geminus_api::view::Time;
    use geminus_core::Timestamp;

    /// RFC 3339 in UTC.
    pub(crate) fn rfc3339(time: Timestamp) -> String {
        Time(time).to_string()
    }
}

/// What was found for one behavior of one twin.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) twin: String,
    pub(crate) behavior: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// Whether every output that could be computed again is the one in history, bit for bit, and there was one; and
    /// every alert and proposal, where those were recorded.
    pub(crate) equal: bool,
    /// Whether the proof has no hole: no gap, and nothing that was not recorded or cannot be read.
    pub(crate) complete: bool,
    /// Rows that were computed again and held against history.
    pub(crate) rows: u64,
    /// Of these, rows with an output that differs.
    pub(crate) rows_differ: u64,
    /// Rows before the span that were stepped to get at the state at its beginning.
    pub(crate) rows_before: u64,
    /// Rows that nobody had answered: quarantine, or a fault.
    pub(crate) rows_unanswered: u64,
    pub(crate) outputs: u64,
    pub(crate) outputs_differ: u64,
    /// The first outputs that differ.
    pub(crate) differences: Vec<Difference>,
    /// The one that differs most.
    pub(crate) worst: Option<Difference>,
    /// Kept states that were held against computed ones.
    pub(crate) states_compared: u64,
    /// Times of those that differ.
    pub(crate) states_differ: Vec<String>,
    /// Where a state began: starts of the host, other versions, states that were put back.
    pub(crate) borders: Vec<Moment>,
    /// Rows that could not be computed again, and why.
    pub(crate) gaps: Vec<Gap>,
    /// What was not recorded or cannot be read.
    pub(crate) notes: Vec<String>,
    /// Fuel of the rows, in calls of up to 4,096 rows.
    pub(crate) fuel: u64,
    /// SHA-256 over all computed outputs; the same on every machine.
    pub(crate) digest: String,
    /// Alerts and proposals that were computed on the way.
    pub(crate) alerts: u64,
    pub(crate) proposals: u64,
    /// SHA-256 over them; the same on every machine.
    pub(crate) signals_digest: String,
    /// Rows whose alerts and proposals, or that there were none, were held against the record.
    pub(crate) signals_rows: u64,
    /// Of these, rows that say something else than was recorded.
    pub(crate) signals_rows_differ: u64,
    /// The first of them.
    pub(crate) signals_differences: Vec<WordsDiffer>,
    /// What was computed again, but is not held against a record.
    pub(crate) not_proved: Vec<String>,
    /// The other version, when one was asked for.
    pub(crate) with: Option<Comparison>,
}

/// Where a state began.
#[derive(Debug, Serialize)]
pub(crate) struct Moment {
    pub(crate) time: String,
    pub(crate) kind: &'static str,
    pub(crate) version: String,
    pub(crate) digest: String,
    /// Whether the state that began is the one that was computed up to there; null where another version began.
    pub(crate) continues: Option<bool>,
    pub(crate) trouble: Option<String>,
}

/// Rows that could not be computed again.
#[derive(Debug, Serialize)]
pub(crate) struct Gap {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) rows: u64,
    pub(crate) why: String,
}

/// What another version would have said.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) version: String,
    pub(crate) digest: String,
    /// Whether it began without state.
    pub(crate) cold_start: bool,
    pub(crate) rows: u64,
    pub(crate) fuel: u64,
    /// Why it got no more rows, if so.
    pub(crate) ended: Option<String>,
    /// The first output that is not the same, bit for bit.
    pub(crate) first_difference: Option<FirstDifference>,
    /// Rows with other alerts or proposals, judged or not.
    pub(crate) signals: Spoken,
    pub(crate) verdict: Verdict,
    pub(crate) evidence: Evidence,
    /// What a rollout would judge and a replay cannot.
    pub(crate) not_judged: Vec<&'static str>,
    /// SHA-256 over its outputs; the same as `digest` when it says of every row what was recorded.
    pub(crate) outputs_digest: String,
    /// SHA-256 over its alerts and proposals, to be held against that of the recorded version.
    pub(crate) signals_digest: String,
}

/// Where two versions differ first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FirstDifference {
    pub(crate) time: String,
    pub(crate) output: String,
    pub(crate) old: Option<f64>,
    pub(crate) old_quality: Quality,
    pub(crate) new: Option<f64>,
    pub(crate) new_quality: Quality,
}

impl Report {
    pub(super) fn new(subject: &Subject, span: Span) -> Self {
        Self {
            twin: subject.twin.clone(),
            behavior: subject.behavior.clone(),
            from: times::rfc3339(span.from),
            to: times::rfc3339(span.to),
            equal: false,
            complete: false,
            rows: 0,
            rows_differ: 0,
            rows_before: 0,
            rows_unanswered: 0,
            outputs: 0,
            outputs_differ: 0,
            differences: Vec::new(),
            worst: None,
            states_compared: 0,
            states_differ: Vec::new(),
            borders: Vec::new(),
            gaps: Vec::new(),
            notes: Vec::new(),
            fuel: 0,
            digest: String::new(),
            alerts: 0,
            proposals: 0,
            signals_digest: String::new(),
            signals_rows: 0,
            signals_rows_differ: 0,
            signals_differences: Vec::new(),
            not_proved: Vec::new(),
            with: None,
        }
    }

    pub(super) fn gap(&mut self, reel: &Reel, why: String) {
        let (first, last) = (reel.frame.times.first(), reel.frame.times.last());
        let time = |time: Option<&geminus_core::Timestamp>| time.map(|time| times::rfc3339(*time));
        let to = time(last).unwrap_or_default();
        let rows = reel.frame.rows() as u64;
        match self.gaps.last_mut().filter(|gap| gap.why == why) {
            Some(gap) => (gap.to, gap.rows) = (to, gap.rows + rows),
            None => self.gaps.push(Gap { from: time(first).unwrap_or_default(), to, rows, why }),
        }
    }

    /// What the proof lacks, each in one sentence.
    fn holes(&self) -> Vec<String> {
        let gaps = self.gaps.iter().map(|gap| {
            format!("{} rows from {} could not be computed again: {}", gap.rows, gap.from, gap.why)
        });
        gaps.chain(self.notes.iter().cloned()).chain(self.not_proved.iter().cloned()).collect()
    }

    pub(super) fn finish(&mut self, proof: Proof, trial: Option<(Trial, &Acceptance)>) {
        self.digest = proof.digest();
        (self.alerts, self.proposals) = (proof.signals.alerts, proof.signals.proposals);
        self.signals_digest = proof.signals.digest();
        (self.rows, self.rows_differ) = (proof.rows, proof.rows_differ);
        (self.outputs, self.outputs_differ) = (proof.cells, proof.cells_differ);
        (self.differences, self.worst) = (proof.differences, proof.worst);
        self.not_proved.extend(proof.words.unproved());
        (self.signals_rows, self.signals_rows_differ) = (proof.words.rows, proof.words.rows_differ);
        self.signals_differences = proof.words.differences;
        let outputs_equal = self.rows > 0 && self.rows_differ == 0;
        self.equal = outputs_equal && self.signals_rows_differ == 0 && self.states_differ.is_empty();
        self.complete = self.holes().is_empty();
        let twin = self.twin.clone();
        self.with = trial.map(|(trial, acceptance)| Comparison::new(trial, acceptance, &twin));
    }

    /// Why this is no success, in one sentence; `None` when it is one.
    pub(crate) fn failure(&self) -> Option<String> {
        let of = format!("{} of {}", self.behavior, self.twin);
        if self.rows == 0 {
            return Some(format!("no row of {of} could be computed again"));
        }
        if !self.equal {
            let words = self.signals_differences.first().map(|first| {
                format!(
                    "; alerts or proposals differ in {} rows, first at {}: recorded {}, computed {}",
                    self.signals_rows_differ, first.time, first.recorded, first.computed
                )
            });
            return Some(format!(
                "{of} is not what was recorded: {} of {} rows and {} of {} kept states differ{}",
                self.rows_differ,
                self.rows,
                self.states_differ.len(),
                self.states_compared,
                words.unwrap_or_default()
            ));
        }
        if !self.complete {
            return Some(format!("the proof of {of} has holes: {}", self.holes().join("; ")));
        }
        let with = self.with.as_ref()?;
        let state = match with.verdict.state {
            VerdictState::Pass if with.ended.is_none() => return None,
            VerdictState::Pass | VerdictState::Fail => VerdictState::Fail,
            VerdictState::Open => VerdictState::Open,
        };
        let words = match state {
            VerdictState::Open => "could not be judged over so few rows",
            _ => "would not have been accepted",
        };
        let why = with.ended.clone().unwrap_or_else(|| with.verdict.words(with.verdict.state));
        Some(format!("{} {words} for {of}: {why}", with.version))
    }
}

impl Comparison {
    fn new(trial: Trial, acceptance: &Acceptance, twin: &str) -> Self {
        // No time was taken and no interlock was asked, so nothing can be said about either.
        let mut checks = trial.tally.judge(acceptance).checks;
        checks.retain(|check| !NOT_JUDGED.contains(&check.name.as_str()));
        Self {
            outputs_digest: trial.digest_of_outputs(),
            signals_digest: trial.digest_of_signals(),
            verdict: Verdict::of(checks),
            evidence: trial.tally.evidence(&|_| twin.to_owned()),
            version: trial.label,
            digest: trial.digest,
            cold_start: trial.cold,
            rows: trial.rows,
            fuel: trial.fuel,
            ended: trial.ended,
            first_difference: trial.first,
            signals: trial.spoken,
            not_judged: vec![
                "time and deadlines: this is not the plant's machine at its hour",
                "proposals against interlocks: what they go by is not recorded",
            ],
        }
    }
}

impl From<Passed> for Moment {
    fn from(passed: Passed) -> Self {
        let kind = match passed.border {
            Border::Start => "start",
            Border::Switch => "switch",
            Border::Restore => "restore",
            Border::Periodic => "checkpoint",
        };
        Self {
            time: times::rfc3339(passed.time),
            kind,
            version: passed.label,
            digest: passed.digest,
            continues: passed.continues,
            trouble: passed.trouble,
        }
    }
}
