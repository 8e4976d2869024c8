//! Bodies that exchange heat: capacities joined by conductances, heated by sources.
//!
//! ```text
//! C_i dT_i/dt = Σ_j G_ij (T_j − T_i) + Σ_k S_ik u_k
//! ```
//!
//! `A` is then a Metzler matrix (nothing negative beside the diagonal) whose rows sum to zero, `exp(A t)` is
//! row-stochastic, and no mode grows over any interval: temperatures only even out. The first-order forms that
//! textbooks write down by hand (`exp(−dt/τ)` on the diagonal, guessed numbers beside it) have no such promise.
//! Sources: Bergman et al., *Fundamentals of Heat and Mass Transfer* (lumped capacitance); Berman and Plemmons,
//! *Nonnegative Matrices in the Mathematical Sciences*, ch. 6 (Metzler matrices).
#![expect(clippy::indexing_slicing, reason = "indices run over the dimensions that stand in the types")]
#![expect(non_snake_case, reason = "A, B, F, G, Q are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::ZeroOrderHold;

/// `N` bodies and `U` sources of heat. Temperatures are in kelvin or degrees Celsius alike, since only
/// differences count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThermalNetwork<const N: usize, const U: usize> {
    /// G_ij in W/K: heat that body i gains for each kelvin that body j is warmer. Zero on the diagonal.
    conductance: SMatrix<f64, N, N>,
    /// S_ik in W per unit of input k.
    source: SMatrix<f64, N, U>,
    /// C_i in J/K; infinite for a body whose temperature no heat flow changes (ambient).
    capacity: SVector<f64, N>,
}

impl<const N: usize, const U: usize> Default for ThermalNetwork<N, U> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize, const U: usize> ThermalNetwork<N, U> {
    /// Bodies that nothing joins and that no heat flow warms.
    #[must_use]
    pub fn new() -> Self {
        Self {
            conductance: SMatrix::zeros(),
            source: SMatrix::zeros(),
            capacity: SVector::repeat(f64::INFINITY),
        }
    }

    /// Joins bodies `i` and `j` by `conductance` W/K, both ways.
    #[must_use]
    pub fn join(mut self, i: usize, j: usize, conductance: f64) -> Self {
        self.conductance[(i, j)] += conductance;
        self.conductance[(j, i)] += conductance;
        self
    }

    /// Body `i` gains `gain` W for each kelvin that it is *warmer* than `reference`: positive feedback, such as
    /// copper whose losses grow with its temperature. This alone can make a network unstable.
    #[must_use]
    pub fn feed_back(mut self, i: usize, reference: usize, gain: f64) -> Self {
        self.conductance[(i, reference)] -= gain;
        self
    }

    /// Heats body `i` with `watts` per unit of input `k`.
    #[must_use]
    pub fn heat(mut self, i: usize, k: usize, watts: f64) -> Self {
        self.source[(i, k)] += watts;
        self
    }

    /// Gives body `i` a heat capacity in J/K.
    #[must_use]
    pub fn capacity(mut self, i: usize, joules_per_kelvin: f64) -> Self {
        self.capacity[i] = joules_per_kelvin;
        self
    }

    /// Gives body `i` the heat capacity with which it has time constant `tau_s` while its neighbours keep their
    /// temperature: `C = τ Σ_j G_ij`. To be called after the joints are made.
    #[must_use]
    pub fn time_constant(self, i: usize, tau_s: f64) -> Self {
        let joints: f64 = self.conductance.row(i).iter().filter(|g| **g > 0.0).sum();
        self.capacity(i, tau_s * joints)
    }

    /// The continuous model: `A` in 1/s, rows summing to zero.
    #[must_use]
    pub fn A(&self) -> SMatrix<f64, N, N> {
        let mut A = SMatrix::zeros();
        for i in 0..N {
            for j in (0..N).filter(|j| *j != i) {
                let rate = self.conductance[(i, j)] / self.capacity[i];
                A[(i, j)] = rate;
                A[(i, i)] -= rate;
            }
        }
        A
    }

    /// The continuous model: `B` in K/s per unit of input.
    #[must_use]
    pub fn B(&self) -> SMatrix<f64, N, U> {
        SMatrix::from_fn(|i, k| self.source[(i, k)] / self.capacity[i])
    }

    /// The model of an interval of `dt_s` seconds. `Qc` is the covariance density of process noise in K²/s.
    ///
    /// Rows of `F` sum to 1 exactly as far as rounding allows at *every* interval: doubling lets that sum drift,
    /// so each row is divided by it. Without feedback `F` is thus stochastic and its spectral radius is 1.
    #[must_use]
    pub fn discretise(&self, Qc: &SMatrix<f64, N, N>, dt_s: f64) -> ZeroOrderHold<N, U> {
        let mut model = ZeroOrderHold::new(&self.A(), &self.B(), Qc, dt_s);
        for mut row in model.F.row_iter_mut() {
            let sum = row.sum();
            row /= sum;
        }
        model
    }
}
