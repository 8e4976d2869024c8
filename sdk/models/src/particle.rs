//! The bootstrap particle filter: any model, any noise, a cloud of weighted guesses instead of a covariance.
//!
//! ```text
//! predict    xᵢ ← a draw of what the model makes of xᵢ
//! update     wᵢ ← wᵢ p(z | xᵢ), then Σ wᵢ = 1
//! resample   when 1 / Σ wᵢ² falls below a part of the number: draw particles by their weights, weigh them alike
//! ```
//!
//! All memory is taken in [`new`](ParticleFilter::new); a step allocates nothing. Randomness comes from the seed alone, so a
//! replay gives the same cloud. The error of the mean falls as one over the root of the number: for a linear model with
//! normal noise use [`Kalman`](crate::Kalman), which is exact. Sources: Gordon, Salmond, Smith, *Novel approach to
//! nonlinear/non-Gaussian Bayesian state estimation*, IEE Proc. F 140(2), 1993; resampling: Douc, Cappé, Moulines, *Comparison
//! of resampling schemes for particle filtering*, ISPA 2005. Names follow `filterpy.monte_carlo`.
#![expect(non_snake_case, reason = "P is the name of the field")]

use nalgebra::{SMatrix, SVector};

use crate::estimation_error::finite;
use crate::random_draws::Draws;
use crate::square_root::root;
use crate::{EstimationError, kalman::symmetric};

/// Particles that a filter may have: some megabytes with a few states.
pub const PARTICLES_MAX: usize = 65_536;

/// How particles are drawn by their weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resampling {
    /// One uniform number, comb of equal teeth: least variance, one draw.
    #[default]
    Systematic,
    /// One uniform number within each of equal strata.
    Stratified,
}

/// A cloud of particles with `N` states.
#[derive(Clone, Debug, PartialEq)]
pub struct ParticleFilter<const N: usize> {
    particles: Vec<SVector<f64, N>>,
    weights: Vec<f64>,
    /// Where resampled particles and new weights are made.
    spare: Vec<SVector<f64, N>>,
    fresh: Vec<f64>,
    draws: Draws,
}

impl<const N: usize> ParticleFilter<N> {
    /// `count` particles drawn from a normal distribution.
    ///
    /// # Errors
    /// When `count` is 0 or above [`PARTICLES_MAX`], or mean and `P` are none.
    pub fn new(
        count: usize,
        mean: &SVector<f64, N>,
        P: &SMatrix<f64, N, N>,
        seed: u64,
    ) -> Result<Self, EstimationError> {
        if !(1..=PARTICLES_MAX).contains(&count) {
            return Err(EstimationError::OutOfRange { field: "count", expect: "1 to 65536 particles" });
        }
        finite("mean", mean)?;
        let root = root("P", P)?;
        let mut draws = Draws::new(seed);
        let particles: Vec<_> =
            (0..count).map(|_| mean + root * SVector::from_fn(|_, _| draws.normal())).collect();
        let weights = vec![1.0 / number(count); count];
        Ok(Self { spare: particles.clone(), fresh: weights.clone(), particles, weights, draws })
    }

    /// Advances every particle by `model`, which adds its own noise with the draws that it is given.
    ///
    /// # Errors
    /// When the model gives what is not finite; no particle has then moved.
    pub fn predict(
        &mut self,
        mut model: impl FnMut(&SVector<f64, N>, &mut Draws) -> SVector<f64, N>,
    ) -> Result<(), EstimationError> {
        let mut draws = self.draws;
        for (to, from) in self.spare.iter_mut().zip(&self.particles) {
            *to = model(from, &mut draws);
            finite("model(x)", to)?;
        }
        core::mem::swap(&mut self.spare, &mut self.particles);
        self.draws = draws;
        Ok(())
    }

