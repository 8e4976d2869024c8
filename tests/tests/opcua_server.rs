//! A whole host that shows its twins to OPC UA clients of two libraries that are not ours: what they browse, read and are sent
//! is what the host holds, bit for bit; they write nothing; and nobody comes in who must not.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{
    Broker, Host, OpcUaClient, OpcUaPeer, PATIENCE, Publisher, START_MS, SiteFolder, free_port, geminus,
    publish_round, wait_for, whole,
};
use serde_json::Value;

const TWIN: &str = "pump-rig-1";
const ROUNDS: u64 = 30;
const MEASURED: &str = "pump-rig-1/temperature";
const ESTIMATED: &str = "pump-rig-1/thermal.winding_temperature";
const PASSWORD: &str = "correct horse battery";

const GOOD: u64 = 0;
const STALE: u64 = 0x4090_0000;
const BAD_USER_ACCESS_DENIED: u64 = 0x801f_0000;
const BAD_WAITING_FOR_INITIAL_DATA: u64 = 0x8032_0000;
const BAD_NOT_WRITABLE: u64 = 0x803b_0000;

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path in UTF-8")
}

fn run(words: &[&str], given: &str) -> anyhow::Result<String> {
    let mut child = Command::new(geminus()?)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("standard input")?.write_all(given.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn names(found: &[Value]) -> Vec<&str> {
    found.iter().filter_map(|one| one["name"].as_str()).collect()
}

/// Bits of a point in history by their time, as the command line gives them.
fn history(site: &SiteFolder, node: &str) -> anyhow::Result<BTreeMap<u64, u64>> {
    let (twin, point) = node.split_once('/').context("a point")?;
    let rows = run(&["history", "query", text(&site.site())?, twin, point, "--limit", "10000"], "")?;
    let rows = (0..).zip(rows.lines()).map(|(round, line)| {
        let value: f64 = line.split(',').nth(1).context("a value")?.parse()?;
        Ok((START_MS + round * 1_000, value.to_bits()))
    });
    rows.collect()
}

/// Bits of what a client was given, by its time.
fn given(values: &[Value]) -> anyhow::Result<BTreeMap<u64, u64>> {
    let mut all = BTreeMap::new();
    for value in values.iter().filter(|value| value["bits"].is_string()) {
        let bits = value["bits"].as_str().and_then(|bits| bits.strip_prefix("0x")).context("bits")?;
        let time = value["time_ms"].as_u64().with_context(|| format!("{value} has no time"))?;
        all.insert(time, u64::from_str_radix(bits, 16)?);
    }
    Ok(all)
}

fn publish(broker: &Broker, rounds: std::ops::Range<u64>) -> anyhow::Result<()> {
    let mut field = Publisher::connect(broker.port, "field")?;
    for round in rounds {
        publish_round(&mut field, &format!("rig/{TWIN}/"), round)?;
    }
    field.flush().map(drop)
}

/// Waits until what the client was sent last of a node is of this round, with this status.
fn sent(client: &mut OpcUaClient, node: &str, round: u64, status: u64) -> anyhow::Result<Value> {
    wait_for(&format!("{node} of round {round} with {status:#x}"), PATIENCE, || {
        let last = client.seen(node)?.last().cloned().context("nothing is sent")?;
        let is_it = last["time_ms"] == START_MS + round * 1_000 && last["status"] == status;
        ensure!(is_it && last["bits"].is_string(), "{last}");
        Ok(Some(last))
    })
}

fn looks_around(client: &mut OpcUaClient) -> anyhow::Result<()> {
    assert_eq!(client.namespace, 2, "node ids in the documents say ns=2");
    let objects = client.browse("")?;
    assert!(names(&objects).contains(&"Geminus"), "{objects:?}");
    let twins = client.browse("/Geminus")?;
    let twin = twins.iter().find(|one| one["name"] == TWIN).with_context(|| format!("{twins:?}"))?;
    assert_eq!((twin["node"].as_str(), twin["type"].as_str()), (Some(TWIN), Some("/TwinType")));
    let parts = client.browse(TWIN)?;
    for part in ["Measured", "Estimated", "Health", "state", "authority"] {
        assert!(names(&parts).contains(&part), "{part} is not in {parts:?}");
    }
    for (folder, point) in [
        ("Measured", "temperature"),
        ("Estimated", "thermal.winding_temperature"),
        ("Health", "index"),
        ("Health", "verdict"),
    ] {
        let found = client.browse(&format!("{TWIN}/{folder}/"))?;
        assert!(names(&found).contains(&point), "{point} is not in {folder}: {found:?}");
    }
    let unit = client.browse(MEASURED)?;
    assert!(names(&unit).contains(&"EngineeringUnits"), "{unit:?}");
    Ok(())
}

fn shows(peer: OpcUaPeer) -> anyhow::Result<()> {
    let (broker, port, folder) = (Broker::start(10_000)?, free_port()?, tempfile::tempdir()?);
    let (mqtt, url) = (broker.url(), format!("opc.tcp://127.0.0.1:{port}"));
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &mqtt)
            + &format!(
                "\n[opcua_server]\nlisten = \"127.0.0.1:{port}\"\nsecurity = [\"none\"]\nanonymous = true\nsessions_max = 2\n"
            )
    })?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let connect = |name: &str| OpcUaClient::connect(peer, &url, &folder.path().join(name), false, None);
    let mut client = connect("a")?.map_err(anyhow::Error::msg)?;
    looks_around(&mut client)?;
    // Sooner than the host has values: what has none yet is watched too.
    client.watch(&[MEASURED, ESTIMATED, "pump-rig-1/Twin/state"], 0)?;
    let none = client.read(&[MEASURED])?;
    assert_eq!(none[0]["status"], BAD_WAITING_FOR_INITIAL_DATA, "{none:?}");

    publish(&broker, 0..ROUNDS)?;
    whole(&host, TWIN, ROUNDS)?;
    for node in [MEASURED, ESTIMATED] {
        wait_for(&format!("{node} to be sent"), PATIENCE, || {
            let last = client.seen(node)?.last().cloned().context("nothing is sent")?;
            ensure!(last["time_ms"] == START_MS + (ROUNDS - 1) * 1_000, "{last}");
            Ok(Some(()))
        })?;
    }
    // The twin falls silent: its numbers stay, their status does not.
    let stale = sent(&mut client, MEASURED, ROUNDS - 1, STALE)?;
    let state = wait_for("the state to be stale", PATIENCE, || {
        Ok(client.seen("pump-rig-1/Twin/state")?.last().cloned().filter(|last| last["text"] == "stale"))
    })?;
    assert_eq!(state["status"], GOOD);
    // It speaks again, with one round more.
    publish(&broker, ROUNDS..ROUNDS + 1)?;
    whole(&host, TWIN, ROUNDS + 1)?;
    wait_for("the next round to be sent", PATIENCE, || {
        let last = client.seen(MEASURED)?.last().cloned().context("nothing is sent")?;
        ensure!(last["time_ms"] == START_MS + ROUNDS * 1_000, "{last} after {stale}");
        Ok(Some(()))
    })?;
    let seen = [MEASURED, ESTIMATED].map(|node| client.seen(node).map(|seen| (node, seen)));
    let read = client.read(&[MEASURED, ESTIMATED])?;
    assert_eq!(client.write(MEASURED)?, BAD_NOT_WRITABLE);
    assert_eq!(client.read(&[MEASURED])?[0]["bits"], read[0]["bits"], "what was written went nowhere");

    let second = connect("b")?.map_err(anyhow::Error::msg)?;
    let third = connect("c")?.err().context("one session too many")?;
    assert!(third.contains("TooManySessions"), "{third}");
    wait_for("both sessions to be counted", PATIENCE, || {
        Ok(host.metric("geminus_opcua_server_sessions")?.filter(|sessions| *sessions >= 2.0))
    })?;
    drop(second);
    host.stop()?;

    for (seen, read) in seen.into_iter().zip(read) {
        let (node, seen) = seen?;
        let held = history(&site, node)?;
        assert_eq!(held.len() as u64, ROUNDS + 1, "{node}");
        let given = given(&[seen, vec![read]].concat())?;
        assert!(given.contains_key(&(START_MS + ROUNDS * 1_000)), "{peer:?} {node}: {given:?}");
        for (time, bits) in given {
            assert_eq!(Some(&bits), held.get(&time), "{peer:?} {node} at {time}: bit for bit");
        }
    }
    Ok(())
}

