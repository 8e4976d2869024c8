//! A whole host with OPC UA servers of asyncua and node-opcua: values in history as the servers hold them, a line that is
//! cut, certificates by the command line, a server that never answers, and a site file out of `geminus discover`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{
    Host, Mute, OpcUaPeer, OpcUaServer, PATIENCE, SiteFolder, Wire, free_port, geminus, wait_for,
};
use serde_json::json;

const TWIN: &str = "pump-1";
const POINTS: [&str; 4] = ["double", "float", "int64", "boolean"];
/// What they can hold at their ends.
const VALUES: [(&str, &[f64]); 4] = [
    ("double", &[0.1, -0.0, 5e-324, f64::MAX, f64::MIN, 1.0 / 3.0]),
    ("float", &[0.5, f32::MAX as f64, 0.1_f32 as f64]),
    ("int64", &[-1.0, 9_007_199_254_740_992.0, -9_007_199_254_740_991.0]),
    ("boolean", &[1.0, 0.0, 1.0]),
];

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [
        {"@type": "Telemetry", "name": "double", "schema": "double"},
        {"@type": "Telemetry", "name": "float", "schema": "double"},
        {"@type": "Telemetry", "name": "int64", "schema": "double"},
        {"@type": "Telemetry", "name": "boolean", "schema": "boolean"}]}"#;

fn site(port: u16, more: &str) -> anyhow::Result<SiteFolder> {
    let text = format!(
        "[site]\nname = \"ua\"\n\
         [[source]]\nname = \"plc\"\n\
         opcua = {{ endpoint = \"opc.tcp://127.0.0.1:{port}\", publishing_ms = 50, sampling_ms = 0, queue_size = 10000{more} }}\n\
         [[twin]]\nid = \"{TWIN}\"\ntype = \"dtmi:t:Pump;1\"\ninterval_ms = 600000\n\
         [[bind]]\nsource = \"plc\"\ntopic = \"nsu=urn:geminus:test;s={{twin}}.{{point}}\"\n"
    );
    SiteFolder::new(&text, &[("pump.json", TYPE)])
}

fn run(arguments: &[&str]) -> anyhow::Result<Output> {
    let output = Command::new(geminus()?).args(arguments).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output)
}

/// Values and qualities in history, in order.
fn history(site: &SiteFolder, point: &str) -> anyhow::Result<Vec<(u64, String)>> {
    let path = site.site();
    let path = path.to_str().context("a path in UTF-8")?;
    let output = run(&["history", "query", path, TWIN, point, "--limit", "10000"])?;
    let text = String::from_utf8(output.stdout)?;
    let rows = text.lines().map(|line| {
        let [_, value, quality] = line.split(',').collect::<Vec<_>>()[..] else {
            anyhow::bail!("{line} is no row")
        };
        // What is bad has no number.
        let value = if value.is_empty() { f64::NAN } else { value.parse()? };
        Ok((value.to_bits(), quality.to_owned()))
    });
    rows.collect()
}

/// Waits for a value, as exactly as a number in an answer of the API is read here; history is looked at to the last bit.
fn waits(host: &Host, point: &str, value: f64) -> anyhow::Result<()> {
    wait_for(&format!("{point} to be {value}"), PATIENCE, || {
        let now = host.point(TWIN, point)?["value"].as_f64();
        Ok(now.filter(|now| (now - value).abs() <= value.abs() * 1e-15).map(drop))
    })
}

