//! Forecasts and what-if over HTTP: questions reach the house as given, answers fit the document, and who may ask what.

use geminus_core::declaration::Priority;
use geminus_scenario::{
    AlertCount, Course, Crossing, Difference, ForecastAsk, ForecastReport, Foreseen, OutputCourse,
    ProposalCount, Scenario, Spread, Study, StudyReport, TimeTo,
};
use serde_json::{Value, json};

use crate::client::send;
use crate::document::document;
use crate::fake::{TOKEN, served};
use crate::schema;

const FORECAST: &str = "/api/v1/twins/{id}/forecast";
const WHAT_IF: &str = "/api/v1/twins/{id}/what-if";

/// Repeats what was asked, so that a test sees it.
pub(crate) fn forecast(twin: String, ask: &ForecastAsk) -> ForecastReport {
    let seen = Foreseen {
        name: "winding".to_owned(),
        unit: "Cel".to_owned(),
        mean: vec![Some(ask.horizon_s), None],
        deviation: vec![None, None],
        low: vec![None, None],
        high: vec![None, None],
    };
    let time_to = |threshold: &geminus_scenario::Threshold| TimeTo {
        output: threshold.output.clone(),
        above: threshold.above,
        ..TimeTo::default()
    };
    ForecastReport {
        twin,
        at_s: vec![1.0, 2.0],
        outputs: vec![seen],
        thresholds: ask.thresholds.iter().map(time_to).collect(),
        confidence: ask.confidence,
        ..ForecastReport::default()
    }
}

/// The same.
pub(crate) fn study(twin: String, study: &Study) -> StudyReport {
    let course = |scenario: &Scenario| Course {
        name: scenario.name.clone(),
        outputs: vec![OutputCourse {
            name: "winding".to_owned(),
            values: vec![Some(1.5), None],
            difference: Some(Difference { rows: 1, ..Difference::default() }),
            ..OutputCourse::default()
        }],
        alerts: vec![AlertCount {
            code: "hot".to_owned(),
            priority: Priority::High,
            rows: 1,
            first_s: 1.0,
            last_s: 1.0,
            value: None,
            detail: String::new(),
        }],
        proposals: vec![ProposalCount {
            command: "speed".to_owned(),
            unit: "%".to_owned(),
            rows: 1,
            first_s: 1.0,
            last_s: 1.0,
            first: Some(1.0),
            last: Some(1.0),
            min: Some(1.0),
            max: Some(1.0),
            reason: String::new(),
        }],
        crossings: vec![Crossing { output: "winding".to_owned(), above: Some(1.0), below: None, at_s: None }],
        fault: Some("fault: no".to_owned()),
        ..Course::default()
    };
    let spread = Spread {
        output: "winding".to_owned(),
        unit: "Cel".to_owned(),
        last: [Some(1.0); 3],
        min: [None; 3],
        max: [None; 3],
    };
    StudyReport {
        twin,
        rows: study.rows().unwrap_or(0),
        at_s: vec![1.0, 2.0],
        scenarios: study.scenarios.iter().map(course).collect(),
        spread: vec![spread],
        ..StudyReport::default()
    }
}

#[tokio::test]
async fn questions_reach_the_house_and_answers_fit_the_document() {
    let served = served().await;
    let bearer = format!("Bearer {TOKEN}");
    let (document, token) = (document(), [("Authorization", bearer.as_str())]);
    let forecast = json!({"horizon_s": 60, "thresholds": [{"output": "winding", "above": 9.5}]});
    let study = json!({"horizon_s": 60, "every_s": 2, "scenarios": [{"name": "hot", "inputs": {"load": {"add": 1}},
        "faults": [{"kind": "stuck", "input": "load"}]}],
        "sample": {"count": 2, "over": {"inputs.load": [0, 1]}}});
    for (route, asked, expect) in [
        (FORECAST, &forecast, json!({"at": "/outputs/0/mean/0", "is": 60.0})),
        (FORECAST, &forecast, json!({"at": "/thresholds/0/above", "is": 9.5})),
        (WHAT_IF, &study, json!({"at": "/rows", "is": 30})),
        (WHAT_IF, &study, json!({"at": "/scenarios/0/name", "is": "hot"})),
    ] {
        let body = &document["paths"][route]["post"]["requestBody"]["content"]["application/json"]["schema"];
        schema::check(&document, body, asked);
        let path = route.replace("{id}", "pump-1");
        let answer = send(served.at, "POST", &path, &token, asked.to_string().as_bytes()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let shown = answer.json();
        let fits =
            &document["paths"][route]["post"]["responses"]["200"]["content"]["application/json"]["schema"];
        schema::check(&document, fits, &shown);
        assert_eq!(shown.pointer(expect["at"].as_str().expect("pointer")), Some(&expect["is"]), "{shown:#}");
    }
}

#[tokio::test]
async fn a_question_that_is_none_is_refused_and_only_a_forecast_is_open_to_readers() {
    let served = served().await;
    let bearer = format!("Bearer {TOKEN}");
    let token = &[("Authorization", bearer.as_str())][..];
    let check = async |route: &str,
                       twin: &str,
                       headers: &[(&str, &str)],
                       body: Value,
                       expect: (u16, &str)| {
        let path = route.replace("{id}", twin);
        let answer = send(served.at, "POST", &path, headers, body.to_string().as_bytes()).await;
        let message = if answer.status == 200 { String::new() } else { answer.error().1 };
        assert!((answer.status, message.contains(expect.1)) == (expect.0, true), "{path}: {}", answer.text());
    };
    check(FORECAST, "pump-1", &[], json!({"horizon_s": 1}), (200, "")).await;
    check(WHAT_IF, "pump-1", &[], json!({"horizon_s": 1}), (401, "token")).await;
    check(WHAT_IF, "pump-1", token, json!({"horizon_s": 1}), (200, "")).await;
    check(WHAT_IF, "fan-9", token, json!({"horizon_s": 1}), (404, "no twin fan-9")).await;
    check(FORECAST, "pump-1", token, json!({}), (400, "horizon_s")).await;
    check(FORECAST, "pump-1", token, json!({"horizon_s": 1, "hours": 2}), (400, "unknown field")).await;
    check(WHAT_IF, "pump-1", token, json!({"scenarios": [{"faults": [{"kind": "gone"}]}]}), (400, "gone"))
        .await;
}
