//! Signs of life over OPC UA: a counter in a node of asyncua, watched by a dead-man of the field's own. It takes its fail action while
//! the host stands still; a server that does not take the beats, or is gone, disarms the twin.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use geminus_tests::{Host, OpcUaPeer, OpcUaServer, PATIENCE, SiteFolder, free_port, geminus, wait_for};
use serde_json::{Value, json};

const TWIN: &str = "pump-1";
/// How long the field waits for another number: three periods.
const DEAD_MAN: Duration = Duration::from_secs(3);
/// When it must have taken its fail action.
const FAILED_MAX: Duration = Duration::from_secs(5);

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [{"@type": "Telemetry", "name": "setpoint", "schema": "double"}]}"#;

/// A twin whose setpoint is written, with beats to this node.
fn site(port: u16, beats: &str) -> anyhow::Result<SiteFolder> {
    let text = format!(
        "[site]\nname = \"ua\"\n[command.class.free]\napprovers = 0\n\
         [[source]]\nname = \"plc\"\n\
         opcua = {{ endpoint = \"opc.tcp://127.0.0.1:{port}\", publishing_ms = 50, sampling_ms = 0 }}\n\
         [[twin]]\nid = \"{TWIN}\"\ntype = \"dtmi:t:Pump;1\"\ninterval_ms = 600000\nauthority = \"control\"\n\
         [[bind]]\nsource = \"plc\"\ntopic = \"nsu=urn:geminus:test;s={{twin}}.{{point}}\"\n\
         [[target]]\nname = \"speed\"\nclass = \"free\"\nunit = \"1\"\n\
         write = {{ source = \"plc\", topic = \"nsu=urn:geminus:test;s={{twin}}.setpoint\" }}\n\
         heartbeat = {{ topic = \"{beats}\", every_ms = 1000 }}\n\
         feedback = {{ point = \"setpoint\", tolerance = 0.0, within_s = 20 }}\n\
         [target.interlock]\nrange = {{ min = 0, max = 10 }}\n"
    );
    SiteFolder::new(&text, &[("pump.json", TYPE)])
}

fn node(name: &str) -> String {
    format!("nsu=urn:geminus:test;s={{twin}}.{name}")
}

fn start(site: &SiteFolder) -> anyhow::Result<Host> {
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    connected(&host)?;
    Ok(host)
}

/// Waits until the line that writes stands.
fn connected(host: &Host) -> anyhow::Result<()> {
    wait_for("the line that writes", PATIENCE, || {
        Ok((host.get("/targets")?["targets"][0]["egress"]["up"] == true).then_some(()))
    })
}

fn arm(host: &Host) -> anyhow::Result<()> {
    let order = json!({"level": "control", "by": "Anna", "reason": "scenario"});
    let (status, armed) = host.post(&format!("/twins/{TWIN}/authority"), &order)?;
    ensure!(status == 200 && armed["effective"] == "control", "{armed}");
    Ok(())
}

fn effective(host: &Host) -> anyhow::Result<Value> {
    Ok(host.get(&format!("/twins/{TWIN}/authority"))?["effective"].clone())
}

fn heartbeat(host: &Host) -> anyhow::Result<Value> {
    Ok(host.get("/targets")?["targets"][0]["heartbeat"].clone())
}

fn held(server: &mut OpcUaServer, name: &str) -> anyhow::Result<f64> {
    Ok(f64::from_bits(server.held(name)?))
}

fn counts_to(server: &mut OpcUaServer, least: f64) -> anyhow::Result<f64> {
    wait_for(&format!("beat {least}"), PATIENCE, || {
        Ok(Some(held(server, "whole")?).filter(|count| *count >= least))
    })
}

fn signal(host: &Host, which: &str) -> anyhow::Result<()> {
    let status = Command::new("kill").args([which, &host.id().to_string()]).status()?;
    ensure!(status.success(), "kill {which} failed");
    Ok(())
}