/// Everything that a server held comes into history, over a line that is cut meanwhile.
fn scenario(peer: OpcUaPeer) -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(peer, port, folder.path())?;
    let wire = Wire::to(port)?;
    let site = site(wire.port, "")?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    for point in POINTS {
        waits(&host, point, 0.0)?;
    }
    for (point, values) in VALUES {
        for value in values {
            server.set(point, *value, 0)?;
            // One after the other: what a server does not look at between two changes nobody hears of.
            waits(&host, point, *value)?;
        }
    }
    server.set("double", 7.0, 0x4090_0000)?;
    waits(&host, "double", 7.0)?;
    server.set("double", 8.0, 0x808c_0000)?;
    wait_for(
        "a bad value",
        PATIENCE,
        || Ok((host.point(TWIN, "double")?["quality"] == "bad").then_some(())),
    )?;

    // A node counts on while nobody is there, no faster than the server looks at it.
    let (count, period_ms) = match peer {
        OpcUaPeer::Asyncua => (300, 20),
        OpcUaPeer::NodeOpcua => (80, 150),
    };
    server.count("double", 100, 100 + count, period_ms)?;
    wait_for("some of it", PATIENCE, || {
        Ok(host.point(TWIN, "double")?["value"].as_f64().filter(|value| *value >= 120.0))
    })?;
    wire.cut();
    host.entry("source-lost", |_| true)?;
    wire.mend();
    host.entry("source-back", |_| true)?;
    server.says("count")?;
    waits(&host, "double", f64::from(100 + count - 1))?;
    assert_eq!(host.metric("geminus_samples_total{fate=\"late\"}")?, Some(0.0));
    host.stop()?;

    for (point, values) in VALUES {
        let mut expect: Vec<u64> = [0.0].iter().chain(values).map(|value| value.to_bits()).collect();
        if point == "double" {
            expect.extend((100..100 + count).map(|number| f64::from(number).to_bits()));
        }
        let rows = history(&site, point)?;
        let good: Vec<u64> =
            rows.iter().filter(|(_, quality)| quality == "good").map(|(bits, _)| *bits).collect();
        assert_eq!(good, expect, "{peer:?} {point}: as the server held it, bit for bit, each once");
    }
    let rows = history(&site, "double")?;
    let with = |quality: &str| rows.iter().filter(|(_, found)| found == quality).count();
    assert_eq!((with("uncertain"), with("bad")), (1, 1), "{peer:?}");
    Ok(())
}

#[test]
fn asyncua_is_followed_bit_for_bit_over_a_line_that_is_cut() -> anyhow::Result<()> {
    scenario(OpcUaPeer::Asyncua)
}

#[test]
fn node_opcua_is_followed_bit_for_bit_over_a_line_that_is_cut() -> anyhow::Result<()> {
    scenario(OpcUaPeer::NodeOpcua)
}

