//! A recorded plant is run again: equal to the bit with everything that happens to a twin, and not a bit less.

use std::sync::Arc;

use geminus_behavior::{ColdStart, Limits};
use geminus_core::declaration::Role;
use geminus_rollout::{Acceptance, Difference, VerdictState};
use geminus_store::Border;

use super::*;

mod golden;
pub(crate) mod guest;
mod record;
mod recorded;
mod words;

use guest::{half_more, package, turned};
use record::{PARAMETERS, Plant, second};

const ALL: Span = Span { from: Timestamp(0), to: Timestamp(u64::MAX) };

/// A plant with a swap, a restart and a state put back. The first row is that of second 1001.
fn eventful() -> Plant {
    let mut plant = Plant::new();
    let (first, other) = (package("1.0.0", 1, |text| text), package("2.0.0", 2, |text| text));
    plant.run(&first, Some(Border::Start));
    for rows in [1, 2, 97, 100, 100] {
        plant.rows(rows);
    }
    plant.keep(Border::Periodic);
    plant.rows(300);
    plant.run(&other, Some(Border::Switch));
    plant.rows(100);
    let state = plant.state();
    plant.rows(50);
    plant.run(&other, Some(Border::Start));
    plant.rows(50);
    plant.put_back(&state);
    plant.rows(50);
    plant.keep(Border::Periodic);
    plant.run(&first, Some(Border::Switch));
    plant.rows(50);
    plant.flush();
    plant
}

fn replayed(plant: &Plant, span: Span, other: Option<&Other>) -> Report {
    let mut archive =
        Archive::at(&plant.data(), &plant.data().join("plugins"), Limits::default()).expect("archive");
    run(&mut archive, &Plant::subject(), span, other).expect("replays")
}

#[test]
fn what_was_recorded_is_computed_again_to_the_bit() {
    let plant = eventful();
    let report = replayed(&plant, ALL, None);
    assert!(report.equal, "{report}");
    assert_eq!(report.failure(), None);
    // 900 rows, of which those in seconds 1113, 1163, … were answered with a fault.
    assert_eq!((report.rows, report.rows_unanswered, report.rows_before), (884, 16, 0), "{report}");
    assert_eq!((report.outputs, report.outputs_differ, report.states_compared), (1768, 0, 2));
    let borders: Vec<_> = report.borders.iter().map(|border| (border.kind, border.continues)).collect();
    let expect = [
        ("start", None),
        ("switch", None),
        ("start", Some(true)),
        ("restore", Some(false)),
        ("switch", None),
    ];
    assert_eq!(borders, expect);
    assert_eq!((report.gaps.len(), report.notes.clone(), report.complete), (0, vec![], true));
    assert!(report.fuel > 0);
    // The same from packed history, and from every second in which something had happened before.
    plant.fold();
    let again = replayed(&plant, ALL, None);
    assert_eq!((&again.digest, again.fuel), (&report.digest, report.fuel));
    for (from, to, before) in [(1002, 1003, 1), (1290, 1310, 285), (1400, 1650, 97), (1701, 1760, 98)] {
        let report = replayed(&plant, Span { from: second(from), to: second(to) }, None);
        assert!(report.equal && report.gaps.is_empty(), "{report}");
        assert_eq!(report.rows + report.rows_unanswered, to - from, "{report}");
        assert_eq!(report.rows_before, before, "{report}");
    }
}

#[test]
fn a_bit_that_differs_is_found() {
    // Row of second 1201: another `sum` in history than was computed; outputs after it are right.
    let forged = |place: usize, value: f64| {
        let mut plant = Plant::new();
        plant.run(&package("1.0.0", 1, |text| text), Some(Border::Start));
        plant.forge(place, 1201, value);
        plant.rows(300);
        plant.keep(Border::Periodic);
        plant.flush();
        replayed(&plant, ALL, None)
    };
    let report = forged(5, 1e-300);
    assert_eq!((report.equal, report.rows_differ, report.outputs_differ), (false, 1, 1), "{report}");
    assert_eq!(report.differences[0].time, "1970-01-01T00:20:01Z");
    assert_eq!(
        (report.differences[0].output.as_str(), report.differences[0].recorded),
        ("sum", Some(1e-300))
    );
    assert!(
        report.failure().expect("a failure").contains("1 of 296 rows and 0 of 1 kept states differ"),
        "{report}"
    );
    // Another input: every sum from there on is another one, and so is the state at the end.
    let report = forged(0, 1e9);
    assert_eq!((report.rows_differ, report.states_differ.len()), (98, 1), "{report}");
    assert_eq!((report.differences.len(), report.equal), (20, false));
    assert!(report.worst.as_ref().is_some_and(|worst| worst.distance() > 9e8), "{report}");
}

