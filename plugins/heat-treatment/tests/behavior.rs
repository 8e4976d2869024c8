//! The policy as the host sees it: rows in, proposals, outputs and alerts out, on the code paths that run in wasm.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test may")]

#[path = "process/steel.rs"]
#[expect(dead_code, reason = "other steels are for other tests")]
mod process;

use geminus_sdk::testing::{Host, Stepped};
use geminus_sdk::{Fault, Quality, Random, Reading};
use heat_treatment::{HeatTreatment, Measured};
use process::Steel;

type Policy = Host<HeatTreatment>;

fn open(parameters: &str) -> Policy {
    Policy::open(parameters).expect("parameters that work")
}

fn batch(settings: [f64; 3], hardness: f64) -> Measured {
    Measured { hardness: Reading::good(hardness), ..planned(settings) }
}

/// Settings of a batch that is not finished.
fn planned([temperature, soak, quench]: [f64; 3]) -> Measured {
    Measured {
        temperature: Reading::good(temperature),
        soak_time: Reading::good(soak),
        quench_rate: Reading::good(quench),
        hardness: Reading::missing(),
    }
}

fn codes(stepped: &Stepped) -> Vec<&str> {
    stepped.alerts.iter().map(|alert| alert.code).collect()
}

fn followed(settings: &mut [f64; 3], stepped: &Stepped) {
    for proposal in &stepped.proposals {
        let place = ["temperature", "soak_time", "quench_rate"].iter().position(|n| *n == proposal.command);
        settings[place.expect("a command")] = proposal.value;
    }
}

/// A policy that has seen so many batches of a steel, each as it was proposed; the settings that are to come, and the last row.
fn taught(parameters: &str, steel: &Steel, batches: u32) -> (Policy, [f64; 3], Stepped) {
    let (mut policy, mut settings, mut random) = (open(parameters), [500.0, 100.0, 20.0], Random::new(5));
    let mut last = None;
    for number in 0..batches {
        let hardness = steel.hardness(settings) + 0.5 * random.normal();
        let stepped = policy.step(f64::from(number) * 3600.0, batch(settings, hardness)).expect("a step");
        followed(&mut settings, &stepped);
        last = Some(stepped);
    }
    (policy, settings, last.expect("batches"))
}

