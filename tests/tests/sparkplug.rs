//! A Sparkplug B edge node of its makers' library, through mosquitto: births, data equal bit for bit, gaps, aliases that
//! nobody knows, deaths, and our own STATE.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use geminus_tests::{Broker, EdgeNode, Host, PATIENCE, SiteFolder, geminus, wait_for};
use serde_json::{Value, json};

const TWIN: &str = "pump-1";
const STATE: &str = "spBv1.0/STATE/geminus-test";
/// Point and metric.
const POINTS: [(&str, &str); 4] = [
    ("temperature", "Motor/Temperature"),
    ("speed", "Motor/Speed"),
    ("starts", "Starts"),
    ("running", "Running"),
];
/// What a double, a float, a 64-bit integer and a boolean can hold at their ends.
const VALUES: [(&str, &[f64]); 4] = [
    (
        "Motor/Temperature",
        &[0.1, -0.0, 1e-300, 5e-324, f64::MAX, f64::MIN, 1.0 / 3.0, -273.15, std::f64::consts::PI, 71.2],
    ),
    ("Motor/Speed", &[0.5, -1.5, f32::MIN_POSITIVE as f64, f32::MAX as f64, 0.1_f32 as f64, 16_777_216.0]),
    ("Starts", &[-1.0, 9_007_199_254_740_992.0, -9_007_199_254_740_992.0, 2_147_483_648.0, 1.0]),
    ("Running", &[1.0, 0.0]),
];

const TYPE: &str = r#"{
    "@context": ["dtmi:dtdl:context;3"], "@id": "dtmi:t:Pump;1", "@type": "Interface", "displayName": "Pump",
    "contents": [
        {"@type": "Telemetry", "name": "temperature", "schema": "double"},
        {"@type": "Telemetry", "name": "speed", "schema": "double"},
        {"@type": "Telemetry", "name": "starts", "schema": "double"},
        {"@type": "Telemetry", "name": "running", "schema": "boolean"}]}"#;

fn site(broker: &Broker, version: &str) -> anyhow::Result<SiteFolder> {
    let fields: Vec<String> = POINTS.iter().map(|(point, metric)| format!("{point} = {metric:?}")).collect();
    let text = format!(
        "[site]\nname = \"spb\"\n\
         [[source]]\nname = \"edge\"\n\
         sparkplug = {{ url = \"{}\", host_id = \"geminus-test\", version = \"{version}\" }}\n\
         [[twin]]\nid = \"{TWIN}\"\ntype = \"dtmi:t:Pump;1\"\ninterval_ms = 600000\n\
         [[bind]]\nsource = \"edge\"\ntopic = \"spBv1.0/plant/edge-1/{{twin}}\"\n\
         payload = {{ fields = {{ {} }} }}\n",
        broker.url(),
        fields.join(", ")
    );
    SiteFolder::new(&text, &[("pump.json", TYPE)])
}

