//! A neural ODE: rates of change by a small dense network, integrated by Runge-Kutta, weights read from a file.
//!
//! ```text
//! dx/dt = rate ⊙ net((x − offset_x) / scale_x, (u − offset_u) / scale_u)        net: dense layers, tanh between them
//! ```
//!
//! Inputs are held over an interval (`hold`), or go in a straight line from its begin to its end (`ramp`); they are never
//! averaged over more than that. Training is done elsewhere (`golden/neural_ode.py`). Where state or input leaves what the
//! training data spans, the answer says so. Buffers are made when the file is read; a step allocates nothing. Source:
//! Chen, Rubanova, Bettencourt, Duvenaud, *Neural Ordinary Differential Equations*, NeurIPS 2018.
#![expect(
    clippy::indexing_slicing,
    reason = "lengths are checked when weights are read and when states come in"
)]

mod weights;

use thiserror::Error;

use crate::bad_input::{self, BadInput};
use crate::ode::{OdeError, Rk4};
use crate::triangular::dot;
use weights::Weights;
pub use weights::WeightsError;

/// Most intervals of one forecast.
pub const INTERVALS_MAX: usize = 10_000;
/// Step of the differences that tell how errors grow, as a part of a state's scale.
const DIFFERENCE: f64 = 1e-5;

/// Why there is no forecast.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NeuralOdeError {
    /// A field that cannot be worked with.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// What went wrong on the way.
    #[error(transparent)]
    Integration(#[from] OdeError),
}

/// A trained model and its buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct NeuralOde {
    net: Net,
    solver: Rk4,
    /// For forecasts: the covariance, its image, the sensitivity, and states beside the present one.
    covariance: Vec<f64>,
    image: Vec<f64>,
    sensitivity: Vec<f64>,
    beside: Vec<f64>,
}

/// The network with what scales it.
#[derive(Clone, Debug, PartialEq)]
struct Net {
    weights: Weights,
    /// What goes into a layer, and what comes out.
    front: Vec<f64>,
    back: Vec<f64>,
    input: Vec<f64>,
}

/// How the input goes over an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course<'a> {
    /// It stays where it is.
    Hold(&'a [f64]),
    /// It goes in a straight line from one to the other.
    Ramp(&'a [f64], &'a [f64]),
}

impl NeuralOde {
    /// Reads a model; the format stands at `WeightsError`'s file and in the README.
    ///
    /// # Errors
    /// For the first line that is not as it must be.
    pub fn read(text: &str) -> Result<Self, WeightsError> {
        let weights = Weights::parse(text)?;
        let widest = weights.layers.iter().map(|layer| layer.inputs.max(layer.bias.len())).max().unwrap_or(1);
        let (states, inputs) = (weights.states, weights.inputs);
        let solver = Rk4::new(states).map_err(|_| WeightsError::Missing { line: "states" })?;
        let net =
            Net { weights, front: vec![0.0; widest], back: vec![0.0; widest], input: vec![0.0; inputs] };
        let square = || vec![0.0; states * states];
        let (covariance, image, sensitivity) = (square(), square(), square());
        Ok(Self { net, solver, covariance, image, sensitivity, beside: vec![0.0; states] })
    }

    /// How many values are integrated.
    #[must_use]
    pub fn states(&self) -> usize {
        self.net.weights.states
    }

