//! One rollout under way, and what is known of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use geminus_api::view as api;
use geminus_core::{Declaration, Digest, Timestamp, TwinIndex};
use geminus_registry::{ChangeSeverity, Diff, Package};
use geminus_rollout::{Evidence, Phase, Progress, Rollout, Tally, Verdict};
use geminus_twin::BindingIndex;
use serde::{Deserialize, Serialize};

use crate::runtime::cohorts::Version;

/// A rollout under way.
pub(crate) struct Run {
    pub(super) id: u64,
    pub(super) index: BindingIndex,
    pub(super) machine: Rollout,
    pub(super) package: Package,
    pub(super) parameters: Arc<[u8]>,
    /// What most of its twins ran when it began; `None` when nobody answered for any of them.
    pub(super) incumbent: Option<Incumbent>,
    /// The new version, once it is compiled.
    pub(super) version: Option<Version>,
    pub(super) twins: Arc<HashSet<TwinIndex>>,
    pub(super) canary: Arc<HashSet<TwinIndex>>,
    /// Whether it is for all twins of the binding that are not pinned elsewhere.
    pub(super) whole: bool,
    /// Whether candidates stand in the shards.
    pub(super) stands: bool,
    pub(super) cold: usize,
    /// Twins that have gone stale before the new version was warm for them.
    pub(super) idle: u64,
    /// Turns false when it has ended, so that nobody works on it any more.
    pub(super) wanted: Arc<AtomicBool>,
    /// Evidence of shards, as of the last look.
    pub(super) tally: Option<Tally>,
    /// The phase whose rows evidence and verdict of the record are about.
    pub(super) looked_at: Option<Phase>,
    pub(super) record: Record,
}

/// A version that twins of a rollout run when it begins.
#[derive(Clone, Debug)]
pub(crate) struct Incumbent {
    pub(super) digest: Digest,
    pub(super) declaration: Arc<Declaration>,
}

/// What is kept of a rollout besides its machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(super) binding: String,
    pub(super) plugin: String,
    pub(super) from: Option<api::VersionRef>,
    pub(super) to: api::VersionRef,
    pub(super) automatic: bool,
    pub(super) by: String,
    pub(super) started: Timestamp,
    pub(super) ended: Option<Timestamp>,
    /// Whether it ended because the host did.
    #[serde(default)]
    pub(super) interrupted: bool,
    /// Whether it is for all twins of the behavior that are not pinned elsewhere. `None`: an older host wrote it.
    #[serde(default)]
    pub(super) whole: Option<bool>,
    pub(super) twins: api::RolloutTwins,
    pub(super) verdict: Option<Verdict>,
    pub(super) evidence: Option<Evidence>,
    /// What was found in the phases that are over, oldest first. At most one for each phase, because none is entered
    /// twice.
    #[serde(default)]
    pub(super) phases: Vec<Judged>,
    pub(super) diff: Vec<api::ChangeView>,
}

/// A phase that is over, in which versions were compared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Judged {
    phase: Phase,
    since: Timestamp,
    until: Timestamp,
    /// Samples: their size is bounded.
    verdict: Verdict,
    evidence: Evidence,
}

impl Judged {
    fn view(&self, with_evidence: bool) -> api::JudgedPhase {
        api::JudgedPhase {
            phase: self.phase,
            since: self.since.into(),
            until: self.until.into(),
            verdict: json(&self.verdict),
            evidence: Some(&self.evidence).filter(|_| with_evidence).map_or(serde_json::Value::Null, json),
        }
    }
}

/// All of it, as `control.db` has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(super) machine: Rollout,
    pub(super) record: Record,
}

impl Document {
    /// From the books, which keep the evidence apart: that of the last verdict, and of none where that does not stand.
    ///
    /// # Errors
    /// When it is not what was written.
    pub(crate) fn read(document: &str, evidence: Option<&str>) -> serde_json::Result<Self> {
        let mut document: Self = serde_json::from_str(document)?;
        let evidence = evidence.filter(|_| document.record.verdict.is_some());
        document.record.evidence = evidence.map(serde_json::from_str).transpose()?;
        Ok(document)
    }

    pub(crate) fn has_evidence(&self) -> bool {
        self.record.evidence.is_some() || !self.is_over()
    }

