//! Alerts and proposals are recorded with their rows: proved to the word, found when a record was changed, judged when
//! another version says others.

use super::guest::{policy, talks};
use super::*;
use crate::said::Said;

/// A second whose row raises an alert and proposes, and one whose row says nothing.
const LOUD: u64 = 1056;
const SILENT: u64 = 1060;
/// Place of `sum up/said` among the series of the plant.
const WORDS: usize = 7;

/// Two hundred rows of a version that talks now and then.
fn recorded(prepare: impl Fn(&mut Plant)) -> Plant {
    let mut plant = Plant::new();
    plant.run(&policy("1.0.0", talks), Some(Border::Start));
    prepare(&mut plant);
    for rows in [1, 2, 97, 100] {
        plant.rows(rows);
    }
    plant.keep(Border::Periodic);
    plant.flush();
    plant
}

#[test]
fn what_rows_said_is_proved_however_they_are_batched() {
    let plant = recorded(|_| ());
    let report = replayed(&plant, ALL, None);
    assert!(report.equal && report.complete, "{report}");
    assert_eq!((report.failure(), report.not_proved.clone()), (None, vec![]), "{report}");
    // Seconds with an `a` above 6; the first of them is the fourth row, which is warm.
    assert_eq!((report.alerts, report.proposals), (19, 19), "{report}");
    assert_eq!((report.signals_rows, report.signals_rows_differ), (report.rows, 0), "{report}");
    plant.fold();
    let again = replayed(&plant, ALL, None);
    assert_eq!((again.signals_digest, again.equal), (report.signals_digest, true));
    let part = replayed(&plant, Span { from: second(LOUD), to: second(LOUD + 1) }, None);
    assert_eq!((part.equal, part.alerts, part.proposals, part.signals_rows), (true, 1, 1, 1), "{part}");
}

#[test]
fn a_word_that_differs_is_found_and_named() {
    let strange = ((1_u64 << 49) | 5) as f64;
    assert_eq!(
        Said::from_value(strange).map(|said| said.to_string()).as_deref(),
        Some("1 alert (digest 000000000005)")
    );
    let speaks = "alert odd = ";
    let wishes = "proposal speed = 0.5, confidence 1.0, valid for 900 ms (not this value)";
    let check = |second_of: u64, value: f64, recorded: &str, computed: &[&str]| {
        let plant = recorded_with(second_of, value);
        let report = replayed(&plant, ALL, None);
        assert_eq!((report.equal, report.rows_differ, report.signals_rows_differ), (false, 0, 1), "{report}");
        let [found] = report.signals_differences.as_slice() else { panic!("one difference: {report}") };
        assert_eq!(
            (found.time.as_str(), found.recorded.as_str()),
            (&*times::rfc3339(second(second_of)), recorded)
        );
        assert!(computed.iter().all(|words| found.computed.contains(words)), "{report}");
        let failure = report.failure().expect("a failure");
        assert!(
            failure.contains("alerts or proposals differ in 1 rows, first at") && failure.contains(recorded),
            "{failure}"
        );
        assert!(report.to_string().contains(&format!("recorded {recorded}, computed ")), "{report}");
    };
    // Taken out of the record, put in, exchanged, no word of anybody.
    check(LOUD, 0.0, "nothing", &["1 alert and 1 proposal (digest ", speaks, "(no such row)", wishes]);
    check(SILENT, strange, "1 alert (digest 000000000005)", &["nothing"]);
    check(LOUD, strange, "1 alert (digest 000000000005)", &["1 alert and 1 proposal", speaks, wishes]);
    check(LOUD, 0.25, "0.25, which no row says", &[speaks]);
}

fn recorded_with(second_of: u64, value: f64) -> Plant {
    recorded(|plant| plant.forge(WORDS, second_of, value))
}

#[test]
fn an_old_record_is_proved_as_far_as_it_goes() {
    let mut plant = Plant::new();
    plant.keeps_words = false;
    plant.run(&policy("1.0.0", talks), Some(Border::Start));
    plant.rows(100);
    plant.keeps_words = true;
    plant.rows(50);
    plant.flush();
    let report = replayed(&plant, ALL, None);
    let unproved =
        "alerts and proposals not recorded before 1970-01-01T00:18:21Z: 100 rows; choose --from there";
    assert_eq!(
        (report.equal, report.complete, report.not_proved.clone()),
        (true, false, vec![unproved.to_owned()])
    );
    assert_eq!((report.rows, report.signals_rows), (149, 49), "{report}");
    assert!(report.failure().expect("a failure").contains(unproved), "{report}");
    assert!(report.to_string().contains(unproved), "{report}");
    let report = replayed(&plant, Span { from: second(1101), to: second(1151) }, None);
    assert_eq!((report.equal, report.complete, report.signals_rows), (true, true, 49), "{report}");
}

