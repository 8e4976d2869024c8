//! The thread of an asset: what it is, and everything that happened to it on one line of time.

use geminus_core::{Authority, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Time, words};

/// What an entry of a thread is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ThreadKind {
    /// How the asset is laid out: the site file changed.
    Design,
    /// Which version of a model answers: activations, rollouts, changes from one to another.
    Version,
    /// Parameters that changed, and calibrations that another system knows of.
    Calibration,
    /// Where samples stay away, and where they come again.
    Samples,
    /// Alerts of behaviors and alarms, with what people did about them.
    Alert,
    /// Proposals, commands with their verdicts and approvals, who owns a target, trips, authority.
    Decision,
    /// Work orders, batches, inspections and other records of other systems.
    Record,
    /// Whatever else the journal says about it.
    Event,
}

impl ThreadKind {
    /// All of them, in the order in which a page shows them.
    pub const ALL: [Self; 8] = [
        Self::Design,
        Self::Version,
        Self::Calibration,
        Self::Samples,
        Self::Alert,
        Self::Decision,
        Self::Record,
        Self::Event,
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Design => "design",
            Self::Version => "version",
            Self::Calibration => "calibration",
            Self::Samples => "samples",
            Self::Alert => "alert",
            Self::Decision => "decision",
            Self::Record => "record",
            Self::Event => "event",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// `GET /api/v1/twins/{id}/thread`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ThreadView {
    /// Id of the twin.
    pub twin: String,
    /// What the asset is now; only on the first page, null on the others.
    #[schema(required)]
    pub asset: Option<AssetView>,
    /// In the order that was asked for.
    pub entries: Vec<ThreadEntryView>,
    /// Pass it as `after` to get the next page, which may hold fewer entries than asked for; null when there is none.
    #[schema(required)]
    pub next: Option<String>,
}

/// What an asset is: its type, its place, its points, what computes for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssetView {
    /// Name for people.
    pub display_name: String,
    /// DTMI of its type.
    #[serde(rename = "type")]
    pub type_id: String,
    /// The type's name for people.
    pub type_name: String,
    /// Area of the plant; null when the site names none.
    #[schema(required)]
    pub area: Option<String>,
    /// Line, cell or unit; null when the site names none.
    #[schema(required)]
    pub line: Option<String>,
    /// How far its behaviors may reach.
    #[schema(schema_with = words::authority)]
    pub authority: Authority,
    /// What computes for it, with the parameters that it has now.
    pub behaviors: Vec<AssetBehaviorView>,
    /// Its points with the extent of their samples in the time asked for; at most 64.
    pub points: Vec<ExtentView>,
    /// How many points it has.
    pub points_total: u64,
    /// Names of what may be written.
    pub targets: Vec<String>,
}

/// A behavior of an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AssetBehaviorView {
    /// Its name.
    pub name: String,
    /// Name of the plugin.
    pub plugin: String,
    /// Versions that may answer, as the site file says.
    pub versions: String,
    /// Its parameters, defaults filled in; an object.
    #[schema(value_type = Object)]
    pub parameters: serde_json::Value,
}

/// A point, and from when to when it has samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExtentView {
    /// Full name of the point.
    pub point: String,
    /// UCUM code.
    pub unit: String,
    /// What it means; may be empty.
    pub description: String,
    /// Time of its first sample in the time asked for; null when there is none.
    #[schema(required)]
    pub first: Option<Time>,
    /// Time of its last one.
    #[schema(required)]
    pub last: Option<Time>,
}

/// One entry of a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ThreadEntryView {
    /// Stays the same from answer to answer: where it comes from and its number there.
    pub id: String,
    /// What it is about.
    pub kind: ThreadKind,
    /// Kebab-case name of what happened: an event of the journal, `rollout`, `parameters`, `work-order`, …
    pub what: String,
    /// When it happened or began.
    pub time: Time,
    /// When it ended; null for what has no length or has not ended.
    #[schema(required)]
    pub until: Option<Time>,
    /// How much to care.
    #[schema(schema_with = words::severity)]
    pub severity: Severity,
    /// One line for people.
    pub title: String,
    /// More words; may be empty.
    pub detail: String,
    /// Facts for programs; an object, or null.
    #[schema(value_type = Option<Object>, required)]
    pub facts: serde_json::Value,
    /// Where it is explained.
    pub explain: ExplainView,
    /// The record of another system that it is; null for everything else.
    #[schema(required)]
    pub record: Option<RecordView>,
}

/// What explains an entry: rows, version, command, rollout, journal. Whatever does not apply is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainView {
    /// Name of the behavior that it comes from.
    #[schema(required)]
    pub behavior: Option<String>,
    /// The version that answered, as `name@version`.
    #[schema(required)]
    pub plugin: Option<String>,
    /// Digest of that version, as `sha256:…`.
    #[schema(required)]
    pub digest: Option<String>,
    /// The recorded rows that led to it.
    #[schema(required)]
    pub rows: Option<RowsView>,
    /// Computes these rows again: a command line, in which SITE.toml stands for the site's configuration.
    #[schema(required)]
    pub replay: Option<String>,
    /// Number of the rollout.
    #[schema(required)]
    pub rollout: Option<u64>,
    /// Id of the command.
    #[schema(required)]
    pub command: Option<String>,
    /// How that command stands now, in words: its state, and who approved it; null when it is kept no more.
    #[schema(required)]
    pub verdict: Option<String>,
    /// Number of the journal's entry.
    #[schema(required)]
    pub journal: Option<u64>,
}

/// A stretch of rows, by their times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowsView {
    /// First time, inclusive.
    pub from: Time,
    /// End, exclusive.
    pub to: Time,
}

/// A record of another system, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordView {
    /// System that says it.
    pub source: String,
    /// Its id there.
    pub id: String,
    /// How it stands, in the source's word; may be empty.
    pub state: String,
    /// Address of it there; null when it has none.
    #[schema(required)]
    pub link: Option<String>,
    /// When the source changed it last; null when it does not say.
    #[schema(required)]
    pub changed: Option<Time>,
    /// When it came first: long after its time, it came late.
    pub received: Time,
    /// When it was corrected last; null when it never was.
    #[schema(required)]
    pub corrected: Option<Time>,
    /// How often it was corrected.
    pub revision: u32,
    /// Who brought it as it stands.
    pub by: String,
}

/// What became of the records of `POST /api/v1/twins/{id}/records`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordsFiledView {
    /// How many were not known.
    pub new: u64,
    /// How many took the place of what was kept.
    pub corrected: u64,
    /// How many were taken back.
    pub removed: u64,
    /// How many were kept already, in the very same words.
    pub same: u64,
    /// How many were passed over, because a newer version is kept.
    pub older: u64,
    /// How many of the earliest of this asset were forgotten to make room.
    pub forgotten: u64,
}