/// A secured line needs a person's word, and another one when the server's certificate has changed.
fn certificates(peer: OpcUaPeer) -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(peer, port, &folder.path().join("server"))?;
    // node-opcua puts the URI last among the names of its certificate, where the library does not look.
    let check_host = peer == OpcUaPeer::Asyncua;
    let secured = format!(
        ", security = \"aes256sha256rsapss\", username = \"ann\", password_file = \"password\", check_host = {check_host}"
    );
    let site = site(port, &secured)?;
    let password = site.path("password");
    std::fs::write(&password, "secret\n")?;
    // One that everybody can read is refused before anything is connected.
    std::fs::set_permissions(&password, Permissions::from_mode(0o644))?;
    let refused = Host::start(&site.site()).map(drop).expect_err("a password for everybody");
    ensure!(format!("{refused:?}").contains("password_file"), "{refused:?}");
    std::fs::set_permissions(&password, Permissions::from_mode(0o600))?;
    let host = Host::start(&site.site())?;
    let path = site.site();
    let path = path.to_str().context("a path in UTF-8")?;

    let unknown = host.entry("certificate-untrusted", |_| true)?;
    let first = unknown["facts"]["thumbprint"].as_str().context("thumbprint")?.to_owned();
    let listed = String::from_utf8(run(&["certificate", "list", "--site", path])?.stdout)?;
    assert!(listed.contains("rejected") && listed.contains(&first), "{listed}");
    run(&["certificate", "trust", &first, "--site", path])?;
    host.entry("source-connected", |_| true)?;
    server.set("double", 1.5, 0)?;
    waits(&host, "double", 1.5)?;

    server.kill()?;
    host.entry("source-lost", |_| true)?;
    std::fs::remove_dir_all(folder.path().join("server"))?;
    let mut server = OpcUaServer::start(peer, port, &folder.path().join("server"))?;
    let changed = host.entry("certificate-changed", |_| true)?;
    assert_eq!(changed["facts"]["before"], first.as_str());
    server.set("double", 2.5, 0)?;
    assert_eq!(host.point(TWIN, "double")?["value"], 1.5, "nothing is taken from it");
    let second = changed["facts"]["thumbprint"].as_str().context("thumbprint")?;
    let message = changed["message"].as_str().context("a message")?;
    ensure!(message.contains(second) && message.contains(&first), "both by name: {message}");
    let shown = host.get("/certificates")?;
    let servers = shown["servers"].as_array().context("servers")?;
    let new = servers.iter().find(|one| one["thumbprint"] == second).context("the new one")?;
    ensure!(new["rejection"] == "changed" && new["before"] == first.as_str(), "{new}");
    ensure!(new["seen"][0]["source"] == "plc" && new["key_bits"].is_number(), "{new}");
    ensure!(servers.iter().any(|one| one["thumbprint"] == first.as_str() && one["standing"] == "trusted"));
    ensure!(shown["own"][0]["application_uri"] == "urn:geminus:host", "{shown}");
    ensure!(!shown.to_string().contains("PRIVATE"), "a key stands in an answer");
    let trust = format!("/certificates/{second}/trust");
    let (status, part) =
        host.post(&format!("/certificates/{}/trust", &second[..12]), &json!({"by": "Anna"}))?;
    ensure!(status == 400, "a part of a thumbprint is not trusted: {part}");
    let (status, trusted) = host.post(&trust, &json!({"by": "Anna"}))?;
    ensure!(status == 200 && trusted["standing"] == "trusted", "{status}: {trusted}");
    host.entry("certificate-trusted", |entry| entry["facts"]["by"] == "Anna")?;
    host.entry("source-back", |_| true)?;
    waits(&host, "double", 2.5)?;

    // Trust that is taken back ends the line that stands, and nothing is taken from it any more.
    let (status, rejected) = host.post(&format!("/certificates/{second}/reject"), &json!({"by": "Ben"}))?;
    ensure!(status == 200 && rejected["rejection"] == "taken-back", "{status}: {rejected}");
    wait_for("the line to end", PATIENCE, || {
        Ok((host.metric("geminus_source_connected{source=\"plc\"}")? == Some(0.0)).then_some(()))
    })?;
    server.set("double", 3.5, 0)?;
    host.post(&trust, &json!({"by": "Anna"}))?;
    waits(&host, "double", 3.5)?;
    let log = host.log();
    assert!(!log.contains("secret"), "no password in the log");
    host.stop()
}

#[test]
fn asyncua_is_trusted_by_a_person_and_not_when_it_has_changed() -> anyhow::Result<()> {
    certificates(OpcUaPeer::Asyncua)
}

#[test]
fn node_opcua_is_trusted_by_a_person_and_not_when_it_has_changed() -> anyhow::Result<()> {
    certificates(OpcUaPeer::NodeOpcua)
}

#[test]
fn a_server_that_never_answers_holds_nothing_up() -> anyhow::Result<()> {
    let mute = Mute::start()?;
    let site = site(mute.port, "")?;
    let host = Host::start(&site.site())?;
    mute.called(PATIENCE)?;
    let lost = host.entry("source-lost", |_| true)?;
    assert!(lost["message"].as_str().is_some_and(|message| message.contains("did not answer")), "{lost}");
    mute.called(PATIENCE).context("it is tried again")?;
    host.lives()?;
    host.stop()
}

