//! The motor as a conductance network of four bodies, and the checks that a set of parameters must pass.

use geminus_models::{Kalman, Observability, SMatrix, SVector, ThermalNetwork, ZeroOrderHold, stability};
use geminus_sdk::Fault;

use crate::MotorParameters;

/// Number of the housing among the bodies.
pub const SURFACE: usize = 0;
/// Number of the winding.
pub const WINDING: usize = 1;
/// Number of the bearing.
pub const BEARING: usize = 2;
/// Number of the surroundings, which no heat of the motor warms.
pub const AMBIENT: usize = 3;

/// Inputs of the network: copper loss follows the square of the current, the other losses only whether it runs.
const COPPER: usize = 0;
const RUNNING: usize = 1;

/// Part of the rated heating that is assumed while the current was never told.
const UNKNOWN_HEATING: f64 = 0.5;
/// How wrong the heating may be while the current is not told (1 σ), as a part of the rated heating.
const UNKNOWN_HEATING_DEVIATION: f64 = 0.5;

/// A filter of the motor: four temperatures, two sensors, two heats.
pub type Filter = Kalman<4, 2, 2>;

/// A motor that has passed the checks.
#[derive(Clone, Debug)]
pub struct Motor {
    /// What it was made of.
    pub parameters: MotorParameters,
    network: ThermalNetwork<4, 2>,
    /// Covariance density of what the model leaves out, K²/s.
    drift: SMatrix<f64, 4, 4>,
    /// Part of the rated heating above which the motor runs.
    running_above: f64,
}

impl Motor {
    /// # Errors
    /// `Fault::Parameter` when a body has no neighbour, and, unless allowed, when the model is unstable or the
    /// sensors cannot tell its temperatures apart.
    pub fn new(parameters: MotorParameters) -> Result<Self, Fault> {
        let p = &parameters;
        let network = ThermalNetwork::new()
            .join(WINDING, SURFACE, p.winding_surface_conductance)
            .join(WINDING, BEARING, p.winding_bearing_conductance)
            .join(BEARING, SURFACE, p.bearing_surface_conductance)
            .join(SURFACE, AMBIENT, p.surface_ambient_conductance)
            .heat(WINDING, COPPER, p.copper_loss)
            .heat(SURFACE, RUNNING, p.iron_loss)
            .heat(BEARING, RUNNING, p.bearing_loss)
            .time_constant(SURFACE, p.surface_time_constant)
            .time_constant(WINDING, p.winding_time_constant)
            .time_constant(BEARING, p.bearing_time_constant)
            .feed_back(WINDING, AMBIENT, p.copper_feedback);
        let drift = SVector::from([p.surface_drift, p.winding_drift, p.bearing_drift, p.ambient_drift]);
        let running = p.running_current / p.rated_current;
        let motor = Self {
            parameters,
            network,
            drift: SMatrix::from_diagonal(&drift.component_mul(&drift)),
            running_above: running * running,
        };
        motor.has_neighbours()?;
        motor.is_stable()?;
        motor.is_observable()?;
        Ok(motor)
    }

    fn has_neighbours(&self) -> Result<(), Fault> {
        let p = &self.parameters;
        let bodies = [
            ("winding_surface_conductance", p.winding_surface_conductance + p.winding_bearing_conductance),
            ("bearing_surface_conductance", p.bearing_surface_conductance + p.winding_bearing_conductance),
            ("surface_ambient_conductance", p.surface_ambient_conductance + p.winding_surface_conductance),
        ];
        match bodies.iter().find(|(_, conductance)| *conductance <= 0.0) {
            Some((name, _)) => Err(Fault::parameter(
                name,
                "a body that exchanges heat with nothing has no time constant: give it a conductance above 0",
            )),
            None => Ok(()),
        }
    }

