//! The tally by tables: two outcomes of the same rows, and what is counted and said about them.

use geminus_core::{Alert, Proposal, Quality};

use super::*;
use crate::{Check, Difference, Evidence, Verdict, VerdictState};

mod kept;
mod phases;
mod ripe;

use VerdictState::{Fail, Open, Pass};

/// An estimate, an innovation and a NIS, of two measured inputs; one alert, one command.
pub(super) fn declaration() -> Declaration {
    let json = serde_json::json!({
        "declaration": 1, "name": "probe", "version": "1.0.0", "kind": "command-policy",
        "inputs": [
            {"name": "a", "unit": "Cel", "arrival": "event"}, {"name": "b", "unit": "Cel", "arrival": "event"},
            {"name": "load", "unit": "A"}
        ],
        "outputs": [
            {"name": "winding", "unit": "Cel", "role": "estimate"},
            {"name": "innovation", "unit": "K", "role": "innovation", "of": "a"},
            {"name": "nis", "unit": "1", "role": "nis"}
        ],
        "alerts": [{"code": "hot", "priority": "high", "text": "hot"}],
        "commands": [{"name": "speed", "unit": "Hz", "minimum": 0.0, "maximum": 50.0}],
        "state": {"schema": 1, "reads": [1], "writes": [1]}
    });
    Declaration::parse(json.to_string().as_bytes()).expect("a declaration")
}

/// What both versions made of one row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    twin: u32,
    second: u64,
    old: [f64; 3],
    new: [f64; 3],
    /// Whether b was measured too.
    both: bool,
    alerts: (bool, bool),
    proposals: (Option<f64>, Option<f64>),
}

/// Innovations of a model that holds: mean 0, variance 1.
const GOOD: [f64; 4] = [1.0, -1.0, 1.0, -1.0];

/// Row `i`: one a second, both versions the same, and as a good model has it.
pub(super) fn row(i: u64) -> Row {
    let innovation = GOOD[i as usize % 4];
    let values = [60.0 + (i % 5) as f64, innovation, innovation * innovation];
    let (alerts, proposals) = ((false, false), (None, None));
    Row { twin: 0, second: i, old: values, new: values, both: false, alerts, proposals }
}

pub(super) fn tell(tally: &mut Tally, rows: &[Row]) {
    let mut frame = Frame::new(3);
    let (mut old, mut new) = (Outcome::default(), Outcome::default());
    for (at, row) in (0_u32..).zip(rows) {
        frame.twins.push(TwinIndex(row.twin));
        frame.times.push(Timestamp::from_millis(row.second * 1_000));
        frame.values.extend([60.0, if row.both { 20.0 } else { f64::NAN }, 5.0]);
        frame.quality.extend([
            Quality::Good,
            if row.both { Quality::Good } else { Quality::Missing },
            Quality::Good,
        ]);
        let sides = [
            (&mut old, row.old, row.alerts.0, row.proposals.0),
            (&mut new, row.new, row.alerts.1, row.proposals.1),
        ];
        for (outcome, values, alert, proposal) in sides {
            outcome.outputs = 3;
            outcome.values.extend(values);
            outcome.quality.extend([Quality::Good; 3]);
            outcome.alerts.extend(alert.then(|| Alert {
                row: at,
                alert: 0,
                value: 1.0,
                detail: String::new(),
            }));
            outcome.proposals.extend(proposal.map(|value| Proposal {
                row: at,
                command: 0,
                value,
                confidence: 1.0,
                valid_for_ms: 1,
                reason: String::new(),
            }));
        }
    }
    tally.compare(&frame, &old, &new, &mut |_| true);
}

/// Costs of a good version.
pub(super) fn cost(rows: u64) -> Cost {
    let spent = Duration::from_micros(rows);
    Cost {
        rows,
        old_rows: rows,
        old_fuel: 1_000 * rows,
        new_fuel: 1_100 * rows,
        old_spent: spent,
        new_spent: spent,
    }
}