#[test]
fn what_cannot_be_run_again_is_told_with_its_reason() {
    let mut plant = Plant::new();
    let (first, other) = (package("1.0.0", 1, |text| text), package("2.0.0", 2, |text| text));
    plant.run(&first, Some(Border::Start));
    plant.rows(100);
    // Nobody kept the state with which the second version began; the next one that was kept leads on.
    plant.run(&other, None);
    plant.rows(50);
    plant.keep(Border::Periodic);
    plant.rows(50);
    plant.flush();
    let report = replayed(&plant, ALL, None);
    assert!(report.equal, "{report}");
    let gaps: Vec<_> =
        report.gaps.iter().map(|gap| (gap.from.as_str(), gap.rows, gap.why.as_str())).collect();
    let why = "the state with which probe@2.0.0 began was not kept";
    // 1113 had no answer, so the rows before and after it are two runs of one gap.
    assert_eq!(gaps, [("1970-01-01T00:18:21Z", 49, why)], "{report}");
    assert_eq!(
        (report.rows, report.rows_unanswered, report.borders[1].kind),
        (149, 2, "checkpoint"),
        "{report}"
    );
    assert!(!report.complete && report.to_string().contains("NOT COMPLETE"), "{report}");
    let holes = report.failure().expect("a failure");
    assert!(holes.contains("has holes: 49 rows from 1970-01-01T00:18:21Z"), "{holes}");
    // Now its component is gone too.
    let name = format!("{}.wasm", other.digest.to_string().trim_start_matches("sha256:"));
    std::fs::remove_file(plant.data().join("packages").join(name)).expect("was kept");
    let report = replayed(&plant, ALL, None);
    assert!(report.equal, "the rows of the first version are still proved: {report}");
    assert_eq!((report.rows, report.gaps.len(), report.gaps[0].rows), (100, 1, 98), "{report}");
    assert!(report.gaps[0].why.contains("the component of probe@2.0.0 is gone"), "{report}");
    // Nothing at all is left when no state lies before.
    let report = replayed(&plant, Span { from: second(1101), to: second(1140) }, None);
    assert_eq!((report.rows, report.equal), (0, false), "{report}");
    assert!(report.failure().expect("a failure").contains("no row of sum up of middle"), "{report}");
}

#[test]
fn a_row_that_a_failing_version_left_to_the_one_before_is_computed_again() {
    let mut plant = Plant::new();
    let (first, other) = (package("1.0.0", 1, |text| text), package("2.0.0", 1, half_more));
    plant.run(&first, Some(Border::Start));
    plant.rows(100);
    for rows in [1, 60, 5] {
        plant.try_out(&other);
        plant.rows(rows);
        plant.fail();
        plant.rows(10);
    }
    plant.flush();
    let report = replayed(&plant, ALL, None);
    assert!(report.equal && report.complete, "{report}");
    assert_eq!((report.rows + report.rows_unanswered, report.gaps.len()), (199, 0), "{report}");
    // Each time it went back, the state after that row is the one that was kept.
    let back: Vec<_> = report.borders.iter().skip(1).map(|border| border.continues).collect();
    assert_eq!(back, [None, Some(true), None, Some(true), None, Some(true)], "{report}");
    // From the middle of a trial on as well, and that row alone.
    for (from, to) in [(1125, 1190), (1173, 1174)] {
        let report = replayed(&plant, Span { from: second(from), to: second(to) }, None);
        assert!(report.equal && report.complete && report.rows > 0, "{report}");
    }
}

