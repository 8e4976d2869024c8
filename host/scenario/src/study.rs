//! A study: what is asked of a fork. How far ahead, which scenarios, which draws; and what of it cannot be.

use std::collections::BTreeMap;
use std::time::Duration;

use geminus_core::Declaration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::draw::Drawn;
use crate::limits::{
    CELLS_MAX, POINTS_MAX, ROWS_ALL_MAX, ROWS_MAX, SCENARIOS_MAX, SPAN_S_MAX, THRESHOLDS_MAX,
};
use crate::scenario::Scenario;
use crate::threshold::Threshold;

/// What would be if?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Study {
    /// Which behavior of the twin; may be left out where it has one only.
    #[serde(default)]
    pub behavior: Option<String>,
    /// How far ahead, in seconds. Not for recorded rows, which have times of their own.
    #[serde(default)]
    pub horizon_s: Option<f64>,
    /// Seconds between two rows; 1 unless given.
    #[serde(default = "second")]
    pub every_s: f64,
    /// What is assumed of inputs whose readings count once.
    #[serde(default)]
    pub measurements: Measurements,
    /// Limits of outputs, of which is told when they are reached.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// What is held against the baseline, each on its own.
    #[serde(default)]
    pub scenarios: Vec<Scenario>,
    /// Many scenarios that are drawn.
    #[serde(default)]
    pub sample: Option<Sample>,
    /// Most entries of each trajectory in the answer.
    #[serde(default = "points")]
    pub points: u32,
}

fn second() -> f64 {
    1.0
}

fn points() -> u32 {
    200
}

impl Default for Study {
    fn default() -> Self {
        Self {
            behavior: None,
            horizon_s: None,
            every_s: second(),
            measurements: Measurements::default(),
            thresholds: Vec::new(),
            scenarios: Vec::new(),
            sample: None,
            points: points(),
        }
    }
}

/// What is assumed of inputs whose readings count once, in rows to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Measurements {
    /// Nobody measures the future: they are missing, and a filter predicts.
    #[default]
    Missing,
    /// Every row has the last reading again.
    Held,
}

/// Scenarios that are drawn by Latin hypercube.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// How many.
    pub count: u32,
    /// The same seed gives the same draws.
    #[serde(default = "seed")]
    pub seed: u64,
    /// What all of them have in common.
    #[serde(default)]
    pub scenario: Scenario,
    /// From where to where each is drawn: `inputs.NAME`, `inputs.NAME.scale`, `inputs.NAME.add`, `parameters.NAME`,
    /// `faults.NUMBER.by`, `.from_s`, `.to_s`.
    #[serde(default)]
    pub over: BTreeMap<String, [f64; 2]>,
}

fn seed() -> u64 {
    1
}

impl Study {
    /// Rows of each run ahead.
    ///
    /// # Errors
    /// When horizon and interval cannot be.
    pub fn rows(&self) -> Result<u64, String> {
        let horizon_s = self.horizon_s.ok_or_else(|| "say how far ahead with horizon_s".to_owned())?;
        let usable = |span_s: f64| span_s.is_finite() && span_s > 0.0 && span_s <= SPAN_S_MAX;
        if !usable(horizon_s) || !usable(self.every_s) || self.every_s < 1e-6 {
            return Err(format!(
                "horizon_s and every_s must be above zero and at most {SPAN_S_MAX} s, every_s at least a microsecond"
            ));
        }
        // A horizon of ten intervals has ten rows, whatever their quotient is rounded to.
        let rows = (horizon_s / self.every_s * (1.0 + 1e-12)).floor() as u64;
        match rows {
            0 => Err("horizon_s is less than every_s, so there is no row".to_owned()),
            rows if rows > ROWS_MAX => {
                Err(format!("{rows} rows are asked for, {ROWS_MAX} are allowed: make every_s larger"))
            }
            rows => Ok(rows),
        }
    }

    /// Time between two rows.
    #[must_use]
    pub fn every(&self) -> Duration {
        Duration::try_from_secs_f64(self.every_s).unwrap_or(Duration::MAX)
    }

