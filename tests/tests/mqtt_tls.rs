//! Brokers that speak TLS and ask for a certificate: samples arrive and survive a restart of the broker, commands leave, and each
//! way to be wrong is refused with a journal entry or an error that says what to change.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{
    Authority, Broker, EdgeNode, Host, Identity, Listener, PATIENCE, Publisher, SiteFolder, free_port,
    geminus, publish_round, wait_for, whole,
};
use serde_json::{Value, json};

const TWIN: &str = "pump-rig-1";
/// Rounds before and after a restart.
const ROUNDS: u64 = 50;
const LOOPBACK: &str = "DNS:localhost,IP:127.0.0.1";

/// `tls = { … }` with these files.
fn tls(ca: &Path, own: Option<&Identity>) -> String {
    let own = own.map(|own| {
        format!(", certificate = \"{}\", key = \"{}\"", own.certificate.display(), own.key.display())
    });
    let own = own.unwrap_or_default();
    format!("tls = {{ ca = \"{}\"{own} }}", ca.display())
}

/// The site of the example with its broker over TLS.
fn secure(text: &str, secured: u16, version: &str, tls: &str) -> String {
    text.replace("mqtt://127.0.0.1:1883", &format!("mqtts://127.0.0.1:{secured}"))
        .replace("version = \"5\"", &format!("version = \"{version}\""))
        .replace("qos = 1 }", &format!("qos = 1, {tls} }}"))
}

fn site(secured: u16, version: &str, tls: &str) -> anyhow::Result<SiteFolder> {
    SiteFolder::from_example("pump-rig", |text| secure(&text, secured, version, tls))
}

fn publish(broker: &Broker, from: u64) -> anyhow::Result<()> {
    let mut field = Publisher::connect(broker.port, "field")?;
    for round in from..from + ROUNDS {
        publish_round(&mut field, &format!("rig/{TWIN}/"), round)?;
    }
    field.flush().map(drop)
}

fn connected(host: &Host, expect: f64) -> anyhow::Result<()> {
    wait_for(&format!("geminus_source_connected {expect}"), PATIENCE, || {
        Ok((host.metric("geminus_source_connected{source=\"broker\"}")? == Some(expect)).then_some(()))
    })
}

/// Mutual TLS, then a restart of the broker with the host there, then one without it.
fn restarts(version: &str) -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let (server, own) = (authority.issue("broker", LOOPBACK)?, authority.issue("host", "DNS:host.example")?);
    let (mut broker, secured) = Broker::start_secured(10_000, &server, &authority)?;
    let site = site(secured, version, &tls(&authority.certificate(), Some(&own)))?;
    let port = free_port()?;
    let host = Host::start_on(&site.site(), port)?;
    connected(&host, 1.0)?;
    publish(&broker, 0)?;
    whole(&host, TWIN, ROUNDS)?;

    broker.terminate()?;
    host.entry("source-lost", |_| true)?;
    broker.up()?;
    host.entry("source-back", |_| true)?;
    publish(&broker, ROUNDS)?;
    whole(&host, TWIN, 2 * ROUNDS)?;

    // What waits at the broker for a host that is away outlives the broker too.
    host.stop()?;
    publish(&broker, 2 * ROUNDS)?;
    broker.terminate()?;
    broker.up()?;
    let host = Host::start_on(&site.site(), port)?;
    whole(&host, TWIN, 3 * ROUNDS)?;
    host.stop()
}

#[test]
fn samples_come_over_mutual_tls_and_none_is_lost_when_the_broker_restarts_with_mqtt_5() -> anyhow::Result<()>
{
    restarts("5")
}

#[test]
fn samples_come_over_mutual_tls_and_none_is_lost_when_the_broker_restarts_with_mqtt_3_1_1()
-> anyhow::Result<()> {
    restarts("3.1.1")
}

/// A target that asks nobody, is read back from the current, and has a sign of life.
const TARGET: &str = r#"
[command.class.free]
approvers = 0

[[target]]
name = "current"
class = "free"
unit = "A"
write = { source = "broker", topic = "rig/{twin}/set/current" }
heartbeat = { topic = "rig/{twin}/beat", every_ms = 500 }
feedback = { point = "current", tolerance = 0.05, within_s = 20 }
[target.interlock]
range = { min = 0, max = 10 }
"#;

/// The site with that target.
fn commanded(secured: u16, version: &str, tls: &str) -> anyhow::Result<SiteFolder> {
    SiteFolder::from_example("pump-rig", |text| {
        let rig = "type = \"dtmi:geminus:example:PumpRig;1\"";
        let text = secure(&text, secured, version, tls);
        format!("{}{TARGET}", text.replace(rig, &format!("{rig}\nauthority = \"control\"")))
    })
}

