//! The policy as the host sees it, and the loop closed over two simulated tanks that are not linear.

#![expect(clippy::expect_used, reason = "a test may")]

use geminus_models::ode::Rk4;
use geminus_sdk::testing::{Host, Stepped};
use geminus_sdk::{Fault, Quality, Random, Reading};
use tank_mpc::{Measured, TankMpc};

fn open(parameters: &str) -> Host<TankMpc> {
    Host::open(parameters).expect("parameters that work")
}

fn row(upper: f64, lower: f64, speed: f64) -> Measured {
    Measured {
        upper_level: Reading::good(upper),
        lower_level: Reading::good(lower),
        pump_speed: Reading::good(speed),
        wanted_level: Reading::missing(),
    }
}

fn codes(stepped: &Stepped) -> Vec<&str> {
    stepped.alerts.iter().map(|alert| alert.code).collect()
}

/// Two tanks of the default parameters, with a leak of the lower one and noisy sensors.
struct Plant {
    levels: [f64; 2],
    speed: f64,
    /// m³/s
    leak: f64,
    /// m, 1 σ
    noise: f64,
    random: Random,
}

impl Plant {
    fn go_on(&mut self, seconds: f64) {
        let (speed, leak) = (self.speed, self.leak);
        let mut rates = |_: f64, h: &[f64], out: &mut [f64]| {
            let flow = |level: f64| 0.004 * (2.0 * 9.806_65 * level.max(0.0)).sqrt();
            let ([upper, lower], [up, down]) = (h, out) else { return };
            *up = (0.03 * speed / 100.0 - flow(*upper)) / 1.5;
            *down = (flow(*upper) - flow(*lower) - leak) / 1.5;
        };
        Rk4::new(2)
            .expect("a size")
            .integrate(&mut rates, 0.0, seconds, 5, &mut self.levels)
            .expect("finite");
    }

    fn measured(&mut self, wanted: f64) -> Measured {
        let mut level = |truth: f64| Reading::good(truth + self.noise * self.random.normal());
        let [upper, lower] = self.levels;
        let (upper_level, lower_level) = (level(upper), level(lower));
        Measured {
            upper_level,
            lower_level,
            pump_speed: Reading::good(self.speed),
            wanted_level: Reading::good(wanted),
        }
    }
}

/// What a run showed.
struct Run {
    /// Lower level at the end, averaged over the last ten minutes, m.
    last: f64,
    lowest: f64,
    /// Of the lower level.
    peak: f64,
    /// Of both.
    highest: f64,
    proposals: u32,
    unknown_flow: f64,
    largest_step: f64,
}

/// Runs for some seconds, a row each five, with the level that is wanted at each; the pump does as proposed.
fn run(seconds: u16, leak: f64, noise: f64, wanted: impl Fn(u16) -> f64) -> Run {
    let mut policy = open("{}");
    let mut plant = Plant { levels: [1.5, 1.5], speed: 72.3, leak, noise, random: Random::new(3) };
    let mut run = Run {
        last: 0.0,
        lowest: f64::MAX,
        peak: f64::MIN,
        highest: f64::MIN,
        proposals: 0,
        unknown_flow: 0.0,
        largest_step: 0.0,
    };
    let mut averaged = 0.0;
    for second in (0..seconds).step_by(5) {
        let measured = plant.measured(wanted(second));
        let stepped = policy.step(f64::from(second), measured).expect("a step");
        for proposal in &stepped.proposals {
            run.proposals += 1;
            run.largest_step = run.largest_step.max((proposal.value - plant.speed).abs());
            plant.speed = proposal.value;
        }
        run.unknown_flow = stepped.value("unknown_flow").expect("always");
        plant.go_on(5.0);
        run.lowest = run.lowest.min(plant.levels[1]);
        run.peak = run.peak.max(plant.levels[1]);
        run.highest = run.highest.max(plant.levels[1]).max(plant.levels[0]);
        if second + 600 >= seconds {
            run.last += plant.levels[1];
            averaged += 1.0;
        }
    }
    run.last /= averaged;
    run
}

#[test]
fn the_wanted_level_is_reached_and_kept_without_a_rest_though_a_tank_leaks() {
    let still = run(7200, 0.0, 0.0, |_| 1.8);
    println!(
        "to 1.8 m: {:.4} m at the end, lower level at most {:.3} m, highest level {:.3} m, {} proposals",
        still.last, still.peak, still.highest, still.proposals
    );
    assert!((still.last - 1.8).abs() < 0.005 && still.highest < 2.2, "{} m, {} m", still.last, still.highest);
    assert!(still.peak < 1.9, "{} m", still.peak);
    let mut alone =
        Plant { levels: [1.5, 1.5], speed: 72.3, leak: 0.002, noise: 0.0, random: Random::new(3) };
    (0..1440).for_each(|_| alone.go_on(5.0));
    println!("left alone with the leak: {:.3} m", alone.levels[1]);
    assert!(alone.levels[1] < 1.3, "without the policy the leak shows: {} m", alone.levels[1]);
    let leaking = run(7200, 0.002, 0.002, |second| if second < 3600 { 1.2 } else { 1.6 });
    println!(
        "leaking: {:.3} m at the end, highest level {:.3} m, {} proposals, unknown flow {:.5} m³/s",
        leaking.last, leaking.highest, leaking.proposals, leaking.unknown_flow
    );
    assert!((leaking.last - 1.6).abs() < 0.01, "{} m", leaking.last);
    assert!(leaking.highest < 2.2 && leaking.lowest > 0.3);
    assert!((leaking.unknown_flow + 0.002).abs() < 0.0007, "{} m³/s", leaking.unknown_flow);
    assert!(leaking.largest_step <= 10.0 + 1e-9 && leaking.proposals > 20);
}

