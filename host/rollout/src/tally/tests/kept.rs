//! What is kept is bounded, can be merged, and is told with names.

use super::*;
use crate::tally::curve::POINTS_MAX;
use crate::tally::worst::WORST_MAX;

/// Rows of several twins that differ more and more, some without a value.
fn rough(from: u64, to: u64) -> Vec<Row> {
    let change = |i: u64| {
        let mut row = row(i);
        row.twin = (i % 40) as u32;
        row.new[0] += (i % 97) as f64 / 10.0;
        row.new[1] = if i % 50 == 7 { f64::NAN } else { row.new[1] * 1.1 };
        row.new[2] *= 1.21;
        row.both = i.is_multiple_of(3);
        row.alerts = (i % 300 < 40, i % 200 < 40);
        row.proposals = (i.is_multiple_of(4).then_some(20.0), i.is_multiple_of(5).then_some(20.0));
        row
    };
    (from..to).map(change).collect()
}

fn told(frames: &[Vec<Row>]) -> Tally {
    let mut tally = Tally::new(&declaration(), &strict());
    for rows in frames {
        rows.chunks(64).for_each(|frame| tell(&mut tally, frame));
        tally.cost(cost(rows.len() as u64));
    }
    tally
}

#[test]
fn tallies_of_shards_say_together_what_one_would_have_said() {
    let by_shard = |shard: u32| {
        let all = rough(0, 4_000);
        all.into_iter().filter(|row| row.twin % 2 == shard).collect::<Vec<_>>()
    };
    let whole = told(&[by_shard(0), by_shard(1)]);
    let mut merged = told(&[by_shard(0)]);
    merged.merge(&told(&[by_shard(1)]));
    let (whole_words, merged_words) = (whole.judge(&strict()), merged.judge(&strict()));
    assert!(near(&json(&whole_words), &json(&merged_words)), "{whole_words:?} {merged_words:?}");
    assert_eq!(whole_words.state, Fail);
    let (whole, merged) = (whole.evidence(&name_of), merged.evidence(&name_of));
    assert_eq!((merged.rows, merged.twins), (4_000, 40));
    assert_eq!(whole.twin_hours, merged.twin_hours);
    assert_eq!((whole.alerts, whole.proposals), (merged.alerts, merged.proposals));
    assert_eq!(whole.costs, merged.costs);
    for (one, other) in whole.outputs.iter().zip(&merged.outputs) {
        assert_eq!((one.rows, one.equal, one.beyond), (other.rows, other.equal, other.beyond));
        assert_eq!(
            (one.nan_new, one.nan_extra, one.difference_max),
            (other.nan_new, other.nan_extra, other.difference_max)
        );
        let near = |a: Option<f64>, b: Option<f64>| (a.expect("some") - b.expect("some")).abs() < 1e-9;
        assert!(
            near(one.difference_rms, other.difference_rms) && near(one.bias, other.bias),
            "{one:?} {other:?}"
        );
    }
    assert_eq!(whole.nis[0].new.degrees, merged.nis[0].new.degrees);
}

#[test]
fn merging_into_nothing_changes_nothing() {
    let full = told(&[rough(0, 500)]);
    let mut empty = Tally::new(&declaration(), &strict());
    empty.merge(&full);
    assert_eq!(empty.evidence(&name_of), full.evidence(&name_of));
    let mut again = full.clone();
    again.merge(&Tally::new(&declaration(), &strict()));
    assert_eq!(again.evidence(&name_of), full.evidence(&name_of));
}

