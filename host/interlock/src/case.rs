//! A recorded case: what was known, what was wished for, and what is expected of the rules. For
//! `geminus interlock test` and `explain`; the types are the file.

use std::collections::BTreeMap;
use std::time::Duration;

use geminus_core::{Authority, Quality, Timestamp, TwinIndex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Priority;
use crate::memory::{Bypassed, Latch, Memory};
use crate::{ActiveAlarm, Book, By, Decision, Line, Moment, Picture, Present, Reading, Wish};

/// When a case plays, long enough after the start for everything that it remembers.
const NOW: Duration = Duration::from_secs(1_000_000);

/// A file of cases.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    /// The cases.
    #[serde(default)]
    pub case: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name of the case, for the table.
    pub name: String,
    /// Name of the target.
    pub target: String,
    /// Readings of points; one that is not given is missing.
    #[serde(default)]
    pub points: BTreeMap<String, Given>,
    /// The read-back, in the target's unit. Absent: not known, or, with `no_feedback`, not there.
    #[serde(default)]
    pub present: Option<f64>,
    /// Whether the target has no feedback point.
    #[serde(default)]
    pub no_feedback: bool,
    /// Authority of the twin; default `control`.
    #[serde(default = "control")]
    pub authority: Authority,
    /// Whether the twin is locked out.
    #[serde(default)]
    pub lockout: bool,
    /// Whether the field has taken over.
    #[serde(default)]
    pub local: bool,
    /// Who owns the target.
    #[serde(default)]
    pub owner: Option<String>,
    /// Active alarms of the twin.
    #[serde(default)]
    pub alarms: Vec<GivenAlarm>,
    /// Group → another target that is active.
    #[serde(default)]
    pub active: BTreeMap<String, String>,
    /// What the rules remember.
    #[serde(default)]
    pub memory: Remembered,
    /// What is wished for.
    pub command: GivenCommand,
    /// What the rules have to say.
    pub expect: Expect,
    /// Name of the rule that has to refuse; with `expect = "refused"` only.
    #[serde(default)]
    pub rule: Option<String>,
}

fn control() -> Authority {
    Authority::Control
}

/// A reading: a number, which is good and new, or a table.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Given {
    /// A good value of just now.
    Value(f64),
    /// Any other.
    Reading(GivenReading),
}

/// A reading with quality and age.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenReading {
    /// Value in the point's unit.
    pub value: f64,
    /// Its quality.
    pub quality: Quality,
    /// How many seconds old; 0 … 86400000. Absent: not known.
    #[serde(default)]
    pub age_s: Option<f64>,
}

/// An active alarm.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenAlarm {
    /// Its name.
    pub name: String,
    /// Its priority.
    pub priority: Priority,
    /// Whether the site suppresses it by design: what a person has put aside blocks all the same.
    #[serde(default)]
    pub suppressed: bool,
}

/// What the rules remember.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// The last permitted value.
    #[serde(default)]
    pub last: Option<f64>,
    /// Seconds since the last permitted command, or since the start when there was none; 0 … 1000000.
    #[serde(default)]
    pub since_s: f64,
    /// Seconds since each permitted command of the last minute.
    #[serde(default)]
    pub commands_s: Vec<f64>,
    /// Names of latched trips.
    #[serde(default)]
    pub latched: Vec<String>,
    /// Names of bypassed permissives.
    #[serde(default)]
    pub bypassed: Vec<String>,
}

/// What is wished for.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenCommand {
    /// Value in the target's unit.
    pub value: f64,
    /// Confidence of the behavior that proposes it, 0 … 1. Absent: a person commands.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// Name of who proposes.
    #[serde(default)]
    pub proposer: String,
    /// Milliseconds until it is void; 0 is void already.
    #[serde(default = "second")]
    pub valid_ms: u32,
}

fn second() -> u32 {
    1000
}

/// What is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// The command may be written.
    Permitted,
    /// It may not.
    Refused,
}

/// What a case came to.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// What was found.
    pub found: Expect,
    /// The rule that refused.
    pub rule: Option<String>,
    /// The refusal in a sentence, or empty.
    pub why: String,
    /// Whether it is what was expected.
    pub as_expected: bool,
}