#[test]
fn a_state_that_was_written_down_after_a_turn_that_it_preceded_leads_nobody_astray() {
    let mut plant = Plant::new();
    plant.run(&package("1.0.0", 1, |text| text), Some(Border::Start));
    plant.rows(100);
    let late = plant.checkpoint(Border::Periodic);
    plant.run(&package("2.0.0", 2, |text| text), Some(Border::Switch));
    plant.write_down(late);
    plant.rows(50);
    plant.flush();
    for (from, rows) in [(1001, 149), (1101, 49), (1120, 31)] {
        let report = replayed(&plant, Span { from: second(from), to: second(1151) }, None);
        assert!(report.equal && report.complete, "{report}");
        assert_eq!((report.rows, report.gaps.len()), (rows, 0), "{report}");
    }
}

#[test]
fn an_output_without_a_row_is_a_hole() {
    let mut plant = Plant::new();
    plant.run(&package("1.0.0", 1, |text| text), Some(Border::Start));
    plant.rows(100);
    plant.forge(5, 1_200, 1.0);
    plant.flush();
    let report = replayed(&plant, ALL, None);
    assert_eq!((report.equal, report.complete, report.rows), (true, false, 100), "{report}");
    let holes = report.failure().expect("a failure");
    assert!(holes.contains("1 times have outputs in history, but the row was not recorded"), "{holes}");
    // Before that moment there is no hole.
    let report = replayed(&plant, Span { from: second(1_001), to: second(1_101) }, None);
    assert_eq!((report.complete, report.failure()), (true, None), "{report}");
}

fn other(package: Package, cold: ColdStart, limit: Option<f64>) -> Other {
    let mut acceptance = Acceptance { rows_min: 10, ..Acceptance::default() };
    if let Some(absolute) = limit {
        let difference = Difference { absolute: Some(absolute), relative: None };
        acceptance.difference.insert("*".to_owned(), difference);
    }
    Other { package, parameters: Arc::from(PARAMETERS), cold, acceptance }
}

#[test]
fn another_version_is_judged_over_the_same_rows() {
    let plant = eventful();
    let span = Span { from: second(1250), to: second(1601) };
    // The same code under another number says the same, to the bit, though its state was migrated on the way.
    let same =
        replayed(&plant, span, Some(&other(package("3.0.0", 2, |text| text), ColdStart::Refuse, None)));
    let with = same.with.as_ref().expect("compared");
    assert_eq!(
        (with.verdict.state, with.first_difference.clone(), same.failure()),
        (VerdictState::Pass, None, None)
    );
    assert_eq!(
        (with.outputs_digest == same.digest, with.rows, with.evidence.rows),
        (false, 351, 344),
        "{same}"
    );
    assert!(with.evidence.outputs.iter().all(|output| output.equal == output.rows), "{same}");

    // Half a unit more in every row: seen at once, passes only where that is allowed.
    for (limit, expect) in [(0.6, VerdictState::Pass), (0.4, VerdictState::Fail)] {
        let tweaked = other(package("1.1.0", 1, half_more), ColdStart::Refuse, Some(limit));
        let report = replayed(&plant, span, Some(&tweaked));
        let with = report.with.as_ref().expect("compared");
        assert!(report.equal, "the recorded version is proved all the same: {report}");
        assert_eq!(with.verdict.state, expect, "{report}");
        let first = with.first_difference.as_ref().expect("differs");
        assert_eq!((first.time.as_str(), first.output.as_str()), ("1970-01-01T00:20:50Z", "sum"));
        assert!((with.evidence.outputs[0].bias.expect("a bias") - 0.5).abs() < 1e-9, "{report}");
        assert_eq!(report.failure().is_some(), expect == VerdictState::Fail);
        assert!(report.to_string().contains("differs first at 1970-01-01T00:20:50Z in sum"), "{report}");
    }
}

