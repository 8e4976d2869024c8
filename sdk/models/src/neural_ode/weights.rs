//! The file of a trained neural ODE: a line for each part, its name and its numbers, `end` last. What is missing, cut
//! short, too long or not finite is told with the line's name; nothing is assumed.
//!
//! ```text
//! geminus-neural-ode 1
//! states 2            how many values are integrated
//! inputs 1            how many are given from outside
//! offset, scale       of states and inputs: the network sees (value − offset) / scale
//! rate                what the network's outputs are multiplied by, for each state
//! lower, upper        of states and inputs: where the training data lies
//! residual            1 σ of the error over one interval of the training data, for each state
//! layers 3 16 16 2    widths, states + inputs first, states last
//! weight, bias        of each layer, rows of weights one after the other
//! end
//! ```

use thiserror::Error;

/// Widest layer, and most layers, that are taken.
const WIDTH_MAX: usize = 1_024;
const LAYERS_MAX: usize = 16;
/// Most states and inputs.
const VALUES_MAX: usize = 64;

/// Why a file is not a neural ODE.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// It is not of this kind, or of a later version.
    #[error("the weights do not begin with \"geminus-neural-ode 1\", export them again")]
    Kind,
    /// It ends, or goes on otherwise, where a line should stand.
    #[error("the line {line} of the weights is missing, the file may be cut short")]
    Missing {
        /// Its name.
        line: &'static str,
    },
    /// A line has more or fewer numbers than it must.
    #[error("the line {line} of the weights has {found} numbers, it must have {expected}")]
    Length {
        /// Its name.
        line: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A word that is not a finite number, or one that makes no sense there.
    #[error("number {index} of the line {line} of the weights is {word:?}, it must be {must}")]
    Number {
        /// Its name.
        line: &'static str,
        /// Where in it, from 0.
        index: usize,
        /// What stands there.
        word: String,
        /// What would do.
        must: &'static str,
    },
    /// Something follows after `end`.
    #[error("the weights go on after their end, take the rest away")]
    Rest,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    pub(super) states: usize,
    pub(super) inputs: usize,
    pub(super) offset: Vec<f64>,
    pub(super) scale: Vec<f64>,
    pub(super) rate: Vec<f64>,
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    pub(super) residual: Vec<f64>,
    pub(super) layers: Vec<Layer>,
}

/// One layer: `outputs` rows of `inputs` weights, and a bias for each row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) inputs: usize,
    pub(super) weight: Vec<f64>,
    pub(super) bias: Vec<f64>,
}

impl Weights {
    pub(super) fn parse(text: &str) -> Result<Self, WeightsError> {
        let mut lines = Lines(text.lines());
        if lines.0.next() != Some("geminus-neural-ode 1") {
            return Err(WeightsError::Kind);
        }
        let states = lines.count("states", 1)?;
        let inputs = lines.count("inputs", 0)?;
        let both = states + inputs;
        let offset = lines.numbers("offset", both)?;
        let scale = lines.positive("scale", both)?;
        let rate = lines.positive("rate", states)?;
        let lower = lines.numbers("lower", both)?;
        let upper = lines.numbers("upper", both)?;
        if let Some(index) = upper.iter().zip(&lower).position(|(upper, lower)| upper <= lower) {
            let word = upper.get(index).map(f64::to_string).unwrap_or_default();
            return Err(WeightsError::Number { line: "upper", index, word, must: "above lower" });
        }
        let residual = lines.numbers("residual", states)?;
        if let Some(index) = residual.iter().position(|residual| *residual < 0.0) {
            let word = residual.get(index).map(f64::to_string).unwrap_or_default();
            return Err(WeightsError::Number { line: "residual", index, word, must: "0 or more" });
        }
        let widths = lines.widths(both, states)?;
        let mut layers = Vec::with_capacity(widths.len() - 1);
        for (inputs, outputs) in widths.iter().zip(widths.iter().skip(1)) {
            let weight = lines.numbers("weight", inputs * outputs)?;
            let bias = lines.numbers("bias", *outputs)?;
            layers.push(Layer { inputs: *inputs, weight, bias });
        }
        lines.numbers("end", 0)?;
        match lines.0.next() {
            None => Ok(Self { states, inputs, offset, scale, rate, lower, upper, residual, layers }),
            Some(_) => Err(WeightsError::Rest),
        }
    }
}

struct Lines<'a>(std::str::Lines<'a>);

impl<'a> Lines<'a> {
    fn words(&mut self, line: &'static str) -> Result<Vec<&'a str>, WeightsError> {
        let mut words = self.0.next().unwrap_or_default().split_ascii_whitespace();
        if words.next() == Some(line) { Ok(words.collect()) } else { Err(WeightsError::Missing { line }) }
    }

    fn numbers(&mut self, line: &'static str, expected: usize) -> Result<Vec<f64>, WeightsError> {
        let words = self.words(line)?;
        if words.len() != expected {
            return Err(WeightsError::Length { line, found: words.len(), expected });
        }
        let number =
            |(index, word): (usize, &&str)| {
                word.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| {
                    WeightsError::Number { line, index, word: (*word).to_owned(), must: "a finite number" }
                })
            };
        words.iter().enumerate().map(number).collect()
    }

    fn positive(&mut self, line: &'static str, expected: usize) -> Result<Vec<f64>, WeightsError> {
        let numbers = self.numbers(line, expected)?;
        match numbers.iter().enumerate().find(|(_, number)| **number <= 0.0) {
            Some((index, number)) => {
                Err(WeightsError::Number { line, index, word: number.to_string(), must: "above 0" })
            }
            None => Ok(numbers),
        }
    }

    fn whole(
        line: &'static str,
        index: usize,
        word: &str,
        least: usize,
        most: usize,
    ) -> Result<usize, WeightsError> {
        let must = "a whole number, neither too small nor too large";
        let number = word.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| WeightsError::Number { line, index, word: word.to_owned(), must })
    }

    fn count(&mut self, line: &'static str, least: usize) -> Result<usize, WeightsError> {
        match self.words(line)?.as_slice() {
            [word] => Self::whole(line, 0, word, least, VALUES_MAX),
            words => Err(WeightsError::Length { line, found: words.len(), expected: 1 }),
        }
    }

    fn widths(&mut self, first: usize, last: usize) -> Result<Vec<usize>, WeightsError> {
        let line = "layers";
        let words = self.words(line)?;
        if !(2..=LAYERS_MAX + 1).contains(&words.len()) {
            return Err(WeightsError::Length { line, found: words.len(), expected: 2 });
        }
        let end = words.len() - 1;
        let width = |(index, word): (usize, &&str)| match index {
            0 => Self::whole(line, index, word, first, first),
            index if index == end => Self::whole(line, index, word, last, last),
            _ => Self::whole(line, index, word, 1, WIDTH_MAX),
        };
        words.iter().enumerate().map(width).collect()
    }
}
