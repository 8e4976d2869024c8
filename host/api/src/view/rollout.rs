//! Rollouts: how a version takes a behavior over, step by step, and what speaks for or against it.
//!
//! What the rollout room itself defines (plan, verdict, evidence) is passed on as its JSON; the OpenAPI document has
//! its schemas.

use geminus_rollout::{Phase, Progress, Step, VerdictState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Time, words};

/// Most rollouts in the list.
pub const ROLLOUTS_MAX: usize = 100;

/// `GET /api/v1/rollouts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolloutsView {
    /// Newest first, at most 100; without their evidence.
    pub rollouts: Vec<RolloutView>,
}

/// One version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct VersionRef {
    /// Semantic version.
    #[schema(example = "1.4.0")]
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits: the version's only true name.
    #[schema(example = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub digest: String,
}

/// How far a rollout has come among the twins of its behavior.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct RolloutTwins {
    /// Twins that it is for.
    pub all: u64,
    /// Of them, those whose rows go to both versions.
    pub enrolled: u64,
    /// Of them, those for which the new version has seen as many rows as it needs.
    pub warm: u64,
    /// Of them, those for which the new version's outcome is the one that counts.
    pub authoritative: u64,
    /// Compared rows of the twin that has fewest, among those that get rows at all; of a canary whose twins are named, among
    /// all of them.
    pub rows_min: u64,
}

impl From<&Progress> for RolloutTwins {
    fn from(progress: &Progress) -> Self {
        Self {
            all: progress.twins.into(),
            enrolled: progress.enrolled.into(),
            warm: progress.warm.into(),
            authoritative: progress.authoritative.into(),
            rows_min: progress.rows_min,
        }
    }
}

/// One step on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolloutStep {
    /// When it began.
    pub time: Time,
    /// Which.
    #[schema(schema_with = words::phase)]
    pub phase: Phase,
    /// Why, in an operator's words.
    pub reason: String,
}

impl From<&Step> for RolloutStep {
    fn from(step: &Step) -> Self {
        Self { time: step.time.into(), phase: step.phase, reason: step.reason.clone() }
    }
}

/// What the new version declares otherwise than the one that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// Part of the declaration: input, output, unit, parameter, alert, command, look-up, state, budget, kind or forecast.
    pub what: String,
    /// `info`: good to know. `widening`: it may do more than before. `breaking`: it cannot take over as it is.
    #[schema(schema_with = words::change_severity)]
    pub severity: String,
    /// One sentence.
    pub text: String,
}

/// `GET /api/v1/rollouts/{id}`: one rollout, under way or over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolloutView {
    /// Its number, for good.
    pub id: u64,
    /// Name of the behavior in the site.
    pub binding: String,
    /// Name of the plugin.
    pub plugin: String,
    /// The version that ran when it began; null when none did.
    #[schema(required)]
    pub from: Option<VersionRef>,
    /// The version that is to run in the end.
    pub to: VersionRef,
    /// Whether a file in the plugin folder began it, rather than a person.
    pub automatic: bool,
    /// Who began it.
    pub by: String,
    /// Where it stands.
    #[schema(schema_with = words::phase)]
    pub phase: Phase,
    /// Since when.
    pub phase_since: Time,
    /// When this phase is given up; null once the rollout has ended.
    #[schema(required)]
    pub phase_deadline: Option<Time>,
    /// When it began.
    pub started: Time,
    /// When it ended; null while it is under way.
    #[schema(required)]
    pub ended: Option<Time>,
    /// Why it stands where it does, in an operator's words.
    #[schema(required)]
    pub reason: Option<String>,
    /// How many twins it has reached.
    pub twins: RolloutTwins,
    /// Its plan, every default filled in.
    #[schema(schema_with = words::plan)]
    pub plan: serde_json::Value,
    /// The plan's checks and how they stand; null while nothing was compared.
    #[schema(schema_with = words::verdict, required)]
    pub verdict: serde_json::Value,
    /// The numbers behind the verdict: differences, worst rows, curves of both versions. Null in the list, and while
    /// nothing was compared.
    #[schema(schema_with = words::evidence, required)]
    pub evidence: serde_json::Value,
    /// What was found in each phase that is over and in which versions were compared, oldest first. That of the phase it
    /// stands in is in `verdict` and `evidence`.
    #[serde(default)]
    #[schema(required)]
    pub phases: Vec<JudgedPhase>,
    /// Every phase it went through, oldest first.
    pub history: Vec<RolloutStep>,
    /// What the new version declares otherwise.
    pub diff: Vec<ChangeView>,
}

