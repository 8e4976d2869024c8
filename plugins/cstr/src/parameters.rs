//! What a site may set for a reactor. The doc comment of each field is what its users read.
//!
//! Defaults are the jacketed tank with one exothermic reaction that textbooks of control use (Hicks and Ray 1971 in the form
//! of Pannocchia and Rawlings 2003).

use geminus_sdk::Parameters;

/// Parameters of one reactor.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct ReactorParameters {
    /// Volume of the liquid.
    #[parameter(unit = "L", default = 99.29, min = 1e-3, max = 1e8)]
    pub volume: f64,
    /// Rate constant at infinite temperature.
    #[parameter(unit = "/min", default = 7.2e10, min = 0.0, max = 1e30)]
    pub rate_constant: f64,
    /// Activation energy divided by the gas constant.
    #[parameter(unit = "K", default = 8750.0, min = 0.0, max = 1e5)]
    pub activation_temperature: f64,
    /// Heat that the reaction gives for each mole.
    #[parameter(unit = "kJ/mol", default = 50.0, min = -1e4, max = 1e4)]
    pub reaction_heat: f64,
    /// Heat capacity of the liquid.
    #[parameter(unit = "kJ/L/K", default = 0.239, min = 1e-3, max = 100.0)]
    pub heat_capacity: f64,
    /// Heat that passes from the liquid to the jacket for each kelvin between them.
    #[parameter(unit = "W/K", default = 830.3, min = 0.0, max = 1e9)]
    pub jacket_conductance: f64,
    /// Concentration of the feed, as far as it is known before anything was measured.
    #[parameter(unit = "mol/L", default = 1.0, min = 0.0, max = 100.0)]
    pub assumed_feed_concentration: f64,
    /// How wrong that may be (1 σ).
    #[parameter(unit = "mol/L", default = 0.05, min = 1e-6, max = 10.0)]
    pub assumed_feed_concentration_deviation: f64,
    /// How far the concentration in the tank may be from its balance at the start (1 σ).
    #[parameter(unit = "mol/L", default = 0.1, min = 1e-6, max = 10.0)]
    pub initial_deviation: f64,
    /// Noise of the temperature sensor (1 σ).
    #[parameter(unit = "K", default = 0.5, min = 1e-3, max = 100.0)]
    pub temperature_noise: f64,
    /// Noise of the analyser or the laboratory (1 σ).
    #[parameter(unit = "mol/L", default = 0.02, min = 1e-6, max = 10.0)]
    pub concentration_noise: f64,
    /// What the heat balance leaves out, as a deviation of the temperature after one minute (1 σ). Grows with the square root of time.
    #[parameter(unit = "K", default = 0.2, min = 1e-6, max = 100.0)]
    pub temperature_drift: f64,
    /// The same for the concentration.
    #[parameter(unit = "mol/L", default = 0.002, min = 1e-9, max = 10.0)]
    pub concentration_drift: f64,
    /// How far the concentration of the feed wanders in one minute (1 σ).
    #[parameter(unit = "mol/L", default = 0.001, min = 0.0, max = 10.0)]
    pub feed_concentration_drift: f64,
    /// Longest interval between two rows over which flow, feed and jacket count as held. After a longer one the estimate starts afresh.
    #[parameter(unit = "s", default = 300.0, min = 1.0, max = 600.0)]
    pub gap_max: f64,
    /// Estimates less sure than this (1 σ) are given as uncertain.
    #[parameter(unit = "mol/L", default = 0.05, min = 1e-6, max = 10.0)]
    pub deviation_max: f64,
    /// Rise of the temperature by what the balance says now above which runaway is raised.
    #[parameter(unit = "K/min", default = 5.0, min = 1e-3, max = 1e4)]
    pub rise_limit: f64,
    /// How many of the last 16 measured rows must surprise beyond the 99 % point before inconsistent is raised.
    #[parameter(default = 5, min = 1, max = 16)]
    pub inconsistent_rows: u32,
}
