//! One row of the filter: what the sensors said, how belief moves over an interval, what is given out.

use geminus_models::extended::Extended;
use geminus_models::innovation::GateMemory;
use geminus_models::{EstimationError, Innovation, SMatrix, SVector};
use geminus_sdk::{Output, Reading, log, math};

use crate::reactor::{Balance, Held, State, ZERO_CELSIUS_K};
use crate::{Belief, Estimated, Measured, Memory, ReactorParameters};

/// Temperatures that a reactor of liquid can have, °C. What lies outside is a broken sensor, whatever quality it claims.
const TEMPERATURES: std::ops::RangeInclusive<f64> = -100.0..=600.0;
/// Concentrations that a liquid can have, mol/L.
const CONCENTRATIONS: std::ops::RangeInclusive<f64> = -1.0..=100.0;
/// Flows, L/min.
const FLOWS: std::ops::RangeInclusive<f64> = 0.0..=1e9;

/// What the sensors of one row said, as far as it can be true.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// K
    temperature: Option<f64>,
    concentration: Option<f64>,
    /// What holds until the next row; none when a part of it is not known.
    pub(crate) held: Option<Held>,
    /// Whether something was told that no reactor has.
    implausible: bool,
}

impl Seen {
    pub(crate) fn of(measured: &Measured) -> Self {
        let kelvin = |reading: Reading| {
            reading.value().filter(|t| TEMPERATURES.contains(t)).map(|celsius| celsius + ZERO_CELSIUS_K)
        };
        let temperature = kelvin(measured.temperature);
        let concentration = measured.concentration.value().filter(|c| CONCENTRATIONS.contains(c));
        let flow = measured.feed_flow.value().filter(|flow| FLOWS.contains(flow));
        let held = match (flow, kelvin(measured.feed_temperature), kelvin(measured.jacket_temperature)) {
            (Some(flow), Some(feed_k), Some(jacket_k)) => Some(Held { flow, feed_k, jacket_k }),
            _ => None,
        };
        let implausible = temperature.is_none() && measured.temperature.value().is_some()
            || concentration.is_none() && measured.concentration.value().is_some();
        Self { temperature, concentration, held, implausible }
    }
}

/// Moves belief over the interval since the last row and takes in what was seen. `None` when nothing was measured or
/// predicted, and in the row where belief begins.
pub(crate) fn advance(
    parameters: &ReactorParameters,
    memory: &mut Memory,
    seen: &Seen,
    elapsed: Option<f64>,
) -> Option<Innovation<2>> {
    let dt_s = elapsed.unwrap_or(0.0);
    let held = memory.held().filter(|_| dt_s <= parameters.gap_max);
    memory.hold(seen.held);
    let followed =
        memory.belief.zip(held).map(|(belief, held)| follow(parameters, &belief, held, dt_s, seen));
    match followed {
        Some(Ok((belief, innovation))) => {
            memory.belief = Some(belief);
            innovation
        }
        broken => {
            if let Some(Err(error)) = broken {
                log::warn!("the state could not go on: {error}; the estimate starts afresh");
            }
            memory.belief = begin(parameters, seen);
            None
        }
    }
}

fn follow(
    parameters: &ReactorParameters,
    belief: &Belief,
    held: Held,
    dt_s: f64,
    seen: &Seen,
) -> Result<(Belief, Option<Innovation<2>>), EstimationError> {
    let noise = SVector::from([parameters.temperature_noise, parameters.concentration_noise]);
    let mut filter = Extended {
        x: belief.x,
        P: belief.p,
        Q: SMatrix::zeros(),
        R: SMatrix::from_diagonal(&noise.component_mul(&noise)),
    };
    let balance = Balance::new(parameters, held);
    let drift = SVector::from([
        parameters.concentration_drift,
        parameters.temperature_drift,
        parameters.feed_concentration_drift,
    ]);
    let (steps, step_min) = Balance::steps(dt_s / 60.0);
    filter.Q = SMatrix::from_diagonal(&(drift.component_mul(&drift) * step_min));
    for _ in 0..steps {
        let (ahead, errors) = balance.step(&filter.x, step_min);
        filter.predict(|_| ahead, |_| errors)?;
    }
    let shown = |x: &State| SVector::from([x.y, x.x]);
    let sees = SMatrix::<f64, 2, 3>::new(0.0, 1.0, 0.0, 1.0, 0.0, 0.0);
    let innovation =
        filter.update(&SVector::from([seen.temperature, seen.concentration]), shown, |_| sees)?;
    Ok((Belief { x: filter.x, p: filter.P }, innovation))
}

