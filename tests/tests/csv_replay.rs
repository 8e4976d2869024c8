//! A recording as a source of the site, without a broker; and history read from the command line.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
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
    Ok(queried(arguments, site)?.0)
}

/// Lines of standard output, and all of standard error.
fn queried(arguments: &[&str], site: &SiteFolder) -> anyhow::Result<(Vec<String>, String)> {
    let output = Command::new(geminus()?)
        .args(["history", "query"])
        .arg(site.site())
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}");
    Ok((String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect(), said))
}

/// The first line of the answer to a request that calls the host by this name.
fn called(host: &Host, name: &str) -> anyhow::Result<String> {
    let address = host.url("");
    let mut socket = TcpStream::connect(address.trim_start_matches("http://").trim_end_matches('/'))?;
    write!(socket, "GET /api/v1/site HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}

/// What the API says of a site whose past is known to the last sample.
fn asked(host: &Host) -> anyhow::Result<()> {
    // By id, by the name that the site gave, by the type, whatever the case; and nobody.
    for (text, found) in [("Rig-1", 1), ("feed%20water", 1), ("example:pumprig", 1), ("valve", 0)] {
        let twins = host.get(&format!("/twins?search={text}"))?;
        assert_eq!(twins["total"], found, "{text}: {twins}");
    }
    // Twenty samples in each of ten buckets: its start, their mean, their extremes.
    let range = "from=2026-03-01T10:00:00Z&to=2026-03-01T10:03:20Z&buckets=10";
    wait_for("all samples in history", Duration::from_secs(60), || {
        let all = host.get(&format!("/twins/pump-rig-1/history?points=temperature&{range}00"))?;
        Ok((all["series"][0]["values"].as_array().map(Vec::len) == Some(ROWS)).then_some(()))
    })?;
    let history = host.get(&format!("/twins/pump-rig-1/history?points=temperature&{range}"))?;
    let series = &history["series"][0];
    assert_eq!(series["decimated"], true, "{series}");
    assert_eq!(series["times_ms"].as_array().map(Vec::len), Some(10), "{series}");
    let start = series["times_ms"][0].as_u64().unwrap_or_default();
    for bucket in 0..10_u16 {
        let of = |name: &str| series[name][usize::from(bucket)].as_f64().unwrap_or(f64::NAN);
        let lowest = 80.0 + f64::from(bucket) * 0.2;
        assert_eq!(series["times_ms"][usize::from(bucket)], start + 20_000 * u64::from(bucket), "{series}");
        for (name, expect) in [("min", lowest), ("values", lowest + 0.095), ("max", lowest + 0.19)] {
            assert!((of(name) - expect).abs() < 1e-9, "{name} of bucket {bucket}: {} {expect}", of(name));
        }
    }
    assert_eq!(start, 1_772_359_200_000, "2026-03-01T10:00:00Z");
    // Only names that the site gives the host are answered.
    assert!(called(host, "pump-house.example:80")?.contains(" 200 "));
    assert!(called(host, "elsewhere.example")?.contains(" 403 "));
    Ok(())
}

#[test]
fn a_recording_is_played_into_the_twin_and_read_back() -> anyhow::Result<()> {
    let source = r#"csv = { path = "rig.csv", separator = ";", time_column = "datetime", speed = 0 }"#;
    let site = SiteFolder::from_example("pump-rig", |text| {
        let mqtt = text.lines().find(|line| line.starts_with("mqtt = ")).expect("a source").to_owned();
        text.replace(&mqtt, source)
            .replace(
                "topic = \"rig/{twin}/{point}\"",
                "topic = \"{point}\"\npoints = [\"temperature\", \"thermocouple\", \"current\"]",
            )
            .replace("id = \"pump-rig-1\"\n", "id = \"pump-rig-1\"\ndisplay_name = \"Feed Water\"\n")
            .replace("[http]\n", "[http]\nhosts = [\"pump-house.example\"]\n")
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
    asked(&host)?;
    host.stop()?;

    let measured = query(&["pump-rig-1", "temperature"], &site)?;
    assert_eq!(measured.len(), ROWS);
    assert_eq!(measured[0], "2026-03-01T10:00:00Z,80,good");
    assert_eq!(query(&["pump-rig-1", "thermal.winding_temperature"], &site)?.len(), ROWS);
    let five = ["pump-rig-1", "temperature", "--from", "2026-03-01T10:01:00Z", "--limit", "5"];
    let (part, said) = queried(&five, &site)?;
    assert!(said.contains("more follow from 2026-03-01T10:01:05Z"), "a cut is told: {said}");
    let (whole, said) = queried(&["pump-rig-1", "temperature", "--limit", "200"], &site)?;
    assert!(whole.len() == ROWS && !said.contains("more follow"), "nothing is cut: {said}");
    assert_eq!((part.len(), part[0].as_str()), (5, "2026-03-01T10:01:00Z,80.6,good"));
    let buckets = query(&["pump-rig-1", "temperature", "--buckets", "10"], &site)?;
    assert_eq!(buckets.len(), 10);
    assert!(query(&[], &site)?.contains(&"pump-rig-1,temperature".to_owned()));
    Ok(())
}

/// The recording with lines that end in CR and LF, line 51 cut off and line 101 without a time.
fn damaged() -> String {
    let mut lines: Vec<String> = recording().lines().map(str::to_owned).collect();
    lines[50] = "2026-03-01 10:00:49;80.49".to_owned();
    lines[100] = "noon;80.99;26.0;2.0;x".to_owned();
    lines.join("\r\n")
}

#[test]
fn a_bad_row_or_a_bad_recording_keeps_nothing_else_from_being_played() -> anyhow::Result<()> {
    let csv = |file: &str| {
        format!(r#"csv = {{ path = "{file}", separator = ";", time_column = "datetime", speed = 0 }}"#)
    };
    let site = SiteFolder::from_example("pump-rig", |text| {
        let mqtt = text.lines().find(|line| line.starts_with("mqtt = ")).expect("a source").to_owned();
        let second = format!("[[source]]\nname = \"second\"\n{}\n\n[[twin]]", csv("second.csv"));
        let text = text
            .replace(&mqtt, &csv("rig.csv"))
            .replace(
                "topic = \"rig/{twin}/{point}\"",
                "topic = \"{point}\"\npoints = [\"temperature\", \"thermocouple\", \"current\"]",
            )
            .replace("[[twin]]", &second);
        text + "\n[[bind]]\nsource = \"second\"\ntopic = \"{point}\"\npoints = [\"pressure\"]\n"
    })?;
    std::fs::write(site.path("rig.csv"), damaged())?;
    std::fs::write(site.path("second.csv"), "time;pressure\n2026-03-01 10:00:00;1\n")?;

    let check = Command::new(geminus()?).arg("check").arg(site.site()).stdin(Stdio::null()).output()?;
    let (out, err) = (String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    ensure!(!check.status.success(), "a source that cannot be played is an error: {out}");
    for said in ["line 51: has 2 columns and the header 5", "line 101: `noon` is no time"] {
        assert!(out.contains(&format!("not taken: {said}")), "{out}");
    }
    assert!(err.contains("source second: ") && err.contains("second.csv"), "{err}");
    assert!(err.contains("names `datetime`, but the recording has only: time, pressure"), "{err}");

    let host = Host::start(&site.site())?;
    let failed = host.entry("source-failed", |entry| entry["facts"]["source"] == "second")?;
    assert_eq!((&failed["severity"], &failed["facts"]["file"]), (&"error".into(), &"second.csv".into()));
    for (line, reason, excerpt) in
        [(51, "malformed", "2026-03-01 10:00:49;80.49"), (101, "bad-time", "noon;80.99;26.0;2.0;x")]
    {
        let told = host.entry("sample-refused", |entry| entry["facts"]["line"] == line)?;
        let facts = &told["facts"];
        assert_eq!(
            (&facts["reason"], &facts["excerpt"], &facts["rows"]),
            (&reason.into(), &excerpt.into(), &1.into()),
            "{told}"
        );
    }
    let done = host.entry("replay-done", |_| true)?;
    let message = done["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("198 rows, 594 samples, 2 refused"), "{message}");
    for reason in ["malformed", "bad-time"] {
        let counted = host.metric(&format!("geminus_samples_refused_total{{reason=\"{reason}\"}}"))?;
        assert_eq!(counted, Some(1.0), "{reason}");
    }
    assert_eq!(host.get("/site")?["inputs"]["refused"], 2);
    host.stop()?;
    assert_eq!(query(&["pump-rig-1", "temperature"], &site)?.len(), 198, "all others are in history");
    Ok(())
}