    /// How many are given from outside.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.net.weights.inputs
    }

    /// Whether the training data spans this state and input.
    #[must_use]
    pub fn knows(&self, x: &[f64], u: &[f64]) -> bool {
        let Weights { lower, upper, .. } = &self.net.weights;
        let values = x.iter().chain(u);
        x.len() == self.states()
            && u.len() == self.inputs()
            && values.zip(lower.iter().zip(upper)).all(|(v, (lower, upper))| (*lower..=*upper).contains(v))
    }

    /// Rates of change at this state and input.
    ///
    /// # Errors
    /// For another number of values, and what is not finite.
    pub fn rates(&mut self, x: &[f64], u: &[f64], out: &mut [f64]) -> Result<(), BadInput> {
        self.checked(x, Course::Hold(u))?;
        if out.len() != self.states() {
            return Err(BadInput::Length { field: "out", found: out.len(), expected: self.states() });
        }
        self.net.input.copy_from_slice(u);
        self.net.rates(x, out);
        Ok(())
    }

    /// Advances `x` over one interval in `substeps` steps of Runge-Kutta. The answer is whether the training data spans
    /// begin and end of it.
    ///
    /// # Errors
    /// For another number of values, what is not finite, and no substeps; `x` may have gone part of the way.
    pub fn advance(
        &mut self,
        x: &mut [f64],
        course: Course<'_>,
        duration: f64,
        substeps: u32,
    ) -> Result<bool, NeuralOdeError> {
        self.checked(x, course)?;
        let (first, last) = match course {
            Course::Hold(u) => (u, u),
            Course::Ramp(first, last) => (first, last),
        };
        let known = self.knows(x, first);
        let Self { net, solver, .. } = self;
        let mut rates = |t: f64, x: &[f64], out: &mut [f64]| {
            let part = if duration == 0.0 { 0.0 } else { t / duration };
            for (input, (first, last)) in net.input.iter_mut().zip(first.iter().zip(last)) {
                *input = first + part * (last - first);
            }
            net.rates(x, out);
        };
        solver.integrate(&mut rates, 0.0, duration, substeps, x)?;
        Ok(known && self.knows(x, last))
    }

    /// Forecasts with inputs that are held over each interval, and says how sure that is.
    ///
    /// `u` has the inputs of each interval one after the other, `deviation` is 1 σ of the start. For the end of each
    /// interval, `states` values go into `means` and as many into `deviations`. The covariance goes by the differences of
    /// the model, `P ← J P Jᵀ + R`, `R` being that of the errors over one interval of the training data: so intervals
    /// shall be as long as those. The answer is how many intervals from the start on are spanned by the training data.
    ///
    /// # Errors
    /// For lists that do not fit, what is not finite, and more than ten thousand intervals.
    pub fn forecast(
        &mut self,
        (x, deviation): (&[f64], &[f64]),
        u: &[f64],
        (duration, substeps): (f64, u32),
        means: &mut [f64],
        deviations: &mut [f64],
    ) -> Result<usize, NeuralOdeError> {
        let (states, inputs) = (self.states(), self.inputs());
        let intervals = means.len() / states;
        if intervals > INTERVALS_MAX {
            return Err(BadInput::TooMany { field: "means", found: intervals, most: INTERVALS_MAX }.into());
        }
        bad_input::finite("x", x, states)?;
        bad_input::finite("deviation", deviation, states)?;
        bad_input::within("deviation", deviation, "0 or more", |value| value >= 0.0)?;
        bad_input::finite("u", u, intervals * inputs)?;
        for (field, found) in [("means", means.len()), ("deviations", deviations.len())] {
            if found != intervals * states || found == 0 {
                return Err(BadInput::Length { field, found, expected: intervals.max(1) * states }.into());
            }
        }
        self.covariance.fill(0.0);
        for (i, deviation) in deviation.iter().enumerate() {
            self.covariance[i * states + i] = deviation * deviation;
        }
        let mut spanned = 0;
        for interval in 0..intervals {
            let input = &u[interval * inputs..(interval + 1) * inputs];
            let (before, now) = means.split_at_mut(interval * states);
            let begin = if interval == 0 { x } else { &before[(interval - 1) * states..] };
            let end = &mut now[..states];
            end.copy_from_slice(begin);
            let known = self.advance(end, Course::Hold(input), duration, substeps)?;
            self.spread(begin, end, input, (duration, substeps))?;
            for i in 0..states {
                let variance = self.covariance[i * states + i];
                if !variance.is_finite() {
                    return Err(OdeError::NotFinite { time: duration }.into());
                }
                deviations[interval * states + i] = variance.max(0.0).sqrt();
            }
            spanned += usize::from(known && spanned == interval);
        }
        Ok(spanned)
    }

    /// Carries the covariance over an interval.
    fn spread(
        &mut self,
        begin: &[f64],
        end: &[f64],
        input: &[f64],
        (duration, substeps): (f64, u32),
    ) -> Result<(), NeuralOdeError> {
        let n = self.states();
        for j in 0..n {
            let step = DIFFERENCE * self.net.weights.scale[j];
            let mut beside = std::mem::take(&mut self.beside);
            beside.copy_from_slice(begin);
            beside[j] += step;
            let advanced = self.advance(&mut beside, Course::Hold(input), duration, substeps);
            for i in 0..n {
                self.sensitivity[i * n + j] = (beside[i] - end[i]) / step;
            }
            self.beside = beside;
            advanced?;
        }
        // The covariance is symmetric, so its rows are its columns.
        for i in 0..n {
            for j in 0..n {
                let row = &self.sensitivity[i * n..(i + 1) * n];
                self.image[i * n + j] = dot(row, &self.covariance[j * n..(j + 1) * n]);
            }
        }
        for i in 0..n {
            for j in 0..=i {
                let row = &self.image[i * n..(i + 1) * n];
                let mut value = dot(row, &self.sensitivity[j * n..(j + 1) * n]);
                if i == j {
                    value += self.net.weights.residual[i] * self.net.weights.residual[i];
                }
                self.covariance[i * n + j] = value;
                self.covariance[j * n + i] = value;
            }
        }
        Ok(())
    }

    fn checked(&self, x: &[f64], course: Course<'_>) -> Result<(), BadInput> {
        bad_input::finite("x", x, self.states())?;
        match course {
            Course::Hold(u) => bad_input::finite("u", u, self.inputs()),
            Course::Ramp(first, last) => {
                bad_input::finite("u", first, self.inputs())?;
                bad_input::finite("u", last, self.inputs())
            }
        }
    }
}

impl Net {
    /// Rates at this state and at the input that was set.
    fn rates(&mut self, x: &[f64], out: &mut [f64]) {
        let Weights { offset, scale, rate, layers, .. } = &self.weights;
        let values = x.iter().chain(&self.input).zip(offset.iter().zip(scale));
        for (into, (value, (offset, scale))) in self.front.iter_mut().zip(values) {
            *into = (value - offset) / scale;
        }
        for (number, layer) in layers.iter().enumerate() {
            let last = number + 1 == layers.len();
            let rows = layer.weight.chunks_exact(layer.inputs).zip(&layer.bias);
            for (into, (row, bias)) in self.back.iter_mut().zip(rows) {
                let sum = bias + dot(row, &self.front[..layer.inputs]);
                *into = if last { sum } else { libm::tanh(sum) };
            }
            std::mem::swap(&mut self.front, &mut self.back);
        }
        for (out, (value, rate)) in out.iter_mut().zip(self.front.iter().zip(rate)) {
            *out = rate * value;
        }
    }
}
