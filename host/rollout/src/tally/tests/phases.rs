//! Each phase is judged by its own rows, and only by rows that both versions answered; a NIS by its own measurements.

use super::*;

#[test]
fn a_tally_that_is_renewed_has_seen_nothing_and_keeps_its_limits() {
    let bad = |i: u64| Row { new: [99.0, 0.0, 1.0], alerts: (false, i.is_multiple_of(2)), ..row(i) };
    let mut tally = Tally::new(&declaration(), &strict());
    tell(&mut tally, &(0..100).map(bad).collect::<Vec<_>>());
    tally.cost(cost(100));
    tally.refused_proposals(0, 9);
    assert_eq!(tally.judge(&strict()).state, Fail);
    tally.renew();
    let name_of = |twin: TwinIndex| twin.0.to_string();
    assert_eq!(tally.evidence(&name_of), Tally::new(&declaration(), &strict()).evidence(&name_of));
    let fresh = tally.judge(&strict());
    assert!(fresh.checks.iter().all(|check| check.state != Fail), "{fresh:?}");
    assert_eq!(fresh.state, Open, "nothing was seen");
    // The limits hold as before.
    tell(&mut tally, &(0..100).map(bad).collect::<Vec<_>>());
    assert_eq!(tally.judge(&strict()).state, Fail);
}

#[test]
fn what_the_candidate_failed_in_is_not_forgotten_with_its_phase() {
    let mut tally = Tally::new(&declaration(), &strict());
    tally.fault(TwinIndex(0), Timestamp(1), "trap", "unreachable");
    tally.renew();
    assert_eq!(find(&tally.judge(&strict()), "faults").state, Fail);
}

#[test]
fn as_many_faults_are_forgiven_as_the_plan_says_over_all_phases_and_no_more() {
    let acceptance = Acceptance { faults_max: 2, ..strict() };
    let mut tally = Tally::new(&declaration(), &acceptance);
    let fault = |tally: &mut Tally, at| tally.fault(TwinIndex(1), Timestamp(at), "trap", "unreachable");
    fault(&mut tally, 1);
    assert_eq!(find(&tally.judge(&acceptance), "faults").state, Open, "too few rows to say");
    tell(&mut tally, &(0..100).map(row).collect::<Vec<_>>());
    fault(&mut tally, 2);
    let verdict = tally.judge(&acceptance);
    let check = find(&verdict, "faults");
    assert_eq!((check.state, check.value, check.limit.as_str()), (Pass, Some(2.0), "at most 2"));
    tally.renew();
    fault(&mut tally, 3);
    // At once, however few rows the phase has: more of them mend nothing.
    let verdict = tally.judge(&acceptance);
    let check = find(&verdict, "faults");
    assert_eq!((check.state, check.value), (Fail, Some(3.0)));
}

/// A frame of one twin in which the running version has no answer for rows that `alone` names.
fn with_gaps(tally: &mut Tally, rows: u32, alone: impl Fn(usize) -> bool) {
    let (mut frame, mut old, mut new) = (Frame::new(3), Outcome::default(), Outcome::default());
    for at in 0..rows {
        frame.twins.push(TwinIndex(at % 2));
        frame.times.push(Timestamp::from_millis(u64::from(at) * 1_000));
        frame.values.extend([60.0, f64::NAN, 5.0]);
        frame.quality.extend([Quality::Good, Quality::Missing, Quality::Good]);
        let good = GOOD[at as usize / 2 % 4];
        let values = [60.0 + f64::from(at % 10), good, good * good];
        new.values.extend(values);
        old.values.extend(if alone(at as usize) { [f64::NAN; 3] } else { values });
    }
    (old.outputs, new.outputs) = (3, 3);
    tally.compare_rows(&frame, &old, &new, &mut |row, _| match alone(row) {
        true => crate::Row::Unanswered,
        false => crate::Row::Compared,
    });
    let answered = (0..rows as usize).filter(|row| !alone(*row)).count() as u64;
    let rows = u64::from(rows);
    tally.cost(Cost { old_rows: answered, old_fuel: 1_000 * answered, ..cost(rows) });
}

#[test]
fn rows_that_the_running_version_did_not_answer_speak_against_nobody() {
    let acceptance = Acceptance { nan_share_extra_max: 0.0, ..strict() };
    let mut some = Tally::new(&declaration(), &acceptance);
    with_gaps(&mut some, 200, |row| row % 2 == 1);
    let verdict = some.judge(&acceptance);
    let wrong: Vec<_> = verdict.checks.iter().filter(|check| check.state != Pass).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let evidence = some.evidence(&|twin| twin.0.to_string());
    assert_eq!((evidence.rows, evidence.rows_unanswered), (100, 100));
    assert_eq!((evidence.twins, evidence.worst.len()), (1, 0));
    // Half of the rows cost the running version nothing: that is no reason to call the other one dear.
    assert_eq!(evidence.costs.old.fuel_per_row, Some(1_000.0));

    // A version that answers for nobody leaves nothing to compare with, and nothing to wait for.
    let mut none = Tally::new(&declaration(), &acceptance);
    with_gaps(&mut none, 200, |_| true);
    let verdict = none.judge(&acceptance);
    let wrong: Vec<_> = verdict.checks.iter().filter(|check| check.state != Pass).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    // Too few of them say nothing, as ever.
    let mut few = Tally::new(&declaration(), &acceptance);
    with_gaps(&mut few, 10, |_| true);
    assert_eq!(few.judge(&acceptance).state, Open);
}

/// Degrees of freedom of 100 rows in which both inputs were measured.
fn degrees_of(of: Option<&str>, nis_degrees: Option<u32>) -> u64 {
    let mut declaration = declaration();
    declaration.outputs[2].of = of.map(str::to_owned);
    let acceptance = Acceptance { nis_confidence: Some(0.99), nis_degrees, ..Acceptance::default() };
    let mut tally = Tally::new(&declaration, &acceptance);
    tell(&mut tally, &(0..100).map(|i| Row { both: true, ..row(i) }).collect::<Vec<_>>());
    tally.evidence(&|twin| twin.0.to_string()).nis[0].new.degrees
}

#[test]
fn a_nis_that_is_about_one_input_has_one_degree_of_freedom_a_row() {
    assert_eq!(degrees_of(None, None), 200);
    assert_eq!(degrees_of(None, Some(3)), 300);
    for nis_degrees in [None, Some(3)] {
        assert_eq!(degrees_of(Some("b"), nis_degrees), 100);
    }
    // What is no input says nothing about how many there are.
    assert_eq!(degrees_of(Some("winding"), None), 200);
}

#[test]
fn each_version_has_the_degrees_of_freedom_of_its_own_innovations() {
    let mut declaration = declaration();
    declaration.inputs.iter_mut().for_each(|input| input.arrival = Arrival::Hold);
    declaration.outputs[0].role = Role::Innovation;
    let acceptance = Acceptance { nis_confidence: Some(0.99), ..Acceptance::default() };
    let mut tally = Tally::new(&declaration, &acceptance);
    let one = |i: u64| Row { old: [0.5, 0.5, 2.0], new: [0.5, f64::NAN, 1.0], ..row(i) };
    tell(&mut tally, &(0..100).map(one).collect::<Vec<_>>());
    let nis = &tally.evidence(&|twin| twin.0.to_string()).nis[0];
    assert_eq!((nis.old.degrees, nis.new.degrees), (200, 100));
    assert_eq!((nis.old.mean, nis.new.mean), (Some(1.0), Some(1.0)));
}
