//! Recorded rows for forks: a fork of the state before them goes their way to the bit, and another way where a scenario says.

use std::collections::BTreeMap;

use geminus_core::{Outcome, Quality};
use geminus_scenario::{InputChange, Scenario, Study};

use super::*;
use crate::ahead::{self, Rows};
use crate::replay::recorded::{Recorded, read};

fn past(span: Span, rows_max: u64) -> anyhow::Result<Recorded> {
    let plant = eventful();
    let mut archive = Archive::at(&plant.data(), &plant.data().join("plugins"), Limits::default())?;
    read(&mut archive, &Plant::subject(), span, rows_max)
}

fn bits(outcomes: &[Outcome]) -> Vec<(u64, Quality)> {
    let cells = outcomes.iter().flat_map(|outcome| outcome.values.iter().zip(&outcome.quality));
    cells.map(|(value, quality)| (value.to_bits(), *quality)).collect()
}

#[test]
fn a_fork_of_the_past_goes_its_way_and_another() {
    for (from, rows) in [(0, 590), (1201, 392)] {
        let span = if from == 0 { ALL } else { Span { from: second(from), to: Timestamp(u64::MAX) } };
        let past = past(span, 10_000).expect("rows");
        assert_eq!((past.rows(), past.rows_differ), (rows, 0));
        let ended = past.ended.clone().expect("another version took over");
        assert!(ended.contains("a state of probe@2.0.0 was put in after"), "{ended}");
        let held = vec![(f64::NAN, Quality::Missing); 2];
        let rows = Rows { start: past.first(), frames: past.frames, held };
        let inputs = BTreeMap::from([("b".to_owned(), InputChange { add: 1.0, ..InputChange::default() })]);
        let scenario = Scenario { inputs, ..Scenario::default() };
        let study = Study { scenarios: vec![Scenario::default(), scenario], ..Study::default() };
        let subject = ahead::Subject { twin: "middle".to_owned(), behavior: "sum up".to_owned() };
        let (report, found) =
            ahead::study(&past.origin, &study, &rows, &subject, &|| false).expect("a report");
        assert_eq!(bits(&found.outcomes), bits(&past.outcomes));
        let difference = |at: usize| report.scenarios[at].outputs[0].difference.clone().expect("one");
        assert_eq!((difference(0).rows, report.plugin.as_str()), (0, "probe@1.0.0"));
        assert!(difference(1).last.is_some_and(|last| last > 100.0), "{:?}", difference(1));
    }
}

#[test]
fn there_is_an_end_to_what_is_read_and_a_word_for_what_is_not_there() {
    let error = past(ALL, 100).expect_err("too many").to_string();
    assert!(error.contains("more than 100 rows"), "{error}");
    let nothing = Span { from: second(90_000), to: second(90_001) };
    let error = past(nothing, 100).expect_err("nothing").to_string();
    assert!(error.contains("no row of middle"), "{error}");
}
