//! A simulated pump rig: a motor that warms up, a pump, a valve that closes now and then.
//!
//! Eight sensors in the range of the SKAB rig (Skoltech Anomaly Benchmark) see it with noise; what no sensor
//! sees, the temperature of winding and bearing, is kept as [`Truth`] for tests. Everything follows from seed
//! and time: the same calls give the same readings. Time is an argument; [`publish`] plays rigs in real time.

use std::time::Duration;

use geminus_core::Timestamp;

mod noise;
mod publish;
mod thermal;

pub use publish::{RigOptions, publish};
pub use thermal::Temperatures;

use noise::Noise;

/// Step of the integration; a hundred times shorter than the shortest time constant.
const STEP: Duration = Duration::from_millis(100);
/// Heat of the winding, W per A².
const COPPER_W_PER_A2: f64 = 10.0;

/// Names of the sensors, in the order of [`Readings::values`]: those that `geminus feed` gives to the columns
/// of SKAB, so one site takes both.
pub const SENSORS: [&str; 8] = [
    "accelerometer1-rms",
    "accelerometer2-rms",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "volume-flow-rate-rms",
];

/// What the sensors say at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Readings {
    /// When.
    pub time: Timestamp,
    /// Two accelerometers (g), current (A), pressure (bar), motor surface (°C), thermocouple beside the motor,
    /// near ambient (°C), voltage (V), flow (L/min).
    pub values: [f64; 8],
}

/// What is really so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truth {
    /// Surface, winding, bearing and ambient temperature.
    pub temperatures: Temperatures,
    /// Motor current, A, without noise.
    pub current: f64,
    /// Opening of the valve, 0 … 1.
    pub valve: f64,
    /// Whether the valve is closing, closed or opening again: what a health rule should find.
    pub anomaly: bool,
}

/// One rig.
#[derive(Clone, Debug)]
pub struct Rig {
    noise: Noise,
    start: Timestamp,
    /// Steps integrated since `start`.
    steps: u64,
    temperatures: Temperatures,
    /// Seconds from start to the beginning of the next or present closing of the valve.
    closing_at: f64,
    phase: f64,
}

/// Seconds that the valve takes to close, and to open again.
const VALVE_MOVES_S: f64 = 5.0;
/// Seconds that it stays closed.
const VALVE_CLOSED_S: f64 = 25.0;
/// Opening that remains.
const VALVE_LEAK: f64 = 0.25;
const CLOSING_S: f64 = 2.0 * VALVE_MOVES_S + VALVE_CLOSED_S;

impl Rig {
    /// A rig that has run for a while at `start`.
    #[must_use]
    pub fn new(seed: u64, start: Timestamp) -> Self {
        let mut noise = Noise::new(seed);
        let closing_at = 40.0 + 40.0 * noise.uniform();
        let phase = noise.uniform();
        let ambient = 25.0 + 3.0 * noise.uniform();
        let temperatures = Temperatures::settled(ambient, 2.0 * 2.0 * COPPER_W_PER_A2);
        Self { noise, start, steps: 0, temperatures, closing_at, phase }
    }

    /// Runs the rig up to `to`; a time before where it stands changes nothing.
    pub fn advance(&mut self, to: Timestamp) {
        let steps = to.since(self.start).as_nanos() / STEP.as_nanos();
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        while self.steps < steps {
            let load = self.current().powi(2) * COPPER_W_PER_A2;
            self.temperatures.step(load, STEP.as_secs_f64());
            self.steps += 1;
            if self.seconds() > self.closing_at + CLOSING_S {
                self.closing_at = self.seconds() + 60.0 + 120.0 * self.noise.uniform();
            }
        }
    }

    /// What the sensors say now; each call draws fresh noise.
    pub fn read(&mut self) -> Readings {
        let truth = self.truth();
        let (current, valve) = (truth.current, truth.valve);
        let speed = current / 2.4;
        let throttled = 1.0 - valve;
        let mut seen = |value: f64, sigma: f64| value + sigma * self.noise.normal();
        let values = [
            seen(0.21 * speed * (1.0 + 0.9 * throttled), 0.004),
            seen(0.27 * speed * (1.0 + 0.6 * throttled), 0.004),
            seen(current, 0.05),
            seen(0.11 + 0.9 * throttled * speed, 0.06),
            seen(truth.temperatures.surface, 0.15),
            seen(truth.temperatures.ambient, 0.1),
            seen(230.0, 3.0),
            seen(125.0 * speed.min(1.1) * valve.sqrt(), 0.6),
        ];
        Readings { time: self.start.plus(Duration::from_secs_f64(self.seconds())), values }
    }

    /// What is really so now.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let valve = self.valve();
        Truth { temperatures: self.temperatures, current: self.current(), valve, anomaly: valve < 1.0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "2^53 steps are 28 million years")]
    fn seconds(&self) -> f64 {
        self.steps as f64 * STEP.as_secs_f64()
    }

    /// The load swings over five minutes and falls a little while the valve throttles the pump.
    fn current(&self) -> f64 {
        let turn = self.seconds() / 300.0 + self.phase;
        let wanted = 2.1 + 0.5 * (turn * std::f64::consts::TAU).sin();
        wanted * (1.0 - 0.2 * (1.0 - self.valve()))
    }

    fn valve(&self) -> f64 {
        let since = self.seconds() - self.closing_at;
        let closed = (since / VALVE_MOVES_S)
            .clamp(0.0, 1.0)
            .min(((CLOSING_S - since) / VALVE_MOVES_S).clamp(0.0, 1.0));
        1.0 - (1.0 - VALVE_LEAK) * closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000_000_000);

    fn second(n: u64) -> Timestamp {
        START.plus(Duration::from_secs(n))
    }

    #[test]
    fn the_same_seed_and_times_give_the_same_readings() {
        let run = |seed| {
            let mut rig = Rig::new(seed, START);
            (1..60)
                .map(|n| {
                    rig.advance(second(n));
                    rig.read()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert_eq!(run(7).last().expect("readings").time, second(59));
    }

    #[test]
    fn an_hour_stays_in_the_range_of_the_recorded_rig_and_has_anomalies() {
        let mut rig = Rig::new(1, START);
        let ranges = [
            (0.02, 0.6),
            (0.03, 0.6),
            (0.4, 3.3),
            (-1.3, 1.6),
            (60.0, 95.0),
            (20.0, 32.0),
            (200.0, 256.0),
            (30.0, 145.0),
        ];
        let (mut closed, mut normal) = (0, 0);
        for n in 1..3_600 {
            rig.advance(second(n));
            let (truth, readings) = (rig.truth(), rig.read());
            for ((value, (low, high)), name) in readings.values.iter().zip(ranges).zip(SENSORS) {
                assert!((low..=high).contains(value), "{name} = {value} at {n} s");
            }
            assert!(truth.temperatures.winding > truth.temperatures.surface, "heat flows outwards");
            assert!(truth.temperatures.bearing > truth.temperatures.ambient);
            if truth.anomaly { closed += 1 } else { normal += 1 }
        }
        assert!(closed > 300 && normal > 2_000, "closed {closed} s, normal {normal} s");
    }

    #[test]
    fn the_sensors_see_the_truth_with_noise_of_no_bias() {
        let mut rig = Rig::new(3, START);
        rig.advance(second(10));
        let surface = rig.truth().temperatures.surface;
        let mean = (0..4_000).map(|_| rig.read().values[4]).sum::<f64>() / 4_000.0;
        // 0.15 K / sqrt(4000) = 0.0024 K; four standard errors.
        assert!((mean - surface).abs() < 0.01, "{mean} of {surface}");
    }
}
