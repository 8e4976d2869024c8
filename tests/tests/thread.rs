//! The thread of an asset through the real host: an alert, a change of versions, commands with their approvals, and records
//! that a maintenance system brings, corrects and takes back, on one line that is read page after page; and the line that
//! an alert leads to computes its rows again.

use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Cells, Guest, Host, PATIENCE, Pulse, SiteFolder, drop_bytes, geminus, wait_for};
use serde_json::{Value, json};

const CELL: &str = "cell-1";

/// What somebody approves, and a rule that refuses too much.
const TARGET: &str = r#"
[[target]]
name = "speed"
unit = "1"
write = { source = "broker", topic = "plant/{twin}/set/speed" }
feedback = { point = "a", tolerance = 0.05, within_s = 20 }
[target.interlock]
range = { min = 0, max = 10 }
"#;

struct Plant {
    _broker: Broker,
    pulse: Pulse,
    site: SiteFolder,
    host: Host,
}

/// A version that raises its alert in every row.
fn version(number: &str) -> anyhow::Result<Guest> {
    Ok(Guest::hostile("tally", number)?.script("step alert=0"))
}

impl Plant {
    fn start() -> anyhow::Result<Self> {
        let broker = Broker::start(10_000)?;
        let cells = Cells::new(&broker.url()).twins(CELL, 1_000).lines("authority = \"control\"");
        let cells = cells.twins("cell-2", 1_000).lines("[store]\nsnapshot_s = 1").lines(TARGET);
        let site = cells.behavior("tally", "tally", "*", "").folder()?;
        drop_bytes(&site.path("plugins"), "tally-1.0.0", &version("1.0.0")?.bytes()?)?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let pulse = Pulse::start(broker.port, &[CELL.to_owned(), "cell-2".to_owned()], 10)?;
        pulse.wait(10)?;
        Ok(Self { _broker: broker, pulse, site, host })
    }

    fn entries(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.host.get(&format!("/twins/{CELL}/thread?limit=500{query}"))?;
        Ok(answer["entries"].as_array().cloned().unwrap_or_default())
    }

    /// Waits for an entry that `wish` accepts.
    fn entry(&self, what: &str, query: &str, wish: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        wait_for(what, PATIENCE, || Ok(self.entries(query)?.into_iter().find(|entry| wish(entry))))
            .with_context(|| format!("{:#?}", self.entries("").unwrap_or_default()))
    }

    fn bring(&self, twin: &str, records: &[Value]) -> anyhow::Result<Value> {
        let body = json!({"records": records, "by": "maintenance"});
        let (status, answer) = self.host.post(&format!("/twins/{twin}/records"), &body)?;
        ensure!(status == 200, "{status}: {answer}");
        Ok(answer)
    }

    /// `geminus …` at this host.
    fn command(&self, words: &[&str]) -> anyhow::Result<Output> {
        let output = Command::new(geminus()?)
            .args(words)
            .args(["--url", &format!("http://127.0.0.1:{}", self.host.port)])
            .arg("--site")
            .arg(self.site.site())
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }

    fn says(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.command(words)?;
        let (said, trouble) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{words:?}: {trouble}");
        Ok(said.into_owned())
    }
}

fn is(entry: &Value, kind: &str, what: &str) -> bool {
    entry["kind"] == kind && entry["what"] == what
}

fn order(id: &str, title: &str, time: &str) -> Value {
    json!({"source": "sap-pm", "id": id, "kind": "work-order", "title": title, "time": time})
}

