//! Commands through the real host and mosquitto: one person proposes, another one approves, the order leaves once, and only the
//! field itself says that it was carried out. Refusals, a `kill -9` between order and read-back, a host that stood still and the
//! dead-man in the field that notices it, a broker that is away.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, DeadMan, Host, Listener, PATIENCE, Publisher, SiteFolder, wait_for};
use serde_json::{Value, json};

const TWIN: &str = "pump-rig-1";
const SETS: &str = "rig/+/set/#";

/// A target that somebody approves and one that asks nobody and has a sign of life; both are read back from the current.
const TARGETS: &str = r#"
[command.class.free]
approvers = 0

[[target]]
name = "current"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/current" }
feedback = { point = "current", tolerance = 0.05, within_s = 20 }
[target.interlock]
range = { min = 0, max = 10 }

[[target]]
name = "quick"
class = "free"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/quick" }
heartbeat = { topic = "rig/{twin}/beat/quick", every_ms = 1000 }
feedback = { point = "current", tolerance = 0.05, within_s = 20 }
[target.interlock]
range = { min = 0, max = 10 }
"#;

struct Plant {
    broker: Broker,
    field: Publisher,
    /// Source time of the last current, in milliseconds.
    shown: u128,
    ear: Listener,
    _site: SiteFolder,
    host: Host,
}

impl Plant {
    fn start() -> anyhow::Result<Self> {
        let broker = Broker::start(1_000)?;
        let site = SiteFolder::from_example("pump-rig", |text| {
            let text = text.replace("mqtt://127.0.0.1:1883", &broker.url());
            let rig = "type = \"dtmi:geminus:example:PumpRig;1\"";
            let text = text.replace(rig, &format!("{rig}\nauthority = \"control\""));
            format!("{text}{TARGETS}")
        })?;
        let field = Publisher::connect(broker.port, "field")?;
        let ear = Listener::open(broker.port, "ear", SETS)?;
        let host = Host::start(&site.site())?;
        connected(&host)?;
        Ok(Self { broker, field, shown: 0, ear, _site: site, host })
    }

    /// The field shows this current, now: in the next whole millisecond, so that it is not before an order of the same one,
    /// and each time in another one, because two values of one time are one sample.
    fn shows(&mut self, value: f64) -> anyhow::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        let time = now.max(self.shown) + 1;
        self.shown = time;
        let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
        self.field.publish(&format!("rig/{TWIN}/current"), payload.as_bytes(), 1)?;
        self.field.flush().map(drop)
    }

    fn propose(&self, target: &str, value: f64, by: &str) -> anyhow::Result<Value> {
        let body = json!({"twin": TWIN, "target": target, "value": value, "by": by, "reason": "scenario"});
        let (status, command) = self.host.post("/commands", &body)?;
        ensure!(status == 201, "{status}: {command}");
        Ok(command)
    }

    fn order(&self, command: &Value, what: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let id = command["id"].as_str().context("an id")?;
        self.host.post(&format!("/commands/{id}/{what}"), body)
    }

    fn comes_to(&self, command: &Value, state: &str) -> anyhow::Result<Value> {
        comes_to(&self.host, command, state)
    }
}

fn detail(host: &Host, command: &Value) -> anyhow::Result<Value> {
    host.get(&format!("/commands/{}", command["id"].as_str().context("an id")?))
}

fn comes_to(host: &Host, command: &Value, state: &str) -> anyhow::Result<Value> {
    wait_for(&format!("a command to be {state}"), PATIENCE, || {
        let found = detail(host, command)?;
        ensure!(found["command"]["state"] == state, "{}", found["command"]);
        Ok(Some(found))
    })
}

/// Waits until the connection that writes stands.
fn connected(host: &Host) -> anyhow::Result<()> {
    wait_for("the connection that writes", PATIENCE, || {
        let targets = host.get("/targets")?;
        Ok((targets["targets"][0]["egress"]["up"] == true).then_some(()))
    })
}

fn events(detail: &Value) -> Vec<String> {
    let all = detail["transitions"].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|step| Some(step["event"].as_str()?.to_owned())).collect()
}

