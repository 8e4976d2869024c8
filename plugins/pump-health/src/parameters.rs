//! What a site may set for a pump. The doc comment of each field is what its users read.

use geminus_sdk::Parameters;

/// Parameters of one pump.
#[derive(Clone, Debug, Parameters)]
pub struct PumpParameters {
    /// Rows of healthy running from which the baseline is learnt, for each input. No verdict before.
    #[parameter(default = 300, min = 9, max = 1_000_000)]
    pub warm_up_rows: u32,
    /// Medians of the healthy pump in the order of the inputs, instead of learning them: vibration 1, vibration 2,
    /// current, pressure, temperature, flow. Needs baseline_spread too.
    #[parameter(default = [])]
    pub baseline_median: Vec<f64>,
    /// Standard deviations of the healthy pump in the order of the inputs. Needs baseline_median too.
    #[parameter(default = [])]
    pub baseline_spread: Vec<f64>,
    /// Score for each standard deviation that the inputs stand away from the baseline on average.
    #[parameter(default = 1.5, min = 0.01, max = 100.0)]
    pub sensitivity: f64,
    /// Time over which deviations are averaged, so that noise and single spikes do not count.
    #[parameter(unit = "s", default = 10.0, min = 0.001, max = 86400.0)]
    pub smoothing: f64,
    /// Time constant with which the baseline follows slow, harmless change (weather, warm-up) while the pump is
    /// healthy.
    #[parameter(unit = "s", default = 1800.0, min = 1.0, max = 1e9)]
    pub drift_time: f64,
    /// How far the baseline may follow, in its standard deviations. 0 keeps it where it was learnt; slow wear beyond
    /// this is always seen.
    #[parameter(default = 6.0, min = 0.0, max = 100.0)]
    pub drift_max: f64,
    /// Deviations count up to this many standard deviations, so that one broken sensor does not decide alone.
    #[parameter(default = 8.0, min = 1.0, max = 1000.0)]
    pub deviation_cap: f64,
    /// Score that may last for ever. What stands above it adds up, so that a small change that stays is found too.
    #[parameter(default = 1.2, min = 0.0, max = 100.0)]
    pub lasting_slack: f64,
    /// Score above the slack, times its seconds, at which the warning comes. A very large one switches that off.
    #[parameter(unit = "s", default = 10.0, min = 0.001, max = 1e12)]
    pub lasting_limit: f64,
    /// Smallest standard deviation of the baseline, as a part of the median: what changes by less is not worth an
    /// alarm.
    #[parameter(default = 0.02, min = 0.0, max = 10.0)]
    pub relative_floor: f64,
    /// Smallest standard deviation of vibration.
    #[parameter(unit = "[g]", default = 0.002, min = 1e-9, max = 100.0)]
    pub vibration_floor: f64,
    /// Smallest standard deviation of current.
    #[parameter(unit = "A", default = 0.05, min = 1e-9, max = 1e5)]
    pub current_floor: f64,
    /// Smallest standard deviation of pressure.
    #[parameter(unit = "bar", default = 0.05, min = 1e-9, max = 1e5)]
    pub pressure_floor: f64,
    /// Smallest standard deviation of temperature.
    #[parameter(unit = "K", default = 2.0, min = 1e-9, max = 1e3)]
    pub temperature_floor: f64,
    /// Smallest standard deviation of flow.
    #[parameter(unit = "L/min", default = 0.5, min = 1e-9, max = 1e6)]
    pub flow_floor: f64,
    /// How many inputs at least must tell before there is a verdict.
    #[parameter(default = 3, min = 1, max = 6)]
    pub inputs_min: u32,
    /// Current above which the pump counts as running. A pump that stands still is neither healthy nor sick.
    #[parameter(unit = "A", default = 0.2, min = 0.0, max = 1e5)]
    pub running_current: f64,
    /// How long after its start a pump is left alone.
    #[parameter(unit = "s", default = 10.0, min = 0.0, max = 86400.0)]
    pub settling: f64,
}
