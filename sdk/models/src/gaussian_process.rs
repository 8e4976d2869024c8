//! Gaussian process regression: from rows of inputs and one output, what the output is elsewhere and how sure that is.
//!
//! With `K = k(X, X) + (noise + 1e-10) I` over the outputs `y` in units of their spread around their mean:
//!
//! ```text
//! mean(x) = k(x, X) K⁻¹ y        variance(x) = k(x, x) + noise − k(x, X) K⁻¹ k(X, x)
//! ```
//!
//! Names and conventions follow scikit-learn's `GaussianProcessRegressor(ConstantKernel * Matern(nu=2.5) + WhiteKernel,
//! normalize_y=True)`: the deviation is that of an observation, with its noise. `fit` finds the hyperparameters; a
//! prediction allocates nothing. Source: Rasmussen and Williams, *Gaussian Processes for Machine Learning*, algorithm 2.1.
#![expect(clippy::indexing_slicing, reason = "rows and columns are counted when the data comes in")]

mod fit;
mod kernel;

use thiserror::Error;

use crate::bad_input::{self, BadInput};
use crate::triangular::{backward, dot, factor, forward, ln_determinant};
pub use fit::Fit;
pub use kernel::Hyperparameters;

/// Most rows that are taken: their covariance is 32 MB then, and a prediction takes a millisecond.
pub const ROWS_MAX: usize = 2_000;
/// Most inputs that are taken.
pub const INPUTS_MAX: usize = 32;
/// What the diagonal gets besides noise, so that rows that repeat do no harm; scikit-learn's `alpha`.
const JITTER: f64 = 1e-10;
const LN_2_PI: f64 = 1.837_877_066_409_345_5;

/// Why there is no surrogate.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum GaussianProcessError {
    /// A field that cannot be worked with.
    #[error(transparent)]
    Input(#[from] BadInput),
    /// `K` could not be factored.
    #[error(
        "the covariance of the {rows} rows is not positive definite: raise noise, or leave out rows that repeat"
    )]
    NotPositiveDefinite {
        /// How many there are.
        rows: usize,
    },
}

/// What a surrogate says of one point, in the unit of the output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Most likely output.
    pub mean: f64,
    /// 1 σ of an observation there, with its noise.
    pub deviation: f64,
    /// 1 σ of the output itself, without noise.
    pub latent_deviation: f64,
    /// 1 σ of the output itself before any data was seen; far from the data the one above comes to this.
    pub prior_deviation: f64,
}

/// A surrogate of `inputs` inputs and one output.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianProcess {
    hyperparameters: Hyperparameters,
    inputs: usize,
    /// Rows of inputs, one after the other.
    x: Vec<f64>,
    /// Lower Cholesky factor of `K`.
    l: Vec<f64>,
    /// `K⁻¹ y`, `y` in units of its spread.
    alpha: Vec<f64>,
    centre: f64,
    spread: f64,
    log_likelihood: f64,
    /// Covariances of the point at hand with the rows.
    covariances: Vec<f64>,
}

impl GaussianProcess {
    /// A surrogate with these hyperparameters. `x` holds rows of inputs one after the other, `y` their outputs.
    ///
    /// # Errors
    /// For empty, uneven or constant outputs, what is not finite, and covariances that cannot be factored.
    pub fn new(x: &[f64], y: &[f64], hyperparameters: Hyperparameters) -> Result<Self, GaussianProcessError> {
        let inputs = hyperparameters.lengths.len();
        let (centre, spread) = checked(x, y, inputs)?;
        hyperparameters.check(inputs)?;
        let rows = y.len();
        let mut l = vec![0.0; rows * rows];
        covariance(x, inputs, &hyperparameters, &mut l);
        factor(&mut l, rows).ok_or(GaussianProcessError::NotPositiveDefinite { rows })?;
        let normal: Vec<f64> = y.iter().map(|y| (y - centre) / spread).collect();
        let mut alpha = normal.clone();
        forward(&l, rows, &mut alpha);
        backward(&l, rows, &mut alpha);
        let log_likelihood = log_likelihood(&normal, &alpha, &l);
        let covariances = vec![0.0; rows];
        Ok(Self {
            hyperparameters,
            inputs,
            x: x.to_vec(),
            l,
            alpha,
            centre,
            spread,
            log_likelihood,
            covariances,
        })
    }

