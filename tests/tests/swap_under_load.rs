//! An author rebuilds a plugin while its twins run: the new version takes over between two rows, with the state.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use geminus_tests::{Broker, Host, Publisher, SiteFolder, rebuild, wait_for};
use serde_json::Value;

const TWINS: u64 = 20;
/// 20 twins × 8 points, 32 rounds a second: 5,120 samples/s.
const ROUNDS_PER_SECOND: u64 = 32;
const START_MS: u64 = 1_750_000_000_000;

fn twin(number: u64) -> String {
    format!("pump-rig-{number:02}")
}

/// One round: all eight sensors of all twins at one source time, a second after the round before.
fn publish_round(field: &mut Publisher, round: u64) -> anyhow::Result<()> {
    let time = START_MS + round * 1_000;
    let wave = (round as f64 / 40.0).sin();
    let values = [
        ("accelerometer1-rms", 0.2),
        ("accelerometer2-rms", 0.27),
        ("current", 2.0 + 0.2 * wave),
        ("pressure", 0.2),
        ("temperature", 80.0 + 2.0 * wave),
        ("thermocouple", 26.0),
        ("voltage", 230.0),
        ("volume-flow-rate-rms", 120.0),
    ];
    for number in 1..=TWINS {
        for (point, value) in values {
            let payload = format!(r#"{{"value":{value},"time":{time},"quality":"good"}}"#);
            field.publish(&format!("rig/{}/{point}", twin(number)), payload.as_bytes(), 1)?;
        }
    }
    field.flush().map(drop)
}

fn thermal(host: &Host, twin: &str) -> anyhow::Result<Value> {
    let answer = host.get(&format!("/twins/{twin}"))?;
    let behaviors = answer["behaviors"].as_array().cloned().unwrap_or_default();
    behaviors
        .into_iter()
        .find(|b| b["name"] == "thermal")
        .ok_or_else(|| anyhow::anyhow!("no thermal: {answer}"))
}

/// Publishes in real time on a thread of its own until told to stop; gives the number of rounds.
fn feed(port: u16, stop: &AtomicBool) -> anyhow::Result<u64> {
    let mut field = Publisher::connect(port, "field")?;
    let start = Instant::now();
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        publish_round(&mut field, round)?;
        round += 1;
        let due = start + Duration::from_millis(round * 1_000 / ROUNDS_PER_SECOND);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(round)
}

#[test]
fn a_rebuilt_plugin_takes_over_without_losing_a_row_or_its_state() -> anyhow::Result<()> {
    let broker = Broker::start(100_000)?;
    let site = SiteFolder::from_example("pump-rig", |text| {
        text.replace("mqtt://127.0.0.1:1883", &broker.url())
            .replace("\"pump-rig-1\"", "\"pump-rig-{01..20}\"")
    })?;
    let host = Host::start(&site.site())?;
    let stop = AtomicBool::new(false);
    let rounds = std::thread::scope(|scope| -> anyhow::Result<u64> {
        let feeder = scope.spawn(|| feed(broker.port, &stop));
        let swapped = (|| {
            wait_for("rows", Duration::from_secs(60), || {
                Ok((thermal(&host, &twin(1))?["rows"].as_u64() > Some(100)).then_some(()))
            })?;
            let before = thermal(&host, &twin(1))?;
            assert_eq!(before["version"], "0.1.0");
            rebuild("motor-thermal", "0.1.1", &site.path("plugins"), |text| text)?;
            wait_for("the new version in every twin", Duration::from_secs(60), || {
                for number in 1..=TWINS {
                    if thermal(&host, &twin(number))?["version"] != "0.1.1" {
                        return Ok(None);
                    }
                }
                Ok(Some(()))
            })?;
            let at = thermal(&host, &twin(1))?["rows"].as_u64().unwrap_or_default();
            wait_for("rows of the new version", Duration::from_secs(60), || {
                Ok((thermal(&host, &twin(1))?["rows"].as_u64() > Some(at + 100)).then_some(()))
            })
        })();
        stop.store(true, Ordering::Relaxed);
        let rounds = feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))??;
        swapped.map(|()| rounds)
    })?;

    for number in 1..=TWINS {
        let twin = twin(number);
        // The last round may wait for its row to close.
        wait_for("the last row", Duration::from_secs(20), || {
            Ok((thermal(&host, &twin)?["rows"].as_u64() == Some(rounds)).then_some(()))
        })?;
        let (from, to) = (START_MS, START_MS + rounds * 1_000);
        let path = format!(
            "/twins/{twin}/history?points=thermal.winding_temperature&from={from}&to={to}&buckets=10000"
        );
        let answer = wait_for("history", Duration::from_secs(20), || {
            let answer = host.get(&path)?;
            let count = answer["series"][0]["times_ms"].as_array().map_or(0, Vec::len) as u64;
            Ok((count >= rounds).then_some(answer))
        })?;
        let times = answer["series"][0]["times_ms"].as_array().expect("times");
        assert_eq!(times.len() as u64, rounds, "{twin}: one estimate per round, none lost, none doubled");
        let values: Vec<f64> = answer["series"][0]["values"]
            .as_array()
            .expect("values")
            .iter()
            .map(|value| value.as_f64().expect("an estimate in every row"))
            .collect();
        // A filter that starts anew would jump back to its first guess; the field itself moves by less than 0.1 K.
        let jump = values.windows(2).skip(60).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
        assert!(jump < 0.5, "{twin}: the estimate jumped by {jump} K");
    }
    let answer = host.get(&format!("/twins/{}/history?points=temperature&from={START_MS}", twin(1)))?;
    assert_eq!(answer["marks"][0]["kind"], "swap", "{}", answer["marks"]);

    // A broken one leaves the incumbent running and says why.
    std::fs::write(site.path("plugins/.part"), b"\0asm broken")?;
    std::fs::rename(site.path("plugins/.part"), site.path("plugins/motor-thermal.wasm"))?;
    wait_for("the refusal in the journal", Duration::from_secs(30), || {
        let journal = host.get("/journal?limit=50")?;
        let entries = journal["entries"].as_array().cloned().unwrap_or_default();
        Ok(entries.into_iter().find(|entry| entry["kind"] == "plugin-refused"))
    })?;
    assert_eq!(thermal(&host, &twin(1))?["version"], "0.1.1");
    host.stop()?;

    // The broken file still lies there: the next start takes what ran last, and goes on with its state.
    let host = Host::start(&site.site())?;
    let again = thermal(&host, &twin(1))?;
    assert_eq!((again["version"].as_str(), again["rows"].as_u64()), (Some("0.1.1"), Some(rounds)));
    let journal = host.get("/journal?limit=50")?;
    let entries = journal["entries"].as_array().cloned().unwrap_or_default();
    assert!(entries.iter().any(|entry| entry["kind"] == "plugin-revived"), "{journal}");
    host.stop()
}