    /// As the API shows it.
    pub(crate) fn view(&self, id: u64, with_evidence: bool) -> api::RolloutView {
        let (machine, record) = (&self.machine, &self.record);
        api::RolloutView {
            id,
            binding: record.binding.clone(),
            plugin: record.plugin.clone(),
            from: record.from.clone(),
            to: record.to.clone(),
            automatic: record.automatic,
            by: record.by.clone(),
            phase: machine.phase(),
            phase_since: machine.since().into(),
            phase_deadline: machine.deadline().map(api::Time),
            started: record.started.into(),
            ended: record.ended.map(api::Time),
            reason: machine
                .reason()
                .or_else(|| machine.waits())
                .or_else(|| machine.history().last().map(|step| step.reason.as_str()))
                .map(str::to_owned),
            twins: record.twins,
            plan: json(machine.plan()),
            verdict: record.verdict.as_ref().map_or(serde_json::Value::Null, json),
            evidence: record
                .evidence
                .as_ref()
                .filter(|_| with_evidence)
                .map_or(serde_json::Value::Null, json),
            phases: record.phases.iter().map(|judged| judged.view(with_evidence)).collect(),
            history: machine
                .history()
                .iter()
                .map(|step| api::RolloutStep {
                    time: step.time.into(),
                    phase: step.phase,
                    reason: step.reason.clone(),
                })
                .collect(),
            diff: record.diff.clone(),
        }
    }

    /// Whether its version is not to be tried again by itself.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.machine.ending(), Some(Phase::RolledBack | Phase::Failed)) && !self.was_interrupted()
    }

    /// Whether a person did not want its version.
    pub(crate) fn was_declined(&self) -> bool {
        self.machine.ending() == Some(Phase::Cancelled) && !self.machine.gave_way() && !self.was_interrupted()
    }

    /// Whether it ended because the host did, which speaks against nobody.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.record.interrupted
    }

    /// Whether it is for all twins of the behavior that are not pinned elsewhere.
    pub(crate) fn is_whole(&self) -> bool {
        self.record.whole.unwrap_or_else(|| self.machine.plan().twins.is_none())
    }

    /// Behavior and digest that it is about.
    pub(crate) fn target(&self) -> Option<(String, Digest)> {
        Some((self.record.binding.clone(), self.record.to.digest.parse().ok()?))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.machine.phase().is_end()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.machine.phase()
    }

    /// In brief, for open pages.
    pub(crate) fn event(&self, id: u64) -> api::RolloutEvent {
        api::RolloutEvent {
            id,
            binding: self.record.binding.clone(),
            phase: self.machine.phase(),
            twins: self.record.twins,
            verdict: self.record.verdict.as_ref().map(|verdict| verdict.state),
        }
    }
}

fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

impl Run {
    pub(crate) fn phase(&self) -> Phase {
        self.machine.phase()
    }

    pub(crate) fn document(&self) -> Document {
        Document { machine: self.machine.clone(), record: self.record.clone() }
    }

    /// Keeps what was found in a phase that has just ended, if versions were compared in it.
    pub(super) fn keep_findings(&mut self, of: Phase) {
        let record = &mut self.record;
        let (Some(verdict), Some(evidence)) = (&record.verdict, &record.evidence) else { return };
        if self.looked_at != Some(of) {
            return;
        }
        let entered = self.machine.history().iter().rev().find(|step| step.phase == of);
        let since = entered.map_or(record.started, |step| step.time);
        let (verdict, evidence, until) = (verdict.sample(), evidence.sample(), self.machine.since());
        record.phases.push(Judged { phase: of, since, until, verdict, evidence });
        self.looked_at = None;
    }

    /// What the machine should hear of how far the shards are.
    pub(super) fn progress(&self, rows_min: u64) -> Progress {
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let twins = &self.record.twins;
        Progress {
            twins: count(twins.all),
            enrolled: count(twins.enrolled),
            warm: count(twins.warm),
            authoritative: count(twins.authoritative),
            idle: count(self.idle),
            rows_min,
        }
    }
}

/// Differences of two declarations, as the API shows them.
pub(super) fn changes(diff: &Diff) -> Vec<api::ChangeView> {
    diff.changes
        .iter()
        .map(|change| api::ChangeView {
            what: change.what.clone(),
            severity: severity(change.severity).to_owned(),
            text: change.text.clone(),
        })
        .collect()
}

fn severity(severity: ChangeSeverity) -> &'static str {
    match severity {
        ChangeSeverity::Info => "info",
        ChangeSeverity::Widening => "widening",
        ChangeSeverity::Breaking => "breaking",
    }
}