#[test]
fn another_version_that_cannot_take_over_says_why_and_one_that_fails_is_charged() {
    let plant = eventful();
    let span = Span { from: second(1650), to: second(1760) };
    let mut archive = Archive::at(&plant.data(), &plant.data(), Limits::default()).expect("archive");
    // Version 2 had written schema 2 and can write 1; a stranger's schema cannot be carried.
    let strange = package("9.0.0", 1, |text| text);
    let mut declaration = (*strange.declaration).clone();
    (declaration.state.schema, declaration.state.reads) = (7, vec![7]);
    declaration.state.writes = vec![7];
    let strange = Package { declaration: Arc::new(declaration), ..strange };
    let refused = run(&mut archive, &Plant::subject(), span, Some(&other(strange, ColdStart::Refuse, None)));
    let refused = format!("{:#}", refused.expect_err("refused"));
    assert!(refused.contains("probe@2.0.0") && refused.contains("probe@9.0.0"), "{refused}");

    // One that traps in a row that the recorded version answered with a fault.
    let trap = |text: String| {
        text.replace(
            "(if (i32.and (call $is (local.get $rec) (i32.const 102)) ;; f",
            "(if (i32.and (i32.const 0) ",
        )
    };
    let trap = |text: String| {
        trap(text)
            .replace("(i32.const 116)) (then unreachable)) ;; t", "(i32.const 102)) (then unreachable))")
    };
    let report = replayed(&plant, span, Some(&other(package("1.2.0", 1, trap), ColdStart::Refuse, None)));
    let with = report.with.as_ref().expect("compared");
    assert!(with.evidence.faults_total > 0 && with.ended.is_some(), "{report}");
    assert!(
        report.failure().expect("a failure").contains("probe@1.2.0 would not have been accepted"),
        "{report}"
    );
}

#[test]
fn a_row_that_another_version_answers_with_a_fault_is_a_fault_and_no_missing_value_besides() {
    let fault = "(if (i32.and (call $is (local.get $rec) (i32.const 102)) ;; f";
    let never = |text: String| {
        assert_eq!(text.matches(fault).count(), 1, "probe.wat no longer has the line that is changed here");
        text.replace(fault, "(if (i32.and (i32.const 0) ")
    };
    let mut plant = Plant::new();
    plant.run(&package("1.0.0", 1, never), Some(Border::Start));
    plant.rows(200);
    plant.flush();
    let mut faulting = other(package("1.1.0", 1, |text| text), ColdStart::Refuse, None);
    (faulting.acceptance.faults_max, faulting.acceptance.nan_share_extra_max) = (2, 0.0);
    faulting.acceptance.fuel_per_row_ratio_max = 100.0;
    let report = replayed(&plant, ALL, Some(&faulting));
    let with = report.with.as_ref().expect("compared");
    // Those of seconds 1113 and 1163.
    assert_eq!(
        (with.evidence.faults_total, with.evidence.rows + with.evidence.rows_warming),
        (2, 198),
        "{report}"
    );
    assert!(with.evidence.outputs.iter().all(|output| output.nan_extra == 0), "{report}");
    assert_eq!((with.verdict.state, report.failure()), (VerdictState::Pass, None), "{report}");
    faulting.acceptance.faults_max = 1;
    assert!(replayed(&plant, ALL, Some(&faulting)).failure().is_some());
}

#[test]
fn another_version_that_has_converged_once_is_compared_from_then_on() {
    let mut plant = Plant::new();
    plant.run(&package("1.0.0", 1, |text| text), Some(Border::Start));
    plant.rows(100);
    plant.flush();
    // It counts its rows and has converged when that says 1, which is in the first row only; it begins cold.
    let counting = package("2.0.0", 7, |text| text);
    let mut declaration = (*counting.declaration).clone();
    declaration.outputs[1].role = Role::Converged;
    (declaration.warm_up_rows, declaration.state.reads, declaration.state.writes) = (0, vec![7], vec![7]);
    let counting = Package { declaration: Arc::new(declaration), ..counting };
    let report = replayed(&plant, ALL, Some(&other(counting, ColdStart::Allow, None)));
    let with = report.with.as_ref().expect("compared");
    assert!(with.cold_start, "{report}");
    assert_eq!((with.evidence.rows, with.evidence.rows_warming), (100, 0), "{report}");
}

#[test]
fn a_hole_is_not_forgotten_where_the_site_gives_a_behavior_other_columns() {
    let mut plant = Plant::new();
    // An output of the second before the first row.
    plant.forge(5, 1_000, 1.0);
    plant.run(&package("1.0.0", 1, |text| text), Some(Border::Start));
    plant.rows(50);
    plant.run(&turned("2.0.0"), Some(Border::Start));
    plant.rows(50);
    plant.flush();
    let report = replayed(&plant, ALL, None);
    assert_eq!((report.equal, report.rows, report.gaps.len()), (true, 100, 0), "{report}");
    let hole = "1 times have outputs in history, but the row was not recorded".to_owned();
    assert_eq!((report.notes.clone(), report.complete), (vec![hole], false), "{report}");
}