/// A version that says as much, but wishes for less.
fn wishes_less(text: String) -> String {
    let text = talks(text);
    let wish = "(f64.store offset=8 (local.get $cell) (f64.const 0.5))\n        (f64.store offset=16";
    assert_eq!(text.matches(wish).count(), 1, "what is added to probe.wat no longer wishes for this");
    text.replace(wish, &wish.replace("0.5", "0.25"))
}

#[test]
fn a_backtest_judges_alerts_and_proposals_as_a_rollout_does() {
    let (talking, silent) = (recorded(|_| ()), {
        let mut plant = Plant::new();
        plant.run(&policy("1.0.0", |text| text), Some(Border::Start));
        plant.rows(200);
        plant.flush();
        plant
    });
    // Gives whether the other version says the same, to the word.
    let check = |plant: &Plant, change: &dyn Fn(String) -> String, differ: Option<f64>, failed: &[&str]| {
        let mut other = other(policy("1.1.0", change), ColdStart::Refuse, Some(0.0));
        other.acceptance.proposals_differ_share_max = differ;
        other.acceptance.proposals_refused_max = Some(0);
        let report = replayed(plant, ALL, Some(&other));
        assert!(report.equal && report.complete, "{report}");
        let with = report.with.as_ref().expect("compared");
        let checks = with.verdict.checks.iter();
        let unjudged = |name: &str| with.verdict.checks.iter().all(|check| check.name != name);
        assert!(unjudged("proposals refused") && unjudged("deadline"), "no interlock was asked: {report}");
        let found: Vec<&str> = checks
            .filter(|check| check.state == VerdictState::Fail)
            .map(|check| check.name.as_str())
            .collect();
        assert_eq!(found, failed, "{report}");
        assert_eq!(report.failure().is_some(), !failed.is_empty(), "{report}");
        with.signals_digest == report.signals_digest
    };
    assert!(check(&talking, &talks, Some(0.0), &[]));
    assert!(!check(&talking, &wishes_less, None, &[]));
    assert!(!check(&talking, &wishes_less, Some(0.5), &["proposals differ"]));
    assert!(!check(&talking, &|text| text, Some(0.0), &["proposals differ"]));
    assert!(!check(&silent, &talks, None, &["alerts"]));
    assert!(!check(&silent, &talks, Some(0.0), &["alerts", "proposals differ"]));
}

#[test]
fn a_backtest_tells_of_other_alerts_and_proposals_though_nobody_judges_them() {
    let talking = recorded(|_| ());
    let tried = |change: &dyn Fn(String) -> String| {
        replayed(&talking, ALL, Some(&other(policy("1.1.0", change), ColdStart::Refuse, Some(0.0))))
    };
    let report = tried(&talks);
    let with = report.with.as_ref().expect("compared");
    let same = (with.signals.alerts_differ, with.signals.proposals_differ, with.signals.first.clone());
    assert_eq!((same, with.signals.rows), ((0, 0, None), with.evidence.rows), "{report}");
    assert!(report.to_string().contains("no alert or proposal differs in any compared row"), "{report}");

    let report = tried(&wishes_less);
    let with = report.with.as_ref().expect("compared");
    assert_eq!(report.failure(), None, "nobody judges it: {report}");
    let (found, counted) = (&with.signals, with.evidence.proposals);
    assert_eq!((found.proposals_differ, found.alerts_differ), (counted.rows, 0), "{report}");
    assert!(found.proposals_differ > 0, "{report}");
    let first = found.first.as_ref().expect("a first one");
    assert!(first.old.contains("proposal speed = 0.5,"), "{first:?}");
    assert!(first.new.contains("proposal speed = 0.25,"), "{first:?}");
    let words = format!("proposals differ in {} of {} compared rows", counted.rows, with.evidence.rows);
    assert!(report.to_string().contains(&words), "{report}");

    let report = tried(&|text| text);
    let found = &report.with.as_ref().expect("compared").signals;
    assert_eq!((found.proposals_differ, found.alerts_differ), (counted.rows, counted.rows), "{report}");
    assert_eq!(found.first.as_ref().map(|first| first.new.as_str()), Some("nothing"), "{report}");
}