/// The line that writes stands or not.
fn writes(host: &Host, up: bool) -> anyhow::Result<()> {
    wait_for(&format!("the line that writes to be up: {up}"), PATIENCE, || {
        Ok((host.get("/targets")?["targets"][0]["egress"]["up"] == up).then_some(()))
    })
}

/// A command goes out over mutual TLS, once, and the field shows it; without the broker none goes, and after its restart the next.
fn commands(version: &str) -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let (server, own) = (authority.issue("broker", LOOPBACK)?, authority.issue("host", "DNS:host.example")?);
    let (mut broker, secured) = Broker::start_secured(1_000, &server, &authority)?;
    let trust = tls(&authority.certificate(), Some(&own));
    let site = commanded(secured, version, &trust)?;
    let ear = Listener::open(broker.port, "ear", "rig/+/set/#")?;
    let host = Host::start(&site.site())?;
    writes(&host, true)?;

    let beats = Listener::open(broker.port, "beats", "rig/+/beat")?;
    let arm = json!({"level": "control", "by": "Anna", "reason": "scenario"});
    let (status, armed) = host.post(&format!("/twins/{TWIN}/authority"), &arm)?;
    ensure!(status == 200, "{armed}");
    beats.next()?;
    beats.next()?;

    let propose = |value: f64| -> anyhow::Result<Value> {
        let wish = json!({"twin": TWIN, "target": "current", "value": value, "by": "Anna"});
        let (status, command) = host.post("/commands", &wish)?;
        ensure!(status == 201, "{status}: {command}");
        Ok(command)
    };
    let comes_to = |command: &Value, state: &str| {
        let path = format!("/commands/{}", command["id"].as_str().context("an id")?);
        wait_for(&format!("a command to be {state}"), PATIENCE, || {
            let found = host.get(&path)?;
            ensure!(found["command"]["state"] == state, "{}", found["command"]);
            Ok(Some(()))
        })
    };
    let command = propose(4.0)?;
    let order: Value = serde_json::from_slice(&ear.next()?.payload)?;
    ensure!(order["id"] == command["id"] && order["value"] == 4.0, "{order}");
    comes_to(&command, "transport-acked")?;
    let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() + 1;
    let shown = format!(r#"{{"value":4.0,"time":{time},"quality":"good"}}"#);
    let mut field = Publisher::connect(broker.port, "field")?;
    field.publish(&format!("rig/{TWIN}/current"), shown.as_bytes(), 1)?;
    field.flush()?;
    comes_to(&command, "verified")?;
    ensure!(ear.waiting().is_empty(), "it left once");

    broker.terminate()?;
    writes(&host, false)?;
    comes_to(&propose(5.0)?, "failed")?;
    broker.up()?;
    let ear = Listener::open(broker.port, "ear-2", "rig/+/set/#")?;
    writes(&host, true)?;
    let next = propose(6.0)?;
    let order: Value = serde_json::from_slice(&ear.next()?.payload)?;
    ensure!(order["id"] == next["id"], "only the new one: {order}");
    host.stop()
}

#[test]
fn a_command_leaves_over_mutual_tls_once_with_mqtt_5() -> anyhow::Result<()> {
    commands("5")
}

#[test]
fn a_command_leaves_over_mutual_tls_once_with_mqtt_3_1_1() -> anyhow::Result<()> {
    commands("3.1.1")
}

#[test]
fn without_a_certificate_that_the_broker_knows_no_command_leaves() -> anyhow::Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let server = authority.issue("broker", LOOPBACK)?;
    let foreign = stranger.issue("host", "DNS:host.example")?;
    let (broker, secured) = Broker::start_secured(1_000, &server, &authority)?;
    let trust = tls(&authority.certificate(), Some(&foreign));
    let site = commanded(secured, "5", &trust)?;
    let ear = Listener::open(broker.port, "ear", "rig/+/set/#")?;
    let host = Host::start(&site.site())?;
    host.entry("source-lost", |_| true)?;
    let wish = json!({"twin": TWIN, "target": "current", "value": 4.0, "by": "Anna"});
    let (status, command) = host.post("/commands", &wish)?;
    ensure!(status == 201, "{status}: {command}");
    let path = format!("/commands/{}", command["id"].as_str().context("an id")?);
    wait_for("the command to fail", PATIENCE, || {
        let found = host.get(&path)?;
        Ok((found["command"]["state"] == "failed").then_some(()))
    })?;
    ensure!(host.get("/targets")?["targets"][0]["egress"]["up"] == false, "the line does not stand");
    ensure!(ear.waiting().is_empty(), "nothing left");
    host.stop()
}

