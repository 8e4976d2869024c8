//! What a site may set for a pair of tanks. The doc comment of each field is what its users read.
//!
//! The defaults describe two equal tanks of 1.5 m² that empty in some minutes. What contradicts itself is refused when a
//! twin is opened.

use geminus_sdk::{Fault, Parameters};

/// Parameters of one pair of tanks.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct TankParameters {
    /// Cross-section of the upper tank.
    #[parameter(unit = "m2", default = 1.5, min = 1e-4, max = 1e5)]
    pub upper_area: f64,
    /// Cross-section of the lower tank.
    #[parameter(unit = "m2", default = 1.5, min = 1e-4, max = 1e5)]
    pub lower_area: f64,
    /// Effective cross-section of the outlet of the upper tank: its area times its discharge coefficient.
    #[parameter(unit = "m2", default = 0.004, min = 1e-8, max = 100.0)]
    pub upper_outlet: f64,
    /// The same of the lower tank.
    #[parameter(unit = "m2", default = 0.004, min = 1e-8, max = 100.0)]
    pub lower_outlet: f64,
    /// What the pump delivers into the upper tank at 100 %.
    #[parameter(unit = "m3/s", default = 0.03, min = 1e-9, max = 1e4)]
    pub pump_flow: f64,
    /// Level of the lower tank that is wanted where no input tells it. The model is linear around it.
    #[parameter(unit = "m", default = 1.5, min = 0.001, max = 1000.0)]
    pub level_wanted: f64,
    /// Lowest level of both tanks.
    #[parameter(unit = "m", default = 0.3, min = 0.0, max = 1000.0)]
    pub level_lowest: f64,
    /// Highest level of both tanks.
    #[parameter(unit = "m", default = 2.2, min = 0.001, max = 1000.0)]
    pub level_highest: f64,
    /// Lowest speed of the pump.
    #[parameter(unit = "%", default = 10.0, min = 0.0, max = 99.0)]
    pub speed_lowest: f64,
    /// Highest speed of the pump.
    #[parameter(unit = "%", default = 100.0, min = 1.0, max = 100.0)]
    pub speed_highest: f64,
    /// Largest change of the speed in one proposal. Keep it at or below step_max of the target's interlock.
    #[parameter(unit = "%", default = 10.0, min = 0.01, max = 100.0)]
    pub step_max: f64,
    /// A level error that weighs as much as a move of the speed by speed_move: smaller ones are quicker.
    #[parameter(unit = "m", default = 0.05, min = 1e-6, max = 1000.0)]
    pub level_error: f64,
    /// A move of the speed that weighs as much as level_error: larger ones are quicker.
    #[parameter(unit = "%", default = 5.0, min = 0.001, max = 1000.0)]
    pub speed_move: f64,
    /// Time from one decision to the next, and of one interval of the plan. There are ten of them in it.
    #[parameter(unit = "s", default = 30.0, min = 0.1, max = 3600.0)]
    pub interval: f64,
    /// What differs less from the speed in force is not proposed.
    #[parameter(unit = "%", default = 0.5, min = 0.0, max = 50.0)]
    pub deadband: f64,
    /// Time over which inflows and outflows that the model does not know are averaged.
    #[parameter(unit = "s", default = 120.0, min = 0.1, max = 1e6)]
    pub smoothing: f64,
    /// Error of one interval's prediction (root mean square) at which a proposal's confidence is ½.
    #[parameter(unit = "m", default = 0.1, min = 1e-6, max = 1000.0)]
    pub prediction_error: f64,
    /// Time without reliable levels after which nothing is known any more, and blind is raised.
    #[parameter(unit = "s", default = 60.0, min = 0.1, max = 86400.0)]
    pub gap_max: f64,
    /// How long a proposal stands.
    #[parameter(unit = "s", default = 60.0, min = 1.0, max = 86400.0)]
    pub valid_for: f64,
}

impl TankParameters {
    /// # Errors
    /// `Fault::Parameter` for the first pair that contradicts itself.
    pub fn check(&self) -> Result<(), Fault> {
        let ordered = [
            ("level_lowest", self.level_lowest, "level_wanted", self.level_wanted),
            ("level_wanted", self.level_wanted, "level_highest", self.level_highest),
            ("speed_lowest", self.speed_lowest, "speed_highest", self.speed_highest),
            ("interval", self.interval, "gap_max", self.gap_max),
        ];
        for (name, value, other, bound) in ordered {
            if value >= bound {
                return Err(Fault::parameter(name, format!("{value} must be below {other}, {bound}")));
            }
        }
        if self.deadband > self.step_max {
            return Err(Fault::parameter("deadband", format!("{} must be at most step_max", self.deadband)));
        }
        Ok(())
    }
}
