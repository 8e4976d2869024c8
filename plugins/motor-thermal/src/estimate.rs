//! One row of the filter: what the sensors said, how belief moves, what is given out.

use geminus_models::innovation::GateMemory;
use geminus_models::{Innovation, SVector, ZeroOrderHold};
use geminus_sdk::{Memo, Output, Reading, log, math};

use crate::motor::{AMBIENT, BEARING, Motor, SURFACE, WINDING};
use crate::{Belief, Estimated, Measured, Memory, MotorParameters};

/// Temperatures that a motor can have, °C. What lies outside is a broken sensor, whatever quality it claims.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = -100.0..=1000.0;
/// How long a measurement of the surroundings lasts, s. Later the number is a conclusion from the heat balance, and
/// wrong by whatever the losses are set wrong, of which the deviation knows nothing.
const AMBIENT_LASTS_S: f64 = 3600.0;
/// Current that a motor can draw, as a multiple of its rated current.
const CURRENT_MAX: f64 = 100.0;

/// What the sensors of one row said, as far as it can be true.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    surface: Option<f64>,
    ambient: Option<f64>,
    /// Current squared as a part of the rated current squared.
    pub(crate) heating: Option<f64>,
    /// Whether a temperature was told that no motor has.
    implausible: bool,
}

impl Seen {
    pub(crate) fn of(measured: &Measured, motor: &Motor) -> Self {
        let told = [measured.surface_temperature, measured.ambient_temperature].map(Reading::value);
        let [surface, ambient] = told.map(|t| t.filter(|t| PLAUSIBLE.contains(t)));
        let load = measured.current.value().map(|current| current / motor.parameters.rated_current);
        Self {
            surface,
            ambient,
            heating: load.filter(|load| load.abs() <= CURRENT_MAX).map(|load| load * load),
            implausible: told != [surface, ambient],
        }
    }

    /// What is assumed of a time to come: the current alone. Temperatures are what is foreseen, and no reading of them comes.
    pub(crate) fn assumed(measured: &Measured, motor: &Motor) -> Self {
        let heating = Self::of(measured, motor).heating;
        Self { surface: None, ambient: None, heating, implausible: false }
    }
}

/// Moves belief over the interval since the last row and takes in what was seen. `None` when nothing was measured,
/// and in the row where belief begins.
pub(crate) fn advance(
    motor: &Motor,
    interval: &Memo<ZeroOrderHold<4, 2>>,
    memory: &mut Memory,
    seen: &Seen,
    elapsed: Option<f64>,
) -> Option<Innovation<2>> {
    let dt_s = elapsed.unwrap_or(0.0);
    memory.ambient_age = match seen.ambient {
        Some(_) => Some(0.0),
        None => memory.ambient_age.map(|age| age + dt_s),
    };
    let Some(belief) = memory.belief else {
        memory.belief = begin(motor, seen);
        return None;
    };
    let mut filter = motor.filter((belief.x, belief.p), &interval.get(dt_s, || motor.over(dt_s)));
    if elapsed.is_some() {
        if !memory.current_known {
            motor.doubt_heating(&mut filter, dt_s);
        }
        filter.predict(&motor.heats(memory.heating));
    }
    let Ok(innovation) = filter.update(&SVector::from([seen.surface, seen.ambient])) else {
        log::warn!("the state of the filter was no covariance; the estimate starts afresh");
        memory.belief = begin(motor, seen);
        return None;
    };
    memory.belief = Some(Belief { x: filter.x, p: filter.P });
    innovation
}

fn begin(motor: &Motor, seen: &Seen) -> Option<Belief> {
    let (x, p) = motor.belief(seen.surface?, seen.ambient);
    Some(Belief { x, p })
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

/// What decides whether an estimate is given as good or as uncertain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust {
    heating: bool,
    ambient: bool,
    deviation_max: f64,
}

impl Trust {
    pub(crate) fn of(memory: &Memory, heating: bool, parameters: &MotorParameters) -> Self {
        let ambient = memory.ambient_age.is_some_and(|age| age <= AMBIENT_LASTS_S);
        Self { heating, ambient, deviation_max: parameters.deviation_max }
    }
}

impl Estimated {
    /// Before there is belief.
    pub(crate) fn nothing() -> Self {
        Self {
            winding_temperature: Output::missing(),
            winding_temperature_deviation: None,
            bearing_temperature: Output::missing(),
            bearing_temperature_deviation: None,
            surface_estimate: Output::missing(),
            surface_estimate_deviation: None,
            ambient_estimate: Output::missing(),
            ambient_estimate_deviation: None,
            innovation: None,
            nis: None,
        }
    }

    /// Of a belief. A temperature is uncertain when it is less sure than `deviation_max` or when the heating was not
    /// known; that of the surroundings also when no sensor told it lately.
    pub(crate) fn of(belief: &Belief, innovation: Option<&Innovation<2>>, trust: Trust) -> Self {
        let deviation = |body: usize| math::sqrt(belief.variance(body));
        let sure = |body: usize| trust.heating && deviation(body) <= trust.deviation_max;
        let temperature = |body: usize| match sure(body) && (body != AMBIENT || trust.ambient) {
            true => Output::good(belief.temperature(body)),
            false => Output::uncertain(belief.temperature(body)),
        };
        Self {
            winding_temperature: temperature(WINDING),
            winding_temperature_deviation: Some(deviation(WINDING)),
            bearing_temperature: temperature(BEARING),
            bearing_temperature_deviation: Some(deviation(BEARING)),
            surface_estimate: temperature(SURFACE),
            surface_estimate_deviation: Some(deviation(SURFACE)),
            ambient_estimate: temperature(AMBIENT),
            ambient_estimate_deviation: Some(deviation(AMBIENT)),
            innovation: innovation.map(|innovation| innovation.y.x),
            nis: innovation.map(|innovation| innovation.nis),
        }
    }

    /// How sure a belief is of each temperature: 1 σ in the same places.
    pub(crate) fn doubt(belief: &Belief) -> Self {
        let deviation = |body: usize| Output::good(math::sqrt(belief.variance(body)));
        Self {
            winding_temperature: deviation(WINDING),
            bearing_temperature: deviation(BEARING),
            surface_estimate: deviation(SURFACE),
            ambient_estimate: deviation(AMBIENT),
            ..Self::nothing()
        }
    }
}

impl Belief {
    /// Of a body, °C.
    #[expect(clippy::indexing_slicing, reason = "bodies are the constants of `motor`, 0 to 3")]
    pub(crate) fn temperature(&self, body: usize) -> f64 {
        self.x[body]
    }

    /// Of a body, K².
    #[expect(clippy::indexing_slicing, reason = "bodies are the constants of `motor`, 0 to 3")]
    pub(crate) fn variance(&self, body: usize) -> f64 {
        self.p[(body, body)]
    }
}