#[test]
fn the_field_fails_safe_while_the_host_stands_still_and_counts_on_when_a_person_arms() -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(OpcUaPeer::Asyncua, port, folder.path())?;
    let site = site(port, &node("whole"))?;
    let host = start(&site)?;
    ensure!(held(&mut server, "whole")? == 0.0, "no beat of a twin that is not armed");
    ensure!(heartbeat(&host)?["silent"] == "the twin is not armed", "{}", heartbeat(&host)?);
    server.guard("whole", DEAD_MAN)?;
    arm(&host)?;
    counts_to(&mut server, 3.0)?;
    let wish = json!({"twin": TWIN, "target": "speed", "value": 4.25, "by": "Anna", "reason": "scenario"});
    let (status, command) = host.post("/commands", &wish)?;
    ensure!(status == 201, "{command}");
    let path = format!("/commands/{}", command["id"].as_str().context("an id")?);
    wait_for("the command to be verified", PATIENCE, || {
        let found = host.get(&path)?;
        ensure!(found["command"]["state"] == "verified", "{}", found["command"]);
        Ok(Some(()))
    })?;
    let view = heartbeat(&host)?;
    ensure!(view["silent"].is_null() && view["beats"].as_u64() >= Some(3), "{view}");
    ensure!(held(&mut server, "setpoint")? == 4.25, "the field does as it was told");

    let (stopped, over) = (Instant::now(), Instant::now() + Duration::from_secs(10));
    signal(&host, "-STOP")?;
    // What it says next, unless it was not patient while the host lived.
    let failed = server.says("failed")?;
    let took = stopped.elapsed();
    ensure!(took <= FAILED_MAX, "the fail action took {took:?}");
    ensure!(held(&mut server, "setpoint")? == 0.0, "its own fail action");
    let last = f64::from_bits(geminus_tests::bits(&failed)?);
    wait_for("ten seconds of standing still", PATIENCE, || Ok((Instant::now() > over).then_some(())))?;
    signal(&host, "-CONT")?;
    host.entry("host-stood-still", |_| true)?;
    let silent = wait_for("the beats to be silent", PATIENCE, || {
        let view = heartbeat(&host)?;
        Ok((!view["silent"].is_null()).then_some(view))
    })?;
    ensure!(effective(&host)? == "advise", "disarmed: {silent}");
    connected(&host)?;
    let quiet = held(&mut server, "whole")?;
    // One write may have been on its way when the host was stopped.
    ensure!(quiet == last || quiet == last + 1.0, "{last}, then {quiet}");
    let over = Instant::now() + Duration::from_secs(3);
    wait_for("three periods", PATIENCE, || Ok((Instant::now() > over).then_some(())))?;
    ensure!(held(&mut server, "whole")? == quiet, "no beat on resume");
    ensure!(held(&mut server, "setpoint")? == 0.0, "no order on resume");
    arm(&host)?;
    counts_to(&mut server, quiet + 2.0)?;
    host.stop()
}

/// Waits until the twin is disarmed because its beats did not leave, for this reason.
fn missed(host: &Host, reason: &str) -> anyhow::Result<()> {
    let told = host.entry("heartbeat-missed", |_| true)?;
    let message = told["message"].as_str().context("a message")?;
    ensure!(message.contains("no heartbeat of speed left") && message.contains(reason), "{message}");
    ensure!(effective(host)? == "advise", "{told}");
    Ok(())
}

#[test]
fn a_server_that_refuses_the_beats_disarms_the_twin_and_says_why() -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(OpcUaPeer::Asyncua, port, folder.path())?;
    // A node that only the server itself may write.
    let site = site(port, &node("double"))?;
    let host = start(&site)?;
    arm(&host)?;
    missed(&host, "Bad")?;
    ensure!(held(&mut server, "double")? == 0.0, "nothing of it came");
    host.lives()?;
    host.stop()
}

#[test]
fn a_server_that_is_gone_disarms_the_twin_and_its_return_arms_nobody() -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(OpcUaPeer::Asyncua, port, folder.path())?;
    let site = site(port, &node("whole"))?;
    let host = start(&site)?;
    arm(&host)?;
    counts_to(&mut server, 2.0)?;
    server.kill()?;
    missed(&host, "")?;
    let mut server = OpcUaServer::start(OpcUaPeer::Asyncua, port, folder.path())?;
    host.entry("source-back", |_| true)?;
    connected(&host)?;
    ensure!(held(&mut server, "whole")? == 0.0, "nothing was kept to beat later");
    arm(&host)?;
    counts_to(&mut server, 2.0)?;
    host.stop()
}

#[test]
fn a_server_that_stands_still_disarms_the_twin_and_finds_one_late_beat_at_most() -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(OpcUaPeer::Asyncua, port, folder.path())?;
    let site = site(port, &node("whole"))?;
    let host = start(&site)?;
    arm(&host)?;
    counts_to(&mut server, 2.0)?;
    server.signal("-STOP")?;
    let beats = || heartbeat(&host)?["beats"].as_f64().context("beats");
    let stopped = beats()?;
    missed(&host, "")?;
    let beats = beats()?;
    ensure!(
        beats <= stopped + 1.0,
        "{beats} beats left, {stopped} when it stopped: one is under way at most"
    );
    server.signal("-CONT")?;
    connected(&host)?;
    let after = held(&mut server, "whole")?;
    ensure!(after <= beats, "{after} is behind the last one that left, {beats}");
    arm(&host)?;
    counts_to(&mut server, beats + 2.0)?;
    host.stop()
}

#[test]
fn a_heartbeat_to_what_is_no_node_is_refused_before_anything_runs() -> anyhow::Result<()> {
    let site = site(free_port()?, "plant/{twin}/beat")?;
    let output = Command::new(geminus()?).arg("check").arg(site.site()).stdin(Stdio::null()).output()?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(!output.status.success(), "{said}");
    ensure!(
        said.contains("target \"speed\"") && said.contains("`plant/pump-1/beat` names no node"),
        "{said}"
    );
    Ok(())
}