#[test]
fn the_worst_rows_are_few_sorted_and_one_for_each_twin_and_output() {
    let mut rows: Vec<Row> = rough(0, 3_000);
    rows[1_234].new[0] = 500.0;
    let worst = told(&[rows]).evidence(&name_of).worst;
    assert_eq!(worst.len(), WORST_MAX);
    let missing = worst.iter().take_while(|row| row.times_limit.is_none()).count();
    assert_eq!(missing, 4, "twins 7, 17, 27 and 37 lose a value: {worst:?}");
    let first = &worst[missing];
    assert_eq!(
        (first.twin.as_str(), first.time_ms, first.output.as_str()),
        ("motor-34", 1_234_000, "winding")
    );
    assert_eq!((first.old, first.new, first.times_limit), (Some(64.0), Some(500.0), Some(872.0)));
    let sizes: Vec<f64> = worst[missing..].iter().map(|row| row.times_limit.expect("a number")).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    let mut names: Vec<_> = worst.iter().map(|row| (&row.twin, &row.output)).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), WORST_MAX);
}

#[test]
fn curves_are_short_cover_everything_and_keep_an_excursion() {
    for (rows, points) in [(10, 10), (239, 239), (240, 120), (241, 121), (100_000, 0)] {
        let mut all: Vec<Row> = (0..rows).map(row).collect();
        let excursion = rows / 3;
        all[excursion as usize].new[0] += 40.0;
        let curves = told(&[all]).evidence(&name_of).curves;
        assert_eq!(curves.len(), 3, "one twin with three outputs");
        let winding = &curves[0];
        assert_eq!((winding.output.as_str(), winding.unit.as_str()), ("winding", "Cel"));
        let len = winding.times_ms.len();
        assert!(len <= POINTS_MAX && (points == 0 || len == points), "{rows} rows: {len} points");
        assert!(
            len == winding.old.len() && len == winding.new.len() && (rows < 1_000 || len >= POINTS_MAX / 2)
        );
        assert!(winding.times_ms.is_sorted());
        let span = winding.times_ms[len - 1] - winding.times_ms[0];
        assert!(span as f64 >= 0.97 * (rows - 1) as f64 * 1_000.0, "{rows} rows: a span of {span} ms");
        let place =
            winding.times_ms.iter().position(|time| *time == excursion * 1_000).expect("the excursion");
        assert_eq!(winding.new[place].expect("a value") - winding.old[place].expect("a value"), 40.0);
    }
}

#[test]
fn curves_follow_the_first_twins_and_the_worst() {
    let mut rows = Vec::new();
    for i in 0..4_000_u64 {
        let twin = (i % 40) as u32;
        let apart = match twin {
            17 => 30.0,
            33 => 90.0,
            _ => 0.1,
        };
        rows.push(Row { twin, new: [row(i).old[0] + apart, 1.0, 1.0], ..row(i) });
    }
    let curves = told(&[rows]).evidence(&name_of).curves;
    let mut twins: Vec<&str> = curves.iter().map(|curve| curve.twin.as_str()).collect();
    twins.dedup();
    assert_eq!(twins, ["motor-0", "motor-1", "motor-33", "motor-17"]);
}

#[test]
fn faults_are_counted_all_and_kept_few() {
    let mut tally = told(&[]);
    for i in 0..1_000_u64 {
        tally.fault(TwinIndex(2), Timestamp::from_millis(i), "trap", &"x".repeat(10_000));
    }
    let mut merged = tally.clone();
    merged.merge(&tally);
    for (tally, total) in [(&tally, 1_000), (&merged, 2_000)] {
        let evidence = tally.evidence(&name_of);
        assert_eq!((evidence.faults_total, evidence.faults.len()), (total, 32));
        assert_eq!((evidence.faults[0].time_ms, evidence.faults[31].time_ms), (0, 999));
        assert!(evidence.faults.iter().all(|fault| fault.message.chars().count() == 300));
    }
}