fn name_of(twin: TwinIndex) -> String {
    format!("motor-{}", twin.0)
}

fn judged_of(acceptance: &Acceptance, rows: &[Row], more: impl Fn(&mut Tally)) -> (Verdict, Evidence) {
    let mut tally = Tally::new(&declaration(), acceptance);
    rows.chunks(7).for_each(|frame| tell(&mut tally, frame));
    tally.cost(cost(rows.len() as u64));
    more(&mut tally);
    (tally.judge(acceptance), tally.evidence(&name_of))
}

fn find<'a>(verdict: &'a Verdict, name: &str) -> &'a Check {
    let all = &verdict.checks;
    all.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{name} is not among {all:?}"))
}

/// Everything that can be asked for.
pub(super) fn strict() -> Acceptance {
    Acceptance {
        difference: [("*".to_owned(), Difference { absolute: Some(0.5), relative: None })].into(),
        exceed_share_max: 0.1,
        innovation_mean_sigma_max: Some(0.3),
        nis_confidence: Some(0.99),
        proposals_differ_share_max: Some(0.2),
        proposals_refused_max: Some(2),
        fuel_per_row_max: Some(1_500),
        ..Acceptance::default()
    }
}

/// A hundred rows changed by `change`: what the named check says, with these words; every other check passes.
fn check(change: impl Fn(u64, &mut Row), name: &str, state: VerdictState, words: &str) {
    let mut rows: Vec<Row> = (0..100).map(row).collect();
    (0..100).zip(&mut rows).for_each(|(i, row)| change(i, row));
    let (verdict, _) = judged_of(&strict(), &rows, |_| {});
    let found = find(&verdict, name);
    assert_eq!(found.state, state, "{found:?}");
    assert!(found.detail.contains(words), "{found:?} does not say {words:?}");
    assert_eq!(verdict.state, state, "another check says more: {verdict:?}");
}

#[test]
fn the_same_outcome_passes_every_check_and_too_few_rows_pass_none() {
    let rows: Vec<Row> = (0..100).map(row).collect();
    let (verdict, evidence) = judged_of(&strict(), &rows, |_| {});
    assert_eq!(verdict.state, Pass, "{verdict:?}");
    let names: Vec<&str> = verdict.checks.iter().map(|check| check.name.as_str()).collect();
    let expect = [
        "faults",
        "nan",
        "difference winding",
        "difference innovation",
        "difference nis",
        "innovation innovation",
        "nis nis",
        "alerts",
        "proposals differ",
        "proposals refused",
        "deadline",
        "fuel ratio",
        "fuel",
    ];
    assert_eq!(names, expect);
    assert_eq!((evidence.rows, evidence.twins, evidence.outputs[0].equal), (100, 1, 100));
    assert_eq!(evidence.twin_hours, 99.0 / 3_600.0);
    for few in [0, 1, 29] {
        let (verdict, _) = judged_of(&strict(), &rows[..few], |_| {});
        assert_eq!(verdict.state, Open);
        assert!(verdict.checks.iter().all(|check| check.state == Open), "{few} rows: {verdict:?}");
    }
    assert_eq!(judged_of(&strict(), &rows[..30], |_| {}).0.state, Pass);
}

#[test]
fn a_plan_without_entries_judges_faults_nan_alerts_time_and_fuel_only() {
    let rows: Vec<Row> = (0..100).map(|i| Row { new: [900.0, 50.0, 2_500.0], ..row(i) }).collect();
    let (verdict, _) = judged_of(&Acceptance::default(), &rows, |_| {});
    let names: Vec<&str> = verdict.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["faults", "nan", "alerts", "deadline", "fuel ratio"]);
    assert_eq!(verdict.state, Pass);
}

