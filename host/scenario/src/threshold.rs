//! Limits that somebody asks about: when will an output be beyond?

use geminus_core::Declaration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A limit of an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Which output, by the name that the plugin declares.
    pub output: String,
    /// Asks when it is at this value or more.
    #[serde(default)]
    pub above: Option<f64>,
    /// Asks when it is at this value or less.
    #[serde(default)]
    pub below: Option<f64>,
}

impl Threshold {
    /// Whether a value is beyond.
    #[must_use]
    pub fn is_beyond(&self, value: f64) -> bool {
        self.above.is_some_and(|above| value >= above) || self.below.is_some_and(|below| value <= below)
    }

    /// Its output among the declared ones.
    #[must_use]
    pub fn place(&self, declaration: &Declaration) -> Option<usize> {
        declaration.outputs.iter().position(|output| output.name == self.output)
    }

    /// What is wrong with it.
    #[must_use]
    pub fn misfit(&self, declaration: &Declaration) -> Option<String> {
        let output = &self.output;
        if self.place(declaration).is_none() {
            let known: Vec<&str> = declaration.outputs.iter().map(|known| known.name.as_str()).collect();
            let (label, known) = (declaration.label(), known.join(", "));
            return Some(format!("threshold: {label} has no output {output}; it has {known}"));
        }
        let limits = [self.above, self.below].into_iter().flatten();
        match (self.above.is_some() == self.below.is_some(), limits.clone().all(f64::is_finite)) {
            (true, _) => Some(format!("threshold of {output}: give either above or below")),
            (_, false) => Some(format!("threshold of {output}: its limit is no number")),
            _ => None,
        }
    }
}