#[test]
fn asyncua_sees_what_the_host_holds_and_writes_nothing() -> anyhow::Result<()> {
    shows(OpcUaPeer::Asyncua)
}

#[test]
fn node_opcua_sees_what_the_host_holds_and_writes_nothing() -> anyhow::Result<()> {
    shows(OpcUaPeer::NodeOpcua)
}

const PUMP: &str = r#"{"@context": "dtmi:dtdl:context;3", "@id": "dtmi:test:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [{"@type": "Telemetry", "name": "a", "schema": "double"}]}"#;

/// Two twins and nothing that feeds them.
fn guarded(port: u16) -> anyhow::Result<SiteFolder> {
    let text = format!(
        "[site]\nname = \"guarded\"\n[[twin]]\nid = \"pump-{{1..2}}\"\ntype = \"dtmi:test:Pump;1\"\n\
         [opcua_server]\nlisten = \"127.0.0.1:{port}\"\n"
    );
    SiteFolder::new(&text, &[("pump.json", PUMP)])
}

/// Only a certificate that a person has trusted, with a name and its password, over a secured line, and for its twins.
fn admits(peer: OpcUaPeer) -> anyhow::Result<()> {
    let (port, folder) = (free_port()?, tempfile::tempdir()?);
    let url = format!("opc.tcp://127.0.0.1:{port}");
    let site = guarded(port)?;
    let path = site.site();
    for (name, rights) in
        [("ada", &["--role", "admin"][..]), ("vic", &["--role", "viewer", "--twins", "pump-1"])]
    {
        run(&[&["user", "add", text(&path)?, name][..], rights].concat(), &format!("{PASSWORD}\n"))?;
    }
    let host = Host::start(&path)?;
    type Given = Option<(&'static str, &'static str)>;
    let connect = |secured, login: Given| OpcUaClient::connect(peer, &url, folder.path(), secured, login);
    let refused = |secured, login: Given, why: &str| -> anyhow::Result<String> {
        connect(secured, login)?.err().with_context(|| format!("{peer:?} was let in {why}"))
    };
    refused(true, Some(("vic", PASSWORD)), "with a certificate that nobody has trusted")?;
    let list = || run(&["certificate", "list", "--site", text(&path)?], "");
    let listed = list()?;
    assert!(listed.contains("rejected") && listed.contains("client: "), "{listed}");
    let thumbprint = listed.split_whitespace().nth(1).context("a thumbprint")?;
    run(&["certificate", "trust", thumbprint, "--site", text(&path)?], "")?;
    assert!(list()?.contains("trusted"));
    let word = format!("trusts the certificate {thumbprint} of the OPC UA client");
    wait_for("the host to tell of it", PATIENCE, || Ok(host.log().contains(&word).then_some(())))?;

    refused(false, None, "over an open line")?;
    refused(true, None, "without a name")?;
    let wrong = refused(true, Some(("vic", "wrong horse battery")), "with another password")?;
    assert!(wrong.contains("UserAccessDenied"), "{wrong}");
    let mut client = connect(true, Some(("vic", PASSWORD)))?.map_err(anyhow::Error::msg)?;
    let values = client.read(&["pump-1/a", "pump-2/a", "pump-1/Twin/state", "pump-2/Twin/state"])?;
    let statuses: Vec<_> = values.iter().filter_map(|value| value["status"].as_u64()).collect();
    let expect = [BAD_WAITING_FOR_INITIAL_DATA, BAD_USER_ACCESS_DENIED, GOOD, BAD_USER_ACCESS_DENIED];
    assert_eq!(statuses, expect, "{values:?}");
    assert_eq!(values[2]["text"], "waiting");
    assert_eq!(client.write("pump-1/a")?, BAD_NOT_WRITABLE);

    run(&["user", "remove", text(&path)?, "vic"], "")?;
    wait_for("vic to read nothing more", PATIENCE, || {
        // asyncua looks at the state of the server all the time, and hangs up when it may not.
        let read = client.read(&["pump-1/Twin/state"]);
        let denied = read.map_or(true, |values| values[0]["status"].as_u64() == Some(BAD_USER_ACCESS_DENIED));
        Ok(denied.then_some(()))
    })?;
    let log = host.log();
    assert!(!log.contains(PASSWORD) && !log.contains("wrong horse"), "no password in the log");
    host.stop()
}

#[test]
fn asyncua_is_let_in_by_a_person_a_password_and_a_scope() -> anyhow::Result<()> {
    admits(OpcUaPeer::Asyncua)
}

#[test]
fn node_opcua_is_let_in_by_a_person_a_password_and_a_scope() -> anyhow::Result<()> {
    admits(OpcUaPeer::NodeOpcua)
}

#[test]
fn a_host_that_cannot_listen_says_where_and_does_not_start() -> anyhow::Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let site = guarded(taken.local_addr()?.port())?;
    let error = Host::start(&site.site()).map(drop).expect_err("the port is taken");
    let said = format!("{error:#}");
    assert!(said.contains("opcua_server") && said.contains("cannot listen on 127.0.0.1"), "{said}");
    Ok(())
}