#[test]
fn differences_are_held_to_their_limit() {
    let winding = "difference winding";
    check(
        |_, row| row.new[0] += 0.4,
        winding,
        Pass,
        "0 of 100 rows lie beyond 0.5 Cel, the largest difference is 0.4 Cel",
    );
    check(|i, row| row.new[0] += if i < 10 { 2.0 } else { 0.0 }, winding, Pass, "10 of 100");
    check(
        |i, row| row.new[0] -= if i < 11 { 2.0 } else { 0.0 },
        winding,
        Fail,
        "11 of 100 rows lie beyond 0.5 Cel",
    );
    check(|_, row| (row.old[0], row.new[0]) = (f64::NAN, f64::NAN), winding, Pass, "0 of 100");
    check(|_, row| (row.old[0], row.new[0]) = (f64::NAN, f64::INFINITY), winding, Pass, "0 of 100");
    check(|i, row| row.old[0] = if i < 11 { f64::NAN } else { row.old[0] }, winding, Fail, "11 of 100");
}

#[test]
fn a_limit_is_absolute_or_relative_and_the_wider_one_holds() {
    for (absolute, relative, expect) in [
        (Some(1.5), None, Pass),
        (Some(1.4), None, Fail),
        (None, Some(0.01), Fail),
        (None, Some(0.02), Fail),
        (None, Some(0.025), Pass),
        (Some(1.5), Some(0.01), Pass),
        (Some(0.1), Some(0.025), Pass),
        (Some(0.0), None, Fail),
    ] {
        let acceptance = Acceptance {
            difference: [("winding".to_owned(), Difference { absolute, relative })].into(),
            ..Acceptance::default()
        };
        let rows: Vec<Row> =
            (0..100).map(row).map(|row| Row { new: [row.old[0] + 1.5, 0.0, 0.0], ..row }).collect();
        let (verdict, _) = judged_of(&acceptance, &rows, |_| {});
        assert_eq!(find(&verdict, "difference winding").state, expect, "{absolute:?} {relative:?}");
        assert_eq!(verdict.checks.len(), 6, "the other outputs have no limit");
    }
}

#[test]
fn a_limit_that_allows_nothing_fails_at_once_and_others_wait_for_rows() {
    let one = [Row { new: [99.0, 1.0, 1.0], ..row(0) }];
    let patient = strict();
    assert_eq!(find(&judged_of(&patient, &one, |_| {}).0, "difference winding").state, Open);
    let none = Acceptance { exceed_share_max: 0.0, ..strict() };
    assert_eq!(find(&judged_of(&none, &one, |_| {}).0, "difference winding").state, Fail);
    let missing = [Row { new: [f64::NAN, 1.0, 1.0], ..row(0) }];
    assert_eq!(find(&judged_of(&patient, &missing, |_| {}).0, "nan").state, Open);
    let none = Acceptance { nan_share_extra_max: 0.0, ..Acceptance::default() };
    assert_eq!(judged_of(&none, &missing, |_| {}).0.state, Fail);
    let fault = |tally: &mut Tally| tally.fault(TwinIndex(3), Timestamp(0), "trap", "unreachable");
    let (verdict, evidence) = judged_of(&Acceptance::default(), &one, fault);
    assert_eq!(verdict.state, Fail);
    assert!(
        find(&verdict, "faults").detail.contains("failed 1 times in 1 rows, the last one: trap: unreachable")
    );
    assert_eq!((evidence.faults_total, evidence.faults[0].twin.as_str()), (1, "motor-3"));
    let mut tally = Tally::new(&declaration(), &Acceptance::default());
    fault(&mut tally);
    let words = tally.judge_when(&Acceptance::default(), false, &name_of).words(Fail);
    assert!(
        words.ends_with("failed 1 times in 0 rows, the last one of motor-3: trap: unreachable"),
        "{words}"
    );
}

