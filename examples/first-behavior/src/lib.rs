//! The smallest behavior that does something: it smooths a temperature, and goes on through rows without one.
use geminus_sdk::prelude::*;

/// What it sees.
#[derive(Debug, Inputs)]
pub struct Measured {
    /// Temperature of the housing.
    #[input(unit = "Cel", event)]
    pub surface: Reading,
}

/// What it gives.
#[derive(Debug, Outputs)]
pub struct Estimated {
    /// The same without its noise.
    #[output(unit = "Cel", role = "estimate", of = "surface")]
    pub smooth: Option<f64>,
}

/// First-order low-pass; a site sets its time constant.
#[derive(Debug, Parameters)]
pub struct Smoother {
    /// Time in which a step has come through to 63 %.
    #[parameter(unit = "s", default = 60.0, min = 0.1, max = 86400.0)]
    pub time_constant: f64,
}

#[estimator(warm_up_rows = 5)]
impl Behavior for Smoother {
    fn step(&self, level: &mut Option<f64>, row: &mut Row<Measured>) -> Estimated {
        let keep = row.elapsed().map_or(0.0, |dt| math::exp(-dt / self.time_constant));
        *level = row.inputs.surface.value().map(|now| now + keep * (level.unwrap_or(now) - now)).or(*level);
        Estimated { smooth: *level }
    }
}
