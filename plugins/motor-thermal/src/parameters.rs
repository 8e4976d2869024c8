//! What a site may set for a motor. The doc comment of each field is what its users read.
//!
//! Defaults describe a motor of the hundred-watt class, such as that of the recorded water rig: about 60 W of
//! losses, 60 K above its surroundings, half of the way after some five minutes.

use geminus_sdk::Parameters;

/// Parameters of one motor.
#[derive(Clone, Copy, Debug, Parameters)]
pub struct MotorParameters {
    /// Time constant of the housing while winding, bearing and surroundings keep their temperature.
    #[parameter(unit = "s", default = 120.0, min = 1.0, max = 1e6)]
    pub surface_time_constant: f64,
    /// Time constant of the winding while its neighbours keep their temperature.
    #[parameter(unit = "s", default = 60.0, min = 1.0, max = 1e6)]
    pub winding_time_constant: f64,
    /// Time constant of the bearing while its neighbours keep their temperature.
    #[parameter(unit = "s", default = 180.0, min = 1.0, max = 1e6)]
    pub bearing_time_constant: f64,
    /// Heat that passes from winding to housing for each kelvin between them.
    #[parameter(unit = "W/K", default = 0.8, min = 0.0, max = 1e6)]
    pub winding_surface_conductance: f64,
    /// Heat that passes from winding to bearing for each kelvin between them.
    #[parameter(unit = "W/K", default = 0.1, min = 0.0, max = 1e6)]
    pub winding_bearing_conductance: f64,
    /// Heat that passes from bearing to housing for each kelvin between them.
    #[parameter(unit = "W/K", default = 0.3, min = 0.0, max = 1e6)]
    pub bearing_surface_conductance: f64,
    /// Heat that passes from housing to surroundings for each kelvin between them.
    #[parameter(unit = "W/K", default = 1.0, min = 0.0, max = 1e6)]
    pub surface_ambient_conductance: f64,
    /// Current at which copper_loss holds. Losses follow the square of the current.
    #[parameter(unit = "A", default = 2.5, min = 0.001, max = 1e5)]
    pub rated_current: f64,
    /// Current above which the motor counts as running: iron_loss and bearing_loss then heat it.
    #[parameter(unit = "A", default = 0.2, min = 0.0, max = 1e5)]
    pub running_current: f64,
    /// Heat in the winding at rated current.
    #[parameter(unit = "W", default = 10.0, min = 0.0, max = 1e7)]
    pub copper_loss: f64,
    /// Heat in the housing (stator iron) while running, whatever the load.
    #[parameter(unit = "W", default = 45.0, min = 0.0, max = 1e7)]
    pub iron_loss: f64,
    /// Heat in the bearing (friction) while running.
    #[parameter(unit = "W", default = 5.0, min = 0.0, max = 1e7)]
    pub bearing_loss: f64,
    /// Growth of the copper loss for each kelvin that the winding is above its surroundings; 0.4 % of the loss for
    /// copper. Where it exceeds what the conductances carry away, the motor runs away, and is refused.
    #[parameter(unit = "W/K", default = 0.0, min = 0.0, max = 1e6)]
    pub copper_feedback: f64,
    /// Noise of the surface sensor (1 σ).
    #[parameter(unit = "K", default = 0.5, min = 1e-3, max = 100.0)]
    pub surface_noise: f64,
    /// Noise of the ambient sensor (1 σ).
    #[parameter(unit = "K", default = 0.5, min = 1e-3, max = 100.0)]
    pub ambient_noise: f64,
    /// What the model leaves out, as a deviation of the surface temperature after one second (1 σ). Grows with the
    /// square root of time.
    #[parameter(unit = "K", default = 0.1, min = 1e-6, max = 100.0)]
    pub surface_drift: f64,
    /// The same for the winding.
    #[parameter(unit = "K", default = 0.3, min = 1e-6, max = 100.0)]
    pub winding_drift: f64,
    /// The same for the bearing.
    #[parameter(unit = "K", default = 0.2, min = 1e-6, max = 100.0)]
    pub bearing_drift: f64,
    /// The same for the surroundings: how fast the weather in the hall changes.
    #[parameter(unit = "K", default = 0.02, min = 1e-6, max = 100.0)]
    pub ambient_drift: f64,
    /// How far winding and bearing may be from the surface at the start (1 σ).
    #[parameter(unit = "K", default = 10.0, min = 0.1, max = 1000.0)]
    pub initial_deviation: f64,
    /// Where the surroundings are believed to be when the first row does not tell.
    #[parameter(unit = "Cel", default = 25.0, min = -60.0, max = 200.0)]
    pub assumed_ambient: f64,
    /// How wrong that may be (1 σ).
    #[parameter(unit = "K", default = 10.0, min = 0.1, max = 1000.0)]
    pub assumed_ambient_deviation: f64,
    /// Estimates less sure than this (1 σ) are given as uncertain.
    #[parameter(unit = "K", default = 5.0, min = 0.01, max = 1000.0)]
    pub deviation_max: f64,
    /// Winding temperature above which winding-hot is raised: 130 °C for insulation class B, 155 °C for F.
    #[parameter(unit = "Cel", default = 130.0, min = -60.0, max = 400.0)]
    pub winding_limit: f64,
    /// How many of the last 16 measured rows must surprise beyond the 99 % point before inconsistent is raised.
    #[parameter(default = 5, min = 1, max = 16)]
    pub inconsistent_rows: u32,
    /// Whether a point is bound to ambient_temperature. Decides what the check of observability may count on.
    #[parameter(default = true)]
    pub ambient_measured: bool,
    /// Accept a model that runs away.
    #[parameter(default = false)]
    pub allow_unstable: bool,
    /// Accept a model whose temperatures the sensors cannot tell apart.
    #[parameter(default = false)]
    pub allow_unobservable: bool,
}
