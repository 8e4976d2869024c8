//! Draws from ranges by Latin hypercube: each range is cut into as many equal parts as there are draws, and each part has
//! exactly one (McKay, Beckman, Conover 1979). The same seed gives the same draws on every machine.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::limits::{DRAWS_MAX, KNOBS_MAX};
use crate::scenario::Scenario;
use crate::study::Sample;

/// One draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    /// What was drawn, by the name of its range.
    pub values: BTreeMap<String, f64>,
    /// The scenario with it.
    pub scenario: Scenario,
}

impl Sample {
    /// Its draws, in order.
    ///
    /// # Errors
    /// Everything that is wrong with it, in words.
    pub fn draw(&self) -> Result<Vec<Drawn>, Vec<String>> {
        let mut wrong = Vec::new();
        if self.count == 0 || self.count > DRAWS_MAX {
            wrong.push(format!("sample.count is {}, 1 to {DRAWS_MAX} are allowed", self.count));
        }
        if self.over.is_empty() || self.over.len() > KNOBS_MAX {
            wrong.push(format!("sample.over has {} ranges, 1 to {KNOBS_MAX} are allowed", self.over.len()));
        }
        for (path, [low, high]) in &self.over {
            if !(low.is_finite() && high.is_finite() && low < high) {
                wrong.push(format!("sample.over.{path}: give the lower end, then the higher one"));
            }
            if let Err(why) = turn(&mut self.scenario.clone(), path, *low) {
                wrong.push(format!("sample.over.{path}: {why}"));
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut dice = Dice::new(self.seed);
        let columns: Vec<Vec<f64>> =
            self.over.values().map(|range| column(&mut dice, self.count, *range)).collect();
        let draw = |number: usize| {
            let mut drawn = Drawn { values: BTreeMap::new(), scenario: self.scenario.clone() };
            drawn.scenario.name = format!("draw {}", number + 1);
            for (path, column) in self.over.keys().zip(&columns) {
                let value = column.get(number).copied().unwrap_or(f64::NAN);
                drawn.values.insert(path.clone(), value);
                turn(&mut drawn.scenario, path, value).map_err(|why| vec![why])?;
            }
            Ok(drawn)
        };
        (0..self.count as usize).map(draw).collect()
    }
}

/// A value in each of `count` equal parts of the range, in random order.
fn column(dice: &mut Dice, count: u32, [low, high]: [f64; 2]) -> Vec<f64> {
    let mut parts: Vec<u32> = (0..count).collect();
    for place in (1..parts.len()).rev() {
        parts.swap(place, dice.below(place + 1));
    }
    let value = |part: u32| low + (high - low) * ((f64::from(part) + dice.roll()) / f64::from(count));
    parts.into_iter().map(value).collect()
}

/// Sets what `path` names: `inputs.NAME` to a constant, `inputs.NAME.scale`, `inputs.NAME.add`, `parameters.NAME`,
/// `faults.NUMBER.by`, `.from_s`, `.to_s`.
fn turn(scenario: &mut Scenario, path: &str, value: f64) -> Result<(), String> {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        ["inputs", name] => {
            scenario.inputs.entry((*name).to_owned()).or_default().points = vec![[0.0, value]]
        }
        ["inputs", name, "scale"] => scenario.inputs.entry((*name).to_owned()).or_default().scale = value,
        ["inputs", name, "add"] => scenario.inputs.entry((*name).to_owned()).or_default().add = value,
        ["parameters", name] => {
            scenario.parameters.insert((*name).to_owned(), Value::from(value));
        }
        ["faults", number, what] => {
            let fault = number.parse().ok().and_then(|number: usize| scenario.faults.get_mut(number));
            let fault =
                fault.ok_or_else(|| format!("the scenario of the sample has no fault number {number}"))?;
            match *what {
                "by" => fault.by = Some(value),
                "from_s" => fault.from_s = value,
                "to_s" => fault.to_s = Some(value),
                _ => return Err("of a fault by, from_s and to_s can be drawn".to_owned()),
            }
        }
        _ => {
            return Err("name inputs.NAME, inputs.NAME.scale, inputs.NAME.add, parameters.NAME or \
                        faults.NUMBER.by"
                .to_owned());
        }
    }
    Ok(())
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub(crate) fn roll(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `end`, which is small: the error of the remainder is of no matter.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(text: &str) -> Sample {
        toml::from_str(text).expect("sample")
    }

    #[test]
    fn each_part_of_each_range_has_one_draw() {
        let sample =
            sample("count = 50\n[over]\n\"inputs.load\" = [1.0, 3.0]\n\"parameters.gain\" = [-1, 1]\n");
        let draws = sample.draw().expect("draws");
        assert_eq!(draws, sample.draw().expect("again"), "the same seed");
        for (path, low) in [("inputs.load", 1.0), ("parameters.gain", -1.0)] {
            let mut parts: Vec<u32> =
                draws.iter().map(|drawn| ((drawn.values[path] - low) / 2.0 * 50.0) as u32).collect();
            assert!(!parts.is_sorted(), "{path}");
            parts.sort_unstable();
            assert_eq!(parts, (0..50).collect::<Vec<_>>(), "{path}");
        }
        let first = &draws[0];
        assert_eq!(first.scenario.inputs["load"].points, [[0.0, first.values["inputs.load"]]]);
        assert_eq!(first.scenario.parameters["gain"], Value::from(first.values["parameters.gain"]));
        assert_eq!(first.scenario.name, "draw 1");
        let other = Sample { seed: 2, ..sample };
        assert_ne!(other.draw().expect("draws")[0].values, first.values);
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let check = |text: &str, expect: &str| {
            let found = sample(text).draw().expect_err(text).join("; ");
            assert!(found.contains(expect), "{found}, not {expect}");
        };
        check("count = 0\n[over]\n\"inputs.load\" = [0, 1]\n", "count is 0");
        check("count = 257\n[over]\n\"inputs.load\" = [0, 1]\n", "1 to 256");
        check("count = 2\n", "over has 0 ranges");
        check("count = 2\n[over]\n\"inputs.load\" = [1, 1]\n", "lower end");
        check("count = 2\n[over]\n\"load\" = [0, 1]\n", "name inputs.NAME");
        check("count = 2\n[over]\n\"faults.0.by\" = [0, 1]\n", "no fault number 0");
        let fault = "[[scenario.faults]]\nkind = \"bias\"\ninput = \"load\"\nby = 1\n";
        check(&format!("count = 2\n[over]\n\"faults.0.kind\" = [0, 1]\n{fault}"), "from_s and to_s");
        let draws = sample(&format!("count = 2\n[over]\n\"faults.0.by\" = [5, 6]\n{fault}")).draw();
        assert!(draws.expect("draws")[0].scenario.faults[0].by.is_some_and(|by| by >= 5.0));
        let many: String = (0..=KNOBS_MAX).map(|at| format!("\"parameters.p{at}\" = [0, 1]\n")).collect();
        check(&format!("count = 2\n[over]\n{many}"), "17 ranges");
    }
}