#[test]
fn a_command_is_approved_sent_once_and_verified_by_the_field() -> anyhow::Result<()> {
    let mut plant = Plant::start()?;
    let command = plant.propose("current", 4.0, "Anna")?;
    ensure!(command["state"] == "held" && command["missing_approvals"] == 1, "{command}");
    let digest = command["digest"].clone();
    let (status, own) = plant.order(&command, "approve", &json!({"digest": digest, "by": "anna"}))?;
    ensure!(status == 409, "her own: {own}");
    let other = format!("sha256:{}", "0".repeat(64));
    let (status, bytes) = plant.order(&command, "approve", &json!({"digest": other, "by": "Ben"}))?;
    ensure!(status == 409, "other bytes: {bytes}");
    ensure!(plant.ear.waiting().is_empty(), "nothing has left yet");
    let (status, approved) = plant.order(&command, "approve", &json!({"digest": digest, "by": "Ben"}))?;
    ensure!(status == 200, "{approved}");
    let message = plant.ear.next()?;
    ensure!(message.topic == format!("rig/{TWIN}/set/current"), "{message:?}");
    ensure!(!message.retained && message.qos == 1, "{message:?}");
    ensure!(message.expiry_s.is_some_and(|left| (1..=600).contains(&left)), "{message:?}");
    let id = command["id"].as_str().context("an id")?;
    let bytes: Vec<u8> = id.replace('-', "").as_bytes().chunks(2).filter_map(hex).collect();
    ensure!(message.correlation.as_deref() == Some(bytes.as_slice()), "{message:?}");
    let order: Value = serde_json::from_slice(&message.payload)?;
    ensure!(order["id"] == id && order["value"] == 4.0 && order["by"] == "operator Anna", "{order}");
    comes_to(&plant.host, &command, "transport-acked")?;
    plant.shows(2.0)?;
    plant.shows(4.01)?;
    let done = plant.comes_to(&command, "verified")?;
    let expect = ["propose", "permit", "hold", "approve", "arm", "send", "acknowledge", "read-back"];
    ensure!(events(&done) == expect, "{done}");
    ensure!(done["interlocks"].is_null() && done["command"]["read_back"]["value"] == 4.01, "{done}");
    for kind in ["command-proposed", "command-approved", "command-sending", "command-verified"] {
        plant.host.entry(kind, |entry| entry["facts"]["command"] == id)?;
    }
    let ended = plant.host.metric("geminus_commands_total{state=\"verified\"}")?;
    ensure!(ended == Some(1.0), "{ended:?}");
    ensure!(plant.ear.waiting().is_empty(), "once");
    // Nothing stays at the broker for whoever comes later.
    let later = Listener::open(plant.broker.port, "later", SETS)?;
    plant.field.publish("rig/nobody/set/marker", b"{}", 1)?;
    plant.field.flush()?;
    ensure!(later.next()?.topic == "rig/nobody/set/marker", "retained");
    plant.host.stop()
}