#[test]
fn values_that_went_missing_are_counted_per_output() {
    let acceptance = Acceptance::default();
    for (missing, expect) in [(0, Pass), (1, Pass), (2, Fail), (100, Fail)] {
        let gone = |i: u64| if i < missing { [60.0, f64::NAN, 1.0] } else { row(i).new };
        let rows: Vec<Row> = (0..100).map(|i| Row { new: gone(i), ..row(i) }).collect();
        let (verdict, evidence) = judged_of(&acceptance, &rows, |_| {});
        let nan = find(&verdict, "nan");
        assert_eq!(nan.state, expect, "{missing}: {nan:?}");
        assert_eq!((evidence.outputs[1].nan_new, evidence.outputs[1].nan_extra), (missing, missing));
        assert!(
            missing < 2
                || nan.detail.starts_with(&format!("innovation has no value in {missing} of 100 rows"))
        );
    }
    let rows: Vec<Row> = (0..100).map(|i| Row { old: [f64::NAN; 3], ..row(i) }).collect();
    let (verdict, evidence) = judged_of(&acceptance, &rows, |_| {});
    assert_eq!(verdict.state, Pass, "a version that knows more is not worse: {verdict:?}");
    assert_eq!((evidence.outputs[0].nan_old, evidence.outputs[0].nan_extra), (100, 0));
}

#[test]
fn innovations_are_near_zero_and_their_squares_inside_the_band() {
    let (mean, nis) = ("innovation innovation", "nis nis");
    check(|_, row| row.new[1] += 0.25, mean, Pass, "mean 0.25 K");
    check(|_, row| row.new[1] += 0.35, mean, Fail, "0.3482 standard deviations; the running version has 0");
    check(|_, row| row.new[1] -= 0.35, mean, Fail, "mean -0.35 K");
    // The 99 % band of 100 degrees is 67.328 to 140.169 (NIST).
    check(|_, row| row.new[2] = 1.39, nis, Pass, "1.39 per degree of freedom over 100 rows with 100 degrees");
    check(|_, row| row.new[2] = 1.41, nis, Fail, "the band is 0.6733 to 1.4017; the running version has 1");
    check(|_, row| row.new[2] = 0.66, nis, Fail, "0.66 per degree");
    // Two measurements are two degrees of freedom.
    check(|_, row| (row.both, row.new[2], row.old[2]) = (true, 2.0, 2.0), nis, Pass, "with 200 degrees");
    check(|_, row| (row.both, row.old[2]) = (true, 1.2), nis, Fail, "0.5 per degree of freedom");
    // A sum of squares below zero is none.
    check(|_, row| row.new[2] = -0.25, nis, Fail, "-0.25 per degree of freedom");
    check(|_, row| row.new[2] = 0.0, nis, Fail, "0 per degree of freedom");
    // Nothing measured, nothing said.
    check(|_, row| (row.old[2], row.new[2]) = (f64::NAN, f64::NAN), nis, Open, "over 0 rows");
}

#[test]
fn a_band_whose_upper_end_lies_below_one_is_held_to_as_well() {
    let acceptance = Acceptance { nis_confidence: Some(0.05), ..Acceptance::default() };
    for (nis, expect) in [(0.97, Pass), (0.998, Fail), (0.94, Fail)] {
        let rows: Vec<Row> = (0..30).map(|i| Row { new: [60.0, 0.0, nis], ..row(i) }).collect();
        let (verdict, evidence) = judged_of(&acceptance, &rows, |_| {});
        assert!(evidence.nis[0].new.band_high < Some(0.998), "{evidence:?}");
        assert_eq!(find(&verdict, "nis nis").state, expect, "{nis}: {verdict:?}");
    }
}

