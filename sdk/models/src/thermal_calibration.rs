//! Thermal resistance and heat capacity of a body, estimated while it runs: state and parameters in one extended filter.
//!
//! ```text
//! C dT/dt = (T_a − T) / R + q        x = (T, ln R, ln C)
//! T⁺ = T∞ + (T − T∞) a               T∞ = T_a + q R,  a = exp(−dt / (R C))
//! F = [ a, q R (1 − a) + g, g ; 0, 1, 0 ; 0, 0, 1 ]      g = (T − T∞) a dt / (R C)
//! ```
//!
//! `T` is temperature, `T_a` that of the surroundings, `q` heat (W), `R` in K/W, `C` in J/K; `q` and `T_a` are held from row to row. The
//! solution is exact for any interval. Parameters are estimated by their logarithms, so they stay positive, and a deviation
//! is a relative one. They walk at random, as slowly as an asset ages; while no heat excites them their variances grow only up
//! to where they began. Sources: Ljung, *Asymptotic behavior of the extended Kalman filter as a parameter estimator for linear
//! systems*, IEEE TAC 24(1), 1979 (augmented state); Bergman et al., *Fundamentals of Heat and Mass Transfer*, §5.1 (lumped capacitance).
#![expect(clippy::indexing_slicing, reason = "indices are the three constants below")]
#![expect(non_snake_case, reason = "F, H, Q, R, P are the names of the field")]

use nalgebra::{SMatrix, SVector};

use crate::EstimationError;
use crate::correction::Innovation;
use crate::extended::Extended;
use crate::recursive_least_squares::bound;

/// Number of the temperature in the state.
pub const TEMPERATURE: usize = 0;
/// Number of the logarithm of the resistance.
pub const LN_RESISTANCE: usize = 1;
/// Number of the logarithm of the capacity.
pub const LN_CAPACITY: usize = 2;

/// What is held from one row to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Heat that enters the body, W.
    pub heat_w: f64,
    /// Temperature of what the body gives its heat to, in the unit of `T`.
    pub surroundings: f64,
}

/// How sure one is of what, all 1 σ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uncertainty {
    /// Noise of the temperature sensor, K.
    pub sensor_k: f64,
    /// What the model leaves out, as a deviation of the temperature after one second, K; grows with the root of time.
    pub temperature_k: f64,
    /// Of resistance and capacity at the beginning, relative; also the most that they may grow to.
    pub parameters: [f64; 2],
    /// How fast resistance and capacity may change, relative after one hour; grows with the root of time.
    pub ageing_per_hour: [f64; 2],
}

/// One body that is calibrated while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct ThermalCalibration {
    /// `x = (T, ln R, ln C)` and its covariance.
    pub filter: Extended<3, 1>,
    uncertainty: Uncertainty,
}