#[test]
fn limits_of_levels_hold_though_more_is_wanted() {
    let greedy = run(7200, 0.0, 0.0, |_| 4.0);
    println!("4 m wanted: {:.3} m, highest level {:.3} m", greedy.last, greedy.highest);
    assert!(greedy.highest < 2.2 + 0.01 && greedy.last > 2.0, "{} m, {} m", greedy.highest, greedy.last);
}

#[test]
fn a_proposal_says_why_how_sure_and_what_it_will_do() {
    let mut policy = open("{}");
    let stepped = policy.step(0.0, row(1.5, 1.3, 72.3)).expect("a step");
    let proposal = stepped.proposals.first().expect("a proposal");
    assert_eq!((proposal.command, proposal.valid_for_ms), ("pump_speed", 60_000));
    assert!(proposal.value > 72.3 && proposal.value <= 82.3 + 1e-9, "{proposal:?}");
    for part in ["lower level 1.300 m, wanted 1.500 m", "pump from 72.3 %", "expected", "in 30 s", "in 300 s"]
    {
        assert!(proposal.reason.contains(part), "{part} is not in {:?}", proposal.reason);
    }
    assert!((proposal.confidence - 0.5).abs() < 1e-12, "before any prediction was held against what came");
    assert_eq!(stepped.value("wished_speed"), Some(proposal.value));
    let expected = stepped.value("next_level").expect("a plan");
    // What was predicted comes to pass, so the next proposal is surer.
    let mut plant =
        Plant { levels: [1.5, 1.3], speed: proposal.value, leak: 0.0, noise: 0.0, random: Random::new(1) };
    (0..6).for_each(|_| plant.go_on(5.0));
    assert!((plant.levels[1] - expected).abs() < 0.01, "{} m instead of {expected} m", plant.levels[1]);
    let between = policy.step(10.0, row(1.5, 1.3, 82.3)).expect("a step");
    assert_eq!(
        (between.proposals.len(), between.value("next_level")),
        (0, Some(expected)),
        "the plan stands"
    );
    let [upper, lower] = plant.levels;
    let next = policy.step(30.0, row(upper, lower, plant.speed)).expect("a step");
    assert!(next.proposals[0].confidence > 0.95, "{next:?}");
    assert!(next.value("prediction_error").is_some_and(|error| error < 0.01));
}

#[test]
fn nothing_is_proposed_from_what_cannot_be_relied_on() {
    let bad = [
        Measured { upper_level: Reading::without(Quality::Stale), ..row(0.0, 1.3, 72.0) },
        Measured { lower_level: Reading::uncertain(1.3), ..row(1.5, 0.0, 72.0) },
        Measured { pump_speed: Reading::missing(), ..row(1.5, 1.3, 0.0) },
        Measured { wanted_level: Reading::without(Quality::Bad), ..row(1.5, 1.3, 72.0) },
        row(1.5, -0.1, 72.0),
        row(1e300, 1.3, 72.0),
        row(1.5, 1.3, 130.0),
        row(1.5, 1.3, 0.0),
        Measured { upper_level: Reading::missing(), lower_level: Reading::missing(), ..row(0.0, 0.0, 72.0) },
    ];
    for measured in bad {
        let mut policy = open("{}");
        let first = policy.step(0.0, row(1.5, 1.3, 72.0)).expect("a step");
        assert_eq!((first.proposals.len(), first.value("blind")), (1, Some(0.0)));
        let soon = policy.step(40.0, measured).expect("a step");
        assert_eq!((codes(&soon), soon.proposals.len(), soon.value("blind")), (vec![], 0, Some(0.0)));
        let late = policy.step(61.0, measured).expect("a step");
        assert_eq!(
            (codes(&late), late.proposals.len(), late.value("blind")),
            (vec!["blind"], 0, Some(1.0)),
            "{measured:?}"
        );
        assert_eq!(late.value("wished_speed"), None);
        let again = policy.step(62.0, row(1.5, 1.3, 72.0)).expect("a step");
        assert_eq!((codes(&again), again.proposals.len()), (vec![], 1), "seen again, it goes on");
    }
}