    /// What the output is at this point.
    ///
    /// # Errors
    /// When `at` has not as many numbers as there are inputs, or one is not finite.
    pub fn predict(&mut self, at: &[f64]) -> Result<Prediction, BadInput> {
        bad_input::finite("at", at, self.inputs)?;
        for (k, row) in self.covariances.iter_mut().zip(self.x.chunks_exact(self.inputs)) {
            *k = self.hyperparameters.covariance(at, row);
        }
        let mean = dot(&self.covariances, &self.alpha);
        forward(&self.l, self.alpha.len(), &mut self.covariances);
        let prior = self.hyperparameters.amplitude;
        let latent = (prior - dot(&self.covariances, &self.covariances)).max(0.0);
        Ok(Prediction {
            mean: self.centre + self.spread * mean,
            deviation: self.spread * (latent + self.hyperparameters.noise).sqrt(),
            latent_deviation: self.spread * latent.sqrt(),
            prior_deviation: self.spread * prior.sqrt(),
        })
    }

    /// Logarithm of the density of the outputs in units of their spread, under these hyperparameters.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// What shapes the covariance.
    #[must_use]
    pub fn hyperparameters(&self) -> &Hyperparameters {
        &self.hyperparameters
    }

    /// How many inputs there are.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The rows of inputs that it knows, one after the other.
    #[must_use]
    pub fn rows(&self) -> &[f64] {
        &self.x
    }
}

/// Refuses data that teaches nothing; gives mean and spread of the outputs.
fn checked(x: &[f64], y: &[f64], inputs: usize) -> Result<(f64, f64), BadInput> {
    if inputs == 0 {
        return Err(BadInput::Empty { field: "lengths", least: 1 });
    }
    if inputs > INPUTS_MAX {
        return Err(BadInput::TooMany { field: "lengths", found: inputs, most: INPUTS_MAX });
    }
    if y.len() < 2 {
        return Err(BadInput::Empty { field: "y", least: 2 });
    }
    if y.len() > ROWS_MAX {
        return Err(BadInput::TooMany { field: "y", found: y.len(), most: ROWS_MAX });
    }
    bad_input::finite("y", y, y.len())?;
    bad_input::finite("x", x, y.len() * inputs)?;
    let rows = count(y.len());
    let centre = y.iter().sum::<f64>() / rows;
    let spread = (y.iter().map(|y| (y - centre) * (y - centre)).sum::<f64>() / rows).sqrt();
    // Below the last bits of the mean a spread is rounding.
    if spread <= 1e-14 * centre.abs() {
        return Err(BadInput::Constant { field: "y", column: 0 });
    }
    bad_input::finite("y", &[spread], 1)?;
    Ok((centre, spread))
}

/// The lower triangle of `K`.
fn covariance(x: &[f64], inputs: usize, hyperparameters: &Hyperparameters, k: &mut [f64]) {
    let rows = x.len() / inputs;
    for (i, a) in x.chunks_exact(inputs).enumerate() {
        for (j, b) in x.chunks_exact(inputs).take(i).enumerate() {
            k[i * rows + j] = hyperparameters.covariance(a, b);
        }
        k[i * rows + i] = hyperparameters.amplitude + hyperparameters.noise + JITTER;
    }
}

fn log_likelihood(normal: &[f64], alpha: &[f64], l: &[f64]) -> f64 {
    let rows = normal.len();
    -0.5 * (dot(normal, alpha) + ln_determinant(l, rows) + count(rows) * LN_2_PI)
}

#[expect(clippy::cast_precision_loss, reason = "a number of rows is far below 2^53")]
fn count(rows: usize) -> f64 {
    rows as f64
}
