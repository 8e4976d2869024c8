//! What would be if: a fork of a live twin goes where the twin then goes, bit for bit; recorded rows are stepped again with a
//! sensor that fails; a policy in a fork wishes for much and nothing of it leaves the fork.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use geminus_tests::{Broker, Host, Listener, PATIENCE, Publisher, START_MS, SiteFolder, geminus, wait_for};
use serde_json::{Value, json};

const TWIN: &str = "pump-rig-1";
/// Rows of the fork.
const AHEAD: u64 = 60;

/// What the sensors say in a round, with few digits: every reader makes the same number of it.
fn current(round: u64) -> f64 {
    (200.0 + (round % 30) as f64) / 100.0
}

fn surface(round: u64) -> f64 {
    (800.0 + (round * 7 % 5) as f64) / 10.0
}

fn tell(field: &mut Publisher, rounds: std::ops::Range<u64>) -> anyhow::Result<()> {
    for round in rounds {
        for (sensor, value) in [
            ("accelerometer1-rms", 0.2),
            ("accelerometer2-rms", 0.27),
            ("current", current(round)),
            ("pressure", 0.2),
            ("voltage", 230.0),
            ("volume-flow-rate-rms", 120.0),
            ("temperature", surface(round)),
            ("thermocouple", 26.0),
        ] {
            let time = START_MS + round * 1_000;
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("rig/{TWIN}/{sensor}"), payload.as_bytes(), 1)?;
        }
    }
    field.flush()?;
    Ok(())
}

fn await_rows(host: &Host, twin: &str, behavior: &str, rows: u64) -> anyhow::Result<()> {
    wait_for(&format!("{rows} rows of {behavior}"), PATIENCE, || {
        Ok((host.behavior(twin, behavior)?["rows"].as_u64() == Some(rows)).then_some(()))
    })
}

/// Runs a command; whether it ended well, what it printed, what it complained of.
fn ask(arguments: &[&str]) -> anyhow::Result<(bool, String, String)> {
    let output = Command::new(geminus()?).args(arguments).stdin(Stdio::null()).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
}

fn of_output<'a>(course: &'a Value, name: &str) -> anyhow::Result<&'a Value> {
    let outputs = course["outputs"].as_array().context("outputs")?;
    outputs.iter().find(|output| output["name"] == name).with_context(|| format!("no {name}: {course:#}"))
}

#[test]
fn a_fork_goes_where_its_twin_goes_and_recorded_rows_go_otherwise() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site =
        SiteFolder::from_example("pump-rig", |text| text.replace("mqtt://127.0.0.1:1883", &broker.url()))?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let early =
        host.post(&format!("/twins/{TWIN}/what-if"), &json!({"behavior": "thermal", "horizon_s": 5}))?;
    assert_eq!(
        (early.0, early.1["error"]["message"].as_str()),
        (409, Some("thermal of pump-rig-1: it has had no row yet")),
        "{early:?}"
    );
    let mut field = Publisher::connect(broker.port, "rounds")?;
    let before = 150;
    tell(&mut field, 0..before)?;
    await_rows(&host, TWIN, "thermal", before)?;

    forecast_of(&host, &site.site())?;
    let (status, twice) = host.post(&format!("/twins/{TWIN}/what-if"), &json!({"horizon_s": 5}))?;
    assert_eq!(status, 400, "{twice:#}");
    let message = twice["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("say which behavior"), "{message}");

    // The future, told to the fork before it comes.
    let points = |value: &dyn Fn(u64) -> f64| -> Vec<[f64; 2]> {
        (1..=AHEAD).map(|row| [row as f64, value(before - 1 + row)]).collect()
    };
    let study = json!({
        "behavior": "thermal", "horizon_s": AHEAD, "every_s": 1, "points": AHEAD,
        "scenarios": [{"name": "as it will come", "inputs": {
            "current": {"points": points(&current)},
            "surface_temperature": {"points": points(&surface)},
            "ambient_temperature": {"points": [[1, 26.0]]},
        }}],
        "sample": {"count": 16, "over": {"inputs.current": [1.0, 4.0]}},
    });
    let (status, report) = host.post(&format!("/twins/{TWIN}/what-if"), &study)?;
    assert_eq!(status, 200, "{report:#}");
    assert_eq!((&report["rows"], report["draws"].as_array().map(Vec::len)), (&AHEAD.into(), Some(16)));
    let last =
        |course: &Value| of_output(course, "winding_temperature").map(|output| output["last"].as_f64());
    let mut draws = Vec::new();
    for draw in report["draws"].as_array().context("draws")? {
        draws.push((draw["drawn"]["inputs.current"].as_f64(), last(draw)?));
    }
    draws.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    assert!(draws.is_sorted_by(|a, b| a.1 < b.1), "more current, more heat: {draws:?}");

    // It comes.
    tell(&mut field, before..before + AHEAD)?;
    await_rows(&host, TWIN, "thermal", before + AHEAD)?;
    let course = &report["scenarios"][0];
    let span = (START_MS + before * 1_000, START_MS + (before + AHEAD) * 1_000);
    for name in
        ["winding_temperature", "winding_temperature_deviation", "bearing_temperature", "nis", "innovation"]
    {
        let foreseen: Vec<Option<u64>> = of_output(course, name)?["values"]
            .as_array()
            .context("values")?
            .iter()
            .map(|value| value.as_f64().map(f64::to_bits))
            .collect();
        let stored = wait_for(name, PATIENCE, || {
            let stored = host.stored(TWIN, &format!("thermal.{name}"), span, 1_000)?;
            Ok((stored.len() as u64 == AHEAD).then_some(stored))
        })?;
        let came: Vec<Option<u64>> = stored.iter().map(|(_, value)| value.map(f64::to_bits)).collect();
        assert!(foreseen.iter().all(Option::is_some), "{name}: {course:#}");
        assert_eq!(foreseen, came, "{name}");
    }
    host.stop()?;
    recorded(&site.site(), &site.path("study.toml"))
}

