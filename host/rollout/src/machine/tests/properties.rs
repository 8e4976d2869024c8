//! What holds for every plan and whatever the machine hears, in whatever order and however late.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

/// What may be heard, with the state that goes with it.
#[derive(Clone, Debug)]
enum Any {
    /// What a host answers that does as it is told: the order is carried out, rows come, all twins follow.
    Right,
    /// An answer, right or late or never asked for.
    Answer(u8),
    Progress(super::super::Progress),
    Judged(VerdictState),
    Failed,
    Tick,
    Person(u8),
    Superseded,
    HostStarted,
    Waits,
}

fn any_input() -> impl Strategy<Value = Any> {
    let numbers = (0..9_u32, 0..9_u32, 0..9_u32, 0..40_u64);
    let progress = numbers.prop_map(|(warm, authoritative, idle, rows_min)| {
        Any::Progress(super::super::Progress { twins: 8, enrolled: 8, warm, authoritative, idle, rows_min })
    });
    let state = prop_oneof![9 => Just(Pass), 3 => Just(Open), 1 => Just(Fail)];
    prop_oneof![
        30 => Just(Any::Right),
        15 => state.prop_map(Any::Judged),
        5 => progress,
        5 => Just(Any::Tick),
        3 => (0..5_u8).prop_map(Any::Answer),
        3 => (0..3_u8).prop_map(Any::Person),
        1 => Just(Any::Failed),
        1 => Just(Any::Superseded),
        1 => Just(Any::HostStarted),
        1 => Just(Any::Waits),
    ]
}

fn any_plan() -> impl Strategy<Value = (Plan, Facts)> {
    let spans = (0..30_u64, 0..60_u64);
    let wanted = (any::<bool>(), any::<bool>());
    (wanted, spans.clone(), spans.clone(), spans, any::<bool>(), prop::bool::weighted(0.9)).prop_map(
        |((shaded, canary), shadow, trial, probation, manual, incumbent)| {
            let shadow = if shaded { shadow } else { (0, 0) };
            let mut stages = Stages {
                shadow: Shadow { rows: shadow.0, seconds: shadow.1, seconds_max: 90 },
                promote: if manual { Promote::Manual } else { Promote::Automatic },
                ..Stages::default()
            };
            if canary {
                let (rows, seconds) = trial;
                stages.canary =
                    Canary { count: Some(2), rows, seconds, seconds_max: 90, ..Canary::default() };
            }
            stages.probation.rows = probation.0;
            stages.probation.seconds = probation.1;
            let plan = Plan::through("probe", "2.0.0", stages);
            let facts = Facts { incumbent, ..facts(&plan) };
            (plan, facts)
        },
    )
}

fn tell(rollout: &mut Rollout, any: &Any, now: Timestamp) -> Vec<Order> {
    let by = "ann".to_owned();
    match any {
        Any::Right => match rollout.phase() {
            Phase::Verifying => rollout.hear(Input::Verified, now),
            Phase::Compiling => rollout.hear(Input::Compiled, now),
            Phase::Raising => rollout.hear(Input::Raised, now),
            Phase::Withdrawing => rollout.hear(Input::Withdrawn, now),
            Phase::Settling => rollout.hear(Input::Settled, now),
            _ => {
                let rows_min = rollout.progress().map_or(0, |progress| progress.rows_min) + 20;
                let all = super::super::Progress {
                    twins: 8,
                    enrolled: 8,
                    warm: 8,
                    authoritative: 8,
                    idle: 0,
                    rows_min,
                };
                rollout.hear(Input::Progress(&all), now)
            }
        },
        Any::Answer(0) => rollout.hear(Input::Verified, now),
        Any::Answer(1) => rollout.hear(Input::Compiled, now),
        Any::Answer(2) => rollout.hear(Input::Raised, now),
        Any::Answer(3) => rollout.hear(Input::Withdrawn, now),
        Any::Answer(_) => rollout.hear(Input::Settled, now),
        Any::Progress(progress) => rollout.hear(Input::Progress(progress), now),
        Any::Judged(state) => rollout.hear(Input::Judged(&verdict(*state)), now),
        Any::Failed => rollout.hear(Input::Failed("no".to_owned()), now),
        Any::Tick => rollout.hear(Input::Tick, now),
        Any::Person(0) => rollout.hear(Input::Promote { by }, now),
        Any::Person(1) => rollout.hear(Input::Cancel { by }, now),
        Any::Person(_) => rollout.hear(Input::Rollback { by }, now),
        Any::Superseded => rollout.hear(Input::Superseded, now),
        Any::HostStarted => rollout.hear(Input::HostStarted, now),
        Any::Waits => rollout.hear(Input::Waits(Some("it waits".to_owned())), now),
    }
}