/// Belief at the first temperature of which flow, feed and jacket are known: the concentration is the measured one, or what settles there.
fn begin(parameters: &ReactorParameters, seen: &Seen) -> Option<Belief> {
    let (temperature, held) = (seen.temperature?, seen.held?);
    let feed = parameters.assumed_feed_concentration;
    let (concentration, deviation) = match seen.concentration {
        Some(measured) => (measured, parameters.concentration_noise),
        None => (Balance::new(parameters, held).settled(temperature, feed), parameters.initial_deviation),
    };
    let deviations = SVector::from([
        deviation,
        parameters.temperature_noise,
        parameters.assumed_feed_concentration_deviation,
    ]);
    let p = SMatrix::from_diagonal(&deviations.component_mul(&deviations));
    Some(Belief { x: State::new(concentration, temperature, feed), p })
}

/// Notes whether this row was a surprise; gives how many of the last 16 were.
pub(crate) fn surprises(memory: &mut Memory, seen: &Seen, innovation: Option<&Innovation<2>>) -> u32 {
    let mut gate = GateMemory(memory.surprises);
    match innovation {
        _ if seen.implausible => gate.note(f64::INFINITY, 1),
        Some(innovation) => gate.note(innovation.nis, innovation.observed),
        None => {}
    }
    memory.surprises = gate.0;
    gate.failures()
}

impl Estimated {
    /// Before there is belief.
    pub(crate) fn nothing() -> Self {
        Self {
            concentration_estimate: Output::missing(),
            concentration_estimate_deviation: None,
            temperature_estimate: Output::missing(),
            temperature_estimate_deviation: None,
            feed_concentration: Output::missing(),
            feed_concentration_deviation: None,
            conversion: Output::missing(),
            reaction_heat: Output::missing(),
            temperature_rise: Output::missing(),
            innovation: None,
            nis: None,
        }
    }

    /// Of a belief; `balance` is missing when flow, feed or jacket are not known from here on.
    pub(crate) fn of(
        belief: &Belief,
        balance: Option<&Balance<'_>>,
        innovation: Option<&Innovation<2>>,
        deviation_max: f64,
    ) -> Self {
        let deviation = belief.p.diagonal().map(math::sqrt);
        let sure = deviation.x <= deviation_max;
        let output = |value| if sure { Output::good(value) } else { Output::uncertain(value) };
        let x = &belief.x;
        Self {
            concentration_estimate: output(x.x),
            concentration_estimate_deviation: Some(deviation.x),
            temperature_estimate: Output::good(x.y - ZERO_CELSIUS_K),
            temperature_estimate_deviation: Some(deviation.y),
            feed_concentration: output(x.z),
            feed_concentration_deviation: Some(deviation.z),
            conversion: if x.z > 0.0 { output(1.0 - x.x / x.z) } else { Output::missing() },
            reaction_heat: balance.map_or(Output::missing(), |balance| output(balance.heat_kw(x))),
            temperature_rise: balance.map_or(Output::missing(), |balance| output(balance.rates(x).y)),
            innovation: innovation.map(|innovation| innovation.y.x),
            nis: innovation.map(|innovation| innovation.nis),
        }
    }
}