/// The retained STATE of the host.
fn state(broker: &Broker) -> anyhow::Result<Value> {
    let port = broker.port.to_string();
    let output = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &port, "-t", STATE, "-q", "1", "-C", "1", "-W", "5"])
        .stdin(Stdio::null())
        .output()
        .context("mosquitto_sub cannot be started: install it (Debian: mosquitto-clients)")?;
    ensure!(output.status.success(), "nothing is retained on {STATE}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What the edge node held when it said something, told apart by metric.
#[derive(Default)]
struct Held(Vec<(String, u64)>);

impl Held {
    fn note(&mut self, said: &Value) -> anyhow::Result<()> {
        for (metric, bits) in said["values"].as_object().context("values")? {
            let bits = bits.as_str().and_then(|bits| bits.strip_prefix("0x")).context("bits")?;
            self.0.push((metric.clone(), u64::from_str_radix(bits, 16)?));
        }
        Ok(())
    }

    fn of(&self, metric: &str) -> Vec<u64> {
        self.0.iter().filter(|(name, _)| name == metric).map(|(_, bits)| *bits).collect()
    }
}

fn quality(host: &Host, expect: &str) -> anyhow::Result<()> {
    wait_for(&format!("temperature to be {expect}"), PATIENCE, || {
        Ok((host.point(TWIN, "temperature")?["quality"] == expect).then_some(()))
    })
}

/// Waits for the `count`th entry of this kind.
fn told(host: &Host, kind: &str, count: usize) -> anyhow::Result<()> {
    wait_for(&format!("{count} entries {kind}"), PATIENCE, || {
        let found = host.journal()?.iter().filter(|entry| entry["kind"] == kind).count();
        ensure!(found <= count, "{kind} was told {found} times");
        Ok((found == count).then_some(()))
    })
}

/// Values and qualities in history, in order.
fn history(site: &SiteFolder, point: &str) -> anyhow::Result<Vec<(f64, String)>> {
    let output = Command::new(geminus()?)
        .args(["history", "query"])
        .arg(site.site())
        .args([TWIN, point, "--limit", "10000"])
        .stdin(Stdio::null())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let rows = text.lines().map(|line| {
        let [_, value, quality] = line.split(',').collect::<Vec<_>>()[..] else {
            anyhow::bail!("{line} is no row")
        };
        Ok((value.parse()?, quality.to_owned()))
    });
    rows.collect()
}

fn scenario(version: &str) -> anyhow::Result<()> {
    let broker = Broker::start(1_000)?;
    let site = site(&broker, version)?;
    // The edge node is there first, and says nothing more by itself: the host asks for its birth.
    let (mut edge, mut held) = (EdgeNode::start(broker.port, "plant", "edge-1", TWIN)?, Held::default());
    edge.says("born")?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let birth = state(&broker)?;
    assert_eq!(birth["online"], true, "{birth}");
    edge.says("asked")?;
    held.note(&edge.says("born")?)?;
    told(&host, "edge-node-born", 1)?;
    quality(&host, "good")?;

    for (metric, values) in VALUES {
        for value in values {
            edge.tell("data", &[(metric, *value)])?;
            held.note(&edge.says("data")?)?;
        }
    }
    // More than the sequence numbers go round.
    for round in 0..300 {
        edge.tell("data", &[("Motor/Temperature", f64::from(round))])?;
        held.note(&edge.says("data")?)?;
    }
    wait_for("the last value", PATIENCE, || {
        Ok((host.point(TWIN, "temperature")?["value"] == 299.0).then_some(()))
    })?;
    assert_eq!(host.metric("geminus_samples_total{fate=\"late\"}")?, Some(0.0));

    // A message is lost: a rebirth is asked for by itself.
    edge.tell("lose", &[("Motor/Temperature", 1000.0)])?;
    edge.says("lost")?;
    edge.says("asked")?;
    held.note(&edge.says("born")?)?;
    told(&host, "edge-node-lost", 1)?;
    told(&host, "edge-node-born", 2)?;
    quality(&host, "good")?;
    host.entry("sample-refused", |entry| entry["facts"]["reason"] == "out-of-order")?;

    // An alias that no birth gave: another one, though not at once.
    edge.tell("stray", &[])?;
    edge.says("strayed")?;
    told(&host, "edge-node-lost", 2)?;
    quality(&host, "stale")?;
    edge.says("asked")?;
    held.note(&edge.says("born")?)?;
    quality(&host, "good")?;
    host.entry("sample-refused", |entry| entry["facts"]["reason"] == "unknown-metric")?;

    // The device dies alone, and comes back.
    edge.tell("device-death", &[])?;
    edge.says("device-died")?;
    quality(&host, "stale")?;
    edge.tell("device-birth", &[])?;
    held.note(&edge.says("born")?)?;
    quality(&host, "good")?;

    // The power of the edge node fails: its will says so.
    edge.kill()?;
    told(&host, "edge-node-died", 1)?;
    quality(&host, "stale")?;
    assert_eq!(host.point(TWIN, "temperature")?["value"], 1000.0, "what it was last stays to be seen");

    // Somebody says that we are gone.
    let gone = json!({ "online": false, "timestamp": 1 }).to_string();
    let port = broker.port.to_string();
    let said = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-t", STATE, "-q", "1", "-r", "-m", &gone])
        .status()?;
    ensure!(said.success(), "mosquitto_pub failed");
    wait_for("our STATE to be put right", PATIENCE, || Ok((state(&broker)? == birth).then_some(())))?;

    host.stop()?;
    let last = state(&broker)?;
    assert_eq!(last["online"], false, "{last}");
    assert!(last["timestamp"].as_u64() >= birth["timestamp"].as_u64(), "{last} after {birth}");
    for (point, metric) in POINTS {
        let rows = history(&site, point)?;
        let good: Vec<u64> =
            rows.iter().filter(|(_, quality)| quality == "good").map(|(value, _)| value.to_bits()).collect();
        assert_eq!(good, held.of(metric), "{point}: as the edge node held it, bit for bit");
        let stale = rows.iter().filter(|(_, quality)| quality == "stale").count();
        assert_eq!(stale, 4, "{point}: a gap, an alias, a device's death and a node's");
    }
    Ok(())
}

#[test]
fn an_edge_node_is_followed_over_mqtt_5() -> anyhow::Result<()> {
    scenario("5")
}

#[test]
fn an_edge_node_is_followed_over_mqtt_3_1_1() -> anyhow::Result<()> {
    scenario("3.1.1")
}
