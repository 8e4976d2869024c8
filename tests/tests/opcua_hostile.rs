//! A whole host with OPC UA servers that mean no good: one floods, one lies about its intervals, one has a wrong clock. What is
//! wrong is named in the journal, the newest value is right, and the source beside it is not starved.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{Host, OpcUaPeer, OpcUaServer, PATIENCE, SiteFolder, free_port, geminus, wait_for};
use serde_json::json;

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [
        {"@type": "Telemetry", "name": "double", "schema": "double"},
        {"@type": "Telemetry", "name": "float", "schema": "double"}]}"#;

/// Values of the flood: many times what its server keeps of a node.
const FLOOD: u32 = 50_000;
/// Values that the neighbour of the flood has meanwhile.
const BESIDE: u32 = 100;
/// What the host may grow by while it is flooded: history has room in memory for what is not yet on disk.
const GROWTH_MAX_BYTES: u64 = 256 << 20;

/// A source and a twin of the same name for each server.
fn site(servers: &[(&str, u16)]) -> anyhow::Result<SiteFolder> {
    let mut text = "[site]\nname = \"ua\"\n".to_owned();
    for (name, port) in servers {
        text.push_str(&format!(
            "[[source]]\nname = \"{name}\"\n\
             opcua = {{ endpoint = \"opc.tcp://127.0.0.1:{port}\", publishing_ms = 50, sampling_ms = 0, queue_size = 100 }}\n\
             [[twin]]\nid = \"{name}\"\ntype = \"dtmi:t:Pump;1\"\ninterval_ms = 3600000\n\
             [[bind]]\nsource = \"{name}\"\ntwins = \"{name}\"\ntopic = \"nsu=urn:geminus:test;s=pump-1.{{point}}\"\n"
        ));
    }
    SiteFolder::new(&text, &[("pump.json", TYPE)])
}

fn waits(host: &Host, (twin, point): (&str, &str), value: f64) -> anyhow::Result<()> {
    wait_for(&format!("{point} of {twin} to be {value}"), PATIENCE, || {
        Ok((host.point(twin, point)?["value"] == json!(value)).then_some(()))
    })
}

fn resident_bytes(host: &Host) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", host.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.split_whitespace().next().context("a number")?.parse::<u64>()? * 1_024)
}

/// Values in history, in order.
fn history(site: &SiteFolder, twin: &str, point: &str) -> anyhow::Result<Vec<f64>> {
    let output = Command::new(geminus()?)
        .args(["history", "query"])
        .arg(site.site())
        .args([twin, point, "--limit", "100000"])
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    text.lines().map(|line| Ok(line.split(',').nth(1).context("a value")?.parse()?)).collect()
}

#[test]
fn a_flood_ends_with_the_newest_value_and_costs_its_neighbour_nothing() -> anyhow::Result<()> {
    let (folder, ports) = (tempfile::tempdir()?, (free_port()?, free_port()?));
    let mut flooding = OpcUaServer::start(OpcUaPeer::Asyncua, ports.0, &folder.path().join("flooding"))?;
    let mut calm = OpcUaServer::start(OpcUaPeer::Asyncua, ports.1, &folder.path().join("calm"))?;
    let site = site(&[("flooding", ports.0), ("calm", ports.1)])?;
    let host = Host::start(&site.site())?;
    for twin in ["flooding", "calm"] {
        waits(&host, (twin, "double"), 0.0)?;
    }
    let before = resident_bytes(&host)?;
    flooding.flood("double", FLOOD, "float")?;
    calm.count("double", 1, 1 + BESIDE, 20)?;
    calm.says("count")?;
    waits(&host, ("calm", "double"), f64::from(BESIDE))?;
    flooding.says("flood")?;
    waits(&host, ("flooding", "double"), f64::from(FLOOD))?;
    waits(&host, ("flooding", "float"), f64::from(FLOOD / 100))?;
    let grown = resident_bytes(&host)?.saturating_sub(before);
    ensure!(grown < GROWTH_MAX_BYTES, "the host grew by {grown} bytes");
    flooding.set("double", -1.0, 0)?;
    waits(&host, ("flooding", "double"), -1.0)?;
    host.lives()?;
    host.stop()?;
    let found = history(&site, "calm", "double")?;
    let expect: Vec<f64> = (0..=BESIDE).map(f64::from).collect();
    ensure!(found == expect, "the neighbour has each value once: {found:?}");
    let flood = history(&site, "flooding", "double")?;
    let (last, rest) = flood.split_last().context("values of the flood")?;
    ensure!(*last == -1.0, "{last}");
    ensure!(rest.is_sorted_by(|one, other| one < other), "in their order, none twice");
    Ok(())
}

#[test]
fn a_server_that_lies_is_named_and_followed_once_it_says_the_truth() -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(OpcUaPeer::Asyncua, port, folder.path())?;
    server.lie(&json!({ "publishing": "nan" }))?;
    let site = site(&[("plc", port)])?;
    let host = Host::start(&site.site())?;
    let lost = host.entry("source-lost", |_| true)?;
    let message = lost["message"].as_str().context("a message")?;
    ensure!(message.contains("the server makes a publishing interval"), "{message}");
    host.lives()?;
    server.lie(&json!({}))?;
    host.entry("source-back", |_| true)?;
    server.set("double", 2.5, 0)?;
    waits(&host, ("plc", "double"), 2.5)?;
    host.stop()
}

#[test]
fn a_clock_that_is_an_hour_ahead_is_named_and_one_that_is_behind_is_shown() -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(OpcUaPeer::Asyncua, port, folder.path())?;
    server.skew(-3_600)?;
    server.set("double", 1.5, 0)?;
    let site = site(&[("plc", port)])?;
    let host = Host::start(&site.site())?;
    waits(&host, ("plc", "double"), 1.5)?;
    server.skew(3_600)?;
    server.set("double", 6.5, 0)?;
    let refused = host.entry("sample-refused", |_| true)?;
    let message = refused["message"].as_str().context("a message")?;
    ensure!(message.contains("pump-1.double") && message.contains("too far in the future"), "{message}");
    ensure!(host.point("plc", "double")?["value"] == 1.5, "it is not taken");
    server.skew(0)?;
    server.set("double", 2.5, 0)?;
    waits(&host, ("plc", "double"), 2.5)?;
    host.stop()?;
    ensure!(history(&site, "plc", "double")? == [1.5, 2.5], "{:?}", history(&site, "plc", "double")?);
    Ok(())
}
