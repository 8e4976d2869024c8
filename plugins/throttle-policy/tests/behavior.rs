//! The policy as the host sees it: rows in, proposals, outputs and alerts out, on the code paths that run in wasm.

#![expect(clippy::expect_used, reason = "a test may")]

use geminus_core::Declaration;
use geminus_core::declaration::{Arrival, Kind, Priority};
use geminus_sdk::testing::{Host, Proposed, Stepped};
use geminus_sdk::{Fault, Quality, Reading};
use throttle_policy::{Measured, ThrottlePolicy};

type Policy = Host<ThrottlePolicy>;

fn open(parameters: &str) -> Policy {
    Policy::open(parameters).expect("parameters that work")
}

fn at(temperature: f64) -> Measured {
    Measured {
        winding_temperature: Reading::good(temperature),
        winding_deviation: Reading::good(1.0),
        present_limit: Reading::missing(),
    }
}

fn told(winding_temperature: Reading) -> Measured {
    Measured { winding_temperature, ..at(0.0) }
}

/// Rows a second apart from `from` on; gives the last and everything that was proposed.
fn feed(policy: &mut Policy, from: u32, rows: impl Iterator<Item = Measured>) -> (Stepped, Vec<Proposed>) {
    let (mut last, mut proposed) = (None, Vec::new());
    for (second, measured) in (from..).zip(rows) {
        let stepped = policy.step(f64::from(second), measured).expect("a step");
        proposed.extend(stepped.proposals.iter().cloned());
        last = Some(stepped);
    }
    (last.expect("rows"), proposed)
}

fn values(proposed: &[Proposed]) -> Vec<f64> {
    proposed.iter().map(|proposal| proposal.value).collect()
}

fn codes(stepped: &Stepped) -> Vec<&str> {
    stepped.alerts.iter().map(|alert| alert.code).collect()
}

/// Everything of a row. A number that is not there is NaN, which equals nothing, so rows are compared by this.
fn text(stepped: &Stepped) -> String {
    format!("{stepped:?}")
}

#[test]
fn a_cool_winding_is_left_alone() {
    let mut policy = open("{}");
    let (last, proposed) = feed(&mut policy, 0, (0..600).map(|k| at(90.0 + f64::from(k % 3))));
    assert_eq!(proposed, []);
    assert_eq!(codes(&last), [""; 0]);
    assert_eq!(last.value("load_limit"), Some(100.0));
    assert_eq!((last.value("active"), last.value("blind")), (Some(0.0), Some(0.0)));
    assert!((last.value("margin").expect("seen") - 63.0).abs() < 1e-9, "{last:?}");
}

#[test]
fn the_limit_is_approached_in_steps_and_never_asked_for_twice() {
    let mut policy = open("{}");
    feed(&mut policy, 0, (0..60).map(|_| at(140.0)));
    // 150 ± 1 °C are 7 K into the margin of ten: 152 °C with two deviations, so 58 %.
    let (last, proposed) = feed(&mut policy, 60, (0..100).map(|_| at(150.0)));
    let values = values(&proposed);
    assert_eq!(values.first(), Some(&90.0), "{values:?}");
    assert!(values.windows(2).all(|pair| pair[1] < pair[0] && pair[0] - pair[1] <= 10.0), "{values:?}");
    let lowest = *values.last().expect("proposals");
    assert!((40.0..=58.0).contains(&lowest), "{values:?}");
    assert_eq!(last.value("proposed"), Some(lowest));
    assert_eq!(codes(&last), ["throttling"]);
    let first = &proposed[0];
    assert_eq!((first.command, first.valid_for_ms), ("load_limit", 120_000));
    assert!((first.confidence - 1.0 / 1.04).abs() < 1e-12, "{first:?}");
    for figure in ["winding 150.0 ± 1.0 °C", "limit 155 °C", "from 100.0 % to 90.0 %"] {
        assert!(first.reason.contains(figure), "{figure} is not in {:?}", first.reason);
    }
    assert!(first.reason.len() < 300, "{}", first.reason.len());
}

