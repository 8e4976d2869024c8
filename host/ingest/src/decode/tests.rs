//! Tables for what is accepted and refused, and properties: no payload panics, the fast path and the general
//! one agree, numbers and times come back as they were written.

use geminus_core::SeriesId;
use proptest::prelude::*;

use super::*;
use crate::route::{Conversion, QualityCode, TimeUnit};
use std::sync::Arc;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000_000);

fn decode(route: &Route, payload: &[u8]) -> (Result<(), Reason>, Vec<Sample>) {
    let mut samples = Vec::new();
    let result = Decoder::default().decode(route, payload, NOW, &mut samples);
    (result, samples)
}

fn with_point(point: Point) -> Route {
    Route {
        topic: "t".to_owned(),
        payload: Payload::Value { point, member: "value".to_owned() },
        envelope: Arc::default(),
    }
}

fn plain() -> Route {
    with_point(Point::plain(SeriesId(7)))
}

fn labelled() -> Route {
    let labels = vec![("open".to_owned(), 2.0), ("closed".to_owned(), 5.0)];
    with_point(Point { labels, ..Point::plain(SeriesId(7)) })
}

fn object(names: &[&str]) -> Route {
    let fields = (0..)
        .zip(names)
        .map(|(n, name)| Field { name: (*name).to_owned(), point: Point::plain(SeriesId(n)) });
    Route {
        topic: "t".to_owned(),
        payload: Payload::Object { fields: fields.collect() },
        envelope: Arc::default(),
    }
}

