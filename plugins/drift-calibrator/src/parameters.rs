//! What a site may set for a machine. The doc comment of each field is what its users read.

use geminus_sdk::Parameters;

/// Parameters of one machine.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct CalibratorParameters {
    /// Thermal resistance from the machine to its surroundings, as far as it is known before anything was measured.
    #[parameter(unit = "K/W", default = 1.0, min = 1e-6, max = 1e4)]
    pub thermal_resistance: f64,
    /// Heat capacity of the machine, as far as it is known before anything was measured.
    #[parameter(unit = "J/K", default = 500.0, min = 1e-3, max = 1e9)]
    pub heat_capacity: f64,
    /// How wrong these two may be (1 σ), as a part of them.
    #[parameter(unit = "1", default = 0.3, min = 0.01, max = 1.0)]
    pub parameter_deviation: f64,
    /// How fast they may change (1 σ), as a part of them after one hour; grows with the root of time. Larger follows faster
    /// and knows less surely.
    #[parameter(unit = "1", default = 0.001, min = 0.0, max = 0.5)]
    pub ageing_per_hour: f64,
    /// Part of the power that becomes heat in the machine: 1 when losses are bound to power, 0.15 for a motor of 85 % efficiency whose
    /// electric power is bound.
    #[parameter(unit = "1", default = 1.0, min = 1e-4, max = 1.0)]
    pub heat_share: f64,
    /// Noise of the temperature sensor (1 σ).
    #[parameter(unit = "K", default = 0.5, min = 1e-3, max = 100.0)]
    pub sensor_noise: f64,
    /// What the model leaves out, as a deviation of the temperature after one second (1 σ). Grows with the square root of time.
    #[parameter(unit = "K", default = 0.02, min = 1e-6, max = 100.0)]
    pub temperature_drift: f64,
    /// Longest interval between two rows over which power and surroundings count as held. Longer ones teach nothing.
    #[parameter(unit = "s", default = 600.0, min = 1.0, max = 86_400.0)]
    pub gap_max: f64,
    /// Whether drift is told against what was found in commissioning_time, or else against thermal_resistance and heat_capacity.
    #[parameter(default = true)]
    pub learn_reference: bool,
    /// Time that a machine is followed before its state counts as the reference.
    #[parameter(unit = "s", default = 86_400.0, min = 0.0, max = 1e7)]
    pub commissioning_time: f64,
    /// Resistance and capacity that are less sure than this (1 σ), as a part of them, are uncertain, make no reference and raise nothing.
    #[parameter(unit = "1", default = 0.02, min = 1e-4, max = 1.0)]
    pub deviation_max: f64,
    /// Drift above which drifted alerts are raised, as a part of the reference.
    #[parameter(unit = "1", default = 0.1, min = 1e-3, max = 10.0)]
    pub drift_limit: f64,
    /// How many of the last 16 measured rows must surprise beyond the 99 % point before inconsistent is raised.
    #[parameter(default = 5, min = 1, max = 16)]
    pub inconsistent_rows: u32,
}
