//! Commands through the real host and mosquitto: one person proposes, another one approves, the order leaves once, and only the
//! field itself says that it was carried out. Refusals, a `kill -9` between order and read-back, a host that stood still, a broker that
//! is away, both versions of MQTT. Signs of life are in `heartbeat`.

mod heartbeat;
mod plant;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Host, Listener, PATIENCE, Publisher, wait_for};
use serde_json::{Value, json};

use self::plant::{Plant, SETS, TWIN, arm, comes_to, connected, detail, events, signal};

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
    let Plant { broker, ear, site, host, .. } = Plant::start()?;
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
    let before = plant.host.get(&path)?;
    ensure!(before["configured"] == "control" && before["effective"] == "advise", "{before}");
    arm(&plant.host)?;
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
    arm(&plant.host)?;
    plant.host.stop()
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

#[test]
fn over_mqtt_3_1_1_an_order_leaves_once_and_without_a_broker_not_at_all() -> anyhow::Result<()> {
    let mut plant = Plant::over("3.1.1")?;
    let sent = plant.propose("quick", 4.0, "Anna")?;
    let message = plant.ear.next()?;
    ensure!(message.topic == format!("rig/{TWIN}/set/quick"), "{message:?}");
    ensure!(!message.retained && message.qos == 1, "{message:?}");
    // This version has no words for more: the payload says until when it holds.
    ensure!(message.expiry_s.is_none() && message.correlation.is_none(), "{message:?}");
    let order: Value = serde_json::from_slice(&message.payload)?;
    ensure!(order["id"] == sent["id"] && order["value"] == 4.0, "{order}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    ensure!(order["not_after"].as_u64().is_some_and(|end| u128::from(end) > now), "{order}");
    comes_to(&plant.host, &sent, "transport-acked")?;
    plant.shows(4.0)?;
    plant.comes_to(&sent, "verified")?;

    plant.broker.kill()?;
    wait_for("the connection to be gone", PATIENCE, || {
        Ok((plant.host.get("/targets")?["targets"][0]["egress"]["up"] == false).then_some(()))
    })?;
    let lost = plant.propose("quick", 5.0, "Anna")?;
    plant.comes_to(&lost, "failed")?;
    plant.broker.up()?;
    let ear = Listener::open(plant.broker.port, "ear-2", SETS)?;
    connected(&plant.host)?;
    let next = plant.propose("quick", 6.0, "Anna")?;
    let order: Value = serde_json::from_slice(&ear.next()?.payload)?;
    ensure!(order["id"] == next["id"], "only the new one: {order}");
    ensure!(ear.waiting().is_empty() && plant.ear.waiting().is_empty(), "once each");
    plant.host.stop()
}
