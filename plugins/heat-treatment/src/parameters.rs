//! What a site may set for a furnace. The doc comment of each field is what its users read.
//!
//! The defaults describe the tempering of a tonne of a chromium-molybdenum steel; what the surrogate knows beforehand comes
//! from `training/train.py`. What contradicts itself is refused when a twin is opened.

use geminus_sdk::{Fault, Parameters};

/// Parameters of one furnace.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct FurnaceParameters {
    /// Lowest temperature of tempering.
    #[parameter(unit = "Cel", default = 350.0, min = 0.0, max = 1299.0)]
    pub temperature_lowest: f64,
    /// Highest temperature of tempering.
    #[parameter(unit = "Cel", default = 650.0, min = 1.0, max = 1300.0)]
    pub temperature_highest: f64,
    /// Shortest soak time.
    #[parameter(unit = "min", default = 30.0, min = 0.1, max = 9999.0)]
    pub soak_shortest: f64,
    /// Longest soak time.
    #[parameter(unit = "min", default = 240.0, min = 0.2, max = 10000.0)]
    pub soak_longest: f64,
    /// Slowest quench.
    #[parameter(unit = "K/s", default = 5.0, min = 0.01, max = 999.0)]
    pub quench_slowest: f64,
    /// Fastest quench.
    #[parameter(unit = "K/s", default = 60.0, min = 0.02, max = 1000.0)]
    pub quench_fastest: f64,
    /// Lowest hardness of the specification.
    #[parameter(unit = "{HRC}", default = 38.0, min = 0.0, max = 99.0)]
    pub hardness_lowest: f64,
    /// Highest hardness of the specification.
    #[parameter(unit = "{HRC}", default = 44.0, min = 0.1, max = 100.0)]
    pub hardness_highest: f64,
    /// How likely a batch must meet the specification before its settings count as good.
    #[parameter(default = 0.95, min = 0.5, max = 0.999)]
    pub specification_confidence: f64,
    /// Looks for the hardest settings (Bayesian optimisation by expected improvement) instead of the cheapest good ones.
    #[parameter(default = false)]
    pub explore: bool,
    /// Least improvement of the hardness that is worth a trial, while exploring.
    #[parameter(unit = "{HRC}", default = 0.1, min = 0.0, max = 50.0)]
    pub improvement_least: f64,
    /// Least saving that is worth other settings, while these are good.
    #[parameter(unit = "kW.h", default = 2.0, min = 0.0, max = 1e6)]
    pub saving_least: f64,
    /// How many batches are spread over the whole range first, to learn from.
    #[parameter(default = 8, min = 3, max = 20)]
    pub first_batches: u8,
    /// How many batches are remembered. Of two that are alike the newer stays. With 24 a decision costs what a host gives.
    #[parameter(default = 24, min = 4, max = 24)]
    pub batches_kept: u8,
    /// A batch that is older than so many others no longer counts: after that long the furnace may have changed.
    #[parameter(default = 150, min = 24, max = 60000)]
    pub batch_age_max: u16,
    /// Most that one proposal moves a setting, as part of its range. The first batches go anywhere.
    #[parameter(default = 0.3, min = 0.01, max = 1.0)]
    pub reach: f64,
    /// What moves a setting by less, as part of its range, is not proposed.
    #[parameter(default = 0.005, min = 0.0, max = 0.5)]
    pub deadband: f64,
    /// A prediction that is less sure than this, noise not counted (1 σ), is not believed.
    #[parameter(unit = "{HRC}", default = 2.0, min = 0.01, max = 100.0)]
    pub uncertainty_max: f64,
    /// Over which difference of temperature the hardness changes.
    #[parameter(unit = "K", default = 840.0, min = 0.1, max = 10000.0)]
    pub temperature_length: f64,
    /// Over how many decades of soak time the hardness changes.
    #[parameter(default = 11.0, min = 0.01, max = 100.0)]
    pub soak_length: f64,
    /// Over how many decades of quench rate the hardness changes.
    #[parameter(default = 2.9, min = 0.01, max = 100.0)]
    pub quench_length: f64,
    /// By how much the hardness would vary over all settings that can be thought of (1 σ).
    #[parameter(unit = "{HRC}", default = 39.0, min = 0.1, max = 1000.0)]
    pub hardness_deviation: f64,
    /// By how much the hardness of batches with the same settings varies, its measurement included (1 σ).
    #[parameter(unit = "{HRC}", default = 0.5, min = 0.01, max = 20.0)]
    pub hardness_noise: f64,
    /// By which factor the five figures above may be learned to be larger or smaller. 1 keeps them.
    #[parameter(default = 3.0, min = 1.0, max = 100.0)]
    pub learning_factor: f64,
    /// How many of the last 16 predicted batches must be far from their prediction before unfit is raised.
    #[parameter(default = 4, min = 1, max = 16)]
    pub unfit_batches: u8,
    /// What a charge with its fixtures takes up for each kelvin.
    #[parameter(unit = "kW.h/K", default = 0.17, min = 0.0, max = 1e4)]
    pub heat_capacity: f64,
    /// What the furnace loses for each kelvin above the room.
    #[parameter(unit = "kW/K", default = 0.05, min = 0.0, max = 1e4)]
    pub heat_loss: f64,
    /// Temperature of the room, and of charges before.
    #[parameter(unit = "Cel", default = 20.0, min = -50.0, max = 200.0)]
    pub room_temperature: f64,
    /// What pumps and agitators take for each K/s of the quench rate.
    #[parameter(unit = "kW.h.s/K", default = 0.5, min = 0.0, max = 1e4)]
    pub quench_energy: f64,
    /// How long a proposal stands: until the next batch is set up.
    #[parameter(unit = "s", default = 3600.0, min = 1.0, max = 604800.0)]
    pub valid_for: f64,
}

impl FurnaceParameters {
    /// # Errors
    /// `Fault::Parameter` for the first pair that contradicts itself.
    pub fn check(&self) -> Result<(), Fault> {
        let ordered = [
            ("temperature_lowest", self.temperature_lowest, "temperature_highest", self.temperature_highest),
            ("soak_shortest", self.soak_shortest, "soak_longest", self.soak_longest),
            ("quench_slowest", self.quench_slowest, "quench_fastest", self.quench_fastest),
            ("hardness_lowest", self.hardness_lowest, "hardness_highest", self.hardness_highest),
            ("room_temperature", self.room_temperature, "temperature_highest", self.temperature_highest),
            ("deadband", self.deadband, "reach", self.reach),
        ];
        for (name, value, other, bound) in ordered {
            if value >= bound {
                return Err(Fault::parameter(name, format!("{value} must be below {other}, {bound}")));
            }
        }
        if self.first_batches > self.batches_kept {
            let why = format!("{} must be at most batches_kept, {}", self.first_batches, self.batches_kept);
            return Err(Fault::parameter("first_batches", why));
        }
        Ok(())
    }
}