#[test]
fn values_are_taken_in_every_customary_shape() {
    use Quality::{Bad, Good, Uncertain};
    // What is no number keeps the quality of its source: who takes it calls it bad, and says so.
    let at = |millis: u64| Timestamp::from_millis(millis);
    let cases: [(&str, f64, Quality, Timestamp); 21] = [
        ("23.5", 23.5, Uncertain, NOW),
        (" -7e2\n", -700.0, Uncertain, NOW),
        ("+5", 5.0, Uncertain, NOW),
        ("true", 1.0, Uncertain, NOW),
        ("false", 0.0, Uncertain, NOW),
        ("\"true\"", 1.0, Uncertain, NOW),
        ("NaN", f64::NAN, Uncertain, NOW),
        ("-inf", f64::NAN, Uncertain, NOW),
        ("1e999", f64::NAN, Uncertain, NOW),
        ("null", f64::NAN, Bad, NOW),
        (r#"{"value":12.3,"time":1700000000123}"#, 12.3, Uncertain, at(1_700_000_000_123)),
        (r#"{"time":"2023-11-14T22:13:20Z","value":1}"#, 1.0, Uncertain, NOW),
        (r#"{ "value" : true , "quality" : "good" }"#, 1.0, Good, NOW),
        (r#"{"value":1,"quality":"Uncertain"}"#, 1.0, Uncertain, NOW),
        (r#"{"value":1,"quality":"bad"}"#, 1.0, Bad, NOW),
        (r#"{"value":1,"quality":0,"time":null}"#, 1.0, Good, NOW),
        (r#"{"value":NaN,"quality":"bad"}"#, f64::NAN, Bad, NOW),
        (r#"{"value":-Infinity,"quality":"good"}"#, f64::NAN, Good, NOW),
        (r#"{"value":null,"quality":"good"}"#, f64::NAN, Bad, NOW),
        (r#"{"meta":{"unit":["C"]},"v\u0061lue":4}"#, 4.0, Uncertain, NOW),
        (r#"{"value":1,"value":2}"#, 2.0, Uncertain, NOW),
    ];
    for (payload, value, quality, time) in cases {
        let (result, samples) = decode(&plain(), payload.as_bytes());
        assert_eq!(result, Ok(()), "{payload}");
        let [sample] = samples[..] else { panic!("{payload}: {samples:?}") };
        assert!(sample.value == value || (sample.value.is_nan() && value.is_nan()), "{payload}: {sample:?}");
        assert_eq!((sample.quality, sample.time, sample.received), (quality, time, NOW), "{payload}");
        assert_eq!(sample.series, SeriesId(7));
    }
}

#[test]
fn what_is_no_value_is_refused_by_reason() {
    let cases = [
        (plain(), "", Reason::NoValue),
        (plain(), "  ", Reason::NoValue),
        (plain(), "{}", Reason::NoValue),
        (plain(), r#"{"valu":1}"#, Reason::NoValue),
        (plain(), "warm", Reason::Malformed),
        (plain(), "{\"value\":", Reason::Malformed),
        (plain(), "{\"value\":1}}", Reason::Malformed),
        (plain(), "{\"value\":01}", Reason::Malformed),
        (plain(), "{\"value\":1,}", Reason::Malformed),
        (plain(), "\u{0}\u{1}", Reason::Malformed),
        (plain(), "[1,2", Reason::Malformed),
        (plain(), "[1,2]", Reason::WrongType),
        (plain(), "\"warm\"", Reason::WrongType),
        (plain(), r#"{"value":"12"}"#, Reason::WrongType),
        (plain(), r#"{"value":{"x":1}}"#, Reason::WrongType),
        (plain(), r#"{"value":[1]}"#, Reason::WrongType),
        (labelled(), "ajar", Reason::UnknownLabel),
        (labelled(), r#"{"value":"ajar"}"#, Reason::UnknownLabel),
        (plain(), r#"{"value":1,"quality":"great"}"#, Reason::UnknownQuality),
        (plain(), r#"{"value":1,"quality":192}"#, Reason::UnknownQuality),
        (plain(), r#"{"value":1,"quality":true}"#, Reason::UnknownQuality),
        (plain(), r#"{"value":1,"quality":{"code":0}}"#, Reason::UnknownQuality),
        (plain(), r#"{"value":1,"time":"noon"}"#, Reason::BadTime),
        (plain(), r#"{"value":1,"time":-3}"#, Reason::BadTime),
        (plain(), r#"{"value":1,"time":{}}"#, Reason::BadTime),
        (plain(), r#"{"value":1,"time":1700000600001}"#, Reason::FutureTime),
        (plain(), r#"{"value":1,"time":"2600-01-01T00:00:00Z"}"#, Reason::FutureTime),
        (plain(), r#"{"value":1,"time":99999999999999999999999}"#, Reason::FutureTime),
        (object(&["a"]), r#"{"a":1,"quality":"great"}"#, Reason::UnknownQuality),
        (object(&["a"]), "12", Reason::WrongType),
        (object(&["a"]), "", Reason::NoValue),
        (object(&["a"]), r#"{"b":1}"#, Reason::NoValue),
        (object(&["a"]), r#"{"a":1"#, Reason::Malformed),
    ];
    for (route, payload, reason) in cases {
        let (result, samples) = decode(&route, payload.as_bytes());
        assert_eq!(result, Err(reason), "{payload}");
        assert!(samples.is_empty(), "{payload}");
    }
    let large = vec![b' '; DecodeLimits::default().payload_bytes_max + 1];
    assert_eq!(decode(&plain(), &large).0, Err(Reason::TooLarge));
    let exact = [vec![b' '; DecodeLimits::default().payload_bytes_max - 1], b"4".to_vec()].concat();
    assert_eq!(decode(&plain(), &exact).0, Ok(()));
    assert_eq!(decode(&plain(), br#"{"value":1,"time":1700000600000}"#).0, Ok(()), "just inside the limit");
}

#[test]
fn labels_are_words_and_are_not_converted() {
    let mut route = labelled();
    if let Payload::Value { point, .. } = &mut route.payload {
        point.conversion = Some(Conversion { scale: 0.5, offset: -1.0 });
    }
    let values =
        [("open", 2.0), ("\"closed\"", 5.0), (r#"{"value":"open"}"#, 2.0), ("true", 1.0), ("7", 2.5)];
    for (payload, value) in values {
        assert_eq!(decode(&route, payload.as_bytes()).1[0].value, value, "{payload}");
    }
}

#[test]
fn an_object_gives_what_it_has_under_one_time() {
    let route = object(&["a", "b", "c"]);
    let (result, samples) = decode(&route, br#"{"c":3,"a":1,"time":1700000000001,"quality":"good","x":[]}"#);
    assert_eq!(result, Ok(()));
    let found: Vec<(u32, f64)> = samples.iter().map(|sample| (sample.series.0, sample.value)).collect();
    assert_eq!(found, [(0, 1.0), (2, 3.0)]);
    assert!(samples.iter().all(|s| s.time == Timestamp::from_millis(1_700_000_000_001)));
    assert!(samples.iter().all(|s| s.quality == Quality::Good));

    let (result, samples) = decode(&route, br#"{"a":1,"b":"warm","c":3}"#);
    assert_eq!(result, Err(Reason::WrongType), "one member is refused");
    assert_eq!(samples.len(), 2, "the others are kept");
}

#[test]
fn quality_codes_are_read_by_their_table() {
    let cases = [
        (QualityCode::Geminus, "1", Some(Quality::Uncertain)),
        (QualityCode::Geminus, "2", Some(Quality::Bad)),
        (QualityCode::Geminus, "4", Some(Quality::Bad)),
        (QualityCode::Geminus, "5", None),
        (QualityCode::Geminus, "192", None),
        (QualityCode::OpcDa, "192", Some(Quality::Good)),
        (QualityCode::OpcDa, "216", Some(Quality::Good)),
        (QualityCode::OpcDa, "64", Some(Quality::Uncertain)),
        (QualityCode::OpcDa, "0", Some(Quality::Bad)),
        (QualityCode::OpcDa, "128", None),
        (QualityCode::OpcDa, "500", None),
        (QualityCode::OpcUa, "0", Some(Quality::Good)),
        (QualityCode::OpcUa, "1073741824", Some(Quality::Uncertain)),
        (QualityCode::OpcUa, "2147483648", Some(Quality::Bad)),
        (QualityCode::OpcUa, "4294967296", None),
        (QualityCode::Geminus, "-1", None),
        (QualityCode::Geminus, "0.5", None),
        (QualityCode::Geminus, "1e999", None),
    ];
    for (code, raw, quality) in cases {
        let mut route = plain();
        Arc::make_mut(&mut route.envelope).quality_code = code;
        let payload = format!(r#"{{"value":1,"quality":{raw}}}"#);
        let (result, samples) = decode(&route, payload.as_bytes());
        assert_eq!(samples.first().map(|sample| sample.quality), quality, "{code:?} {raw}");
        assert_eq!(result.err(), quality.is_none().then_some(Reason::UnknownQuality), "{code:?} {raw}");
    }
}

#[test]
fn absent_quality_is_what_the_route_says() {
    let mut route = plain();
    assert_eq!(decode(&route, b"1").1[0].quality, Quality::Uncertain);
    Arc::make_mut(&mut route.envelope).quality_absent = Quality::Good;
    assert_eq!(decode(&route, b"1").1[0].quality, Quality::Good);
    assert_eq!(decode(&route, br#"{"value":1}"#).1[0].quality, Quality::Good);
}

/// Both paths on the same bytes, as the tokens they found.
fn both(payload: &[u8], route: &Route) {
    let Payload::Object { fields } = &route.payload else { panic!("an object route") };
    let (mut fast_spans, mut general_spans) = (Vec::new(), Vec::new());
    let fast = fast::fields(payload, &route.envelope, fields, &mut fast_spans);
    let general = general::fields(payload, &route.envelope, fields, &mut general_spans);
    let value = fast::members(payload, &route.envelope, "a");
    if let (Some(fast), Ok(general)) = (&fast, &general) {
        assert_eq!((fast.time, fast.quality), (general.time, general.quality));
        assert_eq!(fast_spans, general_spans);
        let value = value.expect("the same shape");
        let other = general::members(payload, &route.envelope, "a").expect("the same payload");
        assert_eq!((value.time, value.quality, value.value), (other.time, other.quality, other.value));
    } else if fast.is_some() {
        let text = String::from_utf8_lossy(payload);
        assert!(text.contains("NaN") || text.contains("Infinity"), "only the fast path takes {text}");
    }
}

fn json_text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        any::<f64>().prop_map(|x| serde_json::Value::from(x).to_string()),
        any::<i64>().prop_map(|x| x.to_string()),
        (any::<i32>(), 0_u32..400, any::<u16>()).prop_map(|(w, f, e)| format!("{w}.{f}e{e}")),
    ];
    let word = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("NaN".to_owned()),
        "[a-z \\\\\"é\\n]{0,6}".prop_map(|s| serde_json::Value::from(s).to_string()),
        Just("[1,{}]".to_owned()),
        Just("{\"a\":1}".to_owned()),
        Just("01".to_owned()),
        Just("-".to_owned()),
    ];
    let key = prop_oneof![
        Just("\"a\""),
        Just("\"b\""),
        Just("\"time\""),
        Just("\"quality\""),
        Just("\"other\""),
        Just("\"\\u0061\""),
        Just("\"\""),
        Just("\"é\""),
        Just("a"),
    ];
    let space = || prop_oneof![Just(""), Just(" "), Just("\n\t")];
    let member = (key, space(), space(), prop_oneof![3 => number, 1 => word], space())
        .prop_map(|(key, a, b, value, c)| format!("{a}{key}{b}:{c}{value}{a}"));
    proptest::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_bytes_panic_and_every_sample_keeps_its_promise(payload in proptest::collection::vec(any::<u8>(), 0..80)) {
        for route in [plain(), labelled(), object(&["a", "b"])] {
            let (_, samples) = decode(&route, &payload);
            for sample in samples {
                prop_assert!(sample.value.is_finite() || sample.value.is_nan());
                prop_assert!(sample.time <= NOW.plus(DecodeLimits::default().accept_future));
            }
        }
    }

    #[test]
    fn no_json_like_text_panics_and_the_two_paths_agree(text in json_text(), cut in 0_usize..200) {
        let route = object(&["a", "b"]);
        both(text.as_bytes(), &route);
        let cut = text.floor_char_boundary(cut);
        both(&text.as_bytes()[..cut], &route);
        for route in [plain(), route] {
            let (_, samples) = decode(&route, text.as_bytes());
            prop_assert!(samples.iter().all(|s| s.value.is_finite() || s.value.is_nan()));
        }
    }

    #[test]
    fn every_double_comes_back_bit_for_bit(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        for text in [format!("{value}"), format!("{value:e}"), format!("{{\"value\":{value:e}}}"), format!("{{\"value\":{value}}}")] {
            let (result, samples) = decode(&plain(), text.as_bytes());
            prop_assert_eq!(result, Ok(()), "{}", text);
            prop_assert_eq!(samples[0].value.to_bits(), value.to_bits(), "{}", text);
        }
    }

    #[test]
    fn short_decimals_are_rounded_as_the_standard_library_rounds(text in "-?[0-9]{1,16}(\\.[0-9]{1,15})?") {
        let expect: f64 = text.parse().expect("a number");
        prop_assert_eq!(token::number(text.as_bytes()).map(f64::to_bits), Some(expect.to_bits()));
    }

    #[test]
    fn times_come_back_in_every_unit(nanos in 200_000_000_000_000_000_u64..NOW.0) {
        for (unit, per) in [(TimeUnit::Seconds, 1_000_000_000), (TimeUnit::Millis, 1_000_000),
                            (TimeUnit::Micros, 1_000), (TimeUnit::Nanos, 1), (TimeUnit::Auto, 1_000_000)] {
            let mut route = plain();
            Arc::make_mut(&mut route.envelope).time_unit = unit;
            let payload = format!("{{\"value\":1,\"time\":{}}}", nanos / per);
            prop_assert_eq!(decode(&route, payload.as_bytes()).1[0].time.0, nanos / per * per);
        }
        let text = jiff::Timestamp::from_nanosecond(i128::from(nanos)).expect("in range").to_string();
        let payload = format!("{{\"value\":1,\"time\":\"{text}\"}}");
        prop_assert_eq!(decode(&plain(), payload.as_bytes()).1[0].time.0, nanos);
    }
}

#[test]
fn payloads_without_a_time_that_come_in_one_burst_stay_apart() {
    let route = Route::value("a", SeriesId(1));
    let mut decoder = Decoder::new(DecodeLimits::default());
    let mut samples = Vec::new();
    for _ in 0..1_000 {
        decoder.decode(&route, b"20.5", NOW, &mut samples).expect("a number");
    }
    let mut times: Vec<_> = samples.iter().map(|sample| sample.time).collect();
    assert_eq!((times[0], times.len()), (NOW, 1_000));
    times.dedup();
    assert_eq!(times.len(), 1_000, "each has a time of its own");
    decoder
        .decode(&route, b"20.5", NOW.plus(std::time::Duration::from_secs(1)), &mut samples)
        .expect("later");
    assert_eq!(samples[1_000].time, NOW.plus(std::time::Duration::from_secs(1)));
}

#[test]
fn a_retained_value_is_fresh_only_by_a_time_of_its_own() {
    use Quality::{Bad, Good, Stale};
    let own = Timestamp::from_millis(1_600_000_000_000);
    let vouched = Arc::new(Envelope { quality_absent: Good, ..Envelope::default() });
    let value = Route { envelope: Arc::clone(&vouched), ..plain() };
    let object = Route { envelope: vouched, ..object(&["a", "b"]) };
    let cases: [(&Route, &str, Quality, Timestamp); 8] = [
        (&value, "23.5", Stale, NOW),
        (&value, r#"{"value":1,"quality":"good"}"#, Stale, NOW),
        (&value, r#"{"value":1,"time":null}"#, Stale, NOW),
        (&value, r#"{"value":1,"quality":"bad"}"#, Stale, NOW),
        (&value, "null", Bad, NOW),
        (&object, r#"{"a":1,"b":2}"#, Stale, NOW),
        (&value, r#"{"value":1,"time":1600000000000}"#, Good, own),
        (&object, r#"{"a":1,"b":2,"time":1600000000000}"#, Good, own),
    ];
    for (route, payload, quality, time) in cases {
        let mut samples = Vec::new();
        let kept = Arrival { received: NOW, kept: true };
        let done = Decoder::default().decode(route, payload.as_bytes(), kept, &mut samples);
        assert!(done.is_ok() && !samples.is_empty(), "{payload}: {done:?}");
        for sample in samples {
            assert_eq!((sample.quality, sample.time, sample.received), (quality, time, NOW), "{payload}");
        }
    }
    let live = decode(&value, b"23.5").1;
    assert_eq!(live.first().map(|sample| sample.quality), Some(Good), "what is published now is of now");
}
