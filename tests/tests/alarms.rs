//! Alarms through the real host: `pump-health` trembles around its limit; a deadband or a delay keeps its alarm from
//! chattering. What people did holds over a `kill -9`.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use geminus_tests::{Host, SiteFolder, geminus, wait_for};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
const TWINS: usize = 4;
/// Rows in which the health index trembles around 0.5, where `pump-health` warns.
const TREMBLING: usize = 60;
/// The healthy pump, in the order of the inputs; deviations of the current alone decide.
const MEDIAN: [f64; 6] = [0.1, 0.1, 2.0, 1.0, 40.0, 100.0];
const COLUMNS: [&str; 6] = [
    "accelerometer1-rms",
    "accelerometer2-rms",
    "current",
    "pressure",
    "temperature",
    "volume-flow-rate-rms",
];
const WARNING: &str = "health.health-warning";

/// One column for each sensor of each twin; all pumps do the same.
fn recording(day: u32, currents: &[f64]) -> String {
    let mut text = String::from("datetime");
    for twin in 1..=TWINS {
        COLUMNS.iter().for_each(|column| write!(text, ";pump-rig-{twin} {column}").expect("text"));
    }
    for (row, current) in currents.iter().enumerate() {
        write!(text, "\n2026-03-{day:02} 10:{:02}:{:02}", row / 60, row % 60).expect("text");
        for _ in 1..=TWINS {
            for (place, median) in MEDIAN.iter().enumerate() {
                write!(text, ";{}", if place == 2 { *current } else { *median }).expect("text");
            }
        }
    }
    text.push('\n');
    text
}

/// With these parameters the index is 0.5 at 3 A, and what the smoothing leaves over is nothing.
const PARAMETERS: &str = r#"
parameters = { baseline_median = [0.1, 0.1, 2.0, 1.0, 40.0, 100.0], baseline_spread = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], sensitivity = 3.674234614174767, smoothing = 0.001, drift_max = 0.0, settling = 0.0 }
"#;

/// The first pump is left as the plugin has it; the second has a deadband, the third and the fourth have delays.
const RULES: &str = r#"
[[alarm]]
alert = "health.health-warning"
twins = "pump-rig-2"
deadband = 0.05
output = "health_index"
priority = "high"
message = "The pump is not well"

[[alarm]]
alert = "health.health-warning"
twins = "pump-rig-3"
off_delay_s = 2.0

[[alarm]]
alert = "health.health-warning"
twins = "pump-rig-4"
on_delay_s = 600.0

[[alarm]]
name = "current-high"
twins = "pump-rig-4"
point = "current"
condition = "high"
limit = 2.5
deadband = 0.3
priority = "critical"
latch = true
response = "Look at the bearing"
"#;

fn site() -> anyhow::Result<SiteFolder> {
    let site = SiteFolder::from_example("pump-rig", |text| {
        let mqtt = text.lines().find(|line| line.starts_with("mqtt = ")).expect("a source").to_owned();
        let csv = r#"csv = { path = "rig.csv", separator = ";", time_column = "datetime", speed = 0 }"#;
        // Only the health of the pump matters here.
        let (head, behaviors) = text.split_once("# Winding and bearing").expect("the behavior thermal");
        let (_, health) =
            behaviors.split_once("[[behavior]]\nname = \"health\"").expect("the behavior health");
        let text = format!("{head}[[behavior]]\nname = \"health\"{}{PARAMETERS}{RULES}", health.trim_end());
        text.replace(&mqtt, csv)
            .replace("id = \"pump-rig-1\"", &format!("id = \"pump-rig-{{1..{TWINS}}}\""))
            .replace(
                "topic = \"rig/{twin}/{point}\"",
                "topic = \"{twin} {point}\"\npoints = [\"accelerometer_1\", \"accelerometer_2\", \"current\", \"pressure\", \"temperature\", \"flow\"]",
            )
    })?;
    let trembling = (0..TREMBLING).map(|row| if row % 2 == 0 { 3.01 } else { 2.99 });
    let currents: Vec<f64> = [2.0; 5].into_iter().chain(trembling).chain([2.0; 5]).collect();
    std::fs::write(site.path("rig.csv"), recording(1, &currents))?;
    Ok(site)
}

fn entries(host: &Host) -> anyhow::Result<Vec<Value>> {
    Ok(host.get("/journal?limit=1000")?["entries"].as_array().cloned().unwrap_or_default())
}

