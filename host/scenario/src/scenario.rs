//! A scenario: what is otherwise than it is. Inputs take another course, parameters other values, sensors fail.

use std::collections::BTreeMap;

use geminus_core::Declaration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{DELAY_S_MAX, FAULTS_MAX, TRAJECTORY_MAX};
use crate::trajectory;

/// What is otherwise than in the baseline. An empty one is the baseline.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// What it is called in the answer.
    pub name: String,
    /// Inputs that take another course, by the name that the plugin declares.
    pub inputs: BTreeMap<String, InputChange>,
    /// Parameters with other values; the others are those that the twin has.
    pub parameters: Map<String, Value>,
    /// What sensors and clocks do wrong, in this order, after the changes above.
    pub faults: Vec<SensorFault>,
}

/// Another course of an input: a trajectory, or a part more or less of what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InputChange {
    /// Pairs of seconds after the start and a value in the declared unit, in order of time; before the first the input is
    /// what it is in the baseline, after the last it stays.
    pub points: Vec<[f64; 2]>,
    /// What it is between two points.
    pub between: Between,
    /// What its values are multiplied by.
    pub scale: f64,
    /// What is then added, in the declared unit.
    pub add: f64,
}

impl Default for InputChange {
    fn default() -> Self {
        Self { points: Vec::new(), between: Between::Hold, scale: 1.0, add: 0.0 }
    }
}

impl InputChange {
    /// This value throughout.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self { points: vec![[0.0, value]], ..Self::default() }
    }

    pub(crate) fn misfit(&self) -> Option<String> {
        if !self.scale.is_finite() || !self.add.is_finite() {
            return Some("has a scale or an addition that is no number".to_owned());
        }
        trajectory::misfit(&self.points, TRAJECTORY_MAX)
    }
}

/// What a trajectory is between two points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Between {
    /// The value of the point before.
    #[default]
    Hold,
    /// On the line between both.
    Line,
}

/// What a sensor, or the clock of all of them, does wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SensorFault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which input; none for `clock-skew`, which is of all.
    #[serde(default)]
    pub input: Option<String>,
    /// How much: of `bias` in the declared unit, of `drift` in the declared unit per second, of `delay` and `clock-skew` in
    /// seconds, of `dropout` the share of rows (all unless given); not for `stuck`.
    #[serde(default)]
    pub by: Option<f64>,
    /// Seconds after the start when it begins.
    #[serde(default)]
    pub from_s: f64,
    /// Seconds after the start when it is over; never unless given.
    #[serde(default)]
    pub to_s: Option<f64>,
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It goes on saying what it said last, with good quality.
    Stuck,
    /// It says so much more.
    Bias,
    /// It says more and more.
    Drift,
    /// It says nothing: an input that counts once is missing, one that holds keeps its last value as stale.
    Dropout,
    /// It says it later, stamped with the time of arrival.
    Delay,
    /// The times of rows are wrong by so much. A row that is not later than the one before is refused, as the host does.
    ClockSkew,
}

impl FaultKind {
    /// As requests have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Bias => "bias",
            Self::Drift => "drift",
            Self::Dropout => "dropout",
            Self::Delay => "delay",
            Self::ClockSkew => "clock-skew",
        }
    }
}

impl Scenario {
    /// What in it does not fit a behavior that declares this, each with its place in words.
    #[must_use]
    pub fn misfits(&self, declaration: &Declaration) -> Vec<String> {
        let mut found = Vec::new();
        let unknown = |name: &str| {
            let known: Vec<&str> = declaration.inputs.iter().map(|input| input.name.as_str()).collect();
            let missing = !known.contains(&name);
            missing
                .then(|| format!("{} has no input {name}; it has {}", declaration.label(), known.join(", ")))
        };
        for (name, change) in &self.inputs {
            found.extend(unknown(name).or_else(|| Some(format!("input {name} {}", change.misfit()?))));
        }
        if self.faults.len() > FAULTS_MAX {
            found.push(format!("it has {} faults, {FAULTS_MAX} are allowed", self.faults.len()));
        }
        for (number, fault) in self.faults.iter().enumerate() {
            let named = fault.input.as_deref().and_then(&unknown);
            let misfit = named.or_else(|| fault.misfit());
            found.extend(misfit.map(|why| format!("fault {number} ({}): {why}", fault.kind.name())));
        }
        found
    }
}