/// A host that cannot connect runs, is not connected, and says why.
fn refused(secured: u16, tls: &str, words: &[&str]) -> anyhow::Result<()> {
    for version in ["5", "3.1.1"] {
        let site = site(secured, version, tls)?;
        let host = Host::start(&site.site())?;
        let lost = host.entry("source-lost", |_| true)?;
        let message = lost["message"].as_str().unwrap_or_default();
        for word in words {
            assert!(message.contains(word), "{version}: {word} is not in {message}");
        }
        assert_eq!(host.metric("geminus_source_connected{source=\"broker\"}")?, Some(0.0));
        assert_eq!(host.metric("geminus_source_reconnects_total{source=\"broker\"}")?, Some(0.0));
        host.stop()?;
    }
    Ok(())
}

#[test]
fn each_side_refuses_a_stranger_and_the_journal_says_which_and_why() -> anyhow::Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let (server, own) = (authority.issue("broker", LOOPBACK)?, authority.issue("host", "DNS:host.example")?);
    let (_broker, secured) = Broker::start_secured(100, &server, &authority)?;
    let ca = authority.certificate();
    refused(secured, &tls(&stranger.certificate(), Some(&own)), &["unknown CA", "tls.ca"])?;
    refused(secured, &tls(&ca, None), &["client certificate", "none is given"])?;
    let foreign = stranger.issue("host", "DNS:host.example")?;
    refused(secured, &tls(&ca, Some(&foreign)), &["our certificate", "tls.certificate"])?;

    let elsewhere = authority.issue("elsewhere", "DNS:elsewhere.example")?;
    let (_broker, secured) = Broker::start_secured(100, &elsewhere, &authority)?;
    refused(secured, &tls(&ca, Some(&own)), &["wrong name", "elsewhere.example"])
}

#[test]
fn a_key_that_others_may_read_stops_the_start_and_the_check() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let own = authority.issue("host", "DNS:host.example")?;
    let site = site(free_port()?, "5", &tls(&authority.certificate(), Some(&own)))?;
    let checked = || -> anyhow::Result<(bool, String)> {
        let output = Command::new(geminus()?).arg("check").arg(site.site()).output()?;
        Ok((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    assert!(checked()?.0, "a key of its own is fine: {}", checked()?.1);
    fs::set_permissions(&own.key, fs::Permissions::from_mode(0o644))?;
    let (passed, said) = checked()?;
    assert!(!passed && said.contains("may be read by others") && said.contains("chmod 600"), "{said}");
    let started = Host::start(&site.site()).map(drop);
    let said = format!("{:#}", started.expect_err("the key is open"));
    assert!(said.contains("may be read by others"), "{said}");
    Ok(())
}

const PUMP: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [{"@type": "Telemetry", "name": "temperature", "schema": "double"}]}"#;

#[test]
fn edge_nodes_are_heard_over_mutual_tls() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let (server, own) = (authority.issue("broker", LOOPBACK)?, authority.issue("host", "DNS:host.example")?);
    let (broker, secured) = Broker::start_secured(1_000, &server, &authority)?;
    let text = format!(
        "[site]\nname = \"spb\"\n\
         [[source]]\nname = \"edge\"\n[source.sparkplug]\nurl = \"mqtts://127.0.0.1:{secured}\"\n\
         host_id = \"geminus-tls\"\n{}\n\
         [[twin]]\nid = \"pump-1\"\ntype = \"dtmi:t:Pump;1\"\ninterval_ms = 600000\n\
         [[bind]]\nsource = \"edge\"\ntopic = \"spBv1.0/plant/edge-1/{{twin}}\"\n\
         payload = {{ fields = {{ temperature = \"Motor/Temperature\" }} }}\n",
        tls(&authority.certificate(), Some(&own))
    );
    let site = SiteFolder::new(&text, &[("pump.json", PUMP)])?;
    let mut edge = EdgeNode::start(broker.port, "plant", "edge-1", "pump-1")?;
    edge.says("born")?;
    let host = Host::start(&site.site())?;
    edge.says("asked")?;
    edge.says("born")?;
    edge.tell("data", &[("Motor/Temperature", 71.25)])?;
    edge.says("data")?;
    wait_for("the value", PATIENCE, || {
        let point = host.point("pump-1", "temperature")?;
        Ok((point["value"] == 71.25 && point["quality"] == "good").then_some(()))
    })?;
    host.stop()
}
