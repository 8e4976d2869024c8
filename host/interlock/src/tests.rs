//! Each gate by itself, their order, and properties that hold for every proposal.

use geminus_core::Quality;
use proptest::prelude::*;

use super::*;

const INPUTS: &[(&str, Quality)] = &[("flow", Quality::Good), ("level", Quality::Uncertain)];
const NOW: Timestamp = Timestamp(1_000_000_000_000);

fn command() -> Command {
    Command {
        name: "speed".to_owned(),
        unit: "/min".to_owned(),
        minimum: 0.0,
        maximum: 3000.0,
        description: String::new(),
    }
}

fn proposal() -> Proposal {
    Proposal {
        row: 0,
        command: 0,
        value: 1500.0,
        confidence: 0.9,
        valid_for_ms: 5000,
        reason: "flow is low".to_owned(),
    }
}

fn facts() -> TwinFacts<'static> {
    TwinFacts {
        twin: TwinIndex(3),
        authority: Authority::Control,
        generation: 7,
        live: true,
        inputs: INPUTS,
        row_time: NOW.minus(std::time::Duration::from_secs(1)),
        present: Some(1400.0),
    }
}

fn rules(command: &Command) -> Rules<'_> {
    Rules {
        command,
        minimum: Some(500.0),
        maximum: Some(2500.0),
        step_max: Some(200.0),
        confidence_min: 0.8,
        permit_ms: 2000,
        bumpless: None,
    }
}

fn check(
    change: impl Fn(&mut Proposal, &mut TwinFacts<'static>, &mut Rules<'_>),
    expect: Result<u64, (Gate, &str)>,
) {
    let command = command();
    let (mut proposal, mut facts, mut rules) = (proposal(), facts(), rules(&command));
    change(&mut proposal, &mut facts, &mut rules);
    match (judge(&proposal, &facts, &rules, NOW), expect) {
        (Verdict::Permit(permit), Ok(expires_ms)) => {
            assert_eq!(permit.expires(), Timestamp::from_millis(expires_ms));
            assert_eq!((permit.twin(), permit.generation()), (facts.twin, facts.generation));
            assert_eq!((permit.command(), permit.value()), ("speed", proposal.value));
        }
        (Verdict::Refused(refusal), Err((gate, reason))) => {
            assert_eq!((refusal.gate, refusal.reason.as_str()), (gate, reason));
        }
        (verdict, expect) => panic!("{verdict:?} instead of {expect:?}"),
    }
}

#[test]
fn what_passes_every_gate_is_permitted_until_the_earlier_end() {
    check(|_, _, _| (), Ok(1_002_000));
    check(|_, _, rules| rules.permit_ms = 60_000, Ok(1_004_000));
    check(|_, _, rules| rules.step_max = None, Ok(1_002_000));
    // A source whose clock is ahead gains nothing by it.
    check(|_, facts, _| facts.row_time = NOW.plus(std::time::Duration::from_secs(500)), Ok(1_002_000));
}

#[test]
fn the_first_commands_of_a_new_version_are_limited_in_step() {
    let permitted = |last: f64, step_max: f64, change: fn(&mut Rules<'_>)| {
        let command = command();
        let mut rules =
            Rules { step_max: None, bumpless: Some(Bumpless { last, step_max }), ..rules(&command) };
        change(&mut rules);
        match judge(&proposal(), &facts(), &rules, NOW) {
            Verdict::Permit(permit) => Ok(permit.value()),
            Verdict::Refused(refusal) => Err(refusal.gate),
            Verdict::Held(held) => panic!("{held:?}"),
        }
    };
    assert_eq!(permitted(1_000.0, 300.0, |_| ()), Ok(1_300.0), "a step up is cut");
    assert_eq!(permitted(2_000.0, 300.0, |_| ()), Ok(1_700.0), "a step down too");
    assert_eq!(permitted(1_400.0, 300.0, |_| ()), Ok(1_500.0), "a small step is left alone");
    assert_eq!(permitted(f64::NAN, 300.0, |_| ()), Ok(1_500.0), "nothing is known to step from");
    assert_eq!(permitted(100.0, 50.0, |_| ()), Err(Gate::SiteRange), "what is left is judged again");
    let mut facts = facts();
    facts.authority = Authority::Advise;
    let command = command();
    let rules = Rules {
        bumpless: Some(Bumpless { last: 1_000.0, step_max: 300.0 }),
        step_max: None,
        ..rules(&command)
    };
    let Verdict::Held(held) = judge(&proposal(), &facts, &rules, NOW) else { panic!("not held") };
    assert_eq!(held.value, 1_300.0);
    assert!(held.note.contains("limited from 1500 after a change of versions"), "{}", held.note);
}

