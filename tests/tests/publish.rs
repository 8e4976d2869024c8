//! Results that are published: what a stranger reads at the broker is what the API says, with its quality, after a loss of
//! the broker too; and whoever is gone is known to be gone.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, Host, PATIENCE, Publisher, SiteFolder, publish_round, wait_for, whole};
use serde_json::Value;

const TWIN: &str = "pump-rig-1";
const POINT: &str = "thermal.winding_temperature";
const ROUNDS: u64 = 30;
const ROOT: &str = "acme/pump-rig";
const STATUS: &str = "acme/pump-rig/_geminus/plant";
/// Points of the second host, and the metrics that feed them.
const METRICS: [(&str, &str); 2] = [("winding", POINT), ("index", "health/index")];

const MIRROR: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Mirror;1", "@type": "Interface", "displayName": "Mirror",
    "contents": [
        {"@type": "Telemetry", "name": "winding", "schema": "double"},
        {"@type": "Telemetry", "name": "index", "schema": "double"}]}"#;

/// The example with its twin in a line of a hall, and with a publication.
fn site(broker: &Broker, publish: &str) -> anyhow::Result<SiteFolder> {
    let url = broker.url();
    SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &url)
            .replace("id = \"pump-rig-1\"\n", "id = \"pump-rig-1\"\narea = \"hall-1\"\nline = \"line-2\"\n")
            + &format!("\n[publish.plant]\nurl = \"{url}\"\ninterval_ms = 100\n{publish}\n")
    })
}

fn uns(broker: &Broker, version: &str) -> anyhow::Result<SiteFolder> {
    site(broker, &format!("layer = \"uns-1\"\nenterprise = \"acme\"\nversion = \"{version}\""))
}

/// What is kept on a topic; `None` when nothing is.
fn kept(broker: &Broker, topic: &str) -> anyhow::Result<Option<Value>> {
    let port = broker.port.to_string();
    let output = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &port, "-t", topic, "-q", "1", "-C", "1", "-W", "2"])
        .arg("--retained-only")
        .stdin(Stdio::null())
        .output()
        .context("mosquitto_sub cannot be started: install it (Debian: mosquitto-clients)")?;
    match output.stdout.is_empty() {
        true => Ok(None),
        false => Ok(Some(serde_json::from_slice(&output.stdout)?)),
    }
}

fn topic(name: &str) -> String {
    format!("{ROOT}/hall-1/line-2/{TWIN}/{name}")
}

fn publish(broker: &Broker, from: u64) -> anyhow::Result<()> {
    let mut field = Publisher::connect(broker.port, "field")?;
    for round in from..from + ROUNDS {
        publish_round(&mut field, &format!("rig/{TWIN}/"), round)?;
    }
    field.flush().map(drop)
}

/// Publishes as many rounds again, of now: what an edge node tells of a birth has its time, so that older values come late.
/// Waits until `times` such feeds have been estimated.
fn feed_now(broker: &Broker, host: &Host, times: u64) -> anyhow::Result<()> {
    let mut field = Publisher::connect(broker.port, "field")?;
    let first = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    for round in 0..u128::from(ROUNDS) {
        for (sensor, value) in [("temperature", 80.0), ("thermocouple", 26.0), ("current", 2.0)] {
            let (value, time) = (value + (round as f64 / 10.0).sin(), first + round);
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("rig/{TWIN}/{sensor}"), payload.as_bytes(), 1)?;
        }
    }
    field.flush()?;
    wait_for("rows of now", PATIENCE, || {
        let rows = host.behavior(TWIN, "thermal")?["rows"].as_u64();
        Ok((rows == Some(times * ROUNDS)).then_some(()))
    })
}

/// Waits until what is kept is what the API says, and gives it.
fn agreed(broker: &Broker, host: &Host) -> anyhow::Result<Value> {
    wait_for("the broker to keep what the API says", PATIENCE, || {
        let (point, document) = (host.point(TWIN, POINT)?, kept(broker, &topic(POINT))?);
        let document = document.context("nothing is kept")?;
        let same = ["value", "quality", "unit"].iter().all(|key| point[*key] == document[*key]);
        ensure!(same, "{document} is not {point}");
        Ok(Some(document))
    })
}

fn online(broker: &Broker, expect: bool) -> anyhow::Result<()> {
    wait_for(&format!("online {expect}"), PATIENCE, || {
        Ok(kept(broker, STATUS)?.filter(|status| status["online"] == expect).map(drop))
    })
}