#[test]
fn what_is_discovered_is_a_site_file() -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let _server = OpcUaServer::start(OpcUaPeer::NodeOpcua, port, folder.path())?;
    let endpoint = format!("opc.tcp://127.0.0.1:{port}");
    let under = "nsu=urn:geminus:test;s=pump-1";
    let printed = String::from_utf8(
        run(&["discover", "opcua", &endpoint, "--under", under, "--source", "plc"])?.stdout,
    )?;
    assert!(printed.contains("topic = \"nsu=urn:geminus:test;s=pump-1.{point}\""), "{printed}");
    // With a twin that has these points, it is a site that the host would run.
    let names = printed.lines().filter_map(|line| line.strip_prefix("points = [")?.split_once(']'));
    let names: Vec<&str> = names.flat_map(|(names, _)| names.split(", ")).collect();
    ensure!(names.len() > 10, "{printed}");
    let contents: Vec<String> = names
        .iter()
        .map(|name| format!("{{\"@type\": \"Telemetry\", \"name\": {name}, \"schema\": \"double\"}}"))
        .collect();
    let kind = format!(
        "{{\"@context\": [\"dtmi:dtdl:context;3\"], \"@id\": \"dtmi:t:Pump;1\", \"@type\": \"Interface\", \
         \"displayName\": \"Pump\", \"contents\": [{}]}}",
        contents.join(", ")
    );
    let twin = format!("[site]\nname = \"ua\"\n[[twin]]\nid = \"{TWIN}\"\ntype = \"dtmi:t:Pump;1\"\n");
    let site = SiteFolder::new(&format!("{twin}{printed}"), &[("pump.json", &kind)])?;
    let path = site.site();
    run(&["check", path.to_str().context("a path in UTF-8")?]).map(drop)
}

/// A command is written to a node, and verified by what the server then holds; one that is out of range is not sent.
fn commanded(peer: OpcUaPeer) -> anyhow::Result<()> {
    let (folder, port) = (tempfile::tempdir()?, free_port()?);
    let mut server = OpcUaServer::start(peer, port, folder.path())?;
    let kind = TYPE.replace("\"boolean\", \"schema\": \"boolean\"", "\"setpoint\", \"schema\": \"double\"");
    let text = format!(
        "[site]\nname = \"ua\"\n[command.class.free]\napprovers = 0\n\
         [[source]]\nname = \"plc\"\n\
         opcua = {{ endpoint = \"opc.tcp://127.0.0.1:{port}\", publishing_ms = 50, sampling_ms = 0 }}\n\
         [[twin]]\nid = \"{TWIN}\"\ntype = \"dtmi:t:Pump;1\"\ninterval_ms = 600000\nauthority = \"control\"\n\
         [[bind]]\nsource = \"plc\"\ntopic = \"nsu=urn:geminus:test;s={{twin}}.{{point}}\"\n\
         [[target]]\nname = \"speed\"\nclass = \"free\"\nunit = \"1\"\n\
         write = {{ source = \"plc\", topic = \"nsu=urn:geminus:test;s={{twin}}.setpoint\" }}\n\
         feedback = {{ point = \"setpoint\", tolerance = 0.0, within_s = 20 }}\n\
         [target.interlock]\nrange = {{ min = 0, max = 10 }}\n"
    );
    let site = SiteFolder::new(&text, &[("pump.json", &kind)])?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    waits(&host, "setpoint", 0.0)?;
    wait_for("the line that writes", PATIENCE, || {
        Ok((host.get("/targets")?["targets"][0]["egress"]["up"] == true).then_some(()))
    })?;
    let propose = |value: f64| {
        let wish =
            json!({"twin": TWIN, "target": "speed", "value": value, "by": "Anna", "reason": "scenario"});
        host.post("/commands", &wish)
    };
    let (status, refused) = propose(11.0)?;
    ensure!(status == 201 && refused["state"] == "refused", "{refused}");
    let (status, command) = propose(4.25)?;
    ensure!(status == 201, "{command}");
    let path = format!("/commands/{}", command["id"].as_str().context("an id")?);
    wait_for("the command to be verified", PATIENCE, || {
        let found = host.get(&path)?;
        ensure!(found["command"]["state"] == "verified", "{}", found["command"]);
        Ok(Some(()))
    })?;
    assert_eq!(server.held("setpoint")?, 4.25_f64.to_bits(), "{peer:?}: what the server holds, bit for bit");
    host.stop()
}

#[test]
fn a_node_of_asyncua_is_commanded_and_read_back() -> anyhow::Result<()> {
    commanded(OpcUaPeer::Asyncua)
}

#[test]
fn a_node_of_node_opcua_is_commanded_and_read_back() -> anyhow::Result<()> {
    commanded(OpcUaPeer::NodeOpcua)
}
