//! What is only judged when a phase has its least rows and seconds, and what is judged at every look.

use super::*;

/// A model that holds over all its rows, after a stretch in which chance was against it.
fn rows() -> Vec<Row> {
    let good = |i: u64| GOOD[i as usize % 4];
    let values = |i: u64| if i < 40 { [60.0, 1.0 + 0.1 * good(i), 2.0] } else { [60.0, good(i) - 0.1, 0.9] };
    (0..400).map(|i| Row { old: values(i), new: values(i), ..row(i) }).collect()
}

#[test]
fn innovations_are_judged_once_and_not_at_every_look() {
    let acceptance = Acceptance {
        innovation_mean_sigma_max: Some(0.3),
        nis_confidence: Some(0.99),
        ..Acceptance::default()
    };
    let (names, rows) = (["innovation innovation", "nis nis"], rows());
    let mut tally = Tally::new(&declaration(), &acceptance);
    let mut looks_outside = 0;
    for some in rows.chunks(10) {
        tell(&mut tally, some);
        tally.cost(cost(10));
        let verdict = tally.judge_when(&acceptance, false, &name_of);
        assert_ne!(verdict.state, Fail, "{verdict:?}");
        for check in names.map(|name| find(&verdict, name)) {
            assert_eq!(check.state, Open, "{check:?}");
            assert!(check.value.is_some(), "the number is shown all the same: {check:?}");
            assert!(
                check.detail.ends_with("judged when the phase has its least rows and seconds"),
                "{check:?}"
            );
        }
        looks_outside += u32::from(tally.judge_when(&acceptance, true, &name_of).state == Fail);
    }
    assert!(looks_outside > 5, "nothing was held back: {looks_outside}");
    let verdict = tally.judge_when(&acceptance, true, &name_of);
    assert_eq!(verdict.state, Pass, "{verdict:?}");
    assert_eq!(tally.judge(&acceptance), verdict);
}

#[test]
fn everything_else_is_judged_at_every_look() {
    let rows: Vec<Row> = (0..100).map(|i| Row { new: [99.0, 5.0, 25.0], ..row(i) }).collect();
    let mut tally = Tally::new(&declaration(), &strict());
    tell(&mut tally, &rows);
    let verdict = tally.judge_when(&strict(), false, &name_of);
    assert_eq!(find(&verdict, "difference winding").state, Fail);
    assert_eq!((find(&verdict, "nis nis").state, verdict.state), (Open, Fail));
}