#[test]
fn the_first_batches_are_spread_and_told_as_such() {
    let mut policy = open("{}");
    let first = policy.step(0.0, planned([500.0, 100.0, 20.0])).expect("a step");
    assert_eq!(first.proposals.len(), 3, "{first:?}");
    assert!(first.proposals[0].reason.contains("batch 1 of the 8 from which is learned first"), "{first:?}");
    assert_eq!((first.value("hardness_expected"), first.value("advised_hardness")), (None, None));
    assert!(first.proposals.iter().all(|proposal| proposal.confidence == 0.0), "nothing is predicted");
    let again = policy.step(10.0, planned([500.0, 101.0, 20.0])).expect("a step");
    assert_eq!(again.proposals.len(), 0, "once is enough");
    let mut settings = [500.0, 100.0, 20.0];
    followed(&mut settings, &first);
    let mut seen = Vec::new();
    for number in 0..8_u16 {
        seen.push(settings);
        let hardness = Steel::default().hardness(settings);
        let stepped =
            policy.step(f64::from(number) * 100.0 + 20.0, batch(settings, hardness)).expect("a step");
        assert_eq!(stepped.value("batches"), Some(f64::from(number) + 1.0));
        followed(&mut settings, &stepped);
    }
    // One in each eighth of the range.
    for input in [0, 1, 2] {
        let part = |value: f64| match input {
            0 => (value - 350.0) / 300.0,
            1 => (value / 30.0).log10() / 8_f64.log10(),
            _ => (value / 5.0).log10() / 12_f64.log10(),
        };
        let mut parts: Vec<f64> = seen.iter().map(|settings| (part(settings[input]) * 8.0).floor()).collect();
        parts.sort_by(f64::total_cmp);
        assert_eq!(parts, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }
}

#[test]
fn a_proposal_says_why_how_sure_and_what_it_will_do() {
    let steel = Steel::default();
    let (mut policy, settings, last) = taught("{}", &steel, 9);
    let proposal = last.proposals.first().expect("a proposal");
    assert_eq!(proposal.valid_for_ms, 3_600_000);
    for part in
        ["HRC expected", "% likely within 38 to 44 HRC", "kWh", "the cheapest that are good", "instead of"]
    {
        assert!(proposal.reason.contains(part), "{part} is not in {:?}", proposal.reason);
    }
    assert!((0.95..=1.0).contains(&proposal.confidence), "{proposal:?}");
    let (advised, deviation) = (
        last.value("advised_hardness").expect("said"),
        last.value("advised_hardness_deviation").expect("said"),
    );
    assert!((advised - steel.hardness(settings)).abs() < 3.0 * deviation, "{advised} ± {deviation}");
    assert_eq!(last.value("advised_temperature"), Some(settings[0]));
    // Set up as advised, the same is expected of it.
    let next = policy.step(1e6, planned(settings)).expect("a step");
    let expected = next.value("hardness_expected").expect("expected");
    assert!((expected - advised).abs() < 1e-6, "{expected} {advised}");
    assert_eq!(next.quality("hardness_expected"), Quality::Good);
    assert!((next.value("in_specification").expect("said") - proposal.confidence).abs() < 1e-6);
    assert!(
        (next.value("energy").expect("known") - last.value("advised_energy").expect("said")).abs() < 1e-9
    );
    assert_eq!(next.proposals.len(), 0);
}

#[test]
fn predictions_far_from_every_batch_are_uncertain_and_none_beyond_reason() {
    let (mut policy, ..) = taught("{}", &Steel::default(), 12);
    let mut check = |seconds: f64, settings: [f64; 3], quality: Quality| {
        let stepped = policy.step(1e6 + seconds, planned(settings)).expect("a step");
        assert_eq!(stepped.quality("hardness_expected"), quality, "{settings:?}: {stepped:?}");
        assert_eq!(stepped.quality("in_specification"), quality, "{settings:?}");
        assert_eq!(stepped.value("hardness_expected").is_some(), quality.usable());
    };
    check(0.0, [500.0, 100.0, 20.0], Quality::Good);
    check(1.0, [800.0, 100.0, 20.0], Quality::Uncertain);
    check(2.0, [500.0, 100.0, 300.0], Quality::Uncertain);
    check(3.0, [1e300, 100.0, 20.0], Quality::Missing);
    check(4.0, [500.0, 0.0, 20.0], Quality::Missing);
    check(5.0, [500.0, 100.0, -1.0], Quality::Missing);
    check(6.0, [500.0, 100.0, 20.0], Quality::Good);
}

#[test]
fn nothing_is_learned_from_what_cannot_be_relied_on() {
    let (mut policy, settings, _) = taught("{}", &Steel::default(), 12);
    let before = policy.snapshot(None).expect("a state");
    let whole = batch(settings, 41.0);
    let bad = [
        (Measured { hardness: Reading::without(Quality::Bad), ..whole }, "its hardness cannot be relied on"),
        (Measured { hardness: Reading::uncertain(41.0), ..whole }, "its hardness cannot be relied on"),
        (Measured { hardness: Reading::good(140.0), ..whole }, "its hardness cannot be 1.4000e2"),
        (Measured { temperature: Reading::uncertain(500.0), ..whole }, "its temperature cannot be relied on"),
        (Measured { soak_time: Reading::missing(), ..whole }, "its soak time cannot be relied on"),
        (Measured { quench_rate: Reading::good(0.0), ..whole }, "its quench rate cannot be 0"),
        (
            Measured { temperature: Reading::good(700.0), ..whole },
            "its temperature, 700.0000, is outside the bounds",
        ),
    ];
    for (second, (measured, says)) in (0_u8..).zip(bad) {
        let stepped = policy.step(1e6 + f64::from(second), measured).expect("a step");
        assert_eq!(
            (codes(&stepped).last().copied(), stepped.proposals.len()),
            (Some("unused"), 0),
            "{measured:?}"
        );
        assert!(stepped.alerts.last().expect("one").detail.contains(says), "{:?}", stepped.alerts);
        assert_eq!(stepped.value("innovation"), None);
    }
    let after = policy.snapshot(None).expect("a state");
    // All but the time of the last row, which comes first.
    assert!(before.bytes[10..] == after.bytes[10..], "the state is another");
}

#[test]
fn what_misses_the_specification_calls_somebody_until_a_batch_meets_it() {
    let (mut policy, settings, _) = taught("{}", &Steel::default(), 12);
    let soft = policy.step(1e6, batch(settings, 30.0)).expect("a step");
    assert!(codes(&soft).contains(&"off-specification"), "{soft:?}");
    assert!(
        codes(&policy.step(1e6 + 1.0, planned(settings)).expect("a step")).contains(&"off-specification")
    );
    let fine = policy.step(1e6 + 2.0, batch(settings, 41.0)).expect("a step");
    assert!(!codes(&fine).contains(&"off-specification"), "{fine:?}");
}

#[test]
fn a_furnace_that_changes_is_told_and_followed() {
    let (mut policy, mut settings, last) = taught("{}", &Steel::default(), 40);
    assert!(!codes(&last).contains(&"unfit"), "{last:?}");
    // A quench bath that has aged: the slow quench of cheap batches no longer hardens as much.
    let (steel, mut random) = (Steel { critical_rate: 16.0, ..Steel::default() }, Random::new(9));
    let (mut unfit, mut missed) = (None, Vec::new());
    for number in 0..40_u32 {
        let hardness = steel.hardness(settings) + 0.5 * random.normal();
        let stepped =
            policy.step(1e6 + 3600.0 * f64::from(number), batch(settings, hardness)).expect("a step");
        if unfit.is_none() && codes(&stepped).contains(&"unfit") {
            unfit = Some(number);
        }
        missed.push(!(38.0..=44.0).contains(&hardness));
        followed(&mut settings, &stepped);
    }
    let count = |missed: &[bool]| missed.iter().filter(|missed| **missed).count();
    println!(
        "unfit after {unfit:?}; {} of the first 20 off, {} of the last",
        count(&missed[..20]),
        count(&missed[20..])
    );
    assert!(unfit.is_some_and(|batch| batch < 12), "{unfit:?}");
    assert!(count(&missed[20..]) <= 3, "{missed:?}");
}

#[test]
fn a_specification_that_nothing_meets_is_told_with_what_comes_nearest() {
    let parameters = r#"{"hardness_lowest": 41.0, "hardness_highest": 41.5}"#;
    let (.., last) = taught(parameters, &Steel::default(), 20);
    let alert = last.alerts.iter().find(|alert| alert.code == "unreachable").expect("an alert");
    assert!((0.1..0.6).contains(&alert.value), "{alert:?}");
    let expected = last.value("advised_hardness").expect("an advice");
    assert!((expected - 41.25).abs() < 0.5, "{expected}");
}

#[test]
fn exploring_proposes_trials_until_none_promises_more() {
    let parameters = r#"{"explore": true, "reach": 1.0}"#;
    let (.., early) = taught(parameters, &Steel::default(), 8);
    let proposal = early.proposals.first().expect("a proposal");
    assert!(
        proposal.reason.contains("a trial,") && proposal.reason.contains("above the hardest known"),
        "{proposal:?}"
    );
    assert!(proposal.confidence > 0.0 && proposal.confidence < 1.0);
    let (.., late) = taught(parameters, &Steel::default(), 30);
    let said = late.value("advised_hardness").expect("an advice");
    assert!(said > 49.0, "{said} HRC");
    for proposal in &late.proposals {
        assert!(proposal.reason.contains("the hardest settings known"), "{proposal:?}");
    }
}

#[test]
fn one_proposal_moves_a_setting_no_further_than_its_reach() {
    let (steel, mut random) = (Steel::default(), Random::new(11));
    let (mut policy, mut settings) = (open(r#"{"reach": 0.1}"#), [620.0, 200.0, 50.0]);
    for number in 0..30_u32 {
        let hardness = steel.hardness(settings) + 0.5 * random.normal();
        let stepped = policy.step(f64::from(number), batch(settings, hardness)).expect("a step");
        let before = settings;
        followed(&mut settings, &stepped);
        if number >= 8 {
            assert!((settings[0] - before[0]).abs() <= 30.0 + 1e-9, "{before:?} {settings:?}");
            assert!(
                (settings[1] / before[1]).ln().abs() <= 0.1 * 8_f64.ln() + 1e-9,
                "{before:?} {settings:?}"
            );
            assert!(
                (settings[2] / before[2]).ln().abs() <= 0.1 * 12_f64.ln() + 1e-9,
                "{before:?} {settings:?}"
            );
        }
    }
}

#[test]
fn parameters_that_contradict_themselves_are_refused() {
    let check = |parameters: &str, pointer: &str, says: &str| match Policy::open(parameters) {
        Err(Fault::Parameter { pointer: found, reason }) => {
            assert_eq!(found, pointer, "{parameters}: {reason}");
            assert!(reason.contains(says), "{parameters}: {reason}");
        }
        other => panic!("{parameters}: {other:?}"),
    };
    check(
        r#"{"temperature_lowest": 700.0}"#,
        "/temperature_lowest",
        "must be below temperature_highest, 650",
    );
    check(r#"{"soak_shortest": 240.0}"#, "/soak_shortest", "must be below soak_longest");
    check(r#"{"quench_fastest": 1.0}"#, "/quench_slowest", "must be below quench_fastest");
    check(r#"{"hardness_lowest": 50.0}"#, "/hardness_lowest", "must be below hardness_highest");
    check(r#"{"deadband": 0.4}"#, "/deadband", "must be below reach");
    check(r#"{"batches_kept": 6}"#, "/first_batches", "must be at most batches_kept, 6");
    check(r#"{"batches_kept": 25}"#, "/batches_kept", "not within 4 to 24");
    check(r#"{"hardness_noise": 0.0}"#, "/hardness_noise", "not within");
}

#[test]
fn a_swap_carries_on_bit_for_bit() {
    for parameters in ["{}", r#"{"explore": true}"#] {
        let (mut stays, mut swaps) = (open(parameters), open(parameters));
        let (mut settings, mut random) = ([500.0, 100.0, 20.0], Random::new(2));
        for number in 0..40_u16 {
            let hardness = Steel::default().hardness(settings) + 0.5 * random.normal();
            let row = if number % 5 == 3 { planned(settings) } else { batch(settings, hardness) };
            let seconds = f64::from(number) * 60.0;
            let a = stays.step(seconds, row).expect("a step");
            let b = swaps.step(seconds, row).expect("a step");
            assert_eq!(format!("{a:?}"), format!("{b:?}"), "{number}");
            followed(&mut settings, &a);
            swaps.swap().expect("state carried");
        }
        assert_eq!(stays.snapshot(None), swaps.snapshot(None));
    }
}
