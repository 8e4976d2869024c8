//! What a rollout is asked to do: which version, for whom, through which phases, within which limits.
//!
//! The types are the file: the text above a field is what users read, and docs/generated/rollout-plan.schema.json is
//! made from it. A plan is a target and its `stages`; they are nested, because a table that is merged into another
//! cannot refuse unknown keys, and a limit with a slip of the pen in its name must not be passed over. `site.toml`
//! holds the same [`Stages`] in the `rollout` table of a behavior.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Acceptance;

mod check;

#[cfg(test)]
mod tests;

/// The plan of one rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Name of the plugin, as its declaration has it.
    pub plugin: String,
    /// Version that is to take over: an exact version (`1.4.0`), a range (`^1.4`) or the digest of a package
    /// (`sha256:…`). It is resolved to a digest once, when the rollout starts.
    pub version: String,
    /// Name of the `[[behavior]]` of site.toml. Needed when several of them use the plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<String>,
    /// Pattern of the twins that shall have the version in the end (`pump-*`). All twins of the behavior when it is
    /// not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twins: Option<String>,
    /// The phases on the way and their limits.
    #[serde(default)]
    pub stages: Stages,
}

/// The phases of a rollout and their limits. What is not given has its default: no shadow, no canary, a probation of
/// one minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stages {
    /// The new version gets the same rows and its outcome is compared and thrown away.
    pub shadow: Shadow,
    /// The new version answers for some twins.
    pub canary: Canary,
    /// The new version answers for all twins, the old one is kept warm and fed, so that going back loses nothing.
    pub probation: Probation,
    /// Longest time until the new version is warm for every twin and answers for it, in seconds.
    #[schemars(range(min = 1))]
    pub warm_up_seconds_max: u64,
    /// Longest time for the checks of the package, in seconds.
    #[schemars(range(min = 1))]
    pub verify_seconds_max: u64,
    /// Longest time for compiling, in seconds.
    #[schemars(range(min = 1))]
    pub compile_seconds_max: u64,
    /// Longest time for making the instances, trying the state on a copy, and taking in all twins, in seconds.
    #[schemars(range(min = 1))]
    pub raise_seconds_max: u64,
    /// Whether a phase that went well ends by itself.
    pub promote: Promote,
    /// Whether the new version may start without the state of the old one when it cannot read it. Otherwise such a
    /// rollout is refused.
    pub cold_start: bool,
    /// How far the first commands after a switch may step away from the last one before it.
    pub bumpless: Bumpless,
    /// What decides whether the new version is good.
    pub acceptance: Acceptance,
}

impl Default for Stages {
    fn default() -> Self {
        Self {
            shadow: Shadow::default(),
            canary: Canary::default(),
            probation: Probation::default(),
            warm_up_seconds_max: 3_600,
            verify_seconds_max: 30,
            compile_seconds_max: 120,
            raise_seconds_max: 300,
            promote: Promote::default(),
            cold_start: false,
            bumpless: Bumpless::default(),
            acceptance: Acceptance::default(),
        }
    }
}

/// Shadow: it ends when both minima are reached and no check fails. There is none when both are 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shadow {
    /// Compared rows that each twin has at least.
    pub rows: u64,
    /// Seconds that it takes at least.
    pub seconds: u64,
    /// Seconds after which it fails if it has not ended.
    pub seconds_max: u64,
}

impl Default for Shadow {
    fn default() -> Self {
        Self { rows: 0, seconds: 0, seconds_max: 3_600 }
    }
}

impl Shadow {
    /// Whether there is a shadow phase.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.rows > 0 || self.seconds > 0
    }
}

