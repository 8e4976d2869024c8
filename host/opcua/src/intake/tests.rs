//! Values that come, come twice, come without a time or with a strange one, and are none.

use geminus_core::SeriesId;
use geminus_ingest::Conversion;
use opcua::types::{StatusCode, Variant};

use super::*;

const SECOND: u64 = 1_000_000_000;
const RECEIVED: Timestamp = Timestamp(2_000 * SECOND);

fn intake(points: Vec<Point>) -> (Intake, OpcUaStats) {
    let mut item = Item::new("ns=2;s=Load".parse().expect("address"));
    points.into_iter().for_each(|point| item.feed(point));
    (Intake::new(vec![item], Duration::from_mins(10)), OpcUaStats::default())
}

fn value(number: f64, second: Option<u64>, status: Option<u32>) -> DataValue {
    DataValue {
        value: Some(Variant::Double(number)),
        status: status.map(StatusCode::from),
        source_timestamp: second.map(|second| time::date_time(Timestamp(second * SECOND))),
        ..DataValue::null()
    }
}

/// Value, quality and time of each sample that came of `values`.
fn taken(values: &[DataValue]) -> Vec<(u64, Quality, u64)> {
    let (mut intake, stats) = intake(vec![Point::plain(SeriesId(7))]);
    for value in values {
        let told = intake.take(0, value, RECEIVED, Duration::ZERO, &stats);
        assert!(told.is_none(), "{told:?}");
    }
    intake.samples.iter().map(|s| (s.value.to_bits(), s.quality, s.time.0)).collect()
}

#[test]
fn a_value_is_told_once_and_two_of_one_time_are_two() {
    let good = Quality::Good;
    let (one, two) = (1.0_f64.to_bits(), 2.0_f64.to_bits());
    let a = value(1.0, Some(5), None);
    assert_eq!(taken(&[a.clone(), a.clone()]), [(one, good, 5 * SECOND)], "the same again is nothing new");
    let b = value(2.0, Some(5), None);
    assert_eq!(taken(&[a.clone(), b]), [(one, good, 5 * SECOND), (two, good, 5 * SECOND + 1)]);
    let bad = value(1.0, Some(5), Some(0x808c_0000));
    assert_eq!(taken(&[a.clone(), bad]), [(one, good, 5 * SECOND), (one, Quality::Bad, 5 * SECOND + 1)]);
    let later = value(1.0, Some(6), None);
    assert_eq!(taken(&[a, later]), [(one, good, 5 * SECOND), (one, good, 6 * SECOND)], "measured again");
    let (plus, minus) = (value(0.0, Some(5), None), value(-0.0, Some(5), None));
    assert_eq!(taken(&[plus, minus]).len(), 2, "-0.0 is not 0.0");
}

#[test]
fn a_value_without_a_time_has_that_of_receipt_and_none_is_lost() {
    let a = value(1.0, None, None);
    let times: Vec<u64> = taken(&[a.clone(), a.clone(), a]).iter().map(|(_, _, time)| *time).collect();
    assert_eq!(times, [RECEIVED.0, RECEIVED.0 + 1, RECEIVED.0 + 2]);
}

#[test]
fn the_status_decides_before_the_value() {
    let old = value(1.0, Some(5), Some(0x8000_0000));
    assert_eq!(
        taken(&[old]),
        [(1.0_f64.to_bits(), Quality::Bad, 5 * SECOND)],
        "a bad value may carry the old number"
    );
    let uncertain = value(1.0, Some(5), Some(0x4090_0000));
    assert_eq!(taken(&[uncertain])[0].1, Quality::Uncertain);
    for none in [None, Some(Variant::Empty)] {
        let (mut intake, stats) = intake(vec![Point::plain(SeriesId(7))]);
        let value = DataValue { value: none, ..value(0.0, Some(5), None) };
        assert!(intake.take(0, &value, RECEIVED, Duration::ZERO, &stats).is_none());
        let sample = intake.samples[0];
        assert!(sample.quality == Quality::Bad && sample.value.is_nan(), "no value is never good");
    }
}

#[test]
fn every_point_of_a_node_has_its_unit_and_booleans_have_none() {
    let conversion = Some(Conversion { scale: 0.001, offset: 1.0 });
    let points = vec![Point::plain(SeriesId(1)), Point { conversion, ..Point::plain(SeriesId(2)) }];
    let (mut intake, stats) = intake(points);
    intake.take(0, &value(500.0, Some(5), None), RECEIVED, Duration::ZERO, &stats);
    let truth = DataValue { value: Some(Variant::Boolean(true)), ..value(0.0, Some(6), None) };
    intake.take(0, &truth, RECEIVED, Duration::ZERO, &stats);
    let values: Vec<(u32, f64)> = intake.samples.iter().map(|s| (s.series.0, s.value)).collect();
    assert_eq!(values, [(1, 500.0), (2, 1.5), (1, 1.0), (2, 1.0)]);
}

#[test]
fn what_is_not_taken_is_named_and_counted() {
    let labels = vec![("open".to_owned(), 1.0)];
    let (mut intake, stats) = intake(vec![Point { labels, ..Point::plain(SeriesId(1)) }]);
    let text =
        |text: &str, second| DataValue { value: Some(Variant::from(text)), ..value(0.0, Some(second), None) };
    assert!(intake.take(0, &text("open", 5), RECEIVED, Duration::ZERO, &stats).is_none());
    assert_eq!(intake.samples[0].value, 1.0);
    let told = intake.take(0, &text("ajar", 6), RECEIVED, Duration::ZERO, &stats).expect("told");
    assert!(told.message.contains("`ns=2;s=Load`") && told.message.contains("`ajar`"), "{}", told.message);
    let future = value(1.0, Some(2_000 + 601), None);
    let told = intake.take(0, &future, RECEIVED, Duration::ZERO, &stats).expect("told");
    assert!(told.message.contains("future"), "{}", told.message);
    let status =
        DataValue { value: Some(Variant::StatusCode(StatusCode::Good)), ..value(0.0, Some(7), None) };
    let told = intake.take(0, &status, RECEIVED, Duration::ZERO, &stats).expect("told");
    assert!(told.kind == "sample-refused" && told.message.contains("StatusCode"), "{}", told.message);
    assert_eq!((stats.refusals().total(), intake.samples.len()), (3, 1));
    assert!(
        intake.take(99, &future, RECEIVED, Duration::ZERO, &stats).is_none(),
        "a handle that is nobody's"
    );
}

#[test]
fn a_value_behind_a_queue_that_ran_over_is_taken_and_counted() {
    let (mut intake, stats) = intake(vec![Point::plain(SeriesId(7))]);
    for (second, status) in [(1, None), (2, Some(0x0480)), (3, Some(0x0080)), (4, None)] {
        assert!(
            intake.take(0, &value(1.0, Some(second), status), RECEIVED, Duration::ZERO, &stats).is_none()
        );
    }
    assert_eq!((intake.samples.len(), intake.overflows, stats.overflows()), (4, 2, 2));
    assert!(intake.samples.iter().all(|sample| sample.quality == Quality::Good));
}