#[test]
fn each_gate_refuses_what_it_is_there_for() {
    use Gate::{Confidence, DeclaredRange, Expiry, Inputs, SiteRange};
    check(|_, f, _| f.authority = Authority::Observe, Err((Gate::Authority, "the twin is only observed")));
    check(|_, f, _| f.live = false, Err((Inputs, "the twin is not live")));
    check(|_, f, _| f.inputs = &[], Err((Inputs, "nothing is known of the inputs")));
    check(|_, f, _| f.inputs = &[("flow", Quality::Stale)], Err((Inputs, "input flow is stale")));
    check(|_, f, _| f.inputs = &[("flow", Quality::Bad)], Err((Inputs, "input flow is bad")));
    check(|_, f, _| f.inputs = &[("flow", Quality::Missing)], Err((Inputs, "input flow is missing")));
    check(|p, _, _| p.value = 3001.0, Err((DeclaredRange, "3001 is outside the declared range 0 … 3000")));
    check(|p, _, _| p.value = f64::NAN, Err((DeclaredRange, "NaN is outside the declared range 0 … 3000")));
    check(|p, _, _| p.value = 2600.0, Err((SiteRange, "2600 is outside the site's range 500 … 2500")));
    check(
        |_, _, r| r.minimum = Some(f64::NAN),
        Err((SiteRange, "1500 is outside the site's range NaN … 2500")),
    );
    check(|p, _, _| p.value = 1700.0, Err((SiteRange, "a step of 300 from 1400 is more than 200")));
    check(|_, f, _| f.present = None, Err((SiteRange, "the present value is not known, so the step is not")));
    check(|_, f, _| f.present = Some(f64::NAN), Err((SiteRange, "a step of NaN from NaN is more than 200")));
    check(|p, _, _| p.confidence = 0.79, Err((Confidence, "confidence 0.79 is not within 0.8 … 1")));
    check(|p, _, _| p.confidence = f64::NAN, Err((Confidence, "confidence NaN is not within 0.8 … 1")));
    check(|p, _, _| p.confidence = 1.1, Err((Confidence, "confidence 1.1 is not within 0.8 … 1")));
    check(|p, _, _| p.valid_for_ms = 1000, Err((Expiry, "it expired 0 ms ago")));
    check(|p, _, _| p.valid_for_ms = 400, Err((Expiry, "it expired 600 ms ago")));
    check(|_, _, r| r.permit_ms = 0, Err((Expiry, "it expired 0 ms ago")));
}

#[test]
fn the_first_refusal_wins() {
    let command = command();
    let (mut proposal, mut facts, rules) = (proposal(), facts(), rules(&command));
    (proposal.valid_for_ms, proposal.confidence, proposal.value) = (0, 0.0, -1.0);
    (facts.live, facts.authority) = (false, Authority::Observe);
    let gate = |proposal: &Proposal, facts: &TwinFacts<'_>| match judge(proposal, facts, &rules, NOW) {
        Verdict::Refused(refusal) => refusal.gate,
        other => panic!("{other:?}"),
    };
    let mut seen = vec![gate(&proposal, &facts)];
    facts.authority = Authority::Control;
    seen.push(gate(&proposal, &facts));
    facts.live = true;
    seen.push(gate(&proposal, &facts));
    proposal.value = 1.0;
    seen.push(gate(&proposal, &facts));
    proposal.value = 1500.0;
    seen.push(gate(&proposal, &facts));
    proposal.confidence = 1.0;
    seen.push(gate(&proposal, &facts));
    assert!(seen.is_sorted() && seen.len() == 6, "{seen:?}");
    assert_eq!(seen.first().zip(seen.last()), Some((&Gate::Authority, &Gate::Expiry)));
}

#[test]
fn advice_is_held_for_a_person() {
    let command = command();
    let facts = TwinFacts { authority: Authority::Advise, ..facts() };
    let Verdict::Held(held) = judge(&proposal(), &facts, &rules(&command), NOW) else { panic!("not held") };
    assert_eq!((held.command.as_str(), held.value), ("speed", 1500.0));
    assert_eq!(held.note, "speed = 1500 /min is advised (confidence 0.9): flow is low");
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -4000.0..4000.0, Just(f64::NAN), Just(f64::INFINITY), Just(1500.0)]
}

fn quality() -> impl Strategy<Value = Quality> {
    any::<u8>().prop_map(|number| Quality::from_u8(number % 5))
}

proptest! {
    /// Only `control` permits; and what is permitted satisfies every rule, whatever came in.
    #[test]
    fn a_permit_satisfies_every_rule(
        value in number(), confidence in number(), valid_for_ms in 0_u32..20_000,
        authority in 0_u8..3, live: bool, flow in quality(), age_ms in 0_u64..10_000,
        present in proptest::option::of(number()), minimum in proptest::option::of(number()),
        maximum in proptest::option::of(number()), step_max in proptest::option::of(number()),
        confidence_min in number(), permit_ms in 0_u32..5000,
    ) {
        let command = command();
        let authority = [Authority::Observe, Authority::Advise, Authority::Control][usize::from(authority)];
        let inputs = [("flow", flow)];
        let proposal = Proposal { value, confidence, valid_for_ms, ..proposal() };
        let row_time = NOW.minus(std::time::Duration::from_millis(age_ms));
        let facts = TwinFacts { authority, live, inputs: &inputs, row_time, present, ..facts() };
        let rules = Rules { command: &command, minimum, maximum, step_max, confidence_min, permit_ms, bumpless: None };
        match judge(&proposal, &facts, &rules, NOW) {
            Verdict::Permit(permit) => {
                prop_assert_eq!(authority, Authority::Control);
                prop_assert!(live && flow.usable());
                prop_assert!((0.0..=3000.0).contains(&permit.value()));
                prop_assert!(minimum.is_none_or(|minimum| minimum <= value));
                prop_assert!(maximum.is_none_or(|maximum| value <= maximum));
                prop_assert!(step_max.is_none_or(|step| (value - present.unwrap_or(f64::NAN)).abs() <= step));
                prop_assert!(confidence >= confidence_min && confidence <= 1.0);
                prop_assert!(permit.expires() > NOW);
                prop_assert!(permit.expires() <= NOW.plus(std::time::Duration::from_millis(u64::from(permit_ms))));
            }
            Verdict::Held(_) => prop_assert_eq!(authority, Authority::Advise),
            Verdict::Refused(refusal) => {
                prop_assert!(authority != Authority::Observe || refusal.gate == Gate::Authority);
            }
        }
    }
}