impl ThermalCalibration {
    /// Starts at a measured temperature with assumed resistance (K/W) and capacity (J/K).
    ///
    /// # Errors
    /// The field to mend.
    pub fn new(
        temperature: f64,
        resistance: f64,
        capacity: f64,
        uncertainty: Uncertainty,
    ) -> Result<Self, EstimationError> {
        for (field, value) in [
            ("resistance", resistance),
            ("capacity", capacity),
            ("sensor_k", uncertainty.sensor_k),
            ("temperature_k", uncertainty.temperature_k),
            ("parameters", uncertainty.parameters[0].min(uncertainty.parameters[1])),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(EstimationError::OutOfRange { field, expect: "finite and above 0" });
            }
        }
        if !uncertainty.ageing_per_hour.iter().all(|rate| *rate >= 0.0 && rate.is_finite()) {
            let expect = "finite and not negative";
            return Err(EstimationError::OutOfRange { field: "ageing_per_hour", expect });
        }
        let x = SVector::from([temperature, libm::log(resistance), libm::log(capacity)]);
        let [r, c] = uncertainty.parameters;
        let deviation = SVector::from([uncertainty.sensor_k, r, c]);
        let filter = Extended {
            x,
            P: SMatrix::from_diagonal(&deviation.component_mul(&deviation)),
            Q: SMatrix::zeros(),
            R: SMatrix::<f64, 1, 1>::new(uncertainty.sensor_k * uncertainty.sensor_k),
        };
        filter.check()?;
        Ok(Self { filter, uncertainty })
    }

    /// Advances by `dt_s` seconds in which `held` was held.
    ///
    /// # Errors
    /// When something is not finite or `dt_s` is negative; nothing has then changed.
    pub fn predict(&mut self, dt_s: f64, held: Held) -> Result<(), EstimationError> {
        if !(dt_s >= 0.0 && dt_s.is_finite()) {
            return Err(EstimationError::OutOfRange { field: "dt_s", expect: "finite and not negative" });
        }
        let flow = Flow::new(&self.filter.x, dt_s, held);
        let noise = self.noise(&self.filter.x, dt_s);
        let before = core::mem::replace(&mut self.filter.Q, noise);
        let ahead = |x: &SVector<f64, 3>| SVector::from([flow.end, x[LN_RESISTANCE], x[LN_CAPACITY]]);
        if let Err(error) = self.filter.predict(ahead, |_| flow.F()) {
            self.filter.Q = before;
            return Err(error);
        }
        let [r, c] = self.uncertainty.parameters;
        bound(&mut self.filter.P, &SVector::from([f64::INFINITY, r * r, c * c]));
        Ok(())
    }

    /// Passes over `dt_s` seconds of which nobody knows the heat, and goes on from a measured temperature: they teach
    /// nothing of the parameters, which have aged meanwhile.
    ///
    /// # Errors
    /// When `temperature` is not finite or `dt_s` is negative; nothing has then changed.
    pub fn restart(&mut self, dt_s: f64, temperature: f64) -> Result<(), EstimationError> {
        if !(dt_s >= 0.0 && dt_s.is_finite()) {
            return Err(EstimationError::OutOfRange { field: "dt_s", expect: "finite and not negative" });
        }
        if !temperature.is_finite() {
            return Err(EstimationError::NotFinite { field: "temperature" });
        }
        let (Uncertainty { ageing_per_hour, parameters, .. }, hours) = (self.uncertainty, dt_s / 3600.0);
        let [r, c] = ageing_per_hour.map(|rate| rate * rate * hours);
        let P = &mut self.filter.P;
        P.row_mut(TEMPERATURE).fill(0.0);
        P.column_mut(TEMPERATURE).fill(0.0);
        *P += SMatrix::from_diagonal(&SVector::from([self.filter.R.x, r, c]));
        bound(
            P,
            &SVector::from([f64::INFINITY, parameters[0] * parameters[0], parameters[1] * parameters[1]]),
        );
        self.filter.x[TEMPERATURE] = temperature;
        Ok(())
    }

    /// Logarithms of resistance and capacity, and their covariance: what [`Drift`](crate::recursive_least_squares::Drift) takes.
    #[must_use]
    pub fn parameters(&self) -> (SVector<f64, 2>, SMatrix<f64, 2, 2>) {
        let (x, P) = (&self.filter.x, &self.filter.P);
        let from = LN_RESISTANCE;
        (x.fixed_rows::<2>(from).into_owned(), P.fixed_view::<2, 2>(from, from).into_owned())
    }

    /// Takes in a measured temperature; `None` when there was none.
    ///
    /// # Errors
    /// The field to mend; nothing has then changed.
    pub fn update(&mut self, temperature: Option<f64>) -> Result<Option<Innovation<1>>, EstimationError> {
        let h = |x: &SVector<f64, 3>| SVector::<f64, 1>::new(x[TEMPERATURE]);
        let H = |_: &SVector<f64, 3>| SMatrix::<f64, 1, 3>::new(1.0, 0.0, 0.0);
        self.filter.update(&SVector::<_, 1>::new(temperature), h, H)
    }

    /// Temperature.
    #[must_use]
    pub fn temperature(&self) -> f64 {
        self.filter.x[TEMPERATURE]
    }

    /// Resistance in K/W and its deviation (1 σ).
    #[must_use]
    pub fn resistance(&self) -> (f64, f64) {
        self.parameter(LN_RESISTANCE)
    }

    /// Capacity in J/K and its deviation (1 σ).
    #[must_use]
    pub fn capacity(&self) -> (f64, f64) {
        self.parameter(LN_CAPACITY)
    }

    fn parameter(&self, number: usize) -> (f64, f64) {
        let value = libm::exp(self.filter.x[number]);
        (value, value * libm::sqrt(self.filter.P[(number, number)]))
    }

    /// Process noise of an interval: what the model leaves out fades with the body's own time constant.
    fn noise(&self, x: &SVector<f64, 3>, dt_s: f64) -> SMatrix<f64, 3, 3> {
        let Uncertainty { temperature_k, ageing_per_hour: [r, c], .. } = self.uncertainty;
        let tau_s = libm::exp(x[LN_RESISTANCE] + x[LN_CAPACITY]);
        let lasting_s = -0.5 * tau_s * libm::expm1(-2.0 * dt_s / tau_s);
        let hours = dt_s / 3600.0;
        SMatrix::from_diagonal(&SVector::from([
            temperature_k * temperature_k * lasting_s,
            r * r * hours,
            c * c * hours,
        ]))
    }
}

/// What an interval does to the temperature.
struct Flow {
    end: f64,
    remains: f64,
    by_resistance: f64,
    by_capacity: f64,
}

impl Flow {
    fn new(x: &SVector<f64, 3>, dt_s: f64, held: Held) -> Self {
        let resistance = libm::exp(x[LN_RESISTANCE]);
        let elapsed = dt_s / (resistance * libm::exp(x[LN_CAPACITY]));
        let rise = held.heat_w * resistance;
        let away = x[TEMPERATURE] - held.surroundings - rise;
        let remains = libm::exp(-elapsed);
        let by_capacity = away * remains * elapsed;
        Self {
            end: held.surroundings + rise + away * remains,
            remains,
            by_resistance: -rise * libm::expm1(-elapsed) + by_capacity,
            by_capacity,
        }
    }

    fn F(&self) -> SMatrix<f64, 3, 3> {
        let mut F = SMatrix::identity();
        F[(TEMPERATURE, TEMPERATURE)] = self.remains;
        F[(TEMPERATURE, LN_RESISTANCE)] = self.by_resistance;
        F[(TEMPERATURE, LN_CAPACITY)] = self.by_capacity;
        F
    }
}
