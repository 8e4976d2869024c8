//! Plugins: which exist, which run, which were refused and why.

use geminus_core::declaration::Kind;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Time, words};

/// `GET /api/v1/plugins`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct PluginsView {
    /// Versions that passed every check, by name and then newest first.
    pub plugins: Vec<PluginView>,
    /// Files in the plugin folder that did not, newest first.
    pub refused: Vec<RefusedView>,
}

/// Whether a plugin version does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// It runs for at least one twin.
    Active,
    /// It passed every check and no twin uses it.
    Available,
    /// It was refused when it was to be switched to; the version before it runs on.
    Refused,
}

/// One plugin version.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PluginView {
    /// Lower-case kebab-case name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// What it does.
    #[schema(schema_with = words::kind)]
    pub kind: Kind,
    /// In one line.
    pub description: String,
    /// How many twins it runs for.
    pub twins: u64,
    /// Where it runs: by behavior of the site.
    pub running_for: Vec<RunningFor>,
    /// How many twins the site pins to it.
    pub pinned: u64,
    /// Behaviors of the site for which this digest failed once: no rollout begins with it by itself there.
    pub failed_for: Vec<String>,
    /// Whether it does anything.
    pub state: PluginState,
    /// Since when it has been in this state; null when that was before the process started.
    #[schema(required)]
    pub since: Option<Time>,
    /// Its declaration, as in its custom section: follows `wit/declaration.schema.json`.
    #[schema(value_type = Object)]
    pub declaration: serde_json::Value,
}

/// How many twins of one behavior a version runs for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunningFor {
    /// Name of the behavior in the site.
    pub binding: String,
    /// How many twins.
    pub twins: u64,
}

/// A file that is not a plugin that can run here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedView {
    /// Name in the plugin folder.
    pub file: String,
    /// What is wrong with it and what to do, in words.
    pub reason: String,
    /// When that was found.
    pub time: Time,
}

/// `POST /api/v1/plugins`: the bytes lie in the plugin folder; whether they are taken into service shows in
/// the journal and in the list of plugins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UploadView {
    /// Name in the plugin folder.
    pub file: String,
    /// `sha256:` and 64 hexadecimal digits, of the bytes as received.
    pub digest: String,
}