#[test]
fn an_alert_leads_to_its_rows_its_version_and_a_replay_that_holds() -> anyhow::Result<()> {
    let plant = Plant::start()?;
    let alert = plant.entry("an alert", "&kind=alert", |entry| is(entry, "alert", "alert-raised"))?;
    let explain = &alert["explain"];
    ensure!(explain["behavior"] == "tally" && explain["plugin"] == "tally@1.0.0", "{alert:#}");
    ensure!(explain["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{alert:#}");
    plant.pulse.wait(30)?;
    wait_for("rows on the disk", PATIENCE, || {
        let stored = plant.host.get(&format!("/twins/{CELL}/history?points=tally.count"))?;
        Ok((stored["series"][0]["times_ms"].as_array().map_or(0, Vec::len) > 5).then_some(()))
    })?;
    let line = explain["replay"].as_str().context("a replay")?;
    let site = plant.site.site();
    let line = line.replacen("SITE.toml", site.to_str().context("a path")?, 1);
    let shown = plant.says(&["thread", CELL, "--kind", "alert", "--order", "oldest", "--explain"])?;
    ensure!(shown.contains(&line), "{shown} does not show {line}");
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let replay = Command::new(geminus()?).args(&words).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&replay.stdout).into_owned();
    ensure!(replay.status.success(), "{line}: {said}{}", String::from_utf8_lossy(&replay.stderr));

    // Another version takes over: the thread says from which to which, and by which rollout.
    drop_bytes(&plant.site.path("plugins"), "tally-1.1.0", &version("1.1.0")?.bytes()?)?;
    let change = plant.entry("the change of versions", "&kind=version", |entry| {
        entry["title"].as_str().is_some_and(|title| title.contains("tally@1.0.0 → tally@1.1.0"))
    })?;
    ensure!(change["explain"]["plugin"] == "tally@1.1.0", "{change:#}");
    plant.entry("its rollout", "&kind=version", |entry| {
        is(entry, "version", "rollout") && entry["explain"]["rollout"] == 1
    })?;
    plant.host.stop()
}

#[test]
fn decisions_stand_on_the_thread_with_their_verdicts_and_approvals() -> anyhow::Result<()> {
    let plant = Plant::start()?;
    let propose = |value: f64| {
        let body = json!({"twin": CELL, "target": "speed", "value": value, "by": "Anna"});
        plant.host.post("/commands", &body)
    };
    let (status, held) = propose(4.0)?;
    ensure!(status == 201 && held["state"] == "held", "{held}");
    let id = held["id"].as_str().context("an id")?;
    let (status, approved) = plant
        .host
        .post(&format!("/commands/{id}/approve"), &json!({"digest": held["digest"], "by": "Ben"}))?;
    ensure!(status == 200, "{approved}");
    let (status, refused) = propose(40.0)?;
    ensure!(status == 201 && refused["state"] == "refused", "{refused}");
    let proposed = plant.entry("the command", "&kind=decision", |entry| {
        is(entry, "decision", "command-proposed") && entry["explain"]["command"] == id
    })?;
    let verdict = proposed["explain"]["verdict"].as_str().context("a verdict")?;
    ensure!(verdict.contains("approved by Ben"), "{proposed:#}");
    ensure!(
        proposed["explain"]["replay"].is_string() && proposed["explain"]["rows"].is_object(),
        "{proposed:#}"
    );
    plant.entry("its approval", "&kind=decision", |entry| {
        is(entry, "decision", "command-approved") && entry["explain"]["command"] == id
    })?;
    let refusal = plant.entry("the refusal", "&kind=decision", |entry| {
        is(entry, "decision", "command-proposed") && entry["explain"]["command"] == refused["id"]
    })?;
    ensure!(
        refusal["explain"]["verdict"].as_str().is_some_and(|words| words.starts_with("refused")),
        "{refusal:#}"
    );
    ensure!(
        !plant.entries("&kind=decision")?.iter().any(|entry| entry["what"] == "command-sent"),
        "steps are left out"
    );
    plant.host.stop()
}

