//! Tables and what becomes of them: payloads, times, and rows that are no rows.

use super::*;

const SKAB: &str = "datetime;Temperature;Volume Flow RateRMS;anomaly\n\
    2020-02-08 13:30:47;90.6454;122.664;0.0\n\
    2020-02-08 13:30:47;90.7978;;0.0\n\
    2020-02-08 13:30:47;nan;123;0.0\n\
    2020-02-08 13:30:49;90.1;hot;1.0\n";

fn payloads(recording: &Recording, row: usize) -> Vec<(String, String)> {
    let time = recording.time(row);
    recording.messages(row, time).map(|message| (message.topic.to_owned(), message.payload)).collect()
}

fn pair(topic: &str, payload: &str) -> (String, String) {
    (topic.to_owned(), payload.to_owned())
}

#[test]
fn rows_become_payloads_and_repeated_times_move_on() {
    let recording = Recording::parse(SKAB, &ColumnMap::with_prefix("skab")).expect("recording");
    assert_eq!((recording.len(), recording.repeated()), (4, 2));
    let expect = [
        vec![
            pair("skab/anomaly", r#"{"value":0,"time":1581168647000}"#),
            pair("skab/temperature", r#"{"value":90.6454,"time":1581168647000}"#),
            pair("skab/volume-flow-rate-rms", r#"{"value":122.664,"time":1581168647000}"#),
        ],
        vec![
            pair("skab/anomaly", r#"{"value":0,"time":1581168647001}"#),
            pair("skab/temperature", r#"{"value":90.7978,"time":1581168647001}"#),
        ],
        vec![
            pair("skab/anomaly", r#"{"value":0,"time":1581168647002}"#),
            pair("skab/temperature", r#"{"value":null,"time":1581168647002}"#),
            pair("skab/volume-flow-rate-rms", r#"{"value":123,"time":1581168647002}"#),
        ],
        vec![
            pair("skab/anomaly", r#"{"value":1,"time":1581168649000}"#),
            pair("skab/temperature", r#"{"value":90.1,"time":1581168649000}"#),
            pair("skab/volume-flow-rate-rms", r#"{"value":"hot","time":1581168649000}"#),
        ],
    ];
    for (row, expect) in expect.into_iter().enumerate() {
        assert_eq!(payloads(&recording, row), expect, "row {row}");
    }
}

#[test]
fn columns_of_one_topic_make_one_object() {
    let map = "[columns]\nTemperature = { topic = \"all\", field = \"t\" }\n\
        \"Volume Flow RateRMS\" = { topic = \"all\", field = \"flow\" }\nanomaly = false";
    let recording = Recording::parse(SKAB, &ColumnMap::parse(map).expect("map")).expect("recording");
    assert_eq!(
        payloads(&recording, 0),
        [pair("all", r#"{"t":90.6454,"flow":122.664,"time":1581168647000}"#)]
    );
    assert_eq!(payloads(&recording, 1), [pair("all", r#"{"t":90.7978,"time":1581168647001}"#)]);
}

#[test]
fn commas_and_other_times_are_read_and_a_time_that_goes_back_is_kept() {
    let text = "t,a\n2020-02-08T13:30:47Z,1\n1581168646,2\n1581168646500,3\n";
    let recording = Recording::parse(text, &ColumnMap::default()).expect("recording");
    let times: Vec<u64> = (0..3).map(|row| recording.time(row).millis()).collect();
    assert_eq!(times, [1_581_168_647_000, 1_581_168_646_000, 1_581_168_646_500]);
    assert_eq!(recording.repeated(), 0);
}

#[test]
fn what_cannot_be_played_is_said_by_line_and_name() {
    let cases = [
        ("", "", "no header"),
        ("t,a\n", "", "no rows"),
        ("t\n1\n", "", "no columns"),
        ("t,a\nyesterday,1\n", "", "line 2: `yesterday` is no time"),
        (
            "t,a\n1\n2,3,4\n",
            "",
            "no row can be read: line 2: has 1 columns and the header 2, and 1 more like it",
        ),
        ("t,a\n1,2\n", "[columns]\nb = false", "names `b`, but the recording has only: t, a"),
        ("t,a,b\n1,2,3\n", "[columns]\na = \"x\"\nb = \"x\"", "two columns go to `x`"),
        (
            "t,a,b\n1,2,3\n",
            "[columns]\na = \"x\"\nb = { topic = \"x\", field = \"f\" }",
            "both to a whole column",
        ),
    ];
    for (text, map, expect) in cases {
        let map = ColumnMap::parse(map).expect("map");
        let error = Recording::parse(text, &map).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error}");
    }
}

/// Lines by reason.
fn refused(recording: &Recording) -> Vec<(Reason, u64, Vec<u64>)> {
    let kinds = recording.refused().kinds().iter();
    kinds.map(|kind| (kind.reason, kind.rows, kind.lines.clone())).collect()
}

#[test]
fn rows_that_cannot_be_read_are_left_out_with_their_lines_and_the_others_are_played() {
    for end in ["\n", "\r\n"] {
        let lines = [
            "t;a;b",
            "2020-02-08 13:30:47;1;2",
            "2020-02-08 13:30:48;1",
            "",
            "yesterday;3;4",
            "2020-02-08 13:30:50;5;6;7",
            "2020-02-08 13:30:51;\"two",
            "lines\";8",
            "3020-02-08 13:30:52;9;9",
            "2020-02-08 13:30:53;10;11",
            "99999-02-08;12;13",
        ];
        let recording = Recording::parse(&lines.join(end), &ColumnMap::default()).expect("a recording");
        assert_eq!(recording.len(), 3, "{end:?}");
        let expect = [
            (Reason::Malformed, 2, vec![3, 6]),
            (Reason::BadTime, 2, vec![5, 11]),
            (Reason::FutureTime, 1, vec![9]),
        ];
        assert_eq!(refused(&recording), expect, "{end:?}");
        let first = &recording.refused().kinds()[0];
        assert_eq!(
            (first.why.as_str(), first.excerpt.as_str()),
            ("has 2 columns and the header 3", "2020-02-08 13:30:48;1")
        );
        assert_eq!(payloads(&recording, 2)[0], pair("a", r#"{"value":10,"time":1581168653000}"#), "{end:?}");
        let (from, to) = recording.span();
        assert_eq!((from.millis(), to.millis()), (1_581_168_647_000, 1_581_168_653_000));
        assert_eq!([from, to].map(|time| recording.rows_until(time)), [1, 3]);
    }
    // Where a quote stays open the rest of the file is one cell: a word, which no point takes, or too few columns.
    let open = "t,a\n1,2\n2,\"3\n4,5\n6,7\n";
    let recording = Recording::parse(open, &ColumnMap::default()).expect("a recording");
    assert_eq!((recording.len(), recording.refused().count()), (2, 0));
    let open = "t,a\n1,2\n\"2,3\n4,5\n6,7\n";
    let recording = Recording::parse(open, &ColumnMap::default()).expect("a recording");
    assert_eq!(refused(&recording), [(Reason::Malformed, 1, vec![3])]);
    assert!(recording.refused().to_string().ends_with("(is a quote left open?)"));
}

#[test]
fn what_is_infinite_is_no_null() {
    let text = "t,a,b,c\n1,inf,-Infinity,nan\n";
    let recording = Recording::parse(text, &ColumnMap::default()).expect("a recording");
    let values: Vec<_> = payloads(&recording, 0).into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(
        values,
        ["1e999", "-1e999", "null"].map(|value| format!(r#"{{"value":{value},"time":1000}}"#))
    );
}

#[test]
fn a_file_that_is_no_utf_8_is_read_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("latin-1.csv");
    std::fs::write(&path, b"t,a,temp \xb0C\n1,2,3\n").expect("written");
    let recording = Recording::open(&path, &ColumnMap::default()).expect("a recording");
    assert_eq!(payloads(&recording, 0)[0], pair("a", r#"{"value":2,"time":1000}"#));
}
