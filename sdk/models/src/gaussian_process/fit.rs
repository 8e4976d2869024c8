//! Finds the hyperparameters under which the outputs are most likely: quasi-Newton ascent of the log marginal likelihood
//! over the logarithms of the hyperparameters, from a start and from others drawn at random.
//!
//! ```text
//! ∂ ln p / ∂θ = ½ tr((α αᵀ − K⁻¹) ∂K/∂θ)
//! ```
//!
//! Source: Rasmussen and Williams, eq. 5.9. Cost: rows³ for each of some fifty evaluations of each start; it allocates.
#![expect(clippy::indexing_slicing, reason = "rows and columns are counted when the data comes in")]

use super::kernel::matern;
use super::{GaussianProcess, GaussianProcessError, Hyperparameters, JITTER, checked, count, log_likelihood};
use crate::bad_input::BadInput;
use crate::quasi_newton::{Descent, descend};
use crate::triangular::{backward, factor, forward, invert};

/// Bounds of the lengths in spreads of their column, of the amplitude, and of the noise.
const LENGTH: (f64, f64) = (1e-3, 1e6);
const AMPLITUDE: (f64, f64) = (1e-5, 1e5);
const NOISE: (f64, f64) = (1e-8, 10.0);
/// Where random starts are drawn from, in the same terms.
const DRAWN_LENGTH: (f64, f64) = (0.1, 10.0);
const DRAWN_AMPLITUDE: (f64, f64) = (0.3, 30.0);
const DRAWN_NOISE: (f64, f64) = (1e-6, 0.3);
/// Where the first start stands when none is given.
const START_NOISE: f64 = 1e-3;
/// Most random starts.
const RESTARTS_MAX: usize = 100;

/// How to look for hyperparameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Random starts besides the first, at most 100.
    pub restarts: usize,
    /// Where the first begins: those of an earlier fit, say. None begins at the spreads of the columns.
    pub start: Option<Hyperparameters>,
    /// Evaluations of the likelihood for each start.
    pub evaluations_max: usize,
    /// Lowest and highest that each may become. None leaves them as wide as makes sense; few rows say little, and what is
    /// known beforehand then belongs here.
    pub within: Option<(Hyperparameters, Hyperparameters)>,
}

impl Default for Fit {
    fn default() -> Self {
        Self { restarts: 5, start: None, evaluations_max: 200, within: None }
    }
}

impl GaussianProcess {
    /// A surrogate of rows with `inputs` inputs each, with the hyperparameters that make the outputs most likely.
    /// `uniform` draws numbers 0 ≤ u < 1 for the random starts: the same draws give the same surrogate.
    ///
    /// # Errors
    /// As `new`, and for a column of `x` that is constant: nothing can be learned about it.
    pub fn fit(
        x: &[f64],
        y: &[f64],
        inputs: usize,
        fit: &Fit,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<Self, GaussianProcessError> {
        let (centre, spread) = checked(x, y, inputs)?;
        if fit.restarts > RESTARTS_MAX {
            let (field, found) = ("restarts", fit.restarts);
            return Err(BadInput::TooMany { field, found, most: RESTARTS_MAX }.into());
        }
        let spreads = column_spreads(x, inputs)?;
        let normal: Vec<f64> = y.iter().map(|y| (y - centre) / spread).collect();
        let mut likelihood = Likelihood::new(x, &normal, inputs);
        let (lower, upper) = bounds(&spreads, inputs, fit.within.as_ref())?;
        let first = match &fit.start {
            Some(start) => {
                start.check(inputs)?;
                logarithms(&start.lengths, 1.0, start.amplitude, start.noise.max(NOISE.0))
            }
            None => logarithms(&spreads, 1.0, 1.0, START_NOISE),
        };
        let mut best: Option<(f64, Vec<f64>)> = None;
        for number in 0..=fit.restarts {
            let start = if number == 0 {
                first.clone()
            } else {
                let mut draw = |(low, high): (f64, f64)| low * libm::pow(high / low, uniform());
                let lengths: Vec<f64> = spreads.iter().map(|spread| spread * draw(DRAWN_LENGTH)).collect();
                logarithms(&lengths, 1.0, draw(DRAWN_AMPLITUDE), draw(DRAWN_NOISE))
            };
            let rules = Descent { lower: &lower, upper: &upper, evaluations_max: fit.evaluations_max };
            let found = descend(&rules, start, &mut |theta, gradient| likelihood.negative(theta, gradient));
            if let Some((value, theta)) = found
                && best.as_ref().is_none_or(|(least, _)| value < *least)
            {
                best = Some((value, theta));
            }
        }
        let (_, theta) = best.ok_or(GaussianProcessError::NotPositiveDefinite { rows: y.len() })?;
        Self::new(x, y, from_logarithms(&theta, inputs))
    }
}

/// Lowest and highest θ: the given ones, and never beyond what makes sense.
fn bounds(
    spreads: &[f64],
    inputs: usize,
    within: Option<&(Hyperparameters, Hyperparameters)>,
) -> Result<(Vec<f64>, Vec<f64>), BadInput> {
    let widest_lower = logarithms(spreads, LENGTH.0, AMPLITUDE.0, NOISE.0);
    let widest_upper = logarithms(spreads, LENGTH.1, AMPLITUDE.1, NOISE.1);
    let Some((least, most)) = within else { return Ok((widest_lower, widest_upper)) };
    least.check(inputs)?;
    most.check(inputs)?;
    let given = |at: &Hyperparameters| {
        let noise = at.noise.max(NOISE.0);
        let clamped = logarithms(&at.lengths, 1.0, at.amplitude, noise).into_iter();
        let clamped = clamped.zip(widest_lower.iter().zip(&widest_upper));
        clamped.map(|(value, (lower, upper))| value.clamp(*lower, *upper)).collect::<Vec<f64>>()
    };
    let (lower, upper) = (given(least), given(most));
    match lower.iter().zip(&upper).position(|(lower, upper)| lower > upper) {
        Some(index) => {
            let (value, must) = (libm::exp(lower[index]), "at most the highest");
            Err(BadInput::Range { field: "within", index, value, must })
        }
        None => Ok((lower, upper)),
    }
}

/// θ = ln (length_0, …, amplitude, noise).
fn logarithms(lengths: &[f64], times: f64, amplitude: f64, noise: f64) -> Vec<f64> {
    let lengths = lengths.iter().map(|length| length * times);
    lengths.chain([amplitude, noise]).map(libm::log).collect()
}

fn from_logarithms(theta: &[f64], inputs: usize) -> Hyperparameters {
    Hyperparameters {
        lengths: theta[..inputs].iter().map(|t| libm::exp(*t)).collect(),
        amplitude: libm::exp(theta[inputs]),
        noise: libm::exp(theta[inputs + 1]),
    }
}

fn column_spreads(x: &[f64], inputs: usize) -> Result<Vec<f64>, BadInput> {
    let rows = count(x.len() / inputs);
    let spread = |column: usize| {
        let values = || x.iter().skip(column).step_by(inputs);
        let mean = values().sum::<f64>() / rows;
        let spread = (values().map(|v| (v - mean) * (v - mean)).sum::<f64>() / rows).sqrt();
        // Below the last bits of the mean a spread is rounding.
        if spread > 1e-14 * mean.abs() && spread.is_finite() {
            Ok(spread)
        } else {
            Err(BadInput::Constant { field: "x", column })
        }
    };
    (0..inputs).map(spread).collect()
}

/// The negative log marginal likelihood and its gradient, in storage that is made once for a fit.
struct Likelihood<'a> {
    x: &'a [f64],
    normal: &'a [f64],
    inputs: usize,
    l: Vec<f64>,
    inverse: Vec<f64>,
    alpha: Vec<f64>,
    /// Slope of the kernel for each pair, and its value, both times the amplitude.
    slopes: Vec<f64>,
    values: Vec<f64>,
}