#[test]
fn a_rise_is_acted_on_before_the_limit_is_near() {
    let rise = |k: u32| at(100.0 + 0.5 * f64::from(k));
    let first = |parameters: &str| {
        let mut policy = open(parameters);
        let (_, proposed) = feed(&mut policy, 0, (0..110).map(rise));
        proposed[0].reason.clone()
    };
    let (ahead, behind) = (first("{}"), first(r#"{"horizon": 0}"#));
    // 0.5 K/s over a lag of 60 s are 26 K in 120 s.
    assert!(ahead.starts_with("winding 117") && ahead.contains("forecast 143"), "{ahead}");
    assert!(ahead.contains("in 120 s (+30.0 K/min)"), "{ahead}");
    assert!(behind.starts_with("winding 143"), "{behind}");
}

#[test]
fn at_the_lowest_load_and_still_too_hot_somebody_is_called() {
    let mut policy = open("{}");
    let (last, proposed) = feed(&mut policy, 0, (0..200).map(|_| at(158.0)));
    let lowered: Vec<f64> = values(&proposed).into_iter().take(6).collect();
    assert_eq!(lowered, [90.0, 80.0, 70.0, 60.0, 50.0, 40.0]);
    assert_eq!(codes(&last), ["throttling", "exhausted"]);
    assert!((last.alerts[1].value - 160.0).abs() < 1e-9);
    assert!((last.value("margin").expect("seen") + 3.0).abs() < 1e-9, "negative above the limit");
}

#[test]
fn load_comes_back_slowly_and_only_when_it_is_clearly_cooler() {
    let mut policy = open("{}");
    feed(&mut policy, 0, (0..100).map(|_| at(158.0)));
    let asked = policy.step(100.0, at(158.0)).expect("a step").value("proposed");
    assert_eq!(asked, Some(40.0));
    // Inside the hysteresis (138 to 143 °C with two deviations) nothing is given back, however long.
    let (_, within) = feed(&mut policy, 101, (0..600).map(|_| at(140.0)));
    assert_eq!(within, []);
    let (last, back) = feed(&mut policy, 701, (0..1800).map(|_| at(120.0)));
    let given: Vec<f64> = values(&back);
    assert_eq!(given.first(), Some(&42.0), "{given:?}");
    assert!(given.windows(2).all(|pair| pair[1] > pair[0]), "{given:?}");
    // 60 % by 2 %/min take half an hour.
    assert!((98.0..100.0).contains(given.last().expect("proposals")), "{given:?}");
    assert_eq!(codes(&last), ["throttling"]);
    let (last, end) = feed(&mut policy, 2501, (0..120).map(|_| at(120.0)));
    assert_eq!(end.last().expect("the end").value, 100.0);
    assert_eq!((codes(&last), last.value("active")), (vec![], Some(0.0)));
}

#[test]
fn what_cannot_be_relied_on_changes_nothing_and_is_said() {
    let unsure = Measured { winding_deviation: Reading::good(5.1), ..at(160.0) };
    let cases = [
        (told(Reading::without(Quality::Bad)), "the temperature of the winding is bad"),
        (told(Reading::without(Quality::Stale)), "the temperature of the winding is stale"),
        (told(Reading::uncertain(160.0)), "the temperature of the winding is uncertain"),
        (told(Reading::good(f64::NAN)), "the temperature of the winding is bad"),
        (told(Reading::good(f64::INFINITY)), "the temperature of the winding is bad"),
        (told(Reading::good(1e300)), "no winding has 1.000e300 °C"),
        (unsure, "a deviation of 5.1 K is not within 0 to 5 K"),
        (Measured { winding_deviation: Reading::good(-1.0), ..at(160.0) }, "a deviation of -1.0 K"),
        (
            Measured { winding_deviation: Reading::uncertain(1.0), ..at(160.0) },
            "the deviation of the winding is",
        ),
        (told(Reading::missing()), "no winding temperature was told"),
    ];
    for (doubtful, says) in cases {
        let mut policy = open("{}");
        feed(&mut policy, 0, (0..40).map(|_| at(149.0)));
        let standing = policy.step(40.0, at(149.0)).expect("a step").value("proposed").expect("proposed");
        assert!(standing < 100.0);
        let (last, proposed) = feed(&mut policy, 41, (0..300).map(|_| doubtful));
        assert_eq!(proposed, [], "{says}");
        assert_eq!(codes(&last), ["blind", "throttling"], "{says}");
        assert!(last.alerts[0].detail.contains(says), "{:?}", last.alerts[0]);
        let stays = format!("stays at {standing:.1} %");
        assert!(last.alerts[0].detail.contains(&stays), "{:?}", last.alerts[0]);
        assert_eq!((last.value("blind"), last.value("load_limit")), (Some(1.0), Some(standing)), "{says}");
        for output in ["margin", "forecast", "heating_rate"] {
            assert_eq!(last.quality(output), Quality::Missing, "{output}: {says}");
        }
        // And it sees again, with a heating rate that begins anew after the gap.
        let again = policy.step(341.0, at(149.0)).expect("a step");
        assert_eq!((again.value("blind"), again.value("forecast")), (Some(0.0), None), "{says}");
        assert_eq!(codes(&again), ["throttling"], "{says}");
    }
}

#[test]
fn a_machine_that_was_never_seen_is_not_touched() {
    let mut policy = open("{}");
    let (last, proposed) = feed(&mut policy, 0, (0..60).map(|_| told(Reading::uncertain(170.0))));
    assert_eq!((proposed, codes(&last)), (vec![], vec![]), "for the first minute nobody is called");
    let (last, proposed) = feed(&mut policy, 60, (0..10).map(|_| told(Reading::uncertain(170.0))));
    assert_eq!((proposed, codes(&last)), (vec![], vec!["blind"]));
}

#[test]
fn a_row_of_another_input_neither_hides_nor_repeats_the_temperature() {
    let (mut with, mut without) = (open("{}"), open("{}"));
    for second in 0..200_u32 {
        let measured = at(100.0 + 0.4 * f64::from(second));
        let (a, b) = (with.step(f64::from(second), measured), without.step(f64::from(second), measured));
        let (a, b) = (a.expect("a step"), b.expect("a step"));
        assert_eq!(values(&a.proposals), values(&b.proposals), "at {second} s");
        let close = |name: &str| match (a.value(name), b.value(name)) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-6,
            (a, b) => a == b,
        };
        assert!(close("forecast") && close("load_limit"), "{a:?} {b:?}");
        let silent = Measured { winding_deviation: Reading::missing(), ..told(Reading::missing()) };
        let between = with.step(f64::from(second) + 0.5, silent).expect("a step");
        assert_eq!(between.proposals, []);
        assert_eq!((between.value("margin"), between.value("blind")), (a.value("margin"), Some(0.0)));
    }
}

#[test]
fn nothing_is_given_back_for_time_that_was_not_seen() {
    let mut policy = open("{}");
    feed(&mut policy, 0, (0..100).map(|_| at(158.0)));
    feed(&mut policy, 100, (0..60).map(|_| at(120.0)));
    let before = policy.step(160.0, at(120.0)).expect("a step").value("load_limit").expect("a limit");
    let after = policy.step(1e6, at(120.0)).expect("a step");
    assert_eq!(after.value("load_limit"), Some(before), "a long gap is no cooling");
    assert_eq!(after.value("forecast"), None);
    assert!(after.proposals.iter().all(|proposal| proposal.value < 50.0), "{after:?}");
}

#[test]
fn time_that_goes_back_is_refused_and_leaves_no_trace() {
    let (mut plain, mut torn) = (open("{}"), open("{}"));
    for second in 0..120_u32 {
        let measured = at(130.0 + 0.2 * f64::from(second));
        let a = plain.step(f64::from(second), measured).expect("a step");
        let b = torn.step(f64::from(second), measured).expect("a step");
        assert_eq!(text(&a), text(&b), "at {second} s");
        for back in [0.0, 1.0, 3600.0] {
            let refused = torn.step(f64::from(second) - back, at(300.0));
            assert!(matches!(refused, Err(Fault::Input { .. })), "{refused:?}");
        }
    }
}

#[test]
fn a_restart_in_the_middle_proposes_the_same() {
    let (mut stays, mut swaps) = (open("{}"), open("{}"));
    let mut proposals = 0;
    for second in 0..3000_u32 {
        let phase = f64::from(second) / 300.0;
        let measured = match second % 97 {
            5 => told(Reading::without(Quality::Stale)),
            6..30 => told(Reading::missing()),
            _ if second < 2000 => at(135.0 + 20.0 * phase.sin()),
            _ => Measured { present_limit: Reading::good(97.0), ..at(135.0 + 20.0 * phase.sin()) },
        };
        let a = stays.step(f64::from(second), measured).expect("a step");
        let b = swaps.step(f64::from(second), measured).expect("a step");
        assert_eq!(text(&a), text(&b), "at {second} s");
        proposals += a.proposals.len();
        swaps.swap().expect("state carried");
    }
    assert!(proposals > 12, "only {proposals} proposals were compared");
}

#[test]
fn a_machine_that_does_not_follow_is_asked_again_from_where_it_is() {
    let mut policy = open("{}");
    let stubborn = |present: f64| move |_| Measured { present_limit: Reading::good(present), ..at(158.0) };
    let (_, proposed) = feed(&mut policy, 0, (0..300).map(stubborn(100.0)));
    assert_eq!(
        values(&proposed),
        [90.0, 90.0, 90.0],
        "one step from where it is, each time the last has expired"
    );
    assert!(proposed[1].reason.contains("has expired"), "{:?}", proposed[1]);
    let (_, followed) = feed(&mut policy, 300, (0..15).map(stubborn(90.0)));
    assert_eq!(values(&followed), [80.0]);
    // What the field says of itself is not believed when it cannot be.
    let (_, odd) = feed(&mut policy, 315, (0..10).map(stubborn(1e9)));
    assert_eq!(values(&odd), [70.0]);
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    let check = |parameters: &str, pointer: &str, says: &str| match Policy::open(parameters) {
        Err(Fault::Parameter { pointer: found, reason }) => {
            assert_eq!(found, pointer, "{parameters}: {reason}");
            assert!(reason.contains(says), "{parameters}: {reason}");
        }
        other => panic!("{parameters}: {other:?}"),
    };
    check(r#"{"load_minimum": 90, "load_full": 90}"#, "/load_minimum", "90 must be below load_full, 90");
    check(r#"{"assumed_deviation": 6}"#, "/assumed_deviation", "at most deviation_max, 5");
    check(r#"{"step": 3}"#, "/step", "at most deadband, 2");
    check(r#"{"deadband": 20}"#, "/deadband", "at most step_max, 10");
    check(r#"{"interval_min": 600}"#, "/interval_min", "at most valid_for, 120");
    check(r#"{"time_constant": 0}"#, "/time_constant", "not within");
    check(r#"{"limit_temperature": 500}"#, "/limit_temperature", "not within");
    check(r#"{"colour": 1}"#, "/colour", "not known");
    assert!(Policy::open(r#"{"load_minimum": 0, "step_max": 100, "horizon": 0, "caution": 0}"#).is_ok());
}

#[test]
fn the_declaration_says_what_the_plugin_does() {
    let declaration = Declaration::parse(ThrottlePolicy::DECLARATION.as_bytes()).expect("a declaration");
    assert_eq!((declaration.name.as_str(), declaration.kind), ("throttle-policy", Kind::CommandPolicy));
    let inputs: Vec<_> = declaration
        .inputs
        .iter()
        .map(|i| (i.name.as_str(), i.unit.as_str(), i.arrival, i.required))
        .collect();
    assert_eq!(
        inputs,
        [
            ("winding_temperature", "Cel", Arrival::Event, true),
            ("winding_deviation", "K", Arrival::Event, false),
            ("present_limit", "%", Arrival::Hold, false),
        ]
    );
    let [command] = declaration.commands.as_slice() else { panic!("{:?}", declaration.commands) };
    assert_eq!((command.name.as_str(), command.unit.as_str()), ("load_limit", "%"));
    assert_eq!((command.minimum, command.maximum), (0.0, 100.0));
    let alerts: Vec<_> = declaration.alerts.iter().map(|a| (a.code.as_str(), a.priority)).collect();
    let expect = [("throttling", Priority::Low), ("exhausted", Priority::High), ("blind", Priority::Medium)];
    assert_eq!(alerts, expect);
    let limit = &declaration.parameters["properties"]["limit_temperature"];
    assert_eq!(limit["default"], 155.0, "class F");
    assert_eq!((declaration.state.schema, declaration.state.reads), (1, vec![1]));
}