    fn is_stable(&self) -> Result<(), Fault> {
        let p = &self.parameters;
        let tau_s = p.surface_time_constant.max(p.winding_time_constant).max(p.bearing_time_constant);
        let f = self.over(tau_s).F;
        if p.allow_unstable || stability::is_stable(&f) {
            return Ok(());
        }
        let radius = stability::spectral_radius(&f);
        Err(Fault::parameter(
            "copper_feedback",
            format!(
                "the model runs away: spectral radius {radius:.4} over {tau_s} s; lower copper_feedback, raise the \
                 conductances, or set allow_unstable"
            ),
        ))
    }

    fn is_observable(&self) -> Result<(), Fault> {
        let p = &self.parameters;
        let verdict = self.observability();
        if p.allow_unobservable || verdict.is_complete() {
            return Ok(());
        }
        let sensors = if p.ambient_measured { "surface and ambient" } else { "surface" };
        Err(Fault::parameter(
            "allow_unobservable",
            format!(
                "the {sensors} sensor can tell only {} of {} temperatures apart (condition {:.1e}); check the \
                 conductances, or set allow_unobservable",
                verdict.rank, verdict.states, verdict.condition
            ),
        ))
    }

    /// Whether the sensors that the parameters promise can tell the temperatures apart.
    #[must_use]
    pub fn observability(&self) -> Observability {
        let mut h = self.h();
        if !self.parameters.ambient_measured {
            h.row_mut(1).fill(0.0);
        }
        Observability::of_continuous(&self.network.A(), &h)
    }

    /// The model of an interval.
    #[must_use]
    pub fn over(&self, dt_s: f64) -> ZeroOrderHold<4, 2> {
        self.network.discretise(&self.drift, dt_s)
    }

    /// A filter that stands at `x`, `p` and goes over the interval `model`.
    #[must_use]
    pub fn filter(
        &self,
        (x, p): (SVector<f64, 4>, SMatrix<f64, 4, 4>),
        model: &ZeroOrderHold<4, 2>,
    ) -> Filter {
        let noise = SVector::from([self.parameters.surface_noise, self.parameters.ambient_noise]);
        let r = SMatrix::from_diagonal(&noise.component_mul(&noise));
        Kalman { x, P: p, F: model.F, B: model.G, Q: model.Q, H: self.h(), R: r }
    }

    /// Adds to a filter's process noise what not knowing the current means over `dt_s` seconds.
    ///
    /// A load that is not told does not change its error from row to row: it stays wrong for about the winding's time
    /// constant τ. White noise of the same effect has 2 τ / dt times the variance of one independent interval.
    pub fn doubt_heating(&self, filter: &mut Filter, dt_s: f64) {
        let effect = filter.B.column(COPPER) * UNKNOWN_HEATING_DEVIATION;
        let correlation = (2.0 * self.parameters.winding_time_constant / dt_s).max(1.0);
        filter.Q += effect * effect.transpose() * correlation;
    }

    /// The inputs of the network while the current heats with this part of the rated heating.
    #[must_use]
    pub fn heats(&self, heating: Option<f64>) -> SVector<f64, 2> {
        let heating = heating.unwrap_or(UNKNOWN_HEATING);
        SVector::from([heating, if heating > self.running_above { 1.0 } else { 0.0 }])
    }

    /// Belief at the first row: winding and bearing somewhere around the surface, ambient as measured or assumed.
    #[must_use]
    pub fn belief(&self, surface: f64, ambient: Option<f64>) -> (SVector<f64, 4>, SMatrix<f64, 4, 4>) {
        let p = &self.parameters;
        let (ambient, ambient_deviation) =
            ambient.map_or((p.assumed_ambient, p.assumed_ambient_deviation), |a| (a, p.ambient_noise));
        let deviation =
            SVector::from([p.surface_noise, p.initial_deviation, p.initial_deviation, ambient_deviation]);
        let x = SVector::from([surface, surface, surface, ambient]);
        (x, SMatrix::from_diagonal(&deviation.component_mul(&deviation)))
    }

    fn h(&self) -> SMatrix<f64, 2, 4> {
        SMatrix::from_fn(|sensor, body| if [SURFACE, AMBIENT].get(sensor) == Some(&body) { 1.0 } else { 0.0 })
    }
}
