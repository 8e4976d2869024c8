//! What was fitted or trained: a Gaussian process, a neural ODE, an LSTM; and what a twin of a fleet runs.
//!
//! A surrogate and a network are those of a type of machine: they are made once for all twins.

use std::cell::RefCell;
use std::sync::OnceLock;

use geminus_models::gaussian_process::{GaussianProcess, Hyperparameters, Prediction};
use geminus_models::health::logistic;
use geminus_models::neural_ode::{Course, NeuralOde};
use geminus_models::onnx::{Model as Network, Tensor};
use geminus_sdk::{Fault, math};

use crate::tracking::Linear;
use crate::{Belief, Model, Said};

/// Rows that the surrogate knows.
const ROWS: u32 = 200;
/// Fractions whose multiples fill a cube evenly: powers of the root of x⁴ = x + 1.
const EVEN: [f64; 3] = [0.819_172_513_396_164_5, 0.671_043_606_703_789_3, 0.549_700_477_901_970_3];
/// Length of the surrogate in each input.
const LENGTH: f64 = 0.7;
/// Its noise, in squares of the outputs' spread.
const NOISE: f64 = 1e-4;
/// Intervals of the reactor's forecast, their length in minutes, and steps of each.
const FORECAST: (u32, f64, u32) = (30, 0.5, 2);
/// Rows that the LSTM sees, and features of each.
const WINDOW: (usize, usize) = (30, 8);
/// Deviations from what is expected that count as a score of 1.
const SCORE_DEVIATIONS: f64 = 3.0;

const REACTOR: &str = include_str!("../../../../sdk/models/data/cstr.neural-ode");
const LSTM: &[u8] = include_bytes!("../lstm.onnx");

thread_local! {
    static SURROGATE: RefCell<Option<GaussianProcess>> = const { RefCell::new(None) };
}

/// The surrogate, fitted at its first use.
fn with_surrogate<T>(ask: impl FnOnce(&mut GaussianProcess) -> Result<T, Fault>) -> Result<T, Fault> {
    SURROGATE.with_borrow_mut(|made| match made {
        Some(surrogate) => ask(surrogate),
        None => ask(made.insert(surrogate()?)),
    })
}

fn surrogate() -> Result<GaussianProcess, Fault> {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for row in 1..=ROWS {
        let [a, b, c] = EVEN.map(|even| {
            let place = even * f64::from(row);
            place - math::floor(place)
        });
        x.extend([a, b, c]);
        y.push(math::sin(3.0 * a) + b * b - 0.5 * c * a);
    }
    let hyperparameters = Hyperparameters { amplitude: 1.0, lengths: vec![LENGTH; 3], noise: NOISE };
    GaussianProcess::new(&x, &y, hyperparameters).map_err(Fault::other)
}

fn predicted(at: [f64; 3]) -> Result<Prediction, Fault> {
    with_surrogate(|surrogate| surrogate.predict(&at).map_err(Fault::other))
}

/// A Gaussian process that is asked for one point a row.
#[derive(Debug)]
pub(crate) struct Surrogate;

impl Surrogate {
    pub(crate) fn new() -> Result<Self, Fault> {
        with_surrogate(|_| Ok(Self))
    }
}

impl Model for Surrogate {
    fn step(&mut self, _: &mut Option<Belief>, at: [f64; 3]) -> Result<Said, Fault> {
        let Prediction { mean, deviation, .. } = predicted(at)?;
        Ok(Said { estimate: mean, estimate_deviation: Some(deviation), health: None })
    }
}

/// Kalman filter, Gaussian process, health: what the surrogate expects of where the filter sees the target, and how far
/// the third input is from that.
#[derive(Debug)]
pub(crate) struct Watched(Linear);

impl Watched {
    pub(crate) fn new() -> Result<Self, Fault> {
        with_surrogate(|_| Ok(Self(Linear::new())))
    }
}

impl Model for Watched {
    fn step(&mut self, belief: &mut Option<Belief>, [x, y, measured]: [f64; 3]) -> Result<Said, Fault> {
        let at = self.0.follow(belief, x, y)?.x;
        let told = predicted([(at.x - 100.0) / 200.0, (at.y - 50.0) / 200.0, 0.5 + 0.1 * at.z])?;
        let score = (measured - told.mean).abs() / (SCORE_DEVIATIONS * told.deviation);
        Ok(Said { estimate: told.mean, estimate_deviation: Some(told.deviation), health: logistic(score) })
    }
}

/// The neural ODE of a reactor: its temperature after a held jacket.
#[derive(Debug)]
pub(crate) struct Reactor(NeuralOde);

impl Reactor {
    pub(crate) fn new() -> Result<Self, Fault> {
        NeuralOde::read(REACTOR).map(Self).map_err(Fault::other)
    }
}

impl Model for Reactor {
    fn step(&mut self, _: &mut Option<Belief>, [jacket, part, kelvin]: [f64; 3]) -> Result<Said, Fault> {
        let (intervals, minutes, steps) = FORECAST;
        let mut x = [part, kelvin];
        for _ in 0..intervals {
            self.0.advance(&mut x, Course::Hold(&[jacket]), minutes, steps).map_err(Fault::other)?;
        }
        let [_, temperature] = x;
        Ok(Said { estimate: temperature, estimate_deviation: None, health: None })
    }
}

/// An LSTM over the last rows.
#[derive(Debug)]
pub(crate) struct Sequence {
    network: &'static Network,
    /// Features of the rows, oldest first; zeros before there were as many.
    window: Vec<f32>,
}

impl Sequence {
    pub(crate) fn new() -> Result<Self, Fault> {
        static NETWORK: OnceLock<Result<Network, String>> = OnceLock::new();
        let read = || Network::read(LSTM).map_err(|error| error.to_string());
        let network = NETWORK.get_or_init(read).as_ref();
        let network = network.map_err(|error| Fault::other(format!("lstm.onnx: {error}")))?;
        let (rows, features) = WINDOW;
        Ok(Self { network, window: vec![0.0; rows * features] })
    }
}

impl Model for Sequence {
    fn step(&mut self, _: &mut Option<Belief>, [a, b, c]: [f64; 3]) -> Result<Said, Fault> {
        let (rows, features) = WINDOW;
        let row = [a, b, c, a * b, b * c, c * a, a - b, 1.0];
        self.window.drain(..features);
        self.window.extend(row.map(|value| value as f32));
        let wrong = || Fault::other("lstm.onnx: its window has not as many numbers as it wants");
        let window = Tensor::new(&[rows, 1, features], self.window.clone()).ok_or_else(wrong)?;
        let answers = self.network.run(&[window]).map_err(Fault::other)?;
        let answer = answers.first().and_then(|answer| answer.floats()?.first()).ok_or_else(wrong)?;
        Ok(Said { estimate: f64::from(*answer), estimate_deviation: None, health: None })
    }
}
