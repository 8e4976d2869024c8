//! Forks of a twin at work: they go where the twin goes when they get its rows, change nothing of it, and many of them side
//! by side give what each gives alone.

#![expect(clippy::expect_used, reason = "a test may")]

mod guest;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use geminus_core::{Frame, Outcome, Quality, Timestamp, TwinIndex};
use geminus_fork::{Findings, ForkError, Origin, Run, Work};
use geminus_scenario::{Held, InputChange, Scenario, Threshold};

use guest::{SECOND, TWIN, cohort, rows, step};

fn bits(outcomes: &[Outcome]) -> Vec<(u64, Quality)> {
    let cells = outcomes.iter().flat_map(|outcome| outcome.values.iter().zip(&outcome.quality));
    cells.map(|(value, quality)| (value.to_bits(), *quality)).collect()
}

#[test]
fn a_fork_fed_the_twins_rows_gives_the_same_to_the_bit_and_leaves_no_trace() {
    let (mut live, mut untouched) = (cohort("nn"), cohort("nn"));
    for second in 1..=50 {
        step(&mut live, &rows(second, 1));
        step(&mut untouched, &rows(second, 1));
    }
    let origin = Origin::of(&mut live, TWIN).expect("a copy");
    assert_eq!(origin.last(), Some(Timestamp(50 * SECOND)));
    let mut ahead = origin.fork(None).expect("a fork");
    // Ahead of the twin, in other batches, and a second fork that goes somewhere else.
    let forked: Vec<Outcome> =
        [(51, 7), (58, 93)].map(|(from, count)| ahead.step(&rows(from, count)).expect("rows").outcome).into();
    let mut stray = origin.fork(None).expect("a fork");
    stray.step(&rows(400, 100)).expect("rows");
    let lived: Vec<Outcome> = (51..=150).map(|second| step(&mut live, &rows(second, 1))).collect();
    assert_eq!(bits(&forked), bits(&lived));
    let without: Vec<Outcome> = (51..=150).map(|second| step(&mut untouched, &rows(second, 1))).collect();
    assert_eq!(bits(&without), bits(&lived), "the twin does not know of its forks");
    assert_eq!(live.snapshot(None).expect("state").twins, untouched.snapshot(None).expect("state").twins);
}

#[test]
fn a_fork_forecasts_and_its_twin_stays() {
    let mut live = cohort("nT");
    step(&mut live, &rows(1, 1));
    let before = live.snapshot(None).expect("state");
    let mut fork = Origin::of(&mut live, TWIN).expect("a copy").fork(None).expect("a fork");
    let seen = fork.forecast(&[Timestamp(9 * SECOND)], &[f64::NAN; 2]).expect("a forecast");
    assert_eq!(seen.mean, [1.5; 2], "the probe says its sum");
    assert_eq!(live.snapshot(None).expect("state"), before);
    // One that breaks in a forecast breaks its fork, nobody else.
    let mut fork = Origin::of(&mut live, TwinIndex(1)).expect("a copy").fork(None).expect("a fork");
    assert!(matches!(fork.forecast(&[Timestamp(9 * SECOND)], &[f64::NAN; 2]), Err(ForkError::Forecast(_))));
    assert_eq!(live.snapshot(None).expect("state"), before);
}