/// How many entries of this kind there are of an alarm of a twin.
fn count(entries: &[Value], kind: &str, twin: usize, alarm: &str) -> usize {
    let twin = format!("pump-rig-{twin}");
    let fits = |entry: &&Value| {
        entry["kind"] == kind && entry["twin"] == twin.as_str() && entry["facts"]["alarm"] == alarm
    };
    entries.iter().filter(fits).count()
}

fn alarm(host: &Host, twin: usize, name: &str) -> anyhow::Result<Option<Value>> {
    let view = host.get(&format!("/alarms?twin=pump-rig-{twin}"))?;
    let all = view["alarms"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().find(|alarm| alarm["name"] == name))
}

/// Waits until an alarm is in this state.
fn in_state(host: &Host, twin: usize, name: &str, state: &str) -> anyhow::Result<Value> {
    wait_for(&format!("{name} of pump-rig-{twin} to be {state}"), PATIENCE, || {
        let found = alarm(host, twin, name)?;
        ensure!(found.as_ref().is_some_and(|alarm| alarm["state"] == state), "{found:?}");
        Ok(found)
    })
}

fn order(host: &Host, twin: usize, name: &str, what: &str, more: &Value) -> anyhow::Result<(u16, Value)> {
    let mut body = json!({"by": "mara", "reason": "scenario"});
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    host.post(&format!("/alarms/pump-rig-{twin}/{name}/{what}"), &body)
}

