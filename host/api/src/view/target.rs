//! Targets: what of twins may be written, who owns it, which rules guard it, and how far behaviors may reach.

use geminus_core::{Authority, Quality};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DispatchView, Time, words};

/// `GET /api/v1/targets`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TargetsView {
    /// In order of twin and name.
    pub targets: Vec<TargetView>,
    /// How far the behaviors of the twins above may reach, in order of twin.
    pub authorities: Vec<AuthorityView>,
    /// Whether anything can be sent now.
    pub dispatch: DispatchView,
}

/// One target of one twin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TargetView {
    /// Id of the twin.
    pub twin: String,
    /// Name of the target.
    pub name: String,
    /// UCUM code of the value.
    pub unit: String,
    /// Class of its commands.
    pub class: String,
    /// How many people approve a command of this class.
    pub approvers: u8,
    /// Commands of behaviors that may propose a value, as `behavior.command`.
    pub commands: Vec<String>,
    /// What the feedback point shows now; null without one.
    #[schema(required)]
    pub feedback: Option<FeedbackView>,
    /// The last value that this host wrote; null when it has written none.
    #[schema(required)]
    pub written: Option<WrittenView>,
    /// Who owns it now.
    pub owner: Level,
    /// Everybody who asked for it and whose time is not over, highest first; none when it belongs to behaviors.
    pub holdings: Vec<HoldingView>,
    /// Commands that are not over, oldest first.
    pub open: Vec<String>,
    /// Trips that stay until somebody resets them.
    pub latches: Vec<LatchView>,
    /// Rules that somebody has bypassed.
    pub bypasses: Vec<BypassView>,
    /// Whether a trip is active or latched.
    pub tripped: bool,
    /// Every rule, in the order of the check, and what it reads now.
    pub rules: Vec<RuleView>,
    /// What is done when a trip becomes active, in words.
    pub fail_action: String,
    /// Its sign of life to the field; null without one.
    #[schema(required)]
    pub heartbeat: Option<HeartbeatView>,
    /// Where it is written to.
    pub egress: EgressView,
}

/// A sign of life to the field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatView {
    /// Where it is written to, at the source of the target.
    pub address: String,
    /// Milliseconds between two.
    pub every_ms: u32,
    /// How many have left since the host started.
    pub beats: u64,
    /// When the last one left; null before the first one.
    #[schema(required)]
    pub last: Option<Time>,
    /// Why none leaves now; null while it beats.
    #[schema(required)]
    pub silent: Option<String>,
}

/// What a feedback point shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FeedbackView {
    /// Name of the point.
    pub point: String,
    /// Its value in the unit of the target; null when it has none.
    #[schema(required)]
    pub value: Option<f64>,
    /// Its quality.
    #[schema(schema_with = words::quality)]
    pub quality: Quality,
    /// When the source says it was so; null when nothing came yet.
    #[schema(required)]
    pub time: Option<Time>,
    /// How far it may be off and still verify a command.
    pub tolerance: f64,
    /// Seconds in which it has to show.
    pub within_s: f64,
}

/// The last value that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WrittenView {
    /// The value.
    pub value: f64,
    /// When.
    pub at: Time,
    /// Whether a read-back showed it.
    pub verified: bool,
}

/// As what somebody owns a target, lowest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Behaviors and programs: nobody else asked for it.
    #[default]
    Behavior,
    /// One person.
    Operator,
    /// The machine's own panel.
    Local,
    /// Nobody may write.
    Lockout,
}

impl Level {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Behavior => "behavior",
            Self::Operator => "operator",
            Self::Local => "local",
            Self::Lockout => "lockout",
        }
    }
}

/// Somebody who asked for a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HoldingView {
    /// As what.
    pub level: Level,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Time,
    /// Until when; null: until it is released.
    #[schema(required)]
    pub until: Option<Time>,
}

/// A trip that stays until it is reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatchView {
    /// Name of the trip.
    pub rule: String,
    /// When it tripped.
    pub at: Time,
    /// What was seen then.
    pub seen: String,
}

/// A rule that somebody has bypassed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BypassView {
    /// Name of the permissive.
    pub rule: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Seconds until it ends by itself.
    pub left_s: u64,
}

/// One rule of a target and what it reads now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Kind of the rule, in kebab-case.
    pub kind: String,
    /// Its name.
    pub rule: String,
    /// What it allows.
    pub allowed: String,
    /// What it reads now; empty where that depends on the command alone.
    pub reads: String,
    /// Whether it would refuse every command now; null where that depends on the command.
    #[schema(required)]
    pub refuses: Option<bool>,
    /// Who has bypassed it, and why; null when nobody has.
    #[schema(required)]
    pub bypassed_by: Option<String>,
}

/// Where a target is written to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EgressView {
    /// Name of the MQTT source whose broker it goes to.
    pub source: String,
    /// The topic.
    pub address: String,
    /// Whether the connection that writes stands now.
    pub up: bool,
}

/// How far the behaviors of a twin may reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuthorityView {
    /// Id of the twin.
    pub twin: String,
    /// What the site gives it.
    #[schema(schema_with = words::authority)]
    pub configured: Authority,
    /// What it has now.
    #[schema(schema_with = words::authority)]
    pub effective: Authority,
    /// Who armed it; null when nobody has since the start, or since it was disarmed.
    #[schema(required)]
    pub armed: Option<ArmedView>,
    /// Why it has less than the site gives it; none when it has all of it.
    pub reasons: Vec<String>,
}

/// Who armed a twin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArmedView {
    /// Who.
    pub by: String,
    /// When.
    pub at: Time,
}