impl SensorFault {
    fn misfit(&self) -> Option<String> {
        let numbers = [Some(self.from_s), self.to_s, self.by];
        if numbers.into_iter().flatten().any(|number| !number.is_finite()) {
            return Some("it has a number that is none".to_owned());
        }
        if self.to_s.is_some_and(|to_s| to_s <= self.from_s) {
            return Some("it is over before it begins".to_owned());
        }
        let (of_all, by) = (self.kind == FaultKind::ClockSkew, self.by);
        match (of_all, &self.input) {
            (true, Some(_)) => return Some("it is of all inputs, so name none".to_owned()),
            (false, None) => return Some("name its input".to_owned()),
            _ => {}
        }
        let wrong = match (self.kind, by) {
            (FaultKind::Stuck, Some(_)) => "it has no `by`",
            (FaultKind::Bias | FaultKind::Drift | FaultKind::Delay | FaultKind::ClockSkew, None) => {
                "say by how much with `by`"
            }
            (FaultKind::Dropout, Some(by)) if !(0.0..=1.0).contains(&by) => {
                "`by` is a share of rows, from 0 to 1"
            }
            (FaultKind::Delay, Some(by)) if !(0.0..=DELAY_S_MAX).contains(&by) => {
                "`by` is at most a day, and not negative"
            }
            (FaultKind::ClockSkew, Some(by)) if by.abs() > DELAY_S_MAX => "`by` is at most a day",
            _ => return None,
        };
        Some(wrong.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warp::tests::declaration;

    fn check(text: &str, expect: &str) {
        let scenario: Scenario = match toml::from_str(text) {
            Ok(scenario) => scenario,
            Err(error) => {
                let error = error.to_string();
                return assert!(!expect.is_empty() && error.contains(expect), "{error}, not {expect}");
            }
        };
        let found = scenario.misfits(&declaration()).join("; ");
        assert!(found.contains(expect) && found.is_empty() == expect.is_empty(), "{found}, not {expect}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check("", "");
        check("[inputs.load]\npoints = [[0, 1.0], [60, 2.5]]\nbetween = \"line\"\n", "");
        check("[parameters]\ngain = 3\n[[faults]]\nkind = \"stuck\"\ninput = \"load\"\n", "");
        check("[[faults]]\nkind = \"clock-skew\"\nby = -5\nfrom_s = 10\nto_s = 20\n", "");
        check("[inputs.laod]\nadd = 1\n", "ahead@1.0.0 has no input laod; it has load, level");
        check("[inputs.load]\npoints = [[1, 1], [0, 2]]\n", "input load has times that do not increase");
        check("[inputs.load]\nscale = inf\n", "no number");
        check("[[faults]]\nkind = \"bias\"\ninput = \"load\"\n", "fault 0 (bias): say by how much");
        check("[[faults]]\nkind = \"bias\"\nby = 1\n", "name its input");
        check("[[faults]]\nkind = \"clock-skew\"\nby = 1\ninput = \"load\"\n", "of all inputs");
        check("[[faults]]\nkind = \"dropout\"\ninput = \"load\"\nby = 1.5\n", "from 0 to 1");
        check("[[faults]]\nkind = \"delay\"\ninput = \"load\"\nby = -1\n", "not negative");
        check("[[faults]]\nkind = \"delay\"\ninput = \"load\"\nby = 86401\n", "at most a day");
        check("[[faults]]\nkind = \"clock-skew\"\nby = -86401\n", "at most a day");
        check("[[faults]]\nkind = \"stuck\"\ninput = \"load\"\nby = 1\n", "has no `by`");
        check("[[faults]]\nkind = \"stuck\"\ninput = \"load\"\nfrom_s = 5\nto_s = 5\n", "before it begins");
        check("[[faults]]\nkind = \"gone\"\ninput = \"load\"\n", "unknown variant");
        check("[load]\n", "unknown field");
        let many = "[[faults]]\nkind = \"stuck\"\ninput = \"load\"\n".repeat(FAULTS_MAX + 1);
        check(&many, "33 faults, 32 are allowed");
    }
}