/// Output of `geminus alarm …`.
fn said(site: &SiteFolder, host: &Host, arguments: &[&str]) -> anyhow::Result<String> {
    let url = host.url("");
    let output = Command::new(geminus()?)
        .arg("alarm")
        .args(arguments)
        .args(["--url", url.trim_end_matches('/'), "--token-file"])
        .arg(site.path("data/token"))
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn played(host: &Host) -> anyhow::Result<()> {
    wait_for("the end of the recording", PATIENCE, || {
        Ok(entries(host)?.into_iter().find(|entry| entry["kind"] == "replay-done"))
    })?;
    // The off-delay of the third pump is the last thing that happens.
    in_state(host, 3, WARNING, "returned")?;
    // An alarm shows its state before the journal has written it down.
    wait_for("the journal to tell of it", PATIENCE, || {
        Ok((count(&entries(host)?, "alarm-returned", 3, WARNING) > 0).then_some(()))
    })?;
    in_state(host, 4, "current-high", "latched-unacknowledged")?;
    Ok(())
}

/// The alert of each pump trembles; its alarm only where nobody has given it a deadband or a delay.
fn does_not_chatter(host: &Host) -> anyhow::Result<()> {
    let entries = entries(host)?;
    let edges = TREMBLING / 2;
    for twin in 1..=TWINS {
        let id = format!("pump-rig-{twin}");
        let raised = entries.iter().filter(|entry| {
            entry["kind"] == "alert-raised"
                && entry["twin"] == id.as_str()
                && entry["facts"]["code"] == "health-warning"
        });
        ensure!(raised.count() == edges, "the alert of {id} trembles");
    }
    for (twin, told) in [(1, edges), (2, 1), (3, 1), (4, 0)] {
        for kind in ["alarm-raised", "alarm-returned"] {
            let found = count(&entries, kind, twin, WARNING);
            ensure!(found == told, "{kind} of pump-rig-{twin}: {found}, not {told}");
        }
    }
    for (twin, chatters) in [(1, 1), (2, 0), (3, 0), (4, 0)] {
        let found = count(&entries, "alarm-chatters", twin, WARNING);
        ensure!(found == chatters, "pump-rig-{twin} chatters {found} times");
    }
    ensure!(count(&entries, "alarm-raised", 4, "current-high") == 1, "once above 2.5 A");
    // More than ten in ten minutes, thanks to the first.
    let floods = entries.iter().filter(|entry| entry["kind"] == "alarm-flood").count();
    ensure!(floods == 1, "{floods} floods");
    let view = host.get("/alarms")?;
    ensure!(view["figures"]["told"] == edges + 3, "{view}");
    ensure!(view["figures"]["flood_since"].is_string(), "{view}");
    let order: Vec<_> =
        view["alarms"].as_array().into_iter().flatten().map(|alarm| &alarm["priority"]).collect();
    ensure!(order == ["critical", "high", "medium", "medium"], "{order:?}");
    Ok(())
}

fn orders_are_taken_or_refused(host: &Host) -> anyhow::Result<()> {
    let (status, acknowledged) = order(host, 1, WARNING, "acknowledge", &json!({}))?;
    ensure!(status == 200 && acknowledged["state"] == "normal", "{acknowledged}");
    let (status, again) = order(host, 1, WARNING, "acknowledge", &json!({}))?;
    ensure!(status == 409, "{again}");
    let (_, latched) = order(host, 4, "current-high", "reset", &json!({}))?;
    ensure!(
        latched["error"]["message"].as_str().is_some_and(|text| text.contains("acknowledge")),
        "{latched}"
    );
    let (status, latched) = order(host, 4, "current-high", "acknowledge", &json!({}))?;
    ensure!(status == 200 && latched["state"] == "latched-acknowledged", "{latched}");
    let (status, _) = order(host, 3, WARNING, "shelve", &json!({"minutes": 100_000}))?;
    ensure!(status == 400, "longer than the site allows");
    let (status, shelved) = order(host, 3, WARNING, "shelve", &json!({"minutes": 60}))?;
    ensure!(status == 200 && shelved["state"] == "shelved", "{shelved}");
    let (status, out) = order(host, 2, WARNING, "out-of-service", &json!({}))?;
    ensure!(status == 200 && out["state"] == "out-of-service", "{out}");
    let (status, unknown) = order(host, 1, "nothing", "acknowledge", &json!({}))?;
    ensure!(status == 404, "{unknown}");
    let (status, unknown) = order(host, 9, WARNING, "acknowledge", &json!({}))?;
    ensure!(status == 404, "{unknown}");
    Ok(())
}

#[test]
fn an_alarm_does_not_chatter_and_what_people_did_holds_over_a_kill() -> anyhow::Result<()> {
    let site = site()?;
    let host = Host::start(&site.site())?;
    played(&host)?;
    does_not_chatter(&host)?;
    orders_are_taken_or_refused(&host)?;
    let before = alarm(&host, 3, WARNING)?;
    // Nothing of the past is told again: only a later, healthy second.
    std::fs::write(site.path("rig.csv"), recording(2, &[2.0, 2.0]))?;
    host.kill()?;

    let host = Host::start(&site.site())?;
    let latched = in_state(&host, 4, "current-high", "latched-acknowledged")?;
    ensure!(latched["acknowledged"]["by"] == "mara", "{latched}");
    ensure!(latched["acknowledged"]["reason"] == "scenario", "{latched}");
    let after = alarm(&host, 3, WARNING)?;
    let shelf = |alarm: &Option<Value>| alarm.as_ref().map(|alarm| alarm["shelved"].clone());
    ensure!(before.is_some() && shelf(&before) == shelf(&after), "{before:?} {after:?}");
    in_state(&host, 2, WARNING, "out-of-service")?;
    ensure!(alarm(&host, 1, WARNING)?.is_none(), "what is normal leaves nothing behind");

    let list = said(&site, &host, &["list"])?;
    ensure!(list.contains("current-high") && list.contains("shelved until"), "{list}");
    let reset = said(&site, &host, &["reset", "pump-rig-4", "current-high", "--by", "mara"])?;
    ensure!(reset.contains("normal"), "{reset}");
    let unshelved = said(&site, &host, &["unshelve", "pump-rig-3", WARNING])?;
    ensure!(!unshelved.contains("shelved until"), "{unshelved}");
    let refused = said(&site, &host, &["unshelve", "pump-rig-3", WARNING]).expect_err("it is not shelved");
    ensure!(refused.to_string().contains("not shelved"), "{refused}");
    host.stop()
}

#[test]
fn a_rule_that_does_not_fit_is_named_with_its_line() -> anyhow::Result<()> {
    let site = SiteFolder::from_example("pump-rig", |text| {
        format!(
            "{text}\n[[alarm]]\nname = \"hot\"\npoint = \"temprature\"\ncondition = \"high\"\nlimit = 90.0\n"
        )
    })?;
    let output = Command::new(geminus()?).arg("check").arg(site.site()).stdin(Stdio::null()).output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(!output.status.success(), "{said}");
    ensure!(said.contains("has no point \"temprature\", did you mean `temperature`?"), "{said}");
    Ok(())
}