    /// Weighs every particle by the natural logarithm of the likelihood that it gives what was measured, and says how
    /// likely the measurement was on the whole (its logarithm). A missing measurement is no call.
    ///
    /// # Errors
    /// `Improbable` when no particle gives it a likelihood, `NotFinite` when a likelihood is NaN or infinitely large;
    /// the weights have then not changed.
    pub fn update(
        &mut self,
        mut log_likelihood: impl FnMut(&SVector<f64, N>) -> f64,
    ) -> Result<f64, EstimationError> {
        let mut highest = f64::NEG_INFINITY;
        for ((fresh, particle), weight) in self.fresh.iter_mut().zip(&self.particles).zip(&self.weights) {
            *fresh = log_likelihood(particle);
            if fresh.is_nan() || *fresh == f64::INFINITY {
                return Err(EstimationError::NotFinite { field: "log_likelihood" });
            }
            if *weight > 0.0 {
                highest = highest.max(*fresh);
            }
        }
        if highest == f64::NEG_INFINITY {
            return Err(EstimationError::Improbable);
        }
        // Relative to the best particle, so that the weights of a surprising measurement do not all become zero.
        let mut total = 0.0;
        for (fresh, weight) in self.fresh.iter_mut().zip(&self.weights) {
            *fresh = if *weight > 0.0 { weight * libm::exp(*fresh - highest) } else { 0.0 };
            total += *fresh;
        }
        self.weights.iter_mut().zip(&self.fresh).for_each(|(weight, fresh)| *weight = fresh / total);
        Ok(highest + libm::log(total))
    }

    /// Resamples when fewer particles count than `share` (0 … 1) of them; 0.5 is usual. Says whether it did.
    pub fn resample_below(&mut self, share: f64, how: Resampling) -> bool {
        let few = self.effective_count() < share * number(self.particles.len());
        if few {
            self.resample(how);
        }
        few
    }

    /// Draws particles by their weights and weighs them alike.
    pub fn resample(&mut self, how: Resampling) {
        let count = number(self.particles.len());
        let mut offset = self.draws.uniform();
        let mut parents = self.particles.iter().zip(&self.weights);
        let mut parent = parents.next();
        let mut cumulative = parent.map_or(0.0, |(_, weight)| *weight);
        for (tooth, child) in self.spare.iter_mut().enumerate() {
            if how == Resampling::Stratified && tooth > 0 {
                offset = self.draws.uniform();
            }
            let at = (number(tooth) + offset) / count;
            while at >= cumulative {
                // Rounding can leave the last tooth beyond the sum of weights: it then takes the last parent.
                let Some(next) = parents.next() else { break };
                cumulative += *next.1;
                parent = Some(next);
            }
            if let Some((particle, _)) = parent {
                *child = *particle;
            }
        }
        core::mem::swap(&mut self.spare, &mut self.particles);
        self.weights.fill(1.0 / count);
    }

    /// How many particles count: `1 / Σ wᵢ²`, 1 … their number.
    #[must_use]
    pub fn effective_count(&self) -> f64 {
        1.0 / self.weights.iter().map(|weight| weight * weight).sum::<f64>()
    }

    /// Mean and covariance of the cloud.
    #[must_use]
    pub fn estimate(&self) -> (SVector<f64, N>, SMatrix<f64, N, N>) {
        let cloud = || self.particles.iter().zip(&self.weights);
        let mean = cloud().fold(SVector::zeros(), |sum, (particle, weight)| sum + particle * *weight);
        let spread = cloud().fold(SMatrix::zeros(), |sum, (particle, weight)| {
            let away = particle - mean;
            sum + away * away.transpose() * *weight
        });
        (mean, symmetric(spread))
    }

    /// The particles and their weights, which sum to 1.
    pub fn cloud(&self) -> impl Iterator<Item = (&SVector<f64, N>, f64)> {
        self.particles.iter().zip(self.weights.iter().copied())
    }

    /// Where the random numbers stand, for a snapshot.
    #[must_use]
    pub fn draws(&self) -> Draws {
        self.draws
    }

    /// Replaces the cloud by a saved one, which must have as many particles.
    ///
    /// # Errors
    /// `WrongLength`, `NotFinite`, or `OutOfRange` when weights are negative or do not sum to 1; nothing has then changed.
    pub fn restore(
        &mut self,
        particles: &[SVector<f64, N>],
        weights: &[f64],
        draws: Draws,
    ) -> Result<(), EstimationError> {
        let expect = self.particles.len();
        for (field, found) in [("particles", particles.len()), ("weights", weights.len())] {
            if found != expect {
                return Err(EstimationError::WrongLength { field, expect, found });
            }
        }
        particles.iter().try_for_each(|particle| finite("particles", particle))?;
        let total: f64 = weights.iter().sum();
        let proper = weights.iter().all(|weight| *weight >= 0.0) && (total - 1.0).abs() < 1e-9;
        if !proper {
            return Err(EstimationError::OutOfRange {
                field: "weights",
                expect: "not negative and sum to 1",
            });
        }
        self.particles.copy_from_slice(particles);
        self.weights.copy_from_slice(weights);
        self.draws = draws;
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of particles is far below 2^53")]
fn number(count: usize) -> f64 {
    count as f64
}
