//! What a site may set for a machine. The doc comment of each field is what its users read.
//!
//! The time constant and the temperatures belong to the motor that the defaults of motor-thermal describe; the limit is
//! that of insulation class F. What contradicts itself is refused when a twin is opened.

use geminus_sdk::{Fault, Parameters};

/// Parameters of one machine.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct ThrottleParameters {
    /// Hottest that the winding may be: 130 °C for insulation class B, 155 °C for F, 180 °C for H (IEC 60034-1).
    #[parameter(unit = "Cel", default = 155.0, min = -60.0, max = 400.0)]
    pub limit_temperature: f64,
    /// How far below the limit the load begins to go down. At the limit it is at load_minimum, between them in proportion.
    #[parameter(unit = "K", default = 10.0, min = 0.5, max = 200.0)]
    pub margin: f64,
    /// How much further the temperature must fall before load is given back.
    #[parameter(unit = "K", default = 5.0, min = 0.1, max = 200.0)]
    pub hysteresis: f64,
    /// How many deviations are added to the temperature and its forecast before they are held against the limit.
    #[parameter(default = 2.0, min = 0.0, max = 6.0)]
    pub caution: f64,
    /// Deviation (1 σ) of the temperature where none is told.
    #[parameter(unit = "K", default = 2.0, min = 0.0, max = 1000.0)]
    pub assumed_deviation: f64,
    /// A temperature less sure than this (1 σ) is not acted on.
    #[parameter(unit = "K", default = 5.0, min = 0.01, max = 1000.0)]
    pub deviation_max: f64,
    /// How far the temperature is forecast. 0 goes by the temperature alone.
    #[parameter(unit = "s", default = 120.0, min = 0.0, max = 86400.0)]
    pub horizon: f64,
    /// Time constant with which heating slows down by itself: that of the winding. Too long is careful, too short is late.
    #[parameter(unit = "s", default = 60.0, min = 1.0, max = 1e6)]
    pub time_constant: f64,
    /// Time over which the heating rate is averaged. There is no forecast before that.
    #[parameter(unit = "s", default = 20.0, min = 0.1, max = 86400.0)]
    pub smoothing: f64,
    /// A winding does not heat or cool faster than this: a faster change is the estimate beginning anew, and so does the
    /// heating rate.
    #[parameter(unit = "K/s", default = 5.0, min = 0.001, max = 1000.0)]
    pub heating_rate_max: f64,
    /// Time without a temperature after which nothing is known any more. Set it to some intervals of the estimate.
    #[parameter(unit = "s", default = 60.0, min = 0.1, max = 86400.0)]
    pub gap_max: f64,
    /// How long nothing can be seen before blind is raised.
    #[parameter(unit = "s", default = 60.0, min = 0.0, max = 86400.0)]
    pub blind_after: f64,
    /// Load limit at which the machine is free.
    #[parameter(unit = "%", default = 100.0, min = 1.0, max = 100.0)]
    pub load_full: f64,
    /// Lowest load limit that is proposed.
    #[parameter(unit = "%", default = 40.0, min = 0.0, max = 99.0)]
    pub load_minimum: f64,
    /// How fast load is given back.
    #[parameter(unit = "%/min", default = 2.0, min = 0.01, max = 6000.0)]
    pub ramp: f64,
    /// What differs less from the last proposal is not proposed, but for the ends of the range.
    #[parameter(unit = "%", default = 2.0, min = 0.01, max = 50.0)]
    pub deadband: f64,
    /// Proposals are multiples of this, rounded to less load.
    #[parameter(unit = "%", default = 1.0, min = 0.01, max = 50.0)]
    pub step: f64,
    /// Largest change of one proposal. Keep it at or below step_max of the target's interlock.
    #[parameter(unit = "%", default = 10.0, min = 0.01, max = 100.0)]
    pub step_max: f64,
    /// Least time between two proposals. Keep it above dwell_s of the interlock, and 60 s through it below rate_per_min.
    #[parameter(unit = "s", default = 12.0, min = 0.0, max = 86400.0)]
    pub interval_min: f64,
    /// How long a proposal stands. A reduction that was not followed is proposed again then. Where people approve, give
    /// them the time they need.
    #[parameter(unit = "s", default = 120.0, min = 1.0, max = 86400.0)]
    pub valid_for: f64,
}

impl ThrottleParameters {
    /// # Errors
    /// `Fault::Parameter` for the first pair that contradicts itself.
    pub fn check(&self) -> Result<(), Fault> {
        let ordered = [
            ("load_minimum", self.load_minimum, "below", "load_full", self.load_full),
            ("assumed_deviation", self.assumed_deviation, "at most", "deviation_max", self.deviation_max),
            ("step", self.step, "at most", "deadband", self.deadband),
            ("deadband", self.deadband, "at most", "step_max", self.step_max),
            ("interval_min", self.interval_min, "at most", "valid_for", self.valid_for),
        ];
        for (name, value, relation, other, bound) in ordered {
            let holds = if relation == "below" { value < bound } else { value <= bound };
            if !holds {
                return Err(Fault::parameter(name, format!("{value} must be {relation} {other}, {bound}")));
            }
        }
        Ok(())
    }
}
