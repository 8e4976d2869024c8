//! The plugin `script` in a running host: a rule of the site file over a restart, a slip that is told by line and position,
//! rows that a rule cannot answer, and a package that follows from its sources.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Host, PATIENCE, Publisher, START_MS, SiteFolder, geminus, repository, wait_for};

const TYPE: &str = r#"{
  "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
  "@id": "dtmi:test:Bearing;1", "@type": "Interface", "displayName": "Bearing",
  "contents": [{ "@type": ["Telemetry", "Temperature"], "name": "housing", "schema": "double", "unit": "degreeCelsius" }]
}"#;
const TWINS: [&str; 2] = ["bearing-1", "bearing-2"];

/// A rule that counts its rows, and says when it is hot.
const FIRST: &str = "state.rows = (state.rows ?? 0) + 1;
if celsius_1 == () { return; }
x = celsius_1;
y = state.rows;
if celsius_1 > 90 { alert_high(celsius_1, `hot: ${text(celsius_1, 1)} °C`); }
";

/// Two bearings whose field sends degrees Fahrenheit.
struct Hall {
    _broker: Broker,
    site: SiteFolder,
    host: Host,
    field: Publisher,
    rounds: u64,
}

impl Hall {
    fn start(rule: &str) -> anyhow::Result<Self> {
        let broker = Broker::start(10_000)?;
        let text = format!(
            r#"
[site]
name = "bearings"
[[source]]
name = "broker"
mqtt = {{ url = "{}", version = "5", qos = 1 }}
[[twin]]
id = "bearing-{{1..2}}"
type = "dtmi:test:Bearing;1"
interval_ms = 1000
[twin.point]
housing = {{ unit = "[degF]" }}
[[bind]]
twins = "*"
source = "broker"
topic = "hall/{{twin}}/{{point}}"
[[behavior]]
name = "rule"
plugin = "script"
inputs = {{ celsius_1 = "housing" }}
[behavior.parameters]
script = '''
{rule}'''
"#,
            broker.url()
        );
        let site = SiteFolder::new(&text, &[("bearing.json", TYPE)])?;
        let built = repository().join("target/plugins/script.wasm");
        std::fs::copy(&built, site.path("plugins/script.wasm"))
            .with_context(|| format!("{} is missing: run tests/run", built.display()))?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let field = Publisher::connect(broker.port, "field")?;
        Ok(Self { _broker: broker, site, host, field, rounds: 0 })
    }

    /// One row of each twin.
    fn round(&mut self, fahrenheit: f64) -> anyhow::Result<()> {
        let time = START_MS + self.rounds * 1_000;
        self.rounds += 1;
        for twin in TWINS {
            let payload = format!(r#"{{"value":{fahrenheit},"time":{time},"quality":"good"}}"#);
            self.field.publish(&format!("hall/{twin}/housing"), payload.as_bytes(), 1)?;
        }
        self.field.flush().map(drop)
    }

    /// Goes on with rounds until the newest row of each twin is answered with this `x`.
    fn answers(&mut self, fahrenheit: f64, x: f64) -> anyhow::Result<()> {
        wait_for(&format!("x = {x}"), PATIENCE, || {
            self.round(fahrenheit)?;
            for twin in TWINS {
                let point = self.host.point(twin, "rule.x")?;
                let value = point["value"].as_f64().context("no value")?;
                ensure!((value - x).abs() < 1e-9 && point["quality"] == "good", "{twin}: {point}");
            }
            Ok(Some(()))
        })
    }

    fn restarted(self) -> anyhow::Result<Self> {
        self.host.stop()?;
        let host = Host::start(&self.site.site())?;
        host.entry("source-connected", |_| true)?;
        Ok(Self { host, ..self })
    }
}

#[test]
fn a_rule_of_the_site_file_is_run_in_its_units_and_goes_on_over_a_restart() -> anyhow::Result<()> {
    let mut hall = Hall::start(FIRST)?;
    hall.answers(212.0, 100.0)?;
    let alerts = hall.host.get("/twins/bearing-1")?["alerts"].clone();
    assert!(
        alerts[0]["code"] == "script-high" && alerts[0]["detail"] == "hot: 100.0 °C",
        "in the unit that the script names: {alerts}"
    );
    let mut hall = hall.restarted()?;
    hall.answers(50.0, 10.0)?;
    // What it counts goes on: no row was lost or counted twice.
    let range = (START_MS, START_MS + hall.rounds * 1_000);
    for twin in TWINS {
        let counts = wait_for("all rows", PATIENCE, || {
            let counts = hall.host.stored(twin, "rule.y", range, 1_000)?;
            ensure!(counts.len() as u64 == hall.rounds, "{} of {} rows", counts.len(), hall.rounds);
            Ok(Some(counts))
        })?;
        for (row, (_, count)) in (1_u32..).zip(counts) {
            assert_eq!(count, Some(f64::from(row)), "{twin}");
        }
    }
    hall.host.stop()
}

#[test]
fn a_slip_in_a_rule_is_told_at_the_start_with_field_line_and_position() -> anyhow::Result<()> {
    let hall = Hall::start("x = celsius_1;\ny = celcius_1;\n")?;
    let entry = hall.host.entry("behavior-not-started", |_| true)?;
    let message = entry["message"].as_str().unwrap_or_default();
    assert!(message.contains("/script") && message.contains("line 2, position 5"), "{message}");
    assert!(message.contains("undefined variable: celcius_1"), "{message}");
    hall.host.stop()
}

#[test]
fn a_row_that_a_rule_cannot_answer_is_a_fault_with_its_place_and_the_next_row_is_answered()
-> anyhow::Result<()> {
    let mut hall = Hall::start("if celsius_1 > 90 {\n  x = celsius_1 / 0;\n} else {\n  x = celsius_1;\n}\n")?;
    hall.answers(50.0, 10.0)?;
    hall.round(212.0)?;
    let entry = hall.host.entry("behavior-fault", |entry| entry["twin"] == "bearing-1")?;
    let message = entry["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("script, line 2, position ") && message.contains(" / 0.0 is no number"),
        "{message}"
    );
    wait_for("no value", PATIENCE, || {
        let point = hall.host.point("bearing-1", "rule.x")?;
        ensure!(point["value"].is_null() && point["quality"] != "good", "{point}");
        Ok(Some(()))
    })?;
    hall.answers(50.0, 10.0)?;
    let trap = hall.host.journal()?.into_iter().find(|entry| entry["kind"] == "twin-apart");
    assert!(trap.is_none(), "{trap:?}");
    hall.host.stop()
}

/// Built anew from nothing it has the same bytes: what is drawn at random while crates are compiled must not get in.
#[test]
fn the_package_follows_from_its_sources() -> anyhow::Result<()> {
    let plugin = repository().join("plugins/script");
    let build = |target: &Path| -> anyhow::Result<Vec<u8>> {
        let out = target.join("out");
        let output = Command::new(geminus()?)
            .args(["plugin", "build"])
            .arg(&plugin)
            .arg("--out")
            .arg(&out)
            .env("CARGO_TARGET_DIR", target)
            .stdin(Stdio::null())
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(std::fs::read(out.join("script.wasm"))?)
    };
    let elsewhere = tempfile::tempdir()?;
    let (first, second) = (build(&repository().join("target"))?, build(elsewhere.path())?);
    assert!(first == second, "{} and {} bytes, which differ", first.len(), second.len());
    Ok(())
}