#[test]
fn a_pump_that_stands_a_little_below_its_limit_is_brought_back_by_a_step_at_most() {
    let mut policy = open(r#"{"step_max": 1.0}"#);
    let stepped = policy.step(0.0, row(1.5, 0.8, 9.6)).expect("a step");
    let value = stepped.proposals.first().expect("a proposal").value;
    assert!((10.0..=10.6 + 1e-9).contains(&value), "{value}");
}

#[test]
fn levels_that_cannot_be_kept_call_somebody_and_are_brought_back() {
    let mut policy = open("{}");
    let stepped = policy.step(0.0, row(2.0, 2.6, 72.0)).expect("a step");
    assert_eq!(codes(&stepped), ["unreachable"]);
    assert!(stepped.alerts[0].value > 0.2, "{:?}", stepped.alerts[0]);
    assert!((stepped.proposals[0].value - 62.0).abs() < 1e-6, "down as fast as it may");
}

#[test]
fn parameters_that_contradict_themselves_are_refused() {
    let check = |parameters: &str, pointer: &str, says: &str| match Host::<TankMpc>::open(parameters) {
        Err(Fault::Parameter { pointer: found, reason }) => {
            assert_eq!(found, pointer, "{parameters}: {reason}");
            assert!(reason.contains(says), "{parameters}: {reason}");
        }
        other => panic!("{parameters}: {other:?}"),
    };
    check(r#"{"level_wanted": 3.0}"#, "/level_wanted", "must be below level_highest, 2.2");
    check(r#"{"level_wanted": 0.2}"#, "/level_lowest", "must be below level_wanted");
    check(r#"{"speed_lowest": 60.0, "speed_highest": 50.0}"#, "/speed_lowest", "must be below speed_highest");
    check(r#"{"interval": 60.0}"#, "/interval", "must be below gap_max");
    check(r#"{"deadband": 11.0}"#, "/deadband", "at most step_max");
    check(r#"{"upper_outlet": 0.001}"#, "/upper_outlet", "outside its limits");
    check(r#"{"pump_flow": 0.01}"#, "/pump_flow", "takes a speed of");
    check(r#"{"pump_flow": 0.0}"#, "/pump_flow", "not within");
}

#[test]
fn a_swap_carries_on_bit_for_bit() {
    let (mut stays, mut swaps) = (open("{}"), open("{}"));
    for k in 0..60_u16 {
        let level = 1.4 + 0.002 * f64::from(k % 7);
        let measured = row(1.5, level, 70.0);
        let seconds = f64::from(k) * 7.0;
        let (a, b) =
            (stays.step(seconds, measured).expect("a step"), swaps.step(seconds, measured).expect("a step"));
        assert_eq!(format!("{a:?}"), format!("{b:?}"), "{k}");
        swaps.swap().expect("state carried");
    }
}

/// Weights and times at the ends of their ranges make badly scaled programmes; a twin that opened must be able to plan.
#[test]
fn what_opens_plans_at_both_ends_of_every_parameter() {
    let ends = [
        ("upper_area", 1e-4, 1e5),
        ("lower_area", 1e-4, 1e5),
        ("upper_outlet", 1e-8, 100.0),
        ("lower_outlet", 1e-8, 100.0),
        ("pump_flow", 1e-9, 1e4),
        ("level_wanted", 0.001, 1000.0),
        ("level_lowest", 0.0, 1000.0),
        ("level_highest", 0.001, 1000.0),
        ("speed_lowest", 0.0, 99.0),
        ("speed_highest", 1.0, 100.0),
        ("step_max", 0.01, 100.0),
        ("level_error", 1e-6, 1000.0),
        ("speed_move", 0.001, 1000.0),
        ("interval", 0.1, 3600.0),
        ("deadband", 0.0, 50.0),
        ("smoothing", 0.1, 1e6),
        ("prediction_error", 1e-6, 1000.0),
        ("gap_max", 0.1, 86400.0),
        ("valid_for", 1.0, 86400.0),
    ];
    let mut planned = 0;
    for (name, least, most) in ends {
        for value in [least, most] {
            let parameters = format!("{{\"{name}\": {value:?}}}");
            let mut policy = match Host::<TankMpc>::open(&parameters) {
                Ok(policy) => policy,
                Err(Fault::Parameter { .. }) => continue,
                Err(other) => panic!("{parameters}: {other}"),
            };
            for (seconds, upper, lower) in
                [(0.0, 1.5, 1.4), (25.0, 2.1, 0.4), (50.0, 0.2, 2.1), (75.0, 0.0, 0.0)]
            {
                let stepped = policy.step(seconds, row(upper, lower, 70.0));
                let stepped = stepped.unwrap_or_else(|fault| panic!("{parameters} at {seconds} s: {fault}"));
                planned += u32::from(stepped.value("wished_speed").is_some());
            }
        }
    }
    println!("{planned} plans at the ends of ranges");
    assert!(planned > 60, "{planned}");
}