fn namespace(version: &str) -> anyhow::Result<()> {
    let mut broker = Broker::start(10_000)?;
    let site = uns(&broker, version)?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    host.entry("publish-connected", |_| true)?;
    online(&broker, true)?;
    publish(&broker, 0)?;
    whole(&host, TWIN, ROUNDS)?;
    let document = agreed(&broker, &host)?;
    assert!(document["value"].is_f64(), "{document}");
    assert_eq!(document["by"]["plugin"], "motor-thermal", "{document}");
    let digest = &host.behavior(TWIN, "thermal")?["digest"];
    assert_eq!(&document["by"]["digest"], digest, "the version that computed it");
    wait_for("the same health", PATIENCE, || {
        let there = kept(&broker, &topic("health"))?.context("nothing is kept")?;
        let here = host.get(&format!("/twins/{TWIN}"))?;
        Ok((there["verdict"] == here["health"]["verdict"]).then_some(()))
    })?;
    assert!(kept(&broker, &topic("temperature"))?.is_none(), "what the field sends is not published");

    // The broker forgets everything that it kept: it was killed before it wrote it down.
    broker.kill()?;
    host.entry("publish-lost", |_| true)?;
    broker.up()?;
    host.entry("publish-back", |_| true)?;
    online(&broker, true)?;
    agreed(&broker, &host)?;

    // Nothing more comes: what was computed from it is no longer good, there as here.
    let stale = wait_for("what is kept to turn", PATIENCE, || {
        let document = kept(&broker, &topic(POINT))?.context("nothing is kept")?;
        Ok((document["quality"] != "good" && document["quality"] != "uncertain").then_some(document))
    })?;
    assert_eq!(stale["quality"], host.point(TWIN, POINT)?["quality"]);

    host.stop()?;
    online(&broker, false)
}

#[test]
fn a_unified_namespace_keeps_what_the_api_says_with_mqtt_5() -> anyhow::Result<()> {
    namespace("5")
}

#[test]
fn a_unified_namespace_keeps_what_the_api_says_with_mqtt_3_1_1() -> anyhow::Result<()> {
    namespace("3.1.1")
}

#[test]
fn a_host_that_is_killed_is_known_to_be_gone() -> anyhow::Result<()> {
    let broker = Broker::start(100)?;
    let site = uns(&broker, "5")?;
    let host = Host::start(&site.site())?;
    online(&broker, true)?;
    host.kill()?;
    online(&broker, false)
}

/// A second host, which is a host application of the first one's edge node.
fn mirror(broker: &Broker) -> anyhow::Result<SiteFolder> {
    let fields: Vec<String> = METRICS.iter().map(|(point, metric)| format!("{point} = {metric:?}")).collect();
    let text = format!(
        "[site]\nname = \"mirror\"\n\
         [[source]]\nname = \"edge\"\nsparkplug = {{ url = \"{}\", host_id = \"mirror\" }}\n\
         [[twin]]\nid = \"{TWIN}\"\ntype = \"dtmi:t:Mirror;1\"\ninterval_ms = 600000\n\
         [[bind]]\nsource = \"edge\"\ntopic = \"spBv1.0/acme/geminus/{{twin}}\"\n\
         payload = {{ fields = {{ {} }} }}\n",
        broker.url(),
        fields.join(", ")
    );
    SiteFolder::new(&text, &[("mirror.json", MIRROR)])
}

/// What a host application is told of a quality of ours: Sparkplug has no word for uncertain.
fn told(quality: &Value) -> &str {
    match quality.as_str() {
        Some("good") => "good",
        Some("stale") => "stale",
        _ => "bad",
    }
}

/// Waits until the mirror holds what the first host says, bit for bit. Nothing is fed meanwhile.
fn mirrored(host: &Host, mirror: &Host) -> anyhow::Result<()> {
    wait_for("the same value in the mirror", PATIENCE, || {
        let (here, there) = (host.point(TWIN, POINT)?, mirror.point(TWIN, "winding")?);
        let number = |point: &Value| point["value"].as_f64().map(f64::to_bits);
        ensure!(number(&here).is_some() && number(&here) == number(&there), "{there} is not {here}");
        ensure!(there["quality"] == told(&here["quality"]), "{there} is not {here}");
        Ok(Some(()))
    })
}

#[test]
fn an_edge_node_is_followed_by_a_host_application_to_the_last_bit() -> anyhow::Result<()> {
    let mut broker = Broker::start(10_000)?;
    let layer = "layer = \"sparkplug-b-1\"\ngroup = \"acme\"\nnode = \"geminus\"";
    let (site, mirror_site) = (site(&broker, layer)?, mirror(&broker)?);
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    host.entry("publish-connected", |_| true)?;
    feed_now(&broker, &host, 1)?;
    // The mirror comes later and must ask for the birth.
    let mirror = Host::start(&mirror_site.site())?;
    mirror.entry("edge-node-born", |_| true)?;
    mirrored(&host, &mirror)?;
    feed_now(&broker, &host, 2)?;
    mirrored(&host, &mirror)?;

    broker.kill()?;
    host.entry("publish-lost", |_| true)?;
    broker.up()?;
    host.entry("publish-back", |_| true)?;
    host.entry("source-back", |_| true)?;
    mirror.entry("source-back", |_| true)?;
    mirrored(&host, &mirror)?;
    feed_now(&broker, &host, 3)?;
    mirrored(&host, &mirror)?;

    host.kill()?;
    mirror.entry("edge-node-died", |_| true)?;
    wait_for("the mirror to be stale", PATIENCE, || {
        Ok((mirror.point(TWIN, "winding")?["quality"] == "stale").then_some(()))
    })?;
    mirror.stop()
}