/// A phase of a rollout that is over, and what was found in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JudgedPhase {
    /// Which.
    #[schema(schema_with = words::phase)]
    pub phase: Phase,
    /// When it began.
    pub since: Time,
    /// When it ended.
    pub until: Time,
    /// The plan's checks as they stood at its end.
    #[schema(schema_with = words::verdict, required)]
    pub verdict: serde_json::Value,
    /// The numbers behind it in brief: the outputs that differ most, the worst rows, a few thin curves of both versions.
    /// Null in the list.
    #[schema(schema_with = words::evidence, required)]
    pub evidence: serde_json::Value,
}

/// One phase of a rollout that is only planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedPhase {
    /// Which.
    #[schema(schema_with = words::phase)]
    pub phase: Phase,
    /// What happens in it and what ends it, in an operator's words.
    pub text: String,
    /// Seconds after which it is given up.
    pub seconds_max: u64,
}

/// `POST /api/v1/rollouts/plan`: what a plan would do. Nothing is begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolloutPreview {
    /// Name of the behavior in the site; null when the plan does not fit exactly one.
    #[schema(required)]
    pub binding: Option<String>,
    /// Name of the plugin.
    pub plugin: String,
    /// The version that runs; null when none does.
    #[schema(required)]
    pub from: Option<VersionRef>,
    /// The version that the plan's words mean here and now; null when no package or several fit.
    #[schema(required)]
    pub to: Option<VersionRef>,
    /// Ids of the twins that it is for in the end, the first 1000 in order of id.
    pub twins: Vec<String>,
    /// How many twins that are.
    pub twins_total: u64,
    /// Ids of the twins that would go first; empty without a canary.
    pub canary: Vec<String>,
    /// The plan, every default filled in.
    #[schema(schema_with = words::plan)]
    pub plan: serde_json::Value,
    /// What the new version declares otherwise than the one that runs.
    pub diff: Vec<ChangeView>,
    /// Its phases in their order.
    pub phases: Vec<PlannedPhase>,
    /// Why it would be refused, all reasons; empty when it would be begun.
    pub refusals: Vec<String>,
}

/// `event: rollout`: a rollout went on. Its page has the rest: read it anew when the phase or the verdict changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolloutEvent {
    /// Number of the rollout.
    pub id: u64,
    /// Name of the behavior in the site.
    pub binding: String,
    /// Where it stands.
    #[schema(schema_with = words::phase)]
    pub phase: Phase,
    /// How many twins it has reached.
    pub twins: RolloutTwins,
    /// How its checks stand together; null while nothing was compared.
    #[schema(schema_with = words::verdict_state, required)]
    pub verdict: Option<VerdictState>,
}

/// What a person may order of a rollout that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutOrder {
    /// Go on to the next phase.
    Promote,
    /// End it: the version that ran before goes on.
    Cancel,
    /// Take the authority back from the new version.
    Rollback,
}

impl RolloutOrder {
    /// As addresses and commands spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Cancel => "cancel",
            Self::Rollback => "rollback",
        }
    }
}

/// `GET /api/v1/activations`: which version was put to work, taken back or refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivationsView {
    /// Newest first.
    pub activations: Vec<ActivationView>,
}

/// One change of what runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActivationView {
    /// When.
    pub time: Time,
    /// Name of the behavior in the site; empty for what older hosts wrote down.
    pub binding: String,
    /// Name of the plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// For how many twins.
    pub twins: u64,
    /// The rollout that did it; null for a start of the host.
    #[schema(required)]
    pub rollout: Option<u64>,
    /// What came of it, in a word or a sentence: `activated`, `rolled back: …`, `refused: …`.
    pub outcome: String,
}