/// From here, a person's cancel and the host's answer end it; so does time alone.
fn has_ways_out(rollout: &Rollout, now: Timestamp) -> Result<(), TestCaseError> {
    let mut cancelled = rollout.clone();
    cancelled.hear(Input::Cancel { by: "bob".to_owned() }, now);
    cancelled.hear(Input::Withdrawn, now);
    prop_assert!(cancelled.phase().is_end(), "cancel leaves {:?}", cancelled);
    let mut waited = rollout.clone();
    for _ in Phase::ALL {
        let later = waited.deadline().map_or(now, |deadline| deadline.max(now));
        waited.hear(Input::Tick, later);
    }
    prop_assert!(waited.phase().is_end(), "time alone leaves {:?}", waited);
    Ok(())
}

/// Whether the candidate got authority by right.
fn is_by_right(before: &Rollout, any: &Any, verdict: Option<VerdictState>) -> bool {
    let stages = &before.plan().stages;
    let compared = before.facts().incumbent;
    match before.phase() {
        Phase::Raising => !(compared && stages.shadow.wanted()),
        Phase::Shadow | Phase::Canary if matches!(any, Any::Person(0)) => verdict != Some(Fail),
        Phase::Shadow | Phase::Canary => verdict == Some(Pass) && stages.promote == Promote::Automatic,
        Phase::Promoting => true,
        _ => false,
    }
}

/// Lets a rollout hear all this and looks at every step.
fn hear_all(
    (plan, facts): (Plan, Facts),
    heard: Vec<(u64, Any)>,
    seen: &RefCell<BTreeMap<Phase, u32>>,
) -> Result<(), TestCaseError> {
    let mut rollout = Rollout::new(plan, facts, START);
    let (mut now, mut verdict, mut last) = (START, None, Order::Verify);
    let mut restarted = false;
    for (seconds, any) in heard {
        now = now.plus(Duration::from_secs(seconds));
        let before = rollout.clone();
        if let Any::Judged(state) = any {
            verdict = Some(state);
        }
        let orders = tell(&mut rollout, &any, now);
        restarted |= matches!(any, Any::HostStarted);
        let changed = rollout.phase() != before.phase();

        if before.phase().is_end() {
            prop_assert!(orders.is_empty() && rollout == before, "an end goes on: {any:?} in {before:?}");
            continue;
        }
        prop_assert_eq!(&orders, &if changed { rollout.orders() } else { vec![] });
        prop_assert_eq!(changed, rollout.history().len() == before.history().len() + 1);
        if let Some(order) = orders.last() {
            last = *order;
        }
        let gained = matches!(last, Order::Conduct(Authoritative::Canary | Authoritative::All));
        if changed && gained && !rollout.phase().is_end() {
            prop_assert!(is_by_right(&before, &any, verdict), "{any:?} in {before:?}");
        }
        if changed {
            verdict = None;
        }
        let taken_back = matches!(rollout.phase(), Phase::RolledBack | Phase::Failed | Phase::Cancelled);
        if taken_back && !restarted {
            prop_assert!(!gained, "the candidate still answers: {:?}", rollout);
            let early = matches!(before.phase(), Phase::Verifying | Phase::Compiling);
            prop_assert!(early || last == Order::Withdraw, "nobody dropped the candidate: {:?}", rollout);
        }
        if rollout.phase() == Phase::Permanent {
            prop_assert_eq!(last, Order::Settle);
            let confirmed = matches!(any, Any::Right | Any::Answer(4..));
            prop_assert!(confirmed, "permanent without a word of the ledger: {any:?} in {before:?}");
        }
        prop_assert_eq!(rollout.deadline().is_none(), rollout.phase().is_end());
        prop_assert_eq!(rollout.deadline().is_none(), rollout.orders().is_empty());
        let json = serde_json::to_string(&rollout).expect("json");
        prop_assert_eq!(&serde_json::from_str::<Rollout>(&json).expect("its own words"), &rollout);
        has_ways_out(&rollout, now)?;
    }
    let mut phases: Vec<Phase> = rollout.history().iter().map(|step| step.phase).collect();
    phases.iter().for_each(|phase| *seen.borrow_mut().entry(*phase).or_default() += 1);
    phases.sort();
    phases.dedup();
    prop_assert_eq!(phases.len(), rollout.history().len(), "a phase was entered twice");
    Ok(())
}

#[test]
fn no_state_is_without_a_way_out_and_authority_is_earned() {
    let seen = RefCell::new(BTreeMap::new());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let inputs = (any_plan(), prop::collection::vec((0..25_u64, any_input()), 1..60));
    if let Err(error) = runner.run(&inputs, |(plan, heard)| hear_all(plan, heard, &seen)) {
        panic!("{error}");
    }
    let seen = seen.into_inner();
    let rare: Vec<&Phase> =
        Phase::ALL.iter().filter(|phase| seen.get(phase).is_none_or(|count| *count < 20)).collect();
    assert!(rare.is_empty(), "the inputs hardly reach {rare:?}: {seen:?}");
}