#[test]
fn a_part_of_nothing_is_none_and_an_absolute_difference_stays() {
    let check = |pairs: [(f64, f64); 2], expect: (Option<f64>, Option<f64>)| {
        let rows: Vec<Row> = (0..100)
            .map(|i| {
                let (old, new) = pairs[i as usize % 2];
                Row { old: [old, 0.0, 1.0], new: [new, 0.0, 1.0], ..row(i) }
            })
            .collect();
        let (_, evidence) = judged_of(&Acceptance::default(), &rows, |_| {});
        let winding = &evidence.outputs[0];
        assert_eq!((winding.relative_max, winding.difference_max), expect, "{pairs:?}");
    };
    check([(0.0, 3.0), (0.0, 0.0)], (None, Some(3.0)));
    check([(0.0, 3.0), (2.0, 2.0)], (None, Some(3.0)));
    check([(0.0, 3.0), (2.0, 2.5)], (Some(0.25), Some(3.0)));
    check([(0.0, 0.0), (2.0, 2.0)], (Some(0.0), Some(0.0)));
}

#[test]
fn a_model_that_never_fitted_is_no_worse_when_the_plan_says_so() {
    for (no_worse, new, expect) in
        [(false, 3.0, Fail), (true, 3.0, Pass), (true, 2.5, Pass), (true, 0.5, Fail), (true, 3.5, Fail)]
    {
        let acceptance =
            Acceptance { nis_confidence: Some(0.99), innovation_no_worse: no_worse, ..Acceptance::default() };
        let shift = |nis: f64| [60.0, 0.0, nis];
        let old = if new < 1.0 { 1.5 } else { 3.0 };
        let rows: Vec<Row> = (0..100).map(|i| Row { old: shift(old), new: shift(new), ..row(i) }).collect();
        let (verdict, _) = judged_of(&acceptance, &rows, |_| {});
        assert_eq!(find(&verdict, "nis nis").state, expect, "{no_worse} {new}");
    }
}

#[test]
fn what_the_plugin_does_not_declare_stays_open() {
    let mut plain = declaration();
    plain.outputs.truncate(1);
    let acceptance =
        Acceptance { nis_confidence: Some(0.99), innovation_mean_sigma_max: Some(1.0), ..strict() };
    let verdict = Tally::new(&plain, &acceptance).judge(&acceptance);
    assert_eq!((find(&verdict, "innovation").state, find(&verdict, "nis").state), (Open, Open));
    let misfits = acceptance.misfits(&plain);
    assert_eq!(misfits.len(), 2, "{misfits:?}");
    let unknown =
        Acceptance { difference: [("windin".to_owned(), Difference::default())].into(), ..strict() };
    assert_eq!(
        unknown.misfits(&declaration()),
        ["acceptance.difference.windin: probe@1.0.0 has no such output"]
    );
    assert!(strict().misfits(&declaration()).is_empty());
}

#[test]
fn alerts_count_when_they_are_raised_not_while_they_stand() {
    let alerts = "alerts";
    check(|_, row| row.alerts = (false, true), alerts, Pass, "raised 1 alerts");
    check(|i, row| row.alerts = (false, i % 20 < 10), alerts, Fail, "raised 5 alerts");
    check(
        |i, row| row.alerts = (i % 40 < 10, i % 20 < 10),
        alerts,
        Pass,
        "the running version 3; 7 are allowed",
    );
    check(|i, row| row.alerts = (i % 10 < 5, false), alerts, Pass, "raised 0 alerts");
    // Each twin has its own.
    check(|i, row| (row.twin, row.alerts) = ((i % 4) as u32, (false, true)), alerts, Fail, "raised 4 alerts");
}

#[test]
fn proposals_are_compared_row_by_row() {
    let differ = "proposals differ";
    let with = |old: Option<f64>, new: Option<f64>, from: u64| {
        move |i: u64, row: &mut Row| {
            row.proposals = if i < from { (old, new) } else { (Some(30.0), Some(30.0)) }
        }
    };
    check(with(Some(30.0), Some(30.04), 100), differ, Pass, "0 of 100 rows with a proposal differ");
    check(with(Some(30.0), Some(30.06), 21), differ, Fail, "21 of 100 rows");
    check(with(Some(30.0), Some(30.06), 20), differ, Pass, "20 of 100 rows");
    check(
        with(Some(30.0), None, 21),
        differ,
        Fail,
        "the new version made 79 proposals, the running version 100",
    );
    check(with(None, Some(30.0), 21), differ, Fail, "21 of 100 rows");
    check(with(None, None, 90), differ, Pass, "0 of 10 rows");
    check(with(Some(f64::NAN), Some(30.0), 21), differ, Fail, "21 of 100 rows");
}