impl<'a> Likelihood<'a> {
    fn new(x: &'a [f64], normal: &'a [f64], inputs: usize) -> Self {
        let square = || vec![0.0; normal.len() * normal.len()];
        let alpha = vec![0.0; normal.len()];
        Self { x, normal, inputs, l: square(), inverse: square(), alpha, slopes: square(), values: square() }
    }

    /// `None` where the covariance cannot be factored.
    fn negative(&mut self, theta: &[f64], gradient: &mut [f64]) -> Option<f64> {
        let (n, inputs) = (self.normal.len(), self.inputs);
        let at = from_logarithms(theta, inputs);
        let scales: Vec<f64> = at.lengths.iter().map(|length| 1.0 / (length * length)).collect();
        for i in 0..n {
            let a = &self.x[i * inputs..(i + 1) * inputs];
            for j in 0..i {
                let b = &self.x[j * inputs..(j + 1) * inputs];
                let square = scales.iter().enumerate().map(|(d, s)| (a[d] - b[d]) * (a[d] - b[d]) * s);
                let (value, slope) = matern(square.sum());
                self.values[i * n + j] = at.amplitude * value;
                self.l[i * n + j] = at.amplitude * value;
                self.slopes[i * n + j] = at.amplitude * slope;
            }
            self.l[i * n + i] = at.amplitude + at.noise + JITTER;
        }
        factor(&mut self.l, n)?;
        self.alpha.copy_from_slice(self.normal);
        forward(&self.l, n, &mut self.alpha);
        backward(&self.l, n, &mut self.alpha);
        invert(&self.l, n, &mut self.inverse);

        gradient.fill(0.0);
        for i in 0..n {
            let a = &self.x[i * inputs..(i + 1) * inputs];
            for j in 0..i {
                let b = &self.x[j * inputs..(j + 1) * inputs];
                // Twice, for (i, j) and (j, i), and halved by the formula.
                let weight = self.alpha[i] * self.alpha[j] - self.inverse[i * n + j];
                let slope = weight * self.slopes[i * n + j];
                for (d, scale) in scales.iter().enumerate() {
                    gradient[d] -= slope * (a[d] - b[d]) * (a[d] - b[d]) * scale;
                }
                gradient[inputs] -= weight * self.values[i * n + j];
            }
            let weight = 0.5 * (self.alpha[i] * self.alpha[i] - self.inverse[i * n + i]);
            gradient[inputs] -= weight * at.amplitude;
            gradient[inputs + 1] -= weight * at.noise;
        }
        Some(-log_likelihood(self.normal, &self.alpha, &self.l))
    }
}