/// Canary: at most one of `twins`, `count` and `share` is given; there is no canary when none is. It ends when both
/// minima are reached and no check fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Canary {
    /// Names of the twins that go first. Each of them has to have its rows, and one at least: a twin that sends nothing
    /// holds the phase up, until its time limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub twins: Option<Vec<String>>,
    /// How many twins go first; the host picks them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Which part of the twins goes first, above 0 and at most 1; the host picks them, at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Compared rows that each twin has at least.
    pub rows: u64,
    /// Seconds that it takes at least.
    pub seconds: u64,
    /// Seconds after which it fails if it has not ended.
    pub seconds_max: u64,
}

impl Default for Canary {
    fn default() -> Self {
        Self { twins: None, count: None, share: None, rows: 0, seconds: 0, seconds_max: 3_600 }
    }
}

impl Canary {
    /// Whether there is a canary phase.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.twins.is_some() || self.count.is_some() || self.share.is_some()
    }

    /// Compared rows that each twin has at least. A twin that somebody named is there to say something, so it has one in
    /// any case; where the host picked the twins, those that get no rows are not waited for.
    #[must_use]
    pub fn rows_wanted(&self) -> u64 {
        self.rows.max(u64::from(self.twins.is_some()))
    }

    /// How many of `all` twins go first: 0 when there is no canary, else at least 1 and at most `all`.
    #[must_use]
    pub fn size(&self, all: u32) -> u32 {
        let wish = match (&self.twins, self.count, self.share) {
            (Some(twins), _, _) => u32::try_from(twins.len()).unwrap_or(u32::MAX),
            (None, Some(count), _) => count,
            (None, None, Some(share)) => part(share, all).max(1),
            (None, None, None) => 0,
        };
        wish.min(all)
    }
}

/// `share` of `all`, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is between 0 and 1, so the product fits; a cast of a float saturates"
)]
fn part(share: f64, all: u32) -> u32 {
    (share * f64::from(all)).ceil() as u32
}

/// Probation: it ends when both minima are reached and no check fails; at `seconds_max` it ends well unless a check
/// fails, because a twin without rows must not keep two versions running for ever. Where no row of any twin was ever
/// compared by then, it is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Probation {
    /// Compared rows that each twin has at least.
    pub rows: u64,
    /// Seconds that it takes at least.
    pub seconds: u64,
    /// Seconds after which it ends in any case.
    pub seconds_max: u64,
}

impl Default for Probation {
    fn default() -> Self {
        Self { rows: 0, seconds: 60, seconds_max: 600 }
    }
}

/// Whether a phase that went well ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Promote {
    /// It ends by itself.
    #[default]
    Automatic,
    /// Shadow and canary wait for a person, until their time limit, and fail then.
    Manual,
}

/// The first commands after a switch are limited in step, against the last one before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bumpless {
    /// Largest step as a part of the command's declared range, above 0 and at most 1.
    pub step_share: f64,
    /// How many commands of a twin are limited so; 0 limits none.
    pub commands: u32,
}

impl Default for Bumpless {
    fn default() -> Self {
        Self { step_share: 0.1, commands: 5 }
    }
}

impl Plan {
    /// This version for all twins at once: no shadow, no canary, one minute of probation. What an arrived file gets
    /// when the site says nothing else.
    #[must_use]
    pub fn direct(plugin: impl Into<String>, version: impl Into<String>) -> Self {
        Self::through(plugin, version, Stages::default())
    }

    /// This version for all twins, through these stages.
    #[must_use]
    pub fn through(plugin: impl Into<String>, version: impl Into<String>, stages: Stages) -> Self {
        Self { plugin: plugin.into(), version: version.into(), behavior: None, twins: None, stages }
    }

    /// Looks for values that make no sense.
    ///
    /// # Errors
    /// Every one of them, each with its key and what to change.
    pub fn check(&self) -> Result<(), Vec<String>> {
        check::plan(self)
    }
}

impl Stages {
    /// Looks for values that make no sense, as [`Plan::check`] does; keys are those of [`Stages`].
    ///
    /// # Errors
    /// Every one of them, each with its key and what to change.
    pub fn check(&self) -> Result<(), Vec<String>> {
        check::stages(self)
    }
}