#[test]
fn a_command_that_is_proposed_twice_in_a_row_is_compared_in_its_order() {
    let (rows, times) = (0..64_u32, [10.0, 40.0]);
    let mut frame = Frame::new(3);
    rows.clone().for_each(|_| frame.twins.push(TwinIndex(0)));
    frame.times.extend((0..64).map(Timestamp::from_millis));
    let wish = |row, value| Proposal {
        row,
        command: 0,
        value,
        confidence: 1.0,
        valid_for_ms: 1,
        reason: String::new(),
    };
    let says = |times: [f64; 2]| Outcome {
        outputs: 3,
        values: vec![1.0; 64 * 3],
        proposals: rows.clone().flat_map(|row| times.map(|value| wish(row, value))).collect(),
        ..Outcome::default()
    };
    for (other, expect) in [(times, 0), ([40.0, 10.0], 64)] {
        let mut tally = Tally::new(&declaration(), &strict());
        tally.compare(&frame, &says(times), &says(other), &mut |_| true);
        let proposals = tally.evidence(&name_of).proposals;
        assert_eq!((proposals.rows, proposals.differ, proposals.old), (64, expect, 128), "{other:?}");
    }
}

#[test]
fn costs_and_refusals_are_held_to_their_limits() {
    let late = Duration::from_millis(501);
    let call = |new_fuel: u64, new_spent: Duration| Cost {
        rows: 100,
        old_rows: 100,
        old_fuel: 100_000,
        new_fuel,
        old_spent: Duration::from_millis(1),
        new_spent,
    };
    let rows: Vec<Row> = (0..100).map(row).collect();
    type More = Box<dyn Fn(&mut Tally)>;
    let cases: Vec<(&str, More, VerdictState, &str)> = vec![
        (
            "fuel",
            Box::new(move |t| t.cost(call(150_000, late / 2))),
            Pass,
            "burns 1300 per row over 200 rows",
        ),
        ("fuel", Box::new(move |t| t.cost(call(350_000, late / 2))), Fail, "burns 2300 per row"),
        ("fuel ratio", Box::new(move |t| t.cost(call(689_999, late / 2))), Pass, "the running version 1000"),
        ("fuel ratio", Box::new(move |t| t.cost(call(790_001, late / 2))), Fail, "the running version 1000"),
        // One row a call, beside a version that many rows a call cost little each.
        (
            "fuel ratio",
            Box::new(move |t| {
                let alone = Cost { rows: 1, old_rows: 1, old_fuel: 1_000, ..call(7_500, late / 2) };
                (0..100).for_each(|_| t.cost(alone));
            }),
            Pass,
            "burns 4300 per row over 200 rows",
        ),
        ("deadline", Box::new(move |t| t.cost(call(100_000, late))), Pass, "1 of 2 calls"),
        (
            "deadline",
            Box::new(move |t| (0..2).for_each(|_| t.cost(call(100_000, late)))),
            Fail,
            "2 of 3 calls of the new version were late, the longest took 501 ms",
        ),
        ("proposals refused", Box::new(|t| t.refused_proposals(4, 6)), Pass, "refuses 6 proposals"),
        ("proposals refused", Box::new(|t| t.refused_proposals(4, 7)), Fail, "refuses 7 proposals"),
    ];
    for (name, more, state, words) in cases {
        let (verdict, _) = judged_of(&strict(), &rows, more);
        let found = find(&verdict, name);
        assert_eq!(found.state, state, "{found:?}");
        assert!(found.detail.contains(words), "{found:?} does not say {words:?}");
    }
}