fn hex(pair: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

#[test]
fn what_the_rules_refuse_does_not_leave_and_the_same_id_acts_once() -> anyhow::Result<()> {
    let mut plant = Plant::start()?;
    let refused = plant.propose("quick", 40.0, "Anna")?;
    ensure!(refused["state"] == "refused" && refused["rule"] == "range", "{refused}");
    plant.shows(1.0)?;
    let sent = plant.propose("quick", 4.0, "Anna")?;
    ensure!(plant.ear.next()?.topic.ends_with("/set/quick"));
    let id = sent["id"].clone();
    let again =
        json!({"id": id, "twin": TWIN, "target": "quick", "value": 4.0, "by": "Anna", "reason": "scenario"});
    let (status, same) = plant.host.post("/commands", &again)?;
    ensure!(status == 200 && same["digest"] == sent["digest"], "{status}: {same}");
    let mut other = again.clone();
    other["value"] = json!(5.0);
    let (status, conflict) = plant.host.post("/commands", &other)?;
    ensure!(status == 409, "{conflict}");
    plant.shows(4.0)?;
    plant.comes_to(&sent, "verified")?;
    let (status, over) = plant.host.post("/commands", &again)?;
    ensure!(status == 200 && over["state"] == "verified", "{over}");
    ensure!(plant.ear.waiting().is_empty(), "it left once");
    plant.host.stop()
}

#[test]
fn a_host_that_is_killed_before_the_read_back_claims_nothing_and_sends_nothing_again() -> anyhow::Result<()> {
    let Plant { broker, ear, _site: site, host, .. } = Plant::start()?;
    let body = json!({"twin": TWIN, "target": "quick", "value": 4.0, "by": "Anna"});
    let (status, command) = host.post("/commands", &body)?;
    ensure!(status == 201, "{command}");
    ear.next()?;
    comes_to(&host, &command, "transport-acked")?;
    host.kill()?;
    // Out of the time in which a read-back would count.
    let over = SystemTime::now() + Duration::from_secs(21);
    wait_for("the time of the read-back to be over", PATIENCE, || {
        Ok((SystemTime::now() > over).then_some(()))
    })?;
    let host = Host::start(&site.site())?;
    connected(&host)?;
    comes_to(&host, &command, "indeterminate")?;
    let mut field = Publisher::connect(broker.port, "field-2")?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let payload = format!(r#"{{"value":4.0,"time":{time},"quality":"good"}}"#);
    field.publish(&format!("rig/{TWIN}/current"), payload.as_bytes(), 1)?;
    field.flush()?;
    wait_for("the value to arrive", PATIENCE, || {
        Ok((host.get("/targets")?["targets"][0]["feedback"]["value"] == 4.0).then_some(()))
    })?;
    let found = detail(&host, &command)?;
    ensure!(found["command"]["state"] == "indeterminate", "never verified falsely: {found}");
    let id = command["id"].as_str().context("an id")?;
    let (status, resolved) =
        host.post(&format!("/commands/{id}/resolve"), &json!({"by": "Ben", "reason": "it stands at 4 A"}))?;
    ensure!(status == 200 && resolved["resolved"]["by"] == "Ben", "{resolved}");
    ensure!(ear.waiting().is_empty(), "never again");
    host.stop()
}

#[test]
fn a_host_that_stood_still_is_disarmed_until_a_person_arms_it() -> anyhow::Result<()> {
    let plant = Plant::start()?;
    let path = format!("/twins/{TWIN}/authority");
    let arm = json!({"level": "control", "by": "Anna", "reason": "scenario"});
    let before = plant.host.get(&path)?;
    ensure!(before["configured"] == "control" && before["effective"] == "advise", "{before}");
    let (status, armed) = plant.host.post(&path, &arm)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    let first = plant.propose("quick", 4.0, "Anna")?;
    plant.ear.next()?;
    // It waits for the first one, and would be sent once that is settled.
    let second = plant.propose("quick", 5.0, "Anna")?;
    ensure!(second["state"] == "checked", "{second}");
    signal(&plant.host, "-STOP")?;
    let over = SystemTime::now() + Duration::from_secs(10);
    wait_for("ten seconds of standing still", PATIENCE, || Ok((SystemTime::now() > over).then_some(())))?;
    signal(&plant.host, "-CONT")?;
    plant.host.entry("host-stood-still", |_| true)?;
    let after = plant.host.get(&path)?;
    ensure!(after["effective"] == "advise" && after["armed"].is_null(), "{after}");
    let refused = plant.comes_to(&second, "refused")?;
    ensure!(refused["command"]["rule"] == "stood-still", "{refused}");
    comes_to(&plant.host, &first, "indeterminate")?;
    ensure!(plant.ear.waiting().is_empty(), "nothing is sent on resume");
    let (status, armed) = plant.host.post(&path, &arm)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    plant.host.stop()
}

/// How long the field waits for a beat.
const DEAD_MAN: Duration = Duration::from_secs(5);
/// What a busy machine may take for a beat on its way and a thread that has to wake.
const LATE_MAX: Duration = Duration::from_secs(2);

/// Waits until the dead-man has heard so many beats.
fn beats(dead_man: &DeadMan, count: usize) -> anyhow::Result<()> {
    wait_for(
        &format!("{count} beats"),
        PATIENCE,
        || Ok((dead_man.watch().beats.len() >= count).then_some(())),
    )
}

fn sequence(dead_man: &DeadMan, place: usize) -> anyhow::Result<u64> {
    let payload = dead_man.watch().beats.get(place).context("a beat")?.payload.clone();
    let beat: Value = serde_json::from_slice(&payload)?;
    ensure!(beat["twin"] == TWIN && beat["target"] == "quick" && beat["every_ms"] == 1_000, "{beat}");
    ensure!(beat["time"].as_u64().is_some(), "{beat}");
    beat["sequence"].as_u64().context("a sequence")
}

#[test]
fn the_field_fails_safe_while_the_host_stands_still_and_hears_nothing_until_a_person_arms()
-> anyhow::Result<()> {
    let mut plant = Plant::start()?;
    let topic = format!("rig/{TWIN}/beat/quick");
    let dead_man = DeadMan::open(plant.broker.port, "dead-man", &topic, DEAD_MAN)?;
    let path = format!("/twins/{TWIN}/authority");
    let arm = json!({"level": "control", "by": "Anna", "reason": "scenario"});
    ensure!(dead_man.watch().beats.is_empty(), "no beat of a twin that is not armed");
    let (status, armed) = plant.host.post(&path, &arm)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    beats(&dead_man, 3)?;
    let numbers = (sequence(&dead_man, 0)?, sequence(&dead_man, 2)?);
    ensure!(numbers == (1, 3), "{numbers:?}");
    let first = dead_man.watch().beats[0].clone();
    ensure!(first.qos == 0 && !first.retained && first.expiry_s.is_some_and(|left| left <= 3), "{first:?}");
    // One order is out, and one would follow it.
    plant.propose("quick", 4.0, "Anna")?;
    plant.ear.next()?;
    let ready = plant.propose("quick", 5.0, "Anna")?;
    ensure!(ready["state"] == "checked", "{ready}");
    ensure!(dead_man.watch().failed.is_none(), "it beats");
    let (stopped, over) = (Instant::now(), Instant::now() + Duration::from_secs(10));
    signal(&plant.host, "-STOP")?;
    let failed = wait_for("the fail action in the field", PATIENCE, || Ok(dead_man.watch().failed))?;
    let took = failed.saturating_duration_since(stopped);
    ensure!(took <= DEAD_MAN + LATE_MAX, "it took {took:?}");
    let heard = dead_man.watch().beats.len();
    let last = sequence(&dead_man, heard - 1)?;
    wait_for("ten seconds of standing still", PATIENCE, || Ok((Instant::now() > over).then_some(())))?;
    signal(&plant.host, "-CONT")?;
    plant.host.entry("host-stood-still", |_| true)?;
    plant.comes_to(&ready, "refused")?;
    let quick = wait_for("the beats to be silent", PATIENCE, || {
        let targets = plant.host.get("/targets?twin=pump-rig-1")?;
        let quick =
            targets["targets"].as_array().context("targets")?.iter().find(|one| one["name"] == "quick");
        let heartbeat = quick.context("quick")?["heartbeat"].clone();
        Ok((!heartbeat["silent"].is_null()).then_some(heartbeat))
    })?;
    ensure!(quick["silent"] == "the twin is not armed" && quick["beats"] == last, "{quick}");
    // Three more periods, the line to the broker standing again.
    connected(&plant.host)?;
    let over = Instant::now() + Duration::from_secs(3);
    wait_for("three periods", PATIENCE, || Ok((Instant::now() > over).then_some(())))?;
    plant.field.publish(&topic, b"marker", 1)?;
    plant.field.flush()?;
    beats(&dead_man, heard + 1)?;
    ensure!(dead_man.watch().beats[heard].payload == b"marker", "no beat on resume");
    ensure!(plant.ear.waiting().is_empty(), "no order on resume");
    let (status, armed) = plant.host.post(&path, &arm)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    beats(&dead_man, heard + 3)?;
    ensure!(sequence(&dead_man, heard + 1)? == last + 1, "it goes on where it ended");
    plant.host.stop()
}

fn signal(host: &Host, which: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args([which, &host.id().to_string()]).status()?;
    ensure!(status.success(), "kill {which} failed");
    Ok(())
}

#[test]
fn without_a_broker_a_command_fails_and_does_not_leave_later() -> anyhow::Result<()> {
    let mut plant = Plant::start()?;
    plant.broker.kill()?;
    wait_for("the connection to be gone", PATIENCE, || {
        Ok((plant.host.get("/targets")?["targets"][0]["egress"]["up"] == false).then_some(()))
    })?;
    let command = plant.propose("quick", 4.0, "Anna")?;
    let failed = plant.comes_to(&command, "failed")?;
    let detail = failed["command"]["detail"].as_str().context("why")?;
    ensure!(detail.contains("no connection"), "{detail}");
    plant.broker.up()?;
    let ear = Listener::open(plant.broker.port, "ear-2", SETS)?;
    connected(&plant.host)?;
    let next = plant.propose("quick", 5.0, "Anna")?;
    let order: Value = serde_json::from_slice(&ear.next()?.payload)?;
    ensure!(order["id"] == next["id"] && order["value"] == 5.0, "only the new one: {order}");
    ensure!(ear.waiting().is_empty(), "the old one never leaves");
    plant.host.stop()
}