/// Over the API and the command line: means inside their interval, a time to a threshold that is passed already.
fn forecast_of(host: &Host, site: &Path) -> anyhow::Result<()> {
    let asked = json!({"horizon_s": 600, "times": 10, "inputs": {"current": {"points": [[0, 3.5]]}},
        "thresholds": [{"output": "winding_temperature", "above": 30.0}, {"output": "bearing_temperature", "above": 500.0}]});
    let (status, report) = host.post(&format!("/twins/{TWIN}/forecast"), &asked)?;
    assert_eq!(
        (status, &report["behavior"]),
        (200, &"thermal".into()),
        "the only one that forecasts: {report:#}"
    );
    let winding = of_output(&report, "winding_temperature")?;
    let column = |name: &str| -> Vec<f64> {
        winding[name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
    };
    let (low, mean, high) = (column("low"), column("mean"), column("high"));
    assert_eq!((low.len(), mean.len(), high.len()), (10, 10, 10), "{winding:#}");
    assert!(
        low.iter().zip(&mean).zip(&high).all(|((low, mean), high)| low < mean && mean < high),
        "{winding:#}"
    );
    assert!(mean.is_sorted(), "with so much current it warms up: {mean:?}");
    assert_eq!(report["thresholds"][0]["at_s"], 60.0, "{report:#}");
    assert_eq!(report["thresholds"][1]["at_s"], Value::Null, "{report:#}");

    let (url, token) = (host.url(""), site.with_file_name("data").join("token"));
    let token = token.to_str().context("path")?;
    let line = [
        "forecast",
        TWIN,
        "--horizon",
        "10m",
        "--times",
        "10",
        "--input",
        "current=3.5",
        "--url",
        &url,
        "--token-file",
        token,
    ];
    let (well, shown, errors) = ask(&line)?;
    assert!(well && shown.contains("winding_temperature [Cel]"), "{errors}\n{shown}");
    let (well, _, errors) =
        ask(&["forecast", TWIN, "--behavior", "health", "--horizon", "10m", "--url", &url])?;
    assert!(!well && errors.contains("declares no forecast"), "{errors}");
    Ok(())
}

/// A sensor that sticks in recorded rows: nothing differs before it does, and the alarm of a model that is contradicted comes.
fn recorded(site: &Path, file: &Path) -> anyhow::Result<()> {
    std::fs::write(
        file,
        "behavior = \"thermal\"\n\
         [[scenarios]]\nname = \"nothing\"\n\
         [[scenarios]]\nname = \"off by 40 K\"\n\
         [[scenarios.faults]]\nkind = \"bias\"\ninput = \"surface_temperature\"\nby = 40.0\nfrom_s = 100\nto_s = 150\n\
         [[scenarios]]\nname = \"another motor\"\nparameters = { copper_loss = 12.0 }\n",
    )?;
    let (site, file) = (site.to_str().context("path")?, file.to_str().context("path")?);
    let from = START_MS.to_string();
    let line = ["what-if", TWIN, "--site", site, "--study", file, "--from", &from];
    let (well, shown, errors) = ask(&[&line[..], &["--json"]].concat())?;
    assert!(well, "{errors}\n{shown}");
    let report: Value = serde_json::from_str(&shown)?;
    assert_eq!(report["rows"], 150 + AHEAD);
    let difference = |scenario: usize| -> anyhow::Result<&Value> {
        Ok(&of_output(&report["scenarios"][scenario], "winding_temperature")?["difference"])
    };
    assert_eq!(difference(0)?["rows"], 0, "{report:#}");
    let biased = difference(1)?;
    assert_eq!(biased["from_s"], 100.0, "{biased:#}");
    assert!(biased["largest"].as_f64() > Some(1.0), "{biased:#}");
    let alerts = report["scenarios"][1]["alerts"].as_array().context("alerts")?;
    assert!(alerts.iter().any(|alert| alert["code"] == "inconsistent"), "{alerts:#?}");
    assert_eq!(report["baseline"]["alerts"].as_array().map(Vec::len), Some(0), "{report:#}");
    assert!(difference(2)?["rows"].as_u64() > Some(100), "{report:#}");

    let (well, shown, errors) = ask(&[&line[..], &["--no-alerts"]].concat())?;
    assert!(!well && errors.contains("off by 40 K would raise alerts"), "{errors}");
    assert!(shown.contains("would alert inconsistent") && shown.contains("as the baseline"), "{shown}");
    let (well, _, errors) =
        ask(&["what-if", TWIN, "--site", site, "--behavior", "thermal", "--from", &from, "--set", "load=1"])?;
    assert!(!well && errors.contains("has no input load"), "{errors}");
    Ok(())
}

#[test]
fn what_a_policy_wishes_for_in_a_fork_is_counted_and_leaves_nowhere() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site =
        SiteFolder::from_example("motor-guard", |text| text.replace("mqtt://127.0.0.1:1883", &broker.url()))?;
    let ear = Listener::open(broker.port, "ear", "drive/+/set/#")?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let mut field = Publisher::connect(broker.port, "drive")?;
    let rounds = 60;
    for round in 0..rounds {
        for (point, value) in [
            ("load_limit", 100.0),
            ("current", 1.0),
            ("ambient_temperature", 25.0),
            ("surface_temperature", 76.0),
        ] {
            let time = START_MS + round * 1_000;
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("drive/motor-1/{point}"), payload.as_bytes(), 1)?;
        }
    }
    field.flush()?;
    await_rows(&host, "motor-1", "throttle", rounds)?;
    let commands = |host: &Host| -> anyhow::Result<usize> {
        Ok(host.get("/commands?limit=1000")?["commands"].as_array().context("commands")?.len())
    };
    let alarms = |host: &Host| -> anyhow::Result<Vec<Value>> {
        let shown = host.get("/alarms")?;
        Ok(shown["alarms"].as_array().context("alarms")?.iter().map(|alarm| alarm["name"].clone()).collect())
    };
    assert_eq!(commands(&host)?, 0, "the motor is cool");
    let before = alarms(&host)?;
    let study = json!({"behavior": "throttle", "horizon_s": 300, "scenarios": [{"name": "hot", "inputs": {
        "winding_temperature": {"points": [[0, 130.0], [300, 175.0]], "between": "line"},
        "winding_deviation": {"points": [[0, 0.5]]},
    }}]});
    let (status, report) = host.post("/twins/motor-1/what-if", &study)?;
    assert_eq!(status, 200, "{report:#}");
    let hot = &report["scenarios"][0]["proposals"][0];
    assert!(hot["rows"].as_u64() > Some(0) && hot["min"].as_f64() < Some(100.0), "{report:#}");
    assert_eq!(report["baseline"]["proposals"].as_array().map(Vec::len), Some(0), "{report:#}");
    // What the fork said is known nowhere else: no command, no alarm, no message to the field.
    tell_on(&mut field, rounds)?;
    await_rows(&host, "motor-1", "throttle", rounds + 1)?;
    assert_eq!(commands(&host)?, 0);
    assert_eq!(alarms(&host)?, before);
    assert!(ear.waiting().is_empty());
    host.stop()
}

fn tell_on(field: &mut Publisher, round: u64) -> anyhow::Result<()> {
    for (point, value) in [("ambient_temperature", 25.0), ("surface_temperature", 76.0)] {
        let time = START_MS + round * 1_000;
        let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
        field.publish(&format!("drive/motor-1/{point}"), payload.as_bytes(), 1)?;
    }
    field.flush()?;
    Ok(())
}