#[test]
fn records_are_brought_corrected_taken_back_and_joined_by_time_over_a_restart() -> anyhow::Result<()> {
    let plant = Plant::start()?;
    let long_ago = order("WO-1", "Replace the bearing", "2001-02-03T04:05:06Z");
    let filed = plant.bring(CELL, &[long_ago.clone(), order("WO-2", "Look", "2030-01-01T00:00:00Z")])?;
    ensure!(filed["new"] == 2, "{filed}");
    let again = plant.bring(CELL, &[long_ago])?;
    ensure!(again["same"] == 1 && again["new"] == 0, "{again}");
    let corrected = plant.bring(CELL, &[order("WO-1", "Replace both bearings", "2001-02-03T04:05:06Z")])?;
    ensure!(corrected["corrected"] == 1, "{corrected}");
    let told = plant.host.entry("records-corrected", |entry| entry["twin"] == CELL)?;
    ensure!(told["message"].as_str().is_some_and(|words| words.contains("sap-pm WO-1")), "{told}");
    let mut gone = order("WO-2", "Look", "2030-01-01T00:00:00Z");
    gone["removed"] = true.into();
    ensure!(plant.bring(CELL, &[gone])?["removed"] == 1, "it is taken back");
    let (status, stranger) = plant
        .host
        .post("/twins/cell-9/records", &json!({"records": [order("1", "x", "2030-01-01T00:00:00Z")]}))?;
    ensure!(status == 404, "{stranger}");

    let file = plant.site.path("batches.csv");
    std::fs::write(&file, csv())?;
    let import = ["record", "import", file.to_str().context("a path")?, "--source", "mes", "--kind", "batch"];
    ensure!(plant.says(&import)?.starts_with("2 new, 0 corrected"), "brought");
    ensure!(plant.says(&import)?.contains("2 known already"), "not twice");

    let records = plant.entries("&kind=record,calibration&order=oldest")?;
    let own: Vec<&str> = records.iter().filter_map(|entry| entry["record"]["id"].as_str()).collect();
    ensure!(own == ["WO-1", "B-1", "B-2"], "{records:#?}");
    ensure!(
        records[0]["title"] == "Replace both bearings" && records[0]["record"]["revision"] == 1,
        "{:#}",
        records[0]
    );
    ensure!(records[1]["facts"]["yield"] == 0.97 && records[1]["until"].is_string(), "{:#}", records[1]);
    ensure!(records[2]["kind"] == "calibration", "{:#}", records[2]);
    // What reaches into a time is in it.
    let within = plant.entries("&kind=record&from=2002-01-01T01:00:00Z&to=2002-01-01T01:00:01Z")?;
    ensure!(within.len() == 1 && within[0]["record"]["id"] == "B-1", "{within:#?}");

    // The field goes silent, so that nothing comes between two pages.
    let Plant { _broker, pulse, site, host } = plant;
    drop(pulse);
    host.stop()?;
    let host = Host::start(&site.site())?;
    pages_are_the_line(&host)?;
    ensure!(host.get("/twins/cell-2/thread?kind=record")?["entries"] == json!([]), "each asset has its own");
    host.stop()?;
    ensure!(site.path("data/records.db").exists(), "records have a file of their own");
    Ok(())
}

fn csv() -> &'static str {
    "twin,id,kind,title,time,until,yield\n\
     cell-1,B-1,,Batch 1,2002-01-01T00:00:00Z,2002-01-01T02:00:00Z,0.97\n\
     cell-1,B-2,calibration,Sensor a,2003-01-01T00:00:00Z,,\n"
}

/// Small pages in either order are together what one large page has.
fn pages_are_the_line(host: &Host) -> anyhow::Result<()> {
    // What the host writes from here on is left out.
    let to = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() - 1_000;
    for order in ["oldest", "newest"] {
        let ids = |answer: &Value| -> Vec<String> {
            let all = answer["entries"].as_array().cloned().unwrap_or_default();
            all.iter().filter_map(|entry| Some(entry["id"].as_str()?.to_owned())).collect()
        };
        let kinds = "design,version,calibration,alert,decision,record";
        let path = format!("/twins/{CELL}/thread?order={order}&to={to}&kind={kinds}");
        let whole = host.get(&format!("{path}&limit=500"))?;
        ensure!(whole["next"].is_null() && whole["asset"]["type"] == "dtmi:test:Cell;1", "{whole:#}");
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = host.get(&format!("{path}&limit=2{after}"))?;
            ensure!(ids(&page).len() <= 2, "{page:#}");
            ensure!(page["asset"].is_null() != after.is_empty(), "the asset stands on the first page");
            found.extend(ids(&page));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        ensure!(found == ids(&whole) && found.len() >= 4, "{order}: {found:?}, not {:?}", ids(&whole));
        let times: Vec<&str> = whole["entries"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e["time"].as_str()?.strip_suffix('Z'))
            .collect();
        let mut sorted = times.clone();
        sorted.sort_unstable();
        if order == "newest" {
            sorted.reverse();
        }
        ensure!(times == sorted, "{order}: {times:?}");
    }
    Ok(())
}
