//! The loop closed: a simulated motor that would burn, motor-thermal which estimates its winding from noisy sensors,
//! the policy, and a drive that follows what is proposed. The truth is the conductance network of the models.

#![expect(clippy::expect_used, reason = "a test may")]

use geminus_models::{SVector, ZeroOrderHold};
use geminus_sdk::testing::Host;
use geminus_sdk::{Random, Reading, parameter};
use motor_thermal::{MotorParameters, MotorThermal};
use throttle_policy::{Measured, ThrottlePolicy};

/// Class F, the default of the policy, °C.
const LIMIT: f64 = 155.0;
/// Where the motor stands, °C.
const HALL: f64 = 40.0;
/// What the process asks of the motor, in times its rated current.
const OVERLOAD: f64 = 2.4;

/// A motor in a hot hall, with its sensors.
struct Plant {
    motor: motor_thermal::Motor,
    model: ZeroOrderHold<4, 2>,
    /// Surface, winding, bearing, ambient: x, y, z, w.
    truth: SVector<f64, 4>,
    noise: Random,
}

impl Plant {
    fn cold() -> Self {
        let parameters = parameter::from_json::<MotorParameters>(b"{}").expect("defaults");
        let motor = motor_thermal::Motor::new(parameters).expect("a model");
        let model = motor.over(1.0);
        Self { motor, model, truth: SVector::from([HALL; 4]), noise: Random::new(7) }
    }

    /// What the sensors say while this part of the rated current flows.
    fn measured(&mut self, load: f64) -> motor_thermal::Measured {
        let mut sensor = |truth: f64| Reading::good(truth + 0.5 * self.noise.normal());
        motor_thermal::Measured {
            surface_temperature: sensor(self.truth.x),
            ambient_temperature: sensor(HALL),
            current: Reading::good(load * self.motor.parameters.rated_current),
        }
    }

    /// One second at that load.
    fn go_on(&mut self, load: f64) {
        self.truth = self.model.F * self.truth + self.model.G * self.motor.heats(Some(load * load));
    }
}

/// What a run showed.
struct Run {
    /// Hottest that the winding truly was, °C.
    hottest: f64,
    /// Least load limit, %.
    lowest: f64,
    /// Load limit at the end, %.
    last: f64,
    /// Winding at the end, °C.
    winding: f64,
    proposals: u32,
}

/// Runs for `seconds`, with what the process asks for at each. `follows` says whether the drive does as proposed;
/// `tells` whether it tells its limit.
fn run(seconds: u32, asked: impl Fn(u32) -> f64, follows: bool, tells: bool) -> Run {
    let mut plant = Plant::cold();
    let mut estimator = Host::<MotorThermal>::open("{}").expect("an estimator");
    let mut policy = Host::<ThrottlePolicy>::open("{}").expect("a policy");
    let (mut limit, mut hottest, mut lowest, mut proposals) = (100.0_f64, f64::MIN, 100.0_f64, 0);
    for second in 0..seconds {
        let load = asked(second) * limit / 100.0;
        let estimated = estimator.step(f64::from(second), plant.measured(load)).expect("an estimate");
        let reading = |name: &str| {
            Reading::from_cell(estimated.value(name).unwrap_or(f64::NAN), estimated.quality(name) as u8)
        };
        let measured = Measured {
            winding_temperature: reading("winding_temperature"),
            winding_deviation: reading("winding_temperature_deviation"),
            present_limit: if tells { Reading::good(limit) } else { Reading::missing() },
        };
        for proposal in policy.step(f64::from(second), measured).expect("a step").proposals {
            proposals += 1;
            if follows {
                limit = proposal.value;
            }
        }
        plant.go_on(load);
        hottest = hottest.max(plant.truth.y);
        lowest = lowest.min(limit);
    }
    Run { hottest, lowest, last: limit, winding: plant.truth.y, proposals }
}

#[test]
fn the_winding_stays_below_its_limit_where_it_would_not_without() {
    let free = run(7200, |_| OVERLOAD, false, false);
    assert!(free.hottest > LIMIT + 30.0, "{} °C: this motor is in no danger", free.hottest);
    for tells in [false, true] {
        let throttled = run(7200, |_| OVERLOAD, true, tells);
        println!(
            "free {:.1} °C, throttled {:.1} °C at {} %, at the end {:.1} °C at {} %, {} proposals",
            free.hottest,
            throttled.hottest,
            throttled.lowest,
            throttled.winding,
            throttled.last,
            throttled.proposals
        );
        assert!(throttled.hottest < LIMIT, "{} °C, limit {LIMIT} °C", throttled.hottest);
        // As little as is needed: in the end the motor runs close to its limit, not at the least load.
        assert!(throttled.winding > LIMIT - 25.0, "{} °C is idle", throttled.winding);
        assert!(throttled.lowest > 40.0 && throttled.last >= throttled.lowest, "{} %", throttled.lowest);
        // Two hours: no hunting.
        assert!(throttled.proposals < 120, "{} proposals", throttled.proposals);
    }
}

#[test]
fn when_the_demand_falls_all_load_is_given_back() {
    let demand = |second: u32| if second < 3000 { OVERLOAD } else { 0.8 };
    let run = run(7200, demand, true, true);
    assert!(run.lowest < 90.0 && run.hottest < LIMIT, "{} %, {} °C", run.lowest, run.hottest);
    assert_eq!(run.last, 100.0);
}

#[test]
fn a_motor_within_its_rating_is_never_throttled() {
    let run = run(7200, |second| if second / 600 % 2 == 0 { 0.5 } else { 1.2 }, true, false);
    assert_eq!((run.proposals, run.last), (0, 100.0));
}