    /// The scenarios, then the draws, each held against what the behavior declares; `rows` is how many each has.
    ///
    /// # Errors
    /// Everything that cannot be, in words.
    pub fn plan(
        &self,
        declaration: &Declaration,
        rows: u64,
    ) -> Result<(Vec<Scenario>, Vec<Drawn>), Vec<String>> {
        let mut wrong = Vec::new();
        if self.scenarios.len() > SCENARIOS_MAX {
            wrong.push(format!("{} scenarios, {SCENARIOS_MAX} are allowed", self.scenarios.len()));
        }
        if self.thresholds.len() > THRESHOLDS_MAX {
            wrong.push(format!("{} thresholds, {THRESHOLDS_MAX} are allowed", self.thresholds.len()));
        }
        if self.points == 0 || self.points > POINTS_MAX {
            wrong.push(format!("points is {}, 1 to {POINTS_MAX} are allowed", self.points));
        }
        wrong.extend(self.thresholds.iter().filter_map(|threshold| threshold.misfit(declaration)));
        let mut scenarios = self.scenarios.clone();
        for (scenario, number) in scenarios.iter_mut().zip(1_usize..) {
            if scenario.name.is_empty() {
                scenario.name = format!("scenario {number}");
            }
            let misfits = scenario.misfits(declaration);
            wrong.extend(misfits.into_iter().map(|why| format!("{}: {why}", scenario.name)));
        }
        let drawn = self.sample.as_ref().map_or(Ok(Vec::new()), Sample::draw);
        let drawn = drawn.unwrap_or_else(|reasons| {
            wrong.extend(reasons);
            Vec::new()
        });
        // All draws have the same shape, but a value of one may be out of range where another's is not.
        let misfit = drawn.iter().find_map(|drawn| {
            drawn.scenario.misfits(declaration).into_iter().next().map(|why| (&drawn.scenario.name, why))
        });
        wrong.extend(misfit.map(|(name, why)| format!("{name} of the sample: {why}")));
        let runs = 1 + scenarios.len() as u64 + drawn.len() as u64;
        if runs.saturating_mul(rows) > ROWS_ALL_MAX {
            wrong.push(format!("{runs} runs of {rows} rows, {ROWS_ALL_MAX} rows are allowed in all"));
        }
        let outputs = declaration.outputs.len() as u64;
        let cells = (1 + scenarios.len() as u64) * outputs * u64::from(self.points).min(rows);
        if cells > CELLS_MAX {
            wrong.push(format!(
                "{cells} numbers would be in the answer, {CELLS_MAX} are allowed: ask for fewer points"
            ));
        }
        if wrong.is_empty() { Ok((scenarios, drawn)) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::warp::tests::declaration;

    #[test]
    fn a_horizon_has_its_rows_and_a_limit() {
        let check = |horizon_s, every_s, expect: Result<u64, &str>| {
            let study = Study { horizon_s, every_s, ..Study::default() };
            match (study.rows(), expect) {
                (Ok(found), Ok(rows)) => assert_eq!(found, rows),
                (Err(error), Err(says)) => assert!(error.contains(says), "{error}, not {says}"),
                (found, _) => panic!("{horizon_s:?} {every_s}: {found:?}"),
            }
        };
        check(Some(3.0), 0.1, Ok(30));
        check(Some(0.3), 0.1, Ok(3));
        check(Some(100_000.0), 1.0, Ok(ROWS_MAX));
        check(Some(100_001.0), 1.0, Err("100001 rows"));
        check(Some(0.5), 1.0, Err("no row"));
        check(None, 1.0, Err("say how far"));
        check(Some(f64::NAN), 1.0, Err("above zero"));
        check(Some(1.0), 0.0, Err("above zero"));
        check(Some(-1.0), 1.0, Err("above zero"));
    }

    #[test]
    fn what_is_asked_is_held_against_the_declaration_and_the_limits() {
        let check = |text: &str, rows, expect: &str| {
            let study: Study = toml::from_str(text).expect(text);
            let found = study.plan(&declaration(), rows).err().unwrap_or_default().join("; ");
            assert!(found.contains(expect) && found.is_empty() == expect.is_empty(), "{found}, not {expect}");
        };
        check("", 10, "");
        check("[[thresholds]]\noutput = \"heat\"\nabove = 3\n[[scenarios]]\n", 10, "");
        check("[[thresholds]]\noutput = \"cold\"\nabove = 3\n", 10, "no output cold; it has heat, rate");
        check("[[thresholds]]\noutput = \"heat\"\n", 10, "either above or below");
        check("[[thresholds]]\noutput = \"heat\"\nabove = 3\nbelow = 1\n", 10, "either above or below");
        check("[[scenarios]]\n[scenarios.inputs.x]\n", 10, "scenario 1: ahead@1.0.0 has no input x");
        check("[sample]\ncount = 3\n", 10, "over has 0 ranges");
        check("[sample]\ncount = 3\nover = { \"inputs.x\" = [0, 1] }\n", 10, "draw 1 of the sample");
        check(
            "[sample]\ncount = 100\nover = { \"inputs.load\" = [0, 1] }\n",
            20_000,
            "101 runs of 20000 rows",
        );
        check("points = 0\n", 10, "points is 0");
        check("points = 1001\n", 10, "1 to 1000");
        let many = "[[scenarios]]\n".repeat(SCENARIOS_MAX + 1);
        check(&many, 10, "33 scenarios, 32 are allowed");
        let many = "[[thresholds]]\noutput = \"heat\"\nabove = 1\n".repeat(THRESHOLDS_MAX + 1);
        check(&many, 10, "33 thresholds, 32 are allowed");
        assert!(toml::from_str::<Study>("horizon = 3\n").is_err());
    }

    #[test]
    fn an_answer_has_a_largest_size() {
        let mut wide = (*declaration()).clone();
        let output = wide.outputs[0].clone();
        wide.outputs = (0..250)
            .map(|at| geminus_core::declaration::Output { name: format!("o{at}"), ..output.clone() })
            .collect();
        let study = Study { points: POINTS_MAX, scenarios: vec![Scenario::default(); 2], ..Study::default() };
        let found = study.plan(&wide, 1_000).expect_err("too much").join("; ");
        assert!(found.contains("750000 numbers would be in the answer"), "{found}");
        assert!(study.plan(&wide, 600).is_ok());
    }
}
