//! The models by name, and the rows that they are measured with: the same for wasm, native code and the Python reference
//! (`reference/times.py`).

use geminus_sdk::math;

/// Seconds from one row of a twin to the next: 10 Hz.
pub const INTERVAL_S: f64 = 0.1;

/// Angle that the target goes a row, in radians.
const TURN: f64 = 0.005;
/// Rows between two set points of a controller.
const HELD_ROWS: u64 = 25;

/// A model that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Kalman filter of four states with two measurements.
    Kalman,
    /// Extended Kalman filter of four states: range and bearing.
    Extended,
    /// Unscented Kalman filter of the same.
    Unscented,
    /// Particle filter of the same.
    Particle,
    /// Gaussian process of 200 rows with three inputs: mean and deviation of one point.
    GaussianProcess,
    /// Neural ODE of a reactor: sixty steps of Runge-Kutta.
    NeuralOde,
    /// LSTM of 64 over thirty rows with eight features, from an ONNX file.
    Lstm,
    /// Predictive control over twenty intervals, warm-started.
    Mpc,
    /// What a twin of a fleet runs: Kalman filter, Gaussian process, health.
    Fleet,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Kalman,
        Self::Extended,
        Self::Unscented,
        Self::Particle,
        Self::GaussianProcess,
        Self::NeuralOde,
        Self::Lstm,
        Self::Mpc,
        Self::Fleet,
    ];

    /// Its name in the bench and in the parameter `model`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kalman => "kalman",
            Self::Extended => "ekf",
            Self::Unscented => "ukf",
            Self::Particle => "particle",
            Self::GaussianProcess => "gp",
            Self::NeuralOde => "neural_ode",
            Self::Lstm => "onnx_lstm",
            Self::Mpc => "mpc",
            Self::Fleet => "fleet",
        }
    }

    /// The model of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The row of a twin at a tick: a target that goes in a circle and is seen with noise, or what the model takes instead.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^53")]
    pub fn row(self, twin: u32, tick: u64) -> [f64; 3] {
        let phase = TURN * tick as f64 + f64::from(twin);
        let (across, along) = (math::cos(phase), math::sin(phase));
        let noise = (((tick * 37 + u64::from(twin) * 11) % 97) as f64 - 48.0) / 96.0;
        let (x, y) = (200.0 + 50.0 * across, 150.0 + 50.0 * along);
        match self {
            Self::Kalman | Self::Fleet => [x + noise, y - noise, 0.5 + 0.2 * noise],
            Self::Extended | Self::Unscented | Self::Particle => {
                [math::hypot(x, y) + noise, math::atan2(y, x) + 0.01 * noise, 0.0]
            }
            Self::GaussianProcess => [0.5 + 0.4 * across, 0.5 + 0.4 * along, 0.5 + 0.2 * noise],
            Self::NeuralOde => [297.0 + 2.0 * across, 0.7 + 0.1 * along, 335.0 + 5.0 * noise],
            Self::Lstm => [across, along, noise],
            Self::Mpc => [if (tick / HELD_ROWS).is_multiple_of(2) { 1.0 } else { -1.0 }, 0.0, 0.0],
        }
    }
}
