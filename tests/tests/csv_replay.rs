//! A recording as a source of the site, without a broker; and history read from the command line.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::ensure;
use geminus_tests::{Host, SiteFolder, geminus, wait_for};

const ROWS: usize = 200;

/// Two hundred seconds of a rig at rest, with a column that no point is bound to.
fn recording() -> String {
    let mut text = String::from("datetime;temperature;thermocouple;current;remark\n");
    for row in 0..ROWS {
        let (minute, second) = (row / 60, row % 60);
        writeln!(text, "2026-03-01 10:{minute:02}:{second:02};{};26.0;2.0;x", 80.0 + row as f64 / 100.0)
            .expect("text");
    }
    text
}

fn query(arguments: &[&str], site: &SiteFolder) -> anyhow::Result<Vec<String>> {
    let output = Command::new(geminus()?)
        .args(["history", "query"])
        .arg(site.site())
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn a_recording_is_played_into_the_twin_and_read_back() -> anyhow::Result<()> {
    let source = r#"csv = { path = "rig.csv", separator = ";", time_column = "datetime", speed = 0 }"#;
    let site = SiteFolder::from_example("pump-rig", |text| {
        let mqtt = text.lines().find(|line| line.starts_with("mqtt = ")).expect("a source").to_owned();
        text.replace(&mqtt, source).replace(
            "topic = \"rig/{twin}/{point}\"",
            "topic = \"{point}\"\npoints = [\"temperature\", \"thermocouple\", \"current\"]",
        )
    })?;
    std::fs::write(site.path("rig.csv"), recording())?;
    let host = Host::start(&site.site())?;
    wait_for("the end of the recording", Duration::from_secs(60), || {
        let entries = host.get("/journal?limit=100")?["entries"].as_array().cloned().unwrap_or_default();
        Ok(entries.into_iter().find(|entry| entry["kind"] == "replay-done"))
    })?;
    wait_for("all rows", Duration::from_secs(60), || {
        let twin = host.get("/twins/pump-rig-1")?;
        let behaviors = twin["behaviors"].as_array().cloned().unwrap_or_default();
        Ok(behaviors.iter().any(|b| b["name"] == "thermal" && b["rows"] == ROWS).then_some(()))
    })?;
    host.stop()?;

    let measured = query(&["pump-rig-1", "temperature"], &site)?;
    assert_eq!(measured.len(), ROWS);
    assert_eq!(measured[0], "2026-03-01T10:00:00Z,80,good");
    assert_eq!(query(&["pump-rig-1", "thermal.winding_temperature"], &site)?.len(), ROWS);
    let part =
        query(&["pump-rig-1", "temperature", "--from", "2026-03-01T10:01:00Z", "--limit", "5"], &site)?;
    assert_eq!((part.len(), part[0].as_str()), (5, "2026-03-01T10:01:00Z,80.6,good"));
    let buckets = query(&["pump-rig-1", "temperature", "--buckets", "10"], &site)?;
    assert_eq!(buckets.len(), 10);
    assert!(query(&[], &site)?.contains(&"pump-rig-1,temperature".to_owned()));
    Ok(())
}