#[test]
fn who_is_not_at_work_is_not_copied() {
    let mut live = cohort("nt");
    assert!(matches!(Origin::of(&mut live, TwinIndex(7)), Err(ForkError::Twin)));
    // The second breaks in this row and is held apart.
    let mut frame = rows(1, 1);
    frame.twins[0] = TwinIndex(1);
    frame.values[0] = 666.0;
    live.step(&frame).expect("rows");
    assert!(matches!(Origin::of(&mut live, TwinIndex(1)), Err(ForkError::Twin)));
    let refused =
        Origin::of(&mut live, TWIN).expect("a copy").fork(Some(&Arc::from(br#"{"m":"p"}"#.as_slice())));
    assert!(
        matches!(refused, Err(ForkError::Refused { ref message, .. }) if message.contains("not this value"))
    );
}

const HELD: [Held; 2] = [(1.0, Quality::Good), (0.5, Quality::Good)];

fn origin() -> Origin {
    let mut live = cohort("n");
    step(&mut live, &rows(1, 1));
    Origin::of(&mut live, TWIN).expect("a copy")
}

/// 40 rows ahead in frames of ten.
fn frames() -> Vec<Frame> {
    (0..4).map(|part| rows(2 + part * 10, 10)).collect()
}

fn study(runs: &[Run], threads: usize, is_over: &(dyn Fn() -> bool + Sync)) -> Result<Findings, ForkError> {
    let origin = origin();
    let thresholds = [Threshold { output: "sum".to_owned(), above: Some(31.5), below: None }];
    let work = Work {
        origin: &origin,
        start: Timestamp(SECOND),
        held: &HELD,
        frames: &frames(),
        thresholds: &thresholds,
        points: 4,
        threads,
        is_over,
    };
    work.study(runs)
}

fn run(name: &str, b: f64) -> Run {
    let inputs = BTreeMap::from([("b".to_owned(), InputChange::constant(b))]);
    Run {
        scenario: Scenario { name: name.to_owned(), inputs, ..Scenario::default() },
        traced: true,
        ..Run::default()
    }
}

#[test]
fn a_study_holds_each_run_against_the_baseline() {
    let runs = [run("same", 0.5), run("more", 1.5), Run { traced: false, ..run("untraced", 1.5) }];
    let found = study(&runs, 1, &|| false).expect("findings");
    assert_eq!(found.at_s, [10.0, 20.0, 30.0, 40.0]);
    let sum = |at: usize| &found.runs[at].outputs[0];
    assert_eq!(found.baseline.outputs[0].values, [16.5, 31.5, 46.5, 61.5].map(Some));
    assert_eq!(found.baseline.crossings[0].at_s, Some(20.0));
    let same = sum(0).difference.as_ref().expect("a difference");
    assert_eq!((same.rows, same.last), (0, Some(0.0)));
    let more = sum(1).difference.as_ref().expect("a difference");
    assert_eq!((more.rows, more.from_s, more.largest, more.last), (40, Some(1.0), Some(40.0), Some(40.0)));
    assert_eq!(found.runs[1].crossings[0].at_s, Some(12.0));
    assert_eq!((&sum(2).values[..], sum(2).last), (&[][..], sum(1).last));
    assert_eq!(found.runs.iter().map(|run| run.faults).sum::<u64>(), 0);
    assert_eq!(bits(&found.outcomes).len(), 80);
    assert!(found.fuel > 0);
}

#[test]
fn threads_make_no_difference() {
    let runs: Vec<Run> =
        (0..24).map(|number| run(&format!("run {number}"), f64::from(number) * 0.1)).collect();
    let (one, many) = (study(&runs, 1, &|| false).expect("one"), study(&runs, 8, &|| false).expect("many"));
    assert_eq!((one.runs.len(), &one.runs), (24, &many.runs));
    assert_eq!((one.fuel, one.baseline), (many.fuel, many.baseline));
    assert!(one.runs.windows(2).all(|pair| pair[0].outputs[0].last < pair[1].outputs[0].last));
}

#[test]
fn a_run_that_is_refused_or_breaks_says_why_and_the_others_go_on() {
    let refused = Run { parameters: Some(Arc::from(br#"{"m":"p"}"#.as_slice())), ..run("refused", 1.0) };
    let breaks = Run { parameters: Some(Arc::from(br#"{"m":"t"}"#.as_slice())), ..run("breaks", 1.0) };
    let points = vec![[0.0, 1.0], [15.0, 666.0]];
    let change = InputChange { points, ..InputChange::default() };
    let breaks = Run {
        scenario: Scenario { inputs: BTreeMap::from([("a".to_owned(), change)]), ..breaks.scenario },
        ..breaks
    };
    let found = study(&[refused, breaks, run("fine", 1.0)], 2, &|| false).expect("findings");
    let told = |at: usize| (found.runs[at].faults, found.runs[at].fault.clone().unwrap_or_default());
    assert!(told(0).0 == 40 && told(0).1.contains("not this value"), "{:?}", told(0));
    assert!(told(1).0 == 26 && told(1).1.contains("trap"), "{:?}", told(1));
    assert_eq!(told(2), (0, String::new()));
}

#[test]
fn a_study_ends_when_its_time_is_up() {
    let asked = AtomicUsize::new(0);
    let over = || asked.fetch_add(1, Relaxed) >= 6;
    let runs: Vec<Run> = (0..100).map(|number| run(&format!("run {number}"), 1.0)).collect();
    assert!(matches!(study(&runs, 2, &over), Err(ForkError::TimeUp)));
    assert!(asked.load(Relaxed) < 12, "no run goes on after it");
}
