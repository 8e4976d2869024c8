//! What is no measurement is refused by reason, counted and journaled; what is one is kept, however odd; and another
//! twin does not notice any of it.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use geminus_tests::{Broker, Host, PATIENCE, Publisher, Rounds, START_MS, SiteFolder, wait_for, whole};

const VICTIM: &str = "pump-rig-1";
const OTHER: &str = "pump-rig-2";
const MIB: usize = 1 << 20;

/// What must become of a payload on the topic of the victim's temperature.
enum Fate {
    /// Refused under this reason.
    Refused(&'static str),
    /// Kept at this number of milliseconds after the start, with this value (none: no number, quality bad).
    Kept(u64, Option<f64>),
    /// Kept in history although newer ones are there.
    Late(u64, f64),
    /// Dropped: the point has a sample of this time.
    Duplicate,
}

fn at(ms: u64, value: &str) -> Vec<u8> {
    format!(r#"{{"value":{value},"time":{},"quality":"good"}}"#, START_MS + ms).into_bytes()
}

/// A valid payload of exactly `bytes` bytes.
fn padded(ms: u64, value: &str, bytes: usize) -> Vec<u8> {
    let mut payload = at(ms, value);
    payload.pop();
    payload.extend_from_slice(br#","pad":""#);
    payload.resize(bytes - 2, b'x');
    payload.extend_from_slice(b"\"}");
    payload
}

fn cases() -> Vec<(Vec<u8>, Fate)> {
    use Fate::{Duplicate, Kept, Late, Refused};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let in_a_day = format!(r#"{{"value":1,"time":{}}}"#, now + 86_400_000);
    vec![
        (at(0, "80.5"), Kept(0, Some(80.5))),
        (b"{\"value\":".to_vec(), Refused("malformed")),
        (b"{\"value\":1}}".to_vec(), Refused("malformed")),
        (b"\xff\xfe\x00".to_vec(), Refused("malformed")),
        (b"warm".to_vec(), Refused("malformed")),
        (vec![b'['; MIB], Refused("malformed")),
        (br#"{"value":"12"}"#.to_vec(), Refused("wrong-type")),
        (br#"{"value":{"x":1}}"#.to_vec(), Refused("wrong-type")),
        (b"[1,2]".to_vec(), Refused("wrong-type")),
        (b"{}".to_vec(), Refused("no-value")),
        (Vec::new(), Refused("no-value")),
        (br#"{"value":1,"time":"noon"}"#.to_vec(), Refused("bad-time")),
        (br#"{"value":1,"time":-1}"#.to_vec(), Refused("bad-time")),
        (br#"{"value":1,"quality":"great"}"#.to_vec(), Refused("unknown-quality")),
        (br#"{"value":1,"quality":192}"#.to_vec(), Refused("unknown-quality")),
        (in_a_day.into_bytes(), Refused("future-time")),
        (br#"{"value":1,"time":"2500-01-01T00:00:00Z"}"#.to_vec(), Refused("future-time")),
        (br#"{"value":1,"time":"2600-01-01T00:00:00Z"}"#.to_vec(), Refused("future-time")),
        (br#"{"value":1,"time":"9999-12-31T23:59:59Z"}"#.to_vec(), Refused("future-time")),
        (br#"{"value":1,"time":99999999999999999999999}"#.to_vec(), Refused("future-time")),
        (padded(500, "1", MIB + 1), Refused("too-large")),
        (at(1_000, "NaN"), Kept(1_000, None)),
        (at(2_000, "-Infinity"), Kept(2_000, None)),
        (at(3_000, "1e999"), Kept(3_000, None)),
        (at(4_000, "null"), Kept(4_000, None)),
        (padded(5_000, "81.5", MIB), Kept(5_000, Some(81.5))),
        (at(5_000, "99.9"), Duplicate),
        (at(2_500, "79.5"), Late(2_500, 79.5)),
        (at(6_000, "82.5"), Kept(6_000, Some(82.5))),
    ]
}

/// Topics that nothing is bound to.
const UNBOUND: [&str; 2] = ["rig/pump-rig-1/nonsense", "rig/nobody/temperature"];

/// Under which the host knows the broker.
const CLIENT_ID: &str = "pump-house";

/// Leaves subscriptions at the broker under the name that the host will use, as an earlier configuration might have:
/// so the host gets messages that nothing is bound to.
fn subscribe_to_unbound(broker: &Broker) -> anyhow::Result<()> {
    let port = broker.port.to_string();
    let status = Command::new("mosquitto_sub")
        .args(["-p", &port, "-V", "mqttv5", "-i", CLIENT_ID, "-c", "-x", "3600"])
        .args(["-q", "1", "-t", UNBOUND[0], "-t", UNBOUND[1], "-E"])
        .status()?;
    anyhow::ensure!(status.success(), "mosquitto_sub: {status}");
    Ok(())
}

/// The victim alone, as the example has it, and whoever sends for it.
struct Rig {
    _broker: Broker,
    _site: SiteFolder,
    host: Host,
    field: Publisher,
    /// Of the victim's temperature.
    topic: String,
}

impl Rig {
    fn start() -> anyhow::Result<Self> {
        let broker = Broker::start(1_000)?;
        let site = SiteFolder::from_example("pump-rig", |text| {
            text.replace("mqtt://127.0.0.1:1883", &broker.url())
        })?;
        let host = Host::start(&site.site())?;
        host.entry("source-connected", |_| true)?;
        let field = Publisher::connect(broker.port, "field")?;
        let topic = format!("rig/{VICTIM}/temperature");
        Ok(Self { _broker: broker, _site: site, host, field, topic })
    }
}

/// Waits until the counter has exactly this value.
fn counts(host: &Host, sample: &str, expect: u64) -> anyhow::Result<()> {
    wait_for(&format!("{sample} {expect}"), PATIENCE, || match host.metric(sample)? {
        Some(value) if value == expect as f64 => Ok(Some(())),
        other => anyhow::bail!("it is {other:?}"),
    })
}

#[test]
fn what_is_no_measurement_is_refused_by_reason_and_nobody_else_notices() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    subscribe_to_unbound(&broker)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("version = \"5\"", &format!("version = \"5\", client_id = \"{CLIENT_ID}\""))
            .replace("\"pump-rig-1\"", "\"pump-rig-{1..2}\"")
    })?;
    let host = Host::start(&site.site())?;
    host.entry("source-connected", |_| true)?;
    let rounds = Rounds::start(broker.port, &[OTHER])?;
    let mut field = Publisher::connect(broker.port, "field")?;
    let topic = format!("rig/{VICTIM}/temperature");
    let (mut refused, mut duplicates, mut kept) = (std::collections::BTreeMap::new(), 0, Vec::new());
    let mut late = 0;
    for (payload, fate) in cases() {
        field.publish(&topic, &payload, 1)?;
        match fate {
            Fate::Refused(reason) => *refused.entry(reason).or_insert(0) += 1,
            Fate::Kept(ms, value) => kept.push(((START_MS + ms) as f64, value)),
            Fate::Late(ms, value) => {
                late += 1;
                kept.push(((START_MS + ms) as f64, Some(value)));
            }
            Fate::Duplicate => duplicates += 1,
        }
    }
    for unbound in UNBOUND {
        field.publish(unbound, b"1", 1)?;
        *refused.entry("unknown-topic").or_insert(0) += 1;
    }
    field.flush()?;

    for (reason, count) in &refused {
        counts(&host, &format!("geminus_samples_refused_total{{reason=\"{reason}\"}}"), *count)?;
        host.entry("sample-refused", |entry| entry["facts"]["reason"] == **reason)?;
    }
    let all: u64 = refused.values().sum();
    counts(&host, "geminus_samples_total{fate=\"refused\"}", all)?;
    counts(&host, "geminus_samples_total{fate=\"duplicate\"}", duplicates)?;
    counts(&host, "geminus_samples_total{fate=\"late\"}", late)?;
    let inputs = host.get("/site")?["inputs"].take();
    assert_eq!(
        (inputs["refused"].as_u64(), inputs["duplicates"].as_u64(), inputs["late"].as_u64()),
        (Some(all), Some(duplicates), Some(late)),
        "the site tells the same"
    );
    let told = host.entry("sample-refused", |entry| entry["facts"]["reason"] == "malformed")?;
    let message = told["message"].as_str().unwrap_or_default();
    assert!(message.contains(&topic), "it says where: {message}");
    let excerpt = told["facts"]["excerpt"].as_str().unwrap_or_default();
    assert_eq!(excerpt, "{\"value\":", "it shows what came, as it came");

    kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    let found = wait_for("the victim's history", PATIENCE, || {
        let found = host.stored(VICTIM, "temperature", (START_MS, START_MS + 10_000), 500)?;
        Ok((found.len() >= kept.len()).then_some(found))
    })?;
    assert_eq!(found, kept, "what is a measurement is kept, once");
    let point = host.point(VICTIM, "temperature")?;
    assert_eq!((point["value"].as_f64(), &point["quality"]), (Some(82.5), &"good".into()), "{point}");
    field.publish(&topic, &at(7_000, "NaN"), 1)?;
    field.flush()?;
    wait_for("not-a-number to show as bad", PATIENCE, || {
        let point = host.point(VICTIM, "temperature")?;
        Ok((point["quality"] == "bad" && point["value"].is_null()).then_some(()))
    })?;

    let rounds = rounds.stop()?;
    anyhow::ensure!(rounds > 0, "the other twin was fed");
    whole(&host, OTHER, rounds)?;
    let clean = host.journal()?.into_iter().filter(|entry| entry["twin"] == OTHER).collect::<Vec<_>>();
    assert!(clean.is_empty(), "nothing happened to {OTHER}: {clean:?}");
    host.stop()
}

#[test]
fn what_is_no_number_is_told_unless_its_source_says_so_itself() -> anyhow::Result<()> {
    let Rig { host, mut field, topic, _broker, _site } = Rig::start()?;
    // `null` says that there is no value, and a quality that it is of no use: both are bad, and nothing to tell.
    field.publish(&topic, &at(0, "null"), 1)?;
    let known = format!(r#"{{"value":NaN,"time":{},"quality":"bad"}}"#, START_MS + 1_000);
    field.publish(&topic, known.as_bytes(), 1)?;
    field.publish(&topic, &at(2_000, "1e999"), 1)?;
    field.publish(&topic, &at(3_000, "NaN"), 1)?;
    field.publish(&topic, b"Infinity", 1)?;
    field.flush()?;
    counts(&host, "geminus_samples_total{fate=\"accepted\"}", 5)?;
    let told = host.entry("sample-bad", |_| true)?;
    assert_eq!((&told["severity"], &told["twin"]), (&"warning".into(), &VICTIM.into()), "{told}");
    let facts = &told["facts"];
    assert_eq!(
        (&facts["point"], facts["time_ms"].as_u64(), facts["count"].as_u64()),
        (&"temperature".into(), Some(START_MS + 2_000), Some(1)),
        "the first of which its source did not say so: {told}"
    );
    let all = host.journal()?.into_iter().filter(|entry| entry["kind"] == "sample-bad").count();
    assert_eq!(all, 1, "the others within a minute are counted");
    let found = host.stored(VICTIM, "temperature", (START_MS, START_MS + 10_000), 500)?;
    assert_eq!(found, [0, 1_000, 2_000, 3_000].map(|ms| ((START_MS + ms) as f64, None)));
    let point = host.point(VICTIM, "temperature")?;
    assert!(point["quality"] == "bad" && point["value"].is_null(), "{point}");
    host.stop()
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_leaves_its_twin_live_and_is_told() -> anyhow::Result<()> {
    let Rig { host, mut field, topic, _broker, _site } = Rig::start()?;
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let ahead = now() + 300_000;
    field.publish(&topic, format!(r#"{{"value":80,"time":{ahead}}}"#).as_bytes(), 1)?;
    field.flush()?;
    counts(&host, "geminus_samples_total{fate=\"accepted\"}", 1)?;
    // Stale after five seconds without a sample: twice as long nothing but late ones.
    for second in 0..10_u64 {
        field.publish(&topic, format!(r#"{{"value":81,"time":{}}}"#, now()).as_bytes(), 1)?;
        field.flush()?;
        std::thread::sleep(std::time::Duration::from_secs(1));
        let twin = host.get(&format!("/twins/{VICTIM}"))?;
        assert_eq!(twin["state"], "live", "after {second} s: {twin}");
    }
    let told = host.entry("samples-late", |entry| entry["severity"] == "warning")?;
    assert_eq!((&told["twin"], told["facts"]["newest_ms"].as_u64()), (&VICTIM.into(), Some(ahead)), "{told}");
    let message = told["message"].as_str().unwrap_or_default();
    assert!(message.contains("s ahead of this host's clock, and nothing is newer until 20"), "{message}");
    let stale = host.journal()?.into_iter().any(|entry| entry["kind"] == "twin-stale");
    assert!(!stale, "its source was heard all the time");
    host.stop()
}