#[test]
fn rows_of_twins_that_still_warm_up_are_not_compared() {
    let declaration = declaration();
    let mut tally = Tally::new(&declaration, &strict());
    let mut frame = Frame::new(3);
    frame.twins = vec![TwinIndex(0), TwinIndex(1), TwinIndex(0)];
    frame.times = vec![Timestamp(0), Timestamp(0), Timestamp(1)];
    frame.values = vec![1.0; 9];
    frame.quality = vec![Quality::Good; 9];
    let of = |value: f64| Outcome { outputs: 3, values: vec![value; 9], ..Outcome::default() };
    tally.compare(&frame, &of(1.0), &of(9.0), &mut |twin| twin == TwinIndex(0));
    let evidence = tally.evidence(&name_of);
    assert_eq!((evidence.rows, evidence.rows_warming, evidence.twins), (2, 1, 1));
    assert_eq!(
        (tally.rows_of(TwinIndex(0)), tally.rows_of(TwinIndex(1)), tally.rows_of(TwinIndex(9))),
        (2, 0, 0)
    );
    assert_eq!(evidence.outputs[0].difference_max, Some(8.0));
}

#[test]
fn an_outcome_of_another_shape_is_a_fault_and_not_a_comparison() {
    let mut tally = Tally::new(&declaration(), &strict());
    let mut frame = Frame::new(3);
    frame.twins = vec![TwinIndex(4)];
    frame.times = vec![Timestamp::from_millis(5)];
    let whole = Outcome { outputs: 3, values: vec![1.0; 3], ..Outcome::default() };
    for wrong in [Outcome { outputs: 2, ..whole.clone() }, Outcome { values: vec![1.0; 2], ..whole.clone() }]
    {
        tally.compare(&frame, &whole, &wrong, &mut |_| true);
        tally.compare(&frame, &wrong, &whole, &mut |_| true);
    }
    let evidence = tally.evidence(&name_of);
    assert_eq!((evidence.rows, evidence.faults_total), (0, 4));
    assert_eq!((evidence.faults[0].kind.as_str(), evidence.faults[0].twin.as_str()), ("shape", "motor-4"));
}

#[test]
fn outputs_are_matched_by_name_when_declarations_differ() {
    let new = declaration();
    let mut old = declaration();
    old.outputs.swap(0, 2);
    old.outputs.pop();
    let mut tally = Tally::between(&old, &new, &Acceptance::default());
    let mut frame = Frame::new(3);
    frame.twins = vec![TwinIndex(0); 2];
    frame.times = vec![Timestamp(0), Timestamp(1)];
    let before = Outcome { outputs: 2, values: vec![1.0, 2.0, 1.0, 2.0], ..Outcome::default() };
    let after =
        Outcome { outputs: 3, values: vec![f64::NAN, 2.0, 1.0, 60.0, 2.0, 1.5], ..Outcome::default() };
    tally.compare(&frame, &before, &after, &mut |_| true);
    let outputs = tally.evidence(&name_of).outputs;
    let found: Vec<_> = outputs.iter().map(|o| (o.output.as_str(), o.compared, o.difference_max)).collect();
    let expect = [("winding", false, None), ("innovation", true, Some(0.0)), ("nis", true, Some(0.5))];
    assert_eq!(found, expect);
    assert_eq!((outputs[0].rows, outputs[0].nan_new), (2, 1));
}

fn json(of: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(of).expect("json")
}

/// The same but for the last digits of numbers.
fn near(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (one, other) {
        (Number(one), Number(other)) => {
            let (one, other) = (one.as_f64().expect("a number"), other.as_f64().expect("a number"));
            (one - other).abs() <= 1e-12 * one.abs().max(1.0)
        }
        (Array(one), Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| near(a, b))
        }
        (Object(one), Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|b| near(value, b)))
        }
        (one, other) => one == other,
    }
}

#[test]
fn evidence_and_verdict_can_be_read_again() {
    let tally = told(&[rough(0, 1_000)]);
    let evidence = tally.evidence(&name_of);
    let text = serde_json::to_string(&evidence).expect("json");
    let again = serde_json::from_str::<Evidence>(&text).expect("its own words");
    assert!(near(&json(&again), &json(&evidence)), "{text}");
    let verdict = tally.judge(&strict());
    let text = serde_json::to_string(&verdict).expect("json");
    let again = serde_json::from_str::<Verdict>(&text).expect("its own words");
    assert!(near(&json(&again), &json(&verdict)), "{text}");
}
