//! Commands: what somebody wishes of a target, what became of it, and what the interlocks say now.

use geminus_command::Phase;
use geminus_core::Quality;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RuleView, Time, words};

/// `GET /api/v1/commands`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandsView {
    /// Newest first.
    pub commands: Vec<CommandView>,
    /// Pass it as `before` to get older ones; null when there are none.
    #[schema(required)]
    pub next: Option<u64>,
    /// Whether anything can be sent now.
    pub dispatch: DispatchView,
}

/// Whether the host may write to the field at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DispatchView {
    /// Whether it may.
    pub possible: bool,
    /// Why not: journal or outbox cannot be written; null when it may.
    #[schema(required)]
    pub reason: Option<String>,
    /// How many commands wait for approval.
    pub held: u64,
    /// How many are indeterminate and nobody has looked.
    pub in_doubt: u64,
}

/// One command, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandView {
    /// UUID of version 7: the same id is the same command.
    pub id: String,
    /// Its place in the order in which commands came.
    pub number: u64,
    /// Id of the twin.
    pub twin: String,
    /// Name of the target.
    pub target: String,
    /// The wished value.
    pub value: f64,
    /// UCUM code of the value.
    pub unit: String,
    /// SHA-256 of its bytes, as `sha256:…`: an approval names it.
    pub digest: String,
    /// Class of the target.
    pub class: String,
    /// Who wishes it.
    pub proposer: ProposerView,
    /// Why, in the proposer's words; may be empty.
    pub reason: String,
    /// What the proposer looked at.
    pub evidence: Vec<EvidenceView>,
    /// When it was proposed.
    pub proposed: Time,
    /// From then on nothing of it may leave the host.
    pub not_after: Time,
    /// Where it stands.
    #[schema(schema_with = words::command_state)]
    pub state: Phase,
    /// Since when.
    pub since: Time,
    /// What is known there, in words: the rule that refused, what was over, what is in doubt; empty where the state says all.
    pub detail: String,
    /// The rule that refused it; null unless it is refused.
    #[schema(required)]
    pub rule: Option<String>,
    /// Until when it stands so by itself: for approval while held, for sending while armed, for a read-back while
    /// indeterminate; null when it has no end.
    #[schema(required)]
    pub until: Option<Time>,
    /// How many people must approve it.
    pub approvers: u8,
    /// How many of them are missing now.
    pub missing_approvals: u8,
    /// Who approved it.
    pub approvals: Vec<ApprovalView>,
    /// When it was sent; null when nothing has left.
    #[schema(required)]
    pub sent: Option<Time>,
    /// What the transport said; null while it has said nothing.
    #[schema(required)]
    pub receipt: Option<ReceiptView>,
    /// The sample that showed it; null unless it is verified.
    #[schema(required)]
    pub read_back: Option<ReadBackView>,
    /// What a person found about an indeterminate one; null while nobody looked.
    #[schema(required)]
    pub resolved: Option<ResolvedView>,
}

/// Who wishes something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProposerView {
    /// What kind.
    pub kind: ProposerKind,
    /// Its name.
    pub name: String,
    /// Version of a behavior's plugin; null for others.
    #[schema(required)]
    pub version: Option<String>,
    /// Digest of a behavior's plugin; null for others.
    #[schema(required)]
    pub digest: Option<String>,
}

/// What kind of proposer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProposerKind {
    /// A behavior that runs.
    Behavior,
    /// A person.
    Operator,
    /// A program with a token.
    Program,
}

/// A value that the proposer looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceView {
    /// Name of the point or input.
    pub point: String,
    /// Its value; null when there was none.
    #[schema(required)]
    pub value: Option<f64>,
    /// Its quality.
    #[schema(schema_with = words::quality)]
    pub quality: Quality,
    /// When the source says it was so.
    pub time: Time,
}

/// Somebody's approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
    /// Whether it counts now: it has not expired.
    pub holds: bool,
}

/// What the transport said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    /// Its words.
    pub text: String,
    /// When.
    pub at: Time,
}

/// The sample that showed a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReadBackView {
    /// Its value, in the unit of the command.
    pub value: f64,
    /// When the source says it was so.
    pub time: Time,
    /// When the host received it.
    pub received: Time,
}

/// What a person found about an indeterminate command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ResolvedView {
    /// Who looked.
    pub by: String,
    /// What was found.
    pub note: String,
    /// When.
    pub at: Time,
}

/// `GET /api/v1/commands/{id}`: one command with its whole course.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandDetail {
    /// As it stands.
    pub command: CommandView,
    /// Each of its changes, the first one first.
    pub transitions: Vec<TransitionView>,
    /// What the interlocks say of it now; null when nothing of it can be sent any more.
    #[schema(required)]
    pub interlocks: Option<InterlockView>,
}

/// One change of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TransitionView {
    /// Its number, from 0.
    pub step: u32,
    /// The state that it led to.
    #[schema(schema_with = words::command_state)]
    pub state: Phase,
    /// When.
    pub time: Time,
    /// Name of what caused it: `propose`, `permit`, `approve`, …
    pub event: String,
    /// What caused it, whole; an object.
    #[schema(value_type = Object)]
    pub cause: serde_json::Value,
}

/// What the interlocks say now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InterlockView {
    /// Whether they would let it through this moment.
    pub permits: bool,
    /// The first rule that would refuse; null when none does.
    #[schema(required)]
    pub refusal: Option<RefusalView>,
    /// Every rule of the target, in the order of the check.
    pub rules: Vec<RuleView>,
}

/// The first rule that refuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RefusalView {
    /// Name of the rule.
    pub rule: String,
    /// What it saw.
    pub seen: String,
    /// What it allows.
    pub allowed: String,
}