impl Case {
    /// Plays the case.
    ///
    /// # Errors
    /// What the case names that the rules do not have, or a number that is no time.
    pub fn play(&self, book: &Book) -> Result<CaseResult, String> {
        let mut memory = self.memory(book)?;
        let decision = self.with(book, |picture, now| {
            let valid = Duration::from_millis(u64::from(self.command.valid_ms));
            let wish = Wish {
                value: self.command.value,
                by: if self.command.confidence.is_some() { By::Behavior } else { By::Person },
                proposer: &self.command.proposer,
                confidence: self.command.confidence.unwrap_or(f64::NAN),
                not_after: now.wall.plus(valid),
            };
            book.check(&wish, picture, &mut memory, now)
        })?;
        let (found, rule, why) = match decision {
            Decision::Permitted { .. } => (Expect::Permitted, None, String::new()),
            Decision::Refused(refused) => {
                let why = refused.to_string();
                (Expect::Refused, Some(refused.rule), why)
            }
        };
        let as_expected = found == self.expect && (self.rule.is_none() || self.rule == rule);
        Ok(CaseResult { found, rule, why, as_expected })
    }

    /// What each rule reads in this case.
    ///
    /// # Errors
    /// As [`Case::play`].
    pub fn explain(&self, book: &Book) -> Result<Vec<Line>, String> {
        let memory = self.memory(book)?;
        self.with(book, |picture, now| book.explain(&memory, picture, now))
    }

    fn with<T>(&self, book: &Book, then: impl FnOnce(&Picture<'_>, Moment) -> T) -> Result<T, String> {
        let unknown = |name: &&String| !book.points().contains(name);
        if let Some(name) = self.points.keys().find(unknown) {
            return Err(format!("no rule of target \"{}\" reads the point \"{name}\"", self.target));
        }
        let mut readings = Vec::new();
        for name in book.points() {
            readings.push(match self.points.get(name) {
                None => Reading::MISSING,
                Some(Given::Value(value)) => {
                    Reading { value: *value, quality: Quality::Good, age: Some(Duration::ZERO) }
                }
                Some(Given::Reading(given)) => Reading {
                    value: given.value,
                    quality: given.quality,
                    age: given.age_s.map(|age| seconds("age_s", age)).transpose()?,
                },
            });
        }
        let alarms: Vec<ActiveAlarm<'_>> = self
            .alarms
            .iter()
            .map(|given| ActiveAlarm {
                name: &given.name,
                priority: given.priority,
                suppressed: given.suppressed,
            })
            .collect();
        let active: Vec<(&str, &str)> =
            self.active.iter().map(|(group, name)| (group.as_str(), name.as_str())).collect();
        let picture = Picture {
            twin: TwinIndex(0),
            generation: 0,
            authority: self.authority,
            lockout: self.lockout,
            local: self.local,
            owner: self.owner.as_deref(),
            present: match (self.present, self.no_feedback) {
                (Some(value), _) => Present::Value(value),
                (None, true) => Present::NoFeedback,
                (None, false) => Present::Unknown,
            },
            readings: &readings,
            alarms: Some(&alarms),
            active: Some(&active),
        };
        Ok(then(&picture, Moment { wall: Timestamp(1), monotonic: NOW }))
    }

    fn memory(&self, book: &Book) -> Result<Memory, String> {
        let given = &self.memory;
        let ago = |what: &str, span: f64| Ok::<_, String>(NOW.saturating_sub(seconds(what, span)?));
        let mut times =
            given.commands_s.iter().map(|span| ago("commands_s", *span)).collect::<Result<Vec<_>, _>>()?;
        times.sort_unstable();
        for name in &given.latched {
            if !book.trips.iter().any(|(trip, _)| trip.name == *name && trip.latch) {
                return Err(format!("target \"{}\" has no latching trip \"{name}\"", self.target));
            }
        }
        for name in &given.bypassed {
            let may = |rule: &crate::config::Permissive| rule.name == *name && rule.bypass.is_some();
            if !book.permissives.iter().any(|(rule, _)| may(rule)) {
                return Err(format!("target \"{}\" has no permissive \"{name}\" with a bypass", self.target));
            }
        }
        let latch =
            |rule: &String| Latch { rule: rule.clone(), at: Timestamp(0), seen: "the case".to_owned() };
        let bypass = |rule: &String| Bypassed {
            rule: rule.clone(),
            by: "the case".to_owned(),
            reason: self.name.clone(),
            until: NOW.saturating_add(Duration::from_secs(1)),
        };
        Ok(Memory {
            last: given.last,
            since: ago("since_s", given.since_s)?,
            times: times.into(),
            latched: given.latched.iter().map(latch).collect(),
            tripped: Vec::new(),
            bypassed: given.bypassed.iter().map(bypass).collect(),
            seen: Some(NOW),
        })
    }
}

fn seconds(what: &str, span: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(span)
        .map_err(|_| format!("{what} = {span} is not a number of seconds, 0 or more"))
}
